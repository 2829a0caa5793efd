"""Many days over processes: in order, each once, and the campaign outlives its workers."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from supervision.session import InputError, StartError
from supervision.simulation.campaign import Campaign, Day, Finished, Lost, Report
from tests.support.simulated_days import FakeDays


class Heard:
    """Everything a campaign said."""

    def __init__(self) -> None:
        self.arrived: list[int] = []
        self.reports: list[Report] = []

    @property
    def seeds(self) -> list[int]:
        return [report.day.seed for report in self.reports]

    def lost(self) -> dict[int, str]:
        return {report.day.seed: report.why for report in self.reports if isinstance(report, Lost)}


def run(
    workshop: FakeDays,
    count: int,
    jobs: int = 2,
    interrupted: Callable[[Heard], bool] = lambda _: False,
    limit_s: float = 60,
) -> tuple[bool, Heard, Campaign]:
    heard = Heard()
    campaign = Campaign(
        [Day("storm", seed) for seed in range(1, count + 1)],
        workshop,
        jobs,
        on_arrival=lambda report: heard.arrived.append(report.day.seed),
        on_report=heard.reports.append,
        interrupted=lambda: interrupted(heard),
        day_limit_s=limit_s,
    )
    return campaign.run(), heard, campaign


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def workers_of(directory: Path) -> list[int]:
    return [int(path.name.removeprefix("worker-")) for path in directory.iterdir()]


def test_reports_come_in_the_order_of_the_days_whatever_finishes_first() -> None:
    finished, heard, _ = run(FakeDays(slow=(1,)), 8)
    assert finished
    assert heard.seeds == list(range(1, 9))
    assert sorted(heard.arrived) == heard.seeds
    assert heard.arrived != heard.seeds, "the slow first day arrived before the others: nothing was put in order"
    assert all(isinstance(report, Finished) and report.wall_ns > 0 for report in heard.reports)


def test_there_are_no_more_workers_than_days(tmp_path: Path) -> None:
    run(FakeDays(slow=(1, 2), opened=tmp_path), 2, jobs=4)
    assert 1 <= len(workers_of(tmp_path)) <= 2


def test_a_day_that_raises_is_lost_with_its_place_and_the_worker_goes_on(tmp_path: Path) -> None:
    _, heard, _ = run(FakeDays(raising=(2,), opened=tmp_path), 4, jobs=1)
    assert heard.seeds == [1, 2, 3, 4]
    assert heard.lost().keys() == {2}
    assert heard.lost()[2].startswith("ZeroDivisionError: of nothing (simulated_days.py:")
    assert len(workers_of(tmp_path)) == 1


def test_a_worker_that_dies_costs_its_day_and_is_replaced(tmp_path: Path) -> None:
    _, heard, _ = run(FakeDays(dying=(2, 5), opened=tmp_path), 6, jobs=1)
    assert heard.seeds == [1, 2, 3, 4, 5, 6]
    assert heard.lost() == dict.fromkeys((2, 5), "its worker process ended with exit code 3")
    assert len(workers_of(tmp_path)) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_worker_that_is_killed_is_told_with_its_signal() -> None:
    _, heard, _ = run(FakeDays(killed=(1,)), 2)
    assert heard.lost() == {1: "its worker process died of signal 9 (SIGKILL)"}


def test_a_day_without_end_is_ended_and_the_others_run() -> None:
    _, heard, _ = run(FakeDays(hanging=(1,)), 4, limit_s=2)
    assert heard.seeds == [1, 2, 3, 4]
    assert heard.lost() == {1: "no end after 2 s of real time"}


def test_settings_that_do_not_go_with_a_day_are_bad_input() -> None:
    with pytest.raises(InputError, match=r"seed 2 tries other settings.*slice_qty: must be at most 1"):
        run(FakeDays(refusing=(2,)), 3, jobs=1)


def test_a_workshop_that_does_not_open_is_told_in_its_words() -> None:
    with pytest.raises(StartError, match="FileNotFoundError: no such scenario"):
        run(FakeDays(broken_workshop=True), 3)


def test_workers_that_end_before_their_first_day_end_the_campaign() -> None:
    with pytest.raises(StartError, match="end before their first day: its worker process ended with exit code 9"):
        run(FakeDays(stillborn=True), 3, jobs=1)


@pytest.mark.skipif(sys.platform == "win32", reason="looks for processes as POSIX has them")
def test_an_interruption_ends_at_once_reports_what_arrived_and_leaves_no_process(tmp_path: Path) -> None:
    began = time.monotonic()
    finished, heard, _ = run(
        FakeDays(hanging=(1, 4), opened=tmp_path), 9, interrupted=lambda heard: len(heard.arrived) >= 2
    )
    assert not finished
    assert heard.seeds == [2, 3], "days after the hanging first one had arrived and must be reported"
    assert time.monotonic() - began < 30
    workers = workers_of(tmp_path)
    assert len(workers) == 2
    assert [pid for pid in workers if is_running(pid)] == []
