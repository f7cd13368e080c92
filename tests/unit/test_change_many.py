"""More markers than are worked out in full: the same numbers for all, intervals for some, nothing silent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from benchmarks.change_cohorts import change_cohort, change_records

from troughline.response.study import answer
from troughline.results import QuestionResult

NAMES = tuple(f"m{k}" for k in range(6))
CHANGES = (0.0, 0.9, 0.0, 0.0, -0.8, 0.1)


def result_of(in_full: int, **more: Any) -> QuestionResult:
    """Six markers in two groups of 20; the second rises and the fifth falls."""
    rng = np.random.default_rng(4)
    rows = change_records((20, 20), rng, change=(CHANGES[0],) * 2, analytes=NAMES[:1])
    for name, change in zip(NAMES[1:], CHANGES[1:], strict=True):
        own = change_records((20, 20), rng, change=(change,) * 2, analytes=(name,), limit=4.0)
        rows.measurements += own.measurements
    markers = [{"analyte": a, "unit": "pg/mL"} for a in NAMES]
    return answer(change_cohort(rows, markers=markers, in_full=in_full, **more)).question("change")


@pytest.fixture(scope="module")
def both() -> tuple[QuestionResult, QuestionResult]:
    return result_of(6), result_of(2)


def test_every_marker_has_the_same_p_values_whether_worked_out_or_not(
    both: tuple[QuestionResult, QuestionResult],
) -> None:
    whole, part = ({(r["marker"], r["group"]): r for r in q.tables["within-groups"]} for q in both)
    assert set(whole) == set(part)
    for key, row in whole.items():
        for name in ("signed_rank_p", "prentice_wilcoxon_p", "sign_test_p", "corrected_p", "tobit_ratio"):
            assert part[key][name] == row[name], (key, name)
    first, second = ({r["marker"]: r for r in q.tables["between-groups"]} for q in both)
    for marker, row in first.items():
        for name in ("group_by_time_p", "corrected_p", "baseline_p"):
            assert second[marker][name] == row[name]


def test_those_with_the_smallest_p_are_worked_out_and_the_same_as_ever(
    both: tuple[QuestionResult, QuestionResult],
) -> None:
    """The markers that change: every estimate of theirs is that of the run in full."""
    whole, part = both
    assert {e.label.split(",")[0] for e in part.estimates if e.name == "change_ratio"} == {"m1", "m4"}
    for e in part.estimates:
        if e.name in ("change_ratio", "change_ratio_tobit", "mean_change", "ancova_groups"):
            assert e in whole.estimates
    assert [m["marker"] for m in part.series["change"]["markers"]] == ["m1", "m4"]
    assert {r["marker"] for r in part.tables["within-groups"] if r["in full"]} == {"m1", "m4"}


def test_what_is_left_out_is_said(both: tuple[QuestionResult, QuestionResult]) -> None:
    whole, part = both
    assert "the 2 of 6 with the smallest p-values; the others were tested only" in part.summary
    assert any("winner's curse" in line for line in part.methods)
    assert "tested only" not in whole.summary
    assert not any("winner's curse" in line for line in whole.methods)
    p = [r["corrected_p"] for r in part.tables["within-groups"]]
    assert p == sorted(p)
    assert [r["marker"] for r in whole.tables["within-groups"]][::2] == list(NAMES)


def test_trends_are_by_their_law_where_not_all_are_worked_out() -> None:
    """m1 has levels below a limit, so ties: by permutation where all is worked out, else normal."""
    covariates = {"group": {"levels": ["A", "B"], "ordered": True}}
    methods = {}
    for in_full in (6, 2):
        result = result_of(in_full, covariates=covariates)
        trend = next(e for e in result.estimates if e.name == "dose_trend" and e.label == "m1")
        methods[in_full] = trend.method
    assert methods[6].endswith("by permutation")
    assert methods[2].endswith("normal")
