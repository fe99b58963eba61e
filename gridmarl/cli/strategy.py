"""``gridmarl exploit``: what each seat could still gain against a team, and its market power."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridmarl.cli.options import Columns, Data, Json, mapping_of
from gridmarl.cli.printing import print_json, print_tables, table_of
from gridmarl.errors import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Mapping

HEAD = (
    "seat",
    "role",
    "profit, $",
    "best response, $",
    "exploitability, $ [95 %]",
    "%",
    "by",
    "kind",
    "Lerner",
    "withheld, MWh",
)


def exploit(
    world: Annotated[str, typer.Argument(help="A world, or the path of your own YAML.")],
    team: Annotated[str, typer.Option(help="The team that plays, or the path of your own YAML.")] = "truthful",
    policy: Annotated[
        list[str] | None,
        typer.Option(help="A learned policy, by name or folder, in the seats it was trained for; may be repeated."),
    ] = None,
    seat: Annotated[
        list[str] | None, typer.Option(help="A seat, role or pattern; may be repeated. By default all generators.")
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, help="Episodes to choose a response on (select), and to score it on (test).")
    ] = 16,
    trainings: Annotated[
        int, typer.Option(min=0, help="Policies that are learned anew in each seat, to find a better response.")
    ] = 0,
    recipe: Annotated[str | None, typer.Option(help="Recipe of these trainings; by default that of the role.")] = None,
    data: Data = None,
    columns: Columns = None,
    as_json: Json = False,
) -> None:
    """Say what each seat could gain by playing otherwise while the others go on as they do.

    Every action of the seat's grid is tried, in short episodes every sequence of them; with --trainings policies are
    learned too. The best on the select split is scored on the test split. It is exact where nobody who knew the episode
    beforehand could gain more on the grid, and a lower bound elsewhere. The Lerner index is (price - marginal cost) /
    price over what a generator sold; withheld is what it could have sold above its marginal cost and did not.

    Example: gridmarl exploit duopoly-low --team truthful.
    """
    from gridmarl.agents.load import load_agent
    from gridmarl.agents.make import scenario_of
    from gridmarl.agents.team import load_team, roles_of
    from gridmarl.bench.market_power.strategy import chosen_seats, strategy_table
    from gridmarl.bench.progress import bar
    from gridmarl.learning.fixed.returns import with_player

    if recipe is not None and not trainings:
        raise ScenarioError("--recipe", recipe, "beside --trainings NUMBER", "say how many policies are learned")
    scenario, players = scenario_of(world, data, mapping_of(columns)), load_team(team)
    for name in policy or ():
        player: Any = load_agent(name)
        if not set(player.card.seats) & set(roles_of(scenario)):
            allowed = f"a policy for one of {', '.join(roles_of(scenario))}"
            raise ScenarioError(
                f"--policy {name}: seats", ", ".join(player.card.seats), allowed, "choose another world"
            )
        players = with_player(players, player, player.card.seats, f"{name} in {team}")
    patterns = tuple(seat or ("generator",))
    with bar(True, f"{team} in {world}", 1 + len(chosen_seats(scenario, patterns))) as stage:
        options: dict[str, Any] = {"seeds": range(seeds), "trainings": trainings, "recipe": recipe}
        table = strategy_table(scenario, players, patterns, done=stage.advance, **options)
    records: list[dict[str, Any]] = table.astype(object).where(table.notna(), None).to_dict(orient="records")
    if as_json:
        print_json(records)
        return
    about = f"{players.name} in {scenario.name}: one seat changes, the others do not; mean of {seeds} test seeds"
    title = f"[bold]{about}[/bold]"
    print_tables(table_of(title, HEAD, [_row(record) for record in records]))


def _row(record: Mapping[str, Any]) -> tuple[str, ...]:
    low, high = record["exploitability_low"], record["exploitability_high"]
    gain = f"{record['exploitability']:+,.2f}" + (f" [{low:+,.2f}, {high:+,.2f}]" if low is not None else "")
    share = record["exploitability_share"]
    return (
        record["seat"],
        record["role"],
        f"{record['profit']:,.2f}",
        f"{record['best_profit']:,.2f}",
        gain,
        "" if share is None else f"{100 * share:.2f}",
        record["response"],
        record["kind"],
        _number(record.get("lerner")),
        _number(record.get("withheld_mwh")),
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
