"""What a simulated broker is built from: the setup that its launcher hands over as JSON, and the building itself.

Every key is checked; an unknown one is an error that names the nearest. Paths are taken as they stand. See `Setup` for
the keys, which are the JSON's, and their meaning.
"""

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_origin, get_type_hints

from kiwoom.simulated.account import Account, Holding, Rates
from kiwoom.simulated.broker import SimulatedBroker, settings_of
from kiwoom.simulated.faults import SettingsError
from kiwoom.simulated.market import Listing, SimulatedMarket
from kiwoom.simulated.master import MasterNotes
from kiwoom.simulated.scenario import Scenario, ScenarioError, parse_scenario


class SetupError(ValueError):
    """A setup that cannot be used; the text says why, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The JSON's keys. Those without a default must be there."""

    scenario: str
    """Path of the scenario's .yaml file."""
    listings: list[dict[str, Any]]
    """Each {"symbol", "name", "market": "KOSPI" or "KOSDAQ", "base_price": won or 0 = from the seed, "nxt": bool}."""
    seed: int
    account: str
    """Ten digits."""
    cash_krw: int
    holdings: dict[str, int]
    """Shares by symbol, bought at the base price."""
    fee_ppb: dict[str, int]
    """Commission per side by venue ("KRX", "NXT"), in parts per billion (1 bp = 100,000)."""
    tax_ppb: dict[str, int]
    """Sales tax by market ("KOSPI", "KOSDAQ"), in parts per billion."""
    ledger: str
    """Path of broker_ledger.csv, written anew."""
    summary: str
    """Path of the summary JSON, written at the end."""
    wall_offset_ns: int = 0
    """The market's clock = the host's clock + this."""
    commission_unit_won: int = 10
    tax_unit_won: int = 1
    latency: dict[str, Any] = field(default_factory=dict)
    """Over the scenario's latency: the keys of `faults.Latency`."""
    faults: dict[str, Any] = field(default_factory=dict)
    """Over the scenario's faults: the keys of `faults.Faults`."""
    broker: dict[str, Any] = field(default_factory=dict)
    """Over the scenario's broker section: the keys of `faults.BrokerKnobs`."""
    notes: dict[str, dict[str, str]] = field(default_factory=dict)
    """Shares that are not ordinary, by symbol: the keys of `master.MasterNotes`."""


def read_setup(path: Path) -> Setup:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SetupError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SetupError(f"{path}: is no JSON: {error}") from error
    if not isinstance(values, dict):
        raise SetupError(f"{path}: must be an object of keys and values")
    return setup_from(values)


def setup_from(values: Mapping[str, Any]) -> Setup:
    """The setup with these keys. Raises `SetupError`."""
    known = {known_field.name: known_field for known_field in fields(Setup)}
    types = get_type_hints(Setup)
    for key, value in values.items():
        if key not in known:
            nearest = get_close_matches(key, known, n=1, cutoff=0.0)[0]
            raise SetupError(f"{key}: unknown key; the nearest known one is {nearest}")
        kind = get_origin(types[key]) or types[key]
        if type(value) is not kind:  # a bool is no number here
            raise SetupError(f"{key}: must be of type {kind.__name__}, is {value!r}")
    for key, known_field in known.items():
        if key not in values and known_field.default is MISSING and known_field.default_factory is MISSING:
            raise SetupError(f"{key}: is missing")
    return Setup(**values)


def read_scenario(setup: Setup) -> Scenario:
    path = Path(setup.scenario)
    try:
        return parse_scenario(path.read_text(encoding="utf-8"), source=path.name)
    except OSError as error:
        raise SetupError(f"scenario {path}: cannot be read: {error.strerror}") from error
    except ScenarioError as error:
        raise SetupError(str(error)) from error


def build_broker(setup: Setup, scenario: Scenario, start_wall: int) -> SimulatedBroker:
    """The market and the broker in it, at `start_wall`. The same arguments give the same day. Raises `SetupError`."""
    try:
        settings = settings_of(
            scenario,
            setup.latency,
            setup.faults,
            setup.broker,
            {symbol: MasterNotes(**note) for symbol, note in setup.notes.items()},
        )
        listings = [Listing(**listing) for listing in setup.listings]
        rates = Rates(
            fee_ppb=setup.fee_ppb,
            tax_ppb=setup.tax_ppb,
            commission_unit_won=setup.commission_unit_won,
            tax_unit_won=setup.tax_unit_won,
        )
    except (SettingsError, TypeError, AssertionError) as error:
        raise SetupError(str(error)) from error
    symbols = [listing.symbol for listing in listings]
    _check(setup, listings)
    market = SimulatedMarket(scenario, listings, setup.seed, start_wall)
    held = {
        symbol: Holding(qty=qty, cost_won=qty * market.listing(symbol).base_price)
        for symbol, qty in setup.holdings.items()
        if qty
    }
    account = Account(setup.account, setup.cash_krw, held, rates)
    return SimulatedBroker(market=market, symbols=symbols, account=account, settings=settings, seed=setup.seed)


def _check(setup: Setup, listings: list[Listing]) -> None:
    if not listings:
        raise SetupError("listings: there is none")
    symbols = [listing.symbol for listing in listings]
    for listing in listings:
        if len(listing.symbol) != 6 or symbols.count(listing.symbol) > 1:
            raise SetupError(f"listings: {listing.symbol!r} is no 6-digit code, or stands twice")
        if listing.market not in ("KOSPI", "KOSDAQ"):
            raise SetupError(f"listings: {listing.symbol}: the market is KOSPI or KOSDAQ, not {listing.market!r}")
    if len(setup.account) != 10 or not setup.account.isdecimal():
        raise SetupError(f"account: {setup.account!r} is not ten digits")
    if setup.cash_krw < 0:
        raise SetupError("cash_krw: must not be negative")
    for symbol, qty in setup.holdings.items():
        if symbol not in symbols:
            raise SetupError(f"holdings: {symbol} is not listed")
        if not isinstance(qty, int) or qty < 0:
            raise SetupError(f"holdings: {symbol}: {qty!r} is no number of shares")
