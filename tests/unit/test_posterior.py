"""Posteriors of individual effects against exact answers: normal theory, and quadrature on a grid.

Tolerances are four standard errors of the draws unless they say otherwise.
"""

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
from troughline.model.records import Records, records_slice
from troughline.pk.individual import EstimateOptions, estimate_individuals
from troughline.pk.marginal import bridge_estimate
from troughline.pk.posterior import Posterior, PosteriorOptions, draw_posterior
from troughline.pk.sampler import chain_size

Floats = NDArray[np.float64]

COVARIANCE = np.array([[0.25, 0.1], [0.1, 0.2]])
KAPPA_SD, LINE_SD, BENT_SD, SHARE, LIMIT = 0.3, 0.4, 0.25, 0.2, 0.35
TEXT = """
[model]
id = "test/posterior"
title = "Outputs whose posteriors can be worked out"
drug = "test"
revision = 1
source = "here"
[sources.here]
citation = "Numbers chosen for this test"
[parameters]
A = { value = 3, unit = "mg/L" }
B = { value = 0.1, unit = "mg/L/h" }
one = { value = 1, unit = "mg/L" }
slope = { value = 1, unit = "mg/L/h" }
CL_pop = { value = 2, unit = "L/h" }
V = { value = 10, unit = "L" }
[[random]]
level = "subject"
effects = ["eta_a", "eta_b"]
covariance = [[0.25, 0.1], [0.1, 0.2]]
[[random]]
level = "subject"
effects = ["eta_none"]
variance = [0]
[[random]]
level = "occasion"
effects = ["kappa"]
sd = [0.3]
[individual]
start = "A + one * (eta_a + kappa + eta_none)"
rise = "B + slope * eta_b / 10"
CL = "CL_pop * exp(eta_a + eta_none)"
bend = "one * (4 * eta_a^2 + eta_b)"
[compartments]
central = {}
[[flows]]
from = "central"
rate = "CL / V"
[[doses]]
compartment = "central"
[outputs.line]
prediction = "start + rise * t"
unit = "mg/L"
error = { kind = "additive", additive = "0.4[mg/L]" }
[outputs.decay]
prediction = "central / V"
unit = "mg/L"
error = { kind = "proportional", proportional = "0.2" }
lower_limit = 0.35
[outputs.logged]
prediction = "central / V"
unit = "mg/L"
error = { kind = "exponential", proportional = "0.2" }
[outputs.bent]
prediction = "bend"
unit = "mg/L"
error = { kind = "additive", additive = "0.25[mg/L]" }
"""
MANY = PosteriorOptions(
    draws=20_000, proposals=20_000, most_proposals=20_000, least_effective=1, new_occasions=1
)
CHAINS = PosteriorOptions(draws=8000, proposals=200, most_proposals=2000, least_effective=10**9)


@cache
def model() -> Model:
    spec, found = read_model(TEXT, file="posterior.toml")
    assert spec is not None, [str(f) for f in found.items]
    return Model(spec)


def patient(name: str, *samples: Sample, occasions_after: int = 0) -> PatientRecord:
    """One with a dose of 50 mg at time 0 and, after the samples, empty occasions."""
    last = max((s.time_h for s in samples), default=0.0)
    after = [
        Sample(time_h=last + 24 * (k + 1), output="line", occasion=k + 1) for k in range(occasions_after)
    ]
    return PatientRecord(patient=name, doses=(DoseEvent(time_h=0, amount_mg=50),), samples=(*samples, *after))


def sample(time_h: float, value: float | None, output: str, occasion: int = 0, **more: Any) -> Sample:
    return Sample(time_h=time_h, value=value, output=output, occasion=occasion, **more)


def posterior_of(
    *patients: PatientRecord, options: PosteriorOptions = MANY, estimate: EstimateOptions | None = None
) -> Posterior:
    records = records_from(patients, model().spec)
    individuals = estimate_individuals(model(), records, options=estimate)
    return draw_posterior(model(), records, individuals, options=options)


LINE = (
    sample(1, 3.9, "line"),
    sample(6, 4.1, "line"),
    sample(30, 9.0, "line", 1),
    sample(40, 10.5, "line", 1),
)


def exact_line(inflation: float = 1.0) -> tuple[Floats, Floats, float]:
    """Mean and covariance of (eta_a, eta_b, kappa@1, kappa@2) and log p(y) by normal theory."""
    h = np.array([[1, 0.1, 1, 0], [1, 0.6, 1, 0], [1, 3.0, 0, 1], [1, 4.0, 0, 1]])
    y = np.array([3.9, 4.1, 9.0, 10.5]) - (3 + 0.1 * np.array([1, 6, 30, 40]))
    prior = np.zeros((4, 4))
    prior[:2, :2] = COVARIANCE
    prior[2:, 2:] = KAPPA_SD**2 * np.eye(2)
    prior *= inflation
    whole = h @ prior @ h.T + LINE_SD**2 * np.eye(4)
    gain = prior @ h.T @ np.linalg.inv(whole)
    return gain @ y, prior - gain @ h @ prior, float(stats.multivariate_normal(cov=whole).logpdf(y))


GRID = 1201


@cache
def axes() -> tuple[Floats, Floats, Floats]:
    """A grid of (eta_a, eta_b) and the log prior with the cell's size (both axes, density)."""
    a, b = np.linspace(-3.5, 3.5, GRID), np.linspace(-3.2, 3.2, GRID)
    a, b = np.meshgrid(a, b, indexing="ij")
    log_prior = stats.multivariate_normal(cov=COVARIANCE).logpdf(np.dstack([a, b]))
    return a, b, log_prior + math.log((7.0 / (GRID - 1)) * (6.4 / (GRID - 1)))


def by_quadrature(log_likelihood: Any) -> tuple[Floats, Floats, Floats, Floats, float]:
    """Mean, covariance, cumulative distribution of eta_a (values, probabilities), and log p(y)."""
    a, b, log_prior = axes()
    log = log_prior + log_likelihood(a, b)
    top = log.max()
    weight = np.exp(log - top)
    total = weight.sum()
    weight /= total
    mean = np.array([(weight * a).sum(), (weight * b).sum()])
    d = np.stack([a - mean[0], b - mean[1]])
    covariance = np.einsum("ixy,jxy,xy->ij", d, d, weight)
    cells = weight.sum(axis=1)
    return mean, covariance, a[:, 0], np.cumsum(cells) - cells / 2, float(top + math.log(total))


def normal(y: float, f: Floats, sd: Floats | float) -> Floats:
    return stats.norm.logpdf(y, f, sd)


def decay(time_h: float, a: Floats) -> Floats:
    return 5 * np.exp(-0.2 * np.exp(a) * time_h)


def assert_moments(draws: Floats, effective: float, mean: Floats, covariance: Floats) -> None:
    """Mean and SD of draws (n, k) within four standard errors; correlations within 0.06."""
    sd = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose((draws.mean(axis=0) - mean) / sd, 0, atol=4 / math.sqrt(effective))
    kurtosis = 3.0
    error = 4 * math.sqrt((kurtosis - 1) / 4 / effective) + 0.01
    np.testing.assert_allclose(draws.std(axis=0) / sd, 1, atol=error)
    np.testing.assert_allclose(np.corrcoef(draws.T), covariance / np.outer(sd, sd), atol=0.06)


@pytest.mark.parametrize("inflation", [1.0, 4.0])
@pytest.mark.parametrize("options", [MANY, CHAINS], ids=["importance", "chains"])
def test_a_normal_posterior_is_that_of_normal_theory(options: PosteriorOptions, inflation: float) -> None:
    """Linear predictions, additive error: mean, covariance and log p(y) (0.02) in closed form; Ω × 4 too."""
    found = posterior_of(
        patient("P", *LINE), options=options, estimate=EstimateOptions(prior_inflation=inflation)
    )
    mean, covariance, log_marginal = exact_line(inflation)
    own = found.draws[0][:, [0, 1, 3, 4]]
    assert_moments(own, found.effective[0], mean, covariance)
    assert found.log_marginal[0] == pytest.approx(log_marginal, abs=0.02)
    assert found.log_marginal_error[0] < 0.02
    assert found.method[0] == ("importance" if options is MANY else "metropolis")
    assert np.isnan(found.acceptance[0]) == (options is MANY)
    assert (found.draws[0][:, 2] == 0).all()


@pytest.mark.parametrize("options", [MANY, CHAINS], ids=["importance", "chains"])
def test_a_posterior_that_is_not_normal_is_that_of_quadrature(options: PosteriorOptions) -> None:
    """Proportional error, one level early and one late: mean, SD, quantiles, log p(y) (0.02)."""
    found = posterior_of(patient("P", sample(2, 4.1, "decay"), sample(20, 0.9, "decay")), options=options)

    def log_likelihood(a: Floats, _: Floats) -> Floats:
        early, late = decay(2, a), decay(20, a)
        return normal(4.1, early, SHARE * early) + normal(0.9, late, SHARE * late)

    mean, covariance, values, probability, log_marginal = by_quadrature(log_likelihood)
    assert_moments(found.draws[0][:, :2], found.effective[0], mean, covariance)
    for share in (0.05, 0.25, 0.5, 0.75, 0.95):
        exact = np.interp(share, probability, values)
        error = math.sqrt(share * (1 - share) / found.effective[0]) / stats.norm.pdf(stats.norm.ppf(share))
        got = np.quantile(found.draws[0][:, 0], share)
        assert got == pytest.approx(exact, abs=4 * error * math.sqrt(covariance[0, 0]))
    assert found.log_marginal[0] == pytest.approx(log_marginal, abs=0.02)


@pytest.mark.parametrize("options", [MANY, CHAINS], ids=["importance", "chains"])
def test_a_level_below_the_limit_tells_that_it_is_below(options: PosteriorOptions) -> None:
    """M3: Φ((L − f)/σf) beside one quantified level, by quadrature."""
    found = posterior_of(
        patient("P", sample(2, 4.1, "decay"), sample(14, None, "decay", below_limit=True)), options=options
    )

    def log_likelihood(a: Floats, _: Floats) -> Floats:
        early, late = decay(2, a), decay(14, a)
        return normal(4.1, early, SHARE * early) + stats.norm.logcdf((LIMIT - late) / (SHARE * late))

    mean, covariance, _, _, log_marginal = by_quadrature(log_likelihood)
    assert_moments(found.draws[0][:, :2], found.effective[0], mean, covariance)
    assert found.log_marginal[0] == pytest.approx(log_marginal, abs=0.02)


@pytest.mark.parametrize("options", [MANY, CHAINS], ids=["importance", "chains"])
def test_both_arms_of_a_bent_posterior_are_found(options: PosteriorOptions) -> None:
    """4a² + b = 1.8 ± 0.25: two separate arms, of which the peak is in one; shares, moments, log p(y)."""
    found = posterior_of(patient("P", sample(1, 1.8, "bent")), options=options)
    mean, covariance, values, probability, log_marginal = by_quadrature(
        lambda a, b: normal(1.8, 4 * a**2 + b, BENT_SD)
    )
    assert_moments(found.draws[0][:, :2], found.effective[0], mean, covariance)
    left = float(np.interp(0.0, values, probability))
    assert 0.3 < left < 0.7
    error = 4 * math.sqrt(left * (1 - left) / found.effective[0])
    assert float(np.mean(found.draws[0][:, 0] < 0)) == pytest.approx(left, abs=error)
    assert found.log_marginal[0] == pytest.approx(log_marginal, abs=0.05)


def test_an_uneven_posterior_is_drawn_by_default_with_enough_points() -> None:
    """The defaults reach what they ask for, adapting, and say how."""
    found = posterior_of(patient("P", sample(1, 1.8, "bent")), options=PosteriorOptions())
    assert found.method[0] == "adapted importance"
    assert found.effective[0] >= 400
    assert found.evaluations[0] > 500
    assert found.reliable[0]


def test_the_marginal_likelihood_is_of_the_level_whatever_the_scale_of_its_error() -> None:
    """Log-normal error: p(y) is the density of y, not of log y, so that models can be compared."""
    found = posterior_of(patient("P", sample(2, 4.1, "logged"), sample(20, 0.9, "logged")))
    *_, log_marginal = by_quadrature(
        lambda a, _: (
            stats.lognorm.logpdf(4.1, SHARE, scale=decay(2, a))
            + stats.lognorm.logpdf(0.9, SHARE, scale=decay(20, a))
        )
    )
    assert found.log_marginal[0] == pytest.approx(log_marginal, abs=0.01)


def test_without_observations_the_posterior_is_the_prior() -> None:
    """Also where records follow each other through occasions."""
    found = posterior_of(patient("P", occasions_after=2))
    prior = np.zeros((6, 6))
    prior[:2, :2] = COVARIANCE
    prior[3:, 3:] = KAPPA_SD**2 * np.eye(3)
    np.testing.assert_allclose(np.cov(found.draws[0].T)[:6, :6], prior, atol=0.012)
    assert found.method == ("prior",)
    assert (found.log_marginal[0], found.log_marginal_error[0], found.evaluations[0]) == (0.0, 0.0, 0)
    assert found.effective[0] == MANY.draws


def test_occasions_to_come_have_their_prior() -> None:
    """Those of the records after the last observation, and one that is not in the records."""
    found = posterior_of(patient("P", *LINE), patient("Q", *LINE[:2], occasions_after=2))
    assert found.draws.shape[2] == 3 + 3 + 1
    assert posterior_of(patient("P", *LINE), options=PosteriorOptions()).draws.shape[2] == 3 + 2
    for column in (found.draws[0, :, 5], found.draws[1, :, 4], found.draws[1, :, 5], found.draws[1, :, 6]):
        assert stats.kstest(column, "norm", (0, KAPPA_SD)).pvalue > 1e-3
        assert abs(np.corrcoef(column, found.draws[0, :, 0])[0, 1]) < 0.03
    assert abs(np.corrcoef(found.draws[1, :, 4], found.draws[1, :, 5])[0, 1]) < 0.03
    wide = posterior_of(
        patient("P", *LINE), estimate=EstimateOptions(prior_inflation=4.0)
    )  # the prior of both levels
    assert stats.kstest(wide.draws[0, :, 5], "norm", (0, 2 * KAPPA_SD)).pvalue > 1e-3


def test_what_follows_the_last_observation_does_not_matter() -> None:
    """Empty later occasions change neither draws nor log p(y)."""
    short = posterior_of(patient("P", *LINE[:2]))
    long = posterior_of(patient("P", *LINE[:2], occasions_after=3))
    np.testing.assert_array_equal(short.draws[0, :, :5], long.draws[0, :, :5])
    assert short.log_marginal[0] == long.log_marginal[0]


def crowd() -> Records:
    rng = np.random.default_rng(3)
    return records_from(
        [
            patient(
                f"P{k}", *(sample(t, float(rng.normal(4 + t / 10, 0.5)), "line") for t in (1.0, 9.0)[: k % 3])
            )
            for k in range(40)
        ],
        model().spec,
    )


def test_draws_depend_on_the_seed_and_the_name_alone() -> None:
    """Not on the order of patients, who else is there, or the number of threads."""
    records = crowd()
    options = PosteriorOptions(draws=50, seed=7)

    def drawn(some: Records, **change: Any) -> Posterior:
        individuals = estimate_individuals(model(), some)
        return draw_posterior(model(), some, individuals, options=replace(options, **change))

    whole = drawn(records, threads=1)
    np.testing.assert_array_equal(drawn(records, threads=4).draws, whole.draws)
    alone = drawn(records_slice(records, 11, 12))
    np.testing.assert_array_equal(alone.draws[0], whole.draws[11])
    other = drawn(records, seed=8)
    assert not np.array_equal(other.draws[1], whole.draws[1])
    assert len({whole.draws[p, 0, 0] for p in range(40)}) == 40


def test_a_patient_without_a_likelihood_has_no_draws() -> None:
    """A level of nothing under proportional error is impossible; the other patients are not touched."""
    impossible = PatientRecord(
        patient="N", doses=(DoseEvent(time_h=5, amount_mg=50),), samples=(sample(1, 0.4, "decay"),)
    )
    found = posterior_of(impossible, patient("P", *LINE))
    assert found.method == ("none", "importance")
    assert np.isnan(found.draws[0]).all()
    assert np.isfinite(found.draws[1]).all()
    assert np.isnan([found.effective[0], found.log_marginal[0]]).all()
    assert found.reliable.tolist() == [False, True]


def test_an_estimate_that_did_not_converge_still_has_its_posterior() -> None:
    """The draws do not rest on the peak: one iteration of the search gives the same moments."""
    samples = (sample(2, 4.1, "decay"), sample(20, 0.9, "decay"))
    records = records_from([patient("P", *samples)], model().spec)
    individuals = estimate_individuals(model(), records, options=EstimateOptions(max_iterations=1))
    assert individuals.status[0] == 1
    found = draw_posterior(model(), records, individuals, options=MANY)
    whole = posterior_of(patient("P", *samples))
    assert found.draws[0, :, 0].mean() == pytest.approx(whole.draws[0, :, 0].mean(), abs=0.01)
    assert found.log_marginal[0] == pytest.approx(whole.log_marginal[0], abs=0.02)


def test_a_model_without_effects_has_the_likelihood_itself() -> None:
    """Nothing to draw; log p(y) is the log density of the residual."""
    text = TEXT[: TEXT.index("[[random]]")] + (
        '[compartments]\ncentral = {}\n[[flows]]\nfrom = "central"\nrate = "CL_pop / V"\n[[doses]]\n'
        'compartment = "central"\n[outputs.plasma]\nprediction = "central / V"\nunit = "mg/L"\n'
        'error = { kind = "additive", additive = "0.3[mg/L]" }\n'
    )
    for name in ("A", "B", "one", "slope"):
        text = "\n".join(line for line in text.split("\n") if not line.startswith(f"{name} = "))
    spec, found = read_model(text, file="fixed.toml")
    assert spec is not None, [str(f) for f in found.items]
    fixed = Model(spec)
    records = records_from([patient("P", Sample(time_h=3, value=2.5), Sample(time_h=6, value=1.6))], spec)
    drawn = draw_posterior(fixed, records, estimate_individuals(fixed, records))
    expected = normal(2.5, 5 * np.exp(-0.6), 0.3) + normal(1.6, 5 * np.exp(-1.2), 0.3)
    assert drawn.draws.shape == (1, 1000, 0)
    assert drawn.log_marginal[0] == pytest.approx(float(expected), abs=1e-9)


def test_an_estimate_of_other_patients_is_refused() -> None:
    records = crowd()
    individuals = estimate_individuals(model(), records_slice(records, 0, 3))
    with pytest.raises(ValueError, match="of other patients"):
        draw_posterior(model(), records, individuals)


@pytest.mark.parametrize(
    "wrong", [{"draws": 0}, {"proposals": 0}, {"most_proposals": 10}, {"new_occasions": -1}, {"seed": -1}]
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PosteriorOptions(**wrong)


def test_the_size_of_a_chain_is_that_of_an_autoregression() -> None:
    """AR(1) with ρ = 0.5: n (1 − ρ)/(1 + ρ) within a fifth; chains that disagree count for little."""
    rng = np.random.default_rng(4)
    x = np.zeros(60_000)
    for k in range(1, len(x)):
        x[k] = 0.5 * x[k - 1] + rng.standard_normal()
    assert chain_size(x[:, None]) == pytest.approx(len(x) / 3, rel=0.2)
    apart = np.r_[x[:5000] - 5, x[5000:10_000] + 5]
    assert chain_size(apart[:, None]) < 200


def test_bridge_sampling_finds_a_known_integral() -> None:
    """∫ exp(−x²/2) dx = √(2π), between a normal of another centre and width; within four of its errors."""
    rng = np.random.default_rng(5)
    target, proposal = rng.standard_normal(4000), rng.normal(0.4, 1.3, 4000)

    def log_ratio(x: Floats) -> Floats:
        return -0.5 * x**2 - stats.norm.logpdf(x, 0.4, 1.3)

    value, error = bridge_estimate(log_ratio(target), log_ratio(proposal), 4000.0)
    assert error < 0.02
    assert value == pytest.approx(0.5 * math.log(2 * math.pi), abs=4 * error)
