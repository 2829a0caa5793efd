"""The top of one symbol's two books, overwritten in place: what was received, and what of it may be traded on.

Preallocated, one `SymbolBook` a symbol: no object is made for a quote. Prices in won, sizes in shares, 0 = nothing.
"""

from typing import Final

from kiwoom.market import Side, Venue
from kiwoom.quotes import FLAG_AUCTION, TOP, TOP_FLAG_KRX_OPEN, TOP_FLAG_NXT_OPEN

NEVER: Final = 256
"""The flags of a book that has received nothing: beyond the byte of a quote's flags, so no quote repeats it."""


_NOTHING: Final = (0,) * 9
"""Flags and both tops of a symbol that may not be entered on."""


class VenueBook:
    """One symbol on one venue. The four public numbers are what may be traded on; 0 where nothing may.

    A side may be traded on if it has a price and a size inside the day's limits, the book is not crossed in itself
    (bid >= ask), and the venue takes orders of the symbol: its session runs, no halt, no VI, no call auction. Until the
    limits are known no side may: an edge beyond them cannot be told from a real one, and its order would be rejected.
    """

    __slots__ = (
        "_ask_received",
        "_ask_size_received",
        "_bid_received",
        "_bid_size_received",
        "_flags",
        "_halted",
        "_lower",
        "_own",
        "_upper",
        "_venue_open",
        "ask",
        "ask_size",
        "bid",
        "bid_size",
        "is_open",
        "recv",
        "stale",
        "symbol",
    )

    def __init__(self, symbol: "SymbolBook") -> None:
        self.symbol = symbol
        self.bid = self.bid_size = self.ask = self.ask_size = 0
        self.recv = 0
        """The control thread's stamp (monotonic ns) on the last quote that changed something."""
        self.is_open = False
        self.stale = False
        """Something changed since `refresh`."""
        self._bid_received = self._bid_size_received = self._ask_received = self._ask_size_received = 0
        self._flags = NEVER
        self._venue_open = False
        self._halted = False
        self._lower = self._upper = 0
        # Prices at which we have orders resting; bounded by our live orders, usually empty.
        self._own: dict[tuple[Side, int], int] = {}

    @property
    def is_quoted(self) -> bool:
        return self._flags != NEVER

    def take(self, flags: int, bid: int, bid_size: int, ask: int, ask_size: int, recv: int) -> bool:
        """Overwrite with a received quote; False (and nothing touched) if it repeats the last one."""
        if (
            bid == self._bid_received
            and ask == self._ask_received
            and bid_size == self._bid_size_received
            and ask_size == self._ask_size_received
            and flags == self._flags
        ):
            return False
        self._bid_received = bid
        self._bid_size_received = bid_size
        self._ask_received = ask
        self._ask_size_received = ask_size
        self._flags = flags
        self.recv = recv
        self.stale = True
        return True

    def limit(self, lower: int, upper: int) -> bool:
        """The day's price limits, both inclusive. The setters return whether that changed anything."""
        changed = (lower, upper) != (self._lower, self._upper)
        self._lower, self._upper = lower, upper
        self.stale |= changed
        return changed

    def halt(self, halted: bool) -> bool:
        changed = halted != self._halted
        self._halted = halted
        self.stale |= changed
        return changed

    def open_venue(self, is_open: bool) -> bool:
        changed = is_open != self._venue_open
        self._venue_open = is_open
        self.stale |= changed
        return changed

    def rest(self, side: Side, price: int, qty: int) -> bool:
        """All that we have resting on `side` at `price`; 0 = nothing any more."""
        changed = self._own.get((side, price), 0) != qty
        if qty:
            self._own[side, price] = qty
        else:
            self._own.pop((side, price), None)
        self.stale |= changed
        return changed

    def refresh(self) -> None:
        """Work out what may be traded on."""
        self.stale = False
        bid, bid_size, ask, ask_size = (
            self._bid_received,
            self._bid_size_received,
            self._ask_received,
            self._ask_size_received,
        )
        self.is_open = self._venue_open and not self._halted and self._flags & FLAG_AUCTION == 0
        if not self.is_open or (bid >= ask and bid and ask):
            self.bid = self.bid_size = self.ask = self.ask_size = 0
            return
        if self._own:
            # The level behind ours is not known: what is left of this one is all there is.
            bid_size = max(0, bid_size - self._own.get((Side.BUY, bid), 0))
            ask_size = max(0, ask_size - self._own.get((Side.SELL, ask), 0))
        lower, upper = self._lower, self._upper
        if bid_size and bid and lower <= bid <= upper:
            self.bid, self.bid_size = bid, bid_size
        else:
            self.bid = self.bid_size = 0
        if ask_size and ask and lower <= ask <= upper:
            self.ask, self.ask_size = ask, ask_size
        else:
            self.ask = self.ask_size = 0


class SymbolBook:
    """Both books of a symbol and its place in the shard's dirty queue."""

    __slots__ = ("_halted_somewhere", "dirty", "index", "krx", "nxt")

    def __init__(self, index: int) -> None:
        self.index = index
        self.dirty = False
        self._halted_somewhere = False
        self.krx = VenueBook(self)
        self.nxt = VenueBook(self)

    @property
    def is_quoted(self) -> bool:
        """At least one venue has sent a quote."""
        return self.krx.is_quoted or self.nxt.is_quoted

    def on(self, venue: Venue) -> VenueBook:
        return self.krx if venue is Venue.KRX else self.nxt

    def halt(self, halted: bool) -> bool:
        """On one of the venues, it is not known on which."""
        changed = halted != self._halted_somewhere
        self._halted_somewhere = halted
        return changed

    def pack(self) -> bytes:
        """The kiwoom.quotes.TOP record of what may be entered on now: nothing, while a venue unknown is halted."""
        krx, nxt = self.krx, self.nxt
        if krx.stale:
            krx.refresh()
        if nxt.stale:
            nxt.refresh()
        if self._halted_somewhere:
            return TOP.pack(self.index, *_NOTHING, krx.recv, nxt.recv)
        return TOP.pack(
            self.index,
            (TOP_FLAG_KRX_OPEN if krx.is_open else 0) | (TOP_FLAG_NXT_OPEN if nxt.is_open else 0),
            krx.bid,
            krx.bid_size,
            krx.ask,
            krx.ask_size,
            nxt.bid,
            nxt.bid_size,
            nxt.ask,
            nxt.ask_size,
            krx.recv,
            nxt.recv,
        )
