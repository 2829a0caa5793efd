"""Doubt queries: ask the broker what became of an order, and bring our view of it to what is proved.

Two questions each: what is open (opt10075), then what has filled (opt10076), both for the symbol on the order's venue.
The same proof is drawn for every live order after the line was lost (reconciliation). An order that neither answer
shows is lost only when two queries, each late enough, have missed it; until then the verdict is UNKNOWN: ask again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from actors.domain.alarms import Alarms
from actors.domain.doubt import (
    ABSENCES_FOR_PROOF,
    FILL_GRACE_NS,
    Evidence,
    OrderRow,
    Proof,
    evidence,
    is_late_enough,
    listed_fills,
    listed_open,
    numbers_like,
    unseen_fills,
)
from actors.domain.enquiries import Enquiry, EnquiryDone
from actors.domain.order import OrderState, TrackedCancel, TrackedOrder
from actors.domain.order_commands import Desk
from actors.domain.order_flow import OrderCosts, OrderFlow
from actors.domain.order_reports import OrderReports
from actors.domain.order_rows import order_row, plain_row
from actors.domain.outbox import Outbox
from actors.domain.own_orders import OwnOrders
from actors.effects import Role
from actors.messages.journal import EventType
from actors.messages.orders import (
    DoubtResolved,
    DoubtVerdict,
    EndReason,
    OrderRefused,
    QueryOrder,
    RefusalReason,
)
from actors.messages.throttle import SlotFreed
from kiwoom.codes import tr
from kiwoom.control import RequestTr
from kiwoom.decode import DecodeError
from kiwoom.market import Nanos, Now, Shares


class DoubtStep(Enum):
    OPEN_ORDERS = auto()
    FILLS = auto()


@dataclass(frozen=True, slots=True)
class DoubtKey:
    case: int
    step: DoubtStep


@dataclass(slots=True, eq=False)
class _Case:
    number: int
    order: TrackedOrder
    command: QueryOrder | None
    """None: no pair asked; it is a reconciliation, or about an order that its pair called over."""
    asked: Nanos
    open_rows: tuple[OrderRow, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Grace:
    case: _Case
    proved: Evidence


class DoubtDesk:
    """At most one case per order, and a pair has few orders."""

    def __init__(
        self,
        *,
        out: Outbox,
        desk: Desk,
        orders: OwnOrders,
        flow: OrderFlow,
        reports: OrderReports,
        run_tag: str,
        query_screens: tuple[str, ...],
        external: Mapping[str, None],
    ) -> None:
        self._out = out
        self._desk = desk
        self._orders = orders
        self._flow = flow
        self._reports = reports
        self._run_tag = run_tag
        self._query_screens = query_screens
        self._external = external
        self._cases: dict[int, _Case] = {}
        self._count = 0
        self._graces: Alarms[_Grace] = Alarms()

    def query(self, command: QueryOrder, now: Now) -> tuple[Enquiry, ...]:
        """Returns what to ask the broker; nothing if the answer is known, or already being asked for."""
        tracked = self._orders.find(command.cl_ord_id)
        order = tracked.target if isinstance(tracked, TrackedCancel) else tracked
        if order is None:
            self._refuse(command, now)
            return ()
        if order.was_called_over:
            self._answer(order, command, DoubtVerdict.ENDED, "", now)
            return ()
        not_askable = self._desk.disconnected or ("it has not been sent" if order.state is OrderState.HELD else "")
        if not_askable:
            self._answer(order, command, DoubtVerdict.UNKNOWN, not_askable, now)
            return ()
        if any(case.order is order and case.command is not None for case in self._cases.values()):
            return ()
        self._out.record(order_row(EventType.DOUBT_QUERY, now, order))
        case = self._open_case(order, command, now)
        return (self._enquiry(case, DoubtStep.OPEN_ORDERS),)

    def look_into(self, order: TrackedOrder, now: Now) -> tuple[Enquiry, ...]:
        """The same question of our own; nobody is told. Returns what to ask; nothing if it is being asked."""
        if self._desk.disconnected or any(case.order is order for case in self._cases.values()):
            return ()
        return (self._enquiry(self._open_case(order, None, now), DoubtStep.OPEN_ORDERS),)

    def answered(self, key: DoubtKey, done: EnquiryDone, now: Now) -> tuple[Enquiry, ...]:
        case = self._cases.get(key.case)
        if case is None:
            return ()
        read = listed_open if key.step is DoubtStep.OPEN_ORDERS else listed_fills
        try:
            rows = read(done.rows, case.order.venue)
            failure = done.failure
        except DecodeError as error:
            rows, failure = (), f"unreadable answer: {error}"
        if failure:
            self._resolve(case, DoubtVerdict.UNKNOWN, failure, now)
            return ()
        if key.step is DoubtStep.OPEN_ORDERS:
            case.asked = done.asked
            case.open_rows = rows
            return (self._enquiry(case, DoubtStep.FILLS),)
        self._weigh(case, rows, now)
        return ()

    def reconcile(
        self, open_rows: tuple[OrderRow, ...], fill_rows: tuple[OrderRow, ...], asked: Nanos, now: Now
    ) -> None:
        """After the line was lost: what do the broker's lists of the whole account prove about our live orders?

        A row may fit two orders of ours without a number: the live one goes before one that was called lost, and of
        the lost the one that was sent last.
        """
        rows = (*open_rows, *fill_rows)
        unnumbered = [o for o in self._orders.open_orders() if o.is_at_broker and not o.order_no]
        wanted = {number: None for order in unnumbered for number in numbers_like(order, rows, self._is_taken)}

        def is_taken(order_no: str) -> bool:
            return order_no in wanted or self._is_taken(order_no)

        for order in reversed(self._orders.lost()):
            found = evidence(order, open_rows, fill_rows, is_taken=is_taken, asked=asked)
            if found.order_no:
                self._reports.adopt(order, found.order_no, now.mono, now, reason="DOUBT")
        for order in self._orders.open_orders():
            if order.is_at_broker:
                case = self._open_case(order, None, now)
                case.asked = asked
                case.open_rows = open_rows
                self._weigh(case, fill_rows, now)

    def line_lost(self, now: Now) -> None:
        """No answer will come: whoever asked may ask again."""
        for case in tuple(self._cases.values()):
            self._resolve(case, DoubtVerdict.UNKNOWN, "the line was lost", now)

    def next_deadline(self) -> Nanos | None:
        return self._graces.next_at()

    def on_deadline(self, now: Now) -> None:
        while (grace := self._graces.take_due(now.mono)) is not None:
            if grace.case.number in self._cases:
                self._conclude(grace.case, grace.proved, now)

    # --- from rows to verdict -----------------------------------------------------------------------------------------

    def _weigh(self, case: _Case, fill_rows: tuple[OrderRow, ...], now: Now) -> None:
        order = case.order
        if order.is_over:  # its own reports came while we asked
            self._resolve(case, DoubtVerdict.ENDED, "", now)
            return
        proved = evidence(order, case.open_rows, fill_rows, is_taken=self._is_taken, asked=case.asked)
        match proved.proof:
            case Proof.UNCLEAR:
                self._resolve(case, DoubtVerdict.UNKNOWN, "the broker's lists do not tell", now)
            case Proof.ABSENT:
                self._absent(case, now)
            case Proof.RESTING | Proof.OVER:
                if not order.order_no:
                    self._reports.adopt(order, proved.order_no, now.mono, now, reason="DOUBT")
                if proved.cum_qty > order.cum_qty and not order.is_over:
                    self._graces.set(Nanos(now.mono + FILL_GRACE_NS), _Grace(case, proved))
                else:
                    self._conclude(case, proved, now)

    def _absent(self, case: _Case, now: Now) -> None:
        order = case.order
        has_returned = order.state in (OrderState.SENT, OrderState.NUMBERED)
        if has_returned and is_late_enough(order, case.asked):
            order.absences += 1
        if order.absences < ABSENCES_FOR_PROOF:
            self._resolve(case, DoubtVerdict.UNKNOWN, "the broker does not show it (yet)", now)
            return
        reason = order.end_reason if order.order_no else EndReason.LOST
        self._flow.ended(order, reason, now.mono, now)
        self._resolve(case, DoubtVerdict.ENDED, "", now)

    def _conclude(self, case: _Case, proved: Evidence, now: Now) -> None:
        order = case.order
        missing = Shares(proved.cum_qty - order.cum_qty)
        if missing > 0 and not order.is_over:
            if not proved.fill_px:
                self._resolve(case, DoubtVerdict.UNKNOWN, "a fill is missing and its price is not told", now)
                return
            order.inferred_qty = Shares(order.inferred_qty + missing)
            order.proved_qty = proved.cum_qty
            costs = OrderCosts(proved.commission_won, proved.tax_won, proved.cum_qty)
            for qty, px in unseen_fills(order, proved):
                exec_id = f"QUERY{order.cum_qty + qty}"
                self._flow.filled(order, exec_id, px, qty, now.mono, now, costs=costs)
        if proved.proof is Proof.OVER and not order.is_over:
            self._flow.ended(order, order.ending or order.end_reason, now.mono, now)
        if order.is_over:
            self._resolve(case, DoubtVerdict.ENDED, "", now)
            return
        self._flow.accepted(order, now.mono, now)
        order.found_resting = True
        self._resolve(case, DoubtVerdict.RESTING, "", now)

    def _is_taken(self, order_no: str) -> bool:
        return self._orders.is_ours(order_no) or order_no in self._external

    # --- answers ------------------------------------------------------------------------------------------------------

    def _resolve(self, case: _Case, verdict: DoubtVerdict, text: str, now: Now) -> None:
        del self._cases[case.number]
        if case.command is not None:
            self._answer(case.order, case.command, verdict, text, now)

    def _answer(self, order: TrackedOrder, command: QueryOrder, verdict: DoubtVerdict, text: str, now: Now) -> None:
        row = order_row(EventType.DOUBT_RESOLVED, now, order, reason=verdict.name, message_text=text or None)
        self._out.record(row)
        event = DoubtResolved(command.pair_id, command.cl_ord_id, verdict, order.leaves_qty, now.mono)
        self._out.send(Role.PAIR_MANAGER, event, command.slot)

    def _refuse(self, command: QueryOrder, now: Now) -> None:
        text = f"{command.cl_ord_id} is no order of ours"
        row = plain_row(
            EventType.ORDER_REFUSED,
            now,
            pair_id=command.pair_id,
            symbol=command.symbol,
            cl_ord_id=command.cl_ord_id,
            reason=RefusalReason.UNKNOWN_TARGET.value,
            message_text=text,
        )
        self._out.record(row)
        event = OrderRefused(command.pair_id, command.cl_ord_id, RefusalReason.UNKNOWN_TARGET, text, now.mono)
        self._out.send(Role.PAIR_MANAGER, event, command.slot)
        if command.grant_id is not None:
            self._out.send(Role.THROTTLER, SlotFreed(command.grant_id))

    def _open_case(self, order: TrackedOrder, command: QueryOrder | None, now: Now) -> _Case:
        self._count += 1
        case = _Case(self._count, order, command, now.mono)
        self._cases[case.number] = case
        return case

    def _enquiry(self, case: _Case, step: DoubtStep) -> Enquiry:
        account, venue, symbol = self._desk.account, case.order.venue, case.order.symbol
        is_open_orders = step is DoubtStep.OPEN_ORDERS
        form = tr.OPEN_ORDERS if is_open_orders else tr.EXECUTIONS
        request = RequestTr(
            rq_name=f"{self._run_tag}Q{case.number}{'O' if is_open_orders else 'F'}",
            tr_code=form.code,
            inputs=(tr.open_orders_inputs if is_open_orders else tr.executions_inputs)(account, venue, symbol),
            screen_no=self._query_screens[case.number % len(self._query_screens)],
            fields=form.fields,
        )
        return Enquiry(DoubtKey(case.number, step), request, urgent=True)
