"""Gateway: log in, look around, reconcile; feeds, session and what happens when the line is lost."""

import pytest

from actors.domain.feeds import SETTLE_NS
from actors.effects import Role, Send
from actors.messages.journal import EventType
from actors.messages.market_data import FeedEnded, LimitsKnown, OwnResting, SymbolHalted, VenueOpen
from actors.messages.orders import DoubtResolved, DoubtVerdict, OrderFilled
from actors.messages.pairs import AccountSnapshot, AdmissionRestored
from actors.messages.session import (
    BrokerStatus,
    ConnectBroker,
    FeedsRegistered,
    FeedsUnregistered,
    Phase,
    RegisterFeeds,
    SessionSignalSeen,
    UnregisterFeeds,
    VenueAlive,
)
from actors.messages.supervision import ResendState
from actors.messages.throttle import QueryGranted, RequestQuery
from kiwoom.control import (
    Connect,
    Connected,
    LoginRead,
    ReadLogin,
    ReadMaster,
    RealCalled,
    RegisterReal,
    RequestTr,
    RequestWatchlist,
    SessionSignalled,
    SubmitOrder,
    TradePrinted,
    TrAnswered,
    TrCalled,
    UnregisterReal,
    ViChanged,
)
from kiwoom.market import MS, SECOND, Nanos, Shares, Side, Venue, WallNanos, Won, midnight
from tests.support.gateway_stage import (
    ACCOUNT,
    CASH,
    HOUR,
    HYNIX,
    MINUTE,
    SAMSUNG,
    Stage,
    entry,
    hedge,
    holding_row,
    open_row,
    query,
    symbol_map,
    trading,
)
from tests.support.playbook import TEN_O_CLOCK


def statuses(stage: Stage) -> list[BrokerStatus]:
    return [each for each in stage.take_to(Role.SESSION_STATE) if isinstance(each, BrokerStatus)]


def asking(stage: Stage) -> Stage:
    """Logged in, master read; the first question waits for leave."""
    stage.hears(ConnectBroker())
    for _ in range(3):
        (call,) = stage.take_calls()
        stage._answers(call, {}, (), (), (ACCOUNT,), "simulated")
    return stage


def test_nothing_is_called_before_it_is_asked_to_connect() -> None:
    stage = Stage.off().waits(60 * SECOND)
    assert stage.take_calls() == []


def test_the_boot_goes_step_by_step() -> None:
    stage = Stage.off().hears(ConnectBroker())
    stage.says(Send(Role.SESSION_STATE, BrokerStatus(False, "connecting to the broker"))).calls(Connect())
    stage.hears(Connected(stage.stamp(), 0)).calls(ReadLogin())
    stage.hears(LoginRead(stage.stamp(), (ACCOUNT,), "u", "simulated")).calls(ReadMaster((SAMSUNG, HYNIX)))


def test_every_question_asks_the_throttler_first_and_they_come_in_order() -> None:
    stage = asking(Stage.off())
    asked: list[str] = []
    for _ in range(40):
        requests = stage._take_query_requests()
        assert stage.take_calls() == []
        if not requests:
            break
        stage.hears(QueryGranted(requests[0].query_id)).waits(250 * MS)
        (call,) = stage.take_calls()
        assert call.rq_name == requests[0].query_id
        venue = dict(call.inputs).get("거래소구분", "") if isinstance(call, RequestTr) else ""
        asked.append((call.tr_code if isinstance(call, RequestTr) else "OPTKWFID") + venue)
        stage._answers(call, {}, (), (), (), "")
        if isinstance(call, RequestWatchlist):
            stage.calls(UnregisterReal(call.screen_no))
        if len(asked) == 6:
            break
    assert asked == [
        "OPTKWFID",
        "opw00018KRX",
        "opw00001",
        "opt100751",
        "opt100752",
        "opt100543",
    ]
    assert [call.screen_no for call in stage.take_calls()] == ["2000", "2001"]


def test_the_quotes_that_came_with_the_watch_lists_are_given_back_after_the_last_of_them() -> None:
    """A watch-list query registers its codes' quotes on its screen: every KRX tick would come twice, the shard's own
    and this one. Not before the last list, for a list that is asked again would bring them back."""
    stage = asking(Stage.off(symbols=symbol_map(others=120)))
    lists: list[RequestWatchlist] = []
    while len(lists) < 2:
        assert stage.take_calls() == []
        stage.hears(QueryGranted(stage._take_query_requests()[0].query_id)).waits(250 * MS)
        (call,) = stage.take_calls()
        assert isinstance(call, RequestWatchlist)
        stage._answers(call, {}, (), (), (), "")
        lists.append(call)
    assert [len(each.codes) for each in lists] == [100, 22]
    assert [each.screen_no for each in lists] == ["3001", "3002"]
    stage.calls(UnregisterReal("3001"), UnregisterReal("3002"))
    stage.goes_up()
    assert statuses(stage)[-1] == BrokerStatus(True, "")


def test_without_the_throttler_it_goes_on_by_itself_with_a_pause() -> None:
    stage = asking(Stage.off())
    assert [type(send.message) for send in stage.take_sends()][-1] is RequestQuery
    stage.waits(999 * MS)
    assert stage.take_calls() == []
    stage.waits(1 * MS)
    (first,) = stage.take_calls()
    assert isinstance(first, RequestWatchlist)
    called = stage.mono
    stage._answers(first, {}, (), (), (), "")
    stage.calls(UnregisterReal(first.screen_no)).waits(2 * SECOND)
    (second,) = stage.take_calls()
    assert isinstance(second, RequestTr)
    assert stage.mono - called >= 250 * MS


def test_queries_granted_at_once_still_keep_their_distance() -> None:
    stage = asking(Stage.off())
    stage.hears(QueryGranted(stage._take_query_requests()[0].query_id))
    (first,) = stage.take_calls()
    called = stage.mono
    stage._answers(first, {}, (), (), (), "")
    stage.calls(UnregisterReal(first.screen_no)).hears(QueryGranted(stage._take_query_requests()[0].query_id))
    assert stage.take_calls() == []
    stage.waits(called + 250 * MS - stage.mono)
    assert len(stage.take_calls()) == 1


def test_pages_are_followed_until_there_are_no_more() -> None:
    stage = asking(Stage.off())
    pages = 0
    rows = ((holding_row(SAMSUNG, 1, 1),), (holding_row(HYNIX, 2, 1),))
    for _ in range(100):
        for request in stage._take_query_requests():
            stage.hears(QueryGranted(request.query_id))
        for call in stage.take_calls():
            if isinstance(call, RequestTr) and call.tr_code == "opw00018":
                assert call.prev_next == (2 if pages else 0)
                stage.tr_answer(call, rows[pages], more=pages == 0)
                pages += 1
            else:
                stage._answers(call, {}, (), (), (), "")
        stage.waits(100 * MS)
    (snapshot,) = [each for each in stage.take_to(Role.ROUTER) if isinstance(each, AccountSnapshot)]
    assert snapshot.holdings == ((SAMSUNG, 1, 1), (HYNIX, 2, 1))


def test_the_end_of_the_boot_tells_everyone() -> None:
    stage = Stage.off().hears(ConnectBroker()).forgets()
    stage.hears(Connected(stage.stamp(), 0)).goes_up(holdings=((SAMSUNG, 10, 8),))
    stage.says(
        Send(
            Role.ROUTER,
            AccountSnapshot(
                account=ACCOUNT,
                server="simulated",
                holdings=((SAMSUNG, 10, 8),),
                cash_won=Won(1_000_000),
                limits=((SAMSUNG, Won(49_000), Won(91_000)), (HYNIX, Won(49_000), Won(91_000))),
                tradable=(SAMSUNG, HYNIX),
                conflicted=(),
                at=Nanos(stage.mono),
            ),
        ),
        Send(Role.MARKET_DATA, LimitsKnown(((0, Won(49_000), Won(91_000)),)), 0),
        Send(Role.MARKET_DATA, LimitsKnown(((1, Won(49_000), Won(91_000)),)), 1),
        Send(Role.SESSION_STATE, BrokerStatus(True, "")),
    )
    assert [row.event_type for row in stage.take_rows()] == [EventType.RECONCILED]


def test_the_heartbeat_is_registered_on_both_venues_and_the_session_signal_without_a_code() -> None:
    stage = Stage.off().hears(ConnectBroker())
    registered: list[RegisterReal] = []
    for _ in range(100):
        for request in stage._take_query_requests():
            stage.hears(QueryGranted(request.query_id))
        for call in stage.take_calls():
            if isinstance(call, RegisterReal):
                registered.append(call)
            stage._answers(call, {}, (), (), (ACCOUNT,), "simulated")
        stage.waits(100 * MS)
    session, heartbeat = registered
    assert (session.screen_no, session.codes, session.fids) == ("2000", (), (215, 20, 214))
    assert (heartbeat.screen_no, heartbeat.codes) == ("2001", (SAMSUNG, SAMSUNG + "_NX"))


def test_orders_of_another_hand_are_left_alone_and_named() -> None:
    stage = Stage.off().hears(ConnectBroker())
    stage.goes_up(open_rows=(open_row("0000777"), open_row("0000778", symbol="035720")))
    (snapshot,) = [each for each in stage.take_to(Role.ROUTER) if isinstance(each, AccountSnapshot)]
    assert snapshot.conflicted == (SAMSUNG, "035720")
    assert stage.take_calls() == []


# --- failures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("account", "accounts", "server", "words"),
    [
        ("", (), "simulated", "the login has no account"),
        ("8099999911", (ACCOUNT,), "simulated", "account 80******11 is not one of this login's 1"),
        ("", (ACCOUNT,), "real", "this is the real server; this mode needs simulated"),
        ("", (ACCOUNT,), "mock", "this is the mock server; this mode needs simulated"),
    ],
)
def test_a_wrong_account_or_server_is_said_in_words_and_waits_for_a_person(
    account: str, accounts: tuple[str, ...], server: str, words: str
) -> None:
    stage = Stage.off(account=account).hears(ConnectBroker())
    stage.hears(Connected(stage.stamp(), 0)).forgets()
    stage.hears(LoginRead(stage.stamp(), accounts, "u", server)).calls()
    assert statuses(stage) == [BrokerStatus(False, words)]
    stage.waits(120 * SECOND).calls()
    stage.hears(ConnectBroker()).calls(ReadLogin())  # the line is up: it looks again


def test_a_named_account_is_used() -> None:
    stage = Stage.off(account="8012345622").hears(ConnectBroker())
    stage.goes_up(accounts=(ACCOUNT, "8012345622"))
    stage.hears(trading()).forgets().hears(entry())
    (call,) = stage.take_calls()
    assert isinstance(call, SubmitOrder)
    assert call.account == "8012345622"


def test_a_failed_login_is_tried_again_with_growing_pauses() -> None:
    stage = Stage.off().hears(ConnectBroker()).forgets()
    for pause in (1, 2, 4, 8, 16, 30, 30):
        stage.hears(Connected(Nanos(stage.mono), -101))
        assert statuses(stage) == [BrokerStatus(False, "login failed: the control says -101")]
        stage.waits(pause * SECOND - 1).calls()
        stage.waits(1).calls(Connect()).forgets()
    stage.hears(Connected(Nanos(stage.mono), 0)).calls(ReadLogin())


def test_a_question_that_is_not_answered_is_said_in_words_and_the_boot_tried_again() -> None:
    stage = asking(Stage.off()).forgets()
    stage.waits(1 * SECOND)
    (call,) = stage.take_calls()
    stage.hears(TrCalled(stage.stamp(), call.rq_name, 0)).waits(5 * SECOND)
    text = "the day's price limits could not be read: no answer within 5 s"
    assert statuses(stage) == [BrokerStatus(False, text)]
    stage.waits(1 * SECOND).calls(ReadLogin())
    stage.hears(TrAnswered(stage.stamp(), call.rq_name, "OPTKWFID", False, (), ()))  # too late: not for this boot
    stage.hears(LoginRead(stage.stamp(), (ACCOUNT,), "u", "simulated")).goes_up()
    assert statuses(stage)[-1] == BrokerStatus(True, "")


@pytest.mark.parametrize("code", [-200, -209, -211])
def test_an_overloaded_query_is_asked_again_and_given_up_after_five_times(code: int) -> None:
    stage = asking(Stage.off()).forgets().waits(1 * SECOND)
    for _ in range(5):
        (call,) = stage.take_calls()
        assert statuses(stage) == []
        stage.hears(TrCalled(Nanos(stage.mono), call.rq_name, code)).waits(1 * SECOND - 1)
        assert stage.take_calls() == []
        stage.waits(1)
    assert statuses(stage) == [
        BrokerStatus(False, f"the day's price limits could not be read: the control returned {code}")
    ]


def test_an_unreadable_answer_is_a_failure_in_words() -> None:
    stage = asking(Stage.off()).forgets().waits(1 * SECOND)
    (call,) = stage.take_calls()
    stage.hears(TrCalled(stage.stamp(), call.rq_name, 0))
    rows = ((SAMSUNG, "x", "x", "many", "few"),)
    stage.hears(TrAnswered(stage.stamp(), call.rq_name, "OPTKWFID", False, rows, ()))
    (status,) = statuses(stage)
    assert status.reason.startswith("the day's price limits could not be read: unreadable answer")


def test_a_symbol_that_the_watch_list_answers_with_blanks_has_no_limits_and_stops_nobody() -> None:
    stage = asking(Stage.off()).forgets().waits(1 * SECOND)
    (call,) = stage.take_calls()
    stage.hears(TrCalled(stage.stamp(), call.rq_name, 0))
    rows = ((SAMSUNG, "삼성전자", "70000", "+91000", "-49000"), ("", " ", "", "", ""))
    stage.hears(TrAnswered(stage.stamp(), call.rq_name, "OPTKWFID", False, rows, ())).goes_up()
    (snapshot,) = stage.take_to(Role.ROUTER)
    assert snapshot.limits == ((SAMSUNG, Won(49_000), Won(91_000)),)


def test_missing_cash_is_a_failure_not_zero() -> None:
    stage = asking(Stage.off())
    for _ in range(60):
        for request in stage._take_query_requests():
            stage.hears(QueryGranted(request.query_id))
        for call in stage.take_calls():
            if isinstance(call, RequestTr) and call.tr_code == "opw00001":
                stage.forgets().tr_answer(call, single=CASH | {"100%종목주문가능금액": ""})
                (status,) = statuses(stage)
                assert status.reason == "the cash could not be read: unreadable answer: 100%종목주문가능금액: ''"
                return
            stage._answers(call, {}, (), (), (), "")
        stage.waits(50 * MS)
    raise AssertionError("the cash was never asked for")


def test_a_heartbeat_that_cannot_be_registered_is_a_failure() -> None:
    stage = asking(Stage.off())
    for _ in range(100):
        for request in stage._take_query_requests():
            stage.hears(QueryGranted(request.query_id))
        for call in stage.take_calls():
            if isinstance(call, RegisterReal):
                stage.forgets().hears(RealCalled(stage.stamp(), call.screen_no, -10))
                (status,) = statuses(stage)
                assert status.reason == "the heartbeat could not be registered: the control says -10"
                return
            stage._answers(call, {}, (), (), (), "")
        stage.waits(100 * MS)
    raise AssertionError("nothing was registered")


# --- a lost line ------------------------------------------------------------------------------------------------------


def test_a_lost_line_is_said_at_once_and_the_whole_boot_is_done_again() -> None:
    stage = Stage.up()
    stage.hears(Connected(stage.stamp(), -106))
    assert statuses(stage) == [BrokerStatus(False, "the line to the broker was lost: the control says -106")]
    stage.waits(1 * SECOND - 1).calls()
    stage.waits(1).calls(Connect()).forgets()
    stage.hears(Connected(stage.stamp(), 0)).goes_up(holdings=((SAMSUNG, 4, 4),))
    (status,) = [each.message for each in stage._unmatched if getattr(each, "to", None) is Role.SESSION_STATE]
    assert status == BrokerStatus(True, "")
    assert [row.event_type for row in stage.take_rows()] == [EventType.RECONCILED]


def test_feeds_that_were_registered_are_registered_again_after_a_lost_line() -> None:
    stage = Stage.up().hears(RegisterFeeds())
    for call in stage.take_calls():
        stage.hears(RealCalled(stage.stamp(), call.screen_no, 0))
    stage.hears(Connected(stage.stamp(), -106)).forgets().waits(1 * SECOND)
    stage.goes_up()
    assert [type(each) for each in stage.take_to(Role.SESSION_STATE)][-2:] == [BrokerStatus, FeedsRegistered]


def test_a_fill_that_happened_while_the_line_was_down_is_found_by_reconciling() -> None:
    stage = Stage.up().entry_working()
    stage.hears(Connected(stage.stamp(), -106)).forgets().waits(1 * SECOND)
    stage.goes_up(fill_rows=(open_row("0000101", leaves=0, cum=1, px=69_900),))
    (event,) = stage.take_events()
    assert (type(event), event.fill_px, event.cum_qty) == (OrderFilled, 69_900, 1)


def test_a_post_that_still_rests_after_a_lost_line_says_nothing() -> None:
    stage = Stage.up().hears(hedge(venue=Venue.KRX)).called("H1").numbered("H1", "0000102")
    stage.accepted("0000102", side=Side.SELL).hears(Connected(stage.stamp(), -106)).forgets().waits(1 * SECOND)
    stage.goes_up(open_rows=(open_row("0000102", kind="-매도", price=70_300),))
    sends = stage.take_sends()
    assert [send for send in sends if send.to is Role.PAIR_MANAGER] == []
    (snapshot,) = [send.message for send in sends if isinstance(send.message, AccountSnapshot)]
    assert snapshot.conflicted == ()


def test_a_doubt_query_under_way_when_the_line_is_lost_is_answered_as_unknown() -> None:
    stage = Stage.up().entry_working().hears(query()).forgets()
    stage.hears(Connected(stage.stamp(), -106))
    (event,) = stage.take_events()
    assert (type(event), event.verdict) == (DoubtResolved, DoubtVerdict.UNKNOWN)


def test_connect_on_a_good_line_reconciles_and_clears_an_unclear_state() -> None:
    stage = Stage.up().entry_working().numbered("E1", "0000999")
    assert not statuses(stage)[-1].connected
    stage.forgets().hears(ConnectBroker()).goes_up().forgets()
    stage.hears(entry("E2", pair_id="P2", slot=4, symbol=HYNIX, symbol_index=1))
    assert [call.rq_name for call in stage.take_calls()] == ["E2"]


def test_while_reconciling_on_a_good_line_hedges_go_on() -> None:
    stage = Stage.up().hears(ConnectBroker()).forgets().hears(hedge())
    assert [call.rq_name for call in stage.take_calls()] == ["H1"]


# --- feeds and session ------------------------------------------------------------------------------------------------


def test_feeds_are_registered_screen_by_screen_and_reported_when_all_are() -> None:
    stage = Stage.up().hears(RegisterFeeds())
    first, second = stage.take_calls()
    assert (first.screen_no, first.codes) == ("1001", (SAMSUNG, SAMSUNG + "_NX"))
    assert (second.screen_no, second.codes) == ("1002", (HYNIX, HYNIX + "_NX"))
    assert {41, 61, 51, 71} <= set(first.fids)
    stage.hears(RealCalled(stage.stamp(), "1001", 0)).says()
    stage.hears(RealCalled(stage.stamp(), "1002", 0))
    open_to_all = [
        Send(Role.MARKET_DATA, VenueOpen(venue, True), shard) for venue in (Venue.KRX, Venue.NXT) for shard in (0, 1)
    ]
    stage.says(Send(Role.SESSION_STATE, FeedsRegistered(4, 2)), *open_to_all)
    assert [row.event_type for row in stage.take_rows()] == [EventType.FEEDS_REGISTERED]


def test_feeds_asked_for_before_the_line_is_up_are_registered_with_the_end_of_the_boot() -> None:
    stage = Stage.off().hears(RegisterFeeds())
    assert stage.take_calls() == []
    stage.hears(ConnectBroker()).goes_up()
    assert FeedsRegistered(4, 2) in stage.take_to(Role.SESSION_STATE)


def test_a_refused_screen_is_tried_three_times_and_then_left_dark() -> None:
    stage = Stage.up().hears(RegisterFeeds()).forgets()
    stage.hears(RealCalled(stage.stamp(), "1001", 0)).hears(RealCalled(stage.stamp(), "1002", -10))
    for _ in range(2):
        stage.waits(1 * SECOND)
        (call,) = stage.take_calls()
        assert call.screen_no == "1002"
        stage.hears(RealCalled(stage.stamp(), "1002", -10))
    assert stage.take_to(Role.SESSION_STATE) == [FeedsRegistered(2, 1)]
    (row,) = stage.take_rows()
    assert dict(row.extra)["failed"] == "1002"


def test_unregistering_ends_every_shards_feed_once_the_last_screen_has_settled() -> None:
    stage = Stage.up().hears(RegisterFeeds()).forgets()
    for screen in ("1001", "1002"):
        stage.hears(RealCalled(stage.stamp(), screen, 0))
    stage.forgets().hears(UnregisterFeeds()).calls(UnregisterReal("1001"), UnregisterReal("1002"))
    stage.hears(RealCalled(stage.stamp(), "1001", 0)).says()
    stage.hears(RealCalled(stage.stamp(), "1002", 0)).says()
    stage.waits(SETTLE_NS).says(
        Send(Role.SESSION_STATE, FeedsUnregistered()),
        Send(Role.MARKET_DATA, FeedEnded(), 0),
        Send(Role.MARKET_DATA, FeedEnded(), 1),
    )


def test_unregistering_what_never_was_is_answered_at_once() -> None:
    stage = Stage.up().hears(UnregisterFeeds()).calls()
    assert FeedsUnregistered() in stage.take_to(Role.SESSION_STATE)


def test_a_line_lost_while_unregistering_ends_the_feeds_too() -> None:
    stage = Stage.up().hears(RegisterFeeds()).hears(UnregisterFeeds()).forgets()
    stage.hears(Connected(stage.stamp(), -106))
    assert FeedsUnregistered() in stage.take_to(Role.SESSION_STATE)


def test_session_signals_and_signs_of_life_go_to_sessionstate() -> None:
    stage = Stage.up()
    at = stage.stamp()
    wall = WallNanos(stage.now.wall)
    stage.hears(SessionSignalled(at, "R", "090030", "000000")).hears(TradePrinted(at, SAMSUNG, Venue.NXT))
    stage.says(
        Send(Role.SESSION_STATE, SessionSignalSeen("R", "090030", at, wall)),
        Send(Role.SESSION_STATE, VenueAlive(Venue.NXT, at, wall)),
    )


def test_a_vi_is_passed_to_the_symbols_own_shard_and_a_strangers_is_not() -> None:
    stage = Stage.up().hears(ViChanged(Nanos(1), HYNIX, Venue.KRX, True))
    stage.says(Send(Role.MARKET_DATA, SymbolHalted(1, Venue.KRX, True, "VI"), 1))
    stage.hears(ViChanged(Nanos(1), HYNIX, None, False))
    stage.says(Send(Role.MARKET_DATA, SymbolHalted(1, None, False, "VI"), 1))
    stage.hears(ViChanged(Nanos(1), SAMSUNG[:5] + "1", None, True)).says()  # type: ignore[arg-type]


def test_shards_hear_when_a_venue_opens_or_closes_by_phase_or_by_the_clock() -> None:
    stage = Stage.up()
    stage.hears(trading(phases=(Phase.RUNNING, Phase.AUCTION)))
    stage.says(*(Send(Role.MARKET_DATA, VenueOpen(Venue.NXT, False), shard) for shard in (0, 1)))
    stage.hears(trading()).forgets()
    stage.wall_start = WallNanos(midnight(TEN_O_CLOCK) + 15 * HOUR + 19 * MINUTE - stage.mono)
    stage.hears(trading()).says()
    stage.waits(MINUTE - 1).says()
    stage.waits(1)
    assert {(each.venue, each.is_open) for each in stage.take_to(Role.MARKET_DATA)} == {
        (Venue.KRX, False),
        (Venue.NXT, False),
    }


def test_an_idle_core_does_not_wake_for_nothing() -> None:
    stage = Stage.up()
    deadline = stage.core.next_deadline()
    assert deadline is not None
    assert deadline - stage.mono > HOUR


# --- actors that were started again -----------------------------------------------------------------------------------


def test_a_new_shard_is_told_limits_halts_venues_and_what_of_ours_rests() -> None:
    stage = Stage.up().hedge_working().hears(ViChanged(Nanos(1), SAMSUNG, Venue.KRX, True)).forgets()
    stage.hears(ResendState("market_data", 0)).says(
        Send(Role.MARKET_DATA, LimitsKnown(((0, Won(49_000), Won(91_000)),)), 0),
        Send(Role.MARKET_DATA, SymbolHalted(0, Venue.KRX, True, "volatility interruption"), 0),
        Send(Role.MARKET_DATA, VenueOpen(Venue.KRX, True), 0),
        Send(Role.MARKET_DATA, VenueOpen(Venue.NXT, True), 0),
        Send(Role.MARKET_DATA, OwnResting(0, Venue.NXT, Side.SELL, Won(70_300), Shares(1)), 0),
    )
    stage.hears(ResendState("market_data", 1))
    assert [type(send.message) for send in stage.take_sends()] == [LimitsKnown, VenueOpen, VenueOpen]


def test_a_new_sessionstate_is_told_how_line_and_feeds_stand() -> None:
    stage = Stage.up().hears(ResendState("session_state", 0)).says(Send(Role.SESSION_STATE, BrokerStatus(True, "")))
    stage.hears(RegisterFeeds()).forgets()
    for screen in ("1001", "1002"):
        stage.hears(RealCalled(stage.stamp(), screen, 0))
    stage.forgets().hears(ResendState("session_state", 0))
    assert stage.take_to(Role.SESSION_STATE) == [BrokerStatus(True, ""), FeedsRegistered(4, 2)]


def test_a_new_router_gets_its_books_and_a_fresh_snapshot_from_the_broker() -> None:
    stage = Stage.up().hears(ResendState("router", 0)).goes_up(holdings=((SAMSUNG, 4, 3),))
    books, snapshot = stage.take_to(Role.ROUTER)
    assert books == AdmissionRestored((), (), (), Won(0), Won(0))
    assert snapshot.holdings == ((SAMSUNG, 4, 3),)


def test_an_actor_started_again_during_the_boot_is_told_at_its_end() -> None:
    stage = Stage.off().hears(ConnectBroker()).forgets().hears(ResendState("router", 0))
    stage.says().calls()


def test_what_the_account_no_longer_lists_can_no_longer_be_sold() -> None:
    stage = Stage.up().hears(ConnectBroker()).goes_up(holdings=((HYNIX, 1, 1),)).forgets()
    stage.hears(hedge())
    assert [event.reason.value for event in stage.take_events()] == ["UNCOVERED_SALE"]


def test_a_sale_that_rested_when_the_account_was_read_and_is_over_since_holds_no_shares() -> None:
    """Hedges go on while we look again: what the broker called not sellable then may be free by the end of the boot."""
    stage = Stage.up().hedge_working().hears(ConnectBroker())
    holdings = {"opw00018": (holding_row(SAMSUNG, 10, 9),)}
    for _ in range(40):
        for each in (*stage.take_calls(), *stage._take_query_requests()):
            stage._answers(
                each, holdings, (open_row("0000102", kind="-매도", price=70_300),), (), (ACCOUNT,), "simulated"
            )
            if getattr(each, "tr_code", "") == "opw00018":
                stage.cleared("0000102", venue=Venue.NXT, side=Side.SELL)
        stage.waits(250 * MS)
    (account,) = [each for each in stage.take_to(Role.ROUTER) if isinstance(each, AccountSnapshot)]
    assert account.holdings == ((SAMSUNG, 10, 10),)
    stage.hears(hedge("H2", qty=Shares(10)))
    assert [call.rq_name for call in stage.take_calls()] == ["H2"]
