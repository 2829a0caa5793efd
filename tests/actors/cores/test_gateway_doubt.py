"""Gateway: doubt queries, and what they may and may not claim."""

from typing import Any

import pytest

from actors.effects import Role
from actors.messages.journal import EventType
from actors.messages.orders import (
    DoubtResolved,
    DoubtVerdict,
    EndReason,
    OrderAccepted,
    OrderAcked,
    OrderCanceled,
    OrderFilled,
    OrderRefused,
    OrderTimedOut,
    RefusalReason,
)
from actors.messages.throttle import RequestQuery
from kiwoom.control import Connected, RequestTr, TrAnswered, TrCalled
from kiwoom.market import MS, SECOND, Shares, Side, Venue
from tests.support.gateway_stage import HYNIX, SAMSUNG, Stage, TrRow, cancel, entry, hedge, open_row, query

E = EventType
Rows = tuple[TrRow, ...]


def answers(stage: Stage, open_rows: Rows = (), fill_rows: Rows = ()) -> list[Any]:
    """The broker answers both questions; what the pair was told."""
    (first,) = stage.take_calls()
    assert first.tr_code == "opt10075"
    stage.tr_answer(first, open_rows)
    (second,) = stage.take_calls()
    assert second.tr_code == "opt10076"
    stage.tr_answer(second, fill_rows)
    return stage.take_events()


def verdict(events: list[Any]) -> DoubtVerdict:
    assert isinstance(events[-1], DoubtResolved)
    return events[-1].verdict


def unnumbered(*, waits: int = 200 * MS) -> Stage:
    """E1's call returned, and then nothing."""
    return Stage.up().hears(entry()).called("E1").waits(waits).forgets()


def test_a_doubt_query_asks_for_the_symbol_on_the_orders_venue_without_asking_leave_again() -> None:
    stage = Stage.up().hedge_working().hears(query("H1"))
    (call,) = stage.take_calls()
    assert isinstance(call, RequestTr)
    assert (call.tr_code, call.prev_next) == ("opt10075", 0)
    inputs = dict(call.inputs)
    assert (inputs["종목코드"], inputs["거래소구분"], inputs["계좌번호"]) == (SAMSUNG, "2", "8012345611")
    assert not [send for send in stage.take_sends() if isinstance(send.message, RequestQuery)]
    assert stage.row_types() == [E.DOUBT_QUERY]


def test_a_working_order_that_is_listed_rests() -> None:
    stage = Stage.up().entry_working().hears(query())
    events = answers(stage, (open_row("0000101"),))
    assert events == [DoubtResolved("P1", "E1", DoubtVerdict.RESTING, Shares(1), events[0].at)]
    assert stage.row_types() == [E.DOUBT_QUERY, E.DOUBT_RESOLVED]


def test_a_working_order_that_the_lists_leave_out_too_soon_may_have_filled() -> None:
    stage = Stage.up().entry_working().hears(query())
    assert verdict(answers(stage)) is DoubtVerdict.UNKNOWN
    stage.waits(SECOND).hears(query())
    answers(stage, (), (open_row("0000101", leaves=0, cum=1, px=69_900),))
    stage.waits(300 * MS)
    assert [type(event) for event in stage.take_events()] == [OrderFilled, DoubtResolved]


def test_a_working_order_that_is_listed_nowhere_has_ended() -> None:
    """IOC end C (KIWOOM.md 4.2): nothing was ever reported."""
    stage = Stage.up().entry_working().waits(SECOND).forgets().hears(query())
    end, resolved = answers(stage)
    assert (type(end), end.reason, end.canceled_qty) == (OrderCanceled, EndReason.IOC_REMAINDER, 1)
    assert resolved.verdict is DoubtVerdict.ENDED
    assert stage.row_types() == [E.DOUBT_QUERY, E.CANCELED, E.DOUBT_RESOLVED]


def test_a_missing_fill_is_given_a_moment_to_be_reported_and_then_is_not_booked_twice() -> None:
    stage = Stage.up().entry_working().hears(query())
    assert answers(stage, (), (open_row("0000101", leaves=0, cum=1, px=69_900),)) == []
    stage.waits(100 * MS).filled("0000101", "X1", px=69_900)
    assert [type(event) for event in stage.take_events()] == [OrderFilled]
    stage.waits(300 * MS)
    assert [(type(event), event.verdict) for event in stage.take_events()] == [(DoubtResolved, DoubtVerdict.ENDED)]


def test_a_missing_fill_that_is_not_reported_is_booked_from_the_query_and_absorbs_the_late_report() -> None:
    stage = Stage.up().entry_working(qty=Shares(2)).hears(query())
    assert answers(stage, (), (open_row("0000101", qty=2, leaves=0, cum=1, px=69_900),)) == []
    stage.waits(300 * MS)
    fill, end, resolved = stage.take_events()
    assert (fill.exec_id, fill.fill_qty, fill.fill_px) == ("QUERY1", 1, 69_900)
    assert (end.cum_qty, end.canceled_qty) == (1, 1)
    assert resolved.verdict is DoubtVerdict.ENDED
    stage.filled("0000101", "X1", px=69_900)
    assert stage.take_events() == []
    assert stage.row_types() == [E.DOUBT_QUERY, E.TRADE_PARTIAL, E.CANCELED, E.DOUBT_RESOLVED]


def test_a_report_of_more_than_the_query_had_told_delivers_the_difference() -> None:
    stage = Stage.up().entry_working(qty=Shares(3)).hears(query())
    answers(stage, (open_row("0000101", qty=3, leaves=2, cum=1, px=70_000),))
    stage.waits(300 * MS).forgets()
    stage.filled("0000101", "X1", qty=2)
    (event,) = stage.take_events()
    assert (event.fill_qty, event.cum_qty) == (1, 2)


def test_a_fill_without_a_price_is_not_invented() -> None:
    stage = Stage.up().entry_working().hears(query())
    answers(stage, (), (open_row("0000101", leaves=0, cum=1),))
    stage.waits(300 * MS)
    (event,) = stage.take_events()
    assert event.verdict is DoubtVerdict.UNKNOWN


def test_an_end_that_waits_for_a_fill_is_completed_by_the_query() -> None:
    stage = Stage.up().entry_working(qty=Shares(2)).cleared("0000101", cum=1).hears(query())
    answers(stage, (), (open_row("0000101", qty=2, leaves=0, cum=1, px=70_000),))
    stage.waits(300 * MS)
    fill, end, _ = stage.take_events()
    assert (fill.cum_qty, end.cum_qty, end.canceled_qty) == (1, 1, 1)


def test_an_unnumbered_order_that_is_found_is_adopted_and_heard_of_from_then_on() -> None:
    stage = unnumbered().hears(query())
    acked, accepted, resolved = answers(stage, (open_row("0000101"),))
    assert (type(acked), acked.order_no) == (OrderAcked, "0000101")
    assert isinstance(accepted, OrderAccepted)
    assert resolved.verdict is DoubtVerdict.RESTING
    stage.filled("0000101", "X1")
    assert [type(event) for event in stage.take_events()] == [OrderFilled]


def test_the_adoption_plays_the_reports_that_were_held_for_the_number() -> None:
    stage = Stage.up().hears(entry()).called("E1").filled("0000101", "X1", screen_no="").waits(200 * MS).forgets()
    stage.hears(query())
    events = answers(stage, (), (open_row("0000101", leaves=0, cum=1, px=70_000),))
    assert [type(event) for event in events] == [OrderAcked, OrderFilled, DoubtResolved]
    assert events[1].exec_id == "X1"


def test_an_unnumbered_order_is_lost_only_after_two_late_absences() -> None:
    stage = unnumbered().hears(query())
    assert verdict(answers(stage)) is DoubtVerdict.UNKNOWN  # too early to count
    stage.waits(1 * SECOND).hears(query())
    assert verdict(answers(stage)) is DoubtVerdict.UNKNOWN
    stage.waits(100 * MS).hears(query()).take_rows()
    end, resolved = answers(stage)
    assert (end.reason, end.canceled_qty, resolved.verdict) == (EndReason.LOST, 1, DoubtVerdict.ENDED)
    (row, _) = stage.take_orders()
    assert (row.event_type, row.reason) == (E.CANCELED, "LOST")


def test_a_lost_order_that_turns_up_after_all_is_followed_and_stops_entries() -> None:
    stage = unnumbered(waits=1 * SECOND)
    for _ in range(2):
        stage.hears(query())
        answers(stage)
    stage.forgets().filled("0000101", "X1")
    messages = [type(send.message).__name__ for send in stage.take_sends()]
    assert messages == ["BrokerStatus", "OrderFilled"]


def test_an_order_without_a_number_is_not_taken_from_another_hand_seen_at_the_start() -> None:
    stage = Stage.up(open_rows=(open_row("0000777", time="095959"),)).hears(entry()).called("E1").forgets()
    stage.hears(query())
    assert verdict(answers(stage, (open_row("0000777", time="100001"),))) is DoubtVerdict.UNKNOWN


def test_two_orders_like_it_prove_nothing() -> None:
    stage = unnumbered().hears(query())
    assert verdict(answers(stage, (open_row("0000101"), open_row("0000102")))) is DoubtVerdict.UNKNOWN


def test_a_rejection_that_comes_while_asking_ends_the_doubt() -> None:
    stage = unnumbered().hears(query()).words("E1", "no").numbered("E1", "")
    rejected, resolved = answers(stage)
    assert rejected.text == "no"
    assert resolved.verdict is DoubtVerdict.ENDED


def test_a_query_about_what_is_over_is_answered_at_once() -> None:
    stage = Stage.up().entry_working().cleared("0000101").forgets().hears(query()).calls()
    assert verdict(stage.take_events()) is DoubtVerdict.ENDED


def test_a_query_about_what_was_never_sent_is_refused() -> None:
    stage = Stage.up().hears(query("nobody")).calls()
    (event,) = stage.take_events()
    assert (type(event), event.reason) == (OrderRefused, RefusalReason.UNKNOWN_TARGET)


def test_a_query_about_what_is_still_held_here_says_unknown_without_asking() -> None:
    stage = Stage.up().hears(hedge()).called("H1").hears(hedge("H2")).forgets().hears(query("H2")).calls()
    assert verdict(stage.take_events()) is DoubtVerdict.UNKNOWN


def test_a_query_without_a_line_says_unknown() -> None:
    stage = Stage.up().entry_working()
    stage.hears(Connected(stage.stamp(), -106)).forgets().hears(query()).calls()
    assert verdict(stage.take_events()) is DoubtVerdict.UNKNOWN


def test_a_query_by_a_cancels_id_is_about_its_order() -> None:
    stage = Stage.up().hedge_working().waits(SECOND).hears(cancel()).called("C1").forgets().hears(query("C1"))
    (first,) = stage.take_calls()
    stage.tr_answer(first)
    (second,) = stage.take_calls()
    stage.tr_answer(second)
    end, resolved = stage.take_events()
    assert (end.cl_ord_id, end.reason) == ("H1", EndReason.BY_US)
    assert (resolved.cl_ord_id, resolved.verdict) == ("C1", DoubtVerdict.ENDED)


def test_the_same_doubt_twice_is_asked_once() -> None:
    stage = Stage.up().entry_working().hears(query()).hears(query())
    events = answers(stage, (open_row("0000101"),))
    assert len(events) == 1


def test_two_doubts_are_asked_one_after_the_other() -> None:
    stage = Stage.up().entry_working().hedge_working().hears(query()).hears(query("H1"))
    seen: list[str] = []
    while calls := stage.take_calls():
        (call,) = calls
        seen.append(call.rq_name)
        rows = (open_row("0000101"), open_row("0000102", kind="-매도", price=70_300))
        stage.tr_answer(call, rows if call.tr_code == "opt10075" else ())
    assert len(seen) == 4
    assert len(set(seen)) == 4
    assert [event.verdict for event in stage.take_events()] == [DoubtVerdict.RESTING, DoubtVerdict.RESTING]


@pytest.mark.parametrize("late", [True, False])
def test_a_query_that_fails_or_is_not_answered_leaves_the_doubt(late: bool) -> None:
    stage = Stage.up().entry_working().hears(query())
    (call,) = stage.take_calls()
    if late:
        stage.hears(TrCalled(stage.stamp(), call.rq_name, 0)).waits(5 * SECOND)
        stage.hears(TrAnswered(stage.stamp(), call.rq_name, "opt10075", False, (), ()))
    else:
        stage.hears(TrCalled(stage.stamp(), call.rq_name, -202))
    (event,) = stage.take_events()
    assert event.verdict is DoubtVerdict.UNKNOWN
    assert stage.take_calls() == []


def test_an_unreadable_answer_leaves_the_doubt() -> None:
    stage = Stage.up().entry_working().hears(query())
    (call,) = stage.take_calls()
    stage.tr_answer(call, ({**open_row("0000101"), "주문수량": "x"},))
    assert verdict(stage.take_events()) is DoubtVerdict.UNKNOWN


def test_never_more_than_five_queries_a_second() -> None:
    stage = Stage.up()
    for number in range(4):
        name, symbol = f"F{number}", (SAMSUNG, HYNIX)[number % 2]
        stage.hears(hedge(name, symbol=symbol, venue=(Venue.KRX, Venue.NXT)[number // 2])).called(name)
        stage.numbered(name, f"000020{number}")
    stage.forgets()
    for number in range(4):
        stage.hears(query(f"F{number}"))
    times: list[int] = []
    for _ in range(400):
        for call in stage.take_calls():
            times.append(stage.mono)
            stage.tr_answer(call)
        stage.waits(10 * MS)
    assert len(times) == 8
    assert all(later - first >= SECOND for first, later in zip(times, times[5:], strict=False))


def test_rows_of_cancels_and_of_unknown_kinds_are_no_orders() -> None:
    stage = unnumbered().hears(query())
    rows = (open_row("0000101", kind="매수취소"), open_row("0000102", kind="?"))
    assert verdict(answers(stage, rows)) is DoubtVerdict.UNKNOWN


def test_a_timed_out_order_found_by_its_pairs_query_can_be_cancelled() -> None:
    stage = Stage.up().hears(entry()).called("E1").forgets().waits(200 * MS)
    assert [type(event) for event in stage.take_events()] == [OrderTimedOut]
    stage.hears(query())
    answers(stage, (open_row("0000101"),))
    stage.hears(cancel(target="E1"))
    (call,) = stage.take_calls()
    assert (call.orig_order_no, call.order_type) == ("0000101", 3)


def test_what_the_query_proves_is_told_to_the_router_too() -> None:
    stage = Stage.up().hedge_working().waits(SECOND).hears(query("H1"))
    (first,) = stage.take_calls()
    stage.tr_answer(first)
    (second,) = stage.take_calls()
    stage.tr_answer(second)
    (ended,) = stage.take_to(Role.ROUTER)
    assert (ended.cl_ord_id, ended.side, ended.filled_qty) == ("H1", Side.SELL, 0)
