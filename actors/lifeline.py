"""A process that must not outlive its launcher holds a lifeline: a socket that breaks when the launcher is gone.

However the launcher dies (Ctrl-C, kill, kill -9, power), the operating system closes its end. A daemon thread waits
for that; it costs nothing while the launcher lives.
"""

import signal
import socket
import threading
from collections.abc import Callable

CRASHES = ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL")


def let_crashes_end_us() -> None:
    """A crash ends the process at once. Thespian's handlers would return to the instruction that crashed, for ever."""
    for name in CRASHES:
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, signal.SIG_DFL)


def hold_lifeline(port: int, on_broken: Callable[[], None]) -> None:
    """Connect to the launcher's lifeline `port` on the loopback; call `on_broken` (on a thread) once it breaks.

    Port 0 = nobody to outlive (tests, simulation). A launcher that is gone already counts as broken.
    """
    if port:
        threading.Thread(target=_wait_for_end, args=(port, on_broken), name="lifeline", daemon=True).start()


def _wait_for_end(port: int, on_broken: Callable[[], None]) -> None:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
            line.settimeout(None)
            while line.recv(64):
                pass
    except OSError:
        pass  # refused or reset: the launcher is gone, which is what we wait for
    on_broken()
