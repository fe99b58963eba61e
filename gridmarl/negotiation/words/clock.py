"""Times of the day and windows of hours as people write them: 10pm, half past six, noon, 22-6, on weekends."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil, floor
from typing import Final

from gridmarl.negotiation.words.numerals import number

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOURS: Final = 24
MORNING: Final = 6
"""When an open end of the night is over: "after 10pm" is until 06:00."""

_NAMED_TIMES: Final = {"noon": 12.0, "midday": 12.0, "midnight": 24.0}
_HALF_OF_DAY: Final = (
    r"(?:\s*(?P<half{n}>[ap]\.?\s?m\b\.?)|\s+(?P<part{n}>in the (?:morning|afternoon|evening)|at night|tonight))?"
)
_CLOCK_WORDS: Final = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
_TIME: Final = (
    r"(?:(?P<named{n}>noon|midday|midnight)\b"
    r"|(?P<shift{n}>half past|quarter past|quarter to)?\s*"
    rf"(?P<hour{{n}}>(?<![\w.$:])\d{{{{1,2}}}}(?!\d)|"
    rf"\b(?:{_CLOCK_WORDS})\b)"
    r"(?:[:.](?P<minute{n}>[0-5]\d)(?!\d))?(?P<clock{n}>\s*o'clock|\s?h\b)?" + _HALF_OF_DAY + ")"
)
_NO_UNIT: Final = (
    r"(?!\s*(?:%|¢|\$|/|,\d|\.\d|:\d|kw|kilowatt|w\b|watt|mw|cents?\b|c/|percent|per\s?cent|pct|dollars?|bucks|"
    r"amps?\b|"
    r"panels?|powerwalls?|batter|hours?\b|minutes?\b|mins?\b|miles?|cars?\b|evs?\b|people|kids|degrees?|times\b))"
)
_PARTS: Final = {
    r"over\s?night|at night|(?:during |in |all |through )the nights?|night\s?time|nights|all night": (22, 6),
    r"(?:in |during )?(?:the )?evenings?": (17, 22),
    r"(?:in |during )?(?:the )?afternoons?": (12, 17),
    r"(?:in |during )?(?:the )?mornings?": (6, 12),
    r"(?:during the |in the )day(?:time)?|daytime": (6, 18),
    r"(?:on-?|during )?(?:the )?peak(?: hours| times?| period)?": (16, 21),
}
_RANGE: Final = re.compile(
    r"(?:\b(?:between|from|after)\s+)?"
    + _TIME.format(n=1)
    + r"\s*(?:-|–|—|\bto\b|\buntil\b|\btill\b|'til\b|\band\b|\bthrough\b|\bthru\b)\s*"
    + _TIME.format(n=2)
    + _NO_UNIT
)
_AFTER: Final = re.compile(
    r"\b(?:after|past|from|stop(?:s|ping)? (?:at|by)|starting(?: at)?|beginning(?: at)?|later than|since|"
    r"as of)\s+" + _TIME.format(n=1) + _NO_UNIT
)
_BEFORE: Final = re.compile(r"\b(?:before|until|till|'til|earlier than|up to)\s+" + _TIME.format(n=1) + _NO_UNIT)
_NAMED: Final = re.compile("|".join(rf"(?P<p{i}>\b(?:{pattern})\b)" for i, pattern in enumerate(_PARTS)))
_POINT: Final = re.compile(
    r"\b(?P<word>by|at|before|until|for|around|no later than|leav(?:es?|ing)|depart(?:s|ing|ure)?|"
    r"ready)\s+(?:by\s+|at\s+)?(?:around\s+|"
    r"about\s+)?" + _TIME.format(n=1) + _NO_UNIT
)
_DAY_NAMES: Final = [
    "mon(?:day)?",
    "tue(?:s|sday)?",
    "wed(?:nesday)?",
    "thu(?:r|rs|rsday)?",
    "fri(?:day)?",
    "sat(?:urday)?",
    "sun(?:day)?",
]
_DAY_RANGE: Final = re.compile(
    "|".join(
        rf"(?P<d{i}_{j}>\b(?:{a})s?\s*(?:-|–|to|through|thru|until)\s*(?:{b})s?\b)"
        for i, a in enumerate(_DAY_NAMES)
        for j, b in enumerate(_DAY_NAMES)
        if i != j
    )
)
_DAY: Final = re.compile(r"\b(?P<day>monday|tuesday|wednesday|thursday|friday|saturday|sunday)s?\b")
_WEEK: Final = re.compile(
    r"\b(?:(?P<end>week-?\s?ends?)|(?P<work>week\s?days?|work(?:ing)?\s?days?|business days?|school days?))\b"
)


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of the day, and where the text says them.

    Attributes
    ----------
    hours : frozenset of int
        Every hour that the window touches, 0 to 23.
    start, end : int
        Characters of the text.
    """

    hours: frozenset[int]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Moment:
    """A time of the day, the word before it, and where it stands (hours, 7.5 is 07:30)."""

    hour: float
    word: str
    start: int
    end: int


def windows(text: str) -> list[Window]:
    """Windows of hours in a lower-case text, from left to right.

    A bare hour takes the reading that makes the window shorter ("10 to 6am" begins at 22:00). Where neither end says
    which half of the day it is, both count, because the windows are used to forbid: "7-9" is morning and evening.

    Examples
    --------
    >>> [sorted(window.hours) for window in windows("between 4 and 7pm, or after 10pm")]
    [[16, 17, 18], [0, 1, 2, 3, 4, 5, 22, 23]]
    """
    found: list[Window] = []
    for pattern, read in ((_RANGE, _closed), (_AFTER, _open_end), (_BEFORE, _open_start), (_NAMED, _part)):
        for match in pattern.finditer(text):
            hours = read(match)
            if hours and not any(match.start() < w.end and w.start < match.end() for w in found):
                found.append(Window(hours, match.start(), match.end()))
    return sorted(found, key=lambda window: window.start)


def moments(text: str) -> list[Moment]:
    """Times with "by", "at", "before", ... before them; of a bare hour the one in the morning, which is the earlier."""
    found: list[Moment] = []
    for match in _POINT.finditer(text):
        readings = _readings(match, 1)
        if readings:
            found.append(Moment(min(readings) % HOURS, match["word"], match.start(), match.end()))
    return found


def days(text: str) -> tuple[tuple[str, ...], list[tuple[int, int]]]:
    """Days of the week that a lower-case text names, in the week's order, and where.

    Examples
    --------
    >>> days("on weekends and from monday to wednesday")[0]
    ('mon', 'tue', 'wed', 'sat', 'sun')
    """
    named: set[int] = set()
    spans: list[tuple[int, int]] = []
    for match in _WEEK.finditer(text):
        named |= {5, 6} if match["end"] else {0, 1, 2, 3, 4}
        spans.append(match.span())
    for match in _DAY_RANGE.finditer(text):
        first, last = (int(n) for n in (match.lastgroup or "d0_0")[1:].split("_"))
        named |= {day % 7 for day in range(first, last + 1 if last > first else last + 8)}
        spans.append(match.span())
    for match in _DAY.finditer(text):
        named.add(DAYS.index(match["day"][:3]))
        spans.append(match.span())
    return tuple(DAYS[day] for day in sorted(named)), spans


def spoken(hours: frozenset[int] | tuple[int, ...]) -> str:
    """Hours as windows a person reads.

    Examples
    --------
    >>> spoken((0, 1, 22, 23, 8))
    '08:00-09:00, 22:00-02:00'
    """
    chosen = frozenset(hours)
    if len(chosen) == HOURS:
        return "at any hour"
    starts = sorted(h for h in chosen if (h - 1) % HOURS not in chosen)
    ends = [next(h + n for n in range(1, HOURS) if (h + n) % HOURS not in chosen) for h in starts]
    return ", ".join(f"{a:02d}:00-{b % HOURS:02d}:00" for a, b in zip(starts, ends, strict=True))


def _readings(match: re.Match[str], n: int) -> tuple[float, ...]:
    """The hours that a time may mean: one, two where the half of the day is not said, none where it is no time."""
    if match[f"named{n}"]:
        return (_NAMED_TIMES[match[f"named{n}"]],)
    hour = number(match[f"hour{n}"]) + int(match[f"minute{n}"] or 0) / 60
    hour += {"half past": 0.5, "quarter past": 0.25, "quarter to": -0.25}.get(match[f"shift{n}"] or "", 0.0)
    half, part = match[f"half{n}"], match[f"part{n}"]
    if half or part:
        if hour >= 13:
            return (hour,) if hour <= HOURS else ()
        late = (
            half.startswith("p")
            if half
            else part != "in the morning" and not (part in ("at night", "tonight") and hour % 12 < 5)
        )
        return (hour % 12 + (12 if late else 0),)
    if hour > HOURS:
        return ()
    if hour >= 13 or match[f"hour{n}"].startswith("0"):
        return (hour,)
    return (hour, hour + 12) if hour < 12 else (12.0 + hour % 1, 24.0 + hour % 1)


def _between(start: float, end: float) -> frozenset[int]:
    if end <= start:
        end += HOURS
    return frozenset(h % HOURS for h in range(floor(start), ceil(end)))


def _closed(match: re.Match[str]) -> frozenset[int]:
    starts, ends = _readings(match, 1), _readings(match, 2)
    if not starts or not ends:
        return frozenset()
    if len(starts) == len(ends) == 2:
        return (
            _between(starts[0], ends[0]) | _between(starts[1], ends[1]) if ends[0] > starts[0] else _both(starts, ends)
        )
    return min((_between(a, b) for a in starts for b in ends), key=len)


def _both(starts: tuple[float, ...], ends: tuple[float, ...]) -> frozenset[int]:
    """10 to 6: from ten in the morning, or from ten at night."""
    return _between(starts[0], ends[1]) | _between(starts[1], ends[0])


def _open_end(match: re.Match[str]) -> frozenset[int]:
    hours: frozenset[int] = frozenset()
    for start in (reading % HOURS for reading in _readings(match, 1)):
        hours |= _between(start, MORNING) if start >= 12 or start < MORNING else _between(start, HOURS)
    return hours


def _open_start(match: re.Match[str]) -> frozenset[int]:
    readings = _readings(match, 1)
    return _between(0, max(readings)) if readings else frozenset()


def _part(match: re.Match[str]) -> frozenset[int]:
    return _between(*list(_PARTS.values())[int((match.lastgroup or "p0")[1:])])
