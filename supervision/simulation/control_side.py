"""The Gateway's control thread on virtual time: the real adapter over the real simulated control, and a line of drawn
delays to the broker.

It behaves as `kiwoom.control_thread.ControlThread` towards the actor. A call keeps the thread busy for as long as it is
under way, and nothing else happens on the thread meanwhile; it ends with the Gateway's process.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random

from kiwoom.adapter import ControlAdapter, FeedTarget
from kiwoom.control import ControlCall, ControlEvent, SubmitOrder
from kiwoom.control_thread import QUOTE_INTERVAL_NS_MIN
from kiwoom.market import Nanos, Now, WallNanos
from kiwoom.quotes import QuoteRun, QuoteRuns
from kiwoom.simulated.control import SimulatedControl
from kiwoom.simulated.wire import CallFrame, EventFrame, ReplyFrame
from supervision.simulation.stage import US, Cell, Stage
from supervision.simulation.virtual_time import HostView

Delay = tuple[int, int]

HAND_OVER: Delay = (20 * US, 300 * US)
"""From the actor to its control thread."""
WAY: Delay = (100 * US, 2_500 * US)
"""From the control to the broker's server, and back."""


def drawn(random: Random, bounds: Delay) -> int:
    low, high = bounds
    return low + int(random.random() * (high - low))


class BrokerSide:
    """What the line needs of the broker. The machine around it implements this."""

    def call(self, frame: CallFrame, at: int) -> ReplyFrame:
        """The broker's answer to a call that arrives at true time `at`."""
        raise NotImplementedError

    def connect(self, line: "StagedLine") -> bool:
        """This line is the client's now; False while the broker cannot be reached."""
        raise NotImplementedError

    def disconnect(self, line: "StagedLine") -> None:
        """The client is gone."""
        raise NotImplementedError

    def handed(self, cl_ord_id: str) -> None:
        """An order or a cancel is given to the control's thread."""
        raise NotImplementedError


class StagedLine:
    """A kiwoom.simulated.control.Link whose calls take time and whose frames come later."""

    def __init__(self, broker: BrokerSide, thread: "StagedControl", random: Random) -> None:
        self._broker = broker
        self._thread = thread
        self._random = random
        self._arrived: deque[EventFrame] = deque()
        self._is_open = False

    @property
    def is_open(self) -> bool:
        return self._is_open

    @property
    def has_arrived(self) -> bool:
        return bool(self._arrived)

    def open(self) -> bool:
        if not self._is_open:
            self._is_open = self._broker.connect(self)
        return self._is_open

    def request(self, call: CallFrame) -> ReplyFrame | None:
        if not self._is_open:
            return None
        self._thread.spend(drawn(self._random, WAY))
        reply = self._broker.call(call, self._thread.true_now)
        self._thread.spend(drawn(self._random, WAY))
        return reply

    def read_frames(self) -> Sequence[EventFrame]:
        frames = tuple(self._arrived)
        self._arrived.clear()
        return frames

    def fileno(self) -> int:
        return -1

    def arrive(self, frames: Sequence[EventFrame]) -> None:
        if self._is_open:
            self._arrived.extend(frames)
            self._thread.readable()

    def cut(self) -> None:
        """The process ends, or its cable is pulled."""
        if self._is_open:
            self._is_open = False
            self._broker.disconnect(self)


class StagedControl:
    """A `ControlSide` for the Gateway in `cell`."""

    def __init__(
        self,
        stage: Stage,
        cell: Cell,
        clock: HostView,
        broker: BrokerSide,
        feeds: Mapping[str, FeedTarget],
        random: Random,
    ) -> None:
        self._stage = stage
        self._broker = broker
        self._cell = cell
        self._clock = clock
        self._random = random
        self._busy_until = 0
        self._handed_over = 0
        self._events: list[ControlEvent] = []
        self._quotes = QuoteRuns()
        self._wake_pending = False
        self._last_wake = 0
        self._timer_at: int | None = None
        self.quote_interval_ns = QUOTE_INTERVAL_NS_MIN
        self.line = StagedLine(broker, self, random)
        self._control = SimulatedControl(self.line)
        self._adapter = ControlAdapter(self._control, self, feeds, self._post, self._post_quote)
        cell.on_end.append(self.line.cut)

    # --- the thread's clock -----------------------------------------------------------------------------------------

    @property
    def true_now(self) -> int:
        return max(self._stage.time.now, self._busy_until)

    def now(self) -> Now:
        mono, wall = self._clock.now()
        ahead = self.true_now - self._stage.time.now
        return Now(Nanos(mono + ahead), WallNanos(wall + ahead))

    def spend(self, duration: int) -> None:
        """The thread waits so long in a call."""
        self._busy_until = self.true_now + duration

    # --- the actor's side -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """The thread runs."""

    def wake_fd(self) -> int:
        return -1

    def perform(self, call: ControlCall) -> None:
        self._stage.count_effect(self._cell)
        if isinstance(call, SubmitOrder):
            self._broker.handed(call.rq_name)
        # One queue: what is handed over later is performed later.
        self._handed_over = max(self._handed_over, self._stage.time.now + drawn(self._random, HAND_OVER))
        self._soon(self._handed_over, partial(self._adapter.perform, call))

    def take(self) -> tuple[list[ControlEvent], dict[int, QuoteRun]]:
        self._wake_pending = False
        events, self._events = self._events, []
        return events, self._quotes.take()

    def take_repeats(self, shard: int) -> tuple[int, int]:
        return self._quotes.take_repeats(shard)

    def last_quotes(self, shard: int) -> bytes:
        return self._quotes.last_of(shard)

    def stop(self) -> None:
        self.line.cut()

    # --- the thread's side ------------------------------------------------------------------------------------------

    def readable(self) -> None:
        self._soon(self._stage.time.now, self._control.on_readable)

    def _soon(self, at: int, action: Callable[[], None]) -> None:
        self._stage.time.at(at, self._turn, action)

    def _turn(self, action: Callable[[], None]) -> None:
        """One turn of the thread's loop; while a call is under way it waits."""
        if self._busy_until > self._stage.time.now:
            self._soon(self._busy_until, action)
        else:
            self._stage.inside(self._cell, partial(self._act, action))

    def _act(self, action: Callable[[], None]) -> None:
        action()
        if self._control.has_pending:
            self._soon(self.true_now, self._control.dispatch_pending)

    def _post(self, event: ControlEvent) -> None:
        self._events.append(event)
        self._wake(self.true_now)

    def _post_quote(self, shard: int, record: bytes) -> None:
        if not self._quotes.add(shard, record) or self._wake_pending or self._timer_at is not None:
            return
        now = self._stage.time.now
        if now >= self._last_wake + self.quote_interval_ns:
            self._wake_for_quotes()
        else:
            self._timer_at = self._last_wake + self.quote_interval_ns
            self._stage.time.at(self._timer_at, self._on_timer)

    def _on_timer(self) -> None:
        self._timer_at = None
        self._wake_for_quotes()

    def _wake_for_quotes(self) -> None:
        self._last_wake = self._stage.time.now
        self._wake(self._stage.time.now)

    def _wake(self, at: int) -> None:
        if not self._wake_pending:
            self._wake_pending = True
            self._stage.time.at(at, self._stage.wake_watcher, self._cell)
