"""Our orders as the journal tells them, for a Gateway that was started again.

Each row moves the order as the event behind it had moved it; what was not journalled is not assumed. So an order whose
call has no known result counts as sent, and is in doubt until the broker's lists prove what became of it. A cancel
under way is forgotten: its pair gives another. No id of the day is ever used again.

The monotonic stamps of an earlier boot of the machine mean nothing now: rows whose clock is not ours are told in our
time by their age on the wall.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

from actors.domain.order import (
    OPEN_CANCEL_STATES,
    CancelState,
    OrderState,
    OrderTrigger,
    TrackedCancel,
    TrackedOrder,
)
from actors.domain.own_orders import OwnOrders
from actors.messages.journal import BY_QUERY, OVER_AGAIN, EventType, Row
from actors.messages.orders import (
    CancelOrder,
    EndReason,
    OrderAccepted,
    OrderAcked,
    OrderCanceled,
    OrderEvent,
    OrderFilled,
    OrderKind,
    OrderRefused,
    OrderRejected,
    OrderStyle,
    OrderSubmitted,
    PlaceOrder,
    RefusalReason,
    RejectSource,
)
from kiwoom.market import SECOND, Nanos, Now, Shares, Side, Symbol, Venue, Won

SAME_BOOT_NS: Final = 10 * SECOND
"""A row's two clocks differ from ours by no more than this if it is of this boot: the wall clock may be set."""

_STAMP: Final = "_mono_ns"
"""Ends the names of the stamps in a row's `extra`."""


def in_our_time(row: Row, started: Now) -> Row:
    """The row with its stamps on our monotonic clock, never later than `started`."""
    by_wall = started.mono - (started.wall - row.ts_wall)
    shift = min(by_wall, started.mono) - row.ts_mono
    if row.ts_mono <= started.mono and abs(shift) <= SAME_BOOT_NS:
        return row
    extra = tuple((name, value + shift if name.endswith(_STAMP) and value else value) for name, value in row.extra)
    return replace(row, ts_mono=Nanos(row.ts_mono + shift), extra=extra)


@dataclass(frozen=True, slots=True)
class _Facts:
    """A row about an order, its `extra` by name."""

    row: Row
    extra: dict[str, Any]

    @property
    def at(self) -> Nanos:
        return self.row.ts_mono


class OrderRecall:
    """Rows in, oldest first, each in our time; the orders go into `orders`."""

    def __init__(self, orders: OwnOrders) -> None:
        self._orders = orders
        self._unreturned: dict[str, TrackedOrder | TrackedCancel] = {}
        """Attempted, and no row since tells of them: at most those in flight at the last death."""
        self._cancels: dict[str, TrackedCancel] = {}
        """Not answered yet."""
        self._returns: list[Nanos] = []

    def take(self, row: Row) -> None:
        facts = _Facts(row, dict(row.extra))
        match row.event_type:
            case EventType.ORDER_SEND_ATTEMPT:
                self._sent(facts)
            case EventType.CANCEL_SEND_ATTEMPT:
                self._cancel_sent(facts)
            case EventType.RECONCILED:
                for tracked in tuple(self._unreturned.values()):
                    self._returned(tracked, facts)
            case EventType.SERVER_MESSAGE if "absorbed_exec_id" not in facts.extra and row.reason != OVER_AGAIN:
                pass  # words, which may come while the call is still under way
            case EventType.ORDER_REFUSED | EventType.CANCELED if self._orders.find(row.cl_ord_id or "") is None:
                self._never_sent(facts)
            case _:
                found = self._orders.find(row.cl_ord_id or "")
                if found is not None:
                    self._heard(found, facts)

    def finish(self, started: Now) -> tuple[Nanos, ...]:
        """Nothing more is known. Returns when each call returned: the broker's window may still count the last."""
        for tracked in self._unreturned.values():
            tracked.returned = started.mono
            self._returns.append(started.mono)
            if isinstance(tracked, TrackedOrder):
                tracked.machine.fire(OrderTrigger.TAKE)
                tracked.last_event = OrderSubmitted(tracked.command.pair_id, tracked.cl_ord_id, tracked.returned)
        for cancel in self._cancels.values():
            if cancel.state in OPEN_CANCEL_STATES:
                cancel.state = CancelState.FORGOTTEN
        return tuple(self._returns)

    # --- calls --------------------------------------------------------------------------------------------------------

    def _sent(self, facts: _Facts) -> None:
        row = facts.row
        order = TrackedOrder(_command(facts), attempted=facts.at, attempted_wall=row.ts_wall)
        order.screen_no, order.order_type, order.hoga = row.screen_no or "", row.order_type or 0, row.hoga_code or ""
        order.machine.fire(OrderTrigger.CALL)
        self._orders.add(order)
        self._unreturned[order.cl_ord_id] = order

    def _cancel_sent(self, facts: _Facts) -> None:
        target = self._orders.order(facts.extra["target"])
        assert target is not None, "a cancel of an order that was never sent"
        cancel = _cancel(facts, target, CancelState.CALLED)
        target.cancels.append(cancel)
        self._orders.add(cancel)
        self._unreturned[cancel.cl_ord_id] = self._cancels[cancel.cl_ord_id] = cancel

    def _never_sent(self, facts: _Facts) -> None:
        """Refused, or withdrawn while it was held. The row of an id that we never knew says nothing of a command."""
        target = self._orders.order(facts.extra.get("target", ""))
        if target is not None:
            self._orders.add(_cancel(facts, target, CancelState.REFUSED))
        if "style" not in facts.extra:
            return
        order = TrackedOrder(_command(facts))
        self._orders.add(order)
        self._heard(order, facts)

    def _returned(self, tracked: TrackedOrder | TrackedCancel, facts: _Facts) -> None:
        """The first word after the call: it had returned by then, if not at the time that the row tells."""
        if self._unreturned.pop(tracked.cl_ord_id, None) is None:
            return
        tracked.returned = Nanos(facts.extra.get("returned_mono_ns") or facts.at)
        self._returns.append(tracked.returned)
        if isinstance(tracked, TrackedOrder):
            tracked.machine.fire(OrderTrigger.TAKE)
            tracked.last_event = OrderSubmitted(tracked.command.pair_id, tracked.cl_ord_id, tracked.returned)

    # --- what became of them ------------------------------------------------------------------------------------------

    def _heard(self, tracked: TrackedOrder | TrackedCancel, facts: _Facts) -> None:
        if isinstance(tracked, TrackedCancel):
            self._returned(tracked, facts)
            self._cancel_heard(tracked, facts)
            return
        if facts.row.event_type is EventType.ORDER_REJECT and tracked.state is OrderState.CALLED:
            self._turned_away(tracked, facts)
            return
        self._returned(tracked, facts)
        event = self._order_heard(tracked, facts)
        if event is not None and (isinstance(event, OrderFilled) or not tracked.is_revived):
            tracked.last_event = event
        if tracked.is_over:
            self._orders.close(tracked)

    def _order_heard(self, order: TrackedOrder, facts: _Facts) -> OrderEvent | None:
        row, pair_id, own_id = facts.row, order.command.pair_id, order.cl_ord_id
        match row.event_type:
            case EventType.ORDER_ACK:
                if order.is_over:
                    order.revive()
                    self._orders.reopen(order)
                order.machine.fire(OrderTrigger.NUMBER)
                self._orders.number(order, row.order_no or "")
                order.numbered = facts.at
                return OrderAcked(pair_id, own_id, order.order_no, facts.at)
            case EventType.ORDER_ACCEPTED:
                order.machine.fire(OrderTrigger.ACCEPT)
                order.accepted = True
                return OrderAccepted(pair_id, own_id, order.leaves_qty, facts.at)
            case EventType.TRADE_PARTIAL | EventType.TRADE_FILL:
                return self._filled(order, facts)
            case EventType.CANCELED:
                order.machine.fire(OrderTrigger.CANCEL)
                self._end_cancels(order, facts)
                unfilled, reason = Shares(facts.extra["canceled_qty"]), EndReason(row.reason)
                return OrderCanceled(pair_id, own_id, unfilled, order.cum_qty, reason, facts.at)
            case EventType.ORDER_REJECT:
                order.machine.fire(OrderTrigger.REJECT)
                return self._rejected(order, facts)
            case EventType.ORDER_REFUSED:
                order.machine.fire(OrderTrigger.REFUSE)
                words = row.message_text or ""
                return OrderRefused(pair_id, own_id, RefusalReason(row.reason), words, facts.at)
            case EventType.SERVER_MESSAGE if row.reason == OVER_AGAIN:
                if not order.is_over:  # the last fill ended it
                    order.machine.fire(OrderTrigger.CANCEL)
                self._end_cancels(order, facts)
            case EventType.SERVER_MESSAGE if "absorbed_exec_id" in facts.extra:
                order.exec_ids.add(facts.extra["absorbed_exec_id"])
                order.inferred_qty = Shares(order.inferred_qty - facts.extra["absorbed_qty"])
        return None

    def _end_cancels(self, order: TrackedOrder, facts: _Facts) -> None:
        for cancel in order.cancels:
            self._returned(cancel, facts)
            if cancel.state in OPEN_CANCEL_STATES:
                cancel.state = CancelState.DONE

    def _turned_away(self, order: TrackedOrder, facts: _Facts) -> None:
        """The first word of it is a rejection: by the control itself, or by the server."""
        del self._unreturned[order.cl_ord_id]
        order.returned = facts.at
        self._returns.append(facts.at)
        is_local = facts.row.reason == RejectSource.LOCAL.value
        order.machine.fire(OrderTrigger.TURN_AWAY if is_local else OrderTrigger.REJECT)
        order.last_event = self._rejected(order, facts)
        self._orders.close(order)

    def _rejected(self, order: TrackedOrder, facts: _Facts) -> OrderRejected:
        source = RejectSource(facts.row.reason)
        overload = bool(facts.extra.get("overload"))
        words = facts.row.message_text or ""
        return OrderRejected(order.command.pair_id, order.cl_ord_id, source, words, overload, facts.at)

    def _filled(self, order: TrackedOrder, facts: _Facts) -> OrderFilled:
        row, is_late = facts.row, order.was_called_over
        qty, px, exec_id = Shares(row.fill_qty or 0), Won(row.fill_px or 0), row.exec_id or ""
        order.cum_qty = Shares(order.cum_qty + qty)
        is_whole = order.cum_qty >= order.command.qty
        if order.is_over and not is_whole:
            order.revive()
            self._orders.reopen(order)
        order.machine.fire(OrderTrigger.FILL_REST if is_whole else OrderTrigger.FILL_PART)
        if row.reason == "DOUBT" or BY_QUERY in facts.extra:
            order.inferred_qty = Shares(order.inferred_qty + qty)
            order.proved_qty = order.cum_qty
        else:
            order.exec_ids.add(exec_id)
        event = OrderFilled(
            pair_id=order.command.pair_id,
            cl_ord_id=order.cl_ord_id,
            exec_id=exec_id,
            venue=order.venue,
            side=order.side,
            fill_px=px,
            fill_qty=qty,
            cum_qty=order.cum_qty,
            leaves_qty=Shares(0) if is_late else order.leaves_qty,
            commission_cum_won=facts.extra.get("commission_cum_won"),
            tax_cum_won=facts.extra.get("tax_cum_won"),
            at=facts.at,
            costs_of_qty=Shares(facts.extra.get("costs_of_qty", 0)),
        )
        order.fills.append(event)
        return event

    def _cancel_heard(self, cancel: TrackedCancel, facts: _Facts) -> None:
        match facts.row.event_type:
            case EventType.ORDER_ACK:
                self._orders.number(cancel, facts.row.order_no or "")
                if cancel.state in OPEN_CANCEL_STATES:
                    cancel.state = CancelState.NUMBERED
            case EventType.CANCEL_REJECT:
                cancel.state = CancelState.REJECTED
            case _:
                pass  # that it is stuck says nothing of how it will end


def _id(row: Row) -> str:
    assert row.cl_ord_id is not None
    return row.cl_ord_id


def _cancel(facts: _Facts, target: TrackedOrder, state: CancelState) -> TrackedCancel:
    pair_id, slot = target.command.pair_id, target.command.slot
    command = CancelOrder(_id(facts.row), target.cl_ord_id, pair_id, slot, target.symbol)
    return TrackedCancel(command, target, state=state, screen_no=facts.row.screen_no or "", at=facts.at)


def _command(facts: _Facts) -> PlaceOrder:
    """The plan is the pair's, and kept there; a grant is used up by the call."""
    row, extra = facts.row, facts.extra
    assert row.pair_id is not None
    return PlaceOrder(
        cl_ord_id=_id(row),
        pair_id=row.pair_id,
        slot=extra["slot"],
        kind=OrderKind(extra["kind"]),
        leg=row.leg or "",
        symbol=Symbol(row.symbol or ""),
        symbol_index=extra["symbol_index"],
        venue=Venue(row.venue),
        side=Side(row.side),
        qty=Shares(row.qty or 0),
        style=OrderStyle(extra["style"]),
        price=Won(row.price or 0),
        generation=extra["generation"],
    )
