"""What a campaign found: the sums over its days, whether it held, and how that is said. Pure: builds words.

Coverage is asked for only where enough was tried (`COVERAGE_SEEDS` days with all faults); before that it is told.
"""

import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from actors.domain.pair import PAIR_TRANSITIONS
from kiwoom.market import SECOND
from supervision.session import Exit
from supervision.simulation.campaign import Day, DayFacts, Finished, Lost, Report
from supervision.simulation.coverage import Coverage

COVERAGE_SEEDS: Final = 2_000
COVERAGE_TIMES: Final = 10
"""Each row of the pair table, and each way to an end, so often in so many days."""
ALL_FAULTS: Final = "all"
LOST: Final = "the day ends"
"""The rule that a lost day broke."""
OUTCOMES: Final = ("attempted", "done", "missed", "rejected", "escalated", "rescued", "flattened", "unhedged")
RESIDUALS_SHOWN: Final = 40
PAIRS_A_DAY: Final = 20
"""A day with fewer attempted pairs is called thin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What was asked for, as it stood on the command line."""

    scenarios: tuple[str, ...]
    faults: str
    config: str | None = None
    sets: tuple[str, ...] = ()
    storm: str | None = None

    def repeat(self, day: Day) -> str:
        """The command that runs this one day again."""
        words = ["arb", "simulate", "--seeds", f"{day.seed}..{day.seed}", "--faults", self.faults]
        words += ["--scenario", day.scenario]
        words += ["--storm", self.storm] if self.storm is not None else []
        words += ["--config", self.config] if self.config is not None else []
        words += [word for each in self.sets for word in ("--set", each)]
        return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)


@dataclass(frozen=True, slots=True)
class Failure:
    day: Day
    breaches: tuple[tuple[str, int, str], ...]
    """(rule, true monotonic ns, what); of a lost day one, at 0."""
    trace: str = ""


@dataclass(slots=True)
class Totals:
    """Sums over the reported days; in any order the same, except that lists are in the order of reporting."""

    days: int = 0
    finished: int = 0
    """Those that came to their end."""
    failures: list[Failure] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    strikes: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    """Failing days by the rules that they broke."""
    coverage: Coverage = field(default_factory=Coverage)
    residuals: list[tuple[Day, str]] = field(default_factory=list)
    digests: list[tuple[Day, str]] = field(default_factory=list)
    thinnest: tuple[int, Day] | None = None
    """The day with the fewest attempted pairs."""
    virtual_ns: int = 0
    steps: int = 0
    worker_ns: int = 0
    """Real time that the workers spent within days."""

    def add(self, report: Report) -> None:
        self.days += 1
        match report:
            case Finished(day, facts, wall_ns):
                self._add_facts(day, facts)
                self.worker_ns += wall_ns
            case Lost(day, why, trace):
                self.digests.append((day, "-"))
                self.failures.append(Failure(day, ((LOST, 0, why),), trace))
                self.rules[LOST] += 1

    def _add_facts(self, day: Day, facts: DayFacts) -> None:
        self.finished += 1
        self.outcomes.update(facts.outcomes)
        self.strikes.update(facts.strikes)
        self.coverage.add(facts.coverage)
        self.residuals += [(day, residual) for residual in facts.residuals]
        self.digests.append((day, facts.digest))
        self.virtual_ns += facts.virtual_ns
        self.steps += facts.steps
        attempted = facts.outcomes.get("attempted", 0)
        if self.thinnest is None or attempted < self.thinnest[0]:
            self.thinnest = (attempted, day)
        if facts.breaches:
            found = tuple((breach.rule, int(breach.at), breach.what) for breach in facts.breaches)
            self.failures.append(Failure(day, found))
            self.rules.update({rule for rule, _, _ in found})


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """What it cost. `planned` days were asked for; `interrupted` if fewer were run."""

    planned: int
    jobs: int
    wall_ns: int
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    recipe: Recipe
    totals: Totals
    effort: Effort

    @property
    def coverage_due(self) -> bool:
        """Enough was tried that everything must have come."""
        return self.recipe.faults == ALL_FAULTS and self.totals.days >= COVERAGE_SEEDS

    @property
    def coverage_times(self) -> int:
        """How often each row must have been taken in so many days."""
        return COVERAGE_TIMES * self.totals.days // COVERAGE_SEEDS

    @property
    def uncovered(self) -> list[str]:
        """What coverage demands and did not get, in words; nothing where it demands nothing."""
        if not self.coverage_due:
            return []
        times, coverage = self.coverage_times, self.totals.coverage
        rows = [
            f"{state.name} + {trigger.name}: {coverage.rows[state, trigger]}"
            for state, trigger in coverage.missing(times)
        ]
        ends = coverage.ends()
        return rows + [f"{path}: {ends[path]}" for path in coverage.missing_paths(times)]

    @property
    def code(self) -> Exit:
        if self.effort.interrupted:
            return Exit.INTERRUPTED
        return Exit.BROKEN if self.totals.failures or self.uncovered or self.idle else Exit.FLAT

    @property
    def idle(self) -> bool:
        """Days were run and not one pair was tried: promises that nothing tested are not kept."""
        return self.totals.finished > 0 and not self.totals.outcomes["attempted"]

    @property
    def pairs_per_second_per_core(self) -> float:
        """Attempted pairs for each second of each job, the workers' start included."""
        cost = self.effort.wall_ns * self.effort.jobs
        return self.totals.outcomes["attempted"] * SECOND / cost if cost else 0.0

    # --- in words -----------------------------------------------------------------------------------------------------

    def failing_line(self, failure: Failure) -> str:
        rule, _, what = failure.breaches[0]
        more = f" (and {len(failure.breaches) - 1} more)" if len(failure.breaches) > 1 else ""
        return f"seed {failure.day.seed}: {rule}: {_one_line(what)}{more}: {self.recipe.repeat(failure.day)}"

    def summary_lines(self) -> list[str]:
        return [f"{name:<14}  {words}" for name, words in self._summary()]

    def _summary(self) -> Iterator[tuple[str, str]]:
        totals, effort = self.totals, self.effort
        ran = f"{totals.days} run" + (f" of {effort.planned}" if totals.days < effort.planned else "")
        yield "days", f"{ran}, {len(totals.failures)} failing"
        extra = [name for name in sorted(totals.outcomes) if name not in OUTCOMES]
        yield "pairs", ", ".join(f"{totals.outcomes[name]:,} {name}" for name in (*OUTCOMES, *extra))
        if totals.thinnest is not None:
            fewest, day = totals.thinnest
            mean = totals.outcomes["attempted"] / totals.finished
            thin = f": thin, a day should have {PAIRS_A_DAY}" if fewest < PAIRS_A_DAY else ""
            yield "pairs a day", f"{mean:.1f} attempted; fewest {fewest}, seed {day.seed}{thin}"
        struck = ", ".join(f"{name} {count:,}" for name, count in sorted(totals.strikes.items()))
        yield "strikes", f"{totals.strikes.total():,}" + (f": {struck}" if struck else "")
        broken = ", ".join(f"{rule} in {count}" for rule, count in sorted(totals.rules.items()))
        yield "broken rules", broken or "none"
        yield "left open", f"{len(totals.residuals)} positions"
        yield "virtual time", f"{_hours(totals.virtual_ns)} in {totals.steps:,} steps"
        yield "real time", f"{effort.wall_ns / SECOND:.1f} s with {effort.jobs} jobs"
        yield "speed", f"{self.pairs_per_second_per_core:.1f} simulated pairs per second per core"

    def residual_lines(self) -> list[str]:
        told = [f"left open, seed {day.seed}: {_one_line(words)}" for day, words in self.totals.residuals]
        hidden = len(told) - RESIDUALS_SHOWN
        return told if hidden <= 0 else [*told[:RESIDUALS_SHOWN], f"and {hidden} more positions left open"]

    def coverage_lines(self) -> list[str]:
        """Every row of the pair table and every way to an end, with its count; what is short is marked."""
        due, times, coverage = self.coverage_due, self.coverage_times, self.totals.coverage
        lines = [_coverage_line("state", "trigger", "next", "times", "")]
        for (state, trigger), entered in PAIR_TRANSITIONS.items():
            count = coverage.rows[state, trigger]
            lines.append(_coverage_line(state.name, trigger.name, entered.name, f"{count:,}", _mark(count, times, due)))
        lines.append(f"{'way to an end':<48}{'times':>10}")
        ends = coverage.ends()
        lines += [f"{path:<48}{count:>10,}  {_mark(count, times, due)}".rstrip() for path, count in ends.items()]
        others = (path for path in sorted(coverage.paths) if path not in ends)
        return lines + [f"{path:<48}{coverage.paths[path]:>10,}" for path in others]

    def closing_lines(self) -> list[str]:
        """The verdict itself."""
        totals, effort = self.totals, self.effort
        lines = []
        if self.uncovered:
            lines.append(f"coverage: needed {self.coverage_times} times each in {totals.days} days, and had:")
            lines += [f"  {each}" for each in self.uncovered]
        if effort.interrupted:
            lines.append(f"interrupted after {totals.days} of {effort.planned} days")
        if totals.failures:
            lines.append(f"BROKEN: {len(totals.failures)} of {totals.days} days")
        elif self.uncovered:
            lines.append(f"NOT COVERED: every promise was kept, but {len(self.uncovered)} ways were not tried enough")
        elif self.idle:
            lines.append("NOTHING TRIED: not one pair was attempted, so no promise was tested; look at the settings")
        elif not effort.interrupted:
            lines.append(f"held: every promise was kept on {totals.days} days")
        return lines

    def as_json(self) -> dict[str, Any]:
        """Everything, for simulate.json."""
        totals, effort, recipe = self.totals, self.effort, self.recipe
        ends = totals.coverage.ends()
        return {
            "scenarios": list(recipe.scenarios),
            "faults": recipe.faults,
            "config": recipe.config,
            "set": list(recipe.sets),
            "storm": recipe.storm,
            "exit_code": int(self.code),
            "interrupted": effort.interrupted,
            "jobs": effort.jobs,
            "days": {"planned": effort.planned, "run": totals.days, "failing": len(totals.failures)},
            "pairs": {name: totals.outcomes[name] for name in sorted({*OUTCOMES, *totals.outcomes})},
            "strikes": dict(sorted(totals.strikes.items())),
            "broken_rules": dict(sorted(totals.rules.items())),
            "virtual_s": totals.virtual_ns / SECOND,
            "wall_s": effort.wall_ns / SECOND,
            "in_days_s": totals.worker_ns / SECOND,
            "steps": totals.steps,
            "pairs_per_second_per_core": round(self.pairs_per_second_per_core, 3),
            "failing": [_failure_json(each, recipe) for each in totals.failures],
            "residuals": [{"scenario": day.scenario, "seed": day.seed, "what": what} for day, what in totals.residuals],
            "coverage": {
                "required": self.coverage_due,
                "times": self.coverage_times,
                "short": self.uncovered,
                "rows": [
                    {"state": s.name, "trigger": t.name, "next": n.name, "count": totals.coverage.rows[s, t]}
                    for (s, t), n in PAIR_TRANSITIONS.items()
                ],
                "ends": ends,
                "paths": dict(sorted(totals.coverage.paths.items())),
            },
            "digests": [{"scenario": day.scenario, "seed": day.seed, "sha256": sha} for day, sha in totals.digests],
        }


def digest_line(report: Report, scenarios: Sequence[str]) -> str:
    """`SEED DIGEST`, with the scenario between them if there are several; a lost day has "-"."""
    digest = report.facts.digest if isinstance(report, Finished) else "-"
    named = [report.day.scenario] if len(scenarios) > 1 else []
    return " ".join([str(report.day.seed), *named, digest])


def _failure_json(failure: Failure, recipe: Recipe) -> dict[str, Any]:
    return {
        "scenario": failure.day.scenario,
        "seed": failure.day.seed,
        "breaches": [{"rule": rule, "at_ns": at, "what": what} for rule, at, what in failure.breaches],
        "trace": failure.trace,
        "repeat": recipe.repeat(failure.day),
    }


def _coverage_line(state: str, trigger: str, entered: str, times: str, mark: str) -> str:
    return f"{state:<18}{trigger:<20}{entered:<18}{times:>10}  {mark}".rstrip()


def _mark(count: int, times: int, due: bool) -> str:
    if due:
        return "SHORT" if count < times else ""
    return "" if count else "never"


def _one_line(words: str) -> str:
    return " ".join(words.split())


def _hours(ns: int) -> str:
    seconds = ns // SECOND
    return f"{seconds // 3_600} h {seconds // 60 % 60:02d} min {seconds % 60:02d} s"
