"""Bad input and a missing thing: one clear line each, the agreed exit code, no traceback, nothing started or left."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from supervision import launcher

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "config" / "config.yaml"
BAD_INPUT, COULD_NOT_START, NONE_RUNNING = 2, 5, 6


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ARB_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def port() -> Iterator[int]:
    """A port that somebody else uses."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def arb(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the command line, in this process; an actor system would be a failure."""
    monkeypatch.setattr(sys, "argv", ["arb", *arguments])
    monkeypatch.setattr("supervision.run.start_system", lambda *_: pytest.fail("an actor system was started"))
    with pytest.raises(SystemExit) as ended:
        launcher.main()
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def config_with(home: Path, universe: str) -> Path:
    """The shipped configuration with another universe."""
    (home / "universe.csv").write_text(universe, encoding="utf-8")
    path = home / "config.yaml"
    path.write_text(SHIPPED.read_text(encoding="utf-8"), encoding="utf-8")
    return path


BAD_OPTIONS = [
    (["--set", "throttling.order_bucket=5"], "throttling.order_bucket: unknown key"),
    (["--set", "execution.t_hedge_ms=soon"], "execution.t_hedge_ms: "),
    (["--set", "nonsense"], "--set: "),
    (["--set", "=5"], "--set: "),
    (["--config", "nowhere.yaml"], "nowhere.yaml: "),
    (["--set", "symbols.universe_file=nowhere.csv"], "nowhere.csv"),
    (["--scenario", "dislocation"], "paper.scenario: "),
    (["--scenario", "nowhere.yaml"], "paper.scenario: "),
    (["--set", "paper.latency={ack: 5}"], "paper.latency.ack: unknown key; did you mean ack_ms?"),
    (["--set", "paper.latency={ack_ms: -5}"], "paper.latency.ack_ms: must be 0..600000"),
    (["--set", "paper.faults={order_lots: 5}"], "paper.faults.order_lots: unknown key; did you mean order_lost?"),
    (["--set", "paper.faults={order_lost: much}"], "paper.faults.order_lost: 'much' is not int"),
    (["--set", "paper.broker={ioc_end: never}"], "paper.broker.ioc_end: must be clear, confirm or nothing"),
    (["--clock", "25:99"], "--clock: '25:99' is no time; allowed: real, or HH:MM:SS"),
    (["--duration", "0s"], "--duration: '0s' is no duration; allowed: "),
    (["--duration", "abc"], "--duration: 'abc' is no duration; allowed: "),
    (["--mode", "real"], "kiwoom.account: "),
]


@pytest.mark.parametrize(
    ("options", "words"), BAD_OPTIONS, ids=lambda value: "" if isinstance(value, str) else value[1]
)
def test_bad_input_is_one_line_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    home: Path,
    options: list[str],
    words: str,
) -> None:
    code, out, err = arb(monkeypatch, capsys, "run", "--out", str(home / "run"), *options)
    assert (code, out) == (BAD_INPUT, "")
    assert words in err
    assert len(err.splitlines()) == 1, err
    assert not (home / "run").exists()


@pytest.mark.parametrize("options", [["--seed", "x"], ["--seed", "-1"], ["--mode", "papr"], ["--nope"]], ids=str)
def test_a_wrong_option_is_told_with_the_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path, options: list[str]
) -> None:
    code, out, err = arb(monkeypatch, capsys, "run", "--out", str(home / "run"), *options)
    assert (code, out) == (BAD_INPUT, "")
    assert options[0] in err
    assert "Traceback" not in err
    assert not (home / "run").exists()


def test_an_unknown_scenario_is_told_with_the_known_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    _, _, err = arb(monkeypatch, capsys, "run", "--out", str(home / "run"), "--scenario", "stormy")
    for path in (ROOT / "config" / "scenarios").glob("*.yaml"):
        assert path.stem in err


def test_a_bad_scenario_file_is_told_in_the_brokers_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    scenario = home / "mine.yaml"
    scenario.write_text("no_such_section: {}\n", encoding="utf-8")
    code, _, err = arb(monkeypatch, capsys, "run", "--out", str(home / "run"), "--scenario", str(scenario))
    assert code == BAD_INPUT
    assert "no_such_section" in err and "mine.yaml" in err
    assert len(err.splitlines()) == 1
    assert not (home / "run").exists()


@pytest.mark.parametrize(
    ("universe", "words"),
    [
        ("code,name,market\n005930,a,KOSPI\n005930,b,KOSPI\n", "universe.csv:3"),
        ("code,name,market\n5930,a,KOSPI\n", "universe.csv:2"),
        ("code,name,market\n005930,a,NASDAQ\n", "universe.csv:2"),
        ("code,name,market\n", "universe.csv"),
    ],
)
def test_a_bad_universe_is_told_with_its_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path, universe: str, words: str
) -> None:
    config = config_with(home, universe)
    code, _, err = arb(monkeypatch, capsys, "run", "--config", str(config), "--out", str(home / "run"))
    assert code == BAD_INPUT
    assert words in err
    assert "Traceback" not in err
    assert not (home / "run").exists()


def test_a_directory_that_cannot_be_written_is_bad_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    (home / "file").write_text("", encoding="utf-8")
    options = ("--set", "telemetry.prometheus.port=0", "--out", str(home / "file" / "run"))
    code, _, err = arb(monkeypatch, capsys, "run", *options)
    assert code == BAD_INPUT
    assert err.startswith("--out: ") and "cannot be written" in err
    assert len(err.splitlines()) == 1


def test_a_directory_with_an_earlier_run_is_refused_and_left_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    (home / "run").mkdir()
    (home / "run" / "journal.db").write_text("kept", encoding="utf-8")
    options = ("--set", "telemetry.prometheus.port=0", "--out", str(home / "run"))
    code, _, err = arb(monkeypatch, capsys, "run", *options)
    assert code == BAD_INPUT
    assert "holds an earlier run" in err
    assert (home / "run" / "journal.db").read_text(encoding="utf-8") == "kept"
    assert not (home / "run" / "broker_setup.json").exists()


def test_a_second_machine_in_the_same_directory_does_not_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    (home / "run").mkdir()
    options = ("--set", "telemetry.prometheus.port=0", "--out", str(home / "run"))
    with FileLock(home / "run" / ".lock"):
        code, _, err = arb(monkeypatch, capsys, "run", *options)
    assert code == COULD_NOT_START
    assert "belongs to a running machine" in err and "arb status" in err
    assert len(err.splitlines()) == 1


def test_a_taken_metrics_port_is_told_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path, port: int
) -> None:
    options = ("--set", f"telemetry.prometheus.port={port}", "--out", str(home / "run"))
    code, _, err = arb(monkeypatch, capsys, "run", *options)
    assert code == COULD_NOT_START
    assert f"127.0.0.1:{port}" in err and "--set telemetry.prometheus.port=" in err
    assert len(err.splitlines()) == 1
    assert not (home / "run").exists()


def test_real_mode_does_not_start_yet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    options = ("--mode", "real", "--set", "kiwoom.account=1234567811", "--out", str(home / "run"))
    code, _, err = arb(monkeypatch, capsys, "run", *options)
    assert code == COULD_NOT_START
    assert err.startswith("real mode needs")
    assert len(err.splitlines()) == 1


def test_no_assertion_no_start(home: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-O", "-m", "supervision", "run", "--out", str(home / "run")],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (ended.returncode, ended.stdout) == (COULD_NOT_START, "")
    assert "python -O" in ended.stderr
    assert not (home / "run").exists()


@pytest.mark.parametrize("command", ["status", "stop", "flatten"])
def test_without_a_running_machine_they_say_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    code, out, err = arb(monkeypatch, capsys, command)
    assert (code, out) == (NONE_RUNNING, "")
    assert err == "no machine is running; start one with `arb run`\n"


def test_help_teaches_examples_and_exit_codes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (("--help",), ("run", "--help")):
        code, out, _ = arb(monkeypatch, capsys, *arguments)
        assert code == 0
        assert "arb run --clock 09:00:25" in out
        assert "Exit codes: 0" in out
