"""Faults that happen at the market around an order of ours, not on the way of its words.

Before it meets the book a rival may be faster; while it rests somebody may hit it, above all when its cancel is under
way; after a fill the symbol, NXT or the line may be gone. Which of these happen is drawn (`faults.Faults`); everything
they cause is told like any other event of the market.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from kiwoom.simulated.events import MarketEvent
from kiwoom.simulated.faults import Strike
from kiwoom.simulated.line import SECOND, Line
from kiwoom.simulated.market import SimulatedMarket
from kiwoom.simulated.orders import BrokerOrder
from kiwoom.simulated.rules import BUY, HOGA, KRX, NXT

LINE: Final = "line"
"""The subject of a cut that no order brought about."""


class Mischief:
    """One per broker. `observe` takes what the market says of what is done to it here."""

    def __init__(
        self, line: Line, market: SimulatedMarket, observe: Callable[[Sequence[MarketEvent]], None], start: int
    ) -> None:
        self._line = line
        self._dice = line.dice
        self._faults = line.dice.faults
        self._market = market
        self._observe = observe
        if self._faults.line_cuts_per_hour:
            line.at(start + self._dice.gap(self._faults.line_cuts_per_hour), self._cut_now_and_then)

    # --- before and while it rests ----------------------------------------------------------------------------------

    def before_arrival(self, order: BrokerOrder, wall: int) -> None:
        """The order is about to meet the book: what it would take may be gone, or nearly."""
        limit = order.price if HOGA[order.hoga].pricing == "limit" else 0
        buying = order.side == BUY
        leave = None
        fault = ""
        if self._dice.happens("touch_gone", order.answer.rq_name):
            fault, leave = "touch_gone", 0
        elif self._dice.happens("touch_thin", order.answer.rq_name) and order.qty > 1:
            fault, leave = "touch_thin", self._dice.between(1, order.qty - 1)
        if leave is None or self._market.reachable(order.venue, order.symbol, buying, limit) <= leave:
            return
        self._dice.note(fault, order.answer.rq_name, wall)
        self._observe(self._market.take_touch(order.venue, order.symbol, buying, limit, leave, wall))

    def after_arrival(self, order: BrokerOrder, wall: int) -> None:
        """The order has met the book: what rests of it may soon be hit."""
        if not self._market.can_be_hit(order.venue, order.order_no):
            return
        delay = self._dice.delay("post_hit", order.order_no, wall)
        if delay:
            self._line.at(wall + delay, partial(self._hit_some, order))

    def before_cancel(self, order: BrokerOrder, wall: int) -> None:
        """A cancel of it is about to meet the exchange."""
        raced = self._dice.happens("cancel_raced", order.order_no)
        if raced and self._market.can_be_hit(order.venue, order.order_no):
            self._dice.note("cancel_raced", order.order_no, wall)
            part = self._dice.between(1, order.leaves)
            qty = self._dice.one_of((order.leaves, part))
            self._observe(self._market.hit(order.venue, order.order_no, qty, wall))

    def _hit_some(self, order: BrokerOrder, wall: int) -> None:
        if not order.ended:
            qty = self._dice.between(1, order.leaves)
            self._observe(self._market.hit(order.venue, order.order_no, qty, wall))

    # --- after a fill -----------------------------------------------------------------------------------------------

    def after_fill(self, order: BrokerOrder, wall: int) -> None:
        """One more thing may happen in the instant of the fill, once the exchange has said all that it has to say."""
        market, faults = self._market, self._faults
        symbol, up = order.symbol, order.side != BUY
        other = KRX if order.venue == NXT else NXT
        vi, halt = faults.vi_seconds, faults.halt_seconds
        # A halt on KRX is one on both venues.
        for fault, subject, seconds, disturb in (
            ("halt_after_fill", symbol, halt, lambda at: market.halt(KRX, symbol, at, halt)),
            ("vi_after_fill", symbol, vi, lambda at: market.start_vi(order.venue, symbol, at, vi)),
            ("vi_other_after_fill", symbol, vi, lambda at: market.start_vi(other, symbol, at, vi)),
            (
                "nxt_suspended_after_fill",
                NXT,
                faults.nxt_suspended_seconds,
                lambda at: market.suspend_nxt(at, faults.nxt_suspended_seconds),
            ),
            ("nxt_closed_after_fill", NXT, 0, market.close_nxt_early),
            (
                "limit_after_fill",
                symbol,
                faults.limit_seconds,
                lambda at: market.rush_to_limit(symbol, up, at, faults.limit_seconds),
            ),
        ):
            if self._dice.happens(fault, subject):
                self._line.at(wall, partial(self._disturb, Strike(wall, fault, subject, seconds * SECOND), disturb))
        if self._dice.happens("line_lost_at_fill", order.order_no) and self._line.logged_in:
            self.cut("line_lost_at_fill", order.order_no, wall)

    def cut(self, fault: str, subject: str, wall: int) -> None:
        """The line breaks at once, for as long as the faults say."""
        down_ns = self._dice.size("line_down")
        self._dice.note(fault, subject, wall, down_ns)
        self._line.cut_at(wall, self._line.session, down_ns)

    def _disturb(self, strike: Strike, disturb: Callable[[int], list[MarketEvent]], wall: int) -> None:
        """Noted if it makes a difference: what is halted already is not halted again."""
        if self._dice.is_calm:
            return
        before = self._market.disturbances
        self._observe(disturb(wall))
        if self._market.disturbances > before:
            self._dice.note(strike.fault, strike.subject, wall, strike.size_ns)

    def _cut_now_and_then(self, wall: int) -> None:
        self._line.at(wall + self._dice.gap(self._faults.line_cuts_per_hour), self._cut_now_and_then)
        if not self._dice.is_calm and self._line.logged_in:
            self.cut("line_cuts_per_hour", LINE, wall)
