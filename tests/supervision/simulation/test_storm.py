"""The storm: what strikes where orders are sent, and one actor hunted beyond every limit."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from actors.effects import Effects, Role, Send
from actors.messages.journal import EventType, Row
from actors.messages.orders import CancelOrder
from actors.messages.supervision import Ping
from config.reader import load
from kiwoom.market import Nanos, Symbol
from supervision.simulation.command import _scenario_of
from supervision.simulation.day import DayPlan, run_day
from supervision.simulation.evidence import Checker
from supervision.simulation.machine_faults import MachineFaults
from supervision.simulation.stage import _LastWordCore, _RaisingCore, _TrippedError
from supervision.simulation.storm import sends_order

ORDER = (Send(Role.GATEWAY, CancelOrder("C1", "B1", "P1", 0, Symbol("005930"))),)
NO_ORDER = (Send(Role.GATEWAY, Ping(Nanos(0))),)


@dataclass
class Scripted:
    """A core that says these, one after the other."""

    effects: list[Effects]

    def handle(self, message: object, now: object) -> Effects:
        return self.effects.pop(0)

    on_deadline: Callable[[object], Effects] = field(init=False)

    def __post_init__(self) -> None:
        self.on_deadline = lambda now: self.effects.pop(0)


def test_only_a_handler_that_would_send_an_order_raises() -> None:
    core = _RaisingCore(Scripted([NO_ORDER, ORDER]), sends_order)
    assert core.handle("a message", None) == NO_ORDER  # type: ignore[arg-type]
    with pytest.raises(_TrippedError):
        core.on_deadline(None)  # type: ignore[arg-type]


def test_an_actor_is_to_die_after_its_order_and_not_before() -> None:
    told: list[str] = []
    core = _LastWordCore(Scripted([NO_ORDER, ORDER]), sends_order, lambda: told.append("dies"))
    assert (core.handle("a message", None), told) == (NO_ORDER, [])  # type: ignore[arg-type]
    assert (core.on_deadline(None), told) == (ORDER, ["dies"])  # type: ignore[arg-type]


class SafeStates(Checker):
    """Counts them."""

    rule = "safe states"
    count = 0

    def journal(self, row: Row, at: Nanos) -> None:
        self.count += row.event_type is EventType.SAFE_STATE


@pytest.mark.parametrize("seed", [26, 64])
def test_an_actor_hunted_beyond_every_limit_leaves_the_machine_safe_and_flat(seed: int) -> None:
    seen = SafeStates()
    day = DayPlan(
        seed=seed,
        loaded=load(None),
        scenario=_scenario_of("storm"),
        broker_faults=(),
        machine_faults=MachineFaults(actors_hunted=1),
    )
    result = run_day(day, seen)
    assert result.strikes["hunted down"] >= 4
    assert seen.count == 1
    assert result.breaches == ()
    assert result.residuals == ()
