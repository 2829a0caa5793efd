"""A pair rebuilt from what the Gateway knows of it: plan, orders and fills in, PairInHand out.

Nothing of a predecessor's mind is taken over, only facts: what may still fill, what filled, and since when. Where the
facts leave open which state it was in, the more careful one is taken: nothing new goes out while something may live.
Any history that can have happened is accepted. Limits: rejections and refusals look alike here, so a hedge that met an
overload counts as an attempt; timeouts are not known any more.
A child's number is in the ids of its orders. A fill of no order (an imbalance that the Router handed over to be closed)
is not among the fills: the Gateway takes it out of `ended` and `left`, or it shows in a flatten order given for it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import accumulate

from actors.domain.pair import PairLedger, PairOrder, resumed_pair
from actors.domain.pair_in_hand import HEDGE_LEG, PairInHand, child_of
from actors.domain.pair_sums import joined_sums
from actors.messages.orders import OrderFilled, OrderKind, OrderStyle
from actors.messages.pairs import OrderStanding, PairState, RestorePair
from kiwoom.fees import CostBook
from kiwoom.market import Nanos, Now, Side

S = PairState


@dataclass(frozen=True, slots=True)
class Waits:
    """How long a manager waits for a word, in ns."""

    number_ns: Nanos
    """After the call, for the number."""
    cancel_ns: Nanos
    """After the call of a cancel, for its answer."""
    silence_ns: Nanos
    """For anything at all."""
    retry_ns: Nanos
    """After a market hedge that brought nothing."""


def restored_pair(message: RestorePair, costs: CostBook, waits: Waits, now: Now) -> PairInHand:
    """The pair where it stands now. `costs` must not have booked any of its fills yet.

    It has ended if nothing of `child` is known: only a late fill can begin it.
    """
    # A rescue is not posted first: it is late already.
    plan = replace(message.plan, hedge_ioc_only=True) if message.child else message.plan
    own = [each for each in message.orders if child_of(each.command.cl_ord_id, plan.pair_id) == message.child]
    handed_over = message.left if _was_handed_over(message, own) else 0
    ended = joined_sums(message.ended, message.carried, -1) if handed_over else message.ended
    ledger = PairLedger(plan.market, costs, ended)
    for fill in fills_in_order(message.orders):
        if not ledger.knows(fill):
            ledger.take(fill)
    pair = PairInHand(plan, ledger, flat_by=Nanos(0), generation=message.generation, rescue_no=message.child)
    pair.read_clock(now)
    pair.left = message.left - handed_over
    for standing in message.orders:
        if not _never_sent(standing):
            pair.orders[standing.command.cl_ord_id] = _order(standing, pair, waits, now)
    if message.child and not (ledger.bought or ledger.sold):
        pair.rescue_no -= 1
        pair.machine = resumed_pair(S.UNHEDGED)  # its end is told already; a late fill begins the next child
        return pair
    _recall(pair, message, own, waits)
    _distrust(pair, message.child, now)
    pair.machine = resumed_pair(_state(pair))
    if pair.over_covered:
        pair.excess = sum(order.leaves for order in pair.hedges)
    return pair


def fills_in_order(orders: Iterable[OrderStanding]) -> list[OrderFilled]:
    """As they came: by time, but never before an earlier one of the same order."""
    dated = [each for standing in orders for each in zip(_latest(standing), standing.fills, strict=True)]
    return [fill for _, fill in sorted(dated, key=lambda each: each[0])]


def _latest(standing: OrderStanding) -> Iterable[Nanos]:
    return accumulate((fill.at for fill in standing.fills), max)


def _was_handed_over(message: RestorePair, own: list[OrderStanding]) -> bool:
    """The child closes what was left, although no row says so yet: it gave a flatten order for more than its own fills
    had opened."""
    if not message.left:
        return False
    opening = Side.BUY if message.left > 0 else Side.SELL
    filled = sum(fill.fill_qty for each in message.orders for fill in each.fills if fill.side is opening)
    opened = filled - (message.ended.bought if opening is Side.BUY else message.ended.sold)
    closing = [each.command for each in own if each.command.side is opening.opposite]
    return any(command.kind is OrderKind.FLATTEN and command.qty > opened for command in closing)


def _never_sent(standing: OrderStanding) -> bool:
    """A hedge that the Gateway refused: it was no attempt, and nothing can become of it."""
    sent = standing.submitted_at is not None or standing.fills
    return standing.turned_down and not sent and standing.command.leg == HEDGE_LEG


def _order(standing: OrderStanding, pair: PairInHand, waits: Waits, now: Now) -> PairOrder:
    command, plan = standing.command, pair.plan
    order = PairOrder(command, due=None, turned_down=standing.turned_down)
    for fill in standing.fills:
        order.fill(fill.fill_qty)
    order.numbered = standing.numbered_at is not None or bool(standing.fills)
    order.submitted = order.numbered or standing.submitted_at is not None
    if standing.over:
        order.release_rest()
    if not order.leaves:
        return order
    if order.numbered:
        stamps = [*(fill.at for fill in standing.fills), standing.numbered_at]
        last = max(stamp for stamp in stamps if stamp is not None)
        order.due = Nanos(last + plan.ioc_end_ns) if order.takes else None
    elif standing.submitted_at is not None:
        order.due = Nanos(standing.submitted_at + waits.number_ns)
    else:
        # The Gateway holds it back: it may go out at any time, an entry until its grant runs out.
        until = now.mono if command.expires is None else max(now.mono, command.expires)
        order.due = Nanos(until + waits.silence_ns)
    if standing.cancel_id:
        order.cancel_id, order.cancel_submitted = standing.cancel_id, True
        order.cancel_due = Nanos((now.mono if standing.cancel_at is None else standing.cancel_at) + waits.cancel_ns)
    return order


def _recall(pair: PairInHand, message: RestorePair, own: list[OrderStanding], waits: Waits) -> None:
    """What was tried for the present exposure, and how the child came here."""
    hedges = [each for each in own if each.command.leg == HEDGE_LEG and not _never_sent(each)]
    flattens = [each for each in own if each.command.kind is OrderKind.FLATTEN]
    pair.flatten = message.flatten or bool(flattens)
    pair.flattened = any(each.fills for each in flattens)
    pair.rejects = sum(each.turned_down and each.submitted_at is not None for each in own)
    pair.closes_left = not hedges and pair.ledger.open * pair.left < 0 and abs(pair.ledger.open) <= abs(pair.left)
    pair.path = ["rescue" if message.child else "take"]
    for each in hedges:
        order = pair.orders[each.command.cl_ord_id]
        pair.walk(_STEP.get(order.command.style, "post"))
        if not order.takes and (order.cancel_id or (order.released and not order.turned_down)):
            pair.walk("cancel")
        pair.escalated |= bool(order.cancel_id) or (order.takes and not pair.plan.hedge_ioc_only)
        pair.escalated |= order.command.style is OrderStyle.MARKET_IOC
    tried = [pair.orders[each.command.cl_ord_id] for each in _of_exposure(hedges, pair.ledger.opened_at)]
    takes = [order for order in tried if order.takes]
    markets = [order for order in takes if order.command.style is OrderStyle.MARKET_IOC]
    pair.attempts = len(markets)
    pair.took = bool(takes)
    pair.post_failed = any(order.released for order in tried if not order.takes)
    pair.take_failed = bool(takes) and takes[-1].released > 0
    if markets and not markets[-1].filled and not markets[-1].leaves:
        last = next(each for each in reversed(hedges) if each.command is markets[-1].command)
        known_at = last.submitted_at if last.numbered_at is None else last.numbered_at
        if known_at is not None:
            pair.not_before = Nanos(known_at + waits.retry_ns)


_STEP = {OrderStyle.LIMIT_IOC: "ioc", OrderStyle.MARKET_IOC: "market"}


def _of_exposure(hedges: list[OrderStanding], opened_at: Nanos | None) -> list[OrderStanding]:
    """Those given since the present imbalance began; none of the over ones while flat."""
    if opened_at is None:
        return [each for each in hedges if not each.over]
    earlier = [
        index
        for index, each in enumerate(hedges)
        if each.over and each.submitted_at is not None and each.submitted_at < opened_at
    ]
    return hedges[earlier[-1] + 1 if earlier else 0 :]


def _distrust(pair: PairInHand, child: int, now: Now) -> None:
    """What must be proved before anything new: orders of earlier children, an entry that was hedged already, and
    hedges of two types at once."""
    live = pair.hedges
    mixed = len({order.takes for order in live}) > 1
    hedged = any(order.command.leg == HEDGE_LEG for order in pair.orders.values())
    for order in pair.orders.values():
        if not order.leaves or order.cancel_id is not None:
            continue
        if order.command.leg != HEDGE_LEG:
            distrusted = hedged or child > 0
        else:
            distrusted = mixed or child_of(order.command.cl_ord_id, pair.plan.pair_id) != child
        if distrusted:
            order.doubt(ask_at=now.mono)
    if any(order.cancel_id is not None for order in live):
        for order in live:
            # They were all being cancelled: the cancel of this one did not arrive. What takes ends by itself.
            if order.cancel_id is None and not order.takes and not order.doubted:
                if order.numbered:
                    order.rests = True
                else:
                    order.doubt(ask_at=now.mono)


def _state(pair: PairInHand) -> PairState:
    live = pair.hedges
    own = [
        order
        for order in pair.orders.values()
        if order.command.leg == HEDGE_LEG and child_of(order.command.cl_ord_id, pair.plan.pair_id) == pair.rescue_no
    ]
    if live and not own:
        return S.RESCUE if pair.ledger.open else S.HEDGE_IN_DOUBT
    if any(order.cancel_id is not None for order in live):
        return S.CANCEL_POST_SENT
    if any(order.doubted for order in live):
        return S.HEDGE_IN_DOUBT
    if live:
        return _state_of(live)
    if not pair.entry_over and not pair.rescue_no:
        return _state_with_entry(pair, own)
    nothing_filled = pair.ledger.bought == pair.ledger.sold == 0
    if nothing_filled and pair.entry is not None and not pair.rescue_no:
        return S.ENTRY_TAKE_SENT  # its hedge answered a fill of which no row was left
    if own and (pair.took or pair.post_failed or not pair.ledger.open or pair.entry is None):
        return _state_of(own[-1:])
    if pair.rescue_no:
        return S.RESCUE if pair.ledger.open else S.HEDGE_IN_DOUBT
    if pair.entry is None:
        return S.HEDGE_IN_DOUBT if pair.ledger.open else S.ENTRY_IN_DOUBT
    return _state_of_entry(pair)


def _state_of_entry(pair: PairInHand) -> PairState:
    """No hedge is known; one that filled all the same went out after the entry had come into doubt."""
    return S.ENTRY_IN_DOUBT if pair.ledger.bought and pair.ledger.sold else S.ENTRY_TAKE_SENT


def _state_with_entry(pair: PairInHand, own: list[PairOrder]) -> PairState:
    """Nothing of the hedges lives, but the entry may still fill."""
    if not own:
        return _state_of_entry(pair)
    return _state_of(own[-1:]) if pair.ledger.open and (pair.took or pair.post_failed) else S.ENTRY_IN_DOUBT


def _state_of(hedges: list[PairOrder]) -> PairState:
    """What a manager that gave these is waiting for."""
    styles = {order.command.style for order in hedges}
    if OrderStyle.MARKET_IOC in styles:
        return S.HEDGE_MARKET_SENT
    return S.HEDGE_IOC_SENT if OrderStyle.LIMIT_IOC in styles else S.HEDGE_POST_SENT
