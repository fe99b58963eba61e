"""Every error gridmarl raises on purpose.

GridmarlError
├── CatalogueError       an unknown name or kind (suggests the nearest)
├── ScenarioError        a world, team or recipe file that cannot be used
├── DataError            a table that is missing, gapped, misnamed or malformed
├── OrderError           an order the auction refuses
├── ActionError          an action of the wrong shape, type or range
├── PrivacyError         an agent asking for what it did not declare or does not play
├── PlanError            an optimisation that has no usable answer
│   ├── InfeasiblePlanError
│   └── SolverError
├── PolicyError          stored weights that are missing, foreign, corrupted or do not fit
├── TrainingError        a training that cannot begin, go on, or be taken up again
├── OutputError          a file or folder that cannot be written
├── ContractError        a player that breaks what every player promises
└── CommitmentError      a promise of a coalition that would break a wish, a device or the books
    ├── CapacityError, StateOfChargeError, BackupError, ForbiddenHourError, DeadlineError
    └── FloorError, BooksError
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class GridmarlError(Exception):
    """Base of all errors raised on purpose.

    Parameters
    ----------
    thing : str
        What is wrong, by name.
    value : object, optional
        The value found.
    allowed : str, optional
        What would have been accepted.
    remedy : str, optional
        What the reader can do about it.
    """

    def __init__(self, thing: str, value: object = None, allowed: str = "", remedy: str = "") -> None:
        self.thing, self.value, self.allowed, self.remedy = thing, value, allowed, remedy
        parts = [thing if value is None else f"{thing}: got {value!r}"]
        if allowed:
            parts.append(f"allowed: {allowed}")
        if remedy:
            parts.append(remedy)
        super().__init__("; ".join(parts))

    def __reduce__(self) -> tuple[type[GridmarlError], tuple[str, object, str, str]]:
        return type(self), (self.thing, self.value, self.allowed, self.remedy)


class CatalogueError(GridmarlError, LookupError):
    """A name that no catalogue knows."""


class ScenarioError(GridmarlError, ValueError):
    """A world, team or recipe file that cannot be used."""


class DataError(GridmarlError, ValueError):
    """A table that is missing, gapped, misnamed or malformed."""


class OrderError(GridmarlError, ValueError):
    """An order that breaks a rule of the auction."""


class ActionError(GridmarlError, ValueError):
    """An action of the wrong shape, type or range."""


class PrivacyError(GridmarlError, PermissionError):
    """An agent asked for something it neither plays nor declared."""


class PlanError(GridmarlError, RuntimeError):
    """An optimisation without a usable answer."""


class InfeasiblePlanError(PlanError):
    """No schedule satisfies the constraints."""


class SolverError(PlanError):
    """A solver stopped before it had an answer of the asked accuracy."""


class PolicyError(GridmarlError, ValueError):
    """Stored weights that are missing, foreign, corrupted or do not fit."""


class TrainingError(GridmarlError, RuntimeError):
    """A training that cannot begin, go on, or be taken up again."""


class OutputError(GridmarlError, OSError):
    """A file or folder that cannot be written."""


class ContractError(GridmarlError, AssertionError):
    """A player that breaks what every player promises; ``thing`` names the contract."""


class CommitmentError(GridmarlError, ValueError):
    """A promise of a coalition that would break a wish, a device or the books."""


class CapacityError(CommitmentError):
    """More power than the devices have, or not as much as was sold."""


class StateOfChargeError(CommitmentError):
    """A store that would run empty before the event is over."""


class BackupError(CommitmentError):
    """Energy that was to be kept for a power cut."""


class ForbiddenHourError(CommitmentError):
    """Discharge in hours in which the owner will not."""


class DeadlineError(CommitmentError):
    """A car that would not be ready, or is not there."""


class FloorError(CommitmentError):
    """A price below what the owner accepts, or above the market's."""


class BooksError(CommitmentError):
    """Money that does not add up to the cent."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known name the unknown one probably meant ("" when none is near).

    Parameters
    ----------
    name : str
        The unknown name.
    known : iterable of str
        The names that exist.

    Returns
    -------
    str
        ``did you mean 'auction'?`` or an empty string.
    """
    close = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else ""
