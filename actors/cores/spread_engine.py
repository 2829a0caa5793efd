"""SpreadEngine's core: two books in, executable edges out.

Symbols whose top changed queue up once each, first come first served. A cycle evaluates them on their latest quotes:
at once, unless the last cycle left work over; then one batch interval after it. What exceeds a cycle's budget of
symbols or signals stays at the head of the queue.

Whether a symbol may signal is decided by, in this order: its cooldown (evaluation itself is put off), arming, blocks,
the edge rule, a signal of it that is still out, a hold after a dropped signal. Each of these ends with a message or at
a time kept here, and its end queues the symbol again: a persistent edge is not forgotten for want of a new quote.
What the Router said (blocks, attempts) is void once it was started again: its successor says what stands.
The reasons for the cooldown stand in config/COOLDOWN.md.
"""

from collections import deque
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final, assert_never

from actors.domain.edge import NOTHING, Edge, Quotes, Rates, better_edge, up_to_mwon
from actors.domain.symbol_map import SymbolEntry
from actors.effects import Effect, Effects, Record, Role, Send
from actors.messages.journal import EventType, Row
from actors.messages.market_data import ResendTops, TopsBatch
from actors.messages.session import TradingState
from actors.messages.spread import (
    AttemptEnded,
    AttemptOutcome,
    AttemptStarted,
    EdgeSettingsChanged,
    EngineCounted,
    Signal,
    SignalDropped,
    SymbolBlocked,
)
from actors.messages.supervision import ResendState
from kiwoom.fees import CostModel
from kiwoom.market import MS, SECOND, VENUES, Nanos, Now, Shares, Symbol, Won
from kiwoom.quotes import TOP

COUNT_INTERVAL_NS: Final = Nanos(250 * MS)
ANSWER_NS: Final = Nanos(1 * SECOND)
HOLD_MAX_NS: Final = Nanos(2 * SECOND)
MINUTE_NS: Final = 60 * SECOND
ALL: Final = -1
"""In place of a symbol's index: every symbol."""

EngineMessage = (
    TopsBatch
    | TradingState
    | SignalDropped
    | AttemptStarted
    | AttemptEnded
    | SymbolBlocked
    | EdgeSettingsChanged
    | ResendState
)

_COOLDOWN_AFTER: Final = (AttemptOutcome.MISSED, AttemptOutcome.REJECTED, AttemptOutcome.ESCALATED)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Everything the engine is told once.

    `entries`: all symbols, at their index. `buffer_half_ticks`: what must be left after costs, in half ticks (2 = one
    tick); `buffer_half_ticks_of` overrides it by symbol. `cooldown_ns`: 0 = off. Both touched sides must show
    `slice_qty` and `min_visible_qty` shares. `freshness_ns`: both quotes must be younger; 0 = any age.
    `run_tag` begins every pair_id: unique among the runs that share a journal or an account's day.
    `answer_ns`: a signal that the Router has not answered by then is given up (the Router died with it).
    `hold_max_ns`: a dropped signal's symbol waits no longer than this if no time to retry was given: what was in the
    way (cash, covered shares) may come free without any pair ending.
    """

    entries: tuple[SymbolEntry, ...]
    costs: CostModel
    run_tag: str
    buffer_half_ticks: int
    buffer_half_ticks_of: tuple[tuple[Symbol, int], ...] = ()
    cooldown_ns: Nanos
    slice_qty: Shares
    min_visible_qty: Shares
    batch_interval_ns: Nanos
    freshness_ns: Nanos
    symbols_per_cycle_max: int = 200
    signals_per_cycle_max: int = 4
    answer_ns: Nanos = ANSWER_NS
    hold_max_ns: Nanos = HOLD_MAX_NS

    def __post_init__(self) -> None:
        symbols = [entry.symbol for entry in self.entries]
        assert self.entries
        assert [entry.index for entry in self.entries] == list(range(len(self.entries)))
        assert len(set(symbols)) == len(symbols)
        assert self.run_tag
        assert self.buffer_half_ticks >= 0
        assert all(symbol in symbols and half_ticks >= 0 for symbol, half_ticks in self.buffer_half_ticks_of)
        assert self.cooldown_ns >= 0
        assert self.slice_qty >= 1
        assert self.min_visible_qty >= 0
        assert self.batch_interval_ns >= 0
        assert self.symbols_per_cycle_max >= 1
        assert self.signals_per_cycle_max >= 1
        assert self.freshness_ns >= 0
        assert self.answer_ns > 0
        assert self.hold_max_ns > 0


class _Watched:
    """One symbol as the engine sees it. Times are monotonic ns; 0 or None = not so."""

    __slots__ = (
        "answer_by",
        "blocked",
        "blocked_until",
        "buffer_is_own",
        "cooldown_until",
        "dirty",
        "edge",
        "eligible",
        "entry",
        "flip_flops",
        "flip_minute",
        "half_ticks",
        "held_until",
        "pair_out",
        "quotes",
        "rates",
        "released_at",
    )

    def __init__(self, entry: SymbolEntry, rates: Rates, half_ticks: int, *, buffer_is_own: bool) -> None:
        self.entry = entry
        self.rates = rates
        self.half_ticks = half_ticks
        self.buffer_is_own = buffer_is_own
        self.quotes = NOTHING
        self.dirty = False
        self.edge: Edge | None = None
        self.eligible = False
        """At the last evaluation, while armed and not blocked."""
        self.cooldown_until = 0
        self.pair_out: str | None = None
        """The pair_id whose signal or attempt is out."""
        self.answer_by = 0
        self.held_until = 0
        self.blocked = False
        self.blocked_until: Nanos | None = None
        self.flip_flops = 0
        """Fall-backs in minute `flip_minute` of the monotonic clock."""
        self.flip_minute = 0
        self.released_at = 0
        """When a wait (cooldown, hold, pair, block) last ended: the cause of a signal if no quote came since."""


class SpreadEngineCore:
    """Starts disarmed. Asks the shards for all tops at the first TradingState: a predecessor may have had them."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        own_buffers = dict(settings.buffer_half_ticks_of)
        self._watched = [
            _Watched(
                entry,
                Rates(settings.costs.fee_ppb, settings.costs.tax_ppb(entry.market)),
                own_buffers.get(entry.symbol, settings.buffer_half_ticks),
                buffer_is_own=entry.symbol in own_buffers,
            )
            for entry in settings.entries
        ]
        self._by_symbol = {watched.entry.symbol: watched for watched in self._watched}
        self._size_min = max(settings.slice_qty, settings.min_visible_qty)
        self._cooldown_ns = settings.cooldown_ns
        self._armed = False
        self._has_tops = False
        self._all_blocked = False
        self._all_blocked_until: Nanos | None = None
        self._dirty: deque[_Watched] = deque()  # Each symbol at most once.
        self._waiting: dict[int, None] = {}  # Held until something ends, in the order they began to wait.
        # (time, symbol index) at which to look again; one entry for each time set above, gone when it has come.
        self._wakes: list[tuple[int, int]] = []
        self._cycle_free_at = Nanos(0)
        self._pairs = 0
        self._evaluated = self._eligible = self._below_threshold = self._too_small = 0
        self._deferrals = self._flip_flops = self._carried_over = 0
        self._moved: dict[int, None] = {}  # Symbols whose edge moved since the last report.
        self._counts_moved = False
        self._count_at = Nanos(0)

    def handle(self, message: EngineMessage, now: Now) -> Effects:
        effects: list[Effect] = []
        match message:
            case TopsBatch():
                self._take_tops(message.payload)
            case TradingState():
                effects.extend(self._hear_trading_state(message.armed, now))
            case SignalDropped():
                self._hear_dropped(message, now)
            case AttemptStarted():
                watched = self._by_symbol[message.symbol]
                watched.pair_out = message.pair_id
                watched.answer_by = 0
            case AttemptEnded():
                effects.extend(self._hear_ended(message, now))
            case SymbolBlocked():
                self._hear_blocked(message, now)
            case EdgeSettingsChanged():
                effects.extend(self._hear_settings(message, now))
            case ResendState():
                if Role(message.name) is Role.ROUTER:
                    self._forget_router(now)
            case _:
                assert_never(message)
        return (*effects, *self.on_deadline(now))

    def next_deadline(self) -> Nanos | None:
        deadlines = [self._wakes[0][0]] if self._wakes else []
        if self._dirty:
            deadlines.append(self._cycle_free_at)
        if self._counts_moved:
            deadlines.append(self._count_at)
        return Nanos(min(deadlines)) if deadlines else None

    def on_deadline(self, now: Now) -> Effects:
        effects = self._wake(now)
        if self._dirty and now.mono >= self._cycle_free_at:
            effects.extend(self._cycle(now))
        if self._counts_moved and now.mono >= self._count_at:
            effects.append(self._counted(now))
        return tuple(effects)

    # --- what was heard ----------------------------------------------------------------------------------------------

    def _take_tops(self, payload: bytes) -> None:
        for index, _flags, *numbers in TOP.iter_unpack(payload):
            watched = self._watched[index]
            watched.quotes = Quotes._make(numbers)
            self._mark(watched)

    def _hear_trading_state(self, armed: bool, now: Now) -> Effects:
        effects: list[Effect] = []
        if not self._has_tops:
            self._has_tops = True
            shards = 1 + max(entry.shard for entry in self._settings.entries)
            effects.extend(Send(Role.MARKET_DATA, ResendTops(), shard) for shard in range(shards))
        if armed == self._armed:
            return tuple(effects)
        self._armed = armed
        for watched in self._watched:
            watched.eligible = False
            if watched.cooldown_until:
                effects.append(self._clear_cooldown(watched, "disarmed", now))
            watched.held_until = 0
            self._release(watched, now.mono)
        self._waiting.clear()
        return tuple(effects)

    def _hear_dropped(self, dropped: SignalDropped, now: Now) -> None:
        watched = self._by_symbol[dropped.symbol]
        if watched.answer_by:
            watched.pair_out = None
            watched.answer_by = 0
        if dropped.retry_at is None:
            self._waiting[watched.entry.index] = None
            watched.held_until = now.mono + self._settings.hold_max_ns
        else:
            self._waiting.pop(watched.entry.index, None)
            watched.held_until = max(dropped.retry_at, 1)
        self._wake_at(watched.held_until, watched.entry.index)

    def _hear_ended(self, ended: AttemptEnded, now: Now) -> Effects:
        """Those who waited for room look again before the one whose attempt ended."""
        watched = self._by_symbol[ended.symbol]
        if watched.pair_out == ended.pair_id:
            watched.pair_out = None
            watched.answer_by = 0
        effects: Effects = ()
        if ended.outcome in _COOLDOWN_AFTER:
            effects = self._arm_cooldown(watched, ended.outcome.value, now)
        self._release_waiting(ended.at)
        if not watched.cooldown_until:
            self._release(watched, ended.at)
        return effects

    def _hear_blocked(self, block: SymbolBlocked, now: Now) -> None:
        """The Router's last word on a symbol counts; it knows all the reasons there are."""
        if block.symbol is None:
            self._all_blocked = block.blocked
            self._all_blocked_until = block.until if block.blocked else None
            index = ALL
        else:
            watched = self._by_symbol[block.symbol]
            watched.blocked = block.blocked
            watched.blocked_until = block.until if block.blocked else None
            index = watched.entry.index
        if not block.blocked:
            self._unblocked(index, now.mono)
        elif block.until is not None:
            self._wake_at(block.until, index)

    def _forget_router(self, now: Now) -> None:
        """An end or a lifted block that only its predecessor knew of would otherwise hold a symbol for ever."""
        self._all_blocked, self._all_blocked_until = False, None
        for watched in self._watched:
            watched.pair_out = None
            watched.answer_by = 0
            watched.blocked, watched.blocked_until = False, None
        self._unblocked(ALL, now.mono)

    def _hear_settings(self, changed: EdgeSettingsChanged, now: Now) -> Effects:
        """A cooldown that runs ends no later than one begun now would."""
        assert changed.buffer_half_ticks >= 0
        assert changed.cooldown_ns >= 0
        effects: list[Effect] = []
        self._cooldown_ns = changed.cooldown_ns
        latest_end = now.mono + changed.cooldown_ns
        for watched in self._watched:
            if not watched.buffer_is_own:
                watched.half_ticks = changed.buffer_half_ticks
            if watched.cooldown_until and changed.cooldown_ns == 0:
                effects.append(self._clear_cooldown(watched, "switched off", now))
            elif watched.cooldown_until > latest_end:
                watched.cooldown_until = latest_end
                self._wake_at(latest_end, watched.entry.index)
            self._release(watched, now.mono)
        self._release_waiting(now.mono)
        return tuple(effects)

    # --- time --------------------------------------------------------------------------------------------------------

    def _wake_at(self, at: int, index: int) -> None:
        heappush(self._wakes, (at, index))

    def _wake(self, now: Now) -> list[Effect]:
        """End whatever has come to its end. A time that was moved since finds nothing due."""
        effects: list[Effect] = []
        while self._wakes and self._wakes[0][0] <= now.mono:
            _, index = heappop(self._wakes)
            if index == ALL:
                until = self._all_blocked_until
                if until is not None and until <= now.mono:
                    self._all_blocked, self._all_blocked_until = False, None
                    self._unblocked(ALL, until)
                continue
            watched = self._watched[index]
            if 0 < watched.cooldown_until <= now.mono:
                effects.append(self._clear_cooldown(watched, "elapsed", now))
            if 0 < watched.held_until <= now.mono:
                self._waiting.pop(index, None)
                self._release(watched, watched.held_until)
                watched.held_until = 0
            if 0 < watched.answer_by <= now.mono:
                watched.pair_out = None
                self._release(watched, watched.answer_by)
                watched.answer_by = 0
            until = watched.blocked_until
            if until is not None and until <= now.mono:
                watched.blocked, watched.blocked_until = False, None
                self._unblocked(index, until)
        return effects

    def _unblocked(self, index: int, at: int) -> None:
        self._release_waiting(at)
        for watched in self._watched if index == ALL else (self._watched[index],):
            self._release(watched, at)

    def _release_waiting(self, at: int) -> None:
        for index in self._waiting:
            self._watched[index].held_until = 0
            self._release(self._watched[index], at)
        self._waiting.clear()

    def _release(self, watched: _Watched, at: int) -> None:
        """A wait of this symbol ended at `at`: look again on the quotes there are."""
        watched.released_at = max(watched.released_at, at)
        self._mark(watched)

    def _mark(self, watched: _Watched) -> None:
        if not watched.dirty and watched.quotes is not NOTHING:
            watched.dirty = True
            self._dirty.append(watched)

    # --- cooldown ----------------------------------------------------------------------------------------------------

    def _arm_cooldown(self, watched: _Watched, reason: str, now: Now) -> Effects:
        watched.eligible = False
        if self._cooldown_ns == 0 or not self._armed:
            return ()
        watched.cooldown_until = now.mono + self._cooldown_ns
        self._wake_at(watched.cooldown_until, watched.entry.index)
        millis = self._cooldown_ns // MS
        symbol = watched.entry.symbol
        row = Row(
            EventType.COOLDOWN_ARMED,
            now.mono,
            now.wall,
            symbol=symbol,
            reason=reason,
            message_text=f"COOLDOWN_ARMED sym={symbol} dur={millis} reason={reason}",
            extra=(("dur_ms", millis), ("flip_flops_in_minute", self._flip_flops_in_minute(watched, now))),
        )
        return (Record(row),)

    def _clear_cooldown(self, watched: _Watched, reason: str, now: Now) -> Record:
        self._release(watched, min(watched.cooldown_until, now.mono))
        watched.cooldown_until = 0
        symbol = watched.entry.symbol
        return Record(
            Row(
                EventType.COOLDOWN_CLEAR,
                now.mono,
                now.wall,
                symbol=symbol,
                reason=reason,
                message_text=f"COOLDOWN_CLEAR sym={symbol} reason={reason}",
            )
        )

    def _flip_flops_in_minute(self, watched: _Watched, now: Now) -> int:
        return watched.flip_flops if watched.flip_minute == now.mono // MINUTE_NS else 0

    # --- evaluation --------------------------------------------------------------------------------------------------

    def _cycle(self, now: Now) -> Effects:
        self._counts_moved = True
        signals_end = self._pairs + self._settings.signals_per_cycle_max
        effects: list[Effect] = []
        for _ in range(min(len(self._dirty), self._settings.symbols_per_cycle_max)):
            if self._pairs == signals_end:
                break
            watched = self._dirty.popleft()
            watched.dirty = False
            effects.extend(self._evaluate(watched, now))
        # Idle, the next quote is evaluated at once; with work left over, the next cycle comes after the interval.
        self._cycle_free_at = Nanos(now.mono + self._settings.batch_interval_ns) if self._dirty else now.mono
        self._carried_over += len(self._dirty)
        return tuple(effects)

    def _evaluate(self, watched: _Watched, now: Now) -> Effects:
        edge = better_edge(watched.quotes, watched.rates, watched.half_ticks) if self._is_fresh(watched, now) else None
        if edge != watched.edge:
            watched.edge = edge
            self._moved[watched.entry.index] = None
        if watched.cooldown_until:
            self._deferrals += 1
            return ()
        self._evaluated += 1
        fault = self._fault(edge)
        if not self._armed or self._all_blocked or watched.blocked:
            watched.eligible = False
            return ()
        if fault is not None or edge is None:
            if not watched.eligible:
                return ()
            self._flip_flops += 1
            watched.flip_flops = self._flip_flops_in_minute(watched, now) + 1
            watched.flip_minute = now.mono // MINUTE_NS
            return self._arm_cooldown(watched, f"fell back: {fault}", now)
        watched.eligible = True
        if watched.pair_out is not None or watched.held_until:
            return ()
        return self._signal(watched, edge, now)

    def _fault(self, edge: Edge | None) -> str | None:
        """Why the edge cannot be taken, None if it can; counted."""
        if edge is None:
            return "no quote"
        if not edge.is_wide_enough:
            self._below_threshold += 1
            return "price"
        if min(edge.buy_size, edge.sell_size) < self._size_min:
            self._too_small += 1
            return "size"
        self._eligible += 1
        return None

    def _is_fresh(self, watched: _Watched, now: Now) -> bool:
        freshness_ns = self._settings.freshness_ns
        if freshness_ns == 0:
            return True
        return now.mono - min(watched.quotes.krx_recv, watched.quotes.nxt_recv) < freshness_ns

    # --- what is said ------------------------------------------------------------------------------------------------

    def _signal(self, watched: _Watched, edge: Edge, now: Now) -> Effects:
        self._pairs += 1
        quotes = watched.quotes
        signal = Signal(
            pair_id=f"{self._settings.run_tag}-{self._pairs}",
            symbol=watched.entry.symbol,
            symbol_index=watched.entry.index,
            buy_venue=VENUES[edge.buy_venue],
            sell_venue=VENUES[1 - edge.buy_venue],
            buy_ask=Won(edge.buy_ask),
            sell_bid=Won(edge.sell_bid),
            buy_size=Shares(edge.buy_size),
            sell_size=Shares(edge.sell_size),
            buy_cost_mwon=up_to_mwon(edge.buy_cost_nwon),
            sell_cost_mwon=up_to_mwon(edge.sell_cost_nwon),
            tax_mwon=up_to_mwon(edge.tax_nwon),
            buffer_mwon=up_to_mwon(edge.buffer_nwon),
            net_edge_mwon=edge.net_mwon,
            net_edge_centibps=edge.net_centibps,
            tick_recv=Nanos(max(quotes.krx_recv, quotes.nxt_recv)),
            cause_at=Nanos(max(quotes.krx_recv, quotes.nxt_recv, watched.released_at)),
            at=now.mono,
            bids=(Won(quotes.krx_bid), Won(quotes.nxt_bid)),
            asks=(Won(quotes.krx_ask), Won(quotes.nxt_ask)),
        )
        watched.pair_out = signal.pair_id
        watched.answer_by = now.mono + self._settings.answer_ns
        self._wake_at(watched.answer_by, watched.entry.index)
        return (Send(Role.ROUTER, signal), Record(self._signal_row(signal, now)))

    def _signal_row(self, signal: Signal, now: Now) -> Row:
        return Row(
            EventType.SIGNAL,
            now.mono,
            now.wall,
            pair_id=signal.pair_id,
            symbol=signal.symbol,
            qty=self._settings.slice_qty,
            extra=signal.figures,
        )

    def _counted(self, now: Now) -> Send:
        self._counts_moved = False
        self._count_at = Nanos(now.mono + COUNT_INTERVAL_NS)
        edges = [(index, self._watched[index].edge) for index in self._moved]
        self._moved.clear()
        counted = EngineCounted(
            evaluated=self._evaluated,
            eligible=self._eligible,
            signals=self._pairs,
            below_threshold=self._below_threshold,
            too_small=self._too_small,
            cooldown_deferrals=self._deferrals,
            flip_flops=self._flip_flops,
            carried_over=self._carried_over,
            edges=tuple((index, edge.net_mwon, edge.net_centibps) for index, edge in edges if edge is not None),
            unquoted=tuple(index for index, edge in edges if edge is None),
        )
        return Send(Role.TELEMETRY, counted)
