"""Bad input, as a user meets it: the real commands, their exit statuses and messages, what they leave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.small_study import EVENTS, MEASUREMENTS, PATIENTS, QUESTION, TABLES, write_study

ANSWERED = 0
SOME_NOT_ANSWERED = 1
NOTHING_ANSWERED = 2
BAD_CONFIGURATION = 3
UNREADABLE_INPUT = 4


def run(*arguments: str | Path, timeout_s: float = 600) -> subprocess.CompletedProcess[str]:
    """One command of the installed program, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "troughline", *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout_s,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        check=False,
    )


def lines_of(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert "Traceback" not in done.stderr, done.stderr
    return [line for line in done.stderr.splitlines() if line.strip()]


def assert_refused(study: Path, out: Path, status: int, expected: str) -> None:
    """`study` and `check` end with `status` and one line a finding, `expected` first; nothing is written."""
    before = sorted(study.parent.iterdir())
    done = run("study", study, "--out", out)
    checked = run("check", study)
    for one in (done, checked):
        lines = lines_of(one)
        assert one.returncode == status, one.stderr
        assert lines, "a refusal says why"
        assert all(line.startswith(("error: ", "warning: ", "note: ")) for line in lines), one.stderr
        assert any(line.startswith("error: ") and expected in line for line in lines), one.stderr
    assert not out.exists()
    assert sorted(study.parent.iterdir()) == before


def assert_answered(study: Path, out: Path, statuses: tuple[int, ...]) -> dict[str, Any]:
    """The study runs to its end with one of `statuses`; the report and its `results.json` are there."""
    done = run("study", study, "--out", out)
    lines_of(done)
    assert done.returncode in statuses, done.stderr
    assert (out / "report.html").stat().st_size > 0
    return json.loads((out / "results.json").read_text(encoding="utf-8"))


def measurements(old: str, new: str) -> dict[str, str | bytes]:
    assert old in MEASUREMENTS
    return {"measurements.csv": MEASUREMENTS.replace(old, new)}


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("valid"))


def test_the_base_study_is_answered(valid: Path, tmp_path: Path) -> None:
    results = assert_answered(valid, tmp_path / "out", (ANSWERED, SOME_NOT_ANSWERED, NOTHING_ANSWERED))
    assert [q["id"] for q in results["questions"]] == ["threshold"]
    checked = run("check", valid)
    assert checked.returncode == ANSWERED
    assert lines_of(checked) == []


DATA_ERRORS: dict[str, tuple[dict[str, str | bytes], str]] = {
    "an empty table": ({"measurements.csv": b""}, "measurements.csv: is empty"),
    "a header and no records": (
        {"measurements.csv": "patient,time,analyte,value,unit\n"},
        "measurements.csv: has a header and no records",
    ),
    "a missing column": (
        measurements("value", "result"),
        "measurements.csv row 1 column value: the measurements table needs this column; "
        "the file has: patient, time, analyte, result, unit",
    ),
    "two units that do not convert": (
        measurements("2.80,ug/mL", "2.80,U/mL"),
        "measurements.csv row 5 column unit: sorafenib is in ug/mL",
    ),
    "an unknown unit": (
        measurements("2.80,ug/mL", "2.80,drops"),
        "measurements.csv row 5 column unit: 'drops' is no unit known here",
    ),
    "a negative value": (
        measurements("2.80", "-2.80"),
        "measurements.csv row 5 column value: -2.8 ug/mL is negative",
    ),
    "not a number": (
        measurements("2.80", "NaN"),
        "measurements.csv row 5 column value: 'NaN' is not a finite number",
    ),
    "an infinite value": (
        measurements("2.80", "inf"),
        "measurements.csv row 5 column value: 'inf' is not a finite number",
    ),
    "a number too large": (
        measurements("2.80", "1e999"),
        "measurements.csv row 5 column value: '1e999' is too large",
    ),
    "text in a number column": (
        measurements("2.80", "about 3"),
        "measurements.csv row 5 column value: 'about 3' is not a number",
    ),
    "a duplicate patient": (
        {"patients.csv": PATIENTS + "P3,,70\n"},
        "patients.csv row 14 column patient: patient 'P3' stands in row 4 already",
    ),
    "a stranger": (
        {"measurements.csv": MEASUREMENTS + "P99,28,sorafenib,2.0,ug/mL\n"},
        "measurements.csv row 14 column patient: patient 'P99' is not in patients.csv",
    ),
    "a death before the last visit": (
        {"measurements.csv": MEASUREMENTS + "P1,300,sorafenib,2.0,ug/mL\n"},
        "row 14 column time: this sample of patient 'P1' on day 300 is after the death on day 210",
    ),
    "an event after death": (
        {"events.csv": EVENTS + "P1,400,progression,,,,,\n"},
        "this event of patient 'P1' on day 400 is after the death on day 210",
    ),
    "an Excel date": (
        measurements("P1,28,", "P1,2024-01-28,"),
        "measurements.csv row 2 column time: holds dates (row 2) and study days",
    ),
    "nothing but Excel dates": (
        {"measurements.csv": MEASUREMENTS.replace(",28,", ",2024-01-28,")},
        "measurements.csv row 2 column time: '2024-01-28' is a date",
    ),
    "an Excel date number": (
        measurements("P1,28,", "P1,45319,"),
        "measurements.csv row 2 column time: 45319 is above 20000: an Excel date number",
    ),
    "a ragged row": (
        measurements("P3,28,sorafenib", "P3,28,sorafenib,extra"),
        "measurements.csv row 4: 6 cells where the header has 5",
    ),
    "an unknown event": (
        {"events.csv": EVENTS + "P1,10,toxicity,,,,,\n"},
        "column event: 'toxicity' is none of: adverse event",
    ),
    "UTF-16 without its mark": (
        {"measurements.csv": MEASUREMENTS.encode("utf-16-le")},
        "measurements.csv: holds zero bytes",
    ),
}


@pytest.mark.parametrize("case", DATA_ERRORS)
def test_unusable_data_is_refused_with_its_place(case: str, tmp_path: Path) -> None:
    files, expected = DATA_ERRORS[case]
    study = write_study(tmp_path / "study", files=files)
    assert_refused(study, tmp_path / "out", UNREADABLE_INPUT, expected)


def test_a_date_cell_of_a_real_workbook_is_named(tmp_path: Path) -> None:
    study = write_study(tmp_path / "study", tables=TABLES.replace("measurements.csv", "measurements.xlsx"))
    frame = pd.read_csv(tmp_path / "study" / "measurements.csv")
    frame["time"] = pd.Timestamp("1900-01-28")
    frame.to_excel(tmp_path / "study" / "measurements.xlsx", index=False)
    expected = "measurements.xlsx row 2 column time: '1900-01-28T00:00:00' is a date"
    assert_refused(study, tmp_path / "out", UNREADABLE_INPUT, expected)


def test_a_table_that_is_not_there_is_refused(tmp_path: Path) -> None:
    study = write_study(tmp_path / "study", tables=TABLES.replace("events.csv", "none.csv"))
    assert_refused(study, tmp_path / "out", UNREADABLE_INPUT, "none.csv: there is no such file")


def test_everything_wrong_is_reported_at_once(tmp_path: Path) -> None:
    study = write_study(
        tmp_path / "study",
        files={**measurements("2.80", "-2.80"), "patients.csv": PATIENTS + "P3,,70\n", "events.csv": b""},
    )
    lines = lines_of(run("study", study, "--out", tmp_path / "out"))
    assert sum(line.startswith("error: ") for line in lines) == 3


def test_a_file_of_200_mb_is_refused_at_once(tmp_path: Path) -> None:
    study = write_study(tmp_path / "study")
    row = b"P1,28,sorafenib,2.80,ug/mL\n"
    block = row * (1_000_000 // len(row))
    with (tmp_path / "study" / "measurements.csv").open("wb") as file:
        file.write(b"patient,time,analyte,value,unit\n")
        while file.tell() < 200_000_000:
            file.write(block)
    started = time.perf_counter()
    expected = "MB; the limit is 100 MB (setting TROUGHLINE_MAX_TABLE_MB)"
    assert_refused(study, tmp_path / "out", UNREADABLE_INPUT, expected)
    # Two commands; reading the file would take each of them longer than this.
    assert time.perf_counter() - started < 20
    (tmp_path / "study" / "measurements.csv").unlink()


def test_a_sample_before_the_first_dose_is_a_warning(tmp_path: Path) -> None:
    study = write_study(
        tmp_path / "study", files={"measurements.csv": MEASUREMENTS + "P1,-3,sorafenib,0.4,ug/mL\n"}
    )
    checked = run("check", study)
    assert checked.returncode == ANSWERED
    expected = (
        "warning: measurements.csv row 14 column time: sorafenib was sampled 3 days before the first dose"
    )
    assert expected in checked.stdout + checked.stderr
    out = tmp_path / "out"
    results = assert_answered(study, out, (ANSWERED, SOME_NOT_ANSWERED, NOTHING_ANSWERED))
    assert [i["code"] for i in results["issues"]] == ["sample-before-first-dose"]


def test_two_units_that_convert_are_a_warning(tmp_path: Path) -> None:
    study = write_study(tmp_path / "study", files=measurements("2.80,ug/mL", "2800,ng/mL"))
    checked = run("check", study)
    assert checked.returncode == ANSWERED
    assert "sorafenib is in ug/mL" in checked.stdout + checked.stderr


def test_utf_16_with_semicolons_and_decimal_commas_is_read(valid: Path, tmp_path: Path) -> None:
    def foreign(text: str) -> bytes:
        return text.replace(",", ";").replace(".", ",").encode("utf-16")

    study = write_study(
        tmp_path / "study",
        files={"measurements.csv": foreign(MEASUREMENTS), "patients.csv": foreign(PATIENTS)},
    )
    results = assert_answered(study, tmp_path / "out", (ANSWERED, SOME_NOT_ANSWERED, NOTHING_ANSWERED))
    reference = assert_answered(valid, tmp_path / "valid", (ANSWERED, SOME_NOT_ANSWERED, NOTHING_ANSWERED))
    assert results["issues"] == []
    assert results["questions"] == reference["questions"]


NOT_ANALYSABLE: dict[str, dict[str, str | bytes]] = {
    "one outcome class only": {
        "events.csv": EVENTS.replace(",hand-foot skin reaction,3,", ",hand-foot skin reaction,1,")
    },
    "all values below the limit": {
        "measurements.csv": "patient,time,analyte,value,unit,below_limit,limit\n"
        + "".join(f"P{i},28,sorafenib,,ug/mL,1,0.1\n" for i in range(1, 13))
    },
    "three patients": {
        "patients.csv": "".join(PATIENTS.splitlines(keepends=True)[:4]),
        "measurements.csv": "".join(MEASUREMENTS.splitlines(keepends=True)[:4]),
        "events.csv": "".join(EVENTS.splitlines(keepends=True)[:10]),
    },
}


@pytest.mark.parametrize("case", NOT_ANALYSABLE)
def test_data_that_cannot_answer_get_a_report_that_says_so(case: str, tmp_path: Path) -> None:
    study = write_study(tmp_path / "study", files=NOT_ANALYSABLE[case])
    results = assert_answered(study, tmp_path / "out", (SOME_NOT_ANSWERED, NOTHING_ANSWERED))
    assert [q["verdict"] for q in results["questions"]] in (["not analysable"], ["refused"])


CONFIGURATION_ERRORS = {
    "an unknown key": (QUESTION.replace("bootstrap", "bootstraps"), "bootstraps: unknown key"),
    "a question kind that is none": (
        QUESTION.replace('"threshold"\npred', '"guess"\npred'),
        "question threshold kind",
    ),
    "an outcome that is none": (QUESTION.replace("grade", "degree"), "unknown key"),
    "a unit that is none": (QUESTION.replace("ug/mL", "parsecs"), "'parsecs' is no unit known here"),
    "no question": ("", "question"),
    "no TOML": (QUESTION + "\n= = =\n", "is not valid TOML"),
}


@pytest.mark.parametrize("case", [c for c in CONFIGURATION_ERRORS if c != "a unit that is none"])
def test_a_bad_study_file_is_a_configuration_error(case: str, tmp_path: Path) -> None:
    question, expected = CONFIGURATION_ERRORS[case]
    study = write_study(tmp_path / "study", question=question)
    assert_refused(study, tmp_path / "out", BAD_CONFIGURATION, expected)


def test_a_study_file_that_the_data_cannot_meet_is_a_configuration_error(tmp_path: Path) -> None:
    question, expected = CONFIGURATION_ERRORS["a unit that is none"]
    study = write_study(tmp_path / "study", question=question)
    done = run("study", study, "--out", tmp_path / "out")
    assert done.returncode == BAD_CONFIGURATION
    assert any(expected in line for line in lines_of(done))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("study", "no-such-study.toml", "--out", "OUT"),
        ("check", "no-such-study.toml"),
        ("study",),
        ("study", "STUDY"),
        ("study", "STUDY", "--out", "OUT", "--loud"),
        ("analyse", "STUDY"),
    ],
)
def test_bad_arguments_end_with_three_and_one_line(
    arguments: tuple[str, ...], valid: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = run(*({"STUDY": str(valid), "OUT": str(out)}.get(a, a) for a in arguments))
    assert done.returncode == BAD_CONFIGURATION
    assert len(lines_of(done)) == 1
    assert not out.exists()


@pytest.mark.parametrize("kind", ["a file in the way", "a file above", "no permission"])
def test_an_unwritable_output_folder_is_refused_before_the_work(
    kind: str, valid: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    if kind == "a file in the way":
        out.write_text("mine")
    elif kind == "a file above":
        out.write_text("mine")
        out = out / "below"
    else:
        folder = tmp_path / "locked"
        folder.mkdir()
        folder.chmod(0o500)
        if os.access(folder, os.W_OK):
            pytest.skip("this user may write everywhere")
        out = folder / "out"
    started = time.perf_counter()
    done = run("study", valid, "--out", out)
    assert done.returncode == BAD_CONFIGURATION
    assert len(lines_of(done)) == 1
    assert time.perf_counter() - started < 10
    if kind != "no permission":
        assert (tmp_path / "out").read_text() == "mine"
