"""Which parameters a hazard ratio hangs on, by Morris and Sobol, and which measurement would narrow it."""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.mechanism.predictions import scaled
from troughline.progress import Progress, silent
from troughline.trial.assumed import movable, status_of, with_factors
from troughline.trial.cells import MARKERS, patients_of, the_runner

if TYPE_CHECKING:
    from troughline.mechanism.population import Patients
    from troughline.trial.setup import Setup

Floats = NDArray[np.float64]
MEASURED_DAY = 28.0
LEVELS = 4
ACTIVITY = ("erk_activity", "akt_activity", "stat3_activity")
METHOD = (
    "Each parameter is moved on a logarithmic scale by up to exp(±width) (of a fraction its odds), all "
    "others of the best set unchanged; the same patients in both arms and in every run. Elementary effects "
    "are those of Morris 1991 (doi 10.1080/00401706.1991.10484804); indices those of Sobol 2001 "
    "(doi 10.1016/S0378-4754(00)00270-6) over the parameters with the largest effects; both by SALib. "
    "Narrowing: the share of the prediction's variance, over Morris's runs, that goes with the measurement "
    "(adjusted R² of a line), were it made without error. A parameter that was fitted is moved as the "
    "others: what the targets say of it is not used."
)


class MissingLibrary(ValueError):
    """SALib is not installed."""


def has_salib() -> bool:
    """Whether SALib is installed."""
    return importlib.util.find_spec("SALib") is not None


def need_salib() -> None:
    """Raise `MissingLibrary` where SALib cannot be imported."""
    if not has_salib():
        raise MissingLibrary("the trial file asks for [sensitivity], and SALib is not installed")


def screen(
    setup: Setup,
    scales: Sequence[Mapping[str, float]],
    *,
    workers: int | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Morris over every parameter of the mechanism, then Sobol over the `keep` with the largest effects.

    The prediction is the logarithm of the hazard ratio. The numbers do not depend on `workers`. Raises
    `MissingLibrary` without SALib.
    """
    asked = setup.file.sensitivity
    assert asked is not None
    need_salib()
    runner = the_runner(setup.file.population.clearance)
    parameters = movable(runner.mechanism)
    patients = patients_of(
        setup.population, setup.sets[0], clearance=setup.file.population.clearance, n=asked.n,
        seed=setup.file.trial.seed, values=scaled(runner, setup.sets[0], scales[0]),
    )  # fmt: skip
    seed = setup.file.trial.seed % 2**31

    def problem(names: list[str]) -> dict[str, Any]:
        return {"num_vars": len(names), "names": names, "bounds": [[-asked.width, asked.width]] * len(names)}

    def runs(names: list[str], points: Floats, step: str) -> Floats:
        def one(point: Floats) -> Floats:
            factors = {n: math.exp(float(x)) for n, x in zip(names, point, strict=True)}
            return _run(setup, scales[0], patients, factors)

        rows: list[Floats] = []
        with ThreadPoolExecutor(workers) as pool:
            for row in pool.map(one, points):
                rows.append(row)
                progress(step, len(rows), len(points))
        return np.array(rows)

    every = list(parameters)
    sample: Any = importlib.import_module("SALib.sample.morris")
    analyse: Any = importlib.import_module("SALib.analyze.morris")
    whole = problem(every)
    points: Floats = sample.sample(whole, asked.trajectories, num_levels=LEVELS, seed=seed)
    seen = runs(every, points, "Morris")
    known = _finite(seen[:, 0], "Morris")
    effects: Any = analyse.analyze(whole, points, known, num_levels=LEVELS, seed=seed)
    morris = sorted(
        (
            {
                "parameter": name,
                "mu_star": float(effects["mu_star"][i]),
                "sigma": float(effects["sigma"][i]),
                "conf": float(effects["mu_star_conf"][i]),
                "status": status_of(parameters[name]),
            }
            for i, name in enumerate(every)
        ),
        key=lambda row: -float(row["mu_star"]),
    )
    kept = [str(row["parameter"]) for row in morris[: asked.keep]]
    return {
        "prediction": asked.prediction,
        "arm": asked.arm,
        "control": asked.control,
        "method": METHOD,
        "n": asked.n,
        "runs": len(points),
        "width": asked.width,
        "morris": morris,
        "sobol": _sobol(problem(kept), asked.sobol, runs, seed) if asked.sobol else [],
        "measurement": _measurements(seen),
    }


def _finite(values: Floats, step: str) -> Floats:
    lost = int(np.isnan(values).sum())
    if lost:
        raise ValueError(f"{step}: {lost} of {len(values)} runs have no event in an arm; take more patients")
    return values


def _sobol(problem: dict[str, Any], base: int, runs: Any, seed: int) -> list[dict[str, Any]]:
    sample: Any = importlib.import_module("SALib.sample.sobol")
    analyse: Any = importlib.import_module("SALib.analyze.sobol")
    size = 2 ** math.ceil(math.log2(base))
    points = sample.sample(problem, size, calc_second_order=False, seed=seed)
    seen = _finite(runs(problem["names"], points, "Sobol")[:, 0], "Sobol")
    # An array of names: SALib hands them to pandas.unique, and pandas 3 refuses a list.
    problem = {**problem, "names": np.array(problem["names"], dtype=object)}
    found: Any = analyse.analyze(problem, seen, calc_second_order=False, seed=seed)
    rows = [
        {"parameter": str(name), **{k: float(found[k][i]) for k in ("S1", "S1_conf", "ST", "ST_conf")}}
        for i, name in enumerate(problem["names"])
    ]
    return sorted(rows, key=lambda row: -float(row["ST"]))


MEASURED = (
    *(f"{m}, ratio to the start on day {MEASURED_DAY:g}" for m in MARKERS),
    *(
        f"{a.removesuffix('_activity').upper()} activity in a biopsy on day {MEASURED_DAY:g}"
        for a in ACTIVITY
    ),
    "sum of diameters at the first visit, ratio to the start",
    "response rate (mRECIST)",
    "severe toxicity",
    "sum of diameters at the first visit, control",
)


def _measurements(seen: Floats) -> list[dict[str, Any]]:
    """How much of the prediction's variance goes with each measurement, largest first."""
    y, m = seen[:, 0], len(seen)
    rows: list[dict[str, Any]] = []
    for j, name in enumerate(MEASURED, start=1):
        x = seen[:, j]
        if np.isnan(x).any() or x.std() < 1e-12 or y.std() < 1e-12:
            rows.append({"measurement": name, "narrowing": None})
            continue
        r = float(np.corrcoef(x, y)[0, 1])
        rows.append({"measurement": name, "narrowing": max(1.0 - (1.0 - r * r) * (m - 1.0) / (m - 2.0), 0.0)})
    return sorted(rows, key=lambda row: -(row["narrowing"] if row["narrowing"] is not None else -1.0))


def _run(
    setup: Setup, scale: Mapping[str, float], patients: Patients, factors: Mapping[str, float]
) -> Floats:
    """The prediction (NaN where an arm has no event), then what could be measured (`MEASURED`)."""
    from troughline.mechanism.endpoints import log_hazard_ratio, progression_times, survival_times

    asked = setup.file.sensitivity
    assert asked is not None
    runner = the_runner(setup.file.population.clearance)
    values = with_factors(runner.mechanism, scaled(runner, setup.sets[0], scale), factors)
    ids = [a.id for a in setup.file.arm]
    arm, control = (
        runner.run(
            patients, setup.arms[ids.index(name)], setup.protocol, values=values,
            sample_days=(0.0, MEASURED_DAY), threads=1,
        )
        for name in (asked.arm, asked.control)
    )  # fmt: skip
    times = survival_times if asked.prediction == "os_hr" else progression_times
    try:
        prediction = log_hazard_ratio(times(arm), times(control))[0]
    except ValueError:
        prediction = math.nan
    names = [c.name for c in runner.mechanism.covariates]
    start = patients.covariates[:, names.index("sum_of_diameters")]
    sampled = arm.sampled
    with np.errstate(invalid="ignore", divide="ignore"):
        measured = [
            _mean(np.log(sampled[:, 1, k] / sampled[:, 0, k]))
            for k in (runner.output_names.index(m) for m in MARKERS)
        ]
    measured += [_mean(sampled[:, 1, runner.output_names.index(a)]) for a in ACTIVITY]
    measured.append(_mean(np.log(arm.seen[:, 0] / start)))
    measured.append(np.count_nonzero((arm.viable_best == 1) | (arm.viable_best == 2)) / len(start))
    measured.append(np.count_nonzero(np.isfinite(arm.severe_day)) / len(start))
    measured.append(_mean(np.log(control.seen[:, 0] / start)))
    return np.array([prediction, *measured])


def _mean(values: Floats) -> float:
    """The mean of the finite values; NaN where there are none."""
    known = values[np.isfinite(values)]
    return float(np.mean(known, dtype=np.float64)) if len(known) else math.nan
