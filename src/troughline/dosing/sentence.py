"""The one plain sentence that an answer begins with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from troughline.dosing.candidates import same_regimen
from troughline.dosing.recommend import labels_in_words

if TYPE_CHECKING:
    from troughline.dosing.checks import Basis
    from troughline.dosing.patient import DosePatient
    from troughline.dosing.recommend import Choice
    from troughline.dosing.regimen import Regimen
    from troughline.dosing.result import NextSample
    from troughline.dosing.scores import Scores


def sentence_of(
    patient: DosePatient, basis: Basis, scores: Scores, choice: Choice, further: NextSample | None,
    *, lead: str = "",
) -> str:  # fmt: skip
    """What to know first: which regimen, how likely it is inside the target, what is not known.

    `further` says when a level is worth most; `lead` is a sentence that comes before any answer.
    """
    answers = {
        "no level": _no_level, "target not reached": _not_reached, "not distinguished": _not_distinguished,
        "regimen": _one_regimen,
    }  # fmt: skip
    told = _Told(patient=patient, basis=basis, scores=scores, choice=choice, further=further)
    return f"{lead} {answers[choice.answer](told)}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What a sentence is about."""

    patient: DosePatient
    basis: Basis
    scores: Scores
    choice: Choice
    further: NextSample | None

    def label(self, k: int) -> str:
        return self.basis.regimens[k].label

    def labels(self, ks: Sequence[int]) -> str:
        return labels_in_words([self.label(k) for k in ks])

    def inside(self, k: int) -> str:
        """P(in) as in the table."""
        return probability_in_words(float(self.scores.inside[:, k].mean()))

    def printed(self, k: int) -> str:
        return probability_in_words(float(self.scores.inside_as_printed[:, k].mean()))

    def level(self, k: int) -> str:
        if self.basis.limits.metric == "trough":
            return f"trough {float(np.median(self.scores.trough[:, k])):.2g} mg/L"
        return f"area {float(np.median(self.scores.auc_24h[:, k])):.0f} mg·h/L in 24 h"

    def utility(self, k: int) -> str:
        return f"{float(self.scores.ranked[:, k].mean()):.3f}"

    @property
    def current(self) -> int | None:
        return next((k for k, r in enumerate(self.basis.regimens) if _in_force(r, self.patient)), None)


def _no_level(told: _Told) -> str:
    further, current = told.further, told.current
    when = "just before a dose, once levels are steady"
    if further is not None and further.candidates:
        when = further.candidates[further.best if further.best is not None else 0].label
    if current is None:
        return f"No level: nothing individual is known, so no regimen is proposed; take a level {when}."
    return (
        f"No level: nothing individual is known, so nothing speaks for leaving {told.label(current)}; take a "
        f"level {when}. In patients with these covariates it gives a {told.level(current)} (median), inside "
        f"the target of {_span(told.basis)} with probability {told.inside(current)}."
    )


def _not_reached(told: _Told) -> str:
    choice, best = told.choice, told.choice.best
    likeliest = ""
    if choice.likeliest != best and told.printed(choice.likeliest) != told.printed(best):
        likeliest = f"; {told.label(choice.likeliest)} is inside the limits as printed most often, with "
        likeliest += f"probability {told.printed(choice.likeliest)}"
    return (
        f"No feasible regimen reaches the target of {_span(told.basis)}: the nearest, {told.label(best)}, "
        f"gives a {told.level(best)} (median) and is inside with probability {told.inside(best)} "
        f"({told.printed(best)} with the limits as printed){_side(told.scores, best)}{likeliest}."
    )


def _not_distinguished(told: _Told) -> str:
    choice, current = told.choice, told.current
    among = sorted(choice.among)
    by_utility = told.scores.criterion == "utility"
    which = f"target {_span(told.basis)}; {told.label(choice.best)}: {told.level(choice.best)}"
    chances = labels_in_words([told.inside(k) for k in among])
    utilities = labels_in_words([told.utility(k) for k in among])
    which += f"; expected utility {utilities}" if by_utility else ""
    which += f"; inside with probability {chances}"
    said = f"The evidence does not distinguish {told.labels(among)} ({which})"
    if choice.one_sided:
        said = (
            f"Too few draws tell whether {told.labels(among)} is the smallest change that reaches the target "
            f"({which})"
        )
    elif current is not None and current in choice.among:
        said += f", so nothing speaks for leaving {told.label(current)}"
    elif current is not None and choice.better:
        better = sorted(choice.better)
        who = "each" if len(better) == len(among) else f"{told.labels(better)}"
        is_ = "are" if len(better) > 1 and who != "each" else "is"
        than = f"inside with probability {told.inside(current)}"
        if by_utility:
            than = f"expected utility {told.utility(current)}, {than}"
        said += f", but {who} {is_} better than {told.label(current)} ({than})"
    if choice.unresolved and not choice.one_sided:
        others = told.labels(sorted(choice.unresolved))
        if len(choice.unresolved) == len(among) - 1:
            said += "; more draws may tell them apart"
        else:
            said += f"; more draws may tell {others} from {told.label(choice.best)}"
    return said + _seldom_inside(told) + "."


def _one_regimen(told: _Told) -> str:
    patient, choice, best = told.patient, told.choice, told.choice.best
    if _in_force(told.basis.regimens[best], patient):
        change = "Stay on"
    else:
        change = "Restart with" if patient.regimen is None else "Change to"
    utility = f" and expected utility {told.utility(best)}" if told.scores.criterion == "utility" else ""
    open_side = ""
    if choice.one_sided:
        side, what = (
            ("lower", "too low") if told.basis.limits.low is None else ("upper", "too high")
        )  # fmt: skip
        why = "" if told.current == best else "the smallest change that reaches the target; "
        open_side = f" ({why}it has no {side} limit, so nothing here says which dose is {what})"
    return (
        f"{change} {told.label(best)}: in {patient.options.horizon_days:g} days a {told.level(best)} "
        f"(median), inside the target of {_span(told.basis)} with probability {told.inside(best)}"
        f"{utility}{open_side}{_seldom_inside(told)}."
    )


def _seldom_inside(told: _Told) -> str:
    """A clause where the utility prefers a regimen that does not reach the target itself."""
    best, reach = told.choice.best, told.patient.options.reach
    if told.scores.criterion != "utility" or told.scores.inside_as_printed[:, best].mean() >= reach:
        return ""
    return (
        f"; {told.label(best)} has the highest utility, but does not itself reach the target: inside the "
        f"limits as printed with probability {told.printed(best)}, where "
        f"{told.label(told.choice.likeliest)} has {told.printed(told.choice.likeliest)}"
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
    if choice.answer == "no level":
        return "No level: no change is proposed on the population alone."
    if choice.answer == "level in doubt":
        return "A level is in doubt: no change is proposed before it is clear."
    if choice.answer == "target not reached":
        most = probability_in_words(choice.p_reach)
        return f"No regimen has more than {most} to be inside the limits as printed; nearest is {best}."
    if choice.one_sided:
        return f"Regimens are not ranked; the smallest change that reaches the target is {best}."
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
