"""How long something has held: the sums by which a checker knows what was imposed between two moments, in O(1)."""

from collections import deque
from collections.abc import Hashable
from typing import Final

from kiwoom.market import SECOND

NEVER: Final = 1 << 62


class Shade:
    """A condition with any number of causes; overlapping causes count once. Times must not go back.

    A cause may have a cap: it ends then if nobody ended it before. Holds the causes of the moment: a handful.
    """

    def __init__(self) -> None:
        self._causes: dict[Hashable, int] = {}
        self._since = 0
        self._total = 0

    def begin(self, cause: Hashable, at: int, cap: int = NEVER) -> None:
        self._expire(at)
        if not self._causes:
            self._since = at
        self._causes[cause] = cap

    def end(self, cause: Hashable, at: int) -> None:
        self._expire(at)
        if self._causes.pop(cause, None) is not None and not self._causes:
            self._total += at - self._since

    def holds(self, at: int) -> bool:
        self._expire(at)
        return bool(self._causes)

    def has(self, cause: Hashable) -> bool:
        return cause in self._causes

    def total(self, at: int) -> int:
        """How long it has held in all, up to `at`."""
        self._expire(at)
        return self._total + (max(0, at - self._since) if self._causes else 0)

    def _expire(self, at: int) -> None:
        if not self._causes or min(self._causes.values()) > at:
            return
        last = max(self._causes.values())
        self._causes = {cause: cap for cause, cap in self._causes.items() if cap > at}
        if not self._causes:
            self._total += last - self._since


class CallTimes:
    """The calls of the last moments, and how long the window was full because of them."""

    def __init__(self, limit: int, margin_ns: int) -> None:
        self._times: deque[int] = deque(maxlen=limit)
        self._span = SECOND + margin_ns
        self._full_until = 0
        self._full_total = 0

    def take(self, at: int) -> int:
        """One more call. Returns how many fell into the second that ends with it, itself included, at most limit + 1:
        one more than the limit says that there were too many."""
        times = self._times
        assert not times or at >= times[-1], "the broker's clock went back"
        before = sum(1 for time in times if at - time < SECOND)
        times.append(at)
        if len(times) == times.maxlen:
            start, end = max(at, self._full_until), times[0] + self._span
            if end > start:
                self._full_total += end - start
                self._full_until = end
        return before + 1

    def used(self, at: int) -> int:
        """Calls in the second before `at`, at most the limit."""
        return sum(1 for time in self._times if at - time < SECOND)

    def full_ns(self, at: int) -> int:
        """How long no further call was possible, in all, up to `at`."""
        return self._full_total - max(0, self._full_until - at)
