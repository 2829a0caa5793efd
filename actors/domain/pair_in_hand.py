"""The pair that a PairManager holds: its plan, ledger, orders and what was tried; and how its orders are called.

Client order ids: the entry is `<pair>-A1`, hedges `<pair>-B1`, `-B2`, ..., cancels `-C1`, ... A rescue puts its number
before the letter (`-R1B3`), a restored pair its generation before that (`-G2R1B1`): no id is ever given twice.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from actors.domain.machine import Machine
from actors.domain.pair import END_STATES, PairLedger, PairOrder, PairTrigger, Top, new_pair
from actors.messages.pairs import PairEnded, PairPlan, PairState
from kiwoom.market import Nanos, Now, Venue

ENTRY_LEG, HEDGE_LEG = "A", "B"

NEVER: Final = Nanos(0)

_NUMBERED: Final = re.compile(r"(?:G\d+)?R(\d+)[BC]\d+")


def entry_id(pair_id: str) -> str:
    return f"{pair_id}-A1"


def child_of(cl_ord_id: str, pair_id: str) -> int:
    """The child that gave this order: 0 the pair itself, n its n-th rescue."""
    of_rescue = _NUMBERED.fullmatch(cl_ord_id.removeprefix(f"{pair_id}-"))
    return int(of_rescue[1]) if of_rescue else 0


@dataclass(slots=True)
class SilentVenue:
    """A venue that turned a take down, and whose book has not moved since: as far as one can see, nothing trades."""

    top: Top
    """Its top then."""
    at: Nanos
    """The last time."""
    times: int = 1


@dataclass(slots=True)
class PairInHand:
    """The pair in hand, or the last one. `orders` holds what may still fill or did: refused orders are dropped, the
    rest is bounded by the slice, the attempts and the fills."""

    plan: PairPlan
    ledger: PairLedger
    flat_by: Nanos
    machine: Machine[PairState, PairTrigger] = field(default_factory=new_pair)
    orders: dict[str, PairOrder] = field(default_factory=dict)
    generation: int = 0
    rescue_no: int = 0
    hedge_no: int = 0
    cancel_no: int = 0
    # of the present exposure
    attempts: int = 0
    took: bool = False
    post_failed: bool = False
    take_failed: bool = False
    alerted: bool = False
    # where and when the next hedge may go
    blocked: dict[Venue, Nanos] = field(default_factory=dict)
    silent: dict[Venue, SilentVenue] = field(default_factory=dict)
    not_before: Nanos = NEVER
    look_at: Nanos | None = None
    # of the whole pair
    left: int = 0
    """Bought less sold that ended UNHEDGED: the Router counts it now."""
    closes_left: bool = False
    """The fill that this child began with closes (part of) what was left."""
    flatten: bool = False
    flattened: bool = False
    escalated: bool = False
    excess: int = 0
    """Shares that filled although they had been called over, or by an order unknown here: only these can make a hedge
    that lives one too many, which is then cancelled."""
    rejects: int = 0
    timeouts: int = 0
    path: list[str] = field(default_factory=list)
    detail: str = ""
    result: PairEnded | None = None
    """What the Router was told of the last child that ended."""

    @property
    def state(self) -> PairState:
        return self.machine.state

    @property
    def ended(self) -> bool:
        return self.machine.state in END_STATES

    @property
    def entry(self) -> PairOrder | None:
        return self.orders.get(entry_id(self.plan.pair_id))

    @property
    def entry_over(self) -> bool:
        return self.entry is None or self.entry.leaves == 0

    @property
    def hedges(self) -> list[PairOrder]:
        """Those that may still fill."""
        return [order for order in self.orders.values() if order.command.leg == HEDGE_LEG and order.leaves]

    @property
    def covered(self) -> int:
        """Shares that live hedges may still close."""
        return sum(order.leaves for order in self.hedges if order.command.side is self.ledger.closing_side)

    @property
    def uncovered(self) -> int:
        return abs(self.ledger.open) - self.covered

    @property
    def over_covered(self) -> bool:
        return self.uncovered < 0 or any(o.command.side is not self.ledger.closing_side for o in self.hedges)

    def new_hedge_id(self) -> str:
        """Unique within the pair: the numbers count on across the rescues begun here."""
        self.hedge_no += 1
        return f"{self.plan.pair_id}-{self._tag}B{self.hedge_no}"

    def new_cancel_id(self) -> str:
        self.cancel_no += 1
        return f"{self.plan.pair_id}-{self._tag}C{self.cancel_no}"

    @property
    def _tag(self) -> str:
        restored = f"G{self.generation}" if self.generation else ""
        return restored + (f"R{self.rescue_no}" if self.rescue_no else "")

    def walk(self, step: str) -> None:
        if not self.path or self.path[-1] != step:
            self.path.append(step)

    def begin_exposure(self) -> None:
        self.attempts = 0
        self.took = self.post_failed = self.take_failed = self.alerted = False

    def read_clock(self, now: Now) -> None:
        """The host's wall clock may have stepped: when must it be flat, in monotonic time?"""
        self.flat_by = Nanos(now.mono + self.plan.flat_by_wall - now.wall)
