"""Simulated cohorts for the guards of interaction questions: one without any trap, and one for each trap.

Two randomised arms, one marker measured before treatment in all, which tells who benefits. Each trap changes
one thing. Importing this module adds them to those of `cohorts`.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import cohorts
from benchmarks.cohorts import CLEAN_QUESTIONS, TRAPS, Maker
from benchmarks.simulated_records import Json, Records
from troughline.biomarker.endpoint import Endpoint
from troughline.biomarker.treatment_by_marker import detectable, treatment_by_marker
from troughline.cohort.cohort import Cohort

COVARIATES: dict[str, Json] = {
    "score": {"unit": "1"},
    "sex": {"levels": ("female", "male")},
    "region": {"levels": ("east", "west")},
    "invasion": {"levels": ("no", "yes")},
}
QUESTION: Json = {
    "id": "interaction", "kind": "interaction", "predictor": {"covariate": "score"},
    "outcome": {"event": "death"}, "treated": "sorafenib", "control": "placebo", "randomised": True,
    "draws": 200,
}  # fmt: skip
STRONG, EARLIEST_DEATH = -1.2, 40.0
LARGE = 500
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Trial:
    """Who was treated, the marker in doublings, day of death or last contact, and which; (n,) each."""

    treated: NDArray[np.bool_]
    doublings: Floats
    day: Floats
    died: NDArray[np.bool_]

    def fit(self, rows: NDArray[np.bool_] | None = None) -> tuple[float, float]:
        """p of the interaction, and its standard error."""
        rows = np.ones(self.day.size, np.bool_) if rows is None else rows
        endpoint = Endpoint(kind="survival", time=self.day[rows], event=self.died[rows])
        found = treatment_by_marker(endpoint, self.treated[rows], self.doublings[rows], ("score",))
        return found.p_value, found.interaction[0].standard_error

    def halves(self) -> tuple[float, float]:
        """p of the treatment effect below and from the median on."""
        high = self.doublings >= np.median(self.doublings)
        p: list[float] = []
        for rows in (~high, high):
            endpoint = Endpoint(kind="survival", time=self.day[rows], event=self.died[rows])
            fit = endpoint.regress(self.treated[rows].astype(float)[:, np.newaxis], ("treated",))
            p.append(fit.named("treated").p_value)
        return p[0], p[1]


def draw(n: int, rng: np.random.Generator, *, interaction: float, effect: float = math.log(0.6)) -> Trial:
    """A trial of `n` patients; nobody dies before day 40."""
    treated = np.asarray(rng.permutation(np.arange(n)) % 2 == 0, dtype=np.bool_)
    doublings = rng.standard_normal(n)
    hazard = np.exp(treated * (effect + interaction * doublings) + 0.2 * doublings) / 250
    death = EARLIEST_DEATH + rng.exponential(1 / hazard)
    end = rng.uniform(400, 1200, n)
    return Trial(treated, doublings, np.ceil(np.minimum(death, end)), death <= end)


def predictive(n: int, rng: np.random.Generator) -> Trial:
    """A trial whose marker is predictive beyond doubt; drawn again where chance hides it."""
    while True:
        trial = draw(n, rng, interaction=STRONG)
        if trial.fit()[0] < 0.005:
            return trial


def rows_of(trial: Trial, rng: np.random.Generator) -> Records:
    """The records of a trial."""
    rows = Records()
    for i in range(trial.day.size):
        patient = f"I{i + 1:04d}"
        rows.patients[patient] = {
            "arm": "sorafenib" if trial.treated[i] else "placebo",
            "score": 100 * 2 ** float(trial.doublings[i]),
            "sex": str(rng.choice(["female", "male"])),
            "region": str(rng.choice(["east", "west"])),
            "invasion": str(rng.choice(["no", "yes"])),
        }
        rows.event(patient, trial.day[i], "death" if trial.died[i] else "last contact")
    return rows


def asked(rows: Records, **changes: Any) -> Cohort:
    """A cohort with the clean question, changed; a key whose change is None is left out."""
    question = copy.deepcopy(QUESTION) | changes
    return rows.cohort([{k: v for k, v in question.items() if v is not None}], covariates=COVARIATES)


def clean(n: int, rng: np.random.Generator) -> Cohort:
    """A cohort in which no guard of an interaction question finds its trap."""
    return asked(rows_of(predictive(n, rng), rng))


def _no_control_arm(n: int, rng: np.random.Generator) -> Cohort:
    rows = rows_of(predictive(n, rng), rng)
    for row in rows.patients.values():
        row["arm"] = "sorafenib"
    return asked(rows, control=None)


def _one_subgroup(n: int, rng: np.random.Generator) -> Cohort:
    """The same effect in all, large enough that a small interaction would be seen: the pattern is chance."""
    while True:
        trial = draw(max(n, LARGE), rng, interaction=0.0, effect=math.log(0.78))
        p, error = trial.fit()
        if p > 0.1 and 1.7 * detectable(error) < math.log(2) and sum(q < 0.05 for q in trial.halves()) == 1:
            return asked(rows_of(trial, rng))


def _cut_searched(n: int, rng: np.random.Generator) -> Cohort:
    return asked(rows_of(predictive(n, rng), rng), predictor={"covariate": "score", "bands": "optimal"})


def _many_subgroups(n: int, rng: np.random.Generator) -> Cohort:
    return asked(rows_of(predictive(n, rng), rng), subgroups=["sex", "region", "invasion"])


def _power(n: int, rng: np.random.Generator) -> Cohort:
    while True:
        trial = draw(n, rng, interaction=0.0)
        if trial.fit()[0] > 0.1 and sum(q < 0.05 for q in trial.halves()) != 1:
            return asked(rows_of(trial, rng))


def _post_baseline(n: int, rng: np.random.Generator) -> Cohort:
    """The marker is a level drawn on day 28, when all are still alive."""
    trial = predictive(n, rng)
    rows = rows_of(trial, rng)
    for i, patient in enumerate(rows.patients):
        rows.level(patient, 28, 100 * 2 ** float(trial.doublings[i]), unit="pg/mL", analyte="ligand")
    return asked(rows, predictor={"analyte": "ligand", "metric": "level", "unit": "pg/mL"})


def _not_randomised(n: int, rng: np.random.Generator) -> Cohort:
    return asked(rows_of(predictive(n, rng), rng), randomised=False)


def _eventless(n: int, rng: np.random.Generator) -> Cohort:
    trial = predictive(n, rng)
    return asked(rows_of(replace(trial, died=trial.died & ~trial.treated), rng))


def _partly_measured(n: int, rng: np.random.Generator) -> Cohort:
    while True:
        trial = predictive(n, rng)
        measured = rng.random(n) > 0.25
        if measured.mean() < 0.85 and trial.fit(measured)[0] < 0.01:
            break
    rows = rows_of(trial, rng)
    for known, row in zip(measured.tolist(), rows.patients.values(), strict=True):
        row["score"] = row["score"] if known else math.nan
    return asked(rows)


def _extrapolated(n: int, rng: np.random.Generator) -> Cohort:
    """The marker before treatment and three times by day 21, in a joint model of deaths long after."""
    trial = predictive(n, rng)
    rows = rows_of(trial, rng)
    for i, patient in enumerate(rows.patients):
        for day in (0, 7, 14, 21):
            level = 100 * 2 ** float(trial.doublings[i]) * math.exp(0.2 * rng.standard_normal())
            rows.level(patient, day, level, unit="pg/mL", analyte="ligand")
    ligand = {"analyte": "ligand", "metric": "level", "unit": "pg/mL", "summary": "first"}
    return asked(rows, predictor=ligand, over_time="joint")


def _with_covariates(
    n: int, rng: np.random.Generator, names: tuple[str, ...], weight: float, **changes: Any
) -> tuple[Records, Json]:
    """A trial with covariates `names`, the first of which raises the log hazard by `weight` an SD."""
    trial = predictive(n, rng)
    x = rng.standard_normal((n, len(names)))
    earlier = np.ceil(EARLIEST_DEATH + (trial.day - EARLIEST_DEATH) * np.exp(-weight * x[:, 0]))
    rows = rows_of(replace(trial, day=np.where(trial.died, earlier, trial.day)), rng)
    for row, values in zip(rows.patients.values(), x.tolist(), strict=True):
        row.update(zip(names, values, strict=True))
    return rows, {**QUESTION, "signature": list(names), "bootstrap": 200, **changes}


def _signature(rows: Records, question: Json) -> Cohort:
    covariates = COVARIATES | {name: {"unit": "1"} for name in question["signature"]}
    return rows.cohort([question], covariates=covariates)


def worthy_signature(n: int, rng: np.random.Generator) -> Cohort:
    """A signature of two covariates, one of which matters much: it is worth the same outside."""
    return _signature(*_with_covariates(max(n, LARGE), rng, ("a", "b"), 1.5))


def _overfitted(n: int, rng: np.random.Generator) -> Cohort:
    """Twelve covariates of noise."""
    return _signature(*_with_covariates(n, rng, tuple("abcdefghijkl"), 0.0, penalty="ridge"))


def _signature_incomplete(n: int, rng: np.random.Generator) -> Cohort:
    """A covariate that matters, missing in a quarter."""
    rows, question = _with_covariates(max(n, LARGE), rng, ("a", "b"), 1.5)
    for k, row in enumerate(rows.patients.values()):
        row["b"] = math.nan if k % 4 == 0 else row["b"]
    return _signature(rows, question)


MAKERS: dict[str, Maker] = {
    "no-control-arm": _no_control_arm,
    "one-subgroup-significant": _one_subgroup,
    "predictive-cut-searched": _cut_searched,
    "many-subgroups": _many_subgroups,
    "interaction-power": _power,
    "post-baseline-marker": _post_baseline,
    "arms-not-randomised": _not_randomised,
    "arm-without-events": _eventless,
    "marker-partly-measured": _partly_measured,
    "joint-model-extrapolated": _extrapolated,
    "overfitted-signature": _overfitted,
    "signature-incomplete": _signature_incomplete,
}
CLEAN_QUESTIONS["interaction"] = QUESTION
cohorts.CLEAN_MAKERS["interaction"] = clean
TRAPS.update(MAKERS)
