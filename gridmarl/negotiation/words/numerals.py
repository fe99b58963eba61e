"""Numbers as people write them, in digits or in words, and shares as percentages or fractions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_ONES: Final = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_TENS: Final = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
_DIGITS: Final = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+"
_SPELLED: Final = (
    rf"(?:{'|'.join(_TENS)})(?:[- ](?:{'|'.join(list(_ONES)[1:10])}))?|"
    rf"(?:{'|'.join(sorted(_ONES, key=len, reverse=True))})"
)

NUMBER: Final = rf"(?:(?<![\w.])(?:{_DIGITS})|\b(?:{_SPELLED})\b)"
"""A pattern without groups; not the 3 of ``PW3`` nor the 5 of ``1.5``."""

_FRACTIONS: Final = {
    r"(?:one|a)[- ]half|half|1/2|½": 1 / 2,
    r"(?:one|a)[- ]third|1/3": 1 / 3,
    r"two[- ]thirds|2/3": 2 / 3,
    r"(?:one|a)[- ]quarter|1/4|¼": 1 / 4,
    r"three[- ]quarters|3/4|¾": 3 / 4,
    r"(?:one|a)[- ]fifth|1/5": 1 / 5,
    r"(?:one|a)[- ]tenth|1/10": 1 / 10,
}
_PERCENT: Final = re.compile(rf"(?P<number>{NUMBER})\s*(?:%|per\s?cents?\b|pct\b)")
_FRACTION: Final = re.compile(
    "|".join(f"(?P<f{i}>{p})" for i, p in enumerate(f"(?<![\\w/.])(?:{w})(?![\\w/-])" for w in _FRACTIONS))
)
_NOT_SHARES: Final = re.compile(
    r"\s*(?:past|an?\s+hour|hours?|of\s+(?:the|each|every)\s+(?:day|time|year|month|week|night))\b"
)


@dataclass(frozen=True, slots=True)
class Share:
    """A share of something, and where it stands.

    Attributes
    ----------
    value : float
        As written, 0.3 for 30 %; outside 0 to 1 where somebody wrote 130 %.
    start, end : int
        Characters of the text.
    """

    value: float
    start: int
    end: int


def number(text: str) -> float:
    """The value of a match of `NUMBER`.

    Examples
    --------
    >>> number("1,200.5"), number("thirty-five"), number(".4")
    (1200.5, 35.0, 0.4)
    """
    if text[-1].isdigit():
        return float(text.replace(",", ""))
    return float(sum(_TENS.get(word, _ONES.get(word, 0)) for word in re.split("[- ]", text)))


def shares(text: str) -> list[Share]:
    """Percentages and fractions of a lower-case text, from left to right.

    Examples
    --------
    >>> [share.value for share in shares("thirty percent, or half of it at half past six")]
    [0.3, 0.5]
    """
    found = [Share(number(m["number"]) / 100, m.start(), m.end()) for m in _PERCENT.finditer(text)]
    for m in _FRACTION.finditer(text):
        if _NOT_SHARES.match(text, m.end()) is None:
            value = list(_FRACTIONS.values())[int((m.lastgroup or "f0")[1:])]
            found.append(Share(value, m.start(), m.end()))
    return sorted(found, key=lambda share: share.start)
