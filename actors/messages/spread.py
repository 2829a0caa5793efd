"""Conversation: an edge was seen; was it taken, and what became of it?

SpreadEngine -> Router: Signal. Router -> SpreadEngine: SignalDropped, AttemptStarted, AttemptEnded, SymbolBlocked.
Supervisor -> SpreadEngine: EdgeSettingsChanged. SpreadEngine -> Telemetry: EngineCounted.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from kiwoom.market import Nanos, Shares, Symbol, Venue, Won


@dataclass(frozen=True, slots=True)
class Signal:
    """One executable edge. Amounts in mwon are thousandths of a won per share, rounded toward less edge."""

    pair_id: str
    symbol: Symbol
    symbol_index: int
    buy_venue: Venue
    sell_venue: Venue
    buy_ask: Won
    sell_bid: Won
    buy_size: Shares
    sell_size: Shares
    buy_cost_mwon: int
    sell_cost_mwon: int
    tax_mwon: int
    buffer_mwon: int
    net_edge_mwon: int
    """sell_bid - buy_ask - costs - tax, before the buffer."""
    net_edge_centibps: int
    """net edge over buy_ask in hundredths of a basis point."""
    tick_recv: Nanos
    """The control thread's stamp on the later of the two quotes."""
    cause_at: Nanos
    """What made the engine look: `tick_recv`, or the later end of a wait (cooldown, hold, pair, block)."""
    at: Nanos
    """When the engine emitted it."""
    bids: tuple[Won, Won]
    asks: tuple[Won, Won]
    """Both venues' own tops (KRX, NXT), for hedge_price join and mid."""

    @property
    def figures(self) -> tuple[tuple[str, Any], ...]:
        """For the journal, under the names of CONTRACTS, `SIGNAL.extra`; nothing is decided by them."""
        return (
            ("buy_venue", self.buy_venue.value),
            ("sell_venue", self.sell_venue.value),
            ("buy_ask", self.buy_ask),
            ("sell_bid", self.sell_bid),
            ("buy_size", self.buy_size),
            ("sell_size", self.sell_size),
            ("buy_cost_mwon", self.buy_cost_mwon),
            ("sell_cost_mwon", self.sell_cost_mwon),
            ("tax_mwon", self.tax_mwon),
            ("buffer_mwon", self.buffer_mwon),
            ("net_edge_mwon", self.net_edge_mwon),
            ("net_edge_bps", self.net_edge_centibps / 100),
            ("tick_recv_mono_ns", self.tick_recv),
            ("cause", "quote" if self.cause_at == self.tick_recv else "wait ended"),
            ("cause_mono_ns", self.cause_at),
        )


@dataclass(frozen=True, slots=True)
class SignalDropped:
    """Not admitted. Look at the symbol again at `retry_at`, or (None) when an attempt ends or a block is lifted."""

    symbol: Symbol
    reason: str
    retry_at: Nanos | None


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    symbol: Symbol
    pair_id: str


class AttemptOutcome(Enum):
    DONE = "done"
    MISSED = "missed"
    REJECTED = "rejected"
    ESCALATED = "escalated"
    """Finished, after a cancel-and-replace."""
    UNHEDGED = "unhedged"


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """The pair is over: cooldown if it missed, was rejected or escalated. Every symbol waiting for room looks again."""

    symbol: Symbol
    pair_id: str
    outcome: AttemptOutcome
    at: Nanos


@dataclass(frozen=True, slots=True)
class SymbolBlocked:
    """Muted, frozen or paused (or no longer): a blocked symbol makes no signals; unblocked, it is evaluated at once.

    `symbol` None = every symbol (auto-pause).
    """

    symbol: Symbol | None
    blocked: bool
    reason: str
    until: Nanos | None = None


@dataclass(frozen=True, slots=True)
class EdgeSettingsChanged:
    """A live change: half ticks of buffer (2 = one tick) and the cooldown. Every symbol is evaluated anew."""

    buffer_half_ticks: int
    cooldown_ns: Nanos


@dataclass(frozen=True, slots=True)
class EngineCounted:
    """Running totals since the engine started. At most 4 a second."""

    evaluated: int
    eligible: int
    signals: int
    below_threshold: int
    too_small: int
    cooldown_deferrals: int
    flip_flops: int
    carried_over: int
    edges: tuple[tuple[int, int, int], ...]
    """(symbol_index, best net edge in mwon, in centibps) of the symbols whose edge changed since the last report."""
    unquoted: tuple[int, ...] = ()
    """symbol_index of those that lost a side since the last report: they have no edge to show."""
