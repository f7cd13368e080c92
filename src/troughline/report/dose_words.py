"""The tables that explain a dose answer, as text: what drove it, common causes, targets side by side."""

from __future__ import annotations

from typing import Any

from troughline.report import dose_view
from troughline.report.figures.dose_parts import limit_interval, regimen_cards, target_name, target_text
from troughline.report.numbers import interval, micro, number, percent, unit_text
from troughline.report.reading import entries, part

Json = dict[str, Any]
Table = tuple[list[str], list[list[str]]]

_STATUS = {
    "present": ("caution", "present"),
    "absent": ("answered", "absent"),
    "not known": ("silent", "not known"),
}


def why_tables(results: Json) -> Json:
    """Parameters, samples and causes as text, with the sentence on what the samples left of the prior."""
    explanation: Json = part(results, "explanation")
    return {
        "shrinkage": percent(explanation["shrinkage"]) if explanation.get("shrinkage") is not None else "",
        "ratio": dose_view.with_interval(explanation.get("exposure_ratio"))
        if explanation.get("exposure_ratio")
        else "",
        "direction": str(explanation.get("direction") or ""),
        "parameters": parameter_rows(results),
        "samples": sample_rows(results),
        "causes": cause_rows(results),
        "proportional": proportional_rows(results),
        "notes": [
            (str(model), [micro(str(n)) for n in notes])
            for model, notes in part(explanation, "model_notes").items()
            if notes
        ],
    }


def proportional_rows(results: Json) -> list[list[str]]:
    """Trough and P(in) of the leading regimens as answered, and if exposure were proportional to the dose."""
    found: Json = part(part(results, "explanation"), "if_proportional")
    return [
        [
            str(r["label"]),
            number(r["trough"]),
            number(r["trough_if_proportional"]),
            percent(r["p_in"]),
            percent(r["p_in_if_proportional"]),
        ]
        for r in entries(found, "rows")
    ]


def parameter_rows(results: Json) -> list[list[str]]:
    """Each individual quantity, the patient's beside the population's."""
    individual: Json = part(results, "individual")
    rows = [
        [
            "trough now",
            dose_view.with_interval(part(individual, "trough")),
            dose_view.with_interval(part(individual, "population_trough")),
            "",
        ],
        [
            "AUC over 24 h now",
            dose_view.with_interval(part(individual, "auc")),
            dose_view.with_interval(part(individual, "population_auc")),
            "",
        ],
        [
            "average level now",
            dose_view.with_interval(part(individual, "average")),
            dose_view.with_interval(part(individual, "population_average")),
            "",
        ],
    ]
    rows += [
        [
            f"{p['label']} ({p['name']})" if p.get("label") else str(p["name"]),
            dose_view.with_interval(p.get("patient")),
            dose_view.with_interval(p.get("population")),
            str(p.get("model") or ""),
        ]
        for p in entries(individual, "parameters")
    ]
    return [r for r in rows if r[1] != "not known"]


def sample_rows(results: Json) -> list[list[str]]:
    """Each level: when, measured, predicted with it, without it, before any level, its pull, its p value."""
    rows: list[list[str]] = []
    for s in entries(results, "samples"):
        when = f"day {dose_view.day_text(s['day'])}"
        if s.get("clock"):
            when += f", {dose_view.clock_text(s['clock'])}"
        after = s.get("hours_after_dose")
        if after is not None:
            when += f", {after:.3g} h after the dose"
        measured = f"{dose_view.sample_value(s)} {unit_text(s.get('unit'))}"
        if s.get("limit") is not None and s.get("value") is not None:
            measured += f", limit {s['limit']:g}"
        if s.get("method"):
            measured += f", {s['method']}"
        rows.append(
            [
                str(s["number"]),
                micro(when),
                micro(measured),
                dose_view.with_interval(s.get("population"), unit=False),
                dose_view.with_interval(s.get("without"), unit=False),
                dose_view.with_interval(s.get("predicted"), unit=False),
                dose_view.change_text(s.get("influence"))
                if s.get("used")
                else f"not used: {s.get('reason') or 'no reason given'}",
                dose_view.p_text(s.get("p_value")),
            ]
        )
    return rows


def cause_rows(results: Json) -> list[Json]:
    """The usual causes, those in the patient's direction first, with what the file shows."""
    explanation: Json = part(results, "explanation")
    rows: list[Json] = []
    for c in entries(explanation, "causes"):
        icon, words = _STATUS.get(str(c.get("status")), ("silent", str(c.get("status"))))
        rows.append(
            {
                "icon": icon,
                "status": words,
                "label": micro(str(c.get("label") or "")),
                "text": micro(str(c.get("text") or "")),
                "direction": effect_text(c),
                "size": micro(str(c.get("size") or "")),
                "source": str(c.get("source") or ""),
                "verified": bool(c.get("verified")),
            }
        )
    return rows


def effect_text(cause: Json) -> str:
    """What a cause does to the exposure, no surer than its studies."""
    direction = str(cause.get("direction"))
    if direction == "unbound":
        return "the total level understates the unbound one"
    does = {"low": "lower", "high": "raise"}.get(direction)
    if does is None:
        return ""
    return {
        "none": f"thought to {does} it, no effect found",
        "unknown": f"may {does} it, effect not known",
        "conflicting": f"may {does} it, sources disagree",
    }.get(str(cause.get("effect")), f"{does}s it")


def target_rows(results: Json) -> list[Json]:
    """Each target: limits with their intervals, n, design, source, and the probabilities under it."""
    cards = regimen_cards(results)
    rows: list[Json] = []
    for one in entries(results, "alternatives"):
        target: Json = part(one, "target")
        spans = [
            f"{words} {interval(*ends)}"
            for side, words in (("low", "lower limit"), ("high", "upper limit"))
            if (ends := limit_interval(target, side))
        ]
        best = cards.get(str(one.get("best")), {}).get("label")
        rows.append(
            {
                "label": micro(target_name(target)),
                "used": bool(one.get("used")),
                "limits": target_text(target),
                "metric": "AUC over 24 h"
                if target.get("metric") == "auc"
                else str(target.get("metric") or "").replace("-", " "),
                "spans": "; ".join(spans),
                "n": dose_view.target_n(target),
                "design": micro(str(target.get("design") or "")),
                "population": micro(str(target.get("population") or "")),
                "source": source_text(target),
                "verified": bool(target.get("verified")),
                "kind": str(target.get("kind") or ""),
                "uncertainty": micro(str(target.get("uncertainty") or "")),
                "note": micro(str(target.get("note") or "")),
                "comparable": bool(one.get("comparable")),
                "reason": micro(str(one.get("reason") or "")),
                "shares": [percent(one[k]) for k in ("p_below", "p_in", "p_above")]
                if one.get("p_in") is not None
                else [],
                "best": f"{best or one['best']} ({percent(one.get('best_p_in'))})"
                if one.get("best") and one.get("comparable")
                else "",
            }
        )
    return rows


def source_text(target: Json) -> str:
    """The citation, and the DOI where the citation does not hold it."""
    citation, doi = str(target.get("citation") or ""), str(target.get("doi") or "")
    return f"{citation} doi:{doi}".strip() if doi and doi not in citation else citation
