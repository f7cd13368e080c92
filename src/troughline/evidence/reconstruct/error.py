"""How far reconstructed patients lie from their curve, and what the reading step leaves uncertain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troughline.evidence.reconstruct.algorithm import ArmPatients, ReconstructionError, reconstruct_arm
from troughline.evidence.reconstruct.clicks import CurveReading, falling
from troughline.evidence.reconstruct.risk_table import RiskTable
from troughline.survival.kaplan_meier import kaplan_meier

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingError:
    """|S reconstructed − S clicked| over the clicks: `largest`, at `at_time`, and `mean`."""

    largest: float
    mean: float
    at_time: float
    n_clicks: int


def reading_error(curve: CurveReading, patients: ArmPatients) -> ReadingError:
    """The distance of the patients' Kaplan–Meier curve from the clicks as given, not as mended.

    A click is held against the curve's nearest value within the reading step of time of it: a click on the
    vertical part of a step has no survival of its own.
    """
    (drawn,) = kaplan_meier(patients.time, patients.event)
    steps = np.concatenate(([1.0], drawn.survival))

    def at(times: FloatArray) -> FloatArray:
        return steps[np.searchsorted(drawn.time, times, side="right")]

    half = curve.step.time / 2
    upper, lower = at(curve.raw_time - half), at(curve.raw_time + half)
    off = np.maximum(np.maximum(lower - curve.raw_survival, curve.raw_survival - upper), 0.0)
    worst = int(np.argmax(off))
    return ReadingError(
        largest=float(off[worst]),
        mean=float(off.mean()),
        at_time=float(curve.raw_time[worst]),
        n_clicks=curve.raw_time.size,
    )


def read_again(curve: CurveReading, rng: np.random.Generator) -> CurveReading:
    """The curve as another reader might have read it: each click moved within half a step both ways.

    Survival and time move uniformly and independently; the result is made to fall again.
    """
    step = curve.step
    time = np.maximum(curve.time + step.time * (rng.random(curve.time.size) - 0.5), step.time / 100)
    survival = curve.survival + step.survival * (rng.random(curve.survival.size) - 0.5)
    # Where the curve stands at 1 or 0 a reader sees that it does.
    survival = np.where((curve.survival >= 1) | (curve.survival <= 0), curve.survival, survival)
    order = np.argsort(time, kind="stable")
    time, survival = time[order], falling(np.clip(survival, 0.0, 1.0))
    last = np.append(np.diff(time) > 0, True)
    return CurveReading(
        raw_time=curve.raw_time, raw_survival=curve.raw_survival, time=time[last], survival=survival[last],
        step=step,
    )  # fmt: skip


def reconstruct_again(
    curves: Sequence[CurveReading],
    tables: Sequence[RiskTable],
    totals: Sequence[int | None],
    ticks: Sequence[Sequence[float]],
    *,
    seed: int,
    reading: int,
) -> tuple[ArmPatients, ...] | None:
    """Every arm from one other reading, keyed by (seed, reading, arm); None where one arm fails."""
    out: list[ArmPatients] = []
    for k, (curve, table, total, marks) in enumerate(zip(curves, tables, totals, ticks, strict=True)):
        rng = np.random.default_rng((seed, reading, k))
        try:
            out.append(
                reconstruct_arm(read_again(curve, rng), table, total_events=total, ticks=marks, quick=True)
            )
        except ReconstructionError:
            return None
    return tuple(out)
