"""The thread on which the control lives: a Qt event loop, the control, its adapter; nothing else calls them.

The control is single-threaded and event-driven (KIWOOM.md 1.1). Everything Qt is created and torn down on this thread.
Requests come in through a socket that the event loop watches; events go out through a queue and a wake-up socket that
the owning actor watches. Neither side polls.

Wake-ups for quotes are paced: at once when the last one is long past, else when `quote_interval_ns` has gone by.
Anything that is not a quote wakes at once.
"""

import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from PyQt5 import sip
from PyQt5.QtCore import QCoreApplication, QSocketNotifier, Qt, QTimer

from kiwoom.adapter import ControlAdapter, FeedTarget
from kiwoom.control import Clock, ControlCall, ControlEvent, ControlPort
from kiwoom.market import MS
from kiwoom.quotes import QuoteRun, QuoteRuns

SWITCH_INTERVAL_S = 0.0005
"""The actor and this thread share an interpreter; Python's 5 ms would keep an order waiting behind a batch."""

QUOTE_INTERVAL_NS_MIN = 2 * MS
QUOTE_INTERVAL_NS_MAX = 16 * MS


class SocketPort(Protocol):
    """What a control that lives behind a socket offers beside the port, so that this loop can watch it."""

    def fileno(self) -> int: ...
    def on_readable(self) -> None: ...
    @property
    def has_pending(self) -> bool: ...
    def dispatch_pending(self) -> None: ...


MakeControl = Callable[[], ControlPort]
MakeApplication = Callable[[list[str]], QCoreApplication]


class ControlThread:
    """Owned by the Gateway's shell. `perform`, `take` and `stop` are called by the actor, the rest by the thread."""

    def __init__(
        self,
        make_control: MakeControl,
        make_application: MakeApplication,
        feeds: Mapping[str, FeedTarget],
        clock: Clock,
    ) -> None:
        self._make_control = make_control
        self._make_application = make_application
        self._feeds = feeds
        self._clock = clock
        self._calls: deque[ControlCall] = deque()
        self._events: deque[ControlEvent] = deque()
        self._quotes = QuoteRuns()
        self._lock = threading.Lock()
        self._stopping = False
        self._wake_pending = False
        self._last_wake_ns = 0
        self.quote_interval_ns = QUOTE_INTERVAL_NS_MIN
        self._to_thread, self._from_actor = socket.socketpair()
        self._to_actor, self._from_thread = socket.socketpair()
        for end in (self._to_thread, self._from_actor, self._to_actor, self._from_thread):
            end.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)
        self._adapter: ControlAdapter
        self._timer: Any = None
        self._port_notifier: Any = None
        self._port_fd = -1

    # --- the actor's side -------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def wake_fd(self) -> int:
        """Readable when there is something to take."""
        return self._to_actor.fileno()

    def perform(self, call: ControlCall) -> None:
        self._calls.append(call)
        _poke(self._from_actor)

    def take(self) -> tuple[list[ControlEvent], dict[int, QuoteRun]]:
        """Everything that came since the last take: events in order, and the quotes of the shards that have news."""
        _drain(self._to_actor)
        with self._lock:
            self._wake_pending = False
            quotes = self._quotes.take()
            events = list(self._events)
            self._events.clear()
        return events, quotes

    def take_repeats(self, shard: int) -> tuple[int, int]:
        """Repeats (KRX, NXT) of a shard that had no news since: for its last count."""
        with self._lock:
            return self._quotes.take_repeats(shard)

    def stop(self) -> None:
        """End the event loop and wait for the thread.

        The pair that wakes the actor stays open and silent: Thespian watches it until the process has ended, and would
        spin on a descriptor that is closed or readable.
        """
        self._stopping = True
        _poke(self._from_actor)
        self._thread.join(timeout=5)
        for end in (self._to_thread, self._from_actor):
            end.close()
        _drain(self._to_actor)

    # --- the thread's side ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        application = self._make_application(["arb-control"])
        control = self._make_control()
        self._adapter = ControlAdapter(control, self._clock, self._feeds, self._post, self._post_quote)
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setTimerType(Qt.PreciseTimer)
        self._timer.timeout.connect(self._wake_for_quotes)
        notifier = QSocketNotifier(self._to_thread.fileno(), QSocketNotifier.Read)
        notifier.activated.connect(lambda *_: self._on_calls(control, application))
        application.exec_()
        notifier.setEnabled(False)
        self._unfollow()
        self._timer.stop()
        self._timer = None
        # Here, on the thread that made it: left to PyQt's clean-up on the main thread it would crash the process's end.
        sip.delete(application)

    def _on_calls(self, control: ControlPort, application: QCoreApplication) -> None:
        _drain(self._to_thread)
        while self._calls:
            self._adapter.perform(self._calls.popleft())
            self._follow(control)
        if self._stopping:
            application.quit()

    def _follow(self, control: Any) -> None:
        """Watch the control's own socket, where it has one; a new connection is a new socket."""
        if not hasattr(control, "fileno"):
            return
        fd = control.fileno()
        if fd != self._port_fd:
            self._unfollow()
            if fd >= 0:
                self._port_notifier = QSocketNotifier(fd, QSocketNotifier.Read)
                self._port_notifier.activated.connect(lambda *_: self._on_port_readable(control))
                self._port_fd = fd
        if control.has_pending:
            QTimer.singleShot(0, control.dispatch_pending)

    def _unfollow(self) -> None:
        if self._port_notifier is not None:
            self._port_notifier.setEnabled(False)
            self._port_notifier = None
        self._port_fd = -1

    def _on_port_readable(self, control: SocketPort) -> None:
        control.on_readable()
        self._follow(control)

    def _post(self, event: ControlEvent) -> None:
        with self._lock:
            self._events.append(event)
            wake, self._wake_pending = not self._wake_pending, True
        if wake:
            _poke(self._from_thread)

    def _post_quote(self, shard: int, record: bytes) -> None:
        with self._lock:
            is_new = self._quotes.add(shard, record)
            if self._wake_pending or not is_new:
                return
        if not self._timer.isActive():
            wait_ns = self._last_wake_ns + self.quote_interval_ns - self._clock.now().mono
            if wait_ns <= 0:
                self._wake_for_quotes()
            else:
                self._timer.start(max(1, wait_ns // MS))

    def _wake_for_quotes(self) -> None:
        self._last_wake_ns = self._clock.now().mono
        with self._lock:
            wake, self._wake_pending = not self._wake_pending, True
        if wake:
            _poke(self._from_thread)


def _poke(end: socket.socket) -> None:
    with suppress(BlockingIOError):  # full: the other side has thousands of wake-ups waiting already
        end.send(b"x")


def _drain(end: socket.socket) -> None:
    with suppress(BlockingIOError):
        while end.recv(4096):
            pass
