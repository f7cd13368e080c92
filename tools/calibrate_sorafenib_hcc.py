"""Calibrate `sorafenib/hcc` to published aggregates: targets in, parameters with intervals out.

    python tools/calibrate_sorafenib_hcc.py            # fit, print achieved values beside the targets
    python tools/calibrate_sorafenib_hcc.py --write    # also write the model file and the tables of its page

Weighted least squares on the log scale, in two steps. Typical values: apparent clearance and volume, the dose
of half bioavailability, size and half-time of the fall, the Child-Pugh B factor (and Hornecker's absolute
bioavailability at 400 mg, not kept in the model). Then, with the slopes of the trough that these give,
the variance of clearance between patients and between occasions, and the residual error. Everything else is
Jain 2011's. The same numbers come out of every run (three minutes; with OPENBLAS_NUM_THREADS=1, since its
threads only wait for each other on matrices this small).

Intervals: profile likelihood, the values at which the weighted sum of squares, minimised over the others, has
risen by 3.84 (the weights are taken as known variances). Beside it, a parametric bootstrap: the targets are
drawn anew from their own standard errors and refitted. A parameter whose profile does not close within its
bounds is reported as not determined on that side.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, log

import numpy as np
from scipy.optimize import least_squares
from sorafenib_curve import Floats, Sorafenib, read_model
from sorafenib_page import write_model, write_page
from sorafenib_targets import (
    Calibration,
    Spread,
    Target,
    TroughSlopes,
    predict,
    predict_spread,
    read_spread,
    read_targets,
    trough_slopes,
)

RISE = 3.841  # 95 % quantile of chi-squared with one degree of freedom
DRAWS = 200
SEED = 20_260_102


@dataclass(frozen=True)
class Quantity:
    """A fitted parameter: its name in the model file, start, and bounds, in the file's unit."""

    name: str
    start: float
    low: float
    high: float
    fraction: bool = False

    def inside(self, value: float) -> float:
        """To the unbounded scale of the fit: log, or logit for a fraction."""
        return log(value / (1.0 - value)) if self.fraction else log(value)

    def outside(self, x: float) -> float:
        """Back to the file's unit."""
        return 1.0 / (1.0 + exp(-x)) if self.fraction else exp(x)


TYPICAL = (
    Quantity("CL_pop", 9.0, 1.0, 50.0),
    Quantity("V_pop", 220.0, 20.0, 2000.0),
    Quantity("D50", 180.0, 5.0, 3000.0),
    Quantity("fall", 0.5, 0.02, 0.98, fraction=True),
    Quantity("t_half_fall", 20.0, 2.0, 365.0),
    Quantity("CL_CPB", 0.85, 0.1, 5.0),
    Quantity("F400", 0.32, 0.05, 1.0),
)
SPREAD = (
    Quantity("between", 0.2, 1e-4, 2.0),
    Quantity("occasion", 0.07, 1e-4, 2.0),
    Quantity("sigma_prop", 0.25, 1e-2, 1.0),
)
MEANING = {
    "CL_pop": ("L/h", "apparent clearance at 400 mg on day 28, Child-Pugh A"),
    "V_pop": ("L", "apparent volume at 80 kg"),
    "D50": ("mg", "single dose with half the bioavailability of a very small one"),
    "fall": ("", "fraction of the first exposure lost in the end"),
    "t_half_fall": ("day", "half-time of the fall"),
    "CL_CPB": ("", "clearance in Child-Pugh B over A"),
    "F400": ("", "Hornecker's bioavailability at 400 mg; not in the model"),
    "between": ("", "variance of log clearance between patients"),
    "occasion": ("", "variance of log clearance between occasions"),
    "sigma_prop": ("", "residual standard deviation on the log scale"),
}
Predict = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Fit:
    """Fitted values by name, the weighted sum of squares, and for each its profile and bootstrap interval."""

    values: Mapping[str, float]
    squares: float
    targets: int
    profile: Mapping[str, tuple[float | None, float | None]]
    bootstrap: Mapping[str, tuple[float, float]]


class Problem:
    """Weighted least squares of log predictions on log targets, over the unbounded scale."""

    def __init__(
        self, quantities: Sequence[Quantity], observed: Floats, sigma: Floats, predicted: Predict
    ) -> None:
        self.quantities = tuple(quantities)
        self.observed, self.sigma, self.predicted = observed, sigma, predicted
        self.low = np.array([q.inside(q.low) for q in quantities])
        self.high = np.array([q.inside(q.high) for q in quantities])
        self.start = np.array([q.inside(q.start) for q in quantities])

    def residuals(self, x: Floats, observed: Floats | None = None) -> Floats:
        """(n_targets,) residuals in standard errors."""
        return (self.predicted(x) - (self.observed if observed is None else observed)) / self.sigma

    def solve(
        self, start: Floats, observed: Floats | None = None, fixed: tuple[int, float] | None = None
    ) -> tuple[Floats, float]:
        """The optimum and its sum of squares, optionally with other targets or with one parameter held."""
        free = np.array([fixed is None or i != fixed[0] for i in range(len(start))])
        whole = start.copy()
        if fixed is not None:
            whole[fixed[0]] = fixed[1]

        def of_free(part: Floats) -> Floats:
            x = whole.copy()
            x[free] = part
            return self.residuals(x, observed)

        found = least_squares(
            of_free,
            np.clip(whole[free], self.low[free] + 1e-6, self.high[free] - 1e-6),
            bounds=(self.low[free], self.high[free]),
            xtol=1e-7,
            ftol=1e-9,
            gtol=1e-7,
            diff_step=1e-4,
        )
        whole[free] = found.x
        return whole, float(2.0 * found.cost)

    def profile_end(self, best: Floats, squares: float, index: int, side: int) -> float | None:
        """Where the profile of a parameter has risen by RISE below (-1) or above (+1); None at the bound."""
        inside, x = best[index], best
        step = 0.1 * side
        while True:
            trial = min(max(inside + step, self.low[index]), self.high[index])
            x, value = self.solve(x, fixed=(index, trial))
            if value - squares > RISE:
                break
            if trial in (self.low[index], self.high[index]):
                return None
            inside, step = trial, step * 1.7
        outside = trial
        for _ in range(9):
            middle = 0.5 * (inside + outside)
            x, value = self.solve(x, fixed=(index, middle))
            inside, outside = (middle, outside) if value - squares <= RISE else (inside, middle)
        return self.quantities[index].outside(0.5 * (inside + outside))

    def fit(self, draws: int) -> Fit:
        """Optimum, profiles and bootstrap."""
        best, squares = self.solve(self.start)
        names = [q.name for q in self.quantities]
        profile = (
            {
                name: (self.profile_end(best, squares, i, -1), self.profile_end(best, squares, i, 1))
                for i, name in enumerate(names)
            }
            if draws
            else {}
        )
        rng = np.random.default_rng(SEED)
        drawn = np.array(
            [
                self.solve(best, self.observed + self.sigma * rng.standard_normal(len(self.sigma)))[0]
                for _ in range(draws)
            ]
        )
        bootstrap = (
            {
                q.name: tuple(q.outside(v) for v in np.quantile(drawn[:, i], (0.025, 0.975)))
                for i, q in enumerate(self.quantities)
            }
            if draws
            else {}
        )
        values = {q.name: q.outside(v) for q, v in zip(self.quantities, best, strict=True)}
        return Fit(values, squares, len(self.observed), profile, bootstrap)


def typical_patients(values: Mapping[str, float]) -> dict[str, Sorafenib]:
    """The typical patient of each Child-Pugh class with fitted values; the rest as the model file has it."""
    base = replace(
        read_model("sorafenib/hcc"),
        volume_l=values["V_pop"],
        half_dose_mg=values["D50"],
        fall=values["fall"],
        fall_per_h=log(2.0) / (24.0 * values["t_half_fall"]),
    )
    clearance = {"A": values["CL_pop"], "B": values["CL_pop"] * values["CL_CPB"]}
    return {k: replace(base, clearance_l_per_h=v) for k, v in clearance.items()}


def fit_typical(calibration: Calibration, given: Spread, draws: int) -> Fit:
    """Fit the typical values."""
    used = [t for t in calibration.targets if t.used and not t.quantity.startswith("spread")]

    def predicted(x: Floats) -> Floats:
        values = {q.name: q.outside(v) for q, v in zip(TYPICAL, x, strict=True)}
        patients = typical_patients(values)
        return np.log([predict(t, patients, given, values["F400"]) for t in used])

    return _problem(TYPICAL, calibration, used, predicted).fit(draws)


def fit_spread(calibration: Calibration, given: Spread, slopes: TroughSlopes, draws: int) -> Fit:
    """Fit the variances of clearance and the residual error."""
    used = [t for t in calibration.targets if t.used and t.quantity.startswith("spread")]

    def predicted(x: Floats) -> Floats:
        between, occasion, residual = (q.outside(v) for q, v in zip(SPREAD, x, strict=True))
        spread = replace(given, between=between, occasion=occasion, residual=residual)
        return np.log([predict_spread(t.quantity, slopes, spread) for t in used])

    return _problem(SPREAD, calibration, used, predicted).fit(draws)


def _problem(
    quantities: Sequence[Quantity], calibration: Calibration, used: Sequence[Target], predicted: Predict
) -> Problem:
    observed = np.log([t.value for t in used if t.value is not None])
    return Problem(quantities, observed, np.array([calibration.sigma(t) for t in used]), predicted)


def _squares(fit: Fit) -> str:
    return (
        f"weighted sum of squares {fit.squares:.2f} over {fit.targets} targets, {len(fit.values)} parameters"
    )


def _print(fit: Fit) -> None:
    print(_squares(fit))
    for name, value in fit.values.items():
        low, high = fit.profile.get(name, (None, None))
        shown = " to ".join("not determined" if v is None else f"{v:.4g}" for v in (low, high))
        boot = " to ".join(f"{v:.4g}" for v in fit.bootstrap.get(name, ()))
        print(f"  {name:12s} {value:9.4g}   profile {shown}   bootstrap {boot}")


def _refits(calibration: Calibration, given: Spread) -> list[list[str]]:
    """The calibration again with one decision changed: clearance, fall, half-time and troughs of each."""

    def without(*sources: str) -> Calibration:
        return replace(calibration, targets=tuple(t for t in calibration.targets if t.source not in sources))

    def moved(target_id: str, day: float) -> Calibration:
        changed = [
            replace(t, fields={**t.fields, "day": day}) if t.id == target_id else t
            for t in calibration.targets
        ]
        return replace(calibration, targets=tuple(changed))

    def studies(level: float) -> Calibration:
        return replace(calibration, between_studies={**calibration.between_studies, "level": level})

    cases = {
        "everything as decided": calibration,
        "Noda sampled on day 28": moved("noda-trough", 28),
        "Noda sampled on day 150": moved("noda-trough", 150),
        "without Noda": without("noda-2020"),
        "without SORAMIC": without("labeur-2020"),
        "without Abou-Alfa (level)": replace(
            calibration, targets=tuple(t for t in calibration.targets if t.id != "abou-alfa-auc-a")
        ),
        "without Mir": without("mir-2012"),
        "without solid tumours (Boudou-Rouquette, Awada)": without("boudou-rouquette-2012", "awada-2005"),
        "without Awada": without("awada-2005"),
        "spread between studies 0.10": studies(0.10),
        "spread between studies 0.40": studies(0.40),
    }
    rows: list[list[str]] = []
    for name, case in cases.items():
        values = fit_typical(case, given, 0).values
        patient = typical_patients(values)["A"]
        troughs = [f"{patient.interval(400.0, day, points=2).trough:.2f}" for day in (28, 175)]
        rows.append([name, *(f"{values[k]:.3g}" for k in ("CL_pop", "fall", "t_half_fall")), *troughs])
    return rows


def _shapes(calibration: Calibration) -> list[list[str]]:
    """Three two-parameter shapes of the bioavailability against the dose, fitted to Hornecker alone."""
    used = [t for t in calibration.targets if t.quantity == "bioavailability"]
    dose = np.array([t.get("dose_mg") for t in used], dtype=np.float64)
    shapes: dict[str, tuple[str, float, Callable[[float], Floats]]] = {
        "saturation, (D50 + 400) / (D50 + dose)": ("D50 {:.0f} mg", 180.0, lambda p: -np.log(p + dose)),
        "power, (dose / 400)^-g": ("g {:.2f}", 0.7, lambda p: -p * np.log(dose)),
        "exponential, exp(-dose / D)": ("D {:.0f} mg", 700.0, lambda p: -dose / p),
    }
    rows: list[list[str]] = []
    for name, (label, start, curve) in shapes.items():
        quantities = (Quantity("scale", 1.0, 1e-6, 1e6), Quantity("shape", start, 1e-3, 1e5))

        def predicted(x: Floats, curve: Callable[[float], Floats] = curve) -> Floats:
            return x[0] + curve(exp(x[1]))

        fit = _problem(quantities, calibration, used, predicted).fit(0)
        rows.append([name, label.format(fit.values["shape"]), f"{fit.squares:.2f}"])
    return rows


def _parameter_rows(fits: Sequence[Fit]) -> list[list[str]]:
    def interval(bounds: Sequence[float | None]) -> str:
        return " to ".join("not determined" if b is None else f"{b:.3g}" for b in bounds)

    return [
        [
            f"`{name}`",
            f"{value:.3g}",
            *MEANING[name][:1],
            interval(fit.profile[name]),
            interval(fit.bootstrap[name]),
            MEANING[name][1],
        ]
        for fit in fits
        for name, value in fit.values.items()
    ]


def main() -> None:
    """Fit, print, and with --write put the numbers into the model file and its page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--write", action="store_true", help="write the model file and its page")
    parser.add_argument("--draws", type=int, default=DRAWS, help="bootstrap draws; 0 leaves intervals out")
    options = parser.parse_args()
    calibration, given = read_targets(), read_spread()
    typical = fit_typical(calibration, given, options.draws)
    patients = typical_patients(typical.values)
    variation = fit_spread(calibration, given, trough_slopes(patients["A"]), options.draws)
    _print(typical)
    _print(variation)
    spread = replace(
        given,
        between=variation.values["between"],
        occasion=variation.values["occasion"],
        residual=variation.values["sigma_prop"],
    )
    for target in calibration.targets:
        achieved = predict(target, patients, spread, typical.values["F400"])
        miss = "" if target.value is None else f"{achieved / target.value:6.2f}"
        weight = f"{calibration.weight(target):6.1f}" if target.used else " shown"
        print(f"{target.id:28s} {target.shown_value:>22s} n={target.n:<4d} {weight} {achieved:8.3f} {miss}")
    if options.write:
        write_model({**typical.values, **variation.values}, {**typical.profile, **variation.profile})
        write_page(
            calibration,
            _parameter_rows((typical, variation)),
            _refits(calibration, given),
            _shapes(calibration),
            "; ".join(_squares(fit) for fit in (typical, variation)),
        )


if __name__ == "__main__":
    main()
