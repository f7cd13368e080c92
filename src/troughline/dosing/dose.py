"""From one patient's levels to a feasible regimen with its probabilities: everything put together."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from troughline.dosing.alternatives import alternatives
from troughline.dosing.belief import Belief, NoEstimate, Working, believe, working_models
from troughline.dosing.candidates import card, same_regimen
from troughline.dosing.checks import Basis, basis_of
from troughline.dosing.course import course
from troughline.dosing.explanation import explain
from troughline.dosing.following import follow
from troughline.dosing.forecast import days_to_steady, forecasts, next_dose_h
from troughline.dosing.individual import individual_now
from troughline.dosing.level_rows import level_rows, spread_of
from troughline.dosing.next_sample import error_parts, value_of_samples
from troughline.dosing.patient_file import load_patient
from troughline.dosing.plausibility import check_levels
from troughline.dosing.recommend import choose, rules
from troughline.dosing.response_curve import ResponseCurve
from troughline.dosing.result import (
    CurveSource,
    DoseResult,
    ModelUse,
    RecommendationResult,
    RegimenResult,
    SteadyTime,
)
from troughline.dosing.scores import Scores, score
from troughline.dosing.sentence import sentence_of
from troughline.issues import Findings, InputError, Severity
from troughline.pk.posterior import generator_of
from troughline.progress import Progress, silent

if TYPE_CHECKING:
    from troughline.dosing.patient import DosePatient
    from troughline.dosing.recommend import Choice
    from troughline.dosing.regimen import Regimen
    from troughline.evidence.records import Drug

STEPS = 9


def dose_file(path: str | Path, *, progress: Progress = silent) -> DoseResult:
    """Answer a patient file. Raises `InputError` with every finding, as configuration where the file itself is
    at fault."""
    progress("reading the patient file", 0, STEPS)
    patient, found = load_patient(path)
    return dose(patient, findings=found, progress=progress)


def dose(
    patient: DosePatient, *, findings: Findings | None = None, progress: Progress = silent
) -> DoseResult:
    """Answer for a patient; `findings` of his file go into the result.

    Raises `InputError` with every finding where the models, the target or a level cannot be used, or where no
    model gives an estimate.
    """
    found = Findings() if findings is None else findings
    progress("checking models, target and regimens", 1, STEPS)
    basis = basis_of(patient, found)
    if basis is None:
        raise InputError(found, configuration=True)
    options = patient.options
    working = working_models(basis.models, parameter_uncertainty=options.parameter_uncertainty)
    progress("holding the levels against the population", 2, STEPS)
    prior, belief = _beliefs(patient, working, found)
    start, horizon = next_dose_h(patient), 24.0 * options.horizon_days
    progress("predicting every regimen", 4, STEPS)
    made = forecasts(patient, belief, basis.regimens, horizon_h=horizon)
    scores = score(
        made, basis.limits, basis.curves, options.utility, effective=belief.effective,
        rng=generator_of(options.seed, patient.id, "scores"),
    )  # fmt: skip
    current = _current(patient, basis.regimens)
    choice = choose(scores, indistinct=options.indistinct, reach=options.reach, current=current)
    progress("drawing the course", 5, STEPS)
    curve = course(
        patient, belief, prior, basis.regimens, start_h=start, horizon_h=horizon, level=options.level
    )
    progress("explaining", 6, STEPS)
    now, own, population = individual_now(patient, belief, prior, start_h=start, level=options.level)
    rows = level_rows(
        patient, working, belief, prior, basis.regimens[choice.best], start_h=start, horizon_h=horizon,
        level=options.level, seed=options.seed,
    )  # fmt: skip
    progress("valuing one more level", 7, STEPS)
    following = follow(patient, working[0], found, level=options.level)
    found.raise_errors()
    further = None
    if options.next_sample:
        further = value_of_samples(
            patient, belief, scores, choice.best, patient.regimen, start_h=start,
            rng=generator_of(options.seed, patient.id, "next level"),
        )  # fmt: skip
    progress("writing the answer", 8, STEPS)
    ids = [r.id for r in basis.regimens]
    sentence = sentence_of(patient, basis, scores, choice, now)
    return DoseResult(
        sentence=sentence,
        title=patient.title,
        patient=patient.id,
        drug=patient.drug,
        simulated=patient.simulated,
        level=options.level,
        decision=_decision(patient, belief, start),
        individual=now,
        regimens=_regimens(patient, basis, belief, scores, choice, start),
        recommendation=_recommendation(patient, basis, scores, choice, sentence, current),
        target=basis.target,
        alternatives=alternatives(patient, scores, ids, choice.best, basis.target, basis.limits),
        curves=tuple(c.source if isinstance(c, ResponseCurve) else c for c in basis.curves.values()),
        utility=_utility(patient, scores),
        curve=curve,
        samples=rows.rows,
        covariates=_covariates(patient, basis),
        history=_history(patient),
        toxicity=tuple({"day": t.time_h / 24.0, "term": t.term, "grade": t.grade} for t in patient.toxicity),
        explanation=explain(patient, own, population, rows, basis.target, level=options.level),
        next_sample=further,
        following=following,
        models=_models(basis, working, belief),
        methods=_methods(patient, basis),
        references=_references(),
        findings=tuple(found),
        provenance=_provenance(patient, basis),
    )


def _beliefs(
    patient: DosePatient, working: tuple[Working, ...], found: Findings
) -> tuple[Belief, Belief]:
    """The prior and the posterior belief; a level that no patient has stops here."""
    options = patient.options
    prior = believe(patient, working, draws=options.draws, seed=options.seed, prior=True)
    check_levels(patient, prior, found)
    if found.errors:
        raise InputError(found)
    file = patient.path.name if patient.path is not None else "patient"
    try:
        belief = believe(patient, working, draws=options.draws, seed=options.seed)
    except NoEstimate as reason:
        found.add(Severity.ERROR, "no-estimate", f"no model gives an estimate: {reason}", file=file)
        raise InputError(found) from None
    for failed in belief.failed:
        found.add(Severity.WARNING, "model-failed", f"left out of the average: {failed}", file=file)
    if belief.effective < 100:
        found.add(
            Severity.WARNING, "few-draws", f"the posterior's draws count for {belief.effective:.0f} only: "
            "the probabilities are rough", file=file,
        )  # fmt: skip
    return prior, belief


def _current(patient: DosePatient, regimens: tuple[Regimen, ...]) -> int | None:
    if patient.regimen is None:
        return None
    return next((k for k, r in enumerate(regimens) if same_regimen(r, patient.regimen)), None)


def _regimens(
    patient: DosePatient, basis: Basis, belief: Belief, scores: Scores, choice: Choice, start_h: float
) -> tuple[RegimenResult, ...]:
    from troughline.evidence.store import load_drug

    drug = load_drug(patient.drug)
    return tuple(
        _regimen(patient, drug, regimen, k, belief, scores, choice, start_h)
        for k, regimen in enumerate(basis.regimens)
    )


def _regimen(
    patient: DosePatient, drug: Drug, regimen: Regimen, k: int, belief: Belief, scores: Scores, choice: Choice,
    start_h: float,
) -> RegimenResult:  # fmt: skip
    level = patient.options.level
    effective = max(min(scores.effective, len(scores.inside)), 1.0)
    p_in = float(scores.inside[:, k].mean())
    toxicity, benefit = _mean(scores.toxicity, k, level), _mean(scores.benefit, k, level)
    utility = _mean(scores.utility, k, level)
    error = None if scores.utility is None else float(scores.utility[:, k].std() / math.sqrt(effective))
    days = days_to_steady(patient, belief, regimen, start_h=start_h)
    low, median, high = (float(v) for v in np.quantile(days, [(1 - level) / 2, 0.5, (1 + level) / 2]))
    current = patient.regimen is not None and same_regimen(regimen, patient.regimen)
    note = "the regimen in force: what is left is its own approach to steady levels" if current else ""
    return RegimenResult(
        regimen=card(regimen, patient, drug),
        trough=spread_of(scores.trough[:, k], level, "mg/L"),
        auc=spread_of(scores.auc_24h[:, k], level, "mg*h/L"),
        p_below=float(scores.below[:, k].mean()),
        p_in=p_in,
        p_above=float(scores.above[:, k].mean()),
        p_error=math.sqrt(max(p_in * (1 - p_in), 0.0) / effective),
        p_in_as_printed=float(scores.inside_as_printed[:, k].mean()),
        p_toxicity=toxicity[0], p_toxicity_low=toxicity[1], p_toxicity_high=toxicity[2],
        p_benefit=benefit[0], p_benefit_low=benefit[1], p_benefit_high=benefit[2],
        utility=utility[0], utility_error=error, utility_low=utility[1], utility_high=utility[2],
        p_best=float(choice.p_best[k]),
        time_to_steady=SteadyTime(days=median, low=low, high=high, note=note),
        notes=_notes(regimen, drug),
    )  # fmt: skip


def _mean(draws: Any, k: int, level: float) -> tuple[float | None, float | None, float | None]:
    if draws is None:
        return None, None, None
    low, high = (float(v) for v in np.quantile(draws[:, k], [(1 - level) / 2, (1 + level) / 2]))
    return float(draws[:, k].mean()), low, high


def _notes(regimen: Regimen, drug: Drug) -> tuple[str, ...]:
    made: list[str] = []
    if regimen.basis == "above label":
        made.append("above the label's dose; offered because the file allows it")
    if regimen.basis == "practice":
        made.append("not a step of the label in this indication")
    if not regimen.verified:
        made.append("its source was not verified")
    if any(a % drug.tablet_strength_mg for a in regimen.amounts_mg):
        made.append(f"not in whole tablets of {drug.tablet_strength_mg:g} mg")
    return tuple(made)


def _recommendation(
    patient: DosePatient, basis: Basis, scores: Scores, choice: Choice, sentence: str, current: int | None
) -> RecommendationResult:
    options = patient.options
    named: int | None = choice.best
    if choice.answer == "not distinguished":
        # What cannot be told apart is no reason to change.
        named = current if current is not None and current in choice.among else None
    return RecommendationResult(
        answer=choice.answer,
        regimen=None if named is None else basis.regimens[named].id,
        among=tuple(basis.regimens[k].id for k in choice.among),
        criterion=scores.criterion,
        margin=choice.margin,
        margin_error=choice.margin_error,
        p_best=float(choice.p_best[choice.best]),
        sentence=sentence,
        rules=rules(scores, indistinct=options.indistinct, reach=options.reach),
    )


def _decision(patient: DosePatient, belief: Belief, start_h: float) -> dict[str, Any]:
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


def _utility(patient: DosePatient, scores: Scores) -> dict[str, Any]:
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


def _covariates(patient: DosePatient, basis: Basis) -> tuple[dict[str, Any], ...]:
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
    for c in patient.covariates:
        rows.append(
            {"name": c.name, "value": c.value, "unit": c.unit,
             "day": c.time_h / 24.0 if math.isfinite(c.time_h) else None, "source": "file",
             "models": used.get(c.name.casefold(), [])}
        )  # fmt: skip
    return tuple(rows)


def _history(patient: DosePatient) -> tuple[dict[str, Any], ...]:
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
                 "doses": 1, "missed": 0, "food": d.food}
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


def _models(basis: Basis, working: tuple[Working, ...], belief: Belief) -> tuple[ModelUse, ...]:
    from troughline.dosing.uncertain_model import uncertain_parameters

    total = sum(w.chosen.weight for w in working)
    failed = {f.split(":")[0] for f in belief.failed}
    kept = [w for w in working if w.model.id not in failed]
    place = {w.model.id: k for k, w in enumerate(kept)}
    shares = {s.working.model.id: s for s in belief.shares}
    rows: list[ModelUse] = []
    for w in working:
        spec, k = w.chosen.model.spec, place.get(w.model.id)
        log_marginal = None if k is None else belief.log_marginals[k]
        share = shares.get(w.model.id)
        uncertain = () if w.model is w.chosen.model else uncertain_parameters(spec)
        rows.append(
            ModelUse(
                id=spec.id, title=spec.title, population=spec.population, prior_weight=w.chosen.weight / total,
                weight=0.0 if k is None else belief.weights[k],
                log_marginal=log_marginal if log_marginal is not None and math.isfinite(log_marginal) else None,
                effective_draws=0.0 if share is None else float(share.posterior.effective[0]),
                calibrated=spec.calibrated, uncertain_parameters=tuple(p.name for p in uncertain),
                note="" if k is not None else "no estimate: left out",
            )
        )  # fmt: skip
    return tuple(rows)


def _methods(patient: DosePatient, basis: Basis) -> tuple[str, ...]:
    options = patient.options
    parts = [
        f"{options.draws} draws of the patient's effects from their posterior given his levels; a further occasion "
        "for the future, drawn from its prior.",
        "Every regimen is predicted dose after dose from the next dose due to the horizon; the trough is the mean "
        "of the levels just before the doses of the last cycle, the area that of the cycle, per 24 h.",
        "A level, its limits and the curves are drawn together: probabilities carry every uncertainty named here.",
        "A steady level is reached when every later trough lies within 10 % of what the regimen would give had it "
        "been taken for long.",
    ]
    if options.parameter_uncertainty:
        parts.append(
            "Typical values of a model with a printed interval are unknowns of the patient: Tukey's g distribution "
            "through value and limits, taken as independent."
        )
    if len(basis.models) > 1:
        parts.append("Models are averaged by their prior weights times the marginal likelihood of the levels.")
    return tuple(parts)


def _references() -> tuple[str, ...]:
    return (
        "Beal 2001, doi 10.1023/A:1012299115260 (levels below the limit)",
        "Veach & Guibas 1995, doi 10.1145/218380.218498 (importance sampling)",
        "Raiffa & Schlaifer 1961, Applied Statistical Decision Theory (value of a further level)",
    )


def _provenance(patient: DosePatient, basis: Basis) -> dict[str, Any]:
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


__all__ = ["CurveSource", "dose", "dose_file"]
