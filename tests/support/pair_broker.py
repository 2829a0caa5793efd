"""A PairManager's whole world, driven by a seed: Gateway, Throttler, broker and exchange in one.

It loses, delays, repeats and reorders what it says. While it is truthful, what it calls over is over, a fill is a fill,
and no order fills beyond its quantity; the mistaken broker also fills orders that it had called over.
It checks each command as it is given: the hedges that may fill, known or not, never add up to more than what is open.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random
from typing import Any

from actors.cores.pair_manager import PairManagerCore, PairSettings
from actors.effects import Effects, Record, Role, Send
from actors.messages.journal import EventType, Row
from actors.messages.market_data import TopOfBook
from actors.messages.orders import (
    CancelOrder,
    CancelRejected,
    CancelStuck,
    DoubtResolved,
    DoubtVerdict,
    EndReason,
    OrderAccepted,
    OrderAcked,
    OrderCanceled,
    OrderFilled,
    OrderRefused,
    OrderRejected,
    OrderStyle,
    OrderSubmitted,
    OrderTimedOut,
    PlaceOrder,
    QueryOrder,
    RefusalReason,
    RejectSource,
)
from actors.messages.pairs import Leg, PairAdvanced, PairEnded, PairPlan, PairState
from kiwoom.fees import CostModel
from kiwoom.market import MS, SECOND, Market, Nanos, Now, Shares, Side, Symbol, Venue, WallNanos, Won
from tests.support.playbook import TEN_O_CLOCK

COSTS = CostModel(fee_ppb=(150_000, 176_833), kospi_tax_ppb=2_000_000, kosdaq_tax_ppb=2_000_000)
PLAN = PairPlan(
    pair_id="P1",
    symbol=Symbol("005930"),
    symbol_index=3,
    shard=1,
    market=Market.KOSPI,
    slot=0,
    qty=Shares(5),
    entry=Leg(Venue.NXT, Side.SELL, OrderStyle.LIMIT_IOC, Won(72_500)),
    hedge=Leg(Venue.KRX, Side.BUY, OrderStyle.LIMIT, Won(72_300)),
    hedge_lock_price=Won(72_300),
    lower_limit=Won(50_700),
    upper_limit=Won(93_900),
    t_hedge_ns=Nanos(1_000 * MS),
    ioc_end_ns=Nanos(500 * MS),
    cancel_ns=Nanos(300 * MS),
    hedge_ioc_only=False,
    hedge_ioc_ticks=2,
    hedge_fallback_best=True,
    max_hedge_attempts=5,
    expected_net_mwon=0,
    flat_by_wall=WallNanos(TEN_O_CLOCK + 12 * SECOND),
)
END_OF_RUN = 40 * SECOND


@dataclass
class AtBroker:
    """The truth about one order."""

    command: PlaceOrder
    arrived: bool = False
    over: bool = False
    numbered: bool = False
    filled: int = 0
    told: int = 0
    """Shares of fills that the manager was told."""
    untold: list[OrderFilled] = field(default_factory=list)

    @property
    def leaves(self) -> int:
        return 0 if self.over else self.command.qty - self.filled

    @property
    def may_surprise(self) -> int:
        """Shares that may still fill, or have filled and are not known."""
        return self.leaves + self.filled - self.told


class Broker:
    """Gateway, Throttler, broker and exchange in one, driven by a seed. `mood` scales how often things go wrong."""

    def __init__(self, seed: int, *, truthful: bool = True) -> None:
        self.truthful = truthful
        self.random = Random(seed)
        self.mood = self.random.choice((0.3, 1.0, 2.0))
        self.now = 0
        self.agenda: list[tuple[int, int, Callable[[], None]]] = []
        self.count = 0
        self.orders: dict[str, AtBroker] = {}
        self.seen: set[str] = set()
        self.open = {Venue.KRX: True, Venue.NXT: True}
        self.core = PairManagerCore(PairSettings(slot=0, costs=COSTS))
        self.rows: list[Row] = []
        self.ends: list[PairEnded] = []
        self.rescues = 0
        self.given: dict[str, PlaceOrder] = {}

    # --- time

    def at(self, delay_ms: int, act: Callable[[], None]) -> None:
        self.count += 1
        heappush(self.agenda, (self.now + delay_ms * MS, self.count, act))

    def soon(self, act: Callable[[], None], most_ms: int = 30) -> None:
        self.at(self.random.randint(0, most_ms), act)

    def happens(self, percent: float) -> bool:
        return self.random.random() * 100 < percent * self.mood

    def queued(self) -> int:
        """The most ms that a command waits for the window."""
        return 1_500 if self.happens(8) else 60

    @property
    def clock(self) -> Now:
        return Now(Nanos(self.now), WallNanos(TEN_O_CLOCK + self.now))

    def run(self) -> None:
        while True:
            due = self.core.next_deadline()
            first = self.agenda[0][0] if self.agenda else None
            if due is not None and (first is None or due <= first):
                self.now = max(self.now, due)
                self.take(self.core.on_deadline(self.clock))
                after = self.core.next_deadline()
                assert after is None or after > self.now, "a deadline that does not pass"
            elif first is not None:
                self.now = first
                heappop(self.agenda)[2]()
            else:
                return
            assert self.now < END_OF_RUN, "it never ends"

    # --- the manager's side

    def tell(self, message: Any) -> None:
        self.take(self.core.handle(message, self.clock))

    def hears(self, message: Any, delay_ms: int = 30) -> None:
        """The manager will hear it, perhaps twice."""
        self.soon(lambda: self.tell(message), delay_ms)
        if self.happens(5):
            self.soon(lambda: self.tell(message), 400)

    def take(self, effects: Effects) -> None:
        for effect in effects:
            match effect:
                case Record(row):
                    self.rows.append(row)
                case Send(_, PlaceOrder() as command):
                    self.check_hedge(command)
                    if not (effect.to is Role.THROTTLER and self.happens(2)):  # lost with an actor
                        self.soon(lambda command=command: self.gateway_places(command), self.queued())
                case Send(_, CancelOrder() as command):
                    self.soon(lambda command=command: self.gateway_cancels(command), self.queued())
                case Send(_, QueryOrder() as command):
                    self.soon(lambda command=command: self.gateway_asks(command), 3 * self.queued())
                case Send(_, PairEnded() as ended):
                    self.ends.append(ended)
                    self.check_end(ended)
                case Send(_, PairAdvanced() as advanced):
                    self.rescues += advanced.state is PairState.RESCUE
                case _:
                    pass

    def check_hedge(self, command: PlaceOrder) -> None:
        repeated = self.given.get(command.cl_ord_id)
        assert repeated in (None, command), "an id for two orders"
        if repeated is not None:
            return
        self.given[command.cl_ord_id] = command
        self.orders[command.cl_ord_id] = AtBroker(command)
        if command.leg == "A":
            assert len(self.orders) == 1
            return
        known = dict.fromkeys(Side, 0)
        for order in self.orders.values():
            known[order.command.side] += order.told
        if not self.truthful:
            return
        hedges = [order for order in self.orders.values() if order.command.leg == "B"]
        assert {order.command.side for order in hedges} == {Side.BUY}
        may_fill = sum(order.may_surprise for order in hedges)
        assert may_fill <= known[Side.SELL] - known[Side.BUY], "hedged more than is open"
        resting = any(o.leaves and o.command.style is OrderStyle.LIMIT for o in hedges)
        assert not resting or command.style is OrderStyle.LIMIT, "a new type while the old one lives"

    def check_end(self, ended: PairEnded) -> None:
        live = [order for order in self.orders.values() if order.may_surprise]
        if ended.state is PairState.UNHEDGED:
            last = next(row for row in reversed(self.rows) if row.event_type is EventType.UNHEDGED)
            assert last.reason in ("TIME_UP", "ATTEMPTS_SPENT", "LEFT_CLOSED")
            return
        assert not (live and self.truthful), "something lives behind a flat end"
        assert ended.bought == ended.sold
        assert (ended.bought > 0) is (ended.state in (PairState.PAIRED_DONE, PairState.FLATTENED))
        assert self.true_open() == self.booked() or not self.truthful

    def booked(self) -> int:
        """Bought less sold as all the ends together tell it."""
        return sum(end.bought - end.sold for end in self.ends)

    def told_open(self) -> int:
        return sum(o.told if o.command.side is Side.BUY else -o.told for o in self.orders.values())

    def true_open(self) -> int:
        return sum(o.filled if o.command.side is Side.BUY else -o.filled for o in self.orders.values())

    # --- the Gateway

    def gateway_places(self, command: PlaceOrder) -> None:
        order_id = command.cl_ord_id
        if order_id in self.seen:
            self.refuse(order_id, RefusalReason.DUPLICATE)
            return
        self.seen.add(order_id)
        order = self.orders[order_id]
        reason = None
        if not self.open[command.venue]:
            reason = self.random.choice((RefusalReason.HALTED, RefusalReason.VENUE_CLOSED))
        elif self.happens(3):
            reason = self.random.choice((RefusalReason.DISCONNECTED, RefusalReason.UNNUMBERED_BEFORE))
        if reason is not None or self.happens(3):
            order.over = True
        if reason is not None:
            self.refuse(order_id, reason)
            return
        if order.over:
            self.hears(OrderRejected("P1", order_id, RejectSource.LOCAL, "-308", True, Nanos(self.now)), 1)
            return
        self.tell(OrderSubmitted("P1", order_id, Nanos(self.now)))
        self.at(200, lambda: self.time_out(order))
        self.soon(lambda: self.arrives(order))

    def refuse(self, order_id: str, reason: RefusalReason) -> None:
        self.hears(OrderRefused("P1", order_id, reason, "", Nanos(self.now)), 1)

    def time_out(self, order: AtBroker) -> None:
        if not order.numbered:
            self.tell(OrderTimedOut("P1", order.command.cl_ord_id, Nanos(self.now)))

    def gateway_cancels(self, command: CancelOrder) -> None:
        target = self.orders[command.target]
        if command.target not in self.seen or not target.numbered:
            self.refuse(command.cl_ord_id, RefusalReason.UNKNOWN_TARGET)
        elif self.happens(5):
            self.hears(
                CancelRejected("P1", command.cl_ord_id, command.target, "-308", True, Nanos(self.now)), 1
            )  # fmt: skip
        else:
            self.tell(OrderSubmitted("P1", command.cl_ord_id, Nanos(self.now)))
            answered = not self.happens(10)
            if not answered:
                self.at(300, lambda: self.tell(CancelStuck("P1", command.cl_ord_id, command.target, Nanos(self.now))))
            if answered or self.happens(50):
                self.soon(lambda: self.cancel_arrives(command, target, answered), 60)

    def cancel_arrives(self, command: CancelOrder, target: AtBroker, answered: bool) -> None:
        if target.leaves and not self.happens(5):
            self.end(target, EndReason.BY_US, told=answered)
        elif answered:
            self.hears(CancelRejected("P1", command.cl_ord_id, command.target, "no", False, Nanos(self.now)))

    def gateway_asks(self, query: QueryOrder) -> None:
        order = self.orders[query.cl_ord_id]
        if query.cl_ord_id not in self.seen:
            self.refuse(query.cl_ord_id, RefusalReason.UNKNOWN_TARGET)
        elif self.happens(5):
            self.refuse(query.cl_ord_id, RefusalReason.DISCONNECTED)
        elif self.happens(5):
            pass  # no answer at all
        elif order.over:
            for fill in tuple(order.untold):
                self.fill_is_told(order, fill)
            self.prove(order, DoubtVerdict.ENDED)
        elif not order.arrived or self.happens(20):
            self.prove(order, DoubtVerdict.UNKNOWN)
        else:
            order.numbered = True
            self.prove(order, DoubtVerdict.RESTING)

    def prove(self, order: AtBroker, verdict: DoubtVerdict) -> None:
        self.tell(DoubtResolved("P1", order.command.cl_ord_id, verdict, Shares(order.leaves), Nanos(self.now)))

    # --- the exchange

    def arrives(self, order: AtBroker) -> None:
        order_id = order.command.cl_ord_id
        order.arrived = True
        if self.happens(6):
            order.over = True
            order.numbered = True  # a blank number is an answer too
            self.hears(OrderRejected("P1", order_id, RejectSource.TR, "no", False, Nanos(self.now)))
            return
        if not self.happens(8):
            self.soon(lambda: self.number(order), 250 if self.happens(15) else 30)
        if not self.happens(8):
            self.hears(OrderAccepted("P1", order_id, Shares(order.leaves), Nanos(self.now)))
        if order.command.style is OrderStyle.LIMIT:
            for _ in range(self.random.randint(0, 4)):
                self.soon(lambda: self.trade(order), 2_000)
            if self.happens(3):
                self.soon(lambda: self.end(order, EndReason.BY_VENUE), 1_000)
            return
        for _ in range(self.random.randint(0, 3)):
            self.trade(order)
        if not self.happens(4):  # else the venue leaves it resting
            self.end(order, EndReason.IOC_REMAINDER, told=not self.happens(15))

    def number(self, order: AtBroker) -> None:
        order.numbered = True
        self.hears(OrderAcked("P1", order.command.cl_ord_id, "1", Nanos(self.now)), 1)

    def trade(self, order: AtBroker) -> None:
        if not order.leaves:
            return
        qty = self.random.randint(1, order.leaves)
        order.filled += qty
        self.count += 1
        command = order.command
        fill = OrderFilled(
            "P1", command.cl_ord_id, str(self.count), command.venue, command.side, Won(72_400), Shares(qty),
            Shares(order.filled), Shares(order.leaves), None, None, Nanos(self.now),
        )  # fmt: skip
        order.untold.append(fill)
        if not (
            order.leaves == 0 and self.truthful and self.happens(5)
        ):  # a last fill may be learnt from a query alone
            self.soon(lambda: self.fill_is_told(order, fill), 600 if self.happens(8) else 30)
        order.over = order.leaves == 0

    def trade_after_all(self, order: AtBroker) -> None:
        order.over = False
        self.trade(order)
        order.over = True

    def fill_is_told(self, order: AtBroker, fill: OrderFilled) -> None:
        if fill in order.untold:
            order.untold.remove(fill)
            order.told += fill.fill_qty
        self.tell(fill)

    def end(self, order: AtBroker, reason: EndReason, *, told: bool = True) -> None:
        leaves = order.leaves
        if not leaves:
            return
        order.over = True
        if not self.truthful and self.happens(15):
            self.soon(lambda: self.trade_after_all(order), 3_000)
        if told:
            self.hears(
                OrderCanceled(
                    "P1", order.command.cl_ord_id, Shares(leaves), Shares(order.told), reason, Nanos(self.now)
                ),
                400 if self.happens(5) else 30,
            )

    # --- the market

    def quote(self) -> None:
        size = (Shares(9), Shares(9))
        base = 72_000 + 100 * self.random.randint(0, 6)
        bid = (Won(base), Won(base + 100))
        ask = (Won(base + 200), Won(base + 200 + 100 * self.random.randint(0, 3)))
        is_open = (self.open[Venue.KRX], self.open[Venue.NXT])
        self.tell(TopOfBook(Symbol("005930"), bid, size, ask, size, is_open, Nanos(self.now)))

    def halt(self, venue: Venue, halted: bool) -> None:
        self.open[venue] = not halted
        self.quote()
