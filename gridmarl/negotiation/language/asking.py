"""Asking somebody slow, wrong or hostile for one number of a list, and always being done in time.

Whoever is asked gets text and returns text. Of the answer only a number counts that stands alone and is on the list;
everything else, any error and any delay is a missing answer, counted by its kind. Neither answers nor error messages
are kept or logged: they may hold anything, keys included.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, Protocol

_ANSWER: Final = re.compile(r"\s{0,8}([0-9]{1,3})\s{0,8}")
GRACE_S: Final = 0.5
"""How long after the deadline whoever answers may block before they are left alone."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """One choice from a menu, as text made from numbers: nobody's own words are in it.

    Attributes
    ----------
    task : str
        What to do; the same for all questions, so that servers read it once.
    event : str
        What is the same for all questions of a round.
    menu : str
        The lines to choose from.
    legal : tuple of int
        Numbers of these lines.
    """

    task: str
    event: str
    menu: str
    legal: tuple[int, ...]


class Endpoint(Protocol):
    """Who is asked."""

    async def answer(self, question: Question) -> str:
        """The answer as it came; any exception is a missing answer."""
        ...


class RefusalError(Exception):
    """Whoever was asked declined to answer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a cycle may cost.

    Attributes
    ----------
    calls : int
        At most so many questions.
    cycle_s : float
        At most so long, all questions of all rounds together.
    call_s : float
        At most so long for one.
    at_once : int
        Questions under way at a time; a local model has one place.
    """

    calls: int = 24
    cycle_s: float = 30.0
    call_s: float = 10.0
    at_once: int = 1


@dataclass(slots=True)
class Tally:
    """What became of the questions.

    Attributes
    ----------
    asked, answered : int
        Questions sent, and those of them with a legal answer.
    missing : Counter
        Kind -> questions without one: ``timeout``, ``deadline``, ``budget``, ``illegal``, ``refusal``, ``http 429``,
        or the name of the error's type.
    waited_s : float
        Time spent, all cycles together.
    """

    asked: int = 0
    answered: int = 0
    missing: Counter[str] = field(default_factory=Counter[str])
    waited_s: float = 0.0


class Asker:
    """Asks within limits, on a thread of its own, which is left behind if it does not come back.

    Parameters
    ----------
    endpoint : Endpoint
        Who is asked.
    limits : Limits, optional
        What a cycle may cost.
    """

    def __init__(self, endpoint: Endpoint, limits: Limits | None = None) -> None:
        self.endpoint = endpoint
        self.limits = limits or Limits()
        self.tally = Tally()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.begin()

    def begin(self) -> None:
        """A cycle begins: calls and time are there again."""
        self._calls_left = self.limits.calls
        self._time_left_s = self.limits.cycle_s

    def ask(self, questions: Sequence[Question]) -> list[int | None]:
        """An answer to each question, or None; the first questions first, as far as calls and time go.

        Parameters
        ----------
        questions : sequence of Question

        Returns
        -------
        list of int or None
            Never later than what was left of the cycle's time, plus `GRACE_S`.
        """
        sent = list(questions[: self._calls_left])
        found: list[int | str] = ["budget"] * len(questions)
        if sent and self._time_left_s > 0:
            start = monotonic()
            found[: len(sent)] = self._answers(sent)
            spent = monotonic() - start
            self.tally.waited_s += spent
            self._time_left_s -= spent
            self._calls_left -= len(sent)
        elif sent:
            found[: len(sent)] = ["deadline"] * len(sent)
        return [self._counted(answer) for answer in found]

    def close(self) -> None:
        """Let the thread end, once it has put down what it holds."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.call_later, GRACE_S, self._loop.stop)
            self._loop = None

    def _counted(self, answer: int | str) -> int | None:
        self.tally.asked += answer not in ("budget", "deadline")
        if isinstance(answer, int):
            self.tally.answered += 1
            return answer
        self.tally.missing[answer] += 1
        return None

    def _answers(self, sent: list[Question]) -> list[int | str]:
        found: list[int | str] = ["deadline"] * len(sent)
        running = asyncio.run_coroutine_threadsafe(self._all(sent, found), self._started())
        try:
            running.result(self._time_left_s + GRACE_S)
        except (TimeoutError, CancelledError):
            running.cancel()
            self.close()  # a thread that overslept is not asked again
        return list(found)

    async def _all(self, sent: list[Question], found: list[int | str]) -> None:
        places = asyncio.Semaphore(self.limits.at_once)

        async def one(n: int) -> None:
            async with places:
                found[n] = "timeout"  # if the cycle ends meanwhile
                found[n] = await self._one(sent[n])

        try:
            async with asyncio.timeout(self._time_left_s):
                await asyncio.gather(*(one(n) for n in range(len(sent))))
        except TimeoutError:
            log.warning("language model: the cycle's time is over")

    async def _one(self, question: Question) -> int | str:
        try:
            async with asyncio.timeout(self.limits.call_s):
                text = await self.endpoint.answer(question)
        except RefusalError:
            return "refusal"
        except Exception as error:  # whatever a client raises is a missing answer
            kind = _kind(error)
            log.warning("language model: %s", kind)
            return kind
        return read_answer(text, question.legal)

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=_run, args=(self._loop,), name="language-model", daemon=True).start()
        return self._loop


def _run(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()


def _kind(error: Exception) -> str:
    """What an error counts as: the status of a server that said one, else its type."""
    status, name = getattr(error, "status_code", None), type(error).__name__
    if type(status) is int:
        return f"http {status}"
    return "timeout" if "Timeout" in name else name


def read_answer(text: object, legal: tuple[int, ...]) -> int | str:
    """The number that an answer is, or ``illegal``.

    Examples
    --------
    >>> [read_answer(text, (0, 3)) for text in (" 3 ", "4", "3 please", "-3")]
    [3, 'illegal', 'illegal', 'illegal']
    """
    match = _ANSWER.fullmatch(text) if isinstance(text, str) and len(text) <= 32 else None
    return int(match[1]) if match is not None and int(match[1]) in legal else "illegal"
