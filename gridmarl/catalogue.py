"""From a name to a file, and from a kind to the code it stands for, both as late as possible.

Worlds, teams and recipes are YAML files that people open and edit. A file says ``kind: planner``; which class that is
stands in a table here, or in an installed package's entry-point group ``gridmarl.agents``. No file names Python code.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final, cast

import yaml

from gridmarl.errors import CatalogueError, ScenarioError, nearest

AGENT_KINDS: Final[Mapping[str, str]] = {
    "rule": "gridmarl.agents.rules:Rule",
    "planner": "gridmarl.planning.planner:Planner",
    "policy": "gridmarl.agents.policies:StoredPolicy",
    "learned": "gridmarl.agents.learned:Learned",
    "sb3": "gridmarl.learning.sb3:SB3Agent",
    "zero-intelligence": "gridmarl.agents.rules:ZeroIntelligence",
    "self-consumption": "gridmarl.agents.homes:SelfConsumption",
    "tuned": "gridmarl.learning.fixed.tuned:TunedRule",
    "negotiate": "gridmarl.negotiation.negotiator:NegotiatorAgent",
}
"""Built-in kinds of agents, kind -> "module:attribute"."""

AGENT_GROUP: Final = "gridmarl.agents"
"""The entry-point group in which other packages announce kinds."""


def shipped(folder: str) -> Path:
    """Folder of a shipped collection: inside an installed wheel, or beside the package in a checkout.

    Parameters
    ----------
    folder : str
        ``envs``, ``baselines`` or ``training``, or a folder in one of them.

    Returns
    -------
    Path
        The folder; it need not exist.
    """
    package = Path(__file__).parent
    installed = package / "_shipped" / folder
    return installed if installed.is_dir() else package.parent / folder


def names(folder: str) -> list[str]:
    """Names of the YAML files of a shipped collection, sorted."""
    return sorted(file.stem for file in shipped(folder).glob("*.yaml"))


def find(folder: str, name_or_path: str | Path) -> Path:
    """Path of a shipped file by its name, or of your own file by its path.

    Parameters
    ----------
    folder : str
        The collection that knows the name.
    name_or_path : str or Path
        A name such as ``auction``; a ``Path``, or text with a separator or the suffix ``.yaml`` or ``.yml``, is a path.

    Returns
    -------
    Path
        An existing file.

    Raises
    ------
    CatalogueError
        No such file, or a name that the collection does not have.
    """
    if _is_path(name_or_path):
        return _existing(Path(name_or_path))
    known = names(folder)
    if name_or_path not in known:
        hint = nearest(str(name_or_path), known) or "pass a path to use a file of your own"
        raise CatalogueError(f"name in {folder}/", str(name_or_path), ", ".join(known), hint)
    return shipped(folder) / f"{name_or_path}.yaml"


def read(folder: str, name_or_path: str | Path) -> Mapping[str, object]:
    """Content of a YAML file: plain values only, each key once.

    Parameters
    ----------
    folder : str
        The collection that knows the name.
    name_or_path : str or Path
        See `find`.

    Returns
    -------
    mapping of str to object
        The file's top level.

    Raises
    ------
    CatalogueError
        No such name or file.
    ScenarioError
        Text that is not YAML, names Python objects, repeats a key, or is not a mapping; says the file and the line.
    """
    path = find(folder, name_or_path)
    try:
        content = cast(object, yaml.load(path.read_text(encoding="utf-8"), Loader=_PlainLoader))  # noqa: S506  # a SafeLoader
    except UnicodeDecodeError as error:
        raise ScenarioError(str(path), error.reason, "UTF-8 text") from error
    except yaml.YAMLError as error:
        raise _located(path, error) from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in cast(dict[object, object], content)):
        raise ScenarioError(f"{path}, top level", type(content).__name__, "a mapping of names to values")
    return cast(dict[str, object], content)


def resolve(kind: str) -> object:
    """Code that a kind of agent stands for, imported now.

    Parameters
    ----------
    kind : str
        A key of `AGENT_KINDS`, or the name of an entry point in the group `AGENT_GROUP`. Built-in kinds come first.

    Returns
    -------
    object
        Usually a class.

    Raises
    ------
    CatalogueError
        An unknown kind, or one whose code is not where it was announced.
    """
    known = {**_announced(), **AGENT_KINDS}
    if kind not in known:
        raise CatalogueError("kind of agent", kind, ", ".join(sorted(known)), nearest(kind, known))
    where, _, attribute = known[kind].partition(":")
    module = import_module(where)
    if not hasattr(module, attribute):
        raise CatalogueError(f"code of the kind of agent {kind!r}", known[kind], "module:attribute that exists")
    return cast(object, getattr(module, attribute))


@cache
def _announced() -> Mapping[str, str]:
    """Kinds of installed packages; looked up once, because it opens every package's metadata."""
    return {point.name: point.value for point in entry_points(group=AGENT_GROUP)}


def _is_path(name_or_path: str | Path) -> bool:
    if isinstance(name_or_path, Path):
        return True
    if not isinstance(name_or_path, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers are untyped
        raise CatalogueError("name", name_or_path, "a name or the path of a YAML file", "gridmarl list names them all")
    return "/" in name_or_path or "\\" in name_or_path or name_or_path.endswith((".yaml", ".yml"))


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise CatalogueError("file", str(path), "a YAML file that exists", f"relative paths start at {Path.cwd()}")
    return path


def _located(path: Path, error: yaml.YAMLError) -> ScenarioError:
    """Say the file, the line and what the parser saw."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return ScenarioError(f"{path}, line {error.problem_mark.line + 1}: {error.problem}", allowed="plain YAML")
    return ScenarioError(f"{path}: {error}", allowed="plain YAML")


class _PlainLoader(yaml.SafeLoader):
    """Safe YAML in which a key stands once and ``1e6`` is a number."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if (key.tag, key.value) in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} stands twice", key.start_mark)
            seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)


# YAML 1.1 reads an exponent without a point as text, which would turn `tolerance: 1e-6` into a word.
_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?\d+[eE][-+]?\d+$"), list("-+0123456789")
)
