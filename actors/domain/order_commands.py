"""From a pair's command to the call of the control: duplicates, refusals, the last guard, and what waits behind it.

Every command enters the hold queue and leaves it at once if nothing stands in its way, so that a new one and a held one
pass the same checks in the same place. ORDER_SEND_ATTEMPT is always recorded before the call.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from actors.domain.holdings import Holdings
from actors.domain.order import CancelState, OrderState, OrderTrigger, TrackedCancel, TrackedOrder
from actors.domain.order_flow import OrderFlow, kind_of
from actors.domain.order_rows import cancel_row, order_row, plain_row, refused_cancel_row
from actors.domain.outbox import Outbox
from actors.domain.own_orders import OwnOrders
from actors.domain.pair_in_hand import child_of
from actors.domain.pair_memory import PairMemory
from actors.domain.refusals import Circumstances, first_refusal
from actors.domain.routes import PairRoutes
from actors.domain.send_guard import Held, HoldQueue, SendGuard
from actors.domain.symbol_map import SymbolEntry
from actors.domain.trading_hours import TradingHours
from actors.effects import Role
from actors.messages.journal import EventType
from actors.messages.orders import CancelOrder, OrderKind, OrderRefused, PlaceOrder, RefusalReason
from actors.messages.pairs import SymbolOverloaded
from actors.messages.throttle import SlotFreed, SlotUsed
from kiwoom.codes.error import is_overload
from kiwoom.codes.hoga import Hoga, hoga_of_style
from kiwoom.codes.order_type import cancel_order_type, new_order_type
from kiwoom.control import OrderCalled, SubmitOrder
from kiwoom.market import Nanos, Now, Symbol, Venue, Won


@dataclass(slots=True)
class Desk:
    """What is known of the broker's side of things; the core keeps it up to date."""

    account: str
    disconnected: str
    """Why nothing can be sent; "" = the line is up and reconciled."""
    observe_only: bool
    order_screens: tuple[str, ...]
    limits: dict[Symbol, tuple[Won, Won]]
    halts: dict[tuple[Symbol, Venue | None], str]
    """Why a symbol cannot be traded on a venue now. A venue of None: not told which. At most three entries a symbol."""


class OrderCommands:
    def __init__(
        self,
        *,
        out: Outbox,
        desk: Desk,
        orders: OwnOrders,
        flow: OrderFlow,
        holdings: Holdings,
        routes: PairRoutes,
        hours: TradingHours,
        guard: SendGuard,
        queue: HoldQueue,
        memory: PairMemory,
        symbols: Mapping[Symbol, SymbolEntry],
    ) -> None:
        self._out = out
        self._desk = desk
        self._orders = orders
        self._flow = flow
        self._holdings = holdings
        self._routes = routes
        self._hours = hours
        self._guard = guard
        self._queue = queue
        self._memory = memory
        self._symbols = symbols
        self._screens_used = 0
        self._last_release = Nanos(0)

    # --- in -----------------------------------------------------------------------------------------------------------

    def place(self, command: PlaceOrder, now: Now) -> bool:
        """True if its manager knows the pair's orders. If not, nothing is sent, and it is to be told of them."""
        if self._is_repeat(command, now):
            return True
        order = TrackedOrder(command)
        unknown = self._unknown_hedge(command)
        if unknown:
            self._orders.add(order)
            self._flow.refused(order, RefusalReason.OUTDATED, unknown, now, is_told=False)
            return False
        outdated, taken = self._outdated(command), self._slot_taken(command)
        if outdated or taken:
            self._orders.add(order)
            self._flow.refused(order, RefusalReason.OUTDATED, outdated or taken, now, is_told=False)
            if taken:  # its own manager may have begun it in good faith, a moment after the other's end
                event = OrderRefused(command.pair_id, command.cl_ord_id, RefusalReason.OUTDATED, taken, now.mono)
                self._out.send(Role.PAIR_MANAGER, event, command.slot)
            return True
        if self._routes.slot_of(command.pair_id) is None:
            self._routes.assign(command.pair_id, command.slot)
        self._orders.add(order)
        if self._queue.is_full:
            self._flow.refused(order, RefusalReason.NO_GRANT, "too many commands wait for the window", now)
            return True
        self._queue.add(order)
        self.release(now)
        return True

    def cancel(self, command: CancelOrder, now: Now) -> None:
        if self._is_repeat(command, now):
            return
        outdated = self._outdated(command)
        if outdated:
            self._refuse_untracked(command, RefusalReason.OUTDATED, outdated, now)
            return
        target = self._orders.order(command.target)
        if target is None:
            text = f"{command.target} is no order of ours"
            self._refuse_untracked(command, RefusalReason.UNKNOWN_TARGET, text, now)
            event = OrderRefused(command.pair_id, command.cl_ord_id, RefusalReason.UNKNOWN_TARGET, text, now.mono)
            self._out.send(Role.PAIR_MANAGER, event, command.slot)
            return
        cancel = TrackedCancel(command, target, at=now.mono)
        self._orders.add(cancel)
        target.cancels.append(cancel)
        if target.state is OrderState.HELD:
            self._withdraw(cancel, now)
            return
        if self._queue.is_full:
            self._flow.cancel_refused(cancel, RefusalReason.NO_GRANT, "too many commands wait for the window", now)
            return
        self._queue.add(cancel)
        self.release(now)

    def withdraw_entry(self, pair_id: str, now: Now) -> None:
        """The pair's manager is gone: if its entry has not left yet, it does not leave any more."""
        for held in self._queue.in_order():
            if held.command.pair_id == pair_id and kind_of(held) is OrderKind.ENTRY:
                assert isinstance(held, TrackedOrder)
                self._queue.remove(held)
                text = "its pair's manager was started again"
                self._flow.refused(held, RefusalReason.OUTDATED, text, now, is_told=False)

    def returned(self, event: OrderCalled) -> TrackedOrder | TrackedCancel | None:
        """The call came back: the window counts it from now, the Throttler is told, and of an overload the Router.

        Whose was it?
        """
        self._guard.returned(event.rq_name, event.at)
        tracked = self._orders.find(event.rq_name)
        if tracked is not None:
            overload = is_overload(event.code)
            self._out.send(
                Role.THROTTLER,
                SlotUsed(
                    grant_id=tracked.command.grant_id,
                    kind=kind_of(tracked),
                    called=event.called,
                    returned=event.at,
                    overload=overload,
                ),
            )
            if overload:
                self._out.send(Role.ROUTER, SymbolOverloaded(tracked.command.symbol, event.at))
        return tracked

    # --- out ----------------------------------------------------------------------------------------------------------

    def release(self, now: Now) -> None:
        """Refuse what must not leave, send what may, keep the rest. What the window blocks blocks all behind it; what
        waits for a number blocks nobody else."""
        self._last_release = now.mono
        window_full = False
        for held in self._queue.in_order():
            if self._refused(held, now) or self._waits_for_number(held):
                continue
            window_full = window_full or not self._guard.may_send(held, now.mono)
            if window_full:
                continue
            self._queue.remove(held)
            if isinstance(held, TrackedCancel):
                self._send_cancel(held, now)
            else:
                self._send_order(held, now)
        self._refuse_hopeless_entries(now)

    def next_deadline(self) -> Nanos | None:
        """The end of a held entry's grant, or when the window has room again."""
        held = self._queue.in_order()
        if not held:
            return None
        times = [h.command.expires for h in held if isinstance(h, TrackedOrder) and h.command.expires is not None]
        for each in held:
            free_at = None if self._waits_for_number(each) else self._guard.free_at(each, self._last_release)
            if free_at is not None:
                times.append(free_at)
        return min(times, default=None)

    def _refused(self, held: Held, now: Now) -> bool:
        if isinstance(held, TrackedCancel):
            refusal = self._cancel_refusal(held)
            if refusal is not None:
                self._queue.remove(held)
                self._flow.cancel_refused(held, *refusal, now)
            return refusal is not None
        refusal = first_refusal(held.command, self._circumstances(held.command, now))
        if refusal is not None:
            self._queue.remove(held)
            self._flow.refused(held, *refusal, now)
        return refusal is not None

    def _waits_for_number(self, held: Held) -> bool:
        """A cancel names its target by number. A hedge like an un-numbered order could not be told apart from it."""
        if isinstance(held, TrackedCancel):
            return not held.target.order_no
        return self._orders.unnumbered_before(held.symbol, held.venue, held.side) is not None

    def _send_order(self, order: TrackedOrder, now: Now) -> None:
        command = order.command
        order.screen_no = self._next_screen()
        order.order_type = new_order_type(command.venue, command.side)
        order.hoga = hoga_of_style(command.style.name).value
        order.attempted = now.mono
        order.attempted_wall = now.wall
        order.machine.fire(OrderTrigger.CALL)
        self._guard.called(command.cl_ord_id)
        self._out.record(order_row(EventType.ORDER_SEND_ATTEMPT, now, order))
        self._out.call(
            SubmitOrder(
                rq_name=command.cl_ord_id,
                screen_no=order.screen_no,
                account=self._desk.account,
                order_type=order.order_type,
                code=command.symbol,
                qty=command.qty,
                price=command.price,
                hoga=order.hoga,
                orig_order_no="",
            )
        )

    def _send_cancel(self, cancel: TrackedCancel, now: Now) -> None:
        target = cancel.target
        cancel.screen_no = self._next_screen()
        cancel.state = CancelState.CALLED
        cancel.at = now.mono
        order_type = cancel_order_type(target.venue, target.side)
        self._guard.called(cancel.cl_ord_id)
        self._out.record(
            cancel_row(
                EventType.CANCEL_SEND_ATTEMPT,
                now,
                cancel,
                order_type=order_type,
                hoga_code=Hoga.LIMIT.value,
                price=0,
            )
        )
        self._out.call(
            SubmitOrder(
                rq_name=cancel.cl_ord_id,
                screen_no=cancel.screen_no,
                account=self._desk.account,
                order_type=order_type,
                code=target.symbol,
                qty=target.leaves_qty,
                price=0,
                hoga=Hoga.LIMIT.value,
                orig_order_no=target.order_no,
            )
        )

    def _next_screen(self) -> str:
        screens = self._desk.order_screens
        self._screens_used += 1
        return screens[(self._screens_used - 1) % len(screens)]

    # --- refusing -----------------------------------------------------------------------------------------------------

    def _circumstances(self, command: PlaceOrder, now: Now) -> Circumstances:
        symbol, venue = command.symbol, command.venue
        opposing = self._orders.opposing(symbol, venue, command.side, command.price)
        unnumbered = self._orders.unnumbered_before(symbol, venue, command.side)
        return Circumstances(
            mono=now.mono,
            disconnected=self._desk.disconnected,
            session_off=self._flow.trouble or self._hours.session_off(now.wall),
            venue_closed=self._hours.orders_closed(venue, now.wall),
            halted=self._desk.halts.get((symbol, venue), ""),
            halted_somewhere=self._desk.halts.get((symbol, None), ""),
            observe_only=self._desk.observe_only,
            known_symbol=symbol in self._symbols,
            limits=self._desk.limits.get(symbol),
            free_to_sell=self._holdings.free(symbol, self._orders.open_orders(symbol)),
            opposing_order=opposing.cl_ord_id if opposing is not None else "",
            unnumbered_order=unnumbered.cl_ord_id if unnumbered is not None else "",
        )

    def _cancel_refusal(self, cancel: TrackedCancel) -> tuple[RefusalReason, str] | None:
        """A cancel needs no session and no grant: only a line, a venue that is not shut, and a live target."""
        if self._desk.disconnected:
            return RefusalReason.DISCONNECTED, self._desk.disconnected
        closed = self._hours.cancels_closed(cancel.target.venue)
        if closed:
            return RefusalReason.VENUE_CLOSED, closed
        if self._desk.observe_only:
            return RefusalReason.OBSERVE_ONLY, "observe mode sends no order"
        if cancel.target.is_over:
            text = f"{cancel.target.cl_ord_id} is over: {cancel.target.state.name.lower()}"
            return RefusalReason.UNKNOWN_TARGET, text
        return None

    def _refuse_hopeless_entries(self, now: Now) -> None:
        """Entries whose grant will have run out before the window has room."""
        for held in self._queue.in_order():
            if isinstance(held, TrackedOrder) and held.command.kind is OrderKind.ENTRY:
                assert held.command.expires is not None
                free_at = self._guard.free_at(held, now.mono)
                if free_at is not None and free_at >= held.command.expires:
                    self._queue.remove(held)
                    text = "the broker's window has no room before the grant runs out"
                    self._flow.refused(held, RefusalReason.GRANT_EXPIRED, text, now)

    def _refuse_untracked(self, command: CancelOrder, reason: RefusalReason, text: str, now: Now) -> None:
        self._out.record(refused_cancel_row(now, command, reason=reason.value, message_text=text))
        self._free_grant(command.grant_id)

    def _withdraw(self, cancel: TrackedCancel, now: Now) -> None:
        """The target never left: it is taken back, and the cancel has nothing to send."""
        self._queue.remove(cancel.target)
        cancel.state = CancelState.CALLED
        self._flow.withdrawn(cancel.target, now)
        self._free_grant(cancel.command.grant_id)

    def _outdated(self, command: PlaceOrder | CancelOrder) -> str:
        """Why nobody stands behind this command any more; "" = its pair's present manager gave it."""
        generation = self._memory.generation(command.pair_id)
        if command.generation >= generation:
            return ""
        return f"decided in generation {command.generation} of its pair, which is in {generation}"

    def _unknown_hedge(self, command: PlaceOrder) -> str:
        """A rescue proves the hedges of the children before it and then sends one of its own. So one that hedges beside
        them was begun by a manager that never had the pair, and cannot know them."""
        pair_id = command.pair_id
        if command.kind is OrderKind.ENTRY or self._outdated(command) or self._memory.plan(pair_id) is None:
            return ""
        child = child_of(command.cl_ord_id, pair_id)
        for order in self._orders.of_pair(pair_id):
            is_hedge = order.command.kind is not OrderKind.ENTRY
            if is_hedge and not order.was_called_over and child_of(order.cl_ord_id, pair_id) < child:
                return f"{order.cl_ord_id} of its pair may still fill"
        return ""

    def _slot_taken(self, command: PlaceOrder) -> str:
        """A slot in which a pair was restored takes no entry of another: a manager that failed had decided it."""
        occupant = self._routes.pair_in(command.slot)
        if command.kind is not OrderKind.ENTRY or occupant is None or occupant == command.pair_id:
            return ""
        is_taken = self._memory.generation(occupant) > 0 and self._memory.is_running(occupant)
        return f"{occupant} was restored in slot {command.slot}" if is_taken else ""

    def _is_repeat(self, command: PlaceOrder | CancelOrder, now: Now) -> bool:
        """The id was used before: nothing is sent, and the pair hears again what became of the first."""
        first = self._orders.find(command.cl_ord_id)
        if first is None:
            return False
        row = plain_row(
            EventType.SERVER_MESSAGE,
            now,
            pair_id=command.pair_id,
            cl_ord_id=command.cl_ord_id,
            symbol=command.symbol,
            reason=RefusalReason.DUPLICATE.value,
            message_text="this client order id was used before; not sent again",
        )
        self._out.record(row)
        if command.grant_id != first.command.grant_id:
            self._free_grant(command.grant_id)
        self._flow.repeat_last_event(first)
        return True

    def _free_grant(self, grant_id: int | None) -> None:
        if grant_id is not None:
            self._out.send(Role.THROTTLER, SlotFreed(grant_id))
