"""Settings of the simulated broker: defaults, bounds and errors that help."""

from random import Random

import pytest

from kiwoom.simulated.faults import BrokerKnobs, FaultDice, Faults, Latency, SettingsError, settings_from


def test_no_fault_happens_by_default() -> None:
    assert all(value == 0 for name, value in vars_of(Faults()) if not name.endswith(("_ms", "_seconds")))


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
    dice = FaultDice(Faults(), random)
    before = random.getstate()
    assert not any(dice.strikes("order_lost", "q", 0) for _ in range(100))
    assert random.getstate() == before
    assert all(dice.strikes(10_000) for _ in range(100))
    assert 400 < sum(dice.strikes(500) for _ in range(10_000)) < 600


def vars_of(faults: Faults) -> list[tuple[str, int]]:
    return [(name, getattr(faults, name)) for name in Faults.__dataclass_fields__]
