"""Many simulated days over several processes, their reports in the order of the days.

Each worker process opens its workshop once (configuration, scenarios) and is then handed one day after the other. A
worker that dies, or that a day keeps for longer than `DAY_LIMIT_S`, costs that day a report of its own (`Lost`) and is
replaced; the campaign goes on. Knows nothing of what a day is: the workshop does.
Reads the wall clock for the limits and for how long days take; nothing of it reaches a day.
"""

import multiprocessing
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Protocol

from config.reader import ConfigErrors
from supervision.session import InputError, StartError
from supervision.simulation.coverage import Coverage

POLL_S = 0.1
"""How soon an interruption is noticed."""
DAY_LIMIT_S = 180.0
"""A day takes about a second. One that takes this long would never end."""
STILLBORN_MAX = 3
"""So many workers may end before they are open; then something is wrong with this machine, not with a day."""
JOBS_MAX = 60
"""Windows waits for 63 pipes at most."""


@dataclass(frozen=True, slots=True)
class Day:
    """One day to run: a scenario's name, or a script's, and a seed."""

    scenario: str
    seed: int


class BreachFacts(Protocol):
    """A promise that was broken, as supervision.simulation.evidence.Breach has it. `at` in true monotonic ns."""

    @property
    def rule(self) -> str: ...
    @property
    def at(self) -> int: ...
    @property
    def what(self) -> str: ...


class DayFacts(Protocol):
    """What a campaign reads of a day's result, as supervision.simulation.day.DayResult has it."""

    @property
    def breaches(self) -> Sequence[BreachFacts]: ...
    @property
    def outcomes(self) -> Mapping[str, int]: ...
    @property
    def residuals(self) -> Sequence[str]: ...
    @property
    def coverage(self) -> Coverage: ...
    @property
    def strikes(self) -> Mapping[str, int]: ...
    @property
    def digest(self) -> str: ...
    @property
    def virtual_ns(self) -> int: ...
    @property
    def steps(self) -> int: ...


RunOneDay = Callable[[Day], DayFacts]


class Workshop(Protocol):
    """What a worker needs, sent to it once: must pickle. `open` is called in the worker."""

    def open(self) -> RunOneDay: ...


@dataclass(frozen=True, slots=True)
class Finished:
    """The day ran to its end. `wall_ns` is what it took in its worker."""

    day: Day
    facts: DayFacts
    wall_ns: int


@dataclass(frozen=True, slots=True)
class Lost:
    """The day did not come to its end: it raised, its worker died, or it took too long."""

    day: Day
    why: str
    trace: str = ""


Report = Finished | Lost


@dataclass(frozen=True, slots=True)
class _Opened:
    pass


@dataclass(frozen=True, slots=True)
class _NotOpened:
    why: str


@dataclass(frozen=True, slots=True)
class _Refused:
    """The user's settings do not go with what this day tries."""

    day: Day
    lines: tuple[str, ...]


_Word = _Opened | _NotOpened | _Refused | Finished | Lost


class Campaign:
    """Runs `days`. `on_arrival` hears of every report at once, `on_report` of each in the order of the days."""

    def __init__(
        self,
        days: Sequence[Day],
        workshop: Workshop,
        jobs: int,
        *,
        on_arrival: Callable[[Report], None],
        on_report: Callable[[Report], None],
        interrupted: Callable[[], bool],
        day_limit_s: float = DAY_LIMIT_S,
    ) -> None:
        assert days and 1 <= jobs <= JOBS_MAX
        self._days = days
        self._workshop = workshop
        self._jobs = min(jobs, len(days))
        self._on_arrival = on_arrival
        self._on_report = on_report
        self._interrupted = interrupted
        self._limit_ns = int(day_limit_s * 1_000_000_000)
        self._workers: dict[Connection, _Worker] = {}
        self._waiting = deque(range(len(days)))
        self._early: dict[int, Report] = {}
        """Reports whose turn has not come; at most as many as there are days."""
        self._next = 0
        self._stillborn = 0

    def run(self) -> bool:
        """Run them all; False if interrupted, then what had arrived has been reported, in order too.

        Raises InputError for settings that no day can be run with, StartError if no worker comes up.
        """
        try:
            while self._next < len(self._days):
                if self._interrupted():
                    return False
                self._hire()
                for connection in wait(list(self._workers), POLL_S):
                    assert isinstance(connection, Connection)
                    self._listen(self._workers[connection])
                self._end_overdue()
        finally:
            for worker in self._workers.values():
                worker.kill()
            self._workers.clear()
            self._report_rest()
        return True

    def _hire(self) -> None:
        busy = sum(worker.task is not None for worker in self._workers.values())
        while len(self._workers) < min(self._jobs, busy + len(self._waiting)):
            worker = _Worker(self._workshop)
            self._workers[worker.connection] = worker

    def _listen(self, worker: "_Worker") -> None:
        try:
            word: _Word = worker.connection.recv()
        except (EOFError, OSError):
            self._bury(worker)
            return
        match word:
            case _Opened():
                pass
            case _NotOpened(why):
                raise StartError(f"a worker of the simulation could not start: {why}")
            case _Refused(day, lines):
                told = f"seed {day.seed} tries other settings, and yours do not go with them"
                raise InputError("\n".join(f"{told}: {line}" for line in lines))
            case Finished() | Lost():
                self._arrived(worker, word)
        if self._waiting:
            worker.give(self._waiting.popleft(), self._days)

    def _bury(self, worker: "_Worker") -> None:
        """It is gone without a word."""
        del self._workers[worker.connection]
        words = worker.kill()
        if worker.task is not None:
            self._arrived(worker, Lost(self._days[worker.task], words))
            return
        self._stillborn += 1
        if self._stillborn >= STILLBORN_MAX:
            raise StartError(f"the simulation's workers end before their first day: {words}")

    def _end_overdue(self) -> None:
        now = time.monotonic_ns()
        for worker in list(self._workers.values()):
            if worker.task is not None and now - worker.since > self._limit_ns:
                del self._workers[worker.connection]
                worker.kill()
                limit = self._limit_ns // 1_000_000_000
                self._arrived(worker, Lost(self._days[worker.task], f"no end after {limit} s of real time"))

    def _arrived(self, worker: "_Worker", report: Report) -> None:
        assert worker.task is not None
        self._early[worker.task] = report
        worker.task = None
        self._on_arrival(report)
        while self._next in self._early:
            self._on_report(self._early.pop(self._next))
            self._next += 1

    def _report_rest(self) -> None:
        for index in sorted(self._early):
            self._on_report(self._early[index])
        self._early.clear()


class _Worker:
    """One worker process, seen from the campaign. Its end closes its pipe, which is how its death is heard of."""

    def __init__(self, workshop: Workshop) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(target=_work, args=(theirs, workshop), daemon=True)
        with _deaf_to_interrupts():
            self.process.start()
        theirs.close()
        self.task: int | None = None
        """The index of the day that it runs."""
        self.since = 0

    def give(self, index: int, days: Sequence[Day]) -> None:
        assert self.task is None
        self.task, self.since = index, time.monotonic_ns()
        with suppress(OSError):  # it died just now: its pipe says so next
            self.connection.send(days[index])

    def kill(self) -> str:
        """End it, if it has not ended by itself; how it ended, in words."""
        self.process.join(POLL_S if self.connection.poll() else 0)
        self.process.kill()
        self.process.join()
        self.connection.close()
        code = self.process.exitcode
        if code is not None and code < 0:
            return f"its worker process died of signal {-code} ({signal.Signals(-code).name})"
        return f"its worker process ended with exit code {code}"


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """A process started within does not hear the terminal's Ctrl-C, from its first instant on.

    The campaign hears it, a little later, and ends its workers. Windows has no such thing: there a worker that is just
    starting may end with words of its own.
    """
    if sys.platform == "win32":
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # else the first start would, and would unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# --- in the worker ----------------------------------------------------------------------------------------------------


def _work(connection: Connection, workshop: Workshop) -> None:
    """A worker's life: open the workshop, then one day after the other until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        run = workshop.open()
    except Exception as fault:
        connection.send(_NotOpened(f"{type(fault).__name__}: {fault}"))
        return
    connection.send(_Opened())
    while True:
        try:
            day: Day = connection.recv()
        except EOFError:
            return
        word = _word_on(run, day)
        try:
            connection.send(word)
        except BrokenPipeError:
            return


def _word_on(run: RunOneDay, day: Day) -> _Word:
    began = time.perf_counter_ns()
    try:
        facts = run(day)
    except ConfigErrors as fault:
        return _Refused(day, fault.lines)
    except Exception as fault:
        return Lost(day, f"{type(fault).__name__}: {fault}{_place(fault)}", traceback.format_exc())
    return Finished(day, facts, time.perf_counter_ns() - began)


def _place(fault: Exception) -> str:
    """Where it was raised."""
    frames = traceback.extract_tb(fault.__traceback__)
    return f" ({frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno})" if frames else ""
