"""A single cut on a marker: where the curve puts it, and what it does to the patients."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from troughline.response.proportions import Proportion, wilson
from troughline.response.roc import Floats, RocCurve, split_scores

Criterion = Literal["youden", "closest-corner"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """The best cut of a curve by one criterion.

    `threshold` in the unit of the values; infinite where no finite cut does better than calling every
    patient positive or none. `ties` holds every threshold that is as good, in the order of the curve, the
    reported one first.
    """

    threshold: float
    sensitivity: float
    specificity: float
    youden: float
    criterion: Criterion
    ties: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """What a given cut does to the patients at hand: counts, and proportions with their intervals.

    The intervals take the cut as given; they are too short for a cut chosen in the same patients.
    """

    threshold: float
    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int
    sensitivity: Proportion
    specificity: Proportion
    positive_predictive_value: Proportion
    negative_predictive_value: Proportion

    @property
    def youden(self) -> float:
        """Sensitivity + specificity − 1."""
        return self.sensitivity.value + self.specificity.value - 1.0


def check_criterion(criterion: str) -> None:
    """Raise `ValueError` for a criterion that is not known."""
    if criterion not in ("youden", "closest-corner"):
        raise ValueError(f"criterion {criterion!r} is neither 'youden' nor 'closest-corner'")


def optimal_threshold(curve: RocCurve, criterion: Criterion = "youden") -> OperatingPoint:
    """The cut that maximises Youden's index, or that comes closest to the corner of the curve.

    Youden: sensitivity + specificity − 1 is largest; closest corner: (1 − sensitivity)² +
    (1 − specificity)² is smallest. Both are compared as whole numbers, so equal cuts tie exactly.
    Raises `ValueError` for another criterion.
    Source: Youden 1950, doi 10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3.
    """
    check_criterion(criterion)
    merit = merits(curve.true_positives, curve.false_positives, curve.n_cases, curve.n_controls, criterion)
    best = np.flatnonzero(merit == merit.max())
    first = best[0]
    sensitivity, specificity = float(curve.sensitivity[first]), float(curve.specificity[first])
    return OperatingPoint(
        threshold=float(curve.thresholds[first]),
        sensitivity=sensitivity,
        specificity=specificity,
        youden=sensitivity + specificity - 1.0,
        criterion=criterion,
        ties=tuple(float(t) for t in curve.thresholds[best]),
    )


def merits(
    true_positives: ArrayLike, false_positives: ArrayLike, n_cases: int, n_controls: int, criterion: Criterion
) -> Floats:
    """What a criterion maximises, times (n_cases n_controls) or its square: a whole number for each cut."""
    positives = np.asarray(true_positives, dtype=np.float64) * n_controls
    false = np.asarray(false_positives, dtype=np.float64) * n_cases
    if criterion == "youden":
        return positives - false
    return -((float(n_cases * n_controls) - positives) ** 2 + false**2)


def operating_point(
    values: ArrayLike,
    is_case: ArrayLike,
    threshold: float,
    *,
    higher_is_case: bool = True,
    level: float = 0.95,
) -> Classification:
    """Sensitivity, specificity and predictive values at a given threshold, each with a Wilson interval.

    Parameters: `values` (n,), `is_case` (n,) bool, `threshold` in the unit of the values. A patient is
    positive when value >= threshold (value <= threshold where a low value speaks for a case).
    Returns counts and proportions; a predictive value of no patient is not-a-number with the interval 0–1.
    Raises `ValueError` as `roc_curve` does and for a threshold that is not a number.
    """
    if math.isnan(threshold):
        raise ValueError("the threshold is not a number")
    cases, controls = split_scores(values, is_case, higher_is_case=higher_is_case)
    cut = threshold if higher_is_case else -threshold
    true_positives = int((cases >= cut).sum())
    false_positives = int((controls >= cut).sum())
    false_negatives = cases.size - true_positives
    true_negatives = controls.size - false_positives
    return Classification(
        threshold=float(threshold),
        true_positives=true_positives,
        false_positives=false_positives,
        true_negatives=true_negatives,
        false_negatives=false_negatives,
        sensitivity=wilson(true_positives, cases.size, level=level),
        specificity=wilson(true_negatives, controls.size, level=level),
        positive_predictive_value=wilson(true_positives, true_positives + false_positives, level=level),
        negative_predictive_value=wilson(true_negatives, true_negatives + false_negatives, level=level),
    )
