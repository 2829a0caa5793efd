"""The simulated broker as a process: real time, a socket for one client at a time, the ledger on disk.

One thread waits for the client, the listening socket and the broker's next event together, and does a few steps of
the market's work between two looks at its sockets, so that an order is never kept waiting behind quotes. A client may
go and another come: orders live on. A second client takes the place of the first, as a second login does.

The market's clock is the host's plus an offset, read once and then carried by `time.perf_counter_ns`, the monotonic
clock here and on the trading side. It ends on SIGTERM, on a call named "shutdown", and (with `exit_on_stdin_eof`)
when its standard input ends, that is, when whoever started it is gone: at once if nobody is connected, else when that
client has left, which may have pairs to close, or after GRACE_S. It ignores Ctrl-C, which concerns its launcher.
"""

import ctypes
import gc
import json
import os
import selectors
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final, TextIO

from kiwoom.simulated.broker import SimulatedBroker, UnknownCallError
from kiwoom.simulated.ledger import HEADER, LedgerKind, ledger_line
from kiwoom.simulated.setup_file import Setup, build_broker, read_scenario
from kiwoom.simulated.wire import CallFrame, FrameReader, ReplyFrame, WireError, encode

STEPS_BETWEEN_LOOKS: Final = 8
"""Market events between two looks at the sockets: well below a millisecond of work."""
WAIT_S_MAX: Final = 0.5
GRACE_S: Final = 30
"""How long a client is served on when whoever started the broker is gone."""
UNSENT_BYTES_MAX: Final = 64_000_000
"""A client that reads nothing for so long is cut off."""
_RECEIVE_BYTES: Final = 262_144

SHUTDOWN: Final = "shutdown"


class RunningClock:
    """The host's clock as it was at the start plus an offset, carried on by the performance counter (nanoseconds)."""

    def __init__(self, wall_offset_ns: int) -> None:
        self._wall_less_mono = time.time_ns() + wall_offset_ns - time.perf_counter_ns()

    def read(self) -> tuple[int, int]:
        """(monotonic, wall) of now."""
        mono = time.perf_counter_ns()
        return mono, mono + self._wall_less_mono


class _Client:
    """One connection: what it sent, and what it has not been able to take yet."""

    def __init__(self, line: socket.socket) -> None:
        line.setblocking(False)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.line = line
        self.reader = FrameReader()
        self.unsent = bytearray()


class Server:
    """Owns the sockets and the files; asks the broker for everything else."""

    def __init__(self, broker: SimulatedBroker, clock: RunningClock, ledger: TextIO, port: int) -> None:
        self._broker = broker
        self._clock = clock
        self._ledger = ledger
        # select has a microsecond's resolution everywhere; epoll rounds up to a millisecond.
        self._selector = selectors.SelectSelector()
        self._listener = socket.create_server(("127.0.0.1", port))
        self._listener.setblocking(False)
        self._wake_receiver, self._wake_sender = socket.socketpair()
        self._wake_receiver.setblocking(False)
        self._wake_sender.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake_receiver, selectors.EVENT_READ)
        self._client: _Client | None = None
        self._stopping = False
        self._last_client_until: int | None = None
        """Monotonic ns; set by another thread when whoever started us is gone."""

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def wake_fileno(self) -> int:
        """A byte written here makes the loop look up."""
        return self._wake_sender.fileno()

    def stop(self) -> None:
        """From a signal handler or another thread: end soon."""
        self._stopping = True
        # With a full buffer the loop is awake anyway.
        try:
            self._wake_sender.send(b"\0")
        except OSError:
            return

    def stop_after_client(self) -> None:
        """From another thread: end once no client is connected, in GRACE_S at the latest."""
        self._last_client_until = self._clock.read()[0] + GRACE_S * 1_000_000_000
        try:
            self._wake_sender.send(b"\0")
        except OSError:
            return

    def run(self) -> None:
        """Serve until stopped; then close the books."""
        self._broker.record_positions(LedgerKind.OPEN_POSITION, *self._clock.read())
        self._write_ledger()
        while not self._stopping and not self._is_abandoned():
            self._advance()
            for key, events in self._selector.select(self._wait_s()):
                self._attend(key.fileobj, events)
        self._broker.record_positions(LedgerKind.CLOSE_POSITION, *self._clock.read())
        self._write_ledger()
        self._drop_client()
        for opened in (self._listener, self._wake_receiver, self._wake_sender, self._selector):
            opened.close()

    def _is_abandoned(self) -> bool:
        until = self._last_client_until
        return until is not None and (self._client is None or self._clock.read()[0] >= until)

    def _wait_s(self) -> float:
        _, wall = self._clock.read()
        return min(WAIT_S_MAX, max(0, self._broker.next_at() - wall) / 1_000_000_000)

    def _advance(self) -> None:
        frames = self._broker.due(*self._clock.read(), steps=STEPS_BETWEEN_LOOKS)
        self._write_ledger()
        if frames and self._client is not None:
            for frame in frames:
                self._client.unsent += encode(frame)
            self._flush()

    def _attend(self, fileobj: Any, events: int) -> None:
        if fileobj is self._listener:
            self._accept()
        elif fileobj is self._wake_receiver:
            self._wake_receiver.recv(4_096)
        elif self._client is not None and fileobj is self._client.line:
            if events & selectors.EVENT_READ:
                self._receive()
            if events & selectors.EVENT_WRITE:
                self._flush()

    def _accept(self) -> None:
        try:
            line, _ = self._listener.accept()
        except OSError:
            return  # It went away again before we looked.
        if self._client is not None:
            # What the one before had sent has arrived: an order of a client that died is an order.
            self._receive()
        self._drop_client()
        self._client = _Client(line)
        self._selector.register(line, selectors.EVENT_READ)

    def _drop_client(self) -> None:
        if self._client is not None:
            self._selector.unregister(self._client.line)
            self._client.line.close()
            self._client = None
            self._broker.disconnected()

    def _receive(self) -> None:
        client = self._client
        assert client is not None
        try:
            data = client.line.recv(_RECEIVE_BYTES)
            frames = client.reader.feed(data)
            if not data:
                self._drop_client()
                return
            for frame in frames:
                if not isinstance(frame, CallFrame):
                    raise WireError("a client only calls")
                client.unsent += encode(self._answer(frame))
        except BlockingIOError:
            return
        except (OSError, WireError, UnknownCallError):
            self._drop_client()
            return
        self._flush()

    def _answer(self, call: CallFrame) -> ReplyFrame:
        if call.name == SHUTDOWN:
            self._stopping = True
            return ReplyFrame(0)
        reply = self._broker.call(call, *self._clock.read())
        self._write_ledger()
        return reply

    def _flush(self) -> None:
        """Send what the client takes now; the rest when it can take more."""
        client = self._client
        if client is None:
            return
        try:
            while client.unsent:
                sent = client.line.send(client.unsent)
                del client.unsent[:sent]
        except BlockingIOError:
            if len(client.unsent) > UNSENT_BYTES_MAX:
                self._drop_client()
                return
        except OSError:
            self._drop_client()
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.unsent else 0)
        if self._selector.get_key(client.line).events != wanted:
            self._selector.modify(client.line, wanted)

    def _write_ledger(self) -> None:
        """Each row is handed to the system before anything that follows from it is sent."""
        rows = self._broker.take_ledger()
        if rows:
            self._ledger.writelines(ledger_line(row) for row in rows)
            self._ledger.flush()


def serve(setup: Setup, *, port: int, exit_on_stdin_eof: bool) -> None:
    """Build the broker of `setup` and serve it until told to stop. Raises `SetupError`."""
    clock = RunningClock(setup.wall_offset_ns)
    _, start_wall = clock.read()
    broker = build_broker(setup, read_scenario(setup), start_wall)
    ledger_path = Path(setup.ledger)
    ledger_path.parent.mkdir(parents=True, exist_ok=True)
    with ledger_path.open("w", encoding="utf-8", newline="") as ledger:
        ledger.write(HEADER)
        server = Server(broker, clock, ledger, port)
        _heed_signals(server)
        if exit_on_stdin_eof:
            threading.Thread(target=_stop_at_stdin_end, args=(server,), daemon=True).start()
        _make_waits_exact()
        _give_way()
        # What is built lives to the end: the collector need not walk through it again and again.
        gc.collect()
        gc.freeze()
        sys.stdout.write(f"listening {server.port}\n")
        sys.stdout.flush()
        server.run()
    _write_summary(Path(setup.summary), broker.summary())


def _heed_signals(server: Server) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("SIGTERM", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, lambda *_: server.stop())


def _stop_at_stdin_end(server: Server) -> None:
    """A thread of its own, because Windows cannot wait for a pipe and a socket together."""
    while os.read(0, 4_096):
        pass
    server.stop_after_client()


def _give_way() -> None:
    """Kiwoom's servers are other machines: here they should not take the processor from the machine that trades."""
    if hasattr(os, "nice"):
        os.nice(5)


def _make_waits_exact() -> None:
    """Windows wakes a waiting process every 15.6 ms unless asked for better."""
    if sys.platform == "win32":
        ctypes.windll.winmm.timeBeginPeriod(1)


def _write_summary(path: Path, summary: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".new")
    unfinished.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    unfinished.replace(path)
