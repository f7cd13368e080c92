"""Times: study days and clock times, and the ways in which spreadsheets spoil both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.small_study import HEADER, table, write_study
from troughline.cohort.load import check_study, load_cohort
from troughline.cohort.studyfile import load_study
from troughline.issues import Finding

COLUMNS = "patient,time,analyte,value,unit"
CLOCK = HEADER + 'time = "clock"\n'
BERLIN = CLOCK + 'timezone = "Europe/Berlin"\n'
TABLES = '\n[tables]\npatients = "patients.csv"\nmeasurements = "measurements.csv"\n'
QUESTION = """
[[question]]
id = "by-column"
kind = "threshold"
predictor = { analyte = "sorafenib", unit = "ug/mL" }
outcome = { column = "responder", equals = "1" }
"""


def sample(patient: str, time: str) -> str:
    return f"{patient},{time},sorafenib,2.0,ug/mL"


def study(folder: Path, header: str, times: list[str], starts: list[str] | None = None) -> Path:
    patients = starts or [""]
    return write_study(
        folder,
        header=header,
        tables=TABLES,
        covariates="",
        question=QUESTION,
        files={
            "patients.csv": table(
                "patient,start,responder", [f"P{i},{start},1" for i, start in enumerate(patients, 1)]
            ),
            "measurements.csv": table(COLUMNS, [sample("P1", time) for time in times]),
        },
    )


def days(path: Path) -> list[float]:
    return load_cohort(load_study(path)).measurements["day"].tolist()


def errors(path: Path) -> list[Finding]:
    return list(check_study(load_study(path)).errors)


def test_study_days_are_read_as_they_are(tmp_path: Path) -> None:
    assert days(study(tmp_path, HEADER, ["0", "28", "56.5", "-3"])) == [0.0, 28.0, 56.5, -3.0]


def test_clock_times_become_days_since_the_first_dose(tmp_path: Path) -> None:
    path = study(
        tmp_path,
        CLOCK,
        ["2024-03-02T08:00+01:00", "2024-03-02 07:00:00Z", "2024-02-29T20:00:00.5+0100"],
        ["2024-03-01T08:00+01:00"],
    )
    np.testing.assert_allclose(days(path), [1.0, 1.0, -0.5 + 0.5 / 86400], atol=1e-12)


def test_times_without_offset_are_taken_in_the_zone_of_the_study(tmp_path: Path) -> None:
    # The clocks in Berlin went forward on 31 March 2024: that day has 23 hours.
    path = study(tmp_path, BERLIN, ["2024-04-01", "2024-03-31T12:00"], ["2024-03-31"])
    np.testing.assert_allclose(days(path), [23 / 24, 11 / 24], atol=1e-12)


@pytest.mark.parametrize(
    ("header", "times", "starts", "code", "row"),
    [
        (CLOCK, ["2024-03-02T08:00"], ["2024-03-01T08:00Z"], "no-offset", 2),
        (CLOCK, ["2024-03-02T08:00Z", "45353"], ["2024-03-01T08:00Z"], "mixed-times", 3),
        (CLOCK, ["45353"], ["2024-03-01T08:00Z"], "number-in-clock-column", 2),
        (CLOCK, ["01/03/2024"], ["2024-03-01T08:00Z"], "not-a-time", 2),
        (CLOCK, ["2024-03-02T08:00Z"], [""], "missing-time", 2),
        (BERLIN, ["2024-03-31T02:30"], ["2024-03-01"], "no-such-time", 2),
        (BERLIN, ["2024-10-27T02:30"], ["2024-03-01"], "no-such-time", 2),
        (BERLIN, ["2024-02-30"], ["2024-02-01"], "no-such-time", 2),
        (HEADER, ["28", "2024-03-01"], None, "mixed-times", 3),
        (HEADER, ["2024-03-01"], None, "date-in-day-column", 2),
        (HEADER, ["1900-01-28T00:00:00"], None, "date-in-day-column", 2),
        (HEADER, ["01.03.2024"], None, "date-in-day-column", 2),
        (HEADER, ["1-Mar-2024"], None, "date-in-day-column", 2),
        (HEADER, ["28", "45352"], None, "excel-serial", 3),
        (HEADER, ["day 28"], None, "not-a-number", 2),
        (HEADER, [""], None, "missing-time", 2),
    ],
)
def test_a_time_of_the_wrong_kind_is_named(
    tmp_path: Path, header: str, times: list[str], starts: list[str] | None, code: str, row: int
) -> None:
    found = errors(study(tmp_path, header, times, starts))
    assert [(f.code, f.row) for f in found] == [(code, row)]


def test_excel_dates_are_called_that(tmp_path: Path) -> None:
    assert "Excel date number" in errors(study(tmp_path, HEADER, ["45352"]))[0].message
    assert "spreadsheet" in errors(study(tmp_path, HEADER, ["2024-03-01"]))[0].message


def test_an_unknown_time_zone_is_a_mistake_in_the_study_file(tmp_path: Path) -> None:
    path = study(tmp_path, CLOCK + 'timezone = "Europe/Atlantis"\n', ["2024-03-02T08:00"], ["2024-03-01"])
    found = errors(path)
    assert [(f.code, f.file, f.column) for f in found] == [("timezone", "study.toml", "study.timezone")]


def test_clock_studies_need_a_start_column(tmp_path: Path) -> None:
    path = study(tmp_path, CLOCK, ["2024-03-02T08:00Z"], ["2024-03-01T08:00Z"])
    (tmp_path / "patients.csv").write_text("patient,responder\nP1,1\n")
    assert [(f.code, f.column) for f in errors(path)] == [("missing-column", "start")]
