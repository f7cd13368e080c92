"""Simulated cohorts for questions of kind `change`: one without any trap, and one for each guard's trap.

Two markers' worth of log-normal levels before and four weeks after, in two groups drawn by lot. Changes are
normal scores in random order, so that their mean and spread are what they are set to in every cohort; then
nothing but the trap can make a guard speak. Importing this module adds them to those of `cohorts`.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import cohorts
from benchmarks.cohorts import CLEAN_QUESTIONS, TRAPS, Maker
from benchmarks.simulated_records import Json, Records
from troughline.cohort.cohort import Cohort

Floats = NDArray[np.float64]

BEFORE, AFTER = "before", "week 4"
MEDIAN_PG_ML, PATIENT_SD, CHANGE_SD = 8.0, 0.6, 0.4
FIRST, SECOND = "sTNF-alpha", "sFas"
CHANGE_QUESTION: Json = {
    "id": "change", "kind": "change", "markers": [{"analyte": FIRST, "unit": "pg/mL"}],
    "occasions": [BEFORE, AFTER], "group": "group", "randomised": True, "permutations": 999,
}  # fmt: skip


def normal_scores(n: int, rng: np.random.Generator) -> Floats:
    """`n` normal scores of mean 0 and standard deviation 1 in random order."""
    from scipy.special import ndtri

    scores = np.asarray(ndtri((np.arange(n) + 0.5) / n), dtype=np.float64)
    return rng.permutation(scores / scores.std(ddof=1))


def change_records(
    sizes: tuple[int, ...],
    rng: np.random.Generator,
    *,
    change: tuple[float, ...] | None = None,
    baseline: tuple[float, ...] | None = None,
    analytes: tuple[str, ...] = (FIRST,),
    limit: float = math.nan,
    batches: tuple[str, str] = ("plate 1", "plate 1"),
) -> Records:
    """Levels of each group: `change` in SD of the changes, `baseline` in SD of the first levels."""
    rows = Records()
    first = 0
    for g, n in enumerate(sizes):
        names = [f"P{first + i:04d}" for i in range(n)]
        first += n
        for name in names:
            rows.patients[name] = {"group": "AB"[g], "albi": -2.3}
        for analyte in analytes:
            start = normal_scores(n, rng) + (baseline[g] if baseline else 0.0)
            step = normal_scores(n, rng) + (change[g] if change else 0.0)
            before = MEDIAN_PG_ML * np.exp(PATIENT_SD * start)
            after = before * np.exp(CHANGE_SD * step)
            for name, x, y in zip(names, before, after, strict=True):
                for day, value, when, batch in ((0.0, x, BEFORE, batches[0]), (28.0, y, AFTER, batches[1])):
                    rows.level(
                        name, day, float(value), unit="pg/mL", assay="ELISA", analyte=analyte,
                        occasion=when, batch=batch, limit=limit, below=bool(value < limit),
                    )  # fmt: skip
    return rows


def halves(n: int) -> tuple[int, int]:
    """Two groups of about equal size."""
    return n - n // 2, n // 2


def change_cohort(rows: Records, *, covariates: dict[str, Json] | None = None, **changes: Any) -> Cohort:
    """The cohort with the clean question, changed."""
    asked = {**copy.deepcopy(CHANGE_QUESTION), **changes}
    return rows.cohort([asked], covariates={"albi": {"unit": "1"}} if covariates is None else covariates)


def clean_change_cohort(n: int, rng: np.random.Generator) -> Cohort:
    """Two groups by lot, every level quantified, nothing changing: no guard has anything to say."""
    return change_cohort(change_records(halves(n), rng))


def _one_group(n: int, rng: np.random.Generator) -> Cohort:
    """Half a standard deviation in a large group, 0.3 in a small one: no difference that could be shown."""
    small = max(12, n // 5)
    return change_cohort(change_records((n - small, small), rng, change=(0.5, 0.3)))


def _indication(n: int, rng: np.random.Generator) -> Cohort:
    """Poor liver function decides the group."""
    rows = change_records(halves(n), rng)
    for who in rows.patients.values():
        who["albi"] = float(-2.3 + (0.4 if who["group"] == "A" else -0.4) + 0.3 * rng.normal())
    return change_cohort(rows, randomised=False)


def _regression(n: int, rng: np.random.Generator) -> Cohort:
    return change_cohort(change_records(halves(n), rng, baseline=(0.0, 1.2)))


def _family(n: int, rng: np.random.Generator) -> Cohort:
    rows = change_records(halves(n), rng, analytes=(FIRST, SECOND))
    markers = [{"analyte": a, "unit": "pg/mL"} for a in (FIRST, SECOND)]
    return change_cohort(rows, markers=markers)


def _substituted(n: int, rng: np.random.Generator) -> Cohort:
    """The limit lies at about the lowest sixth of the levels."""
    return change_cohort(change_records(halves(n), rng, limit=4.3))


def _all_below(n: int, rng: np.random.Generator) -> Cohort:
    """A second marker that is never above its limit."""
    rows = change_records(halves(n), rng)
    for name in rows.patients:
        for day, when in ((0.0, BEFORE), (28.0, AFTER)):
            rows.level(
                name, day, math.nan, unit="ng/mL", assay="ELISA", analyte="sFasL", occasion=when,
                batch="plate 1", limit=0.15, below=True,
            )  # fmt: skip
    markers = [{"analyte": FIRST, "unit": "pg/mL"}, {"analyte": "sFasL", "unit": "ng/mL"}]
    return change_cohort(rows, markers=markers)


def _small(n: int, rng: np.random.Generator) -> Cohort:
    return change_cohort(change_records((n - 8, 8), rng))


def _unpaired(n: int, rng: np.random.Generator) -> Cohort:
    """A tenth of the patients has no second sample."""
    rows = change_records(halves(n), rng)
    gone = set(rng.choice(np.array(list(rows.patients)), n // 10, replace=False).tolist())
    rows.measurements = [
        r for r in rows.measurements if r["patient"] not in gone or r["occasion"] == BEFORE
    ]  # fmt: skip
    return change_cohort(rows)


def _batch(n: int, rng: np.random.Generator) -> Cohort:
    return change_cohort(change_records(halves(n), rng, batches=("plate 1", "plate 2")))


def outcome_records(n: int, rng: np.random.Generator, *, early: float = 0.0, days: float = 300.0) -> Records:
    """Two samples and an exponential time to death (mean `days`) that no change has to do with.

    The share `early` dies between the samples and has no second one; the others are censored on day 600.
    """
    rows = change_records(halves(n), rng)
    names = rng.permutation(np.array(list(rows.patients))).tolist()
    gone = set(names[: round(early * n)])
    for name in rows.patients:
        if name in gone:
            rows.event(name, float(rng.integers(3, 27)), "death")
            continue
        death = 29.0 + float(rng.exponential(days))
        rows.event(name, min(death, 600.0), "death" if death < 600 else "last contact")
    rows.measurements = [
        r for r in rows.measurements if r["patient"] not in gone or r["occasion"] == BEFORE
    ]  # fmt: skip
    return rows


def _immortal(n: int, rng: np.random.Generator) -> Cohort:
    """A sixth dies before the second sample; the rest of the deaths go by chance."""
    return change_cohort(outcome_records(n, rng, early=1 / 6), outcome={"event": "death"})


def _few_events(n: int, rng: np.random.Generator) -> Cohort:
    """Time counts from the second sample already; a twelfth has the event."""
    rows = change_records(halves(n), rng)
    ill = set(rng.permutation(np.array(list(rows.patients)))[: max(3, n // 12)].tolist())
    for name, who in rows.patients.items():
        who["days"] = float(rng.integers(20, 300)) if name in ill else 400.0
        who["died"] = 1.0 if name in ill else 0.0
    return change_cohort(rows, outcome={"time": "days", "status": "died"}, counted_from="second sample")


CHANGE_TRAPS: dict[str, Maker] = {
    "significant-in-one-group": _one_group,
    "dose-by-indication": _indication,
    "regression-to-the-mean": _regression,
    "uncorrected-family": _family,
    "substituted-limit": _substituted,
    "all-below-limit": _all_below,
    "small-groups": _small,
    "unpaired-samples": _unpaired,
    "batch-is-occasion": _batch,
    "immortal-change": _immortal,
    "few-events-change": _few_events,
}
CLEAN_QUESTIONS["change"] = CHANGE_QUESTION
cohorts.CLEAN_MAKERS["change"] = clean_change_cohort
TRAPS.update(CHANGE_TRAPS)
