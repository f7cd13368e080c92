"""Pareto smoothing, leave-one-out prediction and model weights against the R package loo.

`tests/reference/r/pareto_oracle.R` made `pareto_oracle.json` with loo 2.5.1.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from troughline.response.loo import leave_one_out, model_weights
from troughline.response.pareto import pareto_smoothed

ORACLE: dict[str, Any] = json.loads(
    (Path(__file__).parent / "r" / "pareto_oracle.json").read_text(encoding="utf-8")
)


def test_smoothed_weights_and_tail_shapes_match() -> None:
    log_weights, k = pareto_smoothed(np.array(ORACLE["log_ratios"]))
    assert k == pytest.approx(ORACLE["pareto_k"], abs=1e-6)
    assert log_weights == pytest.approx(np.array(ORACLE["log_weights"]), abs=1e-6)


def test_leave_one_out_prediction_matches() -> None:
    y, posterior = np.array(ORACLE["y"]), np.array(ORACLE["posterior"])
    log_likelihood = -0.5 * (y - posterior[:, None]) ** 2 - 0.5 * np.log(2 * np.pi)
    loo = leave_one_out(log_likelihood, np.zeros(posterior.size))
    assert loo.pointwise == pytest.approx(ORACLE["elpd"], abs=1e-6)
    assert loo.total == pytest.approx(ORACLE["elpd_total"], abs=1e-5)
    assert loo.standard_error == pytest.approx(ORACLE["elpd_se"], abs=1e-5)
    assert loo.largest_pareto_k == pytest.approx(max(ORACLE["elpd_k"]), abs=1e-5)


def test_model_weights_match() -> None:
    weights = model_weights(np.array(ORACLE["lpd"]), rng=np.random.default_rng(1))
    # Both are Monte-Carlo means over Bayesian bootstraps; ours of 1,000 has a standard error below 0.015.
    assert weights == pytest.approx(ORACLE["pseudo_bma_weights"], abs=0.045)
