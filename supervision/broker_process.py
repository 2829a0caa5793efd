"""The simulated broker as a child process of the launcher: its setup file, its start, its end."""

import json
import queue
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from config.reader import SHIPPED, LoadedConfig
from kiwoom.market import Market, Venue
from kiwoom.simulated.setup_file import SetupError, build_broker, read_scenario, setup_from
from supervision.session import InputError, StartError

SCENARIOS = SHIPPED / "scenarios"
READY_S = 30.0
STOP_S = 40.0
"""It serves a client that is still there for 30 s at most."""
PAPER_ACCOUNT = "8012345610"
"""Ten digits with the suffix of a stock account; it exists only inside the simulated broker."""


PAPER_KEYS = ("latency.", "faults.", "broker.", "holdings:", "cash_krw:")
"""What the broker calls as the configuration does, within its section `paper`."""


@dataclass(frozen=True, slots=True)
class BrokerFiles:
    """What the broker reads and writes in the run's directory."""

    setup: Path
    ledger: Path
    summary: Path

    @staticmethod
    def within(directory: Path) -> "BrokerFiles":
        return BrokerFiles(
            directory / "broker_setup.json", directory / "broker_ledger.csv", directory / "broker_summary.json"
        )


def setup_of(loaded: LoadedConfig, files: BrokerFiles, wall_offset_ns: int, tax_ppb: dict[str, int]) -> dict[str, Any]:
    """The broker's setup. It is told rates as plain numbers and computes with code of its own."""
    config = loaded.config
    return {
        "scenario": str(loaded.scenario_path),
        "listings": [
            {
                "symbol": entry.symbol,
                "name": entry.name,
                "market": entry.market.value,
                "base_price": 0,
                "nxt": True,
            }
            for entry in loaded.traded
        ],
        "seed": config.paper.seed,
        "account": config.kiwoom.account or PAPER_ACCOUNT,
        "cash_krw": config.paper.cash_krw,
        "holdings": {str(symbol): int(qty) for symbol, qty in loaded.paper_holdings.items()},
        "fee_ppb": {venue.value: config.fees.ppb(venue) for venue in Venue},
        "tax_ppb": tax_ppb,
        "commission_unit_won": config.fees.round_down_to_krw.commission,
        "tax_unit_won": config.fees.round_down_to_krw.tax,
        "ledger": str(files.ledger),
        "summary": str(files.summary),
        "wall_offset_ns": wall_offset_ns,
        "latency": dict(config.paper.latency),
        "faults": dict(config.paper.faults),
        "broker": dict(config.paper.broker),
    }


def check_setup(setup: dict[str, Any], start_wall: int) -> None:
    """Build the broker once for trial, so that what is wrong with it is known before anything starts.

    Raises InputError with the broker's own words.
    """
    path = Path(setup["scenario"])
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in SCENARIOS.glob("*.yaml")))
        raise InputError(f"paper.scenario: {path} is no file; allowed: {known}, or the path of a .yaml file")
    try:
        checked = setup_from(setup)
        build_broker(checked, read_scenario(checked), start_wall)
    except SetupError as fault:
        words = str(fault)
        raise InputError(f"paper.{words}" if words.startswith(PAPER_KEYS) else words) from fault


def tax_rates(loaded: LoadedConfig, day: Any) -> dict[str, int]:
    return {market.value: loaded.config.tax_ppb(market, day) for market in Market}


class BrokerProcess:
    """A running broker. Use as a context: leaving it ends the process, in order if it can.

    Raises StartError with the broker's own words if it does not come up.
    """

    def __init__(self, setup: dict[str, Any], files: BrokerFiles) -> None:
        files.setup.write_text(json.dumps(setup, ensure_ascii=False, indent=2), encoding="utf-8")
        self._files = files
        self._process = subprocess.Popen(
            [sys.executable, "-m", "kiwoom.simulated", str(files.setup), "--exit-on-stdin-eof"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        self.port = self._await_port()

    def __enter__(self) -> "BrokerProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> dict[str, Any]:
        """End it (its standard input closes) and return its summary; empty if it left none."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        try:
            summary: dict[str, Any] = json.loads(self._files.summary.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return summary

    def _await_port(self) -> int:
        lines: queue.Queue[str] = queue.Queue()
        stdout = self._process.stdout
        assert stdout is not None
        threading.Thread(target=lambda: lines.put(stdout.readline()), daemon=True).start()
        try:
            line = lines.get(timeout=READY_S)
        except queue.Empty:
            line = ""
        word, _, port = line.strip().partition(" ")
        if word == "listening" and port.isdigit():
            return int(port)
        self._process.kill()
        assert self._process.stderr is not None
        words = self._process.stderr.read().strip().splitlines()
        raise StartError(f"the simulated broker did not start: {words[-1] if words else 'no reason given'}")
