"""The real-time feeds of the shards: registered screen by screen, ended screen by screen, and who is told when."""

from enum import Enum, auto
from typing import Final

from actors.domain.order_rows import plain_row
from actors.domain.outbox import Outbox
from actors.domain.symbol_map import SymbolMap
from actors.effects import Role
from actors.messages.journal import EventType
from actors.messages.market_data import FeedEnded
from actors.messages.session import FeedsRegistered, FeedsUnregistered
from kiwoom.codes import fid
from kiwoom.control import RealCalled, RegisterReal, UnregisterReal
from kiwoom.market import MS, SECOND, Nanos, Now

TRIES_MAX: Final = 3
RETRY_NS: Final = Nanos(SECOND)

SETTLE_NS: Final = Nanos(200 * MS)
"""After the last screen is given back: what the control had queued before still comes."""


class FeedState(Enum):
    OFF = auto()
    REGISTERING = auto()
    ON = auto()
    UNREGISTERING = auto()


class Feeds:
    """A screen that the control refuses is tried again a second later, three times in all; then it stays dark and the
    row says so: its symbols have no quotes and so make no signals."""

    def __init__(self, symbols: SymbolMap, out: Outbox) -> None:
        self._symbols = symbols
        self._out = out
        self._open: list[str] = []
        self._failed: list[str] = []
        self._tries = 0
        self._retry_at: Nanos | None = None
        self._settled_at: Nanos | None = None
        self.state = FeedState.OFF

    @property
    def wanted(self) -> bool:
        return self.state in (FeedState.REGISTERING, FeedState.ON)

    def want(self) -> None:
        """Registered as soon as somebody calls `register`."""
        self.state = FeedState.REGISTERING

    def register(self) -> None:
        """Also after a lost line: what was registered is gone then."""
        self.state = FeedState.REGISTERING
        self._tries = 1
        self._failed = []
        self._call(list(self._symbols.screens))

    def unregister(self) -> None:
        if self.state is FeedState.UNREGISTERING:
            return
        self._retry_at = None
        if not self.wanted:
            self._say_ended()
            return
        self.state = FeedState.UNREGISTERING
        self._open = list(self._symbols.screens)
        for screen in self._symbols.screens:
            self._out.call(UnregisterReal(screen))

    def line_lost(self) -> None:
        """Nothing comes any more: an unfinished unregistering is thereby done, a registration is to be done again."""
        self._retry_at = None
        self._open = []
        if self.state is FeedState.UNREGISTERING:
            self._say_ended()
        elif self.wanted:
            self.state = FeedState.REGISTERING

    def real_called(self, event: RealCalled, now: Now) -> bool:
        """True: every screen is registered now (or has failed for good)."""
        if event.screen_no not in self._open:
            return False
        self._open.remove(event.screen_no)
        if self.state is FeedState.UNREGISTERING:
            if not self._open:
                self._settled_at = Nanos(now.mono + SETTLE_NS)
            return False
        if event.code < 0:
            self._failed.append(event.screen_no)
        if self._open:
            return False
        if self._failed and self._tries < TRIES_MAX:
            self._retry_at = Nanos(now.mono + RETRY_NS)
            return False
        self._say_registered(event, now)
        return True

    def say_registered(self) -> None:
        self._out.send(Role.SESSION_STATE, FeedsRegistered(*self._registered()))

    def next_deadline(self) -> Nanos | None:
        return min((at for at in (self._retry_at, self._settled_at) if at is not None), default=None)

    def on_deadline(self, now: Now) -> None:
        if self._settled_at is not None and now.mono >= self._settled_at:
            self._say_ended()
        if self._retry_at is not None and now.mono >= self._retry_at:
            self._retry_at = None
            self._tries += 1
            again, self._failed = self._failed, []
            self._call(again)

    def _call(self, screens: list[str]) -> None:
        self._open = list(screens)
        for screen in screens:
            codes = self._symbols.codes_of_shard(self._symbols.screens.index(screen))
            self._out.call(RegisterReal(screen, codes, fid.QUOTE_FIDS))

    def _say_registered(self, event: RealCalled, now: Now) -> None:
        self.state = FeedState.ON
        codes, screens = self._registered()
        extra = (("codes", codes), ("screens", screens), ("failed", ",".join(self._failed)))
        self._out.record(plain_row(EventType.FEEDS_REGISTERED, now, event.at, extra=extra))
        self.say_registered()

    def _registered(self) -> tuple[int, int]:
        """(codes, screens) that are registered."""
        screens = [screen for screen in self._symbols.screens if screen not in self._failed]
        codes = sum(len(self._symbols.codes_of_shard(self._symbols.screens.index(each))) for each in screens)
        return codes, len(screens)

    def _say_ended(self) -> None:
        self.state = FeedState.OFF
        self._open = []
        self._settled_at = None
        self._out.send(Role.SESSION_STATE, FeedsUnregistered())
        for shard in range(len(self._symbols.screens)):
            self._out.send(Role.MARKET_DATA, FeedEnded(), shard)
