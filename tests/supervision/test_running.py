"""Which machines run: one per journal and account, found by their file, stale files swept away."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from supervision.running import AlreadyRunningError, RunningMachine, SingleInstance, running_machines, state_directory
from supervision.system import free_port

ACCOUNT = "8012345611"

HOLD_THE_LOCK = """
import sys
from pathlib import Path
from supervision.running import SingleInstance

with SingleInstance(Path(sys.argv[1]), None):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "home"
    monkeypatch.setenv("ARB_HOME", str(path))
    return path


@contextmanager
def listening() -> Iterator[int]:
    """A port on which somebody answers, as a running machine's admin does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        yield port


def machine(port: int, pid: int = 4711) -> RunningMachine:
    return RunningMachine(pid, port, "paper", "/somewhere", "2026-11-23T09:00:25+09:00")


def machine_files(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "running").iterdir())


def test_state_is_kept_in_arb_home_and_without_one_in_the_users_home(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert state_directory() == home
    for unset in (lambda: monkeypatch.setenv("ARB_HOME", ""), lambda: monkeypatch.delenv("ARB_HOME")):
        unset()
        assert state_directory() == Path.home() / ".arb"


def test_a_second_run_on_the_same_journal_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    with SingleInstance(tmp_path / "day", None):
        with pytest.raises(AlreadyRunningError, match=r"journal in .*day.*arb status.*arb stop"):
            SingleInstance(tmp_path / "day", None).__enter__()
        with SingleInstance(tmp_path / "other", None):
            pass
    with SingleInstance(tmp_path / "day", None):
        pass


def test_a_second_run_on_the_same_account_is_refused_and_lets_go_of_its_journal(tmp_path: Path) -> None:
    with SingleInstance(tmp_path / "day", ACCOUNT):
        with pytest.raises(AlreadyRunningError, match="this account"):
            SingleInstance(tmp_path / "other", ACCOUNT).__enter__()
        with SingleInstance(tmp_path / "other", "8012345622"):
            pass
    with SingleInstance(tmp_path / "other", ACCOUNT):
        pass


def test_paper_runs_share_no_account(tmp_path: Path) -> None:
    with SingleInstance(tmp_path / "day", None), SingleInstance(tmp_path / "other", None):
        pass


def test_the_account_number_is_not_written_anywhere(tmp_path: Path, home: Path) -> None:
    with SingleInstance(tmp_path / "day", ACCOUNT):
        assert all(ACCOUNT not in path.name for path in home.rglob("*"))


def test_the_lock_of_a_killed_run_is_free(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_THE_LOCK, str(tmp_path / "day")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == b"held"
        with pytest.raises(AlreadyRunningError):
            SingleInstance(tmp_path / "day", None).__enter__()
    finally:
        holder.kill()
        holder.communicate()
    with SingleInstance(tmp_path / "day", None):
        pass


def test_an_announced_machine_is_found_while_it_runs(tmp_path: Path, home: Path) -> None:
    with listening() as port:
        with SingleInstance(tmp_path / "day", None) as instance:
            assert running_machines() == []
            instance.announce(machine(port))
            assert running_machines() == [machine(port)]
            assert machine_files(home) == ["4711.json"]
        assert running_machines() == []
        assert machine_files(home) == []


def test_machines_are_listed_oldest_first(tmp_path: Path, home: Path) -> None:
    with listening() as port:
        instances = [SingleInstance(tmp_path / str(pid), None) for pid in (3, 1, 2)]
        for age, (pid, instance) in enumerate(zip((3, 1, 2), instances, strict=True)):
            instance.announce(machine(port, pid))
            os.utime(home / "running" / f"{pid}.json", (1_000 + age, 1_000 + age))
        assert [found.pid for found in running_machines()] == [3, 1, 2]


@pytest.mark.parametrize("content", ["", "{", "[]", "7", '{"pid": 1}', '{"pid": 1, "port": 2, "colour": "red"}'])
def test_a_file_that_nobody_can_read_is_swept_away(home: Path, content: str) -> None:
    (home / "running").mkdir(parents=True)
    (home / "running" / "1.json").write_text(content)
    assert running_machines() == []
    assert machine_files(home) == []


def test_the_file_of_a_machine_that_answers_no_more_is_swept_away_and_the_others_stay(
    tmp_path: Path, home: Path
) -> None:
    SingleInstance(tmp_path / "gone", None).announce(machine(free_port(), 1))
    with listening() as port:
        SingleInstance(tmp_path / "here", None).announce(machine(port, 2))
        assert [found.pid for found in running_machines()] == [2]
    assert machine_files(home) == ["2.json"]


def test_a_file_that_is_being_written_is_left_alone(home: Path) -> None:
    (home / "running").mkdir(parents=True)
    (home / "running" / "1.json.new").write_text("{")
    assert running_machines() == []
    assert machine_files(home) == ["1.json.new"]


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_file_that_vanishes_between_the_list_and_the_look_is_no_error(home: Path) -> None:
    (home / "running").mkdir(parents=True)
    (home / "running" / "1.json").symlink_to(home / "nowhere")
    assert running_machines() == []
