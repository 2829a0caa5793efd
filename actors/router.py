"""Router: risk checks, then venue, order style and price; hands the pair to a PairManager."""

from dataclasses import replace

from actors.cores.router import RouterCore, RouterSettings
from actors.effects import Role
from actors.shell import Shell


class Router(Shell):
    role = Role.ROUTER

    def make_core(self, settings: RouterSettings) -> RouterCore:
        return RouterCore(replace(settings, is_successor=self.incarnation > 1))
