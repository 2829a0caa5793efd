"""The pairs that the Router has admitted or taken over, with their slots, and what it remembers of those that ended."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from actors.messages.orders import OrderFilled
from actors.messages.pairs import PairEnded, PairPlan, PairState, PairSums
from actors.messages.spread import Signal
from kiwoom.market import Nanos, Side, Symbol, Venue

PAIRS_REMEMBERED_MAX = 1_024
"""Ended pairs whose symbol and children are kept for a late fill and against repeats."""


class Stage(Enum):
    """How far the Router has come with a pair."""

    REQUESTED = "requested"
    """Claims held, the Throttler asked."""
    RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Rescue:
    """A late fill, its claims held, waiting for a slot; `plan.slot` is not set yet."""

    plan: PairPlan
    fill: OrderFilled
    carried: PairSums | None = None

    @property
    def claim_id(self) -> str:
        return f"{self.fill.pair_id}#{self.fill.cl_ord_id}#{self.fill.exec_id}"


@dataclass(slots=True)
class LivePair:
    """A pair from its claims to its end."""

    plan: PairPlan
    signal: Signal | None
    """None: restored, or a rescue."""
    stage: Stage
    answer_by: Nanos
    claim_id: str
    """The pair's own id; a rescue claims under its fill, beside what its parent may have left."""
    child: int = 0
    """0: the pair itself; n: its n-th rescue."""
    rescue: Rescue | None = None
    """What this rescue began with, to begin it anew; None if it is none, or if its manager or a journal told of it."""
    began_by_itself: bool = False
    """A rescue that the manager of the pair's slot began; what we sent to that slot meanwhile is turned away."""
    restored: bool = False
    """A predecessor put it into its slot."""
    checked: bool = False
    """The slot's manager is new and was asked whether it has the pair."""
    entry_ended: bool = False
    exposed_since: Nanos | None = None

    @property
    def is_rescue(self) -> bool:
        return self.child > 0

    @property
    def own_orders(self) -> tuple[tuple[Venue, Side], ...]:
        """Where it has or will post orders, as far as planned; the Gateway checks each send besides."""
        hedge = (self.plan.hedge.venue, self.plan.hedge.side)
        if self.entry_ended:
            return (hedge,)
        return ((self.plan.entry.venue, self.plan.entry.side), hedge)

    @property
    def notional_won(self) -> int:
        """Both legs at the lock price and the entry's quote."""
        if self.signal is None:
            return 2 * self.plan.qty * self.plan.hedge_lock_price
        return self.plan.qty * (self.signal.buy_ask + self.signal.sell_bid)

    def is_missing(self, ended: PairEnded) -> bool:
        """A new manager's answer: it does not have this pair. (A rescue never misses, so there is no doubt.)"""
        is_answer = self.checked and ended.slot == self.plan.slot and ended.state is PairState.ENTRY_MISSED
        return is_answer and not ended.bought and not ended.sold


def lowest_free_slot(pairs: Iterable[LivePair], slots: int) -> int:
    """`slots` if none is free."""
    taken = {pair.plan.slot for pair in pairs}
    return next((slot for slot in range(slots) if slot not in taken), slots)


@dataclass(slots=True)
class _Known:
    symbol: Symbol
    last_begun: int = 0
    last_ended: int = -1
    generation: int = 0


class PairsKnown:
    """Symbol and children of the pairs that live or lived, by pair_id; the oldest are forgotten."""

    def __init__(self) -> None:
        self._pairs: dict[str, _Known] = {}
        """Oldest first; at most PAIRS_REMEMBERED_MAX."""

    def symbol(self, pair_id: str) -> Symbol | None:
        known = self._pairs.get(pair_id)
        return None if known is None else known.symbol

    def begin(self, pair_id: str, symbol: Symbol) -> None:
        self._known(pair_id, symbol)

    def begin_child(self, pair_id: str, symbol: Symbol) -> int:
        """The number of the pair's next rescue: above all that were begun or have ended."""
        known = self._known(pair_id, symbol)
        known.last_begun = max(known.last_begun, known.last_ended) + 1
        return known.last_begun

    def resume(self, pair_id: str, symbol: Symbol) -> int:
        """The child that a predecessor had running: the one after the last that ended."""
        known = self._known(pair_id, symbol)
        known.last_begun = max(known.last_begun, known.last_ended + 1)
        return known.last_begun

    def end(self, pair_id: str, child: int, symbol: Symbol) -> None:
        known = self._known(pair_id, symbol)
        known.last_ended = max(known.last_ended, child)
        known.last_begun = max(known.last_begun, child)

    def restored(self, pair_id: str, generation: int) -> None:
        known = self._pairs.get(pair_id)
        if known is not None:
            known.generation = max(known.generation, generation)

    def generation(self, pair_id: str) -> int:
        """How often the pair was restored, as far as it was heard."""
        known = self._pairs.get(pair_id)
        return 0 if known is None else known.generation

    def has_ended(self, pair_id: str, child: int) -> bool:
        known = self._pairs.get(pair_id)
        return known is not None and child <= known.last_ended

    def _known(self, pair_id: str, symbol: Symbol) -> _Known:
        known = self._pairs.setdefault(pair_id, _Known(symbol))
        if len(self._pairs) > PAIRS_REMEMBERED_MAX:
            del self._pairs[next(iter(self._pairs))]
        return known
