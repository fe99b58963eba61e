"""Owners behind a channel: declared bytes only, sums only where asked, and an audit that misses nothing."""

from __future__ import annotations

import csv
import pickle
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmarl.agents.team import Team
from gridmarl.errors import PrivacyError, ScenarioError
from gridmarl.evaluation.rollout import rollout
from gridmarl.planning.admm import AdmmPlanner, AdmmSettings
from gridmarl.planning.aladin import AladinPlanner, AladinSettings
from gridmarl.planning.dantzig_wolfe.planner import DantzigWolfePlanner
from gridmarl.planning.model.assets import Battery, FlexibleLoad, Generator, Owner, Terminal
from gridmarl.planning.owners.delegate import PriceMessage
from gridmarl.planning.owners.pricing import Proposer
from gridmarl.planning.owners.totals import Totals, Units
from gridmarl.planning.owners.worker import Message, Worker
from gridmarl.planning.planner import Planner
from gridmarl.planning.promises.disclosure import MEANINGS, disclosure_table, what_methods_reveal
from gridmarl.planning.wire.channel import COORDINATOR, Audit, Channel
from gridmarl.planning.wire.delegate_desk import DelegateDesk
from gridmarl.planning.wire.desk import ProposerDesk, WorkerDesk
from gridmarl.planning.wire.masks import NEIGHBOURS, RESOLUTION, Masker, fixed_point, neighbours, summed
from gridmarl.planning.wire.messages import (
    KINDS,
    Adopt,
    Answer,
    Heard,
    Hello,
    Masked,
    Offer,
    Settlement,
    decode,
    encode,
)
from gridmarl.planning.wire.panel import Panel
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float
from tests.planning.parties import PRICES, STEPS, island

RATED_MW = 0.01  # of the school's battery
SUM_ERROR = 1e3 * RESOLUTION  # of the rating: what rounds of rounded answers may add up to
UNLIKELY = 8.0  # standard deviations
CELL = Battery("cell", 1.1, 1.2, 0.91, 0.92, 0.1, 4.1, 2.3, wear_per_mwh=1.7, wear_per_mw2h=2.9)
GAS = Generator("gas", 3.3, 0.0, 41.7, 3.9)
CITY = FlexibleLoad("city", np.array([1.01, 2.03, 2.51, 1.57]), 0.23, 71.9)


def owners(cell: Battery = CELL) -> tuple[Owner, ...]:
    return Owner("store", (cell,)), Owner("plant", (GAS,)), Owner("town", (CITY,))


def linear_owners() -> tuple[Owner, ...]:
    cell, gas = replace(CELL, wear_per_mw2h=0.0), replace(GAS, cost_per_mw2h=0.0)
    return Owner("store", (cell,)), Owner("plant", (gas,)), Owner("town", (CITY,))


def maskers(count: int) -> list[Masker]:
    met = [Masker() for _ in range(count)]
    keys = b"".join(masker.public_key for masker in met)
    for place, masker in enumerate(met):
        masker.meet(keys, place)
    return met


def spread(words: np.ndarray) -> float:
    """How far the bytes of words are from uniform, in standard deviations of the chi-square statistic."""
    counts = np.bincount(np.ascontiguousarray(words).view(np.uint8), minlength=256)
    expected = counts.sum() / 256
    return float((((counts - expected) ** 2 / expected).sum() - 255) / np.sqrt(2 * 255))


def audited(homes, secure: bool) -> Audit:
    audit = Audit(keep=True)
    AdmmPlanner(AdmmSettings(secure=secure), audit).solve(homes.problem)
    return audit


def test_plans_under_masks_equal_open_ones_to_the_resolution_cold_and_warm(quadratic_homes):
    homes = quadratic_homes
    planners = [AdmmPlanner(AdmmSettings(tolerance=1e-5, secure=secure, memory=0)) for secure in (False, True)]
    for elapsed_h in (0.0, 1.0):
        plain, masked = (planner.solve(homes.problem, elapsed_h=elapsed_h) for planner in planners)
        assert plain.converged
        assert masked.converged
        assert masked.rounds == plain.rounds
        assert np.abs(masked.injection_mw - plain.injection_mw).max() <= SUM_ERROR * RATED_MW
        assert masked.objective == pytest.approx(plain.objective, rel=1e-8)
        assert masked.lower_bound == pytest.approx(plain.lower_bound, rel=1e-8)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 5), st.integers(1, 6), st.integers(0, 10_000))
def test_masks_cancel_exactly_in_every_round(count: int, rounds: int, seed: int):
    rng, met = np.random.default_rng(seed), maskers(count)
    for _ in range(rounds):
        values = rng.normal(scale=100.0, size=(count, 7))
        total = summed([masker.mask(row) for masker, row in zip(met, values, strict=True)])
        assert np.array_equal(total, summed([fixed_point(row) for row in values])), "bit for bit"
        assert np.abs(total - values.sum(axis=0)).max() <= count * RESOLUTION


@pytest.mark.parametrize("count", [3, NEIGHBOURS, NEIGHBOURS + 1, NEIGHBOURS + 2, 1_000])
def test_neighbours_are_mutual_as_many_as_allowed_and_everybody_in_small_crowds(count: int) -> None:
    near = [neighbours(place, count) for place in range(count)]
    for place, (earlier, later) in enumerate(near):
        assert len(earlier) + len(later) == min(count - 1, NEIGHBOURS)
        assert all(at < place and place in near[at][1] for at in earlier)
        assert all(at > place and place in near[at][0] for at in later)


def test_masks_of_a_ring_cancel_in_the_sum_of_all_and_in_no_part_of_it() -> None:
    ring = maskers(NEIGHBOURS + 5)
    values = np.random.default_rng(0).uniform(-1, 1, (len(ring), 3))
    masked = [masker.mask(row) for masker, row in zip(ring, values, strict=True)]
    np.testing.assert_allclose(summed(masked), values.sum(axis=0), atol=len(ring) * RESOLUTION)
    for part in (masked[:1], masked[1:], masked[::2], masked[: len(ring) // 2]):
        assert np.all(np.abs(summed(part)) > 10.0)


def test_masked_answers_look_like_noise_and_open_ones_do_not(quadratic_homes):
    audit = audited(quadratic_homes, secure=True)
    words = np.concatenate([m.words for m in map(decode, audit.said) if isinstance(m, Masked)])
    assert len(words) > 5_000
    assert abs(spread(words)) < UNLIKELY
    said = [m.injection_mw for m in map(decode, audited(quadratic_homes, False).said) if isinstance(m, Answer)]
    assert spread(fixed_point(np.concatenate(said) / RATED_MW)) > 100 * UNLIKELY, "the same measure sees open answers"


def test_a_masked_answer_tells_nothing_about_what_it_hides():
    met, rng = maskers(3), np.random.default_rng(1)
    hidden = rng.normal(size=(20_000,))
    shown = met[0].mask(hidden).astype(np.float64) / 2.0**64
    assert abs(np.corrcoef(hidden, shown)[0, 1]) * np.sqrt(len(hidden)) < UNLIKELY
    assert not np.array_equal(met[0].mask(hidden), met[0].mask(hidden)), "a mask is used once"


def test_under_masks_the_coordinator_holds_no_owners_schedule(quadratic_homes):
    homes = quadratic_homes
    planner = AdmmPlanner(AdmmSettings(secure=True))
    rounds = planner.open(homes.problem)
    for _ in range(5):
        rounds.once()
    assert np.abs(rounds.sharing.total_mw).max() > 0
    assert not rounds.sharing.injection_mw.any()
    assert not rounds.sharing.share_mw.any()


@pytest.mark.parametrize(
    "secure, upward",
    [(False, {"Presence", "Share", "Answer", "Least"}), (True, {"Presence", "Heard", "Masked"})],
)
def test_nothing_but_declared_kinds_crosses(quadratic_homes, secure, upward):
    audit = audited(quadratic_homes, secure)
    assert {entry.kind for entry in audit.entries if entry.receiver == COORDINATOR} == upward
    assert len(audit.said) == len(audit.entries)
    for entry, said in zip(audit.entries, audit.said, strict=True):
        message = decode(said)
        assert type(message) is KINDS[entry.kind]
        assert entry.bytes == len(said)
        assert encode(message) == said


@pytest.mark.parametrize("secure", [False, True])
def test_no_private_parameter_stands_in_any_message(secure):
    audit = Audit(keep=True)
    AdmmPlanner(AdmmSettings(secure=secure), audit).solve(island(owners()))
    ratings = [GAS.available_mw, CELL.discharge_limit_mw, np.max(CITY.baseline_mw)]
    public = {float(np.max(rating)) for rating in ratings} | {0.0, 1.0, float(np.inf)}
    values = [getattr(asset, f.name) for asset in (CELL, GAS, CITY) for f in fields(asset) if f.name != "name"]
    private = {float(v) for value in values for v in np.atleast_1d(value)} - public
    assert len(private) >= 14
    everything = b"|".join(audit.said)
    assert np.float64(GAS.available_mw).tobytes() in everything, "the search finds what is declared"
    assert [v for v in private if np.float64(v).tobytes() in everything] == []


def test_another_owners_secrets_do_not_change_a_desks_bytes_to_replayed_ones():
    audit = Audit(keep=True)
    AdmmPlanner(AdmmSettings(max_rounds=12), audit).solve(island(owners()))
    crossed = list(zip(audit.entries, audit.said, strict=True))
    heard = [said for entry, said in crossed if entry.receiver == "plant"]
    answered = [said for entry, said in crossed if entry.sender == "plant"]
    other = {o.name: Worker(o, STEPS, PRICES, Terminal(), 1.6) for o in owners(replace(CELL, energy_now_mwh=0.3))}
    store, plant = WorkerDesk(other["store"]), WorkerDesk(other["plant"])
    for said, answer in zip(heard, answered, strict=True):
        store(said)
        assert plant(said) == answer


def test_the_audit_is_complete_and_can_be_written(tmp_path):
    audit = Audit()
    plan = DantzigWolfePlanner(audit=audit).solve(island(linear_owners()))
    audit.write(tmp_path / "audit.csv")
    with (tmp_path / "audit.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 3 * (1 + plan.rounds + 1), "hello, the rounds, the settlement: three owners, there and back"
    assert {row["round"] for row in rows} == {str(r) for r in range(plan.rounds + 1)}
    assert {row["kind"] for row in rows} == {"Hello", "Presence", "Offer", "Proposal", "Settlement", "Heard"}
    proposal = next(row for row in rows if row["kind"] == "Proposal")
    assert proposal["numbers"] == "injection_mw[4] cost"
    assert int(proposal["bytes"]) == 1 + len("Proposal") + 5 + 4 * 8 + 5 + 8


def test_an_audit_that_kept_the_bytes_reads_them_as_their_receiver_did(quadratic_homes):
    audit = audited(quadratic_homes, secure=False)
    plan = AdmmPlanner().solve(quadratic_homes.problem)
    answers = audit.heard(Answer, sender="family")
    assert len(answers) == plan.rounds
    assert np.array_equal(answers[-1].injection_mw, plan.injection_mw[1])
    assert audit.heard(Masked, sender="family") == []


def test_an_audit_without_the_bytes_cannot_be_read():
    audit = Audit()
    DantzigWolfePlanner(audit=audit).solve(island(linear_owners()))
    with pytest.raises(PrivacyError, match="keep"):
        audit.heard(Answer, sender=COORDINATOR)


@dataclass(frozen=True)
class Gossip:
    secret: float


@pytest.mark.parametrize(
    "wrong",
    [
        Gossip(1.0),
        {"secret": 1.0},
        Answer(cast(Any, CITY), 1.0),
        Answer(np.ones(2), cast(Any, "x")),
        Answer(np.ones((2, 2)), 1.0),
    ],
)
def test_what_is_not_declared_cannot_be_said(wrong):
    with pytest.raises(PrivacyError):
        encode(wrong)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        pickle.dumps(GAS),
        b"\x06Gossip",
        encode(Answer(np.ones(3), 2.0)) + b"more",
        encode(Answer(np.ones(3), 2.0))[:-1],
        encode(Masked(np.ones(3, np.uint64))).replace(b"U", b"F"),
    ],
)
def test_bytes_that_are_no_declared_message_are_refused_on_the_channel(said):
    channel = Channel({"store": lambda _: said}, Audit())
    with pytest.raises(PrivacyError, match="on the wire"):
        channel.ask("store", Hello())


@given(st.lists(st.floats(allow_nan=False), max_size=20), st.floats(allow_nan=False))
def test_messages_come_out_as_they_went_in(values: list[float], cost: float):
    message = decode(encode(Answer(np.array(values, dtype=np.float64), cost)))
    assert isinstance(message, Answer)
    assert message.injection_mw.tolist() == values
    assert message.cost == cost


def test_a_desk_answers_its_own_methods_messages_only():
    worker = Worker(owners()[0], STEPS, PRICES, Terminal(), 1.6)
    proposer = Proposer(linear_owners()[0], STEPS, PRICES, Terminal())
    with pytest.raises(PrivacyError, match="Settlement"):
        WorkerDesk(worker)(encode(Settlement(np.ones(1))))
    with pytest.raises(PrivacyError, match="Message"):
        ProposerDesk(proposer)(encode(Message(np.zeros(4), np.zeros(4), 1.0)))
    with pytest.raises(PrivacyError, match="no roster"):
        WorkerDesk(worker, secure=True)(encode(Offer(np.zeros(4))))


def test_an_owner_without_a_bound_lowers_the_masked_sum_as_far_as_it_goes(monkeypatch):
    workers = {owner.name: Worker(owner, STEPS, PRICES, Terminal(), 1.6) for owner in owners()}
    panel = Panel(Channel({name: WorkerDesk(worker, secure=True) for name, worker in workers.items()}), secure=True)
    panel.begin(100.0)
    open_sum = sum(worker.least_cost(np.zeros(4)) for worker in workers.values())
    assert panel.least_cost(np.zeros(4)) == pytest.approx(open_sum, abs=1e-9)
    monkeypatch.setattr(workers["store"], "least_cost", lambda _: -np.inf)
    assert panel.least_cost(np.zeros(4)) < -1e6 * 100.0


def test_a_coordinator_that_gets_another_kind_of_answer_stops():
    with pytest.raises(PrivacyError, match="Presence"):
        Panel(Channel({"store": lambda _: encode(Heard())}))


def test_tricks_with_keys_are_refused():
    met = maskers(3)
    keys = b"".join(masker.public_key for masker in met)
    with pytest.raises(PrivacyError, match="second"):
        met[0].meet(keys, 0)
    with pytest.raises(PrivacyError, match="one's own"):
        Masker().meet(keys, 0)
    lone = Masker()
    with pytest.raises(PrivacyError, match="public key"):
        lone.meet(lone.public_key + (1).to_bytes(256, "big"), 0)


def test_masks_refuse_what_would_read_as_something_else_and_too_few_owners():
    with pytest.raises(PrivacyError, match="units"):
        maskers(3)[0].mask(np.array([1e7]))
    with pytest.raises(PrivacyError, match="units"):
        maskers(3)[0].mask(np.array([np.nan]))
    with pytest.raises(PrivacyError, match="at least 3"):
        AdmmPlanner(AdmmSettings(secure=True)).solve(island(owners()[:2]))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(1.0, 1.9))
def test_rows_of_totals_add_up_to_the_totals_of_all(seed: int, relaxation: float):
    rng, units = np.random.default_rng(seed), Units(2.0, 0.3, 50.0)
    answers, shares, costs = rng.normal(size=(4, 6)), rng.normal(size=(4, 6)), rng.normal(size=4)
    parts = [Totals.of(x[None], z[None], relaxation, float(c)) for x, z, c in zip(answers, shares, costs, strict=True)]
    rows: Float = np.sum([part.row(units, 1e6) for part in parts], axis=0)
    found, true = Totals.from_row(rows, units), Totals.of(answers, shares, relaxation, float(costs.sum()))
    for name in ("injection_mw", "distance_mw2", "size_mw2", "relaxed_mw2", "cost"):
        assert getattr(found, name) == pytest.approx(getattr(true, name), rel=1e-9, abs=1e-12)


def test_the_table_says_what_each_method_reveals():
    rows = what_methods_reveal(island(linear_owners()))
    to_coordinator: dict[str, set[str]] = {}
    for row in rows:
        if row.who_hears == COORDINATOR:
            to_coordinator.setdefault(row.method, set()).add(row.kind)
    assert to_coordinator == {
        "central": {"parameters"},
        "selfish": {""},
        "admm": {"Presence", "Share", "Answer", "Least"},
        "aladin": {"Presence", "Share", "Proposal", "Heard"},
        "admm, secure": {"Presence", "Heard", "Masked"},
        "dantzig-wolfe": {"Presence", "Proposal", "Heard"},
    }
    central = next(row for row in rows if row.method == "central")
    assert central.bytes == pytest.approx(8 * (3 + 14 + 7 + 9) / 3), "each risk weight; numbers of cell, gas, city"
    lines = list(csv.DictReader(disclosure_table(rows).splitlines()))
    assert [line["tells"] for line in lines] == [row.tells for row in rows]
    assert set(MEANINGS) == set(KINDS), "every kind says what it tells"


def test_a_team_under_masks_plays_as_one_that_answers_openly():
    world = Scenario.load("three-homes")
    plain, masked = (
        rollout(world, Team({"*": Planner(method="admm", tolerance=1e-3, secure=secure, memory=0)}), seed=0)
        for secure in (False, True)
    )
    for battery in ("baker.battery", "school.battery"):
        assert masked.power(battery) == pytest.approx(plain.power(battery), abs=1e-6)


def test_everything_aladin_says_passes_the_channel_and_curved_owners_say_offers_and_slopes(quadratic_homes):
    homes, audit = quadratic_homes, Audit(keep=True)
    plan = AladinPlanner(audit=audit).solve(homes.problem)
    upward = {entry.kind for entry in audit.entries if entry.receiver == COORDINATOR}
    assert upward == {"Presence", "Share", "Answer", "Least", "Face", "Step", "Heard"}
    assert audit.round == plan.rounds
    steps = [entry for entry in audit.entries if entry.kind == "Step"]
    assert steps[0].numbers == "offer_mw[24] slope[576] cost least moved_mw2"
    private = {0.95, 2000.0, 0.0045, *(owner.beta for owner in homes.problem.owners)}  # efficiency, wear, energy, risk
    everything = b"|".join(audit.said)
    assert [v for v in private if np.float64(v).tobytes() in everything] == []


def test_another_owners_secrets_do_not_change_an_aladin_desks_bytes_to_replayed_ones():
    audit = Audit(keep=True)
    AladinPlanner(AladinSettings(first=10), audit=audit).solve(island(owners()))
    crossed = list(zip(audit.entries, audit.said, strict=True))
    heard = [said for entry, said in crossed if entry.receiver == "plant"]
    answered = [said for entry, said in crossed if entry.sender == "plant"]
    assert "Step" in {entry.kind for entry in audit.entries}
    team = {
        o.name: DelegateDesk(Worker(o, STEPS, PRICES, Terminal(), 1.6), partial(Proposer, o, STEPS, PRICES, Terminal()))
        for o in owners(replace(CELL, energy_now_mwh=0.3))
    }
    for said, answer in zip(heard, answered, strict=True):
        team["store"](said)
        assert team["plant"](said) == answer


@pytest.mark.parametrize("early", [PriceMessage(np.zeros(4), 1.0, 1.0), Adopt(), Settlement(np.ones(1))])
def test_an_aladin_desk_answers_nothing_before_its_turn(early):
    owner = owners()[0]
    desk = DelegateDesk(
        Worker(owner, STEPS, PRICES, Terminal(), 1.6), partial(Proposer, owner, STEPS, PRICES, Terminal())
    )
    with pytest.raises(PrivacyError, match="before its turn"):
        desk(encode(early))


def test_only_admm_can_be_masked():
    with pytest.raises(ScenarioError, match="secure"):
        Planner(method="central", secure=True)
