"""A printed estimate becomes a normal one on its scale, and what cannot is refused or flagged."""

from __future__ import annotations

import math

import pytest

from troughline.evidence.checks.roc_areas import hanley_mcneil_se
from troughline.evidence.effects import Effect, from_scale, on_scale, to_scale


def test_standard_error_from_a_printed_interval() -> None:
    # SHARP, overall survival: 0.69 (0.55–0.87); the SE is the one that metafor was given.
    placed = on_scale(Effect(label="SHARP", value=0.69, low=0.55, high=0.87))
    assert placed.se == pytest.approx(0.11698555102, abs=1e-11)
    assert placed.se_low < placed.se < placed.se_high
    assert not placed.asymmetric


def test_the_level_counts_as_printed() -> None:
    at_90 = on_scale(Effect(label="a", value=0.69, low=0.55, high=0.87, level=0.90))
    at_95 = on_scale(Effect(label="a", value=0.69, low=0.55, high=0.87, level=0.95))
    # 1.959964 / 1.644854, the normal quantiles of the two levels.
    assert at_90.se / at_95.se == pytest.approx(1.1915729, abs=1e-6)


def test_an_interval_that_is_off_centre_on_the_scale_is_flagged() -> None:
    skewed = on_scale(Effect(label="a", value=0.69, low=0.60, high=1.20))
    assert skewed.asymmetric
    assert skewed.asymmetry > 0.3


def test_rounding_alone_is_not_flagged_as_asymmetry() -> None:
    # log 0.9, 0.85–0.95 printed with two digits: the middle is off by less than the digits allow.
    assert not on_scale(Effect(label="a", value=0.9, low=0.85, high=0.94)).asymmetric


def test_an_area_with_a_symmetric_interval_keeps_its_own_standard_error() -> None:
    # Noda 2020: 0.74 (0.54–0.93), made as area ± 1.96 SE with SE 0.0995; on the logit scale SE / (A (1 − A)).
    placed = on_scale(Effect(label="Noda", value=0.74, low=0.54, high=0.93, scale="logit"))
    assert placed.se == pytest.approx(0.0995 / (0.74 * 0.26), abs=2e-3)
    assert not placed.asymmetric
    assert "symmetric as printed" in placed.basis


def test_an_area_interval_that_ends_at_one_has_no_standard_error() -> None:
    printed = Effect(label="Noda", value=0.97, low=0.97, high=1.0, scale="logit")
    with pytest.raises(ValueError, match="the upper end 1 is not between 0 and 1"):
        on_scale(printed)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"value": 0.9, "low": 1.0, "high": 1.2}, "does not hold the estimate"),
        ({"value": 0.0}, "not above 0"),
        ({"value": 1.0, "scale": "logit"}, "not between 0 and 1"),
        ({"value": 1.0, "se": 0.0}, "standard error 0 is not above 0"),
        ({"value": 1.0, "level": 1.0}, "level 1 is not between 0 and 1"),
    ],
)
def test_impossible_effects_are_refused(given: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Effect(label="a", **given)  # pyright: ignore[reportArgumentType]


def test_an_effect_without_uncertainty_cannot_be_placed() -> None:
    with pytest.raises(ValueError, match="no interval and no standard error"):
        on_scale(Effect(label="a", value=3.45))
    with pytest.raises(ValueError, match="open on one side"):
        on_scale(Effect(label="a", value=3.45, low=1.0))
    with pytest.raises(ValueError, match="no width"):
        on_scale(Effect(label="a", value=3.45, low=3.45, high=3.45))


def test_scales_and_their_inverses() -> None:
    for scale, value in (("log", 3.45), ("logit", 0.74), ("identity", -2.0)):
        assert from_scale(to_scale(value, scale), scale) == pytest.approx(value)  # pyright: ignore[reportArgumentType]
    assert from_scale(1000.0, "log") == math.inf
    assert from_scale(-1000.0, "logit") == 0.0


def test_hanley_and_mcneil_at_the_size_of_noda() -> None:
    # shared/facts/evidence.md: SE 0.031–0.036 at n = 26 for any split of 2 to 13 non-responders.
    errors = [hanley_mcneil_se(0.97, 26 - k, k) for k in range(2, 14)]
    assert round(min(errors), 3) == 0.031
    assert round(max(errors), 3) == 0.036
    # At an area of one half it is the Mann–Whitney variance (n₁ + n₀ + 1) / (12 n₁ n₀).
    assert hanley_mcneil_se(0.5, 9, 14) ** 2 == pytest.approx(24 / (12 * 9 * 14), rel=1e-12)
