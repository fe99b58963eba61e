"""Pictures of a comparison as SVG text: dispatch and price, stored energy, bids against clearing, rounds, scores."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gridmarl.bench.numbers import label, number
from gridmarl.bench.results import Comparison
from gridmarl.environment.render import (
    IMPORT,
    RESPONSE,
    UNSERVED,
    colour_of,
    merit_order,
    order_technologies,
    plot_merit_order,
    power_unit,
    stacked,
)
from gridmarl.evaluation.trajectory import Trajectory
from gridmarl.units import HOURS_PER_DAY, Float

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH: Final = 9.0
INK: Final = "#222222"
PRICE_INK: Final = "#0072B2"
VISIBLE: Final = 1e-3
"""Technologies that never reach this share of the peak are left out: solvers leave dust."""
TOWERING: Final = 10.0
BAND_ABOVE: Final = 6
"""More batteries than this are drawn as a mean with a band."""


STYLE: Final[dict[Any, Any]] = {
    "svg.hashsalt": "gridmarl",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
DPI: Final = 150
NOTEBOOK_DPI: Final = 96
"""A notebook keeps its pictures within itself."""


def png(draw: Callable[[Figure], None], height: float, title: str, dpi: int = DPI) -> bytes:
    """Draw on a fresh figure under a title, which the file also carries, and return it as PNG."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(title, x=0.01, ha="left", fontsize=11)
        draw(figure)
        pixels = io.BytesIO()
        figure.savefig(pixels, format="png", dpi=dpi, metadata={"Title": title})
    return pixels.getvalue()


def svg(draw: Callable[[Figure], None], height: float) -> str:
    """Draw on a fresh figure and return it as an SVG element."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
    whole = text.getvalue()
    return whole[whole.index("<svg") :]


def clock(played: Trajectory, days: bool = True) -> tuple[Float, str]:
    """Edges of the intervals since the start, in hours, or in days (if they may be) beyond two, (interval + 1,)."""
    hours = np.arange(len(played.market) + 1, dtype=np.float64) * played.interval_h
    if days and hours[-1] > 2 * HOURS_PER_DAY:
        return hours / HOURS_PER_DAY, "days since the start"
    return hours, "hours since the start"


def held(values: Float) -> Float:
    """Values at the edges of the intervals: each holds until the next, the last to the end."""
    return np.append(values, values[-1])


def _power(played: Trajectory) -> dict[str, Float]:
    """Injection by technology, MW; imports, demand response and shed load count as technologies."""
    power: dict[str, Float] = {}
    for seat, role, technology in zip(played.seats[:-1], played.roles, played.technologies, strict=False):
        name = RESPONSE if role == "consumer" else technology
        power[name] = power.get(name, np.zeros(len(played.market))) + played.power(seat)
    return {**power, IMPORT: played.of_market("import_mw"), UNSERVED: played.of_market("unserved_mw")}


def dispatch(played: Trajectory) -> str:
    """Who delivered what over the episode, demand on top, and the price below."""

    def draw(figure: Figure) -> None:
        stack, line = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        time, name = clock(played)
        power = _power(played)
        demand = held(played.of_market("demand_mw"))
        unit, factor = power_unit(float(demand.max()))
        order = [t for t in stacked(set(power)) if np.abs(power[t]).max() > VISIBLE * demand.max()]
        takers = [t for t in order if power[t].min() < -VISIBLE * demand.max()]
        for names, alpha, sign in ((order, 1.0, 1.0), (takers, 0.6, -1.0)):
            layers = [held(sign * np.maximum(sign * power[t], 0) * factor) for t in names]
            colours, labels = [colour_of(t) for t in names], names if sign > 0 else ()
            if layers:
                stack.stackplot(time, *layers, labels=labels, colors=colours, alpha=alpha, lw=0, step="post")
        stack.step(time, demand * factor, where="post", color=INK, lw=1.0, label="demand")
        stack.axhline(0, color=INK, lw=0.5)
        stack.set_ylabel(f"power ({unit})")
        stack.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
        prices = held(played.of_market("price_per_mwh"))
        line.step(time, prices, where="post", color=PRICE_INK, lw=1.0)
        compress(line, prices)
        line.set_ylabel("price ($/MWh)")
        line.set_xlabel(name)
        line.set_xlim(time[0], time[-1])

    return svg(draw, 4.2)


def compress(axes: Axes, prices: Float) -> None:
    """Where a few prices tower over the usual one, as the value of lost load does, a logarithm shows both."""
    usual = max(float(np.quantile(np.abs(prices), 0.9)), 1.0)
    if np.abs(prices).max() > TOWERING * usual:
        axes.set_yscale("symlog", linthresh=10.0 ** np.ceil(np.log10(usual)), linscale=2.0)
        axes.yaxis.set_major_formatter("{x:,.0f}")


def stored_energy(played: Trajectory) -> str:
    """State of charge of every battery; beyond six, their mean and the band between extremes. Empty without any."""
    batteries = [played.seats[row] for row in played.rows_of("storage")]
    if not batteries:
        return ""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        edges, name = clock(played)
        time = edges[1:]  # a level is that at the end of its interval
        levels = np.stack([played.of_seat(seat, "soc") for seat in batteries])
        if len(batteries) > BAND_ABOVE:
            axes.fill_between(time, levels.min(0), levels.max(0), color=colour_of("battery"), alpha=0.25, lw=0)
            axes.plot(
                time, levels.mean(0), color=colour_of("battery"), label=f"mean of {len(batteries)}; band: extremes"
            )
        else:
            for style, seat, level in zip(("-", "--", ":", "-.") * 2, batteries, levels, strict=False):
                axes.plot(time, level, style, color=colour_of("battery"), label=seat)
        axes.set_ylim(0, 1)
        axes.set_ylabel("stored energy / capacity")
        axes.set_xlabel(name)
        axes.set_xlim(edges[0], edges[-1])
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)

    return svg(draw, 2.2)


def bids(played: Trajectory) -> str:
    """Bids against clearing in the interval of the highest price."""

    def draw(figure: Figure) -> None:
        prices, volumes = played.of_market("price_per_mwh"), played.of_market("volume_mw")
        t = int(prices.argmax())
        order = merit_order(played.book[t], played.offers, played.order_seats, float(prices[t]), float(volumes[t]))
        axes = figure.subplots()
        plot_merit_order(axes, order, order_technologies(played.seats, played.roles, played.technologies))
        axes.set_title(f"bids against clearing in interval {t}, the dearest: {prices[t]:,.2f} $/MWh", loc="left")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)

    return svg(draw, 3.4)


def convergence(played: Trajectory) -> str:
    """Residuals of every negotiated plan, a line a plan. Empty where nothing was negotiated."""
    if not played.negotiations:
        return ""

    def draw(figure: Figure) -> None:
        panels: list[Axes] = list(figure.subplots(1, 2, sharey=True))
        for axes, name in zip(panels, ("primal", "dual"), strict=True):
            for plan in played.negotiations:
                residual = plan.primal_mw if name == "primal" else plan.dual_mw
                colour = PRICE_INK if plan.converged else "#D55E00"
                axes.semilogy(
                    np.arange(1, len(residual) + 1), np.maximum(residual * 1000, 1e-9), color=colour, alpha=0.4, lw=0.8
                )
            axes.set_title(f"{name} residual", loc="left")
            axes.set_xlabel("round")
        panels[0].set_ylabel("kW")
        done = sum(plan.converged for plan in played.negotiations)
        panels[1].set_title(f"{done} of {len(played.negotiations)} plans converged (blue)", loc="right", fontsize=8)

    return svg(draw, 2.6)


def scores(found: Comparison, world: str) -> str:
    """Share of the possible saving, or regret where there is no share, with intervals."""
    metric = "share" if any(found.estimate(world, team, "share") for team in found.teams) else "regret"
    entries = [(team, found.estimate(world, team, metric)) for team in reversed(found.ranked(world))]
    kept = [(team, estimate) for team, estimate in entries if estimate is not None]
    if not kept:
        return ""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for row, (_, e) in enumerate(kept):
            low, high = (e.value if end is None else end for end in (e.low, e.high))
            axes.plot([low, high], [row, row], color=PRICE_INK, lw=4, alpha=0.35, solid_capstyle="butt")
            axes.plot(e.value, row, "o", color=PRICE_INK)
            said = f"{number(e.value)} $" if metric == "regret" else number(e.value)
            plain = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
            axes.annotate(said, (e.value, row), (0, 6), textcoords="offset points", ha="center", fontsize=8, bbox=plain)
        axes.set_yticks(range(len(kept)), [team for team, _ in kept])
        axes.margins(x=0.1)  # room for the numbers
        axes.set_ylim(-0.6, len(kept) - 0.4)
        if metric == "share":
            axes.axvline(1, color="#009E73", lw=0.8)
            axes.axvline(0, color=INK, lw=0.8)
            if min(e.value for _, e in kept) < -1:
                axes.set_xscale("symlog", linthresh=1, subs=(2, 5))
                axes.xaxis.set_major_formatter("{x:g}")
                axes.xaxis.set_minor_formatter("{x:g}")
        what = (
            "share of the possible saving: 0 the reference, 1 the optimum"
            if metric == "share"
            else f"{label(metric)} ($)"
        )
        axes.set_xlabel(what)

    return svg(draw, 0.9 + 0.32 * len(kept))
