"""Small worlds with homes, vehicles and transformers."""

from __future__ import annotations

from hypothesis import strategies as st

from gridmarl.scenario.scenario import Scenario
from tests.environment.worlds import Settings, world

FLAT: Settings = {"shape": "constant"}
VEHICLE: Settings = {
    "capacity_kwh": 50,
    "power_kw": 10,
    "soc_min": 0.1,
    "soc_max": 0.9,
    "soc_initial": 0.5,
    "charge_efficiency": 0.9,
    "discharge_efficiency": 0.9,
    "arrival_h": 18,
    "departure_h": 7,
    "trip_kwh": 15,
    "ready_kwh": 40,
    "missing_per_kwh": 0.5,
}
HOME: Settings = {
    "name": "home",
    "load": {"load_kw": 4, "flexible_share": 0.25, "dr_price_per_kwh": 0.2, "rebound_share": 0.5},
    "solar": {"capacity_kw": 6, "availability": "sun"},
    "battery": {"capacity_kwh": 10, "power_kw": 5, "wear_per_kwh": 0.01},
    "ev": VEHICLE,
}


def street(**settings: object) -> Scenario:
    """One home behind a connection, from midnight on, by the hour; unless said otherwise."""
    base: Settings = {
        "interval_min": 60,
        "intervals": 24,
        "start": "2025-04-01T00:00:00",
        "profiles": {
            "demand": {"deviation_relative": 0.2},
            "sun": {"shape": "solar", "deviation_relative": 0.3, "maximum": 1},
            "price": {"unit": "per_mwh", "scale": 50, "deviation_absolute": 30, "minimum": -90, "maximum": 900},
        },
        "generators": [],
        "consumers": [],
        "prosumers": [HOME],
        "connection": {"limit_kw": 200},
    }
    return world(**{**base, **settings})


@st.composite
def streets(draw: st.DrawFn) -> Scenario:
    """A few homes of any make, perhaps behind a transformer."""
    homes: list[Settings] = []
    for number in range(draw(st.integers(1, 4))):
        keys = draw(st.sets(st.sampled_from(["load", "solar", "battery", "ev"]), min_size=1))
        home = {"name": f"home_{number}", **{key: HOME[key] for key in sorted(keys)}}
        if "ev" in home:
            arrival, stay = draw(st.integers(0, 23)), draw(st.integers(2, 20))
            home["ev"] = {**VEHICLE, "arrival_h": arrival, "departure_h": (arrival + stay) % 24}
        homes.append(home)
    transformer = {"name": "street", "limit_kw": draw(st.sampled_from([3.0, 10.0, 40.0])), "members": ["home_*"]}
    return street(
        prosumers=homes,
        interval_min=draw(st.sampled_from([15, 60])),
        intervals=48,
        start=f"2025-04-01T{draw(st.integers(0, 23)):02d}:00:00",
        transformers=[transformer] if draw(st.booleans()) else [],
        generators=[{"name": "unit", "capacity_kw": 30, "cost_per_mwh": 60}],
    )
