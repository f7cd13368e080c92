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

ADDITIVE, PROPORTIONAL, COMBINED, COMBINED_SD, EXPONENTIAL, LOG_COMBINED, POWER, NONE = range(8)
# Work arrays of one patient: rows (f, err, df, derr) are made once and reused.
_SQRT2 = math.sqrt(2.0)
_LOG_2PI = math.log(2.0 * math.pi)


@kernel
def variance(kind: int, f: float, a: float, b: float, c: float, zero_weight: float, out: Any) -> None:
    """out ← V and its derivatives by f, a, b and c.

    `zero_weight` > 0: where a variance would vanish because f = 0, f is taken as this weight (NONMEM's
    customary W = 1); 0: V is then 0 and the observation has no likelihood.
    """
    out[:] = 0.0
    if kind == ADDITIVE:
        out[0] = a * a
        out[2] = 2.0 * a
    elif kind == PROPORTIONAL or kind == COMBINED:
        g = f
        if kind == PROPORTIONAL and f == 0.0 and zero_weight > 0.0:
            out[0] = (b * zero_weight) ** 2
            out[3] = 2.0 * b * zero_weight**2
            return
        out[0] = (b * g) ** 2
        out[1] = 2.0 * b * b * g
        out[3] = 2.0 * b * g * g
        if kind == COMBINED:
            out[0] += a * a
            out[2] = 2.0 * a
    elif kind == COMBINED_SD:
        s = a + b * f
        out[0] = s * s
        out[1] = 2.0 * s * b
        out[2] = 2.0 * s
        out[3] = 2.0 * s * f
    elif kind == EXPONENTIAL or kind == LOG_COMBINED:
        out[0] = b * b
        out[3] = 2.0 * b
        if kind == LOG_COMBINED:
            out[0] += (a / f) ** 2
            out[1] = -2.0 * a * a / f**3
            out[2] = 2.0 * a / (f * f)
    elif kind == POWER:
        size = abs(f)
        s = b * size**c
        out[0] = s * s + a * a
        if size > 0.0:
            out[1] = 2.0 * s * s * c / f
            out[4] = 2.0 * s * s * math.log(size)
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

    information = Ω⁻¹ + Σ [h′h′ᵀ/V + ½ V′V′ᵀ/V²] for quantified values, λ(λ + z) z′z′ᵀ for censored ones.
    Returns (Φ, status); Φ is +∞ where an observation has no likelihood or the model no prediction.
    """
    q = eta.size
    slopes = I[at.Q] > 0
    status = call_patient(L, C, FN, theta, eta, RF, RI, cov, first, last, W, I, f, df, err, derr)
    if status != at.OK:
        return np.inf, status
    total = 0.0
    if slopes:
        gradient[:] = 0.0
    for i in range(q):
        product = 0.0
        for j in range(q):
            product += precision[i, j] * eta[j]
            if slopes:
                information[i, j] = precision[i, j]
        total += eta[i] * product
        if slopes:
            gradient[i] = 2.0 * product
    v = np.empty(5)
    dh, dv = np.empty(q), np.empty(q)
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
            for j in range(q):
                dh[j] = df[row, j] / value if logged else df[row, j]
                dv[j] = v[1] * df[row, j]
                if L[at.ERROR_USES_EFFECTS] != 0:
                    dv[j] += v[2] * derr[row, 0, j] + v[3] * derr[row, 1, j] + v[4] * derr[row, 2, j]
        censored = RI[r, at.R_CENSORING]
        if censored == 0:
            miss = RF[r, at.R_VALUE] - h
            total += math.log(v[0]) + miss * miss / v[0]
            if slopes:
                share = (1.0 - miss * miss / v[0]) / v[0]
                for i in range(q):
                    gradient[i] += share * dv[i] - 2.0 * miss * dh[i] / v[0]
                    for j in range(q):
                        information[i, j] += dh[i] * dh[j] / v[0] + 0.5 * dv[i] * dv[j] / (v[0] * v[0])
            continue
        sign = 1.0 if censored == 1 else -1.0
        sd = math.sqrt(v[0])
        z = sign * (RF[r, at.R_LIMIT] - h) / sd
        total -= 2.0 * log_normal_tail(z)
        if slopes:
            lam = hazard(z)
            curve = max(lam * (lam + z), 0.0)
            for i in range(q):
                zi = -sign * dh[i] / sd - 0.5 * z * dv[i] / v[0]
                gradient[i] -= 2.0 * lam * zi
                for j in range(q):
                    zj = -sign * dh[j] / sd - 0.5 * z * dv[j] / v[0]
                    information[i, j] += curve * zi * zj
    if not np.isfinite(total):
        return np.inf, at.OK
    return total, at.OK
