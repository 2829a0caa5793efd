"""What the machine promises of itself, in figures, on simulated days with every checker watching.

The hedge among many entries, the rejected hedge, the poisoned quotes, Flatten with twenty open pairs.
"""

import os
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from actors.messages.journal import EventType, Row
from actors.messages.session import Command, OperatorCommand
from config.reader import LoadedConfig, load
from kiwoom.market import MS, SECOND, Nanos
from kiwoom.simulated.ledger import LedgerKind, LedgerRow
from kiwoom.simulated.scenario import load_scenario
from supervision.broker_process import SCENARIOS
from supervision.simulation.checkers.books import CALLS, OrderFacts, is_ours
from supervision.simulation.day import DayPlan, DayResult
from supervision.simulation.evidence import Strike, View
from supervision.simulation.incidents.incident import Incident, play

WINDOW_NS = 1_050 * MS
"""A second and its margin: a place in the window is free again so long after it was taken."""


@pytest.fixture(scope="module")
def loaded() -> LoadedConfig:
    return load(None, (), os.environ)


def day_of(kind: type[Incident], seed: int, loaded: LoadedConfig) -> tuple[Incident, DayResult]:
    made: list[Incident] = []

    def make(of: int) -> Incident:
        made.append(kind(of))
        return made[0]

    scenario = load_scenario("storm", SCENARIOS)
    result = play(make, DayPlan(seed=seed, loaded=loaded, scenario=scenario, broker_faults=()))
    return made[0], result


# --- sixty entries, then a hedge --------------------------------------------------------------------------------------


class ManyEntries(Incident):
    """Sixty symbols with an edge at once: entries as many as the window gives, and each that fills needs its hedge."""

    sets = (
        "execution.max_concurrent_symbols=50",
        "risk.max_notional_per_session_krw=1000000000000",
    )
    flow: ClassVar[Mapping[str, Any]] = {"dislocations_per_minute": 6_000, "long_ms": (59_000, 60_000)}
    symbols = 60
    length_ns = 12 * SECOND

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.needed: dict[str, int] = {}
        self.waits: list[tuple[int, str]] = []
        self.signals = 0

    def journal(self, row: Row, at: Nanos) -> None:
        super().journal(row, at)
        pair_id = row.pair_id or ""
        if row.event_type is EventType.SIGNAL:
            self.signals += 1
        elif row.event_type is EventType.TRADE_FILL and row.leg == "A":
            self.needed[pair_id] = row.ts_mono

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        facts = self.books.orders.get(row.rq_name)
        if row.kind is LedgerKind.ORDER and facts is not None and facts.is_hedge:
            since = self.needed.pop(facts.pair.pair_id, None)
            if since is not None:
                self.waits.append((at - since, row.rq_name))
                self.happened = self.signals >= 60 and len(self.waits) >= 10


@pytest.mark.parametrize("seed", range(1, 6))
def test_among_sixty_entries_every_hedge_leaves_within_200_ms_and_one_place_of_the_window(
    seed: int, loaded: LoadedConfig
) -> None:
    day, result = day_of(ManyEntries, seed, loaded)
    assert isinstance(day, ManyEntries)
    assert result.breaches == ()
    assert max(day.waits)[0] <= 200 * MS + WINDOW_NS, max(day.waits)


# --- a hedge that is always rejected ----------------------------------------------------------------------------------


class EveryHedgeRejected(Incident):
    """The exchange turns every hedge away, and the books go on moving: it is no halt."""

    sets = ("execution.max_concurrent_symbols=1",)
    length_ns = 10 * SECOND
    flow: ClassVar[Mapping[str, Any]] = {"quotes_per_second": 300, "long_ms": (30_000, 40_000)}

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.pair_id = ""
        self.tried_at: list[int] = []
        self.calls_at: list[int] = []

    def journal(self, row: Row, at: Nanos) -> None:
        super().journal(row, at)
        if row.event_type is EventType.ORDER_SEND_ATTEMPT and row.leg == "B":
            self.pair_id = self.pair_id or row.pair_id or ""
            if row.pair_id == self.pair_id:
                self.aim("reject_exchange", row.cl_ord_id or "")
        elif row.event_type is EventType.UNHEDGED:
            self.happened = True

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        if row.kind in CALLS and is_ours(row.rq_name):
            self.calls_at.append(row.ts_mono_ns)
            facts = self.books.orders[row.rq_name]
            if facts.is_hedge and facts.pair.pair_id == self.pair_id:
                self.tried_at.append(row.ts_mono_ns)


@pytest.mark.parametrize("seed", range(1, 6))
def test_a_rejected_hedge_is_tried_a_bounded_number_of_times_within_the_window(seed: int, loaded: LoadedConfig) -> None:
    day, result = day_of(EveryHedgeRejected, seed, loaded)
    assert isinstance(day, EveryHedgeRejected)
    assert day.happened
    most = loaded.config.execution.max_hedge_attempts + 1
    rescues = 1
    assert 2 <= len(day.tried_at) <= most * (1 + rescues)
    for number, at in enumerate(day.calls_at):
        assert sum(at - each < SECOND for each in day.calls_at[: number + 1]) <= 5
    assert result.breaches == ()


class RejectedInStillBooks(EveryHedgeRejected):
    """The exchange turns every hedge away, and no book moves, as in a halt; but it is none."""

    flow: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.happened = True


def test_a_hedge_rejected_in_a_still_book_is_tried_a_bounded_number_of_times(loaded: LoadedConfig) -> None:
    _, result = day_of(RejectedInStillBooks, 1, loaded)
    assert [each for each in result.breaches if each.rule == "BOUNDED"] == []


# --- poison -----------------------------------------------------------------------------------------------------------


class PoisonedQuotes(Incident):
    """Every quote of the day is preceded by nonsense: crossed, absurd, unreadable, of an unknown code."""

    sets = ("execution.max_concurrent_symbols=2",)
    flow: ClassVar[Mapping[str, Any]] = {"quotes_per_second": 40}

    def struck(self, strike: Strike, at: Nanos) -> None:
        self.happened |= strike.fault == "poison_quote"

    def join(self, day: Any) -> None:
        super().join(day)
        self.aim("poison_quote", "*", 1_000_000)


class CleanQuotes(Incident):
    """The same day without it."""

    sets = PoisonedQuotes.sets
    flow = PoisonedQuotes.flow

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.happened = True


@pytest.mark.parametrize("seed", range(1, 4))
def test_poisoned_quotes_cost_no_good_quote_after_them(seed: int, loaded: LoadedConfig) -> None:
    _, poisoned = day_of(PoisonedQuotes, seed, loaded)
    _, clean = day_of(CleanQuotes, seed, loaded)
    assert poisoned.breaches == () and clean.breaches == ()
    assert poisoned.strikes["poison_quote"] > 100
    tried, usual = poisoned.outcomes["attempted"], clean.outcomes["attempted"]
    assert usual > 5 and tried >= usual * 3 // 4


# --- Flatten ----------------------------------------------------------------------------------------------------------


class FlattenTwenty(Incident):
    """Twenty pairs with a hedge that rests, then Flatten."""

    sets = (
        "execution.max_concurrent_symbols=20",
        "execution.t_hedge_ms=60000",
        "risk.max_notional_per_session_krw=1000000000000",
    )
    flow: ClassVar[Mapping[str, Any]] = {"dislocations_per_minute": 6_000, "long_ms": (59_000, 60_000)}
    symbols = 60
    length_ns = 45 * SECOND
    OPEN: ClassVar[int] = 20

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.pressed_at = 0
        self.open = 0
        self.flat_at = 0
        self.sent = 0

    def on_post(self, facts: OrderFacts, at: int) -> None:
        self.let_rest(facts)

    def journal(self, row: Row, at: Nanos) -> None:
        super().journal(row, at)
        if not self.pressed_at and row.event_type is EventType.ORDER_ACCEPTED and len(self.resting) >= self.OPEN:
            self.pressed_at = at
            self.soon(self._press)

    def _press(self) -> None:
        self.open = len(self.world.live_pairs())
        self.happened = self.open >= self.OPEN
        self.world.operate(OperatorCommand(Command.FLATTEN))

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        if self.pressed_at and row.kind in CALLS and is_ours(row.rq_name):
            self.sent += 1

    def after_step(self, view: View, at: Nanos) -> None:
        if self.pressed_at and not self.flat_at and not self.books.live and not self.books.unlisted:
            self.flat_at = at


@pytest.mark.parametrize("seed", range(1, 4))
def test_flatten_with_twenty_open_pairs_is_over_in_a_fifth_of_a_second_an_order_and_two(
    seed: int, loaded: LoadedConfig
) -> None:
    day, result = day_of(FlattenTwenty, seed, loaded)
    assert isinstance(day, FlattenTwenty)
    assert result.breaches == ()
    to_send = 2 * day.open  # a cancel and a hedge each
    assert day.flat_at - day.pressed_at <= to_send * SECOND // 5 + 2 * SECOND
    assert day.sent <= to_send + 2
