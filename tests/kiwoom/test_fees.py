"""Costs: exact per share, truncated as booked, increments that add up to the broker's total."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiwoom.fees import NWON_PER_WON, PPB_PER_BPS, CostBook, CostModel, Rounding, settlement_date
from kiwoom.market import Market, Side, Venue

KRX, NXT = Venue.KRX, Venue.NXT
BUY, SELL = Side.BUY, Side.SELL
KOSPI, KOSDAQ = Market.KOSPI, Market.KOSDAQ

# SPEC 10: KRX 1.5 bps; NXT 1.45 + 0.31833 bps; tax of 2026 on both markets 20 bps.
MODEL = CostModel(fee_ppb=(150_000, 176_833), kospi_tax_ppb=2_000_000, kosdaq_tax_ppb=2_000_000)


def test_rates_are_parts_per_billion() -> None:
    assert PPB_PER_BPS * 10_000 == 1_000_000_000
    assert MODEL.fee_ppb == (15 * PPB_PER_BPS // 10, 176_833)
    assert MODEL.kospi_tax_ppb == 20 * PPB_PER_BPS


def test_costs_of_a_share_are_exact() -> None:
    assert MODEL.fee_nwon(KRX, 72_300) == 10_845_000_000  # 10.845 won
    assert MODEL.fee_nwon(NXT, 72_500) == 12_820_392_500
    assert MODEL.tax_nwon(KOSPI, 72_500) == 145 * NWON_PER_WON


@pytest.mark.parametrize(
    ("venue", "amount", "won"),
    [
        (KRX, 66_666, 0),  # 9.9999 won
        (KRX, 66_667, 10),
        (KRX, 133_333, 10),  # 19.99995
        (KRX, 133_334, 20),
        (KRX, 72_300, 10),
        (NXT, 56_550, 0),
        (NXT, 56_551, 10),
        (NXT, 0, 0),
    ],
)
def test_booked_commission_is_cut_below_ten_won(venue: Venue, amount: int, won: int) -> None:
    assert MODEL.commission_won(venue, amount) == won


@pytest.mark.parametrize(("amount", "won"), [(499, 0), (500, 1), (999, 1), (72_500, 145), (72_749, 145)])
def test_booked_tax_is_cut_below_one_won(amount: int, won: int) -> None:
    assert MODEL.tax_won(KOSPI, amount) == won


def test_each_market_has_its_own_tax() -> None:
    model = replace(MODEL, kosdaq_tax_ppb=0)
    assert (model.tax_won(KOSPI, 72_500), model.tax_won(KOSDAQ, 72_500)) == (145, 0)
    assert model.tax_ppb(KOSDAQ) == 0


def test_the_mock_servers_commission_is_that_of_the_log() -> None:
    """0.35 % of 77,000 is 269.5; the log says 260 (KIWOOM.md 4.1)."""
    assert replace(MODEL, fee_ppb=(3_500_000, 3_500_000)).commission_won(KRX, 77_000) == 260


def test_an_orders_commission_is_cut_once_on_its_running_total() -> None:
    book = CostBook(MODEL)
    increments = [book.book("o-1", KRX, KOSPI, SELL, 40_000) for _ in range(5)]
    assert increments == [(0, 80), (10, 80), (0, 80), (10, 80), (10, 80)]
    assert book.book("o-2", KRX, KOSPI, SELL, 40_000) == (0, 80)


def test_a_purchase_pays_no_tax() -> None:
    assert CostBook(MODEL).book("o-1", NXT, KOSPI, BUY, 1_000_000) == (170, 0)


def test_per_fill_each_fill_is_cut_on_its_own() -> None:
    book = CostBook(replace(MODEL, rounding=Rounding.FILL))
    assert [book.book("o-1", KRX, KOSPI, SELL, 40_000) for _ in range(3)] == [(0, 80)] * 3


def test_per_day_orders_share_a_total_of_their_venue_market_and_side() -> None:
    book = CostBook(replace(MODEL, rounding=Rounding.DAY))
    assert book.book("o-1", KRX, KOSPI, SELL, 40_000) == (0, 80)
    assert book.book("o-2", KRX, KOSPI, SELL, 40_000) == (10, 80)
    assert book.book("o-3", NXT, KOSPI, SELL, 40_000) == (0, 80)
    assert book.book("o-4", KRX, KOSPI, BUY, 40_000) == (0, 0)


@settings(max_examples=100)
@given(amounts=st.lists(st.integers(1, 5_000_000), min_size=1, max_size=20), rounding=st.sampled_from(Rounding))
def test_increments_are_never_negative_and_add_up(amounts: list[int], rounding: Rounding) -> None:
    model = replace(MODEL, rounding=rounding)
    book = CostBook(model)
    booked = [book.book("o-1", NXT, KOSDAQ, SELL, amount) for amount in amounts]
    assert all(commission >= 0 and tax >= 0 for commission, tax in booked)
    units = amounts if rounding is Rounding.FILL else [sum(amounts)]
    assert sum(commission for commission, _ in booked) == sum(model.commission_won(NXT, unit) for unit in units)
    assert sum(tax for _, tax in booked) == sum(model.tax_won(KOSDAQ, unit) for unit in units)


@settings(max_examples=100)
@given(price=st.integers(1, 2_000_000), qty=st.integers(1, 1_000), venue=st.sampled_from(Venue))
def test_what_is_booked_is_below_the_exact_cost_by_less_than_a_unit(price: int, qty: int, venue: Venue) -> None:
    exact_nwon = MODEL.fee_nwon(venue, price) * qty
    booked_nwon = MODEL.commission_won(venue, price * qty) * NWON_PER_WON
    assert 0 <= exact_nwon - booked_nwon < MODEL.commission_unit_won * NWON_PER_WON


@pytest.mark.parametrize("wrong", [{"fee_ppb": (-1, 0)}, {"kospi_tax_ppb": -1}, {"commission_unit_won": 0}])
def test_a_model_without_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(AssertionError):
        replace(MODEL, **wrong)  # type: ignore[arg-type]


def test_a_fill_of_nothing_is_refused() -> None:
    with pytest.raises(AssertionError):
        CostBook(MODEL).book("o-1", KRX, KOSPI, BUY, 0)


@pytest.mark.parametrize(
    ("traded", "settled"),
    [
        (date(2026, 11, 23), date(2026, 11, 25)),  # Monday
        (date(2026, 11, 26), date(2026, 11, 30)),  # Thursday: over the weekend
        (date(2026, 11, 27), date(2026, 12, 1)),  # Friday
        (date(2026, 12, 30), date(2027, 1, 1)),  # into another year, whose rates hold; holidays are not known here
        (date(2026, 12, 31), date(2027, 1, 4)),
    ],
)
def test_settlement_is_two_weekdays_later(traded: date, settled: date) -> None:
    assert settlement_date(traded) == settled
