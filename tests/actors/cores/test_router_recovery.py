"""Router after a failure: its own, a PairManager's, the Gateway's, the SpreadEngine's, the Throttler's."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.cores.router import RouterCore
from actors.domain.blocks import Block
from actors.domain.risk import RiskLimits
from actors.effects import Role, Send
from actors.messages.journal import EventType
from actors.messages.orders import OrderKind
from actors.messages.pairs import (
    AccountSnapshot,
    AdmissionRestored,
    CheckPair,
    CountPairs,
    FlattenPair,
    LateFill,
    OrderEnded,
    PairAdvanced,
    PairAssigned,
    PairEnded,
    PairPlan,
    PairState,
    PositionChanged,
    SlotRestored,
    StartRescue,
)
from actors.messages.session import ActorsDown, Command, OperatorCommand
from actors.messages.spread import AttemptEnded, AttemptOutcome, AttemptStarted, SymbolBlocked
from actors.messages.supervision import ResendState
from actors.messages.throttle import EntriesPaused, EntryLent, RequestEntry
from kiwoom.market import MS, SECOND, Nanos, Shares, Side, Symbol, Won
from tests.support.playbook import Playbook
from tests.support.router_stage import (
    CASH,
    HOUR,
    SAMSUNG,
    SETTINGS,
    account,
    ended,
    entry_ended,
    granted,
    late_fill,
    ready,
    refused,
    signal,
    started,
    told_engine,
    trading,
)

NOTHING_BEFORE = AdmissionRestored((), (), (), Won(0), Won(0))
ALL_UP = ActorsDown(())


def successor(**changes: Any) -> Playbook:
    return Playbook(RouterCore(replace(SETTINGS, is_successor=True, **changes)))


def restored(*plans: PairPlan, **changes: Any) -> AdmissionRestored:
    return replace(NOTHING_BEFORE, plans=plans, **changes)


def taken_over(*plans: PairPlan, held: int = 5, before: dict[str, Any] | None = None, **changes: Any) -> Playbook:
    """A successor that was told everything."""
    playbook = successor(**changes).hears(trading()).hears(ALL_UP).hears(restored(*plans, **(before or {})))
    playbook.hears(account(held)).take_sends()
    playbook.take_rows()
    return playbook


def resend(role: Role) -> ResendState:
    return ResendState(role.value, 0)


def sent_to(playbook: Playbook, role: Role) -> list[Any]:
    return [send.message for send in playbook.take_sends() if send.to is role]


# --- its own failure: what it waits for ---

WAITS: list[tuple[str, list[object], str]] = [
    ("for all three", [], "SESSION_OFF"),
    ("for who is up", [trading(), NOTHING_BEFORE, account()], "ACTOR_DOWN"),
    ("for the journal", [trading(), ALL_UP, account()], "RISK_NO_ACCOUNT"),
    ("for the account", [trading(), ALL_UP, NOTHING_BEFORE], "RISK_NO_ACCOUNT"),
    ("for the session", [ALL_UP, NOTHING_BEFORE, account()], "SESSION_OFF"),
]


@pytest.mark.parametrize(("what", "heard", "reason"), WAITS, ids=[case[0] for case in WAITS])
def test_a_successor_admits_nothing_while_it_waits(what: str, heard: list[object], reason: str) -> None:
    playbook = successor()
    for message in heard:
        playbook.hears(message)
    playbook.take_sends()
    assert refused(playbook, signal()).reason == reason


@pytest.mark.parametrize("account_first", [False, True])
def test_a_successor_admits_once_it_has_heard_all(account_first: bool) -> None:
    playbook = successor().hears(trading()).hears(ALL_UP)
    for message in sorted((NOTHING_BEFORE, account()), key=lambda m: isinstance(m, AccountSnapshot) != account_first):
        playbook.hears(message)
    started(playbook)


def test_a_first_router_admits_on_the_account_alone() -> None:
    started(Playbook(RouterCore(SETTINGS)).hears(trading()).hears(account()))


def test_a_first_router_on_the_journal_of_a_machine_that_was_killed_takes_its_pairs_over() -> None:
    plan = started(ready())
    playbook = Playbook(RouterCore(SETTINGS)).hears(restored(plan)).hears(trading()).hears(account())
    playbook.take_sends()
    assert refused(playbook, signal("p2")).reason == "RISK_PAIRS"


def test_nobody_is_told_that_no_pair_is_open_before_that_is_known() -> None:
    playbook = successor().hears(CountPairs(Nanos(1)))
    (answer,) = sent_to(playbook, Role.SUPERVISOR)
    assert answer.admitting
    playbook.hears(restored(started(ready()))).hears(CountPairs(Nanos(2)))
    (answer,) = sent_to(playbook, Role.SUPERVISOR)
    assert (answer.open_pairs, answer.admitting) == (1, False)


# --- its own failure: what it takes over ---


def test_a_restored_router_keeps_slots_claims_and_blocks() -> None:
    plan = started(ready(account(held=1)))
    playbook = taken_over(
        plan,
        held=1,
        before={"muted": (Symbol("000660"),), "frozen": (Symbol("035420"),)},
        pairs_per_symbol=((SAMSUNG, 2),),
    )
    assert refused(playbook, signal("p2", "000660")).reason == "MUTED"
    assert refused(playbook, signal("p3", "035420")).reason == "FROZEN"
    second = started(playbook, "p4")
    assert (second.slot, second.entry.side) == (1, Side.BUY)
    playbook.hears(ended("p1")).hears(ended("p4")).take_sends()
    assert started(playbook, "p5").slot == 0


def test_the_engine_hears_what_stands_and_the_journal_nothing_twice() -> None:
    left = ended("p0", PairState.UNHEDGED, bought=1, buy_amount=70_000, symbol=Symbol("035420"))
    playbook = successor().hears(restored(started(ready()), muted=(Symbol("000660"),), imbalances=(left,)))
    assert told_engine(playbook) == [
        AttemptStarted(SAMSUNG, "p1"),
        SymbolBlocked(Symbol("000660"), True, "MUTED"),
        SymbolBlocked(Symbol("035420"), True, "FROZEN"),
    ]
    playbook.records()


EARLY: list[tuple[str, list[object], bool]] = [
    ("an end that the journal had not yet", [ended()], False),
    ("an end that it had", [ended("p0", child=0)], True),
    ("the word that the pair lives", [PairAdvanced("p1", 0, SAMSUNG, PairState.HEDGE_POST_SENT, -1, Nanos(0))], True),
    ("the end of its entry", [entry_ended()], True),
]


@pytest.mark.parametrize(("what", "early", "lives"), EARLY, ids=[case[0] for case in EARLY])
def test_what_comes_before_the_journals_word_is_heard_after_it(what: str, early: list[object], lives: bool) -> None:
    playbook = successor().hears(trading()).hears(ALL_UP)
    for message in early:
        playbook.hears(message).says()
    before = restored(started(ready()), ended=(("p0", 0, SAMSUNG),), traded_won=Won(1_000), net_won=Won(7))
    playbook.hears(before).hears(account()).take_sends()
    assert (list(playbook.core._live) == ["p1"]) is lives
    assert playbook.core._books.net_won == (7 if lives else 7 + 339)


def test_a_late_fill_that_comes_early_is_rescued_once_the_books_are_open() -> None:
    playbook = successor().hears(late_fill("p0")).says()
    playbook.hears(restored(started(ready()), ended=(("p0", 1, SAMSUNG),), generations=(("p0", 3),)))
    (start,) = [message for message in sent_to(playbook, Role.PAIR_MANAGER) if isinstance(message, StartRescue)]
    assert (start.plan.pair_id, start.plan.slot, start.rescue_no, start.generation) == ("p0", 1, 2, 3)


@pytest.mark.parametrize("flatten_first", [True, False])
def test_a_flatten_repeated_to_a_successor_reaches_what_it_takes_over(flatten_first: bool) -> None:
    left = ended("p0", PairState.UNHEDGED, sold=1, sell_amount=70_500, symbol=Symbol("000660"))
    before = restored(started(ready()), imbalances=(left,))
    flatten = OperatorCommand(Command.FLATTEN, repeated=True)
    playbook = successor()
    for message in (flatten, before) if flatten_first else (before, flatten):
        playbook.hears(message)
    told = sent_to(playbook, Role.PAIR_MANAGER)
    assert told[0] == FlattenPair("p1")
    assert (told[1].late.side, told[1].late.fill_qty, told[1].plan.slot) == (Side.SELL, 1, 1)
    playbook.hears(trading()).hears(ALL_UP).hears(account()).take_sends()
    assert refused(playbook, signal("p9", "051910")).reason == "SESSION_OFF"


def test_a_mute_pressed_while_the_books_are_closed_holds_when_they_are_open() -> None:
    playbook = successor().hears(trading()).hears(ALL_UP).hears(OperatorCommand(Command.MUTE, "005930"))
    playbook.hears(NOTHING_BEFORE).hears(account()).take_sends()
    assert refused(playbook, signal()).reason == "MUTED"


def test_what_was_traded_and_lost_and_sent_before_counts_on() -> None:
    before = {"traded_won": Won(1_000_000), "net_won": Won(-500), "orders": 40}
    for limits, reason in (
        (RiskLimits(notional_per_session_max_won=1_140_499), "RISK_NOTIONAL_SESSION"),
        (RiskLimits(daily_loss_max_won=500), "RISK_DAILY_LOSS"),
        (RiskLimits(daily_orders_max=40), "RISK_DAILY_ORDERS"),
    ):
        assert refused(taken_over(before=before, limits=limits), signal()).reason == reason
        started(taken_over(before=before))


def test_an_imbalance_of_before_is_closed_by_hand_or_by_flatten_as_ever() -> None:
    left = ended("p0", PairState.UNHEDGED, sold=1, sell_amount=70_500)
    by_hand = taken_over(held=4, before={"imbalances": (left,)}).waits(2 * SECOND)
    by_hand.hears(PositionChanged(SAMSUNG, Shares(5), Shares(5), Nanos(by_hand.mono)))
    assert told_engine(by_hand) == [SymbolBlocked(SAMSUNG, False, "FROZEN")]
    by_flatten = taken_over(held=4, before={"imbalances": (left,), "ended": (("p0", 0, SAMSUNG),)})
    by_flatten.hears(OperatorCommand(Command.FLATTEN)).take_sends()
    closed = ended("p0", PairState.FLATTENED, child=1, bought=1, sold=1, buy_amount=70_000, sell_amount=70_500)
    assert SymbolBlocked(SAMSUNG, False, "FROZEN") in told_engine(by_flatten.hears(closed))
    assert by_flatten.core._books.shares.free(SAMSUNG, Nanos(0)) == 5
    assert by_flatten.core._books.cash.free == CASH - 70_000


def test_an_imbalance_is_not_taken_for_closed_because_the_shares_were_reckoned_at_their_worst() -> None:
    plan = started(ready(account(held=2)))
    assert plan.entry.side is Side.SELL
    playbook = taken_over(plan, held=1)  # sold 1 before: its fills so far are not known
    playbook.hears(ended(state=PairState.UNHEDGED, sold=1, sell_amount=70_500)).waits(2 * SECOND).take_sends()
    for _ in range(2):
        playbook.hears(PositionChanged(SAMSUNG, Shares(1), Shares(1), Nanos(playbook.mono))).says()
    assert refused(playbook, signal("p2")).reason == "FROZEN"
    playbook.hears(PositionChanged(SAMSUNG, Shares(2), Shares(2), Nanos(playbook.mono)))
    assert told_engine(playbook) == [SymbolBlocked(SAMSUNG, False, "FROZEN")]


# --- ends are booked once ---


@pytest.mark.parametrize("child", [0, 1])
def test_an_end_said_twice_is_booked_once(child: int) -> None:
    playbook = ready()
    if child:
        playbook.hears(late_fill()).take_sends()
    else:
        started(playbook)
    once = playbook.hears(ended(child=child)).core._books
    books = (once.traded_won, once.net_won, once.cash.free)
    playbook.take_sends()
    playbook.hears(ended(child=child)).says()
    assert (once.traded_won, once.net_won, once.cash.free) == books == (140_500, 339, CASH + 339)


def test_a_parents_end_said_again_does_not_end_its_rescue() -> None:
    playbook = ready()
    started(playbook)
    playbook.hears(ended()).hears(late_fill()).take_sends()
    playbook.hears(ended()).says()
    assert "p1" in playbook.core._live
    playbook.hears(ended(child=1)).take_sends()
    assert playbook.core._live == {}


def test_a_rescue_taken_up_for_an_end_that_was_booked_lets_its_slot_and_claims_go() -> None:
    playbook = ready()
    started(playbook)
    playbook.hears(ended(child=1)).take_sends()
    playbook.hears(PairAdvanced("p1", 0, SAMSUNG, PairState.RESCUE, 1, Nanos(0))).take_sends()
    books = playbook.core._books
    booked = books.net_won
    playbook.hears(ended(child=1))
    assert told_engine(playbook) == [AttemptEnded(SAMSUNG, "p1", AttemptOutcome.ESCALATED, Nanos(0))]
    assert (playbook.core._live, books.cash.claimed, books.net_won) == ({}, 0, booked)


def test_a_late_fill_of_a_pair_that_nobody_remembers_is_taken_by_its_symbol() -> None:
    playbook = ready().hears(late_fill("long ago"))
    assert [type(message) for message in sent_to(playbook, Role.PAIR_MANAGER)] == [StartRescue]


def test_a_late_fill_that_nobody_can_place_is_shown_and_breaks_nothing() -> None:
    playbook = ready().hears(LateFill(late_fill("long ago").fill, Symbol(""))).says()
    (row,) = playbook.take_rows()
    assert (row.event_type, row.reason, row.pair_id) == (EventType.SERVER_MESSAGE, "UNKNOWN_FILL", "long ago")


# --- a PairManager's failure ---


def test_a_new_manager_is_asked_for_the_pair_of_its_slot_and_for_no_other() -> None:
    playbook = ready()
    started(playbook)
    plan = started(playbook, "p2", "000660")
    playbook.hears(signal("p3", "035420")).take_sends()  # only asks: nothing was sent to any manager
    playbook.hears(SlotRestored(1)).says(Send(Role.PAIR_MANAGER, CheckPair(plan), 1))
    playbook.hears(SlotRestored(2)).says()


def test_a_pair_that_never_began_ends_as_missed_and_frees_its_claims() -> None:
    playbook = ready(account(held=1), slots=1)
    started(playbook)
    playbook.hears(SlotRestored(0)).hears(ended(state=PairState.ENTRY_MISSED))
    assert told_engine(playbook)[-1] == AttemptEnded(SAMSUNG, "p1", AttemptOutcome.MISSED, Nanos(0))
    assert started(playbook, "p2").entry.side is Side.SELL


def test_a_rescue_that_never_began_waits_for_a_slot_again_under_a_new_number() -> None:
    playbook = ready().hears(late_fill())
    playbook.take_sends()
    playbook.hears(SlotRestored(0))
    (check,) = sent_to(playbook, Role.PAIR_MANAGER)
    assert check.child == 1
    playbook.hears(ended(state=PairState.ENTRY_MISSED, child=1))
    (again,) = sent_to(playbook, Role.PAIR_MANAGER)
    assert (again.late, again.rescue_no) == (late_fill().fill, 2)
    playbook.hears(ended(child=2)).take_sends()
    assert (playbook.core._live, playbook.core._books.cash.claimed) == ({}, 0)


def test_a_flatten_reaches_the_new_manager_too_until_the_machine_is_armed_again() -> None:
    playbook = ready()
    started(playbook)
    playbook.hears(OperatorCommand(Command.FLATTEN)).take_sends()
    assert FlattenPair("p1") in sent_to(playbook.hears(SlotRestored(0)), Role.PAIR_MANAGER)
    playbook.hears(OperatorCommand(Command.ARM))
    assert FlattenPair("p1") not in sent_to(playbook.hears(SlotRestored(0)), Role.PAIR_MANAGER)


def test_a_rescue_speaks_in_the_generation_that_its_pair_was_last_heard_in() -> None:
    playbook = ready()
    started(playbook)
    playbook.hears(PairAdvanced("p1", 0, SAMSUNG, PairState.HEDGE_POST_SENT, -1, Nanos(0), generation=2))
    playbook.hears(ended()).take_sends()
    (start,) = sent_to(playbook.hears(late_fill()), Role.PAIR_MANAGER)
    assert start.generation == 2


# --- the Gateway's, the SpreadEngine's, the Throttler's failure ---


def test_a_new_gateway_hears_again_where_rescues_live() -> None:
    playbook = ready()
    started(playbook, "p2", "000660")
    playbook.hears(late_fill()).take_sends()
    playbook.hears(resend(Role.GATEWAY)).says(Send(Role.GATEWAY, PairAssigned("p1", 1, SAMSUNG)))


def test_a_journal_that_says_ended_of_a_pair_that_runs_makes_it_ask_the_manager() -> None:
    playbook = ready()
    plan = started(playbook)
    started(playbook, "p2", "000660")
    playbook.hears(restored(ended=(("p1", 0, SAMSUNG),), traded_won=Won(5), net_won=Won(5)))
    playbook.says(Send(Role.PAIR_MANAGER, CheckPair(plan), 0))
    assert playbook.core._books.traded_won == 0


def test_a_router_that_goes_on_ignores_plans_of_pairs_that_have_ended() -> None:
    playbook = ready()
    plan = started(playbook)
    playbook.hears(ended()).take_sends()
    playbook.hears(restored(plan)).says()
    assert playbook.core._live == {}


def test_a_new_engine_hears_every_block_the_pause_and_what_runs() -> None:
    playbook = ready()
    started(playbook)
    playbook.hears(signal("p2", "000660")).hears(OperatorCommand(Command.MUTE, "035420"))
    playbook.hears(EntriesPaused(True, Nanos(0))).take_sends()
    assert told_engine(playbook.hears(resend(Role.SPREAD_ENGINE))) == [
        SymbolBlocked(None, True, "AUTO_PAUSE"),
        SymbolBlocked(Symbol("035420"), True, "MUTED"),
        AttemptStarted(SAMSUNG, "p1"),
    ]


def test_a_loan_of_a_throttler_that_failed_is_void() -> None:
    playbook = ready().hears(EntryLent(7, Nanos(HOUR))).hears(resend(Role.THROTTLER))
    playbook.hears(signal()).says(Send(Role.THROTTLER, RequestEntry("p1")))


@pytest.mark.parametrize("role", [Role.PAIR_MANAGER, Role.SESSION_STATE, Role.MARKET_DATA, Role.TELEMETRY])
def test_of_the_other_failures_it_has_nothing_to_say(role: Role) -> None:
    playbook = ready()
    started(playbook)
    playbook.hears(resend(role)).says()


# --- whenever it fails ---

STEPS = st.lists(
    st.tuples(st.sampled_from(["start", "fill", "miss", "done", "unhedged", "late", "wait"]), st.integers(0, 3)),
    max_size=25,
)


class TwoRouters:
    """One goes on, the other is a successor told from the journal; the manager, the broker and the journal are here."""

    def __init__(self, held: int) -> None:
        self.changes: dict[str, Any] = {
            "limits": RiskLimits(pairs_per_symbol_max=3, concurrent_symbols_max=4),
            "slots": 4,
        }
        self.one = ready(account(held), **self.changes)
        self.other: Playbook | None = None
        self.held = held
        self.names = 0
        self.journal = NOTHING_BEFORE
        self.hedged = ""
        """The pair that is about to end: bought and sold are equal."""

    def play(self, step: str, pick: int) -> None:
        live = list(self.one.core._live.values())
        match step:
            case "start" if not self.other:
                self.names += 1
                name = f"p{self.names}"
                self.hears(signal(name))
                self.hears(granted(name))
            case "late":
                self.late_fill(Side.BUY if pick % 2 else Side.SELL)
            case "wait":
                self.wait(pick * 300 * MS)
            case "fill" | "miss" | "done" | "unhedged" if live:
                self.advance(step, live[pick % len(live)])
            case _:
                pass

    def restart(self) -> None:
        live = tuple(pair.plan for pair in self.one.core._live.values())
        other = successor(**self.changes)
        other.mono = self.one.mono
        snapshot = account(self.held)
        other.hears(trading()).hears(ALL_UP).hears(replace(self.journal, plans=live))
        for waiting in self.one.core._rescues:
            other.hears(LateFill(waiting.fill, SAMSUNG))
        other.hears(snapshot).take_sends()
        self.one.hears(snapshot)
        self.other = other
        self.compare()

    def hears(self, message: object) -> None:
        for playbook in (self.one, self.other):
            if playbook is not None:
                playbook.hears(message).take_sends()
        self.compare()

    def wait(self, ns: int) -> None:
        for playbook in (self.one, self.other):
            if playbook is not None:
                playbook.waits(ns).take_sends()
        self.compare()

    def late_fill(self, side: Side) -> None:
        if self.held == 0 and side is Side.SELL:
            return
        self.names += 1
        self.end(ended(f"late{self.names}", PairState.ENTRY_MISSED))
        self.moves(1 if side is Side.BUY else -1, late_fill(f"late{self.names}", side))

    def advance(self, step: str, pair: Any) -> None:
        plan, at = pair.plan, Nanos(self.one.mono)
        sign = 1 if plan.entry.side is Side.BUY else -1
        is_filled = pair.is_rescue or pair.entry_ended
        end = replace(ended(plan.pair_id), at=at, child=pair.child)
        if step == "fill" and not is_filled:
            self.moves(sign, replace(entry_ended(plan.pair_id, plan.entry.side), at=at))
        elif step == "miss" and not is_filled:
            self.hears(replace(entry_ended(plan.pair_id, plan.entry.side, filled=0), at=at))
            self.end(replace(ended(plan.pair_id, PairState.ENTRY_MISSED), at=at, child=pair.child))
        elif step == "done" and is_filled:
            hedge = OrderEnded(plan.pair_id, "B1", OrderKind.HEDGE, SAMSUNG, plan.hedge.side, Shares(1), at)
            self.hedged = plan.pair_id
            self.moves(-sign, hedge)
            self.end(end)
        elif step == "unhedged" and is_filled:
            bought, sold = Shares(int(sign > 0)), Shares(int(sign < 0))
            left = replace(end, state=PairState.UNHEDGED, bought=bought, sold=sold, net_won=Won(0))
            self.end(replace(left, buy_amount=Won(70_000 * bought), sell_amount=Won(70_500 * sold)))

    def moves(self, shares: int, event: object) -> None:
        """The word on the order, then the broker's on the position."""
        self.held += shares
        self.hears(event)
        self.report()

    def report(self) -> None:
        self.hears(PositionChanged(SAMSUNG, Shares(self.held), Shares(self.held), Nanos(self.one.mono)))

    def end(self, end: PairEnded) -> None:
        journal = self.journal
        self.journal = replace(
            journal,
            traded_won=Won(journal.traded_won + end.buy_amount + end.sell_amount),
            net_won=Won(journal.net_won + end.net_won),
            imbalances=(*journal.imbalances, end) if end.state is PairState.UNHEDGED else journal.imbalances,
            ended=(*journal.ended, (end.pair_id, end.child, end.symbol)),
        )
        self.hears(end)

    def compare(self) -> None:
        """The successor never counts on shares that are not there or promised, nor on more cash than the other."""
        if self.other is None:
            return
        one, other, now = self.one.core, self.other.core, Nanos(self.one.mono)
        assert list(other._live) == list(one._live)
        assert [p.plan.slot for p in other._live.values()] == [p.plan.slot for p in one._live.values()]
        assert [p.child for p in other._live.values()] == [p.child for p in one._live.values()]
        live = [pair for pair in one._live.values() if pair.plan.pair_id != self.hedged]
        unsold = sum(p.plan.qty for p in live if p.plan.entry.side is Side.SELL and not (p.is_rescue or p.entry_ended))
        bought = sum(p.plan.qty for p in live if p.plan.entry.side is Side.BUY and (p.is_rescue or p.entry_ended))
        assert other._books.shares.free(SAMSUNG, now) <= max(0, self.held - unsold - bought)
        assert other._books.cash.free <= one._books.cash.free
        assert (other._books.traded_won, other._books.net_won) == (one._books.traded_won, one._books.net_won)
        assert other._blocks.has(SAMSUNG, Block.UNHEDGED) is one._blocks.has(SAMSUNG, Block.UNHEDGED)

    def finish(self) -> None:
        for _ in range(3):
            for pair in list(self.one.core._live.values()):
                self.advance("fill", pair)
                self.advance("done", pair)
        self.wait(2 * SECOND)
        self.report()


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 3), STEPS, STEPS)
def test_a_successors_books_are_those_of_a_router_that_went_on(held: int, before: Any, after: Any) -> None:
    world = TwoRouters(held)
    for step, pick in before:
        world.play(step, pick)
    world.restart()
    for step, pick in after:
        world.play(step, pick)
    world.finish()
    assert world.other is not None
    now = Nanos(world.one.mono)
    one, other = world.one.core._books, world.other.core._books
    assert other.cash.claimed == other.shares.claims(SAMSUNG) == 0
    assert other.cash.free == one.cash.free
    assert other.shares.free(SAMSUNG, now) == one.shares.free(SAMSUNG, now)
