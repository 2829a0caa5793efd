"""Short constructors: every option that a test sets means something to that test."""

from typing import Any

from actors.messages.journal import EventType, Row
from kiwoom.market import MS, Nanos, WallNanos
from tests.support.playbook import TEN_O_CLOCK


def row(event: EventType, at_ms: int = 0, extra: dict[str, Any] | None = None, **columns: Any) -> Row:
    """A journal row `at_ms` after ten o'clock."""
    mono = at_ms * MS
    return Row(event, Nanos(mono), WallNanos(TEN_O_CLOCK + mono), extra=tuple((extra or {}).items()), **columns)


def pair_rows(pair_id: str = "p-1", start_ms: int = 0, side: str = "SELL", net: int = 120) -> list[Row]:
    """The rows of one pair of one share that went well: signal, entry, hedge, done."""
    hedge_side = "BUY" if side == "SELL" else "SELL"
    entry, hedge = f"{pair_id}-A1", f"{pair_id}-B1"
    ids = {"pair_id": pair_id, "symbol": "005930"}
    money = {"gross_krw": net + 200, "fees_krw": 20, "tax_krw": 180, "net_krw": net}
    done = {**money, "bought": 1, "sold": 1, "buy_px_avg": "72300", "sell_px_avg": "72820", "unhedged_ms": 40}
    return [
        row(EventType.SIGNAL, start_ms, {"tick_recv_mono_ns": (start_ms - 4) * MS}, **ids),
        row(EventType.ADMITTED, start_ms + 1, **ids),
        row(EventType.ORDER_SEND_ATTEMPT, start_ms + 3, cl_ord_id=entry, leg="A", side=side, qty=1, **ids),
        row(EventType.ORDER_ACK, start_ms + 30, cl_ord_id=entry, leg="A", order_no="0000001", **ids),
        row(
            EventType.TRADE_FILL,
            start_ms + 35,
            cl_ord_id=entry,
            leg="A",
            side=side,
            fill_qty=1,
            fill_px=72_820,
            order_no="0000001",
            exec_id="1",
            venue="NXT",
            leaves_qty=0,
            **ids,
        ),
        row(EventType.ORDER_SEND_ATTEMPT, start_ms + 37, cl_ord_id=hedge, leg="B", side=hedge_side, qty=1, **ids),
        row(
            EventType.TRADE_FILL,
            start_ms + 75,
            cl_ord_id=hedge,
            leg="B",
            side=hedge_side,
            fill_qty=1,
            fill_px=72_300,
            order_no="0000002",
            exec_id="7",
            venue="KRX",
            leaves_qty=0,
            **ids,
        ),
        row(EventType.PAIR_STATE, start_ms + 76, state="PAIRED_DONE", **ids),
        row(EventType.PAIRED_DONE, start_ms + 76, done, **ids),
    ]
