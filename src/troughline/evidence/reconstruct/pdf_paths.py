"""The stroked paths of a PDF page, read from its content stream (package `pypdf`).

Of the graphics operators (ISO 32000-1, 8.5) those that build, paint and transform paths and set the stroke
colour are followed, in forms too; text, images and shading draw no path.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import importlib
import io
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from troughline.evidence.reconstruct.figure import VectorPath, hex_colour

_STROKES = {"S", "s", "B", "B*", "b", "b*"}
_ENDS = {"f", "F", "f*", "n", *_STROKES}
_CLOSES = {"s", "b", "b*"}
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class _State:
    """The graphics state that matters: the transform (3, 3) to the page and the stroke colour."""

    matrix: NDArray[np.float64] = field(default_factory=lambda: np.eye(3))
    stroke: str = "#000000"


def pdf_paths(data: bytes, page: int) -> list[VectorPath]:
    """Every stroked path on `page` (from 1), in points from the lower left corner.

    Raises `ValueError` where the bytes are no PDF that can be read or have no such page, `ImportError`
    without the package.
    """
    # Imported by name, as numbers are all that leaves this module.
    library: Any = importlib.import_module("pypdf")
    errors: Any = importlib.import_module("pypdf.errors")
    generic: Any = importlib.import_module("pypdf.generic")
    out: list[VectorPath] = []
    try:
        reader: Any = library.PdfReader(io.BytesIO(data))
        n_pages = len(reader.pages)
        if not 1 <= page <= n_pages:
            raise ValueError(f"has {n_pages} page(s), none of number {page}")
        sheet: Any = reader.pages[page - 1]
        contents: Any = sheet.get_contents()
        if contents is not None:
            _follow(
                generic.ContentStream(contents, reader), sheet.get("/Resources"), _State(), out, reader, 0
            )
    except (errors.PyPdfError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"is no PDF that can be read: {' '.join(str(error).split())[:100]}") from None
    return out


def _follow(
    stream: Any, resources: Any, state: _State, out: list[VectorPath], reader: Any, depth: int
) -> None:
    saved: list[_State] = []
    points: list[tuple[float, float]] = []
    for operands, operator in stream.operations:
        name = operator.decode("latin-1") if isinstance(operator, bytes) else str(operator)
        if name == "q":
            saved.append(state)
        elif name == "Q":
            state = saved.pop() if saved else state
        elif name == "cm":
            state = replace(state, matrix=_matrix(operands) @ state.matrix)
        elif name in ("G", "RG", "K", "SC", "SCN"):
            state = replace(state, stroke=_colour(operands) or state.stroke)
        elif name in ("m", "l"):
            points.append((float(operands[0]), float(operands[1])))
        elif name in ("c", "v", "y"):
            points.append((float(operands[-2]), float(operands[-1])))
        elif name == "re":
            x, y, w, h = (float(v) for v in operands[:4])
            points += [(x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y)]
        elif name in _ENDS:
            if name in _STROKES and points:
                ring = [*points, points[0]] if name in _CLOSES else points
                out.append(VectorPath(points=_placed(ring, state.matrix), stroke=state.stroke))
            points = []
        elif name == "Do" and depth < _DEEPEST:
            _form(str(operands[0]), resources, state, out, reader, depth)


def _form(name: str, resources: Any, state: _State, out: list[VectorPath], reader: Any, depth: int) -> None:
    objects: Any = (resources or {}).get("/XObject") or {}
    form: Any = objects.get(name)
    form = form.get_object() if form is not None else None
    if form is None or form.get("/Subtype") != "/Form":
        return
    generic: Any = importlib.import_module("pypdf.generic")
    inner = replace(state, matrix=_matrix(form.get("/Matrix", [1, 0, 0, 1, 0, 0])) @ state.matrix)
    own: Any = form.get("/Resources")
    _follow(generic.ContentStream(form, reader), own or resources, inner, out, reader, depth + 1)


def _matrix(numbers: Any) -> NDArray[np.float64]:
    """Row vectors are multiplied from the left: [x y 1] M (ISO 32000-1, 8.3.4)."""
    a, b, c, d, e, f = (float(v) for v in numbers)
    return np.array([[a, b, 0.0], [c, d, 0.0], [e, f, 1.0]])


def _placed(points: list[tuple[float, float]], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    rows = np.column_stack([np.asarray(points, dtype=np.float64), np.ones(len(points))])
    return (rows @ matrix)[:, :2]


def _colour(operands: Any) -> str | None:
    """A colour of one, three or four parts (grey, RGB, CMYK); None for a pattern."""
    try:
        parts = [float(v) for v in operands]
    except (TypeError, ValueError):
        return None
    if len(parts) == 1:
        return hex_colour(parts[0], parts[0], parts[0])
    if len(parts) == 3:
        return hex_colour(*parts)
    if len(parts) == 4:
        c, m, y, k = parts
        return hex_colour((1 - c) * (1 - k), (1 - m) * (1 - k), (1 - y) * (1 - k))
    return None
