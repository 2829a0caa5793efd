"""Conversation: who is who, who answers, who failed.

Supervisor <-> every actor: Enlist, Enlisted, Ping, Pong, ActorFailed.
Launcher and desk -> Supervisor: AskStatus, Operate, Shutdown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from actors.messages.session import OperatorCommand, TradingState
from actors.messages.telemetry import MachineFigures
from kiwoom.market import Nanos


@dataclass(frozen=True, slots=True)
class ClockSettings:
    """The market clock: wall = host wall + `wall_offset_ns`. Monotonic time is the host's own."""

    wall_offset_ns: int


@dataclass(frozen=True, slots=True)
class Enlist:
    """The first message of an actor, and again whenever an address changed: who it is, its settings, who is who.

    `addresses` maps (role value, index) to an actor address. `settings` is None when only addresses changed.
    """

    name: str
    index: int
    settings: Any
    addresses: Mapping[tuple[str, int], Any]
    clock: ClockSettings
    lifeline_port: int
    incarnation: int = 1
    """How often this part was started, this time included: what it names must not repeat a predecessor's names."""


@dataclass(frozen=True, slots=True)
class Enlisted:
    """The actor carries its core and answers. `pid` for people and for the killer of hung actors."""

    name: str
    index: int
    pid: int


@dataclass(frozen=True, slots=True)
class Ping:
    sent: Nanos


@dataclass(frozen=True, slots=True)
class Pong:
    name: str
    index: int
    sent: Nanos


@dataclass(frozen=True, slots=True)
class ActorFailed:
    """The last message of an actor that raised. A string, because tracebacks do not pickle."""

    name: str
    index: int
    message_type: str
    traceback: str


@dataclass(frozen=True, slots=True)
class ResendState:
    """Supervisor -> everyone who has something to tell: the actor of this name (a Role's value) and index was started
    again and knows nothing; what was on the way to its predecessor is lost."""

    name: str
    index: int


@dataclass(frozen=True, slots=True)
class AskStatus:
    pass


@dataclass(frozen=True, slots=True)
class Operate:
    command: OperatorCommand


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Stop every actor in the reverse of the starting order. AskStatus tells when it is done."""

    reason: str


@dataclass(frozen=True, slots=True)
class ActorStatus:
    name: str
    index: int
    up: bool
    restarts: int
    pid: int = 0
    """0 until it has answered its enlistment."""


@dataclass(frozen=True, slots=True)
class MachineStatus:
    """The answer to AskStatus. `stage`: starting, running, safe (trading stopped for good), stopping, stopped."""

    stage: str
    actors: tuple[ActorStatus, ...]
    trading: TradingState | None
    figures: MachineFigures | None
    feeds_ended: bool
    stop_asked: bool
    """A person pressed Stop or Flatten: the run ends once it is flat."""
    problem: str
    """Why the machine is in safe state or could not start, in words; empty otherwise."""
    open_pairs: int | None = None
    """As the Router counted them after the last Stop or Flatten; None while it has not, or still admits."""
    supervisor_pid: int = 0
