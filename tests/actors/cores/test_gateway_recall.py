"""Gateway started again: its orders are what its predecessor knew, up to what was not yet journalled.

Scripted lives of an order are cut after every row; the successor knows what the rows tell, and calls no id again.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from actors.domain.order import CancelState, OrderState, TrackedCancel
from actors.domain.order_recall import in_our_time
from actors.messages.journal import EventType, Row
from actors.messages.market_data import OwnResting
from actors.messages.orders import (
    DoubtVerdict,
    EndReason,
    OrderAccepted,
    OrderAcked,
    OrderCanceled,
    OrderFilled,
    OrderStyle,
    PlaceOrder,
)
from actors.messages.pairs import OrderStanding
from actors.messages.session import ConnectBroker
from kiwoom.control import ReportKind, RequestTr, SubmitOrder
from kiwoom.market import MS, SECOND, Nanos, Now, Shares, Side, Venue, WallNanos, Won
from tests.support.builders import row
from tests.support.gateway_stage import PAIR, SLOT, Stage, cancel, entry, hedge, open_row, query

E = EventType
NXT_SELL = {"venue": Venue.NXT, "side": Side.SELL, "price": Won(70_300)}
TERMINAL = (E.TRADE_FILL, E.CANCELED, E.ORDER_REJECT, E.ORDER_REFUSED)
IDS = {"E1": entry(), "H1": hedge(), "H2": hedge("H2"), "C1": cancel(), "C2": cancel("C2")}

Step = Callable[[Stage], object]


def tell(stage: Stage, open_rows: tuple[Any, ...] = (), fill_rows: tuple[Any, ...] = ()) -> None:
    """The broker answers whatever is being asked."""
    for _ in range(2):
        for call in stage.take_calls():
            if isinstance(call, RequestTr):
                stage.tr_answer(call, open_rows if call.tr_code == "opt10075" else fill_rows)


LIVES: dict[str, tuple[Step, ...]] = {
    "filled in two parts": (
        lambda stage: stage.hears(entry(qty=Shares(3))),
        lambda stage: stage.called("E1"),
        lambda stage: stage.numbered("E1", "0000101"),
        lambda stage: stage.accepted("0000101", qty=Shares(3)),
        lambda stage: stage.filled("0000101", "X1", commission_won=Won(10), tax_won=Won(0)),
        lambda stage: stage.filled("0000101", "X2", qty=2, px=69_900),
    ),
    "a remainder taken out": (
        lambda stage: stage.hears(entry(qty=Shares(3))).called("E1").numbered("E1", "0000101"),
        lambda stage: stage.accepted("0000101", qty=Shares(3)),
        lambda stage: stage.filled("0000101", "X1"),
        lambda stage: stage.cleared("0000101", cum=1),
        lambda stage: stage.filled("0000101", "X2"),  # after its end
    ),
    "numbered before the call returned": (
        lambda stage: stage.hears(entry()),
        lambda stage: stage.numbered("E1", "0000101"),
        lambda stage: stage.called("E1"),
        lambda stage: stage.accepted("0000101"),
    ),
    "rejected by the server": (
        lambda stage: stage.hears(entry()).called("E1"),
        lambda stage: stage.words("E1", "not enough money"),
        lambda stage: stage.numbered("E1", ""),
    ),
    "turned away by the control": (
        lambda stage: stage.hears(entry()),
        lambda stage: stage.called("E1", -308),
    ),
    "rejected by the exchange": (
        lambda stage: stage.hears(entry()).called("E1").numbered("E1", "0000101"),
        lambda stage: stage.report(ReportKind.REJECTED, "0000101", reject_reason="no"),
    ),
    "refused": (lambda stage: stage.hears(entry(price=Won(70_001))),),
    "found by a query, its fill known before its report": (
        lambda stage: stage.hears(entry(qty=Shares(2))).called("E1"),
        lambda stage: stage.waits(200 * MS),
        lambda stage: stage.hears(query()),
        lambda stage: tell(stage, (open_row("0000101", qty=2, leaves=1, cum=1, px=70_000),)),
        lambda stage: stage.waits(SECOND),
        lambda stage: stage.filled("0000101", "X1", qty=1),
        lambda stage: stage.filled("0000101", "X2", qty=1),
    ),
    "proved lost": (
        lambda stage: stage.hears(entry()).called("E1").waits(2 * SECOND),
        lambda stage: (stage.hears(query()), tell(stage)),
        lambda stage: stage.waits(SECOND),
        lambda stage: (stage.hears(query()), tell(stage)),
    ),
    "a post cancelled": (
        lambda stage: stage.hears(hedge(qty=Shares(2))).called("H1").numbered("H1", "0000102"),
        lambda stage: stage.accepted("0000102", **NXT_SELL, qty=Shares(2)),
        lambda stage: stage.hears(cancel()),
        lambda stage: stage.called("C1"),
        lambda stage: stage.numbered("C1", "0000103"),
        lambda stage: stage.report(
            ReportKind.CONFIRMED, "0000103", orig_order_no="0000102", is_cancel=True, **NXT_SELL, qty=Shares(2)
        ),
    ),
    "a cancel rejected and given again": (
        lambda stage: stage.hears(hedge()).called("H1").numbered("H1", "0000102"),
        lambda stage: stage.accepted("0000102", **NXT_SELL),
        lambda stage: stage.hears(cancel()).called("C1"),
        lambda stage: stage.words("C1", "too late"),
        lambda stage: stage.numbered("C1", ""),
        lambda stage: stage.hears(cancel("C2")).called("C2").waits(SECOND),
        lambda stage: stage.filled("0000102", "X1", **NXT_SELL),
    ),
}


def standings(stage: Stage) -> dict[str, OrderStanding]:
    return {each.command.cl_ord_id: each for each in (o.standing for o in stage.core._orders.of_pair(PAIR))}


def as_journalled(standing: OrderStanding) -> OrderStanding:
    """Without what no row tells: cancels under way, and a call's return as long as nothing else was heard."""
    return replace(standing, cancel_id="", cancel_at=None, submitted_at=standing.numbered_at)


def repeats_every_id(stage: Stage) -> list[str]:
    """Every id of the journal is given once more; the rqnames that were called."""
    known = {
        written.cl_ord_id for written in stage.journal if written.cl_ord_id in IDS and "kind" in dict(written.extra)
    }
    stage.forgets()
    for cl_ord_id in sorted(known):
        stage.hears(IDS[cl_ord_id])
    stage.waits(2 * SECOND)
    return [call.rq_name for call in stage.take_calls() if isinstance(call, SubmitOrder)]


@pytest.mark.parametrize("name", LIVES)
def test_a_life_cut_between_two_events_is_known_as_it_was(name: str) -> None:
    stage = Stage.up()
    for step in LIVES[name]:
        step(stage)
        again = stage.again()
        known, recalled = standings(stage), standings(again)
        assert list(map(as_journalled, recalled.values())) == list(map(as_journalled, known.values()))
        pairs = zip(stage.core._orders.of_pair(PAIR), again.core._orders.of_pair(PAIR), strict=True)
        for before, after in pairs:
            assert after.state is before.state or before.state is OrderState.CALLED
            for name_of in ("order_no", "screen_no", "attempted", "exec_ids", "inferred_qty", "accepted"):
                assert getattr(after, name_of) == getattr(before, name_of), name_of


@pytest.mark.parametrize("name", LIVES)
def test_a_life_cut_after_any_row_calls_no_id_again_and_ends_it_once(name: str) -> None:
    stage = Stage.up()
    for step in LIVES[name]:
        step(stage)
    for rows in range(1, len(stage.journal) + 1):
        successor = stage.comes_back(rows)
        assert repeats_every_id(successor) == [], stage.journal[rows - 1].event_type
        ended = [each.cl_ord_id for each in successor.journal if each.event_type in TERMINAL]
        assert len(ended) == len(set(ended))


def test_an_attempt_without_a_known_return_is_sent_and_in_doubt() -> None:
    """The process may have died between the row and the call."""
    stage = Stage.up().hears(entry()).again()
    (order,) = stage.core._orders.of_pair(PAIR)
    assert (order.state, order.returned, order.order_no) == (OrderState.SENT, stage.mono, "")
    assert order.standing.submitted_at == stage.mono


def test_it_is_found_by_the_reconciliation() -> None:
    stage = Stage.up().hears(entry()).comes_back(open_rows=(open_row("0000101"),))
    assert [type(event) for event in stage.take_events()] == [OrderAcked, OrderAccepted]


def test_it_is_lost_only_if_two_late_lists_do_not_show_it() -> None:
    """The first look comes too soon after the restart; the boot and the pair's query tell."""
    stage = Stage.up().hears(entry()).comes_back()
    assert E.CANCELED not in stage.row_types()
    stage.waits(SECOND).hears(query())
    tell(stage)
    assert [event.verdict for event in stage.take_events() if hasattr(event, "verdict")] == [DoubtVerdict.ENDED]
    assert [each.reason for each in stage.journal if each.event_type is E.CANCELED] == ["LOST"]


def test_an_order_known_from_the_journal_is_followed() -> None:
    stage = Stage.up().entry_working().comes_back(open_rows=(open_row("0000101"),)).forgets()
    stage.filled("0000101", "X1")
    assert [type(event) for event in stage.take_events()] == [OrderFilled]


def test_a_known_order_that_ended_meanwhile_is_ended_by_the_reconciliation() -> None:
    stage = Stage.up().entry_working().comes_back()
    ends = [each for each in stage.take_events() if isinstance(each, OrderCanceled)]
    assert [end.cl_ord_id for end in ends] == ["E1"]


def test_a_fill_that_came_while_we_were_down_is_booked_once() -> None:
    row_of_fill = open_row("0000101", leaves=0, cum=1, px=69_900)
    stage = Stage.up().entry_working().comes_back(fill_rows=(row_of_fill,)).waits(SECOND)
    stage.filled("0000101", "X1", px=69_900)  # its own report, seconds late
    fills = [each for each in stage.take_events() if isinstance(each, OrderFilled)]
    assert [(each.fill_px, each.cum_qty) for each in fills] == [(69_900, 1)]


def test_fills_known_from_the_journal_are_not_booked_again() -> None:
    before = Stage.up().entry_working(qty=Shares(2)).filled("0000101", "X1")
    stage = before.comes_back(open_rows=(open_row("0000101", qty=2, leaves=1, cum=1, px=70_000),)).forgets()
    stage.filled("0000101", "X1").filled("0000101", "X2")
    assert [(event.exec_id, event.cum_qty) for event in stage.take_events()] == [("X2", 2)]


def test_a_purchase_that_the_first_snapshot_contains_is_not_counted_again() -> None:
    """Restarted with a live purchase: the holdings hold it already, and then its report comes."""
    stage = Stage.up(holdings=()).entry_working()
    stage = stage.comes_back(holdings=(("005930", 1, 1),), open_rows=(open_row("0000101"),))
    stage.filled("0000101", "X1").forgets().hears(hedge(qty=Shares(2)))
    assert [event.reason.value for event in stage.take_events()] == ["UNCOVERED_SALE"]


def test_our_orders_of_before_are_no_strangers_and_strangers_still_are() -> None:
    rows = (open_row("0000101"), open_row("0000777"))
    stage = Stage.up().entry_working().comes_back(open_rows=rows)
    (reconciled,) = [each for each in stage.journal if each.event_type is E.RECONCILED][-1:]
    assert dict(reconciled.extra)["external_orders"] == 1


@pytest.mark.parametrize("numbered", [False, True])
def test_a_cancel_under_way_is_forgotten_but_its_confirmation_still_counts(numbered: bool) -> None:
    before = Stage.up().hedge_working().hears(cancel()).called("C1")
    if numbered:
        before.numbered("C1", "0000103")
    stage = before.again()
    forgotten = stage.core._orders.find("C1")
    assert isinstance(forgotten, TrackedCancel)
    assert (forgotten.state, standings(stage)["H1"].cancel_id) == (CancelState.FORGOTTEN, "")
    stage.forgets().report(ReportKind.CONFIRMED, "0000103", orig_order_no="0000102", is_cancel=True, **NXT_SELL)
    (event,) = stage.take_events()
    assert (type(event), event.reason) == (OrderCanceled, EndReason.BY_US)


def test_a_late_rejection_of_a_forgotten_cancel_says_nothing_of_the_next() -> None:
    before = Stage.up().hedge_working().hears(cancel()).called("C1").numbered("C1", "0000103")
    rejected = {**NXT_SELL, "orig_order_no": "0000102", "is_cancel": True, "reject_reason": "filled"}
    stage = before.again().report(ReportKind.REJECTED, "0000103", **rejected)
    assert stage.take_events() == []


def test_the_shards_are_told_when_what_rested_before_rests_no_more() -> None:
    stage = Stage.up().hedge_working().waits(SECOND).comes_back()
    told = [send.message for send in stage.take_sends() if isinstance(send.message, OwnResting)]
    assert told[0].qty == 0


def test_an_order_withdrawn_before_it_left_is_known_too() -> None:
    before = Stage.up()
    before.hears(entry()).hears(hedge(venue=Venue.KRX, side=Side.BUY, price=Won(69_000)))  # waits for E1's number
    before.hears(cancel())
    assert standings(before.again())["H1"].over
    assert repeats_every_id(before.comes_back()) == []


# --- another boot of the machine --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mono", "expected"), [(9_000 * SECOND, 60 - 5), (20 * SECOND, 60 - 5), (55 * SECOND, 55)])
def test_rows_of_another_boot_are_as_old_as_the_wall_says(mono: int, expected: int) -> None:
    """Written five seconds ago by the wall; our monotonic clock stands at one minute."""
    started = Now(Nanos(60 * SECOND), WallNanos(10**18))
    written = row(E.ORDER_ACK, 0, {"returned_mono_ns": mono - 7, "called_mono_ns": 0})
    written = replace(written, ts_mono=Nanos(mono), ts_wall=WallNanos(10**18 - 5 * SECOND))
    ours = in_our_time(written, started)
    assert ours.ts_mono == expected * SECOND
    assert dict(ours.extra) == {"returned_mono_ns": expected * SECOND - 7, "called_mono_ns": 0}


def test_no_row_is_of_the_future() -> None:
    started = Now(Nanos(SECOND), WallNanos(10**18))
    later = replace(row(E.ORDER_ACK), ts_mono=Nanos(2 * SECOND), ts_wall=WallNanos(10**18 + SECOND))
    assert in_our_time(later, started).ts_mono == SECOND


# --- whatever is lost -------------------------------------------------------------------------------------------------


@given(
    fills=st.lists(st.integers(1, 2), min_size=1, max_size=3),
    rest=st.integers(0, 2),
    cut=st.integers(0, 8),
    down=st.integers(0, 3),
    repeat=st.booleans(),
)
@hypothesis_settings(max_examples=100, deadline=None)
def test_a_death_in_mid_life_loses_no_fill_and_books_none_twice(
    fills: list[int], rest: int, cut: int, down: int, repeat: bool
) -> None:
    """The Gateway dies after `cut` events, misses the next `down` ones, and hears the others, some of them again."""
    qty, filled = sum(fills) + rest, sum(fills)
    about = {"qty": Shares(qty)}
    first = Stage.up().hears(entry(qty=Shares(qty))).called("E1").numbered("E1", "0000101")
    events: list[Step] = [lambda stage: stage.accepted("0000101", **about)]
    events += [
        lambda stage, number=number, size=size: stage.filled(
            "0000101", f"X{number}", qty=size, cum_qty=Shares(sum(fills[: number + 1]))
        )
        for number, size in enumerate(fills)
    ]
    if rest:
        events.append(lambda stage: stage.cleared("0000101", cum=filled, **about))
    for step in events[:cut]:
        step(first)
    done = min(filled, sum(fills[: max(0, cut + down - 1)]))
    is_over = cut + down >= len(events)
    listed = open_row("0000101", qty=qty, leaves=0 if is_over else qty - done, cum=done, px=70_000)
    rests = () if is_over or done == qty else (listed,)
    second = first.comes_back(open_rows=rests, fill_rows=(listed,) if done else ())
    second.waits(SECOND)
    for step in events[cut if repeat else cut + down :]:
        step(second)
    fill_rows: list[Row] = [each for each in second.journal if each.event_type in (E.TRADE_PARTIAL, E.TRADE_FILL)]
    assert sum(each.fill_qty or 0 for each in fill_rows) == filled
    assert len([each for each in second.journal if each.event_type in TERMINAL]) == 1
    assert second.core._flow.trouble == ""
    (order,) = second.core._orders.of_pair(PAIR)
    assert (order.cum_qty, order.is_over) == (filled, True)


def test_a_hedge_of_market_style_comes_back_as_it_was() -> None:
    command = hedge(style=OrderStyle.MARKET_IOC, price=Won(0), generation=2)
    before = Stage.up().hears(command).called("H1")
    recalled = before.again().core._orders.order("H1")
    assert recalled is not None
    assert recalled.command == command
    assert isinstance(recalled.command, PlaceOrder)
    assert recalled.command.slot == SLOT


def test_nothing_is_sent_before_the_successor_is_connected() -> None:
    stage = Stage.up().entry_working().again()
    assert stage._unmatched == []
    stage.hears(ConnectBroker())
    assert stage.take_events() == []
