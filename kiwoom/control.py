"""The control port: what may be asked of Kiwoom's control, what it raises, and both as plain values.

Three layers of the same conversation:

- `ControlPort` / `ControlEvents`: the control itself, with Kiwoom's own method and event names (KIWOOM.md 1.2, 1.5).
  The real OCX (`kiwoom.ocx`) and the simulated one (`kiwoom.simulated.control`) both fit it.
- `ControlCall`: one request of the Gateway's core, as a value. `kiwoom.adapter` performs it on the control's thread.
- `ControlEvent`: one typed, decoded event back, stamped (`at`) by the control's thread on entry to the handler.

Quotes do not travel as objects: the adapter packs them (`kiwoom.quotes`) and hands over bytes.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from kiwoom.market import Market, Nanos, Now, Shares, Side, Symbol, Venue, Won

# --- the control itself ---------------------------------------------------------------------------------------------


class ControlEvents(Protocol):
    """The handlers of the control's events. Called on the control's thread; they must return quickly, never raise."""

    def OnEventConnect(self, nErrCode: int) -> None: ...

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
    ) -> None: ...

    def OnReceiveRealData(self, sCode: str, sRealType: str, sRealData: str) -> None: ...

    def OnReceiveMsg(self, sScrNo: str, sRQName: str, sTrCode: str, sMsg: str) -> None: ...

    def OnReceiveChejanData(self, sGubun: str, nItemCnt: int, sFIdList: str) -> None: ...


class ControlPort(Protocol):
    """KHOPENAPI.KHOpenAPICtrl.1, as far as this machine uses it. One thread; getters answer inside their event only."""

    def listen(self, events: ControlEvents) -> None:
        """Connect the event handlers; once, before CommConnect."""
        ...

    def CommConnect(self) -> int: ...
    def GetConnectState(self) -> int: ...
    def GetLoginInfo(self, sTag: str) -> str: ...
    def GetCodeListByMarket(self, sMarket: str) -> str: ...
    def GetMasterCodeName(self, sCode: str) -> str: ...
    def GetMasterConstruction(self, sCode: str) -> str: ...
    def GetMasterStockState(self, sCode: str) -> str: ...
    def GetMasterLastPrice(self, sCode: str) -> str: ...
    def KOA_Functions(self, sFunctionName: str, sParam: str) -> str: ...
    def SetInputValue(self, sID: str, sValue: str) -> None: ...
    def CommRqData(self, sRQName: str, sTrCode: str, nPrevNext: int, sScreenNo: str) -> int: ...
    def CommKwRqData(
        self, sArrCode: str, bNext: int, nCodeCount: int, nTypeFlag: int, sRQName: str, sScreenNo: str
    ) -> int: ...
    def GetRepeatCnt(self, sTrCode: str, sRecordName: str) -> int: ...
    def GetCommData(self, strTrCode: str, strRecordName: str, nIndex: int, strItemName: str) -> str: ...
    def GetCommRealData(self, sCode: str, nFid: int) -> str: ...
    def GetChejanData(self, nFid: int) -> str: ...
    def SendOrder(
        self,
        sRQName: str,
        sScreenNo: str,
        sAccNo: str,
        nOrderType: int,
        sCode: str,
        nQty: int,
        nPrice: int,
        sHogaGb: str,
        sOrgOrderNo: str,
    ) -> int: ...
    def SetRealReg(self, strScreenNo: str, strCodeList: str, strFidList: str, strOptType: str) -> int: ...
    def SetRealRemove(self, strScrNo: str, strDelCode: str) -> None: ...
    def DisconnectRealData(self, sScnNo: str) -> None: ...


# --- requests, as values --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connect:
    """CommConnect. Answer: `Connected`."""


@dataclass(frozen=True, slots=True)
class ReadLogin:
    """GetLoginInfo of accounts, user and server kind. Answer: `LoginRead`."""


@dataclass(frozen=True, slots=True)
class ReadMaster:
    """Code lists (KOSPI, KOSDAQ, NXT) and the per-symbol master of `symbols`. Answer: `MasterRead`."""

    symbols: tuple[Symbol, ...]


@dataclass(frozen=True, slots=True)
class OpenAccountWindow:
    """KOA_Functions("ShowAccountWindow"): modal, for the account password. Answer: `AccountWindowClosed`."""


@dataclass(frozen=True, slots=True)
class SubmitOrder:
    """SendOrder. `rq_name` is our client order id. Answer: `OrderCalled`, then the order's own events."""

    rq_name: str
    screen_no: str
    account: str
    order_type: int
    code: str
    qty: int
    price: int
    hoga: str
    orig_order_no: str


@dataclass(frozen=True, slots=True)
class RequestTr:
    """SetInputValue for each of `inputs`, in order, then CommRqData. Answer: `TrCalled`, then `TrAnswered`.

    `fields` are the items read of every row of the answer, `single_fields` those of its head.
    """

    rq_name: str
    tr_code: str
    inputs: tuple[tuple[str, str], ...]
    screen_no: str
    prev_next: int = 0
    fields: tuple[str, ...] = ()
    single_fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestWatchlist:
    """CommKwRqData of at most 100 codes (answer TR: OPTKWFID). Answer: `TrCalled`, then `TrAnswered`."""

    rq_name: str
    codes: tuple[str, ...]
    screen_no: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RegisterReal:
    """SetRealReg. `replace` is opt type "0", else "1" (add). At most 100 codes. Answer: `RealCalled`."""

    screen_no: str
    codes: tuple[str, ...]
    fids: tuple[int, ...]
    replace: bool = True


@dataclass(frozen=True, slots=True)
class UnregisterReal:
    """DisconnectRealData of a screen. Answer: `RealCalled` once no further event of it can come."""

    screen_no: str


ControlCall = (
    Connect
    | ReadLogin
    | ReadMaster
    | OpenAccountWindow
    | SubmitOrder
    | RequestTr
    | RequestWatchlist
    | RegisterReal
    | UnregisterReal
)

# --- events, as values ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connected:
    """OnEventConnect: 0 = logged in, < 0 = failed or the line was lost (KIWOOM.md 1.6)."""

    at: Nanos
    error: int


@dataclass(frozen=True, slots=True)
class LoginRead:
    at: Nanos
    accounts: tuple[str, ...]
    user_id: str
    server: str
    """"mock", "real" or "simulated" (the simulated control answers GetServerGubun with its own word)."""


@dataclass(frozen=True, slots=True)
class MasterEntry:
    symbol: Symbol
    name: str
    market: Market | None
    """None: in neither the KOSPI nor the KOSDAQ list."""
    nxt_tradable: bool
    base_price: Won
    state: str
    construction: str
    warning: str
    """KOA_Functions("IsOrderWarningStock"): "0" none; others pop a blocking dialog on a buy."""


@dataclass(frozen=True, slots=True)
class MasterRead:
    at: Nanos
    entries: tuple[MasterEntry, ...]


@dataclass(frozen=True, slots=True)
class AccountWindowClosed:
    at: Nanos


@dataclass(frozen=True, slots=True)
class OrderCalled:
    """SendOrder returned. 0 = taken by the control, not yet accepted; < 0 = turned away, no event will follow.

    `called` and `at` are stamped just before and just after the call: the broker's arrival lies between them.
    """

    at: Nanos
    called: Nanos
    rq_name: str
    code: int


@dataclass(frozen=True, slots=True)
class OrderNumbered:
    """OnReceiveTrData of an order. `order_no` is empty if the server rejected it."""

    at: Nanos
    rq_name: str
    screen_no: str
    tr_code: str
    order_no: str


@dataclass(frozen=True, slots=True)
class TrCalled:
    """CommRqData / CommKwRqData returned: 0 sent, -200 overload, other < 0 failed."""

    at: Nanos
    rq_name: str
    code: int


@dataclass(frozen=True, slots=True)
class TrAnswered:
    """OnReceiveTrData of a query: `rows` of the requested `fields` (stripped), `single` of the head's fields."""

    at: Nanos
    rq_name: str
    tr_code: str
    more: bool
    rows: tuple[tuple[str, ...], ...]
    single: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RealCalled:
    at: Nanos
    screen_no: str
    code: int


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """OnReceiveMsg: words for people. Never parsed (KIWOOM.md 1.5)."""

    at: Nanos
    screen_no: str
    rq_name: str
    tr_code: str
    text: str


class ReportKind(Enum):
    """What an order report (chejan gubun 0) says, after the traps of KIWOOM.md 4.2 have been taken out."""

    ACCEPTED = "accepted"
    """접수: the order (or the cancel) stands at the exchange."""
    FILL = "fill"
    """체결 with this fill's own price and quantity (914/915)."""
    CONFIRMED = "confirmed"
    """확인 or 취소: a cancel (or an exchange's auto-cancel) took effect on `orig_order_no`."""
    CLEARED = "cleared"
    """The clear event (819 = "1"): the order has left the book with 902 = 0. Never a fill, whatever 913 says."""
    REJECTED = "rejected"
    """거부, or a reject reason in 919."""
    UNKNOWN = "unknown"
    """A 913 that we do not know. Stops trading where it matters instead of being guessed."""


@dataclass(frozen=True, slots=True)
class OrderReport:
    """OnReceiveChejanData gubun "0", decoded. Empty strings where the FID was absent."""

    at: Nanos
    kind: ReportKind
    order_no: str
    orig_order_no: str
    """Empty if there is none ("0000000" or blank)."""
    symbol: Symbol
    side: Side | None
    is_cancel: bool
    """905 says 매수취소 or 매도취소: the report is about a cancel order."""
    venue: Venue | None
    """FID 2134/2135; None where the control did not bring it."""
    screen_no: str
    qty: Shares
    price: Won
    leaves_qty: Shares
    exec_id: str
    fill_px: Won
    fill_qty: Shares
    """This fill's (914/915), 0 unless kind is FILL."""
    cum_qty: Shares
    """911, cumulative for the order, 0 where absent. For checking only."""
    order_time: str
    """908, HHMMSS."""
    hoga_name: str
    """906, as text."""
    commission_won: Won | None
    """938 as reported, None if absent."""
    tax_won: Won | None
    """939 as reported, None if absent."""
    reject_reason: str
    fids: tuple[tuple[str, str], ...]
    """The raw values of CONTRACTS.md's FID list, those present."""


@dataclass(frozen=True, slots=True)
class BalanceReport:
    """OnReceiveChejanData gubun "1": what the account holds of a symbol now."""

    at: Nanos
    symbol: Symbol
    held: Shares
    """930 보유수량."""
    sellable: Shares
    """933 주문가능수량."""
    fids: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SessionSignalled:
    """장시작시간: FID 215, with 20 (time) and 214 (time left), as text."""

    at: Nanos
    code: str
    time: str
    remaining: str


@dataclass(frozen=True, slots=True)
class TradePrinted:
    """주식체결 on a code of `venue`. Handed over at most once a second per venue: proof of life, not a tape."""

    at: Nanos
    symbol: Symbol
    venue: Venue


@dataclass(frozen=True, slots=True)
class ViChanged:
    """VI발동/해제: the symbol entered (or left) volatility interruption. `venue` None = not told.

    A release ends what was announced with the same `venue` (None included), and nothing else.
    """

    at: Nanos
    symbol: Symbol
    venue: Venue | None
    active: bool


@dataclass(frozen=True, slots=True)
class EventMalformed:
    """An event the decoder could not read: counted and shown, never guessed. `what` names event and field."""

    at: Nanos
    what: str
    matters: bool
    """True where an order's state may hide in it: trading stops."""


ControlEvent = (
    Connected
    | LoginRead
    | MasterRead
    | AccountWindowClosed
    | OrderCalled
    | OrderNumbered
    | TrCalled
    | TrAnswered
    | RealCalled
    | MessageReceived
    | OrderReport
    | BalanceReport
    | SessionSignalled
    | TradePrinted
    | ViChanged
    | EventMalformed
)


class Clock(Protocol):
    """Where the adapter and the shells get the time from; virtual in the simulation."""

    def now(self) -> Now: ...
