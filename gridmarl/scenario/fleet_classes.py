"""Classes of generating units: what their members have in common, and the ranges a synthetic fleet is drawn from.

Counts and sizes follow the RTS-GMLC test system (Barrows et al., "The IEEE Reliability Test System: A Proposed 2019
Update", IEEE Trans. Power Systems 35(1), 2020): 158 units, of which 154 generate, one stores and three are synchronous
condensers. Heat rates and fuel prices enclose that system's and lie near the averages of the EIA's "Electric Power
Annual" (tables 7.4 and 8.2); CO2 per unit of fuel is the EIA's "Carbon Dioxide Emissions Coefficients"; start costs
lie near those of Kumar et al., "Power Plant Cycling Costs" (NREL/SR-5500-55433, 2012). Inertia constants lie within the
typical ranges of Kundur, "Power System Stability and Control" (1994), table 3.2: 2.5-6 s for two-pole thermal units,
4-10 s for four-pole ones, 2-4 s for water turbines; they are taken on the rating in MW.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Role = Literal["fuel", "weather", "storage", "condenser"]
Range = tuple[float, float]

USUAL_DROOP: Final = 0.05


@dataclass(frozen=True, slots=True)
class UnitClass:
    """What the units of one class have in common."""

    role: Role
    technology: str
    unit_types: tuple[tuple[str, str], ...]  # (unit_type, fuel) in a table of RTS-GMLC's shape, in capitals
    inertia_s: float = 0.0
    droop: float | None = None
    profile: str | None = None  # by default the profile of its availability


@dataclass(frozen=True, slots=True)
class Draw:
    """Ranges that the units of one class are drawn from, each uniform."""

    count: int
    capacity_mw: Range
    minimum_share: Range = (0.0, 0.0)  # of the capacity
    ramp_share_per_min: Range = (1.0, 1.0)  # of the capacity
    heat_rate_btu_per_kwh: Range = (0.0, 0.0)  # at full load
    rise_share: Range = (0.0, 0.0)  # of the incremental heat rate from no to full output
    fuel_per_mmbtu: Range = (0.0, 0.0)  # $
    co2_lb_per_mmbtu: Range = (0.0, 0.0)
    start_per_mw: Range = (0.0, 0.0)  # $ for a cold start


CLASSES: Final[Mapping[str, UnitClass]] = {
    "nuclear": UnitClass("fuel", "nuclear", (("NUCLEAR", "NUCLEAR"),), 5.0, USUAL_DROOP),
    "coal": UnitClass("fuel", "coal", (("STEAM", "COAL"),), 3.0, USUAL_DROOP),
    "gas-cc": UnitClass("fuel", "gas-cc", (("CC", "NG"),), 4.0, USUAL_DROOP),
    "gas-ct": UnitClass("fuel", "gas-ct", (("CT", "NG"),), 3.5, USUAL_DROOP),
    "oil-ct": UnitClass("fuel", "oil-ct", (("CT", "OIL"),), 2.8, USUAL_DROOP),
    "oil-steam": UnitClass("fuel", "oil-steam", (("STEAM", "OIL"),), 2.8, USUAL_DROOP),
    "hydro": UnitClass("weather", "hydro", (("HYDRO", "HYDRO"), ("ROR", "HYDRO")), 3.5, USUAL_DROOP, "hydro"),
    "wind": UnitClass("weather", "wind", (("WIND", "WIND"),), profile="wind"),
    "solar": UnitClass("weather", "solar", (("PV", "SOLAR"),), profile="solar"),
    "rooftop": UnitClass("weather", "solar", (("RTPV", "SOLAR"),), profile="rooftop"),
    "csp": UnitClass("weather", "csp", (("CSP", "SOLAR"),), 3.0, profile="csp"),
    "storage": UnitClass("storage", "battery", (("STORAGE", "STORAGE"),)),
    "condenser": UnitClass("condenser", "condenser", (("SYNC_COND", "SYNC_COND"),)),
}
"""Class -> what its units share. Sun and wind stand behind inverters; condensers turn, but trade nothing."""

RTS: Final[Mapping[str, Draw]] = {
    "nuclear": Draw(
        1, (390, 410), (0.95, 0.99), (0.04, 0.06), (9900, 10500), (0.01, 0.03), (0.75, 0.85), start_per_mw=(150, 200)
    ),
    "coal": Draw(
        16, (75, 215), (0.38, 0.42), (0.012, 0.026), (9900, 11200), (0.05, 0.2), (1.9, 2.4), (205, 215), (100, 150)
    ),
    "gas-cc": Draw(
        10, (340, 370), (0.45, 0.5), (0.011, 0.013), (6900, 7600), (0.05, 0.2), (3.6, 4.2), (117, 118), (60, 100)
    ),
    "gas-ct": Draw(
        27, (50, 60), (0.38, 0.42), (0.06, 0.08), (9500, 11200), (0.05, 0.2), (3.6, 4.2), (117, 118), (80, 120)
    ),
    "oil-ct": Draw(12, (18, 22), (0.38, 0.42), (0.1, 0.2), (11000, 13000), (0.05, 0.2), (10, 11), (160, 164), (2, 10)),
    "oil-steam": Draw(
        7, (11, 13), (0.4, 0.44), (0.07, 0.1), (13000, 14500), (0.05, 0.2), (10, 11), (165, 174), (50, 70)
    ),
    "hydro": Draw(20, (45, 55)),
    "wind": Draw(4, (400, 850)),
    "solar": Draw(25, (25, 100)),
    "rooftop": Draw(31, (5, 70)),
    "csp": Draw(1, (190, 210), (0.15, 0.15), (0.1, 0.1)),
    "storage": Draw(1, (45, 55)),
    "condenser": Draw(3, (0, 0)),
}
"""Class -> how many units of it, and of which kind."""


def class_of(unit_type: str, fuel: str) -> str | None:
    """Class of a unit by its columns ``unit_type`` and ``fuel``; None where no class has them."""
    wanted = (unit_type.strip().upper(), fuel.strip().upper())
    return next((name for name, known in CLASSES.items() if wanted in known.unit_types), None)
