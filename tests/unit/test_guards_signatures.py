"""Guards about a signature: each with its trap, and silent without."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.cohorts import cohort_with_trap, judge
from benchmarks.interaction_cohorts import worthy_signature

from troughline.results import GuardFinding, QuestionResult

RNG = np.random.default_rng
N = 300


def guard(result: QuestionResult, name: str) -> GuardFinding | None:
    return next((g for g in result.guards if g.id == name), None)


@pytest.fixture(scope="module")
def worthy() -> QuestionResult:
    return judge(worthy_signature(N, RNG(1)))[0]


def test_overfitted_signature_fires_on_noise() -> None:
    found = guard(judge(cohort_with_trap("overfitted-signature", 120, RNG(1)))[0], "overfitted-signature")
    assert found is not None
    assert found.finding.startswith("Its concordance is 0.")
    assert "Calibration slope in others" in found.effect


def test_overfitted_signature_is_silent_where_the_signature_keeps_its_worth(worthy: QuestionResult) -> None:
    assert guard(worthy, "overfitted-signature") is None
    assert worthy.estimate("calibration_slope").value is not None


def test_signature_incomplete_fires_with_counts_and_events() -> None:
    result = judge(cohort_with_trap("signature-incomplete", N, RNG(1)))[0]
    found = guard(result, "signature-incomplete")
    assert found is not None
    assert found.finding == "375 of 500 patients have every covariate of the signature; missing: b (125)."
    assert " events" in found.effect
    assert guard(result, "overfitted-signature") is None


def test_signature_incomplete_is_silent_where_all_have_every_covariate(worthy: QuestionResult) -> None:
    assert guard(worthy, "signature-incomplete") is None
