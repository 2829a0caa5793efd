"""Pairs: one end each, an owner always, flat in time, never hedged twice; lies about each are found."""

import pytest

from actors.messages.journal import EventType
from kiwoom.market import MS
from kiwoom.simulated.ledger import LedgerKind
from supervision.simulation.checkers import Allowances, CheckerSettings
from supervision.simulation.evidence import (
    ActorDied,
    ActorStarted,
    FaultsOff,
    LineCut,
    MachineKilled,
    MachineStarted,
    TradingHalted,
    TradingResumed,
    VenueClosed,
)
from tests.support.witnessed_day import SYMBOL, Day

UNHEDGED, FLATTENED = EventType.UNHEDGED, EventType.FLATTENED


def hedged(day: Day, at_ms: int, px: int = 70_000) -> Day:
    return day.at(at_ms).sends("p-1-B9", "BUY", "KRX", hoga="13", kind="hedge_market").fills("p-1-B9", px=px)


# --- PAIR ENDS --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["ENTRY_MISSED", "ENTRY_REJECTED"])
def test_a_pair_that_never_began_ends_by_its_state(state: str) -> None:
    day = Day().row(EventType.ADMITTED, pair_id="p-1", symbol=SYMBOL).state("p-1", "CANDIDATE")
    day.sends("p-1-A1", "SELL", "NXT").canceled("p-1-A1")
    assert day.state("p-1", state).ends() == []


def test_a_pair_without_an_end_is_found() -> None:
    assert "PAIR ENDS" in Day().row(EventType.ADMITTED, pair_id="p-1", symbol=SYMBOL).ends()
    assert "PAIR ENDS" in Day().sends("p-1-A1", "SELL", "NXT").canceled("p-1-A1").ends()


def test_an_admission_that_died_with_its_actor_needs_no_end_an_order_does() -> None:
    day = Day().row(EventType.ADMITTED, pair_id="p-1", symbol=SYMBOL).machine(ActorDied("router", 0))
    assert day.ends() == []
    day = Day().sends("p-1-A1", "SELL", "NXT").canceled("p-1-A1").machine(MachineKilled())
    assert "PAIR ENDS" in day.ends()


def test_a_second_end_of_a_child_is_found_another_childs_end_is_not() -> None:
    assert Day().good_pair().state("p-1", "ENTRY_MISSED").broken() == ["PAIR ENDS"]
    assert Day().good_pair().done("p-1").broken() == ["PAIR ENDS"]
    assert Day().good_pair().state("p-1", "RESCUE", child=1).broken() == []


def test_a_rescue_without_an_end_is_found() -> None:
    assert "PAIR ENDS" in Day().good_pair().state("p-1", "RESCUE", child=1).ends()


def test_a_late_fill_and_its_rescue_add_up() -> None:
    day = Day().sends("p-1-A1", "SELL", "NXT", price=70_500).struck("phantom_report", "p-1-A1")
    day.canceled("p-1-A1", made=False).state("p-1", "ENTRY_MISSED").at(700).fills("p-1-A1", px=70_500, reason="LATE")
    day.state("p-1", "RESCUE", child=1).manage("p-1").sends("p-1-R1B1", "BUY", "KRX", hoga="10").fills("p-1-R1B1")
    assert day.done("p-1", child=1).abandon("p-1").ends() == [], day.panel.breaches()


@pytest.mark.parametrize("lie", [{"bought": 2, "sold": 2}, {"bought": 0, "sold": 0}, {"bought": 1, "sold": 0}])
def test_figures_that_the_broker_does_not_confirm_are_found(lie: dict[str, int]) -> None:
    day = hedged(Day().open_pair(), 40)
    assert "PAIR ENDS" in day.done("p-1", **lie).ends()


def test_a_hedge_of_the_ordered_instead_of_the_filled_quantity_is_found() -> None:
    day = Day().at(0).manage("p-1").sends("p-1-A1", "SELL", "NXT", qty=3).fills("p-1-A1", 1).canceled("p-1-A1")
    day.at(40).sends("p-1-B1", "BUY", "KRX", qty=3)
    assert "NO DOUBLE HEDGE" in day.broken()
    assert "PAIR ENDS" in day.fills("p-1-B1", 3).done("p-1").ends()


# --- OWNED ------------------------------------------------------------------------------------------------------------


def test_an_imbalance_that_nobody_owns_is_found() -> None:
    def unowned(ms: int) -> list[str]:
        return Day().open_pair().abandon("p-1").at(ms).broken()

    assert unowned(2_900) == []
    assert unowned(3_300) == ["OWNED"]


def test_an_imbalance_that_is_listed_needs_no_owner() -> None:
    day = Day().open_pair().done("p-1", UNHEDGED).abandon("p-1").at(9_000)
    assert "OWNED" not in day.broken()


def test_an_imbalance_that_is_listed_too_small_is_found() -> None:
    day = Day().open_pair(qty=2).done("p-1", UNHEDGED, sold=1).abandon("p-1").at(9_000)
    assert "OWNED" in day.broken()


def test_an_owner_that_comes_back_in_time_is_one() -> None:
    day = Day().open_pair().abandon("p-1").at(2_500).manage("p-1").at(4_000).abandon("p-1").at(6_500)
    assert "OWNED" not in day.broken()


def test_delays_and_downtime_lengthen_the_grace() -> None:
    delayed = Day().open_pair().struck("report_delayed", "0000001", 2_000).abandon("p-1")
    assert delayed.at(4_900).broken() == []
    assert "OWNED" in delayed.at(5_300).broken()
    down = Day().open_pair().abandon("p-1").machine(ActorDied("gateway", 0)).at(4_000)
    down.machine(ActorStarted("gateway", 0)).at(4_500).row(EventType.RECONCILED)
    assert "OWNED" not in down.at(7_000).broken()
    assert "OWNED" in down.at(8_000).broken()


def test_shares_that_no_fill_explains_are_found() -> None:
    day = Day().open_pair()
    day.view.holdings[SYMBOL] -= 1
    assert "OWNED" in hedged(day, 60).broken()


# --- UNHEDGED TIME ----------------------------------------------------------------------------------------------------


def test_with_nothing_imposed_two_and_a_half_seconds_are_enough() -> None:
    assert hedged(Day().open_pair(), 2_520).broken() == []
    assert hedged(Day().open_pair(), 2_540).broken() == ["UNHEDGED TIME"]


def test_the_time_is_that_of_the_brokers_fills_not_of_their_reports() -> None:
    day = Day().open_pair().at(900).sends("p-1-B1", "BUY", "KRX").fills("p-1-B1", told=False)
    assert "UNHEDGED TIME" not in day.at(9_000).broken()


def test_a_pair_that_stays_open_is_found_at_the_end() -> None:
    assert "UNHEDGED TIME" in Day().open_pair().at(2_600).ends()


def test_a_listing_ends_the_time_and_must_come_within_it() -> None:
    assert "UNHEDGED TIME" not in Day().open_pair().at(2_400).done("p-1", UNHEDGED).at(9_000).ends()
    assert "UNHEDGED TIME" in Day().open_pair().at(2_600).done("p-1", UNHEDGED).ends()


@pytest.mark.parametrize(
    ("fault", "subject", "size_ms", "excused_ms"),
    [
        ("report_delayed", "p-1-A1", 700, 1_900),
        ("report_delayed", "0000001", 700, 1_900),
        ("limit_after_fill", SYMBOL, 3_000, 4_000),
        ("halt_after_fill", SYMBOL, 3_000, 0),  # its time is told by an event of its own
        ("post_hit", "p-1-A1", 700, 0),
        ("some_new_fault", "p-1-A1", 10, 2_010),
        ("cancel_unanswered", "p-1-A1", 0, 1_200),
        ("message_delayed", "router", 50, 250),
        ("report_delayed", "p-0-A1", 700, 0),  # another pair's
        ("limit_after_fill", "000660", 3_000, 0),  # another symbol
    ],
)
def test_a_strike_excuses_its_size_and_its_consequence(fault: str, subject: str, size_ms: int, excused_ms: int) -> None:
    def flat_after(ms: int) -> list[str]:
        day = Day()
        day.sends("p-0-A1", "SELL", "KRX", qty=1, price=90_000)
        row = day.orders["p-0-A1"]
        other = {"symbol": "000660", "pair_id": "p-x", "cl_ord_id": "p-x-A1", "leg": "A", "side": "BUY", "venue": "KRX"}
        day.row(EventType.ORDER_SEND_ATTEMPT, qty=row.qty, **other)
        day.open_pair()
        # The number of the pair's entry: it is the second order at the broker.
        day.struck(fault, "0000002" if subject == "0000001" else subject, size_ms)
        return hedged(day, ms + 30).broken()

    assert "UNHEDGED TIME" not in flat_after(2_490 + excused_ms)
    assert "UNHEDGED TIME" in flat_after(2_510 + excused_ms)


def test_downtime_and_the_recovery_after_it_are_excused() -> None:
    def died(back_ms: int, flat_ms: int) -> list[str]:
        day = Day().open_pair().machine(ActorDied("pair_manager", 0)).at(back_ms)
        return hedged(day.machine(ActorStarted("pair_manager", 0)), flat_ms).broken()

    assert died(530, 2_500 + 500 + 700) == []
    assert died(530, 2_500 + 500 + 700 + 60) == ["UNHEDGED TIME"]
    day = Day().open_pair().machine(ActorDied("telemetry", 0))
    assert hedged(day, 2_600).broken() == ["UNHEDGED TIME"]  # no pair needs it


def test_a_machine_is_down_until_it_has_reconciled() -> None:
    def killed(flat_ms: int) -> list[str]:
        day = Day().open_pair().machine(MachineKilled()).at(1_030).machine(MachineStarted())
        return hedged(day.at(3_030).row(EventType.RECONCILED), flat_ms).broken()

    assert killed(30 + 2_500 + 3_000 + 700) == []
    assert killed(30 + 2_500 + 3_000 + 800) == ["UNHEDGED TIME"]


def test_a_line_that_stays_down_excuses_ten_seconds_at_most() -> None:
    assert hedged(Day().open_pair().machine(LineCut()), 12_500).broken() == []
    assert hedged(Day().open_pair().machine(LineCut()), 12_600).broken() == ["UNHEDGED TIME"]
    cut = Day().open_pair().struck("line_lost", "x", 2_000).machine(LineCut())
    assert hedged(cut, 15_500).broken() == []
    cut = Day().open_pair().struck("line_lost", "x", 2_000).machine(LineCut())
    assert hedged(cut, 15_600).broken() == ["UNHEDGED TIME"]


def test_a_full_window_is_excused_while_it_is_full() -> None:
    def full(flat_ms: int) -> list[str]:
        day = Day().open_pair()
        for number in range(4):
            day.at(100 + number).tries(f"x-{number}-C", "SELL", "KRX").called(f"x-{number}-C", LedgerKind.REJECT)
        return hedged(day, flat_ms).broken()

    # From the fifth call (103 ms) until the first (0 ms) is a second and the margin old.
    assert "UNHEDGED TIME" not in full(30 + 2_500 + 947)
    assert "UNHEDGED TIME" in full(30 + 2_500 + 950)


def test_a_market_that_does_not_trade_is_excused() -> None:
    def halted(flat_ms: int, venues: tuple[str, ...]) -> list[str]:
        day = Day().open_pair()
        for venue in venues:
            day.machine(TradingHalted(venue, SYMBOL))
        day.at(3_030)
        for venue in venues:
            day.machine(TradingResumed(venue, SYMBOL))
        return hedged(day, flat_ms).broken()

    assert halted(30 + 2_500 + 3_000 + 2_000, ("KRX", "NXT")) == []
    assert halted(30 + 2_500 + 3_000 + 2_100, ("KRX", "NXT")) == ["UNHEDGED TIME"]
    assert halted(30 + 2_500 + 1_100, ("KRX",)) == ["UNHEDGED TIME"]  # the other venue trades
    assert halted(30 + 2_500 + 900, ("KRX",)) == []


def test_the_allowances_can_be_made_stricter() -> None:
    strict = CheckerSettings(t_hedge_ns=300 * MS, allowances=Allowances(base_ns=200 * MS))
    assert hedged(Day(strict).open_pair(), 520).broken() == []
    assert hedged(Day(strict).open_pair(), 540).broken() == ["UNHEDGED TIME"]
    per_symbol = CheckerSettings(t_hedge_of={SYMBOL: 2_000 * MS})
    assert hedged(Day(per_symbol).open_pair(), 3_500).broken() == []


# --- NO DOUBLE HEDGE --------------------------------------------------------------------------------------------------


def test_two_hedges_for_one_imbalance_are_found() -> None:
    day = Day().open_pair().sends("p-1-B1", "BUY", "KRX")
    assert day.broken() == []
    assert day.sends("p-1-B2", "BUY", "NXT", hoga="10").broken() == ["NO DOUBLE HEDGE"]


def test_a_second_hedge_for_what_is_not_covered_is_none_too_many() -> None:
    day = Day().open_pair(qty=3).sends("p-1-B1", "BUY", "KRX", qty=1).sends("p-1-B2", "BUY", "KRX", qty=2)
    assert day.broken() == []
    assert day.fills("p-1-B1").fills("p-1-B2", 1).broken() == []


def test_a_hedge_after_the_confirmed_end_of_the_first_is_right_one_before_is_not() -> None:
    def cancelled(confirmed: bool) -> list[str]:
        day = Day().open_pair().sends("p-1-B1", "BUY", "KRX").at(1_100).cancels("p-1-C1", "p-1-B1")
        if confirmed:
            day.canceled("p-1-B1", "BY_US")
        return day.at(1_130).sends("p-1-B2", "BUY", "KRX", hoga="10").broken()

    assert cancelled(True) == []
    assert cancelled(False) == ["NO DOUBLE HEDGE"]


def test_a_hedge_that_is_left_when_all_is_flat_is_found() -> None:
    day = Day().open_pair().sends("p-1-B1", "SELL", "KRX", price=70_600)
    assert day.broken() == ["NO DOUBLE HEDGE"]  # the wrong way


def test_a_lie_of_the_broker_excuses_what_it_made_too_many() -> None:
    day = Day().open_pair().sends("p-1-B1", "BUY", "KRX").struck("phantom_report", "p-1-B1")
    day.canceled("p-1-B1", "BY_US", made=False).sends("p-1-B2", "BUY", "NXT", hoga="10")
    assert day.broken() == ["NO DOUBLE HEDGE"]
    day = Day().open_pair().sends("p-1-B1", "BUY", "KRX").struck("phantom_report", "p-1-B1")
    day.canceled("p-1-B1", "BY_US", made=False).fills("p-1-B1", reason="LATE").sends("p-1-B2", "BUY", "NXT", hoga="10")
    assert "NO DOUBLE HEDGE" not in day.broken()


# --- FLAT IN TIME -----------------------------------------------------------------------------------------------------


def flat_words(day: Day) -> list[str]:
    return [breach.what for breach in day.panel.breaches() if breach.rule == "FLAT IN TIME"]


def test_five_seconds_and_one_for_five_orders_after_the_last_fault() -> None:
    def open_until(ms: int) -> list[str]:
        day = Day().open_pair().sends("p-1-B1", "BUY", "KRX").machine(FaultsOff())
        return flat_words(day.at(30 + ms))

    assert open_until(5_950) == []
    assert "open by -1" in open_until(6_150)[0]
    assert len(open_until(9_000)) == 1  # once is enough


def test_what_begins_after_the_faults_is_not_promised() -> None:
    day = Day().machine(FaultsOff()).open_pair("p-1", 4_000).at(9_000)
    assert flat_words(day) == []


def test_what_the_market_keeps_open_waits_until_it_trades_again() -> None:
    day = (
        Day()
        .open_pair()
        .machine(TradingHalted("KRX", SYMBOL))
        .machine(TradingHalted("NXT", SYMBOL))
        .machine(FaultsOff())
    )
    assert flat_words(day.at(9_000)) == []
    day.machine(TradingResumed("KRX", SYMBOL)).machine(TradingResumed("NXT", SYMBOL))
    assert flat_words(day.at(14_800)) == []
    assert flat_words(day.at(15_200)) != []


def test_a_late_fill_of_an_old_pair_must_be_closed_too() -> None:
    day = Day().sends("p-1-A1", "SELL", "NXT", price=70_500).struck("phantom_report", "p-1-A1")
    day.canceled("p-1-A1", made=False).machine(FaultsOff()).at(100).fills("p-1-A1", px=70_500, reason="LATE")
    assert flat_words(day.at(5_500)) == []
    assert flat_words(day.at(7_000)) != []


def test_the_reserve_is_unspent_at_the_deadline() -> None:
    def calls_before_the_deadline(count: int) -> list[str]:
        day = Day().machine(FaultsOff()).at(4_500)
        for number in range(count):
            day.tries(f"x-{number}-C", "SELL", "KRX").called(f"x-{number}-C", LedgerKind.REJECT)
        return flat_words(day.at(5_100))

    assert calls_before_the_deadline(3) == []
    assert "4 calls" in calls_before_the_deadline(4)[0]


def test_flatten_has_two_seconds_for_pairs_on_which_nothing_was_imposed() -> None:
    def flattened(until_ms: int, *, struck: bool = False) -> list[str]:
        day = Day().open_pair()
        if struck:
            day.struck("report_lost", "p-1-A1")
        day.row(EventType.OPERATOR, reason="flatten").row(EventType.OPERATOR, reason="flatten")
        return flat_words(day.at(30 + until_ms))

    assert flattened(2_900) == []
    assert len(flattened(3_200)) == 1
    assert flattened(3_200, struck=True) == []


def test_the_day_ends_flat_or_the_market_is_shut_and_says_why() -> None:
    def left_open(*events: object, listed: bool = True, **figures: int) -> list[str]:
        day = Day().open_pair()
        for event in events:
            day.machine(event)  # type: ignore[arg-type]
        if listed:
            day.done("p-1", UNHEDGED, **figures)
        day.at(100).ends()
        return flat_words(day)

    shut = (TradingHalted("KRX", SYMBOL), TradingHalted("NXT", SYMBOL))
    assert left_open(*shut) == []
    assert left_open(VenueClosed("KRX"), VenueClosed("NXT")) == []
    assert left_open() != []
    assert left_open(shut[0]) != []
    assert left_open(*shut, listed=False) != []
    assert left_open(*shut, sold=2) != []


def test_an_order_that_rests_at_the_end_is_found_unless_it_cannot_be_cancelled() -> None:
    day = Day().sends("p-1-A1", "BUY", "KRX", price=60_000)
    day.ends()
    assert "p-1-A1 rests" in flat_words(day)[0]
    day = Day().sends("p-1-A1", "BUY", "KRX", price=60_000).machine(VenueClosed("KRX"))
    day.ends()
    assert flat_words(day) == []


# --- LEDGER -----------------------------------------------------------------------------------------------------------


def test_a_fill_beyond_the_order_is_the_simulations_own_error() -> None:
    assert "LEDGER" in Day().sends("p-1-A1", "SELL", "NXT").fills("p-1-A1", 2).broken()
