"""SymbolMap: one canonical 6-digit code per company, its feed codes on both venues, its shard and screen.

Feed codes: the plain code is KRX, the code with _NX is NXT (KIWOOM.md 3.1); orders always use the plain code.
Both codes of a symbol are on the same screen, at most 100 codes a screen, so at most 50 symbols a shard.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kiwoom.market import Market, Symbol, Venue

CODES_PER_SCREEN_MAX = 100
SYMBOLS_PER_SHARD_MAX = CODES_PER_SCREEN_MAX // 2
NXT_SUFFIX = "_NX"


def feed_code(symbol: Symbol, venue: Venue) -> str:
    return symbol if venue is Venue.KRX else symbol + NXT_SUFFIX


@dataclass(frozen=True, slots=True)
class UniverseEntry:
    """One line of the universe file. `exclude` is the reason to leave it out, empty if it is in."""

    symbol: Symbol
    name: str
    market: Market
    exclude: str = ""


@dataclass(frozen=True, slots=True)
class SymbolEntry:
    """A symbol that we watch. `index` is its number in packed records, the same in every actor."""

    index: int
    symbol: Symbol
    name: str
    market: Market
    shard: int


@dataclass(frozen=True, slots=True)
class SymbolMap:
    """The symbols of the run in index order, the screen of each shard, and what was left out, with the reason."""

    entries: tuple[SymbolEntry, ...]
    screens: tuple[str, ...]
    dropped: tuple[tuple[Symbol, str], ...]

    def of_shard(self, shard: int) -> tuple[SymbolEntry, ...]:
        return tuple(entry for entry in self.entries if entry.shard == shard)

    def codes_of_shard(self, shard: int) -> tuple[str, ...]:
        """The feed codes to register on the shard's screen, at most 100."""
        return tuple(
            feed_code(entry.symbol, venue) for entry in self.of_shard(shard) for venue in (Venue.KRX, Venue.NXT)
        )


def build_symbol_map(universe: Iterable[UniverseEntry], screens: Sequence[str]) -> SymbolMap:
    """Spread the symbols evenly over as many shards as `screens` has entries.

    Raises ValueError if the universe does not fit (more than 50 symbols a screen), is empty, or names a symbol twice.
    """
    kept: list[UniverseEntry] = []
    dropped: list[tuple[Symbol, str]] = []
    seen: dict[Symbol, None] = {}
    for entry in universe:
        if entry.symbol in seen:
            raise ValueError(f"{entry.symbol} stands twice in the universe")
        seen[entry.symbol] = None
        if entry.exclude:
            dropped.append((entry.symbol, entry.exclude))
        else:
            kept.append(entry)
    if not kept:
        raise ValueError("no symbol is left to trade: every one is excluded")
    needed = -(-len(kept) // SYMBOLS_PER_SHARD_MAX)
    if needed > len(screens):
        raise ValueError(f"{len(kept)} symbols need {needed} screens, only {len(screens)} are given")
    shards = len(screens)
    entries = tuple(
        SymbolEntry(index, entry.symbol, entry.name, entry.market, index * shards // len(kept))
        for index, entry in enumerate(kept)
    )
    return SymbolMap(entries, tuple(screens), tuple(dropped))
