"""What may happen to the machine itself, as named rates, and the plan of it that a seed draws for one day.

The broker's own faults are `kiwoom.simulated.faults`. A rate is an expected number in an hour of storm.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import Enum
from random import Random

from kiwoom.market import MS, SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineFaults:
    actor_killed: int = 0
    """Any actor dies between two messages; what was on its way to it is lost."""
    actor_killed_midway: int = 0
    """Any actor dies in the middle of a handler, some of its effects done and the others not."""
    actor_raised: int = 0
    """A handler of any actor raises after its state has moved."""
    actor_raised_at_order: int = 0
    """A handler that would send an order, a cancel or a call for one raises before it has."""
    actor_killed_at_order: int = 0
    """An actor dies with the handler in which it sent one: all its effects are done, and nothing after."""
    actor_hung: int = 0
    """Any actor stops for up to `hang_ms_max`: shorter than its patience it goes on, longer it is killed."""
    hang_ms_max: int = 4_000
    actors_hunted: int = 0
    """So many actors of the day are killed again each time that a successor is up: beyond every limit."""
    machine_killed: int = 0
    """All actors and the Supervisor die at once; the machine is started again from its journal."""
    machine_down_ms_max: int = 3_000
    journal_torn_permille: int = 0
    """Share of the machine's deaths that come in the middle of the journal's next write."""
    machine_rebooted_permille: int = 0
    """Share of the machine's deaths after which its monotonic clock begins anew."""
    message_delayed_permyriad: int = 0
    """Messages in 10,000 that take up to 600 ms longer."""
    host_clock_stepped: int = 0
    """The host's wall clock jumps by up to `step_ms_max`, either way."""
    step_ms_max: int = 1_500

    def __post_init__(self) -> None:
        for each in fields(self):
            assert getattr(self, each.name) >= 0, each.name


NO_MACHINE_FAULTS = MachineFaults()

MACHINE_FAULT_SETS: dict[str, MachineFaults] = {
    "actors": MachineFaults(
        actor_killed=200,
        actor_killed_midway=300,
        actor_raised=120,
        actor_raised_at_order=240,
        actor_killed_at_order=240,
        actor_hung=60,
        message_delayed_permyriad=5,
    ),
    "machine": MachineFaults(machine_killed=240, journal_torn_permille=400, machine_rebooted_permille=300),
    "relentless": MachineFaults(actors_hunted=1),
    "messages": MachineFaults(message_delayed_permyriad=60),
    "clock": MachineFaults(host_clock_stepped=480),
}
"""By name, for `--faults`. "all" draws from every one of them."""

ALL_MACHINE_FAULTS = MachineFaults(
    actor_killed=60,
    actor_killed_midway=120,
    actor_raised=40,
    actor_raised_at_order=40,
    actor_killed_at_order=40,
    actor_hung=30,
    machine_killed=30,
    journal_torn_permille=300,
    machine_rebooted_permille=250,
    message_delayed_permyriad=8,
    host_clock_stepped=60,
)


HUNT_MS = (20, 2_000)
"""How long a hunted actor is up before it is killed again. It begins in the first half of a storm: four deaths in the
other half are more than may be restarted."""


class Blow(Enum):
    KILL = "kill"
    KILL_MIDWAY = "kill midway"
    RAISE = "raise"
    RAISE_AT_ORDER = "raise at order"
    KILL_AT_ORDER = "kill at order"
    HANG = "hang"
    HUNT = "hunt"
    KILL_MACHINE = "kill machine"
    STEP_CLOCK = "step clock"


@dataclass(frozen=True, slots=True)
class PlannedBlow:
    at_ns: int
    """After the start of the storm."""
    blow: Blow
    pick: int
    """Decides which actor it strikes, of those that live then."""
    size: int
    """KILL_MIDWAY: effects before the end. HANG, KILL_MACHINE, HUNT (a successor's): ns. STEP_CLOCK: signed ns."""
    torn: bool = False
    rebooted: bool = False


def plan_blows(faults: MachineFaults, storm_ns: int, random: Random) -> tuple[PlannedBlow, ...]:
    """All blows of a storm of that length, in order of time."""
    return tuple(sorted(_blows(faults, storm_ns, random), key=lambda blow: blow.at_ns))


def clock_ahead(from_ns: int, to_ns: int, step_ns: int) -> tuple[PlannedBlow, PlannedBlow]:
    """The host's clock runs ahead by a step from some time on, until it is set right. Both after the storm's start."""
    return (
        PlannedBlow(at_ns=from_ns, blow=Blow.STEP_CLOCK, pick=0, size=step_ns),
        PlannedBlow(at_ns=to_ns, blow=Blow.STEP_CLOCK, pick=0, size=-step_ns),
    )


def _blows(faults: MachineFaults, storm_ns: int, random: Random) -> Iterator[PlannedBlow]:
    rates = (
        (Blow.KILL, faults.actor_killed),
        (Blow.KILL_MIDWAY, faults.actor_killed_midway),
        (Blow.RAISE, faults.actor_raised),
        (Blow.HANG, faults.actor_hung),
        (Blow.KILL_MACHINE, faults.machine_killed),
        (Blow.STEP_CLOCK, faults.host_clock_stepped),
        (Blow.RAISE_AT_ORDER, faults.actor_raised_at_order),
        (Blow.KILL_AT_ORDER, faults.actor_killed_at_order),
    )
    for _ in range(faults.actors_hunted):
        at_ns, size = random.randrange(storm_ns // 8, storm_ns // 2), random.randint(*HUNT_MS) * MS
        yield PlannedBlow(at_ns=at_ns, blow=Blow.HUNT, pick=random.randrange(1 << 30), size=size)
    for blow, rate in rates:
        for _ in range(_count(rate * storm_ns, 3_600 * SECOND, random)):
            is_death = blow is Blow.KILL_MACHINE
            yield PlannedBlow(
                at_ns=random.randrange(storm_ns),
                blow=blow,
                pick=random.randrange(1 << 30),
                size=_size(blow, faults, random),
                torn=is_death and random.randrange(1_000) < faults.journal_torn_permille,
                rebooted=is_death and random.randrange(1_000) < faults.machine_rebooted_permille,
            )


def _count(expected: int, per: int, random: Random) -> int:
    """A whole number whose mean is `expected` / `per`: up to twice as many, evenly drawn."""
    whole, rest = divmod(2 * expected, per)
    return random.randint(0, whole + (random.randrange(per) < rest))


def _size(blow: Blow, faults: MachineFaults, random: Random) -> int:
    match blow:
        case Blow.KILL_MIDWAY:
            return random.randint(0, 7)
        case Blow.HANG:
            return random.randint(50, max(50, faults.hang_ms_max)) * MS
        case Blow.KILL_MACHINE:
            return random.randint(200, max(200, faults.machine_down_ms_max)) * MS
        case Blow.STEP_CLOCK:
            return random.randint(-faults.step_ms_max, faults.step_ms_max) * MS
        case _:
            return 0
