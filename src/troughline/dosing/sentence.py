"""The one plain sentence that an answer begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from troughline.dosing.candidates import same_regimen
from troughline.dosing.recommend import labels_in_words

if TYPE_CHECKING:
    from troughline.dosing.checks import Basis
    from troughline.dosing.patient import DosePatient
    from troughline.dosing.recommend import Choice
    from troughline.dosing.regimen import Regimen
    from troughline.dosing.result import Individual
    from troughline.dosing.scores import Scores


def sentence_of(patient: DosePatient, basis: Basis, scores: Scores, choice: Choice, now: Individual) -> str:
    """What to know first: which regimen, how likely it is inside the target, what is not known."""
    best = basis.regimens[choice.best]
    p = float(scores.inside[:, choice.best].mean())
    trough = float(np.median(scores.trough[:, choice.best]))
    area = float(np.median(scores.auc_24h[:, choice.best]))
    level = (
        f"trough {trough:.2g} mg/L" if basis.limits.metric == "trough" else f"area {area:.0f} mg·h/L in 24 h"
    )
    span = _span(basis)
    if choice.answer == "target not reached":
        side = _side(scores, choice.best)
        return (
            f"No feasible regimen reaches the target of {span}: the nearest, {best.label}, gives a {level} "
            f"(median) and is inside with probability {probability_in_words(choice.p_reach)}{side}."
        )
    if choice.answer == "not distinguished":
        labels = [basis.regimens[k].label for k in sorted(choice.among)]
        current = next(
            (r for k, r in enumerate(basis.regimens) if k in choice.among and _in_force(r, patient)), None
        )
        stay = "" if current is None else f", so nothing speaks for leaving {current.label}"
        now_at = next((k for k, r in enumerate(basis.regimens) if _in_force(r, patient)), None)
        if current is None and now_at is not None:
            inside = float(scores.inside[:, now_at].mean())
            label = basis.regimens[now_at].label
            stay = (
                f", but each is better than {label}, inside with probability {probability_in_words(inside)}"
            )
        return (
            f"The evidence does not distinguish {labels_in_words(labels)} (target {span}; {best.label}: "
            f"{level}, "
            f"inside with probability {probability_in_words(p)}){stay}."
        )
    if _in_force(best, patient):
        change = "Stay on"
    else:
        change = "Restart with" if patient.regimen is None else "Change to"
    return (
        f"{change} {best.label}: in {patient.options.horizon_days:g} days a {level} (median), inside the "
        f"target of {span} with probability {probability_in_words(p)}."
    )


def probability_in_words(p: float) -> str:
    """Two digits; `less than 0.01` and `more than 0.99` where draws cannot tell it from certainty."""
    if p < 0.01:
        return "less than 0.01"
    return "more than 0.99" if p > 0.99 else f"{p:.2f}"


def lead_in_words(scores: Scores, choice: Choice, basis: Basis) -> str:
    """By what the regimens were ranked and how far the first leads: one short sentence."""
    what = "expected utility" if scores.criterion == "utility" else "the probability to be inside the target"
    best = basis.regimens[choice.best].label
    if choice.answer == "target not reached":
        most = probability_in_words(choice.p_reach)
        return f"No regimen has more than {most} to be inside the limits as printed; nearest is {best}."
    if choice.margin is None or choice.margin_error is None:
        return f"{best} is the only regimen."
    return f"By {what} {best} leads by {choice.margin:.3f} (± {choice.margin_error:.3f} of the simulation)."


def _in_force(regimen: Regimen, patient: DosePatient) -> bool:
    return patient.regimen is not None and same_regimen(regimen, patient.regimen)


def _span(basis: Basis) -> str:
    limits = basis.limits
    unit = "mg/L" if limits.metric == "trough" else "mg·h/L in 24 h"
    if limits.low is not None and limits.high is not None:
        return f"{limits.low:.3g} to {limits.high:.3g} {unit}"
    return (
        f"at least {limits.low:.3g} {unit}" if limits.low is not None else f"at most {limits.high:.3g} {unit}"
    )


def _side(scores: Scores, best: int) -> str:
    below, above = float(scores.below[:, best].mean()), float(scores.above[:, best].mean())
    if below > 2 * above:
        return ", otherwise mostly below it"
    return ", otherwise mostly above it" if above > 2 * below else ""
