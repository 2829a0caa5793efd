"""The fourteen incidents: where each hurt, what happened there, what must hold here, and which class stages it.

Data alone, so that the command line can tell of them without loading a machine.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    name: str
    source: str
    """Project and number of the thread."""
    happened: str
    must_hold: str
    stage: tuple[str, str]
    """Module of this package, and the class."""


STORIES: Final = (
    Story(
        name="fill-under-cancel",
        source="hummingbot #2501",
        happened="a maker order filled while its cancel was under way; the bot took it for cancelled, and the other "
        "side never traded",
        must_hold="what filled in the race is booked, and exactly what the confirmed end left over is hedged",
        stage=("fills", "FillUnderCancel"),
    ),
    Story(
        name="several-fills",
        source="hummingbot #855",
        happened="three orders filled almost at once, and two of the fills were hedged",
        must_hold="however many fills come in one instant and in whatever order they are told, each share is hedged",
        stage=("fills", "SeveralFills"),
    ),
    Story(
        name="phantom-fill",
        source="hummingbot #817",
        happened="a fill was reported that the venue never made; its hedge was real",
        must_hold="the machine says that the account contradicts the fill, and begins no pair after that",
        stage=("fills", "PhantomFill"),
    ),
    Story(
        name="no-number",
        source="nautilus_trader #4958",
        happened="an order whose number had not come could not be asked for, was declared rejected, and filled later",
        must_hold="an order without a number is given up only by proof; what it fills is adopted and hedged",
        stage=("orders", "NoNumber"),
    ),
    Story(
        name="inferred-fill",
        source="nautilus_trader #3493",
        happened="a fill was inferred from an order's status just before the real one came: both were counted",
        must_hold="a fill that a list told first and its own report later is one fill, at the broker's price",
        stage=("fills", "InferredFill"),
    ),
    Story(
        name="replayed-fill",
        source="nautilus_trader #3046",
        happened="a restarted node was told of fills that it had applied before, and applied them again or failed",
        must_hold="a fill that was journalled before a restart is not booked again, whoever tells of it",
        stage=("fills", "ReplayedFill"),
    ),
    Story(
        name="sent-anew",
        source="nautilus_trader #3176",
        happened="a restart with a kept cache created the orders of before once more",
        must_hold="no order is sent twice: a restarted machine sends only what is still open, under new ids",
        stage=("orders", "SentAnew"),
    ),
    Story(
        name="dropped-order",
        source="nautilus_trader #5000",
        happened="start-up reconciliation dropped a working order because the fills did not add up to the position",
        must_hold="an order that works at the broker is taken over by the next machine, whatever the holdings say",
        stage=("orders", "DroppedOrder"),
    ),
    Story(
        name="position-mismatch",
        source="bytex #30",
        happened="a position that differed from the broker's was logged and ignored; the node traded as if flat",
        must_hold="what the account holds is what is sold: shares that the trader sold meanwhile are offered by nobody",
        stage=("orders", "PositionMismatch"),
    ),
    Story(
        name="wrong-venue",
        source="Ouroboros #375",
        happened="a cancel went to another venue than its order, which stayed where it was",
        must_hold="every cancel goes to the venue of its order, after a restart too",
        stage=("orders", "WrongVenue"),
    ),
    Story(
        name="outage-burst",
        source="hummingbot #8457",
        happened="polls that failed in an outage counted against the orders, which were dropped; their fills were "
        "never booked",
        must_hold="everything that filled while the line was down is booked and hedged when it is up again",
        stage=("fills", "OutageBurst"),
    ),
    Story(
        name="trading-break",
        source="vnpy #1298",
        happened="a passive leg was sent and cancelled more than 20,000 times over the noon break",
        must_hold="a break costs a bounded number of calls, and the pair goes on after it or is shown as open",
        stage=("orders", "TradingBreak"),
    ),
    Story(
        name="fast-senders",
        source="koapy #97",
        happened="of orders sent at once by several callers some vanished without a trace",
        must_hold="each attempt reaches the broker exactly once or is refused with a row",
        stage=("orders", "FastSenders"),
    ),
    Story(
        name="report-first",
        source="koapy #55",
        happened="a chejan came before the TR answer with the order's number; the order thread died of it",
        must_hold="reports before the number change nothing: each is booked to the order that it is of",
        stage=("orders", "ReportFirst"),
    ),
)
