"""Units in column names."""

from __future__ import annotations

from typing import get_args

import pytest

from gridmarl.data.columns import SUFFIXES, UNIT_KINDS, Kind, converted_name, find_unit, require_unit
from gridmarl.errors import DataError


@pytest.mark.parametrize(
    ("column", "unit", "factor"),
    [
        ("lmp_usd_per_mwh", "per_mwh", 1.0),
        ("price_eur_per_mwh", "per_mwh", 1.0),
        ("tou_usd_per_kwh", "per_mwh", 1000.0),
        ("reg_up_usd_per_mw", "per_mw", 1.0),
        ("reserve_usd_per_kw", "per_mw", 1000.0),
        ("load_mw", "mw", 1.0),
        ("Load_MW", "mw", 1.0),
        ("mw", "mw", 1.0),
        ("load_kw", "mw", 0.001),
        ("load_mwh", "mwh", 1.0),
        ("load_kwh", "mwh", 0.001),
        ("co2_kg_per_mwh", "kg_per_mwh", 1.0),
        ("kg_per_mwh", "kg_per_mwh", 1.0),
        ("co2_g_per_kwh", "kg_per_mwh", 1.0),
        ("co2_t_per_mwh", "kg_per_mwh", 1000.0),
        ("co2_lb_per_mwh", "kg_per_mwh", 0.45359237),
        ("ghi_w_per_m2", "w_per_m2", 1.0),
        ("ghi_wh_m2", "wh_per_m2", 1.0),
        ("temp_c", "celsius", 1.0),
        ("frequency_hz", "hz", 1.0),
        ("voltage_pu", "pu", 1.0),
        ("solar_share", "share", 1.0),
    ],
)
def test_a_suffix_gives_unit_and_factor(column: str, unit: str, factor: float):
    found = find_unit(column)
    assert found is not None
    assert (found.unit, found.factor) == (unit, factor)


@pytest.mark.parametrize(
    "column", ["load", "period", "pv_w_per_kwp", "wind_speed_m_s", "droop_mw_per_hz", "basic", "x_mvar"]
)
def test_other_names_carry_no_unit(column: str):
    assert find_unit(column) is None


def test_a_column_without_a_unit_is_refused_and_every_suffix_is_named():
    with pytest.raises(DataError) as caught:
        require_unit("demand", "data.csv")
    assert "data.csv" in str(caught.value)
    assert "'demand'" in str(caught.value)
    assert all(known.suffix in str(caught.value) for known in SUFFIXES)


def test_every_unit_has_a_kind():
    assert {known.unit for known in SUFFIXES} == set(UNIT_KINDS)
    assert set(UNIT_KINDS.values()) == set(get_args(Kind))


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("load_kw", "load_mw"),
        ("home_1_kwh", "home_1_mwh"),
        ("tou_usd_per_kwh", "tou_usd_per_mwh"),
        ("co2_t_per_mwh", "co2_kg_per_mwh"),
        ("kw", "mw"),
        ("temp_c", "temp_c"),
        ("demand", "demand"),
    ],
)
def test_a_converted_column_is_renamed_so_that_its_name_stays_true(column: str, name: str):
    assert converted_name(column) == name
