"""PairManager against a broker that misbehaves in every way that is physically possible, and against plain noise.

The truthful broker loses, delays, repeats and reorders what it says, but what it calls over is over, a fill is a fill,
and no order fills beyond its quantity. Checked after each step: no hedge too much could fill, whatever the manager had
not been told; every pair ends flat, or unhedged with a reason; nothing lives behind a flat end.
The mistaken broker also fills orders that it had called over: the manager must come back to flat all the same.
"""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.cores.pair_manager import PairManagerCore, PairSettings
from actors.domain.pair import END_STATES
from actors.messages.journal import EventType
from actors.messages.orders import (
    CancelRejected,
    CancelStuck,
    DoubtResolved,
    DoubtVerdict,
    EndReason,
    OrderAccepted,
    OrderAcked,
    OrderCanceled,
    OrderFilled,
    OrderRefused,
    OrderRejected,
    OrderSubmitted,
    OrderTimedOut,
    RefusalReason,
    RejectSource,
)
from actors.messages.pairs import FlattenPair, PairState, StartPair
from kiwoom.market import MS, Nanos, Now, Shares, Side, Venue, WallNanos, Won
from tests.support.pair_broker import COSTS, PLAN, Broker
from tests.support.playbook import TEN_O_CLOCK


def run(seed: int, *, truthful: bool = True) -> Broker:
    broker = Broker(seed, truthful=truthful)
    random = broker.random
    plan = replace(
        PLAN,
        hedge_ioc_only=random.random() < 0.2,
        hedge_fallback_best=random.random() < 0.7,
        max_hedge_attempts=random.choice((1, 5)),
    )
    broker.at(0, lambda: broker.tell(StartPair(plan, 1, Nanos(100 * MS))))
    for _ in range(random.randint(0, 8)):
        broker.soon(broker.quote, 4_000)
    if random.random() < 0.3:
        for venue in random.choice(((Venue.KRX,), (Venue.NXT,), (Venue.KRX, Venue.NXT))):
            broker.soon(lambda venue=venue: broker.halt(venue, True), 1_500)
            if random.random() < 0.7:
                broker.at(random.randint(1_500, 6_000), lambda venue=venue: broker.halt(venue, False))
    if random.random() < 0.2:
        broker.soon(lambda: broker.tell(FlattenPair("P1")), 2_500)
    broker.run()
    return broker


SEEDS_PER_TEST = 40


@pytest.mark.parametrize("first", range(0, 400, SEEDS_PER_TEST))
def test_every_pair_ends_flat_or_unhedged_with_a_reason_and_is_never_hedged_twice(first: int) -> None:
    for seed in range(first, first + SEEDS_PER_TEST):
        try:
            broker = run(seed)
            assert broker.core._pair is not None
            assert broker.core._pair.excess == 0
            assert broker.core._pair.state in END_STATES
            assert len(broker.ends) == 1 + broker.rescues
            assert broker.booked() == broker.told_open(), "not every fill is counted once"
            if all(end.state is not PairState.UNHEDGED for end in broker.ends):
                assert broker.true_open() == 0
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error}") from error


@pytest.mark.parametrize("first", range(0, 200, SEEDS_PER_TEST))
def test_fills_of_orders_called_over_are_hedged_back_or_rescued(first: int) -> None:
    for seed in range(first, first + SEEDS_PER_TEST):
        try:
            broker = run(seed, truthful=False)
            assert len(broker.ends) == 1 + broker.rescues
            assert broker.booked() == broker.told_open(), "not every fill is counted once"
            if all(end.state is not PairState.UNHEDGED for end in broker.ends):
                assert broker.true_open() == 0
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error}") from error


def test_the_seeds_visit_every_state() -> None:
    runs = [run(seed, truthful=truthful) for seed in range(100) for truthful in (True, False)]
    visited = {row.state for each in runs for row in each.rows if row.event_type is EventType.PAIR_STATE}
    assert visited == {state.value for state in PairState}


IDS = ("P1-A1", "P1-B1", "P1-B2", "P1-B3", "P1-C1", "P1-R1B2", "P1-X")


def noise(kind: int, order_id: str, qty: int, at: int, number: int) -> Any:
    """Any word about any order, true or not, except a fill of nothing."""
    stamp = Nanos(at)
    side = Side.SELL if order_id == "P1-A1" else Side.BUY
    return (
        OrderSubmitted("P1", order_id, stamp),
        OrderAcked("P1", order_id, "1", stamp),
        OrderAccepted("P1", order_id, Shares(qty), stamp),
        OrderFilled("P1", order_id, str(number), Venue.KRX, side, Won(72_300), Shares(1 + qty % 2), Shares(qty),
                    Shares(0), None, None, stamp),
        OrderCanceled("P1", order_id, Shares(qty), Shares(0), EndReason.BY_US, stamp),
        OrderRejected("P1", order_id, RejectSource.TR, "no", qty % 2 == 0, stamp),
        OrderRefused("P1", order_id, tuple(RefusalReason)[(qty + number) % len(RefusalReason)], "", stamp),
        OrderTimedOut("P1", order_id, stamp),
        CancelRejected("P1", "P1-C1", order_id, "no", qty % 2 == 0, stamp),
        CancelStuck("P1", "P1-C1", order_id, stamp),
        DoubtResolved("P1", order_id, tuple(DoubtVerdict)[qty % 3], Shares(qty), stamp),
        FlattenPair("P1"),
    )[kind]  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(
    words=st.lists(
        st.tuples(st.integers(0, 11), st.sampled_from(IDS), st.integers(0, 5), st.integers(0, 700)), max_size=40
    )
)
def test_no_word_true_or_false_stops_the_manager(words: list[tuple[int, str, int, int]]) -> None:
    core = PairManagerCore(PairSettings(slot=0, costs=COSTS))
    core.handle(StartPair(PLAN, 1, Nanos(100 * MS)), Now(Nanos(0), TEN_O_CLOCK))
    mono = 0
    for number, (kind, order_id, qty, wait_ms) in enumerate(words):
        end = mono + wait_ms * MS
        while (due := core.next_deadline()) is not None and due <= end:
            mono = max(mono, due)
            core.on_deadline(Now(Nanos(mono), WallNanos(TEN_O_CLOCK + mono)))
        mono = end
        core.handle(noise(kind, order_id, qty, mono, number), Now(Nanos(mono), WallNanos(TEN_O_CLOCK + mono)))
    for _ in range(1_000):
        if (due := core.next_deadline()) is None:
            break
        mono = max(mono, due)
        core.on_deadline(Now(Nanos(mono), WallNanos(TEN_O_CLOCK + mono)))
    assert core.next_deadline() is None, "it never ends"
