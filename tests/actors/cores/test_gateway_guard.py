"""Gateway: the last guard. Never more calls in any window than the broker allows, whatever anyone granted."""

from dataclasses import replace

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from actors.effects import Role
from actors.messages.journal import EventType
from actors.messages.orders import OrderRefused, RefusalReason
from actors.messages.supervision import ResendState
from actors.messages.throttle import RecentSends, SlotFreed
from kiwoom.control import OrderCalled
from kiwoom.market import MS, SECOND, Nanos, Side, Venue, Won
from tests.support.gateway_stage import HYNIX, SAMSUNG, Stage, cancel, entry, hedge

SPAN = SECOND + 50 * MS


def full_window() -> Stage:
    """Five hedges, numbered at once, have just left."""
    stage = Stage.up()
    for number in range(5):
        name = f"F{number}"
        stage.hears(hedge(name, price=Won(70_300 + 100 * number))).called(name).numbered(name, f"000020{number}")
    return stage.forgets()


def test_the_sixth_call_waits_until_the_first_has_left_the_window() -> None:
    stage = full_window().hears(hedge("H6"))
    first_returned = stage.core._guard._window.sends(Nanos(stage.mono))[0]
    assert stage.take_calls() == []
    stage.waits(first_returned + SPAN - stage.mono - 1)
    assert stage.take_calls() == []
    stage.waits(1)
    assert [call.rq_name for call in stage.take_calls()] == ["H6"]


def test_calls_in_flight_count_as_used() -> None:
    stage = Stage.up()
    for number in range(6):
        venue, side = (Venue.KRX, Venue.NXT)[number % 2], (Side.BUY, Side.SELL)[number // 2 % 2]
        symbol = (SAMSUNG, HYNIX)[number // 4]
        price = Won(60_000 if side is Side.BUY else 80_000)
        stage.hears(hedge(f"H{number}", venue=venue, side=side, symbol=symbol, price=price))
    assert len(stage.take_calls()) == 5
    stage.waits(5 * SECOND)
    assert stage.take_calls() == []  # not one has returned: the broker may get them any time


def test_cancels_go_before_hedges_and_hedges_before_entries() -> None:
    stage = full_window()
    stage.hears(entry("E1", symbol=HYNIX)).hears(hedge("H6", symbol=HYNIX)).hears(cancel(target="F0"))
    stage.forgets()
    gone: list[str] = []
    for _ in range(3):
        stage.waits(SPAN)
        for call in stage.take_calls():
            gone.append(call.rq_name)
            stage.called(call.rq_name)
    assert gone == ["C1", "H6", "E1"]


def test_an_entry_that_would_have_to_wait_past_its_grant_is_refused_at_once() -> None:
    stage = full_window()
    stage.hears(entry(expires=Nanos(stage.mono + 100 * MS)))
    (event,) = stage.take_events()
    assert (type(event), event.reason) == (OrderRefused, RefusalReason.GRANT_EXPIRED)
    assert stage.take_calls() == []


def test_an_entry_whose_grant_lasts_long_enough_waits_and_leaves() -> None:
    stage = full_window()
    stage.hears(entry(expires=Nanos(stage.mono + 2 * SECOND))).waits(SPAN)
    assert [call.rq_name for call in stage.take_calls()] == ["E1"]


def test_an_entry_waiting_for_a_call_to_return_is_refused_when_its_grant_ends() -> None:
    stage = Stage.up()
    for number in range(5):
        side = (Side.BUY, Side.SELL)[number % 2]
        price = Won(60_000 if side is Side.BUY else 80_000)
        symbol = (SAMSUNG, HYNIX)[number // 4]
        stage.hears(
            hedge(f"H{number}", venue=(Venue.KRX, Venue.NXT)[number // 2 % 2], side=side, symbol=symbol, price=price)
        )
    stage.forgets().hears(entry(symbol=HYNIX, venue=Venue.NXT, expires=Nanos(stage.mono + 100 * MS))).waits(99 * MS)
    assert stage.take_events() == []
    stage.waits(1 * MS)
    sends = stage.take_sends()
    assert [send.message for send in sends if send.to is Role.THROTTLER] == [SlotFreed(7)]


def test_a_held_order_is_checked_again_when_it_may_leave() -> None:
    stage = full_window().hears(hedge("H6", venue=Venue.KRX, side=Side.SELL)).forgets()
    stage.balance(0, 0)
    assert [event.reason for event in stage.take_events()] == [RefusalReason.UNCOVERED_SALE]
    assert EventType.ORDER_SEND_ATTEMPT not in stage.row_types()
    stage.waits(2 * SECOND)
    assert stage.take_calls() == []


def test_an_entry_leaves_the_reserve_alone_whatever_was_sent_since_its_grant() -> None:
    """Three hedges left meanwhile: two slots are free, and both are the next cancel's and hedge's."""
    stage = Stage.up()
    for number in range(3):
        name = f"F{number}"
        stage.hears(hedge(name, price=Won(70_300 + 100 * number))).called(name).numbered(name, f"000020{number}")
    stage.forgets().hears(entry("E9", symbol=HYNIX))
    assert stage.take_calls() == []
    stage.hears(hedge("H9", price=Won(70_900)))
    assert [call.rq_name for call in stage.take_calls()] == ["H9"]


def test_a_hedge_like_one_without_a_number_waits_for_the_number() -> None:
    stage = Stage.up().hears(hedge()).called("H1").forgets().hears(hedge("H2"))
    assert stage.take_calls() == []
    stage.numbered("H1", "0000102")
    assert [call.rq_name for call in stage.take_calls()] == ["H2"]


def test_a_hedge_that_waits_for_a_number_holds_nobody_else_up() -> None:
    stage = Stage.up().hears(hedge()).called("H1").hears(hedge("H2")).forgets()
    stage.hears(hedge("H3", symbol=HYNIX)).hears(entry("E9"))
    assert [call.rq_name for call in stage.take_calls()] == ["H3", "E9"]


def test_too_many_waiting_commands_are_refused() -> None:
    stage = Stage.up(held_max=1).hears(hedge()).called("H1").hears(hedge("H2")).forgets()
    stage.hears(hedge("H3", grant_id=4))
    assert [event.reason for event in stage.take_events()] == [RefusalReason.NO_GRANT]
    assert stage.take_calls() == []


def test_a_call_in_flight_on_a_lost_line_does_not_block_for_ever() -> None:
    stage = Stage.up().hears(hedge())
    stage.core._guard.line_lost(Nanos(stage.mono))
    (waiting,) = stage.core._orders.open_orders(SAMSUNG)
    assert stage.core._guard.free_at(waiting, Nanos(stage.mono)) == stage.mono
    assert stage.core._guard._window.used(Nanos(stage.mono)) == 1


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["entry", "hedge", "cancel", "wait", "return"]), st.integers(0, 400)), max_size=60
)


@given(actions=ACTIONS, latency_ms=st.integers(0, 300))
@hypothesis_settings(max_examples=100, deadline=None)
def test_no_window_at_the_broker_ever_holds_more_than_five_calls(
    actions: list[tuple[str, int]], latency_ms: int
) -> None:
    """The broker may get a call at any time between its making and its return: the worst case is what is counted."""
    stage = Stage.up(holdings=((SAMSUNG, 1_000, 1_000), (HYNIX, 1_000, 1_000)))
    made: list[tuple[int, str]] = []
    returned: dict[str, int] = {}
    numbers = 0

    def collect() -> None:
        made.extend((stage.mono, call.rq_name) for call in stage.take_calls())

    def give_back() -> None:
        nonlocal numbers
        for at, name in made:
            if name not in returned:
                stage.waits(latency_ms * MS)
                collect()
                returned[name] = stage.mono
                stage.hears(OrderCalled(Nanos(stage.mono), Nanos(at), name, 0 if numbers % 4 else -308))
                numbers += 1
                if numbers % 4 != 1:
                    stage.numbered(name, f"{numbers:07}")
                collect()
                return

    for index, (action, amount) in enumerate(actions):
        symbol = (SAMSUNG, HYNIX)[index % 2]
        if action == "entry":
            stage.hears(entry(f"E{index}", symbol=symbol, expires=Nanos(stage.mono + 100 * MS), price=Won(60_000)))
        elif action == "hedge":
            stage.hears(hedge(f"H{index}", symbol=symbol, price=Won(80_000)))
        elif action == "cancel" and made:
            stage.hears(replace(cancel(f"C{index}"), target=made[-1][1]))
        elif action == "wait":
            stage.waits(amount * MS)
        elif action == "return":
            give_back()
        collect()
    for _ in range(len(actions) * 2):
        give_back()
        stage.waits(SPAN)
        collect()
    # Latest arrival of each call against the earliest arrival of the fifth after it.
    for earlier, later in zip(made, made[5:], strict=False):
        latest = returned.get(earlier[1])
        assert latest is not None, "a sixth call left while the first had not returned"
        assert later[0] - latest >= SPAN


def test_the_guard_counts_what_the_journal_knows_of_the_last_second() -> None:
    before = full_window()
    stage = before.again(after_ns=10 * MS).hears(ResendState("throttler", 0))
    (recent,) = stage.take_to(Role.THROTTLER)
    assert len(recent.sends) == 5
    assert before.mono - 20 * MS < recent.sends[0] <= recent.sends[-1] <= before.mono
    stage.waits(2 * SPAN).hears(ResendState("throttler", 0))
    assert stage.take_to(Role.THROTTLER) == [RecentSends(())]


def test_calls_whose_return_the_journal_does_not_tell_count_as_returned_at_the_restart() -> None:
    before = Stage.up().hears(entry())
    before.hears(hedge()).called("H1").numbered("H1", "0000101").hears(cancel())
    assert len(before.take_calls()) == 3
    stage = before.again(after_ns=600 * MS).hears(ResendState("throttler", 0))
    (recent,) = stage.take_to(Role.THROTTLER)
    assert list(recent.sends) == [before.mono - MS, stage.mono, stage.mono]
