"""The one Thespian actor: clock in, core.handle, effects out, never retried.

Thespian redelivers a message whose handler raised, so a handler that sent an order and then failed would send it
twice. This shell computes every effect before it performs the first, and turns an exception into a report and an
exit. A failed actor does nothing more; the Supervisor starts a new one.

Thespian cannot cancel a wake-up, so wake-ups carry nothing: a stale one finds nothing due and arms again.
"""

import os
import time
import traceback
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from thespian.actors import (
    Actor,
    ActorExitRequest,
    ActorSystemMessage,
    ChildActorExited,
    PoisonMessage,
    ThespianWatch,
    WakeupMessage,
    WatchMessage,
)

from actors.clock import HostClock
from actors.core import Core
from actors.effects import Call, Effects, Record, Role, Send
from actors.lifeline import hold_lifeline
from actors.messages.journal import Row, RowsPosted
from actors.messages.supervision import ActorFailed, Enlist, Enlisted, Ping, Pong
from kiwoom.control import ControlCall
from kiwoom.market import Nanos

ORPHAN_GRACE_S = 20.0
"""How long an actor outlives its launcher at most: the Supervisor needs some of it to close the pairs."""

HELD_ROWS_MAX = 10_000
"""Rows kept while the Gateway is away. A pair writes some thirty; beyond this the oldest are given up."""


class Shell(Actor):  # type: ignore[misc]
    """Subclasses say which core they carry."""

    role: Role

    def make_core(self, settings: Any) -> Core:
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        self.core: Core | None = None
        self.name = type(self).__name__
        self.index = 0
        self.addresses: dict[tuple[str, int], Any] = {}
        self.clock = HostClock(0)
        self.failed = False
        self._armed_for: Nanos | None = None
        self._held_rows: list[Row] = []

    # --- Thespian's side --------------------------------------------------------------------------------------------

    def receiveMessage(self, message: object, sender: Any) -> Any:
        if self.failed:
            return None
        try:
            self._receive_guarded(message, sender)
        except Exception:
            self._fail(message)
            return None
        watched = self.watched()
        return ThespianWatch(watched) if watched else None

    def _receive_guarded(self, message: object, sender: Any) -> None:
        match message:
            case Enlist():
                self._enlist(message)
            case Ping():
                self.send(sender, Pong(self.name, self.index, message.sent))
            case ActorExitRequest():
                self.closing()
            case WatchMessage():
                self.on_watched()
            case WakeupMessage():
                self._armed_for = None
                self.woken()
            case ChildActorExited() | PoisonMessage():
                pass
            case _:
                assert self.core is not None, f"{message!r} before Enlist"
                self.perform(self.decide(message))
        self._arm()

    def decide(self, message: object) -> Effects:
        """All effects of `message`, before the first is performed."""
        assert self.core is not None
        assert not isinstance(message, ActorSystemMessage), f"unexpected {message!r}"
        return self.core.handle(message, self.clock.now())

    def woken(self) -> None:
        """Do what is due; a stale wake-up finds nothing."""
        if self.core is None:
            return
        now = self.clock.now()
        deadline = self.core.next_deadline()
        if deadline is not None and deadline <= now.mono:
            self.perform(self.core.on_deadline(now))

    # --- what a subclass may add ------------------------------------------------------------------------------------

    def watched(self) -> list[int]:
        """File descriptors whose readability wakes this actor. Thespian wants them from every handler."""
        return []

    def on_watched(self) -> None:
        """One of the watched descriptors is readable."""

    def enlisted(self) -> None:
        """The core exists now: start what lives beside it."""

    def closing(self) -> None:
        """The actor ends orderly: close what lives beside the core. Must not raise."""

    def next_wake(self) -> Nanos | None:
        """When to wake: the core's next deadline, or earlier for what lives beside it."""
        return self.core.next_deadline() if self.core is not None else None

    def call_control(self, call: ControlCall) -> None:
        raise AssertionError(f"{self.name} has no control: {call!r}")

    def record(self, rows: Sequence[Row]) -> None:
        """Post the handler's rows to the Gateway, which writes them. Held while it is away."""
        self._held_rows.extend(rows)
        del self._held_rows[:-HELD_ROWS_MAX]
        if self._held_rows and (Role.GATEWAY.value, 0) in self.addresses:
            self.post(Send(Role.GATEWAY, RowsPosted(tuple(self._held_rows))))
            self._held_rows.clear()

    # --- performing -------------------------------------------------------------------------------------------------

    def perform(self, effects: Effects) -> None:
        """Sends at once and in order; rows after them, in one message, so that no order waits for its own record.

        The Gateway overrides `record` and writes each row where it stands in the order of effects.
        """
        rows: list[Row] = []
        for effect in effects:
            match effect:
                case Send():
                    self.post(effect)
                case Record(row=row):
                    rows.append(row)
                case Call(call=call):
                    self.call_control(call)
        if rows:
            self.record(rows)

    def post(self, effect: Send) -> None:
        """Send to whoever plays the role now. While nobody does, the successor will be given its state."""
        address = self.addresses.get((effect.to.value, effect.index))
        if address is not None:
            self.send(address, effect.message)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _enlist(self, enlist: Enlist) -> None:
        self.addresses = dict(enlist.addresses)
        if enlist.settings is None:
            self.record(())
            return
        self.name, self.index = enlist.name, enlist.index
        self.clock = HostClock(enlist.clock.wall_offset_ns)
        self.core = self.make_core(enlist.settings)
        hold_lifeline(enlist.lifeline_port, self._orphaned)
        self.enlisted()
        self.post(Send(Role.SUPERVISOR, Enlisted(self.name, self.index, os.getpid())))

    def _orphaned(self) -> None:
        """On the lifeline's thread: the launcher is gone. Leave the Supervisor time to end the pairs, then go."""
        time.sleep(ORPHAN_GRACE_S)
        os._exit(1)

    def _arm(self) -> None:
        deadline = self.next_wake()
        if deadline is None or (self._armed_for is not None and self._armed_for <= deadline):
            return
        self._armed_for = deadline
        delay_ns = max(0, deadline - self.clock.now().mono)
        self.wakeupAfter(timedelta(microseconds=delay_ns // 1_000))

    def _fail(self, message: object) -> None:
        self.failed = True
        report = ActorFailed(self.name, self.index, type(message).__name__, traceback.format_exc())
        address = self.addresses.get((Role.SUPERVISOR.value, 0))
        if address is not None:
            self.send(address, report)
        self.send(self.myAddress, ActorExitRequest())
