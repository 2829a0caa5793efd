"""All checkers of a day behind one object: each is called only with the events that it overrides and wants."""

from collections.abc import Callable, Sequence

from actors.messages.journal import EventType, Row
from kiwoom.market import Nanos
from kiwoom.simulated.ledger import LedgerKind, LedgerRow
from supervision.simulation.evidence import Breach, Checker, MachineEvent, Strike, View


def _overrides(checker: Checker, method: str) -> bool:
    return getattr(type(checker), method) is not getattr(Checker, method)


class Panel:
    """Calls `checkers` in their order."""

    def __init__(self, checkers: Sequence[Checker]) -> None:
        self.checkers = tuple(checkers)
        self._rows: dict[EventType, tuple[Callable[[Row, Nanos], None], ...]] = {
            kind: tuple(c.journal for c in self.checkers if kind in c.row_types and _overrides(c, "journal"))
            for kind in EventType
        }
        self._ledger: dict[LedgerKind, tuple[Callable[[LedgerRow, Nanos], None], ...]] = {
            kind: tuple(c.ledger for c in self.checkers if kind in c.ledger_kinds and _overrides(c, "ledger"))
            for kind in LedgerKind
        }
        self._machine = tuple(c.machine for c in self.checkers if _overrides(c, "machine"))
        self._struck = tuple(c.struck for c in self.checkers if _overrides(c, "struck"))
        self._after_step = tuple(c.after_step for c in self.checkers if _overrides(c, "after_step"))
        self._breaches = tuple(c.breaches for c in self.checkers)

    def journal(self, row: Row, at: Nanos) -> None:
        for take in self._rows[row.event_type]:
            take(row, at)

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        for take in self._ledger[row.kind]:
            take(row, at)

    def machine(self, event: MachineEvent, at: Nanos) -> None:
        for take in self._machine:
            take(event, at)

    def struck(self, strike: Strike, at: Nanos) -> None:
        for take in self._struck:
            take(strike, at)

    def after_step(self, view: View, at: Nanos) -> None:
        for look in self._after_step:
            look(view, at)

    def at_end(self, view: View, at: Nanos) -> None:
        for checker in self.checkers:
            checker.at_end(view, at)

    @property
    def broken(self) -> bool:
        return any(self._breaches)

    def breaches(self) -> list[Breach]:
        """All of them, oldest first."""
        return sorted((each for found in self._breaches for each in found), key=lambda breach: breach.at)
