"""What a pair's ends have booked, and which part of it goes with an imbalance that is handed over to be closed.

An open quantity is handed over for what it cost to the won: bought less sold in money, fees and taxes included. What
stays behind was bought and sold in equal number and money, so that it earns nothing: the child's result is the whole.
"""

from dataclasses import replace

from actors.messages.pairs import PairSums
from kiwoom.market import Shares, Won


def net_of(sums: PairSums) -> int:
    return sums.sell_amount - sums.buy_amount - sums.commission_won - sums.tax_won


def carried_of(unhedged: PairSums) -> PairSums:
    """What goes with the imbalance of such ends."""
    qty, spent = unhedged.bought - unhedged.sold, unhedged.buy_amount - unhedged.sell_amount
    if qty > 0:
        return replace(unhedged, bought=Shares(qty), sold=Shares(0), buy_amount=Won(spent), sell_amount=Won(0))
    return replace(unhedged, bought=Shares(0), sold=Shares(-qty), buy_amount=Won(0), sell_amount=Won(-spent))


def joined_sums(one: PairSums, other: PairSums, sign: int = 1) -> PairSums:
    return PairSums(
        Shares(one.bought + sign * other.bought),
        Shares(one.sold + sign * other.sold),
        Won(one.buy_amount + sign * other.buy_amount),
        Won(one.sell_amount + sign * other.sell_amount),
        Won(one.commission_won + sign * other.commission_won),
        Won(one.tax_won + sign * other.tax_won),
    )
