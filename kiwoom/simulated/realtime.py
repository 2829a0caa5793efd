"""Real-time data of the simulated broker: the raw strings that the control is given.

Assumptions (KIWOOM.md 3):
- A code is "005930" (KRX) or "005930_NX" (NXT): two streams.
- Prices carry "+" or "-" against the base price, none where equal; the sign of FID 15 is who initiated.
- Values come in the documented order up to the last that this control offers; the tail is left out.
"""

from typing import Final

from kiwoom.simulated.events import Book
from kiwoom.simulated.rules import KRX, NXT

BOOK_TYPE: Final = "주식호가잔량"
TRADE_TYPE: Final = "주식체결"
SESSION_TYPE: Final = "장시작시간"
VI_TYPE: Final = "VI발동/해제"

SESSION_CODE: Final = "09"
"""The code under which 장시작시간 comes, whatever was registered."""

_LEVELS: Final = range(1, 11)
_BOOK_FIDS: Final = (
    21,
    *(fid + level for level in _LEVELS for fid in (40, 60, 80, 50, 70, 90)),
    *(121, 122, 125, 126, 23, 24, 128, 129, 138, 139, 13, 215),
)
_TRADE_FIDS: Final = (20, 10, 11, 12, 27, 28, 15, 13, 14, 16, 17, 18, 25, 26, 29, 30, 31, 32, 228, 311, 290, 9081)
_SESSION_FIDS: Final = (215, 20, 214)
_VI_FIDS: Final = (
    *(9001, 302, 13, 14, 9068, 9008, 9075, 1221, 1223, 1224, 1225),
    *(1236, 1237, 1238, 1239, 1489, 1490, 9069),
)

FIDS_OF: Final = {
    BOOK_TYPE: _BOOK_FIDS,
    TRADE_TYPE: _TRADE_FIDS,
    SESSION_TYPE: _SESSION_FIDS,
    VI_TYPE: _VI_FIDS,
}
"""The FIDs of each real-time type, in the order of its raw string."""


def venue_code(venue: str, symbol: str) -> str:
    return symbol if venue == KRX else symbol + "_NX"


def signed(price: int, base_price: int) -> str:
    """A price as the control colours it: "+77600", "-76900", "77500"; "0" where there is none."""
    if price > base_price:
        return f"+{price}"
    return f"-{price}" if 0 < price < base_price else str(price)


def change(price: int, base_price: int) -> str:
    """전일대비 with its sign; a leading blank at 0, as in the logs."""
    difference = price - base_price
    return f"{difference:+d}" if difference else " 0"


def change_rate(price: int, base_price: int) -> str:
    """등락율 in percent with two decimals."""
    hundredths = abs(price - base_price) * 10_000 // base_price
    sign = "+" if price > base_price else "-" if price < base_price else " "
    return f"{sign}{hundredths // 100}.{hundredths % 100:02}"


def change_sign(price: int, base_price: int, limits: tuple[int, int]) -> str:
    """FID 25: 1 상한 2 상승 3 보합 4 하한 5 하락."""
    lower, upper = limits
    if price == upper:
        return "1"
    if price == lower:
        return "4"
    return "2" if price > base_price else "5" if price < base_price else "3"


class Tape:
    """What one stream (a symbol on a venue) has shown today: its prints, and the book as last sent."""

    __slots__ = ("base_price", "high", "last", "low", "open", "sent_book", "value", "volume")

    def __init__(self, base_price: int) -> None:
        self.base_price = base_price
        self.open = self.high = self.low = self.volume = self.value = 0
        self.last = base_price
        self.sent_book: Book | None = None

    def print(self, price: int, qty: int) -> None:
        self.open = self.open or price
        self.high = max(self.high, price)
        self.low = min(self.low or price, price)
        self.last = price
        self.volume += qty
        self.value += price * qty


_EMPTY_LEVEL: Final = (0, 0)


def _ten(levels: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return levels if len(levels) == 10 else levels + [_EMPTY_LEVEL] * (10 - len(levels))


def book_raw(book: Book, tape: Tape, time: str, session: str) -> str:
    """주식호가잔량. A level's difference (81.., 91..) is against the book sent before."""
    base_price = tape.base_price
    before = tape.sent_book
    old_asks, old_bids = (before.asks, before.bids) if before else ([], [])
    values = [time]
    for (price, size), (_, old_size), (bid, bid_size), (_, old_bid_size) in zip(
        _ten(book.asks), _ten(old_asks), _ten(book.bids), _ten(old_bids), strict=True
    ):
        mark = "+" if price > base_price else "-" if 0 < price < base_price else ""
        plus = "+" if size > old_size else ""
        bid_mark = "+" if bid > base_price else "-" if 0 < bid < base_price else ""
        bid_plus = "+" if bid_size > old_bid_size else ""
        values.append(
            f"{mark}{price}\t{size}\t{plus}{size - old_size}"
            f"\t{bid_mark}{bid}\t{bid_size}\t{bid_plus}{bid_size - old_bid_size}"
        )
    old_ask_total, old_bid_total = (before.ask_total, before.bid_total) if before else (0, 0)
    net = book.bid_total - book.ask_total
    values.append(
        f"{book.ask_total}\t{book.ask_total - old_ask_total}\t{book.bid_total}\t{book.bid_total - old_bid_total}"
        f"\t{signed(book.expected_price, base_price)}\t{book.expected_qty}"
        f"\t{net:+d}\t0.00\t{-net:+d}\t0.00\t{tape.volume}\t{session}"
    )
    return "\t".join(values)


def trade_raw(
    *, tape: Tape, price: int, qty: int, buyer_initiated: bool, touch: tuple[int, int], limits: tuple[int, int],
    time: str, venue: str,
) -> str:  # fmt: skip
    """주식체결; `touch` is (best ask, best bid). `tape` has the print already."""
    base_price = tape.base_price
    ask, bid = touch
    values = (
        time,
        signed(price, base_price),
        change(price, base_price),
        change_rate(price, base_price),
        signed(ask, base_price),
        signed(bid, base_price),
        f"{'+' if buyer_initiated else '-'}{qty}",
        str(tape.volume),
        str(tape.value // 1_000_000),
        signed(tape.open, base_price),
        signed(tape.high, base_price),
        signed(tape.low, base_price),
        change_sign(price, base_price, limits),
        *("0", "0", "0.00", "0.00", "0", "100.00", "0", "2"),
        venue_selector(venue),
    )
    return "\t".join(values)


def vi_raw(*, symbol: str, name: str, tape: Tape, started: bool, time: str) -> str:
    """VI발동/해제: 9068 is "1" when it starts and "2" when it ends."""
    price = str(tape.last)
    values = (
        *(symbol, name, str(tape.volume), str(tape.value // 1_000_000), "1" if started else "2", "101", "0"),
        *(price, time, "000000" if started else time, "동적"),
        *(price, "0", "0.00", "0.00", "0", "1", "0"),
    )
    return "\t".join(values)


def venue_selector(venue: str) -> str:
    """거래소구분 as 2134, 9081 and the account TRs write it: 1 KRX, 2 NXT."""
    return {KRX: "1", NXT: "2"}[venue]
