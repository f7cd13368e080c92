"""A study: every question of a study file answered, guarded and put together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from troughline.progress import Progress, silent
from troughline.results import QuestionResult, Verdict, plain

if TYPE_CHECKING:
    import pandas as pd

    from troughline.cohort.cohort import Cohort
    from troughline.cohort.studyfile import Study
    from troughline.evidence.records import Drug
    from troughline.response.case import AnyQuestion, Case


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyResult:
    """What a study found: `contents` is exactly what `results.json` holds."""

    questions: tuple[QuestionResult, ...]
    contents: dict[str, Any]

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """The verdict of each question by its id."""
        return {q.id: q.verdict for q in self.questions}

    def question(self, question_id: str) -> QuestionResult:
        """The result of one question. Raises `KeyError` listing the known ids."""
        for q in self.questions:
            if q.id == question_id:
                return q
        raise KeyError(f"no question {question_id!r}; there are {', '.join(q.id for q in self.questions)}")

    def estimates(self) -> pd.DataFrame:
        """Every estimate of every question, one row each."""
        import pandas as pd

        rows = [{"question": q.id, **plain(e)} for q in self.questions for e in q.estimates]
        return pd.DataFrame(rows)


def run_study(study: Study, *, progress: Progress = silent) -> StudyResult:
    """Read the cohort of a study file and answer every question.

    A question that cannot be answered never stops the others. Raises `InputError` when the tables cannot
    be used.
    """
    from troughline.cohort.load import load_cohort

    total = len(study.question) + 2
    progress("reading the tables", 0, total)
    cohort = load_cohort(study)
    return answer(cohort, progress=progress)


def answer(cohort: Cohort, *, progress: Progress = silent) -> StudyResult:
    """Answer every question of a cohort's study file."""
    from troughline.cohort.describe import table_one
    from troughline.evidence.store import list_drugs, load_drug
    from troughline.provenance import provenance
    from troughline.response.guards import REGISTRY, check

    study = cohort.study
    total = len(study.question) + 2
    drug = load_drug(study.study.drug) if study.study.drug in list_drugs() else None
    answered: list[tuple[QuestionResult, Case | None]] = []
    for position, question in enumerate(study.question):
        progress(f"question {question.id}", position + 1, total)
        answered.append(_answer_question(cohort, question, drug))
    tests = {r.id: p for r, _ in answered for p in [_primary_p(r)] if p is not None}
    questions: list[QuestionResult] = []
    for result, case in answered:
        if case is not None:
            case.tests = tests
            case.found_cuts = _found_cuts(case, [c for _, c in answered if c is not None and c is not case])
            late = check(case, late=True)
            result = replace(result, guards=result.guards + late, verdict=verdict_of(result.verdict, late))
        questions.append(result)
    evidence = [study.study.drug] if drug else []
    evidence += [q.published.split("/")[0] for q in study.question if q.published]
    cases = [c for _, c in answered if c is not None]
    models = [c.predictor.model.named() for c in cases if c.predictor.model is not None]
    contents = plain(
        {
            "provenance": provenance(
                seed=study.study.seed, inputs=cohort.input_hashes, evidence=evidence, models=models
            ),
            "study": {
                "title": study.study.title,
                "description": study.study.description,
                "drug": study.study.drug,
                "simulated": study.study.simulated,
                "approximate": cohort.approximate,
                "reconstructed_from": list(cohort.reconstructed_from),
                "time": study.study.time,
                "level": study.study.level,
                "n_patients": len(cohort.patient_ids),
            },
            "issues": [f.as_dict() for f in cohort.findings],
            "table1": table_one(cohort),
            "exposure": _exposure_samples(cases),
            "questions": questions,
            "guards_checked": [
                {
                    "id": g.id,
                    "title": g.title,
                    "detects": g.detects,
                    "fired_in": [q.id for q in questions if any(f.id == g.id for f in q.guards)],
                }
                for g in REGISTRY.values()
            ],
        }
    )
    return StudyResult(questions=tuple(questions), contents=contents)


def _answer_question(
    cohort: Cohort, question: AnyQuestion, drug: Drug | None
) -> tuple[QuestionResult, Case | None]:
    from troughline.response.guards import check
    from troughline.response.predictor import NotAnalysable
    from troughline.response.questions import runner_for
    from troughline.response.questions.parts import left_out_table, model_tables

    title = question.title or question.id.replace("-", " ")
    try:
        case, parts = runner_for(question.kind)(cohort, question, drug)
    except (NotAnalysable, ValueError, ArithmeticError, RuntimeError) as reason:
        # One question that cannot be computed never stops the others; what went wrong is said.
        text = str(reason).rstrip(".")
        return (
            QuestionResult(
                id=question.id,
                kind=question.kind,
                title=title,
                verdict=Verdict.NOT_ANALYSABLE,
                summary=f"This question cannot be answered with these data: {text}.",
            ),
            None,
        )
    guards = check(case)
    result = QuestionResult(
        id=question.id,
        kind=question.kind,
        title=title,
        verdict=verdict_of(Verdict.NOT_ANALYSABLE if parts.not_analysable else Verdict.ANSWERED, guards),
        summary=f"Not analysable: {parts.not_analysable}. {parts.summary}"
        if parts.not_analysable
        else parts.summary,
        guards=guards,
        estimates=tuple(parts.estimates),
        tables={**parts.tables, **model_tables(case), **left_out_table(case)},
        series=parts.series,
        methods=tuple(parts.methods),
        references=tuple(parts.references),
    )
    return (result if drug is None else _held_against(result, case, drug)), case


def _held_against(result: QuestionResult, case: Case, drug: Drug) -> QuestionResult:
    """The result with its comparison to what is published; what cannot be compared is said."""
    from troughline.response.against_published import against_published

    try:
        return against_published(result, case, drug)
    except (ValueError, ArithmeticError) as reason:
        text = f"What is published could not be compared: {str(reason).rstrip('.')}."
        return replace(result, methods=(*result.methods, text))


def verdict_of(before: Verdict, guards: Any) -> Verdict:
    """The verdict after these guards: a refusal refuses, a caution qualifies, a note changes nothing."""
    from troughline.results import GuardSeverity

    if before is Verdict.NOT_ANALYSABLE:
        return before
    severities = {g.severity for g in guards}
    if GuardSeverity.REFUSAL in severities or before is Verdict.REFUSED:
        return Verdict.REFUSED
    if GuardSeverity.CAUTION in severities or before is Verdict.CAUTION:
        return Verdict.CAUTION
    return Verdict.ANSWERED


def _primary_p(result: QuestionResult) -> float | None:
    """The p-value of this question's main test: as published, or corrected where its cut was searched.

    Of an interaction question the interaction itself (of all levels at once), or its searched cut, corrected;
    none where there is no control arm.
    """
    if result.kind == "interaction":
        names = (
            "interaction_cut_p", "interaction_test", "interaction_ratio", "interaction_difference",
        )  # fmt: skip
        guarded = {e.name: e.p_value for e in reversed(result.estimates) if e.method.startswith("guarded")}
        return next((guarded[name] for name in names if name in guarded), None)
    for e in result.estimates:
        if result.kind == "survival" and e.name == "threshold" and e.method.startswith("guarded"):
            return e.p_value
    for name in ("mann_whitney", "log_rank", "odds_ratio", "hazard_ratio"):
        for e in result.estimates:
            if e.name == name and e.method.startswith("as-published"):
                return e.p_value
    return None


def _found_cuts(case: Case, others: list[Case]) -> tuple[tuple[str, float], ...]:
    """The cuts that other questions found for the predictor of this one, in the same patients."""
    found: list[tuple[str, float]] = []
    for other in others:
        if other.predictor.label != case.predictor.label or other.predictor.unit != case.predictor.unit:
            continue
        measured = other.measured
        threshold = measured.threshold_published
        cuts = (
            threshold.value if threshold else None,
            measured.window_lower_published,
            measured.window_upper_published,
        )
        found += [(other.question.id, cut) for cut in cuts if cut is not None]
    return tuple(found)


def _exposure_samples(cases: list[Case]) -> dict[str, Any]:
    """The samples of the first question about a drug level, with what became of each."""
    for case in cases:
        exposure, model = case.predictor.exposure, case.predictor.model
        if exposure is None:
            continue
        return {
            "label": exposure.label if model is None else f"{case.asked.analyte} level as measured",
            "unit": exposure.unit,
            "question": case.question.id,
            **({} if model is None else {"model": model.contents()}),
            "samples": [
                {
                    "patient": s.patient,
                    "day": s.day,
                    "value": s.number,
                    "below_limit": s.below_limit,
                    "time_after_dose_h": s.time_after_dose_h,
                    "dose_mg_per_day": s.dose_mg_per_day,
                    "assay": s.assay,
                    "row": s.row,
                    "used": "not used" if reason else "used",
                    "reason": reason,
                    **({} if model is None else model.of_sample(s.patient, used=not s.reason)),
                }
                for s in exposure.samples
                for reason in [s.reason or ("" if model is None else model.failed.get(s.patient, ""))]
            ],
        }
    return {}
