"""An outcome regressed on the change of a marker and its first level, levels beyond a limit imputed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troughline.biomarker.censored import Censored, Pairs
from troughline.biomarker.endpoint import Effect, Endpoint, Regression
from troughline.biomarker.imputation import Pooled, imputed_levels, pool

Floats = NDArray[np.float64]

FAR = 10.0
"""How far beyond its limit a level is put, as a factor, to see what the answer owes to the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeEffect:
    """Log ratios per step of the change and of the first level.

    `n_beyond` levels lie beyond a limit, which costs the share `missing_information` of what the change
    tells; `near` and `far` are the effect of the change with each such level at its limit, and `FAR` times
    beyond it (0 below a limit on the plain scale); None where nothing is beyond a limit or no fit exists.
    """

    change: Effect
    first_level: Effect
    n_beyond: int
    missing_information: float = 0.0
    near: float | None = None
    far: float | None = None
    penalised: bool = False


def regress_on_change(
    endpoint: Endpoint,
    pairs: Pairs,
    covariates: Floats,
    names: tuple[str, ...],
    rng: np.random.Generator,
    *,
    log: bool,
    level: float = 0.95,
) -> ChangeEffect:
    """Cox or logistic regression on change + first level + `covariates` (n, p), all at the second sample.

    With `log` the levels of `pairs` are natural logarithms and the step is a doubling; else it is the
    standard deviation of the changes. Levels beyond a limit are drawn (`imputed_levels`, which knows the
    outcome) and the regressions pooled by Rubin's rules; without any, the regression is an ordinary one.
    Raises `ValueError` where the levels cannot be drawn, no change differs, or no fit exists.
    """
    drawn = imputed_levels(pairs, np.column_stack([_of_outcome(endpoint), covariates]), rng)
    step = math.log(2) if log else float((drawn[..., 1] - drawn[..., 0]).std(axis=1).mean())
    if not step > 0:
        raise ValueError("no change differs from another")
    fits = [_regress(endpoint, x, covariates, names, step, level) for x in drawn]
    n_beyond = int((~pairs.before.exact).sum() + (~pairs.after.exact).sum())
    penalised = any(f.penalised for f in fits)
    if len(fits) == 1:
        return ChangeEffect(
            change=fits[0].named("change"), first_level=fits[0].named("first level"), n_beyond=n_beyond,
            penalised=penalised,
        )  # fmt: skip
    pooled = pool(np.array([f.coefficients for f in fits]), np.array([f.covariance for f in fits]))
    ends: list[float | None] = []
    for far in (False, True):
        try:
            end = _regress(endpoint, _at_ends(pairs, far, log), covariates, names, step, level)
        except ValueError:
            ends.append(None)
        else:
            ends.append(float(end.coefficients[0]))
    return ChangeEffect(
        change=_effect(pooled, 0, level), first_level=_effect(pooled, 1, level), n_beyond=n_beyond,
        missing_information=float(pooled.missing_information[0]), near=ends[0], far=ends[1],
        penalised=penalised,
    )  # fmt: skip


def _regress(
    endpoint: Endpoint, levels: Floats, covariates: Floats, names: tuple[str, ...], step: float, level: float
) -> Regression:
    """The regression on the change (per `step`), the first level and the covariates; `levels` (n, 2)."""
    x = np.column_stack([(levels[:, 1] - levels[:, 0]) / step, levels[:, 0] / step, covariates])
    return endpoint.regress(x, ("change", "first level", *names), level=level)


def _effect(pooled: Pooled, k: int, level: float) -> Effect:
    from scipy.stats import t as student

    value, error = float(pooled.coefficients[k]), math.sqrt(float(pooled.covariance[k, k]))
    freedom = float(pooled.freedom[k])
    half = float(student.isf((1 - level) / 2, freedom)) * error
    return Effect(
        value=value, low=value - half, high=value + half, standard_error=error,
        p_value=2 * float(student.sf(abs(value / error), freedom)),
    )  # fmt: skip


def _of_outcome(endpoint: Endpoint) -> Floats:
    """What an imputation must know of the outcome, `(n, k)`: the event, and Nelson–Aalen's hazard so far."""
    assert endpoint.event is not None
    event = endpoint.event.astype(np.float64)
    if endpoint.time is None:
        return event[:, None]
    time = endpoint.time
    order = np.argsort(time, kind="stable")
    at = np.searchsorted(time[order], time[order], side="left")
    steps = event[order] / (len(time) - at)
    hazard = np.cumsum(steps)[np.searchsorted(time[order], time, side="right") - 1]
    return np.column_stack([event, hazard])


def _at_ends(pairs: Pairs, far: bool, log: bool) -> Floats:
    """Levels (n, 2) with each beyond its limit put at it, or `FAR` times beyond (0 on the plain scale)."""
    return np.column_stack([_at_end(one, far, log) for one in (pairs.before, pairs.after)])


def _at_end(one: Censored, far: bool, log: bool) -> Floats:
    below, above = one.below, one.above
    near = np.where(below, one.high, one.low)
    if not far:
        return near
    if log:
        return near - math.log(FAR) * below + math.log(FAR) * above
    return np.where(below, 0.0, np.where(above, near * FAR, near))
