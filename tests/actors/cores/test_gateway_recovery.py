"""Gateway: what it gives back to a part that was started again, and to everyone after its own restart."""

from typing import Any

import pytest

from actors.domain.symbol_map import UniverseEntry, build_symbol_map
from actors.effects import Role
from actors.messages.journal import EventType, Row, RowsPosted
from actors.messages.orders import OrderFilled, OrderKind, OrderRefused, OrderStyle, RefusalReason
from actors.messages.pairs import (
    AccountSnapshot,
    AdmissionRestored,
    LateFill,
    NothingToRestore,
    OrderEnded,
    PairAssigned,
    PairState,
    PairSums,
    RestorePair,
)
from actors.messages.session import BrokerStatus, ConnectBroker, SessionSignalSeen
from actors.messages.supervision import ResendState
from actors.messages.throttle import RecentSends, SlotFreed
from kiwoom.control import SessionSignalled, SubmitOrder
from kiwoom.market import MS, SECOND, Market, Nanos, Shares, Side, Venue, Won
from tests.support.builders import row
from tests.support.gateway_stage import HYNIX, PAIR, SAMSUNG, SLOT, Stage, cancel, entry, hedge, open_row, pair_plan

E, S = EventType, PairState
MANAGER = ResendState("pair_manager", SLOT)
ROUTER = ResendState("router", 0)
NXT_SELL = {"venue": Venue.NXT, "side": Side.SELL, "price": Won(70_300)}
NONE_BUT_OURS = {"pair_slots": SLOT + 1}


def planned(cl_ord_id: str = "E1", pair_id: str = PAIR, **changes: Any) -> Any:
    return entry(cl_ord_id, pair_id=pair_id, plan=pair_plan(pair_id=pair_id), **changes)


def bought(pair_id: str = PAIR, number: str = "0000101", cl_ord_id: str = "E1", **changes: Any) -> Stage:
    """A pair whose entry has filled; its manager has not hedged yet."""
    stage = Stage.up(**(NONE_BUT_OURS | changes))
    stage.hears(planned(cl_ord_id, pair_id)).called(cl_ord_id).numbered(cl_ord_id, number).accepted(number)
    return stage.filled(number, "X1").forgets()


def said(state: PairState, child: int = 0, open_qty: int = 0, pair_id: str = PAIR, **more: int) -> Row:
    extra = {"child": child, "open_qty": open_qty, **more}
    return row(E.PAIR_STATE, 0, extra, pair_id=pair_id, symbol=SAMSUNG, state=state.value)


def end_rows(state: PairState, bought_qty: int, sold_qty: int, child: int = 0, pair_id: str = PAIR) -> RowsPosted:
    figures = {"child": child, "bought": bought_qty, "sold": sold_qty, "fees_krw": 10, "tax_krw": 5}
    end = row(EventType[state.value], 0, figures, pair_id=pair_id, symbol=SAMSUNG, state=state.value)
    return RowsPosted((said(state, child, bought_qty - sold_qty, pair_id), end))


def done() -> Stage:
    """The pair bought and sold, and is over."""
    stage = bought().hears(hedge()).called("H1").numbered("H1", "0000102").accepted("0000102", **NXT_SELL)
    return stage.filled("0000102", "X2", px=70_300, **NXT_SELL).hears(end_rows(S.PAIRED_DONE, 1, 1)).forgets()


def unhedged() -> Stage:
    return bought().hears(end_rows(S.UNHEDGED, 1, 0)).forgets()


def to_manager(stage: Stage) -> list[Any]:
    return [send.message for send in stage.take_sends() if (send.to, send.index) == (Role.PAIR_MANAGER, SLOT)]


def restored(stage: Stage) -> RestorePair:
    (pair,) = [message for message in to_manager(stage) if isinstance(message, RestorePair)]
    return pair


# --- a pair manager was started again ---------------------------------------------------------------------------------


def test_a_new_manager_is_given_its_pair_with_every_order_as_it_stands() -> None:
    stage = bought().hears(hedge()).called("H1").numbered("H1", "0000102").accepted("0000102", **NXT_SELL)
    called = stage.mono - 2 * MS
    stage.hears(cancel()).called("C1").forgets().hears(MANAGER)
    pair = restored(stage)
    assert pair.plan == pair_plan()
    assert (pair.generation, pair.child, pair.left, pair.flatten, pair.ended) == (1, 0, 0, False, PairSums())
    first, second = pair.orders
    assert [fill.exec_id for fill in first.fills] == ["X1"]
    assert (first.over, first.turned_down, first.cancel_id) == (True, False, "")
    assert (second.over, second.submitted_at, second.numbered_at) == (False, called, called + MS)
    assert (second.cancel_id, second.cancel_at) == ("C1", stage.mono - MS)
    assert (first.command.plan, first.command.grant_id) == (None, None)


def test_the_restoring_is_journalled_before_it_is_told() -> None:
    stage = bought().hears(MANAGER)
    kinds = [type(effect).__name__ for effect in stage._unmatched]
    assert kinds == ["Record", "Send"]
    (written,) = stage.take_rows()
    assert (written.event_type, written.pair_id) == (E.PAIR_RESTORED, PAIR)
    assert dict(written.extra) == {"generation": 1, "child": 0, "slot": SLOT}


def test_a_slot_without_a_live_pair_has_nothing_to_restore() -> None:
    stage = Stage.up().hears(ResendState("pair_manager", 5))
    assert [send.index for send in stage.take_sends() if send.message == NothingToRestore(5)] == [5]
    stage = done().hears(MANAGER)
    assert to_manager(stage) == [NothingToRestore(SLOT)]
    assert stage.row_types() == []


def test_a_flat_pair_whose_terminal_row_was_lost_is_given_back_to_be_ended() -> None:
    stage = bought().hears(hedge()).called("H1").numbered("H1", "0000102").accepted("0000102", **NXT_SELL)
    stage.filled("0000102", "X2", px=70_300, **NXT_SELL).forgets().hears(MANAGER)
    assert (restored(stage).child, [order.over for order in restored_orders(stage)]) == (0, [True, True])


def restored_orders(stage: Stage) -> tuple[Any, ...]:
    return tuple(order.standing for order in stage.core._orders.of_pair(PAIR))


def test_a_pair_whose_end_was_lost_after_its_slot_had_another_ends_before_the_other_goes_on() -> None:
    stage = bought().hears(hedge()).called("H1").numbered("H1", "0000102").accepted("0000102", **NXT_SELL)
    stage.filled("0000102", "X2", px=70_300, **NXT_SELL).hears(planned("E2", "P2")).called("E2").forgets()
    pairs = [message.plan.pair_id for message in to_manager(stage.hears(MANAGER))]
    assert pairs == [PAIR, "P2"]
    stage.hears(end_rows(S.PAIRED_DONE, 1, 1)).forgets()
    assert [message.plan.pair_id for message in to_manager(stage.hears(MANAGER))] == ["P2"]


def test_a_late_fill_that_its_manager_took_with_it_is_its_next_child() -> None:
    stage = done().filled("0000102", "X3", px=70_300, **NXT_SELL).forgets().hears(MANAGER)
    pair = restored(stage)
    assert (pair.child, pair.left) == (1, 0)
    assert pair.ended == PairSums(Shares(1), Shares(1), Won(70_000), Won(70_300), Won(10), Won(5))
    assert sum(len(order.fills) for order in pair.orders) == 3


def test_what_was_left_unhedged_is_not_given_back() -> None:
    stage = unhedged().hears(MANAGER)
    assert to_manager(stage) == [NothingToRestore(SLOT)]
    pair = restored(unhedged().filled("0000101", "X2").forgets().hears(MANAGER))
    assert (pair.child, pair.left, pair.ended.bought) == (1, 1, 1)


def test_a_pair_is_flattened_in_its_next_generation_too() -> None:
    stage = bought().hears(RowsPosted((row(E.OPERATOR, reason="flatten"),)))
    assert restored(stage.hears(MANAGER)).flatten


def test_a_hedge_held_back_here_is_given_back_with_the_pair_and_leaves_in_its_turn() -> None:
    stage = bought()
    for number in range(4):
        stage.hears(hedge(f"H{number}", price=Won(70_300 + 100 * number))).called(f"H{number}")
        stage.numbered(f"H{number}", f"000020{number}")
    stage.forgets().hears(hedge("H9")).hears(MANAGER)
    assert [order.submitted_at for order in restored(stage).orders][-1] is None
    stage.waits(2 * SECOND)
    assert [call.rq_name for call in stage.take_calls()] == ["H9"]


def test_an_entry_held_back_here_does_not_leave_any_more() -> None:
    stage = Stage.up()
    for number in range(3):
        stage.hears(hedge(f"H{number}", price=Won(70_300 + 100 * number), pair_id="P0", slot=0)).called(f"H{number}")
        stage.numbered(f"H{number}", f"000020{number}")
    stage.forgets().hears(planned("E1", "P1")).hears(MANAGER).waits(5 * SECOND)
    assert stage.take_calls() == []
    refused = [(each.reason, each.cl_ord_id) for each in stage.take_orders() if each.event_type is E.ORDER_REFUSED]
    assert refused == [("OUTDATED", "E1")]


def test_a_pair_whose_entry_was_refused_is_given_back_to_be_ended() -> None:
    """Its manager died with the word that it is over."""
    stage = Stage.up(armed=False, **NONE_BUT_OURS).hears(planned()).forgets()
    (entry,) = restored(stage.hears(MANAGER)).orders
    assert (entry.over, entry.turned_down, entry.submitted_at) == (True, True, None)
    pair = restored(stage.comes_back(**NONE_BUT_OURS))
    assert [(order.over, order.turned_down) for order in pair.orders] == [(True, True)]


def test_a_flat_pair_whose_slot_went_to_another_is_ended_before_that_one_is_given_back() -> None:
    """The machine died after both, and the first one's last word had not been committed."""
    stage = bought().hears(hedge()).called("H1").numbered("H1", "0000102").accepted("0000102", **NXT_SELL)
    stage.filled("0000102", "X2", px=70_300, **NXT_SELL)
    stage.hears(RowsPosted((row(E.PAIR_ASSIGNED, 0, {"slot": SLOT}, pair_id="P2", symbol=SAMSUNG),)))
    stage.hears(planned("E2", "P2")).called("E2").numbered("E2", "0000103").accepted("0000103").filled("0000103", "X3")
    given = [each for each in to_manager(stage.comes_back(**NONE_BUT_OURS)) if not isinstance(each, OrderFilled)]
    assert [pair.plan.pair_id for pair in given] == [PAIR, "P2"]
    assert [order.over for order in given[0].orders] == [True, True]


# --- a new generation -------------------------------------------------------------------------------------------------


def left_with_a_hedge() -> Stage:
    """The pair ended unhedged, out of time, while its hedge rested; what was left is handed to a manager in slot 0."""
    stage = bought().hears(hedge("P1-B1")).called("P1-B1").numbered("P1-B1", "0000102").accepted("0000102", **NXT_SELL)
    return stage.hears(end_rows(S.UNHEDGED, 1, 0)).forgets()


def test_a_rescue_by_a_manager_that_never_had_the_pair_is_told_of_the_hedge_that_lives() -> None:
    """Whatever comes first, the word on its slot, on what it was handed, or its first hedge."""
    begins = RowsPosted((said(S.RESCUE, 1, 1, handed_qty=1, handed_won=70_000),))
    first = hedge("P1-R1B1", slot=0, kind=OrderKind.FLATTEN, style=OrderStyle.LIMIT_IOC, grant_id=9)
    for before in ((PairAssigned(PAIR, 0, SAMSUNG),), (begins,), (PairAssigned(PAIR, 0, SAMSUNG), begins), ()):
        stage = left_with_a_hedge()
        for message in before:
            stage.hears(message)
        stage.forgets().hears(first)
        assert stage.take_calls() == []
        sends = stage.take_sends()
        assert [send.message for send in sends if send.to is Role.THROTTLER] == [SlotFreed(9)]
        (told,) = [(send.index, send.message) for send in sends if send.to is Role.PAIR_MANAGER]
        assert isinstance(told[1], RestorePair)
        assert (told[0], told[1].child, told[1].generation) == (0, 1, 1)
        assert {order.command.cl_ord_id: order.over for order in told[1].orders}["P1-B1"] is False
        written = [(each.event_type, each.cl_ord_id) for each in stage.take_rows()]
        assert written == [(E.ORDER_REFUSED, "P1-R1B1"), (E.PAIR_RESTORED, None)]


def test_a_rescue_hedges_once_the_hedge_before_it_is_over() -> None:
    stage = left_with_a_hedge().cleared("0000102", **NXT_SELL).forgets()
    stage.hears(hedge("P1-R1B1", slot=0, style=OrderStyle.LIMIT_IOC))
    assert [call.rq_name for call in stage.take_calls()] == ["P1-R1B1"]


def test_a_child_hedges_beside_its_own_hedges() -> None:
    stage = bought().hears(hedge("P1-B1")).called("P1-B1").numbered("P1-B1", "0000102").accepted("0000102", **NXT_SELL)
    assert [call.rq_name for call in stage.forgets().hears(hedge("P1-B2")).take_calls()] == ["P1-B2"]


def test_what_a_predecessor_decided_is_refused_silently_and_its_slot_is_free_again() -> None:
    stage = bought().hears(MANAGER).forgets()
    stage.hears(hedge(grant_id=9)).hears(cancel(target="E1", grant_id=10))
    assert stage.take_calls() == []
    sends = stage.take_sends()
    assert [send.message for send in sends if send.to is Role.THROTTLER] == [SlotFreed(9), SlotFreed(10)]
    assert [send for send in sends if send.to is Role.PAIR_MANAGER] == []
    refused = [(each.cl_ord_id, each.reason) for each in stage.take_orders()]
    assert refused == [("H1", "OUTDATED"), ("C1", "OUTDATED")]


def test_what_the_present_generation_decides_is_sent() -> None:
    stage = bought().hears(MANAGER).forgets().hears(hedge("P1-G1B1", generation=1))
    assert [call.rq_name for call in stage.take_calls()] == ["P1-G1B1"]


def test_an_order_sent_before_is_a_repeat_and_not_outdated() -> None:
    """Its row must not say that it was never sent."""
    stage = bought().hears(MANAGER).forgets().hears(planned())
    assert [each.reason for each in stage.take_rows()] == ["DUPLICATE"]
    assert [type(event) for event in to_manager(stage)] == [OrderFilled]


def test_the_slot_of_a_restored_pair_takes_no_entry_of_another() -> None:
    stage = bought().hears(MANAGER).forgets().hears(planned("E2", "P2"))
    assert stage.take_calls() == []
    (refused,) = [event for event in to_manager(stage) if isinstance(event, OrderRefused)]
    assert (refused.pair_id, refused.reason) == ("P2", RefusalReason.OUTDATED)
    stage.hears(end_rows(S.PAIRED_DONE, 1, 0)).hears(planned("E3", "P3"))
    assert [call.rq_name for call in stage.take_calls()] == ["E3"]


def test_generations_count_on_over_our_own_restart() -> None:
    stage = bought().hears(MANAGER).comes_back(**NONE_BUT_OURS)
    assert restored(stage).generation == 2


# --- rows of the pairs ------------------------------------------------------------------------------------------------


def test_rows_of_others_are_written_as_they_came() -> None:
    rows = (row(E.SIGNAL, actor="spread_engine"), said(S.HEDGE_POST_SENT))
    stage = Stage.up().hears(RowsPosted(rows))
    assert tuple(stage.take_rows()) == rows


def test_each_child_of_a_pair_ends_in_one_terminal_row() -> None:
    stage = done().hears(end_rows(S.PAIRED_DONE, 1, 1)).hears(end_rows(S.FLATTENED, 1, 1))
    stage.hears(RowsPosted((said(S.HEDGE_IOC_SENT),)))
    assert stage.take_rows() == []
    assert len(stage.hears(end_rows(S.PAIRED_DONE, 0, 0, child=1)).take_rows()) == 2


# --- the other parts --------------------------------------------------------------------------------------------------


def test_a_new_throttler_is_told_what_the_window_holds() -> None:
    stage = bought().hears(hedge()).hears(ResendState("throttler", 0))
    assert stage.take_to(Role.THROTTLER) == [RecentSends((Nanos(stage.mono - 3 * MS), Nanos(stage.mono)))]


def test_a_new_throttler_need_not_wait_for_the_boot() -> None:
    stage = Stage.off().hears(ConnectBroker()).forgets().hears(ResendState("throttler", 0))
    assert stage.take_to(Role.THROTTLER) == [RecentSends(())]


def test_a_new_session_state_hears_the_last_of_each_signal_of_today_again() -> None:
    stage = Stage.up()
    for code in ("0", "3", "R", "0"):
        stage.hears(SessionSignalled(stage.stamp(), code, "090000", "000000"))
    stage.forgets().hears(ResendState("session_state", 0))
    told = stage.take_to(Role.SESSION_STATE)
    assert told[0] == BrokerStatus(True, "")
    assert [signal.code for signal in told[1:]] == ["3", "R", "0"]


def test_signals_come_back_from_the_journal_and_yesterdays_do_not() -> None:
    rows = [
        row(E.SESSION, -24 * 3_600 * 1_000, {"broker_time": "090000"}, reason="3"),
        row(E.SESSION, -1, {"broker_time": "095959"}, reason="R"),
        row(E.SESSION, 0, reason="LIVE_TRADES"),
    ]
    stage = Stage.up().hears(RowsPosted(tuple(rows))).comes_back()
    signals = [each for each in stage.take_to(Role.SESSION_STATE) if isinstance(each, SessionSignalSeen)]
    assert [(each.code, each.broker_time) for each in signals] == [("R", "095959")]


def test_a_new_router_is_given_the_live_pairs_the_books_and_the_ends() -> None:
    stage = done()
    stage.hears(planned("E2", "P2")).called("E2")
    stage.hears(RowsPosted((row(E.OPERATOR, symbol=HYNIX, reason="mute"),))).forgets().hears(ROUTER)
    (books,) = [each for each in stage.take_to(Role.ROUTER) if isinstance(each, AdmissionRestored)]
    assert books.plans == (pair_plan(pair_id="P2"),)
    assert (books.muted, books.frozen, books.imbalances) == ((HYNIX,), (), ())
    assert (books.traded_won, books.net_won) == (140_300, 300 - 15)
    assert books.ended == ((PAIR, 0, SAMSUNG),)


def test_a_new_router_hears_again_that_an_entry_is_over() -> None:
    """Its claims shrink to what the entry filled; of a pair that ended unhedged they wait for just that."""
    for stage in (bought(), unhedged()):
        books, ended = stage.hears(ROUTER).take_to(Role.ROUTER)
        assert isinstance(books, AdmissionRestored)
        assert isinstance(ended, OrderEnded)
        assert (ended.kind, ended.cl_ord_id, ended.filled_qty) == (OrderKind.ENTRY, "E1", 1)


def test_an_imbalance_left_is_listed_until_it_is_closed() -> None:
    stage = unhedged().hears(ROUTER)
    (imbalance,) = stage.take_to(Role.ROUTER)[0].imbalances
    assert (imbalance.pair_id, imbalance.bought, imbalance.sold, imbalance.net_won) == (PAIR, 1, 0, -70_015)
    begins = said(S.RESCUE, 1, 1, handed_qty=1, handed_won=70_000)
    stage.hears(RowsPosted((begins,))).hears(end_rows(S.FLATTENED, 1, 1, child=1)).hears(ROUTER)
    assert stage.take_to(Role.ROUTER)[0].imbalances == ()


def late() -> Stage:
    """The first pair's slot has another pair; then a fill of the first comes."""
    stage = done().hears(planned("E2", "P2")).called("E2").numbered("E2", "0000201").forgets()
    return stage.filled("0000102", "X3", px=70_300, **NXT_SELL)


def test_late_fills_are_told_to_a_new_router_until_a_rescue_has_a_slot() -> None:
    stage = late()
    (told,) = [each for each in stage.take_to(Role.ROUTER) if isinstance(each, LateFill)]
    stage.hears(ROUTER)
    assert [each for each in stage.take_to(Role.ROUTER) if isinstance(each, LateFill)] == [told]
    stage = late().hears(PairAssigned(PAIR, 0, SAMSUNG)).forgets().hears(ROUTER)
    assert [each for each in stage.take_to(Role.ROUTER) if isinstance(each, LateFill)] == []


def test_a_late_fill_that_was_closed_meanwhile_is_not_told_again() -> None:
    stage = late().filled("0000101", "X9").forgets()  # and a purchase more than was ordered: flat again
    stage.hears(ROUTER)
    assert [each for each in stage.take_to(Role.ROUTER) if isinstance(each, LateFill)] == []


def test_where_a_rescue_lives_is_journalled() -> None:
    stage = late().forgets().hears(PairAssigned(PAIR, 0, SAMSUNG))
    (written,) = stage.take_rows()
    assert (written.event_type, written.pair_id, dict(written.extra)) == (E.PAIR_ASSIGNED, PAIR, {"slot": 0})
    pair = next(
        send.message
        for send in stage.comes_back(pair_slots=SLOT + 1).take_sends()
        if (send.to, send.index) == (Role.PAIR_MANAGER, 0) and isinstance(send.message, RestorePair)
    )
    assert (pair.plan.slot, pair.child) == (0, 1)


def test_a_rescue_of_a_pair_that_is_flat_is_told_so() -> None:
    """It was closed by the pair's restored manager while its late fill waited at the Router for a slot."""
    stage = done().hears(PairAssigned(PAIR, 0, SAMSUNG))
    (pair,) = [send.message for send in stage.take_sends() if send.to is Role.PAIR_MANAGER]
    assert (pair.child, pair.generation, all(order.over for order in pair.orders)) == (1, 1, True)


# --- the Gateway itself was started again -----------------------------------------------------------------------------


def test_every_slot_is_told_what_lives_in_it() -> None:
    stage = bought().comes_back(**NONE_BUT_OURS)
    told = [(send.index, type(send.message)) for send in stage.take_sends() if send.to is Role.PAIR_MANAGER]
    assert told == [(0, NothingToRestore), (1, NothingToRestore), (2, NothingToRestore), (SLOT, RestorePair)]


def test_the_router_hears_of_the_pairs_before_it_hears_of_the_account() -> None:
    stage = bought().comes_back(**NONE_BUT_OURS)
    kinds = [type(message) for message in stage.take_to(Role.ROUTER)]
    assert kinds == [AdmissionRestored, OrderEnded, AccountSnapshot]


def test_only_the_first_boot_after_a_restart_gives_everything_back() -> None:
    stage = bought().comes_back(**NONE_BUT_OURS).forgets().hears(ConnectBroker()).goes_up()
    sends = stage.take_sends()
    assert [type(send.message) for send in sends if send.to is Role.ROUTER] == [AccountSnapshot]
    assert [send for send in sends if send.to is Role.PAIR_MANAGER] == []


def test_the_first_gateway_of_the_day_has_nothing_to_give_back() -> None:
    stage = Stage.off(**NONE_BUT_OURS).hears(ConnectBroker()).goes_up()
    sends = stage.take_sends()
    assert [type(send.message) for send in sends if send.to is Role.ROUTER] == [AccountSnapshot]
    assert [send for send in sends if send.to is Role.PAIR_MANAGER] == []


def test_who_was_started_again_during_the_boot_is_told_at_its_end() -> None:
    stage = Stage.off(**NONE_BUT_OURS).hears(ConnectBroker()).hears(MANAGER).hears(MANAGER).hears(ROUTER).goes_up()
    sends = stage.take_sends()
    assert [type(send.message) for send in sends if send.to is Role.ROUTER] == [AdmissionRestored, AccountSnapshot]
    assert [send.message for send in sends if send.to is Role.PAIR_MANAGER] == [NothingToRestore(SLOT)]


def test_the_fill_that_the_reconciliation_finds_is_in_the_pair_or_told_after_it() -> None:
    before = Stage.up(**NONE_BUT_OURS).hears(planned()).called("E1").numbered("E1", "0000101").accepted("0000101")
    rows = (open_row("0000101", leaves=0, cum=1, px=69_900),)
    stage = before.comes_back(fill_rows=rows, **NONE_BUT_OURS).waits(SECOND)
    told = to_manager(stage)
    kinds = [type(message) for message in told]
    assert kinds.index(RestorePair) < kinds.index(OrderFilled)


def test_a_pair_that_has_no_slot_any_more_is_an_orphan_of_the_router() -> None:
    """Fewer managers in this run than in the one before."""
    stage = bought().comes_back(pair_slots=1)
    told = stage.take_to(Role.ROUTER)
    (orphan,) = [each for each in told if isinstance(each, LateFill)]
    assert (orphan.fill.exec_id, orphan.fill.fill_qty, orphan.symbol) == ("X1", 1, SAMSUNG)
    assert told[0].plans == ()


def test_an_orphan_is_the_open_quantity_and_not_each_fill() -> None:
    before = Stage.up(**NONE_BUT_OURS).hears(planned(qty=Shares(3))).called("E1").numbered("E1", "0000101")
    before.accepted("0000101", qty=Shares(3)).filled("0000101", "X1", qty=3)
    before.hears(hedge()).called("H1").numbered("H1", "0000102").filled("0000102", "X2", px=70_300, **NXT_SELL)
    told = before.comes_back(pair_slots=1).take_to(Role.ROUTER)
    (orphan,) = [each for each in told if isinstance(each, LateFill)]
    assert (orphan.fill.side, orphan.fill.fill_qty, orphan.fill.fill_px) == (Side.BUY, 2, 70_000)


def test_late_fills_without_a_slot_come_back_one_by_one() -> None:
    """The Router, if it lives, knows them by their executions."""
    stage = late().filled("0000102", "X4", px=70_400, **NXT_SELL).comes_back(**NONE_BUT_OURS)
    orphans = [each.fill.exec_id for each in stage.take_to(Role.ROUTER) if isinstance(each, LateFill)]
    assert orphans == ["X3", "X4"]


def test_a_live_pair_of_a_symbol_that_this_run_does_not_know_stops_the_entries() -> None:
    other = build_symbol_map([UniverseEntry(HYNIX, "Hynix", Market.KOSPI)], ["1001"])
    again = bought().comes_back(symbols=other, heartbeat_symbols=(HYNIX,), **NONE_BUT_OURS)
    status = [each for each in again.take_to(Role.SESSION_STATE) if isinstance(each, BrokerStatus)][-1]
    assert (status.connected, "does not know 005930" in status.reason) == (False, True)


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 6, 7])
def test_a_successor_of_a_successor_knows_the_same(rows: int) -> None:
    before = bought().hears(hedge()).called("H1")
    once = before.again(rows)
    twice = once.again()
    assert [order.command for order in once.core._orders.of_pair(PAIR)] == [
        order.command for order in twice.core._orders.of_pair(PAIR)
    ]
    assert once.core._memory.live_pairs() == twice.core._memory.live_pairs()


def test_a_market_entry_is_never_sent_twice_by_a_restored_machine() -> None:
    before = Stage.up(**NONE_BUT_OURS).hears(planned(style=OrderStyle.MARKET_IOC, price=Won(0)))
    stage = before.comes_back(**NONE_BUT_OURS).hears(planned(style=OrderStyle.MARKET_IOC, price=Won(0)))
    stage.waits(5 * SECOND)
    assert [call for call in stage.take_calls() if isinstance(call, SubmitOrder)] == []
