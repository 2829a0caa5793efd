"""Tick sizes at every band's edge, steps across them, and the Seoul day."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiwoom.market import (
    DAY,
    SECOND,
    VENUE_INDEX,
    VENUES,
    Side,
    Venue,
    is_on_tick,
    midnight,
    round_down_to_tick,
    round_up_to_tick,
    step_ticks,
    tick_size,
    time_of_day,
)

PRICES = st.integers(1, 2_000_000)
ON_TICK = PRICES.map(round_down_to_tick)

# edge: (tick below it, tick from it on)
EDGES = {
    2_000: (1, 5),
    5_000: (5, 10),
    20_000: (10, 50),
    50_000: (50, 100),
    200_000: (100, 500),
    500_000: (500, 1_000),
}


@pytest.mark.parametrize(("edge", "below", "above"), [(edge, *ticks) for edge, ticks in EDGES.items()])
def test_each_edge_belongs_to_the_upper_band(edge: int, below: int, above: int) -> None:
    assert tick_size(edge - 1) == below
    assert tick_size(edge) == above
    assert is_on_tick(edge)
    assert step_ticks(edge, 1) == edge + above
    assert step_ticks(edge, -1) == edge - below
    assert step_ticks(edge - below, 1) == edge
    assert step_ticks(edge - below, 2) == edge + above
    assert step_ticks(edge + above, -2) == edge - below


def test_ticks_in_the_middle_of_each_band() -> None:
    prices = (1, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
    assert [tick_size(price) for price in prices] == [1, 1, 5, 10, 50, 100, 500, 1_000]


@settings(max_examples=100)
@given(price=PRICES)
def test_rounding_gives_the_nearest_valid_price_on_its_side(price: int) -> None:
    down, up = round_down_to_tick(price), round_up_to_tick(price)
    assert down <= price <= up
    assert is_on_tick(down)
    assert is_on_tick(up)
    assert is_on_tick(price) == (down == price == up)
    assert not any(is_on_tick(between) for between in range(down + 1, up) if between != price)


@settings(max_examples=100)
@given(price=ON_TICK, ticks=st.integers(0, 30))
def test_steps_stay_on_ticks_and_lead_back(price: int, ticks: int) -> None:
    higher = step_ticks(price, ticks)
    assert is_on_tick(higher)
    assert step_ticks(higher, -ticks) == price
    lower = step_ticks(price, -ticks)
    assert is_on_tick(lower)
    if lower > 1:
        assert step_ticks(lower, ticks) == price


@settings(max_examples=50)
@given(price=ON_TICK)
def test_a_step_skips_no_valid_price(price: int) -> None:
    assert not any(is_on_tick(between) for between in range(price + 1, step_ticks(price, 1)))


def test_steps_end_at_one_won() -> None:
    assert step_ticks(3, -5) == 1
    assert step_ticks(1, -1) == 1
    assert step_ticks(77_000, 0) == 77_000
    assert not is_on_tick(0)
    assert not is_on_tick(-5)


def test_venues_and_sides_have_their_opposites_and_numbers() -> None:
    assert [VENUE_INDEX[venue] for venue in VENUES] == [0, 1]
    for venue in Venue:
        assert venue.other is not venue
        assert venue.other.other is venue
    for side in Side:
        assert side.opposite is not side
        assert side.opposite.opposite is side


@settings(max_examples=50)
@given(wall=st.integers(0, 4_000_000_000 * SECOND))
def test_the_day_is_seouls(wall: int) -> None:
    seoul = datetime.fromtimestamp(wall // SECOND, timezone(timedelta(hours=9)))
    seconds = (seoul.hour * 60 + seoul.minute) * 60 + seoul.second
    assert time_of_day(wall) // SECOND == seconds
    assert midnight(wall) + time_of_day(wall) == wall
    assert time_of_day(midnight(wall)) == 0
    assert time_of_day(midnight(wall) + DAY - 1) == DAY - 1
