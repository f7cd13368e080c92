"""How well a marker tells those with the event by a time from those without: time-dependent ROC curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from troughline.survival.inverse_probability import HorizonWeights, checked_rivals, horizon_weights
from troughline.survival.times import (
    BoolArray,
    FloatArray,
    SurvivalTimes,
    checked_level,
    checked_times,
    checked_values,
)

Controls = Literal["event-free", "everyone else"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeDependentArea:
    """Area under the ROC curve at time `at`: the chance that a case's marker is above a control's.

    `value`, the error and the interval are not a number where there is no case or no control by then.
    `influence` (n,) is each patient's, so that √(Σ influence²)/n is about `standard_error`.
    """

    at: float
    controls: Controls
    value: float
    standard_error: float
    low: float
    high: float
    level: float
    n: int
    n_cases: int
    n_controls: int
    n_censored: int
    influence: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaDifference:
    """Area of the first marker minus that of the second in the same patients at time `at`."""

    at: float
    value: float
    standard_error: float
    low: float
    high: float
    level: float
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeDependentRoc:
    """The ROC curve at time `at`: arrays (k,), `positive` meaning marker > threshold.

    The thresholds fall from infinity, where nobody is positive, to below the smallest marker.
    """

    at: float
    controls: Controls
    threshold: FloatArray
    sensitivity: FloatArray
    specificity: FloatArray


def time_dependent_area(
    time: ArrayLike,
    event: ArrayLike,
    marker: ArrayLike,
    at: Sequence[float],
    *,
    rival: ArrayLike | None = None,
    controls: Controls = "everyone else",
    level: float = 0.95,
) -> tuple[TimeDependentArea, ...]:
    """Cumulative/dynamic area under the ROC curve at each time of `at`, with its interval.

    Parameters: `time`, `event` (n,) as in `checked_times`; `marker` (n,), higher meaning more at risk;
    `rival` (n,) true where a rival event ended follow-up; `controls` who a case is compared with: all who had
    not had the event by then ("everyone else"), or only those who had had no event at all ("event-free").

    Raises `ValueError` for a marker that is not finite, a time of `at` outside follow-up, a patient with
    both an event and a rival, and what `checked_times` refuses.

    AUC(t) = Σ_ij w_i v_j [1{M_i > M_j} + ½ 1{M_i = M_j}] / (Σ w_i Σ v_j) over cases i and controls j, weights
    1/G(T−) for whom an event ended follow-up by t and 1/G(t) for the others, G the Kaplan–Meier curve of
    censoring (Uno and others 2007, doi 10.1198/016214507000000149; the influence function, the estimation of
    G included, and both definitions of controls: Blanche, Dartigues and Jacqmin-Gadda 2013, doi
    10.1002/sim.5958). The interval is normal and not cut to 0–1.
    """
    times, values, rivals = _checked(time, event, marker, rival)
    checked_level(level)
    return tuple(_area(times, values, rivals, float(t), controls, level) for t in at)


def time_dependent_area_difference(
    time: ArrayLike,
    event: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    at: Sequence[float],
    *,
    rival: ArrayLike | None = None,
    controls: Controls = "everyone else",
    level: float = 0.95,
) -> tuple[AreaDifference, ...]:
    """Compare the areas of two markers in the same patients at each time of `at`; parameters as above.

    The error is that of the difference of the two influence functions.
    """
    from scipy.special import ndtr, ndtri

    width = float(ndtri((1 + checked_level(level)) / 2))
    one = time_dependent_area(time, event, first, at, rival=rival, controls=controls, level=level)
    two = time_dependent_area(time, event, second, at, rival=rival, controls=controls, level=level)
    found: list[AreaDifference] = []
    for a, b in zip(one, two, strict=True):
        difference = a.value - b.value
        error = _standard_error(a.influence - b.influence)
        found.append(
            AreaDifference(
                at=a.at,
                value=difference,
                standard_error=error,
                low=difference - width * error,
                high=difference + width * error,
                level=level,
                p_value=2 * float(ndtr(-abs(difference / error))) if error > 0 else math.nan,
            )
        )
    return tuple(found)


def time_dependent_roc(
    time: ArrayLike,
    event: ArrayLike,
    marker: ArrayLike,
    at: float,
    *,
    rival: ArrayLike | None = None,
    controls: Controls = "everyone else",
) -> TimeDependentRoc:
    """The ROC curve at time `at`; parameters and what is raised as in `time_dependent_area`.

    Raises `ValueError` too where there is no case or no control by then.
    """
    times, values, rivals = _checked(time, event, marker, rival)
    weights = horizon_weights(times, rivals, float(at))
    case = np.where(weights.case, weights.weight, 0.0)
    control = np.where(_control(weights, controls), weights.weight, 0.0)
    if not (case.any() and control.any()):
        raise ValueError(f"no case or no control at {at:g}: there is no ROC curve")
    cuts, position = np.unique(values, return_inverse=True)

    def above(weight: FloatArray) -> FloatArray:
        summed = np.bincount(position, weights=weight, minlength=cuts.size)
        return np.concatenate(([0.0], summed[::-1].cumsum())) / weight.sum()

    lower = np.concatenate((cuts[::-1], [-math.inf]))
    return TimeDependentRoc(
        at=float(at),
        controls=controls,
        threshold=np.concatenate(([math.inf], lower[1:])),
        sensitivity=above(case),
        specificity=1 - above(control),
    )


def landmark_area(
    time: ArrayLike,
    event: ArrayLike,
    marker: ArrayLike,
    landmarks: Sequence[float],
    window: float,
    *,
    rival: ArrayLike | None = None,
    controls: Controls = "everyone else",
    level: float = 0.95,
) -> tuple[TimeDependentArea, ...]:
    """The area at each landmark s for the event within (s, s + window], among those at risk after s.

    `marker` (n, landmarks) holds each patient's value as known at each landmark; a patient with not a number
    there was not measured and is left out of that landmark (`n` says how many count). `at` of a result is
    the landmark. Raises what `time_dependent_area` raises and `ValueError` where nobody is left.
    """
    times = checked_times(time, event)
    rivals = checked_rivals(rival, times.event)
    values = np.asarray(marker, dtype=np.float64)
    if values.shape != (times.n, len(landmarks)):
        raise ValueError(f"marker has shape {values.shape}; expected ({times.n}, {len(landmarks)})")
    found: list[TimeDependentArea] = []
    for k, s in enumerate(landmarks):
        kept = (times.time > s) & ~np.isnan(values[:, k])
        if not kept.any():
            raise ValueError(f"nobody with a marker is at risk after the landmark at {s:g}")
        (area,) = time_dependent_area(
            times.time[kept] - s,
            times.event[kept],
            values[kept, k],
            (window,),
            rival=rivals[kept],
            controls=controls,
            level=level,
        )
        found.append(replace(area, at=float(s)))
    return tuple(found)


def _checked(
    time: ArrayLike, event: ArrayLike, marker: ArrayLike, rival: ArrayLike | None
) -> tuple[SurvivalTimes, FloatArray, BoolArray]:
    times = checked_times(time, event)
    return times, checked_values("marker", marker, times.n), checked_rivals(rival, times.event)


def _control(weights: HorizonWeights, controls: Controls) -> BoolArray:
    return weights.free | weights.rival if controls == "everyone else" else weights.free


def _area(
    times: SurvivalTimes, marker: FloatArray, rivals: BoolArray, at: float, controls: Controls, level: float
) -> TimeDependentArea:
    from scipy.special import ndtri

    weights = horizon_weights(times, rivals, at)
    control = _control(weights, controls)
    w = np.where(weights.case, weights.weight, 0.0)
    v = np.where(control, weights.weight, 0.0)
    total_w, total_v = float(w.mean()), float(v.mean())
    value, error, influence = math.nan, math.nan, np.full(times.n, math.nan)
    if total_w > 0 and total_v > 0:
        below = _share_below(marker, v)
        above = total_w - _share_below(marker, w)
        value = float(np.mean(w * below)) / (total_w * total_v)
        part = w * (below - value * total_v) + v * (above - value * total_w)
        part /= total_w * total_v
        influence = part + weights.weight_influence(part / times.n)
        error = _standard_error(influence)
    half = float(ndtri((1 + level) / 2)) * error
    return TimeDependentArea(
        at=at,
        controls=controls,
        value=value,
        standard_error=error,
        low=value - half,
        high=value + half,
        level=level,
        n=times.n,
        n_cases=int(weights.case.sum()),
        n_controls=int(control.sum()),
        n_censored=int((weights.weight == 0).sum()),
        influence=influence,
    )


def _share_below(marker: FloatArray, weight: FloatArray) -> FloatArray:
    """Mean over patients of weight [1{marker below} + ½ 1{marker equal}], for each marker value (n,)."""
    cuts, position = np.unique(marker, return_inverse=True)
    summed = np.bincount(position, weights=weight, minlength=cuts.size)
    return (np.cumsum(summed) - summed / 2)[position] / marker.size


def _standard_error(influence: FloatArray) -> float:
    n = influence.size
    return math.sqrt(float(np.var(influence, ddof=1)) / n) if n > 1 else math.nan
