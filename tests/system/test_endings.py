"""However a run ends, nothing of it is left, and the journal and the broker agree."""

import json
import os
import signal
import time
from collections.abc import Callable

import pytest

from tests.support.real_run import LINUX, Run

pytestmark = [pytest.mark.system, pytest.mark.skipif(not LINUX, reason="reads /proc, sends signals")]

Start = Callable[..., Run]
GONE_S = 30


def trading(start: Start, *arguments: str) -> Run:
    """A run that has traded, just inside the window."""
    run = start("--clock", "09:00:31", "--duration", "60s", "--arm", *arguments)
    run.until(run.has_traded)
    return run


def ends_flat(run: Run) -> None:
    assert run.wait(30) == 0, run.stderr.read_text()
    run.until(lambda: not run.pids(), 10)
    assert "Traceback" not in run.stderr.read_text()
    assert [finding for finding in run.json("run.json")["audit"] if not finding["kept"]] == []
    assert "ended flat" in run.stdout.read_text()


def open_positions(run: Run) -> dict[str, int]:
    """Shares bought less sold, by the broker's fills."""
    held: dict[str, int] = {}
    for row in run.rows("broker_ledger.csv"):
        if row["kind"] == "FILL":
            signed = int(row["fill_qty"]) * (1 if row["side"] == "BUY" else -1)
            held[row["symbol"]] = held.get(row["symbol"], 0) + signed
    return {symbol: qty for symbol, qty in held.items() if qty}


def test_ctrl_c_on_the_terminal_ends_it_flat_with_its_results(start: Start) -> None:
    run = trading(start)
    os.killpg(run.process.pid, signal.SIGINT)  # a terminal signals every process in the foreground
    ends_flat(run)


def test_sigterm_does_the_same_and_flatten_from_outside_too(start: Start) -> None:
    run = trading(start)
    answer = run.arb("flatten")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.startswith("flattening: ")
    run.process.terminate()
    ends_flat(run)


def test_a_killed_launcher_leaves_nothing_running_and_no_position(start: Start) -> None:
    run = trading(start)
    run.process.kill()
    killed = time.monotonic()
    run.until(lambda: not run.pids(), GONE_S)
    assert time.monotonic() - killed < GONE_S
    assert open_positions(run) == {}
    assert any(row["kind"] == "CLOSE_POSITION" for row in run.rows("broker_ledger.csv"))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["dies", "hangs"])
def test_without_its_supervisor_the_machine_is_ended_and_reported(start: Start, how: signal.Signals) -> None:
    run = trading(start)
    answer = run.arb("status", "--json")
    assert answer.returncode == 0, answer.stderr
    os.kill(json.loads(answer.stdout)["supervisor_pid"], how)
    assert run.wait(50) == 4, run.stderr.read_text()
    run.until(lambda: not run.pids(), GONE_S)
    errors = run.stderr.read_text()
    assert "SAFE STATE: the Supervisor " in errors
    assert "Traceback" not in errors
    assert open_positions(run) == {}
    assert run.json("run.json")["exit_code"] == 4
