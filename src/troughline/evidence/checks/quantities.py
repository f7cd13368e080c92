"""Units and sizes that a quantity can have."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from troughline.evidence.checks.printed import shown
from troughline.evidence.checks.rule import Flag, Rule
from troughline.issues import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from troughline.evidence.numbers import Number
    from troughline.evidence.records import Publication

_PURE = (
    "auc",
    "coefficient-of-variation",
    "correlation",
    "hazard-ratio",
    "log-hazard-ratio",
    "proportion",
    "ratio",
)
_TIMES = ("median-survival", "median-time")
_CUTS = ("threshold", "target", "window")
_AREAS = ("auc", "cumulative-auc")
_LIMITS = {
    "auc": (0.0, 1.0),
    "correlation": (-1.0, 1.0),
    "coefficient-of-variation": (0.0, None),
    "hazard-ratio": (0.0, None),
    "ratio": (0.0, None),
    "median-survival": (0.0, None),
    "median-time": (0.0, None),
}
_NAMES = {
    "pure": "a pure number",
    "time": "a time",
    "mass/volume": "mass per volume",
    "area": "mass times time per volume",
}


def _units(study: Publication) -> Iterator[Flag]:
    for n in study.number:
        wanted = _wanted(n)
        if wanted is not None and _measured(n.unit) != wanted:
            what = f"{n.quantity} of {n.metric}" if n.metric and n.quantity in _CUTS else n.quantity
            yield Flag(item=n.id, message=f"unit {n.unit!r} of a {what} is not {_NAMES[wanted]}")


def _wanted(n: Number) -> str | None:
    if n.quantity in _PURE:
        return "pure"
    if n.quantity in _TIMES:
        return "time"
    if n.quantity in _CUTS:
        return "area" if n.metric in _AREAS else "mass/volume"
    return None


def _measured(unit: str) -> str | None:
    from troughline.units import dimensions

    try:
        powers: Mapping[str, Fraction] = dimensions(unit)
    except ValueError:
        return None
    kinds: dict[str, dict[str, int]] = {
        "pure": {},
        "time": {"[time]": 1},
        "mass/volume": {"[mass]": 1, "[length]": -3},
        "area": {"[mass]": 1, "[length]": -3, "[time]": 1},
    }
    return next((kind for kind, wanted in kinds.items() if dict(powers) == wanted), None)


def _sizes(study: Publication) -> Iterator[Flag]:
    for n in study.number:
        low, high = _LIMITS.get(n.quantity, (None, None))
        if n.quantity == "proportion":
            low, high = 0.0, 100.0 if n.unit == "%" else 1.0
        for value in (n.value, n.low, n.high):
            if value is None:
                continue
            if (low is not None and value < low) or (high is not None and value > high):
                limits = (
                    f"{shown(low or 0.0)} or more"
                    if high is None
                    else f"{shown(low or 0.0)} to {shown(high)}"
                )
                yield Flag(
                    item=n.id, message=f"{shown(value)} {n.unit} for a {n.quantity}, which is {limits}"
                )


RULES = (
    Rule(
        id="unit-of-another-quantity",
        severity=Severity.ERROR,
        title="A unit that its quantity does not have",
        limit="a ratio, area under a ROC curve or proportion with a dimension; a median survival that is no "
        "time; a cut of a level that is not mass per volume, or of an area that is not mass times time per "
        "volume",
        reason="the unit says what was measured",
        find=_units,
    ),
    Rule(
        id="size-impossible",
        severity=Severity.ERROR,
        title="A size that its quantity cannot have",
        limit="a proportion or ROC area outside 0 to 1, a negative ratio or time",
        reason="the definition of the quantity",
        find=_sizes,
    ),
)
