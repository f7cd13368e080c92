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
    from troughline.biomarker.change_exposure import PairExposure
    from troughline.biomarker.trend import Trend
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


def tested_groups(
    data: MarkerData, one: PairedLevels, groups: Groups, model: GroupTime | None, question: ChangeQuestion,
    level: float, why: list[str],
) -> list[GroupFinding]:  # fmt: skip
    """The tests of each group; `one` holds groups of two or more pairs only, and so does `model`.

    What cannot be computed is said in `why`.
    """
    from troughline.biomarker.paired_tests import prentice_wilcoxon_test, sign_test, signed_rank_test

    found: list[GroupFinding] = []
    present: list[int] = np.unique(one.group).tolist()
    for k, g in enumerate(present):
        rows = np.flatnonzero(one.group == g)
        own = one.pairs[rows]
        rank, prentice, signs = signed_rank_test(own), prentice_wilcoxon_test(own), sign_test(own)
        p: float | None = {
            "signed-rank": rank.p_value, "prentice-wilcoxon": prentice.p_value, "sign": signs.p_value
        }.get(question.test)  # fmt: skip
        if question.test == "tobit" and model is not None:
            p = attempt(lambda k=k: model.p_of(k, 0.0), why, f"Tobit mixed model, {groups.names[g]}")
        found.append(
            GroupFinding(
                marker=data.analyte, unit=data.unit, group=groups.names[g], occasion=one.occasion,
                n=len(rows), n_below_before=int(own.before.below.sum()),
                n_below_after=int(own.after.below.sum()), published=published_tests(one, rows, level),
                sign=signs, rank=rank, prentice=prentice, p_value=p,
                fitted=None if model is None else model.fitted(k),
            )
        )  # fmt: skip
    return found


def work_out_groups(
    findings: list[GroupFinding], one: PairedLevels, model: GroupTime | None, level: float, why: list[str]
) -> None:
    """The sizes of the changes with their intervals, into `findings`, which are those of `one`."""
    from troughline.biomarker.paired_normal import paired_normal
    from troughline.biomarker.shift import hodges_lehmann

    for k, (f, g) in enumerate(zip(findings, np.unique(one.group).tolist(), strict=True)):
        own = one.pairs[one.group == g]
        f.shift = hodges_lehmann(own, level=level)
        f.normal = attempt(lambda own=own: paired_normal(own.change))
        if model is not None:
            f.tobit = attempt(lambda k=k: model.change(k, level=level), why, f"Tobit mixed model, {f.group}")


def tested_between(
    data: MarkerData,
    one: PairedLevels,
    groups: Groups,
    model: GroupTime | None,
    question: ChangeQuestion,
    exposure: PairExposure | None,
    rng: np.random.Generator | None,
) -> BetweenFinding:
    """The tests between groups and over exposure: group × time, trend over dose, trend over exposure.

    Trends are by permutation unless `rng` is None: then exact without ties up to 100 patients, else normal.
    """
    found = BetweenFinding(marker=data.analyte, occasion=one.occasion)
    several = len(np.unique(one.group)) > 1
    if model is not None and several:
        found.same = attempt(model.same_change, found.why, "group × time")
    if several:
        found.baseline_p = attempt(lambda: baseline_difference(one.pairs, one.group))
        if groups.ordered:
            dose, has_dose = patient_doses(one, groups)
            known = np.flatnonzero(has_dose)
            found.trend = attempt(
                lambda: _trend(one, known, dose[known], question, rng), found.why, "dose trend"
            )
    if exposure is not None:
        found.exposure_values, found.exposure_left_out = exposure.values, exposure.left_out(one.patients)
        known, x = _exposed(one, {} if exposure.values is None else exposure.values.guarded)
        found.exposure_n = len(known)
        if len(known):
            found.exposure = attempt(
                lambda: _trend(one, known, x, question, rng), found.why, "trend over exposure"
            )
        else:
            found.why.append(
                f"over exposure: none of {len(one)} patients has one ({found.exposure_left_out})"
            )
    return found


def _trend(
    one: PairedLevels, rows: NDArray[np.intp], x: Floats, question: ChangeQuestion,
    rng: np.random.Generator | None,
) -> Trend:  # fmt: skip
    from troughline.biomarker.trend import jonckheere_terpstra

    return jonckheere_terpstra(
        one.pairs.change[rows], x, rng=rng, permute_below=math.inf, permutations=question.permutations
    )


def work_out_between(
    found: BetweenFinding,
    one: PairedLevels,
    groups: Groups,
    model: GroupTime | None,
    question: ChangeQuestion,
    *,
    covariates: Floats | None,
    complete: NDArray[np.bool_],
    level: float,
) -> None:
    """Sizes between groups and over exposure, and the analysis of covariance, into `found`.

    `covariates` `(n, k)` adjust the analysis of covariance, in the patients who are `complete` `(n,)`.
    """
    present = np.unique(one.group)
    dose, has_dose = patient_doses(one, groups)
    if model is not None:
        found.sd_of_change = model.full.within_sd * math.sqrt(2)
        found.common_change = attempt(model.common_change, found.why, "one common change")
        if len(present) > 1 and groups.ordered:
            per_group = np.array([float(np.median(dose[(one.group == g) & has_dose])) for g in present])
            both = attempt(lambda: model.trend(per_group), found.why, "Tobit trend")
            if both is not None:
                found.slope, found.slope_test = both
    if len(present) > 1:
        found.ancova = _ancova(one, dose if groups.ordered else None, has_dose, covariates, complete, found)
    if found.exposure_values is not None:
        _over_exposure(one, question, found.exposure_values, found, level)


def _over_exposure(
    one: PairedLevels,
    question: ChangeQuestion,
    exposure: PredictorValues,
    found: BetweenFinding,
    level: float,
) -> None:
    """The slope of the change over the guarded exposure; the correlation that a paper would print."""
    from troughline.biomarker.exposure_slope import change_by_exposure
    from troughline.biomarker.published_tests import correlation_test

    known, x = _exposed(one, exposure.guarded)
    if len(known):
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
    """The p-value that the first levels do not differ between groups, each level compared as far as known.

    A level's score is how many levels are surely below it minus how many are surely above: "<10" is neither
    below nor above 3. H = (n − 1) Σ n_g (mean score of group g)² / Σ score² on (groups − 1) degrees of
    freedom, without levels beyond a limit Kruskal & Wallis's test with its correction for ties
    (Breslow 1970, doi 10.1093/biomet/57.3.579). 1 where no two levels can be told apart.
    """
    from scipy.stats import chi2

    from troughline.biomarker.trend import comparisons

    score = -comparisons(pairs.before).sum(axis=1)
    squares = float((score**2).sum())
    if squares == 0:
        return 1.0
    present = np.unique(group)
    own = [score[group == g] for g in present]
    h = (len(score) - 1) * sum(len(s) * float(s.mean()) ** 2 for s in own) / squares
    return float(chi2.sf(h, len(present) - 1))


def attempt(compute: Callable[[], Value], why: list[str] | None = None, what: str = "") -> Value | None:
    """What `compute` gives, or None where it says by `ValueError` that these data cannot give it."""
    try:
        return compute()
    except ValueError as reason:
        if why is not None:
            why.append(f"{what}: {reason}")
        return None
