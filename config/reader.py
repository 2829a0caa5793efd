"""YAML to settings, with the file and line of every fault and the origin of every value.

All faults are collected: a faulty key is set aside and the rest is checked as if it stood at its default. Bad input
never raises anything but ConfigErrors.
"""

import difflib
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from actors.domain.symbol_map import UniverseEntry
from config.checks import Fault, faults_of, is_path, shards_needed, universe_faults, warnings_of, with_exclusions
from config.checks import webhook_variable as variable_of
from config.document import Document, KeyPath, key_path, one_line, read_document, read_value
from config.scalars import shown
from config.schema import ALIASES, Config, Section, allowed_text, key_name, keys, map_entry, nested_section
from config.universe import read_universe
from kiwoom.market import Shares, Symbol

SHIPPED: Final = Path(__file__).parent
"""Where the shipped universe and the scenarios are."""


class ConfigErrors(Exception):  # noqa: N818 (it carries several)
    """Every fault, one line each: `file:line: key.path: what is wrong, what is allowed`."""

    def __init__(self, lines: Sequence[str]) -> None:
        assert lines
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration that has no fault, with its universe and where each value came from."""

    config: Config
    path: Path | None
    origins: Mapping[str, str]
    """By key path: "file:line", "default", "--set", or "alias of" another key."""
    universe: tuple[UniverseEntry, ...]
    """The universe file, with symbols.exclude applied."""
    warnings: tuple[str, ...]
    sets: tuple[str, ...]
    _environ: Mapping[str, str] = field(repr=False, compare=False)
    _document: Document = field(repr=False, compare=False)

    @property
    def base_dir(self) -> Path:
        """What relative paths in the configuration start from."""
        return _base_dir(self.path)

    @property
    def universe_path(self) -> Path:
        return _universe_path(self.config, self.path)

    @property
    def logs_dir(self) -> Path:
        return (self.base_dir / self.config.persistence.logs_dir).resolve()

    @property
    def reports_dir(self) -> Path:
        return (self.base_dir / self.config.persistence.reports_dir).resolve()

    @property
    def scenario_path(self) -> Path:
        """The scenario's file; for a name, the shipped one of that name."""
        scenario = self.config.paper.scenario
        if is_path(scenario):
            return self.base_dir / scenario
        return SHIPPED / "scenarios" / f"{scenario}.yaml"

    @property
    def traded(self) -> tuple[UniverseEntry, ...]:
        """The universe without what is excluded."""
        return tuple(entry for entry in self.universe if not entry.exclude)

    @property
    def marketdata_screens(self) -> tuple[str, ...]:
        """One screen per shard: as many as market_data.shards asks for."""
        shards = self.config.market_data.shards
        count = shards_needed(len(self.traded)) if shards == "auto" else shards
        return self.config.kiwoom.screen_numbers.marketdata[:count]

    @property
    def heartbeat_symbols(self) -> tuple[Symbol, ...]:
        given = self.config.market_data.heartbeat_symbols
        return tuple(Symbol(code) for code in given) or tuple(entry.symbol for entry in self.traded[:2])

    @property
    def paper_holdings(self) -> dict[Symbol, Shares]:
        """The simulated account's shares, in the universe's order where none are given."""
        given = self.config.paper.holdings
        if given:
            return {Symbol(code): Shares(quantity) for code, quantity in given.items()}
        base = self.config.paper.base_quantity
        return {entry.symbol: Shares(base) for entry in self.traded[::2]} if base else {}

    @property
    def webhook_variable(self) -> str:
        """The environment variable that alerts.slack.webhook names, or nothing."""
        return variable_of(self.config)

    def slack_webhook(self) -> str:
        """The secret itself, for the one who sends; empty if the variable is not set."""
        return self._environ.get(self.webhook_variable, "") if self.webhook_variable else ""

    @property
    def sha256(self) -> str:
        """Of every key and value in force, wherever it came from."""
        values = "".join(f"{path}={value}\n" for path, value in flatten(self.config))
        return hashlib.sha256(values.encode()).hexdigest()

    def changed(self, sets: Sequence[str]) -> "LoadedConfig":
        """The same file as it was read, with further `key.path=value`; raises ConfigErrors if that does not fit."""
        return _build(self._document, self.path, (*self.sets, *sets), self._environ)


def load(
    path: str | os.PathLike[str] | None, sets: Sequence[str] = (), environ: Mapping[str, str] | None = None
) -> LoadedConfig:
    """Read `path` (None: every key at its default) and its universe; raises ConfigErrors with every fault.

    `sets` are `key.path=value`, stronger than the file. `environ` is where ${NAME} is looked up.
    """
    file = None if path is None else Path(path)
    document = Document("defaults") if file is None else read_document(file)
    if document.unreadable:
        raise ConfigErrors([text for _, text in document.faults])
    return _build(document, file, tuple(sets), os.environ if environ is None else environ)


def flatten(config: Config) -> Iterator[tuple[str, Any]]:
    """(key path, value) of every key, in the file's order; maps of sections by their own keys."""
    yield from _flatten(config, "")


# from a document to a configuration


@dataclass(slots=True)
class _Building:
    """The tree as it is checked: the file's, with --set on top and aliases filled in."""

    document: Document
    tree: dict[str, Any]
    origins: dict[str, str] = field(default_factory=dict)
    set_by_option: set[str] = field(default_factory=set)
    faulty: set[str] = field(default_factory=set)
    faults: list[tuple[int, str]] = field(default_factory=list)
    """(line for the order, text)"""

    def tell(self, path: KeyPath, text: str, involves: Sequence[str] = ()) -> None:
        """Note a fault at `path`, or, if that was never written, at the first written key that it involves."""
        dotted = key_path(path)
        for written in (dotted, *involves):
            if any(_touches(written, option) for option in self.set_by_option):
                self.faults.append((0, f"--set: {dotted}: {text}"))
                return
            parts = path if written == dotted else tuple(written.split("."))
            if parts in self.document.lines:
                line = self.document.lines[parts]
                self.faults.append((line, f"{self.document.name}:{line}: {dotted}: {text}"))
                return
        line = self.document.line_of(path)
        self.faults.append((line, f"{self.document.name}:{line}: {dotted}: {text}"))


def _build(document: Document, path: Path | None, sets: tuple[str, ...], environ: Mapping[str, str]) -> LoadedConfig:
    building = _Building(document, _copy(document.tree))
    building.faults += document.faults
    for option in sets:
        _apply(building, option)
    both_set = _fill_aliases(building)
    config = _validate(building)
    for alias, original in both_set:
        _compare(building, config, alias, original)
    for fault in faults_of(config):
        _tell_unless_faulty(building, fault)
    universe, universe_lines = _read_universe(building, config, path)
    if is_path(config.paper.scenario) and not _is_file(_base_dir(path) / config.paper.scenario):
        _tell_unless_faulty(building, Fault("paper.scenario", "the file does not exist; allowed: a name or a file"))
    if building.faults or universe_lines:
        lines = [text for _, text in sorted(building.faults, key=lambda item: item[0])]
        raise ConfigErrors([*lines, *universe_lines])
    origins = {key: _origin(building, key) for key, _ in flatten(config)}
    return LoadedConfig(
        config=config,
        path=path,
        origins=origins,
        universe=with_exclusions(config, universe),
        warnings=tuple(warnings_of(config, universe, environ, origins=origins)),
        sets=sets,
        _environ=environ,
        _document=document,
    )


def _read_universe(
    building: _Building, config: Config, path: Path | None
) -> tuple[tuple[UniverseEntry, ...], tuple[str, ...]]:
    """The universe and its own faults; what the configuration has against it is told."""
    if any(_touches("symbols.universe_file", faulty) for faulty in building.faulty):
        return (), ()
    file = _universe_path(config, path)
    if not _is_file(file):
        missing = f"{file} does not exist; allowed: the path of a universe file, from this file's folder"
        _tell_unless_faulty(building, Fault("symbols.universe_file", missing))
        return (), ()
    universe, lines = read_universe(file)
    if not lines:
        for found in universe_faults(config, universe):
            _tell_unless_faulty(building, found)
    return universe, lines


def _copy(tree: dict[str, Any]) -> dict[str, Any]:
    return {key: _copy(value) if isinstance(value, dict) else value for key, value in tree.items()}


def _apply(building: _Building, option: str) -> None:
    """Put one `key.path=value` on top of the file."""
    dotted, equals, text = option.partition("=")
    parts = dotted.strip().split(".")
    if not equals or not all(parts):
        # The option is not repeated: what stands in it may be a secret.
        building.faults.append(
            (0, "--set: not of the form key.path=value; allowed: such as spread_engine.cooldown_ms=50")
        )
        return
    value, fault = read_value(text)
    if fault:
        building.faults.append((0, f"--set: {one_line(dotted)}: {fault}"))
        return
    place = building.tree
    for part in parts[:-1]:
        below = place.get(part)
        if not isinstance(below, dict):
            below = place[part] = {}
        place = below
    place[parts[-1]] = value
    building.set_by_option.add(".".join(parts))


def _fill_aliases(building: _Building) -> list[tuple[str, str]]:
    """Copy each alias to its original, or back. Returns the pairs of which both were written."""
    both: list[tuple[str, str]] = []
    for alias, original in ALIASES:
        values = [_get(building.tree, name) for name in (alias, original)]
        by_option = [name in building.set_by_option for name in (alias, original)]
        match values:
            case [None, None]:
                continue
            case [_, None]:
                source, target = alias, original
            case [None, _]:
                source, target = original, alias
            case _ if by_option[0] != by_option[1]:
                # --set is stronger than the file, under whichever name.
                source, target = (alias, original) if by_option[0] else (original, alias)
            case _:
                both.append((alias, original))
                continue
        _put(building.tree, target, _get(building.tree, source))
        if _get(building.tree, target) is not None:
            building.origins[target] = f"alias of {source}"
    return both


def _get(tree: dict[str, Any], dotted: str) -> Any:
    value: Any = tree
    for part in dotted.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def _put(tree: dict[str, Any], dotted: str, value: Any) -> None:
    """Set the key, unless what should be its section is something else (a fault that is told anyway)."""
    *sections, last = dotted.split(".")
    for part in sections:
        below = tree.setdefault(part, {})
        if below == "":
            below = tree[part] = {}
        if not isinstance(below, dict):
            return
        tree = below
    tree[last] = value


def _compare(building: _Building, config: Config, alias: str, original: str) -> None:
    if any(_touches(name, faulty) for name in (alias, original) for faulty in building.faulty):
        return
    values = dict(flatten(config))
    if values[alias] != values[original]:
        building.tell(
            tuple(alias.split(".")),
            f"{values[alias]} is not {values[original]}, the value of {original}, of which it is another name; "
            "allowed: one of the two, or both equal",
            (original,),
        )


def _tell_unless_faulty(building: _Building, fault: Fault) -> None:
    """A check that rests on a key already found faulty would speak of a value that nobody wrote."""
    if any(_touches(name, faulty) for name in (fault.path, *fault.involves) for faulty in building.faulty):
        return
    building.tell(tuple(fault.path.split(".")), fault.text, fault.involves)


def _touches(one: str, other: str) -> bool:
    return one == other or one.startswith((other + ".", other + "[")) or other.startswith((one + ".", one + "["))


def _origin(building: _Building, dotted: str) -> str:
    if any(_touches(dotted, option) for option in building.set_by_option):
        return "--set"
    if (origin := building.origins.get(dotted)) is not None:
        return origin
    line = building.document.lines.get(tuple(dotted.split(".")))
    return "default" if line is None else f"{building.document.name}:{line}"


# validation


def _validate(building: _Building) -> Config:
    """The configuration with every faulty key at its default; the faults are told."""
    while True:
        try:
            return Config.model_validate(building.tree)
        except ValidationError as error:
            details = error.errors(include_url=False)
        told: set[KeyPath] = set()
        places = [_place_of(_without_key_mark(detail)) for detail in details]
        for place, detail in zip(places, details, strict=True):
            # A list whose items failed also counts as too short: one fault, not two.
            of_items = any(_lies_in(other.path, place.path) for other in places)
            if place.path not in told and not of_items:
                told.add(place.path)
                _tell_detail(building, place, detail)
        for path in told:
            building.faulty.add(key_path(path))
            _remove(building.tree, path)


def _lies_in(one: KeyPath, other: KeyPath) -> bool:
    return one != other and one[: len(other)] == other


def _without_key_mark(detail: ErrorDetails) -> tuple[str | int, ...]:
    """The location, without the mark that says that the key itself is wrong."""
    loc = detail["loc"]
    return loc[:-1] if loc[-1:] == ("[key]",) and detail["type"] != "extra_forbidden" else loc


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a fault of the schema lies: the path as written, what is allowed there, the keys beside it."""

    path: KeyPath
    allowed: str
    siblings: tuple[str, ...]


def _place_of(loc: tuple[str | int, ...]) -> _Place:
    annotation: Any = Config
    path: KeyPath = ()
    allowed = "sections and their keys"
    siblings: tuple[str, ...] = ()
    for part in loc:
        model = nested_section(annotation)
        if model is not None and isinstance(part, str):
            fields = {key_name(name, info): (name, info) for name, info in model.model_fields.items()}
            siblings = tuple(fields)
            path = (*path, part)
            if part not in fields:
                return _Place(path, "", siblings)
            _, info = fields[part]
            annotation = info.annotation
            allowed = allowed_text(info)
        elif map_entry(annotation) is not None and isinstance(part, str):
            path = (*path, part)
            placeholder, annotation = map_entry(annotation) or ("", None)
            allowed = "a 6-digit code" if placeholder == "CODE" else "a date, YYYY-MM-DD"
        elif get_origin(annotation) is tuple and isinstance(part, int):
            path = (*path, part)
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) is dict and isinstance(part, str):
            path = (*path, part)
            annotation = None
        else:
            break
    return _Place(path, allowed, siblings)


def _tell_detail(building: _Building, place: _Place, detail: ErrorDetails) -> None:
    kind = detail["type"]
    if kind == "extra_forbidden":
        building.tell(place.path, _unknown(str(place.path[-1]), place.siblings))
        return
    if any(key_path(place.path) == target for target in building.origins):
        return  # filled from its other name, where the fault is told
    if kind == "missing":
        wrong = "is missing"
    elif kind == "value_error":
        wrong = str(detail["ctx"]["error"])
    elif kind in ("too_short", "too_long", "string_too_short", "string_too_long"):
        wrong = "is empty or too short" if "short" in kind else "is too long"
    else:
        wrong = f"{shown(str(detail['input']))} does not fit"
    building.tell(place.path, f"{wrong}; allowed: {place.allowed}")


def _unknown(name: str, siblings: tuple[str, ...]) -> str:
    elsewhere = [key.path for key in keys() if key.path.rpartition(".")[2] == name]
    if elsewhere:
        return f"unknown key here; the nearest known one is {elsewhere[0]}"
    near = difflib.get_close_matches(name, siblings, n=1, cutoff=0.6)
    if near:
        return f"unknown key; the nearest known one is {near[0]}"
    anywhere = difflib.get_close_matches(name, [key.path.rpartition(".")[2] for key in keys()], n=1, cutoff=0.75)
    hint = f"; the nearest known one is {anywhere[0]}, in another section" if anywhere else ""
    return f"unknown key{hint}; allowed: {', '.join(siblings)}"


def _remove(tree: dict[str, Any], path: KeyPath) -> None:
    """Take the key at `path` out; of a list, the whole list."""
    place: Any = tree
    for part in path[:-1]:
        below = place.get(part) if isinstance(part, str) else None
        if not isinstance(below, dict):
            place.pop(part, None)
            return
        place = below
    if path:
        place.pop(path[-1], None)


# values


def _flatten(section: Section, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, info in type(section).model_fields.items():
        path = prefix + key_name(name, info)
        value = getattr(section, name)
        if isinstance(value, Section):
            yield from _flatten(value, path + ".")
        elif map_entry(info.annotation) is not None and value:
            for key, entry in value.items():
                yield from _flatten(entry, f"{path}.{key}.")
        else:
            yield path, value


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _base_dir(path: Path | None) -> Path:
    return Path.cwd() if path is None else path.resolve().parent


def _universe_path(config: Config, path: Path | None) -> Path:
    """Beside the configuration; without one, the shipped universe unless the working folder has it."""
    beside = _base_dir(path) / config.symbols.universe_file
    if path is None and not _is_file(beside):
        return SHIPPED / config.symbols.universe_file
    return beside
