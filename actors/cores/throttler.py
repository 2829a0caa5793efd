"""Throttler's core: in no second more orders and cancels than the broker takes, urgent ones first.

The broker counts orders and cancels over a sliding second (KIWOOM.md 5: five, then -308) and queries apart. A slot is
*held* from the moment it is given until the Gateway says when it called; from then on it is *counted*, until one
window and a margin after the call returned. The margin covers the jitter between our clock and the broker's.

Limits: a silent entry grant comes back `margin_ns` after it expired (the time a report may be under way), a silent
command one window and margin after it was passed on. After -308 the broker's window is fuller than ours: entries wait
until all that it may count is over, a hedge or a cancel only a margin's time. A successor grants no entry before it
knows the sends of the last window, or one has passed. A report later than that is still counted, but the slot may
have been given again meanwhile: then only the Gateway's last guard stands between us and the cap.
"""

from collections import deque
from dataclasses import dataclass, replace
from typing import assert_never

from actors.domain.window import SlidingWindow
from actors.effects import Effect, Effects, Record, Role, Send
from actors.messages.journal import EventType, Row
from actors.messages.orders import CancelOrder, OrderKind, PlaceOrder, QueryOrder
from actors.messages.session import TradingState
from actors.messages.supervision import ResendState
from actors.messages.throttle import (
    EntriesPaused,
    EntryDenied,
    EntryGranted,
    EntryLent,
    QueryGranted,
    RecentSends,
    RequestEntry,
    RequestQuery,
    ReturnEntry,
    SlotFreed,
    SlotUsed,
    WindowCounted,
)
from kiwoom.market import MS, SECOND, Nanos, Now

REPORT_EVERY_NS = 250 * MS

ThrottlerMessage = (
    RequestEntry
    | ReturnEntry
    | PlaceOrder
    | CancelOrder
    | QueryOrder
    | SlotUsed
    | SlotFreed
    | RequestQuery
    | TradingState
    | RecentSends
    | ResendState
)


@dataclass(frozen=True, slots=True)
class ThrottleSettings:
    """The budgets. Counts are calls, times nanoseconds."""

    orders_max: int = 5
    """Orders and cancels in any window; the broker's cap is 5 (KIWOOM.md 5)."""
    window_ns: int = SECOND
    margin_ns: int = 50 * MS
    """Added to the window, against jitter between our clock and the broker's."""
    reserve: int = 2
    """Slots that an entry may never take: for the cancel and the hedge that it may need."""
    min_free_for_entry: int = 4
    grant_ttl_ns: int = 100 * MS
    queries_max: int = 5
    """Queries in any second; counted apart from orders."""
    boot_query_windows: tuple[tuple[int, int], ...] = ()
    """Longer windows that not urgent queries keep as well, as (count, span); KIWOOM.md 5 tells of 25 in 90 s."""
    autopause_numerator: int = 4
    autopause_denominator: int = 5
    """Auto-pause starts at this share of `orders_max`, rounded up."""
    autopause_sustain_ns: int = 5 * SECOND
    autopause_release_below: int = 3
    autopause_enabled: bool = True
    is_successor: bool = False
    """Another Throttler worked before this one: what it let through is told by RecentSends."""
    lend_ahead: bool = False
    """While armed and calm, one slot is lent to the Router in advance: an entry then leaves without asking first."""
    queue_max: int = 256
    """Longest queue of each kind. Live pairs wait with one command each, so it is never met in practice."""

    def __post_init__(self) -> None:
        assert self.window_ns > 0
        assert self.margin_ns >= 0
        assert self.grant_ttl_ns > 0
        assert 0 <= self.reserve < self.min_free_for_entry <= self.orders_max
        assert self.queries_max > 0
        assert all(count > 0 and span > 0 for count, span in self.boot_query_windows)
        assert 0 < self.autopause_numerator <= self.autopause_denominator
        assert 0 < self.autopause_release_below <= self.autopause_at
        assert self.autopause_sustain_ns > 0
        assert self.queue_max > 0

    @property
    def autopause_at(self) -> int:
        """The count of one window from which on it is busy: 4 of 5 by default."""
        return -(-self.orders_max * self.autopause_numerator // self.autopause_denominator)


@dataclass(frozen=True, slots=True)
class HeldSlot:
    """Given, and not yet reported as called. It comes back at `until` if nothing is ever heard of it."""

    given: Nanos
    until: Nanos


class ThrottlerCore:
    """Gives slots of the order window to entries, hedges and cancels, and turns of the query window to queries.

    Entries are answered at once, never queued. Cancels go before hedges, hedges before entries, each in order of
    arrival. A queue at its limit passes the newest command on without a grant, to wait at the Gateway's own guard:
    nothing urgent is ever dropped.
    """

    def __init__(self, settings: ThrottleSettings) -> None:
        self._settings = settings
        self._window = SlidingWindow(settings.orders_max, Nanos(settings.window_ns + settings.margin_ns))
        self._held: dict[int, HeldSlot] = {}
        """By grant id. Only given while a slot is free, so at most `orders_max`."""
        self._last_grant = 0
        self._lent: int | None = None
        """The grant lent to the Router; void once it is no longer held."""
        self._renew_at = Nanos(0)
        self._cancels: deque[CancelOrder] = deque()
        self._hedges: deque[PlaceOrder] = deque()
        self._urgent_queries: deque[QueryOrder | RequestQuery] = deque()
        self._boot_queries: deque[RequestQuery] = deque()
        self._query_window = SlidingWindow(settings.queries_max, Nanos(SECOND + settings.margin_ns))
        self._boot_windows = tuple(
            SlidingWindow(count, Nanos(span + settings.margin_ns)) for count, span in settings.boot_query_windows
        )
        self._queries_total = 0
        self._armed = False
        self._knows_sends = not settings.is_successor
        self._entries_from = Nanos(0)
        """No entry before this: the broker counts more than we do, or we do not know yet what it counts."""
        self._urgent_from = Nanos(0)
        """No hedge and no cancel before this: the broker's window was full a moment ago."""
        self._utilisation = Utilisation(settings)
        self._used_max = 0
        self._free_min_after_entry: int | None = None
        self._reported: WindowCounted | None = None
        self._reported_at: Nanos | None = None
        self._deadline: Nanos | None = None

    def handle(self, message: ThrottlerMessage, now: Now) -> Effects:
        if not self._knows_sends:
            self._knows_sends = True
            self._entries_from = Nanos(now.mono + self._window.span_ns)
        effects = [*self._advance(now), *self._take(message, now), *self._advance(now), *self._report(now.mono)]
        self._deadline = self._earliest_deadline(now.mono)
        return tuple(effects)

    def next_deadline(self) -> Nanos | None:
        return self._deadline

    def on_deadline(self, now: Now) -> Effects:
        effects = [*self._advance(now), *self._report(now.mono)]
        self._deadline = self._earliest_deadline(now.mono)
        return tuple(effects)

    def _take(self, message: ThrottlerMessage, now: Now) -> list[Effect]:
        match message:
            case RequestEntry():
                return [Send(Role.ROUTER, self._answer_entry(message, now.mono))]
            case ReturnEntry() | SlotFreed():
                self._held.pop(message.grant_id, None)
            case PlaceOrder():
                assert message.kind is not OrderKind.ENTRY, "an entry goes to the Gateway with its grant"
                if len(self._hedges) >= self._settings.queue_max:
                    return [Send(Role.GATEWAY, message)]
                self._hedges.append(message)
            case CancelOrder():
                if len(self._cancels) >= self._settings.queue_max:
                    return [Send(Role.GATEWAY, message)]
                self._cancels.append(message)
            case QueryOrder():
                if len(self._urgent_queries) >= self._settings.queue_max:
                    return [Send(Role.GATEWAY, message)]
                self._urgent_queries.append(message)
            case RequestQuery():
                self._queue_query(message)
            case SlotUsed():
                self._enter(message.grant_id, message.returned)
                if message.overload:
                    self._entries_from = max(self._entries_from, Nanos(message.returned + self._window.span_ns))
                    self._urgent_from = max(self._urgent_from, Nanos(message.returned + self._settings.margin_ns))
                if message.kind is OrderKind.ENTRY:
                    self._note_free_after_entry(now.mono)
            case TradingState():
                self._armed = message.armed
            case RecentSends():
                for sent in message.sends:
                    self._enter(None, sent)
                self._entries_from = Nanos(0)
                # A pause of the predecessor's ended with it.
                return [Send(Role.ROUTER, EntriesPaused(self._utilisation.paused, now.mono))]
            case ResendState():
                if Role(message.name) is Role.ROUTER:
                    self._lent = None  # its predecessor may have used it; the slot comes back by itself
                    return [Send(Role.ROUTER, EntriesPaused(self._utilisation.paused, now.mono))]
            case _:
                assert_never(message)
        return []

    # --- slots ---

    def _free(self, now: Nanos) -> int:
        return self._window.free(now) - len(self._held)

    def _hold(self, now: Nanos, until: Nanos) -> int:
        """Give a slot. Its number is never that of a predecessor's: it is not below the machine-wide clock."""
        assert self._free(now) > 0
        self._last_grant = max(self._last_grant + 1, now)
        self._held[self._last_grant] = HeldSlot(now, until)
        return self._last_grant

    def _enter(self, grant_id: int | None, returned: Nanos) -> None:
        """Count a call, ours or not: the broker counted it either way."""
        if grant_id is not None:
            self._held.pop(grant_id, None)
        self._window.add(returned)
        self._utilisation.enter(returned)

    def _answer_entry(self, request: RequestEntry, now: Nanos) -> EntryGranted | EntryDenied:
        if self._utilisation.paused:
            return EntryDenied(request.pair_id, "AUTO_PAUSE", self._utilisation.release_at(now))
        waiting = len(self._cancels) + len(self._hedges)
        if waiting:
            wanted = min(self._settings.orders_max, self._settings.min_free_for_entry + waiting)
            return EntryDenied(request.pair_id, "THROTTLE_URGENT_FIRST", self._free_at(now, wanted))
        if now < self._entries_from:
            return EntryDenied(request.pair_id, "THROTTLE_OVERLOAD", self._entries_from)
        if self._free(now) < self._settings.min_free_for_entry:
            return EntryDenied(
                request.pair_id, "THROTTLE_WINDOW", self._free_at(now, self._settings.min_free_for_entry)
            )
        expires = Nanos(now + self._settings.grant_ttl_ns)
        grant_id = self._hold(now, Nanos(expires + self._settings.margin_ns))
        assert self._free(now) >= self._settings.reserve
        return EntryGranted(request.pair_id, grant_id, expires)

    def _note_free_after_entry(self, now: Nanos) -> None:
        left = self._free(now)
        if self._free_min_after_entry is None or left < self._free_min_after_entry:
            self._free_min_after_entry = left

    def _lend(self, now: Nanos) -> list[Effect]:
        """Keep one slot lent while an entry would be granted anyway; else let the loan run out, at most one ttl."""
        settings = self._settings
        if self._lent not in self._held:
            self._lent = None
        is_calm = self._armed and not (self._utilisation.paused or self._cancels or self._hedges)
        is_calm = is_calm and now >= self._entries_from
        free = self._free(now) + (self._lent is not None)
        if not (settings.lend_ahead and is_calm and free >= settings.min_free_for_entry):
            return []
        if self._lent is not None and now < self._renew_at:
            return []
        expires = Nanos(now + settings.grant_ttl_ns)
        until = Nanos(expires + settings.margin_ns)
        if self._lent is None:
            self._lent = self._hold(now, until)
        else:
            self._held[self._lent] = HeldSlot(now, until)
        self._renew_at = Nanos(now + settings.grant_ttl_ns // 2)
        return [Send(Role.ROUTER, EntryLent(self._lent, expires))]

    def _free_at(self, now: Nanos, wanted: int) -> Nanos:
        """When `wanted` slots are free if each held one is called at once and nothing else is sent: an estimate."""
        counted = sorted([*self._window.sends(now), *(held.given for held in self._held.values())])
        blocking = len(counted) - (self._settings.orders_max - wanted)
        if blocking <= 0:
            return now
        return Nanos(max(now, counted[blocking - 1] + self._window.span_ns))

    # --- queues ---

    def _queue_query(self, request: RequestQuery) -> None:
        """Beyond its limit a queue forgets the request: whoever lacks an answer asks again."""
        if request.urgent:
            if request not in self._urgent_queries and len(self._urgent_queries) < self._settings.queue_max:
                self._urgent_queries.append(request)
        elif request not in self._boot_queries and len(self._boot_queries) < self._settings.queue_max:
            self._boot_queries.append(request)

    def _advance(self, now: Now) -> list[Effect]:
        """Let go of what is over, pass on what now may leave, look whether entries are to pause."""
        for grant_id in [grant_id for grant_id, held in self._held.items() if held.until <= now.mono]:
            del self._held[grant_id]
        effects: list[Effect] = []
        while (self._cancels or self._hedges) and now.mono >= self._urgent_from and self._free(now.mono) > 0:
            command = self._cancels.popleft() if self._cancels else self._hedges.popleft()
            grant_id = self._hold(now.mono, Nanos(now.mono + self._window.span_ns))
            effects.append(Send(Role.GATEWAY, replace(command, grant_id=grant_id)))
        effects.extend(self._pass_queries(now.mono))
        changed = self._utilisation.changed(now.mono)
        if changed is not None:
            effects.append(Send(Role.ROUTER, EntriesPaused(changed, now.mono)))
            effects.append(Record(self._pause_row(changed, now)))
        effects.extend(self._lend(now.mono))
        self._used_max = max(self._used_max, self._used(now.mono))
        return effects

    def _pass_queries(self, now: Nanos) -> list[Effect]:
        passed: list[Effect] = []
        while self._urgent_queries and self._query_window.free(now) > 0:
            query = self._urgent_queries.popleft()
            if isinstance(query, RequestQuery):
                passed.append(Send(Role.GATEWAY, QueryGranted(query.query_id)))
            else:
                self._last_grant = max(self._last_grant + 1, now)
                passed.append(Send(Role.GATEWAY, replace(query, grant_id=self._last_grant)))
            self._count_query(now)
        while self._boot_queries and self._boot_query_at(now) == now:
            passed.append(Send(Role.GATEWAY, QueryGranted(self._boot_queries.popleft().query_id)))
            self._count_query(now)
        return passed

    def _count_query(self, now: Nanos) -> None:
        self._queries_total += 1
        for window in (self._query_window, *self._boot_windows):
            window.add(now)

    def _boot_query_at(self, now: Nanos) -> Nanos | None:
        """When the next not urgent query may pass; None while armed."""
        if self._armed:
            return None
        return max(window.free_at(now) for window in (self._query_window, *self._boot_windows))

    # --- what others are told ---

    def _used(self, now: Nanos) -> int:
        return self._window.used(now) + len(self._held)

    def _pause_row(self, paused: bool, now: Now) -> Row:
        settings = self._settings
        return Row(
            EventType.AUTO_PAUSE_ON if paused else EventType.AUTO_PAUSE_OFF,
            now.mono,
            now.wall,
            reason=(
                f"{settings.autopause_at} of {settings.orders_max} orders in every second"
                f" for {settings.autopause_sustain_ns // SECOND} s"
                if paused
                else f"fewer than {settings.autopause_release_below} orders in a second"
            ),
        )

    def _figures(self, now: Nanos) -> WindowCounted:
        used = self._used(now)
        return WindowCounted(
            used=used,
            free=self._settings.orders_max - used,
            limit=self._settings.orders_max,
            used_max=self._used_max,
            queued=len(self._cancels) + len(self._hedges) + len(self._urgent_queries) + len(self._boot_queries),
            queries_used=self._query_window.used(now),
            queries_total=self._queries_total,
            paused=self._utilisation.paused,
            ns_at_80pct=self._utilisation.busy_ns(now),
            free_min_after_entry=self._free_min_after_entry,
        )

    def _news(self, now: Nanos) -> WindowCounted | None:
        """The figures if they differ from the last report. The time spent busy alone is no news."""
        figures = self._figures(now)
        last = self._reported
        return None if last is not None and replace(figures, ns_at_80pct=last.ns_at_80pct) == last else figures

    def _report(self, now: Nanos) -> list[Effect]:
        if self._reported_at is not None and now < self._reported_at + REPORT_EVERY_NS:
            return []
        figures = self._news(now)
        if figures is None:
            return []
        self._reported, self._reported_at = figures, now
        return [Send(Role.TELEMETRY, figures)]

    def _earliest_deadline(self, now: Nanos) -> Nanos | None:
        """The next time at which a slot comes back, a query may pass, a pause changes or a report is due."""
        times: list[int] = [held.until for held in self._held.values()]
        if self._lent in self._held and self._renew_at > now:
            times.append(self._renew_at)
        times.extend(sent + self._window.span_ns for sent in self._window.sends(now)[:1])
        times.extend(sent + self._query_window.span_ns for sent in self._query_window.sends(now)[:1])
        if (self._cancels or self._hedges) and self._urgent_from > now:
            times.append(self._urgent_from)
        if self._boot_queries and (boot_at := self._boot_query_at(now)) is not None:
            times.append(boot_at)
        if (pause_at := self._utilisation.next_change(now)) is not None:
            times.append(pause_at)
        if self._reported_at is not None and self._news(now) is not None:
            times.append(self._reported_at + REPORT_EVERY_NS)
        return Nanos(min(times)) if times else None


class Utilisation:
    """How long the broker's own second (no margin) has been busy, and whether entries pause for it.

    Busy: at least `autopause_at` calls within the last window. Entries pause once it was busy without a break for
    `autopause_sustain_ns`, and go on as soon as fewer than `autopause_release_below` are in the window. A break is
    judged from the times of the calls, not from when we hear of them.
    """

    def __init__(self, settings: ThrottleSettings) -> None:
        self._settings = settings
        self._calls = SlidingWindow(settings.orders_max, Nanos(settings.window_ns))
        self._busy_since: Nanos | None = None
        self._busy_until = Nanos(0)
        """While `busy_since` is set: when the window falls below the mark if nothing more is sent."""
        self._busy_before_ns = 0
        self.paused = False

    def enter(self, at: Nanos) -> None:
        """A call that returned at `at`; they come nearly in order."""
        if at > self._busy_until:
            self._end_run()
        self._calls.add(at)
        calls = self._calls.sends(at)
        mark = self._settings.autopause_at
        if len(calls) < mark or calls[-1] - calls[-mark] >= self._settings.window_ns:
            return
        if self._busy_since is None:
            self._busy_since = calls[-1]
        self._busy_until = Nanos(calls[-mark] + self._settings.window_ns)

    def changed(self, now: Nanos) -> bool | None:
        """True or False if entries pause or go on from `now`; None if nothing changed."""
        if self.paused:
            if self.release_at(now) > now:
                return None
            self.paused = False
            self._end_run()
            return False
        pause_at = self._pause_at()
        if pause_at is None or pause_at > now:
            return None
        self.paused = True
        return True

    def release_at(self, now: Nanos) -> Nanos:
        """When fewer than the release mark are in the window if nothing more is sent."""
        calls = self._calls.sends(now)
        mark = self._settings.autopause_release_below
        return now if len(calls) < mark else Nanos(calls[-mark] + self._settings.window_ns)

    def next_change(self, now: Nanos) -> Nanos | None:
        return self.release_at(now) if self.paused else self._pause_at()

    def busy_ns(self, now: Nanos) -> Nanos:
        """Total time spent busy up to `now`."""
        if self._busy_since is None:
            return Nanos(self._busy_before_ns)
        return Nanos(self._busy_before_ns + max(0, min(now, self._busy_until) - self._busy_since))

    def _pause_at(self) -> Nanos | None:
        """The end of the sustained time, if the calls known by now reach that far."""
        if not self._settings.autopause_enabled or self._busy_since is None:
            return None
        at = Nanos(self._busy_since + self._settings.autopause_sustain_ns)
        return at if at <= self._busy_until else None

    def _end_run(self) -> None:
        if self._busy_since is not None:
            self._busy_before_ns += self._busy_until - self._busy_since
            self._busy_since = None
