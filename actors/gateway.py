"""Gateway: owns the control port; the only actor that speaks to the broker. It writes the journal.

Beside its core this shell has the control's thread (kiwoom.control_thread), the journal, and the quotes, which pass
from the thread to the shards as bytes without touching the core.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from actors.cores.gateway import GatewayCore, GatewaySettings
from actors.effects import Call, Effects, Record, Role, Send
from actors.journal import Journal
from actors.messages.journal import Row, RowsWritten
from actors.messages.market_data import FeedEnded, QuoteBatch
from actors.messages.session import ConnectBroker
from actors.messages.supervision import ResendState
from actors.shell import Shell
from kiwoom.adapter import FeedTarget
from kiwoom.control import ControlCall, ControlEvent, ControlPort
from kiwoom.control_thread import QUOTE_INTERVAL_NS_MAX, QUOTE_INTERVAL_NS_MIN, ControlThread
from kiwoom.market import MS, Nanos
from kiwoom.quotes import QuoteRun

ROWS_INTERVAL_NS = 250 * MS
"""Telemetry hears of written rows at most four times a second."""

MESSAGE_COST_NS = 450_000
"""CPU of one message at its sender (THESPIAN.md). It is spent after the handler, where a handler cannot measure it."""

FLUSH_SHARE = 20
"""Quotes are flushed so seldom that sending them takes at most one part in this many of the Gateway's time."""


@dataclass(frozen=True, slots=True)
class GatewaySetup:
    """What the Gateway is enlisted with: its core's settings, where its journal is, which code feeds which shard."""

    core: GatewaySettings
    journal_path: Path
    feeds: Mapping[str, FeedTarget]
    control: Any
    """What the cast's own Gateway needs to make its control."""


class JournalFile(Protocol):
    """What the shell needs of its journal (actors.journal.Journal)."""

    last_seq: int

    def rows(self) -> Iterator[Row]: ...
    def append(self, row: Row, actor: str) -> int: ...
    def commit(self) -> None: ...
    def close(self) -> None: ...


class ControlSide(Protocol):
    """The actor's side of the control (kiwoom.control_thread.ControlThread)."""

    quote_interval_ns: int

    def start(self) -> None: ...
    def wake_fd(self) -> int: ...
    def perform(self, call: ControlCall) -> None: ...
    def take(self) -> tuple[list[ControlEvent], dict[int, QuoteRun]]: ...
    def take_repeats(self, shard: int) -> tuple[int, int]: ...
    def last_quotes(self, shard: int) -> bytes: ...
    def stop(self) -> None: ...


class Gateway(Shell):
    """Subclasses (in the cast) name their control; no actor can tell which it is."""

    role = Role.GATEWAY

    def make_control(self, setup: Any) -> ControlPort:
        raise NotImplementedError

    def make_application(self, arguments: list[str]) -> Any:
        raise NotImplementedError

    def open_journal(self, setup: GatewaySetup) -> JournalFile:
        return Journal(setup.journal_path)

    def open_control(self, setup: GatewaySetup) -> ControlSide:
        return ControlThread(lambda: self.make_control(setup.control), self.make_application, setup.feeds, self.clock)

    def make_core(self, settings: GatewaySetup) -> GatewayCore:
        self._journal = self.open_journal(settings)
        self._unreported: list[Row] = []
        self._report_at: Nanos | None = None
        self._control = self.open_control(settings)
        core = replace(settings.core, run_tag=self.own_tag(settings.core.run_tag))
        return GatewayCore(core, self._journal.rows(), self.clock.now())

    def enlisted(self) -> None:
        self._control.start()
        assert self.core is not None
        self.perform(self.core.handle(ConnectBroker(), self.clock.now()))

    def watched(self) -> list[int]:
        if self.core is None or self._control.wake_fd() < 0:
            return []
        return [self._control.wake_fd()]

    def decide(self, message: object) -> Effects:
        effects = super().decide(message)
        if isinstance(message, ResendState) and message.name == Role.MARKET_DATA.value:
            last = QuoteBatch(self._control.last_quotes(message.index))
            return (*effects, Send(Role.MARKET_DATA, last, message.index))
        return effects

    def on_watched(self) -> None:
        """Events one by one through the core, then the quotes: an order's news never waits behind a batch."""
        assert self.core is not None
        events, quotes = self._control.take()
        for event in events:
            self.perform(self.core.handle(event, self.clock.now()))
        for shard, run in quotes.items():
            self.post(Send(Role.MARKET_DATA, QuoteBatch(bytes(run.records), (run.repeats[0], run.repeats[1])), shard))
        self._control.quote_interval_ns = min(
            QUOTE_INTERVAL_NS_MAX, max(QUOTE_INTERVAL_NS_MIN, FLUSH_SHARE * len(quotes) * MESSAGE_COST_NS)
        )

    def post(self, effect: Send) -> None:
        if isinstance(effect.message, FeedEnded):
            repeats = self._control.take_repeats(effect.index)
            super().post(Send(Role.MARKET_DATA, QuoteBatch(b"", repeats), effect.index))
        super().post(effect)

    def woken(self) -> None:
        super().woken()
        if self._report_at is not None and self._report_at <= self.clock.now().mono:
            self._report_rows()

    def _report_rows(self) -> None:
        self._journal.commit()
        rows, self._unreported, self._report_at = tuple(self._unreported), [], None
        self.post(Send(Role.TELEMETRY, RowsWritten(rows, self._journal.last_seq)))

    def perform(self, effects: Effects) -> None:
        """Rows first, then one commit, then calls and sends in order: on disk before anybody can act upon them.

        Rows alone (of other actors, mostly) stay in the open transaction: the next commit takes them along.
        """
        news: list[Send | Call] = []
        for effect in effects:
            if isinstance(effect, Record):
                self._write(effect.row)
            else:
                news.append(effect)
        if news:
            self._journal.commit()
        for effect in news:
            if isinstance(effect, Call):
                self._control.perform(effect.call)
            else:
                self.post(effect)

    def record(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._write(row)

    def call_control(self, call: ControlCall) -> None:
        self._control.perform(call)

    def _write(self, row: Row) -> None:
        self._journal.append(row, self.role.value)
        self._unreported.append(row)
        if self._report_at is None:
            self._report_at = Nanos(self.clock.now().mono + ROWS_INTERVAL_NS)

    def next_wake(self) -> Nanos | None:
        if self.core is None:
            return None
        return min((at for at in (super().next_wake(), self._report_at) if at is not None), default=None)

    def closing(self) -> None:
        if self.core is not None:
            self._control.stop()
            self._report_rows()
            self._journal.close()
