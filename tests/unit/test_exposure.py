"""Exposure and its provenance: which sample counts, why another does not, and what is known of each."""

from __future__ import annotations

import math
from statistics import fmean, geometric_mean, median

import numpy as np
import pytest
from benchmarks.simulated_records import Records

from troughline.cohort.cohort import Cohort
from troughline.cohort.exposure import Exposure, dose_history, exposure_of, first_modification_day
from troughline.cohort.studyfile import Predictor
from troughline.evidence.store import load_drug
from troughline.response.predictor import NotAnalysable, predictor_values

MOLAR_MASS = 464.829


def made(rows: Records) -> Cohort:
    for patient in {r["patient"] for r in (*rows.measurements, *rows.events, *rows.doses)}:
        rows.patients.setdefault(patient, {})
    question = {
        "id": "q", "kind": "threshold", "predictor": {"analyte": "sorafenib", "unit": "ug/mL"},
        "outcome": {"event": "adverse event", "grade": ">=3"},
    }  # fmt: skip
    return rows.cohort([question])


def exposure(
    rows: Records, *, event_day: dict[str, float] | None = None, drug: bool = True, **changes: object
) -> Exposure:
    """With the rules of the drug's file: a trough 10 h after the dose, steady state from day 7."""
    predictor = Predictor.model_validate({"analyte": "sorafenib", "unit": "ug/mL", **changes})
    return exposure_of(
        made(rows),
        predictor,
        event_day=event_day,
        event_name="grade 3",
        molar_mass_g_per_mol=MOLAR_MASS,
        trough_min_hours=10.0 if drug else None,
        steady_state_days=7.0 if drug else None,
    )


def reasons(found: Exposure) -> list[str]:
    return [s.reason for s in found.samples]


def test_a_sample_that_breaks_no_rule_is_used_and_has_no_reason() -> None:
    rows = Records()
    rows.level("A", 14, 2.5)
    found = exposure(rows)
    assert reasons(found) == [""]
    assert found.guarded["A"].value == 2.5
    assert found.guarded["A"].day == 14


@pytest.mark.parametrize(
    ("day", "hours", "reason"),
    [
        (-1.0, 12.0, "drawn before the first dose"),
        (14.0, 9.9, "not a trough: 9.9 h after the dose, under 10 h"),
        (6.4, 12.0, "before steady state: day 6.4, under 7"),
        (21.0, 12.0, "drawn after the dose was changed (day 20)"),
        (31.0, 12.0, "drawn after the dose was changed (day 20)"),
    ],
)
def test_each_rule_gives_its_reason(day: float, hours: float, reason: str) -> None:
    rows = Records()
    rows.level("A", day, 2.5, hours=hours)
    rows.event("A", 20, "dose hold")
    found = exposure(rows, event_day={"A": 30.0})
    assert reasons(found) == [reason]
    assert "A" not in found.guarded
    assert found.as_published["A"].value == 2.5


def test_a_sample_after_the_event_gives_the_name_and_day_of_the_event() -> None:
    rows = Records()
    rows.level("A", 30.5, 2.5)
    rows.level("B", 30.5, 2.5)
    found = exposure(rows, event_day={"A": 30.0})
    assert reasons(found) == ["drawn after grade 3 (day 30)", ""]


@pytest.mark.parametrize(("day", "used"), [(6.96, True), (6.5, True), (6.49, False), (7.0, True)])
def test_half_a_day_before_steady_state_is_the_same_calendar_day(day: float, used: bool) -> None:
    """The trough of the seventh day is drawn within one dosing interval before that day is complete."""
    rows = Records()
    rows.level("A", day, 2.5)
    assert ("A" in exposure(rows).guarded) is used


@pytest.mark.parametrize(("day", "used"), [(7.0, True), (20.0, True), (20.01, False)])
def test_the_limits_themselves_are_inside(day: float, used: bool) -> None:
    """Day 7 is steady state; a sample on the very day of the reduction or the event was drawn before it."""
    rows = Records()
    rows.level("A", day, 2.5, hours=10.0)
    rows.event("A", 20, "dose reduction")
    assert ("A" in exposure(rows, event_day={"A": 20.0}).guarded) is used


def test_the_first_eligible_sample_counts_and_a_later_one_says_so() -> None:
    rows = Records()
    for day, value in ((21, 3.0), (14, 2.0), (3, 1.0)):
        rows.level("A", day, value)
    found = exposure(rows)
    assert [s.day for s in found.samples] == [3, 14, 21]
    assert reasons(found) == [
        "before steady state: day 3, under 7", "", "a later sample: the first eligible one counts",
    ]  # fmt: skip
    assert found.guarded["A"].value == 2.0
    assert found.as_published["A"].value == pytest.approx(2.0)


@pytest.mark.parametrize("event", ["dose reduction", "dose hold", "discontinuation"])
def test_every_modification_in_the_events_ends_the_eligible_time(event: str) -> None:
    rows = Records()
    rows.event("A", 18, event)
    rows.event("A", 40, event)
    assert first_modification_day(made(rows)) == {"A": 18.0}


def test_a_fall_of_the_daily_dose_is_a_modification_and_a_rise_or_another_interval_is_not() -> None:
    """400 mg every 12 h and 800 mg every 24 h are the same 800 mg a day."""
    rows = Records()
    for patient, after in (("down", (400, 24)), ("same", (800, 24)), ("up", (600, 12)), ("held", (0, 12))):
        rows.dose(patient, 0, 400)
        rows.dose(patient, 20, *after)
    assert first_modification_day(made(rows)) == {"down": 20.0, "held": 20.0}
    history = dose_history(made(rows))
    assert history["down"] == [(0.0, 800.0), (20.0, 400.0)]
    assert history["held"] == [(0.0, 800.0), (20.0, 0.0)]


def test_without_an_interval_the_amounts_are_compared_and_zero_is_a_hold() -> None:
    blank = math.nan
    rows = Records()
    for patient, before, after in (
        ("both blank, lower", (400, blank), (200, blank)),
        ("both blank, same", (400, blank), (400, blank)),
        ("both blank, higher", (200, blank), (400, blank)),
        ("then blank, lower", (400, 12), (200, blank)),
        ("then blank, same", (400, 12), (400, blank)),
        ("first blank, lower", (400, blank), (200, 12)),
        ("held", (400, blank), (0, blank)),
        ("resumed", (0, blank), (400, blank)),
    ):
        rows.dose(patient, 0, *before)
        rows.dose(patient, 20, *after)
    rows.dose("only the hold", 20, 0, blank)
    lowered = ("both blank, lower", "then blank, lower", "first blank, lower", "held", "only the hold")
    assert first_modification_day(made(rows)) == dict.fromkeys(lowered, 20.0)
    history = dose_history(made(rows))["then blank, lower"]
    assert history[0] == (0.0, 800.0)
    assert math.isnan(history[1][1])


def test_a_dose_without_an_interval_is_unknown_and_not_that_of_the_next_row() -> None:
    rows = Records()
    rows.dose("A", 0, 400, math.nan)
    rows.dose("A", 20, 200, 12)
    rows.level("A", 20, 2.0)
    rows.level("A", 21, 2.0)
    first, second = exposure(rows).samples
    assert math.isnan(first.dose_mg_per_day)
    assert second.dose_mg_per_day == 400


def test_a_patient_without_a_guarded_value_has_the_reasons_of_every_sample_in_order() -> None:
    rows = Records()
    rows.level("A", 3, 1.0)
    rows.level("A", 14, 2.0, hours=4.0)
    rows.level("A", 25, 2.0)
    rows.level("A", 15, 2.0, hours=4.0)
    rows.event("A", 20, "dose hold")
    rows.level("B", 3, 1.0)
    rows.level("B", 14, 1.0)
    values = predictor_values(
        made(rows), Predictor(analyte="sorafenib", unit="ug/mL"), load_drug("sorafenib")
    )
    assert values.left_out == {
        "A": "before steady state: day 3, under 7; not a trough: 4 h after the dose, under 10 h; "
        "drawn after the dose was changed (day 20)"
    }


def test_a_marker_is_not_converted_by_the_molar_mass_of_the_drug() -> None:
    rows = Records()
    rows.level("A", 14, 5.0, analyte="IL-2", unit="nmol/L")
    predictor = Predictor(analyte="IL-2", metric="level", unit="ug/mL")
    with pytest.raises(NotAnalysable, match="without the molar mass"):
        predictor_values(made(rows), predictor, load_drug("sorafenib"))


def test_the_earlier_of_event_and_dose_row_counts() -> None:
    rows = Records()
    rows.dose("A", 0, 400)
    rows.dose("A", 25, 200)
    rows.event("A", 22, "dose reduction")
    assert first_modification_day(made(rows)) == {"A": 22.0}


def test_a_sample_knows_the_dose_in_force_before_it() -> None:
    """On the day of a change the sample was drawn under the old dose; without doses it is not a number."""
    rows = Records()
    rows.dose("A", 0, 400)
    rows.dose("A", 20, 400, 24)
    for day in (14, 20, 27):
        rows.level("A", day, 2.0)
    rows.level("B", 14, 2.0)
    found = exposure(rows)
    assert [s.dose_mg_per_day for s in found.samples if s.patient == "A"] == [800, 800, 400]
    assert all(math.isnan(s.dose_mg_per_day) for s in found.samples if s.patient == "B")


def test_a_sample_on_the_day_of_the_first_dose_was_drawn_under_that_dose() -> None:
    rows = Records()
    rows.dose("A", 0, 400)
    rows.level("A", 0, 1.0)
    assert exposure(rows).samples[0].dose_mg_per_day == 800


def test_a_sample_keeps_its_hours_assay_row_and_written_unit() -> None:
    rows = Records()
    rows.level("A", 14, 2.0, hours=11.5, assay="HPLC")
    rows.level("A", 15, 2000.0, hours=math.nan, unit="ng/mL", assay=None)
    first, second = exposure(rows).samples
    assert (first.time_after_dose_h, first.assay) == (11.5, "HPLC")
    assert (first.row, first.unit_as_written) == (2, "ug/mL")
    assert math.isnan(second.time_after_dose_h)
    assert (second.assay, second.row, second.unit_as_written) == ("", 3, "ng/mL")


def test_an_unknown_time_after_the_dose_is_trusted() -> None:
    rows = Records()
    rows.level("A", 14, 2.0, hours=math.nan)
    assert "A" in exposure(rows).guarded


@pytest.mark.parametrize(
    ("value", "unit", "in_ug_ml"),
    [
        (2910.0, "ng/mL", 2.91),
        (2.91, "mg/L", 2.91),
        (2.91, "µg/mL", 2.91),
        (6260.0, "nmol/L", 6260e-9 * MOLAR_MASS * 1e6 / 1000),
        (6.26, "umol/L", 6.26e-6 * MOLAR_MASS * 1e6 / 1000),
    ],
)
def test_units_are_converted_by_the_drugs_molar_mass(value: float, unit: str, in_ug_ml: float) -> None:
    rows = Records()
    rows.level("A", 14, value, unit=unit, limit=value / 100)
    (sample,) = exposure(rows).samples
    assert sample.value == pytest.approx(in_ug_ml, rel=1e-12)
    assert sample.limit == pytest.approx(in_ug_ml / 100, rel=1e-12)


def test_an_amount_of_substance_without_a_molar_mass_is_an_error() -> None:
    rows = Records()
    rows.level("A", 14, 6260.0, unit="nmol/L")
    predictor = Predictor.model_validate({"analyte": "sorafenib", "unit": "ug/mL"})
    with pytest.raises(ValueError, match="molar mass"):
        exposure_of(made(rows), predictor)


def test_a_level_below_the_limit_is_not_a_number_and_counts_half_the_limit() -> None:
    rows = Records()
    rows.level("A", 14, 0.0, below=True, limit=50.0, unit="ng/mL")
    rows.level("A", 15, 1.0)
    rows.level("B", 14, 0.0, below=True, limit=0.05)
    found = exposure(rows)
    sample = found.samples[0]
    assert math.isnan(sample.value)
    assert (sample.below_limit, sample.limit, sample.number) == (True, 0.05, 0.025)
    assert found.guarded["A"].value == 0.025
    assert found.guarded["A"].below_limit
    assert not found.as_published["A"].below_limit
    assert found.as_published["B"].below_limit
    assert found.as_published["A"].value == pytest.approx((0.025 + 1.0) / 2)


LEVELS = (2.0, 5.0, 1.0, 4.0)


@pytest.mark.parametrize(
    ("summary", "value", "day"),
    [
        ("mean", fmean(LEVELS), 17),
        ("geometric-mean", geometric_mean(LEVELS), 17),
        ("median", median(LEVELS), 17),
        ("first", 2.0, 14),
        ("last", 4.0, 17),
        ("max", 5.0, 17),
        ("every", fmean(LEVELS), 17),
    ],
)
def test_the_as_published_value_follows_the_summary_and_the_guarded_one_does_not(
    summary: str, value: float, day: float
) -> None:
    """A summary is known only with its last sample."""
    rows = Records()
    for i, level in enumerate(LEVELS):
        rows.level("A", 14 + i, level)
    found = exposure(rows, summary=summary)
    assert found.as_published["A"].value == pytest.approx(value)
    assert found.as_published["A"].day == day
    assert found.guarded["A"].value == 2.0
    assert len(found.every) == (4 if summary == "every" else 0)


def test_another_analyte_is_a_level_without_the_rules_of_the_drug() -> None:
    """A cytokine before the first dose is a baseline; early hours and dose changes do not matter to it."""
    rows = Records()
    rows.level("A", -1, 12.0, analyte="IL-2", unit="pg/mL", hours=1.0)
    rows.level("B", 30, 12.0, analyte="IL-2", unit="pg/mL", hours=1.0)
    rows.event("B", 20, "dose reduction")
    found = exposure(rows, analyte="il-2", unit="ng/L")
    assert not found.is_drug
    assert reasons(found) == ["", ""]
    assert found.guarded["A"].value == pytest.approx(12.0)


def test_a_clinic_visit_is_no_trough_and_needs_no_hours() -> None:
    rows = Records()
    rows.level("A", 14, 4.0, hours=2.0)
    found = exposure(rows, metric="clinic-visit")
    assert found.label == "sorafenib level at a clinic visit"
    assert "A" in found.guarded


def test_the_rules_without_a_drug_file_are_skipped() -> None:
    rows = Records()
    rows.level("A", 3, 4.0, hours=2.0)
    assert "A" in exposure(rows, drug=False).guarded


def test_an_analyte_that_was_not_measured_is_an_error_that_lists_those_that_were() -> None:
    rows = Records()
    rows.level("A", 14, 1.0)
    rows.level("A", 14, 1.0, analyte="IL-2")
    with pytest.raises(
        ValueError, match="no measurement of 'regorafenib'; measured analytes: IL-2, sorafenib"
    ):
        exposure(rows, analyte="regorafenib")


def test_a_covariate_is_no_level() -> None:
    rows = Records()
    rows.level("A", 14, 1.0)
    with pytest.raises(ValueError, match="not a measured level"):
        exposure_of(made(rows), Predictor.model_validate({"covariate": "age"}))


def test_the_file_order_of_the_samples_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    ordered, shuffled = Records(), Records()
    records = [(f"P{i % 5}", 8 + i, 1.0 + i) for i in range(20)]
    for patient, day, value in records:
        ordered.level(patient, day, value)
    for k in rng.permutation(20):
        shuffled.level(*records[k])
    a, b = exposure(ordered), exposure(shuffled)
    assert {p: e.value for p, e in a.guarded.items()} == {p: e.value for p, e in b.guarded.items()}
    assert {p: e.value for p, e in a.as_published.items()} == pytest.approx(
        {p: e.value for p, e in b.as_published.items()}
    )
