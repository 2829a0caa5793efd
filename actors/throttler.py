"""Throttler: the order, query and registration budgets."""

from dataclasses import replace

from actors.cores.throttler import ThrottlerCore, ThrottleSettings
from actors.effects import Role
from actors.shell import Shell


class Throttler(Shell):
    role = Role.THROTTLER

    def make_core(self, settings: ThrottleSettings) -> ThrottlerCore:
        return ThrottlerCore(replace(settings, is_successor=self.incarnation > 1))
