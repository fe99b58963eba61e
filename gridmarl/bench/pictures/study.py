"""Pictures for studies of planners: rounds, what crosses the wire, the price of caution, a street's day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gridmarl.bench.pictures.comparison import INK, PRICE_INK, clock, held
from gridmarl.bench.pictures.plan import BARE_INK, BEFORE_INK, LEAST_KW, Picture, plot_net_load
from gridmarl.bench.planned_run import PlannedRun
from gridmarl.errors import ScenarioError
from gridmarl.planning.frontier import Choice
from gridmarl.planning.model.plan import Plan
from gridmarl.planning.model.risk import Prices
from gridmarl.units import KW_PER_MW, Float, UInt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CHECK_INK: Final = "#009E73"
BAND: Final = 0.18
MARGIN: Final = 1.0
"""Of the optimum's cost, or a dollar: what is seen of the bounds above and below it."""
WAY: Final = 7
"""Rounds of which the multiplier is drawn."""
WORD: Final = 2.0**64
FANS: Final = ((0.05, 0.95, 0.15), (0.25, 0.75, 0.3))


def negotiation(trail: Sequence[Plan], optimum: Plan, finished: Plan) -> Picture:
    """Three panels by round: the residuals, the cost between its bounds, the multiplier on its way.

    Parameters
    ----------
    trail : sequence of Plan
        Where the rounds stood after each, as ``AdmmRounds.plan`` tells.
    optimum : Plan
        The central plan of the same problem, drawn beside them.
    finished : Plan
        Of another method by rounds, whose residual is drawn too.
    """
    last = trail[-1]

    def draw(figure: Figure) -> None:
        panels: list[Axes] = list(figure.subplots(1, 3))
        _residuals(panels[0], last, finished)
        _bracket(panels[1], trail, optimum)
        _multipliers(panels[2], trail, optimum)

    told = "certified" if last.converged else "not certified"
    title = f"{last.method}, round by round: {told} after {last.rounds} rounds ({finished.method}: {finished.rounds})"
    return Picture(title, draw, 3.6)


def _residuals(axes: Axes, last: Plan, finished: Plan) -> None:
    for plan, name, style in ((last, "primal", "-"), (last, "dual", ":"), (finished, "primal", "-")):
        values = plan.history.primal_mw if name == "primal" else plan.history.dual_mw
        ink = PRICE_INK if plan is last else CHECK_INK
        kw = np.maximum(values * KW_PER_MW, LEAST_KW)
        axes.semilogy(np.arange(1, len(kw) + 1), kw, style, color=ink, lw=1.2, label=f"{plan.method}, {name}")
    axes.set_title("residuals (kW)", loc="left", fontsize=9)
    axes.set_xlabel("round")
    _below(axes)


def _bracket(axes: Axes, trail: Sequence[Plan], optimum: Plan) -> None:
    rounds = np.arange(1, len(trail) + 1)
    lower = np.maximum.accumulate([plan.lower_bound for plan in trail])
    upper = np.minimum.accumulate([plan.upper_bound for plan in trail])
    axes.fill_between(rounds, lower, upper, color=PRICE_INK, alpha=BAND, lw=0, label="between the bounds proved so far")
    axes.plot(rounds, [plan.objective for plan in trail], color=PRICE_INK, lw=1.4, label="cost at the multiplier")
    axes.axhline(optimum.objective, color=CHECK_INK, ls="--", lw=1.2, label=f"optimum of {optimum.method}")
    margin = MARGIN * (abs(optimum.objective) or 1.0)
    axes.set_ylim(optimum.objective - margin, optimum.objective + margin)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_title("cost ($)", loc="left", fontsize=9)
    axes.set_xlabel("round")
    _below(axes)


def _multipliers(axes: Axes, trail: Sequence[Plan], optimum: Plan) -> None:
    edges = _edges(optimum.step_h)
    shown = np.unique(np.geomspace(1, len(trail), WAY).round().astype(np.int64))
    for k, count in enumerate(shown, start=1):
        share = k / len(shown)
        name = f"round {count}" if count in (shown[0], shown[-2], shown[-1]) else None
        values = held(trail[int(count) - 1].multiplier_per_mwh)
        axes.step(edges, values, where="post", color=PRICE_INK, alpha=0.15 + 0.85 * share**2, lw=1.2, label=name)
    middle = (edges[:-1] + edges[1:]) / 2
    axes.plot(middle, optimum.multiplier_per_mwh, "o", ms=3, color=CHECK_INK, label=f"dual of {optimum.method}")
    axes.axhline(0, color=INK, lw=0.5)
    axes.set_title("multiplier ($/MWh)", loc="left", fontsize=9)
    axes.set_xlabel("hours since the start")
    axes.set_xlim(edges[0], edges[-1])
    _below(axes)


def overheard(owner: str, plain_mw: Float, masked: UInt, step_h: Float) -> Picture:
    """What the coordinator hears of one owner in one round: in the clear, and under masks.

    Parameters
    ----------
    owner : str
    plain_mw : array (K,)
        Its injection as it answered.
    masked : array (K,) of words
        The same answer as it crosses under masks.
    step_h : array (K,)
    """

    def draw(figure: Figure) -> None:
        clear, noise = figure.subplots(1, 2)
        edges = _edges(step_h)
        clear.step(edges, held(plain_mw * KW_PER_MW), where="post", color=BEFORE_INK, lw=1.6)
        clear.axhline(0, color=INK, lw=0.5)
        clear.set_ylabel("injection (kW)")
        clear.set_title("admm: the schedule itself", loc="left", fontsize=9)
        noise.bar(edges[:-1], masked / WORD, width=step_h, align="edge", color=BARE_INK, edgecolor="white", lw=0.5)
        noise.set_ylim(0, 1)
        noise.set_ylabel("the word that crosses / 2⁶⁴")
        noise.set_title("admm, secure: the same schedule under masks", loc="left", fontsize=9)
        for axes in (clear, noise):
            axes.set_xlim(edges[0], edges[-1])
            axes.set_xlabel("hours since the start")

    return Picture(f"what the coordinator hears of {owner} in the last round", draw, 2.8)


def caution(choices: Sequence[Choice], planned: Prices, fresh: Prices) -> Picture:
    """The price's fan, the least and the most cautious schedule, and the efficient frontier.

    Parameters
    ----------
    choices : sequence of Choice
        In the order of their risk weights.
    planned : Prices
        What was planned against.
    fresh : Prices
        Other scenarios of the same prices, by which the choices are judged again.
    """
    edges = _edges(choices[0].plan.step_h)
    ends = ((choices[0], BEFORE_INK, "--"), (choices[-1], PRICE_INK, "-"))

    def draw(figure: Figure) -> None:
        panels: dict[str, Any] = figure.subplot_mosaic([["price", "front"], ["power", "front"]], width_ratios=(3, 2))
        _fan(panels["price"], edges, planned)
        for choice, ink, style in ends:
            power = held(choice.plan.injection_mw[0])
            label = f"β = {choice.beta:g}"
            panels["power"].step(edges, power, ls=style, where="post", color=ink, lw=1.6, label=label)
        panels["power"].axhline(0, color=INK, lw=0.5)
        panels["power"].set_ylabel("injection (MW)")
        panels["power"].legend(frameon=False, loc="upper left", ncols=2)
        panels["power"].set_ylim(top=1.4 * max(c.plan.injection_mw.max() for c in choices))
        panels["power"].set_xlim(edges[0], edges[-1])
        panels["power"].set_xlabel("hours since the start")
        figure.align_ylabels([panels["price"], panels["power"]])
        _frontier(panels["front"], choices, planned, fresh)

    return Picture("what risk aversion costs", draw, 4.6)


def _fan(axes: Axes, edges: Float, prices: Prices) -> None:
    for low, high, alpha in FANS:
        ends = np.quantile(prices.per_mwh, (low, high), axis=0, weights=prices.probability, method="inverted_cdf")
        name = f"{low:.0%} to {high:.0%}"
        axes.fill_between(edges, held(ends[0]), held(ends[1]), step="post", color=INK, alpha=alpha, lw=0, label=name)
    axes.step(edges, held(prices.expected_per_mwh), where="post", color=INK, lw=1.2, label="expected")
    axes.set_ylabel("price ($/MWh)")
    axes.set_title(f"{len(prices.probability)} scenarios", loc="left", fontsize=9)
    axes.legend(frameon=False, loc="upper left", ncols=3)
    axes.set_xlim(edges[0], edges[-1])
    axes.tick_params(labelbottom=False)


def _frontier(axes: Axes, choices: Sequence[Choice], planned: Prices, fresh: Prices) -> None:
    for prices, ink, style, name in (
        (planned, PRICE_INK, "o-", "as planned"),
        (fresh, BARE_INK, "o--", f"on {len(fresh.probability):,} other days"),
    ):
        mean, tail = [c.expected(prices) for c in choices], [c.cvar(prices) for c in choices]
        axes.plot(tail, mean, style, ms=4, color=ink, label=name)
        for end in (0, -1) if prices is planned else ():
            said, down = f"β = {choices[end].beta:g}", 8 if end == 0 else -14
            axes.annotate(said, (tail[end], mean[end]), (0, down), textcoords="offset points", ha="center")
    axes.set_xlabel(f"CVaR of profit, mean of the worst {1 - planned.alpha:.0%} ($)")
    axes.set_ylabel("expected profit ($)")
    axes.set_title("efficient frontier", loc="left", fontsize=9)
    axes.margins(0.12)
    axes.legend(frameon=False, loc="lower left")


def street(selfish: PlannedRun, agreed: PlannedRun) -> Picture:
    """A connection's day before and after: net load as first planned, and below it what the grid delivered as played.

    Raises
    ------
    ScenarioError
        Where nobody plans in the second run.
    """
    planned, runs = agreed.planned, (("selfish", selfish, BEFORE_INK, "--"), ("agreed", agreed, PRICE_INK, "-"))
    if planned is None:
        raise ScenarioError("a street's day of team", agreed.played.team, "a team that plans", "try admm")
    limit = agreed.scenario.connection.limit_mw if agreed.scenario.connection else np.inf

    def draw(figure: Figure) -> None:
        above, below = figure.subplots(2, 1, sharex=True)
        plot_net_load(above, agreed, planned)
        above.set_xlabel("")
        for name, run, ink, style in runs:
            time, _ = clock(run.played, days=False)
            taken = held(run.played.of_market("import_mw") * KW_PER_MW)
            below.step(time, taken, ls=style, where="post", color=ink, lw=1.4, label=f"as played: {name}")
        for bound in (-limit, limit):
            if np.isfinite(bound):
                below.axhline(bound * KW_PER_MW, color=INK, lw=0.6)
        below.set_ylabel("import (kW)")
        below.set_xlabel("hours since the start")
        below.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
        figure.align_ylabels()

    return Picture(f"{agreed.played.scenario}: planned at the start (above), and as played (below)", draw, 5.2)


def _edges(step_h: Float) -> Float:
    return np.concatenate([[0.0], np.cumsum(step_h)])


def _below(axes: Axes) -> None:
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(-0.05, -0.2), fontsize=8)
