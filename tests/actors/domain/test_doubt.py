"""Doubt: what the broker's two lists prove about one order."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from actors.domain.doubt import Evidence, OrderRow, Proof, evidence, listed_fills, listed_open, unseen_fills
from actors.domain.order import OrderState, TrackedOrder
from actors.messages.orders import OrderFilled, OrderStyle
from kiwoom.codes import tr
from kiwoom.decode import Rows
from kiwoom.market import SECOND, Nanos, Shares, Side, Venue, WallNanos, Won, midnight
from tests.support.gateway_stage import HOUR, HYNIX, SAMSUNG, by_name, entry, open_row
from tests.support.playbook import TEN_O_CLOCK

SENT_AT = WallNanos(midnight(TEN_O_CLOCK) + 10 * HOUR + 30 * SECOND)


def row(order_no: str = "0000101", **changes: object) -> OrderRow:
    values: dict[str, object] = {
        "order_no": order_no,
        "symbol": SAMSUNG,
        "venue": Venue.KRX,
        "side": Side.BUY,
        "qty": 2,
        "price": 70_000,
        "leaves_qty": 0,
        "cum_qty": 0,
        "fill_px": 0,
        "time": "100030",
    }
    return OrderRow(**(values | changes))  # type: ignore[arg-type]


def order(state: OrderState, order_no: str = "", **changes: object) -> TrackedOrder:
    tracked = TrackedOrder(entry(qty=Shares(2), **changes), order_no=order_no, attempted=Nanos(1))
    tracked.attempted_wall = SENT_AT
    tracked.numbered = Nanos(5)
    tracked.machine.state = state
    return tracked


@dataclass(frozen=True)
class Case:
    name: str
    state: OrderState
    number: str
    open_rows: tuple[OrderRow, ...]
    fill_rows: tuple[OrderRow, ...]
    proof: Proof
    cum: int = 0


W, N, SENT = OrderState.WORKING, OrderState.NUMBERED, OrderState.SENT
MINE = "0000101"
CASES = [
    Case("a working order that is listed rests", W, MINE, (row(leaves_qty=2),), (), Proof.RESTING),
    Case("with what it has filled", W, MINE, (row(leaves_qty=1, cum_qty=1),), (row(cum_qty=1),), Proof.RESTING, 1),
    Case("a working order not listed at once may have filled", W, MINE, (), (), Proof.UNCLEAR),
    Case(
        "what was in the book and is not shown there at once, over a list with a remainder",
        W,
        MINE,
        (),
        (row(leaves_qty=1, cum_qty=1),),
        Proof.UNCLEAR,
        1,
    ),
    Case("with what it had filled", W, MINE, (), (row(cum_qty=1),), Proof.OVER, 1),
    Case(
        "what filled whole between the two answers is over",
        W,
        MINE,
        (row(leaves_qty=2),),
        (row(cum_qty=2),),
        Proof.OVER,
        2,
    ),
    Case(
        "a fill row an execution: the largest is a floor", W, MINE, (), (row(cum_qty=1), row(cum_qty=1)), Proof.OVER, 1
    ),
    Case("another number proves nothing", N, MINE, (row("0000102", leaves_qty=2),), (), Proof.ABSENT),
    Case("numbered, never accepted, not listed", N, MINE, (), (), Proof.ABSENT),
    Case("numbered, listed as done", N, MINE, (), (row(cum_qty=0),), Proof.OVER),
    Case("numbered, open in one list only", N, MINE, (), (row(leaves_qty=2),), Proof.UNCLEAR),
    Case("un-numbered and listed once", SENT, "", (row(leaves_qty=2),), (), Proof.RESTING),
    Case("un-numbered and listed in both", SENT, "", (row(leaves_qty=2),), (row(leaves_qty=2),), Proof.RESTING),
    Case("un-numbered and done", SENT, "", (), (row(cum_qty=2),), Proof.OVER, 2),
    Case("un-numbered and nowhere", SENT, "", (), (), Proof.ABSENT),
    Case("two like it", SENT, "", (row("1", leaves_qty=2),), (row("2", cum_qty=2),), Proof.UNCLEAR),
    Case("one older than it", SENT, "", (row(leaves_qty=2, time="095929"),), (), Proof.ABSENT),
    Case("older by less than a clock may be wrong", SENT, "", (row(leaves_qty=2, time="100024"),), (), Proof.UNCLEAR),
    Case("within the clock's tolerance", SENT, "", (row(leaves_qty=2, time="100025"),), (), Proof.RESTING),
    Case("without a time", SENT, "", (row(leaves_qty=2, time=""),), (), Proof.RESTING),
    Case("another venue", SENT, "", (row(leaves_qty=2, venue=Venue.NXT),), (), Proof.ABSENT),
    Case("another symbol", SENT, "", (row(leaves_qty=2, symbol=HYNIX),), (), Proof.ABSENT),
    Case("another side", SENT, "", (row(leaves_qty=2, side=Side.SELL),), (), Proof.ABSENT),
    Case("another quantity", SENT, "", (row(leaves_qty=1, qty=1),), (), Proof.ABSENT),
    Case("another price", SENT, "", (row(leaves_qty=2, price=70_100),), (), Proof.ABSENT),
    Case("somebody else's number", SENT, "", (row("0000999", leaves_qty=2),), (), Proof.ABSENT),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_lists_prove_what_they_prove(case: Case) -> None:
    proved = evidence(
        order(case.state, case.number),
        case.open_rows,
        case.fill_rows,
        is_taken=lambda number: number == "0000999",
        asked=Nanos(10),
    )
    assert (proved.proof, proved.cum_qty) == (case.proof, case.cum)


def test_a_working_order_not_listed_long_after_its_call_is_over() -> None:
    late = Nanos(order(W, MINE).returned + SECOND)
    assert evidence(order(W, MINE), (), (), is_taken=lambda _: False, asked=late).proof is Proof.OVER


def test_an_order_accepted_after_the_question_was_asked_is_not_over_by_its_absence() -> None:
    proved = evidence(order(W, MINE), (), (), is_taken=lambda _: False, asked=Nanos(5))
    assert proved.proof is Proof.ABSENT


@pytest.mark.parametrize(
    ("state", "time", "proof"),
    [
        (OrderState.CANCELED, "100130", Proof.OVER),
        (OrderState.CANCELED, "100131", Proof.ABSENT),
        (OrderState.CANCELED, "", Proof.OVER),
        (OrderState.SENT, "100131", Proof.OVER),  # it is looked for at once: no other like it was sent since
    ],
)
def test_a_lost_order_turns_up_soon_or_not_at_all(state: OrderState, time: str, proof: Proof) -> None:
    rows = (row(cum_qty=2, time=time),)
    found = evidence(order(state), (), rows, is_taken=lambda _: False, asked=Nanos(10))
    assert (found.proof, found.order_no) == (proof, MINE if proof is Proof.OVER else "")


def test_a_price_zero_order_is_found_at_any_price() -> None:
    tracked = order(SENT, style=OrderStyle.MARKET_IOC, price=Won(0))
    proved = evidence(
        tracked, (), (row(price=71_000, cum_qty=2, fill_px=70_900),), is_taken=lambda _: False, asked=Nanos(9)
    )
    assert (proved.proof, proved.order_no, proved.fill_px) == (Proof.OVER, MINE, 70_900)


@pytest.mark.parametrize(("read", "form"), [(listed_open, tr.OPEN_ORDERS), (listed_fills, tr.EXECUTIONS)])
def test_both_lists_read_alike(read: Callable[[Rows, Venue], tuple[OrderRow, ...]], form: tr.Tr) -> None:
    listed = by_name(form.fields, open_row("101", qty=2, leaves=1, cum=1, px=69_900, time="10:00:30"))
    cancel = by_name(form.fields, open_row("102", kind="매수취소"))
    strange = by_name(form.fields, open_row("103", kind="?"))
    expected = row(venue=Venue.NXT, leaves_qty=1, cum_qty=1, fill_px=69_900)
    assert read((listed, cancel, strange), Venue.NXT) == (expected,)


def test_a_row_of_open_orders_that_names_its_venue_is_believed() -> None:
    listed = by_name(tr.OPEN_ORDERS.fields, open_row("101", qty=2) | {"거래소구분": "2"})
    assert [each.venue for each in listed_open((listed,), Venue.KRX)] == [Venue.NXT]


def seen(*fills: tuple[int, int]) -> TrackedOrder:
    tracked = order(OrderState.WORKING, MINE)
    for number, (qty, px) in enumerate(fills):
        tracked.cum_qty = Shares(tracked.cum_qty + qty)
        tracked.fills.append(
            OrderFilled(
                "P1", tracked.cl_ord_id, str(number), Venue.KRX, Side.BUY, Won(px), Shares(qty), tracked.cum_qty,
                Shares(0), None, None, Nanos(1),
            )
        )  # fmt: skip
    return tracked


@pytest.mark.parametrize(
    ("known", "all_fills", "unseen"),
    [
        ((), ((3, 70_000),), ((3, 70_000),)),
        (((2, 3_760),), ((2, 3_760), (1, 3_755)), ((1, 3_755),)),
        ((), ((1, 3_755), (2, 3_760)), ((1, 3_755), (2, 3_760))),
        (((1, 3_770),), ((1, 3_770), (2, 3_755), (2, 3_760)), ((2, 3_755), (2, 3_760))),
        (((1, 19_990),), ((1, 19_990), (1, 20_050)), ((1, 20_050),)),
        ((), ((1, 39_325),), ((1, 39_325),)),  # a mid-price
    ],
)
def test_what_the_average_leaves_open_the_tick_decides(
    known: tuple[tuple[int, int], ...], all_fills: tuple[tuple[int, int], ...], unseen: tuple[tuple[int, int], ...]
) -> None:
    """A fill whose report is lost is known by the average of the order alone; the money must be right all the same."""
    qty = sum(each for each, _ in all_fills)
    average = sum(each * px for each, px in all_fills) // qty
    proved = Evidence(Proof.OVER, MINE, Shares(qty), Won(average))
    assert unseen_fills(seen(*known), proved) == unseen
