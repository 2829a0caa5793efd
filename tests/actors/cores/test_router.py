"""Router: what is admitted and why not, claims held and given back, slots, rescue, flatten, freeze and mute."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.cores.router import LENT_TRAVEL_NS
from actors.domain.legs import EntryLeg, LegStyle
from actors.domain.risk import RiskLimits
from actors.effects import Role, Send
from actors.messages.journal import EventType
from actors.messages.orders import OrderStyle
from actors.messages.pairs import (
    CountPairs,
    FlattenPair,
    LateFill,
    Leg,
    PairAdvanced,
    PairAssigned,
    PairEnded,
    PairPlan,
    PairsCounted,
    PairState,
    PositionChanged,
    StartPair,
    StartRescue,
    SymbolOverloaded,
)
from actors.messages.session import ActorsDown, Command, OperatorCommand
from actors.messages.spread import AttemptEnded, AttemptOutcome, AttemptStarted, SignalDropped, SymbolBlocked
from actors.messages.throttle import EntriesPaused, EntryDenied, EntryLent, RequestEntry, ReturnEntry
from kiwoom.market import MS, SECOND, Market, Nanos, Shares, Side, Symbol, Venue, WallNanos, Won
from tests.support.playbook import TEN_O_CLOCK, Playbook
from tests.support.router_stage import (
    CASH,
    CODES,
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

# --- admission ---


def test_an_admitted_signal_becomes_a_pair_in_the_lowest_slot() -> None:
    playbook = ready().hears(signal()).says(Send(Role.THROTTLER, RequestEntry("p1")))
    plan = PairPlan(
        pair_id="p1",
        symbol=SAMSUNG,
        symbol_index=0,
        shard=0,
        market=Market.KOSPI,
        slot=0,
        qty=Shares(1),
        entry=Leg(Venue.KRX, Side.SELL, OrderStyle.LIMIT_IOC, Won(70_500)),
        hedge=Leg(Venue.NXT, Side.BUY, OrderStyle.LIMIT, Won(70_000)),
        hedge_lock_price=Won(70_000),
        lower_limit=Won(50_000),
        upper_limit=Won(90_000),
        t_hedge_ns=Nanos(SECOND),
        ioc_end_ns=Nanos(500 * MS),
        cancel_ns=Nanos(300 * MS),
        hedge_ioc_only=False,
        hedge_ioc_ticks=2,
        hedge_fallback_best=True,
        max_hedge_attempts=5,
        expected_net_mwon=336_046,
        flat_by_wall=WallNanos(TEN_O_CLOCK + HOUR),
    )
    playbook.hears(granted(grant_id=7, expires=100)).says(
        Send(Role.PAIR_MANAGER, StartPair(plan, 7, Nanos(100)), 0),
        Send(Role.SPREAD_ENGINE, AttemptStarted(SAMSUNG, "p1")),
    )
    (row,) = playbook.take_rows()
    assert (row.event_type, row.pair_id, row.symbol) == (EventType.ADMITTED, "p1", "005930")
    assert ("net_edge_mwon", 336_046) in row.extra


def test_without_shares_the_cheap_leg_is_bought_first() -> None:
    plan = started(ready(account(held=0)))
    assert plan.entry == Leg(Venue.NXT, Side.BUY, OrderStyle.LIMIT_IOC, Won(70_000))
    assert plan.hedge == Leg(Venue.KRX, Side.SELL, OrderStyle.LIMIT, Won(70_500))
    assert plan.hedge_lock_price == 70_500


def test_settings_of_one_symbol_reach_its_plan_only() -> None:
    playbook = ready(t_hedge_per_symbol_ns=((SAMSUNG, 700 * MS),), hedge_ioc_only=(SAMSUNG,))
    first, second = started(playbook), started(playbook, "p2", "000660")
    assert (first.t_hedge_ns, first.hedge_ioc_only) == (700 * MS, True)
    assert (second.t_hedge_ns, second.hedge_ioc_only) == (SECOND, False)


NOT_READY: list[tuple[str, list[object], dict[str, Any]]] = [
    ("SESSION_OFF", [trading(armed=False)], {}),
    ("SESSION_OFF", [trading(until=TEN_O_CLOCK)], {}),
    ("SESSION_OFF", [trading(closing=TEN_O_CLOCK + SETTINGS.entry_ladder_ns - 1)], {}),
    ("SESSION_OFF", [OperatorCommand(Command.STOP)], {}),
    ("SESSION_OFF", [OperatorCommand(Command.FLATTEN)], {}),
    ("ACTOR_DOWN", [ActorsDown(("gateway",))], {}),
    ("AUTO_PAUSE", [EntriesPaused(True, Nanos(0))], {}),
    ("MUTED", [OperatorCommand(Command.MUTE, "005930")], {}),
    ("FROZEN", [ended(state=PairState.UNHEDGED, bought=1)], {}),
    ("RISK_REJECT_SPIKE", [ended(state=PairState.ENTRY_REJECTED, rejects=3)], {}),
    ("RISK_OVERLOAD", [SymbolOverloaded(SAMSUNG, Nanos(0))], {}),
    ("FROZEN", [ended(state=PairState.ENTRY_REJECTED, rejects=3)], {"freeze_on_rejects": True}),
    ("RISK_NO_ACCOUNT", [account(limits=())], {}),
    ("RISK_NOT_TRADABLE", [account(tradable=())], {}),
    ("RISK_CONFLICTED", [account(conflicted=(SAMSUNG,))], {}),
    ("RISK_NOTIONAL_LEG", [], {"limits": RiskLimits(notional_per_leg_max_won=70_499)}),
    ("RISK_NOTIONAL_SYMBOL", [], {"limits": RiskLimits(notional_per_symbol_max_won=140_499)}),
    ("RISK_NOTIONAL_SESSION", [], {"limits": RiskLimits(notional_per_session_max_won=140_499)}),
    ("RISK_NOTIONAL_SESSION", [ended()], {"limits": RiskLimits(notional_per_session_max_won=280_999)}),
    ("RISK_SHARES", [], {"slice_qty": 11, "limits": RiskLimits(shares_per_symbol_max=10)}),
    ("RISK_DAILY_LOSS", [ended(net_won=-5)], {"limits": RiskLimits(daily_loss_max_won=5)}),
    ("RISK_DAILY_ORDERS", [entry_ended()], {"limits": RiskLimits(daily_orders_max=1)}),
    ("NO_COVER", [account(held=0)], {"style": LegStyle(EntryLeg.SELL_RICH)}),
    ("NO_CASH", [account(cash=90_015)], {}),
    ("NO_CASH", [account(cash=70_012)], {"style": LegStyle(EntryLeg.BUY_CHEAP)}),
    ("RISK_OBSERVE_ONLY", [], {"observe": True}),
]


@pytest.mark.parametrize(("reason", "before", "changes"), NOT_READY)
def test_each_obstacle_refuses_alone(reason: str, before: list[object], changes: dict[str, Any]) -> None:
    playbook = ready(**changes)
    for message in before:
        playbook.hears(message)
    playbook.take_sends()
    playbook.take_rows()
    assert refused(playbook, signal("p9")).reason == reason
    (row,) = playbook.take_rows()
    assert (row.event_type, row.pair_id, row.reason) == (EventType.NOT_ADMITTED, "p9", reason)


def test_exactly_enough_cash_is_enough() -> None:
    started(ready(account(cash=90_016)))
    started(ready(account(held=0, cash=70_013)))


def test_a_second_pair_on_a_symbol_is_refused_also_while_the_first_only_asks() -> None:
    playbook = ready()
    playbook.hears(signal()).take_sends()
    assert refused(playbook, signal("p2")) == SignalDropped(SAMSUNG, "RISK_PAIRS", Nanos(200 * MS))
    playbook.hears(granted()).take_sends()
    assert refused(playbook, signal("p3")) == SignalDropped(SAMSUNG, "RISK_PAIRS", None)


def test_a_third_symbol_is_refused_and_waits_for_an_end() -> None:
    playbook = ready()
    started(playbook)
    started(playbook, "p2", "000660")
    assert refused(playbook, signal("p3", "035420")) == SignalDropped(Symbol("035420"), "RISK_SYMBOLS", None)


def test_a_symbol_may_have_more_pairs_of_its_own_but_none_that_trades_with_itself() -> None:
    playbook = ready(pairs_per_symbol=((SAMSUNG, 2),))
    started(playbook)
    turned = signal("p2", buy_venue=Venue.KRX, sell_venue=Venue.NXT, bids=(69_800, 70_500), asks=(70_000, 70_700))
    assert refused(playbook, turned).reason == "SELF_TRADE"
    assert started(playbook, "p3").slot == 1


def test_two_pairs_never_count_on_the_same_share() -> None:
    playbook = ready(account(held=1), pairs_per_symbol=((SAMSUNG, 2),), style=LegStyle(EntryLeg.SELL_RICH))
    started(playbook)
    assert refused(playbook, signal("p2")).reason == "NO_COVER"


def test_without_a_free_slot_nothing_is_admitted() -> None:
    playbook = ready(slots=1)
    started(playbook)
    assert refused(playbook, signal("p2", "000660")).reason == "RISK_NO_SLOT"


def test_equal_refusals_within_a_second_are_recorded_once_and_counted() -> None:
    playbook = ready().hears(trading(armed=False))
    for number in range(10):
        playbook.hears(signal(f"p{number}"))
    assert len(playbook.take_sends()) == 10
    assert len(playbook.take_rows()) == 1
    playbook.waits(SECOND).hears(signal("p10"))
    (row,) = playbook.take_rows()
    assert ("suppressed", 9) in row.extra


# --- between the request and its answer ---


def test_a_denial_gives_the_claims_back_and_passes_on_when_to_ask_again() -> None:
    playbook = ready(account(held=1))
    playbook.hears(signal()).take_sends()
    denied = EntryDenied("p1", "THROTTLE_WINDOW", Nanos(77))
    assert refused(playbook, denied) == SignalDropped(SAMSUNG, "THROTTLE_WINDOW", Nanos(77))
    assert started(playbook, "p2").entry.side is Side.SELL


def test_a_silent_throttler_gives_the_claims_back_and_its_late_grant_is_returned() -> None:
    playbook = ready()
    playbook.hears(signal()).take_sends()
    playbook.waits(SETTINGS.answer_ns - 1).says()
    playbook.waits(1)
    dropped = SignalDropped(SAMSUNG, "THROTTLE_SILENT", Nanos(2 * SETTINGS.answer_ns))
    playbook.says(Send(Role.SPREAD_ENGINE, dropped))
    playbook.hears(granted(grant_id=7)).says(Send(Role.THROTTLER, ReturnEntry(7)))
    assert started(playbook, "p2").slot == 0


def test_a_grant_that_has_expired_on_its_way_is_returned() -> None:
    playbook = ready()
    playbook.hears(signal()).take_sends()
    playbook.waits(100 * MS).hears(granted(grant_id=7, expires=100 * MS))
    back, dropped = playbook.take_sends()
    assert back == Send(Role.THROTTLER, ReturnEntry(7))
    assert dropped.message.reason == "THROTTLE_LATE"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (trading(armed=False), "SESSION_OFF"),
        (ActorsDown(("gateway",)), "ACTOR_DOWN"),
        (EntriesPaused(True, Nanos(0)), "AUTO_PAUSE"),
        (OperatorCommand(Command.MUTE, "005930"), "MUTED"),
        (OperatorCommand(Command.FLATTEN), "SESSION_OFF"),
    ],
)
def test_what_changed_while_the_throttler_was_asked_counts(event: object, reason: str) -> None:
    playbook = ready()
    playbook.hears(signal()).hears(event).take_sends()
    back, dropped = playbook.hears(granted(grant_id=7)).take_sends()
    assert back == Send(Role.THROTTLER, ReturnEntry(7))
    assert dropped.message.reason == reason  # type: ignore[attr-defined]


def test_a_second_grant_for_a_running_pair_is_returned() -> None:
    playbook = ready()
    started(playbook)
    playbook.hears(granted(grant_id=8)).says(Send(Role.THROTTLER, ReturnEntry(8)))


# --- ends ---


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        (ended(), AttemptOutcome.DONE),
        (ended(escalated=True), AttemptOutcome.ESCALATED),
        (ended(state=PairState.ENTRY_MISSED), AttemptOutcome.MISSED),
        (ended(state=PairState.ENTRY_REJECTED, rejects=1), AttemptOutcome.REJECTED),
        (ended(state=PairState.FLATTENED), AttemptOutcome.ESCALATED),
        (ended(state=PairState.UNHEDGED, sold=1), AttemptOutcome.UNHEDGED),
    ],
)
def test_what_the_engine_is_told_of_an_end(end: PairEnded, outcome: AttemptOutcome) -> None:
    playbook = ready()
    started(playbook)
    *_, told = told_engine(playbook.hears(end))
    assert told == AttemptEnded(SAMSUNG, "p1", outcome, Nanos(0))


def test_an_ended_pair_frees_its_slot_and_its_claims() -> None:
    playbook = ready(account(held=1), slots=1)
    started(playbook)
    playbook.hears(entry_ended()).hears(ended()).take_sends()
    plan = started(playbook, "p2")
    assert (plan.slot, plan.entry.side) == (0, Side.SELL)


def test_cash_follows_what_the_pairs_earn() -> None:
    playbook = ready(account(cash=90_016))
    started(playbook)
    playbook.hears(ended(sell_amount=69_000)).take_sends()  # lost 1,161: no longer enough
    assert refused(playbook, signal("p2")).reason == "NO_CASH"


def test_an_entry_that_filled_in_part_gives_the_rest_of_its_cash_back() -> None:
    playbook = ready(account(held=0, cash=4 * 70_013), slice_qty=3)
    started(playbook)
    assert refused(playbook, signal("p2", "000660")).reason == "NO_CASH"
    playbook.hears(entry_ended(side=Side.BUY, filled=1)).take_sends()
    started(playbook, "p3", "000660")


def test_an_order_of_an_entry_that_has_ended_is_no_longer_in_the_way() -> None:
    playbook = ready(pairs_per_symbol=((SAMSUNG, 2),))
    started(playbook)  # sells on KRX, then buys on NXT
    buys_krx = signal("p2", buy_venue=Venue.KRX, sell_venue=Venue.KRX)
    assert refused(playbook, buys_krx).reason == "SELF_TRADE"
    playbook.hears(entry_ended()).hears(buys_krx).says(Send(Role.THROTTLER, RequestEntry("p2")))


def test_a_loan_starts_the_next_pair_without_asking_and_only_once() -> None:
    playbook = ready(limits=RiskLimits(concurrent_symbols_max=3))
    playbook.hears(EntryLent(7, Nanos(playbook.mono + SECOND))).hears(signal("p1"))
    (start,) = (send.message for send in playbook.take_sends() if send.to is Role.PAIR_MANAGER)
    assert (start.plan.pair_id, start.grant_id, start.grant_expires) == ("p1", 7, playbook.mono + SECOND)
    playbook.hears(EntryLent(7, Nanos(playbook.mono + 2 * SECOND)))  # its renewal was on the way
    playbook.hears(signal("p2", "000660")).says(Send(Role.THROTTLER, RequestEntry("p2")))


def test_a_state_that_was_on_the_way_when_stop_was_pressed_does_not_start_it_again() -> None:
    playbook = ready().hears(OperatorCommand(Command.STOP)).hears(trading(armed=True))
    assert refused(playbook, signal()).reason == "SESSION_OFF"
    playbook.hears(trading(armed=False)).hears(trading(armed=True))
    started(playbook, "p2")


def test_a_loan_about_to_end_is_not_used() -> None:
    playbook = ready().hears(EntryLent(7, Nanos(LENT_TRAVEL_NS - 1)))
    playbook.hears(signal("p1")).says(Send(Role.THROTTLER, RequestEntry("p1")))


def test_the_lowest_free_slot_is_used_again() -> None:
    playbook = ready(limits=RiskLimits(concurrent_symbols_max=3))
    slots = [started(playbook, f"p{index}", code).slot for index, code in enumerate(CODES[:3])]
    assert slots == [0, 1, 2]
    playbook.hears(ended("p1", symbol=Symbol("000660"))).take_sends()
    assert started(playbook, "p4", CODES[3]).slot == 1


# --- rescue and flatten ---


def test_a_late_fill_gets_a_child_that_takes_the_other_side() -> None:
    playbook = ready()
    playbook.hears(late_fill())
    assigned, start, attempt = playbook.take_sends()
    assert assigned == Send(Role.GATEWAY, PairAssigned("p1", 0, SAMSUNG))
    assert isinstance(start.message, StartRescue)
    assert start.message.late == late_fill().fill
    assert start.message.plan.hedge == Leg(Venue.KRX, Side.SELL, OrderStyle.LIMIT, Won(70_000))
    assert (start.message.plan.qty, start.message.plan.hedge_ioc_only) == (1, True)
    assert attempt == Send(Role.SPREAD_ENGINE, AttemptStarted(SAMSUNG, "p1"))
    assert told_engine(playbook.hears(ended()))[-1].outcome is AttemptOutcome.ESCALATED


def test_a_rescue_needs_no_permission() -> None:
    playbook = ready(account(cash=0)).hears(trading(armed=False)).hears(OperatorCommand(Command.MUTE, "005930"))
    playbook.take_sends()
    assert isinstance(playbook.hears(late_fill(side=Side.SELL)).take_sends()[1].message, StartRescue)


def test_a_late_fill_waits_for_a_slot() -> None:
    playbook = ready(slots=1)
    started(playbook, "p2", "000660")
    playbook.hears(late_fill()).says()
    sends = playbook.hears(ended("p2", symbol=Symbol("000660"))).take_sends()
    assert [type(send.message) for send in sends] == [AttemptEnded, PairAssigned, StartRescue, AttemptStarted]


def test_a_late_fill_takes_the_slot_of_a_request_that_nobody_answered() -> None:
    playbook = ready(slots=1)
    playbook.hears(signal("p2", "000660")).hears(late_fill()).take_sends()
    playbook.waits(SETTINGS.answer_ns)
    assert StartRescue in [type(send.message) for send in playbook.take_sends()]


def rescued_by_its_manager(pair_id: str = "p1", slot: int = 0, open_qty: int = 1) -> PairAdvanced:
    return PairAdvanced(pair_id, slot, SAMSUNG, PairState.RESCUE, open_qty, Nanos(0))


def test_a_rescue_that_a_manager_began_by_itself_keeps_its_slot_and_its_shares() -> None:
    playbook = ready(account(held=1), pairs_per_symbol=((SAMSUNG, 2),))
    started(playbook)
    playbook.hears(entry_ended(filled=0)).hears(ended(state=PairState.ENTRY_MISSED)).take_sends()
    playbook.hears(rescued_by_its_manager(open_qty=-1))
    playbook.says(Send(Role.SPREAD_ENGINE, AttemptStarted(SAMSUNG, "p1")))
    plan = started(playbook, "p2")
    assert (plan.slot, plan.entry.side) == (1, Side.BUY)
    playbook.hears(OperatorCommand(Command.FLATTEN))
    assert Send(Role.PAIR_MANAGER, FlattenPair("p1"), 0) in playbook.take_sends()
    told = told_engine(playbook.hears(ended()))
    assert told == [AttemptEnded(SAMSUNG, "p1", AttemptOutcome.ESCALATED, Nanos(0))]


def test_a_pair_sent_to_a_manager_that_began_a_rescue_is_turned_away_without_harm() -> None:
    playbook = ready()
    started(playbook)
    playbook.hears(ended(state=PairState.ENTRY_MISSED)).take_sends()
    started(playbook, "p2", "000660")
    playbook.hears(rescued_by_its_manager()).take_sends()
    playbook.hears(ended("p2", PairState.ENTRY_REJECTED, symbol=Symbol("000660"))).take_sends()
    assert started(playbook, "p3", "035420").slot == 1


def test_a_request_whose_slot_was_taken_by_a_rescue_starts_in_another() -> None:
    playbook = ready()
    playbook.hears(signal("p2", "000660")).hears(rescued_by_its_manager()).take_sends()
    sends = playbook.hears(granted("p2")).take_sends()
    assert [send.index for send in sends if send.to is Role.PAIR_MANAGER] == [1]


def test_a_request_whose_slot_was_taken_by_a_rescue_is_dropped_if_no_other_is_free() -> None:
    playbook = ready(slots=1)
    playbook.hears(signal("p2", "000660")).hears(rescued_by_its_manager()).take_sends()
    back, dropped = playbook.hears(granted("p2", grant_id=7)).take_sends()
    assert back == Send(Role.THROTTLER, ReturnEntry(7))
    assert dropped.message.reason == "RISK_NO_SLOT"  # type: ignore[attr-defined]


def test_a_rescue_that_its_manager_sends_back_starts_in_another_slot() -> None:
    playbook = ready()
    playbook.hears(late_fill()).take_sends()
    playbook.hears(rescued_by_its_manager("p9", slot=0)).take_sends()
    sends = playbook.hears(late_fill()).take_sends()
    assert [send.index for send in sends if isinstance(send.message, StartRescue)] == [1]
    assert playbook.hears(ended()).hears(ended("p9")).core._books.shares.claims(SAMSUNG) == 0


def test_each_rescue_of_a_pair_has_a_number_of_its_own() -> None:
    playbook = ready()
    numbers: list[int] = []
    for exec_id in ("7", "8"):
        starts = [send.message for send in playbook.hears(late_fill(exec_id=exec_id)).take_sends()]
        numbers += [start.rescue_no for start in starts if isinstance(start, StartRescue)]
        playbook.hears(ended()).hears(rescued_by_its_manager()).hears(ended()).take_sends()
    assert numbers == [1, 3]


def test_a_late_fill_whose_symbol_its_manager_forgot_is_still_rescued() -> None:
    playbook = ready()
    started(playbook)
    playbook.hears(ended()).take_sends()
    sends = playbook.hears(LateFill(late_fill().fill, Symbol(""))).take_sends()
    assert sends[0] == Send(Role.GATEWAY, PairAssigned("p1", 0, SAMSUNG))


def test_a_late_fill_told_twice_while_it_waits_is_rescued_once() -> None:
    playbook = ready(slots=1)
    started(playbook, "p2", "000660")
    playbook.hears(late_fill()).hears(late_fill()).says()
    playbook.hears(ended("p2", symbol=Symbol("000660"))).take_sends()
    assert told_engine(playbook.hears(ended())) == [AttemptEnded(SAMSUNG, "p1", AttemptOutcome.ESCALATED, Nanos(0))]


def test_a_second_late_fill_of_a_pair_waits_for_the_first_child() -> None:
    playbook = ready()
    playbook.hears(late_fill()).take_sends()
    playbook.hears(late_fill(exec_id="8")).says()
    assert StartRescue in [type(send.message) for send in playbook.hears(ended()).take_sends()]


def test_shares_bought_late_are_not_sold_by_another_pair() -> None:
    playbook = ready(account(held=0), pairs_per_symbol=((SAMSUNG, 2),), style=LegStyle(EntryLeg.SELL_RICH))
    playbook.hears(late_fill()).hears(PositionChanged(SAMSUNG, Shares(1), Shares(1), Nanos(0))).take_sends()
    assert refused(playbook, signal("p2")).reason == "NO_COVER"


def test_flatten_reaches_every_live_slot() -> None:
    playbook = ready()
    started(playbook)
    started(playbook, "p2", "000660")
    playbook.hears(OperatorCommand(Command.FLATTEN)).says(
        Send(Role.PAIR_MANAGER, FlattenPair("p1"), 0),
        Send(Role.PAIR_MANAGER, FlattenPair("p2"), 1),
    )


def test_flatten_closes_what_ended_unhedged_and_lifts_the_freeze() -> None:
    playbook = ready(account(held=0))
    started(playbook)
    playbook.hears(ended(state=PairState.UNHEDGED, bought=2, sold=1, buy_amount=140_000, sell_amount=70_500))
    playbook.take_sends()
    _, start, _ = playbook.hears(OperatorCommand(Command.FLATTEN)).take_sends()
    rescue: Any = start.message
    assert (rescue.late.side, rescue.late.fill_qty, rescue.late.fill_px) == (Side.BUY, 1, 70_000)
    assert rescue.plan.hedge.side is Side.SELL
    told = told_engine(playbook.hears(ended(state=PairState.FLATTENED, child=1, bought=1, sold=1)))
    assert told[0] == SymbolBlocked(SAMSUNG, False, "FROZEN")
    playbook.hears(OperatorCommand(Command.FLATTEN)).says()


@pytest.mark.parametrize("side", Side)
def test_what_flatten_closes_counts_once_in_shares_and_cash(side: Side) -> None:
    playbook = ready(account(held=2))
    left = {"bought": 1, "buy_amount": 70_000} if side is Side.BUY else {"sold": 1, "sell_amount": 70_500}
    playbook.hears(ended(state=PairState.UNHEDGED, **left)).hears(OperatorCommand(Command.FLATTEN))
    closed = ended(state=PairState.FLATTENED, child=1, bought=1, sold=1, buy_amount=70_000, sell_amount=70_500)
    playbook.hears(closed).take_sends()
    assert playbook.core._books.shares.free(SAMSUNG, Nanos(0)) == 2
    assert playbook.core._books.cash.free == CASH + 500


def test_what_flatten_closes_counts_once_in_the_sessions_notional() -> None:
    # 70,000 left open, then bought 70,000 and sold 70,500 by the child; one more pair would make 281,000.
    limits = RiskLimits(notional_per_session_max_won=281_000)
    playbook = ready(limits=limits)
    playbook.hears(ended(state=PairState.UNHEDGED, bought=1, buy_amount=70_000)).take_sends()
    playbook.hears(OperatorCommand(Command.FLATTEN)).hears(trading(armed=False)).hears(trading())
    playbook.hears(ended(state=PairState.FLATTENED, child=1, bought=1, sold=1, buy_amount=70_000, sell_amount=70_500))
    playbook.take_sends()
    started(playbook, "p2")


def test_a_rescue_that_fails_leaves_no_claim_that_nothing_would_end() -> None:
    playbook = ready(account(held=5)).hears(late_fill(side=Side.SELL))
    playbook.hears(ended(state=PairState.UNHEDGED, sold=0)).take_sends()
    assert playbook.core._books.shares.claims(SAMSUNG) == 0


def test_a_child_that_leaves_the_opposite_imbalance_closes_its_parents() -> None:
    playbook = ready()
    started(playbook)
    playbook.hears(ended(state=PairState.UNHEDGED, sold=1)).hears(late_fill(side=Side.BUY)).take_sends()
    told = told_engine(playbook.hears(ended(state=PairState.UNHEDGED, bought=1, child=1)))
    assert SymbolBlocked(SAMSUNG, False, "FROZEN") in told
    playbook.hears(OperatorCommand(Command.FLATTEN)).says()


# --- freeze, mute, pause, kill-switches ---


def test_an_unhedged_end_freezes_the_symbol() -> None:
    playbook = ready()
    started(playbook)
    told = told_engine(playbook.hears(ended(state=PairState.UNHEDGED, sold=1)))
    assert told[0] == SymbolBlocked(SAMSUNG, True, "FROZEN")
    (row,) = playbook.take_rows()
    assert (row.event_type, row.reason, row.extra) == (EventType.SYMBOL_FROZEN, "UNHEDGED", (("open_qty", -1),))
    playbook.hears(OperatorCommand(Command.UNMUTE, "005930")).says()
    assert refused(playbook, signal("p2")).reason == "FROZEN"


def test_a_position_closed_by_hand_lifts_the_freeze() -> None:
    playbook = ready(account(held=5))
    started(playbook)
    playbook.hears(entry_ended()).hears(ended(state=PairState.UNHEDGED, sold=1)).take_sends()
    playbook.hears(PositionChanged(SAMSUNG, Shares(5), Shares(5), Nanos(1))).says()  # a repeat from before the fill
    playbook.waits(2 * SECOND)
    playbook.hears(PositionChanged(SAMSUNG, Shares(4), Shares(4), Nanos(playbook.mono))).says()
    playbook.hears(PositionChanged(SAMSUNG, Shares(5), Shares(5), Nanos(playbook.mono)))
    playbook.says(Send(Role.SPREAD_ENGINE, SymbolBlocked(SAMSUNG, False, "FROZEN")))


def test_what_a_late_fill_of_ours_closed_was_not_closed_by_hand() -> None:
    playbook = ready(account(held=5))
    started(playbook)
    playbook.hears(entry_ended()).hears(ended(state=PairState.UNHEDGED, sold=1)).waits(2 * SECOND)
    playbook.hears(PositionChanged(SAMSUNG, Shares(5), Shares(5), Nanos(playbook.mono))).take_sends()
    playbook.hears(ended(state=PairState.UNHEDGED, bought=1, child=1)).take_sends()
    playbook.hears(OperatorCommand(Command.FLATTEN)).says()


def test_a_late_fill_of_the_same_side_is_open_beside_what_was_closed_by_hand() -> None:
    playbook = ready(account(held=5))
    started(playbook)
    playbook.hears(entry_ended()).hears(ended(state=PairState.UNHEDGED, sold=1)).waits(2 * SECOND)
    playbook.hears(PositionChanged(SAMSUNG, Shares(5), Shares(5), Nanos(playbook.mono))).take_sends()
    playbook.hears(ended(state=PairState.UNHEDGED, sold=2, sell_amount=140_000, child=1)).take_sends()
    sends = playbook.hears(OperatorCommand(Command.FLATTEN)).take_sends()
    (rescue,) = [send.message for send in sends if isinstance(send.message, StartRescue)]
    assert rescue.late.fill_qty == 2


def test_muting_tells_the_engine_and_is_recorded() -> None:
    playbook = ready().hears(OperatorCommand(Command.MUTE, "005930"))
    playbook.says(Send(Role.SPREAD_ENGINE, SymbolBlocked(SAMSUNG, True, "MUTED"))).records(EventType.OPERATOR)
    assert refused(playbook, signal()).retry_at is None
    playbook.records(EventType.NOT_ADMITTED)
    playbook.hears(OperatorCommand(Command.UNMUTE, "005930"))
    playbook.says(Send(Role.SPREAD_ENGINE, SymbolBlocked(SAMSUNG, False, "MUTED"))).records(EventType.OPERATOR)
    started(playbook)


def test_auto_pause_blocks_every_symbol_until_it_ends() -> None:
    playbook = ready()
    for paused in (True, False):
        playbook.hears(EntriesPaused(paused, Nanos(0)))
        playbook.says(Send(Role.SPREAD_ENGINE, SymbolBlocked(None, paused, "AUTO_PAUSE")))
    started(playbook)


def test_three_rejects_in_a_minute_rest_the_symbol_for_200_ms() -> None:
    playbook = ready()
    for number in range(3):
        started(playbook, f"p{number}")
        told = told_engine(playbook.hears(ended(f"p{number}", PairState.ENTRY_REJECTED, rejects=1)))
    assert told[0] == SymbolBlocked(SAMSUNG, True, "RISK_REJECT_SPIKE", Nanos(200 * MS))
    playbook.records(EventType.COOLDOWN_ARMED)
    assert refused(playbook, signal("p9")).retry_at == 200 * MS
    playbook.waits(200 * MS).says(Send(Role.SPREAD_ENGINE, SymbolBlocked(SAMSUNG, False, "RISK_REJECT_SPIKE")))


def test_an_overload_rests_its_symbol_for_250_ms_from_the_calls_return() -> None:
    playbook = ready().waits(10 * MS)
    playbook.hears(SymbolOverloaded(SAMSUNG, Nanos(8 * MS)))
    playbook.says(Send(Role.SPREAD_ENGINE, SymbolBlocked(SAMSUNG, True, "RISK_OVERLOAD", Nanos(258 * MS))))
    (row,) = playbook.take_rows()
    assert (row.event_type, row.symbol, row.reason) == (EventType.COOLDOWN_ARMED, SAMSUNG, "OVERLOAD")
    assert refused(playbook, signal("p1")).retry_at == 258 * MS
    started(playbook, "p2", "000660")
    playbook.waits(248 * MS - 1).says()
    playbook.waits(1).says(Send(Role.SPREAD_ENGINE, SymbolBlocked(SAMSUNG, False, "RISK_OVERLOAD")))
    started(playbook, "p3")


def test_a_second_overload_begins_the_rest_again() -> None:
    playbook = ready().hears(SymbolOverloaded(SAMSUNG, Nanos(0))).waits(200 * MS)
    playbook.hears(SymbolOverloaded(SAMSUNG, Nanos(200 * MS))).take_sends()
    playbook.waits(249 * MS).says()
    playbook.waits(1 * MS).says(Send(Role.SPREAD_ENGINE, SymbolBlocked(SAMSUNG, False, "RISK_OVERLOAD")))


def test_the_reject_kill_switch_freezes_for_a_minute() -> None:
    playbook = ready(freeze_on_rejects=True)
    started(playbook)
    playbook.hears(ended(state=PairState.ENTRY_REJECTED, rejects=3)).take_sends()
    playbook.waits(60 * SECOND - 1)
    assert refused(playbook, signal("p2")).reason == "FROZEN"
    playbook.waits(1).says(Send(Role.SPREAD_ENGINE, SymbolBlocked(SAMSUNG, False, "FROZEN")))
    started(playbook, "p3")


def test_the_exposure_kill_switch_forces_the_hedge_after_a_second() -> None:
    playbook = ready(unhedged_shares_max=1)
    started(playbook)
    playbook.hears(PairAdvanced("p1", 0, SAMSUNG, PairState.HEDGE_POST_SENT, -2, Nanos(0)))
    playbook.waits(SECOND - 1).says()
    playbook.waits(1).says(
        Send(Role.PAIR_MANAGER, FlattenPair("p1"), 0),
        Send(Role.SPREAD_ENGINE, SymbolBlocked(SAMSUNG, True, "FROZEN")),
    )
    playbook.records(EventType.SYMBOL_FROZEN)


def test_an_exposure_that_is_closed_in_time_forces_nothing() -> None:
    playbook = ready(unhedged_shares_max=1)
    started(playbook)
    playbook.hears(PairAdvanced("p1", 0, SAMSUNG, PairState.HEDGE_POST_SENT, -2, Nanos(0)))
    playbook.hears(PairAdvanced("p1", 0, SAMSUNG, PairState.CANCEL_POST_SENT, -1, Nanos(0)))
    playbook.waits(10 * SECOND).says()


# --- whatever happens ---

SCRIPT = st.lists(
    st.tuples(
        st.sampled_from(["signal", "grant", "deny", "wait", "fill", "miss", "done", "unhedged", "late", "report"]),
        st.integers(0, 3),
    ),
    max_size=60,
)


class World:
    """Plays Throttler, PairManagers, Gateway and broker at random; the broker's shares and cash are the truth."""

    def __init__(self, held: int) -> None:
        limits = RiskLimits(pairs_per_symbol_max=3, concurrent_symbols_max=4)
        self.playbook = ready(account(held), limits=limits, slots=4)
        self.core: Any = self.playbook.core
        self.held, self.before = held, held
        self.names = 0
        self.open_ends = 0

    def pairs(self, running: bool) -> list[Any]:
        return [pair for pair in self.core._live.values() if (pair.stage.value == "running") is running]

    def play(self, step: str, pick: int) -> None:
        waiting, running = self.pairs(running=False), self.pairs(running=True)
        match step:
            case "signal":
                self.names += 1
                self.hears(signal(f"p{self.names}"))
            case "wait":
                self.playbook.waits(pick * 100 * MS)
            case "late":
                self.late_fill(Side.BUY if pick % 2 else Side.SELL)
            case "report":
                self.report()
            case "grant" if waiting:
                self.hears(granted(waiting[pick % len(waiting)].plan.pair_id))
            case "deny" if waiting:
                self.hears(EntryDenied(waiting[pick % len(waiting)].plan.pair_id, "THROTTLE_WINDOW", Nanos(0)))
            case "fill" | "miss" | "done" | "unhedged" if running:
                self.advance(step, running[pick % len(running)])
            case _:
                pass
        self.check()

    def late_fill(self, side: Side) -> None:
        if side is Side.SELL and self.held == 0:
            return
        self.names += 1
        self.held += 1 if side is Side.BUY else -1
        self.hears(late_fill(f"late{self.names}", side))

    def advance(self, step: str, pair: Any) -> None:
        plan = pair.plan
        sign = 1 if plan.entry.side is Side.BUY else -1
        at = {"at": Nanos(self.playbook.mono)}
        is_filled = pair.is_rescue or pair.entry_ended
        if step == "fill" and not is_filled:
            self.held += sign
            self.hears(replace(entry_ended(plan.pair_id, plan.entry.side), **at))
        elif step == "miss" and not is_filled:
            self.hears(replace(entry_ended(plan.pair_id, plan.entry.side, filled=0), **at))
            self.hears(ended(plan.pair_id, PairState.ENTRY_MISSED, **at))
        elif step == "done" and is_filled:
            self.held -= sign
            self.hears(ended(plan.pair_id, **at))

    def report(self) -> None:
        self.hears(PositionChanged(SAMSUNG, Shares(self.held), Shares(self.held), Nanos(self.playbook.mono)))

    def hears(self, message: object) -> None:
        self.playbook.hears(message).take_sends()

    def check(self) -> None:
        """What is free can be sold even if every live pair that sells first still sells its slice."""
        free = self.core._books.shares.free(SAMSUNG, Nanos(self.playbook.mono))
        yet_to_sell = [p for p in self.pairs(True) + self.pairs(False) if p.plan.entry.side is Side.SELL]
        unsold = sum(p.plan.qty for p in yet_to_sell if not p.is_rescue and not p.entry_ended)
        bought = [p for p in self.pairs(True) if p.plan.entry.side is Side.BUY and (p.is_rescue or p.entry_ended)]
        assert 0 <= free <= max(0, self.held - unsold - sum(p.plan.qty for p in bought))
        assert self.core._books.cash.free <= CASH + self.names * 500

    def finish(self) -> None:
        for _ in range(4 * self.names + 4):
            for pair in self.pairs(running=False):
                self.hears(EntryDenied(pair.plan.pair_id, "THROTTLE_WINDOW", Nanos(0)))
            for pair in self.pairs(running=True):
                self.advance("fill", pair)
                self.advance("done", pair)
        self.playbook.waits(2 * SECOND)
        self.report()


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 3), SCRIPT)
def test_claims_never_exceed_what_is_there_and_all_come_back(held: int, script: list[tuple[str, int]]) -> None:
    world = World(held)
    for step, pick in script:
        world.play(step, pick)
    world.finish()
    assert world.core._live == {}
    assert world.core._books.cash.claimed == 0
    assert world.core._books.shares.claims(SAMSUNG) == 0
    assert world.held == held
    assert world.core._books.shares.free(SAMSUNG, Nanos(world.playbook.mono)) == held


def test_asked_how_many_pairs_are_open_it_counts_those_that_only_ask_too() -> None:
    def counted(playbook: Playbook, asked: int) -> PairsCounted:
        playbook.take_sends()
        (answer,) = playbook.hears(CountPairs(Nanos(asked))).take_sends()
        assert answer.to is Role.SUPERVISOR
        message: PairsCounted = answer.message
        return message

    playbook = ready()
    assert counted(playbook, 1) == PairsCounted(Nanos(1), 0, admitting=True)
    started(playbook)
    playbook.hears(signal("p2", "000660"))
    assert counted(playbook, 2).open_pairs == 2
    playbook.hears(OperatorCommand(Command.STOP)).hears(trading(armed=False))
    assert counted(playbook, 3) == PairsCounted(Nanos(3), 2, admitting=False)
    playbook.hears(granted("p2")).hears(ended())
    assert counted(playbook, 4) == PairsCounted(Nanos(4), 0, admitting=False)
