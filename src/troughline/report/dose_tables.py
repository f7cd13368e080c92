"""The tables of a dose result: flat rows for CSV files, DataFrames and the page."""

from __future__ import annotations

from typing import Any

from troughline.report.reading import entries, part

Json = dict[str, Any]
Rows = list[Json]

_PROBABILITIES = (
    "p_below", "p_in", "p_above", "p_error", "p_toxicity", "p_toxicity_low", "p_toxicity_high", "p_benefit",
    "p_benefit_low", "p_benefit_high", "utility", "utility_error", "utility_low", "utility_high", "p_best",
    "auc_over_trough_h",
)  # fmt: skip


def dose_tables(results: Json) -> dict[str, Rows]:
    """Every table by its name; a table without rows is left out."""
    tables = {
        "regimens": regimen_table(results),
        "parameters": parameter_table(results),
        "samples": sample_table(results),
        "targets": target_table(results),
        "causes": [dict(c) for c in entries(part(results, "explanation"), "causes")],
        "next-sample": [dict(c) for c in entries(part(results, "next_sample"), "candidates")],
        "earlier": earlier_table(results),
        "curve": curve_table(results),
    }
    return {name: rows for name, rows in tables.items() if rows}


def regimen_table(results: Json) -> Rows:
    """One row a candidate, from the highest daily dose to the lowest."""
    rows: Rows = []
    for one in entries(results, "regimens"):
        card: Json = one["regimen"]
        row: Json = {
            k: card.get(k) for k in ("id", "label", "tablets", "daily_dose_mg", "interval_h", "hold_days")
        }
        row["amounts_mg"] = list(card.get("amounts_mg") or [])
        row |= {k: card.get(k) for k in ("basis", "source", "verified", "current")}
        row |= _flat("trough", one.get("trough")) | _flat("auc_24h", one.get("auc"))
        row |= {k: one.get(k) for k in _PROBABILITIES}
        steady: Json = part(one, "time_to_steady")
        row |= {"days_to_steady": steady.get("days")}
        row |= {f"days_to_steady_{k}": steady.get(k) for k in ("low", "high")}
        row["notes"] = [*entries(one, "notes"), *([steady["note"]] if steady.get("note") else [])]
        rows.append(row)
    return rows


def parameter_table(results: Json) -> Rows:
    """One row an individual quantity: the patient's and the population's."""
    return [
        {"model": p.get("model"), "name": p.get("name"), "label": p.get("label")}
        | _flat("patient", p.get("patient"))
        | _flat("population", p.get("population"))
        for p in entries(part(results, "individual"), "parameters")
    ]


def sample_table(results: Json) -> Rows:
    """One row a level, with what was predicted at its time."""
    rows: Rows = []
    for one in entries(results, "samples"):
        row = {k: v for k, v in one.items() if k not in {"predicted", "population", "without"}}
        for name in ("predicted", "population", "without"):
            row |= _flat(name, one.get(name), unit=False)
        rows.append(row)
    return rows


def target_table(results: Json) -> Rows:
    """One row a target of the literature, with the probabilities of the recommended regimen under it."""
    rows: Rows = []
    for one in entries(results, "alternatives"):
        target = dict(part(one, "target"))
        for side in ("low", "high"):
            ends = target.pop(f"{side}_interval", None) or (None, None)
            target |= {f"{side}_from": ends[0], f"{side}_to": ends[1]}
        rows.append(target | {k: v for k, v in one.items() if k != "target"})
    return rows


def earlier_table(results: Json) -> Rows:
    """One row a level that came after an earlier result, with what that result predicted."""
    return [
        {k: v for k, v in one.items() if k != "predicted"}
        | {"among": "; ".join(map(str, entries(one, "among")))}
        | _flat("predicted", one.get("predicted"))
        for one in entries(part(results, "following"), "earlier")
    ]


def curve_table(results: Json) -> Rows:
    """The course in long form: whose curve, day, median and interval."""
    curve: Json = part(results, "curve")
    bands: list[tuple[str, Json]] = [(k, part(curve, k)) for k in ("patient", "population")]
    bands += [(f"forecast: {name}", band) for name, band in part(curve, "forecast").items()]
    return [
        {"curve": name, "day": day, "median": median, "low": low, "high": high, "unit": curve.get("unit")}
        for name, band in bands
        for day, median, low, high in zip(
            *(entries(band, k) for k in ("day", "median", "low", "high")), strict=True
        )
    ]


def _flat(name: str, spread: Json | None, *, unit: bool = True) -> Json:
    found: Json = spread or {}
    row: Json = {
        name: found.get("median"),
        f"{name}_low": found.get("low"),
        f"{name}_high": found.get("high"),
    }
    return row | {f"{name}_unit": found.get("unit")} if unit else row
