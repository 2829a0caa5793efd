"""Every message is a frozen, slotted dataclass with a name of its own that survives its journey."""

import dataclasses
import importlib
import pickle
import pkgutil
from collections import Counter
from pathlib import Path

import pytest

import actors.messages
import kiwoom.control

MODULES = [
    importlib.import_module(info.name) for info in pkgutil.iter_modules(actors.messages.__path__, "actors.messages.")
]
MESSAGES = [
    value
    for module in [*MODULES, kiwoom.control]
    for value in vars(module).values()
    if isinstance(value, type) and value.__module__ == module.__name__ and dataclasses.is_dataclass(value)
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.__name__)
def test_a_message_is_frozen_and_slotted(message: type) -> None:
    assert message.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert "__slots__" in vars(message)


def test_message_names_are_unique() -> None:
    """Thespian's dispatch and the journal both know a message by its bare class name."""
    repeated = [name for name, count in Counter(m.__name__ for m in MESSAGES).items() if count > 1]
    assert repeated == []


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.__name__)
def test_a_message_survives_pickling(message: type) -> None:
    sample = message(*(field.name for field in dataclasses.fields(message)))
    assert pickle.loads(pickle.dumps(sample)) == sample


def test_each_conversation_says_who_speaks_to_whom() -> None:
    for module in MODULES:
        assert module.__doc__, module
        assert module.__doc__.startswith("Conversation: "), module
        assert "->" in module.__doc__, module


def test_every_actor_is_a_shell_over_a_core_of_the_same_name() -> None:
    shells = {path.stem for path in Path("actors").glob("*.py")}
    cores = {path.stem for path in Path("actors/cores").glob("*.py")} - {"__init__"}
    assert shells - {"__init__", "clock", "core", "effects", "host", "journal", "lifeline", "shell"} == cores
