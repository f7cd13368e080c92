"""A new result against the published ones: the rule, the posterior, and what is only shown."""

from __future__ import annotations

import math

import numpy as np
import pytest

from troughline.evidence.borrowing import borrow, published_prior
from troughline.evidence.comparison_words import comparison_contents, sentence, table_row
from troughline.evidence.effects import Effect
from troughline.evidence.replication import Agreement, Rules, compare

SHARP = Effect(label="SHARP", value=0.69, low=0.55, high=0.87)
ASIA = Effect(label="Asia-Pacific", value=0.68, low=0.50, high=0.93)
RATIO = Rules(null=1.0)


def new(value: float, low: float, high: float, n: int = 300) -> Effect:
    return Effect(label="these patients", value=value, low=low, high=high, n=n)


def test_a_precise_result_like_the_published_one_is_consistent() -> None:
    found = compare(new(0.70, 0.62, 0.79), [SHARP, ASIA], RATIO)
    assert found.agreement is Agreement.CONSISTENT
    assert found.value == pytest.approx(0.68645142178, abs=1e-10)
    assert found.inside_prediction
    assert found.p is not None
    assert found.p > 0.8
    assert found.p_margin is not None
    assert found.p_margin < 0.05


def test_not_finding_a_difference_is_no_replication() -> None:
    """0.75 (0.40–1.40) differs from nothing, neither from 0.69 nor from 1."""
    found = compare(new(0.75, 0.40, 1.40), [SHARP, ASIA], RATIO)
    assert found.p is not None
    assert found.p > 0.5
    assert found.agreement is Agreement.CANNOT_TELL
    assert found.reason.endswith(
        "neither a difference above a factor of 1.5 nor less than half of the published effect is excluded"
    )
    little = compare(new(0.80, 0.74, 0.87), [SHARP, ASIA], RATIO)
    assert little.reason == (
        "no difference is found, but less than half of the published effect is not excluded"
    )
    much = compare(new(0.56, 0.48, 0.66), [SHARP, ASIA], RATIO)
    assert much.reason == "no difference is found, but a difference above a factor of 1.5 is not excluded"


def test_a_strong_published_effect_does_not_make_any_other_consistent() -> None:
    """0.75 (0.70–0.80) after 0.30 (0.25–0.36): both a benefit, a fifth of the effect, p 2·10⁻²⁰."""
    found = compare(new(0.75, 0.70, 0.80), [Effect(label="p", value=0.30, low=0.25, high=0.36)], RATIO)
    assert found.agreement is Agreement.DIFFERENT_SIZE
    assert found.p is not None
    assert found.p < 1e-19
    assert sentence(found).startswith("Same direction as published, different size: both exclude no effect")


def test_a_difference_is_never_consistent() -> None:
    """Two precise results within a factor of 1.5 that nevertheless differ."""
    published = Effect(label="p", value=0.60, low=0.58, high=0.62)
    found = compare(new(0.66, 0.64, 0.68), [published], RATIO)
    assert found.p_margin is not None
    assert found.p_margin < 0.05
    assert found.agreement is Agreement.DIFFERENT_SIZE
    cut = Effect(label="a", value=3.0, low=2.9, high=3.1, unit="ug/mL")
    other = compare(Effect(label="b", value=3.3, low=3.2, high=3.4, unit="ug/mL"), [cut])
    assert other.agreement is Agreement.INCONSISTENT
    assert other.reason.endswith("though by no more than a factor of 1.5")


def test_the_same_direction_needs_both_intervals_on_one_side_of_no_effect() -> None:
    vague = Effect(label="p", value=0.95, low=0.80, high=1.13)
    found = compare(new(0.50, 0.42, 0.60), [vague], RATIO)
    assert found.agreement is Agreement.INCONSISTENT


def test_the_bound_that_is_estimated_carries_its_error() -> None:
    """P of keeping half: z = (log 0.7 − log 0.69/2)/√(0.1² + 0.117²/4), of the factor: √(0.1² + 0.117²)."""
    fresh = Effect(label="these patients", value=0.7, se=0.1)
    x, se = math.log(0.69), 0.11698555102
    half = (math.log(0.7) - x / 2) / math.hypot(0.1, se / 2)
    far = (math.log(0.7) - (x - math.log(1.5))) / math.hypot(0.1, se)
    found = compare(fresh, [SHARP], RATIO)
    expected = max(0.5 * math.erfc(-half / math.sqrt(2)), 0.5 * math.erfc(far / math.sqrt(2)))
    assert found.p_margin == pytest.approx(expected, rel=1e-9)
    assert (found.margin_low, found.margin_high) == pytest.approx((0.69 / 1.5, math.sqrt(0.69)), rel=1e-12)


def test_where_nothing_may_be_combined_there_is_no_posterior() -> None:
    found = compare(new(0.70, 0.62, 0.79), [SHARP, ASIA], Rules(null=1.0, combine=False))
    assert found.agreement is Agreement.CONSISTENT
    assert found.borrowing is None
    assert found.posterior_value is None
    assert comparison_contents(found, name="hazard_ratio", label="")["posterior"] is None


def test_what_is_only_shown_is_not_calculated_with() -> None:
    extra = Effect(label="other", value=0.5, low=0.4, high=0.6)
    with_it = compare(new(0.7, 0.5, 0.98), [SHARP], RATIO, only_shown=[(extra, "of another setting")])
    assert with_it.value == compare(new(0.7, 0.5, 0.98), [SHARP], RATIO).value
    assert with_it.shown == ((extra, "of another setting"),)


def test_an_opposite_result_is_inconsistent_and_in_conflict_with_the_prior() -> None:
    found = compare(new(1.25, 1.05, 1.49), [SHARP, ASIA], RATIO)
    assert found.agreement is Agreement.INCONSISTENT
    assert found.borrowing is not None
    assert found.borrowing.conflict_p < 0.001
    assert found.borrowing.weights[0] < 0.05
    assert "are in conflict; the published part keeps" in sentence(found)
    plain = compare(new(1.25, 1.05, 1.49), [SHARP, ASIA], Rules(null=1.0, prior="as is"))
    assert plain.borrowing is not None
    # Box's tail of one normal prior is the test of the difference itself.
    assert plain.borrowing.conflict_p == pytest.approx(plain.p, rel=1e-12)
    # The robust prior lets go: its posterior lies nearer to the new estimate.
    assert plain.posterior_value is not None
    assert found.posterior_value is not None
    assert plain.posterior_value < found.posterior_value < 1.25


def test_the_difference_counts_both_errors_and_the_variance_between_settings() -> None:
    """z = log(0.9/0.69) / √(0.1² + 0.117² + 0.15²), worked apart."""
    fresh = Effect(label="these patients", value=0.9, se=0.1)
    found = compare(fresh, [SHARP], Rules(null=1.0, tau=0.15))
    z = math.log(0.9 / 0.69) / math.sqrt(0.1**2 + 0.11698555102**2 + 0.15**2)
    assert found.p == pytest.approx(math.erfc(z / math.sqrt(2)), rel=1e-9)
    reach = 1.959963984540054 * math.hypot(0.11698555102, 0.15)
    assert (found.prediction_low, found.prediction_high) == pytest.approx(
        (0.69 * math.exp(-reach), 0.69 * math.exp(reach)), rel=1e-9
    )


def test_one_study_gives_no_prediction_interval_of_its_own() -> None:
    found = compare(new(0.7, 0.5, 0.98), [SHARP], RATIO)
    assert found.prediction_low is None
    assert found.inside_prediction is None
    assert any("cannot show how settings differ" in flag for flag in found.flags)


def test_a_cut_printed_without_an_interval_is_only_shown() -> None:
    printed = Effect(label="Noda 2020", value=3.45, unit="ug/mL")
    found = compare(Effect(label="here", value=2.3, low=1.21, high=4.28, unit="ug/mL"), [printed])
    assert found.agreement is Agreement.CANNOT_TELL
    assert found.new_holds_published
    assert found.shown == ((printed, "no interval and no standard error was given"),)
    assert found.borrowing is None
    outside = compare(Effect(label="here", value=2.3, low=1.21, high=3.0, unit="ug/mL"), [printed])
    assert outside.new_holds_published is False


def test_an_unverified_number_is_shown_and_never_calculated_with() -> None:
    recalled = Effect(label="recalled", value=0.5, low=0.4, high=0.6, verified=False)
    with_it, without = (compare(new(0.7, 0.5, 0.98), p, RATIO) for p in ([SHARP, recalled], [SHARP]))
    assert with_it.value == without.value
    assert with_it.shown == ((recalled, "not verified in its source"),)


def test_the_margin_without_a_null_is_a_factor() -> None:
    target = Effect(label="a", value=3.0, low=2.8, high=3.2, unit="ug/mL")
    near = Effect(label="b", value=3.1, low=2.9, high=3.3, unit="ug/mL")
    found = compare(near, [target])
    assert (found.margin_low, found.margin_high) == pytest.approx((2.0, 4.5), rel=1e-12)
    assert found.agreement is Agreement.CONSISTENT


def test_other_units_scales_and_rules_are_refused() -> None:
    with pytest.raises(ValueError, match="log scale in ug/mL is not log scale in 1"):
        compare(new(0.7, 0.5, 0.98), [Effect(label="a", value=3.0, unit="ug/mL")])
    with pytest.raises(ValueError, match="margin factor 1 is not above 1"):
        Rules(margin_factor=1.0)
    with pytest.raises(ValueError, match="kept 1 is not between 0 and 1"):
        Rules(kept=1.0)
    with pytest.raises(ValueError, match="tau -1 is below 0"):
        Rules(tau=-1.0)


def test_a_normal_prior_and_a_normal_estimate_add_their_precisions() -> None:
    prior = published_prior(0.0, 0.3, kind="as is")
    found = borrow(prior, 1.0, 0.4, n=50)
    precision = 0.3**-2 + 0.4**-2
    assert found.mean == pytest.approx(0.4**-2 / precision, rel=1e-12)
    assert found.sd == pytest.approx(precision**-0.5, rel=1e-12)
    assert found.high - found.low == pytest.approx(2 * 1.959963984540054 * found.sd, rel=1e-9)
    # The prior is worth 50 · 0.4²/0.3² of these patients.
    assert found.effective_n == pytest.approx(50 * 0.16 / 0.09, rel=1e-12)


def test_a_power_prior_counts_a_share_of_the_published_precision() -> None:
    prior = published_prior(0.0, 0.3, kind="power", weight=0.25)
    assert prior.sd**-2 == pytest.approx(0.25 * 0.3**-2, rel=1e-12)
    assert "25 %" in prior.words


def test_a_mixture_is_the_integral_of_prior_times_likelihood() -> None:
    """Mean, SD, interval and conflict against brute-force integration on 400,001 points."""
    prior = published_prior(-0.4, 0.1, kind="robust mixture", weight=0.7, vague_sd=1.0)
    found = borrow(prior, 0.1, 0.15)
    x = np.linspace(-8.0, 8.0, 400_001)

    def normal(at: np.ndarray, centre: float, sd: float) -> np.ndarray:
        return np.exp(-0.5 * ((at - centre) / sd) ** 2) / (sd * math.sqrt(2 * math.pi))

    density = (0.7 * normal(x, -0.4, 0.1) + 0.3 * normal(x, -0.4, 1.0)) * normal(x, 0.1, 0.15)
    density /= density.sum()
    mean = float(density @ x)
    assert found.mean == pytest.approx(mean, abs=1e-6)
    assert found.sd == pytest.approx(math.sqrt(float(density @ (x - mean) ** 2)), abs=1e-6)
    below = np.cumsum(density)
    ends = [float(x[np.searchsorted(below, q)]) for q in (0.025, 0.975)]
    assert [found.low, found.high] == pytest.approx(ends, abs=1e-4)
    predictive = normal(x, -0.4, math.hypot(0.1, 0.15))
    seen = np.interp(0.1, x, predictive)
    tail = float(predictive[predictive <= seen].sum() / predictive.sum())
    assert found.conflict_p == pytest.approx(tail, abs=1e-4)
    assert found.weights[0] < 0.7


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "power", "weight": 0.0}, "weight 0 is not above 0"),
        ({"kind": "robust mixture", "vague_sd": 0.1}, "needs a vague_sd above"),
        ({"kind": "robust mixture"}, "needs a vague_sd above"),
        ({"tau": -0.1}, "tau -0.1 is below 0"),
    ],
)
def test_impossible_priors_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        published_prior(0.0, 0.2, **given)  # pyright: ignore[reportArgumentType]


def test_a_mixture_is_worth_the_patients_that_would_narrow_the_interval_as_much() -> None:
    """By the prior's whole SD (0.9) it were worth 3 of 100; the interval shrinks as with 200 more."""
    prior = published_prior(0.0, 0.1, kind="robust mixture", weight=0.8, vague_sd=2.0)
    found = borrow(prior, 0.02, 0.15, n=100)
    alone = 2 * 1.959963984540054 * 0.15
    assert found.effective_n == pytest.approx(100 * ((alone / (found.high - found.low)) ** 2 - 1), rel=1e-12)
    assert 190 < (found.effective_n or 0.0) < 230
    conflict = borrow(prior, 0.45, 0.15, n=100)
    assert (conflict.effective_n or 0.0) < 0.0


@pytest.mark.parametrize(
    ("published", "se_published", "new_ratio", "wrong"),
    [
        (0.60, 0.12, 0.60, Agreement.INCONSISTENT),
        (0.60, 0.12, math.sqrt(0.60), Agreement.CONSISTENT),
        (0.60, 0.12, 1.00, Agreement.CONSISTENT),
        (0.30, 0.09, 0.45, Agreement.CONSISTENT),
        (0.30, 0.09, 0.75, Agreement.CONSISTENT),
    ],
    ids=["the same", "half the effect", "no effect", "large effect, 1.5 times", "large effect, a fifth"],
)
def test_the_rule_errs_in_5_percent_at_most(
    published: float, se_published: float, new_ratio: float, wrong: Agreement
) -> None:
    """2,000 simulated pairs each, new standard error 0.06, seed fixed; Monte-Carlo error 0.5 %.

    At the bounds, half the effect and a factor of 1.5, the error of the published effect counts too.
    """
    rng = np.random.default_rng(20261126)
    wrongly = 0
    for _ in range(2000):
        old = Effect(
            label="p", value=math.exp(rng.normal(math.log(published), se_published)), se=se_published
        )
        fresh = Effect(label="n", value=math.exp(rng.normal(math.log(new_ratio), 0.06)), se=0.06)
        wrongly += compare(fresh, [old], Rules(null=1.0, combine=False)).agreement is wrong
    assert wrongly / 2000 < 0.065


def test_contents_say_everything_in_plain_values_and_words() -> None:
    found = compare(new(0.75, 0.40, 1.40), [SHARP, ASIA], RATIO)
    contents = comparison_contents(found, name="hazard_ratio", label="sorafenib vs placebo")
    assert contents["agreement"] == "cannot tell"
    assert [p["label"] for p in contents["published"]] == ["SHARP", "Asia-Pacific"]
    assert (
        "0.750 (0.400–1.40) here against 0.686 (0.571–0.825) from 2 published estimates"
        in contents["sentence"]
    )
    assert "prediction interval" in contents["sentence"]
    row = table_row(contents)
    assert row["these patients"] == "0.750 (0.400–1.40)"
    assert row["quantity"] == "hazard ratio, sorafenib vs placebo"
    assert row["prediction interval"].count("–") == 1


def test_a_row_of_the_table_says_what_the_figure_says() -> None:
    """Reasons and reservations stand in the table too."""
    recalled = Effect(label="recalled", value=0.5, low=0.4, high=0.6, verified=False)
    found = compare(new(0.7, 0.5, 0.98), [SHARP, recalled], RATIO)
    row = table_row(comparison_contents(found, name="hazard_ratio", label=""))
    assert "recalled: not verified in its source" in row["notes"]
    assert "one published study cannot show how settings differ" in row["notes"]
