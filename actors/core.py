"""What every core is: three methods, and time is an argument."""

from typing import Any, Protocol

from actors.effects import Effects
from kiwoom.market import Nanos, Now


class Core(Protocol):
    """A plain object behind an actor's shell. It knows nothing of Thespian, Qt, files or the clock on the wall."""

    def handle(self, message: Any, now: Now) -> Effects:
        """Take one message; change state; return what to do. Raises AssertionError on our own mistakes only."""
        ...

    def next_deadline(self) -> Nanos | None:
        """The monotonic time at which `on_deadline` wants to be called, or None."""
        ...

    def on_deadline(self, now: Now) -> Effects:
        """Do whatever is due at `now`. A stale call finds nothing due and returns ()."""
        ...
