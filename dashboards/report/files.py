"""The run directory's result files, written from the journal: events.csv, report.json, and the parts of run.json."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actors.domain.tally import DayTally
from actors.journal import COLUMNS, read_events, row_of
from actors.messages.journal import Row
from dashboards.report.ledger import LedgerRow, read_ledger
from dashboards.report.session import arrivals, report

JOURNAL = "journal.db"
LEDGER = "broker_ledger.csv"


@dataclass(frozen=True, slots=True)
class SessionFiles:
    """A session read back from its directory. `ledger` is None outside paper mode."""

    rows: tuple[Row, ...]
    day: DayTally
    ledger: tuple[LedgerRow, ...] | None


def read_session(directory: Path) -> SessionFiles:
    """Read the journal and, if there is one, the broker's ledger. Raises OSError or ValueError with the file's name."""
    rows = tuple(row_of(event) for event in read_events(directory / JOURNAL))
    day = DayTally()
    for row in rows:
        day.add(row)
    ledger_path = directory / LEDGER
    ledger = tuple(read_ledger(ledger_path)) if ledger_path.exists() else None
    return SessionFiles(rows, day, ledger)


def write_events_csv(directory: Path) -> Path:
    """events.csv: the journal's rows, as they stand in the database."""
    path = directory / "events.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for event in read_events(directory / JOURNAL):
            writer.writerow([_cell(event[name]) for name in COLUMNS])
    return path


def write_report(directory: Path, session: SessionFiles, orders_per_second: int) -> dict[str, Any]:
    """report.json; also returned."""
    content = report(session.day, arrivals(session.ledger or ()), orders_per_second)
    write_json(directory / "report.json", content)
    return content


def write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _cell(value: object) -> object:
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")) if value else ""
    return "" if value is None else value
