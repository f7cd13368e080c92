"""Simulated cohorts in memory: one without any trap, and one for each trap that a guard looks for.

Exposure is log-normal (median 2.91 µg/mL, log-SD 0.62); benefit and toxicity rise with its logarithm by 2.2
and 1.6 log odds. Everything else is made so that no guard has anything to say, and `cohort_with_trap` then
changes the one thing that a guard looks for.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import modelled
from benchmarks.simulated_records import DRUG, Json, Records
from troughline.cohort.cohort import Cohort
from troughline.evidence.store import load_drug
from troughline.response.case import Case
from troughline.response.guards import check
from troughline.response.questions import runner_for
from troughline.response.study import _primary_p as primary_p
from troughline.response.study import verdict_of
from troughline.results import QuestionResult, Verdict

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MEDIAN_UG_ML, LOG_SD = 2.91, 0.62
BENEFIT_SLOPE, TOXICITY_SLOPE = 2.2, 1.6
# Exposures at which benefit and toxicity are an even chance: both outcomes then occur in about half.
BENEFIT_EVEN_UG_ML, TOXICITY_EVEN_UG_ML = 2.4, 3.0
SAMPLE_DAY, ASSESSMENT_DAY = 14.0, 56.0
MEDIAN_SURVIVAL_DAYS = 400.0
# Nobody dies earlier, as where a life expectancy of twelve weeks is asked for.
FIRST_DEATH_DAY = 84.0

TROUGH: Json = {"analyte": DRUG, "metric": "trough", "unit": "ug/mL"}
TOXICITY: Json = {"event": "adverse event", "grade": ">=3"}
BENEFIT: Json = {"response": ["CR", "PR"]}
ADJUST = ["albi"]

CLEAN_QUESTIONS: dict[str, Json] = {
    "threshold": {
        "id": "threshold", "kind": "threshold", "predictor": TROUGH, "outcome": TOXICITY, "optimise": False,
        "at": [3.75], "adjust": ADJUST, "bootstrap": 200,
    },
    "curve": {"id": "curve", "kind": "curve", "predictor": TROUGH, "outcome": TOXICITY, "adjust": ADJUST},
    "window": {
        "id": "window", "kind": "window", "predictor": TROUGH, "toxicity": TOXICITY, "benefit": BENEFIT,
        "limits": {"benefit_at_least": 0.5, "toxicity_at_most": 0.5}, "adjust": ADJUST,
    },
    "survival": {
        "id": "survival", "kind": "survival", "predictor": TROUGH, "outcome": {"event": "death"},
        "adjust": ADJUST,
    },
}  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Truth:
    """What the simulation knows of each patient; arrays `(n,)`, exposure in µg/mL, times in days."""

    patients: tuple[str, ...]
    albi: Floats
    exposure: Floats
    toxicity: Flags
    benefit: Flags
    death_day: Floats
    end_day: Floats


def chance(exposure: Floats, even: float, slope: float) -> Floats:
    """P = 1 / (1 + exp(−slope · log(exposure / even))), `(n,)`."""
    return 1.0 / (1.0 + np.exp(-slope * np.log(exposure / even)))


def draw_truth(
    n: int,
    rng: np.random.Generator,
    *,
    benefit_even: float = BENEFIT_EVEN_UG_ML,
    toxicity_even: float = TOXICITY_EVEN_UG_ML,
    benefit_slope: float = BENEFIT_SLOPE,
    toxicity_slope: float = TOXICITY_SLOPE,
) -> Truth:
    """Exposure, outcomes and follow-up of `n` patients; survival falls with ALBI and not with exposure."""
    exposure = MEDIAN_UG_ML * np.exp(rng.normal(0.0, LOG_SD, n))
    albi = rng.normal(-2.3, 0.4, n)
    rate = math.log(2) / MEDIAN_SURVIVAL_DAYS * np.exp(0.8 * (albi + 2.3))
    return Truth(
        patients=tuple(f"P{i + 1:04d}" for i in range(n)),
        albi=albi,
        exposure=exposure,
        toxicity=rng.random(n) < chance(exposure, toxicity_even, toxicity_slope),
        benefit=rng.random(n) < chance(exposure, benefit_even, benefit_slope),
        death_day=FIRST_DEATH_DAY + rng.exponential(1.0, n) / rate,
        end_day=rng.uniform(700.0, 1300.0, n),
    )


def records(truth: Truth, rng: np.random.Generator, *, sampled: bool = True) -> Records:
    """A course without traps: one trough on day 14 at 400 mg twice daily, events after it, full follow-up."""
    rows = Records()
    for i, patient in enumerate(truth.patients):
        rows.patients[patient] = {"albi": float(truth.albi[i])}
        rows.dose(patient, 0.0, 400.0)
        if sampled:
            rows.level(patient, SAMPLE_DAY, truth.exposure[i])
        rows.event(
            patient, rng.integers(20, 80), "adverse event", term="hand-foot skin reaction",
            grade=3.0 if truth.toxicity[i] else 1.0,
        )  # fmt: skip
        rows.event(
            patient, ASSESSMENT_DAY, "response", response="PR" if truth.benefit[i] else "SD",
            criterion="RECIST 1.1",
        )  # fmt: skip
        follow_up(rows, patient, truth.death_day[i], truth.end_day[i])
    return rows


def follow_up(rows: Records, patient: str, death_day: float, end_day: float) -> None:
    """Death, or the last contact where that comes first."""
    rows.event(patient, min(death_day, end_day), "death" if death_day <= end_day else "last contact")


def question(kind: str, **changes: Any) -> Json:
    """The clean question of a kind with changes; `predictor` changes are merged into it."""
    made = copy.deepcopy(CLEAN_QUESTIONS[kind])
    merged = changes.pop("predictor", None)
    made.update(changes)
    if merged is not None:
        made["predictor"] = (
            merged if "analyte" not in merged and _other_form(merged) else {**TROUGH, **merged}
        )
    return made


def _other_form(predictor: Json) -> bool:
    return any(key in predictor for key in ("covariate", "response", "event"))


STEEP: dict[str, float] = {
    "benefit_even": 2.5, "toxicity_even": 3.4, "benefit_slope": 8.0, "toxicity_slope": 8.0
}  # fmt: skip
COVARIATES: dict[str, Json] = {"albi": {"unit": "1"}}


def clean_cohort(n: int, rng: np.random.Generator, question_kind: str) -> Cohort:
    """A cohort with one question of that kind in which no guard finds its trap.

    For a threshold the guard `dichotomised-predictor` speaks all the same: a threshold is a dichotomy. With
    fewer than 74 patients events are too few. A window is clean only where the curves are steep (8 log odds
    per log unit): at the slopes above, 74 patients leave it wide, and two separately optimised cuts, which
    both lie near the middle of the exposures whatever the truth, cross by chance in every third cohort.
    """
    if question_kind in CLEAN_MAKERS:
        return CLEAN_MAKERS[question_kind](n, rng)
    truth = draw_truth(n, rng, **(STEEP if question_kind == "window" else {}))
    return records(truth, rng).cohort([question(question_kind)], covariates=COVARIATES)


def cohort_with_trap(guard_id: str, n: int, rng: np.random.Generator) -> Cohort:
    """A cohort with one question (three for multiplicity) that has the trap of this guard.

    Raises `ValueError` for a guard without a simulated trap.
    """
    if guard_id not in TRAPS:
        raise ValueError(f"no simulated trap for guard {guard_id!r}; known: {', '.join(TRAPS)}")
    return TRAPS[guard_id](n, rng)


def judge(cohort: Cohort) -> tuple[QuestionResult, Case]:
    """The first question of a cohort answered by its real runner and judged by every guard, late ones too.

    Raises `NotAnalysable` where it cannot be answered.
    """
    drug = load_drug(cohort.study.study.drug)
    results: list[tuple[QuestionResult, Case]] = []
    for asked in cohort.study.question:
        case, parts = runner_for(asked.kind)(cohort, asked, drug)
        guards = check(case)
        result = QuestionResult(
            id=asked.id, kind=asked.kind, title=asked.id, verdict=verdict_of(Verdict.ANSWERED, guards),
            summary=parts.summary, guards=guards, estimates=tuple(parts.estimates),
        )  # fmt: skip
        results.append((result, case))
    result, case = results[0]
    case.tests = {r.id: p for r, _ in results if (p := primary_p(r)) is not None}
    late = check(case, late=True)
    return replace(result, guards=result.guards + late, verdict=verdict_of(result.verdict, late)), case


Maker = Callable[[int, np.random.Generator], Cohort]
TRAPS: dict[str, Maker] = {}
CLEAN_MAKERS: dict[str, Maker] = {}
"""Kinds whose clean cohort is made elsewhere; those modules, imported at the end, add to both."""


def _trap(guard_id: str) -> Callable[[Maker], Maker]:
    def register(maker: Maker) -> Maker:
        TRAPS[guard_id] = maker
        return maker

    return register


def _plain(n: int, rng: np.random.Generator, *questions: Json) -> Cohort:
    return records(draw_truth(n, rng), rng).cohort(list(questions), covariates=COVARIATES)


def _some(truth: Truth, share: float, rng: np.random.Generator) -> set[str]:
    n = max(1, round(share * len(truth.patients)))
    return set(rng.choice(np.array(truth.patients), n, replace=False).tolist())


@_trap("optimal-cutpoint")
def _optimal_cutpoint(n: int, rng: np.random.Generator) -> Cohort:
    return _plain(n, rng, question("threshold", optimise=True, at=[]))


@_trap("degenerate-interval")
def _degenerate_interval(n: int, rng: np.random.Generator) -> Cohort:
    """A printed interval that starts at its estimate."""
    return _plain(n, rng, question("threshold", outcome=BENEFIT, published="noda-2020/response"))


@_trap("double-dipping")
def _double_dipping(n: int, rng: np.random.Generator) -> Cohort:
    predictor = {"bands": [MEDIAN_UG_ML], "bands_from": "these data"}
    return _plain(n, rng, question("survival", predictor=predictor))


@_trap("dichotomised-predictor")
def _dichotomised(n: int, rng: np.random.Generator) -> Cohort:
    return _plain(n, rng, question("survival", predictor={"bands": "median"}))


@_trap("direction-from-data")
def _direction_from_data(n: int, rng: np.random.Generator) -> Cohort:
    return _plain(n, rng, question("threshold", predictor={"direction": "auto"}))


@_trap("incoherent-window")
def _incoherent_window(n: int, rng: np.random.Generator) -> Cohort:
    """Benefit needs more exposure than toxicity: the two separate cuts cross, and no window exists."""
    truth = draw_truth(
        n, rng, benefit_even=3.5, toxicity_even=2.4, benefit_slope=8.0, toxicity_slope=8.0
    )  # fmt: skip
    return records(truth, rng).cohort([question("window")], covariates=COVARIATES)


@_trap("wide-window")
def _wide_window(n: int, rng: np.random.Generator) -> Cohort:
    """Benefit is likely enough at the lowest studied exposure already: the lower bound is open."""
    limits = {"benefit_at_least": 0.05, "toxicity_at_most": 0.6}
    return _plain(n, rng, question("window", limits=limits))


@_trap("too-few-events")
def _too_few_events(n: int, rng: np.random.Generator) -> Cohort:
    """Exactly eight events, drawn with the odds of toxicity."""
    truth = draw_truth(n, rng)
    risk = chance(truth.exposure, TOXICITY_EVEN_UG_ML, TOXICITY_SLOPE)
    chosen = rng.choice(n, min(8, n // 3), replace=False, p=risk / risk.sum())
    truth.toxicity = np.isin(np.arange(n), chosen)
    return records(truth, rng).cohort([question("threshold")], covariates=COVARIATES)


@_trap("multiplicity")
def _multiplicity(n: int, rng: np.random.Generator) -> Cohort:
    others = [
        question("threshold", id="benefit", outcome=BENEFIT),
        question("survival", id="bands", predictor={"bands": "median"}),
    ]
    return _plain(n, rng, question("threshold"), *others)


@_trap("liver-function-confounding")
def _liver_function(n: int, rng: np.random.Generator) -> Cohort:
    """Poor liver function raises both the level and the risk; the level itself does nothing."""
    truth = draw_truth(n, rng)
    shift = (truth.albi + 2.3) / 0.4
    truth.exposure = MEDIAN_UG_ML * np.exp(LOG_SD * (0.7 * shift + math.sqrt(0.51) * rng.normal(0.0, 1.0, n)))
    truth.toxicity = rng.random(n) < 1.0 / (1.0 + np.exp(-1.5 * shift))
    return records(truth, rng).cohort([question("threshold", adjust=[])], covariates=COVARIATES)


@_trap("non-proportional-hazards")
def _non_proportional(n: int, rng: np.random.Generator) -> Cohort:
    """High exposure triples the hazard early and cuts it to a third later."""
    truth = draw_truth(n, rng)
    x = np.log(truth.exposure / MEDIAN_UG_ML) / LOG_SD
    rate, change = math.log(2) / MEDIAN_SURVIVAL_DAYS, 300.0
    early, late = rate * np.exp(1.1 * x), rate * np.exp(-1.1 * x)
    target = rng.exponential(1.0, n)
    first = target / early
    truth.death_day = FIRST_DEATH_DAY + np.where(
        first <= change, first, change + (target - early * change) / late
    )
    return records(truth, rng).cohort([question("survival")], covariates=COVARIATES)


@_trap("direction-contradicted")
def _direction_contradicted(n: int, rng: np.random.Generator) -> Cohort:
    truth = draw_truth(n, rng, toxicity_slope=-TOXICITY_SLOPE)
    return records(truth, rng).cohort([question("curve")], covariates=COVARIATES)


@_trap("not-a-trough")
def _not_a_trough(n: int, rng: np.random.Generator) -> Cohort:
    """In a third of the patients a level 3 h after the dose stands beside the trough of the next day."""
    truth = draw_truth(n, rng)
    rows = records(truth, rng)
    early = _some(truth, 1 / 3, rng)
    for i, patient in enumerate(truth.patients):
        if patient in early:
            rows.level(patient, SAMPLE_DAY - 1, 1.6 * truth.exposure[i], hours=3.0)
    return rows.cohort([question("threshold")], covariates=COVARIATES)


@_trap("timing-unknown")
def _timing_unknown(n: int, rng: np.random.Generator) -> Cohort:
    """The trough as a column of the patients table, declared as a level of the drug."""
    truth = draw_truth(n, rng)
    rows = records(truth, rng)
    for i, patient in enumerate(truth.patients):
        rows.patients[patient]["trough"] = float(truth.exposure[i])
    level = {"unit": "ug/mL", "is_level_of": "sorafenib"}
    asked = question("threshold", predictor={"covariate": "trough"})
    return rows.cohort([asked], covariates={**COVARIATES, "trough": level})


@_trap("repeated-samples")
def _repeated_samples(n: int, rng: np.random.Generator) -> Cohort:
    """Three more troughs in every patient, within-patient log-SD 0.3, each counted as a patient."""
    truth = draw_truth(n, rng)
    rows = records(truth, rng)
    for i, patient in enumerate(truth.patients):
        for day in (15.0, 16.0, 17.0):
            rows.level(patient, day, truth.exposure[i] * math.exp(rng.normal(0.0, 0.3)))
    return rows.cohort([question("threshold", predictor={"summary": "every"})], covariates=COVARIATES)


@_trap("mixed-units-or-assays")
def _mixed_units(n: int, rng: np.random.Generator) -> Cohort:
    truth = draw_truth(n, rng)
    rows = records(truth, rng)
    other = _some(truth, 0.5, rng)
    for row in rows.measurements:
        if row["patient"] in other:
            row["value"], row["unit"], row["assay"] = 1000 * row["value"], "ng/mL", "immunoassay"
    return rows.cohort([question("threshold")], covariates=COVARIATES)


@_trap("below-limit")
def _below_limit(n: int, rng: np.random.Generator) -> Cohort:
    """The limit of quantification lies at the lowest sixth of the levels."""
    truth = draw_truth(n, rng)
    limit = float(np.quantile(truth.exposure, 1 / 6))
    rows = records(truth, rng)
    for row in rows.measurements:
        row["limit"] = limit
        if row["value"] < limit:
            row["value"], row["below_limit"] = math.nan, True
    return rows.cohort([question("threshold")], covariates=COVARIATES)


@_trap("missing-data")
def _missing_data(n: int, rng: np.random.Generator) -> Cohort:
    truth = draw_truth(n, rng)
    rows = records(truth, rng)
    rows.drop(_some(truth, 0.2, rng), "measurements")
    return rows.cohort([question("threshold")], covariates=COVARIATES)


@_trap("immortal-time")
def _immortal_time(n: int, rng: np.random.Generator) -> Cohort:
    return immortal_cohort(n, rng)


@_trap("exposure-after-change")
def _exposure_after_change(n: int, rng: np.random.Generator) -> Cohort:
    return reduced_cohort(n, rng, early_sample=True)


@_trap("survivor-only")
def _survivor_only(n: int, rng: np.random.Generator) -> Cohort:
    """Levels are drawn in month 5, and only in those still alive."""
    return survivor_cohort(n, rng, sample_day=150.0)


@_trap("competing-death")
def _competing_death(n: int, rng: np.random.Generator) -> Cohort:
    """Time to progression with deaths censored."""
    truth = draw_truth(n, rng)
    rows = records(truth, rng)
    progression = FIRST_DEATH_DAY + rng.exponential(MEDIAN_SURVIVAL_DAYS, n)
    for i, patient in enumerate(truth.patients):
        if progression[i] < min(truth.death_day[i], truth.end_day[i]):
            rows.event(patient, progression[i], "progression")
    return rows.cohort([question("survival", outcome={"event": "progression"})], covariates=COVARIATES)


@_trap("model-exposure")
def _model_exposure(n: int, rng: np.random.Generator) -> Cohort:
    """The model's residual error is so large that one sample tells little: the predictions are unreliable."""
    return _modelled(n, rng, modelled.IMPRECISE)


@_trap("model-misfit")
def _model_misfit(n: int, rng: np.random.Generator) -> Cohort:
    """These patients clear the drug at two fifths of the model's rate: levels are more than twice as high."""
    return _modelled(n, rng, modelled.PRECISE, clearance_factor=0.4)


def _modelled(n: int, rng: np.random.Generator, model: Path, clearance_factor: float = 1.0) -> Cohort:
    truth = modelled.draw_truth(n, rng, clearance_factor=clearance_factor)
    rows = modelled.sampled_records(truth, rng, sd=modelled.RESIDUAL_SD[model])
    asked = question("threshold", predictor=modelled.predictor(model))
    return rows.cohort([asked], covariates=COVARIATES)


def immortal_cohort(n: int, rng: np.random.Generator) -> Cohort:
    """Responders by stability for three months against the others; who responds has no bearing on survival.

    Exponential times to death and to progression, independent, with the medians of SHARP's sorafenib arm
    (10.7 and 5.5 months); follow-up of 20 months; an assessment every six weeks.
    """
    rows = Records()
    month, end = 365.25 / 12, 610.0
    death = np.maximum(rng.exponential(10.7 * month / math.log(2), n), 1.0)
    progression = np.maximum(rng.exponential(5.5 * month / math.log(2), n), 1.0)
    for i in range(n):
        patient = f"P{i + 1:04d}"
        rows.patients[patient] = {"albi": float(rng.normal(-2.3, 0.4))}
        seen = min(float(death[i]), end)
        for day in (42.0, 84.0):
            if day < min(seen, progression[i]):
                rows.event(patient, day, "response", response="SD", criterion="RECIST 1.1")
        if progression[i] < seen:
            rows.event(patient, float(progression[i]), "progression")
        follow_up(rows, patient, float(death[i]), end)
    responders = {"response": ["CR", "PR"], "or_stable_for_days": 90}
    return rows.cohort([question("survival", predictor=responders)], covariates=COVARIATES)


def reduced_cohort(n: int, rng: np.random.Generator, *, early_sample: bool) -> Cohort:
    """The dose of every patient with toxicity is cut before the sample that is published (day 83).

    Three in four are cut to half the dose, the others to three quarters; the level follows. A first trough
    has an AUC of 0.655. With `early_sample` there is one before the cut. The study takes the last sample, as
    where levels were drawn at one late visit.
    """
    truth = draw_truth(n, rng, toxicity_slope=0.95)
    rows = records(truth, rng, sampled=early_sample)
    first_day = {r["patient"]: r["day"] for r in rows.events if r["event"] == "adverse event"}
    for i, patient in enumerate(truth.patients):
        kept = 1.0
        if truth.toxicity[i]:
            kept = 0.5 if rng.random() < 0.75 else 0.75
            rows.event(patient, first_day[patient], "dose reduction")
            rows.dose(patient, first_day[patient], 400.0 * kept)
        rows.level(patient, 83.0, kept * truth.exposure[i])
    made = question("threshold", predictor={"summary": "last"}, at=[3.75])
    return rows.cohort([made], covariates=COVARIATES)


def survivor_cohort(n: int, rng: np.random.Generator, *, sample_day: float) -> Cohort:
    """Exponential survival (median 400 days) from the first day; a level only in who lives to have it."""
    truth = draw_truth(n, rng)
    truth.death_day = np.maximum(truth.death_day - FIRST_DEATH_DAY, 0.5)
    rows = records(truth, rng, sampled=False)
    rows.events = [r for r in rows.events if r["event"] in ("death", "last contact")]
    for i, patient in enumerate(truth.patients):
        if truth.death_day[i] > sample_day:
            rows.level(patient, sample_day, truth.exposure[i])
    return rows.cohort([question("survival")], covariates=COVARIATES)


from benchmarks import association_cohorts as association_cohorts  # noqa: E402
from benchmarks import change_cohorts as change_cohorts  # noqa: E402
from benchmarks import interaction_cohorts as interaction_cohorts  # noqa: E402
