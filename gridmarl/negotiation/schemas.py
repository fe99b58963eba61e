"""What aggregator, prosumers and market tell each other: strict, frozen messages that go through JSON and back.

``Message.model_json_schema()`` exports the schema of each. None of them carries a floor: what a prosumer would accept
at worst stays with its own menu.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from gridmarl.units import HOURS_PER_DAY, KW_PER_MW

MarketType = Literal["energy", "spin", "nonspin"]
Outcome = Literal["full", "relaxed", "failed"]
Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.\-]+$")]
NonNegative = Annotated[float, Field(ge=0.0)]
Positive = Annotated[float, Field(gt=0.0)]

EXPECTED_CALL: Final[Mapping[MarketType, float]] = {"energy": 1.0, "spin": 0.2, "nonspin": 0.1}
"""Share of the promised energy that is expected to be called for; reserves are mostly paid for standing by. An
assumption: it scales what a prosumer asks per MWh delivered to what it asks per MW and hour held ready."""

PRICE_LIMIT_PER_MWH: Final = 10_000.0
"""Above the value of lost load no price is meant seriously."""


class Message(BaseModel):
    """Base of all messages."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class MarketOpportunity(Message):
    """What the market would buy from the virtual power plant."""

    opportunity_id: Name
    market_type: MarketType
    timestamp: AwareDatetime = Field(description="start of delivery, in local time with its offset")
    duration_hours: float = Field(gt=0.0, le=HOURS_PER_DAY)
    required_capacity_mw: Positive
    market_price_mwh: float = Field(ge=0.0, le=PRICE_LIMIT_PER_MWH, description="$/MWh; of reserves $/MW for an hour")
    deadline: AwareDatetime = Field(description="until when a bid is accepted")
    price_source: Literal["market", "synthetic"] = "synthetic"

    @model_validator(mode="after")
    def _in_time(self) -> Self:
        if self.deadline > self.timestamp:
            raise ValueError(f"deadline {self.deadline} is after the start of delivery {self.timestamp}")
        return self

    @property
    def required_kw(self) -> float:
        """The whole requirement, in the prosumers' unit."""
        return KW_PER_MW * self.required_capacity_mw

    @property
    def local_hour(self) -> float:
        """Hour of the day at which delivery starts."""
        start = self.timestamp
        return start.hour + start.minute / 60.0 + start.second / 3600.0

    @property
    def call_share(self) -> float:
        """Expected share of the promised energy that is delivered."""
        return EXPECTED_CALL[self.market_type]


class ProsumerBid(Message):
    """A prosumer's answer in one round: an entry of its own menu."""

    opportunity_id: Name
    prosumer_id: Name
    round: int = Field(ge=1)
    menu_index: int = Field(ge=0, description="0 declines")
    available_capacity_kw: NonNegative
    minimum_price_per_mwh: NonNegative


class CounterOffer(Message):
    """What the aggregator answers."""

    opportunity_id: Name
    prosumer_id: Name
    round: int = Field(ge=1)
    reason: Literal["short", "too_dear", "welcome"]
    wanted_capacity_kw: NonNegative
    offered_price_per_mwh: NonNegative


class CoalitionMember(Message):
    """Who delivers, how much, for what price, and how content it is (0-10)."""

    prosumer_id: Name
    committed_capacity_kw: Positive
    agreed_price_per_mwh: NonNegative
    satisfaction_score: float = Field(ge=0.0, le=10.0)


class NegotiationResult(Message):
    """What came of the rounds."""

    opportunity_id: Name
    coalition_members: tuple[CoalitionMember, ...]
    total_capacity_mw: NonNegative
    negotiation_rounds: int = Field(ge=1)
    final_bid_price: NonNegative = Field(description="$/MWh that the members are paid together; 0 without a coalition")
    prosumer_satisfaction_avg: float = Field(ge=0.0, le=10.0)
    success: bool = Field(description="the whole requirement is met")
    outcome: Outcome = Field(description="relaxed: at least 80 % of the requirement, counted apart")


class OptimizationResult(Message):
    """Who delivers when and is paid what; revenue - payments = profit, to the cent."""

    opportunity_id: Name
    total_bid_capacity_mw: NonNegative
    interval_hours: Positive
    dispatch_schedule: Mapping[Name, tuple[NonNegative, ...]] = Field(description="kW in each interval")
    prosumer_payments: Mapping[Name, float] = Field(description="$, on whole cents")
    revenue: float = Field(description="$, on whole cents")
    expected_profit: float = Field(description="$, the aggregator's; may be negative")
    optimal_bid_price_mwh: NonNegative
    settlement_rule: str


class VPPBid(Message):
    """The offer that enters the auction."""

    bid_id: Name
    opportunity_id: Name
    capacity_mw: Positive
    price_per_mwh: NonNegative
    duration_hours: Positive
    profit_margin: float = Field(le=1.0, description="profit as a share of the revenue")
    reliability_score: float = Field(ge=0.0, le=1.0)
    coalition_size: int = Field(ge=1)
