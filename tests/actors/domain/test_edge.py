"""The edge rule against a plain oracle in fractions, and its own threshold to the last nano-won."""

from fractions import Fraction
from math import ceil, floor

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.domain.edge import NOTHING, Edge, Quotes, Rates, better_edge, up_to_mwon
from kiwoom.market import tick_size

RATES = Rates(fee_ppb=(150_000, 176_833), tax_ppb=2_000_000)
FREE = Rates(fee_ppb=(0, 0), tax_ppb=0)


def quotes(krx: tuple[int, int], nxt: tuple[int, int], size: int = 10) -> Quotes:
    """(bid, ask) on both venues, every side with the same size."""
    return Quotes(krx[0], size, krx[1], size, nxt[0], size, nxt[1], size, 1, 2)


def oracle(quotes: Quotes, rates: Rates) -> list[tuple[Fraction, int, int, int]]:
    """Every candidate as (net in won, buy venue, buy_ask, sell_bid), the better first, said in another way."""
    sides = {0: (quotes.krx_bid, quotes.krx_ask), 1: (quotes.nxt_bid, quotes.nxt_ask)}
    found = []
    for buy, sell in ((0, 1), (1, 0)):
        ask, bid = sides[buy][1], sides[sell][0]
        if ask == 0 or bid == 0:
            continue
        cost = Fraction(rates.fee_ppb[buy], 10**9) * ask
        cost += (Fraction(rates.fee_ppb[sell], 10**9) + Fraction(rates.tax_ppb, 10**9)) * bid
        found.append((Fraction(bid - ask) - cost, buy, ask, bid))
    return sorted(found, key=lambda candidate: (-candidate[0], candidate[1]))


price = st.one_of(st.just(0), st.integers(1, 3_000), st.integers(4_900, 5_100), st.integers(199_000, 201_000))
ppb = st.integers(0, 3_000_000)


@settings(max_examples=100)
@given(
    prices=st.tuples(price, price, price, price),
    rates=st.builds(Rates, st.tuples(ppb, ppb), ppb),
    half_ticks=st.integers(0, 6),
)
def test_the_rule_agrees_with_fractions(prices: tuple[int, int, int, int], rates: Rates, half_ticks: int) -> None:
    book = quotes(prices[:2], prices[2:])
    edge, expected = better_edge(book, rates, half_ticks), oracle(book, rates)
    if not expected:
        assert edge is None
        return
    assert edge is not None
    net, buy_venue, ask, bid = expected[0]
    buffer = Fraction(half_ticks, 2) * max(tick_size(ask), tick_size(bid))
    assert (edge.buy_venue, edge.buy_ask, edge.sell_bid) == (buy_venue, ask, bid)
    assert Fraction(edge.net_nwon, 10**9) == net
    assert Fraction(edge.buffer_nwon, 10**9) == buffer
    assert edge.is_wide_enough == (net >= buffer)
    assert edge.net_mwon == floor(net * 1_000)
    assert edge.net_centibps == floor(net / ask * 10_000 * 100)
    costs = (edge.buy_cost_nwon, edge.sell_cost_nwon, edge.tax_nwon)
    assert Fraction(bid - ask) - Fraction(sum(costs), 10**9) == net
    assert [up_to_mwon(cost) for cost in costs] == [ceil(Fraction(cost, 10**6)) for cost in costs]


def test_the_threshold_is_inclusive_and_one_nano_won_less_is_too_little() -> None:
    at_threshold = Edge(0, 1, 1, 1, 1, 0, 0, 0, net_nwon=100 * 10**9, buffer_nwon=100 * 10**9)
    assert at_threshold.is_wide_enough
    assert not at_threshold._replace(net_nwon=100 * 10**9 - 1).is_wide_enough
    one_tick = better_edge(quotes((70_000, 70_100), (70_200, 70_300)), FREE, 2)
    assert one_tick is not None
    assert one_tick.net_nwon == one_tick.buffer_nwon
    assert one_tick.is_wide_enough


def test_half_a_tick_of_buffer_is_half_a_tick() -> None:
    edge = better_edge(quotes((70_000, 70_100), (70_200, 70_300)), FREE, 1)
    assert edge is not None
    assert edge.buffer_nwon == 50 * 10**9


def test_the_buffer_takes_the_larger_tick_of_the_two_prices() -> None:
    edge = better_edge(quotes((199_800, 199_900), (200_500, 201_000)), FREE, 2)
    assert edge is not None
    assert edge.buffer_nwon == 500 * 10**9


def test_a_known_case_by_hand() -> None:
    """Buy 70,000 on KRX (1.5 bps: 10.5), sell 70,500 on NXT (1.76833 bps: 12.4667265), tax 20 bps: 141."""
    edge = better_edge(quotes((69_900, 70_000), (70_500, 70_600)), RATES, 2)
    assert edge is not None
    assert edge.buy_venue == 0
    assert (edge.buy_cost_nwon, edge.sell_cost_nwon, edge.tax_nwon) == (10_500_000_000, 12_466_726_500, 141_000_000_000)
    assert edge.net_nwon == 336_033_273_500
    assert edge.net_mwon == 336_033
    assert edge.net_centibps == 4_800
    assert edge.is_wide_enough


def test_the_other_way_round_buys_on_nxt() -> None:
    edge = better_edge(quotes((70_500, 70_600), (69_900, 70_000)), RATES, 2)
    assert edge is not None
    assert edge.buy_venue == 1
    assert (edge.buy_ask, edge.sell_bid) == (70_000, 70_500)


def test_without_both_sides_there_is_no_edge() -> None:
    assert better_edge(NOTHING, RATES, 2) is None
    assert better_edge(quotes((70_000, 0), (70_500, 0)), RATES, 2) is None
    one_way = better_edge(quotes((0, 70_000), (70_500, 0)), RATES, 2)
    assert one_way is not None
    assert one_way.buy_venue == 0
