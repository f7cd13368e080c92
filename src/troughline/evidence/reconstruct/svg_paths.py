"""The stroked paths of an SVG file, with every transform applied (package `svgelements`)."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import importlib
import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from troughline.evidence.reconstruct.figure import VectorPath, hex_colour


def svg_paths(data: bytes) -> list[VectorPath]:
    """Every stroked path, line and polyline, in the units of the viewBox.

    Raises `ValueError` where the bytes are no SVG, `ImportError` without the package.
    """
    # Imported by name: the package ships no annotations, and numbers are all that leaves this module.
    library: Any = importlib.import_module("svgelements")
    from xml.etree.ElementTree import ParseError

    try:
        image: Any = library.SVG.parse(io.BytesIO(data), reify=True)
    except (ParseError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"is no SVG that can be read: {' '.join(str(error).split())[:100]}") from None
    if image is None:
        raise ValueError("is no SVG that can be read: it holds no <svg> element")
    back: Any = ~library.Matrix(image.viewbox_transform or "")
    out: list[VectorPath] = []
    for shape, ids in _shapes(image, (), library):
        if shape.stroke is None or shape.stroke.value is None or shape.stroke.opacity == 0:
            continue
        ends = [segment.end for segment in library.Path(shape) if segment.end is not None]
        if not ends:
            continue
        placed = [back.point_in_matrix_space(end) for end in ends]
        colour = shape.stroke
        out.append(
            VectorPath(
                points=np.array([[float(p.x), float(p.y)] for p in placed]),
                stroke=hex_colour(colour.red / 255, colour.green / 255, colour.blue / 255),
                ids=tuple(ids),
            )
        )
    return out


def _shapes(element: Any, ids: tuple[str, ...], library: Any) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """Each shape with the ids of itself and of the groups around it, in drawing order."""
    own = (str(element.id), *ids) if getattr(element, "id", None) else ids
    if isinstance(element, library.Shape):
        yield element, own
    elif isinstance(element, (library.Group, library.Use)):
        for child in element:
            yield from _shapes(child, own, library)
