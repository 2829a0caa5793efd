"""What a pair's manager tells of it: the journal's rows, and the Router's PairAdvanced and PairEnded."""

from typing import Final

from actors.domain.pair_in_hand import PairInHand
from actors.messages.journal import EventType, Row
from actors.messages.pairs import PairAdvanced, PairEnded, PairPlan, PairState, PairSums
from kiwoom.market import MS, Nanos, Now, Shares, WallNanos, Won

END_ROWS: Final = {
    PairState.PAIRED_DONE: EventType.PAIRED_DONE,
    PairState.FLATTENED: EventType.FLATTENED,
    PairState.UNHEDGED: EventType.UNHEDGED,
}

Extra = tuple[tuple[str, object], ...]


def pair_row(event_type: EventType, pair: PairInHand, at: Nanos, now: Now, *, reason: str, extra: Extra) -> Row:
    """Its text tells what is short or long, and the last rejection or refusal heard. `extra` ends with the child."""
    unhedged = event_type is EventType.UNHEDGED
    open_qty = pair.left if unhedged else pair.ledger.open
    words = ["nothing left open"] if unhedged and not open_qty else []
    if open_qty:
        words = [f"{abs(open_qty)} shares {'short' if open_qty < 0 else 'long'}"]
    if pair.detail:
        words.append(pair.detail)
    return Row(
        event_type,
        at,
        _wall_of(at, now),
        pair_id=pair.plan.pair_id,
        symbol=pair.plan.symbol,
        state=pair.state.value,
        reason=reason or None,
        message_text="; ".join(words) or None,
        extra=(*extra, ("child", pair.rescue_no)),
    )


def state_row(pair: PairInHand, at: Nanos, now: Now, *, reason: str, extra: Extra = ()) -> Row:
    extra = (("open_qty", pair.ledger.open), *extra)
    return pair_row(EventType.PAIR_STATE, pair, at, now, reason=reason, extra=extra)


def handed_over(handed: PairSums) -> Extra:
    """Of a child that closes what the pair had left open: bought less sold, and what was spent on it or received for
    it. It leaves the sums of the children before it, with all their costs."""
    return (("handed_qty", handed.bought - handed.sold), ("handed_won", handed.buy_amount or handed.sell_amount))


def alert_row(pair: PairInHand, at: Nanos, now: Now, *, reason: str) -> Row:
    extra = (("open_qty", pair.ledger.open), ("t_hedge_ms", pair.plan.t_hedge_ns // MS))
    return pair_row(EventType.HEDGE_TIMEOUT, pair, at, now, reason=reason, extra=extra)


def end_row(pair: PairInHand, at: Nanos, now: Now, *, reason: str) -> Row | None:
    """The figures of an end; an entry that came to nothing has none."""
    event_type = END_ROWS.get(pair.state)
    if event_type is None:
        return None
    figures = pair.ledger.figures("_".join(pair.path), pair.plan.expected_net_mwon, at)
    return pair_row(event_type, pair, at, now, reason=reason, extra=figures)


def advanced(pair: PairInHand, at: Nanos) -> PairAdvanced:
    plan = pair.plan
    return PairAdvanced(plan.pair_id, plan.slot, plan.symbol, pair.state, pair.ledger.open, at, pair.generation)


def ended(pair: PairInHand, at: Nanos) -> PairEnded:
    ledger, plan = pair.ledger, pair.plan
    return PairEnded(
        pair_id=plan.pair_id,
        slot=plan.slot,
        symbol=plan.symbol,
        state=pair.state,
        bought=Shares(ledger.bought),
        sold=Shares(ledger.sold),
        buy_amount=Won(ledger.buy_amount),
        sell_amount=Won(ledger.sell_amount),
        commission_won=Won(ledger.commission),
        tax_won=Won(ledger.tax),
        net_won=Won(ledger.net),
        escalated=pair.escalated,
        rejects=pair.rejects,
        timeouts=pair.timeouts,
        at=at,
        child=pair.rescue_no,
    )


def not_begun(plan: PairPlan, child: int, state: PairState, reason: str, at: Nanos, now: Now) -> tuple[Row, PairEnded]:
    """A pair (or rescue) of which nothing was sent from here, so that the Router does not wait for its end."""
    row = Row(
        EventType.PAIR_STATE, at, _wall_of(at, now), pair_id=plan.pair_id, symbol=plan.symbol,
        state=state.value, reason=reason, extra=(("open_qty", 0), ("child", child)),
    )  # fmt: skip
    message = PairEnded(
        plan.pair_id, plan.slot, plan.symbol, state, Shares(0), Shares(0), Won(0), Won(0), Won(0), Won(0), Won(0),
        escalated=False, rejects=0, timeouts=0, at=at, child=child,
    )  # fmt: skip
    return row, message


def _wall_of(mono: Nanos, now: Now) -> WallNanos:
    return WallNanos(now.wall + mono - now.mono)
