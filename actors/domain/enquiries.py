"""Questions to the broker (TRs), one at a time: a page chain must not be interrupted (KIWOOM.md 5).

Urgent ones (doubt queries, already granted by the Throttler) go first and are bound by the own window only. The others
ask the Throttler for leave; if it does not answer in time they go on their own wide spacing. Pages follow until the
answer says there are no more. An answer that does not come, or a control that keeps refusing, ends the question with
a text of what went wrong.
"""

from collections import deque
from dataclasses import dataclass

from actors.domain.window import SlidingWindow
from actors.effects import Call, Effect, Role, Send
from actors.messages.throttle import RequestQuery
from kiwoom.codes.error import is_overload
from kiwoom.control import RequestTr, RequestWatchlist, TrAnswered, TrCalled
from kiwoom.market import SECOND, Nanos

GRANT_WAIT_NS = Nanos(SECOND)
ANSWER_WAIT_NS = Nanos(5 * SECOND)
OVERLOAD_WAIT_NS = Nanos(SECOND)
CALLS_MAX = 5
"""Tries of one page when the control says that there were too many calls."""
PAGES_MAX = 50


@dataclass(frozen=True, slots=True)
class Enquiry:
    """A question. `key` tells the asker which one was answered; `rq_name` must be unique in the run."""

    key: object
    request: RequestTr | RequestWatchlist
    urgent: bool


@dataclass(frozen=True, slots=True)
class EnquiryDone:
    """Answered (`failure` is ""), or given up. `asked` is when the first page was asked for."""

    key: object
    rows: tuple[tuple[str, ...], ...]
    single: tuple[str, ...]
    asked: Nanos
    failure: str


@dataclass(slots=True)
class _Current:
    enquiry: Enquiry
    asked: Nanos
    due: Nanos
    """When to call again (waiting), or when to give up (called)."""
    rows: list[tuple[str, ...]]
    pages: int = 0
    calls: int = 0
    waiting_for_answer: bool = False


class Enquiries:
    """Bounded by its askers: one list at start, one doubt query per live order."""

    def __init__(self, window: SlidingWindow, spacing_ns: Nanos) -> None:
        self._window = window
        self._spacing_ns = spacing_ns
        self._last_call: Nanos | None = None
        self._urgent: deque[Enquiry] = deque()
        self._ordinary: deque[Enquiry] = deque()
        self._current: _Current | None = None
        self._leave_asked: Nanos | None = None
        self._has_leave = False

    def ask(self, enquiry: Enquiry) -> None:
        (self._urgent if enquiry.urgent else self._ordinary).append(enquiry)

    def forget(self) -> tuple[object, ...]:
        """The line is lost: no answer will come. Returns the keys of what was asked and not answered."""
        dropped = [enquiry.key for enquiry in (*self._urgent, *self._ordinary)]
        if self._current is not None:
            dropped.insert(0, self._current.enquiry.key)
        self._urgent.clear()
        self._ordinary.clear()
        self._current = None
        self._leave_asked = None
        self._has_leave = False
        return tuple(dropped)

    def drop_ordinary(self) -> None:
        """Whoever asked them has broken off. One already under way runs out; nobody waits for its answer."""
        self._ordinary.clear()
        self._leave_asked = None
        self._has_leave = False

    def granted(self, query_id: str) -> None:
        """A grant that comes after we went ahead without it is for a question already asked: it lapses."""
        if self._leave_asked is not None and self._ordinary and self._ordinary[0].request.rq_name == query_id:
            self._has_leave = True

    def next_deadline(self) -> Nanos | None:
        if self._current is not None:
            return self._current.due
        if self._urgent:
            return self._window_free_at()
        if self._ordinary and self._leave_asked is not None:
            return self._spaced(self._leave_asked if self._has_leave else Nanos(self._leave_asked + GRANT_WAIT_NS))
        return None

    def advance(self, now: Nanos) -> tuple[tuple[Effect, ...], tuple[EnquiryDone, ...]]:
        """Do what is due: begin the next question, repeat a call, give one up."""
        current = self._current
        if current is not None:
            if now < current.due:
                return (), ()
            if current.waiting_for_answer:
                return (), (self._finish(current, (), f"no answer within {ANSWER_WAIT_NS // SECOND} s"),)
            return (self._call(current, now),), ()
        return self._begin(now), ()

    def called(self, event: TrCalled, now: Nanos) -> tuple[EnquiryDone, ...]:
        current = self._current
        if current is None or current.enquiry.request.rq_name != event.rq_name or event.code == 0:
            return ()
        if is_overload(event.code) and current.calls < CALLS_MAX:
            current.waiting_for_answer = False
            current.due = Nanos(now + OVERLOAD_WAIT_NS)
            return ()
        return (self._finish(current, (), f"the control returned {event.code}"),)

    def answered(self, event: TrAnswered, now: Nanos) -> tuple[EnquiryDone, ...]:
        current = self._current
        if current is None or current.enquiry.request.rq_name != event.rq_name or not current.waiting_for_answer:
            return ()
        # A row without a single value tells of nothing, as of a watched code that is listed no more.
        current.rows.extend(row for row in event.rows if any(field.strip() for field in row))
        current.pages += 1
        if not event.more or isinstance(current.enquiry.request, RequestWatchlist):
            return (self._finish(current, event.single, ""),)
        if current.pages >= PAGES_MAX:
            return (self._finish(current, event.single, f"more than {PAGES_MAX} pages"),)
        current.waiting_for_answer = False
        current.calls = 0
        current.due = self._spaced(now)
        return ()

    def _begin(self, now: Nanos) -> tuple[Effect, ...]:
        if self._urgent:
            if self._window.free(now) <= 0:
                return ()
            return (self._call(self._start(self._urgent.popleft(), now), now),)
        if not self._ordinary:
            return ()
        if self._leave_asked is None:
            self._leave_asked = now
            return (Send(Role.THROTTLER, RequestQuery(self._ordinary[0].request.rq_name, urgent=False)),)
        due = self.next_deadline()
        if due is None or now < due or self._window.free(now) <= 0:
            return ()
        self._leave_asked = None
        self._has_leave = False
        return (self._call(self._start(self._ordinary.popleft(), now), now),)

    def _start(self, enquiry: Enquiry, now: Nanos) -> _Current:
        self._current = _Current(enquiry, now, now, [])
        return self._current

    def _call(self, current: _Current, now: Nanos) -> Call:
        current.calls += 1
        current.waiting_for_answer = True
        current.due = Nanos(now + ANSWER_WAIT_NS)
        self._window.add(now)
        self._last_call = now
        request = current.enquiry.request
        if isinstance(request, RequestTr) and current.pages:
            return Call(
                RequestTr(
                    request.rq_name,
                    request.tr_code,
                    request.inputs,
                    request.screen_no,
                    2,
                    request.fields,
                    request.single_fields,
                )
            )
        return Call(request)

    def _finish(self, current: _Current, single: tuple[str, ...], failure: str) -> EnquiryDone:
        self._current = None
        return EnquiryDone(current.enquiry.key, tuple(current.rows), single, current.asked, failure)

    def _spaced(self, earliest: Nanos) -> Nanos:
        if self._last_call is None:
            return earliest
        return Nanos(max(earliest, self._last_call + self._spacing_ns, self._window_free_at()))

    def _window_free_at(self) -> Nanos:
        return self._window.free_at(self._last_call or Nanos(0))
