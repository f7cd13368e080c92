"""The sentences of a trial's results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from troughline.trial.gather import FEWEST

if TYPE_CHECKING:
    from troughline.results import Estimate
    from troughline.trial.setup import Setup

Json = dict[str, Any]
ENDPOINT = {"os": "death", "ttp": "progression (RECIST 1.1)", "mttp": "progression (mRECIST)"}


def headline(contents: Json) -> str:
    """The result in a sentence or two: the primary endpoint of every comparison, and the misses."""
    primary, level = contents["setup"]["primary"], contents["level"]
    parts: list[str] = []
    compared = [
        (one["label"], next(e for e in one["estimates"] if e.name == f"{primary}_hr" and not e.label))
        for one in contents["comparisons"]
    ]
    if len(compared) == 1:
        [(label, e)] = compared
        if e.value is None:
            parts.append(f"{label}: no hazard ratio of {ENDPOINT[primary]} can be had.")
        else:
            parts.append(f"{label}: hazard ratio of {ENDPOINT[primary]} {e.value:.2f}{_span(e, level)}.")
    elif compared:
        listed = "; ".join(
            f"{label} " + ("none" if e.value is None else f"{e.value:.2f}{_span(e, level, '')}")
            for label, e in compared
        )
        central = any(e.low is not None or e.high is not None for _, e in compared)
        among = f" ({100 * level:g} % of virtual trials)" if central else ""
        parts.append(f"Hazard ratio of {ENDPOINT[primary]}{among}: {listed}.")
    held = [t for t in contents["targets"] if t["use"] == "held out"]
    fitted = [t for t in contents["targets"] if t["use"] == "calibrated"]
    for words, rows in (("calibrated", fitted), ("held-out", held)):
        if rows:
            inside = sum(1 for t in rows if t["inside"])
            parts.append(f"{inside} of {len(rows)} {words} targets are approached.")
    return " ".join(parts) or "One arm, nothing to compare."


def _span(e: Estimate, level: float, words: str | None = None) -> str:
    """The interval of an estimate in brackets; nothing where there are too few trials for one."""
    if e.low is None and e.high is None:
        return ""
    before = f"{100 * level:g} % of virtual trials " if words is None else words
    return f" ({before}{_end(e.low)} to {_end(e.high)})"


def _end(value: float | None) -> str:
    return "not determined" if value is None else f"{value:.2f}"


def methods(setup: Setup) -> list[str]:
    """How the numbers were made."""
    file = setup.file
    words = [
        f"{file.trial.replicates} virtual trials with each of {len(setup.sets)} equally good parameter sets "
        f"({', '.join(dict.fromkeys(s.reading for s in setup.sets))} as reading of potency, each reading "
        "with the same weight however many sets it has). Intervals hold the central "
        f"{100 * file.trial.level:g} % over trials and sets: chance of a trial of this size, and what "
        "calibration leaves open within these sets; not whether the model is right. From fewer than "
        f"{FEWEST} trials none is given.",
        "Images are read by RECIST 1.1 and mRECIST with an error of measurement; progression is dated to the "
        "visit that shows it. Survival curves are Kaplan and Meier's; hazard ratios Cox's with Efron's ties.",
        f"A trial is won where the hazard ratio is below 1 with a two-sided p below {file.trial.alpha:g}.",
        "A route of escape is read at progression: a new lesion; resistant or tolerant cells where they are "
        "most of the living tumour; else the adaptation that rose most over its untreated level. The rises "
        "are of unlike things (a share of a pathway, a level of HIF), on no common scale: which is largest "
        "depends on the mechanism's units.",
        "Of serum markers: geometric means of ratios to the start over those alive, with one SD of the "
        "logarithm.",
    ]
    if file.trial.patients == "same":
        words.append(
            "Every arm holds the same virtual patients, with the same luck: hazard ratios vary less than in "
            "a randomised trial, and no probability of success is given."
        )
    if file.follow_up is not None:
        words.append(
            f"Patients are followed {file.follow_up.shortest_months:g} to "
            f"{file.follow_up.longest_months:g} months, with recruitment speeding up as calibrated; every "
            "number ends with the patient's data."
        )
    if any(setup.policies):
        between = file.dosing.between_occasions if file.dosing is not None else 0.0
        words.append(
            "In arms with a dosing policy the levels are the exposure that drives kinases, tumour and "
            "toxicity here, read before the morning dose and measured with their error; the rule, the "
            "estimator and the reductions are those of an evaluation of policies (dose --simulate). Every "
            "visit for levels ends an occasion"
            + (
                f"; between occasions exposure varies, its variance times {between:g}."
                if between
                else "; between occasions exposure does not vary."
            )
            + " A dose-limiting toxicity holds the doses for a week, then the policy says what is taken; no "
            "dose is missed. Days, doses and samples are those of the first line, until "
            "the patient's data end."
        )
    if file.population.match_placebo is not None:
        match = file.population.match_placebo
        words.append(
            "For each set the typical doubling time and baseline hazard of death are scaled until untreated "
            f"patients progress (half of them) on day {match.ttp_day:g} between visits and live "
            f"{match.os_months:g} months, to within 1 % in the patients that the matching draws; bounds on "
            "patients hold after this scaling."
        )
    return words
