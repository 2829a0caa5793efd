"""Deliberate bugs, each of which the simulation must notice: the checkers are worth what they catch.

Where several layers guard the same promise, all of them are broken at once (`also`): a guard that alone would have held
is no gap. `seed` is where the rule was broken when this was written; a search begins there.
"""

from dataclasses import dataclass

from supervision.simulation.faults_by_name import NamedFaults, faults_named
from supervision.simulation.machine_faults import MachineFaults
from tests.supervision.simulation.planting import Edit

_PM = "actors.cores.pair_manager:PairManagerCore."
_PAIR = "actors.domain.pair:"
_HAND = "actors.domain.pair_in_hand:PairInHand."
_THROTTLER = "actors.cores.throttler:ThrottlerCore."
_ROUTER = "actors.cores.router:RouterCore."
_GATEWAY = "actors.cores.gateway:GatewayCore."
_COMMANDS = "actors.domain.order_commands:OrderCommands."
_REPORTS = "actors.domain.order_reports:OrderReports."
_GUARD = "actors.domain.send_guard:SendGuard."
_REFUSALS = "actors.domain.refusals:"


@dataclass(frozen=True, slots=True)
class Mutation:
    name: str
    bug: str
    """In one sentence."""
    edits: tuple[Edit, ...]
    rule: str
    """The promise that it breaks first of all."""
    faults: str = "all"
    seed: int = 1
    sets: tuple[str, ...] = ()
    """Settings of the machine, as for --set, under which the bug shows."""


_DENSE = {
    "deaths": NamedFaults(
        "deaths", ("numbers", "cancels"), MachineFaults(actor_killed=1_500, actor_killed_midway=3_000)
    ),
    "tangle": NamedFaults("tangle", ("numbers", "reports", "queries", "ends", "cancels"), MachineFaults()),
    "twins": NamedFaults("twins", ("foreign", "numbers"), MachineFaults()),
}
"""Beside the named sets: what one kind of bug hides behind, at rates that no machine is asked to be quick under."""


def faults_of(name: str) -> NamedFaults:
    return _DENSE[name] if name in _DENSE else faults_named(name)


_NO_HEDGE_ASSERTIONS = (
    Edit(_PM + "_place", "0 < qty <= pair.uncovered", "True"),
    Edit(_PM + "_check_invariants", "pair.excess or not pair.over_covered", "True"),
)

MUTATIONS: tuple[Mutation, ...] = (
    # --- the window
    Mutation(
        "bucket",
        "The window is a bucket that is full again at each whole second.",
        (
            Edit(
                "actors.domain.window:SlidingWindow._forget",
                "at + self.span_ns > now",
                "at // self.span_ns == now // self.span_ns",
            ),
        ),
        "WINDOW",
    ),
    Mutation(
        "short-window",
        "The window is nine tenths of a second long.",
        (
            Edit(
                "actors.domain.window:SlidingWindow.__init__",
                "self.span_ns = span_ns",
                "self.span_ns = Nanos(span_ns * 9 // 10)",
            ),
        ),
        "WINDOW",
    ),
    Mutation(
        "on-the-reserve",
        "An entry may take the last free place.",
        (
            Edit(
                _THROTTLER + "_answer_entry",
                "self._free(now) < self._settings.min_free_for_entry:",
                "self._free(now) < 1:",
            ),
            Edit(_THROTTLER + "_answer_entry", "assert self._free(now) >= self._settings.reserve", "pass"),
            Edit(_GUARD + "_wanted", "self._reserve if is_entry else 0", "0"),
        ),
        "RESERVE",
    ),
    Mutation(
        "no-last-guard",
        "The Gateway lets through whatever comes, as a Throttler that was started again grants what it cannot know.",
        (Edit(_GUARD + "may_send", "self._window.free(now) >= self._wanted(held)", "True"),),
        "RESERVE",
        "actors",
        seed=2,
    ),
    Mutation(
        "hedges-like-entries",
        "A hedge or cancel waits for as many free places as an entry does.",
        (Edit(_THROTTLER + "_advance", "self._free(now.mono) > 0", "self._free(now.mono) > 3"),),
        "UNHEDGED TIME",
    ),
    # --- what filled
    Mutation(
        "ordered-quantity",
        "What is hedged is the ordered quantity, not the filled one.",
        (
            Edit(_PM + "_place_post", "Shares(pair.uncovered)", "pair.plan.qty"),
            *_NO_HEDGE_ASSERTIONS,
        ),
        "NO DOUBLE HEDGE",
        "splits",
    ),
    Mutation(
        "clear-is-a-fill",
        "The event with which an order leaves the book is counted as the fill of its remainder.",
        (
            Edit(
                _REPORTS + "_of_order",
                "self._end(order, report, Shares(report.cum_qty), now)",
                'self._flow.filled(order, "C", order.command.price, order.leaves_qty, report.at, now, report) '
                "if order.leaves_qty else None",
            ),
        ),
        "TRUE ENDS",
        "ends",
        seed=3,
    ),
    Mutation(
        "cumulative-as-single",
        "The running total of an order's fills (FID 911) is booked as the quantity of one fill.",
        (Edit(_REPORTS + "_fill", "Shares(report.fill_qty - known)", "Shares(report.cum_qty - known)"),),
        "TRUE ENDS",
        "splits",
    ),
    Mutation(
        "repeats-counted",
        "A fill that is reported twice is booked twice.",
        (
            Edit(_REPORTS + "_fill", "if exec_id in order.exec_ids:", "if False:"),
            Edit(_PAIR + "PairLedger.knows", "(fill.cl_ord_id, fill.exec_id) in self._seen", "False"),
        ),
        "TRUE ENDS",
        "reports",
        seed=3,
    ),
    Mutation(
        "first-fill-only",
        "Only the first fill of an order is booked by its pair.",
        (
            Edit(
                _PM + "_book_event",
                "if not pair.ledger.knows(event):",
                "if not pair.ledger.knows(event) and event.cum_qty == event.fill_qty:",
            ),
        ),
        "PAIR ENDS",
        "splits",
    ),
    Mutation(
        "not-absorbed",
        "A fill that a query told of is booked again when its own report comes.",
        (Edit("actors.domain.order_reports:_known_by_query", "return Shares(", "return Shares(0 * "),),
        "TRUE ENDS",
        "reports",
    ),
    # --- doubt
    Mutation(
        "timed-out-forgotten",
        "An order without a number after 200 ms is taken for lost.",
        (Edit(_PM + "_doubt_number", "order.doubt(ask_at=self._at)", "order.release_rest()"),),
        "UNHEDGED TIME",
        "numbers",
        seed=3,
    ),
    Mutation(
        "second-hedge",
        "A second hedge goes out while the first is in doubt.",
        (
            Edit(_HAND + "covered", "if order.command.side", "if not order.doubted and order.command.side"),
            Edit(_PM + "_trigger_of_proof", "if not pair.hedges:", "if all(order.doubted for order in pair.hedges):"),
            *_NO_HEDGE_ASSERTIONS,
            Edit(_PM + "_place_take", "all(order.takes for order in pair.hedges)", "True"),
        ),
        "NO DOUBLE HEDGE",
        "tangle",
    ),
    Mutation(
        "cancel-accepted-is-ended",
        "The acceptance of a cancel is taken for the end of its order.",
        (
            Edit(
                _REPORTS + "_of_cancel",
                "            pass\n",
                "            self._end(cancel.target, report, cancel.target.cum_qty, now)\n",
            ),
        ),
        "TRUE ENDS",
        "cancels",
    ),
    Mutation(
        "anyone's-order",
        "An order like ours is taken for ours, whoever gave it.",
        (
            Edit("actors.domain.doubt:numbers_like", "and not is_taken(row.order_no)", ""),
            Edit("actors.domain.own_orders:OwnOrders.match", "and report.screen_no == order.screen_no", ""),
        ),
        "TRUE ENDS",
        "twins",
    ),
    # --- the ladder
    Mutation(
        "t-hedge-never",
        "A hedge that does not fill rests until the end of the day.",
        (
            Edit(
                _PM + "_post_expired",
                "now.mono >= opened_at + pair.plan.t_hedge_ns or",
                "",
            ),
            Edit(
                _PM + "_deadlines",
                "Nanos(min(pair.ledger.opened_at + pair.plan.t_hedge_ns, pair.flat_by))",
                "pair.flat_by",
            ),
        ),
        "UNHEDGED TIME",
        "none",
    ),
    Mutation(
        "t-hedge-late",
        "t_hedge is twice as long as it was set.",
        (
            Edit(_PM + "_post_expired", "pair.plan.t_hedge_ns", "2 * pair.plan.t_hedge_ns"),
            Edit(_PM + "_deadlines", "pair.plan.t_hedge_ns", "2 * pair.plan.t_hedge_ns"),
        ),
        "PROMPT",
        "none",
    ),
    Mutation(
        "other-venue's-cancel",
        "A cancel has the other venue's order type.",
        (Edit(_COMMANDS + "_send_cancel", "target.venue, target.side", "target.venue.other, target.side"),),
        "RIGHT VENUE",
        "none",
    ),
    Mutation(
        "another's-cancel",
        "A cancel names the oldest open order, whoever it belongs to.",
        (
            Edit(
                _COMMANDS + "cancel",
                "target = self._orders.order(command.target)",
                "target = next(self._orders.open_orders(), None)",
            ),
        ),
        "RIGHT VENUE",
    ),
    Mutation(
        "wrong-side",
        "A hedge is sent with the order type of the other side.",
        (
            Edit(
                _COMMANDS + "_send_order",
                "new_order_type(command.venue, command.side)",
                'new_order_type(command.venue, command.side if command.leg == "A" else command.side.opposite)',
            ),
        ),
        "ATTEMPT-FIRST",
        "none",
    ),
    Mutation(
        "rejected-hedge-kept",
        "A rejected hedge is taken for one that still rests.",
        (
            Edit(
                _PM + "_rejected",
                "self._turned_down(pair, order, again=event.overload)",
                'self._turned_down(pair, order, again=event.overload) if order.command.leg == "A" else None',
            ),
        ),
        "PROMPT",
        "rejects",
    ),
    Mutation(
        "market-without-bound",
        "Market hedges are sent again and again, without a pause or an end.",
        (
            Edit(_PM + "_trigger_of_take", "pair.attempts >= pair.plan.max_hedge_attempts", "False"),
            Edit(_PM + "_may_take", "pair.attempts >= pair.plan.max_hedge_attempts", "False"),
            Edit(_PM + "_trigger_of_proof", "pair.attempts < pair.plan.max_hedge_attempts", "True"),
            Edit(_PM + "_failed_in_part", "pair.not_before = self._later(self._settings.retry_ns)", "pass"),
        ),
        "BOUNDED",
        "halts",
        seed=3,
    ),
    Mutation(
        "price-off-tick",
        "An IOC hedge is priced a won beside the tick.",
        (
            Edit(
                _PM + "_place_take",
                "kind, leg = OrderKind.HEDGE_IOC, Leg(venue, side, OrderStyle.LIMIT_IOC, price)",
                "kind, leg = OrderKind.HEDGE_IOC, Leg(venue, side, OrderStyle.LIMIT_IOC, Won(price + 1))",
            ),
            Edit(_REFUSALS + "_bad_price", "not is_on_tick(order.price)", "False"),
        ),
        "LEGAL",
        "none",
    ),
    Mutation(
        "beyond-limits",
        "An IOC hedge is priced far beyond the day's limits.",
        (
            Edit(
                _PM + "_place_take",
                "ticks=pair.plan.hedge_ioc_ticks, limits=(pair.plan.lower_limit, pair.plan.upper_limit)",
                "ticks=2_000, limits=(Won(0), Won(0))",
            ),
            Edit(_REFUSALS + "_bad_price", '"" if lower <= order.price <= upper else', '"" if True else'),
        ),
        "LEGAL",
        "none",
    ),
    # --- the journal and restarts
    Mutation(
        "not-journalled",
        "An order is sent without a row.",
        (
            Edit(
                _COMMANDS + "_send_order",
                "self._out.record(order_row(EventType.ORDER_SEND_ATTEMPT, now, order))",
                "pass",
            ),
        ),
        "ATTEMPT-FIRST",
        "none",
    ),
    Mutation(
        "journalled-after",
        "Rows are committed after the calls that they stand for.",
        (
            Edit(
                "actors.gateway:Gateway.perform",
                "    if news:\n        self._journal.commit()\n    for effect in news:",
                "    for effect in news:",
            ),
            Edit(
                "actors.gateway:Gateway.perform",
                "            self.post(effect)\n",
                "            self.post(effect)\n    if news:\n        self._journal.commit()\n",
            ),
        ),
        "ATTEMPT-FIRST",
        "none",
    ),
    Mutation(
        "hedged-again",
        "A manager that was given its pair back has forgotten its predecessor's hedges.",
        (
            Edit(
                "actors.domain.pair_restore:_never_sent",
                "return standing.turned_down and not sent and standing.command.leg == HEDGE_LEG",
                "return standing.command.leg == HEDGE_LEG",
            ),
        ),
        "NO DOUBLE HEDGE",
        "deaths",
        seed=3,
    ),
    Mutation(
        "no-fence",
        "What a failed manager had decided is sent although its successor goes on with the pair.",
        (Edit(_COMMANDS + "_outdated", "command.generation >= generation", "True"),),
        "NO DOUBLE HEDGE",
        "actors",
        seed=133,
    ),
    Mutation(
        "duplicates-executed",
        "A command that comes a second time is executed a second time.",
        (
            Edit(_COMMANDS + "_is_repeat", "if first is None:", "if True:"),
            Edit("actors.domain.own_orders:OwnOrders.add", "assert tracked.cl_ord_id not in self._by_id", "pass"),
        ),
        "ONCE",
        "deaths",
        seed=2,
    ),
    Mutation(
        "unlisted",
        "A pair that ends unhedged is not listed.",
        (Edit(_PM + "_finish", "if row is not None:", "if row is not None and pair.state is not S.UNHEDGED:"),),
        "PAIR ENDS",
        "halts",
        seed=3,
    ),
    Mutation(
        "end-not-told",
        "The Router never hears that a pair ended, and its slot stays taken.",
        (Edit(_PM + "_finish", "self._out.append(Send(Role.ROUTER, pair.result))", "pass"),),
        "ROOM",
        "none",
    ),
    # --- the account
    Mutation(
        "no-cover",
        "Nobody looks whether a sale is covered.",
        (
            Edit("actors.domain.risk:sale_is_covered", "at.free_shares >= at.qty", "True"),
            Edit("actors.domain.legs:first_side", "Side.SELL if free_shares >= slice_qty else Side.BUY", "Side.SELL"),
            Edit(_REFUSALS + "_uncovered_sale", "order.qty > seen.free_to_sell", "False"),
        ),
        "COVERED",
        "foreign",
        seed=3,
    ),
    Mutation(
        "positions-ignored",
        "What the broker says of our positions during the day is ignored.",
        (
            Edit(_ROUTER + "_take", "if self._books.read_position(message):", "if False:"),
            Edit(
                _GATEWAY + "_balance",
                "self._holdings.reported(event.symbol, event.held, event.sellable, live, event.at)",
                "pass",
            ),
        ),
        "COVERED",
        "foreign",
        seed=2,
        sets=("execution.slice_qty=5", "router.entry_leg=sell_rich", "paper.base_quantity=9"),
    ),
    Mutation(
        "cash-ignored",
        "Cash that live pairs may spend is not claimed, and nobody looks whether a purchase is paid for.",
        (Edit("actors.domain.risk:purchase_is_paid_for", "at.cash_needed <= at.free_cash", "True"),),
        "COVERED",
        sets=("execution.slice_qty=5", "router.entry_leg=buy_cheap", "paper.cash_krw=1500000"),
    ),
    Mutation(
        "no-tax",
        "The tax on sales is not counted.",
        (
            Edit(
                _PAIR + "PairLedger._book_costs",
                "self.tax += costs.tax.book(qty, fill.tax_cum_won, covers, tax)",
                "pass",
            ),
        ),
        "MONEY",
        "none",
    ),
    Mutation(
        "truncated-per-fill",
        "Fees and tax are truncated for each fill, not for each order.",
        (
            Edit("kiwoom.fees:CostBook.book", "self._model.rounding is Rounding.FILL", "True"),
            Edit(_PAIR + "_OrderCost.book", "reported is not None and", "False and"),
        ),
        "MONEY",
        "splits",
    ),
    # --- when
    Mutation(
        "after-the-guard",
        "Entries go on after 15:19:50.",
        (
            Edit(
                "actors.cores.session_state:SessionStateCore._review", "time_ns < self._settings.guard_end_ns,", "True,"
            ),
            Edit(
                _ROUTER + "_gate",
                "now.wall < trading.entries_until_wall\n"
                "        and now.wall + self._settings.entry_ladder_ns <= trading.closing_wall",
                "True",
            ),
            Edit(
                "actors.domain.trading_hours:TradingHours.session_off",
                "if not self._guard.contain(wall) or wall >= self._state.entries_until_wall:",
                "if False:",
            ),
        ),
        "WINDOW OF THE DAY",
        "none",
        seed=5,
    ),
    Mutation(
        "while-disarmed",
        "Entries go on while trading is disarmed.",
        (
            Edit(_ROUTER + "_gate", "trading.armed and not self._stopped", "True"),
            Edit("actors.domain.trading_hours:TradingHours.session_off", "if not self._state.armed:", "if False:"),
            Edit(
                "actors.cores.spread_engine:SpreadEngineCore._evaluate",
                "if not self._armed or self._all_blocked",
                "if self._all_blocked",
            ),
        ),
        "WINDOW OF THE DAY",
    ),
    Mutation(
        "halts-ignored",
        "Orders are sent to a venue on which their symbol is halted or in VI.",
        (
            Edit(
                "actors.domain.book:VenueBook.refresh", "and not self._halted and self._flags & FLAG_AUCTION == 0", ""
            ),
            Edit(_REFUSALS + "_halted", "return seen.halted", 'return ""'),
        ),
        "LEGAL",
        "halts",
        seed=2,
    ),
    # --- the edge
    Mutation(
        "buys-at-bid",
        "A buying entry is priced at the bid.",
        (
            Edit(
                "actors.domain.legs:quote",
                "return signal.buy_venue, signal.buy_ask",
                "return signal.buy_venue, signal.bids[VENUE_INDEX[signal.buy_venue]]",
            ),
        ),
        "EDGE",
        "none",
    ),
    Mutation(
        "edge-without-tax",
        "The edge leaves the tax out.",
        (Edit("actors.domain.edge:_candidate", "- sell_cost_nwon - tax_nwon,", "- sell_cost_nwon,"),),
        "EDGE",
        "none",
    ),
    Mutation(
        "edge-below-buffer",
        "The edge need not reach the buffer.",
        (Edit("actors.domain.edge:Edge.is_wide_enough", "self.net_nwon >= self.buffer_nwon", "self.net_nwon >= 0"),),
        "EDGE",
        "none",
    ),
    Mutation(
        "slice-not-visible",
        "A signal needs no visible size.",
        (
            Edit(
                "actors.cores.spread_engine:SpreadEngineCore._fault",
                "min(edge.buy_size, edge.sell_size) < self._size_min",
                "False",
            ),
        ),
        "EDGE",
        "none",
    ),
)
