"""The dosing policies of a virtual trial on its page: what each did, the regimens over time, the set-up."""

from __future__ import annotations

from typing import Any

from troughline.report.numbers import NO_VALUE, count, micro, number, percent
from troughline.report.trial_view import estimate_of, measure_text

Json = dict[str, Any]
_MEASURES = {
    "daily_dose": "Mean daily dose on the first line, mg",
    "days_inside": "Days inside the target",
    "days_below": "Days below",
    "days_above": "Days above",
    "samples": "Levels drawn, of a patient",
    "dose_changes": "Changes of the dose, of a patient",
    "raised": "– raised by a level",
    "lowered": "– lowered by a level",
    "reductions": "Patients reduced for toxicity",
    "severe": "Toxicity of grade 3 or more",
    "stopped_toxic": "Stopped by toxicity",
    "ttp_median": "Median time to progression, months",
    "os_median": "Median survival, months",
}
_RATIOS = {"ttp_hr": "Hazard ratio of progression", "os_hr": "Hazard ratio of death"}
_MOST_DAYS = 4
LOW_SHARE = 0.5
"""Regimens that fewer % of the patients take on every day shown are left out of the table."""


def arms_with_policy(results: Json) -> list[Json]:
    """The arms whose doses a policy decides."""
    return [a for a in results["arms"] if a.get("dosing")]


def dosing_table(results: Json) -> Json:
    """The arms as columns, doses, levels, toxicity and outcome as rows, all as text."""
    arms = arms_with_policy(results)
    shared: Json = results["setup"].get("dosing") or {}
    label_mg = shared.get("label_daily_mg")
    rows = [
        (words, [measure_text(estimate_of(a, name), name) for a in arms]) for name, words in _MEASURES.items()
    ]
    if label_mg:
        means = [estimate_of(a, "daily_dose") for a in arms]
        texts = [NO_VALUE if m is None else percent((m["value"] or 0.0) / label_mg) for m in means]
        rows.insert(1, (f"Dose intensity, of {number(label_mg)} mg a day", texts))
    ids = [str(a["id"]) for a in arms]
    names = {str(a["id"]): micro(str(a["label"])) for a in results["arms"]}
    for control in dict.fromkeys(str(c["control"]) for c in results["comparisons"] if c["arm"] in ids):
        against = {str(c["arm"]): c for c in results["comparisons"] if c["control"] == control}
        for name, words in _RATIOS.items():
            texts = [
                measure_text(estimate_of(against[arm], name), name) if arm in against else "–" for arm in ids
            ]
            rows.append((f"{words} against {names[control]}", texts))
    return {"arms": [names[i] for i in ids], "rows": rows}


def regimen_table(results: Json) -> Json:
    """Who takes what after some of the visits: a row an arm and day, in % of those on the first line."""
    arms, shared = arms_with_policy(results), results["setup"].get("dosing")
    if not arms or not shared:
        return {"header": [], "rows": []}
    days = [0, *(d + shared["turnaround_days"] for d in shared["visit_days"])]
    step = max(-(-(len(days) - 1) // (_MOST_DAYS - 1)), 1)
    wanted = [days[0], *days[1::step], days[-1]]
    grid: list[int] = [int(d) for d in arms[0]["dosing"]["day"]]
    places = sorted({next((k for k, g in enumerate(grid) if g >= d), len(grid) - 1) for d in wanted})
    known = {str(r["id"]): r for a in arms for r in a["dosing"]["regimens"]}
    shown = [
        r for r in sorted(known.values(), key=lambda r: -float(r["daily_dose_mg"]))
        if any(_share(a, str(r["id"]), k) >= LOW_SHARE for a in arms for k in places)
    ]  # fmt: skip
    rows = [
        (
            micro(str(arm["label"])), count(grid[k]), _text(arm["dosing"]["on_first_line"][k]),
            *(_text(_share(arm, str(r["id"]), k)) for r in shown), _text(arm["dosing"]["held"][k]),
        )
        for arm in arms for k in places
    ]  # fmt: skip
    header = ("Arm", "Day", "On the first line", *(micro(str(r["label"])) for r in shown), "Held")
    return {"header": header, "rows": rows}


def _share(arm: Json, regimen: str, place: int) -> float:
    found = next((r for r in arm["dosing"]["regimens"] if str(r["id"]) == regimen), None)
    value = None if found is None else found["share"][place]
    return 0.0 if value is None else float(value)


def _text(value: float | None) -> str:
    return NO_VALUE if value is None else percent(float(value) / 100)


def dosing_words(results: Json) -> list[str]:
    """How levels are drawn and what the policies believe, in sentences."""
    shared = results["setup"].get("dosing")
    if not shared:
        return []
    days = ", ".join(count(d) for d in shared["visit_days"])
    words = [
        f"Target: {micro(str(shared['target']))}; {micro(str(shared['target_source']))}. Levels before the "
        f"morning dose on days {days}, with {micro(str(shared['samples']))}; a new dose begins "
        f"{count(shared['turnaround_days'])} day{'s' if shared['turnaround_days'] != 1 else ''} later. Days "
        f"are counted from day {count(shared['count_from_day'])} to the end of the first line, holds among "
        "them.",
    ]
    for arm in arms_with_policy(results):
        model = arm["dosing"].get("model")
        if model is None:
            continue
        shifted = ", ".join(arm["dosing"]["shifted"])
        own = model == shared["truth"] and arm["dosing"]["shifted"] == shared.get("truth_shifted", [])
        lost = arm["dosing"]["not_estimated"]
        words.append(
            f"The arm “{micro(str(arm['label']))}” estimates with {micro(str(model))}"
            + (f" ({micro(shifted)})" if shifted else "")
            + (", the model that makes the levels here: the best case." if own else
               ", not the model that makes the levels here.")
            + (f" {count(lost)} decisions had no estimate and changed nothing." if lost else "")
        )  # fmt: skip
    return words


def dose_rows(results: Json) -> list[Json]:
    """A row an arm and day: doses, levels, and who is on the first line."""
    names = ("on_first_line", "held", "mean_dose_mg", "trough", "inside", "below", "above")
    return [
        {"arm": a["id"], "day": day, **{name: a["dosing"][name][k] for name in names}}
        for a in arms_with_policy(results)
        for k, day in enumerate(a["dosing"]["day"])
    ]


def regimen_rows(results: Json) -> list[Json]:
    """A row an arm, day and regimen: the share of those on the first line, %."""
    return [
        {"arm": a["id"], "day": day, "regimen": r["id"], "daily_dose_mg": r["daily_dose_mg"],
         "percent": r["share"][k]}
        for a in arms_with_policy(results)
        for k, day in enumerate(a["dosing"]["day"])
        for r in a["dosing"]["regimens"]
    ]  # fmt: skip
