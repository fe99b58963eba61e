"""The two costs a team is measured between: the reference's and the optimum's, of the same episode."""

from __future__ import annotations

from gridmarl.evaluation.metrics import Yardstick, resource_cost
from gridmarl.evaluation.rollout import rollout
from gridmarl.planning.optimum import optimum_cost
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import Scenario

REFERENCE = "reference"

_known: dict[tuple[str, int, Split], Yardstick] = {}


def yardstick(scenario: Scenario, seed: int, split: Split = "test") -> Yardstick:
    """Costs of the reference team and of the optimum in an episode; computed once a process.

    Raises
    ------
    PlanError
        Where the optimum cannot be found.
    """
    key = (scenario.digest, seed, split)
    if key not in _known:
        reference = rollout(scenario, REFERENCE, seed=seed, split=split)
        _known[key] = Yardstick(resource_cost(reference), optimum_cost(scenario, seed, split))
    return _known[key]
