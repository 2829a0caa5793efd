"""PairManager: one pair at a time from entry to flat; as many of them stand by as pairs may live."""

from actors.cores.pair_manager import PairManagerCore, PairSettings
from actors.effects import Role
from actors.shell import Shell


class PairManager(Shell):
    role = Role.PAIR_MANAGER

    def make_core(self, settings: PairSettings) -> PairManagerCore:
        return PairManagerCore(settings)
