"""The symbol map: both codes of a symbol on one screen, never more than a screen takes, nothing lost unsaid."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.domain.symbol_map import (
    CODES_PER_SCREEN_MAX,
    SYMBOLS_PER_SHARD_MAX,
    UniverseEntry,
    build_symbol_map,
    feed_code,
)
from kiwoom.market import Market, Symbol, Venue


def universe(count: int) -> list[UniverseEntry]:
    return [UniverseEntry(Symbol(f"{number:06}"), f"name {number}", Market.KOSPI) for number in range(1, count + 1)]


def screens(count: int) -> list[str]:
    return [str(1000 + number) for number in range(1, count + 1)]


def test_feed_codes_are_plain_for_krx_and_suffixed_for_nxt() -> None:
    assert feed_code(Symbol("005930"), Venue.KRX) == "005930"
    assert feed_code(Symbol("005930"), Venue.NXT) == "005930_NX"


def test_two_hundred_symbols_fill_four_shards() -> None:
    made = build_symbol_map(universe(200), screens(4))
    assert [len(made.codes_of_shard(shard)) for shard in range(4)] == [CODES_PER_SCREEN_MAX] * 4
    assert made.codes_of_shard(3)[-2:] == ("000200", "000200_NX")
    assert made.screens == ("1001", "1002", "1003", "1004")


@settings(max_examples=60)
@given(count=st.integers(1, 250), shards=st.integers(1, 6))
def test_symbols_are_spread_evenly_and_each_is_on_one_shard(count: int, shards: int) -> None:
    if count > shards * SYMBOLS_PER_SHARD_MAX:
        with pytest.raises(ValueError, match="need"):
            build_symbol_map(universe(count), screens(shards))
        return
    made = build_symbol_map(universe(count), screens(shards))
    sizes = [len(made.of_shard(shard)) for shard in range(shards)]
    assert sum(sizes) == count
    assert max(sizes) <= SYMBOLS_PER_SHARD_MAX
    assert max(sizes) - min(sizes) <= 1
    assert [entry.index for entry in made.entries] == list(range(count))
    codes = [code for shard in range(shards) for code in made.codes_of_shard(shard)]
    assert len(set(codes)) == 2 * count
    assert all(len(made.codes_of_shard(shard)) <= CODES_PER_SCREEN_MAX for shard in range(shards))


def test_what_is_excluded_is_dropped_with_its_reason_and_takes_no_number() -> None:
    first, second, third = universe(3)
    etf = UniverseEntry(second.symbol, second.name, Market.KOSPI, exclude="ETF")
    made = build_symbol_map([first, etf, third], screens(1))
    assert made.dropped == ((second.symbol, "ETF"),)
    assert [(entry.index, entry.symbol) for entry in made.entries] == [(0, first.symbol), (1, third.symbol)]


def test_an_empty_universe_a_full_one_and_a_repeated_symbol_are_errors() -> None:
    with pytest.raises(ValueError, match="excluded"):
        build_symbol_map([], screens(1))
    with pytest.raises(ValueError, match="51 symbols need 2 screens, only 1"):
        build_symbol_map(universe(51), screens(1))
    with pytest.raises(ValueError, match="000001 stands twice"):
        build_symbol_map([*universe(2), *universe(1)], screens(1))
