"""Runs that end with their test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.real_run import Run


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Starts a run; at the end of the test it is gone."""
    runs: list[Run] = []

    def start_run(*arguments: str) -> Run:
        runs.append(Run(tmp_path, *arguments))
        return runs[-1]

    yield start_run
    for run in runs:
        run.close()
