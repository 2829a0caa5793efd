"""The Supervisor actor: creates the cast, owns its addresses, and does what its core orders.

It is guarded like every shell: an exception of its own is reported on stderr and ends the process, which the
launcher notices.
"""

import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

from thespian.actors import Actor, ActorExitRequest, ChildActorExited, PoisonMessage, WakeupMessage

from actors.effects import Record, Role
from actors.host import ORPHAN_GRACE_S, Host, ProcessHost
from actors.messages.journal import Row, RowsPosted
from actors.messages.supervision import AskStatus, Enlist
from kiwoom.market import Nanos
from supervision.child import Launch
from supervision.supervisor_core import (
    ChildGone,
    EndSystem,
    Key,
    KillChild,
    LauncherGone,
    Order,
    StartChild,
    StopChild,
    SupervisorCore,
    TellChild,
)

GLOBAL_NAME = "arb-supervisor"
"""Under this name a second process (arb status, stop, flatten, the desk) finds the running Supervisor."""


class Supervisor(Actor):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self._core: SupervisorCore | None = None
        self._launch: Launch
        self.host: Host = ProcessHost()
        self._clock = self.host.clock(0)
        self._addresses: dict[Key, Any] = {}
        self._incarnations: list[tuple[Any, Key, int]] = []
        self._starts: dict[Key, int] = {}
        self._enlisted_once: set[Key] = set()
        self._armed_for: Nanos | None = None
        self._launcher_gone = False
        self._told_gone = False
        self._admin_pid = os.getppid()  # the admin starts every actor that no other actor created

    def receiveMessage(self, message: object, sender: Any) -> None:
        try:
            self._receive_guarded(message, sender)
        except Exception:
            self.host.collapse()

    def _receive_guarded(self, message: object, sender: Any) -> None:
        if isinstance(message, Launch):
            self._begin(message)
        elif self._core is None or isinstance(message, (ActorExitRequest, PoisonMessage)):
            return
        elif isinstance(message, AskStatus):
            self.send(sender, replace(self._core.status(), supervisor_pid=self.host.pid))
        elif isinstance(message, ChildActorExited):
            for address, key, incarnation in self._incarnations:
                if address == message.childAddress:
                    self._obey(self._core.handle(ChildGone(key, incarnation), self._clock.now()))
        elif isinstance(message, WakeupMessage):
            self._armed_for = None
            self._beat()
        else:
            self._obey(self._core.handle(message, self._clock.now()))  # type: ignore[arg-type]
        self._arm()

    def _begin(self, launch: Launch) -> None:
        self._launch = launch
        self._clock = self.host.clock(launch.clock.wall_offset_ns)
        self._core = SupervisorCore(launch.children, launch.settings)
        self.host.hold_lifeline(launch.lifeline_port, self._lose_launcher)
        self._addresses[Role.SUPERVISOR.value, 0] = self.myAddress
        for spec in launch.children:  # addresses first: everyone is enlisted with everyone's
            self._create(spec.key)
        self._obey(self._core.start(self._clock.now()))

    def _lose_launcher(self) -> None:
        """On the lifeline's thread: the next heartbeat acts on it. If that has no effect, end the hard way."""
        self._launcher_gone = True
        time.sleep(ORPHAN_GRACE_S)
        self.host.kill(self._admin_pid)
        os._exit(70)

    def _beat(self) -> None:
        assert self._core is not None
        now = self._clock.now()
        if self._launcher_gone and not self._told_gone:
            self._told_gone = True
            self._obey(self._core.handle(LauncherGone(), now))
        self._obey(self._core.on_deadline(now))

    def _obey(self, orders: tuple[Order, ...]) -> None:
        rows: list[Row] = []
        for order in orders:
            match order:
                case StartChild(key):
                    self._start(key)
                case StopChild(key):
                    self.send(self._addresses[key], ActorExitRequest())
                case KillChild(key, pid):
                    self.host.kill(pid)
                case TellChild(key, message):
                    self.send(self._addresses[key], message)
                case Record(row):
                    rows.append(row)
                case EndSystem():
                    _end_system(self._launch.admin_port)
        gateway = self._addresses.get((Role.GATEWAY.value, 0))
        if rows and gateway is not None:
            self.send(gateway, RowsPosted(tuple(rows)))

    def _create(self, key: Key) -> None:
        spec = next(spec for spec in self._launch.children if spec.key == key)
        address = self.createActor(spec.actor_class)
        self._addresses[key] = address
        self._starts[key] = self._starts.get(key, 0) + 1
        self._incarnations.append((address, key, self._starts[key]))

    def _start(self, key: Key) -> None:
        """Enlist the child; a successor is created first, and everybody else told its address."""
        spec = next(spec for spec in self._launch.children if spec.key == key)
        successor = key in self._enlisted_once
        self._enlisted_once.add(key)
        if successor:
            self._create(key)
        self.send(self._addresses[key], self._enlistment(spec.role.value, spec.index, spec.settings))
        if successor:
            for other in self._launch.children:
                if other.key != key:
                    self.send(self._addresses[other.key], self._enlistment(other.role.value, other.index, None))

    def _enlistment(self, name: str, index: int, settings: Any) -> Enlist:
        launch, incarnation = self._launch, self._starts[name, index]
        return Enlist(name, index, settings, self._addresses, launch.clock, launch.lifeline_port, incarnation)

    def _arm(self) -> None:
        deadline = self._core.next_deadline() if self._core is not None else None
        if deadline is None or (self._armed_for is not None and self._armed_for <= deadline):
            return
        self._armed_for = deadline
        self.wakeupAfter(timedelta(microseconds=max(0, deadline - self._clock.now().mono) // 1_000))


def _end_system(admin_port: int) -> None:
    """An actor cannot end its own system; a helper process attaches to it and does."""
    subprocess.Popen(
        [sys.executable, "-m", "supervision.reaper", str(admin_port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
