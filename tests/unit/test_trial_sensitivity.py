"""What predictions of a virtual trial hang on: effects, ranks and shares against known answers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.unit.test_trial_run import made
from troughline.trial import sensitivity
from troughline.trial.elementary_effects import elementary_effects, resampled
from troughline.trial.run import run_trial
from troughline.trial.sensitivity import screen
from troughline.trial.sensitivity_run import MEASURED

ASKED: dict[str, Any] = {
    "arm": "sorafenib", "control": "placebo", "n": 60, "trajectories": 2, "sobol": 8, "keep": 2,
}  # fmt: skip
LONG = {"title": "t", "replicates": 1, "horizon_months": 12}
needs_salib = pytest.mark.skipif(
    sensitivity.importlib.util.find_spec("SALib") is None, reason="SALib is not installed"
)


def test_effects_of_a_sum_are_its_weights() -> None:
    """y = 3a − 2b + 0c by hand, two trajectories in different orders, steps up and down."""
    unit = np.array(
        [[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1], [1, 1, 1], [1, 1, 0], [0, 1, 0], [0, 0, 0]], float
    )
    effects = elementary_effects(unit, unit @ np.array([3.0, -2.0, 0.0]))
    np.testing.assert_allclose(effects, [[3.0, -2.0, 0.0]] * 2)
    mean, place = resampled(effects, np.random.default_rng(1), times=20)
    np.testing.assert_allclose(mean, [[3.0, 2.0, 0.0]] * 20)
    np.testing.assert_allclose(place, [[1.0, 2.0, 3.0]] * 20)


def test_a_step_that_moves_two_parameters_is_refused() -> None:
    """Then nobody knows whose effect it is."""
    with pytest.raises(ValueError, match="moves one parameter"):
        elementary_effects(np.array([[0.0, 0.0], [1.0, 1.0], [1.0, 0.0]]), np.zeros(3))


def test_ranks_are_unsure_where_effects_vary() -> None:
    """A parameter whose effect is 4 or 0 by trajectory changes places with one whose effect is always 1.9."""
    effects = np.array([[4.0, 1.9], [0.0, 1.9], [4.0, 1.9], [0.0, 1.9]])
    _, place = resampled(effects, np.random.default_rng(2), times=400)
    assert 0.2 < np.mean(place[:, 0] == 2.0) < 0.8


@needs_salib
def test_effects_are_those_of_salib() -> None:
    """Mean absolute effect, mean and SD of Ishigami's function, on SALib's own sample."""
    sample: Any = sensitivity.importlib.import_module("SALib.sample.morris")
    analyse: Any = sensitivity.importlib.import_module("SALib.analyze.morris")
    problem = {"num_vars": 3, "names": ["a", "b", "c"], "bounds": [[-math.pi, math.pi]] * 3}
    points = sample.sample(problem, 30, num_levels=4, seed=3)
    a, b, c = points.T
    y = np.sin(a) + 7.0 * np.sin(b) ** 2 + 0.1 * c**4 * np.sin(a)
    found = analyse.analyze(problem, points, y, num_levels=4, seed=3)
    effects = elementary_effects((points + math.pi) / (2.0 * math.pi), y)
    np.testing.assert_allclose(np.abs(effects).mean(axis=0), found["mu_star"], rtol=1e-10)
    np.testing.assert_allclose(effects.std(axis=0, ddof=1), found["sigma"], rtol=1e-10)


@needs_salib
def test_what_predictions_hang_on() -> None:
    """Markers do nothing to survival, so half-lives of markers have no effect; the size of growth has.

    Several predictions come from the same runs, and the numbers do not depend on the workers.
    """
    setup = made(trial=LONG, sensitivity={**ASKED, "prediction": ["os_hr", "ttp_between"]})
    found, more = screen(setup, [{}], workers=2)
    assert [f.line() for f in more] == []
    assert found == screen(setup, [{}], workers=1)[0]
    assert [p["prediction"] for p in found["predictions"]] == ["os_hr", "ttp_between"]
    assert found["runs"] == 2 * (1 + len(found["predictions"][0]["morris"]))
    assert found["sobol_runs"] == 8 * (2 + len(found["predictions"][0]["sobol"]))
    kept: set[str] = set()
    for one in found["predictions"]:
        effect = {row["parameter"]: row["mu_star"] for row in one["morris"]}
        assert effect["half_AFP"] == effect["half_KIT"] == 0.0
        assert effect["doubling"] > 0.0
        assert [row["rank"] for row in one["morris"]] == list(range(1, len(effect) + 1))
        for row in one["morris"]:
            assert row["low"] <= row["mu_star"] + 1e-12
            assert row["mu_star"] <= row["high"] + 1e-12
            assert row["rank_low"] <= row["rank_high"]
        assert all(m["narrowing"] is None or 0.0 <= m["narrowing"] <= 1.0 for m in one["measurement"])
        kept |= {row["parameter"] for row in one["morris"][:2]}
    for one in found["predictions"]:
        assert {row["parameter"] for row in one["sobol"]} == kept


def _without(monkeypatch: pytest.MonkeyPatch, value: float) -> None:
    """Runs in which the first prediction is 1 + a parameter's factor and the second is `value`."""

    def run(setup: Any, scale: Any, patients: Any, factors: Any) -> Any:
        return np.array([1.0 + factors["doubling"], value, *np.zeros(len(MEASURED))])

    monkeypatch.setattr(sensitivity, "run_moved", run)


@needs_salib
def test_a_prediction_that_no_run_has_is_one_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """No event in an arm: a warning in one line, and the other prediction is answered all the same."""
    _without(monkeypatch, math.nan)
    outcome = run_trial(made(sensitivity={**ASKED, "prediction": ["os_median", "ttp_hr"]}))
    [line] = [f.line() for f in outcome.findings if f.code == "sensitivity"]
    assert line.startswith(
        "warning: trial.toml column sensitivity: ttp_hr: 226 of 226 runs (Morris) have no event"
    )
    assert "\n" not in line
    screened = outcome.contents["sensitivity"]
    assert [p["prediction"] for p in screened["predictions"]] == ["os_median"]
    assert screened["predictions"][0]["morris"][0]["parameter"] == "doubling"
    assert screened["predictions"][0]["sobol"][0]["ST"] == pytest.approx(1.0, abs=0.2)
    assert [i["code"] for i in outcome.contents["issues"] if i["code"] != "few-trials"] == ["sensitivity"]


@needs_salib
def test_a_prediction_that_nothing_moves_has_no_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same in every run: effects of 0, no variance to share out, and a note that says so."""
    _without(monkeypatch, 0.5)
    setup = made(sensitivity={**ASKED, "prediction": ["os_hr", "ttp_hr"]})
    found, more = screen(setup, [{}], workers=1)
    same = found["predictions"][1]
    assert {row["mu_star"] for row in same["morris"]} == {0.0}
    assert same["sobol"] == []
    assert ["no variance to share out" in f.line() for f in more] == [True]
