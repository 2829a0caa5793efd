"""PairManager's core: one pair from entry to flat (SPEC 8).

It hears of the world, books what it heard in the pair's ledger and orders, then fires the table of actors.domain.pair
until no row applies; what to send follows from the state entered and from the exposure. The rule above all others:
the hedges that may still fill never add up to more than what is open, so nothing is sent on a hope.

Assumptions: one pair at a time; the Gateway's messages arrive in the order in which it sent them, once or more often;
a command may be lost on its way (an actor died), a client order id is executed at most once.
A manager that was started again, or whose Gateway was, is given its pair back by the Gateway (RestorePair): it goes on
from those facts alone (actors.domain.pair_restore).
A late fill of the last pair is hedged here, as a rescue, if no new pair came between; else the Router is told.
Each rescue is a child with a result of its own: what a parent left unhedged is the Router's, which counts it, until a
late fill closes it (the child then ends UNHEDGED with that fill alone) or StartRescue hands it over, as a fill of no
order (empty cl_ord_id), to be closed by flatten.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, assert_never

from actors.domain.pair import PairLedger, PairOrder, PairTrigger, mid_passed, price_through, top_of, touch
from actors.domain.pair_in_hand import ENTRY_LEG, HEDGE_LEG, NEVER, PairInHand, SilentVenue, entry_id
from actors.domain.pair_restore import Waits, restored_pair
from actors.domain.pair_rows import advanced, alert_row, end_row, ended, handed_over, not_begun, state_row
from actors.effects import Effect, Effects, Record, Role, Send
from actors.messages.market_data import TopOfBook, WatchTop
from actors.messages.orders import (
    CancelOrder,
    CancelRejected,
    CancelStuck,
    DoubtResolved,
    DoubtVerdict,
    OrderAccepted,
    OrderAcked,
    OrderCanceled,
    OrderEvent,
    OrderFilled,
    OrderKind,
    OrderRefused,
    OrderRejected,
    OrderStuck,
    OrderStyle,
    OrderSubmitted,
    OrderTimedOut,
    PlaceOrder,
    QueryOrder,
    RefusalReason,
)
from actors.messages.pairs import (
    CheckPair,
    FlattenPair,
    LateFill,
    Leg,
    NothingToRestore,
    PairPlan,
    PairState,
    PairSums,
    RestorePair,
    SlotRestored,
    StartPair,
    StartRescue,
)
from actors.messages.supervision import ResendState
from kiwoom.fees import CostBook, CostModel
from kiwoom.market import MS, SECOND, Nanos, Now, Shares, Side, Symbol, Venue, Won

PairManagerMessage = (
    StartPair
    | StartRescue
    | FlattenPair
    | TopOfBook
    | RestorePair
    | NothingToRestore
    | CheckPair
    | ResendState
    | OrderEvent
)

S, T = PairState, PairTrigger

STEPS_MAX: Final = 32
"""Rows that one event may fire. Each needs a new fact, and one event brings a handful."""

PAIRS_REMEMBERED_MAX: Final = 64
"""Ended pairs of this slot whose symbol is still known, to name a very late fill."""

END_ROWS_REMEMBERED_MAX: Final = 8
"""Rows of the last ends, for a Gateway that may have failed before it wrote them."""

EARLY_FILLS_MAX: Final = 64
"""Fills kept by a manager that does not know yet which pair it has; more go to the Router at once."""

CANCEL_PATIENCE_MAX: Final = 3
"""How often the wait after a failed cancel doubles: a venue that takes no cancel for an hour is not asked thousands of
times, and one that takes it again is asked within seconds."""

SILENT_PATIENCE_MAX: Final = 8
"""How often the wait doubles before a venue that turns takes down, its book standing still, is tried again: to 51 s."""

_CANCELLING = (S.CANCEL_POST_SENT, S.CANCEL_STUCK)
_TAKING = (S.HEDGE_IOC_SENT, S.HEDGE_MARKET_SENT)
_WAITS_FOR_PROOF = (S.ENTRY_IN_DOUBT, S.HEDGE_IN_DOUBT, *_CANCELLING)

_VENUE_SAYS_NO = (RefusalReason.SESSION_OFF, RefusalReason.VENUE_CLOSED, RefusalReason.HALTED)
_NOT_NOW = (RefusalReason.UNNUMBERED_BEFORE, RefusalReason.NO_GRANT, RefusalReason.GRANT_EXPIRED)
_MAY_CONCERN_A_QUERY = (RefusalReason.DISCONNECTED, RefusalReason.OBSERVE_ONLY, *_VENUE_SAYS_NO)

_ACK_NS: Final = Nanos(200 * MS)
_GATEWAY_GRACE_NS: Final = Nanos(50 * MS)
_SILENCE_NS: Final = Nanos(3 * SECOND)
_DOUBT_SPACING_NS: Final = Nanos(500 * MS)
_RETRY_NS: Final = Nanos(200 * MS)
_RETRY_SOON_NS: Final = Nanos(50 * MS)


@dataclass(frozen=True, slots=True)
class PairSettings:
    """What a pair's plan does not say. Durations in ns."""

    slot: int
    """Which PairManager this is: 0 and up."""
    costs: CostModel
    """The day's fees and taxes, for fills whose cost the broker did not report."""
    ack_ns: Nanos = _ACK_NS
    """No number this long after the call: in doubt (SPEC 8)."""
    gateway_grace_ns: Nanos = _GATEWAY_GRACE_NS
    """How much longer than the Gateway's own timers this one waits, so that the Gateway's word comes first."""
    silence_ns: Nanos = _SILENCE_NS
    """Nothing at all heard of a command this long after it was given: give it (or ask) again."""
    doubt_spacing_ns: Nanos = _DOUBT_SPACING_NS
    """Between two doubt queries about one order while the answer is UNKNOWN."""
    retry_ns: Nanos = _RETRY_NS
    """Between two tries while no venue takes the hedge, and after a market hedge that brought nothing."""
    retry_soon_ns: Nanos = _RETRY_SOON_NS
    """After a refusal that passes by itself (another order has no number yet)."""

    def __post_init__(self) -> None:
        assert self.slot >= 0
        assert min(self.ack_ns, self.silence_ns, self.doubt_spacing_ns, self.retry_ns, self.retry_soon_ns) > 0
        assert self.gateway_grace_ns >= 0


class PairManagerCore:
    """One pair at a time; idle between pairs."""

    def __init__(self, settings: PairSettings) -> None:
        self._settings = settings
        self._book = CostBook(settings.costs)
        self._pair: PairInHand | None = None
        self._top: TopOfBook | None = None
        self._symbols: OrderedDict[str, Symbol] = OrderedDict()
        self._settled = False
        """It was given a pair, or told that there is none."""
        self._early_fills: list[OrderFilled] = []
        self._end_rows: deque[Record] = deque(maxlen=END_ROWS_REMEMBERED_MAX)
        self._out: list[Effect] = []
        self._at = NEVER

    def handle(self, message: PairManagerMessage, now: Now) -> Effects:
        self._out = []
        self._at = now.mono
        match message:
            case StartPair():
                self._start(message, now)
                self._settle(now)
            case StartRescue():
                self._start_rescue(message, now)
                self._settle(now)
            case FlattenPair():
                self._flatten(message, now)
            case TopOfBook():
                self._see(message, now)
            case RestorePair():
                self._restore(message, now)
                self._settle(now)
            case NothingToRestore():
                self._settle(now)
                # A pair in hand of which nothing was ever sent goes on: its own timers will find that out.
                self._out.append(Send(Role.ROUTER, SlotRestored(self._settings.slot)))
            case CheckPair():
                self._check(message, now)
            case ResendState():
                self._resend(message, now)
            case _:
                self._at = message.at
                self._hear(message, now)
        self._check_invariants()
        return tuple(self._out)

    def next_deadline(self) -> Nanos | None:
        pair = self._pair
        if pair is None or pair.ended:
            return None
        return min(self._deadlines(pair), default=None)

    def on_deadline(self, now: Now) -> Effects:
        self._out = []
        self._at = now.mono
        if self._pair is not None and not self._pair.ended:
            self._step(self._pair, now)
        self._check_invariants()
        return tuple(self._out)

    @property
    def pair(self) -> PairInHand | None:
        """The pair in hand, None between pairs: for whoever looks on."""
        return None if self._pair is None or self._pair.ended else self._pair

    def move(self, pair: PairInHand, trigger: PairTrigger) -> PairState:
        """Take a row of the table; every change of state goes through here."""
        return pair.machine.fire(trigger)

    # --- commands of the Router ---------------------------------------------------------------------------------------

    def _start(self, start: StartPair, now: Now) -> None:
        plan = start.plan
        if self._pair is not None and not self._pair.ended:
            # A late fill made this manager busy while StartPair was on its way.
            self._turn_away(plan, 0, S.ENTRY_REJECTED, "SLOT_BUSY", now)
            return
        assert plan.entry.style in (OrderStyle.LIMIT_IOC, OrderStyle.MARKET_IOC)
        pair = self._adopt_plan(plan, now)
        self._out.append(Record(state_row(pair, self._at, now, reason="")))
        self._fire(pair, T.ADMITTED, now)
        entry = self._place(pair, OrderKind.ENTRY, plan.entry, plan.qty, now, grant=start)
        entry.due = Nanos(max(now.mono, start.grant_expires) + self._settings.silence_ns)
        pair.walk("take")
        self._watch(pair, on=True)
        self._tell(pair)

    def _adopt_plan(self, plan: PairPlan, now: Now) -> PairInHand:
        assert plan.slot == self._settings.slot
        assert plan.qty > 0
        assert plan.max_hedge_attempts >= 1
        assert plan.entry.side is plan.hedge.side.opposite
        pair = PairInHand(plan, PairLedger(plan.market, self._book), flat_by=NEVER)
        pair.read_clock(now)
        self._pair, self._top = pair, None
        self._remember(plan)
        return pair

    def _remember(self, plan: PairPlan) -> None:
        self._symbols[plan.pair_id] = plan.symbol
        if len(self._symbols) > PAIRS_REMEMBERED_MAX:
            self._symbols.popitem(last=False)

    def _turn_away(self, plan: PairPlan, child: int, state: PairState, reason: str, now: Now) -> None:
        """Answer a pair that is not begun, so that the Router does not wait for its end."""
        row, ended = not_begun(plan, child, state, reason, self._at, now)
        self._out += [Record(row), Send(Role.ROUTER, ended)]

    def _start_rescue(self, start: StartRescue, now: Now) -> None:
        pair = self._pair
        if start.carried is None:
            self._at = start.late.at  # an imbalance is handed over now, whenever it arose
        if pair is not None and not pair.ended and pair.plan.pair_id != start.plan.pair_id:
            self._out.append(Send(Role.ROUTER, LateFill(start.late, start.plan.symbol, start.carried)))
            return
        if pair is None or pair.plan.pair_id != start.plan.pair_id:
            pair = self._adopt_plan(start.plan, now)
            pair.rescue_no = start.rescue_no - 1
            pair.generation = start.generation
        elif not pair.ended:
            if start.carried is None:
                self._hear(start.late, now)
            else:
                pair.left, pair.flatten = 0, True  # a late fill was faster: its child closes what is handed over, too
                self._book_handed(pair, start.late, start.carried)
                self._out.append(
                    Record(state_row(pair, self._at, now, reason="HANDED_OVER", extra=handed_over(start.carried)))
                )
                self._step(pair, now)
            return
        elif pair.ledger.knows(start.late):
            self._turn_away(start.plan, start.rescue_no, S.ENTRY_MISSED, "FILL_KNOWN", now)
            pair.rescue_no = max(pair.rescue_no, start.rescue_no)
            return
        else:
            pair.plan = start.plan
            pair.generation = max(pair.generation, start.generation)
            pair.rescue_no = max(pair.rescue_no, start.rescue_no - 1)
        self._rescue(pair, start.late, now, start.carried)

    def _book_handed(self, pair: PairInHand, open_part: OrderFilled, carried: PairSums) -> None:
        self._book_fill(pair, open_part)
        pair.ledger.carry(open_part, carried)

    def _rescue(self, pair: PairInHand, late: OrderFilled, now: Now, carried: PairSums | None = None) -> None:
        """Begin a child of the pair, with sums of its own. Orders of the parent that may still live must be proved."""
        if carried is not None:
            pair.left = 0
        signed = late.fill_qty if late.side is Side.BUY else -late.fill_qty
        pair.closes_left = signed * pair.left < 0 and late.fill_qty <= abs(pair.left)
        pair.ledger.begin_child()
        pair.begin_exposure()
        pair.rescue_no += 1
        pair.rejects = pair.timeouts = 0
        pair.escalated = pair.flattened = False
        pair.flatten = carried is not None
        pair.path = ["rescue"]
        pair.detail = ""
        for order in pair.orders.values():
            if order.leaves:
                order.doubt(ask_at=now.mono)
        if carried is None:
            self._book_fill(pair, late)
        else:
            self._book_handed(pair, late, carried)
        pair.excess += pair.covered  # the parent sent them for what it left open, not for this child
        self._fire(pair, T.LATE_FILL, now, extra=() if carried is None else handed_over(carried))
        self._tell(pair)  # first of all, so that the Router marks the slot busy
        self._watch(pair, on=True)
        self._step(pair, now)

    def _flatten(self, message: FlattenPair, now: Now) -> None:
        pair = self._pair
        if pair is not None and pair.plan.pair_id == message.pair_id and not pair.ended:
            pair.flatten = True
            pair.silent.clear()  # a person asks: a book that stands still is no reason to wait
            self._step(pair, now)

    # --- after a failure ----------------------------------------------------------------------------------------------

    def _restore(self, message: RestorePair, now: Now) -> None:
        """Go on from the facts. A pair of which the Gateway knows no order gives way, unless this one ends at once."""
        settings = self._settings
        waits = Waits(
            Nanos(settings.ack_ns + settings.gateway_grace_ns),
            Nanos(message.plan.cancel_ns + settings.gateway_grace_ns),
            settings.silence_ns,
            settings.retry_ns,
        )
        plan = replace(message.plan, slot=settings.slot)
        before, top = self._pair, self._top
        pair = restored_pair(replace(message, plan=plan), CostBook(settings.costs), waits, now)
        self._pair = pair
        self._remember(plan)
        if before is None or before.plan.symbol != plan.symbol:
            self._top = None
        if not pair.ended:
            was_handed_over = message.left != 0 and pair.left == 0
            extra = handed_over(message.carried) if was_handed_over else ()
            self._out.append(Record(state_row(pair, self._at, now, reason="RESTORED", extra=extra)))
            self._tell(pair)
            self._watch(pair, on=True)
            self._step(pair, now)
        if before is not None and not before.ended and before.plan.pair_id != plan.pair_id:
            if pair.ended:
                self._pair, self._top = before, top
            self._watch(before, on=pair.ended)
        self._out.append(Send(Role.ROUTER, SlotRestored(settings.slot)))

    def _settle(self, now: Now) -> None:
        """Whose are the fills that came before anybody said what this manager has?"""
        self._settled = True
        fills, self._early_fills = self._early_fills, []
        for fill in fills:
            self._at = fill.at
            self._hear(fill, now)

    def _check(self, message: CheckPair, now: Now) -> None:
        if not self._settled:
            return  # it was a failed predecessor that was asked; SlotRestored will have the question put again
        pair = self._pair
        if pair is None or pair.plan.pair_id != message.plan.pair_id:
            self._turn_away(message.plan, message.child, S.ENTRY_MISSED, "NOT_BEGUN", now)
        elif pair.rescue_no < message.child:
            self._turn_away(message.plan, message.child, S.ENTRY_MISSED, "NOT_BEGUN", now)
            pair.rescue_no = message.child if pair.ended else pair.rescue_no
        elif pair.ended and pair.result is not None and pair.result.child == message.child:
            self._out.append(Send(Role.ROUTER, pair.result))

    def _resend(self, message: ResendState, now: Now) -> None:
        role, pair = Role(message.name), self._pair
        if role is Role.GATEWAY:
            self._out += self._end_rows  # of what was on its way there; what it has already it drops
        if pair is None or pair.ended:
            return
        match role:
            case Role.THROTTLER:
                self._give_again(pair, now)
            case Role.MARKET_DATA if message.index == pair.plan.shard:
                self._watch(pair, on=True)
            case Role.ROUTER:
                self._tell(pair)
            case _:
                pass

    def _give_again(self, pair: PairInHand, now: Now) -> None:
        """What waited in the Throttler is lost. What it had passed on already the Gateway knows by its id."""
        for order in pair.orders.values():
            if not order.leaves:
                continue
            if order.command.leg == HEDGE_LEG and not order.submitted:
                again_at = self._repeat(pair, order, now)
                if order.doubted:
                    order.ask_at = again_at
                else:
                    order.due = again_at
            elif order.query_out:
                self._ask(pair, order, now)
            if order.cancel_id is not None and not order.cancel_submitted:
                self._send_cancel(pair, order, now)

    # --- what the world says ------------------------------------------------------------------------------------------

    def _see(self, top: TopOfBook, now: Now) -> None:
        pair = self._pair
        if pair is None or pair.ended or top.symbol != pair.plan.symbol:
            return
        self._top = top
        self._hear_again(pair, top)
        self._step(pair, now)

    def _hear(self, event: OrderEvent, now: Now) -> None:
        pair = self._pair
        if pair is None or event.pair_id != pair.plan.pair_id:
            if isinstance(event, OrderFilled):
                self._pass_on(event)
            return
        if pair.ended and isinstance(event, OrderFilled):
            if not pair.ledger.knows(event):
                self._rescue(pair, event, now)
            return
        self._book_event(pair, event)
        if not pair.ended:
            self._step(pair, now)

    def _pass_on(self, fill: OrderFilled) -> None:
        """A fill of a pair that is not in hand is the Router's; unless this manager is new, and the pair its own."""
        if not self._settled and len(self._early_fills) < EARLY_FILLS_MAX:
            self._early_fills.append(fill)
            return
        symbol = self._symbols.get(fill.pair_id, Symbol(""))
        self._out.append(Send(Role.ROUTER, LateFill(fill, symbol)))

    def _book_event(self, pair: PairInHand, event: OrderEvent) -> None:
        order = pair.orders.get(event.cl_ord_id)
        if order is not None and not order.leaves and not isinstance(event, OrderFilled):
            return  # it is over; what comes now is late or a repeat
        match event:
            case OrderFilled():
                if not pair.ledger.knows(event):
                    self._book_fill(pair, event)
            case CancelRejected() | CancelStuck():
                self._cancel_failed(pair, event)
            case OrderSubmitted():
                self._submitted(pair, order, event)
            case OrderRefused():
                if order is None:
                    self._cancel_failed(pair, event)
                else:
                    self._refused(pair, order, event)
            case OrderRejected():
                if order is None:
                    self._cancel_failed(pair, event)
                else:
                    self._rejected(pair, order, event)
            case OrderAcked() | OrderAccepted():
                if order is not None:
                    self._numbered(pair, order)
            case OrderCanceled():
                if order is not None:
                    order.numbered = True
                    order.release(event.canceled_qty)
                    self._failed_in_part(pair, order)
            case OrderTimedOut():
                if order is not None and not order.numbered and not order.doubted:
                    order.submitted = True
                    self._doubt_number(pair, order)
            case OrderStuck():
                pass  # the timers of the order's style decide: t_hedge for a post, the end of an IOC
            case DoubtResolved():
                if order is not None:
                    self._resolved(pair, order, event)
            case _:
                assert_never(event)

    def _book_fill(self, pair: PairInHand, fill: OrderFilled) -> None:
        pair.ledger.take(fill)
        order = pair.orders.get(fill.cl_ord_id)
        if order is None:
            # An order of the parent, or of this manager's predecessor, on which the orders that live did not count.
            pair.excess += fill.fill_qty if pair.hedges or not pair.entry_over else 0
            return
        pair.excess += order.fill(fill.fill_qty)
        pair.flattened |= order.command.kind is OrderKind.FLATTEN
        if order.filled == fill.fill_qty or not order.numbered:
            self._numbered(pair, order)

    def _submitted(self, pair: PairInHand, order: PairOrder | None, event: OrderSubmitted) -> None:
        if order is None:
            for target in pair.orders.values():
                if target.cancel_id == event.cl_ord_id:
                    target.cancel_submitted = True
                    target.cancel_due = self._later(pair.plan.cancel_ns + self._settings.gateway_grace_ns)
        elif not order.submitted:
            order.submitted = True
            order.due = self._later(self._settings.ack_ns + self._settings.gateway_grace_ns)

    def _numbered(self, pair: PairInHand, order: PairOrder) -> None:
        """The broker has it: an IOC must end soon; a post rests, which is proof if its number had been in doubt."""
        if order.leaves == 0:
            return
        if not order.numbered:
            order.submitted = order.numbered = True
            order.due = self._later(pair.plan.ioc_end_ns) if order.takes else None
            if order.doubted:
                order.trust()
                order.rests = not order.takes and order.cancel_id is None
        elif order.due is not None:
            order.due = max(order.due, self._later(pair.plan.ioc_end_ns))

    def _doubt_number(self, pair: PairInHand, order: PairOrder) -> None:
        pair.timeouts += 1
        order.doubt(ask_at=self._at)

    def _rejected(self, pair: PairInHand, order: PairOrder, event: OrderRejected) -> None:
        if not event.overload:
            pair.rejects += 1
            pair.detail = event.text
        self._turned_down(pair, order, again=event.overload)
        if not event.overload and order.takes and order.command.leg == HEDGE_LEG:
            self._turned_down_by_venue(pair, order)

    def _turned_down_by_venue(self, pair: PairInHand, order: PairOrder) -> None:
        """The next attempt tries the other venue, if that one is quotable.

        A halt is announced by nobody: it shows in rejections and in a book that stands still. While nothing moves that
        venue is tried ever more rarely, and the last half of the attempts is kept for when its book moves: then it is
        tried at once.
        """
        venue = order.command.venue
        if self._top is None:
            pair.blocked[venue] = self._later(2 * self._settings.retry_ns)
            return
        top, silent = top_of(self._top, venue), pair.silent.get(venue)
        if silent is None:
            silent = pair.silent[venue] = SilentVenue(top, self._at)
        else:
            silent.at, silent.times = self._at, silent.times + 1
        doublings = min(silent.times, SILENT_PATIENCE_MAX)
        pair.blocked[venue] = self._later(self._settings.retry_ns << doublings)

    def _hear_again(self, pair: PairInHand, top: TopOfBook) -> None:
        for venue, silent in tuple(pair.silent.items()):
            if top_of(top, venue) != silent.top:
                del pair.silent[venue]
                soonest = Nanos(silent.at + 2 * self._settings.retry_ns)
                pair.blocked[venue] = min(pair.blocked.get(venue, soonest), soonest)

    def _refused(self, pair: PairInHand, order: PairOrder, event: OrderRefused) -> None:
        """Never seen by the broker, unless what was refused is a doubt query or the repetition of a command."""
        reason = event.reason
        if reason is RefusalReason.UNKNOWN_TARGET:
            if order.command.leg == ENTRY_LEG and not order.submitted and order.asked:
                order.release_rest()  # its grant is long over: it will not come any more
            else:
                self._ask_later(order)
            return
        if order.submitted or (order.asked and reason in _MAY_CONCERN_A_QUERY):
            self._ask_later(order)
            return
        if reason is RefusalReason.DUPLICATE and order.repeated:
            order.submitted = True  # the first reached the Gateway, whose word on it was lost
            order.doubt(ask_at=self._at)
            return
        pair.detail = f"{reason.value} {event.text}".strip()
        if reason is RefusalReason.DISCONNECTED:
            for venue in Venue:
                pair.blocked[venue] = self._later(self._settings.retry_ns)
        elif reason in (*_VENUE_SAYS_NO, RefusalReason.SELF_TRADE):
            pair.blocked[order.command.venue] = self._later(self._settings.retry_ns)
        elif reason in (*_NOT_NOW, RefusalReason.DUPLICATE):
            pair.not_before = self._later(self._settings.retry_soon_ns)
        venue_no = reason is RefusalReason.DISCONNECTED or reason in _VENUE_SAYS_NO
        # A post that finds its venue closed has failed; an IOC or a market order looks for another venue, or waits.
        again = reason in (*_NOT_NOW, RefusalReason.DUPLICATE) or (venue_no and order.takes)
        self._turned_down(pair, order, again=again)
        if reason is RefusalReason.UNCOVERED_SALE and order.command.style is OrderStyle.MARKET_IOC:
            # The broker's next word on the shares may set it right: the attempts last longer than its reports are late.
            pair.not_before = self._later(self._settings.retry_ns << pair.attempts)

    def _turned_down(self, pair: PairInHand, order: PairOrder, *, again: bool) -> None:
        """Confirmed over. `again`: that was no attempt; the same kind of hedge is to be sent anew."""
        order.turned_down = True
        order.release_rest()
        if not again or order.filled:
            self._failed_in_part(pair, order)
        elif order.command.leg == HEDGE_LEG:
            del pair.orders[order.command.cl_ord_id]
            if order.command.style is OrderStyle.MARKET_IOC:
                pair.attempts -= 1

    def _failed_in_part(self, pair: PairInHand, order: PairOrder) -> None:
        """A hedge ended, or began to end, with a remainder: the next rung of the ladder, not the same again."""
        if order.command.leg != HEDGE_LEG:
            return
        if not order.takes:
            pair.post_failed = True
            return
        pair.take_failed = True
        if order.command.style is OrderStyle.MARKET_IOC and order.filled == 0:
            pair.not_before = self._later(self._settings.retry_ns)

    def _cancel_failed(
        self, pair: PairInHand, event: CancelRejected | CancelStuck | OrderRejected | OrderRefused
    ) -> None:
        for order in pair.orders.values():
            if order.cancel_id == event.cl_ord_id and order.leaves:
                break
        else:
            return  # of a cancel that was given again since, or of an order that is over
        if isinstance(event, CancelStuck):
            self._cancel_stuck(pair, order)
            return
        order.cancel_id = order.cancel_due = None
        if not isinstance(event, OrderRefused) and event.overload:
            order.rests = not order.doubted  # if it is in doubt, the answer to the query decides
        else:
            # It filled, it ended, or the cancel was wrong: the word on that is on its way. If not, ask.
            order.doubt(ask_at=self._later(pair.plan.cancel_ns << min(order.cancel_failures, CANCEL_PATIENCE_MAX)))
            order.cancel_failures += 1
            if pair.state is S.CANCEL_POST_SENT and order.command.leg == HEDGE_LEG:
                self.move(pair, T.CANCEL_TURNED_AWAY)

    def _cancel_stuck(self, pair: PairInHand, order: PairOrder) -> None:
        """Ask at once the first time; what stays unanswered is asked about ever later."""
        failures = min(order.cancel_failures, CANCEL_PATIENCE_MAX)
        order.cancel_failures += 1
        order.cancel_id = order.cancel_due = None
        order.stuck = True
        order.doubt(ask_at=self._later(pair.plan.cancel_ns << failures if failures else 0))

    def _resolved(self, pair: PairInHand, order: PairOrder, event: DoubtResolved) -> None:
        match event.verdict:
            case DoubtVerdict.ENDED:
                order.release_rest()
                self._failed_in_part(pair, order)
            case DoubtVerdict.RESTING:
                order.submitted = order.numbered = True
                if order.doubted:
                    order.trust()
                    order.rests, order.stuck = True, False
                    order.cancel_id = order.cancel_due = None
            case DoubtVerdict.UNKNOWN:
                self._ask_later(order)
            case _:
                assert_never(event.verdict)

    def _ask_later(self, order: PairOrder) -> None:
        order.query_out = False
        if order.doubted:
            order.ask_at = self._later(self._settings.doubt_spacing_ns)

    # --- one step: what is due, which row applies, what to send -------------------------------------------------------

    def _step(self, pair: PairInHand, now: Now) -> None:
        pair.read_clock(now)
        if pair.ledger.open == 0 and not pair.hedges:
            pair.begin_exposure()
        self._mark_overdue(pair, now)
        for _ in range(STEPS_MAX):
            trigger = self._next_trigger(pair, now)
            if trigger is None:
                break
            entered = self._fire(pair, trigger, now)
            self._act(pair, trigger, now)
            if pair.ended:
                self._finish(pair, trigger, now)
                return
            if entered:
                self._tell(pair)
        else:
            raise AssertionError(f"{STEPS_MAX} rows fired and no end in sight: {pair.state.name}")
        self._ask_doubted(pair, now)
        self._look_out(pair, now)

    def _mark_overdue(self, pair: PairInHand, now: Now) -> None:
        for order in pair.orders.values():
            if order.due is not None and order.due <= now.mono:
                if order.numbered or (order.command.leg == HEDGE_LEG and now.wall >= pair.plan.flat_by_wall):
                    order.doubt(ask_at=now.mono)
                elif order.submitted or order.command.leg == ENTRY_LEG:
                    self._doubt_number(pair, order)
                else:
                    order.due = self._repeat(pair, order, now)
            if order.cancel_due is not None and order.cancel_due <= now.mono:
                self._cancel_stuck(pair, order)

    def _next_trigger(self, pair: PairInHand, now: Now) -> PairTrigger | None:
        """The next row to fire, from the facts alone."""
        if pair.state is S.ENTRY_TAKE_SENT:
            return self._trigger_of_entry(pair, now)
        if pair.ledger.open == 0 and not pair.hedges:
            if pair.entry_over:
                return self._trigger_of_end(pair)
            if pair.state is not S.ENTRY_IN_DOUBT:
                return T.FLAT_ENTRY_OPEN
        if pair.entry is not None and pair.entry.rests:
            return T.ENTRY_RESTING
        if self._time_is_up(pair, now) and not pair.closes_left:
            return T.TIME_UP
        match pair.state:
            case S.ENTRY_IN_DOUBT:
                return self._trigger_of_fills(pair, now) if pair.ledger.open else None
            case S.RESCUE:
                if pair.closes_left:
                    return T.LEFT_CLOSED
                return T.HEDGE_OVERDUE if pair.hedges else self._trigger_of_fills(pair, now)
            case S.HEDGE_POST_SENT:
                return self._trigger_of_post(pair, now)
            case S.HEDGE_IN_DOUBT | S.CANCEL_POST_SENT | S.CANCEL_STUCK:
                return self._trigger_of_proof(pair)
            case S.HEDGE_IOC_SENT | S.HEDGE_MARKET_SENT:
                return self._trigger_of_take(pair, now)
            case _:
                raise AssertionError(pair.state)

    def _trigger_of_entry(self, pair: PairInHand, now: Now) -> PairTrigger | None:
        assert pair.entry is not None
        if not pair.entry_over:
            return T.ENTRY_OVERDUE if pair.entry.doubted else None
        if pair.ledger.open:
            return self._trigger_of_fills(pair, now)
        assert pair.ledger.bought == 0, "no hedge was given yet that could have closed what it bought or sold"
        return T.ENTRY_REFUSED if pair.entry.turned_down else T.ENTRY_EMPTY

    def _trigger_of_end(self, pair: PairInHand) -> PairTrigger:
        if pair.ledger.bought == 0:
            return T.ENTRY_EMPTY
        return T.FLAT_BY_FLATTEN if pair.flattened else T.FLAT

    def _trigger_of_fills(self, pair: PairInHand, now: Now) -> PairTrigger:
        wrong_way = pair.ledger.closing_side is not pair.plan.hedge.side
        if pair.plan.hedge_ioc_only or pair.flatten or wrong_way or self._post_expired(pair, now):
            return T.FILLS_TO_TAKE
        return T.FILLS_TO_POST

    def _trigger_of_post(self, pair: PairInHand, now: Now) -> PairTrigger | None:
        if not pair.hedges:
            if pair.post_failed or self._trigger_of_fills(pair, now) is T.FILLS_TO_TAKE:
                return T.HEDGE_ENDED
        elif any(order.doubted for order in pair.hedges):
            return T.HEDGE_OVERDUE
        elif pair.over_covered:
            return T.POST_IN_THE_WAY
        elif pair.flatten:
            return T.FLATTEN
        elif self._post_expired(pair, now):
            return T.POST_EXPIRED
        elif self._mid_is_lost(pair):
            return T.MID_PASSED
        elif pair.post_failed:
            return T.POST_IN_THE_WAY
        return T.UNCOVERED if pair.uncovered > 0 and now.mono >= pair.not_before else None

    def _trigger_of_proof(self, pair: PairInHand) -> PairTrigger | None:
        if not pair.hedges:
            if not pair.took:
                return T.HEDGE_ENDED
            if pair.attempts < pair.plan.max_hedge_attempts:
                return T.TAKE_ENDED
            return T.ATTEMPTS_SPENT if pair.entry_over else None
        if any(order.rests for order in pair.hedges):
            return T.HEDGE_RESTING
        if pair.state is S.CANCEL_POST_SENT and any(order.stuck for order in pair.hedges):
            return T.CANCEL_OVERDUE
        if pair.state is S.HEDGE_IN_DOUBT and not any(order.doubted or order.takes for order in pair.hedges):
            return T.HEDGE_RESTING  # the one in doubt is over, a post beside it rests
        return None

    def _trigger_of_take(self, pair: PairInHand, now: Now) -> PairTrigger | None:
        if any(order.doubted for order in pair.hedges):
            return T.HEDGE_OVERDUE
        if pair.over_covered:
            return T.OVER_COVERED
        spent = pair.state is S.HEDGE_MARKET_SENT and pair.attempts >= pair.plan.max_hedge_attempts
        if not pair.take_failed and not spent:
            return T.UNCOVERED if self._may_take(pair, now) else None
        if pair.hedges:
            return None
        if not spent:
            return T.TAKE_ENDED
        return T.ATTEMPTS_SPENT if pair.entry_over else None

    def _fire(
        self, pair: PairInHand, trigger: PairTrigger, now: Now, extra: tuple[tuple[str, object], ...] = ()
    ) -> bool:
        """Move, and record the state if it was entered anew. The next market attempt enters its state again."""
        before = pair.state
        after = self.move(pair, trigger)
        if after is before and trigger is not T.TAKE_ENDED:
            return False
        row = Record(state_row(pair, self._at, now, reason=trigger.name, extra=extra))
        self._out.append(row)
        if pair.ended:
            self._end_rows.append(row)
        return True

    def _act(self, pair: PairInHand, trigger: PairTrigger, now: Now) -> None:
        """What the state now held asks for."""
        if trigger is T.ENTRY_RESTING:
            assert pair.entry is not None
            self._cancel(pair, pair.entry, now)
            return
        if trigger is T.POST_EXPIRED:
            self._alert(pair, "T_HEDGE", now)
        match pair.state:
            case S.HEDGE_POST_SENT:
                if now.mono >= pair.not_before:
                    self._place_post(pair, now)
            case S.HEDGE_IOC_SENT | S.HEDGE_MARKET_SENT:
                if trigger is not T.UNCOVERED:
                    pair.took, pair.take_failed = True, False
                if pair.state is S.HEDGE_MARKET_SENT or not pair.plan.hedge_ioc_only:
                    pair.escalated = True
                self._place_take(pair, now)
            case S.CANCEL_POST_SENT:
                pair.escalated = True
                pair.walk("cancel")
                for order in pair.hedges:
                    if order.cancel_id is None and not order.doubted:
                        self._cancel(pair, order, now)
            case _:
                pass

    def _ask_doubted(self, pair: PairInHand, now: Now) -> None:
        for order in pair.orders.values():
            if not order.doubted or order.ask_at is None or order.ask_at > now.mono:
                continue
            if not order.submitted and order.command.leg == HEDGE_LEG:
                order.ask_at = self._repeat(pair, order, now)  # nobody could tell what became of what was never sent
            else:
                self._ask(pair, order, now)

    def _ask(self, pair: PairInHand, order: PairOrder, now: Now) -> None:
        order.asked = order.query_out = True
        order.ask_at = Nanos(now.mono + self._settings.silence_ns)
        command = order.command
        query = QueryOrder(
            command.cl_ord_id, command.pair_id, pair.plan.slot, command.symbol, generation=pair.generation
        )
        self._out.append(Send(Role.THROTTLER, query))

    def _repeat(self, pair: PairInHand, order: PairOrder, now: Now) -> Nanos:
        """Give a hedge again of which nothing was heard. The Gateway takes an id once, a refusal included (SPEC 9).

        Returns when to do so again.
        """
        order.repeated = True
        command = replace(order.command, slot=pair.plan.slot, generation=pair.generation)
        self._out.append(Send(Role.THROTTLER, command))
        return Nanos(now.mono + self._settings.silence_ns)

    def _look_out(self, pair: PairInHand, now: Now) -> None:
        """While an open quantity waits for a moment or a venue, say when to look again."""
        waits = pair.state in _TAKING or pair.state is S.HEDGE_POST_SENT
        if not waits or pair.uncovered <= 0 or pair.take_failed:
            pair.look_at = None
        elif now.mono < pair.not_before:
            pair.look_at = pair.not_before
        elif pair.look_at is None or pair.look_at <= now.mono:
            if pair.look_at is not None:
                self._watch(pair, on=True)  # the shard may have forgotten who watches
            pair.look_at = Nanos(now.mono + self._settings.retry_ns)
            if not pair.alerted and self._post_expired(pair, now):
                self._alert(pair, "NO_VENUE", now)

    def _deadlines(self, pair: PairInHand) -> Iterator[Nanos]:
        for order in pair.orders.values():
            for due in (order.due, order.ask_at, order.cancel_due):
                if due is not None:
                    yield due
        if pair.look_at is not None:
            yield pair.look_at
        if pair.state is S.HEDGE_POST_SENT and pair.ledger.opened_at is not None:
            yield Nanos(min(pair.ledger.opened_at + pair.plan.t_hedge_ns, pair.flat_by))
        if self._may_run_out_of_time(pair):
            yield pair.flat_by

    def _may_run_out_of_time(self, pair: PairInHand) -> bool:
        """It cannot end by itself: it waits for a proof or a venue. An entry or an IOC just sent is waited for."""
        return pair.state in _WAITS_FOR_PROOF or pair.state is S.RESCUE or (pair.state in _TAKING and not pair.hedges)

    def _time_is_up(self, pair: PairInHand, now: Now) -> bool:
        return now.wall >= pair.plan.flat_by_wall and self._may_run_out_of_time(pair)

    def _post_expired(self, pair: PairInHand, now: Now) -> bool:
        opened_at = pair.ledger.opened_at
        assert opened_at is not None
        return now.mono >= opened_at + pair.plan.t_hedge_ns or now.wall >= pair.plan.flat_by_wall

    def _mid_is_lost(self, pair: PairInHand) -> bool:
        leg = pair.plan.hedge
        if leg.style is not OrderStyle.MID or self._top is None:
            return False
        return mid_passed(self._top, leg.venue, leg.side, pair.plan.hedge_lock_price)

    # --- orders -------------------------------------------------------------------------------------------------------

    def _place_post(self, pair: PairInHand, now: Now) -> None:
        assert pair.ledger.closing_side is pair.plan.hedge.side
        pair.walk("post")
        self._place(pair, OrderKind.HEDGE, pair.plan.hedge, Shares(pair.uncovered), now)

    def _place_take(self, pair: PairInHand, now: Now) -> None:
        """The IOC or the market order for what is open, if a venue takes it now; `_look_out` minds it if none does."""
        if not self._may_take(pair, now):
            return
        side = pair.ledger.closing_side
        choice = self._best_venue(pair, side, now)
        assert choice is not None
        assert all(order.takes for order in pair.hedges), "a change of type is a cancel, then a new order"
        venue, at = choice
        if pair.state is S.HEDGE_IOC_SENT:
            price = price_through(
                side, at, ticks=pair.plan.hedge_ioc_ticks, limits=(pair.plan.lower_limit, pair.plan.upper_limit)
            )
            kind, leg = OrderKind.HEDGE_IOC, Leg(venue, side, OrderStyle.LIMIT_IOC, price)
            pair.walk("ioc")
        else:
            pair.attempts += 1
            kind, leg = OrderKind.HEDGE_MARKET, Leg(venue, side, OrderStyle.MARKET_IOC, Won(0))
            pair.walk("market")
        self._place(pair, OrderKind.FLATTEN if pair.flatten else kind, leg, Shares(pair.uncovered), now)

    def _may_take(self, pair: PairInHand, now: Now) -> bool:
        if pair.uncovered <= 0 or now.mono < pair.not_before:
            return False
        if pair.state is S.HEDGE_MARKET_SENT and pair.attempts >= pair.plan.max_hedge_attempts:
            return False
        return self._best_venue(pair, pair.ledger.closing_side, now) is not None

    def _may_be_tried(self, pair: PairInHand, venue: Venue, now: Now) -> bool:
        if pair.blocked.get(venue, NEVER) > now.mono:
            return False
        most = pair.plan.max_hedge_attempts
        return venue not in pair.silent or pair.attempts < most - most // 2

    def _best_venue(self, pair: PairInHand, side: Side, now: Now) -> tuple[Venue, Won] | None:
        """The venue to take on, and its touch. Without any quote: the hedge's own venue, at the signal's price."""
        own = pair.plan.hedge.venue
        free = [venue for venue in (own, own.other) if self._may_be_tried(pair, venue, now)]
        top = self._top
        if top is None:
            return (free[0], pair.plan.hedge_lock_price) if free else None
        quoted = [(venue, touch(top, venue, side)) for venue in free if touch(top, venue, side)]
        if not quoted:
            return None
        if not pair.plan.hedge_fallback_best:
            return quoted[0]
        return min(quoted, key=lambda quote: quote[1] if side is Side.BUY else -quote[1])

    def _place(
        self, pair: PairInHand, kind: OrderKind, leg: Leg, qty: Shares, now: Now, grant: StartPair | None = None
    ) -> PairOrder:
        """Give the command: an entry with its grant straight to the Gateway, a hedge to the Throttler."""
        plan = pair.plan
        entry = grant is not None
        assert entry or (leg.side is pair.ledger.closing_side and 0 < qty <= pair.uncovered)
        command = PlaceOrder(
            cl_ord_id=entry_id(plan.pair_id) if entry else pair.new_hedge_id(),
            pair_id=plan.pair_id,
            slot=plan.slot,
            kind=kind,
            leg=ENTRY_LEG if entry else HEDGE_LEG,
            symbol=plan.symbol,
            symbol_index=plan.symbol_index,
            venue=leg.venue,
            side=leg.side,
            qty=qty,
            style=leg.style,
            price=leg.price,
            grant_id=grant.grant_id if grant else None,
            expires=grant.grant_expires if grant else None,
            generation=pair.generation,
            plan=plan if entry else None,
        )
        order = PairOrder(command, due=Nanos(now.mono + self._settings.silence_ns))
        assert command.cl_ord_id not in pair.orders
        pair.orders[command.cl_ord_id] = order
        self._out.append(Send(Role.GATEWAY if entry else Role.THROTTLER, command))
        return order

    def _cancel(self, pair: PairInHand, order: PairOrder, now: Now) -> None:
        order.rests = order.stuck = order.cancel_submitted = False
        order.cancel_id = pair.new_cancel_id()
        self._send_cancel(pair, order, now)

    def _send_cancel(self, pair: PairInHand, order: PairOrder, now: Now) -> None:
        plan = pair.plan
        assert order.cancel_id is not None
        order.cancel_due = Nanos(now.mono + self._settings.silence_ns)
        command = CancelOrder(
            order.cancel_id, order.command.cl_ord_id, plan.pair_id, plan.slot, plan.symbol, generation=pair.generation
        )
        self._out.append(Send(Role.THROTTLER, command))

    # --- what others are told -----------------------------------------------------------------------------------------

    def _tell(self, pair: PairInHand) -> None:
        self._out.append(Send(Role.ROUTER, advanced(pair, self._at)))

    def _watch(self, pair: PairInHand, *, on: bool) -> None:
        watch = WatchTop(pair.plan.symbol_index, pair.plan.slot, on)
        self._out.append(Send(Role.MARKET_DATA, watch, pair.plan.shard))

    def _alert(self, pair: PairInHand, reason: str, now: Now) -> None:
        pair.alerted = True
        self._out.append(Record(alert_row(pair, self._at, now, reason=reason)))

    def _finish(self, pair: PairInHand, trigger: PairTrigger, now: Now) -> None:
        if pair.state is S.UNHEDGED:
            pair.left += pair.ledger.open
        row = end_row(pair, self._at, now, reason=trigger.name)
        if row is not None:
            self._out.append(Record(row))
            self._end_rows.append(Record(row))
        pair.look_at = None
        self._watch(pair, on=False)
        pair.result = ended(pair, self._at)
        self._out.append(Send(Role.ROUTER, pair.result))

    def _later(self, duration: int) -> Nanos:
        """`duration` after the stamp of the event in hand."""
        return Nanos(self._at + duration)

    # --- what must always hold ----------------------------------------------------------------------------------------

    def _check_invariants(self) -> None:
        pair = self._pair
        if pair is None:
            return
        ledger = pair.ledger
        match pair.state:
            case S.PAIRED_DONE | S.FLATTENED:
                assert ledger.bought == ledger.sold > 0
                assert pair.entry_over
                assert not pair.hedges
            case S.ENTRY_MISSED | S.ENTRY_REJECTED:
                assert ledger.bought == ledger.sold == 0
                assert pair.entry_over
                assert not pair.hedges
            case S.UNHEDGED:
                pass
            case _:
                assert pair.excess or not pair.over_covered, "a hedge too much may fill"
                assert self.next_deadline() is not None, f"nothing will ever move {pair.state.name}"
