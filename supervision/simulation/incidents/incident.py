"""One incident of another machine, made to happen on a simulated day of its own.

A quiet market with a few symbols, in which the venues stand apart for seconds at a time, so that pair after pair is
tried and nothing happens to them that the incident does not make happen. An `Incident` is a checker that acts: it sees
what all checkers see, aims faults at single orders, hits what rests, cuts the line, kills the machine. It proves that
its incident really came to pass (else the day fails by it) and looks at what the other checkers do not.

The seed decides the broker's variant, its latencies, and which of an incident's variants is played.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from typing import Any, ClassVar, Final

from actors.messages.journal import EventType, Row
from config.reader import LoadedConfig
from kiwoom.market import SECOND, Nanos
from kiwoom.simulated.broker import SimulatedBroker
from kiwoom.simulated.events import BookChanged
from kiwoom.simulated.fault_sets import variant_of
from kiwoom.simulated.ledger import LedgerRow
from kiwoom.simulated.rules import VENUES
from kiwoom.simulated.scenario import FlowKnobs
from supervision.simulation.checkers.books import Books, OrderFacts
from supervision.simulation.day import MIDDAY, SIMULATED_DAY, DayPlan, DayResult, SimulatedDay
from supervision.simulation.evidence import Breach, Checker, MachineKilled, MachineStarted, View
from supervision.simulation.machine_faults import NO_MACHINE_FAULTS
from supervision.simulation.operator_orders import TimedOrder
from supervision.simulation.world import World, WorldSettings, with_few_symbols

QUIET: Final = FlowKnobs(
    quotes_per_second=2,
    trade_permille=0,
    order_value_krw=12_000_000,
    fair_moves_per_minute=0,
    dislocations_per_minute=600,
    gap_bps=(90, 120),
    brief_permille=0,
    long_permille=1_000,
    long_ms=(2_500, 4_000),
    follow_permille=0,
    drift_permille=0,
    whipsaw_permille=0,
    small_touch_permille=0,
    rival_permille=0,
    aftershocks=0,
)
ALL_REPORTS: Final = 100
"""So many aims strike every report of one order."""
POST: Final = "00"
"""The hoga of an order that may rest."""
FILLS: Final = (EventType.TRADE_PARTIAL, EventType.TRADE_FILL)


class Incident(Checker):
    """A subclass overrides the checker's methods, sets `happened`, and says in `judge` what must hold besides."""

    rule = "INCIDENT"
    sets: ClassVar[tuple[str, ...]] = ()
    """Settings that this incident needs, as --set has them."""
    faults: ClassVar[Mapping[str, int]] = {}
    """Sizes of the faults that are aimed."""
    broker: ClassVar[Mapping[str, Any]] = {}
    """Knobs of the broker that the seed may not vary."""
    flow: ClassVar[Mapping[str, Any]] = {}
    """Knobs of the quiet market that are otherwise."""
    symbols: ClassVar[int] = 3
    start_ns: int = MIDDAY
    """Nanoseconds since Seoul's midnight."""
    length_ns: int = 9 * SECOND
    """How long until the operator says the last word, Stop or Flatten."""
    inevitable: ClassVar[frozenset[str]] = frozenset()
    """Rules that this incident breaks by itself, about the pair or the symbol that it strikes: see `is_inevitable`."""

    world: World
    books: Books

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed
        self.happened = False
        self.starts = 1
        """Of the machine."""
        self.reconciled = 0
        """How often the machine has compared its books with the broker's since it was last started."""

    def join(self, day: SimulatedDay) -> None:
        """The day is set up."""
        self.world = day.world
        self.books = next(checker for checker in day.panel.checkers if isinstance(checker, Books))
        self._tell = day.tell

    # --- what happens -----------------------------------------------------------------------------------------------

    def journal(self, row: Row, at: Nanos) -> None:
        if row.event_type is EventType.RECONCILED:
            self.reconciled += 1
        elif row.event_type is EventType.ARMED:
            self.soon(self._quote_all)
        elif row.event_type is EventType.ORDER_SEND_ATTEMPT:
            facts = self.books.orders[row.cl_ord_id or ""]
            if row.leg == "A":
                self.on_entry(facts, at)
            elif row.hoga_code == POST:
                self.on_post(facts, at)

    def _quote_all(self) -> None:
        """A registration is answered with nothing, and here hardly a book changes: each is told once."""
        symbols = [entry.symbol for entry in self.world.loaded.traded]

        def quote(broker: SimulatedBroker, wall: int) -> None:
            broker.observe([BookChanged(wall, venue, symbol) for symbol in symbols for venue in VENUES])

        self.world.disturb(quote)

    def on_entry(self, facts: OrderFacts, at: int) -> None:
        """An entry is about to be sent."""

    def on_post(self, facts: OrderFacts, at: int) -> None:
        """A hedge that may rest is about to be sent."""

    def at_end(self, view: View, at: Nanos) -> None:
        if self.happened:
            self.judge(view, at)
        else:
            self.breach(at, "did not happen")

    def judge(self, view: View, at: Nanos) -> None:
        """What must hold, and no other checker looks at."""

    def is_inevitable(self, breach: Breach) -> bool:
        """It is of what the incident did, not of what the machine did: no machine could keep this promise."""
        assert not self.inevitable
        return False

    # --- making it happen -------------------------------------------------------------------------------------------

    def soon(self, action: Callable[[], None], after_ns: int = 0) -> None:
        """A step of its own: not inside the handler that is running now."""
        self.world.time.at(Nanos(self.world.time.now + after_ns), action)

    def aim(self, fault: str, subject: str, times: int = 1) -> None:
        self.world.broker.aim(fault, subject, times)

    def let_rest(self, facts: OrderFacts) -> None:
        """Somebody takes what this order would have taken, just before it comes."""
        self.aim("touch_gone", facts.cl_ord_id)

    def hit(self, facts: OrderFacts, qty: int) -> None:
        """Somebody takes `qty` shares of a resting order."""
        venue = facts.attempt.venue or ""

        def take(broker: SimulatedBroker, wall: int) -> None:
            broker.observe(broker.market.hit(venue, facts.order_no, qty, wall))

        self.world.disturb(take)

    def kill_machine(self, down_ns: int) -> None:
        """The power is gone; after a while the machine is started again from its journal."""
        self.world.kill_machine()
        self._tell(MachineKilled())
        self.soon(self._start_again, down_ns)

    def _start_again(self) -> None:
        self.starts += 1
        self.reconciled = 0
        self.world.start_machine(arm=True)
        self._tell(MachineStarted())

    # --- what is looked at ------------------------------------------------------------------------------------------

    @property
    def resting(self) -> list[OrderFacts]:
        """Hedges that rest at the broker now."""
        return [facts for facts in self.books.live.values() if facts.is_hedge and self._rests(facts)]

    def _rests(self, facts: OrderFacts) -> bool:
        return self.world.broker.market.can_be_hit(facts.attempt.venue or "", facts.order_no)

    def booked(self, facts: OrderFacts) -> int:
        """Shares of it that the journal has as filled."""
        rows = self.world.rows()
        return sum(row.fill_qty or 0 for row in rows if row.event_type in FILLS and row.cl_ord_id == facts.cl_ord_id)

    def expect_booked(self, facts: OrderFacts, at: int) -> None:
        """The journal has each share of it once."""
        booked = self.booked(facts)
        if booked != facts.filled:
            self.breach(at, f"{facts.cl_ord_id} filled {facts.filled}, the journal has {booked}")

    def expect_flat(self, facts: OrderFacts, at: int) -> None:
        """Its pair is flat."""
        pair = facts.pair
        if pair.imbalance:
            self.breach(at, f"{pair.pair_id} bought {pair.bought} and sold {pair.sold}")


def ledger_is_of(row: LedgerRow, facts: OrderFacts | None) -> bool:
    return facts is not None and row.rq_name == facts.cl_ord_id


class IncidentDay(SimulatedDay):
    """Nobody presses anything but the incident itself, and it is over when it is over."""

    def pressed_in_storm(self) -> tuple[TimedOrder, ...]:
        return ()

    def is_thin(self) -> bool:
        return False


def play(make: Callable[[int], Incident], plan: DayPlan, diary: Checker | None = None) -> DayResult:
    """The day of an incident. The plan's faults are not played: the incident brings its own."""
    incident = make(plan.seed)
    loaded = _loaded_for(incident, plan.loaded)
    _, knobs, latency = variant_of(plan.seed, ())
    settings = WorldSettings(
        seed=plan.seed,
        day=SIMULATED_DAY,
        start_ns=incident.start_ns,
        latency=latency,
        faults=dict(incident.faults),
        broker={**knobs, **incident.broker},
    )
    quiet = replace(
        plan,
        scenario=replace(plan.scenario, flow=replace(QUIET, **incident.flow), latency={}, faults={}, broker={}),
        broker_faults=(),
        machine_faults=NO_MACHINE_FAULTS,
        storm_ns=incident.length_ns,
    )
    day = IncidentDay(quiet, loaded, settings, Random(f"{plan.seed}:day"), diary, incident)
    incident.join(day)
    result = day.run()
    return replace(result, breaches=tuple(each for each in result.breaches if not incident.is_inevitable(each)))


def _loaded_for(incident: Incident, loaded: LoadedConfig) -> LoadedConfig:
    common = ("telemetry.orders_utilization_autopause.enabled=false",)
    return with_few_symbols(loaded.changed([*common, *incident.sets]), incident.symbols)


def part_of(qty: int, seed: int) -> int:
    """All of it on even seeds, about half on odd ones."""
    return qty if seed % 2 == 0 else max(1, qty // 2)
