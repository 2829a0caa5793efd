"""Settings of the simulated broker: defaults, bounds and errors that help."""

from random import Random

import pytest

from kiwoom.simulated.faults import (
    ANYTHING,
    RATE_BASE,
    STRIKES_KEPT_MAX,
    BrokerKnobs,
    FaultDice,
    Faults,
    Latency,
    SettingsError,
    Strike,
    settings_from,
)


def test_no_fault_happens_by_default() -> None:
    assert all(value == 0 for name, value in vars_of(Faults()) if not name.endswith(("_ms", "_ms_max", "_seconds")))
    assert Faults().clock_jitter_ms == 0


def test_given_values_stand_over_the_defaults() -> None:
    assert settings_from(Latency, {"ack_ms": 300}, "latency") == Latency(ack_ms=300)
    assert settings_from(BrokerKnobs, {"ioc_end": "nothing"}, "broker").ioc_end == "nothing"


@pytest.mark.parametrize(
    ("kind", "values", "text"),
    [
        (Latency, {"ack": 1}, "latency.ack: unknown key; did you mean ack_ms?"),
        (Latency, {"ack_ms": "1"}, "latency.ack_ms: '1' is not int"),
        (Latency, {"ack_ms": True}, "latency.ack_ms: True is not int"),
        (Latency, {"ack_ms": -1}, "latency.ack_ms: must be 0..600000"),
        (Faults, {"report_lost": 10_001}, "latency.report_lost: must be 0..10000"),
        (Faults, {"line_cuts_per_hour": 3_601}, "latency.line_cuts_per_hour: must be 0..3600"),
        (
            Faults,
            {"query_late_ms": 9, "query_late_ms_max": 8},
            "latency.query_late_ms_max: must be 0 or at least 9",
        ),
        (Faults, {"reprot_lost": 1}, "latency.reprot_lost: unknown key; did you mean report_lost?"),
        (BrokerKnobs, {"ioc_end": "later"}, "latency.ioc_end: must be clear, confirm or nothing"),
        (BrokerKnobs, {"mock_server": 1}, "latency.mock_server: 1 is not bool"),
    ],
)
def test_what_is_wrong_is_said(kind: type, values: dict[str, object], text: str) -> None:
    with pytest.raises(SettingsError) as raised:
        settings_from(kind, values, "latency")
    assert str(raised.value) == text


def test_a_rate_strikes_as_often_as_it_says_and_draws_nothing_at_zero() -> None:
    random = Random(7)
    dice = FaultDice(Faults(order_lost=RATE_BASE, reject_tr=500), random)
    before = random.getstate()
    assert not any(dice.strikes("report_lost", "q", 0) for _ in range(100))
    assert not any(dice.delay("query_late", "q", 0) for _ in range(100))
    assert dice.clock_error() == 0
    assert random.getstate() == before
    assert all(dice.strikes("order_lost", "q", 0) for _ in range(100))
    assert 400 < sum(dice.strikes("reject_tr", "q", 0) for _ in range(10_000)) < 600


def test_every_strike_is_noted_with_its_time_and_subject_until_it_is_taken() -> None:
    dice = FaultDice(Faults(order_lost=RATE_BASE, query_late=RATE_BASE, query_late_ms=5), Random(1))
    assert dice.strikes("order_lost", "q1", 10)
    assert dice.delay("query_late", "q2", 20) == 5_000_000
    assert dice.take() == [Strike(10, "order_lost", "q1"), Strike(20, "query_late", "q2", 5_000_000)]
    assert dice.take() == []
    for wall in range(STRIKES_KEPT_MAX + 5):
        dice.strikes("order_lost", "q", wall)
    strikes = dice.take()
    assert (len(strikes), strikes[0].wall) == (STRIKES_KEPT_MAX, 5)
    assert dice.counts == {"order_lost": STRIKES_KEPT_MAX + 6, "query_late": 1}


def test_calm_dice_never_strike_and_draw_nothing() -> None:
    random = Random(1)
    dice = FaultDice(Faults(order_lost=RATE_BASE, query_late=RATE_BASE, clock_jitter_ms=50), random)
    dice.calm()
    before = random.getstate()
    assert not dice.strikes("order_lost", "q", 0) and not dice.happens("order_lost", "q")
    assert dice.delay("query_late", "q", 0) == dice.clock_error() == 0
    assert random.getstate() == before and dice.take() == []


@pytest.mark.parametrize(
    ("shortest", "longest", "low", "high"), [(5, 0, 5, 5), (5, 5, 5, 5), (0, 0, 0, 0), (0, 9, 0, 9), (3, 9, 3, 9)]
)
def test_a_time_is_drawn_between_its_two_ends_and_is_never_nothing(
    shortest: int, longest: int, low: int, high: int
) -> None:
    dice = FaultDice(Faults(query_late_ms=shortest, query_late_ms_max=longest), Random(3))
    drawn = {dice.size("query_late") for _ in range(200)}
    assert max(1, low * 1_000_000) <= min(drawn) and max(drawn) <= max(1, high * 1_000_000)
    assert (len(drawn) == 1) == (low == high)


def vars_of(faults: Faults) -> list[tuple[str, int]]:
    return [(name, getattr(faults, name)) for name in Faults.__dataclass_fields__]


def test_an_aimed_fault_strikes_its_subject_so_often_and_nothing_else() -> None:
    dice = FaultDice(Faults(), Random(1))
    dice.aim("order_lost", "mine", 2)
    struck = [(name, dice.strikes("order_lost", name, 0)) for name in ("other", "mine", "mine", "mine")]
    assert struck == [("other", False), ("mine", True), ("mine", True), ("mine", False)]
    dice.aim("report_lost", ANYTHING, 1)
    assert dice.strikes("report_lost", "whatever", 0) and not dice.strikes("report_lost", "whatever", 0)


def test_a_calm_broker_strikes_no_aim() -> None:
    dice = FaultDice(Faults(), Random(1))
    dice.aim("order_lost", "mine", 1)
    dice.calm()
    assert not dice.strikes("order_lost", "mine", 0)
