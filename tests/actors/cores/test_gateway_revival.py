"""Gateway: an order that was called over and turns up alive, and the end of a state that was not understood."""

import pytest

from actors.domain.order import OrderState
from actors.effects import Call, Role
from actors.messages.journal import EventType, Row, RowsPosted
from actors.messages.orders import OrderFilled, OrderKind
from actors.messages.pairs import OrderEnded
from actors.messages.session import BrokerStatus
from kiwoom.control import Connected, ReadLogin, RequestTr, SubmitOrder
from kiwoom.market import MS, SECOND, Nanos, Shares, Side, Venue, WallNanos, Won
from tests.support.gateway_stage import HYNIX, SAMSUNG, SLOT, Stage, TrRow, entry, hedge, open_row, query

E = EventType
NXT_SELL = {"venue": Venue.NXT, "side": Side.SELL, "price": Won(70_300)}


def asked(stage: Stage) -> list[RequestTr]:
    return [call for call in stage.take_calls() if isinstance(call, RequestTr)]


def cancels(stage: Stage) -> list[str]:
    return [call.rq_name for call in stage.take_calls() if isinstance(call, SubmitOrder) and call.orig_order_no]


def answers(stage: Stage, opened: tuple[TrRow, ...] = (), filled: tuple[TrRow, ...] = ()) -> Stage:
    """Both lists, of the query that is being asked now."""
    for rows in (opened, filled):
        (call,) = asked(stage)
        stage.tr_answer(call, rows)
    return stage


def lost(command_of=entry, name: str = "E1", **changes: object) -> Stage:
    """The call returned, no number came, and two queries late enough have missed it."""
    stage = Stage.up().hears(command_of(name, **changes)).called(name).forgets().waits(SECOND)
    for _ in range(2):
        answers(stage.forgets().hears(query(name)))
    assert stage.journal[-2].event_type is E.CANCELED
    return stage.waits(2 * SECOND).forgets()  # the queries have left the window


def revived_post() -> Stage:
    return lost(hedge, "H1").numbered("H1", "0000102")


def status(stage: Stage) -> list[BrokerStatus]:
    return [each for each in stage.take_to(Role.SESSION_STATE) if isinstance(each, BrokerStatus)]


def order_of(stage: Stage, name: str = "H1"):
    order = stage.core._orders.order(name)
    assert order is not None
    return order


# --- it lives again ---------------------------------------------------------------------------------------------------


def test_it_is_open_again_and_its_pair_hears_nothing_of_that() -> None:
    stage = revived_post()
    assert order_of(stage).state is OrderState.NUMBERED
    assert list(stage.core._orders.open_orders()) == [order_of(stage)]
    assert stage.take_events() == []


def test_its_shares_are_not_sold_twice() -> None:
    stage = lost(hedge, "H1", qty=Shares(10))
    stage.numbered("H1", "0000102").accepted("0000102", qty=Shares(10), **NXT_SELL).forgets()
    stage.hears(hedge("H2", venue=Venue.KRX))
    assert [event.reason.value for event in stage.take_events()] == ["UNCOVERED_SALE"]


def test_its_fills_are_late_and_its_second_end_writes_no_second_terminal_row() -> None:
    stage = lost(hedge, "H1", qty=Shares(2)).numbered("H1", "0000102").forgets()
    stage.filled("0000102", "X1", **NXT_SELL).cleared("0000102", cum=1, **NXT_SELL)
    (fill,) = stage.take_events()
    assert (type(fill), fill.cum_qty, fill.leaves_qty) == (OrderFilled, 1, 0)
    told = [(row.event_type, row.reason) for row in stage.take_orders() if row.cl_ord_id == "H1"]
    assert told == [(E.TRADE_PARTIAL, "LATE")]
    assert order_of(stage).is_over
    assert [row.reason for row in stage.journal if row.event_type is E.CANCELED] == ["LOST"]


def test_the_last_fill_ends_it_and_the_router_hears_of_its_end_only_once() -> None:
    stage = lost(hedge, "H1").numbered("H1", "0000102").filled("0000102", "X1", **NXT_SELL)
    assert order_of(stage).state is OrderState.FILLED
    assert list(stage.core._orders.open_orders()) == []
    assert [each for each in stage.take_to(Role.ROUTER) if isinstance(each, OrderEnded)] == []


def test_a_rejection_that_was_none_is_followed_in_the_same_way() -> None:
    stage = Stage.up().hears(hedge()).called("H1").numbered("H1", "").words("H1", "no").forgets()
    stage.numbered("H1", "0000102").waits(MS)
    assert cancels(stage) == ["H1-X1"]
    assert stage.take_events() == []
    stage.filled("0000102", "X1", **NXT_SELL)
    assert [type(event) for event in stage.take_events()] == [OrderFilled]
    assert [row.event_type for row in stage.journal if row.event_type is E.ORDER_REJECT] == [E.ORDER_REJECT]


# --- and is looked after ----------------------------------------------------------------------------------------------


def test_a_post_is_cancelled_at_once_and_its_pair_hears_nothing_of_the_cancel() -> None:
    stage = revived_post().waits(MS)
    assert cancels(stage) == ["H1-X1"]
    stage.called("H1-X1").numbered("H1-X1", "0000103").cleared("0000102", **NXT_SELL)
    assert order_of(stage).is_over
    assert stage.take_events() == []
    (sent,) = [each for each in stage.journal if each.event_type is E.CANCEL_SEND_ATTEMPT]
    assert dict(sent.extra)["kind"] == OrderKind.CANCEL.value


def test_a_cancel_that_nobody_answers_is_given_again_by_another_name() -> None:
    stage = revived_post().waits(MS).called("H1-X1").forgets().waits(SECOND)
    assert cancels(stage) == ["H1-X2"]


def test_an_ioc_is_asked_about_again_and_again_until_it_is_over() -> None:
    stage = lost().numbered("E1", "0000101").forgets()
    for pause in (500 * MS, 1_000 * MS):
        answers(stage.waits(pause))
    assert not order_of(stage, "E1").is_over  # the first look came before a list had to show it
    answers(stage.waits(1_100 * MS))
    assert order_of(stage, "E1").is_over
    assert stage.take_events() == []


def test_the_fill_of_an_ioc_whose_report_never_comes_is_found() -> None:
    stage = lost().numbered("E1", "0000101").forgets().waits(500 * MS)
    answers(stage, (), (open_row("0000101", leaves=0, cum=1, px=70_000),)).waits(300 * MS)
    assert [(type(event), event.fill_qty) for event in stage.take_events()] == [(OrderFilled, 1)]
    assert order_of(stage, "E1").state is OrderState.FILLED


def test_an_ioc_that_is_found_resting_is_cancelled() -> None:
    stage = lost().numbered("E1", "0000101").forgets().waits(500 * MS)
    answers(stage, (open_row("0000101"),)).waits(SECOND)
    assert cancels(stage) == ["E1-X1"]


# --- after a restart --------------------------------------------------------------------------------------------------


def test_a_part_that_fills_after_the_end_is_a_reason_to_ask_for_the_rest() -> None:
    stage = Stage.up().hears(entry("E1", qty=Shares(3))).called("E1").numbered("E1", "0000101")
    stage.cleared("0000101", qty=Shares(3)).filled("0000101", "X2")
    assert order_of(stage, "E1").is_revived
    assert [call.tr_code for call in asked(stage.forgets().waits(SECOND))] == ["opt10075"]


def test_an_order_that_outlives_its_pair_is_looked_after() -> None:
    stage = Stage.up().hears(hedge()).called("H1").numbered("H1", "0000102").accepted("0000102", **NXT_SELL)
    figures = (("bought", 1), ("sold", 0), ("fees_krw", 0), ("tax_krw", 0), ("child", 0))
    pair_id = order_of(stage).command.pair_id
    row = Row(E.UNHEDGED, Nanos(0), WallNanos(0), pair_id=pair_id, symbol=SAMSUNG, extra=figures)
    stage.forgets().hears(RowsPosted((row,))).waits(MS)
    assert cancels(stage) == ["H1-X1"]


def test_a_successor_knows_it_as_alive_and_goes_on() -> None:
    stage = revived_post().waits(MS).called("H1-X1").again()
    order = order_of(stage)
    assert (order.state, order.called, order.order_no) == (OrderState.NUMBERED, OrderState.CANCELED, "0000102")
    assert order.standing.over
    assert list(stage.core._orders.open_orders()) == [order]


def test_a_successor_knows_that_it_is_over_at_last() -> None:
    stage = lost(hedge, "H1", qty=Shares(2)).numbered("H1", "0000102")
    stage.filled("0000102", "X1", **NXT_SELL).cleared("0000102", cum=1, **NXT_SELL)
    order = order_of(stage.again())
    assert (order.state, order.cum_qty) == (OrderState.CANCELED, 1)


def test_a_successor_does_not_book_the_report_of_a_late_fill_that_a_query_told_of() -> None:
    stage = lost().numbered("E1", "0000101").forgets().waits(500 * MS)
    answers(stage, (), (open_row("0000101", leaves=0, cum=1, px=70_000),)).waits(300 * MS)
    order = order_of(stage.again(), "E1")
    assert (order.cum_qty, order.inferred_qty) == (1, 1)


# --- what is not understood ends by itself ----------------------------------------------------------------------------


def test_the_account_is_looked_at_again_and_entries_go_on_once_it_is_over() -> None:
    stage = lost().numbered("E1", "0000101").cleared("0000101").forgets().waits(3 * SECOND)
    assert ReadLogin() in [effect.call for effect in stage._unmatched if isinstance(effect, Call)]
    stage.goes_up()
    assert [each.connected for each in status(stage)] == [False, True]
    stage.forgets().hears(entry("E2"))
    assert [call.rq_name for call in stage.take_calls()] == ["E2"]


def test_as_long_as_it_lives_entries_wait() -> None:
    stage = revived_post().accepted("0000102", **NXT_SELL).called("H1-X1").forgets().waits(3 * SECOND)
    asked_first = [effect.call for effect in stage._unmatched if isinstance(effect, Call)]
    assert ReadLogin() in asked_first
    stage.hears(entry("E2", symbol=HYNIX, symbol_index=1, pair_id="P2", slot=4))
    assert "E2" not in [call.rq_name for call in stage.take_calls() if isinstance(call, SubmitOrder)]


def test_more_filled_than_ordered_is_for_a_person_and_outlasts_a_restart() -> None:
    stage = Stage.up().entry_working().filled("0000101", "X1").filled("0000101", "X2")
    said = status(stage)
    assert "a person must look" in said[-1].reason
    assert ReadLogin() not in stage.waits(60 * SECOND).take_calls()
    assert status(stage.comes_back(holdings=((SAMSUNG, 12, 12),)))[-1] == said[-1]


def test_meanwhile_the_reason_stays_shown() -> None:
    stage = lost().numbered("E1", "0000101").cleared("0000101")
    first = status(stage)[-1].reason
    assert status(stage.waits(3 * SECOND))[-1].reason == first != ""


def test_what_turned_up_while_nobody_listened_is_found_by_the_next_reconciliation() -> None:
    row = open_row("0000101", leaves=0, cum=1, px=70_000, time="100020")
    stage = lost().comes_back(fill_rows=(row,)).waits(SECOND)
    order = order_of(stage, "E1")
    assert (order.order_no, order.state, order.called) == ("0000101", OrderState.FILLED, OrderState.CANCELED)


def test_an_order_like_a_lost_one_that_came_to_the_broker_much_later_is_not_taken_for_it() -> None:
    row = open_row("0000101", leaves=0, cum=1, px=70_000, time="100300")
    stage = lost().comes_back(fill_rows=(row,)).waits(SECOND)
    order = order_of(stage, "E1")
    assert (order.order_no, order.state, order.cum_qty) == ("", OrderState.CANCELED, 0)


@pytest.mark.parametrize("filled", [0, 1])
def test_a_row_that_fits_a_lost_and_a_live_order_is_about_the_live_one(filled: int) -> None:
    """The next order of the same terms is under way when the line is lost, and the lists show one order."""
    row = open_row("0000102", leaves=1 - filled, cum=filled, px=70_000 * filled, time="100010")
    stage = lost().hears(entry("E2", pair_id="P2", slot=SLOT + 1, grant_id=8)).called("E2")
    stage.hears(Connected(stage.stamp(), -106)).forgets().waits(SECOND)
    stage.goes_up(open_rows=(row,)[filled:], fill_rows=(row,)).waits(SECOND)
    first, second = order_of(stage, "E1"), order_of(stage, "E2")
    assert (first.order_no, first.cum_qty) == ("", 0)
    assert (second.order_no, second.cum_qty) == ("0000102", filled)


def test_of_two_lost_orders_a_row_is_about_the_one_sent_last() -> None:
    row = open_row("0000102", leaves=0, cum=1, px=70_000, time="100020")
    stage = lost().hears(entry("E2", pair_id="P2", slot=SLOT + 1, grant_id=8)).called("E2").forgets().waits(SECOND)
    for _ in range(2):
        answers(stage.forgets().hears(query("E2")))
    stage = stage.comes_back(fill_rows=(row,)).waits(SECOND)
    assert [order_of(stage, name).order_no for name in ("E1", "E2")] == ["", "0000102"]
