"""One day's journal rows, folded into counts, timings and money. Telemetry folds live; the report folds the file.

Everything is derived from rows, so the figures on the screen and those of the report cannot differ.
Grows by a few small records per order: a day has at most some hundred thousand of them (5 a second).
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from actors.messages.journal import EventType, Row

ESCALATED_STATES = frozenset({"HEDGE_IOC_SENT", "HEDGE_MARKET_SENT"})
ENDED_STATES = frozenset({"ENTRY_REJECTED", "ENTRY_MISSED", "PAIRED_DONE", "UNHEDGED", "FLATTENED"})


@dataclass(slots=True)
class OrderTiming:
    """When an order was sent (our stamp before the call) and when its number came; 0 = not (yet)."""

    pair_id: str
    leg: str
    sent: int
    acked: int = 0


@dataclass(slots=True)
class PairTally:
    """One signal, and the pair that it became. Times are monotonic ns.

    Rows of different actors stand in the journal in any order, so each row may be the first of its pair.
    """

    pair_id: str
    symbol: str
    tick_recv: int = 0
    cause_at: int = 0
    signal_at: int | None = None
    entry_order: str = ""
    entry_side: str = ""
    entry_filled: int = 0
    partial_entry: bool = False
    escalated: bool = False
    state: str = "CANDIDATE"
    unhedged_ms: int | None = None
    net_won: int = 0
    left_open: list[dict[str, Any]] = field(default_factory=list)
    """The figures of UNHEDGED rows that stand. The end of a child that was handed them over includes them."""
    carriers: set[int] = field(default_factory=set)
    """The children that were."""


@dataclass(slots=True)
class Money:
    gross: int = 0
    fees: int = 0
    tax: int = 0
    net: int = 0
    bought: int = 0
    """Won spent on purchases: what net_bps is measured against."""

    def add(self, extra: dict[str, Any], sign: int = 1) -> None:
        self.gross += sign * int(extra["gross_krw"])
        self.fees += sign * int(extra["fees_krw"])
        self.tax += sign * int(extra["tax_krw"])
        self.net += sign * int(extra["net_krw"])


@dataclass(slots=True)
class DayTally:
    """Everything counted. `pairs` holds the admitted ones only, in the order in which they were heard of."""

    signals: int = 0
    not_admitted: Counter[str] = field(default_factory=Counter)
    pairs: dict[str, PairTally] = field(default_factory=dict)
    orders: dict[str, OrderTiming] = field(default_factory=dict)
    sends: list[tuple[int, str]] = field(default_factory=list)
    """(monotonic ns, "entry" | "other") of every order and cancel sent."""
    cancels: int = 0
    cancel_rejects: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    timeouts: int = 0
    done: int = 0
    hedge_timeouts: int = 0
    unhedged: int = 0
    flattened: int = 0
    money: Money = field(default_factory=Money)
    open_qty: dict[str, int] = field(default_factory=dict)
    """pair_id -> bought - sold, where it is not 0."""
    _waiting: dict[str, PairTally] = field(default_factory=dict)
    """Signals whose fate no row has told yet."""

    @property
    def admitted(self) -> int:
        return len(self.pairs)

    @property
    def live(self) -> int:
        return sum(pair.state not in ENDED_STATES for pair in self.pairs.values())

    @property
    def escalated(self) -> int:
        return sum(pair.escalated for pair in self.pairs.values())

    @property
    def partial_entries(self) -> int:
        return sum(pair.partial_entry for pair in self.pairs.values())

    def ended_in(self, state: str) -> int:
        return sum(pair.state == state for pair in self.pairs.values())

    def add(self, row: Row) -> None:
        match row.event_type:
            case EventType.SIGNAL:
                self._signalled(row)
            case EventType.ADMITTED:
                self._pair(row)
            case EventType.NOT_ADMITTED:
                self.not_admitted[row.reason or ""] += 1 + int(dict(row.extra).get("suppressed", 0))
                self._waiting.pop(row.pair_id or "", None)
            case EventType.ORDER_SEND_ATTEMPT:
                self._sent(row)
            case EventType.CANCEL_SEND_ATTEMPT:
                self.cancels += 1
                self.sends.append((row.ts_mono, "other"))
            case EventType.ORDER_ACK:
                order = self.orders.get(row.cl_ord_id or "")
                if order is not None and not order.acked:
                    order.acked = row.ts_mono
            case EventType.ORDER_TIMEOUT:
                self.timeouts += 1
            case EventType.ORDER_REJECT:
                self.rejects[f"{row.reason}: {row.message_text or ''}".strip(": ")] += 1
            case EventType.CANCEL_REJECT:
                self.cancel_rejects += 1
            case EventType.ORDER_REFUSED:
                self.refusals[row.reason or ""] += 1
            case EventType.TRADE_PARTIAL | EventType.TRADE_FILL:
                self._filled(row)
            case EventType.CANCELED:
                pair = self.pairs.get(row.pair_id or "")
                if pair is not None and row.cl_ord_id == pair.entry_order and pair.entry_filled:
                    pair.partial_entry = True
            case EventType.PAIR_STATE:
                self._moved(row)
            case EventType.HEDGE_TIMEOUT:
                self.hedge_timeouts += 1
            case EventType.PAIRED_DONE | EventType.FLATTENED | EventType.UNHEDGED:
                self._ended(row)
            case _:
                pass  # the rest is not counted

    def _pair(self, row: Row) -> PairTally:
        """The admitted pair that this row is about; the row is proof of its admission."""
        pair_id = row.pair_id or ""
        pair = self.pairs.get(pair_id)
        if pair is None:
            pair = self._waiting.pop(pair_id, None) or PairTally(pair_id, row.symbol or "")
            self.pairs[pair_id] = pair
        return pair

    def _signalled(self, row: Row) -> None:
        self.signals += 1
        pair_id = row.pair_id or ""
        pair = self.pairs.get(pair_id)
        if pair is None:
            pair = self._waiting[pair_id] = PairTally(pair_id, row.symbol or "")
        figures = dict(row.extra)
        pair.signal_at = row.ts_mono
        pair.tick_recv = int(figures["tick_recv_mono_ns"])
        pair.cause_at = int(figures.get("cause_mono_ns", pair.tick_recv))

    def _sent(self, row: Row) -> None:
        assert row.cl_ord_id is not None
        pair = self._pair(row)
        self.orders[row.cl_ord_id] = OrderTiming(pair.pair_id, row.leg or "", row.ts_mono)
        self.sends.append((row.ts_mono, "entry" if row.leg == "A" else "other"))
        if row.leg == "A" and not pair.entry_order:
            pair.entry_order = row.cl_ord_id
            pair.entry_side = row.side or ""

    def _filled(self, row: Row) -> None:
        if row.side == "BUY":
            self.money.bought += (row.fill_qty or 0) * (row.fill_px or 0)
        pair = self._pair(row)
        signed = (row.fill_qty or 0) * (1 if row.side == "BUY" else -1)
        self.open_qty[pair.pair_id] = self.open_qty.get(pair.pair_id, 0) + signed
        if not self.open_qty[pair.pair_id]:
            del self.open_qty[pair.pair_id]
        if row.cl_ord_id == pair.entry_order:
            pair.entry_filled += row.fill_qty or 0

    def _moved(self, row: Row) -> None:
        assert row.state is not None
        pair = self._pair(row)
        pair.state = row.state
        extra = dict(row.extra)
        if "handed_qty" in extra:
            pair.carriers.add(int(extra.get("child", 0)))
        pair.escalated |= row.state in ESCALATED_STATES

    def _ended(self, row: Row) -> None:
        figures = dict(row.extra)
        pair = self._pair(row)
        self._book(pair, figures)
        if int(figures.get("child", 0)) in pair.carriers:
            for left in pair.left_open:
                self._book(pair, left, sign=-1)
            pair.left_open.clear()
        pair.unhedged_ms = int(figures["unhedged_ms"])
        if row.event_type is EventType.PAIRED_DONE:
            self.done += 1
        elif row.event_type is EventType.FLATTENED:
            self.flattened += 1
        else:
            self.unhedged += 1
            pair.left_open.append(figures)

    def _book(self, pair: PairTally, figures: dict[str, Any], sign: int = 1) -> None:
        self.money.add(figures, sign)
        pair.net_won += sign * int(figures["net_krw"])


def percentile(samples: list[int], parts_per_100: int) -> int:
    """Nearest-rank percentile of unsorted integers; 0 if there are none."""
    if not samples:
        return 0
    ordered = sorted(samples)
    return ordered[max(0, -(-len(ordered) * parts_per_100 // 100) - 1)]
