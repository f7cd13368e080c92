"""The one plain sentence that an answer begins with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from troughline.dosing.candidates import hold_words, same_regimen
from troughline.dosing.recommend import labels_in_words, listed
from troughline.dosing.tolerance import ongoing_severe

if TYPE_CHECKING:
    from troughline.dosing.checks import Basis
    from troughline.dosing.patient import DosePatient
    from troughline.dosing.recommend import Choice
    from troughline.dosing.regimen import Regimen
    from troughline.dosing.result import NextSample
    from troughline.dosing.scores import Scores


def sentence_of(
    patient: DosePatient, basis: Basis, scores: Scores, choice: Choice, further: NextSample | None
) -> str:
    """What to know first: which regimen, how likely it is inside the target, what is not known.

    `further` says when a level is worth most. Where a severe toxicity is not over the regimens are those of
    a restart (`tolerance.with_toxicity` says before it that the drug is held).
    """
    answers = {
        "no level": _no_level, "target not reached": _not_reached, "not distinguished": _not_distinguished,
        "regimen": _one_regimen,
    }  # fmt: skip
    restart = bool(ongoing_severe(patient))
    told = _Told(patient=patient, basis=basis, scores=scores, choice=choice, further=further, restart=restart)
    return answers[choice.answer](told)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What a sentence is about; `restart`: the regimens are those of a restart after a severe toxicity."""

    patient: DosePatient
    basis: Basis
    scores: Scores
    choice: Choice
    further: NextSample | None
    restart: bool

    def label(self, k: int) -> str:
        """A regimen's label, without the hold before it where the sentence says that by itself."""
        regimen = self.basis.regimens[k]
        return regimen.label.removeprefix(hold_words(regimen.hold_h)) if self.restart else regimen.label

    def labels(self, ks: Sequence[int]) -> str:
        return labels_in_words([self.label(k) for k in ks])

    @property
    def begin(self) -> str:
        """How an answer about a restart begins; empty where it is about none."""
        if not self.restart:
            return ""
        hold = self.basis.regimens[self.choice.best].hold_h
        return "For a restart" + (f" (a hold of {hold / 24.0:g} days is reckoned with)" if hold else "")

    def inside(self, k: int) -> str:
        """P(in) as in the table."""
        return probability_in_words(float(self.scores.inside[:, k].mean()))

    def printed(self, k: int) -> str:
        return probability_in_words(float(self.scores.inside_as_printed[:, k].mean()))

    def number(self, k: int) -> str:
        """The median of the target's metric."""
        if self.basis.limits.metric == "trough":
            return f"{float(np.median(self.scores.trough[:, k])):.2g} mg/L"
        return f"{float(np.median(self.scores.auc_24h[:, k])):.0f} mg·h/L in 24 h"

    def level(self, k: int) -> str:
        what = "a trough" if self.basis.limits.metric == "trough" else "an area"
        return f"{what} of about {self.number(k)} (median)"

    def utility(self, k: int) -> str:
        return f"{float(self.scores.ranked[:, k].mean()):.3f}"

    def each(self, ks: Sequence[int]) -> list[str]:
        """Regimens with what is expected of each: the first in full, the others by their numbers."""
        what = "trough" if self.basis.limits.metric == "trough" else "area"
        by_utility = self.scores.criterion == "utility"
        made: list[str] = []
        for k in ks:
            words = f"{self.number(k)}, {self.inside(k)}"
            if not made:
                words = f"{what} about {self.number(k)}, inside the target of {_span(self.basis)} with "
                words += f"probability {self.inside(k)}"
            if by_utility:
                words += f", {'' if made else 'expected '}utility {self.utility(k)}"
            made.append(f"{self.label(k)} ({words})")
        return made

    @property
    def current(self) -> int | None:
        return next((k for k, r in enumerate(self.basis.regimens) if _in_force(r, self.patient)), None)


def _no_level(told: _Told) -> str:
    further, current = told.further, told.current
    when = "just before a dose, once levels are steady"
    if further is not None and further.candidates:
        when = further.candidates[further.best if further.best is not None else 0].label
    if told.restart:
        return (
            "For a restart no regimen is proposed: without a level nothing individual is known; take one "
            f"{when}."
        )
    if current is None:
        return f"No level: nothing individual is known, so no regimen is proposed; take a level {when}."
    return (
        f"No level: nothing individual is known, so nothing speaks for leaving {told.label(current)}; take a "
        f"level {when}. In patients with these covariates it gives {told.level(current)}, inside the target "
        f"of {_span(told.basis)} with probability {told.inside(current)}."
    )


def _not_reached(told: _Told) -> str:
    choice, best = told.choice, told.choice.best
    likeliest = printed = ""
    if told.printed(best) != told.inside(best):
        printed = f" ({told.printed(best)} with the limits as printed)"
    if choice.likeliest != best and told.printed(choice.likeliest) != told.printed(best):
        likeliest = f"; {told.label(choice.likeliest)} is inside the limits as printed most often, with "
        likeliest += f"probability {told.printed(choice.likeliest)}"
    begin = f"{told.begin} no" if told.restart else "No"
    return (
        f"{begin} feasible regimen reaches the target of {_span(told.basis)}: the nearest, "
        f"{told.label(best)}, gives {told.level(best)} and is inside with probability {told.inside(best)}"
        f"{printed}{_side(told.scores, best)}{likeliest}."
    )


def _not_distinguished(told: _Told) -> str:
    choice, current = told.choice, told.current
    among = sorted(choice.among)
    begin = f"{told.begin} the" if told.restart else "The"
    said = f"{begin} evidence does not distinguish {listed(told.each(among))}"
    if choice.one_sided:
        begin = f"{told.begin} too" if told.restart else "Too"
        said = (
            f"{begin} few draws tell which is the smallest change of dose that reaches the target: "
            f"{listed(told.each(among), 'or')}"
        )
    elif current is not None and current in choice.among:
        said += f", so nothing speaks for leaving {told.label(current)}"
    elif current is not None and choice.better:
        better = sorted(choice.better)
        who = "each" if len(better) == len(among) else f"{told.labels(better)}"
        is_ = "are" if len(better) > 1 and who != "each" else "is"
        than = f"inside with probability {told.inside(current)}"
        if told.scores.criterion == "utility":
            than += f", utility {told.utility(current)}"
        said += f", but {who} {is_} better than {told.label(current)} ({than})"
    if choice.unresolved and not choice.one_sided:
        others = told.labels(sorted(choice.unresolved))
        if len(choice.unresolved) == len(among) - 1:
            said += "; more draws may tell them apart"
        else:
            said += f"; more draws may tell {others} from {told.label(choice.best)}"
    return said + _seldom_inside(told) + "."


def _one_regimen(told: _Told) -> str:
    choice, best = told.choice, told.choice.best
    utility = f" and expected utility {told.utility(best)}" if told.scores.criterion == "utility" else ""
    open_side = ""
    if choice.one_sided:
        side, what = (
            ("lower", "too low") if told.basis.limits.low is None else ("upper", "too high")
        )  # fmt: skip
        why = "" if told.current == best else "the smallest change of dose that reaches the target; "
        open_side = f" ({why}the target has no {side} limit, so nothing here says which dose is {what})"
    return (
        f"{_change(told)}: in {told.patient.options.horizon_days:g} days {told.level(best)}, inside the "
        f"target of {_span(told.basis)} with probability {told.inside(best)}{utility}{open_side}"
        f"{_seldom_inside(told)}."
    )


def _change(told: _Told) -> str:
    """What is to be done, in words: `Change to 400 mg once daily`."""
    best, patient = told.choice.best, told.patient
    regimen, label = told.basis.regimens[best], told.label(best)
    if told.restart:
        return f"{told.begin}, {label}"
    if regimen.hold_h:
        return label[0].upper() + label[1:]
    if _in_force(regimen, patient):
        return f"Stay on {label}"
    return f"{'Restart with' if patient.regimen is None else 'Change to'} {label}"


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
        most = f"a probability of at most {choice.p_reach:.2f}"
        if choice.p_reach < 0.01:
            most = "a probability of less than 0.01"
        return f"Every regimen has {most} to be inside the limits as printed; the nearest is {best}."
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
