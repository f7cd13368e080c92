"""What an evaluation found, in sentences: each policy's verdict against the others, the headline, the
methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from troughline.dosing.policy.setup import Setup

Json = dict[str, Any]


def percent_points(value: float) -> str:
    """`+8.1` or `−3.0` percentage points."""
    return f"{100 * value:+.1f}".replace("-", "−")


def verdicts(contents: Json) -> list[Json]:
    """Of each model-informed policy against each policy without a model: better, worse, or not distinguished.

    By the paired difference in the share of days inside the target, and of patients inside at the horizon.
    """
    kinds = {p["id"]: p for p in contents["policies"]}
    made: list[Json] = []
    for d in contents["differences"]:
        first, second = kinds[d["first"]], kinds[d["second"]]
        if d["measure"] not in ("inside", "inside_at"):
            continue
        if first["kind"] != "model" or first["twin"] or second["kind"] not in ("fixed", "label", "threshold"):
            continue
        answer = "better" if d["low"] > 0 else "worse" if d["high"] < 0 else "not distinguished"
        made.append({**d, "answer": answer, "sentence": _sentence(d, answer, contents)})
    return made


def _sentence(d: Json, answer: str, contents: Json) -> str:
    what = {"inside": "days inside the target", "inside_at": "patients inside it at the horizon"}[
        d["measure"]
    ]
    says = {
        "better": "more", "worse": "fewer", "not distinguished": "no clearly different share of",
    }[answer]  # fmt: skip
    return (
        f"{d['first']} against {d['second']}: {says} {what}, {percent_points(d['value'])} points "
        f"({100 * contents['level']:.0f} % interval {percent_points(d['low'])} to "
        f"{percent_points(d['high'])})"
    )


def headline(contents: Json) -> str:
    """One plain sentence: which policy keeps patients inside longest, and what a wrong model costs."""
    policies = [p for p in contents["policies"] if not p["twin"] and p["kind"] != "known"]
    best = max(policies, key=lambda p: p["measures"]["inside"]["value"])
    text = (
        f"Of {len(policies)} policies over the same {contents['patients']} virtual patients, "
        f"{best['id']!r} keeps "
        f"the {contents['target']['words']} on the most days: "
        f"{100 * best['measures']['inside']['value']:.0f} %"
    )
    others = sorted(
        (p for p in policies if p["id"] != best["id"]), key=lambda p: -p["measures"]["inside"]["value"]
    )
    if others:
        text += " against " + ", ".join(
            f"{100 * p['measures']['inside']['value']:.0f} % ({p['id']})" for p in others
        )
    text += "."
    lost = [r for r in contents["regret"] if r["measure"] == "inside"]
    if lost:
        text += (
            f" Assuming {contents['assumed']['model']} where {_truth_words(contents)} is true costs "
            f"{lost[0]['policy']!r} {percent_points(lost[0]['value']).lstrip('+')} points of those days."
        )
    return text


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
            "occasion; 32 quasi-random points; the typical values of the assumed model taken as exact."
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
