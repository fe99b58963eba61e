"""Voltages of a feeder by hand, by the laws of a linear network, and against an AC power flow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridmarl.grid import voltage
from gridmarl.scenario.feeder import Feeder

EXACT = 1e-12
AC_TOLERANCE = 0.005
"""Relative. LinDistFlow leaves out losses, and with them about |z S|² / 2 of the voltage."""
SETTLED_PU = 2e-3
"""How far two passes of the inverters may be from the fixed point of their curves."""
FEEDERS = ("small", "ieee-33")
LOAD_FACTORS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.2)
PV_MW = (0.0, 0.1, 0.2)
"""At each bus but the source of the 33-bus feeder; the same share of the published load elsewhere."""
PV_LOAD_MW, PV_BUSES = 3.715, 32
SLOPE_PU, DEAD_BAND_PU = 20.0, 0.01

# source - 1 - 2, and 3 beside them: parent, resistance and reactance
FORK = np.array([[-1, 0, 0], [0, 0.001, 0.002], [1, 0.003, 0.001], [1, 0.002, 0.004]])
POWER = st.lists(st.floats(-20, 20), min_size=4, max_size=4)


def solve(table: np.ndarray, p_mw: np.ndarray, q_mvar: np.ndarray, source_pu: float = 1.0) -> tuple[np.ndarray, Any]:
    """Squared voltages and the two extremes; the injections stay as they are."""
    squared = np.full(len(table), np.nan)
    return squared, voltage.solve_voltage(table, source_pu, p_mw.copy(), q_mvar.copy(), squared)


def supported(feeder: Feeder, p_mw: np.ndarray, q_mvar: np.ndarray, headroom: np.ndarray, droop: np.ndarray) -> Any:
    """Squared voltages, the support and the two extremes; the injections stay as they are."""
    squared, support = np.full(len(p_mw), np.nan), np.full(len(p_mw), np.nan)
    injections = p_mw.copy(), q_mvar.copy()
    extremes = voltage.support_voltage(
        feeder.table(), droop, feeder.source_pu, *injections, headroom, DEAD_BAND_PU, squared, support
    )
    return squared, support, extremes


def fixed_point(
    feeder: Feeder, p_mw: np.ndarray, q_mvar: np.ndarray, headroom: np.ndarray, k: np.ndarray
) -> np.ndarray:
    """Voltages at which every inverter is on its curve, by a slow and heavily damped iteration of its own."""
    support = np.zeros(len(p_mw))
    for _ in range(4000):
        deviation = np.sqrt(solve(feeder.table(), p_mw, q_mvar + support, feeder.source_pu)[0]) - 1
        beyond = np.sign(deviation) * np.maximum(np.abs(deviation) - DEAD_BAND_PU, 0)
        support += 0.02 * (np.clip(-k * beyond, -headroom, headroom) - support)
    return np.sqrt(solve(feeder.table(), p_mw, q_mvar + support, feeder.source_pu)[0])


def with_pv(feeder: Feeder, factor: float, pv_mw: float) -> tuple[np.ndarray, np.ndarray]:
    p_mw, q_mvar = feeder.nominal_injections(factor)
    published_mw = sum(bus.p_mw for bus in feeder.buses)
    p_mw[1:] += pv_mw * PV_BUSES / PV_LOAD_MW * published_mw / (len(p_mw) - 1)
    return p_mw, q_mvar


# --- by hand


def test_two_buses_by_hand() -> None:
    line = np.array([[-1, 0, 0], [0, 0.01, 0.02]])
    squared, (low, high) = solve(line, np.array([0.0, -2.0]), np.array([0.0, -1.0]))
    assert squared == pytest.approx([1.0, 1 - 2 * (0.01 * 2 + 0.02 * 1)], abs=EXACT)
    assert (low, high) == pytest.approx((0.92**0.5, 1.0), abs=EXACT)


def test_a_line_carries_what_lies_beyond_it_and_no_more() -> None:
    p_mw, q_mvar = np.array([0.0, -1.0, -4.0, 6.0]), np.array([0.0, 0.0, -2.0, 1.0])
    squared, extremes = solve(FORK, p_mw, q_mvar, 1.02)
    first = 1.02**2 + 2 * (0.001 * 1 + 0.002 * -1)
    second, third = first + 2 * (0.003 * -4 + 0.001 * -2), first + 2 * (0.002 * 6 + 0.004 * 1)
    assert squared == pytest.approx([1.02**2, first, second, third], abs=EXACT)
    assert extremes == pytest.approx((second**0.5, third**0.5), abs=EXACT)


def test_the_injections_become_flows() -> None:
    p_mw, q_mvar = np.array([3.0, -1.0, -4.0, 6.0]), np.array([0.0, 0.0, -2.0, 1.0])
    voltage.solve_voltage(FORK, 1.0, p_mw, q_mvar, np.empty(4))
    assert p_mw.tolist() == [4.0, 1.0, -4.0, 6.0]
    assert q_mvar.tolist() == [-1.0, -1.0, -2.0, 1.0]


def test_a_feeder_that_cannot_carry_its_load_reads_zero_volts() -> None:
    squared, extremes = solve(FORK, np.full(4, -1000.0), np.zeros(4))
    assert squared.min() < 0
    assert extremes == (0.0, 1.0)


# --- laws


@given(POWER, POWER, POWER, POWER)
def test_rises_of_two_sets_of_injections_add(p: list[float], q: list[float], more_p: list[float], more_q: list[float]):
    one, other = (np.array(p), np.array(q)), (np.array(more_p), np.array(more_q))
    both = solve(FORK, one[0] + other[0], one[1] + other[1])[0] - 1
    assert both == pytest.approx((solve(FORK, *one)[0] - 1) + (solve(FORK, *other)[0] - 1), abs=EXACT)


@given(POWER, POWER, st.integers(1, 3), st.floats(0, 20), st.floats(0, 20))
def test_more_injected_anywhere_lowers_no_voltage(p: list[float], q: list[float], bus: int, dp: float, dq: float):
    p_mw, q_mvar = np.array(p), np.array(q)
    before = solve(FORK, p_mw, q_mvar)[0]
    p_mw[bus] += dp
    q_mvar[bus] += dq
    after = solve(FORK, p_mw, q_mvar)[0]
    assert (after >= before - EXACT).all()
    assert after[bus] - before[bus] >= (0.001 * dp + 0.002 * dq) * 2 - EXACT


@given(POWER, POWER, st.floats(0.9, 1.1))
def test_the_extremes_are_those_of_all_buses(p: list[float], q: list[float], source_pu: float) -> None:
    squared, extremes = solve(FORK, np.array(p), np.array(q), source_pu)
    assert extremes == (np.sqrt(squared.min()), np.sqrt(squared.max()))


# --- the shipped feeders


def island(feeder: Feeder, factor: float, **generation_mw: float) -> tuple[float, float]:
    p_mw, q_mvar = feeder.nominal_injections(factor)
    for bus, mw in generation_mw.items():
        p_mw[feeder.row(bus)] += mw
    return solve(feeder.table(), p_mw, q_mvar, feeder.source_pu)[1]


@pytest.mark.parametrize(
    "factor, generation",
    [
        (1.0, {"bus_1": 40, "bus_5": 35, "bus_3": 10}),
        (1.0, {"bus_1": 20, "bus_3": 20, "bus_6": 30}),
        (0.6, {"bus_3": 25, "bus_6": 30, "bus_4": -15, "bus_7": -10}),
        (1.3, {"bus_1": 40, "bus_5": 35, "bus_4": 15, "bus_7": 10}),
        (0.4, {"bus_3": 25, "bus_6": 30}),
    ],
    ids=["evening", "noon", "charging", "peak", "holiday"],
)
def test_the_small_feeder_holds_the_band_with_generation_spread(factor: float, generation: dict[str, float]) -> None:
    low, high = island(Feeder.load("small"), factor, **generation)
    assert 0.95 < low <= high < 1.05


def test_the_small_feeder_leaves_the_band_when_all_power_travels_its_whole_length() -> None:
    feeder = Feeder.load("small")
    p_mw, q_mvar = feeder.nominal_injections(1.3)
    far = feeder.row("bus_7")
    p_mw[far], q_mvar[far] = p_mw.sum(), q_mvar.sum()
    p_mw[:far], q_mvar[:far] = 0, 0
    assert solve(feeder.table(), p_mw, q_mvar, feeder.source_pu)[1][0] < 0.95


@pytest.mark.parametrize("name", FEEDERS)
def test_the_base_case_lies_within_the_band(name: str) -> None:
    low, high = island(Feeder.load(name), 1.0)
    assert 0.95 < low < high < 1.05


# --- against an AC power flow


@pytest.fixture
def ac(monkeypatch: pytest.MonkeyPatch) -> Callable[..., np.ndarray]:
    """Voltages of pandapower's Newton-Raphson power flow, in the order of the feeder's arrays."""
    pandapower: Any = pytest.importorskip("pandapower", reason="needs pandapower, of the test extra")
    from pandapower import powerflow, results_bus

    # Only the voltages of the buses are read from the solution. pandapower 3.1 cannot write its other tables under
    # pandas 3, whose views are read-only, and later releases refuse pandas 3.
    monkeypatch.setattr(powerflow, "_extract_results", results_bus._get_bus_v_results)

    def solve_ac(feeder: Feeder, p_mw: np.ndarray, q_mvar: np.ndarray) -> np.ndarray:
        net = pandapower.create_empty_network()
        index = pandapower.create_buses(net, len(feeder.bus_names), vn_kv=feeder.nominal_kv)
        bus = dict(zip(feeder.bus_names, index, strict=True))
        ends = [bus[b.from_bus] for b in feeder.branches], [bus[b.to_bus] for b in feeder.branches]
        ohms = [b.r_ohm for b in feeder.branches], [b.x_ohm for b in feeder.branches]
        pandapower.create_lines_from_parameters(net, *ends, 1.0, *ohms, 0.0, 1e3)
        pandapower.create_gens(net, [bus[feeder.bus_names[0]]], 0.0, vm_pu=feeder.source_pu, slack=True)
        pandapower.create_sgens(net, index, p_mw, q_mvar)
        pandapower.runpp(net, numba=False)
        return net.res_bus.vm_pu.to_numpy()

    return solve_ac


def test_the_33_buses_fully_loaded_sag_to_the_published_voltage(ac) -> None:
    published = Feeder.load("ieee-33").model_copy(update={"load_scale": 1.0, "tap_pu": 1.0})
    voltages = ac(published, *published.nominal_injections())
    assert voltages.min() == pytest.approx(0.9131, abs=5e-5)
    assert published.bus_names[voltages.argmin()] == "bus_18"


def error(ac: Callable[..., np.ndarray], feeder: Feeder, p_mw: np.ndarray, q_mvar: np.ndarray) -> float:
    linear = np.sqrt(solve(feeder.table(), p_mw, q_mvar, feeder.source_pu)[0])
    return float(np.abs(linear / ac(feeder, p_mw, q_mvar) - 1).max())


@pytest.mark.parametrize("pv_mw", PV_MW)
@pytest.mark.parametrize("factor", LOAD_FACTORS)
@pytest.mark.parametrize("name", FEEDERS)
def test_voltages_agree_with_an_ac_power_flow(ac, name: str, factor: float, pv_mw: float) -> None:
    feeder = Feeder.load(name)
    assert error(ac, feeder, *with_pv(feeder, factor, pv_mw)) < AC_TOLERANCE


def test_the_error_grows_with_the_square_of_the_load_as_losses_do(ac) -> None:
    """Run with ``-s`` to see the errors inside and outside the range that is asserted above."""
    for name in FEEDERS:
        feeder = Feeder.load(name)
        errors = {
            (factor, pv): error(ac, feeder, *with_pv(feeder, factor, pv))
            for factor in (*LOAD_FACTORS, 1.5, 2.0)
            for pv in (*PV_MW, 0.4)
        }
        at_nominal = feeder.model_copy(update={"tap_pu": 1.0})
        corner = error(ac, at_nominal, *with_pv(feeder, 0.0, PV_MW[-1]))
        for factor in (*LOAD_FACTORS, 1.5, 2.0):
            row = "  ".join(f"{errors[factor, pv]:8.3%}" for pv in (*PV_MW, 0.4))
            print(f"{name:>8}  load x {factor:4.2f}  PV 0, 0.1, 0.2, 0.4 MW a bus: {row}")
        print(f"{name:>8}  load x 0, PV 0.2 MW a bus, source at 1.00 pu: {corner:.3%}")
        assert errors[0.0, 0.0] < EXACT
        assert 2**2 * 0.9 < errors[2.0, 0.0] / errors[1.0, 0.0] < 2**3


# --- reactive support


def case(name: str, kind: str) -> tuple[Feeder, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A feeder, its injections, the ratings of its inverters and their active power."""
    feeder = Feeder.load(name)
    factor, share = {"heavy": (1.6, 0.0), "sunny": (0.2, 0.2)}[kind]
    p_mw, q_mvar = with_pv(feeder, factor, share)
    pv_mw = p_mw - feeder.nominal_injections(factor)[0]
    rating_mva = 1.1 * (with_pv(feeder, 0.0, 0.2)[0])
    return feeder, p_mw, q_mvar, rating_mva, pv_mw


def headroom(rating_mva: np.ndarray, pv_mw: np.ndarray) -> np.ndarray:
    return np.array([voltage.reactive_headroom(s, p) for s, p in zip(rating_mva, pv_mw, strict=True)])


CASES = pytest.mark.parametrize("kind", ["heavy", "sunny"])
NETWORKS = pytest.mark.parametrize("name", FEEDERS)


@CASES
@NETWORKS
def test_support_narrows_the_range_within_the_ratings(name: str, kind: str) -> None:
    feeder, p_mw, q_mvar, rating_mva, pv_mw = case(name, kind)
    droop = voltage.support_table(feeder.table(), rating_mva, SLOPE_PU)
    low, high = solve(feeder.table(), p_mw, q_mvar, feeder.source_pu)[1]
    squared, support, (low_with, high_with) = supported(feeder, p_mw, q_mvar, headroom(rating_mva, pv_mw), droop)
    assert (low_with, high_with) == (np.sqrt(squared.min()), np.sqrt(squared.max()))
    assert high_with - low_with < 0.9 * (high - low)
    assert np.abs(support).max() > 0
    assert (np.hypot(support, pv_mw) <= rating_mva + EXACT).all()


@CASES
@NETWORKS
def test_support_narrows_the_range_of_an_ac_power_flow_too(ac, name: str, kind: str) -> None:
    feeder, p_mw, q_mvar, rating_mva, pv_mw = case(name, kind)
    droop = voltage.support_table(feeder.table(), rating_mva, SLOPE_PU)
    support = supported(feeder, p_mw, q_mvar, headroom(rating_mva, pv_mw), droop)[1]
    before, after = ac(feeder, p_mw, q_mvar), ac(feeder, p_mw, q_mvar + support)
    assert np.ptp(after) < 0.9 * np.ptp(before)


@CASES
@NETWORKS
def test_two_passes_are_near_the_fixed_point_of_all_curves(name: str, kind: str) -> None:
    feeder, p_mw, q_mvar, rating_mva, pv_mw = case(name, kind)
    droop = voltage.support_table(feeder.table(), rating_mva, SLOPE_PU)
    room = headroom(rating_mva, pv_mw)
    squared = supported(feeder, p_mw, q_mvar, room, droop)[0]
    settled = fixed_point(feeder, p_mw, q_mvar, room, droop[:, voltage.DROOP])
    assert np.abs(np.sqrt(squared) - settled).max() < SETTLED_PU


@CASES
@NETWORKS
@pytest.mark.parametrize("slope", [1.0, 10.0, 100.0, 10_000.0])
def test_no_slope_is_too_steep_to_help(name: str, kind: str, slope: float) -> None:
    feeder, p_mw, q_mvar, rating_mva, pv_mw = case(name, kind)
    droop = voltage.support_table(feeder.table(), rating_mva, slope)
    before = np.sqrt(solve(feeder.table(), p_mw, q_mvar, feeder.source_pu)[0]) - 1
    squared, support, _ = supported(feeder, p_mw, q_mvar, headroom(rating_mva, pv_mw), droop)
    after = np.sqrt(squared) - 1
    assert np.abs(after).max() < np.abs(before).max()
    assert support[np.abs(before).argmax()] * before[np.abs(before).argmax()] < 0


def test_one_inverter_by_hand_is_on_its_curve_after_the_first_pass() -> None:
    line = np.array([[-1, 0, 0], [0, 0.01, 0.02]])
    droop = voltage.support_table(line, np.array([0.0, 1.0]), SLOPE_PU)
    assert droop[1] == pytest.approx([20.0, 0.02 * 20], abs=EXACT)
    answer = voltage.inverter_answer(20.0, 0.4, -0.06, 0.0, 1.0, DEAD_BAND_PU)
    assert answer == pytest.approx(20 * 0.05 / 1.4, abs=EXACT)
    moved = -0.06 + 0.02 * answer
    assert answer == pytest.approx(-20 * (moved + DEAD_BAND_PU), abs=EXACT)
    assert voltage.inverter_answer(20.0, 0.4, moved, answer, 1.0, DEAD_BAND_PU) == pytest.approx(answer, abs=EXACT)


@given(st.floats(-0.3, 0.3), st.floats(0, 5), st.floats(0, 2), st.floats(0, 0.05))
def test_an_inverter_opposes_the_deviation_within_its_headroom(
    deviation: float, gain: float, room: float, dead: float
) -> None:
    answer = voltage.inverter_answer(20.0, gain, deviation, 0.0, room, dead)
    assert abs(answer) <= room
    assert answer * deviation <= 0
    assert (answer == 0) == (room == 0 or abs(deviation) <= dead)


def test_within_the_dead_band_and_without_inverters_nothing_changes() -> None:
    feeder = Feeder.load("small").model_copy(update={"tap_pu": 1.0})
    p_mw, q_mvar = feeder.nominal_injections(0.1)
    room, size = np.full(len(p_mw), 5.0), np.full(len(p_mw), 5.0)
    quiet = voltage.support_table(feeder.table(), size, SLOPE_PU)
    loaded = feeder.nominal_injections(1.5)
    none = voltage.support_table(feeder.table(), 0 * size, SLOPE_PU)
    for injections, table in (((p_mw, q_mvar), quiet), (loaded, none)):
        squared, extremes = solve(feeder.table(), *injections)
        with_support, support, extremes_with = supported(feeder, *injections, room, table)
        assert with_support.tolist() == squared.tolist()
        assert support.tolist() == [0.0] * len(support)
        assert extremes_with == extremes


@pytest.mark.parametrize("rating, power, left", [(5, 3, 4), (5, -3, 4), (5, 5, 0), (5, 6, 0), (0, 0, 0)])
def test_headroom_is_the_other_leg_of_the_rating(rating: float, power: float, left: float) -> None:
    assert voltage.reactive_headroom(float(rating), float(power)) == pytest.approx(left, abs=EXACT)


def test_plain_python_says_the_same_as_the_compiled_kernels() -> None:
    plain: Any = getattr(voltage.solve_voltage, "py_func", voltage.solve_voltage)
    feeder = Feeder.load("ieee-33")
    p_mw, q_mvar = feeder.nominal_injections()
    squared, extremes = solve(feeder.table(), p_mw, q_mvar, feeder.source_pu)
    by_python = np.empty(len(p_mw))
    assert plain(feeder.table(), feeder.source_pu, p_mw, q_mvar, by_python) == pytest.approx(extremes, abs=EXACT)
    assert by_python == pytest.approx(squared, abs=EXACT)
