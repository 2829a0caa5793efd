"""`python -m kiwoom.simulated SETUP.json [--port N] [--exit-on-stdin-eof]`: the simulated broker as a process.

Prints one line, `listening PORT`, when it can be connected to. Exit code 0 after an orderly end, 2 for a bad setup.
"""

import argparse
import sys
from pathlib import Path

from kiwoom.simulated.server import serve
from kiwoom.simulated.setup_file import SetupError, read_setup


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m kiwoom.simulated", description=__doc__)
    parser.add_argument("setup", type=Path, help="the setup, a JSON file")
    parser.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1; 0 = any free one")
    parser.add_argument("--exit-on-stdin-eof", action="store_true", help="end when standard input ends")
    arguments = parser.parse_args()
    try:
        serve(read_setup(arguments.setup), port=arguments.port, exit_on_stdin_eof=arguments.exit_on_stdin_eof)
    except SetupError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
