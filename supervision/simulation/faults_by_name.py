"""What `--faults NAME` means: sets of the broker's faults, of the machine's, or all of both."""

from dataclasses import dataclass

from kiwoom.simulated.fault_sets import FAULT_SETS
from supervision.simulation.machine_faults import (
    ALL_MACHINE_FAULTS,
    MACHINE_FAULT_SETS,
    NO_MACHINE_FAULTS,
    MachineFaults,
)

NONE, ALL = "none", "all"


@dataclass(frozen=True, slots=True)
class NamedFaults:
    name: str
    broker: tuple[str, ...]
    """Names of kiwoom.simulated.fault_sets."""
    machine: MachineFaults


def names() -> tuple[str, ...]:
    """Everything that may stand after --faults."""
    return (NONE, *(name for name in FAULT_SETS if name != ALL), *MACHINE_FAULT_SETS, ALL)


def faults_named(name: str) -> NamedFaults:
    """Raises KeyError for a name that is none of `names`."""
    if name == NONE:
        return NamedFaults(name, (), NO_MACHINE_FAULTS)
    if name == ALL:
        return NamedFaults(name, (ALL,), ALL_MACHINE_FAULTS)
    if name in MACHINE_FAULT_SETS:
        return NamedFaults(name, (), MACHINE_FAULT_SETS[name])
    if name not in FAULT_SETS:
        raise KeyError(name)
    return NamedFaults(name, (name,), NO_MACHINE_FAULTS)
