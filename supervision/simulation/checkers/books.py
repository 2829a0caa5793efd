"""What the other checkers share: one fold over the broker's rows and the machine's, and what was imposed on whom.

The broker's rows alone say what was ordered, filled and ended; the journal only says whose an order is (its attempt row
stands before the call) and what is listed as left open. Runs before the checkers that read it.

A ledger row with the rq_name "" or "HTS" is of somebody else's order: the trader's own hand. Grows by a small record
per order and per pair of the day.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import ClassVar, Final

from actors.messages.journal import EventType, Row
from kiwoom.market import Nanos, time_of_day
from kiwoom.simulated.ledger import LedgerKind, LedgerRow
from supervision.simulation.checkers.settings import LINE_CUTS, CheckerSettings, delay_of
from supervision.simulation.checkers.spans import CallTimes, Shade
from supervision.simulation.evidence import (
    ActorDied,
    ActorStarted,
    Checker,
    JournalTorn,
    LineCut,
    MachineEvent,
    MachineKilled,
    MachineStarted,
    Strike,
    TradingHalted,
    TradingResumed,
    VenueClosed,
    VenueOpened,
)

CASH: Final = "CASH"
NO_SHARES: Final = "[800033]"
"""Begins the broker's reason: not so many shares are free to sell."""
CALLS: Final = frozenset({LedgerKind.ORDER, LedgerKind.CANCEL, LedgerKind.REJECT, LedgerKind.OVERLOAD})
ATTEMPTS: Final = frozenset({EventType.ORDER_SEND_ATTEMPT, EventType.CANCEL_SEND_ATTEMPT})

_BY_HAND: Final = ("", "HTS")
_VENUES: Final = ("KRX", "NXT")
_NEEDED_BY_A_PAIR: Final = frozenset({"gateway", "throttler", "pair_manager", "router", "market_data", "supervisor"})
_MACHINE, _LINE, _GATEWAY = "machine", "line", ("gateway", 0)
_NEEDS_RECONCILING: Final = (_MACHINE, _LINE, _GATEWAY)


def is_ours(name: str) -> bool:
    """Is this rq_name one that the machine gave?"""
    return name not in _BY_HAND


def reached_the_cap(row: LedgerRow) -> bool:
    """The call took, or asked for, a place in the broker's window: the control alone turned away what has a code."""
    return row.kind is not LedgerKind.REJECT or not row.return_code


def extra_of(row: Row, key: str, default: int | str = 0) -> int | str:
    for name, value in row.extra:
        if name == key and isinstance(value, int | str):
            return value
    return default


def child_of(row: Row) -> int:
    """0 the pair itself, n its n-th rescue."""
    return int(extra_of(row, "child"))


@dataclass(slots=True, eq=False)
class OrderFacts:
    """An order (or a cancel) of ours: its attempt row, and what the broker says of it."""

    attempt: Row
    pair: "PairFacts"
    cl_ord_id: str
    is_cancel: bool
    order_no: str = ""
    reached: bool = False
    """The broker took it (an ORDER or CANCEL row)."""
    called: LedgerRow | None = None
    leaves: int = 0
    filled: int = 0
    amount: int = 0
    ended: bool = False
    released: int = 0
    """Shares that its END released unfilled."""

    @property
    def names(self) -> tuple[str, ...]:
        """What a strike may call it."""
        return (self.cl_ord_id, self.order_no) if self.order_no else (self.cl_ord_id,)

    @property
    def live(self) -> bool:
        return self.reached and not self.ended and not self.is_cancel

    @property
    def is_hedge(self) -> bool:
        return self.attempt.leg == "B" and not self.is_cancel


@dataclass(slots=True, eq=False)
class PairFacts:
    """A pair by the broker's fills. Imbalance is bought less sold."""

    pair_id: str
    symbol: str
    begun: int
    marks: "Marks"
    orders: list[OrderFacts] = field(default_factory=list)
    bought: int = 0
    sold: int = 0
    hedge_buys: int = 0
    hedge_sells: int = 0
    """Shares that live hedges may still buy and sell."""
    openings: int = 0
    """Fills that made the imbalance larger, or began one."""
    exposures: int = 0
    """How often it went from flat to open."""
    overloads: int = 0
    lefts: tuple[int, ...] = (0,)
    """Imbalances that the journal admits to: (0,), or what stands as UNHEDGED."""
    lefts_before: tuple[int, ...] = (0,)
    """Before the last row that changed them."""
    listed_reason: str = ""
    listed_too_late: bool = False
    """At or after the last instant for any call."""
    handed: dict[int, int] = field(default_factory=dict)
    """child -> what it was handed of what the pair had left open."""

    @property
    def imbalance(self) -> int:
        return self.bought - self.sold

    @property
    def exposed(self) -> bool:
        """Open by more, or less, than is listed as UNHEDGED."""
        return self.bought - self.sold not in self.lefts


@dataclass(frozen=True, slots=True)
class Marks:
    """The running sums at one moment."""

    symbol_ns: int
    elsewhere_ns: int
    deaths: int
    onsets: int
    """A venue that is shut at that moment is an onset to come."""


class Books(Checker):
    """The broker's own rows agree among themselves; if not, the simulation is wrong, not the machine."""

    rule = "LEDGER"
    row_types: ClassVar[frozenset[EventType]] = ATTEMPTS | {
        EventType.UNHEDGED,
        EventType.FLATTENED,
        EventType.PAIR_STATE,
        EventType.OPERATOR,
        EventType.RECONCILED,
    }
    ledger_kinds: ClassVar[frozenset[LedgerKind]] = CALLS | {LedgerKind.FILL, LedgerKind.END}

    def __init__(self, settings: CheckerSettings) -> None:
        super().__init__()
        self.settings = settings
        self.orders: dict[str, OrderFacts] = {}
        self.pairs: dict[str, PairFacts] = {}
        self.live: dict[str, OrderFacts] = {}
        self.unlisted: dict[str, PairFacts] = {}
        """Pairs exposed now: a handful."""
        self.numbers: dict[tuple[str, str], OrderFacts] = {}
        """By (order number, symbol)."""
        self.books: defaultdict[tuple[str, str], dict[str, OrderFacts]] = defaultdict(dict)
        """Our live orders by (venue, symbol)."""
        self.net: defaultdict[str, int] = defaultdict(int)
        """Shares bought less sold, by symbol, by orders of known pairs."""
        self.selling: defaultdict[str, int] = defaultdict(int)
        """Shares that our live sells may still sell."""
        self.calls = CallTimes(settings.limit, settings.window_margin_ns)
        self.call_count = 0
        """Calls in the second that ended with the last one."""
        # somebody else's
        self.foreign: dict[tuple[str, str], LedgerRow] = {}
        self.foreign_leaves: dict[str, tuple[str, int]] = {}
        self.foreign_net: defaultdict[str, int] = defaultdict(int)
        self.foreign_selling: defaultdict[str, int] = defaultdict(int)
        self.foreign_at: dict[str, int] = {}
        self.flatten_asked = False
        # what was imposed
        self.down = Shade()
        self.deaths = 0
        self.shut: dict[str, Shade] = {}
        """By symbol: no venue trades it."""
        self.closed = Shade()
        """Some venue takes not even cancels."""
        self._halted: dict[tuple[str, str], None] = {}
        self._onsets: defaultdict[str, int] = defaultdict(int)
        self.resumed: dict[str, int] = {}
        """By symbol, "" = all: when trading last became possible again somewhere."""
        self._struck_ns: defaultdict[str, int] = defaultdict(int)
        self._struck_count: defaultdict[str, int] = defaultdict(int)
        self._longest_ns: defaultdict[str, int] = defaultdict(int)
        self._lied: dict[str, None] = {}
        self._undead: dict[str, None] = {}
        self.undead_at: dict[tuple[str, str], int] = {}
        """By symbol: the last fill of an order of ours about whose end the broker lied."""
        self._symbols: dict[str, None] = {}
        self._elsewhere_ns = 0
        self._longest_elsewhere_ns = 0
        self._names: dict[str, None] = {}
        self._strays: dict[str, None] = {}

    # --- the journal --------------------------------------------------------------------------------------------------

    def journal(self, row: Row, at: Nanos) -> None:
        match row.event_type:
            case EventType.ORDER_SEND_ATTEMPT:
                self._attempt(row, at, is_cancel=False)
            case EventType.CANCEL_SEND_ATTEMPT:
                self._attempt(row, at, is_cancel=True)
            case EventType.UNHEDGED | EventType.FLATTENED | EventType.PAIR_STATE:
                self._list(row)
            case EventType.OPERATOR:
                self.flatten_asked |= row.reason == "flatten"
            case EventType.RECONCILED:
                for cause in _NEEDS_RECONCILING:
                    self.down.end(cause, at)
            case _:
                pass

    def _attempt(self, row: Row, at: int, *, is_cancel: bool) -> None:
        cl_ord_id, pair_id, symbol = row.cl_ord_id or "", row.pair_id or "", row.symbol or ""
        if cl_ord_id in self.orders:
            if self.orders[cl_ord_id].called is None:  # its first attempt was torn out of the journal
                self.orders[cl_ord_id].attempt = row
            return  # else ONCE reports it
        pair = self.pairs.get(pair_id)
        if pair is None:
            self._symbols[symbol] = None
            self._own(symbol)
            self._shade(symbol, at)
            pair = self.pairs[pair_id] = PairFacts(pair_id, symbol, at, self._marks(symbol))
        facts = self.orders[cl_ord_id] = OrderFacts(row, pair, cl_ord_id, is_cancel)
        pair.orders.append(facts)
        self._own(cl_ord_id)

    def _list(self, row: Row) -> None:
        """What an end leaves open adds to what its pair left before; what a child was handed of that it has in its own
        figures."""
        pair = self.pairs.get(row.pair_id or "")
        if pair is None:
            return
        if row.event_type is EventType.PAIR_STATE:
            handed = int(extra_of(row, "handed_qty"))
            if handed:
                pair.handed[child_of(row)] = handed
            return
        left = extra_of(row, "left", "")
        added = int(extra_of(row, "bought")) - int(extra_of(row, "sold")) - pair.handed.get(child_of(row), 0)
        pair.lefts_before = pair.lefts
        if left != "":
            pair.lefts = (int(left),)
        else:
            pair.lefts = tuple(dict.fromkeys(before + added for before in pair.lefts))
        if row.event_type is EventType.UNHEDGED:
            pair.listed_reason = row.reason or ""
            pair.listed_too_late = time_of_day(row.ts_wall) >= self.settings.closing
        self._weigh(pair)

    # --- the broker's rows --------------------------------------------------------------------------------------------

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        if not is_ours(row.rq_name):
            self._of_others(row)
            return
        if row.kind in CALLS and reached_the_cap(row):
            self.call_count = self.calls.take(row.ts_mono_ns)
        facts = self.orders.get(row.rq_name)
        if facts is None:
            if row.kind is LedgerKind.FILL:
                self.breach(at, f"a fill of {row.rq_name}, which is in no journal")
            return
        match row.kind:
            case LedgerKind.ORDER | LedgerKind.CANCEL:
                self._taken(facts, row)
            case LedgerKind.FILL:
                self._filled(facts, row, at)
            case LedgerKind.END:
                self._ended(facts, row)
            case LedgerKind.OVERLOAD:
                facts.called = row
                facts.pair.overloads += not facts.is_cancel
            case LedgerKind.REJECT:
                facts.called = row
            case _:
                pass

    def _taken(self, facts: OrderFacts, row: LedgerRow) -> None:
        facts.order_no, facts.reached, facts.called = row.order_no, True, row
        self.numbers[row.order_no, row.symbol] = facts
        self._own(row.order_no)
        if facts.is_cancel:
            return
        facts.leaves = row.qty or 0
        self.live[facts.cl_ord_id] = facts
        self.books[row.venue, row.symbol][facts.cl_ord_id] = facts
        self._expect(facts, facts.leaves)

    def _expect(self, facts: OrderFacts, change: int) -> None:
        """`change` more shares of this order may fill."""
        is_buy = facts.attempt.side == "BUY"
        if not is_buy:
            self.selling[facts.pair.symbol] += change
        if facts.is_hedge:
            if is_buy:
                facts.pair.hedge_buys += change
            else:
                facts.pair.hedge_sells += change

    def _filled(self, facts: OrderFacts, row: LedgerRow, at: int) -> None:
        qty, pair = row.fill_qty or 0, facts.pair
        if not facts.live or qty > facts.leaves:
            self.breach(at, f"a fill of {qty} of {facts.cl_ord_id}, of which {facts.leaves} were left")
        facts.leaves -= qty
        facts.filled += qty
        facts.amount += qty * (row.fill_px or 0)
        self._expect(facts, -qty)
        if self.end_is_untrue(facts):
            self.undead_at[pair.symbol, facts.attempt.side or ""] = row.ts_mono_ns
        before = pair.imbalance
        if facts.attempt.side == "BUY":
            pair.bought += qty
            self.net[pair.symbol] += qty
        else:
            pair.sold += qty
            self.net[pair.symbol] -= qty
        if abs(pair.imbalance) > abs(before):
            pair.openings += 1
            pair.exposures += before == 0
        self._weigh(pair)

    def _ended(self, facts: OrderFacts, row: LedgerRow) -> None:
        facts.ended, facts.released = True, row.qty or 0
        self._expect(facts, -facts.leaves)
        facts.leaves = 0
        self.live.pop(facts.cl_ord_id, None)
        self.books[row.venue, row.symbol].pop(facts.cl_ord_id, None)

    def _weigh(self, pair: PairFacts) -> None:
        if pair.exposed:
            self.unlisted[pair.pair_id] = pair
        else:
            self.unlisted.pop(pair.pair_id, None)

    def _of_others(self, row: LedgerRow) -> None:
        symbol, sells = row.symbol, row.side == "SELL"
        self.foreign_at[symbol] = row.ts_mono_ns
        match row.kind:
            case LedgerKind.ORDER:
                self.foreign[row.order_no, symbol] = row
                self.foreign_leaves[row.order_no] = (row.side, row.qty or 0)
                self.foreign_selling[symbol] += (row.qty or 0) if sells else 0
            case LedgerKind.FILL:
                qty = row.fill_qty or 0
                side, leaves = self.foreign_leaves.get(row.order_no, (row.side, qty))
                self.foreign_leaves[row.order_no] = (side, leaves - qty)
                self.foreign_net[symbol] += -qty if sells else qty
                self.foreign_selling[symbol] -= qty if sells else 0
            case LedgerKind.END:
                side, leaves = self.foreign_leaves.pop(row.order_no, (row.side, 0))
                self.foreign_selling[symbol] -= leaves if side == "SELL" else 0
            case _:
                pass

    # --- what was imposed ---------------------------------------------------------------------------------------------

    def machine(self, event: MachineEvent, at: Nanos) -> None:
        cap = at + self.settings.allowances.reconcile_max_ns
        match event:
            case ActorDied(name, index) if name in _NEEDED_BY_A_PAIR:
                self.down.begin((name, index), at)
                self.deaths += 1
            case ActorStarted(name, index):
                if (name, index) != _GATEWAY:
                    self.down.end((name, index), at)
                elif self.down.has(_GATEWAY):
                    self.down.begin(_GATEWAY, at, cap)
            case MachineKilled():
                self.down.begin(_MACHINE, at)
                self.deaths += 1
            case MachineStarted():
                if self.down.has(_MACHINE):
                    self.down.begin(_MACHINE, at, cap)
            case JournalTorn(rows):
                for row in rows:
                    pair = self.pairs.get(row.pair_id or "")
                    if pair is not None and row.event_type in (EventType.UNHEDGED, EventType.FLATTENED):
                        pair.lefts = pair.lefts_before
                        self._weigh(pair)
            case LineCut() if not self.down.has(_LINE):
                self.down.begin(_LINE, at, cap)
            case VenueClosed(venue):
                self.closed.begin(venue, at)
                self._reshade(at, venue)
            case VenueOpened(venue):
                self.closed.end(venue, at)
                self.resumed[""] = at
                self._reshade(at)
            case TradingHalted(venue, symbol):
                self._halted[venue, symbol] = None
                self._onsets[symbol] += 1
                self._shade(symbol, at)
            case TradingResumed(venue, symbol):
                self._halted.pop((venue, symbol), None)
                self.resumed[symbol] = at
                self._shade(symbol, at)
            case _:
                pass

    def is_shut(self, symbol: str, venue: str) -> bool:
        return self.closed.has(venue) or (venue, symbol) in self._halted

    def is_shut_everywhere(self, symbol: str) -> bool:
        return all(self.is_shut(symbol, venue) for venue in _VENUES)

    def cannot_cancel(self, pair: PairFacts) -> bool:
        """An order of it stands on a closed venue."""
        return any(facts.live and self.closed.has(facts.attempt.venue) for facts in pair.orders)

    def is_stuck(self, pair: PairFacts) -> bool:
        """The market itself keeps it open: no venue trades its symbol, or an order of it cannot even be cancelled."""
        return self.is_shut_everywhere(pair.symbol) or self.cannot_cancel(pair)

    def is_spent(self, pair: PairFacts) -> bool:
        """As many market orders as SPEC 7 allows met the market for it, and left it open. What was refused before it
        left, or turned away as an overload, met no market."""
        met = [
            facts
            for facts in pair.orders
            if facts.is_hedge and facts.attempt.hoga_code == "13" and facts.called and facts.called.return_code == 0
        ]
        return len(met) >= self.settings.max_hedge_attempts and not any(facts.live for facts in met)

    def _reshade(self, at: int, venue: str = "") -> None:
        for symbol in self._symbols:
            if venue:
                self._onsets[symbol] += 1
            self._shade(symbol, at)

    def _shade(self, symbol: str, at: int) -> None:
        shade = self.shut.setdefault(symbol, Shade())
        if self.is_shut_everywhere(symbol):
            shade.begin(symbol, at)
        else:
            shade.end(symbol, at)

    def struck(self, strike: Strike, at: Nanos) -> None:
        subject, cost = strike.subject, self.settings.allowances.of(strike.fault, strike.size_ns)
        self._struck_ns[subject] += cost
        self._struck_count[subject] += 1
        delay_ns = delay_of(strike.fault, strike.size_ns)
        self._longest_ns[subject] = max(self._longest_ns[subject], delay_ns)
        if strike.fault in LINE_CUTS:
            self.down.begin(_LINE, at, at + strike.size_ns + self.settings.allowances.reconcile_max_ns)
        if strike.fault in self.settings.lies:
            self._lied[subject] = None
        if strike.fault in self.settings.untrue_ends:
            self._undead[subject] = None
        if subject not in self._names:
            self._strays[subject] = None
            self._elsewhere_ns += cost
            self._longest_elsewhere_ns = max(self._longest_elsewhere_ns, delay_ns)

    def knows(self, name: str) -> bool:
        """An order (by either name) or a symbol of ours."""
        return name in self._names

    def _own(self, name: str) -> None:
        """`name` turned out to be that of an order or symbol of ours: what struck it is no longer everybody's."""
        self._names[name] = None
        if name in self._strays:
            del self._strays[name]
            self._elsewhere_ns -= self._struck_ns[name]

    def _marks(self, symbol: str) -> Marks:
        shut_now = any(self.is_shut(symbol, venue) for venue in _VENUES)
        return Marks(self._struck_ns[symbol], self._elsewhere_ns, self.deaths, self._onsets[symbol] - shut_now)

    def strikes_on(self, pair: PairFacts) -> int:
        """How many struck its orders, since the beginning, or its symbol, today."""
        counts = self._struck_count
        own = sum(counts[name] for facts in pair.orders for name in facts.names)
        return own + counts[pair.symbol]

    def deaths_since(self, pair: PairFacts) -> int:
        return self.deaths - pair.marks.deaths

    def lied_about(self, facts: OrderFacts) -> bool:
        """The broker told of a fill or an end of it that never was."""
        return any(name in self._lied for name in facts.names)

    def end_is_untrue(self, facts: OrderFacts) -> bool:
        """The broker called it over, or let it be proved over, and it was not."""
        return self.lied_about(facts) or any(name in self._undead for name in facts.names)

    def is_claimed_untruly(self, symbol: str, side: str) -> bool:
        """An order of that side about whose end the broker lied lives: it holds the shares, or the cash."""
        alike = (facts for facts in self.live.values() if (facts.pair.symbol, facts.attempt.side) == (symbol, side))
        return any(self.end_is_untrue(facts) for facts in alike)

    def struck_ns(self, pair: PairFacts) -> int:
        """What the strikes since its beginning excuse: on its orders, on its symbol, on no order or symbol at all;
        and the deaths since."""
        now, then, allowances = self._marks(pair.symbol), pair.marks, self.settings.allowances
        total = sum(self._struck_ns[name] for facts in pair.orders for name in facts.names)
        total += max(0, now.symbol_ns - then.symbol_ns) + max(0, now.elsewhere_ns - then.elsewhere_ns)
        return total + self.deaths_since(pair) * allowances.recovery_ns

    def longest_delay(self, pair: PairFacts) -> int:
        """The longest single delay struck on its orders, on its symbol, or on no order or symbol at all."""
        longest = max(self._longest_ns[pair.symbol], self._longest_elsewhere_ns)
        return max(longest, *(self._longest_ns[name] for facts in pair.orders for name in facts.names))

    def onsets_since(self, pair: PairFacts) -> int:
        """How often a venue stopped its symbol since it began, one that was shut then included."""
        return self._onsets[pair.symbol] - pair.marks.onsets
