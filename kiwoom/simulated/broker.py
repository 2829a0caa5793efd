"""The core of the simulated Kiwoom server: takes the control's calls, deals with the market, sends events back.

Pure and seeded. Time comes with every call as `mono` (the broker's own monotonic clock, on which its caps are
measured) and `wall` (the market's clock), both in nanoseconds and advancing together. `call` answers at once; what
takes time stands in one queue beside the market's own, and `due` runs both in step.

Limits and assumptions: one account, one login at a time; what is sent while nobody is logged in is lost, orders live
on; nothing survives the process. What each desk assumes stands in `order_desk`, `query_desk`, `feed`, `account`.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kiwoom.simulated.account import Account
from kiwoom.simulated.events import (
    BookChanged,
    Halted,
    MarketEvent,
    Resumed,
    SessionSignal,
    TradePrinted,
    ViEnded,
    ViStarted,
)
from kiwoom.simulated.faults import ANYTHING, BrokerKnobs, Faults, Latency, Strike, settings_from
from kiwoom.simulated.feed import Feed
from kiwoom.simulated.ledger import LedgerKind, LedgerRow
from kiwoom.simulated.line import Line
from kiwoom.simulated.market import SimulatedMarket
from kiwoom.simulated.master import Master, MasterNotes
from kiwoom.simulated.mischief import LINE, Mischief
from kiwoom.simulated.order_desk import OrderCall, OrderDesk
from kiwoom.simulated.orders import BrokerOrder
from kiwoom.simulated.query_desk import QueryDesk
from kiwoom.simulated.registrations import SESSION_FID, is_screen
from kiwoom.simulated.scenario import Scenario
from kiwoom.simulated.wire import CallFrame, EventFrame, ReplyFrame, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """How this broker behaves, beside its market and its account."""

    latency: Latency = field(default_factory=Latency)
    faults: Faults = field(default_factory=Faults)
    knobs: BrokerKnobs = field(default_factory=BrokerKnobs)
    resend_session_signal: bool = True
    """A registration of FID 215 is answered with the latest signal of each venue; else nothing comes until the next."""
    notes: Mapping[str, MasterNotes] = field(default_factory=dict)
    """Shares that are not ordinary, by symbol."""


def settings_of(
    scenario: Scenario,
    latency: Mapping[str, Any] | None = None,
    faults: Mapping[str, Any] | None = None,
    knobs: Mapping[str, Any] | None = None,
    notes: Mapping[str, MasterNotes] | None = None,
) -> BrokerSettings:
    """The scenario's settings with `latency`, `faults` and `knobs` over them. Raises `SettingsError`."""
    return BrokerSettings(
        latency=settings_from(Latency, {**scenario.latency, **(latency or {})}, "latency"),
        faults=settings_from(Faults, {**scenario.faults, **(faults or {})}, "faults"),
        knobs=settings_from(BrokerKnobs, {**scenario.broker, **(knobs or {})}, "broker"),
        resend_session_signal=scenario.session.resend_session_signal,
        notes=notes or {},
    )


class UnknownCallError(ValueError):
    """The control has no such method, or not with these arguments."""


class SimulatedBroker:
    """One server with one account."""

    def __init__(
        self, *, market: SimulatedMarket, symbols: Sequence[str], account: Account, settings: BrokerSettings, seed: int
    ) -> None:
        listings = {symbol: market.listing(symbol) for symbol in symbols}
        self.market = market
        self.account = account
        self._watcher: Callable[[MarketEvent], None] | None = None
        self._resend_session_signal = settings.resend_session_signal
        self._line = Line(settings.latency, settings.faults, seed)
        self._master = Master(
            listings, settings.notes, account.number, "1" if settings.knobs.mock_server else "simulated"
        )
        self._feed = Feed(market, listings, self._line)
        self._mischief = Mischief(self._line, market, self._observe, market.now)
        self._orders = OrderDesk(
            line=self._line,
            feed=self._feed,
            market=market,
            account=account,
            listings=listings,
            knobs=settings.knobs,
            record=self._record,
            wall_to_mono=lambda wall: wall - self._wall_less_mono,
            observe_all=self._observe,
            mischief=self._mischief,
        )
        self._queries = QueryDesk(
            line=self._line,
            feed=self._feed,
            account=account,
            listings=listings,
            knobs=settings.knobs,
            orders=self._orders.orders.values,
        )
        self._wall_less_mono = 0
        self._now = 0
        # Emptied by every `take_ledger`.
        self._ledger: list[LedgerRow] = []
        self._recorded: Counter[LedgerKind] = Counter()

    # --- the timer --------------------------------------------------------------------------------------------------

    def next_at(self) -> int:
        """The wall time of the next thing to happen here or at the market; 0 if something waits to be sent now."""
        if self._line.has_output:
            return 0
        market_at, own_at = self.market.next_at(), self._line.next_at()
        return market_at if own_at is None else min(market_at, own_at)

    def due(self, mono: int, wall: int, steps: int = 1_000_000) -> list[EventFrame]:
        """Run what is due up to `wall`, at most `steps` of it, and give what the client is to be sent, in order.

        If more is due, `next_at` says so: the caller can look after its line in between. The ledger rows of all this
        are to be taken and written before the events are sent.
        """
        self._wall_less_mono, self._now = wall - mono, wall
        for _ in range(steps):
            market_at, own_at = self.market.next_at(), self._line.next_at()
            if own_at is not None and own_at < market_at:
                if own_at > wall:
                    break
                self._line.run_next()
            elif market_at <= wall:
                self._observe(self.market.advance(market_at))
            else:
                break
            self._feed.publish_books()
        return self._line.take()

    def watch(self, watcher: Callable[[MarketEvent], None]) -> None:
        """Somebody beside the client is shown the market's halts, interruptions and session signals."""
        self._watcher = watcher

    def _observe(self, events: Sequence[MarketEvent]) -> None:
        for event in events:
            match event:
                case BookChanged():
                    self._feed.book_changed(event)
                case TradePrinted():
                    self._feed.trade_printed(event)
                case SessionSignal():
                    self._feed.signalled(event)
                    self._show(event)
                case ViStarted() | ViEnded():
                    self._feed.vi_changed(event)
                    self._show(event)
                case Halted() | Resumed():
                    self._show(event)  # The control tells nobody; orders are refused, and the book stands still.
                case _:
                    self._orders.observe(event)

    def _show(self, event: MarketEvent) -> None:
        if self._watcher is not None:
            self._watcher(event)

    # --- calls ------------------------------------------------------------------------------------------------------

    def call(self, frame: CallFrame, mono: int, wall: int) -> ReplyFrame:
        """One method of the control. Raises `UnknownCallError` for what the control does not have."""
        self._wall_less_mono, self._now = wall - mono, wall
        return ReplyFrame(self._call(frame.name, frame.args, mono, wall))

    def disconnected(self) -> None:
        """The client is gone: its registrations are dropped, its answers lost, its orders left alone."""
        self._line.drop()

    def _call(self, name: str, args: tuple[Value, ...], mono: int, wall: int) -> Value:
        registrations = self._line.registrations
        match name, args:
            case "SendOrder", (str(), str(), str(), int(), str(), int(), int(), str(), str()):
                return self._orders.send_order(OrderCall(*args), mono, wall)  # type: ignore[arg-type]
            case "CommRqData", (str(rq_name), str(tr_code), int(prev_next), str(screen_no), *rest):
                inputs = dict(zip(map(str, rest[::2]), map(str, rest[1::2]), strict=True))
                return self._queries.request(rq_name, tr_code, prev_next, screen_no, inputs, mono, wall)
            case "CommKwRqData", (str(codes), int(), int(count), int(kind), str(rq_name), str(screen_no)):
                return self._queries.request_watch_list(_split(codes), count, kind, rq_name, screen_no, mono, wall)
            case "SetRealReg", (str(screen_no), str(codes), str(fids), str(option)):
                return self._register(screen_no, _split(codes), _split(fids), option)
            case "SetRealRemove", (str(screen_no), str(code)):
                registrations.remove(screen_no, code)
                return 0
            case "DisconnectRealData", (str(screen_no),):
                registrations.disconnect(screen_no)
                return 0
            case "CommConnect", ():
                self._line.connect(wall)
                return 0
            case _:
                return self._look_up(name, args)

    def _look_up(self, name: str, args: tuple[Value, ...]) -> str:
        """The getters that need no event; nothing is known before the login."""
        match name, args:
            case "GetLoginInfo", (str(tag),):
                answer = self._master.login_info(tag)
            case "GetCodeListByMarket", (str(market),):
                answer = self._master.codes_by_market(market)
            case "KOA_Functions", (str(function), str(parameter)):
                answer = self._master.function(function, parameter)
            case (
                "GetMasterCodeName" | "GetMasterLastPrice" | "GetMasterStockState" | "GetMasterConstruction",
                (str(code),),
            ):
                answer = self._master.of_code(name, code)
            case _:
                raise UnknownCallError(f"the control has no {name}{args}")
        return answer if self._line.logged_in else ""

    def _register(self, screen_no: str, codes: list[str], fids: list[str], option: str) -> int:
        if not self._line.logged_in:
            return -106
        if not is_screen(screen_no) or option not in ("0", "1") or not all(fid.isdecimal() for fid in fids):
            return -300
        numbers = [int(fid) for fid in fids]
        result = self._line.registrations.register(screen_no, codes, numbers, add=option == "1")
        if result == 0 and SESSION_FID in numbers and self._resend_session_signal:
            for signal in self.market.last_signals():
                self._feed.send_signal(signal)
        return result

    # --- faults, from outside ---------------------------------------------------------------------------------------

    def take_strikes(self) -> list[Strike]:
        """The faults that happened since the last look, oldest first; at most the last `faults.STRIKES_KEPT_MAX`."""
        return self._line.dice.take()

    def aim(self, fault: str, subject: str = ANYTHING, times: int = 1) -> None:
        """The next `times` that `fault` may strike `subject` (an rq_name, an order number: see `Strike`) it does."""
        self._line.dice.aim(fault, subject, times)

    def calm(self) -> tuple[str, ...]:
        """From now on (the time of the last call or `due`) nothing goes wrong, and every halt, VI, rush and line that
        is down ends. What was late still comes late; what was lost stays lost. Returns what stands all the same, in
        words: an NXT that closed early."""
        self._line.calm()
        self._orders.calm(max(self._now, self.market.now))
        self.observe(self.market.calm(max(self._now, self.market.now)))
        return ("NXT closed early",) if self.market.nxt_closed_early else ()

    def cut_line(self, wall: int, down_ns: int = 0) -> None:
        """The line to the client breaks (-106), and no login works for `down_ns`."""
        self._line.dice.note("cut_line", LINE, wall, down_ns)
        self._line.cut_at(wall, self._line.session, down_ns)

    def observe(self, events: Sequence[MarketEvent]) -> None:
        """What `market` answered to a call that was not the broker's: a halt, a hit, an early close, a rush."""
        self._observe(events)
        self._feed.publish_books()

    def order_by_hand(
        self, venue: str, symbol: str, side: str, qty: int, price: int, hoga: str, mono: int, wall: int
    ) -> str:
        """The trader's own order, in HTS. Its number; "" if the server turns it away."""
        self._wall_less_mono = wall - mono
        return self._orders.order_by_hand(venue, symbol, side, qty, price, hoga, wall)

    # --- the books --------------------------------------------------------------------------------------------------

    def take_ledger(self) -> list[LedgerRow]:
        """The ledger rows since the last look, to be written before the client is told anything after them."""
        rows, self._ledger = self._ledger, []
        return rows

    def record_positions(self, kind: LedgerKind, mono: int, wall: int) -> None:
        """OPEN_POSITION or CLOSE_POSITION: one row per held symbol, then one for cash."""
        held = [(symbol, self.account.holding(symbol).qty) for symbol in self.account.held_symbols()]
        for symbol, qty in [*held, ("CASH", self.account.cash)]:
            self._record(LedgerRow(ts=wall, ts_mono_ns=mono, kind=kind, symbol=symbol, qty=qty))

    def open_orders(self) -> list[BrokerOrder]:
        """What has not left the book yet, oldest first."""
        return [order for order in self._orders.orders.values() if not order.ended]

    def summary(self) -> dict[str, Any]:
        """The run in numbers, ready for JSON."""
        return {
            "published": dict(self._feed.published),
            "prints_published": dict(self._feed.prints_published),
            "orders": self._recorded[LedgerKind.ORDER],
            "cancels": self._recorded[LedgerKind.CANCEL],
            "fills": self._recorded[LedgerKind.FILL],
            "rejects": self._recorded[LedgerKind.REJECT],
            "overloads": self._recorded[LedgerKind.OVERLOAD],
            "orders_max_in_1s": self._orders.window.most_used,
            "queries": self._queries.asked,
            "query_overloads": self._queries.overloads,
            "faults": dict(sorted(self._line.dice.counts.items())),
            "open_orders": [order.order_no for order in self.open_orders()],
        }

    def _record(self, row: LedgerRow) -> None:
        self._recorded[row.kind] += 1
        self._ledger.append(row)


def _split(text: str) -> list[str]:
    """';'-joined values without the empty ones."""
    return [part for part in text.split(";") if part]
