"""Days with a script of their own, named after --scenario like a scenario file: the incidents of other machines.

A script takes what `supervision.simulation.day.run_day` takes and gives what it gives; it may ignore the plan's faults.
Its `plan.scenario` is the one named here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from supervision.simulation.day import DayPlan, DayResult
    from supervision.simulation.diary import Diary

PREFIX: Final = "incident-"
"""Every script's name begins so, and no scenario file's does."""


@dataclass(frozen=True, slots=True)
class Script:
    name: str
    about: str
    """A sentence for `arb simulate --scenario help`."""
    scenario: str
    """The shipped scenario whose market it plays on."""
    run: "Callable[[DayPlan, Diary | None], DayResult]"

    def __post_init__(self) -> None:
        assert self.name.startswith(PREFIX), self.name


def scripts() -> Mapping[str, Script]:
    """All of them, by name."""
    return {}
