"""The maximally selected log-rank statistic agrees with R's maxstat 0.7.25.

Source: `hepatocellular.maxstat_CXCL17T` in `shared/reference/survival-and-roc.json`: 227 patients, overall
survival against CXCL17 in the tumour, cuts between 10 % and 90 %. Eleven digits are printed there.
"""

from __future__ import annotations

import csv
import json
from typing import Any

import numpy as np
import pytest

from tests.shared_data import shared
from troughline.survival.log_rank import log_rank
from troughline.survival.maxstat import maximally_selected_log_rank


@pytest.fixture(scope="module")
def patients() -> dict[str, np.ndarray]:
    with shared("data/hcc/hepatocellular_asaur.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: np.asarray([float(row[name]) for row in rows]) for name in ("OS", "Death", "CXCL17T")}


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    return json.loads(shared("reference/survival-and-roc.json").read_text())["hepatocellular"]


def test_cut_statistic_and_both_corrected_p_match_r(
    patients: dict[str, np.ndarray], reference: dict[str, Any]
) -> None:
    found = maximally_selected_log_rank(patients["OS"], patients["Death"], patients["CXCL17T"])
    expected = reference["maxstat_CXCL17T"]
    assert found.cut == pytest.approx(expected["Lau92"]["cut"], rel=1e-12)
    assert found.statistic == pytest.approx(expected["Lau92"]["M"], rel=1e-9)
    assert found.p_lausen_1992 == pytest.approx(expected["Lau92"]["p"], rel=1e-9)
    assert found.p_lausen_1994 == pytest.approx(expected["Lau94"]["p"]["M"], rel=1e-9)
    assert np.isnan(found.p_permutation)


def test_naive_p_at_the_cut_is_the_log_rank_of_r(
    patients: dict[str, np.ndarray], reference: dict[str, Any]
) -> None:
    found = maximally_selected_log_rank(patients["OS"], patients["Death"], patients["CXCL17T"])
    expected = reference["naive_p_at_maxstat_cut"]
    test = log_rank(patients["OS"], patients["Death"], patients["CXCL17T"] > found.cut)
    assert [found.n_low, found.n_high] == expected["n"]
    assert test.statistic == pytest.approx(expected["chisq"], rel=1e-9)
    assert found.p_naive == pytest.approx(expected["p"], rel=1e-9)


def test_permutation_p_lies_within_chance_of_the_one_r_drew(
    patients: dict[str, np.ndarray], reference: dict[str, Any]
) -> None:
    # Both are Monte Carlo with 9,999 permutations: the standard error of their difference is 0.0014.
    rng = np.random.default_rng(20261122)
    found = maximally_selected_log_rank(patients["OS"], patients["Death"], patients["CXCL17T"], rng=rng)
    assert found.p_permutation == pytest.approx(reference["maxstat_CXCL17T"]["condMC"]["p"], abs=4 * 0.0014)
    assert found.n_permutations == 9999
