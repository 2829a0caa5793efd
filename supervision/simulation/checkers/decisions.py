"""Promises about decisions: a pair is begun for a real edge, sent as decided, and leaves its room when it ends."""

from typing import ClassVar, Final

from actors.messages.journal import EventType, Row
from kiwoom.market import MS, SECOND, Nanos
from kiwoom.simulated.ledger import LedgerKind, LedgerRow
from kiwoom.simulated.rules import tick
from supervision.simulation.checkers.books import CALLS, Books, extra_of, is_ours
from supervision.simulation.checkers.exposure import EMPTY_ENDS, FIGURED_ENDS
from supervision.simulation.checkers.settings import CheckerSettings
from supervision.simulation.evidence import (
    ActorDied,
    Checker,
    JournalTorn,
    LineCut,
    MachineEvent,
    MachineKilled,
    TradingHalted,
    TradingResumed,
    View,
)

_NWON_PER_HALF_WON: Final = 500_000_000
_VENUES: Final = ("KRX", "NXT")
_PRICELESS: Final = ("13", "29")
"""Hoga codes of orders without a price (KIWOOM.md 2)."""
_LOOK_NS: Final = 250 * MS
_NO_ROWS: Final[frozenset[EventType]] = frozenset()
_NO_KINDS: Final[frozenset[LedgerKind]] = frozenset()


class Edge(Checker):
    """Every signal and every admission satisfies the rule of SPEC 5, and the orders have its quotes for prices.

    SIGNAL and ADMITTED: two venues; 10^9 * (sell_bid - buy_ask) >= commission of both + tax + half ticks * half the
    tick of the higher price * 10^9, in nano-won and without rounding; both sizes >= the least visible quantity.
    ADMITTED: its price is the quote of its side, or 0. The entry's attempt: venue, side and price admitted. A posted
    hedge: the other side on the other venue, and never worse than the quote there.
    """

    rule = "EDGE"
    row_types: ClassVar[frozenset[EventType]] = frozenset(
        {EventType.SIGNAL, EventType.ADMITTED, EventType.ORDER_SEND_ATTEMPT}
    )
    ledger_kinds: ClassVar[frozenset[LedgerKind]] = _NO_KINDS

    def __init__(self, settings: CheckerSettings) -> None:
        super().__init__()
        self._settings = settings
        self._admitted: dict[str, Row] = {}
        self._early: dict[str, list[Row]] = {}
        """Attempts whose ADMITTED row is still on its way; a failed Router's never comes."""

    def journal(self, row: Row, at: Nanos) -> None:
        pair_id = row.pair_id or ""
        if row.symbol not in self._settings.tax_ppb_of:
            return
        if row.event_type is not EventType.ORDER_SEND_ATTEMPT:
            self._figures(row, at)
        if row.event_type is EventType.ADMITTED:
            self._admitted[pair_id] = row
            self._priced(row, at)
            for early in self._early.pop(pair_id, ()):
                self._sent(early, row, at)
        elif row.event_type is EventType.ORDER_SEND_ATTEMPT:
            admitted = self._admitted.get(pair_id)
            if admitted is None:
                self._early.setdefault(pair_id, []).append(row)
            else:
                self._sent(row, admitted, at)

    def _figures(self, row: Row, at: Nanos) -> None:
        settings, symbol = self._settings, row.symbol or ""
        tax_ppb = settings.tax_ppb_of[symbol]
        name = f"{row.event_type.value} {row.pair_id}"
        venues = (extra_of(row, "buy_venue", ""), extra_of(row, "sell_venue", ""))
        ask, bid = int(extra_of(row, "buy_ask")), int(extra_of(row, "sell_bid"))
        if sorted(map(str, venues)) != sorted(_VENUES) or ask <= 0 or bid <= 0:
            self.breach(at, f"{name} buys on {venues[0]} at {ask} and sells on {venues[1]} at {bid}")
            return
        buy_ppb, sell_ppb = (settings.fee_ppb[_VENUES.index(str(venue))] for venue in venues)
        costs = ask * buy_ppb + bid * (sell_ppb + tax_ppb)
        buffer = settings.half_ticks_of.get(symbol, settings.half_ticks) * tick(max(ask, bid)) * _NWON_PER_HALF_WON
        net = 2 * (bid - ask) * _NWON_PER_HALF_WON - costs
        if net < buffer:
            self.breach(at, f"{name}: {ask} to {bid} leaves {net} nano-won a share, {buffer} are wanted")
        visible = min(int(extra_of(row, "buy_size")), int(extra_of(row, "sell_size")))
        if visible < settings.visible_min:
            self.breach(at, f"{name}: {visible} shares are visible, {settings.visible_min} are wanted")

    def _priced(self, row: Row, at: Nanos) -> None:
        side = "buy" if row.side == "BUY" else "sell"
        venue, price = extra_of(row, f"{side}_venue", ""), extra_of(row, "buy_ask" if side == "buy" else "sell_bid")
        if row.venue != venue or row.price not in (0, price):
            self.breach(
                at, f"{row.pair_id} is to {side} on {row.venue} at {row.price}, its signal on {venue} at {price}"
            )

    def _sent(self, row: Row, admitted: Row, at: Nanos) -> None:
        if row.leg == "A":
            decided = (admitted.venue, admitted.side, admitted.price or 0, admitted.qty)
            sent = (row.venue, row.side, row.price or 0, row.qty)
            if sent != decided:
                self.breach(at, f"{row.cl_ord_id} is sent as {sent}, admitted as {decided}")
            return
        if extra_of(row, "kind", "") != "hedge":
            return
        lock = int(extra_of(admitted, "sell_bid" if row.side == "SELL" else "buy_ask"))
        price = row.price or lock
        is_worse = price < lock if row.side == "SELL" else price > lock
        if row.side == admitted.side or row.venue == admitted.venue or is_worse:
            where = f"{row.side} at {row.price} on {row.venue}"
            self.breach(
                at, f"{row.cl_ord_id} is posted to {where}, its pair began to {admitted.side} on {admitted.venue}"
            )


class Legal(Checker):
    """Nothing is asked of the broker that could be known to be refused.

    No rejection for a wrong price, tick, quantity, order kind or form ([407022], [407028], [RC4025], [RC4027],
    [RC4033]; return codes -15, -300, -500), and every priced order is on a tick. Nothing sent to a symbol in VI later
    than signal_ns plus the longest delay struck after it began, unless something died or the line was cut since.
    """

    rule = "LEGAL"
    row_types: ClassVar[frozenset[EventType]] = _NO_ROWS
    ledger_kinds: ClassVar[frozenset[LedgerKind]] = CALLS | {LedgerKind.END}

    _TEXTS: ClassVar = ("[407022]", "[407028]", "[RC4025]", "[RC4027]", "[RC4033]")
    _CODES: ClassVar = (-15, -300, -500)

    def __init__(self, settings: CheckerSettings, books: Books) -> None:
        super().__init__()
        self._settings = settings
        self._books = books
        self._halted: dict[tuple[str, str], int] = {}

    def machine(self, event: MachineEvent, at: Nanos) -> None:
        match event:
            case TradingHalted(venue, symbol):
                self._halted[venue, symbol] = at
            case TradingResumed(venue, symbol):
                self._halted.pop((venue, symbol), None)
            case ActorDied() | MachineKilled() | LineCut():
                self._halted.clear()
            case _:
                pass

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        if not is_ours(row.rq_name):
            return
        facts = self._books.orders.get(row.rq_name)
        if row.kind is LedgerKind.END:
            since = self._halted.get((row.venue, row.symbol))
            if facts is None or facts.called is None or since is None or not row.reason.startswith("rejected: VI"):
                return
            late_ns = facts.called.ts_mono_ns - since - self._books.longest_delay(facts.pair)
            if late_ns > self._settings.signal_ns:
                self.breach(
                    at, f"{row.rq_name} came to {row.venue} {late_ns // MS} ms after the VI of {row.symbol} began"
                )
            return
        if row.kind is LedgerKind.REJECT and (row.reason.startswith(self._TEXTS) or row.return_code in self._CODES):
            self.breach(
                at, f"{row.rq_name} ({row.hoga_code} at {row.price}) was refused: {row.return_code} {row.reason}"
            )
        elif not row.orig_order_no and row.hoga_code not in _PRICELESS:
            price = row.price or 0
            if price <= 0 or price % tick(price):
                self.breach(at, f"{row.rq_name} has the price {price}, which is on no tick")


class Room(Checker):
    """What the Router counts as a live pair is one: no slot, share or won is kept for a pair whose end is written.

    Looked at every 250 ms: a pair that the Router counts, whose last child's terminal row stands for longer than
    room_ns, that is flat by the broker's fills or listed, and of which no order lives. Not judged for room_ns + 5 s
    after a death, nor for the longest delay struck on anything.
    """

    rule = "ROOM"
    row_types: ClassVar[frozenset[EventType]] = FIGURED_ENDS | {
        EventType.PAIR_STATE,
        EventType.PAIR_ASSIGNED,
        EventType.PAIR_RESTORED,
    }
    ledger_kinds: ClassVar[frozenset[LedgerKind]] = _NO_KINDS

    def __init__(self, settings: CheckerSettings, books: Books) -> None:
        super().__init__()
        self._settings = settings
        self._books = books
        self._over: dict[str, int] = {}
        """By pair: since when its last child has its end."""
        self._not_before = 0
        self._next_look = 0

    def machine(self, event: MachineEvent, at: Nanos) -> None:
        if isinstance(event, ActorDied | MachineKilled | JournalTorn):
            self._not_before = at + 5 * SECOND + self._settings.room_ns

    def journal(self, row: Row, at: Nanos) -> None:
        pair_id = row.pair_id or ""
        if row.event_type in FIGURED_ENDS or row.state in EMPTY_ENDS:
            self._over[pair_id] = at
        elif row.event_type is not EventType.PAIR_STATE or row.state not in ("PAIRED_DONE", "FLATTENED", "UNHEDGED"):
            self._over.pop(pair_id, None)

    def after_step(self, view: View, at: Nanos) -> None:
        if at < self._next_look:
            return
        self._next_look = at + _LOOK_NS
        if at < self._not_before:
            return
        for pair_id in view.counted_pairs():
            since, pair = self._over.get(pair_id), self._books.pairs.get(pair_id)
            if since is None or pair is None or pair.exposed or any(facts.live for facts in pair.orders):
                continue
            if at - since > self._settings.room_ns + self._books.longest_delay(pair):
                del self._over[pair_id]
                self.breach(at, f"{pair_id} ended {(at - since) // MS} ms ago, and the Router counts it as live")
