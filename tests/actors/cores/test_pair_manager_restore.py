"""PairManager after a failure: what it makes of RestorePair in every state, and a pair cut off anywhere, by seeds."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.domain.pair import END_STATES
from actors.effects import Role, Send
from actors.messages.market_data import WatchTop
from actors.messages.orders import (
    CancelOrder,
    DoubtVerdict,
    OrderFilled,
    OrderKind,
    OrderStyle,
    PlaceOrder,
    QueryOrder,
    RefusalReason,
)
from actors.messages.pairs import (
    CheckPair,
    FlattenPair,
    LateFill,
    NothingToRestore,
    OrderStanding,
    PairAdvanced,
    PairEnded,
    PairPlan,
    PairState,
    PairSums,
    RestorePair,
    SlotRestored,
    StartPair,
    StartRescue,
)
from actors.messages.supervision import ResendState
from kiwoom.market import MS, SECOND, Nanos, Shares, Side, Symbol, Venue, WallNanos, Won
from tests.actors.cores.test_pair_manager import PLAN as CASE_PLAN_OF_FIVE
from tests.actors.cores.test_pair_manager import SAMSUNG, SLOT, Pair
from tests.support.failing_manager import FailingWorld
from tests.support.pair_broker import COSTS, PLAN
from tests.support.playbook import TEN_O_CLOCK

S = PairState
CASE_PLAN = replace(CASE_PLAN_OF_FIVE, max_hedge_attempts=3)

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
        world.at(random.choice((0, 0, 990)), lambda fails=fails: world.soon(fails, random.choice((60, 600, 2_000))))
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


def test_the_seeds_give_pairs_back_in_the_states_that_last() -> None:
    restored = {row.state for seed in range(600) for row in run(seed).rows if row.reason == "RESTORED"}
    assert restored >= {"ENTRY_TAKE_SENT", "HEDGE_POST_SENT", "CANCEL_POST_SENT", "HEDGE_IOC_SENT", "HEDGE_MARKET_SENT"}


# --- RestorePair, case by case ----------------------------------------------------------------------------------------

IOC, MARKET, POST = OrderStyle.LIMIT_IOC, OrderStyle.MARKET_IOC, OrderStyle.LIMIT


def fill_of(tail: str, qty: int, at_ms: int, cum: int | None = None, side: Side | None = None) -> OrderFilled:
    side = side or (Side.SELL if tail == "A1" else Side.BUY)
    px = 72_500 if side is Side.SELL else 72_300
    return OrderFilled("P1", f"P1-{tail}", f"{tail}@{at_ms}", Venue.KRX, side, Won(px), Shares(qty),
                       Shares(cum or qty), Shares(0), None, None, Nanos(at_ms * MS))  # fmt: skip


def known(
    tail: str, qty: int = 5, style: OrderStyle = POST, *, sent: int | None = 40, numbered: int | None = 50,
    filled: tuple[tuple[int, int], ...] = (), over: bool = False, down: bool = False, cancel: str = "",
    cancel_at: int | None = None, flatten: bool = False,
) -> OrderStanding:  # fmt: skip
    """An order as the Gateway knows it; times in ms, `filled` as (qty, at)."""
    leg = "A" if tail == "A1" else "B"
    kind = OrderKind.ENTRY if leg == "A" else OrderKind.FLATTEN if flatten else OrderKind.HEDGE
    side = Side.SELL if leg == "A" else Side.BUY
    command = PlaceOrder(f"P1-{tail}", "P1", SLOT, kind, leg, SAMSUNG, 3, Venue.KRX, side, Shares(qty), style,
                         Won(72_300))  # fmt: skip
    cum, fills = 0, []
    for part, at in filled:
        cum += part
        fills.append(fill_of(tail, part, at, cum))
    cancel_id = f"P1-{cancel}" if cancel else ""
    ns = [None if at is None else Nanos(at * MS) for at in (sent, numbered, cancel_at)]
    return OrderStanding(command, ns[0], ns[1], tuple(fills), over or cum == qty, down, cancel_id, ns[2])


ENTERED = known("A1", style=IOC, filled=((5, 30),))


def given_back(
    *orders: OrderStanding, at_ms: int = 100, generation: int = 1, child: int = 0, left: int = 0,
    ended: PairSums | None = None, flatten: bool = False, book: Pair | None = None, plan: PairPlan = CASE_PLAN,
) -> Pair:  # fmt: skip
    book = book or Pair(plan, started=False)
    book.mono = at_ms * MS
    return book.hears(
        RestorePair(plan, generation, orders, ended or PairSums(), child, left, flatten, ended or PairSums())
    )


def commands(book: Pair) -> list[str]:
    """What was given since the last look, in short."""
    words = []
    for send in book.take_sends():
        match send.message:
            case PlaceOrder() as order:
                words.append(f"{order.cl_ord_id} {order.style.value} {order.qty}")
            case CancelOrder() as order:
                words.append(f"{order.cl_ord_id} cancels {order.target}")
            case QueryOrder() as order:
                words.append(f"asks {order.cl_ord_id}")
            case PairEnded() as ended:
                words.append(f"{ended.state.value} {ended.child}: {ended.bought}/{ended.sold}")
            case SlotRestored():
                words.append("restored")
    return words


CASES = {
    "an entry under way is waited for": ([known("A1", style=IOC)], "ENTRY_TAKE_SENT", []),
    "an entry held back at the Gateway may still go out": (
        [known("A1", style=IOC, sent=None, numbered=None)], "ENTRY_TAKE_SENT", [],
    ),
    "an entry that is over and empty is missed": (
        [known("A1", style=IOC, over=True)], "ENTRY_TAKE_SENT", ["ENTRY_MISSED 0: 0/0"],
    ),
    "an entry that was rejected": (
        [known("A1", style=IOC, over=True, down=True)], "ENTRY_TAKE_SENT", ["ENTRY_REJECTED 0: 0/0"],
    ),
    "fills that nobody hedged yet are posted": ([ENTERED], "ENTRY_TAKE_SENT", ["P1-G1B1 limit 5"]),
    "a post that rests is left to": ([ENTERED, known("B1")], "HEDGE_POST_SENT", []),
    "a post held back at the Gateway counts as live": (
        [ENTERED, known("B1", sent=None, numbered=None)], "HEDGE_POST_SENT", [],
    ),
    "what a post does not cover is posted": ([ENTERED, known("B1", 3)], "HEDGE_POST_SENT", ["P1-G1B1 limit 2"]),
    "a post that the Gateway refused was none": (
        [ENTERED, known("B1", sent=None, numbered=None, over=True, down=True)], "ENTRY_TAKE_SENT", ["P1-G1B1 limit 5"],
    ),
    "a post that was rejected is followed by an IOC": (
        [ENTERED, known("B1", over=True, down=True)], "HEDGE_POST_SENT", ["P1-G1B1 limit_ioc 5"],
    ),
    "a cancel under way is waited for": (
        [ENTERED, known("B1", cancel="C1", cancel_at=90)], "CANCEL_POST_SENT", [],
    ),
    "of two posts the one whose cancel was lost is cancelled": (
        [ENTERED, known("B1", 2, cancel="C1", cancel_at=90), known("B2", 3)], "CANCEL_POST_SENT",
        ["P1-G1C1 cancels P1-B2"],
    ),
    "an IOC under way is waited for": (
        [ENTERED, known("B1", over=True), known("B2", style=IOC)], "HEDGE_IOC_SENT", [],
    ),
    "after an IOC with a remainder comes a market order": (
        [ENTERED, known("B1", over=True), known("B2", style=IOC, filled=((2, 80),), over=True)], "HEDGE_IOC_SENT",
        ["P1-G1B1 market_ioc 3"],
    ),
    "a market order under way is waited for": ([ENTERED, known("B1", style=MARKET)], "HEDGE_MARKET_SENT", []),
    "a market order that brought something is followed by the next": (
        [ENTERED, known("B1", style=MARKET, filled=((1, 50),), over=True)], "HEDGE_MARKET_SENT",
        ["P1-G1B1 market_ioc 4"],
    ),
    "attempts are counted on": (
        [ENTERED, *(known(f"B{n}", 5 - n, MARKET, sent=40, filled=((1, 50 + n),), over=True) for n in (0, 1, 2))],
        "HEDGE_MARKET_SENT", ["UNHEDGED 0: 3/5"],
    ),
    "hedges of two types that live are proved first": (
        [ENTERED, known("B1", 2), known("B2", 3, IOC)], "HEDGE_IN_DOUBT", ["asks P1-B1", "asks P1-B2"],
    ),
    "a hedge too much is cancelled": (
        [known("A1", style=IOC, filled=((2, 30),), over=True), known("B1", 5)], "HEDGE_POST_SENT",
        ["P1-G1C1 cancels P1-B1"],
    ),
    "flat and over it ends at once": (
        [ENTERED, known("B1", filled=((5, 60),))], "HEDGE_POST_SENT", ["PAIRED_DONE 0: 5/5"],
    ),
    "flat by flatten": (
        [ENTERED, known("B1", over=True), known("B2", style=IOC, filled=((5, 60),), flatten=True)], "HEDGE_IOC_SENT",
        ["FLATTENED 0: 5/5"],
    ),
    "hedged while its entry is in doubt": (
        [known("A1", style=IOC, filled=((2, 30),)), known("B1", 2, filled=((2, 60),))], "ENTRY_IN_DOUBT",
        ["asks P1-A1"],
    ),
    "further fills of an entry in doubt are hedged": (
        [known("A1", style=IOC, filled=((2, 30), (1, 70))), known("B1", 2, filled=((2, 60),))], "ENTRY_IN_DOUBT",
        ["P1-G1B1 limit 1", "asks P1-A1"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_state_follows_from_the_facts(case: str) -> None:
    orders, state, given = CASES[case]
    book = given_back(*orders)
    first, *_ = book.take_rows()
    assert (first.state, first.reason) == (state, "RESTORED")
    assert commands(book) == [*given, "restored"]


def test_a_restored_pair_tells_where_it_is_before_it_goes_on() -> None:
    book = given_back(ENTERED)
    first, watch, place, second, last = book.take_sends()
    assert first.message == PairAdvanced("P1", SLOT, SAMSUNG, S.ENTRY_TAKE_SENT, -5, book.now.mono, generation=1)
    assert watch == Send(Role.MARKET_DATA, WatchTop(3, SLOT, True), 1)
    assert place.message.generation == 1
    assert second.message.state is S.HEDGE_POST_SENT
    assert last == Send(Role.ROUTER, SlotRestored(SLOT))


def test_t_hedge_runs_from_the_fill_not_from_the_restart() -> None:
    book = given_back(ENTERED, known("B1"), at_ms=900)
    assert commands(book) == ["restored"]
    assert commands(book.waits(129 * MS)) == []
    assert commands(book.waits(1 * MS)) == ["P1-G1C1 cancels P1-B1"]
    assert commands(given_back(ENTERED, known("B1"), at_ms=1_030)) == ["P1-G1C1 cancels P1-B1", "restored"]
    assert commands(given_back(ENTERED, at_ms=1_030)) == ["P1-G1B1 limit_ioc 5", "restored"]


def test_every_wait_runs_from_the_stamp_of_its_order() -> None:
    unnumbered = known("A1", style=IOC, sent=10, numbered=None)
    assert commands(given_back(unnumbered, at_ms=259).waits(0)) == ["restored"]
    assert commands(given_back(unnumbered, at_ms=260)) == ["asks P1-A1", "restored"]
    partly = known("A1", style=IOC, sent=10, numbered=20, filled=((2, 30),))
    assert commands(given_back(partly, at_ms=529)) == ["restored"]
    assert commands(given_back(partly, at_ms=530)) == ["P1-G1B1 limit 2", "asks P1-A1", "restored"]
    cancelling = known("B1", cancel="C1", cancel_at=100)
    assert commands(given_back(ENTERED, cancelling, at_ms=449)) == ["restored"]
    assert commands(given_back(ENTERED, cancelling, at_ms=450)) == ["asks P1-B1", "restored"]
    nothing = known("B1", style=MARKET, sent=100, numbered=110, over=True)
    book = given_back(ENTERED, nothing, at_ms=309)
    assert commands(book) == ["restored"]
    assert commands(book.waits(1 * MS)) == ["P1-G1B1 market_ioc 5"]


def test_a_flatten_that_was_asked_for_goes_on() -> None:
    assert commands(given_back(ENTERED, known("B1"), flatten=True)) == ["P1-G1C1 cancels P1-B1", "restored"]


def test_ids_carry_the_generation_and_never_repeat() -> None:
    book = given_back(ENTERED, generation=1)
    given_back(ENTERED, known("G1B1", over=True, down=True), generation=2, book=book)
    assert commands(book) == ["P1-G1B1 limit 5", "restored", "P1-G2B1 limit_ioc 5", "restored"]
    rescue = known("G1R1B1", 2, filled=((2, 80),))
    more = replace(ENTERED, fills=(fill_of("A1", 5, 30), fill_of("A1", 2, 70), fill_of("A1", 1, 90)))
    closed = PairSums(Shares(5), Shares(5), Won(5 * 72_300), Won(5 * 72_500))
    book = given_back(more, known("B1", filled=((5, 60),)), rescue, generation=3, child=1, ended=closed)
    assert commands(book) == ["P1-G3R1B1 limit_ioc 1", "restored"]


# --- children ---------------------------------------------------------------------------------------------------------

DONE = PairSums(Shares(2), Shares(2), Won(2 * 72_300), Won(2 * 72_500), Won(20), Won(290))
LEFT_OPEN = PairSums(Shares(0), Shares(5), Won(0), Won(5 * 72_500), Won(60), Won(725))


def test_a_late_fill_that_nobody_took_up_is_rescued_with_its_own_sums() -> None:
    entry = known("A1", style=IOC, filled=((2, 30), (3, 90)))
    book = given_back(entry, known("B1", 2, filled=((2, 60),)), child=1, ended=DONE)
    assert book.take_rows()[0].state == "RESCUE"
    assert commands(book) == ["P1-G1R1B1 limit_ioc 3", "restored"]
    book.works("G1R1B1").buys(3, "G1R1B1")
    ended = book.ended()
    assert (ended.state, ended.child, ended.bought, ended.sold) == (S.PAIRED_DONE, 1, 3, 3)
    assert (ended.buy_amount, ended.sell_amount) == (3 * 72_300, 3 * 72_500)
    assert ended.commission_won == 50 + 50 - 20, "what was charged in all, less what the parent has booked"


def test_a_late_fill_that_closes_what_was_left_is_told_and_not_hedged() -> None:
    book = given_back(ENTERED, known("B1", filled=((2, 80),), over=True), child=1, ended=LEFT_OPEN, left=-5)
    assert commands(book) == ["UNHEDGED 1: 2/0", "restored"]
    assert book.take_rows()[-1].message_text == "3 shares short"


def test_an_ended_pair_of_which_an_order_lives_waits_for_what_becomes_of_it() -> None:
    book = given_back(ENTERED, known("B1"), child=1, ended=LEFT_OPEN, left=-5)
    assert commands(book) == ["restored"]
    assert book.core.next_deadline() is None
    assert commands(book.buys(5, "B1")) == ["UNHEDGED 1: 5/0"]


def test_a_parents_hedge_that_lives_is_proved_before_a_child_hedges() -> None:
    entry = replace(ENTERED, fills=(*ENTERED.fills, fill_of("A1", 1, 90)))
    book = given_back(entry, known("B1"), child=1, ended=LEFT_OPEN, left=-5)
    assert commands(book) == ["asks P1-B1", "restored"]
    assert commands(book.proved("B1", DoubtVerdict.ENDED)) == ["P1-G1R1B1 limit_ioc 1"]


def test_a_flatten_of_what_was_left_goes_on_even_if_no_row_tells_of_it() -> None:
    order = known("R1B1", style=IOC, filled=((1, 80),), over=True, flatten=True)
    book = given_back(ENTERED, order, child=1, ended=LEFT_OPEN, left=-5)
    assert commands(book) == ["P1-G1R1B1 market_ioc 4", "restored"]
    book.works("G1R1B1").buys(4, "G1R1B1")
    ended = book.ended()
    assert (ended.state, ended.bought, ended.sold, ended.sell_amount) == (S.FLATTENED, 5, 5, 5 * 72_500)


def test_a_rescue_that_was_told_to_flatten_closes_only_its_own_fill() -> None:
    entry = replace(ENTERED, fills=(*ENTERED.fills, fill_of("A1", 1, 70)))
    order = known("R1B1", 1, style=IOC, sent=75, over=True, flatten=True)
    book = given_back(entry, order, child=1, ended=LEFT_OPEN, left=-5, flatten=True)
    assert commands(book) == ["P1-G1R1B1 market_ioc 1", "restored"]


def test_a_rescue_that_knew_nothing_of_the_hedge_before_it_proves_that_first_and_flattens_once() -> None:
    """The Gateway refused its first hedge, and told it of the one that lives."""
    book = Pair(started=False)
    fill = replace(fill_of("A1", 5, 0), cl_ord_id="", exec_id="")
    book.hears(StartRescue(CASE_PLAN, fill, rescue_no=1, carried=LEFT_OPEN))
    assert commands(book)[-1] == "P1-R1B1 limit_ioc 5"
    refused = known("R1B1", style=IOC, sent=None, numbered=None, over=True, down=True, flatten=True)
    given_back(ENTERED, known("B1"), refused, child=1, ended=LEFT_OPEN, left=-5, book=book)
    assert commands(book) == ["asks P1-B1", "restored"]
    assert commands(book.proved("B1", DoubtVerdict.RESTING)) == ["P1-G1R1C1 cancels P1-B1"]
    book.buys(5, "B1")
    ended = book.ended()
    assert (ended.child, ended.bought, ended.sold) == (1, 5, 5)


def test_the_row_of_what_is_handed_over_tells_how_much_and_its_worth() -> None:
    book = Pair(started=False)
    fill = replace(fill_of("A1", 3, 0), cl_ord_id="", exec_id="")
    carried = PairSums(Shares(0), Shares(3), Won(0), Won(3 * 72_500 + 1), Won(20), Won(400))
    book.hears(StartRescue(CASE_PLAN, fill, rescue_no=2, generation=4, carried=carried))
    [first, *_] = book.take_rows()
    assert dict(first.extra) == {"open_qty": -3, "handed_qty": -3, "handed_won": 3 * 72_500 + 1, "child": 2}
    assert commands(book)[0] == "P1-G4R2B1 limit_ioc 3"


# --- which pair, which slot -------------------------------------------------------------------------------------------


def test_a_restored_pair_replaces_the_one_in_hand_which_is_missed_when_asked_for() -> None:
    other = replace(CASE_PLAN, pair_id="P2")
    book = Pair(other)
    book.take_sends()
    assert commands(given_back(ENTERED, known("B1"), book=book)) == ["restored"]
    assert commands(book.hears(CheckPair(other))) == ["ENTRY_MISSED 0: 0/0"]
    assert book.take_rows()[-1].pair_id == "P2"


def test_a_restored_pair_that_ends_at_once_leaves_the_one_in_hand() -> None:
    other = replace(CASE_PLAN, pair_id="P2")
    book = Pair(other)
    book.take_sends()
    given_back(ENTERED, known("B1", filled=((5, 60),)), book=book)
    assert commands(book) == ["PAIRED_DONE 0: 5/5", "restored"]
    assert commands(book.hears(CheckPair(other))) == []
    assert commands(book.sells(5).canceled("A1", 0)) == ["P2-B1 limit 5"]


def test_nothing_to_restore_leaves_a_pair_to_its_own_timers() -> None:
    book = Pair()
    book.take_sends()
    book.hears(NothingToRestore(SLOT)).says(Send(Role.ROUTER, SlotRestored(SLOT)))
    assert commands(book.waits(3_100 * MS)) == ["asks P1-A1"]
    assert commands(book.refused("A1", RefusalReason.UNKNOWN_TARGET)) == ["ENTRY_MISSED 0: 0/0"]


def test_a_pair_that_is_in_hand_needs_no_answer_and_one_that_has_ended_repeats_its_end() -> None:
    book = Pair().hedging()
    assert commands(book.hears(CheckPair(CASE_PLAN))) == []
    assert commands(book.buys(5, "B1")) == ["PAIRED_DONE 0: 5/5"]
    assert commands(book.hears(CheckPair(CASE_PLAN))) == ["PAIRED_DONE 0: 5/5"]
    assert commands(book.hears(CheckPair(CASE_PLAN, child=1))) == ["ENTRY_MISSED 1: 0/0"]
    book.sells(1)
    assert book.core._pair.rescue_no == 2, "a child is told of once"


def test_a_new_manager_does_not_answer_what_its_predecessor_was_asked() -> None:
    assert commands(Pair(started=False).hears(CheckPair(CASE_PLAN))) == []


def test_fills_that_come_before_the_pair_are_the_pairs_own() -> None:
    book = Pair(started=False).hears(fill_of("A1", 5, 30)).hears(fill_of("B1", 2, 80)).says()
    given_back(ENTERED, known("B1", filled=((2, 80),)), book=book)
    assert [type(send.message) for send in book.take_sends()] == [PairAdvanced, WatchTop, SlotRestored]
    book = Pair(started=False).hears(late := fill_of("A1", 5, 30)).says()
    book.hears(NothingToRestore(SLOT))
    book.says(Send(Role.ROUTER, LateFill(late, Symbol(""))), Send(Role.ROUTER, SlotRestored(SLOT)))


# --- others that were started again -----------------------------------------------------------------------------------


def test_a_new_throttler_is_given_again_what_its_predecessor_may_have_lost() -> None:
    book = Pair().works("A1").sells(5)
    commands(book)
    assert commands(book.hears(ResendState("throttler", 0))) == ["P1-B1 limit 5"]
    assert commands(book.works("B1").hears(ResendState("throttler", 0))) == []
    assert commands(book.waits(SECOND)) == ["P1-C1 cancels P1-B1"]
    assert commands(book.hears(ResendState("throttler", 0))) == ["P1-C1 cancels P1-B1"]
    assert commands(book.submitted("C1").hears(ResendState("throttler", 0))) == []
    assert commands(book.cancel_stuck("C1", "B1")) == ["asks P1-B1"]
    assert commands(book.hears(ResendState("throttler", 0))) == ["asks P1-B1"]
    assert commands(book.proved("B1", DoubtVerdict.UNKNOWN).hears(ResendState("throttler", 0))) == []


def test_a_new_shard_and_a_new_router_hear_of_the_pair_again() -> None:
    book = Pair().hedging()
    book.hears(ResendState("market_data", 0)).says()
    book.hears(ResendState("market_data", 1)).says(Send(Role.MARKET_DATA, WatchTop(3, SLOT, True), 1))
    advanced = PairAdvanced("P1", SLOT, SAMSUNG, S.HEDGE_POST_SENT, -5, book.now.mono)
    book.hears(ResendState("router", 0)).says(Send(Role.ROUTER, advanced))
    book.hears(ResendState("gateway", 0)).says()
    book.buys(5, "B1")
    book.take_sends()
    for name in ("throttler", "router", "market_data", "spread_engine"):
        book.hears(ResendState(name, 1)).says()


def test_a_new_gateway_is_sent_the_rows_of_the_last_ends_again() -> None:
    book = Pair().hedging().buys(5, "B1")
    rows = book.take_rows()
    book.hears(ResendState("gateway", 0))
    assert book.take_rows() == rows


# --- it is never stuck ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reason", [RefusalReason.OUTDATED, RefusalReason.UNCOVERED_SALE, RefusalReason.SELF_TRADE, RefusalReason.BAD_PRICE]
)
def test_a_hedge_refused_for_good_is_tried_a_bounded_number_of_times(reason: RefusalReason) -> None:
    book = Pair().works("A1").sells(5)
    tries = 0
    while not book.core._pair.ended:
        tries += 1
        assert tries <= 2 + book.plan.max_hedge_attempts
        book.refused(f"B{book.core._pair.hedge_no}", reason).waits(4 * SECOND)
    assert book.ended().state is S.UNHEDGED


def test_attempts_refused_as_uncovered_outlast_a_late_word_on_the_shares() -> None:
    book = Pair().works("A1").sells(5)
    while not book.core._pair.ended:
        book.refused(f"B{book.core._pair.hedge_no}", RefusalReason.UNCOVERED_SALE).waits(100 * MS)
    assert 6 * SECOND < book.ended().at < 8 * SECOND


def test_a_hedge_refused_as_a_duplicate_is_sent_anew_but_not_at_once() -> None:
    book = Pair().works("A1").sells(5)
    commands(book)
    assert commands(book.refused("B1", RefusalReason.DUPLICATE)) == []
    assert commands(book.waits(50 * MS)) == ["P1-B2 limit 5"]


def test_a_venue_that_takes_no_cancel_for_half_an_hour_is_not_asked_thousands_of_times() -> None:
    book = Pair(replace(CASE_PLAN, flat_by_wall=WallNanos(TEN_O_CLOCK + 3_600 * SECOND))).hedging()
    cancels = 0
    while book.mono < 1_800 * SECOND:
        book.waits(10 * MS)
        for send in book.take_sends():
            match send.message:
                case CancelOrder():
                    cancels += 1
                    book.cancel_rejected(f"C{cancels}", "B1")
                case QueryOrder():
                    book.proved("B1", DoubtVerdict.RESTING, 5)
    assert 600 < cancels < 800


@st.composite
def standings(draw: st.DrawFn) -> tuple[OrderStanding, ...]:
    """Any set of orders, of a pair and its first rescue, that a misbehaving world may have left behind."""
    orders = []
    tails = draw(st.lists(st.sampled_from(("B1", "B2", "R1B3", "G1B1", "G1R1B2")), unique=True, max_size=4))
    for tail in ("A1", *tails):
        qty = draw(st.integers(1, 5))
        parts = draw(
            st.lists(st.tuples(st.integers(1, 3), st.integers(30, 900)), max_size=2, unique_by=lambda part: part[1])
        )
        parts = parts if sum(part for part, _ in parts) <= qty else []
        numbered = draw(st.booleans()) or bool(parts)
        sent = numbered or draw(st.booleans())
        over = draw(st.booleans())
        style = IOC if tail == "A1" else draw(st.sampled_from((POST, IOC, MARKET)))
        orders.append(
            known(
                tail, qty, style,
                sent=40 if sent else None, numbered=50 if numbered else None, filled=tuple(parts), over=over,
                down=over and not parts and draw(st.booleans()), cancel=draw(st.sampled_from(("", "", f"C{tail}"))),
                cancel_at=draw(st.sampled_from((None, 40, 800))),
                flatten=tail != "A1" and style is not POST and draw(st.booleans()),
            )
        )  # fmt: skip
    if not orders[0].fills:  # nothing was hedged
        del orders[1:]
    if any(each.command.kind is OrderKind.FLATTEN for each in orders):  # from then on nothing is posted
        flattened = [each.command.kind is OrderKind.FLATTEN for each in orders].index(True)
        orders = [each for index, each in enumerate(orders) if index < flattened or each.command.style is not POST]
    return tuple(orders)


@settings(max_examples=100, deadline=None)
@given(
    orders=standings(), at_ms=st.sampled_from((100, 600, 5_000, 70_000)), child=st.integers(0, 1),
    flatten=st.booleans(), cut=st.integers(0, 20),
)  # fmt: skip
def test_whatever_was_left_behind_is_accepted_and_comes_to_an_end(
    orders: tuple[OrderStanding, ...], at_ms: int, child: int, flatten: bool, cut: int
) -> None:
    ended = PairSums()
    if child:
        fills = [fill for each in orders for fill in each.fills][:cut]
        bought, sold = ([fill for fill in fills if fill.side is side] for side in (Side.BUY, Side.SELL))
        ended = PairSums(
            Shares(sum(fill.fill_qty for fill in bought)), Shares(sum(fill.fill_qty for fill in sold)),
            Won(sum(fill.fill_qty * fill.fill_px for fill in bought)),
            Won(sum(fill.fill_qty * fill.fill_px for fill in sold)),
        )  # fmt: skip
    book = given_back(
        *orders, at_ms=at_ms, generation=2, child=child, ended=ended, left=ended.bought - ended.sold, flatten=flatten
    )
    book.waits(SECOND).sees().waits(120 * SECOND)
    assert book.core.next_deadline() is None
    assert book.core._pair.ended
