"""One marker against one characteristic: trend, correlations, odds of a higher stage, ratio per stage."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.biomarker.censored import Censored
from troughline.biomarker.markers import CharacteristicColumn, MarkerColumn
from troughline.biomarker.proportional_odds import NoOrdinalEstimate, brant_test, fit_proportional_odds
from troughline.biomarker.rank_correlation import (
    Correlation,
    partial_spearman,
    spearman,
    tau_b,
)
from troughline.biomarker.tobit import NoCensoredEstimate, fit_tobit
from troughline.biomarker.trend import PERMUTE_BELOW, Trend, comparisons, jonckheere_terpstra

if TYPE_CHECKING:
    from troughline.response.questions.adjustment import Adjustment

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

FEWEST = 5
BRANT_SIMULATIONS = 499


class NotTested(ValueError):
    """This marker cannot be held against this characteristic; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """An effect with its interval and p: an odds ratio, a ratio or a difference, per `step`."""

    value: float
    low: float
    high: float
    p_value: float
    n: int
    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdinalOdds:
    """Odds ratios of a higher stage, plain and adjusted; Brant's p; `failed` says what could not be had."""

    plain: Effect | None = None
    adjusted: Effect | None = None
    brant_p: float | None = None
    failed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairResult:
    """What the guarded column says of one pair; `None` where a method does not apply or failed.

    `inside` (n_patients,) tells who has both; `p_value` is the one test of the pair that counts in the
    family, `test` its name, `statistic` its z (Kruskal–Wallis: H). `stage_sizes` counts patients a level.
    """

    inside: Flags
    n: int
    statistic: float
    p_value: float
    test: str
    stage_sizes: Mapping[str, int]
    trend: Trend | None = None
    tau: Correlation | None = None
    rho: Correlation | None = None
    partial: Correlation | None = None
    ordinal: OrdinalOdds | None = None
    step_effect: Effect | None = None
    step_effect_adjusted: Effect | None = None
    notes: tuple[str, ...] = field(default=())


def analyse_pair(
    marker: MarkerColumn,
    characteristic: CharacteristicColumn,
    adjustment: Adjustment | None,
    *,
    level: float,
    permutations: int,
    rng: np.random.Generator,
) -> PairResult:
    """The honest analysis of one pair. Raises `NotTested` where there is nothing to compare."""
    inside = marker.known & characteristic.known
    known = marker.intervals(inside)
    groups = characteristic.values[inside]
    sizes = _sizes(characteristic, groups)
    _check(marker, characteristic, known, groups)
    if characteristic.scale == "nominal":
        from scipy.stats import kruskal, rankdata

        try:
            ranked = rankdata(marker.ranked(inside))
        except ValueError as error:
            raise NotTested(f"{marker.label}: {error}") from None
        found = kruskal(*(ranked[groups == g] for g in np.unique(groups)))
        return PairResult(
            inside=inside,
            n=len(known),
            statistic=float(found.statistic),
            p_value=float(found.pvalue),
            test="Kruskal–Wallis",
            stage_sizes=sizes,
        )
    small = len(known) < PERMUTE_BELOW
    trend = jonckheere_terpstra(known, groups, permutations=permutations, rng=rng if small else None)
    how = {"exact": "exact", "permutation": f"{permutations} permutations", "asymptotic": "tie-corrected"}
    name = "Kendall" if characteristic.scale == "number" else "Jonckheere–Terpstra"
    a, b = comparisons(known), comparisons(groups)
    notes: list[str] = []
    if any(np.unique(marker.values[inside & side]).size > 1 for side in (marker.below, marker.above)):
        notes.append("several limits: rank correlations tie everything beyond the strictest one")
    rest = _Rest(marker, characteristic, adjustment, inside, level, rng)
    return PairResult(
        inside=inside,
        n=len(known),
        statistic=trend.z,
        p_value=trend.p_value,
        test=f"{name}, {how[trend.method]}",
        stage_sizes=sizes,
        trend=trend,
        tau=tau_b(a, b, level=level),
        rho=_or_none(lambda: spearman(marker.ranked(inside), groups, level=level)),
        partial=rest.partial(),
        ordinal=rest.odds(),
        step_effect=rest.step(adjusted=False),
        step_effect_adjusted=rest.step(adjusted=True),
        notes=tuple(notes),
    )


def _check(
    marker: MarkerColumn, characteristic: CharacteristicColumn, known: Censored, groups: Floats
) -> None:
    n = len(known)
    if n < FEWEST:
        raise NotTested(
            f"{n} patients have both {marker.label} and {characteristic.label}; {FEWEST} are needed"
        )
    for side, all_there, ends in (("below", known.below, known.high), ("above", known.above, known.low)):
        if all_there.all():
            raise NotTested(
                f"every one of {n} values of {marker.label} lies {side} its limit "
                f"({_limits(ends)} {marker.unit})"
            )
    if np.unique(groups).size == 1:
        only = characteristic.levels[int(groups[0])] if characteristic.levels else f"{groups[0]:g}"
        raise NotTested(f"{characteristic.label} is {only} in all {n} patients: there is nothing to compare")
    if not comparisons(known).any():
        raise NotTested(f"{marker.label} does not vary in {n} patients")


def _limits(limits: Floats) -> str:
    low, high = float(limits.min()), float(limits.max())
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _sizes(characteristic: CharacteristicColumn, groups: Floats) -> dict[str, int]:
    return {name: int((groups == i).sum()) for i, name in enumerate(characteristic.levels)}


def _or_none(make: Callable[[], Correlation]) -> Correlation | None:
    try:
        return make()
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class _Rest:
    """The regressions of one pair, unadjusted and adjusted."""

    marker: MarkerColumn
    characteristic: CharacteristicColumn
    adjustment: Adjustment | None
    inside: Flags
    level: float
    rng: np.random.Generator

    def _rows(self, adjusted: bool) -> tuple[Flags, Floats]:
        """Who counts, and the adjusting columns of those (n, p)."""
        if not adjusted or self.adjustment is None:
            return self.inside, np.empty((int(self.inside.sum()), 0))
        rows = self.inside & self.adjustment.complete
        matrix = self.adjustment.matrix[rows]
        varies = np.ptp(matrix, axis=0) > 0 if rows.any() else np.zeros(matrix.shape[1], dtype=np.bool_)
        return rows, matrix[:, varies]

    def partial(self) -> Correlation | None:
        if self.adjustment is None:
            return None
        rows, matrix = self._rows(True)
        try:
            return partial_spearman(
                self.marker.ranked(rows),
                self.characteristic.values[rows],
                matrix,
                level=self.level,
            )
        except ValueError:
            return None

    def odds(self) -> OrdinalOdds | None:
        """Odds ratios of a higher stage, and Brant's check of the unadjusted one."""
        if self.characteristic.scale == "number":
            return None
        try:
            plain = self._odds(False)
        except (NoOrdinalEstimate, ValueError) as error:
            return OrdinalOdds(failed=str(error))
        adjusted, brant_p, failed = None, None, ""
        if self.adjustment is not None:
            try:
                adjusted = self._odds(True)
            except (NoOrdinalEstimate, ValueError) as error:
                failed = f"adjusted odds: {error}"
        stage, column, _ = self._ordinal(False)
        if int(stage.max()) > 1:
            try:
                brant_p = brant_test(
                    stage, column[:, None], simulations=BRANT_SIMULATIONS, rng=self.rng
                ).p_value
            except NoOrdinalEstimate as error:
                failed = failed or f"proportional odds could not be checked: {error}"
        return OrdinalOdds(plain=plain, adjusted=adjusted, brant_p=brant_p, failed=failed)

    def _ordinal(self, adjusted: bool) -> tuple[NDArray[np.int64], Floats, Floats]:
        rows, matrix = self._rows(adjusted)
        _, stage = np.unique(self.characteristic.values[rows], return_inverse=True)
        values = self.marker.values[rows]
        if self.marker.hidden[rows].any():
            from scipy.special import ndtri
            from scipy.stats import rankdata

            column = ndtri((rankdata(self.marker.ranked(rows)) - 0.5) / values.size)
        else:
            column = np.log2(values) if self.marker.log else values
        return stage.astype(np.int64), np.asarray(column, dtype=np.float64), matrix

    def _odds(self, adjusted: bool) -> Effect:
        from scipy.special import ndtr

        from troughline.response.proportions import normal_quantile

        stage, column, matrix = self._ordinal(adjusted)
        hidden = bool(self.marker.hidden[self.inside].any())
        # Without a natural unit the odds are per standard deviation.
        spread = float(column.std()) if hidden or not self.marker.log else 1.0
        fit = fit_proportional_odds(stage, np.column_stack([column / spread, matrix]))
        slope, error = float(fit.slopes[0]), math.sqrt(float(fit.covariance[0, 0]))
        half = normal_quantile(self.level) * error
        step = "per SD of its rank" if hidden else "per doubling" if self.marker.log else "per SD"
        return Effect(
            value=math.exp(slope),
            low=math.exp(slope - half),
            high=math.exp(min(slope + half, 700.0)),
            p_value=2 * float(ndtr(-abs(slope / error))),
            n=fit.n,
            step=step,
        )

    def step(self, *, adjusted: bool) -> Effect | None:
        """The censored regression of the marker: a ratio (log scale) or a difference per step."""
        if adjusted and self.adjustment is None:
            return None
        rows, matrix = self._rows(adjusted)
        y = self.marker.values[rows]
        design = np.column_stack([np.ones(y.size), self.characteristic.scores[rows], matrix])
        try:
            fit = fit_tobit(
                np.log(y) if self.marker.log else y, self.marker.below[rows], design,
                above=self.marker.above[rows],
            )  # fmt: skip
        except (NoCensoredEstimate, np.linalg.LinAlgError):
            return None
        value, (low, high) = float(fit.coefficients[1]), fit.interval(1, level=self.level)
        if not (math.isfinite(low) and math.isfinite(high)):
            return None
        if self.marker.log:
            value, low, high = (math.exp(min(v, 700.0)) for v in (value, low, high))
        return Effect(
            value=value, low=low, high=high, p_value=fit.p_value(1), n=fit.n, step=self.characteristic.step
        )
