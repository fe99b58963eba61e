"""Worlds and actions that the tests share: constant ones to compute by hand, random ones to break rules with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st

from gridmarl.environment.compiled import arrays, columns
from gridmarl.environment.compiled.codecs import CODECS, MAXIMUM_MARKUP
from gridmarl.environment.core import Core
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float

Settings = dict[str, Any]
MONEY_TOLERANCE = 1e-9
"""Relative to the turnover."""
POWER_TOLERANCE = 1e-9
"""Relative to the traded volume."""

TRADERS = ("generator", "storage", "consumer")
ON_ORDER: Mapping[str, str] = dict.fromkeys(TRADERS, "order")
FLAT: Settings = {"shape": "constant"}
HUGE, FEW = 500, 30
"""A world of more seats than that is checked with so many homes in its neighbourhood: they have every part, and the
suites, which compare all pairs of seats and episodes, would take minutes with a thousand."""


def manageable(name: str) -> Scenario:
    """The world, with fewer homes where it has hundreds."""
    scenario = Scenario.load(name)
    if len(scenario.seats) < HUGE or scenario.neighbourhood is None:
        return scenario
    return scenario.but(neighbourhood={"count": FEW}, transformers=[])


def world(**settings: object) -> Scenario:
    """One hour-long interval of a load of 100 MW, unless said otherwise; one generator unless named."""
    base: Settings = {
        "name": "small",
        "interval_min": 60,
        "intervals": 4,
        "profiles": {"demand": FLAT},
        "generators": [{"name": "unit", "capacity_mw": 150, "cost_per_mwh": 50}],
        "consumers": [{"name": "load", "load_mw": 100}],
    }
    return Scenario.parse({**base, **settings}, "small")


def play(core: Core, **actions: object) -> arrays.Outcome:
    """Reset, then one step with these seats' actions and zeros elsewhere."""
    core.reset(np.zeros(core.count, np.uint64))
    return advance(core, **actions)


def advance(core: Core, **actions: object) -> arrays.Outcome:
    """One step with these seats' actions and zeros elsewhere."""
    packed = np.zeros((core.count, core.width))
    for seat, action in actions.items():
        row = core.compiled.layout.index(seat)
        start, stop = core.compiled.world.seat[row : row + 2, columns.ACTION_AT]
        packed[:, start:stop] = np.asarray(action, np.float64)
    return core.step(packed)


def market(outcome: arrays.Outcome, row: int = 0) -> dict[str, float]:
    """Named results of one row's auction."""
    return dict(zip(columns.MARKET_NAMES, outcome.market[row].tolist(), strict=True))


def seat(core: Core, outcome: arrays.Outcome, name: str, row: int = 0) -> dict[str, float]:
    """Named results of one seat."""
    at = core.compiled.layout.index(name)
    names = columns.SEAT_NAMES[core.compiled.layout.roles[at]]
    return dict(zip(names, outcome.seats[row, at].tolist(), strict=False))  # the rest belong to other roles


def random_actions(core: Core, rng: np.random.Generator) -> Float:
    """Sound actions of every kind: also quantities far beyond what a seat can deliver, also of the wrong sign."""
    rules, layout = core.compiled.scenario.market, core.compiled.layout
    parts: list[Float] = []
    for codec, role in zip(layout.codecs, layout.roles, strict=True):
        shape = (core.count, codec.width)
        match codec.name:
            case "price-grid" | "levels":
                parts.append(rng.integers(20 if codec.name == "price-grid" else 25, size=shape).astype(np.float64))
            case "markup":
                parts.append(rng.uniform(0, 0.2 * MAXIMUM_MARKUP, shape))
            case "power":
                parts.append(rng.uniform(-1, 1, shape))
            case "assets":
                parts.append(rng.uniform((-1, -1, 0), (1, 1, 1), shape))
            case "share":
                parts.append(rng.uniform(0, 1, shape))
            case _:
                pairs = rng.uniform(-2 * layout.most_mw[role], 2 * layout.most_mw[role], shape)
                pairs[:, ::2] = rng.uniform(rules.floor_per_mwh, rules.cap_per_mwh, pairs[:, ::2].shape)
                pairs[:, ::2] = np.where(rng.random(pairs[:, ::2].shape) < 0.3, 50.0, pairs[:, ::2])  # ties
                parts.append(pairs)
    return np.concatenate(parts, axis=1)


def spoken(role: str) -> st.SearchStrategy[str]:
    """Any codec that the role may speak."""
    return st.sampled_from([codec.name for codec in CODECS.values() if role in codec.roles])


def codecs_of(scenario: Scenario) -> st.SearchStrategy[Mapping[str, str]]:
    """A codec for every seat."""
    groups = zip(TRADERS, (scenario.all_generators, scenario.all_storage, scenario.all_consumers), strict=True)
    return st.fixed_dictionaries({p.name: spoken(role) for role, group in groups for p in group})


def _number(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False).map(lambda value: round(value, 6))


def _maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


@st.composite
def generators(draw: st.DrawFn, name: str) -> Settings:
    capacity = draw(_number(1, 100))
    start = draw(_number(0, 1.5))
    return {
        "name": name,
        "technology": draw(st.sampled_from(["solar", "gas", "coal"])),
        "capacity_mw": capacity,
        "minimum_mw": round(capacity * draw(_number(0, 0.6)), 6),
        "cost_per_mwh": draw(_number(-20, 150)),
        "cost_per_mw2h": draw(st.sampled_from([0.0, 0.3])),
        "co2_kg_per_mwh": draw(_number(0, 1000)),
        "ramp_mw_per_h": draw(_maybe(_number(0.1, 200))),
        "start_cost": draw(_number(0, 500)),
        "initial_mw": round(capacity * draw(_number(0, 1)), 6),
        "availability": draw(_maybe(st.just("sun"))),
        "maintenance_h": draw(st.sampled_from([(), ((start, start + 1.0),)])),
    }


@st.composite
def batteries(draw: st.DrawFn, name: str) -> Settings:
    low, high = draw(_number(0, 0.4)), draw(_number(0.6, 1))
    return {
        "name": name,
        "capacity_mwh": draw(_number(0.5, 80)),
        "power_mw": draw(_number(0.5, 40)),
        "charge_efficiency": draw(_number(0.5, 1)),
        "discharge_efficiency": draw(_number(0.5, 1)),
        "soc_min": low,
        "soc_max": high,
        "soc_initial": draw(st.sampled_from([low, 0.5, high])),
        "wear_per_mwh": draw(_number(0, 10)),
        "wear_per_mw2h": draw(_number(0, 0.1)),
        "ramp_mw_per_h": draw(_maybe(_number(0.1, 100))),
    }


@st.composite
def loads(draw: st.DrawFn, name: str) -> Settings:
    return {
        "name": name,
        "load_mw": draw(_number(0.5, 120)),
        "flexible_share": draw(_number(0, 1)),
        "dr_price_per_mwh": draw(_number(-50, 300)),
        "comfort_cost_per_mwh": draw(_maybe(_number(0, 300))),
        "rebound_share": draw(_number(0, 1)),
        "rebound_h": draw(_number(0.1, 6)),
    }


CONNECTION: Settings = {"limit_mw": 30, "import_fee_per_mwh": 3, "export_fee_per_mwh": 2, "co2_kg_per_mwh": 350}


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Small worlds with every mechanism switched on or off at random."""
    settings: Settings = {
        "name": "random",
        "interval_min": draw(st.sampled_from([5, 15, 60])),
        "intervals": 12,
        "market": {
            "pricing": draw(st.sampled_from(["lower", "upper", "midpoint"])),
            "floor_per_mwh": draw(st.sampled_from([-100.0, 30.0])),
            "cap_per_mwh": draw(st.sampled_from([160.0, 1000.0])),
            "carbon_price_per_t": draw(st.sampled_from([0.0, 40.0])),
        },
        "profiles": {
            "demand": {"deviation_relative": 0.2, "correlation_h": 1},
            "sun": {"scale": 0.6, "deviation_absolute": 0.4, "correlation_h": 1, "maximum": 1},
            "price": {"unit": "per_mwh", "scale": 50, "deviation_absolute": 60, "minimum": -90, "maximum": 900},
        },
        "generators": [draw(generators(f"unit_{k}")) for k in range(draw(st.integers(1, 4)))],
        "storage": [draw(batteries(f"battery_{k}")) for k in range(draw(st.integers(0, 3)))],
        "consumers": [draw(loads(f"load_{k}")) for k in range(draw(st.integers(0, 3)))],
        "connection": draw(_maybe(st.just(CONNECTION))),
    }
    return Scenario.parse(settings, "random")
