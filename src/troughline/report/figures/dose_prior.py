"""Prior against data: what was expected of this patient before any sample, and what the samples left."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

from troughline.report.figures import style
from troughline.report.figures.drawing import Sketch
from troughline.report.figures.parts import wrapped
from troughline.report.figures.pk_parts import apply_scale
from troughline.report.figures.scale import scale_of
from troughline.report.figures.style import Json
from troughline.report.numbers import interval, number, percent, unit_text
from troughline.report.reading import entries, part

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAMES, _PANEL, _ROW, _TOP = 1.45, 4.35, 0.36, 0.12


def sketch_prior(results: Json) -> Sketch:
    """Draw each individual quantity over the population's median: both spreads."""
    rows = prior_rows(results)
    height = _ROW * len(rows)
    sheet = style.sheet(_TOP + height + 0.58)
    axes = style.panel(sheet, left=_NAMES, top=_TOP, width=_PANEL, height=height)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    style.bare(axes, keep=("bottom",))
    ratios = [
        spread[k] / population["median"]
        for _, patient, population in rows
        for spread in (patient, population)
        for k in ("median", "low", "high")
        if spread.get(k) is not None
    ]
    apply_scale(scale_of(style.finite(ratios, [1.0]), log=True), axes)
    axes.tick_params(axis="x", length=3, labelbottom=True)
    axes.axvline(1.0, color="#9aa4ad", linewidth=0.8, zorder=0)
    for k, (name, patient, population) in enumerate(rows):
        _row(axes, k, name, patient, population)
    axes.set_xlabel("times the population's median, log scale")
    return Sketch(sheet, "Before and after the samples", _caption(results), _description(rows))


def prior_rows(results: Json) -> list[tuple[str, Json, Json]]:
    """Name, the patient's spread and the population's of each quantity that has both."""
    individual: Json = part(results, "individual")
    trough: tuple[str, Json, Json] = (
        "trough now",
        part(individual, "trough"),
        part(individual, "population_trough"),
    )
    several = len({p.get("model") for p in entries(individual, "parameters")}) > 1
    listed: list[tuple[str, Json, Json]] = [trough]
    for one in entries(individual, "parameters"):
        words = str(one.get("label") or one["name"])
        name = f"{words}, {one['model']}" if several else words
        listed.append((name, part(one, "patient"), part(one, "population")))
    return [
        row
        for row in listed
        if row[1].get("median") is not None
        and (row[2].get("median") or 0) > 0
        and (row[1]["median"] or 0) > 0
    ]


def _row(axes: Axes, k: int, name: str, patient: Json, population: Json) -> None:
    middle = float(population["median"])
    for spread, color, width, lift in (
        (population, "#b9c1c8", 6.0, 0.0),
        (patient, style.GUARDED, 2.4, 0.0),
    ):
        if spread.get("low") is not None and spread.get("high") is not None:
            axes.plot(
                [spread["low"] / middle, spread["high"] / middle],
                [k + lift, k + lift],
                color=color,
                linewidth=width,
                zorder=1 if spread is population else 2,
            )
    axes.plot(
        [patient["median"] / middle],
        [k],
        "o",
        markersize=6,
        color=style.GUARDED,
        markeredgecolor="#ffffff",
        markeredgewidth=0.9,
        zorder=4,
    )
    axes.annotate(
        "\n".join(wrapped(name, 24, most=2)),
        xy=(0, k),
        xycoords=("axes fraction", "data"),
        xytext=(-8, 0),
        textcoords="offset points",
        ha="right",
        va="center",
        fontsize=style.SMALL,
        annotation_clip=False,
    )
    for line, words in enumerate(
        (f"{number(patient['median'])} {unit_text(patient.get('unit'))}", f"expected {number(middle)}")
    ):
        axes.annotate(
            words,
            xy=(1.0, k + (line - 0.5) * 0.32),
            xycoords=("axes fraction", "data"),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            fontsize=6.5,
            color=style.MUTED,
            annotation_clip=False,
        )


def _caption(results: Json) -> str:
    level = percent(results.get("level"))
    return (
        f"Grey: the {level} interval over patients with the same covariates, before any sample. Blue: this "
        f"patient's after the samples, median and {level} interval. A blue line as long as the grey one "
        "means that the samples told nothing."
    )


def _description(rows: list[tuple[str, Json, Json]]) -> str:
    parts = [
        f"{name}: {number(patient['median'])} ({interval(patient.get('low'), patient.get('high'))}) "
        f"{unit_text(patient.get('unit'))}, expected {number(population['median'])} "
        f"({interval(population.get('low'), population.get('high'))})"
        for name, patient, population in rows
    ]
    return "; ".join(parts) + "."
