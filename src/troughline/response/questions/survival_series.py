"""The arrays a Kaplan–Meier figure is drawn from: steps, bands, censoring marks and numbers at risk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from troughline.results import Json

if TYPE_CHECKING:
    from troughline.response.questions.survival_columns import Column

TICKS = (0.1, 0.25, 0.5, 1, 2, 3, 6, 12, 24, 30, 60, 90, 180, 365, 730, 1460)


def kaplan_meier_series(column: Column, unit: str, level: float, *, title: str, competing: bool) -> Json:
    """One panel: a curve for each group, with numbers at risk at round times."""
    from troughline.survival.kaplan_meier import kaplan_meier

    group = column.group if column.group is not None else ("all patients",) * len(column.patients)
    order = column.order if column.group is not None else ("all patients",)
    curves = kaplan_meier(column.time, column.event, group, order=order, level=level)
    ticks = round_times(float(column.time.max()))
    groups: list[dict[str, Any]] = [
        {
            "label": c.group,
            "n": c.n,
            "events": c.n_events_total,
            "time": [0.0, *c.time.tolist()],
            "survival": [1.0, *c.survival.tolist()],
            "low": [1.0, *c.low.tolist()],
            "high": [1.0, *c.high.tolist()],
            "censored": [t for t, k in zip(c.time.tolist(), c.n_censored.tolist(), strict=True) if k > 0],
        }
        for c in curves
    ]
    return {
        "time_unit": unit,
        "title": title,
        "origin": f"{unit}s since {column.origin.removeprefix('the ')}",
        "groups": groups,
        "at_risk": {"times": ticks, "counts": [c.at_risk(ticks).tolist() for c in curves]},
    }


def round_times(longest: float, most: int = 6) -> list[float]:
    """Round times from 0 to `longest`, at most `most` after 0."""
    step = next((s for s in TICKS if longest / s <= most), longest / most)
    return [k * step for k in range(int(longest / step) + 1)]
