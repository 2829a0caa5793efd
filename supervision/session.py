"""One run of the machine, from start to flat: what `arb run` does once its input has been found good.

Order: locks, broker (paper), lifeline, actor system, Supervisor with the cast; then watch until the end of the
window, of the duration, or Ctrl-C; then disarm, let the pairs finish, flatten what is left, end the feeds, stop the
actors, stop the broker, write the results. Whatever happens in between, everything started is stopped
(by `salvage.py` when the Supervisor is gone).
"""

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from types import FrameType
from typing import Any

from actors.clock import HostClock
from actors.messages.session import Command, OperatorCommand
from actors.messages.supervision import AskStatus, MachineStatus, Operate, Shutdown
from kiwoom.market import SECOND
from supervision.child import Launch
from supervision.status_line import StatusLine
from supervision.supervisor import GLOBAL_NAME, Supervisor
from supervision.system import ActorGoneError, ask, create, tell

POLL_S = 0.25
READY_S = 60.0
"""From launch to every actor enlisted; spawned processes import first, on a slow disk for long."""
FINISH_S = 8.0
"""Live pairs may take t_hedge and the whole ladder."""
FLATTEN_S = 12.0
DRAIN_S = 10.0
STOP_S = 10.0
ANSWER_S = 2.0
SILENT_S = 5.0
"""A Supervisor that answered before and has not for so long is lost."""


class Exit(IntEnum):
    """Exit codes of the command line (CONTRACTS)."""

    FLAT = 0
    BROKEN = 1
    """`arb simulate`: a promise was broken, or too little of the pair table was tried."""
    BAD_INPUT = 2
    NOT_FLAT = 3
    SAFE_STATE = 4
    COULD_NOT_START = 5
    NONE_RUNNING = 6
    INTERRUPTED = 130
    """`arb simulate`: Ctrl-C, after what was known by then was printed."""


class InputError(Exception):
    """Something the user gave is wrong; each line of the message is one fault and says what is allowed."""


class StartError(Exception):
    """The machine could not start. The message says why and what to do."""


class SupervisorLostError(Exception):
    """The Supervisor died or answers no more: nobody can be told anything. The message says which."""


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What to run: the cast, when to end, whom to ask to arm."""

    launch: Launch
    duration_ns: int | None
    end_wall: int
    """The market-clock instant at which the window is over and every pair must be flat."""


class Interrupts:
    """Ctrl-C and SIGTERM, counted instead of raised: the first ends the run orderly, a second flattens at once."""

    def __init__(self) -> None:
        self.count = 0
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            for name in ("SIGINT", "SIGTERM", "SIGBREAK", "SIGHUP"):
                number = getattr(signal, name, None)
                if number is not None:
                    self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1


class Session:
    """Drives a started actor system through one run. `system` is Thespian's, already listening."""

    def __init__(self, system: Any, plan: RunPlan, line: StatusLine, interrupts: Interrupts) -> None:
        self._system = system
        self._plan = plan
        self._line = line
        self._interrupts = interrupts
        self._clock = HostClock(plan.launch.clock.wall_offset_ns)
        self._supervisor: Any = None
        self._answered_at: int | None = None
        self.last: MachineStatus | None = None

    def run(self) -> None:
        """Start the cast and return once the machine has stopped.

        Raises StartError if it never came up, SupervisorLostError if its Supervisor went away.
        """
        try:
            self._supervisor = create(self._system, Supervisor, GLOBAL_NAME)
            tell(self._system, self._supervisor, self._plan.launch)
            self._await_ready()
            self._watch()
            self._finish()
        except ActorGoneError as fault:
            if self.last is None:
                raise StartError(f"the Supervisor did not start: {fault}") from fault
            raise SupervisorLostError("the Supervisor died") from fault

    @property
    def safe_state(self) -> bool:
        return self.last is not None and self.last.stage == "safe"

    # --- the stages -------------------------------------------------------------------------------------------------

    def _await_ready(self) -> None:
        def ready(status: MachineStatus) -> bool:
            return status.stage != "starting" or self._interrupts.count > 0

        if not self._wait(ready, READY_S):
            down = [actor.name for actor in self.last.actors if not actor.up] if self.last else ["supervisor"]
            raise StartError(f"these actors did not start within {READY_S:.0f} s: {', '.join(down)}")

    def _watch(self) -> None:
        """Until Ctrl-C, the duration, the end of the window, safe state, or somebody else's stop."""
        until = None if self._plan.duration_ns is None else self._clock.now().mono + self._plan.duration_ns
        while not self._interrupts.count:
            now = self._clock.now()
            if (until is not None and now.mono >= until) or now.wall >= self._plan.end_wall:
                return
            status = self._status()
            if status is not None and status.stage in ("safe", "stopping", "stopped"):
                return
            if status is not None and status.stop_asked:
                return
            time.sleep(POLL_S)

    def _finish(self) -> None:
        """Disarm, finish, flatten, end the feeds, stop."""
        asked = self._interrupts.count
        self._operate(Command.STOP)
        self._wait(lambda status: _is_flat(status) or self._interrupts.count > asked, FINISH_S)
        if self.last is None or not _is_flat(self.last) or _left_open(self.last):
            self._line.say("closing what is open now")
            self._operate(Command.FLATTEN)
            self._wait(_is_flat, FLATTEN_S)
        self._operate(Command.UNREGISTER_FEEDS)
        self._wait(lambda status: status.feeds_ended, DRAIN_S)
        ended = self.last
        self._tell(Shutdown("the run is over"))
        self._wait(lambda status: status.stage == "stopped", STOP_S)
        self.last = ended

    # --- asking -----------------------------------------------------------------------------------------------------

    def _status(self) -> MachineStatus | None:
        """The machine now, or None if there is no answer yet."""
        answer = ask(self._system, self._supervisor, AskStatus(), ANSWER_S)
        now = self._clock.now()
        if isinstance(answer, MachineStatus):
            self.last, self._answered_at = answer, now.mono
            self._line.show(answer, now.mono, now.wall)
            return answer
        if self._answered_at is not None and now.mono - self._answered_at > SILENT_S * SECOND:
            raise SupervisorLostError(f"the Supervisor has not answered for {SILENT_S:.0f} s")
        return None

    def _wait(self, done: Callable[[MachineStatus], bool], seconds: float) -> bool:
        end = self._clock.now().mono + int(seconds * SECOND)
        while self._clock.now().mono < end:
            status = self._status()
            if status is not None and done(status):
                return True
            time.sleep(POLL_S)
        return False

    def _operate(self, command: Command) -> None:
        self._tell(Operate(OperatorCommand(command)))

    def _tell(self, message: object) -> None:
        tell(self._system, self._supervisor, message)


def _is_flat(status: MachineStatus) -> bool:
    """Nothing is under way: by the Router since it was told to stop, and by the journal."""
    return status.open_pairs == 0 and (status.figures is None or not status.figures.pairs_live)


def _left_open(status: MachineStatus) -> bool:
    """A pair ended unhedged: Flatten gives it another try."""
    return status.figures is not None and status.figures.open_qty > 0
