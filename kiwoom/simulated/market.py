"""The simulated market: two exchanges, other people's orders and the day's timetable behind one interface.

Pure and seeded: no clock, no I/O. Time is the `wall` that calls bring; the same seed, listings, scenario and calls give
the same events. Prices, sizes and times are integers.

Assumptions: a run that starts in mid-day finds full books around the base price, and the signals of earlier phases
sent. Days follow each other without a weekend, and the base price and the limits stay those of the first day.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from random import Random
from typing import Final

from kiwoom.simulated.events import (
    Book,
    Halted,
    MarketEvent,
    Resumed,
    SessionSignal,
    ViEnded,
    ViStarted,
)
from kiwoom.simulated.exchange import Exchange, OrderBook
from kiwoom.simulated.flow import BackgroundFlow, Instrument, Quoted, make_instrument
from kiwoom.simulated.rules import (
    CONTINUOUS,
    DAY,
    KRX,
    NXT,
    SECOND,
    TIMETABLE,
    VENUES,
    Appointment,
    ceil_tick,
    hhmmss,
    midnight,
    price_limits,
    time_of_day,
)
from kiwoom.simulated.scenario import Scenario

_VI_SECONDS: Final = 120
_VI_EXTRA_SECONDS_MAX: Final = 30
"""KRX ends a VI's auction at a random moment of so many seconds (KIWOOM.md 7.7)."""
_HOUR: Final = 3_600 * SECOND
_MAIN_MARKET_FROM: Final = next(line.at for line in TIMETABLE if line.code == "R")

Action = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Listing:
    """One share as the market lists it."""

    symbol: str
    name: str
    market: str
    """"KOSPI" or "KOSDAQ"."""
    base_price: int
    """기준가 in won; 0 = derived from the market's seed and the symbol."""
    nxt: bool
    """Also traded on NXT."""


class SimulatedMarket:
    """Both venues on one clock. Calls come with a `wall` that never goes back; each returns what happened, in order.

    A call first runs whatever was due before it, and returns that too: `advance` may be called as rarely as one likes.
    """

    def __init__(self, scenario: Scenario, listings: Sequence[Listing], seed: int, start_wall: int) -> None:
        assert listings
        self.scenario = scenario
        self._now = start_wall
        self._outbox: list[MarketEvent] = []
        self._agenda: list[tuple[int, int, Action, int]] = []
        """A heap of (when, number of the entry, what, with what): entries of one instant run in the order they came.
        Bounded: one entry per clock, and what a dislocation, a halt or a VI in progress still has to come."""
        self._entries = 0
        self._exchanges = {venue: Exchange(venue, self._outbox) for venue in VENUES}
        self._listings: dict[str, Listing] = {}
        self._instruments: dict[str, Instrument] = {}
        self._last_signals: dict[str, SessionSignal] = {}
        # When the halt, the VI (by book number) or the rush to the limit (by instrument) that stands now ends; an
        # agenda entry for any other time came too late. At most one of each per book.
        self._halted_until: dict[int, int] = {}
        self._vi_until: dict[int, int] = {}
        self._rush_until: dict[int, int] = {}
        self._nxt_closed_early = False
        self.disturbances = 0
        """How many halts, VIs, rushes to a limit and early closes have begun."""
        for index, listing in enumerate(listings):
            self._list(listing, index, seed)
        self._flow = BackgroundFlow(scenario.flow, list(self._instruments.values()), seed, self._schedule, start_wall)
        self._enter_day(start_wall)
        self._outbox.clear()
        self._vi_draws = Random(f"{seed}:vi")
        if scenario.flow.vis_per_hour:
            self._schedule(start_wall + _HOUR // scenario.flow.vis_per_hour, self._surprise, 0)

    def listing(self, symbol: str) -> Listing:
        """The listing with its base price filled in. KeyError for a symbol that is not listed."""
        return self._listings[symbol]

    def limits(self, symbol: str) -> tuple[int, int]:
        """(lower, upper) price limit of the day in won, the same on both venues."""
        return price_limits(self._listings[symbol].base_price)

    def book(self, venue: str, symbol: str) -> Book:
        """The ten visible levels now, our own resting orders among them. KeyError if that venue does not list it."""
        return self._exchanges[venue].books[symbol].snapshot()

    def phase(self, venue: str) -> str:
        """ "closed", "continuous" or "auction"."""
        return self._exchanges[venue].phase

    def last_signals(self) -> tuple[SessionSignal, ...]:
        """The latest signal of each venue that was sent already, today and also before the start: for a registration
        that comes late. In the order in which they were sent."""
        return tuple(sorted(self._last_signals.values(), key=lambda signal: signal.wall))

    @property
    def now(self) -> int:
        """Up to where it has run."""
        return self._now

    def next_at(self) -> int:
        """The time of the next scheduled event; there is always one."""
        return self._agenda[0][0]

    def advance(self, wall: int) -> list[MarketEvent]:
        """Run everything due up to and including `wall`."""
        assert wall >= self._now, "the market's clock never goes back"
        agenda = self._agenda
        while agenda[0][0] <= wall:
            at, _, action, argument = heappop(agenda)
            action(at, argument)
        self._now = wall
        return self._drain()

    def submit(
        self, venue: str, order_no: str, symbol: str, side: str, qty: int, price: int, hoga: str, wall: int
    ) -> list[MarketEvent]:
        """Our order arrives at the exchange. Answers `OwnRejected`, or `OwnAccepted` and its fills and end if at once.
        `order_no` must not be that of an order still resting on that venue."""
        events = self.advance(wall)
        self._exchanges[venue].submit(order_no, symbol, side, qty, price, hoga, wall)
        return events + self._drain()

    def cancel(self, venue: str, order_no: str, qty: int, wall: int) -> list[MarketEvent]:
        """A cancel arrives; `qty` 0 = all that remains, as is any number not below it. Answers `OwnEnded`,
        `OwnReduced` or `CancelImpossible`."""
        events = self.advance(wall)
        self._exchanges[venue].cancel(order_no, qty, wall)
        return events + self._drain()

    # --- disturbances -----------------------------------------------------------------------------------------------

    def halt(self, venue: str, symbol: str, wall: int, seconds: int) -> list[MarketEvent]:
        """Stop trading of `symbol` for a while. A halt on KRX stops NXT at once too (KIWOOM.md 7.7), one on NXT only
        NXT. Where it is halted already, nothing happens."""
        events = self.advance(wall)
        for place in VENUES if venue == KRX else (NXT,):
            self._halt(place, symbol, wall, seconds)
        return events + self._drain()

    def suspend_nxt(self, wall: int, seconds: int) -> list[MarketEvent]:
        """Stop trading of every symbol on NXT for a while."""
        events = self.advance(wall)
        for symbol in self._listings:
            self._halt(NXT, symbol, wall, seconds)
        return events + self._drain()

    def close_nxt_early(self, wall: int) -> list[MarketEvent]:
        """NXT's main market ends now, with its signal S, and takes neither orders nor cancels until the evening.
        Outside the main market nothing happens."""
        events = self.advance(wall)
        exchange = self._exchanges[NXT]
        last = next(line for line in TIMETABLE if line.code == "S")
        if exchange.phase == CONTINUOUS and _MAIN_MARKET_FROM <= time_of_day(wall) < last.at:
            self._nxt_closed_early = True
            self.disturbances += 1
            self._signal(wall, last)
            exchange.set_phase(last.phase, wall, last.last)
        return events + self._drain()

    def start_vi(self, venue: str, symbol: str, wall: int, seconds: int = _VI_SECONDS) -> list[MarketEvent]:
        """Volatility interruption on that venue alone: a call auction on KRX, a halt on NXT. Not while one is on, and
        only in continuous trading: otherwise nothing happens."""
        events = self.advance(wall)
        self._begin_vi(venue, symbol, wall, seconds)
        return events + self._drain()

    def rush_to_limit(self, symbol: str, up: bool, wall: int, seconds: int) -> list[MarketEvent]:
        """Drive the symbol to the upper or lower limit of the day, on both venues, where the other side stays empty for
        a while. Only in continuous trading on both, and not while it stands at a limit: otherwise nothing happens."""
        events = self.advance(wall)
        instrument = self._instruments[symbol]
        if self._flow.rush(instrument, up, wall):
            self.disturbances += 1
            self._rush_until[instrument.index] = wall + seconds * SECOND
            self._schedule(wall + seconds * SECOND, self._end_rush, instrument.index)
        return events + self._drain()

    def take_touch(self, venue: str, symbol: str, buying: bool, limit: int, leave: int, wall: int) -> list[MarketEvent]:
        """Somebody buys (or sells) all that `limit` reaches but for `leave` shares; `limit` 0 = the touch alone."""
        events = self.advance(wall)
        book = self._exchanges[venue].books.get(symbol)
        if book is not None:
            reach = limit or book.touch(not buying)
            surplus = book.available(buying, reach) - leave
            if reach and surplus > 0:
                self._exchanges[venue].take(book, buying, reach, surplus, wall)
                self._exchanges[venue].publish(book, wall)
        return events + self._drain()

    def reachable(self, venue: str, symbol: str, buying: bool, limit: int) -> int:
        """Shares that an order could take now at `limit` or better, hidden ones not counted; `limit` 0 = at the touch.
        0 where nothing trades now."""
        book = self._exchanges[venue].books.get(symbol)
        if book is None or book.mode != CONTINUOUS:
            return 0
        reach = limit or book.touch(not buying)
        return book.available(buying, reach) if reach else 0

    def hit(self, venue: str, order_no: str, qty: int, wall: int) -> list[MarketEvent]:
        """Somebody takes `qty` shares of our resting order, and what stands before it. Nothing happens if it does not
        rest in a book that trades."""
        events = self.advance(wall)
        self._exchanges[venue].hit(order_no, qty, wall)
        return events + self._drain()

    def can_be_hit(self, venue: str, order_no: str) -> bool:
        return self._exchanges[venue].ahead_of(order_no) is not None

    def calm(self, wall: int) -> list[MarketEvent]:
        """End every halt, VI and rush to a limit now. An NXT that closed early stays closed."""
        events = self.advance(wall)
        for standing, end in (
            (self._rush_until, self._end_rush),
            (self._halted_until, self._resume),
            (self._vi_until, self._end_vi),
        ):
            for number in list(standing):
                standing[number] = wall
                end(wall, number)
        return events + self._drain()

    @property
    def nxt_closed_early(self) -> bool:
        return self._nxt_closed_early

    # --- inside -----------------------------------------------------------------------------------------------------

    def _list(self, listing: Listing, index: int, seed: int) -> None:
        assert listing.symbol not in self._listings, f"{listing.symbol} is listed twice"
        base_price = listing.base_price or _derived_base_price(listing.symbol, seed)
        self._listings[listing.symbol] = replace(listing, base_price=base_price)
        nxt = self._exchanges[NXT] if listing.nxt else None
        self._instruments[listing.symbol] = make_instrument(
            index, self._exchanges[KRX], nxt, listing.symbol, base_price, self.scenario.flow, seed
        )

    def _schedule(self, at: int, action: Action, argument: int) -> None:
        self._entries += 1
        heappush(self._agenda, (at, self._entries, action, argument))

    def _drain(self) -> list[MarketEvent]:
        events = self._outbox[:]
        self._outbox.clear()
        return events

    # --- the timetable ----------------------------------------------------------------------------------------------

    def _enter_day(self, wall: int) -> None:
        """Put both venues where the timetable has them at `wall`, signals sent, and wait for its next line."""
        since_midnight = time_of_day(wall)
        number = 0
        while number < len(TIMETABLE) and TIMETABLE[number].at <= since_midnight:
            line = TIMETABLE[number]
            self._exchanges[line.venue].set_phase(line.phase, wall, line.last)
            self._signal(midnight(wall) + line.at, line)
            number += 1
        self._await_line(number, midnight(wall))

    def _await_line(self, number: int, day_start: int) -> None:
        if number == len(TIMETABLE):
            number, day_start = 0, day_start + DAY
        self._schedule(day_start + TIMETABLE[number].at, self._keep_appointment, number)

    def _keep_appointment(self, wall: int, number: int) -> None:
        line = TIMETABLE[number]
        exchange = self._exchanges[line.venue]
        if number == 0:
            self._last_signals.clear()
            self._nxt_closed_early = False
        if not (line.code == "S" and self._nxt_closed_early):
            self._signal(wall, line)
        if exchange.phase != line.phase:
            exchange.set_phase(line.phase, wall, line.last)
            for instrument in self._instruments.values():
                self._settle(line.venue, instrument, wall)
        self._await_line(number + 1, midnight(wall))

    def _signal(self, wall: int, line: Appointment) -> None:
        if line.code and line.code not in self.scenario.session.withhold:
            signal = SessionSignal(wall, line.code, hhmmss(wall), line.remaining)
            self._last_signals[line.venue] = signal
            self._outbox.append(signal)

    def _settle(self, venue: str, instrument: Instrument, wall: int) -> None:
        """The flow catches up with what happened while a book did not trade."""
        quoted: Quoted | None = instrument.krx if venue == KRX else instrument.nxt
        if quoted is not None:
            self._flow.settle(quoted, wall)

    # --- halts and VI -----------------------------------------------------------------------------------------------

    def _book_number(self, venue: str, symbol: str) -> int:
        """A book as one number, to be found again when its halt ends."""
        return self._instruments[symbol].index * len(VENUES) + VENUES.index(venue)

    def _numbered_book(self, number: int) -> tuple[Exchange, OrderBook, Instrument]:
        index, place = divmod(number, len(VENUES))
        symbol = tuple(self._instruments)[index]
        exchange = self._exchanges[VENUES[place]]
        return exchange, exchange.books[symbol], self._instruments[symbol]

    def _halt(self, venue: str, symbol: str, wall: int, seconds: int) -> None:
        exchange = self._exchanges[venue]
        book = exchange.books.get(symbol)
        if book is None or book.in_halt:
            return
        number = self._book_number(venue, symbol)
        self.disturbances += 1
        self._outbox.append(Halted(wall, venue, symbol))
        exchange.set_halt(book, True, wall)
        self._halted_until[number] = wall + seconds * SECOND
        self._schedule(wall + seconds * SECOND, self._resume, number)

    def _resume(self, wall: int, number: int) -> None:
        if self._halted_until.get(number) != wall:
            return
        del self._halted_until[number]
        exchange, book, instrument = self._numbered_book(number)
        self._outbox.append(Resumed(wall, exchange.venue, book.symbol))
        exchange.set_halt(book, False, wall)
        self._settle(exchange.venue, instrument, wall)

    def _begin_vi(self, venue: str, symbol: str, wall: int, seconds: int) -> None:
        exchange = self._exchanges[venue]
        book = exchange.books.get(symbol)
        if book is None or book.mode != CONTINUOUS:
            return
        number = self._book_number(venue, symbol)
        self.disturbances += 1
        self._outbox.append(ViStarted(wall, venue, symbol))
        exchange.set_vi(book, True, wall)
        self._vi_until[number] = wall + seconds * SECOND
        self._schedule(wall + seconds * SECOND, self._end_vi, number)

    def _end_vi(self, wall: int, number: int) -> None:
        if self._vi_until.get(number) != wall:
            return
        del self._vi_until[number]
        exchange, book, instrument = self._numbered_book(number)
        self._outbox.append(ViEnded(wall, exchange.venue, book.symbol))
        exchange.set_vi(book, False, wall)
        self._settle(exchange.venue, instrument, wall)

    def _end_rush(self, wall: int, number: int) -> None:
        if self._rush_until.get(number) != wall:
            return
        del self._rush_until[number]
        self._flow.calm_down(list(self._instruments.values())[number], wall)

    def _surprise(self, wall: int, _: int) -> None:
        """The clock of unasked-for VIs: any symbol, either venue."""
        draws = self._vi_draws
        self._schedule(wall + draws.randrange(2 * _HOUR // self.scenario.flow.vis_per_hour) + 1, self._surprise, 0)
        symbol = tuple(self._listings)[draws.randrange(len(self._listings))]
        venue = VENUES[draws.randrange(len(VENUES))]
        extra = draws.randint(0, _VI_EXTRA_SECONDS_MAX)
        self._begin_vi(venue, symbol, wall, _VI_SECONDS + (extra if venue == KRX else 0))


_BASE_PRICES: Final = (
    2_000,
    5_000,
    10_000,
    20_000,
    35_000,
    50_000,
    70_000,
    100_000,
    150_000,
    200_000,
    300_000,
    500_000,
)
"""What a share may cost: a derived base price lies between two neighbours."""


def _derived_base_price(symbol: str, seed: int) -> int:
    """The same for a symbol whatever else is listed."""
    draws = Random(f"{seed}:base:{symbol}")
    band = draws.randrange(len(_BASE_PRICES) - 1)
    return ceil_tick(draws.randrange(_BASE_PRICES[band], _BASE_PRICES[band + 1]))
