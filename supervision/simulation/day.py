"""One simulated day from a seed: a storm of faults, then calm; checkers that look on all the while; a verdict.

After the storm entries stop (Stop, or Flatten on some days) and the machine must be flat in the time that the checker
FlatInTime allows; then it is shut down in order, and the books are compared.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from random import Random
from typing import Protocol, runtime_checkable

from actors.domain.pair import PairTrigger
from actors.messages.journal import EventType, Row
from actors.messages.pairs import PairState
from actors.messages.session import Command, OperatorCommand
from actors.messages.supervision import ActorFailed
from config.reader import LoadedConfig
from kiwoom.market import MS, SECOND, Nanos
from kiwoom.simulated.fault_sets import ALL, variant_of
from kiwoom.simulated.faults import Latency, Strike
from kiwoom.simulated.ledger import LedgerRow
from kiwoom.simulated.scenario import Scenario
from supervision.simulation.checkers import Allowances, CheckerSettings, Panel, all_checkers
from supervision.simulation.coverage import Coverage
from supervision.simulation.evidence import Breach, Checker, FaultsOff, MachineEvent
from supervision.simulation.machine_faults import (
    NO_MACHINE_FAULTS,
    MachineFaults,
    PlannedBlow,
    clock_ahead,
    plan_blows,
)
from supervision.simulation.memory_journal import JournalDisk
from supervision.simulation.operator_orders import TimedOrder, keeps_flattening, operator_orders
from supervision.simulation.stage import SIMULATED_FAILURE
from supervision.simulation.storm import Storm
from supervision.simulation.themes import DayTheme, theme_of
from supervision.simulation.variety import varied
from supervision.simulation.world import World, WorldSettings, with_few_symbols

SIMULATED_DAY = date(2026, 11, 23)
SYMBOLS = 6
STORM_NS = 32 * SECOND
PAIRS_MIN, LONGER_NS = 20, 4 * SECOND
"""With fewer attempted pairs the storm goes on, at most for as long again; the machine's own faults are over then."""
CALM_MIN_NS, CALM_MAX_NS = 5 * SECOND, 16 * SECOND
"""What was late in the storm comes in the first of them; the machine may not take as long as the second to be flat."""
SHUTDOWN_NS = 1_500 * MS
EARLY, MIDDAY = (9 * 3_600 + 29) * SECOND, (13 * 3_600) * SECOND
CLOSE = (15 * 3_600 + 20 * 60) * SECOND
LATE_STORM_NS = 12 * SECOND
"""A day that begins late has a storm longer by this, which ends a little after the close."""
AFTER_CLOSE_NS = 3 * SECOND
STOPS = ("halt_seconds", "vi_seconds", "nxt_suspended_seconds", "limit_seconds")
TO_THE_CLOSE_S = 60
"""On some late days what stops does not begin again."""
AHEAD_PERCENT = 50
LATE_PERMILLE, MIDDAY_PERMILLE = 220, 80

BREACHES_MAX = 50
"""Of one day: the first ones tell most."""
_OUTCOME_OF = {
    PairState.PAIRED_DONE.value: "done",
    PairState.ENTRY_MISSED.value: "missed",
    PairState.ENTRY_REJECTED.value: "rejected",
    PairState.FLATTENED.value: "flattened",
    PairState.UNHEDGED.value: "unhedged",
}


@runtime_checkable
class HoldsDisk(Protocol):
    """A diary that keeps the day's journal."""

    disk: JournalDisk | None


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


def run_day(plan: DayPlan, diary: Checker | None = None) -> DayResult:
    """Run it. `diary` is shown everything that the checkers are shown."""
    random = Random(f"{plan.seed}:day")
    drawn = random.randrange(1_000)
    start_ns = MIDDAY if drawn < MIDDAY_PERMILLE else EARLY
    theme = theme_of(plan.seed) if ALL in plan.broker_faults else None
    is_late = drawn >= 1_000 - LATE_PERMILLE or (theme is not None and theme.is_late)
    if is_late:
        plan = replace(plan, storm_ns=plan.storm_ns + LATE_STORM_NS)
        start_ns = CLOSE + AFTER_CLOSE_NS - plan.storm_ns
    loaded = with_few_symbols(
        varied(plan.loaded, plan.seed, is_late=is_late, themed=theme.settings if theme else None), SYMBOLS
    )
    faults, knobs, latency = variant_of(plan.seed, plan.broker_faults)
    if is_late and faults:
        faults |= {key: random.choice((3, TO_THE_CLOSE_S)) for key in STOPS}
    if theme is not None:
        faults |= theme.faults
        knobs |= theme.knobs
    settings = WorldSettings(
        seed=plan.seed,
        day=SIMULATED_DAY,
        start_ns=start_ns,
        latency=latency,
        faults=faults,
        broker=knobs,
    )
    return SimulatedDay(plan, loaded, settings, random, diary, theme=theme).run()


class SimulatedDay:
    """The world of one day with everyone who looks on."""

    def __init__(
        self,
        plan: DayPlan,
        loaded: LoadedConfig,
        settings: WorldSettings,
        random: Random,
        diary: Checker | None,
        *more: Checker,
        theme: DayTheme | None = None,
    ) -> None:
        """`more` are called after all others."""
        self._plan = plan
        self._theme = theme
        self._random = random
        self._outcomes: Counter[str] = Counter()
        self._strikes: Counter[str] = Counter()
        self._pressed: Counter[str] = Counter()
        self._coverage = Coverage()
        self._diary = diary
        self._failures = Failures()
        checkers = [*all_checkers(checker_settings(loaded, settings)), self._failures, *more]
        self.panel = Panel(checkers if diary is None else [diary, *checkers])
        self.world = World(
            loaded,
            plan.scenario,
            settings,
            on_row=self._on_row,
            on_ledger=self._on_ledger,
            on_event=self.tell,
            on_strike=self._on_strike,
            on_pair_moved=self._on_pair_moved,
            on_failure=self._on_failure,
        )

    def run(self) -> DayResult:
        world, plan = self.world, self._plan
        start = world.time.now
        world.open_books()
        world.start_machine(arm=True)
        blows = plan_blows(plan.machine_faults, plan.storm_ns, Random(f"{plan.seed}:blows"))
        blows += self._clock_at_the_close(start)
        storm = Storm(world, blows, self.tell)
        world.stage.delayed_rate = plan.machine_faults.message_delayed_permyriad
        for order in self.pressed_in_storm():
            world.time.at(start + order.at_ns, self._operate, order.command)
        storm_end = start + plan.storm_ns
        self.run_to(storm_end)
        while self.is_thin() and world.time.now < storm_end + plan.storm_ns:
            self.run_to(world.time.now + LONGER_NS)
        storm_end = world.time.now
        storm.end()
        world.calm()
        self.tell(FaultsOff())
        last = self._random.choice((Command.STOP, Command.STOP, Command.FLATTEN))
        self._operate(OperatorCommand(Command.FLATTEN if self._outcomes["unhedged"] else last))
        self.run_to(storm_end + CALM_MIN_NS)
        while not self._is_quiet() and world.time.now < storm_end + CALM_MAX_NS:
            self.run_to(world.time.now + SECOND // 2)
        world.shut_down()
        self.run_to(world.time.now + SHUTDOWN_NS)
        self._strikes.update(storm.losses.blows)
        self._strikes.update({f"operator {name}": count for name, count in self._pressed.items()})
        return self.verdict(start)

    def pressed_in_storm(self) -> tuple[TimedOrder, ...]:
        """What the operator does before the storm is over."""
        symbols = [entry.symbol for entry in self.world.loaded.traded]
        random = Random(f"{self._plan.seed}:operator")
        if self._theme is not None and self._theme.flattens:
            return keeps_flattening(self._plan.storm_ns, random)
        return operator_orders(self._plan.storm_ns, symbols, random)

    def is_thin(self) -> bool:
        """It has seen little as yet, and the market goes on."""
        return self._outcomes["attempted"] < PAIRS_MIN and not self._ends_late

    @property
    def _ends_late(self) -> bool:
        return self.world.settings.start_ns + self._plan.storm_ns > CLOSE

    def _clock_at_the_close(self, start: int) -> tuple[PlannedBlow, ...]:
        """On some late days the host's clock is ahead, until somebody sets it right and closes what is left open."""
        storm_ns, random = self._plan.storm_ns, self._random
        if not self._ends_late or not self._plan.machine_faults.host_clock_stepped:
            return ()
        if random.randrange(100) >= AHEAD_PERCENT and self._theme is None:
            return ()
        before_close_ns = random.randint(1_000, 4_000) * MS
        right_at = storm_ns - AFTER_CLOSE_NS - before_close_ns
        flatten = OperatorCommand(Command.FLATTEN)
        self.world.time.at(start + right_at + random.randint(1, 200) * MS, self._operate, flatten)
        # By the host's clock the close has just been when it is set right, and what was given up can be closed yet.
        return clock_ahead(right_at - 6 * SECOND, right_at, before_close_ns + random.randint(50, 500) * MS)

    def _operate(self, command: OperatorCommand) -> None:
        self._pressed[command.command.value] += 1
        self.world.operate(command)

    def _is_quiet(self) -> bool:
        ours = (order for order in self.world.broker_open_orders() if not order.by_hand)
        return not self.world.live_pairs() and next(ours, None) is None

    def run_to(self, end: int) -> None:
        self.world.time.run_until(Nanos(end), self._after_step)

    def verdict(self, start: int) -> DayResult:
        """Close the books and ask everyone."""
        world, now = self.world, self.world.time.now
        world.close_books()
        self._failures.collapsed(world.stage.collapses, now)
        self.panel.at_end(world, now)
        if isinstance(self._diary, HoldsDisk):
            self._diary.disk = world.disk
        return DayResult(
            seed=self._plan.seed,
            breaches=tuple(self.panel.breaches()[:BREACHES_MAX]),
            outcomes=self._outcomes,
            residuals=tuple(each for checker in self.panel.checkers for each in getattr(checker, "residuals", ())),
            coverage=self._coverage,
            strikes=self._strikes,
            digest=world.disk.digest(),
            virtual_ns=now - start,
            steps=world.stage.steps,
        )

    # --- what everyone is shown -------------------------------------------------------------------------------------

    def _after_step(self) -> None:
        self.panel.after_step(self.world, self.world.time.now)

    def _on_row(self, row: Row) -> None:
        state = row.state or ""
        match row.event_type:
            case EventType.ADMITTED:
                self._outcomes["attempted"] += 1
            case EventType.PAIR_STATE if state in _OUTCOME_OF:
                self._outcomes[_OUTCOME_OF[state]] += 1
                if state in ("ENTRY_REJECTED", "ENTRY_MISSED"):
                    self._coverage.paths[f"{state} {row.reason}"] += 1
            case EventType.PAIRED_DONE | EventType.FLATTENED | EventType.UNHEDGED:
                path = next((str(value) for key, value in row.extra if key == "path"), "")
                self._coverage.paths[f"{state} {path}"] += 1
                if path.startswith("rescue"):
                    self._outcomes["rescued"] += 1
            case EventType.HEDGE_TIMEOUT:
                self._outcomes["escalated"] += 1
        self.panel.journal(row, self.world.time.now)

    def _on_ledger(self, row: LedgerRow) -> None:
        self.panel.ledger(row, self.world.time.now)

    def tell(self, event: MachineEvent) -> None:
        self.panel.machine(event, self.world.time.now)

    def _on_strike(self, strike: Strike) -> None:
        self._strikes[strike.fault] += 1
        self.panel.struck(strike, self.world.time.now)

    def _on_failure(self, failure: ActorFailed) -> None:
        self._failures.failed(failure, self.world.time.now)

    def _on_pair_moved(self, state: PairState, trigger: PairTrigger) -> None:
        self._coverage.rows[state, trigger] += 1


class Failures(Checker):
    """No actor fails by itself: every failure is one that the simulation made."""

    rule = "NO FAILURES"

    def failed(self, failure: ActorFailed, at: int) -> None:
        lines = failure.traceback.strip().splitlines()
        if SIMULATED_FAILURE not in lines[-1]:
            where = " ".join(line.strip() for line in lines[-4:-1])
            self.breach(at, f"{failure.name}[{failure.index}] on {failure.message_type}: {lines[-1]} at {where}")

    def collapsed(self, traces: Sequence[str], at: int) -> None:
        for trace in traces:
            self.breach(at, "the stage: " + " ".join(line.strip() for line in trace.splitlines()[-3:]))


def checker_settings(loaded: LoadedConfig, settings: WorldSettings) -> CheckerSettings:
    """What the configuration of this day promises."""
    config = loaded.config
    guard_start, guard_end = config.guard_window(settings.day)
    latency, costs = Latency(**settings.latency), config.cost_model(settings.day)
    usual = Latency()
    slower = sum(
        max(0, getattr(latency, name) - getattr(usual, name)) * trips
        for name, trips in (("exchange_ms", 3), ("ack_ms", 4), ("report_ms", 4), ("cancel_ms", 1), ("query_ms", 2))
    )
    return CheckerSettings(
        limit=config.orders_per_sec,
        reserve=config.kiwoom.rate_limits.reserve_order_tokens,
        window_margin_ns=config.throttling.window_margin_ms * MS,
        t_hedge_ns=config.execution.t_hedge_ms * MS,
        t_hedge_of={entry.symbol: config.t_hedge_ns_for(entry.symbol) for entry in loaded.traded},
        max_hedge_attempts=config.execution.max_hedge_attempts,
        guard_start=guard_start,
        guard_end=guard_end,
        closing=config.nxt_main_window(settings.day)[1],
        fee_ppb=costs.fee_ppb,
        tax_ppb_of={entry.symbol: costs.tax_ppb(entry.market) for entry in loaded.traded},
        half_ticks=config.buffer_half_ticks,
        half_ticks_of={entry.symbol: config.buffer_half_ticks_for(entry.symbol) for entry in loaded.traded},
        visible_min=config.min_visible_qty,
        allowances=Allowances(latency_ns=slower * MS),
    )
