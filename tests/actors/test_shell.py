"""The shell under real Thespian: a raising core runs once, reports once and dies; deadlines wake it; rows come last."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from freezegun import freeze_time
from thespian.actors import ActorSystem

from actors.effects import Effects, Record, Role, Send
from actors.messages.journal import EventType, Row, RowsPosted
from actors.messages.session import Command, OperatorCommand
from actors.messages.supervision import ActorFailed, ClockSettings, Enlist, Enlisted, Ping, Pong
from actors.shell import Shell
from kiwoom.market import MS, Nanos, Now
from supervision import loopback
from supervision.system import QUIET, free_port
from tests.support.listener import Listener

ARM, MUTE, STOP = (OperatorCommand(command) for command in (Command.ARM, Command.MUTE, Command.STOP))


class ScriptedCore:
    """Raises on MUTE (noting each run in a file), sets a deadline on ARM, records and sends on STOP."""

    def __init__(self, tally: Path) -> None:
        self._tally = tally
        self._deadline: Nanos | None = None

    def handle(self, message: Any, now: Now) -> Effects:
        if message == MUTE:
            with self._tally.open("a") as file:
                file.write("x")
            raise RuntimeError("boom")
        if message == ARM:
            self._deadline = Nanos(now.mono + 100 * MS)
        if message == STOP:
            row = Row(EventType.OPERATOR, now.mono, now.wall)
            return (Record(row), Send(Role.ROUTER, message))
        return ()

    def next_deadline(self) -> Nanos | None:
        return self._deadline

    def on_deadline(self, now: Now) -> Effects:
        self._deadline = None
        return (Send(Role.ROUTER, ARM),)


class ScriptedShell(Shell):
    role = Role.THROTTLER

    def make_core(self, settings: Path) -> ScriptedCore:
        return ScriptedCore(settings)


@pytest.fixture(params=["simpleSystemBase", "multiprocTCPBase"])
def system(request: pytest.FixtureRequest) -> Any:
    loopback.install()
    capabilities = {"Admin Port": free_port(), "Process Startup Method": "spawn"}
    system = ActorSystem(request.param, capabilities, logDefs=QUIET, transientUnique=True)
    yield system
    system.shutdown()


def enlist(system: Any, tally: Path) -> tuple[Any, Any]:
    listener, shell = system.createActor(Listener), system.createActor(ScriptedShell)
    roles = (Role.SUPERVISOR, Role.ROUTER, Role.GATEWAY)
    addresses = {(role.value, 0): listener for role in roles}
    system.tell(shell, Enlist("throttler", 0, tally, addresses, ClockSettings(0), 0))
    return listener, shell


def heard(system: Any, listener: Any, kind: Any, count: int) -> list[Any]:
    """What of `kind` the listener heard, once it is `count` (or the system had ten seconds)."""
    found: list[Any] = []
    for _ in range(10_000):
        answer = system.ask(listener, "what?", timedelta(seconds=5))
        found = [message for message in answer if isinstance(message, kind)]
        if len(found) >= count:
            break
    return found


def test_a_raising_core_runs_once_reports_once_and_hears_nothing_more(system: Any, tmp_path: Path) -> None:
    tally = tmp_path / "tally"
    listener, shell = enlist(system, tally)
    system.tell(shell, MUTE)
    system.tell(shell, MUTE)
    system.tell(shell, STOP)
    reports = heard(system, listener, ActorFailed, 1)
    assert [(report.name, report.message_type) for report in reports] == [("throttler", "OperatorCommand")]
    assert "RuntimeError: boom" in reports[0].traceback
    assert tally.read_text() == "x"
    assert heard(system, listener, OperatorCommand, 0) == []


def test_an_actor_reports_for_duty_and_answers_pings(system: Any, tmp_path: Path) -> None:
    listener, shell = enlist(system, tmp_path / "tally")
    assert [(e.name, e.index) for e in heard(system, listener, Enlisted, 1)] == [("throttler", 0)]
    pong = system.ask(shell, Ping(Nanos(7)), timedelta(seconds=5))
    assert pong == Pong("throttler", 0, Nanos(7))


def test_rows_are_posted_in_one_message_after_the_sends(system: Any, tmp_path: Path) -> None:
    listener, shell = enlist(system, tmp_path / "tally")
    system.tell(shell, STOP)
    heard(system, listener, RowsPosted, 1)
    everything = heard(system, listener, object, 3)
    kinds = [type(message) for message in everything if not isinstance(message, Enlisted)]
    assert kinds == [OperatorCommand, RowsPosted]


def test_a_frozen_clock_delivers_a_deadline_when_it_is_due_and_not_before(tmp_path: Path) -> None:
    with freeze_time("2026-11-23 01:00:00") as clock:
        system = ActorSystem("simpleSystemBase", logDefs=QUIET, transientUnique=True)
        try:
            listener, shell = enlist(system, tmp_path / "tally")
            system.tell(shell, ARM)
            clock.tick(timedelta(milliseconds=99))
            assert heard(system, listener, OperatorCommand, 0) == []
            clock.tick(timedelta(milliseconds=2))
            assert heard(system, listener, OperatorCommand, 1) == [ARM]
        finally:
            system.shutdown()


def test_what_was_recorded_before_a_failure_is_still_posted_after_the_report(tmp_path: Path) -> None:
    """As far as the dying process's transport still delivers it, which only this system promises."""
    system = ActorSystem("simpleSystemBase", logDefs=QUIET, transientUnique=True)
    try:
        listener, shell = enlist(system, tmp_path / "tally")
        system.tell(shell, STOP)
        system.tell(shell, MUTE)
        report, posted = heard(system, listener, ActorFailed | RowsPosted, 2)
        assert isinstance(report, ActorFailed)
        assert [row.event_type for row in posted.rows] == [EventType.OPERATOR]
    finally:
        system.shutdown()


def test_a_successor_gives_other_names_than_its_predecessor() -> None:
    first, second = ScriptedShell(), ScriptedShell()
    second.incarnation = 2
    assert first.own_tag("towsgc") == "towsgc"
    assert second.own_tag("towsgc") != first.own_tag("towsgc")
