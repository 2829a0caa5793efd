"""The panel as a whole: a truthful day passes all promises; each promise is known by name and says what it is."""

from time import perf_counter_ns

import pytest

from supervision.simulation.checkers import CheckerSettings, Panel, all_checkers
from supervision.simulation.evidence import Checker
from tests.support.witnessed_day import Day

RULES = [
    "LEDGER", "WINDOW", "RESERVE", "ONCE", "ATTEMPT-FIRST", "ONE END", "TRUE ENDS", "PAIR ENDS", "OWNED",
    "UNHEDGED TIME", "NO DOUBLE HEDGE", "COVERED", "NO SELF-TRADE", "WINDOW OF THE DAY", "MONEY", "REPLAY",
    "FLAT IN TIME", "BOUNDED", "RIGHT VENUE", "PRIORITY", "FOREIGN",
]  # fmt: skip


def test_every_promise_has_a_name_of_its_own_and_a_sentence() -> None:
    checkers = all_checkers(CheckerSettings())
    assert [checker.rule for checker in checkers] == RULES
    for checker in checkers:
        first = (type(checker).__doc__ or "").splitlines()[0]
        assert first.endswith((".", ";", ",")) or ":" in first, checker.rule


def test_a_truthful_day_breaks_nothing() -> None:
    day = Day()
    for number in range(20):
        day.good_pair(f"p-{number}", 1_200 * number)
    assert day.ends() == [], day.panel.breaches()


def test_a_day_without_anything_breaks_nothing() -> None:
    assert Day().ends() == []


def test_a_breach_names_its_rule_its_time_and_the_order() -> None:
    day = Day().good_pair()
    day.called("p-1-B1")
    (breach, *_) = [each for each in day.panel.breaches() if each.rule == "ONCE"]
    assert breach.at == day.mono
    assert "p-1-B1" in breach.what
    assert day.panel.broken


def test_a_checker_is_called_only_with_what_it_wants() -> None:
    class Deaf(Checker):
        """Overrides nothing."""

        rule = "DEAF"

    assert Panel([Deaf()])._rows[next(iter(Panel([Deaf()])._rows))] == ()


@pytest.mark.parametrize("pairs", [200])
def test_checking_costs_a_small_part_of_a_pair(pairs: int) -> None:
    """The simulation aims at 5 ms a pair; all checks of one together, its steps included, take well under one."""
    begun = perf_counter_ns()
    day = Day()
    for number in range(pairs):
        day.good_pair(f"p-{number}", 1_200 * number)
    assert day.ends() == []
    assert (perf_counter_ns() - begun) / pairs < 5_000_000
