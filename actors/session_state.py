"""SessionState: may we trade now, and why?"""

from dataclasses import replace

from actors.cores.session_state import SessionSettings, SessionStateCore
from actors.effects import Role
from actors.shell import Shell


class SessionState(Shell):
    role = Role.SESSION_STATE

    def make_core(self, settings: SessionSettings) -> SessionStateCore:
        return SessionStateCore(replace(settings, is_successor=self.incarnation > 1))
