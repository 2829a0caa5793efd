"""Who is started, as data: one ChildSpec per actor, in start order."""

from dataclasses import dataclass
from typing import Any

from actors.effects import Role
from actors.messages.supervision import ClockSettings
from kiwoom.market import Nanos
from supervision.restart import RestartLimit


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One actor of the cast. `actor_class` is a Shell; `settings` what its core is made from."""

    role: Role
    index: int
    actor_class: type
    settings: Any
    needed: bool = True
    """No pair is admitted while it is down."""

    @property
    def key(self) -> tuple[str, int]:
        return (self.role.value, self.index)

    @property
    def name(self) -> str:
        return f"{self.role.value}[{self.index}]" if self.index else self.role.value


@dataclass(frozen=True, slots=True)
class SupervisionSettings:
    """How the Supervisor watches. Durations in ns."""

    heartbeat_ns: Nanos
    hung_after_ns: Nanos
    gateway_hung_after_ns: Nanos
    limit: RestartLimit


@dataclass(frozen=True, slots=True)
class Launch:
    """Launcher -> Supervisor, once: the cast in start order, and how to watch it."""

    children: tuple[ChildSpec, ...]
    settings: SupervisionSettings
    clock: ClockSettings
    lifeline_port: int
    admin_port: int
