"""The two legs of a pair: which goes first, in what style, at what price, and what it may cost at worst (SPEC 7)."""

from dataclasses import dataclass
from enum import Enum

from actors.messages.orders import OrderStyle
from actors.messages.pairs import Leg
from actors.messages.spread import Signal
from kiwoom.fees import NWON_PER_WON, CostModel
from kiwoom.market import VENUE_INDEX, VENUES, Market, Shares, Side, Venue, Won, step_ticks

NWON_PER_MWON = NWON_PER_WON // 1_000


class EntryLeg(Enum):
    """Which leg is taken first."""

    AUTO = "auto"
    """sell_rich where free sellable shares reach the slice, else buy_cheap."""
    SELL_RICH = "sell_rich"
    BUY_CHEAP = "buy_cheap"


class EntryPrefer(Enum):
    """The style of the entry."""

    IOC = "ioc"
    MARKET = "market"


class HedgePrice(Enum):
    """Where the hedge is posted."""

    LOCK = "lock"
    """The signal's opposite quote."""
    JOIN = "join"
    """One tick better than the best of its own side, never worse than lock."""
    MID = "mid"
    """The NXT mid-price where SPEC 7 allows it, else lock."""


@dataclass(frozen=True, slots=True)
class LegStyle:
    """How legs are laid out."""

    entry_leg: EntryLeg = EntryLeg.AUTO
    entry_prefer: EntryPrefer = EntryPrefer.IOC
    hedge_price: HedgePrice = HedgePrice.LOCK
    allow_nxt_mid_price: bool = True


def first_side(choice: EntryLeg, free_shares: Shares, slice_qty: Shares) -> Side:
    match choice:
        case EntryLeg.SELL_RICH:
            return Side.SELL
        case EntryLeg.BUY_CHEAP:
            return Side.BUY
        case EntryLeg.AUTO:
            return Side.SELL if free_shares >= slice_qty else Side.BUY


def quote(signal: Signal, side: Side) -> tuple[Venue, Won]:
    """The venue of the signal's `side` and the quote that it would take there."""
    if side is Side.BUY:
        return signal.buy_venue, signal.buy_ask
    return signal.sell_venue, signal.sell_bid


def entry_leg(signal: Signal, side: Side, prefer: EntryPrefer) -> Leg:
    venue, price = quote(signal, side)
    if prefer is EntryPrefer.MARKET:
        return Leg(venue, side, OrderStyle.MARKET_IOC, Won(0))
    return Leg(venue, side, OrderStyle.LIMIT_IOC, price)


def hedge_leg(
    signal: Signal, side: Side, style: LegStyle, costs: CostModel, market: Market, limits: tuple[Won, Won]
) -> Leg:
    """The posted hedge, on a valid tick, inside the day's `limits` (lower, upper) and never worse than lock."""
    venue, lock = quote(signal, side)
    if style.hedge_price is HedgePrice.MID and style.allow_nxt_mid_price and mid_pays(signal, side, costs, market):
        return Leg(venue, side, OrderStyle.MID, Won(0))
    price = _join_price(signal, side) if style.hedge_price is HedgePrice.JOIN else lock
    return Leg(venue, side, OrderStyle.LIMIT, Won(min(max(price, limits[0]), limits[1])))


def _join_price(signal: Signal, side: Side) -> Won:
    venue, lock = quote(signal, side)
    if side is Side.BUY:
        best = signal.bids[VENUE_INDEX[venue]]
        return Won(min(step_ticks(best, 1), lock)) if best else lock
    best = signal.asks[VENUE_INDEX[venue]]
    return Won(max(step_ticks(best, -1), lock)) if best else lock


def mid_pays(signal: Signal, side: Side, costs: CostModel, market: Market) -> bool:
    """Whether the hedge may rest at the NXT mid: a whole won, not worse than lock, the edge there still enough."""
    venue, lock = quote(signal, side)
    bid, ask = signal.bids[VENUE_INDEX[venue]], signal.asks[VENUE_INDEX[venue]]
    if venue is not Venue.NXT or not bid or not ask or (bid + ask) % 2:
        return False
    mid = (bid + ask) // 2
    buy, sell = (mid, signal.sell_bid) if side is Side.BUY else (signal.buy_ask, mid)
    if (side is Side.BUY and mid > lock) or (side is Side.SELL and mid < lock):
        return False
    cost_nwon = (
        costs.fee_nwon(signal.buy_venue, buy) + costs.fee_nwon(signal.sell_venue, sell) + costs.tax_nwon(market, sell)
    )
    return (sell - buy) * NWON_PER_WON >= cost_nwon + signal.buffer_mwon * NWON_PER_MWON


def cash_at_worst(entry: Leg, qty: int, costs: CostModel, upper_limit: Won) -> Won:
    """What the pair's purchase may cost at worst, commission rounded up.

    A limit order costs its price at most. A price-0 order may cost the upper limit (KIWOOM.md 2), and so may the
    purchase of a pair that sells first, because its hedge may end as a market order, on either venue.
    """
    is_limited_buy = entry.side is Side.BUY and entry.style is OrderStyle.LIMIT_IOC
    price = entry.price if is_limited_buy else upper_limit
    fee_nwon = max(costs.fee_nwon(venue, price) for venue in VENUES)
    return Won(qty * price + -(-qty * fee_nwon // NWON_PER_WON))
