"""What a run leaves behind: run.json, report.json, events.csv, and a summary on stdout for whoever started it."""

from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.console import Console

from actors.clock import HostClock
from actors.domain.tally import DayTally
from actors.effects import Role
from actors.journal import iso_kst, read_events, row_of
from actors.messages.supervision import MachineStatus
from config.reader import LoadedConfig
from dashboards.report.audit import Finding, audit
from dashboards.report.files import read_session, write_events_csv, write_json, write_report
from dashboards.report.session import order_counts, pair_counts
from supervision.session import Exit


@dataclass(slots=True)
class Ending:
    """What is known of a run beside its journal."""

    directory: Path
    loaded: LoadedConfig
    day: date
    started: str
    wall_offset_ns: int
    last: MachineStatus | None = None
    safe_state: bool = False
    broker_summary: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Results:
    code: Exit
    report: dict[str, Any]
    quotes: dict[str, Any]
    findings: tuple[Finding, ...]
    directory: Path


def program_version() -> str:
    """The installed version of the project, or "unknown" when it runs uninstalled."""
    try:
        return version("krx-nxt-arb")
    except PackageNotFoundError:
        return "unknown"


def pairs_open_in(journal: Path) -> int:
    """How many admitted pairs the journal shows without an end, now."""
    day = DayTally()
    for event in read_events(journal):
        day.add(row_of(event))
    return day.live


def write_results(ending: Ending) -> Results:
    """Write the result files of the run directory; the exit code follows from the journal and the broker's ledger."""
    config = ending.loaded.config
    session = read_session(ending.directory)
    write_events_csv(ending.directory)
    content = write_report(ending.directory, session, config.orders_per_sec)
    guard = tuple(_clock_words(ns) for ns in config.guard_window(ending.day))
    findings = (
        audit(session.ledger, session.rows, config.orders_per_sec, (guard[0], guard[1])) if session.ledger else ()
    )
    code = _exit_code(ending, session.day, findings)
    quotes = _quotes(ending)
    write_json(
        ending.directory / "run.json",
        {
            "version": program_version(),
            "mode": config.app.mode,
            "deployment": "isolated",
            "config_sha256": ending.loaded.sha256,
            "seed": config.paper.seed,
            "scenario": config.paper.scenario,
            "started": ending.started,
            "ended": iso_kst(HostClock(ending.wall_offset_ns).now().wall),
            "exit_code": int(code),
            "quotes": quotes,
            "orders": order_counts(session.day),
            "pairs": pair_counts(session.day),
            "audit": [{"promise": f.promise, "kept": f.kept, "detail": f.detail} for f in findings],
        },
    )
    return Results(code, content, quotes, findings, ending.directory)


def _exit_code(ending: Ending, day: DayTally, findings: tuple[Finding, ...]) -> Exit:
    if ending.safe_state:
        return Exit.SAFE_STATE
    if day.open_qty or any(finding.promise.startswith("flat") and not finding.kept for finding in findings):
        return Exit.NOT_FLAT
    return Exit.FLAT


def _quotes(ending: Ending) -> dict[str, Any]:
    """Published by the broker against received by the shards, per venue; lost is what went missing in between,
    None if that is not known: the machine ended before the shards had counted to the end, or one of them was started
    again (what it had not reported is not counted, what it was sent again is counted twice)."""
    figures = ending.last.figures if ending.last is not None else None
    received, duplicate = (figures.quotes, figures.duplicates) if figures is not None else ((0, 0), (0, 0))
    restarted = ending.last is not None and any(
        actor.restarts for actor in ending.last.actors if actor.name == Role.MARKET_DATA.value
    )
    published = ending.broker_summary.get("published", {})
    total = sum(published.values())
    counted = figures is not None and figures.final and not restarted
    return {
        "published": published,
        "received": {"KRX": received[0], "NXT": received[1]},
        "duplicate": {"KRX": duplicate[0], "NXT": duplicate[1]},
        "batches": figures.quote_batches if figures is not None else 0,
        "lost": total - sum(received) - sum(duplicate) if counted else None,
    }


def _clock_words(ns: int) -> str:
    seconds = ns // 1_000_000_000
    return f"{seconds // 3_600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def print_results(results: Results) -> None:
    """The session in a few lines, on stdout."""
    out = Console(highlight=False)
    pairs, pnl, latency = results.report["pairs"], results.report["pnl_krw"], results.report["latency_ms"]
    lines: list[tuple[str, str]] = []
    lines.append(
        (
            "pairs",
            f"{pairs['done']} done ({pairs['done_sell_first']} sold first, {pairs['done_buy_first']} bought first),"
            f" {pairs['missed']} missed, {pairs['rejected']} rejected,"
            f" {pairs['partial_entries']} partly filled entries,"
            f" {pairs['escalated']} escalated, {pairs['unhedged']} unhedged",
        )
    )
    lines.append(("signals", f"{pairs['signals']}, admitted {pairs['admitted']}"))
    lines.append(
        (
            "result",
            f"gross {pnl['gross']:+,}  fees -{pnl['fees']:,}  tax -{pnl['tax']:,}  [bold]net {pnl['net']:+,} won[/bold]"
            f"  ({results.report['net_bps']:+.2f} bps of what was bought)",
        )
    )
    for name, words in (
        ("tick_to_signal", "tick to signal"),
        ("signal_to_send", "signal to send"),
        ("send_to_ack", "send to ack"),
        ("unhedged", "unhedged"),
    ):
        line = latency[name]
        figures = f"p50 {line['p50']:.1f}  p95 {line['p95']:.1f}  p99 {line['p99']:.1f} ms  (n {line['n']})"
        lines.append((words, figures))
    quotes = results.quotes
    counts = [sum(quotes[name].values()) for name in ("published", "received", "duplicate")]
    lost = "not known how many" if quotes["lost"] is None else f"{quotes['lost']} lost"
    lines.append(("quotes", f"{counts[0]:,} published = {counts[1]:,} new + {counts[2]:,} repeated + {lost}"))
    for name, words in lines:
        out.print(f"{name:<14}  {words}", soft_wrap=True)
    for finding in results.findings:
        mark = "[green]ok[/green]    " if finding.kept else "[bold red]BROKEN[/bold red]"
        out.print(f"{mark}  {finding.promise}: {finding.detail}", soft_wrap=True)
    endings = {Exit.FLAT: "flat", Exit.NOT_FLAT: "[bold red]NOT FLAT[/bold red]", Exit.SAFE_STATE: "SAFE STATE"}
    out.print(f"ended {endings[results.code]}; files in {results.directory}", soft_wrap=True)
