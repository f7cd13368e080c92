"""A finished `results.json` held against what is published, without its tables being read again."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from troughline.issues import Finding, InputError, Severity
from troughline.results import Estimate, QuestionResult, Verdict, plain

if TYPE_CHECKING:
    from troughline.response.against_published import Setting

Json = dict[str, Any]


def load_results(path: Path) -> Json:
    """The contents of a `results.json`. Raises `InputError` for a file that is none."""
    try:
        contents: Any = json.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise _unusable(path, f"cannot be read: {error.strerror}") from None
    except ValueError:
        raise _unusable(path, "is not JSON") from None
    if not _is_result(contents):
        raise _unusable(path, "is no result of a study: it has no study, or no questions with an id")
    return contents


def _is_result(contents: Any) -> bool:
    if not isinstance(contents, dict):
        return False
    whole: Json = contents  # pyright: ignore[reportUnknownVariableType]
    questions: Any = whole.get("questions")
    return (
        isinstance(whole.get("study"), dict)
        and isinstance(questions, list)
        and all(isinstance(q, dict) and "id" in q for q in questions)  # pyright: ignore[reportUnknownVariableType]
    )


def compare_results(contents: Json, published: Mapping[str, str], *, metric: str | None) -> Json:
    """The same contents, with the named questions compared.

    `published` maps a question's id to `publication/endpoint`; `metric` says how the levels of the study were
    taken, None where its predictors are no levels of the drug. Other questions stay as they are.

    Raises `ValueError` for a question, a publication, an endpoint or a drug that is not known, and for a
    question whose estimates are malformed.
    """
    from troughline.evidence.store import load_drug, resolve_published
    from troughline.response.against_published import Setting

    changed = copy.deepcopy(contents)
    known = [str(q.get("id")) for q in changed["questions"]]
    drug = load_drug(str(changed["study"].get("drug")))
    for question_id, reference in published.items():
        if question_id not in known:
            raise ValueError(f"no question {question_id!r} in the results; there are {', '.join(known)}")
        values = resolve_published(reference)
        question = changed["questions"][known.index(question_id)]
        setting = Setting(
            drug=drug,
            publication=values.publication_id,
            endpoint=values.endpoint,
            metric=metric,
            level=float(changed["study"].get("level", 0.95)),
            approximate=bool(changed["study"].get("approximate")),
            reconstructed_from=tuple(map(str, changed["study"].get("reconstructed_from") or ())),
        )
        _compare_question(question, setting)
        evidence = changed.setdefault("provenance", {}).setdefault("evidence", [])
        if values.publication_id not in [str(e) for e in evidence]:
            evidence.append(values.publication_id)
    return changed


def _compare_question(question: Json, setting: Setting) -> None:
    from troughline.response.against_published import NOTHING, compared

    try:
        estimates = tuple(Estimate(**e) for e in question.get("estimates", []))
    except TypeError:
        raise ValueError(f"question {question['id']!r}: its estimates are not those of a study") from None
    events, others = _classes(question)
    before = QuestionResult(
        id=str(question["id"]), kind=str(question.get("kind")), title="", verdict=Verdict.ANSWERED,
        summary="", estimates=estimates, series=question.get("series") or {},
    )  # fmt: skip
    after = compared(before, replace(setting, events=events, others=others))
    question["replication"] = plain(after.replication)
    tables = {k: v for k, v in question.get("tables", {}).items() if k != "against-published"}
    question["tables"] = {**tables, **plain(after.tables)}
    for key, added in (("methods", after.methods), ("references", after.references)):
        there = question[key] = [t for t in question.get(key, []) if not str(t).startswith(NOTHING)]
        there += [text for text in added if text not in there]


def _classes(question: Json) -> tuple[int | None, int | None]:
    """Patients with and without the outcome in the guarded column, where the result tells them."""
    drawn: Json = question.get("series", {}).get("distribution", {})
    outcome, guarded = drawn.get("outcome"), drawn.get("guarded")
    if not outcome or not guarded:
        return None, None
    used = [bool(o) for o, g in zip(outcome, guarded, strict=False) if g]
    return sum(used), len(used) - sum(used)


def _unusable(path: Path, message: str) -> InputError:
    return InputError([Finding(Severity.ERROR, "results", message, str(path))])
