"""The journal: what is appended comes back as it was, in order, in the agreed columns; commits survive the writer."""

import csv
import sqlite3
from dataclasses import replace
from pathlib import Path

from actors.domain.plan_record import plan_as_json, plan_from_json
from actors.journal import COLUMNS, Journal, iso_kst, read_events, row_of, wall_of_iso
from actors.messages.journal import EventType, Row
from dashboards.report.files import write_events_csv
from kiwoom.market import Nanos, WallNanos
from tests.support.builders import pair_rows, row
from tests.support.gateway_stage import pair_plan
from tests.support.playbook import TEN_O_CLOCK


def written(path: Path, rows: list[Row]) -> Path:
    journal = Journal(path)
    for each in rows:
        journal.append(each, "gateway")
    journal.close()
    return path


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    rows = [
        *pair_rows(),
        row(EventType.POSITION_UPDATE, 5, symbol="005930", qty=3, fids=(("9203", "0000001"), ("913", "체결"))),
    ]
    path = written(tmp_path / "journal.db", rows)
    back = [row_of(event) for event in read_events(path)]
    assert [each.actor for each in back] == ["gateway"] * len(rows)
    assert [(e.event_type, e.pair_id, e.fill_px, e.fids, e.extra, e.ts_mono, e.ts_wall) for e in back] == [
        (e.event_type, e.pair_id, e.fill_px, e.fids, e.extra, e.ts_mono, e.ts_wall) for e in rows
    ]


def test_a_successor_reads_what_it_needs_in_order(tmp_path: Path) -> None:
    plan = plan_as_json(pair_plan())
    needed = [
        row(EventType.ORDER_SEND_ATTEMPT, 1, {"kind": "entry", "plan": plan}, pair_id="P1", cl_ord_id="E1", qty=3),
        row(EventType.SERVER_MESSAGE, 2, {"absorbed_exec_id": "X1"}, cl_ord_id="E1", reason="ABSORBED"),
        row(EventType.PAIRED_DONE, 3, {"child": 1}, pair_id="P1", actor="pair_manager"),
    ]
    beside = [row(EventType.SIGNAL, 2), row(EventType.SERVER_MESSAGE, 2, reason="FOREIGN")]
    path = written(tmp_path / "journal.db", [needed[0], *beside, *needed[1:]])
    journal = Journal(path)
    read = list(journal.rows())
    journal.close()
    assert [replace(each, actor=None) for each in read] == [replace(each, actor=None) for each in needed]
    assert plan_from_json(dict(read[0].extra)["plan"]) == pair_plan()


def test_seq_increases_over_restarts_of_the_writer(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    written(path, pair_rows())
    written(path, pair_rows("p-2"))
    seqs = [event["seq"] for event in read_events(path)]
    assert seqs == list(range(1, len(seqs) + 1))


def test_only_committed_rows_survive_a_writer_that_dies(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = Journal(path)
    journal.append(row(EventType.ARMED), "session_state")
    journal.commit()
    journal.append(row(EventType.DISARMED), "session_state")
    assert [event["event_type"] for event in read_events(path)] == ["ARMED"]
    journal.close()
    assert [event["event_type"] for event in read_events(path)] == ["ARMED", "DISARMED"]
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_times_are_iso_in_seoul_to_the_microsecond_and_back() -> None:
    wall = TEN_O_CLOCK + 123_456_000
    assert iso_kst(wall) == "2026-11-23T10:00:00.123456+09:00"
    assert wall_of_iso(iso_kst(wall)) == wall


def test_events_csv_has_the_same_rows_in_the_agreed_columns(tmp_path: Path) -> None:
    written(tmp_path / "journal.db", pair_rows())
    with write_events_csv(tmp_path).open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    assert tuple(lines[0]) == COLUMNS
    assert [line[3] for line in lines[1:]] == [each.event_type.value for each in pair_rows()]


def test_a_row_without_values_has_empty_columns(tmp_path: Path) -> None:
    empty = Row(EventType.SESSION, Nanos(0), WallNanos(0))
    event = next(read_events(written(tmp_path / "journal.db", [empty])))
    filled = {name for name in COLUMNS if event[name] not in (None, {})}
    assert filled == {"seq", "ts", "ts_mono_ns", "event_type", "actor"}
