"""Fine–Gray regression and Gray's test agree with R.

Sources: `tests/reference/r/competing_regression.json` (R 4.2.2: cmprsk 2.2.11, survival 3.5.3, the script
beside it) and the shared file (cmprsk, eleven digits). `crr` stops its iteration at about 1e-9 of a
coefficient, hence 1e-7 for what depends on the estimate; tests and likelihoods agree to 1e-10.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.reference.r_reference import PRINTED, close, from_r, table
from tests.shared_data import shared
from troughline.survival.fine_gray import fit_fine_gray
from troughline.survival.gray_test import gray_test

ESTIMATED = 1e-7
EXACT = 1e-10
NAMES = ["age", "male", "mspike"]


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    return from_r("competing_regression")


@pytest.fixture(scope="module")
def patients() -> dict[str, np.ndarray]:
    """The 1,373 patients of mgus2 with every covariate: time, cause, x, sex, decade, age group."""
    rows = table("data/survival/survival_mgus2.csv")
    x = np.stack((rows["age"], rows["sex"] == "M", rows["mspike"]), axis=1).astype(float)
    known = np.isfinite(x).all(axis=1)
    progressed, died = rows["pstat"] == 1, rows["death"] == 1
    return {
        "time": np.where(progressed, rows["ptime"], rows["futime"])[known],
        "cause": np.where(progressed, "pcm", np.where(died, "death", ""))[known],
        "x": x[known],
        "sex": rows["sex"][known],
        "decade": np.digitize(rows["dxyr"][known], [1979.5, 1989.5]),
        "ages": np.digitize(x[known, 0], [60, 70, 80], right=True),
    }


@pytest.mark.parametrize(("key", "of"), [("plain", "pcm"), ("death", "death")])
def test_fine_gray_matches_cmprsk_crr(
    expected: dict[str, Any], patients: dict[str, np.ndarray], key: str, of: str
) -> None:
    """Coefficients, the robust variance with the weights' estimation, likelihoods and the baseline's
    jumps.
    """
    fit = fit_fine_gray(patients["time"], patients["cause"], of, patients["x"], NAMES)
    close(fit.coefficients, expected[key]["coef"], ESTIMATED)
    close(fit.covariance, expected[key]["var"], ESTIMATED)
    close(np.linalg.inv(fit.inverse_information), expected[key]["inverse"], 1e-6)
    close(
        [fit.log_likelihood, fit.log_likelihood_null],
        [expected[key]["loglik"], expected[key]["loglik_null"]],
        EXACT,
    )
    ((time, hazard),) = fit.baselines
    close(time, expected[key]["time"], EXACT)
    close(np.diff(hazard, prepend=0.0), expected[key]["jump"], ESTIMATED)


def test_predicted_incidence_matches_cmprsk(
    expected: dict[str, Any], patients: dict[str, np.ndarray]
) -> None:
    fit = fit_fine_gray(patients["time"], patients["cause"], "pcm", patients["x"], NAMES)
    close(fit.incidence(expected["profile"], expected["at"]), expected["predicted"], ESTIMATED)


def test_censoring_groups_match_cmprsk(expected: dict[str, Any], patients: dict[str, np.ndarray]) -> None:
    """`cengroup`: estimates agree; variances to 0.5 %, where `crr` and the jackknife part by 3 %."""
    fit = fit_fine_gray(
        patients["time"], patients["cause"], "pcm", patients["x"], NAMES, censoring_group=patients["sex"]
    )
    close(fit.coefficients, expected["by_sex"]["coef"], ESTIMATED)
    close(fit.log_likelihood, expected["by_sex"]["loglik"], EXACT)
    close(np.diag(fit.covariance), np.diag(expected["by_sex"]["var"]), 5e-3)


def test_strata_match_weighted_cox_on_finegray_rows(
    expected: dict[str, Any], patients: dict[str, np.ndarray]
) -> None:
    """R's `finegray` with strata, then `coxph` with Breslow's ties; times without ties (see the script)."""
    time = patients["time"] + np.arange(1, patients["time"].size + 1) / 1e4
    fit = fit_fine_gray(time, patients["cause"], "pcm", patients["x"], NAMES, strata=patients["decade"])
    close(fit.coefficients, expected["stratified"]["coef"], ESTIMATED)
    close([fit.log_likelihood_null, fit.log_likelihood], expected["stratified"]["loglik"], EXACT)


@pytest.mark.parametrize(
    ("key", "options"),
    [("ages", {}), ("ages_by_decade", {"strata": "decade"}), ("ages_weighted", {"rho": 1})],
)
def test_gray_matches_cmprsk_cuminc(
    expected: dict[str, Any], patients: dict[str, np.ndarray], key: str, options: dict[str, Any]
) -> None:
    """Four groups of age, alone, within strata, and with early differences weighted."""
    if "strata" in options:
        options = {"strata": patients[options["strata"]]}
    for of, (statistic, p, degrees) in zip(("pcm", "death"), expected["gray"][key], strict=True):
        test = gray_test(patients["time"], patients["cause"], of, patients["ages"], **options)
        close(test.statistic, statistic, EXACT)
        assert test.p_value == pytest.approx(p, rel=1e-8, abs=1e-15)
        assert test.degrees_of_freedom == degrees


def test_gray_matches_cmprsk_on_pbc_stages(expected: dict[str, Any]) -> None:
    pbc = table("data/survival/survival_pbc.csv")
    known = np.isfinite(pbc["stage"])
    cause = np.array(["", "1", "2"])[pbc["status"][known].astype(int)]
    for of, (statistic, p, _) in zip(("1", "2"), expected["gray"]["pbc_stage"], strict=True):
        test = gray_test(pbc["time"][known], cause, of, pbc["stage"][known])
        close([test.statistic, test.p_value], [statistic, p], EXACT)


def test_fine_gray_and_gray_match_the_shared_values(patients: dict[str, np.ndarray]) -> None:
    """The shared file's mgus2 (eleven digits) and pbc with transplantation competing."""
    stored = json.loads(shared("reference/survival-and-roc.json").read_text())
    fit = fit_fine_gray(patients["time"], patients["cause"], "pcm", patients["x"], NAMES)
    close(fit.coefficients, list(stored["mgus2"]["crr"]["coef"].values()), ESTIMATED)
    close([t.standard_error for t in fit.terms], stored["mgus2"]["crr"]["se"], ESTIMATED)
    rows = table("data/survival/survival_mgus2.csv")
    time = np.where(rows["pstat"] == 1, rows["ptime"], rows["futime"])
    cause = np.where(rows["pstat"] == 1, "1", np.where(rows["death"] == 1, "2", ""))
    for line in stored["mgus2"]["cif"]["tests"]:
        test = gray_test(time, cause, line["term"], rows["sex"])
        close([test.statistic, test.p_value], [line["stat"], line["pv"]], PRINTED)

    pbc = table("data/survival/survival_pbc.csv")
    cause = np.array(["", "1", "2"])[pbc["status"].astype(int)]
    treated = np.isfinite(pbc["trt"])
    for line in stored["pbc"]["cuminc_trt"]["tests"]:
        test = gray_test(pbc["time"][treated], cause[treated], line["term"], pbc["trt"][treated])
        close([test.statistic, test.p_value], [line["stat"], line["pv"]], PRINTED)
    line = stored["pbc"]["finegray_transplant_death"]
    fit = fit_fine_gray(
        pbc["time"], cause, "2", np.stack((pbc["age"], np.log(pbc["bili"])), axis=1), ["age", "lbili"]
    )
    # crr stopped 2.6e-7 short here: its likelihood is lower in the thirteenth digit.
    close(fit.coefficients, list(line["coef"].values()), 1e-6)
    close(np.diag(fit.covariance), line["var"], 1e-6)
    close(fit.log_likelihood, line["loglik"], PRINTED)
