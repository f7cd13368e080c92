"""From effects on the linear predictor to estimates that a reader sees: ratios, or differences."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from troughline.response.case import Interval
from troughline.response.questions.parts import finite
from troughline.results import Estimate

if TYPE_CHECKING:
    from troughline.biomarker.endpoint import Effect

NAMES = {
    "survival": "treatment_hazard_ratio",
    "binary": "treatment_odds_ratio",
    "continuous": "treatment_difference",
}
INTERACTIONS = {
    "survival": "interaction_ratio",
    "binary": "interaction_ratio",
    "continuous": "interaction_difference",
}
PROGNOSTIC = {
    "survival": "prognostic_hazard_ratio",
    "binary": "prognostic_odds_ratio",
    "continuous": "prognostic_difference",
}


def effect_estimate(
    kind: str,
    effect: Effect | None,
    *,
    n: int,
    label: str,
    method: str,
    level: float,
    name: str | None = None,
    unit: str = "1",
    note: str = "",
) -> Estimate:
    """An effect as a hazard ratio, an odds ratio or a difference; without one, an estimate with no value."""
    called = name or NAMES[kind]
    if effect is None:
        return Estimate(name=called, value=None, level=level, n=n, label=label, method=method, note=note)
    ratio = kind != "continuous"

    def shown(value: float) -> float | None:
        if not ratio:
            return finite(value)
        return None if not math.isfinite(value) or abs(value) > 700 else math.exp(value)

    low, high = shown(effect.low), shown(effect.high)
    return Estimate(
        name=called, value=shown(effect.value), low=low, high=high, level=level,
        unit="1" if ratio else unit, n=n, label=label, method=method, p_value=finite(effect.p_value),
        note=note,
    )  # fmt: skip


def as_interval(estimate: Estimate) -> Interval:
    """The numbers of an estimate, for a guard."""
    return Interval(value=estimate.value, low=estimate.low, high=estimate.high)
