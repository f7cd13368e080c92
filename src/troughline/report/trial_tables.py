"""The tables of a virtual trial: name → rows, in the order of the page; `tables/NAME.csv` and DataFrames."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from troughline.report.trial_dosing import dose_rows, regimen_rows

Json = dict[str, Any]
_ESTIMATE = ("name", "label", "value", "low", "high", "level", "unit", "n", "method", "note")


def trial_tables(results: Json) -> dict[str, list[Json]]:
    """Every table that has rows."""
    arms, comparisons = results["arms"], results["comparisons"]
    tables: dict[str, list[Json]] = {
        "arms": [
            {"arm": a["id"], **{k: e[k] for k in _ESTIMATE}} for a in arms for e in a["estimates"]
        ],
        "comparisons": [
            {"arm": c["arm"], "control": c["control"], **{k: e[k] for k in _ESTIMATE}}
            for c in comparisons for e in c["estimates"]
        ],
        "comparisons-by-set": [
            {"arm": c["arm"], "control": c["control"], **s} for c in comparisons for s in c["by_set"]
        ],
        "replicates": list(_replicates(comparisons)),
        "success": [
            {"arm": c["arm"], "control": c["control"], **s} for c in comparisons for s in c["success"]
        ],
        "curves": list(_curves(arms)),
        "at-risk": list(_at_risk(arms)),
        "responses": [
            {"arm": a["id"], "criterion": criterion, "response": key, "percent": share}
            for a in arms for criterion, shares in a["responses"].items() for key, share in shares.items()
        ],
        "waterfall": [{"arm": a["id"], **w} for a in arms for w in a["waterfall"]],
        "swimmer": [{"arm": a["id"], **s} for a in arms for s in a["swimmer"]],
        "markers": list(_markers(arms)),
        "routes": [{"arm": a["id"], **r} for a in arms for r in a["routes"]],
        "stops": [{"arm": a["id"], **s} for a in arms for s in a["stops"]],
        "doses": dose_rows(results),
        "regimens": regimen_rows(results),
        "targets": list(results["targets"]),
    }  # fmt: skip
    if results["combinations"]:
        tables["combinations"] = list(results["combinations"]["rows"])
    if results["sensitivity"]:
        for name in ("morris", "sobol", "measurement"):
            tables[f"sensitivity-{name}"] = [
                {"prediction": p["prediction"], **row}
                for p in results["sensitivity"]["predictions"]
                for row in p[name]
            ]
    return {name: rows for name, rows in tables.items() if rows}


def _curves(arms: list[Json]) -> Iterable[Json]:
    for arm in arms:
        for endpoint, c in arm["curves"].items():
            for row in zip(c["day"], c["survival"], c["low"], c["high"], strict=True):
                yield {
                    "arm": arm["id"],
                    "endpoint": endpoint,
                    **_named(("day", "survival", "low", "high"), row),
                }


def _at_risk(arms: list[Json]) -> Iterable[Json]:
    for arm in arms:
        for endpoint, c in arm["curves"].items():
            for row in zip(c["risk_day"], c["at_risk"], strict=True):
                yield {"arm": arm["id"], "endpoint": endpoint, **_named(("day", "at_risk"), row)}


def _replicates(comparisons: list[Json]) -> Iterable[Json]:
    for c in comparisons:
        for endpoint, values in c["hazard_ratios"].items():
            for k, value in enumerate(values):
                yield {"arm": c["arm"], "control": c["control"], "endpoint": endpoint, "trial": k + 1,
                       "hazard_ratio": value}  # fmt: skip


def _markers(arms: list[Json]) -> Iterable[Json]:
    names = ("day", "ratio", "low", "high", "n")
    for arm in arms:
        for m in arm["markers"]:
            for row in zip(*(m[k] for k in names), strict=True):
                yield {"arm": arm["id"], "marker": m["marker"], **_named(names, row)}


def _named(names: tuple[str, ...], values: tuple[Any, ...]) -> Json:
    return dict(zip(names, values, strict=True))
