"""The documents say what the code does, where a machine can tell."""

import re
from pathlib import Path

from actors.domain.pair import table_as_mermaid

WORDS = Path("README.md").read_text(encoding="utf-8")


def test_the_drawn_pair_table_is_the_one_that_trades() -> None:
    text = Path("ARCHITECTURE.md").read_text(encoding="utf-8")
    drawn = re.search(r"```mermaid\n(.*?)\n```", text, re.DOTALL)
    assert drawn is not None
    assert drawn[1] == table_as_mermaid().rstrip()


def test_every_file_that_the_readme_names_exists() -> None:
    named = re.findall(r"\]\(([^)#:]+)\)", WORDS)
    assert named
    assert [name for name in named if not Path(name).exists()] == []


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = re.findall(r"^## (\d+)\. ", Path("DECISIONS.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert [int(number) for number in numbers] == list(range(1, len(numbers) + 1))
