"""An order and a cancel as the simulated broker keeps them, and the order reports (chejan) made of them.

The forms of every value are those of KIWOOM.md 4.1; the sequences are the broker's business (4.2). A clear event
repeats the order's last state with its last fill's price and quantity: it looks like a fill and is none.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from kiwoom.simulated.account import Account, Claim
from kiwoom.simulated.faults import BrokerKnobs
from kiwoom.simulated.realtime import change, change_rate, change_sign, signed, venue_selector
from kiwoom.simulated.rules import BUY, hhmmss
from kiwoom.simulated.wire import ChejanFrame

HOGA_NAMES: Final = {
    "00": "보통",
    "03": "시장가",
    "06": "최유리지정가",
    "07": "최우선지정가",
    "10": "보통(IOC)",
    "13": "시장가(IOC)",
    "16": "최유리(IOC)",
    "20": "보통(FOK)",
    "23": "시장가(FOK)",
    "26": "최유리(FOK)",
    "29": "중간가",
}
"""FID 906 매매구분."""

NO_ORDER: Final = "0000000"
RECEIVED, CONFIRMED, FILLED, REFUSED = "접수", "확인", "체결", "거부"
"""FID 913 주문상태."""


class Quote(NamedTuple):
    """What the reports tell of a symbol's market on one venue; `ask` and `bid` are 0 where there is none."""

    last: int
    ask: int
    bid: int
    base_price: int
    limits: tuple[int, int]
    """(lower, upper)."""


@dataclass(slots=True)
class Answer:
    """The OnReceiveMsg and OnReceiveTrData of one SendOrder, and how the order's reports stand to them."""

    rq_name: str
    screen_no: str
    tr_code: str
    due: int
    """Wall time at which it goes out; later if what it says is not known by then."""
    session: int
    """The login it belongs to: it is not given to a later one."""
    order_no: str = ""
    text: str = ""
    holds_reports: bool = True
    """Reports wait until it has gone out, as they do when nothing is wrong."""
    waits_for_report: bool = False
    """It goes out just after the first report instead of when due."""
    never: bool = False


HTS_RQ_NAME: Final = ""
"""What stands for the rq_name of an order that the trader placed by hand; it never reaches the control."""


@dataclass(slots=True)
class BrokerOrder:
    """A new order, from its arrival to the end of the day."""

    order_no: str
    symbol: str
    name: str
    venue: str
    side: str
    qty: int
    price: int
    """As ordered: 0 for a price-less hoga."""
    hoga: str
    order_type: int
    by_sor: bool
    claim: Claim
    answer: Answer
    received: int
    state: str = RECEIVED
    leaves: int = field(init=False)
    filled: int = 0
    amount: int = 0
    """체결누계금액 in won."""
    exec_id: str = ""
    fill_price: int = 0
    fill_qty: int = 0
    """The last fill's number, price and quantity."""
    ended: bool = False
    released: int = 0
    """Shares that its end left unfilled."""
    shelved: bool = False
    """Laid aside by the server: neither at the exchange nor in any list."""
    reports_floor: int = 0
    """Wall time before which no further report of this order leaves, but for those that overtake on purpose."""
    changed: int = field(init=False)
    """Wall time of the last change: 주문/체결시간."""

    def __post_init__(self) -> None:
        self.leaves = self.qty
        self.changed = self.received

    @property
    def by_hand(self) -> bool:
        return self.answer.rq_name == HTS_RQ_NAME

    @property
    def kind_name(self) -> str:
        """905 주문구분."""
        return "+매수" if self.side == BUY else "-매도"

    @property
    def side_code(self) -> str:
        """907 매도수구분."""
        return "2" if self.side == BUY else "1"


@dataclass(slots=True)
class BrokerCancel:
    """A cancel on its way to the exchange. `qty` 0 = all that remains."""

    order_no: str
    original: BrokerOrder
    qty: int
    answer: Answer
    is_silent: bool = False
    """Neither it nor what it does is reported."""
    is_told: bool = False
    """Its number and its 접수 left when the server took it."""

    @property
    def kind_name(self) -> str:
        return "매수취소" if self.original.side == BUY else "매도취소"


def padded_name(name: str) -> str:
    return name.ljust(20)


def order_report(
    order: BrokerOrder, account: Account, quote: Quote, knobs: BrokerKnobs, reason: str = "0"
) -> ChejanFrame:
    """gubun 0 of an order as it stands now: 접수, 체결 or 거부 (with `reason` in 919)."""
    return _report(_order_values(order, account, quote, knobs) | {919: reason}, order, knobs)


def clear_report(order: BrokerOrder, account: Account, quote: Quote, knobs: BrokerKnobs) -> ChejanFrame:
    """미체결클리어: the order's last state again with nothing left and 819 = "1"."""
    return _report(_order_values(order, account, quote, knobs) | {902: "0", 819: "1"}, order, knobs)


def remainder_confirmed_report(
    order: BrokerOrder, unfilled: int, account: Account, quote: Quote, knobs: BrokerKnobs
) -> ChejanFrame:
    """An IOC's remainder reported as a confirmed cancel of the order by itself (KIWOOM.md 4.2 B)."""
    values = _order_values(order, account, quote, knobs)
    kind = "매수취소" if order.side == BUY else "매도취소"
    values |= {913: CONFIRMED, 900: str(unfilled), 902: "0", 904: order.order_no, 905: kind} | _NO_FILL
    return _report(values, order, knobs)


def cancel_report(
    cancel: BrokerCancel,
    state: str,
    qty: int,
    account: Account,
    quote: Quote,
    knobs: BrokerKnobs,
    wall: int,
    reason: str = "0",
) -> ChejanFrame:
    """gubun 0 of the cancel itself: 접수, then 확인, with the quantity cancelled; or 거부 with the reason."""
    original = cancel.original
    values = _order_values(original, account, quote, knobs) | {
        9203: cancel.order_no,
        913: state,
        900: str(qty),
        901: "0",
        902: str(qty) if state == RECEIVED else "0",
        903: "0",
        904: original.order_no,
        905: cancel.kind_name,
        908: hhmmss(wall),
        920: cancel.answer.screen_no,
    }
    return _report(values | _NO_FILL | {919: reason}, original, knobs)


def balance_report(account: Account, symbol: str, name: str, quote: Quote) -> ChejanFrame:
    """gubun 1 잔고: what the account holds of the symbol now."""
    holding = account.holding(symbol)
    lower, upper = quote.limits
    average = holding.average_won
    net_today = holding.bought_today - holding.sold_today
    profit = change_rate(quote.last, average).strip("+ ") if average else "0.00"
    values = {
        9201: account.number,
        9001: f"A{symbol}",
        917: "00",
        916: "00000000",
        302: padded_name(name),
        10: signed(quote.last, quote.base_price),
        930: str(holding.qty),
        931: str(average),
        932: str(holding.cost_won),
        933: str(holding.sellable),
        945: str(net_today),
        946: "1" if net_today < 0 else "2",
        950: str(holding.realised_won),
        951: "0",
        27: signed(quote.ask, quote.base_price),
        28: signed(quote.bid, quote.base_price),
        307: str(quote.base_price),
        8019: profit,
        957: "0",
        958: "0",
        918: "00000000",
        990: "0",
        991: "0.00",
        992: "0",
        993: "0.00",
        959: "0",
        924: "0",
        10010: signed(quote.last, quote.base_price),
        25: change_sign(quote.last, quote.base_price, quote.limits),
        11: change(quote.last, quote.base_price),
        12: change_rate(quote.last, quote.base_price),
        306: signed(lower, quote.base_price),
        305: signed(upper, quote.base_price),
        970: "10",
    }
    return ChejanFrame("1", values)


_NO_FILL: Final = {909: "", 910: "", 911: "", 914: "", 915: "", 938: "0", 939: "0"}


def _order_values(order: BrokerOrder, account: Account, quote: Quote, knobs: BrokerKnobs) -> dict[int, str]:
    """The 35 FIDs of gubun 0, in the order in which they are listed."""
    has_fill = order.filled > 0
    costs = (str(order.claim.commission), str(order.claim.tax)) if knobs.report_has_costs else ("", "")
    return {
        9201: account.number,
        9203: order.order_no,
        9205: "",
        9001: f"A{order.symbol}",
        912: "JJ",
        913: order.state,
        302: padded_name(order.name),
        900: str(order.qty),
        901: str(order.price),
        902: str(order.leaves),
        903: str(order.amount),
        904: NO_ORDER,
        905: order.kind_name,
        906: HOGA_NAMES[order.hoga],
        907: order.side_code,
        908: hhmmss(order.changed),
        909: order.exec_id,
        910: str(order.fill_price) if has_fill else "",
        911: str(order.filled) if has_fill else "",
        10: signed(quote.last, quote.base_price),
        27: signed(quote.ask, quote.base_price),
        28: signed(quote.bid, quote.base_price),
        914: str(order.fill_price) if has_fill else "",
        915: str(order.fill_qty) if has_fill else "",
        938: costs[0],
        939: costs[1],
        919: "0",
        920: order.answer.screen_no,
        921: "",
        922: "00",
        923: "00000000",
        949: "3",
        10010: signed(quote.last, quote.base_price),
        969: "0",
        819: "0",
    }


def _report(values: dict[int, str], order: BrokerOrder, knobs: BrokerKnobs) -> ChejanFrame:
    if knobs.report_has_venue:
        values = values | {
            2134: venue_selector(order.venue),
            2135: order.venue,
            2136: "Y" if order.by_sor else "N",
            2137: "0",
        }
    return ChejanFrame("0", values)
