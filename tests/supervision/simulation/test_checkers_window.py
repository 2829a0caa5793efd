"""The broker's window, its reserve, the times of day and the priorities: true streams pass, lies are found."""

import pytest

from actors.messages.journal import EventType
from kiwoom.market import SECOND
from kiwoom.simulated.ledger import LedgerKind
from supervision.simulation.checkers.spans import CallTimes, Shade
from supervision.simulation.evidence import (
    ActorDied,
    ActorStarted,
    HostClockStepped,
    MachineKilled,
    MachineStarted,
    VenueClosed,
    VenueOpened,
)
from tests.support.witnessed_day import Day

NOON_MS = 2 * 3_600_000
"""From ten o'clock."""
CLOSING_MS = (5 * 60 + 20) * 60_000


def calls(*at_ms: int, kind: LedgerKind = LedgerKind.ORDER, prefix: str = "B", **changed: object) -> Day:
    """Orders of pairs of their own, one a call."""
    day = Day()
    for number, ms in enumerate(at_ms):
        name = f"p-{number}-{prefix}1"
        day.at(ms).tries(name, "BUY", "KRX").called(name, kind, **changed)
    return day


# --- WINDOW -----------------------------------------------------------------------------------------------------------


def test_five_calls_in_a_second_are_taken_the_sixth_is_found() -> None:
    assert "WINDOW" not in calls(0, 10, 20, 30, 40, 1_000).broken()
    assert "WINDOW" in calls(0, 10, 20, 30, 40, 999).broken()


def test_a_window_that_slides_over_a_bucket_is_found() -> None:
    """Four at the end of one second and four at the beginning of the next: a refilling bucket would allow them."""
    assert "WINDOW" in calls(900, 920, 940, 960, 1_010, 1_020).broken()


@pytest.mark.parametrize("kind", [LedgerKind.OVERLOAD, LedgerKind.REJECT])
def test_a_call_counts_whatever_became_of_it(kind: LedgerKind) -> None:
    assert "WINDOW" in calls(0, 10, 20, 30, 40, 50, kind=kind).broken()


def test_what_the_control_itself_turned_away_took_no_place() -> None:
    assert "WINDOW" not in calls(0, 10, 20, 30, 40, 50, kind=LedgerKind.REJECT, return_code=-300).broken()


def test_cancels_count() -> None:
    day = calls(0, 10, 20, 30, 40)
    assert "WINDOW" not in day.broken()
    assert "WINDOW" in day.cancels("p-0-C1", "p-0-B1").broken()


def test_somebody_elses_orders_take_no_place_in_ours() -> None:
    day = calls(0, 10, 20, 30, 40)
    day.ledger(LedgerKind.ORDER, order_no="0099999", venue="KRX", symbol="000660", side="BUY", qty=1, price=1)
    assert "WINDOW" not in day.broken()


# --- RESERVE ----------------------------------------------------------------------------------------------------------


def test_an_entry_may_be_the_third_call_of_a_second_not_the_fourth() -> None:
    assert "RESERVE" not in calls(0, 10, 20, prefix="A").broken()
    assert "RESERVE" in calls(0, 10, 20, 30, prefix="A").broken()
    assert "RESERVE" not in calls(0, 10, 20, 1_010, prefix="A").broken()
    assert "RESERVE" not in calls(0, 10, 20, 30, 40, prefix="B").broken()


def test_an_entry_that_met_an_overload_counts() -> None:
    assert "RESERVE" in calls(0, 10, 20, 30, prefix="A", kind=LedgerKind.OVERLOAD).broken()


# --- WINDOW OF THE DAY ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("time_ms", "allowed"),
    [
        (-3_600_000 + 31_900, False),  # 09:00:31.9
        (-3_600_000 + 32_000, True),
        (CLOSING_MS - 10_000, True),  # 15:19:50, with the way to the broker
        (CLOSING_MS - 9_800, False),
    ],
)
def test_an_entry_comes_inside_the_guard(time_ms: int, allowed: bool) -> None:
    day = Day(start_ms=time_ms).sends("p-1-A1", "SELL", "NXT")
    assert day.broken() == ([] if allowed else ["WINDOW OF THE DAY"])


@pytest.mark.parametrize(("after_ms", "allowed"), [(0, True), (150, False)])
def test_nothing_comes_after_the_closing(after_ms: int, allowed: bool) -> None:
    day = Day(start_ms=CLOSING_MS - 200).open_pair()
    day.panel.breaches()
    day.at(200 + after_ms).sends("p-1-B1", "BUY", "KRX")
    found = [breach.what for breach in day.panel.breaches() if "p-1-B1" in breach.what]
    assert bool(found) is not allowed


def test_a_stepped_clock_excuses_its_step_and_no_more() -> None:
    def stepped(by_s: int) -> list[str]:
        return (
            Day(start_ms=CLOSING_MS - 7_000)
            .machine(HostClockStepped(by_s * SECOND))
            .sends("p-1-A1", "SELL", "NXT")
            .broken()
        )

    assert stepped(-3) == []
    assert stepped(-2) == ["WINDOW OF THE DAY"]


def test_a_closed_venue_is_left_alone_once_its_signal_has_come() -> None:
    def closed(then_ms: int) -> Day:
        return Day().machine(VenueClosed("NXT")).at(then_ms)

    assert closed(400).sends("p-1-A1", "SELL", "NXT").broken() == []
    assert closed(600).sends("p-1-A1", "SELL", "NXT").broken() == ["WINDOW OF THE DAY"]
    assert closed(600).sends("p-1-A1", "SELL", "KRX").broken() == []
    assert closed(600).machine(VenueOpened("NXT")).sends("p-1-A1", "SELL", "NXT").broken() == []
    assert closed(600).struck("delayed", "session_state", 100).sends("p-1-A1", "SELL", "NXT").broken() == []


def test_who_was_dead_when_a_venue_closed_learns_of_it_later() -> None:
    day = Day().machine(ActorDied("session_state", 0)).machine(VenueClosed("NXT")).at(900)
    assert day.sends("p-1-A1", "SELL", "NXT").broken() == []
    day.machine(ActorStarted("session_state", 0)).at(1_300)
    assert day.sends("p-2-A1", "SELL", "NXT").broken() == []
    assert "WINDOW OF THE DAY" in day.at(1_500).sends("p-3-A1", "SELL", "NXT").broken()
    day = Day().machine(MachineKilled()).machine(VenueClosed("NXT")).at(900).machine(MachineStarted()).at(1_300)
    assert "WINDOW OF THE DAY" not in day.sends("p-1-A1", "SELL", "NXT").broken()


def test_an_entry_while_disarmed_is_found_unless_the_arming_was_only_written_later() -> None:
    def disarmed() -> Day:
        return Day().row(EventType.ARMED).at(100).row(EventType.DISARMED)

    assert disarmed().at(500).tries("p-1-A1", "SELL", "NXT").at(2_000).row(EventType.DISARMED).broken() == []
    late = disarmed().at(1_000).tries("p-1-A1", "SELL", "NXT")
    assert late.broken() == []
    assert late.at(2_000).row(EventType.DISARMED).broken() == ["WINDOW OF THE DAY"]
    again = disarmed().at(1_000).tries("p-1-A1", "SELL", "NXT").at(1_025).row(EventType.ARMED).at(3_000)
    assert again.row(EventType.DISARMED).broken() == []


# --- PRIORITY ---------------------------------------------------------------------------------------------------------


def waiting(wait_ms: int, *, entries: bool = True) -> Day:
    """A pair decides to hedge at 40 ms and does `wait_ms` later; entries of others go meanwhile."""
    day = Day().open_pair().state("p-1", "HEDGE_POST_SENT", stamp_ms=30)
    if entries:
        for number in range(2, 2 + wait_ms // 400):
            day.at(400 * (number - 1)).tries(f"p-{number}-A1", "SELL", "NXT")
    return day.at(30 + wait_ms).tries("p-1-B1", "BUY", "KRX")


def test_a_hedge_that_waits_behind_entries_is_found() -> None:
    assert "PRIORITY" not in waiting(1_200).broken()
    assert "PRIORITY" in waiting(1_600).broken()


def test_a_hedge_that_waits_while_no_entry_goes_is_another_matter() -> None:
    assert "PRIORITY" not in waiting(1_600, entries=False).broken()


def test_the_rows_may_come_in_either_order() -> None:
    day = Day().open_pair().at(400).tries("p-2-A1", "SELL", "NXT").at(1_000).tries("p-3-A1", "SELL", "NXT")
    day.at(1_630).tries("p-1-B1", "BUY", "KRX")
    assert "PRIORITY" not in day.broken()
    assert "PRIORITY" in day.at(1_650).state("p-1", "HEDGE_POST_SENT", stamp_ms=30).broken()


@pytest.mark.parametrize(
    "excuse",
    [
        lambda day: day.struck("report_delayed", "p-1-A1", 700),
        lambda day: day.row(EventType.HEDGE_TIMEOUT, pair_id="p-1", reason="NO_VENUE"),
        lambda day: day.refused("p-1-B0"),
        lambda day: day.machine(ActorDied("throttler", 0)),
    ],
)
def test_what_was_imposed_on_the_hedge_excuses_its_wait(excuse: object) -> None:
    day = Day().open_pair().state("p-1", "HEDGE_POST_SENT", stamp_ms=30)
    excuse(day)  # type: ignore[operator]
    day.at(400).tries("p-2-A1", "SELL", "NXT").at(1_000).tries("p-3-A1", "SELL", "NXT")
    assert "PRIORITY" not in day.at(1_630).tries("p-1-B1", "BUY", "KRX").broken()


def test_a_cancel_that_waits_behind_entries_is_found() -> None:
    day = Day().open_pair().sends("p-1-B1", "BUY", "KRX").state("p-1", "CANCEL_POST_SENT")
    for number in range(2, 6):
        day.at(400 * (number - 1)).tries(f"p-{number}-A1", "SELL", "NXT")
    assert "PRIORITY" in day.at(1_700).cancels("p-1-C1", "p-1-B1").broken()


# --- the sums that excuse ---------------------------------------------------------------------------------------------


def test_a_shade_counts_overlapping_causes_once() -> None:
    shade = Shade()
    shade.begin("a", 10)
    shade.begin("b", 20)
    shade.end("a", 30)
    assert (shade.total(40), shade.holds(40)) == (30, True)
    shade.end("b", 50)
    assert (shade.total(90), shade.holds(90)) == (40, False)
    shade.end("b", 95)
    assert shade.total(99) == 40


def test_a_capped_cause_ends_by_itself() -> None:
    shade = Shade()
    shade.begin("a", 10, cap=25)
    shade.begin("b", 12, cap=20)
    assert (shade.total(22), shade.holds(22)) == (12, True)
    assert (shade.total(100), shade.holds(100)) == (15, False)
    shade.begin("a", 110)
    assert shade.total(120) == 25


def test_the_window_is_full_from_its_last_place_until_its_first_is_free() -> None:
    times = CallTimes(2, 0)
    assert [times.take(at) for at in (0, SECOND // 2)] == [1, 2]
    assert times.full_ns(SECOND // 2) == 0
    assert times.full_ns(SECOND) == times.full_ns(2 * SECOND) == SECOND // 2
    assert times.take(SECOND) == 2
    assert times.full_ns(3 * SECOND) == SECOND
    assert times.used(SECOND + SECOND // 4) == 2
    assert times.take(SECOND + 1) == 3
