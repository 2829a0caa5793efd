"""What no single key can tell: keys that contradict each other, the mode, or the universe.

Each check yields faults; none raises. A fault names the key to change first, and the others that it depends on.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from ipaddress import ip_address
from itertools import pairwise
from pathlib import PurePath
from typing import Final

from actors.domain.symbol_map import SYMBOLS_PER_SHARD_MAX, UniverseEntry
from config.scalars import ns_of_day
from config.schema import Config
from kiwoom.market import DAY, SECOND, Market

SCREENS_MAX: Final = 200
"""Screens that the control allows in all (KIWOOM.md 5)."""

KRX_CONTINUOUS_START: Final = time(9)
_ANY_DATE: Final = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Fault:
    """`path` is the key to look at, `text` what is wrong and what is allowed, `involves` the other keys of it."""

    path: str
    text: str
    involves: tuple[str, ...] = ()


def faults_of(config: Config) -> Iterator[Fault]:
    """The faults that the configuration has by itself."""
    yield from _mode(config)
    yield from _fixed(config)
    yield from _windows(config)
    yield from _screens(config)
    yield from _tokens(config)
    yield from _amounts(config)
    yield from _hedging(config)
    yield from _taxes(config)
    yield from _supervision(config)


def universe_faults(config: Config, universe: Sequence[UniverseEntry]) -> Iterator[Fault]:
    """The faults that it has with this universe, which is not empty."""
    known = {entry.symbol for entry in universe}
    for path, codes in (
        ("symbols.per_symbol_overrides", config.symbols.per_symbol_overrides),
        ("paper.holdings", config.paper.holdings),
    ):
        for code in codes:
            if code not in known:
                yield Fault(f"{path}.{code}", f"{code} is not in the universe file; allowed: its codes")
    traded = [entry for entry in with_exclusions(config, universe) if not entry.exclude]
    for code in config.market_data.heartbeat_symbols:
        if code not in {entry.symbol for entry in traded}:
            yield Fault(
                "market_data.heartbeat_symbols",
                f"{code} is not in the universe file, or is excluded; allowed: codes that are watched",
            )
    if not traded:
        yield Fault("symbols.exclude", "every symbol is excluded; allowed: a list that leaves at least one")
        return
    yield from _shards(config, len(traded))


def warnings_of(
    config: Config, universe: Sequence[UniverseEntry], environ: Mapping[str, str], *, origins: Mapping[str, str]
) -> Iterator[str]:
    """What is allowed but probably not meant."""
    variable = webhook_variable(config)
    if variable and not environ.get(variable):
        yield f"alerts.slack.webhook: the variable {variable} is not set, so nothing is sent to Slack"
    if not config.taxes.enabled:
        yield "taxes.enabled: the transaction tax, the largest cost of a pair, is left out of every edge"
    known = {entry.symbol for entry in universe}
    for code in config.symbols.exclude:
        if code not in known:
            yield f"symbols.exclude: {code} is not in the universe file"
    if config.app.mode == "real" and any(
        path.startswith("paper.") and origin == "--set" for path, origin in origins.items()
    ):
        yield "paper: has no effect in real mode"
    if not config.sessions.use_fid_215_signals:
        yield "sessions.use_fid_215_signals: only the clock decides; on a public holiday the machine would arm"


def with_exclusions(config: Config, universe: Sequence[UniverseEntry]) -> tuple[UniverseEntry, ...]:
    """The universe with symbols.exclude applied."""
    excluded = set(config.symbols.exclude)
    return tuple(
        UniverseEntry(entry.symbol, entry.name, entry.market, entry.exclude or "symbols.exclude")
        if entry.symbol in excluded
        else entry
        for entry in universe
    )


def shards_needed(symbols: int) -> int:
    return -(-symbols // SYMBOLS_PER_SHARD_MAX)


def webhook_variable(config: Config) -> str:
    """The name in ${NAME}, or nothing."""
    return config.alerts.slack.webhook.removeprefix("${").removesuffix("}")


def _mode(config: Config) -> Iterator[Fault]:
    if config.app.mode != "real":
        return
    if not config.sessions.arm_only_in_overlap:
        yield Fault("sessions.arm_only_in_overlap", "false is not allowed in real mode; allowed: true", ("app.mode",))
    if config.kiwoom.features.use_sor:
        yield Fault("kiwoom.features.use_sor", "true is not allowed in real mode; allowed: false", ("app.mode",))
    if config.kiwoom.server == "mock":
        yield Fault(
            "kiwoom.server",
            "the mock server trades KRX only, so no pair could be closed; allowed: real, in real mode",
            ("app.mode",),
        )
    if not config.kiwoom.account:
        yield Fault(
            "kiwoom.account",
            "real mode trades only the account that is named here; allowed: its 10 digits",
            ("app.mode",),
        )


def _fixed(config: Config) -> Iterator[Fault]:
    if not config.execution.cancel_then_new_on_type_change:
        yield Fault(
            "execution.cancel_then_new_on_type_change",
            "an order's type cannot be changed in any other way; allowed: true",
        )
    if config.kiwoom.features.use_al_feed:
        yield Fault("kiwoom.features.use_al_feed", "the consolidated feed is not used here; allowed: false")
    if not config.market_data.subscribe_top_of_book_only:
        yield Fault("market_data.subscribe_top_of_book_only", "deeper levels are not kept; allowed: true")


def _windows(config: Config) -> Iterator[Fault]:
    sessions = config.sessions
    yield from _window("sessions.overlap_window", sessions.guard_window(_ANY_DATE))
    yield from _window("sessions.nxt_main", sessions.nxt_main_window(_ANY_DATE))
    yield from _inside("sessions.overlap_window", config, _ANY_DATE, ("sessions.nxt_main",))
    for day in sessions.special_days:
        path = f"sessions.special_days.{day.isoformat()}"
        yield from _window(path, sessions.guard_window(day))
        yield from _window(f"{path}.nxt_main", sessions.nxt_main_window(day))
        yield from _inside(path, config, day, ("sessions.overlap_window", "sessions.nxt_main"))


def _window(path: str, window: tuple[int, int]) -> Iterator[Fault]:
    start, end = window
    if start >= end:
        yield Fault(
            f"{path}.start",
            f"{clock(start)} is not before the end {clock(end)}; allowed: a start before the end",
            (f"{path}.end",),
        )


def _inside(path: str, config: Config, day: date, involves: tuple[str, ...]) -> Iterator[Fault]:
    start, end = config.guard_window(day)
    opens, closes = config.nxt_main_window(day)
    if start >= end or opens >= closes:
        return  # told already
    opens = max(opens, ns_of_day(KRX_CONTINUOUS_START))
    if start < opens or end > closes:
        yield Fault(
            path,
            f"entries from {clock(start)} to {clock(end)} go beyond NXT's main market and KRX's regular session; "
            f"allowed: within {clock(opens)} to {clock(closes)} (or move nxt_main as well)",
            involves,
        )


def _screens(config: Config) -> Iterator[Fault]:
    market_data = config.kiwoom.screen_numbers.marketdata
    orders = config.kiwoom.screen_numbers.orders
    for path, screens in (
        ("kiwoom.screen_numbers.marketdata", market_data),
        ("kiwoom.screen_numbers.orders", orders),
    ):
        for screen, count in Counter(screens).items():
            if count > 1:
                yield Fault(path, f"{screen} stands there {count} times; allowed: each screen once")
    for screen in dict.fromkeys(orders):
        if screen in market_data:
            yield Fault(
                "kiwoom.screen_numbers.orders",
                f"{screen} is a market-data screen; allowed: screens that carry no feed",
                ("kiwoom.screen_numbers.marketdata",),
            )
    if len(market_data) + len(orders) > SCREENS_MAX:
        yield Fault(
            "kiwoom.screen_numbers.marketdata",
            f"{len(market_data) + len(orders)} screens in all; allowed: {SCREENS_MAX}",
            ("kiwoom.screen_numbers.orders",),
        )


def _tokens(config: Config) -> Iterator[Fault]:
    cap = config.orders_per_sec
    reserve = config.kiwoom.rate_limits.reserve_order_tokens
    wanted = config.throttling.min_tokens_free_to_start_new_pair
    involves = ("kiwoom.rate_limits.orders_per_sec", "throttling.orders_bucket_per_sec")
    if reserve >= cap:
        yield Fault(
            "kiwoom.rate_limits.reserve_order_tokens",
            f"{reserve} of {cap} orders a second leaves none for entries; allowed: 0 to {cap - 1}",
            involves,
        )
    elif not reserve < wanted <= cap:
        yield Fault(
            "throttling.min_tokens_free_to_start_new_pair",
            f"{wanted} does not fit {cap} orders a second of which {reserve} are reserved; "
            f"allowed: {reserve + 1} to {cap}",
            (*involves, "kiwoom.rate_limits.reserve_order_tokens"),
        )


def _amounts(config: Config) -> Iterator[Fault]:
    execution, risk = config.execution, config.risk
    if execution.slice_qty > execution.max_outstanding_shares_per_symbol:
        yield Fault(
            "execution.slice_qty",
            f"{execution.slice_qty} is more than max_outstanding_shares_per_symbol, so no pair could begin; "
            f"allowed: 1 to {execution.max_outstanding_shares_per_symbol}",
            ("execution.max_outstanding_shares_per_symbol",),
        )
    caps = (
        ("risk.max_notional_per_leg_krw", risk.max_notional_per_leg_krw),
        ("risk.max_notional_per_symbol_krw", risk.max_notional_per_symbol_krw),
        ("risk.max_notional_per_session_krw", risk.max_notional_per_session_krw),
    )
    for (path, smaller), (wider_path, wider) in pairwise(caps):
        if smaller > wider:
            yield Fault(path, f"{smaller:,} is more than {wider_path}; allowed: 1 to {wider:,}", (wider_path,))
    for switch, limit in (
        ("stop_at_daily_loss", "daily_loss_limit_krw"),
        ("stop_at_daily_orders", "daily_order_limit"),
    ):
        if getattr(risk.kill_switches, switch) and not getattr(risk, limit):
            yield Fault(
                f"risk.kill_switches.{switch}",
                f"is on without a limit; allowed: true together with risk.{limit} above 0",
                (f"risk.{limit}",),
            )


def _hedging(config: Config) -> Iterator[Fault]:
    hedge = config.router.hedge_leg
    if hedge.hedge_price == "mid" and not hedge.allow_nxt_mid_price:
        yield Fault(
            "router.hedge_leg.hedge_price",
            "mid needs allow_nxt_mid_price: true; allowed: lock or join without it",
            ("router.hedge_leg.allow_nxt_mid_price",),
        )
    # An override may not let one symbol have more pairs at once than the whole machine may have shares of it.
    pairs_max = config.execution.max_outstanding_shares_per_symbol // config.execution.slice_qty
    for code, override in config.symbols.per_symbol_overrides.items():
        if override.max_outstanding_pairs is not None and override.max_outstanding_pairs > max(1, pairs_max):
            yield Fault(
                f"symbols.per_symbol_overrides.{code}.max_outstanding_pairs",
                f"{override.max_outstanding_pairs} slices are more than max_outstanding_shares_per_symbol; "
                f"allowed: 1 to {max(1, pairs_max)}",
                ("execution.max_outstanding_shares_per_symbol", "execution.slice_qty"),
            )


def _taxes(config: Config) -> Iterator[Fault]:
    rows = Counter((row.from_, row.market) for row in config.taxes.schedule)
    for (day, market), count in rows.items():
        if count > 1:
            yield Fault(
                "taxes.schedule", f"{market.value} from {day} stands there {count} times; allowed: each date once"
            )
    for market in Market:
        if config.taxes.enabled and market not in {row.market for row in config.taxes.schedule}:
            yield Fault("taxes.schedule", f"has no row for {market.value}; allowed: at least one for each market")


def _supervision(config: Config) -> Iterator[Fault]:
    supervision = config.supervision
    if supervision.heartbeat_ms * 2 > supervision.hung_after_ms:
        yield Fault(
            "supervision.hung_after_ms",
            f"{supervision.hung_after_ms} is less than two heartbeats; "
            f"allowed: at least {supervision.heartbeat_ms * 2}",
            ("supervision.heartbeat_ms",),
        )
    if supervision.gateway_hung_after_ms < supervision.hung_after_ms:
        yield Fault(
            "supervision.gateway_hung_after_ms",
            f"{supervision.gateway_hung_after_ms} is less than hung_after_ms; "
            f"allowed: at least {supervision.hung_after_ms}",
            ("supervision.hung_after_ms",),
        )
    if supervision.allow_remote:
        return
    if not _is_loopback(supervision.bind_host):
        yield Fault(
            "supervision.bind_host",
            f"{supervision.bind_host} can be reached by other machines, and whoever reaches it runs code as the "
            "trader; allowed: 127.0.0.1, or allow_remote: true beside it",
            ("supervision.allow_remote",),
        )
    leader = supervision.convention.leader.rpartition(":")[0]
    if leader and not _is_loopback(leader):
        yield Fault(
            "supervision.convention.leader",
            f"{leader} is another machine; allowed: empty, or allow_remote: true beside it",
            ("supervision.allow_remote",),
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _shards(config: Config, symbols: int) -> Iterator[Fault]:
    needed = shards_needed(symbols)
    screens = len(config.kiwoom.screen_numbers.marketdata)
    shards = config.market_data.shards
    if shards != "auto":
        if shards < needed:
            yield Fault(
                "market_data.shards",
                f"{shards} is too small for {symbols} symbols at {SYMBOLS_PER_SHARD_MAX} a shard; "
                f"allowed: auto, or at least {needed}",
                ("symbols.universe_file",),
            )
            return
        needed = shards
        if needed > symbols:
            yield Fault(
                "market_data.shards",
                f"{needed} shards for {symbols} symbols leaves some empty; allowed: auto, or at most {symbols}",
                ("symbols.universe_file",),
            )
    if screens < needed:
        yield Fault(
            "kiwoom.screen_numbers.marketdata",
            f"{screens} screens are too few for {needed} shards; allowed: at least {needed}",
            ("market_data.shards", "symbols.universe_file"),
        )


def clock(ns: int) -> str:
    """A time of day as people write it."""
    assert 0 <= ns < DAY
    return str(timedelta(seconds=ns // SECOND)).zfill(8)


def is_path(scenario: str) -> bool:
    """A scenario given as a file, not by name."""
    return PurePath(scenario).suffix in (".yaml", ".yml") or "/" in scenario or "\\" in scenario
