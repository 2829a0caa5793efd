"""One session's journal (and ledger, in paper) to the figures of run.json and report.json. Pure.

Latencies are over all admitted signals whose entry was sent. They begin with the signal's cause: the control thread's
stamp of the later quote, or, where an edge persisted through a wait (cooldown, live pair, full window), the end of that
wait; `quote_age` is the age of the later quote at the signal, whatever the cause. In paper, sending ends with the
arrival stamp in the broker's ledger (one machine, one monotonic clock); in real mode with our stamp before the call,
which `send_stamp` says.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from actors.domain.tally import DayTally, OrderTiming, percentile
from dashboards.report.audit import SECOND_NS, sends_max_in_a_second
from dashboards.report.ledger import LedgerRow

NS_PER_MS = 1_000_000


def arrivals(ledger: Sequence[LedgerRow]) -> dict[str, int]:
    """When each order reached the broker, by our client order id."""
    return {row.rq_name: row.mono for row in ledger if row.kind in ("ORDER", "REJECT")}


def pair_counts(day: DayTally) -> dict[str, int]:
    """The `pairs` of run.json and report.json."""
    sold_first = sum(p.entry_side == "SELL" and p.state == "PAIRED_DONE" for p in day.pairs.values())
    return {
        "signals": day.signals,
        "admitted": day.admitted,
        "done": day.done,
        "missed": day.ended_in("ENTRY_MISSED"),
        "rejected": day.ended_in("ENTRY_REJECTED"),
        "partial_entries": day.partial_entries,
        "escalated": day.escalated,
        "unhedged": day.unhedged,
        "flattened": day.flattened,
        "done_sell_first": sold_first,
        "done_buy_first": day.ended_in("PAIRED_DONE") - sold_first,
    }


def order_counts(day: DayTally) -> dict[str, int]:
    """The `orders` of run.json."""
    return {
        "sent": len(day.orders),
        "cancels": day.cancels,
        "rejected": day.rejects.total() + day.cancel_rejects,
        "timeouts": day.timeouts,
        "refused": day.refusals.total(),
    }


def report(day: DayTally, arrived: Mapping[str, int], orders_per_second: int) -> dict[str, Any]:
    """The content of report.json."""
    return {
        "pairs": pair_counts(day),
        "orders": order_counts(day),
        "latency_ms": _latencies(day, arrived),
        "send_stamp": "ledger arrival" if arrived else "before the call",
        "pnl_krw": {
            "gross": day.money.gross,
            "fees": day.money.fees,
            "tax": day.money.tax,
            "net": day.money.net,
        },
        "net_bps": round(day.money.net * 10_000 / day.money.bought, 3) if day.money.bought else 0.0,
        "utilisation": _utilisation(day.sends, orders_per_second),
        "per_symbol": _per_symbol(day),
        "reject_reasons": _counted(day.rejects),
        "refusals": _counted(day.refusals),
        "not_admitted": _counted(day.not_admitted),
    }


def _counted(counter: Counter[str]) -> list[dict[str, Any]]:
    return [{"reason": reason, "count": count} for reason, count in counter.most_common()]


def _latencies(day: DayTally, arrived: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    tick_to_signal: list[int] = []
    signal_to_send: list[int] = []
    tick_to_send: list[int] = []
    quote_age: list[int] = []
    for pair in day.pairs.values():
        if not pair.entry_order or not pair.signal_at:
            continue
        sent = arrived.get(pair.entry_order, day.orders[pair.entry_order].sent)
        tick_to_signal.append(pair.signal_at - pair.cause_at)
        signal_to_send.append(sent - pair.signal_at)
        tick_to_send.append(sent - pair.cause_at)
        quote_age.append(pair.signal_at - pair.tick_recv)
    send_to_ack = [
        order.acked - arrived.get(cl_ord_id, order.sent) for cl_ord_id, order in day.orders.items() if order.acked
    ]
    unhedged = [pair.unhedged_ms * NS_PER_MS for pair in day.pairs.values() if pair.unhedged_ms is not None]
    return {
        "tick_to_signal": _summary(tick_to_signal),
        "signal_to_send": _summary(signal_to_send),
        "tick_to_send": _summary(tick_to_send),
        "send_to_ack": _summary(send_to_ack),
        "quote_age": _summary(quote_age),
        "unhedged": _summary(unhedged),
    }


def _summary(samples: list[int]) -> dict[str, Any]:
    """Percentiles in milliseconds, three decimals."""
    return {
        "n": len(samples),
        "p50": percentile(samples, 50) / NS_PER_MS,
        "p95": percentile(samples, 95) / NS_PER_MS,
        "p99": percentile(samples, 99) / NS_PER_MS,
        "max": max(samples, default=0) / NS_PER_MS,
    }


def _utilisation(sends: Sequence[tuple[int, str]], limit: int) -> dict[str, Any]:
    """How much of the window was used, by our own send stamps."""
    ordered = sorted(sends)
    times = [at for at, _ in ordered]
    busy_ns, free_after_entry, free_sum, first = 0, [], 0, 0
    for position, (at, kind) in enumerate(ordered):
        while at - times[first] >= SECOND_NS:
            first += 1
        used = position - first + 1
        free_sum += limit - used
        if kind == "entry":
            free_after_entry.append(limit - used)
        if used * 5 >= limit * 4:
            until = times[position + 1] if position + 1 < len(times) else at + SECOND_NS
            busy_ns += min(until - at, SECOND_NS)
    return {
        "max_in_1s": sends_max_in_a_second(times),
        "seconds_at_80pct": round(busy_ns / SECOND_NS, 3),
        "tokens_free_avg": round(free_sum / len(times), 2) if times else float(limit),
        "tokens_free_min_after_entry": min(free_after_entry, default=limit),
    }


def _per_symbol(day: DayTally) -> list[dict[str, Any]]:
    by_symbol: dict[str, list[Any]] = defaultdict(list)
    for pair in day.pairs.values():
        by_symbol[pair.symbol].append(pair)
    timings: dict[str, list[OrderTiming]] = defaultdict(list)
    for order in day.orders.values():
        timings[order.pair_id].append(order)
    league = []
    for symbol, pairs in by_symbol.items():
        unhedged = [pair.unhedged_ms for pair in pairs if pair.unhedged_ms is not None]
        league.append(
            {
                "symbol": symbol,
                "attempts": len(pairs),
                "done": sum(pair.state == "PAIRED_DONE" for pair in pairs),
                "missed": sum(pair.state == "ENTRY_MISSED" for pair in pairs),
                "rejected": sum(pair.state == "ENTRY_REJECTED" for pair in pairs),
                "escalated": sum(pair.escalated for pair in pairs),
                "orders": sum(len(timings[pair.pair_id]) for pair in pairs),
                "net_krw": sum(pair.net_won for pair in pairs),
                "unhedged_ms_avg": round(sum(unhedged) / len(unhedged), 1) if unhedged else 0.0,
            }
        )
    return sorted(league, key=lambda line: (-line["net_krw"], line["symbol"]))
