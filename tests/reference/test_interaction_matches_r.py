"""Interaction statistics against Cox regression (held to R elsewhere), closed forms and optimality."""

from __future__ import annotations

import csv
import json
from typing import Any

import numpy as np
import pytest

from tests.shared_data import shared
from troughline.biomarker.absolute_interaction import restricted_mean_interaction
from troughline.biomarker.endpoint import Endpoint
from troughline.biomarker.penalised_cox import PartialLikelihood, penalised_cox_path
from troughline.biomarker.treatment_by_marker import treatment_by_marker
from troughline.biomarker.window_effects import one_step, risk_tables, window_effects
from troughline.survival.cox import fit_cox
from troughline.survival.log_rank import log_rank
from troughline.survival.rmst import restricted_mean_survival


def _rows(path: str, *columns: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    with shared(path).open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    kept = [[r[c] for c in columns] for r in table if all(r[c] not in ("", "NA") for c in columns)]
    return np.array(kept, dtype=np.float64)


@pytest.fixture(scope="module")
def pbc() -> tuple[Endpoint, Any, Any]:
    """The randomised part of pbc: D-penicillamine against placebo, log2 bilirubin as the marker."""
    data = _rows("data/survival/survival_pbc.csv", "time", "status", "trt", "bili")
    endpoint = Endpoint(kind="survival", time=data[:, 0], event=data[:, 1] == 2)
    return endpoint, data[:, 2] == 1, np.log2(data[:, 3])


def test_pbc_has_the_main_effect_that_r_gives(pbc: tuple[Endpoint, Any, Any]) -> None:
    """Treated and bilirubin alone, in the same rows: R's `coxph`, which `fit_cox` is tested against."""
    endpoint, treated, bili = pbc
    assert endpoint.n == 312
    assert endpoint.n_events() == 125
    fit = treatment_by_marker(endpoint, treated, bili, ("bili",))
    x = np.column_stack((treated, bili, treated * bili)).astype(float)
    assert endpoint.time is not None
    assert endpoint.event is not None
    direct = fit_cox(endpoint.time, endpoint.event, x, ("a", "m", "am"))
    assert fit.interaction[0].value == pytest.approx(direct.terms[2].coefficient, rel=1e-10)
    assert fit.prognostic[0].value == pytest.approx(direct.terms[1].coefficient, rel=1e-10)
    assert fit.p_value == pytest.approx(direct.terms[2].p_value, rel=1e-10)


def test_the_interaction_in_lung_is_the_maximum_of_the_partial_likelihood_written_out() -> None:
    """Lung, sex as treatment and performance status as marker, against the likelihood summed in a loop.

    Times made distinct, so that no rule for ties matters. Estimate to 1e-5, standard error (from second
    differences) to 1e-3 of itself.
    """
    from scipy.optimize import minimize

    data = _rows("data/survival/survival_lung.csv", "time", "status", "sex", "ph.ecog")
    time = data[:, 0] + np.arange(data.shape[0]) * 1e-3
    event, treated, poor = data[:, 1] == 2, data[:, 2] == 2, (data[:, 3] >= 1).astype(float)
    fit = treatment_by_marker(Endpoint(kind="survival", time=time, event=event), treated, poor, ("poor",))
    x = np.column_stack((treated, poor, treated * poor)).astype(float)

    def negative(beta: Any) -> float:
        eta = x @ beta
        return -sum(eta[i] - np.log(np.exp(eta[time >= time[i]]).sum()) for i in np.flatnonzero(event))

    best = minimize(negative, np.zeros(3), method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-12})
    h = 1e-3
    hessian = np.array(
        [
            [
                (
                    negative(best.x + h * (a + b)) - negative(best.x + h * (a - b))
                    - negative(best.x - h * (a - b)) + negative(best.x - h * (a + b))
                ) / (4 * h * h)
                for b in np.eye(3)
            ]
            for a in np.eye(3)
        ]
    )  # fmt: skip
    error = float(np.sqrt(np.linalg.inv(hessian)[2, 2]))
    assert fit.interaction[0].value == pytest.approx(float(best.x[2]), abs=1e-5)
    assert fit.interaction[0].standard_error == pytest.approx(error, rel=1e-3)


def test_a_window_with_everybody_is_cox_with_its_robust_error(pbc: tuple[Endpoint, Any, Any]) -> None:
    endpoint, treated, _ = pbc
    assert endpoint.time is not None
    assert endpoint.event is not None
    # Distinct times: Breslow and Efron agree.
    time = endpoint.time + np.arange(endpoint.n) * 1e-3
    found = window_effects(
        Endpoint(kind="survival", time=time, event=endpoint.event), treated, np.ones((endpoint.n, 1), bool)
    )
    fit = fit_cox(time, endpoint.event, treated.astype(float), ("treated",), cluster=np.arange(endpoint.n))
    assert found.value[0] == pytest.approx(fit.coefficients[0], abs=1e-9)
    assert found.covariance[0, 0] == pytest.approx(fit.covariance[0, 0], rel=1e-9)


def test_one_step_is_the_log_rank_test(pbc: tuple[Endpoint, Any, Any]) -> None:
    """(O − E)²/V is the log-rank statistic that R's `survdiff` gives for pbc."""
    endpoint, treated, _ = pbc
    assert endpoint.time is not None
    assert endpoint.event is not None
    order = np.argsort(endpoint.time, kind="stable")
    tables = risk_tables(
        endpoint.time[order], endpoint.event[order], treated[order], np.ones((endpoint.n, 1), bool)
    )
    test = log_rank(endpoint.time, endpoint.event, np.where(treated, "treated", "control"))
    n = tables.n0 + tables.n1
    share = tables.n1 / n
    excess = float((tables.d1 - tables.d * share).sum())
    assert one_step(tables)[0] * excess == pytest.approx(test.statistic, rel=1e-10)


def test_the_restricted_mean_interaction_is_the_difference_of_differences_of_r() -> None:
    """pbc to ten years, where R's survRM2 gave the arms' means; halves of bilirubin as an uncensored marker.

    Without censoring by τ the regression is the four areas exactly; with it, weights within each arm differ
    from curves within each cell: 3 % of the standard error of the difference is allowed at one year.
    """
    data = _rows("data/survival/survival_pbc.csv", "time", "status", "trt", "bili")
    reference = json.loads(shared("reference/survival-and-roc.json").read_text("utf-8"))
    assert "rmst2_pbc_tau10" in reference
    time, event, treated = data[:, 0] / 365.25, data[:, 1] == 2, data[:, 2] == 1
    high = data[:, 3] >= np.median(data[:, 3])
    endpoint = Endpoint(kind="survival", time=time, event=event)
    (found,) = restricted_mean_interaction(endpoint, treated, high.astype(float), tau=1.0)
    area = {
        (a, m): restricted_mean_survival(
            time[(treated == a) & (high == m)], event[(treated == a) & (high == m)], tau=1.0
        )[0].value
        for a in (True, False)
        for m in (True, False)
    }
    expected = (area[True, True] - area[False, True]) - (area[True, False] - area[False, False])
    assert found.value == pytest.approx(expected, abs=0.03 * found.standard_error)


@pytest.mark.parametrize("mixing", [0.0, 0.5, 1.0])
def test_the_penalised_path_meets_the_optimality_conditions(mixing: float) -> None:
    """The subgradient of the objective holds 0 at every penalty, to 1e-7; without a penalty it is Cox.

    Score/n − λ(1 − α)β = λα·sign(β) where β ≠ 0, and at most λα in absolute value where β = 0.
    """
    data = _rows(
        "data/survival/survival_pbc.csv",
        "time",
        "status",
        "bili",
        "albumin",
        "protime",
        "age",
        "platelet",
        "chol",
    )
    time = data[:, 0] + np.arange(data.shape[0]) * 1e-3
    event = data[:, 1] == 2
    x = (data[:, 2:] - data[:, 2:].mean(axis=0)) / data[:, 2:].std(axis=0)
    path = penalised_cox_path(time, event, x, mixing=mixing)
    likelihood = PartialLikelihood(time, event, x)
    for penalty, beta in zip(path.penalties, path.coefficients, strict=True):
        pull = likelihood.derivatives(beta)[0] / time.size - penalty * (1 - mixing) * beta
        kept = beta != 0
        assert np.allclose(pull[kept], penalty * mixing * np.sign(beta[kept]), atol=1e-7)
        assert np.all(np.abs(pull[~kept]) <= penalty * mixing + 1e-7)
    if mixing > 0:
        assert not path.coefficients[0].any()
    free = penalised_cox_path(time, event, x, mixing=mixing, penalties=np.array([1e-10]))
    names = [f"x{j}" for j in range(x.shape[1])]
    assert np.allclose(free.coefficients[0], fit_cox(time, event, x, names).coefficients, atol=1e-6)
