"""Days on which circumstances meet that an even mixture of faults hardly ever brings together.

A few percent of the days of "all" have a theme: faults, settings, a time of day and an operator that all work towards
the same rows of the pair's table. What the theme does not name is drawn as on any other day.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

PERCENT: Final = 16
"""Days of "all" that have a theme."""


@dataclass(frozen=True, slots=True)
class DayTheme:
    name: str
    rows: tuple[str, ...]
    """The rows of PAIR_TRANSITIONS that it makes common."""
    faults: Mapping[str, int]
    """Over those that were drawn."""
    knobs: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    """Where the user left the default."""
    flattens: bool = False
    """The operator presses Flatten again and again."""
    is_late: bool = False
    """It runs into the close, with the host's clock ahead until shortly before."""


_SLOW_PROOF: Final = {"query_late": 2_500, "query_late_ms": 300, "query_late_ms_max": 1_200}
"""What is in doubt stays so for seconds."""
_QUICK: Final = {"execution.t_hedge_ms": "150", "execution.slice_qty": "3"}

THEMES: Final = (
    DayTheme(
        "takes that rest, flattened",
        (
            "CANCEL_POST_SENT FLAT_BY_FLATTEN",
            "CANCEL_POST_SENT ATTEMPTS_SPENT",
            "CANCEL_STUCK FLAT_BY_FLATTEN",
            "CANCEL_STUCK ATTEMPTS_SPENT",
        ),
        {
            "touch_gone": 3_000,
            "touch_thin": 4_000,
            "ioc_rests": 9_000,
            "cancel_unanswered": 3_000,
            "cancel_silent": 4_000,
            "cancel_raced": 3_000,
            "post_hit": 4_000,
            "post_hit_ms_max": 3_000,
        },
        settings=_QUICK | {"execution.max_hedge_attempts": "1", "router.entry_leg_style.prefer": "ioc"},
        flattens=True,
    ),
    DayTheme(
        "entries in doubt",
        (
            "HEDGE_IN_DOUBT ENTRY_RESTING",
            "HEDGE_MARKET_SENT ENTRY_RESTING",
            "CANCEL_STUCK ENTRY_RESTING",
            "CANCEL_STUCK FLAT_ENTRY_OPEN",
        ),
        {
            "touch_gone": 2_000,
            "touch_thin": 7_000,
            "ioc_rests": 5_000,
            "order_no_never": 700,
            "cancel_unanswered": 4_000,
            "post_hit": 5_000,
            "post_hit_ms_max": 3_000,
            **_SLOW_PROOF,
        },
        knobs={"ioc_end": "nothing"},
        settings=_QUICK,
    ),
    DayTheme(
        "entries in doubt, flattened",
        ("ENTRY_IN_DOUBT FLAT_BY_FLATTEN",),
        {"touch_thin": 7_000, "ioc_rests": 3_000, **_SLOW_PROOF},
        knobs={"ioc_end": "nothing"},
        settings={"execution.slice_qty": "3", "execution.t_hedge_ms": "1000"},
        flattens=True,
    ),
    DayTheme(
        "several posts",
        ("HEDGE_POST_SENT POST_IN_THE_WAY",),
        {
            "touch_thin": 8_000,
            "ioc_rests": 9_000,
            "post_hit": 9_000,
            "post_hit_ms_max": 1_500,
            "reject_exchange": 3_000,
            "cancel_unanswered": 5_000,
            **_SLOW_PROOF,
        },
        settings={"execution.slice_qty": "3", "execution.t_hedge_ms": "1000", "router.hedge_leg.prefer": "limit"},
    ),
    DayTheme(
        "shelved and flattened",
        ("FLATTENED LATE_FILL",),
        {"order_shelved": 4_000, "order_shelved_ms": 2_000, "order_shelved_ms_max": 5_000, "touch_gone": 1_000},
        settings={"execution.t_hedge_ms": "1000"},
        flattens=True,
    ),
    DayTheme(
        "no cancel before the close",
        ("CANCEL_STUCK TIME_UP", "RESCUE HEDGE_OVERDUE", "RESCUE LEFT_CLOSED"),
        {
            "cancel_unanswered": 8_000,
            "report_delayed": 2_000,
            "report_delayed_ms_max": 4_000,
            "post_hit": 3_000,
            "post_hit_ms_max": 6_000,
            **_SLOW_PROOF,
        },
        settings={"execution.slice_qty": "3", "execution.t_hedge_ms": "4000", "router.hedge_leg.prefer": "limit"},
        is_late=True,
    ),
    DayTheme(
        "nobody trades before the close",
        ("HEDGE_IOC_SENT TIME_UP",),
        {"limit_after_fill": 3_000, "limit_seconds": 60, "touch_thin": 3_000},
        settings={"execution.t_hedge_ms": "4000"},
        is_late=True,
    ),
)


def theme_of(seed: int) -> DayTheme | None:
    """The theme of this seed's day, None on most."""
    random = Random(f"{seed}:theme")
    return random.choice(THEMES) if random.randrange(100) < PERCENT else None
