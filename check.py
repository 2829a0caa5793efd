"""python check.py: the tests, from a fresh clone, with one command. `python check.py all` adds lint, types, imports
and a hundred simulated days with every fault.

Further arguments go to pytest: python check.py -k throttler
"""

import sys
from pathlib import Path

from environment import environment_python, run

STATIC = (
    ("format", ("-m", "ruff", "format", "--check", ".")),
    ("lint", ("-m", "ruff", "check", ".")),
    ("types", ("-m", "mypy")),
    ("simulation", ("-m", "supervision", "simulate", "--seeds", "1..100", "--faults", "all")),
    ("imports", ("-c", "import sys; from importlinter.cli import lint_imports_command as c; sys.exit(c())")),
)


def main(arguments: list[str]) -> int:
    python = environment_python("dev.txt")
    everything = arguments[:1] == ["all"]
    failed = _tests(python, arguments[1:] if everything else arguments)
    for name, command in STATIC if everything else ():
        print(f"-- {name}", flush=True)
        failed = run(python, *command) or failed
    return failed


def _tests(python: Path, arguments: list[str]) -> int:
    print("-- tests", flush=True)
    return run(python, "-m", "pytest", "-q", *arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
