"""A household's own words, read into settings: what is said, where it is said, and what has to be asked.

"I have a Powerwall and a Leaf, keep 30 % backup, don't discharge after 10pm." Nothing is learnt and nothing is
guessed: each field carries the characters that say it, whatever is not said stays out, and what stays out is assumed
cautiously (`Wishes.preferences`). The result is read back for confirmation. A language model may fill what the parser
did not find, and only with numbers that stand in the text (`complete`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, cast

from gridmarl.errors import DataError
from gridmarl.negotiation.homes.preferences import Assets, Preferences
from gridmarl.negotiation.words.belongings import belongings
from gridmarl.negotiation.words.clock import moments, spoken, windows
from gridmarl.negotiation.words.numerals import NUMBER, number, shares
from gridmarl.negotiation.words.reading import Found, Reading, Value, overlaps, read
from gridmarl.negotiation.words.terms import HIGHEST_PRICE_PER_MWH, comfort, kept_shares, lowest_price
from gridmarl.negotiation.words.timing import blocked, hours_of, leaving

LONGEST_TEXT: Final = 2000
ASSETS: Final = ("battery_kwh", "battery_kw", "ev_kwh", "ev_kw", "pv_kw")
WISHES: Final = (
    "backup_share",
    "blocked_hours",
    "blocked_days",
    "ev_deadline_hour",
    "ev_target_share",
    "minimum_price_per_mwh",
    "comfort",
)
FIELDS: Final = ASSETS + WISHES
CAUTIOUS_RATE_PER_H: Final = 0.25
"""Power of a battery of which only the energy is known, per kWh: that of four hours, slower than any in `products`."""

Completion = Callable[[str, tuple[str, ...]], Mapping[str, Mapping[str, object]]]
"""Given the text and the missing fields, field -> {"value": number, "quote": words of the text that say it}."""

_LARGEST: Final = {
    "battery_kwh": 300.0, "battery_kw": 100.0, "ev_kwh": 300.0, "ev_kw": 100.0, "pv_kw": 200.0,
    "backup_share": 1.0, "ev_target_share": 1.0, "ev_deadline_hour": 24.0,
    "minimum_price_per_mwh": HIGHEST_PRICE_PER_MWH,
}  # fmt: skip
"""Beyond these a household's number is a slip of the pen (or a joke), and is asked about."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a text says.

    Attributes
    ----------
    text : str
        As written.
    fields : mapping of str to Found
        Values in the units of `Preferences` and `Assets`, in the order of `FIELDS`; only what is said.
    questions : tuple of str
        What to ask back.
    """

    text: str
    fields: Mapping[str, Found]
    questions: tuple[str, ...] = ()

    @property
    def values(self) -> dict[str, Value]:
        """Field -> value."""
        return {name: found.value for name, found in self.fields.items()}

    @property
    def missing(self) -> tuple[str, ...]:
        """Fields that the text does not say."""
        return tuple(name for name in FIELDS if name not in self.fields)

    def quotes(self, field: str) -> tuple[str, ...]:
        """The words that say a field."""
        return tuple(self.text[start:end] for start, end in self.fields[field].spans)

    def preferences(self) -> Preferences:
        """The wishes as settings, where what is not said takes the cautious default of `Preferences`.

        Hours blocked on some days only are blocked on all, because the settings know no days of the week.
        """
        known = {name: self.fields[name].value for name in WISHES if name in self.fields and name != "blocked_days"}
        return Preferences.model_validate(known)

    def assets(self) -> Assets:
        """What is owned: 0 where not said; a battery's power by `CAUTIOUS_RATE_PER_H` where only its energy is."""
        known = {name: cast("float", self.fields[name].value) for name in ASSETS if name in self.fields}
        if "battery_kwh" in known:
            known.setdefault("battery_kw", known["battery_kwh"] * CAUTIOUS_RATE_PER_H)
        return Assets.model_validate(known)

    def read_back(self) -> str:
        """One plain sentence to confirm.

        Examples
        --------
        >>> parse("We have two Powerwalls and no EV. Keep a third.").read_back()
        'I understood: battery 27 kWh and 10 kW, no car, backup 33 % of the battery. Is that right?'
        """
        said = [phrase for phrase in (_owned(self, kind) for kind in ("battery", "ev", "pv")) if phrase]
        said += [_PHRASES[name](cast("float", self.fields[name].value)) for name in _PHRASES if name in self.fields]
        if "blocked_hours" in self.fields:
            said.append(_blocked_phrase(self))
        if not said:
            return "I understood no settings, so nothing will be offered beyond the cautious defaults. Is that right?"
        return f"I understood: {', '.join(said)}. Is that right?"

    def record(self) -> dict[str, object]:
        """Everything as plain values, for JSON."""
        fields = {
            name: {"value": found.value, "spans": found.spans, "quotes": self.quotes(name), "by": found.by}
            for name, found in self.fields.items()
        }
        return {
            "text": self.text,
            "fields": fields,
            "questions": self.questions,
            "read_back": self.read_back(),
            "preferences": self.preferences().model_dump(mode="json"),
            "assets": self.assets().model_dump(mode="json"),
        }


def parse(text: str) -> Wishes:
    """Read a text.

    Parameters
    ----------
    text : str
        Up to `LONGEST_TEXT` characters of English.

    Returns
    -------
    Wishes
        The same for the same text, always.

    Raises
    ------
    DataError
        Where the text is too long.
    """
    if len(text) > LONGEST_TEXT:
        raise DataError("text", f"{len(text)} characters", f"up to {LONGEST_TEXT}", "say it in a few sentences")
    reading = read(text)
    timing = blocked(reading)
    owned, questions = belongings(reading, timed="blocked_hours" in timing)
    battery = owned.get("battery_kwh")
    kept, unclear = kept_shares(reading, cast("float", battery.value) if battery else None)
    price, unpriced = lowest_price(reading)
    singles = {"minimum_price_per_mwh": price, "comfort": comfort(reading), "ev_deadline_hour": leaving(reading)}
    found = owned | kept | timing | {name: value for name, value in singles.items() if value is not None}
    excessive = [name for name, top in _LARGEST.items() if name in found and cast("float", found[name].value) > top]
    doubts = [f"Is {name.replace('_', ' ')} really {found[name].value}?" for name in excessive]
    fields = {name: found[name] for name in FIELDS if name in found and name not in excessive}
    asked = [*questions, *unclear, *unpriced, *doubts, *_unread(reading, text, found)]
    return Wishes(text, fields, tuple(dict.fromkeys(asked)))


def complete(wishes: Wishes, completion: Completion) -> Wishes:
    """Let a language model fill what is missing, with numbers of the text only.

    An answer counts where the field is missing and known, its quote stands in the text as it is, no other field is
    read from there, nobody else's or former things are spoken of there, and the number, in the field's unit, is in the
    quote. Everything else is dropped; so what one household writes can change that household's settings only.

    Parameters
    ----------
    wishes : Wishes
        What the parser found.
    completion : callable
        The model; errors of its own are the caller's to handle.

    Returns
    -------
    Wishes
        With fields marked ``by="model"``.
    """
    reading = read(wishes.text)
    taken = [span for found in wishes.fields.values() for span in found.spans]
    added: dict[str, Found] = {}
    for name, answer in completion(wishes.text, wishes.missing).items():
        found = _accepted(reading, wishes.text, name, answer) if name in wishes.missing else None
        if found is not None and not overlaps(*found.spans[0], taken):
            added[name] = found
            taken.append(found.spans[0])
    merged = {**wishes.fields, **added}
    return replace(wishes, fields={name: merged[name] for name in FIELDS if name in merged})


def _unread(reading: Reading, text: str, found: Mapping[str, Found]) -> list[str]:
    """Questions about hours and shares that no field has taken up: silence would be a guess."""
    taken = [span for value in found.values() for span in value.spans]
    plausible = [share for share in shares(reading.text) if share.value <= 1]
    left = [(part.start, part.end) for part in [*windows(reading.text), *plausible]]
    open_ = [(a, b) for a, b in left if reading.holds(a) and not overlaps(a, b, taken)]
    return [f"What shall I make of {text[a:b].strip()!r}?" for a, b in open_]


def _accepted(reading: Reading, text: str, name: str, answer: Mapping[str, object]) -> Found | None:
    """An answer of a model, if it can be believed."""
    value, quote = answer.get("value"), answer.get("quote")
    top = _LARGEST.get(name)
    if top is None or type(value) not in (int, float) or not isinstance(quote, str) or not quote.strip():
        return None
    start = text.find(quote)
    amount = float(cast("float", value))
    if start < 0 or not 0 <= amount <= top:
        return None
    end = start + len(quote)
    if not reading.holds(start) or reading.part(start).status != "owned":
        return None
    said = _said(reading.text[start:end], name)
    return Found(amount, ((start, end),), "model") if any(abs(amount - s) <= 1e-6 for s in said) else None


def _said(quote: str, name: str) -> list[float]:
    """Numbers in a quote, as a field would count them."""
    if name.endswith("_share"):
        return [share.value for share in shares(quote)]
    if name.endswith("_hour"):
        return [moment.hour for moment in moments(f"at {quote}") + moments(quote)]
    numbers = [number(m[0]) for m in re.finditer(NUMBER, quote)]
    if name == "minimum_price_per_mwh":
        per_mwh = re.search(r"mwh|megawatt", quote) is not None
        return numbers if per_mwh else [n * (10 if re.search(r"¢|cent", quote) else 1000) for n in numbers]
    return numbers


def _owned(wishes: Wishes, kind: str) -> str:
    name = {"battery": "battery", "ev": "car", "pv": "solar"}[kind]
    sizes = {
        m: cast("float", wishes.fields[f"{kind}_{m}"].value) for m in ("kwh", "kw") if f"{kind}_{m}" in wishes.fields
    }
    if not sizes:
        return ""
    if not any(sizes.values()) and (kind == "pv" or len(sizes) == 2):
        return f"no {name}"
    if kind != "pv" and sizes.get("kw") == 0:
        return f"{name} not to be touched"
    units = {"kwh": "kWh", "kw": "kW"}
    return f"{name} {' and '.join(f'{value:g} {units[m]}' for m, value in sizes.items())}"


def _blocked_phrase(wishes: Wishes) -> str:
    hours = hours_of(cast("tuple[tuple[float, float], ...]", wishes.fields["blocked_hours"].value))
    on = cast("tuple[str, ...]", wishes.fields["blocked_days"].value) if "blocked_days" in wishes.fields else ()
    which = f" (you said {', '.join(_DAY_NAMES[day] for day in on)}; I keep to it every day)" if on else ""
    return f"no discharge {spoken(hours)}{which}"


_DAY_NAMES: Final[Mapping[str, str]] = {
    "mon": "Mondays", "tue": "Tuesdays", "wed": "Wednesdays", "thu": "Thursdays", "fri": "Fridays",
    "sat": "Saturdays", "sun": "Sundays",
}  # fmt: skip

_PHRASES: Final[Mapping[str, Callable[[float], str]]] = {
    "backup_share": lambda v: f"backup {v:.0%} of the battery".replace("%", " %"),
    "ev_target_share": lambda v: f"car charged to {v:.0%}".replace("%", " %"),
    "ev_deadline_hour": lambda v: f"car ready at {int(v):02d}:{round(v % 1 * 60):02d}",
    "minimum_price_per_mwh": lambda v: f"never below {v:g} $/MWh ({v / 10:g} cents per kWh)",
    "comfort": lambda v: {0.0: "comfort does not matter", 1.0: "comfort comes first"}.get(
        v, "comfort matters somewhat"
    ),
}
