"""Small dense linear systems: LU factors with partial pivoting, in place and without allocation."""

from __future__ import annotations

from typing import Any

from troughline.model.kernels.jit import kernel

OK, SINGULAR = 0, 3
_EPSILON = 2.220446049250313e-16


@kernel
def lu_factor(n: Any, a: Any, piv: Any) -> Any:
    """Replace a (n, n) by its factors L (unit diagonal, below) and U.

    piv (n,) int64 ← the row swapped with each. Returns 0, or 3 where a pivot is zero or not finite; `a` is
    then half factored. Zero multipliers are skipped, so that a chain of compartments costs little more than
    its non-zeros.
    """
    for k in range(n):
        best, row = abs(a[k, k]), k
        for i in range(k + 1, n):
            size = abs(a[i, k])
            if size > best or size != size:
                best, row = size, i
        piv[k] = row
        if not (best > 0.0 and best < 1.8e308):
            return SINGULAR
        if row != k:
            for j in range(n):
                a[k, j], a[row, j] = a[row, j], a[k, j]
        inverse = 1.0 / a[k, k]
        for i in range(k + 1, n):
            if a[i, k] != 0.0:
                multiplier = a[i, k] * inverse
                a[i, k] = multiplier
                for j in range(k + 1, n):
                    a[i, j] -= multiplier * a[k, j]
    return OK


@kernel
def lu_solve(n: Any, a: Any, piv: Any, b: Any) -> None:
    """b (n,) ← A⁻¹ b with the factors and swaps of `lu_factor`."""
    for i in range(n):
        row = piv[i]
        total = b[row]
        if row != i:
            b[row] = b[i]
        for j in range(i):
            total -= a[i, j] * b[j]
        b[i] = total
    for i in range(n - 1, -1, -1):
        total = b[i]
        for j in range(i + 1, n):
            total -= a[i, j] * b[j]
        b[i] = total / a[i, i]


@kernel
def lu_pattern(n: Any, a: Any, pattern: Any) -> None:
    """Make factors ready for many solves with `lu_solve_pattern`: a_ii ← 1/u_ii, and where they are not zero.

    A row of pattern (n, n + 1) int64 holds the number of entries below the diagonal, the number above it,
    and their columns in order. The factors serve `lu_solve` and `lu_singular` no more.
    """
    for i in range(n):
        at = 2
        for j in range(i):
            if a[i, j] != 0.0:
                pattern[i, at] = j
                at += 1
        pattern[i, 0] = at - 2
        for j in range(i + 1, n):
            if a[i, j] != 0.0:
                pattern[i, at] = j
                at += 1
        pattern[i, 1] = at - 2 - pattern[i, 0]
        a[i, i] = 1.0 / a[i, i]


@kernel
def lu_solve_pattern(n: Any, a: Any, piv: Any, pattern: Any, b: Any) -> None:
    """b (n,) ← A⁻¹ b with the factors that `lu_pattern` made ready."""
    for i in range(n):
        row = piv[i]
        total = b[row]
        if row != i:
            b[row] = b[i]
        for k in range(2, 2 + pattern[i, 0]):
            j = pattern[i, k]
            total -= a[i, j] * b[j]
        b[i] = total
    for i in range(n - 1, -1, -1):
        total, first = b[i], 2 + pattern[i, 0]
        for k in range(first, first + pattern[i, 1]):
            j = pattern[i, k]
            total -= a[i, j] * b[j]
        b[i] = total * a[i, i]


@kernel
def lu_singular(n: Any, a: Any) -> Any:
    """Whether a pivot of the factors is no more than the rounding error of the sum it is made of."""
    for i in range(n):
        total = 0.0
        for k in range(i):
            total += abs(a[i, k] * a[k, i])
        if not abs(a[i, i]) > 4.0 * n * _EPSILON * total:
            return True
    return False
