"""The simulated broker's own ledger (broker_ledger.csv), read for comparison. Pure but for opening the file."""

import csv
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One line of the broker's ledger; money in won, 0 and "" where a column is empty."""

    ts: str
    mono: int
    kind: str
    rq_name: str
    order_no: str
    orig_order_no: str
    venue: str
    symbol: str
    side: str
    order_type: str
    hoga_code: str
    price: int
    qty: int
    fill_px: int
    fill_qty: int
    exec_id: str
    fee_won: int
    tax_won: int
    return_code: str
    reason: str

    @property
    def time_of_day(self) -> str:
        """HH:MM:SS.ffffff of the broker's clock."""
        return self.ts[11:26]


def read_ledger(path: Path) -> list[LedgerRow]:
    """All rows in file order. Raises OSError if there is no ledger, ValueError (with the line) if one is malformed."""
    with path.open(encoding="utf-8", newline="") as file:
        rows: list[LedgerRow] = []
        for line, record in enumerate(csv.DictReader(file), start=2):
            try:
                rows.append(_parse(record))
            except (KeyError, ValueError, TypeError) as fault:
                raise ValueError(f"{path}:{line}: not a ledger row: {fault}") from fault
        return rows


def _parse(record: dict[str, str]) -> LedgerRow:
    def number(name: str) -> int:
        return int(record[name]) if record[name] else 0

    return LedgerRow(
        ts=record["ts"],
        mono=number("ts_mono_ns"),
        kind=record["kind"],
        rq_name=record["rq_name"],
        order_no=record["order_no"],
        orig_order_no=record["orig_order_no"],
        venue=record["venue"],
        symbol=record["symbol"],
        side=record["side"],
        order_type=record["order_type"],
        hoga_code=record["hoga_code"],
        price=number("price"),
        qty=number("qty"),
        fill_px=number("fill_px"),
        fill_qty=number("fill_qty"),
        exec_id=record["exec_id"],
        fee_won=number("fee_krw"),
        tax_won=number("tax_krw"),
        return_code=record["return_code"],
        reason=record["reason"],
    )
