"""One venue's matching engine, stated assumption by stated assumption."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiwoom.simulated.events import (
    BookChanged,
    CancelImpossible,
    MarketEvent,
    OwnAccepted,
    OwnEnded,
    OwnFilled,
    OwnReduced,
    OwnRejected,
    TradePrinted,
)
from kiwoom.simulated.exchange import Exchange, OrderBook
from kiwoom.simulated.rules import AUCTION, BUY, CLOSED, CONTINUOUS, HOGA, KRX, NXT, SELL, price_grid

SYMBOL = "005930"
BASE = 70_000
LOWER, UPPER = 49_000, 91_000


class Desk:
    """An exchange with one book, open, and what it said since the last time it was asked."""

    def __init__(self, venue: str = KRX, phase: str = CONTINUOUS) -> None:
        self.outbox: list[MarketEvent] = []
        self.exchange = Exchange(venue, self.outbox)
        self.book = self.exchange.list_symbol(SYMBOL, BASE, BASE)
        self.exchange.set_phase(phase, 0, last=False)
        self.outbox.clear()
        self.wall = 1

    def others(self, side: str, price: int, *sizes: int) -> "Desk":
        for size in sizes:
            self.exchange.post(self.book, side == BUY, price, size, self.wall)
        self.exchange.publish(self.book, self.wall)
        self.outbox.clear()
        return self

    def sends(self, order_no: str, side: str, qty: int, price: int, hoga: str = "00") -> list[MarketEvent]:
        self.exchange.submit(order_no, SYMBOL, side, qty, price, hoga, self.wall)
        return self.said()

    def said(self) -> list[MarketEvent]:
        events = self.outbox[:]
        self.outbox.clear()
        return events


def fills(events: list[MarketEvent], order_no: str) -> list[tuple[int, int, int]]:
    return [(e.price, e.qty, e.leaves) for e in events if isinstance(e, OwnFilled) and e.order_no == order_no]


def ends(events: list[MarketEvent]) -> list[tuple[str, int, str]]:
    return [(e.order_no, e.unfilled, e.why) for e in events if isinstance(e, OwnEnded)]


def only(events: list[MarketEvent], kind: type[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def test_the_better_price_trades_first_and_then_the_earlier_order() -> None:
    desk = Desk()
    desk.others(SELL, 70_100, 5)
    desk.sends("1", SELL, 3, 70_000)
    desk.sends("2", SELL, 3, 70_000)
    events = desk.sends("3", BUY, 8, 70_100)
    assert fills(events, "1") == [(70_000, 3, 0)]
    assert fills(events, "2") == [(70_000, 3, 0)]
    assert fills(events, "3") == [(70_000, 3, 5), (70_000, 3, 2), (70_100, 2, 0)]
    assert [(e.price, e.qty, e.buyer_initiated) for e in only(events, TradePrinted)] == [
        (70_000, 6, True),
        (70_100, 2, True),
    ]
    assert desk.book.snapshot().asks == [(70_100, 3)]


def test_our_resting_order_waits_for_those_before_it_and_is_filled_in_part() -> None:
    desk = Desk().others(BUY, 70_000, 10)
    desk.sends("1", BUY, 7, 70_000)
    desk.others(BUY, 70_000, 50)
    desk.exchange.take(desk.book, False, 70_000, 8, 1)
    assert fills(desk.said(), "1") == []
    desk.exchange.take(desk.book, False, 70_000, 6, 1)
    assert fills(desk.said(), "1") == [(70_000, 4, 3)]
    desk.exchange.take(desk.book, False, 70_000, 30, 1)
    events = desk.said()
    assert fills(events, "1") == [(70_000, 3, 0)]
    assert ends(events) == [("1", 0, "filled")]


def test_our_order_moves_up_when_others_before_it_cancel() -> None:
    desk = Desk().others(BUY, 70_000, 10)
    desk.sends("1", BUY, 2, 70_000)
    assert desk.book.withdraw(True, 70_000, 100) == 10, "others' shares only"
    desk.exchange.take(desk.book, False, 70_000, 1, 1)
    assert fills(desk.said(), "1") == [(70_000, 1, 1)]


def test_an_ioc_takes_what_is_there_and_its_remainder_ends_at_once() -> None:
    desk = Desk().others(BUY, 70_000, 3).others(BUY, 69_900, 50)
    events = desk.sends("1", SELL, 7, 70_000, "10")
    assert events[0] == OwnAccepted(1, "1")
    assert fills(events, "1") == [(70_000, 3, 4)]
    assert ends(events) == [("1", 4, "ioc")]
    assert isinstance(events[-1], BookChanged)
    assert desk.book.snapshot().bids == [(69_900, 50)]
    assert desk.exchange.own_orders() == ()


def test_an_ioc_that_finds_nothing_changes_nothing() -> None:
    desk = Desk().others(BUY, 69_900, 50)
    assert desk.sends("1", SELL, 7, 70_000, "10") == [OwnAccepted(1, "1"), OwnEnded(1, "1", 7, "ioc")]


def test_a_market_ioc_sweeps_the_levels() -> None:
    desk = Desk().others(BUY, 70_000, 3).others(BUY, 69_900, 2)
    events = desk.sends("1", SELL, 7, 0, "13")
    assert fills(events, "1") == [(70_000, 3, 4), (69_900, 2, 2)]
    assert ends(events) == [("1", 2, "ioc")]


def test_a_best_limit_takes_one_level_and_rests_there() -> None:
    desk = Desk().others(SELL, 70_100, 3).others(SELL, 70_200, 9)
    events = desk.sends("1", BUY, 5, 0, "06")
    assert fills(events, "1") == [(70_100, 3, 2)]
    assert desk.book.snapshot().bids == [(70_100, 2)]


def test_a_top_priority_order_joins_its_own_side() -> None:
    desk = Desk().others(BUY, 70_000, 3).others(SELL, 70_100, 3)
    assert desk.sends("1", BUY, 5, 0, "07") == [OwnAccepted(1, "1"), BookChanged(1, KRX, SYMBOL)]
    assert desk.book.snapshot().bids == [(70_000, 8)]


@pytest.mark.parametrize(("qty", "why"), [(5, "filled"), (6, "ioc")])
def test_a_fok_fills_whole_or_not_at_all(qty: int, why: str) -> None:
    desk = Desk().others(SELL, 70_100, 3).others(SELL, 70_200, 2).others(SELL, 70_300, 50)
    events = desk.sends("1", BUY, qty, 70_200, "20")
    assert ends(events) == [("1", 0 if why == "filled" else qty, why)]
    assert desk.book.asks.total == (50 if why == "filled" else 55)


def test_a_krx_market_remainder_rests_at_the_last_traded_price() -> None:
    desk = Desk().others(SELL, 70_100, 3)
    events = desk.sends("1", BUY, 5, 0, "03")
    assert fills(events, "1") == [(70_100, 3, 2)]
    assert desk.book.snapshot().bids == [(70_100, 2)]


def test_nxt_takes_no_plain_market_order() -> None:
    desk = Desk(NXT).others(SELL, 70_100, 3)
    assert [type(e) for e in desk.sends("1", BUY, 1, 0, "03")] == [OwnRejected]
    assert ends(desk.sends("2", BUY, 1, 0, "13")) == [("2", 0, "filled")]


def test_a_midpoint_order_is_hidden_and_met_first_by_whoever_is_priced_through_the_mid() -> None:
    desk = Desk(NXT).others(BUY, 70_000, 5).others(SELL, 70_200, 5)
    assert desk.sends("1", BUY, 4, 0, "29") == [OwnAccepted(1, "1")]
    assert desk.book.snapshot().bids == [(70_000, 5)]
    desk.exchange.take(desk.book, False, 70_000, 6, 1)
    events = desk.said()
    assert fills(events, "1") == [(70_100, 4, 0)]
    assert [(e.price, e.qty) for e in only(events, TradePrinted)] == [(70_100, 4), (70_000, 2)]


def test_a_midpoint_order_floats_with_the_book() -> None:
    desk = Desk(NXT).others(BUY, 70_000, 5).others(SELL, 70_200, 5)
    desk.sends("1", SELL, 4, 0, "29")
    desk.others(SELL, 70_100, 9)
    desk.exchange.take(desk.book, True, 70_100, 4, 1)
    assert fills(desk.said(), "1") == [(70_050, 4, 0)]


def test_a_midpoint_order_without_a_whole_won_mid_does_not_trade() -> None:
    desk = Desk(NXT)
    desk.book = desk.exchange.list_symbol("000001", 1_000, 1_000)
    desk.exchange.set_phase(CLOSED, 1, last=False)
    desk.exchange.set_phase(CONTINUOUS, 1, last=False)
    desk.others(BUY, 1_000, 5).others(SELL, 1_001, 5)
    desk.exchange.submit("1", "000001", BUY, 4, 0, "29", 1)
    desk.exchange.take(desk.book, False, 1_000, 2, 1)
    assert only(desk.said(), OwnFilled) == []


def test_a_cancel_of_a_part_keeps_the_place_in_the_queue() -> None:
    desk = Desk()
    desk.sends("1", BUY, 7, 70_000)
    desk.others(BUY, 70_000, 50)
    desk.exchange.cancel("1", 5, 1)
    assert desk.said() == [OwnReduced(1, "1", 5, 2), BookChanged(1, KRX, SYMBOL)]
    desk.exchange.take(desk.book, False, 70_000, 3, 1)
    assert ends(desk.said()) == [("1", 0, "filled")]


@pytest.mark.parametrize("qty", [0, 7, 100])
def test_a_cancel_of_all_that_remains_ends_the_order_once(qty: int) -> None:
    desk = Desk()
    desk.sends("1", BUY, 7, 70_000)
    desk.exchange.cancel("1", qty, 1)
    assert desk.said() == [OwnEnded(1, "1", 7, "canceled"), BookChanged(1, KRX, SYMBOL)]
    desk.exchange.cancel("1", qty, 1)
    assert desk.said() == [CancelImpossible(1, "1")]
    assert desk.book.snapshot().bids == []


def test_a_cancel_that_comes_after_the_fill_is_impossible() -> None:
    desk = Desk()
    desk.sends("1", BUY, 1, 70_000)
    desk.exchange.take(desk.book, False, 70_000, 1, 1)
    desk.said()
    desk.exchange.cancel("1", 0, 1)
    assert desk.said() == [CancelImpossible(1, "1")]


@pytest.mark.parametrize(
    ("price", "accepted"),
    [(UPPER, True), (UPPER + 100, False), (LOWER, True), (LOWER - 50, False), (70_050, False), (0, False)],
)
def test_a_limit_price_is_on_a_tick_and_inside_the_days_limits(price: int, accepted: bool) -> None:
    events = Desk().sends("1", BUY, 1, price)
    assert [type(e) for e in events[:1]] == [OwnAccepted if accepted else OwnRejected]


@pytest.mark.parametrize(
    ("side", "qty", "price", "hoga"),
    [
        (BUY, 0, 70_000, "00"),
        (BUY, 1, 70_000, "13"),
        (BUY, 1, 0, "06"),
        (SELL, 1, 0, "07"),
        (BUY, 1, 70_000, "05"),
        (BUY, 1, 70_000, "99"),
    ],
)
def test_what_makes_no_order_is_rejected_with_a_reason(side: str, qty: int, price: int, hoga: str) -> None:
    (event,) = Desk().sends("1", side, qty, price, hoga)
    assert isinstance(event, OwnRejected)
    assert event.reason_text


def test_an_unlisted_symbol_and_a_closed_venue_take_no_order() -> None:
    desk = Desk(NXT, CLOSED)
    assert [type(e) for e in desk.sends("1", BUY, 1, 70_000)] == [OwnRejected]
    desk.exchange.submit("2", "999999", BUY, 1, 70_000, "00", 1)
    assert [type(e) for e in desk.said()] == [OwnRejected]


def test_execution_ids_are_unique_on_the_venue() -> None:
    desk = Desk()
    seen = []
    for number in range(20):
        desk.others(SELL, 70_000, 1, 1)
        seen += [e.exec_id for e in only(desk.sends(str(number), BUY, 2, 70_000), OwnFilled)]
    assert len(seen) == 40
    assert len(set(seen)) == 40


@pytest.mark.parametrize("venue", [KRX, NXT])
def test_a_halt_keeps_what_rests_takes_cancels_and_nothing_else(venue: str) -> None:
    desk = Desk(venue).others(SELL, 70_100, 5)
    desk.sends("1", BUY, 1, 70_000)
    desk.sends("2", BUY, 1, 70_000)
    desk.exchange.set_halt(desk.book, True, 1)
    desk.said()
    assert [type(e) for e in desk.sends("3", BUY, 1, 70_100, "10")] == [OwnRejected]
    desk.exchange.take(desk.book, False, 70_000, 5, 1)
    assert only(desk.said(), OwnFilled) == []
    desk.exchange.cancel("1", 0, 1)
    assert ends(desk.said()) == [("1", 1, "canceled")]
    desk.exchange.set_halt(desk.book, False, 1)
    desk.exchange.take(desk.book, False, 70_000, 5, 1)
    assert ends(desk.said()) == [("2", 0, "filled")]


def test_a_vi_on_krx_is_an_auction_that_ends_at_one_price() -> None:
    desk = Desk(KRX).others(BUY, 69_900, 10).others(SELL, 70_100, 10)
    desk.exchange.set_vi(desk.book, True, 1)
    desk.said()
    assert [type(e) for e in desk.sends("0", BUY, 1, 70_100, "10")] == [OwnRejected]
    assert only(desk.sends("1", BUY, 4, 70_200), OwnFilled) == []
    desk.others(SELL, 70_000, 3)
    book = desk.book.snapshot()
    assert book.auction
    assert (book.expected_price, book.expected_qty) == (70_100, 4)
    assert book.bids[0][0] > book.asks[0][0], "an auction's book may cross"
    desk.exchange.set_vi(desk.book, False, 1)
    events = desk.said()
    assert fills(events, "1") == [(70_100, 4, 0)]
    assert desk.book.snapshot().bids[0] == (69_900, 10)
    assert desk.book.snapshot().asks[0] == (70_100, 9)


def test_a_vi_on_nxt_takes_no_new_orders() -> None:
    desk = Desk(NXT).others(SELL, 70_100, 5)
    desk.sends("1", BUY, 1, 70_000)
    desk.exchange.set_vi(desk.book, True, 1)
    desk.said()
    assert [type(e) for e in desk.sends("2", BUY, 1, 70_000)] == [OwnRejected]
    assert not desk.book.snapshot().auction
    desk.exchange.cancel("1", 0, 1)
    assert ends(desk.said()) == [("1", 1, "canceled")]


def test_an_auction_trades_the_most_it_can() -> None:
    desk = Desk(KRX, AUCTION)
    desk.others(BUY, 70_300, 5).others(BUY, 70_200, 5).others(BUY, 70_100, 5)
    desk.others(SELL, 70_000, 4).others(SELL, 70_100, 4).others(SELL, 70_200, 4)
    assert desk.book.clearing() == (70_200, 10)
    desk.exchange.set_phase(CONTINUOUS, 2, last=False)
    prints = only(desk.said(), TradePrinted)
    assert [(e.price, e.qty) for e in prints] == [(70_200, 10)]
    assert desk.book.snapshot().bids == [(70_100, 5)]
    assert desk.book.snapshot().asks == [(70_200, 2)]


def test_a_market_order_that_an_auction_leaves_over_rests_at_the_last_price() -> None:
    desk = Desk(KRX, AUCTION).others(SELL, 70_100, 2)
    desk.sends("1", BUY, 5, 0, "03")
    desk.exchange.set_phase(CONTINUOUS, 2, last=False)
    assert fills(desk.said(), "1") == [(70_100, 2, 3)]
    assert desk.book.snapshot().bids == [(70_100, 3)]


def test_the_end_of_the_day_releases_what_still_rests() -> None:
    desk = Desk(KRX)
    desk.sends("1", BUY, 5, 70_000)
    desk.exchange.set_phase(CLOSED, 9, last=True)
    assert ends(desk.said()) == [("1", 5, "venue")]
    assert desk.book.bids.total == 0


def test_what_rests_on_nxt_survives_a_break() -> None:
    desk = Desk(NXT)
    desk.sends("1", BUY, 5, 70_000)
    desk.exchange.set_phase(CLOSED, 2, last=False)
    desk.exchange.cancel("1", 0, 3)
    assert desk.said() == [CancelImpossible(3, "1")]
    assert desk.book.snapshot().bids == [], "a closed venue shows nothing"
    desk.exchange.set_phase(CONTINUOUS, 4, last=False)
    desk.exchange.take(desk.book, False, 70_000, 5, 5)
    assert ends(desk.said()) == [("1", 0, "filled")]


def test_the_book_shows_ten_levels_and_the_eleventh_does_not_publish() -> None:
    desk = Desk()
    for step in range(10):
        desk.others(BUY, 70_000 - 100 * step, 1)
    desk.exchange.publish(desk.book, 1)
    desk.said()
    desk.others(BUY, 69_000, 1)
    desk.exchange.publish(desk.book, 1)
    assert desk.said() == []
    assert len(desk.book.snapshot().bids) == 10
    assert desk.book.snapshot().bid_total == 11


# --- conservation ---------------------------------------------------------------------------------------------------

PRICES = price_grid(BASE)[205:216]
SIZES = st.integers(1, 30)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("post"), st.booleans(), st.sampled_from(PRICES), SIZES),
        st.tuples(st.just("take"), st.booleans(), st.sampled_from(PRICES), SIZES),
        st.tuples(st.just("withdraw"), st.booleans(), st.sampled_from(PRICES), SIZES),
        st.tuples(st.just("submit"), st.booleans(), st.sampled_from(PRICES), SIZES, st.sampled_from(sorted(HOGA))),
        st.tuples(st.just("cancel"), st.integers(0, 20), st.integers(0, 10)),
        st.tuples(st.just("vi"), st.booleans()),
        st.tuples(st.just("halt"), st.booleans()),
    ),
    max_size=60,
)


class Tally:
    """Shares in, shares out, and every own order's life, kept apart from the exchange."""

    def __init__(self) -> None:
        self.entered = 0
        self.left = 0
        self.traded = 0
        self.open: dict[str, int] = {}
        self.ended: list[str] = []

    def hears(self, events: list[MarketEvent], submitted: dict[str, int]) -> None:
        for event in events:
            match event:
                case OwnAccepted(_, order_no):
                    assert order_no not in self.open
                    self.open[order_no] = submitted[order_no]
                    self.entered += submitted[order_no]
                case OwnFilled(_, order_no, _, _, qty, leaves):
                    assert 0 < qty <= self.open[order_no]
                    self.open[order_no] -= qty
                    assert leaves == self.open[order_no]
                case OwnReduced(_, order_no, canceled, leaves):
                    self.open[order_no] -= canceled
                    assert leaves == self.open[order_no]
                    self.left += canceled
                case OwnEnded(_, order_no, unfilled, why):
                    assert unfilled == self.open.pop(order_no)
                    assert (why == "filled") == (unfilled == 0)
                    self.left += unfilled
                    self.ended.append(order_no)
                case TradePrinted(_, _, _, _, qty, _):
                    self.traded += qty
                case _:
                    pass


def check_book(book: OrderBook) -> None:
    for ladder in (book.bids, book.asks):
        assert ladder.keys == sorted(ladder.levels)
        for level in ladder.levels.values():
            assert level.total == sum(order.qty for order in level.queue) > 0
            assert all(order.qty > 0 for order in level.queue)
        assert ladder.total == sum(level.total for level in ladder.levels.values())
    if book.mode == CONTINUOUS:
        assert not book.crossed()


@pytest.mark.parametrize("venue", [KRX, NXT])
@settings(max_examples=80, deadline=None)
@given(steps=STEPS)
def test_no_share_appears_or_vanishes(venue: str, steps: list[tuple[Any, ...]]) -> None:
    desk, tally, submitted = Desk(venue), Tally(), dict[str, int]()
    exchange, book = desk.exchange, desk.book
    for number, step in enumerate(steps):
        match step:
            case ("post", buying, price, size):
                exchange.post(book, buying, price, size, 1)
                tally.entered += size
            case ("take", buying, price, size):
                exchange.take(book, buying, price, size, 1)
                tally.entered += sum(e.qty for e in only(desk.outbox, TradePrinted))
            case ("withdraw", buying, price, size):
                tally.left += book.withdraw(buying, price, size)
            case ("submit", buying, price, size, hoga):
                submitted[str(number)] = size
                limit = price if HOGA[hoga].pricing == "limit" else 0
                exchange.submit(str(number), SYMBOL, BUY if buying else SELL, size, limit, hoga, 1)
            case ("cancel", back, qty):
                exchange.cancel(str(number - back), qty, 1)
            case ("vi", active):
                exchange.set_vi(book, active, 1)
            case ("halt", active):
                exchange.set_halt(book, active, 1)
        tally.hears(desk.said(), submitted)
        check_book(book)
        hidden = sum(order.qty for order in (*book.mid_buys, *book.mid_sells))
        assert tally.entered == 2 * tally.traded + tally.left + book.bids.total + book.asks.total + hidden
        assert set(exchange.own_orders()) == set(tally.open)
    exchange.set_phase(CLOSED, 2, last=True)
    tally.hears(desk.said(), submitted)
    assert tally.open == {}
    assert len(tally.ended) == len(set(tally.ended))
