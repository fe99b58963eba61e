"""What negotiating is worth against three baselines, measured; and the baselines by hand."""

from __future__ import annotations

from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from gridmarl.bench.negotiation.study import FULL, OURS, SINGLE, Measured, Study, measure_negotiation
from gridmarl.bench.negotiation.table import figures_table, pairs_table
from gridmarl.negotiation.baselines import full_information, overruns, single_offer, tune_single_offer
from gridmarl.negotiation.coalition.offers import CoalitionRules
from gridmarl.negotiation.cycle import negotiate
from gridmarl.negotiation.homes.capability import Capability
from gridmarl.negotiation.schemas import MarketOpportunity
from tests.negotiation.cases import full, opportunity, three

SUCCESS, GAP, SURPLUS, PROFIT, SOFT, REVENUE = 0.992, 0.80, 4 / 3, 1.0, 0.90, 0.95
RULES = CoalitionRules()


@pytest.fixture(scope="module")
def measured() -> Measured:
    return measure_negotiation(Study(fleets=(11, 12), opportunities=60, tuning=60))


def able(prices: list[float], comfort: float = 0.0) -> Capability:
    count = len(prices)
    return Capability(np.full(count, 4.0), np.zeros(count), 2.0, np.array(prices), np.full(count, comfort))


def case(prices: list[float], kw: float) -> tuple[Capability, MarketOpportunity]:
    return able(prices), opportunity(mw=kw / 1000)


def test_full_information_takes_the_cheapest_and_calm_power_before_strained():
    found = full_information(able([30.0, 50.0, 70.0], comfort=1.0), opportunity(mw=0.008), RULES)
    np.testing.assert_allclose(found.kw, [4.0, 2.0, 2.0])  # strained power of the first costs 60, calm of the last 70
    assert found.cost == pytest.approx(2.0 * (2 * 30 + 2 * 60 + 2 * 50 + 2 * 70) / 1000)
    assert found.welfare == pytest.approx(8.0 * 2.0 * 100 / 1000 - found.cost)


def test_a_single_offer_is_taken_by_those_whom_it_pays_and_cut_for_all_alike():
    found = single_offer(*case([30.0, 50.0, 60.0, 70.0], 6.0), RULES, 0.6)
    np.testing.assert_allclose(found.kw, [2.0, 2.0, 2.0, 0.0])
    assert found.profit == pytest.approx(6.0 * 2.0 * 40.0 / 1000)
    assert single_offer(*case([30.0, 50.0, 61.0], 6.0), RULES, 0.6).outcome == "failed"


def test_the_tuned_offer_is_the_one_that_earns_most():
    cases = [case([30.0, 50.0, 62.0], kw) for kw in (7.0, 9.0, 11.0)]
    assert tune_single_offer(cases, RULES) == {("energy", 2.0): 0.65}


def test_no_settlement_beats_full_information(measured):
    assert (measured.welfare(OURS) <= measured.welfare(FULL) + 0.02).all()
    assert (measured.welfare(SINGLE) <= measured.welfare(FULL) + 1e-9).all()


def test_the_rule_reaches_what_is_promised_on_a_small_study(measured):
    assert measured.success() >= SUCCESS
    assert measured.gap_closed().value >= GAP
    assert measured.surplus_ratio().value >= SURPLUS
    assert measured.revenue_ratio().value >= REVENUE
    assert measured.of(OURS, "overruns").sum() == 0
    assert measured.of(OURS, "below_floor").sum() == 0


def test_the_blind_centre_breaks_wishes_that_the_others_keep(measured):
    assert measured.of("blind centre", "overruns").sum() > 0
    assert measured.of("blind centre", "below_floor").sum() > 0
    assert measured.of(SINGLE, "overruns").sum() == measured.of(FULL, "overruns").sum() == 0


def test_tables_show_every_player_and_every_ratio(measured):
    console = Console(width=118, file=StringIO())
    console.print(figures_table(measured))
    console.print(pairs_table(measured))
    text = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    assert all(word in text for word in ("negotiation", "blind centre", "nobody", "to full information closed"))
    assert set(measured.to_dict()) > {"success", "gap_closed", "infeasible_share", "soft_kept"}


def test_overruns_are_counted():
    capable, wanted = case([30.0, 50.0, 70.0], 9.0)
    found = negotiate(three(), wanted, stored=full(three()))
    assert overruns(capable, full_information(capable, wanted, RULES)) == 0
    assert found.table.selection.outcome == "full"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_rule_reaches_what_is_promised_on_six_hundred_opportunities():
    found = measure_negotiation()
    assert found.success() >= SUCCESS
    assert found.gap_closed().low >= GAP  # pyright: ignore[reportOptionalOperand]
    assert found.surplus_ratio().low >= SURPLUS  # pyright: ignore[reportOptionalOperand]
    assert found.profit_ratio().value >= PROFIT
    assert found.soft_kept() >= SOFT
    assert found.revenue_ratio().low >= REVENUE  # pyright: ignore[reportOptionalOperand]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_choosing_at_random_is_worse_than_the_rule():
    rule, random = (measure_negotiation(Study(fleets=(11,), strategy=name)) for name in ("rule", "random"))
    assert random.success() < rule.success()
    assert random.gap_closed().value < rule.gap_closed().low  # pyright: ignore[reportOperatorIssue, reportOptionalOperand]
