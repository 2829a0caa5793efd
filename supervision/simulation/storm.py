"""Strikes the machine with what was planned for it, and lets it alone when the storm is over."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from actors.effects import Call, Effects, Role, Send
from actors.messages.orders import CancelOrder, PlaceOrder
from kiwoom.control import SubmitOrder
from kiwoom.market import MS, SECOND, Nanos
from supervision.simulation.evidence import (
    ActorDied,
    ActorStarted,
    HostClockStepped,
    MachineEvent,
    MachineKilled,
    MachineStarted,
)
from supervision.simulation.machine_faults import Blow, PlannedBlow
from supervision.simulation.stage import Cell
from supervision.simulation.world import World

Tell = Callable[[MachineEvent], None]

_AT_ORDER = (Blow.RAISE_AT_ORDER, Blow.KILL_AT_ORDER)
_SENDERS = (Role.PAIR_MANAGER, Role.THROTTLER, Role.GATEWAY)
"""Through whose hands an order goes."""

LOOK_NS = 50 * MS
"""How often a hunter looks for a successor."""


@dataclass(slots=True)
class Losses:
    """What the storm did, by count."""

    blows: Counter[str] = field(default_factory=Counter)


def sends_order(effects: Effects) -> bool:
    """Is an order or a cancel among them, on its way or at the control?"""
    for effect in effects:
        match effect:
            case Send(message=PlaceOrder() | CancelOrder()) | Call(call=SubmitOrder()):
                return True
            case _:
                pass
    return False


class Storm:
    def __init__(self, world: World, blows: Sequence[PlannedBlow], tell: Tell) -> None:
        self._world = world
        self._tell = tell
        self._start = world.time.now
        self._over = False
        self._down = False
        self.losses = Losses()
        for blow in blows:
            world.time.at(self._start + blow.at_ns, self._strike, blow)

    def end(self) -> None:
        """From now on nothing strikes; what hangs goes on, what is down is started."""
        self._over = True
        self._world.in_next_commit = None
        self._world.stage.delayed_rate = 0
        for cell in self._world.stage.cells():
            self._go_on(cell)
        if self._down:
            self._start_again()

    def _strike(self, blow: PlannedBlow) -> None:
        if self._over or self._down:
            return
        stage = self._world.stage
        match blow.blow:
            case Blow.STEP_CLOCK:
                self._world.host.step_ns += blow.size
                self._tell(HostClockStepped(blow.size))
            case Blow.KILL_MACHINE if blow.torn:
                self._world.in_next_commit = partial(self._kill_machine, blow)
            case Blow.KILL_MACHINE:
                self._kill_machine(blow)
            case _:
                cell = self._victim(blow.pick, _SENDERS if blow.blow in _AT_ORDER else None)
                if cell is None:
                    return
                match blow.blow:
                    case Blow.KILL:
                        stage.kill(cell)
                    case Blow.KILL_MIDWAY:
                        stage.trip(cell, blow.size)
                    case Blow.RAISE:
                        stage.raise_in(cell)
                    case Blow.RAISE_AT_ORDER:
                        stage.raise_in(cell, only_with=sends_order)
                    case Blow.KILL_AT_ORDER:
                        stage.trip_after(cell, sends_order)
                    case Blow.HUNT:
                        self._hunt(cell.actor.role, cell.actor.index, blow.size)
                    case Blow.HANG:
                        stage.hang(cell)
                        self._tell(ActorDied(cell.actor.role.value, cell.actor.index))
                        self._world.time.at(self._world.time.now + blow.size, self._go_on, cell)
        self.losses.blows[blow.blow.value] += 1

    def _go_on(self, cell: Cell) -> None:
        if cell.alive and cell.hung:
            self._tell(ActorStarted(cell.actor.role.value, cell.actor.index))
            self._world.stage.go_on(cell)

    def _hunt(self, role: Role, index: int, respite: int) -> None:
        """Kill whoever plays this part now, and his successor when he has been up for `respite`."""
        if self._over:
            return
        cell = self._world.cell(role, index)
        if cell is not None and cell.actor.core is not None:
            self._world.stage.kill(cell)
            self.losses.blows["hunted down"] += 1
            self._world.time.at(self._world.time.now + respite, self._hunt, role, index, respite)
        else:
            self._world.time.at(self._world.time.now + LOOK_NS, self._hunt, role, index, respite)

    def _victim(self, pick: int, roles: tuple[Role, ...] | None) -> Cell | None:
        """An actor of the cast (of one of these roles) that carries its core."""
        cast = [cell for cell in self._world.stage.cells() if getattr(cell.actor, "core", None) is not None]
        alive = [cell for cell in cast if roles is None or cell.actor.role in roles]
        return alive[pick % len(alive)] if alive else None

    def _kill_machine(self, blow: PlannedBlow) -> None:
        world = self._world
        world.kill_machine()
        world.in_next_commit = None
        if blow.rebooted:
            world.host.boot_ns = world.time.now - 60 * SECOND
        self._down = True
        self._tell(MachineKilled())
        world.time.at(Nanos(world.time.now + blow.size), self._start_again)

    def _start_again(self) -> None:
        if self._down:
            self._down = False
            self._world.start_machine(arm=not self._over)
            self._tell(MachineStarted())
