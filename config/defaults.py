"""Writes config/defaults.yaml: every key at its default, each with its meaning. Run `python -m config.defaults`."""

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from config.check import as_written
from config.schema import Key, keys

FILE: Final = Path(__file__).with_name("defaults.yaml")
WIDTH: Final = 118

_HEAD: Final = """\
# Every key at its default, with its meaning and what is allowed. Written by `python -m config.defaults` from
# config/schema.py: change the schema, not this file. Your own file needs only the keys that differ.
"""


def render() -> str:
    return _HEAD + "".join(line + "\n" for line in _lines())


def _lines() -> Iterator[str]:
    for key in keys():
        if "CODE" in key.path or "DATE" in key.path:
            yield from _entry_comment(key)
            continue
        depth = key.path.count(".")
        indent = "  " * depth
        if key.is_section:
            if depth == 0:
                yield ""
            yield from _comment(key.meaning, indent)
            yield f"{indent}{_name(key)}:"
        else:
            yield from _comment(_about(key), indent)
            yield from _value(key, indent)


def _entry_comment(key: Key) -> Iterator[str]:
    """What may stand in a map of symbols or dates: comments only, as by default there is none."""
    if not key.is_section:
        depth = key.path.count(".") - 1
        tail = key.path.partition(".CODE.")[2] or key.path.partition(".DATE.")[2]
        yield from _comment(f"- {tail}: {_about(key)}", "  " * min(depth, 2))


def _about(key: Key) -> str:
    source = f" Source: {key.source}." if key.source else ""
    return f"{key.meaning} Allowed: {key.allowed}.{source}"


def _comment(text: str, indent: str) -> Iterator[str]:
    return (f"{indent}# {line}" for line in textwrap.wrap(text, WIDTH - len(indent), break_long_words=False))


def _value(key: Key, indent: str) -> Iterator[str]:
    value: Any = key.default
    if isinstance(value, tuple) and value and not isinstance(value[0], str):
        yield f"{indent}{_name(key)}:"
        yield from (f"{indent}  - {as_written(item)}" for item in value)
    else:
        yield f"{indent}{_name(key)}: {as_written(value)}"


def _name(key: Key) -> str:
    return key.path.rpartition(".")[2]


if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8", newline="\n")
