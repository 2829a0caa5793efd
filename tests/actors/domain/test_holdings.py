"""Holdings: what may be sold, between two words of the broker."""

import pytest

from actors.domain.holdings import Holdings, OursRecall
from actors.domain.order import OrderState, OrderTrigger, TrackedOrder
from actors.domain.order_rows import plain_row
from actors.domain.own_orders import OwnOrders
from actors.messages.journal import EventType
from kiwoom.market import Nanos, Now, Shares, Side, WallNanos, Won
from tests.support.gateway_stage import HYNIX, SAMSUNG, entry

T = OrderTrigger
BEFORE, ASKED, AFTER, LATER = (Nanos(at) for at in (10, 20, 30, 40))

NOW = Now(LATER, WallNanos(LATER))


def sell(name: str, qty: int, state: OrderState = OrderState.SENT) -> TrackedOrder:
    order = TrackedOrder(entry(name, side=Side.SELL, qty=Shares(qty)))
    order.machine.state = state
    return order


def buy(name: str, qty: int) -> TrackedOrder:
    order = TrackedOrder(entry(name, qty=Shares(qty)))
    order.machine.state = OrderState.WORKING
    return order


def holding(held: int, sellable: int, *live: TrackedOrder) -> Holdings:
    holdings = Holdings()
    holdings.reported(SAMSUNG, Shares(held), Shares(sellable), live, BEFORE)
    return holdings


def test_nothing_is_free_of_what_was_never_reported() -> None:
    assert Holdings().free(SAMSUNG, ()) == 0
    assert holding(10, 10).free(HYNIX, ()) == 0


def test_what_others_have_locked_is_not_free() -> None:
    assert holding(10, 4).free(SAMSUNG, ()) == 4


def test_a_live_sell_claims_its_shares_from_its_call_on() -> None:
    called = sell("S1", 3, OrderState.CALLED)
    assert holding(10, 10).free(SAMSUNG, (called,)) == 7


def test_a_held_or_ended_sell_claims_nothing() -> None:
    for state in (OrderState.HELD, OrderState.CANCELED, OrderState.REJECTED):
        assert holding(10, 10).free(SAMSUNG, (sell("S1", 3, state),)) == 10


def test_a_working_sell_that_the_report_contains_is_not_counted_twice() -> None:
    working = sell("S1", 3, OrderState.WORKING)
    assert holding(10, 7, working).free(SAMSUNG, (working,)) == 7


def test_a_report_that_does_not_reduce_sellable_frees_nothing_either() -> None:
    """Whether 933 falls when a sell is accepted is only moderately certain: held less our sells bounds it too."""
    working = sell("S1", 3, OrderState.WORKING)
    assert holding(10, 10, working).free(SAMSUNG, (working,)) == 7


def test_a_sell_not_yet_in_the_report_is_taken_off_it() -> None:
    new, working = sell("S2", 2), sell("S1", 3, OrderState.WORKING)
    assert holding(10, 7, working).free(SAMSUNG, (working, new)) == 5


def test_the_end_of_a_contained_sell_frees_what_it_did_not_sell() -> None:
    working = sell("S1", 3, OrderState.WORKING)
    holdings = holding(10, 7, working)
    working.cum_qty = Shares(1)
    holdings.filled(working, Shares(1), AFTER)
    working.machine.fire(T.CANCEL)
    assert holdings.free(SAMSUNG, ()) == 9


@pytest.mark.parametrize("state", [OrderState.CALLED, OrderState.SENT, OrderState.NUMBERED, OrderState.WORKING])
def test_a_cancelled_sell_gives_back_its_shares_though_a_report_came_before_its_acceptance(state: OrderState) -> None:
    """The acceptance was delayed and the balance that follows it was not. No other balance may ever come."""
    sold = sell("S1", 5, state)
    holdings = holding(5, 5)
    holdings.reported(SAMSUNG, Shares(5), Shares(0), (sold,), LATER)
    assert holdings.free(SAMSUNG, (sold,)) == 0
    sold.machine.state = OrderState.CANCELED
    assert holdings.free(SAMSUNG, ()) == 5


def test_a_report_from_before_a_sell_does_not_give_it_what_others_hold() -> None:
    new = sell("S1", 4)
    holdings = holding(10, 7)
    holdings.reported(SAMSUNG, Shares(10), Shares(7), (new,), LATER)
    assert holdings.free(SAMSUNG, (new,)) == 3


def test_more_than_our_sells_explain_is_held_by_others() -> None:
    new = sell("S1", 4)
    holdings = holding(10, 10)
    holdings.reported(SAMSUNG, Shares(10), Shares(4), (new,), LATER)
    assert holdings.free(SAMSUNG, (new,)) == 4


def test_a_balance_that_overtakes_a_sales_fill_counts_the_sale_once() -> None:
    """The fill's own report was late, or lost and known by query: the rest of the order must stay hedgeable."""
    selling = sell("S1", 5, OrderState.WORKING)
    holdings = holding(5, 0, selling)
    holdings.reported(SAMSUNG, Shares(3), Shares(0), (selling,), LATER)
    selling.cum_qty = Shares(2)
    holdings.filled(selling, Shares(2), AFTER)
    assert holdings.free(SAMSUNG, (selling,)) == 0
    selling.machine.fire(T.CANCEL)
    assert holdings.free(SAMSUNG, ()) == 3


def test_of_shares_gone_only_what_our_sells_explain_is_put_down_to_them() -> None:
    selling = sell("S1", 2, OrderState.WORKING)
    holdings = holding(10, 8, selling)
    holdings.reported(SAMSUNG, Shares(4), Shares(2), (selling,), LATER)
    for number in range(2):
        sold = sell(f"S{number}", 2, OrderState.FILLED)
        holdings.filled(sold, Shares(2), AFTER)
    assert holdings.free(SAMSUNG, ()) == 2


def test_a_balance_told_twice_before_its_fill_counts_the_purchase_once() -> None:
    bought = buy("B1", 2)
    holdings = holding(5, 5)
    holdings.reported(SAMSUNG, Shares(7), Shares(7), (bought,), LATER)
    holdings.reported(SAMSUNG, Shares(7), Shares(7), (bought,), LATER)
    holdings.filled(bought, Shares(2), AFTER)
    assert holdings.free(SAMSUNG, ()) == 7


def test_a_sale_reduces_what_is_free_before_the_broker_says_so() -> None:
    new = sell("S1", 3)
    holdings = holding(10, 10)
    new.cum_qty = Shares(3)
    holdings.filled(new, Shares(3), AFTER)
    new.machine.state = OrderState.FILLED
    assert holdings.free(SAMSUNG, ()) == 7


def test_a_purchase_is_free_to_sell_at_once() -> None:
    holdings = holding(0, 0)
    holdings.filled(buy("B1", 2), Shares(2), AFTER)
    assert holdings.free(SAMSUNG, ()) == 2


def test_a_balance_that_overtakes_its_fill_counts_the_purchase_once() -> None:
    holdings = holding(5, 5)
    holdings.reported(SAMSUNG, Shares(7), Shares(7), (), LATER)
    holdings.filled(buy("B1", 2), Shares(2), AFTER)
    assert holdings.free(SAMSUNG, ()) == 7


def test_a_fill_and_then_its_balance_count_the_purchase_once() -> None:
    holdings = holding(5, 5)
    holdings.filled(buy("B1", 2), Shares(2), AFTER)
    holdings.reported(SAMSUNG, Shares(7), Shares(7), (), LATER)
    assert holdings.free(SAMSUNG, ()) == 7
    holdings.filled(buy("B2", 1), Shares(1), AFTER)
    assert holdings.free(SAMSUNG, ()) == 8


def test_a_contained_sell_that_fills_and_its_balance_count_once() -> None:
    working = sell("S1", 2, OrderState.WORKING)
    holdings = holding(5, 3, working)
    working.cum_qty = Shares(2)
    holdings.filled(working, Shares(2), AFTER)
    working.machine.state = OrderState.FILLED
    assert holdings.free(SAMSUNG, ()) == 3
    holdings.reported(SAMSUNG, Shares(3), Shares(3), (), LATER)
    assert holdings.free(SAMSUNG, ()) == 3


def test_what_is_free_is_never_negative() -> None:
    assert holding(1, 1).free(SAMSUNG, (sell("S1", 5),)) == 0


def test_a_numbered_sell_that_the_report_must_count_is_free_again_when_it_ends() -> None:
    """Its acceptance was never reported, and no report follows its end."""
    post = sell("S1", 7, OrderState.NUMBERED)
    holdings = holding(7, 7)
    holdings.reported(SAMSUNG, Shares(7), Shares(0), (post,), LATER)
    assert holdings.free(SAMSUNG, ()) == 7


def test_what_others_blocked_before_is_not_taken_for_a_numbered_sell() -> None:
    post = sell("S1", 3, OrderState.NUMBERED)
    holdings = holding(10, 6)
    holdings.reported(SAMSUNG, Shares(10), Shares(6), (post,), LATER)
    assert holdings.free(SAMSUNG, (post,)) == 3
    assert holdings.free(SAMSUNG, ()) == 6


# --- the answer about the whole account -------------------------------------------------------------------------------


def listed(holdings: Holdings, held: int, sellable: int) -> Holdings:
    holdings.listed(((SAMSUNG, Shares(held), Shares(sellable)),), OwnOrders(early_reports_max=10), ASKED)
    return holdings


def test_an_answer_that_nothing_has_overtaken_is_believed() -> None:
    assert listed(holding(5, 5), 4, 3).free(SAMSUNG, ()) == 3


def test_what_others_bought_is_never_sold() -> None:
    """9 were bought in the trader's HTS, of a symbol that we had none of."""
    holdings = holding(0, 0)
    holdings.reported(SAMSUNG, Shares(9), Shares(9), (), LATER)
    assert holdings.free(SAMSUNG, ()) == 0
    assert listed(holdings, 9, 9).as_account(OwnOrders(early_reports_max=10)) == ()


def test_a_report_of_before_our_sale_that_comes_after_it_frees_nothing() -> None:
    holdings = holding(7, 7)
    holdings.filled(sell("S1", 7), Shares(7), AFTER)
    holdings.reported(SAMSUNG, Shares(0), Shares(0), (), LATER)
    holdings.reported(SAMSUNG, Shares(7), Shares(7), (), LATER)
    assert holdings.free(SAMSUNG, ()) == 0


def test_a_late_report_that_is_too_low_does_not_outlast_the_next() -> None:
    holdings = holding(7, 7)
    holdings.reported(SAMSUNG, Shares(0), Shares(0), (), LATER)
    assert holdings.free(SAMSUNG, ()) == 0
    holdings.reported(SAMSUNG, Shares(7), Shares(7), (), LATER)
    assert holdings.free(SAMSUNG, ()) == 7


def test_what_is_ours_is_still_so_after_a_restart_although_others_bought_meanwhile() -> None:
    recall = OursRecall()
    recall.take(plain_row(EventType.RECONCILED, NOW, extra=(("ours", {SAMSUNG: 5}),)))
    recall.take(
        plain_row(EventType.TRADE_FILL, NOW, symbol=SAMSUNG, side=Side.SELL.value, fill_qty=Shares(2), fill_px=Won(1))
    )
    holdings = Holdings()
    holdings.recall(recall.ours)
    assert listed(holdings, 12, 12).free(SAMSUNG, ()) == 3
    assert holdings.as_ours() == {SAMSUNG: 3}


def test_a_report_since_the_question_stands_against_the_answer() -> None:
    """The answer still had the shares of a pair that has sold them meanwhile, and an entry sold them a second time."""
    holdings = holding(3, 3)
    holdings.filled(sell("S1", 3), Shares(3), AFTER)
    holdings.reported(SAMSUNG, Shares(0), Shares(0), (), LATER)
    assert listed(holdings, 3, 3).free(SAMSUNG, ()) == 0
    assert listed(holdings, 3, 3).as_account(OwnOrders(early_reports_max=10)) == ()


def test_a_sale_since_the_question_is_taken_off_the_answer_until_a_report() -> None:
    holdings = holding(5, 5)
    holdings.filled(sell("S1", 2), Shares(2), AFTER)
    assert listed(holdings, 5, 5).free(SAMSUNG, ()) == 3
    holdings.reported(SAMSUNG, Shares(3), Shares(3), (), LATER)
    assert holdings.free(SAMSUNG, ()) == 3


def test_a_sale_before_which_nothing_was_known_is_taken_off_the_answer() -> None:
    holdings = Holdings()
    holdings.filled(sell("S1", 2), Shares(2), AFTER)
    assert listed(holdings, 5, 5).free(SAMSUNG, ()) == 3


def test_a_sale_before_the_question_is_in_the_answer() -> None:
    holdings = holding(5, 5)
    holdings.filled(sell("S1", 2), Shares(2), BEFORE)
    assert listed(holdings, 3, 3).free(SAMSUNG, ()) == 3
