"""What each method tells whom about an owner, counted from the messages that crossed."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from typing import Final

import numpy as np

from gridmarl.errors import ScenarioError
from gridmarl.planning.admm.planner import AdmmPlanner
from gridmarl.planning.admm.sharing import AdmmSettings
from gridmarl.planning.aladin.planner import AladinPlanner
from gridmarl.planning.dantzig_wolfe.planner import DantzigWolfePlanner
from gridmarl.planning.model.assets import Owner
from gridmarl.planning.model.problem import Problem
from gridmarl.planning.wire.channel import COORDINATOR, Audit

NOTHING: Final = "nothing"
MEANINGS: Final = {
    "Hello": NOTHING,
    "Presence": "the owner's declared rating, and a public key where answers are masked",
    "Roster": "everybody's public keys",
    "Begin": "the largest declared rating and the price scale",
    "Share": "the owner's own schedule at the start",
    "Message": "the mean mismatch, the multiplier and what past shares weigh, the same for everyone in its group",
    "Answer": "the owner's own injection and cost in a round",
    "Offer": "a multiplier, the same for everyone in its group",
    "Least": "the owner's own least cost at a multiplier",
    "Masked": "one part of a sum over all owners, unreadable alone",
    "Proposal": "the owner's own best schedule and its cost at a multiplier",
    "Settlement": "what its own proposals weigh",
    "Look": NOTHING,
    "Face": "how the owner's injection answers prices near its schedule: offer and slope of its condensed problem",
    "PriceMessage": "a multiplier and a penalty, the same for everyone in its group",
    "Step": "offer and slope after a step, the schedule's cost and least cost there, and how far it moved",
    "Adopt": NOTHING,
    "Invitation": "a multiplier, the same for everyone in its group",
    "Heard": NOTHING,
}
"""What whoever receives a message of a kind can read in it."""


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One row of the table, for one owner and one plan."""

    method: str
    who_hears: str  # the coordinator, or an owner
    kind: str
    tells: str
    messages: float  # an owner
    numbers: str
    bytes: float  # an owner


def what_methods_reveal(problem: Problem) -> list[Disclosure]:
    """Plan once with every method and list what was said.

    Parameters
    ----------
    problem : Problem
        Of at least three owners.

    Returns
    -------
    list of Disclosure
        ``central``'s is counted from the owners' parameters, those of methods with messages from their audits;
        ``dantzig-wolfe`` has rows only where costs are linear.
    """
    rows = [_all_parameters(problem.owners), Disclosure("selfish", COORDINATOR, "", NOTHING, 0.0, "", 0.0)]
    for method, secure in (("admm", False), ("admm, secure", True)):
        audit = Audit()
        AdmmPlanner(AdmmSettings(secure=secure), audit).solve(problem)
        rows += disclosed(method, audit)
    audit = Audit()
    AladinPlanner(audit=audit).solve(problem)
    rows += disclosed("aladin", audit)
    audit = Audit()
    try:
        DantzigWolfePlanner(audit=audit).solve(problem)
    except ScenarioError:  # quadratic costs, refused before anything is said
        return rows
    return rows + disclosed("dantzig-wolfe", audit)


def disclosed(method: str, audit: Audit) -> list[Disclosure]:
    """What an audit shows, a row for each kind of message, averaged over owners."""
    sent: dict[tuple[bool, str], list[int]] = {}
    numbers: dict[str, str] = {}
    for entry in audit.entries:
        sent.setdefault((entry.receiver == COORDINATOR, entry.kind), []).append(entry.bytes)
        numbers[entry.kind] = entry.numbers
    owners = len({entry.sender for entry in audit.entries} - {COORDINATOR})
    return [
        Disclosure(
            method=method,
            who_hears=COORDINATOR if up else "owner",
            kind=kind,
            tells=MEANINGS[kind],
            messages=len(sizes) / owners,
            numbers=numbers[kind],
            bytes=sum(sizes) / owners,
        )
        for (up, kind), sizes in sent.items()
    ]


def disclosure_table(rows: Sequence[Disclosure]) -> str:
    """The rows as CSV, with a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.name for column in fields(Disclosure)])
    writer.writerows(astuple(row) for row in rows)
    return text.getvalue()


def _all_parameters(owners: Sequence[Owner]) -> Disclosure:
    """A central planner reads every number of every asset."""
    values = [getattr(a, f.name) for o in owners for a in o.assets for f in fields(a) if f.name != "name"]
    count = (len(owners) + sum(int(np.size(value)) for value in values)) / len(owners)
    tells = "every parameter of each of the owner's assets, and its risk weight"
    return Disclosure("central", COORDINATOR, "parameters", tells, 1.0, f"[{count:g}]", 8 * count)
