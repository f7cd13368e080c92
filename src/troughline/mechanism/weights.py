"""Weights of virtual patients that give wanted averages with as little change as possible.

Only how much weighting would be needed is reported: no trial, interval or prediction uses a weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from troughline.mechanism.predictions import TwoArms
    from troughline.mechanism.targets import Target

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Balanced:
    """Weights (n,) that sum to n; `effective` = (Σw)²/Σw²; `largest` weight; `worst_miss` of an average."""

    weight: Floats
    effective: float
    largest: float
    worst_miss: float


def balance(features: Floats, wanted: Floats, *, rounds: int = 100) -> Balanced:
    """Entropy balancing: weights ∝ exp(λ·g) whose averages of `features` (n, k) are `wanted` (k,).

    Newton's method on the dual, with halved steps. Raises `ValueError` where no weights reach the averages,
    which is so when one lies outside what the patients span.
    Source: Hainmueller 2012, doi 10.1093/pan/mpr025.
    """
    if features.ndim != 2 or features.shape[1] != len(wanted):
        raise ValueError(f"features of shape {features.shape} do not fit {len(wanted)} averages")
    scale = np.maximum(features.std(axis=0), 1e-12)
    g: Floats = np.asarray((features - wanted) / scale, dtype=np.float64)
    dual = np.zeros(len(wanted))
    height, w = _dual_value(g, dual)
    for _ in range(rounds):
        gradient: Floats = w @ g
        if float(np.abs(gradient).max()) < 1e-9:
            break
        centred = g - gradient
        hessian = (centred * w[:, None]).T @ centred + 1e-10 * np.eye(len(wanted))
        step: Floats = _solved(hessian, -gradient)
        for _ in range(20):
            trial, trial_w = _dual_value(g, dual + step)
            if trial <= height + 1e-12:
                height, w, dual = trial, trial_w, dual + step
                break
            step = 0.5 * step
    miss = float(np.abs((w @ features) - wanted).max())
    if not np.isfinite(miss) or float(np.abs(w @ g).max()) > 1e-3:
        raise ValueError("no weights reach the wanted averages: one lies outside what the patients span")
    weight = w * len(w)
    return Balanced(
        weight=weight,
        effective=float(weight.sum() ** 2 / (weight**2).sum()),
        largest=float(weight.max()),
        worst_miss=miss,
    )


def _dual_value(g: Floats, dual: Floats) -> tuple[float, Floats]:
    """log Σ exp(λ·g), and the weights that sum to one."""
    e: Floats = g @ dual
    top = float(e.max())
    w = np.exp(e - top)
    total = float(w.sum())
    return top + float(np.log(total)), w / total


def _solved(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.linalg.solve(a, b), dtype=np.float64)


def balance_features(both: TwoArms, targets: Mapping[str, Target]) -> tuple[Floats, Floats]:
    """What weighting acts on: of each patient, whether they outlive the published median, and the responses.

    One half of the patients of an arm outlive its published median survival; the shares of partial response
    and stable disease are those printed.
    """
    from troughline.mechanism.predictions import COMPLETE, PARTIAL, STABLE
    from troughline.units import DAYS_PER_MONTH

    columns: list[Floats] = []
    wanted: list[float] = []
    for name, courses in (("sorafenib", both.sorafenib), ("placebo", both.placebo)):
        median = targets[f"sharp-os-{name}"].value * DAYS_PER_MONTH
        columns.append((courses.death_day > median).astype(np.float64))
        wanted.append(0.5)
        columns.append((courses.best == STABLE).astype(np.float64))
        wanted.append(targets[f"sharp-sd-{name}"].value / 100.0)
    responded = (both.sorafenib.best == PARTIAL) | (both.sorafenib.best == COMPLETE)
    columns.append(responded.astype(np.float64))
    wanted.append(targets["sharp-pr-sorafenib"].value / 100.0)
    return np.column_stack(columns), np.array(wanted)
