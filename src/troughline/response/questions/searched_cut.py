"""A survival cut searched in the data: as published, and guarded with the search paid for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from troughline.response.case import Case, Interval
from troughline.response.predictor import NotAnalysable
from troughline.response.questions.parts import generator
from troughline.results import Estimate

if TYPE_CHECKING:
    import numpy as np

    from troughline.response.questions.survival_columns import Column
    from troughline.survival.maxstat import MaximallySelected

RESAMPLES = 400
PERMUTATIONS = 9999


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchedCut:
    """A cut between two values, its search, and the bootstrap percentiles of the cut."""

    cut: float
    search: MaximallySelected
    interval: Interval


def search_cut(case: Case, column: Column, level: float, *, resamples: int) -> SearchedCut:
    """The cut of a column with the largest log-rank statistic; `resamples` = 0 leaves the interval open.

    The search splits at "at most the cut"; bands start at their cut, so it moves half-way to the next
    value. Raises `NotAnalysable` where no cut can be searched.
    """
    import numpy as np

    from troughline.survival.maxstat import maximally_selected_log_rank

    assert column.x is not None
    rng = generator(case.cohort, case.question.id)
    try:
        found = maximally_selected_log_rank(
            column.time, column.event, column.x, rng=rng, permutations=PERMUTATIONS
        )
    except ValueError as error:
        raise NotAnalysable(f"bands = 'optimal': {error}") from None
    cuts: list[float] = []
    n = len(column.patients)
    for _ in range(resamples):
        drawn = rng.integers(0, n, n)
        try:
            again = maximally_selected_log_rank(column.time[drawn], column.event[drawn], column.x[drawn])
        except ValueError:
            # A resample without an event, or without two values, has no cut.
            continue
        cuts.append(_between(again.cut, column.x[drawn]))
    cut = _between(found.cut, column.x)
    low = high = None
    if len(cuts) >= resamples / 2 > 0:
        low, high = (float(q) for q in np.quantile(cuts, [(1 - level) / 2, (1 + level) / 2]))
    return SearchedCut(cut=cut, search=found, interval=Interval(value=cut, low=low, high=high))


def _between(cut: float, values: np.ndarray) -> float:
    above = values[values > cut]
    return float((cut + above.min()) / 2) if len(above) else float(cut)


def searched_estimates(
    published: SearchedCut, guarded: SearchedCut | None, unit: str, n: int, n_guarded: int, level: float
) -> tuple[list[Estimate], bool]:
    """Both columns of a searched cut, and whether the guarded one is too wide for a single number."""
    from troughline.response.guards.cutpoints import WIDEST_FACTOR

    estimates = [
        Estimate(
            name="threshold", value=published.cut, level=None, unit=unit, n=n,
            p_value=published.search.p_naive, method="as-published: smallest log-rank p-value",
            note="p not corrected for the search",
        )
    ]  # fmt: skip
    if guarded is None:
        return estimates, False
    ratio = guarded.interval.ratio
    wide = ratio is None or ratio > WIDEST_FACTOR
    p = guarded.search.p_permutation
    estimates.append(
        Estimate(
            name="threshold", value=None if wide else guarded.cut, low=guarded.interval.low,
            high=guarded.interval.high, level=level, unit=unit, n=n_guarded,
            p_value=p if math.isfinite(p) else None,
            method="guarded: maximally selected log-rank, permutation; bootstrap interval",
            note=f"M = {guarded.search.statistic:.2f} over {len(guarded.search.cuts)} cuts; p corrected for "
            "the search" + ("; no single cut: the interval is too wide" if wide else ""),
        )
    )  # fmt: skip
    return estimates, wide
