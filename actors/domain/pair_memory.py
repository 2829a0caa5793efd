"""What the journal tells of the pairs: enough to give a pair back to a new manager, and a new Router its books.

A pure fold over rows, fed with each row when it is recorded or posted; the same fold over the file rebuilds it after a
restart. A pair's fills wait, oldest first, until the terminal row of one of its children (the pair itself is child 0,
its n-th rescue child n) says how many of them that child has booked. So a fill is always either booked or open.

It is also the guard of "each child ends once": a successor may end what its predecessor had ended already.
Grows by one record per pair of the day: at most one entry is sent a second (SPEC 6).
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from actors.domain.pair_sums import carried_of, joined_sums, net_of
from actors.domain.plan_record import plan_from_json
from actors.messages.journal import EventType, Row
from actors.messages.orders import OrderKind
from actors.messages.pairs import PairEnded, PairPlan, PairState, PairSums
from actors.messages.session import Command
from kiwoom.market import Nanos, Shares, Side, Symbol, Won

ENDS_REMEMBERED: Final = 1_024
"""Of all pairs together, for a new Router (AdmissionRestored.ended)."""

_WITHOUT_FILLS: Final = frozenset({PairState.ENTRY_REJECTED.value, PairState.ENTRY_MISSED.value})
"""Ends that have a PAIR_STATE row only."""

_END_ROWS: Final = frozenset({EventType.PAIRED_DONE, EventType.UNHEDGED, EventType.FLATTENED})

_TERMINAL: Final = _WITHOUT_FILLS | {row.value for row in _END_ROWS}

_NONE_YET: Final = -1

_EXPOSED: Final = "EXPOSED"
"""SYMBOL_FROZEN.reason of the kill-switch, which also flattens the pair."""


@dataclass(slots=True)
class _Fill:
    """So much of a fill as no child has booked."""

    side: Side
    qty: int
    amount: int


@dataclass(slots=True)
class _Pair:
    pair_id: str
    symbol: Symbol
    plan: PairPlan | None = None
    """None: no entry of it was ever given to the Gateway."""
    generation: int = 0
    child: int = 0
    """The one that runs now, or ran last."""
    over: int = _NONE_YET
    """The last child that has ended."""
    said_over: int = _NONE_YET
    """The last child with a terminal PAIR_STATE row."""
    ended_at: Nanos = Nanos(0)
    live_orders: dict[str, None] = field(default_factory=dict)
    """cl_ord_ids sent whose end is not known."""
    unbooked: list[_Fill] = field(default_factory=list)
    sums: PairSums = field(default_factory=PairSums)
    """Of the children that have ended."""
    unhedged: PairSums = field(default_factory=PairSums)
    """Of those, what ended UNHEDGED and stands."""
    carrier: int = _NONE_YET
    """The last child that what was left was handed to."""
    left: int = 0
    flatten: bool = False

    @property
    def unbooked_qty(self) -> int:
        """Bought less sold."""
        return sum(fill.qty if fill.side is Side.BUY else -fill.qty for fill in self.unbooked)

    @property
    def is_running(self) -> bool:
        return self.over < self.child

    @property
    def is_live(self) -> bool:
        return bool(self.live_orders) or self.unbooked_qty != 0 or self.is_running

    def fill(self, side: Side, qty: int, px: int) -> None:
        self.unbooked.append(_Fill(side, qty, qty * px))

    def begin(self, child: int) -> None:
        self.child = max(self.child, child)

    def hand_over(self, child: int, open_qty: int, won: int) -> None:
        """`child` closes so much of what was left (bought less sold): it is in its own sums, at `won` and with all the
        costs of what was left, and in those of the children before it no more."""
        if child == self.carrier:
            return  # its manager's successor says so too
        self.carrier = child
        is_long, qty = open_qty > 0, abs(open_qty)
        handed = PairSums(
            bought=Shares(qty if is_long else 0),
            sold=Shares(0 if is_long else qty),
            buy_amount=Won(won if is_long else 0),
            sell_amount=Won(0 if is_long else won),
            commission_won=self.unhedged.commission_won,
            tax_won=self.unhedged.tax_won,
        )
        self.sums = joined_sums(self.sums, handed, -1)
        self.left -= open_qty
        self.unhedged = joined_sums(self.unhedged, handed, -1) if self.left else PairSums()
        self.unbooked.insert(0, _Fill(Side.BUY if is_long else Side.SELL, qty, won))
        self.flatten = True

    def end(self, child: int, bought: int, sold: int, commission: int, tax: int, at: Nanos) -> PairSums:
        """`child` has booked so many of the oldest fills. Returns its sums."""
        self.begin(child)
        self.over, self.ended_at = child, at
        booked = PairSums(
            bought=Shares(bought),
            sold=Shares(sold),
            buy_amount=Won(self._book(Side.BUY, bought)),
            sell_amount=Won(self._book(Side.SELL, sold)),
            commission_won=Won(commission),
            tax_won=Won(tax),
        )
        self.sums = joined_sums(self.sums, booked)
        return booked

    def _book(self, side: Side, qty: int) -> int:
        """Take `qty` shares off the oldest fills of `side`; what was traded with them in won."""
        amount = 0
        for fill in self.unbooked:
            if fill.side is side and qty:
                taken = min(qty, fill.qty)
                worth = fill.amount * taken // fill.qty
                fill.qty -= taken
                fill.amount -= worth
                qty -= taken
                amount += worth
        self.unbooked = [fill for fill in self.unbooked if fill.qty]
        return amount


class PairMemory:
    def __init__(self) -> None:
        self._pairs: dict[str, _Pair] = {}
        self._ends: deque[tuple[str, int, Symbol]] = deque(maxlen=ENDS_REMEMBERED)
        self._muted: dict[Symbol, None] = {}
        self._frozen: dict[Symbol, None] = {}
        self._flatten = False
        """Flatten was pressed, and Arm not since."""

    # --- rows in ------------------------------------------------------------------------------------------------------

    def take(self, row: Row) -> None:
        assert not self.is_repeat(row)
        match row.event_type:
            case EventType.ORDER_SEND_ATTEMPT:
                self._sent(row)
            case EventType.TRADE_PARTIAL | EventType.TRADE_FILL:
                self._filled(row)
            case EventType.CANCELED | EventType.ORDER_REJECT | EventType.ORDER_REFUSED:
                self._planned(row)
                pair = self._pairs.get(row.pair_id or "")
                if pair is not None:
                    pair.live_orders.pop(row.cl_ord_id or "", None)
            case EventType.PAIR_STATE:
                self._moved(row)
            case EventType.PAIR_RESTORED:
                extra = dict(row.extra)
                pair = self._of(row)
                pair.generation = int(extra["generation"])
                pair.begin(int(extra["child"]))
            case EventType.PAIRED_DONE | EventType.UNHEDGED | EventType.FLATTENED:
                self._ended(row)
            case EventType.OPERATOR:
                self._operated(row)
            case EventType.SYMBOL_FROZEN if row.reason == _EXPOSED:
                self._frozen[Symbol(row.symbol or "")] = None
                self._ask_to_flatten(Symbol(row.symbol or ""))
            case _:
                pass  # tells nothing of a pair

    def is_repeat(self, row: Row) -> bool:
        """A manager that failed, or its successor, says of a child that is over what it did or how it ended."""
        pair = self._pairs.get(row.pair_id or "")
        if pair is None:
            return False
        if row.event_type is EventType.PAIR_STATE:
            return _child(row) <= pair.said_over
        return row.event_type in _END_ROWS and _child(row) <= pair.over

    def _of(self, row: Row) -> _Pair:
        assert row.pair_id is not None
        pair = self._pairs.get(row.pair_id)
        if pair is None:
            pair = self._pairs[row.pair_id] = _Pair(row.pair_id, Symbol(row.symbol or ""), flatten=self._flatten)
        return pair

    def _sent(self, row: Row) -> None:
        pair, extra = self._of(row), dict(row.extra)
        assert row.cl_ord_id is not None
        pair.live_orders[row.cl_ord_id] = None
        pair.flatten |= extra.get("kind") == OrderKind.FLATTEN.value
        self._planned(row)

    def _planned(self, row: Row) -> None:
        """The entry's first row, sent or refused, brings the plan: from then on the pair must come to an end."""
        plan = dict(row.extra).get("plan")
        if plan is not None and self._of(row).plan is None:
            self._of(row).plan = plan_from_json(plan)

    def _filled(self, row: Row) -> None:
        pair = self._of(row)
        assert row.side is not None
        assert row.fill_qty is not None
        assert row.fill_px is not None
        pair.fill(Side(row.side), row.fill_qty, row.fill_px)
        if row.event_type is EventType.TRADE_FILL:
            pair.live_orders.pop(row.cl_ord_id or "", None)

    def _moved(self, row: Row) -> None:
        pair, child = self._of(row), _child(row)
        extra = dict(row.extra)
        pair.begin(child)
        if "handed_qty" in extra:
            pair.hand_over(child, int(extra["handed_qty"]), int(extra["handed_won"]))
        if row.state in _TERMINAL:
            pair.said_over = child
        if row.state in _WITHOUT_FILLS:
            pair.end(child, 0, 0, 0, 0, row.ts_mono)
            self._ends.append((pair.pair_id, child, pair.symbol))

    def _ended(self, row: Row) -> None:
        pair, child, figures = self._of(row), _child(row), dict(row.extra)
        bought, sold = int(figures["bought"]), int(figures["sold"])
        booked = pair.end(child, bought, sold, int(figures["fees_krw"]), int(figures["tax_krw"]), row.ts_mono)
        if row.event_type is EventType.UNHEDGED:
            pair.left += bought - sold
            pair.unhedged = joined_sums(pair.unhedged, booked) if pair.left else PairSums()
        self._ends.append((pair.pair_id, child, pair.symbol))

    def _operated(self, row: Row) -> None:
        symbol = Symbol(row.symbol or "")
        match row.reason:
            case Command.MUTE.value:
                self._muted[symbol] = None
            case Command.UNMUTE.value:
                self._muted.pop(symbol, None)
                self._frozen.pop(symbol, None)
            case Command.ARM.value:
                self._flatten = False
            case Command.FLATTEN.value:
                self._flatten = True
                self._ask_to_flatten()

    def _ask_to_flatten(self, symbol: Symbol | None = None) -> None:
        for pair in self._pairs.values():
            if pair.is_running and symbol in (None, pair.symbol):
                pair.flatten = True

    # --- what it knows ------------------------------------------------------------------------------------------------

    def plan(self, pair_id: str) -> PairPlan | None:
        pair = self._pairs.get(pair_id)
        return None if pair is None else pair.plan

    def generation(self, pair_id: str) -> int:
        """How often the pair was restored."""
        pair = self._pairs.get(pair_id)
        return 0 if pair is None else pair.generation

    @property
    def generations(self) -> tuple[tuple[str, int], ...]:
        """(pair_id, generation) of every pair that was ever restored."""
        return tuple((pair_id, pair.generation) for pair_id, pair in self._pairs.items() if pair.generation)

    def is_live(self, pair_id: str) -> bool:
        """An entry of it was given, and it is not over: an order, a quantity, or a child without an end."""
        pair = self._pairs.get(pair_id)
        return pair is not None and pair.plan is not None and pair.is_live

    def is_running(self, pair_id: str) -> bool:
        """Its present child has not ended."""
        pair = self._pairs.get(pair_id)
        return pair is not None and pair.is_running

    def is_settled(self, pair_id: str) -> bool:
        """An entry of it was given; nothing of it can trade any more, and it is flat: nothing is left to rescue."""
        pair = self._pairs.get(pair_id)
        return (
            pair is not None
            and pair.plan is not None
            and not pair.live_orders
            and pair.unbooked_qty == 0
            and pair.left == 0
        )

    def live_pairs(self) -> tuple[str, ...]:
        """Oldest first."""
        return tuple(pair_id for pair_id in self._pairs if self.is_live(pair_id))

    def next_child(self, pair_id: str) -> int:
        """The child to go on with: the one that runs, or else one that is to begin."""
        pair = self._pairs[pair_id]
        return pair.child if pair.is_running else pair.child + 1

    def open_qty(self, pair_id: str) -> int:
        """Bought less sold that no ended child has booked."""
        return self._pairs[pair_id].unbooked_qty

    def sums(self, pair_id: str) -> PairSums:
        """What its ended children have booked."""
        return self._pairs[pair_id].sums

    def left(self, pair_id: str) -> int:
        """Bought less sold of its UNHEDGED ends that stand."""
        return self._pairs[pair_id].left

    def carried(self, pair_id: str) -> PairSums:
        """What goes with `left` when it is handed over."""
        return carried_of(self._pairs[pair_id].unhedged)

    def flatten(self, pair_id: str) -> bool:
        return self._pairs[pair_id].flatten

    @property
    def muted(self) -> tuple[Symbol, ...]:
        return tuple(self._muted)

    @property
    def frozen(self) -> tuple[Symbol, ...]:
        """By the kill-switch on exposure, which only a person lifts. Other freezes go by time, or by `imbalances`."""
        return tuple(self._frozen)

    @property
    def ends(self) -> tuple[tuple[str, int, Symbol], ...]:
        return tuple(self._ends)

    @property
    def traded_won(self) -> Won:
        return Won(sum(pair.sums.buy_amount + pair.sums.sell_amount for pair in self._pairs.values()))

    @property
    def net_won(self) -> Won:
        return Won(sum(net_of(pair.sums) for pair in self._pairs.values()))

    def imbalances(self) -> Iterator[PairEnded]:
        """Pairs that ended UNHEDGED and are open still, with the sums of their ends that stand."""
        for pair in self._pairs.values():
            if pair.left:
                yield PairEnded(
                    pair_id=pair.pair_id,
                    slot=pair.plan.slot if pair.plan is not None else 0,
                    symbol=pair.symbol,
                    state=PairState.UNHEDGED,
                    bought=pair.unhedged.bought,
                    sold=pair.unhedged.sold,
                    buy_amount=pair.unhedged.buy_amount,
                    sell_amount=pair.unhedged.sell_amount,
                    commission_won=pair.unhedged.commission_won,
                    tax_won=pair.unhedged.tax_won,
                    net_won=Won(net_of(pair.unhedged)),
                    escalated=True,
                    rejects=0,
                    timeouts=0,
                    at=pair.ended_at,
                    child=pair.over,
                )


def _child(row: Row) -> int:
    """Rows of a pair that has no rescue need not say so."""
    return int(dict(row.extra).get("child", 0))
