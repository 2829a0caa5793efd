"""A simulated control with its broker and market on a virtual clock, and a recorder of all that the control raises."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from kiwoom.market import Nanos, Now, WallNanos
from kiwoom.simulated.account import Account, Holding, Rates
from kiwoom.simulated.broker import BrokerSettings, SimulatedBroker
from kiwoom.simulated.control import DirectLink, SimulatedControl
from kiwoom.simulated.faults import BrokerKnobs, Faults, Latency
from kiwoom.simulated.ledger import LedgerKind, LedgerRow
from kiwoom.simulated.market import Listing, SimulatedMarket
from kiwoom.simulated.scenario import FlowKnobs, Scenario

# 2026-11-23 (a Monday) 10:00:00 in Seoul.
TEN_O_CLOCK = 1_795_395_600 * 1_000_000_000
MS = 1_000_000

ACCOUNT = "8012345610"
SYMBOL = "005930"
KOSDAQ_SYMBOL = "035720"
KRX_ONLY_SYMBOL = "000660"
LISTINGS = (
    Listing(SYMBOL, "삼성전자", "KOSPI", 72_000, nxt=True),
    Listing(KOSDAQ_SYMBOL, "카카오", "KOSDAQ", 41_000, nxt=True),
    Listing(KRX_ONLY_SYMBOL, "SK하이닉스", "KOSPI", 190_000, nxt=False),
)
RATES = Rates(fee_ppb={"KRX": 150_000, "NXT": 176_833}, tax_ppb={"KOSPI": 2_000_000, "KOSDAQ": 2_000_000})
CASH = 100_000_000_000
SHARES = 100_000

STILL = Scenario(flow=replace(FlowKnobs(), quotes_per_second=1, fair_moves_per_minute=0, dislocations_per_minute=0))
"""Full books that stand almost still: one background action a second."""
EXACT = Latency(jitter_ms=0)


@dataclass
class Event:
    """One event as its handler saw it."""

    name: str
    args: tuple[Any, ...]
    values: dict[Any, str] = field(default_factory=dict)
    """Of a report: every FID of its list. Of a TR: the head's wanted fields."""
    rows: list[dict[str, str]] = field(default_factory=list)
    at: int = 0


class Recorder:
    """Handlers that write down what they can read while they are called."""

    def __init__(self, control: Any, read_time: Callable[[], int]) -> None:
        self.control = control
        self.events: list[Event] = []
        self.wanted_fields: tuple[str, ...] = ("주문번호",)
        self.wanted_fids: tuple[int, ...] = ()
        self._read_time = read_time

    def take(self, *names: str) -> list[Event]:
        """The events since the last look; only those of `names` if any are given."""
        events, self.events = self.events, []
        return [event for event in events if not names or event.name in names]

    def take_reports(self) -> list[Event]:
        return self.take("chejan")

    def OnEventConnect(self, nErrCode: int) -> None:
        self._note(Event("connect", (nErrCode,)))

    def OnReceiveTrData(
        self, sScrNo: str, sRQName: str, sTrCode: str, sRecordName: str, sPrevNext: str, *_: Any
    ) -> None:
        read = self.control.GetCommData
        rows = range(self.control.GetRepeatCnt(sTrCode, sRQName))
        self._note(
            Event(
                "tr",
                (sScrNo, sRQName, sTrCode, sPrevNext),
                {name: read(sTrCode, sRQName, 0, name) for name in self.wanted_fields},
                [{name: read(sTrCode, sRQName, row, name) for name in self.wanted_fields} for row in rows],
            )
        )

    def OnReceiveRealData(self, sCode: str, sRealType: str, sRealData: str) -> None:
        values = {fid: self.control.GetCommRealData(sCode, fid) for fid in self.wanted_fids}
        self._note(Event("real", (sCode, sRealType, sRealData), values))

    def OnReceiveMsg(self, sScrNo: str, sRQName: str, sTrCode: str, sMsg: str) -> None:
        self._note(Event("message", (sScrNo, sRQName, sTrCode, sMsg)))

    def OnReceiveChejanData(self, sGubun: str, nItemCnt: int, sFIdList: str) -> None:
        fids = [int(fid) for fid in sFIdList.split(";")]
        assert len(fids) == nItemCnt
        self._note(Event("chejan", (sGubun,), {fid: self.control.GetChejanData(fid) for fid in fids}))

    def _note(self, event: Event) -> None:
        event.at = self._read_time()
        self.events.append(event)


class VirtualClock:
    def __init__(self, wall: int = TEN_O_CLOCK) -> None:
        self.mono = 5_000_000_000
        self.wall = wall

    def now(self) -> Now:
        return Now(Nanos(self.mono), WallNanos(self.wall))

    def move_to(self, wall: int) -> None:
        assert wall >= self.wall
        self.mono += wall - self.wall
        self.wall = wall


class SimulatedKiwoom:
    """One control, logged in unless told otherwise. Time passes only in `pass_time`."""

    account_no = ACCOUNT
    symbol = SYMBOL

    def __init__(
        self,
        *,
        latency: Latency = EXACT,
        faults: Faults = Faults(),  # noqa: B008 (frozen)
        knobs: BrokerKnobs = BrokerKnobs(),  # noqa: B008
        scenario: Scenario = STILL,
        start: int = TEN_O_CLOCK,
        cash: int = CASH,
        seed: int = 1,
        log_in: bool = True,
        resend_session_signal: bool = True,
    ) -> None:
        self.clock = VirtualClock(start)
        self.market = SimulatedMarket(scenario, LISTINGS, seed, start)
        held = {symbol: Holding(qty=SHARES, cost_won=SHARES * 70_000) for symbol in (SYMBOL, KOSDAQ_SYMBOL)}
        self.account = Account(ACCOUNT, cash, held, RATES)
        self.broker = SimulatedBroker(
            market=self.market,
            symbols=[listing.symbol for listing in LISTINGS],
            account=self.account,
            settings=BrokerSettings(
                latency=latency, faults=faults, knobs=knobs, resend_session_signal=resend_session_signal
            ),
            seed=seed,
        )
        self.link = DirectLink(self.broker, self.clock)
        self.control = SimulatedControl(self.link)
        self.heard = Recorder(self.control, lambda: self.clock.wall)
        self.control.listen(self.heard)
        self.ledger: list[LedgerRow] = []
        if log_in:
            self.log_in()

    def log_in(self) -> None:
        assert self.control.CommConnect() == 0
        self.pass_time(100)
        assert [event.args for event in self.heard.take("connect")] == [(0,)]

    def pass_time(self, milliseconds: int) -> None:
        end = self.clock.wall + milliseconds * MS
        while self.broker.next_at() <= end:
            self.clock.move_to(max(self.clock.wall, self.broker.next_at()))
            self.control.on_readable()
        self.clock.move_to(end)
        self.control.on_readable()
        self.ledger += self.broker.take_ledger()

    def touch(self, venue: str = "KRX", symbol: str = SYMBOL) -> tuple[tuple[int, int], tuple[int, int]]:
        """((bid, size), (ask, size))."""
        book = self.market.book(venue, symbol)
        return book.bids[0], book.asks[0]

    def levels(self, venue: str = "KRX", symbol: str = SYMBOL) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """(bids, asks), best first."""
        book = self.market.book(venue, symbol)
        return book.bids, book.asks

    def stir(self) -> None:
        """Both books of the symbol change: an order of ours comes to each and goes again."""
        for order_type, cancel_type, venue in ((1, 3, "KRX"), (21, 23, "NXT")):
            self.pass_time(1_000)
            (bid, _), _ = self.touch(venue)
            assert self.order("stir", order_type, 1, bid) == 0
            self.pass_time(200)
            number = next(order.order_no for order in self.broker.open_orders() if order.answer.rq_name == "stir")
            assert self.order("unstir", cancel_type, 0, 0, orig=number) == 0
            self.pass_time(200)

    def order(
        self,
        rq_name: str = "q1",
        order_type: int = 1,
        qty: int = 1,
        price: int = 0,
        hoga: str = "00",
        *,
        symbol: str = SYMBOL,
        orig: str = "",
        screen: str = "2000",
        account: str = ACCOUNT,
    ) -> int:
        return self.control.SendOrder(rq_name, screen, account, order_type, symbol, qty, price, hoga, orig)

    def query(self, tr_code: str, inputs: dict[str, str], *, prev_next: int = 0, screen: str = "3000") -> int:
        for name, value in inputs.items():
            self.control.SetInputValue(name, value)
        return self.control.CommRqData("query", tr_code, prev_next, screen)

    def rest_buy(self, rq_name: str = "q1", qty: int = 1, order_type: int = 1) -> str:
        """A buy that rests at the own touch of its venue; gives its number once it is accepted."""
        (bid, _), _ = self.touch("NXT" if order_type == 21 else "KRX")
        assert self.order(rq_name, order_type, qty, bid) == 0
        self.pass_time(100)
        (number,) = {event.values["주문번호"] for event in self.heard.take("tr")}
        return number

    def rows(self, *kinds: str) -> list[LedgerRow]:
        self.ledger += self.broker.take_ledger()
        return [row for row in self.ledger if not kinds or LedgerKind(row.kind).value in kinds]
