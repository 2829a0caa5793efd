"""The journal's file in memory: what is committed survives the Gateway's death, what is not is lost.

Rows are kept as they were written. A commit is there whole or not at all: one that was torn is rolled back when SQLite
opens the file again, so the machine that dies in it has never written it, nor done what was to follow.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from actors.journal import Journal, row_values
from actors.messages.journal import Row

Observer = Callable[[Row], None]


class JournalDisk:
    """The disk under all journals of one day, whoever opens them."""

    def __init__(self, observe: Observer) -> None:
        self._observe = observe
        self.rows: list[tuple[Row, str]] = []
        """Each with the actor that it is by, unless the row names one."""

    def write(self, rows: list[tuple[Row, str]]) -> None:
        self.rows.extend(rows)
        for row, _ in rows:
            self._observe(row)

    def digest(self) -> str:
        """SHA-256 over every column of every row: equal for equal journals, whatever the process."""
        sha = hashlib.sha256()
        for row, actor in self.rows:
            sha.update(repr(row_values(row, actor)).encode())
        return sha.hexdigest()

    def save(self, path: Path) -> None:
        """As a journal.db, for whoever wants to look."""
        path.unlink(missing_ok=True)
        journal = Journal(path)
        for row, actor in self.rows:
            journal.append(row, actor)
        journal.close()


class MemoryJournal:
    """One opening of the disk: what actors.gateway.JournalFile asks for."""

    def __init__(self, disk: JournalDisk, before_commit: Callable[[], None]) -> None:
        self._disk = disk
        self._before_commit = before_commit
        self._pending: list[tuple[Row, str]] = []
        self.last_seq = len(disk.rows)

    def append(self, row: Row, actor: str) -> int:
        self._pending.append((row, actor))
        self.last_seq += 1
        return self.last_seq

    def commit(self) -> None:
        if self._pending:
            self._before_commit()
            rows, self._pending = self._pending, []
            self._disk.write(rows)

    def close(self) -> None:
        self.commit()

    def rows(self) -> Iterator[Row]:
        """What stands on the disk, oldest first."""
        return iter([row for row, _ in self._disk.rows])
