"""The family of a change question: its own random stream, the error of its draws, and who is undecided."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.change_cohorts import FIRST, SECOND, change_cohort, change_records

from troughline.biomarker.change import run_change
from troughline.biomarker.change_facts import ChangeFacts
from troughline.cohort.cohort import Cohort
from troughline.response.study import answer


def records_of(change: float, n: int = 40) -> Cohort:
    """One group; its mean change in standard deviations of the changes."""
    rows = change_records((n, 2), np.random.default_rng(3), change=(change, 0.0))
    for who in [p for p, told in rows.patients.items() if told["group"] == "B"]:
        del rows.patients[who]
    rows.measurements = [r for r in rows.measurements if r["patient"] in rows.patients]
    return change_cohort(rows, group=None, permutations=9_999)


def facts_of(cohort: Cohort) -> ChangeFacts:
    case, _ = run_change(cohort, cohort.study.question[0], None)  # pyright: ignore[reportArgumentType]
    assert case.change is not None
    return case.change


def test_a_p_far_from_0_05_needs_no_more_than_the_exchanges_asked_for() -> None:
    facts = facts_of(records_of(0.8))
    assert facts.draws is not None
    assert (facts.draws.asked, facts.draws.drawn) == (9_999, 9_999)
    assert facts.findings[0].p_error == pytest.approx(0.0, abs=2e-4)


def test_a_p_near_0_05_is_counted_in_ten_times_as_many_and_says_so() -> None:
    """A mean change of 0.33 SD in 40 pairs has a signed-rank p of about 0.05."""
    cohort = records_of(0.33)
    facts = facts_of(cohort)
    assert facts.draws is not None
    assert facts.draws.drawn == 99_990
    p = facts.findings[0].p_adjusted
    assert p == pytest.approx(0.05, abs=0.006)
    assert facts.findings[0].p_error == pytest.approx((0.05 * 0.95 / 1e5) ** 0.5, rel=0.1)
    result = answer(cohort).question("change")
    assert any("99,990 exchanges, not 9,999" in line for line in result.methods)
    assert "Monte-Carlo error of the corrected p" in result.estimate("change_ratio").note


def test_the_draws_do_not_depend_on_what_else_the_question_draws() -> None:
    """A dose trend by permutation, in the second question alone, takes nothing from the family's stream."""
    rows = change_records((20, 18), np.random.default_rng(5), change=(0.6, 0.2), analytes=(FIRST, SECOND))
    for k, who in enumerate(rows.patients.values()):
        who["dose"] = 400.0 if who["group"] == "A" else 800.0 + k % 2
    markers = [{"analyte": a, "unit": "pg/mL"} for a in (FIRST, SECOND)]
    covariates = {"group": {"levels": ["A", "B"]}, "dose": {"unit": "mg"}}
    plain = change_cohort(rows, markers=markers, covariates=covariates)
    trend = change_cohort(rows, markers=markers, covariates=covariates, dose="dose")
    assert facts_of(trend).between[0].trend is not None
    assert facts_of(plain).between[0].trend is None
    first, second = ([f.p_adjusted for f in facts_of(c).findings] for c in (plain, trend))
    assert first == second


def test_holm_has_no_draws_and_no_error() -> None:
    rows = change_records((20, 20), np.random.default_rng(1))
    facts = facts_of(change_cohort(rows, correction="holm"))
    assert facts.draws is None
    assert all(f.p_error is None for f in facts.findings)
