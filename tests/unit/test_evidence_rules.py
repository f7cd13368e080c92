"""Each rule of `evidence check` fires on what cannot be, and is silent on the nearest thing that can."""

from __future__ import annotations

from math import exp, log
from typing import Any

import numpy as np
import pytest

from tests.unit.evidence_sample import CI, PLACE, arms, codes, number, study
from troughline.evidence.checks import RULES, check_drug, check_study
from troughline.evidence.checks.hazard_ratios import (
    MEDIAN_EXTRA_VARIANCE,
    MEDIANS_Z,
    NARROWEST_SHARE,
    WIDEST_SHARE,
    standard_error,
)
from troughline.evidence.checks.printed import count_exists, decimals_of, p_limits, percent_limits
from troughline.evidence.checks.roc_areas import hanley_mcneil_se, narrowest_se
from troughline.evidence.store import load_drug
from troughline.issues import Severity

PAIR = {"arm": "first", "comparator": "second"}
RATIO: dict[str, Any] = {"quantity": "hazard-ratio", "value": 0.69, "low": 0.55, "high": 0.87, **CI}


def ratio(**given: Any) -> dict[str, Any]:
    return number(**{**RATIO, **given})


def median(value: float, arm: str) -> dict[str, Any]:
    return number(
        id=f"{arm}-median", quantity="median-survival", value=value, unit="month", endpoint="os", arm=arm
    )


MEDIANS = [median(10.7, "first"), median(7.9, "second")]


@pytest.mark.parametrize(
    ("rule", "impossible", "possible"),
    [
        # An interval around its estimate; a range with the median outside is as wrong.
        ("interval-misses-estimate", ratio(value=0.90), ratio()),
        ("interval-misses-estimate", ratio(low=0.87, high=0.55), ratio()),
        ("interval-misses-estimate",
         number(quantity="median", value=9.0, low=0.74, high=8.8, interval="range", unit="ug/mL"),
         number(quantity="median", value=8.8, low=0.74, high=8.8, interval="range", unit="ug/mL")),
        # 0.97 (0.97 to 1.00); 1.00 (1.00 to 1.01) may be two roundings; an area of 1 ends at itself.
        ("interval-ends-at-estimate",
         number(quantity="auc", value=0.97, low=0.97, high=1.0, n=26, **CI),
         number(quantity="auc", value=1.0, low=0.87, high=1.0, n=26, **CI)),
        ("interval-ends-at-estimate", ratio(low=0.69), ratio()),
        ("interval-ends-at-estimate",
         number(quantity="ratio", value=1.0, low=1.0, high=1.02, **CI),
         number(quantity="ratio", value=1.0, low=1.0, high=1.01, decimals=2, **CI)),
        # Hanley–McNeil at 0.97 and n = 26 gives 0.061 below at least; half of it is let through.
        ("area-interval-too-narrow",
         number(quantity="auc", value=0.97, low=0.96, high=0.98, n=26, **CI),
         number(quantity="auc", value=0.97, low=0.90, high=1.0, n=26, **CI)),
        ("area-interval-too-narrow",
         number(quantity="auc", value=0.74, low=0.69, high=0.79, n=26, events=13, **CI),
         number(quantity="auc", value=0.74, low=0.54, high=0.93, n=26, **CI)),
        # √(0.55 · 0.87) = 0.692.
        ("hazard-ratio-asymmetric", ratio(value=0.75), ratio()),
        # 321 events: 2/√321 = 0.112; (0.55, 0.87) has 0.117, (0.60, 0.79) has 0.070.
        ("hazard-ratio-interval-too-narrow",
         ratio(low=0.60, high=0.79, events=120, **PAIR), ratio(events=321, **PAIR)),
        # A ratio per unit of a continuous covariate may have any interval; so may one computed here.
        ("hazard-ratio-interval-too-narrow",
         ratio(low=0.60, high=0.79, events=120, **PAIR), ratio(low=0.60, high=0.79, events=120)),
        ("hazard-ratio-interval-too-narrow",
         ratio(low=0.60, high=0.79, events=120, **PAIR),
         ratio(low=0.60, high=0.79, events=120, basis="computed", **PAIR)),
        # 30 events in two equal arms give 0.365; (0.20, 2.38) has 0.63, (0.30, 1.59) has 0.43.
        ("hazard-ratio-interval-too-wide",
         ratio(low=0.18, high=2.64, events=30), ratio(low=0.30, high=1.59, events=30)),
        # p of 0.69 (0.55 to 0.87) is 0.0015.
        ("p-against-interval", ratio(p_value="0.04"), ratio(p_value="0.002")),
        ("p-against-interval", ratio(p_value="0.60"), ratio(p_value="<0.01")),
        ("p-against-interval",
         ratio(value=0.9, low=0.72, high=1.13, p_value="<0.001"),
         ratio(value=0.9, low=0.72, high=1.13, p_value="0.36")),
        # 11 of 40 are 27.5 %; 3.5 % of 150 would be 5.25 patients; above 100 a whole percent is a count.
        ("percentage-no-count",
         number(quantity="proportion", value=27.6, unit="%", n=40),
         number(quantity="proportion", value=27.5, unit="%", n=40)),
        ("percentage-no-count",
         number(quantity="proportion", value=0.035, n=150), number(quantity="proportion", value=0.03, n=150)),
        # 3 of 24 are 12.5 %, printed as 12 or as 13.
        ("percentage-no-count",
         number(quantity="proportion", value=14.0, unit="%", n=24),
         number(quantity="proportion", value=13.0, unit="%", n=24)),
        # 121 of 200 are 60.5 %.
        ("percentage-against-count",
         number(quantity="proportion", value=61.5, unit="%", n=200, events=121),
         number(quantity="proportion", value=60.5, unit="%", n=200, events=121)),
        ("n-exceeds-whole",
         number(quantity="median", value=1.0, n=601), number(quantity="median", value=1.0, n=600)),
        ("n-exceeds-whole",
         number(quantity="constant", value=1.0, n=20, events=21),
         number(quantity="constant", value=1.0, n=20, events=20)),
        ("n-exceeds-whole",
         number(quantity="count", value=31.0, unit="patient", n=30),
         number(quantity="count", value=150.0, unit="sample", n=30)),
        ("count-not-whole",
         number(quantity="count", value=7.5, unit="patient"),
         number(quantity="count", value=7.0, unit="patient")),
        ("window-order",
         number(quantity="window", low=3.45, high=1.40, unit="ug/mL", metric="trough", endpoint="window"),
         number(quantity="window", low=1.40, high=3.45, unit="ug/mL", metric="trough", endpoint="window")),
        ("unit-of-another-quantity",
         number(quantity="median-survival", value=10.7, unit="ug/mL"),
         number(quantity="median-survival", value=10.7, unit="month")),
        ("unit-of-another-quantity",
         number(quantity="threshold", value=3.45, unit="mg", metric="trough", endpoint="toxicity"),
         number(quantity="threshold", value=3450.0, unit="ng/mL", metric="trough", endpoint="toxicity")),
        ("unit-of-another-quantity",
         number(quantity="threshold", value=2.43, unit="mg/L", metric="auc", endpoint="toxicity"),
         number(quantity="threshold", value=2.43, unit="mg*h/L", metric="auc", endpoint="toxicity")),
        ("size-impossible",
         number(quantity="proportion", value=1.2), number(quantity="proportion", value=100.0, unit="%")),
        ("size-impossible",
         number(quantity="log-hazard-ratio", value=-0.27, low=-0.46, high=-0.06, **CI) | {
             "quantity": "hazard-ratio"},
         number(quantity="log-hazard-ratio", value=-0.27, low=-0.46, high=-0.06, **CI)),
    ],
)  # fmt: skip
def test_a_rule_fires_on_the_impossible_and_not_on_the_possible(
    rule: str, impossible: dict[str, Any], possible: dict[str, Any]
) -> None:
    """By hand: the comment above each pair says why."""
    assert rule in codes(impossible, arm=arms())
    assert codes(possible, arm=arms()) == []


@pytest.mark.parametrize(
    ("rule", "impossible", "possible"),
    [
        ("arms-do-not-add",
         {"arm": arms(second={"n": 301})}, {"arm": arms(second={"n": 290})}),
        ("arms-do-not-add",
         {"arm": arms(second={"n": 299}), "arms_complete": True}, {"arm": arms(), "arms_complete": True}),
        ("arms-do-not-add", {"arm": arms(first={"events": 301})}, {"arm": arms(first={"events": 300})}),
        ("arms-do-not-add", {"arm": arms(first={"n_safety": 301})}, {"arm": arms(first={"n_safety": 299})}),
        ("dates-out-of-order", {"enrolled_to": "2014-12"}, {"enrolled_to": "2015-01"}),
        ("dates-out-of-order", {"enrolled_to": "2021-01"}, {"enrolled_to": "2020-12"}),
        ("dates-out-of-order", {"year": 2014}, {"year": 2018}),
    ],
)  # fmt: skip
def test_a_rule_about_the_study_itself(
    rule: str, impossible: dict[str, Any], possible: dict[str, Any]
) -> None:
    """Arms against the study's 600 patients, dates against each other."""
    assert rule in codes(**impossible)
    assert codes(**possible) == []


def adverse(**row: Any) -> dict[str, Any]:
    table = {"id": "ae", "label": "events", "attribution": "any", **PLACE}
    return {"arm": arms(), "adverse_events": [{**table, "row": [{"term": "rash", "arm": "first", **row}]}]}


@pytest.mark.parametrize(
    ("rule", "impossible", "possible"),
    [
        # 10 and 2 rounded down are 9.5 + 1.5 = 11.0, any grade 10 rounded up is 10.5.
        ("grades-do-not-add",
         adverse(any_grade=10, grade_3=10, grade_4=2), adverse(any_grade=11, grade_3=10, grade_4=1)),
        ("grades-do-not-add",
         adverse(any_grade=8, grade_3_or_more=9.6), adverse(any_grade=8, grade_3_or_more=8)),
        ("grades-do-not-add",
         adverse(grade_3=9, grade_4=4, grade_3_or_more=11),
         adverse(grade_3=9, grade_4="<1", grade_3_or_more=9)),
        ("grades-do-not-add", adverse(any_grade=104), adverse(any_grade=100)),
        # 5.5 % of 20 would be 1.1 patients.
        ("percentage-no-count", adverse(n=20, any_grade=5.5), adverse(n=20, any_grade=5)),
    ],
)  # fmt: skip
def test_a_rule_about_adverse_events(rule: str, impossible: dict[str, Any], possible: dict[str, Any]) -> None:
    """Grades of one event, percent as rounded."""
    assert rule in codes(**impossible)
    assert codes(**possible) == []


@pytest.mark.parametrize(
    ("time", "at_risk", "fires"),
    [
        ([0.0, 6.0, 12.0], [300, 60, 60], False),
        ([0.0, 6.0, 12.0], [300, 60, 61], True),
        ([0.0, 12.0, 6.0], [300, 60, 40], True),
        ([0.0, 6.0], [301, 60], True),
    ],
)
def test_numbers_at_risk_do_not_rise(time: list[float], at_risk: list[int], fires: bool) -> None:
    row = {"id": "os", "endpoint": "os", "arm": "first", "unit": "month", "time": time, "n": at_risk, **PLACE}
    assert codes(arm=arms(), at_risk=[row]) == (["risk-table-rises"] if fires else [])


def test_a_hazard_ratio_is_held_against_the_medians_of_its_endpoint() -> None:
    """SHARP's medians give 0.738 beside 0.69: they agree. The same medians turned round do not."""
    held = ratio(endpoint="os", arm="first", comparator="second")
    assert codes(held, *MEDIANS, arm=arms()) == []
    turned = [median(7.9, "first"), median(10.7, "second")]
    assert codes(held, *turned, arm=arms()) == ["hazard-ratio-against-medians"]
    elsewhere = [{**m, "endpoint": "pfs"} for m in turned]
    assert codes(held, *elsewhere, arm=arms()) == []


def test_a_ratio_without_interval_is_held_by_its_p_value() -> None:
    """0.797 with p = 0.072 has a standard error of 0.126; medians of 169 and 166 stay within its limits."""
    held = number(
        quantity="hazard-ratio", value=0.797, p_value="0.072", endpoint="os", arm="first", comparator="second"
    )
    assert standard_error(study(held, arm=arms()).number[0]) == pytest.approx(0.126, abs=5e-4)
    assert codes(held, median(16.9, "first"), median(16.6, "second"), arm=arms()) == []
    assert codes(held, median(12.0, "first"), median(16.6, "second"), arm=arms()) == [
        "hazard-ratio-against-medians"
    ]
    held.pop("p_value")
    assert codes(held, median(1.0, "first"), median(16.6, "second"), arm=arms()) == []


def test_the_limit_of_the_medians_is_a_99_percent_one() -> None:
    """Simulated trials, exponential and without censoring: the rule's statistic exceeds its limit in 1 %.

    2,000 trials of 150 against 150 at hazard ratio 0.7, seed fixed; 1 % has a standard error of 0.22 points.
    """
    rng = np.random.default_rng(20260101)
    first = rng.exponential(1 / 0.7, (2000, 150))
    second = rng.exponential(1.0, (2000, 150))
    log_ratio = np.log(second.mean(axis=1) / first.mean(axis=1))
    log_medians = np.log(np.median(second, axis=1) / np.median(first, axis=1))
    error = np.sqrt(2 / 150 * MEDIAN_EXTRA_VARIANCE)
    exceeded = float(np.mean(np.abs(log_medians - log_ratio) > MEDIANS_Z * error))
    assert 0.004 < exceeded < 0.018


def test_a_percentage_of_patients_who_may_be_fewer_is_a_warning() -> None:
    """8.3 % is no count of 20; an error where n is the number's own, else a warning."""
    percent = {"quantity": "proportion", "value": 8.3, "unit": "%"}
    own, whole = (check_study(study(number(n=n, **percent), n=20)) for n in (19, 20))
    assert [(f.code, f.severity) for f in own] == [("percentage-no-count", Severity.ERROR)]
    assert [(f.code, f.severity) for f in whole] == [("percentage-no-count", Severity.WARNING)]
    (count,) = check_study(study(number(n=20, events=2, **{**percent, "value": 15.0})))
    assert (count.code, count.severity) == ("percentage-against-count", Severity.WARNING)


def test_no_honest_interval_of_a_hazard_ratio_is_too_narrow_or_too_wide() -> None:
    """Events split from 1 : 9 to 9 : 1: √(1/d₁ + 1/d₀) stays inside the two limits."""
    for share in np.linspace(0.1, 0.9, 17):
        least = np.sqrt(1 / (200 * share) + 1 / (200 * (1 - share)))
        assert least >= NARROWEST_SHARE * 2 / np.sqrt(200)
        assert least <= WIDEST_SHARE * 2 / np.sqrt(200)


@pytest.mark.parametrize("share", [0.5, 0.6])
def test_an_interval_is_measured_with_the_arms_sizes(share: float) -> None:
    """A Wald interval from the events of arms in the trial's own ratio raises nothing."""
    events = 150
    error = np.sqrt(1 / (events * share) + 1 / (events * (1 - share)))
    low, high = (round(exp(log(0.7) + z * error), 2) for z in (-1.96, 1.96))
    held = ratio(value=0.7, low=low, high=high, events=events, arm="first", comparator="second", decimals=2)
    sizes = {"first": {"n": round(200 * share)}, "second": {"n": round(200 * (1 - share))}}
    assert codes(held, arm=arms(**sizes)) == []


def test_hanley_and_mcneil_at_the_seed_study() -> None:
    """facts of Noda's area: SE 0.0312 at 20 : 6 and 0.0354 at 13 : 13 (computed in R); at least 0.0312."""
    assert hanley_mcneil_se(0.97, 20, 6) == pytest.approx(0.031204435512, rel=1e-9)
    assert hanley_mcneil_se(0.97, 13, 13) == pytest.approx(0.035352158236, rel=1e-9)
    assert narrowest_se(0.97, 26) == pytest.approx(0.0312, abs=1e-4)
    assert narrowest_se(0.97, 26, 13) == hanley_mcneil_se(0.97, 13, 13)
    for cases, controls, area in ((0, 26, 0.9), (13, 13, 1.2)):
        with pytest.raises(ValueError, match="not possible"):
            hanley_mcneil_se(area, cases, controls)


def test_the_numbers_of_a_drug_are_checked_too() -> None:
    """Sorafenib raises nothing; a bound share of 1.2 does."""
    drug = load_drug("sorafenib")
    assert list(check_drug(drug)) == []
    bound = drug.sourced("protein-binding").model_copy(update={"value": 1.2})
    faulty = drug.model_copy(update={"number": (*drug.number, bound)})
    assert [f.code for f in check_drug(faulty)] == ["size-impossible"]


def test_how_numbers_were_printed() -> None:
    assert [decimals_of(v) for v in (3.0, 0.69, 1e-4, 120.0, 12.5)] == [0, 2, 4, 0, 1]
    assert percent_limits("<1") == (0.0, 1.0)
    assert percent_limits(10.7) == pytest.approx((10.65, 10.75))
    assert p_limits("<0.05") == (0.0, 0.05)
    assert p_limits("0.014") == pytest.approx((0.0135, 0.0145))
    assert p_limits("0.40") == pytest.approx((0.395, 0.405))
    assert count_exists(0.2745, 0.2755, 40)
    assert not count_exists(0.276, 0.277, 40)


def test_a_finding_says_what_where_and_how_much() -> None:
    """Rule, severity, file, line of the number, message with the limit."""
    text = 'kind = "study"\n\n[[number]]\nid = "it"\n'
    held = study(number(quantity="auc", value=0.97, low=0.97, high=1.0, n=26, **CI))
    found = check_study(held, text=text)
    assert [f.code for f in found] == ["interval-ends-at-estimate", "area-interval-too-narrow"]
    assert {(f.severity, f.file, f.row) for f in found} == {(Severity.ERROR, "sample-2020.toml", 4)}
    assert "0.061 or more (Hanley–McNeil)" in found.items[1].message
    assert found.items[1].message.endswith("[area-interval-too-narrow]")


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda r: r.id)
def test_a_rule_says_its_limit_and_why(rule: Any) -> None:
    assert rule.title
    assert rule.limit
    assert rule.reason
    assert rule.severity in (Severity.ERROR, Severity.WARNING)


def test_a_faultless_study_raises_nothing() -> None:
    assert codes(ratio(n=600, events=321), *MEDIANS, arm=arms()) == []
