"""p values against intervals."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, log
from statistics import NormalDist
from typing import TYPE_CHECKING

from troughline.evidence.checks.hazard_ratios import standard_error
from troughline.evidence.checks.printed import half_step, p_limits, shown
from troughline.evidence.checks.rule import Flag, Rule
from troughline.issues import Severity

if TYPE_CHECKING:
    from troughline.evidence.numbers import Number
    from troughline.evidence.records import Publication

Z_APART = 0.5
"""How far the z of the p value and the z of the interval may lie apart: log-rank, score and Wald tests of one
contrast differ by less than this at trial sizes."""


def _find(study: Publication) -> Iterator[Flag]:
    for n in study.number:
        if n.quantity not in ("hazard-ratio", "log-hazard-ratio") or n.p_value is None or not n.value:
            continue
        error = standard_error(n) if n.interval == "confidence" else None
        if not error:
            continue
        least, most = _z_of_interval(n, error)
        weakest, strongest = _z_of_p(n.p_value)
        if least > strongest + Z_APART or most < weakest - Z_APART:
            yield Flag(
                item=n.id,
                message=f"p {'' if n.p_value.startswith('<') else '= '}{n.p_value} beside {shown(n.value)} "
                f"({shown(n.low or 0.0)} to {shown(n.high or 0.0)}), whose z of {least:.2f} to {most:.2f} "
                f"gives p = {_two_sided(most):.2g} to {_two_sided(least):.2g}",
            )


def _z_of_interval(n: Number, error: float) -> tuple[float, float]:
    """|estimate| over its standard error, rounding of the estimate allowed."""
    h = half_step(n)
    value = n.value or 0.0
    if n.quantity == "log-hazard-ratio":
        ends = (value - h, value + h)
    else:
        ends = (log(max(value - h, 1e-6)), log(value + h))
    sizes = sorted(abs(end) / error for end in ends)
    return (0.0 if ends[0] < 0 < ends[1] else sizes[0]), sizes[1]


def _z_of_p(p_value: str) -> tuple[float, float]:
    """The smallest and largest |z| that the printed p allows."""
    low, high = p_limits(p_value)
    normal = NormalDist()
    weakest = normal.inv_cdf(1 - high / 2) if high < 1 else 0.0
    strongest = normal.inv_cdf(1 - low / 2) if low > 0 else inf
    return weakest, strongest


def _two_sided(z: float) -> float:
    return 2 * (1 - NormalDist().cdf(z))


RULES = (
    Rule(
        id="p-against-interval",
        severity=Severity.WARNING,
        title="A p value that its interval contradicts",
        limit="the z of the p value and of the interval of a hazard ratio, rounding allowed, more than "
        f"{Z_APART:g} apart",
        reason="p and interval of one test say the same; a one-sided p fires too",
        find=_find,
    ),
)
