"""Checks of measurements, events, doses and of one table against another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.small_study import EVENTS, HEADER, MEASUREMENTS, QUESTION, TABLES, table, write_study
from troughline.cohort.load import check_study, load_cohort
from troughline.cohort.measurements import unit_slip
from troughline.cohort.studyfile import load_study
from troughline.issues import Finding, InputError, Severity

M = "patient,time,analyte,value,unit,below_limit,limit,assay"
E = "patient,time,event,term,grade,version,response,criterion,lesion_sum_mm"
D = "patient,time,amount,unit,interval_h,additional,steady_state"
PATIENTS = table("patient,age", [f"P{i},60" for i in range(1, 6)])


def found(
    folder: Path,
    *,
    measurements: list[str] | None = None,
    events: list[str] | None = None,
    doses: list[str] | None = None,
) -> list[Finding]:
    """The findings about a study of five patients with the given rows."""
    files: dict[str, str | bytes] = {"patients.csv": PATIENTS}
    files["measurements.csv"] = table(M, measurements or ["P1,28,sorafenib,2.0,ug/mL,,,"])
    files["events.csv"] = table(E, events or ["P1,300,last contact,,,,,,"])
    tables = TABLES
    if doses is not None:
        files["doses.csv"] = table(D, doses)
        tables += 'doses = "doses.csv"\n'
    path = write_study(folder, tables=tables, files=files)
    return [f for f in check_study(load_study(path)) if f.code not in ("no-records", "column-not-declared")]


def codes(findings: list[Finding]) -> list[tuple[str, str, int | None]]:
    return [(str(f.severity), f.code, f.row) for f in findings]


def test_a_clean_study_has_no_findings(tmp_path: Path) -> None:
    assert found(tmp_path) == []


@pytest.mark.parametrize(
    ("row", "severity", "code"),
    [
        ("P1,28,sorafenib,-0.1,ug/mL,,,", "error", "negative-value"),
        ("P1,28,sorafenib,NaN,ug/mL,,,", "error", "not-finite"),
        ("P1,28,sorafenib,inf,ug/mL,,,", "error", "not-finite"),
        ("P1,28,sorafenib,1e999,ug/mL,,,", "error", "not-finite"),
        ("P1,28,sorafenib,high,ug/mL,,,", "error", "not-a-number"),
        ('P1,28,sorafenib,"1,234.5",ug/mL,,,', "error", "thousands"),
        ('P1,28,sorafenib,"2,5",ug/mL,,,', "error", "decimal-comma"),
        ("P1,28,sorafenib,,ug/mL,,,", "error", "value-missing"),
        ("P1,28,sorafenib,NA,ug/mL,0,,", "error", "value-missing"),
        ("P1,28,sorafenib,,ug/mL,1,,", "error", "limit-missing"),
        ("P1,28,sorafenib,,ug/mL,maybe,0.1,", "error", "not-a-flag"),
        ("P1,28,sorafenib,2.0,ug/mL,1,0.1,", "error", "limit-disagrees"),
        ("P1,28,sorafenib,<0.2,ug/mL,1,0.1,", "error", "limit-disagrees"),
        ("P1,28,sorafenib,<0.1,ug/mL,0,,", "error", "limit-disagrees"),
        ("P1,28,sorafenib,<0,ug/mL,,,", "error", "out-of-range"),
        ("P1,28,sorafenib,2.0,ug/mL,,0,", "error", "out-of-range"),
        ("P1,28,sorafenib,2.0,,,,", "error", "missing-value"),
        ("P1,28,sorafenib,2.0,furlongs,,,", "error", "unknown-unit"),
        ("P1,28,,2.0,ug/mL,,,", "error", "missing-value"),
        (",28,sorafenib,2.0,ug/mL,,,", "error", "missing-value"),
        ("P9,28,sorafenib,2.0,ug/mL,,,", "error", "unknown-patient"),
        ("P1,28,sorafenib,0,ug/mL,,,", "warning", "zero-value"),
        ("P1,28,sorafenib,0.05,ug/mL,1,0.1,", "warning", "value-ignored"),
        ("P1,28,sorafenib,0.05,ug/mL,0,0.1,", "warning", "value-below-limit"),
        ("P1,-2,sorafenib,2.0,ug/mL,,,", "warning", "sample-before-first-dose"),
        ("P2,28,sorafenib,3.0,ug/mL,,,", "warning", "duplicate-measurement"),
        ("P1,28,sorafenib,2.0,ng/mL,,,", "warning", "mixed-units"),
        ("P1,28,sorafenib,4000,nmol/L,,,", "warning", "mixed-units"),
        ("P1,28,sorafenib,40,U/mL,,,", "error", "mixed-units"),
        ("P1,28,Sorafenib,2.0,mg/L,,,", "warning", "analyte-spelling"),
    ],
)
def test_one_bad_measurement_is_found_in_its_row(tmp_path: Path, row: str, severity: str, code: str) -> None:
    others = [f"P{i},28,sorafenib,2.0,ug/mL,,," for i in (2, 3)]
    findings = [f for f in found(tmp_path, measurements=[*others, row]) if f.severity is not Severity.NOTE]
    assert (severity, code, 4) in codes(findings)
    assert all(f.file in ("measurements.csv", "study.toml") for f in findings)
    assert {f.code for f in findings} <= {code, "unit-not-convertible"}


def test_values_below_a_limit_are_kept_as_limits(tmp_path: Path) -> None:
    path = write_study(
        tmp_path,
        files={
            "patients.csv": PATIENTS,
            "measurements.csv": table(
                M,
                [
                    "P1,28,sorafenib,<0.1,ug/mL,,,",
                    "P2,28,sorafenib,< 0.2,ug/mL,yes,0.2,",
                    "P3,28,sorafenib,,ug/mL,1,0.3,",
                    "P4,28,sorafenib,0.4,ug/mL,TRUE,0.4,",
                    "P5,28,sorafenib,5,ug/mL,no,0.1,",
                ],
            ),
            "events.csv": table(E, ["P1,300,last contact,,,,,,"]),
        },
    )
    cohort = load_cohort(load_study(path))
    assert cohort.measurements["below_limit"].tolist() == [True, True, True, True, False]
    assert cohort.measurements["limit"].tolist() == [0.1, 0.2, 0.3, 0.4, 0.1]
    np.testing.assert_array_equal(cohort.measurements["value"], [np.nan] * 4 + [5.0])
    notes = [f for f in cohort.findings if f.code == "less-than"]
    assert len(notes) == 1
    assert notes[0].severity is Severity.NOTE
    assert "rows 2, 3" in notes[0].message


def test_mixed_units_name_both_units_and_their_rows(tmp_path: Path) -> None:
    rows = [f"P{i},28,sorafenib,2.0,ug/mL,,," for i in (1, 2)] + ["P3,28,sorafenib,300,U/mL,,,"]
    message = next(f.message for f in found(tmp_path, measurements=rows) if f.code == "mixed-units")
    assert message == "sorafenib is in ug/mL (rows 2, 3) and in U/mL (row 4); these do not convert"


def test_the_same_unit_in_two_spellings_is_no_finding(tmp_path: Path) -> None:
    rows = ["P1,28,sorafenib,2.0,ug/mL,,,", "P2,28,sorafenib,2.0,µg/mL,,,", "P3,28,sorafenib,2.0,mg/L,,,"]
    assert found(tmp_path, measurements=rows) == []


def test_a_slip_of_thousand_is_a_warning_that_names_the_rows(tmp_path: Path) -> None:
    values = [0.74, 2.9, 8.8, 3.4, 2900.0]
    rows = [f"P{i},28,sorafenib,{v},ug/mL,,," for i, v in enumerate(values, 1)]
    findings = found(tmp_path, measurements=rows)
    assert codes(findings) == [("warning", "unit-slip", 6)]
    assert "(row 6)" in findings[0].message


def test_slips_are_told_from_wide_distributions() -> None:
    rng = np.random.default_rng(5)
    troughs = rng.lognormal(np.log(2.9), 0.62, 40)
    assert unit_slip(troughs) is None
    slipped = troughs.copy()
    slipped[[3, 17, 30]] *= 1000
    minor = unit_slip(slipped)
    assert minor is not None
    assert np.flatnonzero(minor).tolist() == [3, 17, 30]
    slipped = troughs.copy()
    slipped[[3, 17]] /= 1000
    minor = unit_slip(slipped)
    assert minor is not None
    assert np.flatnonzero(minor).tolist() == [3, 17]
    # Alpha-fetoprotein spreads over five powers of ten without a gap.
    assert unit_slip(10.0 ** np.linspace(0, 5, 40)) is None
    assert unit_slip(np.array([1.0, 1000.0])) is None


@pytest.mark.parametrize(
    ("row", "severity", "code"),
    [
        ("P1,40,adverse event,HFSR,0,5.0,,,", "error", "grade"),
        ("P1,40,adverse event,HFSR,6,5.0,,,", "error", "grade"),
        ("P1,40,adverse event,HFSR,2.5,5.0,,,", "error", "grade"),
        ("P1,40,adverse event,HFSR,severe,5.0,,,", "error", "not-a-number"),
        ("P1,40,adverse event,HFSR,,5.0,,,", "warning", "grade-missing"),
        ("P1,40,adverse event,HFSR,3,,,,", "note", "ctcae-version-missing"),
        ("P1,40,adverse event,HFSR,3,9.9,,,", "error", "ctcae-version-unknown"),
        ("P1,40,adverse event,HFSR,3,4.3,,,", "error", "ctcae-version-unknown"),
        ("P1,40,adverse event,HFSR,3,CTCAE,,,", "error", "ctcae-version-unknown"),
        ("P1,40,adverse event,HFSR,3,v5,,,", None, ""),
        ("P1,40,adverse event,HFSR,3,5,,,", None, ""),
        ("P1,40,adverse event,HFSR,3,CTCAE 5.0,,,", None, ""),
        ("P1,40,adverse event,HFSR,3,NCI-CTCAE v4.03,,,", None, ""),
        ("P1,40,response,,,1.1,PR,RECIST 1.1,", None, ""),
        ("P1,40,toxicity,HFSR,3,5.0,,,", "error", "unknown-event"),
        ("P1,40,,HFSR,3,5.0,,,", "error", "missing-value"),
        ("P1,40,response,,,,NE,RECIST 1.1,", "error", "unknown-level"),
        ("P1,40,response,,,,,RECIST 1.1,", "error", "response-missing"),
        ("P1,40,response,,,,PR,WHO,", "error", "unknown-level"),
        ("P1,40,response,,,,PR,,", "note", "criterion-missing"),
        ("P1,40,response,,,,PR,RECIST 1.1,-3", "error", "negative-value"),
        ("P9,40,death,,,,,,", "error", "unknown-patient"),
        ("P1,-4,death,,,,,,", "error", "death-before-start"),
        ("P1,40,progression,,,,,,", None, ""),
        (" P1 ,40, Last  Contact ,,,,,,", None, ""),
        ("P1,40,response,,,,pr,recist 1.1,30.5", None, ""),
    ],
)
def test_one_bad_event_is_found_in_its_row(tmp_path: Path, row: str, severity: str | None, code: str) -> None:
    findings = found(tmp_path, events=["P2,300,last contact,,,,,,", row])
    if severity is None:
        assert findings == []
    else:
        assert [(str(f.severity), f.code) for f in findings] == [(severity, code)]
        assert findings[0].row == (None if severity == "note" else 3)


def test_an_unknown_event_lists_the_known_ones(tmp_path: Path) -> None:
    message = found(tmp_path, events=["P1,40,toxicity,,,,,,"])[0].message
    assert "'toxicity' is none of: adverse event, progression, response" in message


def test_an_unknown_version_lists_the_known_ones_and_v5_is_5(tmp_path: Path) -> None:
    (unknown,) = found(tmp_path, events=["P1,40,adverse event,HFSR,3,9.9,,,"])
    assert unknown.message == "'9.9' is no version of CTCAE; there are 3.0, 4.0, 4.03, 5.0, 6.0"
    spelt = [f"P{i},40,adverse event,HFSR,3,{v},,," for i, v in enumerate(("v5", "5", "CTCAE 5.0"), 1)]
    assert found(tmp_path, events=spelt) == []


def test_mixed_versions_and_criteria_are_warnings(tmp_path: Path) -> None:
    rows = [
        "P1,40,adverse event,HFSR,3,5.0,,,",
        "P2,40,adverse event,HFSR,3,CTCAE v5,,,",
        "P3,40,adverse event,HFSR,3,6.0,,,",
        "P1,56,response,,,,PR,RECIST 1.1,",
        "P2,56,response,,,,PR,mRECIST,",
    ]
    findings = found(tmp_path, events=rows)
    assert codes(findings) == [
        ("warning", "ctcae-version-mixed", None),
        ("warning", "criterion-mixed", None),
    ]
    assert "5.0 and 6.0" in findings[0].message


def test_nothing_but_a_last_contact_follows_death(tmp_path: Path) -> None:
    findings = found(
        tmp_path,
        measurements=[
            "P1,100,sorafenib,2.0,ug/mL,,,",
            "P1,100.5,sorafenib,2.0,ug/mL,,,",
            "P1,101,sorafenib,2,ug/mL,,,",
        ],
        events=[
            "P1,100,death,,,,,,",
            "P1,120,progression,,,,,,",
            "P1,130,last contact,,,,,,",
            "P2,99,death,,,,,,",
        ],
        doses=["P1,0,400,mg,12,,", "P1,150,0,mg,,,", "P2,99,400,mg,12,,"],
    )
    # Whole days: on the day of death itself samples and doses are possible.
    assert [(f.code, f.file, f.row) for f in findings] == [
        ("after-death", "events.csv", 3),
        ("after-death", "measurements.csv", 4),
        ("after-death", "doses.csv", 3),
    ]
    assert "the death on day 100 (events.csv row 2)" in findings[0].message


def test_a_death_at_a_known_time_ends_there(tmp_path: Path) -> None:
    findings = found(
        tmp_path,
        measurements=["P1,100.4,sorafenib,2.0,ug/mL,,,", "P1,100.6,sorafenib,2.0,ug/mL,,,"],
        events=["P1,100.5,death,,,,,,"],
    )
    assert codes(findings) == [("error", "after-death", 3)]


def test_one_patient_dies_once(tmp_path: Path) -> None:
    findings = found(
        tmp_path, events=["P1,100,death,,,,,,", "P1,90,last contact,,,,,,", "P1,100,death,,,,,,"]
    )
    assert codes(findings) == [("error", "two-deaths", 4)]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("P1,28,-200,mg,12,,", "negative-value"),
        ("P1,28,,mg,12,,", "missing-value"),
        ("P1,28,400,tablets,12,,", "dose-unit"),
        ("P1,28,400,mg/L,12,,", "dose-unit"),
        ("P1,28,400,,12,,", "missing-value"),
        ("P1,28,400,mg,0,,", "out-of-range"),
        ("P1,28,400,mg,12,1.5,", "out-of-range"),
        ("P1,28,400,mg,,3,", "interval-missing"),
        ("P1,28,400,mg,12,,perhaps", "not-a-flag"),
        ("P9,28,400,mg,12,,", "unknown-patient"),
    ],
)
def test_one_bad_dose_is_found_in_its_row(tmp_path: Path, row: str, code: str) -> None:
    findings = found(tmp_path, doses=["P1,0,400,mg,12,,", row])
    assert codes(findings) == [("error", code, 3)]


def test_doses_are_in_mg_and_zero_is_a_hold(tmp_path: Path) -> None:
    doses = ["P1,0,0.4,g,12,,1", "P1,28,0,mg,,,", "P1,35,400,mg,24,13,0"]
    found(tmp_path, doses=doses)
    cohort = load_cohort(load_study(tmp_path / "study.toml"))
    assert cohort.doses["amount_mg"].tolist() == [400.0, 0.0, 400.0]
    assert cohort.doses["steady_state"].tolist() == [True, False, False]
    np.testing.assert_array_equal(cohort.doses["additional"], [np.nan, np.nan, 13.0])


def test_a_blank_interval_beside_one_that_is_given_is_a_warning(tmp_path: Path) -> None:
    """Neighbours in time, whatever the order of the file; a hold needs no interval."""
    doses = [
        "P1,20,200,mg,,,", "P1,0,400,mg,12,,",  # mixed: row 2
        "P2,0,400,mg,,,", "P2,20,200,mg,,,",  # neither is known: the amounts are compared
        "P3,0,400,mg,12,,", "P3,20,0,mg,,,", "P3,30,400,mg,12,,",  # a hold
        "P4,0,400,mg,12,,", "P4,20,0,mg,,,", "P4,30,400,mg,,,",  # mixed across a hold: row 11
    ]  # fmt: skip
    findings = found(tmp_path, doses=doses)
    assert codes(findings) == [
        ("warning", "dose-per-day-unknown", 2),
        ("warning", "dose-per-day-unknown", 11),
    ]
    assert findings[0].file == "doses.csv"
    assert findings[0].column == "interval_h"


def test_other_analytes_before_the_first_dose_are_baseline(tmp_path: Path) -> None:
    rows = ["P1,28,sorafenib,2.0,ug/mL,,,", "P1,-3,AFP,400,ng/mL,,,", "P2,-1,AFP,20,ng/mL,,,"]
    assert codes(found(tmp_path, measurements=rows)) == [("note", "baseline-sample", None)]


def test_patients_without_records_are_counted(tmp_path: Path) -> None:
    path = write_study(
        tmp_path,
        files={"patients.csv": PATIENTS + "P6,60\nP7,61\n", "events.csv": table(E, ["P1,9,death,,,,,,"])},
    )
    files = {"measurements.csv": table(M, [f"P{i},3,sorafenib,2.0,ug/mL,,," for i in range(1, 6)])}
    (tmp_path / "measurements.csv").write_text(files["measurements.csv"])
    notes = [f for f in check_study(load_study(path)) if f.code == "no-records"]
    assert [f.message for f in notes] == ["2 of 7 patients have no row in any other table: P6, P7"]


@pytest.mark.parametrize(
    ("predictor", "severity", "code"),
    [
        ('{ analyte = "sorafenib", unit = "parsecs" }', "error", "unknown-unit"),
        ('{ analyte = "sorafenib", unit = "U/mL" }', "warning", "unit-not-convertible"),
        ('{ analyte = "lenvatinib", metric = "level", unit = "ug/mL" }', "warning", "analyte-absent"),
        ('{ covariate = "albumin" }', "error", "covariate-undeclared"),
    ],
)
def test_a_question_that_the_data_cannot_meet_is_found(
    tmp_path: Path, predictor: str, severity: str, code: str
) -> None:
    question = QUESTION.replace('{ analyte = "sorafenib", metric = "trough", unit = "ug/mL" }', predictor)
    findings = check_study(load_study(write_study(tmp_path, question=question)))
    assert [(str(f.severity), f.code, f.file) for f in findings] == [(severity, code, "study.toml")]


def about_predictor(folder: Path, drug: str, *predictors: str) -> list[Finding]:
    """The findings about a study of this drug with a question for each predictor."""
    old = '{ analyte = "sorafenib", metric = "trough", unit = "ug/mL" }'
    questions = [
        QUESTION.replace(old, p).replace('id = "threshold"', f'id = "q{i}"')
        for i, p in enumerate(predictors, 1)
    ]
    path = write_study(
        folder, header=HEADER.replace('"sorafenib"', f'"{drug}"'), question="\n".join(questions)
    )
    return list(check_study(load_study(path)))


TROUGH = '{ analyte = "sorafenib", metric = "trough", unit = "ug/mL" }'
MARKER = '{ analyte = "sorafenib", metric = "level", unit = "ug/mL" }'
AGE = '{ covariate = "age" }'


def test_a_misspelt_drug_is_an_error_that_suggests_the_nearest(tmp_path: Path) -> None:
    (finding,) = about_predictor(tmp_path, "sorafenb", TROUGH, AGE)
    assert (finding.severity, finding.code) == (Severity.ERROR, "unknown-drug")
    assert (finding.file, finding.column) == ("study.toml", "study.drug")
    assert "'sorafenb' is no drug known here, and question q1 needs" in finding.message
    assert "did you mean 'sorafenib'? (known: sorafenib)" in finding.message
    with pytest.raises(InputError) as raised:
        load_cohort(load_study(tmp_path / "study.toml"))
    assert raised.value.configuration


def test_an_unknown_drug_lists_the_known_ones(tmp_path: Path) -> None:
    (finding,) = about_predictor(tmp_path, "placebo", TROUGH)
    assert "the known drugs are: sorafenib" in finding.message


@pytest.mark.parametrize(
    ("drug", "predictor", "codes_found"),
    [
        ("placebo", AGE, []),
        ("placebo", MARKER, []),
        ("placebo", MARKER.replace('"sorafenib"', '"Placebo"'), ["unknown-drug"]),
        ("placebo", TROUGH.replace("trough", "clinic-visit"), ["unknown-drug"]),
        ("sorafenib", TROUGH.replace('"sorafenib"', '"Sorafenib"'), []),
        ("sorafenib", MARKER, []),
    ],
)
def test_an_unknown_drug_matters_where_its_level_is_asked_for(
    tmp_path: Path, drug: str, predictor: str, codes_found: list[str]
) -> None:
    findings = [f for f in about_predictor(tmp_path, drug, predictor) if f.code != "analyte-absent"]
    assert [f.code for f in findings] == codes_found


@pytest.mark.parametrize("metric", ["trough", "clinic-visit"])
def test_a_trough_of_something_else_than_the_drug_is_a_warning(tmp_path: Path, metric: str) -> None:
    path = write_study(
        tmp_path,
        question=QUESTION.replace('"sorafenib"', '"IL-2"').replace('"trough"', f'"{metric}"'),
        files={"measurements.csv": MEASUREMENTS.replace("sorafenib", "IL-2")},
    )
    (finding,) = check_study(load_study(path))
    assert (finding.severity, finding.code) == (Severity.WARNING, "drug-not-measured")
    assert finding.column == "question threshold predictor"
    assert "'IL-2' is not the study's drug (sorafenib)" in finding.message


def test_units_that_do_not_convert_are_one_warning_and_leave_the_other_questions(tmp_path: Path) -> None:
    """Three units in the data are one finding; a unit that does not exist stays an error."""
    rows = ["P1,28,sorafenib,2.0,ug/mL", "P2,28,sorafenib,2000,ng/mL", "P3,28,sorafenib,4.3,umol/L"]
    path = write_study(
        tmp_path,
        question=QUESTION.replace("ug/mL", "mmHg") + QUESTION.replace('"threshold"\nkind', '"other"\nkind'),
        files={"measurements.csv": table("patient,time,analyte,value,unit", rows)},
    )
    findings = [f for f in check_study(load_study(path)) if f.code == "unit-not-convertible"]
    assert [(f.severity, f.column) for f in findings] == [(Severity.WARNING, "question threshold predictor")]
    assert "sorafenib is measured in ng/mL and ug/mL and umol/L" in findings[0].message
    assert load_cohort(load_study(path)).patient_ids
    path.write_text(path.read_text(encoding="utf-8").replace("mmHg", "parrots"), encoding="utf-8")
    (error,) = check_study(load_study(path)).errors
    assert error.message == "'parrots' is no unit known here"


def test_many_bad_rows_are_listed_to_twenty(tmp_path: Path) -> None:
    rows = [f"P1,{i},sorafenib,-1,ug/mL,,," for i in range(70)]
    findings = found(tmp_path, measurements=rows)
    assert len(findings) == 21
    assert findings[-1].message.startswith("50 more rows")


def test_the_base_study_is_valid(tmp_path: Path) -> None:
    assert HEADER
    assert EVENTS
    assert list(check_study(load_study(write_study(tmp_path)))) == []
