"""Conversation: the life of one pair.

Router -> PairManager: StartPair, StartRescue, FlattenPair, CheckPair.
PairManager -> Router: PairAdvanced, PairEnded, SlotRestored.
Gateway -> Router: LateFill, AccountSnapshot, PositionChanged, OrderEnded, SymbolOverloaded, AdmissionRestored.
Gateway -> PairManager (a restarted one, or after the Gateway's own restart): RestorePair, NothingToRestore.
Router -> Gateway: PairAssigned. Router -> Supervisor: PairsCounted. Supervisor -> Router: CountPairs.
"""

from dataclasses import dataclass
from enum import Enum

from actors.messages.orders import OrderFilled, OrderKind, OrderStyle, PlaceOrder
from kiwoom.market import Market, Nanos, Shares, Side, Symbol, Venue, WallNanos, Won


class PairState(Enum):
    """SPEC 8. The last five are terminal."""

    CANDIDATE = "CANDIDATE"
    ENTRY_TAKE_SENT = "ENTRY_TAKE_SENT"
    ENTRY_IN_DOUBT = "ENTRY_IN_DOUBT"
    HEDGE_POST_SENT = "HEDGE_POST_SENT"
    HEDGE_IN_DOUBT = "HEDGE_IN_DOUBT"
    CANCEL_POST_SENT = "CANCEL_POST_SENT"
    CANCEL_STUCK = "CANCEL_STUCK"
    HEDGE_IOC_SENT = "HEDGE_IOC_SENT"
    HEDGE_MARKET_SENT = "HEDGE_MARKET_SENT"
    RESCUE = "RESCUE"
    ENTRY_REJECTED = "ENTRY_REJECTED"
    ENTRY_MISSED = "ENTRY_MISSED"
    PAIRED_DONE = "PAIRED_DONE"
    UNHEDGED = "UNHEDGED"
    FLATTENED = "FLATTENED"


@dataclass(frozen=True, slots=True)
class Leg:
    venue: Venue
    side: Side
    style: OrderStyle
    price: Won
    """Won; 0 with MARKET_IOC and MID."""


@dataclass(frozen=True, slots=True)
class PairPlan:
    """Everything a PairManager needs to bring one pair from entry to flat."""

    pair_id: str
    symbol: Symbol
    symbol_index: int
    shard: int
    market: Market
    slot: int
    qty: Shares
    entry: Leg
    hedge: Leg
    hedge_lock_price: Won
    """The signal's opposite quote: the hedge is never posted worse than this."""
    lower_limit: Won
    upper_limit: Won
    t_hedge_ns: Nanos
    ioc_end_ns: Nanos
    cancel_ns: Nanos
    hedge_ioc_only: bool
    hedge_ioc_ticks: int
    hedge_fallback_best: bool
    """True: the better quotable venue after t_hedge; False: the hedge's own venue."""
    max_hedge_attempts: int
    expected_net_mwon: int
    flat_by_wall: WallNanos


@dataclass(frozen=True, slots=True)
class StartPair:
    """Begin: the entry is admitted and its slot granted."""

    plan: PairPlan
    grant_id: int
    grant_expires: Nanos


@dataclass(frozen=True, slots=True)
class StartRescue:
    """A fill came after the end of `plan.pair_id`: hedge it as a child of the same pair. No entry of its own."""

    plan: PairPlan
    late: OrderFilled
    rescue_no: int = 1
    """1 for the pair's first rescue, counting up: it stands in the client order ids, which must not repeat."""
    generation: int = 0
    """As PairAdvanced told it last: the Gateway refuses the commands of an earlier one."""
    carried: "PairSums | None" = None
    """`late` is no fill but an imbalance: what it cost so far, all that the pair's UNHEDGED ends had booked. The child
    carries it in its own result."""


@dataclass(frozen=True, slots=True)
class FlattenPair:
    """Do not wait for t_hedge: cancel what rests and close the imbalance now."""

    pair_id: str


@dataclass(frozen=True, slots=True)
class PairAssigned:
    """Router -> Gateway: a rescue of the pair lives in this slot; its order events go there.

    An ordinary pair needs none: its entry names its slot.
    """

    pair_id: str
    slot: int
    symbol: Symbol


@dataclass(frozen=True, slots=True)
class PairAdvanced:
    """A step that others act upon: the state entered, and the quantity open (bought - sold, signed)."""

    pair_id: str
    slot: int
    symbol: Symbol
    state: PairState
    open_qty: int
    at: Nanos
    generation: int = 0
    """How often the pair was restored."""


@dataclass(frozen=True, slots=True)
class PairEnded:
    """A terminal state, once per pair (and once per rescue child)."""

    pair_id: str
    slot: int
    symbol: Symbol
    state: PairState
    bought: Shares
    sold: Shares
    buy_amount: Won
    sell_amount: Won
    commission_won: Won
    tax_won: Won
    net_won: Won
    escalated: bool
    """A cancel-and-replace, an IOC or a market hedge was needed."""
    rejects: int
    timeouts: int
    at: Nanos
    child: int = 0
    """0: the pair itself; n: its n-th rescue. The same (pair_id, child) again is a repeat."""


@dataclass(frozen=True, slots=True)
class OrderEnded:
    """Gateway -> Router: the broker confirmed the end of this order; its claim on shares or cash may be released."""

    pair_id: str
    cl_ord_id: str
    kind: OrderKind
    symbol: Symbol
    side: Side
    filled_qty: Shares
    at: Nanos


@dataclass(frozen=True, slots=True)
class SymbolOverloaded:
    """Gateway -> Router: the control turned an order or a cancel of this symbol away with -308 (SPEC 6)."""

    symbol: Symbol
    at: Nanos
    """When the call returned."""


@dataclass(frozen=True, slots=True)
class LateFill:
    """Gateway -> Router: a fill of a pair that no manager holds any more. `carried` as in StartRescue."""

    fill: OrderFilled
    symbol: Symbol
    carried: "PairSums | None" = None


@dataclass(frozen=True, slots=True)
class AccountSnapshot:
    """The account as the broker has it, after login and after every reconciliation.

    holdings: (symbol, held, sellable). `cash_won` is 100%종목주문가능금액 (KIWOOM.md 6.2).
    limits: (symbol, lower, upper). conflicted: symbols with orders or shares that are not ours and must not be traded.
    """

    account: str
    server: str
    holdings: tuple[tuple[Symbol, Shares, Shares], ...]
    cash_won: Won
    limits: tuple[tuple[Symbol, Won, Won], ...]
    tradable: tuple[Symbol, ...]
    conflicted: tuple[Symbol, ...]
    at: Nanos
    """When it was so: a PositionChanged with a later stamp knows better."""


@dataclass(frozen=True, slots=True)
class PositionChanged:
    """The broker's own word on a symbol (잔고): held, and free to sell."""

    symbol: Symbol
    held: Shares
    sellable: Shares
    at: Nanos


@dataclass(frozen=True, slots=True)
class AdmissionRestored:
    """What a new Router must know of its predecessor's work, from the journal. Before the AccountSnapshot.

    `plans` are those of the pairs that live now, each in its slot; `traded_won` all that ended pairs bought and sold
    since the start of the day, `net_won` what it earned. `imbalances`: pairs that ended UNHEDGED and are open still,
    with the sums of all their children. `ended`: (pair_id, child, symbol) of the last 1,024 ends, oldest first.
    """

    plans: tuple[PairPlan, ...]
    muted: tuple[Symbol, ...]
    frozen: tuple[Symbol, ...]
    traded_won: Won
    net_won: Won
    imbalances: tuple[PairEnded, ...] = ()
    """Without those that a live child has taken over (a flatten): the child's own end closes them."""
    ended: tuple[tuple[str, int, Symbol], ...] = ()
    orders: int = 0
    """How many orders have ended since the start of the day, as OrderEnded tells them."""
    generations: tuple[tuple[str, int], ...] = ()
    """(pair_id, generation) of every pair in `plans`, `imbalances` or `ended` that was ever restored."""


@dataclass(frozen=True, slots=True)
class OrderStanding:
    """What the Gateway knows of one order of a pair: enough for a successor to go on with it."""

    command: PlaceOrder
    submitted_at: Nanos | None
    """The stamp after the call; None while the Gateway's last guard holds it back."""
    numbered_at: Nanos | None
    fills: tuple[OrderFilled, ...]
    over: bool
    """Confirmed: nothing of it will fill any more."""
    turned_down: bool
    """Over because it was rejected or refused."""
    cancel_id: str
    """The cancel under way; "" if there is none."""
    cancel_at: Nanos | None
    """When that cancel was called (or given, while it is held back)."""


@dataclass(frozen=True, slots=True)
class PairSums:
    """Money and shares of a pair's ended children, the pair itself included: already booked, not to be booked again."""

    bought: Shares = Shares(0)
    sold: Shares = Shares(0)
    buy_amount: Won = Won(0)
    sell_amount: Won = Won(0)
    commission_won: Won = Won(0)
    tax_won: Won = Won(0)


@dataclass(frozen=True, slots=True)
class RestorePair:
    """Go on with this pair. It replaces whatever the manager knew; what it had decided and was not sent is void."""

    plan: PairPlan
    generation: int
    """Counts the pair's restorations, from 1: part of the ids and of every command from now on."""
    orders: tuple[OrderStanding, ...]
    """All of the pair, its ended children's included, in the order in which they were given."""
    ended: PairSums
    child: int
    """The child to go on with: 0 the pair itself, n its n-th rescue (which begins now if nothing of it is known)."""
    left: int
    """Bought less sold that ended UNHEDGED before: the Router counts it; not to be hedged."""
    flatten: bool
    """A flatten was asked for."""
    carried: PairSums = PairSums()
    """The part of `ended` that goes with `left` if it is handed over."""


@dataclass(frozen=True, slots=True)
class NothingToRestore:
    """No pair lives in this slot, as far as any order was sent."""

    slot: int


@dataclass(frozen=True, slots=True)
class SlotRestored:
    """PairManager -> Router: this slot's manager is new, and has taken over what there was."""

    slot: int


@dataclass(frozen=True, slots=True)
class CheckPair:
    """Router -> PairManager: do you have this pair? If not, end it as ENTRY_MISSED: no order of it was ever sent."""

    plan: PairPlan
    child: int = 0
    """Which child of it runs there: n for its n-th rescue."""


@dataclass(frozen=True, slots=True)
class CountPairs:
    """How many pairs are open? Asked when the machine is to end: the figures of Telemetry are up to a second old."""

    asked: Nanos


@dataclass(frozen=True, slots=True)
class PairsCounted:
    """The answer to the CountPairs of `asked`."""

    asked: Nanos
    open_pairs: int
    """Claimed, running, or a late fill that waits for a slot."""
    admitting: bool
    """Armed: the next moment there may be more."""
