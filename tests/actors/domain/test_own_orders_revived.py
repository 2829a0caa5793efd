"""Own orders: what was given up and is found alive may trade, so nothing of ours is sent against it."""

import pytest

from actors.domain.order import OrderState, TrackedOrder
from actors.domain.own_orders import OwnOrders
from kiwoom.market import Shares, Side, Venue, Won
from tests.support.gateway_stage import SAMSUNG, entry


def given_up() -> tuple[OwnOrders, TrackedOrder]:
    orders = OwnOrders(early_reports_max=10)
    order = TrackedOrder(entry("S1", side=Side.SELL, qty=Shares(5)))
    orders.add(order)
    order.machine.state = OrderState.CANCELED
    orders.close(order)
    orders.number(order, "0100039")
    return orders, order


def opposing(orders: OwnOrders, side: Side, venue: Venue) -> TrackedOrder | None:
    return orders.opposing(SAMSUNG, venue, side, Won(0))


@pytest.mark.parametrize("other_side", [True, False])
@pytest.mark.parametrize("same_venue", [True, False])
def test_a_revived_order_is_in_the_way_of_the_other_side_on_its_venue_alone(other_side: bool, same_venue: bool) -> None:
    orders, order = given_up()
    orders.revive(order)
    side = order.side.opposite if other_side else order.side
    venue = order.venue if same_venue else order.venue.other
    assert (opposing(orders, side, venue) is order) == (other_side and same_venue)


def test_an_order_that_is_truly_over_is_in_nobodys_way() -> None:
    orders, order = given_up()
    assert opposing(orders, Side.BUY, order.venue) is None


def test_a_revived_order_is_in_the_way_until_the_broker_calls_it_over() -> None:
    orders, order = given_up()
    orders.revive(order)
    orders.bury(order)
    assert opposing(orders, Side.BUY, order.venue) is None


@pytest.mark.parametrize(("listed", "stays"), [({"0100039"}, True), (set(), False), ({"0100040"}, False)])
def test_a_list_of_all_that_is_open_tells_whether_it_still_lives(listed: set[str], stays: bool) -> None:
    orders, order = given_up()
    orders.revive(order)
    orders.bury_absent(listed)
    assert (opposing(orders, Side.BUY, order.venue) is order) == stays
