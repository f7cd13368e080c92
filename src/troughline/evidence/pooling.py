"""Pooling of published effects: common effect, random effects with Hartung–Knapp, prediction interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from troughline.evidence.effects import Effect, OnScale, Scale, from_scale, on_scale
from troughline.evidence.heterogeneity import TauMethod, cochran_q, q_profile, tau_squared

Interval = Literal["hartung-knapp", "hartung-knapp-floor", "normal"]
Freedom = Literal["k-1", "k-2"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One pooled estimate: `value`, `low`, `high` as printed numbers are; `centre` and `se` on the scale."""

    value: float
    low: float
    high: float
    centre: float
    se: float
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """k effects pooled on one scale.

    `common` takes all studies to share one effect, `random` lets them differ. `tau2` is the variance between
    studies on the scale with its Q-profile interval, `i2` = max(0, (Q − k + 1)/Q), `q_p` the p-value of
    Cochran's Q. `prediction_low` and `prediction_high` bound the effect in one more setting like these
    (Higgins, Thompson & Spiegelhalter 2009, doi 10.1111/j.1467-985X.2008.00552.x), None where `k` allows
    none. `weights` are the shares of the studies in `random`. `flags` say what a reader should know:
    an asymmetric interval, a standard error that was assumed, few studies, no heterogeneity seen.
    """

    k: int
    scale: Scale
    level: float
    unit: str
    effects: tuple[Effect, ...]
    on_scale: tuple[OnScale, ...]
    common: Summary
    random: Summary
    tau2: float
    tau2_low: float
    tau2_high: float
    tau2_method: TauMethod
    q: float
    q_p: float
    i2: float
    weights: tuple[float, ...]
    prediction_low: float | None
    prediction_high: float | None
    prediction_method: str
    flags: tuple[str, ...]


def pool(
    effects: Sequence[Effect],
    *,
    tau2: TauMethod = "REML",
    interval: Interval = "hartung-knapp",
    prediction: Freedom = "k-1",
    level: float = 0.95,
) -> Pooled:
    """Pool effects of one scale and unit.

    Common effect: w = 1/v, μ̂ = Σ w y/Σ w, SE = (Σ w)^−½. Random effects: w = 1/(v + τ̂²). `interval`:
    `normal` uses (Σ w)^−½; `hartung-knapp` SE² = q/Σ w, q = Σ w (y − μ̂)²/(k − 1), and t with k − 1 degrees of
    freedom (doi 10.1002/sim.791, 10.1002/sim.1482); `hartung-knapp-floor` takes q as 1 where it is less, so
    that two trials that happen to agree do not give a narrower interval than the common effect has (Röver,
    Knapp & Friede 2015, doi 10.1186/s12874-015-0091-1). The prediction interval is μ̂ ± t √(τ̂² + SE²) with
    k − 1 or k − 2 degrees of freedom, as `prediction` says; with Hartung–Knapp its SE has the floor in any
    case, for one more setting is not known better than the mean.

    Raises `ValueError` for fewer than two effects, one without a standard error, or mixed scales or units.
    """
    from scipy.stats import chi2, norm, t

    _check(effects, level)
    first, k = effects[0], len(effects)
    placed = tuple(on_scale(e) for e in effects)
    y = np.array([p.value for p in placed])
    v = np.array([p.se**2 for p in placed])
    q = float(cochran_q(y, v))
    between = float(tau_squared(y, v, tau2))
    z = float(norm.ppf(0.5 + level / 2.0))
    common = _summary(y, 1.0 / v, z, 1.0, first.scale, "common effect, inverse variance")
    w = 1.0 / (v + between)
    raw_scaling = float(cochran_q(y, v, between)) / (k - 1)
    scaling = {
        "normal": 1.0,
        "hartung-knapp": raw_scaling,
        "hartung-knapp-floor": max(1.0, raw_scaling),
    }[interval]
    quantile = z if interval == "normal" else float(t.ppf(0.5 + level / 2.0, k - 1))
    words = {
        "normal": "normal interval",
        "hartung-knapp": f"Hartung–Knapp, t with {k - 1} degrees of freedom",
        "hartung-knapp-floor": f"Hartung–Knapp with the floor, t with {k - 1} degrees of freedom",
    }[interval]
    random = _summary(y, w, quantile, scaling, first.scale, f"random effects ({tau2}), {words}")
    tau2_low, tau2_high = (float(end) for end in q_profile(y, v, level))
    freedom = k - 1 if prediction == "k-1" else k - 2
    ends: tuple[float, float] | None = None
    if freedom >= 1:
        se2 = max(scaling, 1.0) / float(np.sum(w))
        reach = float(t.ppf(0.5 + level / 2.0, freedom)) * math.sqrt(between + se2)
        ends = (
            from_scale(random.centre - reach, first.scale),
            from_scale(random.centre + reach, first.scale),
        )
    flags = [*_flags(effects, placed, between)]
    if interval == "hartung-knapp" and raw_scaling < 1.0:
        flags.append(
            "the studies differ by less than chance alone makes them, which the Hartung–Knapp interval "
            "without the floor takes for precision"
        )
    return Pooled(
        k=k,
        scale=first.scale,
        level=level,
        unit=first.unit,
        effects=tuple(effects),
        on_scale=placed,
        common=common,
        random=random,
        tau2=between,
        tau2_low=tau2_low,
        tau2_high=tau2_high,
        tau2_method=tau2,
        q=q,
        q_p=float(chi2.sf(q, k - 1)),
        i2=max(0.0, (q - (k - 1)) / q) if q > 0 else 0.0,
        weights=tuple(float(x) for x in w / w.sum()),
        prediction_low=ends[0] if ends else None,
        prediction_high=ends[1] if ends else None,
        prediction_method=f"t with {freedom} degree{'s' if freedom > 1 else ''} of freedom"
        + (", standard error with the floor" if scaling < 1.0 else "")
        if ends
        else f"none from {k} studies",
        flags=tuple(flags),
    )


def _summary(y: Any, w: Any, quantile: float, scaling: float, scale: Scale, method: str) -> Summary:
    centre = float(np.sum(w * y) / np.sum(w))
    se = math.sqrt(scaling / float(np.sum(w)))
    return Summary(
        value=from_scale(centre, scale),
        low=from_scale(centre - quantile * se, scale),
        high=from_scale(centre + quantile * se, scale),
        centre=centre,
        se=se,
        method=method,
    )


def _check(effects: Sequence[Effect], level: float) -> None:
    if len(effects) < 2:
        raise ValueError(f"pooling needs two effects or more, not {len(effects)}")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level {level:g} is not between 0 and 1")
    for what in ("scale", "unit"):
        kinds = sorted({str(getattr(e, what)) for e in effects})
        if len(kinds) > 1:
            raise ValueError(f"effects of more than one {what} cannot be pooled: {', '.join(kinds)}")


def _flags(effects: Sequence[Effect], placed: Sequence[OnScale], between: float) -> list[str]:
    found = [
        f"{e.label}: the interval is not symmetric on the {e.scale} scale (its middle lies "
        f"{abs(100 * p.asymmetry):.0f} % of its half-width {'above' if p.asymmetry > 0 else 'below'})"
        for e, p in zip(effects, placed, strict=True)
        if p.asymmetric
    ]
    found += [f"{e.label}: {e.basis}" for e in effects if e.se is not None and e.basis]
    found += [f"{e.label}: not verified in its source" for e in effects if not e.verified]
    if len(effects) < 5:
        found.append(f"{len(effects)} studies say little about how much studies differ")
    if between == 0.0:
        found.append("no variance between studies is seen, which does not show that there is none")
    return found
