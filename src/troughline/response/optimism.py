"""What a cut chosen in these patients will do in others: Youden's index, area and shares corrected for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from troughline.response.bootstrap import (
    best_cuts,
    counts_in_columns,
    draw_patients,
    patient_columns,
    positives_at,
    rows_of_chunks,
)
from troughline.response.proportions import normal_quantile, wilson_limits
from troughline.response.roc import (
    Floats,
    GroupedScores,
    Integers,
    group_scores,
    roc_curve,
    split_scores,
)
from troughline.response.thresholds import Criterion, check_criterion, optimal_threshold

Direction = Literal["higher", "lower", "auto"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedShare:
    """A sensitivity or specificity at the chosen cut: as it looks in these patients, and in others."""

    apparent: float
    corrected: float
    low: float
    high: float
    level: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedYouden:
    """The chosen cut, apparent and corrected for having been chosen in the same patients.

    `youden_corrected` estimates the index that this cut will have in new patients. `youden_harrell` (the
    optimism bootstrap) and `youden_632_plus` stand beside it for comparison. `flipped_share` is the share of
    resamples in which the marker points the other way; with a fixed direction `auc_corrected` equals
    `auc_apparent`, because then nothing about the area was chosen by the data.
    """

    threshold: float
    higher_is_case: bool
    youden_apparent: float
    youden_corrected: float
    youden_harrell: float
    youden_632_plus: float
    auc_apparent: float
    auc_corrected: float
    flipped_share: float
    sensitivity: CorrectedShare
    specificity: CorrectedShare
    criterion: Criterion
    method: str


@dataclass(slots=True)
class _Tally:
    """Sums over replicates; `inside`/`at_hand` are indices, the rest counts of patients left out."""

    replicates: int = 0
    flipped: int = 0
    youden_inside: float = 0.0
    youden_at_hand: float = 0.0
    cases: int = 0
    true_positives: int = 0
    controls: int = 0
    true_negatives: int = 0
    pairs: int = 0
    ordered_pairs: float = 0.0


def corrected_youden(
    values: ArrayLike,
    is_case: ArrayLike,
    *,
    n_replicates: int = 2000,
    rng: np.random.Generator,
    criterion: Criterion = "youden",
    direction: Direction = "higher",
    level: float = 0.95,
) -> CorrectedYouden:
    """Correct Youden's index, sensitivity, specificity and area for the choices made in the same patients.

    Parameters: `values` (n,), `is_case` (n,) bool, `rng` a NumPy generator; `direction` says which values
    speak for a case, and "auto" lets the data say it, in each resample anew.
    Returns the index among the patients a resample left out, summed over resamples: sensitivity is the share
    of left-out cases called positive by that resample's cut, specificity likewise. The interval of each share
    is the hull of the Wilson intervals around the apparent and the corrected share; it is meant for the share
    that this cut has in new patients, not for the share at the best cut of the population.
    Raises `ValueError` as `bootstrap_roc` does, and for fewer than two cases or controls.

    Why the left-out patients: at 26 patients (13 + 13, AUC 0.74) the chosen cut has a true index of 0.31 on
    average and an apparent one of 0.49; the left-out patients say 0.30, .632+ 0.34, Harrell's optimism 0.38;
    for a marker without any information (0.00, apparent 0.21) they say 0.00, 0.07 and 0.08.
    `benchmarks/roc_coverage.py` repeats it.
    Source: Efron & Tibshirani 1997, doi 10.1080/01621459.1997.10474007 (left-out patients, .632+); Harrell,
    Lee & Mark 1996, doi 10.1002/(SICI)1097-0258(19960229)15:4<361::AID-SIM168>3.0.CO;2-4 (optimism).
    """
    check_criterion(criterion)
    if direction not in ("higher", "lower", "auto"):
        raise ValueError(f"direction {direction!r} is none of 'higher', 'lower', 'auto'")
    higher = direction != "lower"
    curve = roc_curve(values, is_case, higher_is_case=higher)
    if direction == "auto" and curve.auc < 0.5:
        higher = False
        curve = roc_curve(values, is_case, higher_is_case=False)
    if min(curve.n_cases, curve.n_controls) < 2:
        raise ValueError(
            f"{curve.n_cases} cases and {curve.n_controls} controls: a resample must be able to leave one out"
        )
    point = optimal_threshold(curve, criterion)
    grouped = group_scores(*split_scores(values, is_case, higher_is_case=higher))
    tally = _tally(grouped, n_replicates, criterion, rng, free=direction == "auto")
    sensitivity, specificity = tally.true_positives / tally.cases, tally.true_negatives / tally.controls
    left_out = sensitivity + specificity - 1.0
    optimism = (tally.youden_inside - tally.youden_at_hand) / tally.replicates
    return CorrectedYouden(
        threshold=point.threshold,
        higher_is_case=higher,
        youden_apparent=point.youden,
        youden_corrected=left_out,
        youden_harrell=point.youden - optimism,
        youden_632_plus=_plus(point.youden, left_out),
        auc_apparent=curve.auc,
        auc_corrected=tally.ordered_pairs / tally.pairs if direction == "auto" else curve.auc,
        flipped_share=tally.flipped / tally.replicates,
        sensitivity=_corrected_share(point.sensitivity, sensitivity, curve.n_cases, level),
        specificity=_corrected_share(point.specificity, specificity, curve.n_controls, level),
        criterion=criterion,
        method="patients left out of each resample",
    )


def _plus(apparent: float, left_out: float) -> float:
    """The .632+ estimate of an index that is 0 without information."""
    bounded = min(max(left_out, 0.0), apparent)
    overfitting = (apparent - bounded) / apparent if apparent > 0.0 else 0.0
    weight = 0.632 / (1.0 - 0.368 * overfitting)
    return (1.0 - weight) * apparent + weight * bounded


def _corrected_share(apparent: float, corrected: float, n_patients: int, level: float) -> CorrectedShare:
    z = normal_quantile(level)
    limits = [wilson_limits(share, n_patients, z) for share in (apparent, corrected)]
    return CorrectedShare(
        apparent=apparent,
        corrected=corrected,
        # Rounding in the square root can leave a limit a last bit outside 0 to 1.
        low=max(min(low for low, _ in limits), 0.0),
        high=min(max(high for _, high in limits), 1.0),
        level=level,
    )


def _tally(
    grouped: GroupedScores, n_replicates: int, criterion: Criterion, rng: np.random.Generator, *, free: bool
) -> _Tally:
    reverse = GroupedScores(
        scores=-grouped.scores[::-1], cases=grouped.cases[::-1], controls=grouped.controls[::-1]
    )
    n_columns = grouped.scores.size + 1
    case_columns, control_columns = patient_columns(grouped)
    tally = _Tally()
    for rows in rows_of_chunks(n_replicates, n_columns):
        drawn_cases = draw_patients(case_columns.size, rows, rng)
        drawn_controls = draw_patients(control_columns.size, rows, rng)
        cases = counts_in_columns(case_columns[drawn_cases], n_columns)
        controls = counts_in_columns(control_columns[drawn_controls], n_columns)
        left_out_cases = _left_out(drawn_cases, case_columns, n_columns)
        left_out_controls = _left_out(drawn_controls, control_columns, n_columns)
        down = _points_down(cases, controls) if free else np.zeros(rows, dtype=bool)
        for chosen, oriented in ((~down, grouped), (down, reverse)):
            columns = [c[chosen] for c in (cases, controls, left_out_cases, left_out_controls)]
            if chosen.any():
                turned = columns if oriented is grouped else [_reversed(c) for c in columns]
                _add(tally, oriented, turned, criterion, rng)
        tally.flipped += int(down.sum())
    return tally


def _add(
    tally: _Tally,
    grouped: GroupedScores,
    counts: list[Integers],
    criterion: Criterion,
    rng: np.random.Generator,
) -> None:
    cases, controls, left_out_cases, left_out_controls = counts
    n_cases, n_controls = grouped.n_cases, grouped.n_controls
    _, cut, true_positives, false_positives = best_cuts(grouped, (cases, controls), criterion, rng)
    original_true, original_false = positives_at(grouped, cut)
    tally.replicates += cut.size
    tally.youden_inside += float((true_positives / n_cases - false_positives / n_controls).sum())
    tally.youden_at_hand += float((original_true / n_cases - original_false / n_controls).sum())
    first_positive = np.searchsorted(grouped.scores, cut, "left") + 1
    positive = np.arange(cases.shape[1], dtype=np.int64) >= np.expand_dims(first_positive, 1)
    tally.cases += int(left_out_cases.sum())
    tally.true_positives += int(left_out_cases[positive].sum())
    tally.controls += int(left_out_controls.sum())
    tally.true_negatives += int(left_out_controls[~positive].sum())
    tally.pairs += int((left_out_cases.sum(axis=1) * left_out_controls.sum(axis=1)).sum())
    tally.ordered_pairs += float(_ordered_pairs(left_out_cases, left_out_controls).sum())


def _ordered_pairs(cases: Integers, controls: Integers) -> Floats:
    """For each row the pairs in which the case is higher, ties counting half."""
    not_above = np.cumsum(controls, axis=1)
    return np.einsum("ij,ij->i", cases, not_above) - 0.5 * np.einsum("ij,ij->i", cases, controls)


def _points_down(cases: Integers, controls: Integers) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    pairs = cases.sum(axis=1) * controls.sum(axis=1)
    return 2.0 * _ordered_pairs(cases, controls) < pairs


def _left_out(drawn: Integers, columns: Integers, n_columns: int) -> Integers:
    """Patients that a row of `drawn` leaves out, counted per column."""
    absent = counts_in_columns(drawn, columns.size) == 0
    rows, patients = np.nonzero(absent)
    cells = rows * n_columns + columns[patients]
    return np.bincount(cells, minlength=drawn.shape[0] * n_columns).reshape(drawn.shape[0], n_columns)


def _reversed(counts: Integers) -> Integers:
    """Counts per column for the negated scores; the empty first column stays first."""
    return np.concatenate([counts[:, :1], counts[:, :0:-1]], axis=1)
