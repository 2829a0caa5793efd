"""The panel as a whole: a truthful day passes all promises; each promise is known by name and says what it is."""

from copy import deepcopy
from time import perf_counter_ns

import pytest

from actors.messages.journal import EventType
from supervision.simulation.checkers import CheckerSettings, Panel, all_checkers
from supervision.simulation.evidence import Checker, JournalTorn, MachineKilled, MachineStarted
from tests.support.witnessed_day import Day

RULES = [
    "LEDGER", "WINDOW", "RESERVE", "ONCE", "ATTEMPT-FIRST", "ONE END", "TRUE ENDS", "PAIR ENDS", "OWNED",
    "UNHEDGED TIME", "NO DOUBLE HEDGE", "COVERED", "NO SELF-TRADE", "WINDOW OF THE DAY", "MONEY", "REPLAY",
    "FLAT IN TIME", "BOUNDED", "RIGHT VENUE", "PRIORITY", "FOREIGN", "EDGE", "LEGAL", "ROOM", "PROMPT",
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


def test_rows_that_a_torn_commit_took_along_are_unlearned() -> None:
    """The last commits are lost one after the other; the successor writes them again and the day adds up."""
    day = Day().open_pair().sends("p-1-B1", "BUY", "KRX")
    told = len(day.view.committed)
    day.fills("p-1-B1").done("p-1").abandon("p-1")
    lost = tuple(day.view.committed[told:])
    del day.view.committed[told:]
    day.machine(MachineKilled()).machine(JournalTorn(lost)).machine(MachineStarted())
    assert [row.event_type for row in lost] == [EventType.TRADE_FILL, EventType.PAIRED_DONE]
    assert {"REPLAY", "TRUE ENDS", "ONE END", "PAIR ENDS"} <= set(deepcopy(day).ends())
    for row in lost:
        day.writes(row)
    assert day.ends() == [], day.panel.breaches()


def test_an_attempt_that_a_torn_commit_took_along_may_be_made_again() -> None:
    day = Day().good_pair().tries("p-2-A1", "SELL", "NXT", price=70_500)
    lost = (day.view.committed.pop(),)
    day.machine(MachineKilled()).machine(JournalTorn(lost)).machine(MachineStarted())
    assert deepcopy(day).ends() == []
    assert day.tries("p-2-A1", "SELL", "NXT", price=70_400).called("p-2-A1").broken() == []


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
    """The simulation aims at 5 ms a pair; all checks of one together, its steps included, take a small part of it."""
    begun = perf_counter_ns()
    day = Day()
    for number in range(pairs):
        day.good_pair(f"p-{number}", 1_200 * number)
    assert day.ends() == []
    assert (perf_counter_ns() - begun) / pairs < 2_000_000
