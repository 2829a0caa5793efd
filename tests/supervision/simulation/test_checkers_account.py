"""The account and the record: cover, self-trades, somebody else's orders, money and replay."""

from typing import Any

import pytest

from actors.messages.journal import EventType
from kiwoom.simulated.ledger import LedgerKind
from tests.support.witnessed_day import SYMBOL, Day


def foreign(day: Day, kind: LedgerKind, number: str = "0088888", **columns: Any) -> Day:
    return day.ledger(kind, rq_name="HTS", order_no=number, venue="KRX", symbol=SYMBOL, **columns)


# --- COVERED ----------------------------------------------------------------------------------------------------------


def test_a_sale_beyond_what_is_held_is_found() -> None:
    assert Day(held=2).sends("p-1-A1", "SELL", "NXT", qty=2).broken() == []
    assert "COVERED" in Day(held=1).sends("p-1-A1", "SELL", "NXT", qty=2).broken()


def test_two_sales_of_the_same_shares_are_found() -> None:
    day = Day(held=3).sends("p-1-A1", "SELL", "NXT", qty=2)
    assert day.broken() == []
    assert "COVERED" in day.sends("p-2-A1", "SELL", "KRX", qty=2).broken()


def test_what_a_cancelled_sale_held_is_free_again() -> None:
    day = Day(held=2).sends("p-1-A1", "SELL", "NXT", qty=2).canceled("p-1-A1")
    assert day.sends("p-2-A1", "SELL", "NXT", qty=2).broken() == []


@pytest.mark.parametrize("reason", ["[800033] 매도가능수량이 부족", "[855056] 증거금 부족"])
def test_a_refusal_for_want_of_shares_or_cash_is_found(reason: str) -> None:
    assert "COVERED" in Day().tries("p-1-A1", "SELL", "NXT").rejected("p-1-A1", reason=reason).broken()


def test_other_refusals_are_no_matter_of_cover() -> None:
    assert Day().tries("p-1-A1", "SELL", "NXT").rejected("p-1-A1", reason="[800000] 거부").broken() == []


def test_somebody_elses_fresh_order_explains_the_refusal_and_an_old_one_does_not() -> None:
    def refused(after_ms: int) -> list[str]:
        day = foreign(Day(), LedgerKind.ORDER, side="SELL", qty=20, price=99_000).at(after_ms)
        return day.tries("p-1-A1", "SELL", "NXT").rejected("p-1-A1", reason="[800033]").broken()

    assert refused(1_000) == []
    assert refused(2_000) == ["COVERED"]


# --- NO SELF-TRADE ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("buy", "sell", "crosses"),
    [(70_000, 70_000, True), (70_000, 70_100, False), (70_100, 70_000, True), (0, 70_100, True), (70_000, 0, True)],
)
@pytest.mark.parametrize("buy_first", [True, False])
def test_own_orders_never_cross_in_one_book(buy: int, sell: int, crosses: bool, buy_first: bool) -> None:
    orders = [("p-1-A1", "BUY", buy), ("p-2-A1", "SELL", sell)]
    day = Day()
    for name, side, price in orders if buy_first else orders[::-1]:
        day.sends(name, side, "KRX", price=price, hoga="00" if price else "29")
    assert day.broken() == (["NO SELF-TRADE"] if crosses else [])


def test_opposite_orders_on_two_venues_are_the_business() -> None:
    assert Day().sends("p-1-A1", "SELL", "NXT", price=70_000).sends("p-2-A1", "BUY", "KRX", price=70_500).broken() == []


def test_an_order_that_left_the_book_stands_in_nobodys_way() -> None:
    day = Day().sends("p-1-A1", "SELL", "KRX").canceled("p-1-A1")
    assert day.sends("p-2-A1", "BUY", "KRX").broken() == []


def test_fills_of_one_instant_and_price_on_both_sides_are_found() -> None:
    def both(px: int) -> Day:
        day = Day().sends("p-1-A1", "SELL", "KRX", price=70_100).sends("p-2-A1", "BUY", "KRX", price=70_000)
        return day.fills("p-1-A1", px=70_000).fills("p-2-A1", px=px)

    assert "NO SELF-TRADE" in both(70_000).broken()
    assert "NO SELF-TRADE" not in both(69_900).broken()


# --- FOREIGN ----------------------------------------------------------------------------------------------------------


def test_a_cancel_of_somebody_elses_order_is_found() -> None:
    day = foreign(Day().open_pair().sends("p-1-B1", "BUY", "KRX"), LedgerKind.ORDER, side="BUY", qty=3, price=60_000)
    assert day.cancels("p-1-C1", "p-1-B1").broken() == []
    assert "FOREIGN" in day.cancels("p-1-C2", "p-1-B1", orig_order_no="0088888").broken()


def test_shares_that_somebody_else_bought_are_not_ours_to_sell() -> None:
    day = foreign(Day(held=1), LedgerKind.ORDER, side="BUY", qty=5, price=70_000)
    foreign(day, LedgerKind.FILL, side="BUY", fill_qty=5, fill_px=70_000, exec_id="900")
    assert day.sends("p-1-A1", "SELL", "NXT", qty=1).broken() == []
    assert day.sends("p-2-A1", "SELL", "KRX", qty=1).broken() == ["FOREIGN"]


def test_a_day_with_somebody_elses_trades_adds_up() -> None:
    day = foreign(Day().good_pair(), LedgerKind.ORDER, side="SELL", qty=5, price=70_000)
    foreign(day, LedgerKind.FILL, side="SELL", fill_qty=5, fill_px=70_000, exec_id="900", fee_krw=40, tax_krw=700)
    foreign(day, LedgerKind.END, side="SELL", qty=0)
    assert day.good_pair("p-2", 5_000).ends() == []


# --- MONEY ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lie", [{"net_krw": 331}, {"net_krw": 0}])
def test_a_result_that_is_a_won_off_is_found(lie: dict[str, int]) -> None:
    day = Day().open_pair().sends("p-1-B1", "BUY", "KRX").fills("p-1-B1").done("p-1", **lie)
    assert day.ends() == ["MONEY"]


def test_two_errors_that_make_up_for_each_other_are_found() -> None:
    day = Day()
    for number, off in ((1, 7), (2, -7)):
        pair_id = f"p-{number}"
        day.open_pair(pair_id, 2_000 * number).sends(f"{pair_id}-B1", "BUY", "KRX").fills(f"{pair_id}-B1")
        day.done(pair_id, net_krw=500 - 2 * 10 - 140 + off)
    assert day.ends() == ["MONEY"]


def test_cash_that_moved_without_a_fill_is_found() -> None:
    day = Day().good_pair()
    day.view.cash += 1
    assert day.ends() == ["MONEY"]


def test_a_share_left_open_counts_with_what_it_brought() -> None:
    day = Day().open_pair().done("p-1", EventType.UNHEDGED)
    assert "MONEY" not in day.ends()
    day = Day().open_pair().done("p-1", EventType.UNHEDGED, net_krw=0)
    assert "MONEY" in day.ends()


def test_what_flatten_closes_counts_once() -> None:
    day = Day().open_pair().done("p-1", EventType.UNHEDGED).at(5_000).row(EventType.OPERATOR, reason="flatten")
    day.hands_over("p-1", -1, 70_500)
    day.sends("p-1-R1B1", "BUY", "KRX", hoga="13", kind="flatten").fills("p-1-R1B1", px=70_200)
    assert day.done("p-1", EventType.FLATTENED, child=1).ends() == [], day.panel.breaches()


# --- REPLAY -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", range(9))
def test_a_journal_that_lost_any_row_is_found(lost: int) -> None:
    day = Day().good_pair()
    del day.view.committed[lost]
    assert "REPLAY" in day.ends()


def test_a_journal_that_has_a_row_twice_is_found() -> None:
    day = Day().good_pair()
    day.view.committed.append(day.view.committed[3])
    assert "REPLAY" in day.ends()


def test_a_journal_whose_rows_changed_places_is_found() -> None:
    day = Day().open_pair().sends("p-1-B1", "BUY", "KRX").fills("p-1-B1").done("p-1")
    rows = day.view.committed
    tried = next(i for i, row in enumerate(rows) if row.cl_ord_id == "p-1-B1")
    rows[tried], rows[tried + 1] = rows[tried + 1], rows[tried]
    assert "REPLAY" in day.ends()


def test_an_order_open_at_the_broker_and_over_in_the_journal_is_found() -> None:
    day = (
        Day()
        .good_pair()
        .sends("p-2-A1", "BUY", "KRX")
        .row(
            EventType.CANCELED,
            {"canceled_qty": 1},
            pair_id="p-2",
            leg="A",
            cl_ord_id="p-2-A1",
            side="BUY",
            reason="BY_US",
        )
    )
    assert {"REPLAY", "TRUE ENDS"} <= set(day.ends())


def test_shares_that_the_journal_does_not_know_of_are_found() -> None:
    day = Day().good_pair()
    day.view.holdings[SYMBOL] += 1
    assert {"REPLAY", "OWNED"} <= set(day.ends())
