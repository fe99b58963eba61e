"""What a product's name says about its size: home batteries, and cars with their onboard chargers.

Usable energy and continuous power of the manufacturers' data sheets: Tesla (Powerwall 2, 2019; Powerwall 3, 2024),
Enphase (IQ Battery 3T and 10T, 2021; 5P, 2023; 10C, 2025), LG Energy Solution (RESU10H, 2018; RESU10H Prime and 16H
Prime, 2021), FranklinWH (aPower, 2022; aPower 2, 2024), Generac (PWRcell M3 and M6, 2021), SolarEdge (Home Battery
400V, 2021), sonnen (sonnenCore+, 2023). Cars: the energy that their makers advertise for the American market, which is
up to a twentieth above what is usable (Nissan, Tesla, Chevrolet, Ford, Hyundai, Kia, Volkswagen, Rivian, BMW, Toyota;
models of 2014 to 2024), and their onboard chargers. Nothing is fetched: whoever knows better says the kWh.

Where a name covers several variants the smallest stands here, and variants are told apart only by words of the text:
whoever says less than they have promises less than they could keep.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["battery", "ev", "pv"]


@dataclass(frozen=True, slots=True)
class Product:
    """A product and the words it goes by.

    Attributes
    ----------
    name : str
        As it is read back.
    kind : str
        ``battery`` or ``ev``.
    words : str
        A pattern without groups, for lower-case text.
    kwh : float
        Usable energy of one, kWh.
    kw : float
        Continuous power of one, kW; of a car, what its onboard charger takes from the wall.
    """

    name: str
    kind: Kind
    words: str
    kwh: float
    kw: float


PRODUCTS: Final = (
    Product("Powerwall 3", "battery", r"power\s?walls?\s?(?:3|iii|three)s?\b|pw\s?3s?\b", 13.5, 11.5),
    Product(
        "Powerwall",
        "battery",
        r"power\s?walls?(?:\s?(?:\+|plus\b|(?:1|2|ii|two)s?\b(?!\s*k?w)))?|pw\s?2s?\b",
        13.5,
        5.0,
    ),
    Product("Enphase IQ Battery 5P", "battery", r"(?:enphase\s)?(?:iq\s)?(?:battery\s)?\b5ps?\b", 5.0, 3.84),
    Product("Enphase IQ Battery 10C", "battery", r"(?:enphase\s)?(?:iq\s)?(?:battery\s)?\b10cs?\b", 10.0, 7.08),
    Product(
        "Enphase IQ Battery 10T",
        "battery",
        r"(?:enphase\s)?(?:iq\s)?(?:battery\s|encharge\s)?\b10ts?\b|encharge 10s?",
        10.08,
        3.84,
    ),
    Product(
        "Enphase IQ Battery 3T",
        "battery",
        r"(?:enphase\s)?(?:iq\s)?(?:battery\s|encharge\s)?\b3ts?\b|encharge 3s?|enphase(?: iq)?(?: batter(?:y|ies))?",
        3.36,
        1.28,
    ),
    Product("LG RESU16H Prime", "battery", r"(?:lg\s?)?resu[- ]?16h?(?:\s?prime)?", 16.0, 7.0),
    Product("LG RESU10H Prime", "battery", r"(?:lg\s?)?resu[- ]?10h?\s?prime", 9.6, 5.0),
    Product("LG RESU10H", "battery", r"(?:lg\s?)?resu(?:[- ]?10h?)?", 9.3, 5.0),
    Product("FranklinWH aPower 2", "battery", r"(?:franklin(?:wh)?\s)?a-?power\s?2s?\b", 15.0, 10.0),
    Product(
        "FranklinWH aPower",
        "battery",
        r"(?:franklin(?:wh)?\s)?a-?powers?\b|franklin(?:wh)?(?: batter(?:y|ies))?",
        13.6,
        5.0,
    ),
    Product("Generac PWRcell M6", "battery", r"(?:generac\s)?pwr\s?cell\s(?:m6|18)\b", 18.0, 6.7),
    Product("Generac PWRcell M3", "battery", r"(?:generac\s)?pwr\s?cells?(?:\sm3)?", 9.0, 3.4),
    Product("SolarEdge Home Battery", "battery", r"solar\s?edge(?: home| energy bank)? batter(?:y|ies)", 9.7, 5.0),
    Product("sonnenCore+", "battery", r"sonnen(?:core|batterie)?\+?", 10.0, 4.8),
    Product("Nissan Leaf e+", "ev", r"(?:nissan\s)?leaf\s?(?:plus\b|e?\+|62\b(?!\s*%)|sv plus|s plus)", 62.0, 6.6),
    Product("Nissan Leaf 30", "ev", r"(?:nissan\s)?leaf\s?30\b(?!\s*%)", 30.0, 6.6),
    Product("Nissan Leaf 24", "ev", r"(?:nissan\s)?leaf\s?24\b(?!\s*%)", 24.0, 3.3),
    Product("Nissan Leaf", "ev", r"(?:nissan\s)?leafs?\b", 40.0, 6.6),
    Product("Tesla Model 3 Long Range", "ev", r"(?:tesla\s)?model 3s? (?:long range|lr|performance)", 75.0, 11.5),
    Product("Tesla Model 3", "ev", r"(?:tesla\s)?model 3s?\b|\bm3\b", 57.5, 7.7),
    Product("Tesla Model Y Long Range", "ev", r"(?:tesla\s)?model ys? (?:long range|lr|performance)", 75.0, 11.5),
    Product("Tesla Model Y", "ev", r"(?:tesla\s)?model ys?\b", 57.5, 7.7),
    Product("Tesla Model S", "ev", r"(?:tesla\s)?model s\b", 75.0, 11.5),
    Product("Tesla Model X", "ev", r"(?:tesla\s)?model xs?\b", 75.0, 11.5),
    Product("Chevrolet Bolt", "ev", r"(?:chev(?:y|rolet)\s)?\bbolts?\b(?: euv| ev)?", 60.0, 7.2),
    Product("Chevrolet Volt", "ev", r"(?:chev(?:y|rolet)\s)\bvolts?\b", 16.0, 3.3),
    Product(
        "Ford F-150 Lightning Extended Range",
        "ev",
        r"(?:ford\s)?(?:f-?\s?150\s)?lightning (?:extended range|er)\b|"
        r"extended[- ]range (?:ford\s)?(?:f-?\s?150\s)?lightning",
        131.0,
        19.2,
    ),
    Product("Ford F-150 Lightning", "ev", r"(?:ford\s)?(?:f-?\s?150\s)?\blightnings?\b", 98.0, 11.3),
    Product("Ford Mustang Mach-E", "ev", r"(?:ford\s)?(?:mustang\s)?mach-?\s?e\b", 68.0, 10.5),
    Product("Hyundai Ioniq 5", "ev", r"(?:hyundai\s)?ioniq\s?5\b", 58.0, 10.9),
    Product("Hyundai Kona Electric", "ev", r"(?:hyundai\s)?kona(?: electric| ev)?", 39.2, 7.2),
    Product("Kia EV6", "ev", r"(?:kia\s)?\bev6\b", 58.0, 10.9),
    Product("Kia Niro EV", "ev", r"(?:kia\s)?(?:e-)?niro(?: ev)?", 64.0, 7.2),
    Product("Volkswagen ID.4", "ev", r"(?:vw\s|volkswagen\s)?\bid\.?\s?4\b", 58.0, 11.0),
    Product("Volkswagen e-Golf", "ev", r"(?:vw\s|volkswagen\s)?\be-?golf\b", 24.2, 7.2),
    Product("Rivian R1", "ev", r"(?:rivian\s)?\br1[ts]\b|rivian", 105.0, 11.5),
    Product("BMW i3", "ev", r"(?:bmw\s)?\bi3\b", 18.8, 7.4),
    Product("Toyota Prius Prime", "ev", r"(?:toyota\s)?prius prime", 8.8, 3.3),
)

_CAR_WORDS: Final = (
    r"\bevs?\b|electric (?:car|vehicle|truck)s?|\bcars?\b(?!\s?port)|\bvehicles?\b|\btrucks?\b|"
    r"\bteslas?\b(?! (?:power|batter|home|solar))|\bphevs?\b|plug-?in hybrid"
)
_PV_WORDS: Final = (
    r"\bsolar\b(?! ?edge)(?: (?:panels?|array|roof|system|power))?|\bpv\b|\bphotovoltaics?\b|"
    r"\bpanels\b|\barray\b"
)
_BATTERY_WORDS: Final = r"\bbatter(?:y|ies)\b|\bpower\s?bank\b|\bhome storage\b|\benergy storage\b|\bstorage\b"

_NAMED: Final = [(product, re.compile(rf"(?<![\w-])(?:{product.words})")) for product in PRODUCTS]
_GENERIC: Final[list[tuple[Kind, re.Pattern[str]]]] = [
    ("ev", re.compile(_CAR_WORDS)),
    ("pv", re.compile(_PV_WORDS)),
    ("battery", re.compile(_BATTERY_WORDS)),
]
"""Words for a kind of asset that name no product."""


@dataclass(frozen=True, slots=True)
class Mention:
    """An asset that the text speaks of.

    Attributes
    ----------
    kind : str
        ``battery``, ``ev`` or ``pv``.
    product : Product or None
        Which, where it has a name.
    start, end : int
        Characters of the text.
    """

    kind: Kind
    product: Product | None
    start: int
    end: int


def mentions(text: str) -> list[Mention]:
    """Assets that a lower-case text speaks of, from left to right; the longest name wins.

    Examples
    --------
    >>> [(m.kind, m.product.name if m.product else "") for m in mentions("a powerwall 3, solar, the car's battery")]
    [('battery', 'Powerwall 3'), ('pv', ''), ('ev', '')]
    """
    hits = [Mention(p.kind, p, *m.span()) for p, words in _NAMED for m in words.finditer(text)]
    hits += [Mention(kind, None, *m.span()) for kind, words in _GENERIC for m in words.finditer(text)]
    hits.sort(key=lambda m: (m.product is None, m.start - m.end))
    kept: list[Mention] = []
    for hit in hits:
        if not any(hit.start < k.end and k.start < hit.end for k in kept):
            kept.append(hit)
    kept.sort(key=lambda m: m.start)
    return [m for m in kept if not _part_of_another(text, m, kept)]


def _part_of_another(text: str, mention: Mention, others: list[Mention]) -> bool:
    """The battery of a car is no home battery; "Leaf electric car" is one car, "solar battery" one battery."""
    if mention.product is not None:
        return False
    before = [
        o for o in others if o.end <= mention.start and re.fullmatch(r"(?:'s)?[\s-]*", text[o.end : mention.start])
    ]
    if any(o.kind == "ev" for o in before) or any(o.kind == mention.kind for o in before):
        return True
    return mention.kind == "pv" and any(
        o.kind == "battery" and re.fullmatch(r"\s*", text[mention.end : o.start])
        for o in others
        if o.start >= mention.end
    )
