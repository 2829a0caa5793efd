"""What may be set: every key with its type, default, bounds and meaning. Unknown keys are errors.

The section classes below are the configuration file, in its order. Durations in milliseconds are whole numbers; rates
in basis points and ticks are exact decimals, and what the machine computes with is an integer made from them (`*_ppb`,
`*_half_ticks`). What depends on several keys is checked in config.checks. The descriptions feed the generated
defaults.yaml, `arb check` and the desk.

Assumed: the configuration is read once at start and again by hand; nothing here knows files, clocks or the universe.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo

from config.scalars import (
    Account,
    Code,
    Day,
    Fraction,
    FreeMap,
    HalfTicks,
    Rate,
    Screen,
    SecretReference,
    Switch,
    Text,
    TimeOfDay,
    Whole,
    as_text,
    half_ticks,
    ns_of_day,
    parse_list,
    parse_map,
    parse_one_or_list,
    parse_whole,
    ppb,
)
from kiwoom.fees import CostModel, Rounding, settlement_date
from kiwoom.market import MS, Market, Nanos, Shares, Venue

ORDERS_PER_SECOND_MAX: Final = 5
"""The broker's own cap, cancels included (KIWOOM.md 5)."""

_WON_MAX: Final = 10**13


def whole(default: int, low: int, high: int, meaning: str, *, source: str = "") -> Any:
    return _key(default, meaning, f"a whole number from {low:,} to {high:,}", source, ge=low, le=high)


def switch(default: bool, meaning: str, *, source: str = "") -> Any:
    return _key(default, meaning, "true or false", source)


def decimal(default: str, low: str, high: str, meaning: str, allowed: str, *, source: str = "") -> Any:
    return _key(Decimal(default), meaning, f"{allowed} from {low} to {high}", source, ge=Decimal(low), le=Decimal(high))


def bps(default: str, meaning: str, *, source: str = "") -> Any:
    return decimal(default, "0", "100", meaning, "basis points with at most 5 decimals,", source=source)


def choice(default: object, meaning: str, *, source: str = "") -> Any:
    return _key(default, meaning, "", source)


def moment(default: time | None, meaning: str, *, source: str = "") -> Any:
    return _key(default, meaning, 'a time of day in Seoul, "HH:MM" or "HH:MM:SS"', source)


def written(default: object, meaning: str, allowed: str, *, source: str = "", **bounds: Any) -> Any:
    return _key(default, meaning, allowed, source, **bounds)


def section(of: type["Section"], meaning: str) -> Any:
    return Field(default_factory=of, description=meaning, json_schema_extra={"allowed": "a section of keys"})


def _key(default: object, meaning: str, allowed: str, source: str, **bounds: Any) -> Any:
    return Field(default, description=meaning, json_schema_extra={"allowed": allowed, "source": source}, **bounds)


class Section(BaseModel):
    """A map of known keys. A section left empty is a section of defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _must_be_a_map(cls, value: object) -> object:
        return value if isinstance(value, Section) else parse_map(value)


def _server_name(value: object) -> object:
    return {"실서버": "real", "실": "real", "모의서버": "mock", "모의투자": "mock", "모의": "mock"}.get(
        as_text(value), as_text(value)
    )


Mode = Annotated[Literal["paper", "observe", "real"], BeforeValidator(as_text)]
TimeZone = Annotated[Literal["Asia/Seoul"], BeforeValidator(as_text)]
Level = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(as_text)]
Server = Annotated[Literal["real", "mock"], BeforeValidator(_server_name)]
EntryLeg = Annotated[Literal["auto", "sell_rich", "buy_cheap"], BeforeValidator(as_text)]
EntryStyle = Annotated[Literal["ioc", "market"], BeforeValidator(as_text)]
HedgeStyle = Annotated[Literal["limit", "ioc"], BeforeValidator(as_text)]
HedgePrice = Annotated[Literal["lock", "join", "mid"], BeforeValidator(as_text)]
FallbackVenue = Annotated[Literal["best", "same"], BeforeValidator(as_text)]
LogFormat = Annotated[Literal["csv", "parquet"], BeforeValidator(as_text)]
RoundingPer = Annotated[Rounding, BeforeValidator(as_text)]
TaxedMarket = Annotated[Market, BeforeValidator(as_text)]
Screens = Annotated[tuple[Screen, ...], BeforeValidator(parse_list)]
OrderScreens = Annotated[tuple[Screen, ...], BeforeValidator(parse_one_or_list)]
Codes = Annotated[tuple[Code, ...], BeforeValidator(parse_list)]
Names = Annotated[tuple[Text, ...], BeforeValidator(parse_list)]


# app


class Logging(Section):
    level: Level = choice("INFO", "The least severe line that is written to the log.")
    rotate_mb: Whole = whole(20, 1, 1_000, "Megabytes after which a log file is closed and the next begun.")
    rotate_count: Whole = whole(10, 1, 1_000, "Closed log files that are kept.")


class App(Section):
    mode: Mode = choice(
        "paper",
        "paper trades against the simulated broker; observe records signals and never sends an order; real trades.",
    )
    timezone: TimeZone = choice("Asia/Seoul", "The clock of every time in this file and in every record.")
    logging: Logging = section(Logging, "The log files.")


# kiwoom


class ScreenNumbers(Section):
    marketdata: Screens = written(
        ("1001", "1002", "1003", "1004"),
        "The screens of the real-time feeds, one per shard; each carries at most 50 symbols (100 codes).",
        "a list of 1 to 150 screen numbers, 4 digits, not 0000, none twice",
        source="KIWOOM.md 5",
        min_length=1,
        max_length=150,
    )
    orders: OrderScreens = written(
        ("2001", "2002", "2003", "2004", "2005"),
        "The screen or screens that orders are sent from, used in turn.",
        "one screen number or a list of 1 to 40 of them, 4 digits, not 0000, none a market-data screen",
        source="KIWOOM.md 5",
        min_length=1,
        max_length=40,
    )


class RateLimits(Section):
    orders_per_sec: Whole = whole(
        5,
        1,
        ORDERS_PER_SECOND_MAX,
        "Orders and cancels in any one second, together; the broker turns the sixth away with -308.",
        source="KIWOOM.md 5",
    )
    queries_per_sec: Whole = whole(
        5, 1, 5, "Queries in any one second; the broker turns the sixth away with -200.", source="KIWOOM.md 5"
    )
    reserve_order_tokens: Whole = whole(
        2, 0, 4, "Of the orders per second, those that only cancels and hedges may use."
    )


class Features(Section):
    use_sor: Switch = switch(False, "Lets the broker choose the venue (order types 11 to 15); real mode refuses it.")
    use_al_feed: Switch = written(
        False, "The consolidated _AL feed, which this machine does not use.", "false", source="KIWOOM.md 3.1"
    )


class Kiwoom(Section):
    server: Server = choice(
        "real",
        "The server that the login must report, real (실서버) or mock (모의투자); the mock server has no NXT.",
        source="KIWOOM.md 2, 5",
    )
    account: Account = written(
        "",
        "The account to trade, required in real mode; its password is only ever typed into Kiwoom's own window.",
        "10 digits, or empty outside real mode",
        source="KIWOOM.md 1.3",
    )
    screen_numbers: ScreenNumbers = section(ScreenNumbers, "Screen numbers; at most 200 in all.")
    rate_limits: RateLimits = section(RateLimits, "The broker's limits.")
    features: Features = section(Features, "What of the broker's offer is used.")


# sessions


class GuardWindow(Section):
    start: TimeOfDay = moment(time(9, 0, 32), "No entry before this time.")
    end: TimeOfDay = moment(time(15, 19, 50), "No entry from this time on; live pairs finish.")


class MainMarket(Section):
    start: TimeOfDay = moment(time(9, 0, 30), "NXT's main market opens.", source="KIWOOM.md 7.3")
    end: TimeOfDay = moment(
        time(15, 20), "NXT's main market closes; by then every pair is flat.", source="KIWOOM.md 7.3"
    )


class SpecialMainMarket(Section):
    start: TimeOfDay | None = moment(None, "NXT's main market opens on that date.")
    end: TimeOfDay | None = moment(None, "NXT's main market closes on that date.")


class SpecialDay(Section):
    start: TimeOfDay | None = moment(None, "No entry before this time on that date; sessions.overlap_window if absent.")
    end: TimeOfDay | None = moment(None, "No entry from this time on that date; sessions.overlap_window if absent.")
    nxt_main: SpecialMainMarket = section(SpecialMainMarket, "NXT's main market on that date, where it is moved.")


SpecialDays = Annotated[dict[Day, SpecialDay], BeforeValidator(parse_map)]


class Sessions(Section):
    arm_only_in_overlap: Switch = switch(True, "Arms only while both venues trade; real mode refuses false.")
    overlap_window: GuardWindow = section(GuardWindow, "The guard window: when new pairs may begin.")
    nxt_main: MainMarket = section(MainMarket, "NXT's main market by the clock.")
    use_fid_215_signals: Switch = switch(
        True,
        "Demands the broker's session signals (R seen, S not yet) beside the clock; false leaves the clock alone.",
        source="KIWOOM.md 3.2",
    )
    special_days: SpecialDays = written(
        {},
        "Dates on which the window is moved (CSAT day, first trading day of the year).",
        'a map like {"2026-11-19": {start: "10:00:32", end: "16:19:50", nxt_main: {start: "10:00:30", end: "16:20"}}}',
        source="KIWOOM.md 7.3",
    )

    def guard_window(self, on: date) -> tuple[int, int]:
        """Entries are allowed in [start, end), nanoseconds since midnight in Seoul."""
        day = self.special_days.get(on, SpecialDay())
        return (
            ns_of_day(day.start or self.overlap_window.start),
            ns_of_day(day.end or self.overlap_window.end),
        )

    def nxt_main_window(self, on: date) -> tuple[int, int]:
        """NXT's main market by the clock; its end is the last instant by which every pair must be flat."""
        day = self.special_days.get(on, SpecialDay()).nxt_main
        return ns_of_day(day.start or self.nxt_main.start), ns_of_day(day.end or self.nxt_main.end)


# symbols


class SymbolOverride(Section):
    edge_buffer_ticks: HalfTicks | None = written(
        None,
        "Net ticks demanded of this symbol instead of spread_engine.edge_rule.min_net_ticks_after_fees.",
        "a multiple of 0.5 from 0 to 20",
        ge=Decimal(0),
        le=Decimal(20),
    )
    max_outstanding_pairs: Whole | None = written(
        None,
        "Live pairs of this symbol instead of execution.max_outstanding_pairs_per_symbol.",
        "a whole number from 1 to 10",
        ge=1,
        le=10,
    )
    t_hedge_ms: Whole | None = written(
        None,
        "Milliseconds for this symbol's posted hedge instead of execution.t_hedge_ms.",
        "a whole number from 50 to 60,000",
        ge=50,
        le=60_000,
    )
    hedge_ioc_only: Switch = switch(False, "Hedges this symbol by IOC at once, without posting first.")


Overrides = Annotated[dict[Code, SymbolOverride], BeforeValidator(parse_map)]


class Symbols(Section):
    universe_file: Text = written(
        "universe.csv",
        "The CSV of the symbols (code,name,market), relative to this file.",
        "a path",
        min_length=1,
        max_length=1_000,
    )
    per_symbol_overrides: Overrides = written(
        {},
        "What is different for single symbols.",
        'a map like {"005930": {edge_buffer_ticks: 0.5, max_outstanding_pairs: 1, t_hedge_ms: 800, '
        "hedge_ioc_only: false}}",
    )
    exclude: Codes = written(
        (), "Codes of the universe that are not watched or traded.", "a list of 6-digit codes", max_length=10_000
    )


# market_data


def _shard_count(value: object) -> object:
    return str(value) if value == "auto" else parse_whole(value)


Shards = Annotated[Literal["auto"] | Annotated[Whole, Field(ge=1, le=150)], BeforeValidator(_shard_count)]


class MarketDataSection(Section):
    subscribe_top_of_book_only: Switch = written(True, "Only the best bid and ask of each book are kept.", "true")
    shards: Shards = written(
        "auto",
        "MarketData actors, each with one screen and at most 50 symbols; auto takes as few as the universe needs.",
        "auto, or a whole number from 1 to 150 that is enough for the universe",
        source="KIWOOM.md 5",
    )
    heartbeat_symbols: Codes = written(
        (),
        "The few symbols registered before the window, to see that quotes come; the universe's first two if empty.",
        "a list of at most 10 codes of the universe",
        max_length=10,
    )
    freshness_ms: Whole = whole(
        0, 0, 60_000, "Milliseconds within which both quotes of an edge must have come; 0 asks for no freshness."
    )


# spread_engine


class EdgeRule(Section):
    min_net_ticks_after_fees: HalfTicks = decimal(
        "1",
        "0",
        "20",
        "The buffer: ticks that an edge must leave after fees and tax; larger means fewer and better pairs.",
        "a multiple of 0.5",
    )
    also_require_min_visible_qty: Whole = whole(
        1, 1, 1_000_000, "Shares that must be visible on both touched sides; the slice if that is larger."
    )


class SpreadEngineSection(Section):
    batch_interval_ms: Whole = whole(
        10, 1, 1_000, "Milliseconds that changed symbols are collected at most before they are evaluated."
    )
    edge_rule: EdgeRule = section(EdgeRule, "When an edge is a signal.")
    cooldown_ms: Whole = whole(
        100,
        0,
        60_000,
        "Milliseconds for which a symbol rests after it fell back, missed, was rejected or escalated; 0 is off.",
    )


# router


class EntryLegStyle(Section):
    prefer: EntryStyle = choice(
        "ioc", "How the entry takes: ioc at the signal's price, or market (IOC without a price).", source="KIWOOM.md 2"
    )


class HedgeLeg(Section):
    prefer: HedgeStyle = choice(
        "limit", "limit posts the hedge and waits t_hedge; ioc takes at once, for every symbol."
    )
    allow_nxt_mid_price: Switch = switch(
        True, "Allows the floating mid-price order on NXT for a posted hedge (only with hedge_price: mid)."
    )
    hedge_price: HedgePrice = choice(
        "lock",
        "Where the hedge is posted: lock at the signal's opposite quote, join one tick inside the best own side "
        "but never worse than lock, mid at NXT's mid-price.",
    )
    hedge_fallback_venue: FallbackVenue = choice(
        "best", "Where the rest goes after t_hedge: the venue that is better at that moment, or the same as posted."
    )
    hedge_ioc_ticks: Whole = whole(2, 0, 20, "Ticks through the touch at which the hedging IOC is priced.")


class RouterSection(Section):
    entry_leg: EntryLeg = choice(
        "auto",
        "Which leg takes first: sell_rich needs covered shares, buy_cheap needs cash, auto sells where it can.",
    )
    entry_leg_style: EntryLegStyle = section(EntryLegStyle, "How the entry is sent.")
    hedge_leg: HedgeLeg = section(HedgeLeg, "How the hedge is sent.")
    fallback_after_ms: Whole = whole(1_000, 50, 60_000, "Another name of execution.t_hedge_ms.")


# execution


class Timeouts(Section):
    ack_ms: Whole = whole(200, 20, 10_000, "Milliseconds for an order's number (주문번호); then it is in doubt.")
    accept_ms: Whole = whole(
        300, 20, 10_000, "Milliseconds from the number to the acceptance (접수); then it is stuck."
    )
    cancel_ms: Whole = whole(300, 20, 10_000, "Milliseconds for a cancel to be confirmed; then it is stuck.")
    ioc_end_ms: Whole = whole(
        500, 20, 10_000, "Milliseconds for the end of a partly filled IOC to be reported; then it is in doubt."
    )


class Execution(Section):
    t_hedge_ms: Whole = whole(
        1_000, 50, 60_000, "Milliseconds that a posted hedge may rest; then it is cancelled and taken by IOC."
    )
    cancel_then_new_on_type_change: Switch = written(
        True, "An order's type is changed by cancel, then new; there is no other way.", "true", source="KIWOOM.md 1.4"
    )
    max_concurrent_symbols: Whole = whole(2, 1, 50, "Symbols that may have a live pair at one time.")
    max_outstanding_pairs_per_symbol: Whole = whole(1, 1, 10, "Live pairs of one symbol.")
    max_outstanding_shares_per_symbol: Whole = whole(10, 1, 1_000_000, "Shares of one symbol in live pairs.")
    slice_qty: Whole = whole(1, 1, 1_000_000, "Shares of one pair.")
    max_hedge_attempts: Whole = whole(5, 1, 20, "IOC and market hedges of one pair before it is given up as UNHEDGED.")
    timeouts: Timeouts = section(Timeouts, "How long the broker may take to answer.")


# throttling


class Throttling(Section):
    orders_bucket_per_sec: Whole = whole(
        5, 1, ORDERS_PER_SECOND_MAX, "Another name of kiwoom.rate_limits.orders_per_sec.", source="KIWOOM.md 5"
    )
    queries_bucket_per_sec: Whole = whole(
        5, 1, 5, "Another name of kiwoom.rate_limits.queries_per_sec.", source="KIWOOM.md 5"
    )
    min_tokens_free_to_start_new_pair: Whole = whole(
        4, 1, 5, "Orders that must be free in the window before a new pair begins."
    )
    window_margin_ms: Whole = whole(
        50, 0, 1_000, "Milliseconds added to the one-second window for jitter between our clock and the broker's."
    )
    grant_ttl_ms: Whole = whole(100, 10, 5_000, "Milliseconds after which an unused permission to send is taken back.")


# risk


class KillSwitches(Section):
    freeze_on_rejects: Switch = switch(
        False, "Freezes a symbol for 60 s after 3 rejects in a row or 5 in 60 s; false only alerts."
    )
    force_hedge_when_unhedged: Switch = switch(
        False,
        "Forces the hedge and freezes the symbol when more than risk.max_unhedged_shares are open for 1 s; "
        "false only alerts.",
    )
    disarm_on_clock_skew: Switch = switch(
        False, "Disarms when the clock is off by more than 250 ms or contradicts FID 215; false only alerts."
    )
    slow_down_on_late_acks: Switch = switch(
        False,
        "One symbol at a time and half a tick more buffer while the p95 of send to ack is above 150 ms for 1 min; "
        "false only alerts.",
    )
    stop_at_daily_loss: Switch = switch(False, "Disarms at risk.daily_loss_limit_krw; false only alerts.")
    stop_at_daily_orders: Switch = switch(False, "Disarms at risk.daily_order_limit; false only alerts.")


class Risk(Section):
    max_notional_per_leg_krw: Whole = whole(5_000_000, 1, _WON_MAX, "Won of one order.")
    max_notional_per_symbol_krw: Whole = whole(20_000_000, 1, _WON_MAX, "Won of one symbol in live pairs.")
    max_notional_per_session_krw: Whole = whole(
        1_000_000_000, 1, _WON_MAX, "Won of all entries of the day; then no more pairs begin."
    )
    daily_loss_limit_krw: Whole = whole(0, 0, _WON_MAX, "Won of net loss in a day that is too much; 0 is off.")
    daily_order_limit: Whole = whole(0, 0, 1_000_000, "Orders and cancels in a day that are too many; 0 is off.")
    max_unhedged_shares: Whole = whole(
        10, 1, 1_000_000, "Shares of one symbol that may be unhedged for longer than 1 s."
    )
    kill_switches: KillSwitches = section(KillSwitches, "What stops by itself; all off: alerts only.")


# fees and taxes


class KrxFees(Section):
    broker_bps: Rate = bps("1.5", "Commission on KRX, each side.", source="KIWOOM.md 7.8")
    regulatory_bps: Rate = bps("0", "Exchange and depository charges on KRX, where the broker adds them.")

    @property
    def total_ppb(self) -> int:
        return ppb(self.broker_bps) + ppb(self.regulatory_bps)


class NxtFees(Section):
    broker_bps: Rate = bps("1.45", "Commission on NXT, each side.", source="KIWOOM.md 7.8")
    regulatory_bps: Rate = bps("0.31833", "Exchange and depository charges on NXT.")

    @property
    def total_ppb(self) -> int:
        return ppb(self.broker_bps) + ppb(self.regulatory_bps)


class RoundDown(Section):
    commission: Whole = whole(
        10, 1, 1_000, "Won below which the broker cuts off a commission.", source="KIWOOM.md 4.1, 5"
    )
    tax: Whole = whole(1, 1, 1_000, "Won below which the tax is cut off.")
    per: RoundingPer = choice(
        Rounding.ORDER, "What is cut: each order's running total, each fill, or the day's running total."
    )


class Fees(Section):
    krx: KrxFees = section(KrxFees, "What KRX orders cost.")
    nxt: NxtFees = section(NxtFees, "What NXT orders cost.")
    round_down_to_krw: RoundDown = section(RoundDown, "How booked amounts are truncated; the edge rule never is.")

    def ppb(self, venue: Venue) -> int:
        """Commission and charges of one side in parts per billion."""
        return self.krx.total_ppb if venue is Venue.KRX else self.nxt.total_ppb


class TaxRow(Section):
    from_: Day = Field(
        alias="from",
        description="The first settlement date at this rate.",
        json_schema_extra={"allowed": "a date, YYYY-MM-DD"},
    )
    market: TaxedMarket = Field(description="Where the share is listed.")
    bps: Rate = Field(
        ge=Decimal(0),
        le=Decimal(100),
        description="Transaction tax on a sale.",
        json_schema_extra={"allowed": "basis points with at most 5 decimals, from 0 to 100"},
    )


def _statutory_rates() -> tuple[TaxRow, ...]:
    """KIWOOM.md 7.8: securities transaction tax and rural development tax together."""
    return tuple(
        TaxRow.model_validate({"from": date(year, 1, 1), "market": market.value, "bps": Decimal(rate)})
        for year, rate in ((2023, 20), (2024, 18), (2025, 15), (2026, 20))
        for market in Market
    )


TaxRows = Annotated[tuple[TaxRow, ...], BeforeValidator(parse_list)]


class Taxes(Section):
    enabled: Switch = switch(True, "Counts the transaction tax in the edge and in every figure.")
    schedule: TaxRows = written(
        _statutory_rates(),
        "The tax on sales by settlement date (T+2); the earliest row of a market also holds before its date.",
        "a list of {from: YYYY-MM-DD, market: KOSPI or KOSDAQ, bps: rate}, each market at least once",
        source="KIWOOM.md 7.8",
        max_length=200,
    )

    def ppb(self, market: Market, settled: date) -> int:
        """The rate on a sale that settles on `settled`, in parts per billion; 0 if taxes are not enabled."""
        rows = sorted((row for row in self.schedule if row.market is market), key=lambda row: row.from_)
        if not (self.enabled and rows):
            return 0
        in_force = [row for row in rows if row.from_ <= settled] or rows[:1]
        return ppb(in_force[-1].bps)


# telemetry and alerts


class SloTargets(Section):
    tick_to_signal_p95: Whole = whole(25, 1, 60_000, "Milliseconds from a quote's receipt to the signal.")
    signal_to_send_p95: Whole = whole(15, 1, 60_000, "Milliseconds from the signal to the entry's call.")
    send_to_ack_p95: Whole = whole(150, 1, 60_000, "Milliseconds from an order's call to its number.")


class AutoPause(Section):
    threshold: Fraction = decimal(
        "0.80",
        "0.2",
        "1",
        "The share of the orders per second at which the machine counts as busy.",
        "a decimal number",
    )
    sustain_seconds: Whole = whole(5, 1, 600, "Seconds without a break at or above it before entries pause.")
    enabled: Switch = switch(True, "Lets auto-pause stop entries; hedges and cancels always go on.")


class PrometheusSection(Section):
    host: Text = written(
        "127.0.0.1", "The address where /metrics and /healthz are served.", "an IP address or host name", min_length=1
    )
    port: Whole = whole(9_108, 0, 65_535, "Its TCP port; 0 takes a free one.")


class TelemetrySection(Section):
    slo_targets_ms: SloTargets = section(SloTargets, "The latencies (95th percentile) that the figures are held to.")
    orders_utilization_autopause: AutoPause = section(AutoPause, "When entries pause because the window is full.")
    prometheus: PrometheusSection = section(PrometheusSection, "Where metrics are scraped.")


class SendOn(Section):
    buy_fill: Switch = switch(True, "A purchase was filled.")
    sell_fill: Switch = switch(True, "A sale was filled.")
    pair_done: Switch = switch(True, "A pair is flat, with its result.")
    auto_pause_on: Switch = switch(True, "Auto-pause went on or off.")
    hedge_timeout: Switch = switch(True, "A hedge was not filled in t_hedge and was replaced.")
    reject_spike: Switch = switch(True, "Three rejects on a symbol within a minute.")
    unhedged: Switch = switch(True, "A pair could not be made flat.")
    actor_restart: Switch = switch(True, "A part of the machine failed and was started again.")
    safe_state: Switch = switch(True, "The machine gave up trading for the day.")


class Slack(Section):
    webhook: SecretReference = written(
        "${SLACK_WEBHOOK_URL}",
        "The environment variable that holds the webhook; empty sends nothing.",
        "${NAME_OF_A_VARIABLE}, such as ${SLACK_WEBHOOK_URL}, or empty",
    )
    send_on: SendOn = section(SendOn, "What is sent.")


class Alerts(Section):
    slack: Slack = section(Slack, "Messages to Slack; they never delay trading.")


# persistence, supervision, paper


class Persistence(Section):
    logs_dir: Text = written(
        "logs", "The folder of the log files, relative to this file.", "a path", min_length=1, max_length=1_000
    )
    reports_dir: Text = written(
        "runs",
        "The folder in which each run gets its own (DATE/RUN), relative to this file.",
        "a path",
        min_length=1,
        max_length=1_000,
    )
    exec_log_format: LogFormat = choice("csv", "The format of the journal's copy that a run leaves behind.")
    retention_days: Whole = whole(14, 1, 3_650, "Days after which runs and logs may be removed.")


class Convention(Section):
    leader: Text = written(
        "",
        "The machine that the actor systems of several machines meet at; empty: this one alone.",
        "HOST:PORT or empty",
        pattern=r"^([A-Za-z0-9.\-]{1,253}:[0-9]{1,5})?$",
    )
    admin_port: Whole = whole(
        1_900, 1_024, 65_535, "The TCP port of this machine's actor system; arb stop and status call it."
    )
    capabilities: Names = written(
        ("kiwoom",), "What this machine offers; the Gateway starts where kiwoom is.", "a list of names", max_length=20
    )


class Supervision(Section):
    heartbeat_ms: Whole = whole(500, 50, 60_000, "Milliseconds between two questions to every actor.")
    hung_after_ms: Whole = whole(2_000, 100, 600_000, "Milliseconds without an answer after which an actor is hung.")
    gateway_hung_after_ms: Whole = whole(
        10_000, 100, 3_600_000, "The same for the Gateway, whose control may block for longer."
    )
    max_restarts: Whole = whole(3, 0, 100, "Restarts of one actor within within_seconds; one more is the safe state.")
    within_seconds: Whole = whole(60, 1, 86_400, "Seconds over which restarts are counted.")
    bind_host: Text = written(
        "127.0.0.1",
        "The address where the actors listen; whoever reaches it can run code as the trader.",
        "a loopback address, or another with allow_remote: true",
        pattern=r"^[0-9A-Za-z.:\-]{1,253}$",
    )
    allow_remote: Switch = switch(False, "Allows an address that other machines can reach.")
    convention: Convention = section(Convention, "The actor system beyond this machine.")


Holdings = Annotated[
    dict[Code, Annotated[Whole, Field(ge=0, le=1_000_000)]],
    BeforeValidator(parse_map),
]


class Paper(Section):
    scenario: Text = written(
        "dislocations",
        "The market that the simulated broker plays: a name in config/scenarios, or the path of a .yaml file.",
        "a name or a path",
        min_length=1,
        max_length=1_000,
    )
    seed: Whole = whole(1, 0, 2**31 - 1, "The seed of the simulated market; the same seed gives the same day.")
    holdings: Holdings = written(
        {},
        "Shares in the simulated account by code; empty: base_quantity of every second symbol.",
        'a map like {"005930": 20} of codes of the universe to 0 to 1,000,000 shares',
    )
    base_quantity: Whole = whole(20, 0, 1_000_000, "Shares of every second symbol if holdings is empty; 0 for none.")
    cash_krw: Whole = whole(100_000_000, 0, _WON_MAX, "Won in the simulated account.")
    latency: FreeMap = written({}, "Latencies of the simulated broker, checked by it.", "a map")
    faults: FreeMap = written({}, "Faults of the simulated broker, checked by it.", "a map")
    broker: FreeMap = written({}, "Other settings of the simulated broker, checked by it.", "a map")


class Config(Section):
    """The whole configuration, with what the machine asks of it."""

    app: App = section(App, "The program.")
    kiwoom: Kiwoom = section(Kiwoom, "The broker's control and its limits.")
    sessions: Sessions = section(Sessions, "When trading is allowed.")
    symbols: Symbols = section(Symbols, "What is traded.")
    market_data: MarketDataSection = section(MarketDataSection, "The quotes.")
    spread_engine: SpreadEngineSection = section(SpreadEngineSection, "The edge and the decision.")
    router: RouterSection = section(RouterSection, "Venue and order style.")
    execution: Execution = section(Execution, "The life of a pair.")
    throttling: Throttling = section(Throttling, "The order window.")
    risk: Risk = section(Risk, "What is too much.")
    fees: Fees = section(Fees, "Commission per side.")
    taxes: Taxes = section(Taxes, "Transaction tax on sales.")
    telemetry: TelemetrySection = section(TelemetrySection, "Figures and targets.")
    alerts: Alerts = section(Alerts, "Messages to people.")
    persistence: Persistence = section(Persistence, "What is kept, and where.")
    supervision: Supervision = section(Supervision, "How failed parts are found and restarted.")
    paper: Paper = section(Paper, "The simulated broker of paper mode.")

    def t_hedge_ms_for(self, code: str) -> int:
        override = self.symbols.per_symbol_overrides.get(code)
        own = override.t_hedge_ms if override else None
        return self.execution.t_hedge_ms if own is None else own

    def t_hedge_ns_for(self, code: str) -> Nanos:
        return Nanos(self.t_hedge_ms_for(code) * MS)

    def buffer_half_ticks_for(self, code: str) -> int:
        """Half ticks of buffer: 2 is one tick."""
        override = self.symbols.per_symbol_overrides.get(code)
        own = override.edge_buffer_ticks if override else None
        return self.buffer_half_ticks if own is None else half_ticks(own)

    def max_outstanding_pairs_for(self, code: str) -> int:
        override = self.symbols.per_symbol_overrides.get(code)
        own = override.max_outstanding_pairs if override else None
        return self.execution.max_outstanding_pairs_per_symbol if own is None else own

    def hedge_ioc_only_for(self, code: str) -> bool:
        """The hedge of this symbol is not posted but taken at once."""
        override = self.symbols.per_symbol_overrides.get(code)
        return self.router.hedge_leg.prefer == "ioc" or (override is not None and override.hedge_ioc_only)

    @property
    def buffer_half_ticks(self) -> int:
        return half_ticks(self.spread_engine.edge_rule.min_net_ticks_after_fees)

    @property
    def min_visible_qty(self) -> Shares:
        """Shares that must be visible on both touched sides: never less than the slice."""
        return Shares(max(self.execution.slice_qty, self.spread_engine.edge_rule.also_require_min_visible_qty))

    @property
    def pause_at(self) -> int:
        """Orders within the last second from which the machine counts as busy (4 of 5 at 0.80)."""
        return math.ceil(self.telemetry.orders_utilization_autopause.threshold * self.orders_per_sec)

    @property
    def resume_below(self) -> int:
        """Auto-pause ends when fewer orders than this are in the window (3 of 5 at 0.80)."""
        return max(1, self.pause_at - 1)

    @property
    def orders_per_sec(self) -> int:
        return self.kiwoom.rate_limits.orders_per_sec

    def guard_window(self, on: date) -> tuple[int, int]:
        """Entries are allowed in [start, end), nanoseconds since midnight in Seoul."""
        return self.sessions.guard_window(on)

    def nxt_main_window(self, on: date) -> tuple[int, int]:
        """NXT's main market; its end is the last instant by which every pair must be flat."""
        return self.sessions.nxt_main_window(on)

    def tax_ppb(self, market: Market, on_date: date) -> int:
        """The tax on a sale traded on `on_date`: the rate of its settlement date (T+2)."""
        return self.taxes.ppb(market, settlement_date(on_date))

    def cost_model(self, on_date: date) -> CostModel:
        """What trading on `on_date` costs."""
        return CostModel(
            fee_ppb=(self.fees.ppb(Venue.KRX), self.fees.ppb(Venue.NXT)),
            kospi_tax_ppb=self.tax_ppb(Market.KOSPI, on_date),
            kosdaq_tax_ppb=self.tax_ppb(Market.KOSDAQ, on_date),
            commission_unit_won=self.fees.round_down_to_krw.commission,
            tax_unit_won=self.fees.round_down_to_krw.tax,
            rounding=self.fees.round_down_to_krw.per,
        )


ALIASES: Final = (
    ("router.fallback_after_ms", "execution.t_hedge_ms"),
    ("throttling.orders_bucket_per_sec", "kiwoom.rate_limits.orders_per_sec"),
    ("throttling.queries_bucket_per_sec", "kiwoom.rate_limits.queries_per_sec"),
)
"""(alias, original): two names of one setting. One fills the other; both set and unequal is an error."""


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of one key, for forms and documentation. `is_section`: it holds keys, not a value."""

    path: str
    default: Any
    allowed: str
    meaning: str
    source: str
    is_section: bool
    choices: tuple[str, ...]
    low: Any
    high: Any


def keys() -> tuple[Key, ...]:
    """Every key in the file's order, sections before their keys. CODE and DATE stand for any code or date."""
    return tuple(_keys_of(Config, ""))


def key_name(name: str, field: FieldInfo) -> str:
    return field.alias or name


def _keys_of(model: type[Section], prefix: str) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        path = prefix + key_name(name, field)
        nested = nested_section(field.annotation)
        yield _describe(path, field, is_section=nested is not None)
        if nested is not None:
            yield from _keys_of(nested, path + ".")
        elif (entry := map_entry(field.annotation)) is not None:
            placeholder, entry_model = entry
            yield from _keys_of(entry_model, f"{path}.{placeholder}.")


def _describe(path: str, field: FieldInfo, *, is_section: bool) -> Key:
    extra: Mapping[str, Any] = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    choices = _choices(field.annotation)
    return Key(
        path=path,
        default=None if is_section or field.is_required() else field.get_default(call_default_factory=True),
        allowed=allowed_text(field),
        meaning=field.description or "",
        source=extra.get("source", ""),
        is_section=is_section,
        choices=choices,
        low=next((item.ge for item in field.metadata if hasattr(item, "ge")), None),
        high=next((item.le for item in field.metadata if hasattr(item, "le")), None),
    )


def allowed_text(field: FieldInfo) -> str:
    """What the key may be, in words."""
    extra = field.json_schema_extra
    allowed = extra.get("allowed") if isinstance(extra, dict) else ""
    choices = _choices(field.annotation)
    return str(allowed or (f"one of {', '.join(choices)}" if len(choices) > 1 else "".join(choices)))


def nested_section(annotation: object) -> type[Section] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, Section) else None


def map_entry(annotation: object) -> tuple[str, type[Section]] | None:
    """(placeholder, section) of a map from codes or dates to sections."""
    if get_origin(annotation) is dict:
        key_type, value_type = get_args(annotation)
        if isinstance(value_type, type) and issubclass(value_type, Section):
            return "DATE" if get_args(key_type)[0] is date else "CODE", value_type
    return None


def _choices(annotation: object) -> tuple[str, ...]:
    if get_origin(annotation) is Literal:
        return tuple(str(value) for value in get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return tuple(str(member.value) for member in annotation)
    return ()
