"""Censored paired tests and trends against R: NADA, NADA2, clinfun, stored in `survival-and-roc.json`."""

from __future__ import annotations

import csv
import json
from typing import Any

import numpy as np
import pytest

from tests.shared_data import shared
from troughline.biomarker.censored import Pairs, exactly, levels
from troughline.biomarker.paired_normal import paired_normal
from troughline.biomarker.paired_tests import prentice_wilcoxon_test, sign_test, signed_rank_test
from troughline.biomarker.trend import jonckheere_terpstra


def stored() -> dict[str, Any]:
    return json.loads(shared("reference/survival-and-roc.json").read_text())


def atrazine() -> Pairs:
    """24 wells in June and September; June − September as the stored tests have it."""
    rows = list(csv.DictReader(shared("data/survival/nada2_atrazine.csv").read_text().splitlines()))
    none = np.zeros(len(rows), dtype=np.bool_)

    def month(name: str) -> Any:
        value = np.array([float(r[name]) for r in rows])
        below = np.array([r[f"{name}Cen"] == "TRUE" for r in rows])
        return levels(value, below, none, value, log=False)

    return Pairs(before=month("Sept"), after=month("June"))


def test_the_paired_censored_normal_test_is_that_of_nada() -> None:
    """Mean, standard error, scale and log-likelihood to 1e-6 of R's survreg; p to 1e-6."""
    reference, ours = stored()["atrazine"]["paired_censored_t"], paired_normal(atrazine().change)
    assert ours.mean == pytest.approx(reference["mean"]["(Intercept)"], rel=1e-6)
    assert ours.standard_error == pytest.approx(reference["se"], rel=1e-6)
    assert ours.standard_deviation == pytest.approx(reference["scale"], rel=1e-6)
    assert ours.log_likelihood == pytest.approx(reference["loglik"], abs=1e-7)
    assert ours.p_normal == pytest.approx(reference["p"]["(Intercept)"], abs=1e-6)


def test_the_sign_test_is_that_of_nada2_with_and_without_ties() -> None:
    reference, ours = stored()["atrazine"]["sign"], sign_test(atrazine())
    assert (ours.n_up, ours.n_down, ours.n_tied) == (reference["pos"], reference["neg"], reference["tie"])
    assert ours.p_exact == pytest.approx(reference["p"], abs=1e-12)
    printed = " ".join(stored()["nada2_atrazine"]["sign"])
    assert f"p-value = {ours.p_ties:.4g}" in printed


def test_the_signed_rank_and_prentice_wilcoxon_tests_are_those_of_nada2() -> None:
    """As printed there, four digits: Z −3.319, p .0009033; Z −3.046, p .002321."""
    printed = stored()["nada2_atrazine"]
    rank, prentice = signed_rank_test(atrazine()), prentice_wilcoxon_test(atrazine())
    assert f"Z = {rank.z:.4g}, p.value = {rank.p_normal:.4g}" in " ".join(printed["signedrank"])
    assert f"Z = {prentice.z:.4g}   p-value = {prentice.p_normal:.4g}" in " ".join(printed["ppw"])


def test_the_exact_trend_is_that_of_clinfun() -> None:
    """R's p is one-sided (increasing); ours is twice that."""
    reference = stored()["jt_small_exact"]
    ours = jonckheere_terpstra(exactly(np.array(reference["x"])), reference["g"])
    assert ours.method == "exact"
    assert ours.statistic == reference["JT"]
    assert ours.p_value == pytest.approx(2 * reference["p"], abs=1e-10)


def test_the_trend_with_ties_is_kendall_s_of_bilirubin_by_stage() -> None:
    """J, τ-b and the tie-corrected z of 312 patients with primary biliary cholangitis, to 1e-8."""
    reference = stored()["jt_pbc_bili_by_stage"]
    rows = list(csv.DictReader(shared("data/survival/survival_pbc.csv").read_text().splitlines()))[
        : reference["n"]
    ]
    stage = np.array([float(r["stage"]) for r in rows])
    ours = jonckheere_terpstra(exactly(np.array([float(r["bili"]) for r in rows])), stage)
    assert ours.statistic == reference["JT"]
    assert ours.tau == pytest.approx(reference["kendall_tau_b"], abs=1e-9)
    assert ours.z == pytest.approx(reference["kendall_z_tie_corrected"], abs=1e-8)
    assert ours.p_normal == pytest.approx(reference["kendall_p"], rel=1e-6)
