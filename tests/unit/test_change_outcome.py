"""A change held against an outcome: who is at risk, from when time counts, what is fitted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from benchmarks.change_cohorts import CHANGE_QUESTION, change_records, halves, outcome_records
from benchmarks.cohorts import judge
from benchmarks.simulated_records import Records

from troughline.biomarker.outcome_facts import LinkFinding, OutcomeLink
from troughline.response.study import answer
from troughline.survival.cox import fit_cox

ASKED = {k: v for k, v in CHANGE_QUESTION.items() if k != "group"}
DEATH = {"event": "death"}


def rng() -> np.random.Generator:
    return np.random.default_rng(4)


def link(rows: Records, outcome: dict[str, Any], covariates: Any = None, **more: Any) -> OutcomeLink:
    cohort = rows.cohort([{**ASKED, "outcome": outcome, **more}], covariates=covariates or {})
    _, case = judge(cohort)
    assert case.change is not None
    assert case.change.link is not None
    return case.change.link


def one(rows: Records, outcome: dict[str, Any], covariates: Any = None, **more: Any) -> LinkFinding:
    return link(rows, outcome, covariates, **more).findings[0]


def log2_levels(rows: Records, patients: list[str]) -> np.ndarray:
    held = {(r["patient"], r["occasion"]): math.log2(r["value"]) for r in rows.measurements}
    return np.array([(held[p, "before"], held[p, "week 4"]) for p in patients])


def test_without_limits_it_is_a_cox_regression_from_the_second_sample() -> None:
    """Change and first level, log2, time counted from day 28 in months: as `fit_cox` called by hand."""
    rows = outcome_records(60, rng())
    found = one(rows, DEATH)
    patients = list(rows.patients)
    ends = {e["patient"]: e for e in rows.events}
    time = [(ends[p]["day"] - 28) / (365.25 / 12) for p in patients]
    levels = log2_levels(rows, patients)
    fit = fit_cox(
        time, [ends[p]["event"] == "death" for p in patients],
        np.column_stack([levels[:, 1] - levels[:, 0], levels[:, 0]]), ("change", "first"),
    )  # fmt: skip
    assert found.change is not None
    assert found.first_level is not None
    assert (found.n, found.n_events) == (fit.n, fit.n_events)
    assert found.change.value == pytest.approx(fit.term("change").coefficient, rel=1e-9)
    assert found.change.p_value == pytest.approx(fit.term("change").p_value, rel=1e-9)
    assert found.first_level.value == pytest.approx(fit.term("first").coefficient, rel=1e-9)
    assert found.before.person_time == pytest.approx(60 * 28 / (365.25 / 12))


def test_who_is_not_at_risk_at_the_second_sample_is_left_out_and_counted() -> None:
    """Died on the day of the sample, followed to that day, no second sample: alive, dead."""
    rows = outcome_records(40, rng())
    ends = {e["patient"]: e for e in rows.events}
    ends["P0000"].update(day=28.0, event="death")
    ends["P0001"].update(day=28.0, event="last contact")
    ends["P0003"].update(day=10.0, event="death")
    gone = {"P0002", "P0003"}
    rows.measurements = [r for r in rows.measurements if r["patient"] not in gone or r["day"] == 0]
    found = one(rows, DEATH)
    assert found.left_out == {
        "P0000": "event by the second sample", "P0001": "followed no longer",
        "P0002": "at risk, without a pair of levels", "P0003": "event by the second sample",
    }  # fmt: skip
    assert (found.before.n_event, found.before.n_ended, found.before.n_unsampled) == (2, 1, 1)
    assert (found.n, found.n_published) == (36, 40)
    assert one(rows, DEATH, responder={"unsampled": "left out"}).n_published == 38


def test_a_responder_falls_or_rises_by_the_share_asked_for() -> None:
    rows = outcome_records(40, rng())
    levels = log2_levels(rows, list(rows.patients))
    ratio = 2 ** (levels[:, 1] - levels[:, 0])
    for rule, expected in (
        ({"change": "fall"}, (ratio < 1).sum()),
        ({"change": "rise"}, (ratio > 1).sum()),
        ({"change": "fall", "percent": 20}, (ratio <= 0.8).sum()),
        ({"change": "rise", "percent": 50}, (ratio >= 1.5).sum()),
    ):
        assert one(rows, DEATH, responder=rule).n_responders == expected


def test_an_association_is_found_and_half_below_the_limit_keeps_it() -> None:
    """200 patients, log hazard ratio 0.8 per doubling: in the interval, and near that without limit."""
    generator = rng()
    rows = change_records(halves(200), generator)
    levels = log2_levels(rows, list(rows.patients))
    change = levels[:, 1] - levels[:, 0]
    for name, x in zip(rows.patients, change, strict=True):
        death = 29 + float(generator.exponential(300 * math.exp(-0.8 * x)))
        rows.event(name, min(death, 900.0), "death" if death < 900 else "last contact")
    plain = one(rows, DEATH)
    limit = float(np.median([r["value"] for r in rows.measurements]))
    for r in rows.measurements:
        if r["value"] < limit:
            r.update(value=math.nan, below_limit=True)
        r["limit"] = limit
    cut = one(rows, DEATH)
    assert plain.change is not None
    assert cut.change is not None
    assert cut.n_beyond > 150
    assert 0 < cut.missing_information < 0.8
    assert cut.change.low < 0.8 < cut.change.high
    assert cut.change.value == pytest.approx(plain.change.value, abs=0.25)
    assert cut.near is not None
    assert cut.far is not None
    assert cut.far < cut.change.value < cut.near


def test_a_response_decided_before_the_second_sample_takes_no_part() -> None:
    """Yes/no: responses on day 20 (before the sample) leave; those on day 60 are the outcome."""
    rows = change_records(halves(40), rng())
    for i, name in enumerate(rows.patients):
        rows.event(name, 20.0 if i < 5 else 60.0, "response", response="PR" if i % 2 else "SD",
                   criterion="mRECIST")  # fmt: skip
        rows.event(name, 400.0, "last contact")
    found = one(rows, {"response": ["CR", "PR"]})
    early = {
        f"P{i:04d}": "event by the second sample" if i % 2 else "outcome decided before" for i in range(5)
    }
    assert found.left_out == early
    assert (found.n, found.n_events) == (35, 18)
    assert found.change is not None


def test_within_a_time_that_is_up_nobody_is_at_risk() -> None:
    rows = outcome_records(30, rng())
    whole = link(rows, {"event": "death", "within_days": 20})
    assert whole.findings == []
    assert whole.failed == "no marker has patients at risk at the second sample"


def test_an_outcome_that_counts_from_the_second_sample_loses_nobody() -> None:
    rows = change_records(halves(40), rng())
    for i, who in enumerate(rows.patients.values()):
        who["days"], who["died"] = 1.0 + i, float(i % 2)
    found = one(rows, {"time": "days", "status": "died"}, counted_from="second sample")
    assert found.left_out == {}
    assert found.before.median_day == 0
    assert found.before.person_time == 0
    assert (found.n, found.n_events) == (40, 20)


def test_adjusting_leaves_out_who_lacks_the_covariate() -> None:
    rows = outcome_records(40, rng())
    generator = rng()
    for who in rows.patients.values():
        who["albi"] = float(generator.normal())
    rows.patients["P0007"]["albi"] = math.nan
    found = one(rows, DEATH, {"albi": {"unit": "1"}}, adjust=["albi"])
    assert found.left_out == {"P0007": "a covariate is missing"}
    assert (found.n, found.n_at_risk, found.n_parameters) == (39, 40, 3)


def test_a_failed_outcome_never_stops_the_changes() -> None:
    rows = change_records(halves(30), rng())
    result = answer(rows.cohort([{**ASKED, "outcome": {"column": "ill", "equals": "yes"}}])).questions[0]
    assert "The change could not be held against the outcome: the patients table has no column 'ill'" in (
        result.summary
    )
    assert result.estimate("change_ratio").p_value is not None


def test_the_same_run_gives_the_same_draws() -> None:
    rows = outcome_records(40, rng())
    for r in rows.measurements:
        if r["value"] < 8:
            r.update(value=math.nan, below_limit=True)
        r["limit"] = 8.0
    first, second = (one(rows, DEATH).change for _ in range(2))
    assert first == second


def test_several_occasions_are_each_a_landmark() -> None:
    """A third sample on day 84: who died before it counts at the second landmark alone."""
    rows = outcome_records(60, rng())
    died = {e["patient"] for e in rows.events if e["day"] <= 84}
    for name in rows.patients:
        if name not in died:
            rows.level(name, 84.0, float(rng().uniform(4, 12)), unit="pg/mL", assay="ELISA",
                       analyte="sTNF-alpha", occasion="late")  # fmt: skip
    # Levels must differ between patients for a change to differ.
    for k, r in enumerate(r for r in rows.measurements if r["occasion"] == "late"):
        r["value"] = 4.0 + (k * 7 % 13)
    second, third = link(rows, DEATH, occasions=["before", "week 4", "late"]).findings
    assert (second.n, third.n) == (60, 60 - len(died))
    assert third.before.n_event == len(died)
    assert third.p_adjusted is not None
    assert third.change is not None
    assert third.p_adjusted >= third.change.p_value
