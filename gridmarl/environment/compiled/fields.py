"""The names behind every number an agent observes. Names, order, scaling and size are fixed; the version says so.

Each observation is the seat's own block followed by a prefix of the public block, so seats that share a prefix share
the same numbers. Fields of physics that a world does not have read their nominal value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from gridmarl.units import Float32, Int

VERSION: Final = 1
VECTOR: Final = 16  # numbers that processors handle at once
ROLES: Final = ("generator", "storage", "consumer", "prosumer", "operator")
LEAD_HOURS: Final = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 12.0)
"""Forecasts are observed this many hours ahead (at least one interval apart)."""


@dataclass(frozen=True, slots=True)
class Field:
    """One number of an observation.

    Attributes
    ----------
    name : str
    unit : str
        What the number is measured in, after scaling: "share of capacity", "reference prices", ...
    low, high : float
        Bounds; values beyond are clipped.
    description : str
    """

    name: str
    unit: str
    low: float
    high: float
    description: str


def _share(name: str, description: str, of: str = "capacity") -> Field:
    return Field(name, f"share of {of}", 0.0, 2.0, description)


def _signed(name: str, description: str, of: str = "capacity") -> Field:
    return Field(name, f"share of {of}", -2.0, 2.0, description)


def _price(name: str, description: str) -> Field:
    return Field(name, "reference prices", -20.0, 20.0, description)


def _circle(name: str, description: str) -> Field:
    return Field(name, "1", -1.0, 1.0, description)


def _nominal(name: str, unit: str, description: str) -> Field:
    return Field(name, unit, -2.0, 2.0, description)


def _of_peak(name: str, description: str) -> Field:
    return _share(name, description, "peak demand")


def _signed_of_peak(name: str, description: str) -> Field:
    return _signed(name, description, "peak demand")


def _ahead(prefix: str, kind: str, what: str) -> tuple[Field, ...]:
    make = {"price": _price, "share": _of_peak, "net": _signed_of_peak}[kind]
    return tuple(make(f"{prefix}_{lead}", f"{what}, {hours:g} h ahead") for lead, hours in enumerate(LEAD_HOURS, 1))


PUBLIC: Final = (
    _circle("hour_sin", "sine of the time of day"),
    _circle("hour_cos", "cosine of the time of day"),
    _circle("week_sin", "sine of the time of week"),
    _circle("week_cos", "cosine of the time of week"),
    _price("price_last", "clearing price of the last interval"),
    _price("price_lag_2", "clearing price two intervals ago"),
    _price("price_lag_3", "clearing price three intervals ago"),
    _price("price_mean_hour", "exponential mean of prices over an hour"),
    _price("price_mean_day", "exponential mean of prices over a day"),
    _share("shortage_last", "load shed in the last interval", "demand"),
    *_ahead("price_forecast", "price", "price at which a public reference stack meets the forecast"),
    *_ahead("net_demand_forecast", "net", "forecast demand less renewable output"),
    _nominal("frequency", "deviation from nominal, in bands", "0 is nominal"),
    _nominal("voltage", "deviation from nominal, in bands", "0 is nominal"),
    _share("reserve_requirement", "reserve asked for in the last interval", "demand"),
    _price("reserve_price", "price of reserve in the last interval"),
    _nominal("emergency", "stages / 3", "the worst stage of the last interval; 0 is none"),
    _price("carbon_adder", "adder on offers in the last interval, at 1 t/MWh"),
    _share("demand_last", "demand of the last interval", "peak demand"),
    _share("renewable_last", "renewable output of the last interval", "peak demand"),
    _signed("system_net_load", "net load of the larger system in the last interval", "its scale"),
    _nominal("temperature", "(C - 20) / 20", "outside temperature of the last interval"),
    *_ahead("renewable_forecast", "share", "forecast renewable output"),
)

GENERATOR: Final = (
    _share("output_last", "scheduled output of the last interval"),
    _share("available", "forecast of the available output"),
    _share("must_run", "what the unit cannot avoid to produce next"),
    _share("deliverable", "what ramps and availability allow next"),
    _share("capacity", "capacity of the unit", "peak demand"),
    _share("minimum", "minimum output"),
    _price("marginal_cost", "true marginal cost at zero output"),
    _price("cost_slope", "rise of the true marginal cost up to full output"),
    _price("fuel_cost_last", "true cost of the last schedule per MWh of capacity"),
    Field("co2_rate", "t/MWh", 0.0, 2.0, "CO2 rate"),
    _share("ramp", "ramp limit per interval"),
    _share("online", "1 unless in maintenance", "1"),
    _share("offered_last", "offered in the last interval"),
    _price("offer_price_last", "mean price of the last offer above must-run"),
    _price("profit_last", "profit of the last interval per MWh of capacity"),
    _price("margin_last", "last clearing price less marginal cost"),
    _price("margin_forecast", "price forecast of the next interval less marginal cost"),
    _share("available_1h", "forecast of the available output one hour ahead"),
    _share("available_4h", "forecast of the available output four hours ahead"),
    _share("remaining", "what is left of the episode", "episode"),
)

STORAGE: Final = (
    _share("soc", "stored energy over capacity"),
    _share("energy_below", "stored energy above the window's lower end"),
    _share("room_above", "room below the window's upper end"),
    _signed("power_last", "scheduled power of the last interval, + discharges", "power limit"),
    _share("charge_limit", "most charging power next", "power limit"),
    _share("discharge_limit", "most discharging power next", "power limit"),
    _share("charge_efficiency", "one way", "1"),
    _share("discharge_efficiency", "one way", "1"),
    _price("wear", "true cost of a MWh charged or discharged"),
    _share("hours", "hours from empty to full at full power, over 24", "day"),
    _share("power_limit", "power limit", "peak demand"),
    _price("profit_last", "profit of the last interval per MWh at full power"),
    _share("cycles", "energy discharged so far over capacity, over 10", "ten cycles"),
    _price("spread_forecast", "highest less lowest observed price forecast"),
    _price("spread_last", "last clearing price less its mean over a day"),
    _share("remaining", "what is left of the episode", "episode"),
)

CONSUMER: Final = (
    _share("baseline", "forecast of the uncontrolled load", "own peak load"),
    _share("baseline_last", "uncontrolled load of the last interval", "own peak load"),
    _share("flexible_share", "share of the load that can be offered", "load"),
    _share("flexible", "forecast of the load that can be offered", "own peak load"),
    _share("comfort_debt", "energy owed to comfort, in hours at peak", "own peak load"),
    _share("rebound", "power that comes back next", "own peak load"),
    _price("dr_price", "asked for a reduction by the default codec"),
    _price("comfort_cost", "true cost of a reduction"),
    _share("reduction_last", "reduction of the last interval", "own peak load"),
    _share("unserved_last", "load shed in the last interval", "own peak load"),
    _price("saving_last", "reward of the last interval per MWh at peak"),
    _price("margin_forecast", "price forecast of the next interval less the true cost"),
    _nominal("temperature", "(C - 20) / 20", "outside temperature of the last interval"),
    _share("irradiance", "renewable share of the last interval's demand", "demand"),
)

PROSUMER: Final = (
    _share("size", "largest power of any of its parts", "peak demand"),
    _share("load_present", "1 where it has a load", "1"),
    _share("load", "forecast of the uncontrolled load", "own peak load"),
    _share("load_last", "uncontrolled load of the last interval", "own peak load"),
    _share("flexible", "forecast of the load that can be offered", "own peak load"),
    _share("comfort_debt", "energy owed to comfort, in hours at peak", "own peak load"),
    _price("dr_price", "asked for a reduction"),
    _price("comfort_cost", "true cost of a reduction"),
    _share("reduction_last", "reduction of the last interval", "own peak load"),
    _share("unserved_last", "load shed in the last interval", "own peak load"),
    _share("solar_present", "1 where it has a roof", "1"),
    _share("solar_capacity", "capacity of the roof", "size"),
    _share("solar_available", "forecast of the available output"),
    _share("solar_available_1h", "forecast of the available output one hour ahead"),
    _share("solar_available_4h", "forecast of the available output four hours ahead"),
    _share("battery_present", "1 where it has a battery", "1"),
    _share("battery_soc", "stored energy over capacity"),
    _share("battery_charge_limit", "most charging power next", "power limit"),
    _share("battery_discharge_limit", "most discharging power next", "power limit"),
    _share("battery_hours", "hours from empty to full at full power, over 24", "day"),
    _price("battery_wear", "true cost of a MWh charged or discharged"),
    _share("vehicle_present", "1 where it has a vehicle", "1"),
    _share("vehicle_plugged_in", "1 where the vehicle is there in the next interval", "1"),
    _share("vehicle_soc", "stored energy over capacity"),
    _share("vehicle_needed", "energy still missing to be ready to leave"),
    _share("vehicle_must_charge", "charging that can no longer wait", "power limit"),
    _signed("vehicle_hours", "hours until it leaves; negative: until it is back", "day"),
    _signed("net_power_last", "net injection of the last interval", "size"),
    _price("profit_last", "reward of the last interval per MWh at full size"),
    _signed("transformer_loading", "net power of its transformer in the last interval, + exports", "rating"),
)

OPERATOR_GLOBALS: Final = (
    _circle("hour_sin", "sine of the time of day"),
    _circle("hour_cos", "cosine of the time of day"),
    _price("price_last", "clearing price of the last interval"),
    _price("price_mean_hour", "exponential mean of prices over an hour"),
    _price("price_mean_day", "exponential mean of prices over a day"),
    _share("demand_last", "demand of the last interval", "peak demand"),
    *(
        _signed(f"net_demand_forecast_{k}", f"net demand, {LEAD_HOURS[k - 1]:g} h ahead", "peak demand")
        for k in (1, 3, 5, 7)
    ),
    _share("renewable_last", "renewable output of the last interval", "peak demand"),
    _share("renewable_forecast_1", "renewable output of the next interval", "peak demand"),
    _share("unserved_last", "load shed in the last interval", "demand"),
    _share("curtailed_last", "must-run output curtailed in the last interval", "peak demand"),
    Field("emissions_last", "t per MWh of demand", 0.0, 2.0, "emissions of the last interval"),
    _signed("import_last", "net import of the last interval", "peak demand"),
    _nominal("frequency", "deviation from nominal, in bands", "0 is nominal"),
    _nominal("voltage", "deviation from nominal, in bands", "0 is nominal"),
    _share("reserve_level", "chosen reserve level over 4", "4"),
    _price("carbon_adder", "adder on offers in the last interval, at 1 t/MWh"),
)


def _slot(number: int) -> tuple[Field, ...]:
    return (
        _share(f"class_{number}_present", "1 where a participant class fills the slot", "1"),
        _share(f"class_{number}_capacity", "capacity of the class", "peak demand"),
        _share(f"class_{number}_offered", "offered in the last interval", "peak demand"),
        _share(f"class_{number}_accepted", "accepted in the last interval", "peak demand"),
        _price(f"class_{number}_offer_price", "mean offer price in the last interval"),
    )


PUBLIC_PREFIX: Final = {"generator": 44, "storage": 32, "consumer": 26, "prosumer": 26, "operator": 0}
"""How much of the public block follows a role's own block."""

FIELDS: Final[dict[str, tuple[Field, ...]]] = {
    "generator": GENERATOR + PUBLIC[:44],
    "storage": STORAGE + PUBLIC[:32],
    "consumer": CONSUMER + PUBLIC[:26],
    "prosumer": PROSUMER + PUBLIC[:26],
    "operator": OPERATOR_GLOBALS + tuple(field for slot in range(1, 13) for field in _slot(slot)),
}
SIZES: Final = {role: len(fields) for role, fields in FIELDS.items()}
OWN_SIZES: Final = {role: len(FIELDS[role]) - PUBLIC_PREFIX[role] for role in ROLES}


def bounds(role: str) -> tuple[Float32, Float32]:
    """Lowest and highest observation of a role, (field,) each."""
    fields = FIELDS[role]
    return np.array([f.low for f in fields], np.float32), np.array([f.high for f in fields], np.float32)


def bound_table() -> tuple[Float32, Float32]:
    """Bounds of the own blocks by role and, last, of the public block: (role + 1, field), padded."""
    blocks = [FIELDS[role][: OWN_SIZES[role]] for role in ROLES] + [PUBLIC]
    low = np.full((len(blocks), max(map(len, blocks))), -np.inf, np.float32)
    high = -low
    for row, block in enumerate(blocks):
        low[row, : len(block)] = [f.low for f in block]
        high[row, : len(block)] = [f.high for f in block]
    return low, high


def own_sizes() -> Int:
    """How many numbers are a seat's own, and how many in whole vectors, (role, 2); the public block covers the rest."""
    sizes = np.array([OWN_SIZES[role] for role in ROLES], np.int64)
    whole = np.minimum(-(-sizes // VECTOR) * VECTOR, [SIZES[role] for role in ROLES])
    return np.stack([sizes, whole], axis=1)
