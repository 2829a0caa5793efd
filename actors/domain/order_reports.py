"""From the broker's events to facts about our orders: rqname, then order number, then exec id.

The chejan report is the authority (SPEC 9). Events come twice, late, or before the order's number:

- a report whose number we do not know is held while an order of ours on that symbol still waits for its number;
- it gives the number to an order at once only if it brings back our own order screen and agrees in everything else
  (`OwnOrders.match`): an equal order of the trader's own hand comes from another screen. Else the broker's answer, or a
  doubt query, decides;
- a repeat (same exec id) is dropped; what is late is never dropped, not even after the order's end;
- an end that the broker reports while fills are missing waits for them: it is completed by the last fill or a query.
"""

from dataclasses import dataclass
from enum import Enum, auto

from actors.domain.alarms import Alarms
from actors.domain.order import CancelState, OrderState, TrackedCancel, TrackedOrder
from actors.domain.order_flow import OrderCosts, OrderFlow
from actors.domain.order_rows import order_row, plain_row
from actors.domain.outbox import Outbox
from actors.domain.own_orders import OwnOrders
from actors.messages.journal import ABSORBED, EventType
from actors.messages.orders import RejectSource
from kiwoom.codes.error import is_overload
from kiwoom.control import EventMalformed, MessageReceived, OrderCalled, OrderNumbered, OrderReport, ReportKind
from kiwoom.market import MS, Nanos, Now, Shares

WORDS_WAIT_NS = Nanos(50 * MS)
"""The words of a rejection come just before or just after the blank number (KIWOOM.md 4.2)."""


class Awaited(Enum):
    NUMBER = auto()
    ACCEPTANCE = auto()
    CANCEL_ANSWER = auto()
    WORDS = auto()


@dataclass(frozen=True, slots=True, eq=False)
class OrderAlarm:
    awaited: Awaited
    tracked: TrackedOrder | TrackedCancel


@dataclass(frozen=True, slots=True)
class OrderPatience:
    """How long each answer may take before somebody is told."""

    ack_ns: Nanos
    accept_ns: Nanos
    cancel_ns: Nanos


class OrderReports:
    def __init__(self, out: Outbox, orders: OwnOrders, flow: OrderFlow, patience: OrderPatience) -> None:
        self._out = out
        self._orders = orders
        self._flow = flow
        self._patience = patience
        self._alarms: Alarms[OrderAlarm] = Alarms()

    # --- the call and its answer --------------------------------------------------------------------------------------

    def called(self, tracked: TrackedOrder | TrackedCancel, event: OrderCalled, now: Now) -> None:
        if tracked.returned:
            return  # a call returns once
        tracked.returned = event.at
        if event.code < 0:
            self._turned_away(tracked, event, now)
            return
        if isinstance(tracked, TrackedCancel):
            if tracked.state is CancelState.CALLED:
                tracked.state = CancelState.SENT
            self._flow.cancel_submitted(tracked, event.at)
            self._alarm(event.at, self._patience.cancel_ns, Awaited.CANCEL_ANSWER, tracked)
            return
        self._flow.submitted(tracked, event.at)
        self._alarm(event.at, self._patience.ack_ns, Awaited.NUMBER, tracked)

    def numbered(self, event: OrderNumbered, now: Now) -> None:
        tracked = self._orders.find(event.rq_name)
        if tracked is None:
            return
        if not event.order_no:
            self._blank_number(tracked, event.at, now)
        elif not tracked.order_no:
            self.adopt(tracked, event.order_no, event.at, now)
        elif tracked.order_no != event.order_no:
            text = f"{event.rq_name} has two numbers: {tracked.order_no} and {event.order_no}"
            self._flow.stop(text, now)

    def message(self, event: MessageReceived, now: Now) -> None:
        """Words for people: journalled, and the text of a rejection if one is due. Never parsed."""
        tracked = self._orders.find(event.rq_name) if event.rq_name else None
        row = plain_row(
            EventType.SERVER_MESSAGE,
            now,
            event.at,
            cl_ord_id=tracked.cl_ord_id if tracked is not None else None,
            rq_name=event.rq_name or None,
            screen_no=event.screen_no or None,
            tr_code=event.tr_code or None,
            message_text=event.text,
        )
        self._out.record(row)
        if tracked is not None:
            tracked.words = event.text
            if tracked.rejecting:
                self._reject_by_answer(tracked, event.at, now)

    def malformed(self, event: EventMalformed, now: Now) -> None:
        self._out.record(
            plain_row(EventType.SERVER_MESSAGE, now, event.at, reason="MALFORMED", message_text=event.what)
        )
        if event.matters:
            self._flow.stop(f"an event could not be read: {event.what}", now)

    def adopt(
        self, tracked: TrackedOrder | TrackedCancel, order_no: str, at: Nanos, now: Now, reason: str = ""
    ) -> None:
        """The number is known: what was held for it happens now."""
        if isinstance(tracked, TrackedCancel):
            self._flow.cancel_numbered(tracked, order_no, at, now)
        else:
            tracked.rejecting = False
            self._flow.numbered(tracked, order_no, at, now, reason)
            self._alarm(at, self._patience.accept_ns, Awaited.ACCEPTANCE, tracked)
        for report in self._orders.take_early(order_no):
            self.reported(report, now)

    # --- reports ------------------------------------------------------------------------------------------------------

    def reported(self, report: OrderReport, now: Now) -> None:
        owner = self._orders.numbered(report.order_no, report.symbol, report.venue)
        original = (
            self._orders.numbered(report.orig_order_no, report.symbol, report.venue) if report.orig_order_no else None
        )
        if isinstance(owner, TrackedCancel):
            self._of_cancel(owner, report, now)
        elif isinstance(owner, TrackedOrder):
            self._of_order(owner, report, now)
        elif isinstance(original, TrackedOrder):
            self._of_unknown_cancel(original, report, now)
        else:
            self._of_unknown(report, now)

    def _of_order(self, order: TrackedOrder, report: OrderReport, now: Now) -> None:
        match report.kind:
            case ReportKind.ACCEPTED:
                self._flow.accepted(order, report.at, now, report)
            case ReportKind.FILL:
                self._fill(order, report, now)
            case ReportKind.CLEARED:
                self._end(order, report, Shares(report.cum_qty), now)
            case ReportKind.CONFIRMED:
                self._end(order, report, _filled_by_confirmation(order, report), now)
            case ReportKind.REJECTED:
                self._exchange_reject(order, report, now)
            case ReportKind.UNKNOWN:
                self._flow.stop(f"unknown state of order {order.order_no} ({order.cl_ord_id})", now)

    def _of_cancel(self, cancel: TrackedCancel, report: OrderReport, now: Now) -> None:
        match report.kind:
            case ReportKind.ACCEPTED | ReportKind.CLEARED:
                # The cancel stands at the exchange, or has left it: neither says what became of its target.
                pass
            case ReportKind.CONFIRMED:
                self._end(cancel.target, report, _filled_by_confirmation(cancel.target, report), now)
            case ReportKind.REJECTED:
                self._flow.cancel_rejected(
                    cancel, report.reject_reason, report.at, now, RejectSource.EXCHANGE, report=report
                )
            case ReportKind.FILL | ReportKind.UNKNOWN:
                self._flow.stop(f"unknown state of cancel {cancel.order_no} ({cancel.cl_ord_id})", now)

    def _of_unknown_cancel(self, target: TrackedOrder, report: OrderReport, now: Now) -> None:
        """A number that we do not know names our order as its original: our cancel, not numbered yet, or a cancel (or
        a change) by the trader's own hand. Either way only a confirmation ends the order."""
        if report.kind is ReportKind.CONFIRMED and report.is_cancel:
            self._end(target, report, _filled_by_confirmation(target, report), now)
        elif report.kind is ReportKind.REJECTED and target.open_cancel is not None:
            cancel = target.open_cancel
            if not cancel.order_no:
                self._flow.cancel_rejected(
                    cancel, report.reject_reason, report.at, now, RejectSource.EXCHANGE, report=report
                )
        elif not report.is_cancel or report.kind is ReportKind.UNKNOWN:
            self._flow.stop(f"order {target.order_no} ({target.cl_ord_id}) is changed by {report.order_no}", now)

    def _of_unknown(self, report: OrderReport, now: Now) -> None:
        matched = self._orders.match(report)
        if matched is not None:
            self.adopt(matched, report.order_no, report.at, now, reason="REPORT")
            self._of_order(matched, report, now)
        elif self._orders.candidates(report.symbol):
            self._orders.hold_early(report)
        else:
            row = plain_row(
                EventType.SERVER_MESSAGE,
                now,
                report.at,
                symbol=report.symbol,
                order_no=report.order_no,
                reason="FOREIGN",
                message_text="an order that is not ours",
                sgubun="0",
                fids=report.fids,
            )
            self._out.record(row)

    def _fill(self, order: TrackedOrder, report: OrderReport, now: Now) -> None:
        exec_id = report.exec_id or f"CUM{report.cum_qty}"
        if exec_id in order.exec_ids:
            return
        order.exec_ids.add(exec_id)
        known = _known_by_query(order, report)
        if known:
            order.inferred_qty = Shares(order.inferred_qty - known)
            self._out.record(
                order_row(
                    EventType.SERVER_MESSAGE,
                    now,
                    order,
                    report.at,
                    report,
                    reason=ABSORBED,
                    message_text=f"fill {exec_id} of {report.fill_qty} at {report.fill_px}, known by query: {known}",
                    extra=(("absorbed_exec_id", exec_id), ("absorbed_qty", known)),
                )
            )
        if report.fill_qty > known:
            qty = Shares(report.fill_qty - known)
            costs = OrderCosts(report.commission_won, report.tax_won, report.cum_qty)
            self._flow.filled(order, exec_id, report.fill_px, qty, report.at, now, report, costs)
        if order.ending is not None and not order.is_over and order.cum_qty >= order.expected_cum:
            self._flow.ended(order, order.ending, report.at, now)

    def _end(self, order: TrackedOrder, report: OrderReport, filled: Shares, now: Now) -> None:
        """It left the book having filled `filled`. With fills missing it is not over yet: never say too much was free
        to trade again. The last of them, or a doubt query, completes the end."""
        if order.is_over:
            return
        if filled > order.cum_qty:
            order.ending = order.ending or order.end_reason
            order.expected_cum = filled
            return
        self._flow.ended(order, order.end_reason, report.at, now, report)

    def _exchange_reject(self, order: TrackedOrder, report: OrderReport, now: Now) -> None:
        if order.is_over:
            return
        if order.cum_qty:
            # What has traded cannot be rejected: the rest of it left the book.
            self._flow.ended(order, order.end_reason, report.at, now, report)
            return
        self._flow.rejected(order, RejectSource.EXCHANGE, report.reject_reason, report.at, now, report=report)

    # --- refusals by the control or the server ------------------------------------------------------------------------

    def _turned_away(self, tracked: TrackedOrder | TrackedCancel, event: OrderCalled, now: Now) -> None:
        overload = is_overload(event.code)
        text = f"the control returned {event.code}"
        if isinstance(tracked, TrackedCancel):
            self._flow.cancel_rejected(tracked, text, event.at, now, RejectSource.LOCAL, overload)
        elif tracked.state is OrderState.CALLED:
            self._flow.rejected(tracked, RejectSource.LOCAL, text, event.at, now, overload)
        else:
            self._flow.stop(f"{text} for {event.rq_name}, which is {tracked.state.name.lower()}", now)

    def _blank_number(self, tracked: TrackedOrder | TrackedCancel, at: Nanos, now: Now) -> None:
        if tracked.order_no:
            self._flow.stop(f"{tracked.cl_ord_id} is rejected and has the number {tracked.order_no}", now)
            return
        tracked.rejecting = True
        if tracked.words:
            self._reject_by_answer(tracked, at, now)
        else:
            self._alarm(at, WORDS_WAIT_NS, Awaited.WORDS, tracked)

    def _reject_by_answer(self, tracked: TrackedOrder | TrackedCancel, at: Nanos, now: Now) -> None:
        tracked.rejecting = False
        if isinstance(tracked, TrackedCancel):
            self._flow.cancel_rejected(tracked, tracked.words, at, now, RejectSource.TR)
        elif tracked.state in (OrderState.CALLED, OrderState.SENT):
            self._flow.rejected(tracked, RejectSource.TR, tracked.words, at, now)

    # --- time ---------------------------------------------------------------------------------------------------------

    def next_deadline(self) -> Nanos | None:
        return self._alarms.next_at()

    def on_deadline(self, now: Now) -> None:
        while (alarm := self._alarms.take_due(now.mono)) is not None:
            tracked = alarm.tracked
            if isinstance(tracked, TrackedCancel):
                self._cancel_alarm(alarm.awaited, tracked, now)
            else:
                self._order_alarm(alarm.awaited, tracked, now)

    def _order_alarm(self, awaited: Awaited, order: TrackedOrder, now: Now) -> None:
        if awaited is Awaited.WORDS and order.rejecting:
            self._reject_by_answer(order, now.mono, now)
        elif awaited is Awaited.NUMBER and order.state is OrderState.SENT and not order.rejecting:
            self._flow.timed_out(order, now.mono, now)
        elif awaited is Awaited.ACCEPTANCE and order.state is OrderState.NUMBERED:
            self._flow.stuck(order, now.mono, now)

    def _cancel_alarm(self, awaited: Awaited, cancel: TrackedCancel, now: Now) -> None:
        if awaited is Awaited.WORDS and cancel.rejecting:
            self._reject_by_answer(cancel, now.mono, now)
        elif awaited is Awaited.CANCEL_ANSWER and cancel.state in (CancelState.SENT, CancelState.NUMBERED):
            if cancel.target.is_over:
                text = "the order filled first"
                self._flow.cancel_rejected(cancel, text, now.mono, now, RejectSource.EXCHANGE)
            else:
                self._flow.cancel_stuck(cancel, now.mono, now)

    def _alarm(self, at: Nanos, wait: Nanos, awaited: Awaited, tracked: TrackedOrder | TrackedCancel) -> None:
        self._alarms.set(Nanos(at + wait), OrderAlarm(awaited, tracked))


def _known_by_query(order: TrackedOrder, report: OrderReport) -> Shares:
    """How much of this fill a query has told of before. A fill that made the order's sum (911) larger than the query
    knew it is news, although the report of an earlier one never came."""
    before = max(0, report.cum_qty - report.fill_qty)
    return Shares(max(0, min(order.inferred_qty, report.fill_qty, order.proved_qty - before)))


def _filled_by_confirmation(order: TrackedOrder, report: OrderReport) -> Shares:
    """A confirmation names the quantity that was cancelled (900): if that is less than what we think was left, the
    difference has filled and its reports are still to come."""
    if 0 < report.qty < order.leaves_qty:
        return Shares(order.command.qty - report.qty)
    return order.cum_qty
