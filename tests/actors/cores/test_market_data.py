"""MarketData: quotes in, each changed symbol once out, everything counted."""

import pytest

from actors.cores.market_data import COUNT_INTERVAL_NS, MarketDataCore, ShardSettings
from actors.domain.symbol_map import SymbolEntry
from actors.effects import Role, Send
from actors.messages.market_data import (
    FeedEnded,
    LimitsKnown,
    OwnResting,
    QuoteBatch,
    ResendTops,
    ShardCounted,
    SymbolHalted,
    TopOfBook,
    TopsBatch,
    VenueOpen,
    WatchTop,
)
from kiwoom.market import MS, SECOND, VENUES, Market, Nanos, Shares, Side, Symbol, Venue, Won
from kiwoom.quotes import FLAG_AUCTION, QUOTE, TOP
from tests.support.playbook import Playbook

SHARD = 1
INDEXES = (7, 8, 9)
SETTINGS = ShardSettings(
    shard=SHARD,
    entries=tuple(SymbolEntry(index, Symbol(f"00000{index}"), "A", Market.KOSPI, SHARD) for index in INDEXES),
    slots=3,
)
KRX, NXT = 0, 1


def quote(
    index: int = 7,
    venue: int = KRX,
    bid: int = 100,
    bid_size: int = 5,
    ask: int = 101,
    ask_size: int = 6,
    recv: int = 1,
    flags: int = 0,
) -> bytes:
    return QUOTE.pack(index, venue, flags, bid, bid_size, ask, ask_size, recv)


def batch(*quotes: bytes) -> QuoteBatch:
    return QuoteBatch(b"".join(quotes))


def tops(book: Playbook) -> list[tuple[int, ...]]:
    """The TOP records sent to the engine since the last look, in their order."""
    return [
        record
        for send in book.take_sends()
        if isinstance(send.message, TopsBatch)
        for record in TOP.iter_unpack(send.message.payload)
    ]


def running() -> Playbook:
    """Limits known, both venues open, and the first counts out of the way."""
    book = Playbook(MarketDataCore(SETTINGS))
    book.hears(LimitsKnown(tuple((index, Won(50), Won(200)) for index in INDEXES)))
    for venue in VENUES:
        book.hears(VenueOpen(venue, True))
    book.take_sends()
    return book


def counted(book: Playbook) -> ShardCounted:
    book.waits(COUNT_INTERVAL_NS)
    found = [send.message for send in book.take_sends() if isinstance(send.message, ShardCounted)]
    assert len(found) == 1
    return found[0]


def test_a_batch_makes_one_message_with_each_changed_symbol_once_in_order() -> None:
    book = running()
    book.hears(
        batch(
            quote(8, KRX, recv=1),
            quote(7, NXT, 110, 3, 111, 4, recv=2),
            quote(8, KRX, 99, recv=3),
            quote(8, NXT, recv=4),
        )
    )
    sends = [send for send in book.take_sends() if send.to is Role.SPREAD_ENGINE]
    assert len(sends) == 1
    message = sends[0].message
    assert isinstance(message, TopsBatch)
    assert message.shard == SHARD
    assert list(TOP.iter_unpack(message.payload)) == [
        (8, 3, 99, 5, 101, 6, 100, 5, 101, 6, 3, 4),
        (7, 3, 0, 0, 0, 0, 110, 3, 111, 4, 0, 2),
    ]


def test_a_repeat_is_counted_and_dropped_but_only_of_the_last_quote_of_its_venue() -> None:
    book = running()
    book.hears(batch(quote(recv=1), quote(recv=2), quote(venue=NXT, recv=3)))
    assert tops(book) == [(7, 3, 100, 5, 101, 6, 100, 5, 101, 6, 1, 3)]
    book.hears(batch(quote(recv=4), quote(venue=NXT, recv=5)))
    assert tops(book) == []
    book.hears(batch(quote(bid_size=4, recv=6), quote(recv=7)))
    assert tops(book) == [(7, 3, 100, 5, 101, 6, 100, 5, 101, 6, 7, 3)]
    total = counted(book)
    assert (total.changed, total.duplicate) == ((3, 1), (2, 1))


@pytest.mark.parametrize(
    "field", [{"bid": 99}, {"bid_size": 9}, {"ask": 102}, {"ask_size": 9}, {"flags": FLAG_AUCTION}]
)
def test_a_quote_that_differs_in_anything_is_a_change(field: dict[str, int]) -> None:
    book = running().hears(batch(quote()))
    tops(book)
    book.hears(batch(quote(**field)))
    assert len(tops(book)) == 1


def test_nothing_may_be_traded_on_before_limits_and_sessions_are_known() -> None:
    book = Playbook(MarketDataCore(SETTINGS))
    book.hears(batch(quote(recv=5)))
    assert tops(book) == [(7, 0, *(0,) * 8, 5, 0)]
    book.hears(VenueOpen(Venue.KRX, True))
    assert tops(book)[0] == (7, 1, *(0,) * 8, 5, 0)
    book.hears(LimitsKnown(((7, Won(50), Won(200)),)))
    assert tops(book) == [(7, 1, 100, 5, 101, 6, 0, 0, 0, 0, 5, 0)]


@pytest.mark.parametrize(
    ("message", "record"),
    [
        (LimitsKnown(((7, Won(101), Won(200)),)), (7, 3, 0, 0, 101, 6, 0, 0, 101, 6, 1, 2)),
        (SymbolHalted(7, Venue.KRX, True, "VI"), (7, 2, 0, 0, 0, 0, 100, 5, 101, 6, 1, 2)),
        (SymbolHalted(7, Venue.NXT, True, "VI"), (7, 1, 100, 5, 101, 6, 0, 0, 0, 0, 1, 2)),
        (SymbolHalted(7, None, True, "VI"), (7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2)),
        (VenueOpen(Venue.NXT, False), (7, 1, 100, 5, 101, 6, 0, 0, 0, 0, 1, 2)),
        (OwnResting(7, Venue.NXT, Side.BUY, Won(100), Shares(2)), (7, 3, 100, 5, 101, 6, 100, 3, 101, 6, 1, 2)),
        (OwnResting(7, Venue.KRX, Side.SELL, Won(101), Shares(6)), (7, 3, 100, 5, 0, 0, 100, 5, 101, 6, 1, 2)),
    ],
)
def test_what_changes_quotability_sends_the_symbol_again_and_its_repeat_does_not(
    message: object, record: tuple[int, ...]
) -> None:
    book = running().hears(batch(quote(recv=1), quote(venue=NXT, recv=2)))
    tops(book)
    book.hears(message)
    assert record in tops(book)
    book.hears(message)
    assert tops(book) == []


def test_the_engine_can_ask_for_everything_again() -> None:
    book = running().hears(batch(quote(9), quote(7)))
    tops(book)
    book.hears(ResendTops())
    assert [record[0] for record in tops(book)] == [7, 9]


def test_a_watching_slot_is_told_at_once_and_on_every_change_of_its_symbol_only() -> None:
    book = running().hears(batch(quote(8, KRX, recv=1), quote(8, NXT, 110, 3, 111, 4, recv=2)))
    book.take_sends()
    book.mono = 40 * MS
    book.hears(WatchTop(8, slot=2, on=True))
    top = TopOfBook(
        symbol=Symbol("000008"),
        bid=(Won(100), Won(110)),
        bid_size=(Shares(5), Shares(3)),
        ask=(Won(101), Won(111)),
        ask_size=(Shares(6), Shares(4)),
        is_open=(True, True),
        at=Nanos(40 * MS),
    )
    book.says(Send(Role.PAIR_MANAGER, top, 2))

    book.hears(batch(quote(7)))
    assert [send.to for send in book.take_sends()] == [Role.SPREAD_ENGINE]
    book.hears(SymbolHalted(8, Venue.NXT, True, "VI"))
    told = [send for send in book.take_sends() if send.to is Role.PAIR_MANAGER]
    assert [(send.index, send.message.is_open, send.message.bid) for send in told] == [(2, (True, False), (100, 0))]

    book.hears(WatchTop(8, slot=2, on=False)).hears(batch(quote(8, KRX, 98)))
    assert [send.to for send in book.take_sends()] == [Role.SPREAD_ENGINE]


def test_a_halt_of_a_venue_not_told_ends_the_edge_but_hides_no_quote_from_a_hedge() -> None:
    book = running().hears(batch(quote(8), quote(8, NXT))).hears(WatchTop(8, slot=2, on=True))
    book.take_sends()
    book.hears(SymbolHalted(8, None, True, "VI"))
    told = [send.message for send in book.take_sends() if send.to is Role.PAIR_MANAGER]
    assert [(top.is_open, top.bid) for top in told] == [((True, True), (100, 100))]


def test_a_symbol_that_was_never_quoted_is_not_told_to_be_untradable() -> None:
    """After a restart the quotes may be long in coming; until then the pair's own plan is the better guide."""
    book = running().hears(WatchTop(8, slot=2, on=True)).hears(VenueOpen(Venue.KRX, False))
    assert [send for send in book.take_sends() if send.to is Role.PAIR_MANAGER] == []
    book.hears(batch(quote(8, NXT)))
    assert [send.index for send in book.take_sends() if send.to is Role.PAIR_MANAGER] == [2]


def test_two_slots_may_watch_one_symbol_and_a_slot_watches_one_at_a_time() -> None:
    book = running().hears(WatchTop(8, slot=0, on=True)).hears(WatchTop(8, slot=1, on=True))
    book.hears(WatchTop(7, slot=0, on=True))
    book.take_sends()
    book.hears(batch(quote(7), quote(8)))
    told = [(send.index, send.message.symbol) for send in book.take_sends() if send.to is Role.PAIR_MANAGER]
    assert told == [(0, "000007"), (1, "000008")]
    book.hears(WatchTop(8, slot=0, on=False)).hears(batch(quote(7, KRX, 98)))
    assert [send.index for send in book.take_sends() if send.to is Role.PAIR_MANAGER] == [0]


def test_counts_go_out_at_most_four_times_a_second_and_only_if_they_moved() -> None:
    book = running().waits(SECOND)
    book.says()
    book.hears(batch(quote()))
    assert [send.to for send in book.take_sends()] == [Role.SPREAD_ENGINE, Role.TELEMETRY]
    for bid in range(60, 100):
        book.hears(batch(quote(bid=bid))).waits(25 * MS)
    found = [send.message for send in book.take_sends() if isinstance(send.message, ShardCounted)]
    assert len(found) == 4
    assert found[-1] == ShardCounted(SHARD, (41, 0), (0, 0), 41, 0, False)
    book.waits(5 * SECOND).says()


def test_the_end_of_the_feed_brings_the_final_count_at_once() -> None:
    book = running().hears(batch(quote())).hears(batch(quote()))
    book.take_sends()
    book.hears(FeedEnded()).says(Send(Role.TELEMETRY, ShardCounted(SHARD, (1, 0), (1, 0), 2, 0, True)))
    book.waits(SECOND).says()


@pytest.mark.parametrize("stray", [quote(6), quote(10), quote(60_000), quote(7, venue=2), quote(7)[:-1]])
def test_what_is_no_quote_of_this_shard_is_counted_and_nothing_else(stray: bytes) -> None:
    book = running()
    book.hears(batch(quote(8), stray))
    assert [record[0] for record in tops(book)] == [8]
    total = counted(book.hears(batch()))
    assert (total.malformed, total.changed, total.duplicate) == (1, (1, 0), (0, 0))


def test_settings_refuse_symbols_of_another_shard() -> None:
    with pytest.raises(AssertionError):
        ShardSettings(shard=0, entries=SETTINGS.entries, slots=1)
