"""SessionState: may we trade now, and why?"""

from actors.cores.session_state import SessionSettings, SessionStateCore
from actors.effects import Role
from actors.shell import Shell


class SessionState(Shell):
    role = Role.SESSION_STATE

    def make_core(self, settings: SessionSettings) -> SessionStateCore:
        return SessionStateCore(settings)
