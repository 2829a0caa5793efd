"""How often each row of the pair table was taken, and each way to an end: what a campaign has really tried."""

from collections import Counter
from dataclasses import dataclass, field

from actors.domain.pair import PAIR_TRANSITIONS, PairTrigger
from actors.messages.pairs import PairState


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
