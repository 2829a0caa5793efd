"""Plants a bug: replaces a few words in the source of production functions, for as long as a `with` lasts.

A function's code is exchanged in place, so whoever imported it has the mutant too. Limits: functions, methods and
properties without closures; the words must stand exactly once in the function, so a mutation whose words are gone says
so instead of planting nothing.
"""

import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import CodeType, FunctionType


@dataclass(frozen=True, slots=True)
class Edit:
    where: str
    """module:function or module:Class.method. `was` and `becomes` are as in its source, dedented."""
    was: str
    becomes: str


@contextmanager
def planted(edits: tuple[Edit, ...]) -> Iterator[None]:
    """Within it the edits hold; after it nothing is left of them."""
    mutants = [(function_at(where), _mutated(where, edits)) for where in dict.fromkeys(edit.where for edit in edits)]
    healthy = [(function, function.__code__) for function, _ in mutants]
    try:
        for function, code in mutants:
            function.__code__ = code
        yield
    finally:
        for function, code in healthy:
            function.__code__ = code


def function_at(where: str) -> FunctionType:
    module_name, _, path = where.partition(":")
    found: object = import_module(module_name)
    for name in path.split("."):
        found = inspect.getattr_static(found, name)
    found = found.fget if isinstance(found, property) else found
    assert isinstance(found, FunctionType), where
    return found


def _mutated(where: str, edits: tuple[Edit, ...]) -> CodeType:
    function = function_at(where)
    source = textwrap.dedent(inspect.getsource(function)).removeprefix("@property\n")
    for edit in edits:
        if edit.where == where:
            assert source.count(edit.was) == 1, f"{where} has {source.count(edit.was)} times: {edit.was}"
            source = source.replace(edit.was, edit.becomes)
    names: dict[str, object] = {}
    exec(compile(source, f"<mutant of {where}>", "exec"), function.__globals__, names)
    mutant = names[function.__name__]
    assert isinstance(mutant, FunctionType)
    assert mutant.__code__.co_freevars == function.__code__.co_freevars == (), f"{where} is a closure"
    return mutant.__code__
