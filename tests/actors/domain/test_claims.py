"""Claims: what is free to sell is never more than what is there, and every claim comes back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.domain.claims import CashBook, ShareBook
from kiwoom.market import SECOND, Nanos, Side, Symbol, Won

SAMSUNG = Symbol("005930")
SETTLE = SECOND


def at(seconds: float) -> Nanos:
    return Nanos(int(seconds * SECOND))


def book(held: int, sellable: int | None = None) -> ShareBook:
    shares = ShareBook(SETTLE)
    shares.report(SAMSUNG, held, held if sellable is None else sellable, at(0))
    return shares


# --- shares ---


def test_a_symbol_never_reported_has_nothing_to_sell() -> None:
    assert ShareBook(SETTLE).free(SAMSUNG, at(0)) == 0


def test_what_external_orders_claim_is_not_free() -> None:
    assert book(10, 7).free(SAMSUNG, at(1)) == 7


def test_a_pair_that_sells_first_claims_its_shares_at_once() -> None:
    shares = book(10)
    shares.claim("p1", SAMSUNG, Side.SELL, 4)
    assert shares.free(SAMSUNG, at(1)) == 6


def test_a_pair_that_buys_first_claims_nothing_and_lends_nothing() -> None:
    shares = book(0)
    shares.claim("p1", SAMSUNG, Side.BUY, 4)
    shares.report(SAMSUNG, 4, 4, at(1))
    assert shares.free(SAMSUNG, at(1)) == 0


def test_our_own_resting_sell_is_not_subtracted_twice() -> None:
    shares = book(10)
    shares.claim("p1", SAMSUNG, Side.SELL, 4)
    shares.report(SAMSUNG, 10, 6, at(1))
    assert shares.free(SAMSUNG, at(1)) == 6


def test_an_order_that_ended_unfilled_gives_its_shares_back_without_a_new_report() -> None:
    shares = book(10)
    shares.claim("p1", SAMSUNG, Side.SELL, 4)
    shares.report(SAMSUNG, 10, 6, at(1))
    shares.order_ended("p1", SAMSUNG, True, 0, at(1.1))
    assert shares.free(SAMSUNG, at(1.1)) == 10
    shares.release("p1", SAMSUNG, 0, 0, at(1.1), proved=True)
    assert shares.free(SAMSUNG, at(9)) == 10


def test_a_partly_filled_entry_keeps_what_it_sold_until_the_pair_ends() -> None:
    shares = book(10)
    shares.claim("p1", SAMSUNG, Side.SELL, 4)
    shares.order_ended("p1", SAMSUNG, True, 3, at(1))
    shares.report(SAMSUNG, 7, 7, at(1))
    assert shares.free(SAMSUNG, at(1)) == 7
    shares.report(SAMSUNG, 10, 10, at(2))
    assert shares.free(SAMSUNG, at(2)) == 7
    shares.release("p1", SAMSUNG, 3, 3, at(2), proved=True)
    assert shares.free(SAMSUNG, at(2)) == 10


def test_a_fill_is_not_forgotten_when_the_end_comes_before_its_report() -> None:
    shares = book(10)
    shares.claim("p1", SAMSUNG, Side.SELL, 4)
    shares.order_ended("p1", SAMSUNG, True, 4, at(1))
    shares.release("p1", SAMSUNG, 0, 4, at(1), proved=False)
    assert shares.free(SAMSUNG, at(1)) == 6


def test_a_report_that_our_own_fills_explain_is_no_external_sale() -> None:
    shares = book(10)
    shares.claim("p1", SAMSUNG, Side.SELL, 4)
    shares.report(SAMSUNG, 8, 8, at(1))
    assert shares.free(SAMSUNG, at(1)) == 6


def test_an_external_sale_beside_a_live_pair_is_believed_at_its_worst() -> None:
    shares = book(10)
    shares.claim("p1", SAMSUNG, Side.SELL, 4)
    shares.report(SAMSUNG, 5, 5, at(1))
    assert shares.free(SAMSUNG, at(1)) == 1


def test_an_external_order_beside_our_resting_sell_is_seen() -> None:
    shares = book(10)
    shares.claim("p1", SAMSUNG, Side.SELL, 4)
    shares.report(SAMSUNG, 10, 3, at(1))
    assert shares.free(SAMSUNG, at(1)) <= 3


def test_a_late_repeat_of_an_old_report_invents_no_shares() -> None:
    shares = book(0)
    shares.claim("p1", SAMSUNG, Side.BUY, 1)
    shares.order_ended("p1", SAMSUNG, True, 1, at(1))
    shares.release("p1", SAMSUNG, 1, 1, at(1.5), proved=True)
    shares.report(SAMSUNG, 1, 1, at(1.6))  # from the middle of the pair
    assert shares.free(SAMSUNG, at(1.6)) == 0
    assert shares.free(SAMSUNG, at(9)) == 0


def test_an_external_sale_hidden_by_a_pair_shows_once_all_is_settled() -> None:
    shares = book(10)
    shares.claim("p1", SAMSUNG, Side.SELL, 4)
    shares.order_ended("p1", SAMSUNG, True, 4, at(1))
    shares.report(SAMSUNG, 8, 8, at(1.2))  # 4 sold, 2 bought back; or 2 of them sold by somebody else
    shares.release("p1", SAMSUNG, 4, 4, at(1.3), proved=True)
    assert shares.free(SAMSUNG, at(1.3) + SETTLE) == 8


@pytest.mark.parametrize(
    ("held", "sellable", "free"), [(10, 10, 10), (25, 20, 10), (25, 4, 4), (7, 7, 7), (7, 3, 3), (0, 0, 0)]
)
def test_a_report_in_the_clear_takes_away_but_never_adds_what_others_bought(
    held: int, sellable: int, free: int
) -> None:
    shares = book(10)
    shares.report(SAMSUNG, held, sellable, at(1))
    assert shares.free(SAMSUNG, at(1)) == free
    shares.report(SAMSUNG, 10, 10, at(2))
    assert shares.free(SAMSUNG, at(2)) == 10


def test_a_report_older_than_the_last_is_ignored() -> None:
    shares = ShareBook(SETTLE)
    shares.report(SAMSUNG, 5, 5, at(2))
    shares.report(SAMSUNG, 9, 9, at(1))
    assert shares.free(SAMSUNG, at(3)) == 5


def test_an_entry_whose_end_is_not_proved_keeps_its_claim_until_it_is() -> None:
    shares = book(10)
    shares.claim("p1", SAMSUNG, Side.SELL, 4)
    shares.release("p1", SAMSUNG, 0, 1, at(1), proved=False)
    assert shares.free(SAMSUNG, at(5)) == 6
    shares.order_ended("p1", SAMSUNG, True, 1, at(6))
    assert shares.free(SAMSUNG, at(6)) == 9


def test_a_request_that_came_to_nothing_leaves_no_trace() -> None:
    shares = book(10)
    shares.claim("p1", SAMSUNG, Side.SELL, 4)
    shares.drop("p1", SAMSUNG)
    assert shares.free(SAMSUNG, at(1)) == 10
    assert shares.is_quiet(SAMSUNG, at(1))


def test_a_first_report_beside_a_restored_pair_is_believed_at_its_worst() -> None:
    shares = ShareBook(SETTLE)
    shares.claim("p1", SAMSUNG, Side.BUY, 3)
    shares.report(SAMSUNG, 5, 5, at(1))
    assert shares.free(SAMSUNG, at(1)) == 2


@pytest.mark.parametrize(
    ("first", "held_at_first", "at_end", "free"),
    [
        (Side.SELL, 7, 10, 10),  # it had sold 3
        (Side.SELL, 10, 10, 10),  # it had sold nothing yet
        (Side.BUY, 13, 10, 10),  # it had bought 3
        (Side.BUY, 10, 10, 10),
        (Side.SELL, 7, 12, 10),  # a report that nothing of ours explains is believed up to what may be ours
        (Side.BUY, 13, 8, 8),
    ],
)
def test_what_a_restart_reckoned_at_its_worst_comes_back_with_a_report_after_the_end(
    first: Side, held_at_first: int, at_end: int, free: int
) -> None:
    shares = ShareBook(SETTLE)
    shares.claim("p1", SAMSUNG, first, 3)
    shares.report(SAMSUNG, held_at_first, held_at_first, at(0), is_list=True)
    assert shares.free(SAMSUNG, at(0)) <= 10
    shares.order_ended("p1", SAMSUNG, False, 3, at(1))
    shares.report(SAMSUNG, at_end, at_end, at(1))
    shares.release("p1", SAMSUNG, 3, 3, at(1), proved=True)
    assert shares.free(SAMSUNG, at(1) + SETTLE) == min(free, held_at_first + (3 if first is Side.SELL else 0))


def test_the_accounts_list_does_not_raise_what_was_reckoned_at_its_worst() -> None:
    shares = ShareBook(SETTLE)
    shares.claim("p1", SAMSUNG, Side.BUY, 3)
    shares.report(SAMSUNG, 13, 13, at(1), is_list=True)  # asked before the sale, heard after it
    shares.release("p1", SAMSUNG, 3, 3, at(1), proved=True)
    assert shares.free(SAMSUNG, at(9)) == 10


class BrokerModel:
    """The truth: held shares, our pairs' fills, one external order book; reports each change, some late and twice."""

    def __init__(self, held: int) -> None:
        self.held, self.resting, self.now = held, 0, 0
        self.shares = ShareBook(SETTLE)
        self.last_report = (held, held)
        self.report()

    def report(self) -> None:
        self.last_report = (self.held, self.held - self.resting)
        self.shares.report(SAMSUNG, *self.last_report, Nanos(self.now))

    def run_pair(self, name: str, first: Side, qty: int, fills: int, hedged: int, gap: int, repeat: bool) -> None:
        """One pair from claim to end, checking that what is free could be sold beside it at every step."""
        self.shares.claim(name, SAMSUNG, first, qty)
        self.check(self.can_sell(qty if first is Side.SELL else 0))
        if first is Side.SELL:
            self.resting = qty
            self.report()
            self.check(self.can_sell(0))
        for done in range(fills):
            self.held += -1 if first is Side.SELL else 1
            self.resting = max(0, qty - done - 1) if first is Side.SELL else 0
            self.report()
        self.resting = 0
        stale = self.last_report
        self.now += gap
        self.shares.order_ended(name, SAMSUNG, True, fills, Nanos(self.now))
        for _ in range(hedged):
            self.held += 1 if first is Side.SELL else -1
            self.report()
        bought, sold = (hedged, fills) if first is Side.SELL else (fills, hedged)
        self.now += gap
        self.shares.release(name, SAMSUNG, bought, sold, Nanos(self.now), proved=True)
        self.check(self.held)
        if repeat:
            self.shares.report(SAMSUNG, *stale, Nanos(self.now))
            self.check(self.held)

    def can_sell(self, promised: int) -> int:
        return self.held - self.resting - promised

    def check(self, most: int) -> None:
        assert 0 <= self.shares.free(SAMSUNG, Nanos(self.now)) <= most


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 5),
    st.lists(
        st.tuples(st.sampled_from(Side), st.integers(1, 3), st.integers(0, 3), st.integers(0, SECOND), st.booleans()),
        max_size=20,
    ),
)
def test_what_is_free_can_always_be_sold_and_all_of_it_comes_back(
    held: int, pairs: list[tuple[Side, int, int, int, bool]]
) -> None:
    broker = BrokerModel(held)
    for number, (first, qty, wanted, gap, repeat) in enumerate(pairs):
        if first is Side.SELL and broker.shares.free(SAMSUNG, Nanos(broker.now)) < qty:
            continue
        fills = min(qty, wanted)
        broker.run_pair(f"p{number}", first, qty, fills, fills, gap, repeat)
    broker.now += 2 * SETTLE
    broker.report()
    assert broker.shares.free(SAMSUNG, Nanos(broker.now)) == held
    assert broker.shares.claims(SAMSUNG) == 0


# --- cash ---


def test_an_unknown_balance_is_nothing_to_spend() -> None:
    assert CashBook().free == 0


def test_claims_reduce_what_is_free_until_they_end() -> None:
    cash = CashBook()
    cash.set_balance(Won(1_000))
    cash.claim("p1", 300)
    cash.claim("p2", 200)
    cash.shrink("p1", 100)
    assert (cash.free, cash.claimed) == (700, 300)
    cash.drop("p2")
    cash.release("p1", received=120, paid=101)
    assert (cash.free, cash.claimed) == (1_019, 0)


@pytest.mark.parametrize("received", [0, 120])
def test_a_pair_that_straddles_a_reading_of_the_balance_books_only_what_it_paid(received: int) -> None:
    cash = CashBook()
    cash.claim("p1", 300)
    cash.set_balance(Won(1_000))
    cash.release("p1", received=received, paid=101)
    assert cash.free == 899
