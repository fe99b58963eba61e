"""What a household says it owns: energy and power of battery, car and roof, by product names or by numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from gridmarl.negotiation.words.numerals import NUMBER, number
from gridmarl.negotiation.words.products import Kind
from gridmarl.negotiation.words.reading import Asset, Found, Reading, all_of

Measure = Literal["kwh", "kw"]

_ENERGY: Final = r"kwhs?|kw\s?-?\s?h(?:ou)?rs?|kilowatt[\s-]?hours?|wh\b|watt[\s-]?hours?|mwh"
_POWER: Final = r"kwp?s?(?:[\s-]?dc|[\s-]?ac)?|kilowatts?|watts?|w"
_QUANTITY: Final = re.compile(
    rf"(?<!\$)(?P<number>{NUMBER})\s*-?\s*(?:(?P<energy>{_ENERGY})|(?P<power>{_POWER}))\b(?!\s*(?:per|a|an|each|"
    rf"every|/)\s*(?:day|night|week|month|year|hour))"
)
_BARE_QUANTITY: Final = rf"{NUMBER}\s*-?\s*(?:{_ENERGY}|{_POWER})\b"
_ADJECTIVE: Final = re.compile(
    rf"(?:[\s/+&-]|\bof\b|\bworth\b|\busable\b|\bcapacity\b|\bhome\b|\bhouse\b|\brooftop\b|\broof\b|\bwall\b|"
    rf"\blithium\b|\bbackup\b|\btesla\b|\blg\b|,?\s*{_BARE_QUANTITY}|\band\b(?=\s*{_BARE_QUANTITY}))*"
)
_CHARGER: Final = re.compile(r"\s*(?:level\s?(?:2|two)\s*)?(?:home\s*)?(?:chargers?\b|charging\b|wall\s?box|evse)")
_CHARGER_BEFORE: Final = re.compile(r"(?:charger|wall\s?box|evse|charges|charging)\b[^.;]{0,20}$")
_KEPT: Final = re.compile(
    r"\b(?:keep|leave|reserve|hold|save|spare|retain|remaining|at least|below|under)\b[^.;,]{0,24}$"
)
_FOR_BACKUP: Final = re.compile(
    r"[^.;,]{0,30}\b(?:back-?\s?up|reserve|outages?|black-?outs?|emergenc\w+|power cuts?|untouched|in reserve)\b"
)
_COUNT: Final = re.compile(
    rf"(?P<number>{NUMBER}|\ba (?:pair|couple) of|\bpair of|\ba couple|\bboth)\s*(?:x\b|×|of)?\s*(?:(?:the|these|"
    rf"those|my|our|tesla|enphase|lg|old|new|big|small|stacked)\s+)*$"
)
_COUNT_AFTER: Final = re.compile(r"\s*(?:\(\s*)?[x×]\s?(?P<number>\d{1,2})\b")
_ANOTHER: Final = re.compile(r"\b(?:another|a second|second|additional|extra|also a|plus a|and an?)\s+(?:\w+\s+)?$")
_HANDS_OFF: Final = re.compile(
    r"(?:\b(?:don't|do not|dont|never|(?<!reason )not|nobody may|won't let you|can't|cannot|may not|mustn't|"
    r"must not|no one)\s+(?:\w+\s+){0,3}?(?:dis-?charge|use|using|touch|drain|draw from|run|dispatch|include|"
    r"count on|take from|go near)\s+(?:from\s+)?"
    r"|\bhands off\s+|\bkeep (?:your )?hands off\s+)(?:of\s+)?(?:the|my|our|either)?\s*$"
)
_HANDS_OFF_AFTER: Final = re.compile(
    r"(?:'s battery)?(?:\s*,?\s*(?:itself\s+)?(?:alone\b|out of (?:this|it)\b)|\s+(?:is|are|stays|remains|"
    r"must stay|must remain)\s+(?:\w+\s+)?(?:off[- ]limits|out of (?:this|it|bounds)|taboo|not (?:available|"
    r"for sale|part of this|to be (?:used|touched|discharged))|mine alone))"
)
_UNLESS: Final = re.compile(
    r"\bbelow\b|\bunder\b|\bless than\b|\bcompletely\b|\bfully\b|\bempty\b|\bflat\b|\ball the way\b|"
    r"\bfor (?:less|under)\b|%|¢|\$|\bcents?\b|\bunless\b|\bmore than\b|\bpercent\b"
)
_FIELDS: Final[dict[Kind, tuple[Measure, ...]]] = {"battery": ("kwh", "kw"), "ev": ("kwh", "kw"), "pv": ("kw",)}
MOST_OF_A_KIND: Final = 20


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with a unit, and the asset it belongs to."""

    measure: Measure
    value: float
    start: int
    end: int
    asset: Asset | None
    each: bool


def belongings(reading: Reading, timed: bool) -> tuple[dict[str, Found], list[str]]:
    """Sizes of what is owned; what is not owned is 0.

    Parameters
    ----------
    reading : Reading
        The text.
    timed : bool
        Whether it also says hours, so that "don't use the battery" is about these.

    Returns
    -------
    dict of str to Found
        ``battery_kwh``, ``battery_kw``, ``ev_kwh``, ``ev_kw``, ``pv_kw`` [kWh, kW], where said.
    list of str
        What to ask, where something is owned and its size is not said.
    """
    sizes = [_placed(reading, m) for m in all_of(_QUANTITY, reading) if not is_kept(reading, m)]
    fields: dict[str, Found] = {}
    questions: list[str] = []
    for kind, measures in _FIELDS.items():
        owned = [a for a in reading.assets if a.kind == kind and a.status == "owned"]
        absent = [a for a in reading.assets if a.kind == kind and a.status in ("gone", "planned", "none")]
        given = [q for q in sizes if q.asset is not None and q.asset.kind == kind and q.asset.status == "owned"]
        if not owned and absent:
            fields |= {f"{kind}_{measure}": Found(0.0, ((absent[0].start, absent[0].end),)) for measure in measures}
        for measure in measures if owned else ():
            found = _total(reading, measure, owned, [q for q in given if q.measure == measure])
            if found is not None:
                fields[f"{kind}_{measure}"] = found
            else:
                questions.append(_question(kind, measure))
        forbidden = _hands_off(reading, owned) if kind != "pv" and not timed else None
        if forbidden is not None:
            fields[f"{kind}_kw"] = forbidden
    return fields, questions


def kept_energy(reading: Reading) -> list[tuple[float, int, int]]:
    """Energies that shall stay in the battery [kWh], and where the text says so."""
    matches = [m for m in all_of(_QUANTITY, reading) if is_kept(reading, m)]
    return [(_value(m), m.start(), m.end()) for m in matches]


def is_kept(reading: Reading, match: re.Match[str]) -> bool:
    """Whether an energy is what shall stay in the battery, rather than its size."""
    if not match["energy"] or _adjacent(reading, match.end(), ("battery", "ev")) is not None:
        return False
    kept = _KEPT.search(reading.text[: match.start()]) or _FOR_BACKUP.match(reading.text, match.end())
    return kept is not None


def _value(match: re.Match[str]) -> float:
    unit = match["energy"] or match["power"]
    scale = 1e-3 if unit.startswith("w") else 1e3 if unit.startswith("m") else 1.0
    return number(match["number"]) * scale


def _placed(reading: Reading, match: re.Match[str]) -> Quantity:
    """The asset that a quantity belongs to: right after it, before it in the sentence, after it, or earlier."""
    measure: Measure = "kwh" if match["energy"] else "kw"
    kinds: tuple[Kind, ...] = ("battery", "ev") if match["energy"] else ("battery", "ev", "pv")
    text, (first, last) = reading.text, reading.sentence(match.start())
    if measure == "kw" and (_CHARGER.match(text, match.end()) or _CHARGER_BEFORE.search(text[first : match.start()])):
        kinds = ("ev",)
    asset = _adjacent(reading, match.end(), kinds)
    each = asset is not None
    inside = [a for a in reading.assets if a.kind in kinds and first <= a.start < last]
    if asset is None:
        before = [a for a in inside if a.end <= match.start()]
        asset = before[-1] if before else inside[0] if inside else reading.last_asset(match.start(), kinds)
    return Quantity(measure, _value(match), match.start(), match.end(), asset, each)


def _adjacent(reading: Reading, end: int, kinds: tuple[Kind, ...]) -> Asset | None:
    """The asset that a quantity stands right before, as in "6.4 kW of solar"."""
    following = next((a for a in reading.assets if a.start >= end), None)
    if following is None or following.kind not in kinds:
        return None
    return following if _ADJECTIVE.fullmatch(reading.text, end, following.start) else None


def _count(text: str, start: int, end: int) -> int:
    """How many: "two Powerwalls", "Powerwall x2"."""
    match = _COUNT.search(text[:start]) or _COUNT_AFTER.match(text, end)
    if match is None:
        return 1
    said = match["number"]
    count = number(said) if said[-1].isdigit() or re.fullmatch(NUMBER, said) else 2.0
    return int(count) if count == int(count) and 1 <= count <= MOST_OF_A_KIND else 1


def _total(reading: Reading, measure: Measure, owned: list[Asset], given: list[Quantity]) -> Found | None:
    """Sum over different things; the same thing named twice counts once, and a number beside a product overrules it."""
    sums: dict[str, tuple[float, tuple[tuple[int, int], ...]]] = {}
    stated = [asset for asset in owned if asset.mention.product or any(q.asset == asset for q in given)]
    for n, asset in enumerate(stated):
        size = _size(reading, measure, asset, [q for q in given if q.asset == asset])
        if size is None:
            continue
        product = asset.mention.product
        more = n > 0 and _ANOTHER.search(reading.text[: size[1][0][0]]) is not None
        name = f"{product.name if product else ''}{n if more else ''}"
        if not product and not more and sums:
            name = next(iter(sums))
            if size[0] < sums[name][0]:
                sums[name] = size
        elif name not in sums or size[0] > sums[name][0]:
            sums[name] = size
    if not sums:
        return None
    spans = sorted({span for _, found in sums.values() for span in found})
    return Found(round(sum(value for value, _ in sums.values()), 6), tuple(spans))


def _size(
    reading: Reading, measure: Measure, asset: Asset, given: list[Quantity]
) -> tuple[float, tuple[tuple[int, int], ...]] | None:
    """Energy or power of one mention, times how many of it there are, and where that is said."""
    product = asset.mention.product
    count = _count(reading.text, asset.start, asset.end)
    if given:
        smallest = min(given, key=lambda q: q.value)
        times = _count(reading.text, smallest.start, smallest.end) if smallest.each else 1
        return smallest.value * times, ((smallest.start, smallest.end),)
    if product is None:
        return None
    return (product.kwh if measure == "kwh" else product.kw) * count, ((asset.start, asset.end),)


def _hands_off(reading: Reading, owned: list[Asset]) -> Found | None:
    """Whether an asset shall not be touched at all: "don't use my car"."""
    for asset in owned:
        first, last = reading.sentence(asset.start)
        if _UNLESS.search(reading.text, asset.end, last):
            continue
        before = _HANDS_OFF.search(reading.text, first, asset.start)
        after = _HANDS_OFF_AFTER.match(reading.text, asset.end)
        if before or after:
            start = before.start() if before else asset.start
            return Found(0.0, ((start, after.end() if after else asset.end),))
    return None


def _question(kind: Kind, measure: Measure) -> str:
    thing = {"battery": "battery", "ev": "car's battery" if measure == "kwh" else "car's charger", "pv": "solar roof"}[
        kind
    ]
    return f"How many {'kWh' if measure == 'kwh' else 'kW'} has your {thing}?"
