"""Telemetry: counts and measures; what the status line, the desk and Prometheus show comes from here."""

from actors.cores.telemetry import TelemetryCore, TelemetrySettings
from actors.effects import Role
from actors.shell import Shell


class Telemetry(Shell):
    role = Role.TELEMETRY

    def make_core(self, settings: TelemetrySettings) -> TelemetryCore:
        return TelemetryCore(settings)
