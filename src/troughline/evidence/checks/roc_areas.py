"""Areas under a ROC curve against the number of patients."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

from troughline.evidence.checks.printed import half_step, shown
from troughline.evidence.checks.rule import Flag, Rule
from troughline.issues import Severity

if TYPE_CHECKING:
    from troughline.evidence.records import Publication

NARROWEST_SHARE = 0.5
"""Share of the narrowest Hanley–McNeil interval below which an interval counts as too narrow. In binormal
samples of 20 to 200 patients with areas of 0.6 to 0.97 the lower arm of DeLong's interval was never below
0.59 of it, unless the classes were separated completely, which gives an area of 1."""

DEFAULT_LEVEL = 0.95


def hanley_mcneil_se(area: float, n_cases: int, n_controls: int) -> float:
    """The standard error of an area under the ROC curve from nothing but the area and the two class sizes.

    SE² = [A (1 − A) + (n₁ − 1)(Q₁ − A²) + (n₀ − 1)(Q₂ − A²)] / (n₁ n₀), with Q₁ = A / (2 − A) and
    Q₂ = 2 A² / (1 + A).
    Raises `ValueError` for an area outside 0 to 1 or an empty class.
    Source: Hanley & McNeil 1982, doi 10.1148/radiology.143.1.7063747.
    """
    if not 0.0 <= area <= 1.0 or min(n_cases, n_controls) < 1:
        raise ValueError(f"area {area} of {n_cases} cases and {n_controls} controls is not possible")
    q1 = area / (2.0 - area)
    q2 = 2.0 * area**2 / (1.0 + area)
    variance = area * (1 - area) + (n_cases - 1) * (q1 - area**2) + (n_controls - 1) * (q2 - area**2)
    return sqrt(max(variance, 0.0) / (n_cases * n_controls))


def narrowest_se(area: float, n: int, n_cases: int | None = None) -> float:
    """The smallest standard error that a split of n patients allows; one split where the cases are known."""
    splits = range(1, n) if n_cases is None else (n_cases,)
    return min(hanley_mcneil_se(area, cases, n - cases) for cases in splits)


def _too_narrow(study: Publication) -> Iterator[Flag]:
    for a in study.number:
        n = a.n or study.n
        if a.quantity != "auc" or a.interval != "confidence" or n is None or n < 2:
            continue
        if a.value is None or a.low is None or a.high is None or not 0.5 <= a.value < 1.0:
            continue
        cases = a.events if a.events is not None and 0 < a.events < n else None
        z = NormalDist().inv_cdf(0.5 + (a.level or DEFAULT_LEVEL) / 2)
        expected = z * narrowest_se(a.value, n, cases)
        # The upper arm may end at 1, so the lower one decides: no method makes it the shorter one.
        lower = a.value - a.low + 2 * half_step(a)
        if a.low <= a.value and lower < NARROWEST_SHARE * expected:
            split = f"{cases} with the outcome among {n}" if cases else f"any split of {n} patients"
            yield Flag(
                item=a.id,
                message=f"the interval reaches {shown(a.value - a.low)} below the area {shown(a.value)}; "
                f"{split} gives {expected:.3f} or more (Hanley–McNeil)",
            )


RULES = (
    Rule(
        id="area-interval-too-narrow",
        severity=Severity.ERROR,
        title="An interval of a ROC area narrower than any split of the patients allows",
        limit=f"the lower arm, rounding allowed, shorter than {NARROWEST_SHARE:g} of the shortest that "
        "Hanley and McNeil give over all splits of n into cases and controls",
        reason="the standard error of an area has a floor set by the patients; the half leaves room for "
        "other methods",
        find=_too_narrow,
    ),
)
