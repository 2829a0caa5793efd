"""Deadlines of many small things in one place. An alarm is never cancelled: its owner looks if it still matters."""

from heapq import heappop, heappush
from typing import Generic, TypeVar

from kiwoom.market import Nanos

A = TypeVar("A")


class Alarms(Generic[A]):
    """A few per live order, each gone within a second: bounded by the order cap."""

    def __init__(self) -> None:
        self._heap: list[tuple[Nanos, int, A]] = []
        self._count = 0

    def set(self, at: Nanos, what: A) -> None:
        self._count += 1  # equal times ring in the order in which they were set
        heappush(self._heap, (at, self._count, what))

    def next_at(self) -> Nanos | None:
        return self._heap[0][0] if self._heap else None

    def take_due(self, now: Nanos) -> A | None:
        """One alarm whose time has come, or None."""
        if self._heap and self._heap[0][0] <= now:
            return heappop(self._heap)[2]
        return None
