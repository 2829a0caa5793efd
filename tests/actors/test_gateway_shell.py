"""The Gateway's shell with a real control thread: a simulated broker lives on it, the journal is a real file.

simpleSystemBase watches no file descriptors: the test waits on the thread's wake-up itself and says so to the actor.
"""

import select
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from PyQt5.QtCore import QCoreApplication, QTimer
from thespian.actors import ActorExitRequest, ActorSystem, WatchMessage

from actors.clock import HostClock
from actors.domain.symbol_map import UniverseEntry, build_symbol_map, feed_code
from actors.effects import Role, Send
from actors.gateway import Gateway, GatewaySetup
from actors.journal import read_events
from actors.messages.journal import EventType, RowsPosted, RowsWritten
from actors.messages.market_data import FeedEnded, QuoteBatch
from actors.messages.orders import OrderAcked, OrderFilled, OrderSubmitted
from actors.messages.pairs import AccountSnapshot, RestorePair
from actors.messages.session import BrokerStatus, FeedsRegistered, RegisterFeeds, UnregisterFeeds
from actors.messages.supervision import ActorFailed, ClockSettings, Enlist, Enlisted
from actors.messages.throttle import QueryGranted, RequestQuery, SlotUsed
from kiwoom.adapter import FeedTarget
from kiwoom.control import ControlPort
from kiwoom.market import VENUE_INDEX, VENUES, Market, Nanos, Symbol, Won
from kiwoom.quotes import QUOTE
from kiwoom.simulated.account import Account, Holding
from kiwoom.simulated.broker import BrokerSettings, SimulatedBroker
from kiwoom.simulated.control import DirectLink, SimulatedControl
from kiwoom.simulated.faults import Latency
from kiwoom.simulated.market import SimulatedMarket
from kiwoom.simulated.scenario import FlowKnobs, Scenario
from kiwoom.simulated.wire import EventFrame, RealFrame
from supervision.system import QUIET
from tests.support.builders import row
from tests.support.gateway_stage import SLOT, entry, pair_plan, settings, trading
from tests.support.listener import Listener
from tests.support.playbook import TEN_O_CLOCK
from tests.support.simulated_kiwoom import ACCOUNT, CASH, KOSDAQ_SYMBOL, LISTINGS, RATES, SHARES, SYMBOL

SYMBOLS = build_symbol_map(
    [UniverseEntry(Symbol(SYMBOL), "A", Market.KOSPI), UniverseEntry(Symbol(KOSDAQ_SYMBOL), "B", Market.KOSDAQ)],
    ["1001", "1002"],
)
FEEDS = {
    feed_code(each.symbol, venue): FeedTarget(each.shard, each.index, venue, each.symbol)
    for each in SYMBOLS.entries
    for venue in VENUES
}
LIVELY = Scenario(flow=replace(FlowKnobs(), quotes_per_second=300, dislocations_per_minute=0))
PATIENCE_S = 20.0
ROLES = (
    *((role, 0) for role in Role if role not in (Role.GATEWAY, Role.PAIR_MANAGER)),
    (Role.MARKET_DATA, 1),
    (Role.PAIR_MANAGER, SLOT),
)


@dataclass
class Backstage:
    """What the test's control needs, and what it saw."""

    journal: Path
    clock: HostClock
    works: bool = True
    raised: Counter[str] = field(default_factory=Counter)
    """Quotes that the control raised, by feed code."""
    on_disk_at_call: dict[str, bool] = field(default_factory=dict)
    """By rqname: was the order's row in the file when SendOrder was called?"""


@dataclass(frozen=True)
class WakeFd:
    fd: int


class TickingControl(SimulatedControl):
    """Its broker lives on the control's thread; a timer stands for the line that becomes readable."""

    def __init__(self, backstage: Backstage) -> None:
        market = SimulatedMarket(LIVELY, LISTINGS, 7, TEN_O_CLOCK)
        held = {symbol: Holding(qty=SHARES, cost_won=SHARES * 70_000) for symbol in (SYMBOL, KOSDAQ_SYMBOL)}
        broker = SimulatedBroker(
            market=market,
            symbols=[listing.symbol for listing in LISTINGS],
            account=Account(ACCOUNT, CASH, held, RATES),
            settings=BrokerSettings(latency=Latency(jitter_ms=0)),
            seed=7,
        )
        super().__init__(DirectLink(broker, backstage.clock))
        self._backstage = backstage
        self._timer = QTimer()
        self._timer.timeout.connect(self.on_readable)
        self._timer.start(2)

    def _raise(self, frame: EventFrame) -> None:
        if isinstance(frame, RealFrame) and frame.real_type == "주식호가잔량":
            self._backstage.raised[frame.code] += 1
        super()._raise(frame)

    def SendOrder(self, sRQName: str, *args: Any) -> int:
        rows = read_events(self._backstage.journal)
        attempts = [each["cl_ord_id"] for each in rows if each["event_type"] == "ORDER_SEND_ATTEMPT"]
        self._backstage.on_disk_at_call[sRQName] = sRQName in attempts
        return super().SendOrder(sRQName, *args)


class StagedGateway(Gateway):
    def make_control(self, setup: Backstage) -> ControlPort:
        if not setup.works:
            raise OSError("the control is not installed")
        return TickingControl(setup)

    def make_application(self, arguments: list[str]) -> Any:
        return QCoreApplication(arguments)

    def enlisted(self) -> None:
        super().enlisted()
        self.post(Send(Role.SUPERVISOR, WakeFd(self._control.wake_fd())))


class GrantingListener(Listener):
    """A Throttler that lets every query go."""

    def receiveUnrecognizedMessage(self, message: Any, sender: Any) -> None:
        super().receiveUnrecognizedMessage(message, sender)
        if isinstance(message, RequestQuery):
            self.send(sender, QueryGranted(message.query_id))


class Desk:
    """The enlisted Gateway among listeners."""

    def __init__(self, system: Any, journal: Path, works: bool = True) -> None:
        offset = TEN_O_CLOCK - time.time_ns()
        self.system = system
        self.backstage = Backstage(journal, HostClock(offset), works)
        self.listeners = {
            (role.value, index): system.createActor(GrantingListener if role is Role.THROTTLER else Listener)
            for role, index in ROLES
        }
        core = settings(symbols=SYMBOLS, query_spacing_ns=Nanos(0), pair_slots=SLOT + 1)
        setup = GatewaySetup(core, journal, FEEDS, self.backstage)
        self.gateway = system.createActor(StagedGateway)
        system.tell(self.gateway, Enlist("gateway", 0, setup, self.listeners, ClockSettings(offset), 0))
        self.fd = self.heard(Role.SUPERVISOR, WakeFd)[0].fd

    def tell(self, message: object) -> None:
        self.system.tell(self.gateway, message)

    def heard(self, role: Role, kind: type, index: int = 0) -> list[Any]:
        everything = self.system.ask(self.listeners[role.value, index], "what?", PATIENCE_S)
        return [message for message in everything if isinstance(message, kind)]

    def wait_for(self, role: Role, kind: type, index: int = 0, count: int = 1) -> list[Any]:
        """Pass the thread's wake-ups on until `count` messages of `kind` were heard."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if select.select((self.fd,), (), (), 0.02)[0]:
                self.tell(WatchMessage([self.fd]))
            found = self.heard(role, kind, index)
            if len(found) >= count:
                return found
        raise AssertionError(f"{role.value} heard {len(self.heard(role, kind, index))} {kind.__name__}, not {count}")

    def up(self) -> "Desk":
        self.wait_for(Role.ROUTER, AccountSnapshot)
        assert self.heard(Role.SESSION_STATE, BrokerStatus)[-1].connected
        return self

    def rows(self) -> list[dict[str, Any]]:
        return list(read_events(self.backstage.journal))


@pytest.fixture
def system() -> Iterator[Any]:
    made = ActorSystem("simpleSystemBase", logDefs=QUIET, transientUnique=True)
    yield made
    made.shutdown()


@pytest.fixture
def desk(system: Any, tmp_path: Path) -> Iterator[Desk]:
    made = Desk(system, tmp_path / "journal.db")
    yield made
    made.tell(ActorExitRequest())
    assert control_threads() == []


def control_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "control"]


def test_it_logs_in_and_tells_what_the_account_holds(desk: Desk) -> None:
    desk.up()
    (snapshot,) = desk.wait_for(Role.ROUTER, AccountSnapshot)
    assert (snapshot.account, snapshot.server, snapshot.cash_won) == (ACCOUNT, "simulated", CASH)
    assert set(snapshot.tradable) == {SYMBOL, KOSDAQ_SYMBOL}
    assert {symbol: held for symbol, held, _ in snapshot.holdings}[Symbol(SYMBOL)] == SHARES


def test_an_order_s_row_is_on_disk_before_its_call_and_its_events_come_back(desk: Desk) -> None:
    desk.up()
    desk.tell(trading())
    for number in (1, 2):
        order = entry(f"E{number}", price=Won(75_600), expires=Nanos(desk.backstage.clock.now().mono + 10**10))
        desk.tell(replace(order, symbol=Symbol(SYMBOL), pair_id=f"P{number}"))
        fills = desk.wait_for(Role.PAIR_MANAGER, OrderFilled, SLOT, number)
    assert [(fill.cl_ord_id, fill.fill_qty, fill.leaves_qty) for fill in fills] == [("E1", 1, 0), ("E2", 1, 0)]
    assert desk.backstage.on_disk_at_call == {"E1": True, "E2": True}
    for kind in (OrderSubmitted, OrderAcked):
        assert [each.cl_ord_id for each in desk.heard(Role.PAIR_MANAGER, kind, SLOT)] == ["E1", "E2"]
    assert [used.grant_id for used in desk.heard(Role.THROTTLER, SlotUsed)] == [7, 7]
    of_first = [each["event_type"] for each in desk.rows() if each["cl_ord_id"] == "E1"]
    assert of_first[0] == "ORDER_SEND_ATTEMPT"
    assert {"ORDER_ACK", "ORDER_ACCEPTED", "TRADE_FILL"} <= set(of_first)


def test_a_successor_knows_from_the_file_what_was_sent_and_gives_its_pair_back(system: Any, tmp_path: Path) -> None:
    first = Desk(system, tmp_path / "journal.db").up()
    first.tell(trading())
    expires = Nanos(first.backstage.clock.now().mono + 10**10)
    plan = pair_plan(symbol=Symbol(SYMBOL))
    order = replace(entry(price=Won(75_600), expires=expires), symbol=Symbol(SYMBOL), plan=plan)
    first.tell(order)
    (fill,) = first.wait_for(Role.PAIR_MANAGER, OrderFilled, SLOT)
    first.tell(ActorExitRequest())
    second = Desk(system, tmp_path / "journal.db").up()
    (pair,) = second.wait_for(Role.PAIR_MANAGER, RestorePair, SLOT)
    assert pair.plan == plan
    assert [each.fills for each in pair.orders] == [(fill,)]
    second.tell(trading())
    second.tell(order)
    second.tell(ActorExitRequest())
    assert second.backstage.on_disk_at_call == {}
    assert [each["reason"] for each in second.rows() if each["cl_ord_id"] == "E1"][-1] == "DUPLICATE"


def test_quotes_reach_their_shard_in_runs_and_none_is_lost(desk: Desk) -> None:
    """Shard 1 has no heartbeat symbol: after FeedEnded nothing of it can come any more."""
    desk.up()
    desk.tell(RegisterFeeds())
    desk.wait_for(Role.SESSION_STATE, FeedsRegistered)
    desk.wait_for(Role.MARKET_DATA, QuoteBatch, 1, count=10)
    desk.tell(UnregisterFeeds())
    desk.wait_for(Role.MARKET_DATA, FeedEnded, 1)
    heard = desk.heard(Role.MARKET_DATA, object, 1)
    assert isinstance(heard[heard.index(FeedEnded()) - 1], QuoteBatch)
    batches = [message for message in heard if isinstance(message, QuoteBatch)]
    quotes = [record for batch in batches for record in QUOTE.iter_unpack(batch.payload)]
    assert {record[0] for record in quotes} == {1}
    assert [record[-1] for record in quotes] == sorted(record[-1] for record in quotes)
    for venue in VENUES:
        news = sum(record[1] == VENUE_INDEX[venue] for record in quotes)
        repeats = sum(batch.repeats[VENUE_INDEX[venue]] for batch in batches)
        assert news > 0
        assert repeats > 0
        assert news + repeats == desk.backstage.raised[feed_code(Symbol(KOSDAQ_SYMBOL), venue)]


def test_an_orderly_end_stops_the_thread_and_closes_the_journal_with_all_its_rows(desk: Desk) -> None:
    desk.up()
    mine = row(EventType.SIGNAL, symbol=SYMBOL, pair_id="last", actor="spread_engine")
    desk.tell(RowsPosted((mine,)))
    assert control_threads() == ["control"]
    desk.tell(ActorExitRequest())
    assert control_threads() == []
    # The last connection takes the write-ahead log with it.
    assert [path.name for path in desk.backstage.journal.parent.glob("journal.db*")] == ["journal.db"]
    last = desk.rows()[-1]
    assert (last["event_type"], last["actor"], last["pair_id"]) == ("SIGNAL", "spread_engine", "last")
    written = desk.heard(Role.TELEMETRY, RowsWritten)[-1]
    assert written.rows[-1] == mine
    assert written.last_seq == last["seq"]


def test_a_gateway_that_fails_keeps_what_was_recorded_and_leaves_no_thread(desk: Desk) -> None:
    desk.up()
    desk.tell(RowsPosted((row(EventType.SIGNAL, symbol=SYMBOL, pair_id="last"),)))
    desk.tell("nonsense")
    (report,) = desk.heard(Role.SUPERVISOR, ActorFailed)
    assert report.message_type == "str"
    assert desk.rows()[-1]["pair_id"] == "last"
    assert control_threads() == []


def test_a_control_that_cannot_be_made_is_the_gateway_s_failure(system: Any, tmp_path: Path) -> None:
    desk = Desk(system, tmp_path / "journal.db", works=False)
    (report,) = desk.wait_for(Role.SUPERVISOR, ActorFailed)
    assert "the control is not installed" in report.traceback
    assert [(each.name, each.index) for each in desk.heard(Role.SUPERVISOR, Enlisted)] == [("gateway", 0)]
    assert control_threads() == []
