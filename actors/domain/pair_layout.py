"""How a pair is laid out: the plan that a PairManager gets, for a signal and for a late fill (SPEC 7, 8)."""

from dataclasses import dataclass

from actors.domain.legs import LegStyle, entry_leg, hedge_leg, quote
from actors.domain.symbol_map import SymbolEntry
from actors.messages.orders import OrderFilled, OrderStyle
from actors.messages.pairs import Leg, PairPlan
from actors.messages.spread import Signal
from kiwoom.fees import CostModel
from kiwoom.market import Nanos, Shares, Side, WallNanos, Won, round_down_to_tick, round_up_to_tick


@dataclass(frozen=True, slots=True)
class PairTerms:
    """What the settings say of every pair of one symbol. Times in nanoseconds."""

    t_hedge_ns: Nanos
    ioc_end_ns: Nanos
    cancel_ns: Nanos
    hedge_ioc_only: bool
    hedge_ioc_ticks: int
    hedge_fallback_best: bool
    max_hedge_attempts: int


@dataclass(frozen=True, slots=True)
class Ground:
    """What a plan stands on beside its terms: the symbol, its limits of the day, a slot, the last instant."""

    entry: SymbolEntry
    limits: tuple[Won, Won]
    slot: int
    """The Router's `slots` if none is free."""
    flat_by: WallNanos


def plan_of_signal(
    signal: Signal, side: Side, qty: Shares, style: LegStyle, costs: CostModel, terms: PairTerms, ground: Ground
) -> PairPlan:
    """`side`: that of the entry."""
    hedge = hedge_leg(signal, side.opposite, style, costs, ground.entry.market, ground.limits)
    return _plan(
        signal.pair_id,
        qty,
        entry_leg(signal, side, style.entry_prefer),
        hedge,
        terms,
        ground,
        lock=quote(signal, side.opposite)[1],
        ioc_only=terms.hedge_ioc_only,
        expected_net_mwon=signal.net_edge_mwon * qty,
    )


def plan_of_late_fill(fill: OrderFilled, terms: PairTerms, ground: Ground) -> PairPlan:
    """Hedge the fill at its own price on the other venue; not posted first, for it is late already."""
    side = fill.side.opposite
    lower, upper = ground.limits
    on_tick = round_up_to_tick(fill.fill_px) if side is Side.SELL else round_down_to_tick(fill.fill_px)
    price = Won(min(max(on_tick, lower), upper))
    return _plan(
        fill.pair_id,
        fill.fill_qty,
        Leg(fill.venue, fill.side, OrderStyle.LIMIT_IOC, fill.fill_px),
        Leg(fill.venue.other, side, OrderStyle.LIMIT, price),
        terms,
        ground,
        lock=price,
        ioc_only=True,
        expected_net_mwon=0,
    )


def _plan(
    pair_id: str,
    qty: Shares,
    entry: Leg,
    hedge: Leg,
    terms: PairTerms,
    ground: Ground,
    *,
    lock: Won,
    ioc_only: bool,
    expected_net_mwon: int,
) -> PairPlan:
    return PairPlan(
        pair_id=pair_id,
        symbol=ground.entry.symbol,
        symbol_index=ground.entry.index,
        shard=ground.entry.shard,
        market=ground.entry.market,
        slot=ground.slot,
        qty=qty,
        entry=entry,
        hedge=hedge,
        hedge_lock_price=lock,
        lower_limit=ground.limits[0],
        upper_limit=ground.limits[1],
        t_hedge_ns=terms.t_hedge_ns,
        ioc_end_ns=terms.ioc_end_ns,
        cancel_ns=terms.cancel_ns,
        hedge_ioc_only=ioc_only,
        hedge_ioc_ticks=terms.hedge_ioc_ticks,
        hedge_fallback_best=terms.hedge_fallback_best,
        max_hedge_attempts=terms.max_hedge_attempts,
        expected_net_mwon=expected_net_mwon,
        flat_by_wall=ground.flat_by,
    )
