"""Gives back what a part of the machine knew before it died: pairs to their managers, the books to the Router.

Everything comes from the pairs' memory and from our orders as they stand. Each giving back of a pair is journalled
first and begins a new generation of it: what the predecessor had decided and not yet sent is void from then on.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from actors.domain.order_commands import OrderCommands
from actors.domain.order_flow import OrderFlow
from actors.domain.order_rows import plain_row
from actors.domain.outbox import Outbox
from actors.domain.own_orders import OwnOrders
from actors.domain.pair_memory import PairMemory
from actors.domain.routes import PairRoutes
from actors.domain.symbol_map import SymbolEntry
from actors.effects import Role
from actors.messages.journal import EventType
from actors.messages.orders import OrderFilled, OrderKind
from actors.messages.pairs import (
    AdmissionRestored,
    LateFill,
    NothingToRestore,
    OrderEnded,
    PairAssigned,
    PairPlan,
    RestorePair,
)
from kiwoom.market import Now, Shares, Side, Symbol


class Recovery:
    def __init__(
        self,
        *,
        out: Outbox,
        orders: OwnOrders,
        flow: OrderFlow,
        commands: OrderCommands,
        routes: PairRoutes,
        memory: PairMemory,
        symbols: Mapping[Symbol, SymbolEntry],
        slots: int,
    ) -> None:
        self._out = out
        self._orders = orders
        self._flow = flow
        self._commands = commands
        self._routes = routes
        self._memory = memory
        self._symbols = symbols
        self._slots = slots

    # --- to the managers ----------------------------------------------------------------------------------------------

    def restore_slot(self, slot: int, now: Now) -> None:
        """To the slot's new manager: the pair that lives there, or that none does. Before it those that its predecessor
        brought to their end without that being journalled: they end again, at once."""
        for ended in self._ended_unheard(slot):
            self._restore(ended, now)
        pair_id = self._routes.pair_in(slot)
        if pair_id is not None:
            self._commands.withdraw_entry(pair_id, now)
            plan = self._plan_in(pair_id, slot)
            if plan is not None and self._memory.is_live(pair_id):
                self._restore(plan, now)
                return
        self._out.send(Role.PAIR_MANAGER, NothingToRestore(slot), slot)

    def restore_all(self, now: Now) -> None:
        """After our own restart: every slot is told. What lives without a manager is for the Router to place."""
        for slot in range(self._slots):
            self.restore_slot(slot, now)
        for late in self._orphans():
            self._out.send(Role.ROUTER, late)

    def stop_for_unknown_symbols(self, now: Now) -> None:
        """A pair of an earlier run that this one cannot trade is for a person to close."""
        for pair_id in self._memory.live_pairs():
            plan = self._memory.plan(pair_id)
            assert plan is not None
            if plan.symbol not in self._symbols:
                text = f"{pair_id} of an earlier run is open, and this run does not know {plan.symbol}"
                self._flow.stop_for_good(text, now)

    def assigned(self, message: PairAssigned, now: Now) -> None:
        """A rescue of the pair lives in this slot now. If the pair was closed meanwhile, it has nothing to hedge."""
        pair_id, slot = message.pair_id, message.slot
        self._routes.assign(pair_id, slot)
        self._flow.taken_up(pair_id)
        extra = (("slot", slot),)
        self._out.record(plain_row(EventType.PAIR_ASSIGNED, now, pair_id=pair_id, symbol=message.symbol, extra=extra))
        plan = self._plan_in(pair_id, slot)
        if plan is not None and self._memory.is_settled(pair_id):
            self._restore(plan, now)

    def tell(self, pair_id: str, slot: int, now: Now) -> None:
        """The manager in `slot` took the pair up without knowing what of it lives: it goes on from the facts."""
        plan = self._plan_in(pair_id, slot)
        if plan is not None:
            self._restore(plan, now)

    def _restore(self, plan: PairPlan, now: Now) -> None:
        memory, pair_id = self._memory, plan.pair_id
        child, generation = memory.next_child(pair_id), memory.generation(pair_id) + 1
        extra = (("generation", generation), ("child", child), ("slot", plan.slot))
        self._out.record(plain_row(EventType.PAIR_RESTORED, now, pair_id=pair_id, symbol=plan.symbol, extra=extra))
        pair = RestorePair(
            plan=plan,
            generation=generation,
            orders=tuple(order.standing for order in self._orders.of_pair(pair_id)),
            ended=memory.sums(pair_id),
            child=child,
            left=memory.left(pair_id),
            flatten=memory.flatten(pair_id),
            carried=memory.carried(pair_id),
        )
        self._out.send(Role.PAIR_MANAGER, pair, plan.slot)

    def _ended_unheard(self, slot: int) -> list[PairPlan]:
        """Pairs that were last in `slot`, which has another now, and are flat with all orders over, yet without an
        end. Of a slot that is no more the first one takes them."""
        found: list[PairPlan] = []
        for pair_id in self._memory.live_pairs():
            if self._memory.is_settled(pair_id) and self._routes.slot_of(pair_id) is None:
                last = self._orders.of_pair(pair_id)[-1].command.slot
                plan = self._plan_in(pair_id, slot)
                if plan is not None and slot == (last if last < self._slots else 0):
                    found.append(plan)
        return found

    def _plan_in(self, pair_id: str, slot: int) -> PairPlan | None:
        """The pair's plan as it goes on in `slot`, with the numbers that its symbol has in this run."""
        plan = self._memory.plan(pair_id)
        entry = self._symbols.get(plan.symbol) if plan is not None else None
        if plan is None or entry is None:
            return None
        return replace(plan, slot=slot, symbol_index=entry.index, shard=entry.shard)

    # --- to the Router ------------------------------------------------------------------------------------------------

    def restore_admission(self) -> None:
        """What its predecessor knew. The ends of entries are told again: claims wait for them."""
        memory, plans = self._memory, []
        for pair_id in memory.live_pairs():
            slot = self._routes.slot_of(pair_id)
            plan = None if slot is None or slot >= self._slots else self._plan_in(pair_id, slot)
            if plan is not None:
                plans.append(plan)
        imbalances = tuple(memory.imbalances())
        concerned = dict.fromkeys((*(p.pair_id for p in plans), *(i.pair_id for i in imbalances)))
        told_again = [ended for pair_id in concerned for ended in self._entry_ends(pair_id)]
        self._out.send(
            Role.ROUTER,
            AdmissionRestored(
                plans=tuple(plans),
                muted=memory.muted,
                frozen=memory.frozen,
                traded_won=memory.traded_won,
                net_won=memory.net_won,
                imbalances=imbalances,
                ended=memory.ends,
                orders=self._orders.ended_count - len(told_again),
                generations=memory.generations,
            ),
        )
        for ended in told_again:
            self._out.send(Role.ROUTER, ended)

    def repeat_late_fills(self) -> None:
        """Those that no rescue has taken up, and what else lives without a manager."""
        told = [late for late in self._flow.late_fills() if not self._memory.is_settled(late.fill.pair_id)]
        known = {late.fill.pair_id: None for late in told}
        for late in (*told, *(orphan for orphan in self._orphans() if orphan.fill.pair_id not in known)):
            self._out.send(Role.ROUTER, late)

    def _entry_ends(self, pair_id: str) -> Iterator[OrderEnded]:
        for order in self._orders.of_pair(pair_id):
            command = order.command
            if command.kind is OrderKind.ENTRY and order.was_called_over:
                at = order.last_event.at if order.last_event is not None else order.returned
                yield OrderEnded(
                    pair_id, command.cl_ord_id, command.kind, command.symbol, command.side, order.cum_qty, at
                )

    def _orphans(self) -> list[LateFill]:
        """The open quantity of each live pair that has no slot."""
        found: list[LateFill] = []
        for pair_id in self._memory.live_pairs():
            slot = self._routes.slot_of(pair_id)
            plan = self._memory.plan(pair_id)
            assert plan is not None
            if (slot is None or slot >= self._slots) and plan.symbol in self._symbols:
                found += [LateFill(fill, plan.symbol) for fill in self._open_fills(pair_id)]
        return found

    def _open_fills(self, pair_id: str) -> list[OrderFilled]:
        """The pair's last fills, as many as make up its open quantity if they are all of one side; or else one fill of
        that quantity."""
        open_qty = self._memory.open_qty(pair_id)
        side = Side.BUY if open_qty > 0 else Side.SELL
        fills = [fill for order in self._orders.of_pair(pair_id) for fill in order.fills]
        fills.sort(key=lambda fill: fill.at)
        found: list[OrderFilled] = []
        missing = abs(open_qty)
        for fill in reversed(fills):
            if missing <= 0 or fill.side is not side:
                break
            found.insert(0, fill)
            missing -= fill.fill_qty
        if missing == 0:
            return found
        last = next(fill for fill in reversed(fills) if fill.side is side)
        return [replace(last, exec_id=f"{last.exec_id}OPEN{open_qty}", fill_qty=Shares(abs(open_qty)))]
