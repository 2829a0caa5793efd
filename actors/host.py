"""What an actor finds around it: a clock, a process of its own, and a launcher that it must not outlive.

The stage on which an actor is put may be another one (`supervision.simulation`): it hands over its own Host before the
first message.
"""

import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import Protocol

from actors.clock import HostClock
from actors.lifeline import hold_lifeline, let_crashes_end_us
from kiwoom.control import Clock

ORPHAN_GRACE_S = 20.0
"""How long an actor outlives its launcher at most: the Supervisor needs some of it to close the pairs."""


class Host(Protocol):
    @property
    def pid(self) -> int: ...

    def clock(self, wall_offset_ns: int) -> Clock: ...

    def hold_lifeline(self, port: int, on_broken: Callable[[], None]) -> None:
        """Call `on_broken`, on a thread, once the launcher is gone. Port 0 = nobody to outlive."""
        ...

    def settle(self, *, gives_way: bool) -> None:
        """What exists now lives as long as the actor. `gives_way`: it is not between a signal and its order."""
        ...

    def kill(self, pid: int) -> None:
        """End a process that does not answer; it may be gone already."""
        ...

    def collapse(self) -> None:
        """End at once, in an exception handler, with its traceback shown."""
        ...


class ProcessHost:
    """A process of the actor's own, as Thespian's multiprocess base gives it."""

    @property
    def pid(self) -> int:
        return os.getpid()

    def clock(self, wall_offset_ns: int) -> Clock:
        return HostClock(wall_offset_ns)

    def hold_lifeline(self, port: int, on_broken: Callable[[], None]) -> None:
        if port:
            let_crashes_end_us()
        hold_lifeline(port, on_broken)

    def settle(self, *, gives_way: bool) -> None:
        """The collector need not walk through it on the hot path; whoever gives way runs at a lower priority."""
        gc.collect()
        gc.freeze()
        if gives_way and hasattr(os, "nice"):
            os.nice(10)

    def kill(self, pid: int) -> None:
        try:
            os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        except OSError:
            return

    def collapse(self) -> None:
        traceback.print_exc(file=sys.stderr)
        os._exit(70)


def end_after_grace() -> None:
    """On the lifeline's thread: the launcher is gone. Leave the Supervisor time to end the pairs, then go."""
    time.sleep(ORPHAN_GRACE_S)
    os._exit(1)
