"""Incidents about fills: raced, several at once, never made, told twice or by two ways, made while nobody listened."""

from typing import ClassVar, Final

from actors.messages.journal import ABSORBED, EventType, Row
from actors.messages.session import Command, OperatorCommand
from kiwoom.market import MS, SECOND, Nanos
from kiwoom.simulated.ledger import LedgerKind, LedgerRow
from supervision.simulation.checkers.books import OrderFacts
from supervision.simulation.evidence import Breach, Strike, View
from supervision.simulation.incidents.incident import ALL_REPORTS, FILLS, Incident, ledger_is_of, part_of

MANY: Final = ("execution.max_concurrent_symbols=4", "execution.t_hedge_ms=6000")
"""Several hedges may rest at one time, and for long."""


class FillUnderCancel(Incident):
    """The first hedge that rests to its timeout is hit, in whole or in part, between its cancel's call and its end."""

    sets = ("execution.slice_qty=4", "execution.max_concurrent_symbols=1", "execution.t_hedge_ms=300")

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.victim: OrderFacts | None = None
        self.raced = False

    def on_post(self, facts: OrderFacts, at: int) -> None:
        if self.victim is None or not self.raced:
            self.let_rest(facts)

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        if row.kind is LedgerKind.CANCEL and not self.raced:
            self.victim = self.books.numbers[row.orig_order_no, row.symbol]
            self.raced = True
            self.soon(self._race)
        elif row.kind is LedgerKind.FILL and self.raced and ledger_is_of(row, self.victim):
            self.happened = True

    def _race(self) -> None:
        assert self.victim is not None
        self.hit(self.victim, part_of(self.victim.leaves, self.seed))

    def judge(self, view: View, at: Nanos) -> None:
        victim = self.victim
        assert victim is not None
        self.expect_booked(victim, at)
        self.expect_flat(victim, at)
        orders = [facts for facts in victim.pair.orders if not facts.is_cancel]
        after = orders[orders.index(victim) + 1 :]
        wanted = victim.released
        ordered = after[0].attempt.qty if after else 0
        if ordered != wanted:
            self.breach(at, f"{victim.cl_ord_id} left {wanted} to hedge; the next order was for {ordered}")


class SeveralFills(Incident):
    """Every entry is filled in several executions in one instant, several pairs at a time."""

    sets = ("execution.slice_qty=7", "execution.max_concurrent_symbols=3")
    faults: ClassVar = {"report_reordered_ms": 20, "report_reordered_ms_max": 250}
    symbols = 6

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._fills: dict[tuple[str, int], int] = {}
        self._split: dict[str, OrderFacts] = {}

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        facts = self.books.orders.get(row.rq_name)
        if facts is None or facts.attempt.leg != "A":
            return
        if row.kind is LedgerKind.ORDER:
            self.aim("fill_split", row.order_no)
            if self.seed % 2:
                self.aim("report_reordered", row.order_no, ALL_REPORTS)
        elif row.kind is LedgerKind.FILL:
            key = row.rq_name, row.ts
            self._fills[key] = self._fills.get(key, 0) + 1
            if self._fills[key] > 1:
                self._split[row.rq_name] = facts
                self.happened = len(self._split) > 1

    def judge(self, view: View, at: Nanos) -> None:
        for facts in self._split.values():
            self.expect_booked(facts, at)
            self.expect_flat(facts, at)


class PhantomFill(Incident):
    """A hedge that rests is reported to have filled, and the venue never made that fill."""

    sets = ("execution.slice_qty=3", "execution.max_concurrent_symbols=1", "execution.t_hedge_ms=600")
    TOLD_BY_NS: ClassVar = 5 * SECOND
    SAYS: ClassVar = (EventType.SAFE_STATE, EventType.SYMBOL_FROZEN, EventType.DISARMED, EventType.UNHEDGED)
    inevitable = frozenset({"MONEY", "REPLAY", "PAIR ENDS", "OWNED", "UNHEDGED TIME", "FLAT IN TIME"})
    """Books that have a fill which the broker's do not cannot agree with them; shares that nobody was told of cannot be
    closed. All others stand: nothing more is risked."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.victim: OrderFacts | None = None
        self.told_at = 0
        self.said: Row | None = None
        self.later_entries: list[tuple[int, str]] = []

    def on_post(self, facts: OrderFacts, at: int) -> None:
        if not self.happened:
            self.let_rest(facts)

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        facts = self.books.orders.get(row.rq_name)
        if row.kind is LedgerKind.ORDER and not self.happened and facts is not None and facts.is_hedge:
            self.aim("phantom_report", row.order_no)

    def struck(self, strike: Strike, at: Nanos) -> None:
        if strike.fault == "phantom_report":
            self.happened, self.told_at = True, at
            self.victim = next(facts for facts in self.books.live.values() if facts.order_no == strike.subject)

    def on_entry(self, facts: OrderFacts, at: int) -> None:
        if self.happened:
            self.later_entries.append((at, facts.cl_ord_id))

    def journal(self, row: Row, at: Nanos) -> None:
        super().journal(row, at)
        if self.victim is not None and self.said is None and row.event_type in self.SAYS:
            about_it = row.pair_id == self.victim.pair.pair_id or row.symbol == self.victim.pair.symbol
            if about_it or row.event_type is EventType.SAFE_STATE:
                self.said = row

    def is_inevitable(self, breach: Breach) -> bool:
        if self.victim is None or breach.rule not in self.inevitable:
            return False
        if breach.rule == "MONEY":
            return True  # the sum of the day is wrong by it too
        pair = self.victim.pair
        return f"{pair.pair_id}:" in breach.what or f"{pair.pair_id} " in breach.what or pair.symbol in breach.what

    def judge(self, view: View, at: Nanos) -> None:
        victim = self.victim
        assert victim is not None
        if self.said is None:
            self.breach(at, f"no row says that the fill of {victim.cl_ord_id} was never made")
        late = [name for when, name in self.later_entries if when > self.told_at + self.TOLD_BY_NS]
        if late:
            self.breach(at, f"entries go on after a fill that was never made: {', '.join(late)}")


class InferredFill(Incident):
    """The fill of an entry is told by a list before its own report comes, a second later."""

    sets = ("execution.slice_qty=3", "execution.max_concurrent_symbols=1")
    faults: ClassVar = {"report_delayed_ms": 1_800, "report_delayed_ms_max": 2_600}

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.filled_at: dict[str, int] = {}
        self.inferred: dict[str, OrderFacts] = {}
        self.absorbed = 0

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        facts = self.books.orders.get(row.rq_name)
        if facts is None or facts.attempt.leg != "A":
            return
        if row.kind is LedgerKind.ORDER and len(self.filled_at) < 2:
            self.aim("report_delayed", row.order_no, ALL_REPORTS)
        elif row.kind is LedgerKind.FILL:
            self.filled_at.setdefault(row.rq_name, at)

    def journal(self, row: Row, at: Nanos) -> None:
        super().journal(row, at)
        name = row.cl_ord_id or ""
        if row.event_type in FILLS and row.reason == "DOUBT" and name in self.filled_at:
            self.inferred[name] = self.books.orders[name]
        elif row.event_type is EventType.SERVER_MESSAGE and row.reason == ABSORBED:
            self.absorbed += 1
        self.happened = bool(self.inferred) and self.absorbed > 0

    def judge(self, view: View, at: Nanos) -> None:
        for facts in self.inferred.values():
            self.expect_booked(facts, at)
            self.expect_flat(facts, at)


class ReplayedFill(Incident):
    """A fill is booked, the machine dies, and the successor is told of the same fill by the lists and by a repeat."""

    sets = ("execution.slice_qty=3", "execution.max_concurrent_symbols=1")
    faults: ClassVar = {"report_repeated_ms": 6_000, "report_repeated_ms_max": 7_000}
    length_ns = 18 * SECOND

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.leg = "AB"[seed % 2]
        self.victim: OrderFacts | None = None
        self.repeats_at: list[int] = []
        self.killed = False

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        facts = self.books.orders.get(row.rq_name)
        if row.kind is LedgerKind.ORDER and self.victim is None and facts is not None and facts.attempt.leg == self.leg:
            self.victim = facts
            self.aim("report_repeated", row.order_no, ALL_REPORTS)

    def struck(self, strike: Strike, at: Nanos) -> None:
        if strike.fault == "report_repeated":
            self.repeats_at.append(at + strike.size_ns)

    def journal(self, row: Row, at: Nanos) -> None:
        super().journal(row, at)
        victim = self.victim
        if victim is None:
            return
        if row.event_type in FILLS and row.cl_ord_id == victim.cl_ord_id and not self.killed:
            self.killed = True
            self.soon(lambda: self.kill_machine(300 * MS))
        elif row.event_type is EventType.RECONCILED and self.starts > 1:
            self.happened |= any(repeat > at for repeat in self.repeats_at)

    def judge(self, view: View, at: Nanos) -> None:
        assert self.victim is not None
        self.expect_booked(self.victim, at)
        self.expect_flat(self.victim, at)


class OutageBurst(Incident):
    """While the line is down, all hedges that rest are hit at once."""

    sets = (MANY[0], "execution.t_hedge_ms=3000")
    symbols = 6
    length_ns = 22 * SECOND
    DOWN_NS: ClassVar = 2_500 * MS

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.cut_at = 0
        self.burst: list[OrderFacts] = []
        self.filled: set[str] = set()

    def on_post(self, facts: OrderFacts, at: int) -> None:
        if not self.cut_at:
            self.let_rest(facts)

    def journal(self, row: Row, at: Nanos) -> None:
        super().journal(row, at)
        if not self.cut_at and row.event_type is EventType.ORDER_ACCEPTED and len(self.resting) >= 3:
            self.cut_at = at
            self.soon(self._cut)

    def _cut(self) -> None:
        self.world.disturb(lambda broker, wall: broker.cut_line(wall, self.DOWN_NS))
        self.world.operate(OperatorCommand(Command.STOP))
        self.soon(self._hit_all, 300 * MS)
        if self.seed % 2:
            self.aim("query_failed", "*", 3)

    def _hit_all(self) -> None:
        self.burst = self.resting
        for facts in self.burst:
            self.hit(facts, facts.leaves)

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        if row.kind is LedgerKind.FILL and self.cut_at < at < self.cut_at + self.DOWN_NS and self.burst:
            self.filled.add(row.rq_name)
            self.happened = len(self.filled) > 1

    def judge(self, view: View, at: Nanos) -> None:
        for facts in self.burst:
            self.expect_booked(facts, at)
            self.expect_flat(facts, at)
