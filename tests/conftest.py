"""What all tests share: one thread per process, no display, and repeatable property tests."""

from __future__ import annotations

import os

# Before any library starts its threads: two test processes on two cores must not run four threads.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("MPLBACKEND", "Agg")

from hypothesis import HealthCheck, settings  # noqa: E402  # the variables above come first

# Compiling a kernel inside the first example is slow once, which is no reason to fail.
settings.register_profile(
    "gridmarl", deadline=None, derandomize=True, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("gridmarl")
