"""Simulated trials of two arms, printed as a journal prints them: clicks, numbers at risk, events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troughline.survival.kaplan_meier import kaplan_meier

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedArm:
    """One arm: its patients (`time`, `event`), and what is printed of them.

    `click_time`, `click_survival`: the corner after every drop and the end of the curve, rounded to the
    reading step; `risk_time`, `at_risk`: the table; `step_time` the reading step of time.
    """

    time: FloatArray
    event: NDArray[np.bool_]
    click_time: FloatArray
    click_survival: FloatArray
    risk_time: FloatArray
    at_risk: NDArray[np.int64]
    step_time: float


def printed_arm(
    time: FloatArray, event: NDArray[np.bool_], *, step: float, step_time: float, every: float
) -> PrintedArm:
    """What is printed of patients; the numbers at risk stand at each multiple of `every`."""
    (curve,) = kaplan_meier(time, event)
    falls = curve.n_events > 0
    at = np.concatenate(([0.0], curve.time[falls], curve.time[-1:]))
    s = np.concatenate(([1.0], curve.survival[falls], curve.survival[-1:]))
    risk_time = np.arange(0.0, curve.time[-1], every)
    return PrintedArm(
        time=time,
        event=event,
        click_time=np.round(at / step_time) * step_time,
        click_survival=np.round(s / step) * step,
        risk_time=risk_time,
        at_risk=curve.at_risk(risk_time),
        step_time=step_time,
    )


def simulated_trial(seed: int, *, step: float = 0.005) -> tuple[PrintedArm, PrintedArm]:
    """Control and experimental arm, 60 to 400 patients each.

    Weibull survival, proportional hazards between 0.5 and 1.1, uniform accrual, drop-out at a random rate;
    the numbers at risk at seven to twelve times, the axis of time read to 1/200 of its length.
    """
    rng = np.random.default_rng((seed, 20120209))
    shape, median = rng.uniform(0.7, 1.6), rng.uniform(4, 30)
    ratio = rng.uniform(0.5, 1.1)
    accrual, longest = rng.uniform(0.3, 1.5) * median, rng.uniform(1.5, 4.0) * median
    accrual = min(accrual, 0.9 * longest)
    every = longest / rng.integers(7, 13)
    drop_out = rng.uniform(0.0, 0.3) * np.log(2) / median
    arms: list[PrintedArm] = []
    for hazard in (1.0, ratio):
        n = int(rng.integers(60, 401))
        death = median * (rng.exponential(1 / np.log(2), n) / hazard) ** (1 / shape)
        lost = rng.exponential(1 / drop_out, n) if drop_out > 0 else np.full(n, np.inf)
        end = np.minimum(longest - accrual * rng.random(n), lost)
        arms.append(
            printed_arm(np.minimum(death, end), death <= end, step=step, step_time=longest / 200, every=every)
        )
    return arms[0], arms[1]
