"""The seeded world of `pair_broker`, in which manager or Gateway fail at any moment and the pair is given back.

The Gateway here is truthful: what it knows is what it was told by the broker, and it tells all of it in RestorePair. A
failed manager loses what was on its way to it, a failed Gateway what was on its way to that; what an earlier manager
decided and had not arrived is void. The Router is the least that is needed: it hands late fills back, checks slots that
were restored, and counts an end of a child once.
"""

from dataclasses import dataclass, field
from typing import Any

from actors.cores.pair_manager import PairManagerCore, PairSettings
from actors.effects import Effects, Role, Send
from actors.messages.orders import (
    CancelOrder,
    CancelRejected,
    DoubtResolved,
    DoubtVerdict,
    OrderAccepted,
    OrderAcked,
    OrderCanceled,
    OrderFilled,
    OrderRefused,
    OrderRejected,
    OrderSubmitted,
    PlaceOrder,
    QueryOrder,
    RefusalReason,
)
from actors.messages.pairs import (
    CheckPair,
    FlattenPair,
    LateFill,
    NothingToRestore,
    OrderStanding,
    PairAdvanced,
    PairEnded,
    PairPlan,
    PairState,
    PairSums,
    RestorePair,
    SlotRestored,
    StartPair,
    StartRescue,
)
from actors.messages.supervision import ResendState
from kiwoom.market import Nanos, Shares, Side, Won
from tests.support.pair_broker import COSTS, AtBroker, Broker


@dataclass
class Known:
    """What the Gateway knows of one order."""

    command: PlaceOrder
    submitted_at: Nanos | None = None
    numbered_at: Nanos | None = None
    fills: list[OrderFilled] = field(default_factory=list)
    end_told: bool = False
    turned_down: bool = False
    cancel_id: str = ""
    cancel_at: Nanos | None = None

    def standing(self, truth: AtBroker) -> OrderStanding:
        filled = sum(fill.fill_qty for fill in self.fills)
        over = filled >= self.command.qty or (self.end_told and truth.over and not truth.untold)
        cancel_id, cancel_at = ("", None) if over else (self.cancel_id, self.cancel_at)
        return OrderStanding(
            self.command, self.submitted_at, self.numbered_at, tuple(self.fills), over, self.turned_down and over,
            cancel_id, cancel_at,
        )  # fmt: skip


class FailingWorld(Broker):
    def __init__(self, seed: int, plan: PairPlan) -> None:
        super().__init__(seed)
        self.plan = plan
        self.known: dict[str, Known] = {}
        self.cancels: dict[str, str] = {}
        self.cancel_ids: set[str] = set()
        self.life = 0
        self.generation = 0
        self.gateway_up = True
        self.flatten = False
        self.restored: list[RestorePair] = []
        self.running: int | None = None
        """The child that the Router believes to run."""
        self.late_fills: list[OrderFilled] = []
        self.nothing_told = False
        self.orphaned = False
        """The entry arrived after its manager's successor had said that there was none."""
        self.rescued = 0
        """Rescues that the Router started."""

    # --- failures

    def manager_fails(self) -> None:
        self.life += 1
        self.core = PairManagerCore(PairSettings(slot=0, costs=COSTS))
        life = self.life
        self.at(self.random.randint(0, 800), lambda: self.gives_back(life))

    def gateway_fails(self) -> None:
        self.gateway_up = False
        self.at(self.random.randint(100, 800), self.gateway_comes_back)

    def gateway_comes_back(self) -> None:
        self.tell(ResendState("gateway", 0))
        self.gateway_up = True
        for order_id, known in self.known.items():  # reconciliation proves everything
            truth = self.orders[order_id]
            for fill in tuple(truth.untold):
                truth.untold.remove(fill)
                truth.told += fill.fill_qty
                self.learn(fill)
            known.end_told |= truth.over
            if known.numbered_at is None and (known.fills or truth.arrived):
                known.numbered_at = Nanos(self.now)
            truth.numbered |= known.numbered_at is not None
            known.cancel_id, known.cancel_at = "", None
        self.gives_back(self.life)

    def gives_back(self, life: int) -> None:
        if life != self.life or not self.gateway_up:
            return  # it failed again, or the Gateway will do so when it is up
        standings = tuple(known.standing(self.orders[order_id]) for order_id, known in self.known.items())
        ended = self.sums()
        left = sum(end.bought - end.sold for end in self.ends if end.state is PairState.UNHEDGED)
        fills = [fill for known in self.known.values() for fill in known.fills]
        open_qty = sum(fill.fill_qty if fill.side is Side.BUY else -fill.fill_qty for fill in fills)
        begun = max((dict(row.extra)["child"] for row in self.rows if row.pair_id), default=0)
        lives = standings and (begun >= self.children or open_qty != left or not all(each.over for each in standings))
        if not lives:
            self.nothing_told = True
            self.tell(NothingToRestore(0))
            return
        self.generation += 1
        for order_id, truth in self.orders.items():
            if order_id not in self.known:
                truth.over = True  # decided by a predecessor, and not arrived
        message = RestorePair(
            self.plan, self.generation, standings, ended, child=self.children, left=left, flatten=self.flatten
        )
        self.restored.append(message)
        self.tell(message)

    @property
    def children(self) -> int:
        """How many of them have ended."""
        return max((end.child + 1 for end in self.ends), default=0)

    def sums(self) -> PairSums:
        return PairSums(
            Shares(sum(end.bought for end in self.ends)),
            Shares(sum(end.sold for end in self.ends)),
            Won(sum(end.buy_amount for end in self.ends)),
            Won(sum(end.sell_amount for end in self.ends)),
            Won(sum(end.commission_won for end in self.ends)),
            Won(sum(end.tax_won for end in self.ends)),
        )

    # --- what the Gateway knows and says

    def tell(self, message: Any) -> None:
        if isinstance(message, StartPair):
            self.running = 0
        if isinstance(message, FlattenPair):
            self.flatten = True
        if not self.learn(message):
            return
        super().tell(message)

    def hears(self, message: Any, delay_ms: int = 30) -> None:
        if not self.learn(message):
            return
        life = self.life

        def deliver() -> None:
            if life == self.life:
                Broker.tell(self, message)

        self.soon(deliver, delay_ms)
        if self.happens(5):
            self.soon(deliver, 400)

    def fill_is_told(self, order: AtBroker, fill: OrderFilled) -> None:
        if self.gateway_up and fill in order.untold:  # a fill is told once
            super().fill_is_told(order, fill)

    def learn(self, message: Any) -> bool:
        """False: it is an event of the broker's, and nobody is there to hear it."""
        order_id = getattr(message, "cl_ord_id", None)
        if order_id is None:
            return True
        if not self.gateway_up:
            return False
        known = self.known.get(order_id)
        match message:
            case OrderSubmitted(at=at) if known is None:
                target = self.known[self.cancels[order_id]]
                target.cancel_id, target.cancel_at = order_id, at
            case CancelRejected(target=target_id):
                if self.known[target_id].cancel_id == order_id:
                    self.known[target_id].cancel_id = ""
            case _ if known is None:
                pass
            case OrderSubmitted(at=at):
                known.submitted_at = at
            case OrderAcked(at=at) | OrderAccepted(at=at):
                known.numbered_at = at if known.numbered_at is None else known.numbered_at
            case OrderFilled(at=at):
                known.numbered_at = at if known.numbered_at is None else known.numbered_at
                if all(fill.exec_id != message.exec_id for fill in known.fills):
                    known.fills.append(message)
            case OrderCanceled() | DoubtResolved(verdict=DoubtVerdict.ENDED):
                known.end_told = True
            case OrderRejected():
                known.end_told = known.turned_down = True
            case OrderRefused(reason=reason):
                if known.submitted_at is None and self.orders[order_id].over and reason is not RefusalReason.DUPLICATE:
                    known.end_told = known.turned_down = True
            case _:
                pass
        return True

    # --- what arrives at the Gateway

    def is_void(self, command: PlaceOrder | CancelOrder | QueryOrder) -> bool:
        return not self.gateway_up or command.generation < self.generation

    def gateway_places(self, command: PlaceOrder) -> None:
        if not self.is_void(command):
            self.orphaned |= command.leg == "A" and self.nothing_told
            self.known.setdefault(command.cl_ord_id, Known(command))
            if command.expires is not None and self.now > command.expires:
                self.orders[command.cl_ord_id].over = True
                self.seen.add(command.cl_ord_id)
                self.refuse(command.cl_ord_id, RefusalReason.GRANT_EXPIRED)
                return
            super().gateway_places(command)
        elif command.leg == "A":
            self.orders[command.cl_ord_id].over = True  # nobody gives an entry again

    def gateway_cancels(self, command: CancelOrder) -> None:
        if not self.is_void(command):
            assert command.target in self.orders
            self.cancels[command.cl_ord_id] = command.target
            if command.target not in self.known:
                self.refuse(command.cl_ord_id, RefusalReason.UNKNOWN_TARGET)
            else:
                super().gateway_cancels(command)

    def gateway_asks(self, query: QueryOrder) -> None:
        if not self.is_void(query):
            super().gateway_asks(query)

    def cancel_arrives(self, command: CancelOrder, target: AtBroker, answered: bool) -> None:
        super().cancel_arrives(command, target, answered)
        if not answered and target.over:
            self.known[command.target].cancel_id = ""

    # --- the Router

    def take(self, effects: Effects) -> None:
        super().take(tuple(each for each in effects if not (isinstance(each, Send) and self.is_repeated(each.message))))
        for effect in effects:
            match effect:
                case Send(Role.THROTTLER, CancelOrder(cl_ord_id=order_id)):
                    assert order_id not in self.cancel_ids, "a cancel's id given twice"
                    self.cancel_ids.add(order_id)
                case Send(_, PairEnded()):
                    self.running = None
                    self.start_rescue()
                case Send(_, PairAdvanced(state=PairState.RESCUE)) if self.running is None:
                    self.running = self.children
                case Send(_, SlotRestored()) if self.running is not None:
                    check = CheckPair(self.plan, child=self.running)
                    self.soon(lambda check=check: self.tell(check))
                case Send(_, LateFill(fill)):
                    self.late_fills.append(fill)
                    self.start_rescue()
                case _:
                    pass

    def is_repeated(self, message: object) -> bool:
        """The Router counts the end of a child once."""
        return isinstance(message, PairEnded) and any(end.child == message.child for end in self.ends)

    def start_rescue(self) -> None:
        if self.running is None and self.late_fills:
            self.running, self.rescued = self.children, self.rescued + 1
            start = StartRescue(self.plan, self.late_fills.pop(0), self.running, self.generation)
            self.soon(lambda: self.tell(start))

    def check_end(self, ended: PairEnded) -> None:
        if self.orphaned or self.rows[-1].reason == "NOT_BEGUN":
            return  # what is on its way to the Gateway comes back as late fills, of which each may be a child
        super().check_end(ended)
