"""Observe mode: the whole machine looks on, and not one order is sent. `arb stop` ends it."""

from collections import Counter
from collections.abc import Callable

import pytest

from tests.support.real_run import LINUX, Run

pytestmark = [pytest.mark.system, pytest.mark.skipif(not LINUX, reason="reads /proc")]


def test_observe_mode_signals_and_sends_nothing(start: Callable[..., Run]) -> None:
    run = start("--mode", "observe", "--clock", "09:00:31", "--duration", "60s", "--arm")
    run.until(lambda: run.has_written("SIGNAL"))
    answer = run.arb("stop")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.startswith("stopping: ")
    assert run.wait() == 0, run.stderr.read_text()
    run.until(lambda: not run.pids(), 10)
    assert Counter(row["kind"] for row in run.rows("broker_ledger.csv")).keys() == {"OPEN_POSITION", "CLOSE_POSITION"}
    events = run.rows("events.csv")
    happened = Counter(row["event_type"] for row in events)
    assert happened["ARMED"] == 1
    assert happened["SIGNAL"] > 0
    assert happened["ADMITTED"] == happened["ORDER_SEND_ATTEMPT"] == 0
    assert {row["reason"] for row in events if row["event_type"] == "NOT_ADMITTED"} >= {"RISK_OBSERVE_ONLY"}
    assert run.arb("stop").returncode == 6
    figures = run.json("run.json")
    assert figures["mode"] == "observe"
    assert figures["quotes"]["lost"] == 0
