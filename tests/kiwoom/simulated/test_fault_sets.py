"""The named sets of faults and the variants that seeds draw of them."""

from dataclasses import fields

import pytest

from kiwoom.simulated.broker import settings_of
from kiwoom.simulated.fault_sets import ALL, FAULT_SETS, variant_of
from kiwoom.simulated.faults import BrokerKnobs, Faults, settings_from
from kiwoom.simulated.scenario import Scenario

RATES = {field.name for field in fields(Faults) if not field.name.endswith(("_ms", "_ms_max", "_seconds"))}
RATES.add("clock_jitter_ms")
UNSURVIVABLE = {"phantom_report"}
LIES = {"order_shelved", "reject_untrue", "cancel_untrue"}
"""A machine stays right against them, but they are too much for every day."""


@pytest.mark.parametrize("name", FAULT_SETS)
def test_every_set_is_one_of_faults_and_has_at_least_one_rate(name: str) -> None:
    faults = settings_from(Faults, FAULT_SETS[name], name)
    assert any(getattr(faults, rate) for rate in RATES)


def test_the_families_cover_every_fault_and_all_has_every_one_that_can_be_survived() -> None:
    families = {key for name, values in FAULT_SETS.items() if name != ALL for key in values}
    assert RATES - families == set()
    assert set(FAULT_SETS[ALL]) & RATES == RATES - UNSURVIVABLE - LIES


def test_a_seed_draws_the_same_variant_again_and_another_seed_another() -> None:
    assert variant_of(7, [ALL]) == variant_of(7, [ALL])
    drawn = [variant_of(seed, [ALL]) for seed in range(40)]
    assert all(drawn.count(variant) == 1 for variant in drawn)


def test_every_variant_is_accepted_and_no_mock_server_is_among_them() -> None:
    for seed in range(60):
        for names in ([], [ALL], ["numbers"], ["cancels", "splits", "queries"], ["overload"]):
            faults, knobs, latency = variant_of(seed, names)
            settings = settings_of(Scenario(), latency, faults, knobs)
            assert settings.knobs == settings_from(BrokerKnobs, knobs, "broker")
            assert not settings.knobs.mock_server and not settings.knobs.accept_sor
            assert (not names) == (settings.faults == Faults())


def test_seeds_leave_faults_out_and_make_others_commoner_and_rarer() -> None:
    reported = [variant_of(seed, ["reports"])[0]["report_delayed"] for seed in range(200)]
    usual = FAULT_SETS["reports"]["report_delayed"]
    assert 30 < reported.count(0) < 90
    assert min(rate for rate in reported if rate) < usual // 2
    assert usual * 3 // 2 < max(reported) <= usual * 2


def test_every_family_but_the_phantoms_is_strong_on_some_days_of_all_and_mild_or_absent_on_most() -> None:
    variants = [variant_of(seed, [ALL])[0] for seed in range(300)]
    for name, values in FAULT_SETS.items():
        rates = {key for key in values if key in RATES and FAULT_SETS[ALL].get(key, 0) * 2 < values[key] * 3 // 10}
        strong = sum(all(faults.get(key, 0) >= values[key] * 3 // 10 for key in rates) for faults in variants)
        if name not in (ALL, "phantom") and rates:
            assert 10 <= strong <= 150, name
        assert not any(faults.get("phantom_report") for faults in variants)


def test_every_variant_of_kiwoom_is_drawn_by_some_seed() -> None:
    drawn = [variant_of(seed, [])[1] for seed in range(60)]
    assert {knobs["ioc_end"] for knobs in drawn} == {"clear", "confirm", "nothing"}
    for key in ("message_before_tr", "report_has_venue", "report_has_costs", "balance_on_release", "overload_counts"):
        assert {knobs[key] for knobs in drawn} == {True, False}


def test_an_unknown_set_is_an_error() -> None:
    with pytest.raises(KeyError):
        variant_of(1, ["nubmers"])


def test_an_only_rate_is_never_left_out() -> None:
    for seed in range(30):
        assert variant_of(seed, ["foreign"])[0]["foreign_order"] > 0
