"""What an estimate of `results.json` is called, and in which style it is written: data, with a fallback."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from troughline.report.numbers import Style


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateName:
    """The readable names of one estimate; `glance` orders the numbers on a card, None keeps it off.

    `unless` names the estimate beside which it is kept off too.
    Estimates of one `row` and label stand in one row of the two columns, each by its short name; empty means
    a row of its own.
    """

    label: str
    short: str
    style: Style
    glance: int | None
    unless: str = ""
    row: str = ""


@cache
def _known() -> dict[str, dict[str, Any]]:
    return tomllib.loads(files("troughline.report").joinpath("names.toml").read_text("utf-8"))


def is_named(name: str) -> bool:
    """Whether `name` has a readable name of its own."""
    return name in _known()


@cache
def estimate_name(name: str) -> EstimateName:
    """The readable name of estimate `name`; an unknown one reads as itself, its style told by its ending.

    A name that ends in `_p` is a p value; one that starts with `p_` or ends in `_probability` is a
    probability and written as a percentage; one that starts with `n_` is a count.
    """
    entry = _known().get(name, {})
    words = name.replace("_", " ").strip()
    label = str(entry.get("label", words[:1].upper() + words[1:]))
    style: Style = entry.get("style") or ("number" if entry else _guessed_style(name))
    return EstimateName(
        label=label,
        short=str(entry.get("short", label)),
        style=style,
        glance=entry.get("glance"),
        unless=str(entry.get("unless", "")),
        row=str(entry.get("row", "")),
    )


def _guessed_style(name: str) -> Style:
    if name.endswith("_p"):
        return "p"
    if name.startswith("p_") or name.endswith("_probability"):
        return "percent"
    return "count" if name.startswith("n_") else "number"
