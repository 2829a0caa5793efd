"""One venue's matching engine. Two instances, KRX and NXT, make the market; they share nothing.

What this exchange assumes, and where it knows less than the real one:

Both venues
- Price, then time. A level is a queue; an order joins its end and moves up only as those before it fill or leave.
  A cancel of a part keeps the place of the rest. A fill has the price of the resting order.
- Every order of ours is an ordinary participant: it can be filled in part, it shows in the book (but for mid-point),
  it stands behind whoever came first, and it takes no more than what really rests. Nothing is filled by a model.
- Lot of one share. Prices on a tick and inside the day's limits, or the order is rejected.
- Limit 00 rests. IOC (10 limit, 13 market, 16 best) cancels what does not fill at once. FOK (20, 23, 26) fills
  whole or ends unfilled. Best-limit 06 is a limit at the opposite touch, top-priority 07 one at the own touch; both
  are rejected where that side is empty. A price-less order that brings a price is rejected.
- Mid-point 29 is hidden and stands at (bid + ask) / 2 of the moment, so it moves with the book. An incoming order
  priced at that mid or better meets it first, at the mid, first come first served. While there is no two-sided book,
  or the mid is no whole won, it does not trade. Only arrivals trade: two resting mid-point orders do not meet by the
  book moving. A FOK does not count hidden shares among those it could have.
- No self-trade prevention: our buy can fill our sell, and both fills are reported.
- No market maker, no iceberg, no amend. Fills and ends are told in the same instant; latency is the broker's matter.
- A trade is printed once per price level and incoming order, not once per counterparty.
- A call auction matches at its end, at the one price that trades most; among those the one that leaves least over,
  then the nearest to the last price. It takes limit and market orders only, and cancels.
- A halt stops new orders and matching; what rests, rests; cancels are taken.
- Closed: no orders, no cancels.

KRX
- Phases: opening auction to 09:00, continuous to 15:20, closing auction to 15:30. What rests then ends ("venue").
- Market 03 is a limit at the day's limit price; a remainder rests at the last traded price.
- VI is a call auction of the symbol, which ends with one matching at its single price; NXT trades on.

NXT
- Phases: continuous 08:00-08:50, 09:00:30-15:20 and 15:40-20:00, call auction 15:30-15:40. What rests survives the
  breaks between them and ends at 20:00.
- No plain market order (03).
- VI is a halt of the symbol: no new orders, cancels taken.

VI never starts by itself from a price move here, only on request: see `SimulatedMarket.start_vi`.
"""

from bisect import insort
from collections import deque
from typing import Final

from kiwoom.simulated.events import (
    Book,
    BookChanged,
    CancelImpossible,
    MarketEvent,
    OwnAccepted,
    OwnEnded,
    OwnFilled,
    OwnReduced,
    OwnRejected,
    TradePrinted,
)
from kiwoom.simulated.rules import (
    AUCTION,
    AUCTION_PRICINGS,
    BUY,
    CLOSED,
    CONTINUOUS,
    HOGA,
    KRX,
    HogaRule,
    price_limits,
    valid_price,
)

HALTED: Final = "halted"
"""The mode of a single book that trades in no way while its venue is open."""

VISIBLE_LEVELS: Final = 10


class Exchange:
    """The books of one venue, and our orders in them. Events go to `outbox`, in order.

    `submit` and `cancel` are for our orders: they check, answer and publish. `post`, `take`, `withdraw` are for the
    background flow: trusted, silent, and published by the caller once its whole action is done.
    """

    def __init__(self, venue: str, outbox: list[MarketEvent]) -> None:
        self.venue = venue
        self.phase = CLOSED
        self.books: dict[str, OrderBook] = {}
        self._outbox = outbox
        self._own: dict[str, OwnOrder] = {}
        self._executions = 100_000

    def list_symbol(self, symbol: str, base_price: int, last_price: int) -> "OrderBook":
        """Open an empty book. `last_price` is what auctions and market remainders refer to before the first trade."""
        assert symbol not in self.books
        lower, upper = price_limits(base_price)
        assert lower <= last_price <= upper
        book = OrderBook(symbol, lower, upper, last_price)
        self.books[symbol] = book
        return book

    # --- our orders -------------------------------------------------------------------------------------------------

    def submit(self, order_no: str, symbol: str, side: str, qty: int, price: int, hoga: str, wall: int) -> None:
        assert order_no not in self._own
        book = self.books.get(symbol)
        rule = HOGA.get(hoga)
        refusal = self._refusal(book, rule, side, qty, price)
        if refusal:
            self._outbox.append(OwnRejected(wall, order_no, refusal))
            return
        assert book is not None
        assert rule is not None
        limit = _limit_of(book, rule.pricing, side == BUY, price)
        order = OwnOrder(order_no, book, side == BUY, limit, rule.pricing, qty)
        self._own[order_no] = order
        self._outbox.append(OwnAccepted(wall, order_no))
        if book.mode == AUCTION:
            book.add(order.buying, limit, order)
        else:
            self._execute(order, rule, wall)
        self.publish(book, wall)

    def cancel(self, order_no: str, qty: int, wall: int) -> None:
        order = self._own.get(order_no)
        if order is None or self.phase == CLOSED:
            self._outbox.append(CancelImpossible(wall, order_no))
            return
        if 0 < qty < order.qty:
            order.book.shrink(order, qty)
            self._outbox.append(OwnReduced(wall, order_no, qty, order.qty))
        else:
            order.book.remove(order)
            self._end(order, "canceled", wall)
        self.publish(order.book, wall)

    def ahead_of(self, order_no: str) -> int | None:
        """What would trade before the first share of our order if somebody came from the other side; None if it does
        not stand in a book that trades now."""
        order = self._own.get(order_no)
        if order is None or order.pricing == "mid" or order.book.mode != CONTINUOUS:
            return None
        ladder = order.book.ladder(order.buying)
        key = order.price * ladder.sign
        ahead = order.book.available(not order.buying, order.price) - ladder.levels[key].total
        for resting in ladder.levels[key].queue:
            if resting is order:
                break
            ahead += resting.qty
        return ahead

    def hit(self, order_no: str, qty: int, wall: int) -> None:
        """Somebody takes `qty` shares of our resting order, and what stands before it."""
        ahead = self.ahead_of(order_no)
        if ahead is None:
            return
        order = self._own[order_no]
        self.take(order.book, not order.buying, order.price, ahead + qty, wall)
        self.publish(order.book, wall)

    def own_orders(self) -> tuple[str, ...]:
        """The numbers of our orders that rest, oldest first."""
        return tuple(self._own)

    def _refusal(self, book: "OrderBook | None", rule: HogaRule | None, side: str, qty: int, price: int) -> str:
        """Why this order cannot enter, in the venue's words; "" if it can."""
        if book is None:
            return "거래할 수 없는 종목입니다"
        if self.phase == CLOSED:
            return "주문 가능한 시간이 아닙니다"
        if rule is None or self.venue not in rule.venues:
            return "주문이 불가능한 주문종류입니다"
        if book.mode == HALTED:
            return "VI 발동으로 주문이 불가능합니다" if book.in_vi and not book.in_halt else "거래정지 종목입니다"
        if book.mode == AUCTION and (rule.pricing not in AUCTION_PRICINGS or rule.remainder != "rests"):
            return "단일가 매매시간에 주문이 불가능한 주문종류입니다"
        if qty < 1:
            return "주문수량 오류입니다"
        if rule.pricing != "limit":
            if price != 0:
                return "주문단가를 입력할 수 없는 주문종류입니다"
            if rule.pricing == "best" and not book.touch(side != BUY):
                return "상대호가가 없습니다"
            if rule.pricing == "join" and not book.touch(side == BUY):
                return "최우선호가가 없습니다"
            return ""
        if not book.lower <= price <= book.upper:
            return "상/하한가 오류입니다"
        return "" if valid_price(price) else "호가단위 오류입니다"

    def _execute(self, order: "OwnOrder", rule: HogaRule, wall: int) -> None:
        """An accepted order meets the continuous book."""
        book = order.book
        if rule.pricing == "mid":
            mid = book.mid()
            if mid:
                self._match(book, order.buying, mid, order.qty, order, wall)
            if order.qty:
                book.mids(order.buying).append(order)
            return
        if rule.remainder == "fok" and book.available(order.buying, order.price) < order.qty:
            self._end(order, "ioc", wall)
            return
        self._match(book, order.buying, order.price, order.qty, order, wall)
        if not order.qty:
            return
        if rule.remainder == "rests":
            if rule.pricing == "market":
                order.price = book.last_price
            book.add(order.buying, order.price, order)
        else:
            self._end(order, "ioc", wall)

    def _end(self, order: "OwnOrder", why: str, wall: int) -> None:
        del self._own[order.order_no]
        self._outbox.append(OwnEnded(wall, order.order_no, order.qty, why))

    # --- the background flow ----------------------------------------------------------------------------------------

    def post(self, book: "OrderBook", buying: bool, price: int, qty: int, wall: int) -> None:
        """Somebody's limit order: it takes what crosses it, the rest rests."""
        if book.mode == CONTINUOUS:
            qty = self._match(book, buying, price, qty, None, wall)
        if qty:
            book.add(buying, price, Resting(qty))

    def take(self, book: "OrderBook", buying: bool, price: int, qty: int, wall: int) -> None:
        """Somebody's IOC at `price`. Nothing happens outside continuous trading."""
        if book.mode == CONTINUOUS:
            self._match(book, buying, price, qty, None, wall)

    def publish(self, book: "OrderBook", wall: int) -> None:
        """Tell that the visible levels changed, if they did since the last time."""
        if book.changed:
            book.changed = False
            if book.mode != CLOSED:
                self._outbox.append(BookChanged(wall, self.venue, book.symbol))

    # --- phases, halts, VI ------------------------------------------------------------------------------------------

    def set_phase(self, phase: str, wall: int, last: bool) -> None:
        """The venue enters `phase`; `last` = its day is over and our resting orders end."""
        self.phase = phase
        for book in self.books.values():
            self._change_mode(book, wall)
        if last:
            for order in list(self._own.values()):
                order.book.remove(order)
                self._end(order, "venue", wall)

    def set_halt(self, book: "OrderBook", halted: bool, wall: int) -> None:
        book.in_halt = halted
        self._change_mode(book, wall)

    def set_vi(self, book: "OrderBook", active: bool, wall: int) -> None:
        book.in_vi = active
        self._change_mode(book, wall)

    def _change_mode(self, book: "OrderBook", wall: int) -> None:
        """Work out how the book trades now. Leaving an auction for anything but a halt matches it."""
        before = book.mode
        if self.phase == CLOSED:
            book.mode = CLOSED
        elif book.in_halt:
            book.mode = HALTED
        elif book.in_vi:
            book.mode = AUCTION if self.venue == KRX else HALTED
        else:
            book.mode = self.phase
        if book.mode == before:
            return
        if book.mode in (CONTINUOUS, CLOSED) and book.crossed():
            self._uncross(book, wall)
        if book.mode == CONTINUOUS:
            self._price_market_orders(book)
        book.changed = True
        self.publish(book, wall)

    def _uncross(self, book: "OrderBook", wall: int) -> None:
        price, qty = book.clearing()
        for ladder in (book.bids, book.asks):
            left = qty
            while left:
                left -= self._eat(book, ladder, left, price, None, wall)
        book.last_price = price
        self._outbox.append(TradePrinted(wall, self.venue, book.symbol, price, qty, False))

    def _price_market_orders(self, book: "OrderBook") -> None:
        """Market orders that an auction left over rest at the last price, not at the day's limit."""
        for order in self._own.values():
            if order.book is book and order.pricing == "market" and order.price != book.last_price:
                book.remove(order)
                order.price = book.last_price
                book.add(order.buying, order.price, order)

    # --- matching ---------------------------------------------------------------------------------------------------

    def _match(self, book: "OrderBook", buying: bool, limit: int, qty: int, taker: "OwnOrder | None", wall: int) -> int:
        """Fill up to `qty` from the other side at `limit` or better; what is left is returned."""
        if book.mid_buys or book.mid_sells:
            qty = self._match_mids(book, buying, limit, qty, taker, wall)
        ladder = book.asks if buying else book.bids
        keys = ladder.keys
        sign = ladder.sign
        bound = limit * sign
        while qty and keys and keys[-1] >= bound:
            price = keys[-1] * sign
            eaten = self._eat(book, ladder, qty, price, taker, wall)
            qty -= eaten
            book.last_price = price
            self._outbox.append(TradePrinted(wall, self.venue, book.symbol, price, eaten, buying))
        return qty

    def _match_mids(
        self, book: "OrderBook", buying: bool, limit: int, qty: int, taker: "OwnOrder | None", wall: int
    ) -> int:
        mid = book.mid()
        hidden = book.mids(not buying)
        if not mid or not hidden or (mid > limit if buying else mid < limit):
            return qty
        before = qty
        while qty and hidden:
            resting = hidden[0]
            fill = min(qty, resting.qty)
            qty -= fill
            if taker is not None:
                self._fill(taker, mid, fill, wall)
            self._fill(resting, mid, fill, wall)
            if not resting.qty:
                hidden.pop(0)
        book.last_price = mid
        self._outbox.append(TradePrinted(wall, self.venue, book.symbol, mid, before - qty, buying))
        return qty

    def _eat(
        self, book: "OrderBook", ladder: "Ladder", qty: int, price: int, taker: "OwnOrder | None", wall: int
    ) -> int:
        """Fill up to `qty` from the best level of `ladder`, at `price`; returns how much. The level must exist."""
        key = ladder.keys[-1]
        level = ladder.levels[key]
        queue = level.queue
        left = qty
        while left and queue:
            resting = queue[0]
            fill = left if left < resting.qty else resting.qty
            left -= fill
            if taker is not None:
                self._fill(taker, price, fill, wall)
            if isinstance(resting, OwnOrder):
                self._fill(resting, price, fill, wall)
            else:
                resting.qty -= fill
            if not resting.qty:
                queue.popleft()
        eaten = qty - left
        level.total -= eaten
        ladder.total -= eaten
        if not queue:
            ladder.keys.pop()
            del ladder.levels[key]
        book.changed = True
        return eaten

    def _fill(self, order: "OwnOrder", price: int, qty: int, wall: int) -> None:
        assert 0 < qty <= order.qty
        self._executions += 1
        order.qty -= qty
        self._outbox.append(OwnFilled(wall, order.order_no, str(self._executions), price, qty, order.qty))
        if not order.qty:
            self._end(order, "filled", wall)


class Resting:
    """An order in a queue; by itself, somebody else's."""

    __slots__ = ("qty",)

    def __init__(self, qty: int) -> None:
        self.qty = qty


class OwnOrder(Resting):
    """One of ours. `qty` is what is still open."""

    __slots__ = ("book", "buying", "order_no", "price", "pricing")

    def __init__(self, order_no: str, book: "OrderBook", buying: bool, price: int, pricing: str, qty: int) -> None:
        super().__init__(qty)
        self.order_no = order_no
        self.book = book
        self.buying = buying
        self.price = price
        self.pricing = pricing


class Level:
    """One price: its orders, first come first, and their sum."""

    __slots__ = ("queue", "total")

    def __init__(self) -> None:
        self.queue: deque[Resting] = deque()
        self.total = 0


class Ladder:
    """One side of a book. Keys are price * sign (bids +1, asks -1), ascending: the best price is always the last."""

    __slots__ = ("keys", "levels", "sign", "total")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.keys: list[int] = []
        self.levels: dict[int, Level] = {}
        self.total = 0

    def best(self) -> int:
        """The best price; 0 if the side is empty."""
        return self.keys[-1] * self.sign if self.keys else 0

    def size_at(self, price: int) -> int:
        level = self.levels.get(price * self.sign)
        return level.total if level is not None else 0

    def visible(self, price: int) -> bool:
        """Is `price` among the levels that are shown (or would it be)?"""
        keys = self.keys
        return len(keys) < VISIBLE_LEVELS or price * self.sign >= keys[-VISIBLE_LEVELS]

    def shown(self) -> list[tuple[int, int]]:
        """(price, size) of the visible levels, best first."""
        sign = self.sign
        levels = self.levels
        return [(key * sign, levels[key].total) for key in self.keys[: -VISIBLE_LEVELS - 1 : -1]]

    def discard_level(self, price: int) -> None:
        """Forget a level whose queue is empty."""
        key = price * self.sign
        if not self.levels[key].queue:
            del self.levels[key]
            self.keys.remove(key)


class OrderBook:
    """One symbol on one venue. `mode` is how it trades now; `changed` says that the visible levels were touched."""

    __slots__ = (
        "asks",
        "bids",
        "changed",
        "in_halt",
        "in_vi",
        "last_price",
        "lower",
        "mid_buys",
        "mid_sells",
        "mode",
        "symbol",
        "upper",
    )

    def __init__(self, symbol: str, lower: int, upper: int, last_price: int) -> None:
        self.symbol = symbol
        self.lower = lower
        self.upper = upper
        self.last_price = last_price
        self.bids = Ladder(1)
        self.asks = Ladder(-1)
        self.mid_buys: list[OwnOrder] = []
        self.mid_sells: list[OwnOrder] = []
        self.mode = CLOSED
        self.in_halt = False
        self.in_vi = False
        self.changed = False

    def ladder(self, buying: bool) -> Ladder:
        return self.bids if buying else self.asks

    def mids(self, buying: bool) -> list[OwnOrder]:
        return self.mid_buys if buying else self.mid_sells

    def touch(self, buying: bool) -> int:
        """The best bid (`buying`) or ask; 0 if there is none."""
        return self.ladder(buying).best()

    def mid(self) -> int:
        """The price of a mid-point order now; 0 if the book is one-sided or crossed, or the mid is no whole won."""
        bid, ask = self.bids.best(), self.asks.best()
        return (bid + ask) // 2 if bid and bid < ask and (bid + ask) % 2 == 0 else 0

    def available(self, buying: bool, limit: int) -> int:
        """What an order could take at `limit` or better, hidden orders not counted."""
        ladder = self.ladder(not buying)
        bound = limit * ladder.sign
        return sum(ladder.levels[key].total for key in ladder.keys if key >= bound)

    def add(self, buying: bool, price: int, order: Resting) -> None:
        """Put an order at the end of its level's queue."""
        ladder = self.bids if buying else self.asks
        key = price * ladder.sign
        level = ladder.levels.get(key)
        if level is None:
            level = ladder.levels[key] = Level()
            insort(ladder.keys, key)
        level.queue.append(order)
        level.total += order.qty
        ladder.total += order.qty
        if not self.changed and ladder.visible(price):
            self.changed = True

    def withdraw(self, buying: bool, price: int, qty: int) -> int:
        """Others cancel up to `qty` shares at `price`, the newest first; returns how many. Never touches ours."""
        ladder = self.bids if buying else self.asks
        level = ladder.levels.get(price * ladder.sign)
        if level is None:
            return 0
        if not self.changed and ladder.visible(price):
            self.changed = True
        left = qty
        gone: list[Resting] = []
        for order in reversed(level.queue):
            if not left:
                break
            if isinstance(order, OwnOrder):
                continue
            part = left if left < order.qty else order.qty
            order.qty -= part
            left -= part
            if not order.qty:
                gone.append(order)
        for order in gone:
            level.queue.remove(order)
        level.total -= qty - left
        ladder.total -= qty - left
        ladder.discard_level(price)
        return qty - left

    def shrink(self, order: OwnOrder, qty: int) -> None:
        """Take `qty` off one of ours; it keeps its place."""
        assert 0 < qty < order.qty
        order.qty -= qty
        if order.pricing != "mid":
            ladder = self.ladder(order.buying)
            ladder.levels[order.price * ladder.sign].total -= qty
            ladder.total -= qty
            self.changed = self.changed or ladder.visible(order.price)

    def remove(self, order: OwnOrder) -> None:
        """Take one of ours out of its queue."""
        if order.pricing == "mid":
            self.mids(order.buying).remove(order)
            return
        ladder = self.ladder(order.buying)
        self.changed = self.changed or ladder.visible(order.price)
        level = ladder.levels[order.price * ladder.sign]
        level.queue.remove(order)
        level.total -= order.qty
        ladder.total -= order.qty
        ladder.discard_level(order.price)

    def crossed(self) -> bool:
        bid, ask = self.bids.best(), self.asks.best()
        return bid >= ask > 0

    def clearing(self) -> tuple[int, int]:
        """(price, quantity) at which a call auction would match now; (0, 0) if nothing would."""
        if not self.crossed():
            return 0, 0
        bid, ask = self.bids.best(), self.asks.best()
        candidates = sorted(
            {key for key in self.bids.keys if key >= ask} | {-key for key in self.asks.keys if -key <= bid}
        )
        best = (0, 0, 0, 0)
        chosen = 0
        for price in candidates:
            demand = self.available(False, price)
            supply = self.available(True, price)
            rank = (min(demand, supply), -abs(demand - supply), -abs(price - self.last_price), price)
            if not chosen or rank > best:
                best, chosen = rank, price
        return chosen, best[0]

    def snapshot(self) -> Book:
        """What is visible now: nothing while closed."""
        if self.mode == CLOSED:
            return Book([], [], 0, 0)
        if self.mode == AUCTION:
            price, qty = self.clearing()
            return Book(self.bids.shown(), self.asks.shown(), self.bids.total, self.asks.total, True, price, qty)
        return Book(self.bids.shown(), self.asks.shown(), self.bids.total, self.asks.total)


def _limit_of(book: OrderBook, pricing: str, buying: bool, price: int) -> int:
    """The worst price that an order may trade at; 0 for mid-point, which has none of its own."""
    match pricing:
        case "limit":
            return price
        case "market":
            return book.upper if buying else book.lower
        case "best":
            return book.touch(not buying)
        case "join":
            return book.touch(buying)
        case "mid":
            return 0
        case _:
            raise AssertionError(f"unknown pricing {pricing}")
