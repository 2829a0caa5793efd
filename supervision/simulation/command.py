"""`arb simulate`, whole: from the command line's words to a verdict, its files, and an exit code.

What the machine needs is imported when a day is about to run, so that bad input is told at once.
"""

import json
import os
import re
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from rich.console import Console

from config.reader import ConfigErrors, LoadedConfig, load
from kiwoom.simulated.scenario import Scenario, ScenarioError, load_scenario, scenario_names
from supervision.broker_process import SCENARIOS
from supervision.results import program_version
from supervision.session import Exit, InputError, Interrupts
from supervision.simulation.campaign import Campaign, Day, DayFacts, Report, RunOneDay, Workshop
from supervision.simulation.progress import CampaignProgress
from supervision.simulation.scripted import ALL_INCIDENTS, expanded, scripts
from supervision.simulation.verdict import ALL_FAULTS, Effort, Recipe, Totals, Verdict, digest_line

SEEDS_MAX = 1_000_000
SCENARIO = "storm"
HELP = "help"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateOptions:
    """The command line of `arb simulate`, not yet checked."""

    seeds: str
    scenarios: tuple[str, ...]
    faults: str
    jobs: int | None
    out: Path | None
    config: Path | None
    sets: tuple[str, ...]
    storm: str | None
    storm_ns: int | None
    digests: bool

    @property
    def recipe(self) -> Recipe:
        return Recipe(
            scenarios=self.scenarios,
            faults=self.faults,
            config=None if self.config is None else str(self.config),
            sets=self.sets,
            storm=self.storm,
        )


def simulate(options: SimulateOptions) -> Exit:
    """Run the campaign. Raises InputError, ConfigErrors or StartError before a day is run."""
    if options.faults == HELP:
        return _print_faults()
    if HELP in options.scenarios:
        return _print_scenarios()
    options = replace(options, scenarios=expanded(options.scenarios))
    seeds = parse_seeds(options.seeds)
    days = [Day(scenario, seed) for seed in seeds for scenario in options.scenarios]
    check_scenarios(options.scenarios)
    load(options.config, options.sets, os.environ)
    check_faults(options.faults)
    check_broker(options)
    if options.out is not None:
        _make(options.out)
    workshop = SimulatedDays(recipe=options.recipe, storm_ns=options.storm_ns, out=options.out, keep_all=len(days) == 1)
    return run_campaign(options, days, workshop)


def run_campaign(options: SimulateOptions, days: list[Day], workshop: Workshop) -> Exit:
    """Run the days, tell of them, write simulate.json."""
    jobs = min(options.jobs or _cores(), len(days))
    totals, recipe = Totals(), options.recipe
    began = time.monotonic_ns()
    results = Console(highlight=False, stderr=options.digests)

    def verdict(interrupted: bool = False) -> Verdict:
        wall_ns = time.monotonic_ns() - began
        return Verdict(recipe, totals, Effort(planned=len(days), jobs=jobs, wall_ns=wall_ns, interrupted=interrupted))

    with (
        Interrupts() as interrupts,
        CampaignProgress(len(days), began, results_to_stderr=options.digests) as progress,
    ):

        def on_report(report: Report) -> None:
            failing = len(totals.failures)
            totals.add(report)
            for failure in totals.failures[failing:]:
                progress.say(verdict().failing_line(failure))
            if options.digests:
                Console(highlight=False).print(digest_line(report, options.scenarios), soft_wrap=True)

        finished = Campaign(
            days,
            workshop,
            jobs,
            on_arrival=lambda report: progress.report(report, time.monotonic_ns()),
            on_report=on_report,
            interrupted=lambda: interrupts.count > 0,
        ).run()
    final = verdict(interrupted=not finished)
    print_verdict(final, results)
    if options.out is not None:
        content = {"version": program_version(), "seeds": options.seeds, **final.as_json()}
        (options.out / "simulate.json").write_text(
            json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8"
        )
        results.print(f"files in {options.out}", soft_wrap=True, markup=False)
    return final.code


def print_verdict(verdict: Verdict, out: Console) -> None:
    if verdict.effort.planned == 1:
        for failure in verdict.totals.failures:
            for rule, at, what in failure.breaches[1:]:
                out.print(f"also: {rule}: {what} (at {at} ns)", markup=False, soft_wrap=True)
            if failure.trace:
                out.print(failure.trace, markup=False, soft_wrap=True)
    lines = (verdict.coverage_lines, verdict.residual_lines, verdict.summary_lines, verdict.closing_lines)
    for line in (line for each in lines for line in each()):
        out.print(line, markup=False, soft_wrap=True)


# --- the command line's words -----------------------------------------------------------------------------------------


def parse_seeds(text: str) -> range:
    """`A..B`, both included, or one seed. Raises InputError."""
    match = re.fullmatch(r"(\d{1,12})(?:\.\.(\d{1,12}))?", text)
    if match is None:
        raise InputError(f"--seeds: {text!r} is no range; allowed: A..B such as 1..100, or one seed such as 17")
    first = int(match[1])
    last = int(match[2]) if match[2] is not None else first
    if last < first:
        raise InputError(f"--seeds: {text!r} is empty; allowed: A..B with A no greater than B")
    if last - first >= SEEDS_MAX:
        raise InputError(f"--seeds: {text!r} has {last - first + 1:,} seeds; allowed: at most {SEEDS_MAX:,}")
    return range(first, last + 1)


def check_scenarios(names: tuple[str, ...]) -> None:
    """Raises InputError for the first that there is not, or that cannot be read."""
    if len(set(names)) < len(names):
        raise InputError("--scenario: one stands twice; allowed: each once")
    for name in names:
        _scenario_of(name)


def _scenario_of(name: str) -> Scenario:
    """What market a name of a scenario, of a script, or a file stands for."""
    script = scripts().get(name)
    market = name if script is None else script.scenario
    if script is None and not _is_file_name(name):
        known = (*scenario_names(SCENARIOS), ALL_INCIDENTS[0], *scripts())
        if name not in known:
            nearest = get_close_matches(name, known, n=1, cutoff=0.0)[0]
            raise InputError(
                f"--scenario: {name!r} is none; did you mean {nearest}? Allowed: {', '.join(known)}, or a .yaml file"
            )
    try:
        return load_scenario(market, SCENARIOS)
    except ScenarioError as fault:
        raise InputError("\n".join(f"--scenario: {each}" for each in fault.faults)) from fault


def _is_file_name(name: str) -> bool:
    return Path(name).suffix in (".yaml", ".yml")


def _scenario_path(name: str) -> Path:
    script = scripts().get(name)
    return Path(name) if _is_file_name(name) else SCENARIOS / f"{name if script is None else script.scenario}.yaml"


def check_faults(name: str) -> None:
    """Raises InputError for a name that is none, with the nearest that is one."""
    from supervision.simulation.faults_by_name import names

    known = names()
    if name not in known:
        nearest = get_close_matches(name, known, n=1, cutoff=0.0)[0]
        raise InputError(f"--faults: {name!r} is none; did you mean {nearest}? Allowed: {', '.join(known)}")


def check_broker(options: SimulateOptions) -> None:
    """Build each scenario's broker once for trial, with the configuration's own knobs. Raises InputError."""
    from supervision.broker_process import BrokerFiles, check_setup, setup_of, tax_rates
    from supervision.simulation.day import SIMULATED_DAY
    from supervision.simulation.world import with_few_symbols

    loaded = with_few_symbols(load(options.config, options.sets, os.environ), 1)
    setup = setup_of(loaded, BrokerFiles.within(Path("unused")), 0, tax_rates(loaded, SIMULATED_DAY))
    setup["holdings"] = {}
    for name in options.scenarios:
        check_setup({**setup, "scenario": str(_scenario_path(name))}, 0)


def _print_faults() -> Exit:
    """Every name that may stand after --faults, with what it means."""
    from supervision.simulation.faults_by_name import NONE, faults_named, names

    out = Console(highlight=False)
    for name in names():
        named = faults_named(name)
        rates = [f"{each.name} {getattr(named.machine, each.name)}" for each in fields(named.machine)]
        words = "nothing goes wrong" if name == NONE else ""
        if name == ALL_FAULTS:
            words = "everything below and above, each day another mixture"
        elif named.broker:
            words = "the broker and its market misbehave so"
        elif name != NONE:
            words = "the machine: " + ", ".join(rate for rate in rates if not rate.endswith(" 0"))
        out.print(f"{name:<20}  {words}", soft_wrap=True, markup=False)
    return Exit.FLAT


def _print_scenarios() -> Exit:
    """Every name that may stand after --scenario, with what it means."""
    out = Console(highlight=False)
    for name in scenario_names(SCENARIOS):
        out.print(f"{name}: {load_scenario(name, SCENARIOS).description}", soft_wrap=True, markup=False)
    out.print(f"{ALL_INCIDENTS[0]}: all of the following", soft_wrap=True, markup=False)
    for script in scripts().values():
        out.print(f"{script.name}: {script.about}", soft_wrap=True, markup=False)
    return Exit.FLAT


def _cores() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise InputError(f"--out: {directory} cannot be written: {fault.strerror}; choose another") from fault


# --- the days ---------------------------------------------------------------------------------------------------------


class NotRepeatableError(Exception):
    """The same day gave another journal: something in it does not follow from the seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedDays:
    """The workshop of the real days: configuration and scenarios are read once, then a day is run for each seed.

    With `out`, a failing day (with `keep_all` every day) is run again with a diary, and its files are written.
    """

    recipe: Recipe
    storm_ns: int | None
    out: Path | None
    keep_all: bool

    def open(self) -> RunOneDay:
        config = None if self.recipe.config is None else Path(self.recipe.config)
        loaded = load(config, self.recipe.sets, os.environ)
        scenarios = {name: _scenario_of(name) for name in self.recipe.scenarios}
        run = self._runner(loaded, scenarios)
        return run if self.out is None else self._keeping(run, self.out)

    def _runner(self, loaded: LoadedConfig, scenarios: dict[str, Scenario]) -> "Callable[..., DayFacts]":
        from supervision.simulation.day import DayPlan, run_day
        from supervision.simulation.faults_by_name import faults_named

        faults = faults_named(self.recipe.faults)
        storm: dict[str, Any] = {} if self.storm_ns is None else {"storm_ns": self.storm_ns}

        def run(day: Day, diary: Any = None) -> DayFacts:
            script = scripts().get(day.scenario)
            plan = DayPlan(
                seed=day.seed,
                loaded=loaded,
                scenario=scenarios[day.scenario],
                broker_faults=faults.broker,
                machine_faults=faults.machine,
                **storm,
            )
            facts: DayFacts = run_day(plan, diary) if script is None else script.run(plan, diary)
            return facts

        return run

    def _keeping(self, run: "Callable[..., DayFacts]", out: Path) -> RunOneDay:
        from supervision.simulation.diary import Diary

        def run_and_keep(day: Day) -> DayFacts:
            diary = Diary()
            directory, repeat = out / directory_name(day), self.recipe.repeat(day)
            try:
                facts = run(day)
            except ConfigErrors:
                raise
            except Exception:
                trace = traceback.format_exc()
                with suppress(Exception):  # the first run's exception is the one that is told
                    run(day, diary)
                diary.write(directory, day, repeat, None, trace)
                raise
            if facts.breaches or self.keep_all:
                again = run(day, diary)
                diary.write(directory, day, repeat, again)
                if again.digest != facts.digest:
                    raise NotRepeatableError(f"run again, the day's journal is {again.digest}, it was {facts.digest}")
            return facts

        return run_and_keep


def directory_name(day: Day) -> str:
    """Of a day's files, within --out."""
    return f"{Path(day.scenario).stem}-{day.seed}"
