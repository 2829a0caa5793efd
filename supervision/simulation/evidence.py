"""What the checkers of a simulated day are shown, and what they answer: events, the view of the stage, breaches.

Times (`at`) are true monotonic nanoseconds: the broker's undisturbed clock. Order of the calls within one step:
the broker's ledger rows, the journal's rows, machine events and strikes as they happen, then `after_step`. What the
broker did is always shown before what the machine wrote about it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from actors.messages.journal import EventType, Row
from actors.messages.pairs import PairState
from kiwoom.market import Nanos
from kiwoom.simulated.ledger import LedgerKind, LedgerRow
from kiwoom.simulated.orders import BrokerOrder


@dataclass(frozen=True, slots=True)
class Breach:
    """A promise that was broken: which, when, and one line with the ids."""

    rule: str
    at: Nanos
    what: str


# --- what happens to the machine and to the market --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ActorDied:
    """`name` is a Role's value. Also when it hangs: from then on it does nothing."""

    name: str
    index: int


@dataclass(frozen=True, slots=True)
class ActorStarted:
    """A successor carries its core."""

    name: str
    index: int


@dataclass(frozen=True, slots=True)
class MachineKilled:
    """Every actor at once."""


@dataclass(frozen=True, slots=True)
class MachineStarted:
    """The Supervisor of the next machine begins."""


@dataclass(frozen=True, slots=True)
class JournalTorn:
    """The journal lost its last commit: these rows, which had been shown, exist no more. While the machine is down."""

    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class OrderHanded:
    """The Gateway handed an order or a cancel to the thread of the control: from now on nothing holds it back."""

    cl_ord_id: str


@dataclass(frozen=True, slots=True)
class FaultsOff:
    """No new fault from now on. What was struck before may still arrive."""


@dataclass(frozen=True, slots=True)
class HostClockStepped:
    """The host's wall clock jumped: forward if positive."""

    by_ns: int


@dataclass(frozen=True, slots=True)
class LineCut:
    """The line to the broker broke. It is up again with the next RECONCILED row."""


@dataclass(frozen=True, slots=True)
class VenueClosed:
    """It takes neither orders nor cancels from now on. `venue` is "KRX" or "NXT"."""

    venue: str


@dataclass(frozen=True, slots=True)
class VenueOpened:
    venue: str


@dataclass(frozen=True, slots=True)
class TradingHalted:
    """A halt, a VI or a call auction: cancels are taken there, IOC and market orders are not."""

    venue: str
    symbol: str


@dataclass(frozen=True, slots=True)
class TradingResumed:
    venue: str
    symbol: str


MachineEvent = (
    ActorDied
    | ActorStarted
    | MachineKilled
    | MachineStarted
    | JournalTorn
    | OrderHanded
    | FaultsOff
    | HostClockStepped
    | LineCut
    | VenueClosed
    | VenueOpened
    | TradingHalted
    | TradingResumed
)


class Strike(Protocol):
    """A fault that the broker or the stage applied."""

    @property
    def wall(self) -> int: ...

    @property
    def fault(self) -> str:
        """Its name, that of the knob."""
        ...

    @property
    def subject(self) -> str:
        """What it struck: a client order id, an order number, a symbol; else it counts against everything."""
        ...

    @property
    def size_ns(self) -> int:
        """How long it delays, 0 if it is no delay."""
        ...


# --- what may be looked at --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PairView:
    """One pair as the PairManager that has it sees it now."""

    pair_id: str
    slot: int
    symbol: str
    state: PairState
    open_qty: int
    live_hedges: tuple[tuple[str, int], ...]
    """(client order id, shares that may still fill)."""


class View(Protocol):
    """The stage, between two steps."""

    @property
    def start_holdings(self) -> Mapping[str, int]: ...

    @property
    def start_cash(self) -> int: ...

    @property
    def cash(self) -> int: ...

    def held(self, symbol: str) -> int: ...

    def broker_open_orders(self) -> list[BrokerOrder]: ...

    def live_pairs(self) -> tuple[PairView, ...]:
        """Those that a PairManager alive now has in hand."""
        ...

    def counted_pairs(self) -> tuple[str, ...]:
        """Those that the Router alive now counts as running."""
        ...

    def rows(self) -> Sequence[Row]:
        """The whole journal as committed."""
        ...


class Checker:
    """One promise. Its docstring says it in a sentence. A subclass overrides what it needs; the rest is never called.

    `row_types` and `ledger_kinds` say which rows it wants; it is not called with others.
    """

    rule: ClassVar[str]
    row_types: ClassVar[frozenset[EventType]] = frozenset(EventType)
    ledger_kinds: ClassVar[frozenset[LedgerKind]] = frozenset(LedgerKind)

    def __init__(self) -> None:
        self.breaches: list[Breach] = []

    def journal(self, row: Row, at: Nanos) -> None:
        """A row, once committed."""

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        """The broker's own row, as it happens."""

    def machine(self, event: MachineEvent, at: Nanos) -> None: ...

    def struck(self, strike: Strike, at: Nanos) -> None: ...

    def after_step(self, view: View, at: Nanos) -> None: ...

    def at_end(self, view: View, at: Nanos) -> None:
        """The day is over; nothing follows."""

    def breach(self, at: int, what: str) -> None:
        self.breaches.append(Breach(self.rule, Nanos(at), what))
