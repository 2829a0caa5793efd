"""Write a core's test as the conversation it should have."""

from dataclasses import dataclass, field
from typing import Any, Self

from actors.effects import Call, Effect, Effects, Record, Send
from actors.messages.journal import EventType, Row
from kiwoom.market import Nanos, Now, WallNanos

# 2026-11-23 (a Monday) 10:00:00 in Seoul.
TEN_O_CLOCK = WallNanos(1_795_395_600 * 1_000_000_000)

DEADLINES_MAX = 100_000
"""More deadlines than any conversation has: a core that never lets go of one fails here instead of hanging."""


@dataclass
class Playbook:
    """`hears` a message, `waits` through the core's own deadlines, `says` exactly these sends since the last says.

    Wall time runs beside monotonic time from `wall_start`. Records and control calls are collected apart.
    """

    core: Any
    mono: int = 0
    wall_start: int = TEN_O_CLOCK
    _unmatched: list[Effect] = field(default_factory=list)

    @property
    def now(self) -> Now:
        return Now(Nanos(self.mono), WallNanos(self.wall_start + self.mono))

    def hears(self, message: object) -> Self:
        return self._take(self.core.handle(message, self.now))

    def waits(self, duration_ns: int) -> Self:
        end = self.mono + duration_ns
        for _ in range(DEADLINES_MAX):
            deadline = self.core.next_deadline()
            if deadline is None or deadline > end:
                self.mono = end
                return self
            self.mono = max(self.mono, deadline)
            self._take(self.core.on_deadline(self.now))
        raise AssertionError(f"the core wants to be called at {deadline} again and again")

    def says(self, *expected: Send) -> Self:
        actual = tuple(effect for effect in self._unmatched if isinstance(effect, Send))
        self._unmatched = [effect for effect in self._unmatched if not isinstance(effect, Send)]
        assert actual == expected, f"\nsaid     {actual}\nexpected {expected}"
        return self

    def calls(self, *expected: object) -> Self:
        actual = tuple(effect.call for effect in self._unmatched if isinstance(effect, Call))
        self._unmatched = [effect for effect in self._unmatched if not isinstance(effect, Call)]
        assert actual == expected, f"\ncalled   {actual}\nexpected {expected}"
        return self

    def take_sends(self) -> list[Send]:
        """What was said since the last look, for tests that check parts of it."""
        sends = [effect for effect in self._unmatched if isinstance(effect, Send)]
        self._unmatched = [effect for effect in self._unmatched if not isinstance(effect, Send)]
        return sends

    def take_rows(self) -> list[Row]:
        """The journal rows recorded since the last look."""
        rows = [effect.row for effect in self._unmatched if isinstance(effect, Record)]
        self._unmatched = [effect for effect in self._unmatched if not isinstance(effect, Record)]
        return rows

    def records(self, *expected: EventType) -> Self:
        actual = tuple(row.event_type for row in self.take_rows())
        assert actual == expected, f"\nrecorded {actual}\nexpected {expected}"
        return self

    def _take(self, effects: Effects) -> Self:
        self._unmatched.extend(effects)
        return self
