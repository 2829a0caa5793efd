"""How far a campaign is, on stderr: a bar on a terminal, a plain line every few seconds elsewhere.

Time is passed in. Lines that stay go to stdout, above the bar where both are the same terminal.
"""

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kiwoom.market import SECOND
from supervision.simulation.campaign import Finished, Report

PLAIN_INTERVAL_NS = 5 * SECOND


class CampaignProgress:
    """Use as a context. `report` with every report as it arrives, `say` for a line of the results."""

    def __init__(self, days: int, started_ns: int, *, results_to_stderr: bool) -> None:
        self._days = days
        self._started = started_ns
        self._last_plain = started_ns
        self._done = self._pairs = self._failing = 0
        self._err = Console(stderr=True, highlight=False)
        self._results = self._err if results_to_stderr else Console(highlight=False)
        self._bar = _bar(self._err) if sys.stderr.isatty() else None
        self._task = self._bar.add_task("days", total=days, words="starting") if self._bar is not None else None

    def __enter__(self) -> "CampaignProgress":
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def say(self, words: str) -> None:
        console = self._err if self._bar is not None and sys.stdout.isatty() else self._results
        console.print(words, markup=False, soft_wrap=True)

    def report(self, report: Report, now_ns: int) -> None:
        self._done += 1
        if isinstance(report, Finished):
            self._pairs += report.facts.outcomes.get("attempted", 0)
            self._failing += bool(report.facts.breaches)
        else:
            self._failing += 1
        elapsed = max(1, now_ns - self._started)
        words = f"{self._pairs:,} pairs, {self._pairs * SECOND // elapsed:,} pairs/s, {self._failing} failing"
        if self._bar is not None:
            assert self._task is not None
            self._bar.update(self._task, completed=self._done, words=words)
        elif now_ns - self._last_plain >= PLAIN_INTERVAL_NS:
            self._last_plain = now_ns
            left = elapsed * (self._days - self._done) // self._done // SECOND
            self._err.print(f"{self._done}/{self._days} days, {words}, {left} s left", markup=False, soft_wrap=True)


def _bar(console: Console) -> Progress:
    return Progress(
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("{task.fields[words]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        refresh_per_second=4,
    )
