"""What an installed wheel must do where there is no checkout. Run as a script: the list of files, then the checkout."""

from __future__ import annotations

import sys
from pathlib import Path

import gridmarl
from gridmarl import catalogue
from gridmarl.agents.team import load_team
from gridmarl.negotiation.learned import WEIGHTS, Learned

COLLECTIONS = ("envs", "baselines", "training")


def carried(package: Path) -> set[str]:
    """Files of the three collections inside the package, as git names them."""
    root = package / "_shipped"
    return {
        file.relative_to(root).as_posix() for name in COLLECTIONS for file in (root / name).rglob("*") if file.is_file()
    }


def check_place(package: Path, checkout: Path) -> None:
    if package.is_relative_to(checkout):
        sys.exit(f"gridmarl was imported from the checkout: {package}")
    if not (package / "py.typed").is_file():
        sys.exit("the wheel lacks py.typed")


def check_files(package: Path, listing: Path) -> None:
    found, tracked = carried(package), set(listing.read_text(encoding="utf-8").split())
    if found != tracked:
        sys.exit(
            f"missing in the wheel: {sorted(tracked - found)}; in the wheel but not in git: {sorted(found - tracked)}"
        )


def check_worlds() -> None:
    for name in catalogue.names("envs"):
        gridmarl.Scenario.load(name)
        print("world ", name)


def check_teams() -> None:
    for name in catalogue.names("baselines"):
        load_team(name)
        print("team  ", name)


def check_recipes() -> None:
    for name in catalogue.names("training"):
        catalogue.read("training", name)
        print("recipe", name)


def check_policies() -> None:
    for weights in sorted(catalogue.shipped("training/policies").rglob("*.safetensors")):
        if weights.name == WEIGHTS:
            Learned(weights.parent)
        else:
            gridmarl.load_agent(weights.parent)
        print("policy", weights.parent.name)


def main(listing: Path, checkout: Path) -> None:
    package = Path(gridmarl.__file__).resolve().parent
    check_place(package, checkout.resolve())
    check_files(package, listing)
    check_worlds()
    check_teams()
    check_recipes()
    check_policies()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
