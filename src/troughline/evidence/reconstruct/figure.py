"""A curve from the vector path of a figure (SVG or PDF): the path chosen, its points on calibrated axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from troughline.issues import Findings, Severity

FloatArray = NDArray[np.float64]

MAX_FIGURE_MB = 50.0
_FEWEST_POINTS = 3
_LISTED = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorPath:
    """A stroked path: `points` (p, 2), `stroke` as `#rrggbb`, `ids` from itself outwards.

    Points are in the figure's units: those of the viewBox (SVG, y downwards) or points (PDF, y upwards).
    """

    points: FloatArray
    stroke: str
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A linear axis by two points: `value` at `position`, both (2,)."""

    position: tuple[float, float]
    value: tuple[float, float]

    def __post_init__(self) -> None:
        """Raises `ValueError` where the two points are one."""
        if self.position[0] == self.position[1] or self.value[0] == self.value[1]:
            raise ValueError("the two calibration points of an axis must differ in position and in value")

    def values(self, positions: FloatArray) -> FloatArray:
        """The values at `positions` (p,)."""
        (p, q), (a, b) = self.position, self.value
        return a + (positions - p) * ((b - a) / (q - p))


@dataclass(frozen=True, slots=True, kw_only=True)
class PathChoice:
    """Which path: by `stroke` colour, `id` (its own or a group's), and `index` among those, from 1."""

    stroke: str | None = None
    id: str | None = None
    index: int | None = None


def vector_paths(file: Path, page: int, found: Findings) -> tuple[VectorPath, ...]:
    """The stroked paths of three points or more in an SVG file or on a page (from 1) of a PDF file.

    What cannot be read is an error in `found`; so is a missing library (the extra `figures`).
    """
    try:
        size = file.stat().st_size
        if size > MAX_FIGURE_MB * 1e6:
            message = f"is {size / 1e6:.0f} MB; the limit for a figure is {MAX_FIGURE_MB:g} MB"
            found.add(Severity.ERROR, "file-too-large", message, file=file.name)
            return ()
        data = file.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        found.add(Severity.ERROR, "file-unreadable", f"cannot be read: {reason}", file=file.name)
        return ()
    try:
        if file.suffix.lower() == ".svg":
            from troughline.evidence.reconstruct.svg_paths import svg_paths

            paths = svg_paths(data)
        elif file.suffix.lower() == ".pdf":
            from troughline.evidence.reconstruct.pdf_paths import pdf_paths

            paths = pdf_paths(data, page)
        else:
            message = f"ends in {file.suffix!r}; a figure is read from .svg or .pdf"
            found.add(Severity.ERROR, "file-kind", message, file=file.name)
            return ()
    except ImportError as error:
        message = f"needs the library {error.name}: pip install 'troughline[figures]'"
        found.add(Severity.ERROR, "library-missing", message, file=file.name)
        return ()
    except ValueError as error:
        found.add(Severity.ERROR, "not-a-figure", str(error), file=file.name)
        return ()
    return tuple(p for p in paths if len(p.points) >= _FEWEST_POINTS)


def choose_path(
    paths: Sequence[VectorPath], choice: PathChoice, *, found: Findings, file: str, arm: str
) -> VectorPath | None:
    """The one path that `choice` names; otherwise an error that lists the paths there are."""
    fitting = [
        p for p in paths
        if (choice.stroke is None or p.stroke == choice.stroke.lower())
        and (choice.id is None or choice.id in p.ids)
    ]  # fmt: skip
    index = choice.index
    if index is None and len(fitting) == 1:
        return fitting[0]
    if index is not None and 1 <= index <= len(fitting):
        return fitting[index - 1]
    wanted = ", ".join(
        f"{name} {value!r}" for name, value in (("stroke", choice.stroke), ("id", choice.id)) if value
    )
    count = f"{len(fitting)} paths" if fitting else "no path"
    asked = f"index {index}, but {count}" if index is not None else count
    found.add(
        Severity.ERROR,
        "path-choice",
        f"arm {arm!r}: {asked} of {wanted or 'any colour'}; give stroke, id or index. "
        f"There are: {_listed(fitting or paths)}",
        file=file,
    )
    return None


def path_clicks(path: VectorPath, time: Axis, survival: Axis) -> tuple[FloatArray, FloatArray]:
    """Times (p,) and survival (p,) of a path's points; survival in the unit of its axis."""
    return time.values(path.points[:, 0]), survival.values(path.points[:, 1])


def hex_colour(red: float, green: float, blue: float) -> str:
    """`#rrggbb` from three parts between 0 and 1."""
    return "#" + "".join(f"{round(255 * min(max(part, 0.0), 1.0)):02x}" for part in (red, green, blue))


def _listed(paths: Sequence[VectorPath]) -> str:
    told = [
        f"{i}: {p.stroke}, {len(p.points)} points, x {_span(p.points[:, 0])}, y {_span(p.points[:, 1])}"
        + (f", id {p.ids[0]!r}" if p.ids else "")
        for i, p in enumerate(paths[:_LISTED], start=1)
    ]
    more = f"; … ({len(paths)} in all)" if len(paths) > _LISTED else ""
    return ("; ".join(told) or "none; the figure may be a picture, not drawn in vectors") + more


def _span(values: FloatArray) -> str:
    low, high = float(values.min()), float(values.max())
    return f"{low:.5g}–{high:.5g}" if math.isfinite(low + high) else "not finite"
