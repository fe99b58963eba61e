"""The market's rules, the operator's settings and what risk-averse owners plan against."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from gridmarl.scenario.model import Model

Pricing = Literal["lower", "upper", "midpoint"]
Imbalance = Literal["single", "dual"]
Clearing = Literal["in-turn", "joint"]
Split = Literal["train", "select", "test"]
SPLITS: tuple[Split, ...] = ("train", "select", "test")


class MarketRules(Model):
    """Bounds of orders, the value of lost load and which end of the price interval is paid."""

    floor_per_mwh: float = -100.0
    cap_per_mwh: float = 1000.0
    voll_per_mwh: float = Field(default=10_000.0, description="value of lost load: the bid of inelastic load")
    pricing: Pricing = "lower"
    imbalance: Imbalance = Field(
        default="single", description="dual: deviations that hurt the system settle at the worse of both prices"
    )
    carbon_price_per_t: NonNegativeFloat = Field(default=0.0, description="adder on offers, collected by the operator")
    clearing: Clearing = Field(
        default="in-turn",
        description="in-turn: energy, then reserve from the room that is left; joint: both in one linear programme, so "
        "that prices leave no seller wishing for another award. It takes about a millisecond per market and interval",
    )

    @model_validator(mode="after")
    def _check(self) -> MarketRules:
        if not self.floor_per_mwh < self.cap_per_mwh < self.voll_per_mwh:
            raise ValueError(
                f"floor {self.floor_per_mwh} < cap {self.cap_per_mwh} < voll {self.voll_per_mwh} must hold ($/MWh)"
            )
        return self


class OperatorSettings(Model):
    """Weights of the operator's reward vector and the sizes of its interventions."""

    stability_weight: NonNegativeFloat = 1.0
    cost_weight: NonNegativeFloat = 1.0
    emissions_weight: NonNegativeFloat = 0.05
    out_of_band_per_h: NonNegativeFloat = Field(
        default=1000.0, description="stability's price of an hour with frequency, or voltage, outside its band"
    )
    carbon_step_per_t: NonNegativeFloat = Field(
        default=25.0, description="intervention 1 adds this to the carbon adder on offers"
    )
    mitigated_per_mwh: float | None = Field(
        default=None, description="intervention 4 lowers offers to this; none: twice the reference price"
    )


class PriceScenarios(Model):
    """Prices that owners weigh when they plan: one row a scenario, one column an interval."""

    prices_per_mwh: tuple[tuple[float, ...], ...]
    probabilities: tuple[PositiveFloat, ...]
    alpha: float = Field(default=0.8, gt=0, lt=1, description="confidence level of CVaR: 0.95 is the worst 5 %")

    @model_validator(mode="after")
    def _check(self) -> PriceScenarios:
        if len(self.prices_per_mwh) != len(self.probabilities):
            raise ValueError(f"{len(self.prices_per_mwh)} rows of prices but {len(self.probabilities)} probabilities")
        if len({len(row) for row in self.prices_per_mwh}) != 1:
            raise ValueError("all rows of prices must have the same number of intervals")
        if abs(sum(self.probabilities) - 1) > 1e-9:
            raise ValueError(f"probabilities sum to {sum(self.probabilities)}, not to 1")
        return self


class OwnerSettings(Model):
    """How an owner weighs risk: 0 plans for the mean, 1 for the worst tail only."""

    beta: float = Field(default=0.0, ge=0, le=1)
