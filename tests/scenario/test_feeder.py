"""A feeder is one tree of buses below a source; whatever else a file describes is refused by name."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from gridmarl import catalogue
from gridmarl.errors import CatalogueError, ScenarioError
from gridmarl.scenario.feeder import FOLDER, Feeder

EXACT = 1e-12
LINE = {"r_ohm": 1.0, "x_ohm": 2.0}
SOURCE, TOWN, FARM = {"name": "source"}, {"name": "town", "p_mw": 3, "q_mvar": 1}, {"name": "farm", "p_mw": 2}


def feeder(**changes: Any) -> Feeder:
    """Source - town - farm, at 10 kV; the farm stands before the town in the file."""
    settings = {
        "name": "mine",
        "nominal_kv": 10,
        "buses": [SOURCE, FARM, TOWN],
        "branches": [{"from": "town", "to": "farm", **LINE}, {"from": "source", "to": "town", "r_ohm": 3, "x_ohm": 4}],
    }
    return Feeder.parse({**settings, **changes}, "mine.yaml")


def between(*pairs: tuple[str, str]) -> list[dict[str, Any]]:
    return [{"from": start, "to": end, **LINE} for start, end in pairs]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"nominal_kv": 0}, "nominal_kv: got 0.*greater than 0"),
    ({"tap_pu": -1}, "tap_pu: got -1"),
    ({"load_scale": -0.1}, "load_scale: got -0.1"),
    ({"nominal_kw": 3}, "unknown key 'nominal_mw'|unknown key 'nominal_kw'"),
    ({"tap": 1}, "unknown key 'tap'.*did you mean 'tap_pu'"),
    ({"buses": [SOURCE, {"name": "town", "p": 3}]}, "unknown key 'buses.1.p'"),
    ({"buses": [SOURCE]}, "buses.*at least 2"),
    ({"buses": [SOURCE, TOWN, FARM, TOWN]}, "unique; twice or more: town"),
    ({"buses": [SOURCE, TOWN, {"name": "a b"}]}, "name: got 'a b'"),
    ({"branches": between(("source", "town"), ("twon", "farm"))}, "no bus 'twon'. did you mean 'town'"),
    ({"branches": between(("source", "town"), ("town", "xyzzy"))}, "no bus 'xyzzy'"),
    ({"branches": between(("source", "town"))}, "no path from the source 'source' to farm"),
    ({"branches": between(("town", "farm"), ("farm", "town"))}, "no path from the source 'source' to farm, town"),
    ({"branches": between(("town", "town"), ("source", "farm"))}, "no path from the source 'source' to town"),
    ({"branches": []}, "no path from the source"),
    (
        {"branches": between(("source", "town"), ("source", "farm"), ("town", "farm"))},
        "feeds each bus once; fed twice or more: farm",
    ),
    ({"branches": between(("source", "town"), ("town", "farm"), ("farm", "source"))}, "no branch may lead to it"),
    ({"branches": between(("town", "source"), ("town", "farm"))}, "'source' is the source"),
    ({"branches": [{"from": "source", "to": "town", "r_ohm": 0, "x_ohm": 1}]}, "r_ohm: got 0.*greater than 0"),
    ({"branches": [{"from": "source", "to": "town", "r_ohm": 1, "x_ohm": -1}]}, "x_ohm: got -1.*greater than 0"),
    ({"branches": [{"from": "source", "to": "town", "r_ohm": 1}]}, "x_ohm.*[Ff]ield required"),
]


@pytest.mark.parametrize("changes, said", REFUSED, ids=[str(c)[:70] for c, _ in REFUSED])
def test_what_is_not_a_radial_feeder_is_refused_by_name(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ScenarioError, match=f"mine.yaml.*({said})"):
        feeder(**changes)


def test_the_table_has_parents_before_children_in_per_unit_of_one_mva() -> None:
    mine = feeder()
    assert mine.bus_names == ("source", "town", "farm")
    assert mine.table() == pytest.approx(np.array([[-1, 0, 0], [0, 0.03, 0.04], [1, 0.01, 0.02]]), abs=EXACT)


def test_nominal_loads_are_negative_injections_in_the_order_of_the_table() -> None:
    p_mw, q_mvar = feeder(load_scale=0.5).nominal_injections(1.2)
    assert p_mw == pytest.approx([0, -1.8, -1.2], abs=EXACT)
    assert q_mvar == pytest.approx([0, -0.6, 0], abs=EXACT)
    p_mw[:] = 0  # a caller may use them as scratch
    assert feeder().nominal_injections()[0].sum() == -5


def test_the_tap_raises_the_voltage_of_the_source() -> None:
    assert feeder(base_pu=1.01, tap_pu=1.02).source_pu == pytest.approx(1.0302, abs=EXACT)


def test_a_bus_is_found_by_its_name_and_an_unknown_one_suggests_the_nearest() -> None:
    assert [feeder().row(name) for name in ("source", "town", "farm")] == [0, 1, 2]
    with pytest.raises(CatalogueError, match=r"bus of feeder 'mine': got 'fram'; allowed: source, town, farm;.*'farm'"):
        feeder().row("fram")


def test_a_feeder_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        feeder().tap_pu = 1.1  # pyright: ignore[reportAttributeAccessIssue]


def test_a_file_of_your_own_is_read_by_its_path_and_named_after_it(tmp_path: Path) -> None:
    path = tmp_path / "street.yaml"
    path.write_text(
        "nominal_kv: 0.4\nbuses: [{name: source}, {name: home, p_kw: 3}]\n"
        "branches: [{from: source, to: home, r_ohm: 0.1, x_ohm: 0.05}]\n"
    )
    street = Feeder.load(path)
    assert (street.name, street.buses[1].p_mw) == ("street", 0.003)
    assert street.table()[1] == pytest.approx([0, 0.1 / 0.16, 0.05 / 0.16], abs=EXACT)


def test_an_unknown_feeder_suggests_the_nearest() -> None:
    with pytest.raises(CatalogueError, match=r"name in envs/feeders/: got 'ieee33'.*did you mean 'ieee-33'"):
        Feeder.load("ieee33")


def test_feeders_are_a_collection_of_their_own_and_no_worlds() -> None:
    assert {"small", "ieee-33"} <= set(catalogue.names(FOLDER))
    assert set(catalogue.names(FOLDER)).isdisjoint(catalogue.names("envs"))


@pytest.mark.parametrize("name", catalogue.names(FOLDER))
def test_every_shipped_feeder_loads_survives_a_round_trip_and_says_where_it_is_from(name: str) -> None:
    shipped = Feeder.load(name)
    assert Feeder.model_validate(shipped.model_dump(by_alias=True)) == shipped
    assert shipped.name == name
    assert len(shipped.description) > 100
    table = shipped.table()
    assert (table[1:, 0] < np.arange(1, len(table))).all()
    assert (table[1:, 1:] > 0).all()


def test_the_33_buses_carry_the_load_of_baran_and_wu() -> None:
    full = Feeder.load("ieee-33").model_copy(update={"load_scale": 1.0})
    p_mw, q_mvar = full.nominal_injections()
    assert (len(p_mw), -p_mw.sum(), -q_mvar.sum()) == (33, pytest.approx(3.715), pytest.approx(2.3))
    trunk = ["source", *(f"bus_{number}" for number in range(2, 19))]
    ends = {(branch.from_bus, branch.to_bus) for branch in full.branches}
    assert set(pairwise(trunk)) | {("bus_2", "bus_19"), ("bus_3", "bus_23"), ("bus_6", "bus_26")} <= ends


def test_the_33_buses_are_those_of_pandapower() -> None:
    networks: Any = pytest.importorskip("pandapower.networks", reason="needs pandapower, of the test extra")
    net, ours = networks.case33bw(), Feeder.load("ieee-33")

    def named(bus: int) -> str:
        return f"bus_{bus + 1}" if bus else "source"

    lines = net.line[net.line.in_service]
    ohms = {
        (named(line.from_bus), named(line.to_bus)): (
            line.r_ohm_per_km * line.length_km,
            line.x_ohm_per_km * line.length_km,
        )
        for line in lines.itertuples()
    }
    assert ohms.keys() == {(b.from_bus, b.to_bus) for b in ours.branches}
    for branch in ours.branches:
        assert (branch.r_ohm, branch.x_ohm) == pytest.approx(ohms[branch.from_bus, branch.to_bus], rel=1e-4)
    loads = {named(load.bus): (load.p_mw, load.q_mvar) for load in net.load.itertuples()}
    assert {b.name: (b.p_mw, b.q_mvar) for b in ours.buses if b.p_mw} == {
        name: pytest.approx(load) for name, load in loads.items()
    }
    assert (net.bus.vn_kv == ours.nominal_kv).all()
