"""Checks of what a study asks: its drug, the drug of each level, and the columns that hold outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from troughline.cohort.reporting import name_rows, shown
from troughline.cohort.schema import Table, question_outcomes
from troughline.cohort.values import comparable
from troughline.issues import Findings, Severity
from troughline.units import is_convertible

if TYPE_CHECKING:
    import pandas as pd

    from troughline.cohort.question_base import QuestionBase
    from troughline.cohort.studyfile import Study

DRUG_METRICS = ("trough", "clinic-visit", "auc", "average", "cmax")
_VALUES_NAMED = 6


def check_drug(study: Study, found: Findings) -> None:
    """An error for an unknown drug whose level a question needs; a warning for a trough of something else.

    The rules about troughs, steady state and dose changes come from the drug's file and hold for its level
    alone: a misspelt name would switch them off without a word. A study of covariates and markers may be of
    any drug.
    """
    from troughline.cohort.studyfile_messages import did_you_mean
    from troughline.evidence.store import list_drugs

    drug, place, known = study.study.drug, study.path.name, list_drugs()
    predictors = [(q.id, q.predictor) for q in study.question]
    levels = [(identifier, p) for identifier, p in predictors if p is not None and p.analyte is not None]
    needed = [
        f"question {identifier}"
        for identifier, p in levels
        if p.metric in DRUG_METRICS or str(p.analyte).casefold() == drug.casefold()
    ]
    if drug not in known:
        if needed:
            hint = did_you_mean(drug, known, "the known drugs")
            hint += f" (known: {', '.join(known)})" if hint.startswith("did") else ""
            found.add(
                Severity.ERROR,
                "unknown-drug",
                f"{shown(drug)} is no drug known here, and {', '.join(needed)} needs its rules for a level; "
                f"{hint}; for a marker write metric = 'level'",
                file=place,
                column="study.drug",
            )
        return
    for identifier, p in levels:
        if p.metric in DRUG_METRICS and str(p.analyte).casefold() != drug.casefold():
            found.add(
                Severity.WARNING,
                "drug-not-measured",
                f"{shown(p.analyte)} is not the study's drug ({drug}): metric = {p.metric!r} brings no rule "
                "about troughs, steady state or dose changes; for a marker write metric = 'level'",
                file=place,
                column=f"question {identifier} predictor",
            )


def check_published(question: QuestionBase, place: str, found: Findings) -> None:
    """An error where a question about markers names a study that is not on file."""
    from troughline.cohort.studyfile_messages import did_you_mean
    from troughline.evidence.store import list_publications

    known = list_publications()
    if question.published is not None and question.published not in known:
        found.add(
            Severity.ERROR, "published-unknown",
            f"no study {shown(question.published)} is on file; "
            f"{did_you_mean(question.published, known, 'the studies')}",
            file=place, column=f"question {question.id} published",
        )  # fmt: skip


def check_outcome_columns(study: Study, table: Table, patients: pd.DataFrame, found: Findings) -> None:
    """Errors for outcome columns with more than two values; a warning where the wanted one never occurs.

    Cells are compared as the outcomes compare them (`comparable`); a missing cell is no value. Whatever is
    not the wanted value counts as "no" or as censored, so that a third value is a question, not an answer.
    """
    told: set[tuple[str, str]] = set()
    for identifier, outcome in question_outcomes(study):
        if outcome.time is not None and not is_convertible(outcome.unit, "day"):
            found.add(
                Severity.ERROR,
                "unknown-unit",
                f"{shown(outcome.unit)} is no unit of time",
                file=study.path.name,
                column=f"question {identifier} unit",
            )
        for name, wanted in ((outcome.column, outcome.equals), (outcome.status, outcome.status_value)):
            if name is None or wanted is None or name not in patients.columns:
                continue
            if (name, comparable(wanted)) not in told:
                told.add((name, comparable(wanted)))
                _check_values(name, wanted, identifier, table, patients, found)


def _check_values(
    name: str, wanted: str, identifier: str, table: Table, patients: pd.DataFrame, found: Findings
) -> None:
    cells = patients[name].tolist()
    rows = patients["row"].to_numpy(dtype=np.int64)
    read = np.array([comparable(cell) for cell in cells], dtype=object)
    values = [str(v) for v in dict.fromkeys(read) if v]
    at = {value: np.flatnonzero(read == value) for value in values}
    values.sort(key=lambda value: -len(at[value]))
    parts = [
        f"{shown(_written(cells[at[v][0]]))} {len(at[v])} times ({name_rows(rows[at[v]])})"
        for v in values[:_VALUES_NAMED]
    ]
    if len(values) > _VALUES_NAMED:
        parts.append(f"{len(values) - _VALUES_NAMED} more values")
    held = "; ".join(parts) or "nothing"
    if len(values) > 2:
        found.add(
            Severity.ERROR,
            "outcome-values",
            f"an outcome has two values, {shown(wanted)} and one other (an empty cell is missing); "
            f"this column holds {len(values)}: {held}",
            file=table.file,
            column=table.called(name),
        )
    elif comparable(wanted) not in values:
        found.add(
            Severity.WARNING,
            "outcome-never",
            f"{shown(wanted)}, which question {identifier} counts, does not occur; the column holds: {held}",
            file=table.file,
            column=table.called(name),
        )


def _written(cell: object) -> str:
    return f"{cell:g}" if isinstance(cell, float) else str(cell)
