"""The strip below the window's curves: each bound with its interval, as published and of other studies."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

from troughline.report.figures import style
from troughline.report.figures.scale import Scale
from troughline.report.figures.style import Json
from troughline.report.numbers import interval, number, short_interval
from troughline.report.reading import entries, part

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def guarded_bound(series: Json, side: str) -> Json:
    """The guarded `lower` or `upper` bound with its interval, or an empty dict."""
    return part(part(part(series, "bounds"), "guarded"), side)


def bound_rows(series: Json) -> list[Json]:
    """The rows of the strip: guarded lower and upper, as published, other studies; only those there are."""
    bounds = part(series, "bounds")
    rows: list[Json] = []
    for side, color, text in (
        ("lower", style.BENEFIT, style.BENEFIT),
        ("upper", style.TOXICITY, style.TOXICITY_TEXT),
    ):
        bound = guarded_bound(series, side)
        if any(bound.get(k) is not None for k in ("value", "low", "high")):
            rows.append({"name": f"{side} bound", "kind": "guarded", "color": color, "text": text, **bound})
    published = part(bounds, "as_published")
    if published.get("lower") or published.get("upper"):
        rows.append(
            {
                "name": "as published",
                "kind": "published",
                "low": published.get("lower"),
                "high": published.get("upper"),
            }
        )
    external = [e for e in entries(bounds, "external") if e.get("value")]
    if external:
        rows.append({"name": "other studies", "kind": "external", "points": external})
    return rows


def draw_bounds(axes: Axes, rows: list[Json], scale: Scale, *, width_in: float) -> None:
    """Draw the rows of `bound_rows` on axes that are `width_in` inches wide."""
    style.bare(axes)
    low, high = scale.low, scale.high
    axes.set_ylim(len(rows) - 0.35 + 0.4 * any(r["kind"] == "external" for r in rows), -0.75)
    for y, row in enumerate(rows):
        text_color = row.get("text", style.PUBLISHED_TEXT)
        axes.annotate(
            row["name"],
            xy=(0, y),
            xycoords=("axes fraction", "data"),
            xytext=(-7, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=style.BASE if row["kind"] == "guarded" else style.SMALL,
            color=text_color,
        )
        if row["kind"] == "external":
            _external(axes, row["points"], y, scale, width_in)
        elif row["kind"] == "published":
            _bracket(axes, y, row["low"], row["high"], low, high, color=style.PUBLISHED, thickness=1.4)
            _right_text(axes, y, interval(row["low"], row["high"]), style.PUBLISHED_TEXT, "normal")
        else:
            _bracket(axes, y, row.get("low"), row.get("high"), low, high, color=row["color"], thickness=2.4)
            if row.get("value") is not None and scale.holds(row["value"]):
                axes.plot(
                    [row["value"]] * 2,
                    [-0.95, y],
                    color=row["color"],
                    linewidth=1.1,
                    linestyle=(0, (1, 1.6)),
                    zorder=1,
                    clip_on=False,
                )
                axes.plot(
                    [row["value"]],
                    [y],
                    "o",
                    markersize=7,
                    color=row["color"],
                    markeredgecolor="#ffffff",
                    markeredgewidth=1.1,
                    zorder=4,
                    clip_on=False,
                )
            short = short_interval(row.get("low"), row.get("high"), value=row.get("value"))
            value = number(row["value"]) if row.get("value") is not None else "no value"
            _right_text(axes, y, f"{value} ({short})" if short else value, text_color, "bold")


def _bracket(
    axes: Axes,
    y: float,
    start: float | None,
    end: float | None,
    low: float,
    high: float,
    *,
    color: str,
    thickness: float,
) -> None:
    """An interval with end ticks; an arrowhead where it runs on beyond the axis or is not bounded."""
    left = low if start is None or start < low else start
    right = high if end is None or end > high else end
    axes.plot([left, right], [y, y], color=color, linewidth=thickness, zorder=2, clip_on=False)
    for x, open_end, marker in (
        (left, start is None or start < low, "<"),
        (right, end is None or end > high, ">"),
    ):
        if open_end:
            axes.plot([x], [y], marker, markersize=5, color=color, zorder=3, clip_on=False)
        else:
            axes.plot([x, x], [y - 0.2, y + 0.2], color=color, linewidth=thickness * 0.6, zorder=2)


def _right_text(axes: Axes, y: float, text: str, color: str, weight: str) -> None:
    axes.annotate(
        text,
        xy=(1.0, y),
        xycoords=("axes fraction", "data"),
        xytext=(9, 0),
        textcoords="offset points",
        va="center",
        fontsize=style.SMALL,
        color=color,
        fontweight=weight,
        annotation_clip=False,
    )


def _external(axes: Axes, points: list[Json], y: float, scale: Scale, width_in: float) -> None:
    """Bounds of other studies as diamonds, each value written below, moved apart where they would touch."""
    shown = sorted((p for p in points if scale.holds(float(p["value"]))), key=lambda p: float(p["value"]))
    places = [scale.place(float(p["value"])) * width_in for p in shown]
    for point, place in zip(shown, style.spread(places, 0.3, 0.1, width_in - 0.1), strict=True):
        value = float(point["value"])
        axes.plot(
            [value],
            [y],
            "D",
            markersize=4,
            markerfacecolor="#ffffff",
            markeredgecolor=style.PUBLISHED_TEXT,
            markeredgewidth=1.0,
            zorder=3,
        )
        axes.annotate(
            number(value),
            xy=(place / width_in, y + 0.58),
            xycoords=("axes fraction", "data"),
            ha="center",
            va="center",
            fontsize=6.5,
            color=style.PUBLISHED_TEXT,
        )
    beyond = len(points) - len(shown)
    if beyond:
        _right_text(axes, y, f"{beyond} beyond the axis", style.PUBLISHED_TEXT, "normal")
