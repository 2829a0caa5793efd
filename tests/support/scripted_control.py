"""The test's stand-in for the ActiveX host: says what the test wrote down, and answers getters inside an event only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kiwoom.control import ControlEvents
from kiwoom.market import Nanos, Now, WallNanos
from tests.support.samples import Chejan, Real


@dataclass
class SteppingClock:
    """Each look at the clock is one nanosecond later, so that stamps show their order."""

    mono: int = 0

    def now(self) -> Now:
        self.mono += 1
        return Now(Nanos(self.mono), WallNanos(self.mono))


@dataclass
class ScriptedControl:
    """`calls` is what was asked of it; `returns` gives return values by method (an exception is raised)."""

    returns: dict[str, Any] = field(default_factory=dict)
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    getters_read: list[tuple[Any, ...]] = field(default_factory=list)
    events: ControlEvents | None = None
    _chejan: Mapping[int, str] = field(default_factory=dict)
    _real: Mapping[int, str] = field(default_factory=dict)
    _rows: Sequence[Mapping[str, str]] = ()
    _tr_key: tuple[str, str] | None = None

    # --- the test's side ---

    def bring_chejan(self, event: Chejan) -> None:
        assert self.events is not None
        self._chejan = event.values
        self.events.OnReceiveChejanData(event.gubun, len(event.values), ";".join(map(str, event.values)))
        self._chejan = {}

    def bring_real(self, event: Real, values: Mapping[int, str] | None = None) -> None:
        assert self.events is not None
        self._real = event.values if values is None else values
        self.events.OnReceiveRealData(event.code, event.real_type, event.raw)
        self._real = {}

    def bring_tr(self, rq_name: str, tr_code: str, rows: Sequence[Mapping[str, str]], prev_next: str = "") -> None:
        assert self.events is not None
        self._rows, self._tr_key = rows, (tr_code, rq_name)
        self.events.OnReceiveTrData("4001", rq_name, tr_code, "", prev_next)
        self._rows, self._tr_key = (), None

    # --- the control's side ---

    def listen(self, events: ControlEvents) -> None:
        assert self.events is None
        self.events = events

    def _call(self, name: str, *args: Any) -> Any:
        self.calls.append((name, *args))
        result = self.returns.get(name, 0)
        if isinstance(result, Exception):
            raise result
        return result(*args) if callable(result) else result

    def _text(self, name: str, *args: Any) -> str:
        result = self._call(name, *args)
        return result if isinstance(result, str) else ""

    def CommConnect(self) -> int:
        return int(self._call("CommConnect"))

    def GetConnectState(self) -> int:
        return int(self._call("GetConnectState"))

    def GetLoginInfo(self, sTag: str) -> str:
        return self._text("GetLoginInfo", sTag)

    def GetCodeListByMarket(self, sMarket: str) -> str:
        return self._text("GetCodeListByMarket", sMarket)

    def GetMasterCodeName(self, sCode: str) -> str:
        return self._text("GetMasterCodeName", sCode)

    def GetMasterConstruction(self, sCode: str) -> str:
        return self._text("GetMasterConstruction", sCode)

    def GetMasterStockState(self, sCode: str) -> str:
        return self._text("GetMasterStockState", sCode)

    def GetMasterLastPrice(self, sCode: str) -> str:
        return self._text("GetMasterLastPrice", sCode)

    def KOA_Functions(self, sFunctionName: str, sParam: str) -> str:
        return self._text("KOA_Functions", sFunctionName, sParam)

    def SetInputValue(self, sID: str, sValue: str) -> None:
        self._call("SetInputValue", sID, sValue)

    def CommRqData(self, sRQName: str, sTrCode: str, nPrevNext: int, sScreenNo: str) -> int:
        return int(self._call("CommRqData", sRQName, sTrCode, nPrevNext, sScreenNo))

    def CommKwRqData(
        self, sArrCode: str, bNext: int, nCodeCount: int, nTypeFlag: int, sRQName: str, sScreenNo: str
    ) -> int:
        return int(self._call("CommKwRqData", sArrCode, bNext, nCodeCount, nTypeFlag, sRQName, sScreenNo))

    def GetRepeatCnt(self, sTrCode: str, sRecordName: str) -> int:
        self.getters_read.append(("GetRepeatCnt", sTrCode, sRecordName))
        return len(self._rows) if (sTrCode, sRecordName) == self._tr_key else 0

    def GetCommData(self, strTrCode: str, strRecordName: str, nIndex: int, strItemName: str) -> str:
        self.getters_read.append(("GetCommData", strTrCode, strRecordName, nIndex, strItemName))
        if (strTrCode, strRecordName) != self._tr_key or nIndex >= len(self._rows):
            return ""
        return self._rows[nIndex].get(strItemName, "")

    def GetCommRealData(self, sCode: str, nFid: int) -> str:
        self.getters_read.append(("GetCommRealData", sCode, nFid))
        return self._real.get(nFid, "")

    def GetChejanData(self, nFid: int) -> str:
        self.getters_read.append(("GetChejanData", nFid))
        return self._chejan.get(nFid, "")

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
    ) -> int:
        args = (sRQName, sScreenNo, sAccNo, nOrderType, sCode, nQty, nPrice, sHogaGb, sOrgOrderNo)
        return int(self._call("SendOrder", *args))

    def SetRealReg(self, strScreenNo: str, strCodeList: str, strFidList: str, strOptType: str) -> int:
        return int(self._call("SetRealReg", strScreenNo, strCodeList, strFidList, strOptType))

    def SetRealRemove(self, strScrNo: str, strDelCode: str) -> None:
        self._call("SetRealRemove", strScrNo, strDelCode)

    def DisconnectRealData(self, sScnNo: str) -> None:
        self._call("DisconnectRealData", sScnNo)
