"""The control's thread with a real Qt loop: calls in order, events at once, quotes paced, nothing left behind."""

import gc
import select
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PyQt5.QtCore import QCoreApplication, qWarning

from actors.clock import HostClock
from kiwoom.adapter import FeedTarget
from kiwoom.control import (
    Connect,
    Connected,
    ControlEvent,
    ControlPort,
    MessageReceived,
    OrderCalled,
    RealCalled,
    RegisterReal,
    SubmitOrder,
)
from kiwoom.control_thread import NOT_MAIN_THREAD, QUOTE_INTERVAL_NS_MIN, ControlThread
from kiwoom.market import MS, SECOND, Symbol, Venue
from kiwoom.quotes import QUOTE, QuoteRun
from tests.support.samples import Real, real
from tests.support.scripted_control import ScriptedControl

FEEDS = {
    "005930": FeedTarget(0, 0, Venue.KRX, Symbol("005930")),
    "005930_NX": FeedTarget(0, 0, Venue.NXT, Symbol("005930")),
    "000660": FeedTarget(1, 1, Venue.KRX, Symbol("000660")),
}
QUOTE_RAW = real("quote").raw
PATIENCE_S = 10.0
"""How long a test waits for what must come; nothing waits that long for what must not."""


class LineControl(ScriptedControl):
    """Hears from the test over a socket, as a control whose broker is another process: one line, one event.

    "quote CODE BID_SIZE" or "message TEXT".
    """

    def __init__(self, line: socket.socket) -> None:
        super().__init__()
        self.line = line
        self.threads: set[str] = set()
        self.destroyed: Callable[[], None] = lambda: None

    def __del__(self) -> None:
        self.destroyed()

    def fileno(self) -> int:
        return self.line.fileno()

    @property
    def has_pending(self) -> bool:
        return False

    def dispatch_pending(self) -> None:
        raise AssertionError("nothing is ever pending")

    def on_readable(self) -> None:
        self.threads.add(threading.current_thread().name)
        for line in self.line.recv(65_536).decode().splitlines():
            kind, *words = line.split()
            assert self.events is not None
            if kind == "quote":
                raw = QUOTE_RAW.replace("-76900\t900", f"-76900\t{words[1]}", 1)
                self.bring_real(Real(words[0], "주식호가잔량", raw))
            else:
                self.events.OnReceiveMsg("1000", "q", "", words[0])

    def _call(self, name: str, *args: Any) -> Any:
        self.threads.add(threading.current_thread().name)
        return super()._call(name, *args)


class Desk:
    """A control thread, its control, and the far end of the control's line."""

    def __init__(self, make_application: Callable[[list[str]], QCoreApplication] = QCoreApplication) -> None:
        self.far_end, near_end = socket.socketpair()
        self.control: LineControl | None = None
        self.ends: list[tuple[str, str]] = []
        self._near_end = near_end
        self.thread = ControlThread(self.make_control, make_application, FEEDS, HostClock(0))

    def make_control(self) -> ControlPort:
        self.control = LineControl(self._near_end)
        ends = self.ends
        self.control.destroyed = lambda: ends.append(("control", threading.current_thread().name))
        return self.control

    def connected(self) -> "Desk":
        """Logged in and listening: the line is watched from the first call on."""
        self.thread.start()
        self.thread.perform(Connect())
        self.thread.perform(RegisterReal("1000", ("005930",), (41,)))
        assert isinstance(self.wait_for_events(1)[0], RealCalled)
        return self

    def hears(self, *lines: str) -> None:
        self.far_end.sendall("".join(f"{line}\n" for line in lines).encode())

    def is_woken(self, within_s: float = PATIENCE_S) -> bool:
        return bool(select.select((self.thread.wake_fd(),), (), (), within_s)[0])

    def take(self) -> tuple[list[ControlEvent], dict[int, QuoteRun]]:
        assert self.is_woken()
        return self.thread.take()

    def wait_for_events(self, count: int) -> list[ControlEvent]:
        events: list[ControlEvent] = []
        while len(events) < count:
            events += self.take()[0]
        return events

    def close(self) -> None:
        self.thread.stop()
        self.far_end.close()
        self._near_end.close()


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.close()


def bid_sizes(run: QuoteRun) -> list[int]:
    return [record[4] for record in QUOTE.iter_unpack(bytes(run.records))]


@pytest.fixture(autouse=True)
def switch_interval() -> Iterator[None]:
    """The thread sets the interpreter's; other tests get theirs back."""
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


def test_calls_are_performed_in_order_on_the_control_s_thread_alone(desk: Desk) -> None:
    desk.thread.perform(Connect())  # even before the thread runs
    desk.thread.start()
    orders = [SubmitOrder(f"o{n}", "4001", "8012345611", 1, "005930", 1, 77_000, "00", "") for n in range(20)]
    for order in orders:
        desk.thread.perform(order)
    events = desk.wait_for_events(len(orders))
    assert [event.rq_name for event in events if isinstance(event, OrderCalled)] == [order.rq_name for order in orders]
    assert desk.control is not None
    assert [call[0] for call in desk.control.calls] == ["CommConnect", *["SendOrder"] * len(orders)]
    assert desk.control.threads == {"control"}


def test_a_call_that_the_control_turned_away_is_answered_by_an_event(desk: Desk) -> None:
    desk.thread.start()
    desk.thread.perform(RegisterReal("1000", ("005930",), (41,)))
    assert [type(event) for event in desk.wait_for_events(1)] == [RealCalled]
    assert desk.control is not None
    desk.control.returns["CommConnect"] = -100
    desk.thread.perform(Connect())
    (event,) = desk.wait_for_events(1)
    assert isinstance(event, Connected)
    assert event.error == -100


def test_quotes_are_sorted_by_shard_with_their_repeats_counted(desk: Desk) -> None:
    desk.connected()
    desk.hears("quote 005930 1", "quote 005930 1", "quote 005930_NX 1", "quote 000660 7", "quote 005930 2", "message x")
    runs: dict[int, list[int]] = {}
    repeats = [0, 0]
    while sum(map(len, runs.values())) < 4:
        for shard, run in desk.take()[1].items():
            runs.setdefault(shard, []).extend(bid_sizes(run))
            repeats = [sum(pair) for pair in zip(repeats, run.repeats, strict=True)]
    assert runs == {0: [1, 1, 2], 1: [7]}
    assert repeats == [1, 0]


def test_the_first_quote_wakes_at_once_and_the_next_waits_for_its_interval(desk: Desk) -> None:
    desk.connected()
    desk.thread.quote_interval_ns = 150 * MS
    before = time.perf_counter_ns()
    desk.hears("quote 005930 1")
    assert bid_sizes(desk.take()[1][0]) == [1]
    desk.hears("quote 005930 2")
    desk.hears("quote 005930 3")
    assert desk.is_woken()
    assert time.perf_counter_ns() - before >= 150 * MS - QUOTE_INTERVAL_NS_MIN
    assert bid_sizes(desk.thread.take()[1][0]) == [2, 3]


def test_an_event_wakes_at_once_and_takes_the_waiting_quotes_along(desk: Desk) -> None:
    desk.connected()
    desk.thread.quote_interval_ns = 3_600 * SECOND
    desk.hears("quote 005930 1")
    desk.take()
    desk.hears("quote 005930 2", "message hello")
    events, quotes = desk.take()
    assert [event.text for event in events if isinstance(event, MessageReceived)] == ["hello"]
    assert bid_sizes(quotes[0]) == [2]


def test_a_repeat_wakes_nobody_and_is_there_for_the_last_count(desk: Desk) -> None:
    desk.connected()
    desk.hears("quote 005930 1")
    desk.take()
    desk.hears("quote 005930 1", "quote 005930 1", "message done")
    events, quotes = desk.take()
    assert (len(events), quotes) == (1, {})
    assert desk.thread.take_repeats(0) == (2, 0)
    assert desk.thread.take_repeats(0) == (0, 0)


def test_one_wake_up_stands_for_all_that_came_before_it_was_taken(desk: Desk) -> None:
    desk.connected()
    desk.hears(*(f"message {n}" for n in range(100)), "quote 005930 1")
    texts: list[str] = []
    while len(texts) < 100:
        texts += [event.text for event in desk.take()[0] if isinstance(event, MessageReceived)]
    assert texts == [str(n) for n in range(100)]


def test_a_stop_performs_what_was_asked_before_and_leaves_no_thread() -> None:
    desk = Desk().connected()
    for n in range(5):
        desk.thread.perform(SubmitOrder(f"o{n}", "4001", "8012345611", 1, "005930", 1, 77_000, "00", ""))
    before = time.perf_counter_ns()
    desk.close()
    assert time.perf_counter_ns() - before < 5 * SECOND
    assert desk.control is not None
    assert [call[1] for call in desk.control.calls if call[0] == "SendOrder"] == [f"o{n}" for n in range(5)]
    assert "control" not in [thread.name for thread in threading.enumerate()]


def test_a_stop_right_after_the_start_ends_it_too() -> None:
    desk = Desk()
    desk.thread.start()
    desk.close()
    assert "control" not in [thread.name for thread in threading.enumerate()]


def test_the_control_and_then_the_application_are_destroyed_on_their_thread() -> None:
    class Application(QCoreApplication):
        def __del__(self) -> None:
            desk.ends.append(("application", threading.current_thread().name))

    desk = Desk(Application)
    gc.disable()  # nothing may depend on when the collector runs, and on which thread
    try:
        desk.connected()
        desk.hears("quote 005930 1")
        desk.take()
        desk.control = None
        desk.thread.stop()
        assert desk.ends == [("control", "control"), ("application", "control")]
        assert QCoreApplication.instance() is None
    finally:
        gc.enable()
    desk.far_end.close()


def test_qt_is_silent_about_the_thread_and_only_about_that(capfd: pytest.CaptureFixture[str]) -> None:
    def make_application(arguments: list[str]) -> QCoreApplication:
        qWarning("something else")
        return QCoreApplication(arguments)

    desk = Desk(make_application).connected()
    desk.close()
    said = capfd.readouterr().err
    assert said == "something else\n"
    assert NOT_MAIN_THREAD not in said


def test_a_control_that_cannot_be_made_is_told_to_who_takes(desk: Desk) -> None:
    def refuse() -> ControlPort:
        raise OSError("not registered")

    desk.thread._make_control = refuse
    desk.thread.start()
    desk.thread.perform(Connect())
    assert desk.is_woken()
    with pytest.raises(RuntimeError, match=r"(?s)could not be started.*OSError: not registered"):
        desk.thread.take()
