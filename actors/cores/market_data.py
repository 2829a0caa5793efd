"""MarketData's core: the tops of one screen's symbols, and which of them changed.

The hot path: every quote of the day passes `QuoteBatch` here. Quotes overwrite preallocated books in place; a batch
makes at most one message to the engine, however many quotes it holds, with each changed symbol once.
Assumes that the Gateway sends each symbol's quotes in the order in which the control raised them.
"""

from dataclasses import dataclass
from typing import Final, assert_never

from actors.domain.book import SymbolBook, VenueBook
from actors.domain.symbol_map import SymbolEntry
from actors.effects import Effect, Effects, Role, Send
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
from kiwoom.market import MS, VENUES, Nanos, Now, Shares, Won
from kiwoom.quotes import QUOTE

COUNT_INTERVAL_NS: Final = Nanos(250 * MS)
"""Counts go out at most this often: four a second."""

ShardMessage = QuoteBatch | LimitsKnown | SymbolHalted | VenueOpen | OwnResting | FeedEnded | ResendTops | WatchTop


@dataclass(frozen=True, slots=True)
class ShardSettings:
    """`shard` is this actor's index, `entries` the symbols on its screen, `slots` the number of PairManagers."""

    shard: int
    entries: tuple[SymbolEntry, ...]
    slots: int

    def __post_init__(self) -> None:
        assert self.shard >= 0
        assert self.entries
        assert self.slots >= 1
        assert all(entry.shard == self.shard for entry in self.entries)
        assert len({entry.index for entry in self.entries}) == len(self.entries)


class MarketDataCore:
    """Starts closed and without limits: nothing may be traded on before the Gateway has told both."""

    def __init__(self, settings: ShardSettings) -> None:
        self._settings = settings
        self._symbols = {entry.index: entry.symbol for entry in settings.entries}
        self._books = {entry.index: SymbolBook(entry.index) for entry in settings.entries}
        # By 2 * symbol_index + venue_index: one list access from a quote to its book.
        self._venue_books: list[VenueBook | None] = [None] * (2 * (max(self._books) + 1))
        for index, book in self._books.items():
            self._venue_books[2 * index] = book.krx
            self._venue_books[2 * index + 1] = book.nxt
        self._dirty: list[SymbolBook] = []  # Emptied by every `handle`; each symbol at most once.
        self._watchers: dict[int, int] = {}  # Slot -> symbol index; at most one per slot.
        self._changed = [0, 0]
        self._duplicate = [0, 0]
        self._batches = 0
        self._malformed = 0
        self._counts_moved = False
        self._count_at = Nanos(0)

    def handle(self, message: ShardMessage, now: Now) -> Effects:
        match message:
            case QuoteBatch():
                for venue, repeats in enumerate(message.repeats):
                    self._duplicate[venue] += repeats
                self._take_quotes(message.payload)
            case LimitsKnown():
                for index, lower, upper in message.limits:
                    book = self._books[index]
                    if book.krx.limit(lower, upper) | book.nxt.limit(lower, upper):
                        self._mark(book)
            case SymbolHalted():
                book = self._books[message.symbol_index]
                if book.halt(message.halted) if message.venue is None else book.on(message.venue).halt(message.halted):
                    self._mark(book)
            case VenueOpen():
                for book in self._books.values():
                    if book.on(message.venue).open_venue(message.is_open):
                        self._mark(book)
            case OwnResting():
                book = self._books[message.symbol_index]
                if book.on(message.venue).rest(message.side, message.price, message.qty):
                    self._mark(book)
            case ResendTops():
                for book in self._books.values():
                    if book.is_quoted:
                        self._mark(book)
            case WatchTop():
                return self._watch(message, now)
            case FeedEnded():
                return (self._counted(now, final=True),)
            case _:
                assert_never(message)
        return (*self._tops(now), *self.on_deadline(now))

    def next_deadline(self) -> Nanos | None:
        """When the counts that moved may go out."""
        return self._count_at if self._counts_moved else None

    def on_deadline(self, now: Now) -> Effects:
        if self._counts_moved and now.mono >= self._count_at:
            return (self._counted(now, final=False),)
        return ()

    def _take_quotes(self, payload: bytes) -> None:
        self._batches += 1
        self._counts_moved = True
        odd_bytes = len(payload) % QUOTE.size
        if odd_bytes:
            self._malformed += 1
            payload = payload[:-odd_bytes]
        books, books_count = self._venue_books, len(self._venue_books)
        changed, duplicate, dirty = self._changed, self._duplicate, self._dirty
        for index, venue, flags, bid, bid_size, ask, ask_size, recv in QUOTE.iter_unpack(payload):
            place = 2 * index + venue
            book = books[place] if venue < 2 and place < books_count else None
            if book is None:
                self._malformed += 1
            elif book.take(flags, bid, bid_size, ask, ask_size, recv):
                changed[venue] += 1
                symbol = book.symbol
                if not symbol.dirty:
                    symbol.dirty = True
                    dirty.append(symbol)
            else:
                duplicate[venue] += 1

    def _mark(self, book: SymbolBook) -> None:
        if not book.dirty:
            book.dirty = True
            self._dirty.append(book)

    def _tops(self, now: Now) -> Effects:
        """Every dirty symbol once to the engine, in one message; those watched also to their PairManagers."""
        dirty = self._dirty
        if not dirty:
            return ()
        payload = b"".join([book.pack() for book in dirty])
        effects: list[Effect] = [Send(Role.SPREAD_ENGINE, TopsBatch(self._settings.shard, payload))]
        for slot, index in self._watchers.items():
            if self._books[index].dirty and self._books[index].is_quoted:
                effects.append(self._top(index, slot, now))
        for book in dirty:
            book.dirty = False
        dirty.clear()
        return tuple(effects)

    def _watch(self, message: WatchTop, now: Now) -> Effects:
        """A slot watches one symbol at a time: a new wish replaces the old one."""
        assert 0 <= message.slot < self._settings.slots
        assert message.symbol_index in self._books
        if not message.on:
            if self._watchers.get(message.slot) == message.symbol_index:
                del self._watchers[message.slot]
            return ()
        self._watchers[message.slot] = message.symbol_index
        if not self._books[message.symbol_index].is_quoted:
            return ()  # to know nothing is not to know that nothing can be traded
        return (self._top(message.symbol_index, message.slot, now),)

    def _top(self, index: int, slot: int, now: Now) -> Send:
        book = self._books[index]
        krx, nxt = (book.on(venue) for venue in VENUES)
        top = TopOfBook(
            symbol=self._symbols[index],
            bid=(Won(krx.bid), Won(nxt.bid)),
            bid_size=(Shares(krx.bid_size), Shares(nxt.bid_size)),
            ask=(Won(krx.ask), Won(nxt.ask)),
            ask_size=(Shares(krx.ask_size), Shares(nxt.ask_size)),
            is_open=(krx.is_open, nxt.is_open),
            at=now.mono,
        )
        return Send(Role.PAIR_MANAGER, top, slot)

    def _counted(self, now: Now, *, final: bool) -> Send:
        self._counts_moved = False
        self._count_at = Nanos(now.mono + COUNT_INTERVAL_NS)
        counted = ShardCounted(
            shard=self._settings.shard,
            changed=(self._changed[0], self._changed[1]),
            duplicate=(self._duplicate[0], self._duplicate[1]),
            batches=self._batches,
            malformed=self._malformed,
            final=final,
        )
        return Send(Role.TELEMETRY, counted)
