"""From nothing to a reconciled account: log in, look around, ask, register the heartbeat. Again after a lost line.

Connect -> Connected(0) -> ReadLogin -> account and server checked -> ReadMaster -> the questions, one by one -> the
heartbeat's registrations -> up. Where orders or pairs of before may live, a first look comes before ReadMaster: the
orders, the fills and the holdings, as fast as the window allows, so that nothing open waits for the rest.

Each failure is said in words. A lost line, a refused login and an unanswered question are tried again with growing
pauses; a wrong account or server is for a person to put right.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from actors.domain.doubt import OrderRow, listed_fills, listed_open
from actors.domain.enquiries import Enquiry, EnquiryDone
from actors.domain.holdings import Holdings
from actors.domain.order_commands import Desk
from actors.domain.outbox import Outbox
from actors.domain.own_orders import OwnOrders
from actors.domain.symbol_map import CODES_PER_SCREEN_MAX, SymbolMap, feed_code
from actors.effects import Role
from actors.messages.session import BrokerStatus
from kiwoom import decode
from kiwoom.codes import fid, master, tr
from kiwoom.control import (
    Connect,
    Connected,
    LoginRead,
    MasterRead,
    ReadLogin,
    ReadMaster,
    RealCalled,
    RegisterReal,
    RequestTr,
    RequestWatchlist,
    UnregisterReal,
)
from kiwoom.market import SECOND, VENUES, Nanos, Now, Symbol, Venue, Won

BACK_OFF_NS: Final = tuple(Nanos(seconds * SECOND) for seconds in (1, 2, 4, 8, 16, 30))
"""The pauses before the tries after a failure; the last one repeats."""


FILLS_FROM: Final = 100
"""The numbers, in their rqnames, of the questions that come after the open orders."""


class BootStep(Enum):
    IDLE = auto()
    CONNECTING = auto()
    READING_LOGIN = auto()
    LOOKING = auto()
    """What lives of ours? Asked first, if anything may, after a restart or a lost line."""
    LOOKED = auto()
    """It is known; `go_on` when it has been used."""
    READING_MASTER = auto()
    ASKING = auto()
    REGISTERING = auto()
    UP = auto()
    PAUSING = auto()
    """Something failed; the next try is due at `due`."""
    GIVEN_UP = auto()
    """A person must put it right and connect again."""


class Question(Enum):
    """What is asked at start, in this order. The value is what it is called in a reason.

    The fills come last: of each symbol and venue on which an order of ours was live when the open orders were listed. A
    day's list of the whole account would be long, and what has ended needs no proof.
    """

    LIMITS = "the day's price limits"
    HOLDINGS = "the holdings"
    CASH = "the cash"
    OPEN_ORDERS = "the open orders"
    VI = "the VI registration"
    FILLS = "today's fills"


_TRS: Final[dict[Question, tr.Tr]] = {
    Question.HOLDINGS: tr.HOLDINGS,
    Question.CASH: tr.CASH,
    Question.OPEN_ORDERS: tr.OPEN_ORDERS,
    Question.FILLS: tr.EXECUTIONS,
    # Asked for its side effect: it registers the VI events (KIWOOM.md 3.2). Its rows are not read.
    Question.VI: replace(tr.VI_STATE, fields=()),
}
"""The watch-lists (LIMITS) have a call of their own."""


@dataclass(frozen=True, slots=True)
class BootKey:
    question: Question
    attempt: int
    """Answers to an earlier, broken-off boot, or to the first look of this one, are not for it."""
    venue: Venue = Venue.KRX
    """With OPEN_ORDERS and FILLS: where."""
    symbol: str = ""
    """With FILLS: of what."""


@dataclass(slots=True)
class Account:
    """What the questions brought. The open orders are the whole account's, the fills those of our live orders' symbols;
    both with the orders of others."""

    server: str
    tradable: tuple[Symbol, ...]
    limits: dict[Symbol, tuple[Won, Won]]
    cash_won: Won
    open_rows: tuple[OrderRow, ...]
    fill_rows: tuple[OrderRow, ...]
    orders_asked: Nanos
    """When the first list of open orders was asked for."""


@dataclass(frozen=True, slots=True)
class BootSettings:
    account: str
    """"" = the login's first."""
    servers: tuple[str, ...]
    """The kinds of server that this mode may run against (LoginRead.server)."""
    session_screen: str
    heartbeat_screen: str
    heartbeat_symbols: tuple[Symbol, ...]
    query_screens: tuple[str, ...]
    run_tag: str


class Boot:
    def __init__(
        self,
        settings: BootSettings,
        symbols: SymbolMap,
        out: Outbox,
        desk: Desk,
        orders: OwnOrders,
        holdings: Holdings,
    ) -> None:
        self._orders = orders
        self._holdings = holdings
        self._settings = settings
        self._symbols = symbols
        self._out = out
        self._desk = desk
        self._known = {entry.symbol for entry in symbols.entries}
        self._attempt = 0
        self._failures = 0
        self._line_is_up = False
        self._usable = False
        """The account was known once since the line came up: hedges and cancels may go on while we look again."""
        self._waiting: list[BootKey] = []
        self._registering: list[str] = []
        self._due: Nanos | None = None
        self.looks_first = False
        """Something may live: orders, fills and holdings are wanted before everything else."""
        self.step = BootStep.IDLE
        self.account = _nothing_known()

    # --- steps --------------------------------------------------------------------------------------------------------

    def start(self, why: str = "") -> None:
        """Log in; or, if the line is up, look at the account again. Ignored while either is under way. `why` is shown
        meanwhile."""
        if self.step in (BootStep.IDLE, BootStep.PAUSING, BootStep.GIVEN_UP):
            self._try()
        elif self.step is BootStep.UP:
            self._say_down(why or "reconciling with the broker")
            self._read_login()

    def connected(self, event: Connected, now: Now) -> bool:
        """True: a line was lost that had been up, and what was asked on it will not be answered."""
        was_up = self._line_is_up
        self._line_is_up = event.error == 0
        self._usable = False
        if event.error == 0:
            if was_up:
                self._say_down("logged in again: reconciling with the broker")
            self._read_login()
        elif was_up:
            self._failures = 0
            self._fail(f"the line to the broker was lost: the control says {event.error}", now)
        elif self.step is BootStep.CONNECTING:
            self._fail(f"login failed: the control says {event.error}", now)
        return was_up

    def login_read(self, event: LoginRead) -> tuple[Enquiry, ...]:
        """Returns the questions of the first look, if there is to be one."""
        if self.step is not BootStep.READING_LOGIN:
            return ()
        wanted = self._settings.account
        if event.server not in self._settings.servers:
            allowed = " or ".join(self._settings.servers)
            self._give_up(f"this is the {event.server} server; this mode needs {allowed}")
        elif not event.accounts:
            self._give_up("the login has no account")
        elif wanted and wanted not in event.accounts:
            self._give_up(f"account {_masked(wanted)} is not one of this login's {len(event.accounts)}")
        else:
            self._desk.account = wanted or event.accounts[0]
            self.account.server = event.server
            if self.looks_first:
                self.step = BootStep.LOOKING
                return self._ask(self._first_look())
            self._read_master()
        return ()

    def master_read(self, event: MasterRead) -> tuple[Enquiry, ...]:
        """Returns the questions to ask, in their order."""
        if self.step is not BootStep.READING_MASTER:
            return ()
        self.account.tradable = tuple(
            entry.symbol
            for entry in event.entries
            if entry.symbol in self._known
            and entry.nxt_tradable
            and entry.market is not None
            and not master.is_warned(entry.warning)
            and not master.is_halted(entry.state)
        )
        self.step = BootStep.ASKING
        return self._ask(self._enquiries())

    def answered(self, key: BootKey, done: EnquiryDone, now: Now) -> tuple[Enquiry, ...]:
        """Returns what to ask because of it."""
        if self.step not in (BootStep.LOOKING, BootStep.ASKING) or key not in self._waiting:
            return ()
        failure = done.failure
        if not failure:
            try:
                self._read(key, done)
            except decode.DecodeError as error:
                failure = f"unreadable answer: {error}"
        if failure:
            self._fail(f"{key.question.value} could not be read: {failure}", now)
            return ()
        self._waiting.remove(key)
        if key.question is Question.LIMITS and not any(self._asks(Question.LIMITS)):
            self._end_watchlists()
        more: tuple[Enquiry, ...] = ()
        if key.question is Question.OPEN_ORDERS and not any(self._asks(Question.OPEN_ORDERS)):
            more = self._after_open_orders()
            self._waiting += _keys(more)
        if not self._waiting:
            self._all_answered()
        return more

    def _all_answered(self) -> None:
        if self.step is BootStep.ASKING:
            self._register()
            return
        self.step = BootStep.LOOKED
        self._usable = True
        self._desk.disconnected = ""

    def go_on(self) -> None:
        """After the first look: the whole boot, which asks anew. Hedges and cancels go on meanwhile."""
        self.looks_first = False
        self._attempt += 1
        server = self.account.server
        self.account = _nothing_known()
        self.account.server = server
        self._read_master()

    def real_called(self, event: RealCalled, now: Now) -> bool:
        """True: this was the last step, and everything is known."""
        if self.step is not BootStep.REGISTERING or event.screen_no not in self._registering:
            return False
        if event.code < 0:
            self._fail(f"the heartbeat could not be registered: the control says {event.code}", now)
            return False
        self._registering.remove(event.screen_no)
        if self._registering:
            return False
        self.step = BootStep.UP
        self._failures = 0
        self._usable = True
        self._desk.disconnected = ""
        return True

    def next_deadline(self) -> Nanos | None:
        return self._due

    def on_deadline(self, now: Now) -> None:
        if self._due is not None and now.mono >= self._due:
            self._try()

    # --- inside -------------------------------------------------------------------------------------------------------

    def _try(self) -> None:
        self._due = None
        if self._line_is_up:
            self._read_login()
            return
        self.step = BootStep.CONNECTING
        self._say_down("connecting to the broker")
        self._out.call(Connect())

    def _read_login(self) -> None:
        self._due = None
        self._attempt += 1
        self._waiting = []
        self.account = _nothing_known()
        self.step = BootStep.READING_LOGIN
        self._out.call(ReadLogin())

    def _read_master(self) -> None:
        self.step = BootStep.READING_MASTER
        self._out.call(ReadMaster(tuple(entry.symbol for entry in self._symbols.entries)))

    def _ask(self, enquiries: tuple[Enquiry, ...]) -> tuple[Enquiry, ...]:
        self._waiting = _keys(enquiries)
        return enquiries

    def _fail(self, text: str, now: Now) -> None:
        """Try again later."""
        # A line that is up is asked again at once while shares may be open: only logins are to be spared.
        at_once = self._line_is_up and self.looks_first
        pause = BACK_OFF_NS[0 if at_once else min(self._failures, len(BACK_OFF_NS) - 1)]
        self._failures += 1
        self._waiting = []
        self._registering = []
        self.step = BootStep.PAUSING
        self._due = Nanos(now.mono + pause)
        self._say_down(text)

    def _give_up(self, text: str) -> None:
        self.step = BootStep.GIVEN_UP
        self._say_down(text)

    def _say_down(self, text: str) -> None:
        if not self._usable:
            self._desk.disconnected = text
        self._out.send(Role.SESSION_STATE, BrokerStatus(False, text))

    def _asks(self, question: Question) -> Iterator[BootKey]:
        """What is still waited for of this question."""
        return (key for key in self._waiting if key.question is question)

    def _end_watchlists(self) -> None:
        """A watch-list query registers its codes' quotes on its screen (KIWOOM.md 3.3): give them back."""
        lists = -(-len(self._symbols.entries) // CODES_PER_SCREEN_MAX)
        for screen in dict.fromkeys(self._screen(number) for number in range(lists)):
            self._out.call(UnregisterReal(screen))

    def _register(self) -> None:
        settings = self._settings
        self.step = BootStep.REGISTERING
        codes = tuple(feed_code(symbol, venue) for symbol in settings.heartbeat_symbols for venue in VENUES)
        self._registering = [settings.session_screen, settings.heartbeat_screen]
        self._out.call(RegisterReal(settings.session_screen, (), fid.SESSION_FIDS))
        self._out.call(RegisterReal(settings.heartbeat_screen, codes, fid.TRADE_FIDS))

    # --- questions and their answers ----------------------------------------------------------------------------------

    def _first_look(self) -> tuple[Enquiry, ...]:
        return tuple(replace(enquiry, urgent=True) for enquiry in self._open_orders(0))

    def _after_open_orders(self) -> tuple[Enquiry, ...]:
        account, number, asked = self._desk.account, FILLS_FROM, list[Enquiry]()
        orders = (*(o for o in self._orders.open_orders() if o.is_at_broker), *self._orders.lost())
        live = {(order.symbol, order.venue): None for order in orders}
        for symbol, venue in live:
            inputs = tr.executions_inputs(account, venue, symbol)
            asked.append(self._tr(number + len(asked), Question.FILLS, inputs, venue, symbol))
        if self.step is BootStep.ASKING:
            return tuple(asked)
        # The first look is not held to the wide spacing: nobody else asks now, and shares may be open.
        asked.append(self._tr(number + len(asked), Question.HOLDINGS, tr.holdings_inputs(account, Venue.KRX)))
        return tuple(replace(enquiry, urgent=True) for enquiry in asked)

    def _open_orders(self, number: int) -> list[Enquiry]:
        return [
            self._tr(number + place, Question.OPEN_ORDERS, tr.open_orders_inputs(self._desk.account, venue), venue)
            for place, venue in enumerate(VENUES)
        ]

    def _enquiries(self) -> tuple[Enquiry, ...]:
        account = self._desk.account
        symbols = [entry.symbol for entry in self._symbols.entries]
        asked: list[Enquiry] = []
        for start in range(0, len(symbols), CODES_PER_SCREEN_MAX):
            codes = tuple(symbols[start : start + CODES_PER_SCREEN_MAX])
            number = len(asked)
            watchlist = RequestWatchlist(self._rq_name(number), codes, self._screen(number), tr.WATCHLIST.fields)
            asked.append(Enquiry(self._key(Question.LIMITS), watchlist, urgent=False))
        asked.append(self._tr(len(asked), Question.HOLDINGS, tr.holdings_inputs(account, Venue.KRX)))
        asked.append(self._tr(len(asked), Question.CASH, tr.cash_inputs(account)))
        asked += self._open_orders(len(asked))
        asked.append(self._tr(len(asked), Question.VI, tr.vi_state_inputs()))
        return tuple(asked)

    def _tr(
        self, number: int, question: Question, inputs: tr.Inputs, venue: Venue = Venue.KRX, symbol: str = ""
    ) -> Enquiry:
        form = _TRS[question]
        request = RequestTr(
            rq_name=self._rq_name(number),
            tr_code=form.code,
            inputs=inputs,
            screen_no=self._screen(number),
            fields=form.fields,
            single_fields=form.single_fields,
        )
        return Enquiry(self._key(question, venue, symbol), request, urgent=False)

    def _key(self, question: Question, venue: Venue = Venue.KRX, symbol: str = "") -> BootKey:
        return BootKey(question, self._attempt, venue, symbol)

    def _rq_name(self, number: int) -> str:
        return f"{self._settings.run_tag}B{self._attempt}N{number}"

    def _screen(self, number: int) -> str:
        return self._settings.query_screens[number % len(self._settings.query_screens)]

    def _read(self, key: BootKey, done: EnquiryDone) -> None:
        """Raises DecodeError if the answer is not what was asked for."""
        account = self.account
        match key.question:
            case Question.LIMITS:
                for row in decode.watch_rows(done.rows):
                    if row.symbol in self._known and row.upper_limit > 0:
                        account.limits[row.symbol] = (row.lower_limit, row.upper_limit)
            case Question.HOLDINGS:
                holdings = tuple((row.symbol, row.held, row.sellable) for row in decode.holdings(done.rows))
                self._holdings.listed(holdings, self._orders, done.asked)
            case Question.CASH:
                account.cash_won = decode.cash(done.single).orderable_full_won
            case Question.OPEN_ORDERS:
                if not account.orders_asked:
                    account.orders_asked = done.asked
                account.open_rows += listed_open(done.rows, key.venue)
            case Question.FILLS:
                account.fill_rows += listed_fills(done.rows, key.venue)
            case Question.VI:
                pass


def _keys(enquiries: Iterable[Enquiry]) -> list[BootKey]:
    return [enquiry.key for enquiry in enquiries if isinstance(enquiry.key, BootKey)]


def _nothing_known() -> Account:
    return Account(
        server="",
        tradable=(),
        limits={},
        cash_won=Won(0),
        open_rows=(),
        fill_rows=(),
        orders_asked=Nanos(0),
    )


def _masked(account: str) -> str:
    return account[:2] + "*" * max(0, len(account) - 4) + account[-2:]
