"""Gateway: an order from its call to its end, in every order of events that the broker may choose."""

from itertools import permutations

import pytest

from actors.effects import Call, Record, Role, Send
from actors.messages.journal import EventType
from actors.messages.market_data import OwnResting
from actors.messages.orders import (
    EndReason,
    OrderAccepted,
    OrderAcked,
    OrderCanceled,
    OrderFilled,
    OrderKind,
    OrderRejected,
    OrderStuck,
    OrderStyle,
    OrderSubmitted,
    OrderTimedOut,
    RejectSource,
)
from actors.messages.pairs import LateFill, OrderEnded, PairAssigned, PositionChanged, SymbolOverloaded
from actors.messages.session import BrokerStatus
from actors.messages.throttle import SlotUsed
from kiwoom.control import EventMalformed, ReportKind, SubmitOrder
from kiwoom.market import MS, Nanos, Shares, Side, Venue, Won
from tests.support.gateway_stage import HYNIX, PAIR, SAMSUNG, SLOT, Stage, cancel, entry, hedge

E = EventType


def test_the_attempt_is_journalled_before_the_call() -> None:
    stage = Stage.up().hears(entry())
    first, second = stage._unmatched
    assert isinstance(first, Record)
    assert first.row.event_type is E.ORDER_SEND_ATTEMPT
    assert isinstance(second, Call)
    assert isinstance(second.call, SubmitOrder)


def test_an_entry_taken_numbered_accepted_and_filled() -> None:
    stage = Stage.up().hears(entry()).forgets()
    stage.called("E1").says(
        Send(Role.THROTTLER, SlotUsed(7, OrderKind.ENTRY, Nanos(stage.mono - MS), Nanos(stage.mono), False)),
        Send(Role.PAIR_MANAGER, OrderSubmitted(PAIR, "E1", Nanos(stage.mono)), SLOT),
    )
    stage.numbered("E1", "0000101")
    stage.says(Send(Role.PAIR_MANAGER, OrderAcked(PAIR, "E1", "0000101", Nanos(stage.mono)), SLOT))
    stage.accepted("0000101")
    stage.says(Send(Role.PAIR_MANAGER, OrderAccepted(PAIR, "E1", Shares(1), Nanos(stage.mono)), SLOT))
    stage.filled("0000101", "X1", px=69_900, commission_won=Won(10), tax_won=Won(0))
    at = Nanos(stage.mono)
    fill = OrderFilled(
        pair_id=PAIR,
        cl_ord_id="E1",
        exec_id="X1",
        venue=Venue.KRX,
        side=Side.BUY,
        fill_px=Won(69_900),
        fill_qty=Shares(1),
        cum_qty=Shares(1),
        leaves_qty=Shares(0),
        commission_cum_won=Won(10),
        tax_cum_won=Won(0),
        at=at,
    )
    stage.says(
        Send(Role.PAIR_MANAGER, fill, SLOT),
        Send(Role.ROUTER, OrderEnded(PAIR, "E1", OrderKind.ENTRY, SAMSUNG, Side.BUY, Shares(1), at)),
    )
    stage.records(E.ORDER_ACK, E.ORDER_ACCEPTED, E.TRADE_FILL)


def test_an_ack_row_carries_both_stamps_of_the_call() -> None:
    stage = Stage.up().hears(entry()).forgets()
    sent = stage.mono
    stage.called("E1").numbered("E1", "0000101")
    (row,) = stage.take_rows()
    assert dict(row.extra)["called_mono_ns"] == sent
    assert dict(row.extra)["returned_mono_ns"] == sent + MS
    assert row.ts_mono == sent + 2 * MS


def test_partial_fills_have_a_row_each_and_the_last_one_ends_the_order() -> None:
    stage = Stage.up().entry_working(qty=Shares(3))
    stage.filled("0000101", "X1", qty=1).filled("0000101", "X2", qty=1).filled("0000101", "X3", qty=1)
    rows = stage.take_orders()
    assert [(row.event_type, row.fill_qty, row.leaves_qty) for row in rows] == [
        (E.TRADE_PARTIAL, 1, 2),
        (E.TRADE_PARTIAL, 1, 1),
        (E.TRADE_FILL, 1, 0),
    ]
    events = stage.take_events()
    assert [(event.cum_qty, event.leaves_qty) for event in events] == [(1, 2), (2, 1), (3, 0)]


def test_a_repeated_fill_is_dropped() -> None:
    stage = Stage.up().entry_working(qty=Shares(2))
    stage.filled("0000101", "X1").filled("0000101", "X1").filled("0000101", "X1")
    assert len(stage.take_events()) == 1
    assert stage.row_types() == [E.TRADE_PARTIAL]


def test_every_event_twice_tells_the_pair_once() -> None:
    stage = Stage.up().hears(entry()).called("E1").forgets()
    for _ in range(2):
        stage.numbered("E1", "0000101")
    for _ in range(2):
        stage.accepted("0000101")
    for _ in range(2):
        stage.filled("0000101", "X1")
    kinds = [type(event) for event in stage.take_events()]
    assert kinds == [OrderAcked, OrderAccepted, OrderFilled]


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
def test_the_same_order_is_filled_once_whatever_the_order_of_its_events(order: tuple[int, ...]) -> None:
    """Return of the call, its number, 접수 and 체결 in all 24 orders; the screen comes back with the reports."""
    stage = Stage.up().hears(entry()).forgets()
    steps = (
        lambda: stage.called("E1"),
        lambda: stage.numbered("E1", "0000101"),
        lambda: stage.accepted("0000101"),
        lambda: stage.filled("0000101", "X1"),
    )
    for index in order:
        steps[index]()
    fills = [event for event in stage.take_events() if isinstance(event, OrderFilled)]
    assert len(fills) == 1
    types = stage.row_types()
    assert types.count(E.ORDER_ACK) == 1
    assert types.count(E.TRADE_FILL) == 1
    stage.waits(2_000 * MS)
    assert stage.row_types() == []


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_reports_without_a_screen_wait_for_the_number(order: tuple[int, ...]) -> None:
    stage = Stage.up().hears(entry()).called("E1").forgets()
    steps = (
        lambda: stage.accepted("0000101", screen_no=""),
        lambda: stage.filled("0000101", "X1", screen_no=""),
        lambda: stage.numbered("E1", "0000101"),
    )
    for index in order:
        steps[index]()
        seen = [type(event) for event in stage.take_events()]
        if index == 2:
            assert seen[0] is OrderAcked
    assert stage.row_types().count(E.TRADE_FILL) == 1


def test_a_report_with_our_screen_gives_the_number_before_the_answer_does() -> None:
    stage = Stage.up().hears(entry()).called("E1").forgets()
    stage.filled("0000101", "X1")
    assert [type(event) for event in stage.take_events()] == [OrderAcked, OrderFilled]
    stage.forgets().numbered("E1", "0000101")
    assert stage.take_events() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"screen_no": "9999"},
        {"screen_no": ""},
        {"side": Side.SELL},
        {"qty": Shares(2)},
        {"price": Won(70_100)},
        {"venue": Venue.NXT},
        {"is_cancel": True},
    ],
    ids=str,
)
def test_a_report_that_differs_in_anything_is_not_taken_for_ours(changes: dict[str, object]) -> None:
    """The trader's own hand may send an order like ours at the same time."""
    stage = Stage.up().hears(entry()).called("E1").forgets()
    stage.report(ReportKind.FILL, "0000999", exec_id="X9", fill_qty=Shares(1), fill_px=Won(70_000), **changes)
    assert stage.take_events() == []
    stage.numbered("E1", "0000101")
    assert [type(event) for event in stage.take_events()] == [OrderAcked]


def test_a_report_of_an_order_that_is_not_ours_touches_nothing() -> None:
    stage = Stage.up().accepted("0000999").filled("0000999", "X9")
    assert stage.take_sends() == []
    assert [row.reason for row in stage.take_rows()] == ["FOREIGN", "FOREIGN"]


def test_early_reports_are_bounded() -> None:
    stage = Stage.up(early_reports_max=2).hears(entry()).called("E1").forgets()
    for number in ("0000101", "0000901", "0000902"):
        stage.filled(number, "X1", screen_no="")
    stage.numbered("E1", "0000101")
    assert [type(event) for event in stage.take_events()] == [OrderAcked]  # pushed out; a query would find it


def test_a_price_zero_order_is_matched_whatever_price_its_report_shows() -> None:
    stage = Stage.up().hears(entry(style=OrderStyle.MARKET_IOC, price=Won(0))).called("E1").forgets()
    stage.filled("0000101", "X1", price=Won(0), px=70_100)
    assert [type(event) for event in stage.take_events()] == [OrderAcked, OrderFilled]


def test_two_venues_may_use_the_same_number() -> None:
    stage = Stage.up().entry_working()
    stage.hears(hedge()).called("H1").numbered("H1", "0000101").forgets()
    stage.filled("0000101", "X1", venue=Venue.NXT, side=Side.SELL)
    (event,) = stage.take_events()
    assert (event.cl_ord_id, event.venue) == ("H1", Venue.NXT)
    stage.filled("0000101", "X1", venue=Venue.KRX)
    (event,) = stage.take_events()
    assert (event.cl_ord_id, event.venue) == ("E1", Venue.KRX)


# --- rejections ------------------------------------------------------------------------------------------------------


def test_a_call_turned_away_is_rejected_locally() -> None:
    stage = Stage.up().hears(entry()).forgets().called("E1", -300)
    (event,) = stage.take_events()
    assert (event.source, event.overload) == (RejectSource.LOCAL, False)
    (row,) = stage.take_rows()
    assert (row.event_type, row.reason) == (E.ORDER_REJECT, "LOCAL")


@pytest.mark.parametrize("code", [-308, -311])
def test_an_overload_says_so_and_stays_counted(code: int) -> None:
    stage = Stage.up().hears(entry()).forgets().called("E1", code)
    sends = stage.take_sends()
    assert isinstance(sends[0].message, SlotUsed)
    assert sends[0].message.overload
    assert sends[1] == Send(Role.ROUTER, SymbolOverloaded(SAMSUNG, Nanos(stage.mono)))
    assert isinstance(sends[2].message, OrderRejected)
    assert sends[2].message.overload
    for number in range(4):
        name = f"F{number}"
        stage.hears(hedge(name, price=Won(70_300 + 100 * number))).called(name).numbered(name, f"00002{number:02}")
    stage.forgets().hears(hedge())
    assert stage.take_calls() == []


def test_a_blank_number_after_the_words_rejects_at_once() -> None:
    stage = Stage.up().hears(entry()).called("E1").words("E1", "증거금 부족").forgets()
    stage.numbered("E1", "")
    (event,) = stage.take_events()
    assert (event.source, event.text) == (RejectSource.TR, "증거금 부족")
    (row,) = stage.take_orders()
    assert (row.event_type, row.reason, row.message_text) == (E.ORDER_REJECT, "TR", "증거금 부족")


def test_a_blank_number_waits_a_moment_for_the_words() -> None:
    stage = Stage.up().hears(entry()).called("E1").forgets().numbered("E1", "")
    assert stage.take_events() == []
    stage.words("E1", "증거금 부족")
    (event,) = stage.take_events()
    assert event.text == "증거금 부족"
    stage.waits(1_000 * MS)
    assert stage.take_events() == []


def test_a_blank_number_without_words_rejects_after_fifty_ms() -> None:
    stage = Stage.up().hears(entry()).called("E1").forgets().numbered("E1", "")
    stage.waits(49 * MS)
    assert stage.take_events() == []
    stage.waits(1 * MS)
    (event,) = stage.take_events()
    assert (event.source, event.text) == (RejectSource.TR, "")


def test_an_exchange_rejects_what_has_a_number() -> None:
    stage = Stage.up().hears(entry()).called("E1").numbered("E1", "0000101").forgets()
    stage.report(ReportKind.REJECTED, "0000101", reject_reason="호가제한").report(ReportKind.REJECTED, "0000101")
    (event,) = stage.take_events()
    assert (event.source, event.text) == (RejectSource.EXCHANGE, "호가제한")
    assert stage.row_types() == [E.ORDER_REJECT]


def test_a_rejection_after_a_part_has_filled_ends_the_rest() -> None:
    stage = Stage.up().entry_working(qty=Shares(2)).filled("0000101", "X1").forgets()
    stage.report(ReportKind.REJECTED, "0000101")
    (event,) = stage.take_events()
    assert (type(event), event.cum_qty, event.canceled_qty) == (OrderCanceled, 1, 1)


def test_a_rejected_order_that_turns_out_to_have_a_number_is_followed_and_stops_entries() -> None:
    stage = Stage.up().hears(entry()).called("E1").words("E1", "no").numbered("E1", "").forgets()
    stage.numbered("E1", "0000101").filled("0000101", "X1")
    kinds = [type(send.message) for send in stage.take_sends()]
    assert kinds == [BrokerStatus, OrderFilled]
    assert E.TRADE_FILL not in stage.row_types()


# --- ends ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("filled", [0, 1])
def test_ioc_end_a_the_clear_event_ends_it(filled: int) -> None:
    stage = Stage.up().entry_working(qty=Shares(2))
    if filled:
        stage.filled("0000101", "X1")
    stage.forgets().cleared("0000101", cum=filled).cleared("0000101", cum=filled)
    (event,) = stage.take_events()
    at = event.at
    assert event == OrderCanceled(PAIR, "E1", Shares(2 - filled), Shares(filled), EndReason.IOC_REMAINDER, at)
    (row,) = stage.take_orders()
    assert (row.event_type, row.reason) == (E.CANCELED, "IOC_REMAINDER")
    assert dict(row.extra)["canceled_qty"] == 2 - filled


@pytest.mark.parametrize(("number", "orig"), [("0000101", ""), ("0000101", "0000101"), ("0000555", "0000101")])
def test_ioc_end_b_a_cancel_confirmation_ends_it(number: str, orig: str) -> None:
    stage = Stage.up().entry_working()
    stage.report(ReportKind.CONFIRMED, number, orig_order_no=orig, is_cancel=True)
    stage.cleared("0000101")
    (event,) = stage.take_events()
    assert (type(event), event.reason) == (OrderCanceled, EndReason.IOC_REMAINDER)


def test_ioc_end_c_nothing_comes_and_nothing_is_said() -> None:
    stage = Stage.up().entry_working().waits(5_000 * MS)
    assert stage.take_events() == []


def test_a_post_that_leaves_the_book_unasked_was_ended_by_the_venue() -> None:
    stage = Stage.up().hedge_working().cleared("0000102", venue=Venue.NXT, side=Side.SELL)
    (event,) = stage.take_events()
    assert event.reason is EndReason.BY_VENUE


def test_a_clear_event_before_its_last_fill_waits_for_it() -> None:
    stage = Stage.up().entry_working(qty=Shares(3)).cleared("0000101", cum=2)
    assert stage.take_events() == []
    stage.filled("0000101", "X1")
    assert [type(event) for event in stage.take_events()] == [OrderFilled]
    stage.filled("0000101", "X2")
    fill, end = stage.take_events()
    assert fill.cum_qty == 2
    assert (end.cum_qty, end.canceled_qty, end.reason) == (2, 1, EndReason.IOC_REMAINDER)


def test_a_fill_after_the_end_is_delivered_and_does_not_end_the_order_again() -> None:
    stage = Stage.up().entry_working(qty=Shares(2)).cleared("0000101").forgets()
    stage.filled("0000101", "X1").filled("0000101", "X1")
    (event,) = stage.take_events()
    assert (event.cum_qty, event.leaves_qty) == (1, 0)
    (row,) = stage.take_orders()
    assert (row.event_type, row.reason) == (E.TRADE_PARTIAL, "LATE")


def test_a_fill_of_a_pair_that_nobody_holds_goes_to_the_router() -> None:
    stage = Stage.up().entry_working().cleared("0000101")
    stage.hears(PairAssigned("P2", SLOT, SAMSUNG)).forgets().filled("0000101", "X1")
    (send,) = stage.take_sends()
    assert send.to is Role.ROUTER
    assert isinstance(send.message, LateFill)
    assert (send.message.fill.pair_id, send.message.symbol) == (PAIR, SAMSUNG)


def test_a_pair_that_moved_hears_its_events_in_its_new_slot() -> None:
    stage = Stage.up().entry_working().hears(PairAssigned(PAIR, 5, SAMSUNG)).filled("0000101", "X1")
    assert [send.index for send in stage.take_sends() if send.to is Role.PAIR_MANAGER] == [5]


def test_more_filled_than_ordered_is_delivered_and_stops_trading() -> None:
    stage = Stage.up().entry_working().filled("0000101", "X1").forgets().filled("0000101", "X2")
    sends = stage.take_sends()
    assert isinstance(sends[0].message, OrderFilled)
    assert sends[1].message == BrokerStatus(
        False, "order 0000101 (E1) filled 2 of 1: more than was ordered; a person must look at the account"
    )
    assert EventType.TRADE_FILL not in stage.row_types()


# --- what we do not understand ---------------------------------------------------------------------------------------


def test_an_unknown_state_of_our_order_stops_entries_and_lets_hedges_pass() -> None:
    stage = Stage.up().entry_working().report(ReportKind.UNKNOWN, "0000101")
    (status,) = stage.take_to(Role.SESSION_STATE)
    assert not status.connected
    assert "unknown state" in status.reason
    stage.forgets().hears(entry("E2")).hears(hedge())
    assert [call.rq_name for call in stage.take_calls()] == ["H1"]


def test_an_unreadable_event_stops_entries_only_if_an_order_may_hide_in_it() -> None:
    stage = Stage.up().hears(EventMalformed(Nanos(1), "quote FID 41", False))
    assert stage.take_sends() == []
    stage.hears(EventMalformed(Nanos(1), "chejan FID 915", True))
    assert [type(each) for each in stage.take_to(Role.SESSION_STATE)] == [BrokerStatus]


@pytest.mark.parametrize("number", ["0000102", ""])
def test_an_answer_that_contradicts_the_adopted_number_stops_entries(number: str) -> None:
    stage = Stage.up().hears(entry()).called("E1").accepted("0000101").forgets().numbered("E1", number)
    assert [type(each) for each in stage.take_to(Role.SESSION_STATE)] == [BrokerStatus]


def test_a_change_of_our_order_by_another_hand_stops_entries() -> None:
    stage = Stage.up().hedge_working()
    stage.report(ReportKind.CONFIRMED, "0000777", orig_order_no="0000102", venue=Venue.NXT, side=Side.SELL)
    assert [type(each) for each in stage.take_to(Role.SESSION_STATE)] == [BrokerStatus]


# --- timers ----------------------------------------------------------------------------------------------------------


def test_no_number_in_200_ms_times_out_and_the_order_stays_tracked() -> None:
    stage = Stage.up().hears(entry()).called("E1").forgets().waits(199 * MS)
    assert stage.take_events() == []
    stage.waits(1 * MS)
    at = Nanos(stage.mono)
    stage.says(Send(Role.PAIR_MANAGER, OrderTimedOut(PAIR, "E1", at), SLOT)).records(E.ORDER_TIMEOUT)
    stage.numbered("E1", "0000101").filled("0000101", "X1")
    assert [type(event) for event in stage.take_events()] == [OrderAcked, OrderFilled]


def test_the_ack_timer_starts_at_the_stamp_of_the_calls_return() -> None:
    stage = Stage.up().hears(entry()).called("E1")
    returned = stage.mono
    stage.waits(120 * MS).hears(entry("E2", symbol=HYNIX)).forgets().waits(80 * MS)
    (event,) = stage.take_events()
    assert (event.cl_ord_id, event.at) == ("E1", returned + 200 * MS)


def test_numbered_but_not_accepted_in_300_ms_is_stuck() -> None:
    stage = Stage.up().hears(entry()).called("E1").numbered("E1", "0000101").forgets().waits(299 * MS)
    assert stage.take_events() == []
    stage.waits(1 * MS)
    stage.says(Send(Role.PAIR_MANAGER, OrderStuck(PAIR, "E1", Nanos(stage.mono)), SLOT)).records(E.ORDER_STUCK)


def test_a_fill_counts_as_acceptance() -> None:
    stage = Stage.up().hears(entry(qty=Shares(2))).called("E1").numbered("E1", "0000101")
    stage.filled("0000101", "X1", qty=1).forgets().waits(1_000 * MS)
    assert stage.take_events() == []


# --- what others are told --------------------------------------------------------------------------------------------


def test_the_shard_is_told_what_of_the_visible_size_is_ours() -> None:
    stage = Stage.up().hears(hedge(qty=Shares(3))).called("H1").numbered("H1", "0000102")
    assert stage.take_to(Role.MARKET_DATA) == []

    def shown() -> list[int]:
        return [each.qty for each in stage.take_to(Role.MARKET_DATA)]

    stage.accepted("0000102", venue=Venue.NXT, side=Side.SELL)
    assert stage.take_sends()[-1] == Send(
        Role.MARKET_DATA, OwnResting(0, Venue.NXT, Side.SELL, Won(70_300), Shares(3)), 0
    )
    stage.filled("0000102", "X1", venue=Venue.NXT, side=Side.SELL)
    assert shown() == [2]
    stage.hears(hedge("H2", qty=Shares(4))).called("H2").numbered("H2", "0000103")
    stage.accepted("0000103", venue=Venue.NXT, side=Side.SELL)
    assert shown() == [6]
    stage.cleared("0000103", venue=Venue.NXT, side=Side.SELL)
    assert shown() == [2]
    stage.filled("0000102", "X2", qty=2, venue=Venue.NXT, side=Side.SELL)
    assert shown() == [0]


@pytest.mark.parametrize("style", [OrderStyle.LIMIT_IOC, OrderStyle.MID])
def test_what_does_not_show_in_the_book_is_not_subtracted(style: OrderStyle) -> None:
    price = Won(0) if style is OrderStyle.MID else Won(70_300)
    stage = Stage.up().hears(hedge(style=style, price=price)).called("H1").numbered("H1", "0000102")
    stage.accepted("0000102", venue=Venue.NXT, side=Side.SELL, price=price)
    assert stage.take_to(Role.MARKET_DATA) == []


def test_a_balance_is_journalled_and_passed_on() -> None:
    stage = Stage.up().balance(9, 8)
    stage.says(Send(Role.ROUTER, PositionChanged(SAMSUNG, Shares(9), Shares(8), Nanos(stage.mono))))
    stage.records(E.POSITION_UPDATE)


def test_every_order_has_exactly_one_terminal_row() -> None:
    terminal = {E.TRADE_FILL, E.CANCELED, E.ORDER_REJECT, E.ORDER_REFUSED}
    stage = Stage.up()
    stage.hears(entry("A1")).called("A1").numbered("A1", "0000001").filled("0000001", "X1").cleared("0000001")
    stage.hears(entry("A2")).called("A2").numbered("A2", "0000002").cleared("0000002").filled("0000002", "X1")
    stage.hears(entry("A3")).called("A3", -308)
    stage.hears(entry("A4", qty=Shares(0)))
    stage.waits(2_000 * MS)
    stage.hears(entry("A5")).called("A5").words("A5", "no").numbered("A5", "").words("A5", "no").numbered("A5", "")
    stage.hears(entry("A5"))
    rows = [row for row in stage.take_orders() if row.event_type in terminal]
    assert sorted(row.cl_ord_id or "" for row in rows) == ["A1", "A2", "A3", "A4", "A5"]


def test_order_screens_are_used_in_turn() -> None:
    stage = Stage.up()
    for name, symbol in (("E1", SAMSUNG), ("E2", HYNIX)):
        stage.hears(entry(name, symbol=symbol))
    stage.hears(hedge()).hears(cancel(target="E1"))
    assert [call.screen_no for call in stage.take_calls()] == ["4001", "4002", "4001"]
