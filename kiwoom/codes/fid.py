"""The FIDs that we read: numbers of fields in real-time and chejan events (KIWOOM.md 3.2, 4.1).

Plain integers, not an enum: they go straight into the control's getters, on the hot path.
"""

from typing import Final

# --- chejan gubun "0": orders and fills ------------------------------------------------------------------------------
ORDER_NO: Final = 9203
CODE: Final = 9001
BUSINESS: Final = 912
"""주문업무분류: JJ stock, FJ futures, OJ options."""
STATUS: Final = 913
QTY: Final = 900
PRICE: Final = 901
LEAVES_QTY: Final = 902
ORIG_ORDER_NO: Final = 904
ORDER_KIND: Final = 905
"""주문구분: +매수, -매도, +매수정정, -매도정정, 매수취소, 매도취소."""
HOGA_NAME: Final = 906
SIDE: Final = 907
ORDER_TIME: Final = 908
EXEC_ID: Final = 909
CUM_PRICE: Final = 910
CUM_QTY: Final = 911
"""체결량: cumulative for the order, unlike FILL_QTY."""
FILL_PRICE: Final = 914
FILL_QTY: Final = 915
REJECT_REASON: Final = 919
SCREEN_NO: Final = 920
COMMISSION: Final = 938
TAX: Final = 939
LAST_EVENT: Final = 819
""""1" on the clear event, the last one of an order that left the book unfilled or in part."""
VENUE: Final = 2134
VENUE_NAME: Final = 2135

JOURNALLED_FIDS: Final = (
    ORDER_NO,
    ORIG_ORDER_NO,
    STATUS,
    ORDER_KIND,
    HOGA_NAME,
    SIDE,
    LEAVES_QTY,
    QTY,
    PRICE,
    CUM_PRICE,
    CUM_QTY,
    FILL_PRICE,
    FILL_QTY,
    EXEC_ID,
    REJECT_REASON,
    ORDER_TIME,
    LAST_EVENT,
    CODE,
    SCREEN_NO,
    COMMISSION,
    TAX,
    VENUE,
)
"""The raw values that the journal keeps of an order report, in this order (CONTRACTS.md `fids`)."""

ORDER_FIDS: Final = (*JOURNALLED_FIDS, VENUE_NAME)
"""What is read of an order report."""

# --- chejan gubun "1": the balance of a symbol -----------------------------------------------------------------------
HELD: Final = 930
AVERAGE_PRICE: Final = 931
SELLABLE: Final = 933

BALANCE_FIDS: Final = (CODE, HELD, AVERAGE_PRICE, SELLABLE)
"""What is read, and journalled, of a balance report."""

# --- real-time -------------------------------------------------------------------------------------------------------
TRADE_PRICE: Final = 10
TRADE_TIME: Final = 20
QUOTE_TIME: Final = 21
EXPECTED_PRICE: Final = 23
EXPECTED_QTY: Final = 24
BEST_ASK: Final = 41
BEST_BID: Final = 51
BEST_ASK_SIZE: Final = 61
BEST_BID_SIZE: Final = 71
SESSION: Final = 215
SESSION_REMAINING: Final = 214
VI_KIND: Final = 9068
"""VI발동구분: "1" fired, "2" released."""
VI_RELEASED_AT: Final = 1224
REAL_VENUE: Final = 9081
"""거래소구분 of a real-time event; its values are not documented, expected as those of VENUE."""

QUOTE_FIDS: Final = (QUOTE_TIME, BEST_ASK, BEST_BID, BEST_ASK_SIZE, BEST_BID_SIZE)
"""What SetRealReg is given for a shard: any FID of a type brings the whole type (주식호가잔량). None of 주식체결, which
would bring every trade beside every quote."""

TRADE_FIDS: Final = (TRADE_TIME, TRADE_PRICE)
"""What SetRealReg is given for the heartbeat: 주식체결 alone."""

SESSION_FIDS: Final = (SESSION, TRADE_TIME, SESSION_REMAINING)
"""What SetRealReg is given for 장시작시간, with an empty code list."""

# Names of the real-time types (sRealType).
REAL_QUOTE: Final = "주식호가잔량"
REAL_TRADE: Final = "주식체결"
REAL_SESSION: Final = "장시작시간"
REAL_VI: Final = "VI발동/해제"
