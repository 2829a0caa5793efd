"""The TRs that we request: names, inputs in their order, the fields that we read (KIWOOM.md 6).

SetInputValue must be called in the TR's own order of inputs. The account's password is never an input of ours: it is
typed into Kiwoom's window, so its field stays empty and its medium is "00" (KIWOOM.md 5).
"""

from dataclasses import dataclass
from typing import Final

from kiwoom.market import Venue

Inputs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Tr:
    """A TR's code, its inputs in order, and what we read of each row (`fields`) and of the head (`single_fields`)."""

    code: str
    inputs: tuple[str, ...]
    fields: tuple[str, ...]
    single_fields: tuple[str, ...] = ()

    def fill(self, *values: str) -> Inputs:
        """The inputs with their values, one for each input."""
        return tuple(zip(self.inputs, values, strict=True))


OPEN_ORDERS: Final = Tr(
    code="opt10075",
    inputs=("계좌번호", "전체종목구분", "매매구분", "종목코드", "체결구분", "거래소구분"),
    fields=(
        "주문번호",
        "원주문번호",
        "종목코드",
        "주문상태",
        "주문구분",
        "주문수량",
        "주문가격",
        "미체결수량",
        "체결가",
        "체결량",
        "시간",
        "거래소구분",
    ),
)
"""미체결요청. 거래소구분 is a field of the REST twin; where the control does not know it the value is empty."""

EXECUTIONS: Final = Tr(
    code="opt10076",
    inputs=("종목코드", "조회구분", "매도수구분", "계좌번호", "비밀번호", "주문번호", "체결구분", "거래소구분"),
    fields=(
        "주문번호",
        "원주문번호",
        "종목코드",
        "주문상태",
        "주문구분",
        "주문수량",
        "주문가격",
        "미체결수량",
        "체결가",
        "체결량",
        "당일매매수수료",
        "당일매매세금",
        "주문시간",
    ),
)
"""체결요청."""

HOLDINGS: Final = Tr(
    code="opw00018",
    inputs=("계좌번호", "비밀번호", "비밀번호입력매체구분", "조회구분", "거래소구분"),
    fields=("종목번호", "종목명", "보유수량", "매매가능수량", "매입가"),
    single_fields=("조회건수",),
)
"""계좌평가잔고내역요청. The venue selects only the price that the shares are valued at, for they are one inventory. Its
input has two names in the sources: 거래소구분 (the guide, and ours) and 국내거래소구분 (a sample)."""

CASH: Final = Tr(
    code="opw00001",
    inputs=("계좌번호", "비밀번호", "비밀번호입력매체구분", "조회구분"),
    fields=(),
    single_fields=("예수금", "주문가능금액", "100%종목주문가능금액", "d+2추정예수금"),
)
"""예수금상세현황요청. 100%종목주문가능금액 includes the proceeds of today's sales, 주문가능금액 does not."""

VI_STATE: Final = Tr(
    code="opt10054",
    inputs=(
        "시장구분",
        "장전구분",
        "종목코드",
        "발동구분",
        "제외종목",
        "거래량구분",
        "최소거래량",
        "최대거래량",
        "거래대금구분",
        "최소거래대금",
        "최대거래대금",
        "발동방향",
        "거래소구분",
    ),
    fields=("종목코드", "VI해제시각"),
)
"""VI발동. Requesting it is also what registers the VI발동/해제 events (KIWOOM.md 3.2)."""

WATCHLIST: Final = Tr(
    code="OPTKWFID",
    inputs=(),
    fields=("종목코드", "종목명", "기준가", "상한가", "하한가"),
)
"""관심종목정보, the answer of CommKwRqData (its codes are its input)."""

ORDER_NO_FIELD: Final = "주문번호"
"""The one item read of an order's OnReceiveTrData."""

_NO_PASSWORD: Final = ""
_PASSWORD_MEDIUM: Final = "00"
_ORDERS_OF: Final = {Venue.KRX: "1", Venue.NXT: "2"}
"""거래소구분 of the order TRs. 0 (통합) would list both, but the rows need not say which is where."""


def open_orders_inputs(account: str, venue: Venue, symbol: str = "") -> Inputs:
    """Orders of both sides at `venue` that are not (wholly) filled; of one symbol, or of all if it is empty."""
    return OPEN_ORDERS.fill(account, "1" if symbol else "0", "0", symbol, "1", _ORDERS_OF[venue])


def executions_inputs(account: str, venue: Venue, symbol: str = "") -> Inputs:
    """Today's orders at `venue` with what they filled, both sides; of one symbol, or of all if it is empty.

    주문번호 stays empty: it is where the list begins (older ones follow), not a choice of one order.
    """
    return EXECUTIONS.fill(symbol, "1" if symbol else "0", "0", account, _NO_PASSWORD, "", "0", _ORDERS_OF[venue])


def holdings_inputs(account: str, valued_at: Venue) -> Inputs:
    """What the account holds, one row a symbol (조회구분 1 합산), at the prices of `valued_at`."""
    return HOLDINGS.fill(account, _NO_PASSWORD, _PASSWORD_MEDIUM, "1", valued_at.value)


def cash_inputs(account: str) -> Inputs:
    """The account's cash (조회구분 2 일반)."""
    return CASH.fill(account, _NO_PASSWORD, _PASSWORD_MEDIUM, "2")


def vi_state_inputs() -> Inputs:
    """Every symbol of both markets and venues, every kind and direction of VI."""
    both_venues = "3"
    return VI_STATE.fill("000", "0", "", "0", "000000000", "0", "", "", "0", "", "", "0", both_venues)
