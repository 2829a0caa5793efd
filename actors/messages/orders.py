"""Conversation: one order from intent to end.

PairManager -> Gateway: PlaceOrder of an entry (its grant in it). PairManager -> Throttler -> Gateway: PlaceOrder of any
other kind, CancelOrder, QueryOrder (the Throttler passes them on when the window allows).
Gateway -> PairManager: every OrderEvent. Gateway -> Throttler: SlotUsed, SlotFreed.
"""

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from kiwoom.market import Nanos, Shares, Side, Symbol, Venue, Won

if TYPE_CHECKING:
    from actors.messages.pairs import PairPlan


class OrderKind(Enum):
    ENTRY = "entry"
    HEDGE = "hedge"
    CANCEL = "cancel"
    HEDGE_IOC = "hedge_ioc"
    HEDGE_MARKET = "hedge_market"
    FLATTEN = "flatten"


class OrderStyle(Enum):
    """How an order wants to trade; the Gateway turns it into hoga code and price (kiwoom.codes.hoga)."""

    LIMIT = "limit"
    LIMIT_IOC = "limit_ioc"
    MARKET_IOC = "market_ioc"
    MID = "mid"


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """Buy or sell. `price` is 0 for MARKET_IOC and MID. `grant_id` is None until a grant is attached.

    An entry must leave before `expires` (the grant's end); other kinds never expire.
    """

    cl_ord_id: str
    pair_id: str
    slot: int
    kind: OrderKind
    leg: str
    symbol: Symbol
    symbol_index: int
    venue: Venue
    side: Side
    qty: Shares
    style: OrderStyle
    price: Won
    grant_id: int | None = None
    expires: Nanos | None = None
    generation: int = 0
    """How often the pair was restored before this was decided: the Gateway refuses what a predecessor decided."""
    plan: "PairPlan | None" = None
    """With the entry: journalled before the call, so that the pair can be restored from the journal alone."""


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """Cancel all that remains of `target` (a cl_ord_id). The Gateway knows its number and venue."""

    cl_ord_id: str
    target: str
    pair_id: str
    slot: int
    symbol: Symbol
    grant_id: int | None = None
    generation: int = 0


@dataclass(frozen=True, slots=True)
class QueryOrder:
    """A doubt query: ask the broker what became of `cl_ord_id` (opt10075, opt10076). Answer: DoubtResolved."""

    cl_ord_id: str
    pair_id: str
    slot: int
    symbol: Symbol
    grant_id: int | None = None
    generation: int = 0


OrderCommand = PlaceOrder | CancelOrder | QueryOrder


# --- events; each names its pair, its order and the control thread's stamp -------------------------------------------


@dataclass(frozen=True, slots=True)
class OrderSubmitted:
    """The call was made and returned 0. `at` is the stamp after the call: the broker has it."""

    pair_id: str
    cl_ord_id: str
    at: Nanos


@dataclass(frozen=True, slots=True)
class OrderAcked:
    """주문번호 is known."""

    pair_id: str
    cl_ord_id: str
    order_no: str
    at: Nanos


@dataclass(frozen=True, slots=True)
class OrderAccepted:
    """접수: it stands at the exchange with `leaves_qty`."""

    pair_id: str
    cl_ord_id: str
    leaves_qty: Shares
    at: Nanos


@dataclass(frozen=True, slots=True)
class OrderFilled:
    """One fill, once. `leaves_qty` and `cum_qty` are ours, derived from the fills, not the broker's word.

    `commission_cum_won` / `tax_cum_won`: the order's cumulative cost as the broker reported it, None if it did not.
    `costs_of_qty`: for how many shares of the order, 0 = for `cum_qty`: reports of other fills may be lost or to come.
    """

    pair_id: str
    cl_ord_id: str
    exec_id: str
    venue: Venue
    side: Side
    fill_px: Won
    fill_qty: Shares
    cum_qty: Shares
    leaves_qty: Shares
    commission_cum_won: Won | None
    tax_cum_won: Won | None
    at: Nanos
    costs_of_qty: Shares = Shares(0)


class EndReason(Enum):
    """Why a canceled order left the book (CONTRACTS: CANCELED.reason)."""

    IOC_REMAINDER = "IOC_REMAINDER"
    BY_US = "BY_US"
    BY_VENUE = "BY_VENUE"
    LOST = "LOST"
    """Proved never to have reached the broker."""


@dataclass(frozen=True, slots=True)
class OrderCanceled:
    """The order's confirmed end with `canceled_qty` unfilled. Not the cancel's own number or 접수."""

    pair_id: str
    cl_ord_id: str
    canceled_qty: Shares
    cum_qty: Shares
    reason: EndReason
    at: Nanos


class RejectSource(Enum):
    TR = "TR"
    EXCHANGE = "EXCHANGE"
    LOCAL = "LOCAL"


@dataclass(frozen=True, slots=True)
class OrderRejected:
    """The broker (or the control: LOCAL) said no. `overload`: it was -308; the call may be made again."""

    pair_id: str
    cl_ord_id: str
    source: RejectSource
    text: str
    overload: bool
    at: Nanos


class RefusalReason(Enum):
    """Why the Gateway itself did not forward an order. The first failing check, in this order."""

    DUPLICATE = "DUPLICATE"
    DISCONNECTED = "DISCONNECTED"
    SESSION_OFF = "SESSION_OFF"
    VENUE_CLOSED = "VENUE_CLOSED"
    HALTED = "HALTED"
    NO_GRANT = "NO_GRANT"
    GRANT_EXPIRED = "GRANT_EXPIRED"
    BAD_CODE = "BAD_CODE"
    BAD_TYPE = "BAD_TYPE"
    BAD_PRICE = "BAD_PRICE"
    BAD_QTY = "BAD_QTY"
    UNCOVERED_SALE = "UNCOVERED_SALE"
    SELF_TRADE = "SELF_TRADE"
    UNNUMBERED_BEFORE = "UNNUMBERED_BEFORE"
    """Another order of the same symbol, venue and side has no number yet."""
    OBSERVE_ONLY = "OBSERVE_ONLY"
    UNKNOWN_TARGET = "UNKNOWN_TARGET"
    """A cancel or query of an order that we never sent, or that has ended."""
    OUTDATED = "OUTDATED"
    """Decided by a manager that failed since: its pair was restored in the meantime."""


@dataclass(frozen=True, slots=True)
class OrderRefused:
    """Not forwarded; the broker never saw it."""

    pair_id: str
    cl_ord_id: str
    reason: RefusalReason
    text: str
    at: Nanos


@dataclass(frozen=True, slots=True)
class OrderTimedOut:
    """No 주문번호 within ack_ms. The order stays tracked."""

    pair_id: str
    cl_ord_id: str
    at: Nanos


@dataclass(frozen=True, slots=True)
class OrderStuck:
    """Numbered, but no 접수 within accept_ms."""

    pair_id: str
    cl_ord_id: str
    at: Nanos


@dataclass(frozen=True, slots=True)
class CancelRejected:
    """The cancel of `target` was turned away: the order filled, ended, or the cancel was wrong."""

    pair_id: str
    cl_ord_id: str
    target: str
    text: str
    overload: bool
    at: Nanos


@dataclass(frozen=True, slots=True)
class CancelStuck:
    """No answer to the cancel of `target` within cancel_ms."""

    pair_id: str
    cl_ord_id: str
    target: str
    at: Nanos


class DoubtVerdict(Enum):
    RESTING = "resting"
    """Proved to stand at the exchange with `leaves_qty`."""
    ENDED = "ended"
    """Proved over; its fills and its end were reported as OrderFilled / OrderCanceled before this message."""
    UNKNOWN = "unknown"
    """The query failed or could not tell yet: ask again."""


@dataclass(frozen=True, slots=True)
class DoubtResolved:
    pair_id: str
    cl_ord_id: str
    verdict: DoubtVerdict
    leaves_qty: Shares
    at: Nanos


OrderEvent = (
    OrderSubmitted
    | OrderAcked
    | OrderAccepted
    | OrderFilled
    | OrderCanceled
    | OrderRejected
    | OrderRefused
    | OrderTimedOut
    | OrderStuck
    | CancelRejected
    | CancelStuck
    | DoubtResolved
)
