"""Step curves: values between steps, fewer points for the same picture, letters that stand clear."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.report.figures.style import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def step_at(at: FloatArray, time: FloatArray, value: FloatArray) -> FloatArray:
    """The value of a right-continuous step curve at times `at`; before its first time, its first value."""
    index = np.clip(np.searchsorted(time, at, side="right") - 1, 0, time.size - 1)
    return value[index]


def thin_steps(time: FloatArray, value: FloatArray, longest: float, *, points: int = 300) -> NDArray[np.intp]:
    """Which steps to draw: all of few; of many the last in each of `points` cells of the time axis."""
    if time.size <= points:
        return np.arange(time.size)
    cell = np.floor(time / longest * points)
    last = np.flatnonzero(np.append(cell[1:] != cell[:-1], True))
    return np.unique(np.concatenate([[0], last]))


def end_of_curve(
    curves: list[tuple[FloatArray, FloatArray]], longest: float, *, aspect: float
) -> list[tuple[float, float]]:
    """For each curve a place on it that is far from the other curves and from the places already taken.

    `aspect` is the height of the axes over their width, so that distances are those on paper.
    """
    grid = np.linspace(0.06, 0.96, 61) * longest
    places: list[tuple[float, float]] = []
    for k, (time, value) in enumerate(curves):
        own = step_at(grid, time, value)
        gap = np.full(grid.size, 1.0)
        for j, (other_time, other_value) in enumerate(curves):
            if j != k:
                there = np.where(
                    grid <= other_time[-1], np.abs(own - step_at(grid, other_time, other_value)), 1.0
                )
                gap = np.minimum(gap, there * aspect)
        for x, y in places:
            gap = np.minimum(gap, np.hypot((grid - x) / longest, (own - y) * aspect))
        reach = grid <= time[-1]
        edge = np.minimum(own, 1.0 - own) * aspect
        score = np.where(reach, np.minimum(np.minimum(gap, 0.12), edge + 0.05), -1.0) - 0.02 * np.abs(
            grid / longest - 0.5
        )
        best = int(np.argmax(score))
        places.append((float(grid[best]), float(own[best])))
    return places


def mark_letter(axes: Axes, x: float, y: float, letter: str, color: str) -> None:
    """A white disc with a letter on a curve."""
    axes.plot(
        [x],
        [y],
        "o",
        markersize=10.5,
        color="#ffffff",
        markeredgecolor=color,
        markeredgewidth=1.4,
        zorder=20,
        clip_on=False,
    )
    axes.annotate(
        letter,
        xy=(x, y),
        ha="center",
        va="center_baseline",
        fontsize=7,
        fontweight="bold",
        color="#1d2a35",
        zorder=21,
        annotation_clip=False,
    )
