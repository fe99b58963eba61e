"""Strategies by name; those that need a library or weights are loaded when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from gridmarl.errors import CatalogueError, nearest
from gridmarl.negotiation.strategies import Floor, Random, Rule, Strategy


def _learned() -> Strategy:
    from gridmarl.negotiation.learned import Learned

    return Learned()


STRATEGIES: Final[Mapping[str, Callable[[], Strategy]]] = {
    "rule": Rule,
    "random": Random,
    "floor": Floor,
    "learned": _learned,
}


def strategy_of(name: str) -> Strategy:
    """A strategy by its name; ``llm`` is the small local language model, ``llm:provider:name`` another one.

    Raises
    ------
    CatalogueError
        Where there is no such strategy.
    """
    kind, _, model = name.partition(":")
    if kind == "llm":
        from gridmarl.negotiation.language.choosing import shared_strategy

        return shared_strategy(model or "local")
    if name not in STRATEGIES:
        raise CatalogueError("strategy", name, ", ".join([*STRATEGIES, "llm"]), nearest(name, STRATEGIES))
    return STRATEGIES[name]()
