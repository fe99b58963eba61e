"""What a training leaves behind: each group's policy, or weights and a report where the world is not ours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from pydantic import JsonValue

from gridmarl.agents.cards import CARD, CurvePoint, PolicyCard, Standing
from gridmarl.agents.networks import PreferenceNetwork, SeatNetwork
from gridmarl.agents.policies import Stored, digest_of, write_policy
from gridmarl.environment.compiled import fields
from gridmarl.errors import TrainingError
from gridmarl.files import write_atomically
from gridmarl.learning.interface import GroupSpec
from gridmarl.learning.recipe import Recipe
from gridmarl.learning.tasks import MarketTask
from gridmarl.scenario.model import Model

REPORT: Final = "training.json"


class Report(Model):
    """What a training in an environment from elsewhere came to.

    Attributes
    ----------
    recipe : mapping
    torch : str
    chosen_step : int
    wall_s : float
    curve : tuple of CurvePoint
    metrics : mapping
        Split -> what the chosen weights earned there.
    """

    recipe: Mapping[str, JsonValue]
    torch: str
    chosen_step: int
    wall_s: float
    curve: tuple[CurvePoint, ...]
    metrics: Mapping[str, Standing]


def write_report(folder: Path, report: Report, weights: Mapping[str, bytes]) -> None:
    """Write ``training.json`` and a file of weights for each group."""
    for group, content in weights.items():
        write_atomically(_weights_file(folder, group), content)
    write_atomically(folder / REPORT, json.dumps(report.model_dump(mode="json"), indent=1) + "\n")


def _weights_file(folder: Path, group: str) -> Path:
    return folder / f"{group.replace(':', '-')}.safetensors"


def files_of(folder: Path, groups: Mapping[str, GroupSpec], market: bool) -> list[Path]:
    """What says afterwards that a training was here: in a market each group's card, else the report and weights."""
    if market:
        return [group_folder(folder, group, groups) / CARD for group in groups]
    return [folder / REPORT, *(_weights_file(folder, group) for group in groups)]


def read_report(folder: Path) -> Report:
    """What :func:`write_report` wrote.

    Raises
    ------
    TrainingError
        Where there is none, or it is not ours.
    """
    path = folder / REPORT
    try:
        return Report.parse(json.loads(path.read_text("utf-8")), str(path))
    except (OSError, ValueError, TypeError) as error:
        raise TrainingError(f"{path}: {error}", None, "the report of a training", "train again") from error


def group_folder(folder: Path, group: str, groups: Mapping[str, GroupSpec]) -> Path:
    """Where a group's policy stands: the folder itself, or one in it where several groups learn."""
    return folder if len(groups) == 1 else folder / group.replace(":", "-")


def write_policies(
    folder: Path,
    recipe: Recipe,
    task: MarketTask,
    groups: Mapping[str, GroupSpec],
    networks: Mapping[str, SeatNetwork],
    report: Report,
    weights: Mapping[str, bytes],
) -> None:
    """Write the card and the weights of each group's policy."""
    for name, group in groups.items():
        network, content = networks[name], weights[name]
        preference = network.preference.tolist() if isinstance(network, PreferenceNetwork) else ()
        scale = group.scale.reshape(len(group.seats), -1)[:, 0]
        card = PolicyCard(
            algorithm=recipe.algorithm,
            observation_version=fields.VERSION,
            role=group.role,
            codec=group.codec,
            sizes=network.sizes,
            head=network.head,
            shared=network.shared,
            low=tuple(group.actions.low.tolist()),
            high=tuple(group.actions.high.tolist()),
            objectives=group.objectives,
            preference=tuple(preference),
            weights_sha256=digest_of(content),
            seats=group.seats,
            others=recipe.others,
            reward_scale=dict(zip(group.seats, scale.tolist(), strict=True)),
            recipe=report.recipe,
            seed=recipe.seed,
            scenario=task.scenario.name,
            digest=task.scenario.digest,
            split="train",
            torch=torch.__version__,
            threads=recipe.threads,
            tolerance=recipe.tolerance,
            chosen_step=report.chosen_step,
            wall_s=report.wall_s,
            curve=report.curve,
            metrics=report.metrics,
        )
        path = group_folder(folder, name, groups)
        write_policy(path, Stored(path.name, card, content))
