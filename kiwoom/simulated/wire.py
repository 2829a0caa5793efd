"""What passes between the simulated control and the simulated broker, as values and as bytes.

A call travels up and its reply down; events travel down on their own. On a socket each frame is a 4-byte
little-endian length, one byte saying which frame it is, and its body: JSON for what is rare, raw text for real-time
data, which comes by the thousand a second. Nothing is ever unpickled: bytes become numbers and strings only.

Limits: a frame's body is at most `BODY_BYTES_MAX`; a longer one, or one that cannot be read, is a `WireError`, after
which the line is worth nothing and must be closed.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Any, Final, assert_never

BODY_BYTES_MAX: Final = 4_000_000
"""A full page of a TR (100 rows of 30 fields) is below 200 kB; the code list of a market below 100 kB."""

Value = int | str
"""What Kiwoom's methods take and give: LONG and BSTR."""


@dataclass(frozen=True, slots=True)
class CallFrame:
    """One method of the control, by Kiwoom's name, with its arguments in order."""

    name: str
    args: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class ReplyFrame:
    """What the method returns."""

    value: Value


@dataclass(frozen=True, slots=True)
class ConnectFrame:
    """OnEventConnect: 0 logged in, < 0 the line is lost (KIWOOM.md 1.6)."""

    error: int


@dataclass(frozen=True, slots=True)
class TrFrame:
    """OnReceiveTrData with the data that GetCommData and GetRepeatCnt read while it is being handled."""

    screen_no: str
    rq_name: str
    tr_code: str
    record_name: str
    prev_next: str
    single: dict[str, str]
    rows: tuple[dict[str, str], ...]


@dataclass(frozen=True, slots=True)
class MessageFrame:
    """OnReceiveMsg."""

    screen_no: str
    rq_name: str
    tr_code: str
    text: str


@dataclass(frozen=True, slots=True)
class ChejanFrame:
    """OnReceiveChejanData: the FIDs in the order of its list, with their values."""

    gubun: str
    values: dict[int, str]


@dataclass(frozen=True, slots=True)
class RealFrame:
    """OnReceiveRealData: `raw` is the tab-joined values, in the order of the type's FIDs (`realtime.FIDS_OF`)."""

    code: str
    real_type: str
    raw: str


EventFrame = ConnectFrame | TrFrame | MessageFrame | ChejanFrame | RealFrame
Frame = CallFrame | ReplyFrame | EventFrame


class WireError(Exception):
    """The bytes on the line are no frame."""


_LENGTH: Final = Struct("<I")
_REAL_HEAD: Final = Struct("<BB")
"""Bytes of the code and of the type's name, which follow before the raw text."""

_CALL, _REPLY, _CONNECT, _TR, _MESSAGE, _CHEJAN, _REAL = range(1, 8)


def encode(frame: Frame) -> bytes:
    """One frame as it stands on the line."""
    match frame:
        case RealFrame(code, real_type, raw):
            code_bytes = code.encode()
            type_bytes = real_type.encode()
            head = _REAL_HEAD.pack(len(code_bytes), len(type_bytes))
            return _framed(_REAL, head + code_bytes + type_bytes + raw.encode())
        case CallFrame(name, args):
            return _framed(_CALL, _json([name, *args]))
        case ReplyFrame(value):
            return _framed(_REPLY, _json(value))
        case ConnectFrame(error):
            return _framed(_CONNECT, _json(error))
        case TrFrame(screen_no, rq_name, tr_code, record_name, prev_next, single, rows):
            return _framed(_TR, _json([screen_no, rq_name, tr_code, record_name, prev_next, single, rows]))
        case MessageFrame(screen_no, rq_name, tr_code, text):
            return _framed(_MESSAGE, _json([screen_no, rq_name, tr_code, text]))
        case ChejanFrame(gubun, values):
            return _framed(_CHEJAN, _json([gubun, list(values.items())]))
        case _:
            assert_never(frame)


class FrameReader:
    """Turns what a socket delivers, in pieces of any size, back into frames."""

    def __init__(self) -> None:
        # Never longer than one frame plus one read of the socket: `feed` takes out every whole frame.
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames completed by `data`, oldest first."""
        self._buffer += data
        frames: list[Frame] = []
        start = 0
        while len(self._buffer) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer, start)
            if not 1 <= length <= BODY_BYTES_MAX:
                raise WireError(f"a frame of {length} bytes")
            end = start + _LENGTH.size + length
            if end > len(self._buffer):
                break
            frames.append(_decode(bytes(self._buffer[start + _LENGTH.size : end])))
            start = end
        del self._buffer[:start]
        return frames


def _framed(kind: int, body: bytes) -> bytes:
    assert len(body) < BODY_BYTES_MAX
    return _LENGTH.pack(len(body) + 1) + bytes((kind,)) + body


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _decode(payload: bytes) -> Frame:
    kind, body = payload[0], payload[1:]
    try:
        if kind == _REAL:
            return _decode_real(body)
        return _from_values(kind, json.loads(body))
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise WireError(f"a frame of kind {kind} that cannot be read: {error}") from error


def _decode_real(body: bytes) -> RealFrame:
    code_length, type_length = body[0], body[1]
    text = _REAL_HEAD.size + code_length
    if len(body) < text + type_length:
        raise ValueError("shorter than it says")
    return RealFrame(
        code=body[_REAL_HEAD.size : text].decode(),
        real_type=body[text : text + type_length].decode(),
        raw=body[text + type_length :].decode(),
    )


def _from_values(kind: int, value: Any) -> Frame:
    match kind:
        case 1:
            return CallFrame(_text(value[0]), _arguments(value[1:]))
        case 2:
            return ReplyFrame(_value(value))
        case 3:
            return ConnectFrame(_number(value))
        case 4:
            *names, single, rows = value
            screen_no, rq_name, tr_code, record_name, prev_next = map(_text, names)
            return TrFrame(
                screen_no, rq_name, tr_code, record_name, prev_next, _fields(single), tuple(map(_fields, rows))
            )
        case 5:
            screen_no, rq_name, tr_code, text = map(_text, value)
            return MessageFrame(screen_no, rq_name, tr_code, text)
        case 6:
            gubun, values = value
            return ChejanFrame(_text(gubun), {_number(fid): _text(text) for fid, text in values})
        case _:
            raise WireError(f"a frame of unknown kind {kind}")


def _arguments(values: Sequence[Any]) -> tuple[Value, ...]:
    return tuple(_value(value) for value in values)


def _fields(value: Any) -> dict[str, str]:
    return {_text(name): _text(text) for name, text in value.items()}


def _value(value: Any) -> Value:
    if isinstance(value, str):
        return value
    return _number(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is not a whole number")
    return value
