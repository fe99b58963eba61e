"""``gridmarl list`` and ``gridmarl show``: what there is, and what it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridmarl.cli.options import Columns, Data, Json, mapping_of
from gridmarl.cli.printing import print_json, print_tables, table_of
from gridmarl.errors import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Group

    from gridmarl.agents.cards import PolicyCard


YAML_WIDTH = 80
"""Columns after which a line of YAML breaks at the next space; a word later still fits a pipe's width."""
MOST_SEATS = 8
"""More seats than these are counted rather than named."""
COLLECTIONS = {"worlds": "envs", "teams": "baselines", "recipes": "training"}


def list_names(
    what: Annotated[str, typer.Argument(help="worlds, teams, recipes, policies or all.")] = "all", as_json: Json = False
) -> None:
    """Name everything that ships.

    Example: gridmarl list teams.
    """
    from gridmarl import catalogue

    found = {
        kind: {name: _describe(folder, name) for name in catalogue.names(folder)}
        for kind, folder in COLLECTIONS.items()
    }
    found["policies"] = _policies()
    if what != "all" and what not in found:
        raise ScenarioError("list", what, ", ".join((*found, "all")), "choose one of them")
    chosen = found if what == "all" else {what: found[what]}
    if as_json:
        print_json(chosen)
        return
    head = ("name", "description")
    print_tables(*(table_of(f"\n[bold]{kind}[/bold]", head, list(names.items())) for kind, names in chosen.items()))


def _describe(folder: str, name: str) -> str:
    from gridmarl import catalogue

    return str(catalogue.read(folder, name).get("description", ""))


def _policies() -> dict[str, str]:
    """Shipped policies, those that sit in no market too, and what each is."""
    from gridmarl.agents.load import policy_names
    from gridmarl.negotiation.learned import negotiating_policies

    described = {name: _describe_policy(name) for name in policy_names(together=True)}
    described |= {name: _describe_negotiator(name) for name in negotiating_policies()}
    return dict(sorted(described.items()))


def _describe_negotiator(name: str) -> str:
    from gridmarl.negotiation.learned import SHIPPED, training_of

    recipe = training_of(name)["recipe"]
    use = ": gridmarl negotiate --strategy learned" if name == SHIPPED else ""
    return f"{recipe['algorithm']} in negotiations, picks from a home's menu{use}"


def _card_of(name: str) -> PolicyCard:
    from gridmarl.agents.cards import CARD, find_policy, read_card

    return read_card(find_policy(name) / CARD)


def _describe_policy(name: str) -> str:
    card = _card_of(name)
    seats = ", ".join(card.seats) if len(card.seats) <= MOST_SEATS else f"{len(card.seats)} of {card.role}"
    return f"{card.algorithm} in {card.scenario}, others {card.others}: {seats}"


def show(
    name: Annotated[str, typer.Argument(help="A world, team, recipe or policy, or the folder of a policy of yours.")],
    data: Data = None,
    columns: Columns = None,
    as_json: Json = False,
) -> None:
    """Explain one of them: its settings as they stand in its file.

    Example: gridmarl show auction.
    """
    from gridmarl import catalogue
    from gridmarl.agents.load import policy_names
    from gridmarl.errors import CatalogueError, nearest
    from gridmarl.negotiation.learned import negotiating_policies, training_of

    seated, negotiating = policy_names(together=True), negotiating_policies()
    if name in (*seated, *negotiating):
        content: Any = training_of(name) if name in negotiating else _card_of(name).model_dump(mode="json")
        print_json(content) if as_json else _show_mapping(name, content)
        return
    found = {kind: dict(catalogue.read(f, name)) for kind, f in COLLECTIONS.items() if name in catalogue.names(f)}
    if not found and (cards := _cards_in(name)):
        if as_json:
            print_json(cards)
            return
        for folder, card in cards.items():
            _show_mapping(folder, card)
        return
    if not found:
        every = [*(n for folder in COLLECTIONS.values() for n in catalogue.names(folder)), *seated, *negotiating]
        raise CatalogueError("name", name, ", ".join(every), nearest(name, every))
    wanted = "worlds" in found and (data or columns or not as_json)
    seats = _seats_of(name, data, mapping_of(columns)) if wanted else None  # refused before anything is printed
    if as_json:
        print_json(found)
        return
    for kind, content in found.items():
        _show_mapping(f"{name} ({kind.removesuffix('s')})", content)
    if seats is not None:
        print_tables(seats)


def _cards_in(folder: str) -> dict[str, dict[str, object]]:
    """Folder -> card of the policy in it and of those in its folders, for roles that learned together; often none."""
    from gridmarl.agents.cards import CARD, read_card

    paths = sorted([*Path(folder).glob(CARD), *Path(folder).glob(f"*/{CARD}")])
    return {str(path.parent): read_card(path).model_dump(mode="json") for path in paths}


def _show_mapping(name: str, content: dict[str, object]) -> None:
    import yaml
    from rich.syntax import Syntax

    settings = {key: value for key, value in content.items() if key != "description"}
    text = yaml.safe_dump(settings, sort_keys=False, width=YAML_WIDTH, default_flow_style=None)
    said = f"\n[bold]{name}[/bold] {content.get('description', '')}"
    print_tables(said, Syntax(text, "yaml", background_color="default", word_wrap=True))


def _seats_of(name: str, data: list[Path] | None, columns: Mapping[str, str]) -> Group:
    from gridmarl.agents.make import scenario_of
    from gridmarl.environment.compiled.world import compile_world

    layout = compile_world(scenario_of(name, data, columns)).layout
    rows = [
        (seat, role, owner, technology, codec.name)
        for seat, role, owner, technology, codec in zip(
            layout.seats, layout.roles, layout.owners, layout.technologies, layout.codecs, strict=True
        )
    ]
    return table_of(f"\n[bold]{len(rows)} seats[/bold]", ("seat", "role", "owner", "technology", "codec"), rows)
