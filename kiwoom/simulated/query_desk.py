"""The broker's query desk: CommRqData and CommKwRqData, from the cap to the last page.

Limits and assumptions (KIWOOM.md 5, 6): 5 queries in any second, -200 beyond; an answer is the state at the query's
arrival; one continuing query at a time, ended by any other; a watch-list query registers its codes' quotes on its
screen, OPT10054 registers VI events.
"""

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Final

from kiwoom.simulated import queries
from kiwoom.simulated.account import Account
from kiwoom.simulated.faults import BrokerKnobs
from kiwoom.simulated.feed import Feed
from kiwoom.simulated.line import Line, SlidingSecond
from kiwoom.simulated.market import Listing
from kiwoom.simulated.orders import BrokerOrder
from kiwoom.simulated.realtime import BOOK_TYPE, FIDS_OF, TRADE_TYPE, venue_code
from kiwoom.simulated.registrations import is_screen
from kiwoom.simulated.rules import KRX, NXT, VENUES
from kiwoom.simulated.wire import MessageFrame, TrFrame

QUERIES_PER_SECOND_MAX: Final = 5
WATCH_LIST_CODES_MAX: Final = 100

_WATCH_LIST: Final = "OPTKWFID"
_RECORD_NAMES: Final = {
    "opt10075": "미체결",
    "opt10076": "체결",
    "opw00018": "계좌평가잔고개별합산",
    "opw00001": "예수금상세현황",
    "opt10054": "변동성완화장치발동종목",
    "optkwfid": "관심종목정보",
}
_WITH_ACCOUNT: Final = ("opt10075", "opt10076", "opw00018", "opw00001")
_FAILURES: Final = (-22, -205, -211)
"""What the fault query_failed returns (KIWOOM.md 1.6)."""
_VENUES_ASKED: Final = {"1": (KRX,), "2": (NXT,)}


@dataclass(frozen=True, slots=True)
class _Remainder:
    """What a continuing query has not been given yet."""

    tr_code: str
    screen_no: str
    table: queries.Table


class QueryDesk:
    """Answers queries from the account, the orders of today and the feed."""

    def __init__(
        self,
        *,
        line: Line,
        feed: Feed,
        account: Account,
        listings: Mapping[str, Listing],
        knobs: BrokerKnobs,
        orders: Callable[[], Iterable[BrokerOrder]],
    ) -> None:
        self.asked = 0
        self.overloads = 0
        self._line = line
        self._feed = feed
        self._account = account
        self._listings = listings
        self._knobs = knobs
        self._orders = orders
        self._opening_cash = account.cash
        self._window = SlidingSecond(QUERIES_PER_SECOND_MAX)
        self._remainder: _Remainder | None = None

    def request(
        self,
        rq_name: str,
        tr_code: str,
        prev_next: int,
        screen_no: str,
        inputs: Mapping[str, str],
        mono: int,
        wall: int,
    ) -> int:
        """CommRqData with what SetInputValue collected."""
        name = tr_code.lower()
        if name not in _RECORD_NAMES or name == _WATCH_LIST.lower() or prev_next not in (0, 2):
            return -202
        turned_away = self._admit(rq_name, screen_no, mono, wall)
        if turned_away:
            return turned_away
        if name in _WITH_ACCOUNT and inputs.get("계좌번호") != self._account.number:
            self._remainder = None
            text = MessageFrame(screen_no, rq_name, tr_code, "[571578] 계좌번호 입력을 확인해주세요")
            self._answer(rq_name, tr_code, screen_no, ({}, []), wall, text)
            return 0
        if prev_next == 2:
            table = self._continued(tr_code, screen_no)
        else:
            table = self._table(name, inputs, screen_no, rq_name, wall)
        self._answer(rq_name, tr_code, screen_no, table, wall)
        return 0

    def request_watch_list(
        self, codes: list[str], count: int, kind: int, rq_name: str, screen_no: str, mono: int, wall: int
    ) -> int:
        """CommKwRqData: at most 100 codes, `kind` 0 for shares."""
        if len(codes) > WATCH_LIST_CODES_MAX:
            return -204
        if not codes or count != len(codes) or kind != 0:
            return -202
        turned_away = self._admit(rq_name, screen_no, mono, wall)
        if turned_away:
            return turned_away
        if self._knobs.query_registers_real:
            fids = FIDS_OF[BOOK_TYPE] + FIDS_OF[TRADE_TYPE]
            self._line.registrations.register(screen_no, codes, (fid for fid in fids if fid != 215), add=False)
        streams = [(code, self._venue_of(code), self._listings[code[:6]]) for code in codes if self._venue_of(code)]
        self._remainder = None
        self._answer(rq_name, _WATCH_LIST, screen_no, queries.watch_list(streams, self._feed.quote), wall)
        return 0

    def _admit(self, rq_name: str, screen_no: str, mono: int, wall: int) -> int:
        if not self._line.logged_in:
            return -106
        if not is_screen(screen_no):
            return -202
        cap_time = self._line.cap_time(mono)
        if self._window.is_full(cap_time) or self._line.dice.strikes("query_overload", rq_name, wall):
            self.overloads += 1
            return -200
        if self._line.dice.strikes("query_failed", rq_name, wall):
            return self._line.dice.one_of(_FAILURES)
        self._window.take(cap_time)
        self.asked += 1
        return 0

    def _venue_of(self, code: str) -> str:
        """The venue of a feed code, "" for one that no listing has."""
        listing = self._listings.get(code[:6])
        if listing is None:
            return ""
        if code == listing.symbol:
            return KRX
        return NXT if listing.nxt and code == venue_code(NXT, listing.symbol) else ""

    def _table(self, name: str, inputs: Mapping[str, str], screen_no: str, rq_name: str, wall: int) -> queries.Table:
        match name:
            case "opt10075":
                listed = self._as_before(self._listed(rq_name, wall), rq_name, wall)
                return queries.open_orders(listed, inputs, self._account, self._feed.quote)
            case "opt10076":
                return queries.fills(self._listed(rq_name, wall), inputs)
            case "opw00018":
                return queries.holdings(self._account, self._listings, inputs, self._feed.quote)
            case "opw00001":
                return queries.deposit(self._account, self._opening_cash)
            case _:
                assert name == "opt10054"
                venues = _VENUES_ASKED.get(inputs.get("거래소구분", ""), VENUES)
                self._line.registrations.register_vi(screen_no, venues)
                running = [
                    (venue_code(venue, symbol), venue, self._listings[symbol])
                    for venue, symbol in self._feed.in_vi()
                    if venue in venues
                ]
                return queries.interruptions(running, self._feed.quote)

    def _listed(self, rq_name: str, wall: int) -> Iterable[BrokerOrder]:
        """The orders that the lists of orders know of by now."""
        lag = self._line.dice.delay("list_lag", rq_name, wall)
        return [order for order in self._orders() if not order.shelved and order.received <= wall - lag]

    def _as_before(self, orders: Iterable[BrokerOrder], rq_name: str, wall: int) -> Iterable[BrokerOrder]:
        """A list that has not noticed the latest ends."""
        dice = self._line.dice
        if not dice.happens("list_stale", rq_name):
            return orders
        stale_ns = dice.size("list_stale")
        listed = []
        for order in orders:
            if order.released and order.changed > wall - stale_ns:
                dice.note("list_stale", order.order_no, wall, stale_ns)
                order = copy(order)
                order.ended, order.leaves = False, order.released
            listed.append(order)
        return listed

    def _continued(self, tr_code: str, screen_no: str) -> queries.Table:
        remainder = self._remainder
        if remainder is None or (remainder.tr_code, remainder.screen_no) != (tr_code, screen_no):
            return {}, []
        return remainder.table

    def _answer(
        self, rq_name: str, tr_code: str, screen_no: str, table: queries.Table, wall: int, *before: MessageFrame
    ) -> None:
        single, rows = table
        page, rest = rows[: self._knobs.rows_per_page], rows[self._knobs.rows_per_page :]
        self._remainder = _Remainder(tr_code, screen_no, (single, rest)) if rest else None
        record_name = _RECORD_NAMES[tr_code.lower()]
        frame = TrFrame(screen_no, rq_name, tr_code, record_name, "2" if rest else "0", single, tuple(page))
        if self._line.dice.strikes("query_lost", rq_name, wall):
            return
        late = self._line.dice.delay("query_late", rq_name, wall)
        due = wall + self._line.delay(self._line.latency.query_ms) + late
        self._line.answer_at(due, self._line.session, *before, frame)
