"""How often the tests of an association question err, and how often its intervals hold the truth.

86 patients in five stages (0, A, B, C, D: 8, 31, 22, 31, 8 % of them expected, at least 3 in each), a number
that goes with stage (size), and a log-normal marker of which 0, 20 or 50 % lie below a limit. Without
association every test should reject 5 % of the cohorts; with one (the marker falls by 12 % a stage) every
95 % interval should hold the value that a cohort of 400,000 has. Beside them what a paper would print: half
the limit for values below it, analysis of variance and Pearson correlation.

Run `python -m benchmarks.association_operating_characteristics [--cohorts 2000] [--seed 1]`.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau, rankdata

from troughline.biomarker.proportional_odds import NoOrdinalEstimate, brant_test, fit_proportional_odds
from troughline.biomarker.published_tests import correlation_test, difference_test
from troughline.biomarker.rank_correlation import partial_spearman, spearman, tau_b, tied_beyond
from troughline.biomarker.tobit import fit_tobit
from troughline.biomarker.trend import comparisons, jonckheere_terpstra

Floats = NDArray[np.float64]
Numbers = dict[str, float]

N = 86
SHARES = np.array([0.08, 0.31, 0.22, 0.31, 0.08])
FEWEST = 3
BELOW = (0.0, 0.2, 0.5)
SLOPE = math.log(0.88)
MARKER_LOG_SD, SIZE_LOG_SD = 0.4, 0.5
LEAST_COVERAGE, TYPE_I = 0.93, (0.035, 0.065)
LARGE = 400_000


def draw(n: int, slope: float, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Stage (0 to 4), log size and log marker, `(n,)` each; the marker depends on stage alone."""
    while True:
        stage = rng.choice(5, size=n, p=SHARES).astype(np.float64)
        if np.bincount(stage.astype(int), minlength=5).min() >= FEWEST:
            break
    size = 0.3 * stage + SIZE_LOG_SD * rng.normal(size=n)
    return stage, size, slope * stage + MARKER_LOG_SD * rng.normal(size=n)


def limit_of(share: float, slope: float) -> float:
    """The limit under which this share of a large population lies; minus infinity for none."""
    if share == 0:
        return -math.inf
    return float(np.quantile(draw(LARGE, slope, np.random.default_rng(0))[2], share))


def truths(share: float) -> Numbers:
    """The correlations of a very large cohort, and the slope."""
    stage, size, marker = draw(LARGE, SLOPE, np.random.default_rng(99))
    marker = np.maximum(marker, limit_of(share, SLOPE))
    ranks = np.corrcoef([rankdata(v) for v in (marker, stage, size)])
    xy, xz, yz = ranks[0, 1], ranks[0, 2], ranks[1, 2]
    return {
        "tau-b": float(kendalltau(marker, stage).statistic),
        "Spearman": float(xy),
        "partial Spearman": float((xy - xz * yz) / math.sqrt((1 - xz**2) * (1 - yz**2))),
        "ratio a stage (Tobit)": SLOPE,
    }


def one_cohort(
    share: float, limit: float, slope: float, truth: Numbers, rng: np.random.Generator
) -> tuple[Numbers, Numbers]:
    """The p-values of one cohort, and whether each interval holds the truth."""
    stage, size, log_marker = draw(N, slope, rng)
    below = log_marker < limit
    value = np.exp(np.maximum(log_marker, limit))
    printed = np.where(below, value / 2, value)
    ranks = tied_beyond(value, below)
    tau = tau_b(comparisons(value, below), comparisons(stage))
    rho, partial = spearman(ranks, stage), partial_spearman(ranks, stage, size[:, None])
    tobit = fit_tobit(np.log(value), below, np.column_stack([np.ones(N), stage]))
    p = {
        "Jonckheere-Terpstra over stages": jonckheere_terpstra(value, stage, below=below).p_value,
        "Kendall against a number": jonckheere_terpstra(value, rng.normal(size=N), below=below).p_value,
        "partial Spearman": partial.p_value,
        "Tobit": tobit.p_value(1),
        "as published: analysis of variance": difference_test(printed, stage, "means").p_value,
        "as published: Pearson with size": correlation_test(printed, size, "means").p_value,
    }
    column = rankdata(ranks) if below.any() else np.log(value)
    column = (column - column.mean()) / column.std()
    try:
        fit = fit_proportional_odds(stage.astype(int), column[:, None])
        z = abs(float(fit.slopes[0])) / math.sqrt(float(fit.covariance[0, 0]))
        p["proportional odds"] = math.erfc(z / math.sqrt(2))
    except NoOrdinalEstimate:
        p["proportional odds"] = math.nan
    low, high = tobit.interval(1)
    held = {
        "tau-b": tau.low <= truth["tau-b"] <= tau.high,
        "Spearman": rho.low <= truth["Spearman"] <= rho.high,
        "partial Spearman": partial.low <= truth["partial Spearman"] <= partial.high,
        "ratio a stage (Tobit)": low <= truth["ratio a stage (Tobit)"] <= high,
    }
    return p, {name: float(yes) for name, yes in held.items()}


def characteristics(cohorts: int, seed: int) -> list[dict[str, object]]:
    """One row a test (rejections without association, power with one), interval and share below the limit."""
    rows: list[dict[str, object]] = []
    for share in BELOW:
        truth = truths(share)
        none = dict.fromkeys(truth, 0.0)
        for what, slope, aim in (("type I error", 0.0, none), ("power", SLOPE, truth)):
            limit = limit_of(share, slope)
            made = [
                one_cohort(share, limit, slope, aim, np.random.default_rng([seed, int(100 * share), i]))
                for i in range(cohorts)
            ]
            for name in made[0][0]:
                p = np.array([found[name] for found, _ in made])
                rate = float((p[np.isfinite(p)] < 0.05).mean())
                own = name != "Kendall against a number" or what == "type I error"
                wrong = what == "type I error" and not TYPE_I[0] <= rate <= TYPE_I[1]
                if own:
                    rows.append(_row(what, name, share, rate, cohorts, "outside 3.5-6.5 %" if wrong else ""))
            for name in made[0][1]:
                rate = float(np.mean([held[name] for _, held in made]))
                when = "coverage, none" if slope == 0 else "coverage"
                flag = "below 93 %" if rate < LEAST_COVERAGE else ""
                rows.append(_row(when, name, share, rate, cohorts, flag))
    return rows


def brant_errors(cohorts: int, seed: int) -> list[dict[str, object]]:
    """Rejections of Brant's test at 0.05 where odds are proportional: by χ², and as calibrated here."""
    plain: list[float] = []
    calibrated: list[float] = []
    for i in range(cohorts):
        rng = np.random.default_rng([seed, 7, i])
        stage, _, marker = draw(N, 0.0, rng)
        try:
            design = marker[:, None]
            plain.append(brant_test(stage.astype(int), design).p_value)
            calibrated.append(brant_test(stage.astype(int), design, simulations=499, rng=rng).p_value)
        except NoOrdinalEstimate:
            continue
    return [
        _row("type I error", name, 0.0, float((np.array(p) < 0.05).mean()), len(p), "")
        for name, p in (("Brant, χ²", plain), ("Brant, simulated where χ² alarms", calibrated))
    ]


def _row(what: str, name: str, share: float, rate: float, cohorts: int, flag: str) -> dict[str, object]:
    error = math.sqrt(max(rate * (1 - rate), 1e-4) / cohorts)
    return {"what": what, "name": name, "below": share, "rate": rate, "error": error, "flag": flag}


def main() -> None:
    """Compute, print, and write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    options = parser.parse_args()
    rows = characteristics(options.cohorts, options.seed)
    rows += brant_errors(max(1, options.cohorts // 5), options.seed)
    names = dict.fromkeys((str(r["what"]), str(r["name"])) for r in rows)
    print(f"{'':<16} {'':<36} {'below limit:':>12}" + "".join(f"{100 * b:>7.0f} %" for b in BELOW))
    for what, name in names:
        cells = {r["below"]: r for r in rows if (r["what"], r["name"]) == (what, name)}
        values = "".join(f"{100 * float(str(cells[b]['rate'])):>8.1f} " for b in BELOW if b in cells)
        flags = ", ".join(dict.fromkeys(str(r["flag"]) for r in cells.values() if r["flag"]))
        print(f"{what:<16} {name:<49}{values} {flags}")
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
