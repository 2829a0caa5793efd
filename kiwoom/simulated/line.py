"""The broker's side of the line to its client: what is still to happen, who is logged in, what waits to be sent.

Pure: one queue ordered by wall time (nanoseconds), equal times in the order of asking; latencies drawn from a seed.
"""

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from random import Random
from typing import Final

from kiwoom.simulated.faults import FaultDice, Faults, Latency
from kiwoom.simulated.registrations import Registrations
from kiwoom.simulated.wire import ConnectFrame, EventFrame

MILLISECOND: Final = 1_000_000
SECOND: Final = 1_000_000_000
LINE_CUT: Final = -106
CANNOT_CONNECT: Final = -101

Action = Callable[[int], None]
"""What is done at its time; it is given that time."""


class SlidingSecond:
    """A cap: at most `limit` in any window of one second, on the clock it is given (nanoseconds)."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.most_used = 0
        # Pruned at every look: the calls of the last second, of which no more than `limit` were let through.
        self._taken: deque[int] = deque()

    def is_full(self, mono: int) -> bool:
        while self._taken and mono - self._taken[0] >= SECOND:
            self._taken.popleft()
        return len(self._taken) >= self.limit

    def take(self, mono: int) -> None:
        self._taken.append(mono)
        self.most_used = max(self.most_used, len(self._taken))


class Line:
    """The queue, the login and the outgoing events.

    A login has a number, `session`. What answers a call belongs to the login that called and is lost with it; what
    concerns the account goes to whoever is logged in when it is due.
    """

    def __init__(self, latency: Latency, faults: Faults, seed: int) -> None:
        self.latency = latency
        self.dice = FaultDice(faults, Random(f"{seed}:faults"))
        self.registrations = Registrations()
        self.session = 0
        self.logged_in = False
        self._random = Random(f"{seed}:latency")
        # A few entries for each order and query under way, which the caps bound.
        self._queue: list[tuple[int, int, Action]] = []
        self._asked = 0
        self._down_until = 0
        self._cap_time = 0
        # Emptied by every `take`.
        self._out: list[EventFrame] = []

    @property
    def has_output(self) -> bool:
        return bool(self._out)

    def delay(self, milliseconds: int) -> int:
        """So long with jitter, in nanoseconds, never negative."""
        jitter = self.latency.jitter_ms * MILLISECOND
        return max(0, milliseconds * MILLISECOND + (self._random.randint(-jitter, jitter) if jitter else 0))

    def cap_time(self, mono: int) -> int:
        """The clock of the caps: ours, but for the error that a fault gives it. It never goes back."""
        self._cap_time = max(self._cap_time, mono + self.dice.clock_error())
        return self._cap_time

    def at(self, wall: int, action: Action) -> None:
        self._asked += 1
        heappush(self._queue, (wall, self._asked, action))

    def next_at(self) -> int | None:
        return self._queue[0][0] if self._queue else None

    def run_next(self) -> None:
        wall, _, action = heappop(self._queue)
        action(wall)

    def send(self, frame: EventFrame) -> None:
        """To whoever is logged in now, if anyone is."""
        if self.logged_in:
            self._out.append(frame)

    def send_at(self, wall: int, frame: EventFrame) -> None:
        self.at(wall, lambda _: self.send(frame))

    def answer_at(self, wall: int, session: int, *frames: EventFrame) -> None:
        """The frames one after the other, if that login is still on."""

        def answer(_: int) -> None:
            if session == self.session:
                for frame in frames:
                    self.send(frame)

        self.at(wall, answer)

    def take(self) -> list[EventFrame]:
        out, self._out = self._out, []
        return out

    def connect(self, wall: int) -> None:
        """CommConnect: an earlier login is over at once; the new one stands after a while."""
        self.drop()
        session = self.session

        def log_in(at: int) -> None:
            if session == self.session:
                self.logged_in = at >= self._down_until
                self._out.append(ConnectFrame(0 if self.logged_in else CANNOT_CONNECT))

        self.at(wall + self.delay(self.latency.login_ms), log_in)

    def cut_at(self, wall: int, session: int, down_ns: int = 0) -> None:
        """The line of that login breaks, and its client is told; for `down_ns` after it nobody can log in."""

        def cut(at: int) -> None:
            if session == self.session and self.logged_in:
                self.drop()
                self._down_until = max(self._down_until, at + down_ns)
                self._out.append(ConnectFrame(LINE_CUT))

        self.at(wall, cut)

    def calm(self) -> None:
        """Nothing goes wrong any more, and a line that is down is up again."""
        self.dice.calm()
        self._down_until = 0

    def drop(self) -> None:
        """The client is gone: its registrations are dropped and its answers lost."""
        self.logged_in = False
        self.session += 1
        self.registrations = Registrations()
        self._out.clear()
