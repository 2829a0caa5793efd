"""What the adapter relies on of any control: one suite, run against the simulated one, and against the OCX on Windows.

A subclass gives a fixture `kiwoom`: a bench with a logged-in `control`, a recorder `heard` (events, with every value a
handler could read), `pass_time(ms)`, `account_no`, `symbol` (traded on both venues, held), `touch(venue)` and the
short forms `order` and `query`. `tests/support/simulated_kiwoom.py` is the model. Sources: KIWOOM.md 1 to 4.
"""

from typing import Any

import pytest

QUOTE_FIDS = "41;61;51;71"
REPORT_FIDS = [
    *(9201, 9203, 9205, 9001, 912, 913, 302, 900, 901, 902, 903, 904, 905, 906, 907, 908, 909, 910, 911, 10, 27, 28),
    *(914, 915, 938, 939, 919, 920, 921, 922, 923, 949, 10010, 969, 819),
]
BALANCE_FIDS = [
    *(9201, 9001, 917, 916, 302, 10, 930, 931, 932, 933, 945, 946, 950, 951, 27, 28, 307, 8019, 957, 958, 918),
    *(990, 991, 992, 993, 959, 924, 10010, 25, 11, 12, 306, 305, 970),
]


def states(reports: list[Any]) -> list[tuple[str, ...]]:
    """Of each report: gubun, and for an order its state, open quantity and whether it is the clear event."""
    return [
        (event.args[0], event.values[913], event.values[902], event.values[819])
        if event.args[0] == "0"
        else (event.args[0],)
        for event in reports
    ]


class ControlContract:
    # --- login and master data ---

    def test_a_login_answers_by_an_event_and_never_inside_the_call(self, fresh_kiwoom: Any) -> None:
        control, heard = fresh_kiwoom.control, fresh_kiwoom.heard
        assert control.GetConnectState() == 0
        assert control.GetLoginInfo("ACCNO") == ""
        assert control.CommConnect() == 0
        assert heard.events == []
        fresh_kiwoom.pass_time(200)
        assert [(event.name, event.args) for event in heard.take()] == [("connect", (0,))]
        assert control.GetConnectState() == 1

    def test_account_list_and_code_lists_end_with_a_semicolon(self, kiwoom: Any) -> None:
        assert kiwoom.control.GetLoginInfo("ACCNO").endswith(f"{kiwoom.account_no};")
        for market in ("0", "10", "NXT"):
            assert kiwoom.control.GetCodeListByMarket(market).endswith(";")
        assert kiwoom.symbol in kiwoom.control.GetCodeListByMarket("NXT").split(";")

    def test_master_data_of_a_listed_code_and_of_none(self, kiwoom: Any) -> None:
        control = kiwoom.control
        assert control.GetMasterCodeName(kiwoom.symbol)
        base_price = control.GetMasterLastPrice(kiwoom.symbol)
        assert base_price.isdecimal() and base_price.startswith("0")
        assert control.GetMasterCodeName("999999") == ""

    # --- real-time data ---

    def test_the_two_codes_of_a_symbol_are_two_streams(self, kiwoom: Any) -> None:
        codes = f"{kiwoom.symbol};{kiwoom.symbol}_NX"
        assert kiwoom.control.SetRealReg("1000", codes, QUOTE_FIDS, "0") == 0
        kiwoom.stir()
        heard = {event.args[:2] for event in kiwoom.heard.take("real")}
        assert heard == {(kiwoom.symbol, "주식호가잔량"), (f"{kiwoom.symbol}_NX", "주식호가잔량")}

    def test_a_book_event_shows_its_touch_with_signed_prices(self, kiwoom: Any) -> None:
        kiwoom.heard.wanted_fids = (41, 61, 51, 71)
        kiwoom.control.SetRealReg("1000", kiwoom.symbol, QUOTE_FIDS, "0")
        kiwoom.stir()
        last = kiwoom.heard.take("real")[-1]
        (bid, bid_size), (ask, ask_size) = kiwoom.touch("KRX")
        assert [abs(int(last.values[fid])) for fid in (41, 61, 51, 71)] == [ask, ask_size, bid, bid_size]
        base_price = int(kiwoom.control.GetMasterLastPrice(kiwoom.symbol))
        for price in (last.values[41], last.values[51]):
            sign = "+" if abs(int(price)) > base_price else "-" if abs(int(price)) < base_price else ""
            assert price == f"{sign}{abs(int(price))}"

    def test_a_code_on_two_screens_comes_once_until_both_are_gone(self, kiwoom: Any) -> None:
        for screen in ("1000", "1001"):
            kiwoom.control.SetRealReg(screen, kiwoom.symbol, QUOTE_FIDS, "0")
        kiwoom.stir()
        both = [event.args for event in kiwoom.heard.take("real")]
        assert both and len(both) == len(set(both))
        kiwoom.control.DisconnectRealData("1000")
        kiwoom.stir()
        assert kiwoom.heard.take("real")
        kiwoom.control.SetRealRemove("1001", kiwoom.symbol)
        kiwoom.stir()
        assert kiwoom.heard.take("real") == []

    def test_option_0_replaces_the_screen_and_option_1_adds_to_it(self, kiwoom: Any) -> None:
        kiwoom.control.SetRealReg("1000", kiwoom.symbol, QUOTE_FIDS, "0")
        kiwoom.control.SetRealReg("1000", f"{kiwoom.symbol}_NX", QUOTE_FIDS, "1")
        kiwoom.stir()
        assert len({event.args[0] for event in kiwoom.heard.take("real")}) == 2
        kiwoom.control.SetRealReg("1000", f"{kiwoom.symbol}_NX", QUOTE_FIDS, "0")
        kiwoom.stir()
        assert {event.args[0] for event in kiwoom.heard.take("real")} == {f"{kiwoom.symbol}_NX"}

    def test_a_screen_takes_a_hundred_codes(self, kiwoom: Any) -> None:
        hundred = [f"{number:06d}" for number in range(1, 101)]
        assert kiwoom.control.SetRealReg("1000", ";".join(hundred), QUOTE_FIDS, "0") == 0
        assert kiwoom.control.SetRealReg("1001", ";".join([*hundred, "000101"]), QUOTE_FIDS, "0") < 0

    # --- orders ---

    @pytest.mark.parametrize(("order_type", "venue", "selector"), [(1, "KRX", "1"), (21, "NXT", "2")])
    def test_a_resting_buy_is_numbered_then_received(
        self, kiwoom: Any, order_type: int, venue: str, selector: str
    ) -> None:
        (bid, _), _ = kiwoom.touch(venue)
        assert kiwoom.order("entry-1", order_type, 3, bid, screen="2001") == 0
        assert kiwoom.heard.events == []
        kiwoom.pass_time(200)
        message, answer, received = kiwoom.heard.take("message", "tr", "chejan")
        number = answer.values["주문번호"]
        assert message.args[:2] == answer.args[:2] == ("2001", "entry-1")
        assert len(number) == 7 and number.isdecimal()
        assert answer.args[3] == ""
        assert states([received]) == [("0", "접수", "3", "0")]
        values = received.values
        assert list(values)[:35] == REPORT_FIDS
        assert values[9203] == number
        assert values[9001] == f"A{kiwoom.symbol}"
        assert values[302] == values[302].strip().ljust(20)
        assert (values[900], values[901], values[903], values[904]) == ("3", str(bid), "0", "0000000")
        assert (values[905], values[906], values[907], values[912]) == ("+매수", "보통", "2", "JJ")
        assert [values[fid] for fid in (909, 910, 911, 914, 915)] == ["", "", "", "", ""]
        assert (values[919], values[920], values[922], values[923]) == ("0", "2001", "00", "00000000")
        assert len(values[908]) == 6
        assert (values[2134], values[2135], values[2136]) == (selector, venue, "N")

    def test_a_sale_is_received_then_the_balance_shows_fewer_sellable_shares(self, kiwoom: Any) -> None:
        _, (ask, _) = kiwoom.touch("KRX")
        assert kiwoom.order("exit-1", 2, 7, ask) == 0
        kiwoom.pass_time(200)
        received, balance = kiwoom.heard.take_reports()
        assert states([received, balance]) == [("0", "접수", "7", "0"), ("1",)]
        assert (received.values[905], received.values[907]) == ("-매도", "1")
        assert list(balance.values) == BALANCE_FIDS
        assert int(balance.values[930]) - int(balance.values[933]) == 7
        assert balance.values[951] == "0"

    def test_a_fill_is_received_filled_and_balanced_with_its_own_price_and_quantity(self, kiwoom: Any) -> None:
        _, (ask, size) = kiwoom.touch("KRX")
        _, (_, second_ask, *_) = kiwoom.levels("KRX")
        qty = size + 1
        assert kiwoom.order("entry-1", 1, qty, second_ask[0], "10") == 0
        kiwoom.pass_time(200)
        received, *reports = kiwoom.heard.take_reports()
        assert states([received]) == [("0", "접수", str(qty), "0")]
        fills, balances = reports[::2], reports[1::2]
        assert [event.args[0] for event in reports] == ["0", "1"] * len(fills)
        filled = amount = 0
        for fill, balance in zip(fills, balances, strict=True):
            filled += int(fill.values[915])
            amount += int(fill.values[914]) * int(fill.values[915])
            assert states([fill]) == [("0", "체결", str(qty - filled), "0")]
            assert (fill.values[911], fill.values[903]) == (str(filled), str(amount))
            held_before = int(balances[0].values[930]) - int(fills[0].values[915])
            assert int(balance.values[930]) == held_before + filled
        assert (filled, amount) == (qty, ask * size + second_ask[0])
        assert len({fill.values[909] for fill in fills}) == len(fills)

    def test_a_cancel_has_its_own_number_is_confirmed_and_clears_the_original(self, kiwoom: Any) -> None:
        number = kiwoom.rest_buy("entry-1", qty=4)
        kiwoom.heard.take()
        assert kiwoom.order("cancel-1", 3, 0, 0, orig=number, screen="2002") == 0
        kiwoom.pass_time(200)
        _, answer, received, confirmed, cleared = kiwoom.heard.take("message", "tr", "chejan")
        cancel_number = answer.values["주문번호"]
        assert len(cancel_number) == 7 and cancel_number != number
        assert states([received, confirmed, cleared]) == [
            ("0", "접수", "4", "0"),
            ("0", "확인", "0", "0"),
            ("0", "접수", "0", "1"),
        ]
        for report in (received, confirmed):
            assert (report.values[9203], report.values[904]) == (cancel_number, number)
            assert (report.values[905], report.values[900], report.values[920]) == ("매수취소", "4", "2002")
        assert (cleared.values[9203], cleared.values[904], cleared.values[905]) == (number, "0000000", "+매수")

    def test_a_clear_event_after_a_partial_fill_repeats_the_fill(self, kiwoom: Any) -> None:
        _, (ask, size) = kiwoom.touch("KRX")
        kiwoom.order("entry-1", 1, size + 5, ask)
        kiwoom.pass_time(200)
        answer, *reports = kiwoom.heard.take("tr", "chejan")
        filled_reports = [event for event in reports if event.args[0] == "0"]
        kiwoom.order("cancel-1", 3, 5, 0, orig=answer.values["주문번호"])
        kiwoom.pass_time(200)
        last_fill, cleared = filled_reports[-1], kiwoom.heard.take_reports()[-1]
        assert states([last_fill, cleared]) == [("0", "체결", "5", "0"), ("0", "체결", "0", "1")]
        for fid in (909, 911, 914, 915, 903):
            assert cleared.values[fid] == last_fill.values[fid] != ""

    def test_a_cancel_of_a_filled_order_gets_a_blank_number_and_no_report(self, kiwoom: Any) -> None:
        _, (ask, _) = kiwoom.touch("KRX")
        kiwoom.order("entry-1", 1, 1, ask, "10")
        kiwoom.pass_time(200)
        (answer,) = kiwoom.heard.take("tr")
        assert kiwoom.order("cancel-1", 3, 0, 0, orig=answer.values["주문번호"]) == 0
        kiwoom.pass_time(200)
        message, refused = kiwoom.heard.take("message", "tr", "chejan")
        assert message.args[3]
        assert refused.values["주문번호"] == ""

    @pytest.mark.parametrize(
        ("why", "order_type", "price", "hoga"),
        [
            ("off the tick", 1, lambda bid: bid - 1, "00"),
            ("above the limit", 1, lambda bid: bid * 2, "00"),
            ("a plain market order at NXT", 21, lambda bid: 0, "03"),
            ("an order kind there is not", 1, lambda bid: bid, "99"),
            ("a price with a price-less kind", 1, lambda bid: bid, "13"),
        ],
    )
    def test_the_server_turns_away_with_a_blank_number_and_a_message(
        self, kiwoom: Any, why: str, order_type: int, price: Any, hoga: str
    ) -> None:
        (bid, _), _ = kiwoom.touch("KRX")
        assert kiwoom.order("entry-1", order_type, 1, price(bid), hoga) == 0, why
        kiwoom.pass_time(200)
        message, answer = kiwoom.heard.take("message", "tr", "chejan")
        assert message.args[1] == "entry-1" and message.args[3]
        assert answer.values["주문번호"] == ""

    @pytest.mark.parametrize(
        ("wrong", "code"),
        [
            ({"symbol": "999999"}, -500),
            ({"symbol": "005930_NX"}, -500),
            ({"account": "1111111111"}, -302),
            ({"screen": "0000"}, -300),
            ({"qty": 0}, -300),
            ({"order_type": 24}, -15),
            ({"order_type": 14}, -15),
        ],
    )
    def test_the_control_turns_away_with_its_code_and_no_event(
        self, kiwoom: Any, wrong: dict[str, Any], code: int
    ) -> None:
        (bid, _), _ = kiwoom.touch("KRX")
        assert kiwoom.order(**{"price": bid, **wrong}) == code
        kiwoom.pass_time(200)
        assert kiwoom.heard.take("message", "tr", "chejan") == []

    def test_the_sixth_order_within_a_second_is_overload_and_cancels_count(self, kiwoom: Any) -> None:
        number = kiwoom.rest_buy("entry-0")
        (bid, _), _ = kiwoom.touch("KRX")
        for count in range(3):
            assert kiwoom.order(f"entry-{count + 1}", 1, 1, bid) == 0
        assert kiwoom.order("cancel-1", 3, 0, 0, orig=number) == 0
        assert kiwoom.order("entry-5", 1, 1, bid) == -308
        kiwoom.pass_time(1_100)
        assert kiwoom.order("entry-6", 1, 1, bid) == 0

    # --- queries and getters ---

    def test_the_sixth_query_within_a_second_is_overload(self, kiwoom: Any) -> None:
        inputs = {"계좌번호": kiwoom.account_no, "비밀번호": "", "비밀번호입력매체구분": "00", "조회구분": "3"}
        codes = [kiwoom.query("opw00001", inputs) for _ in range(6)]
        assert codes == [0, 0, 0, 0, 0, -200]

    def test_getters_are_empty_outside_their_event(self, kiwoom: Any) -> None:
        kiwoom.control.SetRealReg("1000", kiwoom.symbol, QUOTE_FIDS, "0")
        kiwoom.rest_buy("entry-1")
        kiwoom.stir()
        assert kiwoom.control.GetChejanData(9203) == ""
        assert kiwoom.control.GetCommRealData(kiwoom.symbol, 41) == ""
        assert kiwoom.control.GetCommData("opt10075", "query", 0, "주문번호") == ""
        assert kiwoom.control.GetRepeatCnt("opt10075", "query") == 0

    def test_an_open_order_is_in_opt10075_until_it_ends(self, kiwoom: Any) -> None:
        kiwoom.heard.wanted_fields = ("주문번호", "종목코드", "미체결수량", "주문수량", "주문구분", "거래소구분")
        inputs = {
            "계좌번호": kiwoom.account_no,
            "전체종목구분": "1",
            "매매구분": "0",
            "종목코드": kiwoom.symbol,
            "체결구분": "1",
            "거래소구분": "0",
        }
        number = kiwoom.rest_buy("entry-1", qty=2)
        assert kiwoom.query("opt10075", inputs) == 0
        kiwoom.pass_time(200)
        (answer,) = kiwoom.heard.take("tr")
        assert [[value.strip() for value in row.values()] for row in answer.rows] == [
            [number, kiwoom.symbol, "2", "2", "+매수", "1"]
        ]
        kiwoom.order("cancel-1", 3, 0, 0, orig=number)
        kiwoom.pass_time(200)
        kiwoom.heard.take()
        kiwoom.query("opt10075", inputs)
        kiwoom.pass_time(200)
        (answer,) = kiwoom.heard.take("tr")
        assert answer.rows == []

    def test_the_watch_list_tells_names_and_limits_with_their_signs(self, kiwoom: Any) -> None:
        kiwoom.heard.wanted_fields = ("종목코드", "종목명", "현재가", "기준가", "상한가", "하한가")
        codes = f"{kiwoom.symbol};{kiwoom.symbol}_NX"
        assert kiwoom.control.CommKwRqData(codes, 0, 2, 0, "watch", "3001") == 0
        kiwoom.pass_time(200)
        (answer,) = kiwoom.heard.take("tr")
        assert answer.args[2] == "OPTKWFID"
        assert [row["종목코드"].strip() for row in answer.rows] == codes.split(";")
        for row in answer.rows:
            assert row["기준가"].strip().isdecimal()
            assert row["상한가"].strip().startswith("+")
            assert row["하한가"].strip().startswith("-")
