"""A sliding window over past sends: in no span of `span_ns` more than `limit` of them.

Not a refilling bucket: a bucket of 5 a second lets 9 pass within a second around its refill. The Throttler and the
Gateway's last guard both count with it.
"""

from bisect import insort

from kiwoom.market import Nanos


class SlidingWindow:
    """Counts sends; each is counted from its time until `span_ns` later (exclusive), wherever that time lies.

    A send may be entered late (its time in the past) or early (its time in the future): it counts from now on
    in either case, and is forgotten `span_ns` after its time. Holds at most what was entered within one span.
    """

    def __init__(self, limit: int, span_ns: Nanos) -> None:
        assert limit > 0
        assert span_ns > 0
        self.limit = limit
        self.span_ns = span_ns
        self._sent: list[Nanos] = []

    def add(self, at: Nanos) -> None:
        insort(self._sent, at)

    def used(self, now: Nanos) -> int:
        self._forget(now)
        return len(self._sent)

    def free(self, now: Nanos) -> int:
        """May be negative if more was entered than the limit (a send that nobody asked for)."""
        return self.limit - self.used(now)

    def free_at(self, now: Nanos, wanted: int = 1) -> Nanos:
        """The earliest time, not before `now`, at which `wanted` (1..limit) are free if nothing else is sent."""
        assert 1 <= wanted <= self.limit
        self._forget(now)
        blocking = len(self._sent) - (self.limit - wanted)
        if blocking <= 0:
            return now
        return Nanos(max(now, self._sent[blocking - 1] + self.span_ns))

    def sends(self, now: Nanos) -> tuple[Nanos, ...]:
        """The sends still counted, oldest first: what a successor must be given."""
        self._forget(now)
        return tuple(self._sent)

    def _forget(self, now: Nanos) -> None:
        kept = 0
        for at in self._sent:
            if at + self.span_ns > now:
                break
            kept += 1
        if kept:
            del self._sent[:kept]
