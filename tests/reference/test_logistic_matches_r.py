"""Logistic regression against R: glm on the aSAH data, brglm2 and direct maximisation for Firth's penalty.

`tests/reference/r/logistic_oracle.R` made `logistic_oracle.json`.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.shared_data import shared
from troughline.response.firth import fit_firth
from troughline.response.logistic import SeparationError, fit_logistic

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "r" / "logistic_oracle.json").read_text(encoding="utf-8")
)["cases"]


@pytest.mark.parametrize("case", CASES, ids=[c["name"] for c in CASES])
def test_firth_estimates_match_brglm2_and_the_profile_matches_direct_maximisation(
    case: dict[str, Any],
) -> None:
    fit = fit_firth(np.array(case["design"], dtype=float), np.array(case["outcome"]) == 1)
    assert fit.coefficients == pytest.approx(case["coefficients"], rel=1e-5)
    assert fit.standard_errors == pytest.approx(case["standard_errors"], rel=1e-5)
    assert fit.penalised_log_likelihood == pytest.approx(case["penalised_log_likelihood"], abs=1e-7)
    # R's profile ends come from nested general-purpose optimisers; they agree to about 1e-5.
    assert fit.low == pytest.approx(case["low"], rel=1e-4)
    assert fit.high == pytest.approx(case["high"], rel=1e-4)
    assert fit.p_values == pytest.approx(case["p_values"], rel=1e-4)


def test_firth_matches_the_published_endometrial_example() -> None:
    # Heinze & Schemper 2002 (doi 10.1002/sim.1047), whose data brglm2 ships: the profile penalised
    # likelihood interval of neovasculation, 0.61 to 7.85 around 2.93, where maximum likelihood has none.
    case = next(c for c in CASES if c["name"] == "endometrial")
    design, outcome = np.array(case["design"], dtype=float), np.array(case["outcome"]) == 1
    fit = fit_firth(design, outcome, terms=case["terms"])
    nv = fit.terms.index("NV")
    assert [round(float(v), 2) for v in (fit.coefficients[nv], fit.low[nv], fit.high[nv])] == [
        2.93,
        0.61,
        7.85,
    ]
    with pytest.raises(SeparationError):
        fit_logistic(design, outcome)


def test_the_separated_case_has_no_maximum_likelihood_estimate() -> None:
    case = next(c for c in CASES if c["name"] == "separated")
    with pytest.raises(SeparationError):
        fit_logistic(np.array(case["design"], dtype=float), np.array(case["outcome"]) == 1)


def test_maximum_likelihood_matches_glm_on_the_aneurysm_data() -> None:
    reference = json.loads(shared("reference/survival-and-roc.json").read_text(encoding="utf-8"))
    expected = reference["aSAH"]["glm_log_s100b"]
    with shared("data/survival/proc_aSAH.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    marker = np.array([float(row["s100b"]) for row in table])
    poor = np.array([row["outcome"] == "Poor" for row in table])
    fit = fit_logistic(
        np.column_stack([np.ones(marker.size), np.log(marker)]), poor, terms=("(Intercept)", "log(s100b)")
    )
    assert fit.coefficients == pytest.approx([expected["coef"][t] for t in fit.terms], rel=1e-8)
    # glm's standard errors are those of its last step but one, about 2e-5 off the maximum.
    assert fit.standard_errors == pytest.approx([expected["se"][t] for t in fit.terms], rel=1e-4)
    assert fit.log_likelihood == pytest.approx(expected["loglik"], abs=1e-8)
    assert -2 * fit.log_likelihood + 4 == pytest.approx(expected["aic"], abs=1e-7)
