"""`arb run`, whole: from a validated configuration to results on disk and an exit code."""

import os
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

from actors.journal import iso_kst
from actors.messages.supervision import ClockSettings
from config.reader import LoadedConfig
from kiwoom.market import KST_OFFSET, midnight
from supervision.broker_process import BrokerFiles, BrokerProcess, setup_of, tax_rates
from supervision.cast import RunIdentity, cast_of, supervision_settings
from supervision.cast_simulated import BrokerAddress, SimulatedGateway
from supervision.child import Launch
from supervision.lifeline_server import LifelineServer
from supervision.results import Ending, print_results, write_results
from supervision.running import RunningMachine, SingleInstance
from supervision.session import Exit, Interrupts, RunPlan, Session, StartError
from supervision.status_line import StatusLine
from supervision.system import free_port, start_system

_SEOUL = timezone(timedelta(microseconds=KST_OFFSET // 1_000))


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The command line of `arb run`, checked. `clock_ns` None = the real clock; `directory` None = a new one."""

    loaded: LoadedConfig
    clock_ns: int | None
    duration_ns: int | None
    arm: bool
    directory: Path | None


def run_machine(options: RunOptions) -> Exit:
    """Run to the end. Raises StartError, AlreadyRunningError or OSError's kin before anything is left behind."""
    config = options.loaded.config
    if config.app.mode == "real":
        raise StartError("real mode needs Kiwoom's control on Windows, which this version does not drive yet")
    started_wall = time.time_ns()
    offset = 0 if options.clock_ns is None else midnight(started_wall) + options.clock_ns - started_wall
    directory = options.directory or _new_directory(options.loaded.reports_dir, started_wall)
    directory = directory.resolve()
    _make(directory)
    day = seoul_date(started_wall + offset)
    ending = Ending(directory, options.loaded, day, iso_kst(started_wall + offset), offset)
    with ExitStack() as stack:
        instance = stack.enter_context(SingleInstance(directory, None))
        interrupts = stack.enter_context(Interrupts())
        files = BrokerFiles.within(directory)
        setup = setup_of(options.loaded, files, offset, tax_rates(options.loaded, day))
        broker = stack.enter_context(BrokerProcess(setup, files))
        lifeline = LifelineServer()
        stack.callback(lifeline.close)
        admin_port = free_port()
        system = start_system(admin_port, directory / "logs")
        stack.callback(system.shutdown)
        instance.announce(_announcement(admin_port, config.app.mode, directory, ending.started))
        identity = RunIdentity(
            mode=config.app.mode,
            day=day,
            run_tag=_run_tag(started_wall),
            journal_path=directory / "journal.db",
            arm=options.arm,
            register_feeds=True,
            gateway_class=SimulatedGateway,
            control=BrokerAddress(broker.port),
            servers=("simulated",),
        )
        launch = Launch(
            cast_of(options.loaded, identity),
            supervision_settings(config),
            ClockSettings(offset),
            lifeline.port,
            admin_port,
        )
        plan = RunPlan(launch, options.duration_ns, _end_wall(started_wall + offset, options.loaded, day))
        with StatusLine() as line:
            line.say(f"{config.app.mode} run in {directory}")
            session = Session(system, plan, line, interrupts)
            session.run()
        ending.last, ending.safe_state = session.last, session.safe_state
    ending.broker_summary = broker.stop()
    results = write_results(ending)
    print_results(results)
    return results.code


def seoul_date(wall: int) -> date:
    return datetime.fromtimestamp(wall // 1_000_000_000, _SEOUL).date()


def _end_wall(wall: int, loaded: LoadedConfig, day: date) -> int:
    """The instant by which every pair is flat; a run started after it ends only by its duration or by hand."""
    end = midnight(wall) + loaded.config.nxt_main_window(day)[1]
    return end if end > wall else end + 24 * 3_600 * 1_000_000_000


def _new_directory(reports: Path, wall: int) -> Path:
    moment = datetime.fromtimestamp(wall // 1_000_000_000, _SEOUL)
    return reports / f"{moment:%Y-%m-%d}" / f"{moment:%H%M%S}"


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / ".lock").touch()
    except OSError as fault:
        raise StartError(f"{directory}: cannot be written: {fault.strerror}; choose another with --out") from fault


def _run_tag(wall: int) -> str:
    """Seconds since the epoch in base 36: begins every id of the run, and two runs of a journal never share it."""
    digits, rest = "", wall // 1_000_000_000
    while rest:
        rest, digit = divmod(rest, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits


def _announcement(admin_port: int, mode: str, directory: Path, started: str) -> RunningMachine:
    return RunningMachine(os.getpid(), admin_port, mode, str(directory), started)
