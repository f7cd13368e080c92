"""Cholesky factors of small matrices, in place."""

from __future__ import annotations

import math
from typing import Any

from troughline.model.kernels.jit import kernel


@kernel
def cholesky(a: Any, n: int) -> bool:
    """Replace the lower triangle of a (n, n) by its Cholesky factor; False where it is not definite."""
    for i in range(n):
        for j in range(i + 1):
            s = a[i, j]
            for k in range(j):
                s -= a[i, k] * a[j, k]
            if i == j:
                if not s > 0.0:
                    return False
                a[i, i] = math.sqrt(s)
            else:
                a[i, j] = s / a[j, j]
    return True


@kernel
def cholesky_solve(a: Any, n: int, b: Any) -> None:
    """b ← (A Aᵀ)⁻¹ b for a lower factor A."""
    for i in range(n):
        s = b[i]
        for k in range(i):
            s -= a[i, k] * b[k]
        b[i] = s / a[i, i]
    for i in range(n - 1, -1, -1):
        s = b[i]
        for k in range(i + 1, n):
            s -= a[k, i] * b[k]
        b[i] = s / a[i, i]


@kernel
def cholesky_inverse(a: Any, n: int, out: Any) -> None:
    """out (≥ n, ≥ n) ← (A Aᵀ)⁻¹ for a lower factor A."""
    for j in range(n):
        row = out[j]
        for i in range(n):
            row[i] = 1.0 if i == j else 0.0
        cholesky_solve(a, n, row)


@kernel
def log_determinant(a: Any, n: int) -> float:
    """log |A Aᵀ| for a lower factor A."""
    total = 0.0
    for i in range(n):
        total += 2.0 * math.log(a[i, i])
    return total
