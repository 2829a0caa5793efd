"""What may still be sold and what may still be spent, while pairs are under way.

Shares. The broker reports (held, sellable) of a symbol; its `sellable` already lacks what our own resting sells
hold, so subtracting our claims from it would count those twice, and not subtracting them would count them too late.
Therefore we keep apart what the report mixes:

    own       shares held that no live pair has bought or sold (a live pair's fills change it only when it ends)
    external  of those, claimed by orders that are not ours: held - sellable - our own resting sells
    claim     of those, what live pairs that sell first may yet sell, or have sold and not yet bought back

    ours      shares held at the first report, moved by what our pairs bought and sold and by nothing else
    free = min(own - external, ours) - sum of claims, never below 0

Invariant: `free` is never more than the broker's held shares, less external orders, less all that live pairs may yet
sell, less what live pairs bought for their own sale. A pair that buys first sells only what it bought: its shares
never enter `own` before it ended, so no other pair counts on them, and it needs no claim.

A report that comes while pairs are live, or just after one ended, says what was true at some point of their fills.
It may then lower `free` (if no course of our own fills explains it, the worst one is believed) but never raise it.
Once nothing has moved for `settle_ns`, the last report, if it is later than our last order's end, is believed as it
is, yet `own` not above our own ledger: a repeat of an old report must not invent shares. What others bought since the
first report is held, and theirs (SPEC 9): it never becomes free.

A symbol first reported while pairs are live (after a restart) is reckoned at its worst; what that may lack is its
`slack`, and comes back with the first position report in which nothing of ours moves any more.

Cash. The balance is the broker's (KIWOOM.md 6.2), moved by the amounts of our ended pairs; claims are what live pairs
may yet pay.

Assumption: a report follows each fill (KIWOOM.md 4.2). An external order that appears within the milliseconds of our
own order on the same symbol, and is explained by it, is seen with the next report.
"""

from dataclasses import dataclass, field

from kiwoom.market import Nanos, Shares, Side, Symbol, Won


@dataclass(slots=True)
class ShareClaim:
    """One live pair's part in a symbol. It moves `qty` shares at most, `first` being the side of its first order."""

    first: Side
    qty: int
    entry_ended: bool = False
    orphaned: bool = False
    """Its pair is over, but the broker has not confirmed the end of its entry."""

    @property
    def claimed(self) -> int:
        return self.qty if self.first is Side.SELL else 0

    @property
    def lowest(self) -> int:
        """The least that bought - sold can be or have been."""
        return -self.qty if self.first is Side.SELL else 0

    @property
    def highest(self) -> int:
        return self.qty if self.first is Side.BUY else 0

    @property
    def resting_max(self) -> int:
        """The most that its sells can hold at the broker."""
        return 0 if self.first is Side.SELL and self.entry_ended else self.qty


@dataclass(slots=True)
class Holding:
    """One symbol: our own reckoning, the last report, and the claims by pair."""

    own: int = 0
    external: int = 0
    ours: int = 0
    ledger: int = 0
    """`own` by our fills alone since the last report in the clear."""
    held: int = 0
    sellable: int = 0
    reported_at: Nanos | None = None
    from_list: bool = False
    """The last report is from the account's list, which may be older than it looks: asked before our last fills."""
    slack: int = 0
    """How much more than `ledger` may be there: it was first seen beside pairs whose fills so far are unknown."""
    last_end_at: Nanos | None = None
    """The control's stamp on the end of our last order."""
    settled_at: int = 0
    unsettled: bool = False
    claims: dict[str, ShareClaim] = field(default_factory=dict)
    """By pair_id; at most one per live pair and one per orphan."""


class ShareBook:
    """The free shares of every symbol. See the module's docstring for the invariant."""

    def __init__(self, settle_ns: int) -> None:
        assert settle_ns >= 0
        self._settle_ns = settle_ns
        self._holdings: dict[Symbol, Holding] = {}

    def free(self, symbol: Symbol, now: Nanos) -> Shares:
        """Shares that one more pair may sell first."""
        holding = self._holding(symbol)
        self._settle(holding, now)
        claimed = sum(claim.claimed for claim in holding.claims.values())
        return Shares(max(0, min(holding.own - holding.external, holding.ours) - claimed))

    def held_before_pairs(self, symbol: Symbol) -> int:
        """What we would hold if every live pair were undone: ended pairs' imbalances are in it."""
        return self._holding(symbol).ledger

    def is_quiet(self, symbol: Symbol, now: Nanos) -> bool:
        """No pair is live on the symbol and none ended just now: a report means what it says."""
        holding = self._holding(symbol)
        return not holding.claims and now >= holding.settled_at

    def is_exact(self, symbol: Symbol) -> bool:
        """Our reckoning is no mere lower bound."""
        return not self._holding(symbol).slack

    def claims(self, symbol: Symbol) -> int:
        return sum(claim.claimed for claim in self._holding(symbol).claims.values())

    def report(self, symbol: Symbol, held: int, sellable: int, at: Nanos, *, is_list: bool = False) -> None:
        """The broker's word, by itself or in the account's list. Out of order (older than the last one): ignored."""
        holding = self._holding(symbol)
        if holding.reported_at is not None and at < holding.reported_at:
            return
        self._settle(holding, at)
        is_first = holding.reported_at is None
        holding.held, holding.sellable, holding.reported_at, holding.from_list = held, sellable, at, is_list
        blocked = max(0, held - sellable)
        if is_first:
            holding.ours += held - sum(claim.lowest for claim in holding.claims.values())
        if self.is_quiet(symbol, at):
            holding.own = holding.ledger = held
            holding.external = blocked
            holding.slack = 0
            holding.unsettled = False
            return
        holding.unsettled = True
        claims = holding.claims.values()
        worst = held - sum(claim.highest for claim in claims)
        if is_first:
            holding.own = holding.ledger = worst
            holding.slack = held - sum(claim.lowest for claim in claims) - worst
        elif holding.own > held - sum(claim.lowest for claim in claims):
            holding.own = worst
        if holding.external < blocked - sum(claim.resting_max for claim in claims):
            holding.external = blocked

    def symbols(self) -> tuple[Symbol, ...]:
        return tuple(self._holdings)

    def claim(self, pair_id: str, symbol: Symbol, first: Side, qty: int, entry_ended: bool = False) -> None:
        """A pair begins. `entry_ended`: it has no entry order of its own (a rescue)."""
        holding = self._holding(symbol)
        assert qty > 0
        assert pair_id not in holding.claims
        holding.claims[pair_id] = ShareClaim(first, qty, entry_ended)
        holding.unsettled = True

    def order_ended(self, pair_id: str, symbol: Symbol, is_entry: bool, filled: int, at: Nanos) -> None:
        """The broker confirmed an order's end: an entry's claim shrinks to what it filled."""
        holding = self._holding(symbol)
        holding.last_end_at = at if holding.last_end_at is None else max(at, holding.last_end_at)
        claim = holding.claims.get(pair_id)
        if claim is None or not is_entry:
            return
        if claim.orphaned or filled == 0:
            # A claim of nothing is kept out of the book; what an orphan still filled comes back as a late fill.
            del holding.claims[pair_id]
            holding.settled_at = max(holding.settled_at, at + self._settle_ns)
            return
        claim.qty = min(claim.qty, filled)
        claim.entry_ended = True

    def drop(self, pair_id: str, symbol: Symbol) -> None:
        """The pair never began: nothing was sent."""
        del self._holding(symbol).claims[pair_id]

    def release(self, pair_id: str, symbol: Symbol, bought: int, sold: int, at: Nanos, proved: bool) -> None:
        """The pair is over. Not `proved`: what its entry may still sell stays claimed until that order's end."""
        holding = self._holding(symbol)
        holding.own += bought - sold
        holding.ours = max(0, holding.ours + bought - sold)
        holding.ledger += bought - sold
        holding.settled_at = max(holding.settled_at, at + self._settle_ns)
        claim = holding.claims.pop(pair_id, None)
        if claim is None or proved or claim.entry_ended:
            return
        moved = sold if claim.first is Side.SELL else bought
        if claim.qty > moved:
            holding.claims[pair_id] = ShareClaim(claim.first, claim.qty - moved, orphaned=True)

    def move(self, symbol: Symbol, shares: int) -> None:
        """Take an open quantity into (or, negative, out of) the books: it passes to or from a pair."""
        holding = self._holding(symbol)
        holding.own += shares
        holding.ours += shares
        holding.ledger += shares

    def _settle(self, holding: Holding, now: Nanos) -> None:
        if not holding.unsettled or holding.claims or now < holding.settled_at:
            return
        holding.unsettled = False
        if holding.reported_at is None:
            return
        if holding.slack and holding.from_list:
            return
        if holding.last_end_at is None or holding.reported_at >= holding.last_end_at:
            if holding.slack:
                holding.ledger, holding.slack = min(holding.ledger + holding.slack, holding.held), 0
            holding.own = min(holding.ledger, holding.held)
            holding.external = max(0, holding.held - holding.sellable)

    def _holding(self, symbol: Symbol) -> Holding:
        return self._holdings.setdefault(symbol, Holding())


class CashBook:
    """The won that one more pair may spend."""

    def __init__(self) -> None:
        self._balance: int | None = None
        self._claims: dict[str, int] = {}
        """By pair_id; one per live pair."""
        self._straddling: set[str] = set()
        """Pairs that were live when the balance was read: it may already have their proceeds in it."""

    @property
    def free(self) -> Won:
        return Won(0) if self._balance is None else Won(self._balance - sum(self._claims.values()))

    @property
    def claimed(self) -> Won:
        return Won(sum(self._claims.values()))

    def set_balance(self, balance: Won) -> None:
        self._balance = balance
        self._straddling = set(self._claims)

    def claim(self, pair_id: str, amount: int) -> None:
        assert pair_id not in self._claims
        assert amount >= 0
        self._claims[pair_id] = amount

    def shrink(self, pair_id: str, amount: int) -> None:
        """The pair can no longer spend more than `amount`."""
        if pair_id in self._claims:
            self._claims[pair_id] = min(self._claims[pair_id], amount)

    def drop(self, pair_id: str) -> None:
        del self._claims[pair_id]
        self._straddling.discard(pair_id)

    def release(self, pair_id: str, received: int, paid: int) -> None:
        """The pair is over. Of a pair that straddles the last reading only what it paid is booked: never too much."""
        straddles = pair_id in self._straddling
        self._claims.pop(pair_id, None)
        self._straddling.discard(pair_id)
        self.move(-paid if straddles else received - paid)

    def move(self, amount: int) -> None:
        if self._balance is not None:
            self._balance += amount
