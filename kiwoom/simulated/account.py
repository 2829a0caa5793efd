"""The simulated account: shares, cash, what orders hold of both, and what trades cost.

Assumptions (KIWOOM.md 5, 6.2, 7.8, 7.9):
- Shares are the account's, not a venue's. What rests to be sold is not sellable again; naked sales do not exist.
- Cash is what 100%종목주문가능금액 counts: sale proceeds can be spent at once. A resting buy holds its unfilled
  quantity at the worst price it may execute at, plus the commission that would still be charged there.
- Commission: the order's cumulative amount times the venue's rate, cut below 10 won. Tax: the order's cumulative sale
  amount times its market's rate, cut below 1 won. A fill is charged what it adds to these.
- The cost of what is held falls in proportion when some is sold; no settlement, interest or credit.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

PPB: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Rates:
    """Parts per billion of the amount traded (1 bp = 100,000)."""

    fee_ppb: Mapping[str, int]
    """By venue, each side: {"KRX": 150_000, "NXT": 176_833}."""
    tax_ppb: Mapping[str, int]
    """By the symbol's market, sales only: {"KOSPI": 2_000_000, "KOSDAQ": 2_000_000}."""
    commission_unit_won: int = 10
    tax_unit_won: int = 1

    def __post_init__(self) -> None:
        assert sorted(self.fee_ppb) == ["KRX", "NXT"], "fee_ppb must name KRX and NXT"
        assert sorted(self.tax_ppb) == ["KOSDAQ", "KOSPI"], "tax_ppb must name KOSPI and KOSDAQ"
        rates = (*self.fee_ppb.values(), *self.tax_ppb.values())
        assert all(0 <= rate < PPB for rate in rates), f"fee_ppb and tax_ppb must be 0..{PPB - 1}"
        assert self.commission_unit_won >= 1, "commission_unit_won must be at least 1"
        assert self.tax_unit_won >= 1, "tax_unit_won must be at least 1"

    def commission(self, venue: str, amount: int) -> int:
        exact = amount * self.fee_ppb[venue] // PPB
        return exact - exact % self.commission_unit_won

    def tax(self, market: str, amount: int) -> int:
        exact = amount * self.tax_ppb[market] // PPB
        return exact - exact % self.tax_unit_won


@dataclass(slots=True)
class Holding:
    """What the account holds of one symbol, and what happened to it today."""

    qty: int = 0
    cost_won: int = 0
    """총매입가: what the shares held were bought for."""
    resting_sells: int = 0
    bought_today: int = 0
    sold_today: int = 0
    realised_won: int = 0
    """950 당일총매도손익: proceeds less the cost of what was sold, before commission and tax."""

    @property
    def sellable(self) -> int:
        """매매가능수량 (933)."""
        return self.qty - self.resting_sells

    @property
    def average_won(self) -> int:
        return self.cost_won // self.qty if self.qty else 0


@dataclass(slots=True)
class Claim:
    """What one order holds of the account, and what it has been charged so far."""

    symbol: str
    market: str
    venue: str
    is_buy: bool
    worst_price: int
    leaves: int
    amount: int = 0
    commission: int = 0
    tax: int = 0
    cash_held: int = field(default=0, init=False)


class Account:
    """Holdings and cash. Every change is checked: neither ever goes below zero."""

    def __init__(self, number: str, cash_won: int, holdings: Mapping[str, Holding], rates: Rates) -> None:
        assert cash_won >= 0
        self.number = number
        self.cash = cash_won
        self.rates = rates
        # One entry per symbol ever held: at most one per listing.
        self._holdings = dict(holdings)
        self._cash_held = 0
        self.proceeds_today = 0
        """Net proceeds of today's sales, all of them already in `cash`."""

    @property
    def orderable_cash(self) -> int:
        """100%종목주문가능금액."""
        return self.cash - self._cash_held

    def holding(self, symbol: str) -> Holding:
        return self._holdings.setdefault(symbol, Holding())

    def held_symbols(self) -> list[str]:
        return sorted(symbol for symbol, holding in self._holdings.items() if holding.qty)

    def claim(self, *, symbol: str, market: str, venue: str, is_buy: bool, worst_price: int, qty: int) -> Claim | None:
        """Set aside what the order may need, or None if the account does not have it."""
        assert qty > 0
        claim = Claim(symbol, market, venue, is_buy, worst_price, leaves=qty)
        if is_buy:
            needed = self._cash_needed(claim)
            if needed > self.orderable_cash:
                return None
            self._hold_cash(claim, needed)
        else:
            if qty > self.holding(symbol).sellable:
                return None
            self.holding(symbol).resting_sells += qty
        return claim

    def fill(self, claim: Claim, price: int, qty: int) -> tuple[int, int]:
        """Book an execution; gives the (commission, tax) in won that it added."""
        assert 0 < qty <= claim.leaves
        amount = price * qty
        holding = self.holding(claim.symbol)
        claim.leaves -= qty
        claim.amount += amount
        commission = self.rates.commission(claim.venue, claim.amount) - claim.commission
        claim.commission += commission
        tax = 0
        if claim.is_buy:
            assert price <= claim.worst_price, "a buy filled above the worst price it had cash for"
            holding.qty += qty
            holding.cost_won += amount
            holding.bought_today += qty
            self.cash -= amount + commission
            self._hold_cash(claim, self._cash_needed(claim))
        else:
            tax = self.rates.tax(claim.market, claim.amount) - claim.tax
            claim.tax += tax
            cost = holding.cost_won * qty // holding.qty
            holding.cost_won -= cost
            holding.realised_won += amount - cost
            holding.qty -= qty
            holding.resting_sells -= qty
            holding.sold_today += qty
            self.cash += amount - commission - tax
            self.proceeds_today += amount - commission - tax
        self._check(holding)
        return commission, tax

    def release(self, claim: Claim, qty: int) -> None:
        """Give back what `qty` unfilled shares of the order held."""
        assert 0 <= qty <= claim.leaves
        claim.leaves -= qty
        if claim.is_buy:
            self._hold_cash(claim, self._cash_needed(claim))
        else:
            self.holding(claim.symbol).resting_sells -= qty
        self._check(self.holding(claim.symbol))

    def _cash_needed(self, claim: Claim) -> int:
        if claim.leaves == 0:
            return 0
        rest = claim.worst_price * claim.leaves
        return rest + self.rates.commission(claim.venue, claim.amount + rest) - claim.commission

    def _hold_cash(self, claim: Claim, needed: int) -> None:
        self._cash_held += needed - claim.cash_held
        claim.cash_held = needed

    def _check(self, holding: Holding) -> None:
        assert 0 <= holding.resting_sells <= holding.qty
        assert 0 <= self._cash_held <= self.cash
