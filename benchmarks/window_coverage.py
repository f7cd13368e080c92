"""How often the window's intervals hold the truth, how wide they are, and what more patients would buy.

    python benchmarks/window_coverage.py [--cohorts N] [--draws N] [--seed N] [--precision]

Cohorts are simulated with log-normal exposure (median 2.91, log-SD 0.62) and benefit and toxicity tied by an
odds ratio of 2 within patients, from three truths: steep logistic curves, shallow ones, and Emax curves. An
end of an interval that is open holds every value on its side; how often that happens is in the table.

With `--precision`: for cohorts of 26 and 74 the number of patients said to halve each interval is put to the
test on cohorts of that many simulated from the posterior, and the log width they reach is divided by the one
promised.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troughline.response.joint import both_probability
from troughline.response.precision import patients_needed_to_halve
from troughline.response.priors import Priors
from troughline.response.window import WindowFit, fit_window

Floats = NDArray[np.float64]

MEDIAN_EXPOSURE, LOG_SD = 2.91, 0.62
BENEFIT_AT_LEAST, TOXICITY_AT_MOST = 0.5, 0.4
LOWER, UPPER = 1.8, 3.2
ODDS_RATIO = 2.0
CUTS = np.array([1.40, 3.45])
SIZES = (26, 74, 200)


def logit(p: float) -> float:
    """The log odds of a probability."""
    return float(np.log(p / (1 - p)))


@dataclass(frozen=True, slots=True)
class Truth:
    """Log odds of benefit and toxicity as functions of exposure."""

    name: str
    benefit: Callable[[Floats], Floats]
    toxicity: Callable[[Floats], Floats]


def logistic(slope: float, at: float, level: float) -> Callable[[Floats], Floats]:
    """A curve that passes `level` at exposure `at` with a slope per e-fold."""
    return lambda c: logit(level) + slope * np.log(c / at)


def emax(effect: float, half: float, at: float, level: float) -> Callable[[Floats], Floats]:
    """An Emax curve on the log-odds scale that passes `level` at exposure `at`."""
    return lambda c: logit(level) + effect * (c / (half + c) - at / (half + at))


TRUTHS = (
    Truth("slopes 2.2, 1.6", logistic(2.2, LOWER, 0.5), logistic(1.6, UPPER, 0.4)),
    Truth("slopes 0.8, 0.8", logistic(0.8, LOWER, 0.5), logistic(0.8, UPPER, 0.4)),
    Truth("emax 8, 6", emax(8.0, 2.0, LOWER, 0.5), emax(6.0, 4.0, UPPER, 0.4)),
)


def cohort(truth: Truth, n: int, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Exposure, benefit and toxicity `(n,)` of a simulated cohort in which each outcome occurs."""
    exposure = MEDIAN_EXPOSURE * np.exp(rng.normal(0, LOG_SD, n))
    p_b, p_t = (1 / (1 + np.exp(-f(exposure))) for f in (truth.benefit, truth.toxicity))
    both = both_probability(p_b, p_t, np.array(ODDS_RATIO))
    u = rng.random(n)
    benefit = u < p_b
    toxicity = (u < both) | ((u >= p_b) & (u < p_b + p_t - both))
    return exposure, benefit.astype(float), toxicity.astype(float)


def window(
    exposure: Floats,
    benefit: Floats,
    toxicity: Floats,
    rng: np.random.Generator,
    n_draws: int,
    priors: Priors,
) -> WindowFit:
    """The window of a cohort at the limits of this benchmark."""
    return fit_window(
        exposure,
        benefit,
        toxicity,
        benefit_at_least=BENEFIT_AT_LEAST,
        toxicity_at_most=TOXICITY_AT_MOST,
        rng=rng,
        n_draws=n_draws,
        priors=priors,
        allow_poor=True,
    )


def holds(low: float | None, high: float | None, truth: float) -> bool:
    """Whether an interval, open where an end is None, holds the truth."""
    return (low is None or low <= truth) and (high is None or truth <= high)


def run(truth: Truth, n: int, n_cohorts: int, n_draws: int, seed: int, priors: Priors) -> str:
    """One line of the table."""
    lower_hit = upper_hit = lower_open = upper_open = poor = 0
    lower_factor: list[float] = []
    upper_factor: list[float] = []
    curve_hit = np.zeros(4)
    exists: list[float] = []
    began = time.perf_counter()
    p_true = [1 / (1 + np.exp(-f(CUTS))) for f in (truth.benefit, truth.toxicity)]
    for i in range(n_cohorts):
        rng = np.random.default_rng([seed, n, i])
        exposure, benefit, toxicity = cohort(truth, n, rng)
        fit = window(exposure, benefit, toxicity, rng, n_draws, priors)
        poor += any(m.status != "good" for m in fit.models)
        lower_hit += holds(fit.lower.low, fit.lower.high, LOWER)
        upper_hit += holds(fit.upper.low, fit.upper.high, UPPER)
        lower_open += fit.lower.factor is None
        upper_open += fit.upper.factor is None
        lower_factor.append(fit.lower.factor or np.inf)
        upper_factor.append(fit.upper.factor or np.inf)
        for j, (curve, p) in enumerate(zip((fit.p_benefit, fit.p_toxicity), p_true, strict=True)):
            at = curve(CUTS)
            curve_hit[2 * j : 2 * j + 2] += (at.low <= p) & (p <= at.high)
        exists.append(fit.p_exists)
    each = (time.perf_counter() - began) / n_cohorts
    curves = " ".join(f"{100 * h / n_cohorts:5.1f}" for h in curve_hit)
    return (
        f"{truth.name:<16} {n:>4} | {100 * lower_hit / n_cohorts:5.1f} {np.median(lower_factor):6.2f} "
        f"{100 * lower_open / n_cohorts:5.1f} | {100 * upper_hit / n_cohorts:5.1f} "
        f"{np.median(upper_factor):6.2f} {100 * upper_open / n_cohorts:5.1f} | {curves} | "
        f"{np.mean(exists):5.2f} | {1000 * each:5.0f} ms | {poor}"
    )


def precision(name: str, n: int, n_cohorts: int, n_draws: int, seed: int) -> str:
    """One line on how the log width reached compares with the one promised, for one bound."""
    ratios: list[float] = []
    needed: list[int] = []
    none = 0
    for i in range(n_cohorts):
        rng = np.random.default_rng([seed, n, i, 1])
        exposure, benefit, toxicity = cohort(TRUTHS[0], n, rng)
        fit = window(exposure, benefit, toxicity, rng, n_draws, Priors())
        plan = patients_needed_to_halve(fit)[name == "upper"]
        if plan.n_needed is None or plan.n_needed > 1000:
            none += 1
            continue
        needed.append(plan.n_needed)
        factors: list[float] = []
        for draw in rng.integers(n_draws, size=9):
            again = rng.choice(exposure, plan.n_needed)
            x, one = np.log(again / fit.reference), np.array([draw])
            b = rng.random(again.size) < fit.benefit.take(one).probability(x)[0]
            t = rng.random(again.size) < fit.toxicity.take(one).probability(x)[0]
            new = window(again, b.astype(float), t.astype(float), rng, 500, Priors())
            factors.append((new.lower if name == "lower" else new.upper).factor or np.inf)
        ratios.append(float(np.log(np.median(factors)) / np.log(plan.factor_wanted)))
    open_still = sum(np.isinf(ratios)) if ratios else 0
    low, middle, high = np.quantile(ratios, [0.1, 0.5, 0.9], method="nearest")
    return (
        f"{name} bound, n = {n}: {len(needed)} cohorts, patients needed {np.median(needed):.0f} (median); "
        f"log width reached / promised {middle:.2f} (10 % {low:.2f}, 90 % {high:.2f}); "
        f"still open {open_still}; no number within 1,000: {none}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cohorts", type=int, default=100, help="simulated cohorts a line (default 100)")
    parser.add_argument("--draws", type=int, default=1000, help="posterior draws a model (default 1000)")
    parser.add_argument("--seed", type=int, default=20260101)
    parser.add_argument("--precision", action="store_true", help="check the patients needed instead")
    parser.add_argument("--truth", type=int, choices=range(len(TRUTHS)), help="one of the truths only")
    parser.add_argument("--size", type=int, choices=SIZES, help="one of the sizes only")
    parser.add_argument("--priors", default="", help="priors other than the default, as name=value,…")
    options = parser.parse_args()
    given = dict(item.split("=") for item in options.priors.split(",") if item)
    priors = Priors(**{name: float(value) for name, value in given.items()})
    if options.precision:
        for n in SIZES[:2]:
            for name in ("lower", "upper"):
                print(precision(name, n, options.cohorts, options.draws, options.seed), flush=True)
        return
    print(f"{options.cohorts} cohorts a line, {options.draws} draws, seed {options.seed}; {priors}")
    print(
        "truth               n | lower: cover % factor open % | upper: cover % factor open % | "
        "curves cover %: b(1.40) b(3.45) t(1.40) t(3.45) | P(exists) | time | poor"
    )
    for truth in TRUTHS if options.truth is None else TRUTHS[options.truth : options.truth + 1]:
        for n in SIZES if options.size is None else (options.size,):
            print(run(truth, n, options.cohorts, options.draws, options.seed, priors), flush=True)


if __name__ == "__main__":
    main()
