"""Differences between policies paired by patient, and the loss by a wrong model."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.policy_parts import name_beside
from troughline.report.figures.style import Json
from troughline.report.numbers import micro

_LEFT, _WIDTH, _ROW = 2.75, 2.6, 0.25
_MEASURES = (
    ("inside", "days inside the target", True), ("below_at", "patients below it on the last day", False),
    ("toxic", "patients with severe toxicity", False), ("stopped", "patients stopped for toxicity", False),
)  # fmt: skip


def rows_of(results: Json) -> list[tuple[str, bool, Json]]:
    """Headings with their rows: (measure's words, whether more is better, difference); those of model
    policies.
    """
    models = {p["id"] for p in results["policies"] if p["kind"] == "model" and not p["twin"]}
    shown: list[tuple[str, bool, Json]] = []
    for measure, words, more in _MEASURES:
        shown += [
            (words, more, {**d, "name": f"{d['first']} − {d['second']}"})
            for d in results["differences"]
            if d["measure"] == measure and d["first"] in models and d["second"] not in models
        ]
        shown += [
            (words, more, {**r, "name": f"true model − {r['policy']}"})
            for r in results["regret"]
            if r["measure"] == measure
        ]
    return shown


def sketch_differences(results: Json) -> Sketch:
    """A dot and a line a difference, in percentage points."""
    shown = rows_of(results)
    headings = list(dict.fromkeys(words for words, _, _ in shown))
    height = _ROW * (len(shown) + 1.3 * len(headings))
    sheet = style.sheet(height + 0.75)
    axes = style.panel(sheet, left=_LEFT, top=0.1, width=_WIDTH, height=height)
    style.bare(axes, keep=("bottom",))
    ends = [100 * float(d[k]) for _, _, d in shown for k in ("low", "high")] + [0.0]
    pad = 0.08 * (max(ends) - min(ends) + 1.0)
    axes.set_xlim(min(ends) - pad, max(ends) + pad)
    axes.set_ylim(height / _ROW, 0)
    axes.axvline(0.0, color=style.PUBLISHED, linewidth=1.0, zorder=0)
    y, heading, listed = 0.0, "", list[str]()
    for words, more, d in shown:
        if words != heading:
            y += 1.3
            heading = words
            axes.annotate(
                words, xy=(0, y - 0.5), xycoords=("axes fraction", "data"), xytext=(-_LEFT * 72 + 10, 0),
                textcoords="offset points", va="center", fontsize=style.BASE, fontweight="bold",
                color=style.text_color(style.BENEFIT if more else style.TOXICITY),
            )  # fmt: skip
        value, low, high = (100 * float(d[k]) for k in ("value", "low", "high"))
        clear = low > 0 or high < 0
        colour = style.MUTED if not clear else style.BENEFIT if (value > 0) == more else style.TOXICITY
        axes.plot([low, high], [y + 0.5] * 2, color=colour, linewidth=1.6)
        axes.plot([value], [y + 0.5], "o", color=colour, markersize=5)
        name_beside(axes, y + 0.5, micro(d["name"]))
        text = f"{value:+.1f} ({low:+.1f} to {high:+.1f})".replace("-", "−")
        axes.annotate(
            text, xy=(1, y + 0.5), xycoords=("axes fraction", "data"), xytext=(8, 0),
            textcoords="offset points", va="center", fontsize=style.BASE,
        )  # fmt: skip
        listed.append(f"{words}, {d['name']}: {text}")
        y += 1.0
    axes.set_xlabel("difference, percentage points")
    return Sketch(
        sheet,
        "Differences between policies, paired by patient",
        "Teal is better, vermilion worse, grey not distinguished from no difference. The interval is over "
        "virtual "
        "patients; each is his own comparison.",
        "Forest plot. " + "; ".join(listed) + ".",
    )
