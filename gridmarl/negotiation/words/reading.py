"""A text prepared for reading: its parts, the assets it names and whether they are there, and what is found where."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Final

from gridmarl.negotiation.words.clauses import Piece, Status, piece_at, pieces, status_of, taken_back
from gridmarl.negotiation.words.products import Kind, Mention, mentions

Value = float | tuple[str, ...] | tuple[tuple[float, float], ...]
_ALIKE: Final = {"’": "'", "‘": "'", "`": "'", "\u00a0": " ", "\u202f": " ", "−": "-", "‑": "-", "％": "%", "₵": "¢"}
_IF: Final = re.compile(r"\bif (?:i|we) (?:had|owned|bought|were)\b")


@dataclass(frozen=True, slots=True)
class Found:
    """A value and the characters that say it.

    Attributes
    ----------
    value : float or tuple
        In the unit of the field.
    spans : tuple of (int, int)
        Where in the text, from left to right; empty never.
    by : str
        ``parser`` or ``model``.
    """

    value: Value
    spans: tuple[tuple[int, int], ...]
    by: str = "parser"


@dataclass(frozen=True, slots=True)
class Asset:
    """A mention of an asset and whether it is there."""

    mention: Mention
    status: Status

    @property
    def kind(self) -> Kind:
        """Battery, car or roof."""
        return self.mention.kind

    @property
    def start(self) -> int:
        """Its first character."""
        return self.mention.start

    @property
    def end(self) -> int:
        """After its last character."""
        return self.mention.end


@dataclass(frozen=True, slots=True)
class Reading:
    """A text, lower-case and with plain quotes, character by character as it was written."""

    text: str
    parts: tuple[Piece, ...]
    assets: tuple[Asset, ...]

    def part(self, position: int) -> Piece:
        """The part of a sentence at a character."""
        return piece_at(self.parts, position)

    def words(self, piece: Piece) -> str:
        """What a part says."""
        return self.text[piece.start : piece.end]

    def sentence(self, position: int) -> tuple[int, int]:
        """First and last character of the sentence at a character."""
        n = self.part(position).sentence
        first = bisect_left(self.parts, n, key=lambda p: p.sentence)
        last = bisect_right(self.parts, n, key=lambda p: p.sentence) - 1
        return self.parts[first].start, self.parts[last].end

    def holds(self, position: int) -> bool:
        """Whether what stands there is said of this household, today."""
        piece = self.part(position)
        first, last = self.sentence(position)
        formerly = piece.status == "gone" and "used to" in self.text[first:position]
        return piece.status != "foreign" and not formerly and not _IF.search(self.text, first, last)

    def last_asset(self, position: int, kinds: tuple[Kind, ...], owned: bool = False) -> Asset | None:
        """The asset that was named last before a character; if so wished, of those that are there."""
        named = [a for a in self.assets if a.end <= position and a.kind in kinds]
        return max((a for a in named if a.status == "owned" or not owned), key=lambda a: a.end, default=None)


def read(text: str) -> Reading:
    """Prepare a text.

    Parameters
    ----------
    text : str
        As written.

    Returns
    -------
    Reading
        Positions in it are positions in ``text``.
    """
    plain = "".join(_plain(character) for character in text)
    parts = pieces(plain)
    assets = [Asset(m, status_of(plain, parts, m.start, m.end)) for m in mentions(plain)] if parts else []
    for piece in parts:
        if taken_back(plain, piece.start, piece.end):
            assets = _without_last(assets, piece.start)
    return Reading(plain, tuple(parts), tuple(assets))


def overlaps(start: int, end: int, spans: list[tuple[int, int]]) -> bool:
    """Whether some span shares a character with ``start`` to ``end``."""
    return any(start < b and a < end for a, b in spans)


def all_of(pattern: re.Pattern[str], reading: Reading) -> list[re.Match[str]]:
    """Matches that are said of this household, today."""
    return [m for m in pattern.finditer(reading.text) if reading.holds(m.start())]


def _plain(character: str) -> str:
    lower = _ALIKE.get(character, character).lower()
    return lower if len(lower) == 1 else character


def _without_last(assets: list[Asset], before: int) -> list[Asset]:
    earlier = [a for a in assets if a.end <= before]
    if not earlier:
        return assets
    last = earlier[-1]
    return [Asset(a.mention, "gone") if a.mention == last.mention else a for a in assets]
