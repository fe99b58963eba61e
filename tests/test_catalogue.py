"""Names become files, files become plain values, kinds become code; whatever is unknown is said so."""

from __future__ import annotations

import pickle
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

import gridmarl
from gridmarl import catalogue
from gridmarl.errors import CatalogueError, ScenarioError

ROOT = Path(gridmarl.__file__).parents[1]


@pytest.fixture
def collection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of its own, whose ``envs`` holds ``auction`` and ``city``."""
    package = tmp_path / "gridmarl"
    package.mkdir()
    monkeypatch.setattr(catalogue, "__file__", str(package / "catalogue.py"))
    folder = tmp_path / "envs"
    folder.mkdir()
    (folder / "auction.yaml").write_text("name: auction\n")
    (folder / "city.yaml").write_text("name: city\n")
    (folder / "README.md").write_text("about worlds\n")
    return folder


@pytest.fixture
def announce(monkeypatch: pytest.MonkeyPatch):
    """Pretend that installed packages announce these entry points."""

    def install(**kinds: str) -> None:
        points = EntryPoints(EntryPoint(name, value, catalogue.AGENT_GROUP) for name, value in kinds.items())
        monkeypatch.setattr(catalogue, "entry_points", lambda group: points.select(group=group))
        catalogue._announced.cache_clear()

    yield install
    monkeypatch.undo()
    catalogue._announced.cache_clear()


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_checkout_keeps_its_collections_beside_the_package() -> None:
    assert catalogue.shipped("envs") == ROOT / "envs"


def test_a_wheel_keeps_its_collections_inside_the_package_and_prefers_them(collection: Path) -> None:
    installed = collection.parent / "gridmarl" / "_shipped" / "envs"
    installed.mkdir(parents=True)
    assert catalogue.shipped("envs") == installed


def test_names_are_the_yaml_files_in_order(collection: Path) -> None:
    assert catalogue.names("envs") == ["auction", "city"]


def test_a_name_finds_the_shipped_file(collection: Path) -> None:
    assert catalogue.find("envs", "city") == collection / "city.yaml"


@pytest.mark.parametrize("as_text", [True, False])
def test_a_path_finds_your_own_file(collection: Path, tmp_path: Path, as_text: bool) -> None:
    mine = write(tmp_path / "mine.yaml", "name: mine\n")
    assert catalogue.find("envs", str(mine) if as_text else mine) == mine


def test_an_unknown_name_suggests_the_nearest_and_lists_all(collection: Path) -> None:
    with pytest.raises(CatalogueError, match=r"'auctoin'.*auction, city.*did you mean 'auction'\?"):
        catalogue.find("envs", "auctoin")


def test_a_path_without_a_file_says_where_relative_paths_start(collection: Path) -> None:
    with pytest.raises(CatalogueError, match=r"'my/world.yaml'.*relative paths start at"):
        catalogue.find("envs", "my/world.yaml")


@pytest.mark.parametrize("name", ["../secrets", "..\\secrets"])
def test_a_name_cannot_leave_its_collection(collection: Path, name: str) -> None:
    write(collection.parent / "secrets.yaml", "name: secrets\n")
    with pytest.raises(CatalogueError, match="YAML file that exists"):
        catalogue.find("envs", name)


def test_a_file_is_read_into_plain_values(tmp_path: Path) -> None:
    text = "name: β\nlimit_mw: 10\ntolerance: 1e-6\nnegative: -2E+3\nword: 1e\nseats: [a, b]\nnested: {x: 1.5}\n"
    content = catalogue.read("envs", write(tmp_path / "a.yaml", text))
    assert content == {
        "name": "β",
        "limit_mw": 10,
        "tolerance": 1e-6,
        "negative": -2000.0,
        "word": "1e",
        "seats": ["a", "b"],
        "nested": {"x": 1.5},
    }


@pytest.mark.parametrize(
    "text, line, said",
    [
        ("name: a\nprice: 1\nprice: 2\n", 3, "'price' stands twice"),
        ("seats:\n  a: {x: 1, y: 2,\n      x: 3}\n", 3, "'x' stands twice"),
        ("name: a\n\tprice: 1\n", 2, "cannot start any token"),
        ("name: [1, 2\nprice: 1\n", 2, "expected ',' or ']'"),
        ("name: a\nrun: !!python/object/apply:os.system [ls]\n", 2, "python/object/apply"),
    ],
)
def test_what_cannot_be_read_is_named_with_file_and_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    path = write(tmp_path / "broken.yaml", text)
    with pytest.raises(ScenarioError) as caught:
        catalogue.read("envs", path)
    assert f"{path}, line {line}: " in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words\n", "1: one\n"])
def test_the_top_level_must_be_a_mapping_of_names(tmp_path: Path, text: str) -> None:
    with pytest.raises(ScenarioError, match="mapping of names to values"):
        catalogue.read("envs", write(tmp_path / "a.yaml", text))


def test_text_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("name: Zürich\n".encode("latin-1"))
    with pytest.raises(ScenarioError, match="UTF-8"):
        catalogue.read("envs", path)


def test_a_merged_mapping_may_override_what_it_merges(tmp_path: Path) -> None:
    text = "base: &base {limit_mw: 1, cost: 2}\nmine: {<<: *base, cost: 3}\n"
    content = catalogue.read("envs", write(tmp_path / "a.yaml", text))
    assert content["mine"] == {"limit_mw": 1, "cost": 3}


@pytest.mark.parametrize("kind", sorted(catalogue.AGENT_KINDS))
def test_each_built_in_kind_stands_for_code(kind: str) -> None:
    module = catalogue.AGENT_KINDS[kind].partition(":")[0]
    if not (ROOT / (module.replace(".", "/") + ".py")).is_file():
        pytest.skip(f"{module} is not written yet")
    assert callable(catalogue.resolve(kind))


def test_an_installed_package_adds_a_kind(announce) -> None:
    announce(mine="gridmarl.catalogue:names")
    assert catalogue.resolve("mine") is catalogue.names


def test_an_installed_package_cannot_replace_a_built_in_kind(announce, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "AGENT_KINDS", {"rules": "gridmarl.catalogue:find"})
    announce(rules="gridmarl.catalogue:names")
    assert catalogue.resolve("rules") is catalogue.find


def test_an_unknown_kind_suggests_the_nearest(announce) -> None:
    announce(dreamer="gridmarl.catalogue:names")
    with pytest.raises(CatalogueError, match=r"'planer'.*dreamer.*did you mean 'planner'\?"):
        catalogue.resolve("planer")


def test_a_dotted_path_is_not_a_kind() -> None:
    with pytest.raises(CatalogueError, match="kind of agent"):
        catalogue.resolve("os:system")


def test_a_kind_announced_at_the_wrong_place_is_named(announce) -> None:
    announce(mine="gridmarl.catalogue:nowhere")
    with pytest.raises(CatalogueError, match=r"'mine'.*'gridmarl.catalogue:nowhere'"):
        catalogue.resolve("mine")


def test_errors_survive_the_way_to_another_process() -> None:
    error = CatalogueError("name in envs/", "auctoin", "auction", "did you mean 'auction'?")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301  # our own bytes, a line ago


@pytest.mark.parametrize("folder", ["envs", "baselines", "training"])
def test_every_shipped_file_is_a_mapping_and_says_its_name_once(folder: str) -> None:
    for name in catalogue.names(folder):
        assert catalogue.read(folder, name)


@pytest.mark.parametrize("name", [None, 3])
def test_what_is_neither_a_name_nor_a_path_is_refused(name: object) -> None:
    with pytest.raises(CatalogueError, match="a name or the path of a YAML file"):
        catalogue.find("envs", name)  # pyright: ignore[reportArgumentType]  # on purpose
