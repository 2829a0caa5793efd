"""The notes for people name only keys and commands that exist."""

import re
from pathlib import Path

import pytest

from config.reader import SHIPPED
from config.schema import keys

NOTES = sorted(SHIPPED.glob("*.md"))
COMMANDS = {"check", "run", "desk", "stop", "flatten", "status", "simulate", "replay", "report", "bench", "doctor"}
OPTIONS = {
    "run": {"--config", "--mode", "--scenario", "--seed", "--clock", "--duration", "--arm", "--desk", "--headless",
            "--out", "--set"},
    "report": {"--xlsx", "--csv"},
    "simulate": {"--scenario", "--seeds", "--faults", "--jobs", "--out"},
    "desk": {"--connect"},
    "status": {"--json"},
}  # fmt: skip


def commands(note: Path) -> list[str]:
    return re.findall(r"(?:`|^    )(arb [^`#\n]*?)(?:`| {3,}|$)", note.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("note", NOTES, ids=[note.name for note in NOTES])
def test_every_key_in_a_note_exists(note: Path) -> None:
    known = {key.path for key in keys()}
    tops = {path.partition(".")[0] for path in known}
    named = re.findall(r"`([a-z_]+\.[a-z_.]+[a-z])(?:[:=][^`]*)?`", note.read_text(encoding="utf-8"))
    of_keys = [name for name in named if name.partition(".")[0] in tops and not name.endswith((".py", ".yaml"))]
    assert [name for name in of_keys if name not in known] == []


@pytest.mark.parametrize("note", NOTES, ids=[note.name for note in NOTES])
def test_every_command_in_a_note_exists(note: Path) -> None:
    for command in commands(note):
        verb, *words = command.split()[1:]
        assert verb in COMMANDS, command
        assert {word for word in words if word.startswith("--")} <= OPTIONS.get(verb, set()), command


def test_both_runbooks_give_the_same_commands_alerts_and_keys() -> None:
    english, korean = SHIPPED / "RUNBOOK.md", SHIPPED / "RUNBOOK.ko.md"
    assert set(commands(english)) == set(commands(korean))
    assert len(commands(english)) > 15
    for pattern in (r"^\| `([A-Z][^`]*)`", r"`([a-z_]+\.[a-z_.]+)`"):
        found = [set(re.findall(pattern, note.read_text(encoding="utf-8"), re.MULTILINE)) for note in (english, korean)]
        assert found[0] == found[1]
