"""Legs: which goes first, in what style, at what price, at what worst cost."""

from dataclasses import replace

import pytest

from actors.domain.legs import (
    EntryLeg,
    EntryPrefer,
    HedgePrice,
    LegStyle,
    cash_at_worst,
    entry_leg,
    first_side,
    hedge_leg,
    mid_pays,
)
from actors.messages.orders import OrderStyle
from actors.messages.pairs import Leg
from actors.messages.spread import Signal
from kiwoom.fees import CostModel
from kiwoom.market import Market, Nanos, Shares, Side, Symbol, Venue, Won

COSTS = CostModel(fee_ppb=(150_000, 176_833), kospi_tax_ppb=2_000_000, kosdaq_tax_ppb=2_000_000)
LIMITS = (Won(50_000), Won(90_000))

# Rich is KRX: sell there at 70,500; cheap is NXT: buy there at 70,000 (bid 69,800).
CHEAP_NXT = Signal(
    pair_id="p1",
    symbol=Symbol("005930"),
    symbol_index=0,
    buy_venue=Venue.NXT,
    sell_venue=Venue.KRX,
    buy_ask=Won(70_000),
    sell_bid=Won(70_500),
    buy_size=Shares(10),
    sell_size=Shares(10),
    buy_cost_mwon=12_379,
    sell_cost_mwon=10_575,
    tax_mwon=141_000,
    buffer_mwon=100_000,
    net_edge_mwon=336_046,
    net_edge_centibps=480,
    tick_recv=Nanos(0),
    cause_at=Nanos(0),
    at=Nanos(0),
    bids=(Won(70_500), Won(69_800)),
    asks=(Won(70_700), Won(70_000)),
)
# Rich is NXT: sell there at 70,500 (ask 70,900); cheap is KRX.
RICH_NXT = replace(
    CHEAP_NXT,
    buy_venue=Venue.KRX,
    sell_venue=Venue.NXT,
    bids=(Won(69_800), Won(70_500)),
    asks=(Won(70_000), Won(70_900)),
)


def hedge(signal: Signal, side: Side, price: HedgePrice, allow_mid: bool = True) -> Leg:
    style = LegStyle(hedge_price=price, allow_nxt_mid_price=allow_mid)
    return hedge_leg(signal, side, style, COSTS, Market.KOSPI, LIMITS)


@pytest.mark.parametrize(
    ("choice", "free", "side"),
    [
        (EntryLeg.AUTO, 1, Side.SELL),
        (EntryLeg.AUTO, 0, Side.BUY),
        (EntryLeg.SELL_RICH, 0, Side.SELL),
        (EntryLeg.SELL_RICH, 1, Side.SELL),
        (EntryLeg.BUY_CHEAP, 0, Side.BUY),
        (EntryLeg.BUY_CHEAP, 1, Side.BUY),
    ],
)
def test_which_leg_goes_first(choice: EntryLeg, free: int, side: Side) -> None:
    assert first_side(choice, Shares(free), Shares(1)) is side


@pytest.mark.parametrize(
    ("side", "prefer", "leg"),
    [
        (Side.SELL, EntryPrefer.IOC, Leg(Venue.KRX, Side.SELL, OrderStyle.LIMIT_IOC, Won(70_500))),
        (Side.BUY, EntryPrefer.IOC, Leg(Venue.NXT, Side.BUY, OrderStyle.LIMIT_IOC, Won(70_000))),
        (Side.SELL, EntryPrefer.MARKET, Leg(Venue.KRX, Side.SELL, OrderStyle.MARKET_IOC, Won(0))),
        (Side.BUY, EntryPrefer.MARKET, Leg(Venue.NXT, Side.BUY, OrderStyle.MARKET_IOC, Won(0))),
    ],
)
def test_the_entry_takes_the_quote_of_its_side(side: Side, prefer: EntryPrefer, leg: Leg) -> None:
    assert entry_leg(CHEAP_NXT, side, prefer) == leg


@pytest.mark.parametrize(
    ("signal", "side", "price", "leg"),
    [
        (CHEAP_NXT, Side.BUY, HedgePrice.LOCK, Leg(Venue.NXT, Side.BUY, OrderStyle.LIMIT, Won(70_000))),
        (CHEAP_NXT, Side.SELL, HedgePrice.LOCK, Leg(Venue.KRX, Side.SELL, OrderStyle.LIMIT, Won(70_500))),
        (CHEAP_NXT, Side.BUY, HedgePrice.JOIN, Leg(Venue.NXT, Side.BUY, OrderStyle.LIMIT, Won(69_900))),
        (CHEAP_NXT, Side.SELL, HedgePrice.JOIN, Leg(Venue.KRX, Side.SELL, OrderStyle.LIMIT, Won(70_600))),
        (CHEAP_NXT, Side.BUY, HedgePrice.MID, Leg(Venue.NXT, Side.BUY, OrderStyle.MID, Won(0))),
        (CHEAP_NXT, Side.SELL, HedgePrice.MID, Leg(Venue.KRX, Side.SELL, OrderStyle.LIMIT, Won(70_500))),
        (RICH_NXT, Side.SELL, HedgePrice.MID, Leg(Venue.NXT, Side.SELL, OrderStyle.MID, Won(0))),
        (RICH_NXT, Side.BUY, HedgePrice.MID, Leg(Venue.KRX, Side.BUY, OrderStyle.LIMIT, Won(70_000))),
    ],
)
def test_where_the_hedge_is_posted(signal: Signal, side: Side, price: HedgePrice, leg: Leg) -> None:
    assert hedge(signal, side, price) == leg


def test_join_is_never_worse_than_lock() -> None:
    one_tick_wide = replace(CHEAP_NXT, bids=(Won(70_500), Won(69_900)), asks=(Won(70_600), Won(70_000)))
    assert hedge(one_tick_wide, Side.BUY, HedgePrice.JOIN).price == 70_000
    assert hedge(one_tick_wide, Side.SELL, HedgePrice.JOIN).price == 70_500


def test_join_without_a_best_on_its_side_posts_at_lock() -> None:
    bare = replace(CHEAP_NXT, bids=(Won(70_500), Won(0)), asks=(Won(0), Won(70_000)))
    assert hedge(bare, Side.BUY, HedgePrice.JOIN).price == 70_000
    assert hedge(bare, Side.SELL, HedgePrice.JOIN).price == 70_500


def test_the_posted_price_stays_inside_the_days_limits() -> None:
    style = LegStyle(hedge_price=HedgePrice.JOIN)
    at_top = hedge_leg(CHEAP_NXT, Side.SELL, style, COSTS, Market.KOSPI, (Won(50_000), Won(70_500)))
    assert at_top.price == 70_500


def test_mid_is_used_only_where_it_is_allowed() -> None:
    assert hedge(CHEAP_NXT, Side.BUY, HedgePrice.MID, allow_mid=False).style is OrderStyle.LIMIT


@pytest.mark.parametrize(
    ("signal", "pays"),
    [
        (CHEAP_NXT, True),
        (replace(CHEAP_NXT, bids=(Won(70_500), Won(69_999))), False),  # 69,999.5 is no whole won
        (replace(CHEAP_NXT, bids=(Won(70_500), Won(0))), False),
        (replace(CHEAP_NXT, asks=(Won(70_700), Won(70_400))), False),  # mid 70,100 is worse than lock
        (replace(CHEAP_NXT, buffer_mwon=436_000), True),  # net at mid 69,900: 600 - 12.360 - 10.575 - 141 = 436.06
        (replace(CHEAP_NXT, buffer_mwon=436_100), False),
    ],
)
def test_when_the_mid_pays(signal: Signal, pays: bool) -> None:
    assert mid_pays(signal, Side.BUY, COSTS, Market.KOSPI) is pays


@pytest.mark.parametrize(
    ("leg", "qty", "won"),
    [
        # 70,000 x (1 + 0.000176833), commission rounded up, at the dearer venue's rate
        (Leg(Venue.NXT, Side.BUY, OrderStyle.LIMIT_IOC, Won(70_000)), 1, 70_013),
        (Leg(Venue.NXT, Side.BUY, OrderStyle.LIMIT_IOC, Won(70_000)), 3, 210_038),
        # price 0, or a hedge that may end as a market order: the upper limit
        (Leg(Venue.NXT, Side.BUY, OrderStyle.MARKET_IOC, Won(0)), 1, 90_016),
        (Leg(Venue.KRX, Side.SELL, OrderStyle.LIMIT_IOC, Won(70_500)), 1, 90_016),
        (Leg(Venue.KRX, Side.SELL, OrderStyle.LIMIT_IOC, Won(70_500)), 0, 0),
    ],
)
def test_what_the_purchase_may_cost_at_worst(leg: Leg, qty: int, won: int) -> None:
    assert cash_at_worst(leg, qty, COSTS, LIMITS[1]) == won
