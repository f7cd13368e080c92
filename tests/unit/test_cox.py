"""Cox regression refuses what has no estimate, and the Firth penalty gives one, by independent arithmetic."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from troughline.survival.cox import CoxFitError, SeparationError, fit_cox, proportional_hazards_test
from troughline.survival.firth_cox import fit_cox_firth
from troughline.survival.separation import separating_direction
from troughline.survival.times import checked_times


def penalised_by_loops(
    beta: np.ndarray, time: np.ndarray, event: np.ndarray, x: np.ndarray, entry: np.ndarray
) -> float:
    """l(β) + ½ log |I(β)| with Efron's ties, written from the definition, one patient at a time."""
    total, information = 0.0, np.zeros((x.shape[1], x.shape[1]))
    for t in sorted(set(time[event].tolist())):
        dying = [i for i in range(len(time)) if event[i] and time[i] == t]
        at_risk = [i for i in range(len(time)) if entry[i] < t <= time[i]]
        for rank, i in enumerate(dying):
            weights = {
                j: math.exp(float(x[j] @ beta)) * (1 - rank / len(dying) if j in dying else 1.0)
                for j in at_risk
            }
            mass = sum(weights.values())
            total += float(x[i] @ beta) - math.log(mass)
            mean = sum(w * x[j] for j, w in weights.items()) / mass
            information += sum(w * np.outer(x[j] - mean, x[j] - mean) for j, w in weights.items()) / mass
    return total + 0.5 * float(np.linalg.slogdet(information)[1])


def small_cohort(seed: int, n: int = 14) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    time = np.ceil(6 * rng.exponential(size=n))
    entry = np.where(rng.random(n) < 0.3, time / 4, 0.0)
    x = np.stack((rng.random(n) < 0.5, rng.normal(size=n)), axis=1).astype(float)
    return time, rng.random(n) < 0.6, x, entry


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_firth_maximises_the_penalised_likelihood_of_the_definition(seed: int) -> None:
    from scipy.optimize import minimize

    time, event, x, entry = small_cohort(seed)
    fit = fit_cox_firth(time, event, x, ["group", "level"], entry=entry)
    found = minimize(
        lambda b: -penalised_by_loops(b, time, event, x, entry),
        fit.coefficients + 0.3,
        method="Nelder-Mead",
        options={"xatol": 1e-8, "fatol": 1e-13, "maxiter": 4000},
    )
    assert fit.penalised_log_likelihood == pytest.approx(-found.fun, abs=1e-9)
    assert fit.coefficients == pytest.approx(found.x, abs=1e-5)


def test_firth_interval_ends_where_the_profile_has_fallen_by_half_of_3_84() -> None:
    from scipy.optimize import minimize_scalar

    time, event, x, entry = small_cohort(2)
    fit = fit_cox_firth(time, event, x, ["group", "level"], entry=entry)
    for bound in (fit.terms[0].low, fit.terms[0].high):
        held = math.log(bound)
        rest = minimize_scalar(
            lambda b, held=held: -penalised_by_loops(np.array([held, b]), time, event, x, entry),
            bracket=(-1.0, 1.0),
            tol=1e-12,
        )
        assert 2 * (fit.penalised_log_likelihood + rest.fun) == pytest.approx(3.841458820694124, abs=1e-6)


def test_firth_in_one_binary_covariate_and_one_event_has_a_closed_form() -> None:
    # One event among k + m at risk, in the group of k: l + ½ log I = log(e/(ke+m)) + ½ log(kme/(ke+m)²),
    # largest where e^β = 3m/k (set the derivative 3/2 − 2 k e/(k e + m) to zero).
    k, m = 3, 5
    time = np.array([1.0] + [2.0] * (k + m - 1))
    event = np.array([True] + [False] * (k + m - 1))
    x = np.array([1.0] * k + [0.0] * m)
    fit = fit_cox_firth(time, event, x, ["group"])
    assert fit.terms[0].hazard_ratio == pytest.approx(3 * m / k, rel=1e-7)


def test_a_group_without_events_is_separated_for_cox_and_finite_for_firth() -> None:
    rng = np.random.default_rng(26)
    time, group = rng.exponential(10.0, 26), np.repeat([0, 1, 2], [10, 9, 7])
    event = (group < 2) & (rng.random(26) < 0.8)
    x = np.stack((group == 1, group == 2), axis=1).astype(float)
    with pytest.raises(SeparationError, match=r"monotone in .*high") as raised:
        fit_cox(time, event, x, ["middle", "high"])
    assert raised.value.terms == ("high",)
    fit = fit_cox_firth(time, event, x, ["middle", "high"])
    high = fit.term("high")
    assert 0 < high.low < high.hazard_ratio < high.high < math.inf


def test_separation_is_found_whichever_way_it_comes() -> None:
    rng = np.random.default_rng(3)
    n = 60
    time, noise = rng.exponential(size=n), rng.normal(size=n)
    group = rng.random(n) < 0.3
    events = ~group & (rng.random(n) < 0.7)
    columns = np.stack((group, noise), axis=1).astype(float)
    for options in (
        {},
        {"entry": time * 0.2},
        {"strata": np.arange(n) % 2},
        {"cluster": np.arange(n) // 2},
    ):
        with pytest.raises(SeparationError):
            fit_cox(time, events, columns, ["group", "noise"], **options)
    with pytest.raises(SeparationError):
        proportional_hazards_test(time, events, columns, ["group", "noise"])
    # A perfectly ordered continuous covariate, where the likelihood reaches its supremum of 1.
    with pytest.raises(SeparationError):
        fit_cox(np.arange(1.0, 9.0), np.ones(8), np.arange(8.0), ["level"])


def test_large_but_finite_hazard_ratios_are_not_taken_for_separation() -> None:
    rng = np.random.default_rng(8)
    x = rng.normal(size=400)
    fit = fit_cox(rng.exponential(np.exp(-4 * x)), np.ones(400), x, ["level"])
    assert fit.terms[0].coefficient == pytest.approx(4, abs=4 * fit.terms[0].standard_error)
    # One value a thousand times the rest, as when a unit was mistaken.
    outlier = np.where(np.arange(400) == 0, 3000.0, x)
    assert math.isfinite(fit_cox(rng.exponential(size=400), np.ones(400), outlier, ["level"]).coefficients[0])


def test_separation_agrees_with_trying_every_direction_in_the_plane() -> None:
    # The edges of the cone of separating directions stand at right angles to a difference of two patients,
    # so these directions hold one of every cone.
    whole = [(a, b) for a, b in itertools.product(range(-2, 3), repeat=2) if (a, b) != (0, 0)]
    directions = np.asarray(whole, dtype=float).T
    seen = set()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        n = 9
        time = rng.permutation(np.arange(1.0, n + 1))
        event = rng.random(n) < 0.4
        x = rng.integers(0, 3, (n, 2)).astype(float)
        if not event.any():
            continue
        ordered = np.ones(directions.shape[1], dtype=bool)
        strict = np.zeros(directions.shape[1], dtype=bool)
        for i, j in itertools.product(np.flatnonzero(event), range(n)):
            if time[j] >= time[i]:
                ahead = (x[i] - x[j]) @ directions
                ordered &= ahead >= -1e-9
                strict |= ahead > 1e-9
        expected = bool((ordered & strict).any())
        found = separating_direction(checked_times(time, event), x) is not None
        assert found == expected, seed
        seen.add(found)
    assert seen == {True, False}


def test_what_has_no_hazard_ratio_is_an_error_that_says_why() -> None:
    time, event, x, _ = small_cohort(1)
    for fit in (fit_cox, fit_cox_firth):
        with pytest.raises(CoxFitError, match="no event among these patients"):
            fit(time, np.zeros(14), x, ["a", "b"])
        with pytest.raises(CoxFitError, match="b: the same value in every patient"):
            fit(time, event, np.stack((x[:, 1], np.ones(14)), axis=1), ["a", "b"])
        with pytest.raises(ValueError, match=r"covariates have shape \(14, 2\); expected \(14, 1\)"):
            fit(time, event, x, ["a"])
        with pytest.raises(ValueError, match="covariate 'b', row 3: nan is not finite"):
            fit(time, event, np.where(np.arange(28).reshape(14, 2) == 7, np.nan, x), ["a", "b"])
    with pytest.raises(CoxFitError, match="collinear"):
        fit_cox(time, event, x[:, [1, 1]], ["a", "b"])
    with pytest.raises(CoxFitError, match="singular"):
        fit_cox_firth(time, event, x[:, [1, 1]], ["a", "b"])


def test_an_unknown_covariate_name_is_a_key_error() -> None:
    time, event, x, _ = small_cohort(1)
    for fit in (fit_cox, fit_cox_firth):
        with pytest.raises(KeyError, match="no covariate 'c'"):
            fit(time, event, x, ["a", "b"]).term("c")
