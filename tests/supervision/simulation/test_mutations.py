"""Each planted bug is found by the promise that it breaks, on a seed on which the code as it is keeps that promise."""

from functools import cache

import pytest

from config.reader import LoadedConfig, load
from kiwoom.simulated.scenario import Scenario, load_scenario
from supervision.simulation.command import SCENARIOS
from supervision.simulation.day import DayPlan, run_day
from tests.supervision.simulation.mutations import MUTATIONS, Mutation, faults_of
from tests.supervision.simulation.planting import Edit, function_at, planted

SEEDS_MAX = 200


@cache
def _loaded(sets: tuple[str, ...]) -> LoadedConfig:
    return load(None, sets, {})


@cache
def _storm() -> Scenario:
    return load_scenario("storm", SCENARIOS)


def _broken_rules(seed: int, faults: str, sets: tuple[str, ...]) -> frozenset[str]:
    named = faults_of(faults)
    plan = DayPlan(
        seed=seed, loaded=_loaded(sets), scenario=_storm(), broker_faults=named.broker, machine_faults=named.machine
    )
    return frozenset(breach.rule for breach in run_day(plan).breaches)


@cache
def _broken_without(seed: int, faults: str, sets: tuple[str, ...]) -> frozenset[str]:
    return _broken_rules(seed, faults, sets)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_planted_bug_is_found_within_200_seeds(mutation: Mutation) -> None:
    for seed in dict.fromkeys((mutation.seed, *range(1, SEEDS_MAX + 1))):
        with planted(mutation.edits):
            broken = _broken_rules(seed, mutation.faults, mutation.sets)
        if mutation.rule in broken and mutation.rule not in _broken_without(seed, mutation.faults, mutation.sets):
            return
    raise AssertionError(f"{mutation.bug} Nobody noticed in {SEEDS_MAX} days.")


def test_there_are_many_and_each_is_another() -> None:
    assert len(MUTATIONS) >= 24
    assert (
        len({mutation.name for mutation in MUTATIONS})
        == len({mutation.bug for mutation in MUTATIONS})
        == len(MUTATIONS)
    )


def test_nothing_is_left_of_a_planted_bug() -> None:
    where = "actors.domain.window:SlidingWindow.add"
    healthy = function_at(where).__code__
    with planted((Edit(where, "insort(self._sent, at)", "pass"),)):
        assert function_at(where).__code__ is not healthy
    assert function_at(where).__code__ is healthy


def test_a_bug_whose_words_are_gone_cannot_be_planted() -> None:
    with (
        pytest.raises(AssertionError, match="has 0 times"),
        planted((Edit("actors.domain.window:SlidingWindow.add", "x + y", ""),)),
    ):
        pass
