"""The broker's words that the Gateway's core needs: order types, hoga codes, FIDs, TRs and their fields.

Sources: KIWOOM.md 1.4 (order types), 2 (hoga), 3.2 (FIDs), 6.2 (TRs). Only this module of the core knows them.
"""

from dataclasses import dataclass
from typing import Final

from actors.messages.orders import OrderStyle
from kiwoom.market import Side, Symbol, Venue

ORDER_TYPE: Final = {
    (Venue.KRX, Side.BUY): 1,
    (Venue.KRX, Side.SELL): 2,
    (Venue.NXT, Side.BUY): 21,
    (Venue.NXT, Side.SELL): 22,
}
CANCEL_TYPE: Final = {
    (Venue.KRX, Side.BUY): 3,
    (Venue.KRX, Side.SELL): 4,
    (Venue.NXT, Side.BUY): 23,
    (Venue.NXT, Side.SELL): 23,
}
HOGA: Final = {
    (Venue.KRX, OrderStyle.LIMIT): "00",
    (Venue.KRX, OrderStyle.LIMIT_IOC): "10",
    (Venue.KRX, OrderStyle.MARKET_IOC): "13",
    (Venue.NXT, OrderStyle.LIMIT): "00",
    (Venue.NXT, OrderStyle.LIMIT_IOC): "10",
    (Venue.NXT, OrderStyle.MARKET_IOC): "13",
    (Venue.NXT, OrderStyle.MID): "29",
}
HOGA_LIMIT: Final = "00"
OVERLOAD_CODES: Final = frozenset({-308, -311})
QUERY_OVERLOAD: Final = -200

HALTED_STATE: Final = "거래정지"
"""In GetMasterStockState of a share that does not trade today."""

SESSION_FIDS: Final = (215, 20, 214)
TRADE_FIDS: Final = (20, 10, 15)
QUOTE_FIDS: Final = (21, 41, 61, 51, 71)

VENUE_INPUT: Final = {Venue.KRX: "1", Venue.NXT: "2"}
"""거래소구분 of opt10075 and opt10076."""

OPEN_ORDERS_TR: Final = "opt10075"
FILLS_TR: Final = "opt10076"
HOLDINGS_TR: Final = "opw00018"
CASH_TR: Final = "opw00001"
VI_TR: Final = "opt10054"

CASH_FIELDS: Final = ("100%종목주문가능금액",)
LIMIT_FIELDS: Final = ("종목코드", "현재가", "기준가", "상한가", "하한가")
HOLDING_FIELDS: Final = ("종목번호", "보유수량", "매매가능수량")
OPEN_FIELDS: Final = (
    "주문번호", "종목코드", "주문구분", "주문상태", "주문수량", "주문가격", "미체결수량", "체결량", "체결가", "시간",
)  # fmt: skip
FILL_FIELDS: Final = (
    "주문번호", "종목코드", "주문구분", "주문상태", "주문수량", "주문가격", "미체결수량", "체결량", "체결가",
    "주문시간",
)  # fmt: skip


def holdings_inputs(account: str) -> tuple[tuple[str, str], ...]:
    """opw00018, one row per issue. The account's shares are one inventory for both venues (KIWOOM.md 7.9)."""
    return (
        ("계좌번호", account),
        ("비밀번호", ""),
        ("비밀번호입력매체구분", "00"),
        ("조회구분", "2"),
        ("거래소구분", "KRX"),
    )


def cash_inputs(account: str) -> tuple[tuple[str, str], ...]:
    """opw00001, plain (not estimated) amounts."""
    return (("계좌번호", account), ("비밀번호", ""), ("비밀번호입력매체구분", "00"), ("조회구분", "2"))


def open_orders_inputs(account: str, venue: Venue, symbol: Symbol | None) -> tuple[tuple[str, str], ...]:
    """opt10075: what is unfilled on `venue`, of one symbol or of all."""
    return (
        ("계좌번호", account),
        ("전체종목구분", "0" if symbol is None else "1"),
        ("매매구분", "0"),
        ("종목코드", symbol or ""),
        ("체결구분", "1"),
        ("거래소구분", VENUE_INPUT[venue]),
    )


def fills_inputs(account: str, venue: Venue, symbol: Symbol | None) -> tuple[tuple[str, str], ...]:
    """opt10076: today's orders on `venue` with what they filled, of one symbol or of all."""
    return (
        ("종목코드", symbol or ""),
        ("조회구분", "0" if symbol is None else "1"),
        ("매도수구분", "0"),
        ("계좌번호", account),
        ("비밀번호", ""),
        ("주문번호", ""),
        ("체결구분", "0"),
        ("거래소구분", VENUE_INPUT[venue]),
    )


def vi_inputs() -> tuple[tuple[str, str], ...]:
    """opt10054 for every issue: asking it once registers the VI events (KIWOOM.md 3.2)."""
    return (
        ("시장구분", "000"),
        ("장전구분", "1"),
        ("종목코드", ""),
        ("발동구분", "0"),
        ("제외종목", "000000000"),
        ("거래량구분", "0"),
        ("최소거래량", "0"),
        ("최대거래량", "0"),
        ("거래대금구분", "0"),
        ("최소거래대금", "0"),
        ("최대거래대금", "0"),
        ("발동방향", "0"),
        ("거래소구분", "3"),
    )


def number(text: str) -> int:
    """A price or quantity of a TR: signs are colours, blanks and zeros are padding (KIWOOM.md 3.3).

    Raises ValueError if it is no number.
    """
    bare = text.strip().lstrip("+-").replace(",", "")
    return int(bare) if bare else 0


def amount(text: str) -> int:
    """An amount of money whose sign is meant. Raises ValueError if it is no number."""
    bare = text.strip().replace(",", "")
    if not bare:
        raise ValueError("no amount")
    return int(bare)


def plain_symbol(text: str) -> Symbol:
    """Account data say A005930, market data 005930 or 005930_NX."""
    bare = text.strip().split("_")[0]
    return Symbol(bare[1:] if len(bare) == 7 and bare[0] in "AJQ" else bare)


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One order in an answer of opt10075 or opt10076."""

    order_no: str
    symbol: Symbol
    venue: Venue
    side: Side
    qty: int
    price: int
    leaves_qty: int
    cum_qty: int
    fill_px: int
    time: str
    """HHMMSS, as text."""


def order_row(fields: tuple[str, ...], venue: Venue) -> OrderRow | None:
    """A row in the order of OPEN_FIELDS / FILL_FIELDS; None if it is about a cancel, or is no order.

    Raises ValueError if a number in it is none.
    """
    order_no, code, kind, _state, qty, price, leaves, cum, fill_px, time = (field.strip() for field in fields)
    side = Side.BUY if "매수" in kind else Side.SELL if "매도" in kind else None
    if side is None or "취소" in kind or not order_no:
        return None
    return OrderRow(
        order_no=order_no.zfill(7),
        symbol=plain_symbol(code),
        venue=venue,
        side=side,
        qty=number(qty),
        price=number(price),
        leaves_qty=number(leaves),
        cum_qty=number(cum),
        fill_px=number(fill_px),
        time=time.replace(":", ""),
    )
