"""The same seeds in fresh processes with different hash seeds give the same journals, to the last byte."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.real_run import ARB, ROOT

pytestmark = pytest.mark.system

SEEDS = 6
SOAK_SEEDS = int(os.environ.get("ARB_DETERMINISM_SEEDS", "0"))
"""50 takes some minutes: asked for before a release, not in every run."""


def _day_is_there() -> bool:
    try:
        import supervision.simulation.day  # noqa: F401
    except ImportError:
        return False
    return True


def digests(home: Path, hash_seed: str, jobs: int, seeds: int = SEEDS) -> list[str]:
    done = subprocess.run(
        [*ARB, "simulate", "--seeds", f"1..{seeds}", "--faults", "all", "--jobs", str(jobs), "--digests"],
        cwd=ROOT,
        env={**os.environ, "ARB_HOME": str(home), "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=200 + 10 * seeds,
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.splitlines()


@pytest.mark.skipif(not _day_is_there(), reason="the simulated day does not import")
def test_fresh_processes_with_different_hash_seeds_print_identical_digests(tmp_path: Path) -> None:
    first, second = digests(tmp_path, "1", jobs=1), digests(tmp_path, "4711", jobs=2)
    assert first == second
    assert [line.split()[0] for line in first] == [str(seed) for seed in range(1, SEEDS + 1)]
    assert len({line.split()[1] for line in first}) == SEEDS, "different seeds must be different days"


@pytest.mark.skipif(SOAK_SEEDS == 0, reason="ARB_DETERMINISM_SEEDS, say 50, asks for it")
@pytest.mark.timeout(0)
def test_many_seeds_in_fresh_processes_print_identical_digests(tmp_path: Path) -> None:
    first = digests(tmp_path, "0", jobs=2, seeds=SOAK_SEEDS)
    second = digests(tmp_path, "987654321", jobs=2, seeds=SOAK_SEEDS)
    assert first == second
    assert len(first) == SOAK_SEEDS
