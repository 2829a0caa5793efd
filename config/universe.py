"""The universe file: one line per share that may be traded, with the name and the market it is listed on.

CSV with a header; columns code, name, market (KOSPI or KOSDAQ) and, where wanted, exclude (the reason to leave the
symbol out) and note (for people). UTF-8 or CP949, with or without a byte-order mark. Every fault is told with its line.
Assumed: codes are six digits, as the order call takes them (KIWOOM.md 1.4); the newer codes with a letter are refused.
"""

import csv
import io
import re
from pathlib import Path
from typing import Final

from actors.domain.symbol_map import UniverseEntry
from config.scalars import shown
from config.text import TextError, read_text
from kiwoom.market import Market, Symbol

REQUIRED: Final = ("code", "name", "market")
OPTIONAL: Final = ("exclude", "note")
SYMBOLS_MAX: Final = 5_000
"""More than all listed shares; a larger file is not a universe."""

_CODE: Final = re.compile(r"[0-9]{6}")
_MARKETS: Final = {market.value: market for market in Market}


def read_universe(path: Path) -> tuple[tuple[UniverseEntry, ...], tuple[str, ...]]:
    """The entries in the file's order, and the faults as `file:line: key: what is wrong, what is allowed`."""
    try:
        text = read_text(path)
    except TextError as error:
        return (), (f"{path}: {error}; allowed: a CSV file with the columns {', '.join(REQUIRED)}",)
    return parse_universe(text, str(path))


def parse_universe(text: str, name: str) -> tuple[tuple[UniverseEntry, ...], tuple[str, ...]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    faults: list[str] = []
    lines: dict[str, int] = {}
    entries: list[UniverseEntry] = []
    columns: dict[str, int] | None = None
    try:
        for row in reader:
            line = reader.line_num
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if columns is None:
                columns, wrong = _columns(cells)
                if wrong:
                    return (), tuple(f"{name}:{line}: {fault}" for fault in wrong)
                continue
            entry, wrong = _entry(cells, columns, lines)
            faults += [f"{name}:{line}: {fault}" for fault in wrong]
            if entry is not None:
                lines[entry.symbol] = line
                entries.append(entry)
            if len(entries) > SYMBOLS_MAX:
                return (), (f"{name}:{line}: too many symbols; allowed: {SYMBOLS_MAX:,}",)
    except csv.Error as error:
        faults.append(f"{name}:{reader.line_num}: not a CSV line ({error}); allowed: cells with commas between them")
    if not entries and not faults:
        faults.append(f"{name}:1: no symbol in it; allowed: a header and at least one line")
    return tuple(entries), tuple(faults)


def _columns(cells: list[str]) -> tuple[dict[str, int], list[str]]:
    names = [cell.lower() for cell in cells]
    known = REQUIRED + OPTIONAL
    wrong = [
        f"{column}: the header has no such column; allowed: {', '.join(REQUIRED)}, and {', '.join(OPTIONAL)} if wanted"
        for column in REQUIRED
        if column not in names
    ]
    wrong += [
        f"header: {shown(column)} is no column; allowed: {', '.join(known)}" for column in names if column not in known
    ]
    wrong += [
        f"header: {column} stands there twice; allowed: each column once" for column in known if names.count(column) > 1
    ]
    return {column: position for position, column in enumerate(names)}, wrong


def _entry(cells: list[str], columns: dict[str, int], lines: dict[str, int]) -> tuple[UniverseEntry | None, list[str]]:
    wrong: list[str] = []
    if len(cells) != len(columns):
        return None, [f"line: has {len(cells)} cells; allowed: {len(columns)}, as in the header"]
    code, name, market_name = (cells[columns[column]] for column in REQUIRED)
    if not _CODE.fullmatch(code):
        wrong.append(f"code: {shown(code)} is malformed; allowed: 6 digits, zeros at the front included")
    elif code in lines:
        wrong.append(f"code: {code} stands in line {lines[code]} already; allowed: each code once")
    if not name:
        wrong.append("name: is empty; allowed: the company's name")
    market = _MARKETS.get(market_name.upper())
    if market is None:
        wrong.append(f"market: {shown(market_name)} is unknown; allowed: {', '.join(_MARKETS)}")
    if wrong or market is None:
        return None, wrong
    exclude = cells[columns["exclude"]] if "exclude" in columns else ""
    return UniverseEntry(Symbol(code), name, market, exclude), []
