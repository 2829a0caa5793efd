"""The vocabulary of the market: venues, sides, money, time, tick sizes.

Money is whole won, quantity whole shares, time whole nanoseconds. No float anywhere.
Sources: KIWOOM.md 7.1 (tick sizes since 2023-01-25, identical on KRX and NXT), 7.2 (limits, lot of one share).
"""

from enum import Enum
from typing import Final, NamedTuple, NewType

Nanos = NewType("Nanos", int)
"""Nanoseconds: a stamp of the machine-wide monotonic clock, or a duration."""

WallNanos = NewType("WallNanos", int)
"""Nanoseconds since the Unix epoch (UTC) on the market's clock."""

Won = NewType("Won", int)
Shares = NewType("Shares", int)
Symbol = NewType("Symbol", str)
"""The plain 6-digit code of a company, the same on both venues."""

MS: Final = 1_000_000
SECOND: Final = 1_000_000_000
KST_OFFSET: Final = 9 * 3_600 * SECOND
DAY: Final = 24 * 3_600 * SECOND


class Now(NamedTuple):
    """The time a core is given: `mono` for deadlines and latencies, `wall` for trading phases and records."""

    mono: Nanos
    wall: WallNanos


class Venue(Enum):
    KRX = "KRX"
    NXT = "NXT"

    @property
    def other(self) -> "Venue":
        return Venue.NXT if self is Venue.KRX else Venue.KRX


class Side(Enum):
    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY


class Market(Enum):
    """Where a share is listed; decides its sales tax."""

    KOSPI = "KOSPI"
    KOSDAQ = "KOSDAQ"


VENUES: Final = (Venue.KRX, Venue.NXT)
VENUE_INDEX: Final = {Venue.KRX: 0, Venue.NXT: 1}
"""The venue's number in packed records."""

_TICKS: Final = (
    (2_000, 1),
    (5_000, 5),
    (20_000, 10),
    (50_000, 50),
    (200_000, 100),
    (500_000, 500),
)


def tick_size(price: int) -> int:
    """The price step in won at `price` (won, > 0). At a band's edge the upper band's step holds."""
    for below, tick in _TICKS:
        if price < below:
            return tick
    return 1_000


def is_on_tick(price: int) -> bool:
    return price > 0 and price % tick_size(price) == 0


def round_down_to_tick(price: int) -> int:
    """The highest valid price not above `price` (won, >= 1)."""
    return price - price % tick_size(price)


def round_up_to_tick(price: int) -> int:
    """The lowest valid price not below `price` (won, >= 1)."""
    tick = tick_size(price)
    return -(-price // tick) * tick


def step_ticks(price: int, ticks: int) -> int:
    """`price` (on a tick) moved by `ticks` valid steps (negative = down), never below one won.

    Crossing a band's edge uses the step of the band on the far side, so the result is always on a tick.
    """
    for _ in range(abs(ticks)):
        if ticks > 0:
            price += tick_size(price)
        else:
            price = max(1, price - tick_size(price - 1))
    return price


def time_of_day(wall: int) -> int:
    """Nanoseconds since midnight in Seoul (UTC+9, no daylight saving)."""
    return (wall + KST_OFFSET) % DAY


def midnight(wall: int) -> int:
    """The epoch nanoseconds of the Seoul midnight that begins the day of `wall`."""
    return wall - time_of_day(wall)
