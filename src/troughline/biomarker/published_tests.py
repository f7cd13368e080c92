"""The tests that papers print for a marker by characteristic, for the as-published column."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedTest:
    """A test by name with its statistic and two-sided p; not-a-number where it cannot be computed."""

    name: str
    statistic: float
    p_value: float


def difference_test(values: Floats, groups: Floats, tests: Literal["means", "ranks"]) -> PrintedTest:
    """t test or ANOVA, Mann–Whitney or Kruskal–Wallis, by the number of groups; `values`, `groups` (n,).

    Raises `ValueError` for fewer than two groups.
    """
    from scipy import stats

    samples = [values[groups == g] for g in np.unique(groups)]
    if len(samples) < 2:
        raise ValueError("one group only")
    if tests == "ranks":
        if len(samples) == 2:
            from troughline.response.roc import mann_whitney

            found = mann_whitney(values, groups == groups.max())
            return PrintedTest(name="Mann–Whitney U", statistic=found.statistic, p_value=found.p_value)
        if np.ptp(values) == 0:
            return PrintedTest(name="Kruskal–Wallis", statistic=math.nan, p_value=math.nan)
        rank = stats.kruskal(*samples)
        return PrintedTest(name="Kruskal–Wallis", statistic=float(rank.statistic), p_value=float(rank.pvalue))
    name = "t test" if len(samples) == 2 else "analysis of variance"
    within = sum(float(((s - s.mean()) ** 2).sum()) for s in samples)
    between = sum(s.size * float((s.mean() - values.mean()) ** 2) for s in samples)
    df_between, df_within = len(samples) - 1, values.size - len(samples)
    if df_within < 1 or within <= 0:
        return PrintedTest(name=name, statistic=math.nan, p_value=math.nan)
    f = between / df_between / (within / df_within)
    p = float(stats.f.sf(f, df_between, df_within))
    # With two groups t² = F.
    return PrintedTest(name=name, statistic=math.sqrt(f) if len(samples) == 2 else f, p_value=p)


def correlation_test(x: Floats, y: Floats, tests: Literal["means", "ranks"]) -> PrintedTest:
    """Pearson's or Spearman's correlation of two columns (n,) with its p."""
    from scipy import stats

    name = "Pearson correlation" if tests == "means" else "Spearman correlation"
    if x.size < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return PrintedTest(name=name, statistic=math.nan, p_value=math.nan)
    found = stats.pearsonr(x, y) if tests == "means" else stats.spearmanr(x, y)
    return PrintedTest(name=name, statistic=float(found.statistic), p_value=float(found.pvalue))


def chi_square(beyond: NDArray[np.bool_], groups: Floats) -> PrintedTest:
    """Pearson's χ² without correction of patients beyond a limit against groups (n,)."""
    from scipy import stats

    table = np.array([[int((beyond & (groups == g)).sum()), int((~beyond & (groups == g)).sum())]
                      for g in np.unique(groups)])  # fmt: skip
    if table.shape[0] < 2 or (table.sum(axis=0) == 0).any():
        return PrintedTest(name="χ² test", statistic=math.nan, p_value=math.nan)
    found = stats.chi2_contingency(table, correction=False)
    return PrintedTest(name="χ² test", statistic=float(found.statistic), p_value=float(found.pvalue))
