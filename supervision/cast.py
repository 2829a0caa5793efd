"""The cast: which actors exist, in start order, each with its own slice of the settings."""

from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

from actors.cores.gateway import GatewaySettings
from actors.cores.gateway import Mode as GatewayMode
from actors.cores.market_data import ShardSettings
from actors.cores.pair_manager import PairSettings
from actors.cores.router import RouterSettings
from actors.cores.session_state import SessionSettings
from actors.cores.spread_engine import EngineSettings
from actors.cores.telemetry import TelemetrySettings
from actors.cores.throttler import ThrottleSettings
from actors.domain.legs import EntryLeg, EntryPrefer, HedgePrice, LegStyle
from actors.domain.risk import RiskLimits
from actors.domain.symbol_map import SymbolMap, build_symbol_map, feed_code
from actors.domain.trading_hours import VenueHours
from actors.effects import Role
from actors.gateway import Gateway, GatewaySetup
from actors.market_data import MarketData
from actors.pair_manager import PairManager
from actors.router import Router
from actors.session_state import SessionState
from actors.spread_engine import SpreadEngine
from actors.telemetry import Telemetry, TelemetrySetup
from actors.throttler import Throttler
from config.reader import LoadedConfig
from config.schema import Config
from kiwoom.adapter import FeedTarget
from kiwoom.fees import CostModel
from kiwoom.market import MS, SECOND, VENUES, Nanos, Shares
from supervision.child import ChildSpec, SupervisionSettings
from supervision.restart import RestartLimit

QUERY_SCREENS = 5
"""Screens that queries use in turn: one reused fast brings stale answers (KIWOOM.md 5)."""

KRX_HOURS = VenueHours(9 * 3_600 * SECOND, (15 * 60 + 20) * 60 * SECOND)
"""KRX's continuous trading, 09:00:00-15:20:00 (KIWOOM.md 7.3)."""

RESCUE_SLOTS = 1
"""PairManagers beyond the pairs that may live: a late fill of an ended pair finds one."""


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """What is decided when a run starts, not in the configuration."""

    mode: str
    day: date
    run_tag: str
    journal_path: Path
    arm: bool
    register_feeds: bool
    gateway_class: type[Gateway]
    control: Any
    """Handed to the cast's own Gateway, which makes its control from it."""
    servers: tuple[str, ...]
    metrics_port: int
    version: str


def symbol_map_of(loaded: LoadedConfig) -> SymbolMap:
    return build_symbol_map(loaded.universe, loaded.marketdata_screens)


def supervision_settings(config: Config) -> SupervisionSettings:
    own = config.supervision
    return SupervisionSettings(
        heartbeat_ns=Nanos(own.heartbeat_ms * MS),
        hung_after_ns=Nanos(own.hung_after_ms * MS),
        gateway_hung_after_ns=Nanos(own.gateway_hung_after_ms * MS),
        limit=RestartLimit(own.max_restarts, Nanos(own.within_seconds * SECOND)),
    )


def cast_of(loaded: LoadedConfig, identity: RunIdentity) -> tuple[ChildSpec, ...]:
    """Everyone, in start order: those who listen first, the Gateway last, since its news goes to all."""
    config, symbols = loaded.config, symbol_map_of(loaded)
    costs = config.cost_model(identity.day)
    slots = _slots(config)
    return (
        ChildSpec(
            Role.TELEMETRY,
            0,
            Telemetry,
            TelemetrySetup(
                TelemetrySettings(len(symbols.screens), config.orders_per_sec),
                config.telemetry.prometheus.host,
                identity.metrics_port,
                identity.version,
                identity.mode,
            ),
            needed=False,
        ),
        ChildSpec(Role.SESSION_STATE, 0, SessionState, _session(config, identity)),
        *(
            ChildSpec(Role.MARKET_DATA, shard, MarketData, ShardSettings(shard, symbols.of_shard(shard), slots))
            for shard in range(len(symbols.screens))
        ),
        ChildSpec(Role.SPREAD_ENGINE, 0, SpreadEngine, _engine(config, symbols, costs, identity)),
        ChildSpec(Role.THROTTLER, 0, Throttler, _throttle(config)),
        *(ChildSpec(Role.PAIR_MANAGER, slot, PairManager, _pair(config, costs, slot)) for slot in range(slots)),
        ChildSpec(Role.ROUTER, 0, Router, _router(config, symbols, costs, slots, identity)),
        ChildSpec(Role.GATEWAY, 0, identity.gateway_class, _gateway(loaded, symbols, identity)),
    )


def _slots(config: Config) -> int:
    per_symbol = max(
        [config.execution.max_outstanding_pairs_per_symbol]
        + [each.max_outstanding_pairs or 0 for each in config.symbols.per_symbol_overrides.values()]
    )
    return config.execution.max_concurrent_symbols * per_symbol + RESCUE_SLOTS


def _session(config: Config, identity: RunIdentity) -> SessionSettings:
    guard_start, guard_end = config.guard_window(identity.day)
    nxt_start, nxt_end = config.nxt_main_window(identity.day)
    return SessionSettings(
        guard_start_ns=Nanos(guard_start),
        guard_end_ns=Nanos(guard_end),
        nxt_main_start_ns=Nanos(nxt_start),
        nxt_main_end_ns=Nanos(nxt_end),
        krx_start_ns=Nanos(KRX_HOURS.start),
        closing_ns=Nanos(nxt_end),
        use_fid_215_signals=config.sessions.use_fid_215_signals,
        arm_at_start=identity.arm,
        register_at_start=identity.register_feeds,
    )


def _engine(config: Config, symbols: SymbolMap, costs: CostModel, identity: RunIdentity) -> EngineSettings:
    return EngineSettings(
        entries=symbols.entries,
        costs=costs,
        run_tag=identity.run_tag,
        buffer_half_ticks=config.buffer_half_ticks,
        buffer_half_ticks_of=tuple(
            (entry.symbol, config.buffer_half_ticks_for(entry.symbol))
            for entry in symbols.entries
            if config.buffer_half_ticks_for(entry.symbol) != config.buffer_half_ticks
        ),
        cooldown_ns=Nanos(config.spread_engine.cooldown_ms * MS),
        slice_qty=Shares(config.execution.slice_qty),
        min_visible_qty=config.min_visible_qty,
        batch_interval_ns=Nanos(config.spread_engine.batch_interval_ms * MS),
        freshness_ns=Nanos(config.market_data.freshness_ms * MS),
    )


def _throttle(config: Config) -> ThrottleSettings:
    throttling, pause = config.throttling, config.telemetry.orders_utilization_autopause
    return ThrottleSettings(
        orders_max=config.orders_per_sec,
        margin_ns=throttling.window_margin_ms * MS,
        reserve=config.kiwoom.rate_limits.reserve_order_tokens,
        min_free_for_entry=throttling.min_tokens_free_to_start_new_pair,
        grant_ttl_ns=throttling.grant_ttl_ms * MS,
        queries_max=config.kiwoom.rate_limits.queries_per_sec,
        autopause_numerator=config.pause_at,
        autopause_denominator=config.orders_per_sec,
        autopause_sustain_ns=pause.sustain_seconds * SECOND,
        autopause_release_below=config.resume_below,
        autopause_enabled=pause.enabled,
        lend_ahead=True,
    )


def _pair(config: Config, costs: CostModel, slot: int) -> PairSettings:
    return PairSettings(slot=slot, costs=costs, ack_ns=Nanos(config.execution.timeouts.ack_ms * MS))


def _router(config: Config, symbols: SymbolMap, costs: CostModel, slots: int, identity: RunIdentity) -> RouterSettings:
    execution, hedge, overridden = config.execution, config.router.hedge_leg, config.symbols.per_symbol_overrides
    return RouterSettings(
        entries=symbols.entries,
        costs=costs,
        slots=slots,
        limits=_limits(config),
        pairs_per_symbol=tuple(
            (entry.symbol, config.max_outstanding_pairs_for(entry.symbol))
            for entry in symbols.entries
            if entry.symbol in overridden
        ),
        style=LegStyle(
            EntryLeg(config.router.entry_leg),
            EntryPrefer(config.router.entry_leg_style.prefer),
            HedgePrice(hedge.hedge_price),
            hedge.allow_nxt_mid_price,
        ),
        slice_qty=execution.slice_qty,
        t_hedge_ns=execution.t_hedge_ms * MS,
        t_hedge_per_symbol_ns=tuple(
            (entry.symbol, config.t_hedge_ns_for(entry.symbol))
            for entry in symbols.entries
            if entry.symbol in overridden
        ),
        ioc_end_ns=execution.timeouts.ioc_end_ms * MS,
        cancel_ns=execution.timeouts.cancel_ms * MS,
        hedge_ioc_only=tuple(e.symbol for e in symbols.entries if config.hedge_ioc_only_for(e.symbol)),
        hedge_ioc_ticks=hedge.hedge_ioc_ticks,
        hedge_fallback_best=hedge.hedge_fallback_venue == "best",
        max_hedge_attempts=execution.max_hedge_attempts,
        observe=identity.mode == "observe",
        freeze_on_rejects=config.risk.kill_switches.freeze_on_rejects,
        unhedged_shares_max=(
            config.risk.max_unhedged_shares if config.risk.kill_switches.force_hedge_when_unhedged else 0
        ),
    )


def _limits(config: Config) -> RiskLimits:
    execution, risk = config.execution, config.risk
    return RiskLimits(
        concurrent_symbols_max=execution.max_concurrent_symbols,
        pairs_per_symbol_max=execution.max_outstanding_pairs_per_symbol,
        shares_per_symbol_max=execution.max_outstanding_shares_per_symbol,
        notional_per_leg_max_won=risk.max_notional_per_leg_krw,
        notional_per_symbol_max_won=risk.max_notional_per_symbol_krw,
        notional_per_session_max_won=risk.max_notional_per_session_krw,
        daily_loss_max_won=risk.daily_loss_limit_krw if risk.kill_switches.stop_at_daily_loss else 0,
        daily_orders_max=risk.daily_order_limit if risk.kill_switches.stop_at_daily_orders else 0,
    )


def _unused_screens(config: Config, count: int) -> tuple[str, ...]:
    """Screens of our own choice, from 9001 on, beside those of the configuration."""
    numbers = config.kiwoom.screen_numbers
    taken = {*numbers.marketdata, *numbers.orders}
    free = (str(number) for number in range(9_001, 10_000) if str(number) not in taken)
    return tuple(islice(free, count))


def _gateway(loaded: LoadedConfig, symbols: SymbolMap, identity: RunIdentity) -> GatewaySetup:
    config = loaded.config
    guard_start, guard_end = config.guard_window(identity.day)
    nxt_start, nxt_end = config.nxt_main_window(identity.day)
    timeouts = config.execution.timeouts
    screens = _unused_screens(config, 2 + QUERY_SCREENS)
    core = GatewaySettings(
        symbols=symbols,
        mode=GatewayMode(identity.mode),
        account=config.kiwoom.account,
        servers=identity.servers,
        session_screen=screens[0],
        heartbeat_screen=screens[1],
        heartbeat_symbols=loaded.heartbeat_symbols,
        query_screens=screens[2:],
        order_screens=config.kiwoom.screen_numbers.orders,
        guard=VenueHours(guard_start, guard_end),
        venue_hours=(KRX_HOURS, VenueHours(nxt_start, nxt_end)),
        run_tag=identity.run_tag,
        pair_slots=_slots(config),
        orders_max=config.orders_per_sec,
        reserve=config.kiwoom.rate_limits.reserve_order_tokens,
        queries_max=config.kiwoom.rate_limits.queries_per_sec,
        margin_ns=Nanos(config.throttling.window_margin_ms * MS),
        ack_ns=Nanos(timeouts.ack_ms * MS),
        accept_ns=Nanos(timeouts.accept_ms * MS),
        cancel_ns=Nanos(timeouts.cancel_ms * MS),
    )
    feeds = {
        feed_code(entry.symbol, venue): FeedTarget(entry.shard, entry.index, venue, entry.symbol)
        for entry in symbols.entries
        for venue in VENUES
    }
    return GatewaySetup(core, identity.journal_path, feeds, identity.control)
