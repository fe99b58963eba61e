"""Messages are strict, survive JSON, and export their schemas."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from gridmarl.negotiation import schemas
from gridmarl.negotiation.cycle import negotiate
from gridmarl.negotiation.homes.fleet import draw_fleet
from gridmarl.negotiation.schemas import MarketOpportunity, Message
from tests.negotiation.cases import opportunity

MESSAGES = sorted((m for m in vars(schemas).values() if isinstance(m, type) and issubclass(m, Message)), key=str)


def every_message() -> list[Message]:
    """One of each kind, from a negotiation that happened."""
    found = negotiate(draw_fleet(40, 1), opportunity(mw=0.06))
    result, bid = found.result(), found.bid()
    assert bid is not None
    messages = [found.opportunity, *found.bids(1), *found.counter_offers(1), result, found.optimization(), bid]
    return [*messages, result.coalition_members[0]]


def test_every_message_comes_back_from_json_as_it_was():
    messages = every_message()
    assert {type(m) for m in messages} == set(MESSAGES) - {Message}
    for message in messages:
        assert type(message).model_validate_json(message.model_dump_json()) == message


@pytest.mark.parametrize("kind", MESSAGES)
def test_every_message_exports_a_schema_that_allows_no_other_keys(kind):
    schema = kind.model_json_schema()
    assert json.loads(json.dumps(schema)) == schema
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    "change",
    [
        {"required_capacity_mw": "1"},
        {"required_capacity_mw": 0.0},
        {"market_price_mwh": float("nan")},
        {"market_price_mwh": 20_000.0},
        {"duration_hours": 25.0},
        {"market_type": "regulation"},
        {"timestamp": "2026-08-03T18:00:00"},
        {"deadline": "2026-08-04T18:00:00-07:00"},
        {"opportunity_id": "a b"},
        {"bonus": 1.0},
    ],
)
def test_an_opportunity_that_makes_no_sense_is_refused(change):
    good = opportunity().model_dump(mode="json")
    with pytest.raises(ValidationError):
        MarketOpportunity.model_validate_json(json.dumps({**good, **change}))


def test_no_message_has_room_for_a_floor():
    fields = {name for kind in MESSAGES for name in kind.model_fields}
    assert not [name for name in fields if "floor" in name or "backup" in name or "comfort" in name]
