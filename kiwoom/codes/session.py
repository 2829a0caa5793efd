"""FID 215 장운영구분 of 장시작시간: which phase begins on which venue (KIWOOM.md 3.2).

Not known: the values of the KRX after-market (16:00-20:00, since 2026-09-14). A value that is not here changes nothing.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from kiwoom.market import Venue


class VenuePhase(Enum):
    """What a venue is doing. Only CONTINUOUS is a time at which this machine trades."""

    CLOSED = "closed"
    BEFORE_OPEN = "before_open"
    """KRX takes orders for its opening auction."""
    PRE_MARKET = "pre_market"
    BREAK = "break"
    CONTINUOUS = "continuous"
    """KRX regular session, NXT main market."""
    CLOSING_AUCTION = "closing_auction"
    AFTER_CLOSING_PRICE = "after_closing_price"
    AFTER_SINGLE_PRICE = "after_single_price"
    AFTER_MARKET = "after_market"


@dataclass(frozen=True, slots=True)
class SessionMeaning:
    """One value of FID 215. `venue` and `phase` are None where it says nothing about the share markets."""

    code: str
    venue: Venue | None
    phase: VenuePhase | None
    korean: str
    english: str


_TABLE: Final = (
    ("0", Venue.KRX, VenuePhase.BEFORE_OPEN, "장시작전 알림", "KRX opens soon (from 08:40, with a countdown)"),
    ("3", Venue.KRX, VenuePhase.CONTINUOUS, "장시작", "KRX regular session started (09:00)"),
    ("2", Venue.KRX, VenuePhase.CLOSING_AUCTION, "장마감전 알림", "KRX closes soon (from 15:20)"),
    ("4", Venue.KRX, VenuePhase.CLOSED, "장마감", "KRX regular session ended (15:30)"),
    ("8", Venue.KRX, VenuePhase.CLOSED, "정규장 마감", "KRX regular market closed"),
    ("9", Venue.KRX, VenuePhase.CLOSED, "전체 장 마감", "all KRX markets closed"),
    ("a", Venue.KRX, VenuePhase.AFTER_CLOSING_PRICE, "장후시간외종가 시작", "KRX closing-price trading started"),
    ("b", Venue.KRX, VenuePhase.CLOSED, "장후시간외종가 종료", "KRX closing-price trading ended"),
    ("c", Venue.KRX, VenuePhase.AFTER_SINGLE_PRICE, "시간외단일가 시작", "KRX after-hours auctions started"),
    ("d", Venue.KRX, VenuePhase.CLOSED, "시간외단일가 종료", "KRX after-hours auctions ended"),
    ("P", Venue.NXT, VenuePhase.PRE_MARKET, "NXT 프리마켓 시작", "NXT pre-market started (08:00)"),
    ("Q", Venue.NXT, VenuePhase.BREAK, "NXT 프리마켓 종료", "NXT pre-market ended (08:50)"),
    ("R", Venue.NXT, VenuePhase.CONTINUOUS, "NXT 메인마켓 시작", "NXT main market started (09:00:30)"),
    ("S", Venue.NXT, VenuePhase.BREAK, "NXT 메인마켓 종료", "NXT main market ended (15:20)"),
    (
        "T",
        Venue.NXT,
        VenuePhase.CLOSING_AUCTION,
        "NXT 애프터마켓 단일가 시작",
        "NXT closing call started (15:30)",
    ),
    ("U", Venue.NXT, VenuePhase.AFTER_MARKET, "NXT 애프터마켓 시작", "NXT after-market started (15:40)"),
    ("V", Venue.NXT, VenuePhase.CLOSED, "NXT 애프터마켓 종료", "NXT after-market ended (20:00)"),
    ("e", None, None, "선옵 동시호가 종료", "derivatives: closing auction ended"),
    ("f", None, None, "선옵 조기개장 알림", "derivatives: early opening"),
    ("o", None, None, "선옵 시작", "derivatives: session started"),
    ("s", None, None, "선옵 마감전 동시호가 시작", "derivatives: closing auction started"),
)

SESSION_CODES: Final = {row[0]: SessionMeaning(*row) for row in _TABLE}

KRX_OPENED: Final = "3"
KRX_CLOSING: Final = "2"
NXT_MAIN_STARTED: Final = "R"
NXT_MAIN_ENDED: Final = "S"


def session_meaning(code: str) -> SessionMeaning | None:
    """What a value of FID 215 means; None if we do not know it."""
    return SESSION_CODES.get(code)
