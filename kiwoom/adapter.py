"""The layer between Kiwoom's control and typed events: performs ControlCalls, turns the control's events into values.

Runs on the control's thread and belongs to it: no locks, no threads, no Qt. It stamps each event on entry, before
anything is read, reads the control's getters only inside the event that they belong to, and lets no exception out:
what cannot be read becomes an EventMalformed, and is counted.

Assumptions and limits:
- An OnReceiveTrData whose rqname is not that of a pending query belongs to an order. Its sTrCode says nothing: the
  names for NXT orders are not known (KIWOOM.md 1.5).
- The raw string of a quote is officially unsupported; the first one of each code is checked against the FIDs, and one
  difference (or one unreadable string where the FIDs can be read) makes the adapter read FIDs from then on. One that
  is merely too short is read by FIDs, once.
- The auction flag of a quote is set from FIDs 23 and 24, hence in "fids" mode only: their place in the raw string is
  not known, so in "raw" mode it stays 0 and a call auction shows by session, VI event and crossed book alone.
- Malformed quotes are all counted, but reported at most once a second, as are trades per venue.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, assert_never

from kiwoom import decode
from kiwoom.codes import error, fid, tr
from kiwoom.control import (
    AccountWindowClosed,
    Clock,
    Connect,
    Connected,
    ControlCall,
    ControlEvent,
    ControlPort,
    EventMalformed,
    LoginRead,
    MasterEntry,
    MasterRead,
    MessageReceived,
    OpenAccountWindow,
    OrderCalled,
    OrderNumbered,
    ReadLogin,
    ReadMaster,
    RealCalled,
    RegisterReal,
    RequestTr,
    RequestWatchlist,
    SubmitOrder,
    TradePrinted,
    TrAnswered,
    TrCalled,
    UnregisterReal,
    ViChanged,
)
from kiwoom.market import SECOND, VENUE_INDEX, Market, Nanos, Symbol, Venue, Won
from kiwoom.quotes import FLAG_AUCTION, QUOTE

QuoteSource = Literal["raw", "fids"]

PENDING_TRS_MAX: Final = 256
"""Queries without an answer that are remembered (at 5 a second, most of a minute); then the oldest is forgotten."""

TR_ROWS_MAX: Final = 10_000

_NEVER: Final = -(2**62)
_UNREADABLE: Final = (-1, -1, -1, -1)


@dataclass(frozen=True, slots=True)
class FeedTarget:
    """Where the quotes of one feed code go: the shard, and the symbol's number in packed records."""

    shard: int
    symbol_index: int
    venue: Venue
    symbol: Symbol


@dataclass(slots=True)
class AdapterCounters:
    """What went by since the start. `quotes` per venue, in the order of kiwoom.market.VENUES."""

    quotes: list[int] = field(default_factory=lambda: [0, 0])
    malformed: int = 0
    ignored: int = 0
    """Events of codes or types that nobody asked for, derivatives among them."""


class ControlAdapter:
    """Implements ControlEvents above a ControlPort. `post` and `post_quote` are called on the control's thread.

    `feeds` is looked up live by feed code ("005930", "005930_NX"): its owner may fill it after the login. The plain
    code of each symbol must be in it: VI events of other symbols are ignored.
    `post_quote(shard, record)` gets one packed kiwoom.quotes.QUOTE.
    """

    def __init__(
        self,
        port: ControlPort,
        clock: Clock,
        feeds: Mapping[str, FeedTarget],
        post: Callable[[ControlEvent], None],
        post_quote: Callable[[int, bytes], None],
        quote_source: QuoteSource = "raw",
    ) -> None:
        self.counters = AdapterCounters()
        self.quote_source: QuoteSource = quote_source
        self._port = port
        self._clock = clock
        self._feeds = feeds
        self._post = post
        self._post_quote = post_quote
        self._checked_raw: set[str] = set()  # at most one per feed
        self._pending: dict[str, RequestTr | RequestWatchlist] = {}  # at most PENDING_TRS_MAX
        self._quote_complaint_at = _NEVER
        self._trade_at = [_NEVER, _NEVER]
        port.listen(self)

    def let_go(self) -> None:
        """Forget the control, last of all: the two refer to each other, and it must be destroyed on its own thread."""
        del self._port

    # --- requests ----------------------------------------------------------------------------------------------------

    def perform(self, call: ControlCall) -> None:
        """Make the call and post its answer. Never raises: a control that does becomes an EventMalformed.

        A SendOrder that raised has no OrderCalled: whether the broker has the order is then not known.
        """
        try:
            self._perform(call)
        except Exception as failure:
            self._complain(self._mono(), type(call).__name__, failure, matters=isinstance(call, SubmitOrder))

    def _perform(self, call: ControlCall) -> None:
        match call:
            case SubmitOrder():
                self._submit(call)
            case RequestTr() | RequestWatchlist():
                self._request(call)
            case RegisterReal():
                codes, fids = ";".join(call.codes), ";".join(map(str, call.fids))
                code = self._port.SetRealReg(call.screen_no, codes, fids, "0" if call.replace else "1")
                self._post(RealCalled(self._mono(), call.screen_no, code))
            case UnregisterReal():
                self._port.DisconnectRealData(call.screen_no)
                self._post(RealCalled(self._mono(), call.screen_no, error.OK))
            case Connect():
                code = self._port.CommConnect()
                if code != error.OK:  # then no OnEventConnect will follow
                    self._post(Connected(self._mono(), code))
            case ReadLogin():
                self._read_login()
            case ReadMaster():
                self._read_master(call.symbols)
            case OpenAccountWindow():
                self._port.KOA_Functions("ShowAccountWindow", "")
                self._post(AccountWindowClosed(self._mono()))
            case _:
                assert_never(call)

    def _submit(self, call: SubmitOrder) -> None:
        called = self._mono()
        code = self._port.SendOrder(
            call.rq_name,
            call.screen_no,
            call.account,
            call.order_type,
            call.code,
            call.qty,
            call.price,
            call.hoga,
            call.orig_order_no,
        )
        self._post(OrderCalled(self._mono(), called, call.rq_name, code))

    def _request(self, call: RequestTr | RequestWatchlist) -> None:
        self._pending.pop(call.rq_name, None)
        self._pending[call.rq_name] = call
        if len(self._pending) > PENDING_TRS_MAX:
            del self._pending[next(iter(self._pending))]
        try:
            code = self._call_tr(call)
        except Exception:
            self._pending.pop(call.rq_name, None)
            raise
        if code != error.OK:
            self._pending.pop(call.rq_name, None)
        self._post(TrCalled(self._mono(), call.rq_name, code))

    def _call_tr(self, call: RequestTr | RequestWatchlist) -> int:
        if isinstance(call, RequestWatchlist):
            codes = ";".join(call.codes)
            return self._port.CommKwRqData(codes, 0, len(call.codes), 0, call.rq_name, call.screen_no)
        for name, value in call.inputs:
            self._port.SetInputValue(name, value)
        return self._port.CommRqData(call.rq_name, call.tr_code, call.prev_next, call.screen_no)

    def _read_login(self) -> None:
        listed = self._port.GetLoginInfo("ACCNO").split(";")
        accounts = tuple(account.strip() for account in listed if account.strip())
        user_id = self._port.GetLoginInfo("USER_ID").strip()
        # "1" = mock; "simulated" is the simulated control's own word; anything else, "" included, is real money.
        server = {"1": "mock", "simulated": "simulated"}.get(self._port.GetLoginInfo("GetServerGubun").strip(), "real")
        self._post(LoginRead(self._mono(), accounts, user_id, server))

    def _read_master(self, symbols: tuple[Symbol, ...]) -> None:
        kospi, kosdaq, nxt = (frozenset(self._port.GetCodeListByMarket(m).split(";")) for m in ("0", "10", "NXT"))
        entries = []
        for symbol in symbols:
            market = Market.KOSPI if symbol in kospi else Market.KOSDAQ if symbol in kosdaq else None
            entries.append(self._master_entry(symbol, market, symbol in nxt))
        self._post(MasterRead(self._mono(), tuple(entries)))

    def _master_entry(self, symbol: Symbol, market: Market | None, nxt_tradable: bool) -> MasterEntry:
        try:
            base_price = decode.price(self._port.GetMasterLastPrice(symbol), "GetMasterLastPrice")
        except decode.DecodeError as failure:
            self._complain(self._mono(), f"ReadMaster {symbol}", failure, matters=False)
            base_price = Won(0)
        return MasterEntry(
            symbol=symbol,
            name=self._port.GetMasterCodeName(symbol).strip(),
            market=market,
            nxt_tradable=nxt_tradable,
            base_price=base_price,
            state=self._port.GetMasterStockState(symbol).strip(),
            construction=self._port.GetMasterConstruction(symbol).strip(),
            warning=self._port.KOA_Functions("IsOrderWarningStock", symbol).strip(),
        )

    # --- events ------------------------------------------------------------------------------------------------------

    def OnEventConnect(self, nErrCode: int) -> None:
        at = self._mono()
        try:
            self._post(Connected(at, nErrCode))
        except Exception as failure:
            self._complain(at, "OnEventConnect", failure, matters=True)

    def OnReceiveMsg(self, sScrNo: str, sRQName: str, sTrCode: str, sMsg: str) -> None:
        at = self._mono()
        try:
            self._post(MessageReceived(at, sScrNo, sRQName, sTrCode, sMsg))
        except Exception as failure:
            self._complain(at, "OnReceiveMsg", failure, matters=False)

    def OnReceiveTrData(
        self,
        sScrNo: str,
        sRQName: str,
        sTrCode: str,
        sRecordName: str,
        sPrevNext: str,
        nDataLength: int = 0,
        sErrorCode: str = "",
        sMessage: str = "",
        sSplmMsg: str = "",
    ) -> None:
        at = self._mono()
        try:
            request = self._pending.pop(sRQName, None)
            if request is None:
                text = self._port.GetCommData(sTrCode, sRQName, 0, tr.ORDER_NO_FIELD)
                self._post(OrderNumbered(at, sRQName, sScrNo, sTrCode, decode.order_no(text, "주문번호")))
            else:
                self._post(self._answer(at, request, sTrCode, sPrevNext))
        except Exception as failure:
            self._complain(at, f"OnReceiveTrData {sRQName}", failure, matters=True)

    def _answer(self, at: Nanos, request: RequestTr | RequestWatchlist, tr_code: str, prev_next: str) -> TrAnswered:
        read, record = self._port.GetCommData, request.rq_name
        count = self._port.GetRepeatCnt(tr_code, record) if request.fields else 0
        if count > TR_ROWS_MAX:
            raise decode.DecodeError("GetRepeatCnt", str(count))
        rows = tuple(
            tuple(read(tr_code, record, index, name).strip() for name in request.fields) for index in range(count)
        )
        names = request.single_fields if isinstance(request, RequestTr) else ()
        single = tuple(read(tr_code, record, 0, name).strip() for name in names)
        return TrAnswered(at, record, tr_code, prev_next.strip() == "2", rows, single)

    def OnReceiveChejanData(self, sGubun: str, nItemCnt: int, sFIdList: str) -> None:
        at = self._mono()
        try:
            match sGubun.strip():
                case "0":
                    self._order_report(at)
                case "1":
                    self._post(decode.balance_report(at, self._read_chejan(fid.BALANCE_FIDS)))
                case "4":
                    self.counters.ignored += 1  # derivatives: not ours
                case _:
                    raise decode.DecodeError("sGubun", sGubun)
        except Exception as failure:
            self._complain(at, f"OnReceiveChejanData {sGubun}", failure, matters=True)

    def _order_report(self, at: Nanos) -> None:
        # sFIdList is not consulted: where 2134 and 2135 stand in it is not known, and a getter answers "" if absent.
        values = self._read_chejan(fid.ORDER_FIDS)
        if self._port.GetChejanData(fid.BUSINESS).strip() in ("FJ", "OJ"):
            self.counters.ignored += 1
            return
        self._post(decode.order_report(at, values))

    def _read_chejan(self, numbers: tuple[int, ...]) -> dict[int, str]:
        read = self._port.GetChejanData
        return {number: read(number) for number in numbers}

    def OnReceiveRealData(self, sCode: str, sRealType: str, sRealData: str) -> None:
        at = self._mono()
        try:
            if sRealType == fid.REAL_QUOTE:
                self._quote(at, sCode, sRealData)
            elif sRealType == fid.REAL_TRADE:
                self._trade(at, sCode)
            elif sRealType == fid.REAL_SESSION:
                self._session(at, sCode, sRealData)
            elif sRealType == fid.REAL_VI:
                self._vi(at, sCode)
            else:
                self.counters.ignored += 1
        except Exception as failure:
            self._complain(at, f"OnReceiveRealData {sRealType} {sCode}", failure, matters=False)

    def _quote(self, at: Nanos, code: str, raw: str) -> None:
        """The hot path: with a checked raw string, no getter is called and one record is made."""
        target = self._feeds.get(code)
        if target is None:
            self.counters.ignored += 1
            return
        try:
            top, flags = self._read_top(code, raw)
        except decode.DecodeError as failure:
            self._complain_of_quote(at, code, failure)
            return
        venue_index = VENUE_INDEX[target.venue]
        self.counters.quotes[venue_index] += 1
        bid, bid_size, ask, ask_size = top
        record = QUOTE.pack(target.symbol_index, venue_index, flags, bid, bid_size, ask, ask_size, at)
        self._post_quote(target.shard, record)

    def _read_top(self, code: str, raw: str) -> tuple[decode.Top, int]:
        if self.quote_source == "fids":
            return self._top_by_fids(code), self._auction_flag(code)
        try:
            top = decode.quote_from_raw(raw)
        except decode.DecodeError:
            top = _UNREADABLE
        if code in self._checked_raw and top is not None and top is not _UNREADABLE:
            return top, 0
        by_fids = self._top_by_fids(code)  # raises if the event itself, not only its raw string, is unreadable
        if top == by_fids:
            self._checked_raw.add(code)
        elif top is not None:
            self.quote_source = "fids"
            difference = decode.DecodeError("raw string and FIDs differ, FIDs from now on", f"{top} {by_fids}")
            self._complain(self._mono(), f"{fid.REAL_QUOTE} {code}", difference, matters=False)
        return by_fids, 0

    def _top_by_fids(self, code: str) -> decode.Top:
        read = self._port.GetCommRealData
        return decode.quote_from_fields(
            bid=read(code, fid.BEST_BID),
            bid_size=read(code, fid.BEST_BID_SIZE),
            ask=read(code, fid.BEST_ASK),
            ask_size=read(code, fid.BEST_ASK_SIZE),
        )

    def _auction_flag(self, code: str) -> int:
        """Expected price and quantity are shown in a call auction only. Mostly one getter: FID 23 is blank or 0."""
        read = self._port.GetCommRealData
        expected = decode.price(read(code, fid.EXPECTED_PRICE), "23 예상체결가")
        shown = expected and decode.shares(read(code, fid.EXPECTED_QTY), "24 예상체결수량")
        return FLAG_AUCTION if shown else 0

    def _trade(self, at: Nanos, code: str) -> None:
        target = self._feeds.get(code)
        if target is None:
            self.counters.ignored += 1
            return
        venue_index = VENUE_INDEX[target.venue]
        if at - self._trade_at[venue_index] >= SECOND:
            self._trade_at[venue_index] = at
            self._post(TradePrinted(at, target.symbol, target.venue))

    def _session(self, at: Nanos, code: str, raw: str) -> None:
        """By FIDs; by the raw string (215, 20, 214) where the control does not answer for the event's code."""
        read = self._port.GetCommRealData
        values = tuple(read(code, number) for number in fid.SESSION_FIDS)
        if not values[0].strip():
            parts = (*raw.split("\t", 3)[:3], "", "")
            values = parts[0], parts[1], parts[2]
        self._post(decode.session_signal(at, *values))

    def _vi(self, at: Nanos, code: str) -> None:
        read = self._port.GetCommRealData
        told = read(code, fid.CODE).strip() or code
        symbol = decode.symbol(told, "9001 종목코드")
        if symbol not in self._feeds:  # OPT10054 brings every symbol of the market
            self.counters.ignored += 1
            return
        venue = decode.vi_venue(told, "") or decode.vi_venue(code, read(code, fid.REAL_VENUE))
        active = decode.vi_active(read(code, fid.VI_KIND), read(code, fid.VI_RELEASED_AT))
        self._post(ViChanged(at, symbol, venue, active))

    # --- what could not be read --------------------------------------------------------------------------------------

    def _mono(self) -> Nanos:
        return self._clock.now().mono

    def _complain_of_quote(self, at: Nanos, code: str, failure: Exception) -> None:
        if at - self._quote_complaint_at < SECOND:
            self.counters.malformed += 1
            return
        self._quote_complaint_at = at
        self._complain(at, f"{fid.REAL_QUOTE} {code}", failure, matters=False)

    def _complain(self, at: Nanos, where: str, failure: Exception, *, matters: bool) -> None:
        """Count it and say so; if even that fails (the way out is broken), counting is all that is left."""
        self.counters.malformed += 1
        name = "" if isinstance(failure, decode.DecodeError) else f"{type(failure).__name__}: "
        try:
            self._post(EventMalformed(at, f"{where}: {name}{failure}"[:200], matters))
        except Exception:
            self.counters.malformed += 1
