"""The receiver operating characteristic of one marker, and the Mann–Whitney test that belongs to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# R computes the exact distribution of U below this size of either group; so do we, to agree with it.
_EXACT_BELOW = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class RocCurve:
    """An empirical ROC curve; entry k of every array belongs to the same cut.

    `thresholds` (n_cuts,) in the unit of the values, from the cut that calls every patient positive to the
    one that calls none; both ends are infinite. `true_positives` and `false_positives` (n_cuts,) are counts;
    `sensitivity` and `specificity` (n_cuts,) lie between 0 and 1.
    """

    thresholds: Floats
    true_positives: Integers
    false_positives: Integers
    auc: float
    n_cases: int
    n_controls: int
    higher_is_case: bool

    @property
    def sensitivity(self) -> Floats:
        """The share of cases called positive at each cut, (n_cuts,)."""
        return self.true_positives / self.n_cases

    @property
    def specificity(self) -> Floats:
        """The share of controls called negative at each cut, (n_cuts,)."""
        return (self.n_controls - self.false_positives) / self.n_controls


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupedScores:
    """A marker as counts per distinct score, ascending; a higher score speaks for a case.

    `scores`, `cases`, `controls`: (n_distinct,).
    """

    scores: Floats
    cases: Integers
    controls: Integers

    @property
    def n_cases(self) -> int:
        """The number of cases."""
        return int(self.cases.sum())

    @property
    def n_controls(self) -> int:
        """The number of controls."""
        return int(self.controls.sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class MannWhitney:
    """The Mann–Whitney statistic of the cases, its two-sided p, and whether p is exact."""

    statistic: float
    p_value: float
    exact: bool


def split_scores(
    values: ArrayLike, is_case: ArrayLike, *, higher_is_case: bool = True
) -> tuple[Floats, Floats]:
    """The scores of the cases and of the controls, negated where a low value speaks for a case.

    Parameters: `values` (n,) in any one unit, `is_case` (n,) bool.
    Raises `ValueError` for arrays of other shapes, a value that is not finite, an outcome that is neither
    true nor false, or one class only.
    """
    marker = np.asarray(values, dtype=np.float64)
    raw_outcome = np.asarray(is_case)
    if marker.ndim != 1 or raw_outcome.shape != marker.shape:
        raise ValueError(f"values {marker.shape} and is_case {raw_outcome.shape} are not two equal columns")
    unusable = np.flatnonzero(~np.isfinite(marker))
    if unusable.size:
        raise ValueError(
            f"{unusable.size} of {marker.size} values are not finite, the first at {unusable[0]}"
        )
    outcome = raw_outcome.astype(bool)
    if not np.array_equal(outcome, raw_outcome):
        raise ValueError("is_case holds something that is neither true nor false")
    n_cases = int(outcome.sum())
    if n_cases in (0, outcome.size):
        raise ValueError(f"{n_cases} cases among {outcome.size} patients: both classes are needed")
    scores = marker if higher_is_case else -marker
    return scores[outcome], scores[~outcome]


def group_scores(cases: Floats, controls: Floats) -> GroupedScores:
    """Count cases (n_cases,) and controls (n_controls,) at each distinct score."""
    scores, group = np.unique(np.concatenate([cases, controls]), return_inverse=True)
    return GroupedScores(
        scores=scores,
        cases=np.bincount(group[: cases.size], minlength=scores.size).astype(np.int64),
        controls=np.bincount(group[cases.size :], minlength=scores.size).astype(np.int64),
    )


def midpoints(lower: Floats, upper: Floats) -> Floats:
    """Cuts between neighbouring scores `lower` < `upper` (same shape), such that score >= cut holds for
    `upper` alone, also where no number lies between the two."""
    middle = 0.5 * lower + 0.5 * upper
    return np.where(middle > lower, middle, upper)


def grouped_auc(grouped: GroupedScores) -> float:
    """The area under the curve: the share of case–control pairs in the right order, ties counting half."""
    below = np.cumsum(grouped.controls) - grouped.controls
    twice_u = int((grouped.cases * (2 * below + grouped.controls)).sum())
    return twice_u / (2 * grouped.n_cases * grouped.n_controls)


def roc_curve(values: ArrayLike, is_case: ArrayLike, *, higher_is_case: bool = True) -> RocCurve:
    """The empirical ROC curve of a marker.

    Parameters: `values` (n,) in any one unit, `is_case` (n,) bool; `higher_is_case` says which way the
    marker is expected to point and is never changed by the data.
    Returns the cuts halfway between neighbouring distinct values, infinite at both ends, with counts, and
    AUC = P(case > control) + P(case = control) / 2. A patient is positive when value >= threshold
    (value <= threshold where a low value speaks for a case).
    Raises `ValueError` for a value that is not finite or one class only.
    Source: Hanley & McNeil 1982, doi 10.1148/radiology.143.1.7063747.
    """
    grouped = group_scores(*split_scores(values, is_case, higher_is_case=higher_is_case))
    edges = np.concatenate([[-np.inf], midpoints(grouped.scores[:-1], grouped.scores[1:]), [np.inf]])
    n_cases, n_controls = grouped.n_cases, grouped.n_controls
    return RocCurve(
        thresholds=edges if higher_is_case else -edges,
        true_positives=n_cases - np.concatenate([[0], np.cumsum(grouped.cases)]),
        false_positives=n_controls - np.concatenate([[0], np.cumsum(grouped.controls)]),
        auc=grouped_auc(grouped),
        n_cases=n_cases,
        n_controls=n_controls,
        higher_is_case=higher_is_case,
    )


def mann_whitney(values: ArrayLike, is_case: ArrayLike) -> MannWhitney:
    """The two-sided Mann–Whitney test of cases against controls.

    Parameters: `values` (n,), `is_case` (n,) bool.
    Returns U of the cases (the number of pairs in which the case is higher, ties counting half) and its p:
    exact without ties and with fewer than 50 in each class, otherwise the normal approximation with tie
    and continuity correction.
    Raises `ValueError` as `roc_curve` does, and where all values are equal.
    Source: Mann & Whitney 1947, doi 10.1214/aoms/1177730491.
    """
    from scipy.stats import mannwhitneyu

    cases, controls = split_scores(values, is_case)
    distinct = np.unique(np.concatenate([cases, controls])).size
    if distinct == 1:
        raise ValueError(f"all {cases.size + controls.size} values are equal: there is no order to test")
    exact = distinct == cases.size + controls.size and max(cases.size, controls.size) < _EXACT_BELOW
    test = mannwhitneyu(cases, controls, alternative="two-sided", method="exact" if exact else "asymptotic")
    return MannWhitney(statistic=float(test.statistic), p_value=float(test.pvalue), exact=exact)
