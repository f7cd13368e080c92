"""The engine behind the enumeration of doses gives the curves of the model file's own tests."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from benchmarks.sorafenib_draws import Course, Draws, draw, read_document, regimen_troughs

DOCUMENT = read_document()


def typical(n: int = 2) -> Draws:
    """The typical patient of 80 kg, Child-Pugh A, n times."""
    value = {k: np.full(n, float(v["value"])) for k, v in DOCUMENT["parameters"].items()}
    return Draws(
        clearance=value["CL_pop"][:, None], volume=value["V_pop"], chain=5.0 / value["MAT"],
        recirculated=value["Fent"], release=value["k_release"], release_h=value["t_release"],
        half_dose=value["D50"], fall=value["fall"],
        fall_per_h=math.log(2.0) / (24.0 * value["t_half_fall"]), reference_dose=400.0,
        reference_h=24.0 * 28,
    )  # fmt: skip


def expected(name: str) -> dict[float, float]:
    """Time (h) and level (mg/L) of a test of the model file, written by tools/sorafenib_curve.py."""
    one = next(t for t in DOCUMENT["tests"] if t["name"] == name)
    return {float(e["time"]): float(e["value"]) for e in one["expect"]}


def test_doses_one_by_one_give_the_model_files_curve() -> None:
    """400 mg twice daily for 175 days: levels just before a dose within 1e-5, the file's own tolerance."""
    draws = typical()
    course, told = Course(draws, 0), expected("400 mg twice daily for 175 days")
    for k in range(350):
        course.dose(draws.by_dose(400.0) * draws.by_time(12.0 * k))
        course.after_dose(12.0)
        if 12.0 * (k + 1) in told:
            assert course.level == pytest.approx(told.pop(12.0 * (k + 1)), rel=1e-5)
    assert not told


def test_a_regimen_after_another_gives_the_model_files_curve() -> None:
    """200 mg twice daily after 30 days of 400 mg: the same, by the rows that serve all regimens at once."""
    draws = typical()
    course, told = Course(draws, 0), expected("400 mg twice daily, after 30 days 200 mg")
    for k in range(60):
        course.dose(draws.by_dose(400.0) * draws.by_time(12.0 * k))
        course.after_dose(12.0)
    made = regimen_troughs(course, draws, course.state, [(200.0,), (400.0,)], 12.0, 720.0, 1056.0)
    assert made[:, 0] == pytest.approx(told[1056.0], rel=1e-5)
    assert (made[:, 1] > made[:, 0]).all()


def test_typical_values_are_drawn_through_their_limits() -> None:
    """The central 95 % of the drawn clearance and half-dose are those of the file, within 2 %."""
    n = 40_000
    draws = draw(DOCUMENT, n, 1, weight_kg=80.0, rng=np.random.default_rng(1))
    given = DOCUMENT["parameters"]["D50"]
    low, high = np.quantile(draws.half_dose, [0.025, 0.975])
    assert (low, high) == pytest.approx((given["low"], given["high"]), rel=0.03)
    spread = DOCUMENT["random"][0]["covariance"][0][0] + DOCUMENT["random"][2]["variance"][0]
    given, z = DOCUMENT["parameters"]["CL_pop"], NormalDist().inv_cdf(0.975)
    between = math.log(given["high"] / given["low"]) / (2 * z)
    assert np.log(draws.clearance).std() == pytest.approx(math.hypot(math.sqrt(spread), between), rel=0.02)
