"""sHogaGb of SendOrder: how an order wants to trade (KIWOOM.md 2).

Per venue the table is derived from another broker's official one; "no plain market order on NXT" is Kiwoom's own word.
30 and 31 (mid-point IOC and FOK) are known of the REST interface only and are left out. Kiwoom's codes for the KRX
after-market and for NXT's good-till-pre-market orders (both since 2026-09-14) are not known.
"""

from enum import Enum
from typing import Final

from kiwoom.market import Venue


class Hoga(Enum):
    """The value is the code as SendOrder takes it."""

    LIMIT = "00"
    MARKET = "03"
    CONDITIONAL_LIMIT = "05"
    BEST_LIMIT = "06"
    """최유리지정가: takes the opposite best price; what remains rests there."""
    TOP_PRIORITY = "07"
    """최우선지정가: joins the own side's best price."""
    LIMIT_IOC = "10"
    MARKET_IOC = "13"
    BEST_IOC = "16"
    LIMIT_FOK = "20"
    MARKET_FOK = "23"
    BEST_FOK = "26"
    STOP_LIMIT = "28"
    """Needs a stop price, which SendOrder cannot carry: only KOA_Functions("SendOrder_Ex") can."""
    MID = "29"
    """중간가: pegged to the middle of best bid and ask, hidden from the book."""
    BEFORE_HOURS = "61"
    SINGLE_PRICE = "62"
    """시간외단일가: abolished 2026-09-14; whether it takes a price is contradicted in the guide itself."""
    AFTER_HOURS = "81"


_PRICED: Final = frozenset({Hoga.LIMIT, Hoga.CONDITIONAL_LIMIT, Hoga.LIMIT_IOC, Hoga.LIMIT_FOK, Hoga.STOP_LIMIT})
_KRX_ONLY: Final = frozenset(
    {Hoga.MARKET, Hoga.CONDITIONAL_LIMIT, Hoga.BEFORE_HOURS, Hoga.SINGLE_PRICE, Hoga.AFTER_HOURS}
)
_MOCK_SERVER: Final = frozenset({Hoga.LIMIT, Hoga.MARKET})
_REMAINDER_CANCELLED: Final = frozenset(
    {Hoga.LIMIT_IOC, Hoga.MARKET_IOC, Hoga.BEST_IOC, Hoga.LIMIT_FOK, Hoga.MARKET_FOK, Hoga.BEST_FOK}
)

_OF_STYLE: Final = {
    "LIMIT": Hoga.LIMIT,
    "LIMIT_IOC": Hoga.LIMIT_IOC,
    "MARKET_IOC": Hoga.MARKET_IOC,
    "MID": Hoga.MID,
}


def hoga_of_style(style_name: str) -> Hoga:
    """The hoga of an order style, by the style's name: LIMIT, LIMIT_IOC, MARKET_IOC or MID."""
    return _OF_STYLE[style_name]


def needs_price(hoga: Hoga) -> bool:
    """True: nPrice must be a price. False: nPrice must be 0 (the order may execute up to the day's limit)."""
    return hoga in _PRICED


def is_taken_by(hoga: Hoga, venue: Venue) -> bool:
    """True if the venue knows this kind of order at any time of the day."""
    return venue is Venue.KRX or hoga not in _KRX_ONLY


def is_taken_by_mock_server(hoga: Hoga) -> bool:
    """Kiwoom's mock server takes plain limit and market orders only, on KRX only."""
    return hoga in _MOCK_SERVER


def never_rests(hoga: Hoga) -> bool:
    """True for IOC and FOK: what does not trade at once is cancelled by the exchange."""
    return hoga in _REMAINDER_CANCELLED
