"""The universe file: what is shipped, and every bad line."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.domain.symbol_map import UniverseEntry, build_symbol_map
from config.reader import SHIPPED
from config.universe import SYMBOLS_MAX, parse_universe, read_universe
from kiwoom.market import Market, Symbol

GOOD = "005930,삼성전자,KOSPI\n"
HEADER = "code,name,market\n"


def test_the_shipped_universe_is_two_hundred_shares_on_four_screens() -> None:
    entries, faults = read_universe(SHIPPED / "universe.csv")
    assert faults == ()
    assert len(entries) == 200
    assert Counter(entry.market for entry in entries) == {Market.KOSPI: 130, Market.KOSDAQ: 70}
    assert len({entry.name for entry in entries}) == 200
    # Common shares end in 0; preferred ones do not.
    assert all(entry.symbol.endswith("0") for entry in entries)
    assert len(build_symbol_map(entries, ("1001", "1002", "1003", "1004")).entries) == 200


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_file_as_a_korean_pc_saves_it_is_read(tmp_path: Path, encoding: str, newline: str) -> None:
    path = tmp_path / "universe.csv"
    text = (HEADER + GOOD + "\n247540, 에코프로비엠 ,kosdaq\n").replace("\n", newline)
    path.write_bytes(text.encode(encoding))
    assert read_universe(path) == (
        (
            UniverseEntry(Symbol("005930"), "삼성전자", Market.KOSPI),
            UniverseEntry(Symbol("247540"), "에코프로비엠", Market.KOSDAQ),
        ),
        (),
    )


def test_the_optional_columns_may_stand_anywhere() -> None:
    text = 'note,market,code,exclude,name\n"a, b",KOSPI,005930,halted,삼성전자\n,KOSPI,000660,,SK하이닉스\n'
    entries, faults = parse_universe(text, "u.csv")
    assert faults == ()
    assert [entry.exclude for entry in entries] == ["halted", ""]


BAD = [
    ("", "u.csv:1: no symbol in it; allowed: a header and at least one line"),
    (HEADER, "u.csv:1: no symbol in it"),
    ("\n\n", "u.csv:1: no symbol in it"),
    (GOOD, "u.csv:1: code: the header has no such column; allowed: code, name, market, and exclude, note if wanted"),
    ("code,name\n005930,삼성전자\n", "u.csv:1: market: the header has no such column"),
    ("code,name,market,sector\n", "u.csv:1: header: 'sector' is no column; allowed: code, name, market, exclude, note"),
    ("code,name,market,code\n", "u.csv:1: header: code stands there twice"),
    (HEADER + GOOD + GOOD, "u.csv:3: code: 005930 stands in line 2 already; allowed: each code once"),
    (HEADER + "5930,삼성전자,KOSPI\n", "u.csv:2: code: '5930' is malformed; allowed: 6 digits, zeros at the front"),
    (HEADER + "A05930,삼성전자,KOSPI\n", "u.csv:2: code: 'A05930' is malformed"),
    (HEADER + "005930_NX,삼성전자,KOSPI\n", "u.csv:2: code: '005930_NX' is malformed"),
    (HEADER + "٠٠٥٩٣٠,삼성전자,KOSPI\n", "u.csv:2: code: "),
    (HEADER + GOOD + "000660,SK하이닉스,KONEX\n", "u.csv:3: market: 'KONEX' is unknown; allowed: KOSPI, KOSDAQ"),
    (HEADER + "005930,,KOSPI\n", "u.csv:2: name: is empty"),
    (HEADER + "005930,삼성전자\n", "u.csv:2: line: has 2 cells; allowed: 3, as in the header"),
    (HEADER + "005930,삼성,전자,KOSPI\n", "u.csv:2: line: has 4 cells"),
    (HEADER + '005930,"삼성전자,KOSPI\n', "u.csv:2: not a CSV line"),
]


@pytest.mark.parametrize(("text", "expected"), BAD, ids=[expected[:60] for _, expected in BAD])
def test_a_bad_line_is_told_with_its_number(text: str, expected: str) -> None:
    _, faults = parse_universe(text, "u.csv")
    assert faults[0].startswith(expected)


def test_every_bad_line_is_told() -> None:
    _, faults = parse_universe(HEADER + "1,,X\n" + GOOD + "2,b,KOSPI\n", "u.csv")
    assert [fault.split(": ")[:2] for fault in faults] == [
        ["u.csv:2", "code"],
        ["u.csv:2", "name"],
        ["u.csv:2", "market"],
        ["u.csv:4", "code"],
    ]


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    _, (fault,) = read_universe(tmp_path / "none.csv")
    assert fault.endswith("the file does not exist; allowed: a CSV file with the columns code, name, market")


def test_a_file_with_more_than_all_shares_is_no_universe() -> None:
    text = HEADER + "".join(f"{code:06d},회사,KOSPI\n" for code in range(SYMBOLS_MAX + 1))
    entries, (fault,) = parse_universe(text, "u.csv")
    assert entries == ()
    assert "too many symbols; allowed: 5,000" in fault


@given(st.text(alphabet=st.sampled_from('code,name,market\n\r"0059가 \0'), max_size=120))
@settings(max_examples=100)
def test_any_text_is_read_or_told(text: str) -> None:
    for prefix in ("", HEADER):
        entries, faults = parse_universe(prefix + text, "u.csv")
        assert bool(entries) or bool(faults)
