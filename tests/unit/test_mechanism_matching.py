"""Factors that give a placebo arm its medians: found where there are some, refused with a line where not."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from troughline.mechanism.matching import MatchError, matched_scale


def power_law(scale: Mapping[str, float]) -> tuple[float, float]:
    """Medians that depend on both factors, and on a third one that is given."""
    growth, hazard = scale["doubling"], scale["death_0"]
    ttp = 80.0 * growth**0.8 * hazard**-0.1
    return ttp, 8.0 * scale.get("other", 1.0) * growth**0.5 * hazard**-0.6


def exact(ttp_day: float, os_months: float, other: float = 1.0) -> dict[str, float]:
    """The closed form: two linear equations in the logarithms."""
    t, s = math.log(ttp_day / 80.0), math.log(os_months / (8.0 * other))
    # 0.8 g − 0.1 h = t, 0.5 g − 0.6 h = s
    det = 0.8 * -0.6 - -0.1 * 0.5
    g, h = (t * -0.6 - -0.1 * s) / det, (0.8 * s - 0.5 * t) / det
    return {"doubling": math.exp(g), "death_0": math.exp(h)}


@pytest.mark.parametrize(("ttp_day", "os_months"), [(36.0, 4.2), (80.0, 8.0), (150.0, 7.0)])
def test_medians_are_met_near_the_closed_form(ttp_day: float, os_months: float) -> None:
    """Both medians within 1 %; the factors within what that leaves open."""
    found = matched_scale(power_law, ttp_day=ttp_day, os_months=os_months)
    assert power_law(found) == pytest.approx((ttp_day, os_months), rel=0.0101)
    for name, value in exact(ttp_day, os_months).items():
        assert found[name] == pytest.approx(value, rel=0.05)


def test_given_factors_stay_and_count_once() -> None:
    """Another factor is kept; growth already halved ends where it does without."""
    found = matched_scale(power_law, ttp_day=36.0, os_months=4.2, given={"doubling": 0.5, "other": 0.9})
    assert found["other"] == 0.9
    for name, value in exact(36.0, 4.2, other=0.9).items():
        assert found[name] == pytest.approx(value, rel=0.05)


def test_what_lies_too_far_is_refused_with_the_last_medians() -> None:
    """Survival of ten years asks for a hazard hundreds of times lower."""
    with pytest.raises(MatchError, match=r"factors up to 20 .* day 80 and 120 months .* the last gave day"):
        matched_scale(power_law, ttp_day=80.0, os_months=120.0)


def test_medians_that_do_not_move_are_refused() -> None:
    """Nothing that is scaled changes the medians."""
    with pytest.raises(MatchError, match=r"the last gave day 50 and 8\.0 months"):
        matched_scale(lambda _: (50.0, 8.0), ttp_day=80.0, os_months=8.0)
