"""Intervals against their estimates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from troughline.evidence.checks.printed import SLACK, half_step, shown
from troughline.evidence.checks.rule import Flag, Rule
from troughline.issues import Severity

if TYPE_CHECKING:
    from troughline.evidence.numbers import Number
    from troughline.evidence.records import Publication

STEPS_BESIDE = 2.0
"""An end counts as the estimate itself where the other end is at least this many printed steps away: within
one step both may have been rounded to the same number."""

_BOUNDS = {"auc": (0.0, 1.0), "proportion": (0.0, 1.0)}


def _with_interval(study: Publication) -> Iterator[tuple[Number, float, float]]:
    for n in study.number:
        if n.low is not None and n.high is not None:
            yield n, n.low, n.high


def _misses(study: Publication) -> Iterator[Flag]:
    for n, low, high in _with_interval(study):
        if n.quantity == "window":
            continue
        if low > high:
            yield Flag(item=n.id, message=f"interval runs from {shown(low)} down to {shown(high)}")
        elif n.value is not None and not low <= n.value <= high:
            yield Flag(
                item=n.id,
                message=f"interval {shown(low)} to {shown(high)} does not contain the estimate "
                f"{shown(n.value)}",
            )


def _ends(study: Publication) -> Iterator[Flag]:
    for n, low, high in _with_interval(study):
        if n.interval != "confidence" or n.value is None or not low <= n.value <= high:
            continue
        step = 2 * half_step(n)
        for end, other, word in ((low, high, "lower"), (high, low, "upper")):
            natural = end in _BOUNDS.get(n.quantity, ())
            if n.value == end and not natural and abs(other - end) >= STEPS_BESIDE * step - SLACK:
                yield Flag(
                    item=n.id,
                    message=f"the {word} limit {shown(end)} of the interval {shown(low)} to {shown(high)} "
                    f"is the estimate itself",
                )


def _window(study: Publication) -> Iterator[Flag]:
    for n, low, high in _with_interval(study):
        if n.quantity == "window" and low >= high:
            yield Flag(item=n.id, message=f"lower bound {shown(low)} is not below upper bound {shown(high)}")


RULES = (
    Rule(
        id="interval-misses-estimate",
        severity=Severity.ERROR,
        title="An interval that does not contain its estimate",
        limit="the lower limit above the upper one, or the estimate outside both",
        reason="an interval is built around its estimate, a range or a pair of quartiles around its median",
        find=_misses,
    ),
    Rule(
        id="interval-ends-at-estimate",
        severity=Severity.ERROR,
        title="A confidence interval that ends at its estimate",
        limit=f"one limit equals the estimate and the other is {STEPS_BESIDE:g} or more printed steps away; "
        "an area or a proportion of 0 or 1 is let through",
        reason="no two-sided interval has all its error on one side",
        find=_ends,
    ),
    Rule(
        id="window-order",
        severity=Severity.ERROR,
        title="A window whose bounds do not rise",
        limit="the lower bound at or above the upper one",
        reason="such a window holds no level",
        find=_window,
    ),
)
