"""Thresholds pool on one metric only, and what was printed without an interval is not given one."""

from __future__ import annotations

import pytest

from troughline.evidence.comparable import comparable_numbers
from troughline.evidence.effects import Effect
from troughline.evidence.thresholds_pooled import Threshold, pool_thresholds


def cut(
    label: str, value: float, low: float | None = None, high: float | None = None, **more: str
) -> Threshold:
    return Threshold(
        effect=Effect(label=label, value=value, low=low, high=high, unit=more.get("unit", "ug/mL")),
        metric=more.get("metric", "trough"),
        endpoint=more.get("endpoint", "toxicity"),
    )


def test_cuts_with_intervals_pool_on_the_log_scale() -> None:
    found = pool_thresholds([cut("a", 2.0, 1.0, 4.0), cut("b", 8.0, 4.0, 16.0), cut("c", 3.45)])
    assert found.pooled is not None
    # Two equal weights: the geometric mean of 2 and 8.
    assert found.pooled.random.value == pytest.approx(4.0, rel=1e-9)
    assert found.pooled.prediction_high is not None
    assert found.pooled.prediction_high > found.pooled.random.high
    assert [(t.effect.label, why) for t, why in found.shown] == [
        ("c", "printed without an interval, or with an open one")
    ]


def test_an_assumed_error_is_said_to_be_assumed() -> None:
    found = pool_thresholds([cut("a", 2.0, 1.0, 4.0), cut("c", 3.45)], assumed_log_sd={"c": 0.5})
    assert found.pooled is not None
    assert found.assumptions == ("c: SD 0.5 of the logarithm assumed by the caller, not published",)
    assert any("assumed by the caller" in flag for flag in found.pooled.flags)


def test_published_cuts_of_sorafenib_have_nothing_to_pool() -> None:
    """Noda 2020 printed 3.45 µg/mL for toxicity without an interval: shown, no pooled value."""
    printed = comparable_numbers("sorafenib", "toxicity", "threshold", metric="trough")
    found = pool_thresholds(
        [Threshold(effect=c.effect, metric=str(c.metric), endpoint=c.endpoint) for c in printed]
    )
    assert found.pooled is None
    assert 3.45 in [t.effect.value for t, _ in found.shown]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"metric": "clinic-visit"}, "more than one metric .*clinic-visit, trough"),
        ({"unit": "mg/L"}, "more than one unit"),
        ({"endpoint": "response"}, "more than one endpoint"),
    ],
)
def test_unlike_thresholds_are_refused(other: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pool_thresholds([cut("a", 2.0, 1.0, 4.0), cut("b", 4.0, 3.0, 6.0, **other)])


def test_an_assumption_for_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="not there: x"):
        pool_thresholds([cut("a", 2.0, 1.0, 4.0)], assumed_log_sd={"x": 0.5})
