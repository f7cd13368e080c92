"""What an answer rests on, as rows of its result: covariates, doses, models, methods, provenance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from troughline.dosing.dose_history import label_of
from troughline.dosing.next_sample import error_parts
from troughline.dosing.result import ModelUse

if TYPE_CHECKING:
    from troughline.dosing.belief import Belief, Working
    from troughline.dosing.checks import Basis
    from troughline.dosing.patient import DosePatient
    from troughline.dosing.scores import Scores


def decision_row(patient: DosePatient, belief: Belief, start_h: float) -> dict[str, Any]:
    days = patient.options.horizon_days
    share = max(belief.shares, key=lambda s: s.weight)
    spec = share.working.model.spec
    from troughline.pk.residual import residual_sd

    kind = spec.outputs[share.output].error.kind
    typical = np.array([1.0])
    sd = float(residual_sd(kind, typical, error_parts(patient, share)[None, :])[0])
    return {
        "time_h": patient.now_h, "day": patient.now_h / 24.0, "clock": patient.clock(patient.now_h),
        "next_dose_h": start_h, "next_dose_clock": patient.clock(start_h), "horizon_days": days,
        "horizon_day": (start_h + 24.0 * days) / 24.0, "residual_sd": sd,
    }  # fmt: skip


def utility_row(patient: DosePatient, scores: Scores) -> dict[str, Any]:
    weights = patient.options.utility
    text = (
        f"utility = {weights.benefit:g} · P(benefit) − {weights.toxicity:g} · P(toxicity)"
        if scores.utility is not None
        else "no utility: it needs a curve of benefit and one of toxicity"
    )
    return {
        "benefit": weights.benefit, "toxicity": weights.toxicity, "text": text,
        "outside_curve": dict(scores.outside_curve),
    }  # fmt: skip


def covariate_rows(patient: DosePatient, basis: Basis) -> tuple[dict[str, Any], ...]:
    rows: list[dict[str, Any]] = []
    used: dict[str, list[str]] = {}
    for chosen in basis.models:
        for c in chosen.covariates:
            used.setdefault(c.name.casefold(), []).append(chosen.model.id)
            if c.default:
                rows.append(
                    {"name": c.name, "value": c.points[0][1], "unit": c.unit, "day": None,
                     "source": "default", "models": [chosen.model.id]}
                )  # fmt: skip
    rows += [
        {
            "name": c.name, "value": c.value, "unit": c.unit,
            "day": c.time_h / 24.0 if math.isfinite(c.time_h) else None, "source": "file",
            "models": used.get(c.name.casefold(), []),
        }
        for c in patient.covariates
    ]  # fmt: skip
    return tuple(rows)


def history_rows(patient: DosePatient) -> tuple[dict[str, Any], ...]:
    """Runs of doses at one amount and interval, with the doses missed in each."""
    runs: list[dict[str, Any]] = []
    for d in patient.doses:
        day = d.time_h / 24.0
        last = runs[-1] if runs else None
        gap = last is not None and d.time_h - 24.0 * last["to_day"] > 3 * d.interval_h
        same = last is not None and (last["amount_mg"], last["interval_h"]) == (d.amount_mg, d.interval_h)
        if last is None or not same or gap:
            runs.append(
                {"from_day": day, "to_day": day, "amount_mg": d.amount_mg, "interval_h": d.interval_h,
                 "label": label_of((d.amount_mg,), d.interval_h), "doses": 1, "missed": 0, "food": d.food}
            )  # fmt: skip
        else:
            last["to_day"] = day
            last["doses"] += 1
    for t in patient.missed_h:
        for run in runs:
            if run["from_day"] <= t / 24.0 <= run["to_day"] + run["interval_h"] / 24.0:
                run["missed"] += 1
                break
    return tuple(runs)


def model_rows(basis: Basis, working: tuple[Working, ...], belief: Belief) -> tuple[ModelUse, ...]:
    from troughline.dosing.uncertain_model import uncertain_parameters

    total = sum(w.chosen.weight for w in working)
    failed = {f.split(":")[0] for f in belief.failed}
    kept = [w for w in working if w.model.id not in failed]
    place = {w.model.id: k for k, w in enumerate(kept)}
    shares = {s.working.model.id: s for s in belief.shares}
    rows: list[ModelUse] = []
    for w in working:
        spec, k = w.chosen.model.spec, place.get(w.model.id)
        share = shares.get(w.model.id)
        uncertain = () if w.model is w.chosen.model else uncertain_parameters(spec)
        rows.append(
            ModelUse(
                id=spec.id, title=spec.title, population=spec.population,
                prior_weight=w.chosen.weight / total, weight=0.0 if k is None else belief.weights[k],
                log_marginal=None if k is None else finite(belief.log_marginals[k]),
                effective_draws=0.0 if share is None else float(share.posterior.effective[0]),
                calibrated=spec.calibrated, uncertain_parameters=tuple(p.name for p in uncertain),
                note="" if k is not None else "no estimate: left out",
            )
        )  # fmt: skip
    return tuple(rows)


def finite(value: float) -> float | None:
    """A number, or None where it is not finite."""
    return value if math.isfinite(value) else None


def methods(patient: DosePatient, basis: Basis) -> tuple[str, ...]:
    options = patient.options
    parts = [
        f"{options.draws} draws of the patient's effects from their posterior given his levels; a further "
        "occasion "
        "for the future, drawn from its prior.",
        "Every regimen is predicted dose after dose from the next dose due to the horizon; the trough is "
        "the mean "
        "of the levels just before the doses of the last cycle, the area that of the cycle, per 24 h.",
        "A level, its limits and the curves are drawn together: probabilities carry every uncertainty "
        "named here.",
        "A steady level is reached when every later trough lies within 10 % of what the regimen would "
        "give had it "
        "been taken for long.",
    ]
    if options.parameter_uncertainty:
        parts.append(
            "Typical values of a model with a printed interval are unknowns of the patient: Tukey's g "
            "distribution "
            "through value and limits, taken as independent."
        )
    if len(basis.models) > 1:
        parts.append(
            "Models are averaged by their prior weights times the marginal likelihood of the levels."
        )
    return tuple(parts)


def references() -> tuple[str, ...]:
    return (
        "Beal 2001, doi 10.1023/A:1012299115260 (levels below the limit)",
        "Veach & Guibas 1995, doi 10.1145/218380.218498 (importance sampling)",
        "Raiffa & Schlaifer 1961, Applied Statistical Decision Theory (value of a further level)",
    )


def made_from(patient: DosePatient, basis: Basis) -> dict[str, Any]:
    from troughline.dosing.study_results import results_hash
    from troughline.provenance import provenance

    inputs = {patient.path.name: patient.sha256} if patient.path is not None else {}
    file = patient.file
    named: list[str] = [] if file is None else list(file.earlier)
    evidence = [patient.drug]
    if file is not None:
        entries = (file.target, file.curves.toxicity, file.curves.benefit)
        named += [e.study for e in entries if e is not None and e.study is not None]
        if file.target is not None and file.target.published is not None:
            evidence.append(file.target.published.split("/")[0])
    for written in named:
        inputs[written] = results_hash(patient, written)
    models = [f"{m.model.id} {m.model.spec.sha256[:12]}" for m in basis.models]
    return provenance(seed=patient.options.seed, inputs=inputs, evidence=evidence, models=models)
