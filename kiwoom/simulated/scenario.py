"""Scenarios: what kind of day the simulated market has, read from YAML and checked to the last key.

A scenario file has the keys `name` and `description` and the sections `flow`, `session`, `latency`, `faults` and
`broker`; a section or knob that is left out has its default. `flow` and `session` are the market's and typed here; the
other three belong to the broker and are handed over as plain mappings. Shares of a whole are in permille, integers
throughout, ranges are `[low, high]` with both ends included.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml

from kiwoom.simulated.rules import TIMETABLE

Plain = int | str | bool
Range = tuple[int, int]


def within(low: int, high: int) -> dict[str, int]:
    """The bounds of a knob, both included; of a range, of each of its ends."""
    return {"low": low, "high": high}


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowKnobs:
    """Other people's orders."""

    quotes_per_second: int = field(default=1_400, metadata=within(1, 20_000))
    """Other people's actions a second, over all books together; nearly each changes one book."""
    nxt_share_permille: int = field(default=420, metadata=within(0, 1_000))
    """Share of those actions that falls on NXT."""
    trade_permille: int = field(default=90, metadata=within(0, 1_000))
    """Share of those actions that is marketable; the others add to a level or cancel from it."""
    order_value_krw: int = field(default=3_000_000, metadata=within(10_000, 1_000_000_000))
    """Value of a typical order on KRX in won; single symbols have half to twice of it."""
    fair_moves_per_minute: int = field(default=900, metadata=within(0, 100_000))
    """One-tick moves of fair prices, over all symbols together."""
    nxt_lag_ms: Range = field(default=(3, 40), metadata=within(0, 10_000))
    """NXT follows a move of the fair price so much later."""
    nxt_size_permille: int = field(default=500, metadata=within(1, 1_000))
    """Size of NXT's orders compared with KRX's."""
    nxt_levels: int = field(default=10, metadata=within(1, 10))
    """Levels a side that NXT usually has."""
    nxt_gap_permille: int = field(default=0, metadata=within(0, 900))
    """Chance that a level of NXT behind the touch stays empty."""
    nxt_spread_ticks: Range = field(default=(1, 1), metadata=within(1, 10))
    """Spread of NXT, drawn anew whenever its fair price moves."""
    nxt_empty_permille: int = field(default=0, metadata=within(0, 1_000))
    """Share of NXT's actions that withdraws a whole side of the book."""
    dislocations_per_minute: int = field(default=80, metadata=within(0, 6_000))
    """How often one venue jumps away from the other, over all symbols together."""
    gap_bps: Range = field(default=(35, 120), metadata=within(1, 1_000))
    """How far a jump puts one venue's best bid over the other's best ask; small gaps come oftener, and none is smaller
    than 31 bps and a tick."""
    nxt_jumps_permille: int = field(default=600, metadata=within(0, 1_000))
    """Share of the dislocations in which NXT is the venue that jumps, not KRX."""
    brief_permille: int = field(default=250, metadata=within(0, 1_000))
    """Share of the dislocations that lives for `brief_ms`."""
    brief_ms: Range = field(default=(2, 25), metadata=within(1, 60_000))
    """An order that arrives after network latency often misses these."""
    long_permille: int = field(default=350, metadata=within(0, 1_000))
    """Share of the dislocations that lives for `long_ms`; the rest for `middle_ms`."""
    long_ms: Range = field(default=(300, 3_000), metadata=within(1, 60_000))
    """An entry and its hedge both find these."""
    middle_ms: Range = field(default=(30, 300), metadata=within(1, 60_000))
    """An entry finds these, its hedge often not."""
    follow_permille: int = field(default=300, metadata=within(0, 1_000))
    """Share of the dislocations that ends by the stale venue following: its quote has run away."""
    drift_permille: int = field(default=150, metadata=within(0, 1_000))
    """Share that ends by both meeting one tick beyond where they were."""
    whipsaw_permille: int = field(default=150, metadata=within(0, 1_000))
    """Share that ends by the stale venue following and both coming back; what is left of the thousand reverts."""
    whipsaw_ms: Range = field(default=(150, 900), metadata=within(1, 60_000))
    """How long after the end of a whipsaw both come back."""
    small_touch_permille: int = field(default=480, metadata=within(0, 1_000))
    """Share of the dislocations with 1 to 5 shares at one or both touched prices."""
    big_touch_permille: int = field(default=150, metadata=within(0, 1_000))
    """Share of the dislocations with many times the usual size at both touched prices."""
    rival_permille: int = field(default=700, metadata=within(0, 1_000))
    """Share of the dislocations that somebody else takes too: all but 1 to 5 shares at one or both touched prices."""
    rival_ms: Range = field(default=(8, 32), metadata=within(1, 60_000))
    """How long after the jump: an order under way then finds less than it saw."""
    aftershocks: int = field(default=8, metadata=within(0, 100))
    """Extra actions on both books within 1.5 s of a jump and of its end."""
    vis_per_hour: int = field(default=0, metadata=within(0, 3_600))
    """Volatility interruptions, over all symbols and venues together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionKnobs:
    """What is told of the day's phases (장운영구분, FID 215)."""

    resend_session_signal: bool = True
    """A registration of FID 215 is answered with the latest signal of each venue, if it was sent already."""
    withhold: tuple[str, ...] = ()
    """FID 215 codes that are never sent. The phases themselves change all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    name: str = "unnamed"
    description: str = ""
    flow: FlowKnobs = FlowKnobs()
    session: SessionKnobs = SessionKnobs()
    latency: dict[str, Plain] = field(default_factory=dict)
    faults: dict[str, Plain] = field(default_factory=dict)
    broker: dict[str, Plain] = field(default_factory=dict)


class ScenarioError(ValueError):
    """A scenario that cannot be used. `faults` has every fault found, each "source:line: key: what is wrong"."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


def load_scenario(name_or_path: str, directory: Path) -> Scenario:
    """Read a shipped scenario by its name from `directory`, or any other by the path of its .yaml file."""
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        path = directory / f"{name_or_path}.yaml"
    if not path.is_file():
        known = ", ".join(scenario_names(directory))
        raise ScenarioError([f"{name_or_path}: there is no such scenario; shipped are: {known}"])
    return parse_scenario(path.read_text(encoding="utf-8"), source=path.name)


def scenario_names(directory: Path) -> tuple[str, ...]:
    """The names of the scenarios in `directory`, sorted."""
    return tuple(sorted(path.stem for path in directory.glob("*.yaml")))


def parse_scenario(text: str, source: str) -> Scenario:
    """A scenario from the text of its file; `source` is what faults call the file. Raises `ScenarioError`."""
    return _Reader(source).scenario(text)


_SECTIONS: Final = ("name", "description", "flow", "session", "latency", "faults", "broker")
_CODES: Final = tuple(sorted({line.code for line in TIMETABLE if line.code}))
_Section = TypeVar("_Section", FlowKnobs, SessionKnobs)


class _Reader:
    """Walks the YAML nodes of one file, because only nodes know their lines, and collects every fault."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._faults: list[str] = []

    def scenario(self, text: str) -> Scenario:
        loader = yaml.SafeLoader(text)
        try:
            root = loader.get_single_node()
            entries = self._mapping(loader, root, "") if root is not None else {}
            scenario = self._assemble(loader, entries)
        except yaml.YAMLError as error:
            raise ScenarioError([f"{self._source}: {error}"]) from None
        finally:
            loader.dispose()
        if self._faults:
            raise ScenarioError(self._faults)
        return scenario

    def _assemble(self, loader: yaml.SafeLoader, entries: Mapping[str, tuple[int, yaml.Node]]) -> Scenario:
        self._check_keys(entries, _SECTIONS, "")
        flow = self._section(loader, entries, "flow", FlowKnobs)
        self._check_shares(flow)
        return Scenario(
            name=self._text(loader, entries, "name", "unnamed"),
            description=self._text(loader, entries, "description", ""),
            flow=flow,
            session=self._section(loader, entries, "session", SessionKnobs),
            latency=self._plain(loader, entries, "latency"),
            faults=self._plain(loader, entries, "faults"),
            broker=self._plain(loader, entries, "broker"),
        )

    def _fault(self, line: int, path: str, what: str) -> None:
        self._faults.append(f"{self._source}:{line}: {path}: {what}")

    def _mapping(self, loader: yaml.SafeLoader, node: yaml.Node, path: str) -> dict[str, tuple[int, yaml.Node]]:
        """The node's keys with their lines and values; a fault if it is no mapping, or a key stands twice."""
        line = node.start_mark.line + 1
        if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null":
            return {}
        if not isinstance(node, yaml.MappingNode):
            self._fault(line, path or "the file", "must be a mapping of keys to values")
            return {}
        entries: dict[str, tuple[int, yaml.Node]] = {}
        for key_node, value_node in node.value:
            key = str(loader.construct_object(key_node, deep=True))
            line = key_node.start_mark.line + 1
            if key in entries:
                self._fault(line, _join(path, key), f"stands twice, first in line {entries[key][0]}")
            entries[key] = (line, value_node)
        return entries

    def _check_keys(self, entries: Mapping[str, tuple[int, yaml.Node]], known: tuple[str, ...], path: str) -> None:
        for key, (line, _) in entries.items():
            if key not in known:
                nearest = get_close_matches(key, known, n=1, cutoff=0.0)
                self._fault(line, _join(path, key), f"unknown key; the nearest known one is {nearest[0]}")

    def _text(
        self, loader: yaml.SafeLoader, entries: Mapping[str, tuple[int, yaml.Node]], key: str, default: str
    ) -> str:
        if key not in entries:
            return default
        line, node = entries[key]
        value = loader.construct_object(node, deep=True)
        if not isinstance(value, str):
            self._fault(line, key, f"must be text, is {value!r}")
            return default
        return value

    def _plain(
        self, loader: yaml.SafeLoader, entries: Mapping[str, tuple[int, yaml.Node]], section: str
    ) -> dict[str, Plain]:
        """A section of the broker's: its keys and bounds are the broker's to check."""
        if section not in entries:
            return {}
        plain: dict[str, Plain] = {}
        for key, (line, node) in self._mapping(loader, entries[section][1], section).items():
            value = loader.construct_object(node, deep=True)
            if isinstance(value, int | str):
                plain[key] = value
            else:
                self._fault(line, f"{section}.{key}", f"must be a whole number, a text or true/false, is {value!r}")
        return plain

    def _section(
        self,
        loader: yaml.SafeLoader,
        entries: Mapping[str, tuple[int, yaml.Node]],
        section: str,
        kind: type[_Section],
    ) -> _Section:
        if section not in entries:
            return kind()
        given = self._mapping(loader, entries[section][1], section)
        known = {known_field.name: known_field for known_field in fields(kind)}
        self._check_keys(given, tuple(known), section)
        values: dict[str, Any] = {}
        for key, (line, node) in given.items():
            if key not in known:
                continue
            value = loader.construct_object(node, deep=True)
            expected = known[key]
            wrong, usable = _check(value, expected.default, expected.metadata)
            if wrong:
                self._fault(line, f"{section}.{key}", f"{wrong}, is {value!r}")
            else:
                values[key] = usable
        return kind(**values)

    def _check_shares(self, flow: FlowKnobs) -> None:
        """Shares of one whole may not come to more than the whole."""
        for names in (
            ("brief_permille", "long_permille"),
            ("follow_permille", "drift_permille", "whipsaw_permille"),
            ("small_touch_permille", "big_touch_permille"),
        ):
            total = sum(getattr(flow, name) for name in names)
            if total > 1_000:
                self._faults.append(
                    f"{self._source}: flow: {' + '.join(names)} come to {total}; at most 1000 is allowed"
                )


def _check(value: Any, default: Any, bounds: Mapping[str, Any]) -> tuple[str, Any]:
    """(what is wrong or "", the value as the knob wants it), judged by the kind of the knob's default."""
    if isinstance(default, bool):
        return ("" if isinstance(value, bool) else "must be true or false"), value
    if isinstance(default, int):
        low, high = bounds["low"], bounds["high"]
        return (
            "" if _is_int(value) and low <= value <= high else f"must be a whole number from {low} to {high}"
        ), value
    if bounds:
        low, high = bounds["low"], bounds["high"]
        good = isinstance(value, list) and len(value) == 2 and all(_is_int(end) for end in value)
        if not good or not low <= value[0] <= value[1] <= high:
            return f"must be [low, high], whole numbers from {low} to {high}", value
        return "", (value[0], value[1])
    if not isinstance(value, list) or not all(str(code) in _CODES for code in value):
        return f"must be a list of session codes out of {', '.join(_CODES)}", value
    return "", tuple(str(code) for code in value)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
