"""A rate matrix made ready for its exponential: how fast it is, which way it flows, its entries by row."""

from __future__ import annotations

from typing import Any

import numpy as np

from troughline.model.kernels.jit import inner, kernel


@inner
def row_width(n: Any) -> Any:
    """How many numbers a row of n takes in `products`: a multiple of 8."""
    return (n + 7) & -8


@kernel
def acyclic_order(n: Any, row: Any, col: Any, order: Any) -> Any:
    """Whether what leaves a state never comes back; order (n,) int64 ← each state's place downstream.

    row, col (nnz,) int64: the pairs (i, j) where state i takes from state j. Where the system has a cycle,
    `order` becomes 0 … n − 1.
    """
    for i in range(n):
        order[i] = -1
    placed = 0
    while placed < n:
        before = placed
        for i in range(n):
            if order[i] < 0 and _fed_by_placed(i, row, col, order):
                order[i] = placed
                placed += 1
        if placed == before:
            for i in range(n):
                order[i] = i
            return False
    return True


@inner
def _fed_by_placed(i: Any, row: Any, col: Any, order: Any) -> Any:
    for k in range(row.size):  # noqa: SIM110 (a generator would not compile)
        if row[k] == i and col[k] != i and order[col[k]] < 0:
            return False
    return True


@inner
def scales(n: Any, row: Any, col: Any, val: Any, diagonal: Any, sums: Any, order: Any) -> Any:
    """(Λ, σ, whether A is Metzler): e^{At} = e^{-Λt} e^{Bt}, B = A + Λ I, and σ the size of B.

    Λ is the largest rate of loss, 0 where A is not Metzler. Where mass is lost or kept, σ = Λ. Without a
    cycle σ does not depend on the flows between states, whatever the units of these; elsewhere it is the
    smaller of the column and row norms of B. diagonal (n,) ← that of A; sums (2 n,), order (n,) are scratch.
    """
    for i in range(n):
        diagonal[i] = 0.0
        sums[i] = 0.0
        sums[n + i] = 0.0
    metzler = True
    for k in range(val.size):
        if row[k] == col[k]:
            diagonal[row[k]] = val[k]
        else:
            metzler = metzler and not val[k] < 0.0
            sums[col[k]] += abs(val[k])
            sums[n + row[k]] += abs(val[k])
    shift, top, column_gain, row_gain, column_norm, row_norm = 0.0, 0.0, -np.inf, -np.inf, 0.0, 0.0
    for i in range(n):
        a = diagonal[i]
        shift = max(shift, -a)
        top = max(top, a)
        column_gain = max(column_gain, a + sums[i])
        row_gain = max(row_gain, a + sums[n + i])
        column_norm = max(column_norm, abs(a) + sums[i])
        row_norm = max(row_norm, abs(a) + sums[n + i])
    if not metzler:
        return 0.0, min(column_norm, row_norm), False
    if column_gain <= 1e-9 * shift:
        return shift, shift, True
    if acyclic_order(n, row, col, order):
        return shift, shift + top, True
    return shift, shift + max(0.0, min(column_gain, row_gain)), True


@inner
def sort_rates(
    n: Any, size: Any, row: Any, col: Any, val: Any, diagonal: Any, rate: Any, shift: Any, unit: Any,
    keep: Any, width: Any, stop: Any, column: Any, place: Any, value: Any,
) -> None:  # fmt: skip
    """(A + shift I) · unit row by row, as `products` takes it; where size = n + 1, an input is column n.

    Row i is i · room … stop[i] − 1, room = size + 1; column ← column · width. With `keep`, place[k] ← where
    val[k] went, place[nnz + i] ← where the rate into state i went; without, zeros are left out.
    """
    nnz = val.size
    for i in range(size):
        e = i * (size + 1)
        shifted = shift + (diagonal[i] if i < n else 0.0)
        if keep or shifted != 0.0:
            column[e] = i * width
            value[e] = shifted * unit
            e += 1
        if i < n and size > n and (keep or rate[i] != 0.0):
            column[e] = n * width
            value[e] = rate[i] * unit
            if keep:
                place[nnz + i] = e
            e += 1
        stop[i] = e
    for k in range(nnz):
        i = row[k]
        if i == col[k]:
            if keep:
                place[k] = i * (size + 1)
        elif keep or val[k] != 0.0:
            e = stop[i]
            column[e] = col[k] * width
            value[e] = val[k] * unit
            if keep:
                place[k] = e
            stop[i] = e + 1


@inner
def slopes_of(
    n: Any, size: Any, dval: Any, drate: Any, j: Any, unit: Any, place: Any, slope: Any, stride: Any,
    lane: Any,
) -> None:  # fmt: skip
    """slope[stride · e + lane] ← the derivative in direction j of entry e of `sort_rates`, times unit."""
    nnz = dval.shape[1]
    for k in range(nnz):
        slope[stride * place[k] + lane] = dval[j, k] * unit
    if size > n:
        for i in range(n):
            slope[stride * place[nnz + i] + lane] = drate[j, i] * unit


@inner
def spans(n: Any, size: Any, row: Any, col: Any, first: Any, last: Any) -> None:
    """From which states each can be reached: none before first[i], none from last[i] on; (size,) int64."""
    for i in range(size):
        first[i] = i
        last[i] = size
        if size == n:
            last[i] = i + 1
    changed = True
    while changed:
        changed = False
        for k in range(row.size):
            i, j = row[k], col[k]
            if first[j] < first[i]:
                first[i] = first[j]
                changed = True
            if last[j] > last[i]:
                last[i] = last[j]
                changed = True


@inner
def own_directions(q: Any, dval: Any, work: Any) -> Any:
    """(own (count, nnz), same (q,), multiple (q,), the rest of `work`): dval[j] = multiple[j] · own[same[j]].

    Effects that reach the rates through one quantity, as clearance and volume do through CL/V, have
    derivatives in proportion; those that reach none have multiple[j] = 0.
    """
    nnz = dval.shape[1]
    same, multiple = work[:q], work[q : 2 * q]
    first = row_width(2 * q)
    end = first + row_width(q * nnz)
    own = work[first : first + q * nnz].reshape((q, nnz))
    count = 0
    for j in range(q):
        same[j], multiple[j] = 0.0, 0.0
        lead = 0
        while lead < nnz and dval[j, lead] == 0.0:
            lead += 1
        if lead == nnz:
            continue
        for c in range(count):
            if own[c, lead] != 0.0 and _in_proportion(dval, j, own, c, dval[j, lead] / own[c, lead]):
                same[j], multiple[j] = c, dval[j, lead] / own[c, lead]
                break
        if multiple[j] == 0.0:
            for k in range(nnz):
                own[count, k] = dval[j, k]
            same[j], multiple[j] = count, 1.0
            count += 1
    return own[:count], same, multiple, work[end:]


@inner
def _in_proportion(values: Any, j: Any, of: Any, c: Any, times: Any) -> Any:
    """Whether row j is `times` row c of the other, to a rounding of each element."""
    for k in range(values.shape[1]):
        if not abs(values[j, k] - times * of[c, k]) <= 4e-16 * abs(values[j, k]):
            return False
    return True
