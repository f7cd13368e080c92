"""A round trip: simulated trials, printed, reconstructed, and held against what was printed from.

The rival is the algorithm of Guyot et al. 2012 as published (`benchmarks/guyot.py`), on the same clicks in
the same run. Prints for each the errors of counts, medians and log hazard ratios, and the ratios of the
errors.
"""

from __future__ import annotations

import argparse
import math
import time as clock
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.guyot import guyot
from benchmarks.printed_curves import PrintedArm, simulated_trial
from troughline.evidence.reconstruct.algorithm import reconstruct_arm
from troughline.evidence.reconstruct.clicks import ReadingStep, read_clicks
from troughline.evidence.reconstruct.risk_table import read_risk_table
from troughline.issues import Findings
from troughline.survival.cox import fit_cox
from troughline.survival.kaplan_meier import kaplan_meier

FloatArray = NDArray[np.float64]
Patients = tuple[FloatArray, NDArray[np.bool_]]
Method = Callable[[PrintedArm, int | None, float], Patients]


@dataclass(slots=True)
class Tally:
    """What was missed, an entry an arm or a trial."""

    events: list[int] = field(default_factory=list[int])
    at_risk: list[int] = field(default_factory=list[int])
    median: list[float] = field(default_factory=list[float])
    log_hazard_ratio: list[float] = field(default_factory=list[float])
    survival: list[float] = field(default_factory=list[float])
    seconds: float = 0.0
    failures: int = 0


def ours(arm: PrintedArm, total: int | None, step: float) -> Patients:
    """The patients of an arm by Troughline."""
    found = Findings()
    curve = read_clicks(
        arm.click_time, arm.click_survival,
        step=ReadingStep(survival=step, time=arm.step_time), found=found,
    )  # fmt: skip
    table = read_risk_table(arm.risk_time, arm.at_risk, n=None, found=found)
    if curve is None or table is None:
        raise ValueError("; ".join(f.line() for f in found.errors))
    made = reconstruct_arm(curve, table, total_events=total)
    return made.time, made.event


def published(arm: PrintedArm, total: int | None, _: float) -> Patients:
    """The patients of an arm by Guyot's algorithm."""
    order = np.lexsort((-arm.click_survival, arm.click_time))
    survival = np.minimum.accumulate(arm.click_survival[order])
    time, event = guyot(arm.click_time[order], survival, arm.risk_time, arm.at_risk.astype(float), total)
    # A death read at time zero counts as soon after it: Cox's regression has no time zero.
    return np.maximum(time, arm.step_time / 100), event


def median_band(arm: PrintedArm, step: float) -> tuple[float, float, float]:
    """The true median, and the times between which one reading step of survival and of time puts it."""
    (curve,) = kaplan_meier(arm.time, arm.event)
    if not math.isfinite(curve.median):
        return math.nan, math.nan, math.nan
    low = curve.time[np.argmax(curve.survival <= 0.5 + step)]
    under = curve.survival < 0.5 - step
    high = curve.time[np.argmax(under)] if under.any() else math.inf
    return curve.median, float(low) - arm.step_time, float(high) + arm.step_time


def log_hazard_ratio(control: Patients, treated: Patients) -> float:
    """The log hazard ratio of the second against the first."""
    time = np.concatenate([control[0], treated[0]])
    event = np.concatenate([control[1], treated[1]])
    arm = np.repeat([0.0, 1.0], [control[0].size, treated[0].size])
    return fit_cox(time, event, arm[:, np.newaxis], ["arm"]).terms[0].coefficient


def measure(tally: Tally, method: Method, trials: int, *, step: float, with_events: bool) -> None:
    """Add the errors of `method` on simulated trials to `tally`."""
    for seed in range(trials):
        pair = simulated_trial(seed, step=step)
        made: list[Patients] = []
        for arm in pair:
            started = clock.perf_counter()
            try:
                got = method(arm, int(arm.event.sum()) if with_events else None, step)
            except ValueError:
                tally.failures += 1
                break
            tally.seconds += clock.perf_counter() - started
            made.append(got)
            tally.events.append(abs(int(got[1].sum()) - int(arm.event.sum())))
            (curve,) = kaplan_meier(*got)
            tally.at_risk.append(int(np.abs(curve.at_risk(arm.risk_time) - arm.at_risk).max()))
            (true,) = kaplan_meier(arm.time, arm.event)
            grid = np.linspace(0, min(true.time[-1], curve.time[-1]), 200)
            tally.survival.append(float(np.abs(true.at(grid).survival - curve.at(grid).survival).max()))
            median, low, high = median_band(arm, step)
            if math.isfinite(median):
                there = curve.median if math.isfinite(curve.median) else math.inf
                tally.median.append(max(low - there, there - high, 0.0))
        if len(made) == 2:
            truth = log_hazard_ratio(*((a.time, a.event) for a in pair))
            tally.log_hazard_ratio.append(abs(log_hazard_ratio(*made) - truth))


def main() -> None:
    """Both methods, with and without the number of events printed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--step", type=float, default=0.005, help="reading step of survival")
    options = parser.parse_args()
    print(
        f"{options.trials} trials of two arms, survival read to {options.step:g}, time to 1/200 of the axis"
    )
    for with_events in (True, False):
        print(f"\nnumber of events {'printed' if with_events else 'not printed'}")
        tallies = {"Guyot 2012": (published, Tally()), "Troughline": (ours, Tally())}
        for method, tally in tallies.values():
            measure(tally, method, options.trials, step=options.step, with_events=with_events)
        rows = {name: _row(tally) for name, (_, tally) in tallies.items()}
        for label in next(iter(rows.values())):
            first, second = (row[label] for row in rows.values())
            ratio = f"{first / second:8.2f}" if second else "       –"
            print(f"  {label:56s} {first:10.4f} {second:10.4f}  ratio {ratio}")


def _row(tally: Tally) -> dict[str, float]:
    errors, median = np.asarray(tally.log_hazard_ratio), np.asarray(tally.median)
    return {
        "arms not reconstructed": tally.failures,
        "arms with a wrong number of events, %": 100 * float(np.mean(np.asarray(tally.events) > 0)),
        "largest error of events": float(max(tally.events)),
        "arms with a wrong number at risk, %": 100 * float(np.mean(np.asarray(tally.at_risk) > 0)),
        "|log HR error|, median": float(np.median(errors)),
        "|log HR error|, 95th percentile": float(np.quantile(errors, 0.95)),
        "|log HR error|, largest": float(errors.max()),
        "median farther off than one reading step, % of arms": 100 * float(np.mean(median > 1e-9)),
        "largest distance of curves, median over arms": float(np.median(tally.survival)),
        "time an arm, ms": 1000 * tally.seconds / max(len(tally.events), 1),
    }


if __name__ == "__main__":
    main()
