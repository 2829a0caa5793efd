"""Journal rows of orders: every column that CONTRACTS.md gives an order, filled once here.

`ts` is the event's own time: the control thread's stamp, with wall time taken back by the same distance.
"""

from collections.abc import Mapping
from typing import Any

from actors.domain.order import TrackedCancel, TrackedOrder
from actors.domain.plan_record import plan_as_json
from actors.messages.journal import EventType, Row
from actors.messages.orders import CancelOrder, PlaceOrder
from kiwoom.control import OrderReport
from kiwoom.market import Nanos, Now, WallNanos

Columns = Mapping[str, Any]


def plain_row(event_type: EventType, now: Now, at: Nanos | None = None, **columns: Any) -> Row:
    """A row of the Gateway about something else than an order. `at` is the event's stamp, now if it has none."""
    mono = now.mono if at is None else at
    return Row(event_type, mono, WallNanos(now.wall - (now.mono - mono)), **columns)


def given(command: PlaceOrder) -> tuple[tuple[str, Any], ...]:
    """What an order's columns do not say of its command: with these a successor can read the command back."""
    return (
        ("style", command.style.value),
        ("slot", command.slot),
        ("symbol_index", command.symbol_index),
        ("generation", command.generation),
        *((("plan", plan_as_json(command.plan)),) if command.plan is not None else ()),
    )


def order_row(
    event_type: EventType,
    now: Now,
    order: TrackedOrder,
    at: Nanos | None = None,
    report: OrderReport | None = None,
    extra: tuple[tuple[str, Any], ...] = (),
    **columns: Any,
) -> Row:
    """The order's first row, whichever it is, tells all of its command."""
    command = order.command
    is_first = event_type is EventType.ORDER_SEND_ATTEMPT or not order.attempted
    filled: dict[str, Any] = {
        "pair_id": command.pair_id,
        "leg": command.leg,
        "venue": command.venue.value,
        "symbol": command.symbol,
        "cl_ord_id": command.cl_ord_id,
        "order_no": order.order_no or None,
        "side": command.side.value,
        "qty": command.qty,
        "hoga_code": order.hoga or None,
        "price": command.price,
        "leaves_qty": order.leaves_qty,
        "screen_no": order.screen_no or None,
        "rq_name": command.cl_ord_id,
        "order_type": order.order_type or None,
        "extra": (("kind", command.kind.value), *(given(command) if is_first else ()), *extra),
    }
    if report is not None:
        filled |= {"sgubun": "0", "fids": report.fids}
    return plain_row(event_type, now, at, **(filled | columns))


def cancel_row(
    event_type: EventType,
    now: Now,
    cancel: TrackedCancel,
    at: Nanos | None = None,
    report: OrderReport | None = None,
    extra: tuple[tuple[str, Any], ...] = (),
    **columns: Any,
) -> Row:
    """A row under the cancel's own id. `qty` is what it wants to cancel."""
    target = cancel.target
    filled: dict[str, Any] = {
        "pair_id": cancel.command.pair_id,
        "leg": target.command.leg,
        "venue": target.venue.value,
        "symbol": target.symbol,
        "cl_ord_id": cancel.cl_ord_id,
        "order_no": cancel.order_no or None,
        "orig_order_no": target.order_no or None,
        "side": target.side.value,
        "qty": target.leaves_qty,
        "screen_no": cancel.screen_no or None,
        "rq_name": cancel.cl_ord_id,
        "extra": (("kind", "cancel"), ("target", target.cl_ord_id), *extra),
    }
    if report is not None:
        filled |= {"sgubun": "0", "fids": report.fids}
    return plain_row(event_type, now, at, **(filled | columns))


def refused_cancel_row(now: Now, command: CancelOrder, **columns: Any) -> Row:
    """A cancel refused before it was tracked."""
    return plain_row(
        EventType.ORDER_REFUSED,
        now,
        pair_id=command.pair_id,
        symbol=command.symbol,
        cl_ord_id=command.cl_ord_id,
        extra=(("kind", "cancel"), ("target", command.target)),
        **columns,
    )
