"""A load: what it would consume, what of that is flexible, and how a reduction comes back."""

from __future__ import annotations

from gridmarl.kernels import kernel
from gridmarl.units import Float

# Columns of the parameter table (load, column).
LOAD, PROFILE, FLEXIBLE, DR_PRICE, COMFORT, REBOUND, REBOUND_HOURS = range(7)
LOAD_COLUMNS = 7
# Columns of the state (load, column).
DEBT, REDUCTION, BASELINE, UNSERVED, SAVING = range(5)
LOAD_STATE = 5


@kernel
def rebound(unit: Float, debt_mwh: float, hours: float) -> float:
    """Power that comes back in the next interval, MW: owed energy over its time constant (at least one interval)."""
    return debt_mwh / max(unit[REBOUND_HOURS], hours)


@kernel
def owed_energy(unit: Float, debt_mwh: float, reduction_mw: float, hours: float) -> float:
    """Owed energy after an interval, MWh."""
    returned = rebound(unit, debt_mwh, hours)
    return max(debt_mwh + (unit[REBOUND] * reduction_mw - returned) * hours, 0.0)
