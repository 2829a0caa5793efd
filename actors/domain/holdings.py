"""What the account holds and may still sell, symbol by symbol: no naked sale, ever.

The broker tells held and sellable shares at login and after each event (잔고, FIDs 930 and 933). Between two reports we
count our own fills and live sells. Two bounds are kept and the lower one holds, because whether 933 falls already when
a sell is accepted is only moderately certain (KIWOOM.md 4.2):

- held, moved by our fills, less what all our live sells may still sell;
- sellable as reported, moved by our fills, less what the live sells not yet contained in it may still sell.

The account's list says what was true at some time after it was asked for, page by page: a word of the broker's own on
the symbol that came since stands, and of our sales since then none is believed to be in the list.

Everything uncertain is counted against us: the next report, which follows each fill, sets it right.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from actors.domain.order import NO_TIME, OrderState, TrackedOrder
from kiwoom.market import Nanos, Shares, Side, Symbol


@dataclass(slots=True)
class _Position:
    held: int = 0
    sellable: int = 0
    unexplained_qty: int = 0
    """Bought according to the last report, the fill itself not seen yet: not to be counted twice."""
    contained: set[str] = field(default_factory=set)
    """cl_ord_ids of live sells that `sellable` has been reduced by. Only asked for membership."""
    reported_at: Nanos = NO_TIME
    filled_at: Nanos = NO_TIME
    untold_sales: int = 0
    """Shares sold since the last report."""


class Holdings:
    """At most one entry per symbol that the account ever held."""

    def __init__(self) -> None:
        self._positions: dict[Symbol, _Position] = {}

    def symbols(self) -> tuple[Symbol, ...]:
        return tuple(self._positions)

    def positions(self) -> tuple[tuple[Symbol, Shares, Shares], ...]:
        """(symbol, held, sellable) as far as it is known now; never negative."""
        return tuple(
            (symbol, Shares(max(0, each.held)), Shares(max(0, each.sellable)))
            for symbol, each in self._positions.items()
        )

    def reported(self, symbol: Symbol, held: Shares, sellable: Shares, live: Iterable[TrackedOrder], at: Nanos) -> None:
        """The broker's word after a fill. `live` are our open orders of the symbol."""
        live = tuple(live)
        before = self._positions.get(symbol)
        if before is not None:
            gained = held - before.held
        else:
            gained = _gained_before(held, live)
        self._positions[symbol] = _Position(held, sellable, max(0, gained), _working_sells(live), reported_at=at)

    def listed(
        self, symbol: Symbol, held: Shares, sellable: Shares, live: Iterable[TrackedOrder], asked: Nanos
    ) -> None:
        """The account's list, asked for at `asked`. It follows no fill, and so explains nothing that was not explained
        before."""
        live = tuple(live)
        before = self._positions.get(symbol)
        if before is None:
            self._positions[symbol] = _Position(held, sellable, _gained_before(held, live), _working_sells(live, asked))
            return
        if before.reported_at > asked:
            return
        sold = before.untold_sales if before.filled_at > asked else 0
        gained = held - sold - before.held + before.unexplained_qty
        self._positions[symbol] = _Position(
            held - sold,
            sellable - sold,
            max(0, gained),
            _working_sells(live, asked),
            before.reported_at,
            before.filled_at,
            before.untold_sales,
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


def _gained_before(held: Shares, live: Iterable[TrackedOrder]) -> int:
    """The first word after a restart may contain purchases of orders that we still follow."""
    return held if any(order.side is Side.BUY for order in live) else 0


def _working_sells(live: Iterable[TrackedOrder], asked: Nanos | None = None) -> set[str]:
    """Those that a word of now contains, or one asked for at `asked`."""
    return {
        order.cl_ord_id
        for order in live
        if order.side is Side.SELL and order.state is OrderState.WORKING and (asked is None or order.attempted < asked)
    }
