"""Why the Gateway refuses to forward an order: a table of small named checks, in the order of RefusalReason.

Each check says in words what is wrong, or "". They run when a command comes and again when a held one may leave.
The repeated client order id (DUPLICATE) is looked at before, where the first one's answer is known.
"""

from collections.abc import Callable
from dataclasses import dataclass

from actors.domain.order import IOC_STYLES, PRICELESS_STYLES
from actors.messages.orders import OrderKind, OrderStyle, PlaceOrder, RefusalReason
from kiwoom.market import Nanos, Shares, Side, Venue, Won, is_on_tick


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the checks look at, gathered for one order. A text is "" where all is well."""

    mono: Nanos
    disconnected: str
    session_off: str
    venue_closed: str
    halted: str
    halted_somewhere: str
    """On one of the venues, it is not known on which: no entry, but a hedge may try."""
    observe_only: bool
    known_symbol: bool
    limits: tuple[Won, Won] | None
    """Lower, upper; None = not read from the broker."""
    free_to_sell: Shares
    opposing_order: str
    """The cl_ord_id of a live order of ours that this one could trade with."""
    unnumbered_order: str
    """The cl_ord_id of the order of the same symbol, venue and side whose number is not known yet."""


Check = Callable[[PlaceOrder, Circumstances], str]


def first_refusal(order: PlaceOrder, seen: Circumstances) -> tuple[RefusalReason, str] | None:
    """The first failing check and its words, or None: the order may leave."""
    for reason, check in PLACE_CHECKS:
        text = check(order, seen)
        if text:
            return reason, text
    return None


def _disconnected(_: PlaceOrder, seen: Circumstances) -> str:
    return seen.disconnected


def _session_off(order: PlaceOrder, seen: Circumstances) -> str:
    return seen.session_off if order.kind is OrderKind.ENTRY else ""


def _venue_closed(_: PlaceOrder, seen: Circumstances) -> str:
    return seen.venue_closed


def _halted(order: PlaceOrder, seen: Circumstances) -> str:
    return seen.halted or (seen.halted_somewhere if order.kind is OrderKind.ENTRY else "")


def _no_grant(order: PlaceOrder, _: Circumstances) -> str:
    if order.kind is OrderKind.ENTRY and (order.grant_id is None or order.expires is None):
        return "an entry needs the Throttler's grant"
    return ""


def _grant_expired(order: PlaceOrder, seen: Circumstances) -> str:
    if order.kind is OrderKind.ENTRY and order.expires is not None and seen.mono >= order.expires:
        return "the grant ran out before the order could leave"
    return ""


def _bad_code(order: PlaceOrder, seen: Circumstances) -> str:
    code = order.symbol
    if not (len(code) == 6 and code.isascii() and code.isdigit()):
        return f"{code!r} is not a plain 6-digit code"
    return "" if seen.known_symbol else f"{code} is not in this run's universe"


def _bad_type(order: PlaceOrder, _: Circumstances) -> str:
    if order.style is OrderStyle.MID and order.venue is not Venue.NXT:  # SPEC 7: the mid-price is NXT's
        return f"{order.venue.value} takes no {order.style.value} order"
    if order.kind is OrderKind.ENTRY and order.style not in IOC_STYLES:
        return f"an entry takes (IOC), it does not post: {order.style.value}"
    return ""


def _bad_price(order: PlaceOrder, seen: Circumstances) -> str:
    if order.style in PRICELESS_STYLES:
        return f"a {order.style.value} order has price 0, not {order.price}" if order.price != 0 else ""
    if not is_on_tick(order.price):
        return f"{order.price} is not on a valid tick"
    if seen.limits is None:
        return "the day's price limits are not known"
    lower, upper = seen.limits
    return "" if lower <= order.price <= upper else f"{order.price} is outside the day's limits {lower}-{upper}"


def _bad_qty(order: PlaceOrder, _: Circumstances) -> str:
    return "" if order.qty >= 1 else f"quantity {order.qty}"


def _uncovered_sale(order: PlaceOrder, seen: Circumstances) -> str:
    if order.side is Side.SELL and order.qty > seen.free_to_sell:
        return f"only {seen.free_to_sell} shares are free to sell, not {order.qty}"
    return ""


def _self_trade(_: PlaceOrder, seen: Circumstances) -> str:
    return f"it could trade with our own {seen.opposing_order}" if seen.opposing_order else ""


def _unnumbered_before(order: PlaceOrder, seen: Circumstances) -> str:
    """A hedge waits instead: it must get out in the end."""
    if order.kind is OrderKind.ENTRY and seen.unnumbered_order:
        return f"{seen.unnumbered_order} of the same symbol, venue and side has no number yet"
    return ""


def _observe_only(_: PlaceOrder, seen: Circumstances) -> str:
    return "observe mode sends no order" if seen.observe_only else ""


PLACE_CHECKS: tuple[tuple[RefusalReason, Check], ...] = (
    (RefusalReason.DISCONNECTED, _disconnected),
    (RefusalReason.SESSION_OFF, _session_off),
    (RefusalReason.VENUE_CLOSED, _venue_closed),
    (RefusalReason.HALTED, _halted),
    (RefusalReason.NO_GRANT, _no_grant),
    (RefusalReason.GRANT_EXPIRED, _grant_expired),
    (RefusalReason.BAD_CODE, _bad_code),
    (RefusalReason.BAD_TYPE, _bad_type),
    (RefusalReason.BAD_PRICE, _bad_price),
    (RefusalReason.BAD_QTY, _bad_qty),
    (RefusalReason.UNCOVERED_SALE, _uncovered_sale),
    (RefusalReason.SELF_TRADE, _self_trade),
    (RefusalReason.UNNUMBERED_BEFORE, _unnumbered_before),
    (RefusalReason.OBSERVE_ONLY, _observe_only),
)
