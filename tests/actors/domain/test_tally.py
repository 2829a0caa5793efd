"""The day's counts: the rows of different actors may stand in any order, and the figures are the same."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.domain.tally import DayTally, percentile
from actors.messages.journal import EventType, Row
from tests.support.builders import pair_rows, row

WRITERS = {
    EventType.SIGNAL: "spread_engine",
    EventType.ADMITTED: "router",
    EventType.NOT_ADMITTED: "router",
    EventType.PAIR_STATE: "pair_manager",
    EventType.PAIRED_DONE: "pair_manager",
    EventType.UNHEDGED: "pair_manager",
    EventType.FLATTENED: "pair_manager",
    EventType.HEDGE_TIMEOUT: "pair_manager",
}
"""Who writes what; the Gateway writes the rest. The rows of one actor keep their order, nothing else is promised."""

MONEY = {"gross_krw": 500, "fees_krw": 20, "tax_krw": 140, "net_krw": 340, "unhedged_ms": 60}


def folded(rows: Iterable[Row]) -> DayTally:
    day = DayTally()
    for each in rows:
        day.add(each)
    return day


def counted(day: DayTally) -> dict[str, Any]:
    """Everything that is shown, without the order in which pairs were heard of."""
    return {
        "signals": day.signals,
        "not_admitted": dict(day.not_admitted),
        "pairs": dict(day.pairs),
        "orders": dict(day.orders),
        "sends": day.sends,
        "cancels": day.cancels,
        "rejects": dict(day.rejects),
        "refusals": dict(day.refusals),
        "cancel_rejects": day.cancel_rejects,
        "timeouts": day.timeouts,
        "done": day.done,
        "hedge_timeouts": day.hedge_timeouts,
        "unhedged": day.unhedged,
        "flattened": day.flattened,
        "money": day.money,
        "open_qty": dict(day.open_qty),
        "live": day.live,
        "escalated": day.escalated,
        "partial_entries": day.partial_entries,
    }


def refused_rows(pair_id: str) -> list[Row]:
    ids = {"pair_id": pair_id, "symbol": "000660"}
    return [
        row(EventType.SIGNAL, 0, {"tick_recv_mono_ns": 0}, **ids),
        row(EventType.NOT_ADMITTED, 1, {"suppressed": 2}, reason="NO_CASH", **ids),
    ]


def hard_pair_rows(pair_id: str) -> list[Row]:
    """A partial entry, a hedge that came too late and was cancelled, an imbalance left open and closed at the end."""
    ids = {"pair_id": pair_id, "symbol": "035420"}
    entry, post, ioc = (f"{pair_id}-{tail}" for tail in ("A1", "B1", "B2"))
    sale = {"cl_ord_id": entry, "leg": "A", "side": "SELL", "fill_px": 70_500, **ids}
    buy = {"leg": "B", "side": "BUY", "fill_px": 70_000, **ids}
    return [
        row(EventType.SIGNAL, 0, {"tick_recv_mono_ns": 0}, **ids),
        row(EventType.ADMITTED, 1, **ids),
        row(EventType.ORDER_SEND_ATTEMPT, 2, cl_ord_id=entry, leg="A", side="SELL", qty=3, **ids),
        row(EventType.ORDER_ACK, 9, cl_ord_id=entry, leg="A", **ids),
        row(EventType.TRADE_PARTIAL, 10, fill_qty=2, **sale),
        row(EventType.CANCELED, 11, cl_ord_id=entry, leg="A", reason="IOC_REMAINDER", **ids),
        row(EventType.PAIR_STATE, 12, state="HEDGE_POST_SENT", **ids),
        row(EventType.ORDER_SEND_ATTEMPT, 13, cl_ord_id=post, leg="B", side="BUY", qty=2, **ids),
        row(EventType.HEDGE_TIMEOUT, 1_013, **ids),
        row(EventType.CANCEL_SEND_ATTEMPT, 1_014, cl_ord_id=f"{pair_id}-C1", **ids),
        row(EventType.PAIR_STATE, 1_050, state="HEDGE_IOC_SENT", **ids),
        row(EventType.ORDER_SEND_ATTEMPT, 1_051, cl_ord_id=ioc, leg="B", side="BUY", qty=2, **ids),
        row(EventType.ORDER_REJECT, 1_060, cl_ord_id=ioc, leg="B", reason="EXCHANGE", message_text="VI", **ids),
        row(EventType.PAIR_STATE, 1_061, state="UNHEDGED", **ids),
        row(EventType.UNHEDGED, 1_061, MONEY | {"net_krw": -1_000, "gross_krw": -840}, **ids),
        row(EventType.PAIR_STATE, 1_999, {"child": 1, "handed_qty": -2, "handed_won": 141_000}, state="RESCUE", **ids),
        row(EventType.ORDER_SEND_ATTEMPT, 2_000, cl_ord_id=f"{pair_id}-F1", leg="B", side="BUY", qty=2, **ids),
        row(EventType.TRADE_FILL, 2_050, cl_ord_id=f"{pair_id}-F1", fill_qty=2, **buy),
        row(EventType.PAIR_STATE, 2_051, state="FLATTENED", **ids),
        row(EventType.FLATTENED, 2_051, MONEY | {"child": 1}, **ids),
    ]


DAY = [*pair_rows("p-1"), *refused_rows("p-2"), *hard_pair_rows("p-3"), *pair_rows("p-4", 500, "BUY", -30)]


def by_writer(rows: list[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for each in rows:
        found.setdefault(WRITERS.get(each.event_type, "gateway"), []).append(each)
    return found


@given(st.permutations([writer for writer, rows in by_writer(DAY).items() for _ in rows]))
@settings(max_examples=100)
def test_the_rows_of_different_actors_may_stand_in_any_order(turns: list[str]) -> None:
    waiting = {writer: iter(rows) for writer, rows in by_writer(DAY).items()}
    assert counted(folded(next(waiting[writer]) for writer in turns)) == counted(folded(DAY))


def test_the_day_is_counted_as_it_was() -> None:
    day = folded(DAY)
    assert (day.signals, day.admitted, day.live, day.done, day.flattened, day.unhedged) == (4, 3, 0, 2, 1, 1)
    assert day.not_admitted == {"NO_CASH": 3}
    assert (len(day.orders), day.cancels, day.hedge_timeouts) == (8, 1, 1)
    assert day.rejects == {"EXCHANGE: VI": 1}
    assert (day.partial_entries, day.escalated) == (1, 1)
    assert day.open_qty == {}
    assert [send for _, send in day.sends].count("entry") == 3


def test_a_flattened_imbalance_is_booked_once_with_the_figures_of_its_end() -> None:
    rows = hard_pair_rows("p-3")
    unhedged = folded(rows[:-1])
    assert (unhedged.money.net, unhedged.pairs["p-3"].net_won) == (-1_000, -1_000)
    flat = folded(rows)
    assert (flat.money.net, flat.money.gross, flat.pairs["p-3"].net_won) == (340, 500, 340)


def test_an_imbalance_handed_over_and_left_open_again_is_booked_once() -> None:
    *rows, again = hard_pair_rows("p-3")
    rows.append(replace(again, event_type=EventType.UNHEDGED))
    assert folded(rows).money.net == 340


def test_a_flattened_child_that_was_handed_nothing_leaves_what_stands() -> None:
    rows = [each for each in hard_pair_rows("p-3") if each.state != "RESCUE"]
    assert folded(rows).money.net == 340 - 1_000


def test_what_was_bought_and_not_sold_is_open_until_it_is() -> None:
    rows = hard_pair_rows("p-3")
    fills = [each for each in rows if each.fill_qty]
    assert folded(rows[: rows.index(fills[0]) + 1]).open_qty == {"p-3": -2}
    assert folded(rows).open_qty == {}


def test_a_second_number_of_an_order_does_not_move_its_ack() -> None:
    ids = {"pair_id": "p", "cl_ord_id": "p-A1", "leg": "A"}
    day = folded([row(EventType.ORDER_SEND_ATTEMPT, 1, side="BUY", qty=1, **ids),
                  row(EventType.ORDER_ACK, 5, **ids), row(EventType.ORDER_ACK, 50, **ids)])  # fmt: skip
    assert day.orders["p-A1"].acked == 5_000_000


def test_the_percentile_is_the_nearest_rank() -> None:
    assert percentile([], 95) == 0
    assert percentile([7], 50) == 7
    assert percentile(list(range(100, 0, -1)), 95) == 95
    assert [percentile([10, 20, 30, 40], part) for part in (1, 25, 26, 50, 75, 76, 100)] == [10, 10, 20, 20, 30, 40, 40]
