"""Scenario files: the shipped ones, and every way in which one can be wrong."""

from pathlib import Path

import pytest

from kiwoom.simulated.scenario import (
    FlowKnobs,
    Scenario,
    ScenarioError,
    SessionKnobs,
    load_scenario,
    parse_scenario,
    scenario_names,
)

SHIPPED = Path(__file__).parents[3] / "config" / "scenarios"


@pytest.mark.parametrize("name", ["busy", "calm", "dislocations", "quiet-nxt"])
def test_every_shipped_scenario_reads_and_says_what_it_is(name: str) -> None:
    scenario = load_scenario(name, SHIPPED)
    assert scenario.name == name
    assert len(scenario.description) > 40


def test_the_shipped_scenarios_are_listed_by_name() -> None:
    assert {"busy", "calm", "dislocations", "quiet-nxt"} <= set(scenario_names(SHIPPED))


def test_a_scenario_may_also_be_given_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nflow:\n  quotes_per_second: 7\n", encoding="utf-8")
    assert load_scenario(str(path), SHIPPED) == Scenario(name="mine", flow=FlowKnobs(quotes_per_second=7))


def test_an_unknown_scenario_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ScenarioError, match=r"carm: there is no such scenario; shipped are: .*calm"):
        load_scenario("carm", SHIPPED)


def test_what_is_left_out_has_its_default() -> None:
    assert parse_scenario("", "empty.yaml") == Scenario()
    assert parse_scenario("flow:\nsession:\nfaults:\n", "empty.yaml") == Scenario()


def test_every_kind_of_value_is_read() -> None:
    scenario = parse_scenario(
        "name: all\n"
        "flow: {brief_ms: [5, 9], aftershocks: 0}\n"
        "session: {resend_session_signal: false, withhold: [R, 3]}\n"
        "latency: {ack_ms: 30}\n"
        "faults: {halt_ms: 500}\n"
        "broker: {ioc_end: confirm, mock_server: true}\n",
        "all.yaml",
    )
    assert scenario == Scenario(
        name="all",
        flow=FlowKnobs(brief_ms=(5, 9), aftershocks=0),
        session=SessionKnobs(resend_session_signal=False, withhold=("R", "3")),
        latency={"ack_ms": 30},
        faults={"halt_ms": 500},
        broker={"ioc_end": "confirm", "mock_server": True},
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("flw: {}", "s.yaml:1: flw: unknown key; the nearest known one is flow"),
        (
            "name: x\nflow:\n  quotes_per_sec: 5",
            "s.yaml:3: flow.quotes_per_sec: unknown key; the nearest known one is quotes_per_second",
        ),
        (
            "flow: {quotes_per_second: 0}",
            "s.yaml:1: flow.quotes_per_second: must be a whole number from 1 to 20000, is 0",
        ),
        (
            "flow: {quotes_per_second: true}",
            "s.yaml:1: flow.quotes_per_second: must be a whole number from 1 to 20000, is True",
        ),
        (
            "flow: {quotes_per_second: 1.5}",
            "s.yaml:1: flow.quotes_per_second: must be a whole number from 1 to 20000, is 1.5",
        ),
        (
            "flow: {gap_bps: [90, 40]}",
            "s.yaml:1: flow.gap_bps: must be [low, high], whole numbers from 1 to 1000, is [90, 40]",
        ),
        ("flow: {gap_bps: 40}", "s.yaml:1: flow.gap_bps: must be [low, high], whole numbers from 1 to 1000, is 40"),
        (
            "session: {resend_session_signal: 1}",
            "s.yaml:1: session.resend_session_signal: must be true or false, is 1",
        ),
        ("faults: {halt_ms: [1]}", "s.yaml:1: faults.halt_ms: must be a whole number, a text or true/false, is [1]"),
        ("name: 5", "s.yaml:1: name: must be text, is 5"),
        ("flow: 5", "s.yaml:1: flow: must be a mapping of keys to values"),
        ("[1]", "s.yaml:1: the file: must be a mapping of keys to values"),
        ("name: a\nname: b", "s.yaml:2: name: stands twice, first in line 1"),
        (
            "flow: {brief_permille: 600, long_permille: 401}",
            "s.yaml: flow: brief_permille + long_permille come to 1001; at most 1000 is allowed",
        ),
    ],
)
def test_a_fault_names_its_line_its_key_and_what_is_allowed(text: str, fault: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text, "s.yaml")
    assert caught.value.faults == (fault,)


def test_an_unknown_session_code_is_a_fault() -> None:
    with pytest.raises(ScenarioError, match=r"session.withhold: must be a list of session codes out of .*R, S"):
        parse_scenario("session: {withhold: [X]}", "s.yaml")


def test_every_fault_is_told_at_once_and_broken_yaml_is_one() -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario("flow: {aftershocks: -1, nothing: 1}\nsessions: {}", "s.yaml")
    assert len(caught.value.faults) == 3
    with pytest.raises(ScenarioError, match=r"^s\.yaml"):
        parse_scenario("flow: {", "s.yaml")
