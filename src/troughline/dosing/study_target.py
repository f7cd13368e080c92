"""A target from a study: its window, the cut of a threshold, or where a curve reaches a probability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from troughline.dosing.response_curve import role_of_outcome
from troughline.dosing.study_results import NotInResults, metric_of, question_of
from troughline.dosing.target import canonical_limits, file_name, result_of, target_error
from troughline.issues import Findings, Severity

if TYPE_CHECKING:
    from troughline.dosing.limits import Limits, Metric
    from troughline.dosing.patient import DosePatient
    from troughline.dosing.patient_schema import TargetEntry
    from troughline.dosing.result import TargetResult

Floats = NDArray[np.float64]
Interval = tuple[float, float] | None
CERTAIN = 0.95
"""A window that exists with less probability than this has a warning."""


class _Found:
    """Limits as a question gives them: values, 95 % intervals, unit, what they are and in how many."""

    def __init__(self, label: str, unit: str, n: int | None, uncertainty: str) -> None:
        self.label, self.unit, self.n, self.uncertainty = label, unit, n, uncertainty
        self.values: dict[str, float] = {}
        self.intervals: dict[str, tuple[float, float]] = {}
        self.exists: float | None = None


def target_of_study(
    patient: DosePatient, entry: TargetEntry, found: Findings
) -> tuple[Limits, TargetResult] | None:
    """The limits that a study's question gives; None, with an error, where it gives none.

    - `window`: both bounds with the intervals of their joint posterior.
    - `threshold`: the cut, with the range of cuts that the data do not tell from it.
    - `curve`: where the curve reaches `at_probability`; its interval is where the 95 % band reaches it.

    A limit of toxicity is an upper one and one of benefit a lower one, by the question's outcome or `side`.
    """
    where = f"question {entry.question!r} of {entry.study}"
    try:
        question, study = question_of(
            patient, entry.study or "", entry.question or "", kinds=("window", "threshold", "curve")
        )
        made = _read(question, entry, where)
        metric = metric_of(made.label, where)
    except NotInResults as fault:
        target_error(found, patient, "study-target", str(fault), "target.study")
        return None
    limits = _limits(patient, entry, metric, made, found)
    if limits is None:
        return None
    if study.get("simulated"):
        found.add(
            Severity.WARNING, "simulated-target", "the target comes from a study of simulated patients",
            file=file_name(patient), column="target.study",
        )  # fmt: skip
    if made.exists is not None and made.exists < CERTAIN:
        found.add(
            Severity.WARNING, "uncertain-window",
            f"by {where} there is a window at all with probability {made.exists:.2f} only; its limits are "
            "drawn as if there were one", file=file_name(patient), column="target.study",
        )  # fmt: skip
    return limits, result_of(
        limits, identifier=f"{entry.study}#{entry.question}", label=made.label or "window of the study",
        kind="study", citation=str(study.get("title", "")),
        uncertainty=made.uncertainty if limits.uncertain else "taken as exact", n=made.n,
    )  # fmt: skip


def _limits(
    patient: DosePatient, entry: TargetEntry, metric: Metric, made: _Found, found: Findings
) -> Limits | None:
    def interval(side: str) -> Interval:
        return None if entry.fixed else made.intervals.get(side)

    return canonical_limits(
        patient, metric, entry.hours, made.unit, (made.values.get("lower"), made.values.get("upper")),
        (interval("lower"), interval("upper")), found,
    )  # fmt: skip


def _read(question: dict[str, Any], entry: TargetEntry, where: str) -> _Found:
    match question["kind"]:
        case "window":
            return _window(question)
        case "threshold":
            return _threshold(question, entry, where)
        case _:
            return _curve(question, entry, where)


def _window(question: dict[str, Any]) -> _Found:
    rows: dict[str, dict[str, Any]] = {
        side: e for e in question["estimates"] for side in ("lower", "upper")
        if e["name"] == f"window_{side}" and str(e["method"]).startswith("guarded")
    }  # fmt: skip
    empty: dict[str, Any] = {}
    first = next(iter(rows.values()), empty)
    made = _Found(
        str(question["series"].get("label", "")),
        str(first.get("unit", "")),
        _count(first),
        "the 95 % intervals of a joint posterior; both limits are drawn independently, which it does not say",
    )
    for side, row in rows.items():
        if row["value"] is None:
            continue
        made.values[side] = float(row["value"])
        if None not in (row["low"], row["high"]):
            made.intervals[side] = (float(row["low"]), float(row["high"]))
    exists = [e["value"] for e in question["estimates"] if e["name"] == "p_window_exists"]
    made.exists = None if not exists or exists[0] is None else float(exists[0])
    return made


def _threshold(question: dict[str, Any], entry: TargetEntry, where: str) -> _Found:
    shown: dict[str, Any] = question["series"].get("distribution", {})
    rows = [e for e in question["estimates"] if e["name"] == "threshold"]
    cuts = [e for e in rows if str(e["method"]).startswith("as-published") and e["value"] is not None]
    spans = [
        e for e in rows
        if str(e["method"]).startswith("guarded: cuts") and None not in (e["low"], e["high"])
    ]  # fmt: skip
    if not cuts or not spans:
        raise NotInResults(f"{where} has no cut with a range")
    cut, low, high = float(cuts[0]["value"]), float(spans[0]["low"]), float(spans[0]["high"])
    if not low <= cut <= high:
        raise NotInResults(f"the cut of {where}, {cut:g}, lies outside its range {low:g} to {high:g}")
    made = _Found(
        str(shown.get("label", "")),
        str(cuts[0]["unit"]),
        _count(cuts[0]),
        "the cuts within sampling error of the best one",
    )
    side = _side(entry, str(shown.get("outcome_label", "")), where)
    made.values[side], made.intervals[side] = cut, (low, high)
    return made


def _curve(question: dict[str, Any], entry: TargetEntry, where: str) -> _Found:
    if entry.at_probability is None:
        raise NotInResults(f"{where} is a curve: at_probability says at what probability the limit lies")
    curve: dict[str, Any] = question["series"]["curve"]
    x, mean, low, high = (np.asarray(curve[k], dtype=np.float64) for k in ("exposure", "mean", "low", "high"))
    value = _reaches(x, mean, entry.at_probability)
    if value is None:
        raise NotInResults(
            f"the curve of {where} runs from {mean[0]:.2f} to {mean[-1]:.2f} and does not cross "
            f"{entry.at_probability:g} once"
        )
    ends = sorted(
        e if e is not None else (x[0] if band[0] > entry.at_probability else x[-1])
        for band in (low, high) for e in [_reaches(x, band, entry.at_probability)]
    )  # fmt: skip
    n = len(curve.get("observed", {}).get("exposure", [])) or None
    made = _Found(
        str(curve.get("label", "")),
        str(curve["unit"]),
        n,
        f"where the 95 % band reaches {entry.at_probability:g}, at most the exposures studied",
    )
    side = _side(entry, str(curve.get("outcome_label", "")), where)
    made.values[side] = value
    made.intervals[side] = (min(float(ends[0]), value), max(float(ends[-1]), value))
    return made


def _reaches(x: Floats, y: Floats, p: float) -> float | None:
    """Where a curve crosses p, by straight lines; None unless it does so exactly once."""
    over = y >= p
    at = np.flatnonzero(over[1:] != over[:-1])
    if len(at) != 1:
        return None
    k = int(at[0])
    return float(x[k] + (p - y[k]) / (y[k + 1] - y[k]) * (x[k + 1] - x[k]))


def _side(entry: TargetEntry, outcome: str, where: str) -> Literal["lower", "upper"]:
    if entry.side is not None:
        return entry.side
    role = role_of_outcome(outcome)
    if role is None:
        raise NotInResults(
            f'the outcome of {where} is {outcome!r}: side = "upper" (toxicity) or "lower" (benefit) says '
            "which limit it gives"
        )
    return "upper" if role == "toxicity" else "lower"


def _count(row: dict[str, Any]) -> int | None:
    return None if row.get("n") is None else int(row["n"])
