"""The promise that a pair acts on what it is told: at once, and by the stamp of the event, not by its handling."""

from collections import deque
from dataclasses import dataclass, field
from typing import ClassVar, Final

from actors.messages.journal import EventType, Row
from kiwoom.market import MS, Nanos, time_of_day
from kiwoom.simulated.ledger import LedgerKind
from supervision.simulation.checkers.books import Books, PairFacts, extra_of
from supervision.simulation.checkers.settings import CheckerSettings
from supervision.simulation.evidence import ActorDied, Checker, LineCut, MachineEvent, MachineKilled, Strike, View

_FILLS: Final = frozenset({EventType.TRADE_PARTIAL, EventType.TRADE_FILL})
_ENDS: Final = frozenset({EventType.TRADE_FILL, EventType.CANCELED, EventType.ORDER_REJECT})
_STEPS: Final = frozenset({EventType.PAIR_STATE, EventType.HEDGE_TIMEOUT, EventType.PAIRED_DONE, EventType.UNHEDGED})
_OVER: Final = frozenset({EventType.PAIRED_DONE, EventType.UNHEDGED, EventType.FLATTENED})
_ROWS_NS: Final = 2_000 * MS
"""How late rows may come: their messages are delayed like any other."""
_DISTURBING: Final = ("actor_hung", "message_delayed")
_QUIET_NS: Final = 5_000 * MS
STEPS_KEPT_MAX: Final = 64
"""More than a pair takes until a fact is judged: an attempt every 100 ms, each with up to two rows."""
_TRANSIT_NS: Final = 50 * MS
"""The step that finds t_hedge over may have been made by an event, and bears its stamp."""


@dataclass(slots=True)
class _Story:
    """One pair's fills as the journal tells them."""

    open_qty: int = 0
    openings: list[int] = field(default_factory=list)
    """The stamps of the fills that opened it from flat."""
    steps: deque[int] = field(default_factory=lambda: deque(maxlen=STEPS_KEPT_MAX))
    """The stamps of its last steps."""
    restored: list[int] = field(default_factory=list)
    """The stamps at which a successor took it up."""
    is_over: bool = False
    """Its last child has ended: what is told of its orders now is the Router's."""
    live: dict[str, None] = field(default_factory=dict)
    """Orders tried whose end is not told."""
    hedging_from: int | None = None
    """The stamp of its first step into a hedge."""


@dataclass(frozen=True, slots=True)
class _Fact:
    pair_id: str
    stamp: int
    is_entry: bool
    what: str


class Prompt(Checker):
    """A pair takes its next step when it is told of the last one's end, and t_hedge runs from the fill's own stamp.

    HEDGE_TIMEOUT with T_HEDGE: t_hedge after the stamp of the fill that opened the pair (a late fill opens a child),
    and not more than wake_ns later; or when a successor takes the pair up after that; or, for every post, at the
    closing by the machine's own clock. After the end of a hedge that left the pair open (rejected, or cancelled), with
    no other order of the pair under way: a PAIR_STATE, HEDGE_TIMEOUT or terminal row stamped within prompt_ns of it. After the end of an entry
    that filled: a PAIR_STATE row of a hedge by then; it may have been hedged before.
    Judged only where nothing died, hung, was delayed or cut within 5 s before.
    """

    rule = "PROMPT"
    row_types: ClassVar[frozenset[EventType]] = (
        _FILLS | _STEPS | _ENDS | {EventType.ORDER_SEND_ATTEMPT, EventType.FLATTENED, EventType.PAIR_RESTORED}
    )
    ledger_kinds: ClassVar[frozenset[LedgerKind]] = frozenset()

    def __init__(self, settings: CheckerSettings, books: Books) -> None:
        super().__init__()
        self._settings = settings
        self._books = books
        self._stories: dict[str, _Story] = {}
        self._facts: deque[tuple[int, _Fact]] = deque()
        """To be judged when rows that were under way have come. Bounded by the ends within prompt_ns."""
        self._quiet_from = 0

    def machine(self, event: MachineEvent, at: Nanos) -> None:
        if isinstance(event, ActorDied | MachineKilled | LineCut):
            self._disturbed(at)

    def struck(self, strike: Strike, at: Nanos) -> None:
        if strike.fault in _DISTURBING:
            self._disturbed(at + strike.size_ns)

    def _disturbed(self, until: int) -> None:
        self._quiet_from = max(self._quiet_from, until + _QUIET_NS)
        self._facts.clear()

    def journal(self, row: Row, at: Nanos) -> None:
        pair = self._books.pairs.get(row.pair_id or "")
        if pair is None:
            return
        story = self._stories.setdefault(pair.pair_id, _Story())
        if row.reason == "LATE":
            self._filled(row, story)  # the child that it begins runs from it
            return
        if row.event_type is EventType.ORDER_SEND_ATTEMPT:
            story.live[row.cl_ord_id or ""] = None
            return
        if row.event_type in _ENDS:
            story.live.pop(row.cl_ord_id or "", None)
        if row.event_type in _FILLS:
            self._filled(row, story)
        if row.event_type is EventType.HEDGE_TIMEOUT and row.reason == "T_HEDGE":
            self._timed_out(row, pair, story, at)
        if row.event_type in _STEPS or row.event_type in (EventType.FLATTENED, EventType.PAIR_RESTORED):
            story.steps.append(row.ts_mono)
            if row.event_type is not EventType.PAIR_RESTORED:
                story.is_over = row.event_type in _OVER
            if row.reason == "RESTORED":
                story.restored.append(row.ts_mono)
            if story.hedging_from is None and (row.state or "").startswith("HEDGE_"):
                story.hedging_from = row.ts_mono
        elif at >= self._quiet_from and self._asks_for_a_step(row, pair, story):
            fact = _Fact(pair.pair_id, row.ts_mono, row.leg == "A", f"the {row.event_type.value} of {row.cl_ord_id}")
            self._facts.append((at + self._settings.prompt_ns + _ROWS_NS, fact))

    def after_step(self, view: View, at: Nanos) -> None:
        while self._facts and at >= self._facts[0][0]:
            _, fact = self._facts.popleft()
            story, by = self._stories[fact.pair_id], fact.stamp + self._settings.prompt_ns
            is_hedged = fact.is_entry and story.hedging_from is not None and story.hedging_from <= by
            if not is_hedged and not any(fact.stamp <= stamp <= by for stamp in story.steps):
                self.breach(at, f"{fact.pair_id} did not act on {fact.what}")

    def _filled(self, row: Row, story: _Story) -> None:
        qty = row.fill_qty or 0
        before = story.open_qty
        story.open_qty += qty if row.side == "BUY" else -qty
        if story.open_qty and (before == 0 or row.reason == "LATE"):
            story.openings.append(row.ts_mono)

    def _timed_out(self, row: Row, pair: PairFacts, story: _Story, at: Nanos) -> None:
        t_hedge = self._settings.t_hedge(pair.symbol)
        waited = [row.ts_mono - opened for opened in story.openings if opened <= row.ts_mono]
        if not waited or at < self._quiet_from or self._is_closing(row):
            return
        is_due = any(t_hedge - _TRANSIT_NS <= each <= t_hedge + self._settings.wake_ns for each in waited)
        was_due = any(row.ts_mono - each <= self._settings.wake_ns for each in story.restored) and max(waited) > t_hedge
        if not is_due and not was_due:
            ms = [each // MS for each in waited]
            self.breach(at, f"t_hedge of {pair.pair_id} is {t_hedge // MS} ms and fired {ms} ms after it was opened")

    def _is_closing(self, row: Row) -> bool:
        return time_of_day(row.ts_wall) >= self._settings.closing - _TRANSIT_NS

    def _asks_for_a_step(self, row: Row, pair: PairFacts, story: _Story) -> bool:
        """It ended, the pair is open, and no order of it is under way that something could still be expected of."""
        match row.event_type:
            case EventType.ORDER_REJECT:
                is_end = row.leg == "B" and not extra_of(row, "overload")
            case EventType.TRADE_FILL:
                is_end = row.leg == "A"
            case EventType.CANCELED:
                is_end = True
            case _:
                is_end = False
        if not is_end or story.is_over or story.live or not story.open_qty or story.open_qty != pair.imbalance:
            return False
        return not any(self._books.lied_about(facts) for facts in pair.orders)
