"""Other people's orders: seeded background flow that keeps every book alive and now and then tears the venues apart.

Each symbol has a fair price, walked in ticks and pulled towards the day's base price. KRX is made around it at once,
NXT a little later. Around that anchor single actions arrive at random times: an order joins a level, leaves it, or
takes from the touch; levels grow back to their usual size, so that books neither drain nor pile up.

A *dislocation* moves one venue's anchor away until its bid stands over the other venue's ask by a drawn gap: by
aggressive orders or by cancels, in one burst, at one instant. The other venue, *stale*, keeps its quotes. After a drawn
life it ends in one of four ways; what becomes of a hedge at the stale quote's price depends on which:

- revert: the jump is taken back. The stale quote is still there.
- follow: the stale venue moves too, for good. Its quote has run away.
- drift: both meet one tick beyond where the stale venue was. A hedge rests at or next to the touch and may be hit.
- whipsaw: the stale venue follows, and a little later both come back, through whatever rests at the old price.

What this flow does not know: news, baskets, the time of day, memory between orders, and who traded before. Times
between actions are exponential by a table of 64 quantiles. All integers; every draw comes from a Random made of the
seed and the name of its purpose, and those for dislocations and moves of the fair price are drawn whether used or not:
our own orders cannot shift when and where the next one comes.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from kiwoom.simulated.exchange import Exchange, OrderBook
from kiwoom.simulated.rules import AUCTION, CLOSED, CONTINUOUS, MILLISECOND, SECOND, price_grid, tick
from kiwoom.simulated.scenario import FlowKnobs, Range

Schedule = Callable[[int, Callable[[int, int], None], int], None]
"""schedule(at, action, argument): call action(at, argument) when the market's clock is there."""

_MINUTE: Final = 60 * SECOND

_EXPONENTIAL: Final = (
    *(8, 24, 40, 56, 73, 90, 107, 125, 143, 161, 179, 198, 217, 237, 257, 277),
    *(298, 319, 341, 363, 386, 409, 433, 458, 483, 508, 535, 562, 589, 618, 647, 678),
    *(709, 741, 774, 809, 845, 882, 920, 960, 1002, 1045, 1091, 1138, 1188, 1241, 1297, 1356),
    *(1418, 1485, 1556, 1633, 1717, 1808, 1908, 2019, 2144, 2287, 2454, 2655, 2906, 3243, 3753, 4852),
)
"""The 64 mid-quantiles of the exponential distribution, in thousandths of its mean."""

_DEPTHS: Final = (*(0,) * 8, *(1,) * 6, *(2,) * 4, *(3,) * 3, *(4,) * 3, 5, 5, 6, 6, 7, 7, 8, 9)
"""How many levels behind the touch an action lands; 32 equally likely draws."""

_SIZES: Final = (
    1,
    1,
    1,
    1,
    2,
    2,
    2,
    3,
    3,
    3,
    4,
    4,
    4,
    5,
    5,
    6,
    6,
    7,
    7,
    8,
    8,
    9,
    10,
    11,
    12,
    13,
    15,
    17,
    20,
    25,
    32,
    48,
)
"""Size of one order in eighths of the typical one; 32 equally likely draws, few of them big."""

_LEVEL_ORDERS: Final = 4
"""The touch settles at so many typical orders, each level behind it at one more."""

_EDGE_BPS_MIN: Final = 30
"""No dislocation is smaller than this plus one tick: costs of both sides and the tax, and a little over."""

_BIG_TOUCH: Final = 30
"""A big touch has so many typical orders."""

_SMALL_TOUCH: Final = 5
_AFTERSHOCK_SPAN: Final = 1_500 * MILLISECOND
_AFTERSHOCK_TRADES_PERMILLE: Final = 400
_SYMBOL_REST: Final = 2 * SECOND
"""A symbol that was dislocated is left alone for so long."""

_WHEEL_BITS: Final = 12


class BackgroundFlow:
    """Everybody else. Acts on the two exchanges, each time it is woken by what it scheduled itself."""

    def __init__(
        self, knobs: FlowKnobs, instruments: Sequence["Instrument"], seed: int, schedule: Schedule, start: int
    ) -> None:
        assert instruments
        self._knobs = knobs
        self._instruments = instruments
        self._pairs = [instrument for instrument in instruments if instrument.nxt is not None]
        self._schedule = schedule
        self._action_draws = Random(f"{seed}:actions")
        self._walk_draws = Random(f"{seed}:walk")
        self._jump_draws = Random(f"{seed}:dislocations")
        self._action_gap = SECOND // knobs.quotes_per_second
        self._wheel = _activity_wheel(instruments, Random(f"{seed}:activity"))
        for instrument in instruments:
            for quoted in instrument.venues():
                self.settle(quoted, start)
        schedule(start + self._action_gap, self._act, 0)
        if knobs.fair_moves_per_minute:
            schedule(start + _MINUTE // knobs.fair_moves_per_minute, self._walk, 0)
        if knobs.dislocations_per_minute and self._pairs:
            schedule(start + _MINUTE // knobs.dislocations_per_minute, self._dislocate, 0)

    # --- single actions ---------------------------------------------------------------------------------------------

    def _act(self, wall: int, _: int) -> None:
        """The clock of ordinary actions: one of them, on a symbol by its activity."""
        draws = self._action_draws
        bits = draws.getrandbits(_WHEEL_BITS + 16)
        self._schedule(wall + self._action_gap * _EXPONENTIAL[bits & 63] // 1_000 + 1, self._act, 0)
        instrument = self._wheel[bits >> 16]
        quoted = instrument.krx
        if instrument.nxt is not None and (bits >> 6 & 1_023) * 1_000 < self._knobs.nxt_share_permille * 1_024:
            quoted = instrument.nxt
        self._order(quoted, self._knobs.trade_permille, wall)

    def _order(self, quoted: "Quoted", trade_permille: int, wall: int) -> None:
        """One order on one book: marketable, added or withdrawn."""
        book = quoted.book
        if book.mode not in (CONTINUOUS, AUCTION):
            return
        bits = self._action_draws.getrandbits(32)
        buying = bool(bits & 1)
        size = quoted.unit * _SIZES[bits >> 1 & 31] // 8 or 1
        if (bits >> 6 & 1_023) * 1_000 < trade_permille * 1_024:
            touch = book.touch(not buying)
            if touch:
                quoted.exchange.take(book, buying, touch, size, wall)
        elif quoted.empties_permille and (bits >> 16 & 1_023) * 1_000 < quoted.empties_permille * 1_024:
            quoted.empty_side(buying)
        else:
            depth = _DEPTHS[bits >> 26 & 31]
            self._add_or_withdraw(quoted, buying, depth, size, bits >> 16 & 1_023, wall)
        quoted.exchange.publish(book, wall)

    def _add_or_withdraw(self, quoted: "Quoted", buying: bool, depth: int, size: int, chance: int, wall: int) -> None:
        """Push a level towards its usual size. `chance` is 0..1023. In an auction prices reach through the anchor."""
        if quoted.absent is buying:
            return
        if depth >= quoted.levels:
            depth %= quoted.levels
        book = quoted.book
        price = quoted.price(buying, depth if book.mode == CONTINUOUS else depth - 2)
        total = book.ladder(buying).size_at(price)
        usual = quoted.unit * (_LEVEL_ORDERS + depth)
        if total * 1_024 <= chance * 2 * usual:
            quoted.exchange.post(book, buying, price, size, wall)
        else:
            book.withdraw(buying, price, size)

    # --- the fair price ---------------------------------------------------------------------------------------------

    def _walk(self, wall: int, _: int) -> None:
        """The clock of fair prices: one symbol moves by a tick, KRX now, NXT after its lag."""
        draws = self._walk_draws
        gap = _MINUTE // self._knobs.fair_moves_per_minute
        self._schedule(wall + gap * _EXPONENTIAL[draws.getrandbits(6)] // 1_000 + 1, self._walk, 0)
        instrument = self._wheel[draws.getrandbits(_WHEEL_BITS)]
        up = instrument.drawn_up(draws)
        lag = _drawn(draws, self._knobs.nxt_lag_ms) * MILLISECOND
        if instrument.dislocation is not None or instrument.krx.absent is not None:
            return
        instrument.krx.move_to(instrument.krx.anchor + (1 if up else -1))
        self.settle(instrument.krx, wall)
        if instrument.nxt is not None:
            self._schedule(wall + lag, self._follow, instrument.index)

    def _follow(self, wall: int, index: int) -> None:
        """NXT has noticed where KRX is."""
        instrument = self._instruments[index]
        if instrument.dislocation is None and instrument.nxt is not None and instrument.nxt.absent is None:
            instrument.nxt.spread = _drawn(self._action_draws, self._knobs.nxt_spread_ticks)
            instrument.nxt.move_to(instrument.krx.anchor)
            self.settle(instrument.nxt, wall)

    def settle(self, quoted: "Quoted", wall: int) -> None:
        """Bring a book to its anchor at once: what stands on the wrong side of it is taken or withdrawn, what is
        missing is posted. Also fills an empty book. In halts and auctions nothing moves; call again when they end."""
        book = quoted.book
        if book.mode not in (CONTINUOUS, CLOSED) or quoted.absent is not None:
            return
        draws = self._action_draws
        for buying in (True, False):
            inside = quoted.price(buying, -1)
            resting = book.ladder(buying)
            excess = book.available(not buying, inside)
            if excess and draws.getrandbits(1):
                quoted.exchange.take(book, not buying, inside, excess, wall)
            while resting.keys and resting.keys[-1] >= inside * resting.sign:
                if not book.withdraw(buying, resting.best(), excess):
                    break  # ours alone stands there: whoever is posted against it next will meet it
        for buying in (True, False):
            self._fill_side(quoted, buying, wall)
        quoted.exchange.publish(book, wall)

    def _fill_side(self, quoted: "Quoted", buying: bool, wall: int) -> None:
        """Post what is missing of the usual levels, and forget those far behind them."""
        draws = self._action_draws
        book = quoted.book
        ladder = book.ladder(buying)
        for depth in range(quoted.levels):
            price = quoted.price(buying, depth)
            if ladder.size_at(price):
                continue
            bits = draws.getrandbits(26)
            if depth and (bits & 1_023) * 1_000 < quoted.gap_permille * 1_024:
                continue
            for shift in (10, 15, 20):
                size = quoted.unit * (_LEVEL_ORDERS + depth) * _SIZES[bits >> shift & 31] // 24 or 1
                quoted.exchange.post(book, buying, price, size, wall)
        farthest = quoted.price(buying, quoted.levels + 2) * ladder.sign
        for key in ladder.keys[: bisect_left(ladder.keys, farthest)]:
            book.withdraw(buying, key * ladder.sign, ladder.levels[key].total)

    # --- the day's limits -------------------------------------------------------------------------------------------

    def rush(self, instrument: "Instrument", up: bool, wall: int) -> bool:
        """Everybody wants one side: what the other side has is taken, to the day's limit, and it stays empty until
        `calm_down`. False, and nothing happens, if a book does not trade or is rushed already."""
        venues = instrument.venues()
        if any(quoted.book.mode != CONTINUOUS or quoted.absent is not None for quoted in venues):
            return False
        for quoted in venues:
            book = quoted.book
            limit = book.upper if up else book.lower
            quoted.exchange.take(book, up, limit, book.available(up, limit), wall)
            quoted.go_to_limit(up)
            quoted.exchange.post(book, up, limit, quoted.unit * _BIG_TOUCH, wall)
            self._fill_side(quoted, up, wall)
            quoted.exchange.publish(book, wall)
        return True

    def calm_down(self, instrument: "Instrument", wall: int) -> None:
        """The rush is over: both sides are back where they were, or where they went in between."""
        for quoted in instrument.venues():
            quoted.leave_limit()
            self.settle(quoted, wall)

    # --- dislocations -----------------------------------------------------------------------------------------------

    def _dislocate(self, wall: int, _: int) -> None:
        """The clock of dislocations: one begins, if the symbol drawn is in a state for it."""
        draws, knobs = self._jump_draws, self._knobs
        gap = _MINUTE // knobs.dislocations_per_minute
        self._schedule(wall + gap * _EXPONENTIAL[draws.getrandbits(6)] // 1_000 + 1, self._dislocate, 0)
        instrument = self._pairs[draws.randrange(len(self._pairs))]
        jumps_on_nxt = draws.randrange(1_000) < knobs.nxt_jumps_permille
        up = instrument.drawn_up(draws)
        gap_bps = min(_drawn(draws, knobs.gap_bps), _drawn(draws, knobs.gap_bps))
        life = self._drawn_life() * MILLISECOND
        ending = _chosen(
            draws.randrange(1_000),
            (("follow", knobs.follow_permille), ("drift", knobs.drift_permille), ("whipsaw", knobs.whipsaw_permille)),
            "revert",
        )
        touch = _chosen(
            draws.randrange(1_000), (("small", knobs.small_touch_permille), ("big", knobs.big_touch_permille)), "usual"
        )
        back = _drawn(draws, knobs.whipsaw_ms) * MILLISECOND
        whose, shares = draws.randrange(3), draws.randint(1, _SMALL_TOUCH)
        is_raced = draws.randrange(1_000) < knobs.rival_permille
        rival_at = wall + _drawn(draws, knobs.rival_ms) * MILLISECOND
        if instrument.nxt is None or not instrument.can_dislocate(wall):
            return
        moved, stale = (instrument.nxt, instrument.krx) if jumps_on_nxt else (instrument.krx, instrument.nxt)
        anchor = _jump_anchor(moved, stale, up, gap_bps)
        if anchor is None:
            return
        instrument.dislocation = Dislocation(moved, stale, instrument.krx.anchor, up, ending, back, whose, shares)
        moved.spread = 1
        moved.move_to(anchor)
        self.settle(moved, wall)
        self._shape_touches(instrument.dislocation, touch, wall)
        self._schedule_aftershocks(instrument, wall)
        if is_raced and rival_at < wall + life:
            self._schedule(rival_at, self._rival_takes, instrument.index)
        self._schedule(wall + life, self._end_dislocation, instrument.index)

    def _drawn_life(self) -> int:
        draws, knobs = self._jump_draws, self._knobs
        kind = _chosen(
            draws.randrange(1_000), (("brief", knobs.brief_permille), ("long", knobs.long_permille)), "middle"
        )
        match kind:
            case "brief":
                return _drawn(draws, knobs.brief_ms)
            case "long":
                return _drawn(draws, knobs.long_ms)
            case _:
                return _drawn(draws, knobs.middle_ms)

    def _shape_touches(self, dislocation: "Dislocation", touch: str, wall: int) -> None:
        """Give the two touched prices their drawn sizes."""
        for quoted, buying, concerned in dislocation.touched():
            price = quoted.book.touch(buying)
            size = quoted.book.ladder(buying).size_at(price)
            if touch == "small" and concerned and size > dislocation.shares:
                quoted.book.withdraw(buying, price, size - dislocation.shares)
            elif touch == "big":
                quoted.exchange.post(quoted.book, buying, price, quoted.unit * _BIG_TOUCH, wall)
            quoted.exchange.publish(quoted.book, wall)

    def _rival_takes(self, wall: int, index: int) -> None:
        """Somebody faster: little is left at the touched prices when an order that saw them whole arrives."""
        dislocation = self._instruments[index].dislocation
        assert dislocation is not None
        for quoted, buying, concerned in dislocation.touched():
            book = quoted.book
            if not concerned or book.mode != CONTINUOUS or not book.ladder(buying).keys:
                continue
            price = book.touch(buying)
            surplus = book.ladder(buying).size_at(price) - dislocation.shares
            if surplus > 0:
                quoted.exchange.take(book, not buying, price, surplus, wall)
                quoted.exchange.publish(book, wall)

    def _end_dislocation(self, wall: int, index: int) -> None:
        instrument = self._instruments[index]
        dislocation = instrument.dislocation
        assert dislocation is not None
        self._schedule_aftershocks(instrument, wall)
        match dislocation.ending:
            case "revert":
                self._meet(instrument, dislocation.home, wall)
            case "follow":
                self._meet(instrument, dislocation.moved.usual_anchor, wall)
            case "drift":
                self._meet(instrument, dislocation.home + (1 if dislocation.up else -1), wall)
            case "whipsaw":
                dislocation.ending = "revert"
                dislocation.stale.move_to(dislocation.moved.usual_anchor)
                self.settle(dislocation.stale, wall)
                self._schedule(wall + dislocation.back, self._end_dislocation, index)
            case _:
                raise AssertionError(dislocation.ending)

    def _meet(self, instrument: "Instrument", anchor: int, wall: int) -> None:
        """Both venues at one anchor again."""
        for quoted in instrument.venues():
            quoted.move_to(anchor)
            self.settle(quoted, wall)
        instrument.dislocation = None
        instrument.rest_until = wall + _SYMBOL_REST

    def _schedule_aftershocks(self, instrument: "Instrument", wall: int) -> None:
        """A moved price draws people: extra orders on both books for a moment."""
        for _ in range(self._knobs.aftershocks):
            delay = self._action_draws.randrange(_AFTERSHOCK_SPAN)
            self._schedule(wall + delay, self._aftershock, instrument.index)

    def _aftershock(self, wall: int, index: int) -> None:
        venues = self._instruments[index].venues()
        quoted = venues[self._action_draws.getrandbits(8) % len(venues)]
        self._order(quoted, _AFTERSHOCK_TRADES_PERMILLE, wall)


class Quoted:
    """One book as the flow sees it. `anchor` is the index, in the day's prices, of the bid it is made around.

    `absent` is the side (True: buyers) on which nobody is while the other one rushes to the day's limit; `anchor` then
    stands at the limit, and `usual_anchor` is where it goes back to.
    """

    __slots__ = (
        "_usual_anchor",
        "absent",
        "anchor",
        "book",
        "empties_permille",
        "exchange",
        "gap_permille",
        "levels",
        "prices",
        "spread",
        "unit",
    )

    def __init__(self, exchange: Exchange, book: OrderBook, prices: list[int], anchor: int, unit: int) -> None:
        self.exchange = exchange
        self.book = book
        self.prices = prices
        self.anchor = anchor
        self.unit = unit
        self.spread = 1
        self.absent: bool | None = None
        self._usual_anchor = anchor
        self.levels = 10
        self.gap_permille = 0
        self.empties_permille = 0

    def price(self, buying: bool, depth: int) -> int:
        """The price `depth` levels behind the anchored touch (negative = before it), within the day's limits."""
        index = self.anchor - depth if buying else self.anchor + self.spread + depth
        prices = self.prices
        return prices[0 if index < 0 else index if index < len(prices) else -1]

    def move_to(self, anchor: int) -> None:
        """Move the anchor, but never so near to a limit that a side would not have its levels."""
        margin = min(16, len(self.prices) // 4)
        anchor = min(max(anchor, margin), len(self.prices) - 1 - margin)
        if self.absent is None:
            self.anchor = anchor
        else:
            self._usual_anchor = anchor

    def go_to_limit(self, up: bool) -> None:
        self._usual_anchor = self.anchor
        self.absent = not up
        self.anchor = len(self.prices) - 1 if up else -self.spread

    def leave_limit(self) -> None:
        self.absent = None
        self.anchor = self._usual_anchor

    @property
    def usual_anchor(self) -> int:
        return self.anchor if self.absent is None else self._usual_anchor

    def empty_side(self, buying: bool) -> None:
        """Everybody else leaves one side."""
        ladder = self.book.ladder(buying)
        for key in list(ladder.keys):
            self.book.withdraw(buying, key * ladder.sign, ladder.levels[key].total)


class Dislocation:
    """One under way: who jumped, who is stale, where both were, how it will end; a whipsaw comes back after `back`.

    `whose` touched price is small or raced: 0 the jumping venue's, 1 the stale one's, 2 both; `shares` are left there.
    """

    __slots__ = ("back", "ending", "home", "moved", "shares", "stale", "up", "whose")

    def __init__(
        self, moved: Quoted, stale: Quoted, home: int, up: bool, ending: str, back: int, whose: int, shares: int
    ) -> None:
        self.moved = moved
        self.stale = stale
        self.home = home
        self.up = up
        self.ending = ending
        self.back = back
        self.whose = whose
        self.shares = shares

    def touched(self) -> tuple[tuple[Quoted, bool, bool], ...]:
        """The two books that an edge touches: (book, whether its bids are touched, whether `whose` means it)."""
        return ((self.moved, self.up, self.whose != 1), (self.stale, not self.up, self.whose != 0))


class Instrument:
    """One symbol on its one or two venues. Both books share the day's prices, so anchors compare."""

    __slots__ = ("base_index", "dislocation", "index", "krx", "nxt", "rest_until")

    def __init__(self, index: int, base_index: int, krx: Quoted, nxt: Quoted | None) -> None:
        self.index = index
        self.base_index = base_index
        self.krx = krx
        self.nxt = nxt
        self.dislocation: Dislocation | None = None
        self.rest_until = 0

    def venues(self) -> tuple[Quoted, ...]:
        return (self.krx,) if self.nxt is None else (self.krx, self.nxt)

    def drawn_up(self, draws: Random) -> bool:
        """Which way next: even at the base price, the likelier back to it the farther away."""
        span = len(self.krx.prices)
        return draws.getrandbits(10) < 512 - (self.krx.anchor - self.base_index) * 1_024 // span

    def can_dislocate(self, wall: int) -> bool:
        return (
            self.nxt is not None
            and self.dislocation is None
            and wall >= self.rest_until
            and self.krx.book.mode == CONTINUOUS
            and self.nxt.book.mode == CONTINUOUS
            and self.krx.absent is None
        )


def make_instrument(
    index: int, krx: Exchange, nxt: Exchange | None, symbol: str, base_price: int, knobs: FlowKnobs, seed: int
) -> Instrument:
    """List a symbol on its venues, its fair price within a percent of the base price. Books are still empty."""
    prices = price_grid(base_price)
    draws = Random(f"{seed}:{symbol}")
    base_index = bisect_right(prices, base_price) - 1
    anchor = base_index + draws.randint(-4, 4)
    unit = max(1, knobs.order_value_krw * draws.randint(50, 200) // 100 // base_price)
    on_krx = Quoted(krx, krx.list_symbol(symbol, base_price, prices[base_index]), prices, anchor, unit)
    on_nxt = None
    if nxt is not None:
        book = nxt.list_symbol(symbol, base_price, prices[base_index])
        on_nxt = Quoted(nxt, book, prices, anchor, max(1, unit * knobs.nxt_size_permille // 1_000))
        on_nxt.levels = knobs.nxt_levels
        on_nxt.gap_permille = knobs.nxt_gap_permille
        on_nxt.empties_permille = knobs.nxt_empty_permille
        on_nxt.spread = _drawn(draws, knobs.nxt_spread_ticks)
    return Instrument(index, base_index, on_krx, on_nxt)


def _activity_wheel(instruments: Sequence[Instrument], draws: Random) -> list[Instrument]:
    """4096 slots to draw a symbol from: a few symbols are busy, most are not, none is forgotten."""
    ranked = list(instruments)
    draws.shuffle(ranked)
    weights = [1_000_000 // (rank + 20) for rank in range(len(ranked))]
    slots = 1 << _WHEEL_BITS
    spare = slots - len(ranked)
    assert spare >= 0, "more symbols than the wheel has slots"
    wheel: list[Instrument] = []
    for instrument, weight in zip(ranked, weights, strict=True):
        wheel.extend([instrument] * (1 + spare * weight // sum(weights)))
    wheel.extend(ranked[index % len(ranked)] for index in range(slots - len(wheel)))
    return wheel


def _jump_anchor(moved: Quoted, stale: Quoted, up: bool, gap_bps: int) -> int | None:
    """Where the jumping venue's anchor must go for the gap; None if the day's limits or an empty side forbid it."""
    reference = stale.book.touch(not up)
    if not reference:
        return None
    gap = max(-(-reference * gap_bps // 10_000), -(-reference * (_EDGE_BPS_MIN + 1) // 10_000) + tick(reference))
    prices = moved.prices
    anchor = bisect_left(prices, reference + gap) if up else bisect_right(prices, reference - gap) - 2
    return anchor if 16 <= anchor < len(prices) - 16 else None


def _drawn(draws: Random, between: Range) -> int:
    return draws.randint(*between)


def _chosen(permille: int, choices: tuple[tuple[str, int], ...], otherwise: str) -> str:
    """The choice whose share of the thousand `permille` falls into."""
    for name, share in choices:
        if permille < share:
            return name
        permille -= share
    return otherwise
