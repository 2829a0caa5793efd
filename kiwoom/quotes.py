"""Quotes as packed integers: from the control's thread to the Gateway, to a shard, to the engine.

A message per tick is impossible (THESPIAN.md): quotes travel as runs of fixed-size little-endian records.
Prices are won and sizes shares, 0 = that side is empty; sizes above the field's range are clamped.
"""

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
