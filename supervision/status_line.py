"""The live status line of `arb run`: one line that changes on a terminal, plain lines every few seconds elsewhere."""

import sys
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from actors.messages.supervision import MachineStatus
from kiwoom.market import SECOND, time_of_day

PLAIN_INTERVAL_NS = 5 * SECOND


class StatusLine:
    """Shows the machine on stderr; stdout is kept for results."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._live = Live(console=self._console, refresh_per_second=4, transient=True) if _on_terminal() else None
        self._last_plain = -PLAIN_INTERVAL_NS
        self._last_quotes: tuple[int, int] = (0, 0)
        self._rate = 0

    def __enter__(self) -> "StatusLine":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, words: str) -> None:
        """A line that stays."""
        self._console.print(words)

    def show(self, status: MachineStatus, mono: int, wall: int) -> None:
        line = self._line(status, mono, wall)
        if self._live is not None:
            self._live.update(line)
        elif mono - self._last_plain >= PLAIN_INTERVAL_NS:
            self._last_plain = mono
            self._console.print(line, soft_wrap=True)

    def _line(self, status: MachineStatus, mono: int, wall: int) -> Text:
        line = Text(clock_words(wall), style="bold")
        trading, figures = status.trading, status.figures
        if status.problem:
            line.append(f"  SAFE STATE: {status.problem}", style="bold red")
        elif trading is None:
            down = [actor.name for actor in status.actors if not actor.up]
            line.append(f"  starting, waiting for {', '.join(down)}" if down else "  starting", style="yellow")
        elif trading.armed:
            line.append("  ARMED", style="bold green")
        else:
            line.append(f"  disarmed: {trading.reason}", style="yellow")
        if figures is None:
            return line
        total = sum(figures.quotes) + sum(figures.duplicates)
        last_total, last_at = self._last_quotes
        if figures.at - last_at >= SECOND:
            self._rate = (total - last_total) * SECOND // (figures.at - last_at) if last_at else 0
            self._last_quotes = (total, figures.at)
        if figures.auto_paused:
            line.append("  AUTO-PAUSE", style="bold red")
        line.append(f" | {self._rate:,} quotes/s | {figures.signals} signals, {figures.pairs_done} pairs done")
        line.append(f", {figures.missed} missed, {figures.pairs_live} live")
        if figures.unhedged:
            line.append(f", {figures.unhedged} UNHEDGED", style="bold red")
        line.append(f" | orders {figures.window_used}/{figures.window_limit} | net {figures.net_won:+,} won")
        line.append(
            f" | p95 ms: signal {_ms(figures.tick_to_signal_p95_us)}, send {_ms(figures.signal_to_send_p95_us)},"
            f" ack {_ms(figures.send_to_ack_p95_us)}"
        )
        return line


def clock_words(wall: int) -> str:
    """HH:MM:SS of the market's clock."""
    seconds = time_of_day(wall) // SECOND
    return f"{seconds // 3_600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _ms(microseconds: int) -> str:
    return f"{microseconds // 1_000}.{microseconds % 1_000 // 100}"


def _on_terminal() -> bool:
    return sys.stderr.isatty()
