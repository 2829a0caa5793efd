"""Virtual time: a queue of things to do, each at its instant. Nothing waits, nothing happens twice, no clock is read.

`now` is the true monotonic time in nanoseconds; equal instants run in the order of asking. The hosts' clocks and the
broker's are views of it (`HostView`), which may be wrong by a step of the wall clock.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from kiwoom.market import Nanos, Now, WallNanos

Action = Callable[..., None]


class VirtualTime:
    def __init__(self, start: Nanos) -> None:
        self.now = start
        self._queue: list[tuple[int, int, Action, tuple[Any, ...]]] = []
        self._asked = 0

    def at(self, when: int, action: Action, *args: Any) -> None:
        """Run `action(*args)` at `when`, now if that has passed."""
        self._asked += 1
        heappush(self._queue, (max(when, self.now), self._asked, action, args))

    def run_until(self, end: Nanos, after_step: Callable[[], None]) -> None:
        """Everything due up to `end`, in order; `after_step` follows each. Then it is `end`."""
        queue = self._queue
        while queue and queue[0][0] <= end:
            when, _, action, args = heappop(queue)
            self.now = Nanos(when)
            action(*args)
            after_step()
        self.now = end


class HostView:
    """The clock of one host: its monotonic clock began somewhere, its wall clock may be stepped."""

    def __init__(self, time: VirtualTime, wall_less_mono: int) -> None:
        self._time = time
        self.wall_less_mono = wall_less_mono
        self.step_ns = 0
        """How far the wall clock is off."""
        self.boot_ns = 0
        """What its monotonic clock shows less than the true one: it begins anew with a boot."""

    def now(self) -> Now:
        true = self._time.now
        return Now(Nanos(true - self.boot_ns), WallNanos(true + self.wall_less_mono + self.step_ns))
