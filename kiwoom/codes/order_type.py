"""nOrderType of SendOrder: what is asked (buy, sell, cancel, modify) and where, in one number (KIWOOM.md 1.4).

14, 16, 24 and 26 do not exist: SOR and NXT have one number for a cancel and one for a modify, whatever the side.
7 and 8 (program trading) are not for us.
"""

from enum import Enum
from typing import Final

from kiwoom.market import Side, Venue


class Route(Enum):
    """Where an order is sent. SOR is Kiwoom's own router, which picks the venue itself."""

    KRX = "KRX"
    NXT = "NXT"
    SOR = "SOR"


class Action(Enum):
    NEW = "new"
    CANCEL = "cancel"
    MODIFY = "modify"


ORDER_TYPES: Final = {
    (Route.KRX, Action.NEW, Side.BUY): 1,
    (Route.KRX, Action.NEW, Side.SELL): 2,
    (Route.KRX, Action.CANCEL, Side.BUY): 3,
    (Route.KRX, Action.CANCEL, Side.SELL): 4,
    (Route.KRX, Action.MODIFY, Side.BUY): 5,
    (Route.KRX, Action.MODIFY, Side.SELL): 6,
    (Route.SOR, Action.NEW, Side.BUY): 11,
    (Route.SOR, Action.NEW, Side.SELL): 12,
    (Route.SOR, Action.CANCEL, Side.BUY): 13,
    (Route.SOR, Action.CANCEL, Side.SELL): 13,
    (Route.SOR, Action.MODIFY, Side.BUY): 15,
    (Route.SOR, Action.MODIFY, Side.SELL): 15,
    (Route.NXT, Action.NEW, Side.BUY): 21,
    (Route.NXT, Action.NEW, Side.SELL): 22,
    (Route.NXT, Action.CANCEL, Side.BUY): 23,
    (Route.NXT, Action.CANCEL, Side.SELL): 23,
    (Route.NXT, Action.MODIFY, Side.BUY): 25,
    (Route.NXT, Action.MODIFY, Side.SELL): 25,
}
"""The side of a cancel or modify is that of the original order."""

_MEANINGS: Final = {number: (route, action) for (route, action, _), number in ORDER_TYPES.items()}
_DIRECT: Final = {Venue.KRX: Route.KRX, Venue.NXT: Route.NXT}


def new_order_type(venue: Venue, side: Side) -> int:
    """The number of a new order sent directly to `venue`."""
    return ORDER_TYPES[_DIRECT[venue], Action.NEW, side]


def cancel_order_type(venue: Venue, side: Side) -> int:
    """The number of a cancel at `venue` (the original order's) of an order whose side is `side`."""
    return ORDER_TYPES[_DIRECT[venue], Action.CANCEL, side]


def meaning(order_type: int) -> tuple[Route, Action] | None:
    """Where a number goes and what it asks; None if there is no such number."""
    return _MEANINGS.get(order_type)


def is_for_venue(order_type: int, venue: Venue) -> bool:
    """True if the number exists and goes directly to `venue`."""
    found = _MEANINGS.get(order_type)
    return found is not None and found[0] is _DIRECT[venue]
