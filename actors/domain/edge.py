"""The edge rule: is one venue's best bid far enough above the other's best ask? Exact integers, nothing rounded.

    sell_bid - buy_ask  >=  cost of buying + cost of selling (tax in it) + buffer          (all per share)

Amounts are nano-won (nwon): a price in won times a rate in parts per billion is a whole number of them.
The buffer is in half ticks of the larger of the two prices' ticks. The threshold is inclusive.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from kiwoom.fees import NWON_PER_WON
from kiwoom.market import tick_size

NWON_PER_MWON: Final = 1_000_000
NWON_PER_HALF_WON: Final = NWON_PER_WON // 2


@dataclass(frozen=True, slots=True)
class Rates:
    """What trading one symbol costs, in parts per billion: commission by venue (KRX, NXT), tax on its sale."""

    fee_ppb: tuple[int, int]
    tax_ppb: int


class Quotes(NamedTuple):
    """What may be traded on, both venues; price 0 = nothing. Won, shares, and the control thread's stamps."""

    krx_bid: int
    krx_bid_size: int
    krx_ask: int
    krx_ask_size: int
    nxt_bid: int
    nxt_bid_size: int
    nxt_ask: int
    nxt_ask_size: int
    krx_recv: int
    nxt_recv: int


NOTHING: Final = Quotes(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


class Edge(NamedTuple):
    """One candidate per share: buy on `buy_venue` (0 KRX, 1 NXT) at `buy_ask`, sell on the other at `sell_bid`."""

    buy_venue: int
    buy_ask: int
    buy_size: int
    sell_bid: int
    sell_size: int
    buy_cost_nwon: int
    sell_cost_nwon: int
    """Commission of the sale, without the tax."""
    tax_nwon: int
    net_nwon: int
    """What is left after all costs, before the buffer; may be negative."""
    buffer_nwon: int

    @property
    def is_wide_enough(self) -> bool:
        return self.net_nwon >= self.buffer_nwon

    @property
    def net_mwon(self) -> int:
        """In thousandths of a won, rounded down; still >= `buffer_nwon` wherever `net_nwon` is."""
        return self.net_nwon // NWON_PER_MWON

    @property
    def net_centibps(self) -> int:
        """Over the buying price, in hundredths of a basis point, rounded down."""
        return self.net_nwon * 1_000_000 // (self.buy_ask * NWON_PER_WON)


def better_edge(quotes: Quotes, rates: Rates, buffer_half_ticks: int) -> Edge | None:
    """The candidate that leaves more net (the first, buying on KRX, if equal); None if neither has both sides."""
    best: Edge | None = None
    if quotes.krx_ask and quotes.nxt_bid:
        best = _candidate(
            0, quotes.krx_ask, quotes.krx_ask_size, quotes.nxt_bid, quotes.nxt_bid_size, rates, buffer_half_ticks
        )
    if quotes.nxt_ask and quotes.krx_bid:
        other = _candidate(
            1, quotes.nxt_ask, quotes.nxt_ask_size, quotes.krx_bid, quotes.krx_bid_size, rates, buffer_half_ticks
        )
        if best is None or other.net_nwon > best.net_nwon:
            best = other
    return best


def up_to_mwon(nwon: int) -> int:
    """A cost in thousandths of a won, rounded up: toward less edge."""
    return -(-nwon // NWON_PER_MWON)


def _candidate(
    buy_venue: int, buy_ask: int, buy_size: int, sell_bid: int, sell_size: int, rates: Rates, buffer_half_ticks: int
) -> Edge:
    buy_cost_nwon = buy_ask * rates.fee_ppb[buy_venue]
    sell_cost_nwon = sell_bid * rates.fee_ppb[1 - buy_venue]
    tax_nwon = sell_bid * rates.tax_ppb
    return Edge(
        buy_venue,
        buy_ask,
        buy_size,
        sell_bid,
        sell_size,
        buy_cost_nwon,
        sell_cost_nwon,
        tax_nwon,
        (sell_bid - buy_ask) * NWON_PER_WON - buy_cost_nwon - sell_cost_nwon - tax_nwon,
        # Ticks never fall as prices rise, so the larger tick is the larger price's.
        buffer_half_ticks * tick_size(max(buy_ask, sell_bid)) * NWON_PER_HALF_WON,
    )
