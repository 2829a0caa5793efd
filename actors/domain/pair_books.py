"""The Router's books: claims on shares and cash, what ended pairs traded and earned, what they left open."""

from dataclasses import replace

from actors.domain.claims import CashBook, ShareBook
from actors.domain.pair_sums import carried_of, net_of
from actors.messages.orders import OrderFilled, OrderKind
from actors.messages.pairs import (
    AccountSnapshot,
    AdmissionRestored,
    OrderEnded,
    PairEnded,
    PairPlan,
    PairState,
    PairSums,
    PositionChanged,
)
from kiwoom.market import VENUES, Nanos, Shares, Side, Symbol, Won


class PairBooks:
    """`shares` and `cash` may be asked for what is free; all that changes them goes through here."""

    def __init__(self, settle_ns: int) -> None:
        self.shares = ShareBook(settle_ns)
        self.cash = CashBook()
        self.traded_won = 0
        """Bought and sold by ended pairs since the start of the day."""
        self.net_won = 0
        self.orders = 0
        """Ended orders."""
        self._imbalances: dict[str, PairEnded] = {}
        """By pair_id: pairs that ended unhedged. At most as many as pairs until each symbol is frozen."""
        self._closed_by_hand: dict[str, PairEnded] = {}
        """Those whose position came back without us, as far as we have heard: a fill of ours may be told yet."""

    # --- claims ---

    def claim(self, claim_id: str, plan: PairPlan, cash_needed: Won, *, entry_ended: bool = False) -> None:
        self.shares.claim(claim_id, plan.symbol, plan.entry.side, plan.qty, entry_ended)
        self.cash.claim(claim_id, cash_needed)

    def drop(self, claim_id: str, symbol: Symbol) -> None:
        """Nothing was sent under this claim."""
        self.shares.drop(claim_id, symbol)
        self.cash.drop(claim_id)

    def order_ended(self, ended: OrderEnded) -> None:
        self.orders += 1
        is_entry = ended.kind is OrderKind.ENTRY
        self.shares.order_ended(ended.pair_id, ended.symbol, is_entry, ended.filled_qty, ended.at)

    # --- ends ---

    def end(self, claim_id: str, ended: PairEnded, *, restored: bool = False) -> None:
        """The pair's result, once: its claims come back, its amounts are booked, what it left open is kept.

        `restored`: the end of its entry may have been told to a predecessor, so nothing is kept claimed until then;
        its symbol is frozen while it is unhedged, and a fill that comes all the same is a late one.
        """
        unhedged = ended.state is PairState.UNHEDGED
        proved = restored or not unhedged
        self.shares.release(claim_id, ended.symbol, ended.bought, ended.sold, ended.at, proved)
        costs = ended.commission_won + ended.tax_won
        self.cash.release(claim_id, ended.sell_amount, ended.buy_amount + costs)
        self.traded_won += ended.buy_amount + ended.sell_amount
        self.net_won += ended.net_won
        if unhedged:
            left = joined(self._left_before(ended), ended)
            if left.bought != left.sold:
                self._imbalances[ended.pair_id] = left

    def _left_before(self, ended: PairEnded) -> PairEnded | None:
        """What this pair had left open. A position that came back seemed closed by hand; a fill of the pair's own that
        goes the other way, told only now, says who closed it."""
        closed = self._closed_by_hand.get(ended.pair_id)
        if closed is not None and (closed.bought - closed.sold) * (ended.bought - ended.sold) < 0:
            del self._closed_by_hand[ended.pair_id]
            return closed
        return self._imbalances.pop(ended.pair_id, None)

    def left_open(self, pair_id: str) -> int:
        """Bought less sold of this pair that ended UNHEDGED and stands."""
        left = self._imbalances.get(pair_id)
        return 0 if left is None else left.bought - left.sold

    def unbalanced(self) -> tuple[Symbol, ...]:
        """The symbols with an imbalance that stands, each once."""
        return tuple(dict.fromkeys(end.symbol for end in self._imbalances.values()))

    def hand_over(self) -> list[tuple[Symbol, OrderFilled, PairSums]]:
        """Every imbalance as a fill for a child to close. The child carries the open quantity and all that it cost in
        its own result: it leaves the books until then."""
        handed: list[tuple[Symbol, OrderFilled, PairSums]] = []
        for ended in self._imbalances.values():
            carried = carried_of(sums_of(ended))
            self.shares.move(ended.symbol, ended.sold - ended.bought)
            self.cash.move(-net_of(carried))
            self.traded_won -= carried.buy_amount + carried.sell_amount
            self.net_won -= net_of(carried)
            handed.append((ended.symbol, open_part(ended), carried))
        self._imbalances = {}
        return handed

    # --- what the broker and the journal say ---

    def read_account(self, account: AccountSnapshot) -> None:
        self.cash.set_balance(account.cash_won)
        held = {symbol: (shares, sellable) for symbol, shares, sellable in account.holdings}
        for symbol in self.shares.symbols():
            if symbol not in held:
                self.shares.report(symbol, 0, 0, account.at, is_list=True)
        for symbol, (shares, sellable) in held.items():
            self.shares.report(symbol, shares, sellable, account.at, is_list=True)

    def read_position(self, position: PositionChanged) -> bool:
        """True if it is again what it was before the pairs that left the symbol unhedged: closed by hand."""
        symbol = position.symbol
        open_qty = sum(end.bought - end.sold for end in self._imbalances.values() if end.symbol == symbol)
        was_quiet = self.shares.is_quiet(symbol, position.at) and self.shares.is_exact(symbol)
        before = self.shares.held_before_pairs(symbol) - open_qty
        self.shares.report(symbol, position.held, position.sellable, position.at)
        if symbol not in self.unbalanced() or not was_quiet or position.held != before:
            return False
        closed = {pair_id: end for pair_id, end in self._imbalances.items() if end.symbol == symbol}
        self._closed_by_hand |= closed
        self._imbalances = {pair_id: end for pair_id, end in self._imbalances.items() if pair_id not in closed}
        return True

    def restore(self, before: AdmissionRestored) -> None:
        """What a predecessor had booked; nothing has been booked here yet."""
        self.traded_won, self.net_won, self.orders = before.traded_won, before.net_won, before.orders
        self._imbalances = {left.pair_id: left for left in before.imbalances}


def joined(before: PairEnded | None, ended: PairEnded) -> PairEnded:
    """A pair's imbalance with that of its child, which may have gone the other way."""
    if before is None:
        return ended
    return replace(
        ended,
        bought=Shares(before.bought + ended.bought),
        sold=Shares(before.sold + ended.sold),
        buy_amount=Won(before.buy_amount + ended.buy_amount),
        sell_amount=Won(before.sell_amount + ended.sell_amount),
        commission_won=Won(before.commission_won + ended.commission_won),
        tax_won=Won(before.tax_won + ended.tax_won),
        net_won=Won(before.net_won + ended.net_won),
    )


def sums_of(ended: PairEnded) -> PairSums:
    return PairSums(ended.bought, ended.sold, ended.buy_amount, ended.sell_amount, ended.commission_won, ended.tax_won)


def open_part(ended: PairEnded) -> OrderFilled:
    """What a pair left unhedged, as one fill at its average price (KRW, rounded down)."""
    assert ended.bought != ended.sold
    is_long = ended.bought > ended.sold
    amount, qty = (ended.buy_amount, ended.bought) if is_long else (ended.sell_amount, ended.sold)
    side = Side.BUY if is_long else Side.SELL
    return bare_fill(ended.pair_id, side, abs(ended.bought - ended.sold), amount // qty, ended.at)


def bare_fill(pair_id: str, side: Side, qty: int, price: int, at: Nanos) -> OrderFilled:
    """A fill of no order of its own (empty cl_ord_id): a quantity to be closed, its costs booked elsewhere."""
    return OrderFilled(
        pair_id=pair_id,
        cl_ord_id="",
        exec_id="",
        venue=VENUES[0],
        side=side,
        fill_px=Won(price),
        fill_qty=Shares(qty),
        cum_qty=Shares(qty),
        leaves_qty=Shares(0),
        commission_cum_won=Won(0),
        tax_cum_won=Won(0),
        at=at,
    )
