"""The adapter against a scripted control: every request, every event, and nothing that gets through unread."""

from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiwoom.adapter import PENDING_TRS_MAX, ControlAdapter, FeedTarget, QuoteSource
from kiwoom.codes import fid, tr
from kiwoom.control import (
    AccountWindowClosed,
    BalanceReport,
    Connect,
    Connected,
    ControlCall,
    ControlEvent,
    EventMalformed,
    LoginRead,
    MasterEntry,
    MasterRead,
    MessageReceived,
    OpenAccountWindow,
    OrderCalled,
    OrderNumbered,
    OrderReport,
    ReadLogin,
    ReadMaster,
    RealCalled,
    RegisterReal,
    ReportKind,
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
from kiwoom.market import SECOND, Market, Nanos, Symbol, Venue, Won
from kiwoom.quotes import FLAG_AUCTION, QUOTE
from tests.support import samples
from tests.support.samples import Chejan, Real
from tests.support.scripted_control import ScriptedControl, SteppingClock

SAMSUNG = Symbol("005930")
FEEDS = {
    "005930": FeedTarget(shard=1, symbol_index=7, venue=Venue.KRX, symbol=SAMSUNG),
    "005930_NX": FeedTarget(shard=1, symbol_index=7, venue=Venue.NXT, symbol=SAMSUNG),
}
ORDER = SubmitOrder("o-1", "5001", "8000000011", 21, "005930", 3, 77000, "10", "")
QUERY = RequestTr(
    "q-1",
    "opt10075",
    tr.open_orders_inputs("8000000011", Venue.KRX),
    "6001",
    fields=("주문번호", "종목코드"),
    single_fields=(),
)


class Desk:
    """An adapter over a scripted control, and all that came out of it."""

    def __init__(self, quote_source: QuoteSource = "raw", **returns: Any) -> None:
        self.control = ScriptedControl(returns)
        self.clock = SteppingClock()
        self.events: list[ControlEvent] = []
        self.quotes: list[tuple[int, bytes]] = []
        self.adapter = ControlAdapter(
            self.control,
            self.clock,
            FEEDS,
            self.events.append,
            lambda shard, record: self.quotes.append((shard, record)),
            quote_source,
        )

    def perform(self, call: ControlCall) -> list[ControlEvent]:
        self.adapter.perform(call)
        return self.take()

    def take(self) -> list[ControlEvent]:
        events = list(self.events)
        self.events.clear()
        return events

    def outcomes(self) -> int:
        """Everything by which an event can show itself."""
        counters = self.adapter.counters
        return len(self.events) + len(self.quotes) + counters.ignored + counters.malformed


# --- requests ---


def test_an_order_is_sent_as_given_and_stamped_before_and_after() -> None:
    desk = Desk(SendOrder=-308)
    (event,) = desk.perform(ORDER)
    assert event == OrderCalled(at=Nanos(2), called=Nanos(1), rq_name="o-1", code=-308)
    assert desk.control.calls == [("SendOrder", "o-1", "5001", "8000000011", 21, "005930", 3, 77000, "10", "")]


def test_an_order_call_that_raised_is_no_order_called_and_stops_trading() -> None:
    (event,) = Desk(SendOrder=OSError("the control is gone")).perform(ORDER)
    assert isinstance(event, EventMalformed)
    assert event.matters
    assert "SubmitOrder" in event.what
    assert "the control is gone" in event.what


def test_a_query_sets_its_inputs_in_order_and_only_then_asks() -> None:
    desk = Desk()
    assert desk.perform(QUERY) == [TrCalled(Nanos(1), "q-1", 0)]
    expected = [("SetInputValue", name, value) for name, value in QUERY.inputs]
    assert desk.control.calls == [*expected, ("CommRqData", "q-1", "opt10075", 0, "6001")]


def test_a_watchlist_is_one_call_with_its_codes_joined() -> None:
    desk = Desk(CommKwRqData=-200)
    call = RequestWatchlist("w-1", ("005930", "000660"), "6002", ("종목코드",))
    assert desk.perform(call) == [TrCalled(Nanos(1), "w-1", -200)]
    assert desk.control.calls == [("CommKwRqData", "005930;000660", 0, 2, 0, "w-1", "6002")]


@pytest.mark.parametrize(("replaces", "opt_type"), [(True, "0"), (False, "1")])
def test_a_registration_joins_codes_and_fids(replaces: bool, opt_type: str) -> None:
    desk = Desk()
    call = RegisterReal("1001", ("005930", "005930_NX"), fid.SESSION_FIDS, replaces)
    assert desk.perform(call) == [RealCalled(Nanos(1), "1001", 0)]
    assert desk.control.calls == [("SetRealReg", "1001", "005930;005930_NX", "215;20;214", opt_type)]
    assert desk.perform(UnregisterReal("1001")) == [RealCalled(Nanos(2), "1001", 0)]
    assert desk.control.calls[-1] == ("DisconnectRealData", "1001")


def test_a_connection_is_reported_by_its_event_or_by_the_failed_call_never_twice() -> None:
    desk = Desk()
    assert desk.perform(Connect()) == []
    assert desk.control.events is not None
    desk.control.events.OnEventConnect(0)
    assert desk.take() == [Connected(Nanos(1), 0)]
    assert Desk(CommConnect=-101).perform(Connect()) == [Connected(Nanos(1), -101)]


@pytest.mark.parametrize(
    ("word", "server"),
    [("1", "mock"), (" 1 ", "mock"), ("simulated", "simulated"), ("0", "real"), ("", "real"), ("mock", "real")],
)
def test_a_login_lists_its_accounts_and_the_kind_of_server(word: str, server: str) -> None:
    info = {"ACCNO": "8000000011;8000000031; ;", "USER_ID": "trader ", "GetServerGubun": word}
    (event,) = Desk(GetLoginInfo=info.__getitem__).perform(ReadLogin())
    assert event == LoginRead(Nanos(1), ("8000000011", "8000000031"), "trader", server)


def test_the_master_says_market_venue_and_warning_of_each_symbol() -> None:
    lists = {"0": "005930;000660;", "10": "035720;", "NXT": "005930;035720;"}
    prices = {"005930": "00077500", "000660": "00120000", "035720": "x", "999999": ""}
    desk = Desk(
        GetCodeListByMarket=lists.__getitem__,
        GetMasterLastPrice=prices.__getitem__,
        GetMasterCodeName=lambda code: f"name of {code} ",
        GetMasterStockState="증거금20%|신용가능",
        GetMasterConstruction="정상",
        KOA_Functions=lambda name, code: "2" if (name, code) == ("IsOrderWarningStock", "000660") else "0",
    )
    *complaints, master = desk.perform(ReadMaster(tuple(map(Symbol, prices))))
    assert isinstance(master, MasterRead)
    assert master.entries[0] == MasterEntry(
        SAMSUNG, "name of 005930", Market.KOSPI, True, Won(77500), "증거금20%|신용가능", "정상", "0"
    )
    assert [(entry.market, entry.nxt_tradable, entry.base_price, entry.warning) for entry in master.entries[1:]] == [
        (Market.KOSPI, False, 120000, "2"),
        (Market.KOSDAQ, True, 0, "0"),
        (None, False, 0, "0"),
    ]
    (complaint,) = complaints
    assert isinstance(complaint, EventMalformed)
    assert not complaint.matters
    assert "035720" in complaint.what


def test_the_account_window_is_opened_and_its_end_reported() -> None:
    desk = Desk()
    assert desk.perform(OpenAccountWindow()) == [AccountWindowClosed(Nanos(1))]
    assert desk.control.calls == [("KOA_Functions", "ShowAccountWindow", "")]


@pytest.mark.parametrize("call", [QUERY, Connect(), ReadLogin(), ReadMaster((SAMSUNG,)), OpenAccountWindow()])
def test_a_control_that_raises_becomes_an_event(call: ControlCall) -> None:
    broken = OSError("RPC_E_DISCONNECTED")
    desk = Desk(SetInputValue=broken, CommConnect=broken, GetLoginInfo=broken, GetCodeListByMarket=broken)
    desk.control.returns["KOA_Functions"] = broken
    (event,) = desk.perform(call)
    assert isinstance(event, EventMalformed)
    assert not event.matters
    assert desk.adapter.counters.malformed == 1


# --- answers ---


def test_an_order_is_numbered_whatever_its_tr_code_says() -> None:
    desk = Desk()
    desk.perform(QUERY)
    desk.control.bring_tr("o-1", "opt10075", [{"주문번호": "0163911   "}])
    assert desk.take() == [OrderNumbered(Nanos(2), "o-1", "4001", "opt10075", "0163911")]


def test_a_blank_number_is_a_rejected_order() -> None:
    desk = Desk()
    desk.control.bring_tr("o-1", "KOA_NORMAL_BUY_KP_ORD", [{"주문번호": "       "}])
    assert desk.take() == [OrderNumbered(Nanos(1), "o-1", "4001", "KOA_NORMAL_BUY_KP_ORD", "")]


def test_a_number_that_cannot_be_read_stops_trading() -> None:
    desk = Desk()
    desk.control.bring_tr("o-1", "X", [{"주문번호": "num"}])
    (event,) = desk.take()
    assert isinstance(event, EventMalformed)
    assert event.matters


def test_a_query_is_answered_with_its_fields_in_its_order_once() -> None:
    desk = Desk()
    desk.perform(QUERY)
    rows = [{"종목코드": " 005930", "주문번호": "0163911 ", "시간": "142940"}, {"주문번호": "0163912"}]
    desk.control.bring_tr("q-1", "opt10075", rows, prev_next="2")
    expected = (("0163911", "005930"), ("0163912", ""))
    assert desk.take() == [TrAnswered(Nanos(2), "q-1", "opt10075", True, expected, ())]
    desk.control.bring_tr("q-1", "opt10075", rows)
    assert isinstance(desk.take()[0], OrderNumbered)  # nothing is pending under that name any more


def test_the_head_of_an_answer_is_read_and_a_query_without_rows_counts_none() -> None:
    desk = Desk()
    head = RequestTr("q-2", "opw00001", (), "6001", single_fields=("예수금", "주문가능금액"))
    desk.perform(head)
    desk.control.bring_tr("q-2", "opw00001", [{"예수금": "000001000 ", "주문가능금액": "5"}], prev_next="0")
    assert desk.take() == [TrAnswered(Nanos(2), "q-2", "opw00001", False, (), ("000001000", "5"))]
    assert all(read[0] != "GetRepeatCnt" for read in desk.control.getters_read)


def test_a_query_that_was_turned_away_is_not_pending() -> None:
    desk = Desk(CommRqData=-200)
    desk.perform(QUERY)
    desk.control.bring_tr("q-1", "opt10075", [{"주문번호": "0163911"}])
    assert isinstance(desk.take()[0], OrderNumbered)


def test_unanswered_queries_are_forgotten_oldest_first_beyond_the_bound() -> None:
    desk = Desk()
    for number in range(PENDING_TRS_MAX + 1):
        desk.perform(replace(QUERY, rq_name=f"q-{number}"))
    desk.control.bring_tr("q-0", "opt10075", [])
    desk.control.bring_tr("q-1", "opt10075", [])
    assert [type(event) for event in desk.take()] == [OrderNumbered, TrAnswered]


# --- chejan ---


def test_an_order_report_and_a_balance_come_out_typed() -> None:
    desk = Desk()
    desk.control.bring_chejan(samples.chejan("filled"))
    desk.control.bring_chejan(samples.chejan("balance"))
    fill, balance = desk.take()
    assert isinstance(fill, OrderReport)
    assert (fill.kind, fill.at, fill.exec_id) == (ReportKind.FILL, 1, "1234931")
    assert isinstance(balance, BalanceReport)
    assert (balance.at, balance.held) == (2, 2)


def test_an_event_is_stamped_before_its_getters_are_read() -> None:
    desk = Desk()
    read = desk.control.GetChejanData

    def slow(nFid: int) -> str:
        desk.clock.mono += 1_000
        return read(nFid)

    desk.control.GetChejanData = slow  # type: ignore[method-assign]
    desk.control.bring_chejan(samples.chejan("accepted"))
    (event,) = desk.take()
    assert isinstance(event, OrderReport)
    assert event.at == 1


def test_what_arrives_after_the_event_reads_blank_and_is_malformed() -> None:
    """The control answers getters inside the event only: an adapter that read later would see this."""
    desk = Desk()
    desk.adapter.OnReceiveChejanData("0", 35, "9203;9001")
    (event,) = desk.take()
    assert isinstance(event, EventMalformed)
    assert event.matters
    assert "9203" in event.what


def test_derivatives_are_ignored_and_an_unknown_gubun_stops_trading() -> None:
    desk = Desk()
    desk.control.bring_chejan(Chejan("4", {}))
    for business in ("FJ", "OJ"):
        desk.control.bring_chejan(samples.chejan("accepted").but(f912=business, f9001="101Q3000"))
    assert desk.take() == []
    assert desk.adapter.counters.ignored == 3
    desk.control.bring_chejan(Chejan("9", {}))
    (event,) = desk.take()
    assert isinstance(event, EventMalformed)
    assert event.matters


# --- quotes ---


def bring_quote(desk: Desk, code: str = "005930", **changes: str) -> None:
    quote = samples.real("quote")
    values = {**quote.values, **{int(name[1:]): text for name, text in changes.items()}}
    raw = "\t".join(values[number] for number in quote.values)
    desk.control.bring_real(Real(code, quote.real_type, raw), values)


@pytest.mark.parametrize("source", get_args(QuoteSource))
def test_a_quote_is_packed_for_its_shard_with_the_time_of_its_arrival(source: QuoteSource) -> None:
    desk = Desk(source)
    bring_quote(desk)
    bring_quote(desk, "005930_NX", f51="+77600", f71=str(2**33), f41="0", f61="0")
    (shard, krx), (_, nxt) = desk.quotes
    assert shard == 1
    assert QUOTE.unpack(krx) == (7, 0, 0, 76900, 900, 77000, 1200, 1)
    assert QUOTE.unpack(nxt) == (7, 1, 0, 77600, 2**32 - 1, 0, 0, 2)
    assert desk.adapter.counters.quotes == [1, 1]
    assert desk.take() == []


def test_a_raw_quote_asks_the_control_nothing_once_it_was_checked() -> None:
    desk = Desk("raw")
    bring_quote(desk)
    assert len(desk.control.getters_read) == 4
    bring_quote(desk)
    assert len(desk.control.getters_read) == 4
    bring_quote(desk, "005930_NX")
    assert len(desk.control.getters_read) == 8


@pytest.mark.parametrize("unlike", ["0\t-77000\t1201", "0\textra\t-77000\t1200", "0\tabc\t1200"])
def test_a_raw_string_unlike_its_fids_is_not_used_any_more(unlike: str) -> None:
    """Another value, a shift, and one that cannot be read: the FIDs are the control's documented word."""
    desk = Desk("raw")
    quote = samples.real("quote")
    other = Real("005930", quote.real_type, quote.raw.replace("142942\t-77000\t1200", unlike))
    desk.control.bring_real(other, quote.values)
    desk.control.bring_real(other, quote.values)
    (event,) = desk.take()
    assert isinstance(event, EventMalformed)
    assert not event.matters
    assert "FIDs from now on" in event.what
    assert desk.adapter.quote_source == "fids"
    assert [QUOTE.unpack(record)[3:7] for _, record in desk.quotes] == [(76900, 900, 77000, 1200)] * 2


def test_an_event_that_is_garbage_in_both_readings_leaves_the_raw_string_its_trust() -> None:
    desk = Desk("raw")
    bring_quote(desk)
    bring_quote(desk, f41="abc")
    assert len(desk.quotes) == 1
    assert desk.adapter.counters.malformed == 1
    assert desk.adapter.quote_source == "raw"


def test_a_raw_string_that_is_too_short_is_read_by_fids_and_keeps_its_trust() -> None:
    desk = Desk("raw")
    quote = samples.real("quote")
    desk.control.bring_real(Real("005930", quote.real_type, "142942"), quote.values)
    assert QUOTE.unpack(desk.quotes[0][1])[3:7] == (76900, 900, 77000, 1200)
    assert desk.adapter.quote_source == "raw"


@pytest.mark.parametrize(
    ("expected_price", "expected_qty", "flags"),
    [("-77000", "12", FLAG_AUCTION), ("-77000", "0", 0), ("-77000", " ", 0), ("0", "12", 0), ("", "", 0), (" ", "", 0)],
)
def test_an_expected_price_and_quantity_mark_an_auction_when_fids_are_read(
    expected_price: str, expected_qty: str, flags: int
) -> None:
    for source, expected in (("fids", flags), ("raw", 0)):
        desk = Desk(source)  # type: ignore[arg-type]
        bring_quote(desk, f23=expected_price, f24=expected_qty)
        assert QUOTE.unpack(desk.quotes[0][1])[2] == expected


def test_malformed_quotes_are_all_counted_and_reported_once_a_second() -> None:
    desk = Desk("fids")
    for _ in range(3):
        bring_quote(desk, f41="abc")
    assert len(desk.take()) == 1
    assert desk.adapter.counters.malformed == 3
    desk.clock.mono += SECOND
    bring_quote(desk, f41="abc")
    (event,) = desk.take()
    assert isinstance(event, EventMalformed)
    assert not event.matters
    assert "005930" in event.what
    assert desk.quotes == []


def test_quotes_and_types_that_nobody_asked_for_are_counted_only() -> None:
    desk = Desk()
    bring_quote(desk, "000660")
    desk.control.bring_real(Real("000660", "주식체결", ""))
    desk.control.bring_real(Real("005930", "주식우선호가", ""))
    assert desk.outcomes() == desk.adapter.counters.ignored == 3


# --- other real-time events ---


def test_trades_are_proof_of_life_once_a_second_and_venue() -> None:
    desk = Desk()
    trade = samples.real("trade")
    nxt = replace(trade, code="005930_NX")
    for event in (trade, trade, nxt, nxt):
        desk.control.bring_real(event)
    assert desk.take() == [TradePrinted(Nanos(1), SAMSUNG, Venue.KRX), TradePrinted(Nanos(3), SAMSUNG, Venue.NXT)]
    desk.clock.mono = SECOND
    desk.control.bring_real(trade)
    assert desk.take() == [TradePrinted(Nanos(SECOND + 1), SAMSUNG, Venue.KRX)]


@pytest.mark.parametrize("by_fids", [True, False])
def test_a_session_signal_is_read_by_fids_else_from_its_raw_string(by_fids: bool) -> None:
    desk = Desk()
    signal = samples.real("session_nxt_main")
    desk.control.bring_real(signal, None if by_fids else {})
    assert desk.take() == [SessionSignalled(Nanos(1), "R", "090030", "000000")]
    countdown = samples.real("session_countdown")
    desk.control.bring_real(countdown, None if by_fids else {})
    assert desk.take() == [SessionSignalled(Nanos(2), "0", "085000", "001000")]


@pytest.mark.parametrize(
    ("code", "values", "expected"),
    [
        ("005930", {9001: "A005930", 9068: "1", 1224: "000000"}, (None, True)),
        ("005930", {9001: "005930", 9068: "2", 1224: "091500", 9081: "1"}, (Venue.KRX, False)),
        ("005930_NX", {9001: "005930", 9068: "1"}, (Venue.NXT, True)),
        ("", {9001: "005930_NX", 9068: "1", 9081: ""}, (Venue.NXT, True)),
        ("005930", {9068: "", 1224: "091500"}, (None, False)),
    ],
)
def test_a_vi_names_its_symbol_and_its_venue_if_told(
    code: str, values: dict[int, str], expected: tuple[Venue | None, bool]
) -> None:
    desk = Desk()
    desk.control.bring_real(Real(code, "VI발동/해제", ""), values)
    assert desk.take() == [ViChanged(Nanos(1), SAMSUNG, *expected)]


def test_a_vi_of_another_symbol_is_ignored_and_one_that_does_not_say_is_malformed() -> None:
    desk = Desk()
    desk.control.bring_real(Real("000660", "VI발동/해제", ""), {9001: "A000660", 9068: "1"})
    assert desk.take() == []
    assert desk.adapter.counters.ignored == 1
    desk.control.bring_real(Real("005930", "VI발동/해제", ""), {9001: "A005930", 9068: "?"})
    assert isinstance(desk.take()[0], EventMalformed)


def test_a_message_is_handed_on_unread() -> None:
    desk = Desk()
    desk.adapter.OnReceiveMsg("5001", "o-1", "KOA_NORMAL_BUY_KP_ORD", "[107066] 매수주문이 완료되었습니다.")
    (event,) = desk.take()
    assert event == MessageReceived(
        Nanos(1), "5001", "o-1", "KOA_NORMAL_BUY_KP_ORD", "[107066] 매수주문이 완료되었습니다."
    )


# --- nothing crosses ---

GARBAGE = st.text(max_size=12) | st.sampled_from(["", "0", "1", "-77000", "A005930", "체결", "접수", "0163911", "\t"])


@settings(max_examples=100, deadline=None)
@given(
    code=GARBAGE | st.sampled_from(sorted(FEEDS)),
    real_type=GARBAGE | st.sampled_from(["주식호가잔량", "장시작시간", "VI발동/해제"]),
    raw=st.lists(GARBAGE, max_size=8).map("\t".join),
    values=st.dictionaries(st.sampled_from([41, 61, 51, 71, 23, 24, 215, 20, 9001, 9068, 1224, 9081]), GARBAGE),
    source=st.sampled_from(get_args(QuoteSource)),
)
def test_any_real_time_event_is_an_event_a_quote_or_a_count(
    code: str, real_type: str, raw: str, values: dict[int, str], source: QuoteSource
) -> None:
    desk = Desk(source)
    desk.control.bring_real(Real(code, real_type, raw), values)
    assert desk.outcomes() >= 1


@settings(max_examples=100, deadline=None)
@given(
    gubun=GARBAGE,
    values=st.dictionaries(st.sampled_from([*fid.ORDER_FIDS, *fid.BALANCE_FIDS, fid.BUSINESS]), GARBAGE),
    sample=st.sampled_from(["filled", "balance", None]),
)
def test_any_chejan_event_is_an_event_or_a_count(gubun: str, values: dict[int, str], sample: str | None) -> None:
    desk = Desk()
    recorded = samples.chejan(sample) if sample else Chejan(gubun, {})
    desk.control.bring_chejan(Chejan(recorded.gubun, {**recorded.values, **values}))
    assert desk.outcomes() == 1 + sum(isinstance(event, EventMalformed) for event in desk.events)


@settings(max_examples=50, deadline=None)
@given(
    rq_name=GARBAGE | st.just("q-1"),
    tr_code=GARBAGE,
    rows=st.lists(st.dictionaries(st.sampled_from(["주문번호", "종목코드"]), GARBAGE), max_size=3),
    prev_next=GARBAGE,
    error=st.integers(-(2**31), 2**31 - 1),
)
def test_any_answer_message_and_connection_is_an_event(
    rq_name: str, tr_code: str, rows: list[dict[str, str]], prev_next: str, error: int
) -> None:
    desk = Desk()
    desk.perform(QUERY)
    desk.control.bring_tr(rq_name, tr_code, rows, prev_next)
    assert len(desk.take()) == 1
    desk.adapter.OnReceiveMsg(prev_next, rq_name, tr_code, prev_next)
    desk.adapter.OnEventConnect(error)
    assert len(desk.take()) == 2


def test_a_broken_way_out_does_not_reach_the_control() -> None:
    def broken(*_: object) -> None:
        raise BrokenPipeError("nobody listens")

    control = ScriptedControl()
    adapter = ControlAdapter(control, SteppingClock(), FEEDS, broken, broken)
    control.bring_chejan(samples.chejan("filled"))
    control.bring_real(samples.real("quote"))
    control.bring_real(samples.real("session_nxt_main"))
    control.bring_tr("o-1", "X", [{"주문번호": "0163911"}])
    adapter.OnReceiveMsg("", "", "", "")
    adapter.OnEventConnect(0)
    adapter.perform(ORDER)
    assert adapter.counters.malformed == 14  # each failed once, and once more at saying so
