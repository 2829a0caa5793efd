"""The files of a day: the story around each breach, the ledger, the strikes, the journal."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from actors.journal import read_events
from actors.messages.journal import EventType, Row
from kiwoom.market import Nanos, WallNanos
from kiwoom.simulated.ledger import LedgerKind, LedgerRow
from supervision.simulation.campaign import Day
from supervision.simulation.memory_journal import JournalDisk
from tests.support.simulated_days import FakeBreach, FakeFacts

pytest.importorskip("supervision.simulation.evidence")

REPEAT = "arb simulate --seeds 17..17"
START = 1_000_000_000_000


@dataclass(frozen=True)
class FakeStrike:
    wall: int
    fault: str
    subject: str
    size_ns: int


def a_day(tmp_path: Path, facts: FakeFacts | None, trace: str = "") -> dict[str, str]:
    from supervision.simulation.diary import Diary
    from supervision.simulation.evidence import ActorDied, FaultsOff

    row = Row(EventType.SIGNAL, Nanos(START), WallNanos(0), pair_id="P7", symbol="005930")
    diary = Diary()
    diary.disk = JournalDisk(lambda _: None)
    diary.disk.write([(row, "router")])
    diary.journal(row, Nanos(START))
    order = LedgerRow(ts=0, ts_mono_ns=START, kind=LedgerKind.ORDER, rq_name="P7-A", venue="NXT", qty=3)
    diary.ledger(order, Nanos(START + 1_500_000))
    diary.struck(FakeStrike(0, "late_number", "P7-A", 250_000_000), Nanos(START + 2_000_000))
    diary.machine(ActorDied("router", 0), Nanos(START + 3_000_000))
    diary.machine(FaultsOff(), Nanos(START + 4_000_000_000))
    diary.write(tmp_path / "day", Day("storm", 17), REPEAT, facts, trace)
    return {path.name: path.read_text(encoding="utf-8", errors="replace") for path in (tmp_path / "day").iterdir()}


def test_the_story_tells_what_led_to_a_breach_and_marks_what_concerns_it(tmp_path: Path) -> None:
    facts = FakeFacts(breaches=(FakeBreach("flat in time", START + 3_000_000, "order P7-A has no end"),))
    story = a_day(tmp_path, facts)["day.txt"].splitlines()
    assert REPEAT in story[0]
    told = story[next(index for index, line in enumerate(story) if line.startswith("BROKEN at")) :]
    assert told == [
        "BROKEN at   0.003000: flat in time: order P7-A has no end",
        "    0.000000  journal SIGNAL pair_id=P7 symbol=005930",
        ">   0.001500  broker  ORDER rq_name=P7-A venue=NXT qty=3",
        ">   0.002000  STRIKE  late_number P7-A, 250.0 ms",
        "    0.003000  MACHINE ActorDied name=router index=0",
        "    4.000000  MACHINE FaultsOff",
    ]


def test_the_files_hold_what_the_day_had(tmp_path: Path) -> None:
    files = a_day(tmp_path, FakeFacts())
    assert files.keys() >= {"journal.db", "broker_ledger.csv", "strikes.txt", "day.txt"}
    assert [event["pair_id"] for event in read_events(tmp_path / "day" / "journal.db")] == ["P7"]
    assert len(files["broker_ledger.csv"].splitlines()) == 2
    assert [line.split()[1] for line in files["strikes.txt"].splitlines()] == ["STRIKE", "MACHINE", "MACHINE"]
    assert "Every promise was kept" in files["day.txt"]


def test_a_day_without_an_end_tells_why_and_what_came_last(tmp_path: Path) -> None:
    story = a_day(tmp_path, None, "Traceback: here")["day.txt"]
    assert "Traceback: here" in story
    assert story.rstrip().endswith("MACHINE FaultsOff")


def kept(tmp_path: Path, *, keep_all: bool, digests: tuple[str, str] = ("d", "d"), breaking: bool = False) -> list[str]:
    """Which days left files; the day is run by a fake that gives the first digest, then the second."""
    from supervision.simulation.command import SimulatedDays
    from supervision.simulation.verdict import Recipe

    given = iter(digests)
    breaches = (FakeBreach("flat in time", START, "P7"),) if breaking else ()
    workshop = SimulatedDays(
        recipe=Recipe(scenarios=("storm",), faults="all"), storm_ns=None, out=tmp_path, keep_all=keep_all
    )
    run = workshop._keeping(lambda day, diary=None: FakeFacts(breaches=breaches, digest=next(given)), tmp_path)
    run(Day("storm", 17))
    return sorted(path.name for path in tmp_path.iterdir())


def test_a_failing_day_and_one_run_alone_leave_files_and_a_good_one_does_not(tmp_path: Path) -> None:
    assert kept(tmp_path, keep_all=False) == []
    assert kept(tmp_path, keep_all=False, breaking=True) == ["storm-17"]
    (tmp_path / "alone").mkdir()
    assert kept(tmp_path / "alone", keep_all=True) == ["storm-17"]


def test_a_day_that_is_another_one_when_run_again_is_found_out(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="run again, the day's journal is e, it was d"):
        kept(tmp_path, keep_all=True, digests=("d", "e"))
    assert (tmp_path / "storm-17" / "day.txt").exists()
