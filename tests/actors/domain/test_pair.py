"""The pair's table as a whole matrix, its diagram, and what a pair knows of its orders, fills and costs."""

import itertools
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.machine import IllegalTransitionError, Machine
from actors.domain.pair import (
    END_STATES,
    PAIR_TRANSITIONS,
    PairLedger,
    PairOrder,
    PairTrigger,
    mid_passed,
    new_pair,
    price_through,
    table_as_mermaid,
    touch,
)
from actors.messages.market_data import TopOfBook
from actors.messages.orders import OrderFilled, OrderKind, OrderStyle, PlaceOrder
from actors.messages.pairs import PairState
from kiwoom.fees import CostBook, CostModel
from kiwoom.market import MS, Market, Nanos, Shares, Side, Symbol, Venue, Won, is_on_tick

COSTS = CostModel(fee_ppb=(150_000, 176_833), kospi_tax_ppb=2_000_000, kosdaq_tax_ppb=2_000_000)


@pytest.mark.parametrize("state, trigger", list(itertools.product(PairState, PairTrigger)))
def test_a_trigger_either_has_a_row_or_is_illegal_and_changes_nothing(state: PairState, trigger: PairTrigger) -> None:
    machine = Machine(PAIR_TRANSITIONS, state)
    if (state, trigger) in PAIR_TRANSITIONS:
        assert machine.fire(trigger) is PAIR_TRANSITIONS[state, trigger]
    else:
        with pytest.raises(IllegalTransitionError):
            machine.fire(trigger)
        assert machine.state is state


def test_every_state_can_be_reached_and_every_trigger_is_used() -> None:
    reached = {new_pair().state}
    while True:
        more = {after for (before, _), after in PAIR_TRANSITIONS.items() if before in reached} - reached
        if not more:
            break
        reached |= more
    assert reached == set(PairState)
    assert {trigger for _, trigger in PAIR_TRANSITIONS} == set(PairTrigger)


def test_an_end_is_left_only_by_a_rescue() -> None:
    for (state, trigger), entered in PAIR_TRANSITIONS.items():
        if state in END_STATES:
            assert entered is PairState.RESCUE
            assert trigger is PairTrigger.LATE_FILL
    assert all((state, PairTrigger.LATE_FILL) in PAIR_TRANSITIONS for state in END_STATES)


def test_every_state_can_come_to_an_end() -> None:
    ending = set(END_STATES)
    while True:
        more = {before for (before, _), after in PAIR_TRANSITIONS.items() if after in ending} - ending
        if not more:
            break
        ending |= more
    assert ending == set(PairState)


def test_a_change_of_type_passes_through_the_cancel_or_a_proof_that_nothing_lives() -> None:
    from_post = {t for (s, t), after in PAIR_TRANSITIONS.items() if s is PairState.HEDGE_POST_SENT
                 and after in (PairState.HEDGE_IOC_SENT, PairState.HEDGE_MARKET_SENT)}  # fmt: skip
    assert from_post == {PairTrigger.HEDGE_ENDED}


def test_the_diagram_draws_each_row_once() -> None:
    text = table_as_mermaid()
    assert text.startswith("stateDiagram-v2\n    [*] --> CANDIDATE\n")
    drawn = []
    for old, new, words in re.findall(r"^    (\w+) --> (\w+): (.+)$", text, re.MULTILINE):
        drawn += [(PairState[old], PairTrigger(word), PairState[new]) for word in words.split(" / ")]
    assert sorted(drawn, key=str) == sorted(((s, t, n) for (s, t), n in PAIR_TRANSITIONS.items()), key=str)
    assert re.findall(r"^    (\w+) --> \[\*\]$", text, re.MULTILINE) == [state.name for state in END_STATES]


def order(qty: int = 10, style: OrderStyle = OrderStyle.LIMIT) -> PairOrder:
    command = PlaceOrder("P-B1", "P", 0, OrderKind.HEDGE, "B", Symbol("005930"), 3, Venue.KRX, Side.BUY,
                         Shares(qty), style, Won(72_300))  # fmt: skip
    return PairOrder(command, due=Nanos(1))


def test_only_fills_and_confirmed_ends_lower_what_may_still_fill() -> None:
    a = order(10)
    a.doubt(ask_at=Nanos(5))
    assert a.leaves == 10
    assert a.fill(Shares(4)) == 0
    assert a.leaves == 6
    a.release(2)
    assert a.leaves == 4, "four more fills are on their way"
    a.release(2)
    assert a.leaves == 4, "the same end, told twice"
    a.release_rest()
    assert (a.leaves, a.doubted, a.ask_at, a.due) == (0, False, None, None)


def test_a_fill_of_what_had_been_released_is_excess() -> None:
    a = order(10)
    a.release_rest()
    assert a.fill(Shares(3)) == 3
    assert (a.filled, a.leaves) == (3, 0)


def fill(
    qty: int, px: int, side: Side, at: int = 0, *, order_id: str = "P-A1", exec_id: str = "1", cum: int | None = None,
    costs: tuple[int, int] | None = None, of_qty: int = 0, venue: Venue = Venue.NXT,
) -> OrderFilled:  # fmt: skip
    commission, tax = (None, None) if costs is None else (Won(costs[0]), Won(costs[1]))
    return OrderFilled(
        "P", order_id, exec_id, venue, side, Won(px), Shares(qty), Shares(qty if cum is None else cum), Shares(0),
        commission, tax, Nanos(at), Shares(of_qty),
    )  # fmt: skip


def ledger() -> PairLedger:
    return PairLedger(Market.KOSPI, CostBook(COSTS))


def test_a_ledger_knows_a_repeated_fill_and_the_fill_that_opened_the_imbalance() -> None:
    book = ledger()
    first = fill(2, 72_500, Side.SELL, 7)
    book.take(first)
    assert book.knows(first)
    assert not book.knows(fill(2, 72_500, Side.SELL, 7, exec_id="2"))
    assert (book.open, book.closing_side, book.opened_at) == (-2, Side.BUY, 7)
    book.take(fill(2, 72_300, Side.BUY, 9, order_id="P-B1"))
    assert (book.open, book.opened_at, book.flat_at) == (0, None, 9)
    book.take(fill(1, 72_500, Side.SELL, 11, exec_id="2", cum=3))
    assert book.opened_at == 11


def test_the_figures_of_a_pair_are_those_of_the_contract() -> None:
    book = ledger()
    book.take(fill(1, 72_500, Side.SELL, 0, costs=(10, 145)))
    book.take(fill(1, 72_501, Side.SELL, 5 * MS, exec_id="2", cum=2, costs=(20, 290)))
    book.take(fill(2, 72_200, Side.BUY, 450 * MS, order_id="P-B1", venue=Venue.KRX))
    figures = dict(book.figures("take_post", 12_345, Nanos(9_999 * MS)))
    assert figures == {
        "bought": 2,
        "sold": 2,
        "buy_px_avg": 72_200,
        "sell_px_avg": 72_500.5,
        "gross_krw": 601,
        "fees_krw": 20 + 20,
        "tax_krw": 290,
        "net_krw": 271,
        "net_bps": 18.76,
        "unhedged_ms": 450,
        "path": "take_post",
        "expected_net_mwon": 12_345,
    }
    assert book.net == 271


def test_what_is_left_open_is_unhedged_until_now() -> None:
    book = ledger()
    book.take(fill(1, 72_500, Side.SELL, 100 * MS))
    figures = dict(book.figures("take", 0, Nanos(700 * MS)))
    assert (figures["unhedged_ms"], figures["buy_px_avg"], figures["net_bps"]) == (600, 0, 0)


def test_the_brokers_own_costs_replace_the_estimate_and_a_late_report_does_not_take_them_back() -> None:
    book = ledger()
    book.take(fill(1, 1_000_000, Side.SELL))
    estimate = book.commission
    assert estimate == 170
    book.take(fill(1, 1_000_000, Side.SELL, exec_id="3", cum=2, costs=(520, 6_100), of_qty=3))
    assert (book.commission, book.tax) == (350, 4_000), "it covers a share that is still to come"
    book.take(fill(1, 1_000_000, Side.SELL, exec_id="2", cum=3, costs=(360, 4_050), of_qty=2))
    assert (book.commission, book.tax) == (520, 6_100)
    book.take(fill(1, 1_000_000, Side.SELL, exec_id="4", cum=4))
    assert (book.commission, book.tax) == (690, 8_100), "520 by the broker, and 170 estimated for the fourth"
    book = ledger()
    book.take(fill(1, 1_000_000, Side.SELL))
    book.take(fill(1, 1_000_000, Side.SELL, exec_id="2", cum=2, costs=(350, 4_000)))
    assert (book.commission, book.tax) == (350, 4_000)
    book.take(replace(fill(1, 1_000_000, Side.SELL, exec_id="4", cum=3, costs=(700, 8_000)), costs_of_qty=Shares(4)))
    book.take(replace(fill(1, 1_000_000, Side.SELL, exec_id="3", cum=4, costs=(520, 6_000)), costs_of_qty=Shares(3)))
    assert (book.commission, book.tax) == (700, 8_000)


def test_costs_that_cover_a_lost_fill_are_believed_once_that_is_booked_too() -> None:
    book = ledger()
    book.take(replace(fill(1, 1_000_000, Side.SELL, cum=1, costs=(350, 4_100)), costs_of_qty=Shares(2)))
    assert (book.commission, book.tax) == (170, 2_000), "the estimate of what is booked"
    book.take(fill(1, 1_000_000, Side.SELL, exec_id="QUERY2", cum=2))
    assert (book.commission, book.tax) == (350, 4_100)


def test_a_rescue_does_not_book_the_costs_of_its_parents_fills_again() -> None:
    book = ledger()
    book.take(fill(1, 1_000_000, Side.SELL, costs=(170, 2_000)))
    book.take(fill(1, 990_000, Side.BUY, order_id="P-B1", costs=(170, 0)))
    book.begin_child()
    book.take(fill(1, 1_000_000, Side.SELL, exec_id="2", cum=2, costs=(350, 4_000)))
    assert (book.commission, book.tax, book.open) == (180, 2_000, -1)
    stranger = ledger()
    stranger.take(fill(1, 1_000_000, Side.SELL, exec_id="2", cum=2, costs=(350, 4_000)))
    assert (stranger.commission, stranger.tax) == (170, 2_000), "the report covers a fill that is not this ledger's"


@given(
    fills=st.lists(st.tuples(st.integers(1, 9), st.integers(1_000, 900_000), st.sampled_from(Side)), max_size=12),
)
def test_money_adds_up_whatever_the_fills(fills: list[tuple[int, int, Side]]) -> None:
    book = ledger()
    cash = 0
    for number, (qty, px, side) in enumerate(fills):
        book.take(fill(qty, px, side, order_id=f"P-B{number}"))
        cash += qty * px if side is Side.SELL else -qty * px
    assert book.net == cash - book.commission - book.tax
    assert book.open == sum(q if s is Side.BUY else -q for q, _, s in fills)


def top(bid: tuple[int, int], ask: tuple[int, int], is_open: tuple[bool, bool] = (True, True)) -> TopOfBook:
    size = (Shares(5), Shares(5))
    return TopOfBook(Symbol("005930"), (Won(bid[0]), Won(bid[1])), size, (Won(ask[0]), Won(ask[1])), size, is_open,
                     Nanos(0))  # fmt: skip


def test_a_closed_venue_has_no_touch() -> None:
    quote = top((72_200, 72_300), (72_400, 72_500), (True, False))
    assert touch(quote, Venue.KRX, Side.BUY) == 72_400
    assert touch(quote, Venue.KRX, Side.SELL) == 72_200
    assert touch(quote, Venue.NXT, Side.BUY) == 0


@given(
    side=st.sampled_from(Side), at=st.integers(1_000, 900_000), ticks=st.integers(0, 9),
    lower=st.integers(500, 1_000), upper=st.integers(900_000, 1_000_000),
)  # fmt: skip
def test_a_takers_price_is_on_a_tick_inside_the_limits_and_not_better_than_the_touch(
    side: Side, at: int, ticks: int, lower: int, upper: int
) -> None:
    price = price_through(side, Won(at), ticks, (Won(lower), Won(upper)))
    assert is_on_tick(price)
    assert lower <= price <= upper
    assert price >= at if side is Side.BUY else price <= at


def test_a_takers_price_stops_at_the_limit() -> None:
    limits = (Won(50_700), Won(93_900))
    assert price_through(Side.BUY, Won(72_300), 2, limits) == 72_500
    assert price_through(Side.SELL, Won(50_000), 2, (Won(49_980), Won(0))) == 50_000
    assert price_through(Side.BUY, Won(93_900), 2, limits) == 93_900
    assert price_through(Side.SELL, Won(50_800), 2, limits) == 50_700
    assert price_through(Side.BUY, Won(93_900), 2, (Won(0), Won(0))) == 94_100, "unknown limits bind nobody"


def test_a_mid_has_passed_the_lock_when_it_is_worse_by_half_a_won() -> None:
    assert not mid_passed(top((72_200, 0), (72_400, 0)), Venue.KRX, Side.BUY, Won(72_300))
    assert mid_passed(top((72_201, 0), (72_400, 0)), Venue.KRX, Side.BUY, Won(72_300))
    assert mid_passed(top((72_199, 0), (72_400, 0)), Venue.KRX, Side.SELL, Won(72_300))
    assert not mid_passed(top((0, 0), (72_400, 0)), Venue.KRX, Side.SELL, Won(72_300)), "no mid is known"
