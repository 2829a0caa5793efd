"""Gateway: one order and its cancel, their events shuffled, repeated, without their screens, some lost.

The broker's truth is drawn first; then its events are mangled. Whatever happens to them, no fill is lost or booked
twice, the order ends exactly once with the true quantities, and nothing is taken for trouble that is only disorder.
"""

from collections.abc import Callable
from random import Random

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from actors.effects import Role
from actors.messages.journal import EventType
from actors.messages.orders import DoubtResolved, DoubtVerdict, OrderCanceled, OrderFilled
from actors.messages.pairs import OrderEnded
from actors.messages.session import BrokerStatus
from kiwoom.control import ReportKind, RequestTr
from kiwoom.market import SECOND, Shares, Side, Venue
from tests.support.gateway_stage import Stage, cancel, hedge, open_row, query

TERMINAL = (EventType.TRADE_FILL, EventType.CANCELED, EventType.ORDER_REJECT, EventType.ORDER_REFUSED)
NXT_SELL = {"venue": Venue.NXT, "side": Side.SELL}
Step = Callable[[], object]


def broker_events(stage: Stage, qty: int, fills: list[int], with_cancel: bool, screen: str) -> list[Step]:
    """What the broker raises about a post of `qty` that fills in `fills` and, if not whole, leaves the book."""
    about = {**NXT_SELL, "qty": Shares(qty), "price": hedge().price, "screen_no": screen}
    steps: list[Step] = [lambda: stage.numbered("H1", "0000102"), lambda: stage.accepted("0000102", **about)]
    for index, each in enumerate(fills):

        def fill(number: int = index, size: int = each) -> object:
            return stage.report(
                ReportKind.FILL, "0000102", exec_id=f"X{number}", fill_qty=Shares(size), fill_px=hedge().price, **about
            )

        steps.append(fill)
    filled = sum(fills)
    if filled < qty:
        if with_cancel:
            by_cancel = {**about, "qty": Shares(qty - filled), "is_cancel": True, "orig_order_no": "0000102"}
            steps.append(lambda: stage.numbered("C1", "0000103"))
            steps.append(lambda: stage.accepted("0000103", **by_cancel))
            steps.append(lambda: stage.report(ReportKind.CONFIRMED, "0000103", **by_cancel))
        steps.append(lambda: stage.cleared("0000102", cum=filled, **about))
    return steps


def answer_queries(stage: Stage, qty: int, filled: int) -> None:
    """The truth: the order has left the book having filled `filled`."""
    for _ in range(4):
        for call in stage.take_calls():
            if isinstance(call, RequestTr):
                row = open_row("0000102", kind="-매도", qty=qty, price=70_300, leaves=0, cum=filled, px=70_300)
                stage.tr_answer(call, (row,) if filled and call.tr_code == "opt10076" else ())
        stage.waits(SECOND)


@given(
    seed=st.integers(0, 10**6),
    fills=st.lists(st.integers(1, 2), max_size=3),
    rest=st.integers(0, 2),
    with_cancel=st.booleans(),
    screen=st.sampled_from(["4001", ""]),
    lose=st.booleans(),
)
@hypothesis_settings(max_examples=100, deadline=None)
def test_disorder_loses_nothing_and_books_nothing_twice(
    seed: int, fills: list[int], rest: int, with_cancel: bool, screen: str, lose: bool
) -> None:
    random = Random(seed)
    qty, filled = max(1, sum(fills) + rest), sum(fills)
    stage = Stage.up().hears(hedge(qty=Shares(qty))).called("H1")
    if with_cancel:  # a cancel can only leave once its order has a number
        stage.numbered("H1", "0000102").hears(cancel()).called("C1")
    steps = broker_events(stage, qty, fills, with_cancel and filled < qty, screen)
    steps += [step for step in steps if random.random() < 0.3]
    random.shuffle(steps)
    if lose:
        steps = [step for step in steps if random.random() < 0.7]
    for step in steps:
        step()
    stage.waits(SECOND)
    for _ in range(4):
        stage.hears(query("H1"))
        answer_queries(stage, qty, filled)
        if stage.core._orders.order("H1").is_over:
            break

    sends = stage.take_sends()
    told = [send.message for send in sends if send.to is Role.PAIR_MANAGER]
    booked = [event for event in told if isinstance(event, OrderFilled)]
    ends = [event for event in told if isinstance(event, OrderCanceled)]
    assert sum(event.fill_qty for event in booked) == filled
    assert booked == [] or booked[-1].cum_qty == filled
    assert [(end.cum_qty, end.canceled_qty) for end in ends] == ([(filled, qty - filled)] if filled < qty else [])
    assert len([send for send in sends if isinstance(send.message, OrderEnded)]) == 1
    assert not [send for send in sends if isinstance(send.message, BrokerStatus)]
    assert [event.verdict for event in told if isinstance(event, DoubtResolved)][-1] is DoubtVerdict.ENDED
    rows = stage.take_orders()
    assert len([row for row in rows if row.event_type in TERMINAL and row.cl_ord_id == "H1"]) == 1
