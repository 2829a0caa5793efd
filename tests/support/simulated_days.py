"""Days that need no machine: what a campaign is given when only the campaign is tested. Runs in its workers."""

import os
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from actors.domain.pair import PAIR_TRANSITIONS
from config.reader import ConfigErrors
from supervision.simulation.campaign import Day, RunOneDay
from supervision.simulation.coverage import TERMINAL_PATHS, Coverage


@dataclass(frozen=True)
class FakeBreach:
    rule: str
    at: int
    what: str


@dataclass
class FakeFacts:
    breaches: tuple[FakeBreach, ...] = ()
    outcomes: Counter[str] = field(default_factory=lambda: Counter({"attempted": 20, "done": 15, "missed": 5}))
    residuals: tuple[str, ...] = ()
    coverage: Coverage = field(default_factory=Coverage)
    strikes: Counter[str] = field(default_factory=lambda: Counter({"late_number": 2}))
    digest: str = "d"
    virtual_ns: int = 41_000_000_000
    steps: int = 1_000


def covering_all(times: int) -> Coverage:
    """Every row of the pair table and every asked way to an end, so often."""
    coverage = Coverage()
    coverage.rows.update(dict.fromkeys(PAIR_TRANSITIONS, times))
    coverage.paths.update({path.replace("*", " take"): times for path in TERMINAL_PATHS})
    return coverage


@dataclass(frozen=True)
class FakeDays:
    """What a seed does: by its number here, else it is a good day."""

    breaking: tuple[int, ...] = ()
    raising: tuple[int, ...] = ()
    dying: tuple[int, ...] = ()
    killed: tuple[int, ...] = ()
    hanging: tuple[int, ...] = ()
    slow: tuple[int, ...] = ()
    refusing: tuple[int, ...] = ()
    opened: Path | None = None
    """A directory in which each opening leaves a file."""
    broken_workshop: bool = False
    stillborn: bool = False

    def open(self) -> RunOneDay:
        if self.stillborn:
            os._exit(9)
        if self.broken_workshop:
            raise FileNotFoundError("no such scenario")
        if self.opened is not None:
            (self.opened / f"worker-{os.getpid()}").touch()
        return self.run

    def run(self, day: Day) -> FakeFacts:
        seed = day.seed
        if seed in self.dying:
            os._exit(3)
        if seed in self.killed:
            os.kill(os.getpid(), 9)
        if seed in self.hanging:
            time.sleep(600)
        if seed in self.slow:
            time.sleep(0.3)
        if seed in self.refusing:
            raise ConfigErrors(["execution.slice_qty: must be at most 1"])
        if seed in self.raising:
            raise ZeroDivisionError("of nothing")
        breaches = (FakeBreach("flat in time", 7, f"pair P{seed} is open"), FakeBreach("one end", 8, "two"))
        return FakeFacts(
            breaches=breaches if seed in self.breaking else (),
            digest=f"digest-{seed}",
            residuals=("005930 1 share, NXT closed",) if seed == 2 else (),
        )
