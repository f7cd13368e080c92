"""Guards about inference: few events, many tests, liver function, hazards, direction, the sampler."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from benchmarks.cohorts import (
    BENEFIT,
    COVARIATES,
    clean_cohort,
    cohort_with_trap,
    draw_truth,
    judge,
    question,
    records,
)

from troughline.cohort.cohort import Cohort
from troughline.response.guards.inference import holm
from troughline.response.study import answer
from troughline.results import GuardFinding, GuardSeverity


def finding(cohort: Cohort, guard_id: str) -> GuardFinding | None:
    result, _ = judge(cohort)
    return next((g for g in result.guards if g.id == guard_id), None)


def with_events(n: int, events: int, **changes: object) -> Cohort:
    rng = np.random.default_rng(2)
    truth = draw_truth(n, rng)
    truth.toxicity = np.isin(np.arange(n), rng.permutation(n)[:events])
    return records(truth, rng).cohort([question("threshold", **changes)], covariates=COVARIATES)


@pytest.mark.parametrize(("events", "noun"), [(19, "19 events"), (55, "19 non-events")])
def test_too_few_events_fires_below_ten_a_parameter(events: int, noun: str) -> None:
    """74 patients, two parameters (level and ALBI): twenty of each class are needed."""
    found = finding(with_events(74, events), "too-few-events")
    assert found is not None
    assert found.finding.startswith(f"{noun} for 2 parameters.")


def test_too_few_events_fires_for_separation_at_any_number_of_events() -> None:
    rng = np.random.default_rng(3)
    truth = draw_truth(74, rng)
    truth.toxicity = truth.exposure > np.median(truth.exposure)
    found = finding(
        records(truth, rng).cohort([question("threshold")], covariates=COVARIATES), "too-few-events"
    )
    assert found is not None
    assert "separates the outcome completely" in found.finding


@pytest.mark.parametrize(("events", "changes"), [(20, {}), (54, {}), (10, {"adjust": []})])
def test_too_few_events_is_silent_from_ten_a_parameter_on(events: int, changes: dict[str, object]) -> None:
    assert finding(with_events(74, events, **changes), "too-few-events") is None


def test_multiplicity_fires_with_the_number_of_tests_and_the_corrected_p() -> None:
    cohort = cohort_with_trap("multiplicity", 74, np.random.default_rng(1))
    study = answer(cohort)
    names = {"threshold": "mann_whitney", "benefit": "mann_whitney", "bands": "log_rank"}
    p = {
        q: study.question(q).estimate(name, method="as-published").p_value or 0.0 for q, name in names.items()
    }
    corrected = holm(p)
    for question_id in names:
        found = next(g for g in study.question(question_id).guards if g.id == "multiplicity")
        assert found.finding.startswith("This study has 3 questions with a test each")
        lost = p[question_id] < 0.05 <= corrected[question_id]
        assert found.severity is (GuardSeverity.CAUTION if lost else GuardSeverity.NOTE)


def test_multiplicity_fires_with_caution_where_significance_is_lost() -> None:
    _, case = judge(cohort_with_trap("multiplicity", 74, np.random.default_rng(1)))
    from troughline.response.guards import check

    case.tests = {"threshold": 0.02, "b": 0.3, "c": 0.6}
    (found,) = check(case, late=True)
    assert found.severity is GuardSeverity.CAUTION
    assert found.effect == "p = 0.02 alone, p = 0.06 corrected for all of them."


def test_multiplicity_is_silent_for_two_tests() -> None:
    rng = np.random.default_rng(1)
    two = [question("threshold"), question("threshold", id="benefit", outcome=BENEFIT)]
    study = answer(records(draw_truth(74, rng), rng).cohort(two, covariates=COVARIATES))
    assert all(g.id != "multiplicity" for q in study.questions for g in q.guards)


def test_holm_keeps_the_chance_of_any_false_finding_at_one_in_twenty_and_uncorrected_tests_do_not() -> None:
    """Five independent null tests: 1 − .95⁵ = 22.6 % uncorrected. 4,000 studies: errors .7 and .35 points."""
    rng = np.random.default_rng(7)
    n, naive, corrected = 4000, 0, 0
    for _ in range(n):
        p = dict(zip("abcde", rng.random(5).tolist(), strict=True))
        naive += min(p.values()) < 0.05
        corrected += min(holm(p).values()) < 0.05
    assert naive / n == pytest.approx(1 - 0.95**5, abs=0.02)
    assert corrected / n <= 0.06


def test_holm_steps_down() -> None:
    """Worked by hand: 3 × .01, 2 × .02 (not below .03), 1 × .3; and never above 1 nor falling."""
    assert holm({"a": 0.02, "b": 0.01, "c": 0.3}) == pytest.approx({"b": 0.03, "a": 0.04, "c": 0.3})
    assert holm({"a": 0.5, "b": 0.6}) == pytest.approx({"a": 1.0, "b": 1.0})
    assert holm({"a": 0.01, "b": 0.011}) == pytest.approx({"a": 0.02, "b": 0.02})


def test_liver_function_confounding_fires_and_names_what_is_recorded() -> None:
    found = finding(
        cohort_with_trap("liver-function-confounding", 74, np.random.default_rng(1)),
        "liver-function-confounding",
    )
    assert found is not None
    assert found.finding == "Liver function is recorded (ALBI score) and not adjusted for."
    assert found.effect.startswith("Odds ratio per doubling ")


def test_liver_function_confounding_fires_where_liver_function_was_never_recorded() -> None:
    rng = np.random.default_rng(1)
    rows = records(draw_truth(74, rng), rng)
    for row in rows.patients.values():
        row.clear()
    found = finding(rows.cohort([question("threshold", adjust=[])]), "liver-function-confounding")
    assert found is not None
    assert "is not recorded: it cannot be adjusted for" in found.finding


@pytest.mark.parametrize("kind", ["threshold", "curve", "survival"])
def test_liver_function_confounding_is_silent_where_it_is_adjusted_for(kind: str) -> None:
    found = finding(clean_cohort(74, np.random.default_rng(1), kind), "liver-function-confounding")
    assert found is None


def test_liver_function_confounding_is_silent_for_what_is_no_drug_level() -> None:
    rng = np.random.default_rng(1)
    asked = question("threshold", predictor={"covariate": "albi"}, at=[-2.3], adjust=[])
    cohort = records(draw_truth(74, rng), rng).cohort([asked], covariates=COVARIATES)
    assert finding(cohort, "liver-function-confounding") is None


def test_liver_function_makes_an_odds_ratio_out_of_nothing_and_adjusting_removes_it() -> None:
    """Exposure has no effect; ALBI raises exposure (correlation .7) and risk (1.5 log odds per SD).

    One cohort of 1,000: the crude odds ratio per doubling lies far from 1, the adjusted interval holds 1.
    """
    cohort = cohort_with_trap("liver-function-confounding", 1000, np.random.default_rng(1))
    _, case = judge(cohort)
    crude, adjusted = case.measured.odds_ratio_unadjusted, case.measured.odds_ratio_adjusted
    assert crude is not None
    assert adjusted is not None
    assert crude.low is not None
    assert crude.low > 1.8
    assert adjusted.low is not None
    assert adjusted.high is not None
    assert adjusted.low < 1 < adjusted.high
    assert adjusted.high / adjusted.low < 2.2


def test_the_adjusted_odds_ratio_is_one_on_average_over_small_cohorts() -> None:
    """12 cohorts of 74: mean adjusted log odds ratio 0 within 3 errors (.11 each: SD .38 / √12)."""
    adjusted, crude = [], []
    for seed in range(12):
        cohort = cohort_with_trap("liver-function-confounding", 74, np.random.default_rng([31, seed]))
        measured = judge(cohort)[1].measured
        assert measured.odds_ratio_adjusted is not None
        assert measured.odds_ratio_unadjusted is not None
        adjusted.append(np.log(measured.odds_ratio_adjusted.value))
        crude.append(np.log(measured.odds_ratio_unadjusted.value))
    assert np.mean(adjusted) == pytest.approx(0.0, abs=0.35)
    assert np.mean(crude) > 0.6


def test_non_proportional_hazards_fires_where_the_effect_turns_around() -> None:
    result, case = judge(cohort_with_trap("non-proportional-hazards", 74, np.random.default_rng(1)))
    found = next(g for g in result.guards if g.id == "non-proportional-hazards")
    assert case.measured.ph_p is not None
    assert case.measured.ph_p < 0.05
    assert found.finding.startswith("The test of proportional hazards gives p < 0.001")


def test_non_proportional_hazards_is_silent_under_proportional_hazards() -> None:
    result, case = judge(clean_cohort(74, np.random.default_rng(1), "survival"))
    assert case.measured.ph_p is not None
    assert case.measured.ph_p >= 0.05
    assert "non-proportional-hazards" not in {g.id for g in result.guards}


def test_direction_contradicted_fires_for_a_falling_curve_assumed_to_rise() -> None:
    result, case = judge(cohort_with_trap("direction-contradicted", 74, np.random.default_rng(1)))
    found = next(g for g in result.guards if g.id == "direction-contradicted")
    assert max(case.measured.p_slope_negative.values()) > 0.9
    assert "adverse event grade ≥ 3: probability" in found.finding


def test_direction_contradicted_is_silent_for_a_rising_curve_and_where_both_are_allowed() -> None:
    assert finding(clean_cohort(74, np.random.default_rng(1), "curve"), "direction-contradicted") is None
    rng = np.random.default_rng(1)
    truth = draw_truth(74, rng, toxicity_slope=-1.6)
    free = records(truth, rng).cohort([question("curve", monotone=False)], covariates=COVARIATES)
    assert finding(free, "direction-contradicted") is None


def test_poor_posterior_fires_and_refuses_where_the_sampler_does_not_meet_its_demands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No cohort of this size makes the sampler fail, so more effective draws are asked for than there are."""
    import troughline.response.curve as curve

    strict = functools.partial(curve.sample_posterior, least_effective_draws=1e9)
    monkeypatch.setattr(curve, "sample_posterior", strict)
    result, _ = judge(clean_cohort(40, np.random.default_rng(1), "curve"))
    found = next(g for g in result.guards if g.id == "poor-posterior")
    assert found.severity is GuardSeverity.REFUSAL
    assert "effective draws" in found.finding
    assert result.verdict == "refused"


def test_poor_posterior_is_silent_for_a_well_sampled_posterior() -> None:
    assert finding(clean_cohort(74, np.random.default_rng(1), "curve"), "poor-posterior") is None
