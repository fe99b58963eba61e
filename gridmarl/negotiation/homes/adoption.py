"""How common roofs, batteries and cars are in California, and what the households that join a virtual power plant own.

Who joins is taken to be a home that newly connects a roof under the net billing tariff (since April 2023).

Sources
-------
- Storage with new residential roofs: 60 % under net billing, about 10 % before. Barbose, "One Year In: Tracking the
  Impacts of NEM 3.0 on California's Residential Solar Market", Lawrence Berkeley National Laboratory (2024).
- Zero-emission vehicles: 5.2 % of the vehicles registered at the end of 2023 (California Energy Commission, in Next 10
  and Beacon Economics, "California Green Innovation Index", 2024). With about 1.9 vehicles a household (American
  Community Survey) one household in ten has one.
- 39 % of the owners of such cars have a roof (Center for Sustainable Energy, "California Plug-in Electric Vehicle
  Driver Survey", 2012); one home in six has (Gipe, "2024 California Rooftop Solar Now 10% of State Consumption", 2024).
  By Bayes' rule 0.39 x 0.10 / (1/6) = 23 % of the homes with a roof have a car.
- Batteries come in the sizes of the data sheets of Tesla, Enphase and SolarEdge; cars in those of common models.

Assumed, for want of a source: the weights of the sizes; that a quarter of the cars can discharge into the home; and
everything about wishes. Minimum prices lie around 45 $/MWh (wear of 20-30 $/MWh and something for the trouble).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from gridmarl.errors import ScenarioError

Sizes = tuple[tuple[float, float, float], ...]

VEHICLES_PER_HOUSEHOLD: Final = 1.9
ZERO_EMISSION_SHARE: Final = 0.052
ROOF_SHARE_OF_CAR_OWNERS: Final = 0.39
HOMES_WITH_ROOF: Final = 1.0 / 6.0
CAR_SHARE_UNDER_ROOF: Final = ROOF_SHARE_OF_CAR_OWNERS * VEHICLES_PER_HOUSEHOLD * ZERO_EMISSION_SHARE / HOMES_WITH_ROOF

BATTERY_SIZES: Final[Sizes] = (
    (13.5, 5.0, 0.40),
    (13.5, 11.5, 0.20),
    (10.0, 7.68, 0.20),
    (9.7, 5.0, 0.10),
    (27.0, 10.0, 0.10),
)
"""kWh, kW, weight: Powerwall 2 and 3, two Enphase 5P, a SolarEdge Home Battery, two Powerwall 2."""
CAR_SIZES: Final[Sizes] = ((40.0, 7.4, 0.2), (60.0, 7.4, 0.25), (75.0, 9.6, 0.35), (98.0, 11.5, 0.2))
"""kWh, kW of the wall box, weight."""


@dataclass(frozen=True, slots=True)
class Adoption:
    """Shares of the households of a fleet that own things."""

    roof: float = 1.0
    battery_under_roof: float = 0.60
    car: float = CAR_SHARE_UNDER_ROOF
    car_discharges: float = 0.25  # of the cars; assumed

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0.0 <= value <= 1.0:
                raise ScenarioError(f"adoption, {field.name}", value, "a share of 0 to 1", "state it per household")


JOINING: Final = Adoption()
"""Homes that connect a roof today."""
ALL_HOMES: Final = Adoption(
    roof=HOMES_WITH_ROOF, battery_under_roof=0.10, car=VEHICLES_PER_HOUSEHOLD * ZERO_EMISSION_SHARE
)
"""All homes: few of them have anything to offer."""
