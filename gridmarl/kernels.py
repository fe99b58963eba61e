"""The one place that compiles: ``kernel`` turns a scalar-loop function into machine code, cached on disk.

Numba keys its disk cache by the file that holds the compiled function and does not notice an edited callee in another
module. The cache folder is therefore named by a digest of all sources that may hold kernels: edit any, all recompile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numba
import platformdirs

F = TypeVar("F", bound=Callable[..., object])

OPTIONS: Final[dict[str, Any]] = {"error_model": "numpy", "fastmath": False, "parallel": False, "_nrt": False}
"""Exact arithmetic: one row of a batch equals a single run bit for bit. Kernels allocate nothing and own nothing:
numba's reference counting (``_nrt``) would only slow every call down."""

KERNEL_FOLDERS = ("market", "assets", "data", "environment")


def source_digest(package: Path) -> str:
    """Digest of every source file a kernel may live in.

    Parameters
    ----------
    package : Path
        The folder of the ``gridmarl`` package.

    Returns
    -------
    str
        16 hexadecimal digits that change when any of those files does.
    """
    digest = hashlib.sha256(numba.__version__.encode())
    files = [package / "kernels.py", *(f for folder in KERNEL_FOLDERS for f in (package / folder).rglob("*.py"))]
    for file in sorted(files):
        digest.update(file.relative_to(package).as_posix().encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


@cache
def cache_folder() -> Path:
    """Folder of compiled kernels for exactly these sources."""
    return platformdirs.user_cache_path("gridmarl") / "kernels" / source_digest(Path(__file__).parent)


@contextmanager
def _cached_in(folder: Path) -> Generator[None]:
    """Let numba locate its cache here for the duration of one decoration."""
    before = numba.config.CACHE_DIR  # pyright: ignore[reportPrivateImportUsage, reportAttributeAccessIssue]  # not in its stubs
    numba.config.CACHE_DIR = str(folder)  # pyright: ignore[reportPrivateImportUsage, reportAttributeAccessIssue]
    try:
        yield
    finally:
        numba.config.CACHE_DIR = before  # pyright: ignore[reportPrivateImportUsage, reportAttributeAccessIssue]


def kernel(function: F) -> F:
    """Compile a function called from other kernels, into its callers."""
    return cast(F, numba.njit(**OPTIONS, forceinline=True)(function))


def inner_kernel(function: F) -> F:
    """Compile a function that only other kernels call.

    It gets no wrapper for Python: unpacking dozens of arrays would take longer to compile than the function itself.
    """
    wrappers: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return cast(F, numba.njit(**OPTIONS, **wrappers, forceinline=True)(function))


def entry_kernel(function: F) -> F:
    """Compile a function called from Python and keep its machine code on disk."""
    with _cached_in(cache_folder()):
        return cast(F, numba.njit(**OPTIONS, cache=True)(function))
