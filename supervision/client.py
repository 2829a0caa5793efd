"""Speak to a running machine from another process: status, stop, flatten."""

from datetime import timedelta
from types import TracebackType
from typing import Any

from actors.messages.session import Command, OperatorCommand
from actors.messages.supervision import AskStatus, MachineStatus, Operate
from supervision.supervisor import GLOBAL_NAME, Supervisor
from supervision.system import attach

ANSWER_S = 5


class NoAnswerError(Exception):
    """The machine's Supervisor did not answer in time."""


class MachineClient:
    """Attached to the actor system behind `admin_port`. Use as a context; leaving it does not stop the machine."""

    def __init__(self, admin_port: int) -> None:
        self._system: Any = attach(admin_port)
        self._supervisor = self._system.createActor(Supervisor, globalName=GLOBAL_NAME)

    def __enter__(self) -> "MachineClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._system = None

    def status(self) -> MachineStatus:
        """Raises NoAnswerError."""
        answer = self._system.ask(self._supervisor, AskStatus(), timedelta(seconds=ANSWER_S))
        if not isinstance(answer, MachineStatus):
            raise NoAnswerError("the machine does not answer")
        return answer

    def operate(self, command: Command, symbol: str | None = None) -> None:
        self._system.tell(self._supervisor, Operate(OperatorCommand(command, symbol)))
