"""Interaction questions that cannot be answered, through the command line: one sentence, the right status."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.system.run import troughline

N = 80
QUESTION = """
[[question]]
id = "marker"
kind = "interaction"
predictor = { covariate = "score" }
outcome = { event = "death" }
treated = "drug"
control = "placebo"
randomised = true
draws = 200
"""
STUDY = """
[study]
title = "Two arms and a marker"
simulated = true
[tables]
patients = "patients.csv"
events = "events.csv"
[covariates]
score = { unit = "1" }
"""
ARMS = ["drug" if i % 2 else "placebo" for i in range(N)]
SCORES = [f"{100 * 2**z:.1f}" for z in np.random.default_rng(1).standard_normal(N).tolist()]
DAYS = [int(t) for t in np.minimum(1 + np.random.default_rng(2).exponential(200, N).round(), 300).tolist()]
EVENTS = ["death" if day < 300 else "last contact" for day in DAYS]


def written(
    folder: Path,
    *,
    arms: list[str] = ARMS,
    scores: list[str] = SCORES,
    events: list[str] = EVENTS,
    question: str = QUESTION,
) -> Path:
    rows = [f"P{i},{arms[i]},{scores[i]}\n" for i in range(N)]
    (folder / "patients.csv").write_text("patient,arm,score\n" + "".join(rows), encoding="utf-8")
    rows = [f"P{i},{DAYS[i]},{events[i]}\n" for i in range(N)]
    (folder / "events.csv").write_text("patient,time,event\n" + "".join(rows), encoding="utf-8")
    (folder / "study.toml").write_text(STUDY + question, encoding="utf-8")
    return folder / "study.toml"


NOT_ANALYSABLE: dict[str, tuple[dict[str, list[str]], str]] = {
    "one arm": (
        {"arms": ["drug"] * N}, "control = 'placebo' is no arm of the patients table; its arms are: drug",
    ),
    "no arm": ({"arms": [""] * N}, "control = 'placebo' is no arm of the patients table; its arms are: none"),
    "an arm without events": (
        {"events": ["last contact" if a == "drug" else e for a, e in zip(ARMS, EVENTS, strict=True)]},
        "nobody in the arm drug had “death”",
    ),
    "no events": ({"events": ["last contact"] * N}, "no patient had “death”"),
    "constant marker": ({"scores": ["3"] * N}, "score is the same in every patient"),
    "marker missing in all": ({"scores": [""] * N}, "covariate 'score' is missing in every patient"),
    "marker missing in one arm": (
        {"scores": ["" if a == "drug" else s for a, s in zip(ARMS, SCORES, strict=True)]},
        "score is known in one of the two arms only",
    ),
    "group of one": (
        {"arms": ["drug", *["placebo"] * (N - 1)]},
        "one patient of the arm 'drug' has score and the endpoint",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NOT_ANALYSABLE)
def test_what_cannot_be_analysed_is_said_in_one_sentence_and_the_report_is_there(
    case: str, tmp_path: Path
) -> None:
    """Status 2: nothing was answered. `check` finds no fault in the files themselves."""
    changes, words = NOT_ANALYSABLE[case]
    study = written(
        tmp_path, arms=changes.get("arms", ARMS), scores=changes.get("scores", SCORES),
        events=changes.get("events", EVENTS),
    )  # fmt: skip
    done = troughline("study", study, "--out", tmp_path / "out")
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert "Warning" not in done.stderr
    (question,) = json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))["questions"]
    assert question["verdict"] == "not analysable"
    assert words in question["summary"]
    assert "\n" not in question["summary"]


BAD_QUESTION = {
    "the same arm twice": ('control = "placebo"', 'control = "drug"', "control and treated are both 'drug'"),
    "flexibility": ("draws = 200", "flexibility = 5", "is 5, and must be one of: 1, 2, 3, 4"),
    "too few draws": ("draws = 200", "draws = 10", "draws: must be at least 200, not 10"),
    "an unknown key": ("draws = 200", "permutations = 200", "permutations: unknown key"),
    "an unknown marker": ('"score" }', '"scor" }', "'scor' is not declared under [covariates]"),
    "over time": ("draws = 200", 'over_time = "joint"', "over_time follows a measured marker"),
}


@pytest.mark.parametrize("case", BAD_QUESTION)
def test_a_question_that_is_wrong_is_refused_by_study_and_check_alike(case: str, tmp_path: Path) -> None:
    """Status 3, one line `error:`, nothing written."""
    old, new, words = BAD_QUESTION[case]
    study = written(tmp_path, question=QUESTION.replace(old, new))
    for arguments in (("check", study), ("study", study, "--out", tmp_path / "out")):
        done = troughline(*arguments)
        assert done.returncode == 3, done.stderr
        errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1
        assert words in errors[0]
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_marker_that_is_no_number_is_named_with_its_row(tmp_path: Path) -> None:
    """Status 4: unreadable input."""
    study = written(tmp_path, scores=["high", *SCORES[1:]])
    for arguments in (("check", study), ("study", study, "--out", tmp_path / "out")):
        done = troughline(*arguments)
        assert done.returncode == 4
        assert "patients.csv row 2 column score: 'high' is not a number" in done.stderr


def test_of_three_arms_the_two_named_are_compared_and_with_one_named_it_asks_for_the_other(
    tmp_path: Path,
) -> None:
    arms = [("drug", "placebo", "other")[i % 3] for i in range(N)]
    for name, question, status in (
        ("both", QUESTION, 0),
        ("one", QUESTION.replace('treated = "drug"\n', ""), 2),
    ):
        (tmp_path / name).mkdir()
        study = written(tmp_path / name, arms=arms, question=question)
        done = troughline("study", study, "--out", tmp_path / name / "out")
        assert done.returncode == status, done.stderr
        text = (tmp_path / name / "out" / "results.json").read_text("utf-8")
        (found,) = json.loads(text)["questions"]
        if status == 0:
            ratio = next(e for e in found["estimates"] if e["name"] == "interaction_ratio")
            assert ratio["n"] == sum(a != "other" for a in arms)
        else:
            assert "the arms beside 'placebo' are drug, other: name one (treated = ...)" in found["summary"]


def test_one_arm_alone_gives_the_prognostic_answer_and_is_refused_the_word(tmp_path: Path) -> None:
    question = QUESTION.replace('control = "placebo"\n', "").replace('treated = "drug"\n', "")
    study = written(tmp_path, arms=["drug"] * N, question=question)
    done = troughline("study", study, "--out", tmp_path / "out")
    assert done.returncode == 2
    (found,) = json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))["questions"]
    assert found["verdict"] == "refused"
    assert "cannot be said without a control arm" in found["summary"]
