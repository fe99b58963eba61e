"""Pictures of a run's first plan: schedules, stored energy, rounds, shadow prices, risk, net load before and after."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gridmarl.bench.numbers import number
from gridmarl.bench.pictures.comparison import BAND_ABOVE, INK, NOTEBOOK_DPI, PRICE_INK, clock, compress, held, png
from gridmarl.bench.plan_tables import edges_h, price_quantile, total_mw
from gridmarl.bench.planned_run import PlannedRun
from gridmarl.environment.render import colour_of, power_unit, stacked
from gridmarl.planning.model.assets import Battery, Coupling, per_step
from gridmarl.planning.model.gap import slack_mw
from gridmarl.planning.model.plan import AssetPlan, BatteryPlan, LoadPlan, Plan
from gridmarl.planning.model.risk import cvar
from gridmarl.planning.planner import Planned
from gridmarl.units import KW_PER_MW, Float

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_OWNERS: Final = 6
"""Of more owners those whose schedules move most are drawn."""
BEFORE_INK: Final = "#D55E00"
BARE_INK: Final = "#999999"
LOAD: Final = "load"
OTHERS: Final = "other supply"
"""Of the rest of the market, where only a part of it is planned."""
LEAST_KW: Final = 1e-9
"""Residuals below this are drawn at it: a logarithm has no 0."""
VISIBLE_PER_MWH: Final = 0.01
"""Multipliers that stay below this are a solver's dust, drawn as a flat line."""
LEAST_COST: Final = 1e-12
BANDS: Final = ((0.1, 0.9, 0.2), (0.25, 0.75, 0.35))
"""Quantiles between which the prices' bands lie, and how dark they are."""
BATTERY_INKS: Final = ("#009E73", "#D55E00", "#0072B2", "#CC79A7", "#E69F00", "#56B4E9")
STYLES: Final = ("-", "--", ":", "-.", (0, (5, 1)), (0, (1, 3)))


@dataclass(frozen=True, slots=True)
class Picture:
    """One to be drawn."""

    title: str
    draw: Callable[[Figure], None] = field(repr=False)
    height: float  # inches

    def _repr_png_(self) -> bytes:
        """How a notebook shows it."""
        return png(self.draw, self.height, self.title, dpi=NOTEBOOK_DPI)


def pictures(run: PlannedRun) -> dict[str, Picture]:
    """File name without its end -> picture, of all that this run has something to show for."""
    planned = run.planned
    if planned is None:
        return {}
    about = f"{run.played.team} in {run.played.scenario}, first plan"
    rows = len(_drawn_owners(planned.plan))
    found = {
        "schedules": Picture(
            f"{about}: schedules of {_count(planned.plan)}", _schedules(run, planned), 0.8 + 1.5 * rows
        ),
        "shadow-prices": Picture(f"{about}: shadow prices and the cleared price", _shadow_prices(run, planned), 4.2),
        "net-load": Picture(f"{about}: net load before and after", _net_load(run, planned), 3.2),
    }
    if _batteries(planned.plan):
        found["state-of-charge"] = Picture(f"{about}: state of charge", _stored(run, planned), 2.8)
    if run.played.negotiations:
        found["convergence"] = Picture(
            f"{run.played.team} in {run.played.scenario}: convergence of {_plans(run)}", _convergence(run), 3.0
        )
    if len(planned.outlook.prices.probability) > 1:
        found["risk"] = Picture(f"{about}: price scenarios and the owners' revenue", _risk(planned), 3.4)
    return found


def _count(plan: Plan) -> str:
    drawn, all_of = len(_drawn_owners(plan)), len(plan.owners)
    return f"{all_of} owners" if drawn == all_of else f"{drawn} of {all_of:,} owners, those that move most"


def _plans(run: PlannedRun) -> str:
    certified, plans = sum(n.converged for n in run.played.negotiations), len(run.played.negotiations)
    return f"{plans} plans, {certified} of them certified"


def _drawn_owners(plan: Plan) -> list[int]:
    largest = np.argsort(-np.abs(plan.injection_mw).max(axis=1), kind="stable")[:MOST_OWNERS]
    return sorted(int(row) for row in largest)


def _batteries(plan: Plan) -> list[BatteryPlan]:
    return [asset for assets in plan.assets for asset in assets if isinstance(asset, BatteryPlan)]


def _horizontal(axes: Axes, edges: Float) -> None:
    axes.set_xlim(edges[0], edges[-1])
    axes.set_xlabel("hours since the start")


def _beside(axes: Axes) -> None:
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)


def _schedules(run: PlannedRun, planned: Planned) -> Callable[[Figure], None]:
    """A row an owner: what its assets inject and take, stacked, and the sum as a line."""
    plan, edges, rows = planned.plan, edges_h(planned), _drawn_owners(planned.plan)
    technologies = dict(zip(run.played.seats, run.played.technologies, strict=False))

    def draw(figure: Figure) -> None:
        panels: list[Axes] = list(figure.subplots(len(rows), 1, sharex=True, squeeze=False)[:, 0])
        handles: dict[str, Any] = {}
        net: Any = None
        for axes, row in zip(panels, rows, strict=True):
            layers = _layers(plan, row, technologies)
            most = max(float(np.abs(values).max()) for values in layers.values())
            unit, factor = power_unit(most)
            for sign in (1.0, -1.0):
                parts = [held(sign * np.maximum(sign * values, 0.0) * factor) for values in layers.values()]
                areas = axes.stackplot(edges, *parts, colors=[_ink(n) for n in layers], alpha=0.85, lw=0, step="post")
                handles |= dict(zip(layers, areas, strict=True))
            (net,) = axes.step(edges, held(plan.injection_mw[row] * factor), where="post", color=INK, lw=1.2)
            axes.axhline(0, color=INK, lw=0.5)
            axes.set_title(plan.owners[row], loc="left", fontsize=9)
            axes.set_ylabel(f"injection ({unit})")
        _horizontal(panels[-1], edges)
        figure.align_ylabels()
        handles["net"] = net
        figure.legend(list(handles.values()), list(handles), loc="outside right center", frameon=False)

    return draw


def _layers(plan: Plan, row: int, technologies: Mapping[str, str]) -> dict[str, Float]:
    """Injection (K,) MW of an owner's assets by technology, in the order of all pictures."""
    layers: dict[str, Float] = {}
    for asset in plan.assets[row]:
        name = _kind(asset, technologies)
        layers[name] = layers.get(name, np.zeros(len(plan.step_h))) + asset.injection_mw
    return {name: layers[name] for name in stacked(set(layers))}


def _kind(asset: AssetPlan, technologies: Mapping[str, str]) -> str:
    match asset:
        case BatteryPlan():
            return "battery"
        case LoadPlan():
            return LOAD
        case _:
            return technologies.get(asset.name, OTHERS)


def _ink(name: str) -> str:
    return BARE_INK if name == LOAD else colour_of(name)


def _stored(run: PlannedRun, planned: Planned) -> Callable[[Figure], None]:
    """Stored energy over capacity at the ends of steps; beyond six batteries their mean and the extremes."""
    capacity = {unit.name: unit.capacity_mwh for unit in run.scenario.all_storage}
    units = [a for owner in planned.outlook.owners for a in owner.assets if isinstance(a, Battery)]
    plans, edges = _batteries(planned.plan), edges_h(planned)
    levels = np.stack(
        [
            np.concatenate([[unit.energy_now_mwh], plan.energy_mwh]) / capacity[unit.name]
            for unit, plan in zip(units, plans, strict=True)
        ]
    )

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        if len(plans) > BAND_ABOVE:
            ink = colour_of("battery")
            axes.fill_between(edges, levels.min(0), levels.max(0), color=ink, alpha=0.25, lw=0)
            axes.plot(edges, levels.mean(0), color=ink, label=f"mean of {len(plans)}; band: extremes")
        else:
            for ink, style, plan, level in zip(BATTERY_INKS, STYLES, plans, levels, strict=False):
                axes.plot(edges, level, ls=style, color=ink, label=plan.name)
        axes.set_ylim(0, 1)
        axes.set_ylabel("stored energy / capacity")
        _horizontal(axes, edges)
        _beside(axes)

    return draw


def _convergence(run: PlannedRun) -> Callable[[Figure], None]:
    """Residuals and what the cost is above the lower bound, by round: the first plan bold, later ones faint."""

    def draw(figure: Figure) -> None:
        panels: list[Axes] = list(figure.subplots(1, 3))
        for n in reversed(run.played.negotiations):
            first = n is run.played.negotiations[0]
            series = (
                np.maximum(n.primal_mw * KW_PER_MW, LEAST_KW),
                np.maximum(n.dual_mw * KW_PER_MW, LEAST_KW),
                np.maximum(np.abs(n.cost - n.lower_bound), LEAST_COST),
            )
            look = {"color": PRICE_INK if n.converged else BEFORE_INK, "lw": 1.6 if first else 0.6}
            look |= {"alpha": 1.0 if first else 0.3, "label": "first plan" if first else None}
            for axes, values in zip(panels, series, strict=True):
                axes.semilogy(np.arange(1, len(values) + 1), values, **look)  # pyright: ignore[reportArgumentType]  # untyped keywords
        names = (("primal residual", "kW"), ("dual residual", "kW"), ("|cost - lower bound|", "$"))
        for axes, (name, unit) in zip(panels, names, strict=True):
            axes.set_title(name, loc="left", fontsize=9)
            axes.set_ylabel(unit)
            axes.set_xlabel("round")
        panels[0].legend(frameon=False)

    return draw


def _shadow_prices(run: PlannedRun, planned: Planned) -> Callable[[Figure], None]:
    """What energy is worth to the plan beside what the auction cleared; below it the coupling's multiplier alone."""
    plan, edges = planned.plan, edges_h(planned)
    time, _ = clock(run.played, days=False)
    seen = (time >= edges[0]) & (time <= edges[-1] + 1e-9)
    time, cleared = time[seen], held(run.played.of_market("price_per_mwh"))[seen]
    worth = held(plan.price_per_mwh)

    def draw(figure: Figure) -> None:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        above.step(edges, held(planned.outlook.prices.expected_per_mwh), ":", where="post", color=INK, label="expected")
        above.step(edges, worth, where="post", color=PRICE_INK, lw=1.6, label="expected + multiplier")
        above.step(time, cleared, "--", where="post", color=BEFORE_INK, lw=1.2, label="cleared in the auction")
        compress(above, np.concatenate([worth, cleared]))
        above.set_ylabel("price ($/MWh)")
        _beside(above)
        below.step(edges, held(plan.multiplier_per_mwh), where="post", color=PRICE_INK, lw=1.6)
        compress(below, plan.multiplier_per_mwh)
        below.axhline(0, color=INK, lw=0.5)
        most = float(np.abs(plan.multiplier_per_mwh).max())
        if most < VISIBLE_PER_MWH:
            below.set_ylim(-1.0, 1.0)
        below.set_ylabel("multiplier ($/MWh)")
        figure.align_ylabels()
        _horizontal(below, edges)

    return draw


def _net_load(run: PlannedRun, planned: Planned) -> Callable[[Figure], None]:
    return lambda figure: plot_net_load(figure.subplots(), run, planned)


def plot_net_load(axes: Axes, run: PlannedRun, planned: Planned) -> None:
    """Net load of everybody without batteries, with selfish ones, and as agreed."""
    plan, before, edges, coupling = planned.plan, run.before, edges_h(planned), planned.outlook.coupling
    assert before is not None
    bare = total_mw(before) + np.sum([b.injection_mw for b in _batteries(before)], axis=0)
    unit, factor = power_unit(float(max(np.abs(bare).max(), np.abs(total_mw(before)).max())))
    lines = [
        ("without storage", bare, BARE_INK, ":", 1.2),
        ("before: selfish", total_mw(before), BEFORE_INK, "--", 1.4),
    ]
    if plan.method != before.method:
        lines.append((f"after: {plan.method}", total_mw(plan), PRICE_INK, "-", 1.8))
    for name, load_mw, ink, style, width in lines:
        missed = np.linalg.norm(_missed_mw(coupling, load_mw)) * factor
        said = f"{name}\nmismatch {number(float(missed)) if missed > LEAST_KW else 0} {unit}"
        axes.step(edges, held(load_mw * factor), ls=style, where="post", color=ink, lw=width, label=said)
    for bound in (coupling.lower_mw, coupling.upper_mw):
        allowed = -per_step(bound, len(bare)) * factor
        if np.all(np.isfinite(allowed)):
            axes.step(edges, held(allowed), where="post", color=INK, lw=0.6)
    axes.set_ylabel(f"net load ({unit})")
    axes.set_title("mismatch: norm over the horizon of what is beyond the thin lines", loc="left", fontsize=8)
    _horizontal(axes, edges)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, labelspacing=1.0)


def _missed_mw(coupling: Coupling, net_load_mw: Float) -> Float:
    """What everybody's net load is beyond the coupling's bounds (K,)."""
    return np.add(*slack_mw(replace(coupling, groups=()), -net_load_mw))


def _risk(planned: Planned) -> Callable[[Figure], None]:
    """Bands of the price scenarios; and of each owner's revenue every scenario, the mean and the CVaR."""
    plan, prices, edges, rows = planned.plan, planned.outlook.prices, edges_h(planned), _drawn_owners(planned.plan)
    gains = plan.revenue(prices)[rows]
    owners = [planned.outlook.owners[row] for row in rows]

    def draw(figure: Figure) -> None:
        bands, dots = figure.subplots(1, 2)
        for low, high, alpha in BANDS:
            ends = (held(price_quantile(planned, level)) for level in (low, high))
            name = f"{low:.0%} to {high:.0%}"
            bands.fill_between(edges, *ends, step="post", color=PRICE_INK, alpha=alpha, lw=0, label=name)
        bands.step(edges, held(prices.expected_per_mwh), where="post", color=INK, lw=1.2, label="expected")
        bands.set_ylabel("price ($/MWh)")
        bands.set_title(f"{len(prices.probability)} scenarios of the price", loc="left", fontsize=9)
        bands.legend(frameon=False, loc="upper left")
        _horizontal(bands, edges)
        for row, gain in enumerate(gains):
            first = row == 0
            sizes = 400 * prices.probability
            dots.scatter(gain, np.full(len(gain), row), s=sizes, color=PRICE_INK, alpha=0.4, lw=0)
            mean, tail = float(prices.probability @ gain), cvar(gain, prices.probability, prices.alpha)
            dots.plot(mean, row, "|", ms=18, mew=2, color=INK, label="expected" if first else None)
            named = f"CVaR, worst {1 - prices.alpha:.0%}" if first else None
            dots.plot(tail, row, "|", ms=18, mew=2, color=BEFORE_INK, label=named)
        dots.set_yticks(range(len(owners)), [f"{owner.name}\nβ = {owner.beta:g}" for owner in owners])
        dots.set_ylim(len(owners) - 0.4, -0.6)
        dots.set_xlabel("revenue of the plan in a scenario ($)")
        dots.set_title("owners; a dot's area is its probability", loc="left", fontsize=9)
        dots.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)

    return draw
