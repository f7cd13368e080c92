"""Which regimen to prefer, by stated rules: one, several not told apart, none that reaches, or no change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from troughline.dosing.scores import best_share

if TYPE_CHECKING:
    from troughline.dosing.limits import Limits
    from troughline.dosing.result import Answer
    from troughline.dosing.scores import Scores

Floats = NDArray[np.float64]

MONTE_CARLO_ERRORS = 2.0
"""A lead smaller than this many standard errors of the simulation is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The limits of the rules.

    - `reach`: the P(in) with the limits as printed from which on a regimen reaches the target.
    - `least_lead`: a smaller lead, in units of the criterion, is none; `indistinct`: nor is one where, of
      the draws in which two regimens differ, the better one wins in less than this share.
    """

    reach: float
    least_lead: float
    indistinct: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The answer by indices of regimens.

    - `best`: what is named first: the highest expected score; the nearest to the target where it is not
      reached; the smallest change that reaches a target with one limit. `top`: the highest expected score.
    - `among`: those that cannot be told from `best`, `best` first; `unresolved`: those of them that more
      draws may tell from it. `better`: those of `among` that beat the regimen in force, where it is not
      among them.
    - `one_sided`: the target is reached, has one limit, and there is no utility: regimens are not ranked.
    - `margin`, `margin_error`: the lead of `best` over the second and its Monte-Carlo error; None where
      there is no second, no ranking, or the target is not reached.
    - `p_best` (n,): each one's probability to be the best.
    - `p_reach`: the largest P(in) with the limits as printed, that of regimen `likeliest`; `reached`:
      whether it suffices, and `nearly`: whether it lies within two standard errors of what suffices.
    """

    answer: Answer
    best: int
    top: int
    among: tuple[int, ...]
    unresolved: tuple[int, ...]
    better: tuple[int, ...]
    one_sided: bool
    margin: float | None
    margin_error: float | None
    p_best: Floats
    p_reach: float
    likeliest: int
    reached: bool
    nearly: bool


def choose(
    scores: Scores,
    limits: Limits,
    daily_mg: Sequence[float],
    rules: Rules,
    *,
    current: int | None = None,
    with_levels: bool = True,
    in_doubt: bool = False,
) -> Choice:
    """Choose among regimens, whose daily doses are `daily_mg`; `current` is the one in force.

    1. Without a level (`with_levels`) nothing individual is known, and nothing is changed; nor is anything
       where a level is one that hardly any patient has (`in_doubt`).
    2. Where no regimen has P(in) ≥ `reach` with the limits as printed, the target is not reached; the
       nearest regimen is that with the least mean distance to the limits as printed on the log scale.
    3. Where the target has one limit and there is no utility, P(in) only grows with the dose, or only
       falls: the smallest change of the daily dose that has P(in) ≥ `reach` is named; on hold the least
       dose that reaches a lower limit, or the largest that keeps an upper one.
    4. Otherwise the best is the regimen with the highest expected score; among equal ones the one in force,
       then the first. Another is told apart from it only where the lead is at least `least_lead` and wins
       at least `indistinct` of the draws in which the two differ, each by two Monte-Carlo standard errors.
    """
    named = with_levels and not in_doubt
    ranked = scores.ranked
    n, k = ranked.shape
    expected = ranked.mean(axis=0)
    effective = max(min(scores.effective, n), 2.0)
    highest = np.flatnonzero(expected == expected.max())
    top = best = int(current if current is not None and current in highest else highest[0])
    printed = scores.inside_as_printed.mean(axis=0)
    highest_p = float(printed.max())
    reached = highest_p >= rules.reach
    off = MONTE_CARLO_ERRORS * math.sqrt(highest_p * (1 - highest_p) / effective)
    open_end = limits.low is None or limits.high is None
    one_sided = named and reached and scores.criterion == "p_in" and open_end
    same: list[int] = []
    unresolved: list[int] = []
    if not named and current is not None:
        best = current
    elif not reached:
        best = int(np.argmin(_log_distance(scores, limits)))
    elif one_sided:
        order = _by_change(daily_mg, current, lower=limits.low is not None)
        best, unresolved = _first_that_reaches(printed, order, rules.reach, effective)
        same = list(unresolved)
    elif named:
        for other in (int(i) for i in np.argsort(-expected, kind="stable") if i != best):
            alike, resolved = _compare(ranked, best, other, effective, rules)
            same += [other] if alike else []
            unresolved += [] if resolved else [other]
    answer: Answer = "not distinguished" if same else "regimen"
    if not with_levels:
        answer = "no level"
    elif in_doubt:
        answer = "level in doubt"
    elif not reached:
        answer = "target not reached"
    better: tuple[int, ...] = ()
    if answer == "not distinguished" and not one_sided and current is not None and current not in same:
        better = tuple(
            i for i in (best, *same)
            if i != current and not _compare(ranked, i, current, effective, rules)[0]
        )  # fmt: skip
    margin = error = None
    if k > 1 and answer in ("regimen", "not distinguished") and not one_sided:
        second = next(int(i) for i in np.argsort(-expected, kind="stable") if i != best)
        margin = float(expected[best] - expected[second])
        error = _error(ranked[:, best] - ranked[:, second], effective)
    return Choice(
        answer=answer, best=best, top=top, among=(best, *same), unresolved=tuple(unresolved), better=better,
        one_sided=one_sided, margin=margin, margin_error=error, p_best=best_share(ranked),
        p_reach=highest_p, likeliest=int(np.argmax(printed)), reached=reached,
        nearly=abs(highest_p - rules.reach) < off,
    )  # fmt: skip


def rules_in_words(scores: Scores, choice: Choice, rules: Rules) -> tuple[str, ...]:
    """The rules in words, with their limits."""
    what = "expected utility" if scores.criterion == "utility" else "the probability to be inside the target"
    made = (
        "Without a level nothing individual is known, and no change is proposed; nor is any while a level is "
        "one that hardly any patient has, unless the file trusts it (options.trust_levels).",
        f"The target counts as not reached where no feasible regimen has a probability of {rules.reach:g} or "
        "more to be inside its limits as printed; the nearest is then the one with the least mean distance "
        "to them, in logarithms.",
    )
    if choice.one_sided:
        return (
            *made,
            "The target has one limit and there are no curves of both toxicity and benefit, so regimens are "
            "not ranked: the smallest change of the daily dose that reaches the target is named.",
        )
    return (
        *made,
        f"Regimens are ranked by {what}.",
        f"Two regimens are told apart where the better one leads by at least {rules.least_lead:g} and wins "
        f"at least {rules.indistinct:.0%} of the draws in which they differ, each by two standard errors of "
        "the simulation.",
    )


def _by_change(daily_mg: Sequence[float], current: int | None, *, lower: bool) -> list[int]:
    """Indices by the size of the change of daily dose; on hold from the least, or the largest, dose on."""
    every = range(len(daily_mg))
    if current is None:
        return sorted(every, key=lambda i: daily_mg[i] if lower else -daily_mg[i])
    return sorted(every, key=lambda i: (i != current, abs(math.log(daily_mg[i] / daily_mg[current]))))


def _first_that_reaches(
    printed: Floats, order: Sequence[int], reach: float, effective: float
) -> tuple[int, list[int]]:
    """The first regimen in order with P(in) ≥ `reach`, and those that within two errors may be it."""
    best = next(i for i in order if printed[i] >= reach)
    maybe: list[int] = []
    for i in order:
        off = MONTE_CARLO_ERRORS * math.sqrt(printed[i] * (1 - printed[i]) / effective)
        if i != best and printed[i] + off >= reach:
            maybe.append(i)
        if printed[i] - off >= reach:
            break
    return best, maybe


def _compare(ranked: Floats, best: int, other: int, effective: float, rules: Rules) -> tuple[bool, bool]:
    """Whether two regimens are not told apart, and whether more draws would leave it so."""
    difference = ranked[:, best] - ranked[:, other]
    lead, error = float(difference.mean()), MONTE_CARLO_ERRORS * _error(difference, effective)
    wins, losses = float(np.mean(difference > 0)), float(np.mean(difference < 0))
    if wins + losses == 0:
        return True, True
    share = wins / (wins + losses)
    off = MONTE_CARLO_ERRORS * math.sqrt(share * (1 - share) / (effective * (wins + losses)))
    if lead - error >= rules.least_lead and share - off >= rules.indistinct:
        return False, True
    return True, lead + error < rules.least_lead or share + off < rules.indistinct


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
    """`a`, `a and b`, `a, b and c`; with semicolons where a label has a comma of its own."""
    if len(labels) > 1 and any("," in label for label in labels):
        return "; ".join(labels[:-1]) + "; and " + labels[-1]
    return listed(labels)


def listed(parts: Sequence[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(parts) == 1:
        return parts[0]
    return ", ".join(parts[:-1]) + f" {last} " + parts[-1]
