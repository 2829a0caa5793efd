"""Looks after what nobody else does: orders that were called over and live, those that outlive their pair, and trouble
that a new look may explain.

A pair that was told of its order's end, or has come to its own, asks nothing about it any more, so whatever is left of
the order is ours to end: one that may rest is cancelled, any other is asked about, again and again with growing pauses
until it is over. And as long as something is not understood the account is looked at anew, with growing pauses too.
"""

from itertools import count
from typing import Final

from actors.domain.alarms import Alarms
from actors.domain.doubt_desk import DoubtDesk
from actors.domain.enquiries import Enquiry
from actors.domain.order import IOC_STYLES, OPEN_CANCEL_STATES, CancelState, TrackedCancel, TrackedOrder
from actors.domain.order_commands import Desk, OrderCommands
from actors.domain.order_flow import OrderFlow
from actors.domain.own_orders import OwnOrders
from actors.domain.pair_memory import PairMemory
from actors.messages.orders import CancelOrder
from kiwoom.market import MS, SECOND, Nanos, Now

FIRST_NS: Final = Nanos(500 * MS)
"""The reports of an order that has just turned up come by themselves, as a rule: an IOC has so long."""

PAUSES_NS: Final = tuple(Nanos(seconds * SECOND) for seconds in (1, 1, 2, 2, 4, 8, 16, 30))
"""Between two looks at one order; the last one repeats."""

CANCEL_WAIT_NS: Final = Nanos(2 * SECOND)

LOOKS_NS: Final = tuple(Nanos(seconds * SECOND) for seconds in (3, 6, 12, 24, 48, 60))
"""From a trouble to the new look at the account, while trouble recurs; the last one repeats."""

CALM_NS: Final = Nanos(60 * SECOND)
"""Trouble that comes so long after the last one begins with the short pauses again."""


class Aftercare:
    """At most one alarm per order that nobody else asks about and lives."""

    def __init__(
        self,
        *,
        desk: Desk,
        orders: OwnOrders,
        flow: OrderFlow,
        commands: OrderCommands,
        doubts: DoubtDesk,
        memory: PairMemory,
    ) -> None:
        self._desk = desk
        self._orders = orders
        self._flow = flow
        self._commands = commands
        self._doubts = doubts
        self._memory = memory
        self._looks: dict[str, int] = {}
        """By each order that is looked after: how often."""
        self._alarms: Alarms[TrackedOrder] = Alarms()
        self._look_at: Nanos | None = None
        self._account_looks = 0
        self._last_trouble: Nanos | None = None

    def settle(self, now: Now) -> None:
        """After every message: who needs us?"""
        for order in (*self._orders.revived(), *self._unattended()):
            if order.cl_ord_id not in self._looks:
                self._looks[order.cl_ord_id] = 0
                self._alarms.set(Nanos(now.mono + (0 if may_rest(order) else FIRST_NS)), order)
        if not self._flow.may_clear:
            self._look_at = None
            return
        if self._look_at is None:
            if self._last_trouble is not None and now.mono - self._last_trouble > CALM_NS:
                self._account_looks = 0
            self._look_at = Nanos(now.mono + _nth(LOOKS_NS, self._account_looks))
            self._account_looks += 1
        self._last_trouble = now.mono

    def next_deadline(self) -> Nanos | None:
        return min((at for at in (self._alarms.next_at(), self._look_at) if at is not None), default=None)

    def take_look(self, now: Now) -> bool:
        """True: the account is to be looked at anew. If the trouble outlasts that, again."""
        if self._look_at is None or now.mono < self._look_at:
            return False
        self._look_at = None
        return True

    def on_deadline(self, now: Now) -> tuple[Enquiry, ...]:
        """Returns what to ask the broker."""
        asked: tuple[Enquiry, ...] = ()
        while (order := self._alarms.take_due(now.mono)) is not None:
            if order.is_over:
                del self._looks[order.cl_ord_id]  # should it turn up again, it is a new case
                continue
            if order.is_revived or self._is_unattended(order):
                asked += self._end(order, now)
            looks = self._looks[order.cl_ord_id]
            self._looks[order.cl_ord_id] = looks + 1
            self._alarms.set(Nanos(now.mono + _nth(PAUSES_NS, looks)), order)
        return asked

    def _unattended(self) -> list[TrackedOrder]:
        return [order for order in self._orders.open_orders() if self._is_unattended(order)]

    def _is_unattended(self, order: TrackedOrder) -> bool:
        """Its pair ended unhedged, out of time, before the order's end was proved."""
        return order.is_at_broker and not self._memory.is_running(order.command.pair_id)

    def _end(self, order: TrackedOrder, now: Now) -> tuple[Enquiry, ...]:
        if self._desk.disconnected:
            return ()
        if may_rest(order) and not any(_is_awaited(cancel, now) for cancel in order.cancels):
            self._commands.cancel(self._cancel(order), now)
        # A cancel that is not answered, or rejected because the order is over, says less than the lists do.
        return self._doubts.look_into(order, now) if self._looks[order.cl_ord_id] or not may_rest(order) else ()

    def _cancel(self, order: TrackedOrder) -> CancelOrder:
        command = order.command
        names = (f"{order.cl_ord_id}-X{number}" for number in count(1))
        return CancelOrder(
            cl_ord_id=next(name for name in names if self._orders.find(name) is None),
            target=order.cl_ord_id,
            pair_id=command.pair_id,
            slot=command.slot,
            symbol=command.symbol,
            generation=self._memory.generation(command.pair_id),
        )


def may_rest(order: TrackedOrder) -> bool:
    return order.command.style not in IOC_STYLES or order.found_resting


def _is_awaited(cancel: TrackedCancel, now: Now) -> bool:
    """Held back, or under way and not stuck. After the wait its answer is not coming, or its line was lost."""
    is_open = cancel.state is CancelState.HELD or cancel.state in OPEN_CANCEL_STATES
    return is_open and not cancel.stuck and now.mono < cancel.at + CANCEL_WAIT_NS


def _nth(pauses: tuple[Nanos, ...], number: int) -> Nanos:
    return pauses[min(number, len(pauses) - 1)]
