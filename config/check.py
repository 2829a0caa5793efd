"""What `arb check` shows: every key in force, its value as a person writes it, and where it came from.

Secrets are never shown, only whether they are there; an account number keeps its first and last two digits.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import time
from decimal import Decimal
from enum import Enum
from typing import Any

from config.reader import LoadedConfig, flatten
from config.schema import Section, key_name


@dataclass(frozen=True, slots=True)
class Row:
    """One key: `origin` is "file:line", "default", "--set" or "alias of" another key."""

    path: str
    value: str
    origin: str


def describe(loaded: LoadedConfig) -> list[Row]:
    """Every key in the file's order; what a symbol or a date does not override is left out."""
    return [
        Row(path, _shown(path, value, loaded), loaded.origins[path])
        for path, value in flatten(loaded.config)
        if value is not None
    ]


def differences(before: LoadedConfig, after: LoadedConfig) -> list[tuple[str, str, str]]:
    """(key path, old value, new value) of what differs, masked alike; an absent value is empty."""
    old = {row.path: row.value for row in describe(before)}
    new = {row.path: row.value for row in describe(after)}
    return [
        (path, old.get(path, ""), new.get(path, ""))
        for path in dict.fromkeys((*old, *new))
        if old.get(path) != new.get(path)
    ]


def mask_account(account: str) -> str:
    """12******90: enough to tell two accounts apart, not enough to use one."""
    if len(account) < 6:
        return "*" * len(account)
    return account[:2] + "*" * (len(account) - 4) + account[-2:]


def as_written(value: Any) -> str:
    """The value as it stands in a configuration file."""
    match value:
        case bool():
            return "true" if value else "false"
        case None:
            return "null"
        case Enum():
            return str(value.value)
        case time():
            return quoted(value.isoformat())
        case Decimal() | int() | float():
            return str(value)
        case str():
            return value if _is_plain(value) else quoted(value)
        case Section():
            return "{" + ", ".join(_entries(value)) + "}"
        case dict():
            return "{" + ", ".join(f"{_map_key(key)}: {as_written(item)}" for key, item in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(as_written(item) for item in value) + "]"
        case _:
            return str(value)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _shown(path: str, value: Any, loaded: LoadedConfig) -> str:
    match path:
        case "kiwoom.account":
            return mask_account(value) or quoted("")
        case "alerts.slack.webhook" if value:
            return f"{value} ({'set' if loaded.slack_webhook() else 'not set'})"
        case _:
            return as_written(value)


def _is_plain(text: str) -> bool:
    """A word that YAML and a reader take for text without quotes."""
    words = ("true", "false", "yes", "no", "on", "off", "null")
    return text.isascii() and text.replace("_", "a").isalnum() and text[0].isalpha() and text.lower() not in words


def _entries(section: Section) -> Iterator[str]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if value is not None:
            yield f"{key_name(name, field)}: {as_written(value)}"


def _map_key(key: object) -> str:
    return quoted(str(key))
