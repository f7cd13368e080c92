"""The objective of individual estimation, as NONMEM defines it, with its gradient and information.

With h the prediction (its logarithm where the error is on the log scale), V the residual variance and y the
observation: Φ(η) = Σ [log V + (y − h)²/V] + η′Ω⁻¹η. A value below its limit L contributes
−2 log Φ((L − h)/√V) (Beal's M3, doi 10.1023/A:1012299115260), one above its limit the other tail.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from troughline.model.kernels import layout as at
from troughline.model.kernels.batch import call_patient
from troughline.model.kernels.jit import kernel
from troughline.model.kernels.views import vector

ADDITIVE, PROPORTIONAL, COMBINED, COMBINED_SD, EXPONENTIAL, LOG_COMBINED, POWER, NONE = range(8)
_SQRT2 = math.sqrt(2.0)
_LOG_2PI = math.log(2.0 * math.pi)
_PARTS = 6
_MISFIT = _PARTS
"""In the work array of `assess`: where Σ (y − h)²/V is left."""


@kernel
def variance(kind: int, f: float, a: float, b: float, c: float, zero_weight: float, out: Any) -> None:
    """out (6,) ← V, its derivatives by f, a, b and c, and the second one by log f.

    `zero_weight` > 0: where a variance would vanish because f = 0, f is taken as this weight (NONMEM's
    customary W = 1); 0: V is then 0 and the observation has no likelihood.
    """
    out[:] = 0.0
    if kind == ADDITIVE:
        out[0] = a * a
        out[2] = 2.0 * a
    elif kind == PROPORTIONAL or kind == COMBINED:
        if kind == PROPORTIONAL and f == 0.0 and zero_weight > 0.0:
            out[0] = (b * zero_weight) ** 2
            out[3] = 2.0 * b * zero_weight**2
            return
        out[0] = (b * f) ** 2
        out[1] = 2.0 * b * b * f
        out[3] = 2.0 * b * f * f
        out[5] = 4.0 * out[0]
        if kind == COMBINED:
            out[0] += a * a
            out[2] = 2.0 * a
    elif kind == COMBINED_SD:
        s = a + b * f
        out[0] = s * s
        out[1] = 2.0 * s * b
        out[2] = 2.0 * s
        out[3] = 2.0 * s * f
        out[5] = 2.0 * b * f * (s + b * f)
    elif kind == EXPONENTIAL or kind == LOG_COMBINED:
        out[0] = b * b
        out[3] = 2.0 * b
        if kind == LOG_COMBINED:
            ratio = (a / f) ** 2
            out[0] += ratio
            out[1] = -2.0 * ratio / f
            out[2] = 2.0 * a / (f * f)
            out[5] = 4.0 * ratio
    elif kind == POWER:
        size = abs(f)
        s = b * size**c
        out[0] = s * s + a * a
        if size > 0.0:
            out[1] = 2.0 * s * s * c / f
            out[4] = 2.0 * s * s * math.log(size)
            out[5] = 4.0 * s * s * c * c
        out[2] = 2.0 * a
        out[3] = 2.0 * s * size**c


@kernel
def log_normal_tail(z: float) -> float:
    """log Φ(z), accurate far into the lower tail."""
    if z > -6.0:
        return math.log(0.5 * math.erfc(-z / _SQRT2))
    # asymptotic expansion of Mills' ratio
    t = 1.0 / (z * z)
    series = 1.0 - t * (1.0 - t * (3.0 - t * (15.0 - t * (105.0 - 945.0 * t))))
    return -0.5 * z * z - 0.5 * _LOG_2PI - math.log(-z) + math.log(series)


@kernel
def hazard(z: float) -> float:
    """φ(z)/Φ(z)."""
    return math.exp(-0.5 * z * z - 0.5 * _LOG_2PI - log_normal_tail(z))


@kernel
def objective(
    L: Any, C: Any, FN: Any, theta: Any, precision: Any, eta: Any, RF: Any, RI: Any, cov: Any,
    first: int, last: int, W: Any, I: Any, f: Any, df: Any, err: Any, derr: Any, zero_weight: float,  # noqa: E741
    gradient: Any, information: Any,
) -> Any:  # fmt: skip
    """Φ(η), with gradient (q,) = ∂Φ/∂η and information (q, q) = the expected ½ ∂²Φ where I[Q] > 0.

    Returns (Φ, status); Φ is +∞ where an observation has no likelihood or the model no prediction.
    """
    return assess(
        L, C, FN, theta, precision, eta, RF, RI, cov, first, last, W, I, f, df, err, derr, zero_weight,
        gradient, information, np.empty((0, 0)), np.empty(assess_size(eta.size)),
    )  # fmt: skip


@kernel
def assess_size(q: Any) -> Any:
    """Length of the work array of `assess`."""
    return _PARTS + 1 + 3 * q


@kernel
def misfit(work: Any) -> float:
    """Σ (y − h)²/V over the quantified values, as `assess` left it."""
    return work[_MISFIT]


@kernel
def assess(
    L: Any, C: Any, FN: Any, theta: Any, precision: Any, eta: Any, RF: Any, RI: Any, cov: Any,
    first: int, last: int, W: Any, I: Any, f: Any, df: Any, err: Any, derr: Any, zero_weight: float,  # noqa: E741
    gradient: Any, information: Any, curvature: Any, work: Any,
) -> Any:  # fmt: skip
    """`objective`, and in curvature (q, q), where it is not empty, an approximation of ½ ∂²Φ itself.

    The information is Ω⁻¹ + Σ [h′h′ᵀ/V + ½ V′V′ᵀ/V²] for quantified values, λ(λ + z) z′z′ᵀ for censored
    ones. The curvature takes ∂²Φ at the observation in hand and f″ ≈ f′f′ᵀ/f: most effects act on the
    logarithm of what the prediction is proportional to, a clearance or a volume.
    """
    q = eta.size
    slopes, curved = I[at.Q] > 0, curvature.size > 0
    work[_MISFIT] = 0.0
    status = call_patient(L, C, FN, theta, eta, RF, RI, cov, first, last, W, I, f, df, err, derr)
    if status != at.OK:
        return np.inf, status
    total = _prior(q, slopes, precision, eta, gradient, information)
    if curved:
        curvature[:, :] = precision
    v = vector(work, 0, _PARTS)
    dh, dv = vector(work, _MISFIT + 1, q), vector(work, _MISFIT + 1 + q, q)
    kinds = L[at.OUT_KIND]
    for r in range(first, last):
        if RI[r, at.R_EVENT] != at.EV_OBSERVATION or RI[r, at.R_CENSORING] == 3:
            continue
        row = r - first
        kind = L[kinds + RI[r, at.R_OUTPUT]]
        if kind == NONE:
            continue
        value = f[row]
        logged = kind == EXPONENTIAL or kind == LOG_COMBINED
        if logged and not value > 0.0:
            return np.inf, at.OK
        variance(kind, value, err[row, 0], err[row, 1], err[row, 2], zero_weight, v)
        if not (v[0] > 0.0 and v[0] < np.inf):
            return np.inf, at.OK
        h = math.log(value) if logged else value
        if slopes:
            scale = 1.0 / value if logged else 1.0
            for j in range(q):
                dh[j] = df[row, j] * scale
                dv[j] = v[1] * df[row, j]
            if L[at.ERROR_USES_EFFECTS] != 0:
                for j in range(q):
                    dv[j] += v[2] * derr[row, 0, j] + v[3] * derr[row, 1, j] + v[4] * derr[row, 2, j]
        if RI[r, at.R_CENSORING] == 0:
            miss = RF[r, at.R_VALUE] - h
            share = miss * miss / v[0]
            total += math.log(v[0]) + share
            work[_MISFIT] += share
            if slopes:
                _add_measured(q, miss, v[0], dh, dv, gradient, information)
            if curved:
                bend = 0.0
                if value != 0.0:
                    bend = (0.5 * (1.0 - share) * v[5] - (0.0 if logged else miss * value)) / (
                        v[0] * value**2
                    )
                _add_curvature(q, miss, v[0], dh, dv, bend, df, row, curvature)
            continue
        sign = 1.0 if RI[r, at.R_CENSORING] == 1 else -1.0
        sd = math.sqrt(v[0])
        z = sign * (RF[r, at.R_LIMIT] - h) / sd
        total -= 2.0 * log_normal_tail(z)
        if slopes:
            dz = vector(work, _MISFIT + 1 + 2 * q, q)
            lam = hazard(z)
            for j in range(q):
                dz[j] = -sign * dh[j] / sd - 0.5 * z * dv[j] / v[0]
                gradient[j] -= 2.0 * lam * dz[j]
            _add_square(q, max(lam * (lam + z), 0.0), dz, information)
            if curved:
                _add_square(q, max(lam * (lam + z), 0.0), dz, curvature)
    if not np.isfinite(total):
        return np.inf, at.OK
    return total, at.OK


@kernel
def _prior(q: int, slopes: bool, precision: Any, eta: Any, gradient: Any, information: Any) -> float:
    """η′Ω⁻¹η; gradient ← its gradient, information ← Ω⁻¹."""
    total = 0.0
    for i in range(q):
        product = 0.0
        for j in range(q):
            product += precision[i, j] * eta[j]
        total += eta[i] * product
        if slopes:
            gradient[i] = 2.0 * product
            for j in range(q):
                information[i, j] = precision[i, j]
    return total


@kernel
def _add_measured(q: int, miss: float, v: float, dh: Any, dv: Any, gradient: Any, information: Any) -> None:
    """The share of a quantified value in the gradient and the information."""
    by_h, by_v = -2.0 * miss / v, (1.0 - miss * miss / v) / v
    hh, vv = 1.0 / v, 0.5 / (v * v)
    for i in range(q):
        gradient[i] += by_v * dv[i] + by_h * dh[i]
        for j in range(q):
            information[i, j] += hh * dh[i] * dh[j] + vv * dv[i] * dv[j]


@kernel
def _add_curvature(
    q: int, miss: float, v: float, dh: Any, dv: Any, bend: float, df: Any, row: int, curvature: Any
) -> None:
    """The share of a quantified value in ½ ∂²Φ; bend f′f′ᵀ stands for the part in h″ and V″."""
    hh, hv, vv = 1.0 / v, miss / (v * v), (miss * miss / v - 0.5) / (v * v)
    for i in range(q):
        for j in range(q):
            curvature[i, j] += (
                dh[i] * (hh * dh[j] + hv * dv[j])
                + dv[i] * (hv * dh[j] + vv * dv[j])
                + bend * df[row, i] * df[row, j]
            )


@kernel
def _add_square(q: int, weight: float, dz: Any, out: Any) -> None:
    """out += weight · z′z′ᵀ."""
    for i in range(q):
        for j in range(q):
            out[i, j] += weight * dz[i] * dz[j]
