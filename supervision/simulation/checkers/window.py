"""Promises about time: the broker's window, its reserve, who goes first, and when anything may go at all."""

from collections import deque
from dataclasses import dataclass, field
from typing import ClassVar, Final

from actors.messages.journal import EventType, Row
from kiwoom.market import MS, SECOND, Nanos, time_of_day
from kiwoom.simulated.ledger import LedgerKind, LedgerRow
from supervision.simulation.checkers.books import ATTEMPTS, CALLS, Books, PairFacts, extra_of, is_ours, reached_the_cap
from supervision.simulation.checkers.settings import CheckerSettings, delay_of
from supervision.simulation.evidence import (
    ActorDied,
    ActorStarted,
    Checker,
    HostClockStepped,
    MachineEvent,
    MachineKilled,
    MachineStarted,
    Strike,
    VenueClosed,
    VenueOpened,
)

ENTRY_ENDING: Final = "-A1"
"""What the client order id of an entry ends in."""
_HEARS_OF_CLOSINGS: Final = ("session_state", "gateway")
_MACHINE: Final = ("machine", 0)


class Window(Checker):
    """In no second of the broker's clock more than 5 calls, whatever became of them.

    Counted: every ORDER, CANCEL and OVERLOAD row, and each REJECT of the server (return code 0; with another the
    control itself turned the call away). For each call at t: calls in (t - 1 s, t] <= limit. Its clock is the
    undisturbed one.
    """

    rule = "WINDOW"
    row_types: ClassVar[frozenset[EventType]] = frozenset()
    ledger_kinds: ClassVar[frozenset[LedgerKind]] = CALLS

    def __init__(self, settings: CheckerSettings, books: Books) -> None:
        super().__init__()
        self._settings = settings
        self._books = books

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        limit = self._settings.limit
        if is_ours(row.rq_name) and reached_the_cap(row) and self._books.call_count > limit:
            self.breach(at, f"{row.rq_name} ({row.kind.value}) is one more than {limit} calls within a second")


class Reserve(Checker):
    """An entry leaves at least 2 of the 5 places: calls in (t - 1 s, t], itself included, <= limit - reserve."""

    rule = "RESERVE"
    row_types: ClassVar[frozenset[EventType]] = frozenset()
    ledger_kinds: ClassVar[frozenset[LedgerKind]] = CALLS

    def __init__(self, settings: CheckerSettings, books: Books) -> None:
        super().__init__()
        self._most = settings.limit - settings.reserve
        self._books = books

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        if row.rq_name.endswith(ENTRY_ENDING) and reached_the_cap(row) and self._books.call_count > self._most:
            self.breach(at, f"the entry {row.rq_name} is call {self._books.call_count} within a second")


class TimesOfDay(Checker):
    """No entry outside the guard or after a disarming, no order after 15:20:00, nothing on a closed venue.

    By the broker's wall clock. An entry's arrival a: guard_start - s <= a < guard_end + transit + s; any order: a <=
    closing + transit + s, where s is how far the host's clock was ever stepped off, in either direction. A cancel may
    come later: what rests on KRX then takes part in the closing auction, which takes cancels, and could fill. After a
    venue's closing no call to it later than signal_ns plus twice the longest delay ever struck on a message; with
    SessionState or the Gateway dead at the closing or since, so long after its successor came. An entry's attempt not
    later than that after a DISARMED row, unless an ARMED row follows within the same time.
    """

    rule = "WINDOW OF THE DAY"
    row_types: ClassVar[frozenset[EventType]] = frozenset(
        {EventType.ORDER_SEND_ATTEMPT, EventType.ARMED, EventType.DISARMED}
    )
    ledger_kinds: ClassVar[frozenset[LedgerKind]] = CALLS

    def __init__(self, settings: CheckerSettings, books: Books) -> None:
        super().__init__()
        self._settings = settings
        self._books = books
        self._off = 0
        self._off_max = 0
        self._late_ns = settings.signal_ns
        self._closed: dict[str, int] = {}
        self._blind: dict[tuple[str, int], None] = {}
        self._disarmed_at: int | None = None
        # Entries that are allowed only if an ARMED row follows soon: rows travel after orders. Bounded by the cap.
        self._suspects: deque[tuple[int, str]] = deque()

    def machine(self, event: MachineEvent, at: Nanos) -> None:
        match event:
            case HostClockStepped(by_ns):
                self._off += by_ns
                self._off_max = max(self._off_max, abs(self._off))
            case VenueClosed(venue):
                self._closed[venue] = at
            case VenueOpened(venue):
                self._closed.pop(venue, None)
            case ActorDied(name, index) if name in _HEARS_OF_CLOSINGS:
                self._blind[name, index] = None
            case ActorStarted(name, index):
                self._sees_again(at, (name, index))
            case MachineKilled():
                self._blind[_MACHINE] = None
            case MachineStarted():
                self._sees_again(at, *self._blind)
            case _:
                pass

    def _sees_again(self, at: int, *who: tuple[str, int]) -> None:
        for each in who:
            if each in self._blind:
                del self._blind[each]
                self._closed = dict.fromkeys(self._closed, at)

    def struck(self, strike: Strike, at: Nanos) -> None:
        if not self._books.knows(strike.subject):
            self._late_ns = max(self._late_ns, self._settings.signal_ns + 2 * delay_of(strike.fault, strike.size_ns))

    def ledger(self, row: LedgerRow, at: Nanos) -> None:
        if not is_ours(row.rq_name):
            return
        settings, moment, off = self._settings, time_of_day(row.ts), self._off_max
        if row.rq_name.endswith(ENTRY_ENDING):
            if not settings.guard_start - off <= moment < settings.guard_end + settings.transit_ns + off:
                self.breach(at, f"the entry {row.rq_name} came at {_clock(moment)}")
        elif row.kind is not LedgerKind.CANCEL and moment > settings.closing + settings.transit_ns + off:
            self.breach(at, f"{row.rq_name} came at {_clock(moment)}")
        closed_at = self._closed.get(row.venue)
        if closed_at is not None and not self._blind and at - closed_at > self._late_ns:
            self.breach(at, f"{row.rq_name} came to {row.venue} {(at - closed_at) // MS} ms after its closing")

    def journal(self, row: Row, at: Nanos) -> None:
        while self._suspects and at - self._suspects[0][0] > self._late_ns:
            self._convict()
        match row.event_type:
            case EventType.ARMED:
                self._disarmed_at = None
                self._suspects.clear()
            case EventType.DISARMED:
                self._disarmed_at = at if self._disarmed_at is None else self._disarmed_at
            case EventType.ORDER_SEND_ATTEMPT if row.leg == "A" and self._disarmed_at is not None:
                if at - self._disarmed_at > self._late_ns:
                    self._suspects.append((at, row.cl_ord_id or ""))
            case _:
                pass

    def _convict(self) -> None:
        tried, name = self._suspects.popleft()
        self.breach(tried, f"the entry {name} was tried while disarmed")


def _clock(moment: int) -> str:
    seconds, rest = divmod(moment, SECOND)
    return f"{seconds // 3_600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest // MS:03}"


_DECISIONS: Final = {
    "HEDGE_POST_SENT": ("hedge",),
    "HEDGE_IOC_SENT": ("hedge_ioc", "flatten"),
    "HEDGE_MARKET_SENT": ("hedge_market", "flatten"),
    "CANCEL_POST_SENT": ("cancel",),
}
"""By the state entered: the kinds of order that it decides upon."""

_NO_VENUE: Final = "NO_VENUE"


@dataclass(slots=True)
class _Waiting:
    """One pair's last decision, by its own stamps, until its order is tried; rows of both may come in either order."""

    decided: int = 0
    state: str = ""
    full_ns: int = 0
    down_ns: int = 0
    tried: dict[str, Row] = field(default_factory=dict)
    """By kind: the last attempt."""


class Priority(Checker):
    """A hedge or cancel waits at most 200 ms plus one place of the window while entries go.

    From the PAIR_STATE row that decides it (its own stamp) to the first attempt of that kind not before it. Wait <=
    priority_ns + 1 s + margin, plus what is excused: the time the window was full and anything needed was down since,
    strikes on the pair since it began, stops of its symbol. Judged only if an entry of another pair was tried more
    than priority_ns after the decision and before the attempt; not if an order of the pair was refused in between, or
    no venue was quotable (HEDGE_TIMEOUT with NO_VENUE).
    """

    rule = "PRIORITY"
    row_types: ClassVar[frozenset[EventType]] = ATTEMPTS | {
        EventType.PAIR_STATE,
        EventType.ORDER_REFUSED,
        EventType.HEDGE_TIMEOUT,
    }
    ledger_kinds: ClassVar[frozenset[LedgerKind]] = frozenset()

    def __init__(self, settings: CheckerSettings, books: Books) -> None:
        super().__init__()
        self._settings = settings
        self._books = books
        self._waiting: dict[str, _Waiting] = {}
        # (its stamp, its pair) of the last entries: those of the longest excusable wait are enough.
        self._entries: deque[tuple[int, str]] = deque(maxlen=256)
        # The host's monotonic clock begins anew with a reboot: true time less its stamps.
        self._boot_ns = 0

    def machine(self, event: MachineEvent, at: Nanos) -> None:
        if isinstance(event, MachineKilled):
            self._waiting.clear()
            self._entries.clear()

    def journal(self, row: Row, at: Nanos) -> None:
        pair_id = row.pair_id or ""
        match row.event_type:
            case EventType.ORDER_REFUSED:
                self._waiting.pop(pair_id, None)
            case EventType.HEDGE_TIMEOUT:
                if row.reason == _NO_VENUE:
                    self._waiting.pop(pair_id, None)
            case EventType.PAIR_STATE:
                self._decided(row, pair_id, at)
            case _:
                self._tried(row, pair_id, at)

    def _decided(self, row: Row, pair_id: str, at: int) -> None:
        pair = self._books.pairs.get(pair_id)
        if pair is None:
            return
        if row.state not in _DECISIONS:
            self._waiting.pop(pair_id, None)
            return
        waiting = self._waiting.setdefault(pair_id, _Waiting())
        waiting.decided, waiting.state = row.ts_mono, row.state or ""
        # The row comes a little after the decision: what the books summed up in between is excused too.
        waiting.full_ns, waiting.down_ns = self._sums(row.ts_mono)
        for kind in _DECISIONS[waiting.state]:
            tried = waiting.tried.get(kind)
            if tried is not None and tried.ts_mono >= waiting.decided:
                self._judge(waiting, pair, tried, at)
                return

    def _tried(self, row: Row, pair_id: str, at: int) -> None:
        self._boot_ns = at - row.ts_mono  # committed at once
        if row.leg == "A" and row.event_type is EventType.ORDER_SEND_ATTEMPT:
            self._entries.append((row.ts_mono, pair_id))
            return
        pair = self._books.pairs.get(pair_id)
        if pair is None:
            return
        kind = str(extra_of(row, "kind", ""))
        waiting = self._waiting.setdefault(pair_id, _Waiting())
        waiting.tried[kind] = row
        if kind in _DECISIONS.get(waiting.state, ()) and row.ts_mono >= waiting.decided:
            self._judge(waiting, pair, row, at)

    def _judge(self, waiting: _Waiting, pair: PairFacts, tried: Row, at: int) -> None:
        """The decision was acted upon."""
        decided, state, waiting.state = waiting.decided, waiting.state, ""
        settings = self._settings
        most = settings.priority_ns + SECOND + settings.window_margin_ns
        if tried.ts_mono - decided <= most:
            return
        full_ns, down_ns = self._sums(tried.ts_mono)
        most += full_ns - waiting.full_ns + down_ns - waiting.down_ns + self._books.struck_ns(pair)
        most += self._books.onsets_since(pair) * settings.allowances.shut_ns
        overtaken = [
            other
            for moment, other in self._entries
            if decided + settings.priority_ns < moment < tried.ts_mono and other != pair.pair_id
        ]
        if overtaken and tried.ts_mono - decided > most:
            waited = (tried.ts_mono - decided) // MS
            text = f"{tried.cl_ord_id} ({state}) waited {waited} ms, {most // MS} are excused, behind {overtaken[-1]}"
            self.breach(at, text)

    def _sums(self, at: int) -> tuple[int, int]:
        """Up to `at` by the host's clock."""
        return self._books.calls.full_ns(at + self._boot_ns), self._books.down.total(at + self._boot_ns)
