"""The report and the audit against small days whose figures can be worked out by hand."""

from dataclasses import replace
from typing import Any

import pytest

from actors.domain.tally import DayTally, percentile
from actors.messages.journal import EventType, Row
from dashboards.report.audit import audit, sends_max_in_a_second
from dashboards.report.ledger import LedgerRow
from dashboards.report.session import arrivals, report
from kiwoom.market import MS, SECOND
from tests.support.builders import pair_rows, row

BLANK = LedgerRow(
    "2026-11-23T10:00:00.000000+09:00", 0, "", "", "", "", "", "", "", "", "", 0, 0, 0, 0, "", 0, 0, "", ""
)


def folded(rows: list[Row]) -> DayTally:
    day = DayTally()
    for each in rows:
        day.add(each)
    return day


def line(kind: str, at_ms: int = 0, **columns: Any) -> LedgerRow:
    return replace(BLANK, kind=kind, mono=at_ms * MS, **columns)


def good_ledger() -> list[LedgerRow]:
    """What the broker would have written beside builders.pair_rows()."""
    sale = {"venue": "NXT", "order_no": "0000001", "exec_id": "1", "side": "SELL", "fill_px": 72_820}
    buy = {"venue": "KRX", "order_no": "0000002", "exec_id": "7", "side": "BUY", "fill_px": 72_300}
    return [
        line("OPEN_POSITION", symbol="005930", qty=20),
        line("OPEN_POSITION", symbol="CASH", qty=1_000_000),
        line("ORDER", 5, rq_name="p-1-A1", order_no="0000001"),
        line("FILL", 30, symbol="005930", fill_qty=1, **sale),
        line("ORDER", 40, rq_name="p-1-B1", order_no="0000002"),
        line("FILL", 60, symbol="005930", fill_qty=1, **buy),
        line("CLOSE_POSITION", 90, symbol="005930", qty=20),
        line("CLOSE_POSITION", 90, symbol="CASH", qty=1_000_120),
    ]


def broken_promises(ledger: list[LedgerRow], rows: list[Row] | None = None) -> list[str]:
    findings = audit(ledger, pair_rows() if rows is None else rows, 5, ("09:00:32", "15:19:50"))
    return [finding.promise.split(" (")[0] for finding in findings if not finding.kept]


def test_a_good_pair_is_counted_timed_and_priced() -> None:
    content = report(folded(pair_rows()), {}, 5)
    assert content["pairs"]["signals"] == content["pairs"]["admitted"] == content["pairs"]["done"] == 1
    assert content["pairs"]["done_sell_first"] == 1
    assert content["latency_ms"]["tick_to_signal"] == {"n": 1, "p50": 4.0, "p95": 4.0, "p99": 4.0, "max": 4.0}
    assert content["latency_ms"]["signal_to_send"]["p95"] == 3.0
    assert content["latency_ms"]["send_to_ack"]["p95"] == 27.0
    assert content["latency_ms"]["unhedged"]["p95"] == 40.0
    assert content["pnl_krw"] == {"gross": 320, "fees": 20, "tax": 180, "net": 120}
    assert content["net_bps"] == pytest.approx(120 * 10_000 / 72_300, abs=1e-3)
    assert content["per_symbol"][0] == {
        "symbol": "005930",
        "attempts": 1,
        "done": 1,
        "missed": 0,
        "rejected": 0,
        "escalated": 0,
        "orders": 2,
        "net_krw": 120,
        "unhedged_ms_avg": 40.0,
    }


def test_sending_ends_with_the_arrival_in_the_ledger_where_there_is_one() -> None:
    content = report(folded(pair_rows()), arrivals(good_ledger()), 5)
    assert content["send_stamp"] == "ledger arrival"
    assert content["latency_ms"]["signal_to_send"]["p95"] == 5.0
    assert content["latency_ms"]["send_to_ack"]["max"] == 25.0


def test_misses_partial_entries_and_escalations_are_counted_once_per_pair() -> None:
    ids = {"pair_id": "p-9", "symbol": "000660"}
    rows = [
        row(EventType.SIGNAL, 0, {"tick_recv_mono_ns": 0}, **ids),
        row(EventType.ADMITTED, 1, **ids),
        row(EventType.ORDER_SEND_ATTEMPT, 2, cl_ord_id="p-9-A1", leg="A", side="BUY", qty=7, **ids),
        row(EventType.TRADE_PARTIAL, 30, cl_ord_id="p-9-A1", leg="A", side="BUY", fill_qty=3, fill_px=100, **ids),
        row(EventType.CANCELED, 31, cl_ord_id="p-9-A1", leg="A", reason="IOC_REMAINDER", **ids),
        row(EventType.PAIR_STATE, 40, state="HEDGE_IOC_SENT", **ids),
        row(EventType.PAIR_STATE, 50, state="HEDGE_MARKET_SENT", **ids),
        row(EventType.SIGNAL, 60, {"tick_recv_mono_ns": 0}, pair_id="p-10", symbol="000660"),
        row(EventType.NOT_ADMITTED, 61, {"suppressed": 2}, pair_id="p-10", symbol="000660", reason="NO_COVER"),
    ]
    day = folded(rows)
    counts = report(day, {}, 5)["pairs"]
    assert (counts["partial_entries"], counts["escalated"], counts["missed"]) == (1, 1, 0)
    assert day.open_qty == {"p-9": 3}
    assert day.not_admitted == {"NO_COVER": 3}
    assert day.live == 1


def test_utilisation_counts_every_send_of_the_sliding_second() -> None:
    rows = [*pair_rows("a", 0), *pair_rows("b", 100), *pair_rows("c", 3_000)]
    use = report(folded(rows), {}, 5)["utilisation"]
    assert use["max_in_1s"] == 4
    assert use["tokens_free_min_after_entry"] == 2
    assert use["seconds_at_80pct"] == pytest.approx(1.0)


def test_a_good_ledger_confirms_every_promise() -> None:
    assert broken_promises(good_ledger()) == []


@pytest.mark.parametrize(
    ("change", "promise"),
    [
        (
            lambda rows: rows + [line("ORDER", 5 + n) for n in range(5)],
            "never more than 5 orders and cancels in any second",
        ),
        (lambda rows: [*rows, line("OVERLOAD", 5000)], "none turned away for overload"),
        (lambda rows: [*rows[:-2], line("CLOSE_POSITION", symbol="005930", qty=19), rows[-1]], "flat at the end"),
        (lambda rows: rows[:-2], "flat at the end"),
        (lambda rows: rows[1:], "no sale beyond what was held"),
        (
            lambda rows: [*rows, line("ORDER", 9000, ts="2026-11-23T15:20:00.500000+09:00")],
            "nothing outside 09:00:32-15:19:50",
        ),
        (lambda rows: rows[:3] + rows[4:], "the same fills in ledger and journal"),
        (
            lambda rows: [*rows[:-1], line("CLOSE_POSITION", symbol="CASH", qty=1000119)],
            "net PnL equals the change of cash at the broker, to the won",
        ),
    ],
)
def test_each_broken_promise_is_found(change: Any, promise: str) -> None:
    assert promise in broken_promises(change(good_ledger()))


def test_the_busiest_second_is_open_at_its_end() -> None:
    assert sends_max_in_a_second([0, SECOND - 1]) == 2
    assert sends_max_in_a_second([0, SECOND]) == 1
    assert sends_max_in_a_second([]) == 0


def test_percentiles_are_nearest_rank() -> None:
    assert percentile([], 95) == 0
    assert percentile(list(range(1, 101)), 95) == 95
    assert percentile([3, 1, 2], 50) == 2
