"""Exposure averaged over models: weights by the marginal likelihood, against normal theory and simulation."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from troughline.model.build import DoseEvent, PatientRecord, Sample, records_from
from troughline.model.model import Model
from troughline.model.read import read_model
from troughline.pk.averaging import AveragedExposure, Candidate, averaged_exposure, weigh_models
from troughline.pk.exposure import ExposureQuery, exposure_draws
from troughline.pk.individual import estimate_individuals
from troughline.pk.posterior import PosteriorOptions, draw_posterior

Floats = NDArray[np.float64]
TEXT = """
[model]
id = "test/NAME"
title = "One compartment"
drug = "test"
revision = 1
source = "here"
[sources.here]
citation = "Numbers chosen for this test"
[parameters]
CL_pop = { value = CLEARANCE, unit = "L/h" }
V = { value = 40, unit = "L" }
[[random]]
level = "subject"
effects = ["eta"]
variance = [0.04]
[individual]
CL = "CL_pop * exp(eta)"
[compartments]
central = {}
[[flows]]
from = "central"
rate = "CL / V"
[[doses]]
compartment = "central"
[outputs.OUTPUT]
prediction = "central / V"
unit = "UNIT"
error = { kind = "ERROR", proportional = "0.1" }
lower_limit = LIMIT
"""


@cache
def model(
    name: str, clearance: float, output: str = "plasma", unit: str = "mg/L", error: str = "proportional"
) -> Model:
    text = TEXT
    written = {"NAME": name, "CLEARANCE": str(clearance), "OUTPUT": output, "UNIT": unit, "ERROR": error}
    for old, new in {**written, "LIMIT": "50" if unit == "ug/L" else "0.05"}.items():
        text = text.replace(old, new)
    spec, found = read_model(text, file="average.toml")
    assert spec is not None, [str(f) for f in found.items]
    return Model(spec)


def slow() -> Model:
    return model("slow", 3.0)


def fast() -> Model:
    return model("fast", 8.0)


def level(time_h: float, clearance: float) -> float:
    return 2.5 * math.exp(-clearance / 40 * time_h)


def candidate(
    of: Model, patients: list[list[tuple[float, float | None]]], weight: float = 1.0, **options: Any
) -> Candidate:
    """Patients who took 100 mg, with samples (time, level in mg/L; None: below 0.05)."""
    spec = of.spec
    scale = 1000.0 if spec.outputs[0].unit == "ug/L" else 1.0
    records = records_from(
        [
            PatientRecord(
                patient=f"P{k}",
                doses=(DoseEvent(time_h=0, amount_mg=100),),
                samples=[
                    Sample(time_h=t, value=None if y is None else y * scale, below_limit=y is None)
                    for t, y in samples
                ],
            )
            for k, samples in enumerate(patients)
        ],
        spec,
    )
    posterior = draw_posterior(
        of, records, estimate_individuals(of, records), options=PosteriorOptions(**{"draws": 4000, **options})
    )
    return Candidate(model=of, records=records, posterior=posterior, weight=weight)


def test_the_true_model_takes_the_weight_as_samples_come() -> None:
    """One sample leaves doubt for many; with eight the model that they were drawn from has nearly all."""
    rng = np.random.default_rng(9)
    few, many = [], []
    for _ in range(60):
        clearance = 3.0 * math.exp(0.2 * rng.standard_normal())
        samples = [
            (t, level(t, clearance) * (1 + 0.1 * rng.standard_normal()))
            for t in (2, 5, 8, 12, 16, 20, 24, 30)
        ]
        few.append(samples[:1])
        many.append(samples)
    doubt = weigh_models([candidate(slow(), few, draws=50), candidate(fast(), few, draws=50)])
    sure = weigh_models([candidate(slow(), many, draws=50), candidate(fast(), many, draws=50)])
    assert sure.weights[:, 0].mean() > 0.97
    assert np.median(sure.weights[:, 0]) > 0.999
    assert 0.6 < doubt.weights[:, 0].mean() < 0.95
    assert doubt.effective_models.mean() > 1.3
    assert sure.effective_models.mean() < 1.05
    np.testing.assert_allclose(sure.weights.sum(axis=1), 1)


def test_the_weight_is_that_of_quadrature() -> None:
    """One level under two models with one effect each; 0.01, within the error that is reported."""
    y, time_h = 0.75, 9.0
    eta = np.linspace(-1.4, 1.4, 4001)
    step = eta[1] - eta[0]

    def marginal(clearance: float) -> float:
        f = 2.5 * np.exp(-clearance * np.exp(eta) / 40 * time_h)
        return float(np.sum(stats.norm.pdf(y, f, 0.1 * f) * stats.norm.pdf(eta, 0, 0.2)) * step)

    exact = 2 * marginal(3.0) / (2 * marginal(3.0) + marginal(8.0))
    found = weigh_models(
        [
            candidate(slow(), [[(time_h, y)]], 2.0, proposals=4000),
            candidate(fast(), [[(time_h, y)]], proposals=4000),
        ]
    )
    assert 0.1 < exact < 0.9
    assert found.weights[0, 0] == pytest.approx(exact, abs=0.01)
    assert 0 < found.error[0] < 0.01
    assert found.models == ("test/slow", "test/fast")
    share = found.weights[0]
    assert found.effective_models[0] == pytest.approx(math.exp(-float(np.sum(share * np.log(share)))))


def test_equal_models_have_their_prior_weights() -> None:
    """Whatever the samples, and exactly where there are none."""
    same = [
        candidate(slow(), [[(4.0, 1.7), (9.0, 1.2)], []], weight=w, seed=s) for w, s in ((1.0, 1), (3.0, 2))
    ]
    found = weigh_models(same)
    assert found.weights[0] == pytest.approx([0.25, 0.75], abs=0.02)
    assert found.weights[1] == pytest.approx([0.25, 0.75], abs=1e-12)
    assert found.error[1] == 0


def test_the_scale_of_the_error_and_the_unit_do_not_tip_the_weights() -> None:
    """The same levels in µg/L, or with an error on the log scale, are the same evidence (log-normal 10 %)."""
    patients: list[list[tuple[float, float | None]]] = [[(4.0, 1.7), (9.0, 1.1)], [(20.0, 0.5), (80.0, None)]]
    micro = candidate(model("micro", 3.0, unit="ug/L"), patients, seed=2)
    found = weigh_models([candidate(slow(), patients), micro])
    np.testing.assert_allclose(found.weights, 0.5, atol=0.02)
    assert "units differ" in found.statement
    logged = weigh_models(
        [candidate(slow(), patients), candidate(model("log", 3.0, error="exponential"), patients)]
    )
    np.testing.assert_allclose(logged.weights, 0.5, atol=0.12)


QUERIES = [ExposureQuery(quantity="at", end=30.0), ExposureQuery(quantity="auc", start=0, end=500)]


def averaged(candidates: list[Candidate], **more: Any) -> AveragedExposure:
    return averaged_exposure(candidates, weigh_models(candidates), 0, QUERIES, draws=4000, **more)


def test_pooled_draws_are_the_mixture_of_the_models() -> None:
    """Their distribution is Σ w F within 0.03; each model gives w of them; seeds decide."""
    both = [candidate(slow(), [[(9.0, 0.9)]], 2.0), candidate(fast(), [[(9.0, 0.9)]])]
    found = averaged(both)
    share = found.weights
    assert np.bincount(found.model) == pytest.approx(share * 4000, abs=1)
    parts = [exposure_draws(c.model, c.records, 0, c.posterior.draws[0], QUERIES)[:, 0] for c in both]
    for x in np.quantile(found.draws[:, 0], [0.1, 0.5, 0.9]):
        mixture = sum(w * np.mean(part <= x) for w, part in zip(share, parts, strict=True))
        assert np.mean(found.draws[:, 0] <= x) == pytest.approx(mixture, abs=0.03)
    for k, part in enumerate(parts):
        assert np.isin(found.draws[found.model == k, 0], part).all()
    assert found.effective_draws == pytest.approx(1 / np.sum(share**2 / found.effective))
    np.testing.assert_array_equal(averaged(both).draws, found.draws)
    assert not np.array_equal(averaged(both, seed=1).draws, found.draws)


def test_what_cannot_be_compared_is_refused() -> None:
    one = candidate(slow(), [[(4.0, 1.7)]])
    with pytest.raises(ValueError, match="at least two"):
        weigh_models([one])
    with pytest.raises(ValueError, match="must be positive"):
        weigh_models([one, replace(one, weight=0.0)])
    with pytest.raises(ValueError, match="different samples of 'P0'"):
        weigh_models([one, candidate(fast(), [[(4.0, 1.8)]])])
    with pytest.raises(ValueError, match="different samples of 'P0'"):
        weigh_models([one, candidate(fast(), [[(4.0, 1.7), (5.0, 1.5)]])])
    with pytest.raises(ValueError, match="different patients"):
        weigh_models([one, candidate(fast(), [[(4.0, 1.7)], []])])
    with pytest.raises(ValueError, match="name one of its outputs"):
        weigh_models([one, replace(one, output="urine")])


def test_outputs_that_measure_different_things_are_not_averaged() -> None:
    text = TEXT.replace('prediction = "central / V"', 'prediction = "central"').replace('"UNIT"', '"mg"')
    for old, new in {"NAME": "amount", "CLEARANCE": "3", "OUTPUT": "body", "ERROR": "proportional",
                     "LIMIT": "0.05"}.items():  # fmt: skip
        text = text.replace(old, new)
    spec, found = read_model(text, file="amount.toml")
    assert spec is not None, [str(f) for f in found.items]
    with pytest.raises(ValueError, match="cannot be averaged"):
        weigh_models([candidate(slow(), [[(4.0, 1.7)]]), candidate(Model(spec), [[(4.0, 1.7)]])])


def test_a_patient_whom_one_model_cannot_explain_has_no_weights() -> None:
    """The reason names the model; the statement says when the outputs' names differ."""
    other = candidate(model("renamed", 8.0, output="serum"), [[(4.0, 1.7)], [(4.0, 1.7)]])
    lost = replace(other.posterior, log_marginal=np.array([math.nan, -1.0]), method=("none", "importance"))
    both = [candidate(slow(), [[(4.0, 1.7)], [(4.0, 1.7)]]), replace(other, posterior=lost)]
    found = weigh_models(both)
    assert np.isnan(found.weights[0]).all()
    assert np.isnan(found.effective_models[0])
    assert found.weights[1].sum() == pytest.approx(1)
    assert found.reasons == {"P0": "no marginal likelihood under test/renamed (none)"}
    assert "different names" in found.statement
    with pytest.raises(ValueError, match="no marginal likelihood under test/renamed"):
        averaged_exposure(both, found, 0, [ExposureQuery(quantity="at", end=3.0)])
