"""Samples far outside the prior prediction, where the prior prediction has a closed form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from tests.unit.estimate_sample import CL, OMEGA_CL, SIGMA, records_from, small_model
from troughline.pk.outlying import far_outside, hold_against_prior

HEADER = "ID,TIME,EVID,AMT,RATE,SS,DV,BLQ,LLOQ"
RATE = 40.0
SD = np.sqrt(OMEGA_CL + SIGMA**2)


def _level(z: float) -> float:
    """A level at the end of an endless infusion whose logarithm lies z prior SDs above its mean."""
    return RATE / CL * np.exp(z * SD)


def _rows(*z: float) -> list[str]:
    """A patient for each."""
    return [
        row
        for i, one in enumerate(z)
        for row in (f"P{i},0,1,0,{RATE},1,.,.,.", f"P{i},0,0,.,.,.,{_level(one):.12g},.,.")
    ]


@pytest.mark.parametrize("simulate", [True, False])
def test_the_probability_is_that_of_the_normal_distribution(tmp_path: Path, simulate: bool) -> None:
    """log y ~ N(log(rate/CL), ω² + σ²): simulated within 12 % down to 1e-5, to first order within 1e-6."""
    model = small_model()
    z = (0.1, 1.0, -2.0, 3.0, -3.7, 4.4)
    records = records_from(tmp_path, model, HEADER, *_rows(*z))
    held = hold_against_prior(model, records, seed=1, simulate=simulate)
    found = held.probability[records.observed]
    truth = 2 * norm.sf(np.abs(z))
    # What is small is simulated in either case.
    tolerance = np.where(truth < 0.02, 0.12, 0.12 if simulate else 1e-6)
    assert np.all(np.abs(found / truth - 1) < tolerance)


def test_samples_beyond_a_limit_have_the_probability_of_lying_there(tmp_path: Path) -> None:
    """Below a limit 3 SDs under the mean: Φ(−3) within 12 %; one SD over the mean: Φ(1)."""
    model = small_model()
    rows = [
        row
        for i, z in enumerate((-3.0, 1.0))
        for row in (f"P{i},0,1,0,{RATE},1,.,.,.", f"P{i},0,0,.,.,.,.,1,{_level(z):.12g}")
    ]
    records = records_from(tmp_path, model, HEADER, *rows)
    found = hold_against_prior(model, records, seed=1).probability[records.observed]
    assert found == pytest.approx([norm.cdf(-3), norm.cdf(1)], rel=0.12)


def test_a_flag_needs_a_smaller_probability_where_a_patient_has_more_samples(tmp_path: Path) -> None:
    """One sample at 3.6 SDs (p = 0.0003) is far outside; among ten of the patient it is not."""
    model = small_model()
    alone = records_from(tmp_path, model, HEADER, *_rows(3.6, 3.0))
    flags = far_outside(alone, hold_against_prior(model, alone, seed=1).probability)
    assert flags[alone.observed].tolist() == [True, False]
    rows = [f"P0,0,1,0,{RATE},1,.,.,."]
    rows += [f"P0,0,0,.,.,.,{_level(3.6 if k == 4 else 0.0):.12g},.,." for k in range(10)]
    among = records_from(tmp_path, model, HEADER, *rows)
    assert not far_outside(among, hold_against_prior(model, among, seed=1).probability).any()


def test_draws_belong_to_the_patient(tmp_path: Path) -> None:
    """Alone or in company, in another order, on other threads: the same numbers; another seed: others."""
    model = small_model()
    rows = _rows(0.5, -1.0, 3.9)
    records = records_from(tmp_path, model, HEADER, *rows)
    everyone = np.arange(3)
    held = hold_against_prior(model, records, seed=5, simulations=150, patients=everyone, threads=1)
    turned = records_from(tmp_path, model, HEADER, *rows[4:], *rows[2:4], *rows[:2])
    other = hold_against_prior(model, turned, seed=5, simulations=150, patients=everyone, threads=3)
    seen = held.probability[records.observed]
    assert np.array_equal(other.probability[turned.observed], seen[::-1])
    assert np.array_equal(other.simulated, held.simulated[:, ::-1])
    alone = records_from(tmp_path, model, HEADER, *rows[2:4])
    assert hold_against_prior(model, alone, seed=5).probability[1] == seen[1]
    assert hold_against_prior(model, records, seed=6).probability[1] != held.probability[1]


def test_simulated_samples_have_the_spread_of_prior_and_residual(tmp_path: Path) -> None:
    """Mean log(rate/CL) and SD √(ω² + σ²) of 3,000 simulations: within 4 standard errors."""
    model = small_model()
    records = records_from(tmp_path, model, HEADER, *_rows(0.0))
    held = hold_against_prior(model, records, seed=3, simulations=3000, patients=np.array([0]))
    assert held.simulated.shape == (3000, 1)
    assert held.simulated.mean() == pytest.approx(np.log(RATE / CL), abs=4 * SD / np.sqrt(3000))
    assert held.simulated.std() == pytest.approx(SD, rel=4 / np.sqrt(6000))


def test_a_patient_that_cannot_be_predicted_has_no_probability(tmp_path: Path) -> None:
    """A sample before any dose: the logarithm of 0 has no distribution."""
    model = small_model()
    records = records_from(tmp_path, model, HEADER, "P,0,0,.,.,.,1,.,.", "P,1,1,100,0,0,.,.,.")
    assert np.isnan(hold_against_prior(model, records, seed=1).probability).all()
