"""What an answer of the broker proves about an order of ours in doubt. Pure; the rows come from opt10075 and opt10076.

An order with a number is found by it. One without can only be found by what it is: symbol, venue, side, quantity,
price, and a time not before it was sent. A number that belongs to somebody else is never taken for it. One that was
called lost is not looked for among orders that came to the broker much later than it could have.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from actors.domain.order import OrderState, TrackedOrder
from actors.domain.own_orders import agrees
from kiwoom import decode
from kiwoom.market import (
    MS,
    SECOND,
    Nanos,
    Shares,
    Side,
    Symbol,
    Venue,
    WallNanos,
    Won,
    round_down_to_tick,
    step_ticks,
    time_of_day,
)

CLOCK_TOLERANCE_S: Final = 5
"""The broker's order time has whole seconds, its clock is not ours, and ours may be set back or forward in between."""

CLOCK_DOUBT_S: Final = 60
"""A row that is earlier than our order by more than the tolerance and less than this proves nothing: it is no reason to
call the order lost."""

TURNS_UP_S: Final = 60
"""An order that was called lost and lives came to the broker so soon after it was sent. A later row like it is another
order: there is one of the same terms with nearly every pair of the day."""

LATE_ENOUGH_NS: Final = Nanos(SECOND)
"""The lists lag behind: that they do not show an order tells something only if they were asked this long after its call
returned."""

ABSENCES_FOR_PROOF: Final = 2

FILL_GRACE_NS: Final = Nanos(300 * MS)
"""A fill that a query tells of has this long to be reported in the ordinary way; then it is booked from the query."""


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One order in either list. Cancels have rows too and are left out: what they did shows in the order's own."""

    order_no: str
    symbol: Symbol
    venue: Venue
    side: Side
    qty: Shares
    price: Won
    leaves_qty: Shares
    cum_qty: Shares
    fill_px: Won
    """체결가: the average of its fills, cut to a won."""
    time: str
    """HHMMSS, as text."""
    commission_won: Won | None = None
    tax_won: Won | None = None


def listed_open(rows: decode.Rows, asked: Venue) -> tuple[OrderRow, ...]:
    """An answer of opt10075 about the venue `asked`. Raises DecodeError."""
    return tuple(
        OrderRow(
            order_no=row.order_no,
            symbol=row.symbol,
            venue=row.venue or asked,
            side=row.side,
            qty=row.qty,
            price=row.price,
            leaves_qty=row.leaves_qty,
            cum_qty=row.cum_qty,
            fill_px=row.fill_px,
            time=row.order_time.replace(":", ""),
        )
        for row in decode.open_orders(rows)
        if row.side is not None and not row.is_cancel
    )


def listed_fills(rows: decode.Rows, asked: Venue) -> tuple[OrderRow, ...]:
    """An answer of opt10076 about the venue `asked`. Raises DecodeError."""
    return tuple(
        OrderRow(
            order_no=row.order_no,
            symbol=row.symbol,
            venue=asked,
            side=row.side,
            qty=row.qty,
            price=row.price,
            leaves_qty=row.leaves_qty,
            cum_qty=row.fill_qty,
            fill_px=row.fill_px,
            time=row.order_time.replace(":", ""),
            commission_won=row.commission_won,
            tax_won=row.tax_won,
        )
        for row in decode.executions(rows)
        if row.side is not None and not row.is_cancel
    )


class Proof(Enum):
    RESTING = "resting"
    OVER = "over"
    ABSENT = "absent"
    """Neither answer shows it, and it was never seen at the exchange."""
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Evidence:
    proof: Proof
    order_no: str
    cum_qty: Shares
    fill_px: Won
    """Of all of its fills: the broker's 체결가, their average cut to a won."""
    commission_won: Won | None = None
    tax_won: Won | None = None
    """Of `cum_qty` shares of it."""


def evidence(
    order: TrackedOrder,
    open_rows: tuple[OrderRow, ...],
    fill_rows: tuple[OrderRow, ...],
    *,
    is_taken: Callable[[str], bool],
    asked: Nanos,
) -> Evidence:
    """`open_rows`: opt10075, asked first. `fill_rows`: opt10076, asked next. `is_taken`: the number is another's."""
    order_no = order.order_no
    if not order_no:
        rows = (*open_rows, *fill_rows)
        numbers = numbers_like(order, rows, is_taken)
        if len(numbers) != 1:
            is_absent = not numbers_like(order, rows, is_taken, CLOCK_DOUBT_S)
            return Evidence(Proof.ABSENT if is_absent else Proof.UNCLEAR, "", order.cum_qty, Won(0))
        order_no = numbers[0]
    rests = _of_number(order, order_no, open_rows)
    filled = _of_number(order, order_no, fill_rows)
    # opt10076 gives one row an order with the cumulative quantity; should it give one a fill, the largest is a floor.
    cum_qty = Shares(max((row.cum_qty for row in (*rests, *filled)), default=order.cum_qty))
    fill_px = Won(max((row.fill_px for row in (*filled, *rests) if row.cum_qty == cum_qty), default=0))
    costs = next(((row.commission_won, row.tax_won) for row in filled if row.cum_qty == cum_qty), (None, None))
    return Evidence(_proof(order, rests, filled, cum_qty, asked), order_no, cum_qty, fill_px, *costs)


def unseen_fills(order: TrackedOrder, proved: Evidence) -> tuple[tuple[Shares, Won], ...]:
    """(quantity, price) of what the broker's lists know to have filled and we have not seen; the cheaper first.

    The average leaves the amount open by less than a won a share, but every price lies on a tick, so that only one
    amount is possible as long as a tick is worth more; then two neighbouring prices make it up. Without such an amount
    (a mid-price order) the average stands for all.
    """
    unseen = proved.cum_qty - order.cum_qty
    seen_won = sum(fill.fill_qty * fill.fill_px for fill in order.fills)
    least = proved.fill_px * proved.cum_qty - seen_won
    most = least + proved.cum_qty - 1
    price = round_down_to_tick(least // unseen) if least >= unseen else 0
    if price > 0:
        dearer_price = step_ticks(price, 1)
        tick = dearer_price - price
        dearer = -(-max(0, least - price * unseen) // tick)
        if price * unseen + tick * dearer <= most:
            parts = ((Shares(unseen - dearer), Won(price)), (Shares(dearer), Won(dearer_price)))
            return tuple(part for part in parts if part[0])
    return ((Shares(unseen), proved.fill_px),)


def _proof(
    order: TrackedOrder,
    rests: tuple[OrderRow, ...],
    filled: tuple[OrderRow, ...],
    cum_qty: Shares,
    asked: Nanos,
) -> Proof:
    if cum_qty >= order.command.qty:
        return Proof.OVER
    if any(row.leaves_qty > 0 for row in rests):
        return Proof.RESTING
    if filled:
        # It reached the broker. A remainder may rest, unless the list of open orders must show it and does not.
        was_listed = _was_in_book(order, asked) and is_late_enough(order, asked)
        remains = any(row.leaves_qty > 0 for row in filled) and not was_listed
        return Proof.UNCLEAR if remains else Proof.OVER
    if _was_in_book(order, asked):
        # Neither list has it: it left the book unfilled, or what it filled is not listed yet.
        return Proof.OVER if is_late_enough(order, asked) else Proof.UNCLEAR
    return Proof.ABSENT


def is_late_enough(order: TrackedOrder, asked: Nanos) -> bool:
    """Would the lists asked for at `asked` show it? An order that turned up after it was called over came to the broker
    no earlier than its number to us."""
    since = order.numbered if order.is_revived else order.returned
    return asked >= since + LATE_ENOUGH_NS


def _was_in_book(order: TrackedOrder, asked: Nanos) -> bool:
    return order.state is OrderState.WORKING and order.numbered < asked


def _of_number(order: TrackedOrder, order_no: str, rows: tuple[OrderRow, ...]) -> tuple[OrderRow, ...]:
    return tuple(row for row in rows if (row.order_no, row.symbol, row.venue) == (order_no, order.symbol, order.venue))


def numbers_like(
    order: TrackedOrder,
    rows: tuple[OrderRow, ...],
    is_taken: Callable[[str], bool],
    tolerance_s: int = CLOCK_TOLERANCE_S,
) -> tuple[str, ...]:
    """The numbers, each once, of orders that could be this one, which has none yet."""
    found: dict[str, None] = {}
    for row in rows:
        if (
            (row.symbol, row.venue) == (order.symbol, order.venue)
            and agrees(order, side=row.side, qty=row.qty, price=row.price)
            and not is_taken(row.order_no)
            and not _is_before(row.time, order.attempted_wall, tolerance_s)
            and not (order.is_over and _is_after(row.time, order.attempted_wall, TURNS_UP_S))
        ):
            found[row.order_no] = None
    return tuple(found)


def _is_before(hhmmss: str, wall: WallNanos, tolerance_s: int) -> bool:
    seconds = _seconds(hhmmss)
    return seconds is not None and seconds + tolerance_s < time_of_day(wall) // SECOND


def _is_after(hhmmss: str, wall: WallNanos, tolerance_s: int) -> bool:
    seconds = _seconds(hhmmss)
    return seconds is not None and seconds - tolerance_s > time_of_day(wall) // SECOND


def _seconds(hhmmss: str) -> int | None:
    """Since midnight. A row without a readable time is not ruled out by it."""
    if len(hhmmss) < 6 or not hhmmss[:6].isdigit():
        return None
    return int(hhmmss[:2]) * 3_600 + int(hhmmss[2:4]) * 60 + int(hhmmss[4:6])
