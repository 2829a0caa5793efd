"""One order's life, as a transition table, and the order itself as the Gateway tracks it.

The broker's events come twice, late and in any order (KIWOOM.md 4.2), so several rows below look odd; each says why.
A cancel is a request of its own, with its own number; it never ends its target: only a confirmation does.
"""

from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Final

from actors.domain.machine import Machine
from actors.messages.orders import CancelOrder, EndReason, OrderEvent, OrderFilled, OrderStyle, PlaceOrder
from actors.messages.pairs import OrderStanding
from kiwoom.market import Nanos, Shares, Side, Symbol, Venue, WallNanos, Won


class OrderState(Enum):
    HELD = auto()
    """Not sent yet: the last guard, or an un-numbered order before it, holds it back."""
    CALLED = auto()
    """Handed to the control; the call has not returned."""
    SENT = auto()
    """The call returned 0; no order number yet."""
    NUMBERED = auto()
    """The broker gave it a number."""
    WORKING = auto()
    """At the exchange (접수), or partly filled there."""
    FILLED = auto()
    CANCELED = auto()
    REJECTED = auto()
    REFUSED = auto()


class OrderTrigger(Enum):
    CALL = auto()
    TAKE = auto()
    TURN_AWAY = auto()
    NUMBER = auto()
    ACCEPT = auto()
    FILL_PART = auto()
    FILL_REST = auto()
    CANCEL = auto()
    REJECT = auto()
    REFUSE = auto()


S, T = OrderState, OrderTrigger

ORDER_TRANSITIONS = {
    (S.HELD, T.CALL): S.CALLED,
    (S.HELD, T.REFUSE): S.REFUSED,
    (S.HELD, T.CANCEL): S.CANCELED,  # its pair withdrew it before it left
    (S.CALLED, T.TAKE): S.SENT,
    (S.CALLED, T.TURN_AWAY): S.REJECTED,
    (S.CALLED, T.NUMBER): S.NUMBERED,  # the answer overtook the call's own return
    (S.CALLED, T.REJECT): S.REJECTED,
    (S.SENT, T.NUMBER): S.NUMBERED,
    (S.SENT, T.REJECT): S.REJECTED,
    (S.SENT, T.CANCEL): S.CANCELED,  # proved lost
    (S.NUMBERED, T.TAKE): S.NUMBERED,  # the overtaken return
    (S.NUMBERED, T.ACCEPT): S.WORKING,
    (S.NUMBERED, T.FILL_PART): S.WORKING,  # a fill can overtake its acceptance
    (S.NUMBERED, T.FILL_REST): S.FILLED,
    (S.NUMBERED, T.CANCEL): S.CANCELED,
    (S.NUMBERED, T.REJECT): S.REJECTED,
    (S.WORKING, T.TAKE): S.WORKING,
    (S.WORKING, T.ACCEPT): S.WORKING,  # the overtaken acceptance, or one that came twice
    (S.WORKING, T.FILL_PART): S.WORKING,
    (S.WORKING, T.FILL_REST): S.FILLED,
    (S.WORKING, T.CANCEL): S.CANCELED,
    (S.WORKING, T.REJECT): S.REJECTED,
    # After the end, what is late is kept and changes nothing.
    (S.FILLED, T.TAKE): S.FILLED,
    (S.CANCELED, T.TAKE): S.CANCELED,
    (S.CANCELED, T.NUMBER): S.NUMBERED,  # it was proved lost, and was not: it lives again
    (S.CANCELED, T.FILL_PART): S.WORKING,  # it left the book, and had not: the rest may fill as well
    (S.CANCELED, T.FILL_REST): S.CANCELED,
    (S.REJECTED, T.TAKE): S.REJECTED,
    (S.REJECTED, T.FILL_PART): S.WORKING,
    (S.REJECTED, T.FILL_REST): S.REJECTED,
    (S.REJECTED, T.NUMBER): S.NUMBERED,  # a rejection that was none
    (S.FILLED, T.FILL_REST): S.FILLED,  # more than was ordered: trading stops
}

END_STATES = frozenset({S.FILLED, S.CANCELED, S.REJECTED, S.REFUSED})
AT_BROKER_STATES = frozenset({S.CALLED, S.SENT, S.NUMBERED, S.WORKING})
"""The broker may have it: it can still trade."""

NO_TIME: Final = Nanos(0)
NO_WALL: Final = WallNanos(0)
NO_SHARES: Final = Shares(0)

IOC_STYLES = frozenset({OrderStyle.LIMIT_IOC, OrderStyle.MARKET_IOC})
PRICELESS_STYLES = frozenset({OrderStyle.MARKET_IOC, OrderStyle.MID})


def new_order_machine() -> Machine[OrderState, OrderTrigger]:
    return Machine(ORDER_TRANSITIONS, S.HELD)


class CancelState(Enum):
    HELD = auto()
    CALLED = auto()
    SENT = auto()
    NUMBERED = auto()
    DONE = auto()
    """Its target's end was confirmed."""
    REJECTED = auto()
    REFUSED = auto()
    FORGOTTEN = auto()
    """Under way when the Gateway was started again. Nobody waits for its answer; what the broker reports still counts
    for its target."""


OPEN_CANCEL_STATES = frozenset({CancelState.CALLED, CancelState.SENT, CancelState.NUMBERED})


@dataclass(slots=True, eq=False)
class TrackedOrder:
    """An order of ours from its command to its end. Quantities are ours, derived from the fills."""

    command: PlaceOrder
    machine: Machine[OrderState, OrderTrigger] = field(default_factory=new_order_machine)
    screen_no: str = ""
    order_type: int = 0
    hoga: str = ""
    order_no: str = ""
    attempted: Nanos = NO_TIME
    attempted_wall: WallNanos = NO_WALL
    returned: Nanos = NO_TIME
    numbered: Nanos = NO_TIME
    cum_qty: Shares = NO_SHARES
    fills: list[OrderFilled] = field(default_factory=list)
    """As they were told, oldest first. At most one per share ordered."""
    exec_ids: set[str] = field(default_factory=set)
    """Only asked for membership. At most one entry per share ordered."""
    inferred_qty: Shares = NO_SHARES
    """Filled according to a query, the fill's own report still to come."""
    proved_qty: Shares = NO_SHARES
    """With `inferred_qty`: how much of the order that query knew to be filled, the fills seen before included."""
    ending: EndReason | None = None
    """Its end was seen before all of its fills: it ends with the last of them."""
    expected_cum: Shares = NO_SHARES
    """With `ending`: what it must have filled before it may be called ended."""
    accepted: bool = False
    """접수 was seen (or proved by a query); fills may come before it."""
    found_resting: bool = False
    """A query found it in the book."""
    rejecting: bool = False
    """The blank number came; the broker's words may follow."""
    words: str = ""
    cancels: list["TrackedCancel"] = field(default_factory=list)
    absences: int = 0
    """How often a query late enough did not show this un-numbered order."""
    last_event: OrderEvent | None = None
    called: OrderState | None = None
    """It was called over, in this state, and turned up alive: its one terminal row is written, and its pair, which was
    told of that end, hears of nothing but its fills."""

    @property
    def is_revived(self) -> bool:
        return self.called is not None

    @property
    def was_called_over(self) -> bool:
        """Its end was told; it may live again."""
        return self.is_over or self.is_revived

    @property
    def state(self) -> OrderState:
        return self.machine.state

    @property
    def cl_ord_id(self) -> str:
        return self.command.cl_ord_id

    @property
    def symbol(self) -> Symbol:
        return self.command.symbol

    @property
    def venue(self) -> Venue:
        return self.command.venue

    @property
    def side(self) -> Side:
        return self.command.side

    @property
    def is_over(self) -> bool:
        return self.state in END_STATES

    @property
    def is_at_broker(self) -> bool:
        return self.state in AT_BROKER_STATES

    @property
    def leaves_qty(self) -> Shares:
        """What may still trade: 0 once it is over."""
        return Shares(0) if self.is_over else Shares(max(0, self.command.qty - self.cum_qty))

    @property
    def rests(self) -> bool:
        """It stands visibly in the book: a mid-price order does not show in it."""
        return self.state is S.WORKING and self.command.style is OrderStyle.LIMIT

    @property
    def open_cancel(self) -> "TrackedCancel | None":
        for cancel in reversed(self.cancels):
            if cancel.state in OPEN_CANCEL_STATES:
                return cancel
        return None

    @property
    def may_still_be_numbered(self) -> bool:
        """A report with an unknown number may be about this order. One given up as lost may turn up yet."""
        return not self.order_no and self.state in (S.CALLED, S.SENT, S.CANCELED) and self.attempted > 0

    def revive(self) -> None:
        """It was called over, and its number or a part of it has come. That the lists did not show it proves nothing
        any more. It may happen again after its second end: what was told is the first."""
        assert self.is_over
        self.called = self.called or self.state
        self.absences = 0

    @property
    def end_reason(self) -> EndReason:
        """Why it leaves the book if it does so now without having filled."""
        if self.open_cancel is not None or any(cancel.state is CancelState.FORGOTTEN for cancel in self.cancels):
            return EndReason.BY_US
        return EndReason.IOC_REMAINDER if self.command.style in IOC_STYLES else EndReason.BY_VENUE

    @property
    def standing(self) -> OrderStanding:
        """For the successor of its manager. The grant and the plan are no part of it: they are used up."""
        cancel = next((c for c in reversed(self.cancels) if c.state in (CancelState.HELD, *OPEN_CANCEL_STATES)), None)
        return OrderStanding(
            command=replace(self.command, grant_id=None, expires=None, plan=None),
            submitted_at=self.returned or self.numbered or None,
            numbered_at=self.numbered or None,
            fills=tuple(self.fills),
            over=self.was_called_over,
            turned_down=(self.called or self.state) in (S.REJECTED, S.REFUSED),
            cancel_id=cancel.cl_ord_id if cancel is not None else "",
            cancel_at=cancel.at if cancel is not None else None,
        )

    def could_match(self, side: Side, price: Won) -> bool:
        """Could an order of the other `side` at `price` (0 = any price) trade with this one?"""
        if side is self.side:
            return False
        if price == 0 or self.command.price == 0:
            return True
        return price >= self.command.price if self.side is Side.SELL else price <= self.command.price


@dataclass(slots=True, eq=False)
class TrackedCancel:
    """A cancel of ours from its command to its target's end."""

    command: CancelOrder
    target: TrackedOrder
    state: CancelState = CancelState.HELD
    screen_no: str = ""
    order_no: str = ""
    at: Nanos = NO_TIME
    """When it was called; while it is held back, when it was given."""
    returned: Nanos = NO_TIME
    rejecting: bool = False
    stuck: bool = False
    words: str = ""
    last_event: OrderEvent | None = None

    @property
    def cl_ord_id(self) -> str:
        return self.command.cl_ord_id
