"""Why a symbol makes no entries for now: muted by a person, frozen by the machine, cooling down by itself."""

from enum import Enum

from kiwoom.market import Nanos, Symbol


class Block(Enum):
    """A cause; the first that holds, in this order, names the refusal."""

    MUTED = "muted"
    UNHEDGED = "unhedged"
    """A pair ended unhedged; holds until its imbalance is closed."""
    EXPOSED = "exposed"
    """The kill-switch on shares left unhedged too long; holds until unmuted."""
    REJECTS = "rejects"
    """The kill-switch on rejects; ends by itself."""
    REJECT_SPIKE = "reject spike"
    OVERLOAD = "overload"
    """The control turned an order away with -308; ends by itself."""

    @property
    def refusal(self) -> str:
        """The reason of NOT_ADMITTED (CONTRACTS, `events`)."""
        match self:
            case Block.MUTED:
                return "MUTED"
            case Block.REJECT_SPIKE:
                return "RISK_REJECT_SPIKE"
            case Block.OVERLOAD:
                return "RISK_OVERLOAD"
            case Block.UNHEDGED | Block.EXPOSED | Block.REJECTS:
                return "FROZEN"


class Blocks:
    """The blocks of all symbols; at most one of each cause per symbol."""

    def __init__(self) -> None:
        self._until: dict[Symbol, dict[Block, Nanos | None]] = {}

    def add(self, symbol: Symbol, cause: Block, until: Nanos | None = None) -> None:
        """`until` None: until it is lifted."""
        self._until.setdefault(symbol, {})[cause] = until

    def lift(self, symbol: Symbol, cause: Block) -> bool:
        """True if that was the symbol's last block."""
        causes = self._until.get(symbol, {})
        if cause not in causes:
            return False
        del causes[cause]
        if not causes:
            del self._until[symbol]
        return not causes

    def cause(self, symbol: Symbol) -> Block | None:
        causes = self._until.get(symbol, {})
        return next((cause for cause in Block if cause in causes), None)

    def has(self, symbol: Symbol, cause: Block) -> bool:
        return cause in self._until.get(symbol, {})

    def standing(self) -> tuple[tuple[Symbol, Block], ...]:
        """Each blocked symbol with the cause that names its refusal."""
        return tuple((symbol, next(cause for cause in Block if cause in self._until[symbol])) for symbol in self._until)

    def until(self, symbol: Symbol) -> Nanos | None:
        """When the last block ends by itself; None if one of them does not (or there is none)."""
        latest = Nanos(0)
        for until in self._until.get(symbol, {}).values():
            if until is None:
                return None
            latest = max(latest, until)
        return latest or None

    def next_end(self) -> Nanos | None:
        ends = [until for causes in self._until.values() for until in causes.values() if until is not None]
        return min(ends, default=None)

    def expire(self, now: Nanos) -> list[tuple[Symbol, Block]]:
        """End what is over; returns the symbols that are free now, with the cause that was their last."""
        over = [
            (symbol, cause)
            for symbol, causes in self._until.items()
            for cause, until in causes.items()
            if until is not None and until <= now
        ]
        return [(symbol, cause) for symbol, cause in over if self.lift(symbol, cause)]
