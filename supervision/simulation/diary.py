"""The diary of one day: everything that happened, in order, and the files that are written of it.

It is a checker that finds fault with nothing, so that it sees what the checkers see, when they see it. A passing day is
not kept: a day that is wanted afterwards is run again, with a diary, and is the same day.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import Final

from actors.messages.journal import Row
from kiwoom.market import MS, SECOND, Nanos
from kiwoom.simulated.ledger import HEADER, LedgerRow, ledger_line
from supervision.simulation.campaign import BreachFacts, Day, DayFacts
from supervision.simulation.evidence import Checker, MachineEvent, Strike
from supervision.simulation.memory_journal import JournalDisk

BEFORE: Final = 60
AFTER: Final = 8
"""Events told around each breach."""
BREACHES_TOLD: Final = 10
_TOLD_OF_ROWS: Final = (
    "pair_id", "leg", "venue", "symbol", "cl_ord_id", "order_no", "orig_order_no", "side", "price", "qty",
    "fill_qty", "fill_px", "leaves_qty", "exec_id", "hoga_code", "state", "reason", "message_text",
)  # fmt: skip
_TOLD_OF_LEDGER: Final = (
    "rq_name", "order_no", "orig_order_no", "venue", "symbol", "side", "hoga_code", "price", "qty", "fill_px",
    "fill_qty", "exec_id", "return_code", "reason",
)  # fmt: skip

_Happening = Row | LedgerRow | MachineEvent | Strike


class Diary(Checker):
    """Writes down what happens."""

    rule = "diary"

    def __init__(self) -> None:
        super().__init__()
        self.disk: JournalDisk | None = None
        """The day's journal, as it stood in the end."""
        self._at: list[int] = []
        self._what: list[_Happening] = []

    def journal(self, row: Row, at: Nanos) -> None:
        self._note(at, row)

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        self._note(at, row)

    def machine(self, event: MachineEvent, at: Nanos) -> None:
        self._note(at, event)

    def struck(self, strike: Strike, at: Nanos) -> None:
        self._note(at, strike)

    def _note(self, at: Nanos, what: _Happening) -> None:
        self._at.append(at)
        self._what.append(what)

    def write(self, directory: Path, day: Day, repeat: str, facts: DayFacts | None, trace: str = "") -> None:
        """journal.db, broker_ledger.csv, strikes.txt and day.txt. `facts` is None for a day without an end."""
        directory.mkdir(parents=True, exist_ok=True)
        if self.disk is not None:
            self.disk.save(directory / "journal.db")
        ledger = [ledger_line(each) for each in self._what if isinstance(each, LedgerRow)]
        (directory / "broker_ledger.csv").write_text(HEADER + "".join(ledger), encoding="utf-8", newline="\n")
        blows = (self._line(index) for index, each in enumerate(self._what) if not isinstance(each, (Row, LedgerRow)))
        (directory / "strikes.txt").write_text("".join(f"{line}\n" for line in blows), encoding="utf-8")
        story = "\n".join(self._story(day, repeat, facts, trace))
        (directory / "day.txt").write_text(story + "\n", encoding="utf-8")

    def _story(self, day: Day, repeat: str, facts: DayFacts | None, trace: str) -> Iterator[str]:
        yield f"Seed {day.seed} of {day.scenario}. Again: {repeat}"
        yield "Times are seconds of the broker's undisturbed clock since the day began."
        if facts is None:
            yield from ("", "The day came to no end:", trace.rstrip(), "", "Before that:")
            yield from (self._line(index) for index in range(max(0, len(self._at) - BEFORE), len(self._at)))
            return
        yield f"Pairs: {_counts(facts.outcomes)}"
        yield f"Faults that struck: {_counts(facts.strikes)}"
        yield f"{facts.virtual_ns / SECOND:.1f} s of virtual time, {facts.steps} steps, journal {facts.digest}"
        yield from (f"Left open: {residual}" for residual in facts.residuals)
        if not facts.breaches:
            yield from ("", "Every promise was kept. The whole day:")
            yield from (self._line(index) for index in range(len(self._at)))
        for breach in facts.breaches[:BREACHES_TOLD]:
            yield from self._around(breach)
        if len(facts.breaches) > BREACHES_TOLD:
            yield f"\nand {len(facts.breaches) - BREACHES_TOLD} more breaches"

    def _around(self, breach: BreachFacts) -> Iterator[str]:
        """What led to it and what followed. What shares an id with its words is marked."""
        yield from ("", f"BROKEN at {self._since(breach.at)}: {breach.rule}: {breach.what}")
        middle = bisect_left(self._at, breach.at + 1)
        words = {word.strip(",.:;()'") for word in breach.what.split()}
        words = {word for word in words if any(letter.isdigit() for letter in word) and len(word) > 3}
        for index in range(max(0, middle - BEFORE), min(len(self._at), middle + AFTER)):
            line = self._line(index)
            yield ("> " if any(word in line for word in words) else "  ") + line

    def _line(self, index: int) -> str:
        return f"{self._since(self._at[index])}  {_told(self._what[index])}"

    def _since(self, at: int) -> str:
        start = self._at[0] if self._at else at
        return f"{(at - start) / SECOND:10.6f}"


def _told(what: _Happening) -> str:
    if isinstance(what, Row):
        return f"journal {what.event_type.value} {_fields(what, _TOLD_OF_ROWS)}"
    if isinstance(what, LedgerRow):
        return f"broker  {what.kind.value} {_fields(what, _TOLD_OF_LEDGER)}"
    if isinstance(what, MachineEvent):
        given = " ".join(f"{each.name}={getattr(what, each.name)}" for each in fields(what))
        return f"MACHINE {type(what).__name__} {given}".rstrip()
    delay = f", {what.size_ns / MS:.1f} ms" if what.size_ns else ""
    return f"STRIKE  {what.fault} {what.subject}{delay}"


def _fields(row: Row | LedgerRow, names: Sequence[str]) -> str:
    told = ((name, getattr(row, name)) for name in names)
    return " ".join(
        f"{name}={value.value if isinstance(value, Enum) else value}" for name, value in told if value not in (None, "")
    )


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"
