"""The simulated account: what orders hold, what trades cost, and that nothing is made or lost."""

from hypothesis import given, settings
from hypothesis import strategies as st

from kiwoom.simulated.account import Account, Holding, Rates

RATES = Rates(fee_ppb={"KRX": 150_000, "NXT": 176_833}, tax_ppb={"KOSPI": 2_000_000, "KOSDAQ": 1_500_000})


def account(cash: int = 1_000_000, shares: int = 10) -> Account:
    return Account("8012345610", cash, {"005930": Holding(qty=shares, cost_won=shares * 70_000)}, RATES)


def claim(of: Account, *, buy: bool, qty: int, worst_price: int = 72_000, market: str = "KOSPI", venue: str = "KRX"):
    return of.claim(symbol="005930", market=market, venue=venue, is_buy=buy, worst_price=worst_price, qty=qty)


def test_a_sale_of_more_than_is_sellable_is_refused() -> None:
    it = account(shares=10)
    first = claim(it, buy=False, qty=7)
    assert first is not None
    assert it.holding("005930").sellable == 3
    assert claim(it, buy=False, qty=4) is None
    it.release(first, 7)
    assert claim(it, buy=False, qty=10) is not None


def test_a_buy_holds_cash_at_its_worst_price_with_commission_until_it_is_released() -> None:
    it = account(cash=1_000_000)
    buy = claim(it, buy=True, qty=10, worst_price=72_000)
    assert buy is not None
    assert it.orderable_cash == 1_000_000 - 720_000 - 100  # 108 won, cut below 10
    assert claim(it, buy=True, qty=4, worst_price=72_000) is None
    it.fill(buy, 71_000, 4)
    assert it.cash == 1_000_000 - 284_000 - 40
    it.release(buy, 6)
    assert it.orderable_cash == it.cash


def test_sale_proceeds_can_be_spent_at_once() -> None:
    it = account(cash=0)
    sale = claim(it, buy=False, qty=10)
    assert sale is not None
    assert it.fill(sale, 72_000, 10) == (100, 1_440)
    assert it.orderable_cash == 720_000 - 100 - 1_440
    assert claim(it, buy=True, qty=9, worst_price=72_000) is not None


def test_commission_is_cut_on_the_running_total_of_the_order_not_on_each_fill() -> None:
    it = account(shares=10)
    sale = claim(it, buy=False, qty=10)
    assert sale is not None
    steps = [it.fill(sale, 72_000, 1) for _ in range(10)]
    # 10.8 won a share: 10, 20, 30, ... with a further 10 won once the fractions come to them.
    assert [step[0] for step in steps] == [10, 10, 10, 10, 10, 10, 10, 10, 10, 10]
    assert sum(step[1] for step in steps) == 1_440
    small = account(shares=10)
    cheap = claim(small, buy=False, qty=10)
    assert cheap is not None
    assert [small.fill(cheap, 40_000, 1)[0] for _ in range(4)] == [0, 10, 0, 10]


def test_rates_differ_by_venue_and_by_market() -> None:
    it = account(shares=100)
    sale = claim(it, buy=False, qty=100, venue="NXT", market="KOSDAQ")
    assert sale is not None
    assert it.fill(sale, 72_000, 100) == (1_270, 10_800)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 8), st.integers(0, 8), st.integers(60_000, 72_000)), max_size=30)
)
def test_cash_and_shares_are_what_was_traded_less_what_it_cost(orders: list[tuple[bool, int, int, int]]) -> None:
    it = account()
    cash, shares = it.cash, 10
    for is_buy, qty, filled, price in orders:
        order = claim(it, buy=is_buy, qty=qty)
        if order is None:
            continue
        filled = min(filled, qty)
        if filled:
            commission, tax = it.fill(order, price, filled)
            cash += (-price if is_buy else price) * filled - commission - tax
            shares += filled if is_buy else -filled
        it.release(order, qty - filled)
        assert (it.cash, it.holding("005930").qty) == (cash, shares)
        assert it.orderable_cash == it.cash >= 0
        assert it.holding("005930").sellable == shares >= 0
