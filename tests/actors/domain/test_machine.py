"""The transition table: what is in it happens, what is not changes nothing and says so."""

from enum import Enum, auto
from itertools import product

import pytest

from actors.domain.machine import IllegalTransitionError, Machine


class Door(Enum):
    OPEN = auto()
    SHUT = auto()
    LOCKED = auto()


class Push(Enum):
    OPEN = auto()
    SHUT = auto()
    LOCK = auto()


TABLE = {
    (Door.OPEN, Push.SHUT): Door.SHUT,
    (Door.SHUT, Push.OPEN): Door.OPEN,
    (Door.SHUT, Push.LOCK): Door.LOCKED,
    (Door.LOCKED, Push.LOCK): Door.LOCKED,
}


@pytest.mark.parametrize(("state", "trigger"), list(product(Door, Push)))
def test_each_trigger_in_each_state_moves_by_the_table_or_not_at_all(state: Door, trigger: Push) -> None:
    machine = Machine(TABLE, state)
    assert machine.allows(trigger) == ((state, trigger) in TABLE)
    if (state, trigger) in TABLE:
        assert machine.fire(trigger) is TABLE[state, trigger]
        assert machine.state is TABLE[state, trigger]
        return
    with pytest.raises(IllegalTransitionError, match=f"{trigger.name} while {state.name}"):
        machine.fire(trigger)
    assert machine.state is state


def test_machines_share_a_table_and_nothing_else() -> None:
    first, second = Machine(TABLE, Door.OPEN), Machine(TABLE, Door.OPEN)
    first.fire(Push.SHUT)
    assert (first.state, second.state) == (Door.SHUT, Door.OPEN)
