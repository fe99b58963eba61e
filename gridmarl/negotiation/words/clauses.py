"""Pieces of a text, and whether what each speaks of is there: owned, gone, not yet, not at all, or somebody else's."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

Status = Literal["owned", "gone", "planned", "none", "foreign"]

_SENTENCE_END: Final = re.compile(r"(?<!\b[ap]\.m)(?<!\b[ap])[.!?]+(?=\s|$)|[;\n]|\s-\s|—")
_PIECE_END: Final = re.compile(r"[,:()](?!\d)|\b(?:but|however|although|though|while|whereas|so|then|and|plus)\b")

_CUES: Final[dict[Status, re.Pattern[str]]] = {
    "foreign": re.compile(
        r"\b(?:neighbou?rs?|friends?|brother|sister|parents|boss|colleagues?|landlord|mother|father|mom|mum|dad|"
        r"uncle|aunt|"
        r"cousin|coworkers?|every(?:one|body)|all (?:the )?(?:other )?(?:prosumers|households|members|homes)|"
        r"somebody|someone|other people)\b(?:'s)?|\b(?:he|she|they) (?:has|have|owns?|wants?|gets?)\b"
    ),
    "planned": re.compile(
        r"\b(?:thinking (?:of|about)|considering|consider|planning|plan (?:to|on)|plans (?:to|on)|"
        r"going to (?:get|buy|install|add)|"
        r"want (?:to (?:get|buy|install|add)|an?\b(?! \w+ (?:reserve|backup|price|minimum))|some|two|three)|"
        r"(?:would|'d) (?:like|love) (?:to (?:get|buy|install|have|own|add)|a|an|"
        r"some|two)|hop(?:e|ing) (?:to (?:get|buy|install|have|own|add)|for)|wish (?:i|we)|might (?:get|buy|"
        r"install|add)|"
        r"may (?:get|buy|install|add)|(?:will|'ll) (?:get|buy|have|install|be getting)|looking (?:at|into|for)|"
        r"shopping for|saving (?:up )?for|"
        r"on order|ordered|pre-?ordered|reserved a|waiting (?:for|on)|if (?:i|we) (?:had|get|got|buy|bought)|"
        r"(?:once|when|as soon as) (?:i|we) (?:get|buy|install)|next (?:year|spring|summer|fall|autumn|winter|"
        r"month|week)|some\s?day|"
        r"eventually|dream(?:ing)? of|interested in|quotes? (?:for|on)|arrives?|getting (?:a|an|some|two)|"
        r"about to (?:get|buy))\b"
    ),
    "gone": re.compile(
        r"\b(?:used to|sold|got rid of|getting rid|no longer|any\s?more|gave away|given away|gave|gifted|traded|"
        r"returned|stolen|"
        r"total+ed|cancel+ed|junkyard|written off|crashed|died|is dead|broken|broke down|scrapped|formerly|"
        r"previously|former|burned|burnt|"
        r"removed|decommissioned|"
        r"uninstalled|lost|until last (?:year|month|week)|(?:had|owned) (?:a|an|two|some|solar|"
        r"batteries)(?!.*\b(?:installed|put in|fitted)))\b"
    ),
    "none": re.compile(
        r"\b(?:(?:don't|do not|dont|doesn't|does not|didn't|did not) (?:\w+ )?(?:have(?! to)|own|got|get|buy)|"
        r"haven't (?:got|bought)|have not (?:got|bought)|"
        r"haven't (?:a|any)|hasn't got|have no|has no|got no|(?:there is|there's) no(?! (?:reason|problem|need|"
        r"limit|way|rush|point))|there isn't|there are no|without|lacks?|lacking|neither|"
        r"never (?:had|got|bought|owned|have had)|not own|zero)\b"
    ),
    "owned": re.compile(
        r"\b(?:have|has|'ve|own|owns|drive|drives|drove|got|there's|there is|there are|lease|leases|only|just|"
        r"still|now|bought|"
        r"installed|my|our|with|got myself|replaced it with|instead)\b|'ve\b"
    ),
}
_NO_BEFORE: Final = re.compile(
    r"\b(?:no|nor|not a|not any|zero|0)\s+(?:(?:home|house|backup|wall|electric|such|big|stationary|real|rooftop|"
    r"more|a|an|any)\s+){0,2}$"
)
_NO_AFTER: Final = re.compile(
    r"\s*[:?=,-]*\s*(?:none|nope|no|nada|never|n/a)\b(?!\s+(?:\w+\s+){0,3}(?:dis-?charg|us|than|less|lower|below|"
    r"discharg|export|sell|sale|limit|problem))"
)
_STILL_THEIRS: Final = re.compile(
    r"\b(?:my|our|the existing|existing|(?:in|from|of|on|with) (?:the|each|both))\s+(?:\w+\s+)?$"
)
_IN_RETURN: Final = re.compile(
    r"\b(?:traded|swapped|exchanged|replaced)\b.*\b(?:for|with|by)\s+(?:an?|my|our|the)?\s*$"
)
_UNDERWAY: Final = re.compile(r"\b(?:on order|ordered|arriv\w+|due|coming|to be (?:installed|delivered))\b")
_PARTING: Final = re.compile(
    r"\b(?:sell(?:ing)?|replac(?:e|ing)|upgrad(?:e|ing)|getting rid|trad(?:e|ing) in|swap(?:ping)?)\b"
)
_AFTERTHOUGHT: Final = re.compile(
    r"^\W*(?:(?:well|oh|actually|sorry|but|and|no|wait|except|then|we|i|in fact|though|since)\W+)*"
    r"(?:'ve |have |had to |just |already |since |recently |has )*"
    r"(?:sold (?:it|them|that|mine)|got rid of (?:it|them)|gave (?:it|them) away|traded (?:it|them) in|"
    r"returned (?:it|them)|cancel+ed (?:it|the order|them)|"
    r"(?:it|they|that)(?:'s| is| are| was| were)? (?:gone|broken|dead|sold|died|stolen|broke|not (?:here|"
    r"installed|working)(?: yet)?)|not any\s?more)\b"
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a sentence with one status.

    Attributes
    ----------
    start, end : int
        Characters of the text.
    sentence : int
        Which sentence it belongs to.
    status : str
        What it says of the things that it names.
    """

    start: int
    end: int
    sentence: int
    status: Status


def sentences(text: str) -> list[tuple[int, int]]:
    """Where the sentences of a lower-case text are."""
    return _split(_SENTENCE_END, text, 0, len(text))


def pieces(text: str) -> list[Piece]:
    """Parts of sentences; one without a cue of its own goes on with the status of the part before it.

    Examples
    --------
    >>> [piece.status for piece in pieces("i sold the leaf, the bolt and the bike, now i have a truck")]
    ['gone', 'gone', 'gone', 'owned']
    """
    found: list[Piece] = []
    for n, (first, last) in enumerate(sentences(text)):
        status: Status = "owned"
        for start, end in _split(_PIECE_END, text, first, last):
            own = _cue(text[start:end])
            status = own if own is not None else status
            found.append(Piece(start, end, n, status))
    return found


def piece_at(parts: Sequence[Piece], position: int) -> Piece:
    """The part that a character belongs to; between two, the one before."""
    return parts[max(bisect_right(parts, position, key=lambda p: p.start) - 1, 0)]


def status_of(text: str, parts: Sequence[Piece], start: int, end: int) -> Status:
    """Whether the thing named at ``start`` to ``end`` is there."""
    piece = piece_at(parts, start)
    before, after = text[piece.start : start], text[end:]
    if _NO_BEFORE.search(before) or _NO_AFTER.match(after):
        return "none"
    status = piece.status
    if status == "gone" and _IN_RETURN.search(before):
        return "owned"
    if status == "planned" and (_STILL_THEIRS.search(before) or _PARTING.search(before)):
        return "planned" if _UNDERWAY.search(text, piece.start, piece.end) else "owned"
    if status == "none" and (
        _STILL_THEIRS.search(before) or (_cue(before) == "owned" and "without" in text[end : piece.end])
    ):
        return "owned"
    if status == "owned" and re.match(
        r"\s+(?:was|were|got|has been|have been)?\s*(?:sold|stolen|removed|traded)\b", after
    ):
        return "gone"
    return status


def taken_back(text: str, start: int, end: int) -> bool:
    """Whether a part only says that what was named before it is gone: "Sold it last year"."""
    return _AFTERTHOUGHT.match(text[start:end]) is not None


def _cue(text: str) -> Status | None:
    return next((status for status, pattern in _CUES.items() if pattern.search(text)), None)


def _split(pattern: re.Pattern[str], text: str, first: int, last: int) -> list[tuple[int, int]]:
    starts = [first, *(m.end() for m in pattern.finditer(text, first, last))]
    ends = [*(m.start() for m in pattern.finditer(text, first, last)), last]
    return [(a, b) for a, b in zip(starts, ends, strict=True) if text[a:b].strip()]
