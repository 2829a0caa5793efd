"""Frames between control and broker: what goes in comes out, whatever the pieces in which it travels."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiwoom.simulated.wire import (
    CallFrame,
    ChejanFrame,
    ConnectFrame,
    FrameReader,
    MessageFrame,
    RealFrame,
    ReplyFrame,
    TrFrame,
    WireError,
    encode,
)

FRAMES = [
    CallFrame("SendOrder", ("주문-1", "2000", "8012345610", 1, "005930", 3, 72_000, "00", "")),
    CallFrame("CommConnect"),
    ReplyFrame(-308),
    ReplyFrame("005930;000660;"),
    ConnectFrame(-106),
    TrFrame("3000", "q", "opt10075", "미체결", "2", {"건수": "1"}, ({"주문번호": "0100001"}, {})),
    MessageFrame("2000", "q", "t", "[107066] 매수주문이 완료되었습니다."),
    ChejanFrame("0", {9203: "0100001", 9001: "A005930", 909: ""}),
    RealFrame("005930_NX", "주식호가잔량", "100000\t+72100\t5\t+5"),
]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1))
def test_frames_survive_being_cut_anywhere(sizes: list[int]) -> None:
    data = b"".join(map(encode, FRAMES))
    reader, received, start, turn = FrameReader(), [], 0, 0
    while start < len(data):
        size = sizes[turn % len(sizes)]
        received += reader.feed(data[start : start + size])
        start, turn = start + size, turn + 1
    assert received == FRAMES


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00\x00\x00",
        b"\xff\xff\xff\xff\x01",
        b"\x02\x00\x00\x00\x63{",
        b"\x03\x00\x00\x00\x01{}",
        b"\x05\x00\x00\x00\x02true",
        b"\x04\x00\x00\x00\x02nul",
        b"\x03\x00\x00\x00\x07\xff\xff",
    ],
)
def test_what_is_no_frame_is_an_error(data: bytes) -> None:
    with pytest.raises(WireError):
        FrameReader().feed(data)
