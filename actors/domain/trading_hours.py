"""Which venue takes orders now, and whether entries are wanted: SessionState's word and the clock, together."""

from dataclasses import dataclass
from typing import Final

from actors.messages.session import Phase, TradingState
from kiwoom.market import DAY, VENUE_INDEX, Nanos, Now, Venue, WallNanos, time_of_day

_NEVER_HEARD: Final = "SessionState has not spoken yet"


@dataclass(frozen=True, slots=True)
class VenueHours:
    """Nanoseconds since midnight: from `start` (inclusive) to `end` (exclusive) the venue trades continuously."""

    start: int
    end: int

    def __post_init__(self) -> None:
        assert 0 <= self.start < self.end <= DAY

    def contain(self, wall: WallNanos) -> bool:
        return self.start <= time_of_day(wall) < self.end


class TradingHours:
    """`guard` is the window in which entries are allowed; `venues` the continuous sessions of KRX and NXT."""

    def __init__(self, guard: VenueHours, venues: tuple[VenueHours, VenueHours]) -> None:
        self._guard = guard
        self._venues = venues
        self._state: TradingState | None = None

    def heard(self, state: TradingState) -> None:
        self._state = state

    def session_off(self, wall: WallNanos) -> str:
        """Why no entry may leave now; "" = it may."""
        if self._state is None:
            return _NEVER_HEARD
        if not self._state.armed:
            return f"disarmed: {self._state.reason}"
        if not self._guard.contain(wall) or wall >= self._state.entries_until_wall:
            return "outside the guard window"
        return ""

    def orders_closed(self, venue: Venue, wall: WallNanos) -> str:
        """Why `venue` takes no new order now. A phase that nobody knows is left to the clock and to the broker."""
        phase = self._phase(venue)
        if phase in (Phase.CLOSED, Phase.AUCTION):
            return f"{venue.value} is in phase {phase.value}"
        if not self._venues[VENUE_INDEX[venue]].contain(wall):
            return f"{venue.value} does not trade at this time of day"
        return ""

    def cancels_closed(self, venue: Venue) -> str:
        """A cancel is worth trying wherever an order can still rest: only a closed venue takes none."""
        return f"{venue.value} is closed" if self._phase(venue) is Phase.CLOSED else ""

    def is_open(self, venue: Venue, wall: WallNanos) -> bool:
        """Continuous trading is known to run: quotes are worth something."""
        return self._phase(venue) is Phase.RUNNING and self._venues[VENUE_INDEX[venue]].contain(wall)

    def next_change(self, now: Now) -> Nanos:
        """When the clock alone next opens or closes a venue."""
        today = time_of_day(now.wall)
        edges = [edge for hours in self._venues for edge in (hours.start, hours.end)]
        ahead = min((edge - today) % DAY or DAY for edge in edges)
        return Nanos(now.mono + ahead)

    def _phase(self, venue: Venue) -> Phase:
        return Phase.UNKNOWN if self._state is None else self._state.phases[VENUE_INDEX[venue]]
