"""Policies over virtual patients: the same for any number of threads, paired, exact, and calibrated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.unit.policy_sample import TOXICITY, setup
from troughline.dosing.policy.compare import mean_interval, paired_difference, share
from troughline.dosing.policy.informed import POINTS, forecast, probabilities
from troughline.dosing.policy.outcomes import outcomes_of, toxic_until
from troughline.dosing.policy.population import covariate_matrix
from troughline.dosing.policy.published import quantity_of, virtual_studies
from troughline.dosing.policy.result import evaluate
from troughline.dosing.policy.setup import TWIN, with_patients
from troughline.dosing.policy.simulate import Simulated, course_of, simulate
from troughline.issues import InputError
from troughline.model.build import DoseEvent, PatientRecord, Sample, records_from

FOUR = [{"id": k, "kind": k} for k in ("fixed", "label", "threshold", "model")]
WORLD: dict[str, Any] = {
    "policy": FOUR, "toxicity": TOXICITY, "adherence": {"missed": 0.1, "spread": 0.05},
}  # fmt: skip


@pytest.fixture(scope="module")
def four() -> Simulated:
    """Four policies over 12 patients, one thread."""
    return simulate(setup(**WORLD), threads=1)


def test_threads_and_number_of_patients_change_nothing(four: Simulated) -> None:
    """Bit for bit: two threads, and the first 12 of 300 patients."""
    other = simulate(setup(**WORLD), threads=2)
    more = simulate(with_patients(setup(**{**WORLD, "policy": FOUR[:3]}), 300), threads=2)
    for course in four.courses:
        assert np.array_equal(course.morning, course_of(other, course.policy.id).morning)
        if course.policy.kind != "model":
            assert np.array_equal(course.morning, course_of(more, course.policy.id).morning[:12])
            assert np.array_equal(course.event_day, course_of(more, course.policy.id).event_day[:12])


def test_a_policy_does_not_depend_on_the_others(four: Simulated) -> None:
    """Common random numbers: alone or beside others, a policy does the same to the same patients."""
    alone = simulate(setup(**{**WORLD, "policy": [FOUR[3]]}), threads=1)
    assert np.array_equal(alone.courses[0].morning, course_of(four, "model").morning)
    assert np.array_equal(alone.courses[0].measured, course_of(four, "model").measured)


def test_policies_are_one_until_they_decide(four: Simulated) -> None:
    """Until the first visit's decision takes effect all levels are the same, but for the reductions."""
    calm = np.flatnonzero(~toxic_until(course_of(four, "fixed"), 15))
    assert len(calm) >= 3
    for course in four.courses:
        assert np.array_equal(course.morning[calm, :16], course_of(four, "fixed").morning[calm, :16])


def test_the_levels_are_those_of_the_engine(four: Simulated) -> None:
    """Each dose handed over by hand, one patient at a time, gives the levels of the course (1e-9)."""
    course, patients = course_of(four, "label"), four.patients
    spec = four.setup.truth.spec
    taken = np.where(patients.missed, 0.0, course.amounts)
    ends = np.array(four.setup.file.visits.days)
    for k in (0, 5):
        doses = [
            DoseEvent(
                time_h=12.0 * s, amount_mg=float(taken[k, s]), occasion=int(np.searchsorted(ends, s // 2))
            )
            for s in np.flatnonzero(taken[k]).tolist()
        ]
        samples = [Sample(time_h=24.0 * d, occasion=int(np.searchsorted(ends + 1, d))) for d in range(1, 85)]
        covariates: dict[str, Any] = {
            "weight": float(patients.covariates["weight"][k]),
            "child_pugh_class": str(patients.covariates["child_pugh_class"][k]),
        }
        one = PatientRecord(patient="one", doses=doses, samples=samples, covariates=covariates)
        effects = np.r_[patients.subject[k], patients.occasion[k].ravel()][None, :]
        records = records_from([one], spec)
        q = len(spec.subject_effects) + (int(records.occasion.max()) + 1) * len(spec.occasion_effects)
        made = four.setup.truth.model.predict(records, effects=effects[:, :q])
        assert made.value[records.observed] == pytest.approx(course.morning[k, 1:], rel=1e-9)


def test_days_add_up_and_counts_agree(four: Simulated) -> None:
    """Below, inside and above are all days; samples are counted only where a policy asks for them."""
    for course in four.courses:
        found = outcomes_of(course)
        assert found.inside + found.below + found.above == pytest.approx(np.ones(12))
        assert (found.samples > 0).any() == course.policy.samples
        assert np.array_equal(found.toxic > 0, (course.event_day >= 0).any(axis=1))
        held = course.day_regimen < 0
        slots = np.repeat(held, 2, axis=1)
        assert course.amounts[slots].sum() == 0
        assert (found.changes == 0).all() == (course.policy.kind == "fixed")
        caps = np.where(np.isfinite(course.cap_mg), course.cap_mg, 800.0)
        assert (course.daily[course.current] <= caps + 1e-9).all()


def test_without_toxicity_label_is_fixed() -> None:
    """Nothing reduces, so both give the same levels."""
    made = simulate(setup(), threads=1)
    assert np.array_equal(made.courses[0].morning, made.courses[1].morning)
    assert made.courses[0].n_events.sum() == 0


def test_toxicity_follows_its_hazard() -> None:
    """At constant hazard (no link, no frailty) 1 − exp(−rate · days) have an event: 400 patients, 4 SE."""
    toxicity = {**TOXICITY, "times_per_doubling": 1.0, "frailty_cv": 0.0, "events_per_28_days": 0.2}
    made = simulate(with_patients(setup(toxicity=toxicity), 400))
    rate = 1 - np.exp(-0.2 * 84 / 28)
    seen = toxic_until(made.courses[0], 84).mean()
    assert seen == pytest.approx(rate, abs=4 * (rate * (1 - rate) / 400) ** 0.5)


def test_more_toxicity_than_was_drawn_is_refused() -> None:
    """A hazard of thousands a month is a mistake, said in one line."""
    toxicity = {**TOXICITY, "events_per_28_days": 1e6, "hold_days": 1}
    with pytest.raises(InputError, match="the hazard is too high"):
        simulate(setup(toxicity=toxicity, visits={"days": [14], "horizon_day": 200}), threads=1)


def test_a_fall_beside_the_model_falls() -> None:
    """A model proportional to the dose, exposure down to 60 %: late levels are 0.6 of those without (1 %)."""
    common: dict[str, Any] = {
        "evaluation": {"title": "x", "drug": "sorafenib"},
        "population": {"n": 4, "seed": 1, "covariate": []},
        "truth": {"model": "sorafenib/jain-2011"},
        "policy": [{"id": "fixed", "kind": "fixed"}],
    }
    falling = {"fraction": 0.4, "half_time_days": 2, "source": "assumed"}
    flat = simulate(setup(**common), threads=1).courses[0].morning
    common["truth"] = {**common["truth"], "falling": falling}
    fell = simulate(setup(**common), threads=1).courses[0].morning
    assert fell[:, 84] / flat[:, 84] == pytest.approx(np.full(4, 0.6), rel=0.01)


def test_the_forecast_is_what_then_happens() -> None:
    """With every effect known, the forecast at day 56 is the level that constant dosing reaches (3 %)."""
    made = setup(
        truth={"model": "sorafenib/hcc", "between_occasions": 0}, policy=[{"id": "fixed", "kind": "fixed"}],
        visits={"days": [28], "horizon_day": 56},
    )  # fmt: skip
    course = simulate(made, threads=1).courses[0]
    patients = course.patients
    points = np.repeat(patients.subject[:, None, :], POINTS, axis=1)
    covariates = covariate_matrix(patients, made.truth, made)
    values = forecast(made.truth, covariates, points, made.regimens, 56, metric="trough")
    twice = [r.id for r in made.regimens].index("400-bid")
    assert values[:, twice, 0] == pytest.approx(course.morning[:, 56], rel=0.03)


def test_a_forecast_of_a_cycle_is_the_run_of_its_doses() -> None:
    """400 and 200 mg in turn, started from a steady state, against 60 days of every dose (0.5 %)."""
    made = setup(
        truth={"model": "sorafenib/hcc", "between_occasions": 0, "parameters": {"fall": {"value": 0}}},
        treatment={"start": "400-200", "regimens": ["400-200", "200-400-alternating"]},
        policy=[{"id": "fixed", "kind": "fixed"}], visits={"days": [28], "horizon_day": 60},
    )  # fmt: skip
    course = simulate(made, threads=1).courses[0]
    points = np.repeat(course.patients.subject[:, None, :], POINTS, axis=1)
    covariates = covariate_matrix(course.patients, made.truth, made)
    values = forecast(made.truth, covariates, points, made.regimens, 60, metric="trough")
    place = [r.id for r in made.regimens].index("400-200")
    assert values[:, place, 0] == pytest.approx(course.morning[:, 60], rel=0.005)


def test_p_in_is_that_of_the_bulk_decision() -> None:
    """P(in) of the fast decision agrees with `dosing.many` for the same patients, doses and samples
    (0.05).
    """
    from troughline.dosing.limits import Limits
    from troughline.dosing.many import dose_many
    from troughline.dosing.patient import CovariateValue, DosePatient, GivenDose, Level
    from troughline.dosing.policy.informed import _estimates, subject_points  # pyright: ignore[reportPrivateUsage]

    made = setup(policy=[{"id": "model", "kind": "model"}], visits={"days": [28], "horizon_day": 56})
    simulated = simulate(made, threads=1)
    course, patients = simulated.courses[0], simulated.patients
    prescribed = np.zeros_like(course.amounts)
    prescribed[:, :57] = 400.0
    course.amounts[:] = prescribed
    rows = np.arange(12)
    covariates = covariate_matrix(patients, made.truth, made)
    found = _estimates(course, made.truth, covariates, rows, 0, 1)
    points, known = subject_points(found, made.truth)
    assert known.all()
    values = forecast(made.truth, covariates, points, made.regimens, 56, metric="trough")
    fast = probabilities(values, made.low_mg_per_l, made.high_mg_per_l)[1]
    asked = [
        DosePatient(
            id=name, title="", drug="sorafenib", simulated=True, now_h=672.0, regimen=made.start,
            doses=tuple(GivenDose(time_h=12.0 * s, amount_mg=400.0, interval_h=12.0) for s in range(56)),
            levels=(
                Level(
                    number=1, time_h=672.0, value=float(course.measured[k, 0]), limit=0.05, written=None,
                    unit="mg/L", method="", occasion=None, use=True,
                ),
            ),
            covariates=(
                CovariateValue(
                    name="weight", value=float(patients.covariates["weight"][k]), unit="kg", time_h=0.0
                ),
                CovariateValue(
                    name="child_pugh_class", value=str(patients.covariates["child_pugh_class"][k]), unit=None,
                    time_h=0.0,
                ),
            ),
        )
        for k, name in enumerate(patients.names)
    ]  # fmt: skip
    limits = Limits(metric="trough", low=made.low_mg_per_l, high=made.high_mg_per_l)
    many = dose_many(made.truth.model, asked, made.regimens, limits, horizon_days=28, draws=2000)
    assert (many.status == 0).all(), many.reasons
    # A cycle's trough is that of its mornings here, and the mean of all its troughs there.
    single = [k for k, r in enumerate(made.regimens) if len(r.amounts_mg) == 1]
    assert fast[:, single] == pytest.approx(many.p_in[:, single], abs=0.05)


def test_published_shares_are_those_of_the_course(four: Simulated) -> None:
    """The quantity for a published value is the plain share of the patients; virtual studies centre on it."""
    course = course_of(four, "label")
    quantity = quantity_of(course, "severe toxicity by day", 84)
    mean = float(outcomes_of(course).toxic.mean())
    assert quantity.statistic(quantity.values[quantity.counts]) == pytest.approx(mean)
    studies, _ = virtual_studies(quantity, 50, 1, "test")
    assert studies.mean() == pytest.approx(mean, abs=4 * (mean * (1 - mean) / 50 / 2000) ** 0.5)


def test_intervals_are_the_textbooks() -> None:
    """Mean ± z·SD/√n; Wilson for 3 of 20 (0.0524 to 0.3604, Newcombe 1998, doi
    10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E).
    """
    one = mean_interval(np.array([1.0, 2.0, 3.0, 4.0]), 0.95)
    assert (one.low, one.high) == pytest.approx(
        (2.5 - 1.959964 * 1.290994 / 2, 2.5 + 1.959964 * 1.290994 / 2)
    )
    wilson = share(3, 20, 0.95)
    assert (wilson.low, wilson.high) == pytest.approx((0.0524, 0.3604), abs=1e-4)
    assert share(0, 20, 0.95).low == 0.0


def test_a_paired_difference_has_no_spread_between_patients(four: Simulated) -> None:
    """A policy less itself is exactly 0, without width."""
    found = outcomes_of(course_of(four, "model"))
    d = paired_difference("inside", found, found, 0.95)
    assert (d.value, d.low, d.high) == (0.0, 0.0, 0.0)


def test_the_twin_of_a_wrong_model_is_the_matched_policy() -> None:
    """Regret is taken against what the same policy does in the matched world: bit for bit that."""
    policy = [{"id": "m", "kind": "model"}]
    wrong = {"model": "sorafenib/hcc", "parameters": {"CL_pop": {"times": 2}}}
    mixed = simulate(setup(policy=policy, assumed=wrong), threads=1)
    plain = simulate(setup(policy=policy), threads=1)
    assert np.array_equal(course_of(mixed, f"m{TWIN}").morning, plain.courses[0].morning)
    assert not np.array_equal(course_of(mixed, "m").morning, plain.courses[0].morning)


def test_the_result_is_plain_and_the_same_twice() -> None:
    """JSON without NaN, the same but for the moment it was made."""
    import json

    setups = [setup(**{**WORLD, "policy": FOUR[:3]}) for _ in range(2)]
    first, second = (evaluate(s, threads=t).contents for s, t in zip(setups, (1, 2), strict=True))
    for one in (first, second):
        one["provenance"].pop("created")
    assert json.dumps(first, allow_nan=False) == json.dumps(second, allow_nan=False)
    assert {p["id"] for p in first["policies"]} == {"fixed", "label", "threshold"}
    assert "12 virtual patients" in first["sentence"]


def test_the_dose_policy_decides_as_dose_does() -> None:
    """Of 12 patients with one level, 10 or more are given what `troughline dose` names or leaves in force.

    The posterior there is drawn and not first-order, with 1,000 draws instead of 32 points, so that a few who
    are near a limit of the rules may differ; P(in) of every regimen agrees within 0.06.
    """
    from tests.unit.dose_sample import sample_patient
    from troughline.dosing.dose import dose
    from troughline.dosing.limits import position
    from troughline.dosing.policy import informed

    made = setup(
        policy=[{"id": "dose", "kind": "model", "criterion": "dose"}],
        visits={"days": [28], "horizon_day": 56},
    )  # fmt: skip
    course = simulate(made, threads=1).courses[0]
    patients, rows = course.patients, np.arange(12)
    covariates = covariate_matrix(patients, course.world, made)
    before = np.zeros_like(course.amounts)
    before[:, :57] = 400.0
    taken = [course.regimens[c].id for c in course.current]
    course.amounts[:] = before
    found = informed._estimates(course, course.world, covariates, rows, 0, 1)  # pyright: ignore[reportPrivateUsage]
    points, _ = informed.subject_points(found, course.world)
    values = forecast(course.world, covariates, points, made.regimens, 56, metric="trough")
    p_in = position(values, made.limits).inside.mean(axis=2)
    same = 0
    for k, name in enumerate(patients.names):
        answer = dose(
            sample_patient(
                patient={"id": name, "now": 28.0, "simulated": True},
                covariate=[
                    {"name": "weight", "value": float(patients.covariates["weight"][k]), "unit": "kg"},
                    {"name": "child_pugh_class", "value": str(patients.covariates["child_pugh_class"][k])},
                ],
                sample=[
                    {"time": 28.0, "value": float(course.measured[k, 0]), "unit": "ug/mL", "limit": 0.05}
                ],
                target={"published": "noda-2020/window"},
                options={"regimens": [r.id for r in made.regimens], "next_sample": False},
            )
        )
        single = {r.id: j for j, r in enumerate(made.regimens) if len(r.amounts_mg) == 1}
        theirs = {r.regimen.id: r.p_in for r in answer.regimens}
        assert [p_in[k, j] for j in single.values()] == pytest.approx([theirs[i] for i in single], abs=0.06)
        said = answer.recommendation
        same += taken[k] in ({said.regimen} if said.regimen is not None else set(said.among))
    assert same >= 10
