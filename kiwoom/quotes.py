"""Quotes as packed integers: from the control's thread to the Gateway, to a shard, to the engine.

A message per tick is impossible (THESPIAN.md): quotes travel as runs of fixed-size little-endian records.
Prices are won and sizes shares, 0 = that side is empty; sizes above the field's range are clamped.
"""

from dataclasses import dataclass, field
from struct import Struct
from typing import Final

QUOTE: Final = Struct("<HBBIIIIq")
"""One quote: symbol_index, venue_index, flags, bid, bid_size, ask, ask_size, recv_mono_ns."""

FLAG_AUCTION: Final = 1
"""The book is in a call auction (expected price and quantity are shown): not quotable."""

TOP: Final = Struct("<HHIIIIIIIIqq")
"""Both tops of one symbol: symbol_index, flags, KRX bid, size, ask, size, NXT bid, size, ask, size, recv KRX, recv NXT.

A side that may not be traded on (empty, outside the limits, crossed, halted, auction) is packed as 0, 0.
"""

TOP_FLAG_KRX_OPEN: Final = 1
TOP_FLAG_NXT_OPEN: Final = 2
"""That venue takes orders of the symbol now: no halt, no VI, no auction."""

FIELD_MAX: Final = 2**32 - 1


_TOP_BYTES: Final = QUOTE.size - 8
"""A record without its stamp: what a repeat has in common with the quote before."""


@dataclass(slots=True)
class QuoteRun:
    """What came for one shard since it was last taken: new tops, oldest first, and how many only repeated the last."""

    records: bytearray = field(default_factory=bytearray)
    repeats: list[int] = field(default_factory=lambda: [0, 0])
    """By venue index. Most events change a deeper level only: their top is the one before."""


class QuoteRuns:
    """Sorts quotes by shard and drops repeats where they arise: a shard without news costs no message.

    Holds one record per symbol and venue. Not thread-safe: whoever shares it between threads holds a lock.
    """

    def __init__(self) -> None:
        self._last: dict[bytes, bytes] = {}
        self._shard_of: dict[bytes, int] = {}
        self._runs: dict[int, QuoteRun] = {}

    def add(self, shard: int, record: bytes) -> bool:
        """Take one QUOTE record; False if it repeats the last top of its symbol and venue."""
        run = self._runs.get(shard)
        if run is None:
            run = self._runs[shard] = QuoteRun()
        place, top = record[:3], record[:_TOP_BYTES]
        if self._last.get(place, b"")[:_TOP_BYTES] == top:
            run.repeats[record[2]] += 1
            return False
        self._last[place] = record
        self._shard_of[place] = shard
        run.records += record
        return True

    def take(self) -> dict[int, QuoteRun]:
        """The runs with news since the last take. Repeats of other shards stay until they have some."""
        news = {shard: run for shard, run in self._runs.items() if run.records}
        for shard in news:
            del self._runs[shard]
        return news

    def take_repeats(self, shard: int) -> tuple[int, int]:
        """Repeats of a shard that has no news, for the last count."""
        run = self._runs.get(shard)
        if run is None:
            return (0, 0)
        krx, nxt = run.repeats
        run.repeats = [0, 0]
        return (krx, nxt)

    def last_of(self, shard: int) -> bytes:
        """The last quote of every symbol and venue of `shard`: what a restarted shard is given."""
        return b"".join(record for place, record in self._last.items() if self._shard_of[place] == shard)
