"""Decision curve: what acting on a predicted risk is worth, against treating all and treating none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from troughline.biomarker.endpoint import Flags, Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionCurve:
    """Net benefit per patient at each `threshold` (m,): of acting on the risk, with its interval, and on all.

    To act on nobody has net benefit 0. `gain` is that of the risk over the better of all and nobody.
    """

    threshold: Floats
    model: Floats
    low: Floats
    high: Floats
    everybody: Floats
    gain: Floats
    gain_low: Floats
    gain_high: Floats
    horizon: float
    level: float


def net_benefit(
    time: Floats, event: Flags, risk: Floats, *, horizon: float, thresholds: Floats
) -> tuple[Floats, Floats]:
    """Net benefit (m,) of acting where `risk` (n,) is at least the threshold, and of acting on everybody.

    NB(p) = TP/n − FP/n · p/(1 − p), cases those with the event by `horizon`; who was censored before is
    stood in for by weights 1/G. Raises `ValueError` for a horizon outside follow-up, a threshold that is
    not between 0 and 1.

    Vickers and Elkin 2006, doi 10.1177/0272989X06295361; with censoring: Vickers and others 2008, doi
    10.1186/1472-6947-8-53 (there by Kaplan–Meier; the weights: Uno and others 2007, doi
    10.1198/016214507000000149).
    """
    from troughline.survival.inverse_probability import horizon_weights
    from troughline.survival.times import checked_times

    if not (np.all(thresholds > 0) and np.all(thresholds < 1)):
        raise ValueError("a threshold probability lies between 0 and 1")
    times = checked_times(time, event)
    weights = horizon_weights(times, np.zeros(times.n, dtype=np.bool_), horizon)
    case = weights.weight * weights.case / times.n
    free = weights.weight * weights.free / times.n
    order = np.argsort(-risk, kind="stable")
    above = np.searchsorted(-risk[order], -thresholds, side="right")
    found = np.concatenate(([0.0], np.cumsum(case[order])))[above]
    wrong = np.concatenate(([0.0], np.cumsum(free[order])))[above]
    odds = thresholds / (1 - thresholds)
    return found - wrong * odds, case.sum() - free.sum() * odds


def decision_curve(
    time: Floats,
    event: Flags,
    risk: Floats,
    *,
    horizon: float,
    thresholds: Floats,
    rng: np.random.Generator,
    resamples: int = 500,
    level: float = 0.95,
) -> DecisionCurve:
    """The decision curve of predicted risks with a percentile interval over resampled patients.

    The risks must come from models that did not see the patient (`nested_signature`); the interval is that of
    the patients, the models taken as fixed.
    """
    value, everybody = net_benefit(time, event, risk, horizon=horizon, thresholds=thresholds)
    drawn: list[Floats] = []
    gains: list[Floats] = []
    for _ in range(resamples):
        rows = rng.integers(0, time.size, time.size)
        if not event[rows].any() or horizon >= float(time[rows].max()):
            continue
        one, all_of = net_benefit(time[rows], event[rows], risk[rows], horizon=horizon, thresholds=thresholds)
        drawn.append(one)
        gains.append(one - np.maximum(all_of, 0.0))
    ends = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(np.array(drawn), ends, axis=0)
    gain_low, gain_high = np.quantile(np.array(gains), ends, axis=0)
    return DecisionCurve(
        threshold=thresholds, model=value, low=low, high=high, everybody=everybody,
        gain=value - np.maximum(everybody, 0.0), gain_low=gain_low, gain_high=gain_high, horizon=horizon,
        level=level,
    )  # fmt: skip
