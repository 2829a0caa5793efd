"""The clock that shells read: the machine-wide monotonic clock, and the market's wall clock.

`perf_counter_ns` and not `monotonic_ns`: on Linux they are the same clock; on Windows before Python 3.13 the latter
moves in steps of 15.6 ms, while the former is the system-wide performance counter. Both are shared by all processes of
one machine, so stamps of different processes compare.
"""

import time

from kiwoom.market import Nanos, Now, WallNanos


class HostClock:
    """Now, by the host. The market's clock is the host's plus `wall_offset_ns` (0 in real mode)."""

    def __init__(self, wall_offset_ns: int) -> None:
        self._wall_offset_ns = wall_offset_ns

    def now(self) -> Now:
        return Now(Nanos(time.perf_counter_ns()), WallNanos(time.time_ns() + self._wall_offset_ns))
