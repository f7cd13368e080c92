"""The two pages of a dose question: the whole report, and a summary that prints on one sheet of A4."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from troughline.report import dose_view, view
from troughline.report.dose_tables import dose_tables
from troughline.report.dose_view import day_text, unit_words
from troughline.report.dose_words import target_rows, why_tables
from troughline.report.figures.dose_parts import history_text, limit_interval, target_name, target_text
from troughline.report.figures.dose_plan import FIGURES
from troughline.report.figures.parts import shortened
from troughline.report.numbers import interval, micro, number, percent, unit_text
from troughline.report.page import linked
from troughline.report.reading import entries, part
from troughline.report.rendering import environment, stylesheet

if TYPE_CHECKING:
    from troughline.report.figures.drawing import Drawing

Json = dict[str, Any]

_PROVENANCE = ("troughline", "created", "seed", "python", "libraries", "evidence", "models", "inputs")
MOST_SENTENCES, MOST_WARNINGS, MOST_CAUSES, MOST_ROWS = 3, 2, 3, 8
MOST_LETTERS = 200
"""Letters of one text of the summary, beyond which it ends in an ellipsis."""
ROOMY_LINES = 38.5
"""Lines of text and rows of the summary up to which it fits on its sheet in the larger type."""


def render_dose_page(results: Json, figures: Sequence[Drawing], *, narrow: Drawing | None = None) -> str:
    """The report as one HTML document, drawn from the content of `result.json`; every text is escaped.

    `narrow`: the course as `draw_narrow_course` made it, shown where the screen is narrow.
    """
    template = environment(nice=micro, linked=linked).get_template("dose_page.html.j2")
    following = part(results, "following")
    return template.render(
        **_common(results),
        css=stylesheet("style.css", "dose.css"),
        warnings=dose_view.warnings(results),
        figures={**dict.fromkeys(FIGURES), **{f.name: f for f in figures}},
        rules=[micro(str(r)) for r in entries(part(results, "recommendation"), "rules")],
        narrow=narrow,
        recommendation=_recommendation(results),
        sources=dose_view.curve_sources(results),
        steps=dose_view.step_sources(results),
        utility=micro(str(part(results, "utility").get("text") or "")),
        sentences=[micro(str(s)) for s in entries(part(results, "explanation"), "sentences")],
        why=why_tables(results),
        targets=target_rows(results),
        next_sentence=micro(str(part(results, "next_sample").get("sentence") or "")),
        next_rows=next_rows(results),
        following_text=micro(str(following.get("text") or "")),
        drift=_drift(part(following, "drift")),
        earlier=earlier_rows(results),
        bias=following.get("bias_percent"),
        bias_text=f"{number(following.get('bias_percent'), 2)}%",
        inputs=input_tables(results),
        findings=view.finding_groups(entries(results, "issues")),
        models=model_rows(results),
        methods=[micro(str(m)) for m in entries(results, "methods")],
        references=[str(r) for r in entries(results, "references")],
        files=[f"tables/{name}.csv" for name in dose_tables(results)],
    )


def render_summary(results: Json, course: Drawing | None) -> str:
    """The one-page summary. What has no room is counted, with the report named as the place of the rest.

    `course` is the figure that `draw_summary_course` made of `results`.
    """
    template = environment(nice=micro, linked=linked).get_template("dose_summary.html.j2")
    warnings = dose_view.warnings(results)
    explanation: Json = part(results, "explanation")
    sentences = _told_first(results, [micro(str(s)) for s in entries(explanation, "sentences")])
    causes = [
        c
        for c in entries(explanation, "causes")
        if c.get("status") == "present" and c.get("effect") != "none"
    ]
    common = _common(results)
    rows = _shown(common["rows"], MOST_ROWS)
    told = warnings[:MOST_WARNINGS]
    named = [micro(f"{c['label']}: {c['text']}") for c in causes[:MOST_CAUSES]]
    lines = _lines(common, rows, [*sentences[:MOST_SENTENCES], "; ".join(named)], told)
    return template.render(
        tight=lines > ROOMY_LINES,
        **common,
        css=stylesheet("summary.css"),
        course=course,
        shown=rows,
        sentences=[shortened(s, MOST_LETTERS) for s in sentences[:MOST_SENTENCES]],
        sentences_left=max(0, len(sentences) - MOST_SENTENCES),
        causes=[shortened(c, MOST_LETTERS // 2) for c in named],
        causes_left=max(0, len(causes) - MOST_CAUSES),
        next_sentence=shortened(micro(str(part(results, "next_sample").get("sentence") or "")), MOST_LETTERS),
        warnings=[shortened(w, MOST_LETTERS) for w in told],
        warnings_left=max(0, len(warnings) - MOST_WARNINGS),
        models=model_rows(results),
    )


def _told_first(results: Json, sentences: list[str]) -> list[str]:
    """The sentences with that on the target, short, among those that have room."""
    target = [s for s in sentences if s.startswith("The target is ")][:1]
    rest = [s for s in sentences if s not in target]
    place = MOST_SENTENCES - 1
    return [*rest[:place], *(_target_in_short(results) or s for s in target), *rest[place:]]


def _target_in_short(results: Json) -> str:
    """The target, how many patients it is from, how uncertain its limits are; empty where they are exact."""
    target: Json = part(results, "target")
    spans = [
        f"{words} {interval(*ends)}"
        for side, words in (("low", "lower limit"), ("high", "upper limit"))
        if (ends := limit_interval(target, side))
    ]
    if not spans:
        return ""
    n = f", n = {target['n']}" if target.get("n") is not None else ""
    return (
        f"The target is {target_text(target)} ({target_name(target)}{n}), and uncertain: "
        f"{', '.join(spans)} (95%)."
    )


def _lines(common: Json, rows: list[dose_view.Row], why: list[str], warnings: list[str]) -> float:
    """About how many lines the summary takes beside its figure."""
    left = sum(2 + min(len(text), MOST_LETTERS) // 55 for text in why)
    right = sum(2 + min(len(text), MOST_LETTERS) // 55 for text in warnings) + 6
    unknown = sum((len(name) + len(reason)) // 120 + 1 for name, reason in common["unknown"])
    numbers = 2.6 * -(-len(common["numbers"]) // 4)
    several = sum(common["columns"].values()) > 0
    names = [len(r.label) + sum(len(words) + 4 for _, words in r.tags) for r in rows]
    table = sum(1.75 + 0.6 * (n > (26 if several else 44)) for n in names)
    return 1.5 * -(-len(common["sentence"]) // 68) + numbers + table + unknown + max(left, right)


def _common(results: Json) -> Json:
    """What both pages say."""
    key, words = dose_view.answer_badge(results)
    rows = dose_view.regimen_rows(results)
    target: Json = part(results, "target")
    return {
        "sentence": micro(str(results.get("sentence") or "")),
        "title": micro(str(results.get("title") or results.get("patient") or "")),
        "patient": str(results.get("patient") or ""),
        "drug": str(results.get("drug") or ""),
        "simulated": bool(results.get("simulated")),
        "level": percent(results.get("level")),
        "answer": {"verdict": key, "verdict_words": words},
        "moment": dose_view.moment(results),
        "horizon": dose_view.horizon(results)[0],
        "horizon_days": dose_view.horizon(results)[1],
        "numbers": dose_view.key_numbers(results),
        "rows": rows,
        "columns": _columns(rows),
        "trough_unit": _unit(results, "trough"),
        "auc_unit": _unit(results, "auc"),
        "unknown": dose_view.unknown(results),
        "target": {**target, "text": target_text(target), "name": target_name(target)} if target else None,
        "individual": part(results, "individual"),
        "provenance": {**dict.fromkeys(_PROVENANCE), **part(results, "provenance")},
    }


def _recommendation(results: Json) -> str:
    """The sentence of the recommendation where it is another than that of the whole answer."""
    text = str(part(results, "recommendation").get("sentence") or "")
    return "" if text == results.get("sentence") else micro(text)


def _columns(rows: list[dose_view.Row]) -> Json:
    """Which columns of the candidates hold anything."""
    return {
        "toxicity": any(r.toxicity[0] for r in rows),
        "benefit": any(r.benefit[0] for r in rows),
        "utility": any(r.utility[0] for r in rows),
    }


def _shown(rows: list[dose_view.Row], most: int) -> list[dose_view.Row]:
    """At most so many candidates: those that the answer names and the one in force always, then in order."""
    if len(rows) <= most:
        return rows
    first = [r for r in rows if r.named or any(kind == "current" for kind, _ in r.tags)][:most]
    rest = [r for r in rows if r not in first][: most - len(first)]
    return [r for r in rows if r in first or r in rest]


def _unit(results: Json, metric: str) -> str:
    rows: list[Json] = entries(results, "regimens")
    return unit_words(part(rows[0], metric).get("unit")) if rows else ""


def _drift(drift: Json) -> Json | None:
    if not drift:
        return None
    change: Json = part(drift, "change_percent_per_30_days")
    return {
        "text": micro(str(drift.get("text") or "")),
        "test": micro(str(drift.get("test") or "")),
        "occasions": drift.get("n_occasions"),
        "tested": drift.get("p_value") is not None,
        "alpha": number(drift.get("alpha"), 2),
        "p": dose_view.p_text(drift.get("p_value")),
        "statistic": number(drift["statistic"]) if drift.get("statistic") is not None else "–",
        "change": dose_view.with_interval({**change, "unit": "%"}) if change else "not known",
    }


def next_rows(results: Json) -> list[list[str]]:
    """The candidate times of one more sample as text."""
    data: Json = part(results, "next_sample")
    in_percent = data.get("criterion") == "p_in"
    rows: list[list[str]] = []
    for k, one in enumerate(entries(data, "candidates")):
        gain, error = (
            (percent(one["gain"]), percent(one["gain_error"]))
            if in_percent
            else (dose_view.utility_text(one["gain"]), dose_view.utility_text(one["gain_error"]))
        )
        best = " (best)" if k == data.get("best") else ""
        rows.append(
            [
                f"{one['label']}{best}",
                f"day {day_text(one['day'])}"
                + (f", {dose_view.clock_text(one['clock'])}" if one.get("clock") else ""),
                number(one["hours_after_dose"]),
                f"{gain} ± {error}",
                f"{percent(one['p_wrong_before'])} → {percent(one['p_wrong_after'])}",
                percent(one["p_change"]),
                percent(one["narrower"]),
            ]
        )
    return rows


def earlier_rows(results: Json) -> list[list[str]]:
    """Earlier predictions and what came, as text."""
    words = {True: "yes", False: "no", None: "–"}
    cards = {r["regimen"]["id"]: r["regimen"]["label"] for r in entries(results, "regimens")}
    return [
        [
            f"day {day_text(one['decided_day'])}",
            " or ".join(str(cards.get(i, i)) for i in entries(one, "among")) or "–",
            str(cards.get(one["taken"], one["taken"])) + _late(one),
            words[one.get("followed")],
            f"day {day_text(one['day'])}",
            dose_view.with_interval(one.get("predicted")),
            number(one["measured"]) if one.get("measured") is not None else "below the limit",
            f"{number(one['error_percent'], 2)}%" if one.get("error_percent") is not None else "–",
            words[one.get("inside")],
        ]
        for one in entries(part(results, "following"), "earlier")
    ]


def _late(one: Json) -> str:
    """How late a regimen began, where it did."""
    late = float(one.get("late_days") or 0.0)
    return f", begun {number(late, 2)} days late" if late > 0 else ""


def input_tables(results: Json) -> list[tuple[str, list[str], list[list[str]]]]:
    """What was put in: covariates, doses, toxicity; title, header and rows."""
    covariates = [
        [
            str(c["name"]).replace("_", " "),
            f"{dose_view.value_text(c['value'])} {unit_text(c.get('unit'))}".strip(),
            "–" if c.get("day") is None else f"day {day_text(c['day'])}",
            "the patient file"
            if c.get("source") == "file"
            else f"default of {', '.join(entries(c, 'models')) or 'the model'}",
        ]
        for c in entries(results, "covariates")
    ]
    doses = [
        [
            f"day {day_text(h['from_day'])} to {day_text(h.get('to_day'))}"
            if h.get("to_day") is not None
            else f"from day {day_text(h['from_day'])}",
            history_text(h),
            str(h.get("doses", "–")),
            str(h.get("missed", "–")),
        ]
        for h in entries(results, "history")
    ]
    toxicity = [
        [f"day {day_text(t['day'])}", str(t["term"]), str(t["grade"])] for t in entries(results, "toxicity")
    ]
    tables = [
        ("Covariates", ["Covariate", "Value", "From", "Given by"], covariates),
        ("Doses", ["When", "Regimen", "Taken", "Missed"], doses),
        ("Toxicity so far", ["From", "Term", "Grade (CTCAE)"], toxicity),
    ]
    return [t for t in tables if t[2]]


def model_rows(results: Json) -> list[Json]:
    """The models that were used, as text."""
    return [
        {
            "id": str(m["id"]),
            "title": micro(str(m.get("title") or "")),
            "population": micro(str(m.get("population") or "")),
            "prior": percent(m.get("prior_weight")),
            "weight": percent(m.get("weight")),
            "draws": number(m.get("effective_draws")),
            "calibrated": bool(m.get("calibrated")),
            "uncertain": ", ".join(map(str, entries(m, "uncertain_parameters"))),
            "note": micro(str(m.get("note") or "")),
        }
        for m in entries(results, "models")
    ]
