"""EDGE, LEGAL, ROOM and PROMPT, each on days that keep the promise and on days that just break it."""

from typing import Any

import pytest

from actors.messages.journal import EventType
from kiwoom.market import MS
from kiwoom.simulated.ledger import LedgerKind
from supervision.simulation.checkers import CheckerSettings
from supervision.simulation.evidence import ActorDied, TradingHalted
from tests.support.witnessed_day import SYMBOL, Day

PPB = CheckerSettings(fee_ppb=(100_000, 200_000), tax_ppb_of={SYMBOL: 1_000_000}, visible_min=3)
"""70,000 to 70,292 costs 7 + 14.0584 + 70.292 won; one tick of buffer is 100 won: 191.3504 of 292."""


def signal(**changed: Any) -> dict[str, Any]:
    figures = {"buy_venue": "KRX", "sell_venue": "NXT", "buy_ask": 70_000, "sell_bid": 70_300}
    return figures | {"buy_size": 3, "sell_size": 3, "tick_recv_mono_ns": 0} | changed


@pytest.mark.parametrize(
    ("changed", "holds"),
    [
        ({}, True),
        ({"sell_bid": 70_192}, True),  # 192 - 91.2304 = 100.7696
        ({"sell_bid": 70_191}, False),  # 191 - 91.2292 = 99.7708
        ({"sell_size": 2}, False),
        ({"sell_venue": "KRX"}, False),
        ({"buy_ask": 0}, False),
    ],
)
def test_a_signal_satisfies_the_edge_rule_or_is_none(changed: dict[str, Any], holds: bool) -> None:
    day = Day(PPB).row(EventType.SIGNAL, signal(**changed), pair_id="p-1", symbol=SYMBOL)
    assert ("EDGE" in day.broken()) is not holds


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize(
    ("venue", "price", "hedge_venue", "hedge_price", "holds"),
    [
        ("KRX", 70_000, "NXT", 70_300, True),
        ("KRX", 70_000, "NXT", 70_400, True),  # better than the lock
        ("KRX", 69_900, "NXT", 70_300, False),
        ("NXT", 70_000, "KRX", 70_300, False),
        ("KRX", 70_000, "NXT", 70_200, False),
        ("KRX", 70_000, "KRX", 70_300, False),
    ],
)
def test_orders_have_the_quotes_of_their_signal(
    venue: str, price: int, hedge_venue: str, hedge_price: int, holds: bool, early: bool
) -> None:
    day = Day(PPB)
    admitted = {"pair_id": "p-1", "symbol": SYMBOL, "venue": "KRX", "side": "BUY", "price": 70_000, "qty": 1}
    if not early:
        day.row(EventType.ADMITTED, signal(), **admitted)
    day.tries("p-1-A1", "BUY", venue, price=price, hoga="10")
    day.tries("p-1-B1", "SELL", hedge_venue, price=hedge_price)
    if early:
        day.row(EventType.ADMITTED, signal(), **admitted)
    assert ("EDGE" in day.broken()) is not holds


@pytest.mark.parametrize(
    ("price", "hoga", "holds"),
    [(70_000, "00", True), (70_050, "10", False), (0, "00", False), (0, "13", True), (0, "29", True)],
)
def test_a_priced_order_is_on_a_tick(price: int, hoga: str, holds: bool) -> None:
    day = Day().sends("p-1-A1", "BUY", "KRX", price=price, hoga=hoga)
    assert day.broken() == ([] if holds else ["LEGAL"])


@pytest.mark.parametrize(
    ("reason", "code", "holds"),
    [("[RC4027] 상/하한가 오류입니다.", 0, False), ("turned away", -300, False), ("[800000] 거부", 0, True)],
)
def test_no_order_is_refused_for_what_could_be_known(reason: str, code: int, holds: bool) -> None:
    day = Day().tries("p-1-A1", "BUY", "KRX").called("p-1-A1", LedgerKind.REJECT, reason=reason, return_code=code)
    assert day.broken() == ([] if holds else ["LEGAL"])


@pytest.mark.parametrize(("after_ms", "dies", "holds"), [(500, False, True), (510, False, False), (510, True, True)])
def test_nothing_goes_to_a_symbol_long_in_vi(after_ms: int, dies: bool, holds: bool) -> None:
    day = Day().machine(TradingHalted("KRX", SYMBOL))
    if dies:
        day.machine(ActorDied("gateway", 0))
    day.at(after_ms).sends("p-1-A1", "BUY", "KRX")
    day.ledger(
        LedgerKind.END,
        rq_name="p-1-A1",
        order_no=day.numbers["p-1-A1"],
        venue="KRX",
        symbol=SYMBOL,
        side="BUY",
        qty=1,
        reason="rejected: VI 발동으로 주문이 불가능합니다",
    )
    assert ("LEGAL" in day.broken()) is not holds


@pytest.mark.parametrize(
    ("counted", "waits_ms", "dies", "holds"),
    [(True, 2_000, False, True), (True, 2_600, False, False), (False, 9_000, False, True), (True, 6_000, True, True)],
)
def test_no_room_is_kept_for_a_pair_that_ended(counted: bool, waits_ms: int, dies: bool, holds: bool) -> None:
    day = Day().good_pair("p-1")
    if counted:
        day.view.counted["p-1"] = None
    if dies:
        day.machine(ActorDied("router", 0))
    now = (day.mono - day.start) // MS
    assert day.at(now + waits_ms).broken() == ([] if holds else ["ROOM"])


@pytest.mark.parametrize(
    ("fires_ms", "holds"), [(949, False), (950, True), (1_000, True), (1_002, True), (1_003, False)]
)
def test_t_hedge_runs_from_the_stamp_of_the_fill(fires_ms: int, holds: bool) -> None:
    day = Day(tells_states=True).open_pair()
    opened = next(row.ts_mono for row in day.view.committed if row.event_type is EventType.TRADE_FILL)
    opened_ms = (opened - day.start) // MS
    day.row(EventType.PAIR_STATE, stamp_ms=opened_ms, pair_id="p-1", symbol=SYMBOL, state="HEDGE_POST_SENT")
    day.at(opened_ms + 1_010)
    day.row(EventType.HEDGE_TIMEOUT, stamp_ms=opened_ms + fires_ms, pair_id="p-1", symbol=SYMBOL, reason="T_HEDGE")
    assert day.broken() == ([] if holds else ["PROMPT"])


@pytest.mark.parametrize(("step_ms", "holds"), [(0, True), (300, True), (301, False), (None, False)])
def test_a_pair_acts_on_the_end_of_its_entry(step_ms: int | None, holds: bool) -> None:
    day = Day(tells_states=True).open_pair()
    opened = next(row.ts_mono for row in day.view.committed if row.event_type is EventType.TRADE_FILL)
    opened_ms = (opened - day.start) // MS
    day.at(opened_ms + 400)
    if step_ms is not None:
        stamp = opened_ms + step_ms
        day.row(EventType.PAIR_STATE, stamp_ms=stamp, pair_id="p-1", symbol=SYMBOL, state="HEDGE_POST_SENT")
    day.at(opened_ms + 2_400)
    assert ("PROMPT" in day.broken()) is not holds


def test_a_post_that_meets_the_close_may_expire_before_t_hedge() -> None:
    close_ms = 5 * 3_600_000 + 20 * 60_000
    for before_ms, holds in ((500, False), (20, True), (0, True)):
        day = Day(start_ms=close_ms - 530 - before_ms, tells_states=True).open_pair().at(530)
        day.row(EventType.HEDGE_TIMEOUT, pair_id="p-1", symbol=SYMBOL, reason="T_HEDGE")
        assert ("PROMPT" in day.broken()) is not holds


def test_a_successor_may_find_t_hedge_over() -> None:
    for is_restored in (True, False):
        day = Day(tells_states=True).open_pair()
        day.state("p-1", "HEDGE_POST_SENT").at(20_000)
        if is_restored:
            day.row(EventType.PAIR_STATE, pair_id="p-1", symbol=SYMBOL, state="HEDGE_POST_SENT", reason="RESTORED")
        day.row(EventType.HEDGE_TIMEOUT, pair_id="p-1", symbol=SYMBOL, reason="T_HEDGE")
        assert ("PROMPT" in day.broken()) is not is_restored


@pytest.mark.parametrize(("fires_ms", "holds"), [(940, False), (1_000, True), (1_010, False)])
def test_a_child_counts_t_hedge_from_the_late_fill_that_began_it(fires_ms: int, holds: bool) -> None:
    day = Day(tells_states=True).sends("p-1-A1", "SELL", "NXT", hoga="10").rejected("p-1-A1", kind=None)
    day.fills("p-1-A1", reason="LATE").state("p-1", "HEDGE_POST_SENT")
    day.at(fires_ms).row(EventType.HEDGE_TIMEOUT, pair_id="p-1", symbol=SYMBOL, reason="T_HEDGE")
    assert ("PROMPT" in day.broken()) is not holds


@pytest.mark.parametrize("is_over", [True, False])
def test_a_pair_that_ended_takes_no_step(is_over: bool) -> None:
    day = Day(tells_states=True).open_pair().sends("p-1-B1", "BUY", "KRX").state("p-1", "HEDGE_POST_SENT").at(1_000)
    if is_over:
        day.done("p-1", EventType.UNHEDGED)
    day.at(2_000).canceled("p-1-B1", "LOST").at(5_000)
    assert ("PROMPT" in day.broken()) is not is_over
