"""Linear systems with constant rates, dx/dt = A x + rate: propagator, steady states, and their tangents.

Compartments make A a Metzler matrix (no negative element off the diagonal). With Λ the largest rate of loss,
B = A + Λ I has no negative element, and in e^{At} = e^{-Λt} Σ (Bt)^k / k! nothing cancels: each compartment,
however little it holds, comes out to a few roundings, also where rates coincide. Two forms of it are used:
the sum acting on the state (uniformisation; Jensen 1953, doi 10.1080/03461238.1953.10419459), and the matrix
by scaling and squaring (Moler & Van Loan 2003, doi 10.1137/S00361445024180); accuracy of each element of a
non-negative matrix: Xue & Ye 2013, doi 10.1090/S0025-5718-2013-02677-4. The error is about Λ·dt roundings.

A constant input is one more state that stays at 1. Directions of differentiation lead: dx (q, n), dval
(q, nnz). The same functions take any other real A, then with an error relative to the largest element.

Status: 0 done; 2 something is not finite, or dt < 0; 3 no steady state.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from troughline.model.kernels.dense import lu_factor, lu_singular, lu_solve
from troughline.model.kernels.jit import inner, kernel
from troughline.model.kernels.products import borrowed, jet_product, sparse_product, square
from troughline.model.kernels.rates import (
    acyclic_order,
    own_directions,
    row_width,
    scales,
    slopes_of,
    sort_rates,
    spans,
)

__all__ = [
    "acyclic_order", "apply_propagator", "dense_propagator", "propagate_linear", "solve_periodic",
    "stationary", "work_size",
]  # fmt: skip

OK, NOT_FINITE, SINGULAR = 0, 2, 3
_GROUP = 7
"""Directions that ride along with the value in one vector register."""
_REACH, _PLAIN_REACH = 300.0, 2.0
"""The longest step of the sum in 1/σ: e^{-Λh} must not underflow; signed terms must not cancel."""
_TAIL = 5e-14
_SLOWEST_PIVOT = 1e-13
_LINE = 8
"""float64 numbers in a cache line; rows are aligned to it."""


@kernel
def work_size(n: Any, q: Any) -> Any:
    """Length of `work` (float64) that n states and q directions need in any function here."""
    size = n + 1
    entries = size * (size + 1)
    block = size * row_width(size)
    terms = (entries + 3 * size) * 8
    squares = 3 * (1 + q) * block + q * entries
    own = q * (2 + n * n)
    return 3 * entries + 8 * size + max(terms, squares + own) + 10 * _LINE


@inner
def _lines(count: Any) -> Any:
    """`count` rounded up to whole cache lines."""
    return (count + _LINE - 1) & -_LINE


@inner
def _lists(size: Any, work: Any) -> Any:
    """`work` cut into stop, column, place (int64), value, diagonal, sums and the rest, on a cache line."""
    work = borrowed(work)
    entries = size * (size + 1)
    first = (-(work.ctypes.data >> 3)) & (_LINE - 1)
    middle = first + size + 2 * entries
    ints = work[first:middle].view(np.int64)
    value = work[middle : middle + entries]
    rest = middle + entries + 3 * size
    free = first + _lines(rest - first)
    return (
        ints[:size], ints[size : size + entries], ints[size + entries :], value,
        work[middle + entries : middle + entries + size], work[middle + entries + size : rest], work[free:],
    )  # fmt: skip


@inner
def _terms(reach: Any) -> Any:
    """How many terms of Σ e^{-r} r^k / k! leave less than 1e-13: a fit to the Poisson distribution."""
    root = math.sqrt(reach)
    return int(reach + min(7.4 * root + 8.0, 16.0 * root + 3.0))


@inner
def _taylor(size: Any, halvings: Any, reach: Any) -> Any:
    """How many terms of e^{B/2^s} give each element of its 2^s-th power to 1e-14.

    Chernoff's bound at z = 16 on the number of factors of B in one part of a path: of at most `size`
    transfers, each falls into it with probability 2^-s; the rest is Poisson with mean `reach` ≤ 1.
    """
    wanted = 32.2 + 0.6931 * halvings + 15.0 * reach + size * math.log1p(math.ldexp(15.0, -halvings))
    return int(wanted * 0.36068) + 1


@inner
def _halvings(reach: Any) -> Any:
    """The smallest s with reach / 2^s ≤ 1."""
    fraction, power = math.frexp(reach)
    return max(0, power - 1 if fraction == 0.5 else power)


@inner
def _matrix_is_cheaper(reach: Any, terms: Any, size: Any, entries: Any, q: Any) -> Any:
    """Whether the whole exponential takes less time than `terms` terms of the sum, by a fit to timings."""
    if reach < 8.0:
        return False
    strips = row_width(size) * 0.125
    term = entries * strips * (1.5 + 0.9 * q)
    product = size * size * strips * (0.5 + 0.45 * q)
    each = 1.1 if q == 0 else (1.6 if q <= 3 else 2.1)
    groups = max(1, (q + _GROUP - 1) // _GROUP)
    return 100.0 + 20.0 * term + _halvings(reach) * product < terms * entries * each * groups


@kernel
def propagate_linear(
    n: Any, row: Any, col: Any, val: Any, dval: Any, q: Any, rate: Any, drate: Any, dt: Any, x: Any, dx: Any,
    work: Any,
) -> Any:  # fmt: skip
    """x (n,) ← x(t + dt) and dx (q, n) ← its derivatives, where dx/dt = A x + rate. Returns a status.

    row, col (nnz,) int64: the places of A, each once, in any order; val (nnz,) per h; dval (q, nnz). rate
    (n,), drate (q, n): constant input per h. dt in h. work: `work_size(n, q)` numbers. Where the status is
    not 0, x and dx are undefined.
    """
    if dt == 0.0:
        return OK
    if not dt > 0.0:
        return NOT_FINITE
    size = n + 1 if _any_input(n, q, rate, drate) else n
    stop, column, place, value, diagonal, sums, rest = _lists(size, work)
    shift, sigma, metzler = scales(n, row, col, val, diagonal, sums, stop)
    if sigma == 0.0:
        sigma = 1.0 / dt
    reach = sigma * dt
    if not reach < 1e15:
        return NOT_FINITE
    steps = math.ceil(reach / (_REACH if metzler else _PLAIN_REACH))
    terms = _terms(reach / steps)
    if _matrix_is_cheaper(reach, steps * terms, size, val.size, q):
        halvings = _halvings(reach)
        h, width = math.ldexp(dt, -halvings), row_width(size)
        sort_rates(n, size, row, col, val, diagonal, rate, shift, h, q > 0, width, stop, column, place, value)
        flow = _exponential(
            n, size, row, col, q, dval, drate, h, shift, halvings, reach, stop, column, place, value, rest
        )
        _apply_padded(n, size, q, flow, x, dx, sums)
    else:
        _sum_terms(
            n, size, row, col, val, dval, q, rate, drate, sigma, dt / steps, shift, steps, terms,
            stop, column, place, value, diagonal, x, dx, rest,
        )  # fmt: skip
    return _finite(n, q, x, dx)


@inner
def _any_input(n: Any, q: Any, rate: Any, drate: Any) -> Any:
    for i in range(n):
        if rate[i] != 0.0:
            return True
        for j in range(q):
            if drate[j, i] != 0.0:
                return True
    return False


@inner
def _finite(n: Any, q: Any, x: Any, dx: Any) -> Any:
    """0 · everything is 0 only where all is finite."""
    total = 0.0
    for i in range(n):
        total += 0.0 * x[i]
        for j in range(q):
            total += 0.0 * dx[j, i]
    return OK if total == 0.0 else NOT_FINITE


@inner
def _sum_terms(
    n: Any, size: Any, row: Any, col: Any, val: Any, dval: Any, q: Any, rate: Any, drate: Any, sigma: Any,
    h: Any, shift: Any, steps: Any, terms: Any, stop: Any, column: Any, place: Any, value: Any,
    diagonal: Any, x: Any, dx: Any, work: Any,
) -> None:  # fmt: skip
    """x ← Σ e^{-Λh} (σh)^k / k! P^k x in each of `steps` steps, with P = B/σ; directions by the group."""
    unit = 1.0 / sigma
    first = 0
    while True:
        count = min(_GROUP, q - first)
        width = 1 if count == 0 else (4 if count <= 3 else 8)
        if first == 0 or (count <= 3 and q > _GROUP):
            sort_rates(
                n, size, row, col, val, diagonal, rate, shift, unit, q > 0, width, stop, column, place, value
            )
        block = size * width
        total, slope = work[2 * block : 3 * block], work[3 * block :]
        if q > 0:
            for i in range(size):
                for e in range(i * (size + 1) * width, stop[i] * width):
                    slope[e] = 0.0
            for j in range(count):
                slopes_of(n, size, dval, drate, first + j, unit, place, slope, width, 1 + j)
        for i in range(n):
            total[i * width] = x[i]
            for lane in range(1, width):
                total[i * width + lane] = dx[first + lane - 1, i] if lane <= count else 0.0
        for _ in range(steps):
            if size > n:
                total[n * width] = 1.0
                for lane in range(1, width):
                    total[n * width + lane] = 0.0
            _one_sum(size, width, sigma * h, shift * h, terms, stop, column, value, slope, work, total)
        for i in range(n):
            for j in range(count):
                dx[first + j, i] = total[i * width + 1 + j]
        first += count
        if first >= q:
            for i in range(n):
                x[i] = total[i * width]
            return


@inner
def _one_sum(
    size: Any, width: Any, reach: Any, decay: Any, terms: Any, stop: Any, column: Any, value: Any, slope: Any,
    work: Any, total: Any,
) -> None:  # fmt: skip
    """total ← Σ weight_k P^k total, until the last term adds nothing to any state.

    A state that takes m transfers to reach has its first term at k = m, which delays the tail of its own
    sum by m: at most size − 1.
    """
    weight = math.exp(-decay)
    now, new = 0, size * width
    for i in range(size * width):
        work[i] = total[i]
        total[i] *= weight
    for k in range(1, terms + size + 1):
        weight *= reach / k
        jet_product(size, width, size + 1, stop, column, value, slope, work, now, weight, work, new, total)
        now, new = new, now
        if k >= terms and _settled(size, width, weight, now, work, total):
            return


@inner
def _settled(size: Any, width: Any, weight: Any, now: Any, work: Any, total: Any) -> Any:
    """Whether the last term is nothing beside the sum; of a derivative, beside sum and value."""
    for i in range(size):
        if abs(weight * work[now + i * width]) > _TAIL * abs(total[i * width]):
            return False
    for i in range(size):
        value = abs(total[i * width])
        for e in range(i * width + 1, (i + 1) * width):
            if abs(weight * work[now + e]) > _TAIL * (abs(total[e]) + value):
                return False
    return True


@inner
def _exponential(
    n: Any, size: Any, row: Any, col: Any, q: Any, dval: Any, drate: Any, h: Any, shift: Any, halvings: Any,
    reach: Any, stop: Any, column: Any, place: Any, value: Any, work: Any,
) -> Any:  # fmt: skip
    """e^{A dt} and its derivatives, flat, (1 + q, size, width): Horner's scheme for e^{Bh}, then squares.

    `value` holds B h, h = dt / 2^halvings.
    """
    width = row_width(size)
    block, entries = size * width, size * (size + 1)
    whole = (1 + q) * block
    now, new = whole, 2 * whole
    slope = work[3 * whole : 3 * whole + q * entries]
    for i in range(2 * whole):
        work[i] = 0.0
    for i in range(size):
        work[i * width + i] = 1.0
        work[whole + i * width + i] = 1.0
    for j in range(q):
        for i in range(size):
            slope[j * entries + i * (size + 1)] = 0.0
        slopes_of(n, size, dval, drate, j, h, place, slope, 1, j * entries)
    for k in range(_taylor(size, halvings, math.ldexp(reach, -halvings)), 0, -1):
        sparse_product(
            size, q, width, size + 1, stop, column, value, slope, work, 1.0 / k, work, now, work, new
        )
        now, new = new, now
    factor = math.exp(-shift * h)
    for i in range(whole):
        work[now + i] *= factor
    first, last = place[:size], place[size : 2 * size]
    if halvings > 0:
        spans(n, size, row, col, first, last)
    for _ in range(halvings):
        square(size, q, width, first, last, work, now, work, new)
        now, new = new, now
    return work[now : now + whole]


@inner
def _apply_padded(n: Any, size: Any, q: Any, flow: Any, x: Any, dx: Any, kept: Any) -> None:
    """x, dx ← what the padded exponential makes of them; column n of a larger one is a constant input."""
    width = row_width(size)
    for j in range(q):
        for i in range(n):
            kept[i] = dx[j, i]
        for i in range(n):
            here, slope = i * width, ((1 + j) * size + i) * width
            total = flow[slope + n] if size > n else 0.0
            for k in range(n):
                total += flow[here + k] * kept[k] + flow[slope + k] * x[k]
            dx[j, i] = total
    for i in range(n):
        kept[i] = x[i]
    for i in range(n):
        total = flow[i * width + n] if size > n else 0.0
        for k in range(n):
            total += flow[i * width + k] * kept[k]
        x[i] = total


@kernel
def dense_propagator(
    n: Any, row: Any, col: Any, val: Any, dval: Any, q: Any, dt: Any, phi: Any, dphi: Any, work: Any
) -> Any:
    """phi (n, n) ← Φ = e^{A dt} and dphi (q, n, n) ← its derivatives; arguments as in `propagate_linear`.

    Returns 0, or 2 where an element is not finite or dt < 0.
    """
    if not dt >= 0.0:
        return NOT_FINITE
    stop, column, place, value, diagonal, sums, rest = _lists(n, work)
    shift, sigma, _ = scales(n, row, col, val, diagonal, sums, stop)
    reach = sigma * dt
    if not reach < 1e15:
        return NOT_FINITE
    halvings, width = _halvings(reach), row_width(n)
    h = math.ldexp(dt, -halvings)
    sort_rates(n, n, row, col, val, diagonal, sums, shift, h, q > 0, width, stop, column, place, value)
    own, same, multiple, spare = own_directions(q, dval, rest)
    flow = _exponential(
        n, n, row, col, own.shape[0], own, own, h, shift, halvings, reach, stop, column, place, value, spare
    )
    check = 0.0
    for i in range(n):
        for k in range(n):
            phi[i, k] = flow[i * width + k]
            check += 0.0 * phi[i, k]
    for j in range(q):
        block = (1 + int(same[j])) * n
        for i in range(n):
            for k in range(n):
                dphi[j, i, k] = multiple[j] * flow[(block + i) * width + k] if multiple[j] != 0.0 else 0.0
                check += 0.0 * dphi[j, i, k]
    return OK if check == 0.0 else NOT_FINITE


@kernel
def apply_propagator(n: Any, q: Any, phi: Any, dphi: Any, x: Any, dx: Any, work: Any) -> None:
    """x ← Φ x and dx ← Φ dx + Φ′ x, in the leading n states; work: n numbers."""
    for j in range(q):
        for i in range(n):
            work[i] = dx[j, i]
        for i in range(n):
            total = 0.0
            for k in range(n):
                total += phi[i, k] * work[k] + dphi[j, i, k] * x[k]
            dx[j, i] = total
    for i in range(n):
        work[i] = x[i]
    for i in range(n):
        total = 0.0
        for k in range(n):
            total += phi[i, k] * work[k]
        x[i] = total


@kernel
def solve_periodic(n: Any, q: Any, phi: Any, dphi: Any, g: Any, dg: Any, x: Any, dx: Any, work: Any) -> Any:
    """x ← the state that one period brings back to itself, x = Φ x + g, and dx ← its derivatives.

    The leading n states of phi (≥ n, ≥ n), dphi (q, ≥ n, ≥ n), g, dg, x, dx count. Returns 0; 2 where
    something is not finite; 3 where no state comes back (nothing is lost, or amounts grow).
    """
    work = borrowed(work)
    matrix = work[: n * n].reshape((n, n))
    pivots = work[n * n : n * n + n].view(np.int64)
    positive = n >= 0  # a literal would have `_solve` compiled twice
    for i in range(n):
        for k in range(n):
            matrix[i, k] = (1.0 if i == k else 0.0) - phi[i, k]
            positive = positive and phi[i, k] >= 0.0
        positive = positive and g[i] >= 0.0
        x[i] = g[i]
    status = _solve(n, matrix, pivots, x, _SLOWEST_PIVOT, positive)
    if status != OK:
        return status
    right = work[n * n + n : n * n + 2 * n]
    for j in range(q):
        for i in range(n):
            total = dg[j, i]
            for k in range(n):
                total += dphi[j, i, k] * x[k]
            right[i] = total
        lu_solve(n, matrix, pivots, right)
        for i in range(n):
            dx[j, i] = right[i]
    return _finite(n, q, x, dx)


@kernel
def stationary(
    n: Any, row: Any, col: Any, val: Any, dval: Any, q: Any, rate: Any, drate: Any, x: Any, dx: Any, work: Any
) -> Any:
    """x ← the solution of A x + rate = 0 (a constant infusion for ever), and dx ← its derivatives.

    Arguments as in `propagate_linear`. Returns 0; 2 where something is not finite; 3 where there is none.
    """
    work = borrowed(work)
    matrix = work[: n * n].reshape((n, n))
    pivots = work[n * n : n * n + n].view(np.int64)
    for i in range(n):
        for k in range(n):
            matrix[i, k] = 0.0
    positive = n >= 0  # a literal would have `_solve` compiled twice
    for k in range(val.size):
        matrix[row[k], col[k]] = -val[k]
        positive = positive and (row[k] == col[k] or val[k] >= 0.0)
    for i in range(n):
        x[i] = rate[i]
        positive = positive and rate[i] >= 0.0
    status = _solve(n, matrix, pivots, x, 0.0, positive)
    if status != OK:
        return status
    right = work[n * n + n : n * n + 2 * n]
    for j in range(q):
        for i in range(n):
            right[i] = drate[j, i]
        for k in range(val.size):
            right[row[k]] += dval[j, k] * x[col[k]]
        lu_solve(n, matrix, pivots, right)
        for i in range(n):
            dx[j, i] = right[i]
    return _finite(n, q, x, dx)


@inner
def _solve(n: Any, matrix: Any, pivots: Any, x: Any, least: Any, positive: Any) -> Any:
    """x ← matrix⁻¹ x; `matrix` becomes its factors. 3 where singular, or where a positive x must not be."""
    for i in range(n):
        for k in range(n):
            if not abs(matrix[i, k]) < np.inf:
                return NOT_FINITE
    if lu_factor(n, matrix, pivots) != OK or lu_singular(n, matrix):
        return SINGULAR
    for i in range(n):
        if not abs(matrix[i, i]) > least:
            return SINGULAR
    lu_solve(n, matrix, pivots, x)
    if positive:
        largest = 0.0
        for i in range(n):
            largest = max(largest, abs(x[i]))
        for i in range(n):
            if x[i] < -1e-9 * largest:
                return SINGULAR
    return OK
