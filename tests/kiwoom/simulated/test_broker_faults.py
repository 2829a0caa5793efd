"""Each fault of the simulated broker: what it does, that the ledger stays true, that every strike is written down."""

from collections import Counter
from dataclasses import replace

import pytest

from kiwoom.simulated.events import SessionSignal
from kiwoom.simulated.fault_sets import ALL, FAULT_SETS
from kiwoom.simulated.faults import BrokerKnobs, Faults, Latency, Strike, settings_from
from kiwoom.simulated.feed import NONSENSE, UNKNOWN_CODE
from kiwoom.simulated.orders import HTS_RQ_NAME
from kiwoom.simulated.scenario import FlowKnobs, Scenario
from tests.kiwoom.control_contract import states
from tests.support.simulated_kiwoom import (
    ACCOUNT,
    CASH,
    KOSDAQ_SYMBOL,
    MS,
    SHARES,
    SYMBOL,
    TEN_O_CLOCK,
    SimulatedKiwoom,
)

ALWAYS = 10_000
BUSY = Scenario(flow=FlowKnobs(quotes_per_second=120))


def struck(kiwoom: SimulatedKiwoom, fault: str) -> list[Strike]:
    return [strike for strike in kiwoom.broker.take_strikes() if strike.fault == fault]


def filled(kiwoom: SimulatedKiwoom, order_no: str) -> int:
    return sum(row.fill_qty for row in kiwoom.rows("FILL") if row.order_no == order_no)


def buy_one(kiwoom: SimulatedKiwoom, order_type: int = 1, rq_name: str = "q1", symbol: str = SYMBOL) -> int:
    """An IOC for one share at the venue's ask."""
    _, (ask, _) = kiwoom.touch("NXT" if order_type == 21 else "KRX", symbol)
    return kiwoom.order(rq_name, order_type, 1, ask, "10", symbol=symbol)


def open_rows(kiwoom: SimulatedKiwoom) -> list[str]:
    kiwoom.heard.take()
    assert kiwoom.query("opt10075", {"계좌번호": ACCOUNT, "체결구분": "1"}) == 0
    kiwoom.pass_time(200)
    return [row["주문번호"] for answer in kiwoom.heard.take("tr") for row in answer.rows]


# --- numbers and messages ---


def test_a_late_number_is_late_by_a_time_that_is_drawn_and_told() -> None:
    kiwoom = SimulatedKiwoom(
        faults=Faults(order_no_late=ALWAYS, order_no_late_ms=150, order_no_late_ms_max=900),
    )
    lateness = []
    for turn in range(8):
        start = kiwoom.clock.wall
        kiwoom.order(f"q{turn}", price=kiwoom.touch()[0][0])
        kiwoom.pass_time(1_200)
        (answer,) = kiwoom.heard.take("tr")
        (strike,) = struck(kiwoom, "order_no_late")
        assert (strike.subject, answer.at - start) == (f"q{turn}", strike.size_ns + 25 * MS)
        lateness.append(strike.size_ns)
    assert len(set(lateness)) == 8
    assert 150 * MS <= min(lateness) <= max(lateness) <= 900 * MS


@pytest.mark.parametrize("message_first", [True, False])
def test_a_swapped_message_is_on_the_other_side_of_the_number(message_first: bool) -> None:
    knobs = BrokerKnobs(message_before_tr=message_first)
    kiwoom = SimulatedKiwoom(knobs=knobs, faults=Faults(message_swapped=ALWAYS))
    kiwoom.order(price=kiwoom.touch()[0][0])
    kiwoom.pass_time(100)
    names = [event.name for event in kiwoom.heard.take("message", "tr")]
    assert names == (["tr", "message"] if message_first else ["message", "tr"])


# --- reports ---


def test_a_report_may_be_repeated_seconds_later() -> None:
    kiwoom = SimulatedKiwoom(
        faults=Faults(report_repeated=ALWAYS, report_repeated_ms=1_000, report_repeated_ms_max=3_000)
    )
    kiwoom.order(price=kiwoom.touch()[0][0])
    kiwoom.pass_time(4_000)
    first, again = kiwoom.heard.take_reports()
    (strike,) = struck(kiwoom, "report_repeated")
    assert again.values == first.values
    assert again.at - first.at == strike.size_ns
    assert 1_000 * MS <= strike.size_ns <= 3_000 * MS


def first_reports(faults: Faults) -> list[list[tuple[str, str]]]:
    """Of five purchases called one after the other: the (number, state) of each report as heard, by number."""
    kiwoom = SimulatedKiwoom(faults=faults)
    for turn in range(5):
        assert buy_one(kiwoom, rq_name=f"q{turn}") == 0
    kiwoom.pass_time(2_000)
    return [(event.values[9203], event.values[913]) for event in kiwoom.heard.take_reports() if event.args == ("0",)]


def test_reordered_reports_cross_those_of_other_orders_and_never_their_own() -> None:
    in_order = first_reports(Faults())
    assert in_order == sorted(in_order, key=lambda report: report[0])
    crossed = first_reports(Faults(report_reordered=5_000, report_reordered_ms_max=400))
    assert crossed != in_order and sorted(crossed) == sorted(in_order)
    for number in {report[0] for report in crossed}:
        assert [state for of, state in crossed if of == number] == ["접수", "체결"]


def test_the_other_ends_of_an_ioc_remainder_are_drawn() -> None:
    ways = Counter()
    for seed in range(12):
        kiwoom = SimulatedKiwoom(faults=Faults(ioc_end_other=ALWAYS), knobs=BrokerKnobs(ioc_end="clear"), seed=seed)
        _, (ask, size) = kiwoom.touch()
        kiwoom.order("q1", 1, size + 5, ask, "10")
        kiwoom.pass_time(200)
        *_, last = [event for event in kiwoom.heard.take_reports() if event.args[0] == "0"]
        ways[last.values[913]] += 1
        assert last.values[819] == "0"
        assert len(struck(kiwoom, "ioc_end_other")) == 1
    assert sorted(ways) == ["체결", "확인"]  # nothing after the fill, or a confirmation


def cleared(faults: Faults, hit: int = 0) -> dict[int, str]:
    """The clear event of a cancelled buy of four that was filled for `hit`."""
    kiwoom = SimulatedKiwoom(faults=faults)
    number = kiwoom.rest_buy(qty=4)
    if hit:
        kiwoom.broker.observe(kiwoom.market.hit("KRX", number, hit, kiwoom.clock.wall))
    kiwoom.pass_time(100)
    kiwoom.order("c1", 3, 0, orig=number)
    kiwoom.pass_time(200)
    return kiwoom.heard.take_reports()[-1].values


def test_the_clear_event_says_the_last_state_or_what_its_fault_says() -> None:
    def told(values: dict[int, str]) -> tuple[str, ...]:
        return tuple(values[fid] for fid in (913, 902, 819, 915))

    assert told(cleared(Faults())) == ("접수", "0", "1", "")
    assert told(cleared(Faults(), hit=3)) == ("체결", "0", "1", "3")
    assert told(cleared(Faults(clear_says_filled=ALWAYS))) == ("체결", "0", "1", "")
    assert told(cleared(Faults(clear_unmarked=ALWAYS))) == ("접수", "0", "0", "")
    assert told(cleared(Faults(clear_unmarked=ALWAYS), hit=3)) == ("체결", "0", "0", "3")


def test_a_phantom_fill_is_reported_and_never_was() -> None:
    kiwoom = SimulatedKiwoom(faults=Faults(phantom_report=ALWAYS))
    kiwoom.order(qty=4, price=kiwoom.touch()[0][0])
    kiwoom.pass_time(200)
    accepted, phantom = (event.values for event in kiwoom.heard.take_reports())
    number = accepted[9203]
    assert (phantom[9203], phantom[913]) == (number, "체결")
    assert int(phantom[902]) + int(phantom[915]) == 4 and phantom[909]
    assert kiwoom.rows("FILL") == []
    assert (kiwoom.account.cash, kiwoom.account.holding(SYMBOL).qty) == (CASH, SHARES)
    assert [(order.leaves, order.filled) for order in kiwoom.broker.open_orders()] == [(4, 0)]
    assert [strike.subject for strike in struck(kiwoom, "phantom_report")] == [number]


@pytest.mark.parametrize("seed", range(4))
def test_a_split_fill_is_several_executions_that_add_up(seed: int) -> None:
    kiwoom = SimulatedKiwoom(faults=Faults(fill_split=ALWAYS), seed=seed)
    _, (ask, size) = kiwoom.touch()
    qty = min(size, 12)
    kiwoom.order("q1", 1, qty, ask, "10")
    kiwoom.pass_time(200)
    fills = [event.values for event in kiwoom.heard.take_reports() if event.values.get(913) == "체결"]
    sizes = [int(fill[915]) for fill in fills]
    assert len(fills) >= 2 and sum(sizes) == qty
    assert len({fill[909] for fill in fills}) == len(fills)
    assert [int(fill[911]) for fill in fills] == [sum(sizes[: place + 1]) for place in range(len(sizes))]
    assert [int(fill[902]) for fill in fills] == [qty - int(fill[911]) for fill in fills]
    rows = kiwoom.rows("FILL")
    assert [(row.exec_id, row.fill_qty) for row in rows] == [(fill[909], int(fill[915])) for fill in fills]
    assert kiwoom.account.cash == CASH - sum(row.fill_px * row.fill_qty + row.fee_krw for row in rows)


# --- the caps ---


def test_a_jittering_clock_overloads_calls_that_were_inside_and_says_which() -> None:
    def codes(faults: Faults) -> tuple[list[int], SimulatedKiwoom]:
        kiwoom = SimulatedKiwoom(faults=faults)
        (bid, _), _ = kiwoom.touch()
        heard = []
        for turn in range(40):
            heard.append(kiwoom.order(f"q{turn}", 1, 1, bid))
            kiwoom.pass_time(200)
        return heard, kiwoom

    assert set(codes(Faults())[0]) == {0}
    heard, kiwoom = codes(Faults(clock_jitter_ms=60))
    refused = [f"q{turn}" for turn, code in enumerate(heard) if code == -308]
    assert 3 < len(refused) < 30
    assert [strike.subject for strike in struck(kiwoom, "clock_jitter_ms")] == refused
    assert [row.rq_name for row in kiwoom.rows("OVERLOAD")] == refused
    assert kiwoom.broker.summary()["orders_max_in_1s"] <= 5


def test_queries_are_overloaded_or_fail_without_reason_and_without_an_answer() -> None:
    inputs = {"계좌번호": ACCOUNT}
    for fault, codes in (("query_overload", {-200}), ("query_failed", {-22, -205, -211})):
        kiwoom = SimulatedKiwoom(faults=Faults(**{fault: ALWAYS}))
        heard = [kiwoom.query("opw00001", inputs) for _ in range(20)]
        kiwoom.pass_time(500)
        assert set(heard) == codes
        assert kiwoom.heard.take("tr", "message") == []
        assert [strike.subject for strike in struck(kiwoom, fault)] == ["query"] * 20


def test_a_late_answer_tells_how_things_stood_when_it_was_asked_for() -> None:
    kiwoom = SimulatedKiwoom(faults=Faults(query_late=ALWAYS, query_late_ms=500, query_late_ms_max=2_000))
    first = kiwoom.rest_buy("q1")
    kiwoom.heard.take()
    asked = kiwoom.clock.wall
    kiwoom.query("opt10075", {"계좌번호": ACCOUNT, "체결구분": "1"})
    kiwoom.order("c1", 3, 0, orig=first)
    kiwoom.pass_time(2_500)
    (answer,) = [event for event in kiwoom.heard.take("tr") if event.args[1] == "query"]
    (strike,) = struck(kiwoom, "query_late")
    assert [row["주문번호"] for row in answer.rows] == [first]
    assert kiwoom.broker.open_orders() == []
    assert answer.at - asked == strike.size_ns + 40 * MS


def test_a_lagging_list_leaves_out_the_newest_orders_only() -> None:
    kiwoom = SimulatedKiwoom(faults=Faults(list_lag=ALWAYS, list_lag_ms=500))
    old = kiwoom.rest_buy("q1")
    kiwoom.pass_time(600)
    kiwoom.heard.take()
    new = kiwoom.rest_buy("q2")
    assert open_rows(kiwoom) == [old]
    kiwoom.pass_time(600)
    assert open_rows(kiwoom) == [old, new]
    assert [strike.size_ns for strike in struck(kiwoom, "list_lag")] == [500 * MS] * 2


# --- cancels ---


def test_a_silent_cancel_works_and_is_found_by_a_query_alone() -> None:
    kiwoom = SimulatedKiwoom(faults=Faults(cancel_silent=ALWAYS))
    number = kiwoom.rest_buy()
    kiwoom.pass_time(100)
    kiwoom.heard.take()
    kiwoom.order("c1", 3, 0, orig=number)
    kiwoom.pass_time(1_000)
    assert kiwoom.heard.take("tr", "message", "chejan") == []
    assert [(row.kind.value, row.rq_name) for row in kiwoom.rows("CANCEL", "END")] == [("CANCEL", "c1"), ("END", "q1")]
    assert open_rows(kiwoom) == []


def test_a_raced_cancel_meets_an_order_that_was_just_hit_for_all_or_a_part() -> None:
    outcomes = Counter()
    for seed in range(12):
        kiwoom = SimulatedKiwoom(faults=Faults(cancel_raced=ALWAYS), seed=seed)
        number = kiwoom.rest_buy(qty=4)
        kiwoom.pass_time(100)
        kiwoom.heard.take()
        kiwoom.order("c1", 3, 0, orig=number)
        kiwoom.pass_time(200)
        (answer,) = kiwoom.heard.take("tr")
        taken = filled(kiwoom, number)
        assert taken >= 1
        assert (answer.values["주문번호"] == "") == (taken == 4)
        assert [row.qty for row in kiwoom.rows("END")] == [4 - taken]
        assert [strike.subject for strike in struck(kiwoom, "cancel_raced")] == [number]
        outcomes["all" if taken == 4 else "part"] += 1
    assert outcomes["all"] > 0 and outcomes["part"] > 0


# --- the market ---


def test_the_touch_is_gone_when_the_order_arrives() -> None:
    kiwoom = SimulatedKiwoom(faults=Faults(touch_gone=ALWAYS))
    _, (ask, _) = kiwoom.touch()
    kiwoom.order("q1", 1, 3, ask, "10")
    kiwoom.order("rests", 1, 3, ask - 1_000)
    kiwoom.pass_time(200)
    assert kiwoom.rows("FILL") == []
    assert kiwoom.touch()[1][0] > ask
    assert [row.reason for row in kiwoom.rows("END")] == ["ioc"]
    assert [strike.subject for strike in struck(kiwoom, "touch_gone")] == ["q1"]


@pytest.mark.parametrize("seed", range(4))
def test_a_thin_touch_fills_a_part(seed: int) -> None:
    kiwoom = SimulatedKiwoom(faults=Faults(touch_thin=ALWAYS), seed=seed)
    _, (ask, size) = kiwoom.touch()
    kiwoom.order("q1", 1, size, ask, "10")
    kiwoom.pass_time(200)
    part = sum(row.fill_qty for row in kiwoom.rows("FILL"))
    assert 0 < part < size
    assert [row.qty for row in kiwoom.rows("END")] == [size - part]
    assert len(struck(kiwoom, "touch_thin")) == 1


def test_a_resting_order_is_soon_hit_in_part() -> None:
    kiwoom = SimulatedKiwoom(faults=Faults(post_hit=ALWAYS, post_hit_ms=300))
    number = kiwoom.rest_buy(qty=50)
    assert filled(kiwoom, number) == 0
    kiwoom.pass_time(800)
    assert 0 < filled(kiwoom, number) <= 50
    (strike,) = struck(kiwoom, "post_hit")
    assert strike.subject == number and 300 * MS <= strike.size_ns <= 800 * MS


def refusals(kiwoom: SimulatedKiwoom) -> list[str]:
    """The venues that refuse a purchase now, by number or by report."""
    kiwoom.pass_time(1_100)
    kiwoom.heard.take()
    told = []
    for order_type, venue in ((1, "KRX"), (21, "NXT")):
        levels = kiwoom.levels("KRX")[1]
        kiwoom.order(f"try-{venue}", order_type, 1, levels[0][0] if levels else 93_600, "00")
    kiwoom.pass_time(200)
    refused = {event.args[1] for event in kiwoom.heard.events if event.name == "tr" and not event.values["주문번호"]}
    numbers = {event.values["주문번호"]: event.args[1] for event in kiwoom.heard.events if event.name == "tr"}
    for event in kiwoom.heard.take_reports():
        if event.values.get(913) == "거부":
            refused.add(numbers[event.values[9203]])
    told += sorted(name.removeprefix("try-") for name in refused)
    return told


def only_first_fill(kiwoom: SimulatedKiwoom) -> None:
    """What the first fill brought is under way; no later one brings more."""
    kiwoom.broker._line.dice.calm()


@pytest.mark.parametrize(
    ("fault", "order_type", "refusing"),
    [
        ("halt_after_fill", 1, ["KRX", "NXT"]),
        ("vi_after_fill", 21, ["NXT"]),
        ("vi_other_after_fill", 1, ["NXT"]),
        ("nxt_suspended_after_fill", 1, ["NXT"]),
        ("nxt_closed_after_fill", 1, ["NXT"]),
    ],
)
def test_a_fill_may_stop_one_venue_or_both_and_for_how_long(fault: str, order_type: int, refusing: list[str]) -> None:
    faults = replace(Faults(**{fault: ALWAYS}), halt_seconds=6, vi_seconds=6, nxt_suspended_seconds=6)
    kiwoom = SimulatedKiwoom(faults=faults)
    assert buy_one(kiwoom, order_type) == 0
    kiwoom.pass_time(100)
    only_first_fill(kiwoom)
    assert refusals(kiwoom) == refusing
    kiwoom.pass_time(7_000)
    assert refusals(kiwoom) == (["NXT"] if fault == "nxt_closed_after_fill" else [])
    (strike,) = struck(kiwoom, fault)
    assert strike.size_ns == (0 if fault == "nxt_closed_after_fill" else 6_000 * MS)


def test_a_stop_of_what_has_stopped_already_is_no_second_strike() -> None:
    kiwoom = SimulatedKiwoom(faults=Faults(halt_after_fill=ALWAYS, halt_seconds=5))
    for turn in range(3):
        buy_one(kiwoom, rq_name=f"q{turn}")
    kiwoom.pass_time(200)
    assert len(kiwoom.rows("FILL")) == 3
    assert len(struck(kiwoom, "halt_after_fill")) == 1


def test_a_suspended_nxt_stops_every_symbol_without_a_signal_and_takes_cancels() -> None:
    kiwoom = SimulatedKiwoom(faults=Faults(nxt_suspended_after_fill=ALWAYS))
    kiwoom.heard.wanted_fids = (215,)
    kiwoom.control.SetRealReg("1000", "", "215;20;214", "0")
    resting = kiwoom.rest_buy("q0", order_type=21)
    kiwoom.heard.take()
    buy_one(kiwoom)
    kiwoom.pass_time(100)
    assert buy_one(kiwoom, 21, "q2", KOSDAQ_SYMBOL) == 0
    kiwoom.order("c1", 23, 0, orig=resting)
    kiwoom.pass_time(200)
    heard = kiwoom.heard.take()
    assert [event for event in heard if event.name == "real"] == []
    assert [row.rq_name for row in kiwoom.rows("END")] == ["q1", "q2", "q0"]
    assert [row.reason for row in kiwoom.rows("END")][1:] == ["rejected: 거래정지 종목입니다", "canceled"]


def test_an_early_close_sends_its_signal_once_and_stands_to_the_evening() -> None:
    kiwoom = SimulatedKiwoom(faults=Faults(nxt_closed_after_fill=ALWAYS))
    kiwoom.heard.wanted_fids = (215,)
    kiwoom.control.SetRealReg("1000", "", "215;20;214", "0")
    resting = kiwoom.rest_buy("q0", order_type=21)
    kiwoom.heard.take()
    buy_one(kiwoom)
    kiwoom.pass_time(100)
    assert [event.values[215] for event in kiwoom.heard.take("real")] == ["S"]
    kiwoom.order("c1", 23, 0, orig=resting)
    kiwoom.pass_time(200)
    assert [event.values["주문번호"] for event in kiwoom.heard.take("tr")] == [""]
    assert kiwoom.broker.calm() == ("NXT closed early",)
    rest_of_day = kiwoom.market.advance(TEN_O_CLOCK + 6 * 3_600_000 * MS)
    assert [event.code for event in rest_of_day if isinstance(event, SessionSignal)] == [
        "2",
        "4",
        "8",
        "T",
        "a",
        "U",
        "b",
    ]
    assert kiwoom.market.phase("NXT") == "continuous"


@pytest.mark.parametrize(("order_type", "empty_side"), [(1, 0), (2, 1)])
def test_the_price_rushes_to_the_limit_against_us_and_back(order_type: int, empty_side: int) -> None:
    kiwoom = SimulatedKiwoom(scenario=BUSY, faults=Faults(limit_after_fill=ALWAYS, limit_seconds=4))
    before = kiwoom.touch()
    kiwoom.order("q1", order_type, 1, 0, "13")
    kiwoom.pass_time(100)
    only_first_fill(kiwoom)
    limit = kiwoom.market.limits(SYMBOL)[empty_side]
    for _ in range(3):
        for venue in ("KRX", "NXT"):
            sides = kiwoom.levels(venue)
            assert sides[empty_side] == []
            assert sides[1 - empty_side][0][0] == limit
        kiwoom.pass_time(1_000)
    kiwoom.pass_time(1_500)
    for venue in ("KRX", "NXT"):
        (bid, _), (ask, _) = kiwoom.touch(venue)
        assert abs(bid - before[0][0]) < 6_000 and bid < ask
    (strike,) = struck(kiwoom, "limit_after_fill")
    assert (strike.subject, strike.size_ns) == (SYMBOL, 4_000 * MS)


# --- the line ---


def test_a_line_lost_at_a_fill_takes_the_report_with_it_and_the_lists_have_the_fill() -> None:
    kiwoom = SimulatedKiwoom(faults=Faults(line_lost_at_fill=ALWAYS, line_down_ms=400))
    assert buy_one(kiwoom) == 0
    kiwoom.pass_time(200)
    heard = kiwoom.heard.take()
    assert [(event.name, event.args) for event in heard] == [("connect", (-106,))]
    (fill,) = kiwoom.rows("FILL")
    (strike,) = struck(kiwoom, "line_lost_at_fill")
    assert (strike.subject, strike.size_ns) == (fill.order_no, 400 * MS)
    for wait, code in ((200, -101), (100, 0)):
        assert kiwoom.control.CommConnect() == 0
        kiwoom.pass_time(wait)
        assert [event.args for event in kiwoom.heard.take("connect")] == [(code,)]
    kiwoom.heard.wanted_fields = ("주문번호", "체결량")
    kiwoom.query("opt10076", {"계좌번호": ACCOUNT})
    kiwoom.pass_time(200)
    (answer,) = kiwoom.heard.take("tr")
    assert answer.rows == [{"주문번호": fill.order_no, "체결량": "1"}]


def test_a_line_is_cut_out_of_nothing_and_fills_go_on_meanwhile() -> None:
    kiwoom = SimulatedKiwoom(faults=Faults(line_cuts_per_hour=3_600), log_in=False)
    kiwoom.control.CommConnect()
    kiwoom.pass_time(60)
    assert kiwoom.control.GetConnectState() == 1
    (bid, _), _ = kiwoom.touch()
    kiwoom.order("q1", 1, 5, bid)
    kiwoom.pass_time(2_100)
    assert kiwoom.control.GetConnectState() == 0
    assert [strike.subject for strike in struck(kiwoom, "line_cuts_per_hour")] == ["line"]
    (order,) = kiwoom.broker.open_orders()
    kiwoom.broker.observe(kiwoom.market.hit("KRX", order.order_no, 3, kiwoom.clock.wall))
    kiwoom.pass_time(500)
    assert filled(kiwoom, order.order_no) == 3
    kiwoom.heard.take()
    kiwoom.control.CommConnect()
    kiwoom.pass_time(60)
    kiwoom.heard.wanted_fields = ("주문번호", "미체결수량", "체결량")
    kiwoom.query("opt10075", {"계좌번호": ACCOUNT, "체결구분": "1"})
    kiwoom.pass_time(100)
    (answer,) = kiwoom.heard.take("tr")
    assert answer.rows == [{"주문번호": order.order_no, "미체결수량": "2", "체결량": "3"}]


def test_a_cut_asked_for_is_a_cut() -> None:
    kiwoom = SimulatedKiwoom()
    kiwoom.broker.cut_line(kiwoom.clock.wall, down_ns=500 * MS)
    kiwoom.pass_time(1)
    assert [event.args for event in kiwoom.heard.take("connect")] == [(-106,)]
    assert [(strike.fault, strike.size_ns) for strike in kiwoom.broker.take_strikes()] == [("cut_line", 500 * MS)]


# --- others ---


def test_an_order_by_hand_has_reports_and_shares_and_no_number_of_ours() -> None:
    kiwoom = SimulatedKiwoom()
    _, (ask, _) = kiwoom.touch()
    now = (kiwoom.clock.mono, kiwoom.clock.wall)
    number = kiwoom.broker.order_by_hand("KRX", SYMBOL, "BUY", 3, ask, "10", *now)
    kiwoom.pass_time(200)
    heard = kiwoom.heard.take("message", "tr", "chejan")
    assert states(heard) == [("0", "접수", "3", "0"), ("0", "체결", "0", "0"), ("1",)]
    assert heard[0].values[9203] == number and heard[0].values[920] == ""
    assert kiwoom.account.holding(SYMBOL).qty == SHARES + 3
    assert [row.rq_name for row in kiwoom.rows()] == [HTS_RQ_NAME] * 3
    assert kiwoom.broker.summary()["orders_max_in_1s"] == 0
    assert kiwoom.broker.order_by_hand("KRX", SYMBOL, "SELL", SHARES * 2, ask, "00", *now) == ""


def test_the_traders_hand_follows_ours_takes_or_rests_and_tidies_up() -> None:
    kiwoom = SimulatedKiwoom(faults=Faults(foreign_order=ALWAYS))
    for turn in range(20):
        buy_one(kiwoom, rq_name=f"q{turn}")
        kiwoom.pass_time(1_000)
    placed = struck(kiwoom, "foreign_order")
    by_hand = {row.order_no: row for row in kiwoom.rows("ORDER") if row.rq_name == HTS_RQ_NAME}
    assert [strike.subject for strike in placed] == list(by_hand)
    assert {row.venue for row in by_hand.values()} == {"KRX", "NXT"}
    assert {row.side for row in by_hand.values()} == {"BUY", "SELL"}
    assert {row.hoga_code for row in by_hand.values()} == {"00", "10"}
    kiwoom.pass_time(3_000)
    assert kiwoom.broker.open_orders() == []
    assert all(row.symbol == SYMBOL and 1 <= row.qty <= 5 for row in by_hand.values())
    assert {row.rq_name for row in kiwoom.rows("CANCEL")} == {HTS_RQ_NAME}


def test_nonsense_comes_before_true_quotes_and_costs_none_of_them() -> None:
    def quotes(faults: Faults) -> tuple[list[tuple[str, str, int]], SimulatedKiwoom]:
        kiwoom = SimulatedKiwoom(scenario=BUSY, faults=faults)
        kiwoom.heard.wanted_fids = (41, 61, 51, 71)
        kiwoom.control.SetRealReg("1000", f"{SYMBOL};{SYMBOL}_NX", "41;51;61;71", "0")
        kiwoom.pass_time(3_000)
        return [(event.args[0], event.args[2], event.at) for event in kiwoom.heard.take("real")], kiwoom

    true, sober = quotes(Faults())
    heard, kiwoom = quotes(Faults(poison_quote=ALWAYS))
    assert heard[1::2] == true
    poison = heard[::2]
    assert [quote[2] for quote in poison] == [quote[2] for quote in true]
    assert {code for code, _, _ in poison} == {SYMBOL, f"{SYMBOL}_NX", UNKNOWN_CODE}
    assert not {quote[:2] for quote in poison} & {quote[:2] for quote in true} - {
        (code, raw) for code, raw, _ in poison if code == UNKNOWN_CODE
    }
    assert len(poison) > 5 * len(NONSENSE)
    assert kiwoom.broker.summary()["published"] == sober.broker.summary()["published"]
    assert [strike.subject for strike in struck(kiwoom, "poison_quote")] == [quote[0] for quote in true]


# --- the whole ---


def busy_day(kiwoom: SimulatedKiwoom, turns: int) -> None:
    """Orders of every kind, cancels and queries; logs in again when the line was cut."""
    kinds = [(1, "00"), (2, "00"), (21, "10"), (22, "10"), (1, "13"), (2, "10"), (21, "00"), (22, "00")]
    for turn in range(turns):
        order_type, hoga = kinds[turn % len(kinds)]
        bids, asks = kiwoom.levels("NXT" if order_type > 20 else "KRX")
        buying, joins = order_type in (1, 21), hoga == "00"
        levels = bids if buying == joins else asks
        if levels or hoga == "13":
            kiwoom.order(f"q{turn}", order_type, 1 + turn % 30, 0 if hoga == "13" else levels[0][0], hoga)
        for order in kiwoom.broker.open_orders()[-1:] if turn % 3 == 0 else ():
            cancel_type = 23 if order.venue == "NXT" else 3 if order.side == "BUY" else 4
            kiwoom.order(f"c{turn}", cancel_type, 0, orig=order.order_no)
        if turn % 5 == 0:
            kiwoom.query("opt10075", {"계좌번호": ACCOUNT, "체결구분": "1"})
        kiwoom.pass_time(180)
        if kiwoom.control.GetConnectState() == 0:
            kiwoom.control.CommConnect()
            kiwoom.pass_time(120)
            kiwoom.control.SetRealReg("1000", f"{SYMBOL};{SYMBOL}_NX", "41;51;61;71", "0")


def faults_of(name: str, times: int = 1, **over: int) -> Faults:
    values = {
        key: min(ALWAYS, value * times) if not key.endswith(("_ms", "_ms_max", "_seconds")) else value
        for key, value in FAULT_SETS[name].items()
    }
    return settings_from(Faults, {**values, **over}, "faults")


def test_every_fault_of_all_strikes_on_a_busy_day_and_the_books_add_up() -> None:
    faults = faults_of(
        ALL, 8, vi_seconds=1, halt_seconds=1, limit_seconds=1, nxt_suspended_seconds=1, line_down_ms_max=50
    )
    faults = replace(faults, nxt_closed_after_fill=0, line_cuts_per_hour=600)
    kiwoom = SimulatedKiwoom(scenario=BUSY, faults=faults, latency=Latency(), seed=8)
    busy_day(kiwoom, 1_200)
    wanted = {key for key, value in FAULT_SETS[ALL].items() if value and not key.endswith(("_ms", "_max", "_seconds"))}
    counts = kiwoom.broker.summary()["faults"]
    assert (wanted | {"clock_jitter_ms"}) - counts.keys() == {"nxt_closed_after_fill"}
    assert Counter(strike.fault for strike in kiwoom.broker.take_strikes()) == counts
    cash, shares = CASH, SHARES
    for row in kiwoom.rows("FILL"):
        sign = 1 if row.side == "SELL" else -1
        cash += sign * row.fill_px * row.fill_qty - row.fee_krw - row.tax_krw
        shares -= sign * row.fill_qty
    assert (kiwoom.account.cash, kiwoom.account.holding(SYMBOL).qty) == (cash, shares)
    ids = [(row.venue, row.exec_id) for row in kiwoom.rows("FILL")]
    assert len(ids) == len(set(ids)) > 100
    taken = {row.order_no: row.qty for row in kiwoom.rows("ORDER")}
    for row in kiwoom.rows("END"):
        assert filled(kiwoom, row.order_no) + row.qty == taken[row.order_no]


def test_the_same_seed_gives_the_same_day_with_all_faults() -> None:
    def run(seed: int) -> list[tuple]:
        kiwoom = SimulatedKiwoom(scenario=BUSY, faults=faults_of(ALL, 4), latency=Latency(), seed=seed)
        busy_day(kiwoom, 60)
        heard = [(event.name, event.args, event.at) for event in kiwoom.heard.take()]
        return [*heard, *kiwoom.rows(), *kiwoom.broker.take_strikes()]

    assert run(5) == run(5) != run(6)


def test_calm_ends_what_stands_and_nothing_strikes_after_it() -> None:
    faults = faults_of(ALL, 20, halt_seconds=600, vi_seconds=600, nxt_suspended_seconds=600, line_down_ms=3_000)
    faults = replace(faults, nxt_closed_after_fill=0, line_down_ms=600_000, line_down_ms_max=0)
    kiwoom = SimulatedKiwoom(scenario=BUSY, faults=faults, latency=Latency(), seed=8)
    busy_day(kiwoom, 60)
    assert kiwoom.control.GetConnectState() == 0
    assert kiwoom.market.book("NXT", SYMBOL) is not None
    assert kiwoom.broker.calm() == ()
    kiwoom.broker.take_strikes()
    kiwoom.heard.take()
    kiwoom.control.CommConnect()
    kiwoom.pass_time(5_000)
    assert kiwoom.control.GetConnectState() == 1
    kiwoom.heard.take()
    assert refusals(kiwoom) == []
    busy_day(kiwoom, 60)
    assert kiwoom.control.GetConnectState() == 1
    assert kiwoom.broker.take_strikes() == []


def test_calm_ends_each_kind_of_stop_at_once() -> None:
    for disturb in (
        lambda market, wall: market.halt("KRX", SYMBOL, wall, 60),
        lambda market, wall: market.start_vi("KRX", SYMBOL, wall),
        lambda market, wall: market.start_vi("NXT", SYMBOL, wall),
        lambda market, wall: market.suspend_nxt(wall, 60),
        lambda market, wall: market.rush_to_limit(SYMBOL, True, wall, 60),
    ):
        kiwoom = SimulatedKiwoom()
        before = kiwoom.touch("KRX"), kiwoom.touch("NXT")
        kiwoom.broker.observe(disturb(kiwoom.market, kiwoom.clock.wall))
        kiwoom.pass_time(100)
        assert kiwoom.broker.calm() == ()
        kiwoom.pass_time(1)
        for venue, ((bid, _), (ask, _)) in zip(("KRX", "NXT"), before, strict=True):
            assert abs(kiwoom.touch(venue)[0][0] - bid) <= 300 and abs(kiwoom.touch(venue)[1][0] - ask) <= 300
        assert refusals(kiwoom) == []
        kiwoom.pass_time(130_000)  # the ends that were planned find nothing to end
        assert refusals(kiwoom) == []


# --- ends that are none ---


def test_a_shelved_order_is_in_no_list_has_no_number_and_trades_later() -> None:
    kiwoom = SimulatedKiwoom(faults=Faults(order_shelved=ALWAYS, order_shelved_ms=3_000))
    assert buy_one(kiwoom) == 0
    kiwoom.pass_time(2_500)
    assert kiwoom.heard.take("tr", "chejan") == []
    assert open_rows(kiwoom) == []
    kiwoom.pass_time(1_500)
    assert [strike.size_ns for strike in struck(kiwoom, "order_shelved")] == [3_000 * MS]
    assert sum(row.fill_qty for row in kiwoom.rows("FILL")) == 1
    assert len(kiwoom.heard.take("tr")) == 1


def test_what_is_shelved_goes_on_when_it_is_calm() -> None:
    kiwoom = SimulatedKiwoom(faults=Faults(order_shelved=ALWAYS, order_shelved_ms=60_000))
    buy_one(kiwoom)
    kiwoom.pass_time(500)
    kiwoom.broker.calm()
    kiwoom.pass_time(500)
    assert sum(row.fill_qty for row in kiwoom.rows("FILL")) == 1


def test_a_shelved_order_that_rests_stands_in_the_book_later() -> None:
    kiwoom = SimulatedKiwoom(faults=Faults(order_shelved=ALWAYS, order_shelved_ms=3_000))
    kiwoom.order("q1", price=kiwoom.touch()[1][0] - 1_000)
    kiwoom.pass_time(2_500)
    assert open_rows(kiwoom) == []
    kiwoom.pass_time(1_500)
    assert len(open_rows(kiwoom)) == 1


def test_an_untrue_rejection_is_told_before_the_fill_that_contradicts_it() -> None:
    kiwoom = SimulatedKiwoom(faults=Faults(reject_untrue=ALWAYS))
    buy_one(kiwoom)
    kiwoom.pass_time(500)
    words = str(states(kiwoom.heard.take("chejan")))
    assert -1 < words.find("거부") < words.find("체결")
    assert sum(row.fill_qty for row in kiwoom.rows("FILL")) == 1


def test_an_untrue_cancel_is_confirmed_and_the_order_fills_all_the_same() -> None:
    kiwoom = SimulatedKiwoom(faults=Faults(cancel_untrue=ALWAYS, cancel_untrue_ms=300))
    number = kiwoom.rest_buy(qty=2)
    kiwoom.heard.take()
    kiwoom.order("q2", 3, 0, 0, "00", orig=number)
    kiwoom.pass_time(200)
    assert "확인" in str(states(kiwoom.heard.take("chejan")))
    assert filled(kiwoom, number) == 0
    kiwoom.pass_time(400)
    assert filled(kiwoom, number) == 2


def test_an_ioc_that_rests_stands_in_the_list_until_it_is_cancelled() -> None:
    kiwoom = SimulatedKiwoom(faults=Faults(ioc_rests=ALWAYS))
    kiwoom.order("q1", 1, 1, kiwoom.touch()[0][0], "10")
    kiwoom.pass_time(300)
    (order_no,) = open_rows(kiwoom)
    assert [strike.subject for strike in struck(kiwoom, "ioc_rests")] == [order_no]


def test_a_stale_list_shows_for_a_while_what_has_just_ended() -> None:
    kiwoom = SimulatedKiwoom(faults=Faults(list_stale=ALWAYS, list_stale_ms=600))
    kiwoom.order("q1", 1, 1, kiwoom.touch()[0][0], "10")
    kiwoom.pass_time(200)
    assert len(open_rows(kiwoom)) == 1
    kiwoom.pass_time(800)
    assert open_rows(kiwoom) == []
