"""The simulated control: Kiwoom's methods and events over a link to the simulated broker.

Behaves as the OCX does towards its owner (KIWOOM.md 1): calls are synchronous; events are raised only from
`on_readable` and `dispatch_pending`, one at a time and never inside a call; the data getters answer only while the
event they belong to is being handled. No event loop of its own: whoever has one watches `fileno()` (a new one after
every CommConnect, -1 while there is no line) and calls `on_readable`, and looks at `has_pending` after its own calls.

Limits: one thread. A call that the broker does not answer in time ends the line: OnEventConnect(-106) follows, and
SendOrder returns -307, which leaves open whether the order arrived. Not to be taken for the real control: the fields of
a real-time event are cut from the raw text, so only the FIDs that the simulated broker sends have a value.
"""

import select
import socket
import time
from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol

from kiwoom.control import Clock, ControlEvents
from kiwoom.simulated.broker import SimulatedBroker
from kiwoom.simulated.line import CANNOT_CONNECT, LINE_CUT
from kiwoom.simulated.realtime import FIDS_OF
from kiwoom.simulated.wire import (
    CallFrame,
    ChejanFrame,
    ConnectFrame,
    EventFrame,
    FrameReader,
    MessageFrame,
    RealFrame,
    ReplyFrame,
    TrFrame,
    Value,
    WireError,
    encode,
)

ORDER_NOT_SENT: Final = -307
CALL_TIMEOUT_S: Final = 2.0

_FIELD_OF: Final = {real_type: {fid: index for index, fid in enumerate(fids)} for real_type, fids in FIDS_OF.items()}


class Link(Protocol):
    """A line to a broker. Frames that arrive while a reply is awaited are kept for `read_frames`, in order."""

    def open(self) -> bool:
        """Make the line, if there is none; False if that cannot be done."""
        ...

    def request(self, call: CallFrame) -> ReplyFrame | None:
        """The broker's reply; None if the line is lost, or is now, because none came in time."""
        ...

    def read_frames(self) -> Sequence[EventFrame]:
        """What has arrived, without waiting."""
        ...

    def fileno(self) -> int:
        """What becomes readable when there is something to read; -1 = nothing to watch."""
        ...

    @property
    def has_arrived(self) -> bool:
        """Frames were taken off the line during a request, so that it will not become readable for them."""
        ...

    @property
    def is_open(self) -> bool: ...


class SimulatedControl:
    """A `kiwoom.control.ControlPort`. `link` is where its broker is."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._events: ControlEvents | None = None
        # What has arrived and was not handled yet; bounded by what the broker sends between two turns of the loop.
        self._pending: deque[EventFrame] = deque()
        self._current: EventFrame | None = None
        self._real_values: list[str] | None = None
        self._inputs: list[tuple[str, str]] = []
        self._is_connected = False
        self._has_line = False

    # --- for the owner's event loop ---------------------------------------------------------------------------------

    def listen(self, events: ControlEvents) -> None:
        """Connect the event handlers; once, before CommConnect."""
        assert self._events is None
        self._events = events

    def fileno(self) -> int:
        return self._link.fileno()

    @property
    def has_pending(self) -> bool:
        """Events wait that no readable line will announce: call `dispatch_pending`."""
        return bool(self._pending) or self._link.has_arrived

    def on_readable(self) -> None:
        """The line has something: raise the events that came, behind those that were waiting."""
        self.dispatch_pending()

    def dispatch_pending(self) -> None:
        """Raise what waits and what has come. Called from a handler it does nothing: the events follow later."""
        if self._current is not None:
            return
        self._collect()
        try:
            while self._pending:
                self._current = self._pending.popleft()
                self._raise(self._current)
        finally:
            self._current = None

    def _collect(self) -> None:
        self._pending.extend(self._link.read_frames())
        if self._has_line and not self._link.is_open:
            self._has_line = False
            self._pending.append(ConnectFrame(LINE_CUT))

    def _raise(self, frame: EventFrame) -> None:
        events = self._events
        assert events is not None, "listen comes before CommConnect"
        match frame:
            case RealFrame(code, real_type, raw):
                self._real_values = None
                events.OnReceiveRealData(code, real_type, raw)
            case ChejanFrame(gubun, values):
                events.OnReceiveChejanData(gubun, len(values), ";".join(map(str, values)))
            case TrFrame(screen_no, rq_name, tr_code, record_name, prev_next):
                events.OnReceiveTrData(screen_no, rq_name, tr_code, record_name, prev_next, 0, "", "", "")
            case MessageFrame(screen_no, rq_name, tr_code, text):
                events.OnReceiveMsg(screen_no, rq_name, tr_code, text)
            case ConnectFrame(error):
                self._is_connected = error == 0
                events.OnEventConnect(error)

    # --- login and master data --------------------------------------------------------------------------------------

    def CommConnect(self) -> int:
        self._is_connected = self._has_line = False
        if self._link.open() and self._ask("CommConnect") is not None:
            self._has_line = True
        else:
            self._pending.append(ConnectFrame(CANNOT_CONNECT))
        return 0

    def GetConnectState(self) -> int:
        return int(self._is_connected and self._link.is_open)

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

    # --- queries ----------------------------------------------------------------------------------------------------

    def SetInputValue(self, sID: str, sValue: str) -> None:
        self._inputs.append((sID, sValue))

    def CommRqData(self, sRQName: str, sTrCode: str, nPrevNext: int, sScreenNo: str) -> int:
        inputs = [text for pair in self._inputs for text in pair]
        self._inputs.clear()
        return self._number("CommRqData", sRQName, sTrCode, nPrevNext, sScreenNo, *inputs)

    def CommKwRqData(
        self, sArrCode: str, bNext: int, nCodeCount: int, nTypeFlag: int, sRQName: str, sScreenNo: str
    ) -> int:
        return self._number("CommKwRqData", sArrCode, bNext, nCodeCount, nTypeFlag, sRQName, sScreenNo)

    def GetRepeatCnt(self, sTrCode: str, sRecordName: str) -> int:
        return len(self._current.rows) if isinstance(self._current, TrFrame) else 0

    def GetCommData(self, strTrCode: str, strRecordName: str, nIndex: int, strItemName: str) -> str:
        frame = self._current
        if not isinstance(frame, TrFrame):
            return ""
        if 0 <= nIndex < len(frame.rows) and strItemName in frame.rows[nIndex]:
            return frame.rows[nIndex][strItemName]
        return frame.single.get(strItemName, "") if nIndex == 0 else ""

    def GetCommRealData(self, sCode: str, nFid: int) -> str:
        frame = self._current
        if not isinstance(frame, RealFrame):
            return ""
        if self._real_values is None:
            self._real_values = frame.raw.split("\t")
        index = _FIELD_OF[frame.real_type].get(nFid)
        return "" if index is None or index >= len(self._real_values) else self._real_values[index]

    def GetChejanData(self, nFid: int) -> str:
        return self._current.values.get(nFid, "") if isinstance(self._current, ChejanFrame) else ""

    # --- orders and registrations -----------------------------------------------------------------------------------

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
        if not self._link.is_open:
            return LINE_CUT
        value = self._ask(
            "SendOrder", sRQName, sScreenNo, sAccNo, nOrderType, sCode, nQty, nPrice, sHogaGb, sOrgOrderNo
        )
        return value if isinstance(value, int) else ORDER_NOT_SENT

    def SetRealReg(self, strScreenNo: str, strCodeList: str, strFidList: str, strOptType: str) -> int:
        return self._number("SetRealReg", strScreenNo, strCodeList, strFidList, strOptType)

    def SetRealRemove(self, strScrNo: str, strDelCode: str) -> None:
        self._ask("SetRealRemove", strScrNo, strDelCode)

    def DisconnectRealData(self, sScnNo: str) -> None:
        """When this returns, nothing more of the screen is sent; what had been sent is still delivered."""
        self._ask("DisconnectRealData", sScnNo)

    def _ask(self, name: str, *args: Value) -> Value | None:
        """The broker's answer, None without one. A line that is lost over it is told by an event, later."""
        if not self._link.is_open:
            return None
        reply = self._link.request(CallFrame(name, args))
        if reply is None:
            self._collect()
            return None
        return reply.value

    def _number(self, name: str, *args: Value) -> int:
        value = self._ask(name, *args)
        return value if isinstance(value, int) else LINE_CUT

    def _text(self, name: str, *args: Value) -> str:
        value = self._ask(name, *args)
        return value if isinstance(value, str) else ""


class DirectLink:
    """A broker in the same thread, on the simulation's clock. Whoever runs the clock calls `on_readable` when the
    broker's `next_at` is due; nothing is lost, and the line can be cut to see what follows."""

    def __init__(self, broker: SimulatedBroker, clock: Clock) -> None:
        self._broker = broker
        self._clock = clock
        self._is_open = False

    @property
    def is_open(self) -> bool:
        return self._is_open

    @property
    def has_arrived(self) -> bool:
        return False

    def open(self) -> bool:
        self._is_open = True
        return True

    def cut(self) -> None:
        """The client's process dies or its cable is pulled: the broker keeps its orders and forgets its client."""
        self._is_open = False
        self._broker.disconnected()

    def request(self, call: CallFrame) -> ReplyFrame | None:
        if not self._is_open:
            return None
        return self._broker.call(call, *self._clock.now())

    def read_frames(self) -> Sequence[EventFrame]:
        frames = self._broker.due(*self._clock.now())
        return frames if self._is_open else ()

    def fileno(self) -> int:
        return -1


class SocketLink:
    """A broker's process on this machine."""

    def __init__(self, host: str, port: int, timeout_s: float = CALL_TIMEOUT_S) -> None:
        self._address = (host, port)
        self._timeout_s = timeout_s
        self._socket: socket.socket | None = None
        self._reader = FrameReader()
        # What came while a reply was awaited; emptied by `read_frames`.
        self._arrived: list[EventFrame] = []
        self._replies: deque[ReplyFrame] = deque()

    @property
    def is_open(self) -> bool:
        return self._socket is not None

    @property
    def has_arrived(self) -> bool:
        return bool(self._arrived)

    def open(self) -> bool:
        if self._socket is not None:
            return True
        try:
            line = socket.create_connection(self._address, timeout=self._timeout_s)
        except OSError:
            return False
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.setblocking(False)
        self._socket = line
        self._reader = FrameReader()
        self._replies.clear()
        return True

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def request(self, call: CallFrame) -> ReplyFrame | None:
        deadline = time.monotonic() + self._timeout_s
        if not self._send(encode(call), deadline):
            self.close()
            return None
        while not self._replies:
            if not self._wait_readable(deadline):
                self.close()
                return None
            self._receive()
            if self._socket is None and not self._replies:
                return None
        return self._replies.popleft()

    def read_frames(self) -> Sequence[EventFrame]:
        self._receive()
        frames, self._arrived = self._arrived, []
        return frames

    def fileno(self) -> int:
        return -1 if self._socket is None else self._socket.fileno()

    def _send(self, data: bytes, deadline: float) -> bool:
        view = memoryview(data)
        while view:
            if self._socket is None:
                return False
            try:
                view = view[self._socket.send(view) :]
            except BlockingIOError:
                wait = max(0.0, deadline - time.monotonic())
                if not select.select((), (self._socket,), (), wait)[1]:
                    return False
            except OSError:
                return False
        return True

    def _wait_readable(self, deadline: float) -> bool:
        wait = deadline - time.monotonic()
        return self._socket is not None and wait > 0 and bool(select.select((self._socket,), (), (), wait)[0])

    def _receive(self) -> None:
        """Everything the socket has now. An end, an error or nonsense closes the line; what came before it counts."""
        while self._socket is not None:
            try:
                data = self._socket.recv(262_144)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self.close()
                return
            self._sort(data)

    def _sort(self, data: bytes) -> None:
        try:
            frames = self._reader.feed(data)
        except WireError:
            self.close()
            return
        for frame in frames:
            if isinstance(frame, ReplyFrame):
                self._replies.append(frame)
            elif isinstance(frame, CallFrame):
                self.close()
                return
            else:
                self._arrived.append(frame)
