"""What an evaluation found, in sentences: each policy's verdict against the others, the headline, the
methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from troughline.dosing.recommend import labels_in_words

if TYPE_CHECKING:
    from troughline.dosing.policy.schema import Policy
    from troughline.dosing.policy.setup import Setup

Json = dict[str, Any]


def percent_points(value: float) -> str:
    """`+8.1` or `−3.0` percentage points."""
    return f"{100 * value:+.1f}".replace("-", "−")


_SAID = {
    "inside": ("days inside the target", True),
    "inside_at": ("patients inside it at the horizon", True),
    "below_at": ("patients below it at the horizon", False),
    "stopped": ("patients stopped for toxicity", False),
}
"""The measures that a verdict is about, in words, and whether more is better."""


def verdicts(contents: Json) -> list[Json]:
    """Of each model-informed policy against each policy without a model: better, worse, or not distinguished.

    By the paired difference in the share of days inside the target, and of patients inside it and below it
    at the horizon, and stopped for toxicity (where anyone is).
    """
    kinds = {p["id"]: p for p in contents["policies"]}
    made: list[Json] = []
    for d in contents["differences"]:
        first, second = kinds[d["first"]], kinds[d["second"]]
        nobody = d["measure"] == "stopped" and d["low"] == d["high"] == 0.0
        if d["measure"] not in _SAID or nobody:
            continue
        if first["kind"] != "model" or first["twin"] or second["kind"] not in ("fixed", "label", "threshold"):
            continue
        up, down = ("better", "worse") if _SAID[d["measure"]][1] else ("worse", "better")
        answer = up if d["low"] > 0 else down if d["high"] < 0 else "not distinguished"
        made.append({**d, "answer": answer, "sentence": _sentence(d, answer, contents)})
    return made


def _sentence(d: Json, answer: str, contents: Json) -> str:
    what, _ = _SAID[d["measure"]]
    says = "more" if d["value"] > 0 else "fewer"
    if answer == "not distinguished":
        says = "no clearly different share of"
    return (
        f"{d['first']} against {d['second']}: {says} {what}, {percent_points(d['value'])} points "
        f"({100 * contents['level']:.0f} % interval {percent_points(d['low'])} to "
        f"{percent_points(d['high'])})"
    )


def headline(contents: Json) -> str:
    """Which policy keeps patients inside longest, whom that stops or leaves below, and what it tells of
    `troughline dose`.
    """
    policies = [p for p in contents["policies"] if not p["twin"] and p["kind"] != "known"]
    best = max(policies, key=lambda p: p["measures"]["inside"]["value"])
    others = sorted(
        (p for p in policies if p["id"] != best["id"]), key=lambda p: -p["measures"]["inside"]["value"]
    )
    text = (
        f"Of {len(policies)} policies over the same {contents['patients']} virtual patients, "
        f"{best['id']!r} keeps the {contents['target']['words']} on the most days: "
        f"{_shares(best, others, 'inside')}."
    )
    text += f" Below it at the horizon are {_shares(best, others, 'below_at')}"
    if any(p["measures"]["stopped"]["value"] for p in policies):
        text += f"; stopped for toxicity are {_shares(best, others, 'stopped', digits=1)}"
    elif contents["design"]["toxicity"] is not None:
        text += "; nobody is stopped for toxicity"
    text += "." + _told_of_dose(policies)
    lost = [r for r in contents["regret"] if r["measure"] == "inside"]
    if lost:
        text += (
            f" Assuming {contents['assumed']['model']} where {_truth_words(contents)} is true costs "
            f"{lost[0]['policy']!r} {percent_points(lost[0]['value']).lstrip('+')} points of those days."
        )
    return text


def _shares(best: Json, others: list[Json], measure: str, *, digits: int = 0) -> str:
    def share(policy: Json) -> str:
        return f"{100 * policy['measures'][measure]['value']:.{digits}f} %"

    if not others:
        return share(best)
    return f"{share(best)} against " + ", ".join(f"{share(p)} ({p['id']})" for p in others)


def _told_of_dose(policies: list[Json]) -> str:
    """Which of the model policies says anything of the advice of `troughline dose`."""
    models = [p for p in policies if p["kind"] == "model"]
    follow = [repr(p["id"]) for p in models if p["criterion"] == "dose"]
    differ = [repr(p["id"]) for p in models if p["criterion"] != "dose"]
    text = ""
    if differ:
        does = "does" if len(differ) == 1 else "do"
        text += (
            f" {labels_in_words(differ)} {does} not decide as troughline dose does: typical values and "
            "limits are taken as exact, and a smaller gain suffices for a change"
        )
        text += f"; {labels_in_words(follow)} follows its rules" if follow else ""
        text += "."
    elif follow:
        text += f" {labels_in_words(follow)} follows the rules of troughline dose."
    return text


def against_dose(policy: Policy) -> str:
    """How a model policy differs from what `troughline dose` would advise, in one sentence; else empty."""
    if policy.kind != "model":
        return ""
    same = (
        "the posterior is the first-order one and not drawn, a regimen's level is that of its steady state "
        "at the next visit, one model is assumed, there are no curves, and what is told is always done"
    )
    if policy.criterion == "dose":
        return (
            f"Rules, typical values and limits are those of troughline dose; other than there, {same}; of "
            "regimens that are not told apart, none of them in force, the first is taken, and where none "
            "reaches the target the nearest."
        )
    return (
        "Not the advice of troughline dose: typical values and the target's limits are taken as exact; it "
        f"moves wherever its score gains {policy.least_gain:g}, where that stays with what it cannot tell "
        f"apart; {same}."
    )


def at_lowest(policy: Policy) -> str:
    """What a policy does after a severe toxicity on a dose that no reduction is below, in words."""
    if not policy.reduces:
        return "after a severe toxicity the dose is held, and the same taken again"
    if policy.lowest == "hold":
        return "a severe toxicity on a dose with no step below it: held, and the same taken again"
    return "a severe toxicity on a dose with no step below it, the first one too, ends treatment"


def _truth_words(contents: Json) -> str:
    truth = contents["truth"]
    shifted = f" with {', '.join(truth['shifted'])}" if truth["shifted"] else ""
    return f"{truth['model']}{shifted}"


def methods(setup: Setup) -> list[str]:
    """How it was computed, in sentences for the report."""
    file = setup.file
    said = [
        "Every policy meets the same virtual patients: covariates, effects, occasions, missed doses, "
        "residual "
        "errors and toxicity thresholds are drawn once, keyed by seed and patient (common random "
        "numbers), and "
        "differences are paired by patient.",
        "True levels: the true model over every dose taken, exactly, before each morning dose"
        + (", and at seven times in the eight hours after it." if file.target.metric == "cmax" else "."),
        "Each visit ends an occasion; the effects between occasions are drawn anew for the next.",
        "Days without treatment (held, or stopped for toxicity) count by their level, so mostly as below.",
    ]
    if any(p.kind in ("model", "known") for p in file.policy):
        said.append(
            "Model-informed: maximum a posteriori effects from all samples so far with the first-order "
            "posterior "
            "covariance taken as normal; every regimen predicted at the next visit at steady state, with "
            "a new "
            "occasion; 32 quasi-random points; the typical values of the assumed model taken as exact, "
            "unless the criterion is 'dose'."
        )
    if any(p.kind == "model" and p.criterion == "dose" for p in file.policy):
        said.append(
            "Policies with the criterion 'dose': the rules and default options of troughline dose over the "
            "same points; typical values that have printed intervals, and published limits, are uncertain."
        )
    if file.toxicity is not None and any(p.reduces for p in file.policy):
        said.append(
            "Reductions count from the dose in force, whatever brought it there: a policy that has lowered "
            "the dose by level has fewer steps left, and stops more patients for toxicity, unless "
            "lowest = 'hold'."
        )
    if file.toxicity is not None:
        t = file.toxicity
        said.append(
            f"Severe toxicity: hazard {t.events_per_28_days:g} per 28 days at {t.at:g} {t.unit} before "
            f"the morning "
            f"dose, × {t.times_per_doubling:g} for each doubling, gamma frailty with CV {t.frailty_cv:g} "
            f"independent of exposure; doses held for {t.hold_days} days. Source: {t.source}."
        )
    if file.adherence.missed:
        known = "known" if file.adherence.known else "not known"
        said.append(
            f"Adherence: {file.adherence.missed:.0%} of doses missed on average, {known} to those who decide "
            f"({file.adherence.source})."
        )
    said.append(
        "Intervals of means are Monte-Carlo intervals: how far the number would move with other virtual "
        "patients. "
        "They say nothing of whether the models are right."
    )
    if file.beside:
        said.append(
            "Published values: reproduced where they lie within the central 95 % of 2,000 virtual studies "
            "of the "
            "published size drawn from the virtual patients, otherwise missed."
        )
    return said
