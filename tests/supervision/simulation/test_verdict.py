"""What is said of a campaign: sums, the failing line, coverage, the exit code."""

import shlex
from collections import Counter

import pytest

from actors.domain.pair import PAIR_TRANSITIONS
from supervision.session import Exit
from supervision.simulation.campaign import Day, Finished, Lost
from supervision.simulation.coverage import TERMINAL_PATHS, Coverage
from supervision.simulation.verdict import Effort, Recipe, Totals, Verdict, digest_line
from tests.support.simulated_days import FakeBreach, FakeFacts, covering_all

STORM = Recipe(scenarios=("storm",), faults="all")


def totals_of(*reports: Finished | Lost) -> Totals:
    totals = Totals()
    for report in reports:
        totals.add(report)
    return totals


def good(seed: int, **facts: object) -> Finished:
    return Finished(Day("storm", seed), FakeFacts(**facts), 1_000_000)  # type: ignore[arg-type]


def bad(seed: int) -> Finished:
    return good(seed, breaches=(FakeBreach("flat in time", 7, "pair P1\nis open"), FakeBreach("one end", 8, "two")))


def verdict_of(
    totals: Totals, recipe: Recipe = STORM, *, planned: int | None = None, interrupted: bool = False
) -> Verdict:
    effort = Effort(planned=planned or totals.days, jobs=2, wall_ns=4_000_000_000, interrupted=interrupted)
    return Verdict(recipe, totals, effort)


def many_days(count: int, coverage: Coverage) -> Totals:
    totals = totals_of(good(1))
    totals.days = count
    totals.coverage = coverage
    return totals


def test_sums_are_over_all_days_and_a_lost_day_fails() -> None:
    totals = totals_of(good(1), bad(2), Lost(Day("storm", 3), "it died"), good(4, outcomes=Counter(attempted=7)))
    assert (totals.days, len(totals.failures)) == (4, 2)
    assert totals.outcomes == {"attempted": 47, "done": 30, "missed": 10}
    assert totals.strikes == {"late_number": 6}
    assert totals.rules == {"flat in time": 1, "one end": 1, "the day ends": 1}
    assert totals.virtual_ns == 3 * 41_000_000_000
    assert totals.thinnest == (7, Day("storm", 4))


def test_a_failing_line_is_one_line_with_rule_words_and_the_command_that_repeats_it() -> None:
    verdict = verdict_of(totals_of(bad(17)))
    assert verdict.failing_line(verdict.totals.failures[0]) == (
        "seed 17: flat in time: pair P1 is open (and 1 more): arb simulate --seeds 17..17 --faults all --scenario storm"
    )


def test_the_command_carries_everything_that_decides_a_day() -> None:
    recipe = Recipe(
        scenarios=("calm", "my day.yaml"),
        faults="actors",
        config="my config.yaml",
        sets=("execution.t_hedge_ms=600", "paper.faults={order_lost: 5}"),
        storm="40s",
    )
    assert shlex.split(recipe.repeat(Day("my day.yaml", 5))) == [
        "arb", "simulate", "--seeds", "5..5", "--faults", "actors", "--scenario", "my day.yaml", "--storm", "40s",
        "--config", "my config.yaml", "--set", "execution.t_hedge_ms=600", "--set", "paper.faults={order_lost: 5}",
    ]  # fmt: skip


def test_a_campaign_that_kept_every_promise_exits_0_and_one_broken_exits_1() -> None:
    assert verdict_of(totals_of(good(1))).code is Exit.FLAT
    assert verdict_of(totals_of(good(1), bad(2))).code is Exit.BROKEN == 1
    assert verdict_of(totals_of(Lost(Day("storm", 1), "it died"))).code is Exit.BROKEN


def test_an_interrupted_campaign_exits_130_and_says_how_far_it_came() -> None:
    verdict = verdict_of(totals_of(good(1)), planned=9, interrupted=True)
    assert verdict.code is Exit.INTERRUPTED == 130
    assert verdict.closing_lines() == ["interrupted after 1 of 9 days"]


@pytest.mark.parametrize(("days", "faults"), [(1_999, "all"), (5_000, "actors"), (5_000, "none")])
def test_coverage_is_only_told_where_too_little_was_tried(days: int, faults: str) -> None:
    verdict = verdict_of(many_days(days, Coverage()), Recipe(scenarios=("storm",), faults=faults))
    assert (verdict.uncovered, verdict.code) == ([], Exit.FLAT)
    assert "never" in "\n".join(verdict.coverage_lines())


@pytest.mark.parametrize(("days", "times"), [(2_000, 10), (3_000, 15), (10_000, 50)])
def test_with_enough_days_each_row_and_each_way_to_an_end_is_due_10_times_in_2000(days: int, times: int) -> None:
    assert verdict_of(many_days(days, covering_all(times))).code is Exit.FLAT
    short = verdict_of(many_days(days, covering_all(times - 1)))
    assert short.code is Exit.BROKEN
    assert len(short.uncovered) == len(PAIR_TRANSITIONS) + len(TERMINAL_PATHS)


@pytest.mark.parametrize("row", PAIR_TRANSITIONS, ids=lambda row: f"{row[0].name}+{row[1].name}")
def test_a_row_that_is_short_is_named(row: tuple) -> None:  # type: ignore[type-arg]
    coverage = covering_all(10)
    coverage.rows[row] = 9
    verdict = verdict_of(many_days(2_000, coverage))
    assert verdict.uncovered == [f"{row[0].name} + {row[1].name}: 9"]
    assert f"  {row[0].name} + {row[1].name}: 9" in verdict.closing_lines()
    assert "SHORT" in "\n".join(verdict.coverage_lines())


@pytest.mark.parametrize("path", TERMINAL_PATHS)
def test_a_way_to_an_end_that_is_short_is_named(path: str) -> None:
    coverage = covering_all(10)
    coverage.paths[path.replace("*", " take")] = 9
    assert verdict_of(many_days(2_000, coverage)).uncovered == [f"{path}: 9"]


def test_the_coverage_table_has_every_row_and_every_path_that_was_gone() -> None:
    coverage = Coverage()
    coverage.paths["PAIRED_DONE take_post_cancel_post"] = 3
    shown = verdict_of(many_days(5, coverage)).coverage_lines()
    for (state, trigger), entered in PAIR_TRANSITIONS.items():
        assert [state.name, trigger.name, entered.name, "0", "never"] in [line.split() for line in shown]
    assert ["PAIRED_DONE", "take_post_cancel_post", "3"] in [line.split() for line in shown]


def test_speed_is_attempted_pairs_for_each_second_of_each_job() -> None:
    verdict = verdict_of(totals_of(*(good(seed) for seed in range(10))))
    assert verdict.pairs_per_second_per_core == 200 / (4 * 2)
    assert "25.0 simulated pairs per second per core" in "\n".join(verdict.summary_lines())


def test_what_was_left_open_is_listed_with_its_reason_and_a_thin_day_is_named() -> None:
    verdict = verdict_of(totals_of(good(3, residuals=("005930 1 share, NXT closed",), outcomes=Counter(attempted=4))))
    assert verdict.residual_lines() == ["left open, seed 3: 005930 1 share, NXT closed"]
    assert "fewest 4, seed 3: thin" in "\n".join(verdict.summary_lines())


def test_the_json_has_all_figures() -> None:
    content = verdict_of(totals_of(good(1), bad(2), Lost(Day("storm", 3), "it died", "trace"))).as_json()
    assert content["days"] == {"planned": 3, "run": 3, "failing": 2}
    assert content["pairs"]["attempted"] == 40 and content["pairs"]["unhedged"] == 0
    assert [each["seed"] for each in content["failing"]] == [2, 3]
    assert content["failing"][0]["breaches"][1] == {"rule": "one end", "at_ns": 8, "what": "two"}
    assert content["failing"][1]["repeat"].startswith("arb simulate --seeds 3..3 ")
    assert len(content["coverage"]["rows"]) == len(PAIR_TRANSITIONS)
    assert content["exit_code"] == 1


def test_a_digest_line_names_the_scenario_only_among_several() -> None:
    report = good(7, digest="abc")
    assert digest_line(report, ("storm",)) == "7 abc"
    assert digest_line(report, ("storm", "calm")) == "7 storm abc"
    assert digest_line(Lost(Day("storm", 8), "it died"), ("storm",)) == "8 -"
