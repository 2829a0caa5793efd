"""SessionState: each condition of arming alone, both ways of a mid-day start, the day's edges, a stepping clock."""

from typing import Self

import pytest

from actors.cores.session_state import HEARTBEAT_NS, LISTENERS, SessionSettings, SessionStateCore
from actors.effects import Role, Send
from actors.messages.journal import EventType
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
from kiwoom.market import DAY, MS, SECOND, Nanos, Venue, WallNanos, midnight
from tests.support.playbook import TEN_O_CLOCK, Playbook

MIDNIGHT = midnight(TEN_O_CLOCK)


def clock(hours: int, minutes: int, seconds: int = 0, *, millis: int = 0) -> Nanos:
    return Nanos((hours * 3600 + minutes * 60 + seconds) * SECOND + millis * MS)


def settings(**changes: object) -> SessionSettings:
    values: dict[str, object] = {
        "guard_start_ns": clock(9, 0, 32),
        "guard_end_ns": clock(15, 19, 50),
        "nxt_main_start_ns": clock(9, 0, 30),
        "nxt_main_end_ns": clock(15, 20),
        "krx_start_ns": clock(9, 0),
        "closing_ns": clock(15, 20),
    }
    return SessionSettings(**(values | changes))  # type: ignore[arg-type]


class Day(Playbook):
    """A playbook that starts at a time of day and keeps the last state and the requests to the Gateway."""

    state: TradingState
    asked: list[object]

    @classmethod
    def at(cls, time_ns: int, **changes: object) -> Self:
        day = cls(SessionStateCore(settings(**changes)), wall_start=MIDNIGHT + time_ns)
        day.asked = []
        day.state = TradingState(True, "nothing said yet", WallNanos(0), WallNanos(0), (Phase.UNKNOWN,) * 2, True)
        return day.waits(0)

    def _take(self, effects: tuple[object, ...]) -> Self:
        for effect in effects:
            if isinstance(effect, Send) and isinstance(effect.message, TradingState):
                self.state = effect.message
            elif isinstance(effect, Send):
                self.asked.append(effect.message)
        return super()._take(effects)

    def signal(self, code: str) -> Self:
        return self.hears(SessionSignalSeen(code, "090000", self.now.mono, self.now.wall))

    def trade(self, venue: Venue) -> Self:
        return self.hears(VenueAlive(venue, self.now.mono, self.now.wall))

    def press(self, command: Command) -> Self:
        return self.hears(OperatorCommand(command))

    def at_time(self, time_ns: int) -> Self:
        return self.waits(MIDNIGHT + time_ns - self.now.wall)

    def step_clock(self, by_ns: int) -> Self:
        """The host's wall clock jumps; monotonic time does not."""
        self.wall_start += by_ns
        return self

    @property
    def armed(self) -> bool:
        return self.state.armed


def ready(time_ns: int = clock(10, 0), **changes: object) -> Day:
    """Everything holds."""
    day = Day.at(time_ns, **changes).hears(BrokerStatus(True, "")).signal("3").signal("R")
    return day.press(Command.REGISTER_FEEDS).hears(FeedsRegistered(400, 4)).press(Command.ARM)


def test_all_conditions_together_arm_and_everyone_is_told_once() -> None:
    day = ready()
    state = TradingState(
        armed=True,
        reason="NXT: main market started (R); KRX: regular session started (3)",
        entries_until_wall=WallNanos(MIDNIGHT + clock(15, 19, 50)),
        closing_wall=WallNanos(MIDNIGHT + clock(15, 20)),
        phases=(Phase.RUNNING, Phase.RUNNING),
        feeds_registered=True,
    )
    told = day.take_sends()[-len(LISTENERS) :]
    everyone = (Role.SPREAD_ENGINE, Role.ROUTER, Role.THROTTLER, Role.GATEWAY, Role.TELEMETRY, Role.SUPERVISOR)
    assert told == [Send(role, state) for role in everyone]
    day.waits(60 * SECOND).says()
    rows = [row for row in day.take_rows() if row.event_type is EventType.ARMED]
    assert [row.reason for row in rows] == [state.reason]


FAILURES = [
    ("disarm", lambda day: day.press(Command.DISARM), "disarmed by the operator"),
    ("stop", lambda day: day.press(Command.STOP), "stopped by the operator"),
    ("flatten", lambda day: day.press(Command.FLATTEN), "flattened by the operator"),
    ("before the guard", lambda day: day.step_clock(-clock(0, 59, 29)).waits(HEARTBEAT_NS), "before 09:00:32"),
    ("guard end", lambda day: day.at_time(clock(15, 19, 50)), "no entries since 15:19:50"),
    ("S", lambda day: day.signal("S"), "NXT: main market ended (S)"),
    ("2", lambda day: day.signal("2"), "KRX: closing auction began (2)"),
    ("4", lambda day: day.signal("4"), "KRX: closed (4)"),
    ("8", lambda day: day.signal("8"), "KRX: regular session ended (8)"),
    ("disconnected", lambda day: day.hears(BrokerStatus(False, "line lost")), "not connected: line lost"),
    ("an actor", lambda day: day.hears(ActorsDown(("router", "throttler"))), "down: router, throttler"),
    ("Gateway", lambda day: day.hears(ActorsDown(("gateway",))), "not connected: the Gateway is down"),
    ("feeds", lambda day: day.hears(FeedsUnregistered()), "feeds are not registered"),
    ("give feeds back", lambda day: day.press(Command.UNREGISTER_FEEDS), "feeds are not registered"),
]


@pytest.mark.parametrize(("name", "happens", "reason"), FAILURES, ids=[failure[0] for failure in FAILURES])
def test_each_condition_alone_disarms_with_its_own_words(name: str, happens: object, reason: str) -> None:
    day = ready()
    assert day.armed
    day.take_rows()
    happens(day)  # type: ignore[operator]
    assert not day.armed
    assert day.state.reason == reason
    disarmed = [row.reason for row in day.take_rows() if row.event_type is EventType.DISARMED]
    assert disarmed == [reason], name


def test_the_first_failing_condition_is_the_reason_down_the_whole_list() -> None:
    day = Day.at(clock(9, 0, 0), register_at_start=True)
    seen = [day.state.reason]
    for step in (
        lambda: day.press(Command.ARM),
        lambda: day.at_time(clock(9, 0, 32)),
        lambda: day.signal("R"),
        lambda: day.signal("3"),
        lambda: day.hears(ActorsDown(("spread_engine",))).hears(BrokerStatus(True, "")),
        lambda: day.hears(ActorsDown(())),
        lambda: day.hears(FeedsRegistered(2, 1)),
    ):
        step()
        seen.append(day.state.reason)
    assert seen == [
        "Arm has not been pressed",
        "before 09:00:32",
        "NXT: no main market start signal (R) and no live trade yet",
        "KRX: no start signal (3) and no live trade yet",
        "not connected: not logged in yet",
        "down: spread_engine",
        "feeds are not registered",
        "NXT: main market started (R); KRX: regular session started (3)",
    ]


@pytest.mark.parametrize("command", [Command.DISARM, Command.STOP, Command.FLATTEN])
def test_what_the_operator_disarmed_stays_disarmed_until_arm_is_pressed(command: Command) -> None:
    day = ready().press(command).signal("R").hears(BrokerStatus(True, "")).waits(10 * SECOND)
    assert not day.armed
    assert day.press(Command.ARM).armed


def test_what_failed_by_itself_arms_again_when_it_is_over() -> None:
    day = ready().hears(ActorsDown(("router",)))
    assert not day.armed
    assert day.hears(ActorsDown(())).armed


def test_an_actor_that_comes_back_is_told_even_if_nothing_changed() -> None:
    day = Day.at(clock(10, 0))
    day.take_sends()
    day.hears(ActorsDown(("spread_engine",)))
    assert [send.to for send in day.take_sends()] == list(LISTENERS)
    day.hears(ActorsDown(()))
    assert [send.to for send in day.take_sends()] == list(LISTENERS)
    day.hears(ActorsDown(()))  # One that no pair needs, such as Telemetry.
    assert [send.to for send in day.take_sends()] == list(LISTENERS)


def test_started_in_mid_day_the_journal_s_r_counts_and_krx_still_needs_its_own_proof() -> None:
    day = Day.at(clock(11, 0), journal_has_r=True, arm_at_start=True, register_at_start=True)
    day.hears(BrokerStatus(True, ""))
    assert day.state.phases == (Phase.UNKNOWN, Phase.RUNNING)
    day.trade(Venue.KRX).hears(FeedsRegistered(2, 1))
    assert day.state.reason == (
        "NXT: main market started (R in today's journal); KRX: live trades inside its main session"
    )
    assert day.armed


def test_started_in_mid_day_live_trades_on_both_venues_prove_the_sessions_once() -> None:
    day = Day.at(clock(11, 0), arm_at_start=True, register_at_start=True).hears(BrokerStatus(True, ""))
    day.trade(Venue.NXT).trade(Venue.NXT).trade(Venue.KRX).hears(FeedsRegistered(2, 1))
    assert day.armed
    assert day.state.reason == "NXT: live trades inside its main session; KRX: live trades inside its main session"
    rows = [(row.venue, row.state, row.reason) for row in day.take_rows() if row.event_type is EventType.SESSION]
    assert rows == [("NXT", "running", "LIVE_TRADES"), ("KRX", "running", "LIVE_TRADES")]


@pytest.mark.parametrize(
    ("venue", "time_ns", "proved"),
    [
        (Venue.NXT, clock(9, 0, 29), False),
        (Venue.NXT, clock(9, 0, 30), True),
        (Venue.NXT, clock(15, 19, 59), True),
        (Venue.NXT, clock(15, 20), False),
        (Venue.KRX, clock(8, 59, 59), False),
        (Venue.KRX, clock(9, 0), True),
        (Venue.KRX, clock(15, 20), False),
    ],
)
def test_a_trade_proves_a_session_only_inside_its_hours_by_the_clock(venue: Venue, time_ns: int, proved: bool) -> None:
    day = Day.at(time_ns).trade(venue)
    assert (day.state.phases[venue is Venue.NXT] is Phase.RUNNING) is proved
    assert bool(day.take_rows()) is proved


@pytest.mark.parametrize(("ended_by", "venue"), [("S", Venue.NXT), ("2", Venue.KRX), ("4", Venue.KRX)])
def test_trades_do_not_reopen_what_a_signal_ended_but_its_start_signal_does(ended_by: str, venue: Venue) -> None:
    day = ready().signal(ended_by).trade(venue)
    assert not day.armed
    assert day.signal("R" if venue is Venue.NXT else "3").armed


def test_r_before_the_guard_window_arms_only_when_the_clock_agrees() -> None:
    day = Day.at(clock(8, 59, 50), arm_at_start=True, register_at_start=True).hears(BrokerStatus(True, ""))
    day.signal("3").signal("R")
    assert day.state.phases == (Phase.CLOSED, Phase.CLOSED)
    day.at_time(clock(9, 0, 30) - 1)
    assert day.asked == []
    day.at_time(clock(9, 0, 30))
    assert day.asked == [RegisterFeeds()]
    day.hears(FeedsRegistered(2, 1)).at_time(clock(9, 0, 32) - 1)
    assert day.state.reason == "before 09:00:32"
    day.at_time(clock(9, 0, 32))
    assert day.armed


def test_the_guard_s_end_disarms_by_its_own_deadline_to_the_nanosecond() -> None:
    day = ready(clock(15, 19, 49, millis=900)).at_time(clock(15, 19, 50) - 1)
    assert day.armed
    day.at_time(clock(15, 19, 50))
    assert not day.armed
    assert day.state.phases == (Phase.RUNNING, Phase.RUNNING)
    day.at_time(clock(15, 20))
    assert day.state.phases == (Phase.CLOSED, Phase.CLOSED)


def test_a_clock_that_steps_is_noticed_within_a_heartbeat_both_ways() -> None:
    day = ready()
    day.step_clock(clock(6, 0)).waits(HEARTBEAT_NS)
    assert day.state.reason == "no entries since 15:19:50"
    day.step_clock(-clock(6, 0)).waits(HEARTBEAT_NS).hears(FeedsUnregistered()).hears(FeedsRegistered(2, 1))
    assert day.armed


def test_a_message_after_a_step_is_judged_by_the_new_time_at_once() -> None:
    day = ready().step_clock(clock(6, 0))
    assert not day.hears(BrokerStatus(True, "")).armed


def test_no_signal_and_no_trade_as_on_a_holiday_never_arms() -> None:
    day = Day.at(clock(9, 0), arm_at_start=True, register_at_start=True).hears(BrokerStatus(True, ""))
    day.at_time(clock(9, 30))
    assert not day.armed
    assert day.asked == []


def test_a_special_day_moves_every_edge() -> None:
    """As on the day of the college entrance exam: everything an hour later."""
    hour = clock(1, 0)
    usual = settings()
    moved = {
        name: getattr(usual, name) + hour
        for name in (
            "guard_start_ns",
            "guard_end_ns",
            "nxt_main_start_ns",
            "nxt_main_end_ns",
            "krx_start_ns",
            "closing_ns",
        )
    }
    day = ready(clock(9, 30), **moved)
    assert day.state.reason == "before 10:00:32"
    assert Phase.RUNNING not in day.state.phases
    day.at_time(clock(10, 0, 30)).hears(FeedsRegistered(2, 1)).at_time(clock(10, 0, 32))
    assert day.armed
    assert day.state.closing_wall == MIDNIGHT + clock(16, 20)
    day.at_time(clock(16, 19, 50))
    assert day.state.reason == "no entries since 16:19:50"


def test_without_the_signals_the_clock_alone_decides() -> None:
    day = Day.at(clock(9, 0, 29), use_fid_215_signals=False, arm_at_start=True, register_at_start=True)
    day.hears(BrokerStatus(True, "")).at_time(clock(9, 0, 30))
    assert day.asked == [RegisterFeeds()]
    day.hears(FeedsRegistered(2, 1)).at_time(clock(9, 0, 32))
    assert day.armed
    assert day.state.reason == "NXT: main session by the clock; KRX: main session by the clock"
    assert day.signal("S").armed


def test_feeds_are_asked_for_once_when_both_sessions_run_and_given_back_at_the_close() -> None:
    day = Day.at(clock(10, 0)).press(Command.REGISTER_FEEDS).signal("3").signal("R")
    assert day.asked == []
    day.hears(BrokerStatus(True, "")).waits(10 * SECOND)
    assert day.asked == [RegisterFeeds()]
    day.hears(FeedsRegistered(400, 4)).at_time(clock(15, 20) - 1)
    assert day.asked == [RegisterFeeds()]
    day.at_time(clock(15, 21))
    assert day.asked == [RegisterFeeds(), UnregisterFeeds()]
    day.hears(FeedsUnregistered()).waits(10 * SECOND)
    assert day.asked == [RegisterFeeds(), UnregisterFeeds()]


def test_an_early_s_keeps_the_feeds_for_the_pairs_that_still_hedge() -> None:
    assert ready().signal("S").waits(SECOND).asked == [RegisterFeeds()]


def test_after_the_line_was_lost_the_feeds_are_asked_for_again() -> None:
    day = ready().hears(BrokerStatus(False, "line lost")).hears(FeedsRegistered(400, 4))
    assert not day.state.feeds_registered
    day.hears(BrokerStatus(True, ""))
    assert day.asked == [RegisterFeeds(), RegisterFeeds()]
    assert day.hears(FeedsRegistered(400, 4)).armed


def test_a_registration_that_crosses_its_own_recall_does_not_count() -> None:
    day = Day.at(clock(10, 0), register_at_start=True, arm_at_start=True).hears(BrokerStatus(True, ""))
    day.signal("3").signal("R").press(Command.UNREGISTER_FEEDS).hears(FeedsRegistered(400, 4))
    assert not day.state.feeds_registered
    assert day.asked == [RegisterFeeds(), UnregisterFeeds()]
    day.hears(FeedsUnregistered()).press(Command.REGISTER_FEEDS)
    assert day.asked[2:] == [RegisterFeeds()]


def test_every_signal_is_recorded_as_it_came_and_only_six_of_them_mean_something() -> None:
    day = Day.at(clock(10, 0))
    codes = ("0", "3", "P", "Q", "R", "s", "a", "T", "9", "2", "S", "")
    for code in codes:
        day.signal(code)
    rows = day.take_rows()
    assert [row.reason for row in rows] == list(codes)
    assert {row.event_type for row in rows} == {EventType.SESSION}
    assert [(row.reason, row.venue, row.state) for row in rows if row.venue] == [
        ("3", "KRX", "running"),
        ("R", "NXT", "running"),
        ("2", "KRX", "auction"),
        ("S", "NXT", "closed"),
    ]
    assert rows[0].extra == (("broker_time", "090000"),)


def test_every_command_of_the_operator_is_recorded() -> None:
    day = Day.at(clock(10, 0)).hears(OperatorCommand(Command.MUTE, "005930"))
    for command in Command:
        day.press(command)
    rows = [row for row in day.take_rows() if row.event_type is EventType.OPERATOR]
    assert [row.reason for row in rows] == ["mute", *(command.value for command in Command)]
    assert rows[0].symbol == "005930"


def test_a_new_day_forgets_signals_and_arm() -> None:
    day = ready().step_clock(DAY).waits(HEARTBEAT_NS)
    assert not day.armed
    assert day.state.reason == "a new day has begun: Arm has not been pressed"
    assert day.state.phases == (Phase.UNKNOWN, Phase.UNKNOWN)
    assert day.state.closing_wall == MIDNIGHT + DAY + clock(15, 20)


# --- a successor ---

NEW_AT = clock(10, 0)


def successor(**changes: object) -> Day:
    """Everything but the Supervisor's word has come."""
    day = Day.at(NEW_AT, is_successor=True, register_at_start=True, **changes)
    day.mono = 100 * SECOND
    day.wall_start = WallNanos(day.wall_start - day.mono)
    day.hears(BrokerStatus(True, ""))
    for code, age in (("3", 90), ("R", 80)):
        day.hears(SessionSignalSeen(code, "090000", Nanos(day.mono - age * SECOND), day.now.wall))
    return day.hears(FeedsRegistered(1, 1))


WISHES = [
    (True, None, True),
    (False, None, False),
    (True, Command.STOP, False),
    (True, Command.DISARM, False),
    (True, Command.FLATTEN, False),
    (False, Command.ARM, True),
]


@pytest.mark.parametrize(("arm_at_start", "wish", "armed"), WISHES)
def test_a_successor_arms_only_by_the_last_wish_and_not_before_it_could_be_heard(
    arm_at_start: bool, wish: Command | None, armed: bool
) -> None:
    day = successor(arm_at_start=arm_at_start)
    assert not day.state.armed
    if wish is not None:
        day.hears(OperatorCommand(wish, repeated=True))
    assert not day.state.armed
    assert day.hears(ActorsDown(())).state.armed is armed


def test_a_repeated_wish_is_not_recorded_as_pressed_again() -> None:
    day = successor()
    day.take_rows()
    day.hears(OperatorCommand(Command.STOP, repeated=True)).records()
    day.hears(OperatorCommand(Command.STOP)).records(EventType.OPERATOR)


@pytest.mark.parametrize(
    ("codes", "phases"),
    [
        (("3", "R"), (Phase.RUNNING, Phase.RUNNING)),
        (("3", "R", "S"), (Phase.RUNNING, Phase.CLOSED)),
        (("R", "3", "2"), (Phase.AUCTION, Phase.RUNNING)),
        (("3",), (Phase.RUNNING, Phase.UNKNOWN)),
    ],
)
def test_the_days_signals_told_again_are_learnt_in_their_order_and_not_recorded_twice(
    codes: tuple[str, ...], phases: tuple[Phase, Phase]
) -> None:
    day = Day.at(NEW_AT, is_successor=True)
    day.waits(10 * SECOND)
    day.take_rows()
    for order, code in enumerate(codes):
        day.hears(SessionSignalSeen(code, "090000", Nanos(day.mono - 9 * SECOND + order), day.now.wall))
    assert day.state.phases == phases
    day.records()
    day.signal("4").records(EventType.SESSION)
