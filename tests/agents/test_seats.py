"""The handle tells a player what it declared and plays, and refuses everything else by name."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from gridmarl.agents.seats import ConsumerSeat, GeneratorSeat, Seats, StorageSeat
from gridmarl.data.profiles import forecast_spread
from gridmarl.environment.core import Core
from gridmarl.errors import DataError, PrivacyError, ScenarioError
from gridmarl.scenario.scenario import Scenario
from tests.environment.worlds import random_actions

HOMES = ("baker.pv", "baker.battery", "baker.load", "family.battery")


@pytest.fixture
def homes() -> Core:
    core = Core(Scenario.load("three-homes"))
    core.reset(np.array([0], np.uint64))
    return core


@pytest.fixture
def auction() -> Core:
    core = Core(Scenario.load("auction"))
    core.reset(np.array([8], np.uint64))
    return core


def advance(core: Core, intervals: int) -> None:
    rng = np.random.default_rng(0)
    for _ in range(intervals):
        core.step(random_actions(core, rng))


@pytest.mark.parametrize("sees", ["own", "team"])
@pytest.mark.parametrize("seat", ["school.battery", "family.load", "operator", "nobody"])
def test_a_seat_that_is_not_played_is_private(homes: Core, sees: str, seat: str) -> None:
    seats = Seats(homes, 0, HOMES, "forecast", sees)
    with pytest.raises((PrivacyError, ScenarioError), match=f"'{seat}'"):
        seats.own(seat)


def test_who_sees_its_own_asks_one_owner_at_a_time(homes: Core) -> None:
    seats = Seats(homes, 0, HOMES, "public", "own")
    with pytest.raises(PrivacyError, match=r"2 owners.*for_owner"):
        seats.own("baker.pv")
    baker = seats.for_owner("baker")
    assert isinstance(baker.own("baker.pv"), GeneratorSeat)
    assert isinstance(baker.own("baker.load"), ConsumerSeat)
    with pytest.raises(PrivacyError, match=r"family.battery"):
        baker.own("family.battery")
    with pytest.raises(PrivacyError, match="'family'"):
        baker.for_owner("family")
    with pytest.raises(PrivacyError, match="'school'"):
        seats.for_owner("school")


def test_a_team_sees_all_it_plays_and_all_sees_everything(homes: Core) -> None:
    team = Seats(homes, 0, HOMES, "public", "team")
    assert isinstance(team.own("family.battery"), StorageSeat)
    assert isinstance(team.own("baker.pv"), GeneratorSeat)
    everything = Seats(homes, 0, ("baker.pv",), "public", "all")
    assert isinstance(everything.own("school.battery"), StorageSeat)
    assert everything.beta("school") == 0.4


def test_a_risk_weight_is_private_too(homes: Core) -> None:
    seats = Seats(homes, 0, HOMES, "public", "own")
    assert (seats.beta("baker"), seats.beta("family")) == (0.1, 0.7)
    with pytest.raises(PrivacyError, match=r"'school'.*baker, family"):
        seats.beta("school")


def test_public_information_has_no_forecast(auction: Core) -> None:
    with pytest.raises(PrivacyError, match=r"forecasts.*'forecast' or 'perfect'"):
        Seats(auction, 0, ("gas_1",), "public", "all").forecast(4)


def test_a_forecast_is_the_markets_own_and_not_what_will_be(auction: Core) -> None:
    advance(auction, 30)
    feed = Seats(auction, 0, ("gas_1",), "forecast", "own").forecast(12)
    assert np.array_equal(feed.mean, auction.forecast(0, 12))
    assert np.array_equal(feed.spread, forecast_spread(auction.compiled.world.profile, feed.mean))
    truth = auction.realised(0)[30:42]
    assert not np.isclose(feed.mean, truth).all(axis=1).any()


def test_perfect_information_is_the_truth_from_now_to_the_end(auction: Core) -> None:
    advance(auction, 280)
    feed = Seats(auction, 0, ("gas_1",), "perfect", "own").forecast(20)
    assert np.array_equal(feed.mean, auction.delivered(0)[280:])
    assert not feed.spread.any()


def test_the_handle_is_live_but_what_it_gives_is_frozen(auction: Core) -> None:
    seats = Seats(auction, 0, ("battery_1", "gas_1"), "public", "team")
    before, unit = seats.own("battery_1"), seats.own("gas_1")
    assert isinstance(before, StorageSeat)
    assert isinstance(unit, GeneratorSeat)
    assert (seats.interval, before.energy_mwh, unit.output_mw, unit.ramp_mw) == (0, 30.0, 10.0, pytest.approx(20))
    packed = np.zeros((1, auction.width))
    packed[0, auction.compiled.layout.index("battery_1")] = 1.0
    auction.step(packed)
    after = seats.own("battery_1")
    assert isinstance(after, StorageSeat)
    assert (seats.interval, after.power_mw) == (1, 15.0)
    assert after.energy_mwh == pytest.approx(30 - 15 / 12 / np.sqrt(0.9))
    assert before.energy_mwh == 30.0
    with pytest.raises(FrozenInstanceError):
        before.energy_mwh = 99.0  # pyright: ignore[reportAttributeAccessIssue]  # that is the point


def test_quantiles_follow_the_normal_and_the_profiles_bounds(auction: Core) -> None:
    feed = Seats(auction, 0, ("gas_1",), "forecast", "own").forecast(24)
    median, high = feed.quantile("demand", 0.5), feed.quantile("demand", 0.8413447460685429)
    assert median == pytest.approx(feed.of("demand"))
    column = feed.names.index("demand")
    assert high == pytest.approx(np.minimum(feed.mean[:, column] + feed.spread[:, column], 1.3), rel=1e-9)
    assert (feed.quantile("wind", 0.999) <= 1.0).all()
    assert (feed.quantile("wind", 0.001) >= 0.0).all()
    with pytest.raises(DataError, match=r"'demnd'.*did you mean 'demand'"):
        feed.of("demnd")


def test_the_reference_price_is_the_one_that_is_observed(auction: Core) -> None:
    advance(auction, 100)
    seats = Seats(auction, 0, ("gas_1",), "forecast", "own")
    observed = auction.step(np.zeros((1, auction.width))).generator[0, 0]
    feed = seats.forecast(3)
    assert seats.reference_prices(feed)[0] / 50 == pytest.approx(float(observed[20 + 10]), rel=1e-6)
    assert seats.net_demand(feed)[0] / 120 == pytest.approx(float(observed[20 + 18]), rel=1e-6)


def test_behind_a_connection_the_reference_price_is_the_wholesale_forecast() -> None:
    core = Core(Scenario.load("caiso-week"))
    core.reset(np.array([0], np.uint64))
    seats = Seats(core, 0, core.compiled.layout.seats[:1], "forecast", "own")
    feed = seats.forecast(8)
    assert np.array_equal(seats.reference_prices(feed), feed.of("price"))


def test_facts_are_what_everybody_knows(auction: Core) -> None:
    facts = Seats(auction, 0, (), "public", "own").facts
    assert (facts.interval_h, facts.intervals, facts.connection) == (pytest.approx(1 / 12), 288, None)
    assert facts.rules.cap_per_mwh == 1000
    assert facts.digest == auction.compiled.scenario.digest


def test_nobody_else_can_be_reached_by_a_public_name(auction: Core) -> None:
    """No public attribute leads to the market, its scenario or other seats."""
    seats = Seats(auction, 0, ("gas_1",), "public", "own")
    for name in (n for n in dir(seats) if not n.startswith("_")):
        assert not isinstance(getattr(seats, name), Core | Scenario), name


def test_who_plays_all_knows_it(homes: Core) -> None:
    everyone = homes.compiled.layout.seats
    assert Seats(homes, 0, everyone[:-1], "public", "own").plays_all
    assert not Seats(homes, 0, everyone[1:], "public", "own").plays_all
