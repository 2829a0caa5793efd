"""Days that broke a promise once keep it now."""

import pytest

from config.reader import load
from kiwoom.simulated.scenario import load_scenario
from supervision.simulation.command import SCENARIOS
from supervision.simulation.day import DayPlan, run_day
from supervision.simulation.faults_by_name import faults_named
from tests.supervision.simulation.regressions import REGRESSIONS, Regression


@pytest.mark.parametrize("regression", REGRESSIONS, ids=lambda each: f"{each.faults}-{each.seed}")
def test_the_day_holds(regression: Regression) -> None:
    faults = faults_named(regression.faults)
    plan = DayPlan(
        seed=regression.seed,
        loaded=load(None, (), {}),
        scenario=load_scenario("storm", SCENARIOS),
        broker_faults=faults.broker,
        machine_faults=faults.machine,
    )
    assert not run_day(plan).breaches, regression.taught
