"""Conversation: may an order leave now?

Router -> Throttler: RequestEntry, ReturnEntry. Throttler -> Router: EntryLent, EntryGranted, EntryDenied,
EntriesPaused.
Gateway -> Throttler: SlotUsed, SlotFreed, RequestQuery. Throttler -> Gateway: QueryGranted and the commands of
messages.orders that it passes on.
Gateway -> Throttler (a restarted one): RecentSends. Throttler -> Telemetry: WindowCounted.
"""

from dataclasses import dataclass

from actors.messages.orders import OrderKind
from kiwoom.market import Nanos


@dataclass(frozen=True, slots=True)
class RequestEntry:
    pair_id: str


@dataclass(frozen=True, slots=True)
class EntryGranted:
    """One slot is held for the entry of `pair_id` until `expires`."""

    pair_id: str
    grant_id: int
    expires: Nanos


@dataclass(frozen=True, slots=True)
class EntryLent:
    """One slot given in advance, so that the next pair need not ask: for any one entry until `expires`.

    The same number again only moves its end; a number that was used before is void.
    """

    grant_id: int
    expires: Nanos


@dataclass(frozen=True, slots=True)
class EntryDenied:
    """`reason` begins with THROTTLE_ or is AUTO_PAUSE. Ask again at `retry_at`."""

    pair_id: str
    reason: str
    retry_at: Nanos


@dataclass(frozen=True, slots=True)
class ReturnEntry:
    """The grant will not be used."""

    grant_id: int


@dataclass(frozen=True, slots=True)
class EntriesPaused:
    """Auto-pause went on or off."""

    paused: bool
    at: Nanos


@dataclass(frozen=True, slots=True)
class SlotUsed:
    """The broker was called: counted until one window after `returned`, -308 included."""

    grant_id: int | None
    kind: OrderKind
    called: Nanos
    returned: Nanos
    overload: bool
    """It was -308: the broker's window is fuller than ours."""


@dataclass(frozen=True, slots=True)
class SlotFreed:
    """The command with this grant was refused before any call: the slot is free again."""

    grant_id: int


@dataclass(frozen=True, slots=True)
class RequestQuery:
    """The Gateway wants to ask the broker something (start, reconcile). Answer: QueryGranted, in its turn."""

    query_id: str
    urgent: bool
    """A doubt query: the only kind allowed while armed, and first in the queue."""


@dataclass(frozen=True, slots=True)
class QueryGranted:
    query_id: str


@dataclass(frozen=True, slots=True)
class WindowCounted:
    """The order window as it stands; totals since the start. At most 4 a second."""

    used: int
    free: int
    limit: int
    used_max: int
    queued: int
    queries_used: int
    queries_total: int
    paused: bool
    ns_at_80pct: Nanos
    free_min_after_entry: int | None


@dataclass(frozen=True, slots=True)
class RecentSends:
    """What the journal knows of the last window: when each order and cancel call returned. For a new Throttler."""

    sends: tuple[Nanos, ...]
