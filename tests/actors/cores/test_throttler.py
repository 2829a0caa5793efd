"""Throttler: never more than five calls in a second, a reserve for the urgent, entries last."""

from collections.abc import Callable
from dataclasses import replace
from heapq import heappop, heappush
from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.cores.throttler import ThrottlerCore, ThrottleSettings
from actors.effects import Effect, Role, Send
from actors.messages.journal import EventType
from actors.messages.orders import CancelOrder, OrderKind, OrderStyle, PlaceOrder, QueryOrder
from actors.messages.session import Phase, TradingState
from actors.messages.supervision import ResendState
from actors.messages.throttle import (
    EntriesPaused,
    EntryDenied,
    EntryGranted,
    EntryLent,
    QueryGranted,
    RecentSends,
    RequestEntry,
    RequestQuery,
    ReturnEntry,
    SlotFreed,
    SlotUsed,
    WindowCounted,
)
from kiwoom.market import MS, SECOND, Nanos, Now, Shares, Side, Symbol, Venue, WallNanos, Won
from tests.support.playbook import TEN_O_CLOCK, Playbook

SETTINGS = ThrottleSettings()
SPAN = SETTINGS.window_ns + SETTINGS.margin_ns
HEDGES = (OrderKind.HEDGE, OrderKind.HEDGE_IOC, OrderKind.HEDGE_MARKET, OrderKind.FLATTEN)


def hedge(name: str, kind: OrderKind = OrderKind.HEDGE) -> PlaceOrder:
    return PlaceOrder(
        name, "p1", 0, kind, "B", Symbol("005930"), 0, Venue.NXT, Side.BUY, Shares(1), OrderStyle.LIMIT, Won(70_000)
    )


def cancel(name: str) -> CancelOrder:
    return CancelOrder(name, "target", "p1", 0, Symbol("005930"))


def query(name: str) -> QueryOrder:
    return QueryOrder(name, "p1", 0, Symbol("005930"))


def used(grant_id: int | None, at: int) -> SlotUsed:
    return SlotUsed(grant_id, OrderKind.HEDGE, Nanos(at), Nanos(at), overload=False)


def trading(armed: bool) -> TradingState:
    phases = (Phase.RUNNING, Phase.RUNNING)
    return TradingState(armed, "", WallNanos(TEN_O_CLOCK), WallNanos(TEN_O_CLOCK), phases, True)


def answers(playbook: Playbook) -> list[Any]:
    """What was said since the last look, without the figures for Telemetry."""
    return [send.message for send in playbook.take_sends() if send.to is not Role.TELEMETRY]


def ask(playbook: Playbook, message: object) -> Any:
    (answer,) = answers(playbook.hears(message))
    return answer


def busy(sends: int, **changes: Any) -> Playbook:
    """A throttler that knows of `sends` calls made at time 0."""
    playbook = Playbook(ThrottlerCore(replace(SETTINGS, **changes)))
    playbook.hears(RecentSends((Nanos(0),) * sends))
    playbook.take_sends()
    return playbook


# --- entries ---


def test_a_grant_lasts_for_its_time_to_live() -> None:
    granted = ask(busy(0), RequestEntry("p1"))
    assert granted == EntryGranted("p1", granted.grant_id, Nanos(SETTINGS.grant_ttl_ns))


@pytest.mark.parametrize("sends", range(6))
def test_an_entry_needs_four_free_slots(sends: int) -> None:
    answer = ask(busy(sends), RequestEntry("p1"))
    if sends <= 1:
        assert isinstance(answer, EntryGranted)
    else:
        assert answer == EntryDenied("p1", "THROTTLE_WINDOW", Nanos(SPAN))


def test_a_denial_tells_the_time_at_which_the_same_request_is_granted() -> None:
    playbook = Playbook(ThrottlerCore(SETTINGS)).hears(RecentSends((Nanos(0), Nanos(30 * MS), Nanos(60 * MS))))
    playbook.take_sends()
    playbook.waits(100 * MS)
    denied = ask(playbook, RequestEntry("p1"))
    assert denied.retry_at == 30 * MS + SPAN
    playbook.waits(denied.retry_at - playbook.mono - 1)
    playbook.take_sends()
    assert isinstance(ask(playbook, RequestEntry("p1")), EntryDenied)
    playbook.waits(1)
    playbook.take_sends()
    assert isinstance(ask(playbook, RequestEntry("p1")), EntryGranted)


@pytest.mark.parametrize("give_back", [ReturnEntry, SlotFreed])
def test_a_slot_given_back_is_free_at_once(give_back: Callable[[int], object]) -> None:
    playbook = busy(1)
    granted = ask(playbook, RequestEntry("p1"))
    assert isinstance(ask(playbook, RequestEntry("p2")), EntryDenied)
    playbook.hears(give_back(granted.grant_id)).take_sends()
    assert isinstance(ask(playbook, RequestEntry("p3")), EntryGranted)


def test_a_silent_grant_comes_back_when_no_report_of_it_can_be_under_way() -> None:
    playbook = busy(0)
    ask(playbook, RequestEntry("p1"))
    ask(playbook, RequestEntry("p2"))
    playbook.waits(SETTINGS.grant_ttl_ns + SETTINGS.margin_ns - 1).take_sends()
    assert isinstance(ask(playbook, RequestEntry("p3")), EntryDenied)
    playbook.waits(1).take_sends()
    assert isinstance(ask(playbook, RequestEntry("p3")), EntryGranted)


def test_a_used_grant_counts_until_a_window_and_a_margin_after_its_call_returned() -> None:
    playbook = busy(1)
    granted = ask(playbook, RequestEntry("p1"))
    playbook.waits(80 * MS).hears(used(granted.grant_id, 80 * MS)).take_sends()
    playbook.waits(SPAN - 80 * MS).take_sends()
    assert playbook.core._used(Nanos(playbook.mono)) == 1
    playbook.waits(80 * MS)
    assert playbook.core._used(Nanos(playbook.mono)) == 0


def test_a_report_that_comes_after_the_grant_was_given_up_is_still_counted() -> None:
    playbook = busy(0)
    granted = ask(playbook, RequestEntry("p1"))
    playbook.waits(500 * MS).hears(used(granted.grant_id, 90 * MS)).take_sends()
    assert playbook.core._used(Nanos(playbook.mono)) == 1


def test_a_call_that_nobody_asked_for_is_counted() -> None:
    playbook = busy(1).hears(used(None, 0))
    playbook.take_sends()
    assert isinstance(ask(playbook, RequestEntry("p1")), EntryDenied)


def test_grant_numbers_do_not_repeat_those_of_a_predecessor() -> None:
    first = busy(0)
    old = ask(first, RequestEntry("p1"))
    successor = Playbook(ThrottlerCore(SETTINGS), mono=200 * MS)
    assert ask(successor, RequestEntry("p2")).grant_id > old.grant_id


# --- urgent commands ---


@pytest.mark.parametrize("kind", HEDGES)
def test_a_hedge_may_use_the_last_slot_and_leaves_with_its_grant(kind: OrderKind) -> None:
    passed = ask(busy(4), hedge("h1", kind))
    assert passed == replace(hedge("h1", kind), grant_id=passed.grant_id)
    assert passed.grant_id is not None


def test_an_entry_is_never_passed_on() -> None:
    with pytest.raises(AssertionError):
        busy(0).hears(hedge("e1", OrderKind.ENTRY))


def test_a_cancel_behind_sixty_entries_leaves_at_once() -> None:
    playbook = busy(0)
    for index in range(60):
        playbook.hears(RequestEntry(f"p{index}"))
    granted = [answer for answer in answers(playbook) if isinstance(answer, EntryGranted)]
    assert len(granted) == 2
    assert isinstance(ask(playbook, cancel("c1")), CancelOrder)


def test_cancels_go_before_hedges_and_each_in_order_of_arrival() -> None:
    playbook = busy(5)
    for command in (hedge("h1"), cancel("c1"), hedge("h2", OrderKind.FLATTEN), cancel("c2")):
        playbook.hears(command)
    assert answers(playbook) == []
    playbook.waits(SPAN)
    assert [command.cl_ord_id for command in answers(playbook)] == ["c1", "c2", "h1", "h2"]


def test_while_something_urgent_waits_no_entry_is_granted() -> None:
    playbook = busy(5).hears(hedge("h1"))
    denied = ask(playbook, RequestEntry("p1"))
    assert denied == EntryDenied("p1", "THROTTLE_URGENT_FIRST", Nanos(SPAN))


def test_a_passed_command_holds_its_slot_until_it_is_heard_of_or_a_window_has_passed() -> None:
    playbook = busy(0)
    passed = ask(playbook, hedge("h1"))
    playbook.waits(SPAN - 1)
    assert playbook.core._used(Nanos(playbook.mono)) == 1
    playbook.waits(1)
    assert playbook.core._used(Nanos(playbook.mono)) == 0
    playbook.hears(used(passed.grant_id, playbook.mono)).take_sends()
    assert playbook.core._used(Nanos(playbook.mono)) == 1


def test_a_command_that_finds_its_queue_full_is_passed_on_without_a_grant() -> None:
    playbook = busy(5, queue_max=1).hears(hedge("h1")).hears(cancel("c1")).hears(query("q0"))
    playbook.take_sends()
    assert ask(playbook, hedge("h2")) == hedge("h2")
    assert ask(playbook, cancel("c2")) == cancel("c2")
    for index in range(SETTINGS.queries_max):
        playbook.hears(query(f"q{index}"))
    playbook.take_sends()
    assert ask(playbook, query("q9")) == query("q9")


# --- queries ---


def test_queries_have_their_own_window() -> None:
    playbook = busy(5)
    for index in range(6):
        playbook.hears(query(f"q{index}"))
    assert [passed.cl_ord_id for passed in answers(playbook)] == ["q0", "q1", "q2", "q3", "q4"]
    playbook.waits(SPAN)
    (last,) = answers(playbook)
    assert last == replace(query("q5"), grant_id=last.grant_id)


def test_urgent_queries_overtake_the_others() -> None:
    playbook = busy(0)
    for index in range(6):
        playbook.hears(RequestQuery(f"boot{index}", urgent=False))
    playbook.hears(RequestQuery("doubt", urgent=True)).take_sends()
    playbook.waits(SPAN)
    assert answers(playbook) == [QueryGranted("doubt"), QueryGranted("boot5")]


def test_while_armed_only_urgent_queries_pass() -> None:
    playbook = busy(0).hears(trading(armed=True))
    playbook.take_sends()
    assert answers(playbook.hears(RequestQuery("boot", urgent=False))) == []
    assert ask(playbook, RequestQuery("doubt", urgent=True)) == QueryGranted("doubt")
    assert ask(playbook, trading(armed=False)) == QueryGranted("boot")


def test_a_query_asked_twice_while_it_waits_is_granted_once() -> None:
    playbook = busy(0).hears(trading(armed=True))
    for _ in range(3):
        playbook.hears(RequestQuery("boot", urgent=False))
    playbook.take_sends()
    assert ask(playbook, trading(armed=False)) == QueryGranted("boot")


def test_boot_queries_keep_the_longer_windows_too_and_doubt_queries_do_not() -> None:
    playbook = busy(0, boot_query_windows=((2, 18 * SECOND),))
    for index in range(3):
        playbook.hears(RequestQuery(f"boot{index}", urgent=False))
    assert answers(playbook) == [QueryGranted("boot0"), QueryGranted("boot1")]
    assert ask(playbook, RequestQuery("doubt", urgent=True)) == QueryGranted("doubt")
    playbook.waits(18 * SECOND)
    assert answers(playbook) == []
    playbook.waits(SETTINGS.margin_ns)
    assert answers(playbook) == [QueryGranted("boot2")]


# --- auto-pause ---


def test_a_successor_tells_that_no_pause_of_its_predecessor_holds() -> None:
    playbook = Playbook(ThrottlerCore(SETTINGS)).hears(RecentSends((Nanos(0),) * 5))
    assert answers(playbook) == [EntriesPaused(False, Nanos(0))]


def send_every(playbook: Playbook, gap_ns: int, until_ns: int) -> None:
    while playbook.mono + gap_ns <= until_ns:
        playbook.waits(gap_ns)
        playbook.hears(used(None, playbook.mono))


def test_entries_pause_after_five_seconds_at_four_a_second_without_a_message() -> None:
    playbook = busy(0)
    send_every(playbook, 250 * MS, 5_500 * MS)  # busy from the fourth call at 1,000 ms on
    playbook.hears(used(None, playbook.mono)).hears(used(None, playbook.mono))  # and so until 6,250 ms
    assert EntriesPaused not in [type(answer) for answer in answers(playbook)]
    playbook.waits(600 * MS)
    assert answers(playbook) == [EntriesPaused(True, Nanos(6_000 * MS))]
    assert playbook.take_rows()[0].event_type is EventType.AUTO_PAUSE_ON


def test_entries_go_on_when_fewer_than_three_are_in_the_second() -> None:
    playbook = busy(0)
    send_every(playbook, 250 * MS, 6_000 * MS)
    answers(playbook)
    assert isinstance(ask(playbook, RequestEntry("p1")), EntryDenied)
    playbook.waits(2 * SECOND)  # calls at 5,250 5,500 5,750 6,000: two are left from 6,500 on
    assert answers(playbook) == [EntriesPaused(False, Nanos(6_500 * MS))]
    playbook.records(EventType.AUTO_PAUSE_ON, EventType.AUTO_PAUSE_OFF)
    assert isinstance(ask(playbook, RequestEntry("p2")), EntryGranted)


def test_a_paused_entry_is_told_when_the_pause_ends() -> None:
    playbook = busy(0)
    send_every(playbook, 250 * MS, 6_000 * MS)
    answers(playbook)
    assert ask(playbook, RequestEntry("p1")) == EntryDenied("p1", "AUTO_PAUSE", Nanos(6_500 * MS))
    playbook.waits(SETTINGS.margin_ns).take_sends()
    assert isinstance(ask(playbook, cancel("c1")), CancelOrder)


def test_a_break_of_one_nanosecond_starts_the_five_seconds_anew() -> None:
    playbook = busy(0)
    send_every(playbook, 250 * MS, 4_000 * MS)
    playbook.waits(250 * MS + 1)
    playbook.hears(used(None, playbook.mono))
    send_every(playbook, 250 * MS, 9_750 * MS + 1)  # busy anew from 5,000 ms and one nanosecond on
    assert [type(answer) for answer in answers(playbook)].count(EntriesPaused) == 0
    playbook.waits(250 * MS)
    assert [type(answer) for answer in answers(playbook)] == [EntriesPaused]


def test_auto_pause_can_be_switched_off() -> None:
    playbook = busy(0, autopause_enabled=False)
    send_every(playbook, 250 * MS, 8_000 * MS)
    assert answers(playbook) == []


def test_the_time_spent_busy_is_counted() -> None:
    playbook = busy(0)
    send_every(playbook, 250 * MS, 3_000 * MS)  # busy from 1,000 ms until 3,250 ms
    playbook.waits(5 * SECOND)
    (*_, last) = (send.message for send in playbook.take_sends() if send.to is Role.TELEMETRY)
    assert last.ns_at_80pct == 2_250 * MS


# --- figures ---


def test_figures_are_told_on_change_and_at_most_four_times_a_second() -> None:
    playbook = Playbook(ThrottlerCore(SETTINGS))
    told: list[int] = []
    for _ in range(200):
        playbook.waits(10 * MS).hears(RequestEntry("p"))
        told += [playbook.mono for send in playbook.take_sends() if send.to is Role.TELEMETRY]
    assert all(later - earlier >= 250 * MS for earlier, later in pairwise(told))
    playbook.waits(3 * SECOND).take_sends()
    playbook.waits(10 * SECOND).says()
    assert playbook.core.next_deadline() is None


def test_figures_show_the_window_as_it_stands() -> None:
    playbook = busy(3)
    playbook.hears(hedge("h1")).take_sends()
    playbook.waits(300 * MS)
    (shown,) = (send.message for send in playbook.take_sends())
    assert shown == WindowCounted(4, 1, 5, 4, 0, 0, 0, False, Nanos(0), None)


# --- lending ahead ---


def lent(playbook: Playbook) -> list[EntryLent]:
    return [send.message for send in playbook.take_sends() if isinstance(send.message, EntryLent)]


def lender() -> Playbook:
    return Playbook(ThrottlerCore(replace(SETTINGS, lend_ahead=True)))


def test_a_slot_is_lent_once_armed_and_renewed_under_its_number() -> None:
    playbook = lender()
    assert lent(playbook.waits(SECOND)) == []
    (first,) = lent(playbook.hears(trading(armed=True)))
    assert first.expires == playbook.mono + SETTINGS.grant_ttl_ns
    (renewed,) = lent(playbook.waits(SETTINGS.grant_ttl_ns // 2))
    assert renewed == EntryLent(first.grant_id, Nanos(playbook.mono + SETTINGS.grant_ttl_ns))


def test_a_disarmed_throttler_lets_the_loan_run_out() -> None:
    playbook = lender().hears(trading(armed=True)).hears(trading(armed=False))
    playbook.take_sends()
    assert lent(playbook.waits(SECOND)) == []
    assert playbook.core._held == {}


@pytest.mark.parametrize(("sends", "lends"), [(0, True), (1, True), (2, False), (5, False)])
def test_a_slot_is_lent_only_while_an_entry_would_be_granted(sends: int, lends: bool) -> None:
    playbook = busy(sends, lend_ahead=True).hears(trading(armed=True))
    assert bool(lent(playbook)) is lends


def test_a_loan_that_was_used_is_followed_by_a_new_one_when_the_window_allows() -> None:
    playbook = lender()
    (first,) = lent(playbook.hears(trading(armed=True)))
    (second,) = lent(playbook.hears(SlotUsed(first.grant_id, OrderKind.ENTRY, Nanos(0), Nanos(0), overload=False)))
    assert second.grant_id > first.grant_id
    assert lent(playbook.hears(SlotUsed(second.grant_id, OrderKind.ENTRY, Nanos(0), Nanos(0), overload=False))) == []


def test_while_a_hedge_waits_nothing_is_lent() -> None:
    playbook = busy(5, lend_ahead=True).hears(trading(armed=True)).hears(hedge("h1"))
    assert lent(playbook) == []


# --- whatever happens ---

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["entry", "cancel", "hedge", "return"]),
        st.integers(0, 400),  # ms since the step before
        st.integers(0, 49),  # ms from grant to call
        st.integers(0, 49),  # ms from call to its report
    ),
    max_size=80,
)


class GatewayModel:
    """Calls at any time while a grant holds, reports late, returns some; keeps when each call was made."""

    def __init__(self, lends: bool = False) -> None:
        self.core = ThrottlerCore(replace(SETTINGS, lend_ahead=lends))
        self.loan: EntryLent | None = None
        self.loan_used = 0
        self.now = 0
        self.sent: list[int] = []
        self.waits_ns: list[int] = []
        self.asked: dict[str, int] = {}
        self._agenda: list[tuple[int, int, object]] = []
        self._numbers = count()

    def step(self, index: int, what: str, gap: int, delay: int, lateness: int) -> None:
        self.run_until(self.now + gap * MS)
        self.delay_ns, self.lateness_ns, self.returns = delay * MS, lateness * MS, what == "return"
        name = f"{what}{index}"
        if what in ("cancel", "hedge"):
            self.asked[name] = self.now
        if what == "entry" and self.loan is not None and self.now < self.loan.expires:
            self._use_loan(self.loan)
            return
        message: Any = {"cancel": cancel, "hedge": hedge}.get(what, RequestEntry)(name)
        self._hear(message)

    def _use_loan(self, loan: EntryLent) -> None:
        """As Router, PairManager and Gateway do: no asking, the call before the loan's end or never."""
        self.loan, self.loan_used = None, loan.grant_id
        if self.now + self.delay_ns < loan.expires:
            self._plan(self.delay_ns, loan.grant_id)

    def run_until(self, end: int) -> None:
        while True:
            deadline = self.core.next_deadline()
            agenda = self._agenda[0][0] if self._agenda else None
            due = [time for time in (deadline, agenda) if time is not None and time <= end]
            if not due:
                break
            self.now = max(self.now, min(due))
            if agenda is not None and agenda <= self.now:
                self._do(heappop(self._agenda)[2])
            else:
                self._perform(self.core.on_deadline(self._clock()))
        self.now = end

    def _clock(self) -> Now:
        return Now(Nanos(self.now), WallNanos(self.now))

    def _do(self, what: object) -> None:
        if isinstance(what, int):
            self.sent.append(self.now)
            self._plan(self.lateness_ns, used(what, self.now))
        else:
            self._hear(what)

    def _hear(self, message: Any) -> None:
        self._perform(self.core.handle(message, self._clock()))

    def _plan(self, after_ns: int, what: object) -> None:
        heappush(self._agenda, (self.now + after_ns, next(self._numbers), what))

    def _perform(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            if not isinstance(effect, Send):
                continue
            match effect.message:
                case EntryLent():
                    self.loan = effect.message if effect.message.grant_id != self.loan_used else self.loan
                case EntryGranted(grant_id=grant_id):
                    assert self.core._free(Nanos(self.now)) >= SETTINGS.reserve
                    if self.returns:
                        self._plan(self.delay_ns, ReturnEntry(grant_id))
                    else:
                        self._plan(self.delay_ns * 2, grant_id)
                case PlaceOrder(grant_id=grant_id, cl_ord_id=name) | CancelOrder(grant_id=grant_id, cl_ord_id=name):
                    self.waits_ns.append(self.now - self.asked.pop(name))
                    self._plan(self.delay_ns, grant_id)
                case _:
                    pass


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_no_second_ever_sees_more_than_five_calls_and_nothing_urgent_is_lost(steps: list[Any]) -> None:
    gateway = GatewayModel()
    for index, step in enumerate(steps):
        gateway.step(index, *step)
    gateway.run_until(gateway.now + 60 * SECOND)
    for first, sixth in zip(gateway.sent, gateway.sent[SETTINGS.orders_max :], strict=False):
        assert sixth - first >= SECOND
    assert gateway.asked == {}


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_lending_ahead_keeps_the_window_too(steps: list[Any]) -> None:
    gateway = GatewayModel(lends=True)
    gateway._hear(trading(armed=True))
    for index, step in enumerate(steps):
        gateway.step(index, *step)
    gateway._hear(trading(armed=False))
    gateway.run_until(gateway.now + 60 * SECOND)
    for first, sixth in zip(gateway.sent, gateway.sent[SETTINGS.orders_max :], strict=False):
        assert sixth - first >= SECOND
    assert gateway.asked == {}


@settings(max_examples=50, deadline=None)
@given(st.booleans(), st.lists(st.integers(0, 300), max_size=60), st.integers(0, 2_000))
def test_a_hedge_among_entries_never_waits(lends: bool, gaps: list[int], at_ms: int) -> None:
    """Entries leave the reserve alone, so the first two urgent commands of a window find it."""
    gateway = GatewayModel(lends)
    gateway._hear(trading(armed=True))
    for index, gap in enumerate(gaps):
        gateway.step(index, "entry", gap, 20, 20)
    gateway.run_until(gateway.now + at_ms * MS)
    gateway.step(60, "hedge", 0, 1, 1)
    gateway.step(61, "cancel", 0, 1, 1)
    assert gateway.waits_ns == [0, 0]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 1_000), min_size=5, max_size=5))
def test_a_hedge_behind_a_full_window_leaves_with_the_first_slot_that_comes_back(ages_ms: list[int]) -> None:
    sends = sorted(Nanos(age * MS) for age in ages_ms)
    playbook = Playbook(ThrottlerCore(SETTINGS), mono=SECOND)
    playbook.hears(RecentSends(tuple(sends))).take_sends()
    assert answers(playbook.hears(hedge("h1"))) == []
    playbook.waits(sends[0] + SPAN - SECOND)
    assert [command.cl_ord_id for command in answers(playbook)] == ["h1"]


class Crowd(GatewayModel):
    """Entries that never give up: each asks again at the time that its denial names."""

    def _perform(self, effects: tuple[Effect, ...]) -> None:
        super()._perform(effects)
        for effect in effects:
            if isinstance(effect, Send) and isinstance(effect.message, EntryDenied):
                again = RequestEntry(effect.message.pair_id)
                self._plan(max(effect.message.retry_at - self.now, MS), again)


@settings(max_examples=60, deadline=None)
@given(
    st.booleans(),
    st.integers(0, 200),
    st.lists(st.sampled_from(["hedge", "cancel"]), max_size=5),
    st.integers(0, 5_000),
    st.integers(0, 40),
)
def test_sixty_entries_that_want_to_go_never_hold_a_hedge_up(
    lends: bool, gap: int, urgent: list[str], at_ms: int, lateness: int
) -> None:
    """It leaves within 200 ms of its slot: at once, or right after others as urgent that were before it."""
    crowd = Crowd(lends)
    crowd._hear(trading(armed=True))
    for index in range(60):
        crowd.step(index, "entry", gap if index % 10 == 9 else 0, 20, lateness)
    crowd.run_until(crowd.now + at_ms * MS)
    for index, what in enumerate(urgent):
        crowd.step(100 + index, what, 0, 5, lateness)
    now, core = Nanos(crowd.now), crowd.core
    taken = sorted([*core._window.sends(now), *(held.given for held in core._held.values())])
    blocking = len(taken) + len(core._hedges) + len(core._cancels) - SETTINGS.orders_max
    slot_at = now if blocking < 0 else taken[blocking] + SPAN
    crowd.step(200, "hedge", 0, 5, lateness)
    crowd.run_until(crowd.now + 3 * SPAN)
    assert crowd.asked == {}
    assert crowd.waits_ns[-1] <= slot_at - now + 200 * MS
    assert urgent or crowd.waits_ns == [0]


# --- after -308 ---


def overloaded(playbook: Playbook, grant_id: int | None) -> None:
    at = Nanos(playbook.mono)
    playbook.hears(SlotUsed(grant_id, OrderKind.HEDGE, at, at, overload=True))


@pytest.mark.parametrize("command", [hedge("h2"), cancel("c2")])
@pytest.mark.parametrize(
    ("sends", "again_at"),
    [
        (0, SETTINGS.margin_ns),  # the window has room: no sooner than the clocks may differ
        (3, SETTINGS.margin_ns),
        (4, SPAN),  # it has not: with the first slot that comes back
    ],
)
def test_after_an_overload_the_urgent_goes_again_as_soon_as_the_window_allows(
    sends: int, again_at: int, command: PlaceOrder | CancelOrder
) -> None:
    playbook = busy(sends)
    overloaded(playbook, ask(playbook, hedge("h1")).grant_id)
    playbook.hears(command)
    playbook.waits(again_at - 1)
    assert answers(playbook) == []
    playbook.waits(1)
    (passed,) = (answer for answer in answers(playbook) if not isinstance(answer, EntriesPaused))
    assert passed.cl_ord_id == command.cl_ord_id


def test_after_an_overload_no_entry_goes_before_all_that_the_broker_may_count_is_over() -> None:
    playbook = busy(0)
    overloaded(playbook, ask(playbook, hedge("h1")).grant_id)
    assert ask(playbook, RequestEntry("p1")) == EntryDenied("p1", "THROTTLE_OVERLOAD", Nanos(SPAN))
    playbook.waits(SPAN - 1)
    assert isinstance(ask(playbook, RequestEntry("p1")), EntryDenied)
    playbook.waits(1).take_sends()
    assert isinstance(ask(playbook, RequestEntry("p1")), EntryGranted)


def test_after_an_overload_nothing_is_lent() -> None:
    playbook = lender()
    (first,) = lent(playbook.hears(trading(armed=True)))
    overloaded(playbook, first.grant_id)
    assert lent(playbook.waits(SPAN - 1)) == []
    assert lent(playbook.waits(1)) != []


# --- a successor, and successors of others ---


def new_throttler(**changes: Any) -> Playbook:
    return Playbook(ThrottlerCore(replace(SETTINGS, is_successor=True, **changes)), mono=SECOND)


def test_a_successor_grants_no_entry_before_it_knows_the_last_window() -> None:
    playbook = new_throttler()
    assert ask(playbook, RequestEntry("p1")) == EntryDenied("p1", "THROTTLE_OVERLOAD", Nanos(SECOND + SPAN))
    assert isinstance(ask(playbook, cancel("c1")), CancelOrder)  # the Gateway's last guard holds
    playbook.hears(RecentSends(())).take_sends()
    assert isinstance(ask(playbook, RequestEntry("p2")), EntryGranted)


def test_a_successor_that_is_told_nothing_grants_once_a_window_has_passed() -> None:
    playbook = new_throttler()
    playbook.hears(trading(armed=True)).take_sends()
    playbook.waits(SPAN - 1)
    assert isinstance(ask(playbook, RequestEntry("p1")), EntryDenied)
    playbook.waits(1).take_sends()
    assert isinstance(ask(playbook, RequestEntry("p1")), EntryGranted)


def test_a_successor_lends_once_it_is_armed_and_knows_the_last_window() -> None:
    playbook = new_throttler(lend_ahead=True)
    assert lent(playbook.hears(trading(armed=True))) == []
    assert len(lent(playbook.hears(RecentSends((Nanos(SECOND),))))) == 1


@pytest.mark.parametrize("paused", [False, True])
def test_a_new_router_hears_whether_entries_pause_and_gets_a_loan_of_its_own(paused: bool) -> None:
    playbook = lender()
    (first,) = lent(playbook.hears(trading(armed=True)))
    if paused:
        playbook.core._utilisation.paused = True
        playbook.core._utilisation.release_at = lambda now: Nanos(10 * SECOND)
    said = answers(playbook.waits(10 * MS).hears(ResendState(Role.ROUTER.value, 0)))
    assert said[0] == EntriesPaused(paused, Nanos(playbook.mono))
    assert [loan.grant_id != first.grant_id for loan in said[1:]] == ([] if paused else [True])


@pytest.mark.parametrize("role", [Role.GATEWAY, Role.PAIR_MANAGER, Role.SPREAD_ENGINE])
def test_it_has_nothing_to_say_to_the_other_successors(role: Role) -> None:
    assert answers(busy(0).hears(ResendState(role.value, 0))) == []
