"""Reading a study's `results.json`: the question that a patient file names."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from troughline.provenance import sha256_of

if TYPE_CHECKING:
    from troughline.dosing.limits import Metric
    from troughline.dosing.patient import DosePatient

_TAKEN = ("answered", "answered with caution")


class NotInResults(ValueError):
    """A study's result that cannot be used; the message says why."""


def question_of(
    patient: DosePatient, written: str, question_id: str, *, kinds: tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The question of a study's results, and what they say of the study. Raises `NotInResults`."""
    contents = results_of(patient, written)
    questions: Any = contents.get("questions")
    if not isinstance(questions, list):
        raise NotInResults(f"{written} is no results.json of a study: it has no questions")
    by_id: dict[str, dict[str, Any]] = {q["id"]: q for q in questions if isinstance(q, dict) and "id" in q}  # pyright: ignore[reportUnknownVariableType]
    if question_id not in by_id:
        from troughline.cohort.studyfile_messages import did_you_mean

        raise NotInResults(
            f"{written} has no question {question_id!r}; {did_you_mean(question_id, by_id, 'its questions')}"
        )
    question = by_id[question_id]
    if question.get("kind") not in kinds:
        raise NotInResults(
            f"question {question_id!r} of {written} is of kind {question.get('kind')!r}, not "
            f"{' or '.join(kinds)}"
        )
    if question.get("verdict") not in _TAKEN:
        raise NotInResults(
            f"question {question_id!r} of {written} was {question.get('verdict')}: nothing to use"
        )
    study: dict[str, Any] = contents.get("study") or {}
    drug = study.get("drug")
    if drug is not None and str(drug).casefold() != patient.drug.casefold():
        raise NotInResults(f"{written} is of {drug}, the patient takes {patient.drug}")
    return question, study


def metric_of(label: str, where: str) -> Metric:
    """Trough or area, by what a study's results call their exposure. Raises `NotInResults` for another."""
    words = set(re.findall(r"[a-z]+", label.casefold()))
    if words & {"auc", "area"}:
        return "auc"
    if words & {"trough", "troughs", "cmin"}:
        return "trough"
    raise NotInResults(
        f"the exposure of {where} is {label!r}: neither a trough nor an area (AUC), by its label, so a "
        "regimen's trough cannot be held against it"
    )


def results_of(patient: DosePatient, written: str) -> dict[str, Any]:
    """The contents of a results file. Raises `NotInResults`."""
    from troughline.dosing.target import results_path

    path = results_path(patient, written)
    try:
        contents: Any = json.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise NotInResults(f"{written} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise NotInResults(f"{written} is no JSON") from None
    if not isinstance(contents, dict):
        raise NotInResults(f"{written} is no results.json: not a table of keys")
    return contents  # pyright: ignore[reportUnknownVariableType]


def results_hash(patient: DosePatient, written: str) -> str:
    """The SHA-256 sum of a results file that was read."""
    from troughline.dosing.target import results_path

    return sha256_of(results_path(patient, written).read_bytes())
