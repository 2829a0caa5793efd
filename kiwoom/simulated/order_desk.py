"""The broker's order desk: from SendOrder to the last report, with its checks, its cap, its ledger and its faults.

Sequences (KIWOOM.md 4.2; `BrokerKnobs` has the variants):
- taken: OnReceiveMsg and OnReceiveTrData with a 7-digit number, then 접수 (a sale: 잔고 too), then 체결 and 잔고 per
  fill.
- turned away by the server: the message, and OnReceiveTrData with a blank number; no report. By the exchange: a
  number, then 거부 with the reason in 919.
- cancelled: the cancel's own number, its 접수, its 확인, then the clear event of the original. Nothing left to cancel:
  a message and a blank number, known when the cancel meets the exchange.
- Reports leave in the order of the exchange's events, and not before their order's number, unless a fault says so.
- placed by hand, in HTS: the reports alone. It counts in no cap.

The server checks kind, price, session, holdings and cash at arrival; what the exchange alone knows it refuses there.
No amend (-15), no credit, no order before the session. Cancelling a part leaves the rest in place, with no clear event.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, assert_never

from kiwoom.simulated.account import Account, Claim
from kiwoom.simulated.events import (
    CancelImpossible,
    MarketEvent,
    OwnAccepted,
    OwnEnded,
    OwnFilled,
    OwnReduced,
    OwnRejected,
)
from kiwoom.simulated.faults import BrokerKnobs
from kiwoom.simulated.feed import Feed
from kiwoom.simulated.ledger import LedgerKind, LedgerRow
from kiwoom.simulated.line import MILLISECOND, Line, SlidingSecond
from kiwoom.simulated.market import Listing, SimulatedMarket
from kiwoom.simulated.mischief import Mischief
from kiwoom.simulated.orders import (
    CONFIRMED,
    FILLED,
    HTS_RQ_NAME,
    RECEIVED,
    REFUSED,
    Answer,
    BrokerCancel,
    BrokerOrder,
    Quote,
    balance_report,
    cancel_report,
    clear_report,
    order_report,
    remainder_confirmed_report,
)
from kiwoom.simulated.registrations import is_screen
from kiwoom.simulated.rules import BUY, CLOSED, HOGA, KRX, NXT, SELL, VENUES, time_of_day, valid_price
from kiwoom.simulated.wire import ChejanFrame, MessageFrame, TrFrame

OwnEvent = OwnAccepted | OwnFilled | OwnReduced | OwnEnded | OwnRejected | CancelImpossible
"""What the exchange says of one of our orders."""

ORDERS_PER_SECOND_MAX: Final = 5
FIRST_ORDER_NO: Final = 100_001
RQ_NAME_BYTES_MAX: Final = 80
IOC_ENDS: Final = ("clear", "confirm", "nothing")
SPLITS_MAX: Final = 3
"""Cuts that the fault fill_split makes."""
HAND_QTY_MAX: Final = 5
"""Shares of an order placed by hand."""
HAND_RESTS_MS: Final = 2_000
"""After so long the trader cancels what still rests of it."""
HAND_DEPTH: Final = 6
"""Levels behind the touch at which it rests, if it does not take the touch."""
RESTING_KIND: Final = {"10": "00", "13": "06"}
"""What an IOC is for a venue that lets it rest. A market order does so at the touch that it met."""
OVERTAKEN_BY_MS: Final = 1
"""A number that a report overtakes comes so much after it."""

_SOR: Final = "SOR"
_NEW_ORDERS: Final = {
    1: (KRX, BUY),
    2: (KRX, SELL),
    11: (_SOR, BUY),
    12: (_SOR, SELL),
    21: (NXT, BUY),
    22: (NXT, SELL),
}
_CANCELS: Final = {3: (KRX, BUY), 4: (KRX, SELL), 13: (_SOR, ""), 23: (NXT, "")}
"""By order type: venue, and the side it must have ("" = either). KIWOOM.md 1.4."""

_MOCK_HOGAS: Final = ("00", "03")
_LOOK_BACK: Final = 200
"""Orders among which one that rests is looked for: those of the last 40 seconds at least."""
_NOON: Final = 12 * 3_600 * 1_000_000_000

_TAKEN: Final = {BUY: "[107066] 매수주문이 완료되었습니다.", SELL: "[107067] 매도주문이 완료되었습니다."}
_UNCOVERED: Final = {
    BUY: "[855056] 증거금 부족으로 주문이 거부되었습니다.",
    SELL: "[800033] 매도가능수량이 부족하여 주문이 거부되었습니다.",
}
_CANCEL_TAKEN: Final = "[107069] 취소주문이 완료되었습니다."
_NOTHING_TO_CANCEL: Final = "[00Z924] 취소수량이 취소가능수량을 초과하였습니다."


@dataclass(frozen=True, slots=True)
class OrderCall:
    """SendOrder's nine arguments, in order."""

    rq_name: str
    screen_no: str
    account: str
    order_type: int
    code: str
    qty: int
    price: int
    hoga: str
    orig_order_no: str


class OrderDesk:
    """The orders of the day, and everything that happens to them."""

    def __init__(
        self,
        *,
        line: Line,
        feed: Feed,
        market: SimulatedMarket,
        account: Account,
        listings: Mapping[str, Listing],
        knobs: BrokerKnobs,
        record: Callable[[LedgerRow], None],
        wall_to_mono: Callable[[int], int],
        observe_all: Callable[[Sequence[MarketEvent]], None],
        mischief: Mischief,
    ) -> None:
        self.window = SlidingSecond(ORDERS_PER_SECOND_MAX)
        """The calls as they came. What is let through is measured on `line.cap_time`, which may err."""
        self._cap = SlidingSecond(ORDERS_PER_SECOND_MAX)
        self.orders: dict[str, BrokerOrder] = {}
        """By number, oldest first; bounded by the cap over a day."""
        self._line = line
        self._feed = feed
        self._market = market
        self._account = account
        self._listings = listings
        self._knobs = knobs
        self._record = record
        self._wall_to_mono = wall_to_mono
        # What the exchange answers may concern others too, so it goes the way of every other market event.
        self._observe_all = observe_all
        self._mischief = mischief
        self._dice = line.dice
        self._next_number = FIRST_ORDER_NO
        # The time before which no report of any order leaves that is not overtaking on purpose.
        self._reports_floor = 0
        self._shelved: dict[str, BrokerOrder] = {}
        self._cancel_in_hand: BrokerCancel | None = None

    def calm(self, wall: int) -> None:
        """What was laid aside goes on to the exchange."""
        for order in list(self._shelved.values()):
            self._take_off_shelf(order, wall)

    # --- the call ---------------------------------------------------------------------------------------------------

    def send_order(self, call: OrderCall, mono: int, wall: int) -> int:
        """SendOrder: 0 = taken (not yet accepted), < 0 = turned away, and no event follows."""
        wrong = self._local_error(call)
        if wrong:
            self._record_call(
                LedgerKind.REJECT, call, mono, wall, return_code=wrong, reason="turned away by the control"
            )
            return wrong
        cap_time = self._line.cap_time(mono)
        spurious = self._dice.strikes("overload_spurious", call.rq_name, wall)
        is_full, by_our_clock = self._cap.is_full(cap_time), self.window.is_full(mono)
        if spurious or is_full:
            if not spurious and not by_our_clock:
                self._dice.note("clock_jitter_ms", call.rq_name, wall, abs(cap_time - mono))
            if self._knobs.overload_counts:
                self._cap.take(cap_time)
                self.window.take(mono)
            self._record_call(LedgerKind.OVERLOAD, call, mono, wall, return_code=-308)
            return -308
        if self._dice.strikes("order_lost", call.rq_name, wall):
            return 0
        self._cap.take(cap_time)
        self.window.take(mono)
        if self._dice.happens("line_lost", call.rq_name):
            self._mischief.cut("line_lost", call.rq_name, wall)
        if call.order_type in _CANCELS:
            self._take_cancel(call, mono, wall)
        else:
            self._take_order(call, mono, wall)
        return 0

    def _local_error(self, call: OrderCall) -> int:
        """What the control itself turns away (KIWOOM.md 1.6)."""
        if not self._line.logged_in:
            return -106
        if not 0 < len(call.rq_name.encode()) <= RQ_NAME_BYTES_MAX or not is_screen(call.screen_no):
            return -300
        if call.account != self._account.number:
            return -302
        is_cancel = call.order_type in _CANCELS
        venue, _ = (_CANCELS | _NEW_ORDERS).get(call.order_type, ("", ""))
        if not venue or (venue == _SOR and not self._knobs.accept_sor):
            return -15
        if call.code not in self._listings:
            return -500
        if call.qty < (0 if is_cancel else 1) or call.price < 0 or (is_cancel and call.price != 0):
            return -300
        if is_cancel != bool(call.orig_order_no.strip()):
            return -300
        return 0

    # --- new orders -------------------------------------------------------------------------------------------------

    def _take_order(self, call: OrderCall, mono: int, wall: int) -> None:
        venue, side = _NEW_ORDERS[call.order_type]
        by_sor = venue == _SOR
        if by_sor:
            venue = self._better_venue(call.code, side)
        listing = self._listings[call.code]
        board = {"KOSPI": "KP", "KOSDAQ": "KQ"}[listing.market]
        answer = self._plan_answer(call, f"KOA_NORMAL_{side}_{board}_ORD", wall)
        refusal = self._refusal(call, venue, listing, wall)
        claim = None if refusal else self._claim(call, venue, side, listing)
        if claim is None:
            refusal = refusal or _UNCOVERED[side]
            self._record_call(LedgerKind.REJECT, call, mono, wall, venue=venue, side=side, reason=refusal)
            self._answer(answer, "", refusal, wall)
            return
        order = BrokerOrder(
            order_no=self._number(),
            symbol=call.code,
            name=listing.name,
            venue=venue,
            side=side,
            qty=call.qty,
            price=call.price,
            hoga=call.hoga,
            order_type=call.order_type,
            by_sor=by_sor,
            claim=claim,
            answer=answer,
            received=wall,
        )
        self.orders[order.order_no] = order
        self._record_call(LedgerKind.ORDER, call, mono, wall, venue=venue, side=side, order_no=order.order_no)
        if shelved_ns := self._dice.delay("order_shelved", call.rq_name, wall):
            order.shelved = True
            self._shelved[order.order_no] = order
            self._line.at(wall + shelved_ns, partial(self._take_off_shelf, order))
        else:
            self._go_on(order, wall)
        by_hand = self._dice.happens("foreign_order", order.order_no)
        hand_delay = self._dice.size("foreign_order") if by_hand else 0
        if hand_delay:
            self._line.at(wall + hand_delay, partial(self._hand_moves, call.code))

    def _go_on(self, order: BrokerOrder, wall: int) -> None:
        """Its number to the client, itself to the exchange."""
        self._answer(order.answer, order.order_no, _TAKEN[order.side], wall)
        self._line.at(wall + self._line.latency.exchange_ms * MILLISECOND, partial(self._reach_exchange, order))

    def _take_off_shelf(self, order: BrokerOrder, wall: int) -> None:
        if self._shelved.pop(order.order_no, None) is not None:
            order.shelved = False
            self._go_on(order, wall)

    def _claim(self, call: OrderCall, venue: str, side: str, listing: Listing) -> Claim | None:
        by_limit = HOGA[call.hoga].pricing == "limit"
        return self._account.claim(
            symbol=call.code,
            market=listing.market,
            venue=venue,
            is_buy=side == BUY,
            worst_price=call.price if by_limit else self._market.limits(call.code)[1],
            qty=call.qty,
        )

    def _refusal(self, call: OrderCall, venue: str, listing: Listing, wall: int) -> str:
        """Why the server turns a new order away, "" if it does not."""
        refusal = self._rule_refusal(call, venue, listing, wall)
        if not refusal and self._dice.strikes("reject_tr", call.rq_name, wall):
            return "[800000] 주문이 거부되었습니다."
        return refusal

    def _rule_refusal(self, call: OrderCall, venue: str, listing: Listing, wall: int) -> str:
        rule = HOGA.get(call.hoga)
        lower, upper = self._market.limits(call.code)
        if self._knobs.mock_server and (venue == NXT or call.hoga not in _MOCK_HOGAS):
            return "[RC9000] 모의투자에서는 해당업무가 제공되지 않습니다."
        if rule is None or venue not in rule.venues:
            return "[407022] 주문이 불가능한 주문종류입니다."
        if venue == NXT and not listing.nxt:
            return "[407028] 넥스트레이드 거래종목이 아닙니다."
        if rule.pricing != "limit" and call.price != 0:
            return "[RC4033] 주문단가를 입력할 수 없는 주문입니다."
        if rule.pricing == "limit" and not lower <= call.price <= upper:
            return "[RC4027] 상/하한가 오류입니다."
        if rule.pricing == "limit" and not valid_price(call.price):
            return "[RC4025] 호가단위 오류입니다."
        if self._market.phase(venue) == CLOSED:
            return "[00Z217] 장시작전입니다." if time_of_day(wall) < _NOON else "[00Z218] 장종료 상태입니다."
        return ""

    def _reach_exchange(self, order: BrokerOrder, wall: int) -> None:
        if self._dice.strikes("reject_exchange", order.answer.rq_name, wall):
            self.observe(OwnRejected(wall, order.order_no, "거래소 주문거부"))
            return
        if HOGA[order.hoga].remainder == "ioc" and self._dice.strikes("reject_untrue", order.answer.rq_name, wall):
            self._report_refused(order, "거래소 주문거부", wall)
        self._mischief.before_arrival(order, wall)
        self._meet_book(order, wall)
        self._mischief.after_arrival(order, wall)
        if not order.ended and self._dice.strikes("phantom_report", order.order_no, wall):
            self._report_phantom(order, wall)

    def _meet_book(self, order: BrokerOrder, wall: int) -> None:
        rests = order.hoga in RESTING_KIND and self._dice.happens("ioc_rests", order.order_no)
        hoga = RESTING_KIND[order.hoga] if rests else order.hoga
        self._observe_all(
            self._market.submit(
                order.venue, order.order_no, order.symbol, order.side, order.qty, order.price, hoga, wall
            )
        )
        if rests and not order.ended:
            self._dice.note("ioc_rests", order.order_no, wall)

    def _better_venue(self, symbol: str, side: str) -> str:
        """Where SOR sends an order: the better opposite touch, KRX if they are equal or neither has one."""
        krx, nxt = self._feed.quote(KRX, symbol), self._feed.quote(NXT, symbol)
        if side == BUY:
            return NXT if nxt.ask and (not krx.ask or nxt.ask < krx.ask) else KRX
        return NXT if nxt.bid > krx.bid else KRX

    # --- cancels ----------------------------------------------------------------------------------------------------

    def _take_cancel(self, call: OrderCall, mono: int, wall: int) -> None:
        board = {"KOSPI": "KP", "KOSDAQ": "KQ"}[self._listings[call.code].market]
        answer = self._plan_answer(call, f"KOA_NORMAL_{board}_CANCEL", wall)
        original = self.orders.get(call.orig_order_no.strip())
        refusal = self._cancel_refusal(call, original, wall)
        if refusal or original is None:
            venue, side = _CANCELS[call.order_type]
            self._record_call(LedgerKind.REJECT, call, mono, wall, venue=venue, side=side, reason=refusal)
            self._answer(answer, "", refusal, wall)
            return
        cancel = BrokerCancel(self._number(), original, call.qty, answer)
        self._record_call(
            LedgerKind.CANCEL, call, mono, wall, venue=original.venue, side=original.side, order_no=cancel.order_no
        )
        if self._dice.strikes("cancel_unanswered", call.rq_name, wall):
            return
        if self._dice.strikes("cancel_silent", call.rq_name, wall):
            cancel.is_silent = cancel.answer.never = True
        elif self._dice.strikes("cancel_taken_early", call.rq_name, wall):
            cancel.is_told = True
            self._tell_cancel(cancel, RECEIVED, original.leaves, wall)
        arrival = (
            wall + self._line.latency.cancel_ms * MILLISECOND + self._dice.delay("cancel_slow", call.rq_name, wall)
        )
        # A cancel cannot overtake its own order.
        order_arrival = original.received + self._line.latency.exchange_ms * MILLISECOND
        self._line.at(max(arrival, order_arrival), partial(self._cancel_at_exchange, cancel))

    def _cancel_refusal(self, call: OrderCall, original: BrokerOrder | None, wall: int) -> str:
        """Why the server turns a cancel away, "" if it does not."""
        if original is None or original.symbol != call.code:
            return "[800061] 취소할 원주문 내역이 없습니다."
        venue, side = _CANCELS[call.order_type]
        ordered_at = _SOR if original.by_sor else original.venue
        if venue != ordered_at:
            return f"[800062] 취소주문 불가합니다. 원주문 거래소[{ordered_at}] 취소주문 거래소[{venue}]"
        if side not in ("", original.side):
            return "[800063] 매매구분이 원주문과 다릅니다."
        if original.ended or call.qty > original.leaves:
            return _NOTHING_TO_CANCEL
        if self._dice.strikes("cancel_rejected", call.rq_name, wall):
            return "[800000] 취소주문이 거부되었습니다."
        return ""

    def _cancel_at_exchange(self, cancel: BrokerCancel, wall: int) -> None:
        original = cancel.original
        if not original.by_hand:
            self._mischief.before_cancel(original, wall)
            untrue = self._dice.happens("cancel_untrue", original.order_no)
            if untrue and self._market.can_be_hit(original.venue, original.order_no):
                self._confirm_untruly(cancel, wall)
                return
        self._cancel_in_hand = cancel
        self._observe_all(self._market.cancel(original.venue, original.order_no, cancel.qty, wall))
        self._cancel_in_hand = None

    def _confirm_untruly(self, cancel: BrokerCancel, wall: int) -> None:
        original, delay_ns = cancel.original, self._dice.size("cancel_untrue")
        self._dice.note("cancel_untrue", original.order_no, wall, delay_ns)
        self._say_canceled(cancel, original.leaves, wall)
        self._line.at(wall + delay_ns, partial(self._fill_instead, cancel))

    def _fill_instead(self, cancel: BrokerCancel, wall: int) -> None:
        original = cancel.original
        if not original.ended:
            self._observe_all(self._market.hit(original.venue, original.order_no, original.leaves, wall))
        if not original.ended:  # its book does not trade now: the cancel was true after all
            cancel.is_silent = True
            self._cancel_in_hand = cancel
            self._observe_all(self._market.cancel(original.venue, original.order_no, 0, wall))
            self._cancel_in_hand = None

    # --- orders placed by hand --------------------------------------------------------------------------------------

    def order_by_hand(self, venue: str, symbol: str, side: str, qty: int, price: int, hoga: str, wall: int) -> str:
        """The trader's order goes straight to the exchange. Its number; "" if the server turns it away."""
        order_type = next(number for number, target in _NEW_ORDERS.items() if target == (venue, side))
        call = OrderCall(HTS_RQ_NAME, "", self._account.number, order_type, symbol, qty, price, hoga, "")
        listing = self._listings[symbol]
        claim = None if self._rule_refusal(call, venue, listing, wall) else self._claim(call, venue, side, listing)
        if claim is None:
            return ""
        answer = Answer(HTS_RQ_NAME, "", "", wall, session=-1, holds_reports=False, never=True)
        order = BrokerOrder(
            order_no=self._number(),
            symbol=symbol,
            name=listing.name,
            venue=venue,
            side=side,
            qty=qty,
            price=price,
            hoga=hoga,
            order_type=order_type,
            by_sor=False,
            claim=claim,
            answer=answer,
            received=wall,
        )
        self.orders[order.order_no] = order
        mono = self._wall_to_mono(wall)
        self._record_call(LedgerKind.ORDER, call, mono, wall, venue=venue, side=side, order_no=order.order_no)
        self._line.at(wall, partial(self._meet_book, order))
        return order.order_no

    def _hand_moves(self, symbol: str, wall: int) -> None:
        """The trader takes the touch, or lets an order rest for a while; nothing that would trade with ours."""
        if self._dice.is_calm:
            return
        venue, side = self._dice.one_of(VENUES), self._dice.one_of((BUY, SELL))
        qty = self._dice.between(1, HAND_QTY_MAX)
        takes = self._dice.one_of((True, False))
        if venue == NXT and not self._listings[symbol].nxt:
            return
        book = self._market.book(venue, symbol)
        levels = (book.asks if side == BUY else book.bids) if takes else (book.bids if side == BUY else book.asks)
        if not levels or self._rests_against(venue, symbol, side):
            return
        price = levels[0 if takes else min(HAND_DEPTH, len(levels) - 1)][0]
        number = self.order_by_hand(venue, symbol, side, qty, price, "10" if takes else "00", wall)
        if number:
            rests_ns = 0 if takes else HAND_RESTS_MS * MILLISECOND
            self._dice.note("foreign_order", number, wall, rests_ns)
            if rests_ns:
                self._line.at(wall + rests_ns, partial(self._cancel_by_hand, self.orders[number]))

    def _rests_against(self, venue: str, symbol: str, side: str) -> bool:
        """Do we have an order on the other side of that book?"""
        recent = reversed(self.orders.values())
        return any(
            order.venue == venue and order.symbol == symbol and order.side != side and not order.ended
            for order, _ in zip(recent, range(_LOOK_BACK), strict=False)
        )

    def _cancel_by_hand(self, order: BrokerOrder, wall: int) -> None:
        if order.ended:
            return
        cancel_type = next(
            number for number, (venue, side) in _CANCELS.items() if venue == order.venue and side in ("", order.side)
        )
        call = OrderCall(
            HTS_RQ_NAME, "", self._account.number, cancel_type, order.symbol, 0, 0, order.hoga, order.order_no
        )
        cancel = BrokerCancel(self._number(), order, 0, replace(order.answer))
        self._record_call(
            LedgerKind.CANCEL,
            call,
            self._wall_to_mono(wall),
            wall,
            venue=order.venue,
            side=order.side,
            order_no=cancel.order_no,
        )
        self._cancel_at_exchange(cancel, wall)

    # --- what the exchange says -------------------------------------------------------------------------------------

    def observe(self, event: OwnEvent) -> None:
        """An event of one of our orders, in the order in which the exchange tells them."""
        order = self.orders[event.order_no]
        match event:
            case OwnAccepted(wall):
                order.changed = wall
                self._report(order, order.answer, self._order_report(order), wall)
                if order.side == SELL:
                    self._send_balance(order)
            case OwnFilled():
                self._fill(order, event)
            case OwnReduced(wall, _, canceled, leaves):
                self._account.release(order.claim, canceled)
                order.leaves = leaves
                if self._confirm_cancel(order, canceled, wall):
                    self._send_released_balance(order)
            case OwnEnded(wall, _, unfilled, why):
                self._end(order, unfilled, why, wall)
            case OwnRejected(wall, _, reason_text):
                order.state = REFUSED
                self._close(order, f"rejected: {reason_text}", wall)
                self._report_refused(order, reason_text, wall)
            case CancelImpossible(wall):
                cancel = self._cancel_in_hand
                assert cancel is not None and cancel.original is order
                if cancel.is_told:
                    self._tell_cancel(cancel, REFUSED, 0, wall, _NOTHING_TO_CANCEL)
                    return
                cancel.answer.waits_for_report = False
                self._answer(cancel.answer, "", _NOTHING_TO_CANCEL, wall)
            case _:
                assert_never(event)

    def _report_refused(self, order: BrokerOrder, reason: str, wall: int) -> None:
        told = copy(order)
        told.state, told.leaves = REFUSED, 0
        report = order_report(told, self._account, self._quote(order), self._knobs, reason=reason)
        self._report(order, order.answer, report, wall)

    def _fill(self, order: BrokerOrder, event: OwnFilled) -> None:
        done = 0
        for number, qty in enumerate(self._executions(order, event)):
            done += qty
            exec_id = f"9{event.exec_id}{number}" if number else event.exec_id
            self._execute(order, replace(event, exec_id=exec_id, qty=qty, leaves=event.leaves + event.qty - done))
        if not order.by_hand:
            self._mischief.after_fill(order, event.wall)

    def _executions(self, order: BrokerOrder, event: OwnFilled) -> list[int]:
        """The sizes in which a fill is made: one, unless a fault splits it."""
        if event.qty == 1 or not self._dice.strikes("fill_split", order.order_no, event.wall):
            return [event.qty]
        sizes = [event.qty]
        for _ in range(self._dice.between(1, SPLITS_MAX)):
            largest = max(sizes)
            if largest == 1:
                break
            part = self._dice.between(1, largest - 1)
            sizes[sizes.index(largest)] = part
            sizes.append(largest - part)
        return sizes

    def _execute(self, order: BrokerOrder, event: OwnFilled) -> None:
        commission, tax = self._account.fill(order.claim, event.price, event.qty)
        order.state = FILLED
        order.leaves = event.leaves
        order.filled += event.qty
        order.amount += event.price * event.qty
        order.exec_id, order.fill_price, order.fill_qty = event.exec_id, event.price, event.qty
        order.changed = event.wall
        self._record_event(
            LedgerKind.FILL,
            order,
            event.wall,
            fill_px=event.price,
            fill_qty=event.qty,
            exec_id=event.exec_id,
            fee_krw=commission,
            tax_krw=tax,
        )
        self._report(order, order.answer, self._order_report(order), event.wall)
        self._send_balance(order)

    def _end(self, order: BrokerOrder, unfilled: int, why: str, wall: int) -> None:
        assert unfilled == order.leaves
        order.released = unfilled
        self._close(order, why, wall)
        match why:
            case "filled":
                return
            case "canceled":
                if not self._confirm_cancel(order, unfilled, wall):
                    return
            case "ioc":
                way = self._ioc_end(order, wall)
                if way == "nothing":
                    return
                if way == "confirm":
                    quote = self._quote(order)
                    report = remainder_confirmed_report(order, unfilled, self._account, quote, self._knobs)
                    self._report(order, order.answer, report, wall)
                    self._send_released_balance(order)
                    return
            case _:
                assert why == "venue"
        self._report(order, order.answer, self._clear_report(order, wall), wall)
        self._send_released_balance(order)

    def _ioc_end(self, order: BrokerOrder, wall: int) -> str:
        usual = self._knobs.ioc_end
        if not self._dice.strikes("ioc_end_other", order.order_no, wall):
            return usual
        return self._dice.one_of([way for way in IOC_ENDS if way != usual])

    def _clear_report(self, order: BrokerOrder, wall: int) -> ChejanFrame:
        report = clear_report(order, self._account, self._quote(order), self._knobs)
        if not order.filled and self._dice.strikes("clear_says_filled", order.order_no, wall):
            report.values[913] = FILLED
        elif self._dice.strikes("clear_unmarked", order.order_no, wall):
            report.values[819] = "0"
        return report

    def _report_phantom(self, order: BrokerOrder, wall: int) -> None:
        """A fill that never was, on an order that still rests."""
        believed = copy(order)
        believed.fill_qty = self._dice.between(1, order.leaves)
        believed.fill_price = order.price or self._quote(order).last
        believed.state, believed.exec_id = FILLED, f"8{order.order_no}"
        believed.leaves -= believed.fill_qty
        believed.filled += believed.fill_qty
        believed.amount += believed.fill_qty * believed.fill_price
        self._report(order, order.answer, self._order_report(believed), wall)

    def _confirm_cancel(self, order: BrokerOrder, canceled: int, wall: int) -> bool:
        """The cancel's number, its 접수 and its 확인; False if nothing is said."""
        cancel = self._cancel_in_hand
        assert cancel is not None and cancel.original is order
        if cancel.is_silent:
            return False
        self._say_canceled(cancel, canceled, wall)
        return True

    def _say_canceled(self, cancel: BrokerCancel, canceled: int, wall: int) -> None:
        if not cancel.is_told:
            self._tell_cancel(cancel, RECEIVED, canceled, wall)
        self._tell_cancel(cancel, CONFIRMED, canceled, wall)

    def _tell_cancel(self, cancel: BrokerCancel, state: str, qty: int, wall: int, reason: str = "0") -> None:
        """Its number goes out with its 접수."""
        order = cancel.original
        if state == RECEIVED:
            self._answer(cancel.answer, cancel.order_no, _CANCEL_TAKEN, wall)
        report = cancel_report(cancel, state, qty, self._account, self._quote(order), self._knobs, wall, reason)
        self._report(order, cancel.answer, report, wall)

    def _close(self, order: BrokerOrder, reason: str, wall: int) -> None:
        self._account.release(order.claim, order.leaves)
        order.leaves = 0
        order.ended = True
        order.changed = wall
        self._record_event(LedgerKind.END, order, wall, qty=order.qty - order.filled, reason=reason)

    # --- answers and reports ----------------------------------------------------------------------------------------

    def _plan_answer(self, call: OrderCall, tr_code: str, wall: int) -> Answer:
        due = wall + self._line.delay(self._line.latency.ack_ms)
        answer = Answer(call.rq_name, call.screen_no, tr_code, due, self._line.session)
        if self._dice.strikes("order_no_never", call.rq_name, wall):
            answer.never = True
        elif late := self._dice.delay("order_no_late", call.rq_name, wall):
            answer.due += late
        elif self._dice.strikes("order_no_after_report", call.rq_name, wall):
            answer.waits_for_report = True
        else:
            return answer
        answer.holds_reports = False
        return answer

    def _answer(self, answer: Answer, order_no: str, text: str, wall: int) -> None:
        """Send it when due; a blank number is a rejection, and waits for no report."""
        answer.order_no, answer.text = order_no, text
        if answer.never or (answer.waits_for_report and order_no):
            return
        answer.due = max(answer.due, wall)
        message = MessageFrame(answer.screen_no, answer.rq_name, answer.tr_code, text)
        number = TrFrame(answer.screen_no, answer.rq_name, answer.tr_code, "", "", {"주문번호": order_no}, ())
        swapped = self._dice.strikes("message_swapped", answer.rq_name, wall)
        frames = (message, number) if self._knobs.message_before_tr != swapped else (number, message)
        self._line.answer_at(answer.due, answer.session, *frames)

    def _report(self, order: BrokerOrder, answer: Answer, frame: ChejanFrame, wall: int) -> None:
        """Behind every report before it; one that is held back lets those of other orders pass."""
        at = max(wall + self._line.delay(self._line.latency.report_ms), self._reports_floor)
        if answer.holds_reports:
            at = max(at, answer.due)
        self._reports_floor = at
        at = max(at, order.reports_floor) + self._dice.delay("report_reordered", order.order_no, wall)
        order.reports_floor = at
        if answer.waits_for_report:
            answer.waits_for_report = False
            answer.due = at + OVERTAKEN_BY_MS * MILLISECOND
            self._answer(answer, answer.order_no, answer.text, wall)
        if self._dice.strikes("report_lost", order.order_no, wall):
            return
        at += self._dice.delay("report_delayed", order.order_no, wall)
        self._line.send_at(at, frame)
        again = self._dice.delay("report_repeated", order.order_no, wall)
        if again:
            self._line.send_at(at + again, frame)

    def _send_balance(self, order: BrokerOrder) -> None:
        """잔고, right behind the report before it."""
        frame = balance_report(self._account, order.symbol, order.name, self._quote(order))
        self._line.send_at(order.reports_floor, frame)

    def _send_released_balance(self, order: BrokerOrder) -> None:
        if order.side == SELL and self._knobs.balance_on_release:
            self._send_balance(order)

    def _order_report(self, order: BrokerOrder) -> ChejanFrame:
        return order_report(order, self._account, self._quote(order), self._knobs)

    def _quote(self, order: BrokerOrder) -> Quote:
        return self._feed.quote(order.venue, order.symbol)

    def _number(self) -> str:
        self._next_number += 1
        return f"{self._next_number - 1:07d}"

    # --- the ledger -------------------------------------------------------------------------------------------------

    def _record_call(
        self,
        kind: LedgerKind,
        call: OrderCall,
        mono: int,
        wall: int,
        *,
        venue: str = "",
        side: str = "",
        order_no: str = "",
        return_code: int = 0,
        reason: str = "",
    ) -> None:
        if not venue:
            venue, side = (_CANCELS | _NEW_ORDERS).get(call.order_type, ("", ""))
        self._record(
            LedgerRow(
                ts=wall,
                ts_mono_ns=mono,
                kind=kind,
                rq_name=call.rq_name,
                order_no=order_no,
                orig_order_no=call.orig_order_no,
                venue=venue,
                symbol=call.code,
                side=side,
                order_type=call.order_type,
                hoga_code=call.hoga,
                price=call.price,
                qty=call.qty,
                return_code=return_code,
                reason=reason,
            )
        )

    def _record_event(
        self,
        kind: LedgerKind,
        order: BrokerOrder,
        wall: int,
        *,
        qty: int | None = None,
        fill_px: int | None = None,
        fill_qty: int | None = None,
        exec_id: str = "",
        fee_krw: int | None = None,
        tax_krw: int | None = None,
        reason: str = "",
    ) -> None:
        self._record(
            LedgerRow(
                ts=wall,
                ts_mono_ns=self._wall_to_mono(wall),
                kind=kind,
                rq_name=order.answer.rq_name,
                order_no=order.order_no,
                venue=order.venue,
                symbol=order.symbol,
                side=order.side,
                order_type=order.order_type,
                hoga_code=order.hoga,
                price=order.price,
                qty=qty,
                fill_px=fill_px,
                fill_qty=fill_qty,
                exec_id=exec_id,
                fee_krw=fee_krw,
                tax_krw=tax_krw,
                reason=reason,
            )
        )
