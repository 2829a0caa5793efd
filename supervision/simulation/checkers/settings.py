"""What the checkers must be told of a day: its limits, its times, and how much each imposed fault may excuse.

Every allowance is an upper bound with a reason. Making one smaller makes the checkers stricter; 0 is allowed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from kiwoom.market import MS, SECOND

_HOUR: Final = 3_600 * SECOND
_MINUTE: Final = 60 * SECOND

CONSEQUENCES_NS: Final[Mapping[str, int]] = {
    # an order's number
    "order_lost": 3_500 * MS,  # two queries, each a second after the call, half a second apart, and their answers
    "order_no_late": 800 * MS,  # the answer's patience (250 ms), a query and its two answers
    "order_no_never": 800 * MS,
    "order_no_after_report": 100 * MS,
    "message_swapped": 0,
    # its reports
    "report_repeated": 0,
    "report_delayed": 1_200 * MS,  # the end's patience (500 ms), a query, the grace for the missing fill (300 ms)
    "report_reordered": 200 * MS,
    "report_lost": 1_700 * MS,  # as if delayed, and the query is asked again once
    "ioc_end_other": 1_200 * MS,  # at worst no end is told
    "clear_says_filled": 1_200 * MS,
    "clear_unmarked": 1_200 * MS,
    "fill_split": 200 * MS,
    "ioc_rests": 2_000 * MS,  # the end's patience, a query, the cancel and its end
    # ends that are none
    "order_shelved": 3_500 * MS,  # as if lost; it turns up later, and what it does then is hedged like a fill
    "reject_untrue": 1_500 * MS,
    "cancel_untrue": 1_500 * MS,
    # rejections
    "reject_tr": 600 * MS,  # the next rung after the retry's pause; a refused venue is passed over for 400 ms
    "reject_exchange": 600 * MS,
    "overload_spurious": 1_300 * MS,  # sent again when the window has room: it stays counted
    "clock_jitter_ms": 1_300 * MS,
    # cancels
    "cancel_rejected": 1_000 * MS,  # cancel_ms, a query, the cancel again
    "cancel_unanswered": 1_200 * MS,
    "cancel_silent": 1_200 * MS,
    "cancel_slow": 1_000 * MS,
    "cancel_raced": 700 * MS,
    "cancel_taken_early": 0,  # it is the usual course; what comes early may not be acted upon
    # queries: one at a time, so one that fails holds up all others
    "query_lost": 5_500 * MS,  # an answer is waited for 5 s
    "query_late": 500 * MS,
    "query_overload": 1_500 * MS,
    "query_failed": 1_000 * MS,
    "list_lag": 1_200 * MS,  # asked again twice
    "list_stale": 1_500 * MS,  # a cancel of what is over, its answer's patience, and the query again
    # the market: how long it stops is told by events of its own (TradingHalted, VenueClosed)
    "touch_gone": 600 * MS,
    "touch_thin": 600 * MS,
    "post_hit": 0,
    "halt_after_fill": 0,
    "vi_after_fill": 0,
    "vi_other_after_fill": 0,
    "nxt_suspended_after_fill": 0,
    "nxt_closed_after_fill": 0,
    "limit_after_fill": 1_000 * MS,
    # the line: how long it is down is counted apart
    "line_lost": 1_000 * MS,
    "line_lost_at_fill": 1_000 * MS,
    "line_cuts_per_hour": 1_000 * MS,
    "cut_line": 1_000 * MS,
    # others
    "foreign_order": 400 * MS,
    "poison_quote": 0,
    "message_delayed": 200 * MS,
    "actor_hung": 500 * MS,
}
"""By fault: what it may cost beyond its own size, by the machine's timers (SPEC 8, 9). Others: `other_ns`."""

NO_DELAYS: Final = frozenset(
    {
        "clock_jitter_ms",
        "report_repeated",
        "post_hit",
        "foreign_order",
        "halt_after_fill",
        "vi_after_fill",
        "vi_other_after_fill",
        "nxt_suspended_after_fill",
        "nxt_closed_after_fill",
        "line_lost",
        "line_lost_at_fill",
        "line_cuts_per_hour",
        "cut_line",
    }
)
"""Faults whose size delays nothing of itself, or is counted by what they do."""

LINE_CUTS: Final = frozenset({"line_lost", "line_lost_at_fill", "line_cuts_per_hour", "cut_line"})
"""Their size is how long no login works."""


def delay_of(fault: str, size_ns: int) -> int:
    return 0 if fault in NO_DELAYS else size_ns


@dataclass(frozen=True, slots=True)
class Allowances:
    """What the unhedged time of one pair may be beyond t_hedge. Nanoseconds."""

    base_ns: int = 1_500 * MS
    """With nothing imposed: fill report, cancel, its end, IOC, fill, at the default latencies."""
    latency_ns: int = 0
    """What this seed's latencies add to that: for each of the five round trips, its figure less the default's."""
    consequences_ns: Mapping[str, int] = field(default_factory=lambda: CONSEQUENCES_NS)
    other_ns: int = 2_000 * MS
    """The consequence of a fault that `consequences_ns` does not name."""
    recovery_ns: int = 700 * MS
    """After each death of an actor that a live pair needs, beside the time until its successor carries its core."""
    reconcile_max_ns: int = 10 * SECOND
    """After the start of a machine or a Gateway, or from when a cut line takes logins again, it counts as down until
    RECONCILED, at most so long."""
    shut_ns: int = 1_000 * MS
    """Each time that one venue of the symbol stops: the order there fails and another is sent elsewhere."""

    def __post_init__(self) -> None:
        figures = (self.base_ns, self.latency_ns, self.other_ns, self.recovery_ns, self.reconcile_max_ns, self.shut_ns)
        assert min(*figures, *self.consequences_ns.values()) >= 0

    def of(self, fault: str, size_ns: int) -> int:
        """What one strike excuses."""
        return delay_of(fault, size_ns) + self.consequences_ns.get(fault, self.other_ns)


@dataclass(frozen=True, slots=True)
class CheckerSettings:
    """The day's limits. Durations in ns, times of day in ns since the Seoul midnight."""

    limit: int = 5
    """Calls in any second."""
    reserve: int = 2
    """What an entry must leave of them."""
    window_margin_ns: int = 50 * MS
    t_hedge_ns: int = SECOND
    t_hedge_of: Mapping[str, int] = field(default_factory=dict)
    """By symbol, where it differs."""
    max_hedge_attempts: int = 5
    guard_start: int = 9 * _HOUR + 32 * SECOND
    guard_end: int = 15 * _HOUR + 19 * _MINUTE + 50 * SECOND
    closing: int = 15 * _HOUR + 20 * _MINUTE
    """The last instant for any call."""
    transit_ns: int = 100 * MS
    """From the machine's look at the clock to the call's arrival at the broker."""
    signal_ns: int = 500 * MS
    """From a venue's signal, or a disarming, until no call follows that does not know of it."""
    own_grace_ns: int = 3 * SECOND
    """How long an imbalance may have no manager, beside delays and downtime."""
    flat_ns: int = 5 * SECOND
    """After the last fault, plus a second for each `limit` orders still to send."""
    flatten_ns: int = 2 * SECOND
    """The same after Flatten, for pairs on which nothing was imposed."""
    priority_ns: int = 200 * MS
    """How long a hedge or cancel may wait beside the window."""
    foreign_news_ns: int = 1_500 * MS
    """How long the machine may not know of somebody else's order."""
    cancels_max: int = 3
    """Cancels of one order, plus one for each strike on its pair and each death."""
    queries_max: int = 12
    """Doubt queries of one pair, plus four for each strike on it and each death."""
    prompt_ns: int = 300 * MS
    """How long after an order's end the pair's next step may be stamped."""
    wake_ns: int = 2 * MS
    """How late a timer may be."""
    room_ns: int = 2 * SECOND
    """How long the Router may count a pair whose end is written."""
    fee_ppb: tuple[int, int] = (0, 0)
    """Commission on KRX and NXT, in parts per billion."""
    tax_ppb_of: Mapping[str, int] = field(default_factory=dict)
    """Tax on sales by symbol, in parts per billion; a symbol that is not here has an edge that nobody judges."""
    half_ticks: int = 2
    """The buffer of the edge rule, in half ticks."""
    half_ticks_of: Mapping[str, int] = field(default_factory=dict)
    """By symbol."""
    visible_min: int = 1
    """Shares that must be visible on both sides of a signal."""
    lies: frozenset[str] = frozenset({"phantom_report"})
    """Faults by which the broker itself tells of a fill or an end that never was. What then follows is excused where it
    is about that order only; MONEY, REPLAY and PAIR ENDS hold it against the day all the same."""
    untrue_ends: frozenset[str] = frozenset({"order_shelved", "reject_untrue", "cancel_untrue"})
    """Faults by which an order that the broker's own words prove to be over trades all the same. Excused is only that
    it is called over, and that others are sent in its place: its fills must be booked and made good like any other."""
    allowances: Allowances = field(default_factory=Allowances)

    def __post_init__(self) -> None:
        assert 0 <= self.reserve < self.limit
        assert 0 <= self.guard_start < self.guard_end <= self.closing
        assert self.t_hedge_ns > 0
        assert self.max_hedge_attempts >= 1

    def t_hedge(self, symbol: str) -> int:
        return self.t_hedge_of.get(symbol, self.t_hedge_ns)
