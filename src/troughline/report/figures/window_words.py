"""What the window figure says in words: its caption, and its description for a screen reader."""

from __future__ import annotations

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.parts import events_text
from troughline.report.figures.style import FloatArray, Json
from troughline.report.figures.window_bounds import guarded_bound
from troughline.report.numbers import interval, micro, number, percent, unit_text
from troughline.report.reading import entries, part


def window_caption(series: Json) -> str:
    """What one sees in the window figure, in sentences."""
    unit = unit_text(series.get("unit"))
    limits = part(series, "limits")
    benefit, toxicity = part(series, "benefit"), part(series, "toxicity")
    parts = [
        "Probability of benefit (teal) and of toxicity (vermilion) at each exposure, each with its band."
    ]
    if limits.get("benefit_at_least") is not None and limits.get("toxicity_at_most") is not None:
        parts.append(
            f"The window starts where benefit reaches {percent(limits['benefit_at_least'])} and ends where "
            f"toxicity passes {percent(limits['toxicity_at_most'])} (dashed)."
        )
    spans: list[str] = []
    for side in ("lower", "upper"):
        bound = guarded_bound(series, side)
        span = interval(bound.get("low"), bound.get("high"), value=bound.get("value"))
        if span:
            spans.append(f"{side} {number(bound.get('value'))} {unit} ({span})")
    if spans:
        parts.append(
            f"Bounds with their intervals: {'; '.join(spans)}. The pale field is the window between the two."
        )
    published = part(part(series, "bounds"), "as_published")
    if published.get("lower") and published.get("upper"):
        span = interval(published["lower"], published["upper"])
        parts.append(f"Thin grey lines: the bounds as published, {span} {unit}.")
    external = [e for e in entries(part(series, "bounds"), "external") if e.get("value")]
    if external:
        names = [micro(str(e.get("label") or e.get("source") or "source not named")) for e in external]
        listed = ", ".join(
            f"{number(float(e['value']))} ({name})" for e, name in zip(external, names, strict=True)
        )
        parts.append(f"Diamonds: {listed}.")
    counts = [
        f"{k} in {events_text(style.floats(d['observed'].get('outcome')))}"
        for k, d in (("benefit", benefit), ("toxicity", toxicity))
        if d.get("observed")
    ]
    if counts:
        parts.append(f"Seen: {', '.join(counts)}.")
    if part(series, "inside").get("exposure"):
        parts.append(
            "The lowest panel is the probability that an exposure lies inside, "
            "with both bounds uncertain at once."
        )
    return " ".join(parts)


def window_description(series: Json) -> str:
    """The curves' values at a few exposures, for a reader who does not see the figure."""
    unit = unit_text(series.get("unit"))
    parts: list[str] = []
    for key in ("benefit", "toxicity"):
        data: Json = part(series, key)
        exposure, mean = style.floats(data.get("exposure")), style.floats(data.get("mean"))
        if exposure.size:
            at: FloatArray = np.unique(np.linspace(0, exposure.size - 1, 4).round().astype(int))
            listed = ", ".join(
                f"{percent(float(mean[int(i)]))} at {number(float(exposure[int(i)]))}" for i in at
            )
            parts.append(f"Probability of {key}: {listed} {unit}")
    inside = part(series, "inside")
    probability = style.floats(inside.get("probability"))
    if probability.size and np.any(np.isfinite(probability)):
        best = int(np.nanargmax(probability))
        parts.append(
            f"Probability of being inside is greatest, {percent(float(probability[best]))}, "
            f"at {number(float(style.floats(inside['exposure'])[best]))} {unit}"
        )
    return ". ".join(p.strip() for p in parts) + "."
