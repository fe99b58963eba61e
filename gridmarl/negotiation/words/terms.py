"""On what terms: the lowest price, what stays in the battery, how charged the car must be, and comfort."""

from __future__ import annotations

import re
from typing import Final

from gridmarl.negotiation.words.belongings import kept_energy
from gridmarl.negotiation.words.numerals import NUMBER, Share, number, shares
from gridmarl.negotiation.words.reading import Found, Reading, all_of, overlaps
from gridmarl.units import KW_PER_MW

HIGHEST_PRICE_PER_MWH: Final = 2000.0
"""California's hard cap on energy bids, $/MWh (FERC Order 831, 2016): asking more is asking this."""
PLAIN_DOLLARS: Final = 2.0
"""Dollars without a unit are per kWh up to here; more could be anything, and is asked about."""

_PER: Final = (
    r"(?:\s*(?:/|per|an?|each|for (?:each|every|an?)|every)\s*(?P<{0}>kwh|kilowatt[\s-]?hour|mwh|"
    r"megawatt[\s-]?hour|kw\b|kilowatt\b|\w+))?"
)
_PRICE: Final = re.compile(
    rf"\$\s?(?P<dollars>{NUMBER}|\d+(?:\.\d+)?|\.\d+){_PER.format('unit1')}"
    rf"|(?P<cents>{NUMBER})\s*(?:¢|cents?\b|c(?=\s?/)|cts?\b){_PER.format('unit2')}"
    rf"|(?P<bucks>{NUMBER})\s*(?:\$|dollars?\b|bucks\b|usd\b){_PER.format('unit3')}"
)
_PAYING: Final = re.compile(
    r"\b(?:bills?|i pay|we pay|i'm paying|we're paying|paid|pays|costs?|bought|spent|rate is|my rate|tariff|rent|"
    r"loan|monthly|"
    r"my utility|pg&e charges|charges? (?:me|us)|at most|no more than|up to|for buying|to buy|i'd buy|"
    r"charge (?:it|the|my) \w* ?(?:when|below|under|at))\b"
)
_ASKING: Final = re.compile(
    r"\b(?:at least|min(?:imum)?|never|not|won't|nothing|less than|below|under|beats?|above|more than|over|"
    r"exceeds?|want|need|"
    r"for|floor|sell|sold|accept|take|worth|pay me|pays? us|otherwise|or (?:more|higher|better)|upwards?|"
    r"starting|from|only|price|ask(?:ing)?|hits?|reach(?:es)?)\b"
)
_OTHER_SHARES: Final = re.compile(
    r"\s*(?:discount|off\b|cheaper|fees?\b|commission|efficien|tax|interest|degrad|humid|sure|chance|more\b|"
    r"less\b|raise|"
    r"(?:of|on) (?:my|the|our|your|all) (?:\w+ )?(?:bill|roof|profit|income|revenue|money|earnings|time|sales|"
    r"house|energy use))"
)
_STRONG: Final = re.compile(
    r"\b(?:back-?\s?ups?|reserved?|outages?|black-?outs?|power cuts?|power failures?|emergenc\w+|shut-?offs?|"
    r"psps|in hand|rainy day)\b(?! price)"
)
_WEAK: Final = re.compile(
    r"\b(?:keep|keeps|leave|leaves|leaving|hold|below|under|less than|floor|back|soc|state of charge|empt\w+|"
    r"remain\w*|left|stays?|save|spare|min(?:imum)?|at least|last|stop|down to)\b"
)
_CAR: Final = re.compile(
    r"(?<!dis)(?<!dis-)\bcharged?\b|\bcharging\b|\bready\b|\bfull by\b|\bby (?:\d|six|seven|eight|five|noon|"
    r"midnight)|\bplugged\b"
)
_CEILING: Final = re.compile(
    r"\b(?:use|discharge|take|sell|drain|draw|export|have|go through)\b[^.;]{0,30}?\b(?:at most|up to|"
    r"no more than|not more than|a maximum of|max(?:imum)?|only)\s+$"
    r"|\b(?:at most|up to|no more than|not more than|a maximum of|max(?:imum)?|only)\s+(?:use|discharge|take|"
    r"sell|drain|draw|export)\s+(?:up to\s+)?$|\b(?:don't|never|not) (?:use|discharge|take|sell|drain|"
    r"draw) more than\s+$"
)
_FRACTION_OF_ONE: Final = re.compile(
    r"\b(?:back-?\s?up|reserve|soc)(?:[_ ]share)?\s*(?:=|:|of|at|is)?\s*(?P<value>0?\.\d+)(?!\d|\s*(?:%|kwh|kw\b|"
    r"\$|¢))"
)
_NO_BACKUP: Final = re.compile(
    r"\b(?:no|zero|without(?: any)?|(?:don't|do not|doesn't|dont) (?:need|want|care about|require)(?: any| a|"
    r" to keep any)?|skip the|not need(?: any| a)?)\s+(?:battery\s+)?(?:back-?\s?up|reserve)(?!\s?(?:price|plan))\b"
    r"|\b(?:drain|empty|use|discharge|run)\b(?: (?:it|the|my|our|all|of|battery|batteries|powerwalls?|"
    r"them)){1,4} (?:completely|fully|entirely|all the way|flat|empty|to (?:zero|0\b|empty|nothing)|"
    r"down to (?:zero|0\b|nothing))"
)
_NEGATED: Final = re.compile(
    r"\b(?:don't|do not|dont|never|not|won't|mustn't|must not|shouldn't|cannot|can't)\b[^.;,]*$"
)
_FULL_BATTERY: Final = re.compile(
    r"\b(?:keep|leave|hold)\s+(?:it|(?:the|my|our)\s+(?:\w+\s+)?(?:battery|batteries|"
    r"powerwalls?))\s+(?:at\s+)?(?:full|fully charged|topped up|charged up)\b"
)
_FULL_CAR: Final = re.compile(
    r"\b(?:(?:completely |fully )?full(?:y charged)?|topped (?:up|off)|fully loaded)\b(?! (?:price|amount|rate|"
    r"time|day|backup|battery backup))"
)
_CHARGED_BY: Final = re.compile(r"(?<!dis)(?<!dis-)\bcharged(?= (?:by|before|at)\b)")
_LOW: Final = re.compile(
    r"\bcomfort (?:isn't|is not|doesn't|does not|does n't|matters? (?:little|less|not at all)|is (?:secondary|"
    r"unimportant|no issue|irrelevant))(?: \w+)?|\b(?:don't|do not|dont|doesn't|wouldn't) (?:really |"
    r"much )?(?:mind|care)\b[^.;]{0,40}\b(?:warm|cold|hot|cool|comfort|temperature|chilly|sweat|sweater)\w*"
    r"|\b(?:fine|ok|okay|happy) with (?:\w+ ){0,4}(?:warmer|cooler|colder|hotter|discomfort)"
)
_HIGH: Final = re.compile(
    r"\b(?:at|to|around|below|above|under|over) \d\d\s?(?:degrees|°|f\b)"
    r"|\bcomfort (?:comes first|first|is (?:very |really |so |most |extremely )?(?:important|everything|key|"
    r"essential|sacred|(?:a|our|my|the) (?:top |first |highest )?priority)|matters(?: a lot| most| the most|"
    r" above all)?|above all)"
    r"|\b(?:keep|keeps|stay|stays|remain) (?:\w+ ){0,2}(?:comfortable|cosy|cozy|nice and (?:cool|warm))|"
    r"\b(?:don't|do not|never|not|hands off) (?:touch|change|adjust|mess with|alter|the)?\s?(?:the |my |"
    r"our )?(?:thermostat|a/?c\b|air con\w*|heating)"
    r"|\b(?:can't|cannot|won't|don't want to) (?:stand |bear |be |feel )+(?:\w+ )?(?:heat|cold|hot|uncomfortable)\b"
)
_MIDDLE: Final = re.compile(
    r"\b(?:some comfort|reasonably comfortable|comfort (?:is|matters) (?:somewhat|a little|a bit|to some extent)|"
    r"moderate comfort|a (?:little|bit of) discomfort is)\b"
)


def lowest_price(reading: Reading) -> tuple[Found | None, list[str]]:
    """The price below which they will not sell, $/MWh; of several the highest.

    Returns
    -------
    Found or None
        Never above `HIGHEST_PRICE_PER_MWH`.
    list of str
        What to ask, where an amount has no unit.
    """
    offers: list[tuple[float, int, int]] = []
    questions: list[str] = []
    for match in all_of(_PRICE, reading):
        first, last = reading.sentence(match.start())
        piece = reading.words(reading.part(match.start()))
        if _PAYING.search(piece) or (
            not _ASKING.search(reading.text[first:last]) and (last - first) > len(match[0]) + 2
        ):
            continue
        price = _per_mwh(match)
        if price is not None:
            offers.append((min(price, HIGHEST_PRICE_PER_MWH), match.start(), match.end()))
        elif match["dollars"] or match["bucks"]:
            questions.append(f"Is {match[0].strip()!r} a price per kWh or per MWh?")
    if not offers:
        return None, questions
    value, start, end = max(offers)
    return Found(round(value, 6), ((start, end),)), questions


def _per_mwh(match: re.Match[str]) -> float | None:
    """A price in $/MWh; None where it has another unit or none to go by."""
    unit = match["unit1"] or match["unit2"] or match["unit3"] or ""
    said = match["dollars"] or match["cents"] or match["bucks"]
    dollars = number(said) / (100 if match["cents"] else 1)
    if unit.startswith(("kwh", "kilowatt-h", "kilowatt h", "kilowatth")):
        return dollars * KW_PER_MW
    if unit.startswith(("mwh", "megawatt")):
        return dollars
    if unit in ("kw", "kilowatt", "day", "night", "week", "month", "year", "car", "event", "hour"):
        return None
    return dollars * KW_PER_MW if match["cents"] or dollars <= PLAIN_DOLLARS else None


def kept_shares(reading: Reading, battery_kwh: float | None) -> tuple[dict[str, Found], list[str]]:
    """``backup_share`` and ``ev_target_share``; of several the highest.

    Parameters
    ----------
    reading : Reading
        The text.
    battery_kwh : float or None
        The battery's size where known, to make a share of an energy.
    """
    backups: list[tuple[float, int, int]] = []
    targets: list[tuple[float, int, int]] = []
    questions: list[str] = []
    for share in shares(reading.text):
        if not reading.holds(share.start) or _OTHER_SHARES.match(reading.text, share.end):
            continue
        role = _role(reading, share)
        if not 0 <= share.value <= 1:
            questions.append(f"{reading.text[share.start : share.end]!r} is more than all of it: how much do you mean?")
        elif role == "ceiling":
            backups.append((1 - share.value, share.start, share.end))
        elif role is not None:
            (backups if role == "backup" else targets).append((share.value, share.start, share.end))
    backups += [(float(m["value"]), m.start("value"), m.end("value")) for m in all_of(_FRACTION_OF_ONE, reading)]
    energies = kept_energy(reading)
    if battery_kwh:
        backups += [(min(kwh / battery_kwh, 1.0), start, end) for kwh, start, end in energies]
    elif energies:
        questions.append("How many kWh has the battery that shall keep this reserve?")
    backups += [(1.0, m.start(), m.end()) for m in all_of(_FULL_BATTERY, reading)]
    targets += [(1.0, m.start(), m.end()) for m in all_of(_FULL_CAR, reading) if _about_a_car(reading, m.start())]
    if not targets:
        charged = all_of(_CHARGED_BY, reading)
        targets = [(1.0, m.start(), m.end()) for m in charged if _about_a_car(reading, m.start())]
    if not backups:
        emptied = [m for m in all_of(_NO_BACKUP, reading) if not _forbidden(reading, m)]
        backups = [(0.0, m.start(), m.end()) for m in emptied]
    chosen = {"backup_share": backups, "ev_target_share": targets}
    fields = {name: max(options) for name, options in chosen.items() if options}
    return {name: Found(round(v, 6), ((a, b),)) for name, (v, a, b) in fields.items()}, questions


def comfort(reading: Reading) -> Found | None:
    """How much comfort matters: 1, 0.5 or 0."""
    low = all_of(_LOW, reading)
    for value, pattern in ((0.5, _MIDDLE), (1.0, _HIGH)):
        for match in all_of(pattern, reading):
            if not overlaps(*match.span(), [m.span() for m in low]):
                return Found(value, (match.span(),))
    return Found(0.0, (low[0].span(),)) if low else None


def _role(reading: Reading, share: Share) -> str | None:
    """What a share is of: ``backup``, ``ev``, ``ceiling`` of what may be used, or nothing we know."""
    piece = reading.part(share.start)
    words = reading.words(piece)
    near = [a for a in reading.assets if piece.start <= a.start < piece.end and a.kind != "pv"]
    kinds = {a.kind for a in near}
    if len(kinds) == 2:
        nearest = min(near, key=lambda a: min(abs(a.start - share.end), abs(share.start - a.end)))
        kinds = {nearest.kind}
    if _CEILING.search(reading.text[piece.start : share.start]) and "ev" not in kinds:
        return "ceiling"
    if _STRONG.search(words) or "battery" in kinds:
        return "backup"
    if "ev" in kinds or _CAR.search(words):
        return "ev"
    last = reading.last_asset(share.start, ("battery", "ev"), owned=True)
    if last is not None and last.kind == "ev" and reading.sentence(last.start) == reading.sentence(share.start):
        return "ev"
    first, end = reading.sentence(share.start)
    if _WEAK.search(words) or _STRONG.search(reading.text, first, end):
        return (
            "ev"
            if last is not None and last.kind == "ev" and not _STRONG.search(reading.text, first, end)
            else "backup"
        )
    return None if last is None else "ev" if last.kind == "ev" else "backup"


def _about_a_car(reading: Reading, position: int) -> bool:
    """Whether what is full is the car."""
    if any(m.start() <= position < m.end() for m in _FULL_BATTERY.finditer(reading.text)):
        return False
    first, last = reading.sentence(position)
    piece = reading.part(position)
    named = [a for a in reading.assets if piece.start <= a.start < piece.end and a.kind != "pv"]
    if not named:
        named = [a for a in reading.assets if first <= a.start < last and a.kind != "pv"]
    if named:
        return any(a.kind == "ev" for a in named)
    asset = reading.last_asset(position, ("battery", "ev"))
    return asset is not None and asset.kind == "ev"


def _forbidden(reading: Reading, match: re.Match[str]) -> bool:
    """Whether "drain it completely" comes after "don't"."""
    piece = reading.part(match.start())
    return _NEGATED.search(reading.text, piece.start, match.start()) is not None
