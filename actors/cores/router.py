"""Router's core: may this signal become a pair, with which legs, in which slot?

A signal passes the checks of `actors.domain.risk`, claims its shares, cash and slot, and asks the Throttler. The
claims are held while the answer is under way; a grant starts the pair, anything else gives them back. An ended pair
frees its slot, books what it bought and sold, and lets the next one in.

Limits: as many pairs as PairManagers (`slots`). A signal that is not admitted is forgotten; the engine is told when
to look again. What a predecessor knew comes with AdmissionRestored; an imbalance left before that is only frozen.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, assert_never

from actors.domain.blocks import Block, Blocks
from actors.domain.claims import CashBook, ShareBook
from actors.domain.legs import LegStyle, cash_at_worst, entry_leg, first_side, hedge_leg, quote
from actors.domain.risk import Gate, RejectWatch, RiskLimits, Situation, gate_refusal, refusal
from actors.domain.symbol_map import SymbolEntry
from actors.effects import Effect, Effects, Record, Role, Send
from actors.messages.journal import EventType, Row
from actors.messages.orders import OrderFilled, OrderKind, OrderStyle
from actors.messages.pairs import (
    AccountSnapshot,
    AdmissionRestored,
    CountPairs,
    FlattenPair,
    LateFill,
    Leg,
    OrderEnded,
    PairAdvanced,
    PairAssigned,
    PairEnded,
    PairPlan,
    PairsCounted,
    PairState,
    PositionChanged,
    StartPair,
    StartRescue,
    SymbolOverloaded,
)
from actors.messages.session import ActorsDown, Command, OperatorCommand, TradingState
from actors.messages.spread import AttemptEnded, AttemptOutcome, AttemptStarted, Signal, SignalDropped, SymbolBlocked
from actors.messages.throttle import (
    EntriesPaused,
    EntryDenied,
    EntryGranted,
    EntryLent,
    RequestEntry,
    ReturnEntry,
)
from kiwoom.fees import CostModel
from kiwoom.market import (
    MS,
    SECOND,
    VENUES,
    Nanos,
    Now,
    Shares,
    Side,
    Symbol,
    Venue,
    WallNanos,
    Won,
    round_down_to_tick,
    round_up_to_tick,
)

REJECT_SPIKE_NS = 200 * MS
REJECT_FREEZE_NS = 60 * SECOND
OVERLOAD_NS = 250 * MS
EXPOSED_AFTER_NS = SECOND
PAIRS_REMEMBERED_MAX = 1_024
"""Ended pairs whose symbol and rescues are kept for a late fill."""
REPEAT_EVERY_NS = SECOND
"""The same refusal of the same symbol is recorded once in this time."""
LENT_TRAVEL_NS = 20 * MS
"""A loan that ends sooner is not used: the entry has two hops before it."""
LOOK_AGAIN_NS = SECOND
"""When to look again after a refusal whose end no message announces."""

RouterMessage = (
    Signal
    | EntryLent
    | EntryGranted
    | EntryDenied
    | EntriesPaused
    | TradingState
    | OperatorCommand
    | AccountSnapshot
    | PositionChanged
    | OrderEnded
    | SymbolOverloaded
    | LateFill
    | PairAdvanced
    | PairEnded
    | ActorsDown
    | AdmissionRestored
    | CountPairs
)


@dataclass(frozen=True, slots=True)
class RouterSettings:
    """Everything that admission and the layout of a pair depend on. Times in nanoseconds, money in won."""

    entries: tuple[SymbolEntry, ...]
    """In index order."""
    costs: CostModel
    slots: int
    """PairManagers that stand ready."""
    limits: RiskLimits = field(default_factory=RiskLimits)
    pairs_per_symbol: tuple[tuple[Symbol, int], ...] = ()
    """Overrides of `limits.pairs_per_symbol_max`, 1..10."""
    style: LegStyle = field(default_factory=LegStyle)
    slice_qty: int = 1
    t_hedge_ns: int = SECOND
    t_hedge_per_symbol_ns: tuple[tuple[Symbol, int], ...] = ()
    ioc_end_ns: int = 500 * MS
    cancel_ns: int = 300 * MS
    hedge_ioc_only: tuple[Symbol, ...] = ()
    """Symbols whose hedge is not posted first."""
    hedge_ioc_ticks: int = 2
    hedge_fallback_best: bool = True
    max_hedge_attempts: int = 5
    entry_ladder_ns: int = 5 * SECOND
    """How long a pair may take from entry to flat at worst: none begins later than this before the close."""
    answer_ns: int = 200 * MS
    """A Throttler that has not answered by then is taken to be down."""
    settle_ns: int = SECOND
    """How long after a pair's end its own position reports may still come."""
    observe: bool = False
    """Signals only; no pair is ever started."""
    freeze_on_rejects: bool = False
    """Kill-switch: 3 rejects in a row or 5 in 60 s on a symbol freeze it for 60 s."""
    unhedged_shares_max: int = 0
    """Kill-switch: more than this many shares unhedged for more than a second force the hedge and freeze. 0 = off."""

    def __post_init__(self) -> None:
        assert self.entries
        assert all(entry.index == position for position, entry in enumerate(self.entries))
        assert self.slots > 0
        assert all(1 <= pairs <= 10 for _, pairs in self.pairs_per_symbol)
        assert self.slice_qty > 0
        assert self.t_hedge_ns > 0
        assert all(t_hedge > 0 for _, t_hedge in self.t_hedge_per_symbol_ns)
        assert min(self.ioc_end_ns, self.cancel_ns, self.entry_ladder_ns, self.answer_ns) > 0
        assert self.hedge_ioc_ticks >= 0
        assert self.max_hedge_attempts > 0
        assert self.settle_ns >= 0
        assert self.unhedged_shares_max >= 0


class Stage(Enum):
    """How far the Router has come with a pair."""

    REQUESTED = "requested"
    """Claims held, the Throttler asked."""
    RUNNING = "running"


@dataclass(slots=True)
class LivePair:
    """A pair from its claims to its end."""

    plan: PairPlan
    signal: Signal | None
    """None: restored, or a rescue."""
    stage: Stage
    answer_by: Nanos
    claim_id: str
    """The pair's own id; a rescue claims under its fill, beside what its parent may have left."""
    is_rescue: bool = False
    began_by_itself: bool = False
    """A rescue that the manager of the pair's slot began; what we sent to that slot meanwhile is turned away."""
    entry_ended: bool = False
    exposed_since: Nanos | None = None

    @property
    def own_orders(self) -> tuple[tuple[Venue, Side], ...]:
        """Where it has or will post orders, as far as planned; the Gateway checks each send besides."""
        hedge = (self.plan.hedge.venue, self.plan.hedge.side)
        if self.entry_ended:
            return (hedge,)
        return ((self.plan.entry.venue, self.plan.entry.side), hedge)

    @property
    def notional_won(self) -> int:
        """Both legs at the lock price and the entry's quote."""
        if self.signal is None:
            return 2 * self.plan.qty * self.plan.hedge_lock_price
        return self.plan.qty * (self.signal.buy_ask + self.signal.sell_bid)


@dataclass(frozen=True, slots=True)
class Rescue:
    """A late fill, its claims held, waiting for a slot; `plan.slot` is not set yet."""

    plan: PairPlan
    fill: OrderFilled

    @property
    def claim_id(self) -> str:
        return f"{self.fill.pair_id}#{self.fill.cl_ord_id}#{self.fill.exec_id}"


@dataclass(slots=True)
class Known:
    """What a late fill of a pair needs: its symbol, and how many rescues it has had."""

    symbol: Symbol
    rescues: int = 0


@dataclass(slots=True)
class Repeats:
    """When a refusal was last recorded, and how many like it were not since."""

    recorded_at: Nanos
    suppressed: int = 0


class RouterCore:
    """Admits pairs, lays them out and keeps the books that admission looks at."""

    def __init__(self, settings: RouterSettings) -> None:
        self._settings = settings
        self._entries = {entry.symbol: entry for entry in settings.entries}
        self._pairs_per_symbol = dict(settings.pairs_per_symbol)
        self._t_hedge_ns = dict(settings.t_hedge_per_symbol_ns)
        self._shares = ShareBook(settings.settle_ns)
        self._cash = CashBook()
        self._blocks = Blocks()
        self._live: dict[str, LivePair] = {}
        """By pair_id; at most one per slot."""
        self._rescues: deque[Rescue] = deque()
        """Late fills that wait for a slot. Each is a real fill of one of our orders, and while one waits its pair has
        no manager that could send more: bounded by the orders under way, so never dropped."""
        self._remembered: dict[str, Known] = {}
        """By pair_id, oldest first; at most PAIRS_REMEMBERED_MAX."""
        self._imbalances: dict[str, PairEnded] = {}
        """By pair_id: pairs that ended unhedged. At most as many as pairs until each symbol is frozen."""
        self._rejects: dict[Symbol, RejectWatch] = {}
        self._repeats: dict[tuple[Symbol, str], Repeats] = {}
        """At most symbols times reasons."""
        self._limits: dict[Symbol, tuple[Won, Won]] = {}
        self._tradable: frozenset[Symbol] = frozenset()
        self._conflicted: frozenset[Symbol] = frozenset()
        self._trading: TradingState | None = None
        self._stopped = False
        """Stop or Flatten was pressed; the next TradingState says what holds."""
        self._actors_down: tuple[str, ...] = ()
        self._paused = False
        self._lent: EntryLent | None = None
        self._lent_used = 0
        """The last loan used: news of its renewal may still be on the way."""
        self._traded_won = 0
        self._net_won = 0
        self._orders = 0

    def handle(self, message: RouterMessage, now: Now) -> Effects:
        effects = [*self._let_go(now), *self._take(message, now), *self._start_rescues(now)]
        self._check_invariants()
        return tuple(effects)

    def next_deadline(self) -> Nanos | None:
        times: list[Nanos] = []
        for pair in self._live.values():
            if pair.stage is Stage.REQUESTED:
                times.append(pair.answer_by)
            if pair.exposed_since is not None:
                times.append(Nanos(pair.exposed_since + EXPOSED_AFTER_NS))
        if (block_end := self._blocks.next_end()) is not None:
            times.append(block_end)
        return min(times, default=None)

    def on_deadline(self, now: Now) -> Effects:
        effects = [*self._let_go(now), *self._start_rescues(now)]
        self._check_invariants()
        return tuple(effects)

    def _take(self, message: RouterMessage, now: Now) -> Iterable[Effect]:
        match message:
            case Signal():
                return self._consider(message, now)
            case EntryLent():
                if message.grant_id != self._lent_used:
                    self._lent = message
            case EntryGranted():
                return self._granted(message, now)
            case EntryDenied():
                return self._denied(message, now)
            case EntriesPaused():
                self._paused = message.paused
                return [Send(Role.SPREAD_ENGINE, SymbolBlocked(None, message.paused, "AUTO_PAUSE"))]
            case TradingState():
                self._trading = message
                # One that was on the way when Stop was pressed still says armed.
                self._stopped = self._stopped and message.armed
            case OperatorCommand():
                return self._obey(message, now)
            case AccountSnapshot():
                self._read_account(message, now.mono)
            case PositionChanged():
                return self._read_position(message)
            case OrderEnded():
                self._order_ended(message)
            case SymbolOverloaded():
                return self._block(message.symbol, Block.OVERLOAD, Nanos(message.at + OVERLOAD_NS), now)
            case LateFill():
                self._late_fill(message)
            case PairAdvanced():
                return self._advanced(message, now)
            case PairEnded():
                return self._ended(message, now)
            case ActorsDown():
                self._actors_down = message.names
            case AdmissionRestored():
                return self._restore(message, now)
            case CountPairs():
                admitting = self._trading is not None and self._trading.armed
                open_pairs = len(self._live) + len(self._rescues)
                return [Send(Role.SUPERVISOR, PairsCounted(message.asked, open_pairs, admitting))]
            case _:
                assert_never(message)
        return ()

    # --- from signal to pair ---

    def _consider(self, signal: Signal, now: Now) -> list[Effect]:
        entry = self._settings.entries[signal.symbol_index]
        assert entry.symbol == signal.symbol
        assert signal.pair_id not in self._live
        reason = gate_refusal(self._gate(signal.symbol, now))
        if reason is not None:
            return self._refuse(signal, reason, self._look_again(signal.symbol, reason, now.mono), now)
        if signal.symbol not in self._limits:
            return self._refuse(signal, "RISK_NO_ACCOUNT", Nanos(now.mono + LOOK_AGAIN_NS), now)
        plan = self._plan(signal, entry, now.mono)
        reason = refusal(self._situation(signal, plan, now.mono), self._settings.limits)
        if reason is not None:
            return self._refuse(signal, reason, self._look_again(signal.symbol, reason, now.mono), now)
        self._claim(plan.pair_id, plan)
        answer_by = Nanos(now.mono + self._settings.answer_ns)
        pair = self._live[plan.pair_id] = LivePair(plan, signal, Stage.REQUESTED, answer_by, plan.pair_id)
        if self._lent is not None and now.mono + LENT_TRAVEL_NS <= self._lent.expires:
            lent, self._lent = self._lent, None
            self._lent_used = lent.grant_id
            return self._begin(pair, signal, lent.grant_id, lent.expires, now)
        return [Send(Role.THROTTLER, RequestEntry(plan.pair_id))]

    def _gate(self, symbol: Symbol, now: Now) -> Gate:
        trading, cause = self._trading, self._blocks.cause(symbol)
        return Gate(
            armed=trading is not None and trading.armed and not self._stopped,
            in_window=trading is not None
            and now.wall < trading.entries_until_wall
            and now.wall + self._settings.entry_ladder_ns <= trading.closing_wall,
            actors_down=bool(self._actors_down),
            paused=self._paused,
            block=None if cause is None else cause.refusal,
        )

    def _situation(self, signal: Signal, plan: PairPlan, now: Nanos) -> Situation:
        settings, symbol, qty = self._settings, signal.symbol, self._settings.slice_qty
        on_symbol = [pair for pair in self._live.values() if pair.plan.symbol == symbol]
        live_won = sum(pair.notional_won for pair in self._live.values())
        return Situation(
            account_known=symbol in self._limits,
            tradable=symbol in self._tradable,
            conflicted=symbol in self._conflicted,
            qty=Shares(qty),
            leg_won=Won(qty * max(signal.buy_ask, signal.sell_bid)),
            pair_won=Won(qty * (signal.buy_ask + signal.sell_bid)),
            pairs_max=self._pairs_per_symbol.get(symbol, settings.limits.pairs_per_symbol_max),
            pairs_on_symbol=len(on_symbol),
            other_symbols=len({pair.plan.symbol for pair in self._live.values()} - {symbol}),
            shares_on_symbol=Shares(sum(pair.plan.qty for pair in on_symbol)),
            symbol_won=Won(sum(pair.notional_won for pair in on_symbol)),
            session_won=Won(self._traded_won + live_won),
            net_won=Won(self._net_won),
            orders=self._orders,
            entry_side=plan.entry.side,
            free_shares=self._shares.free(symbol, now),
            cash_needed=self._cash_needed(plan),
            free_cash=self._cash.free,
            new_orders=((plan.entry.venue, plan.entry.side), (plan.hedge.venue, plan.hedge.side)),
            own_orders=tuple(order for pair in on_symbol for order in pair.own_orders),
            slot_free=plan.slot < settings.slots,
            observe=settings.observe,
        )

    def _plan(self, signal: Signal, entry: SymbolEntry, now: Nanos) -> PairPlan:
        """The pair as it would run; its slot is `slots` if none is free."""
        settings, symbol = self._settings, signal.symbol
        limits = self._limits[symbol]
        qty = Shares(settings.slice_qty)
        side = first_side(settings.style.entry_leg, self._shares.free(symbol, now), qty)
        assert self._trading is not None
        return PairPlan(
            pair_id=signal.pair_id,
            symbol=symbol,
            symbol_index=entry.index,
            shard=entry.shard,
            market=entry.market,
            slot=self._lowest_free_slot(),
            qty=qty,
            entry=entry_leg(signal, side, settings.style.entry_prefer),
            hedge=hedge_leg(signal, side.opposite, settings.style, settings.costs, entry.market, limits),
            hedge_lock_price=quote(signal, side.opposite)[1],
            lower_limit=limits[0],
            upper_limit=limits[1],
            t_hedge_ns=Nanos(self._t_hedge_ns.get(symbol, settings.t_hedge_ns)),
            ioc_end_ns=Nanos(settings.ioc_end_ns),
            cancel_ns=Nanos(settings.cancel_ns),
            hedge_ioc_only=symbol in settings.hedge_ioc_only,
            hedge_ioc_ticks=settings.hedge_ioc_ticks,
            hedge_fallback_best=settings.hedge_fallback_best,
            max_hedge_attempts=settings.max_hedge_attempts,
            expected_net_mwon=signal.net_edge_mwon * qty,
            flat_by_wall=self._trading.closing_wall,
        )

    def _lowest_free_slot(self) -> int:
        taken = {pair.plan.slot for pair in self._live.values()}
        return next((slot for slot in range(self._settings.slots) if slot not in taken), self._settings.slots)

    def _slot_for(self, pair: LivePair) -> int:
        """The pair's own slot if nobody else has it, else the lowest free one."""
        others = (other for other in self._live.values() if other is not pair)
        return (
            self._lowest_free_slot() if any(other.plan.slot == pair.plan.slot for other in others) else pair.plan.slot
        )

    def _remember(self, pair_id: str, symbol: Symbol) -> Known:
        known = self._remembered.setdefault(pair_id, Known(symbol))
        if len(self._remembered) > PAIRS_REMEMBERED_MAX:
            del self._remembered[next(iter(self._remembered))]
        return known

    def _granted(self, granted: EntryGranted, now: Now) -> list[Effect]:
        pair = self._live.get(granted.pair_id)
        if pair is None or pair.stage is not Stage.REQUESTED:
            return [Send(Role.THROTTLER, ReturnEntry(granted.grant_id))]
        assert pair.signal is not None
        reason = gate_refusal(self._gate(pair.plan.symbol, now))
        if reason is None and now.mono >= granted.expires:
            reason = "THROTTLE_LATE"
        if reason is None and (slot := self._slot_for(pair)) != pair.plan.slot:
            # A manager began a rescue in the slot that was meant for this pair.
            pair.plan = replace(pair.plan, slot=slot)
            reason = "RISK_NO_SLOT" if slot == self._settings.slots else None
        if reason is not None:
            self._drop(pair)
            retry_at = self._look_again(pair.plan.symbol, reason, now.mono)
            back = Send(Role.THROTTLER, ReturnEntry(granted.grant_id))
            return [back, *self._refuse(pair.signal, reason, retry_at, now)]
        return self._begin(pair, pair.signal, granted.grant_id, granted.expires, now)

    def _begin(self, pair: LivePair, signal: Signal, grant_id: int, expires: Nanos, now: Now) -> list[Effect]:
        """Admitted: its manager first, whose order must leave before `expires`."""
        pair.stage = Stage.RUNNING
        plan = pair.plan
        self._remember(plan.pair_id, plan.symbol)
        return [
            Send(Role.PAIR_MANAGER, StartPair(plan, grant_id, expires), plan.slot),
            Send(Role.SPREAD_ENGINE, AttemptStarted(plan.symbol, plan.pair_id)),
            Record(admitted_row(plan, signal, now)),
        ]

    def _denied(self, denied: EntryDenied, now: Now) -> list[Effect]:
        pair = self._live.get(denied.pair_id)
        if pair is None or pair.stage is not Stage.REQUESTED:
            return []
        assert pair.signal is not None
        self._drop(pair)
        return self._refuse(pair.signal, denied.reason, denied.retry_at, now)

    def _refuse(self, signal: Signal, reason: str, retry_at: Nanos | None, now: Now) -> list[Effect]:
        dropped = Send(Role.SPREAD_ENGINE, SignalDropped(signal.symbol, reason, retry_at))
        last = self._repeats.get((signal.symbol, reason))
        if last is not None and now.mono < last.recorded_at + REPEAT_EVERY_NS:
            last.suppressed += 1
            return [dropped]
        self._repeats[signal.symbol, reason] = Repeats(now.mono)
        return [dropped, Record(not_admitted_row(signal, reason, last.suppressed if last else 0, now))]

    def _look_again(self, symbol: Symbol, reason: str, now: Nanos) -> Nanos | None:
        """When the engine is to look again; None if a message of ours (an end, a lifted block) will tell it."""
        if reason in ("MUTED", "FROZEN", "RISK_REJECT_SPIKE", "RISK_OVERLOAD"):
            return self._blocks.until(symbol)
        if reason in ("AUTO_PAUSE", "SESSION_OFF"):
            return None
        if reason in ("ACTOR_DOWN", "NO_COVER", "NO_CASH", "THROTTLE_LATE"):
            return Nanos(now + LOOK_AGAIN_NS)
        # The room may be taken by a request that never becomes an attempt, whose end is then not announced.
        answers = [pair.answer_by for pair in self._live.values() if pair.stage is Stage.REQUESTED]
        return max(answers, default=None)

    # --- claims ---

    def _cash_needed(self, plan: PairPlan) -> Won:
        return cash_at_worst(plan.entry, plan.qty, self._settings.costs, plan.upper_limit)

    def _claim(self, claim_id: str, plan: PairPlan, entry_ended: bool = False) -> None:
        self._shares.claim(claim_id, plan.symbol, plan.entry.side, plan.qty, entry_ended)
        self._cash.claim(claim_id, self._cash_needed(plan))

    def _drop(self, pair: LivePair) -> None:
        """The request came to nothing: no order was sent."""
        assert pair.stage is Stage.REQUESTED
        del self._live[pair.plan.pair_id]
        self._shares.drop(pair.plan.pair_id, pair.plan.symbol)
        self._cash.drop(pair.plan.pair_id)

    def _order_ended(self, ended: OrderEnded) -> None:
        self._orders += 1
        is_entry = ended.kind is OrderKind.ENTRY
        self._shares.order_ended(ended.pair_id, ended.symbol, is_entry, ended.filled_qty, ended.at)
        pair = self._live.get(ended.pair_id)
        if pair is None or not is_entry or pair.is_rescue:
            return
        pair.entry_ended = True
        filled = replace(pair.plan, qty=min(pair.plan.qty, ended.filled_qty))
        self._cash.shrink(ended.pair_id, self._cash_needed(filled))

    def _read_account(self, account: AccountSnapshot, now: Nanos) -> None:
        self._limits = {symbol: (lower, upper) for symbol, lower, upper in account.limits}
        self._tradable = frozenset(account.tradable)
        self._conflicted = frozenset(account.conflicted)
        self._cash.set_balance(account.cash_won)
        held = {symbol: (shares, sellable) for symbol, shares, sellable in account.holdings}
        for symbol in self._shares.symbols():
            if symbol not in held:
                self._shares.report(symbol, 0, 0, now)
        for symbol, (shares, sellable) in held.items():
            self._shares.report(symbol, shares, sellable, now)

    def _read_position(self, position: PositionChanged) -> list[Effect]:
        symbol = position.symbol
        open_qty = sum(end.bought - end.sold for end in self._imbalances.values() if end.symbol == symbol)
        was_quiet = self._shares.is_quiet(symbol, position.at)
        before = self._shares.held_before_pairs(symbol) - open_qty
        self._shares.report(symbol, position.held, position.sellable, position.at)
        if not self._blocks.has(symbol, Block.UNHEDGED) or not was_quiet or position.held != before:
            return []
        # Somebody closed it by hand: the position is again what it was before the pair.
        self._imbalances = {pair_id: end for pair_id, end in self._imbalances.items() if end.symbol != symbol}
        return self._lift(symbol, Block.UNHEDGED)

    # --- what pairs report ---

    def _advanced(self, advanced: PairAdvanced, now: Now) -> list[Effect]:
        pair = self._live.get(advanced.pair_id)
        if pair is None:
            return self._adopt(advanced, now) if advanced.state is PairState.RESCUE else []
        most = self._settings.unhedged_shares_max
        if not most or abs(advanced.open_qty) <= most:
            pair.exposed_since = None
        elif pair.exposed_since is None:
            pair.exposed_since = advanced.at
        return []

    def _adopt(self, advanced: PairAdvanced, now: Now) -> list[Effect]:
        """A manager heard a late fill of its last pair and rescues it in its slot: keep the books for it."""
        known = self._remember(advanced.pair_id, advanced.symbol)
        known.rescues += 1
        side = Side.BUY if advanced.open_qty > 0 else Side.SELL
        dearest = self._limits.get(advanced.symbol, (Won(1), Won(1)))[1]
        fill = bare_fill(advanced.pair_id, side, max(1, abs(advanced.open_qty)), dearest, advanced.at)
        plan = replace(self._rescue_plan(LateFill(fill, advanced.symbol)), slot=advanced.slot)
        claim_id = f"{advanced.pair_id}#{known.rescues}"
        self._claim(claim_id, plan, entry_ended=True)
        self._live[plan.pair_id] = LivePair(
            plan, None, Stage.RUNNING, now.mono, claim_id, is_rescue=True, began_by_itself=True, entry_ended=True
        )
        return [Send(Role.SPREAD_ENGINE, AttemptStarted(plan.symbol, plan.pair_id))]

    def _ended(self, ended: PairEnded, now: Now) -> list[Effect]:
        pair = self._live.pop(ended.pair_id, None)
        assert pair is None or pair.stage is Stage.RUNNING
        proved = ended.state is not PairState.UNHEDGED
        claim_id = ended.pair_id if pair is None else pair.claim_id
        self._shares.release(claim_id, ended.symbol, ended.bought, ended.sold, ended.at, proved)
        costs = ended.commission_won + ended.tax_won
        self._cash.release(claim_id, ended.sell_amount, ended.buy_amount + costs)
        self._traded_won += ended.buy_amount + ended.sell_amount
        self._net_won += ended.net_won
        effects = self._watch_rejects(ended, now)
        if ended.state is PairState.UNHEDGED:
            left = joined(self._imbalances.pop(ended.pair_id, None), ended)
            if left.bought != left.sold:
                self._imbalances[ended.pair_id] = left
            effects += self._block(ended.symbol, Block.UNHEDGED, None, now, left.bought - left.sold)
        if not any(end.symbol == ended.symbol for end in self._imbalances.values()):
            effects += self._lift(ended.symbol, Block.UNHEDGED)
        outcome = outcome_of(ended, is_rescue=pair is not None and pair.is_rescue)
        effects.append(Send(Role.SPREAD_ENGINE, AttemptEnded(ended.symbol, ended.pair_id, outcome, ended.at)))
        return effects

    def _watch_rejects(self, ended: PairEnded, now: Now) -> list[Effect]:
        watch = self._rejects.setdefault(ended.symbol, RejectWatch())
        watch.pair_ended(ended.rejects, ended.at)
        if not ended.rejects:
            return []
        effects: list[Effect] = []
        if self._settings.freeze_on_rejects and watch.wants_freeze(now.mono):
            effects += self._block(ended.symbol, Block.REJECTS, Nanos(now.mono + REJECT_FREEZE_NS), now)
        if watch.is_spike(now.mono):
            effects += self._block(ended.symbol, Block.REJECT_SPIKE, Nanos(now.mono + REJECT_SPIKE_NS), now)
        return effects

    # --- rescue and flatten ---

    def _late_fill(self, late: LateFill) -> None:
        pair, known = self._live.get(late.fill.pair_id), self._remembered.get(late.fill.pair_id)
        if late.symbol not in self._entries:
            # A manager that was started again has forgotten whose fill it is.
            assert known is not None, "a fill of a pair that nobody knows"
            late = replace(late, symbol=known.symbol)
        rescue = Rescue(self._rescue_plan(late), late.fill)
        if pair is not None and pair.claim_id == rescue.claim_id:
            # Its manager had begun a rescue of its own and sent the fill back: wait for another slot.
            del self._live[late.fill.pair_id]
            self._rescues.append(rescue)
        elif all(waiting.claim_id != rescue.claim_id for waiting in self._rescues):
            self._queue_rescue(rescue)

    def _queue_rescue(self, rescue: Rescue) -> None:
        self._claim(rescue.claim_id, rescue.plan, entry_ended=True)
        self._rescues.append(rescue)

    def _start_rescues(self, now: Now) -> list[Effect]:
        """Start a child for each late fill that has a slot and whose pair has no live child yet, oldest first."""
        effects: list[Effect] = []
        for _ in range(len(self._rescues)):
            rescue, slot = self._rescues.popleft(), self._lowest_free_slot()
            if rescue.plan.pair_id in self._live or slot == self._settings.slots:
                self._rescues.append(rescue)
                continue
            plan = replace(rescue.plan, slot=slot)
            known = self._remember(plan.pair_id, plan.symbol)
            known.rescues += 1
            self._live[plan.pair_id] = LivePair(
                plan, None, Stage.RUNNING, now.mono, rescue.claim_id, is_rescue=True, entry_ended=True
            )
            effects.append(Send(Role.GATEWAY, PairAssigned(plan.pair_id, slot, plan.symbol)))
            effects.append(Send(Role.PAIR_MANAGER, StartRescue(plan, rescue.fill, known.rescues), slot))
            effects.append(Send(Role.SPREAD_ENGINE, AttemptStarted(plan.symbol, plan.pair_id)))
        return effects

    def _rescue_plan(self, late: LateFill) -> PairPlan:
        """Hedge the fill at its own price on the other venue; not posted first, for it is late already."""
        settings, fill = self._settings, late.fill
        entry, side = self._entries[late.symbol], fill.side.opposite
        lower, upper = self._limits.get(late.symbol, (Won(1), Won(2 * fill.fill_px)))
        on_tick = round_up_to_tick(fill.fill_px) if side is Side.SELL else round_down_to_tick(fill.fill_px)
        price = Won(min(max(on_tick, lower), upper))
        return PairPlan(
            pair_id=fill.pair_id,
            symbol=late.symbol,
            symbol_index=entry.index,
            shard=entry.shard,
            market=entry.market,
            slot=settings.slots,
            qty=fill.fill_qty,
            entry=Leg(fill.venue, fill.side, OrderStyle.LIMIT_IOC, fill.fill_px),
            hedge=Leg(fill.venue.other, side, OrderStyle.LIMIT, price),
            hedge_lock_price=price,
            lower_limit=lower,
            upper_limit=upper,
            t_hedge_ns=Nanos(self._t_hedge_ns.get(late.symbol, settings.t_hedge_ns)),
            ioc_end_ns=Nanos(settings.ioc_end_ns),
            cancel_ns=Nanos(settings.cancel_ns),
            hedge_ioc_only=True,
            hedge_ioc_ticks=settings.hedge_ioc_ticks,
            hedge_fallback_best=settings.hedge_fallback_best,
            max_hedge_attempts=settings.max_hedge_attempts,
            expected_net_mwon=0,
            flat_by_wall=WallNanos(0) if self._trading is None else self._trading.closing_wall,
        )

    def _obey(self, order: OperatorCommand, now: Now) -> list[Effect]:
        match order.command:
            case Command.MUTE:
                symbol = self._named(order)
                return [Record(operator_row(order, now)), *self._block(symbol, Block.MUTED, None, now)]
            case Command.UNMUTE:
                symbol = self._named(order)
                lifted = [*self._lift(symbol, Block.EXPOSED), *self._lift(symbol, Block.MUTED)]
                return [Record(operator_row(order, now)), *lifted]
            case Command.STOP | Command.DISARM:
                self._stopped = True
                return []
            case Command.FLATTEN:
                self._stopped = True
                return self._flatten()
            case Command.ARM | Command.REGISTER_FEEDS | Command.UNREGISTER_FEEDS:
                return []
            case _:
                assert_never(order.command)

    def _named(self, order: OperatorCommand) -> Symbol:
        assert order.symbol is not None, "mute and unmute name a symbol"
        return Symbol(order.symbol)

    def _flatten(self) -> list[Effect]:
        """Every live pair closes now; what ended unhedged gets a child that closes it."""
        effects: list[Effect] = [
            Send(Role.PAIR_MANAGER, FlattenPair(pair.plan.pair_id), pair.plan.slot)
            for pair in self._live.values()
            if pair.stage is Stage.RUNNING
        ]
        for ended in self._imbalances.values():
            fill = open_part(ended)
            # The child carries the open quantity and its price in its own result: it leaves the books until then.
            self._shares.move(ended.symbol, ended.sold - ended.bought)
            amount = fill.fill_qty * fill.fill_px
            self._cash.move(amount if fill.side is Side.BUY else -amount)
            self._traded_won -= amount
            self._queue_rescue(Rescue(self._rescue_plan(LateFill(fill, ended.symbol)), fill))
        self._imbalances = {}
        return effects

    def _restore(self, before: AdmissionRestored, now: Now) -> list[Effect]:
        assert not self._live
        for plan in before.plans:
            self._claim(plan.pair_id, plan)
            self._live[plan.pair_id] = LivePair(plan, None, Stage.RUNNING, now.mono, plan.pair_id)
            self._remember(plan.pair_id, plan.symbol)
        self._traded_won, self._net_won = before.traded_won, before.net_won
        effects: list[Effect] = []
        for symbol in before.muted:
            effects += self._block(symbol, Block.MUTED, None, now)
        for symbol in before.frozen:
            effects += self._block(symbol, Block.EXPOSED, None, now)
        return effects

    # --- blocks and deadlines ---

    def _block(
        self, symbol: Symbol, cause: Block, until: Nanos | None, now: Now, open_qty: int | None = None
    ) -> list[Effect]:
        self._blocks.add(symbol, cause, until)
        blocked = SymbolBlocked(symbol, True, cause.refusal, self._blocks.until(symbol))
        effects: list[Effect] = [Send(Role.SPREAD_ENGINE, blocked)]
        if cause is not Block.MUTED:
            effects.append(Record(block_row(symbol, cause, until, open_qty, now)))
        return effects

    def _lift(self, symbol: Symbol, cause: Block) -> list[Effect]:
        if not self._blocks.lift(symbol, cause):
            return []
        return [Send(Role.SPREAD_ENGINE, SymbolBlocked(symbol, False, cause.refusal))]

    def _let_go(self, now: Now) -> list[Effect]:
        """Whatever is due: silent requests, ended blocks, the kill-switch on what is unhedged."""
        effects: list[Effect] = []
        for pair in [pair for pair in self._live.values() if pair.stage is Stage.REQUESTED]:
            if pair.answer_by <= now.mono:
                assert pair.signal is not None
                self._drop(pair)
                retry_at = Nanos(now.mono + self._settings.answer_ns)
                effects += self._refuse(pair.signal, "THROTTLE_SILENT", retry_at, now)
        for symbol, cause in self._blocks.expire(now.mono):
            effects.append(Send(Role.SPREAD_ENGINE, SymbolBlocked(symbol, False, cause.refusal)))
        for pair in self._live.values():
            if pair.exposed_since is not None and pair.exposed_since + EXPOSED_AFTER_NS <= now.mono:
                pair.exposed_since = None
                effects.append(Send(Role.PAIR_MANAGER, FlattenPair(pair.plan.pair_id), pair.plan.slot))
                effects += self._block(pair.plan.symbol, Block.EXPOSED, None, now)
        return effects

    def _check_invariants(self) -> None:
        slots = [pair.plan.slot for pair in self._live.values() if not pair.began_by_itself]
        assert len(slots) == len(set(slots))
        assert all(0 <= slot < self._settings.slots for slot in slots)
        assert self._live or self._rescues or not self._cash.claimed


def outcome_of(ended: PairEnded, is_rescue: bool) -> AttemptOutcome:
    """What the engine's cooldown is to think of a pair's end. A rescue is never a plain success."""
    match ended.state:
        case PairState.ENTRY_REJECTED:
            return AttemptOutcome.REJECTED
        case PairState.ENTRY_MISSED:
            return AttemptOutcome.MISSED
        case PairState.UNHEDGED:
            return AttemptOutcome.UNHEDGED
        case PairState.PAIRED_DONE if not ended.escalated and not is_rescue:
            return AttemptOutcome.DONE
        case _:
            return AttemptOutcome.ESCALATED


def joined(before: PairEnded | None, ended: PairEnded) -> PairEnded:
    """A pair's imbalance with that of its child, which may have gone the other way."""
    if before is None:
        return ended
    return replace(
        ended,
        bought=Shares(before.bought + ended.bought),
        sold=Shares(before.sold + ended.sold),
        buy_amount=Won(before.buy_amount + ended.buy_amount),
        sell_amount=Won(before.sell_amount + ended.sell_amount),
    )


def open_part(ended: PairEnded) -> OrderFilled:
    """What a pair left unhedged, as one fill at its average price (KRW, rounded down)."""
    assert ended.bought != ended.sold
    is_long = ended.bought > ended.sold
    amount, qty = (ended.buy_amount, ended.bought) if is_long else (ended.sell_amount, ended.sold)
    side = Side.BUY if is_long else Side.SELL
    return bare_fill(ended.pair_id, side, abs(ended.bought - ended.sold), amount // qty, ended.at)


def bare_fill(pair_id: str, side: Side, qty: int, price: int, at: Nanos) -> OrderFilled:
    """A fill of no order of its own (empty cl_ord_id): a quantity to be closed, its costs booked elsewhere."""
    return OrderFilled(
        pair_id=pair_id,
        cl_ord_id="",
        exec_id="",
        venue=VENUES[0],
        side=side,
        fill_px=Won(price),
        fill_qty=Shares(qty),
        cum_qty=Shares(qty),
        leaves_qty=Shares(0),
        commission_cum_won=Won(0),
        tax_cum_won=Won(0),
        at=at,
    )


# --- journal rows ---


def admitted_row(plan: PairPlan, signal: Signal, now: Now) -> Row:
    return Row(
        EventType.ADMITTED,
        now.mono,
        now.wall,
        pair_id=plan.pair_id,
        venue=plan.entry.venue.value,
        symbol=plan.symbol,
        side=plan.entry.side.value,
        qty=plan.qty,
        price=plan.entry.price,
        extra=(*signal.figures, ("slot", plan.slot), ("signal_mono_ns", signal.at)),
    )


def not_admitted_row(signal: Signal, reason: str, suppressed: int, now: Now) -> Row:
    """`suppressed`: equal refusals of this symbol since the last recorded one that have no row of their own."""
    return Row(
        EventType.NOT_ADMITTED,
        now.mono,
        now.wall,
        pair_id=signal.pair_id,
        symbol=signal.symbol,
        reason=reason,
        extra=(*signal.figures, ("suppressed", suppressed)),
    )


def operator_row(order: OperatorCommand, now: Now) -> Row:
    return Row(EventType.OPERATOR, now.mono, now.wall, symbol=order.symbol, reason=order.command.value)


def block_row(symbol: Symbol, cause: Block, until: Nanos | None, open_qty: int | None, now: Now) -> Row:
    """A freeze, or (after rejects or an overload) a short cooldown. `open_qty`: shares left, bought - sold."""
    is_freeze = cause.refusal == "FROZEN"
    extra: tuple[tuple[str, Any], ...] = ()
    if until is not None:
        extra += (("duration_ms", (until - now.mono) // MS),)
    if open_qty is not None:
        extra += (("open_qty", open_qty),)
    return Row(
        EventType.SYMBOL_FROZEN if is_freeze else EventType.COOLDOWN_ARMED,
        now.mono,
        now.wall,
        symbol=symbol,
        reason=cause.name,
        extra=extra,
    )
