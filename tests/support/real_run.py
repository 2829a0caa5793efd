"""Real runs of `arb` as subprocesses: started, watched through /proc, and ended whatever happens."""

import csv
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LINUX = sys.platform == "linux"
ARB = (sys.executable, "-m", "supervision")
FREE_PORT = ("--set", "telemetry.prometheus.port=0")


class Run:
    """One `arb run` in a directory and a state directory of its own, which mark its processes."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self.home = home
        self.directory = home / "run"
        self.environment = {**os.environ, "ARB_HOME": str(home)}
        self.stdout, self.stderr = home / "stdout.txt", home / "stderr.txt"
        with self.stdout.open("w") as out, self.stderr.open("w") as err:
            self.process = subprocess.Popen(
                [*ARB, "run", "--seed", "7", "--headless", "--out", str(self.directory), *FREE_PORT, *arguments],
                cwd=ROOT,
                env=self.environment,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def arb(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Another command line, as from another terminal."""
        return subprocess.run(
            [*ARB, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=30,
        )

    def wait(self, seconds: float = 60) -> int:
        return self.process.wait(timeout=seconds)

    def until(self, done: Callable[[], object], seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < deadline, self.stderr.read_text()
            time.sleep(0.1)

    def says(self, words: str) -> bool:
        return words in self.stderr.read_text()

    def has_traded(self) -> bool:
        ledger = self.directory / "broker_ledger.csv"
        return ledger.exists() and ",FILL," in ledger.read_text()

    def has_written(self, event_type: str) -> bool:
        """Whether the journal has such a row by now."""
        journal = self.directory / "journal.db"
        if not journal.exists():
            return False
        with closing(sqlite3.connect(journal)) as database:
            try:
                found = database.execute("SELECT 1 FROM events WHERE event_type = ? LIMIT 1", (event_type,))
                return found.fetchone() is not None
            except sqlite3.OperationalError:
                return False  # its table is not there yet

    def pids(self) -> list[int]:
        """Every living process of the run: its state directory stands in its environment."""
        return [pid for pid in all_pids() if f"ARB_HOME={self.home}" in environment_of(pid)]

    def listening(self) -> list[str]:
        """The addresses on which a process of the run listens, host:port."""
        inodes = {inode for pid in self.pids() for inode in sockets_of(pid)}
        return [address for address, inode in listening_sockets() if inode in inodes]

    def json(self, name: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.directory / name).read_text(encoding="utf-8"))
        return content

    def rows(self, name: str) -> list[dict[str, str]]:
        with (self.directory / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def close(self) -> None:
        """Leave nothing behind, whatever a test has done."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pid in self.pids() if LINUX else ():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def all_pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def environment_of(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def sockets_of(pid: int) -> Iterator[str]:
    try:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            target = os.readlink(link)
            if target.startswith("socket:["):
                yield target[8:-1]
    except OSError:
        return


def listening_sockets() -> Iterator[tuple[str, str]]:
    """(host:port, inode) of every listening TCP socket of this machine."""
    for table, family in (("/proc/net/tcp", socket.AF_INET), ("/proc/net/tcp6", socket.AF_INET6)):
        for line in Path(table).read_text().splitlines()[1:] if Path(table).exists() else ():
            fields = line.split()
            if fields[3] != "0A":
                continue
            host, port = fields[1].split(":")
            words = b"".join(bytes.fromhex(host[at : at + 8])[::-1] for at in range(0, len(host), 8))
            yield f"{socket.inet_ntop(family, words)}:{int(port, 16)}", fields[9]
