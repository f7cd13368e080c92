"""What comes before any regimen: a level that hardly anyone has, another drug that changes the exposure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from troughline.dosing.causes import changing_drugs
from troughline.dosing.recommend import labels_in_words
from troughline.issues import Severity

if TYPE_CHECKING:
    from troughline.dosing.patient import DosePatient
    from troughline.issues import Finding


def doubts(found: Iterable[Finding]) -> tuple[str, ...]:
    """What was found of levels that hardly any patient has (`plausibility.check_levels`), in words."""
    return tuple(f.message for f in found if f.code == "level-implausible" and f.severity is Severity.WARNING)


def sentence_in_doubt(patient: DosePatient, told: tuple[str, ...]) -> str:
    """The answer where a level is in doubt: what is odd, why it may be, that no regimen is named."""
    odd, *hints = told[0].split("; ")
    more = f" ({len(told) - 1} more levels are odd)" if len(told) > 1 else ""
    fits = next((h.split(":")[0] for h in hints if h.startswith("in ")), "")
    unit = "the unit is wrong" + (f" ({fits})" if fits else "")
    why = f"Either {unit}, or the time or the doses before it are"
    if any("doses taken" in h for h in hints):
        why = f"Doses were probably not all taken, or {unit}"
    stays = "" if patient.regimen is None else f", and nothing speaks for leaving {patient.regimen.label}"
    return (
        f"A level is in doubt: {odd}{more}. {why}. Until that is clear no regimen is named{stays}; take "
        "another level once the doses are known to have been taken."
    )


def with_interactions(sentence: str, patient: DosePatient) -> str:
    """An answer with the other drugs before it that change the exposure and are taken at the decision."""
    made: list[str] = []
    for direction, does in (("low", "lowers"), ("high", "raises")):
        drugs = [d for d, way in changing_drugs(patient) if way == direction]
        if not drugs:
            continue
        names = labels_in_words([d.name for d in drugs])
        names = names[0].upper() + names[1:]
        last = patient.used_levels[-1].time_h if patient.used_levels else None
        seen = last is not None and all(d.start_h is None or d.start_h < last for d in drugs)
        holds = "the answer holds while it goes on"
        if not seen:
            holds = "no level shows by how much, and the answer leaves it out"
        be = "is" if len(drugs) == 1 else "are"
        made.append(f"{names} {be} taken, which {does} the exposure: {holds}.")
    return " ".join([*made, sentence])
