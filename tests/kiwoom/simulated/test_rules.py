"""The broker's own market rules, against the published figures and against the trading side's table."""

import pytest

from kiwoom import market as trading_side
from kiwoom.simulated import rules
from kiwoom.simulated.rules import AUCTION, CLOSED, CONTINUOUS, KRX, NXT, SECOND, TIMETABLE


@pytest.mark.parametrize(
    ("price", "step"),
    [
        *((1, 1), (1_999, 1), (2_000, 5), (4_995, 5), (5_000, 10), (19_990, 10), (20_000, 50), (49_950, 50)),
        *((50_000, 100), (199_900, 100), (200_000, 500), (499_500, 500), (500_000, 1_000), (2_000_000, 1_000)),
    ],
)
def test_the_tick_follows_the_table_of_2023(price: int, step: int) -> None:
    assert rules.tick(price) == step


def test_both_sides_of_the_house_know_the_same_ticks() -> None:
    for price in range(1, 600_000, 7):
        assert rules.tick(price) == trading_side.tick_size(price)
        assert rules.floor_tick(price) == trading_side.round_down_to_tick(price)
        assert rules.ceil_tick(price) == trading_side.round_up_to_tick(price)
        assert rules.valid_price(price) == trading_side.is_on_tick(price)


def test_limits_are_thirty_percent_with_the_upper_rounded_down_and_the_lower_up() -> None:
    assert rules.price_limits(77_500) == (54_300, 100_700)
    assert rules.price_limits(10_010) == (7_010, 13_010)


@pytest.mark.parametrize("base_price", [1_995, 4_990, 19_990, 49_950, 77_500, 199_900, 500_000])
def test_the_grid_is_every_valid_price_between_the_limits(base_price: int) -> None:
    lower, upper = rules.price_limits(base_price)
    assert rules.price_grid(base_price) == [p for p in range(lower, upper + 1) if rules.valid_price(p)]


def test_the_timetable_is_in_order_and_both_venues_trade_together_only_in_the_overlap() -> None:
    assert [line.at for line in TIMETABLE] == sorted(line.at for line in TIMETABLE)
    phases = {KRX: CLOSED, NXT: CLOSED}
    overlaps = []
    for line in TIMETABLE:
        before = set(phases.values()) == {CONTINUOUS}
        phases[line.venue] = line.phase
        if (set(phases.values()) == {CONTINUOUS}) != before:
            overlaps.append(rules.hhmmss(line.at - 9 * 3_600 * SECOND))
    assert overlaps == ["090030", "152000"]
    assert {line.phase for line in TIMETABLE} == {AUCTION, CLOSED, CONTINUOUS}


def test_the_time_of_day_is_seouls() -> None:
    wall = 1_795_395_600 * SECOND + 999
    assert rules.hhmmss(wall) == "100000"
    assert rules.time_of_day(wall) == 10 * 3_600 * SECOND + 999
    assert rules.time_of_day(rules.midnight(wall)) == 0
