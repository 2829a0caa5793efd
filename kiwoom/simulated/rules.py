"""The simulated broker's own market rules: ticks, price limits, the day's timetable, which order kinds a venue takes.

Written a second time on purpose: an audit of the trading side by the broker proves nothing if both read one table.
Sources: KIWOOM.md 2 (order kinds), 3.2 (FID 215), 7.1 (ticks), 7.2 (limits), 7.3 (hours). Wall times are nanoseconds
since the Unix epoch; Seoul is UTC+9 all year. Left out: the KRX after-market (its codes are not known, 7.4) and the
KRX off-hours sessions, of which only the signals are sent.
"""

from typing import Final, NamedTuple

KRX: Final = "KRX"
NXT: Final = "NXT"
VENUES: Final = (KRX, NXT)
BUY: Final = "BUY"
SELL: Final = "SELL"

CLOSED: Final = "closed"
CONTINUOUS: Final = "continuous"
AUCTION: Final = "auction"

MILLISECOND: Final = 1_000_000
SECOND: Final = 1_000_000_000
DAY: Final = 86_400 * SECOND
_SEOUL: Final = 9 * 3_600 * SECOND

# --- prices ---------------------------------------------------------------------------------------------------------

_BANDS: Final = ((500_000, 1_000), (200_000, 500), (50_000, 100), (20_000, 50), (5_000, 10), (2_000, 5), (1, 1))
"""(from this price on, the step), the highest band first."""


def tick(price: int) -> int:
    """The price step in won that holds at `price` (>= 1)."""
    for start, step in _BANDS:
        if price >= start:
            return step
    raise AssertionError(f"not a price: {price}")


def valid_price(price: int) -> bool:
    return price >= 1 and price % tick(price) == 0


def floor_tick(price: int) -> int:
    """The highest valid price not above `price` (>= 1)."""
    return price // tick(price) * tick(price)


def ceil_tick(price: int) -> int:
    """The lowest valid price not below `price` (>= 1)."""
    below = floor_tick(price)
    return below if below == price else below + tick(below)


def price_limits(base_price: int) -> tuple[int, int]:
    """(lower, upper): 30 % around the base price, the lower rounded up and the upper down to a tick."""
    assert base_price >= 10
    return ceil_tick(-(-base_price * 7 // 10)), floor_tick(base_price * 13 // 10)


def price_grid(base_price: int) -> list[int]:
    """Every price the day allows, ascending."""
    lower, upper = price_limits(base_price)
    prices = []
    price = lower
    while price <= upper:
        prices.append(price)
        price += tick(price)
    return prices


# --- order kinds ----------------------------------------------------------------------------------------------------


class HogaRule(NamedTuple):
    """How a 호가구분 is priced and what becomes of a remainder."""

    pricing: str
    """"limit" (price required); or without a price "market", "best" (opposite touch), "join" (own touch), "mid"."""
    remainder: str
    """"rests", "ioc" (cancelled at once) or "fok" (all or nothing)."""
    venues: tuple[str, ...]


HOGA: Final = {
    "00": HogaRule("limit", "rests", VENUES),
    "03": HogaRule("market", "rests", (KRX,)),
    "06": HogaRule("best", "rests", VENUES),
    "07": HogaRule("join", "rests", VENUES),
    "10": HogaRule("limit", "ioc", VENUES),
    "13": HogaRule("market", "ioc", VENUES),
    "16": HogaRule("best", "ioc", VENUES),
    "20": HogaRule("limit", "fok", VENUES),
    "23": HogaRule("market", "fok", VENUES),
    "26": HogaRule("best", "fok", VENUES),
    "29": HogaRule("mid", "rests", VENUES),
}
"""The order kinds of the main sessions. 05, 28, 61, 62 and 81 exist at Kiwoom and are refused by this market."""

AUCTION_PRICINGS: Final = ("limit", "market")
"""What a call auction takes; it takes no IOC, FOK, best-limit or mid-point order."""

# --- the day --------------------------------------------------------------------------------------------------------


class Appointment(NamedTuple):
    """One line of a venue's timetable."""

    at: int
    """Nanoseconds after the Seoul midnight."""
    venue: str
    phase: str
    """The venue's phase from then on."""
    code: str
    """The FID 215 value sent at that time; "" = nothing is sent."""
    remaining: str
    """FID 214, HHMMSS until what the signal announces."""
    last: bool = False
    """The venue's day ends: whatever still rests is released."""


def _clock(text: str) -> int:
    hours, minutes, seconds = (int(part) for part in text.split(":"))
    return (hours * 3_600 + minutes * 60 + seconds) * SECOND


def _appoint(time: str, venue: str, phase: str, code: str = "", remaining: str = "000000") -> Appointment:
    return Appointment(_clock(time), venue, phase, code, remaining, last=code in ("4", "V"))


TIMETABLE: Final = (
    _appoint("08:00:00", NXT, CONTINUOUS, "P"),
    _appoint("08:30:00", KRX, AUCTION),
    _appoint("08:40:00", KRX, AUCTION, "0", "002000"),
    _appoint("08:50:00", KRX, AUCTION, "0", "001000"),
    _appoint("08:50:00", NXT, CLOSED, "Q"),
    _appoint("08:55:00", KRX, AUCTION, "0", "000500"),
    _appoint("08:59:00", KRX, AUCTION, "0", "000100"),
    _appoint("09:00:00", KRX, CONTINUOUS, "3"),
    _appoint("09:00:30", NXT, CONTINUOUS, "R"),
    _appoint("15:20:00", KRX, AUCTION, "2", "001000"),
    _appoint("15:20:00", NXT, CLOSED, "S"),
    _appoint("15:30:00", KRX, CLOSED, "4"),
    _appoint("15:30:00", KRX, CLOSED, "8"),
    _appoint("15:30:00", NXT, AUCTION, "T"),
    _appoint("15:40:00", KRX, CLOSED, "a"),
    _appoint("15:40:00", NXT, CONTINUOUS, "U"),
    _appoint("16:00:00", KRX, CLOSED, "b"),
    _appoint("18:00:00", KRX, CLOSED, "9"),
    _appoint("20:00:00", NXT, CLOSED, "V"),
)
"""In time order. What KRX counts down to is 09:00 (code 0) and 15:30 (code 2)."""


def midnight(wall: int) -> int:
    """The Seoul midnight that began the day of `wall`."""
    return wall - time_of_day(wall)


def time_of_day(wall: int) -> int:
    """Nanoseconds since the Seoul midnight."""
    return (wall + _SEOUL) % DAY


def hhmmss(wall: int) -> str:
    """The Seoul time of day as the control writes it."""
    seconds = time_of_day(wall) // SECOND
    return f"{seconds // 3_600:02}{seconds // 60 % 60:02}{seconds % 60:02}"
