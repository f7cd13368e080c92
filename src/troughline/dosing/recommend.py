"""Which regimen to prefer, by stated rules: one, several that cannot be told apart, or none that reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from troughline.dosing.scores import best_share

if TYPE_CHECKING:
    from troughline.dosing.limits import Limits
    from troughline.dosing.scores import Scores

Floats = NDArray[np.float64]

MONTE_CARLO_ERRORS = 2.0
"""A lead smaller than this many standard errors of the simulation is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The answer by indices of regimens.

    - `answer`; `best`: the highest expected score; `among`: those that cannot be told from it, `best`
      first.
    - `margin`, `margin_error`: its lead over the second and the Monte-Carlo error of that lead; None with
      one.
    - `p_best` (n,): each one's probability to be the best.
    - `p_reach`: the largest P(in) with the limits as printed, and `reached`: whether it suffices.
    """

    answer: Literal["regimen", "not distinguished", "target not reached"]
    best: int
    among: tuple[int, ...]
    margin: float | None
    margin_error: float | None
    p_best: Floats
    p_reach: float
    reached: bool


def choose(
    scores: Scores, limits: Limits, *, indistinct: float, reach: float, current: int | None = None
) -> Choice:
    """Choose among regimens by their expected score.

    1. The best is the regimen with the highest expected score; among equal ones the one in force, then the
       first.
    2. Where no regimen has P(in) ≥ `reach` with the limits as printed, the target is not reached; without a
       utility the nearest regimen is then that with the least mean distance to the target on the log scale.
    3. Another regimen is not told apart from the best where its lag is within two Monte-Carlo standard
       errors of the difference, or where, of the draws in which the two differ, the best wins in less than
       `indistinct`.
    """
    ranked = scores.ranked
    n, k = ranked.shape
    expected = ranked.mean(axis=0)
    top = np.flatnonzero(expected == expected.max())
    best = int(current if current is not None and current in top else top[0])
    p_reach = float(scores.inside_as_printed.mean(axis=0).max())
    reached = p_reach >= reach
    if not reached and scores.criterion == "p_in":
        best = int(np.argmin(_log_distance(scores, limits)))
    order = [int(i) for i in np.argsort(-expected, kind="stable") if i != best]
    effective = max(min(scores.effective, n), 2.0)
    same = [best]
    if reached:
        same += [i for i in order if _alike(ranked, best, i, effective, indistinct)]
    margin = error = None
    if k > 1:
        margin = float(expected[best] - expected[order[0]])
        error = _error(ranked[:, best] - ranked[:, order[0]], effective)
    answer: Literal["regimen", "not distinguished", "target not reached"] = "regimen"
    if not reached:
        answer = "target not reached"
    elif len(same) > 1:
        answer = "not distinguished"
    return Choice(
        answer=answer, best=best, among=tuple(same), margin=margin, margin_error=error,
        p_best=best_share(ranked), p_reach=p_reach, reached=reached,
    )  # fmt: skip


def rules(scores: Scores, *, indistinct: float, reach: float) -> tuple[str, ...]:
    """The rules in words, with their limits."""
    what = "expected utility" if scores.criterion == "utility" else "the probability to be inside the target"
    return (
        f"Regimens are ranked by {what}.",
        f"The target counts as not reached where no feasible regimen has a probability of {reach:g} or "
        "more to "
        "be inside its limits as printed.",
        "Two regimens are not told apart where the lead is within two standard errors of the simulation, or "
        f"where, of the draws in which they differ, the better one wins in less than {indistinct:.0%}.",
    )


def _alike(ranked: Floats, best: int, other: int, effective: float, indistinct: float) -> bool:
    difference = ranked[:, best] - ranked[:, other]
    if difference.mean() <= MONTE_CARLO_ERRORS * _error(difference, effective):
        return True
    wins, losses = float(np.mean(difference > 0)), float(np.mean(difference < 0))
    return wins / (wins + losses) < indistinct


def _log_distance(scores: Scores, limits: Limits) -> Floats:
    """The mean distance of each regimen's exposure to the target, in logarithms; 0 inside (n_regimens,)."""
    values = np.log(np.maximum(scores.trough if limits.metric == "trough" else scores.auc_24h, 1e-12))
    low = -np.inf if limits.low is None else np.log(limits.low)
    high = np.inf if limits.high is None else np.log(limits.high)
    distance: Floats = np.maximum(np.maximum(low - values, values - high), 0.0).mean(axis=0)
    return distance


def _error(draws: Floats, effective: float) -> float:
    return float(np.std(draws)) / np.sqrt(effective)


def labels_in_words(labels: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(labels) == 1:
        return labels[0]
    return ", ".join(labels[:-1]) + " and " + labels[-1]
