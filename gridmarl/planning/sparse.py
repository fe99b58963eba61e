"""The handful of sparse matrices that planning needs, typed once: scipy ships no annotations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, cast

import numpy as np
import scipy.sparse as sp

from gridmarl.units import Float, Int


class Sparse(Protocol):
    """What planning uses of a compressed-column matrix (``scipy.sparse.csc_matrix``)."""

    shape: tuple[int, int]
    data: Float
    indices: Int
    indptr: Int

    def __matmul__(self, other: Float, /) -> Float: ...
    def __neg__(self) -> Sparse: ...


def _columns(matrix: object) -> Sparse:
    """Compressed columns with sorted row indices, as the solvers want them."""
    compressed = sp.csc_matrix(matrix)
    compressed.sort_indices()
    return cast(Sparse, compressed)


def zeros(rows: int, columns: int) -> Sparse:
    """An empty matrix (rows, columns)."""
    return _columns(sp.csc_matrix((rows, columns), dtype=np.float64))


def diagonal(values: Float) -> Sparse:
    """A square matrix with these values, zeros stored too, so that its pattern never changes."""
    n = len(values)
    return _columns(sp.csc_matrix((np.array(values, dtype=np.float64), np.arange(n), np.arange(n + 1)), shape=(n, n)))


def banded(values: Float, below: Float) -> Sparse:
    """A square matrix with ``values`` (K,) on the diagonal and ``below`` (K - 1,) just under it."""
    at = np.arange(len(values))
    places = np.concatenate([at, at[1:]]), np.concatenate([at, at[:-1]])
    return _columns(sp.csc_matrix((np.concatenate([values, below]), places), shape=(len(values), len(values))))


def rows(matrix: Sparse, chosen: Int) -> Sparse:
    """Some rows of a matrix."""
    return _columns(sp.csr_matrix(matrix)[chosen])


def stack(blocks: Sequence[Sequence[Sparse | None]]) -> Sparse:
    """Blocks side by side and atop each other; ``None`` is a block of zeros."""
    return _columns(sp.bmat(blocks, format="csc"))


def block_diagonal(blocks: Sequence[Sparse]) -> Sparse:
    """Blocks along the diagonal."""
    return _columns(sp.block_diag(blocks, format="csc"))


def with_data(matrix: Sparse, data: Float) -> Sparse:
    """The same pattern (index arrays shared) with other values."""
    return cast(Sparse, sp.csc_matrix((data, matrix.indices, matrix.indptr), shape=matrix.shape))


def full(height: int, width: int) -> Sparse:
    """A matrix of ones, every entry stored."""
    return _columns(sp.csc_matrix(np.ones((height, width))))


def picker(rows: Int, columns: Int, shape: tuple[int, int]) -> Sparse:
    """A matrix with ones at the given places."""
    return _columns(sp.csc_matrix((np.ones(len(rows)), (rows, columns)), shape=shape))


def placed(values: Float, rows: Int, columns: Int, shape: tuple[int, int]) -> Sparse:
    """A matrix with these values at the given places."""
    return _columns(sp.csc_matrix((values, (rows, columns)), shape=shape))
