"""The simulated market as the broker's half sees it: the day, orders, halts, determinism, and what the flow offers."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from kiwoom.simulated.events import (
    Book,
    BookChanged,
    CancelImpossible,
    Halted,
    MarketEvent,
    OwnAccepted,
    OwnEnded,
    OwnFilled,
    OwnRejected,
    Resumed,
    SessionSignal,
    TradePrinted,
    ViEnded,
    ViStarted,
)
from kiwoom.simulated.market import Listing, SimulatedMarket
from kiwoom.simulated.rules import (
    AUCTION,
    BUY,
    CLOSED,
    CONTINUOUS,
    KRX,
    MILLISECOND,
    NXT,
    SECOND,
    SELL,
    VENUES,
    ceil_tick,
    floor_tick,
    tick,
    valid_price,
)
from kiwoom.simulated.scenario import FlowKnobs, Scenario, SessionKnobs, load_scenario

SHIPPED = Path(__file__).parents[3] / "config" / "scenarios"
MONDAY = 1_795_359_600 * SECOND
"""2026-11-23 00:00 in Seoul."""

STILL = Scenario(
    flow=FlowKnobs(quotes_per_second=1, trade_permille=0, fair_moves_per_minute=0, dislocations_per_minute=0)
)
"""A market in which next to nothing happens by itself."""

SYMBOL = "005930"
LISTINGS = (
    Listing(SYMBOL, "삼성전자", "KOSPI", 70_000, True),
    Listing("035720", "카카오", "KOSPI", 0, True),
    Listing("000001", "KRX만", "KOSDAQ", 9_990, False),
)
UNIVERSE = tuple(Listing(f"{number:06}", f"종목{number}", "KOSPI", 0, True) for number in range(1, 201))


def at(hours: int, minutes: int, seconds: int = 0) -> int:
    return MONDAY + (hours * 3_600 + minutes * 60 + seconds) * SECOND


def only(events: list[MarketEvent], kind: type[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


# --- the day --------------------------------------------------------------------------------------------------------


def test_a_run_from_just_before_the_overlap_has_krx_open_and_nxt_opens_with_its_signal() -> None:
    market = SimulatedMarket(STILL, LISTINGS, 1, at(9, 0, 25))
    assert (market.phase(KRX), market.phase(NXT)) == (CONTINUOUS, CLOSED)
    assert [signal.code for signal in market.last_signals()] == ["Q", "3"]
    assert market.book(NXT, SYMBOL) == Book([], [], 0, 0)
    before = market.advance(at(9, 0, 30) - 1)
    assert {event.venue for event in only(before, BookChanged)} <= {KRX}
    assert [type(e) for e in market.submit(NXT, "1", SYMBOL, BUY, 1, 70_000, "00", at(9, 0, 30) - 1)] == [OwnRejected]
    events = market.advance(at(9, 0, 30))
    assert events[0] == SessionSignal(at(9, 0, 30), "R", "090030", "000000")
    assert {e.symbol for e in only(events, BookChanged) if e.venue == NXT} == {SYMBOL, "035720"}
    assert market.phase(NXT) == CONTINUOUS
    assert len(market.book(NXT, SYMBOL).bids) == 10
    assert [signal.code for signal in market.last_signals()] == ["3", "R"]


def test_the_whole_days_signals_come_at_their_times() -> None:
    market = SimulatedMarket(STILL, LISTINGS, 1, at(7, 0))
    assert market.last_signals() == ()
    signals = only(market.advance(at(21, 0)), SessionSignal)
    assert [(signal.time, signal.code) for signal in signals] == [
        *(("080000", "P"), ("084000", "0"), ("085000", "0"), ("085000", "Q"), ("085500", "0"), ("085900", "0")),
        *(("090000", "3"), ("090030", "R"), ("152000", "2"), ("152000", "S"), ("153000", "4"), ("153000", "8")),
        *(("153000", "T"), ("154000", "a"), ("154000", "U"), ("160000", "b"), ("180000", "9"), ("200000", "V")),
    ]
    assert [s.remaining for s in signals if s.code in "02"] == ["002000", "001000", "000500", "000100", "001000"]
    assert all(signal.wall % (30 * SECOND) == 0 for signal in signals)


def test_a_withheld_signal_is_never_sent_but_its_phase_begins() -> None:
    scenario = Scenario(flow=STILL.flow, session=SessionKnobs(withhold=("R",)))
    market = SimulatedMarket(scenario, LISTINGS, 1, at(9, 0, 25))
    assert only(market.advance(at(9, 1)), SessionSignal) == []
    assert market.phase(NXT) == CONTINUOUS
    assert "R" not in [signal.code for signal in market.last_signals()]


@pytest.mark.parametrize(
    ("hours", "minutes", "phases"),
    [
        (7, 59, (CLOSED, CLOSED)),
        (8, 10, (CLOSED, CONTINUOUS)),
        (8, 45, (AUCTION, CONTINUOUS)),
        (10, 0, (CONTINUOUS, CONTINUOUS)),
        (15, 25, (AUCTION, CLOSED)),
        (15, 35, (CLOSED, AUCTION)),
        (15, 45, (CLOSED, CONTINUOUS)),
        (20, 0, (CLOSED, CLOSED)),
    ],
)
def test_a_run_may_start_at_any_time_and_finds_full_books(hours: int, minutes: int, phases: tuple[str, str]) -> None:
    market = SimulatedMarket(STILL, LISTINGS, 1, at(hours, minutes))
    assert (market.phase(KRX), market.phase(NXT)) == phases
    for venue, phase in zip(VENUES, phases, strict=True):
        book = market.book(venue, SYMBOL)
        assert (len(book.bids), len(book.asks)) == ((0, 0) if phase == CLOSED else (10, 10))


def test_there_is_always_a_next_event_also_after_the_last_signal() -> None:
    market = SimulatedMarket(STILL, LISTINGS, 1, at(20, 30))
    assert [e.code for e in only(market.advance(at(24 + 9, 1)), SessionSignal)][-2:] == ["3", "R"]
    assert market.next_at() > at(24 + 9, 1)


def test_an_order_on_krx_ends_with_the_closing_auction_and_one_on_nxt_with_the_evening() -> None:
    market = SimulatedMarket(STILL, LISTINGS, 1, at(15, 10))
    market.submit(KRX, "1", SYMBOL, BUY, 5, 50_000, "00", at(15, 11))
    market.submit(NXT, "2", SYMBOL, BUY, 5, 50_000, "00", at(15, 11))
    events = market.advance(at(20, 1))
    assert only(events, OwnEnded) == [OwnEnded(at(15, 30), "1", 5, "venue"), OwnEnded(at(20, 0), "2", 5, "venue")]


# --- listings -------------------------------------------------------------------------------------------------------


def test_a_missing_base_price_is_derived_from_the_seed_and_the_symbol_alone() -> None:
    one = SimulatedMarket(STILL, LISTINGS, 5, at(10, 0)).listing("035720").base_price
    other = SimulatedMarket(STILL, (LISTINGS[1],), 5, at(11, 0)).listing("035720").base_price
    assert one == other
    assert valid_price(one)
    prices = {SimulatedMarket(STILL, (LISTINGS[1],), seed, at(10, 0)).listing("035720").base_price for seed in range(9)}
    assert len(prices) > 5


def test_limits_are_those_of_the_base_price() -> None:
    market = SimulatedMarket(STILL, LISTINGS, 1, at(10, 0))
    assert market.limits(SYMBOL) == (49_000, 91_000)
    assert market.limits("000001") == (ceil_tick(6_993), floor_tick(12_987))


def test_a_share_that_nxt_does_not_trade_has_no_book_there() -> None:
    market = SimulatedMarket(STILL, LISTINGS, 1, at(10, 0))
    assert [type(e) for e in market.submit(NXT, "1", "000001", BUY, 1, 9_990, "00", at(10, 0))] == [OwnRejected]
    with pytest.raises(KeyError):
        market.book(NXT, "000001")


# --- our orders -----------------------------------------------------------------------------------------------------


def test_our_ioc_takes_the_touch_and_our_limit_shows_in_the_book() -> None:
    market = SimulatedMarket(STILL, LISTINGS, 1, at(10, 0))
    wall = at(10, 0) + 1
    price, size = market.book(NXT, SYMBOL).bids[0]
    events = market.submit(NXT, "1", SYMBOL, SELL, size + 3, price, "10", wall)
    assert [type(e) for e in events] == [
        OwnAccepted,
        *[OwnFilled] * (len(events) - 4),
        TradePrinted,
        OwnEnded,
        BookChanged,
    ]
    assert sum(e.qty for e in only(events, OwnFilled)) == size
    assert only(events, OwnEnded) == [OwnEnded(wall, "1", 3, "ioc")]
    assert market.submit(NXT, "2", SYMBOL, BUY, 4, price, "00", wall) == [
        OwnAccepted(wall, "2"),
        BookChanged(wall, NXT, SYMBOL),
    ]
    assert market.book(NXT, SYMBOL).bids[0] == (price, 4)
    assert market.cancel(NXT, "2", 0, wall) == [OwnEnded(wall, "2", 4, "canceled"), BookChanged(wall, NXT, SYMBOL)]
    assert market.cancel(KRX, "2", 0, wall) == [CancelImpossible(wall, "2")]


def test_a_call_runs_what_was_due_before_it() -> None:
    market = SimulatedMarket(STILL, LISTINGS, 1, at(9, 0, 25))
    events = market.submit(NXT, "1", SYMBOL, BUY, 1, 60_000, "00", at(9, 0, 40))
    kinds = [type(event) for event in events]
    assert SessionSignal in kinds[: kinds.index(OwnAccepted)]
    assert [event.wall for event in events] == sorted(event.wall for event in events)


# --- halts and VI ---------------------------------------------------------------------------------------------------


def test_a_halt_on_krx_stops_nxt_too_and_one_on_nxt_stops_nxt_alone() -> None:
    market = SimulatedMarket(STILL, LISTINGS, 1, at(10, 0))
    halted = market.halt(NXT, SYMBOL, at(10, 1), 30)
    assert only(halted, Halted) == [Halted(at(10, 1), NXT, SYMBOL)]
    assert [type(e) for e in market.submit(NXT, "1", SYMBOL, BUY, 1, 70_000, "00", at(10, 1))] == [OwnRejected]
    assert type(market.submit(KRX, "2", SYMBOL, BUY, 1, 60_000, "00", at(10, 1))[0]) is OwnAccepted
    assert only(market.advance(at(10, 1, 30)), Resumed) == [Resumed(at(10, 1, 30), NXT, SYMBOL)]
    halted = market.halt(KRX, SYMBOL, at(10, 2), 30)
    assert {event.venue for event in only(halted, Halted)} == {KRX, NXT}
    assert market.halt(KRX, SYMBOL, at(10, 2), 99) == [], "halted already"
    assert {event.venue for event in only(market.advance(at(10, 3)), Resumed)} == {KRX, NXT}
    assert type(market.submit(NXT, "3", SYMBOL, BUY, 1, 60_000, "00", at(10, 3))[0]) is OwnAccepted


def test_a_vi_on_krx_is_an_auction_there_while_nxt_trades_on() -> None:
    scenario = load_scenario("dislocations", SHIPPED)
    market = SimulatedMarket(scenario, LISTINGS[:1], 1, at(10, 0))
    assert only(market.start_vi(KRX, SYMBOL, at(10, 0, 1)), ViStarted) == [ViStarted(at(10, 0, 1), KRX, SYMBOL)]
    assert market.start_vi(KRX, SYMBOL, at(10, 0, 2))[-1:] != [ViStarted(at(10, 0, 2), KRX, SYMBOL)]
    during = market.advance(at(10, 2, 1) - 1)
    assert {event.venue for event in only(during, TradePrinted)} == {NXT}
    assert market.book(KRX, SYMBOL).auction
    assert market.book(KRX, SYMBOL).expected_qty > 0
    end = market.advance(at(10, 2, 1))
    assert ViEnded(at(10, 2, 1), KRX, SYMBOL) in end
    assert [event.buyer_initiated for event in only(end, TradePrinted) if event.venue == KRX][:1] == [False]
    book = market.book(KRX, SYMBOL)
    assert not book.auction
    assert book.bids[0][0] < book.asks[0][0]


def test_a_vi_on_nxt_refuses_orders_for_two_minutes_and_takes_cancels() -> None:
    market = SimulatedMarket(STILL, LISTINGS, 1, at(10, 0))
    market.submit(NXT, "1", SYMBOL, BUY, 1, 60_000, "00", at(10, 1))
    market.start_vi(NXT, SYMBOL, at(10, 1))
    assert [type(e) for e in market.submit(NXT, "2", SYMBOL, BUY, 1, 60_000, "00", at(10, 2))][-1:] == [OwnRejected]
    assert type(market.cancel(NXT, "1", 0, at(10, 2))[0]) is OwnEnded
    assert ViEnded(at(10, 3), NXT, SYMBOL) in market.advance(at(10, 3))
    assert type(market.submit(NXT, "3", SYMBOL, BUY, 1, 60_000, "00", at(10, 3))[0]) is OwnAccepted


def test_a_scenario_may_have_vis_of_its_own() -> None:
    flow = FlowKnobs(quotes_per_second=1, dislocations_per_minute=0, vis_per_hour=60)
    events = SimulatedMarket(Scenario(flow=flow), UNIVERSE, 1, at(10, 0)).advance(at(10, 30))
    assert {event.venue for event in only(events, ViStarted)} == {KRX, NXT}
    assert len(only(events, ViEnded)) > 10


# --- determinism ----------------------------------------------------------------------------------------------------


def history(seed: int) -> str:
    """A digest of eight seconds of the busy scenario with a few orders of ours in it."""
    market = SimulatedMarket(load_scenario("busy", SHIPPED), UNIVERSE[:40], seed, at(9, 0, 25))
    digest = sha256()
    for number in range(80):
        wall = at(9, 0, 25) + number * 100 * MILLISECOND
        events = market.advance(wall)
        symbol = UNIVERSE[number % 40].symbol
        venue = VENUES[number % 2]
        if (bids := market.book(venue, symbol).bids) and number % 3 == 0:
            events += market.submit(venue, str(number), symbol, SELL, 7, bids[0][0], ("10", "00")[number % 2], wall)
        digest.update(repr((events, market.book(venue, symbol))).encode())
    return digest.hexdigest()


def test_the_same_seed_gives_the_same_market_whatever_the_hash_seed() -> None:
    here = Path(__file__).parents[3]
    program = (
        "import importlib.util as u; s = u.spec_from_file_location('m', r'" + __file__ + "'); "
        "m = u.module_from_spec(s); import sys; sys.modules['m'] = m; s.loader.exec_module(m); print(m.history(3))"
    )
    digests = {history(3)}
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(here), "PYTHONIOENCODING": "utf-8"}
        answer = subprocess.run(
            [sys.executable, "-c", program], env=environment, cwd=here, capture_output=True, text=True, check=True
        )
        digests.add(answer.stdout.strip())
    assert len(digests) == 1
    assert history(4) not in digests


def test_how_often_the_market_is_asked_does_not_change_it() -> None:
    scenario = load_scenario("dislocations", SHIPPED)
    at_once = SimulatedMarket(scenario, UNIVERSE[:20], 3, at(9, 0, 25)).advance(at(9, 0, 35))
    stepped = SimulatedMarket(scenario, UNIVERSE[:20], 3, at(9, 0, 25))
    events: list[MarketEvent] = []
    while stepped.next_at() <= at(9, 0, 35):
        events += stepped.advance(stepped.next_at())
    assert events == at_once


# --- what the flow offers -------------------------------------------------------------------------------------------


@dataclass
class Watch:
    """A market seen through its books: every change, and every executable edge from its start to its end."""

    market: SimulatedMarket
    changed: int = 0
    unchanged: int = 0
    books: dict[tuple[str, str], Book] = field(default_factory=dict)
    live: dict[str, int] = field(default_factory=dict)
    edges: list["Edge"] = field(default_factory=list)
    lives_ms: list[int] = field(default_factory=list)

    def run(self, until: int) -> Iterator["Edge"]:
        """Advance instant by instant; yields each edge as it appears."""
        while self.market.next_at() <= until:
            wall = self.market.next_at()
            symbols = {e.symbol: None for e in self.sees(self.market.advance(wall)) if isinstance(e, BookChanged)}
            for symbol in symbols:
                edge = edge_of(self.market, symbol, wall)
                if edge is not None and symbol not in self.live:
                    self.live[symbol] = wall
                    self.edges.append(edge)
                    yield edge
                elif edge is None and symbol in self.live:
                    self.lives_ms.append((wall - self.live.pop(symbol)) // MILLISECOND)

    def sees(self, events: list[MarketEvent]) -> list[MarketEvent]:
        for event in events:
            if isinstance(event, BookChanged):
                key = (event.venue, event.symbol)
                book = self.market.book(*key)
                if book[:2] == self.books.get(key, (None, None))[:2]:
                    self.unchanged += 1
                else:
                    self.changed += 1
                self.books[key] = book
        return events


@dataclass(frozen=True)
class Edge:
    wall: int
    symbol: str
    rich: str
    sell_bid: int
    buy_ask: int
    size: int

    @property
    def cheap(self) -> str:
        return NXT if self.rich == KRX else KRX


def edge_of(market: SimulatedMarket, symbol: str, wall: int) -> Edge | None:
    """An edge of 0.30 % of the price and one tick, or more."""
    for rich, cheap in ((KRX, NXT), (NXT, KRX)):
        bids, asks = market.book(rich, symbol).bids, market.book(cheap, symbol).asks
        if bids and asks:
            (bid, bid_size), (ask, ask_size) = bids[0], asks[0]
            if (bid - ask - max(tick(bid), tick(ask))) * 1_000 >= 3 * bid:
                return Edge(wall, symbol, rich, bid, ask, min(bid_size, ask_size))
    return None


def test_a_minute_of_dislocations_has_the_quotes_and_the_edges_that_it_promises() -> None:
    market = SimulatedMarket(load_scenario("dislocations", SHIPPED), UNIVERSE, 7, at(10, 0))
    watch = Watch(market)
    edges = list(watch.run(at(10, 1)))
    assert watch.changed >= 60 * 1_000
    assert watch.unchanged <= watch.changed // 100, "what is published has changed"
    assert len(edges) >= 40
    assert sum(edge.size < 7 for edge in edges) * 3 >= len(edges)
    assert sum(edge.size >= 100 for edge in edges) >= 5
    assert len({edge.symbol for edge in edges}) >= 30
    assert {edge.rich for edge in edges} == {KRX, NXT}
    assert sum(life <= 25 for life in watch.lives_ms) >= 8
    assert sum(life >= 300 for life in watch.lives_ms) >= 8
    assert max(watch.lives_ms) <= 3_100
    for symbol in (listing.symbol for listing in UNIVERSE):
        for venue in VENUES:
            book = market.book(venue, symbol)
            assert 8 <= len(book.bids) <= 10
            assert 8 <= len(book.asks) <= 10
            assert book.bids[0][0] < book.asks[0][0]


def test_a_small_slice_meets_every_fate_in_the_dislocations_scenario() -> None:
    """The trading side's rule by hand: a sale of 7 arrives 20 ms after the quote, the hedge is posted 60 ms later at
    the ask that was seen, and a second later what is left is cancelled and bought two ticks through the touch."""
    market = SimulatedMarket(load_scenario("dislocations", SHIPPED), UNIVERSE, 11, at(10, 0))
    watch = Watch(market)
    fates: Counter[str] = Counter()
    bought = sold = 0
    for number, edge in enumerate(watch.run(at(10, 2))):
        now = edge.wall + 20 * MILLISECOND
        entry = watch.sees(market.submit(edge.rich, f"E{number}", edge.symbol, SELL, 7, edge.sell_bid, "10", now))
        filled = sum(e.qty for e in only(entry, OwnFilled))
        sold += filled
        fates["entry missed" if not filled else "entry partial" if filled < 7 else "entry whole"] += 1
        if not filled:
            continue
        now += 60 * MILLISECOND
        hedge = f"H{number}"
        posted = watch.sees(market.submit(edge.cheap, hedge, edge.symbol, BUY, filled, edge.buy_ask, "00", now))
        at_once = sum(e.qty for e in only(posted, OwnFilled))
        waited = watch.sees(market.advance(now + SECOND))
        later = sum(e.qty for e in only(waited, OwnFilled) if e.order_no == hedge)
        bought += at_once + later
        left = filled - at_once - later
        if not left:
            fates["hedge at once" if not later else "hedge passive"] += 1
            continue
        now += SECOND
        assert only(market.cancel(edge.cheap, hedge, 0, now), OwnEnded)[-1].unfilled == left
        limit = market.book(edge.cheap, edge.symbol).asks[0][0]
        for _ in range(2):
            limit += tick(limit)
        escalated = watch.sees(market.submit(edge.cheap, f"I{number}", edge.symbol, BUY, left, limit, "10", now))
        bought += sum(e.qty for e in only(escalated, OwnFilled))
        fates["hedge escalated"] += 1
    assert bought == sold
    for fate in ("entry missed", "entry partial", "entry whole", "hedge at once", "hedge passive", "hedge escalated"):
        assert fates[fate] >= 3, (fate, fates)


@pytest.mark.parametrize(("name", "low", "high"), [("calm", 270, 420), ("busy", 2_600, 3_800)])
def test_the_other_scenarios_publish_what_their_name_says(name: str, low: int, high: int) -> None:
    market = SimulatedMarket(load_scenario(name, SHIPPED), UNIVERSE, 7, at(10, 0))
    changes = only(market.advance(at(10, 0, 10)), BookChanged)
    assert low * 10 <= len(changes) <= high * 10


def test_a_quiet_nxt_is_thin_and_at_times_one_sided_while_krx_is_whole() -> None:
    market = SimulatedMarket(load_scenario("quiet-nxt", SHIPPED), UNIVERSE, 7, at(10, 0))
    symbols = [listing.symbol for listing in UNIVERSE]
    assert all(market.book(NXT, symbol).bids and market.book(NXT, symbol).asks for symbol in symbols), "starts filled"
    market.advance(at(10, 0, 20))
    thin = [market.book(NXT, symbol) for symbol in symbols]
    whole = [market.book(KRX, symbol) for symbol in symbols]
    assert any(not book.bids or not book.asks for book in thin)
    assert all(book.bids and book.asks for book in whole)
    assert sum(book.bid_total for book in thin) * 10 < sum(book.bid_total for book in whole)


def test_our_orders_do_not_shift_when_and_where_the_next_dislocation_comes() -> None:
    """Seen by the edges of symbols that we never touch, in a flow that does nothing but dislocate."""
    scenario = Scenario(flow=FlowKnobs(quotes_per_second=1, trade_permille=0, fair_moves_per_minute=0, aftershocks=0))
    touched = UNIVERSE[0].symbol
    histories = []
    for orders in (0, 50):
        market = SimulatedMarket(scenario, UNIVERSE, 5, at(10, 0))
        for number in range(orders):
            market.submit(KRX, str(number), touched, BUY, 9, 0, "13", at(10, 0))
        edges = list(Watch(market).run(at(10, 0, 40)))
        histories.append([(e.wall, e.symbol, e.rich, e.sell_bid, e.buy_ask) for e in edges if e.symbol != touched])
    assert len(histories[0]) >= 30
    assert histories[0] == histories[1]


def test_a_rush_to_the_limit_may_come_and_go_at_any_moment_of_a_dislocation() -> None:
    """Both sides and the usual prices are back afterwards, however the dislocation under way ended in between."""
    flow = FlowKnobs(quotes_per_second=200, dislocations_per_minute=600, fair_moves_per_minute=300)
    listing = Listing("005930", "x", "KOSPI", 72_000, nxt=True)
    market = SimulatedMarket(Scenario(flow=flow), [listing], 5, at(10, 0))
    wall = at(10, 0)
    at_limit = 0
    for turn in range(60):
        wall += 300_000_000 + turn * 7_000_000
        market.rush_to_limit("005930", turn % 2 == 0, wall, 1)
        wall += 500_000_000
        market.advance(wall)
        books = [market.book(venue, "005930") for venue in ("KRX", "NXT")]
        at_limit += all(not (book.asks if turn % 2 == 0 else book.bids) for book in books)
        wall += 600_000_000
        market.advance(wall)
        for venue in ("KRX", "NXT"):
            book = market.book(venue, "005930")
            assert 60_000 < book.bids[0][0] < book.asks[0][0] < 85_000
    assert at_limit == 60
