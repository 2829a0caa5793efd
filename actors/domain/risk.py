"""The limits of admission: each a small check that gives its reason, in a table (SPEC 6).

A check looks at a `Gate` (may anything be entered now?) or a `Situation` (may this pair?), both plain values, and
returns nothing. The first that fails names the reason of NOT_ADMITTED (CONTRACTS, `events`).
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kiwoom.market import SECOND, Nanos, Shares, Side, Venue, Won

REJECTS_WINDOW_NS: Final = 60 * SECOND
REJECTS_SPIKE: Final = 3
REJECTS_IN_A_ROW: Final = 3
REJECTS_FREEZE: Final = 5


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """Caps on what may be outstanding and traded. 0 = off where said so."""

    concurrent_symbols_max: int = 2
    pairs_per_symbol_max: int = 1
    """Live pairs on one symbol; never above 10."""
    shares_per_symbol_max: int = 10
    """Shares that a symbol's live pairs may move, one leg counted."""
    notional_per_leg_max_won: int = 5_000_000
    notional_per_symbol_max_won: int = 20_000_000
    """Both legs of all live pairs of one symbol."""
    notional_per_session_max_won: int = 1_000_000_000
    """Everything bought and sold since the start, and both legs of all live pairs."""
    daily_loss_max_won: int = 0
    """0 = off."""
    daily_orders_max: int = 0
    """Ended orders from which on no pair is admitted; 0 = off."""

    def __post_init__(self) -> None:
        assert self.concurrent_symbols_max > 0
        assert 1 <= self.pairs_per_symbol_max <= 10
        assert self.shares_per_symbol_max > 0
        assert self.notional_per_leg_max_won > 0
        assert self.notional_per_symbol_max_won > 0
        assert self.notional_per_session_max_won > 0
        assert self.daily_loss_max_won >= 0
        assert self.daily_orders_max >= 0


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether any entry on the symbol may begin now. Looked at again when the grant comes."""

    armed: bool
    in_window: bool
    """Inside the guard window, with time left for a whole ladder before everything must be flat."""
    actors_down: bool
    paused: bool
    block: str | None
    """The refusal of the first block on the symbol: MUTED, FROZEN, RISK_REJECT_SPIKE or RISK_OVERLOAD."""


@dataclass(frozen=True, slots=True)
class Situation:
    """All that the checks of one candidate look at. The candidate itself is in no total."""

    account_known: bool
    tradable: bool
    conflicted: bool
    qty: Shares
    leg_won: Won
    """The dearer leg."""
    pair_won: Won
    """Both legs."""
    pairs_max: int
    """`pairs_per_symbol_max`, or this symbol's own."""
    pairs_on_symbol: int
    other_symbols: int
    """Other symbols with a live pair."""
    shares_on_symbol: Shares
    symbol_won: Won
    session_won: Won
    net_won: Won
    orders: int
    entry_side: Side
    free_shares: Shares
    cash_needed: Won
    free_cash: Won
    new_orders: tuple[tuple[Venue, Side], ...]
    own_orders: tuple[tuple[Venue, Side], ...]
    """What the symbol's live pairs have, or will post, and where."""
    slot_free: bool
    observe: bool


def session_is_on(gate: Gate) -> bool:
    return gate.armed and gate.in_window


def all_actors_are_up(gate: Gate) -> bool:
    return not gate.actors_down


def entries_are_not_paused(gate: Gate) -> bool:
    return not gate.paused


def account_is_known(at: Situation, limits: RiskLimits) -> bool:
    return at.account_known


def symbol_is_tradable(at: Situation, limits: RiskLimits) -> bool:
    return at.tradable


def symbol_has_no_strange_orders(at: Situation, limits: RiskLimits) -> bool:
    return not at.conflicted


def pairs_fit(at: Situation, limits: RiskLimits) -> bool:
    return at.pairs_on_symbol < at.pairs_max


def symbols_fit(at: Situation, limits: RiskLimits) -> bool:
    return at.other_symbols < limits.concurrent_symbols_max


def leg_notional_fits(at: Situation, limits: RiskLimits) -> bool:
    return at.leg_won <= limits.notional_per_leg_max_won


def symbol_notional_fits(at: Situation, limits: RiskLimits) -> bool:
    return at.symbol_won + at.pair_won <= limits.notional_per_symbol_max_won


def session_notional_fits(at: Situation, limits: RiskLimits) -> bool:
    return at.session_won + at.pair_won <= limits.notional_per_session_max_won


def shares_fit(at: Situation, limits: RiskLimits) -> bool:
    return at.shares_on_symbol + at.qty <= limits.shares_per_symbol_max


def loss_is_bearable(at: Situation, limits: RiskLimits) -> bool:
    return not limits.daily_loss_max_won or at.net_won > -limits.daily_loss_max_won


def orders_fit(at: Situation, limits: RiskLimits) -> bool:
    return not limits.daily_orders_max or at.orders < limits.daily_orders_max


def sale_is_covered(at: Situation, limits: RiskLimits) -> bool:
    """A pair that buys first sells what it bought."""
    return at.entry_side is Side.BUY or at.free_shares >= at.qty


def purchase_is_paid_for(at: Situation, limits: RiskLimits) -> bool:
    return at.cash_needed <= at.free_cash


def no_self_trade(at: Situation, limits: RiskLimits) -> bool:
    return not any((venue, side.opposite) in at.own_orders for venue, side in at.new_orders)


def slot_is_free(at: Situation, limits: RiskLimits) -> bool:
    return at.slot_free


def not_only_observing(at: Situation, limits: RiskLimits) -> bool:
    """Last, so that this reason means: it would have been admitted."""
    return not at.observe


GATE_CHECKS: Final[tuple[tuple[Callable[[Gate], bool], str], ...]] = (
    (session_is_on, "SESSION_OFF"),
    (all_actors_are_up, "ACTOR_DOWN"),
    (entries_are_not_paused, "AUTO_PAUSE"),
)
"""Then the symbol's block, which brings its own reason."""

CHECKS: Final[tuple[tuple[Callable[[Situation, RiskLimits], bool], str], ...]] = (
    (account_is_known, "RISK_NO_ACCOUNT"),
    (symbol_is_tradable, "RISK_NOT_TRADABLE"),
    (symbol_has_no_strange_orders, "RISK_CONFLICTED"),
    (pairs_fit, "RISK_PAIRS"),
    (symbols_fit, "RISK_SYMBOLS"),
    (leg_notional_fits, "RISK_NOTIONAL_LEG"),
    (symbol_notional_fits, "RISK_NOTIONAL_SYMBOL"),
    (session_notional_fits, "RISK_NOTIONAL_SESSION"),
    (shares_fit, "RISK_SHARES"),
    (loss_is_bearable, "RISK_DAILY_LOSS"),
    (orders_fit, "RISK_DAILY_ORDERS"),
    (sale_is_covered, "NO_COVER"),
    (purchase_is_paid_for, "NO_CASH"),
    (no_self_trade, "SELF_TRADE"),
    (slot_is_free, "RISK_NO_SLOT"),
    (not_only_observing, "RISK_OBSERVE_ONLY"),
)


def gate_refusal(gate: Gate) -> str | None:
    for check, reason in GATE_CHECKS:
        if not check(gate):
            return reason
    return gate.block


def refusal(situation: Situation, limits: RiskLimits) -> str | None:
    for check, reason in CHECKS:
        if not check(situation, limits):
            return reason
    return None


class RejectWatch:
    """One symbol's rejects of the last minute, and how many of its pairs were rejected in a row."""

    def __init__(self) -> None:
        self._times: deque[Nanos] = deque(maxlen=REJECTS_FREEZE)
        self._in_a_row = 0

    def pair_ended(self, rejects: int, at: Nanos) -> None:
        self._in_a_row = self._in_a_row + rejects if rejects else 0
        self._times.extend([at] * min(rejects, REJECTS_FREEZE))

    def recent(self, now: Nanos) -> int:
        """Rejects within the last minute, counted up to REJECTS_FREEZE."""
        return sum(at + REJECTS_WINDOW_NS > now for at in self._times)

    def is_spike(self, now: Nanos) -> bool:
        return self.recent(now) >= REJECTS_SPIKE

    def wants_freeze(self, now: Nanos) -> bool:
        return self._in_a_row >= REJECTS_IN_A_ROW or self.recent(now) >= REJECTS_FREEZE
