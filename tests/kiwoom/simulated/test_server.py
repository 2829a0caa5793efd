"""The simulated broker as a process, over a real socket: its clients come and go, its orders stay."""

import csv
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from kiwoom.simulated.control import SimulatedControl, SocketLink
from kiwoom.simulated.setup_file import SetupError, setup_from
from tests.support.simulated_kiwoom import ACCOUNT, Recorder

ROOT = Path(__file__).parents[3]
SEOUL = timezone(timedelta(hours=9))
TEN_O_CLOCK = datetime(2026, 11, 23, 10, 0, tzinfo=SEOUL)
SYMBOL = "005930"


def setup_values(directory: Path) -> dict[str, Any]:
    return {
        "scenario": str(ROOT / "config" / "scenarios" / "calm.yaml"),
        "listings": [
            {"symbol": SYMBOL, "name": "삼성전자", "market": "KOSPI", "base_price": 72_000, "nxt": True},
            {"symbol": "035720", "name": "카카오", "market": "KOSDAQ", "base_price": 0, "nxt": True},
        ],
        "seed": 1,
        "account": ACCOUNT,
        "cash_krw": 10_000_000,
        "holdings": {SYMBOL: 100},
        "fee_ppb": {"KRX": 150_000, "NXT": 176_833},
        "tax_ppb": {"KOSPI": 2_000_000, "KOSDAQ": 2_000_000},
        "wall_offset_ns": int(TEN_O_CLOCK.timestamp() * 1e9) - time.time_ns(),
        "ledger": str(directory / "broker_ledger.csv"),
        "summary": str(directory / "broker.json"),
    }


class ServerProcess:
    def __init__(self, directory: Path) -> None:
        setup = directory / "setup.json"
        setup.write_text(json.dumps(setup_values(directory)), encoding="utf-8")
        self.directory = directory
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kiwoom.simulated", str(setup), "--exit-on-stdin-eof"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        self.stdin = self.process.stdin
        word, port = self.process.stdout.readline().split()
        assert word == "listening"
        self.port = int(port)

    def client(self) -> "Client":
        return Client(SocketLink("127.0.0.1", self.port))

    def ends(self) -> dict[str, Any]:
        assert self.process.wait(timeout=10) == 0
        summary: dict[str, Any] = json.loads((self.directory / "broker.json").read_text(encoding="utf-8"))
        return summary

    def ledger(self) -> list[dict[str, str]]:
        with (self.directory / "broker_ledger.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


class Client:
    """A control with the smallest event loop there is."""

    def __init__(self, link: SocketLink) -> None:
        self.link = link
        self.control = SimulatedControl(link)
        self.heard = Recorder(self.control, time.perf_counter_ns)
        self.control.listen(self.heard)

    def log_in(self) -> "Client":
        assert self.control.CommConnect() == 0
        self.until(lambda: self.control.GetConnectState() == 1)
        return self

    def until(self, done: Callable[[], object], timeout_s: float = 10.0) -> None:
        """Run the loop until `done`; fails if that takes longer than `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while not done():
            assert time.monotonic() < deadline, self.heard.events[-5:]
            if self.control.fileno() >= 0:
                select.select((self.control.fileno(),), (), (), 0.05)
            self.control.on_readable()

    def until_heard(self, name: str) -> None:
        self.until(lambda: any(event.name == name for event in self.heard.events))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    started = ServerProcess(tmp_path)
    yield started
    if started.process.poll() is None:
        started.process.kill()
    started.process.wait(timeout=10)
    started.stdin.close()
    started.process.stdout.close()  # type: ignore[union-attr]


@pytest.mark.system
def test_an_order_outlives_its_client_and_the_next_one_finds_it(server: ServerProcess) -> None:
    first = server.client().log_in()
    assert first.control.GetLoginInfo("ACCNO") == f"{ACCOUNT};"
    first.heard.wanted_fids = (51,)
    first.control.SetRealReg("1000", f"{SYMBOL};{SYMBOL}_NX", "41;51;61;71", "0")
    first.until(
        lambda: {event.args[0] for event in first.heard.events if event.name == "real"} == {SYMBOL, f"{SYMBOL}_NX"}
    )
    low = 50_500
    assert first.control.SendOrder("q1", "2000", ACCOUNT, 1, SYMBOL, 3, low, "00", "") == 0
    first.until_heard("chejan")
    (answer,) = first.heard.take("tr")
    assert server.ledger()[-1]["order_no"] == answer.values["주문번호"]
    first.link.close()

    second = server.client().log_in()
    second.heard.wanted_fields = ("주문번호", "미체결수량", "주문가격")
    second.control.SetInputValue("계좌번호", ACCOUNT)
    second.control.SetInputValue("체결구분", "1")
    assert second.control.CommRqData("doubt", "opt10075", 0, "3000") == 0
    second.until_heard("tr")
    (found,) = second.heard.take("tr")
    assert found.rows == [{"주문번호": answer.values["주문번호"], "미체결수량": "3", "주문가격": str(low)}]
    assert second.heard.take("real") == []

    server.stdin.close()
    assert second.control.GetMasterCodeName(SYMBOL) == "삼성전자"  # whoever is connected is served to the end
    second.link.close()
    summary = server.ends()
    assert (summary["orders"], summary["fills"]) == (1, 0)
    assert summary["open_orders"] == [answer.values["주문번호"]]
    kinds = [row["kind"] for row in server.ledger()]
    assert kinds == ["OPEN_POSITION", "OPEN_POSITION", "ORDER", "CLOSE_POSITION", "CLOSE_POSITION"]


@pytest.mark.system
def test_events_that_come_during_a_call_wait_for_their_turn(server: ServerProcess) -> None:
    client = server.client().log_in()
    client.heard.take()
    client.control.SetRealReg("1000", f"{SYMBOL};{SYMBOL}_NX", "41;51;61;71", "0")
    deadline = time.monotonic() + 10
    while not client.control.has_pending:
        assert time.monotonic() < deadline
        client.control.GetMasterCodeName(SYMBOL)
    assert client.heard.events == []
    client.control.dispatch_pending()
    assert client.heard.take("real")


@pytest.mark.system
def test_a_second_login_takes_the_line_of_the_first(server: ServerProcess) -> None:
    first = server.client().log_in()
    first.heard.take()
    second = server.client().log_in()
    first.until_heard("connect")
    assert [event.args for event in first.heard.take("connect")] == [(-106,)]
    assert first.control.SendOrder("q1", "2000", ACCOUNT, 1, SYMBOL, 1, 0, "13", "") == -106
    assert second.control.SendOrder("q2", "2000", ACCOUNT, 1, SYMBOL, 1, 0, "13", "") == 0


@pytest.mark.system
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to heed")
def test_it_ignores_ctrl_c_and_ends_orderly_on_sigterm(server: ServerProcess) -> None:
    client = server.client().log_in()
    os.kill(server.process.pid, signal.SIGINT)
    assert client.control.GetMasterCodeName(SYMBOL) == "삼성전자"
    server.process.terminate()
    assert server.ends()["published"] == {"KRX": 0, "NXT": 0}


@pytest.mark.system
@pytest.mark.skipif(sys.platform == "win32", reason="needs a signal that stops a process")
def test_a_broker_that_does_not_answer_in_time_costs_the_line_and_leaves_the_order_open(server: ServerProcess) -> None:
    client = Client(SocketLink("127.0.0.1", server.port, timeout_s=0.3)).log_in()
    client.heard.take()
    os.kill(server.process.pid, signal.SIGSTOP)
    assert client.control.SendOrder("q1", "2000", ACCOUNT, 1, SYMBOL, 1, 50_500, "00", "") == -307
    assert client.heard.events == [] and client.control.has_pending
    client.control.dispatch_pending()
    assert [event.args for event in client.heard.take("connect")] == [(-106,)]
    os.kill(server.process.pid, signal.SIGCONT)
    client.log_in()
    client.until(lambda: [row for row in server.ledger() if row["kind"] == "ORDER"])


def test_nobody_at_the_port_is_a_failed_login() -> None:
    client = Client(SocketLink("127.0.0.1", 1, timeout_s=0.2))
    assert client.control.CommConnect() == 0
    assert client.control.has_pending
    client.control.dispatch_pending()
    assert [event.args for event in client.heard.take()] == [(-101,)]
    assert client.control.GetConnectState() == 0


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"sede": 1}, "sede: unknown key; the nearest known one is seed"),
        ({"seed": "1"}, "seed: must be of type int, is '1'"),
        ({"seed": None}, "seed: must be of type int, is None"),
    ],
)
def test_a_setup_that_is_wrong_says_what(tmp_path: Path, change: dict[str, Any], text: str) -> None:
    with pytest.raises(SetupError, match=text):
        setup_from({**setup_values(tmp_path), **change})


def test_a_setup_that_lacks_a_key_says_which(tmp_path: Path) -> None:
    values = setup_values(tmp_path)
    del values["account"]
    with pytest.raises(SetupError, match="account: is missing"):
        setup_from(values)


@pytest.mark.system
@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"holdings": {"999999": 1}}, "holdings: 999999 is not listed"),
        ({"faults": {"report_lots": 1}}, "faults.report_lots: unknown key; did you mean report_lost?"),
        ({"fee_ppb": {"KRX": 1}}, "fee_ppb must name KRX and NXT"),
        ({"scenario": "nowhere.yaml"}, "scenario nowhere.yaml: cannot be read"),
    ],
)
def test_the_process_ends_with_2_and_a_sentence_for_a_bad_setup(
    tmp_path: Path, change: dict[str, Any], text: str
) -> None:
    setup = tmp_path / "setup.json"
    setup.write_text(json.dumps({**setup_values(tmp_path), **change}), encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-m", "kiwoom.simulated", str(setup)], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith(text)
    assert ended.stdout == ""
