"""The study file's mistakes: one line each, in plain words, at a place that a reader can find."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.small_study import COVARIATES, HEADER, QUESTION, TABLES, write_study
from troughline.cohort.studyfile import load_study
from troughline.issues import InputError

SURVIVAL = """
[[question]]
id = "survival"
kind = "survival"
predictor = { covariate = "age", bands = "median" }
outcome = { event = "progression" }
competing = "death"
"""


def told(folder: Path, old: str, new: str, text: str | None = None) -> list[tuple[str | None, str]]:
    """Place and message of each finding about a valid study file in which `old` became `new`."""
    text = text or HEADER + TABLES + COVARIATES + QUESTION
    assert old in text
    path = folder / "study.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError) as raised:
        load_study(path)
    assert raised.value.configuration
    return [(f.column, f.message) for f in raised.value.findings]


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        (
            'kind = "threshold"', 'kind = "treshold"', "question threshold kind",
            "unknown kind 'treshold'; did you mean 'threshold'?",
        ),
        (
            'kind = "threshold"', 'kind = "guess"', "question threshold kind",
            "unknown kind 'guess'; the kinds are: threshold, curve, window, survival, association, "
            "interaction, change",
        ),
        ('kind = "threshold"', "", "question threshold kind", "is needed and missing"),
        ('id = "threshold"\n', "", "question 1 id", "is needed and missing"),
        (
            'id = "threshold"', 'id = "My question"', "question 1 id",
            "'My question' must consist of lower-case letters, digits and hyphens, "
            "and not start with a hyphen",
        ),
        ("measurements =", "measurment =", "tables",
         "unknown table 'measurment'; did you mean 'measurements'?"),
        ("[covariates]", "[columns.event]\n[covariates]", "columns",
         "unknown table 'event'; did you mean 'events'?"),
        ("bootstrap", "bootstraps", "question threshold bootstraps",
         "unknown key; did you mean 'bootstrap'?"),
        ("predictor =", "predicter =", "question threshold predicter",
         "unknown key; did you mean 'predictor'?"),
        ("metric =", "metrik =", "question threshold predictor.metrik",
         "unknown key; did you mean 'metric'?"),
        ("[tables]", "[tabels]", "tabels", "unknown key; did you mean 'tables'?"),
        ("[[question]]", "[[questions]]", "questions", "unknown key; did you mean 'question'?"),
        ("age = { unit", "age = { unt", "covariates.age.unt", "unknown key; did you mean 'unit'?"),
        ("simulated = true", "colour = 1", "study.colour",
         "unknown key; the keys here are: title, drug, simulated, time, timezone, level, seed, description"),
        ("[[question]]", "[question]", "question", "is a single table: write [[question]], in two brackets"),
        (QUESTION, "", "question", "is needed and missing"),
        ("bootstrap = 200", "bootstrap = 3", "question threshold bootstrap", "must be at least 200, not 3"),
        ("bootstrap = 200", 'bootstrap = "many"', "question threshold bootstrap",
         "must be a whole number, not 'many'"),
        ("bootstrap = 200", 'at = [1.0, "x"]', "question threshold at", "item 2 must be a number, not 'x'"),
        ('metric = "trough"', 'bands = "medians"', "question threshold predictor.bands",
         "must be a list of numbers or one of median, tertiles, quartiles, optimal, not 'medians'; "
         "did you mean 'median'?"),
        ('metric = "trough"', 'bands = [1.0, "x"]', "question threshold predictor.bands",
         "must be a list of numbers or one of median, tertiles, quartiles, optimal, not the list [1.0, 'x']"),
        ('metric = "trough"', 'metric = "trogh"', "question threshold predictor.metric",
         "is 'trogh', and must be one of: trough, clinic-visit, level, auc, average, cmax; did you mean "
         "'trough'?"),
        ('grade = ">=3"', 'grade = ">=7"', "question threshold outcome.grade",
         "'>=7' is no grade rule: write '>=3', '>2', '<=1' or '=2'"),
        ('grade = ">=3"', "grade = 7", "question threshold outcome.grade", "must be at most 5, not 7"),
        ('grade = ">=3"', "grade = 2.5", "question threshold outcome.grade",
         "2.5 is no grade rule: write '>=3', '>2', '<=1' or '=2'"),
        ("simulated = true", 'simulated = "perhaps"', "study.simulated",
         "must be true or false, not 'perhaps'"),
        ('drug = "sorafenib"', "drug = 3", "study.drug", "must be text, not 3"),
        ("age = {", "age = 3 #", "covariates.age", "must be a table of keys, not 3"),
    ],
)  # fmt: skip
def test_one_mistake_is_one_plain_line(tmp_path: Path, old: str, new: str, place: str, message: str) -> None:
    assert told(tmp_path, old, new) == [(place, message)]


def test_a_list_of_questions_that_is_empty_asks_for_one(tmp_path: Path) -> None:
    empty = "question = []\n" + HEADER + TABLES
    assert told(tmp_path, "simulated = true", "", empty) == [
        ("question", "is empty: a study asks at least one [[question]]")
    ]


def test_two_mistakes_are_two_lines(tmp_path: Path) -> None:
    text = HEADER + TABLES + COVARIATES + QUESTION + SURVIVAL
    wrong = text.replace("bootstrap", "bootstraps")
    assert told(tmp_path, '"progression"', '"progression", xyz = 1', wrong) == [
        ("question threshold bootstraps", "unknown key; did you mean 'bootstrap'?"),
        (
            "question survival outcome.xyz",
            "unknown key; the keys here are: event, grade, term, within_days, response, or_stable_for_days, "
            "criterion, time, status, status_value, unit, column, equals",
        ),
    ]


def test_competing_events_need_the_events_table(tmp_path: Path) -> None:
    text = HEADER + TABLES + COVARIATES + SURVIVAL
    ((place, message),) = told(tmp_path, 'event = "progression"', 'time = "os", status = "dead"', text)
    assert place == "question survival"
    assert message.startswith("competing events are found in the events table")
    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8")
    assert load_study(path).question[0].kind == "survival"


def test_a_covariate_may_be_the_level_of_a_drug(tmp_path: Path) -> None:
    spec = 'age = { unit = "year" }\ntrough = { unit = "ug/mL", is_level_of = "sorafenib" }'
    study = load_study(write_study(tmp_path, covariates=f"\n[covariates]\n{spec}\n"))
    assert study.covariates["trough"].is_level_of == "sorafenib"
    assert study.covariates["age"].is_level_of is None


def test_the_level_of_a_drug_is_a_number(tmp_path: Path) -> None:
    assert told(tmp_path, '{ unit = "year" }', '{ levels = ["low", "high"], is_level_of = "sorafenib" }') == [
        ("covariates.age", "is_level_of goes with a unit: a measured level is a number")
    ]


def test_an_outcome_cannot_compete_with_itself(tmp_path: Path) -> None:
    found = told(
        tmp_path, 'competing = "death"', 'competing = "progression"', HEADER + TABLES + COVARIATES + SURVIVAL
    )
    assert [message for _, message in found] == [
        "progression cannot compete with itself: it is part of the outcome"
    ]
