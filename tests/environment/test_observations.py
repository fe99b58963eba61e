"""What each seat observes, field by field, against a second computation from the world's settings and its history."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from gridmarl.assets import load
from gridmarl.data import profiles
from gridmarl.environment.compiled.fields import FIELDS, LEAD_HOURS, ROLES, SIZES
from gridmarl.environment.parallel import MarketEnv
from gridmarl.scenario.participants import Battery, Generator, Load
from gridmarl.scenario.scenario import Scenario
from tests.environment.worlds import random_actions

FLOAT32 = 3e-6
"""Absolute and relative: observations are float32."""
Values = dict[str, float]


class Witness:
    """Watches an episode from outside, through names only, and says what ought to be observed."""

    def __init__(self, env: MarketEnv) -> None:
        self.env, self.scenario = env, env.scenario
        self.series = env.core.compiled.series
        self.hours = self.scenario.interval_h
        self.t = 0
        self.mw = sum(c.load_mw for c in self.scenario.all_consumers)
        self.reference = self.scenario.reference_price_per_mwh
        self.last: Mapping[str, Mapping[str, float]] = {}
        self.market: Values = {}
        before = self._before()
        price = self._price_ahead(0) if self.scenario.connection else self._stack_price(self._net(before))
        self.prices = [price]
        self.hour_mean = self.day_mean = price
        self.seen = before

    def _before(self) -> Values:
        """Profiles in the interval before the episode, from their definition."""
        core, values = self.env.core, {}
        origin = int(core.rows.origin[0])
        for p, name in enumerate(self.series.names):
            deviation = float(core.rows.deviation[0, p])
            values[name] = self._value(name, self.series.values[p, origin - 1], deviation)
        return values

    def _value(self, name: str, base: float, deviation: float) -> float:
        profile = self.scenario.profiles[name]
        moved = base * (1 + profile.deviation_relative * deviation) + profile.deviation_absolute * deviation
        return min(max(moved, profile.minimum), profile.maximum)

    def step(self) -> None:
        """Play an interval at random and keep what came of it."""
        rng = np.random.default_rng([17, self.t])
        packed = random_actions(self.env.core, rng)
        places = self.env._seating.places
        actions: dict[str, object] = {
            seat: packed[0, p.start] if p.codec.discrete else packed[0, p.start : p.stop] for seat, p in places.items()
        }
        truth = self.env.core.realised(0)[self.t]
        self.last = self.env.step(actions)[4]
        self.market = self.env.market()
        self.seen = dict(zip(self.series.names, truth.tolist(), strict=True))
        price = self.market["price_per_mwh"]
        self.prices.append(price)
        self.hour_mean += (1 - math.exp(-self.hours)) * (price - self.hour_mean)
        self.day_mean += (1 - math.exp(-self.hours / 24)) * (price - self.day_mean)
        self.t += 1

    def ahead(self, name: str, lead: int) -> float:
        """Forecast of a profile at an observed lead: the base there, the last deviation shrunk by its correlation."""
        p = self.series.names.index(name)
        steps = max(lead, round(LEAD_HOURS[lead] / self.hours))
        profile = self.scenario.profiles[name]
        decay = math.exp(-self.hours * (steps + 1) / profile.correlation_h)
        base = self.series.values[p, int(self.env.core.rows.origin[0]) + self.t + steps]
        return self._value(name, base, decay * float(self.env.core.rows.deviation[0, p]))

    def _net(self, values: Values) -> float:
        demand = sum(c.load_mw * values[c.profile] for c in self.scenario.all_consumers)
        return demand - self._renewable(values)

    def _renewable(self, values: Values) -> float:
        return sum(
            g.capacity_mw * values[g.availability]
            for g in self.scenario.all_generators
            if g.renewable and g.availability
        )

    def _forecasts(self, lead: int) -> Values:
        used = {c.profile for c in self.scenario.all_consumers}
        used |= {g.availability for g in self.scenario.all_generators if g.availability}
        return {name: self.ahead(name, lead) for name in used}

    def _stack_price(self, net: float) -> float:
        """Where net demand meets the classes, each at its average cost."""
        classes: dict[str, list[tuple[float, float]]] = {}
        for g in self.scenario.all_generators:
            if not g.renewable:
                classes.setdefault(g.technology, []).append(
                    (g.cost_per_mwh + g.cost_per_mw2h * g.capacity_mw, g.capacity_mw)
                )
        for c in self.scenario.all_consumers:
            if c.flexible_share:
                classes.setdefault("DR", []).append((c.dr_price_per_mwh, c.flexible_share * c.load_mw))
        rows = [(sum(p * q for p, q in v) / sum(q for _, q in v), sum(q for _, q in v)) for v in classes.values()]
        price = max((g.cost_per_mwh for g in self.scenario.all_generators if g.renewable), default=0.0)
        reach = 0.0
        for cost, mw in sorted(rows):
            if net <= reach:
                return price
            price, reach = cost, reach + mw
        return price

    def _price_ahead(self, lead: int) -> float:
        if self.scenario.connection:
            return self.ahead(self.scenario.connection.wholesale, lead)
        return self._stack_price(self._net(self._forecasts(lead)))

    def public(self) -> Values:
        """The block all seats share."""
        clock = self.series.start_utc + timedelta(hours=self.hours * (int(self.env.core.rows.origin[0]) + self.t))
        local = clock.astimezone(ZoneInfo(self.scenario.timezone))
        day = 2 * math.pi * (local.hour + local.minute / 60) / 24
        week = 2 * math.pi * (local.weekday() + (local.hour + local.minute / 60) / 24) / 7
        lags = [self.prices[-1], *reversed(self.prices[:-1])][:3]
        lags += [self.prices[0]] * (3 - len(lags))
        demand = self.market.get("demand_mw") or sum(
            c.load_mw * self.seen[c.profile] for c in self.scenario.all_consumers
        )
        renewable = self.market["renewable_mwh"] / self.hours if self.market else self._renewable(self.seen)
        values = {
            "hour_sin": math.sin(day),
            "hour_cos": math.cos(day),
            "week_sin": math.sin(week),
            "week_cos": math.cos(week),
            "price_last": lags[0] / self.reference,
            "price_lag_2": lags[1] / self.reference,
            "price_lag_3": lags[2] / self.reference,
            "price_mean_hour": self.hour_mean / self.reference,
            "price_mean_day": self.day_mean / self.reference,
            "shortage_last": self.market.get("unserved_mw", 0.0) / demand,
            "carbon_adder": self.market.get("carbon_adder_per_t", 0.0) / self.reference,
            "demand_last": demand / self.mw,
            "renewable_last": renewable / self.mw,
            "system_net_load": self.seen.get("net_load", 0.0),
            "temperature": (self.seen.get("temperature", 20.0) - 20) / 20,
            **self._grid(),
        }
        for lead in range(len(LEAD_HOURS)):
            forecasts = self._forecasts(lead)
            values[f"price_forecast_{lead + 1}"] = self._price_ahead(lead) / self.reference
            values[f"net_demand_forecast_{lead + 1}"] = self._net(forecasts) / self.mw
            values[f"renewable_forecast_{lead + 1}"] = self._renewable(forecasts) / self.mw
        return values

    def _grid(self) -> Values:
        """Frequency, voltage, reserve and emergency of the last interval; nominal before the first."""
        if not self.market:
            names = ("frequency", "voltage", "reserve_requirement", "reserve_price", "emergency")
            return dict.fromkeys(names, 0.0)
        m, s = self.market, self.scenario
        voltage = max((m["voltage_low_pu"] - 1, m["voltage_high_pu"] - 1), key=abs)
        return {
            "frequency": m["frequency_hz"] / (s.frequency.band_hz if s.frequency else 0.1),
            "voltage": voltage / (s.voltage.band_pu if s.voltage else 0.05),
            "reserve_requirement": (m["spin_required_mw"] + m["nonspin_required_mw"]) / m["demand_mw"],
            "reserve_price": m["spin_price_per_mwh"] / self.reference,
            "emergency": m["emergency_stage"] / 3,
        }

    def expected(self, seat: str) -> Values:
        """All fields of a seat."""
        members = (*self.scenario.all_generators, *self.scenario.all_storage, *self.scenario.all_consumers)
        member = next((m for m in members if m.name == seat), None)
        last = self.last.get(seat, {})
        public = self.public()
        match member:
            case Generator():
                own = self._generator(member, public, last)
            case Battery():
                own = self._storage(member, public, last)
            case Load():
                own = self._consumer(member, public, last)
            case _:
                own = self._operator(public)
        return {**public, **own}

    def _generator(self, unit: Generator, public: Values, last: Mapping[str, float]) -> Values:
        capacity, cost = unit.capacity_mw, unit.cost_per_mwh / self.reference
        output = last["output_mw"] - last["deviation_mw"] if last else unit.initial_mw
        online = float(not any(a <= self.t * self.hours < b for a, b in unit.maintenance_h))
        share = {lead: self.ahead(unit.availability, lead) if unit.availability else online for lead in (0, 3, 5)}
        now = share[0] * online
        ramp = np.inf if unit.ramp_mw_per_h is None else unit.ramp_mw_per_h * self.hours
        low = min(max(unit.minimum_mw, output - ramp), capacity * now)
        per_mwh = capacity * self.hours * self.reference
        fuel = (unit.cost_per_mwh + unit.cost_per_mw2h * output) * output * self.hours
        return {
            "output_last": output / capacity,
            "available": now,
            "must_run": low / capacity,
            "deliverable": max(low, min(capacity * now, output + ramp)) / capacity,
            "capacity": capacity / self.mw,
            "minimum": unit.minimum_mw / capacity,
            "marginal_cost": cost,
            "cost_slope": 2 * unit.cost_per_mw2h * capacity / self.reference,
            "fuel_cost_last": fuel / per_mwh,
            "co2_rate": unit.co2_kg_per_mwh / 1000,
            "ramp": ramp / capacity,
            "online": online,
            "offered_last": last.get("offered_mw", 0.0) / capacity,
            "offer_price_last": last.get("offer_price_per_mwh", 0.0) / self.reference,
            "profit_last": last.get("reward", 0.0) / per_mwh,
            "margin_last": public["price_last"] - cost,
            "margin_forecast": public["price_forecast_1"] - cost,
            "available_1h": share[3],
            "available_4h": share[5],
            "remaining": 1 - self.t / self.scenario.intervals,
        }

    def _storage(self, unit: Battery, public: Values, last: Mapping[str, float]) -> Values:
        soc = last.get("soc", unit.soc_initial)
        power = last.get("power_mw", 0.0) - last.get("deviation_mw", 0.0)
        below, above = (soc - unit.soc_min) * unit.capacity_mwh, (unit.soc_max - soc) * unit.capacity_mwh
        ramp = np.inf if unit.ramp_mw_per_h is None else unit.ramp_mw_per_h * self.hours
        charge = min(unit.power_mw, above / unit.charge_efficiency / self.hours, max(ramp - power, 0))
        discharge = min(unit.power_mw, below * unit.discharge_efficiency / self.hours, max(ramp + power, 0))
        forecasts = [public[f"price_forecast_{lead + 1}"] for lead in range(len(LEAD_HOURS))]
        return {
            "soc": soc,
            "energy_below": soc - unit.soc_min,
            "room_above": unit.soc_max - soc,
            "power_last": power / unit.power_mw,
            "charge_limit": charge / unit.power_mw,
            "discharge_limit": discharge / unit.power_mw,
            "charge_efficiency": unit.charge_efficiency,
            "discharge_efficiency": unit.discharge_efficiency,
            "wear": unit.wear_per_mwh / self.reference,
            "hours": unit.capacity_mwh / unit.power_mw / 24,
            "power_limit": unit.power_mw / self.mw,
            "profit_last": last.get("reward", 0.0) / (unit.power_mw * self.hours * self.reference),
            "cycles": last.get("throughput_mwh", 0.0) / unit.capacity_mwh / 10,
            "spread_forecast": max(forecasts) - min(forecasts),
            "spread_last": public["price_last"] - public["price_mean_day"],
            "remaining": 1 - self.t / self.scenario.intervals,
        }

    def _consumer(self, unit: Load, public: Values, last: Mapping[str, float]) -> Values:
        peak, now = unit.load_mw, self.ahead(unit.profile, 0)
        index = self.env.core.compiled.layout.of_role("consumer").index(unit.name)
        debt = float(self.env.core.rows.load[0, index, load.DEBT])
        return {
            "baseline": now,
            "baseline_last": last.get("baseline_mw", 0.0) / peak,
            "flexible_share": unit.flexible_share,
            "flexible": unit.flexible_share * now,
            "comfort_debt": debt / peak,
            "rebound": debt / max(unit.rebound_h, self.hours) / peak,
            "dr_price": unit.dr_price_per_mwh / self.reference,
            "comfort_cost": unit.true_cost_per_mwh / self.reference,
            "reduction_last": last.get("reduction_mw", 0.0) / peak,
            "unserved_last": last.get("unserved_mw", 0.0) / peak,
            "saving_last": last.get("reward", 0.0) / (peak * self.hours * self.reference),
            "margin_forecast": public["price_forecast_1"] - unit.true_cost_per_mwh / self.reference,
            "temperature": public["temperature"],
            "irradiance": public["renewable_last"] / public["demand_last"],
        }

    def _operator(self, public: Values) -> Values:
        m, demand = self.market, public["demand_last"] * self.mw
        values = {
            "unserved_last": public["shortage_last"],
            "curtailed_last": m.get("curtailed_mw", 0.0) / self.mw,
            "emissions_last": m.get("emissions_kg", 0.0) / 1000 / (demand * self.hours),
            "import_last": m.get("import_mw", 0.0) / self.mw,
            "reserve_level": self.last.get("operator", {}).get("reserve_level", 0.0) / 4,
        }
        return {**values, **self._slots()}

    def _slots(self) -> Values:
        """Participant classes by size, with what their members offered and sold."""
        s, size = self.scenario, dict[str, float]()
        offered, sold, asked = dict[str, float](), dict[str, float](), dict[str, float]()
        groups = [(g, g.capacity_mw, "output_mw") for g in s.all_generators]
        groups += [(b, b.power_mw, "power_mw") for b in s.all_storage]
        groups += [(c, c.load_mw * c.flexible_share, "reduction_mw") for c in s.all_consumers]
        for member, mw, power in groups:
            name, info = member.technology, self.last.get(member.name, {})
            size[name] = size.get(name, 0.0) + mw
            offered[name] = offered.get(name, 0.0) + info.get("offered_mw", 0.0)
            schedule = info.get(power, 0.0)
            if not isinstance(member, Load):
                schedule -= info.get("deviation_mw", 0.0)
            sold[name] = sold.get(name, 0.0) + max(schedule, 0.0)
            asked[name] = asked.get(name, 0.0) + self._asked(member, info)
        ranked = sorted(size, key=lambda name: (-size[name], name))
        values: Values = {}
        for k in range(12):
            name = ranked[k] if k < len(ranked) else None
            mw = offered[name] if name else 0.0
            values[f"class_{k + 1}_present"] = float(name is not None and size[name] > 0)
            values[f"class_{k + 1}_capacity"] = size[name] / self.mw if name else 0.0
            values[f"class_{k + 1}_offered"] = mw / self.mw
            values[f"class_{k + 1}_accepted"] = sold[name] / self.mw if name else 0.0
            values[f"class_{k + 1}_offer_price"] = asked[name] / mw / self.reference if name and mw else 0.0
        return values

    def _asked(self, member: Generator | Battery | Load, info: Mapping[str, float]) -> float:
        """Sum of price times quantity of a seat's offers."""
        if not info:
            return 0.0
        if isinstance(member, Generator):
            floor = self.scenario.market.floor_per_mwh
            above = info["offered_mw"] - info["must_run_mw"]
            return floor * info["must_run_mw"] + info["offer_price_per_mwh"] * above
        if isinstance(member, Battery):
            return info["offer_price_per_mwh"] * info["offered_mw"]
        return member.dr_price_per_mwh * info["offered_mw"]


def rich() -> Scenario:
    """The auction with a temperature, a net load, a quadratic cost, a ramped battery and a service window."""
    base = Scenario.load("auction")
    settings = base.model_dump(exclude_unset=True)
    changes = {"gas_1": {"cost_per_mw2h": 0.2, "maintenance_h": [(2.0, 2.5)]}, "battery_1": {"ramp_mw_per_h": 60}}
    for group in ("generators", "storage"):
        settings[group] = [{**member, **changes.get(member["name"], {})} for member in settings[group]]
    settings["profiles"] |= {
        "temperature": {"unit": "celsius", "shape": "temperature", "deviation_absolute": 2},
        "net_load": {"shape": "demand", "deviation_relative": 0.1},
    }
    return base.but(**{key: settings[key] for key in ("generators", "storage", "profiles")}, intervals=60)


WORLDS = {
    "auction": rich,
    "caiso-week": lambda: Scenario.load("caiso-week"),
    "three-homes": lambda: Scenario.load("three-homes"),
}


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize("steps", [0, 1, 26])
def test_every_field_of_every_seat_is_what_its_name_says(name: str, steps: int) -> None:
    env = MarketEnv(WORLDS[name]())
    env.reset(seed=9)
    witness = Witness(env)
    for _ in range(min(steps, env.scenario.intervals - 1)):
        witness.step()
    observed = env._observations(env.latest)
    for agent in env.agents:
        expected = witness.expected(agent)
        for field, value in zip(env.fields(agent), observed[agent].tolist(), strict=True):
            wanted = min(max(expected[field.name], field.low), field.high)
            assert value == pytest.approx(wanted, rel=FLOAT32, abs=FLOAT32), f"{agent}, {field.name}"


def test_the_state_for_critics_is_every_own_block_and_one_public_block() -> None:
    env = MarketEnv(Scenario.load("auction"))
    env.reset(seed=1)
    observed, state = env._observations(env.latest), env.state()
    own = {
        role: SIZES[role] - public
        for role, public in (("generator", 44), ("storage", 32), ("consumer", 26), ("operator", 0))
    }
    seats = [
        (s, r)
        for r in ROLES
        for s, q in zip(env.core.compiled.layout.seats, env.core.compiled.layout.roles, strict=True)
        if q == r
    ]
    parts = [observed[seat][: own[role]] for seat, role in seats]
    assert np.array_equal(state, np.concatenate([*parts, observed["solar_1"][20:]]))
    assert env.state_space.contains(state)


def test_sizes_and_names_do_not_depend_on_the_world() -> None:
    assert SIZES == {"generator": 64, "storage": 48, "consumer": 40, "prosumer": 56, "operator": 80}
    for role, fields in FIELDS.items():
        names = [field.name for field in fields]
        assert len(set(names)) == len(names), f"{role}: a name stands twice"
        assert all(field.unit and field.description and field.low < field.high for field in fields)


def test_the_profile_table_knows_what_hangs_on_each_profile() -> None:
    env = MarketEnv(Scenario.load("auction"))
    table = dict(zip(env.core.compiled.series.names, env.core.compiled.series.table, strict=True))
    assert table["demand"][profiles.DEMAND_MW] == 120
    assert table["solar"][profiles.RENEWABLE_MW] == 30
