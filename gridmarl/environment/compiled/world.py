"""A scenario compiled to the arrays the kernels read, and the names behind their rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gridmarl.data import profiles
from gridmarl.data.series import Series, build_series
from gridmarl.environment.compiled import columns, grid
from gridmarl.environment.compiled.arrays import World
from gridmarl.environment.compiled.codecs import DEFAULTS, GRID_PRICES, Codec, action_limits, codec_of
from gridmarl.environment.compiled.fields import LEAD_HOURS, ROLES, bound_table, own_sizes
from gridmarl.environment.compiled.homes import (
    balancing_seats,
    behind_transformers,
    flexible_slots,
    home_codecs,
    home_table,
    local_hours,
)
from gridmarl.environment.compiled.scales import scale_table
from gridmarl.environment.compiled.tables import (
    battery_table,
    clock_table,
    generator_table,
    load_table,
    maintenance_table,
    reference_stack,
    straying_table,
)
from gridmarl.errors import ScenarioError, nearest
from gridmarl.scenario.feeder import Feeder
from gridmarl.scenario.participants import ElectricVehicle
from gridmarl.scenario.scenario import OPERATOR, PROSUMER, Scenario
from gridmarl.units import HOURS_PER_DAY, Float, Int

PRICING_CODE = {"lower": 0, "upper": 1, "midpoint": 2}
LOAD_BIDS = 2
DEFAULT_VOLTAGE_BAND_PU = 0.05
CLASS_LIMIT = columns.CLASS_SLOTS


@dataclass(frozen=True, slots=True)
class Layout:
    """Names behind the rows of the arrays.

    Attributes
    ----------
    seats : tuple of str
        Generators, storage, consumers, homes that are one seat, then the operator: rows of ``Outcome.seats``.
    roles : tuple of str
        Role of each seat.
    owners : tuple of str
        Owner of each seat.
    codecs : tuple of Codec
        Codec of each seat.
    technologies : tuple of str
        Technology of each seat.
    classes : tuple of str
        The operator's slots.
    played : tuple of str
        Seats that agents play: all but the parts of homes that are one seat.
    most_mw : dict
        Role -> the largest power of a seat, MW.
    """

    seats: tuple[str, ...]
    roles: tuple[str, ...]
    owners: tuple[str, ...]
    codecs: tuple[Codec, ...]
    technologies: tuple[str, ...]
    classes: tuple[str, ...]
    most_mw: Mapping[str, float]
    played: tuple[str, ...]

    def index(self, seat: str) -> int:
        """Row of a seat.

        Raises
        ------
        ScenarioError
            Where there is no such seat.
        """
        if seat not in self.seats:
            raise ScenarioError("seat", seat, ", ".join(self.seats), nearest(seat, self.seats) or "choose one of them")
        return self.seats.index(seat)

    def of_role(self, role: str) -> tuple[str, ...]:
        """Seats of a role, in order."""
        return tuple(s for s, r in zip(self.seats, self.roles, strict=True) if r == role)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A scenario, its series, its names and its arrays."""

    scenario: Scenario
    series: Series
    layout: Layout
    world: World


def compile_world(scenario: Scenario, codecs: Mapping[str, str] | None = None) -> Compiled:
    """Turn a scenario into arrays.

    Parameters
    ----------
    scenario : Scenario
    codecs : mapping, optional
        Seat or role -> codec, beyond what the scenario sets; a seat's own entry wins over its role's.

    Raises
    ------
    ScenarioError
        Where a codec is unknown or not for the role.
    DataError
        Where the data do not serve.
    """
    layout = _layout(scenario, {**scenario.codecs, **(codecs or {})})
    series = build_series(scenario)
    return Compiled(scenario, series, layout, _arrays(scenario, layout, series))


def _layout(scenario: Scenario, codecs: Mapping[str, str]) -> Layout:
    members = {
        "generator": scenario.all_generators,
        "storage": scenario.all_storage,
        "consumer": scenario.all_consumers,
    }
    homes = scenario.bundled(codecs)
    known = {*scenario.seats, *(home.name for home in scenario.all_prosumers), OPERATOR, *ROLES}
    for key in codecs:
        if key not in known:
            raise ScenarioError("codecs: seat or role", key, ", ".join(sorted(known)), nearest(key, known))
    parts = home_codecs(homes, codecs)
    seats = [(m.name, role, m.owned_by, m.technology) for role, group in members.items() for m in group]
    seats += [(home.name, PROSUMER, home.name, PROSUMER) for home in homes]
    seats.append((OPERATOR, "operator", OPERATOR, OPERATOR))
    chosen = tuple(codec_of(parts.get(n) or codecs.get(n) or codecs.get(r) or DEFAULTS[r], r) for n, r, _, _ in seats)
    most = {
        "generator": max((g.capacity_mw for g in scenario.all_generators), default=0.0),
        "storage": max((b.power_mw for b in scenario.all_storage), default=0.0),
        "consumer": max((c.load_mw for c in scenario.all_consumers), default=0.0),
        PROSUMER: 0.0,
        "operator": 0.0,
    }
    names, roles, owners, technologies = (tuple(column) for column in zip(*seats, strict=True))
    played = tuple(name for name in names if name not in parts)
    return Layout(names, roles, owners, chosen, technologies, _classes(scenario), most, played)


def _capacities(scenario: Scenario) -> dict[str, float]:
    """MW of each technology."""
    capacity: dict[str, float] = {}
    for unit in scenario.all_generators:
        capacity[unit.technology] = capacity.get(unit.technology, 0.0) + unit.capacity_mw
    for unit in scenario.all_storage:
        capacity[unit.technology] = capacity.get(unit.technology, 0.0) + unit.power_mw
    for unit in scenario.all_consumers:
        capacity[unit.technology] = capacity.get(unit.technology, 0.0) + unit.load_mw * unit.flexible_share
    return capacity


def _classes(scenario: Scenario) -> tuple[str, ...]:
    """Technologies by size; the smallest share the last slot where there are more than twelve."""
    capacity = _capacities(scenario)
    ordered = sorted(capacity, key=lambda name: (-capacity[name], name))
    return tuple(ordered if len(ordered) <= CLASS_LIMIT else [*ordered[: CLASS_LIMIT - 1], "others"])


def _arrays(scenario: Scenario, layout: Layout, series: Series) -> World:
    low, high = bound_table()
    decay = series.table[:, profiles.DECAY]
    lead = _leads(scenario)
    index, behind = _seat_index(scenario, layout), behind_transformers(scenario, layout.seats)
    swing, asked, feeder = grid.frequency_table(scenario), grid.asked_for_reserve(scenario), grid.load_feeder(scenario)
    prices = scenario.market.floor_per_mwh, scenario.market.cap_per_mwh
    return World(
        rules=_rules(scenario, series, feeder),
        generator=generator_table(scenario, series),
        battery=battery_table(scenario),
        load=load_table(scenario, series),
        profile=series.table,
        series=series.values,
        clock=clock_table(scenario, series),
        maintenance=maintenance_table(scenario),
        stack=reference_stack(scenario),
        lead=lead,
        shrink=decay[:, None] ** (lead[None, :] + 1),
        limits=np.concatenate([action_limits(codec, *prices) for codec in layout.codecs], axis=1),
        seat=index,
        class_capacity=_class_capacity(scenario, layout),
        price_grid=GRID_PRICES.copy(),
        low=low,
        high=high,
        own=own_sizes(),
        scale=scale_table(scenario, layout.seats, layout.roles),
        straying=straying_table(scenario, series),
        frequency=swing,
        transition=grid.transition(swing),
        emergency=grid.emergency_table(scenario.emergency),
        reserve=grid.reserve_rules(scenario.reserve),
        reserve_order=np.argsort(asked, kind="stable").astype(np.int64),
        reserve_asked=asked,
        trip=grid.trips(scenario),
        feeder=grid.feeder_table(feeder),
        support=grid.support_table(scenario, feeder),
        inverter_mva=grid.inverter_ratings(scenario),
        bus=grid.places(scenario, feeder),
        reactive=grid.reactive_shares(scenario),
        hour=local_hours(series),
        home=home_table(scenario, layout.seats),
        transformer=np.array([unit.limit_mw for unit in scenario.transformers], np.float64),
        behind=behind,
        offer_behind=flexible_slots(index, layout.roles, behind, bids=False),
        bid_behind=flexible_slots(index, layout.roles, behind, bids=True),
        offer_seat=balancing_seats(index, layout.roles, bids=False),
        bid_seat=balancing_seats(index, layout.roles, bids=True),
    )


def _leads(scenario: Scenario) -> Int:
    return np.array([max(k, round(h / scenario.interval_h)) for k, h in enumerate(LEAD_HOURS)], np.int64)


def _rules(scenario: Scenario, series: Series, feeder: Feeder | None) -> Float:
    market, operator, connection = scenario.market, scenario.operator, scenario.connection
    rules = np.zeros(columns.RULE_COLUMNS)
    rules[columns.HOURS], rules[columns.INTERVALS] = scenario.interval_h, scenario.intervals
    rules[columns.FLOOR], rules[columns.CAP] = market.floor_per_mwh, market.cap_per_mwh
    rules[columns.VOLL], rules[columns.PRICING] = market.voll_per_mwh, PRICING_CODE[market.pricing]
    rules[columns.CARBON], rules[columns.CARBON_STEP] = market.carbon_price_per_t, operator.carbon_step_per_t
    rules[columns.WHOLESALE] = rules[columns.CO2_PROFILE] = -1
    if connection:
        rules[columns.LIMIT], rules[columns.WHOLESALE] = connection.limit_mw, series.names.index(connection.wholesale)
        rules[columns.IMPORT_FEE], rules[columns.EXPORT_FEE] = (
            connection.import_fee_per_mwh,
            connection.export_fee_per_mwh,
        )
        rules[columns.IMPORT_CO2] = connection.co2_kg_per_mwh
        rules[columns.CO2_PROFILE] = series.names.index(connection.co2) if connection.co2 else -1
    rules[columns.HOUR_MEMORY] = -np.expm1(-scenario.interval_h)
    rules[columns.DAY_MEMORY] = -np.expm1(-scenario.interval_h / HOURS_PER_DAY)
    rules[columns.STABILITY_WEIGHT], rules[columns.COST_WEIGHT] = operator.stability_weight, operator.cost_weight
    rules[columns.EMISSIONS_WEIGHT] = operator.emissions_weight
    rules[columns.OUT_OF_BAND], rules[columns.DUAL] = operator.out_of_band_per_h, market.imbalance == "dual"
    mitigated = operator.mitigated_per_mwh
    rules[columns.MITIGATED] = 2 * scenario.reference_price_per_mwh if mitigated is None else mitigated
    rules[columns.FREQUENCY_PROFILE] = -1
    if connection and connection.frequency:
        rules[columns.FREQUENCY_PROFILE] = series.names.index(connection.frequency)
    rules[columns.VOLTAGE_BAND], rules[columns.SOURCE_PU] = DEFAULT_VOLTAGE_BAND_PU, 1.0
    if scenario.voltage and feeder:
        rules[columns.VOLTAGE_BAND], rules[columns.SOURCE_PU] = scenario.voltage.band_pu, feeder.source_pu
        rules[columns.SUPPORT_DEAD_BAND] = scenario.voltage.support_dead_band_pu
    rules[columns.NET_LOAD] = series.names.index("net_load") if "net_load" in series.names else -1
    rules[columns.TEMPERATURE] = series.names.index("temperature") if "temperature" in series.names else -1
    return rules


def _seat_index(scenario: Scenario, layout: Layout) -> Int:
    """Codec, place of its action, order slots and class of each seat; a last row closes the actions."""
    known = {name: slot for slot, name in enumerate(layout.classes)}
    rows: list[list[int]] = []
    action = offer = bid = 0
    for number, (role, codec) in enumerate(zip(layout.roles, layout.codecs, strict=True)):
        offers, bids = _slots(scenario, role, codec, number)
        group = known.get(layout.technologies[number], len(layout.classes) - 1)
        rows.append([codec.code, action, offer, offers, bid, bids, group])
        action, offer, bid = action + codec.width, offer + offers, bid + bids
    rows.append([-1, action, offer, 0, bid, 0, 0])
    return np.array(rows, np.int64)


def _slots(scenario: Scenario, role: str, codec: Codec, number: int) -> tuple[int, int]:
    """Offers and bids a seat needs: must-run and both parts of a load included."""
    offers = codec.offers
    if codec.name == "markup" and (role != "generator" or not scenario.all_generators[number].cost_per_mw2h):
        offers = 1
    match role:
        case "generator":
            return offers + 1, 0
        case "storage":
            vehicle = isinstance(scenario.all_storage[number - len(scenario.all_generators)], ElectricVehicle)
            return offers, codec.bids + vehicle  # one more for what must be charged
        case "consumer":
            return offers, LOAD_BIDS
        case _:
            return 0, 0


def _class_capacity(scenario: Scenario, layout: Layout) -> Float:
    capacity = np.zeros(CLASS_LIMIT)
    known = {name: slot for slot, name in enumerate(layout.classes)}
    for technology, mw in _capacities(scenario).items():
        capacity[known.get(technology, len(layout.classes) - 1)] += mw
    return capacity
