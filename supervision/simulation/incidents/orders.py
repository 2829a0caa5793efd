"""Incidents about orders: of unknown number, that outlive the machine, that are cancelled, that leave together."""

from typing import ClassVar

from actors.messages.journal import EventType, Row
from actors.messages.pairs import PairState
from actors.messages.session import Command, OperatorCommand
from kiwoom.market import MS, SECOND, Nanos
from kiwoom.simulated.broker import SimulatedBroker
from kiwoom.simulated.ledger import LedgerKind, LedgerRow
from supervision.simulation.checkers.books import ATTEMPTS, CALLS, OrderFacts, is_ours
from supervision.simulation.day import CLOSE
from supervision.simulation.evidence import Strike, View
from supervision.simulation.incidents.incident import ALL_REPORTS, FILLS, Incident

GIVEN_UP = (PairState.ENTRY_MISSED.value, PairState.ENTRY_REJECTED.value)


class NoNumber(Incident):
    """An order's number never comes, its reports come late: an entry, or (odd seeds) a hedge hit half a second later.

    The lists of orders leave it out at first.
    """

    sets = ("execution.slice_qty=2", "execution.max_concurrent_symbols=1")
    faults: ClassVar = {
        "report_delayed_ms": 1_500,
        "report_delayed_ms_max": 2_500,
        "list_lag_ms": 500,
        "list_lag_ms_max": 800,
    }

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.victim: OrderFacts | None = None
        self.given_up: list[str] = []
        self.filled_at = 0

    def on_entry(self, facts: OrderFacts, at: int) -> None:
        if self.seed % 2 == 0:
            self._strike(facts)

    def on_post(self, facts: OrderFacts, at: int) -> None:
        if self.seed % 2 and self._strike(facts):
            self.let_rest(facts)
            self.soon(self._hit_late, 600 * MS)

    def _strike(self, facts: OrderFacts) -> bool:
        if self.victim is not None:
            return False
        self.victim = facts
        self.aim("order_no_never", facts.cl_ord_id)
        self.aim("list_lag", "*", 1)
        return True

    def _hit_late(self) -> None:
        if self.victim is not None and self.victim.live:
            self.hit(self.victim, self.victim.leaves)

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        if self.victim is None or row.rq_name != self.victim.cl_ord_id:
            return
        if row.kind is LedgerKind.ORDER:
            self.aim("report_delayed", row.order_no, ALL_REPORTS)
        elif row.kind is LedgerKind.FILL:
            self.filled_at = self.filled_at or at

    def journal(self, row: Row, at: Nanos) -> None:
        super().journal(row, at)
        victim = self.victim
        if victim is None:
            return
        if row.event_type is EventType.ORDER_TIMEOUT and row.cl_ord_id == victim.cl_ord_id:
            self.happened = True
        elif row.event_type is EventType.PAIR_STATE and row.state in GIVEN_UP and row.pair_id == victim.pair.pair_id:
            self.given_up.append(row.state or "")

    def judge(self, view: View, at: Nanos) -> None:
        victim = self.victim
        assert victim is not None
        if not victim.filled:
            self.breach(at, f"did not happen: {victim.cl_ord_id} never filled")
        if self.given_up and victim.attempt.leg == "A":
            self.breach(at, f"{victim.cl_ord_id} was given up as {self.given_up[0]} and had filled {victim.filled}")
        self.expect_booked(victim, at)
        self.expect_flat(victim, at)


class SentAnew(Incident):
    """The machine dies between an entry's row and its call, after it, with a hedge resting, or its cancel under way."""

    sets = ("execution.slice_qty=2", "execution.max_concurrent_symbols=1", "execution.t_hedge_ms=600")
    length_ns = 12 * SECOND

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.variant = seed % 4
        self.victim: OrderFacts | None = None
        self.entries: dict[str, int] = {}
        self.died_at = 0

    def on_entry(self, facts: OrderFacts, at: int) -> None:
        if self.variant < 2 and self._choose(facts):
            self.soon(self._die, self.variant * 6 * MS)

    def on_post(self, facts: OrderFacts, at: int) -> None:
        if self.victim is None:
            self.let_rest(facts)
            if self.variant == 2 and self._choose(facts):
                self.soon(self._die, 200 * MS)

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        facts = self.books.orders.get(row.rq_name)
        if row.kind is LedgerKind.CANCEL and self.variant == 3 and facts is not None and self._choose(facts):
            self.soon(self._die)
        elif row.kind is LedgerKind.ORDER and facts is not None and facts.attempt.leg == "A":
            self.entries[facts.pair.pair_id] = self.entries.get(facts.pair.pair_id, 0) + 1

    def _choose(self, facts: OrderFacts) -> bool:
        if self.victim is not None:
            return False
        self.victim = facts
        return True

    def _die(self) -> None:
        self.died_at = self.world.time.now
        self.kill_machine(100 * MS)

    def journal(self, row: Row, at: Nanos) -> None:
        super().journal(row, at)
        self.happened |= row.event_type is EventType.RECONCILED and self.starts > 1

    def judge(self, view: View, at: Nanos) -> None:
        assert self.victim is not None
        self.expect_flat(self.victim, at)
        for pair_id, count in self.entries.items():
            if count > 1:
                self.breach(at, f"the entry of {pair_id} was sent {count} times")
        again = [each for each in self.entries if each.startswith("s1-") and self._is_late(each)]
        if again:
            self.breach(at, f"entries of the machine that died were sent by its successor: {', '.join(again)}")

    def _is_late(self, pair_id: str) -> bool:
        """Its entry was called after the machine that admitted it had died."""
        entry = next(facts for facts in self.books.pairs[pair_id].orders if facts.attempt.leg == "A")
        return entry.called is not None and entry.called.ts_mono_ns > self.died_at


class DroppedOrder(Incident):
    """The machine is started again while a hedge rests whose symbol the trader has traded by hand meanwhile.

    So the day's fills of our orders do not add up to what the account holds, and the list of open orders has the
    trader's own orders on its first page.
    """

    sets = ("execution.slice_qty=2", "execution.max_concurrent_symbols=1", "execution.t_hedge_ms=4000")
    broker: ClassVar = {"rows_per_page": 1}
    flow: ClassVar = {"long_ms": (30_000, 40_000), "quotes_per_second": 1}
    length_ns = 24 * SECOND

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.victim: OrderFacts | None = None
        self.by_hand = 0
        self.known_after = False

    def on_post(self, facts: OrderFacts, at: int) -> None:
        if self.victim is None:
            self.let_rest(facts)

    def journal(self, row: Row, at: Nanos) -> None:
        super().journal(row, at)
        if self.victim is None:
            if row.event_type is EventType.ORDER_ACCEPTED and self.resting:
                self.victim = self.resting[0]
                self.soon(self._die)
            return
        if row.event_type is EventType.RECONCILED and self.starts > 1:
            self.happened |= self.victim.live and self.by_hand > 1
        elif self.starts > 1:
            self.known_after |= row.cl_ord_id == self.victim.cl_ord_id or row.orig_order_no == self.victim.order_no

    def _die(self) -> None:
        self.kill_machine(300 * MS)
        self.soon(self._trade_by_hand, 50 * MS)

    def _trade_by_hand(self) -> None:
        victim = self.victim
        assert victim is not None

        def trade(broker: SimulatedBroker, wall: int) -> None:
            symbol, other = victim.pair.symbol, "KRX" if victim.attempt.venue == "NXT" else "NXT"
            book = broker.market.book(other, symbol)
            mono = self.world.time.now
            for hoga, price in (("00", book.bids[5][0]), ("10", book.asks[0][0])):
                number = broker.order_by_hand(other, symbol, "BUY", 1, price, hoga, mono, wall)
                self.by_hand += bool(number)

        self.world.disturb(trade)

    def judge(self, view: View, at: Nanos) -> None:
        assert self.victim is not None
        if not self.known_after:
            self.breach(at, f"the machine that was started again never spoke of {self.victim.cl_ord_id}")
        self.expect_booked(self.victim, at)
        self.expect_flat(self.victim, at)


class PositionMismatch(Incident):
    """While the machine is down (odd seeds: while its line is), the trader sells all shares of a symbol by hand."""

    sets = ("execution.max_concurrent_symbols=1",)
    flow: ClassVar = {"long_ms": (1_200, 2_000)}
    symbols = 4
    length_ns = 22 * SECOND

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.symbol = ""
        self.shown = False
        self.tempted = 0
        self.uncovered: list[str] = []

    def journal(self, row: Row, at: Nanos) -> None:
        super().journal(row, at)
        done = row.event_type is EventType.PAIRED_DONE
        if not self.symbol and done and self.world.start_holdings.get(row.symbol or ""):
            self.symbol = row.symbol or ""
            self.soon(self._go_down)
        if self.happened and row.symbol == self.symbol:
            self.tempted += row.event_type is EventType.SIGNAL
            self.shown |= row.event_type is EventType.POSITION_UPDATE
            self.shown |= row.event_type is EventType.RECONCILED

    def _his(self) -> int:
        """Shares that the trader may call his own: what no pair of ours has bought or is about to sell."""
        spoken_for = max(0, self.books.net[self.symbol]) + self.books.selling[self.symbol]
        return self.world.held(self.symbol) - spoken_for

    def _go_down(self) -> None:
        if self.seed % 2:
            self.world.disturb(lambda broker, wall: broker.cut_line(wall, 800 * MS))
        else:
            self.kill_machine(300 * MS)
        self.soon(self._sell_by_hand, 100 * MS)

    def _sell_by_hand(self) -> None:
        if self._his() <= 0:
            self.symbol = ""  # a pair is about to sell the last of them: another time
            return

        def sell(broker: SimulatedBroker, wall: int) -> None:
            price = broker.market.limits(self.symbol)[0]
            broker.order_by_hand("KRX", self.symbol, "SELL", self._his(), price, "10", self.world.time.now, wall)

        self.world.disturb(sell)

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        if row.kind is LedgerKind.FILL and not is_ours(row.rq_name) and self._his() == 0:
            self.happened = True
        elif self.happened and row.kind is LedgerKind.REJECT and row.symbol == self.symbol and row.side == "SELL":
            self.uncovered += [row.rq_name] if not row.orig_order_no else []

    def judge(self, view: View, at: Nanos) -> None:
        if not self.tempted:
            self.breach(at, f"did not happen: no edge on {self.symbol} after the trader sold it")
        if self.uncovered:
            self.breach(at, f"sales of {self.symbol} that the account does not cover: {', '.join(self.uncovered)}")
        if not self.shown:
            self.breach(at, f"no row shows that {self.symbol} is gone")


class WrongVenue(Incident):
    """Hedges rest on either venue to their timeout, one of them (odd seeds) over a restart: each is cancelled."""

    sets = ("execution.max_concurrent_symbols=1", "execution.t_hedge_ms=300")
    flow: ClassVar = {"long_ms": (600, 1_200)}
    symbols = 6
    length_ns = 16 * SECOND

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.venues: dict[str, int] = {}
        self.wrong: list[str] = []
        self._may_die = seed % 2 == 1

    def on_post(self, facts: OrderFacts, at: int) -> None:
        self.let_rest(facts)
        if self._may_die:
            self._may_die = False
            self.soon(lambda: self.kill_machine(100 * MS), 120 * MS)

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        if row.kind is LedgerKind.CANCEL and is_ours(row.rq_name):
            original = self.books.numbers[row.orig_order_no, row.symbol]
            asked = {3: "KRX", 4: "KRX", 23: "NXT"}.get(row.order_type or 0, "")
            self.venues[asked] = self.venues.get(asked, 0) + 1
            if asked != original.attempt.venue:
                self.wrong.append(row.rq_name)
            self.happened = {"KRX", "NXT"} <= self.venues.keys()
        elif row.kind is LedgerKind.REJECT and "800062" in row.reason:
            self.wrong.append(row.rq_name)

    def judge(self, view: View, at: Nanos) -> None:
        if self.wrong:
            self.breach(at, f"cancels to the wrong venue: {', '.join(self.wrong)}")


class TradingBreak(Incident):
    """A hedge rests when its symbol stops trading everywhere, or (odd seeds) when NXT, where it rests, closes early.

    An order that can be neither cancelled nor filled holds its pair until 15:20; so those days begin shortly before.
    """

    sets = ("execution.max_concurrent_symbols=1", "execution.t_hedge_ms=500")
    symbols = 6
    length_ns = 14 * SECOND
    BREAK_S: ClassVar = 4
    CALLS_MAX: ClassVar = 9
    """While it lasts: three cancels, an IOC and five at the market."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.victim: OrderFacts | None = None
        self.stopped_at = 0
        if seed % 2:
            self.start_ns, self.length_ns = CLOSE - 36 * SECOND, 42 * SECOND

    def on_post(self, facts: OrderFacts, at: int) -> None:
        if self.victim is None:
            self.let_rest(facts)

    def journal(self, row: Row, at: Nanos) -> None:
        super().journal(row, at)
        if self.victim is None and row.event_type is EventType.ORDER_ACCEPTED:
            wanted = [each for each in self.resting if self.seed % 2 == 0 or each.attempt.venue == "NXT"]
            if wanted:
                self.victim = wanted[0]
                self.soon(self._stop_trading)
        elif self.victim is not None and row.event_type is EventType.HEDGE_TIMEOUT:
            shut = self.books.is_shut(self.victim.pair.symbol, self.victim.attempt.venue or "")
            self.happened |= row.pair_id == self.victim.pair.pair_id and shut

    def _stop_trading(self) -> None:
        assert self.victim is not None
        self.stopped_at = self.world.time.now
        symbol = self.victim.pair.symbol

        def stop(broker: SimulatedBroker, wall: int) -> None:
            if self.seed % 2:
                broker.observe(broker.market.close_nxt_early(wall))
            else:
                broker.observe(broker.market.halt("KRX", symbol, wall, self.BREAK_S))

        self.world.disturb(stop)

    def judge(self, view: View, at: Nanos) -> None:
        assert self.victim is not None
        until = self.stopped_at + self.BREAK_S * SECOND
        called = [facts.called.ts_mono_ns for facts in self.victim.pair.orders if facts.called is not None]
        calls = sum(self.stopped_at < each <= until for each in called)
        if calls > self.CALLS_MAX:
            self.breach(at, f"{calls} calls for {self.victim.pair.pair_id}, over a break of {self.BREAK_S} s")


class FastSenders(Incident):
    """Several managers send at once: several hedges rest, entries have stopped, then the operator says Flatten."""

    sets = ("execution.max_concurrent_symbols=8", "execution.t_hedge_ms=6000")
    flow: ClassVar = {"quotes_per_second": 1, "long_ms": (20_000, 25_000)}
    symbols = 20
    length_ns = 16 * SECOND
    TOGETHER_NS: ClassVar = 250 * MS

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.pressed = False
        self.attempts: dict[str, int] = {}
        self.answered: dict[str, int] = {}

    def on_post(self, facts: OrderFacts, at: int) -> None:
        self.let_rest(facts)

    def journal(self, row: Row, at: Nanos) -> None:
        super().journal(row, at)
        if row.event_type is EventType.ORDER_REFUSED:
            self._answer(row.cl_ord_id or "")
        elif row.event_type in ATTEMPTS:
            name = row.cl_ord_id or ""
            self.attempts[name] = at
            together = [each for each, when in self.attempts.items() if at - when <= self.TOGETHER_NS]
            senders = {self.books.orders[each].pair.pair_id for each in together}
            self.happened |= len(senders) > 2
        elif row.event_type is EventType.ORDER_ACCEPTED and not self.pressed and len(self.resting) >= 5:
            self.pressed = True
            self.soon(lambda: self.world.operate(OperatorCommand(Command.STOP)))
            self.soon(lambda: self.world.operate(OperatorCommand(Command.FLATTEN)), 1_300 * MS)

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        if row.kind in CALLS and is_ours(row.rq_name):
            self._answer(row.rq_name)

    def _answer(self, name: str) -> None:
        self.answered[name] = self.answered.get(name, 0) + 1

    def judge(self, view: View, at: Nanos) -> None:
        for name in self.attempts:
            if self.answered.get(name, 0) != 1:
                self.breach(at, f"{name} was attempted once and reached the broker {self.answered.get(name, 0)} times")


class ReportFirst(Incident):
    """The first report of every order and of every cancel comes before its order number."""

    sets = ("execution.slice_qty=2", "execution.max_concurrent_symbols=2", "execution.t_hedge_ms=400")
    length_ns = 15 * SECOND

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.struck_kinds: dict[str, None] = {}
        self._posts = 0

    def on_post(self, facts: OrderFacts, at: int) -> None:
        self._posts += 1
        if self._posts % 2:
            self.let_rest(facts)

    def journal(self, row: Row, at: Nanos) -> None:
        super().journal(row, at)
        if row.event_type in ATTEMPTS:
            self.aim("order_no_after_report", row.cl_ord_id or "")

    def struck(self, strike: Strike, at: Nanos) -> None:
        facts = self.books.orders.get(strike.subject)
        if strike.fault == "order_no_after_report" and facts is not None:
            kind = "cancel" if facts.is_cancel else "entry" if facts.attempt.leg == "A" else "hedge"
            self.struck_kinds[kind] = None
            self.happened = len(self.struck_kinds) == 3

    def judge(self, view: View, at: Nanos) -> None:
        for row in view.rows():
            if row.event_type in FILLS:
                facts = self.books.numbers.get((row.order_no or "", row.symbol or ""))
                if facts is None or facts.cl_ord_id != row.cl_ord_id:
                    self.breach(at, f"a fill of order {row.order_no} was booked to {row.cl_ord_id}")
        for facts in self.books.orders.values():
            if facts.filled:
                self.expect_booked(facts, at)
