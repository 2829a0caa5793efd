"""The broker's own book of what it took, filled and turned away: the rows of `broker_ledger.csv`.

Written from the broker's side only, so that the trading side's journal can be checked against it. Pure: builds rows
and lines; the server appends each line and flushes it at once.
"""

import csv
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from io import StringIO
from typing import Final

_SEOUL: Final = timezone(timedelta(hours=9))


class LedgerKind(Enum):
    ORDER = "ORDER"
    """A new order the broker took; `ts` is its arrival."""
    CANCEL = "CANCEL"
    """A cancel the broker took."""
    FILL = "FILL"
    """One execution; `fee_krw` and `tax_krw` are what it added to the order's running totals."""
    REJECT = "REJECT"
    """A call turned away for any reason but the cap. Writes no ORDER row."""
    OVERLOAD = "OVERLOAD"
    """A call turned away by the cap of 5 a second (-308)."""
    END = "END"
    """An order left the book; `qty` is the unfilled quantity released."""
    OPEN_POSITION = "OPEN_POSITION"
    CLOSE_POSITION = "CLOSE_POSITION"
    """Shares (or won, symbol CASH) held at the start and at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One row. `ts` and `ts_mono_ns` are nanoseconds on the broker's clocks; what does not apply stays None or ""."""

    ts: int
    ts_mono_ns: int
    kind: LedgerKind
    rq_name: str = ""
    order_no: str = ""
    orig_order_no: str = ""
    venue: str = ""
    symbol: str = ""
    side: str = ""
    order_type: int | None = None
    hoga_code: str = ""
    price: int | None = None
    qty: int | None = None
    fill_px: int | None = None
    fill_qty: int | None = None
    exec_id: str = ""
    fee_krw: int | None = None
    tax_krw: int | None = None
    return_code: int | None = None
    reason: str = ""


COLUMNS: Final = tuple(field.name for field in fields(LedgerRow))
HEADER: Final = ",".join(COLUMNS) + "\n"


def ledger_line(row: LedgerRow) -> str:
    """The row as a line of CSV, newline included."""
    values: list[object] = [getattr(row, name) for name in COLUMNS]
    values[0] = iso_seoul(row.ts)
    values[2] = row.kind.value
    out = StringIO()
    csv.writer(out, lineterminator="\n").writerow(["" if value is None else value for value in values])
    return out.getvalue()


def iso_seoul(wall: int) -> str:
    """ISO 8601 with +09:00 and microseconds."""
    seconds, rest = divmod(wall, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC).astimezone(_SEOUL).replace(microsecond=rest // 1_000)
    return moment.isoformat(timespec="microseconds")
