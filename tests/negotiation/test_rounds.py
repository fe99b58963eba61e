"""Rounds end, whoever plays; the aggregator sees offers and nothing else."""

from __future__ import annotations

import ast
from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gridmarl.negotiation.coalition
from gridmarl.errors import CatalogueError, CommitmentError, ScenarioError
from gridmarl.negotiation.coalition.offers import CoalitionRules
from gridmarl.negotiation.coalition.rounds import Private, Settings, collect_bids, counter_offers, evaluate, open_table
from gridmarl.negotiation.cycle import negotiate
from gridmarl.negotiation.homes.capability import capability
from gridmarl.negotiation.homes.fleet import draw_fleet, fleet_of
from gridmarl.negotiation.menu import DECLINE, FULL_DEPTH, MARKS, build_menus, entry
from gridmarl.negotiation.roster import strategy_of
from gridmarl.negotiation.strategies import Floor, Random
from tests.negotiation.cases import full, home, opportunity, three, wild_fleet, wild_opportunity, wild_state

AGGREGATOR = ("selection", "mixed_integer", "payments")
PRIVATE = ("homes.fleet", "homes.living", "homes.capability", "homes.preferences", "menu", "validation", "satisfaction")


@dataclass(frozen=True)
class Fickle:
    """Changes its mind by a script of random numbers, and declines whenever it likes."""

    script: tuple[int, ...]
    name: str = "fickle"

    def choose(self, menus, context, rng):
        """The n-th valid entry, n from the script."""
        number = self.script[(context.round - 1) % len(self.script)]
        return np.array([np.flatnonzero(valid)[(number + i) % valid.sum()] for i, valid in enumerate(menus.valid)])


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=8), st.integers(0, 10_000), st.integers(1, 9))
@settings(max_examples=80, deadline=None)
def test_whoever_plays_however_fickle_the_rounds_end_with_a_result(script, seed, planned):
    rng = np.random.default_rng(seed)
    fleet = wild_fleet(rng)
    stored = wild_state(rng, fleet, int(rng.integers(0, 96)) / 4.0)
    wanted = wild_opportunity(rng, fleet, stored)
    led = Settings(rounds_planned=planned, most_rounds=planned + 2)
    found = negotiate(fleet, wanted, Fickle(tuple(script)), settings=led, stored=stored)
    assert 1 <= found.table.round == len(found.records) <= led.most_rounds
    assert found.table.selection.outcome in {"full", "relaxed", "failed"}


def test_three_rounds_of_the_known_three():
    """Round by round: marks of a quarter, then the floor; the middle one sets the price."""
    heard = []
    found = negotiate(
        three(),
        opportunity(mw=0.007),
        stored=full(three()),
        settings=Settings(opening_share=0.0),
        on_round=heard.append,
    )
    assert [r.round for r in heard] == [1, 2, 3]
    assert [r.clearing_ask_per_mwh for r in heard] == pytest.approx([77.5, 70.0, 70.0])
    assert found.books.agreed_per_mwh.tolist() == [70.0, 70.0, 70.0]
    assert found.kw.sum() == pytest.approx(7.0)


def test_it_stops_early_when_nothing_is_left_to_gain():
    honest = negotiate(draw_fleet(100, 1), opportunity(mw=0.05), "floor")
    assert (honest.table.round, honest.table.selection.outcome) == (2, "full")


def test_it_goes_on_beyond_the_plan_only_while_more_comes_forward():
    @dataclass(frozen=True)
    class Slow:
        name: str = "slow"

        def choose(self, menus, context, rng):
            """One more prosumer each round."""
            return np.where(np.arange(len(menus)) < context.round, entry(1, 0), DECLINE)

    fleet = fleet_of([home(f"h{i}") for i in range(12)])
    led = Settings(rounds_planned=2, most_rounds=7, rules=CoalitionRules(least_members=1))
    slow = negotiate(fleet, opportunity(mw=0.04), Slow(), settings=led, stored=full(fleet))
    assert (slow.table.round, slow.table.selection.outcome) == (7, "failed")
    stuck = negotiate(fleet, opportunity(mw=0.06), Floor(), settings=led, stored=full(fleet))
    assert (stuck.table.round, stuck.table.selection.outcome) == (2, "failed")


def test_too_little_is_relaxed_and_counted_apart():
    found = negotiate(three(), opportunity(mw=0.012), "floor", stored=full(three()))
    result = found.result()
    assert (result.outcome, result.success) == ("relaxed", False)
    assert 0.8 * 0.012 <= result.total_capacity_mw < 0.012


def test_two_members_are_too_few_unless_two_are_allowed():
    pair = fleet_of([home("a"), home("b")])
    alone = negotiate(pair, opportunity(mw=0.004), stored=full(pair))
    assert alone.result().coalition_members == ()
    led = Settings(rules=CoalitionRules(least_members=2))
    assert len(negotiate(pair, opportunity(mw=0.004), stored=full(pair), settings=led).result().coalition_members) == 2


def test_counter_offers_ask_for_more_when_short_and_for_less_when_not():
    fleet = draw_fleet(200, 1)
    short, easy = negotiate(fleet, opportunity(mw=0.56)), negotiate(fleet, opportunity(mw=0.1))
    assert {c.reason for c in short.counter_offers(1)} == {"short"}
    assert {c.reason for c in easy.counter_offers(1)} == {"welcome", "too_dear"}
    assert easy.counter_offers(len(easy.tables)) == ()


def test_stages_change_nothing_that_they_are_given():
    fleet, wanted, led = three(), opportunity(mw=0.007), Settings()
    menus = build_menus(capability(fleet, full(fleet), wanted), wanted.market_price_mwh)
    private = Private(menus, Random(), 3)
    opened = open_table(wanted, 3, led)
    first = evaluate(collect_bids(opened, private, led), led)
    kept = first.bids.last.kw.copy()
    second = evaluate(collect_bids(counter_offers(first, led), private, led), led)
    assert (opened.round, first.round, second.round) == (1, 1, 2)
    assert len(first.records) == 1
    assert not opened.records
    np.testing.assert_array_equal(first.bids.last.kw, kept)
    again = evaluate(collect_bids(opened, private, led), led)
    np.testing.assert_array_equal(again.selection.kw, first.selection.kw)


@pytest.mark.parametrize("name", PRIVATE)
def test_what_counts_as_private_is_there(name):
    assert find_spec(f"gridmarl.negotiation.{name}")


@pytest.mark.parametrize("module", AGGREGATOR)
def test_the_aggregator_imports_nothing_that_knows_a_floor(module):
    path = Path(gridmarl.negotiation.coalition.__file__).with_name(f"{module}.py")
    tree = ast.parse(path.read_text("utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not imported & {f"gridmarl.negotiation.{name}" for name in PRIVATE}
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not [n for n in names if "floor_per" in n or "minimum_price" in n or "comfort" in n or "backup" in n]


def test_what_lies_on_the_table_holds_no_private_thing():
    found = negotiate(three(), opportunity(mw=0.007), stored=full(three()))
    kinds = {type(getattr(found.table, field.name)).__module__ for field in fields(found.table)}
    assert not kinds & {f"gridmarl.negotiation.{name}" for name in PRIVATE}


def test_other_floors_with_the_same_choices_change_no_step_of_the_aggregator():
    """Two fleets whose menus differ below what is chosen: who asks the market's price shows no floor."""

    @dataclass(frozen=True)
    class AtMarket:
        name: str = "at market"

        def choose(self, menus, context, rng):
            """Everything, for the market's price."""
            return np.full(len(menus), entry(1, len(MARKS) - 1))

    cheap, dear = (fleet_of([home(f"h{i}", price=p) for i in range(5)]) for p in (10.0, 90.0))
    found = [negotiate(f, opportunity(mw=0.01), AtMarket(), stored=full(f)) for f in (cheap, dear)]
    assert found[0].table.records == found[1].table.records
    np.testing.assert_array_equal(found[0].books.payments, found[1].books.payments)


def test_the_rule_strains_its_comfort_only_when_the_neighbourhood_is_short():
    fleet = draw_fleet(200, 1)
    easy, short = (negotiate(fleet, opportunity(mw=mw, price=250.0)) for mw in (0.2, 0.51))
    assert (easy.soft_kept == easy.table.selection.members).all()
    assert short.table.selection.outcome == "full"
    assert 0 < (short.table.selection.members & ~short.soft_kept).sum() < 0.5 * short.table.selection.members.sum()


def test_random_choices_are_valid_and_spread_over_the_menu():
    fleet = draw_fleet(300, 1)
    menus = build_menus(capability(fleet, full(fleet), opportunity()), 100.0)
    context = None
    chosen = Random().choose(menus, context, np.random.default_rng(1))  # pyright: ignore[reportArgumentType]
    menus.chosen(chosen)
    assert len(np.unique(chosen)) > FULL_DEPTH * len(MARKS)


def test_a_strategy_that_answers_nonsense_is_refused_and_commits_nothing():
    with pytest.raises(CommitmentError, match="choice of prosumer"):
        negotiate(three(), opportunity(mw=0.007), Nonsense(), stored=full(three()))


@dataclass(frozen=True)
class Nonsense:
    name: str = "nonsense"

    def choose(self, menus, context, rng):
        """An entry beyond the menu."""
        return np.full(len(menus), 999)


def test_settings_and_names_that_make_no_sense_are_refused():
    with pytest.raises(ScenarioError, match="rounds_planned"):
        Settings(rounds_planned=9)
    with pytest.raises(ScenarioError, match="opening_share"):
        Settings(opening_share=1.5)
    with pytest.raises(CatalogueError, match="did you mean 'random'"):
        strategy_of("ranom")
