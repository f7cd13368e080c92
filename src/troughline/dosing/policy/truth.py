"""What is true of a course of doses: the level of each day, and what a sample would show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.dosing.policy.doses import course_records, occasion_of_time
from troughline.dosing.policy.population import covariate_matrix
from troughline.dosing.policy.setup import SLOT_H
from troughline.pk.residual import with_residual

if TYPE_CHECKING:
    from troughline.dosing.policy.population import VirtualPatients
    from troughline.dosing.policy.setup import Setup

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PEAK_HOURS = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
"""Hours after the morning dose at which the day's peak is looked for; the levels between are flat near it."""


@dataclass(frozen=True, kw_only=True)
class Levels:
    """True levels of some rows (mg/L) on the days from `first_day` on (n, m).

    `morning`: before the morning dose; `peak`: the highest of the 24 h that follow it as looked for (the
    morning levels alone where no peak is asked for); `sample` (n,): at the visit that ends the days.
    """

    first_day: int
    morning: Floats
    peak: Floats
    sample: Floats
    error: Floats


class Truth:
    """The truth about all patients of a setup."""

    def __init__(self, setup: Setup, patients: VirtualPatients, threads: int | None) -> None:
        self._setup, self._patients, self._threads = setup, patients, threads
        self._covariates = covariate_matrix(patients, setup.truth, setup)
        n, occasions, width = patients.occasion.shape
        self._effects = np.hstack([patients.subject, patients.occasion.reshape(n, occasions * width)])
        self._fall = setup.truth.dose_factor(SLOT_H * np.arange(setup.slots, dtype=np.float64))
        self._peaks = setup.file.target.metric == "cmax"

    def levels(self, amounts: Floats, rows: Ints, first_day: int, last_day: int) -> Levels:
        """The levels of `rows` from `first_day` to `last_day` under the doses `amounts` (n, S) prescribed.

        The sample is that of a visit on `last_day`. Raises `PredictionError` where the model has none.
        """
        setup, patients = self._setup, self._patients
        days = np.arange(first_day, last_day + 1, dtype=np.int64)
        at = setup.file.samples.hours_after_dose or 0.0
        hours = (0.0, *PEAK_HOURS) if self._peaks else (0.0,)
        grid = (24.0 * days[:, None] + np.array(hours)).ravel()
        times: Floats = np.empty((len(rows), len(grid) + 1))
        times[:, :-1], times[:, -1] = grid, 24.0 * last_day + at
        taken: Floats = np.where(patients.missed[rows], 0.0, amounts[rows]) * self._fall
        records, places = course_records(
            patients.named(rows), taken, float(times.max()), times,
            visit_days=setup.file.visits.days, covariates=self._covariates[rows], output=setup.truth.output,
        )  # fmt: skip
        made = setup.truth.model.predict(
            records, theta=setup.truth.theta, effects=self._effects[rows], threads=self._threads
        )
        values = made.value[places]
        each = values[:, :-1].reshape(len(rows), len(days), len(hours))
        return Levels(
            first_day=first_day, morning=each[:, :, 0], peak=each.max(axis=2), sample=values[:, -1],
            error=made.error[places[:, -1]],
        )  # fmt: skip

    def measured(self, levels: Levels, rows: Ints, visit: int) -> Floats:
        """The samples as measured at a visit (n,), mg/L."""
        return as_measured(self._setup, levels.sample, levels.error, self._patients.residual[rows, visit])


def as_measured(setup: Setup, level: Floats, error: Floats, normal: Floats) -> Floats:
    """True levels as a laboratory would report them (n,), mg/L, with standard normals of the error.

    `error` (n, 3): the parts of the true model's residual error, as `error_parts` gives them.
    """
    if setup.file.samples.error == "assay":
        spread = np.sqrt(np.log1p((setup.file.samples.cv or 0.0) ** 2))
        return level * np.exp(spread * normal)
    which = np.full(len(level), setup.truth.output)
    return with_residual(setup.truth.spec.outputs, which, level, error, normal)


def error_parts(setup: Setup, patients: VirtualPatients) -> Floats:
    """The parts of the true model's residual error for each patient (n, 3), at a level after one dose."""
    n, truth = len(patients), setup.truth
    one = np.zeros((n, 2))
    one[:, 0] = setup.start.amounts_mg[0]
    records, places = course_records(
        patients.names, one, SLOT_H, np.full((n, 1), SLOT_H), visit_days=(),
        covariates=covariate_matrix(patients, truth, setup), output=truth.output,
    )  # fmt: skip
    width = len(truth.spec.subject_effects) + len(truth.spec.occasion_effects)
    made = truth.model.predict(records, theta=truth.theta, effects=np.zeros((n, width)), threads=1)
    return made.error[places[:, 0]]


def sample_time_h(setup: Setup, visit_day: int) -> float:
    """When the sample of a visit is drawn, h."""
    return 24.0 * visit_day + (setup.file.samples.hours_after_dose or 0.0)


def occasion_at(setup: Setup, day: int) -> int:
    """The occasion of a visit's sample."""
    return int(occasion_of_time(setup.file.visits.days, np.array([sample_time_h(setup, day)]))[0])


def daily_metric(morning: Floats, peak: Floats, interval_h: Floats, metric: str) -> Floats:
    """The metric of each day (n, m): the trough before the next dose, or the peak of the dose's cycle, mg/L.

    `morning` and `peak` (n, m): of the days; `interval_h` (n, m): of the regimen in force. Where doses are
    more than 24 h apart, a day's trough is the lowest of its morning and its neighbours', its peak the
    highest.
    """
    values = morning if metric == "trough" else peak
    after, before = np.empty_like(values), np.empty_like(values)
    after[:, :-1], after[:, -1] = values[:, 1:], values[:, -1]
    before[:, 1:], before[:, 0] = values[:, :-1], values[:, 0]
    pick = np.minimum if metric == "trough" else np.maximum
    return np.where(interval_h > 24.0, pick(values, pick(after, before)), values)
