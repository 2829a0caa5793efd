"""One order's life: the whole matrix of states and triggers."""

from itertools import product

import pytest

from actors.domain.machine import IllegalTransitionError, Machine
from actors.domain.order import END_STATES, ORDER_TRANSITIONS, OrderState, OrderTrigger

CELLS = list(product(OrderState, OrderTrigger))


@pytest.mark.parametrize(("state", "trigger"), CELLS, ids=lambda each: each.name)
def test_every_cell_is_in_the_table_or_illegal_and_changes_nothing(state: OrderState, trigger: OrderTrigger) -> None:
    machine = Machine(ORDER_TRANSITIONS, state)
    if (state, trigger) in ORDER_TRANSITIONS:
        assert machine.fire(trigger) is ORDER_TRANSITIONS[state, trigger]
    else:
        with pytest.raises(IllegalTransitionError):
            machine.fire(trigger)
        assert machine.state is state


def test_only_a_number_or_a_part_of_it_brings_an_order_back_that_was_over() -> None:
    revivals = {(OrderTrigger.NUMBER, OrderState.NUMBERED), (OrderTrigger.FILL_PART, OrderState.WORKING)}
    for (state, trigger), target in ORDER_TRANSITIONS.items():
        is_revival = (trigger, target) in revivals
        assert state not in END_STATES or target is state or is_revival


def test_every_state_can_be_reached_and_every_live_one_can_end() -> None:
    reached = {OrderState.HELD}
    for _ in OrderState:
        reached |= {target for (state, _), target in ORDER_TRANSITIONS.items() if state in reached}
    assert reached == set(OrderState)
    for live in set(OrderState) - END_STATES:
        ahead = {live}
        for _ in OrderState:
            ahead |= {target for (state, _), target in ORDER_TRANSITIONS.items() if state in ahead}
        assert ahead & END_STATES
