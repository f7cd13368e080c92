"""Bad input of questions about markers, as a user meets it: one line a mistake, the right exit status.

Many mistakes share a process: everything wrong with a study is reported together, and a question that cannot
be answered never stops the others.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.small_study import table
from tests.system.run import troughline

N = 16
HEADER = "patient,time,analyte,value,unit,below_limit,limit,occasion"
STUDY = '[study]\ntitle = "Markers"\n[tables]\npatients = "patients.csv"\nmeasurements = "measurements.csv"\n'
COVARIATES = """[covariates]
stage = { levels = ["0", "A", "B"], ordered = true }
alone = { levels = ["one", "many"] }
size = { unit = "cm" }
flat = { unit = "1" }
"""


def patients() -> str:
    rows = [
        f"P{i},{'0AB'[i % 3]},{'one' if i == 0 else 'many'},{2 + i % 7},1,{30 + 20 * i},0,no"
        for i in range(N)
    ]
    return table("patient,stage,alone,size,flat,days,died,ill", rows)


def pairs(analyte: str, before: str, after: str, who: range = range(N)) -> list[str]:
    """`before` and `after` as `value,unit,below,limit`; `{i}` is the number of the patient."""
    return [
        line
        for i in who
        for line in (f"P{i},0,{analyte},{before.format(i=5 + i)},before",
                     f"P{i},28,{analyte},{after.format(i=8 + i + i % 3)},after")
    ]  # fmt: skip


ROWS = [
    *pairs("good", "{i},pg/mL,0,1", "{i},pg/mL,0,1"),
    *pairs("never", "<0.5,pg/mL,,", "<0.5,pg/mL,,"),
    *pairs("over", ">90,pg/mL,,", ">90,pg/mL,,"),
    *pairs("constant", "4,pg/mL,0,1", "4,pg/mL,0,1"),
    *[r for r in pairs("once", "{i},pg/mL,0,1", "{i},pg/mL,0,1") if r.endswith("before")],
    *[
        r
        for r in pairs("unpaired", "{i},pg/mL,0,1", "{i},pg/mL,0,1")
        if r.endswith("before") == (int(r.split(",")[0][1:]) % 2 == 0)
    ],
    *pairs("two", "{i},pg/mL,0,1", "{i},pg/mL,0,1", range(2)),
    *pairs("under", "{i},pg/mL,0,99", "{i},pg/mL,0,1"),
    *pairs("doubled", "{i},pg/mL,0,1", "{i},pg/mL,0,1"),
    *pairs("doubled", "{i},pg/mL,0,1", "{i},pg/mL,0,1")[:2],
]


def change(identity: str, analyte: str, more: str = "") -> str:
    return (
        f'[[question]]\nid = "{identity}"\nkind = "change"\n'
        f'markers = [{{ analyte = "{analyte}", unit = "pg/mL" }}]\n'
        f'occasions = ["before", "after"]\npermutations = 999\n{more}\n'
    )


def association(identity: str, marker: str, characteristics: str = '["stage"]') -> str:
    return (
        f'[[question]]\nid = "{identity}"\nkind = "association"\nmarkers = {marker}\n'
        f"characteristics = {characteristics}\npermutations = 999\n"
    )


def write(folder: Path, questions: str, *, rows: list[str] | None = None, people: str | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "patients.csv").write_text(people or patients(), encoding="utf-8")
    (folder / "measurements.csv").write_text(table(HEADER, ROWS if rows is None else rows), encoding="utf-8")
    path = folder / "study.toml"
    path.write_text(f"{STUDY}{COVARIATES}{questions}", encoding="utf-8")
    return path


NO_EVENTS = 'outcome = { time = "days", status = "died" }'
ONE_COLUMN = 'outcome = { column = "ill", equals = "yes" }'
UNANSWERED = {
    "never": (change("never", "never"), "never is not analysable: all 32 levels lie below the limit"),
    "over": (change("over", "over"), "all 32 levels lie above the upper limit of quantification"),
    "constant": (change("constant", "constant"), "it is the same (4) in every sample"),
    "once": (change("once", "once"), "it was measured at one occasion only (“before”)"),
    "unpaired": (change("unpaired", "unpaired"), "no patient has a level at both occasions by one assay"),
    "absent": (change("absent", "absent"), "no measurement of 'absent'"),
    "late": (change("late", "good").replace('"after"', '"week 4"'), "measured at one occasion only"),
    "stage-never": (
        association("stage-never", '[{ analyte = "never", unit = "pg/mL" }]'),
        "never above 0.50 pg/mL in 16 samples of 16 patients; at most 17.1 %",
    ),
    "stage-two": (
        association("stage-two", '[{ analyte = "two", unit = "pg/mL" }]'),
        "2 patients have both two and Stage; 5 are needed",
    ),
    "stage-flat": (association("stage-flat", '[{ covariate = "flat" }]'), "Flat does not vary in 16"),
    "stage-absent": (
        association("stage-absent", '[{ analyte = "absent", unit = "pg/mL" }]'), "no measurement of 'absent'",
    ),
}  # fmt: skip
ANSWERED = {
    "good": (change("good", "good"), "shows a change"),
    "alone": (change("alone", "good", 'group = "alone"'), "Not tested: good, one: one pair"),
    "two": (change("two", "two"), "none shows a change"),
    "under": (change("under", "under"), "Of 1 test"),
    "doubled": (change("doubled", "doubled"), "shows a change"),
    "no-events": (change("no-events", "good", NO_EVENTS), "not computed; the table says why"),
    "nobody-ill": (change("nobody-ill", "good", ONE_COLUMN), "not computed; the table says why"),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, dict[str, Any]]:
    """Every question that can be read, in one process."""
    folder = tmp_path_factory.mktemp("markers")
    path = write(folder, "".join(q for q, _ in (UNANSWERED | ANSWERED).values()))
    done = troughline("study", path, "--out", folder / "out")
    results = json.loads((folder / "out" / "results.json").read_text(encoding="utf-8"))
    return done, results


def test_the_others_are_answered_and_the_status_says_that_some_were_not(whole: tuple[Any, Any]) -> None:
    done, results = whole
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    verdicts = {q["id"]: q["verdict"] for q in results["questions"]}
    assert {k for k, v in verdicts.items() if v == "not analysable"} == set(UNANSWERED)


@pytest.mark.parametrize("identity", [*UNANSWERED, *ANSWERED])
def test_each_question_says_in_one_line_what_is_wrong(whole: tuple[Any, Any], identity: str) -> None:
    question = next(q for q in whole[1]["questions"] if q["id"] == identity)
    says = (UNANSWERED | ANSWERED)[identity][1]
    assert says in question["summary"], question["summary"]
    assert "\n" not in question["summary"]


def test_why_no_outcome_was_computed_stands_in_the_table(whole: tuple[Any, Any]) -> None:
    questions = {q["id"]: q for q in whole[1]["questions"]}
    row = questions["no-events"]["tables"]["change-and-outcome"][0]
    assert "0 events after the second sample; at least 3 are needed" in row["not computed"]
    assert row["change_p"] is None
    row = questions["nobody-ill"]["tables"]["change-and-outcome"][0]
    assert "0 patients with the rarer outcome" in row["not computed"]


def test_limits_above_values_and_double_samples_are_found_with_their_rows(whole: tuple[Any, Any]) -> None:
    issues = {i["code"]: i for i in whole[1]["issues"]}
    assert "is under the limit 99" in issues["value-below-limit"]["message"]
    assert "same patient, time, analyte and assay as row" in issues["duplicate-measurement"]["message"]
    assert issues["duplicate-measurement"]["row"] is not None
    assert "has no row of 'absent'" in issues["analyte-absent"]["message"]
    assert "has no row of occasion 'week 4'" in issues["occasion-absent"]["message"]


def lines(done: Any) -> list[str]:
    assert "Traceback" not in done.stderr, done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith("error: ")]


BAD_ROWS = {
    "P0,0,good,5,pg/mL,1,,before": "below_limit is 1 and no limit is given",
    "P1,0,good,,pg/mL,0,1,before": "holds neither a value nor",
    "P2,0,good,5,pg/mL,1,1,before": "5 is above the limit 1, and below_limit is 1",
    "P99,0,good,5,pg/mL,0,1,before": "patient 'P99' is not in patients.csv",
    "P3,0,good,-5,pg/mL,0,1,before": "-5 pg/mL is negative",
    "P4,0,good,5,pg/mL,0,-1,before": "-1 is not allowed: it must be above 0",
    "P5,0,good,5,spoons,0,1,before": "'spoons' is no unit known here",
    "P6,0,good,<<5,pg/mL,,,before": "'<5' is not a number",
}


def test_wrong_cells_are_one_line_each_with_row_and_column(tmp_path: Path) -> None:
    """All in one table: `check` and `study` end with 4, and nothing is written."""
    path = write(tmp_path, change("good", "good"), rows=list(BAD_ROWS))
    for done in (troughline("check", path), troughline("study", path, "--out", tmp_path / "out")):
        found = lines(done)
        assert done.returncode == 4, done.stderr
        for row, says in enumerate(BAD_ROWS.values(), start=2):
            own = [line for line in found if f"measurements.csv row {row} " in line]
            assert any(says in line for line in own), (says, found)
    assert not (tmp_path / "out").exists()


def test_an_unknown_group_of_a_patient_is_one_line(tmp_path: Path) -> None:
    people = patients().replace("P3,0,", "P3,Z,").replace("P4,A,", "P4,Y,")
    done = troughline("check", write(tmp_path, change("good", "good", 'group = "stage"'), people=people))
    assert done.returncode == 4
    assert any("patients.csv row 5 column stage: 'Z' is none of: 0, A, B" in e for e in lines(done))


WRONG = {
    "group": (change("group", "good", 'group = "centre"'), "'centre' is not declared under [covariates]"),
    "number": (change("number", "good", 'group = "size"'), "'size' is a number: a group needs levels"),
    "dose": (
        change("dose", "good", 'group = "stage"\ndose = "alone"'), "'alone' is a category: a dose is",
    ),
    "unit": (change("unit", "good").replace('"pg/mL"', '"spoon"'), "'spoon' is no unit known here"),
    "events": (change("events", "good", 'outcome = { event = "death" }'), "give tables.events"),
    "printed": (change("printed", "good", 'published = "nagai-204"'), "did you mean 'nagai-201"),
    "stage-unknown": (
        association("stage-unknown", '[{ covariate = "size" }]', '["grade"]'), "'grade' is not declared",
    ),
    "stage-printed": (
        association("stage-printed", '[{ covariate = "size" }]').replace("kind", 'published = "huy"\nkind'),
        "no study 'huy' is on file",
    ),
}  # fmt: skip


def test_wrong_questions_are_one_line_each_in_one_run(tmp_path: Path) -> None:
    path = write(tmp_path, "".join(q for q, _ in WRONG.values()))
    for done in (troughline("check", path), troughline("study", path, "--out", tmp_path / "out")):
        found = lines(done)
        assert done.returncode == 3, done.stderr
        for identity, (_, says) in WRONG.items():
            own = [line for line in found if f"question {identity} " in line]
            assert len(own) == 1, (identity, found)
            assert says in own[0]
    assert not (tmp_path / "out").exists()
