"""The sliding window: no span holds more than the limit, and a successor counts the same."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.domain.window import SlidingWindow
from kiwoom.market import SECOND, Nanos

SPAN = Nanos(SECOND)


def window(*sends: int, limit: int = 5) -> SlidingWindow:
    made = SlidingWindow(limit, SPAN)
    for at in sends:
        made.add(Nanos(at))
    return made


def busiest_span(sends: Sequence[int], span: int) -> int:
    """The most sends in any half-open span, which begins at one of them."""
    return max(sum(begin <= at < begin + span for at in sends) for begin in sends)


@settings(max_examples=100)
@given(
    limit=st.integers(1, 6),
    span=st.integers(1, 50),
    pauses=st.lists(st.integers(0, 30), min_size=1, max_size=60),
)
def test_no_span_holds_more_than_the_limit_if_each_send_waits(limit: int, span: int, pauses: list[int]) -> None:
    sliding = SlidingWindow(limit, Nanos(span))
    now, sends = 0, []
    for pause in pauses:
        now = sliding.free_at(Nanos(now + pause))
        assert sliding.free(Nanos(now)) >= 1
        sliding.add(Nanos(now))
        sends.append(now)
    assert busiest_span(sends, span) <= limit


@settings(max_examples=100)
@given(limit=st.integers(1, 6), span=st.integers(1, 50), plans=st.lists(st.integers(0, 20), min_size=1, max_size=40))
def test_sends_planned_ahead_hold_the_limit_too(limit: int, span: int, plans: list[int]) -> None:
    sliding = SlidingWindow(limit, Nanos(span))
    now, sends = 0, []
    for pause in plans:
        now += pause // 4  # the clock falls behind the plan
        at = sliding.free_at(Nanos(now))
        sliding.add(at)
        sends.append(at)
    assert busiest_span(sends, span) <= limit


@settings(max_examples=100)
@given(
    sends=st.lists(st.integers(0, 2 * SECOND), max_size=12),
    now=st.integers(0, 3 * SECOND),
    limit=st.integers(1, 6),
    data=st.data(),
)
def test_free_at_is_the_earliest_time_at_which_as_many_are_free(
    sends: list[int], now: int, limit: int, data: st.DataObject
) -> None:
    wanted = data.draw(st.integers(1, limit))
    at = window(*sends, limit=limit).free_at(Nanos(now), wanted)
    assert at >= now
    assert window(*sends, limit=limit).free(at) >= wanted
    if at > now:
        assert window(*sends, limit=limit).free(Nanos(at - 1)) < wanted


def test_a_send_is_counted_until_one_span_later_exclusive() -> None:
    sliding = window(100)
    assert sliding.used(Nanos(100)) == 1
    assert sliding.used(Nanos(100 + SPAN - 1)) == 1
    assert sliding.used(Nanos(100 + SPAN)) == 0


def test_a_send_in_the_future_counts_from_now_and_a_late_one_from_its_own_time() -> None:
    sliding = window(5 * SECOND)
    assert sliding.used(Nanos(0)) == 1
    sliding.add(Nanos(0))
    assert sliding.used(Nanos(SECOND - 1)) == 2
    assert sliding.used(Nanos(SECOND)) == 1
    assert sliding.used(Nanos(6 * SECOND)) == 0


def test_the_refill_of_a_bucket_does_not_happen() -> None:
    """Five at the end of one second and one at the start of the next would be six within a moment."""
    sliding = window(*(SECOND - 5 + number for number in range(5)))
    assert sliding.free(Nanos(SECOND)) == 0
    assert sliding.free_at(Nanos(SECOND)) == 2 * SECOND - 5
    assert sliding.free_at(Nanos(SECOND), wanted=5) == 2 * SECOND - 1


def test_more_than_the_limit_is_told_as_a_negative_number() -> None:
    sliding = window(1, 2, 3, limit=1)
    assert sliding.free(Nanos(3)) == -2
    assert sliding.free_at(Nanos(3)) == 3 + SPAN


def test_a_successor_given_the_sends_counts_the_same() -> None:
    sliding = window(300, 100, 200)
    sends = sliding.sends(Nanos(100 + SPAN))
    assert sends == (200, 300)
    assert window(*sends).used(Nanos(100 + SPAN)) == sliding.used(Nanos(100 + SPAN)) == 2


@pytest.mark.parametrize("wanted", [0, 6])
def test_a_wish_that_can_never_be_granted_is_a_mistake(wanted: int) -> None:
    with pytest.raises(AssertionError):
        window().free_at(Nanos(0), wanted)


@pytest.mark.parametrize(("limit", "span"), [(0, 1), (1, 0), (-1, 1)])
def test_a_window_without_limit_or_span_is_a_mistake(limit: int, span: int) -> None:
    with pytest.raises(AssertionError):
        SlidingWindow(limit, Nanos(span))
