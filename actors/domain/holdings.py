"""What the account holds and may still sell, symbol by symbol: no naked sale, ever.

The broker tells held and sellable shares at login and after each event (잔고, FIDs 930 and 933). Between two reports we
count our own fills and live sells. Two bounds are kept and the lower one holds, because whether 933 falls already when
a sell is accepted is only moderately certain (KIWOOM.md 4.2):

- held, moved by our fills, less what all our live sells may still sell;
- sellable as reported, moved by our fills, less what the live sells not yet contained in it may still sell.

An answer about the whole account was true at some time after the question, page by page: a report on a symbol that came
since the question stands, and of our sales since then none is believed to be in the answer.

Everything uncertain is counted against us: the next report, which follows each fill, sets it right.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from actors.domain.order import NO_TIME, OrderState, TrackedOrder
from actors.domain.own_orders import OwnOrders
from kiwoom.market import Nanos, Shares, Side, Symbol


@dataclass(slots=True)
class _Position:
    held: int = 0
    sellable: int = 0
    unexplained_qty: int = 0
    """Bought according to the last report, the fill itself not seen yet: not to be counted twice."""
    contained: set[str] = field(default_factory=set)
    """cl_ord_ids of live sells that `sellable` has been reduced by. Only asked for membership."""
    blocked_by_others: int = 0
    """Held and not sellable at the last report, beyond what the contained sells explain."""
    reported_at: Nanos = NO_TIME
    filled_at: Nanos = NO_TIME
    untold_sales: int = 0
    """Shares sold since the last report."""


class Holdings:
    """At most one entry per symbol that the account ever held."""

    def __init__(self) -> None:
        self._positions: dict[Symbol, _Position] = {}

    def reported(self, symbol: Symbol, held: Shares, sellable: Shares, live: Iterable[TrackedOrder], at: Nanos) -> None:
        """The broker's word, stamped `at`. `live` are our open orders of the symbol."""
        self._take(symbol, held, sellable, live, was_asked=False)
        self._positions[symbol].reported_at = at

    def _take(self, symbol: Symbol, held: int, sellable: int, live: Iterable[TrackedOrder], *, was_asked: bool) -> None:
        """`was_asked`: it does not follow a fill, and so explains nothing that was not explained before."""
        live = tuple(live)
        before = self._positions.get(symbol)
        if before is not None:
            gained = held - before.held + (before.unexplained_qty if was_asked else 0)
        else:
            # The first word after a restart may contain purchases of orders that we still follow.
            gained = held if any(order.side is Side.BUY for order in live) else 0
        contained = self._contained(before, held - sellable, [order for order in live if order.side is Side.SELL])
        ours = sum(order.leaves_qty for order in live if order.cl_ord_id in contained)
        by_others = max(0, held - sellable - ours)
        self._positions[symbol] = _Position(held, sellable, max(0, gained), contained, by_others)

    def _contained(self, before: _Position | None, blocked: int, sells: list[TrackedOrder]) -> set[str]:
        """The sells that a report of so many blocked shares counts: those accepted, and those with a number if all of
        them and the orders that are not ours, as known before, are blocked. Their acceptance may never be reported."""
        accepted = [order for order in sells if order.state is OrderState.WORKING]
        numbered = [order for order in sells if order.state in (OrderState.WORKING, OrderState.NUMBERED)]
        others = 0 if before is None else before.blocked_by_others
        explains = blocked >= others + sum(order.leaves_qty for order in numbered)
        return {order.cl_ord_id for order in (numbered if explains else accepted)}

    def listed(self, account: tuple[tuple[Symbol, Shares, Shares], ...], orders: OwnOrders, asked: Nanos) -> None:
        """The whole account, asked for at `asked`: what it does not list it no longer holds. To be told as soon as the
        answer comes: a sale that rested then may be over a moment later."""
        known = {symbol: (held, sellable) for symbol, held, sellable in account}
        for symbol in (*known, *(each for each in self._positions if each not in known)):
            held, sellable = known.get(symbol, (Shares(0), Shares(0)))
            before = self._positions.get(symbol, _Position())
            if before.reported_at > asked:
                continue
            sold = before.untold_sales if before.filled_at > asked else 0
            self._take(symbol, held - sold, sellable - sold, orders.open_orders(symbol), was_asked=True)
            after = self._positions[symbol]
            after.reported_at, after.filled_at = before.reported_at, before.filled_at
            after.untold_sales = before.untold_sales

    def as_account(self) -> tuple[tuple[Symbol, Shares, Shares], ...]:
        """(symbol, held, sellable), our fills and ended sales since the last word counted in."""
        return tuple(
            (symbol, Shares(max(0, each.held)), Shares(max(0, each.sellable)))
            for symbol, each in self._positions.items()
            if each.held > 0
        )

    def filled(self, order: TrackedOrder, qty: Shares, at: Nanos) -> None:
        position = self._positions.setdefault(order.symbol, _Position())
        position.filled_at = at
        if order.side is Side.BUY:
            known = min(qty, position.unexplained_qty)
            position.unexplained_qty -= known
            position.held += qty - known
            position.sellable += qty - known
            return
        position.untold_sales += qty
        position.held -= qty
        if order.cl_ord_id not in position.contained:
            position.sellable -= qty

    def ended(self, order: TrackedOrder, unfilled_qty: Shares) -> None:
        """A live sell is over: what it did not sell is free again."""
        position = self._positions.get(order.symbol)
        if position is not None and order.cl_ord_id in position.contained:
            position.contained.discard(order.cl_ord_id)
            position.sellable += unfilled_qty

    def free(self, symbol: Symbol, live: Iterable[TrackedOrder]) -> Shares:
        """Shares that a new sale may claim. `live` are our open orders of the symbol."""
        position = self._positions.get(symbol)
        if position is None:
            return Shares(0)
        sells = [order for order in live if order.side is Side.SELL and order.is_at_broker]
        all_leaves = sum(order.leaves_qty for order in sells)
        new_leaves = sum(order.leaves_qty for order in sells if order.cl_ord_id not in position.contained)
        return Shares(max(0, min(position.held - all_leaves, position.sellable - new_leaves)))
