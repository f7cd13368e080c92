"""What must hold of any survival data: bounds, orders, and what a change of unit or order may not change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from troughline.survival.competing import cumulative_incidence, one_minus_kaplan_meier
from troughline.survival.cox import CoxFitError, fit_cox
from troughline.survival.firth_cox import fit_cox_firth
from troughline.survival.kaplan_meier import kaplan_meier
from troughline.survival.landmark import landmark
from troughline.survival.log_rank import log_rank
from troughline.survival.maxstat import maximally_selected_log_rank
from troughline.survival.rmst import restricted_mean_survival
from troughline.survival.time_dependent import time_dependent_group

sixty = settings(deadline=None, max_examples=60)


@st.composite
def cohorts(draw: st.DrawFn, smallest: int = 1) -> dict[str, np.ndarray]:
    """Patients with tied times on a grid, two groups, and entries before each time."""
    n = draw(st.integers(smallest, 30))
    whole = st.lists(st.integers(1, 20), min_size=n, max_size=n)
    flags = st.lists(st.booleans(), min_size=n, max_size=n)
    time = np.asarray(draw(whole), dtype=float)
    share = np.asarray(draw(st.lists(st.sampled_from([0.0, 0.25, 0.5]), min_size=n, max_size=n)))
    return {
        "time": time,
        "event": np.asarray(draw(flags)),
        "group": np.asarray(draw(flags)),
        "entry": np.floor(share * (time - 1)),
        "level": np.asarray(draw(whole), dtype=float),
    }


@sixty
@given(cohorts())
def test_survival_falls_from_one_within_its_interval(d: dict[str, np.ndarray]) -> None:
    for curve in kaplan_meier(d["time"], d["event"], d["group"]):
        assert np.all((curve.survival >= 0) & (curve.survival <= 1))
        assert np.all(np.diff(curve.survival) <= 1e-15)
        known = np.isfinite(curve.low)
        assert np.all(curve.low[known] <= curve.survival[known] + 1e-12)
        assert np.all(curve.survival[known] <= curve.high[known] + 1e-12)
        assert curve.n_events.sum() + curve.n_censored.sum() == curve.n
        assert np.array_equal(curve.at_risk(curve.time), curve.n_at_risk)


@sixty
@given(cohorts(), st.sampled_from([1 / 30.4, 12.0, 365.25]))
def test_order_and_unit_of_time_change_nothing(d: dict[str, np.ndarray], factor: float) -> None:
    (curve,) = kaplan_meier(d["time"], d["event"], entry=d["entry"])
    back = slice(None, None, -1)
    (other,) = kaplan_meier(factor * d["time"][back], d["event"][back], entry=factor * d["entry"][back])
    assert other.survival == pytest.approx(curve.survival, abs=1e-12)
    assert other.time == pytest.approx(factor * curve.time, rel=1e-7)
    assert other.median == pytest.approx(factor * curve.median, rel=1e-7, nan_ok=True)


def log_rank_by_hand(d: dict[str, np.ndarray]) -> tuple[float, float, float]:
    """Observed, expected and hypergeometric variance of the second group, from the definition."""
    observed = expected = variance = 0.0
    for t in np.unique(d["time"][d["event"]]):
        at_risk = (d["entry"] < t) & (d["time"] >= t)
        dying = at_risk & d["event"] & (d["time"] == t)
        n, n1, deaths = at_risk.sum(), (at_risk & d["group"]).sum(), dying.sum()
        observed += (dying & d["group"]).sum()
        expected += deaths * n1 / n
        if n > 1:
            variance += deaths * (n1 / n) * (1 - n1 / n) * (n - deaths) / (n - 1)
    return float(observed), float(expected), float(variance)


@sixty
@given(cohorts(2))
def test_log_rank_with_delayed_entry_is_its_definition(d: dict[str, np.ndarray]) -> None:
    assume(0 < d["group"].sum() < d["group"].size)
    test = log_rank(d["time"], d["event"], d["group"], entry=d["entry"])
    observed, expected, variance = log_rank_by_hand(d)
    assert test.observed[1] == pytest.approx(observed)
    if variance > 1e-12:
        assert test.expected[1] == pytest.approx(expected, abs=1e-10)
        assert test.observed.sum() == pytest.approx(test.expected.sum(), abs=1e-10)
        assert test.statistic == pytest.approx((observed - expected) ** 2 / variance, rel=1e-9, abs=1e-12)
    else:
        assert np.isnan(test.statistic)


@sixty
@given(cohorts(2))
def test_log_rank_knows_only_the_order_of_times(d: dict[str, np.ndarray]) -> None:
    assume(0 < d["group"].sum() < d["group"].size)
    test = log_rank(d["time"], d["event"], d["group"])
    other = log_rank(np.sqrt(d["time"]), d["event"], ~d["group"], strata=np.zeros(d["time"].size))
    assert other.statistic == pytest.approx(test.statistic, rel=1e-9, abs=1e-12, nan_ok=True)


@sixty
@given(cohorts(), st.data())
def test_incidences_and_event_free_survival_add_to_one(d: dict[str, np.ndarray], data: st.DataObject) -> None:
    n = d["time"].size
    cause = data.draw(st.lists(st.sampled_from([None, "progression", "death"]), min_size=n, max_size=n))
    causes = ["progression", "death"]
    both = cumulative_incidence(d["time"], cause, causes=causes)
    (free,) = kaplan_meier(d["time"], [c is not None for c in cause])
    assert both[0].probability + both[1].probability + free.survival == pytest.approx(np.ones(free.time.size))
    for curve in both:
        (naive,) = one_minus_kaplan_meier(d["time"], cause, curve.cause)
        assert np.all(naive.probability >= curve.probability - 1e-12)
        assert np.all(np.diff(curve.probability) >= -1e-15)


@sixty
@given(cohorts(), st.floats(0.1, 20.0))
def test_restricted_mean_is_the_integral_and_at_most_tau(d: dict[str, np.ndarray], tau: float) -> None:
    assume(tau <= d["time"].max())
    (mean,) = restricted_mean_survival(d["time"], d["event"], tau=tau)
    (curve,) = kaplan_meier(d["time"], d["event"])
    edges = np.concatenate(([0.0], curve.time[curve.time < tau], [tau]))
    heights = curve.at(edges[:-1]).survival
    assert mean.value == pytest.approx(float(heights @ np.diff(edges)), rel=1e-12)
    assert 0 < mean.value <= tau * (1 + 1e-12)


@sixty
@given(cohorts(), st.integers(0, 19))
def test_landmark_accounts_for_every_patient(d: dict[str, np.ndarray], at: int) -> None:
    assume(((d["time"] > at) & (d["entry"] <= at)).any())
    kept = landmark(d["time"], d["event"], at, entry=d["entry"])
    assert kept.time.size + kept.n_left_out == d["time"].size
    assert np.all(kept.time > 0)


@sixty
@given(cohorts())
def test_cutting_follow_up_keeps_its_length_and_its_events(d: dict[str, np.ndarray]) -> None:
    change = np.where(d["group"], d["level"], np.nan)
    rows = time_dependent_group(d["time"], d["event"], change, entry=d["entry"])
    assert (rows.stop - rows.start).sum() == (d["time"] - d["entry"]).sum()
    assert np.all(rows.stop > rows.start)
    assert rows.event.sum() == d["event"].sum()
    # A change is counted only before the event that it might explain.
    assert np.all(rows.start[rows.changed] >= np.minimum(change, d["time"])[rows.patient[rows.changed]])


def cox_or_none(*arguments: Any, **options: Any) -> Any:
    try:
        return fit_cox(*arguments, **options)
    except CoxFitError:
        return None


@sixty
@given(cohorts(8), st.sampled_from([0.001, 1000.0]))
def test_cox_follows_the_unit_of_a_covariate_and_refuses_in_any(
    d: dict[str, np.ndarray], factor: float
) -> None:
    x = np.stack((d["group"], d["level"]), axis=1).astype(float)
    fit = cox_or_none(d["time"], d["event"], x, ["group", "level"])
    other = cox_or_none(d["time"], d["event"], x * [1.0, factor], ["group", "level"])
    assert (fit is None) == (other is None)
    if fit is not None and other is not None:
        assert np.all(np.isfinite(fit.coefficients))
        assert np.all(np.diag(fit.covariance) > 0)
        assert other.coefficients * [1.0, factor] == pytest.approx(fit.coefficients, rel=1e-5, abs=1e-7)
        assert other.log_likelihood == pytest.approx(fit.log_likelihood, abs=1e-7)


@sixty
@given(cohorts(8))
def test_cutting_rows_that_do_not_change_leaves_cox_as_it_was(d: dict[str, np.ndarray]) -> None:
    whole = cox_or_none(d["time"], d["event"], d["level"], ["level"])
    rows = time_dependent_group(d["time"], d["event"], d["time"] / 2)
    cut = cox_or_none(rows.stop, rows.event, d["level"][rows.patient], ["level"], entry=rows.start)
    assert (whole is None) == (cut is None)
    if whole is not None and cut is not None:
        assert cut.coefficients == pytest.approx(whole.coefficients, rel=1e-6, abs=1e-8)
        assert cut.covariance == pytest.approx(whole.covariance, rel=1e-6)


@sixty
@given(cohorts(6))
def test_firth_is_finite_wherever_the_events_carry_information(d: dict[str, np.ndarray]) -> None:
    # Somebody has an event while both groups are at risk.
    assume(log_rank_by_hand(d | {"entry": np.zeros(d["time"].size)})[2] > 0)
    fit = fit_cox_firth(d["time"], d["event"], d["group"].astype(float), ["group"])
    (term,) = fit.terms
    assert np.isfinite(term.coefficient)
    assert term.low < term.hazard_ratio < term.high
    # The interval leaves out 1 exactly where the test at the same level rejects it.
    assert (term.low <= 1 <= term.high) == (term.p_value >= 0.05) or term.p_value == pytest.approx(0.05)


@sixty
@given(cohorts(10))
def test_maxstat_knows_only_the_order_of_the_marker(d: dict[str, np.ndarray]) -> None:
    share = (d["level"][:, np.newaxis] <= d["level"]).mean(axis=0)
    assume(d["event"].any() and bool(np.any((share >= 0.1) & (share <= 0.9))))
    found = maximally_selected_log_rank(d["time"], d["event"], d["level"])
    other = maximally_selected_log_rank(d["time"], d["event"], np.exp(d["level"] / 4))
    assert other.statistic == pytest.approx(found.statistic, rel=1e-12)
    assert other.statistics == pytest.approx(found.statistics, rel=1e-12)
    assert found.p_lausen_1994 >= 0
    assert found.n_low == (d["level"] <= found.cut).sum()
