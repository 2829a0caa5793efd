"""Every order and cancel of ours of the day, and how a report finds the one that it is about.

Correlation goes rqname -> order number -> exec id. A report can come before its order's number (역전, KIWOOM.md 4.2);
such reports are held by number until the number's owner is known. The registry only grows: at most five sends a second
are possible, and a day has a few thousand.
"""

from collections import deque
from collections.abc import Iterator

from actors.domain.order import PRICELESS_STYLES, TrackedCancel, TrackedOrder
from kiwoom.control import OrderReport
from kiwoom.market import Shares, Side, Symbol, Venue, Won


class OwnOrders:
    def __init__(self, early_reports_max: int) -> None:
        self._by_id: dict[str, TrackedOrder | TrackedCancel] = {}
        self._by_number: dict[str, list[TrackedOrder | TrackedCancel]] = {}
        self._open: dict[str, TrackedOrder] = {}
        self._unnumbered: dict[str, TrackedOrder] = {}
        self._of_pair: dict[str, list[TrackedOrder]] = {}
        # Full, the oldest goes: it is the least likely to be ours still. A query would find what it told.
        self._early: deque[OrderReport] = deque(maxlen=early_reports_max)

    def add(self, tracked: TrackedOrder | TrackedCancel) -> None:
        assert tracked.cl_ord_id not in self._by_id
        self._by_id[tracked.cl_ord_id] = tracked
        if isinstance(tracked, TrackedOrder):
            self._open[tracked.cl_ord_id] = tracked
            self._unnumbered[tracked.cl_ord_id] = tracked
            self._of_pair.setdefault(tracked.command.pair_id, []).append(tracked)

    def find(self, cl_ord_id: str) -> TrackedOrder | TrackedCancel | None:
        return self._by_id.get(cl_ord_id)

    def order(self, cl_ord_id: str) -> TrackedOrder | None:
        found = self._by_id.get(cl_ord_id)
        return found if isinstance(found, TrackedOrder) else None

    def of_pair(self, pair_id: str) -> tuple[TrackedOrder, ...]:
        """All orders of the pair, in the order in which they were given."""
        return tuple(self._of_pair.get(pair_id, ()))

    def number(self, tracked: TrackedOrder | TrackedCancel, order_no: str) -> None:
        assert order_no
        assert not tracked.order_no
        tracked.order_no = order_no
        self._by_number.setdefault(order_no, []).append(tracked)
        self._unnumbered.pop(tracked.cl_ord_id, None)

    def close(self, order: TrackedOrder) -> None:
        """The order is over: it no longer counts among the open ones."""
        self._open.pop(order.cl_ord_id, None)
        if not order.may_still_be_numbered:
            self._unnumbered.pop(order.cl_ord_id, None)

    def reopen(self, order: TrackedOrder) -> None:
        """It was called over and lives: it counts again wherever an open order counts."""
        self._open[order.cl_ord_id] = order

    @property
    def ended_count(self) -> int:
        """Orders of the day whose end was told."""
        return sum(order.was_called_over for orders in self._of_pair.values() for order in orders)

    def open_orders(self, symbol: Symbol | None = None) -> Iterator[TrackedOrder]:
        """Those not over, oldest first: at most a few per live pair."""
        for order in tuple(self._open.values()):
            if symbol is None or order.symbol == symbol:
                yield order

    def lost(self) -> tuple[TrackedOrder, ...]:
        """Called over without a number: if that was wrong, it may have turned up while nobody listened."""
        return tuple(o for o in self._unnumbered.values() if o.is_over and o.may_still_be_numbered)

    def revived(self) -> tuple[TrackedOrder, ...]:
        """Those that were called over and live: none but after a day's rarest answers."""
        return tuple(order for order in self._open.values() if order.is_revived)

    def overfilled(self) -> TrackedOrder | None:
        """The first order of the day that filled more than was ordered."""
        for orders in self._of_pair.values():
            for order in orders:
                if order.cum_qty > order.command.qty:
                    return order
        return None

    def is_ours(self, order_no: str) -> bool:
        return order_no in self._by_number

    def numbered(self, order_no: str, symbol: Symbol, venue: Venue | None) -> TrackedOrder | TrackedCancel | None:
        """Whose number is this? Told apart by symbol and venue: we do not rely on one numbering for both venues."""
        found = [owner for owner in self._by_number.get(order_no, ()) if _target(owner).symbol == symbol]
        if len(found) > 1 and venue is not None:
            found = [owner for owner in found if _target(owner).venue is venue]
        return found[0] if len(found) == 1 else None

    def unnumbered_before(self, symbol: Symbol, venue: Venue, side: Side) -> TrackedOrder | None:
        """The order under way whose number is not known yet: two of them could not be told apart."""
        for order in self.open_orders(symbol):
            if order.venue is venue and order.side is side and order.is_at_broker and not order.order_no:
                return order
        return None

    def opposing(self, symbol: Symbol, venue: Venue, side: Side, price: Won) -> TrackedOrder | None:
        """An order of ours that a new one of `side` at `price` could trade with."""
        for order in self.open_orders(symbol):
            if order.venue is venue and order.is_at_broker and order.could_match(side, price):
                return order
        return None

    def candidates(self, symbol: Symbol) -> tuple[TrackedOrder, ...]:
        """The orders that an unknown number on `symbol` may belong to, those given up as lost included."""
        return tuple(o for o in self._unnumbered.values() if o.symbol == symbol and o.may_still_be_numbered)

    def match(self, report: OrderReport) -> TrackedOrder | None:
        """The one un-numbered order that this report must be about, or None if that is not certain.

        Certain means: the report brings back one of our own order screens (FID 920) and agrees in symbol, venue, side,
        quantity and price. Without the screen an equal order of the trader's own hand could not be told apart.
        """
        found = [
            order
            for order in self.candidates(report.symbol)
            if not report.is_cancel
            and report.screen_no == order.screen_no
            and report.venue in (None, order.venue)
            and agrees(order, side=report.side, qty=report.qty, price=report.price)
        ]
        return found[0] if len(found) == 1 else None

    def hold_early(self, report: OrderReport) -> None:
        self._early.append(report)

    def take_early(self, order_no: str) -> tuple[OrderReport, ...]:
        """The held reports of `order_no` (its own and those naming it as the original), oldest first."""
        taken = tuple(report for report in self._early if order_no in (report.order_no, report.orig_order_no))
        for report in taken:
            self._early.remove(report)
        return taken

    def resting_qty(self, symbol: Symbol, venue: Venue, side: Side, price: Won) -> Shares:
        return Shares(
            sum(
                order.leaves_qty
                for order in self.open_orders(symbol)
                if order.rests and (order.venue, order.side, order.command.price) == (venue, side, price)
            )
        )


def agrees(order: TrackedOrder, *, side: Side | None, qty: Shares, price: Won) -> bool:
    """Is a report or row of this side, quantity and price about an order like ours? A price-0 order may show any."""
    return (
        side is order.side
        and qty == order.command.qty
        and (order.command.style in PRICELESS_STYLES or price == order.command.price)
    )


def _target(owner: TrackedOrder | TrackedCancel) -> TrackedOrder:
    return owner if isinstance(owner, TrackedOrder) else owner.target
