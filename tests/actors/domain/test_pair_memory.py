"""PairMemory: from the rows of a pair to what its next manager, and a new Router, must be told."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from actors.domain.pair_memory import ENDS_REMEMBERED, PairMemory
from actors.domain.plan_record import plan_as_json, plan_from_json
from actors.messages.journal import EventType, Row
from actors.messages.pairs import PairState, PairSums
from kiwoom.market import Shares, Side, Won
from tests.support.builders import row
from tests.support.gateway_stage import HYNIX, PAIR, SAMSUNG, pair_plan

E, S = EventType, PairState


def sent(cl_ord_id: str, pair_id: str = PAIR, **extra: Any) -> Row:
    plan = {"plan": plan_as_json(pair_plan(pair_id=pair_id))} if cl_ord_id.startswith("A") else {}
    return row(E.ORDER_SEND_ATTEMPT, 1, {**plan, **extra}, pair_id=pair_id, symbol=SAMSUNG, cl_ord_id=cl_ord_id)


def fill(cl_ord_id: str, side: Side, qty: int = 1, px: int = 70_000, is_last: bool = True) -> Row:
    columns = {"pair_id": PAIR, "symbol": SAMSUNG, "cl_ord_id": cl_ord_id, "side": side.value}
    event_type = E.TRADE_FILL if is_last else E.TRADE_PARTIAL
    return row(event_type, 2, fill_qty=qty, fill_px=px, exec_id="1", **columns)


def over(cl_ord_id: str, event_type: EventType = E.CANCELED) -> Row:
    return row(event_type, 3, pair_id=PAIR, symbol=SAMSUNG, cl_ord_id=cl_ord_id)


def state(state: PairState, child: int = 0, open_qty: int = 0, pair_id: str = PAIR, **more: int) -> Row:
    extra = {"child": child, "open_qty": open_qty, **more}
    return row(E.PAIR_STATE, 4, extra, pair_id=pair_id, symbol=SAMSUNG, state=state.value)


def end(event_type: EventType, bought: int, sold: int, child: int = 0, fees: int = 7, tax: int = 100) -> Row:
    extra = {"child": child, "bought": bought, "sold": sold, "fees_krw": fees, "tax_krw": tax}
    return row(event_type, 5, extra, pair_id=PAIR, symbol=SAMSUNG, state=event_type.value)


def memory(*rows: Row) -> PairMemory:
    folded = PairMemory()
    for each in rows:
        if not folded.is_repeat(each):
            folded.take(each)
    return folded


BOUGHT = (sent("A1"), fill("A1", Side.BUY))
DONE = (*BOUGHT, sent("B1"), fill("B1", Side.SELL, px=70_300), state(S.PAIRED_DONE), end(E.PAIRED_DONE, 1, 1))
UNHEDGED = (*BOUGHT, state(S.UNHEDGED, open_qty=1), end(E.UNHEDGED, 1, 0))


def test_a_plan_comes_back_from_its_json() -> None:
    plan = pair_plan()
    assert plan_from_json(json.loads(json.dumps(plan_as_json(plan)))) == plan


def test_a_pair_lives_from_the_sending_of_its_entry_to_its_terminal_row() -> None:
    lives = [memory(*DONE[:rows]).is_live(PAIR) for rows in range(len(DONE) + 1)]
    assert lives == [False, True, True, True, True, True, False]


def test_a_pair_whose_terminal_row_was_lost_lives_although_it_is_flat() -> None:
    flat = memory(*DONE[:4])
    assert (flat.is_live(PAIR), flat.next_child(PAIR), flat.open_qty(PAIR)) == (True, 0, 0)


@pytest.mark.parametrize("state_only", [S.ENTRY_MISSED, S.ENTRY_REJECTED])
def test_an_entry_that_brought_nothing_ends_its_pair_without_figures(state_only: PairState) -> None:
    ended = memory(sent("A1"), over("A1"), state(state_only))
    assert not ended.is_live(PAIR)
    assert ended.ends == ((PAIR, 0, SAMSUNG),)


def test_a_pair_without_a_plan_is_nobodys_to_restore() -> None:
    assert not memory(row(E.ORDER_SEND_ATTEMPT, 1, pair_id=PAIR, symbol=SAMSUNG, cl_ord_id="A1")).is_live(PAIR)


def test_an_unhedged_pair_is_over_and_its_imbalance_is_known() -> None:
    ended = memory(*UNHEDGED)
    assert (ended.is_live(PAIR), ended.left(PAIR), ended.open_qty(PAIR)) == (False, 1, 0)
    (imbalance,) = ended.imbalances()
    assert (imbalance.state, imbalance.bought, imbalance.sold, imbalance.buy_amount) == (S.UNHEDGED, 1, 0, 70_000)
    assert imbalance.net_won == -70_000 - 107


def test_a_late_fill_wakes_the_pair_as_its_next_child() -> None:
    woken = memory(*DONE, fill("A1", Side.BUY))
    assert (woken.is_live(PAIR), woken.is_running(PAIR), woken.next_child(PAIR)) == (True, False, 1)
    assert woken.sums(PAIR) == PairSums(Shares(1), Shares(1), Won(70_000), Won(70_300), Won(7), Won(100))


def test_a_fill_that_the_ended_child_had_not_heard_of_is_not_booked_with_it() -> None:
    late = memory(*DONE[:4], fill("A1", Side.BUY, px=70_100), *DONE[4:])
    assert late.sums(PAIR).buy_amount == 70_000
    assert late.open_qty(PAIR) == 1


def test_a_late_fill_that_closes_what_was_left_leaves_nothing() -> None:
    closed = memory(*UNHEDGED, fill("B1", Side.SELL), state(S.RESCUE, 1, -1), end(E.UNHEDGED, 0, 1, child=1))
    assert (closed.left(PAIR), closed.is_live(PAIR), tuple(closed.imbalances())) == (0, False, ())


def test_a_child_that_closes_what_was_left_carries_it_in_its_own_sums() -> None:
    begins = state(S.RESCUE, 1, 1, handed_qty=1, handed_won=70_000)
    handed = memory(*UNHEDGED, begins, begins)
    assert (handed.left(PAIR), handed.open_qty(PAIR), handed.flatten(PAIR)) == (0, 1, True)
    assert handed.sums(PAIR) == PairSums(), "its costs go with it"
    assert tuple(handed.imbalances()) == ()
    closed = memory(*UNHEDGED, begins, fill("B1", Side.SELL, px=69_000), end(E.FLATTENED, 1, 1, 1, fees=14, tax=200))
    assert closed.sums(PAIR) == PairSums(Shares(1), Shares(1), Won(70_000), Won(69_000), Won(14), Won(200))
    assert (closed.traded_won, closed.net_won) == (139_000, -1_000 - 214)


def test_a_rescue_of_a_late_fill_takes_nothing_over() -> None:
    rescue = memory(*UNHEDGED, fill("A1", Side.BUY), state(S.RESCUE, 1, 1))
    assert (rescue.left(PAIR), rescue.open_qty(PAIR)) == (1, 1)


def test_each_child_ends_once_and_says_nothing_after_its_end() -> None:
    ended = memory(*DONE)
    assert ended.is_repeat(state(S.PAIRED_DONE))
    assert ended.is_repeat(state(S.HEDGE_POST_SENT))
    assert ended.is_repeat(end(E.PAIRED_DONE, 1, 1))
    assert ended.is_repeat(end(E.UNHEDGED, 1, 0))
    assert not ended.is_repeat(state(S.RESCUE, 1))
    assert not ended.is_repeat(end(E.PAIRED_DONE, 1, 1, child=1))


def test_the_figures_are_still_awaited_after_the_terminal_state() -> None:
    half = memory(*DONE[:5])
    assert half.is_repeat(state(S.PAIRED_DONE))
    assert not half.is_repeat(end(E.PAIRED_DONE, 1, 1))
    assert half.is_live(PAIR)


def test_a_restored_pair_counts_its_generations_and_its_child() -> None:
    restored = row(E.PAIR_RESTORED, 6, {"generation": 2, "child": 1}, pair_id=PAIR, symbol=SAMSUNG)
    known = memory(*DONE, restored)
    assert (known.generation(PAIR), known.next_child(PAIR), known.is_running(PAIR)) == (2, 1, True)
    assert known.generation("P9") == 0


def test_muted_and_frozen_are_what_a_person_has_not_lifted() -> None:
    def operator(command: str, symbol: str) -> Row:
        return row(E.OPERATOR, 1, symbol=symbol, reason=command)

    frozen = [row(E.SYMBOL_FROZEN, 1, symbol=symbol, reason="EXPOSED") for symbol in (SAMSUNG, HYNIX)]
    known = memory(operator("mute", SAMSUNG), operator("mute", HYNIX), *frozen, operator("unmute", SAMSUNG))
    assert (known.muted, known.frozen) == ((HYNIX,), (HYNIX,))
    assert memory(row(E.SYMBOL_FROZEN, 1, symbol=HYNIX, reason="UNHEDGED")).frozen == ()


def test_a_flatten_is_for_the_pairs_that_live_and_those_under_way() -> None:
    flatten, arm = row(E.OPERATOR, 9, reason="flatten"), row(E.OPERATOR, 9, reason="arm")
    assert memory(*BOUGHT, flatten).flatten(PAIR)
    assert memory(flatten, *BOUGHT).flatten(PAIR)
    assert not memory(flatten, arm, *BOUGHT).flatten(PAIR)
    assert not memory(*BOUGHT, arm).flatten(PAIR)
    assert memory(*BOUGHT, row(E.SYMBOL_FROZEN, 9, symbol=SAMSUNG, reason="EXPOSED")).flatten(PAIR)


def test_the_last_ends_are_remembered_oldest_first() -> None:
    names = [f"P{number}" for number in range(ENDS_REMEMBERED + 2)]
    known = memory(*(state(S.ENTRY_MISSED, pair_id=name) for name in names))
    assert [pair_id for pair_id, _, _ in known.ends] == names[2:]


@given(
    fills=st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 3), st.integers(60_000, 70_000)), max_size=8),
    booked=st.lists(st.integers(0, 8), max_size=3),
)
@hypothesis_settings(max_examples=100, deadline=None)
def test_every_fill_is_either_booked_or_open(fills: list[tuple[Side, int, int]], booked: list[int]) -> None:
    """Children book the oldest fills, each so many as it had heard of; nothing is counted twice or lost."""
    known = memory(sent("A1"))
    heard = sorted({min(each, len(fills)) for each in booked} | {0})
    for child, (before, after) in enumerate(pairwise(heard)):
        for side, qty, px in fills[before:after]:
            known.take(fill("A1", side, qty, px, is_last=False))
        mine = fills[before:after]
        bought = sum(qty for side, qty, _ in mine if side is Side.BUY)
        sold = sum(qty for side, qty, _ in mine if side is Side.SELL)
        known.take(end(E.UNHEDGED, bought, sold, child, fees=0, tax=0))
    for side, qty, px in fills[heard[-1] :]:
        known.take(fill("A1", side, qty, px, is_last=False))
    net = sum(qty if side is Side.BUY else -qty for side, qty, _ in fills)
    assert known.left(PAIR) + known.open_qty(PAIR) == net
    assert known.traded_won == sum(qty * px for _, qty, px in fills[: heard[-1]])


def test_memory_of_one_pair_says_nothing_of_another() -> None:
    known = memory(*DONE, sent("A1", "P2"))
    assert known.live_pairs() == ("P2",)
    assert not known.is_running(PAIR)
