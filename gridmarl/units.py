"""Array aliases, tolerances and the few conversions. Inside: MW, MWh, $, hours, UTC; + injects into the grid."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
Int = NDArray[np.int64]
UInt = NDArray[np.uint64]
Bool = NDArray[np.bool_]

QUANTITY_TOLERANCE: Final = 1e-9
"""Quantities within this share of the traded volume (at least 1e-9 MW) count as equal: dust sets no price."""

BALANCE_TOLERANCE: Final = 1e-9
"""Largest residual of an energy or money balance rebuilt from outputs."""

KW_PER_MW: Final = 1000.0
HOURS_PER_DAY: Final = 24.0
