"""Real time, computed by hand: who deviates, who responds, what it costs, and what frequency makes of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from gridmarl.environment.compiled import arrays, columns
from gridmarl.environment.compiled.grid import nominal_hz
from gridmarl.environment.core import Core
from gridmarl.evaluation.rollout import rollout
from gridmarl.grid import frequency
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float
from tests.environment.worlds import FLAT, ON_ORDER, Settings, advance, market, play, seat, world

STRAYING: Settings = {"shape": "constant", "realtime_relative": 0.03}
CALM: Settings = {"detection_hz": 10, "alert_hz": 11, "storage_hz": 12, "shed_hz": 13}
"""No relay sees what happens."""
BASE, PEAK, DEAR = (20.0, 60.0), (50.0, 45.0), (90.0, 50.0)
"""Price and MW: for a load of 100 MW all of the base, 40 MW of the peak."""
LOST_MW = 30.0
"""The base, 60 MW, trips after half an hour."""


def near(value: float) -> Any:
    return pytest.approx(value, rel=1e-9, abs=1e-9)


def three_units(**settings: object) -> Core:
    """Base, peak and dear unit; the base trips in the middle of the first hour."""
    orders = {"base": BASE, "peak": PEAK, "dear": DEAR}
    units = [{"name": n, "capacity_mw": mw, "cost_per_mwh": price} for n, (price, mw) in orders.items()]
    scenario = world(generators=units, trips=[{"generator": "base", "at_h": 0.5}], **settings)
    return Core(scenario, 16, ON_ORDER)


def begin(core: Core, **actions: object) -> arrays.Outcome:
    """The first interval, with a seed for each row."""
    core.reset(np.arange(core.count, dtype=np.uint64))
    return advance(core, **actions)


def straying_mw(core: Core, load_mw: float, row: int) -> float:
    """What the load of one row injects beyond its schedule in the first interval; negative when it takes more."""
    return -load_mw * float((core.delivered(row) - core.realised(row))[0, 0])


def test_a_trip_settles_at_the_price_of_the_last_unit_that_fills_in() -> None:
    core = three_units()
    outcome = play(core, base=BASE, peak=PEAK, dear=DEAR)
    public = market(outcome)
    assert public["price_per_mwh"] == 50
    assert public["imbalance_mw"] == near(-LOST_MW)
    assert public["activated_mw"] == near(LOST_MW)
    assert public["imbalance_price_per_mwh"] == 90, "5 MW are left of the peak unit, the dear one gives 25"
    base, peak, dear = (seat(core, outcome, name) for name in ("base", "peak", "dear"))
    assert (base["output_mw"], peak["output_mw"], dear["output_mw"]) == (near(30), near(45), near(25))
    assert base["imbalance_payment"] == near(-90 * 30)
    assert peak["imbalance_payment"] == near(90 * 5)
    assert dear["imbalance_payment"] == near(90 * 25)
    assert base["reward"] == near(50 * 60 - 90 * 30 - 20 * 30)
    assert peak["reward"] == near(50 * 40 + 90 * 5 - 50 * 45)
    assert dear["reward"] == near(0)
    assert public["imbalance_account"] == near(0)


@pytest.mark.parametrize("rule", ["single", "dual"])
def test_a_load_that_eases_the_imbalance_earns_its_price_or_with_dual_prices_the_auctions(rule: str) -> None:
    core = three_units(market={"imbalance": rule}, profiles={"demand": STRAYING})
    outcome = begin(core, base=BASE, peak=PEAK, dear=DEAR)
    eased = 0
    for row in range(core.count):
        own = straying_mw(core, 100, row)
        public, load = market(outcome, row), seat(core, outcome, "load", row)
        assert public["imbalance_mw"] == near(own - LOST_MW)
        assert load["deviation_mw"] == near(own)
        price = 50 if rule == "dual" and own > 0 else 90
        assert load["imbalance_payment"] == near(price * own)
        assert public["imbalance_account"] == near((90 - price) * own)
        assert seat(core, outcome, "base", row)["imbalance_payment"] == near(-90 * LOST_MW)
        eased += own > 0
    assert 0 < eased < core.count, "some rows ease the imbalance, others add to it"


def test_a_surplus_lowers_the_dearest_accepted_unit_first_and_settles_at_the_last_ones_price() -> None:
    units = [{"name": "cheap", "capacity_mw": 99.5}, {"name": "dear", "capacity_mw": 50}]
    core = Core(world(generators=units, profiles={"demand": STRAYING}), 32, ON_ORDER)
    outcome = begin(core, cheap=(20, 99.5), dear=(50, 50))
    prices: set[float] = set()
    for row in range(core.count):
        own = straying_mw(core, 100, row)
        if own <= 0:
            continue
        public, price = market(outcome, row), 50.0 if own < 0.5 else 20.0
        cheap, dear, load = (seat(core, outcome, name, row) for name in ("cheap", "dear", "load"))
        assert public["imbalance_price_per_mwh"] == price
        assert dear["output_mw"] == near(max(0.5 - own, 0))
        assert cheap["output_mw"] == near(min(100 - own, 99.5))
        assert dear["imbalance_payment"] == near(-price * min(own, 0.5))
        assert load["imbalance_payment"] == near(price * own)
        prices.add(price)
    assert prices == {20.0, 50.0}


ISLAND: Settings = {
    "profiles": {
        "demand": STRAYING,
        "wind": {"shape": "constant", "scale": 0.5, "realtime_absolute": 0.03, "maximum": 1},
    },
    "interval_min": 15,
    "generators": [
        {"name": "wind", "capacity_mw": 40, "availability": "wind", "renewable": True},
        {"name": "unit", "capacity_mw": 150, "cost_per_mwh": 50, "inertia_s": 5, "droop": 0.05},
        {"name": "other", "capacity_mw": 150, "cost_per_mwh": 60, "inertia_s": 4, "droop": 0.05},
    ],
    "frequency": {},
}


def imbalances(core: Core, seeds: list[int], **actions: object) -> Float:
    """(interval, row) of an episode."""
    core.reset(np.array(seeds, np.uint64))
    return np.stack([advance(core, **actions).market[:, columns.IMBALANCE] for _ in range(core.intervals)])


def test_the_same_path_comes_whatever_the_team_does_and_however_many_rows_play() -> None:
    scenario = world(**ISLAND)
    orders: tuple[Mapping[str, object], ...] = (
        {"wind": (0, 40), "unit": (50, 150), "other": (60, 150)},
        {"wind": (-20, 40), "unit": (900, 150), "other": (80, 150)},
    )
    both = [imbalances(Core(scenario, 3, ON_ORDER), [4, 5, 6], **chosen) for chosen in orders]
    assert np.array_equal(both[0], both[1])
    assert np.abs(both[0]).min() > 0
    alone = imbalances(Core(scenario, 1, ON_ORDER), [5], **orders[0])
    assert np.array_equal(alone[:, 0], both[0][:, 1])
    assert not np.array_equal(both[0][:, 0], both[0][:, 1])


def test_frequency_stays_nominal_and_nobody_settles_anything_where_nothing_deviates() -> None:
    core = Core(world(**{**ISLAND, "profiles": {"demand": FLAT, "wind": FLAT}}), 2, ON_ORDER)
    core.reset(np.arange(2, dtype=np.uint64))
    for _ in range(core.intervals):
        outcome = advance(core, wind=(0, 40), unit=(50, 150), other=(60, 150))
        for name in ("frequency_hz", "nadir_hz", "zenith_hz", "rocof_hz_per_s"):
            assert np.abs(outcome.market[:, columns.MARKET_NAMES.index(name)]).max() <= 1e-9, name
        assert outcome.market[:, columns.IN_BAND] == pytest.approx(1.0)
        assert (outcome.seats[:, :, columns.IMBALANCE_PAYMENT] == 0.0).all()


def tripping_island(nominal: float) -> Scenario:
    """Two units; the one of 20 MW trips at the start, without limits or secondary control to hinder the other."""
    return world(
        generators=[
            {"name": "small", "capacity_mw": 20, "cost_per_mwh": 10, "inertia_s": 3, "droop": 0.05},
            {"name": "large", "capacity_mw": 300, "cost_per_mwh": 50, "inertia_s": 4, "droop": 0.05},
        ],
        trips=[{"generator": "small", "at_h": 0.0}],
        frequency={"nominal_hz": nominal, "secondary_s": None},
        emergency=CALM,
        interval_min=15,
    )


def analytic_nadir(lost_mw: float, inertia: float, droop: float, damping: float, lag_s: float) -> float:
    """Lowest deviation of M f' = g - D f - P with Tg g' = -(K f + g), Hz (Anderson and Mirheydar 1990)."""
    swing = math.sqrt((damping + droop) / (inertia * lag_s))
    decay = (inertia + damping * lag_s) / (2 * inertia * lag_s)
    ring = math.sqrt(swing**2 - decay**2)
    time_s = math.atan2(ring, decay - 1 / lag_s) / ring
    return -lost_mw / (damping + droop) * (1 + math.sqrt(lag_s * droop / inertia) * math.exp(-decay * time_s))


@pytest.mark.parametrize("nominal", [50.0, 60.0])
def test_a_trip_has_the_analytic_nadir_slope_and_final_deviation(nominal: float) -> None:
    core = Core(tripping_island(nominal), 1, ON_ORDER)
    public = market(play(core, small=(10, 20), large=(50, 300)))
    inertia, droop, damping = 2 * 4 * 300 / nominal, 300 / (0.05 * nominal), 1.0 * 100 / nominal
    assert public["nadir_hz"] == pytest.approx(analytic_nadir(20, inertia, droop, damping, 4.0), rel=0.01)
    assert public["rocof_hz_per_s"] == pytest.approx(20 / inertia, rel=0.01)
    assert public["frequency_hz"] == pytest.approx(-20 / (droop + damping), rel=1e-6)


def test_sixty_hertz_is_one_number_and_scales_the_deviation() -> None:
    fifty, sixty = tripping_island(50.0), tripping_island(60.0)
    nadirs = [market(play(Core(s, 1, ON_ORDER), small=(10, 20), large=(50, 300)))["nadir_hz"] for s in (fifty, sixty)]
    assert nadirs[1] / nadirs[0] == pytest.approx(60 / 50, rel=1e-6)
    assert (nominal_hz(fifty), nominal_hz(sixty)) == (50, 60)


def test_kinetic_energy_is_inertia_times_the_change_of_frequency() -> None:
    core = Core(world(**ISLAND), 4, ON_ORDER)
    core.reset(np.arange(4, dtype=np.uint64))
    inertia = (2 * 5 * 150 + 2 * 4 * 150) / 50
    before, moved = np.zeros(4), 0.0
    for _ in range(core.intervals):
        outcome = advance(core, wind=(0, 40), unit=(50, 150), other=(60, 150))
        after = outcome.market[:, columns.FREQUENCY]
        stored_mws = outcome.market[:, columns.KINETIC] * 15 * 60
        assert stored_mws == pytest.approx(inertia * (after - before), rel=1e-9, abs=1e-9)
        assert np.array_equal(after, core.rows.grid[:, frequency.DEVIATION_HZ])
        before, moved = after.copy(), max(moved, float(np.abs(stored_mws).max()))
    assert moved > 0.01


def test_what_fast_storage_gives_leaves_its_stored_energy() -> None:
    battery = {"name": "battery", "capacity_mwh": 40, "power_mw": 10, "droop": 0.01, "discharge_efficiency": 0.8}
    core = Core(tripping_island(50.0).but(storage=[battery]), 1, ON_ORDER)
    outcome = play(core, small=(10, 20), large=(50, 300), battery=(999, 0))
    own, public = seat(core, outcome, "battery"), market(outcome)
    assert own["power_mw"] == own["deviation_mw"] == near(public["storage_response_mw"])
    assert own["power_mw"] > 0.1, "below the band it discharges"
    assert own["energy_mwh"] == near(20 - own["power_mw"] * 0.25 / 0.8)
    assert own["imbalance_payment"] == near(public["imbalance_price_per_mwh"] * own["power_mw"] * 0.25)
    assert own["arbitrage"] == 0.0


def reserve_world(share: float) -> Core:
    """Of a cheap seller 4 MW are left beyond the load of 100 MW; the dearer one has 30."""
    cheap = {"name": "cheap", "capacity_mw": 104, "cost_per_mwh": 50, "reserve_price_per_mwh": 3}
    dear = {"name": "dear", "capacity_mw": 30, "cost_per_mwh": 80, "reserve_price_per_mwh": 5}
    loads = [{"name": "town", "load_mw": 60}, {"name": "mill", "load_mw": 40}]
    reserve = {"spin_share": share, "nonspin_share": 0.0, "penalty_per_mwh": 250}
    return Core(world(generators=[cheap, dear], consumers=loads, reserve=reserve, interval_min=30), 1, ON_ORDER)


def test_reserve_is_bought_to_the_requirement_and_loads_pay_for_it_pro_rata() -> None:
    core = reserve_world(0.1)
    outcome = play(core, cheap=(50, 104), dear=(80, 30))
    public = market(outcome)
    assert (public["spin_required_mw"], public["spin_mw"]) == (near(10), near(10))
    assert public["spin_price_per_mwh"] == 5, "4 MW of the cheap seller do not suffice"
    paid = {name: seat(core, outcome, name)["reserve_payment"] for name in ("cheap", "dear", "town", "mill")}
    assert paid == {"cheap": near(10), "dear": near(15), "town": near(-15), "mill": near(-10)}
    assert public["reserve_payment"] == near(25)
    assert seat(core, outcome, "operator")["reserve_payment"] == 0


def test_missing_reserve_costs_the_penalty() -> None:
    public = market(play(reserve_world(0.5), cheap=(50, 104), dear=(80, 30)))
    assert public["spin_required_mw"] == near(50)
    assert public["spin_mw"] == near(34)
    assert public["spin_price_per_mwh"] == 250


def test_a_connection_takes_the_deviation_at_wholesale_and_fee_or_the_worse_clearing_price() -> None:
    connection = {"limit_mw": 30, "import_fee_per_mwh": 3, "export_fee_per_mwh": 2}
    profiles = {"demand": STRAYING, "price": {"unit": "per_mwh", "scale": 40}}
    core = Core(world(connection=connection, profiles=profiles), 16, ON_ORDER)
    outcome = begin(core, unit=(50, 150))
    seen: set[float] = set()
    for row in range(core.count):
        own, public = straying_mw(core, 100, row), market(outcome, row)
        price = 50.0 if own < 0 else 38.0  # import 43 is below, export 38 as well
        assert public["imbalance_price_per_mwh"] == price
        assert public["import_mw"] == near(30 - own)
        assert seat(core, outcome, "load", row)["imbalance_payment"] == near(price * own)
        assert public["connection_payment"] == near(50 * 30 - price * own)
        fee = 3 * -own if own < 0 else 2 * own
        assert public["congestion_rent"] == near(50 * 30 - price * own - 40 * (30 - own) - 3 * 30 - fee)
        seen.add(price)
    assert seen == {50.0, 38.0}


def test_dear_imports_set_the_imbalance_price() -> None:
    connection = {"limit_mw": 30, "import_fee_per_mwh": 3, "export_fee_per_mwh": 2}
    profiles = {"demand": STRAYING, "price": {"unit": "per_mwh", "scale": 70}}
    core = Core(world(connection=connection, profiles=profiles), 16, ON_ORDER)
    outcome = begin(core, unit=(50, 120))
    short = [row for row in range(core.count) if straying_mw(core, 100, row) < 0]
    assert short
    for row in short:
        assert market(outcome, row)["imbalance_price_per_mwh"] == 73


def test_a_shipped_island_meets_the_same_demand_whoever_plays() -> None:
    """Under other offers other units run, but the load strays as before."""
    scenario = Scenario.load("auction").but(intervals=24)
    episodes = [rollout(scenario, team, seed=3) for team in ("truthful", "maximum")]
    strays = [episode.of_seat("load_1", "deviation_mw") for episode in episodes]
    assert not any(episode.of_market("unserved_mw").any() for episode in episodes), "no deviation was of shed load"
    assert strays[0] == pytest.approx(strays[1], rel=1e-12)
    assert np.abs(strays[0]).max() > 0.1
    assert not np.array_equal(episodes[0].of_market("price_per_mwh"), episodes[1].of_market("price_per_mwh"))
