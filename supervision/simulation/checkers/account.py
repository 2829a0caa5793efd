"""Promises about the account: covered, paid for, not against ourselves, not with what is somebody else's."""

from typing import ClassVar, Final

from actors.messages.journal import EventType
from kiwoom.market import MS, Nanos
from kiwoom.simulated.ledger import LedgerKind, LedgerRow
from supervision.simulation.checkers.books import CALLS, NO_SHARES, Books, OrderFacts, is_ours
from supervision.simulation.checkers.settings import CheckerSettings
from supervision.simulation.evidence import Checker, View

_UNPAID: Final = "[855056]"
_NO_ROWS: Final[frozenset[EventType]] = frozenset()


class Covered(Checker):
    """No sale beyond the shares held less what resting sells claim, and no purchase beyond the cash: not even tried.

    After each step in which a sale of ours came to the broker: held(symbol) >= what all live sells may still sell.
    And no refusal for want of shares ([800033]) or of cash ([855056]), unless somebody else's order or fill of the
    same symbol is younger than foreign_news_ns plus the longest delay struck on it, or an order of ours of the
    same side, about whose end the broker lied, still claims them, or filled so lately.
    """

    rule = "COVERED"
    row_types: ClassVar[frozenset[EventType]] = _NO_ROWS
    ledger_kinds: ClassVar[frozenset[LedgerKind]] = frozenset({LedgerKind.ORDER, LedgerKind.REJECT})

    def __init__(self, settings: CheckerSettings, books: Books) -> None:
        super().__init__()
        self._settings = settings
        self._books = books
        self._sold: dict[str, str] = {}

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        if not is_ours(row.rq_name):
            return
        if row.kind is LedgerKind.ORDER:
            if row.side == "SELL":
                self._sold[row.symbol] = row.rq_name
        elif row.reason.startswith((NO_SHARES, _UNPAID)) and not self._explained(row):
            self.breach(at, f"{row.rq_name}: {row.side} {row.qty} of {row.symbol} was refused: {row.reason}")

    def after_step(self, view: View, at: Nanos) -> None:
        if not self._sold:
            return
        for symbol, name in self._sold.items():
            claimed = self._books.selling[symbol] + self._books.foreign_selling[symbol]
            if view.held(symbol) < claimed:
                self.breach(at, f"{name}: {view.held(symbol)} of {symbol} are held, live sells claim {claimed}")
        self._sold = {}

    def _explained(self, row: LedgerRow) -> bool:
        books, facts = self._books, self._books.orders.get(row.rq_name)
        if facts is None:
            return False
        if books.is_claimed_untruly(row.symbol, row.side):
            return True
        undead_at = books.undead_at.get((row.symbol, row.side))
        news = [at for at in (books.foreign_at.get(row.symbol), undead_at) if at is not None]
        patience = self._settings.foreign_news_ns + books.longest_delay(facts.pair)
        return bool(news) and row.ts_mono_ns - max(news) <= patience


class NoSelfTrade(Checker):
    """Our own orders never stand on opposite sides of one book at crossing prices, and never trade with each other.

    At each ORDER row: no live order of ours of the same venue and symbol on the other side whose price crosses (0, a
    market or mid-price order, crosses all). No two FILL rows of ours of one instant, venue, symbol and price on both
    sides. Excused: against an order about whose end the broker lied.
    """

    rule = "NO SELF-TRADE"
    row_types: ClassVar[frozenset[EventType]] = _NO_ROWS
    ledger_kinds: ClassVar[frozenset[LedgerKind]] = frozenset({LedgerKind.ORDER, LedgerKind.FILL})

    def __init__(self, books: Books) -> None:
        super().__init__()
        self._books = books
        self._instant = -1
        self._fills: dict[tuple[str, str, int | None], LedgerRow] = {}
        """Those of the present instant."""

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        facts = self._books.orders.get(row.rq_name)
        if facts is None:
            return
        if row.kind is LedgerKind.FILL:
            self._filled(row, at)
            return
        for other in self._books.books[row.venue, row.symbol].values():
            if self._books.end_is_untrue(facts) or self._books.end_is_untrue(other):
                continue
            if other.attempt.side != row.side and _cross(facts, other):
                self.breach(at, f"{row.rq_name} {_terms(facts)} stands against {other.cl_ord_id} {_terms(other)}")

    def _filled(self, row: LedgerRow, at: Nanos) -> None:
        if row.ts != self._instant:
            self._instant = row.ts
            self._fills.clear()
        key = (row.venue, row.symbol, row.fill_px)
        other = self._fills.setdefault(key, row)
        if other.side != row.side:
            self.breach(at, f"{row.rq_name} and {other.rq_name} filled each other at {row.fill_px}")


def _cross(one: OrderFacts, other: OrderFacts) -> bool:
    buy, sell = (one, other) if one.attempt.side == "BUY" else (other, one)
    bid, ask = buy.attempt.price or 0, sell.attempt.price or 0
    return not bid or not ask or bid >= ask


def _terms(facts: OrderFacts) -> str:
    return f"({facts.attempt.side} {facts.leaves} at {facts.attempt.price} on {facts.attempt.venue})"


class Foreign(Checker):
    """An order that is not ours is never cancelled, and shares that are not ours are never sold.

    No call of ours names the number of somebody else's order as the original. After each step in which a sale of ours
    came to the broker: start + what our pairs bought less sold >= what our live sells may still sell, whatever others
    bought.
    """

    rule = "FOREIGN"
    row_types: ClassVar[frozenset[EventType]] = _NO_ROWS
    ledger_kinds: ClassVar[frozenset[LedgerKind]] = CALLS

    def __init__(self, books: Books) -> None:
        super().__init__()
        self._books = books
        self._sold: dict[str, str] = {}

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        if not is_ours(row.rq_name):
            return
        other = self._books.foreign.get((row.orig_order_no, row.symbol))
        if other is not None:
            age = (row.ts_mono_ns - other.ts_mono_ns) // MS
            self.breach(at, f"{row.rq_name} would cancel {row.orig_order_no}, somebody else's for {age} ms")
        if row.kind is LedgerKind.ORDER and row.side == "SELL":
            self._sold[row.symbol] = row.rq_name

    def after_step(self, view: View, at: Nanos) -> None:
        if not self._sold:
            return
        for symbol, name in self._sold.items():
            ours = view.start_holdings.get(symbol, 0) + self._books.net[symbol]
            if ours < self._books.selling[symbol]:
                selling = self._books.selling[symbol]
                self.breach(at, f"{name}: {ours} of {symbol} are ours, our live sells claim {selling}")
        self._sold = {}
