"""Telemetry's core: folds the journal's rows and the counters of the others into the machine's figures.

Nothing on the order path waits for it; if it is gone, trading goes on.
"""

from dataclasses import dataclass
from itertools import islice
from typing import assert_never

from actors.domain.tally import DayTally, percentile
from actors.effects import Effects, Role, Send
from actors.messages.journal import RowsWritten
from actors.messages.market_data import ShardCounted
from actors.messages.session import TradingState
from actors.messages.spread import EngineCounted
from actors.messages.telemetry import MachineFigures
from actors.messages.throttle import WindowCounted
from kiwoom.market import MS, Nanos, Now

FIGURES_INTERVAL_NS = 500 * MS
LATENCY_SAMPLES = 1_000
"""The percentiles on the screen are over the last so many orders; the report's are over all."""


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    shards: int
    order_window_limit: int

    def __post_init__(self) -> None:
        assert self.shards > 0
        assert self.order_window_limit > 0


TelemetryMessage = RowsWritten | ShardCounted | EngineCounted | WindowCounted | TradingState


class TelemetryCore:
    def __init__(self, settings: TelemetrySettings) -> None:
        self._settings = settings
        self._day = DayTally()
        self._shards: dict[int, ShardCounted] = {}
        self._window: WindowCounted | None = None
        self._next_at: Nanos | None = None

    def handle(self, message: TelemetryMessage, now: Now) -> Effects:
        match message:
            case RowsWritten():
                for row in message.rows:
                    self._day.add(row)
            case ShardCounted():
                self._shards[message.shard] = message
                if self._feed_ended():
                    return (Send(Role.SUPERVISOR, self._figures(now)),)
            case WindowCounted():
                self._window = message
            case EngineCounted() | TradingState():
                pass  # for the desk and the metrics; the figures do not need them
            case _:
                assert_never(message)
        if self._next_at is None:
            self._next_at = Nanos(now.mono + FIGURES_INTERVAL_NS)
        return ()

    def next_deadline(self) -> Nanos | None:
        return self._next_at

    def on_deadline(self, now: Now) -> Effects:
        if self._next_at is None or now.mono < self._next_at:
            return ()
        self._next_at = None
        return (Send(Role.SUPERVISOR, self._figures(now)),)

    def _feed_ended(self) -> bool:
        return len(self._shards) == self._settings.shards and all(shard.final for shard in self._shards.values())

    def _figures(self, now: Now) -> MachineFigures:
        day, window = self._day, self._window
        latencies = self._latencies()
        shards = self._shards.values()
        return MachineFigures(
            at=now.mono,
            quotes=(sum(s.changed[0] for s in shards), sum(s.changed[1] for s in shards)),
            duplicates=(sum(s.duplicate[0] for s in shards), sum(s.duplicate[1] for s in shards)),
            quote_batches=sum(s.batches for s in shards),
            signals=day.signals,
            admitted=day.admitted,
            pairs_live=day.live,
            pairs_done=day.done,
            missed=day.ended_in("ENTRY_MISSED"),
            rejected=day.ended_in("ENTRY_REJECTED"),
            escalated=day.escalated,
            unhedged=day.unhedged,
            partial_entries=day.partial_entries,
            orders=len(day.orders),
            cancels=day.cancels,
            order_rejects=day.rejects.total() + day.cancel_rejects,
            order_timeouts=day.timeouts,
            window_used=window.used if window else 0,
            window_free=window.free if window else self._settings.order_window_limit,
            window_limit=self._settings.order_window_limit,
            auto_paused=window.paused if window else False,
            gross_won=day.money.gross,
            fees_won=day.money.fees,
            tax_won=day.money.tax,
            net_won=day.money.net,
            open_qty=sum(abs(qty) for qty in day.open_qty.values()),
            tick_to_signal_p95_us=latencies[0],
            signal_to_send_p95_us=latencies[1],
            send_to_ack_p95_us=latencies[2],
            final=self._feed_ended(),
        )

    def _latencies(self) -> tuple[int, int, int]:
        """95th percentiles in microseconds of the last orders: tick to signal, signal to send, send to ack."""
        day = self._day
        to_signal: list[int] = []
        to_send: list[int] = []
        for pair in islice(reversed(day.pairs.values()), LATENCY_SAMPLES):
            if pair.signal_at is None:
                continue
            to_signal.append(pair.signal_at - pair.cause_at)
            if pair.entry_order:
                to_send.append(day.orders[pair.entry_order].sent - pair.signal_at)
        recent = islice(reversed(day.orders.values()), LATENCY_SAMPLES)
        to_ack = [order.acked - order.sent for order in recent if order.acked]
        return percentile(to_signal, 95) // 1_000, percentile(to_send, 95) // 1_000, percentile(to_ack, 95) // 1_000
