"""Joint model: its likelihood against brute force, its score, the known truth, and predicted survival."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

from tests.unit import joint_sample
from tests.unit.joint_sample import Sample, simulate
from troughline.survival.changing_covariates import changing_cox, measured_rows
from troughline.survival.joint_likelihood import evaluate, hermite_nodes, interval_areas, joint_data
from troughline.survival.joint_model import JointModelError, JointModelFit, fit_joint_model
from troughline.survival.joint_prediction import predict_survival
from troughline.survival.marker_histories import marker_histories


def fitted(sample: Sample, **options: Any) -> JointModelFit:
    return fit_joint_model(
        sample.time,
        sample.event,
        sample.patient,
        sample.who,
        sample.at,
        sample.marker,
        covariates=sample.treated,
        covariate_names=["treated"],
        **options,
    )


@pytest.fixture(scope="module")
def sample() -> Sample:
    return simulate(400, 1)


@pytest.fixture(scope="module")
def fit(sample: Sample) -> JointModelFit:
    return fitted(sample, intervals=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A patient's likelihood from its definition on 121 × 121 lines, six standard deviations either way."""

    lines: np.ndarray
    weight: np.ndarray
    fit: JointModelFit
    treated: float

    def log_hazard(self, t: np.ndarray) -> np.ndarray:
        """Written out anew from the fit's printed results, the marker on its own scale: (lines, times)."""
        k = np.searchsorted(self.fit.cuts, t, side="left")
        value = self.lines[:, :1] + self.lines[:, 1:] * t
        shift = self.fit.hazard_terms[0].coefficient * self.treated
        return np.log(self.fit.baseline[k]) + shift + self.fit.association.coefficient * value

    def survival(self, t: float) -> np.ndarray:
        """By Gauss–Legendre with 20 points between the cuts."""
        x, w = np.polynomial.legendre.leggauss(20)
        edges = [0.0, *[c for c in self.fit.cuts.tolist() if c < t], t]
        total = np.zeros(len(self.lines))
        for a, b in pairwise(edges):
            total += np.exp(self.log_hazard((a + b) / 2 + (b - a) / 2 * x)) @ w * (b - a) / 2
        return np.exp(-total)


def grid(fit: JointModelFit, at: np.ndarray, y: np.ndarray, treated: float) -> Grid:
    """Lines and p(y, b) db."""
    spread = 6 * np.sqrt(np.diag(fit.between))
    b0, b1 = (np.linspace(-s, s, 121) for s in spread)
    b = np.stack(np.meshgrid(b0, b1, indexing="ij"), axis=-1).reshape(-1, 2)
    lines = np.array([t.value for t in fit.marker_terms]) + b
    weight = multivariate_normal.pdf(b, [0, 0], fit.between) * (b0[1] - b0[0]) * (b1[1] - b1[0])
    weight = weight * np.prod(norm.pdf(y, lines[:, :1] + lines[:, 1:] * at, fit.residual), axis=1)
    return Grid(lines=lines, weight=weight, fit=fit, treated=treated)


def test_the_likelihood_is_that_of_brute_force(sample: Sample, fit: JointModelFit) -> None:
    """The whole log-likelihood at the estimate, from the definition, to 0.001 of about 1,000: 100
    patients.
    """
    sample = simulate(100, 2)
    fit = fitted(sample, intervals=3, nodes=15)
    expected = 0.0
    for i in range(100):
        mine = sample.who == i
        g = grid(fit, sample.at[mine], sample.marker[mine], sample.treated[i])
        t = sample.time[i : i + 1]
        joint = g.weight * g.survival(float(t[0]))
        if sample.event[i]:
            joint *= np.exp(g.log_hazard(t))[:, 0]
        expected += float(np.log(joint.sum()))
    assert fit.log_likelihood == pytest.approx(expected, abs=0.001)
    # Nine nodes a direction against fifteen.
    coarser = fitted(sample, intervals=3)
    assert coarser.log_likelihood == pytest.approx(expected, abs=0.02)
    assert coarser.association.coefficient == pytest.approx(fit.association.coefficient, abs=0.003)


def test_a_singular_covariance_of_the_lines_does_no_harm() -> None:
    """A cohort whose marker alone gives a correlation of 1 between level and slope is fitted like any
    other.
    """
    sample = simulate(250, 54, visit_every=2.0, residual=0.9)
    fit = fitted(sample, intervals=3)
    alone = fit.marker_alone.between
    assert alone[0, 1] ** 2 / (alone[0, 0] * alone[1, 1]) > 0.999
    error = fit.association.standard_error
    assert abs(fit.association.coefficient - joint_sample.ASSOCIATION) < 3 * error < 1


@pytest.mark.parametrize("with_slope", [False, True])
def test_the_score_is_the_derivative_of_the_likelihood(sample: Sample, with_slope: bool) -> None:
    """Against central differences, at a point away from the maximum, every parameter."""
    histories = marker_histories(
        sample.patient, sample.who, sample.at, sample.marker,
        covariates=sample.treated, covariate_names=["treated"],
    )  # fmt: skip
    data = joint_data(
        sample.time,
        sample.event,
        sample.treated[:, None],
        histories,
        np.array([1.0, 3.0]),
        with_slope=with_slope,
    )
    point = np.array([-0.3, 0.1, 0.05, -1.0, 0.7, 0.05, 0.2, 0.3, 0.6, 0.4, -3.0, -2.8, -2.5])
    if not with_slope:
        point = np.delete(point, 9)
    nodes = hermite_nodes(np.zeros((400, 2)), np.tile(np.eye(2), (400, 1, 1)), 7)
    score = evaluate(point, data, nodes).score.sum(axis=0)
    for k in range(point.size):
        step = np.zeros_like(point)
        step[k] = 1e-5
        up = evaluate(point + step, data, nodes).log_likelihood.sum()
        down = evaluate(point - step, data, nodes).log_likelihood.sum()
        assert score[k] == pytest.approx((up - down) / 2e-5, rel=1e-5, abs=1e-3)


def test_areas_under_exponentials_are_exact() -> None:
    """Rates of 0, near 0, at the change of formula and large, against quadrature."""
    for rate in (0.0, 1e-9, -1e-4, 0.19, 0.2, 0.21, -2.0, 5.0):
        area, moment = interval_areas(np.array(rate), np.array(2.0), np.array(1.5))
        assert area == pytest.approx(quad(lambda s, c=rate: np.exp(c * s), 0.5, 3.5)[0], rel=1e-12)
        assert moment == pytest.approx(quad(lambda s, c=rate: s * np.exp(c * s), 0.5, 3.5)[0], rel=1e-12)


def test_the_truth_is_inside_the_intervals(fit: JointModelFit) -> None:
    """400 simulated patients: association, treatment, marker and hazard within 3 standard errors of the
    truth.
    """
    truth = joint_sample
    for value, error, true in (
        (fit.association.coefficient, fit.association.standard_error, truth.ASSOCIATION),
        (fit.hazard_terms[0].coefficient, fit.hazard_terms[0].standard_error, truth.TREATMENT),
        (fit.marker_terms[0].value, fit.marker_terms[0].standard_error, truth.LEVEL),
        (fit.marker_terms[1].value, fit.marker_terms[1].standard_error, truth.SLOPE),
        *(
            (float(np.log(b)), float(e), float(np.log(truth.BASELINE)))
            for b, e in zip(fit.baseline, fit.log_baseline_standard_error, strict=True)
        ),
    ):
        assert abs(value - true) < 3 * error
        assert error < 0.5
    assert fit.residual == pytest.approx(truth.RESIDUAL, rel=0.05)
    np.testing.assert_allclose(fit.between, truth.BETWEEN, atol=0.12)


def test_the_last_value_carried_forward_understates_what_the_joint_model_finds() -> None:
    """Over eight cohorts with a noisy marker seen rarely: the mean Cox coefficient is nearer to 0."""
    joint: list[float] = []
    carried: list[float] = []
    for seed in range(8):
        s = simulate(250, 50 + seed, visit_every=2.0, residual=0.9)
        joint.append(fitted(s, intervals=3, nodes=7).association.coefficient)
        rows = measured_rows(s.time, s.event, s.patient, s.who, s.at, s.marker, ["marker"])
        cox = changing_cox(rows, covariates=s.treated, covariate_names=["treated"]).cox
        carried.append(float(cox.coefficients[0]))
    assert abs(np.mean(joint) - joint_sample.ASSOCIATION) < 0.15
    assert np.mean(carried) < np.mean(joint) - 0.2


def test_predicted_survival_is_that_of_brute_force(sample: Sample, fit: JointModelFit) -> None:
    """E[S(u | b)] / E[S(t | b)] over p(b | y), from the definition, for one patient."""
    i = int(np.flatnonzero(sample.time > 3)[0])
    mine = (sample.who == i) & (sample.at <= 2)
    at, y = sample.at[mine], sample.marker[mine]
    g = grid(fit, at, y, sample.treated[i])
    expected = float(g.weight @ g.survival(5.0)) / float(g.weight @ g.survival(2.0))
    found = predict_survival(
        fit, at, y, 2.0, [2.0, 5.0], covariates=[sample.treated[i]], rng=np.random.default_rng(1)
    )
    assert found.survival[0] == pytest.approx(1)
    assert found.survival[1] == pytest.approx(expected, rel=1e-4)
    assert found.low[1] < found.survival[1] < found.high[1]


def test_predictions_are_calibrated_in_new_patients(fit: JointModelFit) -> None:
    """150 new patients alive at 1: of the sum of predicted risks by 3 the events are within 3 standard
    errors.
    """
    new = simulate(220, 7)
    alive = np.flatnonzero((new.time > 1) & ~((new.time <= 3) & ~new.event))[:150]
    risks: list[float] = []
    for i in alive.tolist():
        mine = (new.who == i) & (new.at <= 1)
        found = predict_survival(
            fit, new.at[mine], new.marker[mine], 1.0, [3.0], covariates=[new.treated[i]],
            rng=np.random.default_rng(i), draws=1,
        )  # fmt: skip
        risks.append(1 - float(found.survival[0]))
    p = np.asarray(risks)
    events = int(((new.time <= 3) & new.event)[alive].sum())
    assert abs(events - p.sum()) < 3 * np.sqrt((p * (1 - p)).sum())


def test_a_prediction_does_not_look_ahead_or_beyond(fit: JointModelFit) -> None:
    rng = np.random.default_rng(1)
    with pytest.raises(ValueError, match=r"measurement 1 at 2 is later than since = 1\.5"):
        predict_survival(fit, [0, 2], [1, 1], 1.5, [3], covariates=[1], rng=rng)
    with pytest.raises(ValueError, match="the longest follow-up of the fit"):
        predict_survival(fit, [0], [1], 1.5, [50], covariates=[1], rng=rng)
    with pytest.raises(ValueError, match="0 covariates and 0 marker covariates; the fit has 1 and 0"):
        predict_survival(fit, [0], [1], 1.5, [3], rng=rng)
    without = predict_survival(fit, [], [], 0.0, [3], covariates=[1], rng=rng)
    assert 0 < without.low[0] < without.survival[0] < without.high[0] < 1
    assert without.intercept == pytest.approx(fit.marker_terms[0].value, abs=1e-6)


def test_what_cannot_be_fitted_is_refused(sample: Sample) -> None:
    late = sample.at.copy()
    late[3] = 50.0
    with pytest.raises(ValueError, match="measurement 3: 50 is after the follow-up"):
        fit_joint_model(sample.time, sample.event, sample.patient, sample.who, late, sample.marker)
    with pytest.raises(JointModelError, match="no event among"):
        fit_joint_model(sample.time, np.zeros(400), sample.patient, sample.who, sample.at, sample.marker)
    with pytest.raises(JointModelError, match="no event between"):
        fitted(sample, cuts=[1e-6, 2])
    with pytest.raises(ValueError, match="cuts must rise"):
        fitted(sample, cuts=[3, 2])
    first = sample.at == 0
    with pytest.raises(ValueError, match="nobody was measured twice"):
        fit_joint_model(
            sample.time,
            sample.event,
            sample.patient,
            sample.who[first],
            sample.at[first],
            sample.marker[first],
        )
