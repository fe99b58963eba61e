"""Base shapes: bounds, the stories they tell, continuity over midnight, and the sun against hand-computed angles."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridmarl.data.columns import UNIT_KINDS
from gridmarl.data.synthetic import SHAPES, shape
from gridmarl.errors import DataError

DAY = np.arange(0.0, 24.0, 1.0 / 12.0)
SATURDAY, WEDNESDAY = 5, 2
STEP_TOLERANCE = 0.06
"""No shape moves by more than this share of its range within five minutes."""
ROUNDING = 1e-12

names = st.sampled_from(list(SHAPES))


@given(names, st.floats(-1e5, 1e5), st.integers(1, 366), st.integers(0, 6))
def test_every_value_is_finite_and_within_the_documented_bounds(name: str, hour: float, day: int, weekday: int):
    value = shape(name, np.array([hour]), day_of_year=day, weekday=weekday)
    assert np.isfinite(value).all()
    assert SHAPES[name].low <= value[0] <= SHAPES[name].high


@given(names, st.integers(-200, 200), st.integers(1, 365), st.integers(0, 6))
def test_day_k_is_the_same_whether_told_in_hours_or_as_a_date(name: str, later: int, day: int, weekday: int):
    told = shape(name, DAY + 24.0 * later, day_of_year=day, weekday=weekday)
    date = shape(name, DAY, day_of_year=1 + (day - 1 + later) % 365, weekday=(weekday + later) % 7)
    np.testing.assert_allclose(told, date, rtol=0.0, atol=1e-9 * max(1.0, SHAPES[name].high))


@pytest.mark.parametrize("name", SHAPES)
def test_a_week_has_no_jumps_not_even_at_midnight_or_between_friday_and_saturday(name: str):
    week = shape(name, np.arange(0.0, 8 * 24.0, 1.0 / 12.0), day_of_year=362, weekday=0)  # over New Year too
    assert np.abs(np.diff(week)).max() <= STEP_TOLERANCE * max(SHAPES[name].high - SHAPES[name].low, ROUNDING)


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_are_deterministic_keep_their_input_and_know_their_unit(name: str):
    hours = DAY.copy()
    assert np.array_equal(shape(name, hours), shape(name, hours))
    assert np.array_equal(hours, DAY)
    assert SHAPES[name].unit in UNIT_KINDS


def test_constant_is_one():
    assert (shape("constant", DAY) == 1.0).all()


def test_demand_peaks_in_the_summer_evening_and_rests_at_the_weekend():
    demand = shape("demand", DAY, weekday=WEDNESDAY)
    assert demand.max() == pytest.approx(1.0, abs=1e-3)  # the hottest evening is the peak, up to the season's curvature
    assert 18.0 <= DAY[demand.argmax()] <= 20.0
    assert 2.0 <= DAY[demand.argmin()] <= 5.0
    morning, noon = demand[DAY == 9.0][0], demand[DAY == 11.0][0]
    assert abs(morning - noon) < 0.02 < morning - demand[DAY == 6.0][0]  # the shoulder: a rise, then a rest
    assert (shape("demand", DAY, weekday=SATURDAY) <= demand + ROUNDING).all()
    assert shape("demand", DAY, weekday=SATURDAY).max() < 0.95
    assert shape("demand", DAY, day_of_year=22, weekday=WEDNESDAY).max() == pytest.approx(0.7, abs=0.01)


def test_the_price_is_a_duck():
    price = shape("price", DAY)
    assert 11.0 <= DAY[price.argmin()] <= 14.0
    assert 18.0 <= DAY[price.argmax()] <= 21.0
    assert price.max() > 4.0 * price.min()


def test_wind_blows_harder_at_night_with_a_mean_of_35_percent():
    wind = shape("wind", DAY)
    assert wind.mean() == pytest.approx(0.35, abs=ROUNDING)
    assert wind[DAY < 5.0].mean() > wind[(DAY > 11.0) & (DAY < 17.0)].mean() + 0.1


def test_homes_peak_in_the_evening_and_cars_charge_after_coming_home():
    assert 18.0 <= DAY[shape("home_load", DAY).argmax()] <= 21.0
    assert 18.0 <= DAY[shape("ev", DAY).argmax()] <= 22.0
    assert shape("home_load", DAY).max() == shape("ev", DAY).max() == 1.0


def test_afternoons_are_warm_and_summers_warmer():
    july, january = shape("temperature", DAY), shape("temperature", DAY, day_of_year=22)
    assert DAY[july.argmax()] == pytest.approx(15.0, abs=0.5)
    assert july.mean() - january.mean() == pytest.approx(10.0, abs=0.1)


def test_the_noon_sun_of_an_equinox_is_as_computed_by_hand():
    # n = 81.5 at noon of day 81: declination 23.45 sin(360 x 365.5 / 365) = 0.2018 deg, elevation 90 - 34 + 0.2018 deg
    sine = math.sin(math.radians(56.2018))
    expected = sine * math.exp(-0.059 * (1.0 / sine - 1.0))
    assert shape("solar", np.array([12.0]), day_of_year=81)[0] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("day", "sunrise_h"),
    [(172, 12.0 - 7.14), (355, 12.0 - 4.86)],  # cos(w) = -tan(34 deg) tan(+-23.45 deg): w = 107.0, 73.0 deg of 15 deg/h
)
def test_the_sun_rises_at_the_solstices_when_the_sunrise_equation_says(day: int, sunrise_h: float):
    hours = np.arange(0.0, 12.0, 0.01)
    lit = hours[shape("solar", hours, day_of_year=day) > 0.0]
    assert lit.min() == pytest.approx(sunrise_h, abs=0.03)


def test_nights_are_dark_and_noons_are_brightest():
    for day in (1, 80, 172, 266, 355):
        solar = shape("solar", DAY, day_of_year=day)
        assert (solar[(DAY < 4.7) | (DAY > 19.3)] == 0.0).all()
        assert DAY[solar.argmax()] == pytest.approx(12.0, abs=0.1)


def test_an_unknown_shape_is_refused_with_a_suggestion():
    with pytest.raises(DataError, match=r"shape: got 'solr'; allowed: constant, .*did you mean 'solar'"):
        shape("solr", DAY)


@pytest.mark.parametrize(
    ("option", "value"), [("day_of_year", 0), ("day_of_year", 367), ("weekday", -1), ("weekday", 7)]
)
def test_days_that_do_not_exist_are_refused(option: str, value: int):
    with pytest.raises(DataError, match=f"{option}: got {value}"):
        shape("solar", DAY, **{option: value})


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_hours_that_are_not_finite_are_refused(bad: float):
    with pytest.raises(DataError, match="not finite: got 1"):
        shape("wind", np.array([0.0, bad]))
