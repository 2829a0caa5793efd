"""What of a book may be traded on: every reason against it, one at a time."""

from collections.abc import Callable

import pytest

from actors.domain.book import SymbolBook, VenueBook
from kiwoom.market import Side
from kiwoom.quotes import FLAG_AUCTION, TOP

Change = Callable[[VenueBook], object]
GOOD = (70_000, 5, 70_100, 7)


def good_book() -> VenueBook:
    book = SymbolBook(3).krx
    book.open_venue(True)
    book.limit(49_000, 91_000)
    book.take(0, *GOOD, 11)
    return book


def tradable(book: VenueBook) -> tuple[int, int, int, int]:
    book.refresh()
    return book.bid, book.bid_size, book.ask, book.ask_size


def quote(*numbers: int, flags: int = 0) -> Change:
    return lambda book: book.take(flags, *numbers, 12)


def test_a_plain_book_may_be_traded_on() -> None:
    assert tradable(good_book()) == GOOD


NO_BID = (0, 0, 70_100, 7)
NO_ASK = (70_000, 5, 0, 0)
NOTHING = (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("why", "change", "expected"),
    [
        ("no bid price", quote(0, 5, 70_100, 7), NO_BID),
        ("no bid size", quote(70_000, 0, 70_100, 7), NO_BID),
        ("no ask price", quote(70_000, 5, 0, 7), NO_ASK),
        ("no ask size", quote(70_000, 5, 70_100, 0), NO_ASK),
        ("nothing", quote(0, 0, 0, 0), NOTHING),
        ("locked", quote(70_100, 5, 70_100, 7), NOTHING),
        ("crossed", quote(70_200, 5, 70_100, 7), NOTHING),
        ("call auction", quote(*GOOD, flags=FLAG_AUCTION), NOTHING),
        ("halted or in VI", lambda book: book.halt(True), NOTHING),
        ("venue closed", lambda book: book.open_venue(False), NOTHING),
        ("limits unknown", lambda book: book.limit(0, 0), NOTHING),
        ("bid below the lower limit", lambda book: book.limit(70_001, 91_000), NO_BID),
        ("ask below the lower limit too", lambda book: book.limit(70_101, 91_000), NOTHING),
        ("ask above the upper limit", lambda book: book.limit(49_000, 70_099), NO_ASK),
        ("bid above the upper limit too", lambda book: book.limit(49_000, 69_999), NOTHING),
        ("both exactly at their limits", lambda book: book.limit(70_000, 70_100), GOOD),
        ("part of the bid is ours", lambda book: book.rest(Side.BUY, 70_000, 2), (70_000, 3, 70_100, 7)),
        ("the whole bid is ours", lambda book: book.rest(Side.BUY, 70_000, 5), NO_BID),
        ("ours is more than is shown", lambda book: book.rest(Side.SELL, 70_100, 9), NO_ASK),
        ("ours rests behind the best", lambda book: book.rest(Side.SELL, 70_200, 9), GOOD),
        ("our sale at the bid's price is no bid", lambda book: book.rest(Side.SELL, 70_000, 5), GOOD),
    ],
)
def test_each_reason_alone_takes_its_side_away(why: str, change: Change, expected: tuple[int, ...]) -> None:
    book = good_book()
    assert change(book), why
    assert tradable(book) == expected, why


@pytest.mark.parametrize(
    ("change", "back"),
    [
        (lambda book: book.halt(True), lambda book: book.halt(False)),
        (lambda book: book.open_venue(False), lambda book: book.open_venue(True)),
        (lambda book: book.rest(Side.BUY, 70_000, 5), lambda book: book.rest(Side.BUY, 70_000, 0)),
        (quote(*GOOD, flags=FLAG_AUCTION), quote(*GOOD)),
    ],
)
def test_what_was_taken_away_comes_back(change: Change, back: Change) -> None:
    book = good_book()
    change(book)
    assert tradable(book) != GOOD
    assert back(book)
    assert tradable(book) == GOOD


@pytest.mark.parametrize(
    "repeat",
    [
        quote(*GOOD),
        lambda book: book.halt(False),
        lambda book: book.open_venue(True),
        lambda book: book.limit(49_000, 91_000),
        lambda book: book.rest(Side.BUY, 70_000, 0),
    ],
)
def test_a_repeat_is_no_change(repeat: Change) -> None:
    book = good_book()
    book.refresh()
    assert not repeat(book)
    assert not book.stale
    assert book.recv == 11


def test_the_first_quote_is_new_even_if_it_is_empty() -> None:
    book = SymbolBook(0).nxt
    assert not book.is_quoted
    assert book.take(0, 0, 0, 0, 0, 5)
    assert book.is_quoted
    assert not book.take(0, 0, 0, 0, 0, 6)


def test_the_packed_record_holds_both_venues_and_tells_them_apart() -> None:
    symbol = SymbolBook(3)
    for number, book in enumerate((symbol.krx, symbol.nxt)):
        book.limit(1, 100)
        book.open_venue(True)
        book.take(0, 10 + number, 20 + number, 30 + number, 40 + number, 50 + number)
    assert TOP.unpack(symbol.pack()) == (3, 3, 10, 20, 30, 40, 11, 21, 31, 41, 50, 51)
    symbol.krx.halt(True)
    assert TOP.unpack(symbol.pack()) == (3, 2, 0, 0, 0, 0, 11, 21, 31, 41, 50, 51)
    symbol.nxt.open_venue(False)
    assert TOP.unpack(symbol.pack()) == (3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 50, 51)


def test_a_venue_without_a_quote_is_open_and_has_nothing_to_trade_on() -> None:
    symbol = SymbolBook(0)
    symbol.krx.open_venue(True)
    assert TOP.unpack(symbol.pack()) == (0, 1, *(0,) * 10)
