"""How often the guarded intervals hold the truth, and how often each guard fires with its trap and without.

    python -m benchmarks.operating_characteristics [--cohorts 1000] [--seed 1] [--workers 2] [--json FILE]

Coverage: cohorts of 26, 74 and 200 with log-normal exposure (median 2.91, log-SD 0.62), benefit 50 % at 1.8
and toxicity 40 % at 3.2, slopes 2.2 and 1.6 per log unit; a benefit AUC of .97 from two normal classes, the
smaller one 6 of 26. Rivals run on the same cohorts: DeLong, the percentile bootstrap, the plain Youden index.
An end of an interval that the data leave open holds every value on its side; how often is in the table.
A cohort with fewer than three patients in a class is drawn anew, as the questions refuse it.

Guards: the real question runner and every guard on cohorts of 74 from `benchmarks.cohorts`. Random numbers
are keyed by (seed, what, cohort), so the number of workers changes nothing.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.cohorts import (
    BENEFIT_SLOPE,
    CLEAN_QUESTIONS,
    LOG_SD,
    MEDIAN_UG_ML,
    TOXICITY_SLOPE,
    TRAPS,
    chance,
    clean_cohort,
    cohort_with_trap,
    judge,
)

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Numbers = dict[str, float]

SIZES = (26, 74, 200)
LEAST_COVERAGE, LEAST_WITH, MOST_WITHOUT = 0.93, 0.95, 0.05
LOWER, UPPER = 1.8, 3.2
TOXICITY_AT_LIMIT = 0.4
# Where toxicity is an even chance: its limit of 40 % then lies at `UPPER`.
TOXICITY_EVEN = UPPER * math.exp(math.log((1 - TOXICITY_AT_LIMIT) / TOXICITY_AT_LIMIT) / TOXICITY_SLOPE)
BENEFIT_AUC, SMALLER_SHARE = 0.97, 6 / 26
FEWEST = 3
GUARD_SIZE = 74
# Guards whose trap is in the study file or put into every cohort alike need few cohorts.
CERTAIN = frozenset(TRAPS) - {
    "incoherent-window", "wide-window", "non-proportional-hazards", "direction-contradicted",
    "survivor-only", "competing-death", "repeated-samples",
}  # fmt: skip
CERTAIN_COHORTS, GUARD_COHORTS = 50, 200
CHUNK = 5


@dataclass(frozen=True, slots=True)
class Truths:
    """The true AUC, best cut and its Youden index of toxicity in the simulated population."""

    auc: float
    cut: float
    youden: float

    @staticmethod
    def of_toxicity() -> Truths:
        """By quadrature over the log-normal exposure, 20,001 points over ± 8 standard deviations."""
        z = np.linspace(-8.0, 8.0, 20_001)
        weight = np.exp(-(z**2) / 2)
        weight /= weight.sum()
        exposure = MEDIAN_UG_ML * np.exp(LOG_SD * z)
        p = chance(exposure, TOXICITY_EVEN, TOXICITY_SLOPE)
        share = float((weight * p).sum())
        cases, controls = weight * p / share, weight * (1 - p) / (1 - share)
        below = np.cumsum(controls) - 0.5 * controls
        # sensitivity + specificity − 1 is largest where the risk equals the prevalence.
        cut = TOXICITY_EVEN * math.exp(math.log(share / (1 - share)) / TOXICITY_SLOPE)
        above = exposure >= cut
        return Truths(
            float((cases * below).sum()), cut, float(cases[above].sum() + controls[~above].sum() - 1.0)
        )


TOXICITY = Truths.of_toxicity()


def draw(n: int, rng: np.random.Generator) -> tuple[Floats, Flags, Flags, int]:
    """Exposure, benefit and toxicity `(n,)` with at least three patients in each class; draws thrown away."""
    for thrown in range(10_000):
        exposure = MEDIAN_UG_ML * np.exp(rng.normal(0.0, LOG_SD, n))
        benefit = rng.random(n) < chance(exposure, LOWER, BENEFIT_SLOPE)
        toxicity = rng.random(n) < chance(exposure, TOXICITY_EVEN, TOXICITY_SLOPE)
        counts = [int(f.sum()) for f in (benefit, toxicity)]
        if all(FEWEST <= k <= n - FEWEST for k in counts):
            return exposure, benefit, toxicity, thrown
    raise ValueError(f"no cohort of {n} with {FEWEST} patients in each class in 10,000 draws")


def coverage_of_cohort(seed: int, n: int, cohort: int) -> Numbers:
    """What one cohort says: `x` 1 where the interval holds the truth, and widths and indices beside it."""
    from scipy.special import ndtri

    from troughline.response.window import fit_window

    rng = np.random.default_rng([seed, n, cohort])
    exposure, benefit, toxicity, thrown = draw(n, rng)
    found: Numbers = {"thrown": float(thrown)}
    _areas("auc toxicity", exposure, toxicity, TOXICITY.auc, rng, found)
    cases = round(n * SMALLER_SHARE)
    level = np.exp(rng.normal(0.0, 1.0, n))
    response = np.arange(n) >= cases
    level[response] *= math.exp(math.sqrt(2) * float(ndtri(BENEFIT_AUC)))
    _areas("auc .97", level, response, BENEFIT_AUC, rng, found)
    _cut(exposure, toxicity, rng, found)
    fit = fit_window(
        exposure, benefit, toxicity, benefit_at_least=0.5, toxicity_at_most=TOXICITY_AT_LIMIT, rng=rng,
        n_draws=1000, allow_poor=True,
    )  # fmt: skip
    for name, bound, truth in (("window lower", fit.lower, LOWER), ("window upper", fit.upper, UPPER)):
        found[f"{name}|joint posterior"] = _holds(bound.low, bound.high, truth)
        found[f"{name}|open"] = float(bound.factor is None)
        found[f"{name}|factor"] = bound.factor if bound.factor is not None else math.inf
    found["poor posterior"] = float(any(m.status != "good" for m in fit.models))
    return found


def _areas(
    name: str, values: Floats, happened: Flags, truth: float, rng: np.random.Generator, found: Numbers
) -> None:
    from troughline.response.auc_interval import auc_interval, delong
    from troughline.response.bootstrap import bootstrap_roc, percentile_interval

    naive, guarded = delong(values, happened), auc_interval(values, happened)
    low, high = percentile_interval(bootstrap_roc(values, happened, n_replicates=500, rng=rng).auc)
    found[f"{name}|DeLong"] = _holds(naive.low, naive.high, truth)
    found[f"{name}|percentile bootstrap"] = _holds(low, high, truth)
    found[f"{name}|guarded score"] = _holds(guarded.low, guarded.high, truth)


def _cut(exposure: Floats, toxicity: Flags, rng: np.random.Generator, found: Numbers) -> None:
    from troughline.response.optimism import corrected_youden
    from troughline.response.threshold_interval import threshold_interval

    cut = threshold_interval(exposure, toxicity, rng=rng, n_replicates=500)
    found["threshold|guarded range"] = _holds(cut.low, cut.high, TOXICITY.cut)
    found["threshold|percentile bootstrap"] = _holds(cut.percentile_low, cut.percentile_high, TOXICITY.cut)
    found["threshold|open"] = float(not (math.isfinite(cut.low) and math.isfinite(cut.high)))
    found["threshold|factor"] = cut.ratio
    found["threshold|refused"] = float(not cut.ratio <= 2.0)
    youden = corrected_youden(exposure, toxicity, rng=rng, n_replicates=100)
    found["youden apparent"], found["youden corrected"] = youden.youden_apparent, youden.youden_corrected


def _holds(low: float | None, high: float | None, truth: float) -> float:
    return float((low is None or low <= truth) and (high is None or truth <= high))


def guards_of_cohort(seed: int, what: str, cohort: int) -> Numbers:
    """Which guards fired in one cohort: without a trap (`what`: a question kind) or with one (a guard)."""
    from troughline.response.predictor import NotAnalysable

    key = sum(ord(c) * 257**i for i, c in enumerate(what)) % 2**32
    rng = np.random.default_rng([seed, key, cohort])
    made = (
        clean_cohort(GUARD_SIZE, rng, what)
        if what in CLEAN_QUESTIONS
        else cohort_with_trap(what, GUARD_SIZE, rng)
    )
    try:
        result, _ = judge(made)
    except NotAnalysable:
        return {"not analysable": 1.0}
    return {g.id: 1.0 for g in result.guards}


Task = tuple[str, int, str | int, range]


def work(task: Task) -> tuple[Task, list[Numbers]]:
    """A chunk of cohorts, in a worker."""
    what, seed, name, cohorts = task
    if what == "coverage":
        return task, [coverage_of_cohort(seed, int(name), i) for i in cohorts]
    return task, [guards_of_cohort(seed, str(name), i) for i in cohorts]


def tasks(n_cohorts: int, seed: int) -> list[Task]:
    """Every chunk, in an order that keeps all rows of the tables growing together."""
    sizes: list[tuple[str, str | int, int]] = [("coverage", n, n_cohorts) for n in reversed(SIZES)]
    few, many = min(CERTAIN_COHORTS, n_cohorts), min(GUARD_COHORTS, n_cohorts)
    sizes += [("guard", kind, many) for kind in reversed(CLEAN_QUESTIONS)]
    sizes += [("guard", guard_id, few if guard_id in CERTAIN else many) for guard_id in TRAPS]
    planned = [
        (first / count, (what, seed, name, range(first, min(first + CHUNK, count))))
        for what, name, count in sizes
        for first in range(0, count, CHUNK)
    ]
    return [task for _, task in sorted(planned, key=lambda item: item[0])]


Found = dict[tuple[str, str | int], list[Numbers]]


def compute(planned: list[Task], workers: int, log: Path | None) -> Found:
    """Every cohort, over `workers` processes, with a progress bar.

    With `log` each chunk is appended to it when done, and a chunk that it holds already is not run again.
    """
    import multiprocessing

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    done = read_log(log) if log is not None and log.exists() else {}
    found: Found = {}
    for what, seed, name, cohorts in planned:
        rows = done.get((what, seed, name, cohorts.start, cohorts.stop))
        if rows is not None:
            found.setdefault((what, name), []).extend(rows)
    left = [t for t in planned if (t[0], t[1], t[2], t[3].start, t[3].stop) not in done]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # The workers start before the bar, which has a thread of its own.
    with multiprocessing.Pool(workers) as pool, Progress(*columns, transient=True) as bar:
        shown = bar.add_task("cohorts", total=sum(len(t[3]) for t in left))
        for task, rows in pool.imap_unordered(work, left):
            what, seed, name, cohorts = task
            found.setdefault((what, name), []).extend(rows)
            if log is not None:
                with log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([what, seed, name, cohorts.start, cohorts.stop, rows]) + "\n")
            bar.update(shown, advance=len(rows), description=f"{what} {name}")
    return found


def read_log(log: Path) -> dict[tuple[str, int, str | int, int, int], list[Numbers]]:
    """The chunks that a log holds, by what was run."""
    lines = log.read_text(encoding="utf-8").splitlines()
    return {tuple(row[:5]): row[5] for row in map(json.loads, lines)}


def error(rate: float, n: int) -> float:
    """The Monte-Carlo standard error of a rate from `n` cohorts (of one more and one less, at 0 and 1)."""
    shrunk = (rate * n + 1) / (n + 2)
    return math.sqrt(shrunk * (1 - shrunk) / n)


def coverage_table(found: Found) -> list[dict[str, Any]]:
    """One row an estimand, method and size."""
    rows: list[dict[str, Any]] = []
    for n in SIZES:
        cohorts = found["coverage", n]
        values = {key: np.array([c[key] for c in cohorts]) for key in cohorts[0]}
        for key, covered in values.items():
            estimand, bar, method = key.partition("|")
            if not bar or method in ("open", "factor", "refused"):
                continue
            rate = float(covered.mean())
            guarded = method in ("guarded score", "guarded range", "joint posterior")
            row: dict[str, Any] = {
                "n": n, "estimand": estimand, "method": method, "guarded": guarded, "cohorts": len(cohorts),
                "coverage": rate, "error": error(rate, len(cohorts)),
                "flag": "below 93 %" if guarded and rate < LEAST_COVERAGE else "",
            }  # fmt: skip
            if guarded and f"{estimand}|open" in values:
                row["open"] = float(values[f"{estimand}|open"].mean())
                factors = values[f"{estimand}|factor"]
                middle = float(np.median(np.where(np.isnan(factors), math.inf, factors)))
                row["median_factor"] = middle if math.isfinite(middle) else None
            rows.append(row)
    return rows


def youden_table(found: Found) -> list[dict[str, Any]]:
    """The plain Youden index and the corrected one, beside the best possible in the population."""
    rows: list[dict[str, Any]] = []
    for n in SIZES:
        cohorts = found["coverage", n]
        row: dict[str, Any] = {"n": n, "best possible": TOXICITY.youden}
        for name in ("youden apparent", "youden corrected", "threshold|refused", "poor posterior", "thrown"):
            values = np.array([c[name] for c in cohorts])
            row[name.replace("|", " ")] = float(values.mean())
            row[name.replace("|", " ") + " error"] = float(values.std(ddof=1) / math.sqrt(len(values)))
        rows.append(row)
    return rows


def guard_table(found: Found) -> list[dict[str, Any]]:
    """One row a guard: how often it fires with its trap, and without in the kinds it looks at."""
    from troughline.response.guards import REGISTRY

    rows: list[dict[str, Any]] = []
    for guard_id, entry in REGISTRY.items():
        cohorts = found.get(("guard", guard_id), [])
        with_trap = sum(guard_id in c for c in cohorts)
        # A threshold is a dichotomy: there the note is no false alarm.
        kinds = [k for k in entry.kinds if (guard_id, k) != ("dichotomised-predictor", "threshold")]
        clean = {k: [guard_id in c for c in found["guard", k]] for k in kinds}
        silent = [fired for of_kind in clean.values() for fired in of_kind]
        rate = with_trap / len(cohorts) if cohorts else None
        false = sum(silent) / len(silent)
        flags: list[str] = []
        if rate is None:
            flags.append("no simulated trap")
        elif rate < LEAST_WITH:
            flags.append("fires below 95 %")
        if false > MOST_WITHOUT:
            flags.append("fires above 5 % without")
        rows.append(
            {
                "guard": guard_id, "with": rate, "with_cohorts": len(cohorts),
                "with_error": error(rate, len(cohorts)) if rate is not None else None,
                "without": false, "without_cohorts": len(silent), "without_error": error(false, len(silent)),
                "without_by_kind": {k: sum(v) / len(v) for k, v in clean.items()},
                "not_analysable": sum("not analysable" in c for c in cohorts), "flag": ", ".join(flags),
            }
        )  # fmt: skip
    return rows


def tables(found: Found, n_cohorts: int, seed: int) -> dict[str, Any]:
    """All three tables."""
    return {
        "cohorts": n_cohorts, "seed": seed, "coverage": coverage_table(found), "youden": youden_table(found),
        "guards": guard_table(found),
    }  # fmt: skip


def show(results: dict[str, Any]) -> None:
    """The tables as plain text."""

    def percent(value: float | None) -> str:
        return "     " if value is None else f"{100 * value:5.1f}"

    print(
        f"seed {results['seed']}; true AUC of toxicity {TOXICITY.auc:.3f}, true best cut {TOXICITY.cut:.3f}"
    )
    print("\nCoverage of 95 % intervals (%)")
    print(f"{'n':>4} {'estimand':<14} {'method':<22} {'covers':>6}   ±     open  median factor")
    for r in results["coverage"]:
        factor = r.get("median_factor")
        width = "" if "open" not in r else ("  inf" if factor is None else f"{factor:5.2f}")
        print(
            f"{r['n']:>4} {r['estimand']:<14} {r['method']:<22} {percent(r['coverage'])} "
            f"{percent(r['error'])} {percent(r.get('open'))} {width:>6}  {r['flag']}"
        )
    print("\nYouden index: as found, corrected, best possible; cuts refused, posteriors poor (%)")
    for r in results["youden"]:
        print(
            f"{r['n']:>4} {r['youden apparent']:.3f} {r['youden corrected']:.3f} {r['best possible']:.3f}  "
            f"{percent(r['threshold refused'])} {percent(r['poor posterior'])}"
        )
    print(f"\nGuards firing at n = {GUARD_SIZE} (%)")
    print(f"{'guard':<28} {'with':>5}   ±  cohorts  {'without':>7}   ±  cohorts")
    for r in results["guards"]:
        print(
            f"{r['guard']:<28} {percent(r['with'])} {percent(r['with_error'])} {r['with_cohorts']:>6}    "
            f"{percent(r['without'])} {percent(r['without_error'])} {r['without_cohorts']:>6}  {r['flag']}"
        )


def main() -> None:
    """Compute, print, and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cohorts", type=int, default=1000, help="cohorts a size (default 1000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    parser.add_argument("--log", type=Path, help="append each chunk here, and take up where it ended")
    options = parser.parse_args()
    if options.cohorts < 2:
        parser.error(f"--cohorts is {options.cohorts}; at least 2 are needed")
    # Each worker has one core; more threads in the linear algebra only get in each other's way.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    found = compute(tasks(options.cohorts, options.seed), options.workers, options.log)
    results = tables(found, options.cohorts, options.seed)
    show(results)
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
