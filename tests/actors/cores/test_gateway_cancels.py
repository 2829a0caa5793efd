"""Gateway: cancels, their races with fills, and their ends."""

import pytest

from actors.effects import Role, Send
from actors.messages.journal import EventType
from actors.messages.orders import (
    CancelRejected,
    CancelStuck,
    EndReason,
    OrderCanceled,
    OrderFilled,
    OrderKind,
    OrderRefused,
    OrderSubmitted,
)
from actors.messages.pairs import SymbolOverloaded
from actors.messages.throttle import SlotFreed, SlotUsed
from kiwoom.control import ReportKind
from kiwoom.market import MS, Nanos, Shares, Side, Venue
from tests.support.gateway_stage import PAIR, SAMSUNG, SLOT, Stage, cancel, entry, hedge

E = EventType
NXT_SELL = {"venue": Venue.NXT, "side": Side.SELL}
BY_HAND = {**NXT_SELL, "is_cancel": True, "orig_order_no": "0000102"}


def cancelling() -> Stage:
    """H1 rests; its cancel C1 was taken and has the number 0000103."""
    stage = Stage.up().hedge_working().hears(cancel()).called("C1").numbered("C1", "0000103")
    return stage.forgets()


def test_a_cancel_is_counted_and_its_pair_told_that_it_left() -> None:
    stage = Stage.up().hedge_working().hears(cancel(grant_id=9)).forgets().called("C1")
    at = Nanos(stage.mono)
    stage.says(
        Send(Role.THROTTLER, SlotUsed(9, OrderKind.CANCEL, Nanos(at - MS), at, False)),
        Send(Role.PAIR_MANAGER, OrderSubmitted(PAIR, "C1", at), SLOT),
    )


def test_neither_its_number_nor_its_acceptance_ends_the_order() -> None:
    stage = Stage.up().hedge_working().hears(cancel()).called("C1").forgets().numbered("C1", "0000103")
    stage.accepted("0000103", **BY_HAND)
    assert stage.take_events() == []


def test_the_confirmation_ends_the_order_once_and_the_clear_event_says_nothing_new() -> None:
    stage = cancelling().report(ReportKind.CONFIRMED, "0000103", **BY_HAND).cleared("0000102", **NXT_SELL)
    (event,) = stage.take_events()
    assert event == OrderCanceled(PAIR, "H1", Shares(1), Shares(0), EndReason.BY_US, event.at)
    (row,) = stage.take_orders()
    assert (row.event_type, row.reason, row.cl_ord_id) == (E.CANCELED, "BY_US", "H1")
    assert dict(row.extra)["cancel_cl_ord_id"] == "C1"
    assert dict(row.extra)["cancel_order_no"] == "0000103"


def test_the_clear_event_alone_ends_it_too() -> None:
    stage = cancelling().cleared("0000102", **NXT_SELL).report(ReportKind.CONFIRMED, "0000103", **BY_HAND)
    assert [type(event) for event in stage.take_events()] == [OrderCanceled]


def test_the_confirmation_may_come_before_the_cancels_own_number() -> None:
    stage = Stage.up().hedge_working().hears(cancel()).called("C1").forgets()
    stage.report(ReportKind.CONFIRMED, "0000103", **BY_HAND)
    (event,) = stage.take_events()
    assert event.reason is EndReason.BY_US
    stage.numbered("C1", "0000103").waits(1_000 * MS)
    assert stage.take_events() == []


def test_the_clear_event_of_a_partly_filled_order_is_no_fill() -> None:
    """It comes with 913 = 체결 (KIWOOM.md 4.2); the decoder has made a clear event of it."""
    stage = Stage.up().hears(hedge(qty=Shares(2))).called("H1").numbered("H1", "0000102")
    stage.filled("0000102", "X1", **NXT_SELL).hears(cancel()).called("C1").numbered("C1", "0000103").forgets()
    stage.report(ReportKind.CONFIRMED, "0000103", **BY_HAND).cleared("0000102", cum=1, **NXT_SELL)
    (event,) = stage.take_events()
    assert (event.cum_qty, event.canceled_qty) == (1, 1)


def test_a_fill_that_wins_the_race_ends_the_order_and_the_cancel_is_turned_away() -> None:
    stage = Stage.up().hedge_working().hears(cancel()).called("C1").forgets()
    stage.filled("0000102", "X1", **NXT_SELL).words("C1", "취소가능수량 초과").numbered("C1", "")
    fill, rejection = stage.take_events()
    assert isinstance(fill, OrderFilled)
    assert rejection == CancelRejected(PAIR, "C1", "H1", "취소가능수량 초과", False, rejection.at)
    assert stage.row_types() == [E.TRADE_FILL, E.CANCEL_REJECT]


def test_a_cancel_turned_away_before_the_fill_is_seen_leaves_the_order_tracked() -> None:
    stage = Stage.up().hedge_working().hears(cancel()).called("C1").words("C1", "초과").forgets().numbered("C1", "")
    stage.filled("0000102", "X1", **NXT_SELL)
    assert [type(event) for event in stage.take_events()] == [CancelRejected, OrderFilled]


def test_a_confirmed_quantity_smaller_than_what_we_think_is_left_waits_for_the_missing_fill() -> None:
    stage = Stage.up().hears(hedge(qty=Shares(3))).called("H1").numbered("H1", "0000102")
    stage.accepted("0000102", **NXT_SELL).hears(cancel()).called("C1").numbered("C1", "0000103").forgets()
    stage.report(ReportKind.CONFIRMED, "0000103", qty=Shares(2), **BY_HAND)
    assert stage.take_events() == []
    stage.filled("0000102", "X1", **NXT_SELL)
    fill, end = stage.take_events()
    assert (fill.cum_qty, end.cum_qty, end.canceled_qty) == (1, 1, 2)


@pytest.mark.parametrize(("code", "overload"), [(-308, True), (-300, False)])
def test_a_cancel_that_the_control_does_not_take_is_rejected(code: int, overload: bool) -> None:
    stage = Stage.up().hedge_working().hears(cancel()).forgets().called("C1", code)
    sends = stage.take_sends()
    (event,) = [send.message for send in sends if send.to is Role.PAIR_MANAGER]
    assert (type(event), event.overload) == (CancelRejected, overload)
    to_router = [send.message for send in sends if send.to is Role.ROUTER]
    assert to_router == ([SymbolOverloaded(SAMSUNG, Nanos(stage.mono))] if overload else [])
    assert stage.row_types() == [E.CANCEL_REJECT]


def test_the_exchange_rejects_a_cancel() -> None:
    stage = cancelling().report(ReportKind.REJECTED, "0000103", reject_reason="체결완료", **BY_HAND)
    (event,) = stage.take_events()
    assert (event.target, event.text) == ("H1", "체결완료")


def test_the_rejection_of_a_cancel_may_come_before_its_number() -> None:
    stage = Stage.up().hedge_working().hears(cancel()).called("C1").forgets()
    stage.report(ReportKind.REJECTED, "0000103", reject_reason="체결완료", **BY_HAND).numbered("C1", "0000103")
    assert [type(event) for event in stage.take_events()] == [CancelRejected]


def test_no_answer_in_300_ms_is_a_stuck_cancel_and_a_late_confirmation_still_ends_the_order() -> None:
    stage = Stage.up().hedge_working().hears(cancel()).called("C1").numbered("C1", "0000103").forgets()
    stage.waits(298 * MS)
    assert stage.take_events() == []
    stage.waits(1 * MS)
    (event,) = stage.take_events()
    assert event == CancelStuck(PAIR, "C1", "H1", event.at)
    assert stage.row_types() == [E.CANCEL_STUCK]
    stage.report(ReportKind.CONFIRMED, "0000103", **BY_HAND)
    assert [type(event) for event in stage.take_events()] == [OrderCanceled]


def test_a_cancel_whose_order_filled_first_and_that_is_never_answered_is_rejected_in_the_end() -> None:
    stage = cancelling().filled("0000102", "X1", **NXT_SELL).waits(1_000 * MS)
    assert [type(event) for event in stage.take_events()] == [OrderFilled, CancelRejected]


def test_a_stuck_cancel_whose_order_fills_is_rejected_with_the_fill() -> None:
    stage = cancelling().waits(400 * MS).forgets().filled("0000102", "X1", **NXT_SELL)
    assert [type(event) for event in stage.take_events()] == [OrderFilled, CancelRejected]


def test_a_cancel_by_another_hand_ends_the_order_by_the_venue() -> None:
    stage = Stage.up().hedge_working().report(ReportKind.CONFIRMED, "0000777", **BY_HAND)
    (event,) = stage.take_events()
    assert event.reason is EndReason.BY_VENUE


def test_a_resting_ioc_found_by_its_pair_and_cancelled_was_ended_by_us() -> None:
    stage = Stage.up().entry_working().hears(cancel(target="E1")).called("C1").numbered("C1", "0000103").forgets()
    stage.cleared("0000101")
    (event,) = stage.take_events()
    assert event.reason is EndReason.BY_US


def test_a_cancel_waits_until_its_order_has_a_number() -> None:
    stage = Stage.up().hears(hedge()).called("H1").forgets().hears(cancel())
    assert stage.take_calls() == []
    stage.numbered("H1", "0000102")
    (call,) = stage.take_calls()
    assert (call.rq_name, call.orig_order_no) == ("C1", "0000102")


def test_a_waiting_cancel_whose_order_was_rejected_is_refused() -> None:
    stage = Stage.up().hears(hedge()).called("H1").words("H1", "no").hears(cancel()).forgets().numbered("H1", "")
    rejection, refusal = stage.take_events()
    assert rejection.cl_ord_id == "H1"
    assert (type(refusal), refusal.cl_ord_id) == (OrderRefused, "C1")


def test_a_second_cancel_may_follow_a_stuck_one() -> None:
    stage = cancelling().waits(400 * MS).forgets().hears(cancel("C2"))
    (call,) = stage.take_calls()
    assert (call.rq_name, call.orig_order_no) == ("C2", "0000102")
    stage.called("C2").numbered("C2", "0000104").forgets()
    stage.report(ReportKind.CONFIRMED, "0000104", **BY_HAND)
    (row,) = stage.take_orders()
    assert dict(row.extra)["cancel_cl_ord_id"] == "C2"


def test_an_order_still_held_here_is_taken_back_without_a_call() -> None:
    stage = Stage.up().hears(hedge()).hears(hedge("H2", grant_id=5)).forgets()
    stage.hears(cancel("C2", "H2", grant_id=6)).calls()
    assert [type(event) for event in stage.take_events()] == [OrderCanceled]
    (row,) = stage.take_orders()
    assert (row.event_type, row.cl_ord_id, row.reason) == (E.CANCELED, "H2", "BY_US")


def test_taking_back_a_held_order_frees_both_grants() -> None:
    stage = Stage.up().hears(hedge()).hears(hedge("H2", grant_id=5)).forgets()
    stage.hears(cancel("C2", "H2", grant_id=6))
    assert stage.take_to(Role.THROTTLER) == [SlotFreed(5), SlotFreed(6)]


def test_a_repeated_cancel_is_not_sent_again() -> None:
    stage = cancelling().hears(cancel()).calls()
    assert [type(event) for event in stage.take_events()] == [OrderSubmitted]


def test_a_cancel_of_a_cancel_is_refused() -> None:
    stage = cancelling().hears(cancel("C2", target="C1")).calls()
    assert [type(event) for event in stage.take_events()] == [OrderRefused]


def test_a_cancelled_entry_cannot_be_cancelled_again() -> None:
    stage = Stage.up().hears(entry()).called("E1").numbered("E1", "0000101").cleared("0000101").forgets()
    stage.hears(cancel(target="E1")).calls()
    assert [type(event) for event in stage.take_events()] == [OrderRefused]
