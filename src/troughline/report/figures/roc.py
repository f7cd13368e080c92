"""ROC curves in both columns with band and cuts; beside them the AUC and how uncertain the cut is."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import usable_cuts
from troughline.report.figures.roc_beside import (
    AUC_ROW,
    SQUARE,
    TOP,
    auc_panel,
    aucs_of,
    bootstrap,
    bootstrap_panel,
)
from troughline.report.figures.style import FloatArray, Json
from troughline.report.numbers import interval, micro, number, percent, unit_text
from troughline.report.reading import entries, part

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Colour of the line, its width in points, colour of its words; by whether the curve is the guarded one.
_LOOK = {
    True: (style.GUARDED, 2.0, style.GUARDED),
    False: (style.PUBLISHED, 1.1, style.PUBLISHED_TEXT),
}


def sketch_roc(question: Json) -> Sketch:
    """Draw the ROC of a threshold question, its AUC in both columns and the bootstrap of its cut."""
    series: Json = question["series"]
    aucs = aucs_of(question)
    beside = bool(aucs) or bool(bootstrap(series))
    sheet = style.sheet(SQUARE + TOP + 0.59)
    axes = style.panel(sheet, left=0.62 if beside else 1.9, top=TOP, width=SQUARE, height=SQUARE)
    points = _roc(axes, series)
    _key(axes, question)
    if aucs:
        auc_panel(sheet, aucs)
    if bootstrap(series):
        bootstrap_panel(sheet, series, top=TOP + 0.18 + AUC_ROW * len(aucs) + 0.5 if aucs else TOP)
    outcome = micro(str(part(series, "distribution").get("outcome_label") or "the outcome"))
    return Sketch(sheet, f"ROC curve for {outcome}", _caption(question, points), _description(series, aucs))


def _roc(axes: Axes, series: Json) -> list[tuple[Json, float, float]]:
    for tick in (0.25, 0.5, 0.75, 1.0):
        axes.axhline(tick, color=style.HAIRLINE, linewidth=0.6, zorder=0)
        axes.axvline(tick, color=style.HAIRLINE, linewidth=0.6, zorder=0)
    axes.plot([0, 1], [0, 1], color=style.PUBLISHED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    axes.text(
        0.73,
        0.695,
        "no better than chance",
        rotation=45,
        rotation_mode="anchor",
        ha="center",
        va="top",
        fontsize=style.SMALL,
        color=style.MUTED,
    )
    band = _band(series)
    if band:
        axes.fill_between(
            1 - style.floats(band["specificity"]),
            style.floats(band["low"]),
            style.floats(band["high"]),
            color=style.GUARDED_PALE,
            linewidth=0,
            zorder=0.5,
        )
    for guarded in (False, True):
        curve = _curve(series, guarded=guarded)
        if not curve:
            continue
        specificity, sensitivity = _rates(curve)
        order = np.lexsort((sensitivity, 1 - specificity))
        axes.plot(
            1 - specificity[order],
            sensitivity[order],
            color=_LOOK[guarded][0],
            linewidth=_LOOK[guarded][1],
            zorder=3 if guarded else 2.5,
            clip_on=False,
        )
    points = _cut_points(series)
    for k, (cut, x, y) in enumerate(points):
        guarded = cut.get("kind") == "guarded"
        color = style.GUARDED if guarded else style.INK
        axes.plot(
            [x],
            [y],
            "o",
            markersize=7,
            markerfacecolor=color if guarded else "#ffffff",
            markeredgecolor=color,
            markeredgewidth=1.5,
            zorder=5,
            clip_on=False,
        )
        if any(number(float(c["value"])) == number(float(cut["value"])) for c, _, _ in points[:k]):
            continue
        axes.annotate(
            number(float(cut["value"])),
            xy=(x, y),
            xytext=(9, -9 - 10 * _same_place(points, k)),
            textcoords="offset points",
            fontsize=style.BASE,
            color=color,
            fontweight="bold",
            zorder=6,
            bbox={"facecolor": "#ffffff", "alpha": 0.8, "edgecolor": "none", "pad": 0.8},
        )
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="1 − specificity (false alarms)", ylabel="sensitivity")
    labels = ["0", "25%", "50%", "75%", "100%"]
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], labels)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], labels)
    return points


def _cut_points(series: Json) -> list[tuple[Json, float, float]]:
    """Each cut that lies on the curve of its own column, with its false alarm rate and sensitivity."""
    points: list[tuple[Json, float, float]] = []
    for cut in usable_cuts(series.get("cuts")):
        if cut.get("kind") == "external" or cut.get("value") is None:
            continue
        curve = _curve(series, guarded=cut.get("kind") == "guarded")
        thresholds = style.floats(curve.get("threshold"))
        if thresholds.size == 0:
            continue
        specificity, sensitivity = _rates(curve)
        distance = np.abs(np.where(np.isfinite(thresholds), thresholds, np.inf) - float(cut["value"]))
        i = int(np.argmin(distance))
        if np.isfinite(distance[i]):
            points.append((cut, float(1 - specificity[i]), float(sensitivity[i])))
    return points


def _curve(series: Json, *, guarded: bool) -> Json:
    curve = part(series, "roc_guarded" if guarded else "roc")
    return curve if curve.get("specificity") and curve.get("sensitivity") else {}


def _rates(curve: Json) -> tuple[FloatArray, FloatArray]:
    """Specificity and sensitivity of a curve, (n_points,) each."""
    return style.floats(curve["specificity"]), style.floats(curve["sensitivity"])


def _band(series: Json) -> Json:
    """The band of the guarded curve; without that curve it would seem to belong to another one."""
    band = part(series, "roc_band")
    whole = band.get("specificity") and band.get("low") and band.get("high")
    return band if whole and _curve(series, guarded=True) else {}


def _number_of(question: Json, *, guarded: bool) -> int | None:
    """How many patients (or samples) the curve of that column is drawn from."""
    start = "guarded" if guarded else "as-published"
    return next(
        (
            int(e["n"])
            for e in entries(question, "estimates")
            if e.get("name") == "auc"
            and str(e.get("method", "")).startswith(start)
            and not e.get("label")
            and e.get("n") is not None
        ),
        None,
    )


def _words(question: Json, *, guarded: bool) -> str:
    n = _number_of(question, guarded=guarded)
    return ("guarded" if guarded else "as published") + (f", n = {n}" if n is not None else "")


def _same_curves(series: Json) -> bool:
    one, other = _curve(series, guarded=True), _curve(series, guarded=False)
    return bool(one) and all(one[k] == other[k] for k in ("specificity", "sensitivity"))


def _key(axes: Axes, question: Json) -> None:
    """Which line is which, above the square; one entry where both curves are the same."""
    series: Json = question["series"]
    listed = [(g, _words(question, guarded=g)) for g in (True, False) if _curve(series, guarded=g)]
    if _same_curves(series) and _number_of(question, guarded=True) == _number_of(question, guarded=False):
        n = _number_of(question, guarded=True)
        listed = [(True, "guarded and as published" + (f", n = {n}" if n is not None else ""))]
    x, y = 0.0, 1.0 + 0.13 / SQUARE
    for guarded, words in listed:
        color, width, text = _LOOK[guarded]
        axes.plot(
            [x, x + 0.06], [y, y], color=color, linewidth=width, transform=axes.transAxes, clip_on=False
        )
        axes.text(
            x + 0.08,
            y,
            words,
            transform=axes.transAxes,
            fontsize=style.SMALL,
            color=text,
            va="center_baseline",
        )
        x += 0.13 + 0.95 * style.text_width_in(words) / SQUARE


def _same_place(points: list[tuple[Json, float, float]], k: int) -> int:
    return sum(abs(p[1] - points[k][1]) < 0.06 and abs(p[2] - points[k][2]) < 0.06 for p in points[:k])


def _caption(question: Json, points: list[tuple[Json, float, float]]) -> str:
    series: Json = question["series"]
    unit = unit_text(part(series, "distribution").get("unit"))
    several = bool(_curve(series, guarded=True)) and not _same_curves(series)
    parts = [
        f"{'The curves show' if several else 'The curve shows'} sensitivity against false alarms over every "
        "possible cut."
    ]
    if several:
        parts.append(
            f"The blue one is {_words(question, guarded=True)}; the grey one is "
            f"{_words(question, guarded=False)}, and counts what a paper would count."
        )
    if _band(series):
        parts.append(
            "The band is the pointwise bootstrap interval of the sensitivity of the guarded curve, no "
            "narrower than the interval of one proportion of as many patients."
        )
    for cut, x, y in points[:2]:
        words = "guarded" if cut.get("kind") == "guarded" else "as-published"
        parts.append(
            f"At the {words} cut of {number(cut['value'])} {unit} sensitivity is {percent(y)} "
            f"and specificity {percent(1 - x)}."
        )
    if bootstrap(series):
        bound = next(
            (
                c
                for c in entries(series, "cuts")
                if c.get("kind") == "guarded" and interval(c.get("low"), c.get("high"))
            ),
            None,
        )
        tail = f"; its interval is {interval(bound.get('low'), bound.get('high'))} {unit}" if bound else ""
        parts.append(f"The bars show where the best cut falls when the patients are drawn again{tail}.")
    return " ".join(parts)


def _description(series: Json, aucs: list[Json]) -> str:
    guarded = bool(_curve(series, guarded=True))
    specificity, sensitivity = _rates(_curve(series, guarded=guarded))
    at = ", ".join(
        f"{percent(float(np.max(sensitivity[specificity >= s], initial=0.0)))} at specificity {percent(s)}"
        for s in (0.9, 0.75, 0.5)
    )
    listed = "; ".join(
        f"AUC {e['method']}: {number(e['value'])} {interval(e.get('low'), e.get('high'))}".rstrip()
        for e in aucs
    )
    which = "Guarded" if guarded else "As-published"
    return f"{which} ROC curve with {specificity.size} points. Sensitivity {at}. {listed}".strip() + "."
