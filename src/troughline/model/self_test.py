"""Run the tests that a model file carries: what it predicts against the numbers its author expects.

A peak, a trough and their times are found to rounding, not read off a grid; an area is integrated with the
model's own equations. So a file's numbers can be held to any tolerance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.model.build import CovariateValues, DoseEvent, PatientRecord, Sample, records_from
from troughline.model.engine import PredictionError, Tolerance, predict

if TYPE_CHECKING:
    from troughline.model.compiled import Compiled
    from troughline.model.model import Model
    from troughline.model.spec import Expectation, SelfTest, TestDose

Floats = NDArray[np.float64]

_TOLERANCE = Tolerance(relative=1e-9, absolute=1e-11)
_GRID, _ZOOMED = 400, 17
_JUST_AFTER_H = 1e-9
"""A level that begins with a jump is looked at so long after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTestResult:
    """One expected number of a model file's test, and what the model gives.

    `quantity` says in words what it is; `expected` and `found` are in the output's unit (an area times h, a
    time in h); `tolerance` is the largest difference allowed, absolute + relative · |expected|. `problem`
    says why nothing was found, where `found` is NaN.
    """

    test: str
    quantity: str
    expected: float
    found: float
    tolerance: float
    passed: bool
    problem: str = ""


def run_self_tests(model: Model) -> tuple[SelfTestResult, ...]:
    """Run every test of a model's file, in its order; a test that cannot be run fails and says why."""
    return tuple(result for test in model.spec.tests for result in _run(model, test))


def _run(model: Model, test: SelfTest) -> list[SelfTestResult]:
    try:
        found = _Course(model, test).found
    except (PredictionError, ValueError) as error:
        return [_result(test, e, float("nan"), str(error)) for e in test.expectations]
    return [_result(test, e, found(e), "") for e in test.expectations]


def _result(test: SelfTest, expected: Expectation, found: float, problem: str) -> SelfTestResult:
    allowed = expected.absolute_tolerance + expected.relative_tolerance * abs(expected.value)
    return SelfTestResult(
        test=test.name,
        quantity=_in_words(expected),
        expected=expected.value,
        found=found,
        tolerance=allowed,
        passed=bool(abs(found - expected.value) <= allowed),
        problem=problem,
    )


def _in_words(e: Expectation) -> str:
    when = f"at {e.time:g} h" if e.quantity == "at" else f"{e.quantity}, {e.start:g} to {e.end:g} h"
    return f"{e.output}: {when}"


class _Course:
    """The course of a test's patient, asked for at any times."""

    def __init__(self, model: Model, test: SelfTest) -> None:
        spec = model.spec
        self.model = model
        self.names = [o.name for o in spec.outputs]
        self.doses = [_dose(d) for d in test.doses]
        self.covariates = dict(test.covariates)
        self.theta = spec.theta
        place = {p.name: i for i, p in enumerate(spec.parameters)}
        for name, value in test.parameters.items():
            self.theta[place[name]] = value
        effects = (*spec.subject_effects, *spec.occasion_effects)
        self.effects = np.array([[test.effects.get(name, 0.0) for name in effects]])
        self.edges = sorted(
            {d.time_h + k * d.interval_h for d in self.doses for k in range(d.additional + 1)}
        )

    def found(self, e: Expectation) -> float:
        """What the course gives for an expected number, in the output's unit."""
        if e.quantity == "tmax":
            return self._extreme(e.output, e.start, e.end, 1.0)[0]
        if e.quantity == "at":
            level = float(self._levels(e.output, [e.time])[0])
        elif e.quantity == "auc":
            before, after = self._predicted(
                self.model.compiled_with_areas, e.output, [e.start, e.end], area=True
            )
            level = float(after - before)
        else:
            level = self._extreme(e.output, e.start, e.end, 1.0 if e.quantity == "cmax" else -1.0)[1]
        factor = self.model.spec.outputs[self.names.index(e.output)].factor
        return level / float(factor)

    def _levels(self, output: str, times: Sequence[float]) -> Floats:
        return self._predicted(self.model.compiled, output, times, area=False)

    def _predicted(self, compiled: Compiled, output: str, times: Sequence[float], *, area: bool) -> Floats:
        """The levels at times in rising order, or the areas up to them, in canonical units."""
        patient = PatientRecord(
            patient="self-test",
            doses=self.doses,
            samples=[Sample(time_h=t, output=output) for t in times],
            covariates=self.covariates,
            # The states begin with the first record, which without a dose would be the first sample.
            changes=() if self.doses else (CovariateValues(time_h=0.0, values={}),),
        )
        records = records_from([patient], self.model.spec)
        if area:
            # The outputs after the model's own are the areas under these.
            records = replace(records, output=records.output + len(self.names))
        prediction = predict(
            compiled, records, theta=self.theta, effects=self.effects, tolerance=_TOLERANCE, threads=1
        )
        return prediction.value[records.observed]

    def _extreme(self, output: str, start: float, end: float, sign: float) -> tuple[float, float]:
        """The time and value of the highest (sign 1) or lowest (sign −1) level in (start, end].

        The three best places of a grid are looked at ever more closely. A dose at the start counts, what was
        there before it does not.
        """
        jumps = [start, *(t for t in self.edges if start < t < end)]
        grid = np.unique([*np.linspace(start, end, _GRID + 1)[1:], *(t + _JUST_AFTER_H for t in jumps)])
        levels = sign * self._levels(output, grid.tolist())
        inner = np.flatnonzero(
            (levels >= np.r_[-np.inf, levels[:-1]]) & (levels >= np.r_[levels[1:], -np.inf])
        )
        best = inner[np.argsort(-levels[inner], kind="stable")][:3]
        last = len(grid) - 1
        brackets = [(grid[max(k - 1, 0)], grid[min(k + 1, last)]) for k in sorted(best)]
        time, level = float(grid[best[0]]), float(levels[best[0]])
        while any(high - low > 1e-10 * max(end, 1.0) for low, high in brackets):
            grids = [np.linspace(low, high, _ZOOMED) for low, high in brackets]
            times = np.unique(np.concatenate(grids))
            values = sign * self._levels(output, times.tolist())
            top = int(np.argmax(values))
            if values[top] > level:
                time, level = float(times[top]), float(values[top])
            brackets = [_closer(g, values[np.searchsorted(times, g)]) for g in grids]
        return time, sign * level


def _closer(grid: Floats, values: Floats) -> tuple[float, float]:
    """The neighbours of a grid's best value."""
    k = int(np.argmax(values))
    return float(grid[max(k - 1, 0)]), float(grid[min(k + 1, len(grid) - 1)])


def _dose(dose: TestDose) -> DoseEvent:
    return DoseEvent(
        time_h=dose.time,
        amount_mg=dose.amount,
        interval_h=dose.interval,
        additional=dose.additional,
        steady_state=int(dose.steady_state),
        duration_h=dose.duration,
        compartment=dose.compartment,
    )
