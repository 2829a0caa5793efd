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
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from PyQt5 import sip
from PyQt5.QtCore import (
    QCoreApplication,
    QSocketNotifier,
    Qt,
    QTimer,
    qFormatLogMessage,
    qInstallMessageHandler,
)

from kiwoom.adapter import ControlAdapter, FeedTarget
from kiwoom.control import Clock, ControlCall, ControlEvent, ControlPort
from kiwoom.market import MS
from kiwoom.quotes import QuoteRun, QuoteRuns

SWITCH_INTERVAL_S = 0.0005
"""The actor and this thread share an interpreter; Python's 5 ms would keep an order waiting behind a batch."""

NOT_MAIN_THREAD = "WARNING: QApplication was not created in the main() thread."
"""What Qt says of every application on a thread like ours. It is meant to be there, and there is only this one."""

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
        self._failure = ""
        self._wake_pending = False
        self._last_wake_ns = 0
        self.quote_interval_ns = QUOTE_INTERVAL_NS_MIN
        self._to_thread, self._from_actor = socket.socketpair()
        self._to_actor, self._from_thread = socket.socketpair()
        for end in (self._to_thread, self._from_actor, self._to_actor, self._from_thread):
            end.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)
        # What follows lives on the thread: made and destroyed there. Slots are methods: a lambda would keep all alive.
        self._application: QCoreApplication
        self._control: Any
        self._adapter: ControlAdapter
        self._timer: Any = None
        self._port_notifier: Any = None
        self._port_fd = -1

    # --- the actor's side -------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def wake_fd(self) -> int:
        """Readable when there is something to take; -1 once stopped."""
        return self._to_actor.fileno()

    def perform(self, call: ControlCall) -> None:
        self._calls.append(call)
        _poke(self._from_actor)

    def take(self) -> tuple[list[ControlEvent], dict[int, QuoteRun]]:
        """Everything that came since the last take: events in order, and the quotes of the shards that have news.

        Raises RuntimeError if the thread could not start its control (not installed, wrong bitness): nothing will come.
        """
        _drain(self._to_actor)
        if self._failure:
            raise RuntimeError(f"the control could not be started\n{self._failure}")
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

    def last_quotes(self, shard: int) -> bytes:
        """The last top of every symbol and venue of `shard`, for a shard that was started again."""
        with self._lock:
            return self._quotes.last_of(shard)

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
        try:
            self._application = _make_quietly(self._make_application)
            try:
                self._live()
            finally:
                # Left to PyQt's clean-up on the main thread it would crash the process's end.
                sip.delete(self._application)
                del self._application
        except Exception:
            # As text: a traceback would keep the control alive beyond its thread.
            self._failure = traceback.format_exc()
            _poke(self._from_thread)

    def _live(self) -> None:
        """The control's whole life: when this returns it has been destroyed, on this thread, before the application.

        Qt crashes the process if its objects are left to the garbage collector of another thread.
        """
        self._control = self._make_control()
        self._adapter = ControlAdapter(self._control, self._clock, self._feeds, self._post, self._post_quote)
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setTimerType(Qt.PreciseTimer)
        self._timer.timeout.connect(self._wake_for_quotes)
        notifier = QSocketNotifier(self._to_thread.fileno(), QSocketNotifier.Read)
        notifier.activated.connect(self._on_calls)
        self._application.exec_()
        notifier.setEnabled(False)
        self._unfollow()
        self._timer.stop()
        self._timer = None
        self._adapter.let_go()
        del self._adapter, self._control

    def _on_calls(self) -> None:
        _drain(self._to_thread)
        while self._calls:
            self._adapter.perform(self._calls.popleft())
            self._follow()
        if self._stopping:
            self._application.quit()

    def _follow(self) -> None:
        """Watch the control's own socket, where it has one; a new connection is a new socket."""
        if not hasattr(self._control, "fileno"):
            return
        port: SocketPort = self._control
        fd = port.fileno()
        if fd != self._port_fd:
            self._unfollow()
            if fd >= 0:
                self._port_notifier = QSocketNotifier(fd, QSocketNotifier.Read)
                self._port_notifier.activated.connect(self._on_port_readable)
                self._port_fd = fd
        if port.has_pending:
            QTimer.singleShot(0, port.dispatch_pending)

    def _unfollow(self) -> None:
        if self._port_notifier is not None:
            self._port_notifier.setEnabled(False)
            self._port_notifier = None
        self._port_fd = -1

    def _on_port_readable(self) -> None:
        self._control.on_readable()
        self._follow()

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


def _make_quietly(make_application: MakeApplication) -> QCoreApplication:
    """Make the application without Qt's word on its thread; whatever else it says meanwhile is said."""

    def pass_on(kind: Any, context: Any, message: str | None) -> None:
        if message != NOT_MAIN_THREAD and sys.stderr is not None:
            sys.stderr.write(qFormatLogMessage(kind, context, message) + "\n")

    handler_before = qInstallMessageHandler(pass_on)
    try:
        return make_application(["arb-control"])
    finally:
        qInstallMessageHandler(handler_before)


def _poke(end: socket.socket) -> None:
    with suppress(BlockingIOError):  # full: the other side has thousands of wake-ups waiting already
        end.send(b"x")


def _drain(end: socket.socket) -> None:
    with suppress(BlockingIOError):
        while end.recv(4096):
            pass
