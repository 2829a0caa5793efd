"""The last guard before the control: holds back what would break the broker's window, whatever anyone granted.

A call counts from being made (in flight) until one window plus margin after it returned: the broker's arrival lies
between the two stamps. What must wait is held here, cancels first, then hedges, then entries (SPEC 6).
"""

from dataclasses import dataclass

from actors.domain.order import TrackedCancel, TrackedOrder
from actors.domain.window import SlidingWindow
from actors.messages.orders import OrderKind
from kiwoom.market import Nanos

Held = TrackedOrder | TrackedCancel


def priority(held: Held) -> int:
    """Lower goes first."""
    if isinstance(held, TrackedCancel):
        return 0
    return 2 if held.command.kind is OrderKind.ENTRY else 1


@dataclass(frozen=True, slots=True)
class _Place:
    rank: tuple[int, int]
    held: Held


class HoldQueue:
    """FIFO within a priority. Full, it takes no more: the command is refused."""

    def __init__(self, held_max: int) -> None:
        self._held_max = held_max
        self._places: list[_Place] = []
        self._count = 0

    @property
    def is_full(self) -> bool:
        return len(self._places) >= self._held_max

    def add(self, held: Held) -> None:
        assert not self.is_full
        self._count += 1
        self._places.append(_Place((priority(held), self._count), held))
        self._places.sort(key=lambda place: place.rank)

    def remove(self, held: Held) -> None:
        self._places = [place for place in self._places if place.held is not held]

    def in_order(self) -> tuple[Held, ...]:
        return tuple(place.held for place in self._places)


class SendGuard:
    """`reserve`: the slots that an entry must leave free, whatever happened since it was granted one."""

    def __init__(self, window: SlidingWindow, reserve: int) -> None:
        assert 0 <= reserve < window.limit
        self._window = window
        self._reserve = reserve
        self._in_flight: dict[str, None] = {}

    def called(self, rq_name: str) -> None:
        self._in_flight[rq_name] = None

    def returned(self, rq_name: str, at: Nanos) -> None:
        """Counts too if we did not know of the call: the broker counted it."""
        self._in_flight.pop(rq_name, None)
        self._window.add(at)

    def may_send(self, held: Held, now: Nanos) -> bool:
        return self._window.free(now) >= self._wanted(held)

    def free_at(self, held: Held, now: Nanos) -> Nanos | None:
        """When this call may be made; None while only a call's return can tell."""
        wanted = self._wanted(held)
        if wanted > self._window.limit:
            return None
        return self._window.free_at(now, wanted)

    def _wanted(self, held: Held) -> int:
        is_entry = isinstance(held, TrackedOrder) and held.command.kind is OrderKind.ENTRY
        return len(self._in_flight) + 1 + (self._reserve if is_entry else 0)

    def sends(self, now: Nanos) -> tuple[Nanos, ...]:
        """What the broker's window may still count, oldest first; a call not returned yet counts as made now."""
        return (*self._window.sends(now), *(now for _ in self._in_flight))

    def line_lost(self, now: Nanos) -> None:
        """Calls that will not be answered any more count as made now."""
        for _ in self._in_flight:
            self._window.add(now)
        self._in_flight.clear()
