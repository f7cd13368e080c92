"""Simulated cohorts for the guards of association questions: one without any trap, and one for each trap.

Two characteristics without relation to one another or to the marker, the marker in the range of its assay and
measured in all. Each trap changes one thing. Importing this module adds them to those of `cohorts`.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from benchmarks import cohorts
from benchmarks.cohorts import CLEAN_QUESTIONS, TRAPS, Maker
from benchmarks.simulated_records import Json, Records
from troughline.cohort.cohort import Cohort

STAGES = ("0", "A", "B", "C", "D")
SHARES = (0.12, 0.28, 0.22, 0.26, 0.12)
COVARIATES: dict[str, Json] = {
    "stage": {"levels": STAGES, "ordered": True},
    "size": {"unit": "cm"},
    "bleeding": {"levels": ("no", "yes")},
}
MARKER: Json = {"analyte": "IL-6", "unit": "pg/mL"}
QUESTION: Json = {
    "id": "association", "kind": "association", "markers": [MARKER], "characteristics": ["stage", "size"],
    "permutations": 999,
}  # fmt: skip


def truth(n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Stage (0 to 4, five patients or more in each), size in cm, marker in pg/mL; `(n,)` each, unrelated."""
    stage = rng.permutation(
        np.repeat(np.arange(5), np.maximum(5, np.floor(np.array(SHARES) * n)).astype(int))
    )
    short = n - stage.size
    stage = np.append(stage, rng.integers(0, 5, short)) if short > 0 else stage[:n]
    return {
        "stage": stage,
        "size": np.exp(1.3 + 0.6 * rng.normal(size=n)),
        "marker": 3.0 * np.exp(0.5 * rng.normal(size=n)),
    }


def rows_of(drawn: dict[str, np.ndarray]) -> Records:
    """The records of a drawn cohort: one sample a patient."""
    rows = Records()
    for i, stage in enumerate(drawn["stage"]):
        patient = f"S{i + 1:04d}"
        rows.patients[patient] = {
            "stage": STAGES[int(stage)], "size": float(drawn["size"][i]),
            "bleeding": "yes" if i % 2 else "no",
        }  # fmt: skip
        rows.level(patient, 0, float(drawn["marker"][i]), unit="pg/mL", analyte="IL-6", assay="bead assay")
    return rows


def asked(rows: Records, **changes: Any) -> Cohort:
    """A cohort with the clean question, changed."""
    return rows.cohort([copy.deepcopy(QUESTION) | changes], covariates=COVARIATES)


def clean(n: int, rng: np.random.Generator) -> Cohort:
    """A cohort in which no guard of an association question finds its trap.

    Associations that chance alone makes significant are drawn again: `cross-sectional` looks for those.
    """
    from scipy.stats import kendalltau

    while True:
        drawn = truth(n, rng)
        p = [float(kendalltau(drawn["marker"], drawn[c]).pvalue) for c in ("stage", "size")]
        if min(p) > 0.2 and abs(float(np.corrcoef(drawn["stage"], drawn["size"])[0, 1])) < 0.3:
            return asked(rows_of(drawn))


def _null_rows(n: int, rng: np.random.Generator) -> Records:
    made = clean(n, rng)
    rows = Records()
    for patient, row in made.patients.drop(columns="row").iterrows():
        rows.patients[str(patient)] = dict(row)
    for record in made.measurements.drop(columns="row").to_dict("records"):
        rows.measurements.append({str(k): v for k, v in record.items()})
    return rows


def _assay(n: int, rng: np.random.Generator) -> Cohort:
    """IL-2 printed in U/mL in the range of its soluble receptor."""
    rows = _null_rows(n, rng)
    for row in rows.measurements:
        row.update(analyte="IL-2", unit="U/mL", assay="IMMULITE", value=100 * row["value"])
    return asked(rows, markers=[{"analyte": "IL-2", "unit": "U/mL", "log": True}])


def _limit(**reference: Any) -> Maker:
    def make(n: int, rng: np.random.Generator) -> Cohort:
        return asked(_null_rows(n, rng), markers=[MARKER | {"reference": {"limit": 3.0, **reference}}])

    return make


def _chosen(n: int, rng: np.random.Generator) -> Cohort:
    """A limit searched in the patients, held against a number, so that no χ² is made of it."""
    rows = _null_rows(n, rng)
    marker = MARKER | {"reference": {"limit": 3.0, "origin": "optimised on these data"}}
    return asked(rows, markers=[marker], characteristics=["size"])


def _one_construct(n: int, rng: np.random.Generator) -> Cohort:
    """Stage made from size."""
    rows = _null_rows(n, rng)
    ordered = sorted(rows.patients.values(), key=lambda row: row["size"])
    for row, stage in zip(ordered, sorted((r["stage"] for r in ordered), key=STAGES.index), strict=True):
        row["stage"] = stage
    return asked(rows)


def _associated(n: int, rng: np.random.Generator) -> Cohort:
    """A marker that falls with stage."""
    rows = _null_rows(n, rng)
    for row in rows.measurements:
        row["value"] *= float(np.exp(-0.35 * STAGES.index(rows.patients[row["patient"]]["stage"])))
    return asked(rows)


def _missing(n: int, rng: np.random.Generator) -> Cohort:
    """No marker in the patients of the two low stages, but for five in each."""
    rows = _null_rows(n, rng)
    for stage in ("0", "A"):
        members = [p for p, row in rows.patients.items() if row["stage"] == stage]
        rows.drop(set(members[5:]), "measurements")
    return asked(rows)


def _small(n: int, rng: np.random.Generator) -> Cohort:
    """All but two patients of the first stage are in the second."""
    rows = _null_rows(n, rng)
    for row in [r for r in rows.patients.values() if r["stage"] == "0"][2:]:
        row["stage"] = "A"
    return asked(rows)


def _family(n: int, rng: np.random.Generator) -> Cohort:
    """Three characteristics."""
    return asked(_null_rows(n, rng), characteristics=["stage", "size", "bleeding"])


def _below(n: int, rng: np.random.Generator) -> Cohort:
    """A third of the values below the limit."""
    rows = _null_rows(n, rng)
    limit = float(np.quantile([r["value"] for r in rows.measurements], 1 / 3))
    for row in rows.measurements:
        if row["value"] < limit:
            row.update(value=float("nan"), below_limit=True, limit=limit)
    return asked(rows)


def _not_proportional(n: int, rng: np.random.Generator) -> Cohort:
    """A marker that is low in both ends of the scale: its odds turn round from cut to cut."""
    rows = _null_rows(n, rng)
    for row in rows.measurements:
        stage = STAGES.index(rows.patients[row["patient"]]["stage"])
        row["value"] *= float(np.exp(-0.55 * abs(stage - 2)))
    return asked(rows, characteristics=["stage"])


CLEAN_QUESTIONS["association"] = QUESTION
cohorts.CLEAN_MAKERS["association"] = clean
TRAPS.update(
    {
        "assay-sanity": _assay,
        "dichotomised-marker": _limit(origin="manufacturer"),
        "chosen-reference-limit": _chosen,
        "one-construct": _one_construct,
        "cross-sectional": _associated,
        "missing-marker": _missing,
        "small-stage": _small,
        "family-of-tests": _family,
        "marker-below-limit": _below,
        "odds-not-proportional": _not_proportional,
    }
)
