"""What is measured for Prometheus: every metric once, with its kind, meaning and labels. Base units: seconds and KRW.

Labels are bounded: venues, shards, actors, outcomes and reasons, never a pair or an order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum


class Kind(Enum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """`name` as it is scraped (a counter's ends in _total)."""

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    buckets_ms: tuple[int, ...] = ()
    """Upper bounds of a histogram, ascending, in milliseconds."""

    def __post_init__(self) -> None:
        assert self.name.startswith("arb_")
        assert (self.kind is Kind.COUNTER) == self.name.endswith("_total")
        assert (self.kind is Kind.HISTOGRAM) == bool(self.buckets_ms)
        assert list(self.buckets_ms) == sorted(set(self.buckets_ms))


@dataclass(slots=True)
class Sample:
    """One value of `metric`. `samples_ns`: of a histogram, what was measured, in nanoseconds."""

    metric: Metric
    labels: tuple[str, ...] = ()
    value: int = 0
    samples_ns: Sequence[int] = field(default=())


_FAST = (1, 2, 5, 10, 15, 25, 50, 100, 150, 250, 500, 1_000)
_SLOW = (25, 50, 100, 250, 500, 1_000, 1_500, 2_500, 5_000, 10_000)

QUOTES = Metric("arb_quotes_total", Kind.COUNTER, "Quotes that changed a top of book.", ("venue", "shard"))
DUPLICATES = Metric(
    "arb_quotes_duplicate_total", Kind.COUNTER, "Quotes that changed no top of book.", ("venue", "shard")
)
BATCHES = Metric("arb_quote_batches_total", Kind.COUNTER, "Batches of quotes that a shard took.", ("shard",))
SIGNALS = Metric("arb_signals_total", Kind.COUNTER, "Edges that were good enough to ask for a pair.")
CANDIDATES = Metric("arb_candidates_total", Kind.COUNTER, "Edges looked at, by what became of them.", ("outcome",))
DEFERRALS = Metric("arb_cooldown_deferrals_total", Kind.COUNTER, "Good edges that met a symbol in its cooldown.")
FLIP_FLOPS = Metric("arb_flip_flops_total", Kind.COUNTER, "Symbols whose edge changed its direction.")
TICK_TO_SIGNAL = Metric(
    "arb_tick_to_signal_seconds", Kind.HISTOGRAM, "From what caused a signal to the signal.", (), _FAST
)
SIGNAL_TO_SEND = Metric(
    "arb_signal_to_send_seconds", Kind.HISTOGRAM, "From a signal to the call of its entry.", (), _FAST
)
TICK_TO_SEND = Metric("arb_tick_to_send_seconds", Kind.HISTOGRAM, "From the cause to the entry's call.", (), _FAST)
SEND_TO_ACK = Metric("arb_send_to_ack_seconds", Kind.HISTOGRAM, "From an order's call to its number.", (), _FAST)
UNHEDGED = Metric("arb_unhedged_seconds", Kind.HISTOGRAM, "How long an ended pair was open on one side.", (), _SLOW)
ORDER_REJECTS = Metric(
    "arb_order_rejects_total", Kind.COUNTER, "Orders turned away: TR, EXCHANGE or LOCAL.", ("source",)
)
ORDERS_REFUSED = Metric("arb_orders_refused_total", Kind.COUNTER, "Orders not sent, by why.", ("reason",))
WINDOW_USED = Metric("arb_order_window_used", Kind.GAUGE, "Orders and cancels within the last second.")
TOKENS_FREE = Metric("arb_order_tokens_free", Kind.GAUGE, "How many more may be sent now.")
WINDOW_LIMIT = Metric("arb_order_window_limit", Kind.GAUGE, "How many may be sent in any second.")
QUERIES = Metric("arb_queries_total", Kind.COUNTER, "Queries to the broker.")
AUTO_PAUSE = Metric("arb_auto_pause", Kind.GAUGE, "1 while entries are paused because the window is used too much.")
PAIRS_LIVE = Metric("arb_pairs_live", Kind.GAUGE, "Pairs between entry and end.")
PAIRS = Metric("arb_pairs_total", Kind.COUNTER, "Pairs ended, by how.", ("outcome",))
HEDGE_TIMEOUTS = Metric("arb_hedge_timeouts_total", Kind.COUNTER, "Posted hedges that did not fill in time.")
DENIED = Metric("arb_admissions_denied_total", Kind.COUNTER, "Signals not admitted, by why.", ("reason",))
PNL = Metric("arb_pnl_krw", Kind.GAUGE, "Won of all ended pairs: gross, fees, taxes, net.", ("component",))
POSITION = Metric("arb_position_shares_open", Kind.GAUGE, "Shares bought and not sold, or sold and not bought.")
ARMED = Metric("arb_armed", Kind.GAUGE, "1 while new pairs may begin.")
PHASE = Metric(
    "arb_session_phase", Kind.GAUGE, "A venue's main session: 0 unknown, 1 closed, 2 running, 3 auction.", ("venue",)
)
BUILD = Metric("arb_build_info", Kind.GAUGE, "Always 1; what runs.", ("version", "mode"))

CATALOGUE = (
    QUOTES,
    DUPLICATES,
    BATCHES,
    SIGNALS,
    CANDIDATES,
    DEFERRALS,
    FLIP_FLOPS,
    TICK_TO_SIGNAL,
    SIGNAL_TO_SEND,
    TICK_TO_SEND,
    SEND_TO_ACK,
    UNHEDGED,
    ORDER_REJECTS,
    ORDERS_REFUSED,
    WINDOW_USED,
    TOKENS_FREE,
    WINDOW_LIMIT,
    QUERIES,
    AUTO_PAUSE,
    PAIRS_LIVE,
    PAIRS,
    HEDGE_TIMEOUTS,
    DENIED,
    PNL,
    POSITION,
    ARMED,
    PHASE,
    BUILD,
)
"""All of them, in the order in which they are shown."""
