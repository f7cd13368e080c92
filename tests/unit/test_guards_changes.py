"""Guards about changes of markers, each with its trap and without."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.change_cohorts import (
    FIRST,
    change_cohort,
    change_records,
    clean_change_cohort,
    halves,
)
from benchmarks.cohorts import cohort_with_trap, judge

from troughline.cohort.cohort import Cohort
from troughline.results import GuardFinding, GuardSeverity

N = 60


def rng() -> np.random.Generator:
    return np.random.default_rng(2)


def finding(cohort: Cohort, guard_id: str) -> GuardFinding | None:
    result, _ = judge(cohort)
    return next((g for g in result.guards if g.id == guard_id), None)


def trapped(guard_id: str) -> GuardFinding:
    found = finding(cohort_with_trap(guard_id, N, rng()), guard_id)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "guard_id",
    [
        "significant-in-one-group", "dose-by-indication", "regression-to-the-mean", "uncorrected-family",
        "substituted-limit", "all-below-limit", "small-groups", "unpaired-samples", "batch-is-occasion",
    ],
)  # fmt: skip
def test_a_clean_cohort_wakes_no_guard(guard_id: str) -> None:
    assert finding(clean_change_cohort(N, rng()), guard_id) is None


def test_significant_in_one_group_fires_and_says_how_often_one_effect_gives_the_pattern() -> None:
    """Half a standard deviation in 48 patients, 0.3 in 12: the simulated power of the small group is low."""
    found = trapped("significant-in-one-group")
    assert found.finding == "Significant in some groups only: sTNF-alpha in A, not in B."
    assert "in groups of 48/12" in found.effect
    assert "exactly this pattern in" in found.effect


def test_significant_in_one_group_is_silent_where_the_groups_really_differ() -> None:
    """One standard deviation up in A, nothing in B: group × time says so itself."""
    cohort = change_cohort(change_records(halves(N), rng(), change=(1.0, 0.0)))
    result, case = judge(cohort)
    assert all(g.id != "significant-in-one-group" for g in result.guards)
    facts = case.change
    assert facts is not None
    assert facts.between[0].same is not None
    assert facts.between[0].same.p_value < 0.01


def test_dose_by_indication_fires_and_names_the_covariate() -> None:
    found = trapped("dose-by-indication")
    assert "the groups differ in ALBI score (p < 0.001)" in found.finding
    assert found.effect.startswith("Between groups, at equal first level")


def test_dose_by_indication_fires_where_nothing_is_recorded() -> None:
    rows = change_records(halves(N), rng())
    found = finding(change_cohort(rows, covariates={}, randomised=False), "dose-by-indication")
    assert found is not None
    assert "no covariate is recorded" in found.finding


def test_dose_by_indication_is_silent_where_the_covariate_is_adjusted_for() -> None:
    cohort = cohort_with_trap("dose-by-indication", N, rng())
    asked = cohort.study.question[0].model_dump(mode="json", exclude_none=True)
    adjusted = change_records(halves(N), rng())
    for name, who in adjusted.patients.items():
        who["albi"] = float(cohort.patients.loc[name, "albi"])
    assert asked["randomised"] is False
    again = change_cohort(adjusted, randomised=False, adjust=["albi"])
    assert finding(again, "dose-by-indication") is None


def test_regression_to_the_mean_fires_and_compares_change_with_covariance() -> None:
    found = trapped("regression-to-the-mean")
    assert found.finding.startswith("The groups started from different levels of sTNF-alpha")
    assert "at equal first level" in found.effect


def test_regression_to_the_mean_is_silent_for_equal_first_levels() -> None:
    cohort = change_cohort(change_records(halves(N), rng(), change=(0.6, 0.6)))
    assert finding(cohort, "regression-to-the-mean") is None


def test_changes_mislead_about_groups_that_start_apart_and_covariance_does_not() -> None:
    """No treatment effect at all, groups 1.5 SD apart at the start, error as large as the spread of patients:
    the high group falls. 60 sets: group × time finds a difference in most, covariance in about 5 %."""
    from troughline.biomarker.ancova import ancova
    from troughline.biomarker.censored import Pairs, exactly
    from troughline.biomarker.group_time import GroupTime

    generator, group = rng(), np.repeat([0, 1], 30).astype(np.intp)
    naive = adjusted = 0
    for _ in range(60):
        patient = generator.normal(size=400)
        before = patient + generator.normal(size=400)
        high = np.argsort(before)[-30:]
        low = generator.choice(np.argsort(before)[:370], 30, replace=False)
        chosen = np.concatenate([low, high])
        after = patient + generator.normal(size=400)
        pairs = Pairs(before=exactly(before[chosen]), after=exactly(after[chosen]))
        naive += GroupTime(pairs, group).same_change().p_value < 0.05
        same = ancova(pairs, group).same
        adjusted += same is not None and same.p_value < 0.05
    assert naive >= 50
    assert adjusted <= 9


def test_uncorrected_family_fires_with_the_number_of_tests() -> None:
    found = trapped("uncorrected-family")
    assert found.finding.startswith("4 tests, none corrected")
    assert found.severity is GuardSeverity.NOTE


def test_uncorrected_family_fires_with_caution_where_significance_is_lost() -> None:
    """p just under .05 in one of four tests."""
    rows = change_records(halves(N), rng(), change=(0.4, 0.0), analytes=(FIRST, "sFas"))
    rows.measurements = [
        r if r["analyte"] == FIRST else {**r, "value": r["value"] * (1 + 0.3 * rng().random())}
        for r in rows.measurements
    ]
    markers = [{"analyte": a, "unit": "pg/mL"} for a in (FIRST, "sFas")]
    result, case = judge(change_cohort(rows, markers=markers))
    facts = case.change
    assert facts is not None
    lost = [f for f in facts.tested if (f.published.p_wilcoxon or 1) < 0.05 and (f.p_adjusted or 0) >= 0.05]
    found = next(g for g in result.guards if g.id == "uncorrected-family")
    assert (found.severity is GuardSeverity.CAUTION) == bool(lost)


def test_uncorrected_family_is_silent_for_two_tests() -> None:
    assert finding(clean_change_cohort(N, rng()), "uncorrected-family") is None


def test_substituted_limit_fires_with_shares_and_both_p_values() -> None:
    found = trapped("substituted-limit")
    assert "sTNF-alpha" in found.finding
    assert "→" in found.effect


def test_substituted_limit_is_silent_where_every_level_was_quantified() -> None:
    rows = change_records(halves(N), rng(), limit=0.001)
    assert finding(change_cohort(rows), "substituted-limit") is None


def test_half_the_limit_invents_a_change_where_the_limit_fell() -> None:
    """Nothing changes, but the second assay reads lower (limit 20 → 3): substitution finds a fall in nearly
    every set, the censored test in about 5 %."""
    from troughline.biomarker.censored import Censored, Pairs
    from troughline.biomarker.paired_tests import signed_rank_test

    generator = rng()
    naive = censored = 0
    limits = np.log([20.0, 3.0])
    for _ in range(100):
        patient = np.log(8.0) + 0.6 * generator.normal(size=40)
        levels = [patient + 0.3 * generator.normal(size=40) for _ in limits]
        seen = [
            Censored(np.where(x < lim, -np.inf, x), np.where(x < lim, lim, x))
            for x, lim in zip(levels, limits, strict=True)
        ]
        half = [np.where(x < lim, lim - np.log(2), x) for x, lim in zip(levels, limits, strict=True)]
        change = half[1] - half[0]
        t = change.mean() / change.std(ddof=1) * np.sqrt(40)
        naive += abs(t) > 2.02
        pairs = Pairs(before=seen[0], after=seen[1], floor=np.tile(limits[:, None], (1, 40)))
        censored += signed_rank_test(pairs).p_value < 0.05
    assert naive > 40
    assert censored <= 12


def test_all_below_limit_fires_with_the_bound() -> None:
    found = trapped("all-below-limit")
    assert "all 120 levels lie below the limit" in found.finding
    assert "never above 0.15 ng/mL in 120 samples of 60 patients; at most 4.9 % of such" in found.effect


def test_all_below_limit_is_silent_where_one_level_was_quantified() -> None:
    assert finding(cohort_with_trap("substituted-limit", N, rng()), "all-below-limit") is None


def test_small_groups_fires_with_what_could_have_been_found() -> None:
    found = trapped("small-groups")
    assert found.finding.startswith("Fewer than 12 pairs: B (8)")
    assert "by a factor of" in found.effect


def test_small_groups_is_silent_from_twelve_pairs_on() -> None:
    assert finding(change_cohort(change_records((48, 12), rng())), "small-groups") is None


def test_unpaired_samples_fires_with_the_reason_and_the_groups() -> None:
    found = trapped("unpaired-samples")
    assert found.finding.startswith("6 of 60 patients have no pair of some marker: 6 no level at “week 4”")
    assert found.severity is GuardSeverity.CAUTION


def test_unpaired_samples_fires_for_two_assays() -> None:
    rows = change_records(halves(N), rng())
    for r in rows.measurements:
        if r["patient"] == "P0001" and r["occasion"] == "week 4":
            r["assay"] = "CLIA"
    found = finding(change_cohort(rows), "unpaired-samples")
    assert found is not None
    assert "two assays" in found.finding
    assert found.severity is GuardSeverity.NOTE


def test_unpaired_samples_is_silent_where_all_have_both() -> None:
    assert finding(clean_change_cohort(N, rng()), "unpaired-samples") is None


def test_batch_is_occasion_fires() -> None:
    assert "plate 1 at “before”, plate 2 at “week 4”" in trapped("batch-is-occasion").finding


def test_batch_is_occasion_is_silent_where_one_plate_holds_both() -> None:
    assert finding(clean_change_cohort(N, rng()), "batch-is-occasion") is None
