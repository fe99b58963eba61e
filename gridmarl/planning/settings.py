"""How a planner plans: what stands in its YAML."""

from __future__ import annotations

from pydantic import Field, PositiveFloat, model_validator

from gridmarl.agents.agent import Information
from gridmarl.planning.model.horizon import DEFAULT_GRID, Grid
from gridmarl.scenario.model import Model


class PlannerSettings(Model):
    """How a planner plans."""

    method: str = "central"
    information: Information = "forecast"
    horizon_h: PositiveFloat = 24.0
    replan_every_h: PositiveFloat = 1.0
    grid: Grid = Field(default=DEFAULT_GRID, description="(until hour, step hours); 0 is every interval")
    max_rounds: int = Field(default=500, gt=0)
    tolerance: PositiveFloat = Field(
        default=1e-5, description="of the negotiation's residuals, over the largest rating, and of the gap"
    )
    recourse: bool = Field(
        default=False,
        description="whether only the first step is decided for all price scenarios at once, and later ones for each",
    )
    exclusive: bool = Field(
        default=False, description="whether binaries keep batteries from charging and discharging at once (central)"
    )
    workers: int = Field(default=1, gt=0, description="threads for the local solves of ADMM's owners; same plan")
    memory: int = Field(default=10, ge=0, le=30, description="rounds that ADMM's acceleration mixes; 0 is none")
    secure: bool = Field(default=False, description="whether ADMM's owners answer under masks that cancel in the sum")

    @model_validator(mode="after")
    def _check(self) -> PlannerSettings:
        if self.information != "perfect" and self.replan_every_h > self.horizon_h:
            raise ValueError(f"replan_every_h {self.replan_every_h:g} must not exceed horizon_h {self.horizon_h:g}")
        return self
