"""MarketData: the top of both books of one screen's symbols; one actor per screen."""

from actors.cores.market_data import MarketDataCore, ShardSettings
from actors.effects import Role
from actors.shell import Shell


class MarketData(Shell):
    role = Role.MARKET_DATA

    def make_core(self, settings: ShardSettings) -> MarketDataCore:
        return MarketDataCore(settings)
