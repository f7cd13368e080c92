"""ROC statistics against pROC 1.18 in R, stored in `shared/reference/survival-and-roc.json`.

The stored numbers carry ten or eleven significant digits, so what is deterministic must agree to 1e-8.
"""

from __future__ import annotations

import csv
import json
import math
from typing import Any

import numpy as np
import pytest

from tests.shared_data import shared
from troughline.response.auc_interval import delong, delong_test, hanley_mcneil
from troughline.response.bootstrap import bootstrap_roc, percentile_interval
from troughline.response.roc import mann_whitney, roc_curve
from troughline.response.thresholds import operating_point, optimal_threshold

TOLERANCE = 1e-8


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    return json.loads(shared("reference/survival-and-roc.json").read_text())


@pytest.fixture(scope="module")
def haemorrhage() -> dict[str, np.ndarray]:
    with shared("data/survival/proc_aSAH.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {name: np.array([float(row[name]) for row in rows]) for name in ("s100b", "ndka", "wfns")}
    columns["poor"] = np.array([row["outcome"] == "Poor" for row in rows])
    return columns


@pytest.mark.parametrize("marker", ["s100b", "ndka", "wfns"])
def test_area_and_delong_interval(reference, haemorrhage, marker) -> None:
    expected = reference["aSAH"][marker]
    found = delong(haemorrhage[marker], haemorrhage["poor"])
    assert found.value == pytest.approx(expected["auc"], abs=TOLERANCE)
    assert (found.low, found.value, found.high) == pytest.approx(tuple(expected["ci_delong"]), abs=TOLERANCE)
    assert found.variance == pytest.approx(expected["var_delong"], abs=TOLERANCE)
    curve = roc_curve(haemorrhage[marker], haemorrhage["poor"])
    assert (curve.n_cases, curve.n_controls) == (expected["n_cases"], expected["n_controls"])


@pytest.mark.parametrize("pair", [("s100b", "wfns"), ("s100b", "ndka"), ("wfns", "ndka")])
def test_delong_test_of_two_markers(reference, haemorrhage, pair) -> None:
    first, second = pair
    found = delong_test(haemorrhage[first], haemorrhage[second], haemorrhage["poor"])
    expected = reference["aSAH"][f"test_{first}_{second}"]
    assert found.statistic == pytest.approx(expected["Z"], abs=TOLERANCE)
    assert found.p_value == pytest.approx(expected["p"], abs=TOLERANCE)
    if pair == ("s100b", "wfns"):
        assert found.covariance == pytest.approx(reference["aSAH"]["cov_delong_s100b_wfns"], abs=TOLERANCE)


@pytest.mark.parametrize("marker", ["s100b", "ndka", "wfns"])
def test_best_cuts(reference, haemorrhage, marker) -> None:
    curve = roc_curve(haemorrhage[marker], haemorrhage["poor"])
    for criterion, key in (("youden", "best_youden"), ("closest-corner", "best_closest")):
        expected = reference["aSAH"][marker][key][0]
        found = optimal_threshold(curve, criterion)
        for name in ("threshold", "sensitivity", "specificity"):
            assert getattr(found, name) == pytest.approx(expected[name], abs=TOLERANCE)
    expected = reference["aSAH"][marker]["best_youden"][0]
    point = operating_point(haemorrhage[marker], haemorrhage["poor"], expected["threshold"])
    # pROC prints sensitivity + specificity as its "youden".
    assert point.youden + 1.0 == pytest.approx(expected["youden"], abs=TOLERANCE)
    assert point.positive_predictive_value.value == pytest.approx(expected["ppv"], abs=TOLERANCE)
    assert point.negative_predictive_value.value == pytest.approx(expected["npv"], abs=TOLERANCE)
    counts = (point.true_positives, point.false_positives, point.true_negatives, point.false_negatives)
    assert counts == tuple(expected[name] for name in ("tp", "fp", "tn", "fn"))


def test_whole_curve(reference, haemorrhage) -> None:
    curve = roc_curve(haemorrhage["s100b"], haemorrhage["poor"])
    expected = reference["aSAH"]["roc_s100b"]
    assert len(expected) == curve.thresholds.size
    np.testing.assert_allclose(curve.sensitivity, [p["sens"] for p in expected], atol=TOLERANCE)
    np.testing.assert_allclose(curve.specificity, [p["spec"] for p in expected], atol=TOLERANCE)
    # Both ends are infinite and stored as null.
    inner = [p["threshold"] for p in expected[1:-1]]
    np.testing.assert_allclose(curve.thresholds[1:-1], inner, atol=TOLERANCE)
    assert math.isinf(curve.thresholds[0])
    assert math.isinf(curve.thresholds[-1])


def test_mann_whitney(reference, haemorrhage) -> None:
    """R counts the pairs in which the first level, the control, is higher; W + U is the number of pairs."""
    found = mann_whitney(haemorrhage["s100b"], haemorrhage["poor"])
    expected = reference["aSAH"]["mw_test_s100b"]
    assert found.statistic == 41 * 72 - expected["W"]
    assert found.p_value == pytest.approx(expected["p"], abs=TOLERANCE)


def test_bootstrap_of_the_best_cut(reference, haemorrhage) -> None:
    """2,000 replicates with another generator.

    Monte Carlo tolerance: a stored quantile at probability q must lie between our quantiles at q ± 0.012,
    which is 3.4 binomial standard errors at q = 0.025 (√(0.025 · 0.975 / 2000) = 0.0035) and, for the
    median, 0.05 (√(0.25 / 2000) = 0.011 on either side). The cuts are discrete, so quantiles jump.
    """
    replicates = bootstrap_roc(
        haemorrhage["s100b"], haemorrhage["poor"], n_replicates=20_000, rng=np.random.default_rng(42)
    )
    expected = reference["aSAH"]["boot_threshold_s100b_seed42"][0]
    for name in ("threshold", "specificity", "sensitivity"):
        values = getattr(replicates, name)
        for label, probability, slack in (
            ("2.5.", 0.025, 0.012),
            ("50.", 0.5, 0.05),
            ("97.5.", 0.975, 0.012),
        ):
            low, high = np.quantile(values, [probability - slack, probability + slack])
            assert low - TOLERANCE <= expected[f"{name}.{label}"] <= high + TOLERANCE
    low, high = percentile_interval(replicates.auc)
    usual = delong(haemorrhage["s100b"], haemorrhage["poor"])
    assert (low, high) == pytest.approx((usual.low, usual.high), abs=0.01)


def test_vascular_invasion_by_alpha_fetoprotein(reference) -> None:
    """227 patients after resection; the marker has two levels only, so ties decide everything."""
    with shared("data/hcc/hepatocellular_asaur.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    marker = np.array([float(row["AFP"]) for row in rows])
    invaded = np.array([row["Vascularinvasion"] == "1" for row in rows])
    expected = reference["hepatocellular"]["roc_AFP_vascinv"]
    found = delong(marker, invaded)
    assert (found.low, found.value, found.high) == pytest.approx(tuple(expected["ci"]), abs=TOLERANCE)
    best = optimal_threshold(roc_curve(marker, invaded))
    assert best.threshold == expected["best"][0]["threshold"]
    assert best.sensitivity == pytest.approx(expected["best"][0]["sensitivity"], abs=TOLERANCE)
    assert best.specificity == pytest.approx(expected["best"][0]["specificity"], abs=TOLERANCE)


@pytest.mark.parametrize("key", ["resp_0.97", "tox_0.74"])
def test_hanley_mcneil_of_the_printed_areas(reference, key) -> None:
    # The stored limits take the normal quantile as 1.96, so the level that belongs to it is asked for.
    level = math.erf(1.96 / math.sqrt(2.0))
    for row in reference["noda_auc_check"][key]:
        found = hanley_mcneil(row["A"], row["n1"], row["n0"], level=level)
        assert math.sqrt(found.variance) == pytest.approx(row["se"], abs=TOLERANCE)
        assert (found.low, found.high) == pytest.approx((row["wald_lo"], row["wald_hi"]), abs=TOLERANCE)
        assert found.clipped == (row["wald_hi"] == 1)
