"""Which settings a seed tries: the simulation varies what the configuration leaves at its default.

A value that the user set, in the file or with --set, is the one that is simulated on every day.
"""

from collections.abc import Mapping
from random import Random

from config.reader import LoadedConfig

_CHOICES: dict[str, tuple[str, ...]] = {
    "execution.slice_qty": ("1", "1", "2", "3", "5", "7"),
    "execution.t_hedge_ms": ("1000", "800", "500", "300", "150"),
    "execution.max_hedge_attempts": ("5", "5", "5", "3", "2", "1"),
    "execution.timeouts.ioc_end_ms": ("500", "500", "200"),
    "execution.max_concurrent_symbols": ("2", "2", "3", "4"),
    "execution.max_outstanding_pairs_per_symbol": ("1", "1", "1", "2"),
    "router.entry_leg": ("auto", "auto", "sell_rich", "buy_cheap"),
    "router.entry_leg_style.prefer": ("ioc", "ioc", "ioc", "market"),
    "router.hedge_leg.prefer": (*("limit",) * 11, "ioc"),
    "router.hedge_leg.hedge_price": ("lock", "lock", "join", "mid"),
    "router.hedge_leg.hedge_fallback_venue": ("best", "best", "same"),
    "throttling.min_tokens_free_to_start_new_pair": ("4", "3", "3"),
    "spread_engine.cooldown_ms": ("100", "100", "0"),
}
"""By key: as often as it stands here."""
_CHOICES_LATE: dict[str, tuple[str, ...]] = {
    "execution.t_hedge_ms": ("300", "1000", "4000", "8000", "12000"),
}
"""On a day that runs into the close: a hedge that rests for long meets it."""
_OVERRIDES = "symbols.per_symbol_overrides"
_IOC_ONLY_PERCENT = 25
"""On so many days the first symbol is hedged by IOC at once."""


def varied(loaded: LoadedConfig, seed: int, *, is_late: bool, themed: Mapping[str, str] | None = None) -> LoadedConfig:
    """The configuration of this seed's day; `is_late`: it runs into the close; `themed`: what its theme wants of it.

    Raises ConfigErrors if what the user set does not go with a choice.
    """
    random = Random(f"{seed}:settings")
    choices = _CHOICES | (_CHOICES_LATE if is_late else {})
    drawn = {key: random.choice(values) for key, values in choices.items()} | dict(themed or {})
    if random.randrange(100) < _IOC_ONLY_PERCENT and loaded.traded:
        drawn[_OVERRIDES] = f'{{"{loaded.traded[0].symbol}": {{hedge_ioc_only: true}}}}'
    sets = [f"{key}={value}" for key, value in drawn.items() if loaded.origins.get(key) == "default"]
    return loaded.changed(sets)
