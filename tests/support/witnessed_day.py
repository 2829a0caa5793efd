"""A day told row by row, as the broker and the machine would: what the checkers are shown, truthful or not.

Each helper writes the broker's row, then the machine's word of it. `made=False` leaves out the broker's side,
`told=False` the machine's: that is how a lie is told.
"""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from actors.messages.journal import EventType, Row
from actors.messages.pairs import PairState
from kiwoom.market import MS, Nanos, WallNanos
from kiwoom.simulated.ledger import LedgerKind, LedgerRow
from supervision.simulation.checkers import CheckerSettings, Panel, all_checkers
from supervision.simulation.evidence import MachineEvent, PairView
from tests.support.playbook import TEN_O_CLOCK

SYMBOL = "005930"
ORDER_TYPES = {("KRX", "BUY"): 1, ("KRX", "SELL"): 2, ("NXT", "BUY"): 21, ("NXT", "SELL"): 22}
CANCEL_TYPES = {("KRX", "BUY"): 3, ("KRX", "SELL"): 4, ("NXT", "BUY"): 23, ("NXT", "SELL"): 23}
FEE, TAX = 10, 140
"""Per order, and per sale beside."""


@dataclass(frozen=True, slots=True)
class Struck:
    fault: str
    subject: str
    size_ns: int = 0
    wall: int = 0


@dataclass
class StageView:
    """The stage as the rows made it."""

    start_holdings: dict[str, int]
    start_cash: int
    holdings: dict[str, int] = field(default_factory=dict)
    cash: int = 0
    committed: list[Row] = field(default_factory=list)
    open_orders: dict[str, str] = field(default_factory=dict)
    """Order number -> client order id."""
    managed: dict[str, str] = field(default_factory=dict)
    """pair_id -> symbol, of pairs with a live manager."""

    counted: dict[str, None] = field(default_factory=dict)
    """Pairs that the Router counts as running."""

    def __post_init__(self) -> None:
        self.holdings = dict(self.start_holdings)
        self.cash = self.start_cash

    def held(self, symbol: str) -> int:
        return self.holdings.get(symbol, 0)

    def broker_open_orders(self) -> list[Any]:
        return [
            SimpleNamespace(order_no=number, answer=SimpleNamespace(rq_name=name))
            for number, name in self.open_orders.items()
        ]

    def live_pairs(self) -> tuple[PairView, ...]:
        return tuple(
            PairView(pair_id, 0, symbol, PairState.HEDGE_POST_SENT, 0, ()) for pair_id, symbol in self.managed.items()
        )

    def counted_pairs(self) -> tuple[str, ...]:
        return tuple(self.counted)

    def rows(self) -> list[Row]:
        return self.committed


class Day:
    """Ten o'clock is 0 ms. `at` moves the clock; every row steps the panel. Most days leave out what the managers
    write of their states, so PROMPT looks on only if `tells_states`."""

    def __init__(
        self,
        settings: CheckerSettings | None = None,
        start_ms: int = 0,
        held: int = 20,
        *,
        tells_states: bool = False,
    ) -> None:
        checkers = all_checkers(settings or CheckerSettings())
        self.panel = Panel([each for each in checkers if tells_states or each.rule != "PROMPT"])
        self.view = StageView({SYMBOL: held}, 10_000_000)
        self.mono = 1_000 * MS
        self.wall_offset = TEN_O_CLOCK - self.mono + start_ms * MS
        self.start = self.mono
        self.orders: dict[str, Row] = {}
        self.numbers: dict[str, str] = {}
        self.leaves: dict[str, int] = {}
        self.charged: dict[str, None] = {}
        self.exec_no = 0

    # --- time and the machine

    def at(self, ms: int) -> "Day":
        assert self.start + ms * MS >= self.mono
        while self.start + ms * MS - self.mono > 50 * MS:
            self.mono += 50 * MS
            self._step()
        self.mono = self.start + ms * MS
        self._step()
        return self

    def machine(self, event: MachineEvent) -> "Day":
        self.panel.machine(event, Nanos(self.mono))
        return self

    def struck(self, fault: str, subject: str, ms: int = 0) -> "Day":
        self.panel.struck(Struck(fault, subject, ms * MS), Nanos(self.mono))
        return self

    def manage(self, pair_id: str) -> "Day":
        self.view.managed[pair_id] = SYMBOL
        return self

    def abandon(self, pair_id: str) -> "Day":
        self.view.managed.pop(pair_id, None)
        return self

    def _step(self) -> None:
        self.panel.after_step(self.view, Nanos(self.mono))

    def ends(self) -> list[str]:
        """The day is over. The rules broken, each once, in the order in which they were."""
        self.panel.at_end(self.view, Nanos(self.mono))
        return self.broken()

    def broken(self) -> list[str]:
        return list(dict.fromkeys(breach.rule for breach in self.panel.breaches()))

    # --- rows

    def row(
        self, event: EventType, extra: dict[str, Any] | None = None, *, stamp_ms: int | None = None, **c: Any
    ) -> "Day":
        mono = self.mono if stamp_ms is None else self.start + stamp_ms * MS
        row = Row(event, Nanos(mono), WallNanos(mono + self.wall_offset), extra=tuple((extra or {}).items()), **c)
        self.view.committed.append(row)
        self.panel.journal(row, Nanos(self.mono))
        self._step()
        return self

    def ledger(self, kind: LedgerKind, **columns: Any) -> "Day":
        row = LedgerRow(ts=self.mono + self.wall_offset, ts_mono_ns=self.mono, kind=kind, **columns)
        self._happen(row)
        self.panel.ledger(row, Nanos(self.mono))
        self._step()
        return self

    def _happen(self, row: LedgerRow) -> None:
        view = self.view
        if row.kind is LedgerKind.ORDER:
            view.open_orders[row.order_no] = row.rq_name
        elif row.kind is LedgerKind.END:
            view.open_orders.pop(row.order_no, None)
        elif row.kind is LedgerKind.FILL:
            qty, amount = row.fill_qty or 0, (row.fill_qty or 0) * (row.fill_px or 0)
            sign = 1 if row.side == "BUY" else -1
            view.holdings[row.symbol] = view.held(row.symbol) + sign * qty
            view.cash -= sign * amount + (row.fee_krw or 0) + (row.tax_krw or 0)

    # --- orders

    def tries(
        self, name: str, side: str, venue: str, *, qty: int = 1, price: int = 70_000, hoga: str = "00", **extra: Any
    ) -> "Day":
        """The attempt row. A leg-A name ends in -A1."""
        pair_id, tag = name.rsplit("-", 1)
        leg = "A" if tag.startswith("A") else "B"
        kind = extra.pop("kind", "entry" if leg == "A" else "hedge")
        row = Row(
            EventType.ORDER_SEND_ATTEMPT,
            Nanos(self.mono),
            WallNanos(self.mono + self.wall_offset),
            pair_id=pair_id,
            leg=leg,
            venue=venue,
            symbol=SYMBOL,
            cl_ord_id=name,
            side=side,
            qty=qty,
            price=price,
            hoga_code=hoga,
            order_type=ORDER_TYPES[venue, side],
            rq_name=name,
            extra=(("kind", kind), *extra.items()),
        )
        self.orders[name] = row
        return self.writes(row)

    def writes(self, row: Row) -> "Day":
        self.view.committed.append(row)
        self.panel.journal(row, Nanos(self.mono))
        self._step()
        return self

    def called(self, name: str, kind: LedgerKind = LedgerKind.ORDER, **changed: Any) -> "Day":
        """The call of what was tried comes to the broker."""
        row = self.orders[name]
        if kind is LedgerKind.ORDER:
            self.numbers[name] = f"{len(self.numbers) + 1:07d}"
            self.leaves[name] = row.qty or 0
        columns = {
            "rq_name": name,
            "order_no": self.numbers.get(name, "") if kind is LedgerKind.ORDER else "",
            "venue": row.venue,
            "symbol": SYMBOL,
            "side": row.side,
            "order_type": row.order_type,
            "hoga_code": row.hoga_code,
            "price": row.price,
            "qty": row.qty,
            "return_code": 0,
        }
        return self.ledger(kind, **(columns | changed))

    def sends(self, name: str, side: str, venue: str, **terms: Any) -> "Day":
        return self.tries(name, side, venue, **terms).called(name)

    def cancels(
        self, name: str, target: str, *, kind: LedgerKind = LedgerKind.CANCEL, tried: bool = True, **c: Any
    ) -> "Day":
        """A cancel: its attempt row and its call. `c` changes the call's columns."""
        order = self.orders[target]
        number, venue, side = self.numbers[target], order.venue or "", order.side or ""
        order_type = c.get("order_type", CANCEL_TYPES[venue, side])
        if tried:
            self.row(
                EventType.CANCEL_SEND_ATTEMPT,
                {"kind": "cancel", "target": target},
                pair_id=order.pair_id,
                leg=order.leg,
                venue=venue,
                symbol=SYMBOL,
                cl_ord_id=name,
                orig_order_no=c.get("orig_order_no", number),
                side=side,
                qty=self.leaves[target],
                hoga_code="00",
                price=0,
                order_type=order_type,
            )
        columns = {
            "rq_name": name,
            "order_no": f"9{number[1:]}" if kind is LedgerKind.CANCEL else "",
            "orig_order_no": number,
            "venue": venue,
            "symbol": SYMBOL,
            "side": side,
            "order_type": order_type,
            "hoga_code": "00",
            "price": 0,
            "qty": self.leaves[target],
            "return_code": 0,
        }
        return self.ledger(kind, **(columns | c))

    def fills(
        self,
        name: str,
        qty: int = 1,
        px: int = 70_000,
        *,
        made: bool = True,
        told: bool = True,
        reason: str | None = None,
        exec_id: str = "",
        **changed: Any,
    ) -> "Day":
        """Whole or in part, at both sides; the last share ends the order. `changed`: columns of the journal's row."""
        row = self.orders[name]
        self.exec_no += 1
        exec_id = exec_id or f"{self.exec_no}"
        left = self.leaves[name] - qty
        number = self.numbers[name]
        if made:
            self.leaves[name] = left
            first = name not in self.charged
            self.charged[name] = None
            tax = TAX if row.side == "SELL" and first else 0
            self.ledger(
                LedgerKind.FILL,
                rq_name=name,
                order_no=number,
                venue=row.venue,
                symbol=SYMBOL,
                side=row.side,
                fill_px=px,
                fill_qty=qty,
                exec_id=exec_id,
                fee_krw=FEE if first else 0,
                tax_krw=tax,
            )
            if left == 0:
                self.leaves_the_book(name)
        if told:
            columns = {
                "pair_id": row.pair_id,
                "leg": row.leg,
                "venue": row.venue,
                "symbol": SYMBOL,
                "cl_ord_id": name,
                "order_no": number,
                "side": row.side,
                "qty": row.qty,
                "price": row.price,
                "leaves_qty": max(0, left),
                "fill_qty": qty,
                "fill_px": px,
                "exec_id": exec_id,
                "reason": reason,
            }
            event = EventType.TRADE_PARTIAL if left > 0 or reason == "LATE" else EventType.TRADE_FILL
            self.row(event, **(columns | changed))
        return self

    def leaves_the_book(self, name: str, reason: str = "") -> "Day":
        row = self.orders[name]
        left, self.leaves[name] = self.leaves[name], 0
        return self.ledger(
            LedgerKind.END,
            rq_name=name,
            order_no=self.numbers[name],
            venue=row.venue,
            symbol=SYMBOL,
            side=row.side,
            qty=left,
            reason=reason,
        )

    def canceled(self, name: str, reason: str = "IOC_REMAINDER", *, made: bool = True, qty: int | None = None) -> "Day":
        """It ends with a remainder: END at the broker, CANCELED here."""
        row, left = self.orders[name], self.leaves.get(name, 0)
        if made:
            self.leaves_the_book(name)
        return self.row(
            EventType.CANCELED,
            {"kind": "hedge", "canceled_qty": left if qty is None else qty},
            pair_id=row.pair_id,
            leg=row.leg,
            venue=row.venue,
            symbol=SYMBOL,
            cl_ord_id=name,
            side=row.side,
            qty=row.qty,
            reason=reason,
            order_no=self.numbers.get(name),
        )

    def rejected(
        self, name: str, source: str = "TR", *, kind: LedgerKind | None = LedgerKind.REJECT, **c: Any
    ) -> "Day":
        """Turned down: the broker's row of the call, and ORDER_REJECT."""
        if kind is not None:
            self.called(name, kind, **c)
        row = self.orders[name]
        return self.row(
            EventType.ORDER_REJECT,
            {"kind": "hedge"},
            pair_id=row.pair_id,
            leg=row.leg,
            venue=row.venue,
            symbol=SYMBOL,
            cl_ord_id=name,
            side=row.side,
            qty=row.qty,
            reason=source,
        )

    def refused(self, name: str, side: str = "BUY", reason: str = "HALTED", kind: str = "hedge") -> "Day":
        pair_id, tag = name.rsplit("-", 1)
        return self.row(
            EventType.ORDER_REFUSED,
            {"kind": kind},
            pair_id=pair_id,
            leg=tag[0],
            symbol=SYMBOL,
            cl_ord_id=name,
            side=side,
            reason=reason,
        )

    # --- pairs

    def state(self, pair_id: str, state: str, child: int = 0, stamp_ms: int | None = None) -> "Day":
        extra = {"open_qty": 0, "child": child}
        return self.row(EventType.PAIR_STATE, extra, stamp_ms=stamp_ms, pair_id=pair_id, symbol=SYMBOL, state=state)

    def hands_over(self, pair_id: str, qty: int, won: int, child: int = 1) -> "Day":
        """What the pair left open becomes that child's, with all that it cost: its result replaces what was booked."""
        extra = {"open_qty": qty, "child": child, "handed_qty": qty, "handed_won": won}
        return self.row(EventType.PAIR_STATE, extra, pair_id=pair_id, symbol=SYMBOL, state="RESCUE", reason="LATE_FILL")

    def done(self, pair_id: str, event: EventType = EventType.PAIRED_DONE, child: int = 0, **changed: Any) -> "Day":
        """The terminal row with its figures, added up from the fills that the journal has; `changed` lies."""
        fills = [r for r in self.view.committed if r.pair_id == pair_id and r.fill_qty]
        buys = [r for r in fills if r.side == "BUY"]
        sells = [r for r in fills if r.side == "SELL"]
        spent = sum((r.fill_qty or 0) * (r.fill_px or 0) for r in buys)
        earned = sum((r.fill_qty or 0) * (r.fill_px or 0) for r in sells)
        fees = FEE * len({r.cl_ord_id for r in fills})
        tax = TAX * len({r.cl_ord_id for r in sells})
        figures = {
            "bought": sum(r.fill_qty or 0 for r in buys),
            "sold": sum(r.fill_qty or 0 for r in sells),
            "gross_krw": earned - spent,
            "fees_krw": fees,
            "tax_krw": tax,
            "net_krw": earned - spent - fees - tax,
            "unhedged_ms": 40,
            "child": child,
        }
        reason = "TIME_UP" if event is EventType.UNHEDGED else None
        return self.row(event, figures | changed, pair_id=pair_id, symbol=SYMBOL, reason=reason)

    def good_pair(self, pair_id: str = "p-1", start_ms: int = 0) -> "Day":
        """Sold on NXT at 70,500, bought on KRX at 70,000, flat after 60 ms."""
        self.at(start_ms).manage(pair_id).state(pair_id, "CANDIDATE")
        self.sends(f"{pair_id}-A1", "SELL", "NXT", price=70_500, hoga="10").state(pair_id, "ENTRY_TAKE_SENT")
        self.at(start_ms + 30).fills(f"{pair_id}-A1", px=70_500)
        self.at(start_ms + 35).sends(f"{pair_id}-B1", "BUY", "KRX").state(pair_id, "HEDGE_POST_SENT")
        self.at(start_ms + 90).fills(f"{pair_id}-B1").state(pair_id, "PAIRED_DONE").done(pair_id)
        return self.abandon(pair_id)

    def open_pair(self, pair_id: str = "p-1", start_ms: int = 0, qty: int = 1) -> "Day":
        """Sold `qty` on NXT, nothing bought yet; its manager lives."""
        self.at(start_ms).manage(pair_id).state(pair_id, "CANDIDATE")
        self.sends(f"{pair_id}-A1", "SELL", "NXT", price=70_500, hoga="10", qty=qty)
        return self.at(start_ms + 30).fills(f"{pair_id}-A1", qty, px=70_500)
