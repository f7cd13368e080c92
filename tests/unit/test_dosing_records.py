"""A cohort's tables as records: how long a dose row holds, when a sample was drawn, with which covariates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.small_study import HEADER, table, write_study
from tests.unit.records_sample import (
    LOGGED,
    PARENT_AND_METABOLITE,
    PLASMA,
    covariate_model,
    small_model,
)
from troughline.cohort.dosing_records import records_of
from troughline.cohort.load import load_cohort
from troughline.cohort.studyfile import load_study
from troughline.issues import Findings, Severity
from troughline.model.records import (
    ALL_INPUTS,
    BELOW_LIMIT,
    DOSE,
    MISSING,
    OBSERVATION,
    OTHER,
    QUANTIFIED,
    Records,
)
from troughline.model.spec import ModelSpec

DOSES = "patient,time,amount,unit,interval_h,additional,steady_state"
SAMPLES = "patient,time,analyte,value,unit,below_limit,limit,time_after_dose_h,occasion"
WEIGHTS = '[covariates]\nweight = { unit = "kg" }\nsex = { levels = ["male", "female"] }\n'
DOSED = '[tables]\npatients = "patients.csv"\ndoses = "doses.csv"\nmeasurements = "measurements.csv"\n'
QUESTION = """
[[question]]
id = "threshold"
kind = "threshold"
predictor = { analyte = "marker", unit = "mg/L" }
outcome = { column = "ill", equals = "yes" }
"""
SORAFENIB = PLASMA.replace("outputs.plasma", "outputs.Sorafenib")


def _records(
    folder: Path,
    spec: ModelSpec,
    *,
    doses: list[str],
    samples: list[str],
    patients: str = "patient\nA\n",
    covariates: str = "",
    header: str = HEADER,
    predict_h: tuple[float, ...] | dict[str, tuple[float, ...]] = (),
    analytes: dict[str, str | None] | None = None,
    marker_time: str = "0",
) -> tuple[Records, Findings]:
    first, *lines = patients.splitlines()
    path = write_study(
        folder,
        header=header,
        tables=DOSED,
        covariates=covariates or "[covariates]\n",
        question=QUESTION,
        files={
            "patients.csv": table(
                f"{first},ill", (f"{line},{'yes' if i else 'no'}" for i, line in enumerate(lines))
            ),
            "doses.csv": table(DOSES, doses),
            "measurements.csv": table(SAMPLES, [*samples, f"A,{marker_time},marker,1,mg/L,,,,"]),
        },
    )
    return records_of(load_cohort(load_study(path)), spec, predict_h=predict_h, analytes=analytes)


def _doses(records: Records) -> list[tuple[float, float, float, int]]:
    given = records.event == DOSE
    columns = (records.time_h, records.amount_mg, records.interval_h, records.additional)
    return list(zip(*(c[given].tolist() for c in columns), strict=True))


def _codes(found: Findings, severity: Severity) -> set[str]:
    return {f.code for f in found if f.severity is severity}


def test_a_dose_row_holds_until_the_next_row_or_the_last_record(tmp_path: Path) -> None:
    """400 mg each 12 h for 10 days, a hold until day 14, then 200 mg daily; last sample at noon of day 20."""
    records, _ = _records(
        tmp_path,
        small_model(outputs=SORAFENIB),
        doses=["A,0,400,mg,12,,", "A,10,0,mg,,,", "A,14,0.2,g,24,,"],
        samples=["A,20.5,sorafenib,3,mg/L,,,,"],
    )
    assert _doses(records) == [(0, 400, 12, 19), (336, 200, 24, 6)]
    assert records.compartment[records.event == DOSE].tolist() == [ALL_INPUTS] * 2
    assert records.row[records.event == DOSE].tolist() == [2, 4]


def test_what_a_row_says_of_additional_doses_ends_at_the_next_row(tmp_path: Path) -> None:
    """Two additional doses are two; a hundred end before the next row, with a note; no interval: one."""
    records, found = _records(
        tmp_path,
        small_model(outputs=SORAFENIB),
        doses=["A,0,400,mg,12,2,1", "A,5,400,mg,12,100,", "A,7,300,mg,,,"],
        samples=["A,8,sorafenib,3,mg/L,,,,"],
    )
    assert _doses(records) == [(0, 400, 12, 2), (120, 400, 12, 3), (168, 300, 0, 0)]
    assert records.steady_state.tolist() == [1, 0, 0, 0]
    assert {"dose-cut", "single-dose"} <= _codes(found, Severity.NOTE)


def test_a_sample_on_a_study_day_is_a_trough(tmp_path: Path) -> None:
    """At day 7 the dose due then comes after it, as a record of its own; 29 doses are given until then."""
    records, found = _records(
        tmp_path,
        small_model(outputs=SORAFENIB),
        doses=["A,0,400,mg,6,,"],
        samples=["A,7,sorafenib,3,mg/L,,,,"],
    )
    at_seven = records.time_h == 168
    assert records.event[at_seven].tolist() == [OBSERVATION, DOSE]
    assert _doses(records) == [(0, 400, 6, 27), (168, 400, 6, 0)]
    assert "sample-time" in _codes(found, Severity.NOTE)


@pytest.mark.parametrize(
    ("day", "after_dose_h", "time_h"),
    [
        (7, 11.5, 167.5),  # a late trough belongs to the dose of the evening before
        (7, 12, 168),  # at the moment of the next dose
        (7, 3, 171),  # three hours after the dose of that morning
        (0, 2, 2),  # the first dose of all
        (10, 12, 240),  # the day of a change: after the last dose of the old regimen
        (10, 5, 245),  # after the first of the new one
        (21, 20, 500),  # after the last dose before the hold at day 20
    ],
)
def test_a_sample_is_placed_by_its_time_after_the_dose(
    tmp_path: Path, day: float, after_dose_h: float, time_h: float
) -> None:
    """400 mg each 12 h, from day 10 on 200 mg each 12 h, a hold from day 20.5 on (last dose at 480 h)."""
    records, found = _records(
        tmp_path,
        small_model(outputs=SORAFENIB),
        doses=["A,0,400,mg,12,,", "A,10,200,mg,12,,", "A,20.5,0,mg,,,"],
        samples=[f"A,{day},sorafenib,3,mg/L,,,{after_dose_h},"],
    )
    assert records.time_h[records.event == OBSERVATION].tolist() == [time_h]
    assert "sample-placed" in _codes(found, Severity.NOTE)


@pytest.mark.parametrize("line", ["A,7,sorafenib,3,mg/L,,,30,", "A,30,sorafenib,3,mg/L,,,2,"])
def test_a_sample_that_fits_no_dose_stays_at_its_day(tmp_path: Path, line: str) -> None:
    """30 h after the dose where doses follow each 12 h; 2 h after it ten days into a hold."""
    records, found = _records(
        tmp_path, small_model(outputs=SORAFENIB), doses=["A,0,400,mg,12,,", "A,20,0,mg,,,"], samples=[line]
    )
    day = float(line.split(",")[1])
    assert records.time_h[records.event == OBSERVATION].tolist() == [day * 24]
    assert "sample-not-placed" in _codes(found, Severity.WARNING)


def test_clock_times_are_kept(tmp_path: Path) -> None:
    """Where the study knows the hour, the time after the dose does not move the sample."""
    records, _ = _records(
        tmp_path,
        small_model(outputs=SORAFENIB),
        header=HEADER + 'time = "clock"\n',
        patients="patient,start\nA,2024-03-01T08:00Z\n",
        doses=["A,2024-03-01T08:00Z,400,mg,12,,"],
        samples=["A,2024-03-02T10:30Z,sorafenib,3,mg/L,,,2,"],
        marker_time="2024-03-02T08:00Z",
    )
    assert records.time_h[records.event == OBSERVATION] == pytest.approx([26.5], abs=1e-9)


def test_values_are_converted_and_limits_censor(tmp_path: Path) -> None:
    """10 µmol/L of sorafenib (464.825 g/mol) is 4.648 mg/L; below 20 ng/mL is censored at 0.02 mg/L."""
    samples = [
        "A,1,Sorafenib,10,umol/L,,,,",
        "A,2,sorafenib,,ng/mL,1,20,,",
        "A,3,bilirubin,9,umol/L,,,,",
    ]
    doses = ["A,0,400,mg,12,,"]
    records, found = _records(tmp_path, small_model(outputs=SORAFENIB), doses=doses, samples=samples)
    seen = records.event == OBSERVATION
    assert records.value[seen][0] == pytest.approx(4.648, rel=1e-3)
    assert np.isnan(records.value[seen][1])
    assert records.limit[seen][1] == pytest.approx(0.02, rel=1e-15)
    assert records.censoring[seen].tolist() == [QUANTIFIED, BELOW_LIMIT]
    assert records.row[seen].tolist() == [2, 3]
    assert [f.message.split(":")[0] for f in found if f.code == "analyte-not-used"] == ["bilirubin, marker"]
    logged, _ = _records(
        tmp_path, small_model(outputs=LOGGED), doses=doses, samples=samples, analytes={"SORAFENIB": "plasma"}
    )
    np.testing.assert_allclose(logged.value[seen], np.log(records.value[seen]), rtol=1e-14)
    np.testing.assert_allclose(logged.limit[seen], np.log(records.limit[seen]), rtol=1e-14)


def test_a_unit_that_does_not_convert_is_an_error_with_its_row(tmp_path: Path) -> None:
    """An amount of substance per volume of something without a molar mass on file."""
    model = small_model(outputs=PLASMA.replace("outputs.plasma", "outputs.unknown"))
    _, found = _records(tmp_path, model, doses=["A,0,400,mg,12,,"], samples=["A,1,unknown,10,umol/L,,,,"])
    assert [(f.code, f.row, f.column) for f in found.errors] == [("measurement-unit", 2, "unit")]


def test_analytes_are_outputs_by_name_unless_said_otherwise(tmp_path: Path) -> None:
    """`analytes` renames one and leaves one out; an output that does not exist is refused."""
    model = small_model(outputs=PARENT_AND_METABOLITE)
    samples = ["A,1,Parent,1,mg/L,,,,", "A,1,M2,2,mg/L,,,,", "A,1,metabolite,3,mg/L,,,,"]
    doses = ["A,0,400,mg,12,,"]
    records, _ = _records(
        tmp_path, model, doses=doses, samples=samples, analytes={"m2": "metabolite", "metabolite": None}
    )
    seen = records.event == OBSERVATION
    assert list(zip(records.output[seen].tolist(), records.value[seen].tolist(), strict=True)) == [
        (0, 1),
        (1, 2),
    ]
    with pytest.raises(ValueError, match="no output 'x'"):
        _records(tmp_path, model, doses=doses, samples=samples, analytes={"m2": "x"})


def test_covariates_come_from_the_patients_table_and_from_measurements(tmp_path: Path) -> None:
    """80,000 g and 70 kg; a weight measured on day 5 holds at that day's sample and from then on."""
    records, found = _records(
        tmp_path,
        covariate_model(carry="last"),
        patients="patient,weight,sex\nA,80000,female\nB,70000,\n",
        covariates=WEIGHTS.replace('"kg"', '"g"'),
        doses=["A,0,400,mg,12,,", "B,0,400,mg,12,,"],
        samples=[
            "A,1,plasma,1,mg/L,,,,",
            "A,5,Weight,75,kg,,,,",
            "A,5,plasma,1,mg/L,,,,",
            "A,9,plasma,1,mg/L,,,,",
            "B,1,plasma,1,mg/L,,,,",
        ],
    )
    assert not found.errors
    seen = records.event == OBSERVATION
    assert records.covariates[seen, 0].tolist() == [80, 75, 75, 70]
    assert records.covariates[seen, 1].tolist() == [1, 1, 1, 0]
    assert int((records.event == OTHER).sum()) == 1
    assert [f.message for f in found if f.code == "covariate-default"] == [
        "no value of sex for patient B: the model's default, male"
    ]


def test_covariates_are_checked(tmp_path: Path) -> None:
    """Out of the hard range, of another kind than in the model, in a unit that does not convert."""
    options = {"doses": ["A,0,400,mg,12,,"], "samples": ["A,1,plasma,1,mg/L,,,,"]}
    _, found = _records(
        tmp_path, covariate_model(), patients="patient,weight,sex\nA,10,male\n", covariates=WEIGHTS, **options
    )
    assert [(f.code, f.file, f.row) for f in found.errors] == [("covariate-range", "patients.csv", 2)]
    swapped = '[covariates]\nweight = { unit = "year" }\nsex = { unit = "1" }\n'
    _, found = _records(
        tmp_path, covariate_model(), patients="patient,weight,sex\nA,50,1\n", covariates=swapped, **options
    )
    assert {f.code for f in found.errors} == {"covariate-unit", "covariate-kind"}
    _, found = _records(tmp_path, covariate_model(default=""), **options)
    assert [f.code for f in found.errors] == ["covariate-missing"]


def test_an_occasion_reaches_back_from_its_samples(tmp_path: Path) -> None:
    """The doses before a visit's sample are of that visit; after the last visit its occasion goes on."""
    records, _ = _records(
        tmp_path,
        small_model(outputs=SORAFENIB),
        doses=["A,0,400,mg,12,,", "A,10,200,mg,12,,"],
        samples=["A,7,sorafenib,3,mg/L,,,,V2", "A,14,sorafenib,3,mg/L,,,,V3"],
        predict_h=(400.0,),
    )
    assert dict(zip(records.time_h.tolist(), records.occasion.tolist(), strict=True)) == {
        0: 0, 168: 0, 240: 1, 336: 1, 400: 1,
    }  # fmt: skip


def test_predictions_are_asked_for_all_patients_or_one(tmp_path: Path) -> None:
    """At each time every output; a dose row goes on until the last prediction."""
    options = {"patients": "patient\nA\nB\nC\n", "doses": ["A,0,400,mg,24,,", "B,0,400,mg,24,,"]}
    model = small_model(outputs=PARENT_AND_METABOLITE)
    records, found = _records(tmp_path, model, samples=[], predict_h=(36.0, 60.0), **options)
    assert np.diff(records.first).tolist() == [5, 5, 4]
    predicted = records.event == OBSERVATION
    assert records.output[predicted].tolist() == [0, 1] * 6
    assert set(records.censoring[predicted].tolist()) == {MISSING}
    assert _doses(records) == [(0, 400, 24, 2)] * 2
    assert "no-dose" in _codes(found, Severity.WARNING)
    assert "no-observation" in _codes(found, Severity.NOTE)
    one, _ = _records(tmp_path, model, samples=[], predict_h={"B": (36.0,)}, **options)
    assert np.diff(one.first).tolist() == [1, 3, 0]
    with pytest.raises(ValueError, match="no such patient Z"):
        _records(tmp_path, model, samples=[], predict_h={"Z": (1.0,)}, **options)


def test_a_study_without_doses_is_records_all_the_same(tmp_path: Path) -> None:
    """A table that the study does not have is empty; twelve patients were sampled on day 28."""
    path = write_study(tmp_path, header=HEADER)
    records, found = records_of(load_cohort(load_study(path)), small_model(outputs=SORAFENIB))
    assert records.time_h.tolist() == [28 * 24.0] * 12
    assert "no-dose" in _codes(found, Severity.WARNING)
    other, found = records_of(load_cohort(load_study(path)), small_model())
    assert (len(other), other.n_patients) == (0, 12)
    assert "no-observation" in _codes(found, Severity.NOTE)
