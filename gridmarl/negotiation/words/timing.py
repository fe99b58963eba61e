"""When: hours and days without discharge, and the hour at which the car leaves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from gridmarl.negotiation.words.clock import HOURS, Moment, Window, days, moments, windows
from gridmarl.negotiation.words.reading import Found, Reading, overlaps

_NOT: Final = (
    r"(?:don't|do not|dont|doesn't|never|no|not|nothing|nobody|won't|will not|can't|cannot|mustn't|must not|"
    r"shouldn't|should not|"
    r"avoid|refuse to|stop|without|rather not|isn't|aren't|may not|nor|neither)"
)
_USE: Final = (
    r"(?:dis-?\s?charg\w*|us(?:e|ed|ing|age)|touch\w*|export\w*|sell\w*|sale|sales|run(?:ning)?|drain\w*|draw\w*|"
    r"dispatch\w*|pull\w*|tak(?:e|ing)|"
    r"empt\w+|deplet\w*|participat\w*|feed\w*|send\w*|tap\w*|disturb\w*|flex\w*|trad(?:e|es|ing)|calls?|events?|"
    r"interrupt\w*|bother\w*|give\w*)"
)
_TIMED: Final = (
    r"(?:between|from|after|before|until|during|in the|at night|overnight|on (?:the )?(?:weekend|"
    r"weekday|mon|tue|wed|thu|fri|sat|sun)|past|\d)"
)
_BLOCK: Final = re.compile(
    rf"\b{_NOT}\b(?:\W+\w+){{0,4}}?\W+{_USE}\b|\bleave\b[^.;]{{0,40}}\balone\b|\bhands off\b|\boff[- ]limits\b|"
    rf"\b(?:quiet|blackout|blocked|forbidden|no-go) (?:hours|time|times|window|period)\b"
    rf"|\bblock(?:ed|s)?\b|\b(?:stays?|keep (?:it|the battery|them|everything)|switched|turned) off\b|"
    rf"\bkeep out\b|\b(?:not|never|nothing|nor|"
    rf"but not)\b (?:for )?(?=(?:on )?{_TIMED})"
    r"|\b(?:need|want) (?:it|the battery|the power|all (?:of )?(?:it|the power)|everything|"
    r"my power) (?:for )?(?:myself|ourselves|us|me|then|for)\b|\bself-?consumption only\b|\bdo not disturb\b|"
    r"\bunavailable\b|\bnot available\b"
)
_ONLY: Final = re.compile(
    rf"\b(?:only|just|exclusively|solely|nothing except|nothing but)\b(?=(?:\W+[\w']+){{0,5}}?\W+(?:{_USE}|"
    rf"{_TIMED})\b)|\b{_USE}\b(?:\W+\w+){{0,4}}?\W+(?:only|exclusively)\b|\bonly available\b|\bavailable only\b"
)
_EXCEPT: Final = re.compile(r"\b(?:except|excepting|excluding|other than|apart from|unless it is|save for)\b")
_ALLOWED: Final = re.compile(
    r"\b(?:fine|ok|okay|feel free|you (?:can|may)|do what you like|go ahead|happy to|allowed|welcome)\b"
)
_CHARGE: Final = re.compile(
    rf"\b(?:only |just |{_NOT} )?(?<!dis)(?<!dis-)(?<!dis )(?:charg(?:e|es|ing)|plug\w*|heat\w*|cook\w*|laundry|"
    rf"dryer|vacuum|commut\w*|work(?:s|ing)?|rates?|prices? (?:is|are))\b"
)
_LEAVING: Final = re.compile(
    r"\b(?:full|fully|charged|ready|topped|must|has to|have to|leav\w+|left|depart\w*|need\w*|drive off|head(?:s|"
    r"ing)? out|commut\w*|"
    r"set(?:s)? off|go(?:es)? to work|drive to|charge (?:it|the|my)|percent|juice)\b|%"
)
_ARRIVING: Final = re.compile(
    r"\b(?:home|back|returns?|arriv\w+|plug(?:ged|s)?(?: \w+){0,2}|comes?|get in)\W+(?:\w+\W+)?$"
)
_NEXT_PART: Final = re.compile(r",|\b(?:and|but|so)\b")
_THEN: Final = re.compile(r"\b(?:then|that time|those (?:hours|times)|meanwhile)\b")
_LATEST: Final = ("by", "before", "no later than")


def blocked(reading: Reading) -> dict[str, Found]:
    """``blocked_hours`` as spans [start, end) and ``blocked_days``: what is forbidden, or not among what is allowed."""
    forbidden: list[Window] = []
    allowed: list[Window] = []
    named: list[tuple[tuple[str, ...], list[tuple[int, int]]]] = []
    for first, last in _sentences(reading):
        words = reading.text[first:last]
        found = [Window(w.hours, w.start + first, w.end + first) for w in windows(words)]
        roles = [(window, _governing(words, window.start - first, window.end - first)) for window in found]
        forbidden += [w for w, role in roles if role == "block"]
        allowed += [w for w, role in roles if role == "only"]
        on, spans = days(words)
        if on and (not found or any(role == "block" for _, role in roles)):
            day_rule = _governing(words, *spans[0]) if not found else "block"
            if day_rule == "block":
                named.append((on, [(a + first, b + first) for a, b in spans]))
                if not found:
                    forbidden.append(Window(frozenset(range(HOURS)), named[-1][1][0][0], named[-1][1][-1][1]))
    if allowed:
        others = frozenset(range(HOURS)).difference(*(w.hours for w in allowed))
        forbidden += [Window(others, w.start, w.end) for w in allowed]
    return _as_fields(forbidden, named)


def spans_of(hours: Iterable[int]) -> tuple[tuple[float, float], ...]:
    """Hours as spans [start, end), past midnight where start > end.

    Examples
    --------
    >>> spans_of({22, 23, 0, 1, 17})
    ((17.0, 18.0), (22.0, 2.0))
    """
    chosen = frozenset(hours)
    if len(chosen) == HOURS:
        return ((0.0, float(HOURS)),)
    starts = sorted(h for h in chosen if (h - 1) % HOURS not in chosen)
    ends = [next(h + n for n in range(1, HOURS) if (h + n) % HOURS not in chosen) for h in starts]
    return tuple((float(a), float(b % HOURS or HOURS)) for a, b in zip(starts, ends, strict=True))


def hours_of(spans: Iterable[tuple[float, float]]) -> frozenset[int]:
    """Whole hours that spans [start, end) touch.

    Examples
    --------
    >>> sorted(hours_of([(22.0, 2.0)]))
    [0, 1, 22, 23]
    """
    return frozenset(h % HOURS for a, b in spans for h in range(int(a), int(-(-(b if b > a else b + HOURS) // 1))))


def leaving(reading: Reading) -> Found | None:
    """The hour at which the car has to be ready; of several "by 7" before "at 7", then the earliest."""
    found: list[tuple[bool, float, int, int]] = []
    for first, last in _sentences(reading):
        words = reading.text[first:last]
        if not _LEAVING.search(words) or not _has_car(reading, first, last):
            continue
        taken = [(w.start, w.end) for w in windows(words) if _governing(words, w.start, w.end) in ("block", "only")]
        for moment in moments(words):
            if not overlaps(moment.start, moment.end, taken) and _is_departure(words, moment):
                found.append((moment.word not in _LATEST, moment.hour, first + moment.start, first + moment.end))
    held = [f for f in found if reading.holds(f[2])]
    if not held:
        return None
    _, hour, start, end = min(held)
    return Found(hour, ((start, end),))


def _sentences(reading: Reading) -> list[tuple[int, int]]:
    """Sentences that are said of this household, today."""
    found = dict.fromkeys(reading.sentence(p.start) for p in reading.parts)
    return [
        (first, last)
        for first, last in found
        if reading.holds(reading.text.find(reading.text[first:last].strip(), first))
    ]


def _governing(words: str, start: int, end: int) -> str | None:
    """The rule that a window stands under: the one before it that is nearest, else the first after it."""
    if words.startswith("stop", start):
        return "block"
    rules = [("block", m.start(), m.end()) for m in _BLOCK.finditer(words)]
    rules += [(_exception(words, m.start()), m.start(), m.end()) for m in _EXCEPT.finditer(words)]
    rules += [("only", m.start(), m.end()) for m in _ONLY.finditer(words) if not _is_charging(words, m.start())]
    rules += [("free", m.start(), m.end()) for m in _ALLOWED.finditer(words)]
    rules += [
        ("other", m.start(), m.end())
        for m in _CHARGE.finditer(words)
        if not overlaps(m.start(), m.end(), [r[1:] for r in rules if r[0] == "block"])
    ]
    before = [rule for rule in rules if rule[1] < start and rule[2] <= end]
    if before:
        last = max(before, key=lambda rule: (rule[1], rule[2]))
        if last[0] != "other":
            return last[0]
        if not _NEXT_PART.search(words, last[2], start) and not _THEN.search(words, end):
            return None
        earlier = [rule for rule in before if rule[0] != "other"]
        if earlier:
            return max(earlier, key=lambda rule: (rule[1], rule[2]))[0]
    after = [rule for rule in rules if rule[1] >= end and rule[0] != "other"]
    if after:
        return min(after, key=lambda rule: rule[1])[0]
    return None


def _exception(words: str, position: int) -> str:
    """What "except" does: it allows where all else is forbidden, and else forbids."""
    return "only" if _BLOCK.search(words, 0, position) else "block"


def _is_charging(words: str, position: int) -> bool:
    """Whether "only" is about charging."""
    return re.match(r"only (?:ever )?(?:charge|charging|plug)|just (?:charge|plug)", words[position:]) is not None


def _has_car(reading: Reading, first: int, last: int) -> bool:
    if any(a.kind == "ev" and a.status == "owned" and first <= a.start < last for a in reading.assets):
        return True
    asset = reading.last_asset(last, ("battery", "ev"))
    return asset is not None and asset.kind == "ev" and asset.status == "owned"


def _is_departure(words: str, moment: Moment) -> bool:
    return _ARRIVING.search(words[: moment.start]) is None and not all_reserved(words, moment)


def all_reserved(words: str, moment: Moment) -> bool:
    """Whether "until" belongs to hours that are named before it."""
    return (
        moment.word in ("until", "before") and re.search(r"\b(?:from|after)\b[^,]*$", words[: moment.start]) is not None
    )


def _as_fields(forbidden: list[Window], named: list[tuple[tuple[str, ...], list[tuple[int, int]]]]) -> dict[str, Found]:
    if not forbidden:
        return {}
    hours = frozenset[int]().union(*(w.hours for w in forbidden))
    where = tuple(sorted({(w.start, w.end) for w in forbidden}))
    fields = {"blocked_hours": Found(spans_of(hours), where)}
    everyday = [w for w in forbidden if not any(_near(w, spans) for _, spans in named)]
    if named and not everyday:
        order = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
        on = {day for some, _ in named for day in some}
        fields["blocked_days"] = Found(
            tuple(day for day in order if day in on), tuple(sorted(span for _, spans in named for span in spans))
        )
    return fields


def _near(window: Window, spans: list[tuple[int, int]]) -> bool:
    """Whether days stand in the words around a window."""
    return any(
        abs(a - window.end) <= 80 or abs(window.start - b) <= 80 or (window.start <= a and b <= window.end)
        for a, b in spans
    )
