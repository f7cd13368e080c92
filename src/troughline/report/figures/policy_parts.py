"""What the figures of a policy evaluation share: a colour a policy, names in a column."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

from troughline.report.figures import style
from troughline.report.figures.style import Json

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEFT = 2.0
"""Where the axes begin, in inches: names stand left of it."""
_COLOURS = {
    "fixed": style.PUBLISHED, "label": "#3f4a54", "threshold": "#c07a17", "model": style.GUARDED,
    "known": style.BENEFIT,
}  # fmt: skip
_SPARE = ("#7a4f8f", "#8c6d1f", "#4d7d32", "#a23b5b", "#2f8f9d")


def colours(policies: list[Json]) -> list[str]:
    """A colour a policy: that of its kind, another where several have one kind."""
    taken: list[str] = []
    spare = list(_SPARE)
    for policy in policies:
        colour = _COLOURS.get(str(policy["kind"]), style.INK)
        if colour in taken and spare:
            colour = spare.pop(0)
        taken.append(colour)
    return taken


def dashes(policy: Json) -> tuple[int, tuple[float, ...]]:
    """The line of a policy: broken for one that knows what nobody knows."""
    return (0, (4.0, 1.6)) if policy.get("twin") or policy.get("kind") == "known" else (0, ())


def name_beside(axes: Axes, y: float, text: str, *, colour: str = style.INK, bold: bool = False) -> None:
    """A name left of the axes at height y of the data."""
    axes.annotate(
        text, xy=(0, y), xycoords=("axes fraction", "data"), xytext=(-8, 0), textcoords="offset points",
        ha="right", va="center", fontsize=style.BASE, color=style.text_color(colour),
        fontweight="bold" if bold else "normal",
    )  # fmt: skip
