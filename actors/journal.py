"""The journal: an append-only SQLite table that the Gateway's shell writes before each send.

WAL mode with synchronous=NORMAL: a committed row survives the death of any process at once (it is in the operating
system's hands); a power cut may lose the last rows, which reconciliation with the broker covers. One writer only.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from pathlib import Path
from typing import Any, Final

from actors.messages.journal import ABSORBED, EventType, Row
from kiwoom.market import SECOND, Nanos, WallNanos

CHECKPOINT_PAGES: Final = 8_000
"""A checkpoint waits for the disk, some ten milliseconds: once in 32 MB of rows instead of once in 4."""

_SEOUL: Final = timezone(timedelta(hours=9))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

COLUMNS: Final = (
    "seq",
    "ts",
    "ts_mono_ns",
    "event_type",
    "actor",
    "pair_id",
    "leg",
    "venue",
    "symbol",
    "cl_ord_id",
    "order_no",
    "orig_order_no",
    "side",
    "qty",
    "hoga_code",
    "price",
    "leaves_qty",
    "fill_qty",
    "fill_px",
    "exec_id",
    "screen_no",
    "rq_name",
    "tr_code",
    "sgubun",
    "order_type",
    "state",
    "reason",
    "fids",
    "message_text",
    "extra",
)
"""The columns of `events`, as CONTRACTS names them."""

_INTEGERS: Final = frozenset({"ts_mono_ns", "qty", "price", "leaves_qty", "fill_qty", "fill_px", "order_type"})

RECALLED: Final = (
    EventType.SESSION,
    EventType.RECONCILED,
    EventType.ORDER_SEND_ATTEMPT,
    EventType.CANCEL_SEND_ATTEMPT,
    EventType.ORDER_ACK,
    EventType.ORDER_TIMEOUT,
    EventType.ORDER_ACCEPTED,
    EventType.TRADE_PARTIAL,
    EventType.TRADE_FILL,
    EventType.CANCELED,
    EventType.CANCEL_REJECT,
    EventType.CANCEL_STUCK,
    EventType.ORDER_REJECT,
    EventType.ORDER_REFUSED,
    EventType.PAIR_STATE,
    EventType.PAIR_ASSIGNED,
    EventType.PAIR_RESTORED,
    EventType.PAIRED_DONE,
    EventType.UNHEDGED,
    EventType.FLATTENED,
    EventType.SYMBOL_FROZEN,
    EventType.RECONCILED,
    EventType.OPERATOR,
)
"""What a Gateway that is started again reads; most rows of a day are signals, quotes' doings and words for people."""

_PLAIN: Final = tuple(
    field.name for field in fields(Row) if field.name not in {"event_type", "ts_wall", "ts_mono", "fids", "extra"}
)


def iso_kst(wall: int) -> str:
    """Epoch nanoseconds as ISO 8601 with +09:00 and microseconds."""
    seconds, rest = divmod(wall, SECOND)
    moment = datetime.fromtimestamp(seconds, _SEOUL).replace(microsecond=rest // 1_000)
    return moment.isoformat(timespec="microseconds")


class Journal:
    """Appends rows; each becomes durable at `commit`. Raises sqlite3.Error if the disk refuses."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        columns = ", ".join(
            f"{name} INTEGER" + (" PRIMARY KEY AUTOINCREMENT" if name == "seq" else "")
            if name == "seq" or name in _INTEGERS
            else f"{name} TEXT"
            for name in COLUMNS
        )
        self._db.execute(f"CREATE TABLE IF NOT EXISTS events ({columns})")
        self._insert = f"INSERT INTO events ({', '.join(COLUMNS[1:])}) VALUES ({', '.join('?' for _ in COLUMNS[1:])})"
        self._open = False
        self.last_seq: int = self._db.execute("SELECT COALESCE(MAX(seq), 0) FROM events").fetchone()[0]

    def rows(self) -> Iterator[Row]:
        """The RECALLED rows in order, and the words by which a fill known before was absorbed. Without their `fids`."""
        wanted = ", ".join(f"'{event_type.value}'" for event_type in RECALLED)
        columns = ("ts", "ts_mono_ns", "event_type", "extra", *_PLAIN)
        query = f"SELECT {', '.join(columns)} FROM events WHERE event_type IN ({wanted}) OR reason = ? ORDER BY seq"
        for ts, ts_mono, event_type, extra, *plain in self._db.execute(query, (ABSORBED,)):
            yield Row(
                EventType(event_type),
                Nanos(ts_mono),
                WallNanos(wall_of_iso(ts)),
                extra=tuple(json.loads(extra).items()) if extra else (),
                **dict(zip(_PLAIN, plain, strict=True)),
            )

    def append(self, row: Row, actor: str) -> int:
        """Write `row` as by `actor` (unless it names one) into the open transaction; its seq."""
        if not self._open:
            self._db.execute("BEGIN")
            self._open = True
        cursor = self._db.execute(self._insert, row_values(row, actor))
        assert cursor.lastrowid is not None
        self.last_seq = cursor.lastrowid
        return self.last_seq

    def commit(self) -> None:
        if self._open:
            self._db.execute("COMMIT")
            self._open = False

    def close(self) -> None:
        self.commit()
        self._db.close()


def row_values(row: Row, actor: str) -> tuple[Any, ...]:
    """The row as SQL values, in COLUMNS order without seq."""
    plain = {name: getattr(row, name) for name in _PLAIN}
    plain["actor"] = row.actor or actor
    plain["ts"] = iso_kst(row.ts_wall)
    plain["ts_mono_ns"] = row.ts_mono
    plain["event_type"] = row.event_type.value
    plain["fids"] = _as_json(row.fids)
    plain["extra"] = _as_json(row.extra)
    return tuple(plain[name] for name in COLUMNS[1:])


def _as_json(pairs: Sequence[tuple[str, Any]]) -> str | None:
    if not pairs:
        return None
    return json.dumps(dict(pairs), ensure_ascii=False, separators=(",", ":"), default=_plain_value)


def _plain_value(value: object) -> object:
    assert isinstance(value, Enum), f"{value!r} is no plain value"
    return value.value


def read_events(path: Path) -> Iterator[dict[str, Any]]:
    """Every row of a journal in order, `fids` and `extra` parsed. Read-only; raises sqlite3.Error if it cannot."""
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        db.row_factory = sqlite3.Row
        for record in db.execute(f"SELECT {', '.join(COLUMNS)} FROM events ORDER BY seq"):
            event = dict(record)
            event["fids"] = json.loads(event["fids"]) if event["fids"] else {}
            event["extra"] = json.loads(event["extra"]) if event["extra"] else {}
            yield event
    finally:
        db.close()


def row_of(event: dict[str, Any]) -> Row:
    """A row as it was before it was written; `event` as read_events gives it."""
    plain = {name: event[name] for name in _PLAIN}
    return Row(
        EventType(event["event_type"]),
        Nanos(event["ts_mono_ns"]),
        WallNanos(wall_of_iso(event["ts"])),
        fids=tuple(event["fids"].items()),
        extra=tuple(event["extra"].items()),
        **plain,
    )


def wall_of_iso(text: str) -> int:
    """Epoch nanoseconds of an ISO time, to the microsecond."""
    moment = datetime.fromisoformat(text)
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1_000
