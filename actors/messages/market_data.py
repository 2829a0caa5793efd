"""Conversation: quotes, from the Gateway through the shards to the engine and the pairs.

Gateway -> MarketData: QuoteBatch, LimitsKnown, SymbolHalted, VenueOpen, OwnResting, FeedEnded.
MarketData -> SpreadEngine: TopsBatch. MarketData -> PairManager: TopOfBook. MarketData -> Telemetry: ShardCounted.
PairManager -> MarketData: WatchTop. SpreadEngine -> MarketData: ResendTops.
"""

from dataclasses import dataclass

from kiwoom.market import Nanos, Shares, Side, Symbol, Venue, Won


@dataclass(frozen=True, slots=True)
class QuoteBatch:
    """A run of kiwoom.quotes.QUOTE records of this shard's symbols, oldest first."""

    payload: bytes
    repeats: tuple[int, int] = (0, 0)
    """Quotes (KRX, NXT) since the last batch that only repeated their symbol's top: counted, not carried."""

    def __repr__(self) -> str:
        return f"QuoteBatch({len(self.payload)} bytes)"  # Thespian writes out every message that it sends


@dataclass(frozen=True, slots=True)
class LimitsKnown:
    """The day's price limits (FID 305/306), read from the broker, never computed: (symbol_index, lower, upper)."""

    limits: tuple[tuple[int, Won, Won], ...]


@dataclass(frozen=True, slots=True)
class SymbolHalted:
    """The symbol entered (or left) VI or a halt on `venue`; None = the broker did not say on which.

    Then there is no edge in it, but its quotes stay good for a hedge: the venue that still trades must not be lost.
    """

    symbol_index: int
    venue: Venue | None
    halted: bool
    reason: str


@dataclass(frozen=True, slots=True)
class VenueOpen:
    """The venue's continuous session runs (or not): outside it no side of it is quotable."""

    venue: Venue
    is_open: bool


@dataclass(frozen=True, slots=True)
class OwnResting:
    """All that we ourselves have resting at one price: subtracted from the visible size. `qty` 0 = nothing any more."""

    symbol_index: int
    venue: Venue
    side: Side
    price: Won
    qty: Shares


@dataclass(frozen=True, slots=True)
class FeedEnded:
    """No further quote will come to this shard: count up."""


@dataclass(frozen=True, slots=True)
class TopsBatch:
    """A run of kiwoom.quotes.TOP records: each dirty symbol once, latest values, FIFO by when it became dirty."""

    shard: int
    payload: bytes

    def __repr__(self) -> str:
        return f"TopsBatch({self.shard}, {len(self.payload)} bytes)"


@dataclass(frozen=True, slots=True)
class ResendTops:
    """Send every symbol's top again: the asker has forgotten them."""


@dataclass(frozen=True, slots=True)
class WatchTop:
    """The PairManager in `slot` wants the top of `symbol_index` now and on every change, until `on` is False."""

    symbol_index: int
    slot: int
    on: bool


@dataclass(frozen=True, slots=True)
class TopOfBook:
    """Both tops of a watched symbol; 0 = that side cannot be traded on. Order: KRX, NXT."""

    symbol: Symbol
    bid: tuple[Won, Won]
    bid_size: tuple[Shares, Shares]
    ask: tuple[Won, Won]
    ask_size: tuple[Shares, Shares]
    is_open: tuple[bool, bool]
    at: Nanos


@dataclass(frozen=True, slots=True)
class ShardCounted:
    """Running totals of a shard since it was started, per venue (KRX, NXT). At most 4 a second."""

    shard: int
    changed: tuple[int, int]
    duplicate: tuple[int, int]
    batches: int
    malformed: int
    final: bool
