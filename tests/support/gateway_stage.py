"""A Gateway core on a stage: the broker's side of the conversation in short calls, everything defaulted.

`Stage.up()` has been through the whole boot and is armed at ten o'clock. Each broker method hears one control event,
one millisecond after the one before.
"""

import json
from dataclasses import dataclass, field, replace
from typing import Any, Self

from actors.cores.gateway import GatewayCore, GatewaySettings, Mode
from actors.domain.symbol_map import SymbolMap, UniverseEntry, build_symbol_map
from actors.domain.trading_hours import VenueHours
from actors.effects import Call, Effects, Record, Role, Send
from actors.messages.journal import EventType, Row
from actors.messages.orders import CancelOrder, OrderKind, OrderStyle, PlaceOrder, QueryOrder
from actors.messages.pairs import Leg, PairAssigned, PairPlan
from actors.messages.session import ConnectBroker, Phase, TradingState
from actors.messages.throttle import QueryGranted, RequestQuery
from kiwoom.control import (
    BalanceReport,
    Connect,
    Connected,
    LoginRead,
    MasterEntry,
    MasterRead,
    MessageReceived,
    OrderCalled,
    OrderNumbered,
    OrderReport,
    ReadLogin,
    ReadMaster,
    RealCalled,
    RegisterReal,
    ReportKind,
    RequestTr,
    RequestWatchlist,
    TrAnswered,
    TrCalled,
    UnregisterReal,
)
from kiwoom.market import MS, SECOND, Market, Nanos, Now, Shares, Side, Symbol, Venue, WallNanos, Won, midnight
from tests.support.playbook import TEN_O_CLOCK, Playbook

SAMSUNG = Symbol("005930")
HYNIX = Symbol("000660")
ACCOUNT = "8012345611"
PAIR = "P1"
SLOT = 3
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE

GUARD = VenueHours(9 * HOUR + 32 * SECOND, 15 * HOUR + 19 * MINUTE + 50 * SECOND)
KRX_HOURS = VenueHours(9 * HOUR, 15 * HOUR + 20 * MINUTE)
NXT_HOURS = VenueHours(9 * HOUR + 30 * SECOND, 15 * HOUR + 20 * MINUTE)


def symbol_map(others: int = 0) -> SymbolMap:
    """Samsung, Hynix and so many others; the shards hold fifty symbols each."""
    names = [(SAMSUNG, "Samsung"), (HYNIX, "Hynix")]
    names += [(Symbol(f"{100_000 + 10 * number}"), f"Other {number}") for number in range(others)]
    universe = [UniverseEntry(code, name, Market.KOSPI) for code, name in names]
    return build_symbol_map(universe, ["1001", "1002", "1003", "1004"][: max(2, -(-len(names) // 50))])


def settings(**changes: Any) -> GatewaySettings:
    values: dict[str, Any] = {
        "symbols": symbol_map(),
        "mode": Mode.PAPER,
        "account": "",
        "servers": ("simulated",),
        "session_screen": "2000",
        "heartbeat_screen": "2001",
        "heartbeat_symbols": (SAMSUNG,),
        "query_screens": ("3001", "3002"),
        "order_screens": ("4001", "4002"),
        "guard": GUARD,
        "venue_hours": (KRX_HOURS, NXT_HOURS),
        "run_tag": "T",
    }
    return GatewaySettings(**(values | changes))


def trading(
    *,
    armed: bool = True,
    phases: tuple[Phase, Phase] = (Phase.RUNNING, Phase.RUNNING),
    until: int = 15 * HOUR + 19 * MINUTE + 50 * SECOND,
) -> TradingState:
    day = midnight(TEN_O_CLOCK)
    return TradingState(
        armed=armed,
        reason="" if armed else "not pressed",
        entries_until_wall=WallNanos(day + until),
        closing_wall=WallNanos(day + 15 * HOUR + 20 * MINUTE),
        phases=phases,
        feeds_registered=True,
    )


def entry(cl_ord_id: str = "E1", **changes: Any) -> PlaceOrder:
    """Buys one Samsung on KRX, IOC, granted."""
    values: dict[str, Any] = {
        "cl_ord_id": cl_ord_id,
        "pair_id": PAIR,
        "slot": SLOT,
        "kind": OrderKind.ENTRY,
        "leg": "A",
        "symbol": SAMSUNG,
        "symbol_index": 0,
        "venue": Venue.KRX,
        "side": Side.BUY,
        "qty": Shares(1),
        "style": OrderStyle.LIMIT_IOC,
        "price": Won(70_000),
        "grant_id": 7,
        "expires": Nanos(10**18),
    }
    return PlaceOrder(**(values | changes))


def pair_plan(**changes: Any) -> PairPlan:
    """Buy one Samsung on KRX, sell it on NXT: the plan of `entry` and `hedge`."""
    values: dict[str, Any] = {
        "pair_id": PAIR,
        "symbol": SAMSUNG,
        "symbol_index": 0,
        "shard": 0,
        "market": Market.KOSPI,
        "slot": SLOT,
        "qty": Shares(1),
        "entry": Leg(Venue.KRX, Side.BUY, OrderStyle.LIMIT_IOC, Won(70_000)),
        "hedge": Leg(Venue.NXT, Side.SELL, OrderStyle.LIMIT, Won(70_300)),
        "hedge_lock_price": Won(70_300),
        "lower_limit": Won(49_000),
        "upper_limit": Won(91_000),
        "t_hedge_ns": Nanos(SECOND),
        "ioc_end_ns": Nanos(500 * MS),
        "cancel_ns": Nanos(300 * MS),
        "hedge_ioc_only": False,
        "hedge_ioc_ticks": 2,
        "hedge_fallback_best": True,
        "max_hedge_attempts": 5,
        "expected_net_mwon": 100_000,
        "flat_by_wall": WallNanos(midnight(TEN_O_CLOCK) + 15 * HOUR + 20 * MINUTE),
    }
    return PairPlan(**(values | changes))


def hedge(cl_ord_id: str = "H1", **changes: Any) -> PlaceOrder:
    """Posts a sale of one Samsung on NXT."""
    values: dict[str, Any] = {
        "kind": OrderKind.HEDGE,
        "leg": "B",
        "venue": Venue.NXT,
        "side": Side.SELL,
        "style": OrderStyle.LIMIT,
        "price": Won(70_300),
        "grant_id": None,
        "expires": None,
    }
    return entry(cl_ord_id, **(values | changes))


def cancel(cl_ord_id: str = "C1", target: str = "H1", grant_id: int | None = None) -> CancelOrder:
    return CancelOrder(cl_ord_id, target, PAIR, SLOT, SAMSUNG, grant_id)


def query(cl_ord_id: str = "E1") -> QueryOrder:
    return QueryOrder(cl_ord_id, PAIR, SLOT, SAMSUNG)


def as_read_back(row: Row) -> Row:
    """The row as the journal's file gives it to a successor."""
    extra = json.loads(json.dumps(dict(row.extra)))
    return replace(row, fids=(), extra=tuple(extra.items()), ts_wall=WallNanos(row.ts_wall // 1_000 * 1_000))


TrRow = dict[str, str]
"""A row of a TR, by the names of its fields."""


def holding_row(symbol: str, held: int, sellable: int) -> TrRow:
    """A row of opw00018."""
    numbers = {"보유수량": f"{held:015}", "매매가능수량": f"{sellable:015}", "매입가": "000000000070000"}
    return {"종목번호": "A" + symbol, "종목명": "주식", **numbers}


def open_row(
    no: str,
    *,
    symbol: str = SAMSUNG,
    kind: str = "+매수",
    qty: int = 1,
    price: int = 70_000,
    leaves: int = 1,
    cum: int = 0,
    px: int = 0,
    time: str = "100100",
) -> TrRow:
    """A row of opt10075 or opt10076: it has the fields of both. Which venue it is about only the question tells."""
    return {
        "주문번호": no,
        "원주문번호": "0000000",
        "종목코드": "A" + symbol,
        "주문상태": "접수",
        "주문구분": kind,
        "주문수량": str(qty),
        "주문가격": f"+{price}",
        "미체결수량": str(leaves),
        "체결가": f"-{px}" if px else "",
        "체결량": str(cum),
        "당일매매수수료": "",
        "당일매매세금": "",
        "시간": time,
        "주문시간": time,
        "거래소구분": "",
    }


CASH: TrRow = {
    "예수금": "000000900000",
    "주문가능금액": "000000800000",
    "100%종목주문가능금액": "000001000000",
    "d+2추정예수금": "-00000000001",
}


def by_name(fields: tuple[str, ...], row: TrRow) -> tuple[str, ...]:
    return tuple(row[name] for name in fields)


@dataclass
class Stage(Playbook):
    journal: list[Row] = field(default_factory=list)
    """Every row of the day, the predecessors' included."""

    def _take(self, effects: Effects) -> Self:
        self.journal.extend(effect.row for effect in effects if isinstance(effect, Record))
        return super()._take(effects)

    @classmethod
    def off(cls, **changes: Any) -> Self:
        return cls(GatewayCore(settings(**changes)))

    def again(self, rows: int | None = None, after_ns: int = 100 * MS, **changes: Any) -> "Stage":
        """A successor that knows nothing but the journal, or its first `rows` rows. Not connected yet."""
        before = self.journal[:rows]
        now = Now(Nanos(self.mono + after_ns), WallNanos(self.wall_start + self.mono + after_ns))
        core = GatewayCore(settings(**changes), [as_read_back(row) for row in before], now)
        return Stage(core, mono=now.mono, wall_start=self.wall_start, journal=before)

    def comes_back(
        self,
        rows: int | None = None,
        *,
        holdings: tuple[tuple[str, int, int], ...] = ((SAMSUNG, 10, 10), (HYNIX, 10, 10)),
        open_rows: tuple[TrRow, ...] = (),
        fill_rows: tuple[TrRow, ...] = (),
        **changes: Any,
    ) -> "Stage":
        """The same, connected, reconciled and armed; what was said until then can still be looked at."""
        stage = self.again(rows, **changes).hears(ConnectBroker())
        stage.goes_up(holdings=holdings, open_rows=open_rows, fill_rows=fill_rows)
        return stage.hears(trading())

    @classmethod
    def up(
        cls,
        *,
        holdings: tuple[tuple[str, int, int], ...] = ((SAMSUNG, 10, 10), (HYNIX, 10, 10)),
        open_rows: tuple[TrRow, ...] = (),
        fill_rows: tuple[TrRow, ...] = (),
        armed: bool = True,
        **changes: Any,
    ) -> Self:
        """Booted and armed; everything said and called until then is forgotten. KRX has the given rows."""
        stage = cls.off(**changes)
        stage.hears(ConnectBroker()).goes_up(holdings=holdings, open_rows=open_rows, fill_rows=fill_rows)
        stage.hears(trading(armed=armed)).hears(PairAssigned(PAIR, SLOT, SAMSUNG))
        return stage.waits(2 * SECOND).forgets()  # the boot's queries have left the window

    def forgets(self) -> Self:
        self._unmatched.clear()
        return self

    # --- what was done, for tests that check parts of it --------------------------------------------------------------

    def take_calls(self) -> list[Any]:
        taken = [effect.call for effect in self._unmatched if isinstance(effect, Call)]
        self._unmatched = [effect for effect in self._unmatched if not isinstance(effect, Call)]
        return taken

    def take_events(self) -> list[Any]:
        """What the pair was told."""
        return [send.message for send in self.take_sends() if send.to is Role.PAIR_MANAGER]

    def take_to(self, role: Role) -> list[Any]:
        """What one role was told; what the others were told is forgotten."""
        return [send.message for send in self.take_sends() if send.to is role]

    def take_orders(self) -> list[Row]:
        """The rows about orders: without messages and positions."""
        beside = (EventType.SERVER_MESSAGE, EventType.POSITION_UPDATE)
        return [row for row in self.take_rows() if row.event_type not in beside]

    def row_types(self) -> list[EventType]:
        return [row.event_type for row in self.take_orders()]

    # --- boot ---------------------------------------------------------------------------------------------------------

    def goes_up(
        self,
        *,
        holdings: tuple[tuple[str, int, int], ...] = (),
        open_rows: tuple[TrRow, ...] = (),
        fill_rows: tuple[TrRow, ...] = (),
        accounts: tuple[str, ...] = (ACCOUNT,),
        server: str = "simulated",
    ) -> Self:
        """Answers everything that the core asks until it asks nothing more."""
        rows = {"opw00018": tuple(holding_row(*each) for each in holdings)}
        for _ in range(200):
            asked = [*self.take_calls(), *self._take_query_requests()]
            if not asked:
                if self.core.next_deadline() is None or self.core.next_deadline() > self.mono + 2 * SECOND:
                    return self
                self.waits(self.core.next_deadline() - self.mono)
                continue
            for each in asked:
                self._answers(each, rows, open_rows, fill_rows, accounts, server)
        raise AssertionError("the boot does not end")

    def _take_query_requests(self) -> list[RequestQuery]:
        requests = [e.message for e in self._unmatched if isinstance(e, Send) and isinstance(e.message, RequestQuery)]
        self._unmatched = [
            e for e in self._unmatched if not (isinstance(e, Send) and isinstance(e.message, RequestQuery))
        ]
        return requests

    def _answers(
        self,
        call: Any,
        rows: dict[str, tuple[TrRow, ...]],
        open_rows: tuple[TrRow, ...],
        fill_rows: tuple[TrRow, ...],
        accounts: tuple[str, ...],
        server: str,
    ) -> None:
        match call:
            case Connect():
                self.hears(Connected(self.stamp(), 0))
            case ReadLogin():
                self.hears(LoginRead(self.stamp(), accounts, "user", server))
            case ReadMaster():
                entries = tuple(
                    MasterEntry(s, "", Market.KOSPI, True, Won(70_000), "증거금20%", "정상", "0") for s in call.symbols
                )
                self.hears(MasterRead(self.stamp(), entries))
            case RequestQuery():
                self.hears(QueryGranted(call.query_id))
            case RequestWatchlist():
                limit = {"종목명": "주식", "기준가": "70000", "상한가": "+91000", "하한가": "-49000"}
                limits = tuple(by_name(call.fields, {"종목코드": code, **limit}) for code in call.codes)
                self.hears(TrCalled(self.stamp(), call.rq_name, 0))
                self.hears(TrAnswered(self.stamp(), call.rq_name, "OPTKWFID", False, limits, ()))
            case RequestTr():
                at_krx = dict(call.inputs).get("거래소구분") == "1"
                lists = {"opt10075": open_rows if at_krx else (), "opt10076": fill_rows if at_krx else ()}
                single = CASH if call.tr_code == "opw00001" else None
                self.tr_answer(call, (rows | lists).get(call.tr_code, ()), single=single)
            case RegisterReal() | UnregisterReal():
                self.hears(RealCalled(self.stamp(), call.screen_no, 0))
            case _:
                raise AssertionError(call)

    def tr_answer(
        self,
        call: RequestTr,
        rows: tuple[TrRow, ...] = (),
        *,
        more: bool = False,
        single: TrRow | None = None,
    ) -> Self:
        """The control gives what was asked for, in that order."""
        self.hears(TrCalled(self.stamp(), call.rq_name, 0))
        values = tuple(by_name(call.fields, row) for row in rows)
        head = () if single is None else by_name(call.single_fields, single)
        return self.hears(TrAnswered(self.stamp(), call.rq_name, call.tr_code, more, values, head))

    # --- the broker's events about orders -----------------------------------------------------------------------------

    def stamp(self) -> Nanos:
        self.waits(MS)
        return Nanos(self.mono)

    def called(self, rq_name: str, code: int = 0) -> Self:
        before = Nanos(self.mono)
        return self.hears(OrderCalled(self.stamp(), before, rq_name, code))

    def numbered(self, rq_name: str, order_no: str) -> Self:
        return self.hears(OrderNumbered(self.stamp(), rq_name, "4001", "KOA", order_no))

    def words(self, rq_name: str, text: str) -> Self:
        return self.hears(MessageReceived(self.stamp(), "4001", rq_name, "KOA", text))

    def report(self, kind: ReportKind, order_no: str, **changes: Any) -> Self:
        """About a one-share Samsung buy at 70,000 on KRX unless told otherwise."""
        values: dict[str, Any] = {
            "at": self.stamp(),
            "kind": kind,
            "order_no": order_no,
            "orig_order_no": "",
            "symbol": SAMSUNG,
            "side": Side.BUY,
            "is_cancel": False,
            "venue": Venue.KRX,
            "screen_no": "4001",
            "qty": Shares(1),
            "price": Won(70_000),
            "leaves_qty": Shares(0),
            "exec_id": "",
            "fill_px": Won(0),
            "fill_qty": Shares(0),
            "cum_qty": Shares(0),
            "order_time": "100000",
            "hoga_name": "보통",
            "commission_won": None,
            "tax_won": None,
            "reject_reason": "",
            "fids": (("9203", order_no),),
        }
        return self.hears(OrderReport(**(values | changes)))

    def accepted(self, order_no: str, **changes: Any) -> Self:
        return self.report(ReportKind.ACCEPTED, order_no, **changes)

    def filled(self, order_no: str, exec_id: str, qty: int = 1, px: int = 70_000, **changes: Any) -> Self:
        return self.report(ReportKind.FILL, order_no, exec_id=exec_id, fill_qty=Shares(qty), fill_px=Won(px), **changes)

    def cleared(self, order_no: str, cum: int = 0, **changes: Any) -> Self:
        return self.report(ReportKind.CLEARED, order_no, cum_qty=Shares(cum), **changes)

    def balance(self, held: int, sellable: int, symbol: Symbol = SAMSUNG) -> Self:
        return self.hears(BalanceReport(self.stamp(), symbol, Shares(held), Shares(sellable), (("930", str(held)),)))

    # --- common openings ----------------------------------------------------------------------------------------------

    def entry_working(self, **changes: Any) -> Self:
        """E1 has the number 0000101 and stands at the exchange; all of it told and forgotten."""
        self.hears(entry(**changes)).called("E1").numbered("E1", "0000101")
        return self.accepted("0000101").forgets()

    def hedge_working(self, **changes: Any) -> Self:
        """H1 rests on NXT as 0000102; all of it told and forgotten."""
        self.hears(hedge(**changes)).called("H1").numbered("H1", "0000102")
        return self.accepted("0000102", venue=Venue.NXT, side=Side.SELL).forgets()
