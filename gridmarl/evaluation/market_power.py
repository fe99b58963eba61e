"""How far generators hold prices up: the Lerner index, and capacity withheld that was worth its cost.

The Lerner index (Lerner 1934, "The concept of monopoly and the measurement of monopoly power") is (p - c') / p, the
share of the price that is not marginal cost. Withheld is what a unit could have delivered at a marginal cost below the
price and did not, whether it asked too much for it or did not offer it (Joskow & Kahn 2002, "A quantitative analysis of
pricing behavior in California's wholesale electricity market").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gridmarl.errors import ScenarioError, nearest
from gridmarl.evaluation.trajectory import Trajectory
from gridmarl.scenario.participants import Generator
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Bool, Float

if TYPE_CHECKING:
    import pandas as pd

LEAST_MW: Final = 1e-6
LEAST_PER_MWH: Final = 1e-6
"""Less than this is dust: it neither counts as sold nor makes a price differ from a cost."""


@dataclass(frozen=True, slots=True)
class MarketPower:
    """One generator in one episode.

    Attributes
    ----------
    generator : str
    lerner : float or None
        (p - c') / p, the mean over what it sold at positive prices, weighed by energy; none where it sold nothing.
    marginal_lerner : float or None
        The mean over the intervals in which its offer set the price; none where it never did.
    marginal_share : float
        Share of the intervals in which its offer set the price.
    withheld_mwh : float
        What it could have sold above its marginal cost and did not, reserve that it held aside.
    """

    generator: str
    lerner: float | None
    marginal_lerner: float | None
    marginal_share: float
    withheld_mwh: float


def marginal_cost(unit: Generator, power_mw: Float) -> Float:
    """True marginal cost at an output, $/MWh: a + 2 b p where an hour costs a p + b p²."""
    return unit.cost_per_mwh + 2.0 * unit.cost_per_mw2h * power_mw


def worthwhile_mw(unit: Generator, price_per_mwh: Float, available_mw: Float) -> Float:
    """What a price taker would sell: all whose marginal cost lies below the price, MW."""
    above = price_per_mwh - unit.cost_per_mwh
    if unit.cost_per_mw2h == 0.0:
        return np.where(above > LEAST_PER_MWH, available_mw, 0.0)
    return np.clip(above / (2.0 * unit.cost_per_mw2h), 0.0, available_mw)


def market_power(trajectory: Trajectory, scenario: Scenario, generator: str) -> MarketPower:
    """Measure one generator of an episode.

    Parameters
    ----------
    trajectory : Trajectory
    scenario : Scenario
        The one that was played, which knows the true costs.
    generator : str

    Raises
    ------
    ScenarioError
        Where the scenario is another, or has no such generator.
    """
    if scenario.digest != trajectory.digest:
        remedy = "pass the scenario that was played"
        raise ScenarioError("scenario of the trajectory", scenario.digest, trajectory.digest, remedy)
    units = {unit.name: unit for unit in scenario.all_generators}
    if generator not in units:
        raise ScenarioError("generator", generator, ", ".join(units), nearest(generator, units))
    unit, price = units[generator], trajectory.of_market("price_per_mwh")
    sold = trajectory.schedule(generator)
    margin = price - marginal_cost(unit, sold)
    # of what is not sold at a price of 0 or below no share can be taken
    counts = (sold > LEAST_MW) & (price > LEAST_PER_MWH)
    sets = counts & _sets_price(trajectory, generator, price)
    index = np.divide(margin, price, out=np.zeros_like(price), where=counts)
    return MarketPower(
        generator,
        float(np.average(index[counts], weights=sold[counts])) if counts.any() else None,
        float(index[sets].mean()) if sets.any() else None,
        float(sets.mean()),
        float(withheld_mw(trajectory, unit).sum()) * trajectory.interval_h,
    )


def withheld_mw(trajectory: Trajectory, unit: Generator) -> Float:
    """What could have been sold above its marginal cost and was not, (interval,) MW; held reserve is not withheld."""
    name = unit.name
    available = trajectory.of_seat(name, "available_mw")
    reserve = trajectory.of_seat(name, "spin_mw") + trajectory.of_seat(name, "nonspin_mw")
    worth = worthwhile_mw(unit, trajectory.of_market("price_per_mwh"), np.maximum(available - reserve, 0.0))
    return np.maximum(worth - trajectory.schedule(name), 0.0)


def market_power_table(trajectory: Trajectory, scenario: Scenario) -> pd.DataFrame:
    """Every generator of an episode: one row each, with the fields of :class:`MarketPower`."""
    import pandas as pd

    found = [market_power(trajectory, scenario, unit.name) for unit in scenario.all_generators]
    names = MarketPower.__slots__
    return pd.DataFrame([{name: getattr(one, name) for name in names} for one in found])


def _sets_price(trajectory: Trajectory, generator: str, price: Float) -> Bool:
    """Whether an accepted offer of the generator asked the price, (interval,)."""
    own = [slot for slot, seat in enumerate(trajectory.order_seats[: trajectory.offers]) if seat == generator]
    orders = trajectory.book[:, own]  # (interval, slot, [price, MW, accepted MW, rank])
    asked: Bool = (np.abs(orders[..., 0] - price[:, None]) <= LEAST_PER_MWH) & (orders[..., 2] > LEAST_MW)
    return np.logical_or.reduce(asked, axis=1)
