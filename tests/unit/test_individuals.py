"""Individual estimates against a likelihood written out in NumPy and minimised by SciPy.

The model is an intravenous bolus into one compartment, C(t) = D/V · exp(−CL/V · t), so that predictions
need no engine; where no tolerance is named, 1e-6 is what SciPy's minimiser reaches.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize, stats

from troughline.model.model import Model, load_model
from troughline.model.read import read_model
from troughline.model.records import Records
from troughline.pk.individual import (
    STATUS,
    EstimateOptions,
    Individuals,
    effect_names,
    estimate_individuals,
    objective_at,
)

Floats = NDArray[np.float64]
ORAL = Path(__file__).parents[1] / "reference" / "models" / "run001.toml"
DOSE, CL, V = 100.0, 4.0, 30.0
TIMES = np.array([0.5, 2.0, 6.0, 14.0])
OBSERVED = np.array([3.9, 2.2, 1.9, 0.4])
TEXT = """
[model]
id = "test/individuals"
title = "A bolus into one compartment"
drug = "test"
revision = 1
[parameters]
CL_pop = {{ value = 4, unit = "L/h" }}
V_pop = {{ value = 30, unit = "L" }}
one = {{ value = 1, unit = "mg/L" }}
{parameters}
{covariates}
[[random]]
level = "subject"
effects = ["eta_CL", "eta_V"]
covariance = [[0.09, 0.02], [0.02, 0.06]]
{random}
[individual]
CL = "CL_pop * exp(eta_CL{clearance})"
V = "V_pop * exp(eta_V)"
{individual}
[compartments]
central = {{}}
{compartments}
[[flows]]
from = "central"
rate = "CL / V"
{flows}
[[doses]]
compartment = "{into}"
{dosing}
[outputs.plasma]
prediction = "central / V"
unit = "mg/L"
error = {error}
"""
PROPORTIONAL = '{ kind = "proportional", proportional = "0.2" }'


@cache
def model(error: str = PROPORTIONAL, **parts: str) -> Model:
    names = (
        "parameters",
        "covariates",
        "random",
        "clearance",
        "individual",
        "compartments",
        "flows",
        "dosing",
    )
    filled = dict.fromkeys(names, "") | {"into": "central", "error": error} | parts
    spec, found = read_model(TEXT.format(**filled), file="test.toml")
    assert spec is not None, "\n".join(f.line() for f in found)
    return Model(spec)


def patient(
    name: str = "1",
    *,
    values: Sequence[float] = tuple(OBSERVED),
    times: Sequence[float] = tuple(TIMES),
    censoring: Sequence[int] | None = None,
    limits: Sequence[float] | None = None,
    covariates: Sequence[float] = (),
    interval: float = 0.0,
    steady_state: int = 0,
    resets: Sequence[float] = (0.0,),
    dose_time: float = 0.0,
) -> Records:
    """A dose at `dose_time`; each further time of `resets` is a reset, a dose and a new occasion."""
    n_doses = len(resets)
    time = np.concatenate([np.asarray(resets) + dose_time, times])
    order = np.lexsort((np.arange(len(time)) >= n_doses, time))
    dose = (np.arange(len(time)) < n_doses)[order]
    measured = np.concatenate([np.full(n_doses, np.nan), values])[order]

    def spread(of: Sequence[float] | None, fill: float) -> Floats:
        return np.concatenate([np.full(n_doses, fill), np.full(len(times), fill) if of is None else of])[
            order
        ]

    zero, n = np.zeros(len(time)), len(time)
    time = time[order]
    occasion = np.searchsorted(np.asarray(resets)[1:], time, side="right")
    return Records(
        patients=(name,),
        first=np.array([0, n]),
        time_h=time,
        event=np.where(dose, np.where(occasion > 0, 4, 1), 0),
        amount_mg=np.where(dose, DOSE, 0.0),
        rate_mg_per_h=zero,
        interval_h=np.where(dose, interval, 0.0),
        additional=np.zeros(n, dtype=np.int64),
        steady_state=np.where(dose, steady_state, 0),
        compartment=np.zeros(n, dtype=np.int64),
        output=np.zeros(n, dtype=np.int64),
        value=measured,
        censoring=spread(censoring, 0).astype(np.int64),
        limit=spread(limits, np.nan),
        covariates=np.tile(np.asarray(covariates, dtype=float), (n, 1)),
        occasion=occasion.astype(np.int64),
        row=np.zeros(n, dtype=np.int64),
    )


def together(*parts: Records) -> Records:
    """Several patients' records as one."""
    whole = {
        f.name: np.concatenate([getattr(p, f.name) for p in parts])
        for f in fields(Records)
        if f.name not in ("patients", "first")
    }
    first = np.concatenate([[0], np.cumsum([len(p) for p in parts])])
    return Records(patients=tuple(name for p in parts for name in p.patients), first=first, **whole)


def concentration(eta: Floats, times: Floats = TIMES) -> Floats:
    volume = V * np.exp(eta[1])
    return DOSE / volume * np.exp(-CL * np.exp(eta[0]) / volume * times)


OMEGA = np.array([[0.09, 0.02], [0.02, 0.06]])
# error in the model file, then (h, V) from the prediction f and the effects
Errors = Callable[[Floats, Floats], tuple[Floats, Floats]]
ERRORS: dict[str, tuple[str, Errors]] = {
    "additive": ('{ kind = "additive", additive = "0.3[mg/L]" }', lambda f, _: (f, 0 * f + 0.09)),
    "proportional": (PROPORTIONAL, lambda f, _: (f, (0.2 * f) ** 2)),
    "combined": (
        '{ kind = "combined", additive = "0.1[mg/L]", proportional = "0.2" }',
        lambda f, _: (f, 0.01 + (0.2 * f) ** 2),
    ),
    "combined-sd": (
        '{ kind = "combined-sd", additive = "0.1[mg/L]", proportional = "0.2" }',
        lambda f, _: (f, (0.1 + 0.2 * f) ** 2),
    ),
    "power": (
        '{ kind = "power", proportional = "0.25", power = "0.7" }',
        lambda f, _: (f, (0.25 * f**0.7) ** 2),
    ),
    "exponential": (
        '{ kind = "exponential", proportional = "0.25" }',
        lambda f, _: (np.log(f), 0 * f + 0.0625),
    ),
    "log-combined": (
        '{ kind = "log-combined", additive = "0.1[mg/L]", proportional = "0.2" }',
        lambda f, _: (np.log(f), 0.04 + (0.1 / f) ** 2),
    ),
    "an SD with an effect of its own": (
        '{ kind = "combined", additive = "0.1*one*exp(eta_SD)", proportional = "0.2*exp(eta_SD)" }',
        lambda f, eta: (f, (0.01 + (0.2 * f) ** 2) * np.exp(2 * eta[2])),
    ),
}
WITH_SD = '[[random]]\nlevel = "subject"\neffects = ["eta_SD"]\nvariance = [0.1]'


def case(kind: str) -> tuple[Model, Errors, Floats]:
    """The model of an error, its h and V, and Ω."""
    text, error = ERRORS[kind]
    if "eta_SD" in text:
        return (
            model(text, random=WITH_SD),
            error,
            np.block([[OMEGA, np.zeros((2, 1))], [np.zeros((1, 2)), 0.1]]),
        )
    return model(text), error, OMEGA


def scale(kind: str) -> Floats:
    """The observations, on the log scale where the error is."""
    return np.log(OBSERVED) if kind in ("exponential", "log-combined") else OBSERVED


def by_hand(error: Errors, omega: Floats, y: Floats, eta: Floats) -> float:
    h, v = error(concentration(eta), eta)
    return float(np.sum(np.log(v) + (y - h) ** 2 / v) + eta @ np.linalg.solve(omega, eta))


def minimum(phi: Callable[[Floats], float], q: int) -> tuple[Floats, float]:
    found = optimize.minimize(phi, np.zeros(q), method="BFGS", options={"gtol": 1e-9})
    found = optimize.minimize(
        phi, found.x, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-13, "maxiter": 4000}
    )
    return found.x, found.fun


def slopes(function: Callable[[Floats], Floats], at: Floats) -> Floats:
    """Derivatives by central differences (n, q)."""
    step = 1e-5 * np.eye(len(at))
    return np.stack([(function(at + s) - function(at - s)) / 2e-5 for s in step], axis=-1)


@pytest.mark.parametrize("kind", list(ERRORS))
def test_the_objective_is_the_likelihood_written_out(kind: str) -> None:
    """At any effects, to 1e-9; the FOCEI objective adds log |Ω| and log |information| (1e-6: differences)."""
    tested, error, omega = case(kind)
    y = scale(kind)
    for eta in (np.zeros(len(omega)), np.array([0.3, -0.4, 0.2])[: len(omega)]):
        objective, focei = objective_at(tested, patient(values=y), eta[None, :])
        assert objective[0] == pytest.approx(by_hand(error, omega, y, eta), abs=1e-9)
        information = np.linalg.inv(omega)
        dh = slopes(lambda e: error(concentration(e), e)[0], eta)
        dv = slopes(lambda e: error(concentration(e), e)[1], eta)
        v = error(concentration(eta), eta)[1][:, None]
        information += (dh / v).T @ dh + 0.5 * (dv / v**2).T @ dv
        expected = objective[0] + np.linalg.slogdet(omega)[1] + np.linalg.slogdet(information)[1]
        assert focei[0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("kind", list(ERRORS))
def test_the_estimate_is_the_minimum(kind: str) -> None:
    """Effects within 1e-5 of SciPy's minimum, no slope left, and the covariance of the first-order method."""
    tested, error, omega = case(kind)
    y = scale(kind)
    found = estimate_individuals(tested, patient(values=y))
    eta, least = minimum(lambda e: by_hand(error, omega, y, e), len(omega))
    assert found.status[0] == 0
    np.testing.assert_allclose(found.effects[0], eta, atol=1e-5)
    assert found.objective[0] == pytest.approx(least, abs=1e-7)
    slope = slopes(lambda e: np.array([by_hand(error, omega, y, e)]), found.effects[0])[0]
    assert np.max(np.abs(slope) * np.sqrt(np.diag(found.covariance[0]))) < 1e-4
    at_minimum = objective_at(tested, patient(values=y), found.effects)
    assert found.objective[0] == pytest.approx(at_minimum[0][0], abs=1e-8)
    assert found.objective_focei[0] == pytest.approx(at_minimum[1][0], abs=1e-4)


def test_values_beyond_the_limits_count_by_their_probability() -> None:
    """Beal's M3: −2 log Φ((L − h)/√V) below a limit, the other tail above one; far tails keep their slope."""
    censoring, limits = [2, 0, 0, 1], [6.0, np.nan, np.nan, 0.5]
    records = patient(censoring=censoring, limits=limits)

    def phi(eta: Floats, lower: float = 0.5) -> float:
        f = concentration(eta)
        total = eta @ np.linalg.solve(OMEGA, eta)
        total += np.sum(np.log((0.2 * f[1:3]) ** 2) + ((OBSERVED[1:3] - f[1:3]) / (0.2 * f[1:3])) ** 2)
        total -= 2 * stats.norm.logsf((6.0 - f[0]) / (0.2 * f[0]))
        return float(total - 2 * stats.norm.logcdf((lower - f[3]) / (0.2 * f[3])))

    found = estimate_individuals(model(), records)
    eta, least = minimum(phi, 2)
    np.testing.assert_allclose(found.effects[0], eta, atol=1e-5)
    assert found.objective[0] == pytest.approx(least, abs=1e-7)
    assert found.n_observations[0] == 4
    # Far below what the model predicts the probability itself is no number any more.
    far = model('{ kind = "additive", additive = "0.01[mg/L]" }')
    objective, _ = objective_at(
        far, patient(times=[2.0], values=[np.nan], censoring=[1], limits=[2.4]), np.zeros((1, 2))
    )
    z = (2.4 - concentration(np.zeros(2), np.array([2.0]))[0]) / 0.01
    assert z < -10
    assert objective[0] == pytest.approx(-2 * stats.norm.logcdf(z), rel=1e-8)


def test_effects_of_occasions_are_estimated_for_each() -> None:
    """Two occasions after a reset each: η of the subject and κ of each occasion, with Ω block-diagonal."""
    tested = model(
        clearance=" + kappa", random='[[random]]\nlevel = "occasion"\neffects = ["kappa"]\nvariance = [0.05]'
    )
    times = np.concatenate([TIMES, 48 + TIMES])
    values = np.concatenate([OBSERVED, [3.0, 2.4, 1.0, 0.2]])
    records = patient(times=times, values=values, resets=[0.0, 48.0])
    whole = np.diag([0.0, 0.0, 0.05, 0.05])
    whole[:2, :2] = OMEGA

    def phi(eta: Floats) -> float:
        f = np.concatenate([concentration(np.array([eta[0] + eta[k], eta[1]])) for k in (2, 3)])
        return float(
            np.sum(np.log((0.2 * f) ** 2) + ((values - f) / (0.2 * f)) ** 2)
            + eta @ np.linalg.solve(whole, eta)
        )

    found = estimate_individuals(tested, together(patient(), records))
    assert found.names == ("eta_CL", "eta_V", "kappa@1", "kappa@2") == effect_names(tested, 4)
    eta, least = minimum(phi, 4)
    np.testing.assert_allclose(found.effects[1], eta, atol=2e-5)
    assert found.objective[1] == pytest.approx(least, abs=1e-7)
    # The patient with one occasion has no second effect.
    assert found.n_effects.tolist() == [3, 4]
    assert np.isnan(found.effects[0, 3])
    assert np.isnan(found.covariance[0, 3]).all()
    assert not np.isnan(found.covariance[0, :3, :3]).any()


def test_prior_inflation_multiplies_the_covariance() -> None:
    plain, wide = (
        estimate_individuals(model(), patient(), options=EstimateOptions(prior_inflation=k))
        for k in (1.0, 4.0)
    )
    eta, _ = minimum(lambda e: by_hand(ERRORS["proportional"][1], 4 * OMEGA, OBSERVED, e), 2)
    np.testing.assert_allclose(wide.effects[0], eta, atol=1e-5)
    assert np.all(np.linalg.eigvalsh(wide.covariance[0] - plain.covariance[0]) > 0)


def test_an_effect_without_variance_stays_at_nothing() -> None:
    with_fixed = model(
        random='[[random]]\nlevel = "subject"\neffects = ["eta_no"]\nvariance = [0]', clearance=" + eta_no"
    )
    fixed = estimate_individuals(with_fixed, patient(), options=EstimateOptions(starts="all"))
    plain = estimate_individuals(model(), patient())
    np.testing.assert_allclose(fixed.effects[0], [*plain.effects[0], 0.0], atol=1e-9)
    assert fixed.objective_focei[0] == pytest.approx(plain.objective_focei[0], abs=1e-6)
    assert abs(fixed.covariance[0, 2, 2]) < 1e-15


def test_a_covariance_without_inverse_is_refused() -> None:
    spec = model().spec
    block = replace(spec.random[0], covariance=np.array([[0.09, 0.06], [0.06, 0.04]]))
    with pytest.raises(ValueError, match="singular"):
        estimate_individuals(Model(replace(spec, random=(block,))), patient())


def test_without_samples_the_prior_is_the_answer() -> None:
    wanted = patient(times=[3.0], values=[np.nan], censoring=[3])
    found = estimate_individuals(model(), together(patient(values=(), times=()), wanted))
    assert found.status.tolist() == [4, 4]
    assert np.all(found.usable)
    np.testing.assert_array_equal(found.effects, np.zeros((2, 2)))
    np.testing.assert_allclose(found.covariance, np.stack([OMEGA] * 2), rtol=1e-12)
    assert found.objective.tolist() == [0.0, 0.0]
    np.testing.assert_allclose(found.objective_focei, 0.0, atol=1e-12)


def test_an_observation_the_model_cannot_have_leaves_no_likelihood() -> None:
    """A level before the first dose, proportional error; with `zero_weight` it counts as NONMEM's W = 1."""
    before = patient(times=[1.0, 8.0], values=[0.1, 2.0], dose_time=6.0)
    found = estimate_individuals(model(), together(patient(), before))
    assert found.status.tolist() == [0, 2]
    assert "no likelihood" in STATUS[2]
    assert not found.usable[1]
    assert np.isnan(found.effects[1]).all()
    assert np.isnan(found.objective[1])
    assert not np.isnan(found.filled()).any()
    weighted = estimate_individuals(model(), before, options=EstimateOptions(zero_weight=1.0))
    alone = estimate_individuals(model(), patient(times=[8.0], values=[2.0], dose_time=6.0))
    assert weighted.status[0] == 0
    assert weighted.objective[0] == pytest.approx(alone.objective[0] + np.log(0.04) + 0.01 / 0.04, abs=1e-9)


LAGGED = {
    "parameters": 'ka = { value = 1, unit = "1/h" }\nlag_pop = { value = 1, unit = "h" }',
    "random": '[[random]]\nlevel = "subject"\neffects = ["eta_lag"]\nvariance = [0.2]',
    "individual": 'lag = "lag_pop * exp(eta_lag)"',
    "compartments": "depot = {}",
    "flows": '[[flows]]\nfrom = "depot"\nto = "central"\nrate = "ka"',
    "into": "depot",
    "dosing": 'lag = "lag"',
}


def test_further_starts_find_the_better_of_two_modes() -> None:
    """A high level before the typical lag has passed: W = 1 makes a mode where it is 0, beside a better."""
    tested = model(**LAGGED)
    records = replace(
        patient(times=[0.9, 3.5, 7.0, 20.0], values=[1.1, 2.2, 1.6, 0.5]), compartment=np.ones(5, np.int64)
    )
    # The states stand in the order of the file: central, depot.
    assert [s.name for s in tested.spec.states] == ["central", "depot"]

    def with_starts(starts) -> Individuals:
        return estimate_individuals(tested, records, options=EstimateOptions(zero_weight=1.0, starts=starts))

    first, every, suspicious = (with_starts(s) for s in ("first", "all", "suspicious"))
    assert (first.starts[0], every.starts[0]) == (1, 7)
    assert every.objective[0] < first.objective[0] - 5
    assert np.exp(every.effects[0, 2]) < 0.9 < np.exp(first.effects[0, 2])
    assert suspicious.objective[0] == every.objective[0]


def test_a_patient_who_cannot_be_solved_leaves_the_others_alone() -> None:
    """Without clearance there is no steady state; the reason is a status, and nothing is raised."""
    tested = model(
        covariates='[covariates.function]\nunit = "1"\ndefault = 1\nhard = [0, 2]', clearance=") * (function"
    )
    good = patient("good", covariates=[1.0], interval=12.0, steady_state=1)
    bad = patient("bad", covariates=[0.0], interval=12.0, steady_state=1)
    found = estimate_individuals(tested, together(good, bad, good))
    alone = estimate_individuals(tested, good)
    assert found.status.tolist() == [0, 3, 0]
    np.testing.assert_array_equal(found.effects[[0, 2]], np.tile(alone.effects, (2, 1)))
    assert np.isnan(found.effects[1]).all()
    assert np.isnan(found.covariance[1]).all()
    assert np.isinf(objective_at(tested, bad, np.zeros((1, 2)))[0][0])


def many(n: int) -> Records:
    """Patients whose levels and number of samples differ."""
    rng = np.random.default_rng(20260301)
    parts = []
    for k in range(n):
        size = k % 5
        at = rng.uniform(0.2, 20.0, size)
        at.sort()
        level = concentration(rng.multivariate_normal(np.zeros(2), OMEGA), at) * np.exp(
            0.2 * rng.standard_normal(size)
        )
        parts.append(patient(str(k), times=at, values=level))
    return together(*parts)


def test_neither_threads_nor_company_change_a_number() -> None:
    records = many(600)
    one, two = (estimate_individuals(model(), records, options=EstimateOptions(threads=t)) for t in (1, 2))
    for name in ("effects", "covariance", "objective", "objective_focei", "status", "iterations"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert set(one.status) == {0, 4}
    alone = estimate_individuals(
        model(), patient("7", times=records.time_h[records.event == 0][:0], values=())
    )
    assert alone.status[0] == 4
    begin, end = records.first[298], records.first[299]
    whole = {
        f.name: getattr(records, f.name)[begin:end]
        for f in fields(Records)
        if f.name not in ("patients", "first")
    }
    single = estimate_individuals(
        model(), Records(patients=("298",), first=np.array([0, end - begin]), **whole)
    )
    np.testing.assert_array_equal(single.effects[0], one.effects[298])


def test_no_patient_at_all() -> None:
    none = Records(
        patients=(),
        first=np.array([0]),
        **{
            f.name: getattr(patient(), f.name)[:0]
            for f in fields(Records)
            if f.name not in ("patients", "first")
        },
    )
    found = estimate_individuals(model(), none)
    assert found.patients == ()
    assert len(found.objective) == len(found.effects) == len(found.status) == 0


def test_estimating_imports_no_library_that_is_slow_to_start() -> None:
    """A fresh process with the model compiled needs neither pandas nor SymPy nor Pint."""
    script = f"""
import sys
from troughline.model.build import DoseEvent, PatientRecord, Sample, records_from
from troughline.model.model import load_model
from troughline.pk.individual import estimate_individuals
model = load_model({str(ORAL)!r})
patient = PatientRecord(
    patient="1", doses=(DoseEvent(time_h=0, amount_mg=100),), samples=(Sample(time_h=4, value=1.0),)
)
assert estimate_individuals(model, records_from([patient], model.spec)).status[0] == 0
print(sorted(set(sys.modules) & {{"pandas", "sympy", "pint", "matplotlib", "pydantic"}}))
"""
    load_model(ORAL).compiled  # noqa: B018 (compiled here, so that the process finds it)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "wrong",
    [{"prior_inflation": 0.0}, {"prior_inflation": np.inf}, {"zero_weight": 0.0}, {"max_iterations": 0}],
)
def test_options_that_mean_nothing_are_refused(wrong) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        EstimateOptions(**wrong)
