"""Promises about single orders: sent once, written first, ended once and in truth, never a storm, on their venue."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import ClassVar, Final

from actors.messages.journal import EventType, Row
from kiwoom.market import MS, Nanos
from kiwoom.simulated.ledger import LedgerKind, LedgerRow
from supervision.simulation.checkers.books import (
    ATTEMPTS,
    CALLS,
    NO_SHARES,
    Books,
    OrderFacts,
    PairFacts,
    extra_of,
    is_ours,
)
from supervision.simulation.checkers.settings import CheckerSettings
from supervision.simulation.evidence import Checker, JournalTorn, MachineEvent, OrderHanded, View

FILLS: Final = frozenset({EventType.TRADE_PARTIAL, EventType.TRADE_FILL})
ENDS: Final = frozenset({EventType.TRADE_FILL, EventType.CANCELED, EventType.ORDER_REJECT, EventType.ORDER_REFUSED})
"""The terminal rows of an order. TRADE_FILL: with nothing left."""

_CANCEL_TYPES: Final = {("KRX", "BUY"): 3, ("KRX", "SELL"): 4, ("NXT", "BUY"): 23, ("NXT", "SELL"): 23}
"""nOrderType by the venue and side of the order to cancel (KIWOOM.md 1.4)."""
_QUERY_SPACING_NS: Final = 400 * MS


def is_of_order(row: Row) -> bool:
    """An ORDER_REFUSED row may be about a cancel, or about a doubt query, which has no side."""
    return row.side is not None and extra_of(row, "kind", "") not in ("cancel", "query")


class SentOnce(Checker):
    """No client order id is tried, or reaches the broker, a second time."""

    rule = "ONCE"
    row_types: ClassVar[frozenset[EventType]] = ATTEMPTS
    ledger_kinds: ClassVar[frozenset[LedgerKind]] = CALLS

    def __init__(self) -> None:
        super().__init__()
        self._tried: set[str] = set()
        self._called: set[str] = set()

    def machine(self, event: MachineEvent, at: Nanos) -> None:
        if isinstance(event, JournalTorn):
            self._tried.difference_update(row.cl_ord_id or "" for row in event.rows if row.event_type in ATTEMPTS)

    def journal(self, row: Row, at: Nanos) -> None:
        name = row.cl_ord_id or ""
        if name in self._tried:
            self.breach(at, f"{name} is tried a second time")
        self._tried.add(name)

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        if not is_ours(row.rq_name):
            return
        if row.rq_name in self._called:
            self.breach(at, f"{row.rq_name} came to the broker a second time, as {row.kind.value}")
        self._called.add(row.rq_name)


class AttemptFirst(Checker):
    """Every call was preceded by its committed attempt row, which says the same as the call.

    Preceded: the row stands when the Gateway hands the order to the control's thread, not only when it arrives.
    """

    rule = "ATTEMPT-FIRST"
    row_types: ClassVar[frozenset[EventType]] = frozenset()
    ledger_kinds: ClassVar[frozenset[LedgerKind]] = CALLS

    def __init__(self, books: Books) -> None:
        super().__init__()
        self._books = books

    def machine(self, event: MachineEvent, at: Nanos) -> None:
        if isinstance(event, OrderHanded) and event.cl_ord_id not in self._books.orders:
            self.breach(at, f"{event.cl_ord_id} is handed over and is in no attempt row")

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        if not is_ours(row.rq_name):
            return
        facts = self._books.orders.get(row.rq_name)
        if facts is None:
            self.breach(at, f"{row.rq_name} was called and is in no attempt row")
            return
        said = facts.attempt
        # A cancel at NXT has one type for both sides, so a call that the broker turned away may have no side.
        written: tuple[object, ...] = (said.venue, said.side if row.side else "", said.symbol, said.order_type)
        written += (said.hoga_code, said.price or 0, said.qty, said.orig_order_no or "")
        called: tuple[object, ...] = (row.venue or said.venue, row.side, row.symbol, row.order_type)
        called += (row.hoga_code, row.price or 0, row.qty, row.orig_order_no)
        if written != called:
            self.breach(at, f"{row.rq_name} was written as {written} and called as {called}")


class OneEnd(Checker):
    """Every order has exactly one terminal row; a fill after it is a TRADE_PARTIAL with the reason LATE.

    At the end of the day: all but those that rest on a venue that takes no cancels any more.
    """

    rule = "ONE END"
    row_types: ClassVar[frozenset[EventType]] = ENDS | {EventType.ORDER_SEND_ATTEMPT, EventType.TRADE_PARTIAL}
    ledger_kinds: ClassVar[frozenset[LedgerKind]] = frozenset()

    def __init__(self, books: Books) -> None:
        super().__init__()
        self._books = books
        self._open: dict[str, None] = {}
        self._ended: dict[str, str] = {}

    def machine(self, event: MachineEvent, at: Nanos) -> None:
        if isinstance(event, JournalTorn):
            for row in reversed(event.rows):
                self._unlearn(row, row.cl_ord_id or "")

    def _unlearn(self, row: Row, name: str) -> None:
        if row.event_type is EventType.ORDER_SEND_ATTEMPT:
            self._open.pop(name, None)
        elif self._ended.get(name) == _word(row):
            del self._ended[name]
            if row.event_type is not EventType.ORDER_REFUSED:
                self._open[name] = None

    def journal(self, row: Row, at: Nanos) -> None:
        name, kind = row.cl_ord_id or "", row.event_type
        if kind is EventType.ORDER_SEND_ATTEMPT:
            self._attempted(name, at)
        elif kind in FILLS:
            self._filled(row, name, at)
        elif kind is not EventType.ORDER_REFUSED or is_of_order(row):
            self._over(row, name, at)

    def at_end(self, view: View, at: Nanos) -> None:
        books = self._books
        for name in self._open:
            facts = books.live.get(name)
            # What rests on a closed venue ends there after its last session, later than this day is looked at.
            if facts is None or not books.closed.has(facts.attempt.venue):
                self.breach(at, f"{name} has no end")

    def _attempted(self, name: str, at: Nanos) -> None:
        if name in self._ended:
            self.breach(at, f"{name} is tried after its end as {self._ended[name]}")
        else:
            self._open[name] = None

    def _filled(self, row: Row, name: str, at: Nanos) -> None:
        known = name in self._open or name in self._ended
        if not known:
            self.breach(at, f"a fill of {name}, which was never tried")
            return
        late = row.reason == "LATE"
        if late != (name in self._ended):
            self.breach(at, f"a fill of {name} {'before' if late else 'after'} its end, with the reason {row.reason}")
        if row.event_type is EventType.TRADE_FILL:
            if row.leaves_qty:
                self.breach(at, f"{name} is filled and {row.leaves_qty} are left")
            self._over(row, name, at)
        elif not late and not row.leaves_qty:
            self.breach(at, f"{name} has nothing left and its fill is no end")

    def _over(self, row: Row, name: str, at: Nanos) -> None:
        word = _word(row)
        if name in self._ended:
            self.breach(at, f"{name} ends a second time, as {word} after {self._ended[name]}")
            return
        tried = self._open.pop(name, False) is None
        never_left = row.event_type is EventType.ORDER_REFUSED or (
            row.event_type is EventType.CANCELED and row.reason == "BY_US"
        )
        if not tried and not never_left:
            self.breach(at, f"{name} ends as {word} and was never tried")
        if tried and row.event_type is EventType.ORDER_REFUSED:
            self.breach(at, f"{name} was tried and is called refused")
        self._ended[name] = word


@dataclass(slots=True)
class _Told:
    """What the journal says of one order."""

    fills: dict[tuple[str, str, str], tuple[int, int]] = field(default_factory=dict)
    """(venue, number, exec id) -> (qty, px)."""
    qty: int = 0
    amount: int = 0
    inferred: bool = False
    end: Row | None = None


class TrueEnds(Checker):
    """What the journal says of an order agrees with the broker: the same fills, and no end that was none.

    A fill told by the journal exists at the broker already (venue, number, exec id, quantity, price), once. Exec ids
    that a query or a running total gave (QUERY.., CUM..) are compared by the order's quantity and amount, at the end.
    When an order is called over, it is: CANCELED (but LOST) and an exchange's ORDER_REJECT have their END row, and
    canceled_qty is what that END released; LOST and every other rejection have no ORDER row, then or later; a refused
    one was never called. An order whose number and reports a lost line swallowed, and that ended without a fill, is in
    no list of the broker: it may be called LOST too. Excused: an order about whose end the broker itself lied.
    """

    rule = "TRUE ENDS"
    row_types: ClassVar[frozenset[EventType]] = ENDS | {EventType.TRADE_PARTIAL}
    ledger_kinds: ClassVar[frozenset[LedgerKind]] = frozenset({LedgerKind.FILL, LedgerKind.ORDER})

    def __init__(self, books: Books) -> None:
        super().__init__()
        self._books = books
        self._made: defaultdict[str, dict[tuple[str, str, str], tuple[int, int]]] = defaultdict(dict)
        self._told: defaultdict[str, _Told] = defaultdict(_Told)

    def machine(self, event: MachineEvent, at: Nanos) -> None:
        if isinstance(event, JournalTorn):
            for row in event.rows:
                told = self._told[row.cl_ord_id or ""]
                if row is told.end:
                    told.end = None
                if row.event_type in FILLS:
                    qty, px = told.fills.pop(_key(row), (0, 0))
                    told.qty -= qty
                    told.amount -= qty * px

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        if row.kind is LedgerKind.FILL:
            key = (row.venue, row.order_no, row.exec_id)
            self._made[row.rq_name][key] = (row.fill_qty or 0, row.fill_px or 0)
        elif row.rq_name in self._told:
            end = self._told[row.rq_name].end
            if end is not None and not self._undead(row.rq_name):
                self.breach(at, f"{row.rq_name} came to the broker after it was called {_word(end)}")

    def journal(self, row: Row, at: Nanos) -> None:
        if row.event_type in FILLS:
            self._filled(row, at)
        elif row.event_type is not EventType.ORDER_REFUSED or is_of_order(row):
            self._over(row, at)

    def at_end(self, view: View, at: Nanos) -> None:
        for name in dict.fromkeys((*self._made, *self._told)):
            if not is_ours(name) or self._lied(name):
                continue
            made, told = self._made[name], self._told[name]
            if told.inferred:
                there = (sum(q for q, _ in made.values()), sum(q * px for q, px in made.values()))
                if there != (told.qty, told.amount):
                    self.breach(at, f"{name} filled {there} (shares, won) and is told as {(told.qty, told.amount)}")
            elif made != told.fills:
                self.breach(at, f"{name} filled {sorted(made.items())} and is told as {sorted(told.fills.items())}")

    def _filled(self, row: Row, at: Nanos) -> None:
        name, exec_id = row.cl_ord_id or "", row.exec_id or ""
        qty, px, told = row.fill_qty or 0, row.fill_px or 0, self._told[row.cl_ord_id or ""]
        key = _key(row)
        if key in told.fills:
            self.breach(at, f"{name} has the fill {key} twice")
        told.fills[key] = (qty, px)
        told.qty += qty
        told.amount += qty * px
        if exec_id.startswith(("QUERY", "CUM")):
            told.inferred = True
        elif self._lied(name):
            return
        elif not told.inferred and self._made[name].get(key) != (qty, px):
            self.breach(at, f"{name} is told to have filled {qty} at {px} as {key}, which the broker never made")
        facts = self._books.orders.get(name)
        if facts is None or told.qty > facts.filled:
            self.breach(at, f"{name} is told to have filled {told.qty}, more than the broker made")

    def _over(self, row: Row, at: Nanos) -> None:
        name, facts = row.cl_ord_id or "", self._books.orders.get(row.cl_ord_id or "")
        if self._told[name].end is None:
            self._told[name].end = row
        if facts is None:
            return
        if row.event_type is EventType.ORDER_REFUSED:
            if facts.called is not None:
                self.breach(at, f"{name} is called refused and came to the broker")
        elif not self._undead(name):
            self._left_the_book(row, facts, at)

    def _left_the_book(self, row: Row, facts: OrderFacts, at: Nanos) -> None:
        never_there = row.reason == "LOST" or (row.event_type is EventType.ORDER_REJECT and row.reason != "EXCHANGE")
        left_no_trace = row.reason == "LOST" and facts.ended and not facts.filled
        if never_there and facts.reached and not left_no_trace:
            self.breach(at, f"{facts.cl_ord_id} is called {_word(row)} and the broker took it as {facts.order_no}")
        elif not never_there and not facts.ended:
            self.breach(at, f"{facts.cl_ord_id} is called {_word(row)} and {facts.leaves} may still fill")
        elif not never_there and row.event_type is EventType.CANCELED:
            freed = extra_of(row, "canceled_qty", facts.released)
            if freed != facts.released:
                self.breach(
                    at, f"{facts.cl_ord_id}: {freed} are called free again, the broker released {facts.released}"
                )

    def _lied(self, name: str) -> bool:
        facts = self._books.orders.get(name)
        return facts is not None and self._books.lied_about(facts)

    def _undead(self, name: str) -> bool:
        facts = self._books.orders.get(name)
        return facts is not None and self._books.end_is_untrue(facts)


def _key(row: Row) -> tuple[str, str, str]:
    return (row.venue or "", row.order_no or "", row.exec_id or "")


def _word(row: Row) -> str:
    return f"{row.event_type.value} {row.reason or ''}".strip()


@dataclass(slots=True)
class _Counts:
    hedges: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    """By what stands before the B of their ids: the generation and the rescue."""
    claimed: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    """By the same: those turned down for want of shares that a sale called over untruly claims."""
    cancels: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    """By target."""
    queries: int = 0
    last_query: dict[str, int] = field(default_factory=dict)


class Bounded(Checker):
    """No storm: hedges, cancels and doubt queries of a pair are few, and for a reason.

    Hedge orders of one generation of the pair itself, or of one rescue (what stands before the B of their ids), <= 2
    for each fill that enlarged the imbalance (a post and an IOC), plus max_hedge_attempts for each time it opened,
    plus one for each -308. Shares that a sale about whose end the broker lied still claims are found out by trying:
    each attempt refused for want of them counts only beyond the first 2 * max_hedge_attempts. Generations and rescues
    that hedge <= 1 + 2 for each death since the pair began + 1 for each such fill + 1 after a Flatten. Cancels of one
    order <= cancels_max, plus one for each strike on its pair and each death since it began. Doubt queries of a pair <=
    queries_max, plus four for each of these; and not two about one order within 400 ms, if there is none of these.
    """

    rule = "BOUNDED"
    row_types: ClassVar[frozenset[EventType]] = ATTEMPTS | {EventType.DOUBT_QUERY}
    ledger_kinds: ClassVar[frozenset[LedgerKind]] = frozenset({LedgerKind.REJECT})

    def __init__(self, settings: CheckerSettings, books: Books) -> None:
        super().__init__()
        self._settings = settings
        self._books = books
        self._counts: defaultdict[str, _Counts] = defaultdict(_Counts)

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        facts = self._books.orders.get(row.rq_name)
        if (
            facts is not None
            and row.reason.startswith(NO_SHARES)
            and self._books.is_claimed_untruly(row.symbol, row.side)
        ):
            pair_id = facts.pair.pair_id
            self._counts[pair_id].claimed[_tag(row.rq_name, pair_id)] += 1

    def journal(self, row: Row, at: Nanos) -> None:
        pair = self._books.pairs.get(row.pair_id or "")
        if pair is None:
            return
        counts = self._counts[pair.pair_id]
        match row.event_type:
            case EventType.ORDER_SEND_ATTEMPT if row.leg == "B":
                self._hedge(row, pair, counts, at)
            case EventType.CANCEL_SEND_ATTEMPT:
                self._cancel(row, pair, counts, at)
            case EventType.DOUBT_QUERY:
                self._query(row, pair, counts, at)
            case _:
                pass

    def _hedge(self, row: Row, pair: PairFacts, counts: _Counts, at: Nanos) -> None:
        name = row.cl_ord_id or ""
        tag = _tag(name, pair.pair_id)
        counts.hedges[tag] += 1
        most = 2 * pair.openings + self._settings.max_hedge_attempts * pair.exposures + pair.overloads
        most += min(counts.claimed[tag], 2 * self._settings.max_hedge_attempts)
        if counts.hedges[tag] > most:
            self.breach(at, f"{name} is hedge {counts.hedges[tag]} of {pair.pair_id}-{tag}, {most} are enough")
        turns = 1 + 2 * self._books.deaths_since(pair) + pair.openings + self._books.flatten_asked
        if len(counts.hedges) > turns:
            self.breach(at, f"{name} is of generation or rescue {len(counts.hedges)} of its pair, {turns} are enough")

    def _cancel(self, row: Row, pair: PairFacts, counts: _Counts, at: Nanos) -> None:
        target = str(extra_of(row, "target", row.orig_order_no or ""))
        counts.cancels[target] += 1
        if counts.cancels[target] <= self._settings.cancels_max:
            return
        most = self._settings.cancels_max + self._excuses(pair)
        if counts.cancels[target] > most:
            self.breach(at, f"{row.cl_ord_id} is cancel {counts.cancels[target]} of {target}, {most} are enough")

    def _query(self, row: Row, pair: PairFacts, counts: _Counts, at: Nanos) -> None:
        counts.queries += 1
        name = row.cl_ord_id or ""
        if at - counts.last_query.get(name, -_QUERY_SPACING_NS) < _QUERY_SPACING_NS and not self._excuses(pair):
            self.breach(at, f"two doubt queries about {name} within {_QUERY_SPACING_NS // MS} ms")
        counts.last_query[name] = at
        most = self._settings.queries_max + 4 * self._excuses(pair)
        if counts.queries > most:
            self.breach(at, f"doubt query {counts.queries} of {pair.pair_id}, {most} are enough")

    def _excuses(self, pair: PairFacts) -> int:
        return self._books.strikes_on(pair) + self._books.deaths_since(pair)


class RightVenue(Checker):
    """A cancel goes to its order's venue, with that venue's type for its side, and only for its own pair's order."""

    rule = "RIGHT VENUE"
    row_types: ClassVar[frozenset[EventType]] = frozenset()
    ledger_kinds: ClassVar[frozenset[LedgerKind]] = CALLS

    def __init__(self, books: Books) -> None:
        super().__init__()
        self._books = books

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        if not is_ours(row.rq_name) or not row.orig_order_no:
            return
        target = self._books.numbers.get((row.orig_order_no, row.symbol))
        if target is None or target.is_cancel:
            self.breach(
                at, f"{row.rq_name} would cancel {row.orig_order_no} of {row.symbol}, which is no order of ours"
            )
            return
        if not row.rq_name.startswith(f"{target.pair.pair_id}-"):
            self.breach(at, f"{row.rq_name} cancels {target.cl_ord_id}, an order of another pair")
        wanted = _CANCEL_TYPES[target.attempt.venue or "", target.attempt.side or ""]
        if row.order_type != wanted:
            self.breach(
                at, f"{row.rq_name} cancels {target.cl_ord_id} at {target.attempt.venue} by type {row.order_type}"
            )


def _tag(name: str, pair_id: str) -> str:
    """What stands before the B of a hedge's id: its generation and its rescue."""
    return name[len(pair_id) + 1 :].rpartition("B")[0]
