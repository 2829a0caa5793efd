"""`arb run`, whole: from a validated configuration to results on disk and an exit code.

Paper and observe mode are the same run with the simulated broker; observe never sends an order.
"""

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
from supervision.broker_process import BrokerFiles, BrokerProcess, check_setup, setup_of, tax_rates
from supervision.cast import RunIdentity, cast_of, supervision_settings
from supervision.cast_simulated import BrokerAddress, SimulatedGateway
from supervision.child import Launch
from supervision.lifeline_server import LifelineServer
from supervision.results import Ending, print_results, program_version, write_results
from supervision.running import RunningMachine, SingleInstance
from supervision.salvage import salvage
from supervision.session import Exit, InputError, Interrupts, RunPlan, Session, StartError, SupervisorLostError
from supervision.status_line import StatusLine
from supervision.system import end_system, free_port, refuse_taken_port, start_system

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
    """Run to the end. Raises InputError, StartError or AlreadyRunningError before anything is left behind."""
    config = options.loaded.config
    if config.app.mode == "real":
        raise StartError("real mode needs Kiwoom's control on Windows, which this version does not drive yet")
    started_wall = time.time_ns()
    offset = 0 if options.clock_ns is None else midnight(started_wall) + options.clock_ns - started_wall
    directory = (options.directory or _new_directory(options.loaded.reports_dir, started_wall)).resolve()
    day = seoul_date(started_wall + offset)
    ending = Ending(directory, options.loaded, day, iso_kst(started_wall + offset), offset)
    files = BrokerFiles.within(directory)
    setup = setup_of(options.loaded, files, offset, tax_rates(options.loaded, day))
    check_setup(setup, started_wall + offset)
    metrics_port = metrics_port_of(options.loaded)
    _make(directory)
    with ExitStack() as stack:
        instance = stack.enter_context(SingleInstance(directory, None))
        if (directory / "journal.db").exists():
            raise InputError(
                f"--out: {directory} holds an earlier run, which a new broker knows nothing of; choose another"
            )
        interrupts = stack.enter_context(Interrupts())
        broker = stack.enter_context(BrokerProcess(setup, files))
        lifeline = LifelineServer()
        stack.callback(lifeline.close)
        admin_port = free_port()
        system = start_system(admin_port, directory / "logs")
        stack.callback(end_system, system)
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
            metrics_port=metrics_port,
            version=program_version(),
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
            line.say(f"metrics at http://{config.telemetry.prometheus.host}:{metrics_port}/metrics")
            session = Session(system, plan, line, interrupts)
            try:
                session.run()
            except SupervisorLostError as fault:
                line.say(f"SAFE STATE: {fault}; ending everything")
                assert session.last is not None
                salvage(session.last, directory / "journal.db", line)
                ending.safe_state = True
        ending.last = session.last
        ending.safe_state |= session.safe_state
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


def metrics_port_of(loaded: LoadedConfig) -> int:
    """Where /metrics will be served: the port of the configuration, or a free one. Raises StartError if it is taken."""
    prometheus = loaded.config.telemetry.prometheus
    if not prometheus.port:
        return free_port()
    try:
        refuse_taken_port(prometheus.port, prometheus.host)
    except OSError as fault:
        raise StartError(
            f"telemetry.prometheus: {prometheus.host}:{prometheus.port} cannot be used: {fault.strerror or fault}; "
            "choose another with --set telemetry.prometheus.port=9109 (0 takes a free one)"
        ) from fault
    return prometheus.port


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / ".lock").touch()
    except OSError as fault:
        raise InputError(f"--out: {directory} cannot be written: {fault.strerror}; choose another") from fault


def _run_tag(wall: int) -> str:
    """Seconds since the epoch in base 36: begins every id of the run, and two runs of a journal never share it."""
    digits, rest = "", wall // 1_000_000_000
    while rest:
        rest, digit = divmod(rest, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits


def _announcement(admin_port: int, mode: str, directory: Path, started: str) -> RunningMachine:
    return RunningMachine(os.getpid(), admin_port, mode, str(directory), started)
