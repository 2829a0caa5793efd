"""The simulated market: two exchanges, other people's orders and the day's timetable behind one interface."""

from collections.abc import Sequence
from dataclasses import dataclass

from kiwoom.simulated.events import Book, MarketEvent, SessionSignal
from kiwoom.simulated.scenario import Scenario


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
    """Both venues on one clock. Calls come with a `wall` that never goes back; each returns what happened, in order."""

    def __init__(self, scenario: Scenario, listings: Sequence[Listing], seed: int, start_wall: int) -> None: ...

    def listing(self, symbol: str) -> Listing:
        """The listing with its base price filled in. KeyError for a symbol that is not listed."""
        raise NotImplementedError

    def limits(self, symbol: str) -> tuple[int, int]:
        """(lower, upper) price limit of the day in won."""
        raise NotImplementedError

    def next_at(self) -> int:
        """The time of the next scheduled event; there is always one."""
        raise NotImplementedError

    def advance(self, wall: int) -> list[MarketEvent]:
        """Run everything due up to and including `wall`."""
        raise NotImplementedError

    def submit(
        self, venue: str, order_no: str, symbol: str, side: str, qty: int, price: int, hoga: str, wall: int
    ) -> list[MarketEvent]:
        """Our order arrives at the exchange at `wall`; whatever was due before it happens first and is returned too."""
        raise NotImplementedError

    def cancel(self, venue: str, order_no: str, qty: int, wall: int) -> list[MarketEvent]:
        """A cancel arrives; `qty` 0 = all that remains, more than remains = all."""
        raise NotImplementedError

    def book(self, venue: str, symbol: str) -> Book:
        """The ten visible levels now, our own resting orders among them."""
        raise NotImplementedError

    def phase(self, venue: str) -> str:
        """"closed", "continuous" or "auction"."""
        raise NotImplementedError

    def last_signals(self) -> tuple[SessionSignal, ...]:
        """The latest signal of each venue that was sent already (also before the start): for a late registration."""
        raise NotImplementedError

    def halt(self, venue: str, symbol: str, wall: int, seconds: int) -> list[MarketEvent]:
        """Stop trading of `symbol` for a while. A halt on KRX stops NXT too (KIWOOM.md 7.7)."""
        raise NotImplementedError

    def start_vi(self, venue: str, symbol: str, wall: int, seconds: int = 120) -> list[MarketEvent]:
        """Volatility interruption on that venue alone: a call auction on KRX, a halt on NXT."""
        raise NotImplementedError
