"""NumPy's linear algebra on real arrays, with the one element type used here."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def solve(matrix: Floats, right: Floats) -> Floats:
    """The solution of `matrix @ x = right`; raises `numpy.linalg.LinAlgError` where there is none."""
    return np.asarray(np.linalg.solve(matrix, right), dtype=np.float64)


def inverse(matrix: Floats) -> Floats:
    """The inverse of a square matrix."""
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def cholesky(matrix: Floats) -> Floats:
    """The lower triangle whose product with its transpose is the matrix."""
    return np.asarray(np.linalg.cholesky(matrix), dtype=np.float64)
