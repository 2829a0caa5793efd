"""A checked transition table: (state, trigger) to state. What is not in the table is illegal and changes nothing."""

from collections.abc import Mapping
from enum import Enum
from typing import Generic, TypeVar

S = TypeVar("S", bound=Enum)
T = TypeVar("T", bound=Enum)


class IllegalTransitionError(Exception):
    """The table has no row for this trigger in this state."""


class Machine(Generic[S, T]):
    """One object's state, moved by triggers along a table shared by all objects of its kind."""

    def __init__(self, table: Mapping[tuple[S, T], S], initial: S) -> None:
        self._table = table
        self.state = initial

    def allows(self, trigger: T) -> bool:
        return (self.state, trigger) in self._table

    def fire(self, trigger: T) -> S:
        """Move; raises IllegalTransitionError (state unchanged) if the table has no such row."""
        try:
            self.state = self._table[self.state, trigger]
        except KeyError:
            raise IllegalTransitionError(f"{trigger.name} while {self.state.name}") from None
        return self.state
