"""The Supervisor's core: start in order, restart within the limit, kill the hung, safe state, stop in reverse."""

from typing import Any

import pytest

from actors.effects import Record, Role
from actors.messages.journal import EventType
from actors.messages.pairs import CountPairs, PairsCounted
from actors.messages.session import ActorsDown, Command, OperatorCommand
from actors.messages.supervision import ActorFailed, Enlisted, Operate, Ping, Pong, ResendState, Shutdown
from kiwoom.market import MS, SECOND, Nanos, Now
from supervision.child import ChildSpec, SupervisionSettings
from supervision.restart import RestartLimit, may_restart
from supervision.supervisor_core import (
    ChildGone,
    EndSystem,
    KillChild,
    LauncherGone,
    Order,
    StartChild,
    StopChild,
    SupervisorCore,
    TellChild,
)
from tests.support.playbook import TEN_O_CLOCK

ROLES = (Role.SESSION_STATE, Role.ROUTER, Role.THROTTLER, Role.GATEWAY)
KEYS = [(role.value, 0) for role in ROLES]
SETTINGS = SupervisionSettings(
    heartbeat_ns=Nanos(500 * MS),
    hung_after_ns=Nanos(2 * SECOND),
    gateway_hung_after_ns=Nanos(10 * SECOND),
    limit=RestartLimit(3, Nanos(60 * SECOND)),
)
THROTTLER = KEYS[2]


def at(seconds: float) -> Now:
    mono = int(seconds * SECOND)
    return Now(Nanos(mono), TEN_O_CLOCK + mono)  # type: ignore[arg-type]


def running() -> SupervisorCore:
    core = SupervisorCore(tuple(ChildSpec(role, 0, object, None) for role in ROLES), SETTINGS)
    core.start(at(0))
    for pid, (name, index) in enumerate(KEYS, start=100):
        core.handle(Enlisted(name, index, pid), at(0.1))
    return core


def orders_of(kind: type, orders: tuple[Order, ...]) -> list[Any]:
    return [order for order in orders if isinstance(order, kind)]


def gone(core: SupervisorCore, key: tuple[str, int], incarnation: int, seconds: float) -> tuple[Order, ...]:
    return core.handle(ChildGone(key, incarnation), at(seconds))


def events(orders: tuple[Order, ...]) -> list[EventType]:
    return [record.row.event_type for record in orders_of(Record, orders)]


def test_children_are_started_in_order_and_the_machine_runs_once_all_answered() -> None:
    core = SupervisorCore(tuple(ChildSpec(role, 0, object, None) for role in ROLES), SETTINGS)
    assert core.start(at(0)) == tuple(StartChild(key) for key in KEYS)
    for name, index in KEYS[:-1]:
        core.handle(Enlisted(name, index, 1), at(0.1))
    assert core.status().stage == "starting"
    core.handle(Enlisted(*KEYS[-1], 1), at(0.1))
    assert core.status().stage == "running"


def test_a_dead_child_is_restarted_and_those_who_admit_are_told_until_it_answers() -> None:
    core = running()
    orders = gone(core, THROTTLER, 1, 1)
    assert orders_of(StartChild, orders) == [StartChild(THROTTLER)]
    assert events(orders) == [EventType.ACTOR_RESTARTED]
    assert TellChild(KEYS[0], ActorsDown(("throttler",))) in orders
    assert TellChild(KEYS[1], ActorsDown(("throttler",))) in orders
    assert TellChild(KEYS[0], ActorsDown(())) in core.handle(Enlisted(*THROTTLER, 200), at(1.1))


WHOLE_CAST = (
    (Role.SESSION_STATE, 0),
    (Role.MARKET_DATA, 0),
    (Role.SPREAD_ENGINE, 0),
    (Role.THROTTLER, 0),
    (Role.ROUTER, 0),
    (Role.PAIR_MANAGER, 0),
    (Role.PAIR_MANAGER, 1),
    (Role.GATEWAY, 0),
    (Role.TELEMETRY, 0),
)
TELL = [("gateway", 0), ("router", 0), ("throttler", 0), ("spread_engine", 0), ("pair_manager", 0), ("pair_manager", 1)]
"""Who is told of a successor, in this order, but not it itself."""


def whole_machine() -> SupervisorCore:
    core = SupervisorCore(tuple(ChildSpec(role, index, object, None) for role, index in WHOLE_CAST), SETTINGS)
    core.start(at(0))
    for role, index in WHOLE_CAST:
        core.handle(Enlisted(role.value, index, 1), at(0.1))
    return core


def succeeded(core: SupervisorCore, key: tuple[str, int], seconds: float = 1, incarnation: int = 1) -> list[TellChild]:
    """What is said when `key` has died and its successor has enlisted."""
    gone(core, key, incarnation, seconds)
    return orders_of(TellChild, core.handle(Enlisted(*key, 200), at(seconds + 0.1)))


def wishes(told: list[TellChild], key: tuple[str, int]) -> list[Command]:
    for order in told:
        assert not isinstance(order.message, OperatorCommand) or order.message.repeated
    return [o.message.command for o in told if o.key == key and isinstance(o.message, OperatorCommand)]


@pytest.mark.parametrize(("role", "index"), WHOLE_CAST)
def test_everyone_with_something_to_tell_hears_of_a_successor(role: Role, index: int) -> None:
    told = succeeded(whole_machine(), (role.value, index))
    resent = [order.key for order in told if order.message == ResendState(role.value, index)]
    assert resent == [key for key in TELL if key != (role.value, index)]


def test_a_first_start_is_nothing_to_tell_of() -> None:
    core = SupervisorCore(tuple(ChildSpec(role, index, object, None) for role, index in WHOLE_CAST), SETTINGS)
    core.start(at(0))
    for role, index in WHOLE_CAST:
        told = orders_of(TellChild, core.handle(Enlisted(role.value, index, 1), at(0.1)))
        assert not any(isinstance(order.message, (ResendState, OperatorCommand)) for order in told)


def test_one_that_is_dead_itself_is_not_told() -> None:
    core = whole_machine()
    for incarnation in range(1, 5):  # the last one is not started again
        gone(core, ("spread_engine", 0), incarnation, 1)
    told = succeeded(core, ("throttler", 0), 2)
    assert ("spread_engine", 0) not in [order.key for order in told]


WISHES: list[tuple[tuple[Command, ...], list[Command], list[Command]]] = [
    ((), [], []),
    ((Command.ARM,), [Command.ARM], [Command.ARM]),
    ((Command.ARM, Command.DISARM), [Command.DISARM], [Command.DISARM]),
    ((Command.ARM, Command.STOP), [Command.STOP], [Command.STOP]),
    ((Command.STOP, Command.FLATTEN), [Command.FLATTEN], [Command.FLATTEN]),
    ((Command.FLATTEN, Command.ARM), [Command.ARM], [Command.ARM]),
    ((Command.STOP, Command.MUTE), [Command.STOP], [Command.STOP]),
    ((Command.STOP, Command.UNREGISTER_FEEDS), [Command.STOP, Command.UNREGISTER_FEEDS], [Command.STOP]),
    ((Command.REGISTER_FEEDS, Command.ARM), [Command.ARM, Command.REGISTER_FEEDS], [Command.ARM]),
]


@pytest.mark.parametrize(("pressed", "session", "router"), WISHES)
def test_the_operators_last_wish_is_repeated_to_those_who_act_on_it(
    pressed: tuple[Command, ...], session: list[Command], router: list[Command]
) -> None:
    core = whole_machine()
    for command in pressed:
        core.handle(Operate(OperatorCommand(command, "005930" if command is Command.MUTE else None)), at(0.5))
    assert wishes(succeeded(core, ("session_state", 0)), ("session_state", 0)) == session
    assert wishes(succeeded(core, ("router", 0)), ("router", 0)) == router
    assert wishes(succeeded(core, ("throttler", 0)), ("throttler", 0)) == []


def test_the_wish_is_said_before_the_word_on_who_is_up() -> None:
    core = whole_machine()
    core.handle(Operate(OperatorCommand(Command.STOP)), at(0.5))
    told = [o.message for o in succeeded(core, ("session_state", 0)) if o.key == ("session_state", 0)]
    assert told == [OperatorCommand(Command.STOP, repeated=True), ActorsDown(())]


def test_in_safe_state_the_flatten_stands_whatever_is_pressed_after_it() -> None:
    core = whole_machine()
    core.handle(Operate(OperatorCommand(Command.ARM)), at(0.5))
    for incarnation in range(1, 5):
        gone(core, ("throttler", 0), incarnation, 1)
    assert core.status().stage == "safe"
    for command in (Command.DISARM, Command.STOP, Command.ARM):
        core.handle(Operate(OperatorCommand(command)), at(2))
    assert wishes(succeeded(core, ("router", 0), 3), ("router", 0)) == [Command.FLATTEN]


@pytest.mark.parametrize(
    ("pressed", "wish"),
    [((), Command.DISARM), ((Command.ARM,), Command.DISARM), ((Command.FLATTEN,), Command.FLATTEN)],
)
def test_an_arm_is_not_repeated_on_another_day(pressed: tuple[Command, ...], wish: Command) -> None:
    core = whole_machine()
    for command in pressed:
        core.handle(Operate(OperatorCommand(command)), at(1))
    assert wishes(succeeded(core, ("session_state", 0), 24 * 3_600), ("session_state", 0)) == [wish]


def test_an_exit_that_is_reported_twice_counts_once() -> None:
    core = running()
    gone(core, THROTTLER, 1, 1)
    assert gone(core, THROTTLER, 1, 1) == ()
    assert [actor.restarts for actor in core.status().actors] == [0, 0, 1, 0]


def test_more_failures_than_allowed_are_safe_state_after_exactly_as_many_restarts() -> None:
    core = running()
    for incarnation in range(1, 4):
        assert orders_of(StartChild, gone(core, THROTTLER, incarnation, incarnation)) == [StartChild(THROTTLER)]
        core.handle(Enlisted(*THROTTLER, 300), at(incarnation + 0.1))
    orders = gone(core, THROTTLER, 4, 4)
    assert events(orders) == [EventType.SAFE_STATE]
    assert TellChild(KEYS[0], OperatorCommand(Command.FLATTEN)) in orders
    assert core.status().stage == "safe"
    assert "throttler" in core.status().problem
    assert core.handle(Operate(OperatorCommand(Command.ARM)), at(5)) == ()


def hunted(core: SupervisorCore, key: tuple[str, int], times: int) -> list[list[object]]:
    """It dies as often as that, one second after another; what is recorded each time, and is it started again?"""
    told: list[list[object]] = []
    for incarnation in range(1, times + 1):
        orders = gone(core, key, incarnation, incarnation)
        told.append([*events(orders), *(["start"] if StartChild(key) in orders else [])])
        core.handle(Enlisted(*key, 300), at(incarnation + 0.1))
    return told


@pytest.mark.parametrize("key", [THROTTLER, KEYS[3]])
def test_who_is_on_the_way_to_flat_is_kept_alive_even_in_safe_state(key: tuple[str, int]) -> None:
    core = running()
    assert hunted(core, key, 6)[3:] == [
        [EventType.SAFE_STATE, "start"],
        [EventType.ACTOR_RESTARTED, "start"],
        [EventType.ACTOR_RESTARTED, "start"],
    ]
    assert core.status().stage == "safe"


def test_the_others_stay_down_in_safe_state() -> None:
    core = running()
    assert hunted(core, KEYS[0], 4)[3] == [EventType.SAFE_STATE]


def test_restarts_far_apart_are_forgiven() -> None:
    core = running()
    for incarnation in range(1, 9):
        seconds = incarnation * 30
        for key in KEYS:
            core.handle(Pong(*key, Nanos(0)), at(seconds - 0.1))
        gone(core, THROTTLER, incarnation, seconds)
        core.handle(Enlisted(*THROTTLER, 300), at(seconds + 0.1))
    assert core.status().stage == "running"


def test_a_child_that_does_not_answer_is_killed_once_and_the_gateway_is_given_longer() -> None:
    core = running()
    for tick in range(1, 10):
        now = at(0.1 + tick * 0.5)
        core.handle(Pong(*KEYS[0], Nanos(0)), now)
        core.handle(Pong(*KEYS[1], Nanos(0)), now)
        orders = core.on_deadline(now)
        kills = orders_of(KillChild, orders)
        if kills:
            assert kills == [KillChild(THROTTLER, 102)]
            assert now.mono - int(0.1 * SECOND) > SETTINGS.hung_after_ns
            return
        assert TellChild(THROTTLER, Ping(now.mono)) in orders
    pytest.fail("the hung throttler was never found")


def test_what_a_failing_actor_said_is_the_reason_of_its_restart() -> None:
    core = running()
    failed = core.handle(ActorFailed(*THROTTLER, "SlotUsed", "Traceback...\nValueError: boom"), at(1))
    assert events(failed) == [EventType.ACTOR_FAILED]
    restarted = orders_of(Record, gone(core, THROTTLER, 1, 1))[0].row
    assert restarted.reason == "ValueError: boom"


def test_children_are_stopped_in_reverse_and_not_restarted() -> None:
    core = running()
    assert core.handle(Shutdown("over"), at(1)) == tuple(StopChild(key) for key in reversed(KEYS))
    for key in KEYS:
        assert orders_of(StartChild, gone(core, key, 1, 2)) == []
    assert core.status().stage == "stopped"


def test_an_orphaned_machine_flattens_then_stops_and_ends_its_system() -> None:
    core = running()
    orders = core.handle(LauncherGone(), at(1))
    assert TellChild(KEYS[1], OperatorCommand(Command.FLATTEN)) in orders
    last: tuple[Order, ...] = ()
    for tick in range(2, 40):
        now = at(tick * 0.5)
        for key in KEYS:
            core.handle(Pong(*key, Nanos(0)), now)
        last = core.on_deadline(now)
        if EndSystem() in last:
            break
    assert EndSystem() in last
    assert StopChild(KEYS[3]) in last


@pytest.mark.parametrize(
    ("history", "now", "allowed"),
    [
        ((), 0, True),
        ((0,), 10, True),
        ((0, 1, 2), 10, False),
        ((0, 1, 2), 59, False),
        ((0, 1, 2), 60, True),
        ((0, 50, 55), 61, True),
        ((0, 50, 55, 61), 62, False),
    ],
)
def test_restart_intensity(history: tuple[int, ...], now: int, allowed: bool) -> None:
    limit = RestartLimit(3, Nanos(60 * SECOND))
    assert may_restart([Nanos(s * SECOND) for s in history], limit, Nanos(now * SECOND)) is allowed


ROUTER = KEYS[1]


def test_the_router_is_asked_for_open_pairs_after_stop_and_with_every_heartbeat_then() -> None:
    core = running()
    assert orders_of(TellChild, core.on_deadline(at(1)))
    assert not any(isinstance(order.message, CountPairs) for order in orders_of(TellChild, core.on_deadline(at(1.5))))
    orders = core.handle(Operate(OperatorCommand(Command.STOP)), at(2))
    assert [order.message for order in orders_of(TellChild, orders) if order.key == ROUTER] == [
        OperatorCommand(Command.STOP),
        CountPairs(at(2).mono),
    ]
    assert TellChild(ROUTER, CountPairs(at(2.5).mono)) in core.on_deadline(at(2.5))


def test_only_an_answer_given_after_the_last_command_counts_and_only_while_nothing_is_admitted() -> None:
    core = running()
    core.handle(Operate(OperatorCommand(Command.STOP)), at(2))
    assert core.status().open_pairs is None
    core.handle(PairsCounted(at(2).mono, 0, admitting=True), at(2.1))
    assert core.status().open_pairs is None
    core.handle(PairsCounted(at(2).mono, 1, admitting=False), at(2.2))
    assert core.status().open_pairs == 1
    core.handle(Operate(OperatorCommand(Command.FLATTEN)), at(3))
    assert core.status().open_pairs is None
    core.handle(PairsCounted(at(2.5).mono, 0, admitting=False), at(3.1))  # asked before Flatten
    assert core.status().open_pairs is None
    core.handle(PairsCounted(at(3).mono, 0, admitting=False), at(3.2))
    assert core.status().open_pairs == 0


def test_an_orphaned_machine_that_is_flat_ends_once() -> None:
    core = running()
    core.handle(LauncherGone(), at(1))
    core.handle(PairsCounted(at(1).mono, 0, admitting=False), at(1.1))
    assert EndSystem() in core.on_deadline(at(1.5))
    assert EndSystem() not in core.on_deadline(at(2))
