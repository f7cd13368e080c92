"""Each regimen's score in each draw: whether its exposure is inside the target, and its utility."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from troughline.dosing.limits import position
from troughline.dosing.response_curve import ResponseCurve

if TYPE_CHECKING:
    from troughline.dosing.forecast import Forecast
    from troughline.dosing.limits import Limits
    from troughline.dosing.patient_schema import UtilityWeights
    from troughline.dosing.result import CurveSource

Floats = NDArray[np.float64]
Criterion = Literal["utility", "p_in"]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Draws of every regimen, (n_draws, n_regimens) each.

    `below`, `inside`, `above`: 0 or 1, or where a limit is uncertain the probability over it at that draw.

    `inside_as_printed`: with the limits taken as exact. `toxicity`, `benefit`: probabilities, None without
    a curve; `utility` is None unless both are there. `outside_curve`: share of draws beyond the exposures
    that a curve was studied at, by role. `effective`: the effective number of draws.
    """

    trough: Floats
    auc_24h: Floats
    below: Floats
    inside: Floats
    above: Floats
    inside_as_printed: Floats
    toxicity: Floats | None
    benefit: Floats | None
    utility: Floats | None
    outside_curve: Mapping[str, float]
    effective: float

    @property
    def criterion(self) -> Criterion:
        """By what regimens are ranked."""
        return "p_in" if self.utility is None else "utility"

    @property
    def ranked(self) -> Floats:
        """The draws of the criterion (n_draws, n_regimens)."""
        return self.inside if self.utility is None else self.utility


def score(
    made: Sequence[Forecast],
    limits: Limits,
    curves: Mapping[str, ResponseCurve | CurveSource],
    weights: UtilityWeights,
    *,
    effective: float,
    rng: np.random.Generator,
) -> Scores:
    """Score the forecasts of some regimens; every regimen meets the same draw of a curve."""
    trough = np.column_stack([f.trough for f in made])
    area = np.column_stack([f.auc_24h for f in made])
    values = trough if limits.metric == "trough" else area
    n = len(values)
    at = position(values, limits)
    z = {role: rng.standard_normal(n) for role in ("toxicity", "benefit")}
    drawn: dict[str, Floats] = {}
    outside: dict[str, float] = {}
    for role, curve in curves.items():
        if isinstance(curve, ResponseCurve):
            x = trough if curve.metric == "trough" else area
            drawn[role] = curve.probability(x, z[role])
            outside[role] = curve.outside(x)
    toxicity, benefit = drawn.get("toxicity"), drawn.get("benefit")
    utility = None
    if toxicity is not None and benefit is not None:
        utility = weights.benefit * benefit - weights.toxicity * toxicity
    return Scores(
        trough=trough, auc_24h=area, below=at.below, inside=at.inside, above=at.above,
        inside_as_printed=position(values, limits.exact()).inside,
        toxicity=toxicity, benefit=benefit, utility=utility, outside_curve=outside, effective=effective,
    )  # fmt: skip


def best_share(ranked: Floats) -> Floats:
    """For each regimen the probability that it is the best (n_regimens,); ties share a draw equally."""
    top = ranked == ranked.max(axis=1, keepdims=True)
    share: Floats = (top / top.sum(axis=1, keepdims=True)).mean(axis=0)
    return share
