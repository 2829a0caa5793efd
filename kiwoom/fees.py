"""What a trade costs: commission per venue and side, securities transaction tax on every sale.

Rates are parts per billion (1 bp = 100,000 ppb), so a cost per share in nano-won (nwon) is an exact integer product.
The edge rule uses these untruncated costs; booking truncates as the broker does (KIWOOM.md 5: commission below
10 won is cut; 7.8: the tax, by settlement date, the same on both venues).
"""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from typing import Final

from kiwoom.market import VENUE_INDEX, Market, Side, Venue, Won

NWON_PER_WON: Final = 1_000_000_000
PPB_PER_BPS: Final = 100_000


class Rounding(Enum):
    """What the broker truncates: each order's running total, each fill, or the day's running total.

    The day's total is kept apart by venue, market and side, since each has rates of its own.
    """

    ORDER = "order"
    FILL = "fill"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class CostModel:
    """The rates of one trading day. `fee_ppb` by venue (KRX, NXT), per side, regulatory part included."""

    fee_ppb: tuple[int, int]
    kospi_tax_ppb: int
    kosdaq_tax_ppb: int
    commission_unit_won: int = 10
    tax_unit_won: int = 1
    rounding: Rounding = Rounding.ORDER

    def __post_init__(self) -> None:
        assert min(*self.fee_ppb, self.kospi_tax_ppb, self.kosdaq_tax_ppb) >= 0
        assert self.commission_unit_won >= 1
        assert self.tax_unit_won >= 1

    def tax_ppb(self, market: Market) -> int:
        return self.kospi_tax_ppb if market is Market.KOSPI else self.kosdaq_tax_ppb

    def fee_nwon(self, venue: Venue, price: int) -> int:
        """Commission of one share at `price`, either side, untruncated."""
        return price * self.fee_ppb[VENUE_INDEX[venue]]

    def tax_nwon(self, market: Market, price: int) -> int:
        """Sales tax of one share at `price`, untruncated."""
        return price * self.tax_ppb(market)

    def commission_won(self, venue: Venue, amount: int) -> Won:
        """Commission on `amount` won as booked: truncated below the unit."""
        exact = amount * self.fee_ppb[VENUE_INDEX[venue]] // NWON_PER_WON
        return Won(exact - exact % self.commission_unit_won)

    def tax_won(self, market: Market, amount: int) -> Won:
        """Tax on sales of `amount` won as booked."""
        exact = amount * self.tax_ppb(market) // NWON_PER_WON
        return Won(exact - exact % self.tax_unit_won)


class CostBook:
    """Books each fill's increment of commission and tax, truncating what the model says is truncated.

    Grows by one entry per order (or per day); lives as long as its owner's day.
    """

    def __init__(self, model: CostModel) -> None:
        self._model = model
        self._amounts: dict[tuple[str, Venue, Market, Side], int] = {}

    def book(self, order_key: str, venue: Venue, market: Market, side: Side, amount: int) -> tuple[Won, Won]:
        """The (commission, tax) in won that a fill of `amount` won (> 0) adds to order `order_key`."""
        assert amount > 0
        if self._model.rounding is Rounding.FILL:
            return self._model.commission_won(venue, amount), self._tax(market, side, amount)
        key = (order_key if self._model.rounding is Rounding.ORDER else "", venue, market, side)
        before = self._amounts.get(key, 0)
        after = before + amount
        self._amounts[key] = after
        commission = self._model.commission_won(venue, after) - self._model.commission_won(venue, before)
        return Won(commission), Won(self._tax(market, side, after) - self._tax(market, side, before))

    def _tax(self, market: Market, side: Side, amount: int) -> Won:
        return self._model.tax_won(market, amount) if side is Side.SELL else Won(0)


def settlement_date(traded: date) -> date:
    """T+2 in weekdays. Public holidays are not known here; they only matter on the last days of a year."""
    day, left = traded, 2
    while left:
        day += timedelta(days=1)
        if day.weekday() < 5:
            left -= 1
    return day
