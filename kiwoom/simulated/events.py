"""What the simulated market tells the simulated broker: plain values, in the order in which they happened.

`wall` is always the market's clock: nanoseconds since the Unix epoch. Venues are "KRX" and "NXT", sides "BUY" and
"SELL"; prices are whole won, quantities whole shares. `order_no` is whatever the broker submitted the order under.
"""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class BookChanged:
    """The ten visible levels of one book are no longer what they were. Read them with `SimulatedMarket.book`."""

    wall: int
    venue: str
    symbol: str


@dataclass(frozen=True, slots=True)
class TradePrinted:
    """Shares changed hands: one print per price level that one incoming order took from."""

    wall: int
    venue: str
    symbol: str
    price: int
    qty: int
    buyer_initiated: bool
    """False also for the single price of a call auction, which neither side initiated."""


@dataclass(frozen=True, slots=True)
class OwnAccepted:
    """The exchange took the order. Its fills and its end, if at once, follow in the same answer."""

    wall: int
    order_no: str


@dataclass(frozen=True, slots=True)
class OwnFilled:
    """One execution of our order. `exec_id` is unique per venue and day; `leaves` is what then remains open."""

    wall: int
    order_no: str
    exec_id: str
    price: int
    qty: int
    leaves: int


@dataclass(frozen=True, slots=True)
class OwnReduced:
    """A cancel of a part took effect: `canceled` shares left the book, `leaves` stay, with their place in the queue."""

    wall: int
    order_no: str
    canceled: int
    leaves: int


@dataclass(frozen=True, slots=True)
class OwnEnded:
    """Our order has left the book: exactly once for every accepted order, always its last event."""

    wall: int
    order_no: str
    unfilled: int
    """Shares released by the end itself; those of an earlier `OwnReduced` are not counted again."""
    why: str
    """"filled" (unfilled is 0), "ioc" (remainder of an IOC, or a FOK that could not fill), "canceled", "venue"."""


@dataclass(frozen=True, slots=True)
class OwnRejected:
    """The exchange refused the order; nothing of it ever stood in the book."""

    wall: int
    order_no: str
    reason_text: str


@dataclass(frozen=True, slots=True)
class CancelImpossible:
    """Nothing to cancel: the order is unknown on that venue, or has ended, or the venue takes no cancel now."""

    wall: int
    order_no: str


@dataclass(frozen=True, slots=True)
class SessionSignal:
    """장운영구분: FID 215 `code`, FID 20 `time` "HHMMSS", FID 214 `remaining` "HHMMSS"."""

    wall: int
    code: str
    time: str
    remaining: str


@dataclass(frozen=True, slots=True)
class ViStarted:
    wall: int
    venue: str
    symbol: str


@dataclass(frozen=True, slots=True)
class ViEnded:
    wall: int
    venue: str
    symbol: str


@dataclass(frozen=True, slots=True)
class Halted:
    wall: int
    venue: str
    symbol: str


@dataclass(frozen=True, slots=True)
class Resumed:
    wall: int
    venue: str
    symbol: str


MarketEvent = (
    BookChanged
    | TradePrinted
    | OwnAccepted
    | OwnFilled
    | OwnReduced
    | OwnEnded
    | OwnRejected
    | CancelImpossible
    | SessionSignal
    | ViStarted
    | ViEnded
    | Halted
    | Resumed
)


class Book(NamedTuple):
    """The visible side of one book: at most ten levels a side, best first, and the sizes of the whole side.

    Empty while the venue is closed. In a call auction (`auction`) the levels stand as entered and may cross;
    `expected_price` and `expected_qty` are what the auction would give now, 0 if nothing would match.
    """

    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]
    bid_total: int
    ask_total: int
    auction: bool = False
    expected_price: int = 0
    expected_qty: int = 0
