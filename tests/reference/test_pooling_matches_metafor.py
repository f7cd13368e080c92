"""Pooling agrees with metafor.

Sources: `meta_sorafenib_os` in `shared/reference/survival-and-roc.json` (metafor 3.8.1: two trials, eleven
digits) and the BCG vaccine trials that metafor documents as `dat.bcg` (Colditz et al. 1994,
doi 10.1001/jama.1994.03510330076038): the counts are those of the data set, the results those of metafor's
documentation of `rma` and `confint` to the digits printed there.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from tests.shared_data import shared
from troughline.evidence.effects import Effect, on_scale
from troughline.evidence.heterogeneity import q_profile, tau_squared
from troughline.evidence.pooling import pool

BCG = (
    (4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619), (33, 5036, 47, 5761),
    (180, 1361, 372, 1079), (8, 2537, 10, 619), (505, 87886, 499, 87892), (29, 7470, 45, 7232),
    (17, 1699, 65, 1600), (186, 50448, 141, 27197), (5, 2493, 3, 2338), (27, 16886, 29, 17825),
)  # fmt: skip


@pytest.fixture(scope="module")
def bcg() -> list[Effect]:
    return [
        Effect(
            label=str(k), value=(a / (a + b)) / (c / (c + d)),
            se=math.sqrt(1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)),
        )
        for k, (a, b, c, d) in enumerate(BCG)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    return json.loads(shared("reference/survival-and-roc.json").read_text())["meta_sorafenib_os"]


SORAFENIB = (
    Effect(label="SHARP", value=0.69, low=0.55, high=0.87),
    Effect(label="Asia-Pacific", value=0.68, low=0.50, high=0.93),
)


def test_the_sorafenib_trials_pool_as_in_metafor(reference: dict[str, Any]) -> None:
    # Eleven digits are stored.
    for effect, row in zip(SORAFENIB, reference["input"], strict=True):
        assert on_scale(effect).value == pytest.approx(row["lhr"], abs=1e-11)
        assert on_scale(effect).se == pytest.approx(row["se"], abs=1e-11)
    knapp = pool(SORAFENIB)
    normal = pool(SORAFENIB, interval="normal")
    for found, expected in (
        (knapp.common, reference["FE"]),
        (normal.random, reference["RE"][:3]),
        (knapp.random, reference["HK"]),
    ):
        assert (found.value, found.low, found.high) == pytest.approx(expected, abs=2e-11)
    assert (knapp.tau2, knapp.i2) == (0.0, 0.0)


@pytest.mark.parametrize(("method", "tau2"), [("REML", 0.3132), ("DL", 0.3088), ("PM", 0.3181)])
def test_tau_squared_of_the_bcg_trials(bcg: list[Effect], method: Any, tau2: float) -> None:
    assert pool(bcg, tau2=method).tau2 == pytest.approx(tau2, abs=5.1e-5)


def test_the_bcg_trials_pool_as_in_metafor(bcg: list[Effect]) -> None:
    found = pool(bcg, interval="normal")
    assert found.random.centre == pytest.approx(-0.7145, abs=5e-5)
    assert found.random.se == pytest.approx(0.1798, abs=5e-5)
    assert [math.log(found.random.low), math.log(found.random.high)] == pytest.approx(
        [-1.0669, -0.3622], abs=5e-5
    )
    assert found.q == pytest.approx(152.2330, abs=5e-5)
    assert (found.tau2_low, found.tau2_high) == pytest.approx((0.1197, 1.1115), abs=5e-5)


def test_reml_and_the_profile_of_q_over_many_meta_analyses_at_once(bcg: list[Effect]) -> None:
    # Arrays of shape (3, 13) give what each row gives alone.
    y = np.log([e.value for e in bcg])
    v = np.array([on_scale(e).se ** 2 for e in bcg])
    stacked = np.stack([y, 0.5 * y, y[::-1]])
    variances = np.stack([v, v, v[::-1]])
    for method in ("REML", "PM", "DL"):
        together = tau_squared(stacked, variances, method)
        alone = [float(tau_squared(a, b, method)) for a, b in zip(stacked, variances, strict=True)]
        assert together == pytest.approx(alone, rel=1e-12)
    low, high = q_profile(stacked, variances)
    assert low.shape == high.shape == (3,)
    assert low[0] == pytest.approx(low[2], rel=1e-12)


def test_a_prediction_interval_is_never_narrower_than_the_interval_of_the_mean() -> None:
    """SHARP and Asia-Pacific agree by chance: Hartung–Knapp's 0.628–0.750 holds no further trial."""
    effects = [
        Effect(label="SHARP", value=0.69, low=0.55, high=0.87),
        Effect(label="Asia-Pacific", value=0.68, low=0.50, high=0.93),
    ]
    found, floor = pool(effects), pool(effects, interval="hartung-knapp-floor")
    assert found.prediction_low is not None
    assert found.prediction_high is not None
    assert found.prediction_low < found.common.low
    assert found.prediction_high > found.common.high
    assert (found.prediction_low, found.prediction_high) == (floor.prediction_low, floor.prediction_high)
    assert found.prediction_method == "t with 1 degree of freedom, standard error with the floor"
