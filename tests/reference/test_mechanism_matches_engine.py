"""The mechanism in the ordinary engine, which knows nothing of it, against its own two solvers.

`mechanism.exact` integrates code written from the names of the file by an explicit solver; the engine takes
the file's algebra, its derivatives and the stiff solver. The patient loop takes steps of days with the mean
exposure: its error against both is what is stated here.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.mechanism_sample import patients, runner
from troughline.mechanism.compose import join_models
from troughline.mechanism.exact import exact_course
from troughline.mechanism.heldout import without_limits
from troughline.mechanism.population import Patients
from troughline.mechanism.runner import KINETICS, MECHANISM
from troughline.mechanism.source import DRIVEN, HAZARDS
from troughline.mechanism.treatment import Arm, DoseLevel, Protocol, read_criteria
from troughline.model.build import CovariateValues, DoseEvent, PatientRecord, Sample, records_from
from troughline.model.engine import Tolerance
from troughline.model.model import Model, load_model

Floats = NDArray[np.float64]
ENGINE_TOLERANCE = 1e-6
LOOP_TOLERANCE = 2e-3
TIGHT = Tolerance(relative=1e-10, absolute=1e-12)


@cache
def joined() -> Model:
    return join_models(MECHANISM, KINETICS)


def engine_course(
    model: Model, record: dict[str, Any], effects: dict[str, float], days: list[float], names: list[str]
) -> Floats:
    """Outputs by the engine (n_days, n_names), in their units."""
    spec = model.spec
    samples = [Sample(time_h=24.0 * d, output=name) for d in days for name in names]
    records = records_from([PatientRecord(patient="one", samples=samples, **record)], spec)
    ordered = [effects.get(name, 0.0) for name in (*spec.subject_effects, *spec.occasion_effects)]
    made = model.predict(records, effects=np.array([ordered]), tolerance=TIGHT)
    factor = {o.name: float(o.factor) for o in spec.outputs}
    return made.value[records.observed].reshape(len(days), -1) / [factor[n] for n in names]


def person(one: Patients) -> tuple[dict[str, float], dict[str, float]]:
    """The covariates and random effects of the first patient, by the names of the joined model."""
    r = runner()
    covariates = {c.name: float(v) for c, v in zip(r.mechanism.covariates, one.covariates[0], strict=True)}
    covariates |= {c.name: float(v) for c, v in zip(r.kinetics.covariates, one.pk_covariates[0], strict=True)}
    covariates |= dict.fromkeys(DRIVEN, 0.0)
    del covariates["sorafenib"]
    effects = dict(zip(r.mechanism.subject_effects, one.effects[0].tolist(), strict=True))
    names = (*r.kinetics.subject_effects, *r.kinetics.occasion_effects)
    return covariates, effects | dict(zip(names, one.pk_effects[0].tolist(), strict=True))


def test_the_engine_finds_what_the_exact_run_finds_dose_by_dose() -> None:
    """A virtual patient with all his random effects, 400 mg twice daily for four days: outputs to 1e-6."""
    r, one, days = runner(), patients(1), [0.5, 2.0, 4.0]
    covariates, effects = person(one)
    doses = [DoseEvent(time_h=0.0, amount_mg=400.0, interval_h=12.0, additional=8)]
    outputs = [*r.output_names, "sorafenib"]
    found = engine_course(joined(), {"doses": doses, "covariates": covariates}, effects, days, outputs)
    exact = exact_course(
        r,
        **one.row(0),
        doses=[(12.0 * k, 400.0) for k in range(9)],
        sample_days=days,
        tolerance=1e-10,
    )
    exact[:, [outputs.index(n) for n in HAZARDS]] *= 24.0
    np.testing.assert_allclose(found, exact, rtol=ENGINE_TOLERANCE)


@pytest.mark.parametrize("level", [0.0, 2.0, 6.0])
def test_the_engine_follows_a_year_at_one_level_as_an_explicit_solver_does(level: float) -> None:
    """DOP853 at 1e-11 on the loop's own code; a session of TACE on day 30, progression seen on day 84."""
    from scipy.integrate import solve_ivp

    r = runner("python")
    module, layout, theta = r.module, r.layout, r.theta()
    cov = np.array([c.default or 0.0 for c in r.mechanism.covariates])
    place = {c.name: i for i, c in enumerate(r.mechanism.covariates)}
    cov[place["sorafenib"]] = level
    eta, personal = np.zeros(len(r.mechanism.subject_effects)), np.zeros(layout.n_personal)
    module.personal_values(theta, cov, eta, personal)
    x, f, d = np.zeros(layout.n_states), np.zeros(layout.n_states), np.zeros(layout.n_states)
    module.start(theta, cov, eta, personal, x)

    def slope(_: float, y: Floats) -> Floats:
        module.rates(theta, cov, eta, personal, y, f, d)
        return f.copy()

    days, rows, y = [28.0, 56.0, 120.0, 364.0], list[Floats](), np.zeros(len(layout.outputs))
    tace = [s.name for s in r.mechanism.states].index("tace")
    begun = 0.0
    for end in sorted({*days, 30.0, 84.0}):
        made: Any = solve_ivp(slope, (24.0 * begun, 24.0 * end), x, method="DOP853", rtol=1e-11, atol=1e-13)
        assert made.success
        x, begun = made.y[:, -1].copy(), end
        if end in days:
            module.observe(theta, cov, eta, personal, x, y)
            rows.append(y.copy())
        elif end == 30.0:
            x[tace] += 1.0
        else:
            cov[place["progressed"]] = 1.0
            module.personal_values(theta, cov, eta, personal)
    expected = np.array(rows)
    expected[:, [layout.outputs.index(n) for n in HAZARDS]] *= 24.0
    record = {
        "doses": [DoseEvent(time_h=24.0 * 30.0, amount_mg=1.0, compartment="tace")],
        "covariates": {"sorafenib": level},
        "changes": [
            CovariateValues(time_h=24.0 * day, values={"progressed": seen})
            for day, seen in ((0.0, 0.0), (84.0, 1.0))
        ],
    }
    found = engine_course(load_model(MECHANISM), record, {}, days, list(layout.outputs))
    np.testing.assert_allclose(found, expected, rtol=ENGINE_TOLERANCE, atol=1e-10)


def test_the_patient_loop_stays_within_its_error_of_the_engine() -> None:
    """Steps of up to 3.5 days with the mean exposure, after eight weeks: the sum of diameters to 0.2 %."""
    r, days = runner(), 56.0
    arm = Arm(name="fixed", levels=(DoseLevel(dose_mg=400.0),), stop_at_progression=0.0, liver_stop=1e6)
    protocol = Protocol(visit_days=(), horizon_days=days + 1, criteria=read_criteria(), step_days=3.5)
    several = without_limits(patients(3))
    ours = r.run(several, arm, protocol, sample_days=(days,), threads=1).sampled[:, 0, 0]
    doses = [DoseEvent(time_h=0.0, amount_mg=400.0, interval_h=12.0, additional=round(2 * days) - 1)]
    for i, size in enumerate(ours):
        covariates, effects = person(several.take(np.array([i])))
        record = {"doses": doses, "covariates": covariates}
        exact = engine_course(joined(), record, effects, [days], ["sum_of_diameters_seen"])[0, 0]
        assert size == pytest.approx(exact, rel=LOOP_TOLERANCE)


def test_more_exposure_leaves_a_smaller_tumour_and_more_toxicity() -> None:
    """After twelve weeks at 0 to 12 mg/L size falls and the hazard of dose-limiting toxicity rises."""
    courses = [
        engine_course(
            load_model(MECHANISM),
            {
                "covariates": {"sorafenib": level},
                "changes": [CovariateValues(time_h=0.0, values={"sorafenib": level})],
            },
            {},
            [84.0],
            ["sum_of_diameters_seen", "limiting_hazard"],
        )[0]
        for level in (0.0, 0.5, 2.0, 4.0, 8.0, 12.0)
    ]
    size, toxicity = np.array(courses).T
    assert np.all(np.diff(size) < 0.0)
    assert np.all(np.diff(toxicity) > 0.0)
