"""SessionState's core: may we trade now, and why (not)?

Armed only while every condition of one ordered list holds; the first that fails is the reason, in words. Both the
clock and the broker's session signals (KIWOOM.md 3.2) must agree, so holidays and late openings need no calendar.
Everything is worked out anew at each call: the host's clock may step, and a heartbeat bounds how long that goes unseen.
A successor waits for the Supervisor's first word on who is up: what the operator last wished comes before it.
Assumes the settings are those of the day (special days resolved); what was seen is forgotten at Seoul's midnight.
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, assert_never

from actors.effects import Effect, Effects, Record, Role, Send
from actors.messages.journal import EventType, Row
from actors.messages.session import (
    ActorsDown,
    BrokerStatus,
    Command,
    FeedsRegistered,
    FeedsUnregistered,
    OperatorCommand,
    Phase,
    RegisterFeeds,
    SessionSignalSeen,
    TradingState,
    UnregisterFeeds,
    VenueAlive,
)
from kiwoom.market import DAY, MS, SECOND, Nanos, Now, Venue, WallNanos, midnight, time_of_day

LISTENERS: Final = (
    Role.SPREAD_ENGINE,
    Role.ROUTER,
    Role.THROTTLER,
    Role.GATEWAY,
    Role.TELEMETRY,
    Role.SUPERVISOR,
)
"""Who hears every TradingState, in this order."""

HEARTBEAT_NS: Final = Nanos(500 * MS)

SessionMessage = (
    BrokerStatus | SessionSignalSeen | VenueAlive | FeedsRegistered | FeedsUnregistered | ActorsDown | OperatorCommand
)

_SIGNALS: Final = {
    "3": (Venue.KRX, Phase.RUNNING, "KRX: regular session started (3)"),
    "2": (Venue.KRX, Phase.AUCTION, "KRX: closing auction began (2)"),
    "4": (Venue.KRX, Phase.CLOSED, "KRX: closed (4)"),
    "8": (Venue.KRX, Phase.CLOSED, "KRX: regular session ended (8)"),
    "R": (Venue.NXT, Phase.RUNNING, "NXT: main market started (R)"),
    "S": (Venue.NXT, Phase.CLOSED, "NXT: main market ended (S)"),
}
"""The signals that move a main session. All others (countdowns, pre- and after-markets) are only recorded."""

_NOT_SEEN: Final = {
    Venue.KRX: "KRX: no start signal (3) and no live trade yet",
    Venue.NXT: "NXT: no main market start signal (R) and no live trade yet",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """Times are nanoseconds since Seoul's midnight, of the day that is traded.

    `guard_*`: entries only inside. `nxt_main_*`: NXT's main market by the clock. `krx_start_ns`..`closing_ns`: KRX's
    continuous trading by the clock; at `closing_ns` every pair must be flat and the feeds are given back.
    `use_fid_215_signals` False leaves the clock alone in charge. `journal_has_r`: today's journal has R, no later S.
    `arm_at_start`, `register_at_start`: as if the operator had pressed them at the start.
    `heartbeat_ns`: how often all is worked out anew without news. `is_successor`: another one worked before this one.
    """

    guard_start_ns: Nanos
    guard_end_ns: Nanos
    nxt_main_start_ns: Nanos
    nxt_main_end_ns: Nanos
    krx_start_ns: Nanos
    closing_ns: Nanos
    use_fid_215_signals: bool = True
    arm_at_start: bool = False
    register_at_start: bool = False
    journal_has_r: bool = False
    heartbeat_ns: Nanos = HEARTBEAT_NS
    is_successor: bool = False

    def __post_init__(self) -> None:
        assert 0 <= self.guard_start_ns < self.guard_end_ns <= self.closing_ns < DAY
        assert 0 <= self.nxt_main_start_ns < self.nxt_main_end_ns < DAY
        assert 0 <= self.krx_start_ns < self.closing_ns
        assert self.heartbeat_ns > 0


class _Feeds(Enum):
    OFF = "off"
    REQUESTED = "requested"
    ON = "on"
    CLOSING = "closing"


class _MainSession:
    """One venue's main session: its hours by the clock, and what the broker has said of it today."""

    def __init__(self, venue: Venue, start_ns: Nanos, end_ns: Nanos) -> None:
        self.venue = venue
        self.start_ns = start_ns
        self.end_ns = end_ns
        self.forget()

    def forget(self) -> None:
        self.phase = Phase.UNKNOWN
        self.why = _NOT_SEEN[self.venue]

    def learn(self, phase: Phase, why: str) -> None:
        self.phase = phase
        self.why = why

    def is_open_by_clock(self, time_ns: int) -> bool:
        return self.start_ns <= time_ns < self.end_ns

    def seen(self, time_ns: int, *, use_signals: bool) -> tuple[Phase, str]:
        """What it does at `time_ns`, and why we think so."""
        if not self.is_open_by_clock(time_ns):
            phase = Phase.AUCTION if self.phase is Phase.AUCTION else Phase.CLOSED
            return phase, f"{self.venue.value}: outside its main session by the clock"
        if not use_signals:
            return Phase.RUNNING, f"{self.venue.value}: main session by the clock"
        return self.phase, self.why


class SessionStateCore:
    """Says TradingState at its first deadline, on every change, and again whenever an actor went or came back."""

    def __init__(self, settings: SessionSettings) -> None:
        self._settings = settings
        self._krx = _MainSession(Venue.KRX, settings.krx_start_ns, settings.closing_ns)
        self._nxt = _MainSession(Venue.NXT, settings.nxt_main_start_ns, settings.nxt_main_end_ns)
        if settings.journal_has_r:
            self._nxt.learn(Phase.RUNNING, "NXT: main market started (R in today's journal)")
        self._wants_armed = settings.arm_at_start
        self._why_not_wanted = "Arm has not been pressed"
        self._wants_feeds = settings.register_at_start
        self._feeds = _Feeds.OFF
        self._connected = False
        self._why_disconnected = "not logged in yet"
        self._down: tuple[str, ...] = ("not told yet",) if settings.is_successor else ()
        self._began_at: Nanos | None = None
        self._day: int | None = None
        self._told: TradingState | None = None
        self._was_armed = False
        self._wake_at = Nanos(0)

    def handle(self, message: SessionMessage, now: Now) -> Effects:
        self._begin_day(now)
        self._began_at = self._began_at or now.mono
        effects: list[Effect] = []
        match message:
            case BrokerStatus():
                self._hear_broker(message.connected, message.reason)
            case SessionSignalSeen():
                row = self._hear_signal(message)
                if not self._was_recorded(message):
                    effects.append(Record(row))
            case VenueAlive():
                effects.extend(self._hear_trade(message))
            case FeedsRegistered():
                if self._connected and self._feeds is not _Feeds.CLOSING:
                    self._feeds = _Feeds.ON
            case FeedsUnregistered():
                self._feeds = _Feeds.OFF
            case ActorsDown():
                self._hear_actors(message.names)
            case OperatorCommand():
                row = self._obey(message, now)
                if not message.repeated:
                    effects.append(Record(row))
            case _:
                assert_never(message)
        return (*effects, *self._review(now))

    def next_deadline(self) -> Nanos | None:
        return self._wake_at

    def on_deadline(self, now: Now) -> Effects:
        if now.mono < self._wake_at:
            return ()
        self._begin_day(now)
        return self._review(now)

    # --- what was heard ----------------------------------------------------------------------------------------------

    def _begin_day(self, now: Now) -> None:
        """Yesterday's signals and yesterday's Arm say nothing about today."""
        day = midnight(now.wall)
        if self._day is not None and day != self._day:
            self._krx.forget()
            self._nxt.forget()
            self._unwish("a new day has begun: Arm has not been pressed")
        self._day = day

    def _hear_broker(self, connected: bool, reason: str) -> None:
        self._connected = connected
        self._why_disconnected = reason
        if not connected:
            self._feeds = _Feeds.OFF  # Nothing says that registrations survive the line; asking again does no harm.

    def _hear_actors(self, names: tuple[str, ...]) -> None:
        self._told = None  # Someone went or came back, and who comes back has forgotten what was said: say it again.
        self._down = names
        if Role.GATEWAY.value in names:
            self._hear_broker(False, "the Gateway is down")

    def _hear_signal(self, signal: SessionSignalSeen) -> Row:
        """`reason` of the row is the signal's code, so that a restart finds R in the journal."""
        row = Row(
            EventType.SESSION,
            signal.at,
            signal.wall,
            reason=signal.code,
            extra=(("broker_time", signal.broker_time),),
        )
        if signal.code not in _SIGNALS:
            return row
        venue, phase, words = _SIGNALS[signal.code]
        self._session(venue).learn(phase, words)
        return replace(row, venue=venue.value, state=phase.value, message_text=words)

    def _was_recorded(self, signal: SessionSignalSeen) -> bool:
        """It was seen before this actor began: its predecessor's, told again."""
        return self._settings.is_successor and self._began_at is not None and signal.at < self._began_at

    def _hear_trade(self, alive: VenueAlive) -> tuple[Record, ...]:
        """A live trade proves a session of which nothing was heard; it does not reopen one that has ended."""
        session = self._session(alive.venue)
        if session.phase is not Phase.UNKNOWN or not session.is_open_by_clock(time_of_day(alive.wall)):
            return ()
        words = f"{alive.venue.value}: live trades inside its main session"
        session.learn(Phase.RUNNING, words)
        row = Row(
            EventType.SESSION,
            alive.at,
            alive.wall,
            venue=alive.venue.value,
            state=Phase.RUNNING.value,
            reason="LIVE_TRADES",
            message_text=words,
        )
        return (Record(row),)

    def _obey(self, order: OperatorCommand, now: Now) -> Row:
        match order.command:
            case Command.ARM:
                self._wants_armed = True
            case Command.DISARM:
                self._unwish("disarmed by the operator")
            case Command.STOP:
                self._unwish("stopped by the operator")
            case Command.FLATTEN:
                self._unwish("flattened by the operator")
            case Command.REGISTER_FEEDS:
                self._wants_feeds = True
            case Command.UNREGISTER_FEEDS:
                self._wants_feeds = False
            case Command.MUTE | Command.UNMUTE:
                pass  # The Router's; here only for the record.
            case _:
                assert_never(order.command)
        return Row(EventType.OPERATOR, now.mono, now.wall, symbol=order.symbol, reason=order.command.value)

    def _unwish(self, why: str) -> None:
        self._wants_armed = False
        self._why_not_wanted = why

    # --- what follows ------------------------------------------------------------------------------------------------

    def _review(self, now: Now) -> Effects:
        """Work everything out anew; say what changed."""
        time_ns = time_of_day(now.wall)
        self._wake_at = Nanos(now.mono + min(self._settings.heartbeat_ns, self._until_edge(time_ns)))
        krx, krx_why = self._krx.seen(time_ns, use_signals=self._settings.use_fid_215_signals)
        nxt, nxt_why = self._nxt.seen(time_ns, use_signals=self._settings.use_fid_215_signals)
        feeds = self._steer_feeds(time_ns, both_run=krx is Phase.RUNNING and nxt is Phase.RUNNING)

        conditions = (
            (self._wants_armed, self._why_not_wanted),
            (time_ns >= self._settings.guard_start_ns, f"before {_clock(self._settings.guard_start_ns)}"),
            (time_ns < self._settings.guard_end_ns, f"no entries since {_clock(self._settings.guard_end_ns)}"),
            (nxt is Phase.RUNNING, nxt_why),
            (krx is Phase.RUNNING, krx_why),
            (self._connected, f"not connected: {self._why_disconnected}"),
            (not self._down, f"down: {', '.join(self._down)}"),
            (self._feeds is _Feeds.ON, "feeds are not registered"),
        )
        failing = next((words for holds, words in conditions if not holds), None)
        state = TradingState(
            armed=failing is None,
            reason=f"{nxt_why}; {krx_why}" if failing is None else failing,
            entries_until_wall=WallNanos(midnight(now.wall) + self._settings.guard_end_ns),
            closing_wall=WallNanos(midnight(now.wall) + self._settings.closing_ns),
            phases=(krx, nxt),
            feeds_registered=self._feeds is _Feeds.ON,
        )
        return (*feeds, *self._say(state, now))

    def _say(self, state: TradingState, now: Now) -> Effects:
        if state == self._told:
            return ()
        effects: list[Effect] = [Send(listener, state) for listener in LISTENERS]
        if state.armed != self._was_armed:
            event = EventType.ARMED if state.armed else EventType.DISARMED
            effects.append(Record(Row(event, now.mono, now.wall, reason=state.reason)))
        self._was_armed = state.armed
        self._told = state
        return tuple(effects)

    def _steer_feeds(self, time_ns: int, *, both_run: bool) -> Effects:
        """Ask for the feeds as soon as both sessions run; give them back when asked to, or at the closing instant."""
        if self._feeds is _Feeds.OFF:
            if self._wants_feeds and self._connected and both_run:
                self._feeds = _Feeds.REQUESTED
                return (Send(Role.GATEWAY, RegisterFeeds()),)
        elif self._feeds is not _Feeds.CLOSING and (not self._wants_feeds or time_ns >= self._settings.closing_ns):
            self._feeds = _Feeds.CLOSING
            return (Send(Role.GATEWAY, UnregisterFeeds()),)
        return ()

    def _until_edge(self, time_ns: int) -> int:
        """Nanoseconds to the next time of day at which a condition turns by the clock alone."""
        settings = self._settings
        edges = (
            settings.guard_start_ns,
            settings.guard_end_ns,
            settings.nxt_main_start_ns,
            settings.nxt_main_end_ns,
            settings.krx_start_ns,
            settings.closing_ns,
        )
        return min((edge - time_ns for edge in edges if edge > time_ns), default=DAY - time_ns)

    def _session(self, venue: Venue) -> _MainSession:
        return self._krx if venue is Venue.KRX else self._nxt


def _clock(time_ns: int) -> str:
    seconds = time_ns // SECOND
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
