"""The Router's journal rows: what was admitted or not and why, which symbols rest, what a person pressed."""

from typing import Any

from actors.domain.blocks import Block
from actors.messages.journal import EventType, Row
from actors.messages.pairs import LateFill, PairPlan
from actors.messages.session import OperatorCommand
from actors.messages.spread import Signal
from kiwoom.market import MS, Nanos, Now, Symbol


def admitted_row(plan: PairPlan, signal: Signal, now: Now) -> Row:
    return Row(
        EventType.ADMITTED,
        now.mono,
        now.wall,
        pair_id=plan.pair_id,
        venue=plan.entry.venue.value,
        symbol=plan.symbol,
        side=plan.entry.side.value,
        qty=plan.qty,
        price=plan.entry.price,
        extra=(*signal.figures, ("slot", plan.slot), ("signal_mono_ns", signal.at)),
    )


def not_admitted_row(signal: Signal, reason: str, suppressed: int, now: Now) -> Row:
    """`suppressed`: equal refusals of this symbol since the last recorded one that have no row of their own."""
    return Row(
        EventType.NOT_ADMITTED,
        now.mono,
        now.wall,
        pair_id=signal.pair_id,
        symbol=signal.symbol,
        reason=reason,
        extra=(*signal.figures, ("suppressed", suppressed)),
    )


def operator_row(order: OperatorCommand, now: Now) -> Row:
    return Row(EventType.OPERATOR, now.mono, now.wall, symbol=order.symbol, reason=order.command.value)


def block_row(symbol: Symbol, cause: Block, until: Nanos | None, open_qty: int | None, now: Now) -> Row:
    """A freeze, or (after rejects or an overload) a short cooldown. `open_qty`: shares left, bought - sold."""
    is_freeze = cause.refusal == "FROZEN"
    extra: tuple[tuple[str, Any], ...] = ()
    if until is not None:
        extra += (("duration_ms", (until - now.mono) // MS),)
    if open_qty is not None:
        extra += (("open_qty", open_qty),)
    return Row(
        EventType.SYMBOL_FROZEN if is_freeze else EventType.COOLDOWN_ARMED,
        now.mono,
        now.wall,
        symbol=symbol,
        reason=cause.name,
        extra=extra,
    )


def unknown_fill_row(late: LateFill, now: Now) -> Row:
    """A late fill of a symbol that is not traded here (any more): a person must look at it."""
    return Row(
        EventType.SERVER_MESSAGE,
        now.mono,
        now.wall,
        pair_id=late.fill.pair_id,
        symbol=late.symbol or None,
        cl_ord_id=late.fill.cl_ord_id or None,
        exec_id=late.fill.exec_id or None,
        reason="UNKNOWN_FILL",
        message_text="a late fill of a symbol that is not in the universe: not hedged",
    )
