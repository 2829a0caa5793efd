"""The Supervisor's core: start in order, watch, restart within the limit, else safe state; stop in reverse.

Pure. The children are told about by key (role, index); the actor around this core owns addresses and processes.
An exit is counted once per incarnation of a child: Thespian reports an orderly exit twice, a crash once.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import assert_never

from actors.effects import Record, Role
from actors.messages.journal import EventType, Row
from actors.messages.pairs import CountPairs, PairsCounted
from actors.messages.session import ActorsDown, Command, OperatorCommand, TradingState
from actors.messages.supervision import (
    ActorFailed,
    ActorStatus,
    Enlisted,
    MachineStatus,
    Operate,
    Ping,
    Pong,
    ResendState,
    Shutdown,
)
from actors.messages.telemetry import MachineFigures
from kiwoom.market import SECOND, Nanos, Now, midnight
from supervision.child import ChildSpec, SupervisionSettings
from supervision.restart import may_restart

Key = tuple[str, int]

START_GRACE_NS = 30 * SECOND
"""A child that has not answered its first enlistment by then counts as hung (a spawned process imports first)."""

TELLERS = (Role.GATEWAY, Role.ROUTER, Role.THROTTLER, Role.SPREAD_ENGINE, Role.PAIR_MANAGER)
"""Who has something to tell a successor, or something of its predecessor's to forget. The others hear from these."""

WAY_TO_FLAT = (Role.GATEWAY, Role.THROTTLER, Role.ROUTER, Role.PAIR_MANAGER, Role.MARKET_DATA)
"""Without one of these an open pair may never be flat: in safe state they are started again beyond every limit."""

ON_TRADING = (Command.ARM, Command.DISARM, Command.STOP, Command.FLATTEN)
ON_FEEDS = (Command.REGISTER_FEEDS, Command.UNREGISTER_FEEDS)

ORPHANED_FLAT_NS = 10 * SECOND
"""How long a machine whose launcher died may take to become flat before it stops all the same."""


class Stage(Enum):
    STARTING = "starting"
    RUNNING = "running"
    SAFE = "safe"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class StartChild:
    """Create the child's actor and enlist it; tell every other child its new address."""

    key: Key


@dataclass(frozen=True, slots=True)
class StopChild:
    key: Key


@dataclass(frozen=True, slots=True)
class KillChild:
    """It hangs: end its process. Its exit is reported like any other."""

    key: Key
    pid: int


@dataclass(frozen=True, slots=True)
class TellChild:
    key: Key
    message: object


@dataclass(frozen=True, slots=True)
class EndSystem:
    """Nobody is left to do it: shut the actor system itself down."""


Order = StartChild | StopChild | KillChild | TellChild | EndSystem | Record


@dataclass(frozen=True, slots=True)
class ChildGone:
    """The process of this incarnation has ended."""

    key: Key
    incarnation: int


@dataclass(frozen=True, slots=True)
class LauncherGone:
    """The process that started the machine exists no more."""


Heard = (
    Enlisted
    | Pong
    | ActorFailed
    | ChildGone
    | LauncherGone
    | TradingState
    | MachineFigures
    | PairsCounted
    | Operate
    | Shutdown
)


@dataclass(slots=True)
class Child:
    spec: ChildSpec
    up: bool = False
    running: bool = False
    pid: int = 0
    incarnation: int = 0
    heard_at: Nanos = Nanos(0)
    restarts: list[Nanos] = field(default_factory=list)
    failure: str = ""


class SupervisorCore:
    def __init__(self, children: tuple[ChildSpec, ...], settings: SupervisionSettings) -> None:
        self._settings = settings
        self._children = {spec.key: Child(spec) for spec in children}
        self._stage = Stage.STARTING
        self._problem = ""
        self._trading: TradingState | None = None
        self._figures: MachineFigures | None = None
        self._next_ping: Nanos | None = None
        self._orphaned_at: Nanos | None = None
        self._stop_asked_at: Nanos | None = None
        self._open_pairs: int | None = None
        self._day = 0
        """Seoul's midnight before the last wish on trading, or before the start."""
        self._trading_wish: Command | None = None
        self._feeds_wish: Command | None = None

    # --- the life of the machine ------------------------------------------------------------------------------------

    def start(self, now: Now) -> tuple[Order, ...]:
        self._next_ping = Nanos(now.mono + self._settings.heartbeat_ns)
        self._day = midnight(now.wall)
        return tuple(order for child in self._children.values() for order in self._start(child, now))

    def handle(self, message: Heard, now: Now) -> tuple[Order, ...]:
        match message:
            case Enlisted():
                return self._on_enlisted(message, now)
            case Pong():
                self._child_of(message.name, message.index).heard_at = now.mono
                return ()
            case ActorFailed():
                return self._on_failed(message, now)
            case ChildGone():
                return self._on_gone(message, now)
            case LauncherGone():
                self._orphaned_at = now.mono
                return self._operate(OperatorCommand(Command.FLATTEN), now)
            case TradingState():
                self._trading = message
                return ()
            case MachineFigures():
                self._figures = message
                return ()
            case PairsCounted():
                if self._stop_asked_at is not None and message.asked >= self._stop_asked_at:
                    self._open_pairs = None if message.admitting else message.open_pairs
                return ()
            case Operate():
                return self._operate(message.command, now)
            case Shutdown():
                return self._stop()
            case _:
                assert_never(message)

    def next_deadline(self) -> Nanos | None:
        return self._next_ping

    def on_deadline(self, now: Now) -> tuple[Order, ...]:
        """Every heartbeat: look for the hung, ask the others; end an orphaned machine once it is flat."""
        if self._next_ping is None or now.mono < self._next_ping:
            return ()
        self._next_ping = Nanos(now.mono + self._settings.heartbeat_ns)
        orders: list[Order] = []
        for key, child in self._children.items():
            if not child.running:
                continue
            if now.mono - child.heard_at > self._patience(child):
                child.heard_at = now.mono
                child.failure = "no heartbeat"
                orders.append(KillChild(key, child.pid))
            elif child.up:
                orders.append(TellChild(key, Ping(now.mono)))
        if self._stop_asked_at is not None:
            orders.extend(self._count_pairs(now))
        if self._orphaned_at is not None and self._stage is not Stage.STOPPED:
            orders.extend(self._end_orphaned(now, self._orphaned_at))
        return tuple(orders)

    def status(self) -> MachineStatus:
        return MachineStatus(
            stage=self._stage.value,
            actors=tuple(
                ActorStatus(child.spec.role.value, child.spec.index, child.up, len(child.restarts), child.pid)
                for child in self._children.values()
            ),
            trading=self._trading,
            figures=self._figures,
            feeds_ended=self._figures is not None and self._figures.final,
            stop_asked=self._stop_asked_at is not None,
            problem=self._problem,
            open_pairs=self._open_pairs,
        )

    # --- inside -----------------------------------------------------------------------------------------------------

    def _child_of(self, name: str, index: int) -> Child:
        return self._children[name, index]

    def _patience(self, child: Child) -> Nanos:
        if not child.up:
            return Nanos(START_GRACE_NS)
        if child.spec.role is Role.GATEWAY:
            return self._settings.gateway_hung_after_ns
        return self._settings.hung_after_ns

    def _start(self, child: Child, now: Now) -> tuple[Order, ...]:
        child.incarnation += 1
        child.running, child.up = True, False
        child.heard_at = now.mono
        return (StartChild(child.spec.key),)

    def _on_enlisted(self, message: Enlisted, now: Now) -> tuple[Order, ...]:
        child = self._child_of(message.name, message.index)
        child.up, child.pid, child.heard_at = True, message.pid, now.mono
        if self._stage is Stage.STARTING and all(each.up for each in self._children.values()):
            self._stage = Stage.RUNNING
        return (*self._give_back(child, now), *self._tell_who_is_down())

    def _give_back(self, child: Child, now: Now) -> tuple[Order, ...]:
        """A successor knows nothing: the operator's last wish first, then whatever the others have to tell it.

        What is told before the word on who is up is heard before it: nobody arms in between.
        """
        if child.incarnation == 1:
            return ()
        told = ResendState(*child.spec.key)
        return (
            *(TellChild(child.spec.key, wish) for wish in self._wishes(child.spec.role, now)),
            *(
                TellChild(other.spec.key, told)
                for role in TELLERS
                for other in self._children.values()
                if other is not child and other.spec.role is role and other.running
            ),
        )

    def _wishes(self, role: Role, now: Now) -> tuple[OperatorCommand, ...]:
        """What a successor of `role` must wish as its predecessor did. An Arm is of its day."""
        if role not in (Role.SESSION_STATE, Role.ROUTER):
            return ()
        trading = self._trading_wish
        if trading in (None, Command.ARM) and midnight(now.wall) != self._day:
            trading = Command.DISARM
        wishes = (trading, self._feeds_wish if role is Role.SESSION_STATE else None)
        return tuple(OperatorCommand(wish, repeated=True) for wish in wishes if wish is not None)

    def _on_failed(self, message: ActorFailed, now: Now) -> tuple[Order, ...]:
        """It will exit; its exit is what restarts it. Keep what it said."""
        child = self._child_of(message.name, message.index)
        child.failure = message.traceback.strip().splitlines()[-1]
        extra = (("handling", message.message_type), ("traceback", message.traceback))
        return (Record(self._row(EventType.ACTOR_FAILED, child, now, child.failure, extra)),)

    def _on_gone(self, message: ChildGone, now: Now) -> tuple[Order, ...]:
        child = self._children[message.key]
        if message.incarnation != child.incarnation or not child.running:
            return ()
        child.running = child.up = False
        if self._stage in (Stage.STOPPING, Stage.STOPPED):
            if not any(each.running for each in self._children.values()):
                self._stage = Stage.STOPPED
            return ()
        reason = child.failure or "the process died"
        child.failure = ""
        is_within = may_restart(child.restarts, self._settings.limit, now.mono)
        if not is_within and not (self._stage is Stage.SAFE and child.spec.role in WAY_TO_FLAT):
            return (*self._enter_safe_state(child, reason, now), *self._tell_who_is_down())
        child.restarts.append(now.mono)
        return (
            *self._start(child, now),
            Record(self._row(EventType.ACTOR_RESTARTED, child, now, reason, (("restarts", len(child.restarts)),))),
            *self._tell_who_is_down(),
        )

    def _enter_safe_state(self, child: Child, reason: str, now: Now) -> tuple[Order, ...]:
        """Entries off, pairs finish. Who is on their way to flat is kept alive even beyond the limit."""
        self._stage = Stage.SAFE
        self._problem = f"{child.spec.name} failed more often than allowed: {reason}"
        again = self._start(child, now) if child.spec.role in WAY_TO_FLAT else ()
        return (
            *again,
            Record(self._row(EventType.SAFE_STATE, child, now, self._problem, ())),
            *self._operate(OperatorCommand(Command.FLATTEN), now),
        )

    def _tell_who_is_down(self) -> tuple[Order, ...]:
        down = tuple(c.spec.name for c in self._children.values() if c.spec.needed and not c.up)
        return tuple(
            TellChild(key, ActorsDown(down))
            for key in ((Role.SESSION_STATE.value, 0), (Role.ROUTER.value, 0))
            if key in self._children and self._children[key].up
        )

    def _operate(self, command: OperatorCommand, now: Now) -> tuple[Order, ...]:
        if self._stage is Stage.SAFE and command.command is Command.ARM:
            return ()
        if command.command in ON_FEEDS:
            self._feeds_wish = command.command
        elif command.command in ON_TRADING and not (
            self._stage is Stage.SAFE and self._trading_wish is Command.FLATTEN
        ):
            # The Flatten of safe state stands, whatever is pressed after it.
            self._trading_wish, self._day = command.command, midnight(now.wall)
        told = tuple(
            TellChild(key, command)
            for key in ((Role.SESSION_STATE.value, 0), (Role.ROUTER.value, 0))
            if key in self._children
        )
        if command.command not in (Command.STOP, Command.FLATTEN):
            return told
        self._stop_asked_at, self._open_pairs = now.mono, None
        return (*told, *self._count_pairs(now))

    def _count_pairs(self, now: Now) -> tuple[Order, ...]:
        """The Router's word, which follows whatever it was told before."""
        router = (Role.ROUTER.value, 0)
        return (TellChild(router, CountPairs(now.mono)),) if router in self._children else ()

    def _end_orphaned(self, now: Now, since: Nanos) -> tuple[Order, ...]:
        if now.mono - since <= ORPHANED_FLAT_NS and not self._is_flat():
            return ()
        self._orphaned_at = None  # once: to attach to a system that has just ended would start a new one
        return (*self._stop(), EndSystem())

    def _is_flat(self) -> bool:
        """By the Router, and by the journal: a Router that was started again may have forgotten a pair."""
        return self._open_pairs == 0 and (self._figures is None or not self._figures.pairs_live)

    def _stop(self) -> tuple[Order, ...]:
        if self._stage in (Stage.STOPPING, Stage.STOPPED):
            return ()
        running = [key for key, child in self._children.items() if child.running]
        self._stage = Stage.STOPPING if running else Stage.STOPPED
        return tuple(StopChild(key) for key in reversed(running))

    def _row(self, event: EventType, child: Child, now: Now, reason: str, extra: tuple[tuple[str, object], ...]) -> Row:
        return Row(event, now.mono, now.wall, actor=child.spec.name, reason=reason, extra=extra)
