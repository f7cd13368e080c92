"""The policy file: every fault is one line that says where, what and which limit."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from tests.unit.policy_sample import SMALL, TOXICITY, faults, setup
from troughline.dosing.policy.population import draw_covariate, draw_patients
from troughline.dosing.policy.schema import CovariateDraw
from troughline.dosing.policy.setup import TWIN, check_policy, with_patients

WEIGHT = SMALL["population"]["covariate"][0]


def _population(**changes: Any) -> dict[str, Any]:
    return {**SMALL["population"], "covariate": [{**WEIGHT, **changes}]}


@pytest.mark.parametrize(
    ("changes", "place", "words"),
    [
        ({"policy": [{"id": "a", "kind": "guess"}]}, "kind", "must be one of: fixed, label"),
        ({"population": {**SMALL["population"], "n": -5}}, "population.n", "must be above 0, not -5"),
        ({"target": None}, "target", "is needed and missing"),
        ({"target": {"published": "noda-2020/windo"}}, "target.published", "did you mean 'window'?"),
        ({"target": {"published": "noda-2020/window", "metric": "cmax"}}, "target.metric", "is about trough"),
        ({"target": {"published": "noda-2020/survival-inside"}}, "target.published", "no target"),
        ({"target": {"low": 3, "high": 2, "unit": "mg/L", "source": "x"}}, "target", "3 is not below"),
        ({"target": {"low": 3, "unit": "kg", "source": "x"}}, "target.unit", "no concentration"),
        ({"truth": {"model": "sorafenib/hc"}}, "truth.model", "is no model"),
        ({"truth": {"model": "lenvatinib/tamai-2017"}}, "truth.model", "a model of lenvatinib"),
        ({"truth": {"model": "sorafenib/hcc", "parameters": {"CL": {"times": 2}}}}, "truth.param", "no "),
        ({"population": _population(low=400, high=500)}, "population.covariate.1", "cannot be drawn"),
        ({"population": _population(high=1000)}, "population.covariate", "within 20 to 250 kg"),
        ({"population": _population(unit="mg")}, "population.covariate", "within 20 to 250 kg"),
        ({"population": _population(unit="m")}, "population.covariate", "takes it in kg"),
        ({"treatment": {"start": "800-bid", "regimens": ["400-bid"]}}, "treatment.start", "is no regimen"),
        ({"visits": {"days": [28, 14], "horizon_day": 84}}, "visits", "must rise"),
        ({"visits": {"days": [14], "horizon_day": 84, "turnaround_days": 80}}, "visits", "reaches the next"),
        ({"evaluation": {"title": "x", "drug": "sorafinib"}}, "drug", "did you mean 'sorafenib'?"),
        ({"policy": [{"id": "a", "kind": "fixed"}, {"id": "a", "kind": "label"}]}, "policy.2.id", "twice"),
        ({"beside": [{"published": "noda-2020/trough-median", "quantity": "median trough", "policy": "x"}]},
         "beside.1.policy", "is no policy here"),
        ({"assumed": {"model": "sorafenib/hcc", "between_subjects": 2}}, "assumed", "are of [truth] alone"),
        ({"truth": {"model": "sorafenib/hcc", "falling": {
            "fraction": 0.4, "half_time_days": 30, "source": "x"}}}, "truth.falling", "not proportional"),
        ({"adherence": {"missed": 0.1, "spread": 0.5}}, "adherence", "it must stay below 0.3"),
        ({"toxicity": {**TOXICITY, "at": 0}}, "toxicity.at", "must be above 0"),
    ],
)  # fmt: skip
def test_a_fault_is_one_line_with_its_place(changes: dict[str, Any], place: str, words: str) -> None:
    """Section and key, what is wrong, and the limit or the nearest name."""
    lines = faults(**changes)
    assert len(lines) == 1, lines
    assert "\n" not in lines[0]
    assert place in lines[0]
    assert words in lines[0]


def test_the_examples_have_no_fault() -> None:
    """Every bundled evaluation can be run."""
    folder = files("troughline") / "examples" / "dose"
    names = (
        "policy",
        "policy-lowest-held",
        "policy-mismatched",
        "in-silico-2021",
        "soramic-2020",
        "guchelaar-2022",
    )
    for name in names:
        made, found = check_policy(str(folder / f"{name}.toml"))
        assert made is not None, [f.line() for f in found.errors]
        assert made.matched == (name != "policy-mismatched")
        assert made.file.population.n >= 1000


def test_a_target_by_hand_is_in_mg_per_l() -> None:
    """3750 ng/mL and more is 3.75 mg/L, open above."""
    made = setup(target={"low": 3750, "unit": "ng/mL", "source": "guchelaar-2022"})
    assert made.low_mg_per_l == pytest.approx(3.75)
    assert made.high_mg_per_l == np.inf


def test_regimens_are_ordered_and_the_label_steps_are_the_drugs() -> None:
    """By daily dose; 400 mg twice daily, 400 mg daily, 400 mg every other day (label, section 2)."""
    made = setup()
    assert [r.daily_dose_mg for r in made.regimens] == [200.0, 400.0, 400.0, 600.0, 800.0]
    assert [r.id for r in made.label_steps] == ["400-bid", "400-qd", "400-qod"]


def test_only_a_mismatched_world_has_twins() -> None:
    """A policy that assumes a wrong model is run again with the true one."""
    policy = [{"id": "m", "kind": "model"}, {"id": "label", "kind": "label"}]
    wrong = {"model": "sorafenib/hcc", "parameters": {"CL_pop": {"times": 1.5}}}
    assert [p.id for p in setup(policy=policy).policies] == ["m", "label"]
    made = setup(policy=policy, assumed=wrong)
    assert [p.id for p in made.policies] == ["m", "label", f"m{TWIN}"]
    assert made.world(made.policies[0]) is made.assumed
    assert made.world(made.policies[2]) is made.truth


def test_a_patient_does_not_depend_on_how_many_there_are() -> None:
    """Draws are keyed by seed and patient: the first of 12 are those of 40."""
    few, many = (
        draw_patients(setup(toxicity=TOXICITY)),
        draw_patients(with_patients(setup(toxicity=TOXICITY), 40)),
    )
    for name in ("subject", "occasion", "missed", "residual", "frailty", "thresholds"):
        assert np.array_equal(getattr(few, name), getattr(many, name)[:12]), name
    assert np.array_equal(few.covariates["weight"], many.covariates["weight"][:12])


def test_covariates_have_the_distribution_asked_for() -> None:
    """Median and CV of a log-normal, shares of levels, limits kept: 2,000 draws, four standard errors."""
    made = draw_patients(with_patients(setup(), 2000))
    weight = np.asarray(made.covariates["weight"], dtype=np.float64)
    assert np.median(weight) == pytest.approx(72, abs=4 * 1.25 * 72 * 0.2 / 2000**0.5)
    assert weight.min() >= 40
    assert weight.max() <= 130
    share = np.mean(made.covariates["child_pugh_class"] == "B")
    assert share == pytest.approx(0.2, abs=4 * (0.16 / 2000) ** 0.5)
    assert made.subject.std(axis=0)[0] ** 2 == pytest.approx(0.213, rel=4 * (2 / 2000) ** 0.5)


def test_a_distribution_that_never_falls_inside_is_refused() -> None:
    """No endless loop: the number of tries is limited."""
    draw = CovariateDraw(
        name="weight", distribution="normal", mean=0, sd=1, low=80, high=81, unit="kg", source="assumed"
    )
    with pytest.raises(ValueError, match="cannot be drawn"):
        draw_covariate(draw, np.random.default_rng(1))
