"""Levels, times and other drugs of a patient file that contradict each other, and what is said of them."""

from __future__ import annotations

import warnings
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from tests.unit.dose_sample import sample_patient, table
from troughline.dosing.checks import basis_of
from troughline.dosing.dose import dose
from troughline.dosing.forecast import next_dose_h
from troughline.dosing.patient import DosePatient
from troughline.dosing.patient_file import patient_from
from troughline.dosing.result import DoseResult
from troughline.issues import Findings

FEW: dict[str, Any] = {"draws": 200, "next_sample": False}


def codes(result: DoseResult) -> list[str]:
    return [f.code for f in result.findings]


def reported(patient: DosePatient) -> list[str]:
    found = Findings()
    basis_of(patient, found)
    return [f.message for f in found if f.code == "interaction-changes"]


def by_clock(**changes: Any) -> dict[str, Any]:
    """A patient by clock times in Berlin; clocks change on 29 March and 25 October 2026."""
    header = {"id": "c", "time": "clock", "timezone": "Europe/Berlin", "now": "2026-04-08T09:00"}
    made = table(covariate=[{"name": "weight", "value": 70, "unit": "kg"}], **changes)
    made["patient"] = {**header, **changes.get("patient", {})}
    return made


@pytest.mark.parametrize(
    ("start", "now", "day_h"),
    [
        ("2026-03-27T08:00", "2026-03-31T07:00", 23.0),
        ("2026-10-23T08:00", "2026-10-27T07:00", 25.0),
    ],
)
@pytest.mark.parametrize(("interval", "hours"), [(12.0, {"08:00", "20:00"}), (24.0, {"08:00"})])
def test_doses_keep_their_time_of_day_when_clocks_change(
    start: str, now: str, day_h: float, interval: float, hours: set[str]
) -> None:
    entry = [{"start": start, "amount": 400, "interval_h": interval}]
    patient, found = patient_from(by_clock(patient={"now": now}, dose=entry, sample=None))
    assert patient is not None, [f.line() for f in found]
    assert {str(patient.clock(d.time_h))[11:16] for d in patient.doses} == hours
    at_eight = [d.time_h for d in patient.doses if str(patient.clock(d.time_h))[11:16] == "08:00"]
    assert sorted(np.diff(at_eight)) == sorted([24.0, 24.0, day_h])[: len(at_eight) - 1]
    assert str(patient.clock(next_dose_h(patient)))[11:16] == "08:00"
    offset = datetime.fromisoformat(str(patient.clock(patient.now_h))).utcoffset()
    assert offset is not None
    assert offset.total_seconds() == (7200 if day_h == 23.0 else 3600)


def test_every_8_h_is_by_the_wall_clock_and_every_10_h_is_not() -> None:
    for interval, first in ((8.0, 23.0), (10.0, 20.0)):
        entry = [{"start": "2026-03-28T22:00", "amount": 400, "interval_h": interval}]
        patient, _ = patient_from(by_clock(patient={"now": "2026-03-30T12:00"}, dose=entry, sample=None))
        assert patient is not None
        assert first in [d.time_h for d in patient.doses]


def test_a_missed_dose_after_clocks_changed_is_found_at_its_time_of_day() -> None:
    entry = [{"start": "2026-03-01T08:00", "amount": 400, "missed": ["2026-04-02T20:00"]}]
    patient, found = patient_from(by_clock(dose=entry, sample=None))
    assert patient is not None, [f.line() for f in found]
    assert [patient.clock(t) for t in patient.missed_h] == ["2026-04-02T20:00+02:00"]


@pytest.mark.parametrize(("unit", "factor"), [("day", 1.0), ("hour", 24.0)])
def test_time_0_is_the_first_dose_however_the_file_counts(unit: str, factor: float) -> None:
    """The same patient counted from 0 and from 100: exposure falls with the time since the first dose."""
    made = [
        patient_from(
            table(
                patient={"time": unit, "now": (shift + 29) * factor},
                dose=[{"start": shift * factor, "amount": 400}],
                sample=[{"time": (shift + 27.5) * factor, "value": 6.1, "unit": "ug/mL"}],
            )
        )
        for shift in (0, 100)
    ]
    (a, _), (b, found) = made
    assert a is not None
    assert b is not None
    assert [d.time_h for d in a.doses] == pytest.approx([d.time_h for d in b.doses])
    assert a.levels[0].time_h == pytest.approx(b.levels[0].time_h)
    assert a.now_h == pytest.approx(b.now_h)
    assert [f.code for f in found] == ["first-dose-not-0"]


def test_a_level_at_the_first_dose_is_an_error() -> None:
    _, found = patient_from(table(sample=[{"time": 0, "value": 2.2, "unit": "ug/mL"}]))
    assert any("before the first dose takes effect" in f.line() for f in found.errors)


def test_a_level_below_its_limit_that_no_patient_has_asks_for_the_doses() -> None:
    """3.9 mg/L are expected: the limit of 0.05 mg/L is far below them, one of 3 mg/L is not."""
    for limit, warned in ((0.05, True), (3.0, False)):
        one = {"time": 27.98, "below_limit": True, "limit": limit, "unit": "ug/mL"}
        result = dose(sample_patient(sample=[one], options=FEW))
        said = [f.message for f in result.findings if f.code == "level-implausible"]
        assert bool(said) == warned
        assert all("were the doses taken" in m for m in said)


def test_a_level_far_too_low_is_a_warning_that_asks_for_the_doses() -> None:
    result = dose(sample_patient(sample=[{"time": 27.98, "value": 0.003, "unit": "ug/mL"}], options=FEW))
    said = [f.message for f in result.findings if f.code == "level-implausible"]
    assert len(said) == 1
    assert "were the doses taken" in said[0]


def test_levels_that_contradict_each_other_are_a_finding_and_a_single_one_has_no_others() -> None:
    levels = [{"time": t, "value": v, "unit": "ug/mL"} for t, v in ((9.98, 2.5), (27.98, 25.0))]
    result = dose(sample_patient(sample=levels, options=FEW))
    said = [f for f in result.findings if f.code == "level-contradicts"]
    assert said
    assert all("p < 0.01" in f.message for f in said)
    assert "p = 0.00" not in " ".join(result.explanation.sentences)
    alone = dose(sample_patient(sample=[{"time": 27.98, "value": 0.3, "unit": "ug/mL"}], options=FEW))
    assert "level-contradicts" not in codes(alone)
    words = " ".join(alone.explanation.sentences)
    assert "does not agree with what is expected of such patients" in words
    assert "others" not in words


def test_a_slip_of_the_unit_is_found_against_the_patients_own_levels() -> None:
    """2.5, 2.6 and then 0.25 mg/dL written as 0.25 ug/mL: the others say 2.5 mg/L."""
    levels = [{"time": t, "value": v, "unit": "ug/mL"} for t, v in ((9.98, 2.5), (18.98, 2.6), (27.98, 0.25))]
    result = dose(sample_patient(sample=levels, options=FEW))
    said = [f for f in result.findings if f.code == "level-contradicts" and "sample.3" in f.line()]
    assert len(said) == 1
    assert "mg/dL" in said[0].message


def with_drug(**span: float) -> DosePatient:
    return sample_patient(with_drug=[{"name": "rifampicin", "kind": "cyp3a4 inducer", **span}])


@pytest.mark.parametrize(
    ("span", "status", "warned"),
    [
        ({}, "present", None),
        ({"start": -400, "until": -300}, "absent", None),
        ({"start": -30, "until": 5}, "present", None),
        ({"start": 29}, "absent", "starts 1 day after the last level"),
        ({"start": 20}, "present", "started only 8 days before the last level"),
        ({"start": -30, "until": 28.5}, "present", "ends less than a day before the decision"),
        ({"start": -30, "until": 40}, "present", "ends 11 days after the decision"),
    ],
)
def test_another_drug_counts_when_it_acts_at_a_level(
    span: dict[str, float], status: str, warned: str | None
) -> None:
    """Levels on days 14 and 28, the decision on day 29; an effect lasts for two weeks."""
    from troughline.dosing.causes import common_causes

    patient = with_drug(**span)
    hit = [c for c in common_causes(patient, "low") if "rifampicin" in c.text and "none" not in c.text]
    assert {c.status for c in hit} == {status}
    said = reported(patient)
    assert [warned in m for m in said] == ([] if warned is None else [True])  # pyright: ignore[reportOperatorIssue]


def test_on_hold_the_exposure_that_is_explained_is_that_of_the_last_cycle_taken() -> None:
    """Ten days into a hold the ratio of what is left would be near 0 or far from 1 by the half-life alone."""
    levels = [{"time": 13.98, "value": 3.9, "unit": "ug/mL"}, {"time": 18.98, "value": 3.8, "unit": "ug/mL"}]
    taken = dose(sample_patient(patient={"now": 19.0}, sample=levels, options=FEW))
    held = dose(sample_patient(hold=[{"start": 19}], sample=levels, options=FEW))
    a, b = taken.explanation.exposure_ratio.median, held.explanation.exposure_ratio.median
    assert a is not None
    assert b == pytest.approx(a, rel=0.1)
    assert held.explanation.sentences[0].startswith("Exposure before the hold was")


def test_a_further_level_in_a_long_hold_is_valued_without_a_warning() -> None:
    """After weeks without a dose every level is below any limit: it tells nothing and is worth nothing."""
    patient = sample_patient(
        patient={"now": 80.0}, hold=[{"start": 28}], options={"draws": 300, "next_sample": True}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = dose(patient)
    assert result.next_sample is not None
    last = result.next_sample.candidates[-1]
    assert abs(last.gain) <= 2 * last.gain_error + 1e-9
    assert result.next_sample.best is None
    assert all(np.isfinite([c.gain, c.narrower]).all() for c in result.next_sample.candidates)


def test_food_and_an_occasion_that_returns_are_said() -> None:
    levels = [
        {"time": t, "value": 6.0, "unit": "ug/mL", "occasion": k} for t, k in ((9, 1), (13, 2), (27, 1))
    ]
    fed = [{"start": 0, "amount": 400, "food": "high-fat meal"}]
    _, found = patient_from(table(sample=levels, dose=fed))
    assert [f.code for f in found] == ["occasion-returns", "food-unused"]
    assert "sample.3.occasion" in next(f for f in found if f.code == "occasion-returns").line()


@pytest.mark.parametrize(("albumin", "warned"), [(40.0, False), (400.0, True)])
def test_a_covariate_in_no_model_here_is_held_against_the_models_that_know_it(
    albumin: float, warned: bool
) -> None:
    """Albumin is no covariate of sorafenib/hcc; the models of lenvatinib know it."""
    given = [
        {"name": "weight", "value": 70, "unit": "kg"},
        {"name": "child_pugh_class", "value": "A"},
        {"name": "albumin", "value": albumin, "unit": "g/L"},
    ]
    found = Findings()
    basis_of(sample_patient(covariate=given), found)
    said = [f.message for f in found if f.code == "covariate-range"]
    assert bool(said) == warned
    assert all("(lenvatinib/" in m for m in said)


def test_a_drug_that_is_known_not_to_matter_is_no_cause_and_no_warning() -> None:
    """Ketoconazole did not change the AUC (European label, 4.5): no warning, and never 'raises it'."""
    from troughline.dosing.causes import common_causes, report_other_drugs
    from troughline.report.dose_words import effect_text

    patient = sample_patient(with_drug=[{"name": "ketoconazole", "start": 25}])
    found = Findings()
    report_other_drugs(patient, found)
    assert not found
    causes = {c.id: c for c in common_causes(patient, "high")}
    assert causes["cyp3a4-inhibitors"].status == "present"
    told = {i: effect_text({"direction": c.direction, "effect": c.effect}) for i, c in causes.items()}
    assert told["cyp3a4-inhibitors"] == "thought to raise it, no effect found"
    assert told["ugt1a9-inhibitors"] == "may raise it, effect not known"
    assert told["child-pugh"] == "may raise it, sources disagree"
    assert told["low-albumin"] == "the total level understates the unbound one"
    assert told["cyp3a4-inducers"] == "lowers it"


def test_low_albumin_is_no_cause_of_a_high_level() -> None:
    """It is told apart, at a typical level too: the unbound fraction rises, the total does not."""
    from troughline.dosing.causes import common_causes
    from troughline.dosing.explanation import _which_cause  # pyright: ignore[reportPrivateUsage]

    albumin = [{"name": "albumin", "value": 28, "unit": "g/L"}]
    patient = sample_patient(
        covariate=[*table()["covariate"], *albumin], with_drug=[{"name": "ketoconazole", "start": 0}]
    )
    for direction in ("high", "typical"):
        said = _which_cause(common_causes(patient, direction), direction)
        assert said[0].startswith("Low albumin (albumin 28 g/L, limit 35): the total level understates")
    said = _which_cause(common_causes(patient, "high"), "high")
    assert "The file shows none of the known causes of high exposure." in said
    assert any(
        s.startswith("Present, but not shown to make exposure high: an inhibitor of CYP3A4") for s in said
    )
