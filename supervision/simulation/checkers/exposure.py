"""Promises about pairs: one end each, never without an owner, flat in time, never hedged twice."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import ClassVar, Final

from actors.messages.journal import EventType, Row
from kiwoom.market import MS, SECOND, Nanos
from kiwoom.simulated.ledger import LedgerKind, LedgerRow
from supervision.simulation.checkers.books import Books, OrderFacts, PairFacts, child_of, extra_of, is_ours
from supervision.simulation.checkers.settings import CheckerSettings
from supervision.simulation.evidence import (
    ActorDied,
    Checker,
    FaultsOff,
    JournalTorn,
    MachineEvent,
    MachineKilled,
    View,
)

FIGURED_ENDS: Final = frozenset({EventType.PAIRED_DONE, EventType.FLATTENED, EventType.UNHEDGED})
"""Terminal rows that say what was bought and sold."""
EMPTY_ENDS: Final = ("ENTRY_REJECTED", "ENTRY_MISSED")
"""States whose PAIR_STATE row is the terminal row."""

_KNOWS_PAIRS: Final = ("router", "pair_manager", "gateway")
_NO_ROWS: Final[frozenset[EventType]] = frozenset()
_NO_KINDS: Final[frozenset[LedgerKind]] = frozenset()
_LOOK_NS: Final = 100 * MS
_EVENTS: Final = frozenset({LedgerKind.ORDER, LedgerKind.FILL, LedgerKind.END})


@dataclass(slots=True)
class _Sums:
    """What the terminal rows of a pair say in all."""

    bought: int = 0
    sold: int = 0
    left_open: int = 0
    """Shares that UNHEDGED rows left open, on either side: a child begun by Flatten counts them again."""


class PairEnds(Checker):
    """Each (pair_id, child) has exactly one terminal row, and the rows of a pair add up to the broker's fills of it.

    Terminal: PAIRED_DONE, FLATTENED, UNHEDGED, or a PAIR_STATE row of ENTRY_REJECTED or ENTRY_MISSED. Wanted of each
    child that any row names and that has an order row or a PAIR_STATE row; of a pair of which no order row exists,
    not if someone who knew it died. PAIRED_DONE and FLATTENED: bought == sold > 0. At the end, per pair: sum of
    bought == the broker's, sum of sold likewise; after a Flatten they may be larger by what UNHEDGED rows left open,
    on one side.
    """

    rule = "PAIR ENDS"
    row_types: ClassVar[frozenset[EventType]] = FIGURED_ENDS | {
        EventType.PAIR_STATE,
        EventType.ADMITTED,
        EventType.ORDER_SEND_ATTEMPT,
        EventType.ORDER_REFUSED,
    }
    ledger_kinds: ClassVar[frozenset[LedgerKind]] = _NO_KINDS

    def __init__(self, books: Books) -> None:
        super().__init__()
        self._books = books
        self._open: dict[tuple[str, int], None] = {}
        self._ended: dict[tuple[str, int], str] = {}
        self._ordered: dict[str, None] = {}
        self._sums: defaultdict[str, _Sums] = defaultdict(_Sums)

    def machine(self, event: MachineEvent, at: Nanos) -> None:
        if isinstance(event, MachineKilled) or (isinstance(event, ActorDied) and event.name in _KNOWS_PAIRS):
            self._open = {key: None for key in self._open if key[0] in self._ordered}
        elif isinstance(event, JournalTorn):
            for row in event.rows:
                self._unlearn(row, (row.pair_id or "", child_of(row)))

    def _unlearn(self, row: Row, key: tuple[str, int]) -> None:
        if row.event_type is EventType.ORDER_SEND_ATTEMPT and row.leg == "A":
            self._ordered.pop(key[0], None)
            self._open.pop(key, None)
            return
        if row.event_type in FIGURED_ENDS:
            bought, sold = int(extra_of(row, "bought")), int(extra_of(row, "sold"))
            sums = self._sums[key[0]]
            sums.bought -= bought
            sums.sold -= sold
            sums.left_open -= abs(bought - sold) if row.event_type is EventType.UNHEDGED else 0
        elif row.event_type is not EventType.PAIR_STATE or row.state not in EMPTY_ENDS:
            return
        self._ended.pop(key, None)
        self._open[key] = None

    def journal(self, row: Row, at: Nanos) -> None:
        key = (row.pair_id or "", child_of(row))
        match row.event_type:
            case EventType.PAIRED_DONE | EventType.FLATTENED | EventType.UNHEDGED:
                self._figures(row, key, at)
                self._end(key, row.event_type.value, at)
            case EventType.PAIR_STATE if row.state in EMPTY_ENDS:
                self._end(key, row.state, at)
            case EventType.PAIR_STATE if row.state in ("PAIRED_DONE", "FLATTENED", "UNHEDGED"):
                pass  # the row with the figures stands beside it
            case EventType.ORDER_SEND_ATTEMPT | EventType.ORDER_REFUSED:
                if row.pair_id and row.side is not None and row.leg == "A":
                    self._ordered[row.pair_id] = None
                    self._begin((row.pair_id, 0))
            case _:
                self._begin(key)

    def at_end(self, view: View, at: Nanos) -> None:
        for pair_id, child in self._open:
            self.breach(at, f"{pair_id} child {child} has no end")
        for pair in self._books.pairs.values():
            sums = self._sums[pair.pair_id]
            more = (sums.bought - pair.bought, sums.sold - pair.sold)
            spare = sums.left_open if self._books.flatten_asked else 0
            if min(more) < 0 or sum(more) > spare:
                told = f"{sums.bought} bought, {sums.sold} sold"
                self.breach(at, f"{pair.pair_id} ended with {told}, the broker has {pair.bought} and {pair.sold}")

    def _begin(self, key: tuple[str, int]) -> None:
        if key not in self._ended:
            self._open[key] = None

    def _end(self, key: tuple[str, int], word: str, at: Nanos) -> None:
        if key in self._ended:
            self.breach(at, f"{key[0]} child {key[1]} ends a second time, as {word} after {self._ended[key]}")
            return
        self._open.pop(key, None)
        self._ended[key] = word

    def _figures(self, row: Row, key: tuple[str, int], at: Nanos) -> None:
        bought, sold = int(extra_of(row, "bought")), int(extra_of(row, "sold"))
        sums = self._sums[key[0]]
        sums.bought += bought
        sums.sold += sold
        if row.event_type is EventType.UNHEDGED:
            sums.left_open += abs(bought - sold)
        elif bought != sold or bought == 0:
            self.breach(at, f"{key[0]} child {key[1]} is {row.event_type.value} with {bought} bought and {sold} sold")


class Owned(Checker):
    """Every imbalance has an owner: a live manager, or a listing as UNHEDGED; and the shares held are accounted for.

    Looked at every 100 ms while any pair is exposed (open by anything else than its UNHEDGED rows list). Unowned for
    longer than own_grace_ns + the longest delay struck on its orders, its symbol or no order at all + the time
    anything needed was down meanwhile: a breach. After each fill, and at the end: held == start + all pairs'
    imbalances + what others traded.
    """

    rule = "OWNED"
    row_types: ClassVar[frozenset[EventType]] = _NO_ROWS
    ledger_kinds: ClassVar[frozenset[LedgerKind]] = frozenset({LedgerKind.FILL})

    def __init__(self, settings: CheckerSettings, books: Books) -> None:
        super().__init__()
        self._settings = settings
        self._books = books
        self._traded: dict[str, None] = {}
        self._next_look = 0
        self._unowned: dict[str, tuple[int, int]] = {}
        """By pair: (since when, the down time then)."""
        self._reported: dict[str, None] = {}

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        self._traded[row.symbol] = None

    def after_step(self, view: View, at: Nanos) -> None:
        if self._traded:
            self._count(view, at)
        if self._books.unlisted:
            if at >= self._next_look:
                self._look(view, at)
        elif self._unowned:
            self._unowned.clear()

    def at_end(self, view: View, at: Nanos) -> None:
        self._traded = dict.fromkeys((*self._books.net, *view.start_holdings))
        self._count(view, at)
        self._look(view, at)

    def _count(self, view: View, at: Nanos) -> None:
        books = self._books
        for symbol in self._traded:
            wanted = view.start_holdings.get(symbol, 0) + books.net[symbol] + books.foreign_net[symbol]
            if view.held(symbol) != wanted:
                self.breach(at, f"{view.held(symbol)} of {symbol} are held, start and fills make {wanted}")
        self._traded = {}

    def _look(self, view: View, at: Nanos) -> None:
        self._next_look = at + _LOOK_NS
        owned = {pair.pair_id for pair in view.live_pairs()}
        down_ns = self._books.down.total(at)
        before, self._unowned = self._unowned, {}
        for pair_id, pair in self._books.unlisted.items():
            if pair_id in owned or pair_id in self._reported:
                continue
            since, down_then = self._unowned[pair_id] = before.get(pair_id, (at, down_ns))
            grace = self._settings.own_grace_ns + self._books.longest_delay(pair) + down_ns - down_then
            if at - since > grace:
                self._reported[pair_id] = None
                text = (
                    f"{pair.imbalance:+d} of {pair.symbol}, listed {pair.lefts}, nobody's for {(at - since) // MS} ms"
                )
                self.breach(at, f"{pair_id}: {text}")


@dataclass(frozen=True, slots=True)
class _Opened:
    """When a pair's exposure began, and the running sums then."""

    at: int
    full_ns: int
    down_ns: int
    shut_ns: int
    closed_ns: int


class UnhedgedTime(Checker):
    """A pair is flat again, or listed as UNHEDGED, within t_hedge and what the seed imposed.

    Per exposure, from the fill that opens it to the fill that closes it, by the broker's clock (or to the commit of the
    row that lists it, or to the end of the day):

        time <= t_hedge(symbol) + base + latency                          with nothing imposed: 1 s + 1.5 s
                + sum over strikes on the pair's orders of (size + consequence of that fault)
                + the same over strikes on its symbol, and on none of these (messages, actors), since the pair began
                + recovery for each death of an actor that pairs need, since the pair began
                + time while exposed that any such actor, the machine or the line was down (until RECONCILED)
                + time while exposed that the window was full: from the 5th call until the 1st is 1 s + margin old
                + time while exposed that no venue traded the symbol
                + time while exposed that some venue was closed, if an order of the pair still stands there
                + shut for each time a venue stopped its symbol since the pair began.

    Every term is one that the seed decides, but the downtime and the window, which the machine can lengthen: there
    OWNED, FLAT IN TIME and BOUNDED stand guard.
    """

    rule = "UNHEDGED TIME"
    row_types: ClassVar[frozenset[EventType]] = frozenset({EventType.UNHEDGED, EventType.FLATTENED})
    ledger_kinds: ClassVar[frozenset[LedgerKind]] = frozenset({LedgerKind.FILL})

    def __init__(self, settings: CheckerSettings, books: Books) -> None:
        super().__init__()
        self._settings = settings
        self._books = books
        self._open: dict[str, _Opened] = {}

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        facts = self._books.orders.get(row.rq_name)
        if facts is not None:
            self._see(facts.pair, row.ts_mono_ns)

    def journal(self, row: Row, at: Nanos) -> None:
        pair = self._books.pairs.get(row.pair_id or "")
        if pair is not None:
            self._see(pair, at)

    def at_end(self, view: View, at: Nanos) -> None:
        for pair_id, opened in self._open.items():
            self._judge(self._books.pairs[pair_id], opened, at, "and is open still")

    def _see(self, pair: PairFacts, at: int) -> None:
        opened = self._open.get(pair.pair_id)
        if pair.exposed and opened is None:
            self._open[pair.pair_id] = self._sums(pair, at)
        elif opened is not None and not pair.exposed:
            del self._open[pair.pair_id]
            self._judge(pair, opened, at, f"until {pair.imbalance:+d}")

    def _sums(self, pair: PairFacts, at: int) -> _Opened:
        books = self._books
        shut_ns = books.shut[pair.symbol].total(at)
        return _Opened(at, books.calls.full_ns(at), books.down.total(at), shut_ns, books.closed.total(at))

    def _judge(self, pair: PairFacts, opened: _Opened, at: int, how: str) -> None:
        took, allowances = at - opened.at, self._settings.allowances
        most = self._settings.t_hedge(pair.symbol) + allowances.base_ns + allowances.latency_ns
        if took <= most:
            return
        now = self._sums(pair, at)
        most += self._books.struck_ns(pair) + self._books.onsets_since(pair) * allowances.shut_ns
        most += now.full_ns - opened.full_ns + now.down_ns - opened.down_ns
        most += now.shut_ns - opened.shut_ns
        if self._books.cannot_cancel(pair):
            most += now.closed_ns - opened.closed_ns
        if took > most:
            self.breach(at, f"{pair.pair_id} was exposed for {took // MS} ms, {most // MS} are excused, {how}")


class NoDoubleHedge(Checker):
    """At the broker the live hedges of a pair never add up to more than its imbalance, nor stand on its other side.

    After each ORDER, FILL and END row of the pair: what live leg-B sells may still sell <= max(0, imbalance), what
    live leg-B buys may still buy <= max(0, -imbalance). Excused: as many shares as filled of orders
    about which the broker lied, and as may still fill of those that it called over and that were not.
    """

    rule = "NO DOUBLE HEDGE"
    row_types: ClassVar[frozenset[EventType]] = _NO_ROWS
    ledger_kinds: ClassVar[frozenset[LedgerKind]] = _EVENTS

    def __init__(self, books: Books) -> None:
        super().__init__()
        self._books = books

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        facts = self._books.orders.get(row.rq_name)
        if facts is None:
            return
        pair = facts.pair
        if not pair.hedge_sells and not pair.hedge_buys:
            return
        imbalance = pair.imbalance
        too_many = max(pair.hedge_sells - max(0, imbalance), pair.hedge_buys - max(0, -imbalance))
        if too_many <= 0:
            return
        excused = sum(self._excused(order) for order in pair.orders)
        if too_many > excused:
            live = [f"{each.cl_ord_id} {each.leaves}" for each in pair.orders if each.live and each.is_hedge]
            self.breach(at, f"{pair.pair_id} is open by {imbalance:+d} and has live hedges {', '.join(live)}")

    def _excused(self, order: OrderFacts) -> int:
        if self._books.lied_about(order):
            return order.filled
        return order.filled + order.leaves if self._books.end_is_untrue(order) else 0


@dataclass(slots=True)
class _Deadline:
    """When what lived at `since` must be over."""

    since: int
    by_ns: int
    """How long after `since`, or after its symbol traded again, whichever is later."""
    word: str
    pairs: dict[str, int] = field(default_factory=dict)
    """What must be over, with its strikes, deaths and stops then; removed once it is reported."""
    only_if_spared: bool = False
    """Judge only pairs on which nothing was imposed."""
    reserve_due: bool = False


class FlatInTime(Checker):
    """Once the faults stop all is flat in 5 s, and a second for each 5 orders still to send; after Flatten in 2 s.

    n = live orders (a cancel each) + exposed pairs (a hedge each) at FaultsOff. From FaultsOff + flat_ns + ceil(n /
    limit) s on: no pair begun before is exposed or has a live order, unless the market keeps it so
    (`Books.is_stuck`), and then so long after its symbol trades again; and, at that moment, calls in the last second
    <= limit - reserve, if entries ended with the faults. After the OPERATOR row "flatten" the same with flatten_ns,
    for pairs on which nothing was ever imposed. At the end of the day: what is still open is listed as UNHEDGED with
    a reason, and the market keeps it so, or all the attempts that SPEC 7 allows met it (`Books.is_spent`), or it was
    listed when no call was allowed any more (UNHEDGED TIME asks whether it had to be open until then); no order of
    ours is live unless it cannot be cancelled.
    """

    rule = "FLAT IN TIME"
    row_types: ClassVar[frozenset[EventType]] = frozenset({EventType.OPERATOR, EventType.ORDER_SEND_ATTEMPT})
    ledger_kinds: ClassVar[frozenset[LedgerKind]] = _NO_KINDS

    def __init__(self, settings: CheckerSettings, books: Books) -> None:
        super().__init__()
        self._settings = settings
        self._books = books
        self._deadlines: list[_Deadline] = []
        self._next_look = 0
        self._last_entry = 0
        self._flatten_asked = False

    def machine(self, event: MachineEvent, at: Nanos) -> None:
        if isinstance(event, FaultsOff):
            self._set(at, self._settings.flat_ns, "the last fault", spared=False)

    def journal(self, row: Row, at: Nanos) -> None:
        if row.event_type is EventType.OPERATOR:
            if row.reason == "flatten" and not self._flatten_asked:
                self._flatten_asked = True  # more than one actor writes it down
                self._set(at, self._settings.flatten_ns, "Flatten", spared=True)
        elif row.leg == "A":
            self._last_entry = at

    def after_step(self, view: View, at: Nanos) -> None:
        if self._deadlines and at >= self._next_look:
            self._look(at)

    def at_end(self, view: View, at: Nanos) -> None:
        if self._deadlines:
            self._look(at)
        books = self._books
        for pair in books.pairs.values():
            excused = books.is_stuck(pair) or books.is_spent(pair) or pair.listed_too_late
            if pair.imbalance and not (excused and pair.listed_reason and not pair.exposed):
                text = f"{pair.imbalance:+d} of {pair.symbol}, listed {pair.lefts} {pair.listed_reason!r}"
                self.breach(at, f"{pair.pair_id} ends the day with {text}, and the market trades")
        for facts in books.live.values():
            if not books.closed.has(facts.attempt.venue):
                self.breach(at, f"{facts.cl_ord_id} rests at the end of the day, {facts.leaves} may still fill")
        ours = {order.order_no for order in view.broker_open_orders() if is_ours(order.answer.rq_name)}
        live = {facts.order_no for facts in books.live.values()}
        if ours != live:
            self.breach(at, f"open at the broker: {sorted(ours)}, by its rows: {sorted(live)}")

    def _set(self, at: int, flat_ns: int, word: str, *, spared: bool) -> None:
        books = self._books
        to_send = len(books.live) + len(books.unlisted)
        by_ns = flat_ns + -(-to_send // self._settings.limit) * SECOND
        # All that ever began: the first fill of some is still to come, and a late one of others.
        imposed = {pair_id: self._imposed(pair) for pair_id, pair in books.pairs.items()}
        if spared:
            imposed = {pair_id: count for pair_id, count in imposed.items() if not count}
        self._deadlines.append(_Deadline(at, by_ns, word, imposed, only_if_spared=spared, reserve_due=not spared))
        self._next_look = min(self._next_look, at + by_ns) if len(self._deadlines) > 1 else at + by_ns

    def _imposed(self, pair: PairFacts) -> int:
        return self._books.strikes_on(pair) + self._books.deaths_since(pair) + self._books.onsets_since(pair)

    def _look(self, at: Nanos) -> None:
        self._next_look = at + _LOOK_NS
        for deadline in self._deadlines:
            if at >= deadline.since + deadline.by_ns:
                self._judge(deadline, at)

    def _judge(self, deadline: _Deadline, at: Nanos) -> None:
        books = self._books
        most = self._settings.limit - self._settings.reserve
        if deadline.reserve_due:
            deadline.reserve_due = False
            if books.calls.used(at) > most and self._last_entry <= deadline.since + self._settings.signal_ns:
                self.breach(at, f"{books.calls.used(at)} calls in the last second, long after {deadline.word}")
        watched = [facts.pair for facts in books.live.values()] + list(books.unlisted.values())
        for pair in dict.fromkeys(watched):
            imposed = deadline.pairs.get(pair.pair_id)
            if imposed is None or books.is_stuck(pair):
                continue
            since = max(deadline.since, books.resumed.get("", 0), books.resumed.get(pair.symbol, 0))
            if at < since + deadline.by_ns or (deadline.only_if_spared and self._imposed(pair) > imposed):
                continue
            del deadline.pairs[pair.pair_id]
            text = (
                f"{pair.pair_id} is open by {pair.imbalance:+d} {(at - deadline.since) // MS} ms after {deadline.word}"
            )
            self.breach(at, text)
