"""A pair's plan as a JSON object, for the journal row of its entry, and back.

Every field of PairPlan under its own name: enums by value, a leg as an object of its own.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from actors.messages.orders import OrderStyle
from actors.messages.pairs import Leg, PairPlan
from kiwoom.market import Market, Side, Venue, Won

_LEGS = ("entry", "hedge")
_PLAIN = tuple(field.name for field in fields(PairPlan) if field.name not in {"market", *_LEGS})


def plan_as_json(plan: PairPlan) -> dict[str, Any]:
    legs = {name: _leg_as_json(getattr(plan, name)) for name in _LEGS}
    return {**{name: getattr(plan, name) for name in _PLAIN}, "market": plan.market.value, **legs}


def plan_from_json(record: Mapping[str, Any]) -> PairPlan:
    """Raises KeyError if the record is not one of `plan_as_json`."""
    values: dict[str, Any] = {name: record[name] for name in _PLAIN}
    values |= {name: _leg_from_json(record[name]) for name in _LEGS}
    return PairPlan(market=Market(record["market"]), **values)


def _leg_as_json(leg: Leg) -> dict[str, Any]:
    return {"venue": leg.venue.value, "side": leg.side.value, "style": leg.style.value, "price": leg.price}


def _leg_from_json(record: Mapping[str, Any]) -> Leg:
    return Leg(Venue(record["venue"]), Side(record["side"]), OrderStyle(record["style"]), Won(record["price"]))
