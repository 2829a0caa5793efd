"""The command line `arb`. Results go to stdout; everything else to stderr and the logs.

No command prints a traceback for bad input or a missing thing; `--debug` brings it back.
"""

import json
import os
import re
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from actors.messages.session import Command
from config.reader import ConfigErrors, LoadedConfig, load
from kiwoom.market import SECOND
from supervision.client import MachineClient, NoAnswerError
from supervision.running import AlreadyRunningError, RunningMachine, running_machines
from supervision.session import Exit, InputError, StartError

SHIPPED_CONFIG = Path(__file__).resolve().parent.parent / "config" / "config.yaml"

app = typer.Typer(
    name="arb",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Cross-venue arbitrage of Korean shares between KRX and NXT, through Kiwoom or a simulated broker.\n\n"
    "A first run, one minute of a simulated morning:\n\n"
    "    arb run --clock 09:00:25 --duration 60s --arm\n\n"
    "Results go to stdout, everything else to stderr. Exit codes: 0 well and flat, 2 bad input, 3 ended not flat, "
    "4 safe state, 5 could not start, 6 none is running.",
    rich_markup_mode="rich",
)
_out = Console(highlight=False)
_err = Console(stderr=True, highlight=False)


class Mode(Enum):
    PAPER = "paper"
    OBSERVE = "observe"
    REAL = "real"


ConfigArgument = Annotated[
    Path | None, typer.Argument(help="The configuration file; the shipped config/config.yaml if left out.")
]
ScenariosOption = Annotated[
    list[str] | None,
    typer.Option(
        "--scenario",
        metavar="NAME|FILE",
        help="storm if left out; help lists them, incidents is every incident; or a .yaml; may be repeated.",
    ),
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY.PATH=VALUE", help="Override one key; may be repeated.")
]
OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Which running machine, by its run directory.")
]


@app.callback()
def _options(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    context.obj = debug


@app.command()
def check(config: ConfigArgument = None, sets: SetOption = None) -> None:
    """Validate configuration, universe and environment; print every value with where it came from.

    Exit code 0, or 2 with every fault on a line: file:line: key.path: what is wrong, what is allowed.
    """
    from config.check import describe

    loaded = _load(config, sets)
    table = Table("key", "value", "from", box=None, header_style="bold", pad_edge=False)
    for row in describe(loaded):
        table.add_row(row.path, row.value, row.origin)
    _out.print(table, soft_wrap=True)
    for warning in loaded.warnings:
        _err.print(f"warning: {warning}", markup=False)
    _out.print(f"{len(loaded.traded)} symbols to trade, {len(loaded.marketdata_screens)} screens: no faults")


@app.command()
def run(
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="The configuration file.")] = None,
    mode: Annotated[
        Mode | None, typer.Option(help="paper: the simulated broker; observe: no order is sent; else app.mode.")
    ] = None,
    scenario: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="calm, busy, dislocations, quiet-nxt, or a .yaml file.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The seed of the simulated market; else paper.seed.", min=0)] = None,
    clock: Annotated[
        str, typer.Option(metavar="real|HH:MM:SS", help="Start the simulated market's day at this time, now.")
    ] = "real",
    duration: Annotated[
        str | None, typer.Option(metavar="60s|5m|1h", help="End after this time; else at the end of the window.")
    ] = None,
    arm: Annotated[bool, typer.Option("--arm", help="Arm as soon as arming is allowed.")] = False,
    headless: Annotated[
        bool, typer.Option("--headless", help="Without the desk window (which is not built yet).")
    ] = True,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Where the run's files go.")] = None,
    sets: SetOption = None,
) -> None:
    """Start the machine and run to the end of the window, of the duration, or Ctrl-C (disarms, flattens, reports).

    Without --arm it watches until somebody arms it; --mode observe never sends an order. Each run needs a directory
    of its own (--out); without it, a new one under persistence.reports_dir.

    Exit codes: 0 flat, 2 bad input, 3 ended not flat, 4 safe state, 5 could not start.

    Examples:

        arb run --clock 09:00:25 --duration 60s --arm

        arb run --scenario busy --seed 7 --clock 09:00:25 --duration 5m --arm --out runs/busy-7

        arb run --mode observe --clock 10:00:00 --duration 30s --set spread_engine.cooldown_ms=0
    """
    from supervision.run import RunOptions, run_machine

    del headless
    options = [*(sets or [])]
    if mode is not None:
        options.append(f"app.mode={mode.value}")
    if scenario is not None:
        options.append(f"paper.scenario={scenario}")
    if seed is not None:
        options.append(f"paper.seed={seed}")
    loaded = _load(config, options)
    code = run_machine(
        RunOptions(
            loaded=loaded,
            clock_ns=_parse_clock(clock),
            duration_ns=_parse_duration(duration),
            arm=arm,
            directory=out,
        )
    )
    raise typer.Exit(int(code))


@app.command()
def status(out: OutOption = None, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show the running machine. Exit code 6 if none is running."""
    machine = _find(out)
    with MachineClient(machine.admin_port) as client:
        answer = client.status()
    content = {**asdict(machine), **_plain(asdict(answer))}
    if as_json:
        _out.print_json(json.dumps(content, ensure_ascii=False))
        return
    trading, figures = answer.trading, answer.figures
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("machine", f"{machine.mode}, {answer.stage}, {machine.directory}")
    table.add_row("trading", "armed" if trading and trading.armed else f"disarmed: {trading.reason if trading else ''}")
    down = [f"{actor.name}[{actor.index}]" for actor in answer.actors if not actor.up]
    table.add_row("actors", f"{len(answer.actors)} up" if not down else f"down: {', '.join(down)}")
    if figures is not None:
        table.add_row("pairs", f"{figures.pairs_done} done, {figures.pairs_live} live, {figures.unhedged} unhedged")
        table.add_row("orders", f"{figures.orders} sent, window {figures.window_used}/{figures.window_limit}")
        table.add_row("net", f"{figures.net_won:+,} won")
    if answer.problem:
        table.add_row("problem", answer.problem)
    _out.print(table, soft_wrap=True)


@app.command()
def stop(out: OutOption = None) -> None:
    """Disarm the running machine; it finishes its pairs, reports and ends. Exit code 6 if none is running."""
    _command(out, Command.STOP, "stopping: no new pairs; live pairs finish")


@app.command()
def flatten(out: OutOption = None) -> None:
    """Disarm, cancel our resting orders, close our pairs' imbalances, nothing else. Exit code 6 if none is running."""
    _command(out, Command.FLATTEN, "flattening: our resting orders are cancelled, our pairs closed")


@app.command()
def simulate(
    scenarios: ScenariosOption = None,
    seeds: Annotated[str, typer.Option(metavar="A..B", help="One day for each seed, both ends included.")] = "1..100",
    faults: Annotated[
        str, typer.Option(metavar="none|NAME|all", help="What goes wrong; --faults help lists the names.")
    ] = "all",
    jobs: Annotated[
        int | None, typer.Option(help="Processes; as many as there are cores if left out.", min=1, max=60)
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write simulate.json and the files of failing days.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="The configuration file; else every default.")
    ] = None,
    sets: SetOption = None,
    storm: Annotated[
        str | None, typer.Option(metavar="32s|1m", help="How long faults strike on each day; 32s if left out.")
    ] = None,
    digests: Annotated[
        bool, typer.Option("--digests", help="Print `SEED DIGEST` of each journal; all other words go to stderr.")
    ] = False,
) -> None:
    """Run the real actors on virtual time against a broker that misbehaves, and check every promise after every step.

    A day is one seed. The seed decides everything: the market, the delays, the faults, and the settings that you left
    at their default (without --config nearly all; what stands in the file or after --set is tried as it is). For
    32 s the faults strike; then they stop, the machine is told to stop or to flatten, and it must be flat in time.
    Same seed, same day, to the last byte of its journal.

    Faults are the broker's (late or missing order numbers, repeated or reordered reports, rejects, lost lines, halts)
    and the machine's (actors killed or hung, the machine killed, its journal torn, messages late, clocks stepped).

    A failing day is one line with the command that repeats it. With --out, each failing day (and a day that is run
    alone) leaves its journal.db, broker_ledger.csv, strikes.txt and day.txt, which tells what led to the breach.

    Exit codes: 0 held, 1 a promise was broken (or, with 2,000 days of all faults or more, a row of the pair table was
    taken less than 10 times per 2,000), 2 bad input, 5 could not start, 130 interrupted.

    Examples:

        arb simulate --seeds 1..2000 --jobs 2 --out simulated

        arb simulate --seeds 17..17 --out simulated

        arb simulate --config my.yaml --set execution.t_hedge_ms=600

        arb simulate --faults none --scenario calm --scenario busy
    """
    from supervision.simulation.command import SCENARIO, SimulateOptions
    from supervision.simulation.command import simulate as run_simulation

    options = SimulateOptions(
        seeds=seeds,
        scenarios=tuple(scenarios or [SCENARIO]),
        faults=faults,
        jobs=jobs,
        out=out,
        config=config,
        sets=tuple(sets or []),
        storm=storm,
        storm_ns=_parse_duration(storm, "--storm"),
        digests=digests,
    )
    raise typer.Exit(int(run_simulation(options)))


def _command(out: Path | None, command: Command, words: str) -> None:
    machine = _find(out)
    with MachineClient(machine.admin_port) as client:
        client.operate(command)
        client.status()
    _out.print(f"{words} ({machine.directory})")


def _find(out: Path | None) -> RunningMachine:
    machines = running_machines()
    if out is not None:
        wanted = out.resolve()
        machines = [machine for machine in machines if Path(machine.directory) == wanted]
    if not machines:
        _err.print("no machine is running" + (f" in {out}" if out else "") + "; start one with `arb run`")
        raise typer.Exit(Exit.NONE_RUNNING)
    if len(machines) > 1:
        listed = ", ".join(machine.directory for machine in machines)
        raise InputError(f"--out: {len(machines)} machines run; say which: {listed}")
    return machines[0]


def _load(path: Path | None, sets: list[str] | None) -> LoadedConfig:
    return load(path if path is not None else SHIPPED_CONFIG, sets or [], os.environ)


def _parse_clock(text: str) -> int | None:
    """Nanoseconds since midnight, or None for the real clock. Raises InputError."""
    if text == "real":
        return None
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", text)
    if match is None:
        raise InputError(f"--clock: {text!r} is no time; allowed: real, or HH:MM:SS such as 09:00:25")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return (hours * 3_600 + minutes * 60 + seconds) * SECOND


def _parse_duration(text: str | None, option: str = "--duration") -> int | None:
    """Nanoseconds. Raises InputError."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,6})(s|m|h)", text)
    if match is None or not int(match[1]):
        raise InputError(f"{option}: {text!r} is no duration; allowed: a whole number with s, m or h, such as 60s")
    return int(match[1]) * {"s": 1, "m": 60, "h": 3_600}[match[2]] * SECOND


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value


def main() -> None:
    """Run the command line; every expected failure becomes a line on stderr and an exit code."""
    if sys.flags.optimize:
        _err.print("assertions guard the money: do not start this with python -O or PYTHONOPTIMIZE")
        sys.exit(Exit.COULD_NOT_START)
    debug = "--debug" in sys.argv[1:]
    sys.exit(_guarded(lambda: app(standalone_mode=False), debug))


def _guarded(body: Callable[[], Any], debug: bool) -> int:
    try:
        result = body()
    except ConfigErrors as fault:
        return _say(list(fault.lines), Exit.BAD_INPUT)
    except InputError as fault:
        return _say([str(fault)], Exit.BAD_INPUT)
    except (AlreadyRunningError, StartError, NoAnswerError) as fault:
        return _say([str(fault)], Exit.COULD_NOT_START)
    except typer.Exit as ending:
        return ending.exit_code
    except KeyboardInterrupt:
        return _say(["interrupted"], Exit.COULD_NOT_START)
    except Exception as fault:
        shown = getattr(fault, "show", None)  # wrong options and arguments, in the command line library's own words
        if shown is not None:
            shown()
            return Exit.BAD_INPUT
        if debug:
            traceback.print_exc()
        return _say([f"{type(fault).__name__}: {fault} (arb --debug shows where)"], Exit.COULD_NOT_START)
    return result if isinstance(result, int) else 0


def _say(lines: list[str], code: int) -> int:
    for line in lines:
        _err.print(line, markup=False, soft_wrap=True)
    return int(code)
