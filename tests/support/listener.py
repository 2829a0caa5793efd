"""An actor that stands in every role that a test does not play, and remembers what it hears."""

from typing import Any

from thespian.actors import ActorTypeDispatcher


class Listener(ActorTypeDispatcher):  # type: ignore[misc]
    """Answers any text with everything heard so far."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Any] = []

    def receiveMsg_str(self, question: str, sender: Any) -> None:
        self.send(sender, list(self.heard))

    def receiveUnrecognizedMessage(self, message: Any, sender: Any) -> None:
        self.heard.append(message)
