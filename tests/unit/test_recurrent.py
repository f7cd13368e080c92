"""Events that repeat, and covariates that change: rows, refusals and identities."""

from __future__ import annotations

import numpy as np
import pytest

from troughline.survival.changing_covariates import changing_cox, measured_rows
from troughline.survival.cox import CoxFitError, fit_cox
from troughline.survival.kaplan_meier import kaplan_meier
from troughline.survival.mean_events import mean_events
from troughline.survival.recurrent import (
    fit_andersen_gill,
    fit_prentice_williams_peterson,
    recurrent_rows,
)
from troughline.survival.time_dependent import time_dependent_group


def test_rows_are_cut_at_the_events() -> None:
    """Two events of P1, the second at the end of follow-up; none of P2."""
    rows = recurrent_rows([9, 5], ["P1", "P2"], ["P1", "P1"], [9, 4], died=[1, 0])
    assert rows.start.tolist() == [0, 4, 0]
    assert rows.stop.tolist() == [4, 9, 5]
    assert rows.event.tolist() == [True, True, False]
    assert rows.died.tolist() == [False, True, False]
    assert rows.number.tolist() == [1, 2, 1]
    assert rows.patient.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("who", "at", "message"),
    [
        (["P1"], [10], "event 0: 10 is outside the follow-up of patient 'P1', 0 to 9"),
        (["P1"], [0], "event 0: 0 is outside"),
        (["P1"], [float("nan")], "event 0: nan is outside"),
        (["P3"], [1], "event 0: patient 'P3' has no follow-up"),
        (["P1", "P2", "P1"], [3, 3, 3], "events 0 and 2 of patient 'P1' are both at 3"),
        (["P1"], [1, 2], "1 patients for event times"),
    ],
)
def test_impossible_events_are_refused(who: list[str], at: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        recurrent_rows([9, 5], ["P1", "P2"], who, at)


def test_one_event_a_patient_makes_every_method_a_cox_regression() -> None:
    """Follow-up ends with the first event: Andersen–Gill and both PWP are Cox, clustered on the patient."""
    rng = np.random.default_rng(1)
    time, event, x = rng.exponential(5, 80), rng.uniform(size=80) < 0.6, rng.normal(size=80)
    who = np.arange(80)
    rows = recurrent_rows(time, who, who[event], time[event])
    cox = fit_cox(time, event, x, ["x"], cluster=who)
    for fit in (
        fit_andersen_gill(rows, x, ["x"]),
        fit_prentice_williams_peterson(rows, x, ["x"], clock="total"),
        fit_prentice_williams_peterson(rows, x, ["x"], clock="gap"),
    ):
        np.testing.assert_allclose(fit.coefficients, cox.coefficients, rtol=1e-10)
        np.testing.assert_allclose(fit.covariance, cox.covariance, rtol=1e-10)


def test_robust_errors_are_wider_where_patients_differ() -> None:
    """A frailty of variance 1: the naive interval of the rate ratio misses the truth more often than 5 %."""
    rng = np.random.default_rng(2)
    naive = robust = 0
    for _ in range(150):
        x = rng.integers(0, 2, 100).astype(float)
        rate = rng.gamma(1, 1, 100) * np.exp(0.5 * x)
        counts = rng.poisson(4 * rate)
        who = np.repeat(np.arange(100), counts)
        fit = fit_andersen_gill(
            recurrent_rows(np.full(100, 4.0), np.arange(100), who, rng.uniform(0, 4, who.size)), x, ["x"]
        )
        miss = abs(float(fit.coefficients[0]) - 0.5)
        naive += miss < 1.96 * np.sqrt(fit.model_covariance[0, 0])
        robust += miss < 1.96 * np.sqrt(fit.covariance[0, 0])
    assert robust >= 134  # a binomial of 150 and 0.95: 0.2 % below
    assert naive < 125


def test_mean_number_of_first_events_is_the_cumulative_hazard_and_with_death_the_incidence() -> None:
    """Without death −log of Kaplan–Meier, nearly; an event that is death itself: 1 − Kaplan–Meier exactly."""
    rng = np.random.default_rng(3)
    time, event = rng.exponential(5, 60), rng.uniform(size=60) < 0.7
    who = np.arange(60)
    (curve,) = mean_events(recurrent_rows(time, who, who[event], time[event], died=event))
    (survival,) = kaplan_meier(time, event)
    np.testing.assert_allclose(curve.mean, 1 - survival.survival, rtol=1e-10)
    (alone,) = mean_events(recurrent_rows(time, who, who[event], time[event]))
    np.testing.assert_allclose(alone.mean, np.cumsum(survival.n_events / survival.n_at_risk), rtol=1e-10)
    assert not alone.with_death


def test_mean_number_of_events_counts_the_dead() -> None:
    """Events once a month for the living, a death rate of 0.1: mean 10 (1 − e^(−0.1 t)), not t; its
    interval.
    """
    rng = np.random.default_rng(4)
    n = 2000
    dies, lost = rng.exponential(10, n), rng.uniform(5, 40, n)
    end = np.minimum(dies, lost)
    counts = rng.poisson(end)
    who = np.repeat(np.arange(n), counts)
    rows = recurrent_rows(end, np.arange(n), who, rng.uniform(0, 1, who.size) * end[who], died=dies < lost)
    (curve,) = mean_events(rows)
    at = curve.at([5, 15])
    truth = 10 * (1 - np.exp(-0.1 * np.array([5, 15])))
    assert np.all((at.low < truth) & (truth < at.high))
    assert np.all(at.high - at.low < 0.1 * truth)


def test_a_value_holds_from_its_moment_until_the_next() -> None:
    """P1 measured at 0, 3 and, the other marker, at 5; P2 first at 2; P3 never; one after the end."""
    rows = measured_rows(
        [8, 6, 4],
        [1, 0, 1],
        ["P1", "P2", "P3"],
        ["P1", "P1", "P2", "P1", "P1"],
        [3, 0, 2, 5, 8],
        [[2, np.nan], [1, 10], [7, 70], [np.nan, 20], [9, 90]],
        ["a", "b"],
    )
    assert rows.start.tolist() == [0, 3, 5, 0, 2, 0]
    assert rows.stop.tolist() == [3, 5, 8, 2, 6, 4]
    assert rows.event.tolist() == [False, False, True, False, False, True]
    np.testing.assert_array_equal(rows.values[:, 0], [1, 2, 2, np.nan, 7, np.nan])
    np.testing.assert_array_equal(rows.values[:, 1], [10, 10, 20, np.nan, 70, np.nan])
    assert rows.n_after_end == 1


def test_a_value_before_entry_holds_from_entry() -> None:
    rows = measured_rows([8], [1], ["P1"], ["P1", "P1"], [-5, 1], [3, 4], ["a"], entry=[2])
    assert (rows.start.tolist(), rows.stop.tolist(), rows.values.ravel().tolist()) == ([2], [8], [4])


@pytest.mark.parametrize(
    ("who", "at", "values", "message"),
    [
        (["P2"], [1], [1], "measurement 0: patient 'P2' has no follow-up"),
        (["P1"], [np.inf], [1], "measurement 0: time inf is not finite"),
        (["P1"], [1], [np.inf], "measurement 0: 'a' is infinite"),
        (["P1", "P1"], [1, 1], [1, 2], "measurements 0 and 1: two values of 'a' at 1"),
        (["P1", "P1"], [1], [1], "do not go together"),
    ],
)
def test_impossible_measurements_are_refused(
    who: list[str], at: list[float], values: list[float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        measured_rows([8], [1], ["P1"], who, at, values, ["a"])


def test_a_change_handed_over_as_measurements_is_the_time_dependent_group() -> None:
    """0 at the beginning, 1 at the change: the same rows and the same regression."""
    rng = np.random.default_rng(5)
    time, event = rng.exponential(5, 50), rng.uniform(size=50) < 0.7
    change = np.where(rng.uniform(size=50) < 0.6, rng.exponential(3, 50), np.nan)
    who = np.arange(50)
    known = ~np.isnan(change)
    rows = measured_rows(
        time,
        event,
        who,
        np.concatenate((who, who[known])),
        np.concatenate((np.zeros(50), change[known])),
        np.concatenate((np.zeros(50), np.ones(int(known.sum())))),
        ["changed"],
    )
    group = time_dependent_group(time, event, change)
    np.testing.assert_array_equal(rows.start, group.start)
    np.testing.assert_array_equal(rows.values[:, 0] == 1, group.changed)
    np.testing.assert_array_equal(rows.event, group.event)
    fit = changing_cox(rows)
    cox = fit_cox(group.stop, group.event, group.changed, ["changed"], entry=group.start)
    np.testing.assert_allclose(fit.cox.coefficients, cox.coefficients, rtol=1e-12)
    assert fit.n_rows_unknown == 0


def test_what_was_never_known_is_counted_or_refused() -> None:
    rows = measured_rows([4, 5], [1, 1], ["P1", "P2"], ["P1"], [1], [2], ["a"])
    with pytest.raises(CoxFitError):
        changing_cox(rows)
    nobody = measured_rows([4, 5], [1, 1], ["P1", "P2"], [], [], np.zeros((0, 1)), ["a"])
    with pytest.raises(CoxFitError, match="never all known"):
        changing_cox(nobody)
