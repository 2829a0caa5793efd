"""Risk: each check refuses by itself, at its bound, for its own reason, and the table's order decides."""

from dataclasses import replace
from typing import Any

import pytest

from actors.domain.risk import (
    CHECKS,
    GATE_CHECKS,
    REJECTS_WINDOW_NS,
    Gate,
    RejectWatch,
    RiskLimits,
    Situation,
    gate_refusal,
    refusal,
)
from kiwoom.market import SECOND, Nanos, Shares, Side, Venue, Won

LIMITS = RiskLimits()
OPEN = Gate(armed=True, in_window=True, actors_down=False, paused=False, block=None)
GOOD = Situation(
    account_known=True,
    tradable=True,
    conflicted=False,
    qty=Shares(2),
    leg_won=Won(1_000_000),
    pair_won=Won(2_000_000),
    pairs_max=1,
    pairs_on_symbol=0,
    other_symbols=1,
    shares_on_symbol=Shares(8),
    symbol_won=Won(18_000_000),
    session_won=Won(998_000_000),
    net_won=Won(-1),
    orders=100,
    entry_side=Side.SELL,
    free_shares=Shares(2),
    cash_needed=Won(1_300_000),
    free_cash=Won(1_300_000),
    new_orders=((Venue.NXT, Side.SELL), (Venue.KRX, Side.BUY)),
    own_orders=((Venue.NXT, Side.SELL), (Venue.KRX, Side.BUY)),
    slot_free=True,
    observe=False,
)

GATE_CASES: list[tuple[str, dict[str, Any]]] = [
    ("SESSION_OFF", {"armed": False}),
    ("SESSION_OFF", {"in_window": False}),
    ("ACTOR_DOWN", {"actors_down": True}),
    ("AUTO_PAUSE", {"paused": True}),
    ("MUTED", {"block": "MUTED"}),
]

CASES: list[tuple[str, dict[str, Any], RiskLimits]] = [
    ("RISK_NO_ACCOUNT", {"account_known": False}, LIMITS),
    ("RISK_NOT_TRADABLE", {"tradable": False}, LIMITS),
    ("RISK_CONFLICTED", {"conflicted": True}, LIMITS),
    ("RISK_PAIRS", {"pairs_on_symbol": 1}, LIMITS),
    ("RISK_PAIRS", {"pairs_on_symbol": 3, "pairs_max": 3}, LIMITS),
    ("RISK_SYMBOLS", {"other_symbols": 2}, LIMITS),
    ("RISK_NOTIONAL_LEG", {"leg_won": 5_000_001}, LIMITS),
    ("RISK_NOTIONAL_SYMBOL", {"symbol_won": 18_000_001}, LIMITS),
    ("RISK_NOTIONAL_SESSION", {"session_won": 998_000_001}, LIMITS),
    ("RISK_SHARES", {"shares_on_symbol": 9}, LIMITS),
    ("RISK_DAILY_LOSS", {"net_won": -50_000}, replace(LIMITS, daily_loss_max_won=50_000)),
    ("RISK_DAILY_ORDERS", {}, replace(LIMITS, daily_orders_max=100)),
    ("NO_COVER", {"free_shares": 1}, LIMITS),
    ("NO_CASH", {"free_cash": 1_299_999}, LIMITS),
    ("SELF_TRADE", {"own_orders": ((Venue.NXT, Side.BUY),)}, LIMITS),
    ("SELF_TRADE", {"own_orders": ((Venue.KRX, Side.SELL),)}, LIMITS),
    ("RISK_NO_SLOT", {"slot_free": False}, LIMITS),
    ("RISK_OBSERVE_ONLY", {"observe": True}, LIMITS),
]


def test_a_situation_exactly_at_every_bound_is_admitted() -> None:
    assert gate_refusal(OPEN) is None
    assert refusal(GOOD, LIMITS) is None
    assert refusal(GOOD, replace(LIMITS, daily_loss_max_won=2, daily_orders_max=101)) is None


@pytest.mark.parametrize(("reason", "change"), GATE_CASES)
def test_each_gate_check_refuses_alone(reason: str, change: dict[str, Any]) -> None:
    assert gate_refusal(replace(OPEN, **change)) == reason


@pytest.mark.parametrize(("reason", "change", "limits"), CASES)
def test_each_check_refuses_alone(reason: str, change: dict[str, Any], limits: RiskLimits) -> None:
    at = replace(GOOD, **change)
    assert [name for check, name in CHECKS if not check(at, limits)] == [reason]
    assert refusal(at, limits) == reason


def test_every_check_has_its_case() -> None:
    assert {name for _, name in CHECKS} == {reason for reason, _, _ in CASES}
    assert {name for _, name in GATE_CHECKS} < {reason for reason, _ in GATE_CASES}


def test_of_two_failing_checks_the_earlier_names_the_reason() -> None:
    assert refusal(replace(GOOD, free_shares=Shares(0), observe=True), LIMITS) == "NO_COVER"
    assert gate_refusal(replace(OPEN, armed=False, block="MUTED")) == "SESSION_OFF"


def test_a_pair_that_buys_first_needs_no_shares() -> None:
    assert refusal(replace(GOOD, entry_side=Side.BUY, free_shares=Shares(0)), LIMITS) is None


def test_two_pairs_in_the_same_direction_are_no_self_trade() -> None:
    assert refusal(replace(GOOD, own_orders=GOOD.new_orders), LIMITS) is None


def test_three_rejects_within_a_minute_are_a_spike() -> None:
    watch = RejectWatch()
    for second in (0, 30, 59):
        assert not watch.is_spike(Nanos(second * SECOND))
        watch.pair_ended(1, Nanos(second * SECOND))
    assert watch.is_spike(Nanos(59 * SECOND))
    assert not watch.is_spike(Nanos(REJECTS_WINDOW_NS))


def test_three_rejects_in_a_row_or_five_in_a_minute_want_a_freeze() -> None:
    in_a_row, scattered = RejectWatch(), RejectWatch()
    for second in range(3):
        in_a_row.pair_ended(1, Nanos(second * 100 * SECOND))
    assert in_a_row.wants_freeze(Nanos(300 * SECOND))
    for second in range(5):
        assert not scattered.wants_freeze(Nanos(second * SECOND))
        scattered.pair_ended(1, Nanos(second * SECOND))
        scattered.pair_ended(0, Nanos(second * SECOND))
    assert scattered.wants_freeze(Nanos(5 * SECOND))
