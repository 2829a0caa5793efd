"""`arb simulate` from outside: bad input, output, files, exit codes; the real day at the end."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from supervision import launcher
from supervision.session import Exit
from supervision.simulation.campaign import Day
from supervision.simulation.command import SimulateOptions, directory_name, parse_seeds, run_campaign
from supervision.simulation.verdict import Recipe
from tests.support.real_run import all_pids
from tests.support.simulated_days import FakeDays

ROOT = Path(__file__).parents[3]
OPTIONS = SimulateOptions(
    seeds="1..4",
    scenarios=("storm",),
    faults="all",
    jobs=2,
    out=None,
    config=None,
    sets=(),
    storm=None,
    storm_ns=None,
    digests=False,
)


def _day_is_there() -> bool:
    try:
        import supervision.simulation.day  # noqa: F401
    except ImportError:
        return False
    return True


needs_the_day = pytest.mark.skipif(not _day_is_there(), reason="the simulated day does not import")
needs_faults = pytest.mark.skipif(
    importlib.util.find_spec("kiwoom.simulated.fault_sets") is None, reason="there are no fault sets"
)


def arb(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["arb", "simulate", *arguments])
    with pytest.raises(SystemExit) as ended:
        launcher.main()
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def campaign(
    capsys: pytest.CaptureFixture[str], days: FakeDays, options: SimulateOptions = OPTIONS
) -> tuple[Exit, list[str], str]:
    code = run_campaign(options, [Day("storm", seed) for seed in parse_seeds(options.seeds)], days)
    said = capsys.readouterr()
    return code, said.out.splitlines(), said.err


# --- bad input --------------------------------------------------------------------------------------------------------

BAD_INPUT = [
    (["--seeds", "5..1"], "--seeds: '5..1' is empty; allowed: "),
    (["--seeds", "a..b"], "--seeds: 'a..b' is no range; allowed: "),
    (["--seeds", "1..-3"], "--seeds: '1..-3' is no range"),
    (["--seeds", "1..9999999"], "--seeds: '1..9999999' has 9,999,999 seeds; allowed: at most 1,000,000"),
    (["--scenario", "stormy"], "--scenario: 'stormy' is none; did you mean storm? Allowed: "),
    (["--scenario", "nowhere.yaml"], "--scenario: nowhere.yaml: there is no such scenario"),
    (["--scenario", "storm", "--scenario", "storm"], "--scenario: one stands twice"),
    (["--storm", "soon"], "--storm: 'soon' is no duration; allowed: "),
    (["--set", "execution.t_hedge_ms=soon"], "execution.t_hedge_ms: "),
    (["--config", "nowhere.yaml"], "nowhere.yaml: "),
    pytest.param(
        ["--faults", "actor"], "--faults: 'actor' is none; did you mean actors? Allowed: ", marks=needs_faults
    ),
    pytest.param(["--set", "paper.faults={order_lots: 5}"], "did you mean order_lost?", marks=needs_the_day),
]


@pytest.mark.parametrize(("arguments", "words"), BAD_INPUT)
def test_bad_input_is_one_line_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    code, out, err = arb(monkeypatch, capsys, *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert len(err.splitlines()) == 1, err


@pytest.mark.parametrize("arguments", [["--jobs", "0"], ["--jobs", "x"], ["--nope"]], ids=str)
def test_a_wrong_option_is_told_with_the_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    code, out, err = arb(monkeypatch, capsys, *arguments)
    assert (code, out) == (2, "")
    assert arguments[0] in err and "Traceback" not in err


def test_a_faulty_scenario_file_is_told_line_by_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("flow: {qoutes_per_second: 3}\nsesion: {}\n", encoding="utf-8")
    code, _, err = arb(monkeypatch, capsys, "--scenario", str(path))
    assert code == 2
    assert [line.split(":")[2] for line in err.splitlines()] == ["2", "1"] or "mine.yaml:1" in err


def test_the_help_teaches(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = arb(monkeypatch, capsys, "--help")
    assert code == 0
    for words in ("A day is one seed", "--faults help", "arb simulate --seeds 17..17", "Exit codes", "--digests"):
        assert words in " ".join(out.replace("│", " ").split()), words


def test_seeds_are_a_range_with_both_ends_or_one() -> None:
    assert parse_seeds("1..3") == range(1, 4)
    assert parse_seeds("17") == parse_seeds("17..17") == range(17, 18)


# --- what is printed and written --------------------------------------------------------------------------------------


def test_a_campaign_that_holds_says_so_and_exits_0(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = campaign(capsys, FakeDays())
    assert code is Exit.FLAT
    assert out[-1] == "held: every promise was kept on 4 days"
    assert "left open, seed 2: 005930 1 share, NXT closed" in out
    assert "Traceback" not in err


def test_each_failing_seed_is_one_line_in_the_order_of_the_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = campaign(capsys, FakeDays(breaking=(1, 3), slow=(1,), dying=(2,)))
    assert code is Exit.BROKEN
    repeat = "arb simulate --seeds {0}..{0} --faults all --scenario storm"
    assert [line for line in out if line.startswith("seed ")] == [
        f"seed 1: flat in time: pair P1 is open (and 1 more): {repeat.format(1)}",
        f"seed 2: the day ends: its worker process ended with exit code 3: {repeat.format(2)}",
        f"seed 3: flat in time: pair P3 is open (and 1 more): {repeat.format(3)}",
    ]
    assert out[-1] == "BROKEN: 3 of 4 days"


def test_one_seed_alone_tells_all_its_breaches(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = campaign(capsys, FakeDays(breaking=(3,)), replace(OPTIONS, seeds="3..3"))
    assert "also: one end: two (at 8 ns)" in out


def test_digests_are_alone_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, err = campaign(capsys, FakeDays(slow=(1,), breaking=(2,)), replace(OPTIONS, digests=True))
    assert out == [f"{seed} digest-{seed}" for seed in range(1, 5)]
    assert "seed 2: flat in time" in err and "BROKEN: 1 of 4 days" in err


def test_the_figures_are_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    _, out, _ = campaign(capsys, FakeDays(breaking=(2,)), replace(OPTIONS, out=tmp_path))
    content = json.loads((tmp_path / "simulate.json").read_text(encoding="utf-8"))
    assert (content["seeds"], content["exit_code"], content["pairs"]["attempted"]) == ("1..4", 1, 80)
    assert [each["sha256"] for each in content["digests"]] == [f"digest-{seed}" for seed in range(1, 5)]
    assert out[-1] == f"files in {tmp_path}"


def test_a_days_directory_is_named_by_scenario_and_seed() -> None:
    assert directory_name(Day("storm", 17)) == "storm-17"
    assert directory_name(Day("days/mine.yaml", 17)) == "mine-17"


def test_the_recipe_is_what_stood_on_the_command_line() -> None:
    options = replace(OPTIONS, config=Path("a.yaml"), sets=("x.y=1",), storm="5s", storm_ns=5)
    assert options.recipe == Recipe(scenarios=("storm",), faults="all", config="a.yaml", sets=("x.y=1",), storm="5s")


INTERRUPTED = """
from dataclasses import replace
from pathlib import Path
from tests.supervision.simulation.test_simulate import OPTIONS
from tests.support.simulated_days import FakeDays
from supervision.simulation.campaign import Day
from supervision.simulation.command import run_campaign
import sys

if __name__ == "__main__":
    days = FakeDays(hanging=(3, 4), opened=Path(sys.argv[1]))
    sys.exit(int(run_campaign(OPTIONS, [Day("storm", seed) for seed in range(1, 5)], days)))
"""


def living_in_group(group: int) -> list[int]:
    """Processes of a process group that have not ended."""
    found = []
    for pid in all_pids():
        try:
            state, _, its_group = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(its_group) == group and state != "Z":
            found.append(pid)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="Ctrl-C as a terminal on POSIX gives it: to the whole group")
def test_ctrl_c_ends_at_once_with_130_what_is_known_and_no_process_left(tmp_path: Path) -> None:
    script, opened = tmp_path / "script.py", tmp_path / "opened"
    script.write_text(INTERRUPTED, encoding="utf-8")
    opened.mkdir()
    process = subprocess.Popen(
        [sys.executable, str(script), str(opened)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 60
        while len(list(opened.iterdir())) < 2:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        time.sleep(1)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=10)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130, err
    assert out.splitlines()[-1] == "interrupted after 2 of 4 days"
    assert "Traceback" not in err
    deadline = time.monotonic() + 5
    while left := living_in_group(process.pid):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


# --- the real day -----------------------------------------------------------------------------------------------------


@needs_the_day
def test_a_real_day_runs_and_leaves_its_files(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, err = arb(
        monkeypatch, capsys, "--seeds", "1..1", "--faults", "none", "--storm", "5s", "--out", str(tmp_path)
    )
    assert code == 0, out + err
    files = {path.name for path in (tmp_path / "storm-1").iterdir()}
    assert files == {"journal.db", "broker_ledger.csv", "strikes.txt", "day.txt"}
    content = json.loads((tmp_path / "simulate.json").read_text(encoding="utf-8"))
    assert content["pairs"]["attempted"] > 0
    assert len((tmp_path / "storm-1" / "broker_ledger.csv").read_text(encoding="utf-8").splitlines()) > 10


@needs_the_day
def test_every_name_of_faults_is_explained(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from supervision.simulation.faults_by_name import names

    code, out, _ = arb(monkeypatch, capsys, "--faults", "help")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == list(names())
    assert all(len(line.split()) > 1 for line in out.splitlines())
