"""One pair from entry to flat: the transition table of SPEC 8, and what a pair knows of its orders, fills and costs.

Everything that can change a pair's state is a row of PAIR_TRANSITIONS. A trigger is a fact established from the
ledger after an event was booked, never the event itself, so one event may fire several rows in a row.
Limits: one symbol, one entry; any number of hedges, of which several may live at once after a late entry fill.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from actors.domain.machine import Machine
from actors.messages.market_data import TopOfBook
from actors.messages.orders import OrderFilled, OrderStyle, PlaceOrder
from actors.messages.pairs import PairState, PairSums
from kiwoom.fees import CostBook
from kiwoom.market import (
    MS,
    VENUE_INDEX,
    Market,
    Nanos,
    Shares,
    Side,
    Venue,
    Won,
    round_down_to_tick,
    round_up_to_tick,
    step_ticks,
)


class PairTrigger(Enum):
    """The value is the trigger in words, as the diagram shows it."""

    ADMITTED = "admitted"
    LATE_FILL = "a late fill"
    ENTRY_REFUSED = "entry rejected or refused"
    ENTRY_EMPTY = "entry over, nothing filled"
    ENTRY_OVERDUE = "no number, or no end, in time"
    ENTRY_RESTING = "entry found resting"
    FILLS_TO_POST = "fills to hedge"
    FILLS_TO_TAKE = "fills to hedge at once"
    UNCOVERED = "open quantity, and a venue for it"
    OVER_COVERED = "more hedged than open"
    POST_EXPIRED = "t_hedge"
    POST_IN_THE_WAY = "another post failed, or one too many"
    MID_PASSED = "mid passed the lock"
    FLATTEN = "flatten"
    HEDGE_OVERDUE = "no number, or no end, in time (hedge)"
    HEDGE_RESTING = "hedge found resting"
    HEDGE_ENDED = "no post lives, quantity open"
    TAKE_ENDED = "no IOC lives, quantity open"
    CANCEL_TURNED_AWAY = "cancel turned away"
    CANCEL_OVERDUE = "cancel not answered in time"
    ATTEMPTS_SPENT = "attempts spent"
    TIME_UP = "not flat at the end"
    LEFT_CLOSED = "the fill closes what was left open"
    FLAT = "bought = sold, all over"
    FLAT_BY_FLATTEN = "flat by flatten, all over"
    FLAT_ENTRY_OPEN = "flat, entry may still fill"


S, T = PairState, PairTrigger

NO_SUMS: Final = PairSums()

END_STATES: Final = (S.ENTRY_REJECTED, S.ENTRY_MISSED, S.PAIRED_DONE, S.UNHEDGED, S.FLATTENED)

PAIR_TRANSITIONS: Final[Mapping[tuple[PairState, PairTrigger], PairState]] = {
    (S.CANDIDATE, T.ADMITTED): S.ENTRY_TAKE_SENT,
    (S.CANDIDATE, T.LATE_FILL): S.RESCUE,  # the rescue of a pair that another manager brought to its end
    # --- the entry is out; it is an IOC, so it ends by itself
    (S.ENTRY_TAKE_SENT, T.ENTRY_REFUSED): S.ENTRY_REJECTED,
    (S.ENTRY_TAKE_SENT, T.ENTRY_EMPTY): S.ENTRY_MISSED,
    (S.ENTRY_TAKE_SENT, T.FILLS_TO_POST): S.HEDGE_POST_SENT,
    (S.ENTRY_TAKE_SENT, T.FILLS_TO_TAKE): S.HEDGE_IOC_SENT,  # hedge_ioc_only, flatten, or its end came after t_hedge
    (S.ENTRY_TAKE_SENT, T.ENTRY_OVERDUE): S.ENTRY_IN_DOUBT,
    # --- it may have filled, rest, or never have arrived: only proof ends it
    (S.ENTRY_IN_DOUBT, T.ENTRY_EMPTY): S.ENTRY_MISSED,  # a late rejection is proof of death too
    (S.ENTRY_IN_DOUBT, T.ENTRY_RESTING): S.ENTRY_IN_DOUBT,
    (S.ENTRY_IN_DOUBT, T.FILLS_TO_POST): S.HEDGE_POST_SENT,  # hedged at once; the rest of it stays in doubt
    (S.ENTRY_IN_DOUBT, T.FILLS_TO_TAKE): S.HEDGE_IOC_SENT,
    (S.ENTRY_IN_DOUBT, T.FLAT): S.PAIRED_DONE,  # its known fills were hedged before its end was proved
    (S.ENTRY_IN_DOUBT, T.FLAT_BY_FLATTEN): S.FLATTENED,
    (S.ENTRY_IN_DOUBT, T.TIME_UP): S.UNHEDGED,
    # --- a limit (or mid) order rests on the other venue
    (S.HEDGE_POST_SENT, T.FLAT): S.PAIRED_DONE,
    (S.HEDGE_POST_SENT, T.FLAT_ENTRY_OPEN): S.ENTRY_IN_DOUBT,  # hedged in full while the entry is still in doubt
    (S.HEDGE_POST_SENT, T.ENTRY_RESTING): S.HEDGE_POST_SENT,
    (S.HEDGE_POST_SENT, T.UNCOVERED): S.HEDGE_POST_SENT,  # further entry fills, or the post met an overload
    (S.HEDGE_POST_SENT, T.HEDGE_OVERDUE): S.HEDGE_IN_DOUBT,
    (S.HEDGE_POST_SENT, T.HEDGE_ENDED): S.HEDGE_IOC_SENT,  # rejected, or taken out by the venue
    (S.HEDGE_POST_SENT, T.POST_EXPIRED): S.CANCEL_POST_SENT,
    (S.HEDGE_POST_SENT, T.MID_PASSED): S.CANCEL_POST_SENT,
    (S.HEDGE_POST_SENT, T.FLATTEN): S.CANCEL_POST_SENT,
    # A change of type, or a hedge filled after the broker had called it ended: the posts that live go first.
    (S.HEDGE_POST_SENT, T.POST_IN_THE_WAY): S.CANCEL_POST_SENT,
    # --- no second hedge while one may live unseen
    (S.HEDGE_IN_DOUBT, T.FLAT): S.PAIRED_DONE,
    (S.HEDGE_IN_DOUBT, T.FLAT_BY_FLATTEN): S.FLATTENED,
    (S.HEDGE_IN_DOUBT, T.FLAT_ENTRY_OPEN): S.ENTRY_IN_DOUBT,
    (S.HEDGE_IN_DOUBT, T.ENTRY_RESTING): S.HEDGE_IN_DOUBT,
    (S.HEDGE_IN_DOUBT, T.HEDGE_RESTING): S.CANCEL_POST_SENT,  # a late number proves it as well as a query does
    (S.HEDGE_IN_DOUBT, T.HEDGE_ENDED): S.HEDGE_IOC_SENT,
    (S.HEDGE_IN_DOUBT, T.TAKE_ENDED): S.HEDGE_MARKET_SENT,
    (S.HEDGE_IN_DOUBT, T.ATTEMPTS_SPENT): S.UNHEDGED,
    (S.HEDGE_IN_DOUBT, T.TIME_UP): S.UNHEDGED,
    # --- the cancel is out; what it frees is known only from the confirmed end
    (S.CANCEL_POST_SENT, T.FLAT): S.PAIRED_DONE,  # the fill won the race
    (S.CANCEL_POST_SENT, T.FLAT_BY_FLATTEN): S.FLATTENED,
    (S.CANCEL_POST_SENT, T.FLAT_ENTRY_OPEN): S.ENTRY_IN_DOUBT,
    (S.CANCEL_POST_SENT, T.ENTRY_RESTING): S.CANCEL_POST_SENT,
    (S.CANCEL_POST_SENT, T.HEDGE_ENDED): S.HEDGE_IOC_SENT,
    (S.CANCEL_POST_SENT, T.TAKE_ENDED): S.HEDGE_MARKET_SENT,  # it was an IOC that the venue had left resting
    (S.CANCEL_POST_SENT, T.ATTEMPTS_SPENT): S.UNHEDGED,
    (S.CANCEL_POST_SENT, T.HEDGE_RESTING): S.CANCEL_POST_SENT,  # cancelled again
    (S.CANCEL_POST_SENT, T.CANCEL_TURNED_AWAY): S.CANCEL_POST_SENT,  # it filled or ended: wait, then ask
    (S.CANCEL_POST_SENT, T.CANCEL_OVERDUE): S.CANCEL_STUCK,
    (S.CANCEL_POST_SENT, T.TIME_UP): S.UNHEDGED,
    # --- the cancel was not answered
    (S.CANCEL_STUCK, T.FLAT): S.PAIRED_DONE,
    (S.CANCEL_STUCK, T.FLAT_BY_FLATTEN): S.FLATTENED,
    (S.CANCEL_STUCK, T.FLAT_ENTRY_OPEN): S.ENTRY_IN_DOUBT,
    (S.CANCEL_STUCK, T.ENTRY_RESTING): S.CANCEL_STUCK,
    (S.CANCEL_STUCK, T.HEDGE_RESTING): S.CANCEL_POST_SENT,
    (S.CANCEL_STUCK, T.HEDGE_ENDED): S.HEDGE_IOC_SENT,
    (S.CANCEL_STUCK, T.TAKE_ENDED): S.HEDGE_MARKET_SENT,
    (S.CANCEL_STUCK, T.ATTEMPTS_SPENT): S.UNHEDGED,
    (S.CANCEL_STUCK, T.TIME_UP): S.UNHEDGED,
    # --- taking, on the better venue
    (S.HEDGE_IOC_SENT, T.FLAT): S.PAIRED_DONE,
    (S.HEDGE_IOC_SENT, T.FLAT_BY_FLATTEN): S.FLATTENED,
    (S.HEDGE_IOC_SENT, T.FLAT_ENTRY_OPEN): S.ENTRY_IN_DOUBT,
    (S.HEDGE_IOC_SENT, T.ENTRY_RESTING): S.HEDGE_IOC_SENT,
    (S.HEDGE_IOC_SENT, T.UNCOVERED): S.HEDGE_IOC_SENT,  # more entry fills, an overload, a venue that opened again
    (S.HEDGE_IOC_SENT, T.HEDGE_OVERDUE): S.HEDGE_IN_DOUBT,
    (S.HEDGE_IOC_SENT, T.TAKE_ENDED): S.HEDGE_MARKET_SENT,
    (S.HEDGE_IOC_SENT, T.OVER_COVERED): S.CANCEL_POST_SENT,
    (S.HEDGE_IOC_SENT, T.TIME_UP): S.UNHEDGED,
    (S.HEDGE_MARKET_SENT, T.FLAT): S.PAIRED_DONE,
    (S.HEDGE_MARKET_SENT, T.FLAT_BY_FLATTEN): S.FLATTENED,
    (S.HEDGE_MARKET_SENT, T.FLAT_ENTRY_OPEN): S.ENTRY_IN_DOUBT,
    (S.HEDGE_MARKET_SENT, T.ENTRY_RESTING): S.HEDGE_MARKET_SENT,
    (S.HEDGE_MARKET_SENT, T.UNCOVERED): S.HEDGE_MARKET_SENT,
    (S.HEDGE_MARKET_SENT, T.HEDGE_OVERDUE): S.HEDGE_IN_DOUBT,
    (S.HEDGE_MARKET_SENT, T.TAKE_ENDED): S.HEDGE_MARKET_SENT,  # the next attempt
    (S.HEDGE_MARKET_SENT, T.OVER_COVERED): S.CANCEL_POST_SENT,
    (S.HEDGE_MARKET_SENT, T.ATTEMPTS_SPENT): S.UNHEDGED,
    (S.HEDGE_MARKET_SENT, T.TIME_UP): S.UNHEDGED,
    # --- after the end: a fill that nobody expected, or the Router's order to close what was left open
    (S.ENTRY_REJECTED, T.LATE_FILL): S.RESCUE,
    (S.ENTRY_MISSED, T.LATE_FILL): S.RESCUE,
    (S.PAIRED_DONE, T.LATE_FILL): S.RESCUE,
    (S.UNHEDGED, T.LATE_FILL): S.RESCUE,
    (S.FLATTENED, T.LATE_FILL): S.RESCUE,
    (S.RESCUE, T.FILLS_TO_POST): S.HEDGE_POST_SENT,
    (S.RESCUE, T.FILLS_TO_TAKE): S.HEDGE_IOC_SENT,
    (S.RESCUE, T.HEDGE_OVERDUE): S.HEDGE_IN_DOUBT,  # a hedge of the unhedged parent may still live
    (S.RESCUE, T.LEFT_CLOSED): S.UNHEDGED,  # nothing to hedge: less of the parent's imbalance is left, or none
    (S.RESCUE, T.TIME_UP): S.UNHEDGED,
}


def new_pair() -> Machine[PairState, PairTrigger]:
    return Machine(PAIR_TRANSITIONS, S.CANDIDATE)


def resumed_pair(state: PairState) -> Machine[PairState, PairTrigger]:
    """A pair that a successor takes up where the facts put it: that is no move, so it has no row; what follows has."""
    assert state is not S.CANDIDATE
    return Machine(PAIR_TRANSITIONS, state)


def table_as_mermaid() -> str:
    """The table as a Mermaid state diagram: one arrow per pair of states, its triggers joined; ends are marked."""
    arrows: dict[tuple[PairState, PairState], list[str]] = {}
    for (state, trigger), entered in PAIR_TRANSITIONS.items():
        arrows.setdefault((state, entered), []).append(trigger.value)
    lines = ["stateDiagram-v2", f"    [*] --> {S.CANDIDATE.name}"]
    lines += [f"    {old.name} --> {new.name}: {' / '.join(words)}" for (old, new), words in arrows.items()]
    lines += [f"    {state.name} --> [*]" for state in END_STATES]
    return "\n".join(lines) + "\n"


@dataclass(slots=True)
class PairOrder:
    """One order of a pair: how much of it may still fill, and by when a word on it is due.

    Only a fill or a confirmed end lowers `leaves`. All stamps are the control thread's.
    """

    command: PlaceOrder
    due: Nanos | None
    """When it becomes overdue: silence after the command, no number after the call, no end of an IOC."""
    submitted: bool = False
    numbered: bool = False
    filled: int = 0
    released: int = 0
    """Shares confirmed never to fill."""
    turned_down: bool = False
    """Rejected or refused."""
    doubted: bool = False
    """Overdue: what became of it must be proved."""
    ask_at: Nanos | None = None
    """When to send the (next) doubt query."""
    asked: bool = False
    query_out: bool = False
    """A doubt query was sent and not answered."""
    rests: bool = False
    """Proved to stand in the book where it should not: to be cancelled."""
    cancel_id: str | None = None
    """The cancel that is under way."""
    cancel_submitted: bool = False
    """The Gateway has that cancel."""
    cancel_due: Nanos | None = None
    cancel_failures: int = 0
    """Cancels that were turned away or not answered: the next question, and so the next cancel, waits longer."""
    stuck: bool = False
    """Its cancel was not answered in time."""
    repeated: bool = False
    """The same command was given again, because nothing at all was heard of the first."""

    @property
    def leaves(self) -> int:
        return max(0, self.command.qty - self.filled - self.released)

    @property
    def takes(self) -> bool:
        """It does not rest: its end must come by itself."""
        return self.command.style in (OrderStyle.LIMIT_IOC, OrderStyle.MARKET_IOC)

    def fill(self, qty: Shares) -> int:
        """Book a fill. Returns the shares of it that had been confirmed never to fill (0 from a truthful broker)."""
        excess = max(0, qty - self.leaves)
        self.filled += qty
        self.released = min(self.released, max(0, self.command.qty - self.filled))
        self._settle()
        return excess

    def release(self, qty: int) -> None:
        """`qty` shares of it in all are confirmed never to fill; the same word twice adds nothing."""
        self.released = max(self.released, min(qty, self.command.qty - self.filled))
        self._settle()

    def release_rest(self) -> None:
        """It is confirmed over."""
        self.release(self.command.qty - self.filled)

    def doubt(self, ask_at: Nanos) -> None:
        self.doubted = True
        self.rests = False
        self.due = None
        self.ask_at = ask_at

    def trust(self) -> None:
        """It was heard of again."""
        self.doubted = self.query_out = False
        self.ask_at = None

    def _settle(self) -> None:
        if self.leaves == 0:
            self.trust()
            self.due = self.cancel_due = self.cancel_id = None
            self.rests = self.stuck = False


@dataclass(slots=True)
class _OrderCost:
    """An order's cost so far in won: the broker's last word, and the model's estimate for what came after it."""

    reported: int | None = None
    covers: int = 0
    """Shares that the broker's word is about: it is believed once so many are booked."""
    modelled: int = 0
    modelled_then: int = 0
    """Of that, for the shares that the broker's word covers."""
    seen: int = 0

    @property
    def total(self) -> int:
        if self.reported is None or self.seen < self.covers:
            return self.modelled
        return self.reported + self.modelled - self.modelled_then

    def book(self, qty: int, reported: int | None, covers: int, modelled: int) -> int:
        """What a fill adds; negative if the broker's word is less than the estimate it replaces."""
        before = self.total
        self.seen += qty
        self.modelled += modelled
        if reported is not None and covers >= max(self.covers, self.seen) and reported >= (self.reported or 0):
            self.reported, self.covers = reported, covers
        if self.seen <= self.covers:
            self.modelled_then = self.modelled
        return self.total - before


@dataclass(slots=True)
class _OrderCosts:
    commission: _OrderCost = field(default_factory=_OrderCost)
    tax: _OrderCost = field(default_factory=_OrderCost)


class PairLedger:
    """A pair's fills and what follows from them. Exposure comes from here and from nowhere else.

    Holds one key per fill: at most a few times the slice, since hedges never exceed what is open.
    `ended`: what earlier children booked. Their fills, taken again, bring the sums to nothing; only then do ours begin.
    """

    def __init__(self, market: Market, costs: CostBook, ended: PairSums = NO_SUMS) -> None:
        self._market = market
        self._book = costs
        self._seen: set[tuple[str, str]] = set()
        self._costs: dict[str, _OrderCosts] = {}
        self.begin_child()
        self.bought, self.sold = -ended.bought, -ended.sold
        self.buy_amount, self.sell_amount = -ended.buy_amount, -ended.sell_amount
        self.commission, self.tax = -ended.commission_won, -ended.tax_won

    def begin_child(self) -> None:
        """Forget the sums but not the fills: what comes now is another pair's, repeats are still repeats."""
        self.bought = self.sold = 0
        self.buy_amount = self.sell_amount = 0
        self.commission = self.tax = 0
        self.first_at: Nanos | None = None
        self.opened_at: Nanos | None = None
        """The fill that opened the present imbalance; None while flat."""
        self.flat_at: Nanos | None = None

    @property
    def open(self) -> int:
        """Bought less sold."""
        return self.bought - self.sold

    @property
    def closing_side(self) -> Side:
        """The side that brings it nearer to flat."""
        return Side.SELL if self.open > 0 else Side.BUY

    @property
    def net(self) -> int:
        return self.sell_amount - self.buy_amount - self.commission - self.tax

    def knows(self, fill: OrderFilled) -> bool:
        """It is a repeat. What a Router hands over as a fill of no order is new each time."""
        return fill.cl_ord_id != "" and (fill.cl_ord_id, fill.exec_id) in self._seen

    def take(self, fill: OrderFilled) -> None:
        """Book a fill that is not yet known."""
        assert not self.knows(fill)
        self._seen.add((fill.cl_ord_id, fill.exec_id))
        was_flat = self.open == 0
        amount = fill.fill_px * fill.fill_qty
        if fill.side is Side.BUY:
            self.bought += fill.fill_qty
            self.buy_amount += amount
        else:
            self.sold += fill.fill_qty
            self.sell_amount += amount
        if fill.cl_ord_id:
            self._book_costs(fill, amount)
        if self.first_at is None:
            self.first_at = fill.at
        if self.open == 0:
            self.opened_at, self.flat_at = None, fill.at
        elif was_flat or self.opened_at is None:
            self.opened_at = fill.at
        if self.bought == 0 and self.sold == 0:
            self.first_at = self.flat_at = None  # all of it was an earlier child's

    def carry(self, handed: OrderFilled, carried: PairSums) -> None:
        """`handed`, taken before at its average price, cost all of `carried`."""
        amount = handed.fill_px * handed.fill_qty
        if handed.side is Side.BUY:
            self.buy_amount += carried.buy_amount - amount
        else:
            self.sell_amount += carried.sell_amount - amount
        self.commission += carried.commission_won
        self.tax += carried.tax_won

    def _book_costs(self, fill: OrderFilled, amount: int) -> None:
        commission, tax = self._book.book(fill.cl_ord_id, fill.venue, self._market, fill.side, amount)
        costs = self._costs.setdefault(fill.cl_ord_id, _OrderCosts())
        qty, covers = fill.fill_qty, fill.costs_of_qty or fill.cum_qty
        self.commission += costs.commission.book(qty, fill.commission_cum_won, covers, commission)
        self.tax += costs.tax.book(qty, fill.tax_cum_won, covers, tax)

    def figures(self, path: str, expected_net_mwon: int, at: Nanos) -> tuple[tuple[str, object], ...]:
        """PAIRED_DONE.extra, FLATTENED.extra and UNHEDGED.extra (CONTRACTS). `at` ends what is still open."""
        end = self.flat_at if self.open == 0 and self.flat_at is not None else at
        unhedged = 0 if self.first_at is None else max(0, end - self.first_at)
        return (
            ("bought", self.bought),
            ("sold", self.sold),
            ("buy_px_avg", _decimal(1_000 * self.buy_amount // self.bought, 1_000) if self.bought else 0),
            ("sell_px_avg", _decimal(1_000 * self.sell_amount // self.sold, 1_000) if self.sold else 0),
            ("gross_krw", self.sell_amount - self.buy_amount),
            ("fees_krw", self.commission),
            ("tax_krw", self.tax),
            ("net_krw", self.net),
            ("net_bps", _decimal(1_000_000 * self.net // self.buy_amount, 100) if self.buy_amount else 0),
            ("unhedged_ms", unhedged // MS),
            ("path", path),
            ("expected_net_mwon", expected_net_mwon),
        )


def _decimal(units: int, per_one: int) -> object:
    """An exact count of `1 / per_one` as a JSON number: whole if it is whole. For records only."""
    return units // per_one if units % per_one == 0 else units / per_one


def touch(top: TopOfBook, venue: Venue, side: Side) -> Won:
    """The price that a taker on `side` meets at `venue`; 0 if that venue is closed or that side cannot be traded on."""
    index = VENUE_INDEX[venue]
    if not top.is_open[index]:
        return Won(0)
    return top.ask[index] if side is Side.BUY else top.bid[index]


Top = tuple[Won, Shares, Won, Shares, bool]
"""Of one venue: bid, its size, ask, its size, whether the venue is open."""


def top_of(book: TopOfBook, venue: Venue) -> Top:
    index = VENUE_INDEX[venue]
    return book.bid[index], book.bid_size[index], book.ask[index], book.ask_size[index], book.is_open[index]


def price_through(side: Side, at: Won, ticks: int, limits: tuple[Won, Won]) -> Won:
    """A taker's limit price `ticks` worse than `at`, on a valid tick, inside the day's (lower, upper); 0 = no limit."""
    lower, upper = limits
    if side is Side.BUY:
        price = step_ticks(round_up_to_tick(at), ticks)
        return Won(min(price, round_down_to_tick(upper)) if upper else price)
    price = step_ticks(round_down_to_tick(at), -ticks)
    return Won(max(price, round_up_to_tick(lower)) if lower else price)


def mid_passed(top: TopOfBook, venue: Venue, side: Side, lock: Won) -> bool:
    """The mid of `venue` is worse than `lock` for an order on `side`. Unknown while a side of the book is empty."""
    index = VENUE_INDEX[venue]
    bid, ask = top.bid[index], top.ask[index]
    if not bid or not ask:
        return False
    return bid + ask > 2 * lock if side is Side.BUY else bid + ask < 2 * lock
