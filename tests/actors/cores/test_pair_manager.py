"""PairManager: every row of SPEC 8 as a conversation, then what the rows imply."""

from dataclasses import replace
from typing import Any, Self

import pytest

from actors.cores.pair_manager import PairManagerCore, PairSettings
from actors.effects import Role, Send
from actors.messages.journal import EventType, Row
from actors.messages.market_data import TopOfBook, WatchTop
from actors.messages.orders import (
    CancelOrder,
    CancelRejected,
    CancelStuck,
    DoubtResolved,
    DoubtVerdict,
    EndReason,
    OrderAccepted,
    OrderAcked,
    OrderCanceled,
    OrderFilled,
    OrderKind,
    OrderRefused,
    OrderRejected,
    OrderStuck,
    OrderStyle,
    OrderSubmitted,
    OrderTimedOut,
    PlaceOrder,
    QueryOrder,
    RefusalReason,
    RejectSource,
)
from actors.messages.pairs import (
    FlattenPair,
    LateFill,
    Leg,
    PairAdvanced,
    PairEnded,
    PairPlan,
    PairState,
    PairSums,
    StartPair,
    StartRescue,
)
from kiwoom.fees import CostModel
from kiwoom.market import MS, SECOND, Market, Nanos, Shares, Side, Symbol, Venue, WallNanos, Won
from tests.support.playbook import TEN_O_CLOCK, Playbook

KRX, NXT, BUY, SELL = Venue.KRX, Venue.NXT, Side.BUY, Side.SELL
S = PairState
SLOT = 2
SAMSUNG = Symbol("005930")
COSTS = CostModel(fee_ppb=(150_000, 176_833), kospi_tax_ppb=2_000_000, kosdaq_tax_ppb=2_000_000)
SETTINGS = PairSettings(slot=SLOT, costs=COSTS)

PLAN = PairPlan(
    pair_id="P1",
    symbol=SAMSUNG,
    symbol_index=3,
    shard=1,
    market=Market.KOSPI,
    slot=SLOT,
    qty=Shares(5),
    entry=Leg(NXT, SELL, OrderStyle.LIMIT_IOC, Won(72_500)),
    hedge=Leg(KRX, BUY, OrderStyle.LIMIT, Won(72_300)),
    hedge_lock_price=Won(72_300),
    lower_limit=Won(50_700),
    upper_limit=Won(93_900),
    t_hedge_ns=Nanos(1_000 * MS),
    ioc_end_ns=Nanos(500 * MS),
    cancel_ns=Nanos(300 * MS),
    hedge_ioc_only=False,
    hedge_ioc_ticks=2,
    hedge_fallback_best=True,
    max_hedge_attempts=5,
    expected_net_mwon=12_345,
    flat_by_wall=WallNanos(TEN_O_CLOCK + 60 * SECOND),
)


class Pair(Playbook):
    """A Playbook that speaks of the plan's orders by the tail of their id: A1, B1, C1."""

    def __init__(self, plan: PairPlan = PLAN, started: bool = True) -> None:
        super().__init__(PairManagerCore(SETTINGS))
        self.plan = plan
        self.execs = 0
        self.cums: dict[str, int] = {}
        if started:
            self.hears(StartPair(plan, grant_id=7, grant_expires=Nanos(100 * MS)))

    def _id(self, tail: str) -> str:
        return f"{self.plan.pair_id}-{tail}"

    def submitted(self, tail: str) -> Self:
        return self.hears(OrderSubmitted(self.plan.pair_id, self._id(tail), self.now.mono))

    def acked(self, tail: str) -> Self:
        return self.hears(OrderAcked(self.plan.pair_id, self._id(tail), "0000001", self.now.mono))

    def accepted(self, tail: str, leaves: int = 5) -> Self:
        return self.hears(OrderAccepted(self.plan.pair_id, self._id(tail), Shares(leaves), self.now.mono))

    def works(self, tail: str) -> Self:
        return self.submitted(tail).acked(tail).accepted(tail)

    def fills(self, tail: str, qty: int, px: int, side: Side, venue: Venue, age: int = 0) -> Self:
        self.execs += 1
        self.cums[tail] = self.cums.get(tail, 0) + qty
        return self.hears(
            OrderFilled(
                self.plan.pair_id, self._id(tail), str(self.execs), venue, side, Won(px), Shares(qty),
                Shares(self.cums[tail]), Shares(0), None, None, Nanos(self.mono - age),
            )
        )  # fmt: skip

    def sells(self, qty: int, tail: str = "A1", venue: Venue = NXT, age: int = 0) -> Self:
        return self.fills(tail, qty, 72_500, SELL, venue, age)

    def buys(self, qty: int, tail: str, venue: Venue = KRX) -> Self:
        return self.fills(tail, qty, 72_300, BUY, venue)

    def canceled(self, tail: str, qty: int, reason: EndReason = EndReason.IOC_REMAINDER) -> Self:
        cum = Shares(self.cums.get(tail, 0))
        return self.hears(
            OrderCanceled(self.plan.pair_id, self._id(tail), Shares(qty), cum, reason, self.now.mono)
        )  # fmt: skip

    def rejected(self, tail: str, overload: bool = False) -> Self:
        source = RejectSource.LOCAL if overload else RejectSource.TR
        return self.hears(
            OrderRejected(self.plan.pair_id, self._id(tail), source, "no", overload, self.now.mono)
        )  # fmt: skip

    def refused(self, tail: str, reason: RefusalReason) -> Self:
        return self.hears(OrderRefused(self.plan.pair_id, self._id(tail), reason, "", self.now.mono))

    def timed_out(self, tail: str) -> Self:
        return self.hears(OrderTimedOut(self.plan.pair_id, self._id(tail), self.now.mono))

    def cancel_rejected(self, tail: str, target: str, overload: bool = False) -> Self:
        return self.hears(
            CancelRejected(self.plan.pair_id, self._id(tail), self._id(target), "no", overload, self.now.mono)
        )

    def cancel_stuck(self, tail: str, target: str) -> Self:
        return self.hears(CancelStuck(self.plan.pair_id, self._id(tail), self._id(target), self.now.mono))

    def proved(self, tail: str, verdict: DoubtVerdict, leaves: int = 0) -> Self:
        return self.hears(
            DoubtResolved(self.plan.pair_id, self._id(tail), verdict, Shares(leaves), self.now.mono)
        )  # fmt: skip

    def sees(
        self, bid: tuple[int, int] = (72_200, 72_300), ask: tuple[int, int] = (72_400, 72_600),
        is_open: tuple[bool, bool] = (True, True),
    ) -> Self:  # fmt: skip
        size = (Shares(9), Shares(9))
        return self.hears(
            TopOfBook(
                SAMSUNG, (Won(bid[0]), Won(bid[1])), size, (Won(ask[0]), Won(ask[1])), size, is_open, self.now.mono
            )
        )

    def flattens(self) -> Self:
        return self.hears(FlattenPair(self.plan.pair_id))

    def commands(self, *expected: object) -> Self:
        """The orders, cancels and queries given since the last look; forgets what else was said, and the plans."""
        sent = [send.message for send in self.take_sends()]
        given = [bare(each) for each in sent if isinstance(each, PlaceOrder | CancelOrder | QueryOrder)]
        wanted = [bare(each) for each in expected]
        assert given == wanted, f"\ngave     {given}\nexpected {wanted}"
        return self

    def is_in(self, *states: PairState) -> Self:
        """The states entered since the last look."""
        rows = [row for row in self.take_rows() if row.event_type is EventType.PAIR_STATE]
        assert [row.state for row in rows] == [state.value for state in states]
        return self

    def ended(self) -> PairEnded:
        [message] = [s.message for s in self.take_sends() if isinstance(s.message, PairEnded)]
        return message

    def hedging(self) -> Self:
        """The entry filled whole and the post rests; nothing left to look at."""
        self.works("A1").sells(5).works("B1")
        self.take_sends()
        self.take_rows()
        return self

    def cancelling(self) -> Self:
        self.hedging().waits(SECOND)
        self.submitted("C1")
        self.take_sends()
        self.take_rows()
        return self

    def taking(self) -> Self:
        """The post was cancelled; the IOC is out."""
        self.cancelling().sees().canceled("B1", 5, EndReason.BY_US).works("B2")
        self.take_sends()
        self.take_rows()
        return self

    def marketing(self) -> Self:
        self.taking().canceled("B2", 5).works("B3")
        self.take_sends()
        self.take_rows()
        return self


def bare(command: Any) -> Any:
    return replace(command, plan=None) if isinstance(command, PlaceOrder) else command


def entry(plan: PairPlan = PLAN) -> PlaceOrder:
    leg = plan.entry
    return PlaceOrder(f"{plan.pair_id}-A1", plan.pair_id, SLOT, OrderKind.ENTRY, "A", SAMSUNG, 3, leg.venue, leg.side,
                      plan.qty, leg.style, leg.price, 7, Nanos(100 * MS), plan=plan)  # fmt: skip


def hedge(
    tail: str, qty: int, *, kind: OrderKind = OrderKind.HEDGE, venue: Venue = KRX, side: Side = BUY,
    style: OrderStyle = OrderStyle.LIMIT, price: int = 72_300,
) -> PlaceOrder:  # fmt: skip
    return PlaceOrder(f"P1-{tail}", "P1", SLOT, kind, "B", SAMSUNG, 3, venue, side, Shares(qty), style, Won(price))


def ioc(tail: str, qty: int, *, price: int = 72_600, venue: Venue = KRX, **more: Any) -> PlaceOrder:
    kind = more.pop("kind", OrderKind.HEDGE_IOC)
    return hedge(tail, qty, kind=kind, venue=venue, style=OrderStyle.LIMIT_IOC, price=price, **more)


def market(tail: str, qty: int, *, venue: Venue = KRX, **more: Any) -> PlaceOrder:
    kind = more.pop("kind", OrderKind.HEDGE_MARKET)
    return hedge(tail, qty, kind=kind, venue=venue, style=OrderStyle.MARKET_IOC, price=0, **more)


def cancel(tail: str, target: str) -> CancelOrder:
    return CancelOrder(f"P1-{tail}", f"P1-{target}", "P1", SLOT, SAMSUNG)


def query(tail: str) -> QueryOrder:
    return QueryOrder(f"P1-{tail}", "P1", SLOT, SAMSUNG)


# --- the rows of SPEC 8 -----------------------------------------------------------------------------------------------


def test_candidate_admitted_sends_the_entry_with_its_grant_straight_to_the_gateway() -> None:
    book = Pair()
    book.says(
        Send(Role.GATEWAY, entry()),
        Send(Role.MARKET_DATA, WatchTop(3, SLOT, True), 1),
        Send(Role.ROUTER, PairAdvanced("P1", SLOT, SAMSUNG, S.ENTRY_TAKE_SENT, 0, Nanos(0))),
    ).is_in(S.CANDIDATE, S.ENTRY_TAKE_SENT)


def test_an_entry_rejected_ends_the_pair_with_nothing_to_hedge() -> None:
    book = Pair().submitted("A1").rejected("A1").is_in(S.CANDIDATE, S.ENTRY_TAKE_SENT, S.ENTRY_REJECTED)
    ended = book.ended()
    assert (ended.state, ended.bought, ended.sold, ended.rejects, ended.escalated) == (S.ENTRY_REJECTED, 0, 0, 1, False)
    assert book.core.next_deadline() is None


@pytest.mark.parametrize("reason", [r for r in RefusalReason if r is not RefusalReason.UNKNOWN_TARGET])
def test_an_entry_refused_ends_the_pair_for_any_reason(reason: RefusalReason) -> None:
    assert Pair().refused("A1", reason).ended().state is S.ENTRY_REJECTED


def test_an_entry_that_met_an_overload_is_dropped() -> None:
    book = Pair().rejected("A1", overload=True)
    assert (ended := book.ended()).state is S.ENTRY_REJECTED
    assert ended.rejects == 0


def test_an_entry_ended_with_nothing_filled_is_missed_and_the_watch_ends() -> None:
    book = Pair().works("A1")
    book.take_sends()
    book.canceled("A1", 5)
    watch, ended = book.take_sends()
    assert watch == Send(Role.MARKET_DATA, WatchTop(3, SLOT, False), 1)
    assert ended.message.state is S.ENTRY_MISSED
    book.is_in(S.CANDIDATE, S.ENTRY_TAKE_SENT, S.ENTRY_MISSED)


def test_an_entry_filled_whole_is_hedged_by_a_post_through_the_throttler() -> None:
    book = Pair().works("A1")
    book.take_sends()
    book.sells(5).says(
        Send(Role.THROTTLER, hedge("B1", 5)),
        Send(Role.ROUTER, PairAdvanced("P1", SLOT, SAMSUNG, S.HEDGE_POST_SENT, -5, Nanos(0))),
    ).is_in(S.CANDIDATE, S.ENTRY_TAKE_SENT, S.HEDGE_POST_SENT)


def test_an_entry_partly_filled_and_ended_is_hedged_for_exactly_the_filled_quantity() -> None:
    Pair().works("A1").sells(2).commands(entry()).canceled("A1", 3).commands(hedge("B1", 2))


def test_an_entry_filled_in_part_whose_end_is_not_reported_is_hedged_and_asked_about() -> None:
    book = Pair().works("A1").waits(10 * MS).sells(2).commands(entry())
    book.waits(499 * MS).commands()
    book.waits(1 * MS).commands(hedge("B1", 2), query("A1"))
    book.is_in(S.CANDIDATE, S.ENTRY_TAKE_SENT, S.ENTRY_IN_DOUBT, S.HEDGE_POST_SENT)


def test_an_entry_without_a_number_in_time_is_in_doubt_and_asked_about() -> None:
    book = Pair().submitted("A1").commands(entry()).waits(200 * MS).timed_out("A1").commands(query("A1"))
    book.is_in(S.CANDIDATE, S.ENTRY_TAKE_SENT, S.ENTRY_IN_DOUBT)


def test_the_number_is_missed_even_if_the_gateway_does_not_say_so() -> None:
    Pair().submitted("A1").commands(entry()).waits(249 * MS).commands().waits(1 * MS).commands(query("A1"))


def test_timers_start_at_the_stamp_of_the_event_not_at_its_handling() -> None:
    book = Pair()
    book.mono = 400 * MS
    book.hears(OrderSubmitted("P1", "P1-A1", Nanos(170 * MS))).commands(entry())
    book.waits(19 * MS).commands().waits(1 * MS).commands(query("A1"))


@pytest.mark.parametrize("proof", ["ended", "lost", "rejected"])
def test_a_doubted_entry_proved_dead_with_nothing_filled_is_missed(proof: str) -> None:
    book = Pair().submitted("A1").timed_out("A1")
    if proof == "ended":
        book.proved("A1", DoubtVerdict.ENDED)
    elif proof == "lost":
        book.canceled("A1", 5, EndReason.LOST)
    else:
        book.rejected("A1")
    ended = book.ended()
    assert (ended.state, ended.timeouts) == (S.ENTRY_MISSED, 1)


def test_a_doubted_entry_found_resting_is_cancelled_and_stays_in_doubt() -> None:
    book = Pair().submitted("A1").timed_out("A1").commands(entry(), query("A1"))
    book.take_rows()
    book.proved("A1", DoubtVerdict.RESTING, 5).commands(cancel("C1", "A1")).is_in()
    book.canceled("A1", 5, EndReason.BY_US)
    assert book.ended().state is S.ENTRY_MISSED


def test_a_doubted_entrys_fills_are_hedged_and_further_fills_hedge_exactly_what_they_add() -> None:
    book = Pair().submitted("A1").timed_out("A1").commands(entry(), query("A1"))
    book.sells(2).commands(hedge("B1", 2))
    book.works("B1").sells(1).commands(hedge("B2", 1))
    book.is_in(S.CANDIDATE, S.ENTRY_TAKE_SENT, S.ENTRY_IN_DOUBT, S.HEDGE_POST_SENT)


def test_a_pair_hedged_while_its_entry_is_in_doubt_is_done_only_when_that_is_proved() -> None:
    book = Pair().submitted("A1").timed_out("A1").sells(2).works("B1").buys(2, "B1")
    book.is_in(S.CANDIDATE, S.ENTRY_TAKE_SENT, S.ENTRY_IN_DOUBT, S.HEDGE_POST_SENT, S.ENTRY_IN_DOUBT)
    book.take_sends()
    book.sells(1).commands(hedge("B2", 1)).buys(1, "B2").proved("A1", DoubtVerdict.ENDED)
    ended = book.ended()
    assert (ended.state, ended.bought, ended.sold) == (S.PAIRED_DONE, 3, 3)


def test_a_late_number_of_a_doubted_entry_adopts_it_as_an_ioc_that_must_end() -> None:
    book = Pair().submitted("A1").timed_out("A1").commands(entry(), query("A1"))
    book.acked("A1").waits(499 * MS).commands().waits(1 * MS).commands(query("A1"))


def test_a_post_filled_is_the_pair_done_with_its_figures() -> None:
    book = Pair().hedging().waits(300 * MS).buys(2, "B1").buys(3, "B1")
    state, done = book.take_rows()
    assert (state.event_type, state.state) == (EventType.PAIR_STATE, "PAIRED_DONE")
    assert done.event_type is EventType.PAIRED_DONE
    assert (done.pair_id, done.symbol) == ("P1", "005930")
    sold_won, bought_won = 5 * 72_500, 5 * 72_300
    fees, tax = 60 + 50, 725
    net = sold_won - bought_won - fees - tax
    assert dict(done.extra) == {
        "bought": 5, "sold": 5, "buy_px_avg": 72_300, "sell_px_avg": 72_500, "gross_krw": 1_000, "fees_krw": fees,
        "tax_krw": tax, "net_krw": net, "net_bps": 4.56, "unhedged_ms": 300, "path": "take_post",
        "expected_net_mwon": 12_345, "child": 0,
    }  # fmt: skip
    ended = book.ended()
    assert ended == PairEnded(
        "P1", SLOT, SAMSUNG, S.PAIRED_DONE, Shares(5), Shares(5), Won(bought_won), Won(sold_won), Won(fees), Won(tax),
        Won(net), escalated=False, rejects=0, timeouts=0, at=Nanos(300 * MS),
    )  # fmt: skip


def test_a_post_rejected_is_followed_by_an_ioc_at_once() -> None:
    book = Pair().works("A1").sees().sells(5).commands(entry(), hedge("B1", 5))
    book.submitted("B1").rejected("B1").commands(ioc("B2", 5))
    book.is_in(S.CANDIDATE, S.ENTRY_TAKE_SENT, S.HEDGE_POST_SENT, S.HEDGE_IOC_SENT)


def test_a_post_without_a_number_is_in_doubt_and_no_second_hedge_is_sent() -> None:
    book = Pair().works("A1").sells(5).submitted("B1").commands(entry(), hedge("B1", 5))
    book.timed_out("B1").commands(query("B1"))
    book.waits(2 * SECOND).sees().commands()
    book.is_in(S.CANDIDATE, S.ENTRY_TAKE_SENT, S.HEDGE_POST_SENT, S.HEDGE_IN_DOUBT)


def test_t_hedge_cancels_the_post_and_raises_the_alert() -> None:
    book = Pair().hedging().waits(999 * MS).commands().waits(1 * MS).commands(cancel("C1", "B1"))
    state, alert = book.take_rows()
    assert (state.state, alert.event_type, alert.pair_id) == ("CANCEL_POST_SENT", EventType.HEDGE_TIMEOUT, "P1")
    assert dict(alert.extra) == {"open_qty": -5, "t_hedge_ms": 1_000, "child": 0}


def test_t_hedge_runs_from_the_stamp_of_the_fill_that_opened_the_imbalance() -> None:
    book = Pair().works("A1")
    book.mono = 700 * MS
    book.sells(5, age=400 * MS).works("B1").commands(entry(), hedge("B1", 5))
    book.waits(599 * MS).commands().waits(1 * MS).commands(cancel("C1", "B1"))


def test_the_confirmed_end_of_the_cancelled_post_frees_its_quantity_for_an_ioc() -> None:
    book = Pair().cancelling().sees().commands()
    book.buys(2, "B1").commands().canceled("B1", 3, EndReason.BY_US).commands(ioc("B2", 3)).is_in(S.HEDGE_IOC_SENT)


def test_the_cancels_own_number_and_acceptance_free_nothing() -> None:
    Pair().cancelling().sees().acked("C1").accepted("C1").commands().is_in()


def test_a_fill_that_wins_the_race_against_the_cancel_ends_the_pair() -> None:
    book = Pair().cancelling().buys(5, "B1").is_in(S.PAIRED_DONE)
    ended = book.ended()
    assert (ended.state, ended.escalated) == (S.PAIRED_DONE, True)
    book.canceled("B1", 0, EndReason.BY_US).cancel_rejected("C1", "B1").says()


def test_a_partial_fill_in_the_race_still_waits_for_the_confirmed_end() -> None:
    Pair().cancelling().sees().buys(2, "B1").commands().is_in()


def test_an_end_that_accounts_for_less_than_the_remainder_waits_for_the_fills_still_on_their_way() -> None:
    book = Pair().cancelling().sees().canceled("B1", 3, EndReason.BY_US).commands()
    book.buys(2, "B1").commands(ioc("B2", 3))


def test_a_rejected_cancel_waits_cancel_ms_and_then_asks() -> None:
    book = Pair().cancelling().sees().cancel_rejected("C1", "B1").commands()
    book.waits(299 * MS).commands().waits(1 * MS).commands(query("B1")).is_in()
    book.proved("B1", DoubtVerdict.ENDED).commands(ioc("B2", 5))


def test_a_rejected_cancel_of_an_order_that_filled_ends_with_its_fill() -> None:
    book = Pair().cancelling().cancel_rejected("C1", "B1").buys(5, "B1")
    assert book.ended().state is S.PAIRED_DONE


def test_a_refused_cancel_is_like_a_rejected_one() -> None:
    Pair().cancelling().refused("C1", RefusalReason.UNKNOWN_TARGET).waits(300 * MS).commands(query("B1"))


def test_a_rejected_cancel_of_a_post_proved_resting_is_sent_again() -> None:
    book = Pair().cancelling().cancel_rejected("C1", "B1").waits(300 * MS).commands(query("B1"))
    book.proved("B1", DoubtVerdict.RESTING, 5).commands(cancel("C2", "B1")).is_in()


def test_an_unanswered_cancel_is_stuck_and_asked_about() -> None:
    book = Pair().cancelling().waits(300 * MS).cancel_stuck("C1", "B1").commands(query("B1")).is_in(S.CANCEL_STUCK)
    book.proved("B1", DoubtVerdict.RESTING, 5).commands(cancel("C2", "B1")).is_in(S.CANCEL_POST_SENT)


def test_an_unanswered_cancel_is_missed_even_if_the_gateway_does_not_say_so() -> None:
    Pair().cancelling().waits(349 * MS).is_in().waits(1 * MS).commands(query("B1")).is_in(S.CANCEL_STUCK)


@pytest.mark.parametrize("start", ["stuck", "doubt"])
def test_a_doubted_hedge_is_hedged_anew_only_when_proved_dead(start: str) -> None:
    book = Pair().sees()
    if start == "stuck":
        book.cancelling().sees().cancel_stuck("C1", "B1")
    else:
        book.works("A1").sells(5).submitted("B1").timed_out("B1")
    book.take_sends()
    book.take_rows()
    book.proved("B1", DoubtVerdict.ENDED).commands(ioc("B2", 5)).is_in(S.HEDGE_IOC_SENT)


def test_a_doubted_hedge_proved_filled_ends_the_pair() -> None:
    book = Pair().works("A1").sells(5).submitted("B1").timed_out("B1").buys(5, "B1").proved("B1", DoubtVerdict.ENDED)
    assert book.ended().state is S.PAIRED_DONE


@pytest.mark.parametrize("proof", ["verdict", "number"])
def test_a_doubted_post_proved_resting_is_cancelled(proof: str) -> None:
    book = Pair().works("A1").sells(5).submitted("B1").timed_out("B1")
    book.take_sends()
    book.take_rows()
    if proof == "verdict":
        book.proved("B1", DoubtVerdict.RESTING, 5)
    else:
        book.acked("B1")
    book.commands(cancel("C1", "B1")).is_in(S.CANCEL_POST_SENT)


def test_an_ioc_filled_ends_the_pair() -> None:
    book = Pair().taking().buys(5, "B2").is_in(S.PAIRED_DONE)
    assert (ended := book.ended()).escalated
    assert ended.state is S.PAIRED_DONE


def test_the_path_tells_how_the_pair_came_to_its_end() -> None:
    book = Pair().marketing().buys(5, "B3")
    [row] = [row for row in book.take_rows() if row.event_type is EventType.PAIRED_DONE]
    assert dict(row.extra)["path"] == "take_post_cancel_ioc_market"


@pytest.mark.parametrize("rejected", [True, False])
def test_an_ioc_ended_with_a_remainder_or_rejected_is_followed_by_a_market_order(rejected: bool) -> None:
    book = Pair().taking()
    if rejected:
        book.rejected("B2").commands(market("B3", 5, venue=NXT)).is_in(S.HEDGE_MARKET_SENT)
    else:
        book.buys(2, "B2").canceled("B2", 3).commands(market("B3", 3)).is_in(S.HEDGE_MARKET_SENT)


@pytest.mark.parametrize("stage", ["ioc", "market"])
def test_a_taking_hedge_whose_end_is_not_reported_is_in_doubt(stage: str) -> None:
    book = Pair().taking() if stage == "ioc" else Pair().marketing()
    tail = "B2" if stage == "ioc" else "B3"
    book.buys(1, tail).waits(499 * MS).is_in().waits(1 * MS).commands(query(tail)).is_in(S.HEDGE_IN_DOUBT)
    next_tail = "B3" if stage == "ioc" else "B4"
    book.proved(tail, DoubtVerdict.ENDED).commands(market(next_tail, 4)).is_in(S.HEDGE_MARKET_SENT)


def test_a_taking_hedge_without_a_number_is_in_doubt() -> None:
    book = Pair().cancelling().sees().canceled("B1", 5).submitted("B2").timed_out("B2")
    book.commands(ioc("B2", 5), query("B2")).is_in(S.HEDGE_IOC_SENT, S.HEDGE_IN_DOUBT)


def test_a_market_order_filled_ends_the_pair() -> None:
    assert Pair().marketing().buys(5, "B3").ended().state is S.PAIRED_DONE


def test_a_market_order_with_a_remainder_is_sent_again_until_the_attempts_are_spent() -> None:
    book = Pair(replace(PLAN, max_hedge_attempts=2)).marketing()
    book.buys(1, "B3").canceled("B3", 4).commands(market("B4", 4)).is_in(S.HEDGE_MARKET_SENT)
    book.works("B4").canceled("B4", 4)
    state, unhedged = book.take_rows()
    assert (state.state, state.reason) == ("UNHEDGED", "ATTEMPTS_SPENT")
    assert (unhedged.event_type, unhedged.message_text) == (EventType.UNHEDGED, "4 shares short")
    assert (dict(unhedged.extra)["bought"], dict(unhedged.extra)["sold"]) == (1, 5)
    assert (ended := book.ended()).state is S.UNHEDGED
    assert (ended.bought, ended.sold) == (1, 5)


def test_a_market_order_that_brought_nothing_is_spaced() -> None:
    book = Pair().marketing().canceled("B3", 5).commands().is_in(S.HEDGE_MARKET_SENT)
    book.waits(199 * MS).commands().waits(1 * MS).commands(market("B4", 5))


def test_a_rejected_market_order_is_tried_on_the_other_venue() -> None:
    book = Pair().marketing().rejected("B3").commands().waits(200 * MS).commands(market("B4", 5, venue=NXT))
    book.works("B4").rejected("B4").waits(200 * MS).commands(market("B5", 5))


def test_neither_venue_takes_the_hedge_until_the_end_is_unhedged() -> None:
    book = Pair().cancelling().sees(is_open=(False, False)).canceled("B1", 5).commands().is_in(S.HEDGE_IOC_SENT)
    book.waits(57 * SECOND).commands()
    assert book.take_rows() == []
    book.waits(2 * SECOND).commands()
    state, unhedged = book.take_rows()
    assert (state.state, unhedged.event_type, unhedged.reason) == ("UNHEDGED", EventType.UNHEDGED, "TIME_UP")
    assert book.core.next_deadline() is None


def test_the_hedge_is_resumed_when_a_venue_opens_again() -> None:
    book = Pair().cancelling().sees(is_open=(False, False)).canceled("B1", 5).commands()
    book.waits(5 * SECOND).sees(is_open=(False, True)).commands(ioc("B2", 5, venue=NXT, price=72_800))


@pytest.mark.parametrize(
    "finish", ["done", "missed", "rejected", "unhedged", "flattened"], ids=lambda finish: f"after {finish}"
)
def test_any_terminal_a_late_fill_is_rescued(finish: str) -> None:
    book = Pair(replace(PLAN, max_hedge_attempts=1)).works("A1")
    if finish == "done":
        book.sells(2).canceled("A1", 3).works("B1").buys(2, "B1")
    elif finish == "missed":
        book.canceled("A1", 5)
    elif finish == "rejected":
        book.rejected("A1")
    elif finish == "unhedged":
        book.sells(2).canceled("A1", 3).rejected("B1").rejected("B2").rejected("B3")
    else:
        book.sells(2).canceled("A1", 3).flattens().canceled("B1", 2).buys(2, "B2")
    parent = book.ended()
    book.take_rows()
    book.sells(1)
    first, *_ = book.take_sends()
    assert first == Send(Role.ROUTER, PairAdvanced("P1", SLOT, SAMSUNG, S.RESCUE, -1, Nanos(0)))
    book.is_in(S.RESCUE, S.HEDGE_POST_SENT)
    assert parent.state in (S.PAIRED_DONE, S.ENTRY_MISSED, S.ENTRY_REJECTED, S.UNHEDGED, S.FLATTENED)
    tail = f"R1B{book.core._pair.hedge_no}"
    book.works(tail).buys(1, tail)
    child = book.ended()
    assert (child.state, child.bought, child.sold) == (S.PAIRED_DONE, 1, 1), "each child has a result of its own"


# --- what the rows imply ----------------------------------------------------------------------------------------------


def test_repeated_fills_are_counted_once() -> None:
    book = Pair().works("A1")
    fill = OrderFilled(
        "P1", "P1-A1", "9", NXT, SELL, Won(72_500), Shares(5), Shares(5), Shares(0), None, None, Nanos(0)
    )
    book.hears(fill).hears(fill).commands(entry(), hedge("B1", 5)).works("B1").buys(5, "B1")
    assert book.ended().sold == 5
    book.hears(fill).says()


def test_a_repeated_rejection_counts_once() -> None:
    book = Pair().works("A1").sells(5).rejected("B1").rejected("B1").works("B2").buys(5, "B2")
    assert book.ended().rejects == 1


def test_an_early_fill_before_its_number_is_a_fill() -> None:
    Pair().sells(5).commands(entry(), hedge("B1", 5))


def test_a_hedge_ioc_only_symbol_skips_the_post_and_that_is_no_escalation() -> None:
    book = Pair(replace(PLAN, hedge_ioc_only=True)).sees().works("A1").sells(5).commands(entry(), ioc("B1", 5))
    book.works("B1").buys(5, "B1")
    assert not book.ended().escalated


def test_an_ioc_goes_to_the_better_venue_two_ticks_through_its_touch() -> None:
    plan = replace(PLAN, hedge_ioc_only=True)
    dearer_here = Pair(plan).sees(ask=(72_700, 72_500)).works("A1").sells(5)
    dearer_here.commands(entry(), ioc("B1", 5, venue=NXT, price=72_700))
    equal = Pair(plan).sees(ask=(72_500, 72_500)).works("A1").sells(5)
    equal.commands(entry(), ioc("B1", 5, venue=KRX, price=72_700))
    gone_there = Pair(plan).sees(ask=(72_700, 0)).works("A1").sells(5)
    gone_there.commands(entry(), ioc("B1", 5, venue=KRX, price=72_900))


def test_the_same_venue_fallback_leaves_its_venue_only_if_that_takes_nothing() -> None:
    plan = replace(PLAN, hedge_ioc_only=True, hedge_fallback_best=False)
    Pair(plan).sees(ask=(72_700, 72_500)).works("A1").sells(5).commands(entry(), ioc("B1", 5, price=72_900))
    shut = Pair(plan).sees(ask=(72_700, 72_500), is_open=(False, True)).works("A1").sells(5)
    shut.commands(entry(), ioc("B1", 5, venue=NXT, price=72_700))


def test_an_ioc_stays_inside_the_days_limits() -> None:
    plan = replace(PLAN, hedge_ioc_only=True, upper_limit=Won(72_450))
    Pair(plan).sees().works("A1").sells(5).commands(entry(), ioc("B1", 5, price=72_400))


def test_without_any_quote_the_ioc_goes_to_the_hedges_venue_at_the_signals_price() -> None:
    Pair(replace(PLAN, hedge_ioc_only=True)).works("A1").sells(5).commands(entry(), ioc("B1", 5, price=72_500))


def test_a_buy_first_pair_sells_its_hedge() -> None:
    plan = replace(
        PLAN,
        entry=Leg(KRX, BUY, OrderStyle.LIMIT_IOC, Won(72_300)),
        hedge=Leg(NXT, SELL, OrderStyle.LIMIT, Won(72_500)),
        hedge_lock_price=Won(72_500),
    )
    book = Pair(plan).sees().works("A1").buys(5, "A1")
    book.commands(entry(plan), hedge("B1", 5, venue=NXT, side=SELL, price=72_500))
    book.rejected("B1").commands(ioc("B2", 5, venue=NXT, side=SELL, price=72_100))
    book.works("B2").sells(5, "B2")
    assert book.ended().state is S.PAIRED_DONE


MID_PLAN = replace(PLAN, hedge=Leg(KRX, BUY, OrderStyle.MID, Won(0)))


def test_a_mid_hedge_is_cancelled_as_soon_as_the_mid_passes_the_lock() -> None:
    book = Pair(MID_PLAN).hedging().sees(bid=(72_200, 0), ask=(72_400, 0)).commands()
    book.sees(bid=(72_300, 0), ask=(72_400, 0)).commands(cancel("C1", "B1"))
    [row] = book.take_rows()
    assert (row.state, row.reason) == ("CANCEL_POST_SENT", "MID_PASSED")
    book.canceled("B1", 5, EndReason.BY_US).commands(ioc("B2", 5))


def test_a_limit_hedge_does_not_care_where_the_mid_is() -> None:
    Pair().hedging().sees(bid=(73_300, 0), ask=(73_400, 0)).commands()


@pytest.mark.parametrize("reason", [RefusalReason.HALTED, RefusalReason.VENUE_CLOSED, RefusalReason.SESSION_OFF])
def test_a_hedge_refused_for_its_venue_tries_the_other_and_then_waits(reason: RefusalReason) -> None:
    book = Pair(replace(PLAN, hedge_ioc_only=True)).sees().works("A1").sells(5).commands(entry(), ioc("B1", 5))
    book.refused("B1", reason).commands(ioc("B2", 5, venue=NXT, price=72_800))
    book.refused("B2", reason).commands()
    book.waits(199 * MS).commands().waits(1 * MS).commands(ioc("B3", 5))
    assert book.core._pair.state is S.HEDGE_IOC_SENT


def turned_down_everywhere() -> Pair:
    """A halt that nobody announces: both venues turn every take down, and no book moves."""
    book = Pair().sees().taking().rejected("B2")
    for number, venue in ((3, NXT), (4, KRX), (5, NXT)):
        while f"P1-B{number}" not in book.core._pair.orders:
            book.waits(100 * MS)
        book.commands(market(f"B{number}", 5, venue=venue)).rejected(f"B{number}")
    return book.commands()


def test_the_last_attempts_are_kept_for_when_a_book_that_stands_still_moves() -> None:
    book = turned_down_everywhere().waits(40 * SECOND).commands()
    assert book.core._pair.state is S.HEDGE_MARKET_SENT
    book.sees(ask=(72_700, 72_600)).commands(market("B6", 5)).works("B6").buys(5, "B6")
    assert book.ended().state is S.PAIRED_DONE


def test_flatten_does_not_wait_for_a_book_that_stands_still() -> None:
    turned_down_everywhere().waits(10 * SECOND).flattens().commands(market("B6", 5, kind=OrderKind.FLATTEN))


def test_a_disconnected_broker_is_tried_again_in_time_and_costs_no_attempt() -> None:
    book = Pair(replace(PLAN, max_hedge_attempts=1)).taking().canceled("B2", 5).commands(market("B3", 5))
    for number in range(3, 9):
        book.refused(f"B{number}", RefusalReason.DISCONNECTED).commands()
        book.waits(200 * MS).commands(market(f"B{number + 1}", 5))
    assert book.works("B9").buys(5, "B9").ended().state is S.PAIRED_DONE


def test_a_post_refused_by_a_closed_venue_goes_to_the_other_as_an_ioc() -> None:
    book = Pair().sees().works("A1").sells(5).commands(entry(), hedge("B1", 5))
    book.refused("B1", RefusalReason.VENUE_CLOSED).commands(ioc("B2", 5, venue=NXT, price=72_800))


def test_while_no_venue_takes_it_the_top_is_asked_for_again_and_one_alert_raised() -> None:
    book = Pair(replace(PLAN, hedge_ioc_only=True)).sees(is_open=(False, False)).works("A1").sells(5)
    book.take_sends()
    book.take_rows()
    book.waits(200 * MS).says(Send(Role.MARKET_DATA, WatchTop(3, SLOT, True), 1))
    book.waits(5 * SECOND)
    [alert] = book.take_rows()
    assert (alert.event_type, alert.reason) == (EventType.HEDGE_TIMEOUT, "NO_VENUE")


def test_an_overload_on_a_hedge_sends_it_again_as_a_new_command_without_counting() -> None:
    book = Pair().works("A1").sells(5).commands(entry(), hedge("B1", 5))
    book.submitted("B1").rejected("B1", overload=True).commands(hedge("B2", 5))
    book = Pair(replace(PLAN, max_hedge_attempts=1)).taking().canceled("B2", 5).commands(market("B3", 5))
    book.rejected("B3", overload=True).commands(market("B4", 5)).rejected("B4", overload=True).commands(market("B5", 5))
    assert book.core._pair.rejects == 0


def test_an_overload_on_a_cancel_sends_it_again() -> None:
    Pair().cancelling().cancel_rejected("C1", "B1", overload=True).commands(cancel("C2", "B1")).is_in()


def test_a_hedge_refused_behind_an_unnumbered_order_is_sent_again_shortly() -> None:
    book = Pair().works("A1").sells(5).commands(entry(), hedge("B1", 5))
    book.refused("B1", RefusalReason.UNNUMBERED_BEFORE).commands().waits(49 * MS).commands()
    book.waits(1 * MS).commands(hedge("B2", 5))


def test_a_doubt_query_that_could_not_tell_is_asked_again_with_spacing() -> None:
    book = Pair().submitted("A1").timed_out("A1").commands(entry(), query("A1"))
    book.proved("A1", DoubtVerdict.UNKNOWN).waits(499 * MS).commands().waits(1 * MS).commands(query("A1"))


def test_a_doubt_query_without_any_answer_is_asked_again() -> None:
    book = Pair().submitted("A1").timed_out("A1").commands(entry(), query("A1"))
    book.waits(2_999 * MS).commands().waits(1 * MS).commands(query("A1"))


def test_a_refused_doubt_query_is_not_taken_for_the_orders_refusal() -> None:
    book = Pair().submitted("A1").timed_out("A1").commands(entry(), query("A1"))
    book.refused("A1", RefusalReason.DISCONNECTED).waits(500 * MS).commands(query("A1"))
    book.refused("A1", RefusalReason.UNKNOWN_TARGET).waits(500 * MS).commands(query("A1"))


def test_an_entry_of_which_nothing_is_heard_ends_once_the_gateway_does_not_know_it() -> None:
    book = Pair().commands(entry()).waits(3_100 * MS).commands(query("A1"))
    assert book.refused("A1", RefusalReason.UNKNOWN_TARGET).ended().state is S.ENTRY_MISSED


def test_a_hedge_of_which_nothing_is_heard_is_given_again_under_its_own_id() -> None:
    patient = replace(PLAN, t_hedge_ns=Nanos(20 * SECOND))
    book = Pair(patient).works("A1").sells(5).commands(entry(), hedge("B1", 5))
    book.waits(2_999 * MS).commands().waits(1 * MS).commands(hedge("B1", 5))
    book.submitted("B1").refused("B1", RefusalReason.DUPLICATE).acked("B1").buys(5, "B1")
    assert book.ended().state is S.PAIRED_DONE


def test_a_repeated_hedge_that_the_gateway_knows_already_is_asked_about() -> None:
    book = Pair(replace(PLAN, t_hedge_ns=Nanos(20 * SECOND))).works("A1").sells(5).waits(3 * SECOND)
    book.commands(entry(), hedge("B1", 5), hedge("B1", 5)).refused("B1", RefusalReason.DUPLICATE).commands(query("B1"))


def test_a_post_lost_on_its_way_is_given_again_before_it_can_be_cancelled() -> None:
    book = Pair().works("A1").sells(5).waits(SECOND).commands(entry(), hedge("B1", 5), cancel("C1", "B1"))
    book.refused("C1", RefusalReason.UNKNOWN_TARGET).waits(300 * MS).commands(hedge("B1", 5))
    book.submitted("B1").acked("B1").commands(cancel("C2", "B1"))
    book.canceled("B1", 5, EndReason.BY_US).commands(ioc("B2", 5, price=72_500))


def test_an_order_stuck_without_acceptance_changes_nothing_by_itself() -> None:
    book = Pair().works("A1").sells(5).submitted("B1").acked("B1")
    book.take_sends()
    book.hears(OrderStuck("P1", "P1-B1", book.now.mono)).says()


def test_a_post_taken_out_by_the_venue_is_followed_by_an_ioc() -> None:
    Pair().hedging().sees().buys(1, "B1").canceled("B1", 4, EndReason.BY_VENUE).commands(ioc("B2", 4))


def test_when_one_of_two_posts_fails_the_other_is_cancelled_before_the_ioc() -> None:
    book = Pair().submitted("A1").timed_out("A1").sells(2).works("B1").sells(1)
    book.take_sends()
    book.sees().rejected("B2").commands(cancel("C1", "B1"))
    book.canceled("B1", 2, EndReason.BY_US).commands(ioc("B3", 3))


def test_entry_fills_that_come_while_a_hedge_is_in_doubt_wait_for_the_proof() -> None:
    book = Pair().submitted("A1").timed_out("A1").sees().sells(2).submitted("B1").timed_out("B1")
    book.take_sends()
    book.sells(1).commands().proved("B1", DoubtVerdict.ENDED).commands(ioc("B2", 3))


def test_entry_fills_that_come_while_an_ioc_is_out_get_an_ioc_of_their_own() -> None:
    book = Pair().submitted("A1").timed_out("A1").sees().sells(2).rejected("B1")
    book.take_sends()
    book.sells(1).commands(ioc("B3", 1))


def test_an_ioc_that_the_venue_left_resting_is_cancelled() -> None:
    book = Pair().taking().waits(500 * MS).commands(query("B2"))
    book.proved("B2", DoubtVerdict.RESTING, 5).commands(cancel("C2", "B2"))
    book.canceled("B2", 5, EndReason.BY_US).commands(market("B3", 5))


def test_a_hedge_that_fills_after_its_confirmed_end_is_hedged_back() -> None:
    book = Pair().taking().buys(3, "B1").commands(cancel("C2", "B2"))
    book.buys(5, "B2").commands(market("B3", 3, side=SELL, venue=NXT)).works("B3").sells(3, "B3")
    ended = book.ended()
    assert (ended.state, ended.bought, ended.sold) == (S.PAIRED_DONE, 8, 8)


def test_flatten_cancels_the_post_now_and_closes_the_imbalance() -> None:
    book = Pair().hedging().sees().flattens().commands(cancel("C1", "B1"))
    book.canceled("B1", 5, EndReason.BY_US).commands(ioc("B2", 5, kind=OrderKind.FLATTEN))
    book.works("B2").canceled("B2", 5).commands(market("B3", 5, kind=OrderKind.FLATTEN)).buys(5, "B3")
    rows = book.take_rows()
    assert [row.event_type for row in rows[-2:]] == [EventType.PAIR_STATE, EventType.FLATTENED]
    assert EventType.HEDGE_TIMEOUT not in [row.event_type for row in rows]
    assert dict(rows[-1].extra)["net_krw"] == book.ended().net_won


def test_flatten_waits_for_the_end_of_an_entry_and_then_takes() -> None:
    Pair().works("A1").sees().flattens().commands(entry()).sells(2).canceled("A1", 3).commands(
        ioc("B1", 2, kind=OrderKind.FLATTEN)
    )
    assert Pair().works("A1").flattens().canceled("A1", 5).ended().state is S.ENTRY_MISSED


def test_flatten_of_a_post_that_fills_first_is_a_pair_done() -> None:
    assert Pair().hedging().flattens().buys(5, "B1").ended().state is S.PAIRED_DONE


def handed_over(qty: int) -> OrderFilled:
    """What the Router hands over to be closed: a fill of no order."""
    return OrderFilled("P1", "", "", KRX, SELL, Won(72_500), Shares(qty), Shares(qty), Shares(0), Won(0), Won(0),
                       Nanos(0))  # fmt: skip


def rescue_of(book: Pair, qty: int, plan: PairPlan | None = None) -> StartRescue:
    """The child that closes `qty` shares sold for 72,500 won each, less 40 won of fees and tax."""
    carried = PairSums(Shares(0), Shares(qty), Won(0), Won(qty * 72_500 + 7), Won(10), Won(30))
    return StartRescue(plan or book.plan, handed_over(qty), carried=carried)


def test_what_an_unhedged_pair_left_open_is_flattened_when_the_router_hands_it_over() -> None:
    book = Pair(replace(PLAN, max_hedge_attempts=1)).marketing().buys(2, "B3").canceled("B3", 3)
    assert book.ended().state is S.UNHEDGED
    book.take_rows()
    book.flattens().says()
    book.hears(rescue_of(book, 3)).commands(ioc("R1B4", 3, kind=OrderKind.FLATTEN))
    book.is_in(S.RESCUE, S.HEDGE_IOC_SENT).works("R1B4").buys(3, "R1B4")
    ended = book.ended()
    assert (ended.state, ended.bought, ended.sold) == (S.FLATTENED, 3, 3)
    assert (ended.sell_amount, ended.commission_won, ended.tax_won) == (3 * 72_500 + 7, 40, 30), "all that it ever cost"


def test_what_is_handed_over_twice_is_closed_twice() -> None:
    book = Pair(replace(PLAN, max_hedge_attempts=1)).marketing().canceled("B3", 5)
    book.waits(200 * MS).take_sends()
    book.hears(rescue_of(book, 5)).rejected("R1B4").rejected("R1B5")
    assert book.ended().state is S.UNHEDGED
    book.waits(SECOND).hears(rescue_of(book, 5))
    book.commands(ioc("R2B6", 5, kind=OrderKind.FLATTEN))


def test_flatten_of_another_pair_or_an_ended_one_is_nothing() -> None:
    book = Pair().hedging().hears(FlattenPair("P0")).says()
    book.buys(5, "B1")
    book.take_sends()
    book.flattens().says()


def test_an_entry_never_proved_by_the_end_is_unhedged_with_the_reason() -> None:
    book = Pair().submitted("A1").timed_out("A1").waits(60 * SECOND)
    rows = book.take_rows()
    assert (rows[-1].event_type, rows[-1].reason) == (EventType.UNHEDGED, "TIME_UP")
    assert book.ended().state is S.UNHEDGED


def test_a_late_fill_that_closes_what_was_left_open_is_reported_and_not_hedged_back() -> None:
    book = Pair().works("A1").sells(5).submitted("B1").timed_out("B1").waits(60 * SECOND)
    assert book.ended().state is S.UNHEDGED
    book.take_rows()
    book.buys(2, "B1")
    *states, unhedged = book.take_rows()
    assert [row.state for row in states] == ["RESCUE", "UNHEDGED"]
    assert (unhedged.event_type, unhedged.message_text) == (EventType.UNHEDGED, "3 shares short")
    ended = book.ended()
    assert (ended.state, ended.bought, ended.sold) == (S.UNHEDGED, 2, 0)
    book.buys(3, "B1")
    ended = book.ended()
    assert (ended.state, ended.bought, ended.sold) == (S.UNHEDGED, 3, 0)
    assert book.take_rows()[-1].message_text == "nothing left open"


def test_a_hedge_that_may_live_is_proved_before_what_was_left_open_is_hedged_anew() -> None:
    book = Pair().works("A1").sells(5).submitted("B1").timed_out("B1").waits(60 * SECOND)
    book.take_sends()
    book.wall_start -= 10 * SECOND
    book.hears(rescue_of(book, 5, PLAN)).commands(query("B1"))
    book.proved("B1", DoubtVerdict.RESTING, 5).commands(cancel("R1C1", "B1"))
    book.canceled("B1", 5, EndReason.BY_US).commands(ioc("R1B2", 5, kind=OrderKind.FLATTEN, price=72_500))


def late(qty: int = 2, tail: str = "A1", pair_id: str = "P1", exec_id: str = "77") -> OrderFilled:
    return OrderFilled(pair_id, f"{pair_id}-{tail}", exec_id, NXT, SELL, Won(72_500), Shares(qty), Shares(qty),
                       Shares(0), None, None, Nanos(0))  # fmt: skip


def test_a_rescue_of_another_managers_pair_hedges_the_late_fill() -> None:
    book = Pair(started=False).hears(StartRescue(PLAN, late(), rescue_no=2)).commands(hedge("R2B1", 2))
    book.works("R2B1").waits(SECOND).commands(cancel("R2C1", "R2B1")).canceled("R2B1", 2)
    book.commands(ioc("R2B2", 2, price=72_500)).buys(2, "R2B2").is_in(
        S.RESCUE, S.HEDGE_POST_SENT, S.CANCEL_POST_SENT, S.HEDGE_IOC_SENT, S.PAIRED_DONE
    )
    ended = book.ended()
    assert (ended.pair_id, ended.bought, ended.sold) == ("P1", 2, 2)


def test_a_rescue_whose_fill_is_older_than_t_hedge_takes_at_once() -> None:
    book = Pair(started=False)
    book.mono = 2 * SECOND
    book.hears(StartRescue(PLAN, late())).commands(ioc("R1B1", 2, price=72_500))


def test_a_second_late_fill_during_a_rescue_is_hedged_too() -> None:
    book = Pair(started=False).hears(StartRescue(PLAN, late())).commands(hedge("R1B1", 2))
    book.hears(late(1, exec_id="78")).commands(hedge("R1B2", 1))


def test_a_late_fill_of_an_earlier_pair_is_handed_to_the_router() -> None:
    book = Pair().works("A1").canceled("A1", 5)
    book.plan = replace(PLAN, pair_id="P2", symbol=Symbol("000660"))
    book.hears(StartPair(book.plan, 8, Nanos(100 * MS)))
    book.take_sends()
    fill = late()
    book.hears(fill).says(Send(Role.ROUTER, LateFill(fill, SAMSUNG)))


def test_a_pair_that_meets_a_manager_busy_with_a_rescue_is_turned_away() -> None:
    book = Pair().works("A1").canceled("A1", 5).hears(late())
    book.take_sends()
    book.take_rows()
    book.hears(StartPair(replace(PLAN, pair_id="P2"), 8, Nanos(100 * MS)))
    [row] = book.take_rows()
    assert (row.pair_id, row.state, row.reason) == ("P2", "ENTRY_REJECTED", "SLOT_BUSY")
    assert ((ended := book.ended()).pair_id, ended.state) == ("P2", S.ENTRY_REJECTED)
    assert book.core._pair.plan.pair_id == "P1"


def test_a_rescue_that_meets_a_busy_manager_goes_back_to_the_router() -> None:
    book = Pair()
    book.take_sends()
    fill = late(pair_id="P0")
    book.hears(StartRescue(replace(PLAN, pair_id="P0"), fill)).says(Send(Role.ROUTER, LateFill(fill, SAMSUNG)))


def test_a_rescue_of_a_fill_already_hedged_here_is_answered_at_once() -> None:
    book = Pair().works("A1").hears(late(5)).works("B1").buys(5, "B1")
    book.take_sends()
    book.hears(StartRescue(PLAN, late(5)))
    assert book.ended().bought == 0


def test_the_next_pair_starts_afresh_in_the_same_slot() -> None:
    book = Pair().hedging().buys(5, "B1")
    book.take_sends()
    book.plan = replace(PLAN, pair_id="P2")
    book.hears(StartPair(book.plan, 7, Nanos(100 * MS))).commands(entry(book.plan))
    book.works("A1").canceled("A1", 5)
    assert book.ended().sold == 0


def test_words_about_orders_that_are_over_or_unknown_change_nothing() -> None:
    book = Pair().hedging().accepted("A1").acked("B1").accepted("B1").timed_out("B1").timed_out("A1")
    book.proved("A1", DoubtVerdict.RESTING).proved("B1", DoubtVerdict.UNKNOWN).proved("B9", DoubtVerdict.ENDED)
    book.canceled("B9", 5).refused("B1", RefusalReason.HALTED).cancel_stuck("C9", "B1").says()
    assert book.take_rows() == []


def test_rows_carry_the_stamp_of_the_event_and_the_open_quantity() -> None:
    book = Pair().works("A1")
    book.mono = 50 * MS
    book.sells(5, age=20 * MS)
    row: Row = book.take_rows()[-1]
    assert (row.ts_mono, row.ts_wall, row.extra) == (30 * MS, TEN_O_CLOCK + 30 * MS, (("open_qty", -5), ("child", 0)))
    assert row.reason == "FILLS_TO_POST"
