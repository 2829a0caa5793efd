"""What the account holds and may still sell, symbol by symbol: no naked sale, ever.

The broker tells held and sellable shares at login and after each event (잔고, FIDs 930 and 933). Between two reports we
count our own fills and live sells:

    free = held, moved by our fills - what our live sells may still sell - what orders that are not ours hold
    and never more than what is ours (held at the first word, moved by our fills alone) less what our sells may sell

So neither what others bought meanwhile nor a report that comes late can raise what may be sold, and a late report that
is too low does not outlast the next one.

What others hold is held - sellable, less what our own sells hold there. Of a sell whose acceptance we have not seen the
report may or may not speak; then as much as our orders can explain is no news about others: what they held before
stands, within what is possible. A report moves with a fill that we have not seen yet, too: that fill is then not
counted a second time.

Assumption: an order of somebody else's that appears within the milliseconds of a sell of ours, and is explained by it,
is seen with the next report.

An answer about the whole account was true at some time after the question, page by page: a report on a symbol that came
since the question stands, and of our sales since then none is believed to be in the answer.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from actors.domain.order import NO_TIME, OrderState, TrackedOrder
from actors.domain.own_orders import OwnOrders
from actors.messages.journal import EventType, Row
from kiwoom.market import Nanos, Shares, Side, Symbol


@dataclass(slots=True)
class _Position:
    held: int = 0
    external: int = 0
    """Of these, held by orders that are not ours."""
    ours: int = 0
    """Held at the day's first word, moved by our fills alone: what others bought since is theirs (SPEC 9)."""
    is_told: bool = False
    """The broker has said what is held."""
    unseen: int = 0
    """Of `ours`, what may have been bought by orders whose fills are still to be told."""
    ahead: int = 0
    """Bought less sold according to the reports, the fills themselves not seen yet: not to be counted twice."""
    reported_at: Nanos = NO_TIME
    filled_at: Nanos = NO_TIME
    untold_sales: int = 0
    """Shares sold since the last report."""


class Holdings:
    """At most one entry per symbol that the account ever held."""

    def __init__(self) -> None:
        self._positions: dict[Symbol, _Position] = {}
        self._ours: Mapping[Symbol, int] | None = None
        """What the journal says is ours, if it says so."""

    def recall(self, ours: Mapping[Symbol, int] | None) -> None:
        """After a restart: by OursRecall."""
        assert not self._positions
        self._ours = ours

    def as_ours(self) -> dict[Symbol, int]:
        """What is ours of every symbol, for the journal."""
        unheard = self._ours or {}
        return {**unheard, **{symbol: each.ours for symbol, each in self._positions.items() if each.is_told}}

    def reported(self, symbol: Symbol, held: Shares, sellable: Shares, live: Iterable[TrackedOrder], at: Nanos) -> None:
        """The broker's word, stamped `at`. `live` are our open orders of the symbol."""
        self._take(symbol, held, sellable, live, was_asked=False)
        self._positions[symbol].reported_at = at

    def _take(self, symbol: Symbol, held: int, sellable: int, live: Iterable[TrackedOrder], *, was_asked: bool) -> None:
        """`was_asked`: it does not follow a fill, and so explains nothing that was not explained before."""
        live = tuple(live)
        sells = _at_broker(live)
        resting = sum(order.leaves_qty for order in sells if order.state is OrderState.WORKING)
        selling = sum(order.leaves_qty for order in sells)
        blocked = max(0, held - sellable)
        before = self._positions.get(symbol)
        if before is None:
            # The first word after a restart may contain purchases of orders that we still follow.
            ahead = held if any(order.side is Side.BUY for order in live) else 0
        else:
            ahead = held - before.held + (before.ahead if live or was_asked else 0)
        if before is not None and before.is_told:
            ours, unseen = before.ours, before.unseen if live else 0
        elif self._ours is not None:
            ours, unseen = self._unheard(symbol).ours if before is None else before.ours, 0
        else:
            ours, unseen = held, max(0, ahead) if before is None else 0
        external = min(max(before.external if before else 0, blocked - selling), max(0, blocked - resting))
        # Shares gone that no sell of ours explains are gone; shares gained are held against every purchase to come.
        self._positions[symbol] = _Position(held, max(0, external), ours, True, unseen, max(ahead, -selling))

    def listed(self, account: tuple[tuple[Symbol, Shares, Shares], ...], orders: OwnOrders, asked: Nanos) -> None:
        """The whole account, as it was asked for at `asked`: what it does not list it no longer holds. To be told as
        soon as the answer comes: a sale that rested then may be over a moment later."""
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

    def as_account(self, orders: OwnOrders) -> tuple[tuple[Symbol, Shares, Shares], ...]:
        """(symbol, held, sellable) of what is ours, our fills and ended sales since the last word counted in."""
        return tuple(
            (symbol, Shares(max(0, min(each.held, each.ours))), self.free(symbol, orders.open_orders(symbol)))
            for symbol, each in self._positions.items()
            if min(each.held, each.ours) > 0
        )

    def filled(self, order: TrackedOrder, qty: Shares, at: Nanos) -> None:
        position = self._positions.setdefault(order.symbol, self._unheard(order.symbol))
        position.filled_at = at
        position.untold_sales += qty if order.side is Side.SELL else 0
        signed = qty if order.side is Side.BUY else -qty
        known = min(signed, max(0, position.ahead)) if signed > 0 else max(signed, min(0, position.ahead))
        position.ahead -= known
        position.held += signed - known
        told_before = min(max(0, signed), position.unseen)
        position.unseen -= told_before
        # Below nothing only by a sale that the first word had in it already.
        position.ours = max(0, position.ours + signed - told_before)

    def _unheard(self, symbol: Symbol) -> _Position:
        return _Position(ours=0 if self._ours is None else self._ours.get(symbol, 0))

    def free(self, symbol: Symbol, live: Iterable[TrackedOrder]) -> Shares:
        """Shares that a new sale may claim. `live` are our open orders of the symbol."""
        position = self._positions.get(symbol)
        if position is None:
            return Shares(0)
        # Shares that a report took off for a sale not yet seen are in that order's leaves as well.
        selling = sum(order.leaves_qty for order in _at_broker(live))
        there = position.held - min(0, position.ahead) - position.external
        return Shares(max(0, min(there, position.ours) - selling))


class OursRecall:
    """What a journal says is ours: as of its last reconciliation, moved by the fills since."""

    def __init__(self) -> None:
        self.ours: dict[Symbol, int] | None = None
        """None: it says nothing."""

    def take(self, row: Row) -> None:
        if row.event_type is EventType.RECONCILED:
            told = dict(row.extra).get("ours")
            self.ours = None if told is None else {Symbol(symbol): qty for symbol, qty in told.items()}
        elif self.ours is not None and row.event_type in (EventType.TRADE_FILL, EventType.TRADE_PARTIAL):
            assert row.symbol is not None
            assert row.fill_qty is not None
            symbol = Symbol(row.symbol)
            signed = row.fill_qty if row.side == Side.BUY.value else -row.fill_qty
            self.ours[symbol] = max(0, self.ours.get(symbol, 0) + signed)


def _at_broker(live: Iterable[TrackedOrder]) -> tuple[TrackedOrder, ...]:
    return tuple(order for order in live if order.side is Side.SELL and order.is_at_broker)
