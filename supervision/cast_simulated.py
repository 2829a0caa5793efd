"""The simulated cast: the Gateway that holds the simulated control. One of the two places that know it."""

from dataclasses import dataclass
from typing import Any

from PyQt5.QtCore import QCoreApplication

from actors.gateway import Gateway
from kiwoom.control import ControlPort
from kiwoom.simulated.control import SimulatedControl, SocketLink


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the simulated broker's process listens, on this machine."""

    port: int


class SimulatedGateway(Gateway):
    def make_control(self, setup: BrokerAddress) -> ControlPort:
        return SimulatedControl(SocketLink("127.0.0.1", setup.port))

    def make_application(self, arguments: list[str]) -> Any:
        return QCoreApplication(arguments)
