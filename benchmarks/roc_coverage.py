"""How often the ROC intervals hold the truth, and how far the corrected Youden index is off.

    python benchmarks/roc_coverage.py [--cohorts 100] [--only areas|thresholds|corrections] [--limit-law]

Every figure is simulated with fixed seeds. A coverage printed from N cohorts has a standard error of
√(0.95 · 0.05 / N): 2.2 points at 100 (a minute on one core), 0.7 at 1,000. `--limit-law` simulates the
quantiles that `threshold_interval` uses, and nothing else (about half a minute).
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit, ndtr, ndtri

from troughline.response.auc_interval import auc_interval, delong
from troughline.response.optimism import corrected_youden
from troughline.response.proportions import wilson
from troughline.response.roc import roc_curve
from troughline.response.threshold_interval import threshold_interval
from troughline.response.thresholds import optimal_threshold

Draw = Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]
AREAS = (0.5, 0.74, 0.9, 0.97, 0.99)
SHAPES = ("equal SD", "case SD ×0.5", "case SD ×2", "t, 3 df")
SIZES = ((13, 13), (20, 6), (6, 20), (24, 50), (65, 135))
EXPOSURE_LOG_SD = 0.62
BOOTSTRAP = 500


def main() -> None:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=100, help="simulated cohorts a row")
    parser.add_argument("--only", choices=("areas", "thresholds", "corrections"))
    parser.add_argument("--limit-law", action="store_true")
    arguments = parser.parse_args()
    if arguments.limit_law:
        print_limit_law()
        return
    parts = {"areas": print_areas, "thresholds": print_thresholds, "corrections": print_corrections}
    for name, part in parts.items():
        if arguments.only in (None, name):
            part(arguments.cohorts)


def print_areas(cohorts: int) -> None:
    """Coverage and mean width of three intervals of the area; only rows where the guarded one is below 94 %
    are printed one by one."""
    rng = np.random.default_rng(7)
    differences = np.sort(rng.standard_t(3, 1_000_000) - rng.standard_t(3, 1_000_000))
    methods = {"DeLong": delong, "Newcombe 5": newcombe, "guarded": auc_interval}
    results = []
    print(f"Area: coverage % (mean width), {cohorts} cohorts a row")
    print(f"{'cases/controls, shape, area':<34}" + "".join(f"{name:>18}" for name in methods))
    for n_cases, n_controls in SIZES:
        is_case = np.arange(n_cases + n_controls) < n_cases
        for shape in SHAPES:
            for area in AREAS:
                rows = np.zeros((cohorts, len(methods), 2))
                shift_t = float(np.quantile(differences, area))
                for i in range(cohorts):
                    values = draw_values(shape, area, is_case, shift_t, rng)
                    found = [interval(values, is_case) for interval in methods.values()]
                    rows[i] = [(e.low <= area <= e.high, e.high - e.low) for e in found]
                mean = rows.mean(axis=0)
                results.append(mean)
                if mean[-1, 0] < 0.94:
                    label = f"{n_cases}/{n_controls} {shape} {area}"
                    print(f"{label:<34}" + "".join(f"{100 * c:>10.1f} ({w:.3f})" for c, w in mean))
    summary = np.array(results)
    for label, row in (
        ("lowest coverage", summary[:, :, 0].min(axis=0)),
        ("mean coverage", summary[:, :, 0].mean(axis=0)),
    ):
        print(f"{label:<34}" + "".join(f"{100 * c:>18.1f}" for c in row))
    print(f"{'mean width':<34}" + "".join(f"{w:>18.3f}" for w in summary[:, :, 1].mean(axis=0)))
    below = (summary[:, :, 0] < 0.93).sum(axis=0)
    print(f"{'rows below 93 % of ' + str(len(results)):<34}" + "".join(f"{n:>18}" for n in below))


def draw_values(
    shape: str, area: float, is_case: np.ndarray, shift_t: float, rng: np.random.Generator
) -> np.ndarray:
    """One cohort's marker: controls standard, cases moved so that the area is the one asked for."""
    if shape == "t, 3 df":
        return rng.standard_t(3, is_case.size) + shift_t * is_case
    ratio = {"equal SD": 1.0, "case SD ×0.5": 0.5, "case SD ×2": 2.0}[shape]
    shift = float(ndtri(area)) * math.hypot(1.0, ratio)
    return rng.normal(0.0, 1.0, is_case.size) * np.where(is_case, ratio, 1.0) + shift * is_case


class Limits:
    """Two limits, as the estimates of the package have them."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high


def newcombe(values: np.ndarray, is_case: np.ndarray) -> Limits:
    """Newcombe 2006 method 5 on a grid, as the rival of the guarded interval."""
    curve = roc_curve(values, is_case)
    theta = np.linspace(0.0, 1.0, 4001)
    others = (curve.n_cases + curve.n_controls) / 2 - 1
    spread = 1 + others * (1 - theta) / (2 - theta) + others * theta / (1 + theta)
    variance = theta * (1 - theta) * spread / (curve.n_cases * curve.n_controls)
    inside = theta[(theta - curve.auc) ** 2 <= 1.96**2 * variance]
    return Limits(
        min(inside.min(initial=curve.auc), curve.auc), max(inside.max(initial=curve.auc), curve.auc)
    )


def print_thresholds(cohorts: int) -> None:
    """Coverage and median ratio high / low for the threshold with the largest Youden index."""
    rng = np.random.default_rng(26)
    methods = ("percentile", "smoothed", "guarded")
    results = []
    print(f"Threshold: coverage % (median high / low), {cohorts} cohorts a row")
    print(f"{'truth, cases/controls or n':<34}" + "".join(f"{name:>16}" for name in methods))
    for label, (draw, truth) in threshold_truths().items():
        rows = np.empty((cohorts, len(methods), 2))
        for i in range(cohorts):
            logs, is_case = draw(rng)
            found = threshold_interval(np.exp(logs), is_case, rng=rng, n_replicates=BOOTSTRAP)
            limits = [
                (found.percentile_low, found.percentile_high),
                smoothed_percentiles(logs, is_case, rng),
                (found.low, found.high),
            ]
            rows[i] = [(low <= math.exp(truth) <= high, ratio_of(low, high)) for low, high in limits]
        coverage, ratio = rows[:, :, 0].mean(axis=0), np.median(rows[:, :, 1], axis=0)
        results.append((coverage, ratio))
        print(
            f"{label:<34}"
            + "".join(f"{100 * c:>9.1f} ({r:.2f})" for c, r in zip(coverage, ratio, strict=True))
        )
    coverage, ratio = (np.array(column) for column in zip(*results, strict=True))
    print(f"{'lowest coverage':<34}" + "".join(f"{100 * c:>16.1f}" for c in coverage.min(axis=0)))
    print(
        f"{'rows below 93 % of ' + str(len(results)):<34}"
        + "".join(f"{n:>16}" for n in (coverage < 0.93).sum(axis=0))
    )
    print(
        f"{'geometric mean of high / low':<34}"
        + "".join(f"{r:>16.2f}" for r in np.exp(np.log(ratio).mean(axis=0)))
    )


def ratio_of(low: float, high: float) -> float:
    """High / low, infinite where the data bound one side only."""
    return high / low if low > 0.0 else math.inf


def smoothed_percentiles(
    logs: np.ndarray, is_case: np.ndarray, rng: np.random.Generator
) -> tuple[float, float]:
    """Percentiles of the best cut after adding normal noise of ¾ SD / √n to resampled logarithms."""
    cuts = []
    for _ in range(BOOTSTRAP // 5):
        noisy = np.empty(logs.size)
        for group in (is_case, ~is_case):
            own = logs[group]
            noisy[group] = rng.choice(own, own.size) + rng.normal(
                0.0, 0.75 * own.std(ddof=1) / math.sqrt(own.size), own.size
            )
        cuts.append(optimal_threshold(roc_curve(noisy, is_case)).threshold)
    low, high = np.quantile(cuts, [0.025, 0.975], method="inverted_cdf")
    return math.exp(low), math.exp(high)


def threshold_truths() -> dict[str, tuple[Draw, float]]:
    """Named populations of log exposure with their best threshold, also as a logarithm."""
    truths: dict[str, tuple[Draw, float]] = {}
    for n in (26, 74, 200):
        truths[f"benefit slope 2.2, half, n {n}"] = logistic(2.2, 0.5, n)
        truths[f"toxicity slope 1.6, 30 %, n {n}"] = logistic(1.6, 0.3, n)
    truths["benefit slope 2.2, 70 %, n 26"] = logistic(2.2, 0.7, 26)
    for area, ratio, sizes in (
        (0.74, 1.0, ((13, 13), (20, 6), (6, 20), (24, 50), (65, 135))),
        (0.97, 1.0, ((13, 13), (20, 6), (6, 20), (65, 135))),
        (0.9, 2.0, ((13, 13), (20, 6), (24, 50))),
    ):
        for n_cases, n_controls in sizes:
            truths[f"binormal {area} SD ×{ratio:g} {n_cases}/{n_controls}"] = binormal(
                area, ratio, n_cases, n_controls
            )
    for n_cases, n_controls in ((13, 13), (6, 20), (100, 100)):
        truths[f"gamma 3 and 1 {n_cases}/{n_controls}"] = gammas(n_cases, n_controls)
    return truths


def logistic(slope: float, prevalence: float, n: int) -> tuple[Draw, float]:
    """Exposure of log SD 0.62 and an outcome that is logistic in its logarithm; random class sizes."""
    grid = np.linspace(-6.0, 6.0, 20_001) * EXPOSURE_LOG_SD
    weights = np.exp(-0.5 * (grid / EXPOSURE_LOG_SD) ** 2)
    weights /= weights.sum()
    low, high = -10.0, 10.0
    while high - low > 1e-10:
        intercept = 0.5 * (low + high)
        low, high = (
            (intercept, high)
            if (weights * expit(intercept + slope * grid)).sum() < prevalence
            else (low, intercept)
        )

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        while True:
            logs = rng.normal(0.0, EXPOSURE_LOG_SD, n)
            is_case = rng.random(n) < expit(intercept + slope * logs)
            if 2 <= is_case.sum() <= n - 2:
                return logs, is_case

    # The densities of cases and controls cross where the risk equals the prevalence.
    return draw, (math.log(prevalence / (1.0 - prevalence)) - intercept) / slope


def binormal(area: float, ratio: float, n_cases: int, n_controls: int) -> tuple[Draw, float]:
    """Normal logarithms, the cases' SD `ratio` times the controls'."""
    shift = float(ndtri(area)) * math.hypot(1.0, ratio)
    grid = np.linspace(-6.0, 12.0, 400_001)
    best = float(grid[(ndtr(grid) - ndtr((grid - shift) / ratio)).argmax()])
    is_case = np.arange(n_cases + n_controls) < n_cases
    scale = np.where(is_case, ratio, 1.0)

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return EXPOSURE_LOG_SD * (rng.normal(0.0, 1.0, is_case.size) * scale + shift * is_case), is_case

    return draw, EXPOSURE_LOG_SD * best


def gammas(n_cases: int, n_controls: int) -> tuple[Draw, float]:
    """Gamma exposures of shape 3 and 1: skewed also as logarithms; the densities cross at √2."""
    is_case = np.arange(n_cases + n_controls) < n_cases

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return np.log(rng.gamma(np.where(is_case, 3.0, 1.0))), is_case

    return draw, 0.5 * math.log(2.0)


def print_corrections(cohorts: int) -> None:
    """Mean of four estimates of Youden's index, and coverage of the intervals of sensitivity."""
    rng = np.random.default_rng(13)
    print(f"Youden's index of the chosen cut: means of {cohorts} cohorts, and coverage % of its sensitivity")
    names = ("optimum", "true", "apparent", "corrected", ".632+", "Harrell", "Wilson %", "guarded %")
    print(f"{'area, cases/controls':<22}" + "".join(f"{name:>11}" for name in names))
    for area, n_cases, n_controls in (
        (0.5, 13, 13),
        (0.74, 13, 13),
        (0.74, 20, 6),
        (0.74, 24, 50),
        (0.74, 65, 135),
        (0.97, 13, 13),
        (0.97, 20, 6),
    ):
        shift = float(ndtri(area)) * math.sqrt(2.0)
        is_case = np.arange(n_cases + n_controls) < n_cases
        rows: list[tuple[Any, ...]] = []
        for _ in range(cohorts):
            values = rng.normal(0.0, 1.0, is_case.size) + shift * is_case
            found = corrected_youden(values, is_case, n_replicates=BOOTSTRAP, rng=rng)
            sensitivity = float(ndtr(shift - found.threshold))
            usual = wilson(round(found.sensitivity.apparent * n_cases), n_cases)
            rows.append(
                (
                    2.0 * float(ndtr(shift / 2.0)) - 1.0,
                    sensitivity + float(ndtr(found.threshold)) - 1.0,
                    found.youden_apparent,
                    found.youden_corrected,
                    found.youden_632_plus,
                    found.youden_harrell,
                    100.0 * (usual.low <= sensitivity <= usual.high),
                    100.0 * (found.sensitivity.low <= sensitivity <= found.sensitivity.high),
                )
            )
        means = np.array(rows).mean(axis=0)
        numbers = "".join(f"{m:>11.3f}" for m in means[:6]) + "".join(f"{m:>11.1f}" for m in means[6:])
        print(f"{f'{area} {n_cases}/{n_controls}':<22}" + numbers)


def print_limit_law(paths: int = 50_000, step: float = 1 / 5000, reach: float = 3.0) -> None:
    """Quantiles of the smallest (Z(û) − Z(u)) / √|û − u| over the cuts u on the far side of the optimum 0,
    where Z(u) = W(u) − u² on both sides of 0 and û is where Z is largest."""
    rng = np.random.default_rng(20261122)
    distance = (np.arange(round(reach / step) + 1) * step).astype(np.float32)
    smallest = []
    for _ in range(paths // 100):
        sides = [brownian(100, distance.size, step, rng) - distance**2 for _ in range(2)]
        peaks = [side.max(axis=1) for side in sides]
        places = [distance[side.argmax(axis=1)] for side in sides]
        first = peaks[0] > peaks[1]
        top, place = np.where(first, *peaks), np.where(first, *places)
        far = np.where(first[:, np.newaxis], sides[1], sides[0])
        apart = np.maximum(place[:, np.newaxis] + distance, 1e-9)
        smallest.append(((top[:, np.newaxis] - far) / np.sqrt(apart)).min(axis=1))
    values = np.concatenate(smallest)
    for level in (0.50, 0.80, 0.90, 0.95, 0.975, 0.99):
        print(f"{level:<6} {np.quantile(values, level):.3f}")


def brownian(paths: int, points: int, step: float, rng: np.random.Generator) -> np.ndarray:
    """Brownian paths (paths, points) that start at 0."""
    steps = rng.standard_normal((paths, points), dtype=np.float32) * np.float32(math.sqrt(step))
    steps[:, 0] = 0.0
    return np.cumsum(steps, axis=1, dtype=np.float32)


if __name__ == "__main__":
    main()
