"""Which parameters predictions hang on, by Morris and Sobol, and which measurement would narrow them."""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.issues import Findings, Severity
from troughline.mechanism.predictions import scaled
from troughline.progress import Progress, silent
from troughline.trial.assumed import movable, status_of
from troughline.trial.cells import patients_of, the_runner
from troughline.trial.elementary_effects import elementary_effects, resampled
from troughline.trial.schedule import in_threads
from troughline.trial.sensitivity_run import MEASURED, run_moved

if TYPE_CHECKING:
    from troughline.model.spec import Parameter
    from troughline.trial.setup import Setup

Floats = NDArray[np.float64]
Json = dict[str, Any]
LEVELS = 4
RESAMPLES = 1000
METHOD = (
    "Each parameter is moved on a logarithmic scale by up to exp(±width) (of a fraction its odds), all "
    "others of the best set unchanged; the same patients in both arms and in every run, everybody followed "
    "to the horizon. An effect is the change of the prediction's logarithm over the whole of that range. "
    "Elementary effects are those of Morris 1991 (doi 10.1080/00401706.1991.10484804); indices those of "
    "Sobol 2001 (doi 10.1016/S0378-4754(00)00270-6) over the parameters with the largest effects; both by "
    "SALib. "
    "Intervals, those of ranks too, are by bootstrap of Morris's trajectories or of Sobol's sample. "
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
) -> tuple[Json, Findings]:
    """Morris over every parameter of the mechanism, then Sobol over the `keep` with the largest effects.

    Every prediction that is asked for is read from the same runs; Sobol's sample moves the parameters that
    are among the `keep` of any of them. A prediction that some run does not have (no event in an arm, a
    median not reached) is left out, with a finding. The numbers do not depend on `workers`. Raises
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
    found, unsaid = Findings(), set[str]()

    def problem(names: list[str]) -> Json:
        return {"num_vars": len(names), "names": names, "bounds": [[-asked.width, asked.width]] * len(names)}

    def runs(names: list[str], points: Floats, step: str) -> Floats:
        def one(point: Floats) -> Floats:
            factors = {n: math.exp(float(x)) for n, x in zip(names, point, strict=True)}
            return run_moved(setup, scales[0], patients, factors)

        rows: list[Floats] = []
        with closing(in_threads(one, points, workers=workers)) as results:
            for row in results:
                rows.append(row)
                progress(f"sensitivity, {step}", len(rows), len(points))
        return np.array(rows)

    def whole(seen: Floats, step: str) -> dict[str, Floats]:
        """The predictions that every run has; of each other one, once, that it is not said."""
        kept: dict[str, Floats] = {}
        for j, name in enumerate(asked.prediction):
            if name in unsaid:
                continue
            lost = int(np.isnan(seen[:, j]).sum())
            if not lost:
                kept[name] = seen[:, j]
                continue
            unsaid.add(name)
            why = "have no event in an arm" if name.endswith("_hr") else "do not reach the median"
            found.add(
                Severity.WARNING, "sensitivity",
                f"{name}: {lost} of {len(seen)} runs ({step}) {why}, so what it hangs on is not said; more "
                "patients or a longer horizon would help", file=setup.name, column="sensitivity",
            )  # fmt: skip
        return kept

    def note(message: str) -> None:
        found.add(Severity.NOTE, "sensitivity", message, file=setup.name, column="sensitivity")

    every = list(parameters)
    points: Floats = _salib("sample.morris").sample(
        problem(every), asked.trajectories, num_levels=LEVELS, seed=seed
    )
    seen = runs(every, points, "Morris")
    measured = seen[:, len(asked.prediction) :]
    level = setup.file.trial.level
    predictions = {
        name: {
            "prediction": name,
            "morris": _morris(problem(every), parameters, points, y, seed=seed, level=level),
            "sobol": list[Json](),
            "measurement": _measurements(measured, y),
        }
        for name, y in whole(seen, "Morris").items()
    }
    first = {str(m["parameter"]) for p in predictions.values() for m in _rows(p, "morris")[: asked.keep]}
    kept = [name for name in every if name in first]
    sobol_runs = 0
    if asked.sobol and kept:
        shares, sobol_runs = _sobol(problem(kept), asked.sobol, runs, whole, note, seed=seed, level=level)
        for name in shares.keys() & predictions.keys():
            predictions[name]["sobol"] = shares[name]
    return {
        "arm": asked.arm,
        "control": asked.control,
        "asked": list(asked.prediction),
        "method": METHOD,
        "n": asked.n,
        "trajectories": asked.trajectories,
        "runs": len(points),
        "sobol_runs": sobol_runs,
        "width": asked.width,
        "level": level,
        "predictions": list(predictions.values()),
    }, found


def _salib(name: str) -> Any:
    return importlib.import_module(f"SALib.{name}")


def _rows(prediction: Json, name: str) -> list[Json]:
    return prediction[name]


def _morris(
    problem: Json, parameters: Mapping[str, Parameter], points: Floats, y: Floats, *, seed: int, level: float
) -> list[Json]:
    """Mean absolute effect and SD of effects by parameter, largest first, with bootstrap intervals."""
    found: Any = _salib("analyze.morris").analyze(problem, points, y, num_levels=LEVELS, seed=seed)
    low_end, high_end = np.array(problem["bounds"], dtype=np.float64).T
    effects = elementary_effects((points - low_end) / (high_end - low_end), y)
    mean, place = resampled(effects, np.random.default_rng([seed, 11]), times=RESAMPLES)
    ends = [0.5 * (1.0 - level), 0.5 * (1.0 + level)]
    low, high = np.quantile(mean, ends, axis=0)
    first, last = np.quantile(place, ends, axis=0, method="nearest")
    order = sorted(range(len(parameters)), key=lambda i: -float(found["mu_star"][i]))
    names = list(parameters)
    return [
        {
            "rank": k + 1, "parameter": names[i], "mu_star": float(found["mu_star"][i]),
            "low": float(low[i]), "high": float(high[i]), "mean": float(found["mu"][i]),
            "sigma": float(found["sigma"][i]), "rank_low": int(first[i]), "rank_high": int(last[i]),
            "status": status_of(parameters[names[i]]),
            "note": parameters[names[i]].note,
        }
        for k, i in enumerate(order)
    ]  # fmt: skip


def _sobol(
    problem: Json,
    base: int,
    runs: Callable[[list[str], Floats, str], Floats],
    whole: Callable[[Floats, str], dict[str, Floats]],
    note: Callable[[str], None],
    *,
    seed: int,
    level: float,
) -> tuple[dict[str, list[Json]], int]:
    """First and total indices by prediction, largest total first, with SALib's bootstrap intervals; the
    number of runs.
    """
    size = 2 ** math.ceil(math.log2(base))
    points = _salib("sample.sobol").sample(problem, size, calc_second_order=False, seed=seed)
    seen = runs(problem["names"], points, "Sobol")
    # An array of names: SALib hands them to pandas.unique, and pandas 3 refuses a list.
    problem = {**problem, "names": np.array(problem["names"], dtype=object)}
    made: dict[str, list[Json]] = {}
    for prediction, y in whole(seen, "Sobol").items():
        if np.ptp(y) == 0.0:
            note(f"{prediction}: the same in every run (Sobol), so there is no variance to share out")
            continue
        found: Any = _salib("analyze.sobol").analyze(
            problem, y, calc_second_order=False, num_resamples=RESAMPLES, conf_level=level, seed=seed
        )
        rows = [
            {"parameter": str(name), **{k: float(found[k][i]) for k in ("S1", "S1_conf", "ST", "ST_conf")}}
            for i, name in enumerate(problem["names"])
        ]
        made[prediction] = sorted(rows, key=lambda row: -float(row["ST"]))
    return made, len(points)


def _measurements(measured: Floats, y: Floats) -> list[Json]:
    """How much of a prediction's variance goes with each measurement, largest first."""
    m = len(y)
    rows: list[Json] = []
    for j, name in enumerate(MEASURED):
        x = measured[:, j]
        if np.isnan(x).any() or x.std() < 1e-12 or y.std() < 1e-12:
            rows.append({"measurement": name, "narrowing": None})
            continue
        r = float(np.corrcoef(x, y)[0, 1])
        rows.append({"measurement": name, "narrowing": max(1.0 - (1.0 - r * r) * (m - 1.0) / (m - 2.0), 0.0)})
    return sorted(rows, key=lambda row: -(row["narrowing"] if row["narrowing"] is not None else -1.0))
