"""The parts that a dose rests on: limits, curves, uncertain parameters, regimens, rules, steady states."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from tests.unit.dose_sample import sample_patient
from troughline.dosing.belief import believe, working_models
from troughline.dosing.candidates import drug_regimens, feasible_regimens, same_regimen
from troughline.dosing.forecast import days_to_steady, forecasts, next_dose_h, recent_doses
from troughline.dosing.limits import Limits, position
from troughline.dosing.model_choice import choose_models
from troughline.dosing.recommend import Rules, choose
from troughline.dosing.regimen import Regimen
from troughline.dosing.response_curve import ResponseCurve, response_curves
from troughline.dosing.scores import Scores
from troughline.dosing.steady import SteadyPatterns
from troughline.dosing.target import published_limits, published_numbers
from troughline.dosing.uncertain_model import PREFIX, uncertain_parameters, with_uncertain_parameters
from troughline.evidence.cut_spread import cut_spread
from troughline.issues import Findings
from troughline.model.model import load_model
from troughline.pk.individual_parameters import individual_parameters
from troughline.pk.numeric import evaluate
from troughline.pk.quantities import bioavailability, individual_quantities

HCC = "sorafenib/hcc"


def regimen(amounts: tuple[float, ...], interval_h: float) -> Regimen:
    """A regimen for a test."""
    return Regimen(id=f"{amounts}-{interval_h}", label="", amounts_mg=amounts, interval_h=interval_h)


def scores_of(
    inside: np.ndarray, *, printed: np.ndarray | None = None, trough: np.ndarray | None = None
) -> Scores:
    """Scores with only what the rules look at."""
    zero = np.zeros_like(inside)
    return Scores(
        trough=zero + 1 if trough is None else trough, auc_24h=zero + 1, below=zero, inside=inside,
        above=zero,
        inside_as_printed=inside if printed is None else printed, toxicity=None, benefit=None, utility=None,
        outside_curve={}, effective=float(len(inside)),
    )  # fmt: skip


# Regimens


def test_every_regimen_on_file_is_made_of_whole_tablets_and_the_label_doses_are_there() -> None:
    on_file = drug_regimens("sorafenib")
    assert all(a % 200 == 0 for r in on_file for a in r.amounts_mg)
    daily = {r.id: r.daily_dose_mg for r in on_file if r.basis == "label"}
    assert daily == {"400-bid": 800, "400-qd": 400, "200-qd": 200, "400-qod": 200}


def test_600_mg_twice_daily_needs_leave() -> None:
    ids = [r.id for r in feasible_regimens(sample_patient(), Findings())]
    assert "600-bid" not in ids
    allowed = feasible_regimens(sample_patient(options={"allow": ["600-bid"]}), Findings())
    assert allowed[0].id == "600-bid"


def test_the_patients_largest_dose_bounds_what_is_offered() -> None:
    found = Findings()
    offered = feasible_regimens(sample_patient(tolerance={"largest_daily_dose_mg": 400}), found)
    assert max(r.daily_dose_mg for r in offered) == 400
    assert any("400 mg twice daily" in f.message for f in found if f.code == "above-tolerance")


def test_a_hold_is_offered_before_label_doses_not_above_the_one_in_force() -> None:
    offered = feasible_regimens(sample_patient(options={"hold_days": 7}), Findings())
    held = [r for r in offered if r.hold_h]
    assert {r.id for r in held} == {f"hold-7-{i}" for i in ("400-bid", "400-qd", "200-qd", "400-qod")}


def test_the_regimen_in_force_is_compared_though_it_is_on_no_file() -> None:
    patient = sample_patient(dose=[{"start": 0, "amount": 400, "interval_h": 8}])
    found = Findings()
    assert any(same_regimen(r, regimen((400.0,), 8.0)) for r in feasible_regimens(patient, found))
    assert "current-not-on-file" in {f.code for f in found}


def test_a_cycle_may_begin_anywhere() -> None:
    assert same_regimen(regimen((200.0, 400.0), 24.0), regimen((400.0, 200.0), 24.0))
    assert not same_regimen(regimen((200.0, 400.0), 24.0), regimen((200.0, 400.0), 12.0))


def test_doses_of_a_regimen_fill_the_time_after_its_hold() -> None:
    cycle = replace(regimen((200.0, 400.0), 24.0), hold_h=48.0)
    given = sorted(
        (d.time_h + k * d.interval_h, d.amount_mg)
        for d in cycle.doses(100.0, 100.0 + 48.0 + 96.0) for k in range(d.additional + 1)
    )  # fmt: skip
    assert given == [(148.0, 200.0), (172.0, 400.0), (196.0, 200.0), (220.0, 400.0)]


# Limits and curves


def test_the_position_against_uncertain_limits_is_the_share_of_their_draws() -> None:
    limits = Limits(metric="trough", low=1.4, high=3.45, low_interval=(0.7, 2.5), high_interval=(1.7, 6.1))
    low, high = limits.draws(200_000, np.random.default_rng(1))
    for x in (0.6, 1.4, 2.2, 3.0, 5.0):
        at = position(np.array([x]), limits)
        above = high < x
        inside = (low <= x) & ~above
        assert at.above[0] == pytest.approx(above.mean(), abs=0.005)
        assert at.inside[0] == pytest.approx(inside.mean(), abs=0.005)
        assert at.below[0] + at.inside[0] + at.above[0] == pytest.approx(1)
    assert np.quantile(low, [0.025, 0.975]) == pytest.approx([0.7, 2.5], rel=0.02)


def test_exact_limits_are_a_step() -> None:
    at = position(np.array([1.39, 1.4, 3.45, 3.46]), Limits(metric="trough", low=1.4, high=3.45))
    assert at.inside.tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize(
    ("low", "high", "interval"),
    [(None, None, None), (3.0, 2.0, None), (2.0, None, (2.5, 3.0)), (-1.0, None, None)],
)  # fmt: skip
def test_limits_that_make_no_sense_are_refused(
    low: float | None, high: float | None, interval: tuple[float, float] | None
) -> None:
    with pytest.raises(ValueError, match="limit"):
        Limits(metric="trough", low=low, high=high, low_interval=interval)


def test_a_cut_of_more_patients_is_less_uncertain() -> None:
    spread = cut_spread()
    assert spread.factors(spread.n) == pytest.approx((spread.low, spread.high))
    low, high = spread.factors(8 * spread.n)
    assert (low, high) == pytest.approx((spread.low**0.5, spread.high**0.5))


def test_the_interval_of_a_published_limit_holds_the_true_one_as_often_as_it_says() -> None:
    """A cut tends to lie below its true limit (0.48 to 1.78 times), so the true one reaches further up.

    Cuts of one true limit are drawn with 95 % of cut / true within the factors; about 95 % of the limits'
    intervals hold the true one, and 2.5 % lie above and below it each.
    """
    (study, number), *_ = [x for x in published_numbers("sorafenib") if x[1].quantity == "window"]
    own, shown = published_limits(study, number, molar_mass=464.8)
    n = number.n or study.n
    assert n is not None
    down, up = cut_spread().factors(n)
    assert own.low is not None
    assert own.high is not None
    assert own.low_interval is not None
    assert own.low_interval == pytest.approx((own.low / up, own.low / down))
    assert own.high_interval == pytest.approx((own.high / up, own.high / down))
    assert "drawn independently" in shown.uncertainty
    true, draws = 2.0, np.random.default_rng(4).standard_normal(40_000)
    log_sd = np.where(draws < 0, -np.log(down), np.log(up)) / 1.959964
    cuts = true * np.exp(log_sd * draws)
    low, high = (cuts * (own.low_interval[k] / own.low) for k in (0, 1))
    assert np.mean(low > true) == pytest.approx(0.025, abs=0.003)
    assert np.mean(high < true) == pytest.approx(0.025, abs=0.003)


def curve_by_hand() -> ResponseCurve:
    """A curve with an interval that is open towards 0."""
    entry = {
        "exposure": [0.5, 1, 2, 4], "probability": [0.06, 0.2, 0.5, 0.7], "low": [0.001, 0.05, 0.3, 0.5],
        "high": [0.31, 0.4, 0.7, 0.9], "unit": "ug/mL", "source": "made up",
    }  # fmt: skip
    made = response_curves(sample_patient(curves={"toxicity": entry}), Findings())["toxicity"]
    assert isinstance(made, ResponseCurve)
    return made


def test_a_curve_keeps_its_mean_and_about_its_interval() -> None:
    """At 2 mg/L 0.5 (0.3 to 0.7); at 0.5 mg/L, where a symmetric logit would give 0.2, still 0.06."""
    curve = curve_by_hand()
    z = np.random.default_rng(2).standard_normal(100_000)
    for x, mean in ((0.5, 0.06), (2.0, 0.5), (4.0, 0.7)):
        drawn = curve.probability(np.full(len(z), x), z)
        assert drawn.mean() == pytest.approx(mean, abs=0.003)
    middle = curve.probability(np.full(len(z), 2.0), z)
    assert np.quantile(middle, [0.025, 0.975]) == pytest.approx([0.3, 0.7], abs=0.01)
    assert curve.outside(np.array([0.4, 1.0, 5.0, 2.0])) == 0.5


def test_a_curve_rises_in_exposure_in_every_draw() -> None:
    curve = curve_by_hand()
    x = np.geomspace(0.3, 6, 60)
    for z in (-2.0, 0.0, 2.0):
        p = curve.probability(x, np.full(60, z))
        assert (np.diff(p) >= -1e-12).all()


# Rules

RULES = Rules(reach=0.5, least_lead=0.02, indistinct=0.6)
DAILY = (800.0, 400.0, 200.0)


def test_the_rules_tell_a_clear_lead_from_none() -> None:
    rng = np.random.default_rng(3)
    limits = Limits(metric="trough", low=1.0, high=2.0)
    clear = np.column_stack([rng.random(2000) < p for p in (0.8, 0.4)]).astype(float)
    made = choose(scores_of(clear), limits, DAILY, RULES)
    assert (made.answer, made.best, made.among) == ("regimen", 0, (0,))
    close = np.column_stack([rng.random(2000) < p for p in (0.70, 0.69)]).astype(float)
    assert choose(scores_of(close), limits, DAILY, RULES).answer == "not distinguished"
    low = np.column_stack([rng.random(2000) < p for p in (0.3, 0.1)]).astype(float)
    assert choose(scores_of(low), limits, DAILY, RULES).answer == "target not reached"


def test_where_the_target_is_not_reached_the_nearest_is_named() -> None:
    """No draw of either is inside; 0.9 mg/L lies nearer to 1 mg/L than 0.3 mg/L does."""
    trough = np.tile([0.3, 0.9], (100, 1))
    limits = Limits(metric="trough", low=1.0, high=2.0)
    made = choose(scores_of(np.zeros((100, 2)), trough=trough), limits, DAILY, RULES)
    assert (made.answer, made.best) == ("target not reached", 1)


def test_the_nearest_is_named_also_where_a_utility_ranks() -> None:
    """The utility prefers the first and P(in) the second; the third is always just above the limit."""
    trough = np.column_stack([np.full(100, 0.1), np.where(np.arange(100) < 30, 1.5, 0.05), np.full(100, 2.1)])
    inside = ((trough >= 1) & (trough <= 2)).astype(float)
    utility = np.tile([0.9, 0.1, 0.2], (100, 1))
    scores = replace(scores_of(inside, trough=trough), utility=utility)
    made = choose(scores, Limits(metric="trough", low=1.0, high=2.0), DAILY, RULES)
    assert (made.answer, made.best, made.top, made.likeliest) == ("target not reached", 2, 0, 1)
    assert made.p_reach == pytest.approx(0.3)
    assert made.margin is None


def test_a_lead_without_relevance_is_none_at_any_number_of_draws() -> None:
    """The first leads by 0.01 in every draw: below the least lead of 0.02, whether 400 draws or 40,000."""
    for n in (400, 40_000):
        utility = np.tile([0.31, 0.30, 0.10], (n, 1))
        scores = replace(scores_of(np.ones((n, 3))), utility=utility)
        made = choose(scores, Limits(metric="trough", low=0.5, high=2.0), DAILY, RULES, current=2)
        assert (made.answer, made.among, made.unresolved, made.better) == (
            "not distinguished", (0, 1), (), (0, 1),
        )  # fmt: skip


def test_what_too_few_draws_leave_open_is_said_and_more_draws_settle_it() -> None:
    """P(in) of 0.70 and 0.60: open with 100 draws, told apart with 20,000."""
    limits = Limits(metric="trough", low=0.5, high=2.0)
    for n, answer, unresolved in ((100, "not distinguished", (1,)), (20_000, "regimen", ())):
        u = (np.arange(n) + 0.5) / n
        inside = np.column_stack([u < 0.7, (u >= 0.2) & (u < 0.8)]).astype(float)
        made = choose(scores_of(inside), limits, DAILY[:2], RULES)
        assert (made.answer, made.unresolved) == (answer, unresolved)


def test_only_what_beats_the_regimen_in_force_is_called_better() -> None:
    """Of two that are not told apart only the first leads the one in force by the least lead."""
    utility = np.tile([0.330, 0.315, 0.300], (500, 1))
    scores = replace(scores_of(np.ones((500, 3))), utility=utility)
    made = choose(scores, Limits(metric="trough", low=0.5, high=2.0), DAILY, RULES, current=2)
    assert (made.among, made.better) == ((0, 1), (0,))


@pytest.mark.parametrize(
    ("low", "high", "inside", "current", "best"),
    [
        (None, 2.0, (0.1, 0.7, 1.0), 0, 1),  # too high: the smallest step down that suffices, not the largest
        (None, 2.0, (0.6, 0.8, 1.0), 0, 0),  # suffices already
        (1.0, None, (1.0, 0.8, 0.1), 2, 1),
        (None, 2.0, (0.1, 0.7, 1.0), None, 1),  # on hold: the largest dose that keeps below
        (1.0, None, (1.0, 0.8, 0.1), None, 1),
    ],
)
def test_a_target_with_one_limit_takes_the_smallest_change_that_reaches_it(
    low: float | None, high: float | None, inside: tuple[float, ...], current: int | None, best: int
) -> None:
    n = 1000
    draws = np.column_stack([np.arange(n) < p * n for p in inside]).astype(float)
    limits = Limits(metric="trough", low=low, high=high)
    made = choose(scores_of(draws), limits, DAILY, RULES, current=current)
    assert (made.answer, made.best, made.one_sided, made.margin) == ("regimen", best, True, None)


def test_without_a_level_nothing_changes() -> None:
    inside = np.tile([0.0, 1.0, 1.0], (200, 1))
    limits = Limits(metric="trough", low=0.5, high=2.0)
    made = choose(scores_of(inside), limits, DAILY, RULES, current=0, with_levels=False)
    assert (made.answer, made.best, made.among) == ("no level", 0, (0,))


def test_among_equal_regimens_the_one_in_force_stays() -> None:
    inside = np.ones((50, 3))
    limits = Limits(metric="trough", low=0.5, high=2.0)
    assert choose(scores_of(inside), limits, DAILY, RULES, current=2).best == 2


# Uncertain typical values


def test_an_uncertain_parameter_meets_its_value_and_its_limits() -> None:
    """At u = 0 and ±1.96 every uncertain parameter of sorafenib/hcc is its value and its 95 % limits."""
    model = load_model(HCC)
    uncertain = with_uncertain_parameters(model)
    expressions = dict(uncertain.spec.individual)
    typical = dict(zip((p.name for p in uncertain.spec.parameters), uncertain.spec.theta, strict=True))
    z = norm.ppf(0.975)
    for p in uncertain_parameters(model.spec):
        factor = p.value / p.value_as_written
        values = [
            float(evaluate(expressions[p.name], {**typical, PREFIX + p.name: u}, {})) / factor
            for u in (-z, 0, z)
        ]
        assert values[1] == pytest.approx(p.value_as_written, rel=1e-9)
        if p.name == "Fent":  # its value is its upper limit: only the width of the interval is kept
            continue
        rel = 0.03 if p.name in ("CL_pop", "V_pop", "CL_CPB", "MAT") else 1e-6  # sides taken as equal
        assert values[0] == pytest.approx(p.low, rel=rel)
        assert values[2] == pytest.approx(p.high, rel=rel)


def test_the_model_with_uncertain_parameters_predicts_the_same_at_its_typical_values() -> None:
    patient = sample_patient()
    (chosen,) = choose_models(patient, Findings())
    from troughline.dosing.records import patient_records

    uncertain = with_uncertain_parameters(chosen.model)
    assert uncertain.spec.sha256 != chosen.model.spec.sha256
    a = chosen.model.predict(patient_records(patient, chosen, chosen.model))
    b = uncertain.predict(patient_records(patient, chosen, uncertain))
    np.testing.assert_allclose(a.value, b.value, rtol=1e-12)


# Numbers without algebra


@pytest.mark.parametrize("name", [HCC, "lenvatinib/tamai-2017", "cabozantinib/nguyen-2019"])
def test_quantities_without_algebra_are_those_of_the_algebra(name: str) -> None:
    spec = load_model(name).spec
    rng = np.random.default_rng(4)
    q = len(spec.subject_effects) + len(spec.occasion_effects)
    effects = 0.3 * rng.standard_normal((20, q))
    covariates = np.array([70.0 if c.default is None else float(c.default) for c in spec.covariates])
    names, units, values = individual_quantities(spec, effects, covariates, spec.theta)
    known = individual_parameters(spec)
    wanted = known.of(effects, covariates[None, :], spec.theta)
    for k, one in enumerate(known.names):
        at = names.index(one)
        assert units[at] == known.units[k]
        np.testing.assert_allclose(values[:, at], wanted[:, k], rtol=1e-12)


def test_the_bioavailability_of_half_the_dose_is_higher_as_the_model_says() -> None:
    """F ∝ 1/(D50 + dose), D50 181 mg: F(200)/F(400) = 581/381 (sorafenib/hcc)."""
    spec = load_model(HCC).spec
    q = len(spec.subject_effects) + len(spec.occasion_effects)
    covariates = np.array([80.0, 0.0, 0.0])
    f = [
        bioavailability(
            spec, np.zeros((1, q)), covariates, spec.theta, dose_mg=d, time_h=672.0, interval_h=12.0
        )[0][0]
        for d in (200.0, 400.0)
    ]
    assert f[0] / f[1] == pytest.approx((181 + 400) / (181 + 200))
    assert f[1] == pytest.approx(1.0)


# Forecasts


def test_scaled_and_own_patterns_agree_and_are_the_steady_state_of_the_models_self_test() -> None:
    """400 mg twice daily on day 28: trough 3.916441 mg/L, AUC0-12 48.88422 (the model file's test)."""
    model = load_model(HCC)
    four, two, six = (regimen((a,), 12.0) for a in (400.0, 200.0, 600.0))
    effects = np.zeros((1, model.compiled.n_subject + model.compiled.n_occasion))
    covariates = np.array([80.0, 0.0, 0.0])
    at = 28 * 24.0 + 12.0
    trough, area = SteadyPatterns(model, [four, two, six], areas=True).exposure(
        effects, covariates, model.spec.theta, at
    )
    assert trough[0, 0] == pytest.approx(3.916441, rel=1e-5)
    assert area[0, 0] == pytest.approx(2 * 48.88422, rel=1e-5)
    for k, alone in ((1, two), (2, six)):
        own, own_area = SteadyPatterns(model, [alone], areas=True).exposure(
            effects, covariates, model.spec.theta, at
        )
        assert trough[0, k] == pytest.approx(own[0, 0], rel=1e-9)
        assert area[0, k] == pytest.approx(own_area[0, 0], rel=1e-9)


def test_two_amounts_in_turn_scale_with_one_as_dose_after_dose_gives_them() -> None:
    """400 mg and 200 mg 12 h apart, long after the fall has ended: 100 days, dose after dose."""
    from troughline.dosing.records import patient_records
    from troughline.model.build import DoseEvent
    from troughline.pk.exposure import ExposureQuery, exposure_draws

    patient, model = sample_patient(), load_model(HCC)
    (chosen,) = choose_models(patient, Findings())
    end, turn = 24.0 * 2000, regimen((400.0, 200.0), 12.0)
    events = [
        DoseEvent(time_h=end - 12.0 * k, amount_mg=(400.0, 200.0)[k % 2], interval_h=12.0, occasion=0)
        for k in range(200, 0, -1)
    ]  # fmt: skip
    records = patient_records(patient, chosen, model, events=events, with_levels=False)
    effects = np.zeros((1, model.compiled.n_subject + model.compiled.n_occasion))
    moments = [ExposureQuery(quantity="trough", end=t) for t in (end - 12.0, end)]
    given = exposure_draws(model, records, 0, effects, moments).mean()
    steady, _ = SteadyPatterns(model, [regimen((400.0,), 12.0), turn], areas=False).exposure(
        effects, records.covariates[-1], model.spec.theta, end
    )
    assert steady[0, 1] == pytest.approx(given, rel=1e-3)


def test_doses_that_are_left_out_of_a_forecast_do_not_matter() -> None:
    patient = sample_patient()
    models = working_models(choose_models(patient, Findings()), parameter_uncertainty=False)
    belief = believe(patient, models, draws=200, seed=1)
    start = next_dose_h(patient)
    short = recent_doses(patient, belief, start_h=start, until_h=start + 672.0)
    assert len(short.doses) < len(patient.doses)
    candidates = [regimen((200.0,), 24.0), regimen((400.0,), 48.0)]
    made = forecasts(patient, belief, candidates, horizon_h=672.0)
    from troughline.dosing.forecast import asked
    from troughline.pk.exposure import ExposureQuery

    for f in made:
        whole = asked(
            patient, belief, f.regimen, [ExposureQuery(quantity="trough", end=f.end_h)], start_h=start,
            end_h=f.end_h,
        )  # fmt: skip
        assert np.mean(np.abs(f.trough / whole[:, 0] - 1)) < 2e-3
        assert abs(np.median(f.trough) / np.median(whole[:, 0]) - 1) < 2e-3


def test_a_lower_dose_takes_days_and_a_hold_longer_still_to_be_steady() -> None:
    """The half-life is 25 to 48 h (European label), so 90 % of a change takes about 3 to 7 days."""
    patient = sample_patient()
    models = working_models(choose_models(patient, Findings()), parameter_uncertainty=False)
    belief = believe(patient, models, draws=100, seed=1)
    start = next_dose_h(patient)
    same = days_to_steady(patient, belief, regimen((400.0,), 12.0), start_h=start)
    less = days_to_steady(patient, belief, regimen((200.0,), 24.0), start_h=start)
    held = days_to_steady(patient, belief, replace(regimen((200.0,), 24.0), hold_h=168.0), start_h=start)
    assert np.median(same) < np.median(less) < np.median(held)
    assert (held >= 7).all()
    assert 3 <= np.median(less) <= 7
