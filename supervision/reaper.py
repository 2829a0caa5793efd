"""python -m supervision.reaper PORT: shut down the actor system whose admin listens on PORT, if it still does."""

import socket
import sys

from supervision.system import attach


def main() -> None:
    port = int(sys.argv[1])
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return
    attach(port).shutdown()


if __name__ == "__main__":
    main()
