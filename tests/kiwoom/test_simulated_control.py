"""The simulated control keeps the contract of every control."""

import pytest

from tests.kiwoom.control_contract import ControlContract
from tests.support.simulated_kiwoom import SimulatedKiwoom


class TestSimulatedControl(ControlContract):
    @pytest.fixture
    def kiwoom(self) -> SimulatedKiwoom:
        return SimulatedKiwoom()

    @pytest.fixture
    def fresh_kiwoom(self) -> SimulatedKiwoom:
        return SimulatedKiwoom(log_in=False)
