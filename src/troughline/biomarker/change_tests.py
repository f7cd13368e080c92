"""The tests of a `change` question for one marker: within each group, between groups, along dose."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from troughline.biomarker.change_data import Groups, MarkerData, PairedLevels
from troughline.biomarker.change_facts import BetweenFinding, GroupFinding, Published
from troughline.biomarker.group_time import GroupTime

if TYPE_CHECKING:
    from collections.abc import Mapping

    from troughline.biomarker.ancova import Ancova
    from troughline.biomarker.censored import Pairs
    from troughline.cohort.question_change import ChangeQuestion
    from troughline.response.predictor import PredictorValues

Floats = NDArray[np.float64]
Value = TypeVar("Value")

FEWEST_PAIRS = 2
"""A group of one pair has no test and no interval."""


def large_enough(one: PairedLevels) -> NDArray[np.intp]:
    """The pairs whose group has two or more."""
    sizes = np.bincount(one.group) if len(one) else np.zeros(1, dtype=np.intp)
    return np.flatnonzero(sizes[one.group] >= FEWEST_PAIRS)


def fitted_model(one: PairedLevels, why: list[str]) -> GroupTime | None:
    """The Tobit mixed model of these pairs, or None where it has no fit (`why` says it)."""
    codes = np.unique(one.group, return_inverse=True)[1].astype(np.intp)
    return attempt(lambda: GroupTime(one.pairs, codes), why, "Tobit mixed model")


def published_tests(one: PairedLevels, rows: NDArray[np.intp], level: float) -> Published:
    """As a paper would: half the limit in the place of what lies below, Student's and Wilcoxon's tests."""
    from scipy.stats import t as student
    from scipy.stats import ttest_1samp, wilcoxon

    chosen: list[int] = rows.tolist()
    before = np.array([one.before[i].at_half_limit for i in chosen], dtype=np.float64)
    after = np.array([one.after[i].at_half_limit for i in chosen], dtype=np.float64)
    change = after - before
    n = len(change)
    mean, spread = float(change.mean()), float(change.std(ddof=1)) if n > 1 else 0.0
    low = high = p_t = p_wilcoxon = w_wilcoxon = None
    if spread > 0:
        half = float(student.isf((1 - level) / 2, n - 1)) * spread / math.sqrt(n)
        low, high = mean - half, mean + half
        p_t = float(ttest_1samp(change, 0.0).pvalue)
    if n > 1 and np.any(change != 0):
        with warnings.catch_warnings():
            # SciPy warns where it takes the normal law for a small sample with ties, as a paper would.
            warnings.simplefilter("ignore")
            sizes = np.abs(change)
            plain = len(np.unique(sizes)) == n and bool(np.all(sizes > 0))
            test: Any = wilcoxon(change, method="auto" if plain else "approx")
            p_wilcoxon, w_wilcoxon = float(test.pvalue), float(test.statistic)
    substituted = sum(v.below or v.above for i in chosen for v in (one.before[i], one.after[i]))
    return Published(
        mean_change=mean,
        low=low,
        high=high,
        p_t=p_t,
        p_wilcoxon=p_wilcoxon,
        w_wilcoxon=w_wilcoxon,
        n_substituted=substituted,
    )


def group_findings(
    data: MarkerData, one: PairedLevels, groups: Groups, model: GroupTime | None, question: ChangeQuestion,
    level: float, why: list[str],
) -> list[GroupFinding]:  # fmt: skip
    """What each group shows; `one` holds groups of two or more pairs only, and so does `model`.

    What cannot be computed is said in `why`.
    """
    from troughline.biomarker.paired_normal import paired_normal
    from troughline.biomarker.paired_tests import prentice_wilcoxon_test, sign_test, signed_rank_test
    from troughline.biomarker.shift import hodges_lehmann

    found: list[GroupFinding] = []
    place = {int(g): k for k, g in enumerate(np.unique(one.group))}
    for g in place:
        name, rows = groups.names[g], np.flatnonzero(one.group == g)
        own = one.pairs[rows]
        rank, prentice, signs = signed_rank_test(own), prentice_wilcoxon_test(own), sign_test(own)
        tobit = None
        if model is not None:
            tobit = attempt(
                lambda k=place[g]: model.change(k, level=level), why, f"Tobit mixed model, {name}"
            )
        p = {
            "signed-rank": rank.p_value,
            "prentice-wilcoxon": prentice.p_value,
            "sign": signs.p_value,
            "tobit": None if tobit is None else tobit.p_value,
        }[question.test]
        found.append(
            GroupFinding(
                marker=data.analyte, unit=data.unit, group=name, occasion=one.occasion, n=len(rows),
                n_below_before=int(own.before.below.sum()), n_below_after=int(own.after.below.sum()),
                published=published_tests(one, rows, level), sign=signs, rank=rank, prentice=prentice,
                shift=hodges_lehmann(own, level=level),
                normal=attempt(lambda own=own: paired_normal(own.change)), tobit=tobit, p_value=p,
            )
        )  # fmt: skip
    return found


def between_findings(
    data: MarkerData,
    one: PairedLevels,
    groups: Groups,
    model: GroupTime | None,
    question: ChangeQuestion,
    rng: np.random.Generator,
    *,
    exposure: PredictorValues | None,
    covariates: Floats | None,
    complete: NDArray[np.bool_],
    level: float,
) -> BetweenFinding:
    """What one marker shows between groups: group × time, dose trend, ANCOVA, trend over exposure.

    `covariates` `(n, k)` adjust the analysis of covariance, in the patients who are `complete` `(n,)`.
    """
    from troughline.biomarker.trend import jonckheere_terpstra

    found = BetweenFinding(marker=data.analyte, occasion=one.occasion)
    present = np.unique(one.group)
    several = len(present) > 1
    if model is not None:
        found.sd_of_change = model.full.within_sd * math.sqrt(2)
        found.common_change = attempt(model.common_change, found.why, "one common change")
        if several:
            found.same = attempt(model.same_change, found.why, "group × time")
    dose, has_dose = patient_doses(one, groups)
    if several and groups.ordered:
        known = np.flatnonzero(has_dose)
        found.trend = attempt(
            lambda: jonckheere_terpstra(
                one.pairs.change[known], dose[known], rng=rng, permute_below=math.inf,
                permutations=question.permutations,
            ),
            found.why, "dose trend",
        )  # fmt: skip
        if model is not None:
            per_group = np.array([float(np.median(dose[(one.group == g) & has_dose])) for g in present])
            both = attempt(lambda: model.trend(per_group), found.why, "Tobit trend")
            if both is not None:
                found.slope, found.slope_test = both
    if several:
        found.ancova = _ancova(one, dose if groups.ordered else None, has_dose, covariates, complete, found)
        found.baseline_p = attempt(lambda: baseline_difference(one.pairs, one.group))
    if exposure is not None:
        _over_exposure(one, question, exposure, found, rng, level)
    return found


def _over_exposure(
    one: PairedLevels,
    question: ChangeQuestion,
    exposure: PredictorValues,
    found: BetweenFinding,
    rng: np.random.Generator,
    level: float,
) -> None:
    """Trend and slope of the change over the guarded exposure; the correlation that a paper would print."""
    from troughline.biomarker.exposure_slope import change_by_exposure
    from troughline.biomarker.published_tests import correlation_test
    from troughline.biomarker.trend import jonckheere_terpstra

    known, x = _exposed(one, exposure.guarded)
    found.exposure_n = len(known)
    found.exposure = attempt(
        lambda: jonckheere_terpstra(
            one.pairs.change[known], x, rng=rng, permute_below=math.inf, permutations=question.permutations
        ),
        found.why, "trend over exposure",
    )  # fmt: skip
    found.exposure_slope = attempt(
        lambda: change_by_exposure(one.pairs[known], np.log2(x) if (x > 0).all() else x, level=level),
        found.why, "slope over exposure",
    )  # fmt: skip
    rows, printed = _exposed(one, exposure.as_published)
    chosen: list[int] = rows.tolist()
    if len(chosen) > 2:
        before = np.array([one.before[i].at_half_limit for i in chosen])
        after = np.array([one.after[i].at_half_limit for i in chosen])
        change = after / before if question.scale == "ratio" else after - before
        found.exposure_published = correlation_test(change, printed, "ranks")
        found.exposure_published_n = len(chosen)


def _exposed(one: PairedLevels, exposure: Mapping[str, float]) -> tuple[NDArray[np.intp], Floats]:
    """The pairs whose patient has an exposure, and the exposures."""
    rows = [i for i, p in enumerate(one.patients) if p in exposure]
    return np.array(rows, dtype=np.intp), np.array([exposure[one.patients[i]] for i in rows])


def patient_doses(one: PairedLevels, groups: Groups) -> tuple[Floats, NDArray[np.bool_]]:
    """log2 of each patient's dose where it is known and positive, else the group's place; and who has one."""
    if not groups.dose:
        return one.group.astype(np.float64), np.ones(len(one), dtype=np.bool_)
    raw = np.array([groups.dose.get(p, math.nan) for p in one.patients])
    has = np.isfinite(raw)
    if (raw[has] > 0).all():
        with np.errstate(invalid="ignore"):
            return np.log2(raw), has
    return raw, has


def _ancova(
    one: PairedLevels,
    dose: Floats | None,
    has_dose: NDArray[np.bool_],
    covariates: Floats | None,
    complete: NDArray[np.bool_],
    found: BetweenFinding,
) -> Ancova | None:
    from troughline.biomarker.ancova import ancova

    rows = np.flatnonzero(complete & has_dose)
    codes = np.unique(one.group[rows], return_inverse=True)[1].astype(np.intp)
    if len(np.unique(codes)) < 2:
        found.why.append("ANCOVA: one group is left")
        return None
    return attempt(
        lambda: ancova(
            one.pairs[rows], codes, dose=None if dose is None else dose[rows],
            covariates=None if covariates is None else covariates[rows],
        ),
        found.why, "ANCOVA",
    )  # fmt: skip


def baseline_difference(pairs: Pairs, group: NDArray[np.intp]) -> float:
    """Kruskal & Wallis's p-value of the first levels between groups, those below a limit lowest of all."""
    from scipy.stats import kruskal

    low = np.where(pairs.before.below, -1e300, pairs.before.low)
    samples = [low[group == g] for g in np.unique(group)]
    return float(kruskal(*samples).pvalue)


def attempt(compute: Callable[[], Value], why: list[str] | None = None, what: str = "") -> Value | None:
    """What `compute` gives, or None where it says by `ValueError` that these data cannot give it."""
    try:
        return compute()
    except ValueError as reason:
        if why is not None:
            why.append(f"{what}: {reason}")
        return None
