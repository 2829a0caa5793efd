"""Does the broker's own ledger confirm what the machine promises? Every check reads the ledger, not our word.

Promises: never more than the limit of orders and cancels in any second, none turned away for overload; flat at the
end; no sale beyond what was held; nothing sent outside the window; the same fills, and the same money to the won.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from actors.messages.journal import EventType, Row
from dashboards.report.ledger import LedgerRow

SECOND_NS = 1_000_000_000
CASH = "CASH"


@dataclass(frozen=True, slots=True)
class Finding:
    """One promise: kept or not, with the figures."""

    promise: str
    kept: bool
    detail: str


def audit(
    ledger: Sequence[LedgerRow], rows: Iterable[Row], orders_per_second: int, window: tuple[str, str]
) -> tuple[Finding, ...]:
    """All findings. `window` is (first, last) time of day for entries, HH:MM:SS; hedges may follow until 15:20:00."""
    journal = list(rows)
    return (
        _limit(ledger, orders_per_second),
        _overloads(ledger),
        _flat(ledger),
        _covered(ledger),
        _inside_window(ledger, journal, window),
        _same_fills(ledger, journal),
        _same_money(ledger, journal),
    )


def sends_max_in_a_second(times: Sequence[int]) -> int:
    """The most stamps (ns, ascending) that fall into any span of one second."""
    most, first = 0, 0
    for last, at in enumerate(times):
        while at - times[first] >= SECOND_NS:
            first += 1
        most = max(most, last - first + 1)
    return most


def _limit(ledger: Sequence[LedgerRow], orders_per_second: int) -> Finding:
    times = sorted(row.mono for row in ledger if row.kind in ("ORDER", "CANCEL", "OVERLOAD"))
    most = sends_max_in_a_second(times)
    return Finding(
        f"never more than {orders_per_second} orders and cancels in any second",
        most <= orders_per_second,
        f"{len(times)} sent, at most {most} in a second",
    )


def _overloads(ledger: Sequence[LedgerRow]) -> Finding:
    turned_away = sum(row.kind == "OVERLOAD" for row in ledger)
    return Finding("none turned away for overload (-308)", not turned_away, f"{turned_away} turned away")


def _positions(ledger: Sequence[LedgerRow], kind: str) -> dict[str, int]:
    return {row.symbol: row.qty for row in ledger if row.kind == kind and row.symbol != CASH and row.qty}


def _flat(ledger: Sequence[LedgerRow]) -> Finding:
    opened, closed = _positions(ledger, "OPEN_POSITION"), _positions(ledger, "CLOSE_POSITION")
    if not any(row.kind == "CLOSE_POSITION" for row in ledger):
        return Finding("flat at the end", False, "the broker wrote no closing positions")
    differing = [s for s in sorted({*opened, *closed}) if opened.get(s, 0) != closed.get(s, 0)]
    words = ", ".join(f"{s} {closed.get(s, 0) - opened.get(s, 0):+d}" for s in differing)
    return Finding("flat at the end", not differing, words or f"{len(opened)} positions as at the start")


def _covered(ledger: Sequence[LedgerRow]) -> Finding:
    held = defaultdict(int, _positions(ledger, "OPEN_POSITION"))
    short: list[str] = []
    for row in ledger:
        if row.kind == "FILL":
            held[row.symbol] += row.fill_qty if row.side == "BUY" else -row.fill_qty
            if held[row.symbol] < 0:
                short.append(f"{row.symbol} at {row.time_of_day}")
    return Finding("no sale beyond what was held", not short, ", ".join(short) or "always covered")


def _inside_window(ledger: Sequence[LedgerRow], journal: Sequence[Row], window: tuple[str, str]) -> Finding:
    entries = {row.cl_ord_id for row in journal if row.event_type is EventType.ORDER_SEND_ATTEMPT and row.leg == "A"}
    outside = [
        f"{row.rq_name} at {row.time_of_day}"
        for row in ledger
        if row.kind in ("ORDER", "CANCEL", "REJECT", "OVERLOAD")
        and not window[0] <= row.time_of_day <= (window[1] if row.rq_name in entries else "15:20:00")
    ]
    return Finding(f"nothing outside {window[0]}-{window[1]}", not outside, ", ".join(outside[:5]) or "all inside")


def _same_fills(ledger: Sequence[LedgerRow], journal: Sequence[Row]) -> Finding:
    theirs = sorted(
        (row.venue, row.order_no, row.exec_id, row.symbol, row.side, row.fill_qty, row.fill_px)
        for row in ledger
        if row.kind == "FILL"
    )
    ours = sorted(
        (
            row.venue or "",
            row.order_no or "",
            row.exec_id or "",
            row.symbol or "",
            row.side or "",
            row.fill_qty or 0,
            row.fill_px or 0,
        )
        for row in journal
        if row.event_type in (EventType.TRADE_PARTIAL, EventType.TRADE_FILL)
    )
    return Finding("the same fills in ledger and journal", ours == theirs, f"{len(theirs)} there, {len(ours)} here")


def _same_money(ledger: Sequence[LedgerRow], journal: Sequence[Row]) -> Finding:
    cash = {row.kind: row.qty for row in ledger if row.symbol == CASH}
    change = cash.get("CLOSE_POSITION", 0) - cash.get("OPEN_POSITION", 0)
    ended = (EventType.PAIRED_DONE, EventType.FLATTENED, EventType.UNHEDGED)
    net = sum(int(dict(row.extra)["net_krw"]) for row in journal if row.event_type in ended)
    return Finding(
        "net PnL equals the change of cash at the broker, to the won",
        net == change,
        f"journal {net:+,} won, ledger {change:+,} won",
    )
