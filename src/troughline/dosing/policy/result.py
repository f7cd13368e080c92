"""An evaluation of policies as a result: plain contents for `policy.json`, and one row a patient and
policy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from troughline.dosing.policy.compare import (
    MEASURES,
    Summary,
    calibration,
    paired_difference,
    summary,
)
from troughline.dosing.policy.link import DEFAULT_SIZE, links_seen
from troughline.dosing.policy.outcomes import Outcomes, outcomes_of
from troughline.dosing.policy.published import beside_published
from troughline.dosing.policy.setup import TWIN, Setup
from troughline.dosing.policy.simulate import Simulated, simulate
from troughline.dosing.policy.words import against_dose, at_lowest, headline, methods, verdicts
from troughline.progress import Progress, silent

if TYPE_CHECKING:
    from troughline.dosing.policy.course import Course
    from troughline.dosing.policy.world import WorldModel
    from troughline.issues import Findings

Json = dict[str, Any]
DIFFERENCES = ("inside", "inside_at", "below", "above", "below_at", "toxic", "stopped", "changes")
BANDS = (0.1, 0.5, 0.9)


@dataclass(frozen=True, kw_only=True)
class PolicyResult:
    """What an evaluation found: `contents` of `policy.json`, `patients` as columns of equal length."""

    contents: Json
    patients: Mapping[str, NDArray[Any]]
    findings: Findings


def evaluate(setup: Setup, *, threads: int | None = None, progress: Progress = silent) -> PolicyResult:
    """Simulate a setup's policies and compare them. The same setup gives the same bytes."""
    simulated = simulate(setup, threads=threads, progress=progress)
    progress("comparing policies", 0, 1)
    found = [outcomes_of(course) for course in simulated.courses]
    made = PolicyResult(
        contents=_contents(simulated, found),
        patients=patient_table(simulated, found),
        findings=setup.findings,
    )
    progress("policies compared", 1, 1)
    return made


def _contents(simulated: Simulated, outcomes: list[Outcomes]) -> Json:
    from troughline.provenance import provenance

    setup = simulated.setup
    file, level = setup.file, setup.file.evaluation.level
    policies = [
        _policy(setup, course, found, level)
        for course, found in zip(simulated.courses, outcomes, strict=True)
    ]
    differences = _differences(setup, outcomes, level)
    beside = beside_published(simulated)
    size = beside[0].n_study if beside else DEFAULT_SIZE
    contents: Json = {
        "title": file.evaluation.title,
        "description": file.evaluation.description,
        "drug": file.evaluation.drug,
        "simulated": True,
        "level": level,
        "matched": setup.matched,
        "patients": file.population.n,
        "target": {
            "words": setup.target_words, "metric": file.target.metric, "low": setup.low_mg_per_l,
            "high": setup.high_mg_per_l, "unit": "mg/L", "source": setup.target_source,
        },
        "truth": _world(setup.truth),
        "assumed": _world(setup.assumed),
        "design": {
            "visits": list(file.visits.days), "horizon_day": file.visits.horizon_day,
            "turnaround_days": file.visits.turnaround_days,
            "count_from_day": file.visits.count_from_day or file.visits.days[0],
            "start": setup.start.label, "regimens": [r.label for r in setup.regimens],
            "label_steps": [r.label for r in setup.label_steps],
            "adherence": file.adherence.model_dump(), "samples": file.samples.model_dump(),
            "toxicity": None if file.toxicity is None else file.toxicity.model_dump(),
        },
        "population": _population(simulated),
        "measures": MEASURES,
        "policies": policies,
        "differences": differences,
        "regret": _regret(setup, outcomes, level),
        "beside": [asdict(one) for one in beside],
        "links": [asdict(one) for one in links_seen(simulated, size=size)],
    }  # fmt: skip
    contents["verdicts"] = verdicts(contents)
    contents["sentence"] = headline(contents)
    contents["methods"] = methods(setup)
    contents["issues"] = [f.as_dict() for f in setup.findings]
    evidence = [b.reference.partition("/")[0] for b in beside]
    if file.target.published:
        evidence.append(file.target.published.partition("/")[0])
    contents["provenance"] = provenance(
        seed=file.population.seed, inputs={setup.name: setup.sha256}, evidence=evidence,
        models=[f"{w.spec.id} {w.spec.sha256[:16]}" for w in (setup.truth, setup.assumed)],
    )  # fmt: skip
    return _finite(contents)


def _finite(value: Any) -> Any:
    """Numbers that JSON has no word for (NaN, ∞) as None."""
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, np.generic):
        return _finite(value.item())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _world(world: WorldModel) -> Json:
    spec = world.spec
    return {
        "model": spec.id, "title": spec.title, "revision": spec.revision, "population": spec.population,
        "calibrated": spec.calibrated, "shifted": list(world.shifted),
    }  # fmt: skip


def _population(simulated: Simulated) -> list[Json]:
    """How the covariates came out."""
    rows: list[Json] = []
    for draw in simulated.setup.file.population.covariate:
        values = simulated.patients.covariates[draw.name]
        row: Json = {"covariate": draw.name, "unit": draw.unit or "", "source": draw.source}
        if draw.distribution == "levels" or isinstance(draw.value, str):
            names, counts = np.unique(values.astype(str), return_counts=True)
            row["drawn"] = ", ".join(f"{k} {v / len(values):.1%}" for k, v in zip(names, counts, strict=True))
        else:
            numbers = values.astype(np.float64)
            low, median, high = np.quantile(numbers, [0.05, 0.5, 0.95])
            row["drawn"] = f"median {median:.3g} (90 %: {low:.3g} to {high:.3g})"
        rows.append(row)
    return rows


def _policy(setup: Setup, course: Course, found: Outcomes, level: float) -> Json:
    policy = course.policy
    inside = (found.metric >= setup.low_mg_per_l) & (found.metric <= setup.high_mg_per_l)
    low, median, high = np.quantile(found.metric, BANDS, axis=0)
    return {
        "id": policy.id,
        "kind": policy.kind,
        "label": policy.label or policy.id,
        "assumes": setup.world(policy).spec.id if policy.kind in ("model", "known") else None,
        "twin": policy.id.endswith(TWIN),
        "criterion": policy.criterion if policy.kind in ("model", "known") else None,
        "at_lowest": at_lowest(policy) if setup.file.toxicity else "",
        "against_dose": against_dose(policy),
        "measures": {m: asdict(summary(m, getattr(found, m), level)) for m in MEASURES},
        "not_estimated": course.not_estimated,
        "calibration": _calibration(course, found, level),
        "days": {
            "day": list(range(found.metric.shape[1])),
            "inside": inside.mean(axis=0).round(6).tolist(),
            "below": (found.metric < setup.low_mg_per_l).mean(axis=0).round(6).tolist(),
            "above": (found.metric > setup.high_mg_per_l).mean(axis=0).round(6).tolist(),
            "low": low.round(6).tolist(), "median": median.round(6).tolist(), "high": high.round(6).tolist(),
            "daily_dose": _daily_dose(course).round(3).tolist(),
        },
    }  # fmt: skip


def _daily_dose(course: Course) -> NDArray[np.float64]:
    """The mean prescribed dose of each day's regimen, mg, 0 where none is taken (H + 1,)."""
    doses = np.where(course.day_regimen >= 0, course.daily[np.maximum(course.day_regimen, 0)], 0.0)
    return doses.mean(axis=0)


def _calibration(course: Course, found: Outcomes, level: float) -> list[Json]:
    """Stated P(in) of the next visit against what came, in those whose dose toxicity left alone until
    then.
    """
    stated: list[NDArray[np.float64]] = []
    inside: list[NDArray[np.float64]] = []
    setup = course.setup
    for visit, (rows, probability) in course.forecasts:
        begin, day = setup.ends[visit], setup.ends[visit + 1]
        events = course.event_day[rows]
        calm = ~((events > begin) & (events <= day)).any(axis=1) & np.isfinite(probability)
        level_then = found.metric[rows, day]
        stated.append(probability[calm])
        inside.append(((level_then >= setup.low_mg_per_l) & (level_then <= setup.high_mg_per_l))[calm] * 1.0)
    if not stated or not sum(map(len, stated)):
        return []
    return [asdict(b) for b in calibration(np.concatenate(stated), np.concatenate(inside), level)]


def _differences(setup: Setup, outcomes: list[Outcomes], level: float) -> list[Json]:
    """Every pair of policies, the later one of the file first, paired by patient."""
    made: list[Json] = []
    for i, one in enumerate(setup.policies):
        for j, other in enumerate(setup.policies[:i]):
            for measure in DIFFERENCES:
                d = paired_difference(measure, outcomes[i], outcomes[j], level)
                made.append({"first": one.id, "second": other.id, "measure": measure, **asdict(d)})
    return made


def _regret(setup: Setup, outcomes: list[Outcomes], level: float) -> list[Json]:
    """What each model policy loses by assuming another model: the twin with the true model less it,
    paired.
    """
    by_id = {p.id: o for p, o in zip(setup.policies, outcomes, strict=True)}
    made: list[Json] = []
    for policy in setup.policies:
        twin = by_id.get(f"{policy.id}{TWIN}")
        if twin is not None:
            for measure in DIFFERENCES:
                d: Summary = paired_difference(measure, twin, by_id[policy.id], level)
                made.append({"policy": policy.id, "measure": measure, **asdict(d)})
    return made


def patient_table(simulated: Simulated, outcomes: list[Outcomes]) -> dict[str, NDArray[Any]]:
    """One row a policy and patient: covariates, true effects, outcomes."""
    patients = simulated.patients
    k = len(simulated.courses)
    columns: dict[str, NDArray[Any]] = {
        "patient": np.tile(np.array(patients.names, dtype=object), k),
        "policy": np.repeat(np.array([c.policy.id for c in simulated.courses], dtype=object), len(patients)),
    }
    for name, values in patients.covariates.items():
        columns[name] = np.tile(values.astype(object) if values.dtype.kind in "UO" else values, k)
    for j, name in enumerate(simulated.setup.truth.spec.subject_effects):
        columns[name] = np.tile(patients.subject[:, j], k)
    columns["frailty"] = np.tile(patients.frailty, k)
    for measure in MEASURES:
        columns[measure] = np.concatenate([getattr(o, measure) for o in outcomes])
    last = simulated.setup.file.visits.horizon_day
    columns["metric_at_horizon_mg_per_l"] = np.concatenate([o.metric[:, last] for o in outcomes])
    return columns
