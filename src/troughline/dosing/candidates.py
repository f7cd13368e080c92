"""The regimens that can be chosen: what the drug's tablets make, within the patient's limits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from troughline.dosing.regimen import Regimen
from troughline.dosing.result import RegimenCard
from troughline.dosing.tolerance import HOLD_DAYS, ongoing_severe, ruled_out
from troughline.issues import Findings, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from troughline.dosing.patient import DosePatient
    from troughline.evidence.records import Drug

_SAME = 1e-6


def drug_regimens(drug_id: str) -> tuple[Regimen, ...]:
    """Every regimen on file for a drug, those that need leave too, in the file's order."""
    from troughline.evidence.store import load_drug

    return tuple(
        Regimen(
            id=r.id, label=r.label, amounts_mg=r.amounts_mg, interval_h=r.interval_h, basis=r.basis,
            source="; ".join(part for part in (r.source or r.where, r.note) if part), verified=r.verified,
        )
        for r in load_drug(drug_id).regimen
    )  # fmt: skip


def feasible_regimens(patient: DosePatient, found: Findings) -> tuple[Regimen, ...]:
    """The regimens to compare, highest daily dose first; empty, with an error, where there is none.

    Those of the drug's file, without those that need leave unless `options.allow` names them, up to the
    largest daily dose that the patient bears; the regimen in force, where it is none of these; with
    `options.hold_days`, holding before a restart at a dose not above the one in force, and only that while
    a severe toxicity is not over.
    """
    from troughline.evidence.store import load_drug

    options, file = patient.options, _file(patient)
    drug = load_drug(patient.drug)
    on_file = drug_regimens(patient.drug)
    if not on_file:
        found.add(
            Severity.ERROR, "no-regimens",
            f"{patient.drug} has no regimens on file, made of its tablets' strengths: nothing to choose from",
            file=file, column="patient.drug",
        )  # fmt: skip
        return ()
    if not _known_ids(patient, on_file, found):
        return ()
    leave = {r.id for r in drug.regimen if r.needs_leave}
    chosen = [r for r in on_file if r.id not in leave or r.id in options.allow]
    if options.regimens:
        chosen = [r for r in on_file if r.id in options.regimens]
        for r in chosen:
            if r.id in leave and r.id not in options.allow:
                found.add(
                    Severity.ERROR, "needs-leave",
                    f"{r.label} is offered only with options.allow = [{r.id!r}]",
                    file=file, column="options.regimens",
                )  # fmt: skip
                return ()
    current = patient.regimen
    if current is not None and not any(same_regimen(r, current) for r in chosen):
        known = next((r for r in on_file if same_regimen(r, current)), None)
        if not options.regimens:
            chosen.append(known or current)
            if known is None:
                found.add(
                    Severity.NOTE, "current-not-on-file",
                    f"{current.label}, the regimen in force, is none of the drug's on file; it is compared "
                    "as it is", file=file, column="dose",
                )  # fmt: skip
    chosen = _within_tolerance(patient, chosen, found)
    chosen = _with_holds(patient, chosen, found)
    if not chosen:
        found.add(
            Severity.ERROR, "no-regimens", "no regimen is left within the patient's limits: by the drug's "
            "regimens on file nothing but to stop it is left", file=file, column="tolerance",
        )  # fmt: skip
    return tuple(sorted(chosen, key=lambda r: (-r.daily_dose_mg, r.hold_h, -r.largest_dose_mg, r.id)))


def same_regimen(a: Regimen, b: Regimen) -> bool:
    """Whether two regimens give the same amounts at the same distances; a cycle may begin anywhere."""
    if len(a.amounts_mg) != len(b.amounts_mg) or abs(a.interval_h - b.interval_h) > _SAME:
        return False
    if a.hold_h != b.hold_h:
        return False
    turns = [b.amounts_mg[k:] + b.amounts_mg[:k] for k in range(len(b.amounts_mg))]
    return any(all(abs(x - y) < _SAME for x, y in zip(a.amounts_mg, turn, strict=True)) for turn in turns)


def above_label_in_words(sentence: str, named: Sequence[Regimen]) -> str:
    """An answer's sentence, with a word on those regimens it names that exceed the label's dose."""
    over = [r.label for r in named if r.basis == "above label"]
    if not over:
        return sentence
    return f"{sentence} {' and '.join(over)} {'is' if len(over) == 1 else 'are'} above the label's dose."


def card(regimen: Regimen, patient: DosePatient, drug: Drug) -> RegimenCard:
    """A regimen as it is shown."""
    current = patient.regimen is not None and same_regimen(regimen, patient.regimen)
    return RegimenCard(
        id=regimen.id, label=regimen.label, amounts_mg=regimen.amounts_mg, interval_h=regimen.interval_h,
        daily_dose_mg=regimen.daily_dose_mg, hold_days=regimen.hold_h / 24.0,
        tablets=_tablets(regimen, drug.tablet_strength_mg), basis=regimen.basis, source=regimen.source,
        verified=regimen.verified, current=current,
    )  # fmt: skip


def _tablets(regimen: Regimen, strength_mg: float) -> str:
    counts = [a / strength_mg for a in regimen.amounts_mg]
    if any(abs(c - round(c)) > _SAME for c in counts):
        return f"not in whole tablets of {strength_mg:g} mg"
    words = " then ".join(f"{round(c)}" for c in counts)
    one = len(counts) == 1 and round(counts[0]) == 1
    return f"{words} tablet{'' if one else 's'} of {strength_mg:g} mg every {regimen.interval_h:g} h"


def _known_ids(patient: DosePatient, on_file: tuple[Regimen, ...], found: Findings) -> bool:
    from troughline.cohort.studyfile_messages import did_you_mean

    known = [r.id for r in on_file]
    fine = True
    for name in ("regimens", "allow"):
        for written in getattr(patient.options, name):
            if written not in known:
                fine = False
                found.add(
                    Severity.ERROR, "unknown-regimen",
                    f"{written!r} is no regimen on file; {did_you_mean(written, known, 'the regimens')}",
                    file=_file(patient), column=f"options.{name}",
                )  # fmt: skip
    return fine


def _within_tolerance(patient: DosePatient, regimens: list[Regimen], found: Findings) -> list[Regimen]:
    most = patient.largest_daily_dose_mg
    if most is None:
        return _not_toxic_again(patient, regimens, found)
    left_out = [r for r in regimens if r.daily_dose_mg > most + _SAME]
    if left_out:
        why = f" ({patient.tolerance_reason})" if patient.tolerance_reason else ""
        found.add(
            Severity.NOTE, "above-tolerance", f"not offered, above {most:g} mg a day{why}: "
            + ", ".join(r.label for r in left_out), file=_file(patient), column="tolerance",
        )  # fmt: skip
    return [r for r in regimens if r.daily_dose_mg <= most + _SAME]


def _not_toxic_again(patient: DosePatient, regimens: list[Regimen], found: Findings) -> list[Regimen]:
    """Without the doses at which severe toxicity came, where the patient is not on them any more."""
    reasons = {r.label: t for r in regimens for t in [ruled_out(patient, r)] if t is not None}
    for t in dict.fromkeys(t.words for t in reasons.values()):
        out = [label for label, why in reasons.items() if why.words == t]
        found.add(
            Severity.WARNING, "toxic-dose", f"not offered after {t}: {', '.join(out)}; "
            "tolerance.largest_daily_dose_mg, with its reason, offers what the patient is thought to bear",
            file=_file(patient), column="tolerance",
        )  # fmt: skip
    return [r for r in regimens if r.label not in reasons]


def _with_holds(patient: DosePatient, regimens: list[Regimen], found: Findings) -> list[Regimen]:
    """With `options.hold_days` also a hold before a label dose not above the one in force.

    While a severe toxicity is not over nothing is offered but a hold before such a dose, of 7 days unless
    the file says so.
    """
    if patient.regimen is None:
        return regimens
    most = patient.regimen.daily_dose_mg + _SAME
    ongoing, days = ongoing_severe(patient), patient.options.hold_days
    if not ongoing:
        if days is None:
            return regimens
        return [
            *regimens,
            *(_held(r, days) for r in regimens if r.basis == "label" and r.daily_dose_mg <= most),
        ]
    if days is None:
        days = HOLD_DAYS
        found.add(
            Severity.NOTE, "default-used", f"options.hold_days is not given: a hold of {days:g} days is "
            f"offered for {ongoing[-1].words}", file=_file(patient), column="options.hold_days",
        )  # fmt: skip
    return [_held(r, days) for r in regimens if r.daily_dose_mg <= most]


def hold_words(hold_h: float) -> str:
    """How the label of a regimen after a hold begins; empty without a hold."""
    return f"hold {hold_h / 24.0:g} days, then " if hold_h else ""


def _held(r: Regimen, days: float) -> Regimen:
    hold_h = 24.0 * days
    return replace(r, id=f"hold-{days:g}-{r.id}", label=hold_words(hold_h) + r.label, hold_h=hold_h)


def _file(patient: DosePatient) -> str:
    return patient.path.name if patient.path is not None else "patient"
