"""Repeated events and changing covariates agree with R.

Sources: `tests/reference/r/recurrent.json` and `changing_covariates.json` (R 4.2.2: survival 3.5.3, mets
1.3.2, the scripts beside them). The data sets bladder1, bladder2, cgd and pbcseq of R's survival are read
from the PyPI package `survival`, which carries them. Tolerance 1e-10.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.reference.r_reference import close, from_r
from troughline.survival.changing_covariates import changing_cox, measured_rows
from troughline.survival.mean_events import mean_events
from troughline.survival.recurrent import (
    RecurrentRows,
    fit_andersen_gill,
    fit_prentice_williams_peterson,
    recurrent_rows,
)

datasets = pytest.importorskip("survival.datasets")
EXACT = 1e-10


def columns(name: str) -> dict[str, np.ndarray]:
    """A data set of R's survival, missing numbers as not a number."""
    loaded = getattr(datasets, f"load_{name}")()
    return {
        key: np.asarray([np.nan if v is None else v for v in values])
        if not any(isinstance(v, str) for v in values)
        else np.asarray(values)
        for key, values in loaded.items()
    }


def rows_from(
    data: dict[str, np.ndarray], stop: str, event: np.ndarray, died: np.ndarray | None = None
) -> Any:
    """Rows of R's layout handed over as events and ends of follow-up, and the first row of each patient."""
    ids = np.unique(data["id"])
    mine = [np.flatnonzero(data["id"] == i) for i in ids]
    end = np.asarray([data[stop][rows].max() for rows in mine])
    dead = None if died is None else np.asarray([bool(died[rows].any()) for rows in mine])
    made = recurrent_rows(end, ids, data["id"][event], data[stop][event], died=dead)
    return made, np.asarray([rows[0] for rows in mine])


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    return from_r("recurrent")


@pytest.fixture(scope="module")
def bladder() -> tuple[RecurrentRows, np.ndarray, np.ndarray]:
    data = columns("bladder2")
    rows, first = rows_from(data, "stop", data["event"] == 1)
    x = np.stack([data[k][first] for k in ("rx", "number", "size")], axis=1)
    return rows, x, data["rx"][first]


def test_andersen_gill_and_pwp_match_r_coxph(
    expected: dict[str, Any], bladder: tuple[RecurrentRows, np.ndarray, np.ndarray]
) -> None:
    """Coefficients, robust and naive variances; PWP in total and gap time and with three events at most."""
    rows, x, _ = bladder
    names = ["rx", "number", "size"]
    for key, fit in (
        ("andersen_gill", fit_andersen_gill(rows, x, names)),
        ("pwp_total", fit_prentice_williams_peterson(rows, x, names, clock="total")),
        ("pwp_total_three", fit_prentice_williams_peterson(rows, x, names, clock="total", largest_number=3)),
        ("pwp_gap", fit_prentice_williams_peterson(rows, x, names, clock="gap")),
    ):
        close(fit.coefficients, expected[key]["coef"], EXACT)
        close(fit.covariance, expected[key]["var"], EXACT)
        close(fit.model_covariance, expected[key]["naive"], EXACT)
        assert (fit.n, fit.n_events) == (expected[key]["n"], expected[key]["nevent"])


def test_andersen_gill_matches_r_on_cgd(expected: dict[str, Any]) -> None:
    data = columns("cgd")
    rows, first = rows_from(data, "tstop", data["status"] == 1)
    # The levels of R's factor: placebo first.
    x = np.stack((data["treat"][first] != "placebo", data["age"][first]), axis=1).astype(float)
    fit = fit_andersen_gill(rows, x, ["treat", "age"])
    close(fit.coefficients, expected["cgd"]["coef"], EXACT)
    close(fit.covariance, expected["cgd"]["var"], EXACT)


def test_mean_number_of_events_matches_r_survfit(
    expected: dict[str, Any], bladder: tuple[RecurrentRows, np.ndarray, np.ndarray]
) -> None:
    """Nelson–Aalen with the robust (infinitesimal jackknife) error, by group."""
    rows, _, arm = bladder
    curves = mean_events(rows, arm)
    stored = expected["mean_bladder2"]
    close(np.concatenate([c.time for c in curves]), stored["time"], EXACT)
    close(np.concatenate([c.mean for c in curves]), stored["mean"], EXACT)
    close(np.concatenate([c.standard_error for c in curves]), stored["se"], EXACT)


@pytest.mark.parametrize("key", ["all", "placebo"])
def test_mean_number_of_events_with_death_matches_mets(expected: dict[str, Any], key: str) -> None:
    """Ghosh–Lin and its error against `mets::recurrentMarginal`; times without ties (see the script)."""
    data = columns("bladder1")
    kept = data["stop"] > data["start"]
    if key == "placebo":
        kept &= data["treatment"] == "placebo"
    data = {name: values[kept] for name, values in data.items()}
    data["stop"] = data["stop"] + data["id"] / 1e4
    rows, _ = rows_from(data, "stop", data["status"] == 1, data["status"] >= 2)
    (curve,) = mean_events(rows)
    stored = expected["terminal"][key]
    at = curve.at(np.asarray(stored["time"]) + 1e-9)
    known = ~np.isnan(at.mean)
    assert known.sum() >= len(known) - 1
    close(at.mean[known], np.asarray(stored["mean"])[known], EXACT)
    close(at.standard_error[known], np.asarray(stored["se"])[known], EXACT)
    assert curve.with_death


def test_changing_covariates_match_r_tmerge() -> None:
    """Rows, person-time and values from 1,945 visits of 312 patients, and the Cox regression on them."""
    expected = from_r("changing_covariates")
    data = columns("pbcseq")
    first = np.asarray([np.flatnonzero(data["id"] == i)[0] for i in np.unique(data["id"])])
    values = np.stack([data[k] for k in ("bili", "albumin", "ascites", "alk.phos")], axis=1)
    rows = measured_rows(
        data["futime"][first],
        data["status"][first] == 2,
        data["id"][first],
        data["id"],
        data["day"],
        values,
        ["bili", "albumin", "ascites", "alk"],
    )
    span = rows.stop - rows.start
    assert (rows.start.size, float(span.sum())) == (expected["rows"], expected["person_time"])
    close(np.nansum(rows.values * span[:, None], axis=0), expected["sums"], EXACT)
    assert np.isnan(rows.values).sum(axis=0).tolist() == expected["missing"]
    logs = np.stack((np.log(rows.values[:, 0]), np.log(rows.values[:, 1]), rows.values[:, 2]), axis=1)
    fit = changing_cox(
        replace(rows, names=("bili", "albumin", "ascites"), values=logs),
        covariates=data["age"][first],
        covariate_names=["age"],
    )
    close(fit.cox.coefficients, expected["coef"], EXACT)
    close(fit.cox.covariance, expected["var"], EXACT)
    assert (fit.cox.n, fit.cox.n_events) == (expected["n"], expected["nevent"])

    later = data["day"] > 0
    rows = measured_rows(
        data["futime"][first],
        data["status"][first] == 2,
        data["id"][first],
        data["id"][later],
        data["day"][later],
        np.log(data["bili"][later]),
        ["bili"],
    )
    fit = changing_cox(rows)
    close(fit.cox.coefficients, expected["later"]["coef"], EXACT)
    close(fit.cox.covariance, expected["later"]["var"], EXACT)
    assert (fit.cox.n, fit.cox.n_events) == (expected["later"]["n"], expected["later"]["nevent"])
    assert fit.n_events_unknown == expected["nevent"] - expected["later"]["nevent"]
