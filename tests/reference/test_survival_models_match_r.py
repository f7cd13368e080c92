"""Landmark, time-dependent group, spline, competing events and Firth's penalty agree with R.

Sources as in `test_survival_matches_r.py`: the shared file (R 4.2.2, survival 3.5.3, cmprsk 2.2.11), eleven
digits, at 1e-9; the outputs beside their scripts in `tests/reference/r/` at 1e-8 unless a test says
otherwise.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.reference.r_reference import COMPUTED, PRINTED, close, from_r, table
from tests.shared_data import shared
from troughline.response.spline import fit_spline_cox
from troughline.survival.competing import cause_specific_cox, cumulative_incidence, one_minus_kaplan_meier
from troughline.survival.cox import fit_cox
from troughline.survival.firth_cox import fit_cox_firth
from troughline.survival.landmark import landmark
from troughline.survival.log_rank import log_rank
from troughline.survival.time_dependent import time_dependent_cox, time_dependent_group


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    return json.loads(shared("reference/survival-and-roc.json").read_text())


@pytest.fixture(scope="module")
def lung() -> dict[str, np.ndarray]:
    return table("data/survival/survival_lung.csv")


@pytest.fixture(scope="module")
def pbc() -> dict[str, np.ndarray]:
    return table("data/survival/survival_pbc.csv")


@pytest.fixture(scope="module")
def mgus2() -> dict[str, np.ndarray]:
    return table("data/survival/survival_mgus2.csv")


def test_landmark_matches_r(
    reference: dict[str, Any], lung: dict[str, np.ndarray], mgus2: dict[str, np.ndarray]
) -> None:
    kept = landmark(lung["time"], lung["status"] == 2, 180)
    test = log_rank(kept.time, kept.event, lung["sex"][kept.kept])
    expected = reference["lung"]["landmark_180"]
    assert list(test.n) == expected["n"]
    close(test.observed, expected["obs"], PRINTED)
    close(test.expected, expected["exp"], PRINTED)
    close([test.statistic, test.p_value], [expected["chisq"], expected["p"]], PRINTED)

    expected = from_r("time_dependent")["landmark_60"]
    kept = landmark(mgus2["futime"], mgus2["death"], 60)
    progressed = ((mgus2["pstat"] == 1) & (mgus2["ptime"] <= 60))[kept.kept]
    test = log_rank(kept.time, kept.event, progressed)
    assert kept.time.size == expected["n"]
    assert kept.n_event_by_landmark == expected["left_out_death"]
    assert kept.n_censored_by_landmark == expected["left_out_censored"]
    close(test.statistic, expected["chisq"], COMPUTED)
    close(test.observed, expected["observed"], COMPUTED)
    close(test.expected, expected["expected"], COMPUTED)


def test_time_dependent_group_matches_r_tmerge(mgus2: dict[str, np.ndarray]) -> None:
    expected = from_r("time_dependent")
    change = np.where(mgus2["pstat"] == 1, mgus2["ptime"], np.nan)
    rows = time_dependent_group(mgus2["futime"], mgus2["death"], change)
    assert (rows.start.size, int(rows.changed.sum())) == (expected["rows"], expected["changed_rows"])
    for key, options in (
        ("time_dependent", {}),
        ("time_dependent_robust", {"robust": True}),
        ("time_dependent_age", {"covariates": mgus2["age"], "covariate_names": ["age"]}),
    ):
        fit = time_dependent_cox(mgus2["futime"], mgus2["death"], change, **options)
        close(fit.coefficients, list(expected[key]["coef"].values()), COMPUTED)
        close(fit.covariance, expected[key]["var"], COMPUTED)
        close([fit.log_likelihood_null, fit.log_likelihood], expected[key]["loglik"], COMPUTED)


def test_immortal_time_hides_what_the_time_dependent_group_shows(mgus2: dict[str, np.ndarray]) -> None:
    # Progression to myeloma as if known from the start against known when it happens (R: see immortal).
    expected = from_r("time_dependent")
    naive = fit_cox(mgus2["futime"], mgus2["death"], mgus2["pstat"], ["progressed"])
    close(naive.coefficients, list(expected["immortal"]["coef"].values()), COMPUTED)
    change = np.where(mgus2["pstat"] == 1, mgus2["ptime"], np.nan)
    right = time_dependent_cox(mgus2["futime"], mgus2["death"], change)
    assert right.terms[0].hazard_ratio > 2 * naive.terms[0].hazard_ratio


def test_spline_cox_matches_r(pbc: dict[str, np.ndarray]) -> None:
    expected = from_r("spline")
    time, event, exposure = pbc["time"], pbc["status"] == 2, pbc["bili"]
    for line in expected["fits"]:
        options = {"covariates": pbc["age"], "covariate_names": ["age"]} if line["adjusted"] else {}
        fit = fit_spline_cox(
            time, event, exposure, knots=line["count"], reference_exposure=expected["reference"], **options
        )
        close(fit.knots, line["knots"], COMPUTED)
        close(fit.cox.coefficients, line["coef"], 1e-7)
        curve = fit.hazard_ratio(expected["exposure"])
        log_ratio, error = np.asarray(line["log_hr"]), np.asarray(line["se"])
        width = 1.959963984540054
        close(curve.hazard_ratio, np.exp(log_ratio), 1e-7)
        close(curve.low, np.exp(log_ratio - width * error), 1e-7)
        close(curve.high, np.exp(log_ratio + width * error), 1e-7)
        close(
            [fit.overall.statistic, fit.nonlinearity.statistic], [line["overall"], line["nonlinearity"]], 1e-7
        )
        close(
            [fit.overall.p_value, fit.nonlinearity.p_value], [line["p_overall"], line["p_nonlinearity"]], 1e-6
        )


def first_events(mgus2: dict[str, np.ndarray]) -> tuple[np.ndarray, list[str | None]]:
    progressed, died = mgus2["pstat"] == 1, mgus2["death"] == 1
    time = np.where(progressed, mgus2["ptime"], mgus2["futime"])
    return time, [
        "progression" if p else "death" if d else None for p, d in zip(progressed, died, strict=True)
    ]


def test_cumulative_incidence_matches_cmprsk(reference: dict[str, Any], mgus2: dict[str, np.ndarray]) -> None:
    time, cause = first_events(mgus2)
    curves = cumulative_incidence(time, cause, mgus2["sex"], causes=["progression", "death"])
    lines = {line["term"]: line for line in reference["mgus2"]["cif"]["at"]["est"]}
    for curve in curves:
        line = lines[f"{curve.group} {1 if curve.cause == 'progression' else 2}"]
        close(curve.at([60, 120, 240]).probability, [line[t] for t in ("60", "120", "240")], PRINTED)


def test_cumulative_incidence_errors_and_intervals_match_r_survfit(mgus2: dict[str, np.ndarray]) -> None:
    time, cause = first_events(mgus2)
    entry = np.maximum(0, np.floor(0.2 * time) - 12)
    for key, group, options in (
        ("incidence", mgus2["sex"], {}),
        ("incidence_delayed", None, {"entry": entry}),
    ):
        expected = from_r("curves_and_regressions")[key]
        curves = cumulative_incidence(time, cause, group, causes=["progression", "death"], **options)
        groups = list(dict.fromkeys(c.group for c in curves))
        for k, name in enumerate(("progression", "death")):
            found = [next(c for c in curves if (c.group, c.cause) == (g, name)) for g in groups]
            at = [c.at([60, 120, 240]) for c in found]
            for mine, theirs in (
                ("probability", "pstate"),
                ("standard_error", "se"),
                ("low", "low"),
                ("high", "high"),
            ):
                values = np.concatenate([getattr(a, mine) for a in at])
                close(values, np.asarray(expected[theirs], dtype=float)[:, k], COMPUTED)


def test_cause_specific_cox_and_the_naive_curve_match_r(
    reference: dict[str, Any], mgus2: dict[str, np.ndarray]
) -> None:
    time, cause = first_events(mgus2)
    x = np.stack((mgus2["age"], mgus2["sex"] == "M", mgus2["mspike"]), axis=1).astype(float)
    known = np.isfinite(x).all(axis=1)
    causes = [c for c, k in zip(cause, known, strict=True) if k]
    fit = cause_specific_cox(time[known], causes, "progression", x[known], ["age", "sexM", "mspike"])
    for line in reference["mgus2"]["cs_cox"]:
        term = fit.term(line["term"])
        close([term.coefficient, term.standard_error], [line["coef"], line["se(coef)"]], COMPUTED)

    expected = reference["mgus2"]["naive_1mKM_vs_CIF_240"]
    (naive,) = one_minus_kaplan_meier(time, cause, "progression")
    right = cumulative_incidence(time, cause, causes=["progression", "death"])[0]
    close(naive.at(240).probability, expected["one_minus_km"], PRINTED)
    close(right.at(240).probability, expected["cif"][0]["V2"], PRINTED)
    assert float(naive.at(240).probability[0]) > 2 * float(right.at(240).probability[0])


def test_firth_cox_matches_a_general_optimiser_over_r_coxph() -> None:
    # R maximises the penalised likelihood by BFGS with numerical derivatives, good to about 1e-6.
    for line in from_r("firth")["fits"].values():
        x = np.asarray(line["x"])
        names = [f"x{j}" for j in range(x.shape[1])]
        fit = fit_cox_firth(line["time"], line["event"], x, names)
        close(fit.penalised_log_likelihood, line["penalised"], 1e-9)
        np.testing.assert_allclose(fit.coefficients, line["coef"], atol=2e-6)
        np.testing.assert_allclose([np.log(t.low) for t in fit.terms], line["low"], atol=2e-6)
        np.testing.assert_allclose([np.log(t.high) for t in fit.terms], line["high"], atol=2e-6)
        np.testing.assert_allclose([t.likelihood_ratio for t in fit.terms], line["ratio"], atol=1e-7)
