"""Gateway's core: the only one that asks the broker's control, and the one place where its answers become facts.

Commands of the pairs come in, calls of the control go out (`Call`); events of the control come in, facts go out: to the
pair, to the Router (claims, account), to SessionState (line, session), to the shards (limits, halts, venues, our own
orders) and to the Throttler (what the broker has counted). The parts are in `actors.domain`; this file only deals out
what comes. A `Record` always precedes the `Call` that it announces.

It is also the machine's memory. Every row passes through it, its own and those of the other actors, and with the
journal of the day a Gateway that was started again knows the orders and the pairs; it gives back to a restarted part
what that part must know (`actors.domain.recovery`).

Limits: one account, one line, cash orders only; quotes do not come through here (the shell passes them on packed).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final, assert_never

from actors.domain.aftercare import Aftercare
from actors.domain.boot import Boot, BootKey, BootSettings, BootStep
from actors.domain.doubt_desk import DoubtDesk, DoubtKey
from actors.domain.enquiries import Enquiries, Enquiry, EnquiryDone
from actors.domain.feeds import Feeds, FeedState
from actors.domain.holdings import Holdings, OursRecall
from actors.domain.order_commands import Desk, OrderCommands
from actors.domain.order_flow import OrderFlow
from actors.domain.order_recall import OrderRecall, in_our_time
from actors.domain.order_reports import OrderPatience, OrderReports
from actors.domain.order_rows import plain_row
from actors.domain.outbox import Outbox
from actors.domain.own_orders import OwnOrders
from actors.domain.pair_memory import PairMemory
from actors.domain.recovery import Recovery
from actors.domain.routes import PairRoutes
from actors.domain.send_guard import HoldQueue, SendGuard
from actors.domain.symbol_map import SymbolMap
from actors.domain.trading_hours import TradingHours, VenueHours
from actors.domain.window import SlidingWindow
from actors.effects import Effects, Role
from actors.messages.journal import EventType, Row, RowsPosted
from actors.messages.market_data import LimitsKnown, SymbolHalted, VenueOpen
from actors.messages.orders import CancelOrder, PlaceOrder, QueryOrder
from actors.messages.pairs import AccountSnapshot, PairAssigned, PositionChanged
from actors.messages.session import (
    BrokerStatus,
    ConnectBroker,
    RegisterFeeds,
    SessionSignalSeen,
    TradingState,
    UnregisterFeeds,
    VenueAlive,
)
from actors.messages.supervision import ResendState
from actors.messages.throttle import QueryGranted, RecentSends
from kiwoom.control import (
    AccountWindowClosed,
    BalanceReport,
    Connected,
    ControlEvent,
    EventMalformed,
    LoginRead,
    MasterRead,
    MessageReceived,
    OrderCalled,
    OrderNumbered,
    OrderReport,
    RealCalled,
    SessionSignalled,
    TradePrinted,
    TrAnswered,
    TrCalled,
    ViChanged,
)
from kiwoom.market import MS, SECOND, VENUES, Nanos, Now, Symbol, Venue, WallNanos, midnight

GatewayMessage = (
    PlaceOrder
    | CancelOrder
    | QueryOrder
    | PairAssigned
    | RowsPosted
    | TradingState
    | ConnectBroker
    | RegisterFeeds
    | UnregisterFeeds
    | QueryGranted
    | ResendState
    | ControlEvent
)


class Mode(Enum):
    PAPER = "paper"
    OBSERVE = "observe"
    """No order is ever sent."""
    REAL = "real"


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    symbols: SymbolMap
    """The run's symbols with their shards, and each shard's screen."""
    mode: Mode
    account: str
    """10 digits; "" = the login's first."""
    servers: tuple[str, ...]
    """Which kinds of server this mode may run against: "simulated", "real", "mock"."""
    session_screen: str
    heartbeat_screen: str
    heartbeat_symbols: tuple[Symbol, ...]
    """Registered on both venues from the start: proof that the feed lives."""
    query_screens: tuple[str, ...]
    order_screens: tuple[str, ...]
    """Used in turn, so that FID 920 of a report tells neighbouring orders apart."""
    guard: VenueHours
    """Entries are allowed inside it, ns since midnight."""
    venue_hours: tuple[VenueHours, VenueHours]
    """Continuous trading of KRX and NXT, ns since midnight."""
    run_tag: str
    """Begins the rqname of every query, so that two runs of a day cannot be confused."""
    pair_slots: int = 0
    """How many PairManagers stand ready."""
    orders_max: int = 5
    reserve: int = 2
    """Of `orders_max`, the slots that an entry must leave free when it is sent (SPEC 6)."""
    queries_max: int = 5
    window_ns: Nanos = Nanos(SECOND)
    margin_ns: Nanos = Nanos(50 * MS)
    """Added to the window: jitter between our clock and the broker's."""
    query_spacing_ns: Nanos = Nanos(250 * MS)
    """Between two queries that are not urgent (KIWOOM.md 5: others wait as long)."""
    ack_ns: Nanos = Nanos(200 * MS)
    accept_ns: Nanos = Nanos(300 * MS)
    cancel_ns: Nanos = Nanos(300 * MS)
    held_max: int = 256
    """Commands that wait behind the last guard; more are refused."""
    early_reports_max: int = 256

    def __post_init__(self) -> None:
        screens = (self.session_screen, self.heartbeat_screen, *self.query_screens, *self.order_screens)
        assert self.servers
        assert self.query_screens
        assert self.order_screens
        assert self.heartbeat_symbols
        assert self.pair_slots >= 0
        assert 1 <= self.orders_max <= 5
        assert 1 <= self.queries_max <= 5
        assert min(self.window_ns, self.ack_ns, self.accept_ns, self.cancel_ns) > 0
        assert self.margin_ns >= 0
        assert len({*screens, *self.symbols.screens}) == len(screens) + len(self.symbols.screens)
        assert all(len(screen) == 4 and screen.isdigit() and screen != "0000" for screen in screens)


_STARTING: Final = "not connected yet"
_AT_THE_START: Final = Now(Nanos(0), WallNanos(0))


class GatewayCore:
    """`journal`: the rows of the day so far, oldest first, if it is not the first Gateway of the day; then `started` is
    the time now."""

    def __init__(self, settings: GatewaySettings, journal: Iterable[Row] = (), started: Now = _AT_THE_START) -> None:
        self._settings = settings
        self._entries = {entry.symbol: entry for entry in settings.symbols.entries}
        span = Nanos(settings.window_ns + settings.margin_ns)
        self._memory = PairMemory()
        self._out = Outbox(observe=self._memory.take)
        self._external: dict[str, None] = {}
        self._desk = Desk("", _STARTING, settings.mode is Mode.OBSERVE, settings.order_screens, {}, {})
        self._orders = OwnOrders(settings.early_reports_max)
        self._holdings = Holdings()
        self._routes = PairRoutes()
        self._hours = TradingHours(settings.guard, settings.venue_hours)
        self._guard = SendGuard(SlidingWindow(settings.orders_max, span), settings.reserve)
        self._flow = OrderFlow(self._out, self._orders, self._holdings, self._routes, self._entries)
        self._commands = OrderCommands(
            out=self._out,
            desk=self._desk,
            orders=self._orders,
            flow=self._flow,
            holdings=self._holdings,
            routes=self._routes,
            hours=self._hours,
            guard=self._guard,
            queue=HoldQueue(settings.held_max),
            memory=self._memory,
            symbols=self._entries,
        )
        patience = OrderPatience(settings.ack_ns, settings.accept_ns, settings.cancel_ns)
        self._reports = OrderReports(self._out, self._orders, self._flow, patience)
        self._enquiries = Enquiries(SlidingWindow(settings.queries_max, span), settings.query_spacing_ns)
        self._doubts = DoubtDesk(
            out=self._out,
            desk=self._desk,
            orders=self._orders,
            flow=self._flow,
            reports=self._reports,
            run_tag=settings.run_tag,
            query_screens=settings.query_screens,
            external=self._external,
        )
        self._boot = Boot(
            _boot_settings(settings), settings.symbols, self._out, self._desk, self._orders, self._holdings
        )
        self._feeds = Feeds(settings.symbols, self._out)
        self._aftercare = Aftercare(self._desk, self._orders, self._flow, self._commands, self._doubts, self._memory)
        self._recovery = Recovery(
            out=self._out,
            orders=self._orders,
            flow=self._flow,
            commands=self._commands,
            routes=self._routes,
            memory=self._memory,
            symbols=self._entries,
            slots=settings.pair_slots,
        )
        self._shown_open: dict[Venue, bool] = {}
        self._hours_change: Nanos | None = None
        self._signals: dict[str, SessionSignalSeen] = {}
        """The last of each code, in order of time."""
        self._reconciled = False
        """The boot has come to its end once: what we know is what the broker knows."""
        self._owed: dict[ResendState, None] = {}
        """Asked for before that. At most one per actor."""
        self._is_back = False
        """This is the first reconciliation of a successor."""
        self._has_past = self._recall(journal, started)

    # --- the three methods of a core ----------------------------------------------------------------------------------

    def handle(self, message: GatewayMessage, now: Now) -> Effects:
        match message:
            case PlaceOrder():
                if not self._commands.place(message, now):
                    self._recovery.tell(message.pair_id, message.slot, now)
            case CancelOrder():
                self._commands.cancel(message, now)
            case QueryOrder():
                self._ask(self._doubts.query(message, now))
            case PairAssigned():
                self._recovery.assigned(message, now)
            case RowsPosted():
                for row in message.rows:
                    if not self._memory.is_repeat(row):
                        self._out.record(row)
            case TradingState():
                self._hours.heard(message)
            case ConnectBroker():
                self._boot.start()
            case RegisterFeeds():
                self._register_feeds()
            case UnregisterFeeds():
                self._feeds.unregister()
            case QueryGranted():
                self._enquiries.granted(message.query_id)
            case ResendState():
                self._resend(message, now)
            case _:
                self._control_event(message, now)
        return self._settle(now)

    def next_deadline(self) -> Nanos | None:
        times = (
            self._commands.next_deadline(),
            self._reports.next_deadline(),
            self._enquiries.next_deadline(),
            self._doubts.next_deadline(),
            self._boot.next_deadline(),
            self._feeds.next_deadline(),
            self._aftercare.next_deadline(),
            self._hours_change,
        )
        return min((at for at in times if at is not None), default=None)

    def on_deadline(self, now: Now) -> Effects:
        self._reports.on_deadline(now)
        self._doubts.on_deadline(now)
        self._ask(self._aftercare.on_deadline(now))
        if self._aftercare.take_look(now) and self._boot.step is BootStep.UP:
            self._boot.start(self._flow.trouble)
        self._boot.on_deadline(now)
        self._feeds.on_deadline(now)
        return self._settle(now)

    # --- control events -----------------------------------------------------------------------------------------------

    def _control_event(self, event: ControlEvent, now: Now) -> None:
        match event:
            case Connected():
                self._connected(event, now)
            case LoginRead():
                self._ask(self._boot.login_read(event))
            case MasterRead():
                self._ask(self._boot.master_read(event))
            case AccountWindowClosed():
                pass  # whether the password is right shows with the next question
            case OrderCalled():
                tracked = self._commands.returned(event)
                if tracked is not None:
                    self._reports.called(tracked, event, now)
            case OrderNumbered():
                self._reports.numbered(event, now)
            case TrCalled():
                self._answered(self._enquiries.called(event, now.mono), now)
            case TrAnswered():
                self._answered(self._enquiries.answered(event, now.mono), now)
            case RealCalled():
                self._real_called(event, now)
            case MessageReceived():
                self._reports.message(event, now)
            case OrderReport():
                self._reports.reported(event, now)
            case BalanceReport():
                self._balance(event, now)
            case SessionSignalled():
                signal = SessionSignalSeen(event.code, event.time, event.at, _wall_of(event.at, now))
                self._remember_signal(signal)
                self._out.send(Role.SESSION_STATE, signal)
            case TradePrinted():
                self._out.send(Role.SESSION_STATE, VenueAlive(event.venue, event.at, _wall_of(event.at, now)))
            case ViChanged():
                self._vi(event)
            case EventMalformed():
                self._reports.malformed(event, now)
            case _:
                assert_never(event)

    def _connected(self, event: Connected, now: Now) -> None:
        self._boot.looks_first = bool(self._memory.live_pairs() or any(self._orders.open_orders()))
        if self._boot.connected(event, now):
            self._guard.line_lost(now.mono)
            self._enquiries.forget()
            self._doubts.line_lost(now)
            self._feeds.line_lost()

    def _real_called(self, event: RealCalled, now: Now) -> None:
        if self._feeds.real_called(event, now):
            self._show_venues(now, again=True)
        if self._boot.real_called(event, now):
            self._up(event.at, now)

    def _balance(self, event: BalanceReport, now: Now) -> None:
        live = tuple(self._orders.open_orders(event.symbol))
        self._holdings.reported(event.symbol, event.held, event.sellable, live, event.at)
        self._out.record(
            plain_row(
                EventType.POSITION_UPDATE,
                now,
                event.at,
                symbol=event.symbol,
                qty=event.held,
                sgubun="1",
                fids=event.fids,
                extra=(("held", event.held), ("sellable", event.sellable)),
            )
        )
        position = PositionChanged(event.symbol, event.held, event.sellable, event.at)
        self._out.send(Role.ROUTER, position)

    def _vi(self, event: ViChanged) -> None:
        entry = self._entries.get(event.symbol)
        if entry is None:
            return
        if event.active:
            self._desk.halts[event.symbol, event.venue] = "volatility interruption"
        else:
            self._desk.halts.pop((event.symbol, event.venue), None)
        self._out.send(Role.MARKET_DATA, SymbolHalted(entry.index, event.venue, event.active, "VI"), entry.shard)

    # --- start and reconciliation -------------------------------------------------------------------------------------

    def _looked(self, now: Now) -> None:
        """Before the rest of the boot: what is open can be closed now, and its quotes are wanted."""
        for pair_id in self._memory.live_pairs():
            plan = self._memory.plan(pair_id)
            assert plan is not None
            self._desk.limits.setdefault(plan.symbol, (plan.lower_limit, plan.upper_limit))
        owed = self._begin_to_give_back()
        self._reconcile(now)
        self._give_back(owed, now)
        if self._feeds.state is FeedState.REGISTERING or (self._is_back and self._some_venue_trades(now)):
            self._feeds.register()
        self._boot.go_on()

    def _some_venue_trades(self, now: Now) -> bool:
        return any(not self._hours.orders_closed(venue, now.wall) for venue in VENUES)

    def _up(self, at: Nanos, now: Now) -> None:
        """Everything is known: bring our live orders to what the broker's lists prove, then say so to everyone. `at`
        stamps the event in hand: what the control said before it is known, what it says after it is not."""
        account = self._boot.account
        owed = self._begin_to_give_back()
        self._desk.limits = account.limits
        conflicted = self._reconcile(now)
        self._out.send(
            Role.ROUTER,
            AccountSnapshot(
                account=self._desk.account,
                server=account.server,
                holdings=self._holdings.as_account(self._orders),
                cash_won=account.cash_won,
                limits=tuple((symbol, *limits) for symbol, limits in account.limits.items()),
                tradable=account.tradable,
                conflicted=conflicted,
                at=at,
            ),
        )
        for shard in range(len(self._settings.symbols.screens)):
            self._show_limits(shard)
        self._show_status()
        if self._feeds.state is FeedState.REGISTERING:
            self._feeds.register()
        self._give_back(owed, now)

    def _reconcile(self, now: Now) -> tuple[Symbol, ...]:
        """Our live orders against the broker's lists. Returns the symbols with orders that are not ours."""
        account = self._boot.account
        self._flow.begin_reconciling()
        self._doubts.reconcile(account.open_rows, account.fill_rows, account.orders_asked, now)
        self._flow.end_reconciling()
        self._recovery.stop_for_unknown_symbols(now)
        self._external.clear()
        conflicted: dict[Symbol, None] = {}
        for row in account.open_rows:
            if row.leaves_qty > 0 and not self._orders.is_ours(row.order_no):
                self._external[row.order_no] = None
                conflicted[row.symbol] = None
        extra = (
            ("holdings", len(self._holdings.as_account(self._orders))),
            ("open_orders", len(account.open_rows)),
            ("external_orders", len(self._external)),
            ("limits", len(account.limits)),
            ("ours", dict(self._holdings.as_ours())),
        )
        self._out.record(plain_row(EventType.RECONCILED, now, extra=extra))
        return tuple(conflicted)

    def _begin_to_give_back(self) -> tuple[ResendState, ...]:
        """Before the Router hears of the account: what was there before. Returns who else waits to be told."""
        owed, self._owed = tuple(self._owed), {}
        self._is_back = self._has_past and not self._reconciled
        self._reconciled = True
        if self._is_back or any(each.name == Role.ROUTER.value for each in owed):
            self._recovery.restore_admission()
        return owed

    def _give_back(self, owed: Iterable[ResendState], now: Now) -> None:
        """Reconciled: who was started again meanwhile is told; after our own restart everyone."""
        if self._is_back:
            self._recovery.restore_all(now)
            self._show_signals(now)
            for shard in range(len(self._settings.symbols.screens)):
                self._flow.show_resting(shard)
        for each in owed:
            match Role(each.name):
                case Role.PAIR_MANAGER if self._is_back:
                    pass  # it was told with the others
                case Role.ROUTER:
                    self._recovery.repeat_late_fills()
                case _:
                    self._resend(each, now)

    def _resend(self, message: ResendState, now: Now) -> None:
        """Everything that an actor was told since the start and must know to go on."""
        role = Role(message.name)
        if not self._reconciled and role is not Role.THROTTLER:
            self._owed[message] = None
            return
        match role:
            case Role.SESSION_STATE:
                if self._boot.step is BootStep.UP:  # else the end of the boot tells
                    self._show_status()
                    if self._feeds.state is FeedState.ON:
                        self._feeds.say_registered()
                self._show_signals(now)
            case Role.ROUTER:
                self._recovery.restore_admission()
                self._recovery.repeat_late_fills()
                if self._boot.step is BootStep.UP:
                    self._boot.start()  # its cash and holdings must be the broker's of now, not of this morning
            case Role.MARKET_DATA:
                self._resend_shard(message.index, now)
            case Role.PAIR_MANAGER:
                self._recovery.restore_slot(message.index, now)
            case Role.THROTTLER:
                self._out.send(Role.THROTTLER, RecentSends(self._guard.sends(now.mono)))
            case _:
                pass  # the others know nothing from here that does not come again

    def _resend_shard(self, shard: int, now: Now) -> None:
        self._show_limits(shard)
        for (symbol, venue), reason in self._desk.halts.items():
            entry = self._entries[symbol]
            if entry.shard == shard:
                self._out.send(Role.MARKET_DATA, SymbolHalted(entry.index, venue, True, reason), shard)
        for venue in VENUES:
            self._out.send(Role.MARKET_DATA, VenueOpen(venue, self._hours.is_open(venue, now.wall)), shard)
        self._flow.show_resting(shard)

    def _show_status(self) -> None:
        self._out.send(Role.SESSION_STATE, BrokerStatus(not self._flow.trouble, self._flow.trouble))

    def _remember_signal(self, signal: SessionSignalSeen) -> None:
        self._signals.pop(signal.code, None)
        self._signals[signal.code] = signal

    def _show_signals(self, now: Now) -> None:
        """What the broker has said of today's sessions, oldest first."""
        for signal in self._signals.values():
            if signal.wall >= midnight(now.wall):
                self._out.send(Role.SESSION_STATE, signal)

    def _show_limits(self, shard: int) -> None:
        limits = tuple(
            (entry.index, *self._desk.limits[entry.symbol])
            for entry in self._settings.symbols.of_shard(shard)
            if entry.symbol in self._desk.limits
        )
        self._out.send(Role.MARKET_DATA, LimitsKnown(limits), shard)

    def _recall(self, journal: Iterable[Row], started: Now) -> bool:
        """What the rows tell of orders, pairs, the window and the sessions; False if there are none."""
        recall, ours, row = OrderRecall(self._orders), OursRecall(), None
        for written in journal:
            row = in_our_time(written, started)
            if not self._memory.is_repeat(row):
                self._memory.take(row)
            recall.take(row)
            ours.take(row)
            self._recall_route(row)
        self._holdings.recall(ours.ours)
        for returned in recall.finish(started):
            self._guard.returned("", returned)
        self._flow.recall_resting()
        self._flow.recall_excess()
        return row is not None

    def _recall_route(self, row: Row) -> None:
        extra = dict(row.extra)
        match row.event_type:
            case EventType.ORDER_SEND_ATTEMPT if self._routes.slot_of(row.pair_id or "") is None:
                self._routes.assign(row.pair_id or "", extra["slot"])
            case EventType.PAIR_ASSIGNED:
                self._routes.assign(row.pair_id or "", extra["slot"])
            case EventType.SESSION if "broker_time" in extra:
                code, time = row.reason or "", extra["broker_time"]
                self._remember_signal(SessionSignalSeen(code, time, row.ts_mono, row.ts_wall))
            case _:
                pass

    # --- what follows every message -----------------------------------------------------------------------------------

    def _settle(self, now: Now) -> Effects:
        """Let go what may go now, and ask what may be asked."""
        self._commands.release(now)
        self._aftercare.settle(now)
        self._show_venues(now)
        if self._boot.step is not BootStep.ASKING:
            self._enquiries.drop_ordinary()
        effects, done = self._enquiries.advance(now.mono)
        self._out.add(effects)
        if done:
            self._answered(done, now)
            effects, done = self._enquiries.advance(now.mono)
            self._out.add(effects)
            assert not done  # a question just begun has not been answered
        return self._out.take()

    def _answered(self, done: tuple[EnquiryDone, ...], now: Now) -> None:
        for each in done:
            match each.key:
                case BootKey():
                    self._ask(self._boot.answered(each.key, each, now))
                    if self._boot.step is BootStep.LOOKED:
                        self._looked(now)
                case DoubtKey():
                    self._ask(self._doubts.answered(each.key, each, now))
                case _:
                    raise AssertionError(each.key)

    def _ask(self, enquiries: tuple[Enquiry, ...]) -> None:
        for enquiry in enquiries:
            self._enquiries.ask(enquiry)

    def _register_feeds(self) -> None:
        """Before the line is up nothing can be registered: it is done with the end of the boot."""
        if self._feeds.state is FeedState.ON:
            self._feeds.say_registered()
        if self._feeds.wanted:
            return
        if self._boot.step is BootStep.UP:
            self._feeds.register()
        else:
            self._feeds.want()

    def _show_venues(self, now: Now, *, again: bool = False) -> None:
        """Tell the shards which venues trade, when that changes or when they begin to listen."""
        self._hours_change = self._hours.next_change(now)
        for venue in VENUES:
            is_open = self._hours.is_open(venue, now.wall)
            if again or self._shown_open.get(venue, False) is not is_open:
                self._shown_open[venue] = is_open
                for shard in range(len(self._settings.symbols.screens)):
                    self._out.send(Role.MARKET_DATA, VenueOpen(venue, is_open), shard)


def _boot_settings(settings: GatewaySettings) -> BootSettings:
    return BootSettings(
        account=settings.account,
        servers=settings.servers,
        session_screen=settings.session_screen,
        heartbeat_screen=settings.heartbeat_screen,
        heartbeat_symbols=settings.heartbeat_symbols,
        query_screens=settings.query_screens,
        run_tag=settings.run_tag,
    )


def _wall_of(at: Nanos, now: Now) -> WallNanos:
    return WallNanos(now.wall - (now.mono - at))
