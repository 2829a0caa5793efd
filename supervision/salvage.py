"""The end of a machine whose Supervisor is gone: no new pairs, the live ones finish by themselves, then all are ended.

Nobody can be told anything any more, because only the Supervisor knows where the actors are. What is left is what it
said last: the actors' process ids. Pairs do not need it: PairManager, Throttler and Gateway speak to each other.
"""

import os
import signal
import time
from pathlib import Path

from actors.effects import Role
from actors.messages.supervision import MachineStatus
from supervision.results import pairs_open_in
from supervision.session import FINISH_S, POLL_S
from supervision.status_line import StatusLine

SETTLE_S = 1.0
"""A signal that was under way has become a pair in the journal by then, or nothing."""


def salvage(last: MachineStatus, journal: Path, line: StatusLine) -> None:
    """End the source of signals, wait until the journal tells no live pair, then end every other process."""
    if last.supervisor_pid:
        end_process(last.supervisor_pid)
    for actor in last.actors:
        if actor.name == Role.SPREAD_ENGINE.value and actor.pid:
            end_process(actor.pid)
    line.say("no new pairs; waiting until the live ones have ended")
    time.sleep(SETTLE_S)
    deadline = time.monotonic() + FINISH_S
    while pairs_open_in(journal) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    time.sleep(SETTLE_S)  # rows of the last handlers are written within a quarter of a second
    for actor in last.actors:
        if actor.name != Role.SPREAD_ENGINE.value and actor.pid:
            end_process(actor.pid)


def end_process(pid: int) -> None:
    """At once; it may be gone already."""
    try:
        os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    except OSError:
        return
