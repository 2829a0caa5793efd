"""The control's strings, recorded and invented, and what they decode to."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiwoom import decode
from kiwoom.codes import fid, tr
from kiwoom.control import OrderReport, ReportKind, SessionSignalled
from kiwoom.decode import DecodeError
from kiwoom.market import Nanos, Side, Venue
from kiwoom.quotes import FIELD_MAX
from tests.support import samples

AT = Nanos(7)
K = ReportKind


def report(name: str, **changes: str) -> OrderReport:
    return decode.order_report(AT, samples.chejan(name).but(**changes).values)


# --- single fields ---


@pytest.mark.parametrize(
    ("text", "won"),
    [
        ("77000", 77000),
        ("-77000", 77000),
        ("+77000", 77000),
        ("+-77000", 77000),
        ("--77000", 77000),
        ("  -77000 ", 77000),
        ("00077500", 77500),
        ("+0", 0),
        (" 0", 0),
        ("", 0),
        ("   ", 0),
    ],
)
def test_a_price_loses_its_signs_and_padding(text: str, won: int) -> None:
    assert decode.price(text) == won


@pytest.mark.parametrize(
    "text", ["-", "+", "77,000", "77000.0", "7_7", "１２", "²", "7 7", "A1", "9" * 19, "0x10", "1e3", "77000-"]
)
def test_what_is_no_price_is_an_error(text: str) -> None:
    with pytest.raises(DecodeError):
        decode.price(text)


def test_a_quantity_has_no_minus_and_money_keeps_its_sign() -> None:
    assert decode.shares(" 000000012 ") == 12
    assert decode.shares("+3") == 3
    assert decode.shares("") == 0
    for text in ("-3", "+-3", "3.0"):
        with pytest.raises(DecodeError):
            decode.shares(text)
    assert decode.signed_won("-00000012345") == -12345
    assert decode.signed_won("+00000012345") == 12345
    assert decode.signed_won("") == 0
    for text in ("--5", "-", "5-"):
        with pytest.raises(DecodeError):
            decode.signed_won(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("005930", "005930"),
        ("A005930", "005930"),
        ("J005930", "005930"),
        ("Q500001", "500001"),
        (" A005930  ", "005930"),
        ("005930_NX", "005930"),
        ("A005930_AL", "005930"),
        ("00088K", "00088K"),
        ("A0001A0", "0001A0"),
    ],
)
def test_a_code_loses_its_prefix_letter_and_venue_suffix(text: str, code: str) -> None:
    assert decode.symbol(text) == code


@pytest.mark.parametrize(
    "text", ["", "A", "05930", "B005930", "A00593", "0059300", "101Q3000", "00593!", "삼성전자우선"]
)
def test_what_is_no_share_code_is_an_error(text: str) -> None:
    with pytest.raises(DecodeError):
        decode.symbol(text)


def test_an_order_number_is_padded_to_seven_digits_and_zeros_mean_none() -> None:
    assert decode.order_no("0163911") == "0163911"
    assert decode.order_no("  163911 ") == "0163911"
    assert decode.order_no("12345678") == "12345678"
    assert decode.order_no("0000000") == ""
    assert decode.order_no("   ") == ""
    with pytest.raises(DecodeError):
        decode.order_no("0163-11")


@pytest.mark.parametrize(
    ("number", "name", "venue"),
    [
        ("1", "KRX", Venue.KRX),
        ("2", "NXT", Venue.NXT),
        ("1", "", Venue.KRX),
        ("", "NXT", Venue.NXT),
        ("0", "통합", None),
        ("0", "KRX", Venue.KRX),
        ("", "", None),
        ("9", "", None),
        (" 2 ", "", Venue.NXT),
    ],
)
def test_the_venue_is_2134_else_2135_else_not_told(number: str, name: str, venue: Venue | None) -> None:
    assert decode.venue(number, name) is venue


# --- order reports ---


@pytest.mark.parametrize(
    ("name", "kind", "is_cancel", "order_no", "orig"),
    [
        ("accepted", K.ACCEPTED, False, "0163911", ""),
        ("filled", K.FILL, False, "0163911", ""),
        ("partial_fill_second", K.FILL, False, "0163911", ""),
        ("accepted_nxt", K.ACCEPTED, False, "0163911", ""),
        ("cancel_accepted", K.ACCEPTED, True, "0163912", "0163911"),
        ("cancel_confirmed", K.CONFIRMED, True, "0163912", "0163911"),
        ("clear_untouched", K.CLEARED, False, "0163911", ""),
        ("clear_after_partial_fill", K.CLEARED, False, "0163911", ""),
        ("clear_without_mark", K.CLEARED, False, "0163911", ""),
        ("ioc_end_a", K.CLEARED, False, "0163911", ""),
        ("ioc_end_b_blank", K.CONFIRMED, True, "0163911", ""),
        ("ioc_end_b_own_number", K.CONFIRMED, True, "0163911", "0163911"),
        ("rejected", K.REJECTED, False, "0163911", ""),
        ("reject_reason_only", K.REJECTED, False, "0163911", ""),
        ("unknown_status", K.UNKNOWN, False, "0163911", ""),
    ],
)
def test_each_recorded_report_is_of_its_kind(name: str, kind: K, is_cancel: bool, order_no: str, orig: str) -> None:
    decoded = report(name)
    assert (decoded.kind, decoded.is_cancel, decoded.order_no, decoded.orig_order_no) == (
        kind,
        is_cancel,
        order_no,
        orig,
    )
    assert decoded.at == AT
    assert decoded.symbol == "005930"
    if kind is not K.FILL:
        assert (decoded.fill_px, decoded.fill_qty) == (0, 0)


def test_the_recorded_acceptance_in_full() -> None:
    accepted = report("accepted")
    assert (accepted.side, accepted.venue, accepted.screen_no) == (Side.BUY, None, "0001")
    assert (accepted.qty, accepted.price, accepted.leaves_qty, accepted.cum_qty) == (1, 0, 1, 0)
    assert (accepted.exec_id, accepted.order_time, accepted.hoga_name) == ("", "142940", "시장가")
    assert (accepted.commission_won, accepted.tax_won, accepted.reject_reason) == (0, 0, "")
    fids = dict(accepted.fids)
    assert fids["9001"] == "A005930"
    assert fids["919"] == "0"
    assert "909" not in fids  # it was brought as "": absent
    assert list(fids) == [str(number) for number in fid.JOURNALLED_FIDS if str(number) in fids]


def test_the_recorded_fill_in_full() -> None:
    fill = report("filled")
    assert (fill.fill_px, fill.fill_qty, fill.exec_id) == (77000, 1, "1234931")
    assert (fill.cum_qty, fill.leaves_qty, fill.commission_won, fill.tax_won) == (1, 0, 260, 0)


def test_a_fill_is_914_and_915_not_the_cumulative_910_and_911() -> None:
    fill = report("partial_fill_second")
    assert (fill.fill_qty, fill.cum_qty, fill.leaves_qty, fill.qty) == (1, 3, 2, 5)
    assert report("partial_fill_second", f910="-76950", f914="-76900").fill_px == 76900


def test_an_nxt_report_says_its_venue_and_side() -> None:
    accepted = report("accepted_nxt")
    assert (accepted.venue, accepted.side) == (Venue.NXT, Side.SELL)
    assert dict(accepted.fids)["2134"] == "2"
    assert report("accepted_nxt", f2134="", f2135="KRX").venue is Venue.KRX


@pytest.mark.parametrize(
    ("name", "changes", "kind"),
    [
        # 819 says the order left the book, but 902 says that something stands: not guessed
        ("clear_after_partial_fill", {"f902": "3"}, K.UNKNOWN),
        ("clear_after_partial_fill", {"f902": ""}, K.UNKNOWN),
        # 거부 ends it, marked as last or not
        ("clear_untouched", {"f913": "거부"}, K.REJECTED),
        # 접수 with nothing open is a clear event without its mark
        ("clear_untouched", {"f819": "0"}, K.CLEARED),
        # ... but not of a cancel, whose own 902 says nothing
        ("cancel_accepted", {"f902": "0"}, K.ACCEPTED),
        ("cancel_accepted", {"f902": ""}, K.ACCEPTED),
        # 체결 without a fill of its own
        ("clear_without_mark", {"f911": "5"}, K.UNKNOWN),
        ("clear_without_mark", {"f911": ""}, K.UNKNOWN),
        ("clear_without_mark", {"f902": "3"}, K.UNKNOWN),
        # half a fill
        ("filled", {"f914": ""}, K.UNKNOWN),
        ("filled", {"f915": "0"}, K.UNKNOWN),
        ("filled", {"f909": ""}, K.UNKNOWN),
        ("filled", {"f909": "0000000"}, K.UNKNOWN),
        ("filled", {"f915": "2"}, K.UNKNOWN),
        ("filled", {"f905": "매수취소"}, K.UNKNOWN),
        ("filled", {"f919": "0413"}, K.UNKNOWN),
        # an IOC whose last fill already says that nothing is left: still a fill
        ("filled", {"f900": "5"}, K.FILL),
        ("filled", {"f919": "  "}, K.FILL),
        ("filled", {"f919": "000"}, K.FILL),
        ("filled", {"f913": " 체결 "}, K.FILL),
        ("cancel_confirmed", {"f913": "취소"}, K.CONFIRMED),
        ("cancel_confirmed", {"f905": "매도취소", "f907": "1"}, K.CONFIRMED),
        ("cancel_confirmed", {"f905": "+매수정정"}, K.CONFIRMED),
        ("cancel_confirmed", {"f905": "+매수"}, K.UNKNOWN),
        ("cancel_confirmed", {"f919": "0413"}, K.REJECTED),
        ("accepted", {"f913": ""}, K.UNKNOWN),
    ],
)
def test_the_traps_of_a_report(name: str, changes: dict[str, str], kind: K) -> None:
    assert report(name, **changes).kind is kind


def test_a_reject_keeps_its_reason() -> None:
    assert report("rejected").reject_reason == "0413"


@pytest.mark.parametrize(
    "changes",
    [
        {"f9203": ""},
        {"f9203": "0000000"},
        {"f9203": "x"},
        {"f9001": ""},
        {"f9001": "삼성전자"},
        {"f904": "원주문"},
        {"f900": "one"},
        {"f902": ""},
        {"f902": "-1"},
        {"f901": "77.5"},
        {"f914": "?"},
        {"f907": "3"},
        {"f907": "1"},  # 905 says +매수
        {"f911": "1.0"},
    ],
)
def test_a_report_that_cannot_be_read_is_an_error(changes: dict[str, str]) -> None:
    with pytest.raises(DecodeError):
        report("filled", **changes)


def test_the_side_comes_from_905_where_907_is_absent() -> None:
    assert report("accepted", f907="").side is Side.BUY
    assert report("accepted", f907="", f905="-매도").side is Side.SELL
    assert report("accepted", f907="", f905="").side is None


def test_an_unreadable_cost_does_not_lose_the_fill() -> None:
    fill = report("filled", f938="260.5", f939="")
    assert (fill.kind, fill.commission_won, fill.tax_won) == (K.FILL, None, None)
    assert dict(fill.fids)["938"] == "260.5"


_CHEJAN_TEXTS = st.one_of(
    st.sampled_from(["", "0", "1", "2", "5", "접수", "체결", "확인", "취소", "거부", "+매수", "매도취소", "0000000"]),
    st.text(max_size=8),
)


@settings(max_examples=100, deadline=None)
@given(changes=st.dictionaries(st.sampled_from(fid.ORDER_FIDS), _CHEJAN_TEXTS, max_size=8))
def test_whatever_changes_a_fill_is_whole_and_a_clear_event_never_one(changes: dict[int, str]) -> None:
    values = {**samples.chejan("clear_after_partial_fill").values, **changes}
    try:
        decoded = decode.order_report(AT, values)
    except DecodeError:
        return
    if decoded.kind is K.FILL:
        assert values[fid.LAST_EVENT].strip() != "1"
        assert values[fid.STATUS].strip() == "체결"
        assert decoded.fill_px > 0
        assert 0 < decoded.fill_qty <= decoded.qty
        assert decoded.exec_id
    else:
        assert decoded.fill_qty == 0
    if decoded.kind is K.CLEARED:
        assert decoded.leaves_qty == 0


# --- balance ---


def test_the_recorded_balance() -> None:
    balance = decode.balance_report(AT, samples.chejan("balance").values)
    assert (balance.symbol, balance.held, balance.sellable) == ("005930", 2, 2)
    assert dict(balance.fids) == {"9001": "A005930", "930": "2", "931": "77150", "933": "2"}


@pytest.mark.parametrize("changes", [{"f930": ""}, {"f933": ""}, {"f9001": ""}, {"f930": "-2"}, {"f933": "two"}])
def test_a_balance_without_its_numbers_is_an_error(changes: dict[str, str]) -> None:
    with pytest.raises(DecodeError):
        decode.balance_report(AT, samples.chejan("balance").but(**changes).values)


# --- real-time ---


def test_the_raw_quote_and_its_fids_say_the_same() -> None:
    quote = samples.real("quote")
    expected = (76900, 900, 77000, 1200)
    assert decode.quote_from_raw(quote.raw) == expected
    by_fids = decode.quote_from_fields(*(quote.values[number] for number in (51, 71, 41, 61)))
    assert by_fids == expected


def test_a_quote_keeps_empty_sides_drops_signs_and_clamps_sizes() -> None:
    assert decode.quote_from_raw("090000\t0\t0\t0\t+77000\t5\t0") == (77000, 5, 0, 0)
    assert decode.quote_from_raw("090000\t\t\t\t \t \t") == (0, 0, 0, 0)
    assert decode.quote_from_raw("090000\t+-77100\t5\t0\t --77000\t  6 \t0") == (77000, 6, 77100, 5)
    assert decode.quote_from_raw(f"090000\t77100\t{2**40}\t0\t77000\t{FIELD_MAX}\t0") == (
        77000,
        FIELD_MAX,
        77100,
        FIELD_MAX,
    )


def test_a_raw_quote_that_is_too_short_is_left_to_the_fids() -> None:
    assert decode.quote_from_raw("") is None
    assert decode.quote_from_raw("090000\t77100\t5\t0\t77000") is None
    assert decode.quote_from_raw("090000\t77100\t5\t0\t77000\t6") == (77000, 6, 77100, 5)


@pytest.mark.parametrize("bad", ["7_7", "77,000", "１２", "²", "x", "-", "9" * 19, str(FIELD_MAX + 1)])
def test_a_quote_with_an_unreadable_price_is_an_error(bad: str) -> None:
    with pytest.raises(DecodeError):
        decode.quote_from_fields(bad, "1", "77100", "1")
    with pytest.raises(DecodeError):
        decode.quote_from_fields("77000", "1", bad, "1")


@pytest.mark.parametrize("bad", ["-5", "1.5", "²", "x"])
def test_a_quote_with_an_unreadable_size_is_an_error(bad: str) -> None:
    with pytest.raises(DecodeError):
        decode.quote_from_fields("77000", bad, "77100", "1")


def test_a_session_signal_is_handed_on_as_text() -> None:
    assert decode.session_signal(AT, " R", "090030", "000000 ") == SessionSignalled(AT, "R", "090030", "000000")
    with pytest.raises(DecodeError):
        decode.session_signal(AT, " ", "090030", "")


@pytest.mark.parametrize(
    ("kind", "released_at", "active"),
    [("1", "000000", True), ("1", "", True), ("2", "091233", False), ("", "000000", True), ("", "091233", False)],
)
def test_a_vi_is_active_by_9068_else_by_its_release_time(kind: str, released_at: str, active: bool) -> None:
    assert decode.vi_active(kind, released_at) is active


@pytest.mark.parametrize(("kind", "released_at"), [("", ""), ("3", "000000"), ("발동", "")])
def test_a_vi_that_does_not_say_is_an_error(kind: str, released_at: str) -> None:
    with pytest.raises(DecodeError):
        decode.vi_active(kind, released_at)


def test_the_venue_of_a_vi_is_told_by_suffix_or_9081_only() -> None:
    assert decode.vi_venue("005930_NX", "") is Venue.NXT
    assert decode.vi_venue("005930", "1") is Venue.KRX
    assert decode.vi_venue("005930", "2") is Venue.NXT
    assert decode.vi_venue("005930", "") is None


# --- TR rows ---


def test_an_open_order_row() -> None:
    row = ("0163911", "0000000", "005930", "접수", "-매도", "000000005", "-77000", "3", "-76950", "2", "142940", "2")
    (order,) = decode.open_orders((row,))
    assert (order.order_no, order.orig_order_no, order.symbol) == ("0163911", "", "005930")
    assert (order.side, order.is_cancel, order.venue, order.status) == (Side.SELL, False, Venue.NXT, "접수")
    assert (order.qty, order.price, order.leaves_qty, order.cum_qty, order.fill_px) == (5, 77000, 3, 2, 76950)
    (by_name,) = decode.open_orders(((*row[:-1], "NXT"),))
    assert by_name.venue is Venue.NXT
    (not_told,) = decode.open_orders(((*row[:-1], ""),))
    assert not_told.venue is None


def test_an_execution_row() -> None:
    row = ("0163911", "", "A005930", "체결", "+매수", "5", "77000", "0", "76950", "5", "57", "", "142941")
    (execution,) = decode.executions((row,))
    assert (execution.side, execution.qty, execution.leaves_qty) == (Side.BUY, 5, 0)
    assert (execution.fill_px, execution.fill_qty) == (76950, 5)
    assert (execution.commission_won, execution.tax_won, execution.order_time) == (57, None, "142941")


def test_a_cost_that_cannot_be_read_hides_no_execution() -> None:
    row = ("0163911", "", "A005930", "체결", "+매수", "5", "77000", "0", "76950", "5", "57.5", "?", "142941")
    (execution,) = decode.executions((row,))
    assert (execution.fill_qty, execution.commission_won, execution.tax_won) == (5, None, None)


def test_what_an_account_holds_or_orders_beside_shares_hides_no_share() -> None:
    right, share = ("J0036221D", "신주인수권", "3", "3", "0"), ("A005930", "삼성전자", "10", "7", "77150")
    assert [row.symbol for row in decode.holdings((right, share))] == ["J0036221D", "005930"]
    order = ("0163911", "", "J0036221D", "접수", "-매도", "5", "770", "3", "", "2", "142940", "1")
    assert [row.symbol for row in decode.open_orders((order,))] == ["J0036221D"]


def test_a_holding_a_cash_a_vi_and_a_watchlist_row() -> None:
    (holding,) = decode.holdings((("A005930", "삼성전자", "000000000010", "7", "77150"),))
    assert (holding.symbol, holding.held, holding.sellable, holding.average_price) == ("005930", 10, 7, 77150)
    cash = decode.cash(("000001000000", "-00000000500", "000000900000", ""))
    assert (cash.deposit_won, cash.orderable_won, cash.orderable_full_won, cash.deposit_d2_won) == (
        1_000_000,
        -500,
        900_000,
        0,
    )
    active, over = decode.vi_rows((("005930_NX", "000000"), ("000660", "090734")))
    assert (active.symbol, active.venue, active.active) == ("005930", Venue.NXT, True)
    assert (over.symbol, over.venue, over.active) == ("000660", None, False)
    watch_row = ("005930", "삼성전자", "77500", "+100700", "-54300")
    (watch,) = decode.watch_rows((watch_row,))
    assert (watch.base_price, watch.upper_limit, watch.lower_limit) == (77500, 100700, 54300)


@pytest.mark.parametrize(
    ("decoder", "width"),
    [
        (decode.open_orders, len(tr.OPEN_ORDERS.fields)),
        (decode.executions, len(tr.EXECUTIONS.fields)),
        (decode.holdings, len(tr.HOLDINGS.fields)),
        (decode.vi_rows, len(tr.VI_STATE.fields)),
        (decode.watch_rows, len(tr.WATCHLIST.fields)),
    ],
)
def test_a_row_that_is_blank_or_of_another_width_is_an_error(
    decoder: Callable[[decode.Rows], object], width: int
) -> None:
    for row in (("",) * width, ("005930",) * (width + 1)):
        with pytest.raises(DecodeError):
            decoder((row,))


def test_an_unknown_amount_of_cash_is_an_error_not_zero() -> None:
    with pytest.raises(DecodeError):
        decode.cash(("1000", "1000", "", "1000"))
