"""What a core may ask its shell to do: send a message, record a journal row, or (the Gateway only) call the control.

Effects are values. A handler computes all of them before its shell performs the first, so a handler
that fails has done nothing.
"""

from dataclasses import dataclass
from enum import Enum

from actors.messages.journal import Row
from kiwoom.control import ControlCall


class Role(Enum):
    """Who a message is for. The shell's address book turns a role (and an index) into an address."""

    SUPERVISOR = "supervisor"
    SESSION_STATE = "session_state"
    MARKET_DATA = "market_data"
    SPREAD_ENGINE = "spread_engine"
    THROTTLER = "throttler"
    ROUTER = "router"
    GATEWAY = "gateway"
    PAIR_MANAGER = "pair_manager"
    TELEMETRY = "telemetry"


@dataclass(frozen=True, slots=True)
class Send:
    """Send `message` to the actor of role `to`; `index` is the shard of MarketData or the slot of a PairManager."""

    to: Role
    message: object
    index: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """Append `row` to the journal. The Gateway's shell writes it at once; every other shell posts it there."""

    row: Row


@dataclass(frozen=True, slots=True)
class Call:
    """Call the control. Only the Gateway's core returns this; its shell writes all earlier Records to disk first."""

    call: ControlCall


Effect = Send | Record | Call
Effects = tuple[Effect, ...]
