"""Router's core: may this signal become a pair, with which legs, in which slot?

A signal passes the checks of `actors.domain.risk`, claims its shares, cash and slot, and asks the Throttler. The
claims are held while the answer is under way; a grant starts the pair, anything else gives them back. An ended pair
frees its slot, books what it bought and sold, and lets the next one in.

A successor admits nothing before the Gateway has told what its predecessor had under way (AdmissionRestored) and the
Supervisor who is up; what pairs and broker say until then waits, so that the books are opened before they are moved.
An end is booked once by (pair_id, child), so whoever is not sure that it was heard may say it again.

Limits: as many pairs as PairManagers (`slots`). A signal that is not admitted is forgotten; the engine is told when
to look again. Forgotten with a predecessor: its short rests (rejects, overload) and the rejects of the last minute.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TypeGuard, assert_never

from actors.domain.admission_rows import admitted_row, block_row, not_admitted_row, operator_row, unknown_fill_row
from actors.domain.blocks import Block, Blocks
from actors.domain.legs import LegStyle, cash_at_worst, first_side
from actors.domain.live_pairs import LivePair, PairsKnown, Rescue, Stage, lowest_free_slot
from actors.domain.pair_books import PairBooks, bare_fill
from actors.domain.pair_layout import Ground, PairTerms, plan_of_late_fill, plan_of_signal
from actors.domain.risk import Gate, RejectWatch, RiskLimits, Situation, gate_refusal, refusal
from actors.domain.symbol_map import SymbolEntry
from actors.effects import Effect, Effects, Record, Role, Send
from actors.messages.orders import OrderFilled, OrderKind
from actors.messages.pairs import (
    AccountSnapshot,
    AdmissionRestored,
    CheckPair,
    CountPairs,
    FlattenPair,
    LateFill,
    OrderEnded,
    PairAdvanced,
    PairAssigned,
    PairEnded,
    PairPlan,
    PairsCounted,
    PairState,
    PositionChanged,
    SlotRestored,
    StartPair,
    StartRescue,
    SymbolOverloaded,
)
from actors.messages.session import ActorsDown, Command, OperatorCommand, TradingState
from actors.messages.spread import AttemptEnded, AttemptOutcome, AttemptStarted, Signal, SignalDropped, SymbolBlocked
from actors.messages.supervision import ResendState
from actors.messages.throttle import (
    EntriesPaused,
    EntryDenied,
    EntryGranted,
    EntryLent,
    RequestEntry,
    ReturnEntry,
)
from kiwoom.fees import CostModel
from kiwoom.market import MS, SECOND, Nanos, Now, Shares, Side, Symbol, WallNanos, Won

REJECT_SPIKE_NS = 200 * MS
REJECT_FREEZE_NS = 60 * SECOND
OVERLOAD_NS = 250 * MS
EXPOSED_AFTER_NS = SECOND
REPEAT_EVERY_NS = SECOND
"""The same refusal of the same symbol is recorded once in this time."""
LENT_TRAVEL_NS = 20 * MS
"""A loan that ends sooner is not used: the entry has two hops before it."""
LOOK_AGAIN_NS = SECOND
"""When to look again after a refusal whose end no message announces."""
NOT_TOLD_YET = ("?",)
"""In place of the actors that are down, until a successor was told."""

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
    | SlotRestored
    | ResendState
    | CountPairs
)

BookMoving = PositionChanged | OrderEnded | LateFill | PairAdvanced | PairEnded | SlotRestored
"""What waits until the books are open."""


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
    is_successor: bool = False
    """Another Router worked before this one: the Gateway will tell what it had under way."""

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

    def terms(self, symbol: Symbol) -> PairTerms:
        own = next((t_hedge for each, t_hedge in self.t_hedge_per_symbol_ns if each == symbol), self.t_hedge_ns)
        return PairTerms(
            t_hedge_ns=Nanos(own),
            ioc_end_ns=Nanos(self.ioc_end_ns),
            cancel_ns=Nanos(self.cancel_ns),
            hedge_ioc_only=symbol in self.hedge_ioc_only,
            hedge_ioc_ticks=self.hedge_ioc_ticks,
            hedge_fallback_best=self.hedge_fallback_best,
            max_hedge_attempts=self.max_hedge_attempts,
        )


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
        self._books = PairBooks(settings.settle_ns)
        self._blocks = Blocks()
        self._live: dict[str, LivePair] = {}
        """By pair_id; at most one per slot."""
        self._known = PairsKnown()
        self._rescues: deque[Rescue] = deque()
        """Late fills that wait for a slot. Each is a real fill of one of our orders, and while one waits its pair has
        no manager that could send more: bounded by the orders under way, so never dropped."""
        self._early: list[BookMoving | AccountSnapshot | OperatorCommand] | None = []
        """What came before the books were open, in order. Nothing is admitted meanwhile, so only pairs that live
        already can speak: a few messages each. None once they are open."""
        self._flatten_early = False
        self._rejects: dict[Symbol, RejectWatch] = {}
        self._repeats: dict[tuple[Symbol, str], Repeats] = {}
        """At most symbols times reasons."""
        self._limits: dict[Symbol, tuple[Won, Won]] = {}
        self._tradable: frozenset[Symbol] = frozenset()
        self._conflicted: frozenset[Symbol] = frozenset()
        self._trading: TradingState | None = None
        self._stopped = False
        """Stop or Flatten was pressed; the next TradingState says what holds."""
        self._flattening = False
        """Flatten was the last word on trading."""
        self._actors_down: tuple[str, ...] = NOT_TOLD_YET if settings.is_successor else ()
        self._paused = False
        self._lent: EntryLent | None = None
        self._lent_used = 0
        """The last loan used: news of its renewal may still be on the way."""

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

    @property
    def running_pairs(self) -> tuple[str, ...]:
        """The pairs that it counts as live: for whoever looks on."""
        return tuple(pair_id for pair_id, pair in self._live.items() if pair.stage is Stage.RUNNING)

    def _take(self, message: RouterMessage, now: Now) -> Iterable[Effect]:
        if self._early is not None and self._is_early(message):
            self._early.append(message)
            return ()
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
                self._read_account(message)
                return self._open_books(now)
            case PositionChanged():
                if self._books.read_position(message):
                    return self._lift(message.symbol, Block.UNHEDGED)
            case OrderEnded():
                self._order_ended(message)
            case SymbolOverloaded():
                return self._block(message.symbol, Block.OVERLOAD, Nanos(message.at + OVERLOAD_NS), now)
            case LateFill():
                return self._late_fill(message, now)
            case PairAdvanced():
                return self._advanced(message, now)
            case PairEnded():
                return self._ended(message, now)
            case ActorsDown():
                self._actors_down = message.names
            case AdmissionRestored():
                return self._restore(message, now)
            case SlotRestored():
                return self._check_slot(message.slot)
            case ResendState():
                return self._tell_again(message)
            case CountPairs():
                # While the books are not open nobody knows how many there are.
                admitting = self._early is not None or (self._trading is not None and self._trading.armed)
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
            session_won=Won(self._books.traded_won + live_won),
            net_won=Won(self._books.net_won),
            orders=self._books.orders,
            entry_side=plan.entry.side,
            free_shares=self._books.shares.free(symbol, now),
            cash_needed=self._cash_needed(plan),
            free_cash=self._books.cash.free,
            new_orders=((plan.entry.venue, plan.entry.side), (plan.hedge.venue, plan.hedge.side)),
            own_orders=tuple(order for pair in on_symbol for order in pair.own_orders),
            slot_free=plan.slot < settings.slots,
            observe=settings.observe,
        )

    def _plan(self, signal: Signal, entry: SymbolEntry, now: Nanos) -> PairPlan:
        """The pair as it would run; its slot is `slots` if none is free."""
        settings, symbol = self._settings, signal.symbol
        qty = Shares(settings.slice_qty)
        side = first_side(settings.style.entry_leg, self._books.shares.free(symbol, now), qty)
        slot = lowest_free_slot(self._live.values(), settings.slots)
        ground = Ground(entry, self._limits[symbol], slot, self._flat_by)
        return plan_of_signal(signal, side, qty, settings.style, settings.costs, settings.terms(symbol), ground)

    @property
    def _flat_by(self) -> WallNanos:
        return WallNanos(0) if self._trading is None else self._trading.closing_wall

    def _slot_for(self, pair: LivePair) -> int:
        """The pair's own slot if nobody else has it, else the lowest free one."""
        if any(other.plan.slot == pair.plan.slot for other in self._live.values() if other is not pair):
            return lowest_free_slot(self._live.values(), self._settings.slots)
        return pair.plan.slot

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
        self._known.begin(plan.pair_id, plan.symbol)
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

    def _claim(self, claim_id: str, plan: PairPlan, *, entry_ended: bool = False) -> None:
        self._books.claim(claim_id, plan, self._cash_needed(plan), entry_ended=entry_ended)

    def _drop(self, pair: LivePair) -> None:
        """The request came to nothing: no order was sent."""
        assert pair.stage is Stage.REQUESTED
        del self._live[pair.plan.pair_id]
        self._books.drop(pair.claim_id, pair.plan.symbol)

    def _order_ended(self, ended: OrderEnded) -> None:
        self._books.order_ended(ended)
        pair = self._live.get(ended.pair_id)
        if pair is None or ended.kind is not OrderKind.ENTRY or pair.is_rescue:
            return
        pair.entry_ended = True
        filled = replace(pair.plan, qty=min(pair.plan.qty, ended.filled_qty))
        self._books.cash.shrink(ended.pair_id, self._cash_needed(filled))

    def _read_account(self, account: AccountSnapshot) -> None:
        self._limits = {symbol: (lower, upper) for symbol, lower, upper in account.limits}
        self._tradable = frozenset(account.tradable)
        self._conflicted = frozenset(account.conflicted)
        self._books.read_account(account)

    # --- what pairs report ---

    def _advanced(self, advanced: PairAdvanced, now: Now) -> list[Effect]:
        self._known.restored(advanced.pair_id, advanced.generation)
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
        child = self._known.begin_child(advanced.pair_id, advanced.symbol)
        side = Side.BUY if advanced.open_qty > 0 else Side.SELL
        dearest = self._limits.get(advanced.symbol, (Won(1), Won(1)))[1]
        fill = bare_fill(advanced.pair_id, side, max(1, abs(advanced.open_qty)), dearest, advanced.at)
        plan = replace(self._rescue_plan(fill, advanced.symbol), slot=advanced.slot)
        claim_id = f"{advanced.pair_id}#{child}"
        self._claim(claim_id, plan, entry_ended=True)
        self._live[plan.pair_id] = LivePair(
            plan, None, Stage.RUNNING, now.mono, claim_id, child, began_by_itself=True, entry_ended=True
        )
        return [Send(Role.SPREAD_ENGINE, AttemptStarted(plan.symbol, plan.pair_id))]

    def _ended(self, ended: PairEnded, now: Now) -> list[Effect]:
        pair = self._live.get(ended.pair_id)
        if pair is not None and pair.is_missing(ended):
            ended = replace(ended, child=pair.child)
            if pair.rescue is not None:
                # Its manager died before it had begun: the fill is still open, its claims are still held.
                self._known.end(ended.pair_id, ended.child, ended.symbol)
                del self._live[ended.pair_id]
                self._rescues.append(pair.rescue)
                return []
        elif self._known.has_ended(ended.pair_id, ended.child):
            return self._ended_again(pair, ended)
        assert pair is None or pair.stage is Stage.RUNNING
        self._known.end(ended.pair_id, ended.child, ended.symbol)
        self._live.pop(ended.pair_id, None)
        if pair is None:
            self._books.end(ended.pair_id, ended)
        else:
            self._books.end(pair.claim_id, ended, restored=pair.restored)
        effects = self._watch_rejects(ended, now)
        if ended.state is PairState.UNHEDGED:
            effects += self._block(ended.symbol, Block.UNHEDGED, None, now, self._books.left_open(ended.pair_id))
        if ended.symbol not in self._books.unbalanced():
            effects += self._lift(ended.symbol, Block.UNHEDGED)
        outcome = outcome_of(ended, is_rescue=pair is not None and pair.is_rescue)
        effects.append(Send(Role.SPREAD_ENGINE, AttemptEnded(ended.symbol, ended.pair_id, outcome, ended.at)))
        return effects

    def _ended_again(self, pair: LivePair | None, ended: PairEnded) -> list[Effect]:
        """A repeat: booked before. A rescue that its manager took up for nothing is let go."""
        if pair is None or not pair.began_by_itself or pair.plan.slot != ended.slot:
            return []
        del self._live[ended.pair_id]
        self._books.drop(pair.claim_id, pair.plan.symbol)
        return [Send(Role.SPREAD_ENGINE, AttemptEnded(ended.symbol, ended.pair_id, AttemptOutcome.ESCALATED, ended.at))]

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

    def _late_fill(self, late: LateFill, now: Now) -> list[Effect]:
        # A manager that was started again has forgotten whose fill it is.
        symbol = late.symbol if late.symbol in self._entries else self._known.symbol(late.fill.pair_id)
        if symbol is None or symbol not in self._entries:
            return [Record(unknown_fill_row(late, now))]
        pair = self._live.get(late.fill.pair_id)
        rescue = Rescue(self._rescue_plan(late.fill, symbol), late.fill, late.carried)
        if pair is not None and pair.claim_id == rescue.claim_id:
            # Its manager had begun a rescue of its own and sent the fill back: wait for another slot.
            del self._live[late.fill.pair_id]
            self._rescues.append(rescue)
        elif all(waiting.claim_id != rescue.claim_id for waiting in self._rescues):
            self._queue_rescue(rescue)
        return []

    def _queue_rescue(self, rescue: Rescue) -> None:
        self._claim(rescue.claim_id, rescue.plan, entry_ended=True)
        self._rescues.append(rescue)

    def _start_rescues(self, now: Now) -> list[Effect]:
        """Start a child for each late fill that has a slot and whose pair has no live child yet, oldest first."""
        effects: list[Effect] = []
        for _ in range(len(self._rescues)):
            rescue, slot = self._rescues.popleft(), lowest_free_slot(self._live.values(), self._settings.slots)
            if rescue.plan.pair_id in self._live or slot == self._settings.slots:
                self._rescues.append(rescue)
                continue
            plan = replace(rescue.plan, slot=slot)
            child = self._known.begin_child(plan.pair_id, plan.symbol)
            generation = self._known.generation(plan.pair_id)
            self._live[plan.pair_id] = LivePair(
                plan, None, Stage.RUNNING, now.mono, rescue.claim_id, child, rescue, entry_ended=True
            )
            effects.append(Send(Role.GATEWAY, PairAssigned(plan.pair_id, slot, plan.symbol)))
            effects.append(
                Send(Role.PAIR_MANAGER, StartRescue(plan, rescue.fill, child, generation, rescue.carried), slot)
            )
            effects.append(Send(Role.SPREAD_ENGINE, AttemptStarted(plan.symbol, plan.pair_id)))
        return effects

    def _rescue_plan(self, fill: OrderFilled, symbol: Symbol) -> PairPlan:
        limits = self._limits.get(symbol, (Won(1), Won(2 * fill.fill_px)))
        ground = Ground(self._entries[symbol], limits, self._settings.slots, self._flat_by)
        return plan_of_late_fill(fill, self._settings.terms(symbol), ground)

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
                self._stopped, self._flattening = True, False
                return []
            case Command.FLATTEN:
                self._stopped = self._flattening = True
                if self._early is not None:
                    self._flatten_early = True
                    return []
                return self._flatten()
            case Command.ARM:
                self._flattening = False
                return []
            case Command.REGISTER_FEEDS | Command.UNREGISTER_FEEDS:
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
        for symbol, fill, carried in self._books.hand_over():
            self._queue_rescue(Rescue(self._rescue_plan(fill, symbol), fill, carried))
        return effects

    # --- successors, this one and others ---

    def _is_early(self, message: RouterMessage) -> TypeGuard[BookMoving | AccountSnapshot | OperatorCommand]:
        """It must wait for the books. A first Router opens them with the account, a successor when it was told."""
        match message:
            case AccountSnapshot():
                return self._settings.is_successor
            case OperatorCommand():
                return self._settings.is_successor and message.command in (Command.MUTE, Command.UNMUTE)
            case _:
                return isinstance(message, BookMoving)

    def _restore(self, before: AdmissionRestored, now: Now) -> list[Effect]:
        """From the journal. A Router that has books already is told by a Gateway that was started again: it has seen
        more itself, but what it holds for running and the journal for ended, it asks after."""
        if self._early is None:
            ended = {(pair_id, child) for pair_id, child, _ in before.ended}
            running = [pair for pair in self._live.values() if pair.stage is Stage.RUNNING]
            return [self._check(pair) for pair in running if (pair.plan.pair_id, pair.child) in ended]
        effects: list[Effect] = []
        for pair_id, child, symbol in before.ended:
            self._known.end(pair_id, child, symbol)
        self._books.restore(before)
        for plan in before.plans:
            child = self._known.resume(plan.pair_id, plan.symbol)
            self._claim(plan.pair_id, plan)
            self._live[plan.pair_id] = LivePair(plan, None, Stage.RUNNING, now.mono, plan.pair_id, child, restored=True)
            effects.append(Send(Role.SPREAD_ENGINE, AttemptStarted(plan.symbol, plan.pair_id)))
            # Its end may have been told to the predecessor alone, a moment before the journal had it.
            effects.append(self._check(self._live[plan.pair_id]))
        for pair_id, generation in before.generations:
            self._known.restored(pair_id, generation)
        for symbols, cause in (
            (before.muted, Block.MUTED),
            (before.frozen, Block.EXPOSED),
            (self._books.unbalanced(), Block.UNHEDGED),
        ):
            for symbol in symbols:
                effects += self._block(symbol, cause, None, now, again=True)
        return [*effects, *self._open_books(now)]

    def _open_books(self, now: Now) -> list[Effect]:
        """Now what came early, in order; then a Flatten that came before there was anything to flatten."""
        early, self._early = self._early or (), None
        effects = [effect for message in early for effect in self._take(message, now)]
        if self._flatten_early:
            self._flatten_early = False
            effects += self._flatten()
        return effects

    def _check_slot(self, slot: int) -> list[Effect]:
        """The slot's manager is new. The Gateway gave it the pair of which orders were sent; there may be none."""
        pairs = [pair for pair in self._live.values() if pair.stage is Stage.RUNNING and pair.plan.slot == slot]
        effects: list[Effect] = [self._check(pair) for pair in pairs]
        if self._flattening:
            effects += [Send(Role.PAIR_MANAGER, FlattenPair(pair.plan.pair_id), slot) for pair in pairs]
        return effects

    def _check(self, pair: LivePair) -> Send:
        """A manager that goes on with the pair says nothing, one that has ended it says so again."""
        pair.checked = True
        return Send(Role.PAIR_MANAGER, CheckPair(pair.plan, pair.child), pair.plan.slot)

    def _tell_again(self, successor: ResendState) -> list[Effect]:
        running = [pair for pair in self._live.values() if pair.stage is Stage.RUNNING]
        match Role(successor.name):
            case Role.SPREAD_ENGINE:
                paused = [SymbolBlocked(None, True, "AUTO_PAUSE")] if self._paused else []
                blocked = [
                    SymbolBlocked(symbol, True, cause.refusal, self._blocks.until(symbol))
                    for symbol, cause in self._blocks.standing()
                ]
                attempts = [AttemptStarted(pair.plan.symbol, pair.plan.pair_id) for pair in running]
                return [Send(Role.SPREAD_ENGINE, message) for message in (*paused, *blocked, *attempts)]
            case Role.GATEWAY:
                # The slot of a rescue stands in no order's command before its first.
                return [
                    Send(Role.GATEWAY, PairAssigned(pair.plan.pair_id, pair.plan.slot, pair.plan.symbol))
                    for pair in running
                    if pair.is_rescue
                ]
            case Role.THROTTLER:
                self._lent = None  # the new one does not hold that slot
                return []
            case _:
                return []

    # --- blocks and deadlines ---

    def _block(
        self,
        symbol: Symbol,
        cause: Block,
        until: Nanos | None,
        now: Now,
        open_qty: int | None = None,
        *,
        again: bool = False,
    ) -> list[Effect]:
        """`again`: it was recorded before."""
        self._blocks.add(symbol, cause, until)
        blocked = SymbolBlocked(symbol, True, cause.refusal, self._blocks.until(symbol))
        effects: list[Effect] = [Send(Role.SPREAD_ENGINE, blocked)]
        if cause is not Block.MUTED and not again:
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
        slots = [pair.plan.slot for pair in self._live.values() if not (pair.began_by_itself or pair.restored)]
        assert len(slots) == len(set(slots))
        assert all(0 <= slot < self._settings.slots for slot in slots)
        assert self._live or self._rescues or not self._books.cash.claimed


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
