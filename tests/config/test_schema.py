"""The schema against its outward contract, exact money, and what the machine asks of it."""

from datetime import date, time
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from config.defaults import FILE, render
from config.reader import SHIPPED, flatten, load
from config.scalars import half_ticks, parse_half_ticks, parse_rate, parse_time, ppb
from config.schema import Config, keys
from kiwoom.fees import PPB_PER_BPS, Rounding
from kiwoom.market import SECOND, Market, Venue

# CONTRACTS "Configuration", with the values it names.
CONTRACT = {
    "app.mode": "paper",
    "app.timezone": "Asia/Seoul",
    "app.logging.level": "INFO",
    "app.logging.rotate_mb": 20,
    "app.logging.rotate_count": 10,
    "kiwoom.rate_limits.orders_per_sec": 5,
    "kiwoom.rate_limits.queries_per_sec": 5,
    "kiwoom.rate_limits.reserve_order_tokens": 2,
    "kiwoom.features.use_sor": False,
    "kiwoom.features.use_al_feed": False,
    "sessions.arm_only_in_overlap": True,
    "sessions.overlap_window.start": time(9, 0, 32),
    "sessions.overlap_window.end": time(15, 19, 50),
    "sessions.nxt_main.start": time(9, 0, 30),
    "sessions.nxt_main.end": time(15, 20),
    "sessions.use_fid_215_signals": True,
    "sessions.special_days": {},
    "symbols.per_symbol_overrides": {},
    "symbols.exclude": (),
    "market_data.subscribe_top_of_book_only": True,
    "market_data.shards": "auto",
    "market_data.heartbeat_symbols": (),
    "market_data.freshness_ms": 0,
    "spread_engine.batch_interval_ms": 10,
    "spread_engine.edge_rule.min_net_ticks_after_fees": Decimal(1),
    "spread_engine.edge_rule.also_require_min_visible_qty": 1,
    "spread_engine.cooldown_ms": 100,
    "router.entry_leg": "auto",
    "router.entry_leg_style.prefer": "ioc",
    "router.hedge_leg.prefer": "limit",
    "router.hedge_leg.allow_nxt_mid_price": True,
    "router.hedge_leg.hedge_price": "lock",
    "router.hedge_leg.hedge_fallback_venue": "best",
    "router.hedge_leg.hedge_ioc_ticks": 2,
    "router.fallback_after_ms": 1000,
    "execution.t_hedge_ms": 1000,
    "execution.cancel_then_new_on_type_change": True,
    "execution.max_concurrent_symbols": 2,
    "execution.max_outstanding_pairs_per_symbol": 1,
    "execution.max_outstanding_shares_per_symbol": 10,
    "execution.slice_qty": 1,
    "execution.max_hedge_attempts": 5,
    "execution.timeouts.ack_ms": 200,
    "execution.timeouts.accept_ms": 300,
    "execution.timeouts.cancel_ms": 300,
    "execution.timeouts.ioc_end_ms": 500,
    "throttling.orders_bucket_per_sec": 5,
    "throttling.queries_bucket_per_sec": 5,
    "throttling.min_tokens_free_to_start_new_pair": 4,
    "throttling.window_margin_ms": 50,
    "throttling.grant_ttl_ms": 100,
    "risk.max_notional_per_leg_krw": 5_000_000,
    "risk.max_notional_per_symbol_krw": 20_000_000,
    "risk.max_notional_per_session_krw": 1_000_000_000,
    "risk.daily_loss_limit_krw": 0,
    "fees.krx.broker_bps": Decimal("1.5"),
    "fees.krx.regulatory_bps": Decimal(0),
    "fees.nxt.broker_bps": Decimal("1.45"),
    "fees.nxt.regulatory_bps": Decimal("0.31833"),
    "fees.round_down_to_krw.commission": 10,
    "fees.round_down_to_krw.tax": 1,
    "fees.round_down_to_krw.per": Rounding.ORDER,
    "taxes.enabled": True,
    "telemetry.slo_targets_ms.tick_to_signal_p95": 25,
    "telemetry.slo_targets_ms.signal_to_send_p95": 15,
    "telemetry.slo_targets_ms.send_to_ack_p95": 150,
    "telemetry.orders_utilization_autopause.threshold": Decimal("0.80"),
    "telemetry.orders_utilization_autopause.sustain_seconds": 5,
    "telemetry.orders_utilization_autopause.enabled": True,
    "telemetry.prometheus.host": "127.0.0.1",
    "telemetry.prometheus.port": 9108,
    "alerts.slack.webhook": "${SLACK_WEBHOOK_URL}",
    **{
        f"alerts.slack.send_on.{kind}": True
        for kind in (
            "buy_fill", "sell_fill", "pair_done", "auto_pause_on", "hedge_timeout", "reject_spike",
            "unhedged", "actor_restart", "safe_state",
        )
    },
    "persistence.exec_log_format": "csv",
    "persistence.retention_days": 14,
    "supervision.heartbeat_ms": 500,
    "supervision.hung_after_ms": 2000,
    "supervision.gateway_hung_after_ms": 10000,
    "supervision.max_restarts": 3,
    "supervision.within_seconds": 60,
    "supervision.bind_host": "127.0.0.1",
    "paper.scenario": "dislocations",
    "paper.holdings": {},
    "paper.latency": {},
    "paper.faults": {},
}  # fmt: skip

WITHOUT_A_NAMED_VALUE = (
    "kiwoom.server", "kiwoom.account", "kiwoom.screen_numbers.marketdata", "kiwoom.screen_numbers.orders",
    "symbols.universe_file", "taxes.schedule", "persistence.logs_dir", "persistence.reports_dir", "paper.cash_krw",
)  # fmt: skip


def test_every_key_of_the_contract_is_there_at_its_value() -> None:
    values = dict(flatten(Config()))
    assert {path: values.get(path, "absent") for path in CONTRACT} == CONTRACT
    assert all(path in values for path in WITHOUT_A_NAMED_VALUE)


def test_every_kill_switch_is_off_by_default() -> None:
    switches = Config().risk.kill_switches.model_dump()
    assert switches
    assert not any(switches.values())


def test_every_key_says_what_it_means_and_what_is_allowed() -> None:
    for key in keys():
        assert key.meaning.endswith("."), key.path
        assert key.allowed, key.path


def test_the_defaults_file_is_current() -> None:
    assert FILE.read_text(encoding="utf-8") == render(), "run: python -m config.defaults"


def test_the_defaults_file_is_every_key_at_its_default() -> None:
    found = load(FILE, (), {})
    assert found.config == Config()
    assert "default" not in found.origins.values()


def test_the_shipped_configuration_loads_and_differs_from_the_defaults_only_in_its_folders() -> None:
    found = load(SHIPPED / "config.yaml", (), {"SLACK_WEBHOOK_URL": "x"})
    default = dict(flatten(Config()))
    differing = [path for path, value in flatten(found.config) if value != default[path]]
    assert differing == ["persistence.logs_dir", "persistence.reports_dir"]
    assert found.warnings == ()
    assert len(found.marketdata_screens) == 4


def test_the_override_of_the_contract_fits() -> None:
    override = {"edge_buffer_ticks": "0.5", "max_outstanding_pairs": 2, "t_hedge_ms": 800, "hedge_ioc_only": True}
    config = Config.model_validate({"symbols": {"per_symbol_overrides": {"005930": override}}})
    assert config.buffer_half_ticks_for("005930") == 1
    assert config.max_outstanding_pairs_for("005930") == 2
    assert config.t_hedge_ms_for("005930") == 800
    assert config.t_hedge_ns_for("005930") == 800_000_000
    assert config.hedge_ioc_only_for("005930")


def test_a_symbol_without_override_has_the_general_values() -> None:
    config = Config()
    assert config.buffer_half_ticks_for("005930") == config.buffer_half_ticks == 2
    assert config.max_outstanding_pairs_for("005930") == 1
    assert config.t_hedge_ms_for("005930") == 1000
    assert not config.hedge_ioc_only_for("005930")


def test_an_override_of_zero_ticks_is_zero_not_the_general_value() -> None:
    config = Config.model_validate({"symbols": {"per_symbol_overrides": {"005930": {"edge_buffer_ticks": "0"}}}})
    assert config.buffer_half_ticks_for("005930") == 0


def test_hedging_by_ioc_for_all_is_hedging_by_ioc_for_each() -> None:
    config = Config.model_validate({"router": {"hedge_leg": {"prefer": "ioc"}}})
    assert config.hedge_ioc_only_for("005930")


def test_the_visible_quantity_is_never_less_than_the_slice() -> None:
    assert Config().min_visible_qty == 1
    assert Config.model_validate({"execution": {"slice_qty": 3}}).min_visible_qty == 3
    rule = {"spread_engine": {"edge_rule": {"also_require_min_visible_qty": 7}}}
    assert Config.model_validate(rule).min_visible_qty == 7


@pytest.mark.parametrize(
    ("threshold", "cap", "pause_at", "resume_below"),
    [("0.80", 5, 4, 3), ("1", 5, 5, 4), ("0.2", 5, 1, 1), ("0.81", 5, 5, 4), ("0.80", 1, 1, 1), ("0.6", 5, 3, 2)],
)
def test_auto_pause_counts_whole_orders(threshold: str, cap: int, pause_at: int, resume_below: int) -> None:
    config = Config.model_validate(
        {
            "telemetry": {"orders_utilization_autopause": {"threshold": threshold}},
            "kiwoom": {"rate_limits": {"orders_per_sec": cap}},
        }
    )
    assert (config.pause_at, config.resume_below) == (pause_at, resume_below)


# money, exact


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.5", 150_000),
        ("1.45", 145_000),
        ("0.31833", 31_833),
        ("20", 2_000_000),
        ("0", 0),
        ("0.00001", 1),
        ("0.1", 10_000),
    ],
)
def test_a_rate_becomes_exact_parts_per_billion(text: str, expected: int) -> None:
    assert ppb(parse_rate(text)) == expected


@given(st.integers(0, 10_000_000))
@settings(max_examples=100)
def test_any_written_rate_becomes_exactly_its_parts_per_billion(rate_ppb: int) -> None:
    whole, rest = divmod(rate_ppb, PPB_PER_BPS)
    assert ppb(parse_rate(f"{whole}.{rest:05d}")) == rate_ppb
    assert ppb(parse_rate(f"{whole}.{rest:05d}000")) == rate_ppb


@pytest.mark.parametrize("value", [1.45, True, None, [], "1.450001", "1,45", "١"])
def test_a_float_or_an_inexact_rate_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"is not|more than 5"):
        parse_rate(value)


@given(st.integers(0, 40))
@settings(max_examples=41)
def test_half_ticks_are_exact(count: int) -> None:
    assert half_ticks(parse_half_ticks(f"{count // 2}.{5 * (count % 2)}")) == count


@given(st.text(max_size=12))
@settings(max_examples=100)
def test_any_text_is_a_time_or_a_told_fault(text: str) -> None:
    try:
        found = parse_time(text)
    except ValueError:
        return
    assert found.isoformat().startswith(text)


# taxes and costs

TAXES = [
    (date(2022, 6, 1), 2_000_000),
    (date(2023, 6, 1), 2_000_000),
    (date(2024, 6, 3), 1_800_000),
    (date(2025, 6, 2), 1_500_000),
    (date(2025, 12, 29), 1_500_000),  # settles on Wednesday 31 December
    (date(2025, 12, 30), 2_000_000),  # settles on Thursday 1 January by weekdays
    (date(2026, 11, 23), 2_000_000),
    (date(2030, 1, 2), 2_000_000),
]


@pytest.mark.parametrize("market", list(Market))
@pytest.mark.parametrize(("traded", "expected"), TAXES)
def test_the_tax_is_that_of_the_settlement_date(market: Market, traded: date, expected: int) -> None:
    assert Config().tax_ppb(market, traded) == expected


def test_taxes_switched_off_cost_nothing() -> None:
    config = Config.model_validate({"taxes": {"enabled": False}})
    assert config.cost_model(date(2026, 11, 23)).kospi_tax_ppb == 0


def test_the_cost_model_is_made_of_fees_and_the_days_tax() -> None:
    model = Config().cost_model(date(2026, 11, 23))
    assert model.fee_ppb == (150_000, 145_000 + 31_833)
    assert (model.kospi_tax_ppb, model.kosdaq_tax_ppb) == (2_000_000, 2_000_000)
    assert (model.commission_unit_won, model.tax_unit_won, model.rounding) == (10, 1, Rounding.ORDER)
    # One share at 77,000 won: 1.5 bp is 11.55 won.
    assert model.fee_nwon(Venue.KRX, 77_000) == 11_550_000_000


def test_the_markets_may_be_taxed_differently() -> None:
    rows = [
        {"from": "2026-01-01", "market": "KOSDAQ", "bps": "15"},
        {"from": "2027-01-01", "market": "KOSPI", "bps": "5"},
        {"from": "2026-01-01", "market": "KOSPI", "bps": "20"},
    ]
    config = Config.model_validate({"taxes": {"schedule": rows}})
    assert config.tax_ppb(Market.KOSDAQ, date(2027, 5, 3)) == 1_500_000
    assert config.tax_ppb(Market.KOSPI, date(2026, 5, 4)) == 2_000_000
    assert config.tax_ppb(Market.KOSPI, date(2027, 5, 3)) == 500_000


# windows


def seconds(clock: str) -> int:
    hour, minute, second = (int(part) for part in clock.split(":"))
    return (hour * 3_600 + minute * 60 + second) * SECOND


def test_the_guard_window_is_in_nanoseconds_of_the_day() -> None:
    config = Config()
    assert config.guard_window(date(2026, 11, 23)) == (seconds("09:00:32"), seconds("15:19:50"))
    assert config.nxt_main_window(date(2026, 11, 23)) == (seconds("09:00:30"), seconds("15:20:00"))


def test_a_special_day_moves_what_it_names_and_only_on_its_date() -> None:
    day = {"start": "10:00:32", "end": "16:19:50", "nxt_main": {"start": "10:00:30", "end": "16:20"}}
    config = Config.model_validate(
        {"sessions": {"special_days": {"2026-11-19": day, "2027-01-04": {"start": "10:01"}}}}
    )
    assert config.guard_window(date(2026, 11, 19)) == (seconds("10:00:32"), seconds("16:19:50"))
    assert config.nxt_main_window(date(2026, 11, 19)) == (seconds("10:00:30"), seconds("16:20:00"))
    assert config.guard_window(date(2027, 1, 4)) == (seconds("10:01:00"), seconds("15:19:50"))
    assert config.guard_window(date(2026, 11, 20)) == (seconds("09:00:32"), seconds("15:19:50"))


def test_a_configuration_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValidationError):
        Config().spread_engine.cooldown_ms = 5
