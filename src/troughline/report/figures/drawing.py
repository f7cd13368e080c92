"""From a drawn figure to SVG and PNG bytes that are the same at every run."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import io
import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from troughline.report.figures.style import RC
from troughline.report.numbers import closed_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

FONT_STACK = "'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
PNG_DOTS_PER_INCH = 200

_PROLOGUE = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_STYLE = re.compile(r"\s*<defs>\s*<style.*?</style>\s*</defs>", re.DOTALL)
_FAMILY = re.compile(r"font-family: [^;\"]*")
_NO_TURN = re.compile(r' transform="rotate\(-?0(?:\.0)? [^)]*\)"')
_ID = re.compile(r' id="([^"]+)"')
_REFERENCE = re.compile(r'(url\(#|href="#)([^")]+)')
_TAG = re.compile(r"<[^>]*>")
_LONG_NUMBER = re.compile(r"(\d+\.\d{2})\d+")


@dataclass(frozen=True, slots=True)
class Sketch:
    """A figure as drawn, with what a reader who does not see it needs.

    `title` names it, `caption` says in sentences what one sees, `description` lists the data for a screen
    reader.
    """

    figure: Figure
    title: str
    caption: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A finished figure; `name` is its file name without ending, `question` the id it belongs to or None."""

    name: str
    question: str | None
    title: str
    caption: str
    description: str
    svg: str
    png: bytes

    def inline_svg(self, beside: str | None = None) -> str:
        """The SVG for a page: as wide as its place, named by the caption beside it, or by that of the figure
        `beside` which it is another form of.
        """
        title, description = f"title-{beside or self.name}", f"desc-{self.name}"
        head, rest = self.svg.split(">", 1)
        head = re.sub(r' (?:width|height)="[^"]*"', "", head)
        head += f' role="img" aria-labelledby="{title}" aria-describedby="{description}"'
        return f"{head}>{re.sub(r'<title>.*?</title>', '', rest, count=1, flags=re.DOTALL)}"


def draw(
    name: str, question: str | None, sketch: Callable[[], Sketch], *, simulated: bool, raster: bool = True
) -> Drawing:
    """Draw one figure and write it as SVG and PNG, or without `raster` as SVG alone (`png` is then empty).

    `simulated` prints that the data are simulated into the figure itself, so that it says so wherever it is
    copied to. The bytes hold no date, no version and no random identifier.
    """
    import matplotlib

    settings: dict[Any, Any] = {**RC, "svg.hashsalt": f"troughline-{name}"}
    with matplotlib.rc_context(settings):
        drawn = sketch()
        if simulated:
            drawn.figure.text(
                0.995,
                0.004,
                "simulated data — not patients",
                ha="right",
                va="bottom",
                fontsize=6,
                color="#8a5a00",
            )
        vector = io.StringIO()
        empty = {"Date": None, "Creator": None, "Format": None, "Type": None}
        drawn.figure.savefig(vector, format="svg", dpi=PNG_DOTS_PER_INCH, metadata=empty)
        picture = io.BytesIO()
        if raster:
            drawn.figure.savefig(picture, format="png", dpi=PNG_DOTS_PER_INCH, metadata={"Software": None})
    svg = _tidy(vector.getvalue(), name, drawn)
    return Drawing(
        name=name,
        question=question,
        title=drawn.title,
        caption=closed_up(drawn.caption),
        description=closed_up(drawn.description),
        svg=svg,
        png=picture.getvalue(),
    )


def _tidy(svg: str, name: str, drawn: Sketch) -> str:
    """A small SVG element with identifiers of its own (several stand in a page), fonts and a description."""
    svg = _METADATA.sub("", _PROLOGUE.sub("", svg, count=1))
    svg = _STYLE.sub("", svg, count=1)
    svg = _FAMILY.sub(f"font-family: {FONT_STACK}", svg)
    svg = _NO_TURN.sub("", svg)
    svg = _TAG.sub(lambda tag: _LONG_NUMBER.sub(r"\1", tag[0]), svg)
    used = {match[2] for match in _REFERENCE.finditer(svg)}
    svg = _ID.sub(lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", svg)
    svg = _REFERENCE.sub(lambda m: f"{m[1]}{name}-{m[2]}", svg)
    words = (
        f'\n <title>{escape(drawn.title)}</title>\n <desc id="desc-{name}">{escape(drawn.description)}</desc>'
    )
    head, rest = svg.split(">", 1)
    return f'{head} style="stroke-linejoin: round">{words}{rest}'
