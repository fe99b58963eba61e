"""What observed numbers are multiplied by: kernels write MW, MWh and $, and scale a whole row at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gridmarl.environment.compiled.fields import FIELDS, OWN_SIZES, PUBLIC, Field
from gridmarl.scenario.participants import Battery, Generator, Load
from gridmarl.scenario.prosumers import Prosumer
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import HOURS_PER_DAY, Float32

STAGES, RESERVE_STEPS, TEMPERATURE_C, CYCLES, KG_PER_T = 3.0, 4.0, 20.0, 10.0, 1000.0
AS_IS = 1.0
PRICE, PEAK, CAPACITY, LIMIT, LOAD = (
    "reference prices",
    "share of peak demand",
    "share of capacity",
    "share of power limit",
    "share of own peak load",
)


def peak_demand(scenario: Scenario) -> float:
    """What power in the system is measured by, MW: all loads together, or all capacity where there is none."""
    load_mw = sum(c.load_mw for c in scenario.all_consumers)
    return load_mw or sum(g.capacity_mw for g in scenario.all_generators) or 1.0


def scale_table(scenario: Scenario, seats: Sequence[str], roles: Sequence[str]) -> Float32:
    """Factors of every seat's own block and, in the last row, of the public block.

    Parameters
    ----------
    scenario : Scenario
    seats, roles : sequences of str
        As in the layout.

    Returns
    -------
    (seat + 1, field) float32 array
        Padded with ones.
    """
    common = {
        PRICE: 1.0 / scenario.reference_price_per_mwh,
        PEAK: 1.0 / peak_demand(scenario),
        "t/MWh": 1.0 / KG_PER_T,
        "t per MWh of demand": 1.0 / KG_PER_T,
        "share of episode": 1.0 / scenario.intervals,
        "share of day": 1.0 / HOURS_PER_DAY,
    }
    dollar = common[PRICE] / scenario.interval_h  # of an interval, per MW
    members = {m.name: m for group in _groups(scenario) for m in group}
    table = np.ones((len(seats) + 1, max(len(PUBLIC), *OWN_SIZES.values())), np.float32)
    for row, (seat, role) in enumerate(zip(seats, roles, strict=True)):
        own = {"reserve_level": 1.0 / RESERVE_STEPS} if role == "operator" else _own(members[seat], dollar)
        _fill(table[row], FIELDS[role][: OWN_SIZES[role]], {**common, **own})
    _fill(table[-1], PUBLIC, {**common, "emergency": 1.0 / STAGES, "temperature": 1.0 / TEMPERATURE_C})
    return table


def _groups(scenario: Scenario) -> tuple[Sequence[Generator | Battery | Load | Prosumer], ...]:
    return scenario.all_generators, scenario.all_storage, scenario.all_consumers, scenario.all_prosumers


def _fill(row: Float32, block: Sequence[Field], factors: Mapping[str, float]) -> None:
    """A field's name decides before its unit."""
    row[: len(block)] = [factors.get(f.name, factors.get(f.unit, AS_IS)) for f in block]


def _own(member: Generator | Battery | Load | Prosumer, dollar: float) -> dict[str, float]:
    """Factors of one participant by the name or the unit of a field."""
    match member:
        case Generator():
            share = 1.0 / member.capacity_mw
            already = dict.fromkeys(("available", "available_1h", "available_4h"), AS_IS)
            return {CAPACITY: share, "profit_last": dollar * share, "fuel_cost_last": dollar * share, **already}
        case Battery():
            share, limit = 1.0 / member.capacity_mwh, 1.0 / member.power_mw
            hours = {"hours": limit / HOURS_PER_DAY, "cycles": share / CYCLES}
            return {CAPACITY: share, LIMIT: limit, "profit_last": dollar * limit, **hours}
        case Load():
            share = 1.0 / member.load_mw
            already = {"baseline": AS_IS, "flexible": AS_IS, "temperature": 1.0 / TEMPERATURE_C}
            return {LOAD: share, "saving_last": dollar * share, **already}
        case Prosumer():
            return _of_home(member, dollar)


def _of_home(home: Prosumer, dollar: float) -> dict[str, float]:
    solar_mw, load_mw = home.solar.capacity_mw if home.solar else 0.0, home.load.load_mw if home.load else 0.0
    stores = [part for part in (home.battery, home.ev) if part]
    share = 1.0 / max(solar_mw, load_mw, *(part.power_mw for part in stores), 0.0)
    factors = {"share of size": share, "profit_last": dollar * share, "load": AS_IS, "flexible": AS_IS}
    if home.load:
        factors[LOAD] = 1.0 / load_mw
    if home.battery:
        limit = 1.0 / home.battery.power_mw
        factors |= {"battery_soc": 1.0 / home.battery.capacity_mwh, "battery_hours": limit / HOURS_PER_DAY}
        factors |= {"battery_charge_limit": limit, "battery_discharge_limit": limit}
    if home.ev:
        whole = 1.0 / home.ev.capacity_mwh
        factors |= {"vehicle_soc": whole, "vehicle_needed": whole, "vehicle_must_charge": 1.0 / home.ev.power_mw}
    return factors
