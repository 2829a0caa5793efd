"""Single orders: what is true passes, each lie about an order is found by the promise that it breaks."""

import pytest

from actors.messages.journal import EventType
from kiwoom.simulated.ledger import LedgerKind
from supervision.simulation.checkers import CheckerSettings
from supervision.simulation.evidence import ActorDied, VenueClosed
from tests.support.witnessed_day import SYMBOL, Day


def entry_and_post(qty: int = 1) -> Day:
    """Sold on NXT; the hedge rests on KRX."""
    return Day().open_pair(qty=qty).at(35).sends("p-1-B1", "BUY", "KRX", qty=qty).state("p-1", "HEDGE_POST_SENT")


# --- ONCE, ATTEMPT-FIRST ----------------------------------------------------------------------------------------------


def test_an_id_that_is_tried_again_is_found() -> None:
    assert "ONCE" in entry_and_post().tries("p-1-B1", "BUY", "KRX").broken()


@pytest.mark.parametrize("kind", [LedgerKind.ORDER, LedgerKind.OVERLOAD, LedgerKind.REJECT])
def test_an_id_that_comes_to_the_broker_again_is_found_whatever_became_of_it(kind: LedgerKind) -> None:
    assert "ONCE" in entry_and_post().called("p-1-B1", kind).broken()


def test_a_call_before_its_attempt_row_is_found() -> None:
    day = Day().open_pair().tries("p-1-B1", "BUY", "KRX")
    assert day.broken() == []
    assert "ATTEMPT-FIRST" in day.ledger(LedgerKind.ORDER, rq_name="p-1-B2", order_no="0000009").broken()


@pytest.mark.parametrize(
    "lie", [{"qty": 2}, {"price": 69_900}, {"order_type": 21}, {"symbol": "000660"}, {"hoga_code": "10"}]
)
def test_a_call_that_differs_from_its_attempt_row_is_found(lie: dict[str, object]) -> None:
    assert "ATTEMPT-FIRST" in Day().open_pair().tries("p-1-B1", "BUY", "KRX").called("p-1-B1", **lie).broken()


# --- ONE END ----------------------------------------------------------------------------------------------------------


def test_a_cancelled_order_ends_once() -> None:
    day = entry_and_post().at(1_100).cancels("p-1-C1", "p-1-B1").at(1_130).canceled("p-1-B1", "BY_US")
    day.sends("p-1-B2", "BUY", "KRX", hoga="10", kind="hedge_ioc").fills("p-1-B2").done("p-1").abandon("p-1")
    assert day.ends() == [], day.panel.breaches()


def test_a_second_end_is_found() -> None:
    day = entry_and_post().fills("p-1-B1")
    assert day.broken() == []
    assert "ONE END" in day.canceled("p-1-B1", "BY_US", made=False).broken()


def test_an_order_without_an_end_is_found() -> None:
    assert "ONE END" in entry_and_post().ends()


def test_an_order_that_rests_on_a_closed_venue_may_be_without_an_end() -> None:
    for venue, excused in (("NXT", False), ("KRX", True)):
        day = entry_and_post()
        day.machine(VenueClosed(venue))
        assert ("ONE END" not in day.ends()) is excused


def test_a_refused_order_ends_without_an_attempt() -> None:
    day = Day().state("p-1", "CANDIDATE").refused("p-1-A1", "SELL", "HALTED", "entry").state("p-1", "ENTRY_REJECTED")
    assert day.ends() == []


def test_a_withdrawn_order_ends_without_an_attempt() -> None:
    day = Day().good_pair()
    day.row(EventType.CANCELED, pair_id="p-1", leg="B", cl_ord_id="p-1-B2", side="BUY", reason="BY_US", symbol=SYMBOL)
    assert day.ends() == []


def test_a_refused_doubt_query_is_no_end_of_its_order() -> None:
    day = entry_and_post().row(EventType.ORDER_REFUSED, pair_id="p-1", cl_ord_id="p-1-B1", reason="OUTDATED")
    day.fills("p-1-B1").done("p-1")
    assert day.ends() == []


def test_a_refusal_of_what_was_tried_is_found() -> None:
    assert {"ONE END", "TRUE ENDS"} <= set(entry_and_post().refused("p-1-B1").broken())


def test_a_fill_after_the_end_must_say_that_it_is_late() -> None:
    def lied_to() -> Day:
        day = entry_and_post(qty=2).struck("phantom_report", "p-1-B1")
        day.canceled("p-1-B1", "BY_US", made=False)
        return day

    assert lied_to().fills("p-1-B1", 1, reason="LATE").broken() == []
    assert "ONE END" in lied_to().fills("p-1-B1", 1).broken()
    assert "ONE END" in entry_and_post(qty=2).fills("p-1-B1", 1, reason="LATE").broken()


def test_a_whole_fill_that_leaves_something_is_found() -> None:
    assert "ONE END" in entry_and_post().fills("p-1-B1", leaves_qty=1).broken()


# --- TRUE ENDS --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lie", [{"fill_qty": 2}, {"fill_px": 69_900}, {"venue": "NXT"}, {"order_no": "5"}])
def test_a_fill_that_the_broker_made_otherwise_is_found(lie: dict[str, object]) -> None:
    assert "TRUE ENDS" in entry_and_post().fills("p-1-B1", **lie).broken()  # type: ignore[arg-type]


def test_a_fill_under_another_exec_id_is_found() -> None:
    day = entry_and_post().fills("p-1-B1", told=False, exec_id="8")
    assert "TRUE ENDS" in day.fills("p-1-B1", made=False, exec_id="9").broken()


def test_a_fill_that_the_venue_never_made_is_found() -> None:
    assert "TRUE ENDS" in entry_and_post().fills("p-1-B1", made=False).broken()


def test_a_fill_told_twice_is_found() -> None:
    day = entry_and_post(qty=2).fills("p-1-B1", 1, exec_id="8")
    assert day.broken() == []
    assert "TRUE ENDS" in day.fills("p-1-B1", 1, made=False, exec_id="8").broken()


def test_a_fill_that_is_never_told_is_found() -> None:
    day = entry_and_post().fills("p-1-B1", told=False).canceled("p-1-B1", "LOST", made=False)
    assert "TRUE ENDS" in day.ends()


def test_fills_inferred_by_a_query_are_compared_by_quantity_and_amount() -> None:
    def asked(px: int) -> Day:
        day = entry_and_post(qty=3).fills("p-1-B1", 1).fills("p-1-B1", 2, told=False)
        return day.fills("p-1-B1", 2, px, made=False, exec_id="QUERY3", leaves_qty=0).done("p-1")

    assert "TRUE ENDS" not in asked(70_000).ends()
    assert "TRUE ENDS" in asked(69_900).ends()


def test_the_end_of_an_order_that_may_still_fill_is_found() -> None:
    assert "TRUE ENDS" in entry_and_post().canceled("p-1-B1", "BY_US", made=False).broken()


def test_a_lost_order_that_the_broker_has_is_found() -> None:
    assert "TRUE ENDS" in entry_and_post().canceled("p-1-B1", "LOST", made=False).broken()
    day = Day().open_pair().tries("p-1-B1", "BUY", "KRX")
    assert day.canceled("p-1-B1", "LOST", made=False).broken() == []
    assert "TRUE ENDS" in day.called("p-1-B1").broken()


def test_a_lost_order_that_the_broker_had_and_released_whole_cannot_be_told_from_one_that_never_came() -> None:
    assert "TRUE ENDS" not in entry_and_post().canceled("p-1-B1", "LOST").broken()


def test_more_called_free_than_was_released_is_found() -> None:
    day = entry_and_post(qty=3).fills("p-1-B1", 1, told=False)
    assert "TRUE ENDS" in day.canceled("p-1-B1", "BY_US", qty=3).broken()


def test_a_rejection_is_one_only_if_the_broker_took_nothing() -> None:
    assert Day().open_pair().tries("p-1-B1", "BUY", "KRX").rejected("p-1-B1").broken() == []
    assert "TRUE ENDS" in entry_and_post().rejected("p-1-B1", "TR", kind=None).broken()
    assert (
        entry_and_post().leaves_the_book("p-1-B1", "rejected").rejected("p-1-B1", "EXCHANGE", kind=None).broken() == []
    )
    assert "TRUE ENDS" in entry_and_post().rejected("p-1-B1", "EXCHANGE", kind=None).broken()


# --- BOUNDED ----------------------------------------------------------------------------------------------------------


def rejected_hedges(count: int, kind: LedgerKind = LedgerKind.REJECT) -> Day:
    day = Day().open_pair()
    for number in range(count):
        name = f"p-1-B{number}"
        source = "LOCAL" if kind is LedgerKind.OVERLOAD else "TR"
        day.at(300 * number + 300).tries(name, "BUY", "KRX").rejected(name, source, kind=kind)
    return day


def test_post_ioc_and_five_attempts_are_enough() -> None:
    assert "BOUNDED" not in rejected_hedges(7).broken()
    assert "BOUNDED" in rejected_hedges(8).broken()


def test_what_met_an_overload_may_be_sent_again() -> None:
    assert "BOUNDED" not in rejected_hedges(12, LedgerKind.OVERLOAD).broken()


def test_each_generation_of_a_pair_has_its_own_count_and_each_needs_a_death() -> None:
    day = rejected_hedges(7).at(3_000).machine(ActorDied("pair_manager", 0))
    for generation in (1, 2):
        assert "BOUNDED" not in day.tries(f"p-1-G{generation}B1", "BUY", "KRX").broken()
    for generation in (3, 4, 5):
        day.tries(f"p-1-G{generation}B1", "BUY", "KRX")
    assert "BOUNDED" in day.broken()


def test_a_storm_of_cancels_is_found() -> None:
    def cancelled(times: int, struck: int = 0) -> Day:
        day = entry_and_post()
        for _ in range(struck):
            day.struck("cancel_unanswered", "p-1-B1")
        for number in range(times):
            day.at(1_100 + 400 * number).cancels(f"p-1-C{number}", "p-1-B1")
        return day

    assert "BOUNDED" not in cancelled(3).broken()
    assert "BOUNDED" in cancelled(4).broken()
    assert "BOUNDED" not in cancelled(4, struck=1).broken()


def test_a_storm_of_doubt_queries_is_found() -> None:
    def asked(times: int, every_ms: int) -> Day:
        day = entry_and_post()
        for number in range(times):
            day.at(300 + every_ms * number).row(EventType.DOUBT_QUERY, pair_id="p-1", cl_ord_id="p-1-B1")
        return day

    assert "BOUNDED" not in asked(12, 500).broken()
    assert "BOUNDED" in asked(13, 500).broken()
    assert "BOUNDED" in asked(2, 100).broken()


# --- RIGHT VENUE ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("venue", ["KRX", "NXT"])
@pytest.mark.parametrize("side", ["BUY", "SELL"])
@pytest.mark.parametrize("order_type", [3, 4, 13, 23])
@pytest.mark.parametrize("kind", [LedgerKind.CANCEL, LedgerKind.REJECT, LedgerKind.OVERLOAD])
def test_a_cancel_must_have_the_type_of_its_orders_venue(
    venue: str, side: str, order_type: int, kind: LedgerKind
) -> None:
    day = Day().sends("p-1-A1", side, venue).cancels("p-1-C1", "p-1-A1", order_type=order_type, kind=kind)
    right = {("KRX", "BUY"): 3, ("KRX", "SELL"): 4}.get((venue, side), 23)
    assert day.broken() == ([] if order_type == right else ["RIGHT VENUE"])


def test_a_cancel_of_what_is_not_ours_is_found() -> None:
    day = entry_and_post().ledger(
        LedgerKind.ORDER, rq_name="HTS", order_no="0077777", venue="KRX", symbol=SYMBOL, side="BUY", qty=5, price=60_000
    )
    assert day.broken() == []
    assert {"RIGHT VENUE", "FOREIGN"} <= set(day.cancels("p-1-C1", "p-1-B1", orig_order_no="0077777").broken())


def test_the_settings_say_how_many_cancels_are_enough() -> None:
    day = Day(CheckerSettings(cancels_max=1)).open_pair().sends("p-1-B1", "BUY", "KRX")
    assert "BOUNDED" in day.at(500).cancels("p-1-C1", "p-1-B1").at(900).cancels("p-1-C2", "p-1-B1").broken()
