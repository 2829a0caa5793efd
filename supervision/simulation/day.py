"""One simulated day from a seed: a storm of faults, then calm; checkers that look on all the while; a verdict.

After the storm entries stop (Stop, or Flatten on some days) and the machine must be flat in the time that the checker
FlatInTime allows; then it is shut down in order, and the books are compared.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from random import Random

from actors.effects import Role
from actors.messages.journal import EventType, Row
from actors.messages.session import Command, OperatorCommand
from config.reader import LoadedConfig
from kiwoom.market import SECOND, Nanos
from kiwoom.simulated.fault_sets import variant_of
from kiwoom.simulated.ledger import LedgerKind, LedgerRow
from kiwoom.simulated.scenario import Scenario
from supervision.simulation.checkers import CheckerSettings, all_checkers
from supervision.simulation.coverage import Coverage
from supervision.simulation.diary import Diary
from supervision.simulation.evidence import Breach, FaultsOff, MachineEvent
from supervision.simulation.jury import Jury
from supervision.simulation.machine_faults import NO_MACHINE_FAULTS, MachineFaults, plan_blows
from supervision.simulation.storm import Storm
from supervision.simulation.variety import varied
from supervision.simulation.world import World, WorldSettings, with_few_symbols

SIMULATED_DAY = date(2026, 11, 23)
SYMBOLS = 6
STORM_NS = 25 * SECOND
CALM_NS = 14 * SECOND
"""More than the machine may take to become flat: whoever needs longer is found out, not waited for."""
SHUTDOWN_NS = 2 * SECOND
EARLY, LATE = (9 * 3_600 + 25) * SECOND, (15 * 3_600 + 19 * 60 + 26) * SECOND
MIDDAY = (13 * 3_600) * SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class DayPlan:
    """Everything that decides a day, beside the code."""

    seed: int
    loaded: LoadedConfig
    scenario: Scenario
    broker_faults: tuple[str, ...]
    """Names of kiwoom.simulated.fault_sets."""
    machine_faults: MachineFaults = NO_MACHINE_FAULTS
    storm_ns: int = STORM_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class DayResult:
    seed: int
    breaches: tuple[Breach, ...]
    outcomes: Counter[str]
    """Pairs by how they ended, and "attempted"."""
    residuals: tuple[str, ...]
    """Positions that no venue would close: one line each, with the reason."""
    coverage: Coverage
    strikes: Counter[str]
    """Faults that struck, by name, the machine's among them."""
    digest: str
    """Of the journal, byte by byte."""
    virtual_ns: int
    steps: int


def run_day(plan: DayPlan, diary: Diary | None = None, keep: list[World] | None = None) -> DayResult:
    """Run it. `diary` is written as it goes; `keep` receives the world, for whoever wants to look at it afterwards."""
    random = Random(f"{plan.seed}:day")
    loaded = varied(with_few_symbols(plan.loaded, SYMBOLS), plan.seed)
    broker_faults, knobs, latency = variant_of(plan.seed, plan.broker_faults)
    day = _Day(plan, loaded, random, WorldSettings(
        seed=plan.seed,
        day=SIMULATED_DAY,
        start_ns=random.choice((EARLY,) * 7 + (MIDDAY, LATE)),
        latency=latency,
        faults=broker_faults,
        broker=knobs,
    ), diary)  # fmt: skip
    if keep is not None:
        keep.append(day.world)
    return day.run()


class _Day:
    def __init__(
        self, plan: DayPlan, loaded: LoadedConfig, random: Random, settings: WorldSettings, diary: Diary | None
    ) -> None:
        self._plan = plan
        self._random = random
        self._outcomes: Counter[str] = Counter()
        self._strikes: Counter[str] = Counter()
        self._jury: Jury
        self.world = World(
            loaded,
            plan.scenario,
            settings,
            on_row=self._on_row,
            on_ledger=self._on_ledger,
            on_event=self._on_event,
        )
        checkers = all_checkers(checker_settings(loaded, settings))
        if diary is not None:
            diary.disk = self.world.disk
            checkers = [*checkers, diary]
        self._jury = Jury(checkers, self.world)
        self._coverage = Coverage()
        self.world.watch_pairs(self._coverage)

    def run(self) -> DayResult:
        world, plan = self.world, self._plan
        start = world.time.now
        world.open_books()
        world.start_machine(arm=True)
        blows = plan_blows(plan.machine_faults, plan.storm_ns, Random(f"{plan.seed}:blows"))
        storm = Storm(world, blows, self._on_event)
        world.stage.delayed_rate = plan.machine_faults.message_delayed_permyriad
        self._run_to(start + plan.storm_ns)
        storm.end()
        world.broker.calm()
        self._on_event(FaultsOff())
        world.operate(OperatorCommand(self._random.choice((Command.STOP, Command.STOP, Command.FLATTEN))))
        self._run_to(start + plan.storm_ns + CALM_NS)
        world.shut_down()
        self._run_to(start + plan.storm_ns + CALM_NS + SHUTDOWN_NS)
        world.close_books()
        self._jury.close()
        self._strikes.update(storm.losses.counted())
        return DayResult(
            seed=plan.seed,
            breaches=self._jury.breaches(),
            outcomes=self._outcomes,
            residuals=self._jury.residuals(),
            coverage=self._coverage,
            strikes=self._strikes,
            digest=world.disk.digest(),
            virtual_ns=world.time.now - start,
            steps=world.stage.steps,
        )

    def _run_to(self, end: int) -> None:
        self.world.time.run_until(Nanos(end), self._after_step)
