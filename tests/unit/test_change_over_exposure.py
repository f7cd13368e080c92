"""The change of a marker over a measured exposure, and over one that a population model predicts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from benchmarks import modelled
from benchmarks.change_cohorts import CHANGE_QUESTION, change_cohort, change_records
from benchmarks.cohorts import COVARIATES, judge
from scipy import stats

from troughline.biomarker.censored import Censored, Pairs, exactly
from troughline.biomarker.exposure_slope import change_by_exposure
from troughline.response.study import answer
from troughline.results import QuestionResult

LEVEL = {"analyte": "sorafenib", "metric": "trough", "unit": "ug/mL"}


def simulated(n: int = 30, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, patient = rng.normal(size=n), rng.normal(size=n)
    return x, patient + 0.5 * rng.normal(size=n), patient + 0.4 * x + 0.5 * rng.normal(size=n)


def test_without_limits_the_slope_is_the_regression_of_the_changes() -> None:
    """scipy.stats.linregress: slope, p and t interval; to 1e-4 (a search for the ends)."""
    x, before, after = simulated()
    found = change_by_exposure(Pairs(before=exactly(before), after=exactly(after)), x)
    line = stats.linregress(x, after - before)
    half = stats.t.isf(0.025, 28) * line.stderr
    assert found.value == pytest.approx(line.slope, abs=1e-4)
    assert found.p_value == pytest.approx(line.pvalue, rel=1e-3)
    assert (found.low, found.high) == pytest.approx((line.slope - half, line.slope + half), abs=2e-3)


def test_with_a_third_below_the_limit_the_slope_is_kept_and_half_the_limit_flattens_it() -> None:
    """800 patients, true slope 0.4, half of the levels below the limit."""
    x, before, after = simulated(800, 2)
    limit = float(np.median(before))

    def seen(y: np.ndarray) -> Censored:
        return Censored(np.where(y < limit, -np.inf, y), np.where(y < limit, limit, y))

    found = change_by_exposure(Pairs(before=seen(before), after=seen(after)), x)
    assert found.low < 0.4 < found.high
    assert found.value == pytest.approx(0.4, abs=0.08)
    half = [np.where(y < limit, limit - math.log(2), y) for y in (before, after)]
    assert stats.linregress(x, half[1] - half[0]).slope < 0.33


@pytest.mark.parametrize(
    ("n", "x", "says"),
    [(3, [1.0, 2.0, 3.0], "a slope needs four"), (5, [1.0] * 5, "the same exposure")],
)
def test_what_has_no_slope_says_so(n: int, x: list[float], says: str) -> None:
    y = np.arange(float(n))
    with pytest.raises(ValueError, match=says):
        change_by_exposure(Pairs(before=exactly(y), after=exactly(y * y)), np.array(x))


def with_levels() -> QuestionResult:
    """The ratio of the marker is a third of the level of the drug, with an error of 10 %."""
    rng = np.random.default_rng(5)
    rows = change_records((20, 20), rng)
    for name in rows.patients:
        own = {r["occasion"]: r["value"] for r in rows.measurements if r["patient"] == name}
        rows.dose(name, 0.0, 400.0)
        rows.level(name, 14.0, 3.0 * own["week 4"] / own["before"] * math.exp(0.1 * rng.normal()))
    return judge(change_cohort(rows, predictor=LEVEL))[0]


def test_a_measured_exposure_has_trend_size_and_what_a_paper_prints() -> None:
    """The ratio goes with the level to the power 1: a doubling of the level doubles it."""
    result = with_levels()
    trend = next(e for e in result.estimates if e.name == "exposure_trend")
    assert trend.n == 40
    assert trend.p_value is not None
    assert trend.p_value < 0.01
    slope = next(e for e in result.estimates if e.name == "exposure_slope")
    assert slope.low is not None
    assert slope.high is not None
    assert slope.low < 2.0 < slope.high
    assert slope.value == pytest.approx(2.0, abs=0.15)
    printed = next(e for e in result.estimates if e.name == "exposure_correlation")
    assert printed.method.startswith("as-published: Spearman")
    assert printed.value is not None
    assert printed.value > 0.8


def test_guards_about_samples_speak_of_the_exposure_of_a_change_too() -> None:
    """Levels 2 h after the dose are no troughs, and one after the later level of the pair comes too late."""
    rng = np.random.default_rng(5)
    rows = change_records((20, 20), rng)
    for k, name in enumerate(rows.patients):
        rows.dose(name, 0.0, 400.0)
        rows.level(name, 40.0 if k == 0 else 14.0, float(rng.uniform(2, 6)), hours=2.0 if 0 < k < 5 else 12.0)
    found = {g.id: g for g in judge(change_cohort(rows, predictor=LEVEL))[0].guards}
    assert "not-a-trough" in found
    assert "1 sample in 1 patient were drawn after the later level of the pair" in (
        found["exposure-after-change"].finding
    )


def test_an_exposure_that_a_model_predicts_is_held_against_the_change() -> None:
    """Levels 1 to 11 h after the dose; the marker's log ratio is the log of the true trough, error 0.2: per
    doubling of the predicted trough the ratio doubles. As published, the levels stand as measured."""
    rng = np.random.default_rng(3)
    truth = modelled.draw_truth(30, rng)
    rows = modelled.sampled_records(truth, rng, sd=modelled.RESIDUAL_SD[modelled.PRECISE])
    ratios: list[float] = []
    levels = [float(r["value"]) for r in rows.measurements]
    for name, trough in zip(rows.patients, truth.trough, strict=True):
        first = float(np.exp(rng.normal()))
        ratios.append(float(trough / np.median(truth.trough) * math.exp(0.2 * rng.normal())))
        for day, value, when in ((0.0, first, "before"), (28.0, first * ratios[-1], "week 4")):
            rows.level(name, day, value, unit="pg/mL", assay="ELISA", analyte="sTNF-alpha", occasion=when)
    asked = {k: v for k, v in CHANGE_QUESTION.items() if k != "group"}
    asked["predictor"] = modelled.predictor(modelled.PRECISE)
    cohort = rows.cohort([asked], covariates=COVARIATES)
    result, case = judge(cohort)
    assert case.predictor.model is not None
    printed = next(e for e in result.estimates if e.name == "exposure_correlation")
    assert printed.value == pytest.approx(stats.spearmanr(ratios, levels).statistic)
    assert "level as measured" in printed.method
    slope = next(e for e in result.estimates if e.name == "exposure_slope")
    assert "predicted" in slope.method
    assert slope.low is not None
    assert slope.high is not None
    assert slope.low < 2.0 < slope.high
    assert any("one-compartment-precise" in m for m in answer(cohort).questions[0].methods)


def late_and_early() -> tuple[QuestionResult, list[str]]:
    """One marker sampled again on day 28, another on day 10; the drug's level on day 20 goes with both.

    The log ratio of either marker is that of the level, error 0.1; half of the patients have a first level of
    the drug on day 9 as well, which has nothing to do with any change.
    """
    rng = np.random.default_rng(8)
    rows = change_records((20, 20), rng)
    for k, name in enumerate(rows.patients):
        rows.dose(name, 0.0, 400.0)
        own = {r["occasion"]: r["value"] for r in rows.measurements if r["patient"] == name}
        ratio = own["week 4"] / own["before"]
        rows.level(name, 20.0, 3.0 * ratio * math.exp(0.1 * rng.normal()))
        for day, value, when in ((0.0, 5.0, "before"), (10.0, 5.0 * ratio, "week 4")):
            rows.level(
                name, day, value, unit="pg/mL", assay="ELISA", analyte="sFas", occasion=when, batch="plate 1"
            )
        if k % 2:
            rows.level(name, 9.0, float(rng.uniform(2, 6)))
    markers = [{"analyte": a, "unit": "pg/mL"} for a in ("sTNF-alpha", "sFas")]
    cohort = change_cohort(rows, markers=markers, predictor=LEVEL)
    _, case = judge(cohort)
    assert case.change is not None
    return answer(cohort).question("change"), [b.exposure_left_out for b in case.change.between]


def test_each_marker_has_the_exposure_of_samples_up_to_its_own_later_level() -> None:
    """The level of day 20 comes before one marker's later level and after the other's."""
    result, left_out = late_and_early()
    trends = {e.label: e for e in result.estimates if e.name == "exposure_trend"}
    assert trends["sTNF-alpha"].n == 40
    assert trends["sFas"].n == 20
    assert left_out == ["", "20 drawn after the later level of the pair"]
    assert "20 drawn after the later level of the pair" in trends["sFas"].note
    p = trends["sTNF-alpha"].p_value
    assert p is not None
    assert p < 0.05


def test_no_sample_before_the_later_level_is_said_and_the_marker_answered() -> None:
    rng = np.random.default_rng(8)
    rows = change_records((20, 20), rng)
    for name in rows.patients:
        rows.dose(name, 0.0, 400.0)
        rows.level(name, 40.0, float(rng.uniform(2, 6)))
    result = answer(change_cohort(rows, predictor=LEVEL)).question("change")
    assert not any(e.name in ("exposure_trend", "exposure_slope") for e in result.estimates)
    assert "No exposure up to the later level: sTNF-alpha." in result.summary
    said = result.tables["between-groups"][0]["not computed"]
    assert "none of 40 patients has one (40 drawn after the later level of the pair)" in said
    assert any(e.name == "change_ratio" for e in result.estimates)
