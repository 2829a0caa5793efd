"""Restart intensity: may this child start again, at this time? Pure (the rule of OTP's supervisors)."""

from collections.abc import Sequence
from dataclasses import dataclass

from kiwoom.market import Nanos


@dataclass(frozen=True, slots=True)
class RestartLimit:
    """At most `restarts_max` restarts of one child in any `window_ns`."""

    restarts_max: int
    window_ns: Nanos

    def __post_init__(self) -> None:
        assert self.restarts_max >= 0
        assert self.window_ns > 0


def may_restart(history: Sequence[Nanos], limit: RestartLimit, now: Nanos) -> bool:
    """Whether one more restart at `now` keeps within the limit; `history` holds the earlier restarts."""
    recent = sum(now - at < limit.window_ns for at in history)
    return recent < limit.restarts_max
