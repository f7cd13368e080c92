"""The common causes of low or high exposure, held against what the patient file shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from troughline.dosing.result import Cause
from troughline.issues import Findings, Severity

if TYPE_CHECKING:
    from troughline.dosing.patient import DosePatient, OtherDrug
    from troughline.evidence.drug_sections import ExposureCause

EFFECT_H = 14 * 24.0
"""For so long another drug's effect may build up, and last after its end."""
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
        id=cause.id, direction=cause.direction, effect=cause.effect, label=cause.label, status=status,
        text=text, size=cause.size, source=source, verified=cause.verified,
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
    hit = [d for d in patient.other_drugs if _is_of(d, cause)]
    when = [level.time_h for level in patient.used_levels] or [patient.now_h]
    beside = [d.name for d in hit if any(_acts_at(d, t) for t in when)]
    if beside:
        return "present", f"takes {', '.join(beside)}"
    if hit:
        names = ", ".join(d.name for d in hit)
        return "absent", f"{names}, but not at the time of {'a level' if patient.used_levels else 'now'}"
    if patient.other_drugs:
        return "absent", f"none among {', '.join(d.name for d in patient.other_drugs)}"
    if patient.no_other_drugs:
        return "absent", "the file says that there are no other drugs"
    return "not known", "the file names no other drugs"


def _is_of(drug: OtherDrug, cause: ExposureCause) -> bool:
    words = [w.casefold() for w in cause.words]
    return (drug.kind or "").casefold() in words or any(w in drug.name.casefold() for w in words)


def _acts_at(drug: OtherDrug, time_h: float) -> bool:
    """Whether a drug is taken at a time, or its effect may still last."""
    begun = drug.start_h is None or drug.start_h <= time_h
    return begun and (drug.until_h is None or drug.until_h >= time_h - EFFECT_H)


def changing_drugs(patient: DosePatient) -> tuple[tuple[OtherDrug, str], ...]:
    """The other drugs taken at the decision that are shown to change the exposure: `low` or `high`."""
    from troughline.evidence.store import load_drug

    causes = [
        c for c in load_drug(patient.drug).exposure_cause
        if c.sign == "other drug" and c.effect in ("shown", "conflicting") and c.direction != "unbound"
    ]  # fmt: skip
    now = patient.now_h
    return tuple(
        (drug, cause.direction)
        for drug in patient.other_drugs
        for cause in causes
        if _is_of(drug, cause)
        and (drug.start_h is None or drug.start_h <= now)
        and (drug.until_h is None or drug.until_h >= now)
    )


def report_other_drugs(patient: DosePatient, found: Findings) -> None:
    """Warn of a drug that changes the exposure, or may, where levels and forecast do not share its effect."""
    from troughline.evidence.store import load_drug

    causes = [
        c for c in load_drug(patient.drug).exposure_cause if c.sign == "other drug" and c.effect != "none"
    ]
    levels = patient.used_levels
    last = levels[-1].time_h if levels else None
    for k, drug in enumerate(patient.other_drugs):
        if not any(_is_of(drug, cause) for cause in causes):
            continue
        if drug.until_h is not None and drug.until_h < patient.now_h - EFFECT_H and last is None:
            continue
        what = _out_of_step(drug, last, patient.now_h)
        if what is not None:
            found.add(
                Severity.WARNING, "interaction-changes",
                f"{drug.name} {what}: the forecast leaves the change of its effect out; take a level two "
                "weeks after the change", file=patient.path.name if patient.path is not None else "patient",
                column=f"with_drug.{k + 1}",
            )  # fmt: skip


def _out_of_step(drug: OtherDrug, last_h: float | None, now_h: float) -> str | None:
    if last_h is None:
        return "acts, and no level shows how much"
    if drug.start_h is not None and drug.start_h > last_h - EFFECT_H:
        if drug.start_h > last_h:
            return f"starts {_days(drug.start_h - last_h)} after the last level"
        return f"started only {_days(last_h - drug.start_h)} before the last level"
    if drug.until_h is not None and drug.until_h > last_h - EFFECT_H:
        apart = drug.until_h - now_h
        return f"ends {_days(abs(apart))} {'after' if apart >= 0 else 'before'} the decision"
    return None


def _days(hours: float) -> str:
    days = round(hours / 24.0)
    return "less than a day" if days == 0 else f"{days} day{'' if days == 1 else 's'}"


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
