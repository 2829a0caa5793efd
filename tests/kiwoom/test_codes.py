"""Order types and hogas as whole matrices (SPEC 7, KIWOOM.md 1.4, 2); return codes and session signals."""

from itertools import product

import pytest

from actors.messages.orders import OrderStyle
from kiwoom.codes import error, fid, hoga, master, session, tr
from kiwoom.codes.error import ErrorClass
from kiwoom.codes.hoga import Hoga
from kiwoom.codes.order_type import (
    ORDER_TYPES,
    Action,
    Route,
    cancel_order_type,
    is_for_venue,
    meaning,
    new_order_type,
)
from kiwoom.codes.session import VenuePhase
from kiwoom.market import Side, Venue

KRX, NXT = Venue.KRX, Venue.NXT
BUY, SELL = Side.BUY, Side.SELL

#                    new buy, new sell, cancel buy, cancel sell, modify buy, modify sell
ORDER_TYPE_MATRIX = {
    Route.KRX: (1, 2, 3, 4, 5, 6),
    Route.SOR: (11, 12, 13, 13, 15, 15),
    Route.NXT: (21, 22, 23, 23, 25, 25),
}


def test_every_route_action_and_side_has_its_number() -> None:
    expected = {
        (route, action, side): number
        for route, row in ORDER_TYPE_MATRIX.items()
        for (action, side), number in zip(product(Action, Side), row, strict=True)
    }
    assert expected == ORDER_TYPES


@pytest.mark.parametrize(
    ("venue", "side", "new", "cancel"), [(KRX, BUY, 1, 3), (KRX, SELL, 2, 4), (NXT, BUY, 21, 23), (NXT, SELL, 22, 23)]
)
def test_direct_orders_and_cancels(venue: Venue, side: Side, new: int, cancel: int) -> None:
    assert new_order_type(venue, side) == new
    assert cancel_order_type(venue, side) == cancel


def test_only_the_numbers_of_the_table_mean_anything_and_each_goes_to_one_venue() -> None:
    krx, nxt, sor = {1, 2, 3, 4, 5, 6}, {21, 22, 23, 25}, {11, 12, 13, 15}
    for number in range(-1, 40):
        assert is_for_venue(number, KRX) == (number in krx)
        assert is_for_venue(number, NXT) == (number in nxt)
        assert (meaning(number) is not None) == (number in krx | nxt | sor)
    for absent in (14, 16, 24, 26):
        assert meaning(absent) is None
    assert meaning(23) == (Route.NXT, Action.CANCEL)
    assert meaning(13) == (Route.SOR, Action.CANCEL)


# code: (needs a price, KRX takes it, NXT takes it, mock server takes it, never rests)
HOGA_MATRIX = {
    "00": (True, True, True, True, False),
    "03": (False, True, False, True, False),
    "05": (True, True, False, False, False),
    "06": (False, True, True, False, False),
    "07": (False, True, True, False, False),
    "10": (True, True, True, False, True),
    "13": (False, True, True, False, True),
    "16": (False, True, True, False, True),
    "20": (True, True, True, False, True),
    "23": (False, True, True, False, True),
    "26": (False, True, True, False, True),
    "28": (True, True, True, False, False),
    "29": (False, True, True, False, False),
    "61": (False, True, False, False, False),
    "62": (False, True, False, False, False),
    "81": (False, True, False, False, False),
}


def test_every_hoga_has_its_price_rule_and_its_venues() -> None:
    actual = {
        kind.value: (
            hoga.needs_price(kind),
            hoga.is_taken_by(kind, KRX),
            hoga.is_taken_by(kind, NXT),
            hoga.is_taken_by_mock_server(kind),
            hoga.never_rests(kind),
        )
        for kind in Hoga
    }
    assert actual == HOGA_MATRIX


def test_every_order_style_has_a_hoga_that_both_venues_take() -> None:
    codes = {style.name: hoga.hoga_of_style(style.name).value for style in OrderStyle}
    assert codes == {"LIMIT": "00", "LIMIT_IOC": "10", "MARKET_IOC": "13", "MID": "29"}
    for style, venue in product(OrderStyle, Venue):
        assert hoga.is_taken_by(hoga.hoga_of_style(style.name), venue)


def test_journalled_fids_are_those_of_the_contract() -> None:
    contract = "9203 904 913 905 906 907 902 900 901 910 911 914 915 909 919 908 819 9001 920 938 939 2134"
    assert [str(number) for number in fid.JOURNALLED_FIDS] == contract.split()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (0, ErrorClass.NONE),
        (-15, ErrorClass.INPUT),
        (-100, ErrorClass.LOGIN),
        (-101, ErrorClass.LINE),
        (-106, ErrorClass.LINE),
        (-200, ErrorClass.OVERLOAD),
        (-300, ErrorClass.INPUT),
        (-301, ErrorClass.ACCOUNT),
        (-305, ErrorClass.LIMIT),
        (-307, ErrorClass.FAILED),
        (-308, ErrorClass.OVERLOAD),
        (-500, ErrorClass.INPUT),
        (-999, ErrorClass.UNKNOWN),
        (7, ErrorClass.UNKNOWN),
    ],
)
def test_a_return_code_says_what_to_do(code: int, kind: ErrorClass) -> None:
    described = error.describe(code)
    assert described.kind is kind
    assert described.code == code
    assert described.korean
    assert described.english


def test_only_zero_is_no_error() -> None:
    assert [code for code, row in error.RETURN_CODES.items() if row.kind is ErrorClass.NONE] == [0]


def test_a_day_of_session_signals_opens_and_closes_both_venues() -> None:
    phases: dict[Venue, VenuePhase] = {}
    seen = []
    for code in "P0Q3RS2T48UaV9":
        found = session.session_meaning(code)
        assert found is not None
        assert found.venue is not None
        assert found.phase is not None
        phases[found.venue] = found.phase
        seen.append((code, [venue for venue in (KRX, NXT) if phases.get(venue) is VenuePhase.CONTINUOUS]))
    assert [code for code, trading in seen if trading == [KRX, NXT]] == ["R"]
    assert [code for code, trading in seen if trading == [KRX]] == ["3", "S"]
    assert phases == {KRX: VenuePhase.CLOSED, NXT: VenuePhase.CLOSED}


def test_derivative_and_unknown_session_signals_move_no_venue() -> None:
    for code in "efos":
        found = session.session_meaning(code)
        assert found is not None
        assert found.venue is None
        assert found.phase is None
    assert session.session_meaning("Z") is None
    assert len(session.SESSION_CODES) == 21


def test_tr_inputs_come_in_the_trs_order_and_never_hold_a_password() -> None:
    assert tr.open_orders_inputs("8000000011", KRX, "005930") == (
        ("계좌번호", "8000000011"),
        ("전체종목구분", "1"),
        ("매매구분", "0"),
        ("종목코드", "005930"),
        ("체결구분", "1"),
        ("거래소구분", "1"),
    )
    assert dict(tr.open_orders_inputs("8000000011", KRX))["전체종목구분"] == "0"
    filled = {
        tr.EXECUTIONS: tr.executions_inputs("8000000011", NXT, "005930"),
        tr.HOLDINGS: tr.holdings_inputs("8000000011", KRX),
        tr.CASH: tr.cash_inputs("8000000011"),
        tr.VI_STATE: tr.vi_state_inputs(),
    }
    for form, inputs in filled.items():
        assert tuple(name for name, _ in inputs) == form.inputs
        assert dict(inputs).get("비밀번호", "") == ""
    assert dict(filled[tr.EXECUTIONS])["주문번호"] == ""
    assert dict(filled[tr.HOLDINGS])["비밀번호입력매체구분"] == "00"


@pytest.mark.parametrize(("venue", "number", "name"), [(KRX, "1", "KRX"), (NXT, "2", "NXT")])
def test_orders_are_asked_for_by_the_venues_number_and_holdings_by_its_name(
    venue: Venue, number: str, name: str
) -> None:
    """Never "0" for both: a row of the control need not say where its order is."""
    assert tr.open_orders_inputs("8000000011", venue)[-1] == ("거래소구분", number)
    assert tr.executions_inputs("8000000011", venue)[-1] == ("거래소구분", number)
    assert tr.holdings_inputs("8000000011", venue)[-1] == ("거래소구분", name)


def test_the_heartbeat_brings_trades_and_a_shard_does_not() -> None:
    """Any FID of a type brings all of it (KIWOOM.md 3.2)."""
    trade_type = {10, 11, 12, 13, 14, 15, 20, 27, 28}
    assert set(fid.TRADE_FIDS) <= trade_type
    assert not set(fid.QUOTE_FIDS) & trade_type


@pytest.mark.parametrize("code", [-308, -311, -200, -209, -211])
def test_an_overload_may_be_tried_again(code: int) -> None:
    assert error.is_overload(code)


@pytest.mark.parametrize("code", [0, -300, -307, -204, 7])
def test_nothing_else_is_an_overload(code: int) -> None:
    assert not error.is_overload(code)


@pytest.mark.parametrize(
    ("state", "halted"), [("증거금20%|담보대출|신용가능", False), ("증거금100%|거래정지", True), ("", False)]
)
def test_a_halted_share_is_known_by_its_state(state: str, halted: bool) -> None:
    assert master.is_halted(state) is halted


@pytest.mark.parametrize(("warning", "warned"), [("", False), ("0", False), ("1", True), ("3", True)])
def test_a_share_with_any_order_warning_is_warned(warning: str, warned: bool) -> None:
    assert master.is_warned(warning) is warned
