"""Conversation: rows for the journal. Every actor -> Gateway (which writes) -> Telemetry (which counts).

The columns are those of CONTRACTS.md, `events`.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from kiwoom.market import Nanos, WallNanos


class EventType(Enum):
    SESSION = "SESSION"
    ARMED = "ARMED"
    DISARMED = "DISARMED"
    FEEDS_REGISTERED = "FEEDS_REGISTERED"
    SIGNAL = "SIGNAL"
    ADMITTED = "ADMITTED"
    NOT_ADMITTED = "NOT_ADMITTED"
    ORDER_SEND_ATTEMPT = "ORDER_SEND_ATTEMPT"
    CANCEL_SEND_ATTEMPT = "CANCEL_SEND_ATTEMPT"
    ORDER_ACK = "ORDER_ACK"
    ORDER_TIMEOUT = "ORDER_TIMEOUT"
    ORDER_ACCEPTED = "ORDER_ACCEPTED"
    ORDER_STUCK = "ORDER_STUCK"
    TRADE_PARTIAL = "TRADE_PARTIAL"
    TRADE_FILL = "TRADE_FILL"
    CANCELED = "CANCELED"
    CANCEL_REJECT = "CANCEL_REJECT"
    CANCEL_STUCK = "CANCEL_STUCK"
    ORDER_REJECT = "ORDER_REJECT"
    ORDER_REFUSED = "ORDER_REFUSED"
    DOUBT_QUERY = "DOUBT_QUERY"
    DOUBT_RESOLVED = "DOUBT_RESOLVED"
    SERVER_MESSAGE = "SERVER_MESSAGE"
    POSITION_UPDATE = "POSITION_UPDATE"
    PAIR_STATE = "PAIR_STATE"
    PAIR_ASSIGNED = "PAIR_ASSIGNED"
    PAIR_RESTORED = "PAIR_RESTORED"
    PAIRED_DONE = "PAIRED_DONE"
    HEDGE_TIMEOUT = "HEDGE_TIMEOUT"
    UNHEDGED = "UNHEDGED"
    FLATTENED = "FLATTENED"
    COOLDOWN_ARMED = "COOLDOWN_ARMED"
    COOLDOWN_CLEAR = "COOLDOWN_CLEAR"
    AUTO_PAUSE_ON = "AUTO_PAUSE_ON"
    AUTO_PAUSE_OFF = "AUTO_PAUSE_OFF"
    SYMBOL_FROZEN = "SYMBOL_FROZEN"
    ACTOR_FAILED = "ACTOR_FAILED"
    ACTOR_RESTARTED = "ACTOR_RESTARTED"
    RECONCILED = "RECONCILED"
    SAFE_STATE = "SAFE_STATE"
    CONFIG_CHANGED = "CONFIG_CHANGED"
    OPERATOR = "OPERATOR"


ABSORBED: Final = "ABSORBED"
"""`reason` of the SERVER_MESSAGE row of a fill that a query had told of before."""

OVER_AGAIN: Final = "OVER_AGAIN"
"""`reason` of the SERVER_MESSAGE row of an order that turned up alive after its one terminal row, and is over now."""

BY_QUERY: Final = "by_query"
"""In `extra` of a LATE fill: a query told of it, not its own report."""


@dataclass(frozen=True, slots=True)
class Row:
    """One journal row. `None` is an empty column. `fids` and `extra` are pairs, written as a JSON object.

    `ts_wall`/`ts_mono` are the event's own time: the control thread's stamp where there is one.
    The writer adds `seq`; the shell's role becomes `actor` when `actor` is None.
    """

    event_type: EventType
    ts_mono: Nanos
    ts_wall: WallNanos
    actor: str | None = None
    pair_id: str | None = None
    leg: str | None = None
    venue: str | None = None
    symbol: str | None = None
    cl_ord_id: str | None = None
    order_no: str | None = None
    orig_order_no: str | None = None
    side: str | None = None
    qty: int | None = None
    hoga_code: str | None = None
    price: int | None = None
    leaves_qty: int | None = None
    fill_qty: int | None = None
    fill_px: int | None = None
    exec_id: str | None = None
    screen_no: str | None = None
    rq_name: str | None = None
    tr_code: str | None = None
    sgubun: str | None = None
    order_type: int | None = None
    state: str | None = None
    reason: str | None = None
    fids: tuple[tuple[str, str], ...] = ()
    message_text: str | None = None
    extra: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class RowsPosted:
    """Rows of another actor, for the Gateway to write. Sent last in a handler, one message for all its rows."""

    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class RowsWritten:
    """Rows that stand in the journal now: Gateway -> Telemetry, at most 4 a second. `last_seq` is that of the last."""

    rows: tuple[Row, ...]
    last_seq: int
