"""The effects of one handler, collected in the order in which they must be performed."""

from collections.abc import Callable

from actors.effects import Call, Effect, Effects, Record, Role, Send
from actors.messages.journal import Row
from kiwoom.control import ControlCall


class Outbox:
    """Shared by the parts of one core; emptied at the end of each of its handlers. `observe` sees each row at once."""

    def __init__(self, observe: Callable[[Row], None]) -> None:
        self._observe = observe
        self._effects: list[Effect] = []

    def send(self, to: Role, message: object, index: int = 0) -> None:
        self._effects.append(Send(to, message, index))

    def record(self, row: Row) -> None:
        self._observe(row)
        self._effects.append(Record(row))

    def call(self, call: ControlCall) -> None:
        self._effects.append(Call(call))

    def add(self, effects: Effects) -> None:
        self._effects.extend(effects)

    def take(self) -> Effects:
        taken = tuple(self._effects)
        self._effects.clear()
        return taken
