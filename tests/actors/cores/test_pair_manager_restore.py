"""PairManager after a failure: what it makes of RestorePair in every state, and a pair cut off anywhere, by seeds."""

from dataclasses import replace

import pytest

from actors.domain.pair import END_STATES
from actors.messages.pairs import FlattenPair, PairState, StartPair
from kiwoom.market import MS, Nanos, Side, Venue
from tests.support.failing_manager import FailingWorld
from tests.support.pair_broker import COSTS, PLAN

SEEDS_PER_TEST = 50


def run(seed: int) -> FailingWorld:
    world = FailingWorld(seed, PLAN)
    random = world.random
    world.plan = replace(PLAN, hedge_ioc_only=random.random() < 0.2, max_hedge_attempts=random.choice((3, 5)))
    world.at(0, lambda: world.tell(StartPair(world.plan, 1, Nanos(100 * MS))))
    for _ in range(random.randint(0, 8)):
        world.soon(world.quote, 4_000)
    if random.random() < 0.2:
        for venue in Venue:
            world.soon(lambda venue=venue: world.halt(venue, True), 1_500)
            if random.random() < 0.7:
                world.at(random.randint(1_500, 6_000), lambda venue=venue: world.halt(venue, False))
    if random.random() < 0.2:
        world.soon(lambda: world.tell(FlattenPair("P1")), 2_500)
    for _ in range(random.choice((1, 1, 2, 4))):
        fails = world.manager_fails if random.random() < 0.7 else world.gateway_fails
        world.soon(fails, random.choice((60, 600, 3_000)))
    world.run()
    return world


@pytest.mark.parametrize("first", range(0, 1_000, SEEDS_PER_TEST))
def test_a_pair_cut_off_anywhere_and_given_back_ends_flat_with_its_exact_sums(first: int) -> None:
    for seed in range(first, first + SEEDS_PER_TEST):
        try:
            check(run(seed))
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error


def check(world: FailingWorld) -> None:
    assert world.core._pair is None or world.core._pair.state in END_STATES
    assert world.running is None, "the Router waits for an end"
    assert not world.late_fills
    children = [end.child for end in world.ends]
    assert len({*children}) == len(children)
    assert world.booked() == world.told_open(), "not every fill is counted once"
    # An orphan's last fill may be one that only a query tells, and nobody asks about it.
    if all(end.state is not PairState.UNHEDGED for end in world.ends) and not world.orphaned:
        assert world.true_open() == 0
    fills = [fill for known in world.known.values() for fill in known.fills]
    sums = world.sums()
    for side, qty, amount in ((Side.BUY, sums.bought, sums.buy_amount), (Side.SELL, sums.sold, sums.sell_amount)):
        assert qty == sum(fill.fill_qty for fill in fills if fill.side is side)
        assert amount == sum(fill.fill_qty * fill.fill_px for fill in fills if fill.side is side)
    if not world.rescued:
        assert sums.commission_won == sum(
            COSTS.commission_won(known.command.venue, sum(fill.fill_qty * fill.fill_px for fill in known.fills))
            for known in world.known.values()
        )


def test_the_seeds_give_pairs_back_in_every_state() -> None:
    restored = {row.state for seed in range(1_000) for row in run(seed).rows if row.reason == "RESTORED"}
    assert restored == {state.value for state in PairState} - {state.value for state in END_STATES} - {"CANDIDATE"}
