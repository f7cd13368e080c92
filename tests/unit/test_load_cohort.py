"""Loading a cohort: formats alike, columns mapped, covariates typed, scores computed, errors together."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.small_study import HEADER, MEASUREMENTS, PATIENTS, QUESTION, TABLES, table, write_study
from troughline.cohort.cohort import Cohort
from troughline.cohort.load import check_study, load_cohort
from troughline.cohort.studyfile import load_study
from troughline.issues import Finding, InputError, Severity

COLUMN_QUESTION = """
[[question]]
id = "columns"
kind = "threshold"
predictor = { covariate = "age" }
outcome = { column = "responder", equals = "yes" }
"""
TIME_QUESTION = """
[[question]]
id = "survival"
kind = "survival"
predictor = { covariate = "age", bands = "median" }
outcome = { time = "os", status = "dead", unit = "month" }
"""
ONLY_PATIENTS = '\n[tables]\npatients = "patients.csv"\n'


def load(path: Path) -> Cohort:
    return load_cohort(load_study(path))


def codes(path: Path, severity: Severity = Severity.ERROR) -> list[tuple[str, str | None, int | None]]:
    return [(f.code, f.column, f.row) for f in check_study(load_study(path)) if f.severity is severity]


def with_patients(
    folder: Path, patients: str | bytes, covariates: str, question: str = COLUMN_QUESTION
) -> Path:
    return write_study(
        folder,
        tables=ONLY_PATIENTS,
        covariates="\n[covariates]\n" + covariates + "\n",
        question=question,
        files={"patients.csv": patients},
    )


def test_a_valid_study_loads_without_findings(tmp_path: Path) -> None:
    cohort = load(write_study(tmp_path))
    assert cohort.findings == ()
    assert cohort.patient_ids == tuple(f"P{i}" for i in range(1, 13))
    assert list(cohort.patients.columns) == ["age", "row"]
    assert cohort.patients["row"].tolist() == list(range(2, 14))
    assert cohort.measurements["value"].tolist()[:2] == [1.45, 1.9]
    assert cohort.events["event"].value_counts().to_dict() == {
        "adverse event": 12,
        "response": 12,
        "death": 9,
        "last contact": 3,
    }
    assert cohort.doses.empty
    assert list(cohort.doses.columns) == [
        "patient",
        "day",
        "amount_mg",
        "interval_h",
        "additional",
        "steady_state",
        "row",
    ]


def test_every_file_is_named_with_its_hash(tmp_path: Path) -> None:
    cohort = load(write_study(tmp_path))
    assert set(cohort.input_hashes) == {"study.toml", "patients.csv", "measurements.csv", "events.csv"}
    for name, value in cohort.input_hashes.items():
        assert value == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()


def test_all_formats_give_the_same_cohort(tmp_path: Path) -> None:
    reference = load(write_study(tmp_path / "csv"))
    for name in ("patients", "measurements", "events"):
        frame = pd.read_csv(tmp_path / "csv" / f"{name}.csv", dtype={"version": "object"})
        frame.to_excel(tmp_path / f"{name}.xlsx", index=False)
        frame.to_parquet(tmp_path / f"{name}.parquet", index=False)
        (tmp_path / f"{name}.tsv").write_text(frame.to_csv(sep="\t", index=False), encoding="utf-8")
        semicolons = frame.to_csv(sep=";", decimal=",", index=False)
        (tmp_path / f"{name}.txt").write_text(semicolons, encoding="utf-16")
    for suffix in ("xlsx", "parquet", "tsv", "txt"):
        tables = TABLES.replace(".csv", f".{suffix}")
        other = load(write_study(tmp_path, tables=tables))
        assert other.findings == ()
        for name in ("patients", "measurements", "events"):
            pd.testing.assert_frame_equal(getattr(reference, name), getattr(other, name))


def test_columns_are_mapped_from_the_names_in_the_file(tmp_path: Path) -> None:
    path = write_study(
        tmp_path,
        tables=TABLES + '\n[columns.measurements]\npatient = "Subject"\nvalue = "Conc"\n',
        files={"measurements.csv": MEASUREMENTS.replace("patient,", "Subject,").replace("value", "Conc")},
    )
    assert load(path).measurements["patient"].tolist()[0] == "P1"
    broken = MEASUREMENTS.replace("patient,", "Subject,").replace("value", "Conc").replace("2.80", "high")
    (tmp_path / "measurements.csv").write_text(broken)
    assert codes(path) == [("not-a-number", "Conc", 5)]


@pytest.mark.parametrize(
    ("mapping", "code"),
    [
        ('value = "Conc"', "missing-column"),
        ('walue = "value"', "column-mapping"),
        ('value = "time"\ntime = "time"', "column-mapping"),
        ('assay = "method"', "missing-column"),
    ],
)
def test_a_mapping_that_cannot_be_is_an_error(tmp_path: Path, mapping: str, code: str) -> None:
    path = write_study(tmp_path, tables=TABLES + f"\n[columns.measurements]\n{mapping}\n")
    assert code in [c for c, _, _ in codes(path)]


def test_a_missing_column_lists_those_that_are_there(tmp_path: Path) -> None:
    path = write_study(tmp_path, files={"measurements.csv": MEASUREMENTS.replace("value", "result")})
    errors = check_study(load_study(path)).errors
    assert [(f.code, f.column) for f in errors] == [("missing-column", "value")]
    assert errors[0].message.endswith("the file has: patient, time, analyte, result, unit")


def test_columns_nobody_declared_are_noted_and_not_read(tmp_path: Path) -> None:
    path = write_study(
        tmp_path, files={"patients.csv": "patient,age,mood\nP1,50,good\n"}, tables=ONLY_PATIENTS
    )
    cohort = load(path)
    assert [(f.severity, f.code, f.column) for f in cohort.findings if f.column] == [
        (Severity.NOTE, "column-not-declared", "mood")
    ]
    assert "mood" not in cohort.patients.columns


def test_reconstructed_patients_are_known_as_such(tmp_path: Path) -> None:
    """What `troughline reconstruct` writes beside the times: approximate, and which study it stands for."""
    patients = "patient,age,approximate,published_study\nP1,50,1,sharp-2008\nP2,60,1,sharp-2008\n"
    path = write_study(tmp_path, files={"patients.csv": patients}, tables=ONLY_PATIENTS)
    cohort = load(path)
    assert (cohort.approximate, cohort.reconstructed_from) == (True, ("sharp-2008",))
    assert "approximate-patients" in {f.code for f in cohort.findings}
    (tmp_path / "patients.csv").write_text(patients.replace(",1,sharp-2008", ",0,SHARP"))
    cohort = load(path)
    assert (cohort.approximate, cohort.reconstructed_from) == (False, ("SHARP",))
    assert [f.code for f in cohort.findings if f.column == "published_study"] == ["unknown-published-study"]
    (tmp_path / "patients.csv").write_text("patient,age\nP1,50\n")
    assert (load(path).approximate, load(path).reconstructed_from) == (False, ())


def test_columns_that_a_question_names_are_kept(tmp_path: Path) -> None:
    patients = "patient;age;os;dead;responder\nP1;50;12,5;1;yes\nP2;60;3;0;no\nP3;70;NA;;\n"
    path = with_patients(tmp_path, patients, 'age = { unit = "year" }', COLUMN_QUESTION + TIME_QUESTION)
    cohort = load(path)
    assert cohort.patients["responder"].tolist() == ["yes", "no", None]
    assert cohort.patients["os"].tolist() == ["12.5", "3", None]
    assert cohort.patients["dead"].tolist() == ["1", "0", None]
    (tmp_path / "patients.csv").write_text(patients.replace("12,5", "-1").replace("60;3", "60;soon"))
    assert codes(path) == [("not-a-number", "os", 3), ("negative-value", "os", 2)]
    (tmp_path / "patients.csv").write_text(patients.replace("os", "overall"))
    assert codes(path) == [("missing-column", "os", 1)]


def outcome_findings(folder: Path, cells: list[str], question: str = COLUMN_QUESTION) -> list[Finding]:
    """The findings about an outcome column with these cells, beside the notes."""
    header = "patient,age,os,dead" if "dead" in question else "patient,age,responder"
    times = "12," if "dead" in question else ""
    patients = table(header, [f"P{i},{50 + i},{times}{cell}" for i, cell in enumerate(cells, 1)])
    path = with_patients(folder, patients, 'age = { unit = "year" }', question)
    return [f for f in check_study(load_study(path)) if f.severity is not Severity.NOTE]


@pytest.mark.parametrize(
    "cells",
    [
        ["yes", "no", "no"], ["Yes", "no", "YES", "No"], ["yes", "", "NA", "no"], ["yes", "yes"],
        ["yes", "partly", "partly"],
    ],
)  # fmt: skip
def test_an_outcome_column_of_two_values_is_fine(tmp_path: Path, cells: list[str]) -> None:
    assert outcome_findings(tmp_path, cells) == []


def test_a_third_value_of_an_outcome_column_is_an_error_with_counts_and_rows(tmp_path: Path) -> None:
    (error,) = outcome_findings(tmp_path, ["no", "Yes", "yes", "no", "no", "?", "lost"])
    assert (error.severity, error.code) == (Severity.ERROR, "outcome-values")
    assert (error.file, error.column) == ("patients.csv", "responder")
    assert error.message.endswith(
        "this column holds 4: 'no' 3 times (rows 2, 5, 6); 'Yes' 2 times (rows 3, 4); '?' 1 times (row 7); "
        "'lost' 1 times (row 8)"
    )


def test_a_third_status_is_an_error_and_numbers_are_compared_as_numbers(tmp_path: Path) -> None:
    assert outcome_findings(tmp_path, ["1", "1.0", "0", "0.0", ""], TIME_QUESTION) == []
    (error,) = outcome_findings(tmp_path, ["1", "0", "2"], TIME_QUESTION)
    assert (error.code, error.column) == ("outcome-values", "dead")
    assert "'1' and one other" in error.message


def test_many_values_of_an_outcome_column_are_named_in_part(tmp_path: Path) -> None:
    (error,) = outcome_findings(tmp_path, [str(i) for i in range(40)])
    assert "this column holds 40: " in error.message
    assert error.message.endswith("34 more values")


@pytest.mark.parametrize("cells", [["no", "no"], ["no", "ja"], ["", "NA"]])
def test_an_outcome_that_never_occurs_is_a_warning(tmp_path: Path, cells: list[str]) -> None:
    (warning,) = outcome_findings(tmp_path, cells)
    assert (warning.severity, warning.code, warning.column) == (
        Severity.WARNING, "outcome-never", "responder",
    )  # fmt: skip
    assert "'yes', which question columns counts, does not occur" in warning.message


def test_two_questions_about_one_column_are_one_finding(tmp_path: Path) -> None:
    both = COLUMN_QUESTION + COLUMN_QUESTION.replace('"columns"', '"again"').replace('"yes"', '"YES"')
    assert len(outcome_findings(tmp_path, ["yes", "no", "?"], both)) == 1


@pytest.mark.parametrize("unit", ["parrots", "mg"])
def test_a_time_in_no_unit_of_time_is_an_error(tmp_path: Path, unit: str) -> None:
    (error,) = outcome_findings(tmp_path, ["1", "0"], TIME_QUESTION.replace("month", unit))
    assert (error.code, error.file, error.column) == ("unknown-unit", "study.toml", "question survival unit")
    assert error.message == f"'{unit}' is no unit of time"


def test_covariates_are_typed_and_missing_ones_counted(tmp_path: Path) -> None:
    patients = table(
        "patient,age,sex,responder", ["P1,50,female,yes", "P2,NA,male,no", "P3,,,no", "P4,61.5,male,yes"]
    )
    specs = 'age = { unit = "year" }\nsex = { levels = ["female", "male"] }'
    cohort = load(with_patients(tmp_path, patients, specs))
    np.testing.assert_array_equal(cohort.patients["age"], [50.0, np.nan, np.nan, 61.5])
    assert cohort.patients["sex"].tolist() == ["female", "male", None, "male"]
    notes = {f.column: f.message for f in cohort.findings if f.code == "covariate-missing"}
    assert notes == {
        "age": "missing in 2 of 4 patients (rows 3, 4)",
        "sex": "missing in 1 of 4 patients (row 4)",
    }
    assert [f.message for f in cohort.findings if f.code == "na-is-missing"] == [
        "1 cells 'NA' are read as missing"
    ]


@pytest.mark.parametrize(
    ("patients", "specs", "expected"),
    [
        ("patient,age,responder\nP1,old,yes\n", 'age = { unit = "year" }', ("not-a-number", "age", 2)),
        ("patient,age,responder\nP1,-5,yes\n", 'age = { unit = "year" }', ("negative-value", "age", 2)),
        ("patient,age,responder\nP1,nan,yes\n", 'age = { unit = "year" }', ("not-finite", "age", 2)),
        ("patient,age,responder\nP1,C,yes\n", 'age = { levels = ["A", "B"] }', ("unknown-level", "age", 2)),
        ("patient,responder\nP1,yes\n", 'age = { unit = "year" }', ("missing-column", "age", 1)),
        (
            "patient,age,responder\nP1,5,yes\n",
            'age = { unit = "moons" }',
            ("unknown-unit", "covariates.age.unit", None),
        ),
        (
            "patient,age,responder\nP1,5,yes\nP1,6,no\n",
            'age = { unit = "year" }',
            ("duplicate-patient", "patient", 3),
        ),
        (
            "patient,row,age,responder\nP1,1,5,yes\n",
            'row = { unit = "1" }\nage = { unit = "year" }',
            ("reserved-name", "covariates.row", None),
        ),
        ("patient,age,responder\n,5,yes\n", 'age = { unit = "year" }', ("missing-value", "patient", 2)),
    ],
)
def test_a_bad_patient_row_is_named(
    tmp_path: Path, patients: str, specs: str, expected: tuple[str, str | None, int | None]
) -> None:
    assert codes(with_patients(tmp_path, patients, specs)) == [expected]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["2,5", "3,25"], [2.5, 3.25]),
        (["1,234", "3,25"], [1.234, 3.25]),
        (["0,123", "1,234"], [0.123, 1.234]),
        (["1234,5", "7"], [1234.5, 7.0]),
        ([",5", "-0"], [0.5, 0.0]),
        (["1,234", "2,345"], "can be read with a decimal comma or a thousands separator (rows 2, 3)"),
        (["2,5", "3.5"], "has a decimal comma and row 3 a decimal point ('3.5')"),
        (["1.234,5", "2,5"], "has thousands separators"),
        (["1 234", "2"], "has thousands separators"),
        (["1'234", "2"], "has thousands separators"),
    ],
)
def test_decimal_commas_are_read_where_nothing_is_doubtful(
    tmp_path: Path, cells: list[str], expected: list[float] | str
) -> None:
    patients = "patient;age;responder\n" + "".join(f"P{i};{c};yes\n" for i, c in enumerate(cells))
    path = with_patients(tmp_path, patients, 'age = { unit = "year" }')
    if isinstance(expected, str):
        errors = check_study(load_study(path)).errors
        assert len(errors) == 1
        assert expected in errors[0].message
        assert errors[0].row == 2
        assert errors[0].column == "age"
    else:
        assert load(path).patients["age"].tolist() == expected


LIVER = """
bilirubin = { unit = "mg/dL" }
albumin = { unit = "g/L" }
inr = { unit = "1" }
ascites = { levels = ["none", "Mild", "severe"] }
encephalopathy = { levels = ["none", "grade 1-2"] }
creatinine = { unit = "umol/L" }
sodium = { unit = "mEq/L" }
sex = { levels = ["F", "M"] }
performance_status = { levels = ["0", "1", "2", "3"], ordered = true }
tumor_number = { unit = "1" }
tumor_size = { unit = "mm" }
vascular_invasion = { levels = ["no", "yes"] }
extrahepatic_spread = { unit = "1" }
"""
LIVER_HEADER = (
    "patient,bilirubin,albumin,inr,ascites,encephalopathy,creatinine,sodium,sex,performance_status,"
    "tumor_number,tumor_size,vascular_invasion,extrahepatic_spread,responder"
)
LIVER_QUESTION = COLUMN_QUESTION.replace("age", "child_pugh_score")


def test_liver_scores_are_computed_from_their_parts_in_any_unit(tmp_path: Path) -> None:
    rows = [
        "P1,1.0,40,1.0,none,none,80,140,F,0,1,18,no,0,yes",
        "P2,2.5,30,1.5,Mild,none,106.0800,135,M,0,3,40,no,0,no",
        "P3,4.0,25,2.5,severe,grade 1-2,90,130,M,1,3,30,yes,0,no",
        "P4,,25,2.5,severe,grade 1-2,90,130,M,1,3,30,yes,0,no",
    ]
    cohort = load(with_patients(tmp_path, table(LIVER_HEADER, rows), LIVER, LIVER_QUESTION))
    p = cohort.patients
    # By hand: 1+1+1+1+1; 2 (bilirubin) + 2 (30 g/L) + 1 + 2 (mild) + 1; 3+3+3+3+2.
    np.testing.assert_array_equal(p["child_pugh_score"], [5.0, 8.0, 14.0, np.nan])
    assert p["child_pugh_class"].tolist() == ["A", "B", "C", None]
    # 1 mg/dL of bilirubin is 17.10 umol/L: 0.66 log10 17.10 - 0.085 * 40 = -2.5862.
    assert p["albi"].iloc[0] == pytest.approx(-2.5862, abs=2e-4)
    assert p["albi_grade"].tolist() == ["2", "2", "3", None]
    # The second row is the reference vector of MELD 3.0: creatinine 106.08 umol/L is 1.2 mg/dL.
    assert p["meld3"].iloc[1] == pytest.approx(17.855, abs=5e-3)
    assert p["bclc"].tolist() == ["0", "B", "D", None]
    specs = cohort.covariates
    assert specs["child_pugh_class"].levels == ("A", "B", "C")
    assert specs["bclc"].ordered
    assert specs["meld3"].unit == "1"
    notes = [f.message for f in cohort.findings if f.code == "score-computed"]
    assert len(notes) == 4
    assert all("for 3 of 4 patients" in note for note in notes)
    assert [("secondary sources" in note) for note in notes] == [False, True, True, True]


def test_a_score_in_the_file_is_kept_and_disagreement_named(tmp_path: Path) -> None:
    rows = [
        "P1,17.1,40,-2.59,2,yes",
        "P2,10,45,-3.40,1,no",
        "P3,60,28,-1.2064,2,no",
        "P4,,28,-1.3,3,no",
    ]
    specs = (
        'bilirubin = { unit = "umol/L" }\nalbumin = { unit = "g/L" }\nalbi = { unit = "1" }\n'
        'albi_grade = { levels = ["1", "2", "3"], ordered = true }'
    )
    question = COLUMN_QUESTION.replace("age", "albi")
    path = with_patients(
        tmp_path, table("patient,bilirubin,albumin,albi,albi_grade,responder", rows), specs, question
    )
    cohort = load(path)
    assert cohort.patients["albi"].tolist() == [-2.59, -3.40, -1.2064, -1.3]
    warnings = [(f.severity, f.column, f.row) for f in cohort.findings if f.code == "score-disagrees"]
    assert warnings == [(Severity.WARNING, "albi", 3), (Severity.WARNING, "albi_grade", 4)]


def test_scores_are_left_out_where_a_part_is_in_other_words(tmp_path: Path) -> None:
    words = LIVER.replace('"Mild"', '"a bit"')
    rows = ["P1,1.0,40,1.0,a bit,none,80,140,F,0,1,18,no,0,yes"]
    question = COLUMN_QUESTION.replace("age", "albi")
    cohort = load(with_patients(tmp_path, table(LIVER_HEADER, rows), words, question))
    assert "child_pugh_score" not in cohort.covariates
    assert "bclc" not in cohort.covariates
    assert "albi" in cohort.covariates


def test_errors_of_all_tables_come_together(tmp_path: Path) -> None:
    path = write_study(
        tmp_path,
        tables=TABLES + 'doses = "doses.csv"\n',
        files={
            "patients.csv": PATIENTS.replace("P2,", "P1,"),
            "measurements.csv": MEASUREMENTS.replace("2.80", "-2.80"),
            "events.csv": "patient,time,event\nP1,x,death\n",
        },
    )
    with pytest.raises(InputError) as error:
        load(path)
    assert not error.value.configuration
    found = {(f.file, f.code) for f in error.value.findings if f.severity is Severity.ERROR}
    assert {
        ("patients.csv", "duplicate-patient"),
        ("measurements.csv", "negative-value"),
        ("measurements.csv", "unknown-patient"),
        ("events.csv", "not-a-number"),
        ("doses.csv", "file-missing"),
    } <= found


def test_a_mistake_in_the_study_file_alone_is_a_configuration_error(tmp_path: Path) -> None:
    path = write_study(tmp_path, question=QUESTION.replace("ug/mL", "parsecs"))
    with pytest.raises(InputError) as error:
        load(path)
    assert error.value.configuration


def test_loading_twice_gives_the_same(tmp_path: Path) -> None:
    path = write_study(tmp_path)
    first, second = load(path), load(path)
    pd.testing.assert_frame_equal(first.measurements, second.measurements)
    assert first.findings == second.findings


def test_five_thousand_patients_load_whole(tmp_path: Path) -> None:
    n = 5000
    patients = table("patient,age", (f"P{i},{40 + i % 40}" for i in range(n)))
    measurements = table(
        "patient,time,analyte,value,unit",
        (f"P{i},{28 * j},sorafenib,{1 + (i * j) % 70 / 10:.1f},ug/mL" for i in range(n) for j in range(10)),
    )
    events = table("patient,time,event", (f"P{i},{400 + i % 99},death" for i in range(n)))
    path = write_study(
        tmp_path,
        header=HEADER,
        files={"patients.csv": patients, "measurements.csv": measurements, "events.csv": events},
    )
    cohort = load(path)
    assert len(cohort.measurements) == 10 * n
    assert len(cohort.patient_ids) == n
