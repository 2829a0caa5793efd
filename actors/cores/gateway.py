"""Gateway's core: the only one that asks the broker's control, and the one place where its answers become facts.

Commands of the pairs come in, calls of the control go out (`Call`); events of the control come in, facts go out: to the
pair, to the Router (claims, account), to SessionState (line, session), to the shards (limits, halts, venues, our own
orders) and to the Throttler (what the broker has counted). The parts are in `actors.domain`; this file only deals out
what comes. A `Record` always precedes the `Call` that it announces.

Limits: one account, one line, cash orders only; quotes do not come through here (the shell passes them on packed).
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final, assert_never

from actors.domain.boot import Boot, BootKey, BootSettings, BootStep
from actors.domain.doubt_desk import DoubtDesk, DoubtKey
from actors.domain.enquiries import Enquiries, Enquiry, EnquiryDone
from actors.domain.feeds import Feeds, FeedState
from actors.domain.holdings import Holdings
from actors.domain.order import KnownOrder, restored
from actors.domain.order_commands import Desk, OrderCommands
from actors.domain.order_flow import OrderFlow
from actors.domain.order_reports import OrderPatience, OrderReports
from actors.domain.order_rows import plain_row
from actors.domain.outbox import Outbox
from actors.domain.own_orders import OwnOrders
from actors.domain.routes import PairRoutes
from actors.domain.send_guard import HoldQueue, SendGuard
from actors.domain.symbol_map import SymbolMap
from actors.domain.trading_hours import TradingHours, VenueHours
from actors.domain.window import SlidingWindow
from actors.effects import Effects, Role
from actors.messages.journal import EventType
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
from actors.messages.throttle import QueryGranted
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
from kiwoom.market import MS, SECOND, VENUES, Nanos, Now, Shares, Symbol, Venue, WallNanos

GatewayMessage = (
    PlaceOrder
    | CancelOrder
    | QueryOrder
    | PairAssigned
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
        assert 1 <= self.orders_max <= 5
        assert 1 <= self.queries_max <= 5
        assert min(self.window_ns, self.ack_ns, self.accept_ns, self.cancel_ns) > 0
        assert self.margin_ns >= 0
        assert len({*screens, *self.symbols.screens}) == len(screens) + len(self.symbols.screens)
        assert all(len(screen) == 4 and screen.isdigit() and screen != "0000" for screen in screens)


_STARTING: Final = "not connected yet"


class GatewayCore:
    """`known`: our orders of earlier today, from the journal, after a restart."""

    def __init__(self, settings: GatewaySettings, known: tuple[KnownOrder, ...] = ()) -> None:
        self._settings = settings
        self._entries = {entry.symbol: entry for entry in settings.symbols.entries}
        span = Nanos(settings.window_ns + settings.margin_ns)
        self._out = Outbox()
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
        self._boot = Boot(_boot_settings(settings), settings.symbols, self._out, self._desk)
        self._feeds = Feeds(settings.symbols, self._out)
        self._shown_open: dict[Venue, bool] = {}
        self._hours_change: Nanos | None = None
        for order in known:
            self._remember(order)

    # --- the three methods of a core ----------------------------------------------------------------------------------

    def handle(self, message: GatewayMessage, now: Now) -> Effects:
        match message:
            case PlaceOrder():
                self._commands.place(message, now)
            case CancelOrder():
                self._commands.cancel(message, now)
            case QueryOrder():
                self._ask(self._doubts.query(message, now))
            case PairAssigned():
                self._routes.assign(message.pair_id, message.slot)
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
            self._hours_change,
        )
        return min((at for at in times if at is not None), default=None)

    def on_deadline(self, now: Now) -> Effects:
        self._reports.on_deadline(now)
        self._doubts.on_deadline(now)
        self._boot.on_deadline(now)
        self._feeds.on_deadline(now)
        return self._settle(now)

    # --- control events -----------------------------------------------------------------------------------------------

    def _control_event(self, event: ControlEvent, now: Now) -> None:
        match event:
            case Connected():
                self._connected(event, now)
            case LoginRead():
                self._boot.login_read(event)
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
                wall = _wall_of(event.at, now)
                self._out.send(Role.SESSION_STATE, SessionSignalSeen(event.code, event.time, event.at, wall))
            case TradePrinted():
                self._out.send(Role.SESSION_STATE, VenueAlive(event.venue, event.at, _wall_of(event.at, now)))
            case ViChanged():
                self._vi(event)
            case EventMalformed():
                self._reports.malformed(event, now)
            case _:
                assert_never(event)

    def _connected(self, event: Connected, now: Now) -> None:
        if self._boot.connected(event, now):
            self._guard.line_lost(now.mono)
            self._enquiries.forget()
            self._doubts.line_lost(now)
            self._feeds.line_lost()

    def _real_called(self, event: RealCalled, now: Now) -> None:
        if self._feeds.real_called(event, now):
            self._show_venues(now, again=True)
        if self._boot.real_called(event, now):
            self._up(now)

    def _balance(self, event: BalanceReport, now: Now) -> None:
        live = tuple(self._orders.open_orders(event.symbol))
        self._holdings.reported(event.symbol, event.held, event.sellable, live)
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
        for venue in VENUES if event.venue is None else (event.venue,):
            if event.active:
                self._desk.halts[event.symbol, venue] = "volatility interruption"
            else:
                self._desk.halts.pop((event.symbol, venue), None)
            halted = SymbolHalted(entry.index, venue, event.active, "VI")
            self._out.send(Role.MARKET_DATA, halted, entry.shard)

    # --- start and reconciliation -------------------------------------------------------------------------------------

    def _up(self, now: Now) -> None:
        """Everything is known: bring our live orders to what the broker's lists prove, then say so to everyone."""
        account = self._boot.account
        self._desk.limits = account.limits
        self._take_holdings()
        self._flow.trouble = ""
        self._doubts.reconcile(account.open_rows, account.fill_rows, account.orders_asked, now)
        self._external.clear()
        conflicted: dict[Symbol, None] = {}
        for row in account.open_rows:
            if row.leaves_qty > 0 and not self._orders.is_ours(row.order_no):
                self._external[row.order_no] = None
                conflicted[row.symbol] = None
        extra = (
            ("holdings", len(account.holdings)),
            ("open_orders", len(account.open_rows)),
            ("external_orders", len(self._external)),
            ("limits", len(account.limits)),
        )
        self._out.record(plain_row(EventType.RECONCILED, now, extra=extra))
        self._out.send(
            Role.ROUTER,
            AccountSnapshot(
                account=self._desk.account,
                server=account.server,
                holdings=account.holdings,
                cash_won=account.cash_won,
                limits=tuple((symbol, *limits) for symbol, limits in account.limits.items()),
                tradable=account.tradable,
                conflicted=tuple(conflicted),
            ),
        )
        for shard in range(len(self._settings.symbols.screens)):
            self._show_limits(shard)
        self._show_status()
        if self._feeds.state is FeedState.REGISTERING:
            self._feeds.register()

    def _take_holdings(self) -> None:
        """What the account does not list it no longer holds."""
        listed = {symbol: (held, sellable) for symbol, held, sellable in self._boot.account.holdings}
        for symbol in (*listed, *(each for each in self._holdings.symbols() if each not in listed)):
            held, sellable = listed.get(symbol, (Shares(0), Shares(0)))
            self._holdings.reported(symbol, held, sellable, self._orders.open_orders(symbol))

    def _resend(self, message: ResendState, now: Now) -> None:
        """Everything that an actor was told since the start and must know to go on."""
        if self._boot.step is not BootStep.UP:
            return  # the end of the boot tells everyone
        match Role(message.name):
            case Role.SESSION_STATE:
                self._show_status()
                if self._feeds.state is FeedState.ON:
                    self._feeds.say_registered()
            case Role.ROUTER:
                self._boot.start()  # its cash and holdings must be the broker's of now, not of this morning
            case Role.MARKET_DATA:
                self._show_limits(message.index)
                for (symbol, venue), reason in self._desk.halts.items():
                    entry = self._entries[symbol]
                    if entry.shard == message.index:
                        halted = SymbolHalted(entry.index, venue, True, reason)
                        self._out.send(Role.MARKET_DATA, halted, entry.shard)
                for venue in VENUES:
                    is_open = VenueOpen(venue, self._hours.is_open(venue, now.wall))
                    self._out.send(Role.MARKET_DATA, is_open, message.index)
                self._flow.show_resting(message.index)
            case _:
                pass  # the others know nothing from here that does not come again

    def _show_status(self) -> None:
        self._out.send(Role.SESSION_STATE, BrokerStatus(not self._flow.trouble, self._flow.trouble))

    def _show_limits(self, shard: int) -> None:
        limits = tuple(
            (entry.index, *self._desk.limits[entry.symbol])
            for entry in self._settings.symbols.of_shard(shard)
            if entry.symbol in self._desk.limits
        )
        self._out.send(Role.MARKET_DATA, LimitsKnown(limits), shard)

    def _remember(self, known: KnownOrder) -> None:
        order = restored(known)
        self._orders.add(order)
        self._guard.returned(order.cl_ord_id, known.returned)
        if known.order_no:
            self._orders.number(order, known.order_no)
        if order.is_over:
            self._orders.close(order)
        else:
            self._routes.assign(known.command.pair_id, known.command.slot)

    # --- what follows every message -----------------------------------------------------------------------------------

    def _settle(self, now: Now) -> Effects:
        """Let go what may go now, and ask what may be asked."""
        self._commands.release(now)
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
                    self._boot.answered(each.key, each, now)
                case DoubtKey():
                    self._ask(self._doubts.answered(each.key, each, now))
                case _:
                    raise AssertionError(each.key)

    def _ask(self, enquiries: tuple[Enquiry, ...]) -> None:
        for enquiry in enquiries:
            self._enquiries.ask(enquiry)

    def _register_feeds(self) -> None:
        """Before the line is up nothing can be registered: it is done with the end of the boot."""
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
