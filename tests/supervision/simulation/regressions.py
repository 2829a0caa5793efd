"""Days that broke a promise once, each with what it taught. They are run with the others, and must hold for ever."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Regression:
    seed: int
    faults: str
    taught: str


REGRESSIONS: tuple[Regression, ...] = ()
