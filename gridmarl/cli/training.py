"""``gridmarl train``: learn a policy by a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridmarl.cli.options import Columns, Data, Json, Out, mapping_of
from gridmarl.cli.printing import print_json, print_tables

if TYPE_CHECKING:
    from gridmarl.agents.cards import PolicyCard
    from gridmarl.learning.keeping.results import Report


def train(
    recipe: Annotated[str, typer.Argument(help="A recipe, or the path of your own YAML.")] = "dqn",
    env: Annotated[str | None, typer.Option(help="Another world than the recipe's.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed than the recipe's.")] = None,
    seats: Annotated[
        str | None, typer.Option(help="A role, seat or pattern that learns, instead of the recipe's.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where a training in the same folder stopped.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Let the new policy take the place of a finished one in the same folder.")
    ] = False,
    steps: Annotated[int | None, typer.Option(help="Other steps than the recipe's, of all environments.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, or auto: a GPU where there is one.")] = None,
    data: Data = None,
    columns: Columns = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Train a policy and write its weights.

    Example: gridmarl train dqn --env auction.
    """
    from gridmarl.agents.make import scenario_of
    from gridmarl.learning.keeping.results import Report
    from gridmarl.learning.recipe import load_recipe
    from gridmarl.learning.trainer import train as train_policy

    fed = data or columns
    world = scenario_of(env or load_recipe(recipe).scenario, data, mapping_of(columns)) if fed else env
    given = {"device": device, "seats": seats, "steps": steps}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    folder = train_policy(recipe, env=world, seed=seed, out=out, resume=resume, replace=replace, **changes)
    for front in (folder / "front.json", *folder.glob("*/front.json")):
        if front.is_file():
            from gridmarl.bench.fronts import draw_front

            draw_front(front.parent)
    found = _trained(folder)
    if as_json:
        print_json({"folder": str(folder), **found.model_dump(mode="json")})
        return
    print_tables(f"wrote {folder}")
    for split, standing in found.metrics.items():
        print_tables(f"{split}: {standing.scaled:.4g} a seat and episode, scaled, mean of {standing.episodes} episodes")
    if not isinstance(found, Report):
        for path in _cards(folder):
            print_tables(f"play {path.parent.name}: gridmarl.load_agent({str(path.parent)!r})")
        print_tables(f"compare: gridmarl compare {found.recipe['scenario']} --teams truthful,{folder}")


def _trained(folder: Path) -> PolicyCard | Report:
    """What a training wrote about itself: a policy's card (the first group's), or a report."""
    from gridmarl.agents.cards import read_card
    from gridmarl.learning.keeping.results import read_report

    cards = _cards(folder)
    return read_card(cards[0]) if cards else read_report(folder)


def _cards(folder: Path) -> list[Path]:
    """The card of the policy, or those of all groups that learned together."""
    from gridmarl.agents.cards import CARD

    alone = folder / CARD
    return [alone] if alone.is_file() else sorted(folder.glob(f"*/{CARD}"))
