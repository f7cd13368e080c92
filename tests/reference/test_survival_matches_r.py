"""Survival statistics agree with R.

Sources: `shared/reference/survival-and-roc.json` (R 4.2.2, survival 3.5.3, cmprsk 2.2.11, survRM2) and the
outputs beside their scripts in `tests/reference/r/` (R 4.2.2, survival 3.5.3). The shared file holds eleven
digits, so 1e-9 is what it can show; the others are compared at 1e-8 unless a test says otherwise.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.reference.r_reference import COMPUTED, PRINTED, close, from_r, table
from tests.shared_data import shared
from troughline.survival.cox import fit_cox, proportional_hazards_test
from troughline.survival.kaplan_meier import kaplan_meier
from troughline.survival.log_rank import log_rank, log_rank_trend
from troughline.survival.rmst import restricted_mean_difference, restricted_mean_survival


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
def hepatocellular() -> dict[str, np.ndarray]:
    return table("data/hcc/hepatocellular_asaur.csv")


def months(value: float | None) -> float:
    return np.nan if value is None else value


@pytest.mark.parametrize("interval", ["log", "log-log", "plain"])
def test_kaplan_meier_median_and_interval_match_r_survfit(
    reference: dict[str, Any], lung: dict[str, np.ndarray], interval: Any
) -> None:
    curves = kaplan_meier(lung["time"], lung["status"] == 2, lung["sex"], interval=interval)
    for curve, line in zip(curves, reference["lung"]["km_sex_" + interval.replace("-", "")], strict=True):
        assert (curve.n, curve.n_events_total) == (line["records"], line["events"])
        close(
            [curve.median, curve.median_low, curve.median_high],
            [line["median"], line["0.95LCL"], line["0.95UCL"]],
            PRINTED,
        )


def test_kaplan_meier_median_that_is_not_reached_matches_r(
    reference: dict[str, Any], hepatocellular: dict[str, np.ndarray]
) -> None:
    d = hepatocellular
    high = d["CXCL17T"] > np.median(d["CXCL17T"])
    for time, event, group, lines in (
        ("OS", "Death", None, [reference["hepatocellular"]["km_os"]]),
        ("RFS", "Recurrence", None, [reference["hepatocellular"]["km_rfs"]]),
        ("OS", "Death", high, reference["hepatocellular"]["km_os_cxcl17_median"]),
    ):
        for curve, line in zip(kaplan_meier(d[time], d[event], group, interval="log"), lines, strict=True):
            found = [curve.median, curve.median_low, curve.median_high]
            close(found, [months(line[k]) for k in ("median", "0.95LCL", "0.95UCL")], PRINTED)


def test_survival_and_number_at_risk_at_named_times_match_r(
    reference: dict[str, Any], lung: dict[str, np.ndarray]
) -> None:
    curves = kaplan_meier(lung["time"], lung["status"] == 2, lung["sex"], interval="log")
    expected = reference["lung"]["S_at"]
    found = [curve.at([180, 365, 730]) for curve in curves]
    for name, key in (("survival", "surv"), ("low", "lower"), ("high", "upper"), ("n_at_risk", "n.risk")):
        close(np.concatenate([getattr(f, name) for f in found]), expected[key], PRINTED)


def test_kaplan_meier_with_delayed_entry_matches_r(lung: dict[str, np.ndarray]) -> None:
    entry = np.maximum(0, np.floor(0.3 * lung["time"]) - 60)
    curves = kaplan_meier(lung["time"], lung["status"] == 2, lung["sex"], entry=entry)
    expected = from_r("curves_and_regressions")["delayed_entry_km"]
    found = [curve.at([60, 180, 365, 730]) for curve in curves]
    for name, key in (("survival", "surv"), ("low", "low"), ("high", "high"), ("n_at_risk", "n_risk")):
        close(np.concatenate([getattr(f, name) for f in found]), expected[key], COMPUTED)
    medians = [[c.median, c.median_low, c.median_high] for c in curves]
    close(medians, np.asarray(expected["table"], dtype=float)[:, -3:], COMPUTED)


def test_standard_error_of_survival_matches_r(reference: dict[str, Any], lung: dict[str, np.ndarray]) -> None:
    expected = reference["lung"]["S_at"]
    curves = kaplan_meier(lung["time"], lung["status"] == 2, lung["sex"])
    found = [c.standard_error[np.searchsorted(c.time, [180, 365, 730], side="right") - 1] for c in curves]
    close(np.concatenate(found), expected["std.err"], PRINTED)


def test_log_rank_matches_r_survdiff(
    reference: dict[str, Any],
    lung: dict[str, np.ndarray],
    pbc: dict[str, np.ndarray],
    hepatocellular: dict[str, np.ndarray],
) -> None:
    randomised = ~np.isnan(pbc["trt"])
    d = hepatocellular
    quartile = np.searchsorted(np.quantile(d["CXCL17T"], [0.25, 0.5, 0.75]), d["CXCL17T"])
    cases = (
        (lung["time"], lung["status"] == 2, lung["sex"], reference["lung"]["logrank"]),
        (
            pbc["time"][randomised],
            pbc["status"][randomised] == 2,
            pbc["trt"][randomised],
            reference["pbc"]["logrank_trt"],
        ),
        (
            d["OS"],
            d["Death"],
            d["CXCL17T"] > np.median(d["CXCL17T"]),
            reference["hepatocellular"]["logrank_cxcl17T_median"],
        ),
        (d["OS"], d["Death"], quartile, reference["hepatocellular"]["logrank_cxcl17T_quartile"]),
        (d["OS"], d["Death"], d["BCLC"], reference["hepatocellular"]["logrank_BCLC"]),
    )
    for time, event, group, expected in cases:
        test = log_rank(time, event, group)
        assert test.degrees_of_freedom == expected["df"]
        assert list(test.n) == expected["n"]
        close(test.observed, expected["obs"], PRINTED)
        close(test.expected, expected["exp"], PRINTED)
        close([test.statistic, test.p_value], [expected["chisq"], expected["p"]], PRINTED)


def test_stratified_log_rank_matches_r(reference: dict[str, Any], lung: dict[str, np.ndarray]) -> None:
    known = ~np.isnan(lung["ph.ecog"])
    test = log_rank(
        lung["time"][known], lung["status"][known] == 2, lung["sex"][known], strata=lung["ph.ecog"][known]
    )
    expected = reference["lung"]["logrank_strat_ecog"]
    close([test.statistic, test.p_value], [expected["chisq"], expected["p"]], PRINTED)


def test_trend_matches_r_by_survdiff_and_by_coxph(lung: dict[str, np.ndarray]) -> None:
    # One question in two forms: hypergeometric variance (survdiff), and the Cox score test with Efron's ties.
    # (`logrank_trend_ecog` of the shared file is a third, the score test with Breslow's, not offered here.)
    expected = from_r("curves_and_regressions")
    known = ~np.isnan(lung["ph.ecog"]) & ~np.isnan(lung["inst"])
    time, event, ecog = lung["time"][known], lung["status"][known] == 2, lung["ph.ecog"][known]
    close(log_rank_trend(log_rank(time, event, ecog)).statistic, expected["trend_ecog"], COMPUTED)
    close(fit_cox(time, event, ecog, ["ecog"]).score_statistic, expected["trend_ecog_cox"], COMPUTED)


def regressions(
    lung: dict[str, np.ndarray], pbc: dict[str, np.ndarray], d: dict[str, np.ndarray]
) -> list[tuple[tuple[str, str], np.ndarray, np.ndarray, np.ndarray, list[str]]]:
    ecog = ~np.isnan(lung["ph.ecog"])
    randomised = ~np.isnan(pbc["trt"])
    five = np.stack(
        (pbc["age"], pbc["edema"], np.log(pbc["bili"]), np.log(pbc["protime"]), np.log(pbc["albumin"])),
        axis=1,
    )
    whole = np.isfinite(five).all(axis=1)
    clinical = ["Age", "Gender", "HBsAg", "Cirrhosis", "AFP", "Tumorsize", "Vascularinvasion", "BCLC"]
    columns = np.stack([np.log(d[c]) if c == "AFP" else d[c] for c in clinical], axis=1)
    marker = np.stack((np.log(d["CXCL17T"] + 1), d["Tumorsize"], d["BCLC"]), axis=1)
    return [
        (
            ("lung", "cox_age_sex_ecog"),
            lung["time"][ecog],
            lung["status"][ecog] == 2,
            np.stack((lung["age"], lung["sex"], lung["ph.ecog"]), axis=1)[ecog],
            ["age", "sex", "ph.ecog"],
        ),
        (
            ("pbc", "cox_trt"),
            pbc["time"][randomised],
            pbc["status"][randomised] == 2,
            pbc["trt"][randomised],
            ["trt"],
        ),
        (
            ("pbc", "cox5"),
            pbc["time"][whole],
            pbc["status"][whole] == 2,
            five[whole],
            ["age", "edema", "log(bili)", "log(protime)", "log(albumin)"],
        ),
        (
            ("hepatocellular", "cox_clin"),
            d["OS"],
            d["Death"],
            columns,
            ["log(AFP)" if c == "AFP" else c for c in clinical],
        ),
        (
            ("hepatocellular", "cox_cx"),
            d["OS"],
            d["Death"],
            marker,
            ["log(CXCL17T + 1)", "Tumorsize", "BCLC"],
        ),
    ]


def test_cox_matches_r_coxph(
    reference: dict[str, Any],
    lung: dict[str, np.ndarray],
    pbc: dict[str, np.ndarray],
    hepatocellular: dict[str, np.ndarray],
) -> None:
    for (data, key), time, event, x, names in regressions(lung, pbc, hepatocellular):
        expected = reference[data][key]
        fit = fit_cox(time, event, x, names)
        assert (fit.n, fit.n_events) == (expected["n"], expected["nevent"])
        for line in expected["coef"]:
            term = fit.term(line["term"])
            close(
                [term.coefficient, term.standard_error, term.hazard_ratio],
                [line["coef"], line["se(coef)"], line["exp(coef)"]],
                COMPUTED,
            )
            close(term.p_value, line["Pr(>|z|)"], 1e-7)
        for line in expected["ci"]:
            term = fit.term(line["term"])
            close([term.low, term.high], [line["lower .95"], line["upper .95"]], COMPUTED)
        close([fit.log_likelihood_null, fit.log_likelihood], expected["loglik"], PRINTED)
        close(fit.likelihood_ratio, expected["lrt"]["test"], PRINTED)
        close(fit.likelihood_ratio_p_value, expected["lrt"]["pvalue"], COMPUTED)
        close(fit.score_statistic, expected["score"]["test"], COMPUTED)
        close(
            [fit.concordance, fit.concordance_standard_error],
            [expected["concordance"]["C"], expected["concordance"]["se(C)"]],
            PRINTED,
        )


@pytest.mark.parametrize("transform", ["km", "rank", "identity"])
def test_proportional_hazards_test_matches_r_cox_zph(
    reference: dict[str, Any],
    lung: dict[str, np.ndarray],
    pbc: dict[str, np.ndarray],
    hepatocellular: dict[str, np.ndarray],
    transform: Any,
) -> None:
    for (data, key), time, event, x, names in regressions(lung, pbc, hepatocellular):
        lines, overall = proportional_hazards_test(time, event, x, names, transform=transform)
        for line, expected in zip((*lines, overall), reference[data][key][f"zph_{transform}"], strict=True):
            assert line.name == expected["term"]
            assert line.degrees_of_freedom == expected["df"]
            close([line.statistic, line.p_value], [expected["chisq"], expected["p"]], 1e-7)


def test_cox_with_delayed_entry_strata_and_clusters_matches_r(lung: dict[str, np.ndarray]) -> None:
    expected = from_r("curves_and_regressions")
    known = ~np.isnan(lung["ph.ecog"]) & ~np.isnan(lung["inst"])
    d = {name: column[known] for name, column in lung.items()}
    time, event = d["time"], d["status"] == 2
    entry = np.maximum(0, np.floor(0.3 * time) - 60)
    three = np.stack((d["age"], d["sex"], d["ph.ecog"]), axis=1)
    two = three[:, [0, 2]]
    names = ["age", "sex", "ph.ecog"]
    for key, x, terms, options in (
        ("delayed_entry_cox", three, names, {"entry": entry}),
        ("stratified_cox", two, ["age", "ph.ecog"], {"strata": d["sex"]}),
        ("clustered_cox", three, names, {"cluster": d["inst"]}),
    ):
        fit = fit_cox(time, event, x, terms, **options)
        line = expected[key]
        close(fit.coefficients, line["coef"], COMPUTED)
        close(fit.covariance, line["var"], COMPUTED)
        close([fit.log_likelihood_null, fit.log_likelihood], line["loglik"], COMPUTED)
        close(fit.concordance, line["concordance"], COMPUTED)
        close(fit.concordance_standard_error, line["concordance_se"], COMPUTED)
        if fit.robust:
            close(fit.model_covariance, line["naive_var"], COMPUTED)
        else:
            tests, overall = proportional_hazards_test(time, event, x, terms, **options)
            zph = [[t.statistic, t.degrees_of_freedom, t.p_value] for t in (*tests, overall)]
            close(zph, line["zph"], 1e-7)


@pytest.mark.parametrize("key", ["rmst2_pbc_tau10", "rmst2_lung_sex_365"])
def test_restricted_mean_difference_matches_survrm2(
    reference: dict[str, Any], lung: dict[str, np.ndarray], pbc: dict[str, np.ndarray], key: str
) -> None:
    if key == "rmst2_pbc_tau10":
        d = {name: column[:312] for name, column in pbc.items()}
        time, event, arm, tau = d["time"] / 365.25, d["status"] == 2, d["trt"] == 1, 10.0
    else:
        time, event, arm, tau = lung["time"], lung["status"] == 2, lung["sex"] == 2, 365.0
    zero, one = restricted_mean_survival(time, event, arm, tau=tau)
    for mean, line in ((zero, "arm0"), (one, "arm1")):
        expected = reference[key][line][0]
        close(
            [mean.value, mean.standard_error, mean.low, mean.high],
            [expected[k] for k in ("Est.", "se", "lower .95", "upper .95")],
            PRINTED,
        )
    difference = restricted_mean_difference(one, zero)
    expected = reference[key]["unadjusted"][0]
    close(
        [difference.value, difference.low, difference.high, difference.p_value],
        [expected[k] for k in ("Est.", "lower .95", "upper .95", "p")],
        PRINTED,
    )


def test_restricted_mean_matches_r_survfit(reference: dict[str, Any], lung: dict[str, np.ndarray]) -> None:
    means = restricted_mean_survival(lung["time"], lung["status"] == 2, lung["sex"], tau=365)
    for mean, line in zip(means, reference["lung"]["rmst_365_sex"], strict=True):
        close([mean.value, mean.standard_error], [line["rmean"], line["se(rmean)"]], PRINTED)
