"""What the operator does in the middle of a storm: no fault, but as much a part of some days as the faults are.

Everything that he takes away he gives back soon, or the rest of the day would have nothing to look at. A command that
finds the machine down is lost, as it is for him.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from actors.messages.session import Command, OperatorCommand
from kiwoom.market import MS, SECOND

BUSY_PERCENT = 50
"""Days on which he does anything before the storm is over."""
NERVOUS_PERCENT = 55
"""Of these so many on which he hardly ever leaves it alone."""
GAP_NS, NERVOUS_GAP_NS = (2 * SECOND, 9 * SECOND), (500 * MS, 2 * SECOND)
AWAY_NS, NERVOUS_AWAY_NS = (150 * MS, 1_800 * MS), (50 * MS, 300 * MS)
"""How long until he takes it back."""


@dataclass(frozen=True, slots=True)
class TimedOrder:
    at_ns: int
    """After the start of the storm."""
    command: OperatorCommand


def operator_orders(storm_ns: int, symbols: Sequence[str], random: Random) -> tuple[TimedOrder, ...]:
    """All that he presses during a storm of that length, in order of time; nothing on most days."""
    if random.randrange(100) >= BUSY_PERCENT:
        return ()
    return tuple(_orders(storm_ns, symbols, random))


def keeps_flattening(storm_ns: int, random: Random) -> tuple[TimedOrder, ...]:
    """Flatten, and Arm soon after it, all through the storm: often enough to meet every state of a pair."""
    presses: list[TimedOrder] = []
    at_ns = random.randint(*GAP_NS)
    while at_ns + NERVOUS_AWAY_NS[1] < storm_ns:
        presses.append(TimedOrder(at_ns, OperatorCommand(Command.FLATTEN)))
        at_ns += random.randint(*NERVOUS_AWAY_NS)
        presses.append(TimedOrder(at_ns, OperatorCommand(Command.ARM)))
        at_ns += random.randint(*NERVOUS_GAP_NS)
    return tuple(presses)


def _orders(storm_ns: int, symbols: Sequence[str], random: Random) -> Iterator[TimedOrder]:
    # Flatten reaches every live pair, in whatever state: it is what he presses most.
    favourite = random.choice((Command.FLATTEN, Command.FLATTEN, Command.FLATTEN, Command.STOP, Command.MUTE))
    is_nervous = random.randrange(100) < NERVOUS_PERCENT
    gap_ns, away_ns = (NERVOUS_GAP_NS, NERVOUS_AWAY_NS) if is_nervous else (GAP_NS, AWAY_NS)
    at_ns = random.randint(*GAP_NS)
    while True:
        command = random.choice((favourite, favourite, favourite, Command.STOP, Command.DISARM, Command.MUTE))
        symbol = random.choice(symbols) if command is Command.MUTE else None
        back_ns = at_ns + random.randint(*away_ns)
        if back_ns >= storm_ns:
            return
        yield TimedOrder(at_ns, OperatorCommand(command, symbol))
        back = Command.ARM if symbol is None else Command.UNMUTE
        yield TimedOrder(back_ns, OperatorCommand(back, symbol))
        at_ns = back_ns + random.randint(*gap_ns)
