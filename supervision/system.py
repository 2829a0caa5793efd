"""How the actor system is started and found again: base, port, start method, logging; here and nowhere else.

`multiprocTCPBase` only: its death watch is fast, and it neither freezes (queue base) nor loses messages (UDP base);
see THESPIAN.md. Processes are spawned on every platform, as on Windows: threads and fork do not mix.
"""

import os
import socket
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from thespian.actors import ActorSystem, ActorSystemException

from supervision import loopback

QUIET = {"version": 1, "root": {"level": "CRITICAL", "handlers": []}}
"""Thespian's own logging goes nowhere: exceptions never reach it, and our processes log for themselves."""


def start_system(admin_port: int, logs_dir: Path) -> Any:
    """A new actor system with its admin on 127.0.0.1:`admin_port`.

    Raises OSError if the port is taken (Thespian would attach to whoever listens there).
    """
    refuse_taken_port(admin_port)
    logs_dir.mkdir(parents=True, exist_ok=True)
    os.environ["THESPLOG_FILE"] = str(logs_dir / "thespian.log")
    return attach(admin_port)


def attach(admin_port: int) -> Any:
    """The actor system whose admin listens on `admin_port`, started if there is none."""
    loopback.install()
    capabilities = {"Admin Port": admin_port, "Process Startup Method": "spawn"}
    return ActorSystem("multiprocTCPBase", capabilities, logDefs=QUIET, transientUnique=True)


class ActorGoneError(Exception):
    """The actor that was asked or told exists no more, or its system does not work."""


def ask(system: Any, actor: Any, message: object, seconds: float) -> Any:
    """The answer, or None if none came in time. Raises ActorGoneError."""
    try:
        return system.ask(actor, message, timedelta(seconds=seconds))
    except (ActorSystemException, OSError) as fault:
        raise ActorGoneError(str(fault)) from fault


def tell(system: Any, actor: Any, message: object) -> None:
    """Raises ActorGoneError."""
    try:
        system.tell(actor, message)
    except (ActorSystemException, OSError) as fault:
        raise ActorGoneError(str(fault)) from fault


def create(system: Any, actor_class: type, global_name: str) -> Any:
    """A new actor, or the one that has this name. Raises ActorGoneError."""
    try:
        return system.createActor(actor_class, globalName=global_name)
    except (ActorSystemException, OSError) as fault:
        raise ActorGoneError(str(fault)) from fault


def end_system(system: Any) -> None:
    """Shut it down. A system that is broken already ends as far as it can; nothing is raised."""
    with suppress(ActorSystemException, OSError):
        system.shutdown()


def refuse_taken_port(port: int, host: str = "127.0.0.1") -> None:
    """Raises OSError if something listens on `port` of `host` (or it may not be used)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def free_port() -> int:
    """A port of the loopback that nobody uses now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
