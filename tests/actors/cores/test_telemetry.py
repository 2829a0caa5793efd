"""Telemetry: what the rows and the counters of the others add up to, and when it is said."""

from dataclasses import replace

from actors.cores.telemetry import FIGURES_INTERVAL_NS, TelemetryCore, TelemetrySettings
from actors.effects import Role, Send
from actors.messages.journal import EventType, Row, RowsWritten
from actors.messages.market_data import ShardCounted
from actors.messages.session import Phase, TradingState
from actors.messages.spread import EngineCounted
from actors.messages.telemetry import MachineFigures
from actors.messages.throttle import WindowCounted
from kiwoom.market import MS, Nanos, WallNanos
from tests.support.builders import pair_rows, row
from tests.support.playbook import Playbook

SETTINGS = TelemetrySettings(shards=2, order_window_limit=5)
WINDOW = WindowCounted(3, 2, 5, 4, 0, 0, 9, True, Nanos(0), 2)
STATE = TradingState(True, "", WallNanos(0), WallNanos(0), (Phase.RUNNING, Phase.RUNNING), True)


def quiet() -> Playbook:
    return Playbook(TelemetryCore(SETTINGS))


def written(*rows: Row) -> RowsWritten:
    return RowsWritten(rows, len(rows))


def shard(index: int, final: bool = False) -> ShardCounted:
    return ShardCounted(index, changed=(10, 20), duplicate=(3, 4), batches=5, malformed=0, final=final)


def figures(book: Playbook) -> MachineFigures:
    """What is said at the end of the interval."""
    (send,) = book.waits(FIGURES_INTERVAL_NS).take_sends()
    assert send.to is Role.SUPERVISOR
    assert isinstance(send.message, MachineFigures)
    return send.message


def test_nothing_is_said_before_something_was_heard() -> None:
    quiet().waits(10 * FIGURES_INTERVAL_NS).says()


def test_figures_come_half_a_second_after_the_first_news_and_once() -> None:
    book = quiet().hears(written(*pair_rows())).waits(FIGURES_INTERVAL_NS - 1).says()
    book.hears(WINDOW).waits(1)
    assert [type(send.message) for send in book.take_sends()] == [MachineFigures]
    book.waits(10 * FIGURES_INTERVAL_NS).says()
    assert figures(book.hears(STATE)).at == book.mono


def test_a_good_pair_in_figures() -> None:
    shown = figures(quiet().hears(written(*pair_rows(net=120))))
    assert (shown.signals, shown.admitted, shown.pairs_live, shown.pairs_done) == (1, 1, 0, 1)
    assert (shown.orders, shown.cancels, shown.order_rejects, shown.order_timeouts) == (2, 0, 0, 0)
    assert (shown.gross_won, shown.fees_won, shown.tax_won, shown.net_won, shown.open_qty) == (320, 20, 180, 120, 0)
    assert (shown.missed, shown.rejected, shown.escalated, shown.unhedged, shown.partial_entries) == (0, 0, 0, 0, 0)


def test_latencies_are_in_microseconds_from_the_cause_of_the_signal_to_the_number_of_the_order() -> None:
    shown = figures(quiet().hears(written(*pair_rows())))
    assert shown.tick_to_signal_p95_us == 4_000
    assert shown.signal_to_send_p95_us == 3_000
    assert shown.send_to_ack_p95_us == 27_000


def test_a_pair_half_way_is_live_and_open() -> None:
    shown = figures(quiet().hears(written(*pair_rows()[:5])))
    assert (shown.pairs_live, shown.open_qty, shown.orders) == (1, 1, 1)


def test_rejects_of_orders_and_of_cancels_are_one_figure() -> None:
    rows = [row(EventType.ORDER_REJECT, reason="TR"), row(EventType.CANCEL_REJECT), row(EventType.ORDER_TIMEOUT)]
    shown = figures(quiet().hears(written(*rows)))
    assert (shown.order_rejects, shown.order_timeouts) == (2, 1)


def test_ended_pairs_are_told_apart_by_how_they_ended() -> None:
    states = ("ENTRY_MISSED", "ENTRY_MISSED", "ENTRY_REJECTED", "HEDGE_IOC_SENT")
    rows = [row(EventType.PAIR_STATE, pair_id=f"p{n}", symbol="005930", state=s) for n, s in enumerate(states)]
    shown = figures(quiet().hears(written(*rows)))
    assert (shown.missed, shown.rejected, shown.escalated, shown.pairs_live, shown.admitted) == (2, 1, 1, 1, 4)


def test_the_window_is_free_until_the_throttler_says_otherwise() -> None:
    shown = figures(quiet().hears(STATE))
    assert (shown.window_used, shown.window_free, shown.window_limit, shown.auto_paused) == (0, 5, 5, False)
    shown = figures(quiet().hears(WINDOW))
    assert (shown.window_used, shown.window_free, shown.window_limit, shown.auto_paused) == (3, 2, 5, True)


def test_quotes_are_the_sum_of_the_shards_last_totals() -> None:
    book = quiet().hears(replace(shard(0), changed=(1, 1))).hears(shard(0)).hears(shard(1))
    shown = figures(book)
    assert (shown.quotes, shown.duplicates, shown.quote_batches, shown.final) == ((20, 40), (6, 8), 10, False)


def test_the_last_count_of_the_last_shard_is_passed_on_at_once() -> None:
    book = quiet().hears(shard(0, final=True)).says()
    (send,) = book.hears(shard(1, final=True)).take_sends()
    assert isinstance(send.message, MachineFigures)
    assert send == Send(Role.SUPERVISOR, send.message)
    assert send.message.final
    assert send.message.quotes == (20, 40)


def test_a_shard_that_counts_on_is_not_at_its_end() -> None:
    book = quiet().hears(shard(0, final=True)).hears(shard(1, final=True)).hears(shard(0))
    book.take_sends()
    assert not figures(book.hears(STATE)).final


def test_the_engines_counts_and_the_state_change_no_figure() -> None:
    counted = EngineCounted(9, 9, 9, 0, 0, 0, 0, 0, ())
    first, second = figures(quiet().hears(STATE)), figures(quiet().hears(counted))
    assert first == second
    assert first.signals == 0


def test_a_wake_up_too_early_says_nothing() -> None:
    book = quiet().hears(written(*pair_rows()))
    assert book.core.on_deadline(book.now) == ()
    book.mono += 100 * MS
    assert book.core.on_deadline(book.now) == ()
    assert book.core.next_deadline() == FIGURES_INTERVAL_NS


def test_the_totals_of_a_shard_go_on_when_it_was_started_again() -> None:
    book = quiet().hears(shard(0)).hears(shard(1))
    book.hears(ShardCounted(0, (1, 2), (0, 1), batches=1, malformed=0, final=False))
    book.hears(ShardCounted(0, (2, 2), (1, 1), batches=2, malformed=0, final=False))
    shown = figures(book)
    assert (shown.quotes, shown.duplicates, shown.quote_batches, shown.final) == ((22, 42), (7, 9), 12, False)
    book.hears(ShardCounted(0, (1, 0), (0, 0), batches=1, malformed=0, final=True)).hears(shard(1, final=True))
    (ended,) = (send.message for send in book.take_sends())
    assert isinstance(ended, MachineFigures)
    assert (ended.quotes, ended.quote_batches, ended.final) == ((23, 42), 13, True)
