"""Which PairManager slot a pair's order events go to."""


class PairRoutes:
    """A slot holds one pair at a time; a pair moves when a rescue child is given another slot. Bounded by the slots."""

    def __init__(self) -> None:
        self._slot_of: dict[str, int] = {}
        self._pair_in: dict[int, str] = {}

    def assign(self, pair_id: str, slot: int) -> None:
        before = self._pair_in.get(slot)
        if before is not None:
            del self._slot_of[before]
        moved_from = self._slot_of.get(pair_id)
        if moved_from is not None:
            del self._pair_in[moved_from]
        self._slot_of[pair_id] = slot
        self._pair_in[slot] = pair_id

    def slot_of(self, pair_id: str) -> int | None:
        """None: the slot has been given to another pair since, or the pair was never assigned."""
        return self._slot_of.get(pair_id)

    def pair_in(self, slot: int) -> str | None:
        """The pair that the slot was given last; it may be over."""
        return self._pair_in.get(slot)
