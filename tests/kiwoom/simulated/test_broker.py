"""The simulated broker beyond the contract of every control: its variants, its faults, its ledger, its cap."""

import pytest

from kiwoom.simulated.faults import BrokerKnobs, Faults, Latency
from kiwoom.simulated.ledger import COLUMNS, LedgerKind, iso_seoul, ledger_line
from kiwoom.simulated.realtime import FIDS_OF
from kiwoom.simulated.scenario import FlowKnobs, Scenario
from tests.kiwoom.control_contract import states
from tests.support.simulated_kiwoom import (
    ACCOUNT,
    CASH,
    KOSDAQ_SYMBOL,
    KRX_ONLY_SYMBOL,
    MS,
    SHARES,
    SYMBOL,
    TEN_O_CLOCK,
    SimulatedKiwoom,
)

ALWAYS = 10_000


def half_filled_ioc(kiwoom: SimulatedKiwoom) -> list:
    """An IOC buy for five shares more than stand at the touch; the reports after its last fill."""
    _, (ask, size) = kiwoom.touch()
    assert kiwoom.order("q1", 1, size + 5, ask, "10") == 0
    kiwoom.pass_time(200)
    reports = [event for event in kiwoom.heard.take_reports() if event.args[0] == "0"]
    last_fill = max(place for place, event in enumerate(reports) if event.values[915] and event.values[819] == "0")
    return reports[last_fill:]


# --- variants ---


@pytest.mark.parametrize("message_first", [True, False])
def test_the_message_comes_before_or_after_the_number(message_first: bool) -> None:
    kiwoom = SimulatedKiwoom(knobs=BrokerKnobs(message_before_tr=message_first))
    (bid, _), _ = kiwoom.touch()
    kiwoom.order(price=bid)
    kiwoom.pass_time(200)
    names = [event.name for event in kiwoom.heard.take()]
    assert names == (["message", "tr", "chejan"] if message_first else ["tr", "message", "chejan"])


def test_an_ioc_remainder_ends_with_a_clear_event() -> None:
    last_fill, *rest = half_filled_ioc(SimulatedKiwoom(knobs=BrokerKnobs(ioc_end="clear")))
    assert states([last_fill, *rest]) == [("0", "체결", "5", "0"), ("0", "체결", "0", "1")]
    assert rest[0].values[9203] == last_fill.values[9203]


def test_an_ioc_remainder_ends_with_a_confirmation_of_its_own_number() -> None:
    last_fill, *rest = half_filled_ioc(SimulatedKiwoom(knobs=BrokerKnobs(ioc_end="confirm")))
    assert states(rest) == [("0", "확인", "0", "0")]
    values = rest[0].values
    assert values[9203] == values[904] == last_fill.values[9203]
    assert (values[905], values[900], values[914], values[915]) == ("매수취소", "5", "", "")


def test_an_ioc_remainder_ends_without_a_word_and_is_in_no_open_order() -> None:
    kiwoom = SimulatedKiwoom(knobs=BrokerKnobs(ioc_end="nothing"))
    _, *rest = half_filled_ioc(kiwoom)
    assert rest == []
    assert kiwoom.broker.open_orders() == []
    assert [row.qty for row in kiwoom.rows("END")] == [5]


def test_reports_without_venue_and_costs_leave_them_out() -> None:
    kiwoom = SimulatedKiwoom(knobs=BrokerKnobs(report_has_venue=False, report_has_costs=False))
    (received, *_) = [event for event in _bought(kiwoom) if event.args[0] == "0"]
    assert len(received.values) == 35
    assert (received.values[938], received.values[939]) == ("", "")


def _bought(kiwoom: SimulatedKiwoom) -> list:
    kiwoom.order("q1", 1, 1, 0, "13")
    kiwoom.pass_time(200)
    return kiwoom.heard.take_reports()


def test_a_sale_that_is_cancelled_gives_its_shares_back_in_a_balance() -> None:
    kiwoom = SimulatedKiwoom()
    _, (ask, _) = kiwoom.touch()
    kiwoom.order("q1", 2, 7, ask)
    kiwoom.pass_time(200)
    (answer,) = kiwoom.heard.take("tr")
    kiwoom.order("c1", 4, 0, orig=answer.values["주문번호"])
    kiwoom.pass_time(200)
    reports = kiwoom.heard.take_reports()
    assert [event.args[0] for event in reports] == ["0", "0", "0", "1"]
    assert reports[-1].values[933] == str(SHARES)


def test_the_mock_server_says_so_and_takes_neither_nxt_nor_ioc() -> None:
    kiwoom = SimulatedKiwoom(knobs=BrokerKnobs(mock_server=True))
    assert kiwoom.control.GetLoginInfo("GetServerGubun") == "1"
    (bid, _), _ = kiwoom.touch()
    for order_type, hoga in ((21, "00"), (1, "10"), (1, "00")):
        kiwoom.order(f"q{order_type}{hoga}", order_type, 1, bid, hoga)
    kiwoom.pass_time(200)
    assert [event.values["주문번호"] != "" for event in kiwoom.heard.take("tr")] == [False, False, True]


def test_sor_is_refused_unless_taken_and_then_goes_where_the_touch_is_better() -> None:
    assert SimulatedKiwoom().order("q1", 11, 1, 0, "13") == -15
    kiwoom = SimulatedKiwoom(knobs=BrokerKnobs(accept_sor=True))
    asks = {venue: kiwoom.touch(venue)[1][0] for venue in ("KRX", "NXT")}
    kiwoom.order("q1", 11, 1, 0, "13")
    kiwoom.pass_time(200)
    received = kiwoom.heard.take_reports()[0].values
    assert received[2136] == "Y"
    assert asks[received[2135]] == min(asks.values())


# --- what the server checks ---


def refusal_of(kiwoom: SimulatedKiwoom, **order: object) -> str:
    assert kiwoom.order("q1", **order) == 0
    kiwoom.pass_time(200)
    message, answer = kiwoom.heard.take("message", "tr", "chejan")
    assert answer.values["주문번호"] == ""
    (row,) = kiwoom.rows("REJECT", "ORDER", "CANCEL")
    assert (row.kind, row.reason) == (LedgerKind.REJECT, message.args[3])
    return message.args[3]


def test_a_naked_sale_is_refused() -> None:
    assert "매도가능수량" in refusal_of(SimulatedKiwoom(), order_type=2, qty=1, hoga="13", symbol=KRX_ONLY_SYMBOL)


def test_a_market_buy_needs_cash_for_the_upper_limit() -> None:
    kiwoom = SimulatedKiwoom(cash=80_000)
    assert "증거금" in refusal_of(kiwoom, order_type=1, hoga="13")
    _, (ask, _) = kiwoom.touch()
    assert kiwoom.order("q2", 1, 1, ask, "10") == 0
    kiwoom.pass_time(200)
    assert len(kiwoom.rows("FILL")) == 1


def test_a_share_that_nxt_does_not_trade_is_refused_there() -> None:
    assert "넥스트레이드" in refusal_of(SimulatedKiwoom(), order_type=21, hoga="13", symbol=KRX_ONLY_SYMBOL)


@pytest.mark.parametrize(("hour", "word"), [(-3, "장시작전"), (11, "장종료")])
def test_a_closed_venue_takes_nothing(hour: int, word: str) -> None:
    kiwoom = SimulatedKiwoom(start=TEN_O_CLOCK + hour * 3_600_000 * MS)
    assert word in refusal_of(kiwoom, order_type=1, price=72_000)


def test_a_cancel_by_the_other_venues_order_type_is_refused() -> None:
    kiwoom = SimulatedKiwoom()
    number = kiwoom.rest_buy()
    kiwoom.heard.take()
    assert kiwoom.order("c1", 23, 0, orig=number) == 0
    kiwoom.pass_time(200)
    message, answer = kiwoom.heard.take("message", "tr", "chejan")
    assert answer.values["주문번호"] == "" and "원주문 거래소[KRX] 취소주문 거래소[NXT]" in message.args[3]


def test_a_fill_wins_the_race_against_a_cancel_on_its_way() -> None:
    kiwoom = SimulatedKiwoom(latency=Latency(jitter_ms=0, cancel_ms=50))
    number = kiwoom.rest_buy()
    kiwoom.heard.take()
    (bid, size), _ = kiwoom.touch()
    kiwoom.order("c1", 3, 0, orig=number)
    kiwoom.order("sweep", 2, size, bid, "10")
    kiwoom.pass_time(300)
    answers = {event.args[1]: event.values["주문번호"] for event in kiwoom.heard.events if event.name == "tr"}
    assert answers["c1"] == ""
    of_buy = [event for event in kiwoom.heard.take_reports() if event.values.get(9203) == number]
    assert states(of_buy) == [("0", "체결", "0", "0")]
    assert [(row.rq_name, row.qty) for row in kiwoom.rows("END") if row.order_no == number] == [("q1", 0)]


# --- faults ---


def heard_of_a_buy(faults: Faults) -> list[tuple[str, int]]:
    """Names of the events of a resting buy and the milliseconds after the call."""
    kiwoom = SimulatedKiwoom(faults=faults)
    (bid, _), _ = kiwoom.touch()
    start = kiwoom.clock.wall
    assert kiwoom.order(price=bid) == 0
    kiwoom.pass_time(2_000)
    return [(event.name, (event.at - start) // MS) for event in kiwoom.heard.take()]


@pytest.mark.parametrize(
    ("faults", "heard"),
    [
        (Faults(), [("message", 25), ("tr", 25), ("chejan", 28)]),
        (Faults(order_lost=ALWAYS), []),
        (Faults(order_no_late=ALWAYS), [("chejan", 28), ("message", 425), ("tr", 425)]),
        (Faults(order_no_never=ALWAYS), [("chejan", 28)]),
        (Faults(order_no_after_report=ALWAYS), [("chejan", 28), ("message", 29), ("tr", 29)]),
        (Faults(report_repeated=ALWAYS), [("message", 25), ("tr", 25), ("chejan", 28), ("chejan", 31)]),
        (Faults(report_delayed=ALWAYS), [("message", 25), ("tr", 25), ("chejan", 728)]),
        (Faults(report_lost=ALWAYS), [("message", 25), ("tr", 25)]),
        (Faults(line_lost=ALWAYS), [("connect", 0)]),
    ],
)
def test_each_fault_of_an_accepted_order_shows_as_it_says(faults: Faults, heard: list[tuple[str, int]]) -> None:
    assert heard_of_a_buy(faults) == heard


def test_a_lost_order_is_nowhere() -> None:
    kiwoom = SimulatedKiwoom(faults=Faults(order_lost=ALWAYS))
    kiwoom.order(price=kiwoom.touch()[0][0])
    kiwoom.pass_time(500)
    assert kiwoom.broker.open_orders() == [] and kiwoom.rows() == []


def test_an_order_refused_by_the_exchange_has_a_number_and_a_report_with_the_reason() -> None:
    kiwoom = SimulatedKiwoom(faults=Faults(reject_exchange=ALWAYS))
    kiwoom.order(price=kiwoom.touch()[0][0])
    kiwoom.pass_time(200)
    answer, report = kiwoom.heard.take("tr", "chejan")
    assert answer.values["주문번호"] == report.values[9203] != ""
    assert (report.values[913], report.values[902]) == ("거부", "0")
    assert report.values[919] not in ("", "0")
    assert [row.kind for row in kiwoom.rows()] == [LedgerKind.ORDER, LedgerKind.END]
    assert kiwoom.account.orderable_cash == CASH


def test_an_unanswered_cancel_leaves_the_order_resting_and_the_next_one_may_work() -> None:
    kiwoom = SimulatedKiwoom(faults=Faults(cancel_unanswered=ALWAYS))
    number = kiwoom.rest_buy()
    kiwoom.heard.take()
    assert kiwoom.order("c1", 3, 0, orig=number) == 0
    kiwoom.pass_time(1_000)
    assert kiwoom.heard.take("tr", "message", "chejan") == []
    assert [order.order_no for order in kiwoom.broker.open_orders()] == [number]
    assert len(kiwoom.rows("CANCEL")) == 1


def test_a_rejected_cancel_leaves_the_order_resting() -> None:
    kiwoom = SimulatedKiwoom(faults=Faults(cancel_rejected=ALWAYS))
    number = kiwoom.rest_buy()
    kiwoom.heard.take()
    kiwoom.order("c1", 3, 0, orig=number)
    kiwoom.pass_time(200)
    assert [event.values["주문번호"] for event in kiwoom.heard.take("tr")] == [""]
    assert [order.order_no for order in kiwoom.broker.open_orders()] == [number]


def test_a_spurious_overload_is_one_overload_row_and_no_order() -> None:
    kiwoom = SimulatedKiwoom(faults=Faults(overload_spurious=ALWAYS))
    assert kiwoom.order(price=72_000) == -308
    assert [(row.kind, row.return_code) for row in kiwoom.rows()] == [(LedgerKind.OVERLOAD, -308)]


@pytest.mark.parametrize("fault", ["halt_after_fill", "vi_after_fill"])
def test_a_fill_may_stop_the_symbol(fault: str) -> None:
    kiwoom = SimulatedKiwoom(faults=Faults(**{fault: ALWAYS}))
    kiwoom.query("opt10054", {"거래소구분": "3"})
    _bought(kiwoom)
    kiwoom.order("q2", 1, 1, 0, "16")
    kiwoom.pass_time(200)
    refused = [event for event in kiwoom.heard.take_reports() if event.values.get(913) == "거부"]
    assert len(refused) == 1


def test_vi_is_told_to_those_who_asked_opt10054() -> None:
    kiwoom = SimulatedKiwoom(faults=Faults(vi_after_fill=ALWAYS))
    kiwoom.query("opt10054", {"거래소구분": "3"})
    kiwoom.heard.wanted_fids = (9001, 9068)
    _bought(kiwoom)
    _bought_at_nxt = kiwoom.order("q3", 21, 1, 0, "13", symbol=KOSDAQ_SYMBOL)
    assert _bought_at_nxt == 0
    kiwoom.pass_time(200_000)
    vi = [(event.args[0], event.values[9001], event.values[9068]) for event in kiwoom.heard.take("real")]
    assert vi == [
        (f"{KOSDAQ_SYMBOL}_NX", KOSDAQ_SYMBOL, "1"),
        (SYMBOL, SYMBOL, "2"),
        (f"{KOSDAQ_SYMBOL}_NX", KOSDAQ_SYMBOL, "2"),
    ]


def test_a_cut_line_loses_events_but_no_order_and_the_next_login_finds_it() -> None:
    kiwoom = SimulatedKiwoom(faults=Faults(line_lost=ALWAYS))
    assert kiwoom.order(price=kiwoom.touch()[0][0]) == 0
    kiwoom.pass_time(500)
    assert [event.args for event in kiwoom.heard.take()] == [(-106,)]
    assert kiwoom.control.GetConnectState() == 0
    assert kiwoom.order("q2", price=kiwoom.touch()[0][0]) == -106
    kiwoom.log_in()
    kiwoom.heard.wanted_fields = ("주문번호", "미체결수량")
    kiwoom.query("opt10075", {"계좌번호": ACCOUNT, "체결구분": "1"})
    kiwoom.pass_time(200)
    (answer,) = kiwoom.heard.take("tr")
    assert answer.rows == [{"주문번호": "0100001", "미체결수량": "1"}]


# --- the cap and the ledger ---


def test_the_window_slides_on_the_brokers_clock_and_a_refused_call_takes_no_place() -> None:
    kiwoom = SimulatedKiwoom()
    (bid, _), _ = kiwoom.touch()
    codes = []
    for _ in range(12):
        codes.append(kiwoom.order("q", 1, 1, bid))
        kiwoom.pass_time(100)
    assert codes == [0, 0, 0, 0, 0, -308, -308, -308, -308, -308, 0, 0]
    assert len(kiwoom.rows("ORDER")) == 7
    assert len(kiwoom.rows("OVERLOAD")) == 5
    assert kiwoom.broker.summary()["orders_max_in_1s"] == 5


def test_orders_local_errors_and_server_rejections_each_have_their_row() -> None:
    kiwoom = SimulatedKiwoom()
    (bid, _), _ = kiwoom.touch()
    kiwoom.order("good", 1, 1, bid)
    kiwoom.order("local", 24, 1, bid)
    kiwoom.order("server", 1, 1, bid - 1)
    kiwoom.pass_time(200)
    rows = [(row.rq_name, row.kind.value, row.return_code) for row in kiwoom.rows()]
    assert rows == [("good", "ORDER", 0), ("local", "REJECT", -15), ("server", "REJECT", 0)]
    assert kiwoom.rows()[0].ts == TEN_O_CLOCK + 100 * MS


def test_a_ledger_line_has_the_agreed_columns() -> None:
    assert (
        *("ts", "ts_mono_ns", "kind", "rq_name", "order_no", "orig_order_no", "venue", "symbol", "side"),
        *("order_type", "hoga_code", "price", "qty", "fill_px", "fill_qty", "exec_id", "fee_krw", "tax_krw"),
        *("return_code", "reason"),
    ) == COLUMNS
    kiwoom = SimulatedKiwoom()
    (bid, _), _ = kiwoom.touch()
    kiwoom.order("q,1", 1, 2, bid)
    (row,) = kiwoom.rows()
    line = f'2026-11-23T10:00:00.100000+09:00,5100000000,ORDER,"q,1",0100001,,KRX,005930,BUY,1,00,{bid},2,,,,,,0,\n'
    assert ledger_line(row) == line
    assert iso_seoul(TEN_O_CLOCK + 1_999) == "2026-11-23T10:00:00.000001+09:00"


@pytest.mark.parametrize("seed", range(4))
def test_a_busy_minute_of_orders_leaves_books_that_add_up(seed: int) -> None:
    """Orders of every kind under every fault: each taken order ends once, and cash and shares follow from the rows."""
    rates = dict.fromkeys(("order_no_late", "order_no_never", "report_repeated", "report_delayed", "report_lost"), 500)
    faults = Faults(**rates, reject_exchange=300, cancel_unanswered=500, cancel_slow=2_000, halt_after_fill=200)
    busy = Scenario(flow=FlowKnobs(quotes_per_second=120))
    kiwoom = SimulatedKiwoom(scenario=busy, faults=faults, latency=Latency(), seed=seed)
    orders = kiwoom.broker._orders.orders
    kinds = [(1, "00"), (2, "00"), (21, "10"), (22, "10"), (1, "13"), (2, "13"), (21, "29"), (22, "00"), (1, "20")]
    for turn in range(200):
        order_type, hoga = kinds[(turn * 7 + seed) % len(kinds)]
        venue = "NXT" if order_type > 20 else "KRX"
        bids, asks = kiwoom.levels(venue)
        price = 0 if hoga in ("13", "29") or not (bids and asks) else (asks if turn % 3 else bids)[0][0]
        kiwoom.order(f"q{turn}", order_type, 1 + turn % 40, price, hoga)
        for order in list(orders.values())[-3:]:
            if turn % 4 == 0 and not order.ended:
                cancel_type = 23 if order.venue == "NXT" else 3 if order.side == "BUY" else 4
                kiwoom.order(f"c{turn}", cancel_type, 0, orig=order.order_no)
        kiwoom.pass_time(120)
    kiwoom.pass_time(2_000)
    cash, shares = CASH, SHARES
    for row in kiwoom.rows("FILL"):
        sign = 1 if row.side == "SELL" else -1
        cash += sign * row.fill_px * row.fill_qty - row.fee_krw - row.tax_krw
        shares -= sign * row.fill_qty
    assert (kiwoom.account.cash, kiwoom.account.holding(SYMBOL).qty) == (cash, shares)
    assert len(kiwoom.rows("FILL")) > 50
    taken = {row.order_no: row.qty for row in kiwoom.rows("ORDER")}
    ended = {row.order_no: row.qty for row in kiwoom.rows("END")}
    still_open = {order.order_no for order in kiwoom.broker.open_orders()}
    assert len(ended) == len(kiwoom.rows("END"))
    assert taken.keys() - ended.keys() == still_open
    for number, unfilled in ended.items():
        assert sum(row.fill_qty for row in kiwoom.rows("FILL") if row.order_no == number) + unfilled == taken[number]
    stamps = sorted(row.ts_mono_ns for row in kiwoom.rows("ORDER", "CANCEL"))
    assert all(later - earlier >= 1_000 * MS for earlier, later in zip(stamps, stamps[5:], strict=False))


def test_the_same_seed_gives_the_same_day() -> None:
    def run() -> list[tuple]:
        kiwoom = SimulatedKiwoom(latency=Latency(), faults=Faults(report_delayed=3_000), seed=5)
        kiwoom.control.SetRealReg("1000", f"{SYMBOL};{SYMBOL}_NX", "41;10", "0")
        for turn in range(5):
            kiwoom.order(f"b{turn}", 1, 1, 0, "13")
            kiwoom.order(f"r{turn}", 21, 1, kiwoom.touch("NXT")[0][0])
            kiwoom.pass_time(600)
        return [(event.name, event.args, event.at) for event in kiwoom.heard.take()]

    first = run()
    assert len(first) > 30
    assert run() == first


# --- queries and signals ---


def test_a_query_continues_page_by_page_until_another_one_comes() -> None:
    kiwoom = SimulatedKiwoom(knobs=BrokerKnobs(rows_per_page=2))
    for turn in range(5):
        kiwoom.rest_buy(f"q{turn}")
        kiwoom.pass_time(200)
    inputs = {"계좌번호": ACCOUNT, "체결구분": "1"}
    pages = []
    for prev_next in (0, 2, 2, 2):
        kiwoom.query("opt10075", inputs, prev_next=prev_next)
        kiwoom.pass_time(300)
        (answer,) = kiwoom.heard.take("tr")
        pages.append((answer.args[3], [row["주문번호"] for row in answer.rows]))
    assert pages == [
        ("2", ["0100001", "0100002"]),
        ("2", ["0100003", "0100004"]),
        ("0", ["0100005"]),
        ("0", []),
    ]
    kiwoom.query("opt10075", inputs)
    kiwoom.query("opw00001", inputs)
    kiwoom.query("opt10075", inputs, prev_next=2)
    kiwoom.pass_time(300)
    assert kiwoom.heard.take("tr")[-1].rows == []


@pytest.mark.parametrize("venue_input", [{"거래소구분": "KRX"}, {"국내거래소구분": "NXT"}, {}])
def test_holdings_tell_what_is_held_and_what_is_sellable(venue_input: dict[str, str]) -> None:
    kiwoom = SimulatedKiwoom()
    _, (ask, _) = kiwoom.touch()
    kiwoom.order("q1", 2, 7, ask)
    kiwoom.heard.wanted_fields = ("종목번호", "보유수량", "매매가능수량", "매입가")
    kiwoom.query("opw00018", {"계좌번호": ACCOUNT, "비밀번호": "", "조회구분": "1", **venue_input})
    kiwoom.pass_time(200)
    (answer,) = [event for event in kiwoom.heard.take("tr") if event.args[2] == "opw00018"]
    assert [tuple(row.values()) for row in answer.rows] == [
        ("A005930", "000000000100000", "000000000099993", "000000000070000"),
        ("A035720", "000000000100000", "000000000100000", "000000000070000"),
    ]


def test_only_the_hundred_percent_amount_counts_todays_sales() -> None:
    kiwoom = SimulatedKiwoom(cash=1_000_000)
    kiwoom.order("q1", 2, 10, 0, "13")
    kiwoom.pass_time(200)
    kiwoom.heard.take()
    kiwoom.heard.wanted_fields = ("100%종목주문가능금액", "주문가능금액")
    kiwoom.query("opw00001", {"계좌번호": ACCOUNT})
    kiwoom.pass_time(200)
    (answer,) = kiwoom.heard.take("tr")
    assert int(answer.values["100%종목주문가능금액"]) == kiwoom.account.cash > 1_000_000
    assert answer.values["주문가능금액"] == "000000001000000"


def test_a_query_of_another_account_is_answered_with_a_message_and_nothing() -> None:
    kiwoom = SimulatedKiwoom()
    kiwoom.query("opt10075", {"계좌번호": "1111111111"})
    kiwoom.pass_time(200)
    message, answer = kiwoom.heard.take("message", "tr")
    assert "계좌번호" in message.args[3] and answer.rows == []


@pytest.mark.parametrize(("resend", "codes"), [(True, ["3", "R"]), (False, [])])
def test_a_late_registration_is_told_the_latest_signal_of_each_venue(resend: bool, codes: list[str]) -> None:
    kiwoom = SimulatedKiwoom(resend_session_signal=resend)
    kiwoom.heard.wanted_fids = (215, 20, 214)
    assert kiwoom.control.SetRealReg("1000", "", "215;20;214", "0") == 0
    kiwoom.pass_time(10)
    signals = kiwoom.heard.take("real")
    assert [event.values[215] for event in signals] == codes
    assert {event.args[:2] for event in signals} <= {("09", "장시작시간")}


def test_published_quotes_are_counted_exactly_as_they_are_heard() -> None:
    kiwoom = SimulatedKiwoom(scenario=Scenario(flow=FlowKnobs(quotes_per_second=200)))
    kiwoom.control.SetRealReg("1000", f"{SYMBOL};{SYMBOL}_NX", "41;51;61;71;10", "0")
    kiwoom.pass_time(3_000)
    heard = kiwoom.heard.take("real")
    for _, real_type, raw in (event.args for event in heard):
        assert len(raw.split("\t")) == len(FIDS_OF[real_type])
    for venue, code in (("KRX", SYMBOL), ("NXT", f"{SYMBOL}_NX")):
        assert kiwoom.broker.summary()["published"][venue] == sum(
            event.args[:2] == (code, "주식호가잔량") for event in heard
        )
        assert kiwoom.broker.summary()["prints_published"][venue] == sum(
            event.args[:2] == (code, "주식체결") for event in heard
        )
    assert sum(kiwoom.broker.summary()["published"].values()) > 50
    kiwoom.control.DisconnectRealData("1000")
    kiwoom.pass_time(1_000)
    assert kiwoom.heard.take("real") == []


def test_a_print_tells_price_size_and_who_took_it() -> None:
    kiwoom = SimulatedKiwoom()
    kiwoom.heard.wanted_fids = (10, 15, 13, 9081)
    kiwoom.control.SetRealReg("1000", SYMBOL, "10", "0")
    (bid, _), (ask, _) = kiwoom.touch()
    kiwoom.order("q1", 1, 1, ask, "10")
    kiwoom.pass_time(100)
    kiwoom.order("q2", 2, 1, bid, "10")
    kiwoom.pass_time(100)
    bought, sold = kiwoom.heard.take("real")
    assert (bought.values[15], sold.values[15]) == ("+1", "-1")
    assert [abs(int(event.values[10])) for event in (bought, sold)] == [ask, bid]
    assert (sold.values[13], sold.values[9081]) == ("2", "1")
