"""The results of a run: what is said of its quotes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from actors.cores.telemetry import FIGURES_INTERVAL_NS, TelemetryCore, TelemetrySettings
from actors.messages.market_data import ShardCounted
from actors.messages.supervision import ActorStatus, MachineStatus
from actors.messages.telemetry import MachineFigures
from supervision.results import Ending, quotes_of
from tests.support.playbook import Playbook


def figures(final: bool) -> MachineFigures:
    """20 quotes of KRX and 30 of NXT were new, 4 and 5 were repeats."""
    book = Playbook(TelemetryCore(TelemetrySettings(shards=1, order_window_limit=5)))
    book.hears(ShardCounted(0, (20, 30), (4, 5), batches=3, malformed=0, final=final)).waits(FIGURES_INTERVAL_NS)
    shown = book.take_sends()[-1].message
    assert isinstance(shown, MachineFigures)
    return shown


def ending(published: int, final: bool, restarts: dict[str, int]) -> Ending:
    actors = tuple(ActorStatus(name, 0, True, restarts.get(name, 0)) for name in ("gateway", "market_data", "router"))
    last = MachineStatus("running", actors, None, figures(final), True, False, "")
    made: Any = Ending(Path(), None, None, "", 0, last=last)  # type: ignore[arg-type]
    return replace(made, broker_summary={"published": {"KRX": published, "NXT": 35}})


@pytest.mark.parametrize(
    ("published", "final", "restarts", "lost"),
    [
        (24, True, {}, 0),
        (26, True, {}, 2),
        (26, True, {"router": 1}, 2),
        (26, False, {}, None),
        (26, True, {"market_data": 1}, None),
    ],
)
def test_how_many_quotes_were_lost_is_said_only_if_it_is_known(
    published: int, final: bool, restarts: dict[str, int], lost: int | None
) -> None:
    quotes = quotes_of(ending(published, final, restarts))
    assert (quotes["lost"], quotes["received"], quotes["duplicate"]) == (
        lost,
        {"KRX": 20, "NXT": 30},
        {"KRX": 4, "NXT": 5},
    )
