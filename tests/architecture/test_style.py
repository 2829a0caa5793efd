"""What the linters cannot check: functions fit on a screen, names say what they hold, no float decides a trade."""

import ast
from pathlib import Path

import pytest

FOLDERS = ("actors", "kiwoom", "supervision", "config", "dashboards")
FILES = sorted(path for folder in FOLDERS for path in Path(folder).rglob("*.py"))
LINES_MAX = 70


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES, ids=str)
def test_functions_fit_on_a_screen(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= LINES_MAX, f"{path}:{node.lineno} {node.name} has {length} lines"


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_file_says_what_it_is(path: Path) -> None:
    if path.name != "__init__.py":
        assert ast.get_docstring(tree_of(path)), path


def test_no_room_is_called_after_its_dust() -> None:
    assert [path for path in FILES if path.stem in {"utils", "helpers", "common", "misc"}] == []


@pytest.mark.parametrize(
    "path",
    [p for p in FILES if p.parts[:2] in {("actors", "cores"), ("actors", "domain")} or p.name == "fees.py"],
    ids=str,
)
def test_no_float_decides_a_trade(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), f"{path}:{node.lineno}"
        assert not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)), f"{path}:{node.lineno}"
        assert not (isinstance(node, ast.Name) and node.id == "float"), f"{path}:{node.lineno}"


@pytest.mark.parametrize("path", FILES, ids=str)
def test_no_star_import_and_no_todo(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "import *" not in text
    assert "TO" + "DO" not in text
