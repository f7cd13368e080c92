"""From one patient's levels to a feasible regimen with its probabilities: everything put together."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from troughline.dosing.alternatives import alternatives
from troughline.dosing.background import (
    covariate_rows,
    decision_row,
    history_rows,
    made_from,
    methods,
    model_rows,
    references,
    utility_row,
)
from troughline.dosing.belief import Belief, NoEstimate, Working, believe, working_models
from troughline.dosing.candidates import above_label_in_words, same_regimen
from troughline.dosing.checks import basis_of
from troughline.dosing.course import course
from troughline.dosing.doubt import doubts, sentence_in_doubt, with_interactions
from troughline.dosing.explanation import explain
from troughline.dosing.following import follow
from troughline.dosing.forecast import days_to_steady, forecasts, next_dose_h, recent_doses
from troughline.dosing.individual import individual_now
from troughline.dosing.level_rows import level_rows
from troughline.dosing.next_sample import value_of_samples
from troughline.dosing.patient_file import load_patient
from troughline.dosing.plausibility import check_against_the_others, check_levels
from troughline.dosing.proportional import if_proportional
from troughline.dosing.recommend import choose
from troughline.dosing.regimen_rows import recommendation_row, regimen_rows, report_choice, rules_of
from troughline.dosing.response_curve import ResponseCurve
from troughline.dosing.result import (
    DoseResult,
)
from troughline.dosing.scores import score
from troughline.dosing.sentence import sentence_of
from troughline.dosing.target_interval import interval_sentence
from troughline.dosing.threads import beside, collection_paused, in_threads
from troughline.dosing.tolerance import with_toxicity
from troughline.issues import Findings, InputError, Severity
from troughline.pk.posterior import generator_of
from troughline.progress import Progress, silent

if TYPE_CHECKING:
    from troughline.dosing.patient import DosePatient
    from troughline.dosing.regimen import Regimen

STEPS = 9


def dose_file(path: str | Path, *, progress: Progress = silent) -> DoseResult:
    """Answer a patient file.

    Raises `InputError` with every finding, as configuration where the file itself is at fault.
    """
    with collection_paused():
        progress("reading the patient file", 0, STEPS)
        patient, found = load_patient(path)
        return dose(patient, findings=found, progress=progress)


def dose(
    patient: DosePatient, *, findings: Findings | None = None, progress: Progress = silent
) -> DoseResult:
    """Answer for a patient; `findings` of his file go into the result.

    Raises `InputError` with every finding where the models, the target or a level cannot be used, or where
    no model gives an estimate.
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
    for one in working:  # once, before threads ask for it
        _ = one.model.compiled_with_areas
    # With the doses that still matter at the horizon, and those that still do at the decision.
    far = recent_doses(patient, belief, start_h=start, until_h=start + horizon)
    made, steady, ((now, own, population), lately) = beside(
        lambda: forecasts(far, belief, basis.regimens, horizon_h=horizon, start_h=start),
        lambda: in_threads(partial(days_to_steady, far, belief, start_h=start), basis.regimens),
        lambda: (
            individual_now(patient, belief, prior, start_h=start, level=options.level),
            recent_doses(patient, belief, start_h=patient.now_h, until_h=patient.now_h + 1.0),
        ),
    )
    scores = score(
        made, basis.limits, basis.curves, options.utility, effective=belief.effective,
        rng=generator_of(options.seed, patient.id, "scores"),
    )  # fmt: skip
    current = _current(patient, basis.regimens)
    daily = [r.daily_dose_mg for r in basis.regimens]
    rules = rules_of(patient, scores)
    choice = choose(
        scores,
        basis.limits,
        daily,
        rules,
        current=current,
        with_levels=bool(patient.used_levels),
        in_doubt=bool(doubts(found)) and not options.trust_levels,
    )
    report_choice(patient, choice, basis.regimens, found)
    progress("drawing the course, explaining, valuing one more level", 5, STEPS)
    named: set[int] = {choice.best, *choice.among} | (set() if current is None else {current})
    curve, rows, further = beside(
        lambda: course(
            patient, lately, belief, prior, basis.regimens, named=named, start_h=start,
            horizon_h=horizon, level=options.level,
        ),
        lambda: level_rows(
            patient, far, working, belief, prior, basis.regimens[choice.best], start_h=start,
            horizon_h=horizon, level=options.level, seed=options.seed,
        ),
        lambda: value_of_samples(
            patient, lately, belief, scores, choice.top, patient.regimen, start_h=start,
            rng=generator_of(options.seed, patient.id, "next level"),
        ) if options.next_sample and not choice.one_sided and choice.answer != "level in doubt" else None,
    )  # fmt: skip
    progress("following the patient", 7, STEPS)
    check_against_the_others(patient, rows.rows, found)
    following = follow(patient, belief, found, level=options.level)
    found.raise_errors()
    proportional = if_proportional(patient, basis, belief, made, scores, choice, rules, current=current)
    progress("writing the answer", 8, STEPS)
    ids = [r.id for r in basis.regimens]
    said = [basis.regimens[k] for k in sorted({choice.best, *choice.among})]
    if choice.answer == "level in doubt":
        answer = sentence_in_doubt(patient, doubts(found))
    else:
        answer = above_label_in_words(sentence_of(patient, basis, scores, choice, further), said)
    sentence = with_toxicity(with_interactions(answer, patient), patient, said)
    return DoseResult(
        sentence=sentence,
        title=patient.title,
        patient=patient.id,
        drug=patient.drug,
        simulated=patient.simulated,
        level=options.level,
        decision=decision_row(patient, belief, start),
        individual=now,
        regimens=regimen_rows(patient, basis, scores, choice, steady),
        recommendation=recommendation_row(basis, scores, choice, rules, current),
        target=basis.target,
        alternatives=alternatives(patient, scores, ids, choice.best, basis.target, basis.limits),
        curves=tuple(c.source if isinstance(c, ResponseCurve) else c for c in basis.curves.values()),
        utility=utility_row(patient, scores),
        curve=curve,
        samples=rows.rows,
        covariates=covariate_rows(patient, basis),
        history=history_rows(patient),
        toxicity=tuple({"day": t.time_h / 24.0, "term": t.term, "grade": t.grade} for t in patient.toxicity),
        explanation=explain(
            patient,
            own,
            population,
            rows,
            basis.target,
            level=options.level,
            interval=interval_sentence(basis, scores, choice.among),
            if_proportional=proportional,
            model_notes={m.model.id: m.model.spec.notes for m in basis.models},
        ),
        next_sample=further,
        following=following,
        models=model_rows(basis, working, belief),
        methods=methods(patient, basis),
        references=references(),
        findings=tuple(found),
        provenance=made_from(patient, basis),
    )


def _beliefs(patient: DosePatient, working: tuple[Working, ...], found: Findings) -> tuple[Belief, Belief]:
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
