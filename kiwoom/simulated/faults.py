"""What may go wrong at the simulated broker and how often, how slow it is, and which variant of Kiwoom it plays.

Three settings, each built from a plain mapping by `settings_from`: `Latency` (how long things take), `Faults` (rates in
parts per 10,000, all 0 by default, with the sizes of the delays they cause) and `BrokerKnobs` (where KIWOOM.md says
"unknown" or "contradiction", one field chooses the variant). Useful sets of faults have names in `fault_sets`.
"""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from random import Random
from typing import Any, Final, TypeVar, get_type_hints

RATE_BASE: Final = 10_000
"""A rate of 10,000 happens every time."""

PER_HOUR_MAX: Final = 3_600

ANYTHING: Final = "*"
"""The subject of an aim at whatever comes next."""

STRIKES_KEPT_MAX: Final = 10_000
"""So many of the latest strikes are remembered until they are taken."""

_DELAY_MS_MAX: Final = 600_000
_MILLISECOND: Final = 1_000_000


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
    """What may go wrong. A plain name is a rate in parts per 10,000 of the calls or events that it speaks of.

    `.._ms` and `.._seconds` say how long; with `.._ms_max` above it, each strike draws from `.._ms` to `.._ms_max`.
    `.._per_hour` come by themselves, at drawn moments.
    """

    # --- an order's number ---
    order_lost: int = 0
    """SendOrder returns 0 and the order never reaches the broker: no event, no ledger row, in no query."""
    order_no_late: int = 0
    """The OnReceiveTrData of an order or a cancel comes later by `order_no_late_ms`; its reports do not wait."""
    order_no_late_ms: int = 400
    order_no_late_ms_max: int = 0
    order_no_never: int = 0
    """The OnReceiveTrData of an order or a cancel (and its message) never comes; its reports do."""
    order_no_after_report: int = 0
    """The first report overtakes the OnReceiveTrData (역전현상, KIWOOM.md 4.2)."""
    message_swapped: int = 0
    """OnReceiveMsg comes on the other side of its OnReceiveTrData than `message_before_tr` has it."""

    # --- its reports ---
    report_repeated: int = 0
    """An order report comes twice, the second time `report_repeated_ms` later."""
    report_repeated_ms: int = 3
    report_repeated_ms_max: int = 0
    report_delayed: int = 0
    """An order report comes `report_delayed_ms` later, overtaken by all those after it, of its own order too."""
    report_delayed_ms: int = 700
    report_delayed_ms_max: int = 0
    report_reordered: int = 0
    """A report is held back by `report_reordered_ms`, and with it what follows of its own order; the reports of
    other orders overtake them. Without it reports leave in the order of the exchange's events."""
    report_reordered_ms: int = 30
    report_reordered_ms_max: int = 0
    report_lost: int = 0
    """An order report never comes. The order's state is in the queries only."""
    ioc_rests: int = 0
    """The venue takes an IOC for an order that rests: its remainder stays in the book until it is cancelled."""
    ioc_end_other: int = 0
    """An IOC remainder ends in one of the two other ways than `ioc_end` has it (drawn); KIWOOM.md 4.2."""
    clear_says_filled: int = 0
    """The clear event of an order that never filled says 913 체결, with no fill in it."""
    clear_unmarked: int = 0
    """The clear event comes without its mark in 819; after a partial fill it looks like that fill once more."""
    phantom_report: int = 0
    """A resting order is reported to have filled, by a number of its own, and the venue never made that fill: no
    ledger row, no shares, no cash. No machine can act rightly on it, so it is in no set but its own. What should
    follow: the machine closes what it believes it has, the next proof (a fill list, the holdings) contradicts it, and
    it says so and stops; the shares that it then holds too few or too many are named."""
    fill_split: int = 0
    """One fill is made in several executions (drawn: 2 to 4, any sizes), each with its own number and report."""

    # --- ends that are none ---
    order_shelved: int = 0
    """The server takes an order and lays it aside for `order_shelved_ms`: no number and no report meanwhile, and it is
    in no list. Then it goes on to the exchange as if nothing had been."""
    order_shelved_ms: int = 2_500
    order_shelved_ms_max: int = 0
    reject_untrue: int = 0
    """An IOC is reported as refused by the exchange (거부), and trades there all the same."""
    cancel_untrue: int = 0
    """A cancel is confirmed (확인) for all that rests, and within `cancel_untrue_ms` it turns out that the order was
    filled instead."""
    cancel_untrue_ms: int = 5
    cancel_untrue_ms_max: int = 0

    # --- rejections ---
    reject_tr: int = 0
    """The broker's server turns a new order away: blank 주문번호 and a message."""
    reject_exchange: int = 0
    """The exchange turns a numbered order away: a report with 913 거부 and a reason in 919."""
    overload_spurious: int = 0
    """-308 though the window is not full."""
    clock_jitter_ms: int = 0
    """No rate: the clock on which the caps are measured is off by a new draw of up to so much, either way, at each
    call (it never goes back). A sixth call within the caller's second may pass, and a fifth may not."""

    # --- cancels ---
    cancel_rejected: int = 0
    """A cancel gets a blank 주문번호 though its order rests."""
    cancel_unanswered: int = 0
    """A cancel is taken, then forgotten: no answer of any kind, and the order goes on resting."""
    cancel_silent: int = 0
    """A cancel works, and not a word is said of it: no number, no 접수, no 확인, no clear event of the original."""
    cancel_taken_early: int = 0
    """A cancel's number and its 접수 leave when the server takes it, before the exchange has it: only its 확인, or a
    거부 if the order filled first, says what became of it. Not in the samples, where they come with the 확인."""
    cancel_slow: int = 0
    """A cancel reaches the exchange `cancel_slow_ms` late: fills win the race."""
    cancel_slow_ms: int = 250
    cancel_slow_ms_max: int = 0
    cancel_raced: int = 0
    """Just before a cancel meets the exchange somebody hits its order: for all of it, or for a drawn part."""

    # --- queries ---
    query_lost: int = 0
    """CommRqData returns 0 and no answer comes."""
    query_late: int = 0
    """The answer comes `query_late_ms` later and tells how things stood when it was asked for."""
    query_late_ms: int = 1_500
    query_late_ms_max: int = 0
    query_overload: int = 0
    """-200 though the window is not full."""
    query_failed: int = 0
    """CommRqData is turned away with -22, -205 or -211 (drawn; KIWOOM.md 1.6), and no answer comes."""
    list_lag: int = 0
    """opt10075 and opt10076 leave out the orders that came within the last `list_lag_ms`."""
    list_lag_ms: int = 600
    list_lag_ms_max: int = 0

    list_stale: int = 0
    """opt10075 still shows an order that ended unfilled within the last `list_stale_ms` as it stood before."""
    list_stale_ms: int = 300
    list_stale_ms_max: int = 0

    # --- the market around our orders ---
    touch_gone: int = 0
    """Just before an order meets the book, a rival takes all that it would have taken."""
    touch_thin: int = 0
    """The same, but a drawn part of the order is left for it: it fills in part."""
    post_hit: int = 0
    """A resting order is hit for a drawn part of it within `post_hit_ms`."""
    post_hit_ms: int = 10
    post_hit_ms_max: int = 800
    halt_after_fill: int = 0
    """A fill of ours is followed at once by a trading halt of the symbol on both venues, for `halt_seconds`."""
    halt_seconds: int = 3
    vi_after_fill: int = 0
    """A fill of ours is followed at once by a volatility interruption on that venue, for `vi_seconds`."""
    vi_other_after_fill: int = 0
    """The same on the other venue, where the pair still has to trade."""
    vi_seconds: int = 120
    nxt_suspended_after_fill: int = 0
    """A fill of ours, on either venue, is followed at once by a halt of every symbol on NXT, for
    `nxt_suspended_seconds`. No signal tells it (KIWOOM.md has none): orders are refused, cancels are taken."""
    nxt_suspended_seconds: int = 3
    nxt_closed_after_fill: int = 0
    """A fill of ours is followed at once by the end of NXT's main market, hours early: signal S, then no order and no
    cancel until the evening."""
    limit_after_fill: int = 0
    """A fill of ours is followed at once by a rush of the symbol to the day's limit, on both venues, against us: to the
    lower one after a purchase (nobody bids), to the upper one after a sale (nobody offers). For `limit_seconds`."""
    limit_seconds: int = 3

    # --- the line ---
    line_lost: int = 0
    """After an order is taken, and before any of its events, the line to the client is cut (-106)."""
    line_lost_at_fill: int = 0
    """A fill of ours is made and the line is cut before its report leaves."""
    line_cuts_per_hour: int = 0
    """The line is cut while nothing particular happens."""
    line_down_ms: int = 0
    """How long no login works after any of these cuts: OnEventConnect(-101)."""
    line_down_ms_max: int = 0

    # --- others ---
    foreign_order: int = 0
    """Within `foreign_order_ms` after an order of ours the trader places one by hand on the same symbol: the account's
    order, its reports and its shares, and nothing that we sent. It takes the touch, or rests for two seconds."""
    foreign_order_ms: int = 0
    foreign_order_ms_max: int = 800
    poison_quote: int = 0
    """A quote is preceded by nonsense: crossed, zero, absurd in price or size, unreadable, or of an unknown code."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value, largest = getattr(self, field.name), _largest(field.name)
            assert 0 <= value <= largest, f"{field.name}: must be 0..{largest}"
            if field.name.endswith("_ms_max") and value:
                shortest = getattr(self, field.name.removesuffix("_max"))
                assert value >= shortest, f"{field.name}: must be 0 or at least {shortest}"


def _largest(name: str) -> int:
    if name.endswith(("_ms", "_ms_max", "_seconds")):
        return _DELAY_MS_MAX
    return PER_HOUR_MAX if name.endswith("_per_hour") else RATE_BASE


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
Choice = TypeVar("Choice")


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


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault that happened."""

    wall: int
    """The broker's wall time at which it was decided, in nanoseconds."""
    fault: str
    """Its name in `Faults`."""
    subject: str
    """What it happened to: an rq_name (calls and their answers), an order number (reports), a feed code (quotes), a
    symbol or "NXT" (the market), "line"."""
    size_ns: int = 0
    """How long it delays, halts or lasts; 0 where that says nothing."""


class FaultDice:
    """Decides seeded whether a fault happens, and keeps the list of those that did.

    A rate of 0 draws nothing, so it leaves the other draws alone. Nothing happens any more once it is calm.
    """

    def __init__(self, faults: Faults, random: Random) -> None:
        self.faults = faults
        self.counts: Counter[str] = Counter()
        """How often each fault has happened."""
        self._random = random
        self._is_calm = False
        self._strikes: deque[Strike] = deque(maxlen=STRIKES_KEPT_MAX)
        # Emptied by what it names; a few entries while a script runs.
        self._aims: Counter[tuple[str, str]] = Counter()

    def aim(self, fault: str, subject: str, times: int) -> None:
        """The next `times` that this fault may strike this subject (or, `ANYTHING`, any) it does, whatever its rate."""
        assert times >= 1 and hasattr(self.faults, fault), fault
        self._aims[fault, subject] += times

    def calm(self) -> None:
        """From now on nothing goes wrong."""
        self._is_calm = True

    @property
    def is_calm(self) -> bool:
        return self._is_calm

    def take(self) -> list[Strike]:
        """The strikes since the last look, oldest first."""
        strikes = list(self._strikes)
        self._strikes.clear()
        return strikes

    def strikes(self, fault: str, subject: str, wall: int, size_ns: int = 0) -> bool:
        """Does this fault happen now? If so it is noted."""
        struck = self._draw(fault, subject)
        if struck:
            self.note(fault, subject, wall, size_ns)
        return struck

    def delay(self, fault: str, subject: str, wall: int) -> int:
        """0, or if this fault happens now, its time in nanoseconds (at least 1): see `Faults`."""
        if not self._draw(fault, subject):
            return 0
        size_ns = self.size(fault)
        self.note(fault, subject, wall, size_ns)
        return size_ns

    def happens(self, fault: str, subject: str) -> bool:
        """`strikes` for a fault of which it is known only later whether it finds a victim: `note` it then."""
        return self._draw(fault, subject)

    def size(self, name: str) -> int:
        """A time from `name`_ms to `name`_ms_max in nanoseconds, at least 1."""
        shortest: int = getattr(self.faults, f"{name}_ms")
        longest: int = getattr(self.faults, f"{name}_ms_max")
        if longest <= shortest:
            return max(1, shortest * _MILLISECOND)
        return self._random.randint(max(1, shortest * _MILLISECOND), longest * _MILLISECOND)

    def note(self, fault: str, subject: str, wall: int, size_ns: int = 0) -> None:
        self.counts[fault] += 1
        self._strikes.append(Strike(wall, fault, subject, size_ns))

    def clock_error(self) -> int:
        """How far the clock of the caps is off at this call, in nanoseconds."""
        jitter = self.faults.clock_jitter_ms * _MILLISECOND
        return 0 if self._is_calm or not jitter else self._random.randint(-jitter, jitter)

    def gap(self, per_hour: int) -> int:
        """Nanoseconds until the next of what comes so often."""
        return self._random.randint(1, 2 * 3_600_000 * _MILLISECOND // per_hour)

    def between(self, low: int, high: int) -> int:
        """How a fault that happens happens; both ends included."""
        return self._random.randint(low, high)

    def one_of(self, choices: Sequence[Choice]) -> Choice:
        """The same, among several ways."""
        return choices[self._random.randrange(len(choices))]

    def _draw(self, fault: str, subject: str) -> bool:
        if self._aims and self._hits_aim(fault, subject):
            return not self._is_calm
        rate: int = getattr(self.faults, fault)
        return rate > 0 and not self._is_calm and self._random.randrange(RATE_BASE) < rate

    def _hits_aim(self, fault: str, subject: str) -> bool:
        for aim in ((fault, subject), (fault, ANYTHING)):
            if self._aims[aim] > 0:
                self._aims[aim] -= 1
                return True
        return False
