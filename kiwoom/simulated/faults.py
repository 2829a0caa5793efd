"""What may go wrong at the simulated broker and how often, how slow it is, and which variant of Kiwoom it plays.

Three settings, each built from a plain mapping by `settings_from`: `Latency` (how long things take), `Faults` (rates in
parts per 10,000, all 0 by default, with the sizes of the delays they cause) and `BrokerKnobs` (where KIWOOM.md says
"unknown" or "contradiction", one field chooses the variant).
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from random import Random
from typing import Any, Final, TypeVar, get_type_hints

RATE_BASE: Final = 10_000
"""A rate of 10,000 happens every time."""

_DELAY_MS_MAX: Final = 600_000


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds, 0..600,000. To all but the ways to the exchange a draw from -jitter_ms..+jitter_ms is added."""

    exchange_ms: int = 8
    """From the broker's server to the exchange: when an order meets the book."""
    ack_ms: int = 25
    """From the call to its OnReceiveTrData."""
    report_ms: int = 20
    """From the exchange's event to its OnReceiveChejanData."""
    cancel_ms: int = 8
    """From the broker's server to the exchange, for a cancel."""
    query_ms: int = 40
    """From CommRqData to its OnReceiveTrData."""
    login_ms: int = 50
    """From CommConnect to OnEventConnect."""
    jitter_ms: int = 10

    def __post_init__(self) -> None:
        for field in fields(self):
            assert 0 <= getattr(self, field.name) <= _DELAY_MS_MAX, f"{field.name}: must be 0..{_DELAY_MS_MAX}"


@dataclass(frozen=True, slots=True)
class Faults:
    """Rates in parts per 10,000 of the calls or events concerned; `.._ms` and `.._seconds` say how long."""

    order_lost: int = 0
    """SendOrder returns 0 and the order never reaches the broker: no event, no ledger row, in no query."""
    order_no_late: int = 0
    """The OnReceiveTrData of an order comes `order_no_late_ms` later; its reports are not held back for it."""
    order_no_late_ms: int = 400
    order_no_never: int = 0
    """The OnReceiveTrData of an order (and its message) never comes; its reports do."""
    order_no_after_report: int = 0
    """The first report overtakes the OnReceiveTrData (역전현상, KIWOOM.md 4.2)."""
    report_repeated: int = 0
    """An order report comes twice."""
    report_delayed: int = 0
    """An order report comes `report_delayed_ms` later, overtaken by those after it."""
    report_delayed_ms: int = 700
    report_lost: int = 0
    """An order report never comes. The order's state is in the queries only."""
    reject_tr: int = 0
    """The broker's server turns a new order away: blank 주문번호 and a message."""
    reject_exchange: int = 0
    """The exchange turns a numbered order away: a report with 913 거부 and a reason in 919."""
    overload_spurious: int = 0
    """-308 though the window is not full."""
    cancel_rejected: int = 0
    """A cancel gets a blank 주문번호 though its order rests."""
    cancel_unanswered: int = 0
    """A cancel is taken, then forgotten: no answer of any kind, and the order goes on resting."""
    cancel_slow: int = 0
    """A cancel reaches the exchange `cancel_slow_ms` late: fills win the race."""
    cancel_slow_ms: int = 250
    query_lost: int = 0
    """CommRqData returns 0 and no answer comes."""
    halt_after_fill: int = 0
    """A fill of ours is followed at once by a trading halt of the symbol on both venues, for `halt_seconds`."""
    halt_seconds: int = 3
    vi_after_fill: int = 0
    """A fill of ours is followed at once by a volatility interruption on that venue."""
    line_lost: int = 0
    """After an order is taken, and before any of its events, the line to the client is cut (-106)."""

    def __post_init__(self) -> None:
        for field in fields(self):
            largest = _DELAY_MS_MAX if field.name.endswith(("_ms", "_seconds")) else RATE_BASE
            assert 0 <= getattr(self, field.name) <= largest, f"{field.name}: must be 0..{largest}"


@dataclass(frozen=True, slots=True)
class BrokerKnobs:
    """Which of the plausible Kiwooms this one is."""

    message_before_tr: bool = True
    """OnReceiveMsg before OnReceiveTrData (seen in a log) or after it (the guide); KIWOOM.md 4.2."""
    ioc_end: str = "clear"
    """How an IOC/FOK remainder ends: "clear" (A: clear event, 819 "1"), "confirm" (B: 확인 with 905 매수취소) or
    "nothing" (C); KIWOOM.md 4.2."""
    report_has_venue: bool = True
    """FIDs 2134..2137 are in the reports."""
    report_has_costs: bool = True
    """FIDs 938 and 939 carry the order's running commission and tax; else they are blank."""
    balance_on_release: bool = True
    """A 잔고 event follows when the remainder of a sell order is released (933 rises again)."""
    mock_server: bool = False
    """GetServerGubun "1", KRX only, hoga 00 and 03 only (KIWOOM.md 5)."""
    accept_sor: bool = False
    """Order types 11, 12 and 13 are taken and sent to the venue with the better touch; else -15."""
    query_registers_real: bool = True
    """A watch-list query registers its codes' quotes on its screen (KIWOOM.md 3.3)."""
    overload_counts: bool = False
    """A call turned away with -308 takes a place in the window itself."""
    rows_per_page: int = 100
    """Rows of one TR answer before it says there is more (prev_next "2"); 1..100."""

    def __post_init__(self) -> None:
        assert self.ioc_end in ("clear", "confirm", "nothing"), "ioc_end: must be clear, confirm or nothing"
        assert 1 <= self.rows_per_page <= 100, "rows_per_page: must be 1..100"


Settings = TypeVar("Settings", Latency, Faults, BrokerKnobs)


class SettingsError(ValueError):
    """A mapping that is no such settings; the text says which key and what is allowed."""


def settings_from(kind: type[Settings], values: Mapping[str, Any], where: str) -> Settings:
    """`kind` with `values` over its defaults. `where` (say "faults") stands before the key in errors."""
    types = get_type_hints(kind)
    for key, value in values.items():
        if key not in types:
            near = get_close_matches(key, types, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(types)}"
            raise SettingsError(f"{where}.{key}: unknown key{hint}")
        if type(value) is not types[key]:  # a bool is no number here
            raise SettingsError(f"{where}.{key}: {value!r} is not {types[key].__name__}")
    try:
        return kind(**values)
    except AssertionError as error:
        raise SettingsError(f"{where}.{error}") from error


class FaultDice:
    """Decides seeded whether a fault happens. A rate of 0 draws nothing, so it leaves the other draws alone."""

    def __init__(self, faults: Faults, random: Random) -> None:
        self.faults = faults
        self._random = random

    def strikes(self, rate: int) -> bool:
        return rate > 0 and self._random.randrange(RATE_BASE) < rate
