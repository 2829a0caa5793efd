"""Which machines run here: one instance per journal and per account, and where `arb status` finds them.

A run holds two file locks (the operating system drops them however the process ends) and leaves a small JSON file
in the state directory, removed at the end; a file whose machine is gone is swept away by whoever finds it.
"""

import hashlib
import json
import os
import socket
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout


class AlreadyRunningError(Exception):
    """Another instance holds the journal or the account. The message says which, and what to do."""


@dataclass(frozen=True, slots=True)
class RunningMachine:
    """What another process needs to speak to a running machine."""

    pid: int
    admin_port: int
    mode: str
    directory: str
    started: str


def state_directory() -> Path:
    """$ARB_HOME, or .arb in the user's home directory."""
    return Path(os.environ.get("ARB_HOME") or Path.home() / ".arb")


class SingleInstance(AbstractContextManager["SingleInstance"]):
    """Holds the locks of one run while open. Raises AlreadyRunningError if one is taken.

    `account` is None in paper mode: every paper run brings a broker, and so an account, of its own.
    """

    def __init__(self, directory: Path, account: str | None) -> None:
        self._directory = directory
        self._account = account
        self._held = ExitStack()
        self._file: Path | None = None

    def __enter__(self) -> "SingleInstance":
        self._lock(self._directory / ".lock", f"the journal in {self._directory} belongs to a running machine")
        if self._account is not None:
            name = hashlib.sha256(self._account.encode()).hexdigest()[:16]
            self._lock(state_directory() / f"account-{name}.lock", "another machine runs on this account")
        return self

    def announce(self, machine: RunningMachine) -> None:
        """Let `arb status`, `stop` and `flatten` find this run."""
        folder = state_directory() / "running"
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / f"{machine.pid}.json"
        # Whoever reads half a file takes it for a stale one and removes it: it appears whole or not at all.
        unfinished = self._file.with_suffix(".json.new")
        unfinished.write_text(json.dumps(asdict(machine)), encoding="utf-8")
        unfinished.replace(self._file)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.unlink(missing_ok=True)
        self._held.close()

    def _lock(self, path: Path, taken: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout as fault:
            self._held.close()
            raise AlreadyRunningError(f"{taken}; see it with `arb status`, end it with `arb stop`") from fault
        self._held.callback(lock.release)


def running_machines() -> list[RunningMachine]:
    """The machines that answer on their port now, oldest first."""
    found: list[tuple[float, RunningMachine]] = []
    for path in (state_directory() / "running").glob("*.json"):
        try:
            written = path.stat().st_mtime
            machine = RunningMachine(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            path.unlink(missing_ok=True)
            continue
        if _answers(machine.admin_port):
            found.append((written, machine))
        else:
            path.unlink(missing_ok=True)
    return [machine for _, machine in sorted(found, key=lambda each: each[0])]


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
