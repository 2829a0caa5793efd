"""What happens to an order of ours, said once: the state moves, the journal row, the event to the pair, the claims.

Every method takes a fact about one order or cancel and puts all of its consequences into the outbox. Finding out which
order a fact is about is `order_reports`; deciding whether an order may leave is `order_commands`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from actors.domain.holdings import Holdings
from actors.domain.order import (
    OPEN_CANCEL_STATES,
    CancelState,
    OrderState,
    OrderTrigger,
    TrackedCancel,
    TrackedOrder,
)
from actors.domain.order_rows import cancel_row, order_row, plain_row
from actors.domain.outbox import Outbox
from actors.domain.own_orders import OwnOrders
from actors.domain.routes import PairRoutes
from actors.domain.symbol_map import SymbolEntry
from actors.effects import Role
from actors.messages.journal import BY_QUERY, OVER_AGAIN, EventType
from actors.messages.market_data import OwnResting
from actors.messages.orders import (
    CancelRejected,
    CancelStuck,
    EndReason,
    OrderAccepted,
    OrderAcked,
    OrderCanceled,
    OrderEvent,
    OrderFilled,
    OrderKind,
    OrderRefused,
    OrderRejected,
    OrderStuck,
    OrderSubmitted,
    OrderTimedOut,
    RefusalReason,
    RejectSource,
)
from actors.messages.pairs import LateFill, OrderEnded
from actors.messages.session import BrokerStatus
from actors.messages.throttle import SlotFreed
from kiwoom.control import OrderReport
from kiwoom.market import Nanos, Now, Shares, Side, Symbol, Venue, Won


@dataclass(frozen=True, slots=True)
class OrderCosts:
    """What an order has cost so far in the broker's words, None where it does not say."""

    commission_won: Won | None
    tax_won: Won | None
    of_qty: Shares
    """For so many shares of it (911)."""

    def as_extra(self) -> tuple[tuple[str, object], ...]:
        named = (("commission_cum_won", self.commission_won), ("tax_cum_won", self.tax_won))
        told = tuple((name, won) for name, won in named if won is not None)
        return (*told, ("costs_of_qty", self.of_qty)) if told else ()


NO_COSTS: Final = OrderCosts(None, None, Shares(0))


class OrderFlow:
    def __init__(
        self,
        out: Outbox,
        orders: OwnOrders,
        holdings: Holdings,
        routes: PairRoutes,
        symbols: Mapping[Symbol, SymbolEntry],
    ) -> None:
        self._out = out
        self._orders = orders
        self._holdings = holdings
        self._routes = routes
        self._symbols = symbols
        # Per price at which we ever rested today: what the shard was last told.
        self._resting: dict[tuple[Symbol, Venue, Side, Won], Shares] = {}
        self._late: dict[tuple[str, str, str], LateFill] = {}
        """Told to the Router, by pair, order and execution, until a rescue of the pair is given a slot."""
        self._unclear = ""
        self._impossible = ""

    # --- orders -------------------------------------------------------------------------------------------------------

    def submitted(self, order: TrackedOrder, at: Nanos) -> None:
        order.machine.fire(OrderTrigger.TAKE)
        if not order.is_over:
            self._tell(order, OrderSubmitted(order.command.pair_id, order.cl_ord_id, at))

    def numbered(self, order: TrackedOrder, order_no: str, at: Nanos, now: Now, reason: str = "") -> None:
        """`reason` says how the number was found where the broker's answer did not bring it."""
        was_over = order.is_over
        if was_over:
            order.revive()
            self._orders.reopen(order)
        order.machine.fire(OrderTrigger.NUMBER)
        self._orders.number(order, order_no)
        order.numbered = at
        stamps = (("called_mono_ns", order.attempted), *_returned(order))
        self._out.record(order_row(EventType.ORDER_ACK, now, order, at, reason=reason or None, extra=stamps))
        self._tell(order, OrderAcked(order.command.pair_id, order.cl_ord_id, order_no, at))
        if was_over:
            assert order.called is not None
            self.stop(f"order {order_no} ({order.cl_ord_id}) was {order.called.name.lower()} and is alive", now)

    def accepted(self, order: TrackedOrder, at: Nanos, now: Now, report: OrderReport | None = None) -> None:
        """접수. A repeat, or one after the end, says nothing new."""
        if order.accepted or order.is_over:
            return
        order.machine.fire(OrderTrigger.ACCEPT)
        order.accepted = True
        reason = "DOUBT" if report is None else None
        self._out.record(order_row(EventType.ORDER_ACCEPTED, now, order, at, report, reason=reason))
        self._tell(order, OrderAccepted(order.command.pair_id, order.cl_ord_id, order.leaves_qty, at))
        self._show_resting(order)

    def filled(
        self,
        order: TrackedOrder,
        exec_id: str,
        px: Won,
        qty: Shares,
        at: Nanos,
        now: Now,
        report: OrderReport | None = None,
        costs: OrderCosts = NO_COSTS,
    ) -> None:
        """One new fill. The caller has made sure that it is no repeat. `report` None: a query proved it."""
        was_over, is_late = order.is_over, order.was_called_over
        order.cum_qty = Shares(order.cum_qty + qty)
        is_whole = order.cum_qty >= order.command.qty
        if was_over and not is_whole:
            order.revive()
            self._orders.reopen(order)
        order.machine.fire(OrderTrigger.FILL_REST if is_whole else OrderTrigger.FILL_PART)
        self._holdings.filled(order, qty, at)
        # The order's one terminal row is written already if the fill comes after the end that was told.
        ends_it = is_whole and not is_late
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
            commission_cum_won=costs.commission_won,
            tax_cum_won=costs.tax_won,
            at=at,
            costs_of_qty=costs.of_qty if costs.as_extra() else Shares(0),
        )
        order.fills.append(event)
        self._out.record(
            order_row(
                EventType.TRADE_FILL if ends_it else EventType.TRADE_PARTIAL,
                now,
                order,
                at,
                report,
                fill_qty=qty,
                fill_px=px,
                exec_id=exec_id,
                extra=(*costs.as_extra(), *(((BY_QUERY, True),) if is_late and report is None else ())),
                reason="LATE" if is_late else "DOUBT" if report is None else None,
            )
        )
        self._tell(order, event)
        if ends_it:
            self._close(order, at, now)
        elif is_whole and not was_over:
            self._over_again(order, at, now)
        elif not was_over:
            self._show_resting(order)
        if order.cum_qty > order.command.qty:
            self.stop_for_good(_excess(order), now)

    def ended(
        self, order: TrackedOrder, reason: EndReason, at: Nanos, now: Now, report: OrderReport | None = None
    ) -> None:
        """It left the book, or was proved never to have been in it."""
        unfilled = order.leaves_qty
        by_cancel = order.open_cancel
        order.machine.fire(OrderTrigger.CANCEL)
        order.ending = None
        if order.is_revived:
            self._over_again(order, at, now)
            return
        extra: tuple[tuple[str, object], ...] = (("canceled_qty", unfilled), ("cum_qty", order.cum_qty))
        if by_cancel is not None:
            extra += (("cancel_cl_ord_id", by_cancel.cl_ord_id), ("cancel_order_no", by_cancel.order_no))
        self._out.record(order_row(EventType.CANCELED, now, order, at, report, reason=reason.value, extra=extra))
        event = OrderCanceled(order.command.pair_id, order.cl_ord_id, unfilled, order.cum_qty, reason, at)
        self._tell(order, event)
        self._end_cancels(order)
        self._close(order, at, now)

    def rejected(
        self,
        order: TrackedOrder,
        source: RejectSource,
        text: str,
        at: Nanos,
        now: Now,
        overload: bool = False,
        report: OrderReport | None = None,
    ) -> None:
        trigger = OrderTrigger.TURN_AWAY if source is RejectSource.LOCAL else OrderTrigger.REJECT
        order.machine.fire(trigger)
        if order.is_revived:
            self._over_again(order, at, now)
            return
        extra = (("overload", True),) if overload else ()
        words = text or None
        self._out.record(
            order_row(EventType.ORDER_REJECT, now, order, at, report, extra, reason=source.value, message_text=words)
        )
        self._tell(order, OrderRejected(order.command.pair_id, order.cl_ord_id, source, text, overload, at))
        self._close(order, at, now)

    def refused(self, order: TrackedOrder, reason: RefusalReason, text: str, now: Now, *, is_told: bool = True) -> None:
        """Held and now not to be sent. Not `is_told`: its manager is gone, its successor never heard of it."""
        order.machine.fire(OrderTrigger.REFUSE)
        row = order_row(EventType.ORDER_REFUSED, now, order, reason=reason.value, message_text=text)
        self._out.record(row)
        if is_told:
            self._tell(order, OrderRefused(order.command.pair_id, order.cl_ord_id, reason, text, now.mono))
        self._free_grant(order.command.grant_id)
        self._close(order, now.mono, now)

    def withdrawn(self, order: TrackedOrder, now: Now) -> None:
        """Its pair cancelled it while it was still held here."""
        self.ended(order, EndReason.BY_US, now.mono, now)
        self._free_grant(order.command.grant_id)

    def timed_out(self, order: TrackedOrder, at: Nanos, now: Now) -> None:
        self._out.record(order_row(EventType.ORDER_TIMEOUT, now, order, at, extra=_returned(order)))
        self._tell(order, OrderTimedOut(order.command.pair_id, order.cl_ord_id, at))

    def stuck(self, order: TrackedOrder, at: Nanos, now: Now) -> None:
        self._out.record(order_row(EventType.ORDER_STUCK, now, order, at))
        self._tell(order, OrderStuck(order.command.pair_id, order.cl_ord_id, at))

    # --- cancels ------------------------------------------------------------------------------------------------------

    def cancel_submitted(self, cancel: TrackedCancel, at: Nanos) -> None:
        self._tell(cancel, OrderSubmitted(cancel.command.pair_id, cancel.cl_ord_id, at))

    def cancel_numbered(self, cancel: TrackedCancel, order_no: str, at: Nanos, now: Now) -> None:
        self._orders.number(cancel, order_no)
        if cancel.state in OPEN_CANCEL_STATES:
            cancel.state = CancelState.NUMBERED
        self._out.record(cancel_row(EventType.ORDER_ACK, now, cancel, at, extra=_returned(cancel)))

    def cancel_rejected(
        self,
        cancel: TrackedCancel,
        text: str,
        at: Nanos,
        now: Now,
        reason: RejectSource,
        overload: bool = False,
        report: OrderReport | None = None,
    ) -> None:
        if cancel.state not in OPEN_CANCEL_STATES:
            return
        cancel.state = CancelState.REJECTED
        row = cancel_row(
            EventType.CANCEL_REJECT, now, cancel, at, report, reason=reason.value, message_text=text or None
        )
        self._out.record(row)
        command = cancel.command
        event = CancelRejected(command.pair_id, command.cl_ord_id, command.target, text, overload, at)
        self._tell(cancel, event)

    def cancel_refused(self, cancel: TrackedCancel, reason: RefusalReason, text: str, now: Now) -> None:
        cancel.state = CancelState.REFUSED
        row = cancel_row(EventType.ORDER_REFUSED, now, cancel, reason=reason.value, message_text=text)
        self._out.record(row)
        event = OrderRefused(cancel.command.pair_id, cancel.cl_ord_id, reason, text, now.mono)
        self._tell(cancel, event)
        self._free_grant(cancel.command.grant_id)

    def cancel_stuck(self, cancel: TrackedCancel, at: Nanos, now: Now) -> None:
        cancel.stuck = True
        self._out.record(cancel_row(EventType.CANCEL_STUCK, now, cancel, at))
        command = cancel.command
        self._tell(cancel, CancelStuck(command.pair_id, command.cl_ord_id, command.target, at))

    # --- both ---------------------------------------------------------------------------------------------------------

    def repeat_last_event(self, tracked: TrackedOrder | TrackedCancel) -> None:
        """A command came again: its pair is told once more how the first stands. Nothing yet = it will be told."""
        slot = self._routes.slot_of(tracked.command.pair_id)
        if tracked.last_event is not None and slot is not None:
            self._out.send(Role.PAIR_MANAGER, tracked.last_event, slot)

    def show_resting(self, shard: int) -> None:
        """To a shard that was started again: everything of ours that rests."""
        for (symbol, venue, side, price), qty in self._resting.items():
            entry = self._symbols.get(symbol)
            if entry is not None and entry.shard == shard:
                self._out.send(Role.MARKET_DATA, OwnResting(entry.index, venue, side, price, qty), shard)

    def recall_resting(self) -> None:
        """After a restart: the shards were told by our predecessor what rests."""
        for order in self._orders.open_orders():
            if order.rests:
                key = (order.symbol, order.venue, order.side, order.command.price)
                self._resting[key] = self._orders.resting_qty(*key)

    def late_fills(self) -> tuple[LateFill, ...]:
        """Those that no rescue has taken up yet, oldest first."""
        return tuple(self._late.values())

    def taken_up(self, pair_id: str) -> None:
        """A rescue of the pair has a slot: it begins with the oldest of its late fills."""
        oldest = next((key for key in self._late if key[0] == pair_id), None)
        if oldest is not None:
            del self._late[oldest]

    # --- what is not understood ---------------------------------------------------------------------------------------

    @property
    def trouble(self) -> str:
        """Why nobody may begin anything new; "" = all is understood."""
        return self._impossible or self._unclear

    @property
    def may_clear(self) -> bool:
        """A reconciliation may end the trouble."""
        return bool(self._unclear) and not self._impossible

    def stop(self, text: str, now: Now) -> None:
        """An order's state is no longer understood: no entry until a reconciliation; hedges and cancels go on."""
        was = self.trouble
        self._unclear = self._unclear or text
        self._say_stopped(was, text, now)

    def stop_for_good(self, text: str, now: Now) -> None:
        """What no answer of the broker can explain: no entry any more today. A person must look at it."""
        was = self.trouble
        if was != text:
            self._impossible = self._impossible or text
            self._say_stopped("", text, now)

    def begin_reconciling(self) -> None:
        """The broker's lists were read anew: what they leave unexplained is said again."""
        self._unclear = ""

    def end_reconciling(self) -> None:
        """What lives though it was called over stays unclear until it is over."""
        alive = next(iter(self._orders.revived()), None)
        if alive is not None and not self._unclear:
            self._unclear = f"order {alive.order_no} ({alive.cl_ord_id}) was called over and lives"

    def recall_excess(self) -> None:
        """After a restart: an order of the day that filled too much stops this run as well."""
        order = self._orders.overfilled()
        self._impossible = "" if order is None else _excess(order)

    def _say_stopped(self, was: str, text: str, now: Now) -> None:
        self._out.record(plain_row(EventType.SERVER_MESSAGE, now, reason="UNCLEAR", message_text=text))
        if not was:
            self._out.send(Role.SESSION_STATE, BrokerStatus(False, text))

    def _tell(self, tracked: TrackedOrder | TrackedCancel, event: OrderEvent) -> None:
        """To the pair's slot. Once the slot has another pair only fills still matter, and the Router has them. Of an
        order that it called over the pair hears nothing but fills."""
        order = tracked if isinstance(tracked, TrackedOrder) else tracked.target
        if order.is_revived and not isinstance(event, OrderFilled):
            return
        tracked.last_event = event
        slot = self._routes.slot_of(event.pair_id)
        if slot is not None:
            self._out.send(Role.PAIR_MANAGER, event, slot)
        elif isinstance(event, OrderFilled):
            assert isinstance(tracked, TrackedOrder)
            late = LateFill(event, tracked.symbol)
            self._late[event.pair_id, event.cl_ord_id, event.exec_id] = late
            self._out.send(Role.ROUTER, late)

    def _free_grant(self, grant_id: int | None) -> None:
        if grant_id is not None:
            self._out.send(Role.THROTTLER, SlotFreed(grant_id))

    def _over_again(self, order: TrackedOrder, at: Nanos, now: Now) -> None:
        """The second end of an order that was called over before: it has its terminal row, and was told."""
        self._end_cancels(order)
        text = f"over at last, having filled {order.cum_qty} of {order.command.qty}"
        self._out.record(order_row(EventType.SERVER_MESSAGE, now, order, at, reason=OVER_AGAIN, message_text=text))
        self._orders.close(order)
        self._show_resting(order)

    def _end_cancels(self, order: TrackedOrder) -> None:
        for cancel in order.cancels:
            if cancel.state in OPEN_CANCEL_STATES:
                cancel.state = CancelState.DONE

    def _close(self, order: TrackedOrder, at: Nanos, now: Now) -> None:
        self._orders.close(order)
        self._show_resting(order)
        command = order.command
        self._out.send(
            Role.ROUTER,
            OrderEnded(command.pair_id, order.cl_ord_id, command.kind, order.symbol, order.side, order.cum_qty, at),
        )
        for cancel in order.cancels:
            # Its own answer has not come in time, and nothing is left for it to cancel.
            if cancel.stuck and order.state is OrderState.FILLED:
                self.cancel_rejected(cancel, "the order filled first", at, now, RejectSource.EXCHANGE)

    def _show_resting(self, order: TrackedOrder) -> None:
        """Tell the shard how much of the visible size at this price is our own, if that changed."""
        key = (order.symbol, order.venue, order.side, order.command.price)
        qty = self._orders.resting_qty(*key)
        if self._resting.get(key, 0) == qty:
            return
        if qty:
            self._resting[key] = qty
        else:
            del self._resting[key]
        entry = self._symbols.get(order.symbol)
        if entry is not None:  # an order of an earlier run may be of a symbol that this one does not have
            message = OwnResting(entry.index, order.venue, order.side, order.command.price, qty)
            self._out.send(Role.MARKET_DATA, message, entry.shard)


def kind_of(tracked: TrackedOrder | TrackedCancel) -> OrderKind:
    return tracked.command.kind if isinstance(tracked, TrackedOrder) else OrderKind.CANCEL


def _excess(order: TrackedOrder) -> str:
    filled = f"order {order.order_no} ({order.cl_ord_id}) filled {order.cum_qty} of {order.command.qty}"
    return f"{filled}: more than was ordered; a person must look at the account"


def _returned(tracked: TrackedOrder | TrackedCancel) -> tuple[tuple[str, Nanos], ...]:
    """When the call returned, for the row: 0 if it has not."""
    return (("returned_mono_ns", tracked.returned),)
