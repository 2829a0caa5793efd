"""Blocks: a symbol is free again when its last cause is gone."""

from actors.domain.blocks import Block, Blocks
from kiwoom.market import Nanos, Symbol

SAMSUNG, HYNIX = Symbol("005930"), Symbol("000660")


def test_the_first_cause_in_order_names_the_refusal() -> None:
    blocks = Blocks()
    blocks.add(SAMSUNG, Block.REJECT_SPIKE, Nanos(5))
    blocks.add(SAMSUNG, Block.MUTED)
    assert blocks.cause(SAMSUNG) is Block.MUTED
    assert blocks.cause(HYNIX) is None


def test_lifting_one_of_two_causes_frees_nothing() -> None:
    blocks = Blocks()
    blocks.add(SAMSUNG, Block.MUTED)
    blocks.add(SAMSUNG, Block.UNHEDGED)
    assert not blocks.lift(SAMSUNG, Block.MUTED)
    assert not blocks.lift(SAMSUNG, Block.MUTED)
    assert blocks.lift(SAMSUNG, Block.UNHEDGED)


def test_blocks_end_at_their_time_and_report_only_symbols_that_are_free_now() -> None:
    blocks = Blocks()
    blocks.add(SAMSUNG, Block.REJECT_SPIKE, Nanos(5))
    blocks.add(SAMSUNG, Block.REJECTS, Nanos(9))
    blocks.add(HYNIX, Block.REJECT_SPIKE, Nanos(5))
    assert blocks.next_end() == 5
    assert blocks.until(SAMSUNG) == 9
    assert blocks.expire(Nanos(5)) == [(HYNIX, Block.REJECT_SPIKE)]
    assert blocks.expire(Nanos(9)) == [(SAMSUNG, Block.REJECTS)]
    assert blocks.next_end() is None


def test_a_block_without_an_end_has_no_time_to_look_again() -> None:
    blocks = Blocks()
    blocks.add(SAMSUNG, Block.REJECTS, Nanos(9))
    blocks.add(SAMSUNG, Block.MUTED)
    assert blocks.until(SAMSUNG) is None


def test_every_cause_has_a_refusal_of_the_contract() -> None:
    assert {cause.refusal for cause in Block} == {"MUTED", "FROZEN", "RISK_REJECT_SPIKE", "RISK_OVERLOAD"}
