"""A negotiation against three baselines on opportunities that all of them meet: the table of what it is worth.

The rules of settlement and of the coalition are fixed before anything is measured. The single offer's price is tuned on
other opportunities, for the most profit; the opening price of the negotiation on the same ones, as the highest at which
the aggregator earns at least what the tuned single offer earns there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from gridmarl.bench.progress import SILENT, Stage
from gridmarl.bench.statistics import Estimate
from gridmarl.negotiation.baselines import (
    Allocation,
    PriceClass,
    below_floor,
    blind_centre,
    full_information,
    overruns,
    price_class,
    single_offer,
    tune_single_offer,
)
from gridmarl.negotiation.coalition.offers import USUAL_RULES, CoalitionRules
from gridmarl.negotiation.coalition.rounds import Settings
from gridmarl.negotiation.coalition.selection import clearing_ask
from gridmarl.negotiation.cycle import Negotiation, negotiate
from gridmarl.negotiation.homes.capability import Capability, capability
from gridmarl.negotiation.homes.fleet import ProsumerFleet, draw_fleet
from gridmarl.negotiation.homes.living import Stored, usual_day
from gridmarl.negotiation.opportunities import draw_opportunities
from gridmarl.negotiation.schemas import MarketOpportunity
from gridmarl.negotiation.strategies import Strategy
from gridmarl.units import Float

OURS, SINGLE, BLIND, FULL = "negotiation", "single offer", "blind centre", "full information"
PLAYERS: Final = (OURS, SINGLE, BLIND, FULL)
COMPARED: Final = ("surplus", "profit", "welfare")
OPENINGS: Final = tuple(round(0.05 * step, 2) for step in range(21))
TUNING_SEED: Final = 900_000
RESAMPLES: Final = 2000
COLUMNS: Final[tuple[str, ...]] = (
    "full",
    "relaxed",
    "revenue",
    "profit",
    "surplus",
    "members",
    "soft_kept",
    "kw",
    "calm_kw",
    "overruns",
    "below_floor",
)
"""What is kept of each player and opportunity; money in $."""


@dataclass(frozen=True, slots=True)
class Study:
    """What is measured."""

    size: int = 200
    fleets: tuple[int, ...] = (11, 12, 13)  # seeds on which no setting of the package was chosen
    opportunities: int = 200  # a fleet
    tuning: int = 150  # a fleet, other ones
    strategy: str | Strategy = "rule"
    rules: CoalitionRules = USUAL_RULES


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Numbers of all players on all opportunities."""

    values: Mapping[str, Mapping[str, Float]]  # player -> column -> (opportunity,)
    eligible: Float  # (opportunity,) prosumers that could hold anything
    satisfaction: Float  # (opportunity,) mean of the members of the negotiation; NaN without any
    rounds: Float  # (opportunity,)
    study: Study
    single_shares: Mapping[PriceClass, float]
    opening_shares: Mapping[PriceClass, float]

    def of(self, player: str, column: str) -> Float:
        """(opportunity,) values of a player."""
        return self.values[player][column]

    def welfare(self, player: str) -> Float:
        """(opportunity,) profit and surplus [$]."""
        return self.of(player, "profit") + self.of(player, "surplus")

    @property
    def feasible(self) -> Float:
        """(opportunity,) 1 where full information meets the whole requirement."""
        return self.of(FULL, "full")

    def success(self, player: str = OURS) -> float:
        """Opportunities met in full, of those that full information meets in full."""
        return float((self.of(player, "full") * self.feasible).sum() / max(self.feasible.sum(), 1.0))

    def gap_closed(self) -> Estimate:
        """Share of the welfare between the single offer and full information."""
        ours, single, full = (self.welfare(p) for p in (OURS, SINGLE, FULL))
        return _ratio(ours - single, full - single)

    def surplus_ratio(self) -> Estimate:
        """Prosumers' surplus, as a multiple of the single offer's."""
        return _ratio(self.of(OURS, "surplus"), self.of(SINGLE, "surplus"))

    def profit_ratio(self) -> Estimate:
        """The aggregator's profit, as a multiple of the single offer's."""
        return _ratio(self.of(OURS, "profit"), self.of(SINGLE, "profit"))

    def revenue_ratio(self) -> Estimate:
        """Revenue, as a share of full information's."""
        return _ratio(self.of(OURS, "revenue"), self.of(FULL, "revenue"))

    def above(self, player: str, column: str) -> Estimate:
        """How much more the negotiation brings than another player, an opportunity [$].

        Parameters
        ----------
        player : str
        column : str
            profit, surplus or welfare.
        """
        ours, other = (self.welfare(p) if column == "welfare" else self.of(p, column) for p in (OURS, player))
        return _ratio(ours - other, np.ones_like(ours))

    def soft_kept(self, player: str = OURS) -> float:
        """Members whose soft wish is kept, of all members."""
        return float(self.of(player, "soft_kept").sum() / max(self.of(player, "members").sum(), 1.0))

    def to_dict(self) -> dict[str, object]:
        """Headline figures."""
        ratios = {
            "gap_closed": self.gap_closed(),
            "surplus_over_single_offer": self.surplus_ratio(),
            "profit_over_single_offer": self.profit_ratio(),
            "revenue_over_full_information": self.revenue_ratio(),
        }
        return {
            "opportunities": len(self.rounds),
            "infeasible_share": float(1.0 - self.feasible.mean()),
            "success": self.success(),
            "soft_kept": self.soft_kept(),
            "hard_violations": float(self.of(OURS, "overruns").sum()),
            "below_floor": float(self.of(OURS, "below_floor").sum()),
            "satisfaction": float(np.nanmean(self.satisfaction)),
            **{name: _ends(e) for name, e in ratios.items()},
            "above": {p: {c: _ends(self.above(p, c)) for c in COMPARED} for p in PLAYERS[1:]},
        }


def measure_negotiation(study: Study | None = None, stage: Stage = SILENT) -> Measured:
    """Let a strategy and the three baselines meet the same opportunities.

    Parameters
    ----------
    study : Study, optional
    stage : Stage
        Hears of every fleet.
    """
    study = study or Study()
    single, opening = _tuned(study)
    rows: dict[str, list[tuple[float, ...]]] = {player: [] for player in PLAYERS}
    eligible, satisfaction, rounds = [], [], []
    for seed in study.fleets:
        fleet = draw_fleet(study.size, seed)
        day = usual_day(fleet)
        for opportunity in draw_opportunities(fleet, study.opportunities, seed, day):
            stored = day[int(opportunity.local_hour)]
            share = opening.get(price_class(opportunity), Settings().opening_share)
            settings = Settings(opening_share=share, rules=study.rules)
            ours = negotiate(fleet, opportunity, study.strategy, settings=settings, stored=stored, seed=seed)
            played = _baselines(fleet, stored, ours.able, opportunity, study.rules, single)
            rows[OURS].append(_row(ours.able, _as_allocation(ours)))
            for player, found in played.items():
                rows[player].append(_row(ours.able, found))
            members = ours.table.selection.members
            eligible.append(int((ours.able.most_kw >= study.rules.least_kw).sum()))
            satisfaction.append(float(ours.satisfaction[members].mean()) if members.any() else np.nan)
            rounds.append(ours.table.round)
        stage.advance(1)
    values: dict[str, dict[str, Float]] = {}
    for player, found in rows.items():
        columns = np.array(found, np.float64).T
        values[player] = {name: columns[place] for place, name in enumerate(COLUMNS)}
    homes, content, taken = (np.array(x, np.float64) for x in (eligible, satisfaction, rounds))
    return Measured(values, homes, content, taken, study, single, opening)


def _tuned(study: Study) -> tuple[dict[PriceClass, float], dict[PriceClass, float]]:
    """Prices of the single offer and openings of the negotiation, from opportunities of their own."""
    cases: list[tuple[ProsumerFleet, Stored, Capability, MarketOpportunity]] = []
    for seed in study.fleets:
        fleet = draw_fleet(study.size, seed)
        day = usual_day(fleet)
        for opportunity in draw_opportunities(fleet, study.tuning, TUNING_SEED + seed, day):
            stored = day[int(opportunity.local_hour)]
            cases.append((fleet, stored, capability(fleet, stored, opportunity), opportunity))
    single = tune_single_offer([(able, opportunity) for _, _, able, opportunity in cases], study.rules)
    more: dict[PriceClass, Float] = {key: np.zeros(len(OPENINGS)) for key in single}
    for fleet, stored, able, opportunity in cases:
        key = price_class(opportunity)
        alone = single_offer(able, opportunity, study.rules, single[key]).profit
        more[key] += _profits(study, fleet, stored, opportunity) - alone
    return single, {
        key: max((o for o, m in zip(OPENINGS, gain, strict=True) if m >= 0.0), default=0.0)
        for key, gain in more.items()
    }


def _profits(study: Study, fleet: ProsumerFleet, stored: Stored, opportunity: MarketOpportunity) -> Float:
    """(opening,) the aggregator's profit at each opening price [$], for strategies that do not look at it."""
    settings = Settings(opening_share=0.0, rules=study.rules)
    ours = negotiate(fleet, opportunity, study.strategy, settings=settings, stored=stored)
    ask = clearing_ask(ours.table.offers, ours.table.selection) / max(opportunity.market_price_mwh, 1e-9)
    return ours.books.revenue * (1.0 - np.clip(np.array(OPENINGS), ask, max(ask, 1.0)))


def _baselines(
    fleet: ProsumerFleet,
    stored: Stored,
    able: Capability,
    opportunity: MarketOpportunity,
    rules: CoalitionRules,
    single: Mapping[PriceClass, float],
) -> dict[str, Allocation]:
    return {
        SINGLE: single_offer(able, opportunity, rules, single.get(price_class(opportunity), 1.0)),
        BLIND: blind_centre(fleet, stored, able, opportunity, rules, single),
        FULL: full_information(able, opportunity, rules),
    }


def _as_allocation(ours: Negotiation) -> Allocation:
    cost = float(ours.costs.sum())
    return Allocation(ours.kw, ours.books.payments, ours.table.selection.outcome, ours.books.revenue, cost)


def _row(able: Capability, found: Allocation) -> tuple[float, ...]:
    members = found.kw > 1e-6
    calm = np.minimum(found.kw, able.preferred_kw)
    return (
        float(found.outcome == "full"),
        float(found.outcome == "relaxed"),
        found.revenue,
        found.profit,
        found.surplus,
        float(members.sum()),
        float((members & (found.kw <= able.preferred_kw + 1e-6)).sum()),
        float(found.kw.sum()),
        float(calm.sum()),
        float(overruns(able, found)),
        float(below_floor(able, found)),
    )


def _ends(found: Estimate) -> dict[str, float | None]:
    return {"value": found.value, "low": found.low, "high": found.high}


def _ratio(above: Float, below: Float, seed: int = 0) -> Estimate:
    """Ratio of sums, with the percentile interval of a bootstrap that draws whole opportunities: pairs stay pairs."""
    drawn = np.random.default_rng(seed).integers(0, len(above), (RESAMPLES, len(above)))
    sampled = above[drawn].sum(axis=1) / below[drawn].sum(axis=1)
    low, high = np.quantile(sampled, [0.025, 0.975]).tolist()
    return Estimate(float(above.sum() / below.sum()), low, high)
