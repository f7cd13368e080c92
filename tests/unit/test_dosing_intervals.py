"""Dosing intervals: where each begins and ends, and to which a sample belongs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.unit.estimate_sample import records_from, small_model
from troughline.model.records import Records
from troughline.pk.dosing_intervals import administrations, reported_intervals, time_after_dose
from troughline.pk.insertion import with_times

HEADER = "ID,TIME,EVID,AMT,II,ADDL,SS,DV"


def _records(folder: Path, *rows: str, header: str = HEADER) -> Records:
    return records_from(folder, small_model(), header, *rows)


def _spans(records: Records, **options: float) -> list[tuple[float, float]]:
    found = reported_intervals(records, **options)
    return list(zip(found.start_h.tolist(), found.end_h.tolist(), strict=True))


def test_repeated_doses_are_administrations_of_their_own(tmp_path: Path) -> None:
    """Four doses 12 h apart, and the first one after the last record."""
    given = administrations(_records(tmp_path, "1,0,1,100,12,9,0,.", "1,40,0,.,.,.,.,1"))
    assert given.time_h.tolist() == [0, 12, 24, 36, 48]
    assert given.dose_mg.tolist() == [100] * 5


def test_a_sample_has_the_interval_it_lies_in_and_the_last_one_is_there_too(tmp_path: Path) -> None:
    """Samples at 5 and 40 h of a dose every 12 h; 60 h is the last record."""
    rows = ("1,0,1,100,12,9,0,.", "1,5,0,.,.,.,.,1", "1,40,0,.,.,.,.,1", "1,60,2,.,.,.,.,.")
    assert _spans(_records(tmp_path, *rows)) == [(0, 12), (36, 48), (60, 72)]


def test_a_trough_belongs_to_the_dose_before_it(tmp_path: Path) -> None:
    """A sample that stands before the dose of its time; one that stands after it belongs to that dose."""
    before = _records(tmp_path, "1,0,1,100,24,0,0,.", "1,24,0,.,.,.,.,1", "1,24,1,100,24,0,0,.")
    assert _spans(before)[0] == (0, 24)
    after = _records(tmp_path, "1,0,1,100,24,0,0,.", "1,24,1,100,24,0,0,.", "1,24,0,.,.,.,.,1")
    assert _spans(after) == [(24, 48)]


def test_a_repeated_dose_at_the_time_of_a_sample_comes_first(tmp_path: Path) -> None:
    """As in the engine, which gives it before the record, so the sample lies in the new interval."""
    assert _spans(_records(tmp_path, "1,0,1,100,12,9,0,.", "1,24,0,.,.,.,.,1")) == [(24, 36)]


@pytest.mark.parametrize(("following", "end"), [(20, 20), (23.9, 23.9), (24, 12), (100, 12)])
def test_a_missed_dose_leaves_the_interval_its_stated_length(
    tmp_path: Path, following: float, end: float
) -> None:
    """A next dose ends an interval of 12 h unless it comes 24 h after its beginning or later."""
    rows = ("1,0,1,100,12,0,0,.", "1,3,0,.,.,.,.,1", f"1,{following},1,100,12,0,0,.")
    assert _spans(_records(tmp_path, *rows))[0] == (0, end)


def test_where_a_last_interval_ends_that_states_no_length(tmp_path: Path) -> None:
    """The length asked for; as long as the one before; a single dose: the last record, or 24 h."""
    two = ("1,0,1,100,0,0,0,.", "1,8,1,100,0,0,0,.", "1,9,0,.,.,.,.,1")
    assert _spans(_records(tmp_path, *two)) == [(8, 16)]
    assert _spans(_records(tmp_path, *two), interval_h=12) == [(8, 20)]
    assert _spans(_records(tmp_path, "1,0,1,100,0,0,0,.", "1,50,0,.,.,.,.,1")) == [(0, 50)]
    assert _spans(_records(tmp_path, "1,0,1,100,0,0,0,.")) == [(0, 24)]


def test_doses_into_two_compartments_at_once_are_one_of_the_larger_amount(tmp_path: Path) -> None:
    """A dose absorbed along two ways stands in the file twice; two into one compartment add up."""
    header = "ID,TIME,EVID,AMT,CMT,DV"
    same = _records(tmp_path, "1,0,1,100,1,.", "1,0,1,50,1,.", "1,5,0,.,1,1", header=header)
    assert reported_intervals(same).dose_mg.tolist() == [150]
    twice = administrations(
        records_from(tmp_path, small_model(), header, "1,0,1,100,1,.", "1,0,1,100,.,.", "1,5,0,.,1,1")
    )
    assert twice.dose_mg.tolist() == [100]


def test_a_reset_ends_an_interval_and_what_was_to_be_repeated(tmp_path: Path) -> None:
    """EVID 3 at 30 h: the dose of 24 h has 6 h, and nothing is given at 36 h."""
    rows = ("1,0,1,100,12,9,0,.", "1,26,0,.,.,.,.,1", "1,30,3,.,.,.,.,.", "1,50,0,.,.,.,.,1")
    records = _records(tmp_path, *rows)
    assert _spans(records) == [(24, 30)]
    assert administrations(records).time_h.tolist() == [0, 12, 24]


def test_time_may_begin_anew_at_a_reset(tmp_path: Path) -> None:
    """EVID 4 with an earlier time: each run of the clock has its own intervals."""
    rows = ("1,0,1,100,12,9,0,.", "1,26,0,.,.,.,.,1", "1,0,4,50,24,1,0,.", "1,30,0,.,.,.,.,1")
    found = reported_intervals(_records(tmp_path, *rows))
    assert found.stretch.tolist() == [0, 1]
    assert found.start_h.tolist() == [24, 24]
    assert found.dose_mg.tolist() == [100, 50]


def test_a_dose_with_its_own_steady_state_forgets_the_repeats_before_it(tmp_path: Path) -> None:
    """SS = 1 at 30 h: nothing at 36 h; SS = 2 leaves them."""
    for steady, times in ((1, [0, 12, 24, 30, 54]), (2, [0, 12, 24, 30, 36, 48, 54, 60])):
        rows = ("1,0,1,100,12,9,0,.", f"1,30,1,100,24,3,{steady},.", "1,53,0,.,.,.,.,1")
        assert administrations(_records(tmp_path, *rows)).time_h.tolist() == times


def test_patients_without_a_dose_or_a_record_of_a_sample(tmp_path: Path) -> None:
    """No dose: no interval. A sample before the dose: the last interval alone."""
    records = _records(tmp_path, "1,0,0,.,.,.,.,1", "2,0,0,.,.,.,.,1", "2,1,1,100,12,0,0,.")
    found = reported_intervals(records)
    assert found.patient.tolist() == [1]
    assert (found.start_h[0], found.end_h[0]) == (1, 13)
    nobody = reported_intervals(_records(tmp_path, "1,0,0,.,.,.,.,1"))
    assert len(nobody) == 0


def test_time_after_dose_counts_from_the_last_one(tmp_path: Path) -> None:
    """NaN before the first dose, and from the repeats after it."""
    rows = ("1,0,0,.,.,.,.,1", "1,1,1,100,12,9,0,.", "1,5,0,.,.,.,.,1", "1,30,0,.,.,.,.,1")
    after = time_after_dose(_records(tmp_path, *rows))
    assert np.isnan(after[0])
    assert after[2:].tolist() == [4, 5]


def test_moments_put_in_leave_the_predictions_at_the_records_alone(tmp_path: Path) -> None:
    """Also where covariates (carried either way) and the occasion change; to 1e-12 relative."""
    model = small_model(occasions=True)
    header = HEADER + ",weight,fasting,OCC"
    records = records_from(
        tmp_path,
        model,
        header,
        "1,0,1,100,12,5,0,.,60,no,1", "1,20,0,.,.,.,.,1,65,yes,1", "1,50,0,.,.,.,.,1,80,no,2",
        "2,0,1,100,12,0,0,.,60,yes,1", "2,9,0,.,.,.,.,1,60,no,2", "2,9,1,200,12,1,1,.,60,no,2",
        "2,30,0,.,.,.,.,1,90,no,3",
    )  # fmt: skip
    effects = np.array([[0.2, -0.1, 0.3, -0.4, 0.0], [-0.3, 0.2, 0.5, 0.1, -0.6]])
    before = model.predict(records, effects=effects).value
    patient = np.repeat([0, 1], 41)
    merged, place = with_times(
        model.spec,
        records,
        patient=patient,
        stretch=np.zeros(82, dtype=np.int64),
        time_h=np.concatenate([np.linspace(0, 60, 41), np.linspace(0, 40, 41)]),
        output=np.zeros(82, dtype=np.int64),
    )
    after = model.predict(merged, effects=effects).value
    old = np.setdiff1d(np.arange(len(merged)), place)
    assert np.allclose(after[old], before, rtol=1e-12, equal_nan=True)
    assert np.isfinite(after[place]).all()
    assert np.all(np.diff(merged.time_h[merged.first[0] : merged.first[1]]) >= 0)
