"""The stratified bootstrap of a ROC curve: area, best cut, and what that cut does, replicate by replicate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from troughline.response.proportions import check_level, normal_quantile, wilson_limits
from troughline.response.roc import Floats, GroupedScores, Integers, group_scores, midpoints, split_scores
from troughline.response.thresholds import Criterion, check_criterion, merits

# Cells (replicates × distinct values) worked on at once: small enough to stay in cache and far below 100 MB.
_CHUNK_CELLS = 1 << 17


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapRoc:
    """Bootstrap replicates of a ROC curve; every array is (n_replicates,).

    `threshold` in the unit of the values is the best cut of the resample, halfway between neighbouring
    values present in it; `sensitivity` and `specificity` are those of that cut in the resample,
    `sensitivity_original` and `specificity_original` those of the same cut in the patients at hand.
    """

    auc: Floats
    threshold: Floats
    sensitivity: Floats
    specificity: Floats
    sensitivity_original: Floats
    specificity_original: Floats
    criterion: Criterion

    @property
    def youden(self) -> Floats:
        """Youden's index of the chosen cut in the resample it was chosen in."""
        return self.sensitivity + self.specificity - 1.0

    @property
    def youden_original(self) -> Floats:
        """Youden's index of the chosen cut in the patients at hand."""
        return self.sensitivity_original + self.specificity_original - 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RocBand:
    """A pointwise interval of sensitivity on a grid of specificities; every array is (n_points,)."""

    specificity: Floats
    sensitivity: Floats
    low: Floats
    high: Floats
    level: float


def percentile_interval(replicates: Floats, *, level: float = 0.95) -> tuple[float, float]:
    """The central interval of bootstrap replicates (n_replicates,), infinite ones included.

    Quantiles interpolate linearly between order statistics (type 7 of Hyndman & Fan 1996,
    doi 10.1080/00031305.1996.10473566).
    """
    check_level(level)
    if replicates.size == 0 or np.isnan(replicates).any():
        raise ValueError("an interval needs replicates, and all of them numbers")
    ordered = np.sort(replicates)
    return _quantile(ordered, 0.5 - level / 2.0), _quantile(ordered, 0.5 + level / 2.0)


def _quantile(ordered: Floats, probability: float) -> float:
    position = probability * (ordered.size - 1)
    below = int(position)
    lower, upper = float(ordered[below]), float(ordered[min(below + 1, ordered.size - 1)])
    # Interpolating between equal infinities would give not-a-number.
    return lower if lower == upper or position == below else lower + (position - below) * (upper - lower)


def bootstrap_roc(
    values: ArrayLike,
    is_case: ArrayLike,
    *,
    n_replicates: int = 2000,
    rng: np.random.Generator,
    criterion: Criterion = "youden",
    higher_is_case: bool = True,
) -> BootstrapRoc:
    """Resample cases and controls separately and choose the best cut anew in each resample.

    Parameters: `values` (n,) in any one unit, `is_case` (n,) bool, `rng` a NumPy generator. Where several
    cuts of a resample are equally good, one of them is drawn, so that no end of the range is favoured.
    Returns the replicates.
    Raises `ValueError` as `roc_curve` does, for another criterion, and for fewer than one replicate.
    Source: Efron & Tibshirani 1993, doi 10.1007/978-1-4899-4541-9; Robin et al. 2011,
    doi 10.1186/1471-2105-12-77 for the stratified form.
    """
    check_criterion(criterion)
    grouped = group_scores(*split_scores(values, is_case, higher_is_case=higher_is_case))
    parts = [best_cuts(grouped, counts, criterion, rng) for counts in _resamples(grouped, n_replicates, rng)]
    auc, cut, true_positives, false_positives = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    original_true, original_false = positives_at(grouped, cut)
    return BootstrapRoc(
        auc=auc,
        threshold=cut if higher_is_case else -cut,
        sensitivity=true_positives / grouped.n_cases,
        specificity=1.0 - false_positives / grouped.n_controls,
        sensitivity_original=original_true / grouped.n_cases,
        specificity_original=1.0 - original_false / grouped.n_controls,
        criterion=criterion,
    )


def roc_band(
    values: ArrayLike,
    is_case: ArrayLike,
    *,
    specificities: ArrayLike | None = None,
    n_replicates: int = 2000,
    rng: np.random.Generator,
    higher_is_case: bool = True,
    level: float = 0.95,
) -> RocBand:
    """A pointwise interval for the sensitivity at given specificities.

    Parameters: `values` (n,), `is_case` (n,) bool, `specificities` (n_points,) between 0 and 1, by default
    every hundredth. The curve is read by straight lines between its points, the higher end where it is
    vertical.
    Returns the hull of the stratified percentile interval and the Wilson interval of as many cases; the
    bootstrap alone has no width where the classes do not overlap. At specificity 0 the sensitivity is 1.
    Raises `ValueError` as `bootstrap_roc` does and for a specificity outside 0 to 1.
    """
    z = normal_quantile(level)
    grid = np.asarray(
        np.linspace(0.0, 1.0, 101) if specificities is None else specificities, dtype=np.float64
    )
    if grid.ndim != 1 or not ((grid >= 0.0) & (grid <= 1.0)).all():
        raise ValueError("a specificity lies outside 0 to 1")
    grouped = group_scores(*split_scores(values, is_case, higher_is_case=higher_is_case))
    original = _sensitivity_at(grid, np.append(0, grouped.cases), np.append(0, grouped.controls))
    replicates = np.array(
        [
            _sensitivity_at(grid, case_row, control_row)
            for cases, controls in _resamples(grouped, n_replicates, rng)
            for case_row, control_row in zip(cases, controls, strict=True)
        ]
    )
    low: Floats = np.quantile(replicates, 0.5 - level / 2.0, axis=0)
    high: Floats = np.quantile(replicates, 0.5 + level / 2.0, axis=0)
    wilson_low, wilson_high = np.array([wilson_limits(s, grouped.n_cases, z) for s in original]).T
    inner = grid > 0.0
    return RocBand(
        specificity=grid,
        sensitivity=original,
        low=np.where(inner, np.minimum(low, np.maximum(wilson_low, 0.0)), low),
        high=np.where(inner, np.maximum(high, np.minimum(wilson_high, 1.0)), high),
        level=level,
    )


def _sensitivity_at(specificities: Floats, cases: Integers, controls: Integers) -> Floats:
    specificity = np.cumsum(controls) / controls.sum()
    sensitivity = 1.0 - np.cumsum(cases) / cases.sum()
    # Run backwards, so that of several points at one specificity the most sensitive is read.
    return np.asarray(np.interp(-specificities, -specificity[::-1], sensitivity[::-1]), dtype=np.float64)


def positives_at(grouped: GroupedScores, cuts: Floats) -> tuple[Integers, Integers]:
    """How many cases and how many controls score at or above each of `cuts` (any shape)."""
    index = np.searchsorted(grouped.scores, cuts, "left")
    cases_below = np.concatenate([[0], np.cumsum(grouped.cases)])
    controls_below = np.concatenate([[0], np.cumsum(grouped.controls)])
    return grouped.n_cases - cases_below[index], grouped.n_controls - controls_below[index]


def _resamples(
    grouped: GroupedScores, n_replicates: int, rng: np.random.Generator
) -> Iterator[tuple[Integers, Integers]]:
    """Counts of resampled cases and controls, (rows, n_distinct + 1) each, the first column empty."""
    n_columns = grouped.scores.size + 1
    case_columns, control_columns = patient_columns(grouped)
    for rows in rows_of_chunks(n_replicates, max(n_columns, case_columns.size, control_columns.size)):
        yield (
            counts_in_columns(case_columns[draw_patients(case_columns.size, rows, rng)], n_columns),
            counts_in_columns(control_columns[draw_patients(control_columns.size, rows, rng)], n_columns),
        )


def patient_columns(grouped: GroupedScores) -> tuple[Integers, Integers]:
    """The column, 1 for the lowest score, of each case and each control in ascending order."""
    columns = np.arange(1, grouped.scores.size + 1, dtype=np.int64)
    return np.repeat(columns, grouped.cases), np.repeat(columns, grouped.controls)


def rows_of_chunks(n_replicates: int, n_columns: int) -> Iterator[int]:
    """How many replicates to work on at once, chunk by chunk."""
    if n_replicates < 1:
        raise ValueError(f"{n_replicates} bootstrap replicates: at least one is needed")
    rows_at_once = max(1, _CHUNK_CELLS // n_columns)
    for start in range(0, n_replicates, rows_at_once):
        yield min(rows_at_once, n_replicates - start)


def draw_patients(n_patients: int, rows: int, rng: np.random.Generator) -> Integers:
    """Patients drawn with replacement, (rows, n_patients), as positions from 0."""
    return rng.integers(0, n_patients, (rows, n_patients), dtype=np.int64)


def counts_in_columns(columns: Integers, n_columns: int) -> Integers:
    """How often each column occurs in each row of `columns` (rows, n): (rows, n_columns)."""
    rows = columns.shape[0]
    cells = columns + np.arange(0, rows * n_columns, n_columns, dtype=np.int64).reshape(-1, 1)
    return np.bincount(cells.ravel(), minlength=rows * n_columns).reshape(rows, n_columns)


def best_cuts(
    grouped: GroupedScores,
    counts: tuple[Integers, Integers],
    criterion: Criterion,
    rng: np.random.Generator,
) -> tuple[Floats, Floats, Integers, Integers]:
    """Area, best cut, and positives at that cut, for each row of resampled counts.

    Column j stands for the cut just above the j-th distinct score, column 0 for the cut below them all.
    """
    cases, controls = counts
    n_cases, n_controls = grouped.n_cases, grouped.n_controls
    rows = np.arange(cases.shape[0], dtype=np.int64)
    cases_below, controls_below = np.cumsum(cases, axis=1), np.cumsum(controls, axis=1)
    twice_u = 2 * np.einsum("ij,ij->i", cases, controls_below) - np.einsum("ij,ij->i", cases, controls)
    merit = merits(n_cases - cases_below, n_controls - controls_below, n_cases, n_controls, criterion)
    present = (cases + controls) > 0
    present[:, 0] = True
    best = _draw_one((merit == merit.max(axis=1, keepdims=True)) & present, rng)
    next_present = present & (np.arange(present.shape[1], dtype=np.int64) > np.expand_dims(best, 1))
    following = next_present.argmax(axis=1)
    scores = np.concatenate([[-np.inf], grouped.scores])
    upper = np.where(next_present[rows, following], scores[following], np.inf)
    cut = _between(scores[best], upper)
    return (
        twice_u / (2 * n_cases * n_controls),
        cut,
        n_cases - cases_below[rows, best],
        n_controls - controls_below[rows, best],
    )


def _draw_one(tied: NDArray[np.bool_], rng: np.random.Generator) -> Integers:
    """The column of one true entry of each row, drawn evenly among them."""
    first = tied.argmax(axis=1)
    several = np.flatnonzero(tied.sum(axis=1) > 1)
    order = np.cumsum(tied[several], axis=1)
    wanted = rng.integers(1, order[:, -1] + 1)
    first[several] = (order == np.expand_dims(wanted, 1)).argmax(axis=1)
    return first


def _between(lower: Floats, upper: Floats) -> Floats:
    bounded = np.isfinite(lower) & np.isfinite(upper)
    cut = np.where(np.isfinite(lower), upper, lower)
    cut[bounded] = midpoints(lower[bounded], upper[bounded])
    return cut
