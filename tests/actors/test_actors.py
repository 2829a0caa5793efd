"""Each actor through its real shell, with the shipped settings and a frozen clock, among listeners in all other roles.

simpleSystemBase runs everything in this process; a wake-up that is due is delivered with the next message.
"""

import gc
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from freezegun import freeze_time
from thespian.actors import ActorSystem

from actors.clock import HostClock
from actors.effects import Role
from actors.gateway import Gateway
from actors.messages.journal import EventType, RowsPosted, RowsWritten
from actors.messages.market_data import FeedEnded, LimitsKnown, QuoteBatch, ShardCounted, TopsBatch, VenueOpen, WatchTop
from actors.messages.orders import (
    CancelOrder,
    OrderAccepted,
    OrderAcked,
    OrderFilled,
    OrderKind,
    OrderStyle,
    OrderSubmitted,
    PlaceOrder,
)
from actors.messages.pairs import AccountSnapshot, Leg, PairAdvanced, PairPlan, PairState, StartPair
from actors.messages.session import (
    BrokerStatus,
    FeedsRegistered,
    Phase,
    RegisterFeeds,
    SessionSignalSeen,
    TradingState,
)
from actors.messages.spread import AttemptEnded, AttemptOutcome, AttemptStarted, Signal, SignalDropped
from actors.messages.supervision import ClockSettings, Enlist, Enlisted, Ping
from actors.messages.telemetry import MachineFigures
from actors.messages.throttle import EntryGranted, RecentSends, RequestEntry, SlotUsed
from config.reader import load
from kiwoom.market import MS, SECOND, VENUES, Market, Nanos, Shares, Side, Symbol, Venue, WallNanos, Won
from kiwoom.quotes import QUOTE, TOP
from supervision.cast import RunIdentity, cast_of
from supervision.child import ChildSpec
from supervision.system import QUIET
from tests.support.builders import pair_rows
from tests.support.listener import Listener
from tests.support.playbook import TEN_O_CLOCK

SAMSUNG = Symbol("005930")
"""The universe's first: index 0, shard 0."""
KRX, NXT = 0, 1
PAIR = "p1"


@pytest.fixture(autouse=True)
def shared_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """These actors live in the process of the tests: it keeps its priority, and its garbage is collected again."""
    monkeypatch.setattr(os, "nice", lambda increment: increment, raising=False)
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def cast() -> dict[tuple[str, int], ChildSpec]:
    """Everyone with the settings that the shipped configuration gives them; armed as soon as all conditions hold."""
    identity = RunIdentity(
        "paper", date(2026, 11, 23), "T", Path("journal.db"), True, True, Gateway, None, ("simulated",), 0, "test"
    )
    return {spec.key: spec for spec in cast_of(load(None), identity)}


class Stage:
    """Some real actors; a Listener in every other role. Starts at ten o'clock, or when `clock` says."""

    def __init__(self, clock: Any, cast: dict[tuple[str, int], ChildSpec], *real: Role) -> None:
        self.clock = clock
        self.system = ActorSystem("simpleSystemBase", logDefs=QUIET, transientUnique=True)
        played = [key for key in cast if Role(key[0]) in real]
        self.addresses = {
            key: self.system.createActor(cast[key].actor_class if key in played else Listener)
            for key in (*cast, (Role.SUPERVISOR.value, 0))
        }
        self._bystander = self.system.createActor(Listener)
        self._looked: Counter[tuple[str, int]] = Counter()
        for key in played:
            settings = cast[key].settings
            self.system.tell(self.addresses[key], Enlist(*key, settings, self.addresses, ClockSettings(0), 0))
        assert [(each.name, each.index) for each in self.heard(Role.SUPERVISOR, Enlisted)] == played

    @property
    def mono(self) -> Nanos:
        return HostClock(0).now().mono

    def tell(self, role: Role, *messages: object, index: int = 0) -> None:
        for message in messages:
            self.system.tell(self.addresses[role.value, index], message)

    def passes(self, milliseconds: float) -> None:
        # A microsecond more: frozen stamps are made from floats, up to 256 ns too early.
        self.clock.tick(timedelta(milliseconds=milliseconds, microseconds=1))
        self.system.tell(self._bystander, Ping(self.mono))  # any message: wake-ups that are due go before it

    def heard(self, role: Role, kind: Any = object, index: int = 0) -> list[Any]:
        """What a listener heard since the last look, only that of `kind`."""
        key = (role.value, index)
        everything = self.system.ask(self.addresses[key], "what?", 5)
        news = everything[self._looked[key] :]
        self._looked[key] = len(everything)
        return [message for message in news if isinstance(message, kind)]

    def events_posted(self) -> list[EventType]:
        """The rows that reached the Gateway since the last look."""
        return [row.event_type for message in self.heard(Role.GATEWAY, RowsPosted) for row in message.rows]


@pytest.fixture
def clock() -> Iterator[Any]:
    with freeze_time("2026-11-23 01:00:00") as frozen:
        yield frozen


@pytest.fixture
def stage(clock: Any, cast: dict[tuple[str, int], ChildSpec], request: pytest.FixtureRequest) -> Iterator[Stage]:
    """Parametrized with the roles that are played for real."""
    made = Stage(clock, cast, *request.param)
    yield made
    made.system.shutdown()


def playing(*roles: Role) -> Any:
    return pytest.mark.parametrize("stage", [roles], indirect=True, ids=["+".join(role.value for role in roles)])


def trading(armed: bool = True) -> TradingState:
    until = WallNanos(TEN_O_CLOCK + 3_600 * SECOND)
    return TradingState(armed, "", until, until, (Phase.RUNNING, Phase.RUNNING), True)


def account() -> AccountSnapshot:
    holdings = ((SAMSUNG, Shares(20), Shares(20)),)
    limits = ((SAMSUNG, Won(50_000), Won(90_000)),)
    return AccountSnapshot("1", "simulated", holdings, Won(10_000_000), limits, (SAMSUNG,), (), Nanos(0))


def quote(venue: int, bid: int, ask: int, recv: int) -> bytes:
    return QUOTE.pack(0, venue, 0, bid, 10, ask, 10, recv)


def edge(recv: int) -> TopsBatch:
    """Buy on KRX at 70,000, sell on NXT at 70,500."""
    return TopsBatch(0, TOP.pack(0, 3, 69_900, 10, 70_000, 10, 70_500, 10, 70_600, 10, recv, recv))


def signal(at: Nanos) -> Signal:
    return Signal(
        pair_id=PAIR,
        symbol=SAMSUNG,
        symbol_index=0,
        buy_venue=Venue.KRX,
        sell_venue=Venue.NXT,
        buy_ask=Won(70_000),
        sell_bid=Won(70_500),
        buy_size=Shares(10),
        sell_size=Shares(10),
        buy_cost_mwon=10_500,
        sell_cost_mwon=12_467,
        tax_mwon=141_000,
        buffer_mwon=100_000,
        net_edge_mwon=336_033,
        net_edge_centibps=4_800,
        tick_recv=at,
        cause_at=at,
        at=at,
        bids=(Won(69_900), Won(70_500)),
        asks=(Won(70_000), Won(70_600)),
    )


def plan() -> PairPlan:
    return PairPlan(
        pair_id=PAIR,
        symbol=SAMSUNG,
        symbol_index=0,
        shard=0,
        market=Market.KOSPI,
        slot=0,
        qty=Shares(1),
        entry=Leg(Venue.NXT, Side.SELL, OrderStyle.LIMIT_IOC, Won(70_500)),
        hedge=Leg(Venue.KRX, Side.BUY, OrderStyle.LIMIT, Won(70_000)),
        hedge_lock_price=Won(70_000),
        lower_limit=Won(50_000),
        upper_limit=Won(90_000),
        t_hedge_ns=Nanos(SECOND),
        ioc_end_ns=Nanos(500 * MS),
        cancel_ns=Nanos(300 * MS),
        hedge_ioc_only=False,
        hedge_ioc_ticks=2,
        hedge_fallback_best=True,
        max_hedge_attempts=5,
        expected_net_mwon=336_033,
        flat_by_wall=WallNanos(TEN_O_CLOCK + 3_600 * SECOND),
    )


def hedge(name: str) -> PlaceOrder:
    return PlaceOrder(
        name, PAIR, 0, OrderKind.HEDGE, "B", SAMSUNG, 0, Venue.KRX, Side.BUY, Shares(1), OrderStyle.LIMIT, Won(70_000)
    )


def fill(order: PlaceOrder, price: int, exec_id: str, at: Nanos) -> OrderFilled:
    return OrderFilled(
        order.pair_id, order.cl_ord_id, exec_id, order.venue, order.side, Won(price), order.qty, order.qty, Shares(0),
        None, None, at,
    )  # fmt: skip


# --- one at a time ---------------------------------------------------------------------------------------------------


@playing(Role.SESSION_STATE)
def test_session_state_arms_when_the_guard_begins_and_not_before(stage: Stage) -> None:
    stage.clock.move_to("2026-11-23 00:00:31")  # 09:00:31 in Seoul
    now = HostClock(0).now()
    signals = [SessionSignalSeen(code, "090030", now.mono, now.wall) for code in ("3", "R")]
    stage.tell(Role.SESSION_STATE, BrokerStatus(True, ""), *signals)
    assert stage.heard(Role.GATEWAY, RegisterFeeds) == [RegisterFeeds()]
    stage.tell(Role.SESSION_STATE, FeedsRegistered(400, 4))
    assert [state.reason for state in stage.heard(Role.ROUTER, TradingState)][-1] == "before 09:00:32"
    stage.passes(999)
    assert not any(state.armed for state in stage.heard(Role.ROUTER, TradingState))
    stage.passes(1)
    (armed,) = stage.heard(Role.ROUTER, TradingState)
    assert armed.armed
    for role in (Role.SPREAD_ENGINE, Role.GATEWAY, Role.TELEMETRY, Role.SUPERVISOR):
        assert stage.heard(role, TradingState)[-1] == armed
    stage.passes(25)
    assert stage.events_posted()[-1] is EventType.ARMED


@playing(Role.MARKET_DATA)
def test_market_data_passes_tops_on_at_once_and_its_counts_four_times_a_second(stage: Stage) -> None:
    opened = [VenueOpen(venue, True) for venue in VENUES]
    stage.tell(Role.MARKET_DATA, LimitsKnown(((0, Won(50_000), Won(90_000)),)), *opened)
    stage.heard(Role.SPREAD_ENGINE)
    stage.tell(Role.MARKET_DATA, QuoteBatch(quote(KRX, 69_900, 70_000, 5), (2, 1)))
    assert [top.shard for top in stage.heard(Role.SPREAD_ENGINE, TopsBatch)] == [0]
    stage.heard(Role.TELEMETRY)
    stage.tell(Role.MARKET_DATA, QuoteBatch(quote(NXT, 70_500, 70_600, 6)))
    ((*_, top),) = [list(TOP.iter_unpack(batch.payload)) for batch in stage.heard(Role.SPREAD_ENGINE, TopsBatch)]
    assert top == (0, 3, 69_900, 10, 70_000, 10, 70_500, 10, 70_600, 10, 5, 6)
    stage.passes(249)
    assert stage.heard(Role.TELEMETRY, ShardCounted) == []
    stage.passes(1)
    assert stage.heard(Role.TELEMETRY) == [ShardCounted(0, (1, 1), (2, 1), 2, 0, False)]
    stage.tell(Role.MARKET_DATA, FeedEnded())
    assert [counted.final for counted in stage.heard(Role.TELEMETRY)] == [True]


@playing(Role.SPREAD_ENGINE)
def test_the_engine_signals_a_persistent_edge_again_when_its_cooldown_ends(stage: Stage) -> None:
    stage.tell(Role.SPREAD_ENGINE, trading(), edge(recv=stage.mono))
    (first,) = stage.heard(Role.ROUTER, Signal)
    assert (first.symbol, first.buy_venue, first.sell_venue, first.net_edge_mwon > 0) == (
        SAMSUNG, Venue.KRX, Venue.NXT, True,
    )  # fmt: skip
    stage.tell(Role.SPREAD_ENGINE, AttemptStarted(SAMSUNG, first.pair_id))
    missed = AttemptEnded(SAMSUNG, first.pair_id, AttemptOutcome.MISSED, stage.mono)
    stage.tell(Role.SPREAD_ENGINE, missed)
    stage.passes(99)
    assert stage.heard(Role.ROUTER, Signal) == []
    stage.passes(1)
    (second,) = stage.heard(Role.ROUTER, Signal)
    assert second.pair_id != first.pair_id
    assert 100 * MS <= second.at - first.at < 101 * MS
    stage.passes(25)
    assert stage.events_posted() == [
        EventType.SIGNAL,
        EventType.COOLDOWN_ARMED,
        EventType.COOLDOWN_CLEAR,
        EventType.SIGNAL,
    ]


@playing(Role.THROTTLER)
def test_a_hedge_waits_for_the_window_at_the_throttler_and_leaves_when_it_opens(stage: Stage) -> None:
    stage.tell(Role.THROTTLER, RecentSends((stage.mono,) * 5), hedge("h1"))
    stage.passes(1_000)
    assert stage.heard(Role.GATEWAY, PlaceOrder) == []
    stage.passes(50)
    (order,) = stage.heard(Role.GATEWAY, PlaceOrder)
    assert order == replace(hedge("h1"), grant_id=order.grant_id)
    assert order.grant_id is not None
    stage.tell(Role.THROTTLER, SlotUsed(order.grant_id, OrderKind.HEDGE, stage.mono, stage.mono, overload=False))
    stage.tell(Role.THROTTLER, RequestEntry(PAIR))
    assert [granted.pair_id for granted in stage.heard(Role.ROUTER, EntryGranted)] == [PAIR]


@playing(Role.ROUTER)
def test_a_signal_is_dropped_when_the_throttler_never_answers(stage: Stage) -> None:
    stage.tell(Role.ROUTER, trading(), account(), signal(stage.mono))
    assert stage.heard(Role.THROTTLER) == [RequestEntry(PAIR)]
    stage.passes(199)
    assert stage.heard(Role.SPREAD_ENGINE, SignalDropped) == []
    stage.passes(1)
    (dropped,) = stage.heard(Role.SPREAD_ENGINE, SignalDropped)
    assert dropped.symbol == SAMSUNG
    assert dropped.retry_at is not None
    assert dropped.retry_at > stage.mono
    stage.passes(25)
    assert stage.events_posted() == [EventType.NOT_ADMITTED]


@playing(Role.PAIR_MANAGER)
def test_a_pair_whose_hedge_does_not_fill_in_time_cancels_it(stage: Stage) -> None:
    stage.tell(Role.PAIR_MANAGER, StartPair(plan(), 7, Nanos(stage.mono + 100 * MS)))
    (entry,) = stage.heard(Role.GATEWAY, PlaceOrder)
    assert (entry.kind, entry.grant_id, entry.venue, entry.side) == (OrderKind.ENTRY, 7, Venue.NXT, Side.SELL)
    assert stage.heard(Role.MARKET_DATA) == [WatchTop(0, 0, True)]
    stage.passes(30)
    stage.tell(Role.PAIR_MANAGER, OrderSubmitted(PAIR, entry.cl_ord_id, stage.mono))
    stage.tell(Role.PAIR_MANAGER, OrderAcked(PAIR, entry.cl_ord_id, "0000001", stage.mono))
    stage.tell(Role.PAIR_MANAGER, fill(entry, 70_500, "1", stage.mono))
    (post,) = stage.heard(Role.THROTTLER)
    assert (post.kind, post.venue, post.side, post.price) == (OrderKind.HEDGE, Venue.KRX, Side.BUY, 70_000)
    stage.tell(Role.PAIR_MANAGER, OrderSubmitted(PAIR, post.cl_ord_id, stage.mono))
    stage.tell(Role.PAIR_MANAGER, OrderAcked(PAIR, post.cl_ord_id, "0000002", stage.mono))
    stage.tell(Role.PAIR_MANAGER, OrderAccepted(PAIR, post.cl_ord_id, Shares(1), stage.mono))
    stage.passes(999)
    assert stage.heard(Role.THROTTLER) == []
    stage.passes(1)
    (cancel,) = stage.heard(Role.THROTTLER, CancelOrder)
    assert (cancel.target, cancel.slot) == (post.cl_ord_id, 0)
    # The fill won the race: the pair is done all the same.
    stage.tell(Role.PAIR_MANAGER, fill(post, 70_000, "2", stage.mono))
    states = [advanced.state for advanced in stage.heard(Role.ROUTER, PairAdvanced)]
    assert states[:1] == [PairState.ENTRY_TAKE_SENT]
    stage.passes(25)
    events = stage.events_posted()
    assert EventType.HEDGE_TIMEOUT in events
    assert EventType.PAIRED_DONE in events


@playing(Role.TELEMETRY)
def test_telemetry_shows_figures_half_a_second_after_the_news(stage: Stage) -> None:
    stage.tell(Role.TELEMETRY, RowsWritten(tuple(pair_rows(net=120)), 9))
    stage.passes(499)
    assert stage.heard(Role.SUPERVISOR) == []
    stage.passes(1)
    (figures,) = stage.heard(Role.SUPERVISOR, MachineFigures)
    assert (figures.signals, figures.pairs_done, figures.net_won, figures.at) == (1, 1, 120, stage.mono)
    stage.passes(5_000)
    assert stage.heard(Role.SUPERVISOR) == []


# --- several together -------------------------------------------------------------------------------------------------

ORDER_PATH = (Role.MARKET_DATA, Role.SPREAD_ENGINE, Role.ROUTER, Role.THROTTLER, Role.PAIR_MANAGER)


@playing(*ORDER_PATH)
def test_a_quote_becomes_an_entry_a_hedge_and_a_finished_pair(stage: Stage) -> None:
    for role in (Role.SPREAD_ENGINE, Role.ROUTER, Role.THROTTLER):
        stage.tell(role, trading())
    stage.tell(Role.ROUTER, account())
    opened = [VenueOpen(venue, True) for venue in VENUES]
    stage.tell(Role.MARKET_DATA, LimitsKnown(((0, Won(50_000), Won(90_000)),)), *opened)
    recv = stage.mono
    quotes = quote(KRX, 69_900, 70_000, recv) + quote(NXT, 70_500, 70_600, recv)
    stage.tell(Role.MARKET_DATA, QuoteBatch(quotes))

    (entry,) = stage.heard(Role.GATEWAY, PlaceOrder)
    assert (entry.kind, entry.symbol, entry.symbol_index, entry.slot, entry.qty) == (OrderKind.ENTRY, SAMSUNG, 0, 0, 1)
    assert entry.grant_id is not None
    assert entry.expires == recv + 100 * MS
    assert (entry.venue, entry.side, entry.price) in ((Venue.NXT, Side.SELL, 70_500), (Venue.KRX, Side.BUY, 70_000))

    used = SlotUsed(entry.grant_id, entry.kind, stage.mono, stage.mono, overload=False)
    stage.tell(Role.THROTTLER, used)
    stage.tell(Role.PAIR_MANAGER, OrderSubmitted(entry.pair_id, entry.cl_ord_id, stage.mono))
    stage.tell(Role.PAIR_MANAGER, OrderAcked(entry.pair_id, entry.cl_ord_id, "0000001", stage.mono))
    stage.tell(Role.PAIR_MANAGER, fill(entry, entry.price, "1", stage.mono))
    (post,) = stage.heard(Role.GATEWAY, PlaceOrder)
    assert (post.kind, post.venue, post.side) == (OrderKind.HEDGE, entry.venue.other, entry.side.opposite)
    assert post.grant_id not in (None, entry.grant_id)

    stage.tell(Role.PAIR_MANAGER, OrderSubmitted(post.pair_id, post.cl_ord_id, stage.mono))
    stage.tell(Role.PAIR_MANAGER, OrderAcked(post.pair_id, post.cl_ord_id, "0000002", stage.mono))
    stage.tell(Role.PAIR_MANAGER, fill(post, post.price, "2", stage.mono))
    stage.passes(25)
    events = stage.events_posted()
    assert {EventType.SIGNAL, EventType.ADMITTED, EventType.PAIR_STATE, EventType.PAIRED_DONE} <= set(events)
