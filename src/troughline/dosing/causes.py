"""The common causes of low or high exposure, held against what the patient file shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from troughline.dosing.result import Cause

if TYPE_CHECKING:
    from troughline.dosing.patient import DosePatient
    from troughline.evidence.drug_sections import ExposureCause

Status = Literal["present", "absent", "not known"]


def common_causes(patient: DosePatient, direction: Literal["low", "high", "typical"]) -> tuple[Cause, ...]:
    """Every cause on file for the drug; those of the patient's own direction first, then those present."""
    from troughline.evidence.store import load_drug

    made = [_held(patient, cause) for cause in load_drug(patient.drug).exposure_cause]
    order = {"present": 0, "not known": 1, "absent": 2}
    return tuple(sorted(made, key=lambda c: (c.direction != direction, order[c.status])))


def _held(patient: DosePatient, cause: ExposureCause) -> Cause:
    status, text = _SIGNS[cause.sign](patient, cause)
    source = "; ".join(part for part in (cause.source, cause.where) if part)
    return Cause(
        id=cause.id, direction=cause.direction, label=cause.label, status=status, text=text, size=cause.size,
        source=source, verified=cause.verified,
    )  # fmt: skip


def _adherence(patient: DosePatient, cause: ExposureCause) -> tuple[Status, str]:
    if patient.adherence is None:
        return "not known", "the file says nothing of adherence"
    said = f"adherence {patient.adherence:.0%}"
    return ("present" if patient.adherence < (cause.limit or 0) else "absent"), said


def _missed(patient: DosePatient, cause: ExposureCause) -> tuple[Status, str]:
    n, missed = len(patient.doses), len(patient.missed_h)
    share = missed / (n + missed)
    said = f"{missed} of {n + missed} doses are written as missed"
    return ("present" if share > (cause.limit or 0) else "absent"), said


def _food(patient: DosePatient, cause: ExposureCause) -> tuple[Status, str]:
    told = [d.food for d in patient.doses if d.food != "not known"]
    if not told:
        return "not known", "the file says nothing of food"
    hit = sum(food in cause.words for food in told)
    if hit:
        return "present", f"{hit} of {len(patient.doses)} doses with a {cause.words[0]}"
    return "absent", f"taken {', '.join(sorted(set(told)))}"


def _other_drug(patient: DosePatient, cause: ExposureCause) -> tuple[Status, str]:
    words = [w.casefold() for w in cause.words]
    hit = [
        d.name for d in patient.other_drugs
        if (d.kind or "").casefold() in words or any(w in d.name.casefold() for w in words)
    ]  # fmt: skip
    if hit:
        return "present", f"takes {', '.join(hit)}"
    if patient.other_drugs:
        return "absent", f"none among {', '.join(d.name for d in patient.other_drugs)}"
    if patient.no_other_drugs:
        return "absent", "the file says that there are no other drugs"
    return "not known", "the file names no other drugs"


def _covariate(patient: DosePatient, cause: ExposureCause) -> tuple[Status, str]:
    given = [c for c in patient.covariates if c.name.casefold() == (cause.covariate or "").casefold()]
    if not given:
        return "not known", f"the file gives no {cause.covariate}"
    last = given[-1]
    if isinstance(last.value, str):
        found = last.value.casefold() in [w.casefold() for w in cause.words]
        return ("present" if found else "absent"), f"{cause.covariate} {last.value}"
    from troughline.units import convert, is_convertible

    unit = last.unit or cause.unit or "1"
    if cause.limit is None or cause.unit is None or not is_convertible(unit, cause.unit):
        return "not known", f"{cause.covariate} {last.value:g} {last.unit or ''} cannot be compared".rstrip()
    number = convert(float(last.value), unit, cause.unit)
    beyond = number > cause.limit if cause.beyond == "above" else number < cause.limit
    said = f"{cause.covariate} {number:g} {cause.unit}, limit {cause.limit:g}"
    return ("present" if beyond else "absent"), said


def _time_on_drug(patient: DosePatient, cause: ExposureCause) -> tuple[Status, str]:
    days = (patient.now_h - patient.doses[0].time_h) / 24.0
    return ("present" if days > (cause.limit or 0) else "absent"), f"{days:.0f} days on the drug"


_SIGNS = {
    "adherence": _adherence,
    "missed": _missed,
    "food": _food,
    "other drug": _other_drug,
    "covariate": _covariate,
    "time on drug": _time_on_drug,
}
