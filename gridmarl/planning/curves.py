"""A schedule becomes bids: the scheduled quantity at its opportunity value, all that remains at its own cost.

At the plan's price of energy every scheduled quantity must clear and nothing else may, so scheduled offers stand a
shade below it and the rest a shade above. Across a grid connection the shade covers the fees.
"""

from __future__ import annotations

import numpy as np

from gridmarl.agents.seats import ConsumerSeat, GeneratorSeat, SeatState, StorageSeat
from gridmarl.planning.model.plan import AssetPlan, BatteryPlan, GeneratorPlan, LoadPlan
from gridmarl.units import Float

TICK = 0.01
"""$/MWh by which a scheduled quantity undercuts the plan's price."""
DUST_MW = 1e-9


def curve(*pairs: tuple[float, float], floor: float, cap: float) -> Float:
    """Up to three (price, MW) steps as a ``curve`` action, prices inside the market's bounds."""
    steps = [*pairs, *[(cap, 0.0)] * (3 - len(pairs))]
    return np.array([x for price, mw in steps for x in (min(max(price, floor), cap), mw)])


def bid_generator(
    unit: GeneratorSeat, scheduled_mw: float, available_mw: float, price: float, shade: float, floor: float, cap: float
) -> Float:
    """Output as scheduled below the price; the rest at marginal cost, or above the price if it was kept for later."""
    p = unit.parameters
    output, most = max(scheduled_mw, 0.0), p.capacity_mw
    below = p.cost_per_mwh + p.cost_per_mw2h * output
    above = p.cost_per_mwh + p.cost_per_mw2h * (output + most)
    kept = output < available_mw - 1e-6 * most
    rest = max(above, price + shade) if kept else above
    return curve((min(below, price - shade), output), (rest, most - output), floor=floor, cap=cap)


def water_value(plan: BatteryPlan, unit: StorageSeat, price: Float, step: int) -> float:
    """Value of a stored MWh now, $/MWh, from the schedule's complementary slackness.

    Until the energy next touches a bound the value is one number v: discharging needs (price - wear) η_d >= v, charging
    (price + wear) / η_c <= v, and the other way round where the battery could do more and does not.
    """
    p = unit.parameters
    lowest, highest = p.soc_min * p.capacity_mwh, p.soc_max * p.capacity_mwh
    energy = plan.energy_mwh[step:]
    touch = np.flatnonzero((energy <= lowest + 1e-6 * p.capacity_mwh) | (energy >= highest - 1e-6 * p.capacity_mwh))
    ends = [touch[0] + 1 if len(touch) else len(energy)]
    if plan.leaves is not None:
        ends += (np.flatnonzero(plan.leaves[step:]) + 1)[:1].tolist()
    span = np.arange(step, step + int(min(ends)))
    most = np.full(len(span), p.power_mw) if plan.limit_mw is None else plan.limit_mw[span]
    span, most = span[most > 0], most[most > 0]  # while a vehicle is away its idleness says nothing
    if not len(span):
        return 0.0
    power = plan.injection_mw[span]
    sell = (price[span] - p.wear_per_mwh) * p.discharge_efficiency
    buy = (price[span] + p.wear_per_mwh) / p.charge_efficiency
    edge = 1e-6 * p.power_mw
    at_least = np.concatenate([buy[power < -edge], sell[(power < most - edge) & (power > -edge)]])
    at_most = np.concatenate([sell[power > edge], buy[(power > edge - most) & (power < edge)]])
    low = at_least.max() if len(at_least) else at_most.min()
    high = at_most.min() if len(at_most) else low
    return float((low + high) / 2.0)


def bid_storage(
    unit: StorageSeat, scheduled_mw: float, value: float, price: float, shade: float, floor: float, cap: float
) -> Float:
    """Scheduled power at the value of stored energy, the rest of both directions outside the price's shade."""
    p = unit.parameters
    sell = value / p.discharge_efficiency + p.wear_per_mwh
    buy = value * p.charge_efficiency - p.wear_per_mwh
    more_sold, less_bought = max(sell, price + shade), min(buy, price - shade)
    if scheduled_mw > DUST_MW:
        first = (min(sell, price - shade), scheduled_mw)
        return curve(first, (more_sold, p.power_mw), (less_bought, -p.power_mw), floor=floor, cap=cap)
    if scheduled_mw < -DUST_MW:
        first = (max(buy, price + shade), scheduled_mw)
        return curve(first, (less_bought, -p.power_mw), (more_sold, p.power_mw), floor=floor, cap=cap)
    return curve((more_sold, p.power_mw), (less_bought, -p.power_mw), floor=floor, cap=cap)


def bid_consumer(
    unit: ConsumerSeat, scheduled_mw: float, ahead_price: float, price: float, shade: float, floor: float, cap: float
) -> Float:
    """Scheduled reduction below the price; the rest at comfort plus what the rebound will cost."""
    p = unit.parameters
    cost = p.true_cost_per_mwh + p.rebound_share * ahead_price
    first = (min(cost, price - shade), max(scheduled_mw, 0.0))
    return curve(first, (max(cost, price + shade), p.load_mw), floor=floor, cap=cap)


def scheduled(plan: AssetPlan, step: int) -> float:
    """Quantity that a plan schedules in a step: output, net discharge or reduction, MW."""
    match plan:
        case BatteryPlan():
            return float(plan.injection_mw[step])
        case GeneratorPlan():
            return float(plan.output_mw[step])
        case LoadPlan():
            return float(plan.reduction_mw[step])


def bid(
    unit: SeatState,
    plan: AssetPlan,
    step: int,
    prices: Float,
    available_mw: float,
    ahead: int,
    shade: float,
    floor: float,
    cap: float,
) -> Float:
    """A seat's ``curve`` for the interval in this step of the plan.

    Parameters
    ----------
    unit : SeatState
        The seat now.
    plan : AssetPlan
        Its trajectory.
    step : int
    prices : (step,) array
        Price of energy in the plan, $/MWh.
    available_mw : float
        A generator's forecast available output.
    ahead : int
        Steps over which a load's reduction comes back.
    shade : float
        Distance that keeps scheduled and unscheduled quantities apart, $/MWh.
    floor, cap : float
        Bounds of order prices.
    """
    price, quantity = float(prices[step]), scheduled(plan, step)
    match unit:
        case GeneratorSeat():
            return bid_generator(unit, quantity, available_mw, price, shade, floor, cap)
        case StorageSeat():
            assert isinstance(plan, BatteryPlan)
            value = water_value(plan, unit, prices, step)
            return bid_storage(unit, quantity, value, price, shade, floor, cap)
        case ConsumerSeat():
            later = float(prices[step : step + 1 + ahead].mean())
            return bid_consumer(unit, quantity, later, price, shade, floor, cap)
