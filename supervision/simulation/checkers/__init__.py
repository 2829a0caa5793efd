"""What must hold in every simulated day, whatever was struck: one class for each promise.

`all_checkers` makes them, in the order in which they must be called: the books first, which the others read. `Panel`
does that, and calls each only with the rows that it wants. Nothing here does I/O or knows a clock.
"""

from supervision.simulation.checkers.account import Covered, Foreign, NoSelfTrade
from supervision.simulation.checkers.books import Books
from supervision.simulation.checkers.decisions import Edge, Legal, Room
from supervision.simulation.checkers.exposure import FlatInTime, NoDoubleHedge, Owned, PairEnds, UnhedgedTime
from supervision.simulation.checkers.money import Money, Replay
from supervision.simulation.checkers.orders import AttemptFirst, Bounded, OneEnd, RightVenue, SentOnce, TrueEnds
from supervision.simulation.checkers.panel import Panel
from supervision.simulation.checkers.prompt import Prompt
from supervision.simulation.checkers.settings import CONSEQUENCES_NS, Allowances, CheckerSettings
from supervision.simulation.checkers.window import Priority, Reserve, TimesOfDay, Window
from supervision.simulation.evidence import Checker

__all__ = ["CONSEQUENCES_NS", "Allowances", "CheckerSettings", "Panel", "all_checkers"]


def all_checkers(settings: CheckerSettings) -> list[Checker]:
    """Every promise, for one day. To be called in this order, with every event."""
    books = Books(settings)
    replay = Replay(books)
    return [
        books,
        Window(settings, books),
        Reserve(settings, books),
        SentOnce(),
        AttemptFirst(books),
        OneEnd(books),
        TrueEnds(books),
        PairEnds(books),
        Owned(settings, books),
        UnhedgedTime(settings, books),
        NoDoubleHedge(books),
        Covered(settings, books),
        NoSelfTrade(books),
        TimesOfDay(settings, books),
        Money(books, replay),
        replay,
        FlatInTime(settings, books),
        Bounded(settings, books),
        RightVenue(books),
        Priority(settings, books),
        Foreign(books),
        Edge(settings),
        Legal(settings, books),
        Room(settings, books),
        Prompt(settings, books),
    ]
