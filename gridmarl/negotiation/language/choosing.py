"""A language model picks from the menus: one number a prosumer archetype, within a deadline, else the rule decides.

The agent proposes, the optimizer disposes: the model sees menus that deterministic code made of numbers, and names a
line. It never sees what a household wrote, nor an id, so that no text of one reaches the outcome of another; and ids,
prices and kW never come from it. Prosumers whose menus have the same lines, and who fared alike, are asked about once.

Entries without a mark are priced at floors. What leaves for an endpoint are means over an archetype; where it has one
prosumer these are its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gridmarl.errors import ScenarioError
from gridmarl.negotiation.language.asking import Asker, Endpoint, Limits, Question, RefusalError
from gridmarl.negotiation.language.local_model import shared_server
from gridmarl.negotiation.menu import DECLINE, Menus
from gridmarl.negotiation.strategies import Context, Rule, Strategy
from gridmarl.units import Bool, Int

if TYPE_CHECKING:
    from langchain.chat_models import BaseChatModel

LOCAL: Final = "local"
LARGEST_BODY_BYTES: Final = 262_144
ANSWER_TOKENS: Final = 8
TAKEN_TOLERANCE_KW: Final = 1e-6
TASK: Final = (
    "You sell power for a household. Choose one line of the menu. A lower price is taken more often, a higher price "
    "earns more. Answer with the number of the line only."
)


@dataclass(frozen=True, slots=True, eq=False)
class Archetype:
    """Prosumers who are asked about together."""

    members: Int
    question: Question


class LanguageStrategy:
    """Chooses what a model answers; whatever is no legal answer in time is the fallback's choice.

    Parameters
    ----------
    endpoint : Endpoint
        Who is asked.
    limits : Limits, optional
        Calls and time of a cycle, which begins with round 1.
    fallback : Strategy, optional
        Who decides where no answer came: the rule.
    name : str
        As tables print it.
    """

    def __init__(
        self, endpoint: Endpoint, limits: Limits | None = None, fallback: Strategy | None = None, name: str = "llm"
    ) -> None:
        self.name = name
        self.asker = Asker(endpoint, limits)
        self.fallback: Strategy = fallback or Rule()
        self.chosen_by = {"model": 0, "fallback": 0, "no choice": 0}

    def choose(self, menus: Menus, context: Context, rng: np.random.Generator) -> Int:
        """One valid index a prosumer; the largest archetypes are asked about first."""
        if context.round == 1:
            self.asker.begin()
        choices = self.fallback.choose(menus, context, rng).copy()
        groups = archetypes(menus, context)
        asked = 0
        for group, answer in zip(groups, self.asker.ask([group.question for group in groups]), strict=True):
            if answer is not None:
                choices[group.members] = answer
            self.chosen_by["model" if answer is not None else "fallback"] += len(group.members)
            asked += len(group.members)
        self.chosen_by["no choice"] += len(menus) - asked
        return choices

    def report(self) -> dict[str, object]:
        """Questions, answers, what was missing by kind, and who decided for how many prosumers and rounds."""
        tally = self.asker.tally
        return {
            "asked": tally.asked,
            "answered": tally.answered,
            "missing": dict(sorted(tally.missing.items())),
            "waited_s": tally.waited_s,
            "chosen_by": dict(self.chosen_by),
        }


def archetypes(menus: Menus, context: Context) -> list[Archetype]:
    """Prosumers with a choice, grouped by the lines they have and how their last offer fared, largest group first."""
    with_choice = np.flatnonzero(menus.valid.sum(axis=1) > 1)
    promised = menus.kw[np.arange(len(menus)), context.previous]
    fared = np.where(
        context.taken_kw > promised - TAKEN_TOLERANCE_KW, 2, np.where(context.taken_kw > TAKEN_TOLERANCE_KW, 1, 0)
    )
    groups: dict[tuple[bytes, int, int], list[int]] = {}
    for n in with_choice.tolist():
        previous, how = (int(context.previous[n]), int(fared[n])) if context.round > 1 else (DECLINE, 0)
        groups.setdefault((menus.valid[n].tobytes(), previous, how), []).append(n)
    event = _event(context)
    found = [
        Archetype(np.array(members, np.int64), _question(menus, members, event, previous, how))
        for (_, previous, how), members in groups.items()
    ]
    return sorted(found, key=lambda group: -len(group.members))


def grammar_of(legal: tuple[int, ...]) -> str:
    """What an answer may be, in GBNF: one of the numbers.

    A JSON schema would let a small model write white space until its tokens are spent.

    Examples
    --------
    >>> grammar_of((0, 3, 12))
    'root ::= "0" | "3" | "12"'
    """
    return "root ::= " + " | ".join(f'"{n}"' for n in legal)


class ChatEndpoint:
    """Asks a LangChain chat model.

    Parameters
    ----------
    model : BaseChatModel
        Of any provider.
    grammar : bool
        Whether the server takes ``grammar`` and ``cache_prompt``, as those of llama.cpp do.
    tracing : bool
        Whether LangSmith may see the questions, if the environment asks for that; by default never.
    """

    def __init__(self, model: BaseChatModel, *, grammar: bool = False, tracing: bool = False) -> None:
        self.model, self.grammar, self.tracing = model, grammar, tracing

    async def answer(self, question: Question) -> str:
        """The text of the model's message.

        Raises
        ------
        RefusalError
            Where the message says that it is a refusal.
        """
        from langsmith import tracing_context

        body = {"grammar": grammar_of(question.legal), "cache_prompt": True}
        extra: dict[str, Any] = {"extra_body": body} if self.grammar else {}
        messages = [("system", question.task), ("human", f"{question.event}\n{question.menu}")]
        with tracing_context(enabled=None if self.tracing else False):
            said = await self.model.ainvoke(messages, **extra)
        reason = said.response_metadata.get("finish_reason")
        if said.additional_kwargs.get("refusal") or reason in ("content_filter", "SAFETY", "refusal"):
            raise RefusalError
        return said.content if isinstance(said.content, str) else ""


def language_strategy(
    model: str = LOCAL, *, limits: Limits | None = None, tracing: bool = False, **settings: Any
) -> LanguageStrategy:
    """A language model by its name.

    Parameters
    ----------
    model : str
        ``local`` for the small one that runs here, else ``provider:name`` as LangChain's ``init_chat_model`` takes it:
        ``openai:...`` (with ``base_url`` any endpoint that speaks OpenAI's protocol), ``google_genai:gemini-...``
        (needs langchain-google-genai), ``ollama:...`` (needs langchain-ollama).
    limits : Limits, optional
        Calls and time of a cycle.
    tracing : bool
        See `ChatEndpoint`.
    **settings
        For ``init_chat_model``; a model that thinks before it answers needs a larger ``max_tokens`` than the few of a
        number. Keys are better left to the environment variables that the providers document.

    Raises
    ------
    ScenarioError
        Where LangChain, or its package for the provider, is not installed, or the name is not understood.
    PolicyError
        Where the local model or its server is not there.
    """
    if model == LOCAL:
        server = shared_server()
        known = {"model": "local", "model_provider": "openai", "base_url": server.url, "api_key": server.key}
        return LanguageStrategy(ChatEndpoint(_chat_model(known), grammar=True), limits, name="llm")
    chat = _chat_model({"model": model, **settings})
    return LanguageStrategy(ChatEndpoint(chat, tracing=tracing), limits, name=f"llm {model}")


@cache
def shared_strategy(model: str = LOCAL) -> LanguageStrategy:
    """The strategy of a model by its name alone: one a process, so that its counts go on from cycle to cycle."""
    return language_strategy(model)


def _chat_model(settings: Mapping[str, Any]) -> BaseChatModel:
    """A model that answers briefly, the same every time, and is not asked twice."""
    try:
        from langchain.chat_models import init_chat_model
    except ImportError as error:
        raise ScenarioError("language model", "no langchain", "langchain", "pip install 'gridmarl[llm]'") from error
    firm: dict[str, Any] = {"temperature": 0.0, "max_tokens": ANSWER_TOKENS, "max_retries": 0}
    if str(settings["model"]).startswith("ollama:"):
        firm = {"temperature": 0.0, "num_predict": ANSWER_TOKENS}
    if str(settings["model"]).startswith("openai:") or settings.get("model_provider") == "openai":
        firm["http_async_client"] = _bounded_client()
    try:
        return init_chat_model(**{**firm, **settings})
    except Exception as error:  # each provider has errors of its own for a missing key
        allowed = "local, or provider:name of a provider whose LangChain package is installed"
        remedy = f"{type(error).__name__}: is the package there, and a key in the environment?"
        raise ScenarioError("language model", str(settings["model"]), allowed, remedy) from error


def _bounded_client() -> object:
    """A client that hangs up on an answer longer than any that could be right, and takes none that is compressed."""
    import httpx2

    class Bounded(httpx2.AsyncByteStream):
        def __init__(self, stream: httpx2.AsyncByteStream) -> None:
            self.stream = stream

        async def __aiter__(self):
            size = 0
            async for chunk in self.stream:
                size += len(chunk)
                if size > LARGEST_BODY_BYTES:
                    raise httpx2.ReadError("the answer is too long")
                yield chunk

        async def aclose(self) -> None:
            await self.stream.aclose()

    class Transport(httpx2.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            request.headers["accept-encoding"] = "identity"
            response = await super().handle_async_request(request)
            if response.headers.get("content-encoding", "identity") != "identity":
                await response.aclose()
                raise httpx2.ReadError("the answer is compressed")
            assert isinstance(response.stream, httpx2.AsyncByteStream)
            response.stream = Bounded(response.stream)
            return response

    return httpx2.AsyncClient(transport=Transport(), timeout=None)  # the asker's deadline holds


def _event(context: Context) -> str:
    wanted = context.opportunity
    state = "The last round did not offer enough. " if context.short else ""
    return (
        f"The market wants {wanted.required_capacity_mw:.2f} MW for {wanted.duration_hours:g} h and pays "
        f"{wanted.market_price_mwh:.3g} $/MWh. Round {context.round} of {context.rounds_planned}. {state}"
        "Menu (line: kW, $/MWh):"
    )


def _question(menus: Menus, members: list[int], event: str, previous: int, fared: int) -> Question:
    """The mean menu of an archetype."""
    valid: Bool = menus.valid[members[0]]
    kw, price = menus.kw[members].mean(axis=0), menus.price_per_mwh[members].mean(axis=0)
    legal = tuple(int(n) for n in np.flatnonzero(valid))
    lines = [f"{n}: {kw[n]:.1f}, {price[n]:.3g}" if n else "0: nothing" for n in legal]
    if previous != DECLINE:
        lines.append(f"Line {previous} of the last round was {('not taken', 'taken in part', 'taken')[fared]}.")
    return Question(TASK, event, "\n".join([*lines, "Number:"]), legal)
