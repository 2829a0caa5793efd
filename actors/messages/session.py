"""Conversation: may we trade now, and why (not)?

Gateway -> SessionState: BrokerStatus, SessionSignalSeen, VenueAlive, FeedsRegistered.
Supervisor -> SessionState: ActorsDown, OperatorCommand. Supervisor -> Gateway: ConnectBroker.
SessionState -> everyone: TradingState. SessionState -> Gateway: RegisterFeeds, UnregisterFeeds.
"""

from dataclasses import dataclass
from enum import Enum

from kiwoom.market import Nanos, Venue, WallNanos


class Phase(Enum):
    """What a venue's main session does, as far as we know it."""

    UNKNOWN = "unknown"
    CLOSED = "closed"
    RUNNING = "running"
    AUCTION = "auction"


@dataclass(frozen=True, slots=True)
class BrokerStatus:
    """`connected`: logged in, account known, reconciled. `reason` in words while it is not."""

    connected: bool
    reason: str


@dataclass(frozen=True, slots=True)
class ConnectBroker:
    """Log in; if the line is up, reconcile with the broker again (the way out of an unclear order state)."""


@dataclass(frozen=True, slots=True)
class SessionSignalSeen:
    """FID 215 as it came. `wall` is the market clock at receipt, `broker_time` the broker's own HHMMSS."""

    code: str
    broker_time: str
    at: Nanos
    wall: WallNanos


@dataclass(frozen=True, slots=True)
class VenueAlive:
    """A live trade was printed on a code of `venue`. At most one a second per venue."""

    venue: Venue
    at: Nanos
    wall: WallNanos


@dataclass(frozen=True, slots=True)
class FeedsRegistered:
    codes: int
    screens: int


@dataclass(frozen=True, slots=True)
class FeedsUnregistered:
    """No quote will come any more; every published one is on its way to its shard."""


@dataclass(frozen=True, slots=True)
class RegisterFeeds:
    """Register every shard's screen now."""


@dataclass(frozen=True, slots=True)
class UnregisterFeeds:
    pass


@dataclass(frozen=True, slots=True)
class ActorsDown:
    """The needed actors that do not answer now (role names); empty = all well."""

    names: tuple[str, ...]


class Command(Enum):
    ARM = "arm"
    DISARM = "disarm"
    STOP = "stop"
    """Disarm and finish what lives."""
    FLATTEN = "flatten"
    """Disarm, cancel our resting orders, close our pairs' imbalances, nothing else."""
    REGISTER_FEEDS = "register_feeds"
    UNREGISTER_FEEDS = "unregister_feeds"
    MUTE = "mute"
    UNMUTE = "unmute"


@dataclass(frozen=True, slots=True)
class OperatorCommand:
    """What a person pressed. `symbol` only with MUTE/UNMUTE."""

    command: Command
    symbol: str | None = None
    repeated: bool = False
    """Told again to a successor, which must wish what its predecessor did: it was recorded when it was pressed."""


@dataclass(frozen=True, slots=True)
class TradingState:
    """Armed or not, with the first failing condition as the reason, in words.

    `closing_wall` is the last instant by which every pair must be flat (15:20:00 of the day); `entries_until_wall` the
    guard's end. `venue_running` tells, per venue in the order KRX, NXT, whether its main session takes orders.
    """

    armed: bool
    reason: str
    entries_until_wall: WallNanos
    closing_wall: WallNanos
    phases: tuple[Phase, Phase]
    feeds_registered: bool
