"""Conversation: what is shown. Telemetry -> Supervisor: MachineFigures, twice a second, for status line and desk."""

from dataclasses import dataclass

from kiwoom.market import Nanos


@dataclass(frozen=True, slots=True)
class MachineFigures:
    """The machine at a glance. Counts are totals since the start of the run."""

    at: Nanos
    quotes: tuple[int, int]
    duplicates: tuple[int, int]
    quote_batches: int
    signals: int
    admitted: int
    pairs_live: int
    pairs_done: int
    missed: int
    rejected: int
    escalated: int
    unhedged: int
    partial_entries: int
    orders: int
    cancels: int
    order_rejects: int
    order_timeouts: int
    window_used: int
    window_free: int
    window_limit: int
    auto_paused: bool
    gross_won: int
    fees_won: int
    tax_won: int
    net_won: int
    open_qty: int
    """Sum over symbols of |bought - sold| of live or unhedged pairs."""
    tick_to_signal_p95_us: int
    signal_to_send_p95_us: int
    send_to_ack_p95_us: int
    final: bool
