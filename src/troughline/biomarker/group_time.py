"""Change by group in one Tobit mixed model: within each group, between groups, along the dose."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from troughline.biomarker.censored import Censored, Pairs
from troughline.biomarker.paired_tobit import Records, TobitFit, fit_tobit

Floats = NDArray[np.float64]
Whole = NDArray[np.intp]

_STEPS = 30
_TOLERANCE = 1e-3
# A likelihood ratio below this far away from the maximum: there is none.
_FLAT = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of one group: value, profile-likelihood interval and p-value of no change.

    `value` is None where the likelihood rises towards infinity; an infinite end is not bounded by the data.
    """

    value: float | None
    low: float
    high: float
    p_value: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """A test between groups: a likelihood ratio as F on `numerator` and `denominator` degrees of freedom."""

    likelihood_ratio: float
    f: float
    numerator: int
    denominator: float
    p_value: float


class GroupTime:
    """y = baseline of the group + change of the group · (after) + patient + error, levels censored.

    Every group has its own baseline and change; the two standard deviations are shared. `groups` `(n,)` are
    0, 1, …. Tests and intervals turn a likelihood ratio R into F = (exp(R/m) − 1)·d/q on q and d = m − number
    of groups degrees of freedom, m the patients with a quantified level: without censoring that is exactly
    the analysis of variance of the changes, which the χ² law is not at such sizes.

    Raises `ValueError` as `fit_tobit` does, where no degree of freedom is left, and, here and in each method,
    where a fit reached no maximum.
    """

    def __init__(self, pairs: Pairs, groups: Whole) -> None:
        n = len(pairs)
        self._level = Censored(
            np.concatenate([pairs.before.low, pairs.after.low]),
            np.concatenate([pairs.before.high, pairs.after.high]),
        )
        self._records = Records(self._level, np.concatenate([np.arange(n), np.arange(n)]))
        self.n_groups = int(groups.max()) + 1
        member = (groups[:, None] == np.arange(self.n_groups)).astype(np.float64)
        self._baseline = np.concatenate([member, member])
        self._after = np.concatenate([np.zeros_like(member), member])
        self.sizes = member.sum(axis=0).astype(int)
        informative = pairs.before.exact | pairs.after.exact
        self.m = int(informative.sum())
        self.denominator = float(self.m - self.n_groups)
        if self.denominator < 1:
            raise ValueError(
                f"{self.m} patients with a quantified level and {self.n_groups} groups: nothing is left to "
                "tell the error from"
            )
        self._last: dict[int, Floats] = {}
        self.full: TobitFit = fit_tobit(self._records, np.hstack([self._baseline, self._after])).reached()

    def fitted(self, group: int) -> float | None:
        """The change of one group as fitted; None where it ran away."""
        k = self.n_groups + group
        return None if self.full.unbounded[k] else float(self.full.coefficients[k])

    def change(self, group: int, *, level: float = 0.95) -> Change:
        """The change of one group with its interval, the other groups as they are."""
        from scipy.stats import f as fisher

        k = self.n_groups + group
        found = float(self.full.coefficients[k])
        step = max(2.0 * self.full.within_sd / math.sqrt(max(int(self.sizes[group]), 1)), 1e-6)
        limit = math.sqrt(float(fisher.isf(1 - level, 1, self.denominator)))

        def excess(value: float) -> float:
            return math.sqrt(self._held_at(group, value).f) / limit - 1.0

        away = self._runs_away(group, found, step)
        low = -math.inf if away < 0 else -profile_edge(lambda x: excess(-x), -found, step)
        high = math.inf if away > 0 else profile_edge(excess, found, step)
        return Change(
            value=None if away else found, low=low, high=high, p_value=self.p_of(group, 0.0),
            n=int(self.sizes[group]),
        )  # fmt: skip

    def _runs_away(self, group: int, found: float, step: float) -> int:
        """−1 or 1 where the likelihood keeps rising towards minus or plus infinity, else 0."""
        side = -1 if found < 0 else 1
        if abs(found) < step and not self.full.unbounded[self.n_groups + group]:
            return 0
        there = self._held_at(group, found + side * 20 * step).likelihood_ratio
        self._last.pop(group, None)
        return side if there < _FLAT else 0

    def p_of(self, group: int, value: float) -> float:
        """The p-value of the hypothesis that the change of a group is `value`."""
        return self._held_at(group, value).p_value

    def _held_at(self, group: int, value: float) -> Contrast:
        design = np.delete(np.hstack([self._baseline, self._after]), self.n_groups + group, axis=1)
        # The fit at a neighbouring value lies nearer than the full one.
        start = self._last.get(group, np.delete(self.full.start, self.n_groups + group))
        null = fit_tobit(self._records, design, offset=self._after[:, group] * value, start=start)
        self._last[group] = null.reached().start
        return self._contrast(null, 1)

    def same_change(self) -> Contrast:
        """Group × time: whether all groups have the same change. Raises `ValueError` for a single group."""
        if self.n_groups < 2:
            raise ValueError("one group: no other change to compare with")
        common = np.hstack([self._baseline, self._after.sum(axis=1, keepdims=True)])
        null = fit_tobit(self._records, common, start=self._shared_start(1)).reached()
        return self._contrast(null, self.n_groups - 1)

    def common_change(self) -> float:
        """The one change that all groups would have."""
        common = np.hstack([self._baseline, self._after.sum(axis=1, keepdims=True)])
        fit = fit_tobit(self._records, common, start=self._shared_start(1)).reached()
        return float(fit.coefficients[-1])

    def trend(self, dose: Floats) -> tuple[float, Contrast]:
        """The slope of the change over the groups' `dose` `(n_groups,)`, and the test that it is 0.

        The slope is the change per unit of `dose` in the model change = a + b · dose; the test holds it
        against one common change. Raises `ValueError` where all doses are the same.
        """
        if not np.ptp(dose) > 0:
            raise ValueError("every group has the same dose: no trend")
        scaled = (dose - dose.mean()) / np.ptp(dose)
        both = np.hstack([self._baseline, self._after @ np.column_stack([np.ones_like(scaled), scaled])])
        line = fit_tobit(self._records, both, start=self._shared_start(2)).reached()
        common = fit_tobit(self._records, both[:, :-1], start=self._shared_start(1)).reached()
        against = self._ratio(line.log_likelihood, common, 1)
        return float(line.coefficients[-1] / np.ptp(dose)), against

    def _shared_start(self, n_columns: int) -> Floats:
        full, g = self.full.start, self.n_groups
        bounded = ~self.full.unbounded[g : 2 * g]
        weights = self.sizes * bounded
        mean = float((full[g : 2 * g] * weights).sum() / max(weights.sum(), 1))
        return np.concatenate([full[:g], [mean], np.zeros(n_columns - 1), full[2 * g :]])

    def _contrast(self, null: TobitFit, numerator: int) -> Contrast:
        return self._ratio(self.full.log_likelihood, null, numerator)

    def _ratio(self, log_likelihood: float, null: TobitFit, numerator: int) -> Contrast:
        return f_contrast(2 * (log_likelihood - null.log_likelihood), numerator, self.denominator, self.m)


def f_contrast(ratio: float, numerator: int, denominator: float, m: int) -> Contrast:
    """A likelihood ratio of normal models over `m` patients as an F test: F = (exp(R/m) − 1) · d / q."""
    from scipy.stats import f as fisher

    ratio = max(ratio, 0.0)
    f = math.expm1(ratio / m) * denominator / numerator
    return Contrast(
        likelihood_ratio=ratio, f=f, numerator=numerator, denominator=denominator,
        p_value=float(fisher.sf(f, numerator, denominator)),
    )  # fmt: skip


def profile_edge(excess: Callable[[float], float], inside: float, step: float) -> float:
    """Where `excess`, negative at `inside` and rising, crosses 0 above it; infinite where it never does.

    `step` is about how far away that may be: seven doublings of it are searched.
    """
    low, high = inside, inside + step
    at_low, at_high = -1.0, excess(high)
    for _ in range(7):
        if at_high > 0:
            break
        low, at_low, step = high, at_high, 2 * step
        high += step
        at_high = excess(high)
    else:
        return math.inf
    for _ in range(_STEPS):
        # Regula falsi, the kept end halved (Illinois): the signed root of the ratio is almost straight.
        middle = high - at_high * (high - low) / (at_high - at_low)
        here = excess(middle)
        if abs(here) < _TOLERANCE or high - low < _TOLERANCE * max(1.0, abs(middle)):
            return middle
        if here > 0:
            high, at_high, at_low = middle, here, at_low / 2
        else:
            low, at_low, at_high = middle, here, at_high / 2
    return (low + high) / 2
