"""Individual estimates against NONMEM 7.4.4 (FOCEI), patient by patient.

Source: the validation set of Le Louedec 2021, doi 10.1002/psp4.12689 (shared/data/pk/nonmem-map).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.shared_data import shared
from troughline.cohort.nonmem import read_nonmem
from troughline.model.model import load_model
from troughline.pk.individual import EstimateOptions, estimate_individuals, objective_at

MODELS = Path(__file__).parent / "models"
RUNS = ("001", "003", "005", "008", "101", "203", "301", "401", "403", "405", "407", "503", "901", "931")
# Run 003's control stream took W = 1 where the prediction was 0 (samples before the lag).
OPTIONS = {"003": EstimateOptions(zero_weight=1.0)}
# With W = 1 the objective has a minimum on either side of a sample near the lag. In these patients of run 003
# NONMEM stopped in the worse one, by 0.01 (15) to 5.8 million (57).
WORSE = {9, 15, 17, 49, 57, 61, 65, 71, 87}


def _run(run: str):
    model = load_model(MODELS / f"run{run}.toml")
    data = read_nonmem(shared(f"data/pk/nonmem-map/run{run}_data.csv"), model.spec)
    nonmem = pd.read_csv(shared(f"data/pk/nonmem-map/run{run}_nonmem_eta.csv"))
    return model, data.records, nonmem, OPTIONS.get(run, EstimateOptions())


@pytest.mark.parametrize("run", RUNS)
def test_estimates_are_nonmems_or_better(run: str) -> None:
    """≥ 99 % of patients: our objective ≤ NONMEM's + 0.001; ≥ 98 % of ETA within 0.01.

    Exceptions: the patients of `WORSE`, whose ETA are not compared; no other patient of any run has a lower
    objective here than in NONMEM.
    """
    model, records, nonmem, options = _run(run)
    estimates = estimate_individuals(model, records, options=options)
    assert set(estimates.status) == {0}
    worse = estimates.objective - nonmem["OFV_MAP"].to_numpy()
    assert np.mean(worse <= 1e-3) >= 0.99
    eta = nonmem.filter(regex=r"^ETA\d").to_numpy()
    lower = worse < -1e-3
    assert set(nonmem["ID"][lower]) == (WORSE if run == "003" else set())
    assert np.mean(np.abs(estimates.effects - eta)[~lower] <= 0.01) >= 0.98


@pytest.mark.parametrize("run", RUNS)
def test_the_objectives_at_nonmems_effects_are_nonmems(run: str) -> None:
    """OFV_MAP and OBJ_FOCEI at NONMEM's printed ETA agree to 1e-4 for every patient with printed precision.

    Stored ETA have nine digits. Exception: in patients 15, 19, 71 and 87 of run 003 NONMEM stopped
    on the jump where the lag meets a sample, and on which side of it depends on digits that are not stored.
    """
    model, records, nonmem, options = _run(run)
    eta = nonmem.filter(regex=r"^ETA\d").to_numpy()
    objective, focei = objective_at(model, records, eta, options=options)
    there = ~np.isin(nonmem["ID"].to_numpy(), (15, 19, 71, 87) if run == "003" else ())
    np.testing.assert_allclose(objective[there], nonmem["OFV_MAP"][there], atol=1e-4, rtol=0)
    np.testing.assert_allclose(focei[there], nonmem["OBJ_FOCEI"][there], atol=1e-4, rtol=0)


@pytest.mark.parametrize("run", [r for r in RUNS if r not in ("003",)])
def test_the_posterior_covariance_is_nonmems(run: str) -> None:
    """The covariance (ETC) agrees to 1e-3 of its standard deviations wherever the estimates agree to 1e-4.

    Run 003 is left out: where NONMEM's minimum is another, so is its covariance.
    """
    model, records, nonmem, options = _run(run)
    estimates = estimate_individuals(model, records, options=options)
    eta = nonmem.filter(regex=r"^ETA\d").to_numpy()
    same = np.all(np.abs(estimates.effects - eta) <= 1e-4, axis=1)
    assert np.mean(same) >= 0.95
    rows, columns = np.tril_indices(eta.shape[1])
    theirs = nonmem.filter(regex=r"^ETC").to_numpy()
    sd = np.sqrt(np.diagonal(estimates.covariance, axis1=1, axis2=2))
    scale = sd[:, rows] * sd[:, columns]
    miss = np.abs(estimates.covariance[:, rows, columns] - theirs) / scale
    assert np.max(miss[same]) <= 1e-3
