"""gridmarl: electricity markets as multi-agent reinforcement-learning environments.

Importing it is cheap: each public name is fetched from its module when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from gridmarl.environment.registration import register_with_gymnasium as _register_with_gymnasium

if TYPE_CHECKING:
    from gridmarl.agents.agent import Agent
    from gridmarl.agents.load import load_agent
    from gridmarl.agents.make import env, parallel_env, vector_env
    from gridmarl.agents.team import Team
    from gridmarl.bench.comparison import compare
    from gridmarl.evaluation.rollout import rollout
    from gridmarl.evaluation.trajectory import Trajectory
    from gridmarl.learning.trainer import train
    from gridmarl.market.auction import Clearing, clear
    from gridmarl.negotiation.cycle import negotiate
    from gridmarl.negotiation.environment import negotiation_env
    from gridmarl.scenario.scenario import Scenario

    __version__: str

__all__ = [
    "Agent",
    "Clearing",
    "Scenario",
    "Team",
    "Trajectory",
    "__version__",
    "clear",
    "compare",
    "env",
    "load_agent",
    "negotiate",
    "negotiation_env",
    "parallel_env",
    "rollout",
    "train",
    "vector_env",
]

_HOMES = {
    "Agent": "gridmarl.agents.agent:Agent",
    "Clearing": "gridmarl.market.auction:Clearing",
    "Scenario": "gridmarl.scenario.scenario:Scenario",
    "Team": "gridmarl.agents.team:Team",
    "Trajectory": "gridmarl.evaluation.trajectory:Trajectory",
    "clear": "gridmarl.market.auction:clear",
    "compare": "gridmarl.bench.comparison:compare",
    "env": "gridmarl.agents.make:env",
    "load_agent": "gridmarl.agents.load:load_agent",
    "negotiate": "gridmarl.negotiation.cycle:negotiate",
    "negotiation_env": "gridmarl.negotiation.environment:negotiation_env",
    "parallel_env": "gridmarl.agents.make:parallel_env",
    "rollout": "gridmarl.evaluation.rollout:rollout",
    "train": "gridmarl.learning.trainer:train",
    "vector_env": "gridmarl.agents.make:vector_env",
}
"""Where each public name lives, "module:attribute"."""


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("gridmarl")
    if name not in _HOMES:
        raise AttributeError(f"module 'gridmarl' has no attribute {name!r}; it has {', '.join(__all__)}")
    module, _, attribute = _HOMES[name].partition(":")
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


_register_with_gymnasium()
