"""Days with a script of their own, named after --scenario like a scenario file: the incidents of other machines.

A script takes what `supervision.simulation.day.run_day` takes and gives what it gives; it may ignore the plan's faults.
Its `plan.scenario` is the one named here. A script's module is loaded when it is played.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from typing import TYPE_CHECKING, Final

from supervision.simulation.incidents.catalogue import STORIES, Story

if TYPE_CHECKING:
    from supervision.simulation.day import DayPlan, DayResult
    from supervision.simulation.evidence import Checker

PREFIX: Final = "incident-"
"""Every script's name begins so, and no scenario file's does."""
ALL_INCIDENTS: Final = ("incidents", f"{PREFIX}all")
"""Names that stand for all of them."""


@dataclass(frozen=True, slots=True)
class Script:
    name: str
    about: str
    """A sentence for `arb simulate --scenario help`."""
    scenario: str
    """The shipped scenario whose market it plays on."""
    run: "Callable[[DayPlan, Checker | None], DayResult]"

    def __post_init__(self) -> None:
        assert self.name.startswith(PREFIX), self.name


@cache
def scripts() -> Mapping[str, Script]:
    """All of them, by name."""
    return {PREFIX + story.name: _script(story) for story in STORIES}


def expanded(names: Sequence[str]) -> tuple[str, ...]:
    """`names` with every script in place of the names that stand for all."""
    return tuple(each for name in names for each in (scripts() if name in ALL_INCIDENTS else (name,)))


def _script(story: Story) -> Script:
    about = f"{story.source}: {story.happened}. Here: {story.must_hold}."
    return Script(PREFIX + story.name, about, "storm", partial(_play, story))


def _play(story: Story, plan: "DayPlan", diary: "Checker | None" = None) -> "DayResult":
    from supervision.simulation.incidents.incident import play

    module, name = story.stage
    stage = import_module(f"supervision.simulation.incidents.{module}")
    return play(getattr(stage, name), plan, diary)
