"""Speak to a running machine from another process: status, stop, flatten."""

from types import TracebackType
from typing import Any

from actors.messages.session import Command, OperatorCommand
from actors.messages.supervision import AskStatus, MachineStatus, Operate
from supervision.supervisor import GLOBAL_NAME, Supervisor
from supervision.system import ActorGoneError, ask, attach, create, tell

ANSWER_S = 5


class NoAnswerError(Exception):
    """The machine's Supervisor did not answer in time."""


class MachineClient:
    """Attached to the actor system behind `admin_port`. Use as a context; leaving it does not stop the machine.

    Raises NoAnswerError wherever the machine does not answer (it may be ending).
    """

    def __init__(self, admin_port: int) -> None:
        try:
            self._system: Any = attach(admin_port)
            self._supervisor = create(self._system, Supervisor, GLOBAL_NAME)
        except ActorGoneError as fault:
            raise NoAnswerError("the machine does not answer; it may be ending just now") from fault

    def __enter__(self) -> "MachineClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._system = None

    def status(self) -> MachineStatus:
        try:
            answer = ask(self._system, self._supervisor, AskStatus(), ANSWER_S)
        except ActorGoneError:
            answer = None
        if not isinstance(answer, MachineStatus):
            raise NoAnswerError("the machine does not answer; it may be ending just now")
        return answer

    def operate(self, command: Command, symbol: str | None = None) -> None:
        try:
            tell(self._system, self._supervisor, Operate(OperatorCommand(command, symbol)))
        except ActorGoneError as fault:
            raise NoAnswerError("the machine does not answer; it may be ending just now") from fault
