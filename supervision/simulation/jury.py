"""All checkers of a day together: each is shown what it asked for, at once, and nothing else.

A checker that raises has found something that it did not expect: that is a breach of its own.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from actors.messages.journal import EventType, Row
from kiwoom.market import Nanos
from kiwoom.simulated.ledger import LedgerKind, LedgerRow
from supervision.simulation.evidence import Breach, Checker, MachineEvent, Strike, View

BREACHES_MAX = 50
"""Of one day: the first ones tell most."""


class Jury:
    def __init__(self, checkers: Sequence[Checker], view: View) -> None:
        self._checkers = checkers
        self._view = view
        self._of_row: dict[EventType, list[Callable[..., None]]] = defaultdict(list)
        self._of_ledger: dict[LedgerKind, list[Callable[..., None]]] = defaultdict(list)
        for checker in checkers:
            if _overrides(checker, "journal"):
                for event_type in sorted(checker.row_types, key=lambda each: each.value):
                    self._of_row[event_type].append(checker.journal)
            if _overrides(checker, "ledger"):
                for kind in sorted(checker.ledger_kinds, key=lambda each: each.value):
                    self._of_ledger[kind].append(checker.ledger)
        self._of_machine = [each.machine for each in checkers if _overrides(each, "machine")]
        self._of_strike = [each.struck for each in checkers if _overrides(each, "struck")]
        self._of_step = [each.after_step for each in checkers if _overrides(each, "after_step")]

    def row(self, row: Row, at: Nanos) -> None:
        for look in self._of_row[row.event_type]:
            look(row, at)

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        for look in self._of_ledger[row.kind]:
            look(row, at)

    def machine(self, event: MachineEvent, at: Nanos) -> None:
        for look in self._of_machine:
            look(event, at)

    def struck(self, strike: Strike, at: Nanos) -> None:
        for look in self._of_strike:
            look(strike, at)

    def after_step(self, at: Nanos) -> None:
        for look in self._of_step:
            look(self._view, at)

    def close(self, at: Nanos) -> None:
        for checker in self._checkers:
            checker.at_end(self._view, at)

    def breaches(self) -> tuple[Breach, ...]:
        """In order of time."""
        found = [breach for checker in self._checkers for breach in checker.breaches]
        return tuple(sorted(found, key=lambda breach: (breach.at, breach.rule, breach.what))[:BREACHES_MAX])


def _overrides(checker: Checker, method: str) -> bool:
    return getattr(type(checker), method) is not getattr(Checker, method)


def describe(checkers: Sequence[Checker]) -> list[tuple[str, str]]:
    """(rule, its sentence) of each, for whoever asks what is checked."""
    return [(checker.rule, first_line(type(checker).__doc__)) for checker in checkers]


def first_line(text: Any) -> str:
    return str(text or "").strip().splitlines()[0]
