"""Gateway: what it never forwards, each reason alone, and that the broker is not called then."""

from typing import Any

import pytest

from actors.cores.gateway import Mode
from actors.effects import Role, Send
from actors.messages.journal import EventType
from actors.messages.orders import CancelOrder, OrderKind, OrderRefused, OrderStyle, PlaceOrder, RefusalReason
from actors.messages.pairs import OrderEnded
from actors.messages.session import Phase
from actors.messages.throttle import SlotFreed
from kiwoom.control import Connected, SubmitOrder, ViChanged
from kiwoom.market import Nanos, Shares, Side, Symbol, Venue, WallNanos, Won, midnight
from tests.support.gateway_stage import HOUR, HYNIX, MINUTE, SAMSUNG, SLOT, Stage, cancel, entry, hedge, trading
from tests.support.playbook import TEN_O_CLOCK

R = RefusalReason


def refusal_of(stage: Stage, command: PlaceOrder | CancelOrder) -> RefusalReason | None:
    """What the command is refused for; None if the control is called."""
    stage.forgets().hears(command)
    calls = stage.take_calls()
    reasons = [event.reason for event in stage.take_events() if isinstance(event, OrderRefused)]
    assert len(calls) + len(reasons) == 1
    return reasons[0] if reasons else None


def test_a_good_entry_and_a_good_hedge_leave() -> None:
    stage = Stage.up()
    assert refusal_of(stage, entry()) is None
    assert refusal_of(stage, hedge()) is None


BAD_ENTRIES: list[tuple[RefusalReason, dict[str, Any]]] = [
    (R.NO_GRANT, {"grant_id": None}),
    (R.NO_GRANT, {"expires": None}),
    (R.GRANT_EXPIRED, {"expires": Nanos(1)}),
    (R.BAD_CODE, {"symbol": Symbol("A005930")}),
    (R.BAD_CODE, {"symbol": Symbol("005930_NX")}),
    (R.BAD_CODE, {"symbol": Symbol("12345")}),
    (R.BAD_CODE, {"symbol": Symbol("00088K")}),
    (R.BAD_CODE, {"symbol": Symbol("000020")}),  # not in the universe
    (R.BAD_TYPE, {"style": OrderStyle.LIMIT}),  # an entry does not post
    (R.BAD_PRICE, {"style": OrderStyle.MARKET_IOC, "price": Won(70_000)}),
    (R.BAD_PRICE, {"price": Won(70_050)}),
    (R.BAD_PRICE, {"price": Won(0)}),
    (R.BAD_PRICE, {"price": Won(91_100)}),
    (R.BAD_PRICE, {"price": Won(48_950)}),
    (R.BAD_QTY, {"qty": Shares(0)}),
    (R.BAD_QTY, {"qty": Shares(-1)}),
    (R.UNCOVERED_SALE, {"side": Side.SELL, "qty": Shares(11)}),
]


@pytest.mark.parametrize(("reason", "changes"), BAD_ENTRIES, ids=lambda each: str(each))
def test_each_fault_of_an_entry_alone_refuses_it(reason: RefusalReason, changes: dict[str, Any]) -> None:
    assert refusal_of(Stage.up(), entry(**changes)) is reason


BAD_HEDGES: list[tuple[RefusalReason, dict[str, Any]]] = [
    (R.BAD_TYPE, {"venue": Venue.KRX, "style": OrderStyle.MID, "price": Won(0)}),
    (R.BAD_PRICE, {"style": OrderStyle.MID, "price": Won(70_300)}),
    (R.BAD_PRICE, {"price": Won(70_001)}),
    (R.BAD_QTY, {"qty": Shares(0)}),
    (R.UNCOVERED_SALE, {"qty": Shares(11)}),
    (R.BAD_CODE, {"symbol": Symbol("000020")}),
]


@pytest.mark.parametrize(("reason", "changes"), BAD_HEDGES, ids=lambda each: str(each))
def test_each_fault_of_a_hedge_alone_refuses_it(reason: RefusalReason, changes: dict[str, Any]) -> None:
    assert refusal_of(Stage.up(), hedge(**changes)) is reason


@pytest.mark.parametrize("price", [49_000, 91_000])
def test_the_limits_themselves_are_inside(price: int) -> None:
    assert refusal_of(Stage.up(), entry(price=Won(price))) is None


def test_a_refusal_tells_the_pair_the_journal_the_throttler_and_the_router() -> None:
    stage = Stage.up()
    stage.hears(entry(qty=Shares(0)))
    at = Nanos(stage.mono)
    stage.says(
        Send(Role.PAIR_MANAGER, OrderRefused("P1", "E1", R.BAD_QTY, "quantity 0", at), SLOT),
        Send(Role.THROTTLER, SlotFreed(7)),
        Send(Role.ROUTER, OrderEnded("P1", "E1", OrderKind.ENTRY, SAMSUNG, Side.BUY, Shares(0), at)),
    ).calls()
    (row,) = stage.take_rows()
    assert (row.event_type, row.reason, row.cl_ord_id) == (EventType.ORDER_REFUSED, "BAD_QTY", "E1")


def test_the_first_failing_check_in_the_order_of_the_reasons_is_the_reason() -> None:
    worst = entry(grant_id=None, symbol=Symbol("bad"), qty=Shares(0), price=Won(1))
    stage = Stage.up(armed=False)
    assert refusal_of(stage, worst) is R.SESSION_OFF
    stage.hears(trading())
    assert refusal_of(stage, entry("E2", grant_id=None, symbol=Symbol("bad"), price=Won(1))) is R.NO_GRANT
    assert refusal_of(stage, entry("E3", symbol=Symbol("bad"), price=Won(1))) is R.BAD_CODE


def test_before_the_boot_and_after_a_lost_line_everything_is_refused_as_disconnected() -> None:
    assert refusal_of(Stage.off(), entry()) is R.DISCONNECTED
    stage = Stage.up().hedge_working()
    stage.hears(Connected(stage.stamp(), -106))
    assert refusal_of(stage, entry()) is R.DISCONNECTED
    assert refusal_of(stage, hedge("H2")) is R.DISCONNECTED
    assert refusal_of(stage, cancel()) is R.DISCONNECTED


def test_disarmed_refuses_entries_and_lets_hedges_and_cancels_pass() -> None:
    stage = Stage.up().hedge_working()
    stage.hears(trading(armed=False))
    assert refusal_of(stage, entry()) is R.SESSION_OFF
    assert refusal_of(stage, cancel()) is None
    assert refusal_of(stage, hedge("H2", price=Won(70_400))) is None


@pytest.mark.parametrize(
    ("time_of_day", "reason"),
    [
        (9 * HOUR + 31_999 * 10**6, R.SESSION_OFF),
        (9 * HOUR + 32 * 10**9, None),
        (15 * HOUR + 19 * MINUTE + 49_999 * 10**6, None),
        (15 * HOUR + 19 * MINUTE + 50 * 10**9, R.SESSION_OFF),
    ],
)
def test_entries_leave_inside_the_guard_window_only(time_of_day: int, reason: RefusalReason | None) -> None:
    stage = Stage.up()
    stage.wall_start = WallNanos(midnight(TEN_O_CLOCK) + time_of_day - stage.mono)
    assert refusal_of(stage, entry()) is reason


def test_sessionstate_can_end_the_entries_earlier_than_the_guard_window() -> None:
    stage = Stage.up()
    stage.hears(trading(until=10 * HOUR))
    assert refusal_of(stage, entry()) is R.SESSION_OFF


@pytest.mark.parametrize(
    ("phases", "place", "cancelling"),
    [
        ((Phase.RUNNING, Phase.RUNNING), None, None),
        ((Phase.RUNNING, Phase.UNKNOWN), None, None),  # the clock and the broker decide
        ((Phase.RUNNING, Phase.AUCTION), R.VENUE_CLOSED, None),  # what rests can still be taken back
        ((Phase.RUNNING, Phase.CLOSED), R.VENUE_CLOSED, R.VENUE_CLOSED),
        ((Phase.CLOSED, Phase.RUNNING), None, None),  # the other venue's affair
    ],
)
def test_hedges_and_cancels_are_refused_only_where_their_venue_takes_none(
    phases: tuple[Phase, Phase], place: RefusalReason | None, cancelling: RefusalReason | None
) -> None:
    stage = Stage.up().hedge_working()
    stage.hears(trading(armed=False, phases=phases))
    assert refusal_of(stage, hedge("H2", price=Won(70_400))) is place
    assert refusal_of(stage, cancel()) is cancelling


def test_after_the_venues_hours_a_hedge_is_refused_and_a_cancel_is_tried() -> None:
    stage = Stage.up().hedge_working()
    stage.wall_start = WallNanos(midnight(TEN_O_CLOCK) + 15 * HOUR + 20 * MINUTE - stage.mono)
    assert refusal_of(stage, hedge("H2", price=Won(70_400))) is R.VENUE_CLOSED
    assert refusal_of(stage, cancel()) is None


def test_a_symbol_in_vi_takes_no_order_there_but_can_be_cancelled_and_traded_elsewhere() -> None:
    stage = Stage.up().hedge_working()
    stage.hears(ViChanged(stage.stamp(), SAMSUNG, Venue.NXT, True))
    assert refusal_of(stage, hedge("H2", price=Won(70_400))) is R.HALTED
    assert refusal_of(stage, cancel()) is None
    assert refusal_of(stage, entry()) is None


def test_a_vi_of_a_venue_not_told_stops_entries_on_both_and_no_hedge() -> None:
    stage = Stage.up()
    stage.hears(ViChanged(stage.stamp(), SAMSUNG, None, True))
    assert refusal_of(stage, entry("E1")) is R.HALTED
    assert refusal_of(stage, entry("E2", venue=Venue.KRX)) is R.HALTED
    assert refusal_of(stage, hedge("H1", price=Won(70_400))) is None
    stage.hears(ViChanged(stage.stamp(), SAMSUNG, None, False))
    assert refusal_of(stage, entry("E3")) is None


def test_the_end_of_a_vi_ends_only_what_was_announced_in_the_same_words() -> None:
    stage = Stage.up()
    stage.hears(ViChanged(stage.stamp(), SAMSUNG, Venue.NXT, True))
    stage.hears(ViChanged(stage.stamp(), SAMSUNG, None, False))
    assert refusal_of(stage, hedge("H1", price=Won(70_400))) is R.HALTED
    stage.hears(ViChanged(stage.stamp(), SAMSUNG, Venue.NXT, False))
    assert refusal_of(stage, hedge("H2", price=Won(70_400))) is None


def test_observe_mode_sends_nothing() -> None:
    stage = Stage.up(mode=Mode.OBSERVE)
    assert refusal_of(stage, entry()) is R.OBSERVE_ONLY
    assert refusal_of(stage, hedge()) is R.OBSERVE_ONLY


def test_the_price_of_a_symbol_whose_limits_were_not_read_cannot_be_checked() -> None:
    stage = Stage.up()
    stage.core._desk.limits.clear()
    assert refusal_of(stage, entry()) is R.BAD_PRICE
    assert refusal_of(stage, entry("E2", style=OrderStyle.MARKET_IOC, price=Won(0))) is None


@pytest.mark.parametrize(
    ("resting", "coming", "crosses"),
    [
        ((Side.SELL, 70_300), (Side.BUY, 70_300), True),
        ((Side.SELL, 70_300), (Side.BUY, 70_400), True),
        ((Side.SELL, 70_300), (Side.BUY, 70_200), False),
        ((Side.SELL, 70_300), (Side.SELL, 70_200), False),
        ((Side.BUY, 70_300), (Side.SELL, 70_300), True),
        ((Side.BUY, 70_300), (Side.SELL, 70_400), False),
        ((Side.BUY, 70_300), (Side.SELL, 0), True),
        ((Side.SELL, 70_300), (Side.BUY, 0), True),
    ],
)
def test_an_order_that_could_trade_with_our_own_is_refused(
    resting: tuple[Side, int], coming: tuple[Side, int], crosses: bool
) -> None:
    stage = Stage.up()
    stage.hears(hedge(side=resting[0], price=Won(resting[1]))).called("H1").numbered("H1", "0000102")
    stage.accepted("0000102", venue=Venue.NXT, side=resting[0], price=Won(resting[1]))
    style = OrderStyle.MARKET_IOC if coming[1] == 0 else OrderStyle.LIMIT_IOC
    other = hedge("H2", kind=OrderKind.HEDGE_IOC, side=coming[0], style=style, price=Won(coming[1]))
    assert refusal_of(stage, other) is (R.SELF_TRADE if crosses else None)


def test_our_own_order_on_the_other_venue_or_already_over_is_no_self_trade() -> None:
    stage = Stage.up().hedge_working()
    assert refusal_of(stage, entry("E2", price=Won(71_000))) is None  # KRX
    stage.filled("0000102", "X1", px=70_300, venue=Venue.NXT, side=Side.SELL)
    buy = entry("E3", venue=Venue.NXT, price=Won(71_000))
    assert refusal_of(stage, buy) is None


def test_an_order_just_called_counts_as_live_for_the_self_trade_check() -> None:
    stage = Stage.up().hears(hedge())
    assert refusal_of(stage, entry(venue=Venue.NXT, price=Won(71_000))) is R.SELF_TRADE


def test_an_entry_like_one_without_a_number_is_refused() -> None:
    stage = Stage.up().hears(entry())
    assert refusal_of(stage, entry("E2")) is R.UNNUMBERED_BEFORE
    stage.called("E1")
    assert refusal_of(stage, entry("E3")) is R.UNNUMBERED_BEFORE
    assert refusal_of(stage, entry("E4", symbol=HYNIX)) is None
    stage.numbered("E1", "0000101")
    assert refusal_of(stage, entry("E5")) is None


def test_sales_are_covered_by_holdings_less_the_live_sells_of_all_venues() -> None:
    stage = Stage.up(holdings=((SAMSUNG, 2, 2),))
    assert refusal_of(stage, hedge("H1")) is None
    stage.called("H1").numbered("H1", "0000102")
    assert refusal_of(stage, hedge("H2", venue=Venue.KRX)) is None
    stage.called("H2").numbered("H2", "0000103")
    assert refusal_of(stage, hedge("H3", price=Won(70_400))) is R.UNCOVERED_SALE
    stage.cleared("0000102", venue=Venue.NXT, side=Side.SELL)
    assert refusal_of(stage, hedge("H4", price=Won(70_400))) is None


def test_a_share_just_bought_may_be_sold_and_one_just_sold_not_again() -> None:
    stage = Stage.up(holdings=()).entry_working()
    assert refusal_of(stage, hedge("H1")) is R.UNCOVERED_SALE
    stage.filled("0000101", "X1")
    assert refusal_of(stage, hedge("H2")) is None
    stage.called("H2").numbered("H2", "0000102").filled("0000102", "X2", venue=Venue.NXT, side=Side.SELL)
    assert refusal_of(stage, hedge("H3")) is R.UNCOVERED_SALE


def test_a_cancel_of_what_we_never_sent_or_what_is_over_is_refused() -> None:
    stage = Stage.up()
    assert refusal_of(stage, cancel(target="nobody")) is R.UNKNOWN_TARGET
    stage.hedge_working().filled("0000102", "X1", venue=Venue.NXT, side=Side.SELL)
    assert refusal_of(stage, cancel("C2")) is R.UNKNOWN_TARGET


def test_a_refused_cancel_gives_its_grant_back() -> None:
    stage = Stage.up().hears(cancel(target="nobody", grant_id=9))
    assert stage.take_to(Role.THROTTLER) == [SlotFreed(9)]
    (row,) = stage.take_rows()
    assert (row.event_type, row.cl_ord_id) == (EventType.ORDER_REFUSED, "C1")


def test_a_repeated_id_is_not_sent_again_and_hears_what_became_of_the_first() -> None:
    stage = Stage.up().hears(entry()).called("E1").numbered("E1", "0000101")
    first = stage.take_events()[-1]
    stage.forgets().hears(entry())
    stage.says(Send(Role.PAIR_MANAGER, first, SLOT)).calls()
    assert [row.reason for row in stage.take_rows()] == ["DUPLICATE"]
    stage.filled("0000101", "X1")
    last = stage.take_events()[-1]
    stage.forgets().hears(entry(grant_id=8)).calls()
    assert stage.take_sends() == [Send(Role.THROTTLER, SlotFreed(8)), Send(Role.PAIR_MANAGER, last, SLOT)]


def test_the_repetition_of_a_refused_order_is_refused_again_in_the_same_words() -> None:
    stage = Stage.up().hears(entry(qty=Shares(0)))
    first = stage.take_events()
    stage.forgets().hears(entry(qty=Shares(0)))
    assert stage.take_events() == first
    assert stage.row_types() == []


@pytest.mark.parametrize(
    ("command", "order_type", "hoga", "price"),
    [
        (entry(), 1, "10", 70_000),
        (entry(side=Side.SELL), 2, "10", 70_000),
        (entry(venue=Venue.NXT), 21, "10", 70_000),
        (entry(venue=Venue.NXT, side=Side.SELL), 22, "10", 70_000),
        (entry(style=OrderStyle.MARKET_IOC, price=Won(0)), 1, "13", 0),
        (hedge(), 22, "00", 70_300),
        (hedge(style=OrderStyle.MID, price=Won(0)), 22, "29", 0),
        (hedge(venue=Venue.KRX), 2, "00", 70_300),
    ],
)
def test_the_call_has_the_venues_own_codes(command: PlaceOrder, order_type: int, hoga: str, price: int) -> None:
    stage = Stage.up().hears(command)
    stage.calls(SubmitOrder(command.cl_ord_id, "4001", "8012345611", order_type, SAMSUNG, 1, price, hoga, ""))
    (row,) = stage.take_rows()
    assert (row.event_type, row.order_type, row.hoga_code) == (EventType.ORDER_SEND_ATTEMPT, order_type, hoga)


@pytest.mark.parametrize(
    ("venue", "side", "order_type"),
    [(Venue.KRX, Side.BUY, 3), (Venue.KRX, Side.SELL, 4), (Venue.NXT, Side.BUY, 23), (Venue.NXT, Side.SELL, 23)],
)
def test_a_cancel_goes_to_its_orders_own_venue(venue: Venue, side: Side, order_type: int) -> None:
    stage = Stage.up().hears(hedge(venue=venue, side=side)).called("H1").numbered("H1", "0000102")
    stage.forgets().hears(cancel())
    stage.calls(SubmitOrder("C1", "4002", "8012345611", order_type, SAMSUNG, 1, 0, "00", "0000102"))
    (row,) = stage.take_rows()
    assert (row.event_type, row.orig_order_no) == (EventType.CANCEL_SEND_ATTEMPT, "0000102")
