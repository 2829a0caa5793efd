"""What Prometheus scrapes: real requests to a real server over a real core."""

import re
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from actors.cores.telemetry import TelemetryCore, TelemetrySettings
from actors.domain.metrics import CATALOGUE, TICK_TO_SIGNAL, UNHEDGED, Kind, Sample
from actors.messages.journal import EventType, Row, RowsWritten
from actors.messages.market_data import ShardCounted
from actors.messages.session import Phase, TradingState
from actors.messages.throttle import WindowCounted
from actors.telemetry import MetricsServer, buckets_of
from kiwoom.market import MS, Nanos, Now
from tests.support.playbook import TEN_O_CLOCK

NOW = Now(Nanos(0), TEN_O_CLOCK)


def row(event: EventType, at_ms: int, **columns: object) -> Row:
    return Row(event, Nanos(at_ms * MS), TEN_O_CLOCK, pair_id="p-1", symbol="005930", **columns)  # type: ignore[arg-type]


def core_after_a_morning() -> TelemetryCore:
    core = TelemetryCore(TelemetrySettings(shards=2, order_window_limit=5))
    rows = (
        row(EventType.SIGNAL, 8, extra=(("tick_recv_mono_ns", 5 * MS),)),
        row(EventType.ADMITTED, 9),
        row(EventType.ORDER_SEND_ATTEMPT, 20, cl_ord_id="p-1-A1", leg="A", side="BUY"),
        row(EventType.ORDER_ACK, 50, cl_ord_id="p-1-A1"),
        row(EventType.ORDER_REJECT, 51, cl_ord_id="p-1-A1", reason="TR", message_text="no"),
        row(EventType.NOT_ADMITTED, 60, reason="NO_CASH"),
    )
    for message in (
        RowsWritten(rows, 6),
        ShardCounted(0, (10, 7), (3, 2), 4, 0, False),
        WindowCounted(2, 3, 5, 2, 0, 0, 9, False, Nanos(0), None),
        TradingState(True, "", TEN_O_CLOCK, TEN_O_CLOCK, (Phase.RUNNING, Phase.AUCTION), True),
    ):
        core.handle(message, NOW)
    return core


@pytest.fixture
def url() -> Iterator[str]:
    server = MetricsServer("127.0.0.1", 0, core_after_a_morning().samples)
    yield f"http://127.0.0.1:{server.port}"
    server.close()


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        text: str = answer.read().decode()
        return text


def test_a_scrape_tells_what_the_core_knows(url: str) -> None:
    lines = get(f"{url}/metrics").splitlines()
    for line in (
        'arb_quotes_total{shard="0",venue="KRX"} 10.0',
        'arb_quotes_duplicate_total{shard="0",venue="NXT"} 2.0',
        'arb_quote_batches_total{shard="0"} 4.0',
        "arb_signals_total 1.0",
        'arb_tick_to_signal_seconds_bucket{le="0.002"} 0.0',
        'arb_tick_to_signal_seconds_bucket{le="0.005"} 1.0',
        "arb_tick_to_signal_seconds_sum 0.003",
        "arb_signal_to_send_seconds_sum 0.012",
        "arb_send_to_ack_seconds_sum 0.03",
        'arb_order_rejects_total{source="TR"} 1.0',
        'arb_admissions_denied_total{reason="NO_CASH"} 1.0',
        "arb_order_window_used 2.0",
        "arb_order_tokens_free 3.0",
        "arb_order_window_limit 5.0",
        "arb_queries_total 9.0",
        "arb_pairs_live 1.0",
        'arb_pnl_krw{component="net"} 0.0',
        "arb_armed 1.0",
        'arb_session_phase{venue="NXT"} 3.0',
    ):
        assert line in lines, line


def test_every_metric_of_the_list_is_described_in_a_scrape_and_no_other(url: str) -> None:
    described = dict(re.findall(r"^# TYPE (\S+) (\S+)$", get(f"{url}/metrics"), re.MULTILINE))
    assert described == {metric.name: metric.kind.value for metric in CATALOGUE}


def test_healthz_answers_and_nothing_else_does(url: str) -> None:
    assert get(f"{url}/healthz") == "ok\n"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(f"{url}/else")


def test_a_taken_port_is_an_error_and_not_shared() -> None:
    server = MetricsServer("127.0.0.1", 0, list)
    with pytest.raises(OSError, match="in use"):
        MetricsServer("127.0.0.1", server.port, list)
    server.close()


def test_a_bucket_holds_what_is_not_above_its_bound() -> None:
    sample = Sample(UNHEDGED, samples_ns=[25 * MS, 25 * MS + 1, 60_000 * MS])
    counts = dict(buckets_of(UNHEDGED, sample))
    assert (counts["0.025"], counts["0.05"], counts["10.0"], counts["+Inf"]) == (1, 2, 2, 3)


def test_what_was_not_heard_of_is_not_shown_as_zero() -> None:
    core = TelemetryCore(TelemetrySettings(shards=1, order_window_limit=5))
    names = {sample.metric.name for sample in core.samples()}
    assert "arb_armed" not in names
    assert "arb_order_window_used" not in names
    assert TICK_TO_SIGNAL.name in names


def test_names_are_unique_and_labels_bounded() -> None:
    assert len({metric.name for metric in CATALOGUE}) == len(CATALOGUE)
    assert not {label for metric in CATALOGUE for label in metric.labels} & {"pair_id", "order_no", "symbol"}
    assert {metric.kind for metric in CATALOGUE} == set(Kind)
