"""What the page and the figures of a virtual trial share: endpoints, ratios, rows of tables as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from troughline.report.numbers import NO_VALUE, count, interval, micro, number, percent, unit_text

Json = dict[str, Any]
NOT_COMPUTED = "not computed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """How an endpoint is called: in rows, on the axis of its curve, over the figure, and in a sentence."""

    name: str
    curve: str
    title: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HazardRatio:
    """A comparison at one endpoint: median and interval over trials, each of them, how often it is shown."""

    arm: str
    control: str
    endpoint: str
    value: float
    low: float | None
    high: float | None
    trials: tuple[float | None, ...]
    success: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Success:
    """A comparison at one endpoint by patients an arm: share of trials that show it, Wilson's interval."""

    arm: str
    control: str
    endpoint: str
    n: tuple[int, ...]
    share: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    trials: tuple[int, ...]


ENDPOINTS = {
    "os": Endpoint(
        name="overall survival", curve="alive", title="Overall survival",
        words="Death from any cause since the first dose.",
    ),
    "ttp": Endpoint(
        name="time to progression", curve="free of progression", title="Time to progression",
        words="Progression by RECIST 1.1 at the visit where it is seen; who dies before is censored.",
    ),
    "mttp": Endpoint(
        name="time to progression, mRECIST", curve="free of progression",
        title="Time to progression, mRECIST",
        words="Progression by mRECIST at the visit where it is seen; who dies before is censored.",
    ),
}  # fmt: skip
MEASURES = {
    "os_median": "Median survival",
    "ttp_median": "Median time to progression",
    "mttp_median": "Median time to progression, mRECIST",
    "os_1_year": "Alive at one year",
    "deaths": "Died while followed",
    "cr": "Complete response",
    "pr": "Partial response",
    "orr": "Response",
    "sd": "Stable disease",
    "dcr": "Disease control",
    "m_orr": "Response, mRECIST",
    "m_dcr": "Disease control, mRECIST",
    "severe": "Toxicity of grade 3 or more",
    "stopped_toxic": "Stopped by toxicity",
    "reductions": "Dose reduced",
    "duration_median": "Median time on treatment",
    "dose_mean": "Sorafenib taken in all, mean",
    "growth": "Growth of the sum of diameters",
}
QUANTITIES = {
    **MEASURES,
    "ttp_between": "Median progression between visits",
    "os_hr": "Hazard ratio of death",
    "ttp_hr": "Hazard ratio of progression",
    "duration": "Median time on treatment",
}
"""What a target is called by its quantity."""
MARKERS = {
    "sVEGFR2": "sVEGFR-2",
    "Ang2": "angiopoietin 2",
    "sTNF_alpha": "sTNF-α",
    "sTNF_R": "sTNF-R",
    "IL2": "IL-2",
}


def has_intervals(results: Json) -> bool:
    """Whether the arms' numbers have intervals: too few trials leave none."""
    return any(e["low"] is not None for a in results["arms"] for e in a["estimates"])


def combination_name(row: Json) -> str:
    """What is added to sorafenib."""
    return micro(str(row["label"]).removeprefix("sorafenib with "))


def endpoint_name(endpoint: str) -> str:
    """`overall survival` for `os`."""
    return ENDPOINTS[endpoint].name


def marker_name(marker: str) -> str:
    """A marker as printed."""
    return micro(MARKERS.get(marker, marker))


def route_name(route: str) -> str:
    """A route of resistance as printed."""
    return micro(route[:1].upper() + route[1:].replace("_", " "))


def prediction_name(prediction: str) -> str:
    """`hazard ratio of death` for `os_hr`."""
    words = QUANTITIES.get(prediction, prediction)
    return words[:1].lower() + words[1:]


def sensitivity_name(results: Json, prediction: str) -> str:
    """`hazard ratio of death, sorafenib / placebo`: a prediction of the sensitivity analysis in words."""
    found: Json = results["sensitivity"]
    arms = f"{found['arm']} / {found['control']}" if prediction.endswith("_hr") else str(found["arm"])
    return micro(f"{prediction_name(prediction)}, {arms}")


def sensitivity_figure(found: Json) -> str:
    """The name of the figure of one prediction: `sensitivity-os-hr`."""
    return f"sensitivity-{str(found['prediction']).replace('_', '-')}"


def estimate_of(entry: Json, name: str, label: str = "") -> Json | None:
    """The estimate of that name of an arm or a comparison, of all readings or of one; None where none is."""
    return next((e for e in entry["estimates"] if e["name"] == name and e["label"] == label), None)


def curve_of(arm: Json, endpoint: str) -> Json:
    """The Kaplan–Meier curve of an arm; empty where it has none."""
    return arm["curves"].get(endpoint) or {}


def median_of(arm: Json, endpoint: str) -> Json:
    """The median of an arm in months with its interval: `value`, `low`, `high`, None where not reached."""
    return estimate_of(arm, f"{endpoint}_median") or {"value": None, "low": None, "high": None}


def hazard_ratios(results: Json) -> list[HazardRatio]:
    """Every comparison and endpoint with a hazard ratio, survival first."""
    found: list[HazardRatio] = []
    for one in results["comparisons"]:
        for endpoint in ENDPOINTS:
            e = estimate_of(one, f"{endpoint}_hr")
            if e is None or e["value"] is None:
                continue
            sized = [s for s in one["success"] if s["endpoint"] == endpoint and not s.get("label")]
            planned = max(sized, key=lambda s: s["n"]) if sized else None
            found.append(
                HazardRatio(
                    arm=str(one["arm"]), control=str(one["control"]), endpoint=endpoint, value=e["value"],
                    low=e["low"], high=e["high"], trials=tuple(one["hazard_ratios"].get(endpoint) or ()),
                    success=None if planned is None else planned["share"],
                )
            )  # fmt: skip
    return found


def success_by_size(results: Json) -> list[Success]:
    """For each comparison how the probability of success grows with the size: of survival, progression by
    RECIST 1.1, and the primary endpoint.
    """
    found: list[Success] = []
    shown = dict.fromkeys(("os", "ttp", str(results["setup"]["primary"])))
    for one in results["comparisons"]:
        for endpoint in shown:
            sized = [s for s in one["success"] if s["endpoint"] == endpoint and not s.get("label")]
            rows = sorted(sized, key=lambda s: s["n"])
            if rows:
                columns = {k: tuple(r[k] for r in rows) for k in ("n", "share", "low", "high", "trials")}
                found.append(
                    Success(arm=str(one["arm"]), control=str(one["control"]), endpoint=endpoint, **columns)
                )
    return found


def value_text(e: Json | None) -> str:
    """An estimate with its interval and without its unit: `7.9 (7.1–8.8)`, `45% (41–49%)`."""
    if e is None or e["value"] is None:
        return NO_VALUE
    if e["unit"] == "%":
        low, high = (None if x is None else x / 100 for x in (e["low"], e["high"]))
        span = interval(low, high, "percent")
        return f"{percent(e['value'] / 100)} ({span})" if span else percent(e["value"] / 100)
    span = interval(e["low"], e["high"], value=e["value"])
    return f"{number(e['value'])} ({span})" if span else number(e["value"])


def measure_text(e: Json | None, name: str) -> str:
    """`value_text`, where a median without a value is one that is not reached."""
    if name.endswith("_median") and (e is None or e["value"] is None):
        return "not reached"
    return value_text(e)


ARMS_ACROSS = 4


def arm_tables(results: Json) -> list[Json]:
    """The arms as columns, as many as a page is wide for in a table, all as text."""
    arms: list[Json] = results["arms"]
    tables = max(-(-len(arms) // ARMS_ACROSS), 1)
    across = -(-len(arms) // tables)
    return [_arm_table(arms[k : k + across]) for k in range(0, len(arms), max(across, 1))]


def _arm_table(arms: list[Json]) -> Json:
    """Some arms as columns, what became of them as rows."""
    rows: list[tuple[str, list[str]]] = []
    for name, words in MEASURES.items():
        found = [estimate_of(a, name) for a in arms]
        units = {str(e["unit"]) for e in found if e is not None}
        if not units:
            continue
        unit = unit_words(next(iter(units)))
        texts = [measure_text(e, name) for e in found]
        rows.append((f"{words}, {unit}" if unit and unit != "%" else words, texts))
    return {"arms": [micro(str(a["label"])) for a in arms], "rows": rows}


def comparison_table(results: Json) -> Json:
    """Who against whom, endpoint, hazard ratio over all sets and under each reading of potency, and success
    where it was computed: `header`, `rows`, `success`.
    """
    names = {str(a["id"]): micro(str(a["label"])) for a in results["arms"]}
    rows: list[tuple[str, ...]] = []
    counted = any(one["success"] for one in results["comparisons"])
    for one in results["comparisons"]:
        for r in hazard_ratios({"comparisons": [one]}):
            readings = [(x, estimate_of(one, f"{r.endpoint}_hr", x)) for x in ("Kd", "IC50")]
            by_reading = "; ".join(f"{x} {value_text(e)}" for x, e in readings if e is not None)
            row = (
                f"{names[r.arm]} / {names[r.control]}", endpoint_name(r.endpoint),
                value_text(estimate_of(one, f"{r.endpoint}_hr")), by_reading,
            )  # fmt: skip
            rows.append((*row, _success_text(one, r)) if counted else row)
    header = ("First arm / second arm", "Endpoint", "Hazard ratio", "By reading of potency")
    return {"header": (*header, "Success") if counted else header, "rows": rows, "success": counted}


def _success_text(comparison: Json, r: HazardRatio) -> str:
    """`62% (Kd 58%, IC50 66%)` of the largest size."""
    if r.success is None:
        return "not computed"
    rows: list[Json] = [s for s in comparison["success"] if s["endpoint"] == r.endpoint]
    most = max(s["n"] for s in rows)
    split = ", ".join(
        f"{s['label']} {percent(s['share'])}" for s in rows if s["n"] == most and s.get("label")
    )
    return f"{percent(r.success)} ({split})" if split else percent(r.success)


def target_rows(results: Json) -> list[Json]:
    """A row a target as text, held-out ones first; each miss says so."""
    order = {"held out": 0, "calibrated": 1, "shown": 2}
    rows = sorted(results["targets"], key=lambda t: order.get(str(t["use"]), 3))
    return [
        {
            "id": str(t["id"]),
            "label": micro(target_name(results, t)),
            "use": str(t["use"]),
            "published": published_text(t) + ("" if t["verified"] else ", not verified"),
            "tolerance": interval(t["low"], t["high"]),
            "predicted": number(t["predicted"]),
            "range": interval(t["predicted_low"], t["predicted_high"], value=t["predicted"]),
            "verdict": "answered" if t["inside"] else "refused",
            "words": "inside" if t["inside"] else "MISS",
            "sets": f"{count(t['sets_inside'])} of {count(t['sets'])}",
            "source": micro(str(t["source"])),
            "note": micro(str(t["note"] or "")),
        }
        for t in rows
    ]


def target_name(results: Json, target: Json) -> str:
    """The label of a target; where it has none of its own, its quantity and arm in words."""
    if target["label"] and target["label"] != target["id"]:
        return str(target["label"])
    names = {str(a["id"]): str(a["id"]) for a in results["arms"]}
    words = QUANTITIES.get(str(target["quantity"]), str(target["quantity"]))
    arm = names.get(str(target["arm"]), str(target["arm"]))
    return f"{words}, {arm} / {target['control']}" if target["control"] else f"{words}, {arm}"


def published_text(target: Json) -> str:
    """What the source printed: its words, or the number with its unit."""
    if target.get("printed"):
        return micro(str(target["printed"]))
    if target["published"] is None:
        return NO_VALUE
    return f"{number(target['published'])} {unit_words(target['unit'])}".strip()


def unit_words(unit: str) -> str:
    """A unit as it stands after a number: `months` for `month`."""
    return {"month": "months", "day": "days"}.get(unit, unit_text(unit))


def target_counts(results: Json) -> list[tuple[str, int, int]]:
    """For each use of a target: how many there are and how many were missed."""
    found: list[tuple[str, int, int]] = []
    for use in ("held out", "calibrated", "shown"):
        rows = [t for t in results["targets"] if t["use"] == use]
        if rows:
            found.append((use, len(rows), sum(not t["inside"] for t in rows)))
    return found
