"""What the tests of the Router say to it: signals, accounts, grants, ends, late fills."""

from dataclasses import replace
from typing import Any

from actors.cores.router import RouterCore, RouterSettings
from actors.domain.symbol_map import SymbolEntry
from actors.effects import Role, Send
from actors.messages.orders import OrderFilled, OrderKind
from actors.messages.pairs import AccountSnapshot, LateFill, OrderEnded, PairEnded, PairPlan, PairState, StartPair
from actors.messages.session import Phase, TradingState
from actors.messages.spread import Signal, SignalDropped
from actors.messages.throttle import EntryGranted, RequestEntry
from kiwoom.fees import CostModel
from kiwoom.market import SECOND, Market, Nanos, Shares, Side, Symbol, Venue, WallNanos, Won
from tests.support.playbook import TEN_O_CLOCK, Playbook

COSTS = CostModel(fee_ppb=(150_000, 176_833), kospi_tax_ppb=2_000_000, kosdaq_tax_ppb=2_000_000)
CODES = ("005930", "000660", "035420", "051910")
ENTRIES = tuple(SymbolEntry(index, Symbol(code), code, Market.KOSPI, 0) for index, code in enumerate(CODES))
SETTINGS = RouterSettings(ENTRIES, COSTS, slots=3)
SAMSUNG = Symbol("005930")
CASH = Won(10_000_000)
HOUR = 3_600 * SECOND


def signal(pair_id: str = "p1", code: str = "005930", **changes: Any) -> Signal:
    """Buy on NXT at 70,000, sell on KRX at 70,500."""
    made = Signal(
        pair_id=pair_id,
        symbol=Symbol(code),
        symbol_index=CODES.index(code),
        buy_venue=Venue.NXT,
        sell_venue=Venue.KRX,
        buy_ask=Won(70_000),
        sell_bid=Won(70_500),
        buy_size=Shares(10),
        sell_size=Shares(10),
        buy_cost_mwon=12_379,
        sell_cost_mwon=10_575,
        tax_mwon=141_000,
        buffer_mwon=100_000,
        net_edge_mwon=336_046,
        net_edge_centibps=480,
        tick_recv=Nanos(0),
        cause_at=Nanos(0),
        at=Nanos(0),
        bids=(Won(70_500), Won(69_800)),
        asks=(Won(70_700), Won(70_000)),
    )
    return replace(made, **changes)


def trading(armed: bool = True, until: int = TEN_O_CLOCK + HOUR, closing: int = TEN_O_CLOCK + HOUR) -> TradingState:
    return TradingState(armed, "", WallNanos(until), WallNanos(closing), (Phase.RUNNING, Phase.RUNNING), True)


def account(held: int = 5, cash: int = CASH, **changes: Any) -> AccountSnapshot:
    symbols = tuple(Symbol(code) for code in CODES)
    made = AccountSnapshot(
        account="1",
        server="simulated",
        holdings=tuple((symbol, Shares(held), Shares(held)) for symbol in symbols),
        cash_won=Won(cash),
        limits=tuple((symbol, Won(50_000), Won(90_000)) for symbol in symbols),
        tradable=symbols,
        conflicted=(),
        at=Nanos(0),
    )
    return replace(made, **changes)


def ready(snapshot: AccountSnapshot | None = None, **changes: Any) -> Playbook:
    playbook = Playbook(RouterCore(replace(SETTINGS, **changes)))
    return playbook.hears(trading()).hears(snapshot or account()).says()


def granted(pair_id: str = "p1", grant_id: int = 1, expires: int = 10 * HOUR) -> EntryGranted:
    return EntryGranted(pair_id, grant_id, Nanos(expires))


def started(playbook: Playbook, pair_id: str = "p1", code: str = "005930") -> PairPlan:
    """Admit a pair and return its plan."""
    playbook.hears(signal(pair_id, code)).says(Send(Role.THROTTLER, RequestEntry(pair_id)))
    (start,) = (send for send in playbook.hears(granted(pair_id)).take_sends() if send.to is Role.PAIR_MANAGER)
    assert isinstance(start.message, StartPair)
    playbook.take_rows()
    return start.message.plan


def ended(pair_id: str = "p1", state: PairState = PairState.PAIRED_DONE, **changes: Any) -> PairEnded:
    qty = 1 if state is PairState.PAIRED_DONE else 0
    made = PairEnded(
        pair_id=pair_id,
        slot=0,
        symbol=SAMSUNG,
        state=state,
        bought=Shares(qty),
        sold=Shares(qty),
        buy_amount=Won(70_000 * qty),
        sell_amount=Won(70_500 * qty),
        commission_won=Won(20 * qty),
        tax_won=Won(141 * qty),
        net_won=Won(339 * qty),
        escalated=False,
        rejects=0,
        timeouts=0,
        at=Nanos(0),
    )
    return replace(made, **changes)


def entry_ended(pair_id: str = "p1", side: Side = Side.SELL, filled: int = 1) -> OrderEnded:
    return OrderEnded(pair_id, f"{pair_id}-A1", OrderKind.ENTRY, SAMSUNG, side, Shares(filled), Nanos(0))


def late_fill(pair_id: str = "p1", side: Side = Side.BUY, qty: int = 1, exec_id: str = "7") -> LateFill:
    name, px, shares = f"{pair_id}-A1", Won(70_000), Shares(qty)
    fill = OrderFilled(
        pair_id, name, exec_id, Venue.NXT, side, px, shares, shares, Shares(0), None, None, Nanos(0)
    )  # fmt: skip
    return LateFill(fill, SAMSUNG)


def refused(playbook: Playbook, message: object) -> SignalDropped:
    (send,) = playbook.hears(message).take_sends()
    assert isinstance(send.message, SignalDropped)
    return send.message


def told_engine(playbook: Playbook) -> list[Any]:
    return [send.message for send in playbook.take_sends() if send.to is Role.SPREAD_ENGINE]
