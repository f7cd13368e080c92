"""Residual error: its size by kind, and values drawn with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from troughline.model.library import model_path
from troughline.model.read import read_model
from troughline.model.spec import ErrorModel, Output
from troughline.pk.residual import residual_sd, with_residual

F = np.array([0.5, 2.0, 10.0])
A, B, C = 0.1, 0.3, 0.8
PARTS = np.tile([A, B, C], (3, 1))
# The formulas of docs/model-files.md, written out.
SDS = {
    "additive": np.full(3, A),
    "proportional": B * F,
    "combined": np.sqrt(A**2 + (B * F) ** 2),
    "combined-sd": A + B * F,
    "power": np.sqrt(A**2 + (B * F**C) ** 2),
    "exponential": np.full(3, B),
    "log-combined": np.sqrt(B**2 + (A / F) ** 2),
    "none": np.zeros(3),
}


def output(kind: str) -> Output:
    text = model_path("sorafenib/jain-2011").read_text(encoding="utf-8")
    spec, _ = read_model(text, file="jain")
    assert spec is not None
    return replace(spec.outputs[0], error=ErrorModel(kind=kind))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", SDS)
def test_the_standard_deviation_is_that_of_the_formula(kind: str) -> None:
    """To 1e-15 relative."""
    np.testing.assert_allclose(residual_sd(kind, F, PARTS), SDS[kind], rtol=1e-15)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", SDS)
def test_a_value_lies_its_standard_deviations_off(kind: str) -> None:
    """On the natural scale f + SD·z, on the log scale f·exp(SD·z)."""
    z = np.array([-1.0, 0.0, 2.0])
    made = with_residual((output(kind),), np.zeros(3, np.int64), F, PARTS, z)
    on_log = kind in ("exponential", "log-combined")
    expected = F * np.exp(SDS[kind] * z) if on_log else F + SDS[kind] * z
    np.testing.assert_allclose(made, expected, rtol=1e-15)


def test_a_prediction_of_nothing() -> None:
    """0 stays 0 under a multiplied error; without a finite variance there is no value; NaN stays."""
    f, z = np.array([0.0, np.nan]), np.ones(2)
    index = np.zeros(2, np.int64)
    assert with_residual((output("exponential"),), index, f, PARTS[:2], z)[0] == 0
    for kind in SDS:
        assert np.isnan(with_residual((output(kind),), index, f, PARTS[:2], z)[1])
    assert np.isnan(with_residual((output("log-combined"),), index, f, PARTS[:2], z)[0])


def test_each_record_has_the_error_of_its_output() -> None:
    outputs = (output("additive"), output("proportional"))
    made = with_residual(outputs, np.array([1, 0, 1]), F, PARTS, np.ones(3))
    np.testing.assert_allclose(made, F + np.array([B * F[0], A, B * F[2]]), rtol=1e-15)
