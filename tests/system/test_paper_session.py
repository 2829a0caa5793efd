"""One paper session with real processes, and what it leaves: every promise checked by the broker's own ledger.

The figures are worked out here from the files alone, with nothing of the machine's code.
"""

import json
import re
import sqlite3
import time
import urllib.request
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.real_run import LINUX, Run

pytestmark = [pytest.mark.system, pytest.mark.skipif(not LINUX, reason="reads /proc")]

# fmt: off
EVENT_COLUMNS = [
    "seq", "ts", "ts_mono_ns", "event_type", "actor", "pair_id", "leg", "venue", "symbol", "cl_ord_id", "order_no",
    "orig_order_no", "side", "qty", "hoga_code", "price", "leaves_qty", "fill_qty", "fill_px", "exec_id",
    "screen_no", "rq_name", "tr_code", "sgubun", "order_type", "state", "reason", "fids", "message_text", "extra",
]
LEDGER_COLUMNS = [
    "ts", "ts_mono_ns", "kind", "rq_name", "order_no", "orig_order_no", "venue", "symbol", "side", "order_type",
    "hoga_code", "price", "qty", "fill_px", "fill_qty", "exec_id", "fee_krw", "tax_krw", "return_code", "reason",
]
# fmt: on


@dataclass
class Session:
    """A finished run, with what was seen of it while it ran."""

    run: Run
    code: int
    listening: list[str]
    processes: int
    status: dict[str, Any]
    metrics: str
    left_after_s: float
    events: list[dict[str, str]]
    ledger: list[dict[str, str]]

    def of_ledger(self, *kinds: str) -> list[dict[str, str]]:
        return [row for row in self.ledger if row["kind"] in kinds]

    def of_events(self, *kinds: str) -> list[dict[str, str]]:
        return [row for row in self.events if row["event_type"] in kinds]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Any:
    run = Run(tmp_path_factory.mktemp("paper"), "--clock", "09:00:28", "--duration", "18s", "--arm")
    try:
        run.until(lambda: run.says("ARMED") and run.has_traded())
        listening, processes = run.listening(), len(run.pids())
        answer = run.arb("status", "--json")
        assert answer.returncode == 0, answer.stderr
        found = re.search(r"http://\S+/metrics", run.stderr.read_text())
        assert found is not None
        with urllib.request.urlopen(found[0], timeout=5) as page:
            metrics = page.read().decode()
        code = run.wait()
        ended = time.monotonic()
        run.until(lambda: not run.pids(), 15)
        yield Session(
            run,
            code,
            listening,
            processes,
            json.loads(answer.stdout),
            metrics,
            time.monotonic() - ended,
            run.rows("events.csv"),
            run.rows("broker_ledger.csv"),
        )
    finally:
        run.close()


def test_it_ends_flat_with_exit_code_0(session: Session) -> None:
    assert session.code == 0, session.run.stderr.read_text() + session.run.stdout.read_text()
    assert session.run.json("run.json")["exit_code"] == 0
    assert "Traceback" not in session.run.stderr.read_text()


def test_every_process_listens_on_the_loopback_only(session: Session) -> None:
    assert session.processes > 10
    assert len(session.listening) > 10  # every actor has a port of its own
    assert [address for address in session.listening if not address.startswith("127.0.0.1:")] == []


def test_status_answers_another_process_while_it_runs_and_not_after(session: Session) -> None:
    assert session.status["stage"] == "running"
    assert session.status["mode"] == "paper"
    assert session.status["trading"]["armed"]
    assert all(actor["up"] and actor["restarts"] == 0 for actor in session.status["actors"])
    after = session.run.arb("status", "--json")
    assert (after.returncode, after.stdout) == (6, "")
    assert list((session.run.home / "running").iterdir()) == []


def test_no_process_is_left(session: Session) -> None:
    assert session.left_after_s < 5


def test_metrics_were_served_while_it_ran(session: Session) -> None:
    assert 'arb_quotes_total{shard="0",venue="KRX"}' in session.metrics
    assert re.search(r'arb_build_info\{mode="paper",version="[^"]+"\} 1.0', session.metrics)


def test_the_columns_are_the_agreed_ones(session: Session) -> None:
    assert list(session.events[0]) == EVENT_COLUMNS
    assert list(session.ledger[0]) == LEDGER_COLUMNS
    with sqlite3.connect(session.run.directory / "journal.db") as journal:
        assert [row[1] for row in journal.execute("PRAGMA table_info(events)")] == EVENT_COLUMNS
        assert journal.execute("SELECT COUNT(*) FROM events").fetchone() == (len(session.events),)
    assert [int(row["seq"]) for row in session.events] == sorted({int(row["seq"]) for row in session.events})
    stamp = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+09:00")
    assert all(stamp.fullmatch(row["ts"]) for row in session.events + session.ledger)


def test_the_run_file_and_the_report_hold_what_was_agreed(session: Session) -> None:
    run, report = session.run.json("run.json"), session.run.json("report.json")
    assert set(run) >= {
        "version",
        "mode",
        "deployment",
        "config_sha256",
        "seed",
        "scenario",
        "started",
        "ended",
        "exit_code",
        "quotes",
        "orders",
        "pairs",
    }
    assert set(run["quotes"]) >= {"published", "received", "duplicate", "lost"}
    assert set(run["orders"]) >= {"sent", "cancels", "rejected", "timeouts", "refused"}
    pairs = {"signals", "admitted", "done", "missed", "rejected", "partial_entries", "escalated", "unhedged"}
    assert set(run["pairs"]) >= pairs
    assert set(report["pairs"]) >= pairs
    assert set(report) >= {"latency_ms", "pnl_krw", "net_bps", "utilisation", "per_symbol", "reject_reasons"}
    for name in ("tick_to_signal", "signal_to_send", "tick_to_send", "send_to_ack", "unhedged"):
        assert set(report["latency_ms"][name]) >= {"n", "p50", "p95", "p99", "max"}
    assert set(report["pnl_krw"]) >= {"gross", "fees", "tax", "net"}
    assert set(report["utilisation"]) >= {
        "max_in_1s",
        "seconds_at_80pct",
        "tokens_free_avg",
        "tokens_free_min_after_entry",
    }
    assert run["pairs"] == report["pairs"]
    assert (run["seed"], run["mode"], run["scenario"]) == (7, "paper", "dislocations")


def test_the_machine_found_every_promise_kept(session: Session) -> None:
    assert [finding for finding in session.run.json("run.json")["audit"] if not finding["kept"]] == []


def test_never_more_than_five_calls_reach_the_broker_in_any_second(session: Session) -> None:
    arrivals = sorted(int(row["ts_mono_ns"]) for row in session.of_ledger("ORDER", "CANCEL", "OVERLOAD"))
    assert len(arrivals) > 4
    assert all(sixth - first >= 1_000_000_000 for first, sixth in zip(arrivals, arrivals[5:], strict=False))
    assert session.of_ledger("OVERLOAD") == []


def test_the_broker_holds_at_the_end_what_it_held_at_the_start(session: Session) -> None:
    opened = {row["symbol"]: row["qty"] for row in session.of_ledger("OPEN_POSITION") if row["symbol"] != "CASH"}
    closed = {row["symbol"]: row["qty"] for row in session.of_ledger("CLOSE_POSITION") if row["symbol"] != "CASH"}
    assert opened
    assert opened == closed
    ended = Counter(row["order_no"] for row in session.of_ledger("END"))
    assert ended == Counter(row["order_no"] for row in session.of_ledger("ORDER"))


def test_no_sale_goes_beyond_what_is_held_then(session: Session) -> None:
    held = defaultdict(int, {row["symbol"]: int(row["qty"]) for row in session.of_ledger("OPEN_POSITION")})
    for row in session.of_ledger("FILL"):
        held[row["symbol"]] += int(row["fill_qty"]) * (1 if row["side"] == "BUY" else -1)
        assert held[row["symbol"]] >= 0, row


def test_nothing_is_sent_outside_the_window(session: Session) -> None:
    sent = [row["ts"][11:] for row in session.of_ledger("ORDER", "CANCEL", "REJECT", "OVERLOAD")]
    assert min(sent) >= "09:00:32"
    assert max(sent) < "15:19:50"


def test_journal_and_ledger_tell_the_same_fills(session: Session) -> None:
    names = ("venue", "order_no", "exec_id", "symbol", "side", "fill_qty", "fill_px")
    theirs = Counter(tuple(row[name] for name in names) for row in session.of_ledger("FILL"))
    ours = Counter(tuple(row[name] for name in names) for row in session.of_events("TRADE_PARTIAL", "TRADE_FILL"))
    assert theirs
    assert ours == theirs
    assert max(ours.values()) == 1


def test_the_profit_is_the_change_of_cash_to_the_won(session: Session) -> None:
    cash = {row["kind"]: int(row["qty"]) for row in session.ledger if row["symbol"] == "CASH"}
    change = cash["CLOSE_POSITION"] - cash["OPEN_POSITION"]
    ended = [json.loads(row["extra"]) for row in session.of_events("PAIRED_DONE", "FLATTENED")]
    assert session.of_events("UNHEDGED") == []
    assert sum(figures["net_krw"] for figures in ended) == change
    assert session.run.json("report.json")["pnl_krw"]["net"] == change
    flows = sum(
        int(row["fill_px"]) * int(row["fill_qty"]) * (1 if row["side"] == "SELL" else -1)
        - int(row["fee_krw"])
        - int(row["tax_krw"])
        for row in session.of_ledger("FILL")
    )
    assert flows == change


def test_every_order_has_exactly_one_terminal_row(session: Session) -> None:
    sent = [row["cl_ord_id"] for row in session.of_events("ORDER_SEND_ATTEMPT")]
    assert len(sent) == len(set(sent))
    ends = Counter(
        row["cl_ord_id"]
        for row in session.of_events("TRADE_FILL", "CANCELED", "ORDER_REJECT", "ORDER_REFUSED")
        if row["event_type"] != "TRADE_FILL" or row["leaves_qty"] == "0"
    )
    assert ends == Counter(sent)
    assert all(row["leaves_qty"] == "0" for row in session.of_events("TRADE_FILL"))
    assert all(int(row["leaves_qty"]) > 0 for row in session.of_events("TRADE_PARTIAL"))


def test_an_order_is_in_the_journal_before_it_is_at_the_broker(session: Session) -> None:
    attempts = {row["rq_name"]: row for row in session.of_events("ORDER_SEND_ATTEMPT", "CANCEL_SEND_ATTEMPT")}
    arrived = session.of_ledger("ORDER", "CANCEL")
    assert {row["rq_name"] for row in arrived} == set(attempts)
    for row in arrived:
        attempt = attempts[row["rq_name"]]
        assert int(attempt["ts_mono_ns"]) <= int(row["ts_mono_ns"])
        if row["kind"] == "ORDER":
            assert [attempt[name] for name in ("venue", "symbol", "side", "qty", "price", "hoga_code")] == [
                row[name] for name in ("venue", "symbol", "side", "qty", "price", "hoga_code")
            ]


def test_no_quote_is_lost(session: Session) -> None:
    quotes = session.run.json("run.json")["quotes"]
    for venue in ("KRX", "NXT"):
        assert quotes["published"][venue] > 1_000
        assert quotes["published"][venue] == quotes["received"][venue] + quotes["duplicate"][venue]
    assert quotes["lost"] == 0


def test_pairs_are_done_with_either_side_first(session: Session) -> None:
    done = {row["pair_id"] for row in session.of_events("PAIRED_DONE")}
    entries = {
        row["pair_id"]: row["side"]
        for row in session.of_events("ORDER_SEND_ATTEMPT")
        if row["leg"] == "A" and row["pair_id"] in done
    }
    sides = Counter(entries.values())
    assert sides["BUY"] >= 1
    assert sides["SELL"] >= 1
    assert len(done) >= 5
    for pair_id in done:
        legs = [row for row in session.of_events("TRADE_PARTIAL", "TRADE_FILL") if row["pair_id"] == pair_id]
        open_qty = sum(int(row["fill_qty"]) * (1 if row["side"] == "BUY" else -1) for row in legs)
        assert open_qty == 0


def test_the_results_read_well_in_a_pipe(session: Session) -> None:
    lines = session.run.stdout.read_text().splitlines()
    names = ["pairs", "signals", "result", "tick to signal", "signal to send", "send to ack", "unhedged", "quotes"]
    assert [line[:14].strip() for line in lines[: len(names)]] == names
    assert lines[-1] == f"ended flat; files in {session.run.directory}"
    assert all(line == line.rstrip() for line in lines)
