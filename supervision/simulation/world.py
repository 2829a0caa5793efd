"""One simulated day's world: the broker with its market, the machine's actors, the journal's disk, one virtual time.

The broker and the disk outlive the machine, which may be started several times; all of it is decided by the seed.
"""

import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from PyQt5.QtCore import QCoreApplication

from actors.cores.pair_manager import PairManagerCore, PairSettings
from actors.domain.pair import PairTrigger
from actors.domain.pair_in_hand import PairInHand
from actors.effects import Role
from actors.gateway import ControlSide, Gateway, GatewaySetup, JournalFile
from actors.messages.journal import Row
from actors.messages.pairs import PairState
from actors.messages.session import OperatorCommand
from actors.messages.supervision import ActorFailed, ClockSettings, Operate, Shutdown
from actors.pair_manager import PairManager
from actors.shell import Shell
from config.reader import LoadedConfig
from kiwoom.control import ControlPort
from kiwoom.market import KST_OFFSET, SECOND, Nanos
from kiwoom.simulated.broker import SimulatedBroker
from kiwoom.simulated.events import Halted, MarketEvent, Resumed, ViEnded, ViStarted
from kiwoom.simulated.faults import Strike
from kiwoom.simulated.ledger import LedgerKind, LedgerRow
from kiwoom.simulated.line import LINE_CUT
from kiwoom.simulated.orders import BrokerOrder
from kiwoom.simulated.rules import CLOSED
from kiwoom.simulated.setup_file import build_broker, setup_from
from kiwoom.simulated.wire import CallFrame, ConnectFrame, EventFrame, ReplyFrame
from supervision.broker_process import BrokerFiles, setup_of, tax_rates
from supervision.cast import RunIdentity, cast_of, supervision_settings
from supervision.child import ChildSpec, Launch
from supervision.simulation.control_side import BrokerSide, StagedControl, StagedLine, drawn
from supervision.simulation.evidence import (
    ActorDied,
    ActorStarted,
    LineCut,
    MachineEvent,
    OrderHanded,
    PairView,
    TradingHalted,
    TradingResumed,
    VenueClosed,
    VenueOpened,
)
from supervision.simulation.memory_journal import JournalDisk, MemoryJournal
from supervision.simulation.stage import US, Address, Cell, Delays, Killed, Stage
from supervision.simulation.virtual_time import HostView, VirtualTime
from supervision.supervisor import Supervisor

NETWORK = (100 * US, 2_500 * US)
"""From the broker's server to the client."""

START_MONO = Nanos(1_000 * SECOND)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSettings:
    """What kind of day it is, beside the configuration."""

    seed: int
    day: date
    start_ns: int
    """Nanoseconds since Seoul's midnight at which the broker opens and the machine is started."""
    latency: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, Any] = field(default_factory=dict)
    broker: dict[str, Any] = field(default_factory=dict)
    """Each over the scenario's section of that name."""
    delays: Delays = field(default_factory=Delays)


Moved = Callable[[PairState, PairTrigger], None]


class WatchedPairManagerCore(PairManagerCore):
    """The real one; each row of its table that is taken is told."""

    def __init__(self, settings: PairSettings, told: Moved) -> None:
        super().__init__(settings)
        self._told = told

    def move(self, pair: PairInHand, trigger: PairTrigger) -> PairState:
        self._told(pair.state, trigger)
        return super().move(pair, trigger)


class StagedPairManager(PairManager):
    """A PairManager whose moves are counted."""

    moved: Moved

    def make_core(self, settings: PairSettings) -> PairManagerCore:
        return WatchedPairManagerCore(settings, self.moved)


class StagedGateway(Gateway):
    """The Gateway whose journal and control are the world's. It is enlisted with the world itself."""

    def open_journal(self, setup: GatewaySetup) -> JournalFile:
        world: World = setup.control
        return world.open_journal(self)

    def open_control(self, setup: GatewaySetup) -> ControlSide:
        world: World = setup.control
        return world.open_control(self, setup)

    def make_control(self, setup: Any) -> ControlPort:
        raise AssertionError("the world opens the control")

    def make_application(self, arguments: list[str]) -> QCoreApplication:
        raise AssertionError("there is no Qt on the stage")


class World(BrokerSide):
    def __init__(
        self,
        loaded: LoadedConfig,
        scenario: Any,
        settings: WorldSettings,
        *,
        on_row: Callable[[Row], None],
        on_ledger: Callable[[LedgerRow], None],
        on_event: Callable[[MachineEvent], None],
        on_strike: Callable[[Strike], None],
        on_pair_moved: Moved,
        on_failure: Callable[[ActorFailed], None],
    ) -> None:
        self.loaded = loaded
        self.settings = settings
        self.time = VirtualTime(START_MONO)
        midnight = (settings.day - date(1970, 1, 1)).days * 86_400 * SECOND - KST_OFFSET
        self._wall_less_mono = midnight + settings.start_ns - START_MONO
        self.host = HostView(self.time, self._wall_less_mono)
        self.disk = JournalDisk(on_row)
        self._on_ledger = on_ledger
        self._on_event = on_event
        self._on_strike = on_strike
        # A class of its own for each world: Thespian makes actors without arguments.
        self._pair_manager_class = type(
            "StagedPairManager", (StagedPairManager,), {"moved": staticmethod(on_pair_moved)}
        )
        setup = setup_of(loaded, BrokerFiles.within(Path("unused")), 0, tax_rates(loaded, settings.day))
        traded = {entry.symbol for entry in loaded.traded}
        setup |= {
            "seed": settings.seed,
            "holdings": {symbol: qty for symbol, qty in setup["holdings"].items() if symbol in traded},
            "latency": {**setup["latency"], **settings.latency},
            "faults": {**setup["faults"], **settings.faults},
            "broker": {**setup["broker"], **settings.broker},
        }
        self.broker: SimulatedBroker = build_broker(setup_from(setup), scenario, midnight + settings.start_ns)
        self._line: StagedLine | None = None
        self._network_floor = 0
        self._turn_at: int | None = None
        self._network = Random(f"{settings.seed}:network")
        self._starts = 0
        self.supervisor: Address | None = None
        self.in_next_commit: Callable[[], None] | None = None
        """What happens in the middle of the journal's next write, which is torn by it."""
        self.launch: Launch
        self.stage = Stage(
            self.time,
            self.host,
            Random(f"{settings.seed}:stage"),
            settings.delays,
            on_settled=self._actor_started,
            on_end=self._actor_ended,
            on_failure=on_failure,
        )
        self.broker.watch(self._market_moved)
        self._halts: Counter[tuple[str, str]] = Counter()
        self._open = {venue: self._takes_orders(venue) for venue in ("KRX", "NXT")}
        account = self.broker.account
        self.start_holdings = {symbol: account.holding(symbol).qty for symbol in account.held_symbols()}
        self.start_cash = account.cash

    def open_books(self) -> None:
        """The broker's first rows, and its market begins to move."""
        self.broker.record_positions(LedgerKind.OPEN_POSITION, self.time.now, self.true_wall(self.time.now))
        self._after_broker()

    def close_books(self) -> None:
        self.broker.record_positions(LedgerKind.CLOSE_POSITION, self.time.now, self.true_wall(self.time.now))
        self._after_broker()

    def true_wall(self, at: int) -> int:
        return at + self._wall_less_mono

    # --- the machine ------------------------------------------------------------------------------------------------

    def start_machine(self, arm: bool) -> None:
        """As `arb run` does: a new Supervisor with its cast, on the journal that there is."""
        self._starts += 1
        identity = RunIdentity(
            mode="paper",
            day=self.settings.day,
            run_tag=f"s{self._starts}",
            journal_path=Path("journal.db"),
            arm=arm,
            register_feeds=True,
            gateway_class=StagedGateway,
            control=self,
            servers=("simulated",),
            metrics_port=0,
            version="simulated",
        )
        self.launch = Launch(
            tuple(self._staged(spec) for spec in cast_of(self.loaded, identity)),
            supervision_settings(self.loaded.config),
            ClockSettings(0),
            lifeline_port=0,
            admin_port=0,
        )
        self.supervisor = self.stage.create(Supervisor)
        self.stage.tell(self.supervisor, self.launch)

    def _staged(self, spec: ChildSpec) -> ChildSpec:
        is_pair_manager = spec.role is Role.PAIR_MANAGER
        return replace(spec, actor_class=self._pair_manager_class) if is_pair_manager else spec

    def kill_machine(self) -> None:
        self.stage.kill_all()
        self.supervisor = None

    def operate(self, command: OperatorCommand) -> None:
        if self.supervisor is not None:
            self.stage.tell(self.supervisor, Operate(command))

    def shut_down(self) -> None:
        if self.supervisor is not None:
            self.stage.tell(self.supervisor, Shutdown("the day is over"))

    def actors(self, role: Role) -> list[Any]:
        """The living actors of a role that carry their core, in the order of their index."""
        found = [cell.actor for cell in self.stage.cells() if getattr(cell.actor, "role", None) is role]
        return sorted((actor for actor in found if actor.core is not None), key=lambda actor: actor.index)

    def cell(self, role: Role, index: int) -> Cell | None:
        for cell in self.stage.cells():
            actor = cell.actor
            if getattr(actor, "role", None) is role and actor.index == index:
                return cell
        return None

    # --- what checkers may look at ----------------------------------------------------------------------------------

    @property
    def cash(self) -> int:
        return self.broker.account.cash

    def held(self, symbol: str) -> int:
        return self.broker.account.holding(symbol).qty

    def broker_open_orders(self) -> list[BrokerOrder]:
        return self.broker.open_orders()

    def rows(self) -> list[Row]:
        return [row for row, _ in self.disk.rows]

    def live_pairs(self) -> tuple[PairView, ...]:
        return tuple(
            view_of(pair, actor.index)
            for actor in self.actors(Role.PAIR_MANAGER)
            if (pair := actor.core.pair) is not None
        )

    def counted_pairs(self) -> tuple[str, ...]:
        return tuple(pair_id for actor in self.actors(Role.ROUTER) for pair_id in actor.core.running_pairs)

    def _actor_started(self, cell: Cell) -> None:
        actor = cell.actor
        if isinstance(actor, Shell) and actor.core is not None:
            self._on_event(ActorStarted(actor.role.value, actor.index))

    def _actor_ended(self, cell: Cell) -> None:
        actor = cell.actor
        if isinstance(actor, Shell) and actor.core is not None:
            self._on_event(ActorDied(actor.role.value, actor.index))

    # --- what the Gateway opens -------------------------------------------------------------------------------------

    def open_journal(self, gateway: Any) -> MemoryJournal:
        return MemoryJournal(self.disk, partial(self._before_commit, self.stage.cell_of(gateway)))

    def _before_commit(self, cell: Cell) -> None:
        self.stage.count_effect(cell)
        if self.in_next_commit is not None:
            strike, self.in_next_commit = self.in_next_commit, None
            strike()
            raise Killed

    def open_control(self, gateway: Any, setup: GatewaySetup) -> StagedControl:
        cell = self.stage.cell_of(gateway)
        return StagedControl(self.stage, cell, self.host, self, setup.feeds, self._network)

    # --- the broker's side of the line ------------------------------------------------------------------------------

    def connect(self, line: StagedLine) -> bool:
        if self._line is not None and self._line is not line:
            self._line.cut()
        self._line = line
        return True

    def disconnect(self, line: StagedLine) -> None:
        if self._line is line:
            self._line = None
            self.broker.disconnected()

    def handed(self, cl_ord_id: str) -> None:
        self._on_event(OrderHanded(cl_ord_id))

    def call(self, frame: CallFrame, at: int) -> ReplyFrame:
        try:
            reply = self.broker.call(frame, at, self.true_wall(at))
        except Exception:
            # The adapter above would take it for a mood of the control and go on.
            self.stage.collapses.append(traceback.format_exc())
            raise
        self._after_broker()
        return reply

    def _takes_orders(self, venue: str) -> bool:
        return self.broker.market.phase(venue) != CLOSED

    def _market_moved(self, event: MarketEvent) -> None:
        """What checkers must know of the market: where nothing can be traded now."""
        match event:
            case Halted(_, venue, symbol) | ViStarted(_, venue, symbol):
                self._halts[venue, symbol] += 1
                if self._halts[venue, symbol] == 1:
                    self._on_event(TradingHalted(venue, symbol))
            case Resumed(_, venue, symbol) | ViEnded(_, venue, symbol):
                self._halts[venue, symbol] -= 1
                if self._halts[venue, symbol] == 0:
                    self._on_event(TradingResumed(venue, symbol))
            case _:
                pass

    def _see_venues(self) -> None:
        for venue, was_open in self._open.items():
            is_open = self._takes_orders(venue)
            if is_open is not was_open:
                self._open[venue] = is_open
                self._on_event(VenueOpened(venue) if is_open else VenueClosed(venue))

    def disturb(self, disturbance: Callable[[SimulatedBroker, int], None]) -> None:
        """Something happens at the broker or its market now: `disturbance(broker, wall)`, whoever is behind it."""
        disturbance(self.broker, self.true_wall(self.time.now))
        self._after_broker()

    def calm(self) -> None:
        """The broker makes no mistakes any more."""
        self.broker.calm()
        self._after_broker()

    def _after_broker(self) -> None:
        """Its books are read at once; its next turn is asked for."""
        self._see_venues()
        for strike in self.broker.take_strikes():
            self._on_strike(strike)
        for row in self.broker.take_ledger():
            self._on_ledger(row)
        at = max(self.time.now, self.broker.next_at() - self._wall_less_mono)
        if self._turn_at is None or at < self._turn_at:
            self._turn_at = at
            self.time.at(at, self._turn, at)

    def _turn(self, asked_for: int) -> None:
        if asked_for != self._turn_at:
            return  # an earlier turn was asked for since
        self._turn_at = None
        now = self.time.now
        frames = self.broker.due(now, self.true_wall(now))
        if frames and self._line is not None:
            self._network_floor = max(self._network_floor, now + drawn(self._network, NETWORK))
            self.time.at(self._network_floor, self._arrive, self._line, frames)
        self._after_broker()

    def _arrive(self, line: StagedLine, frames: list[EventFrame]) -> None:
        if any(isinstance(frame, ConnectFrame) and frame.error == LINE_CUT for frame in frames):
            self._on_event(LineCut())
        line.arrive(frames)


def view_of(pair: PairInHand, slot: int) -> PairView:
    return PairView(
        pair_id=pair.plan.pair_id,
        slot=slot,
        symbol=pair.plan.symbol,
        state=pair.state,
        open_qty=pair.ledger.open,
        live_hedges=tuple((order.command.cl_ord_id, order.leaves) for order in pair.hedges),
    )


def with_few_symbols(loaded: LoadedConfig, count: int) -> LoadedConfig:
    """The configuration with the first `count` symbols of its universe only: a small market is a fast one."""
    return replace(loaded, universe=loaded.universe[:count])
