"""Censored paired tests: exact laws, limits, shifts."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from troughline.biomarker.censored import (
    Censored,
    Pairs,
    difference,
    exactly,
    levels,
    share_one_sided_bound,
    sign,
)
from troughline.biomarker.paired_normal import paired_normal
from troughline.biomarker.paired_tests import (
    prentice_wilcoxon_scores,
    prentice_wilcoxon_test,
    sign_test,
    signed_rank_scores,
    signed_rank_test,
)
from troughline.biomarker.shift import hodges_lehmann
from troughline.biomarker.sign_flip import flip_test

RNG = np.random.default_rng(4)


def quantified(n: int) -> Pairs:
    before = RNG.normal(size=n)
    return Pairs(before=exactly(before), after=exactly(before + 0.4 + RNG.normal(size=n)))


def below(values: np.ndarray, limit: float) -> Censored:
    cut = values < limit
    return Censored(np.where(cut, -np.inf, values), np.where(cut, limit, values))


@pytest.mark.parametrize("n", [4, 9, 16])
def test_without_censoring_the_signed_rank_test_is_wilcoxon_s_exact_one(n: int) -> None:
    """Against SciPy's exact law, to 1e-12."""
    pairs = quantified(n)
    change = pairs.change.low
    assert signed_rank_test(pairs).p_exact == pytest.approx(
        stats.wilcoxon(change, method="exact").pvalue, abs=1e-12
    )


def test_every_pattern_of_signs_is_counted() -> None:
    """Seven scores by hand: all 128 patterns; the mid-p value halves what is as extreme."""
    scores = np.array([1.0, 2.0, 2.0, 3.5, -1.5, 0.0, 4.0, 2.5])
    sizes = np.abs(scores[scores != 0])
    sums = [abs(float(np.dot(s, sizes))) for s in itertools.product((-1, 1), repeat=len(sizes))]
    observed = abs(float(scores.sum()))
    exact = np.mean([s >= observed - 1e-9 for s in sums])
    equal = np.mean([abs(s - observed) < 1e-9 for s in sums])
    test = flip_test(scores)
    assert test.p_exact == pytest.approx(exact, abs=1e-12)
    assert test.p_value == pytest.approx(exact - equal / 2, abs=1e-12)
    assert test.n_informative == 7
    assert test.least_p == pytest.approx(0.5 * 2 / 2**7)


def test_five_informative_pairs_are_the_fewest_that_can_reach_one_in_twenty() -> None:
    """2/2⁵ = .0625 exact, .031 as mid-p; with four .0625."""
    assert flip_test(np.arange(1.0, 6.0)).p_value == pytest.approx(1 / 32)
    assert flip_test(np.arange(1.0, 5.0)).p_value == pytest.approx(1 / 16)
    assert flip_test(np.zeros(3)).p_value == 1.0


def test_the_sign_of_a_change_is_known_only_where_the_order_is() -> None:
    """Below 1 and then 1: a rise; below 1 and below 2: not known; 3 and then below 2: a fall."""
    none = np.zeros(4, dtype=np.bool_)
    before = levels(
        np.array([np.nan, np.nan, 3.0, 2.0]), np.array([True, True, False, False]), none,
        np.array([1.0, 1.0, np.nan, np.nan]), log=True,
    )  # fmt: skip
    after = levels(
        np.array([1.0, np.nan, np.nan, 2.0]), np.array([False, True, True, False]), none,
        np.array([np.nan, 2.0, 2.0, np.nan]), log=True,
    )  # fmt: skip
    assert sign(difference(after, before)).tolist() == [1.0, 0.0, -1.0, 0.0]


def test_a_level_above_its_limit_is_the_mirror_of_one_below() -> None:
    """Turning every level and limit over turns the sign of every score."""
    before, after = RNG.normal(size=15), RNG.normal(size=15) + 0.5
    low = Pairs(before=below(before, -0.3), after=below(after, -0.3), floor=np.full((2, 15), -0.3))

    def turned(x: Censored) -> Censored:
        return Censored(-x.high, -x.low)

    high = Pairs(before=turned(low.before), after=turned(low.after), ceiling=np.full((2, 15), 0.3))
    assert high.after.above.any()
    assert signed_rank_scores(high) == pytest.approx(-signed_rank_scores(low))
    a, b = prentice_wilcoxon_test(low), prentice_wilcoxon_test(high)
    assert np.sign(a.z) == -np.sign(b.z)
    assert a.z == pytest.approx(-b.z, abs=0.35)


@pytest.mark.parametrize("scores", [signed_rank_scores, prentice_wilcoxon_scores])
def test_swapping_before_and_after_of_one_patient_turns_one_score(scores: object) -> None:
    """That is what makes the law exact, with different limits before and after too."""
    assert callable(scores)
    n = 12
    x, y = RNG.normal(size=n), RNG.normal(size=n)
    floor = np.array([np.full(n, -0.4), np.full(n, 0.1)])
    pairs = Pairs(before=below(x, -0.4), after=below(y, 0.1), floor=floor)
    before, after = pairs.through_one_limit()
    one = np.arange(n) == 3
    swapped = Pairs(
        before=Censored(np.where(one, after.low, before.low), np.where(one, after.high, before.high)),
        after=Censored(np.where(one, before.low, after.low), np.where(one, before.high, after.high)),
    )
    first, second = scores(pairs), scores(swapped)
    assert second[3] == pytest.approx(-first[3])
    assert second[~one] == pytest.approx(first[~one])


@pytest.mark.parametrize("n", [10, 25])
def test_hodges_and_lehmann_s_estimate_is_the_median_of_the_pairwise_means(n: int) -> None:
    """And for n = 10 the ends are the 9th mean from either side (Wilcoxon's table, 95 %)."""
    pairs = quantified(n)
    change = pairs.change.low
    means = sorted((change[i] + change[k]) / 2 for i in range(n) for k in range(i, n))
    shift = hodges_lehmann(pairs)
    assert shift.value == pytest.approx(float(np.median(means)), abs=1e-9)
    if n == 10:
        assert (shift.low, shift.high) == pytest.approx((means[8], means[-9]), abs=1e-9)


def test_a_shift_added_to_every_level_after_is_found_again() -> None:
    """The interval moves with it, also where the limit cuts a third of the levels."""
    before, after = RNG.normal(size=20), RNG.normal(size=20)
    pairs = [
        Pairs(
            before=below(before, -0.5), after=below(after + s, -0.5 + s),
            floor=np.array([np.full(20, -0.5), np.full(20, -0.5 + s)]),
        )
        for s in (0.0, 0.8)
    ]  # fmt: skip
    first, second = (hodges_lehmann(p) for p in pairs)
    assert second.value - first.value == pytest.approx(0.8, abs=1e-6)
    assert (second.low - first.low, second.high - first.high) == pytest.approx((0.8, 0.8), abs=1e-6)


def test_a_change_that_the_limit_hides_has_one_open_end() -> None:
    """Everything below the limit before and far above it after: at least so much, no upper end."""
    n = 20
    before, after = np.full(n, -5.0) + RNG.normal(size=n), 3.0 + RNG.normal(size=n)
    shift = hodges_lehmann(Pairs(before=below(before, 0.0), after=below(after, 0.0), floor=np.zeros((2, n))))
    assert math.isnan(shift.value)
    assert shift.low > 2
    assert shift.high == math.inf


def test_without_censoring_the_paired_normal_test_is_student_s() -> None:
    pairs = quantified(11)
    ours, theirs = paired_normal(pairs.change), stats.ttest_1samp(pairs.change.low, 0.0)
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-6)
    assert ours.mean == pytest.approx(float(pairs.change.low.mean()))
    assert ours.p_normal < ours.p_value


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (Censored(np.array([-np.inf]), np.array([1.0])), "1 informative pairs"),
        (exactly(np.full(5, 0.3)), "no spread"),
        (Censored(np.array([0.5, 1.0, 2.0]), np.full(3, np.inf)), "no maximum"),
    ],
)
def test_what_has_no_likelihood_maximum_is_said(change: Censored, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        paired_normal(change)


def test_a_quantified_tie_is_a_tie() -> None:
    test = sign_test(
        Pairs(before=exactly(np.array([1.0, 2.0, 3.0])), after=exactly(np.array([1.0, 3.0, 4.0])))
    )
    assert (test.n_up, test.n_down, test.n_tied) == (2, 0, 1)
    assert test.p_exact == 0.5


def test_none_in_57_bounds_the_share_at_five_per_cent() -> None:
    """1 − .05^(1/57), the rule of three; and R's binom.test(2, 20, alternative = "less") gives .2826."""
    assert share_one_sided_bound(0, 57) == pytest.approx(1 - 0.05 ** (1 / 57))
    assert share_one_sided_bound(2, 20) == pytest.approx(0.2826, abs=1e-4)
    assert share_one_sided_bound(3, 3) == 1.0


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda: Censored(np.array([2.0]), np.array([1.0])), "runs from 2 down to 1"),
        (lambda: Censored(np.array([math.nan]), np.array([1.0])), "not a number"),
        (lambda: Pairs(before=exactly(np.ones(2)), after=exactly(np.ones(3))), "no pairs"),
        (
            lambda: levels(
                np.zeros(1), np.zeros(1, dtype=bool), np.zeros(1, dtype=bool), np.ones(1), log=True
            ),
            "no logarithm",
        ),
        (lambda: share_one_sided_bound(4, 3), "no share"),
        (lambda: hodges_lehmann(quantified(3), level=1.0), "between 0 and 1"),
    ],
)
def test_what_cannot_be_is_an_error_in_one_line(made: object, says: str) -> None:
    assert callable(made)
    with pytest.raises(ValueError, match=says):
        made()
