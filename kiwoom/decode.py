"""From the control's strings to typed values. Pure; raises DecodeError, which the adapter turns into EventMalformed.

The format's quirks (KIWOOM.md 3.3, 4.1): prices carry one or two colour signs, numbers are padded with blanks or
zeros, an absent field is "", a code has a prefix letter in account data. The traps of order reports (KIWOOM.md 4.2)
are taken out in `order_report`, and nowhere else.

Limits: a number has at most 18 digits; where a report contradicts itself it is ReportKind.UNKNOWN, never guessed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kiwoom.codes import fid, tr
from kiwoom.control import BalanceReport, OrderReport, ReportKind, SessionSignalled
from kiwoom.market import Nanos, Shares, Side, Symbol, Venue, Won
from kiwoom.quotes import FIELD_MAX

DIGITS_MAX: Final = 18


class DecodeError(ValueError):
    """A field that cannot be read: `field` names it, `text` is what stood there."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(f"{field}: {text[:40]!r}")


# --- single fields ---------------------------------------------------------------------------------------------------


def price(text: str, field: str = "price") -> Won:
    """A price in won, >= 0: its signs are colours (above or below the previous close). Blank = 0."""
    return Won(_digits(text.strip().lstrip("+-"), text, field))


def shares(text: str, field: str = "shares") -> Shares:
    """A number of shares, >= 0. Blank = 0."""
    return Shares(_digits(text.strip().removeprefix("+"), text, field))


def signed_won(text: str, field: str = "won") -> Won:
    """An amount of money whose sign is meant. Blank = 0."""
    body = text.strip()
    amount = _digits(body[1:] if body[:1] in ("+", "-") else body, text, field)
    return Won(-amount if body.startswith("-") else amount)


def _digits(body: str, text: str, field: str) -> int:
    if not body:
        if text.strip():
            raise DecodeError(field, text)
        return 0
    if not (body.isascii() and body.isdigit() and len(body) <= DIGITS_MAX):
        raise DecodeError(field, text)
    return int(body)


def symbol(text: str, field: str = "code") -> Symbol:
    """The plain 6-character code: without the prefix letter of account data (A, J, Q) and a venue's suffix.

    It begins with a digit and may hold letters further on (preferred shares, codes issued since 2024).
    """
    code = text.strip()
    for suffix in ("_NX", "_AL"):
        code = code.removesuffix(suffix)
    if len(code) == 7 and code[0] in "AJQ":
        code = code[1:]
    if not (len(code) == 6 and code.isascii() and code.isalnum() and code[0].isdigit()):
        raise DecodeError(field, text)
    return Symbol(code)


def order_no(text: str, field: str = "order_no") -> str:
    """An order's number, zero-padded to the control's 7 digits; empty if there is none (blank or all zeros)."""
    number = text.strip()
    if not number.strip("0"):
        return ""
    if not (number.isascii() and number.isdigit() and len(number) <= DIGITS_MAX):
        raise DecodeError(field, text)
    return number.zfill(7)


def venue(number: str, name: str = "") -> Venue | None:
    """거래소구분 (FID 2134, else its name in 2135): None for 통합, for blank, and for what we do not know."""
    match number.strip():
        case "1":
            return Venue.KRX
        case "2":
            return Venue.NXT
    match name.strip():
        case "KRX":
            return Venue.KRX
        case "NXT":
            return Venue.NXT
    return None


def _side_of_kind(order_kind: str) -> Side | None:
    """The side in 주문구분: "+매수", "-매도정정", "매수취소", ..."""
    if "매수" in order_kind:
        return Side.BUY
    return Side.SELL if "매도" in order_kind else None


# --- chejan ----------------------------------------------------------------------------------------------------------


def order_report(at: Nanos, values: Mapping[int, str]) -> OrderReport:
    """A chejan event of gubun "0" from the values of `fid.ORDER_FIDS` (absent or "" = not brought)."""
    number = order_no(_required(values, fid.ORDER_NO), "9203 주문번호")
    if not number:
        raise DecodeError("9203 주문번호", values.get(fid.ORDER_NO, ""))
    kind = _kind(values)
    is_fill = kind is ReportKind.FILL
    return OrderReport(
        at=at,
        kind=kind,
        order_no=number,
        orig_order_no=order_no(values.get(fid.ORIG_ORDER_NO, ""), "904 원주문번호"),
        symbol=symbol(_required(values, fid.CODE), "9001 종목코드"),
        side=_side(values),
        is_cancel=_is_cancel(values),
        venue=venue(values.get(fid.VENUE, ""), values.get(fid.VENUE_NAME, "")),
        screen_no=values.get(fid.SCREEN_NO, "").strip(),
        qty=shares(values.get(fid.QTY, ""), "900 주문수량"),
        price=price(values.get(fid.PRICE, ""), "901 주문가격"),
        leaves_qty=shares(values.get(fid.LEAVES_QTY, ""), "902 미체결수량"),
        exec_id=_exec_id(values),
        fill_px=price(values.get(fid.FILL_PRICE, ""), "914 단위체결가") if is_fill else Won(0),
        fill_qty=shares(values.get(fid.FILL_QTY, ""), "915 단위체결량") if is_fill else Shares(0),
        cum_qty=shares(values.get(fid.CUM_QTY, ""), "911 체결량"),
        order_time=values.get(fid.ORDER_TIME, "").strip(),
        hoga_name=values.get(fid.HOGA_NAME, "").strip(),
        commission_won=_cost(values.get(fid.COMMISSION, "")),
        tax_won=_cost(values.get(fid.TAX, "")),
        reject_reason=_reject_reason(values),
        fids=_present(values, fid.JOURNALLED_FIDS),
    )


def _kind(values: Mapping[int, str]) -> ReportKind:
    """What the report says, from 913, 819, 902, 919 and the fill's own fields together."""
    status = values.get(fid.STATUS, "").strip()
    leaves_text = values.get(fid.LEAVES_QTY, "").strip()
    is_last = values.get(fid.LAST_EVENT, "").strip() == "1"
    if status == "거부":
        return ReportKind.REJECTED
    if is_last:
        # The clear event repeats the order's last state in 913, "체결" after a partial fill: it is never a fill.
        return ReportKind.CLEARED if leaves_text and shares(leaves_text, "902 미체결수량") == 0 else ReportKind.UNKNOWN
    if _reject_reason(values):
        # A fill that carries a reject reason contradicts itself; either reading alone could lose shares.
        return ReportKind.UNKNOWN if status == "체결" else ReportKind.REJECTED
    match status:
        case "접수":
            return _accepted_kind(values, leaves_text)
        case "체결":
            return _fill_kind(values, leaves_text)
        case "확인":
            # Of a plain order a 확인 has no known meaning; of a cancel (or of a modify by hand) it ends the original.
            order_kind = values.get(fid.ORDER_KIND, "")
            return ReportKind.CONFIRMED if "취소" in order_kind or "정정" in order_kind else ReportKind.UNKNOWN
        case "취소":
            return ReportKind.CONFIRMED
        case _:
            return ReportKind.UNKNOWN


def _accepted_kind(values: Mapping[int, str], leaves_text: str) -> ReportKind:
    """접수 of a new order leaves something open. With 902 = 0 it is a clear event without its mark in 819."""
    order_kind = values.get(fid.ORDER_KIND, "")
    if "취소" in order_kind or "정정" in order_kind:
        return ReportKind.ACCEPTED
    if not leaves_text:
        raise DecodeError("902 미체결수량", leaves_text)
    qty = shares(values.get(fid.QTY, ""), "900 주문수량")
    if shares(leaves_text, "902 미체결수량") > 0:
        return ReportKind.ACCEPTED
    return ReportKind.CLEARED if qty > 0 else ReportKind.UNKNOWN


def _fill_kind(values: Mapping[int, str], leaves_text: str) -> ReportKind:
    """체결 is a fill if it brings its own number, price and quantity (909, 914, 915; 910 and 911 are cumulative).

    Without them, and with 902 = 0, it is a clear event without its mark, if 911 shows that a remainder was dropped.
    A fill's own fields win over a 902 that does not add up: a fill that is dropped leaves shares unhedged.
    """
    if not leaves_text:
        raise DecodeError("902 미체결수량", leaves_text)
    leaves = shares(leaves_text, "902 미체결수량")
    qty = shares(values.get(fid.QTY, ""), "900 주문수량")
    fill_qty = shares(values.get(fid.FILL_QTY, ""), "915 단위체결량")
    fill_px = price(values.get(fid.FILL_PRICE, ""), "914 단위체결가")
    if fill_qty or fill_px:
        whole = fill_px > 0 and 0 < fill_qty <= qty and _exec_id(values) and not _is_cancel(values)
        return ReportKind.FILL if whole else ReportKind.UNKNOWN
    filled = shares(values.get(fid.CUM_QTY, ""), "911 체결량")
    return ReportKind.CLEARED if leaves == 0 and 0 < filled < qty else ReportKind.UNKNOWN


def _required(values: Mapping[int, str], number: int) -> str:
    text = values.get(number, "")
    if not text.strip():
        raise DecodeError(f"FID {number} is absent", text)
    return text


def _side(values: Mapping[int, str]) -> Side | None:
    """907, which must not contradict 905."""
    text = values.get(fid.SIDE, "").strip()
    if text not in ("", "1", "2"):
        raise DecodeError("907 매도수구분", text)
    by_kind = _side_of_kind(values.get(fid.ORDER_KIND, ""))
    if not text:
        return by_kind
    side = Side.SELL if text == "1" else Side.BUY
    if by_kind not in (None, side):
        raise DecodeError("907 매도수구분 against 905 주문구분", values.get(fid.ORDER_KIND, ""))
    return side


def _is_cancel(values: Mapping[int, str]) -> bool:
    return "취소" in values.get(fid.ORDER_KIND, "")


def _exec_id(values: Mapping[int, str]) -> str:
    text = values.get(fid.EXEC_ID, "").strip()
    return text if text.strip("0") else ""


def _reject_reason(values: Mapping[int, str]) -> str:
    text = values.get(fid.REJECT_REASON, "").strip()
    return text if text.strip("0") else ""


def _cost(text: str) -> Won | None:
    """A cost as reported; None if absent or unreadable, since a fill must not be lost for it."""
    if not text.strip():
        return None
    try:
        return price(text)
    except DecodeError:
        return None


def _present(values: Mapping[int, str], numbers: tuple[int, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((str(number), values[number]) for number in numbers if values.get(number, "") != "")


def balance_report(at: Nanos, values: Mapping[int, str]) -> BalanceReport:
    """A chejan event of gubun "1" from the values of `fid.BALANCE_FIDS`."""
    return BalanceReport(
        at=at,
        symbol=symbol(_required(values, fid.CODE), "9001 종목코드"),
        held=shares(_required(values, fid.HELD), "930 보유수량"),
        sellable=shares(_required(values, fid.SELLABLE), "933 주문가능수량"),
        fids=_present(values, fid.BALANCE_FIDS),
    )


# --- real-time -------------------------------------------------------------------------------------------------------

Top = tuple[int, int, int, int]
"""bid, bid size, ask, ask size: won and shares, 0 = empty; each fits a field of kiwoom.quotes.QUOTE."""


def quote_from_raw(raw: str) -> Top | None:
    """The best levels of a 주식호가잔량 raw string (21,41,61,81,51,71,91,42,...: KIWOOM.md 3.2).

    None if the string is too short to hold them: read the FIDs then.
    """
    parts = raw.split("\t", 6)
    if len(parts) < 6:
        return None
    return quote_from_fields(parts[4], parts[5], parts[1], parts[2])


def quote_from_fields(bid: str, bid_size: str, ask: str, ask_size: str) -> Top:
    """The best levels from FIDs 51, 71, 41, 61. A size is clamped to the packed field, a price beyond it an error."""
    top = _price_fast(bid), _size_fast(bid_size), _price_fast(ask), _size_fast(ask_size)
    if top[0] > FIELD_MAX or top[2] > FIELD_MAX:
        raise DecodeError("호가", f"{bid}/{ask}")
    return top


def _price_fast(text: str) -> int:
    digits = text[1:] if text[:1] in ("-", "+") else text
    return int(digits) if digits.isdigit() and digits.isascii() and len(digits) <= DIGITS_MAX else price(text, "호가")


def _size_fast(text: str) -> int:
    size = int(text) if text.isdigit() and text.isascii() and len(text) <= DIGITS_MAX else shares(text, "호가수량")
    return size if size <= FIELD_MAX else FIELD_MAX


def session_signal(at: Nanos, code: str, time: str, remaining: str) -> SessionSignalled:
    """장시작시간 from FIDs 215, 20, 214. What the code means is in kiwoom.codes.session."""
    value = code.strip()
    if not value:
        raise DecodeError("215 장운영구분", code)
    return SessionSignalled(at, value[:8], time.strip()[:8], remaining.strip()[:8])


def vi_active(kind: str, released_at: str) -> bool:
    """VI발동/해제: 9068 "1" fired, "2" released (as public programs read it, M); else 1224 tells, if it is set."""
    match kind.strip():
        case "1":
            return True
        case "2":
            return False
    if not kind.strip() and released_at.strip():
        return not released_at.strip("0 ")
    raise DecodeError("9068 VI발동구분", kind)


def vi_venue(feed_code: str, real_venue: str) -> Venue | None:
    """The venue of a VI event: its code's suffix, else 9081. A plain code alone does not tell."""
    if feed_code.strip().endswith("_NX"):
        return Venue.NXT
    return venue(real_venue)


# --- rows of TRs -----------------------------------------------------------------------------------------------------

Rows = tuple[tuple[str, ...], ...]
"""The rows of one answer, all its pages together, in the order of the requested fields."""


@dataclass(frozen=True, slots=True)
class OpenOrderRow:
    """opt10075: an order with a quantity still open. `venue` None = not told."""

    order_no: str
    orig_order_no: str
    symbol: Symbol
    side: Side | None
    is_cancel: bool
    venue: Venue | None
    status: str
    qty: Shares
    price: Won
    leaves_qty: Shares
    fill_px: Won
    cum_qty: Shares
    order_time: str


@dataclass(frozen=True, slots=True)
class ExecutionRow:
    """opt10076: an order of today with what it filled. Costs as the broker reports them, None where absent."""

    order_no: str
    orig_order_no: str
    symbol: Symbol
    side: Side | None
    is_cancel: bool
    status: str
    qty: Shares
    price: Won
    leaves_qty: Shares
    fill_px: Won
    fill_qty: Shares
    commission_won: Won | None
    tax_won: Won | None
    order_time: str


@dataclass(frozen=True, slots=True)
class HoldingRow:
    """opw00018: what the account holds of a symbol. One inventory, whatever the venue (KIWOOM.md 6.1)."""

    symbol: Symbol
    name: str
    held: Shares
    sellable: Shares
    average_price: Won


@dataclass(frozen=True, slots=True)
class CashRow:
    """opw00001. `orderable_full_won` (100%종목주문가능금액) includes the proceeds of today's sales. May be negative."""

    deposit_won: Won
    orderable_won: Won
    orderable_full_won: Won
    deposit_d2_won: Won


@dataclass(frozen=True, slots=True)
class ViRow:
    """opt10054: a VI of today; `active` until it has a time of release. `venue` None = not told, as in ViChanged."""

    symbol: Symbol
    venue: Venue | None
    active: bool


@dataclass(frozen=True, slots=True)
class WatchRow:
    """OPTKWFID: a symbol's name, base price and limits of the day."""

    symbol: Symbol
    name: str
    base_price: Won
    upper_limit: Won
    lower_limit: Won


def _by_name(fields: tuple[str, ...], row: tuple[str, ...]) -> dict[str, str]:
    if len(fields) != len(row):
        raise DecodeError(f"a row of {len(fields)} fields", repr(row))
    return dict(zip(fields, row, strict=True))


def _listed_code(text: str, field: str) -> Symbol:
    """The plain code of a share. An account may hold and order other things too (a subscription right, a bond): their
    code as it stands, for one such row must not hide the others."""
    try:
        return symbol(text, field)
    except DecodeError:
        if not text.strip():
            raise
        return Symbol(text.strip())


def open_orders(rows: Rows) -> tuple[OpenOrderRow, ...]:
    """The rows of an opt10075 that was requested with `tr.OPEN_ORDERS.fields`."""
    return tuple(_open_order(_by_name(tr.OPEN_ORDERS.fields, row)) for row in rows)


def _open_order(row: Mapping[str, str]) -> OpenOrderRow:
    number = order_no(row["주문번호"], "주문번호")
    if not number:
        raise DecodeError("주문번호", row["주문번호"])
    return OpenOrderRow(
        order_no=number,
        orig_order_no=order_no(row["원주문번호"], "원주문번호"),
        symbol=_listed_code(row["종목코드"], "종목코드"),
        side=_side_of_kind(row["주문구분"]),
        is_cancel="취소" in row["주문구분"],
        venue=venue(row["거래소구분"], row["거래소구분"]),
        status=row["주문상태"].strip(),
        qty=shares(row["주문수량"], "주문수량"),
        price=price(row["주문가격"], "주문가격"),
        leaves_qty=shares(row["미체결수량"], "미체결수량"),
        fill_px=price(row["체결가"], "체결가"),
        cum_qty=shares(row["체결량"], "체결량"),
        order_time=row["시간"].strip(),
    )


def executions(rows: Rows) -> tuple[ExecutionRow, ...]:
    """The rows of an opt10076 that was requested with `tr.EXECUTIONS.fields`."""
    return tuple(_execution(_by_name(tr.EXECUTIONS.fields, row)) for row in rows)


def _execution(row: Mapping[str, str]) -> ExecutionRow:
    number = order_no(row["주문번호"], "주문번호")
    if not number:
        raise DecodeError("주문번호", row["주문번호"])
    return ExecutionRow(
        order_no=number,
        orig_order_no=order_no(row["원주문번호"], "원주문번호"),
        symbol=_listed_code(row["종목코드"], "종목코드"),
        side=_side_of_kind(row["주문구분"]),
        is_cancel="취소" in row["주문구분"],
        status=row["주문상태"].strip(),
        qty=shares(row["주문수량"], "주문수량"),
        price=price(row["주문가격"], "주문가격"),
        leaves_qty=shares(row["미체결수량"], "미체결수량"),
        fill_px=price(row["체결가"], "체결가"),
        fill_qty=shares(row["체결량"], "체결량"),
        commission_won=_cost(row["당일매매수수료"]),
        tax_won=_cost(row["당일매매세금"]),
        order_time=row["주문시간"].strip(),
    )


def holdings(rows: Rows) -> tuple[HoldingRow, ...]:
    """The rows of an opw00018 that was requested with `tr.HOLDINGS.fields`."""
    named = (_by_name(tr.HOLDINGS.fields, row) for row in rows)
    return tuple(
        HoldingRow(
            symbol=_listed_code(row["종목번호"], "종목번호"),
            name=row["종목명"].strip(),
            held=shares(row["보유수량"], "보유수량"),
            sellable=shares(row["매매가능수량"], "매매가능수량"),
            average_price=price(row["매입가"], "매입가"),
        )
        for row in named
    )


def cash(head: tuple[str, ...]) -> CashRow:
    """The head of an opw00001 that was requested with `tr.CASH.single_fields`."""
    values = _by_name(tr.CASH.single_fields, head)
    full = values["100%종목주문가능금액"]
    if not full.strip():
        raise DecodeError("100%종목주문가능금액", full)
    return CashRow(
        deposit_won=signed_won(values["예수금"], "예수금"),
        orderable_won=signed_won(values["주문가능금액"], "주문가능금액"),
        orderable_full_won=signed_won(full, "100%종목주문가능금액"),
        deposit_d2_won=signed_won(values["d+2추정예수금"], "d+2추정예수금"),
    )


def vi_rows(rows: Rows) -> tuple[ViRow, ...]:
    """The rows of an opt10054 that was requested with `tr.VI_STATE.fields`."""
    named = (_by_name(tr.VI_STATE.fields, row) for row in rows)
    return tuple(
        ViRow(
            symbol=symbol(row["종목코드"], "종목코드"),
            venue=vi_venue(row["종목코드"], ""),
            active=not row["VI해제시각"].strip("0 :"),
        )
        for row in named
    )


def watch_rows(rows: Rows) -> tuple[WatchRow, ...]:
    """The rows of an OPTKWFID that was requested with `tr.WATCHLIST.fields`."""
    named = (_by_name(tr.WATCHLIST.fields, row) for row in rows)
    return tuple(
        WatchRow(
            symbol=symbol(row["종목코드"], "종목코드"),
            name=row["종목명"].strip(),
            base_price=price(row["기준가"], "기준가"),
            upper_limit=price(row["상한가"], "상한가"),
            lower_limit=price(row["하한가"], "하한가"),
        )
        for row in named
    )
