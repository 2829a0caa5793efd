"""The TRs that the simulated broker answers: field names, padding and filters of KIWOOM.md 6.

Each function gives (single, rows): the head's fields and the rows of the multi block. One row of opt10075 and opt10076
stands for one order, whatever the number of its fills (the exact amount is 체결누계금액); cancels have no row of their
own. Numbers are padded with zeros in the account TRs and stand alone in the order TRs; names are padded with blanks.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from kiwoom.simulated.account import Account
from kiwoom.simulated.market import Listing
from kiwoom.simulated.orders import HOGA_NAMES, NO_ORDER, BrokerOrder, Quote, padded_name
from kiwoom.simulated.realtime import change, change_rate, signed, venue_selector
from kiwoom.simulated.rules import KRX, NXT, hhmmss

Fields = dict[str, str]
Table = tuple[Fields, list[Fields]]
QuoteOf = Callable[[str, str], Quote]
"""The market of (venue, symbol) now."""
StreamOf = tuple[str, str, Listing]
"""A feed code as asked for ("005930", "005930_NX"), its venue and its listing."""

_BOTH_SIDES: Final = "0"
_SIDE_FILTER: Final = {"1": "SELL", "2": "BUY"}


def open_orders(orders: Iterable[BrokerOrder], inputs: Mapping[str, str], account: Account, quote_of: QuoteOf) -> Table:
    """opt10075 미체결요청. 체결구분 1 = still open, 2 = with fills, 0 = all of today."""
    rows = []
    for order in _asked_for(orders, inputs, inputs.get("매매구분", _BOTH_SIDES)):
        chosen = inputs.get("체결구분", "0")
        if (chosen == "1" and order.ended) or (chosen == "2" and order.filled == 0):
            continue
        quote = quote_of(order.venue, order.symbol)
        rows.append(
            {
                "계좌번호": account.number,
                "주문번호": order.order_no,
                "관리사번": "",
                "종목코드": order.symbol,
                "업무구분": "",
                "주문상태": order.state,
                "종목명": padded_name(order.name),
                "주문수량": str(order.qty),
                "주문가격": str(order.price),
                "미체결수량": str(order.leaves),
                "체결누계금액": str(order.amount),
                "원주문번호": NO_ORDER,
                "주문구분": order.kind_name,
                "매매구분": HOGA_NAMES[order.hoga],
                "시간": hhmmss(order.changed),
                "체결번호": order.exec_id,
                "체결가": _blank_or(order.fill_price),
                "체결량": _blank_or(order.filled),
                "현재가": signed(quote.last, quote.base_price),
                "매도호가": signed(quote.ask, quote.base_price),
                "매수호가": signed(quote.bid, quote.base_price),
                "단위체결가": _blank_or(order.fill_price),
                "단위체결량": _blank_or(order.fill_qty),
                "당일매매수수료": str(order.claim.commission),
                "당일매매세금": str(order.claim.tax),
                "개인투자자": "0",
                "거래소구분": venue_selector(order.venue),
                "거래소구분텍스트": order.venue,
                "SOR 여부값": "Y" if order.by_sor else "N",
                "스톱가": "0",
            }
        )
    return {}, rows


def fills(orders: Iterable[BrokerOrder], inputs: Mapping[str, str]) -> Table:
    """opt10076 체결요청: the orders with at least one fill; 체결가 is the average, cut to a won."""
    rows = []
    for order in _asked_for(orders, inputs, inputs.get("매도수구분", _BOTH_SIDES)):
        if order.filled == 0:
            continue
        rows.append(
            {
                "주문번호": order.order_no,
                "종목명": padded_name(order.name),
                "주문구분": order.kind_name,
                "주문가격": str(order.price),
                "주문수량": str(order.qty),
                "체결가": str(order.amount // order.filled),
                "체결량": str(order.filled),
                "미체결수량": str(order.leaves),
                "당일매매수수료": str(order.claim.commission),
                "당일매매세금": str(order.claim.tax),
                "주문상태": order.state,
                "매매구분": HOGA_NAMES[order.hoga],
                "원주문번호": NO_ORDER,
                "주문시간": hhmmss(order.received),
                "종목코드": order.symbol,
                "거래소구분": venue_selector(order.venue),
                "거래소구분텍스트": order.venue,
                "SOR 여부값": "Y" if order.by_sor else "N",
            }
        )
    return {}, rows


def holdings(account: Account, listings: Mapping[str, Listing], inputs: Mapping[str, str], quote_of: QuoteOf) -> Table:
    """opw00018 계좌평가잔고내역. The venue, under either of its two names, changes the prices only (KIWOOM.md 6.1)."""
    venue = NXT if NXT in (inputs.get("거래소구분"), inputs.get("국내거래소구분")) else KRX
    rows = []
    bought_total = worth_total = 0
    for symbol in account.held_symbols():
        holding = account.holding(symbol)
        quote = quote_of(venue, symbol)
        worth = quote.last * holding.qty
        bought_total += holding.cost_won
        worth_total += worth
        rows.append(
            {
                "종목번호": f"A{symbol}",
                "종목명": padded_name(listings[symbol].name),
                "평가손익": _padded(worth - holding.cost_won, 14),
                "수익률(%)": _profit_rate(worth, holding.cost_won),
                "매입가": _padded(holding.average_won, 15),
                "전일종가": _padded(quote.base_price, 12),
                "보유수량": _padded(holding.qty, 15),
                "매매가능수량": _padded(holding.sellable, 15),
                "현재가": _padded(quote.last, 12),
                "금일매수수량": _padded(holding.bought_today, 15),
                "금일매도수량": _padded(holding.sold_today, 15),
                "매입금액": _padded(holding.cost_won, 15),
                "평가금액": _padded(worth, 15),
                "신용구분": "00",
                "신용구분명": "",
                "대출일": "",
            }
        )
    single = {
        "총매입금액": _padded(bought_total, 15),
        "총평가금액": _padded(worth_total, 15),
        "총평가손익금액": _padded(worth_total - bought_total, 15),
        "총수익률(%)": _profit_rate(worth_total, bought_total),
        "추정예탁자산": _padded(account.cash + worth_total, 15),
        "총대출금": _padded(0, 15),
        "총융자금액": _padded(0, 15),
        "총대주금액": _padded(0, 15),
        "조회건수": _padded(len(rows), 4),
    }
    return single, rows


def deposit(account: Account, opening_cash: int) -> Table:
    """opw00001 예수금상세현황. 주문가능금액 leaves out today's proceeds; 100%종목주문가능금액 counts them at once."""
    spendable = account.orderable_cash
    without_proceeds = max(0, min(spendable, spendable - account.proceeds_today))
    single = {
        "예수금": _padded(opening_cash, 15),
        "주식증거금현금": _padded(account.cash - spendable, 15),
        "출금가능금액": _padded(without_proceeds, 15),
        "주문가능금액": _padded(without_proceeds, 15),
        "20%종목주문가능금액": _padded(spendable, 15),
        "30%종목주문가능금액": _padded(spendable, 15),
        "40%종목주문가능금액": _padded(spendable, 15),
        "100%종목주문가능금액": _padded(spendable, 15),
        "현금미수금": _padded(0, 15),
        "d+1추정예수금": _padded(opening_cash, 15),
        "d+2추정예수금": _padded(account.cash, 15),
        "출력건수": _padded(0, 4),
    }
    return single, []


def watch_list(streams: Sequence[StreamOf], quote_of: QuoteOf) -> Table:
    """OPTKWFID 관심종목정보."""
    rows = []
    for code, venue, listing in streams:
        quote = quote_of(venue, listing.symbol)
        lower, upper = quote.limits
        base_price = quote.base_price
        rows.append(
            {
                "종목코드": code,
                "종목명": padded_name(listing.name),
                "현재가": signed(quote.last, base_price),
                "기준가": str(base_price),
                "전일대비": change(quote.last, base_price),
                "등락율": change_rate(quote.last, base_price),
                "매도호가": signed(quote.ask, base_price),
                "매수호가": signed(quote.bid, base_price),
                "상한가": signed(upper, base_price),
                "하한가": signed(lower, base_price),
            }
        )
    return {}, rows


def interruptions(running: Sequence[StreamOf], quote_of: QuoteOf) -> Table:
    """opt10054 변동성완화장치: the codes in VI now."""
    rows = []
    for code, venue, listing in running:
        quote = quote_of(venue, listing.symbol)
        rows.append(
            {
                "종목코드": code,
                "종목명": padded_name(listing.name),
                "발동가격": signed(quote.last, quote.base_price),
                "VI적용구분": "동적",
                "VI해제시각": "000000",
                "VI발동횟수": "1",
            }
        )
    return {}, rows


def _asked_for(orders: Iterable[BrokerOrder], inputs: Mapping[str, str], side: str) -> Iterable[BrokerOrder]:
    """By symbol (종목코드 with 전체종목구분 or 조회구분 "1"), side and 거래소구분 (0 all, 1 KRX, 2 NXT)."""
    one_symbol = "1" in (inputs.get("전체종목구분"), inputs.get("조회구분"))
    venue = inputs.get("거래소구분", "0")
    for order in orders:
        if one_symbol and order.symbol != inputs.get("종목코드"):
            continue
        if side in _SIDE_FILTER and order.side != _SIDE_FILTER[side]:
            continue
        if venue in ("1", "2") and venue_selector(order.venue) != venue:
            continue
        yield order


def _blank_or(number: int) -> str:
    return str(number) if number else ""


def _padded(number: int, width: int) -> str:
    """Zeros on the left; a minus sign stands before them."""
    return f"-{-number:0{width - 1}d}" if number < 0 else f"{number:0{width}d}"


def _profit_rate(worth: int, cost: int) -> str:
    """수익률 in percent with two decimals, blanks on the left."""
    if cost == 0:
        return "0.00".rjust(10)
    hundredths = (worth - cost) * 10_000 // cost
    return f"{'-' if hundredths < 0 else ''}{abs(hundredths) // 100}.{abs(hundredths) % 100:02}".rjust(10)
