"""A stage for actors on virtual time: what Thespian's multiprocess base does with processes, done with plain objects.

The actors are the real ones. A message takes a drawn time; messages of one sender to one receiver keep their order, as
on a TCP connection, and any two of different senders may change places. A child that ends is reported to its parent. A
new actor needs a while before it takes its first message, as a spawned process does.

Faults: `kill` ends an actor between two messages, `trip` in the middle of one, before its n-th effect (a send, a commit
or a call); what was on its way to it is lost. `hang` stops it until it is killed or let go on. `raise_in` makes its
core raise in the next message.

Not simulated: the time that a handler takes, pickling, and the address book of Thespian's admin.
"""

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

from thespian.actors import ActorAddress, ActorExitRequest, ChildActorExited, WakeupMessage, WatchMessage

from actors.messages.supervision import ActorFailed
from kiwoom.control import Clock
from kiwoom.market import MS, Now
from supervision.simulation.virtual_time import VirtualTime

US = 1_000
Match = Callable[[Any], bool]
"""Of a handler's effects."""
EVERY_EFFECT = 1 << 30
SIMULATED_FAILURE = "simulated failure"
"""Stands in the report of every failure that the stage made."""


@dataclass(frozen=True, slots=True)
class Delays:
    """How long things take on the stage, in ns; each is drawn between its two bounds. Rates are per 10,000."""

    message: tuple[int, int] = (150 * US, 900 * US)
    slow_rate: int = 100
    """A reader that is busy: such a message waits `slow` more."""
    slow: tuple[int, int] = (1 * MS, 12 * MS)
    wake_up: tuple[int, int] = (60 * US, 1_200 * US)
    """A timer fires so much late."""
    spawn: tuple[int, int] = (120 * MS, 350 * MS)
    """From createActor to the first message taken."""
    notice: tuple[int, int] = (1 * MS, 15 * MS)
    """From a process's end to its parent's knowing of it."""


class Killed(BaseException):
    """The process ends here and now. No handler may catch it."""


class Address(ActorAddress):  # type: ignore[misc]
    """Who an actor is: known to others, equal only to itself."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    def __hash__(self) -> int:
        return self.number

    def __str__(self) -> str:
        return f"actor {self.number}"


class _TrippedError(Exception):
    """What a core raises when it is told to."""


class _RaisingCore:
    """Handles messages up to one with such effects and then raises: its state has moved, those effects are lost."""

    def __init__(self, core: Any, only_with: Match) -> None:
        self._core = core
        self._only_with = only_with

    def handle(self, message: object, now: Now) -> Any:
        return self._raise_with(self._core.handle(message, now), type(message).__name__)

    def on_deadline(self, now: Now) -> Any:
        return self._raise_with(self._core.on_deadline(now), "a deadline")

    def _raise_with(self, effects: Any, cause: str) -> Any:
        if self._only_with(effects):
            raise _TrippedError(f"{SIMULATED_FAILURE} on {cause}")
        return effects

    def __getattr__(self, name: str) -> Any:
        return getattr(self._core, name)


class _LastWordCore:
    """Handles messages up to one with such effects; they are performed, and it is the last that the actor does."""

    def __init__(self, core: Any, last: Match, told: Callable[[], None]) -> None:
        self._core = core
        self._last = last
        self._told = told

    def handle(self, message: object, now: Now) -> Any:
        return self._tell_with(self._core.handle(message, now))

    def on_deadline(self, now: Now) -> Any:
        return self._tell_with(self._core.on_deadline(now))

    def _tell_with(self, effects: Any) -> Any:
        if self._last(effects):
            self._told()
        return effects

    def __getattr__(self, name: str) -> Any:
        return getattr(self._core, name)


@dataclass(slots=True, eq=False)
class Cell:
    """One actor with what the stage knows of it."""

    address: Address
    actor: Any
    parent: "Cell | None"
    ready_at: int
    alive: bool = True
    hung: bool = False
    backlog: list[Callable[[], None]] = field(default_factory=list)
    """What would have happened in it while it hung: bounded by how long it may hang."""
    effects_left: int | None = None
    """It is killed before the effect that this many others precede."""
    on_end: list[Callable[[], None]] = field(default_factory=list)
    """What ends with the process."""


class _StageHost:
    """The Host of an actor on the stage."""

    def __init__(self, stage: "Stage", cell: Cell, clock: Clock) -> None:
        self._stage = stage
        self._cell = cell
        self._clock = clock

    @property
    def pid(self) -> int:
        return self._cell.address.number

    def clock(self, wall_offset_ns: int) -> Clock:
        assert wall_offset_ns == 0, "the stage's clock shows the market's time"
        return self._clock

    def hold_lifeline(self, port: int, on_broken: Callable[[], None]) -> None:
        assert port == 0, f"nobody breaks the line of {on_broken}"

    def settle(self, *, gives_way: bool) -> None:
        """The actor carries its core. A real process would freeze its garbage, or lower its priority."""
        self._stage.on_settled(self._cell)

    def kill(self, pid: int) -> None:
        self._stage.kill_number(pid)

    def collapse(self) -> None:
        self._stage.collapses.append(traceback.format_exc())
        raise Killed


class _Reference:
    """What Thespian's Actor calls through `_myRef`."""

    def __init__(self, stage: "Stage", cell: Cell) -> None:
        self._stage = stage
        self._cell = cell
        self.address = cell.address

    def createActor(self, actor_class: Any, *_: Any) -> Address:
        return self._stage.create(actor_class, parent=self._cell)

    def actor_send(self, target: Address, message: object) -> None:
        self._stage.count_effect(self._cell)
        self._stage.post(self._cell, target, message)

    def wakeupAfter(self, delay: timedelta, payload: object) -> None:
        assert payload is None
        self._stage.wake_later(self._cell, delay)


class Stage:
    def __init__(
        self,
        time: VirtualTime,
        clock: Clock,
        random: Random,
        delays: Delays,
        on_settled: Callable[["Cell"], None],
        on_end: Callable[["Cell"], None],
        on_failure: Callable[[ActorFailed], None],
    ) -> None:
        self.time = time
        self.on_settled = on_settled
        self._on_end = on_end
        self._on_failure = on_failure
        self._clock = clock
        self._random = random
        self._delays = delays
        self._cells: dict[Address, Cell] = {}
        self._channels: dict[tuple[Address, Address], int] = {}
        """When the last message of a channel arrives: the next one not before it."""
        self._created = 0
        self.delayed_rate = 0
        """Per 10,000: messages that wait `delayed_ns` more, as in a process that gets no CPU."""
        self.delayed_ns = (50 * MS, 600 * MS)
        self.steps = 0
        self.collapses: list[str] = []
        """Tracebacks of actors that have nobody to report to: there must be none."""

    # --- actors -----------------------------------------------------------------------------------------------------

    def create(self, actor_class: Any, parent: Cell | None = None) -> Address:
        self._created += 1
        address = Address(self._created)
        actor = actor_class()
        cell = Cell(address, actor, parent, self.time.now + self._draw(self._delays.spawn))
        actor._myRef = _Reference(self, cell)
        actor.host = _StageHost(self, cell, self._clock)
        self._cells[address] = cell
        return address

    def cell(self, address: Address) -> Cell:
        return self._cells[address]

    def cells(self) -> tuple[Cell, ...]:
        """Those alive, oldest first."""
        return tuple(cell for cell in self._cells.values() if cell.alive)

    def cell_of(self, actor: Any) -> Cell:
        return self._cells[actor.myAddress]

    def kill(self, cell: Cell) -> None:
        """SIGKILL: it does nothing more; its parent is told."""
        self._end(cell)

    def kill_number(self, number: int) -> None:
        for cell in self.cells():
            if cell.address.number == number:
                self.kill(cell)

    def kill_all(self) -> None:
        """The machine loses its power. Nobody is told."""
        for cell in self.cells():
            cell.parent = None
            self._end(cell)
        self._channels.clear()

    def hang(self, cell: Cell) -> None:
        cell.hung = True

    def go_on(self, cell: Cell) -> None:
        """SIGCONT: what came meanwhile is handled now."""
        if not (cell.alive and cell.hung):
            return
        cell.hung = False
        backlog, cell.backlog = cell.backlog, []
        for action in backlog:
            self.inside(cell, action)

    def inside(self, cell: Cell, action: Callable[[], None]) -> None:
        """Something happens in the actor's process: now, when it goes on, or (it has ended) never."""
        if cell.hung:
            cell.backlog.append(action)
        elif cell.alive:
            try:
                action()
            except Killed:
                self._end(cell)

    def trip(self, cell: Cell, effects: int) -> None:
        cell.effects_left = effects

    def trip_after(self, cell: Cell, last: Match) -> None:
        """It dies when it has performed all effects of the next handler with such effects."""
        cell.actor.core = _LastWordCore(cell.actor.core, last, partial(self.trip, cell, EVERY_EFFECT))

    def raise_in(self, cell: Cell, only_with: Match = lambda _: True) -> None:
        cell.actor.core = _RaisingCore(cell.actor.core, only_with)

    def count_effect(self, cell: Cell) -> None:
        """An effect of `cell` is about to happen. Raises Killed if it is not to."""
        if cell.effects_left is None:
            return
        if cell.effects_left == 0:
            raise Killed
        cell.effects_left -= 1

    # --- messages ---------------------------------------------------------------------------------------------------

    def tell(self, target: Address, message: object) -> None:
        """From outside, as the launcher does."""
        self.time.at(self.time.now + self._draw(self._delays.message), self._arrive, target, message, None)

    def post(self, sender: Cell, target: Address, message: object) -> None:
        if isinstance(message, ActorFailed):
            self._on_failure(message)
        if target not in self._cells:
            return  # it ended: a dead letter
        delays = self._delays
        at = self.time.now + self._draw(delays.message)
        if self._draw((0, 10_000)) < delays.slow_rate:
            at += self._draw(delays.slow)
        if self.delayed_rate and self._draw((0, 10_000)) < self.delayed_rate:
            at += self._draw(self.delayed_ns)
        channel = (sender.address, target)
        at = max(at, self._channels.get(channel, 0))
        self._channels[channel] = at
        self.time.at(at, self._arrive, target, message, sender.address)

    def wake_later(self, cell: Cell, delay: timedelta) -> None:
        at = self.time.now + delay // timedelta(microseconds=1) * US + self._draw(self._delays.wake_up)
        self.time.at(at, self._arrive, cell.address, WakeupMessage(delay), cell.address)

    def wake_watcher(self, cell: Cell) -> None:
        """A descriptor that it watches is readable."""
        at = self.time.now + self._draw(self._delays.wake_up) // 4
        self.time.at(at, self._arrive, cell.address, WatchMessage([]), cell.address)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _arrive(self, target: Address, message: object, sender: Address | None) -> None:
        cell = self._cells.get(target)
        if cell is None:
            return
        if cell.ready_at > self.time.now:
            self.time.at(cell.ready_at, self._arrive, target, message, sender)
        else:
            self.inside(cell, partial(self._deliver, cell, message, sender))

    def _deliver(self, cell: Cell, message: object, sender: Any) -> None:
        self.steps += 1
        cell.actor.receiveMessage(message, sender)
        # A handler that had fewer effects than it was to die after dies before the next message.
        if isinstance(message, ActorExitRequest) or cell.effects_left is not None:
            raise Killed

    def _end(self, cell: Cell) -> None:
        if not cell.alive:
            return  # what killed it had ended it already
        cell.alive = False
        del self._cells[cell.address]
        for ending in cell.on_end:
            ending()
        self._on_end(cell)
        parent = cell.parent
        if parent is not None and parent.alive:
            at = self.time.now + self._draw(self._delays.notice)
            self.time.at(at, self._arrive, parent.address, ChildActorExited(cell.address), cell.address)

    def _draw(self, bounds: tuple[int, int]) -> int:
        low, high = bounds
        return low + int(self._random.random() * (high - low))
