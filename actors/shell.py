"""The one Thespian actor: clock in, core.handle, effects out, never retried.

Thespian redelivers a message whose handler raised, so a handler that sent an order and then failed would send it
twice. This shell computes every effect before it performs the first, and turns an exception into a report and an
exit. A failed actor does nothing more; the Supervisor starts a new one.

Thespian cannot cancel a wake-up, so wake-ups carry nothing: a stale one finds nothing due. Those under way are
remembered, so that none is asked for that an earlier one makes superfluous; else stale ones would multiply.
"""

import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from heapq import heappop, heappush
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

from actors.core import Core
from actors.effects import Call, Effects, Record, Role, Send
from actors.host import Host, ProcessHost, end_after_grace
from actors.messages.journal import Row, RowsPosted
from actors.messages.supervision import ActorFailed, Enlist, Enlisted, Ping, Pong
from kiwoom.control import ControlCall
from kiwoom.market import MS, Nanos

GIVES_WAY = frozenset({Role.MARKET_DATA, Role.TELEMETRY, Role.SESSION_STATE})
"""Those who are not between a signal and its order run at a lower priority, where the system has such a thing."""

EARLY_MAX = 10_000

ROWS_HELD_NS = 25 * MS
"""A pair's rows of several handlers travel together, after the order they are about."""

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
        self.incarnation = 1
        self.addresses: dict[tuple[str, int], Any] = {}
        self.host: Host = ProcessHost()
        self.clock = self.host.clock(0)
        self.failed = False
        self._wakes: list[Nanos] = []
        """When the wake-ups under way are due, as a heap: one per deadline that was the earliest when it arose."""
        self._held_rows: list[Row] = []
        self._rows_due: Nanos | None = None
        self._early: list[object] = []

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
                self._post_rows()
                self.closing()
            case WatchMessage():
                self.on_watched()
            case WakeupMessage():
                if self._wakes:
                    heappop(self._wakes)
                self.woken()
            case ChildActorExited() | PoisonMessage():
                pass
            case _ if self.core is None:
                # Whoever was enlisted first speaks first: what comes before our own enlistment waits for it.
                self._early.append(message)
                assert len(self._early) <= EARLY_MAX, f"{EARLY_MAX} messages before Enlist"
            case _:
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
        if self._rows_due is not None and self._rows_due <= now.mono:
            self._post_rows()

    def own_tag(self, run_tag: str) -> str:
        """The run's tag for names that this actor gives: a successor's differs, so that no name is given twice."""
        return run_tag if self.incarnation == 1 else f"{run_tag}r{self.incarnation}"

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
        if self.core is None:
            return None
        return min((at for at in (self.core.next_deadline(), self._rows_due) if at is not None), default=None)

    def call_control(self, call: ControlCall) -> None:
        raise AssertionError(f"{self.name} has no control: {call!r}")

    def record(self, rows: Sequence[Row]) -> None:
        """Keep the handler's rows for the Gateway, which writes them: soon, but never in the way of an order."""
        name = f"{self.name}[{self.index}]" if self.index else self.name
        self._held_rows.extend(row if row.actor else replace(row, actor=name) for row in rows)
        del self._held_rows[:-HELD_ROWS_MAX]
        if self._rows_due is None:
            self._rows_due = Nanos(self.clock.now().mono + ROWS_HELD_NS)

    def _post_rows(self) -> None:
        """One message for all rows held. While the Gateway is away they wait for its successor."""
        self._rows_due = None
        if self._held_rows and (Role.GATEWAY.value, 0) in self.addresses:
            self.post(Send(Role.GATEWAY, RowsPosted(tuple(self._held_rows))))
            self._held_rows.clear()

    # --- performing -------------------------------------------------------------------------------------------------

    def perform(self, effects: Effects) -> None:
        """Sends at once and in order; rows a little later, so that no order waits for its own record.

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
            self._post_rows()
            return
        self.name, self.index, self.incarnation = enlist.name, enlist.index, enlist.incarnation
        self.clock = self.host.clock(enlist.clock.wall_offset_ns)
        self.core = self.make_core(enlist.settings)
        self.host.hold_lifeline(enlist.lifeline_port, end_after_grace)
        self.enlisted()
        self.post(Send(Role.SUPERVISOR, Enlisted(self.name, self.index, self.host.pid)))
        self.host.settle(gives_way=self.role in GIVES_WAY)
        early, self._early = self._early, []
        for message in early:
            self.perform(self.decide(message))

    def _arm(self) -> None:
        deadline = self.next_wake()
        if deadline is None or (self._wakes and self._wakes[0] <= deadline):
            return
        heappush(self._wakes, deadline)
        delay_ns = max(0, deadline - self.clock.now().mono)
        self.wakeupAfter(timedelta(microseconds=delay_ns // 1_000))

    def _fail(self, message: object) -> None:
        self.failed = True
        report = ActorFailed(self.name, self.index, type(message).__name__, traceback.format_exc())
        address = self.addresses.get((Role.SUPERVISOR.value, 0))
        if address is not None:
            self.send(address, report)
        with suppress(Exception):  # what earlier handlers recorded is true, and kept if that is still possible
            self._post_rows()
            self.closing()
        self.send(self.myAddress, ActorExitRequest())
