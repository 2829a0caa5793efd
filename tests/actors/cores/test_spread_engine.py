"""SpreadEngine: what signals, what waits, what is never forgotten."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from actors.cores.spread_engine import COUNT_INTERVAL_NS, EngineSettings, SpreadEngineCore
from actors.domain.symbol_map import SymbolEntry
from actors.effects import Role, Send
from actors.messages.journal import EventType, Row
from actors.messages.market_data import ResendTops, TopsBatch
from actors.messages.session import Phase, TradingState
from actors.messages.spread import (
    AttemptEnded,
    AttemptOutcome,
    AttemptStarted,
    EdgeSettingsChanged,
    EngineCounted,
    Signal,
    SignalDropped,
    SymbolBlocked,
)
from actors.messages.supervision import ResendState
from kiwoom.fees import CostModel
from kiwoom.market import MS, SECOND, Market, Nanos, Shares, Symbol, Venue, WallNanos, Won
from kiwoom.quotes import TOP
from tests.support.playbook import Playbook

COOLDOWN = Nanos(100 * MS)
CYCLE = Nanos(10 * MS)
SYMBOLS = tuple(Symbol(f"{number:06}") for number in range(8))
A, B, C = SYMBOLS[:3]
SETTINGS = EngineSettings(
    entries=tuple(SymbolEntry(index, symbol, "A", Market.KOSPI, index // 4) for index, symbol in enumerate(SYMBOLS)),
    costs=CostModel(fee_ppb=(150_000, 176_833), kospi_tax_ppb=2_000_000, kosdaq_tax_ppb=2_000_000),
    run_tag="090025a",
    buffer_half_ticks=2,
    cooldown_ns=COOLDOWN,
    slice_qty=Shares(1),
    min_visible_qty=Shares(1),
    batch_interval_ns=CYCLE,
    freshness_ns=Nanos(0),
)


def top(index: int, krx: tuple[int, int], nxt: tuple[int, int], size: int = 10, recv: int = 1) -> bytes:
    return TOP.pack(index, 3, krx[0], size, krx[1], size, nxt[0], size, nxt[1], size, recv, recv + 1)


def wide(index: int, recv: int = 1, size: int = 10) -> bytes:
    """336 won of net edge, buying on KRX."""
    return top(index, (69_900, 70_000), (70_500, 70_600), size, recv)


def narrow(index: int) -> bytes:
    return top(index, (69_900, 70_000), (69_900, 70_000))


def tops(*records: bytes) -> TopsBatch:
    return TopsBatch(0, b"".join(records))


def trading(armed: bool) -> TradingState:
    return TradingState(armed, "", WallNanos(0), WallNanos(0), (Phase.RUNNING, Phase.RUNNING), True)


def ended(symbol: Symbol, pair_id: str, outcome: AttemptOutcome = AttemptOutcome.DONE) -> AttemptEnded:
    return AttemptEnded(symbol, pair_id, outcome, Nanos(0))


def disarmed(**changes: object) -> Playbook:
    return Playbook(SpreadEngineCore(replace(SETTINGS, **changes)))  # type: ignore[arg-type]


def armed(**changes: object) -> Playbook:
    book = disarmed(**changes).hears(trading(True))
    book.take_sends()
    return book


def signals(book: Playbook) -> list[Symbol]:
    """The symbols signalled since the last look."""
    return [send.message.symbol for send in book.take_sends() if isinstance(send.message, Signal)]


def rows(book: Playbook, event: EventType) -> list[Row]:
    return [row for row in book.take_rows() if row.event_type is event]


def counts(book: Playbook) -> EngineCounted:
    """The totals as they stand: waits until they may go out."""
    book.waits(COUNT_INTERVAL_NS)
    found = [send.message for send in book.take_sends() if isinstance(send.message, EngineCounted)]
    assert found
    return found[-1]


# --- the signal ------------------------------------------------------------------------------------------------------


def test_an_edge_on_an_idle_engine_is_signalled_at_once_with_everything_about_it() -> None:
    book = armed()
    book.mono = 5 * SECOND
    book.hears(tops(wide(1, recv=42)))
    signal = Signal(
        pair_id="090025a-1",
        symbol=B,
        symbol_index=1,
        buy_venue=Venue.KRX,
        sell_venue=Venue.NXT,
        buy_ask=Won(70_000),
        sell_bid=Won(70_500),
        buy_size=Shares(10),
        sell_size=Shares(10),
        buy_cost_mwon=10_500,
        sell_cost_mwon=12_467,
        tax_mwon=141_000,
        buffer_mwon=100_000,
        net_edge_mwon=336_033,
        net_edge_centibps=4_800,
        tick_recv=Nanos(43),
        cause_at=Nanos(43),
        at=Nanos(5 * SECOND),
        bids=(Won(69_900), Won(70_500)),
        asks=(Won(70_000), Won(70_600)),
    )
    assert book.take_sends()[0] == Send(Role.ROUTER, signal)
    (row,) = rows(book, EventType.SIGNAL)
    assert (row.pair_id, row.symbol, row.qty, row.ts_mono) == ("090025a-1", B, 1, 5 * SECOND)
    assert row.extra == (
        ("buy_venue", "KRX"),
        ("sell_venue", "NXT"),
        ("buy_ask", 70_000),
        ("sell_bid", 70_500),
        ("buy_size", 10),
        ("sell_size", 10),
        ("buy_cost_mwon", 10_500),
        ("sell_cost_mwon", 12_467),
        ("tax_mwon", 141_000),
        ("buffer_mwon", 100_000),
        ("net_edge_mwon", 336_033),
        ("net_edge_bps", 48.0),
        ("tick_recv_mono_ns", 43),
        ("cause", "quote"),
        ("cause_mono_ns", 43),
    )


@pytest.mark.parametrize(
    ("record", "changes", "signalled"),
    [
        (wide(0), {}, True),
        (top(0, (70_500, 70_600), (69_900, 70_000)), {}, True),
        (narrow(0), {}, False),
        (top(0, (0, 70_000), (70_500, 0)), {}, True),
        (top(0, (69_900, 0), (70_500, 70_600)), {}, False),
        (wide(0, size=2), {"slice_qty": Shares(3)}, False),
        (wide(0, size=3), {"slice_qty": Shares(3)}, True),
        (wide(0, size=2), {"min_visible_qty": Shares(3)}, False),
        (wide(0), {"buffer_half_ticks": 6}, True),
        (wide(0), {"buffer_half_ticks": 7}, False),
        (wide(0), {"buffer_half_ticks_of": ((A, 7),)}, False),
        (wide(0), {"buffer_half_ticks": 7, "buffer_half_ticks_of": ((A, 6),)}, True),
        (wide(0), {"buffer_half_ticks_of": ((B, 7),)}, True),
        (wide(0), {"costs": CostModel((0, 0), 10_000_000, 0)}, False),
        (wide(0), {"costs": CostModel((0, 0), 0, 10_000_000)}, True),
    ],
)
def test_what_makes_a_signal_and_what_does_not(record: bytes, changes: dict[str, object], signalled: bool) -> None:
    assert bool(signals(armed(**changes).hears(tops(record)))) is signalled


@pytest.mark.parametrize(("age", "signalled"), [(SECOND - 1, True), (SECOND, False)])
def test_with_a_freshness_limit_both_sides_must_be_younger(age: int, signalled: bool) -> None:
    book = armed(freshness_ns=Nanos(SECOND))
    book.mono = 10 * SECOND
    book.hears(tops(wide(0, recv=10 * SECOND - age)))
    assert bool(signals(book)) is signalled


def test_pair_ids_count_up_over_all_symbols() -> None:
    book = armed().hears(tops(wide(2), wide(0)))
    found = [send.message.pair_id for send in book.take_sends() if isinstance(send.message, Signal)]
    assert found == ["090025a-1", "090025a-2"]


# --- cycles ----------------------------------------------------------------------------------------------------------


def test_an_idle_engine_evaluates_every_batch_as_it_comes() -> None:
    book = armed().hears(tops(narrow(7))).hears(tops(wide(2), wide(0))).hears(tops(wide(1)))
    assert signals(book) == [C, A, B]


def test_a_busy_engine_waits_for_the_cycle_and_then_uses_the_latest_values_first_come_first_served() -> None:
    book = armed(symbols_per_cycle_max=2).hears(tops(narrow(7), narrow(6), wide(2), wide(0)))
    book.hears(tops(wide(1), narrow(2), wide(0)))
    assert signals(book) == []
    assert book.core.next_deadline() == CYCLE
    book.waits(CYCLE - 1)
    assert signals(book) == []
    book.waits(1)
    assert signals(book) == [A]
    book.waits(CYCLE)
    assert signals(book) == [B]


def test_each_symbol_is_evaluated_once_a_cycle_however_often_it_changed() -> None:
    book = armed(symbols_per_cycle_max=1).hears(tops(narrow(7), narrow(0)))
    for _ in range(5):
        book.hears(tops(narrow(0), narrow(1)))
    book.waits(2 * CYCLE)
    assert counts(book).evaluated == 3


def test_a_late_message_runs_the_cycle_that_its_timer_has_missed() -> None:
    book = armed(symbols_per_cycle_max=1).hears(tops(narrow(7), wide(0)))
    assert signals(book) == []
    book.mono = 13 * MS
    book.hears(AttemptStarted(C, "x"))
    assert signals(book) == [A]


def test_what_exceeds_the_budget_goes_first_in_the_next_cycle() -> None:
    book = armed(symbols_per_cycle_max=2).hears(tops(wide(3), wide(1), wide(0)))
    assert signals(book) == [SYMBOLS[3], B]
    book.hears(tops(wide(4), wide(5))).waits(CYCLE)
    assert signals(book) == [A, SYMBOLS[4]]
    book.waits(CYCLE)
    assert signals(book) == [SYMBOLS[5]]
    assert counts(book).carried_over == 2


def test_a_storm_of_edges_sends_no_more_signals_a_cycle_than_allowed_and_forgets_none() -> None:
    book = armed(signals_per_cycle_max=3).hears(tops(*(wide(index) for index in range(8))))
    assert signals(book) == list(SYMBOLS[:3])
    book.waits(CYCLE)
    assert signals(book) == list(SYMBOLS[3:6])
    book.waits(CYCLE)
    assert signals(book) == list(SYMBOLS[6:])


# --- one signal at a time --------------------------------------------------------------------------------------------


def test_while_a_signal_or_its_attempt_is_out_the_symbol_makes_no_second_one() -> None:
    book = armed().hears(tops(wide(0)))
    assert signals(book) == [A]
    book.waits(CYCLE).hears(tops(wide(0, size=9))).waits(CYCLE)
    book.hears(AttemptStarted(A, "090025a-1")).waits(10 * SECOND).hears(tops(wide(0, size=8))).waits(CYCLE)
    assert signals(book) == []
    book.hears(ended(A, "090025a-1"))
    assert signals(book) == [A]


def test_the_end_of_an_older_pair_does_not_free_the_symbol() -> None:
    book = armed().hears(tops(wide(0))).hears(AttemptStarted(A, "090025a-1"))
    signals(book)
    book.hears(ended(A, "before-7")).waits(SECOND)
    assert signals(book) == []


def test_a_signal_that_nobody_answers_is_given_up() -> None:
    book = armed().hears(tops(wide(0))).waits(SETTINGS.answer_ns - 1)
    assert signals(book) == [A]
    book.waits(1)
    assert signals(book) == [A]


def test_a_late_drop_does_not_free_a_symbol_whose_attempt_has_begun() -> None:
    book = armed().hears(tops(wide(0))).hears(AttemptStarted(A, "090025a-1"))
    signals(book)
    book.hears(SignalDropped(A, "RISK_PAIRS", Nanos(0))).waits(5 * SECOND)
    assert signals(book) == []


# --- a persistent edge is not forgotten ------------------------------------------------------------------------------


def dropped(retry_at: int | None) -> Playbook:
    book = armed().hears(tops(wide(0))).waits(CYCLE)
    assert signals(book) == [A]
    book.hears(SignalDropped(A, "THROTTLE_WINDOW", None if retry_at is None else Nanos(retry_at)))
    return book


def test_a_dropped_signal_s_symbol_looks_again_at_the_time_given_and_not_before() -> None:
    book = dropped(300 * MS).hears(tops(wide(0, size=9))).waits(290 * MS - 1)
    assert signals(book) == []
    book.waits(1)
    assert signals(book) == [A]


def test_what_is_evaluated_anew_is_the_latest_quote_not_the_dropped_one() -> None:
    book = dropped(300 * MS).hears(tops(narrow(0))).waits(SECOND)
    assert signals(book) == []


def test_without_a_time_the_symbol_looks_again_when_any_attempt_ends() -> None:
    book = dropped(None).waits(SECOND)
    assert signals(book) == []
    book.hears(ended(C, "x"))
    assert signals(book) == [A]


@pytest.mark.parametrize(
    "lifted",
    [
        SymbolBlocked(None, False, "AUTO_PAUSE"),
        SymbolBlocked(C, False, "MUTED"),
        EdgeSettingsChanged(2, COOLDOWN),
    ],
)
def test_without_a_time_the_symbol_also_looks_again_when_a_block_is_lifted_or_settings_change(lifted: object) -> None:
    book = dropped(None).waits(CYCLE).hears(lifted)
    assert signals(book) == [A]


def test_without_a_time_the_symbol_looks_again_after_the_longest_hold_at_the_latest() -> None:
    book = dropped(None).waits(SETTINGS.hold_max_ns - 1)
    assert signals(book) == []
    book.waits(1)
    assert signals(book) == [A]


def test_those_who_waited_for_room_look_before_the_one_whose_attempt_ended() -> None:
    book = armed().hears(tops(wide(0), wide(2), wide(1))).hears(AttemptStarted(A, "090025a-1"))
    for symbol in (C, B):
        book.hears(SignalDropped(symbol, "RISK_SYMBOLS", None))
    book.waits(CYCLE)
    signals(book)
    book.hears(ended(A, "090025a-1"))
    assert signals(book) == [C, B, A]


@pytest.mark.parametrize("symbol", [A, None])
def test_a_blocked_symbol_makes_no_signal_and_is_evaluated_when_unblocked(symbol: Symbol | None) -> None:
    book = armed().hears(SymbolBlocked(symbol, True, "why")).hears(tops(wide(0))).waits(SECOND)
    assert signals(book) == []
    book.hears(SymbolBlocked(symbol, False, "why"))
    assert signals(book) == [A]


@pytest.mark.parametrize("symbol", [A, None])
def test_a_block_with_an_end_lifts_itself(symbol: Symbol | None) -> None:
    until = Nanos(60 * SECOND)
    book = armed().hears(SymbolBlocked(symbol, True, "FROZEN", until)).hears(tops(wide(0))).waits(until - 1)
    assert signals(book) == []
    book.waits(1)
    assert signals(book) == [A]


@pytest.mark.parametrize("symbol", [A, None])
def test_a_block_made_longer_is_not_lifted_at_its_first_end(symbol: Symbol | None) -> None:
    book = armed().hears(tops(wide(0))).hears(SymbolBlocked(symbol, True, "FROZEN", Nanos(2 * SECOND)))
    book.hears(SymbolBlocked(symbol, True, "FROZEN", Nanos(60 * SECOND))).waits(60 * SECOND - 1)
    assert signals(book) == [A]
    book.waits(1)
    assert signals(book) == [A]


def test_arming_lifts_every_hold() -> None:
    book = dropped(60 * SECOND).hears(trading(False)).waits(CYCLE).hears(trading(True)).waits(CYCLE)
    assert signals(book) == [A]


def test_the_last_word_on_a_block_counts() -> None:
    book = armed().hears(SymbolBlocked(A, True, "FROZEN", Nanos(SECOND))).hears(SymbolBlocked(A, True, "MUTED"))
    book.hears(tops(wide(0))).waits(10 * SECOND)
    assert signals(book) == []


def test_a_block_of_one_symbol_leaves_the_others_alone() -> None:
    assert signals(armed().hears(SymbolBlocked(B, True, "MUTED")).hears(tops(wide(0), wide(1)))) == [A]


def test_a_smaller_buffer_lets_a_waiting_edge_through_but_not_where_the_symbol_has_its_own() -> None:
    book = armed(buffer_half_ticks=7, buffer_half_ticks_of=((B, 7),)).hears(tops(wide(0), wide(1))).waits(CYCLE)
    assert signals(book) == []
    book.hears(EdgeSettingsChanged(6, COOLDOWN))
    assert signals(book) == [A]


# --- cooldown --------------------------------------------------------------------------------------------------------


def test_a_first_opportunity_is_never_delayed() -> None:
    book = armed()
    for _ in range(5):
        book.hears(tops(narrow(0))).waits(CYCLE)
    assert rows(book, EventType.COOLDOWN_ARMED) == []
    book.hears(tops(wide(0)))
    assert signals(book) == [A]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (narrow(0), "fell back: price"),
        (wide(0, size=0), "fell back: size"),
        (top(0, (69_900, 0), (70_500, 0)), "fell back: no quote"),
    ],
    ids=["price", "size", "no quote"],
)
def test_falling_back_arms_the_cooldown_and_the_returning_edge_waits_for_its_end(record: bytes, reason: str) -> None:
    book = armed().waits(CYCLE).hears(tops(wide(0)))
    book.take_rows()
    signals(book)
    fell_back_at = book.mono
    book.hears(tops(record)).hears(SignalDropped(A, "THROTTLE_WINDOW", Nanos(0)))
    (row,) = rows(book, EventType.COOLDOWN_ARMED)
    assert (row.symbol, row.reason) == (A, reason)
    assert row.message_text == f"COOLDOWN_ARMED sym={A} dur=100 reason={reason}"
    assert row.extra == (("dur_ms", 100), ("flip_flops_in_minute", 1))

    book.hears(tops(wide(0, size=9))).waits(fell_back_at + COOLDOWN - book.mono - 1)
    assert signals(book) == []
    book.waits(1)
    assert signals(book) == [A]
    assert [row.reason for row in rows(book, EventType.COOLDOWN_CLEAR)] == ["elapsed"]


@pytest.mark.parametrize(
    ("outcome", "cools"),
    [
        (AttemptOutcome.DONE, False),
        (AttemptOutcome.MISSED, True),
        (AttemptOutcome.REJECTED, True),
        (AttemptOutcome.ESCALATED, True),
        (AttemptOutcome.UNHEDGED, False),
    ],
)
def test_the_end_of_an_attempt_cools_down_or_looks_at_the_persistent_edge_at_once(
    outcome: AttemptOutcome, cools: bool
) -> None:
    book = armed().hears(tops(wide(0))).hears(AttemptStarted(A, "090025a-1")).waits(CYCLE)
    signals(book)
    book.hears(ended(A, "090025a-1", outcome))
    assert signals(book) == ([] if cools else [A])
    assert [row.reason for row in rows(book, EventType.COOLDOWN_ARMED)] == ([outcome.value] if cools else [])
    book.waits(COOLDOWN - 1)
    assert signals(book) == []
    book.waits(1)
    assert signals(book) == ([A] if cools else [])


def test_a_second_reason_makes_the_cooldown_longer() -> None:
    book = armed().hears(tops(wide(0))).hears(AttemptStarted(A, "090025a-1")).waits(CYCLE)
    book.hears(tops(narrow(0))).waits(50 * MS)
    book.hears(ended(A, "090025a-1", AttemptOutcome.MISSED)).hears(tops(wide(0)))
    signals(book)
    book.waits(COOLDOWN - 1)
    assert signals(book) == []
    assert rows(book, EventType.COOLDOWN_CLEAR) == []
    book.waits(1)
    assert signals(book) == [A]


def test_a_cooldown_of_zero_is_off_and_fall_backs_are_still_counted() -> None:
    book = armed(cooldown_ns=Nanos(0)).hears(tops(wide(0))).waits(CYCLE)
    book.hears(ended(A, "090025a-1", AttemptOutcome.MISSED)).hears(tops(narrow(0))).waits(CYCLE)
    assert signals(book) == [A, A]
    book.hears(ended(A, "090025a-2", AttemptOutcome.MISSED)).hears(tops(wide(0))).waits(CYCLE)
    assert signals(book) == [A]
    assert rows(book, EventType.COOLDOWN_ARMED) == []
    assert counts(book).flip_flops == 1


def test_disarming_clears_every_cooldown_and_arming_looks_at_everything() -> None:
    book = armed().hears(tops(wide(0), wide(1))).waits(CYCLE)
    book.hears(ended(A, "090025a-1", AttemptOutcome.MISSED)).hears(ended(B, "090025a-2", AttemptOutcome.MISSED))
    signals(book)
    book.take_rows()
    book.hears(trading(False))
    assert [(row.symbol, row.reason) for row in rows(book, EventType.COOLDOWN_CLEAR)] == [
        (A, "disarmed"),
        (B, "disarmed"),
    ]
    book.waits(SECOND)
    assert signals(book) == []
    book.hears(trading(True))
    assert signals(book) == [A, B]


def test_no_cooldown_is_armed_while_disarmed() -> None:
    book = armed().hears(tops(wide(0))).hears(trading(False)).waits(CYCLE)
    book.hears(ended(A, "090025a-1", AttemptOutcome.MISSED)).hears(tops(narrow(0))).waits(CYCLE)
    assert rows(book, EventType.COOLDOWN_ARMED) == []


@pytest.mark.parametrize(("new_cooldown", "at"), [(0, 0), (20 * MS, 20 * MS), (SECOND, 100 * MS)])
def test_a_shorter_cooldown_shortens_those_that_run_and_a_longer_one_does_not_lengthen_them(
    new_cooldown: int, at: int
) -> None:
    book = armed().hears(tops(wide(0))).waits(CYCLE).hears(ended(A, "090025a-1", AttemptOutcome.MISSED))
    signals(book)
    book.hears(EdgeSettingsChanged(2, Nanos(new_cooldown)))
    if at:
        book.waits(at - 1)
        assert signals(book) == []
        book.waits(1)
    assert signals(book) == [A]


def test_deferrals_and_flip_flops_are_counted_by_symbol_and_minute() -> None:
    book = armed()
    in_minute = []
    for start in (0, 10 * SECOND, 70 * SECOND):
        book.waits(start - book.mono).hears(tops(wide(0))).waits(CYCLE).hears(tops(narrow(0))).waits(CYCLE)
        in_minute += [row.extra[1][1] for row in rows(book, EventType.COOLDOWN_ARMED)]
        book.hears(tops(wide(0), wide(1))).waits(CYCLE)
    assert in_minute == [1, 2, 1]
    total = counts(book)
    assert (total.flip_flops, total.cooldown_deferrals) == (3, 3)


# --- arming, start and counts ----------------------------------------------------------------------------------------


def test_while_disarmed_nothing_is_signalled_but_edges_are_shown() -> None:
    book = disarmed().hears(tops(wide(0), narrow(1))).waits(SECOND)
    found = [send.message for send in book.take_sends()]
    assert [type(message) for message in found] == [EngineCounted]
    assert found[0].edges == ((0, 336_033, 4_800), (1, -262_661, -3_753))
    book.hears(trading(True))
    assert signals(book) == [A]


OF_THE_ROUTER = [
    ("a block", SymbolBlocked(A, True, "FROZEN")),
    ("a block of all", SymbolBlocked(None, True, "AUTO_PAUSE")),
    ("an attempt", AttemptStarted(A, "090025a-1")),
]


@pytest.mark.parametrize(("what", "said"), OF_THE_ROUTER, ids=[case[0] for case in OF_THE_ROUTER])
def test_what_a_router_said_is_void_once_it_was_started_again(what: str, said: object) -> None:
    book = armed()
    book.hears(said)
    assert signals(book.hears(tops(wide(0)))) == []
    for role in (Role.GATEWAY, Role.THROTTLER, Role.PAIR_MANAGER):
        assert signals(book.hears(ResendState(role.value, 0))) == []
    assert signals(book.hears(ResendState(Role.ROUTER.value, 0))) == [A]


def test_what_the_new_router_says_stands() -> None:
    book = armed().hears(SymbolBlocked(A, True, "FROZEN")).hears(ResendState(Role.ROUTER.value, 0))
    book.hears(SymbolBlocked(A, True, "FROZEN"))
    assert signals(book.hears(tops(wide(0)))) == []


def test_at_the_first_trading_state_every_shard_is_asked_for_its_tops_and_never_again() -> None:
    book = disarmed().hears(trading(False))
    book.says(Send(Role.MARKET_DATA, ResendTops(), 0), Send(Role.MARKET_DATA, ResendTops(), 1))
    book.hears(trading(True)).says()


def test_counts_tell_the_outcomes_and_which_edges_moved_or_went() -> None:
    book = armed(slice_qty=Shares(5)).hears(tops(wide(0), narrow(1), wide(2, size=4), top(3, (0, 0), (0, 0))))
    total = next(send.message for send in book.take_sends() if isinstance(send.message, EngineCounted))
    assert (total.evaluated, total.eligible, total.below_threshold, total.too_small, total.signals) == (4, 1, 1, 1, 1)
    assert [index for index, _, _ in total.edges] == [0, 1, 2]
    book.hears(tops(wide(0), top(1, (0, 0), (0, 0))))
    total = counts(book)
    assert total.edges == ()
    assert total.unquoted == (1,)


def test_counts_go_out_at_most_four_times_a_second_and_only_if_something_happened() -> None:
    book = armed()
    for number in range(100):
        book.hears(tops(top(0, (69_900, 70_000), (69_900, 70_000 + number)))).waits(CYCLE)
    assert 4 <= len([send for send in book.take_sends() if send.to is Role.TELEMETRY]) <= 5
    book.waits(COUNT_INTERVAL_NS).take_sends()
    book.waits(10 * SECOND).says()


# --- whatever happens ------------------------------------------------------------------------------------------------

step = st.one_of(
    st.tuples(st.just("wide"), st.integers(0, 2)),
    st.tuples(st.just("narrow"), st.integers(0, 2)),
    st.tuples(st.just("wait"), st.sampled_from([1, 5, 10, 60, 150])),
    st.tuples(st.just("drop"), st.integers(0, 2)),
    st.tuples(st.just("start"), st.integers(0, 2)),
    st.tuples(st.sampled_from(list(AttemptOutcome)), st.integers(0, 2)),
    st.tuples(st.sampled_from(["arm", "disarm", "block", "unblock"]), st.just(0)),
)


@example_settings(max_examples=100, deadline=None)
@given(steps=st.lists(step, max_size=60))
def test_no_second_signal_none_while_disarmed_or_cooling_and_no_edge_is_left_behind(
    steps: list[tuple[object, int]],
) -> None:
    book = armed()
    is_armed, blocked = True, False
    out: dict[Symbol, str] = {}
    sent: dict[Symbol, int] = {}
    started: set[Symbol] = set()
    cooling: set[Symbol] = set()
    last: dict[int, bool] = {}

    def look() -> None:
        for effect in book._unmatched:
            if isinstance(effect, Send) and isinstance(effect.message, Signal):
                symbol = effect.message.symbol
                assert symbol not in started
                assert symbol not in out or effect.message.at >= sent[symbol] + SETTINGS.answer_ns
                assert is_armed
                assert not blocked
                assert symbol not in cooling
                out[symbol] = effect.message.pair_id
                sent[symbol] = effect.message.at
            elif not isinstance(effect, Send) and hasattr(effect, "row"):
                row = effect.row
                if row.event_type is EventType.COOLDOWN_ARMED:
                    cooling.add(row.symbol)
                elif row.event_type is EventType.COOLDOWN_CLEAR:
                    cooling.discard(row.symbol)
        book._unmatched.clear()

    for what, number in steps:
        symbol = SYMBOLS[number % len(SYMBOLS)]
        if what in ("wide", "narrow"):
            last[number] = what == "wide"
            book.hears(tops(wide(number) if what == "wide" else narrow(number)))
        elif what == "wait":
            book.waits(number * MS)
        elif what == "drop" and symbol in out and symbol not in started:
            del out[symbol]
            book.hears(SignalDropped(symbol, "why", Nanos(book.mono + 20 * MS)))
        elif what == "start" and symbol in out and symbol not in started:
            started.add(symbol)
            book.hears(AttemptStarted(symbol, out[symbol]))
        elif isinstance(what, AttemptOutcome) and symbol in started:
            started.discard(symbol)
            book.hears(ended(symbol, out.pop(symbol), what))
        elif what in ("arm", "disarm"):
            is_armed = what == "arm"
            book.hears(trading(is_armed))
        elif what in ("block", "unblock"):
            blocked = what == "block"
            book.hears(SymbolBlocked(None, blocked, "why"))
        look()

    for symbol in sorted(started):
        book.hears(ended(symbol, out.pop(symbol)))
    started.clear()
    out.clear()
    is_armed, blocked = True, False
    book.hears(SymbolBlocked(None, False, "why")).hears(trading(True))
    look()
    book.waits(3 * SECOND)
    look()
    assert {symbol for number, symbol in enumerate(SYMBOLS) if last.get(number)} <= set(out)
