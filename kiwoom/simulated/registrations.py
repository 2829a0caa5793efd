"""Who is registered for which real-time data: the screens of SetRealReg and OPT10054.

Assumptions (KIWOOM.md 3.1, 3.3, 5):
- A FID brings the whole type it belongs to: 주식호가잔량, 주식체결 or 장시작시간; VI발동/해제 needs OPT10054.
- A code on several screens gives one event; it falls silent when the last screen lets go of it.
- "_AL" and unknown codes are taken and stay silent.
- The codes for more than 100 codes and 200 screens are not documented for SetRealReg; -204 and -10 are plausible.
"""

from collections.abc import Iterable
from typing import Final

from kiwoom.simulated.realtime import BOOK_TYPE, FIDS_OF, SESSION_TYPE, TRADE_TYPE

CODES_PER_SCREEN_MAX: Final = 100
FIDS_MAX: Final = 100
SCREENS_MAX: Final = 200

SESSION_FID: Final = 215

_BRINGS_BOOK: Final = frozenset(FIDS_OF[BOOK_TYPE]) - {13, SESSION_FID}
_BRINGS_TRADE: Final = frozenset(FIDS_OF[TRADE_TYPE])
_SESSION_FIDS: Final = frozenset(FIDS_OF[SESSION_TYPE])


class Registrations:
    """What each screen asked for. At most 200 screens of 100 codes; what is beyond is turned away."""

    def __init__(self) -> None:
        self._screens: dict[str, dict[str, frozenset[str]]] = {}
        self._session_screens: set[str] = set()
        self._vi_screens: dict[str, frozenset[str]] = {}
        self._watched: dict[str, frozenset[str]] = {}

    def wants(self, code: str, real_type: str) -> bool:
        return real_type in self._watched.get(code, ())

    @property
    def wants_session(self) -> bool:
        return bool(self._session_screens)

    def wants_vi(self, venue: str) -> bool:
        return any(venue in venues for venues in self._vi_screens.values())

    def register(self, screen_no: str, codes: Iterable[str], fids: Iterable[int], add: bool) -> int:
        """SetRealReg: 0, or the error of KIWOOM.md 1.6."""
        codes, fids = list(dict.fromkeys(codes)), frozenset(fids)
        if len(codes) > CODES_PER_SCREEN_MAX:
            return -204
        if len(fids) > FIDS_MAX:
            return -206
        screen = dict(self._screens.get(screen_no, {})) if add else {}
        types = _types_of(fids)
        for code in codes:
            screen[code] = screen.get(code, frozenset()) | types
        if len(screen) > CODES_PER_SCREEN_MAX:
            return -204
        if screen_no not in self._screens and len(self._screens) >= SCREENS_MAX:
            return -10
        if not add:
            self._session_screens.discard(screen_no)
        if SESSION_FID in fids:
            self._session_screens.add(screen_no)
        self._screens[screen_no] = screen
        self._rebuild()
        return 0

    def register_vi(self, screen_no: str, venues: Iterable[str]) -> None:
        """What a request of OPT10054 leaves behind on its screen."""
        self._vi_screens[screen_no] = frozenset(venues)

    def remove(self, screen_no: str, code: str) -> None:
        """SetRealRemove: either argument may be "ALL"."""
        screens = list(self._screens) if screen_no == "ALL" else [screen_no]
        for screen in screens:
            if code == "ALL":
                self._drop(screen)
            elif screen in self._screens:
                self._screens[screen].pop(code, None)
        self._rebuild()

    def disconnect(self, screen_no: str) -> None:
        """DisconnectRealData."""
        self._drop(screen_no)
        self._rebuild()

    def _drop(self, screen_no: str) -> None:
        self._screens.pop(screen_no, None)
        self._session_screens.discard(screen_no)
        self._vi_screens.pop(screen_no, None)

    def _rebuild(self) -> None:
        watched: dict[str, frozenset[str]] = {}
        for screen in self._screens.values():
            for code, types in screen.items():
                watched[code] = watched.get(code, frozenset()) | types
        self._watched = watched


def _types_of(fids: frozenset[int]) -> frozenset[str]:
    types = []
    if fids & _BRINGS_BOOK:
        types.append(BOOK_TYPE)
    if fids & _BRINGS_TRADE and not fids <= _SESSION_FIDS:
        types.append(TRADE_TYPE)
    return frozenset(types)


def is_screen(screen_no: str) -> bool:
    """Four digits, not 0000 (KIWOOM.md 5)."""
    return len(screen_no) == 4 and screen_no.isascii() and screen_no.isdecimal() and screen_no != "0000"
