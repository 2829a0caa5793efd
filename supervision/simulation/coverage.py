"""How often each row of the pair table was taken, and each way to an end: what a campaign has really tried."""

from collections import Counter
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from actors.domain.pair import PAIR_TRANSITIONS, PairTrigger
from actors.messages.pairs import PairState

TERMINAL_PATHS: Final = (
    "ENTRY_REJECTED*",
    "ENTRY_MISSED*",
    "PAIRED_DONE take_post",
    "PAIRED_DONE take_post_cancel",
    "PAIRED_DONE take_post_cancel_ioc",
    "PAIRED_DONE take_post_cancel_ioc_market",
    "PAIRED_DONE take_post_ioc",
    "PAIRED_DONE take_post_ioc_market",
    "PAIRED_DONE take_ioc",
    "PAIRED_DONE take_ioc_market",
    "PAIRED_DONE rescue*",
    "FLATTENED*",
    "UNHEDGED*",
)
"""The ways to an end that must have been tried; a star stands for any path. Longer detours are only counted."""


@dataclass(slots=True)
class Coverage:
    rows: Counter[tuple[PairState, PairTrigger]] = field(default_factory=Counter)
    paths: Counter[str] = field(default_factory=Counter)
    """By terminal state and path, as "PAIRED_DONE take_post"."""

    def add(self, other: "Coverage") -> None:
        self.rows.update(other.rows)
        self.paths.update(other.paths)

    def missing(self, times: int) -> list[tuple[PairState, PairTrigger]]:
        """Rows of the table taken fewer than `times` times, in the table's order."""
        return [row for row in PAIR_TRANSITIONS if self.rows[row] < times]

    def ends(self) -> dict[str, int]:
        """How often each of TERMINAL_PATHS was gone."""
        return {
            pattern: sum(count for path, count in self.paths.items() if fnmatchcase(path, pattern))
            for pattern in TERMINAL_PATHS
        }

    def missing_paths(self, times: int) -> list[str]:
        """Those of TERMINAL_PATHS gone fewer than `times` times."""
        return [path for path, count in self.ends().items() if count < times]
