"""The launcher's end of the lifeline: a listening socket whose connections break when the launcher is gone."""

import socket
import threading


class LifelineServer:
    """Accepts and keeps connections; says nothing on them. Closing it, or the process's end, breaks them all."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._held: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name="lifeline", daemon=True).start()

    def close(self) -> None:
        self._listener.close()
        for line in self._held:
            line.close()

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            self._held.append(line)
