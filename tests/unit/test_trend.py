"""Jonckheere–Terpstra: against the definition, its exact distribution, ties, limits and intervals."""

from __future__ import annotations

import itertools
import json
import math
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau, mannwhitneyu

from tests.shared_data import shared
from troughline.biomarker.censored import Censored, exactly
from troughline.biomarker.trend import comparisons, exact_counts, jonckheere_terpstra, kendall_s


def by_definition(x: list[float], g: list[int]) -> float:
    """Σ over pairs of groups of the pairs in order, ties half."""
    return sum(
        (a < b) + 0.5 * (a == b)
        for k, other in itertools.combinations(sorted(set(g)), 2)
        for a in (v for v, own in zip(x, g, strict=True) if own == k)
        for b in (v for v, own in zip(x, g, strict=True) if own == other)
    )


def test_the_small_exact_case_agrees_with_clinfun() -> None:
    """R clinfun, stored as jt_small_exact: JT 68, one-sided exact p 0.043008."""
    stored = json.loads(shared("reference/survival-and-roc.json").read_text())["jt_small_exact"]
    found = jonckheere_terpstra(stored["x"], stored["g"])
    assert found.method == "exact"
    assert found.statistic == stored["JT"]
    assert found.p_increasing == pytest.approx(stored["p"], abs=1e-11)
    assert found.p_value == pytest.approx(2 * stored["p"], abs=1e-11)


def test_bilirubin_by_stage_agrees_with_r() -> None:
    """R clinfun JT 22607.5; cor.test(method = "kendall"): z 6.9477, p 3.713e-12 (pbc, n = 312)."""
    stored = json.loads(shared("reference/survival-and-roc.json").read_text())["jt_pbc_bili_by_stage"]
    table = pd.read_csv(shared("data/survival/survival_pbc.csv"))
    table = table[table["trt"].notna() & table["stage"].notna() & table["bili"].notna()]
    found = jonckheere_terpstra(table["bili"].to_numpy(), table["stage"].to_numpy())
    assert found.n == stored["n"]
    assert found.method == "asymptotic"
    assert found.statistic == stored["JT"]
    assert found.z == pytest.approx(stored["kendall_z_tie_corrected"], abs=1e-9)
    assert found.p_value == pytest.approx(stored["kendall_p"], rel=1e-8)


def test_the_statistic_is_that_of_the_definition() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        g = [0, 0, 0, 1, 1, 2, 2, 2, 2]
        x = rng.integers(0, 5, 9).astype(float).tolist()
        if len(set(x)) > 1:
            assert jonckheere_terpstra(x, g, exact=False).statistic == by_definition(x, g)


def test_the_exact_distribution_is_that_of_all_orders() -> None:
    """Groups of 2, 3 and 2: every order of seven values counted."""
    groups = [0, 0, 1, 1, 1, 2, 2]
    seen = [by_definition(list(map(float, order)), groups) for order in permutations(range(7))]
    counted = np.bincount(np.array(seen, dtype=int), minlength=17) / len(seen)
    assert exact_counts((2, 3, 2)) == pytest.approx(counted, abs=1e-12)


def test_two_groups_are_a_mann_whitney_test() -> None:
    rng = np.random.default_rng(2)
    x, g = rng.normal(size=20), np.repeat([0, 1], [8, 12])
    exact = mannwhitneyu(x[g == 1], x[g == 0], method="exact")
    found = jonckheere_terpstra(x, g)
    assert found.statistic == exact.statistic
    assert found.p_value == pytest.approx(exact.pvalue, abs=1e-10)
    tied = np.round(x)
    normal = mannwhitneyu(tied[g == 1], tied[g == 0], method="asymptotic", use_continuity=False)
    assert jonckheere_terpstra(tied, g, exact=False).p_value == pytest.approx(normal.pvalue, abs=1e-12)


def test_numbers_without_ties_give_kendalls_exact_p() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=25), rng.normal(size=25)
    assert jonckheere_terpstra(x, y).p_value == pytest.approx(
        kendalltau(x, y, method="exact").pvalue, abs=1e-10
    )


def test_permutations_agree_with_the_normal_distribution_within_their_error() -> None:
    """9,999 permutations at p near 0.2: standard error 0.004; four are allowed."""
    rng = np.random.default_rng(4)
    g = np.repeat([0, 1, 2], [15, 16, 17])
    x = np.round(rng.normal(size=48) + 0.25 * g, 1)
    by_permutation = jonckheere_terpstra(x, g, rng=np.random.default_rng(1))
    normal = jonckheere_terpstra(x, g, exact=False)
    assert by_permutation.method == "permutation"
    assert by_permutation.p_value == pytest.approx(normal.p_value, abs=0.016)


def test_the_same_generator_gives_the_same_p() -> None:
    x, g = [1.0, 2, 2, 3, 3, 4, 5, 5], [0, 0, 1, 1, 1, 2, 2, 2]
    first = jonckheere_terpstra(x, g, rng=np.random.default_rng(9))
    assert first == jonckheere_terpstra(x, g, rng=np.random.default_rng(9))


def test_a_limit_hides_only_the_orders_it_must() -> None:
    """< 2 against 3 is known, < 2 against 1.5 and against < 4 is not."""
    found = comparisons([2.0, 3.0, 1.5, 4.0], [True, False, False, True])
    assert found[0].tolist() == [0, 1, 0, 0]
    assert found[1].tolist() == [-1, 0, -1, 0]
    assert (found == -found.T).all()


def test_one_limit_is_a_tie_of_all_below_it() -> None:
    rng = np.random.default_rng(5)
    x, g = rng.normal(size=40), rng.integers(0, 4, 40)
    limit = float(np.median(x))
    hidden = jonckheere_terpstra(np.maximum(x, limit), g, below=x < limit, exact=False)
    tied = jonckheere_terpstra(np.where(x < limit, -9.0, x), g, exact=False)
    assert (hidden.statistic, hidden.z) == (tied.statistic, pytest.approx(tied.z, abs=1e-12))


def test_the_variance_is_that_of_all_orders() -> None:
    """Six values with ties and a limit, every order of the groups."""
    a = comparisons([1.0, 2.0, 2.0, 3.0, 2.5, 4.0], [False, True, False, False, True, False])
    groups = np.array([0, 0, 1, 1, 2, 2])
    seen = [kendall_s(a, comparisons(groups[list(o)].astype(float)))[0] for o in permutations(range(6))]
    assert kendall_s(a, comparisons(groups.astype(float)))[1] == pytest.approx(np.var(seen), rel=1e-12)


@pytest.mark.parametrize(
    ("values", "groups", "message"),
    [
        ([1.0, 2, 3], [1, 1, 1], "one group only"),
        ([2.0, 2, 2], [1, 2, 3], "no two values can be told apart"),
        ([1.0, 2], [1, 2], "2 patients: at least 3"),
        ([1.0, np.nan, 2], [1, 2, 3], "finite numbers"),
        ([1.0, 2, 3], [1, 2], "not two equal columns"),
    ],
)
def test_what_cannot_be_tested_is_one_line(values: list[float], groups: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        jonckheere_terpstra(values, groups)


def test_permutations_need_a_generator() -> None:
    with pytest.raises(ValueError, match="rng"):
        jonckheere_terpstra([1.0, 1, 2], [0, 1, 2], exact=True)


def test_intervals_say_themselves_what_lies_below() -> None:
    with pytest.raises(ValueError, match="leave below out"):
        comparisons(exactly(np.arange(3.0)), [True, False, False])


def test_numbers_with_flags_and_intervals_are_one_test() -> None:
    rng = np.random.default_rng(8)
    x, g = rng.normal(size=30), rng.integers(0, 3, 30)
    below = x < 0
    limit = np.where(below, 0.0, x)
    as_intervals = Censored(np.where(below, -np.inf, x), limit)
    first = jonckheere_terpstra(limit, g, below=below, rng=np.random.default_rng(1))
    assert first == jonckheere_terpstra(as_intervals, g, rng=np.random.default_rng(1))


@pytest.mark.parametrize("n_groups", [3, 30])
def test_permuting_keeps_to_the_variance_however_many_groups(n_groups: int) -> None:
    """Both ways of adding up a permutation, few groups or many: 9,999 draws, error of p .005."""
    rng = np.random.default_rng(6)
    g = np.arange(60) % n_groups
    x = np.round(rng.normal(size=60) + 0.5 * g / n_groups, 1)
    found = jonckheere_terpstra(x, g, rng=np.random.default_rng(1), permute_below=math.inf)
    assert found.method == "permutation"
    assert found.p_value == pytest.approx(found.p_normal, abs=0.02)


def test_the_exact_p_is_that_of_every_assignment() -> None:
    """Eight patients in groups of 3, 2, 3: all 560 assignments."""
    rng = np.random.default_rng(9)
    x = np.array([1.0, 1, 1, 2, 2, 3, 3, 3])
    y = rng.normal(size=8)
    ours = jonckheere_terpstra(exactly(y), x)
    assignments = set(itertools.permutations(x.tolist()))
    assert len(assignments) == 560
    j = [
        sum(y[i] < y[k] for i in range(8) for k in range(8) if a[i] < a[k]) for a in assignments
    ]  # fmt: skip
    at = ours.statistic
    p = 2 * min(np.mean(np.array(j) <= at), np.mean(np.array(j) >= at))
    assert ours.p_value == pytest.approx(min(1.0, p), abs=1e-12)


def test_over_an_exposure_it_is_kendall_s_exact_test() -> None:
    rng = np.random.default_rng(9)
    x, y = rng.normal(size=12), rng.normal(size=12)
    theirs = kendalltau(x, y, method="exact")
    ours = jonckheere_terpstra(exactly(y), x)
    assert (ours.tau, ours.p_value) == pytest.approx((theirs.statistic, theirs.pvalue), abs=1e-10)


def test_with_ties_the_permutation_variance_is_kendall_s() -> None:
    rng = np.random.default_rng(9)
    x, y = rng.integers(0, 3, 25).astype(float), np.round(rng.normal(size=25), 1)
    assert jonckheere_terpstra(exactly(y), x).p_normal == pytest.approx(
        kendalltau(x, y, method="asymptotic").pvalue, rel=1e-9
    )


@pytest.mark.parametrize("exposure", [False, True])
def test_censored_changes_are_permuted_to_about_the_normal_p(exposure: bool) -> None:
    """40 patients, a third known on one side: 10,000 permutations, error .005 at p = .5."""
    rng, n = np.random.default_rng(9), 40
    x = rng.normal(size=n) if exposure else np.repeat([1.0, 2.0, 4.0], (12, 16, 12))
    y = rng.normal(size=n)
    low = np.where(np.arange(n) % 3 == 0, -np.inf, y)
    test = jonckheere_terpstra(
        Censored(low, y), x, rng=np.random.default_rng(1), permute_below=math.inf, permutations=10_000
    )
    assert test.method == "permutation"
    assert test.p_value == pytest.approx(test.p_normal, abs=0.03)
    again = jonckheere_terpstra(
        Censored(low, y), x, rng=np.random.default_rng(1), permute_below=math.inf, permutations=10_000
    )
    assert test == again


def test_overlapping_intervals_have_no_order() -> None:
    """(−∞, 1) and 0.5: not known; (−∞, 1) and 1: higher. So two of three pairs count."""
    y = Censored(np.array([-np.inf, 0.5, 1.0]), np.array([1.0, 0.5, 1.0]))
    assert kendall_s(comparisons(y), comparisons([1.0, 2.0, 3.0]))[0] == 2.0


@pytest.mark.parametrize(
    ("x", "y", "says"),
    [
        (np.ones(5), exactly(np.arange(5.0)), "one group only"),
        (np.arange(5.0), exactly(np.ones(5)), "no two values"),
        (np.arange(2.0), exactly(np.arange(2.0)), "at least 3"),
    ],
)
def test_no_order_no_trend(x: np.ndarray, y: Censored, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        jonckheere_terpstra(y, x)
