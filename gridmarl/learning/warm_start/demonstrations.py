"""What a team does in the seats that learn, told as the learners would have to do it.

The team plays its seats by its own orders, everybody else as in the training. Its dispatch is then put into each
learner's codec, and those actions are played in the learner's own world: the observations that stand beside them are
the ones a learner sees when it acts so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np

from gridmarl.agents.agent import Agent
from gridmarl.agents.team import Team, load_team, roles_of
from gridmarl.environment.compiled.codecs import GRID_PRICES
from gridmarl.environment.compiled.columns import ORDER_ACCEPTED, ORDER_MW, ORDER_PRICE
from gridmarl.environment.interval.bidding import MUST_RUN
from gridmarl.errors import TrainingError
from gridmarl.evaluation.rollout import rollout
from gridmarl.evaluation.trajectory import Trajectory
from gridmarl.learning.interface import Actions, GroupSpec, Step
from gridmarl.learning.recipe import Clone
from gridmarl.learning.tasks import MarketTask
from gridmarl.scenario.prosumers import part_role
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import QUANTITY_TOLERANCE, Float, Float32, Int

RANK: Final = 3
"""Column of an order's rank in a trajectory's book."""


class Demonstrations(NamedTuple):
    """Pairs to imitate, and what they earn."""

    s: dict[str, Float32]  # group -> (row, seat, field)
    a: dict[str, Float32]  # group -> (row, seat) whole numbers or (row, seat, component) within -1 .. 1
    scaled: float  # mean over episodes and seats of the scaled return, comparable with a Standing's


def demonstrate(task: MarketTask, clone: Clone, seed: int) -> Demonstrations:
    """Let a team play episodes of the train split, and replay them as the learners see them.

    Parameters
    ----------
    task : MarketTask
    clone : Clone
        Names the team and how many episodes.
    seed : int
        Of the first and all following episodes.

    Raises
    ------
    TrainingError
        Where a learner's codec cannot say what a planner does.
    """
    team = _taught(task, load_team(clone.team))
    world = task.make(1, "train")
    implied = {name: _implied_by(group) for name, group in world.groups.items()}
    s: dict[str, list[Float32]] = {name: [] for name in world.groups}
    a: dict[str, list[Float32]] = {name: [] for name in world.groups}
    now, earned = world.reset(seed).observations, 0.0
    for episode in range(clone.episodes):
        played = rollout(task.scenario, team, seed=seed, split="train", episode=episode)
        acts = {name: implied[name](played, task.scenario, group) for name, group in world.groups.items()}
        for t in range(len(played.market)):
            actions: Actions = {name: found[t : t + 1] for name, found in acts.items()}
            for name, seen in now.items():
                s[name].append(seen.copy())
                a[name].append(actions[name].astype(np.float32))
            step = world.step(actions)
            now, earned = step.observations, earned + _mean_reward(step, world.groups)
    return Demonstrations(
        {name: np.concatenate(rows) for name, rows in s.items()},
        {name: np.concatenate(rows) for name, rows in a.items()},
        earned / clone.episodes,
    )


def _mean_reward(step: Step, groups: Mapping[str, GroupSpec]) -> float:
    seats = sum(len(group.seats) for group in groups.values())
    return sum(float(r.sum()) for r in step.rewards.values()) / seats


def _taught(task: MarketTask, teacher: Team) -> Team:
    """The teacher in the seats that learn, a home's parts apart, and the training's own team in the others."""
    roles, agents = roles_of(task.scenario, task.codecs), dict[str, Agent]()
    homes = {home.name: home for home in task.scenario.all_prosumers}
    for seat in task.seats:
        agents[seat] = teacher.player_of(seat, roles[seat])
        for part in homes[seat].parts if seat in homes else ():
            agents[part.name] = teacher.player_of(part.name, part_role(part))
    return Team({**agents, **task.others.agents}, f"{teacher.name} in the seats that learn")


Implied = Callable[[Trajectory, Scenario, GroupSpec], Float32 | Int]


def _implied_by(group: GroupSpec) -> Implied:
    known: Mapping[str, Implied] = {"power": powers, "share": shares, "price-grid": prices, "assets": parts}
    if group.codec not in known:
        remedy = "leave clone: out, or choose another codec"
        raise TrainingError(f"clone for the codec of group {group.name!r}", group.codec, ", ".join(known), remedy)
    return known[group.codec]


def powers(played: Trajectory, scenario: Scenario, group: GroupSpec) -> Float32:
    """Dispatched power over the limit, (interval, seat, 1)."""
    found = [_power_share(played, scenario, seat) for seat in group.seats]
    return np.stack(found, 1)[..., None].astype(np.float32)


def _power_share(played: Trajectory, scenario: Scenario, seat: str) -> Float:
    unit = next(unit for unit in scenario.all_storage if unit.name == seat)
    return np.clip(played.schedule(seat) / unit.power_mw, -1.0, 1.0)


def shares(played: Trajectory, scenario: Scenario, group: GroupSpec) -> Float32:
    """Reduction over the flexible load, 0 .. 1 as -1 .. 1, (interval, seat, 1)."""
    found = [2.0 * _reduced_share(played, scenario, seat) - 1.0 for seat in group.seats]
    return np.stack(found, 1)[..., None].astype(np.float32)


def _reduced_share(played: Trajectory, scenario: Scenario, seat: str) -> Float:
    unit = next(unit for unit in scenario.all_consumers if unit.name == seat)
    load = unit.load_mw * played.realised[:, played.profiles.index(unit.profile)]
    flexible = np.maximum(unit.flexible_share * load, QUANTITY_TOLERANCE)
    return np.clip(played.schedule(seat) / flexible, 0.0, 1.0)


def prices(played: Trajectory, scenario: Scenario, group: GroupSpec) -> Int:
    """The grid's price nearest to what was asked for the dearest MW that was sold, (interval, seat).

    Where nothing was sold: for the cheapest MW that was offered; where nothing was offered, the unit's cost.
    """
    found = [_asked(played, scenario, seat) for seat in group.seats]
    return np.abs(np.stack(found, 1)[..., None] - GRID_PRICES).argmin(-1)


def _asked(played: Trajectory, scenario: Scenario, seat: str) -> Float:
    slots = [slot for slot in range(played.offers) if played.order_seats[slot] == seat]
    book = played.book[:, slots]
    price, free = book[..., ORDER_PRICE], book[..., RANK] != MUST_RUN
    offered = free & (book[..., ORDER_MW] > QUANTITY_TOLERANCE)
    sold = offered & (book[..., ORDER_ACCEPTED] > QUANTITY_TOLERANCE)
    dearest = np.where(sold, price, -np.inf).max(1)
    cheapest = np.where(offered, price, np.inf).min(1)
    cost = next(unit for unit in scenario.all_generators if unit.name == seat).cost_per_mwh
    return np.where(sold.any(1), dearest, np.where(offered.any(1), cheapest, cost))


def parts(played: Trajectory, scenario: Scenario, group: GroupSpec) -> Float32:
    """What a home's battery, vehicle and flexible load do; what it has not stays at rest, (interval, seat, 3)."""
    homes = {home.name: home for home in scenario.all_prosumers}
    found = np.tile(np.array([0.0, 0.0, -1.0]), (len(played.market), len(group.seats), 1))
    for place, seat in enumerate(group.seats):
        home = homes[seat]
        for component, unit in enumerate((home.battery, home.ev)):
            if unit is not None:
                found[:, place, component] = _power_share(played, scenario, unit.name)
        if home.load is not None:
            found[:, place, 2] = 2.0 * _reduced_share(played, scenario, home.load.name) - 1.0
    return found.astype(np.float32)
