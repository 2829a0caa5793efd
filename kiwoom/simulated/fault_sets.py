"""Named sets of faults, and the variant of the broker that a seed plays.

A set is a mapping for `settings_from(Faults, ...)`. One per family makes that family common; "all" has everything that
a machine can stay right against, at rates that touch about a third of the pairs.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Final

from kiwoom.simulated.faults import RATE_BASE

ALL: Final = "all"

FAULT_SETS: Final[Mapping[str, Mapping[str, int]]] = {
    "numbers": {
        "order_lost": 500,
        "order_no_late": 1_500,
        "order_no_late_ms": 150,
        "order_no_late_ms_max": 2_500,
        "order_no_never": 700,
        "order_no_after_report": 1_500,
        "message_swapped": 3_000,
    },
    "reports": {
        "report_repeated": 1_500,
        "report_repeated_ms_max": 3_000,
        "report_delayed": 700,
        "report_delayed_ms": 20,
        "report_delayed_ms_max": 4_000,
        "report_reordered": 2_000,
        "report_reordered_ms_max": 400,
        "report_lost": 300,
    },
    "ends": {"ioc_end_other": 6_667, "clear_says_filled": 3_000, "clear_unmarked": 1_500},
    "splits": {"fill_split": 7_000, "touch_thin": 3_000, "post_hit": 4_000},
    "rejects": {"reject_tr": 1_000, "reject_exchange": 1_000},
    "overload": {"overload_spurious": 700, "clock_jitter_ms": 60, "query_overload": 1_000},
    "cancels": {
        "cancel_rejected": 1_200,
        "cancel_unanswered": 1_200,
        "cancel_silent": 800,
        "cancel_slow": 2_000,
        "cancel_slow_ms": 50,
        "cancel_slow_ms_max": 900,
        "cancel_raced": 4_000,
        "cancel_taken_early": 3_000,
        "post_hit": 2_000,
    },
    "queries": {
        "query_lost": 800,
        "query_late": 1_500,
        "query_late_ms": 200,
        "query_late_ms_max": 4_000,
        "query_overload": 800,
        "query_failed": 800,
        "list_lag": 2_500,
        "list_lag_ms": 100,
        "list_lag_ms_max": 800,
        # What makes a machine ask.
        "order_no_never": 700,
        "report_lost": 500,
    },
    "halts": {
        "halt_after_fill": 300,
        "vi_after_fill": 200,
        "vi_other_after_fill": 300,
        "vi_seconds": 10,
        "limit_after_fill": 200,
    },
    "session": {"nxt_suspended_after_fill": 400, "nxt_closed_after_fill": 40},
    "line": {
        "line_lost": 150,
        "line_lost_at_fill": 200,
        "line_cuts_per_hour": 60,
        "line_down_ms_max": 3_000,
        "post_hit": 1_500,
    },
    "books": {"touch_gone": 2_500, "touch_thin": 2_500},
    "foreign": {"foreign_order": 2_000},
    "poison": {"poison_quote": 300},
    "phantom": {"phantom_report": 300},
    ALL: {
        "order_lost": 60,
        "order_no_late": 200,
        "order_no_late_ms": 150,
        "order_no_late_ms_max": 2_500,
        "order_no_never": 80,
        "order_no_after_report": 200,
        "message_swapped": 400,
        "report_repeated": 120,
        "report_repeated_ms_max": 3_000,
        "report_delayed": 80,
        "report_delayed_ms": 20,
        "report_delayed_ms_max": 4_000,
        "report_reordered": 120,
        "report_reordered_ms_max": 400,
        "report_lost": 40,
        "ioc_end_other": 1_500,
        "clear_says_filled": 500,
        "clear_unmarked": 200,
        "fill_split": 600,
        "reject_tr": 80,
        "reject_exchange": 80,
        "overload_spurious": 80,
        "clock_jitter_ms": 20,
        "cancel_rejected": 200,
        "cancel_unanswered": 200,
        "cancel_silent": 100,
        "cancel_slow": 300,
        "cancel_slow_ms": 50,
        "cancel_slow_ms_max": 900,
        "cancel_raced": 800,
        "cancel_taken_early": 500,
        "query_lost": 200,
        "query_late": 300,
        "query_late_ms": 200,
        "query_late_ms_max": 4_000,
        "query_overload": 200,
        "query_failed": 200,
        "list_lag": 500,
        "list_lag_ms": 100,
        "list_lag_ms_max": 800,
        "touch_gone": 150,
        "touch_thin": 150,
        "post_hit": 400,
        "halt_after_fill": 25,
        "vi_after_fill": 20,
        "vi_other_after_fill": 25,
        "vi_seconds": 10,
        "nxt_suspended_after_fill": 25,
        "nxt_closed_after_fill": 4,
        "limit_after_fill": 20,
        "line_lost": 20,
        "line_lost_at_fill": 20,
        "line_cuts_per_hour": 6,
        "line_down_ms_max": 3_000,
        "foreign_order": 100,
        "poison_quote": 20,
    },
}

_LEFT_OUT_PERCENT: Final = 30
"""Of the rates of a drawn variant so many are 0: what hides behind a common fault is found without it."""
_SCALE_PERCENT: Final = (25, 200)


def variant_of(seed: int, names: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """(faults, knobs, latency) for `broker.settings_of`: the broker that this seed plays.

    The rates of the named sets (of two that name the same, the higher), each left out or scaled by the seed; never all
    of them left out. Drawn too, also without any set: which variant of Kiwoom it is (where KIWOOM.md says "unknown"),
    and how far away its servers are. KeyError for an unknown name.
    """
    draws = Random(f"{seed}:variant")
    faults: dict[str, Any] = {}
    for name in names:
        for key, value in FAULT_SETS[name].items():
            faults[key] = max(value, faults.get(key, 0))
    rates = [key for key in faults if _is_rate(key)]
    kept = [key for key in rates if draws.randrange(100) >= _LEFT_OUT_PERCENT] or rates
    for key in rates:
        scaled = max(1, faults[key] * draws.randint(*_SCALE_PERCENT) // 100)
        faults[key] = min(RATE_BASE, scaled) if key in kept else 0
    return faults, _drawn_knobs(draws), _drawn_latency(draws)


def _is_rate(key: str) -> bool:
    return key == "clock_jitter_ms" or not key.endswith(("_ms", "_ms_max", "_seconds"))


def _drawn_knobs(draws: Random) -> dict[str, Any]:
    return {
        "message_before_tr": draws.randrange(100) < 50,
        "ioc_end": draws.choice(("clear", "confirm", "nothing")),
        "report_has_venue": draws.randrange(100) < 80,
        "report_has_costs": draws.randrange(100) < 80,
        "balance_on_release": draws.randrange(100) < 50,
        "query_registers_real": draws.randrange(100) < 50,
        "overload_counts": draws.randrange(100) < 30,
        "rows_per_page": draws.choice((5, 20, 100)),
    }


def _drawn_latency(draws: Random) -> dict[str, Any]:
    return {
        "exchange_ms": draws.randint(1, 25),
        "ack_ms": draws.randint(5, 120),
        "report_ms": draws.randint(5, 100),
        "cancel_ms": draws.randint(1, 40),
        "query_ms": draws.randint(10, 300),
        "login_ms": draws.randint(20, 500),
        "jitter_ms": draws.randint(0, 15),
    }
