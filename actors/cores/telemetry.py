"""Telemetry's core: folds the journal's rows and the counters of the others into the machine's figures.

Nothing on the order path waits for it; if it is gone, trading goes on.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import assert_never

from actors.domain import metrics
from actors.domain.metrics import Sample
from actors.domain.tally import DayTally, percentile
from actors.effects import Effects, Role, Send
from actors.messages.journal import RowsWritten
from actors.messages.market_data import ShardCounted
from actors.messages.session import Phase, TradingState
from actors.messages.spread import EngineCounted
from actors.messages.telemetry import MachineFigures
from actors.messages.throttle import WindowCounted
from kiwoom.market import MS, VENUES, Nanos, Now

FIGURES_INTERVAL_NS = 500 * MS
PHASE_NUMBERS = {Phase.UNKNOWN: 0, Phase.CLOSED: 1, Phase.RUNNING: 2, Phase.AUCTION: 3}
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
        """Totals of the day by shard, those of earlier incarnations included."""
        self._reported: dict[int, ShardCounted] = {}
        """What each said last."""
        self._before: dict[int, ShardCounted] = {}
        """What the earlier incarnations of a shard had counted."""
        self._window: WindowCounted | None = None
        self._engine: EngineCounted | None = None
        self._trading: TradingState | None = None
        self._next_at: Nanos | None = None

    def handle(self, message: TelemetryMessage, now: Now) -> Effects:
        match message:
            case RowsWritten():
                for row in message.rows:
                    self._day.add(row)
            case ShardCounted():
                self._count_shard(message)
                if self._feed_ended():
                    return (Send(Role.SUPERVISOR, self._figures(now)),)
            case WindowCounted():
                self._window = message
            case EngineCounted():
                self._engine = message
            case TradingState():
                self._trading = message
            case _:
                assert_never(message)
        if self._next_at is None:
            self._next_at = Nanos(now.mono + FIGURES_INTERVAL_NS)
        return ()

    def _count_shard(self, counted: ShardCounted) -> None:
        """A shard that was started again counts from 0: what its predecessor had counted stays in the totals."""
        last, before = self._reported.get(counted.shard), self._before.get(counted.shard)
        if last is not None and counted.batches < last.batches:
            before = self._before[counted.shard] = self._shards[counted.shard]
        self._reported[counted.shard] = counted
        self._shards[counted.shard] = counted if before is None else summed(before, counted)

    def next_deadline(self) -> Nanos | None:
        return self._next_at

    def on_deadline(self, now: Now) -> Effects:
        if self._next_at is None or now.mono < self._next_at:
            return ()
        self._next_at = None
        return (Send(Role.SUPERVISOR, self._figures(now)),)

    # --- the metrics ------------------------------------------------------------------------------------------------

    def samples(self) -> Iterator[Sample]:
        """Every metric that has a value now. What has not been heard of yet is left out rather than shown as 0."""
        yield from self._feed_samples()
        yield from self._engine_samples()
        yield from self._window_samples()
        yield from self._pair_samples()
        yield from self._latency_samples()
        if self._trading is not None:
            yield Sample(metrics.ARMED, value=int(self._trading.armed))
            for venue, phase in zip(VENUES, self._trading.phases, strict=True):
                yield Sample(metrics.PHASE, (venue.value,), PHASE_NUMBERS[phase])

    def _feed_samples(self) -> Iterator[Sample]:
        for number, shard in sorted(self._shards.items()):
            for venue, changed, duplicate in zip(VENUES, shard.changed, shard.duplicate, strict=True):
                yield Sample(metrics.QUOTES, (venue.value, str(number)), changed)
                yield Sample(metrics.DUPLICATES, (venue.value, str(number)), duplicate)
            yield Sample(metrics.BATCHES, (str(number),), shard.batches)

    def _engine_samples(self) -> Iterator[Sample]:
        yield Sample(metrics.SIGNALS, value=self._day.signals)
        engine = self._engine
        if engine is None:
            return
        yield Sample(metrics.CANDIDATES, ("eligible",), engine.eligible)
        yield Sample(metrics.CANDIDATES, ("below_threshold",), engine.below_threshold)
        yield Sample(metrics.CANDIDATES, ("too_small",), engine.too_small)
        yield Sample(metrics.DEFERRALS, value=engine.cooldown_deferrals)
        yield Sample(metrics.FLIP_FLOPS, value=engine.flip_flops)

    def _window_samples(self) -> Iterator[Sample]:
        yield Sample(metrics.WINDOW_LIMIT, value=self._settings.order_window_limit)
        window = self._window
        if window is None:
            return
        yield Sample(metrics.WINDOW_USED, value=window.used)
        yield Sample(metrics.TOKENS_FREE, value=window.free)
        yield Sample(metrics.QUERIES, value=window.queries_total)
        yield Sample(metrics.AUTO_PAUSE, value=int(window.paused))

    def _pair_samples(self) -> Iterator[Sample]:
        day = self._day
        yield Sample(metrics.PAIRS_LIVE, value=day.live)
        for outcome, count in (
            ("done", day.done),
            ("missed", day.ended_in("ENTRY_MISSED")),
            ("rejected", day.ended_in("ENTRY_REJECTED")),
            ("flattened", day.flattened),
            ("unhedged", day.unhedged),
        ):
            yield Sample(metrics.PAIRS, (outcome,), count)
        yield Sample(metrics.HEDGE_TIMEOUTS, value=day.hedge_timeouts)
        for reason, count in sorted(day.not_admitted.items()):
            yield Sample(metrics.DENIED, (reason,), count)
        for reason, count in sorted(day.refusals.items()):
            yield Sample(metrics.ORDERS_REFUSED, (reason,), count)
        sources: Counter[str] = Counter()
        for words, count in day.rejects.items():
            sources[words.partition(":")[0]] += count
        for source, count in sorted(sources.items()):
            yield Sample(metrics.ORDER_REJECTS, (source,), count)
        money = day.money
        for component, won in (("gross", money.gross), ("fees", money.fees), ("taxes", money.tax), ("net", money.net)):
            yield Sample(metrics.PNL, (component,), won)
        yield Sample(metrics.POSITION, value=sum(abs(qty) for qty in day.open_qty.values()))

    def _latency_samples(self) -> Iterator[Sample]:
        """Over all orders of the day, as histograms must be."""
        day = self._day
        signalled = [(pair, pair.signal_at) for pair in day.pairs.values() if pair.signal_at is not None]
        entered = [(pair, at, day.orders[pair.entry_order].sent) for pair, at in signalled if pair.entry_order]
        for metric, samples in (
            (metrics.TICK_TO_SIGNAL, [at - pair.cause_at for pair, at in signalled]),
            (metrics.SIGNAL_TO_SEND, [sent - at for _, at, sent in entered]),
            (metrics.TICK_TO_SEND, [sent - pair.cause_at for pair, _, sent in entered]),
            (metrics.SEND_TO_ACK, [order.acked - order.sent for order in day.orders.values() if order.acked]),
            (metrics.UNHEDGED, [p.unhedged_ms * MS for p in day.pairs.values() if p.unhedged_ms is not None]),
        ):
            yield Sample(metric, samples_ns=samples)

    # --- the figures ------------------------------------------------------------------------------------------------

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


def summed(before: ShardCounted, counted: ShardCounted) -> ShardCounted:
    """The totals of a shard and of its predecessors; it is final when the last of them is."""
    return ShardCounted(
        shard=counted.shard,
        changed=(before.changed[0] + counted.changed[0], before.changed[1] + counted.changed[1]),
        duplicate=(before.duplicate[0] + counted.duplicate[0], before.duplicate[1] + counted.duplicate[1]),
        batches=before.batches + counted.batches,
        malformed=before.malformed + counted.malformed,
        final=counted.final,
    )
