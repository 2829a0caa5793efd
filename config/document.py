"""A YAML file as a tree of texts, each with its line.

What a text means is decided by config.schema, so YAML's own guesses (000660 as an octal number, 15:19:50 as seconds,
yes as true) play no part. Anchors, aliases, tags and repeated keys are refused: every value stands once, where it
is read. Limits: one document, config.text.SIZE_MAX bytes, DEPTH_MAX levels.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from config.scalars import PlainScalar, shown
from config.text import TextError, read_text

DEPTH_MAX: Final = 12
"""Twice what any known key needs."""

KeyPath = tuple[str | int, ...]
"""Keys, and the numbers of list items, from the top of the file."""

_FIRST_LINE: Final = 1
_ORDINARY_TAGS: Final = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("null", "bool", "int", "float", "timestamp", "str", "seq", "map", "merge", "value")
)


@dataclass(slots=True)
class Document:
    """A file as texts: `tree` of dict, list and str, `lines` by path, what is wrong with its writing.

    `unreadable`: nothing is known of it but its faults.
    """

    name: str
    tree: dict[str, Any] = field(default_factory=dict)
    lines: dict[KeyPath, int] = field(default_factory=dict)
    faults: list[tuple[int, str]] = field(default_factory=list)
    """(line for the order, text)"""
    unreadable: bool = False

    def tell(self, line: int, path: KeyPath, text: str) -> None:
        self.faults.append((line, f"{self.name}:{line}: {key_path(path) or 'file'}: {text}"))

    def line_of(self, path: KeyPath) -> int:
        """The line of `path`, or of what it stands in."""
        while path:
            if (line := self.lines.get(path)) is not None:
                return line
            path = path[:-1]
        return _FIRST_LINE


def read_document(path: Path) -> Document:
    document = Document(str(path))
    try:
        text = read_text(path)
    except TextError as error:
        document.faults.append((0, f"{path}: {error}; allowed: a YAML configuration, such as config/config.yaml"))
        document.unreadable = True
        return document
    node, fault = _compose(text)
    if fault is not None:
        document.faults.append((fault[0], f"{path}:{fault[0]}: {fault[1]}"))
        document.unreadable = True
    elif node is not None:
        tree = _texts(node, (), document)
        if isinstance(tree, dict):
            document.tree = tree
        elif tree != "":
            document.tell(document.line_of(()), (), "is not a map; allowed: sections and their keys")
    return document


def read_value(text: str) -> tuple[Any, str]:
    """One value as it would stand behind its key, and what is wrong with it (empty: nothing)."""
    node, fault = _compose(text)
    if fault is not None:
        return None, fault[1]
    if node is None:
        return PlainScalar(""), ""
    scratch = Document("")
    value = _texts(node, (), scratch)
    return value, "not a value; allowed: one value, a [list] or a {map}" if scratch.faults else ""


def key_path(path: KeyPath) -> str:
    """The path as people write it: section.key, list[0]."""
    words = ""
    for part in path:
        words += f"[{part}]" if isinstance(part, int) else f".{one_line(part)}" if words else one_line(part)
    return words


def one_line(key: str) -> str:
    plain = key if key.isprintable() else repr(key)
    return plain if len(plain) <= 80 else plain[:77] + "..."


class _Loader(yaml.SafeLoader):
    """Composes nodes only, and refuses aliases: a node that stands in two places has no one line."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "an alias (*name) is not used here", event.start_mark)
        return super().compose_node(parent, index)


def _compose(text: str) -> tuple[yaml.Node | None, tuple[int, str] | None]:
    """The node tree, or the line and words of what YAML cannot read."""
    try:
        loader = _Loader(text)
        try:
            return loader.get_single_node(), None
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "cannot be read"
        if "'\\t'" in problem:
            problem = "a tab cannot indent"
        return None, ((mark.line + 1) if mark else _FIRST_LINE, f"not YAML: {problem}; allowed: spaces, key: value")
    except yaml.reader.ReaderError as error:
        # The position counts characters that were read, of which our text has as many.
        line = text.count("\n", 0, error.position) + 1
        return None, (line, "not YAML: an unprintable character; allowed: text")
    except RecursionError:
        return None, (_FIRST_LINE, "not YAML: nested too deeply; allowed: sections and their keys")


def _texts(node: yaml.Node, path: KeyPath, document: Document) -> Any:
    line = node.start_mark.line + 1
    document.lines.setdefault(path, line)
    if node.tag not in _ORDINARY_TAGS:
        document.tell(line, path, f"the tag {shown(node.tag)} is not used here; allowed: plain values")
        return PlainScalar("")
    if len(path) > DEPTH_MAX:
        document.tell(line, path[:DEPTH_MAX], "nested too deeply; allowed: sections and their keys")
        return PlainScalar("")
    match node:
        case yaml.MappingNode():
            return _texts_of_map(node, path, document)
        case yaml.SequenceNode():
            return [_texts(item, (*path, index), document) for index, item in enumerate(node.value)]
        case yaml.ScalarNode():
            if node.style is not None:
                return str(node.value)
            return PlainScalar("" if node.value in ("~", "null") else node.value)
        case _:
            raise AssertionError(node)


def _texts_of_map(node: yaml.MappingNode, path: KeyPath, document: Document) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            document.tell(line, path, "a key is not a word; allowed: key: value")
            continue
        key = str(key_node.value)
        below = (*path, key)
        if key in tree:
            document.tell(line, below, f"stands in line {document.lines[below]} already; allowed: each key once")
            continue
        document.lines[below] = line
        tree[key] = _texts(value_node, below, document)
    return tree
