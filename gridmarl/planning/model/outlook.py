"""What a planner plans with: each owner's assets over the horizon, the prices it weighs, and what ties owners together.

Each owner's assets are read through a handle on that owner alone; everything else is public.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gridmarl.agents.seats import ConsumerSeat, Feed, GeneratorSeat, Seats, StorageSeat
from gridmarl.errors import ScenarioError
from gridmarl.planning.model import vehicles
from gridmarl.planning.model.assets import Asset, Battery, Coupling, FlexibleLoad, Generator, Group, Owner, Terminal
from gridmarl.planning.model.horizon import Horizon
from gridmarl.planning.model.problem import Problem
from gridmarl.planning.model.risk import Prices
from gridmarl.scenario.participants import ElectricVehicle
from gridmarl.units import HOURS_PER_DAY, Float

SURPLUS_PER_MWH = 1.0
"""What a planner charges itself for output that nobody can take: little, but not nothing."""
SCENARIOS = 10
ALPHA = 0.8


@dataclass(frozen=True, slots=True)
class Outlook:
    """One planning problem and the horizon it was made for.

    Attributes
    ----------
    horizon : Horizon
    owners : tuple of Owner
        Those the planner plays, in order, then ``the market`` where it does not play everybody.
    prices : Prices
    coupling : Coupling
    terminal : Terminal
        Stored energy at the price that the world credits it at.
    """

    horizon: Horizon
    owners: tuple[Owner, ...]
    prices: Prices
    coupling: Coupling
    terminal: Terminal

    @property
    def problem(self) -> Problem:
        """What methods solve."""
        return Problem(self.owners, self.horizon.step_h, self.coupling, self.prices, self.terminal)


def owner_of(seats: Seats, horizon: Horizon, feed: Feed, beta: float) -> Owner:
    """Assets of the one owner this handle is narrowed to.

    Parameters
    ----------
    seats : Seats
        Of one owner.
    horizon : Horizon
    feed : Feed
        Public forecasts, or the truth.
    beta : float
        Weight of CVaR.
    """
    (name,) = seats.owners
    return Owner(name, tuple(_asset(seats, seat, horizon, feed) for seat in seats.played), beta)


def _asset(seats: Seats, seat: str, horizon: Horizon, feed: Feed) -> Asset:
    match seats.own(seat):
        case GeneratorSeat() as unit:
            return _generator(seats, unit, horizon, feed)
        case StorageSeat() as unit:
            return _battery(seats, unit, horizon)
        case ConsumerSeat() as unit:
            return _load(unit, horizon, feed)


def availability(seats: Seats, unit: GeneratorSeat, feed: Feed, intervals: int) -> Float:
    """Available MW of each coming interval: the profile's share of capacity, nothing in maintenance."""
    parameters = unit.parameters
    share = feed.of(parameters.availability)[:intervals] if parameters.availability else np.ones(intervals)
    hours = (seats.interval + np.arange(intervals)) * seats.facts.interval_h
    off = np.zeros(intervals, np.bool_)
    for start, end in parameters.maintenance_h:
        off |= (hours >= start - 1e-9) & (hours < end - 1e-9)
    return np.where(off, 0.0, share) * parameters.capacity_mw


def _generator(seats: Seats, unit: GeneratorSeat, horizon: Horizon, feed: Feed) -> Generator:
    parameters = unit.parameters
    available = horizon.average(availability(seats, unit, feed, horizon.intervals))
    ramp = np.inf if parameters.ramp_mw_per_h is None else parameters.ramp_mw_per_h
    # what is no longer available drops at once, whatever the ramp
    before = np.concatenate([[unit.output_mw], available[:-1]])
    falls = np.where(available < before, np.inf, ramp)
    return Generator(
        name=parameters.name,
        available_mw=available,
        minimum_mw=np.minimum(parameters.minimum_mw, available),
        cost_per_mwh=parameters.cost_per_mwh,
        cost_per_mw2h=parameters.cost_per_mw2h,
        ramp_up_mw_per_h=ramp,
        ramp_down_mw_per_h=falls if np.isfinite(ramp) else np.inf,
        output_now_mw=unit.output_mw,
    )


def _battery(seats: Seats, unit: StorageSeat, horizon: Horizon) -> Battery:
    battery = _parked(unit)
    if not isinstance(unit.parameters, ElectricVehicle):
        return battery
    day = round(HOURS_PER_DAY / horizon.interval_h)
    presence = seats.presence(unit.parameters, horizon.intervals + day)
    return vehicles.with_trips(battery, unit.parameters, presence, horizon)


def _parked(unit: StorageSeat) -> Battery:
    parameters = unit.parameters
    return Battery(
        name=parameters.name,
        charge_limit_mw=parameters.power_mw,
        discharge_limit_mw=parameters.power_mw,
        charge_efficiency=parameters.charge_efficiency,
        discharge_efficiency=parameters.discharge_efficiency,
        energy_min_mwh=parameters.soc_min * parameters.capacity_mwh,
        energy_max_mwh=parameters.soc_max * parameters.capacity_mwh,
        energy_now_mwh=unit.energy_mwh,
        wear_per_mwh=parameters.wear_per_mwh,
        wear_per_mw2h=parameters.wear_per_mw2h,
        ramp_mw_per_h=np.inf if parameters.ramp_mw_per_h is None else parameters.ramp_mw_per_h,
        power_now_mw=unit.power_mw,
    )


def _load(unit: ConsumerSeat, horizon: Horizon, feed: Feed) -> FlexibleLoad:
    parameters = unit.parameters
    baseline = horizon.average(feed.of(parameters.profile)) * parameters.load_mw
    return FlexibleLoad(
        name=parameters.name,
        baseline_mw=baseline,
        flexible_mw=parameters.flexible_share * baseline,
        comfort_cost_per_mwh=parameters.true_cost_per_mwh,
        rebound_share=parameters.rebound_share,
        rebound_h=parameters.rebound_h,
        debt_now_mwh=unit.debt_mwh,
    )


def prices_of(seats: Seats, horizon: Horizon, feed: Feed, risky: bool) -> Prices:
    """What owners are paid in their plans: the public price forecast; scenarios of it where somebody weighs risk."""
    facts = seats.facts
    if seats.information == "perfect" and facts.connection is None:
        return Prices.certain(np.zeros(len(horizon.lengths)))  # on an island payments cancel
    if not risky or seats.information == "perfect":
        return Prices.certain(horizon.average(seats.reference_prices(feed)))
    if facts.price_scenarios is not None:
        paths = np.array(facts.price_scenarios.prices_per_mwh).T[seats.interval :]
        probability = np.array(facts.price_scenarios.probabilities)
        return Prices(horizon.average(paths).T, probability / probability.sum(), facts.price_scenarios.alpha)
    if facts.connection is None:
        return Prices.certain(horizon.average(seats.reference_prices(feed)))
    levels = (np.arange(SCENARIOS) + 0.5) / SCENARIOS
    paths = np.stack([horizon.average(feed.quantile(facts.connection.wholesale, q)) for q in levels])
    return Prices(paths, np.full(SCENARIOS, 1.0 / SCENARIOS), ALPHA)


def coupling_of(seats: Seats, prices: Prices) -> Coupling:
    """An island balances; behind a connection the transformer limits; a part of a market follows its price.

    Transformers inside the world limit their members, where all of them are played: what others put through one is not
    known. Plans break such a limit only where loads and must-run output leave no other way, so that slack costs the
    value of lost load in both directions.

    Plans pay owners the expected price for every MWh, also for those that nobody takes or delivers. The slack's prices
    take that back, so that in the end a missing MWh costs the value of lost load and a dumped one next to nothing.
    """
    facts, paid = seats.facts, prices.expected_per_mwh
    voll = facts.rules.voll_per_mwh
    limit = 0.0
    if facts.connection is not None:
        limit = facts.connection.limit_mw if seats.plays_all else np.inf
    return Coupling(-limit, limit, voll - paid, np.maximum(paid, 0.0) + SURPLUS_PER_MWH, _groups(seats, voll, paid))


def _groups(seats: Seats, voll_per_mwh: float, paid_per_mwh: Float) -> tuple[Group, ...]:
    """One for each transformer all of whose members the planner plays."""
    played, found = set(seats.played), list[Group]()
    for unit in seats.transformers:
        if not unit.seats or not played.issuperset(unit.seats):
            continue
        for owner in unit.owners:
            beside = sorted(set(seats.owners[owner]).difference(unit.seats))
            if beside:
                raise ScenarioError(
                    f"owner {owner!r}, partly behind transformer {unit.name!r}",
                    f"{', '.join(beside)} elsewhere",
                    "all seats of an owner behind one transformer: planners know an owner by its net injection",
                    "give the parts owners of their own, or name the owner among the transformer's members",
                )
        most = unit.limit_mw
        found.append(Group(unit.name, unit.owners, -most, most, voll_per_mwh - paid_per_mwh, voll_per_mwh))
    return tuple(found)


def rest_of_market(seats: Seats, horizon: Horizon, feed: Feed, owners: tuple[Owner, ...]) -> Owner | None:
    """The public's forecast of everybody else: class-average supply against net demand, less what the planner plays."""
    if seats.plays_all or seats.facts.connection is not None:
        return None
    mine = np.zeros(len(horizon.lengths))
    thermal = 0.0
    for asset in (a for owner in owners for a in owner.assets):
        if isinstance(asset, FlexibleLoad):
            mine -= np.asarray(asset.baseline_mw)
        elif isinstance(asset, Generator) and asset.name in seats.renewable:
            mine += np.asarray(asset.available_mw)
        elif isinstance(asset, Generator):
            thermal += float(np.max(asset.available_mw))
    demand = np.maximum(horizon.average(seats.net_demand(feed)) + mine, 0.0)
    stack = seats.stack()
    capacity = np.diff(stack[:, 1], prepend=0.0)
    scale = 1.0 - thermal / max(capacity.sum(), thermal, 1e-9)
    supply = tuple(
        Generator(f"class {k}", float(mw * scale), cost_per_mwh=float(cost))
        for k, (cost, mw) in enumerate(zip(stack[:, 0], capacity, strict=True))
        if mw > 0.0
    )
    return Owner("the market", (*supply, FlexibleLoad("demand", demand)))


def look_ahead(seats: Seats, horizon: Horizon) -> Outlook:
    """Everything a plan needs, from forecasts issued at this gate closure."""
    feed = seats.forecast(horizon.intervals)
    betas = {owner: 0.0 if seats.information == "perfect" else seats.beta(owner) for owner in seats.owners}
    owners = tuple(owner_of(seats.for_owner(name), horizon, feed, betas[name]) for name in seats.owners)
    prices = prices_of(seats, horizon, feed, risky=max(betas.values(), default=0.0) > 0.0)
    if len(prices.probability) == 1:
        owners = tuple(Owner(o.name, o.assets) for o in owners)
    rest = rest_of_market(seats, horizon, feed, owners)
    return Outlook(
        horizon=horizon,
        owners=owners if rest is None else (*owners, rest),
        prices=prices,
        coupling=coupling_of(seats, prices),
        terminal=Terminal(keep_energy=False, stored_energy_price=seats.facts.stored_energy_price_per_mwh),
    )
