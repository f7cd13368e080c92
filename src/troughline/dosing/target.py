"""The target of a patient file, with its uncertainty: published, a study's result, or limits by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from troughline.dosing.limits import Limits, Metric
from troughline.dosing.result import TargetResult
from troughline.issues import Findings, Severity

if TYPE_CHECKING:
    from pathlib import Path

    from troughline.dosing.patient import DosePatient
    from troughline.dosing.patient_schema import TargetEntry
    from troughline.evidence.records import Number, Publication

_LOWER = ("response", "benefit", "target")
COMPARABLE: dict[str, Metric] = {"trough": "trough", "auc": "auc"}
"""Metrics of a published limit that the prediction has too."""
REASONS = {
    "clinic-visit": "single levels at clinic visits, at no stated time after the dose: no troughs",
    "cmax": "a peak, not a trough",
    "level": "levels at no stated time after the dose",
    "cumulative-auc": "a cumulative area: it grows with time on the drug",
}
HOURS_OF_PUBLISHED_AUC = 12.0
"""A published area is that of a dosing interval of 12 h, unless said otherwise."""


def target_of(patient: DosePatient, found: Findings) -> tuple[Limits, TargetResult] | None:
    """The target that a patient file names; None, with an error, where there is none or it cannot be had."""
    entry = patient.file.target if patient.file is not None else None
    if entry is None:
        target_error(
            found, patient, "no-target", "there is no [target]: name a published one (see `published`), a "
            "study's result, or limits by hand; there is no default", "target",
        )  # fmt: skip
        return None
    if entry.published is not None:
        return _published(patient, entry, entry.published, found)
    if entry.study is not None:
        from troughline.dosing.study_target import target_of_study

        return target_of_study(patient, entry, found)
    return _by_hand(patient, entry, found)


def known_targets(drug_id: str) -> tuple[str, ...]:
    """The ids of the published targets, windows and thresholds of a drug's exposure, comparable or not."""
    return tuple(f"{study.id}/{n.id}" for study, n in published_numbers(drug_id))


def published_numbers(drug_id: str) -> list[tuple[Publication, Number]]:
    """Every published target, window and threshold of a drug's exposure with its study."""
    from troughline.evidence.store import list_publications, load_publication, text_of

    words = ('"threshold"', '"target"', '"window"')
    made: list[tuple[Publication, Number]] = []
    for identifier in list_publications():
        if not any(word in text_of(identifier) for word in words):
            continue
        study = load_publication(identifier)
        if study.drug == drug_id:
            made += [(study, n) for n in study.number if n.quantity in ("threshold", "target", "window")]
    return made


def published_limits(
    study: Publication, number: Number, *, molar_mass: float, fixed: bool = False
) -> tuple[Limits, TargetResult]:
    """A published number as limits. Raises `ValueError` where its unit is no level or area.

    A threshold of toxicity is an upper limit, any other threshold and a target a lower one. A cut that the
    study's own patients gave, without an interval, is as uncertain as a cut of that many patients is: the
    central 95 % of cut / true limit are on file (`evidence.cut_spread`), and the true limit is the cut over
    them. A target set beforehand is taken as exact.
    """
    from troughline.units import convert

    metric: Metric = "auc" if number.metric in ("auc", "cumulative-auc") else "trough"
    canonical = "mg*h/L" if metric == "auc" else "mg/L"
    # Areas are compared per 24 h.
    scale = 24.0 / HOURS_OF_PUBLISHED_AUC if number.metric == "auc" else 1.0

    def converted(value: float | None) -> float | None:
        if value is None:
            return None
        return scale * convert(value, number.unit, canonical, molar_mass_g_per_mol=molar_mass)

    if number.quantity == "window":
        low, high = converted(number.low), converted(number.high)
    elif number.quantity == "threshold" and number.endpoint not in _LOWER:
        low, high = None, converted(number.value)
    else:
        low, high = converted(number.value), None
    n = number.n or study.n
    uncertainty = "taken as exact: the file says so" if fixed else "a target set beforehand: taken as exact"
    low_interval = high_interval = None
    taken_over = number.quantity == "window" and number.endpoint == "target"
    if taken_over and not fixed:
        uncertainty = "limits taken over from another study, whose uncertainty is not in them: as exact"
    elif number.quantity != "target" and n is not None and not fixed:
        from troughline.evidence.cut_spread import cut_spread

        down, up = cut_spread().factors(n)
        # The factors are of the cut over the true limit, so the true limit is the cut over the factors.
        low_interval = None if low is None else (low / up, low / down)
        high_interval = None if high is None else (high / up, high / down)
        uncertainty = (
            f"no interval is printed; as a cut-off found in {n} patients lies within {down:.2f} to {up:.2f} "
            f"times the true limit, the true limit lies within {1 / up:.2f} to {1 / down:.2f} times the "
            "printed one (95 %)"
        )
        if low is not None and high is not None:
            uncertainty += "; both limits come from the same patients, and are drawn independently"
    elif number.quantity != "target" and n is None and not fixed:
        uncertainty = "no interval and no number of patients is printed: taken as exact"
    limits = Limits(metric=metric, low=low, high=high, low_interval=low_interval, high_interval=high_interval)
    return limits, TargetResult(
        interval_h=number.interval_h if metric == "trough" else None,
        id=f"{study.id}/{number.id}", label=number.label, kind="published",
        metric=number.metric or metric, low=low, high=high, low_interval=low_interval,
        high_interval=high_interval, unit=canonical, n=n, design=study.design, population=study.population,
        citation=study.citation, doi=number.doi or study.doi, verified=number.verified,
        uncertainty=uncertainty, note=number.note,
    )  # fmt: skip


def _published(
    patient: DosePatient, entry: TargetEntry, reference: str, found: Findings
) -> tuple[Limits, TargetResult] | None:
    from troughline.cohort.studyfile_messages import did_you_mean
    from troughline.evidence.store import load_drug

    for study, number in published_numbers(patient.drug):
        if f"{study.id}/{number.id}" != reference:
            continue
        if number.metric not in COMPARABLE:
            target_error(
                found, patient, "target-not-comparable",
                f"{reference} is of {REASONS.get(number.metric or '', number.metric or 'no metric')}; to "
                "use its "
                "limits all the same, give them by hand",
                "target.published",
            )  # fmt: skip
            return None
        mass = load_drug(patient.drug).molar_mass_g_per_mol
        return published_limits(study, number, molar_mass=mass, fixed=entry.fixed)
    hint = did_you_mean(reference, known_targets(patient.drug), "the targets")
    target_error(
        found, patient, "unknown-target", f"{reference!r} is no published target; {hint}", "target.published"
    )
    return None


def _by_hand(patient: DosePatient, entry: TargetEntry, found: Findings) -> tuple[Limits, TargetResult] | None:
    intervals = (None, None) if entry.fixed else (entry.low_interval, entry.high_interval)
    made = canonical_limits(
        patient, entry.metric, entry.hours, entry.unit or "", (entry.low, entry.high), intervals, found
    )
    if made is None:
        return None
    return made, result_of(
        made, identifier="given", label="limits given in the patient file", kind="given",
        citation=entry.source, uncertainty="the intervals given" if made.uncertain else "taken as exact",
    )  # fmt: skip


def canonical_limits(
    patient: DosePatient, metric: Metric, hours: float, unit: str,
    values: tuple[float | None, float | None],
    intervals: tuple[tuple[float, float] | None, tuple[float, float] | None], found: Findings,
) -> Limits | None:  # fmt: skip
    """Limits in canonical units, an area in 24 h; None, with an error, where the unit or a limit is wrong."""
    from troughline.evidence.store import load_drug
    from troughline.units import convert, is_convertible

    canonical = "mg*h/L" if metric == "auc" else "mg/L"
    mass = load_drug(patient.drug).molar_mass_g_per_mol
    if not is_convertible(unit, canonical, molar_mass_g_per_mol=mass):
        target_error(
            found, patient, "unit", f"{unit!r} is no unit of a {metric}, such as {canonical}", "target.unit"
        )
        return None
    scale = 24.0 / hours if metric == "auc" else 1.0

    def converted(value: float) -> float:
        return scale * convert(value, unit, canonical, molar_mass_g_per_mol=mass)

    try:
        return Limits(
            metric=metric,
            low=None if values[0] is None else converted(values[0]),
            high=None if values[1] is None else converted(values[1]),
            low_interval=None
            if intervals[0] is None
            else (converted(intervals[0][0]), converted(intervals[0][1])),
            high_interval=None
            if intervals[1] is None
            else (converted(intervals[1][0]), converted(intervals[1][1])),
        )
    except ValueError as fault:
        target_error(found, patient, "target-limits", str(fault), "target")
        return None


def result_of(
    limits: Limits, *, identifier: str, label: str, kind: Literal["study", "given"], citation: str,
    uncertainty: str, n: int | None = None,
) -> TargetResult:  # fmt: skip
    """Limits as a result shows them."""
    return TargetResult(
        id=identifier, label=label, kind=kind, metric=limits.metric, low=limits.low, high=limits.high,
        low_interval=limits.low_interval, high_interval=limits.high_interval,
        unit="mg*h/L" if limits.metric == "auc" else "mg/L", n=n, design="", population="",
        citation=citation, doi=None, verified=True, uncertainty=uncertainty,
    )  # fmt: skip


def results_path(patient: DosePatient, written: str) -> Path:
    """A file that a patient file names, beside it where the path is relative."""
    from pathlib import Path

    return patient.path.parent / written if patient.path is not None else Path(written)


def target_error(found: Findings, patient: DosePatient, code: str, message: str, place: str) -> None:
    found.add(Severity.ERROR, code, message, file=file_name(patient), column=place)


def file_name(patient: DosePatient) -> str:
    return patient.path.name if patient.path is not None else "patient"
