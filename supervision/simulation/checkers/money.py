"""Promises about the record: its money is the broker's, to the won, and reading it again gives the same state."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import ClassVar, Final

from actors.domain.tally import DayTally
from actors.messages.journal import EventType, Row
from kiwoom.market import Nanos
from kiwoom.simulated.ledger import LedgerKind, LedgerRow
from supervision.simulation.checkers.books import Books
from supervision.simulation.checkers.orders import ENDS, is_of_order
from supervision.simulation.evidence import Checker, View

_SHOWN_MAX: Final = 5


@dataclass(slots=True)
class DayFold:
    """A day's rows, folded: what a report, a status line and a successor read out of the journal."""

    tally: DayTally = field(default_factory=DayTally)
    open_orders: dict[str, int] = field(default_factory=dict)
    """client order id -> shares that may still fill, of orders tried and not ended."""
    net: dict[str, int] = field(default_factory=dict)
    """symbol -> shares bought less sold."""
    rows: int = 0

    def take(self, row: Row) -> None:
        self.rows += 1
        self.tally.add(row)
        kind, name = row.event_type, row.cl_ord_id or ""
        if kind is EventType.ORDER_SEND_ATTEMPT:
            self.open_orders[name] = row.qty or 0
            return
        if kind in (EventType.TRADE_PARTIAL, EventType.TRADE_FILL):
            qty = row.fill_qty or 0
            self.net[row.symbol or ""] = self.net.get(row.symbol or "", 0) + (qty if row.side == "BUY" else -qty)
            if name in self.open_orders:
                self.open_orders[name] -= qty
        if kind in ENDS and (kind is not EventType.ORDER_REFUSED or is_of_order(row)):
            self.open_orders.pop(name, None)


class Money(Checker):
    """At the end the journal's result is the change of cash at the broker, to the won, pair by pair.

    The broker's side: sum of its FILL rows (sales less purchases, fees and taxes); over all of them, somebody else's
    included, it is cash - start cash. The journal's side is DayTally: PAIRED_DONE + FLATTENED + UNHEDGED rows, a
    FLATTENED row replacing the UNHEDGED rows that it closes. So a share left open counts on both sides with what it
    cost.
    """

    rule = "MONEY"
    row_types: ClassVar[frozenset[EventType]] = frozenset()
    ledger_kinds: ClassVar[frozenset[LedgerKind]] = frozenset({LedgerKind.FILL})

    def __init__(self, books: Books, replay: "Replay") -> None:
        super().__init__()
        self._books = books
        self._replay = replay
        self._total = 0
        self._by_pair: defaultdict[str, int] = defaultdict(int)

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        amount = (row.fill_qty or 0) * (row.fill_px or 0)
        change = (amount if row.side == "SELL" else -amount) - (row.fee_krw or 0) - (row.tax_krw or 0)
        self._total += change
        facts = self._books.orders.get(row.rq_name)
        if facts is not None:
            self._by_pair[facts.pair.pair_id] += change

    def at_end(self, view: View, at: Nanos) -> None:
        change = view.cash - view.start_cash
        if change != self._total:
            self.breach(at, f"cash changed by {change:+,} won, the broker's fills make {self._total:+,}")
        tally = self._replay.fold.tally
        differing: list[str] = []
        for pair_id in dict.fromkeys((*self._by_pair, *tally.pairs)):
            there = self._by_pair.get(pair_id, 0)
            here = tally.pairs[pair_id].net_won if pair_id in tally.pairs else 0
            if here != there:
                differing.append(f"{pair_id}: {here:+,} won told, {there:+,} at the broker")
        for words in differing[:_SHOWN_MAX]:
            self.breach(at, words)
        here, there = tally.money.net, sum(self._by_pair.values())
        if here != there:
            self.breach(
                at, f"the journal's result is {here:+,} won, the broker's {there:+,}; {len(differing)} pairs differ"
            )


class Replay(Checker):
    """The journal, read again from its beginning, gives the state that its rows gave one by one, and a true one.

    At the end: the fold of view.rows() equals the fold of the rows as they were committed (counts, pairs, money, open
    orders, shares); its open orders are those open at the broker; start + its shares + what others traded == held, by
    symbol; and its open quantity of each pair is the broker's imbalance.
    """

    rule = "REPLAY"
    ledger_kinds: ClassVar[frozenset[LedgerKind]] = frozenset()

    def __init__(self, books: Books) -> None:
        super().__init__()
        self._books = books
        self.fold = DayFold()

    def journal(self, row: Row, at: Nanos) -> None:
        self.fold.take(row)

    def at_end(self, view: View, at: Nanos) -> None:
        again = DayFold()
        for row in view.rows():
            again.take(row)
        for name in ("rows", "tally", "open_orders", "net"):
            if getattr(again, name) != getattr(self.fold, name):
                words = f"{again.rows} rows read, {self.fold.rows} committed"
                self.breach(at, f"read again, the journal gives another {name} ({words})")
        open_there = sorted(order.answer.rq_name for order in view.broker_open_orders() if order.answer.rq_name)
        if sorted(again.open_orders) != open_there:
            self.breach(at, f"open by the journal: {sorted(again.open_orders)}, at the broker: {open_there}")
        self._compare_shares(again, view, at)

    def _compare_shares(self, again: DayFold, view: View, at: Nanos) -> None:
        books = self._books
        for symbol in dict.fromkeys((*again.net, *books.net, *view.start_holdings)):
            told = view.start_holdings.get(symbol, 0) + again.net.get(symbol, 0) + books.foreign_net[symbol]
            if told != view.held(symbol):
                self.breach(at, f"{told} of {symbol} by the journal, {view.held(symbol)} held")
        imbalances = {pair.pair_id: pair.imbalance for pair in books.pairs.values() if pair.imbalance}
        if again.tally.open_qty != imbalances:
            self.breach(at, f"open by the journal: {again.tally.open_qty}, by the broker's fills: {imbalances}")
