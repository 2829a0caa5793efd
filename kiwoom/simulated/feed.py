"""The broker's quote feed: what the market shows, turned into the real-time events that were registered for.

A book that changes several times in one instant is published once, with its last state; nothing else is left out.
Counts what it published, so that a run can say what got lost on the way. VI events carry the stream's code
("005930_NX" for NXT), which KIWOOM.md does not settle.
"""

from collections.abc import Mapping
from typing import Final

from kiwoom.simulated.events import Book, BookChanged, SessionSignal, TradePrinted, ViEnded, ViStarted
from kiwoom.simulated.line import Line
from kiwoom.simulated.market import Listing, SimulatedMarket
from kiwoom.simulated.orders import Quote
from kiwoom.simulated.realtime import (
    BOOK_TYPE,
    FIDS_OF,
    SESSION_CODE,
    SESSION_TYPE,
    TRADE_TYPE,
    VI_TYPE,
    Tape,
    book_raw,
    trade_raw,
    venue_code,
    vi_raw,
)
from kiwoom.simulated.rules import KRX, NXT, VENUES, hhmmss
from kiwoom.simulated.wire import RealFrame

UNKNOWN_CODE: Final = "999999"
NONSENSE: Final = (
    *("crossed", "zero", "no size", "negative size", "absurd price", "absurd size"),
    *("unknown code", "cut off", "unreadable", "empty"),
)
"""The ways of the fault poison_quote, equally likely."""


class Feed:
    """One per broker; follows the market whether or not anyone listens."""

    def __init__(self, market: SimulatedMarket, listings: Mapping[str, Listing], line: Line) -> None:
        self.published = dict.fromkeys(VENUES, 0)
        """주식호가잔량 events, by venue."""
        self.prints_published = dict.fromkeys(VENUES, 0)
        """주식체결 events, by venue."""
        self._market = market
        self._listings = listings
        self._line = line
        self._tapes = {(venue, symbol): Tape(listings[symbol].base_price) for symbol in listings for venue in VENUES}
        # The books changed in the instant being run, with its time; emptied by `publish_books`.
        self._changed: dict[tuple[str, str], int] = {}
        # At most one entry per listing and venue.
        self._in_vi: dict[tuple[str, str], None] = {}
        self._last_codes = dict.fromkeys(VENUES, "")
        for signal in market.last_signals():
            self._last_codes[_venue_of(signal)] = signal.code

    def quote(self, venue: str, symbol: str) -> Quote:
        """The market of a symbol on a venue as reports and queries tell it."""
        tape = self._tapes[venue, symbol]
        traded = venue == KRX or self._listings[symbol].nxt
        book = self._market.book(venue, symbol) if traded else None
        return Quote(
            last=tape.last,
            ask=book.asks[0][0] if book and book.asks else 0,
            bid=book.bids[0][0] if book and book.bids else 0,
            base_price=tape.base_price,
            limits=self._market.limits(symbol),
        )

    def in_vi(self) -> list[tuple[str, str]]:
        """(venue, symbol) of what is in VI now, in the order in which it began."""
        return list(self._in_vi)

    def book_changed(self, event: BookChanged) -> None:
        self._changed[event.venue, event.symbol] = event.wall

    def publish_books(self) -> None:
        """The end of an instant: every registered book that changed in it, once."""
        if not self._changed:
            return
        for (venue, symbol), wall in self._changed.items():
            code = venue_code(venue, symbol)
            if not self._line.registrations.wants(code, BOOK_TYPE):
                continue
            tape = self._tapes[venue, symbol]
            book = self._market.book(venue, symbol)
            if book == tape.sent_book:
                continue
            if self._line.dice.strikes("poison_quote", code, wall):
                self._send_nonsense(code, book, tape, wall)
            self._line.send(RealFrame(code, BOOK_TYPE, book_raw(book, tape, hhmmss(wall), self._last_codes[venue])))
            tape.sent_book = book
            self.published[venue] += 1
        self._changed.clear()

    def _send_nonsense(self, code: str, book: Book, tape: Tape, wall: int) -> None:
        """Before the true quote, in the same instant. It is not counted as published."""
        way = self._line.dice.one_of(NONSENSE)
        match way:
            case "cut off":
                raw = hhmmss(wall)
            case "unreadable":
                raw = "\t".join(["?"] * len(FIDS_OF[BOOK_TYPE]))
            case "empty":
                raw = ""
            case _:
                raw = book_raw(_nonsense(way, book), tape, hhmmss(wall), "")
        self._line.send(RealFrame(UNKNOWN_CODE if way == "unknown code" else code, BOOK_TYPE, raw))

    def trade_printed(self, event: TradePrinted) -> None:
        tape = self._tapes[event.venue, event.symbol]
        tape.print(event.price, event.qty)
        code = venue_code(event.venue, event.symbol)
        if not self._line.registrations.wants(code, TRADE_TYPE):
            return
        quote = self.quote(event.venue, event.symbol)
        raw = trade_raw(
            tape=tape,
            price=event.price,
            qty=event.qty,
            buyer_initiated=event.buyer_initiated,
            touch=(quote.ask, quote.bid),
            limits=quote.limits,
            time=hhmmss(event.wall),
            venue=event.venue,
        )
        self._line.send(RealFrame(code, TRADE_TYPE, raw))
        self.prints_published[event.venue] += 1

    def vi_changed(self, event: ViStarted | ViEnded) -> None:
        started = isinstance(event, ViStarted)
        key = (event.venue, event.symbol)
        if started:
            self._in_vi[key] = None
        else:
            self._in_vi.pop(key, None)
        if not self._line.registrations.wants_vi(event.venue):
            return
        name = self._listings[event.symbol].name
        raw = vi_raw(symbol=event.symbol, name=name, tape=self._tapes[key], started=started, time=hhmmss(event.wall))
        self._line.send(RealFrame(venue_code(*key), VI_TYPE, raw))

    def signalled(self, signal: SessionSignal) -> None:
        """장시작시간."""
        self._last_codes[_venue_of(signal)] = signal.code
        if self._line.registrations.wants_session:
            self.send_signal(signal)

    def send_signal(self, signal: SessionSignal) -> None:
        raw = f"{signal.code}\t{signal.time}\t{signal.remaining}"
        self._line.send(RealFrame(SESSION_CODE, SESSION_TYPE, raw))


def _nonsense(way: str, book: Book) -> Book:
    """The book as no exchange would show it."""
    bids, asks = book.bids, book.asks
    match way:
        case "crossed":
            bids, asks = asks, bids
        case "zero":
            bids, asks = [(0, 0)], [(0, 0)]
        case "no size":
            bids, asks = [(price, 0) for price, _ in bids], [(price, 0) for price, _ in asks]
        case "negative size":
            bids, asks = [(price, -size) for price, size in bids], [(price, -size) for price, size in asks]
        case "absurd price":
            bids, asks = [(price * 100, size) for price, size in bids], [(price * 100, size) for price, size in asks]
        case "absurd size":
            bids, asks = [(price, size * 10**12) for price, size in bids], [(price, 10**15) for price, _ in asks]
        case _:
            assert way == "unknown code"
    return book._replace(bids=bids, asks=asks)


def _venue_of(signal: SessionSignal) -> str:
    """The codes P..V are NXT's, the others KRX's (KIWOOM.md 3.2)."""
    return NXT if signal.code in "PQRSTUV" else KRX
