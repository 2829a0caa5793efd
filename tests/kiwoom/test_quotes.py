"""Quotes in runs: nothing is lost between news and repeats, the order stays, a shard without news stays silent."""

from struct import calcsize

from hypothesis import given, settings
from hypothesis import strategies as st

from kiwoom.quotes import QUOTE, TOP, QuoteRuns

SHARD_OF = {0: 0, 1: 0, 2: 1}
"""Symbol index to shard."""


def quote(symbol: int = 0, venue: int = 0, bid: int = 100, recv: int = 1, flags: int = 0) -> bytes:
    return QUOTE.pack(symbol, venue, flags, bid, 5, bid + 1, 5, recv)


def symbol_and_venue(record: bytes) -> tuple[int, int]:
    symbol, venue, *_ = QUOTE.unpack(record)
    return symbol, venue


def split(payload: bytes) -> list[bytes]:
    return [payload[start : start + QUOTE.size] for start in range(0, len(payload), QUOTE.size)]


quotes = st.builds(
    quote, symbol=st.sampled_from(sorted(SHARD_OF)), venue=st.integers(0, 1), bid=st.integers(100, 102),
    flags=st.integers(0, 1),
)  # fmt: skip


@given(st.lists(st.one_of(quotes, st.none()), max_size=60))
@settings(max_examples=100)
def test_every_quote_is_carried_once_or_counted_once_and_the_order_of_each_book_stays(
    story: list[bytes | None],
) -> None:
    """`None` in the story is a take."""
    runs = QuoteRuns()
    carried: dict[int, list[bytes]] = {0: [], 1: []}
    repeats = {0: [0, 0], 1: [0, 0]}
    given_in: dict[int, list[bytes]] = {0: [], 1: []}
    for stamp, record in enumerate([*story, None]):
        if record is not None:
            stamped = record[:-8] + stamp.to_bytes(8, "little")
            shard = SHARD_OF[symbol_and_venue(record)[0]]
            given_in[shard].append(stamped)
            runs.add(shard, stamped)
            continue
        for shard, run in runs.take().items():
            carried[shard] += split(bytes(run.records))
            repeats[shard] = [mine + more for mine, more in zip(repeats[shard], run.repeats, strict=True)]
    for shard in (0, 1):
        left = runs.take_repeats(shard)
        for venue in (0, 1):
            of_venue = [record for record in given_in[shard] if symbol_and_venue(record)[1] == venue]
            news = [record for record in carried[shard] if symbol_and_venue(record)[1] == venue]
            assert len(news) + repeats[shard][venue] + left[venue] == len(of_venue)
        assert carried[shard] == expected_news(given_in[shard])
        assert runs.take_repeats(shard) == (0, 0)


def expected_news(records: list[bytes]) -> list[bytes]:
    """Of each book, every record that differs from the one before it in more than its stamp."""
    last: dict[tuple[int, int], bytes] = {}
    news = []
    for record in records:
        place = symbol_and_venue(record)
        if last.get(place) != record[:-8]:
            news.append(record)
        last[place] = record[:-8]
    return news


def test_a_repeat_makes_no_news_and_waits_for_the_next_news_of_its_shard() -> None:
    runs = QuoteRuns()
    assert runs.add(0, quote(recv=1))
    runs.take()
    assert not runs.add(0, quote(recv=2))
    assert runs.add(1, quote(symbol=2))
    assert set(runs.take()) == {1}
    assert runs.add(0, quote(bid=101, recv=3))
    run = runs.take()[0]
    assert bytes(run.records) == quote(bid=101, recv=3)
    assert run.repeats == [1, 0]


def test_a_price_that_comes_back_is_news() -> None:
    runs = QuoteRuns()
    assert [runs.add(0, quote(bid=bid)) for bid in (100, 101, 100)] == [True, True, True]


def test_an_auction_flag_is_news_though_the_prices_stay() -> None:
    runs = QuoteRuns()
    assert [runs.add(0, quote(flags=flags)) for flags in (0, 1, 1, 0)] == [True, True, False, True]


def test_the_same_top_on_the_other_venue_is_no_repeat() -> None:
    runs = QuoteRuns()
    assert [runs.add(0, quote(venue=venue)) for venue in (0, 1, 1, 0)] == [True, True, False, False]
    assert runs.take()[0].repeats == [1, 1]


def test_a_restarted_shard_is_given_the_last_top_of_each_of_its_books() -> None:
    runs = QuoteRuns()
    for record in (quote(bid=100), quote(venue=1, bid=99), quote(bid=103, recv=5), quote(symbol=1), quote(bid=103)):
        runs.add(0, record)
    runs.add(1, quote(symbol=2))
    runs.take()
    assert split(runs.last_of(0)) == [quote(bid=103, recv=5), quote(venue=1, bid=99), quote(symbol=1)]
    assert runs.last_of(1) == quote(symbol=2)
    assert runs.last_of(7) == b""


def test_records_are_little_endian_and_without_padding() -> None:
    assert QUOTE.size == calcsize("<HBBIIIIq") == 28
    assert TOP.size == 2 + 2 + 8 * 4 + 2 * 8
