"""Pictures of the grid in one rollout as SVG text: frequency, voltage, reserve prices, stages of an emergency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from gridmarl.bench.pictures.comparison import INK, PRICE_INK, clock, held, svg
from gridmarl.environment.messages.records import Stage
from gridmarl.evaluation.stability import stages_reached
from gridmarl.evaluation.trajectory import Trajectory
from gridmarl.units import Float

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BAND_INK: Final = "#009E73"
SPREAD_INK: Final = PRICE_INK
PRODUCT_INKS: Final = {"spin": "#D55E00", "nonspin": "#0072B2"}
STAGE_INKS: Final = {
    Stage.DETECTION: "#f7e8a4",
    Stage.ALERT: "#f0c75e",
    Stage.STORAGE: "#56B4E9",
    Stage.SHEDDING: "#b00020",
    Stage.GENERATION: "#D55E00",
    Stage.RECOVERY: "#9fd8c4",
}
MARGIN: Final = 0.08
"""Air above and below, of what is drawn."""


def _beside(axes: Axes) -> None:
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)


def _range(axes: Axes, played: Trajectory, low: Float, high: Float, band: tuple[float, float]) -> None:
    """The spread of each interval over the shaded band."""
    edges, name = clock(played)
    axes.axhspan(*band, color=BAND_INK, alpha=0.12, lw=0, label="allowed band")
    axes.fill_between(
        edges, held(low), held(high), step="post", color=SPREAD_INK, alpha=0.8, lw=0.6, label="lowest to highest"
    )
    axes.set_xlim(edges[0], edges[-1])
    axes.set_xlabel(name)
    axes.ticklabel_format(axis="y", useOffset=False)
    lowest, highest = min(band[0], float(low.min())), max(band[1], float(high.max()))
    air = MARGIN * (highest - lowest)
    axes.set_ylim(lowest - air, highest + air)
    _beside(axes)


def frequency(played: Trajectory) -> str:
    """From nadir to zenith in each interval, the band shaded. Empty where the world models no frequency."""
    grid = played.grid
    if not grid.has_frequency:
        return ""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        low, high = (grid.nominal_hz + played.of_market(name) for name in ("nadir_hz", "zenith_hz"))
        _range(axes, played, low, high, (grid.nominal_hz - grid.band_hz, grid.nominal_hz + grid.band_hz))
        axes.set_ylabel("frequency (Hz)")

    return svg(draw, 2.2)


def voltage(played: Trajectory) -> str:
    """Lowest and highest voltage of the feeder in each interval, the band shaded. Empty where there is no feeder."""
    if not played.grid.has_voltage:
        return ""

    def draw(figure: Figure) -> None:
        axes, band = figure.subplots(), played.grid.band_pu
        low, high = played.of_market("voltage_low_pu"), played.of_market("voltage_high_pu")
        _range(axes, played, low, high, (1.0 - band, 1.0 + band))
        axes.set_ylabel("voltage (pu)")

    return svg(draw, 2.2)


def reserve(played: Trajectory) -> str:
    """Prices of both products. Empty where the world buys no reserve."""
    if not played.grid.buys_reserve:
        return ""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        edges, name = clock(played)
        for (product, ink), style in zip(PRODUCT_INKS.items(), ("-", "--"), strict=True):
            prices = played.of_market(f"{product}_price_per_mwh")
            axes.step(edges, held(prices), style, where="post", color=ink, lw=1.2, label=product)
        axes.set_xlim(edges[0], edges[-1])
        dearest = max(float(played.of_market(f"{product}_price_per_mwh").max()) for product in PRODUCT_INKS)
        axes.set_ylim(0.0, (1.0 + MARGIN) * max(dearest, 1.0))
        axes.set_ylabel("reserve ($/MW h)")
        axes.set_xlabel(name)
        _beside(axes)

    return svg(draw, 1.9)


def emergency(played: Trajectory) -> str:
    """Stages as strips over time, one a stage that was reached. Empty in a quiet episode."""
    reached = stages_reached(played)
    if not reached:
        return ""
    masks = played.of_market("emergency_stages").astype(np.int64)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        edges, name = clock(played)
        for row, stage in enumerate(reached):
            passed = (masks >> list(Stage).index(stage)) & 1
            spans = [(edges[t], edges[t + 1] - edges[t]) for t in np.flatnonzero(passed)]
            axes.broken_barh(spans, (row - 0.4, 0.8), facecolors=STAGE_INKS[stage], edgecolors=INK, lw=0.2)
        axes.set_yticks(range(len(reached)), [str(stage.value) for stage in reached])
        axes.set_ylim(len(reached) - 0.4, -0.6)
        axes.set_xlim(edges[0], edges[-1])
        axes.set_xlabel(name)

    return svg(draw, 0.7 + 0.25 * len(reached))
