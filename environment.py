"""Makes the project's own virtual environment from pinned versions; used by paper.py and check.py.

Needs nothing but Python 3.11 or newer with pip and venv, on Windows or Linux. A second call finds everything in place
and returns at once.
"""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
FOLDER = ROOT / ".venv"
OLDEST = (3, 11)


def environment_python(requirements: str) -> Path:
    """The environment's interpreter, with `requirements` (a file in requirements/) and this project installed.

    Exits with a sentence if this Python is too old or the installation fails.
    """
    if sys.version_info < OLDEST:
        sys.exit(f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed; this is {sys.version.split()[0]}")
    python = FOLDER / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = FOLDER / f"{requirements}.stamp"
    wanted = _fingerprint()
    if python.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    print("Preparing the environment in .venv (once; a minute or two)...", file=sys.stderr, flush=True)
    if not python.exists():
        try:
            venv.create(FOLDER, with_pip=True)
        except (OSError, subprocess.CalledProcessError) as fault:
            sys.exit(f"cannot make {FOLDER}: {fault}. On Debian and Ubuntu: apt install python3-venv")
    _pip(python, "install", "-r", str(ROOT / "requirements" / requirements))
    _pip(python, "install", "--no-deps", "-e", str(ROOT))
    stamp.write_text(wanted, encoding="utf-8")
    return python


def run(python: Path, *arguments: str) -> int:
    """Run the environment's interpreter in the project's folder; its exit code. Ctrl-C is the child's to handle."""
    process = subprocess.Popen([str(python), *arguments], cwd=ROOT)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # the child got it too and ends in order


def _pip(python: Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    if subprocess.call(command) != 0:
        sys.exit("installing the pinned packages failed; the lines above say why (is the package index reachable?)")


def _fingerprint() -> str:
    files = [*sorted((ROOT / "requirements").glob("*.txt")), ROOT / "pyproject.toml"]
    text = b"".join(file.read_bytes() for file in files) + sys.version.encode()
    return hashlib.sha256(text).hexdigest()
