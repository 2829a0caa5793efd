"""SpreadEngine: watches every symbol for an edge worth taking."""

from dataclasses import replace

from actors.cores.spread_engine import EngineSettings, SpreadEngineCore
from actors.effects import Role
from actors.shell import Shell


class SpreadEngine(Shell):
    role = Role.SPREAD_ENGINE

    def make_core(self, settings: EngineSettings) -> SpreadEngineCore:
        return SpreadEngineCore(replace(settings, run_tag=self.own_tag(settings.run_tag)))
