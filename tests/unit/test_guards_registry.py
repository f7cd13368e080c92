"""The registry of guards: complete, checked by kind, and every guard with a test of both sides."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from benchmarks.cohorts import CLEAN_QUESTIONS, TRAPS, clean_cohort, cohort_with_trap, judge

from troughline.response.guards import REGISTRY
from troughline.response.guards.registry import QUESTION_KINDS, Fired, Guard, guard
from troughline.results import GuardSeverity

TESTS = sorted(Path(__file__).parent.glob("test_guards_*.py"))
# No cohort of a sensible size makes the sampler fail; its test makes the sampler's demands unreachable.
WITHOUT_COHORT = {"poor-posterior"}


def _test_names() -> set[str]:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in TESTS]
    return {node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("guard_id", REGISTRY)
@pytest.mark.parametrize("side", ["fires", "is_silent"])
def test_every_guard_has_a_test_with_its_trap_and_one_without(guard_id: str, side: str) -> None:
    start = f"test_{guard_id.replace('-', '_')}_{side}"
    assert any(name.startswith(start) for name in _test_names()), f"no test is named {start}…"


def test_every_guard_has_a_simulated_trap() -> None:
    assert set(TRAPS) == set(REGISTRY) - WITHOUT_COHORT


@pytest.mark.parametrize("entry", REGISTRY.values(), ids=lambda g: g.id)
def test_a_guard_says_what_it_detects_when_it_is_silent_and_what_to_do(entry: Guard) -> None:
    for words in (entry.title, entry.detects, entry.absent, entry.remedy, entry.reference):
        assert words.strip()
    assert set(entry.kinds) <= set(QUESTION_KINDS)


def test_an_id_is_registered_once() -> None:
    register = guard(
        "optimal-cutpoint", title="t", detects="d", absent="a", remedy="r", reference="f",
        severity=GuardSeverity.NOTE,
    )  # fmt: skip
    with pytest.raises(ValueError, match="guard 'optimal-cutpoint' is registered twice"):
        register(lambda case: Fired(finding="never"))


@pytest.mark.parametrize("kind", CLEAN_QUESTIONS)
def test_a_cohort_without_traps_is_answered_without_reservation(kind: str) -> None:
    """A threshold is a dichotomy by nature, which is a note and not a reservation."""
    result, _ = judge(clean_cohort(74, np.random.default_rng(11), kind))
    expected = {"dichotomised-predictor"} if kind == "threshold" else set[str]()
    assert {g.id for g in result.guards} == expected
    assert result.verdict == "answered"


@pytest.mark.parametrize("guard_id", sorted(set(TRAPS) - {"incoherent-window", "wide-window"}))
def test_a_trap_wakes_its_guard_and_none_that_has_another_trap(guard_id: str) -> None:
    """Companions belong to the trap: patients who died before a landmark or a sample are missing."""
    result, _ = judge(cohort_with_trap(guard_id, 74, np.random.default_rng(3)))
    found = {g.id: g for g in result.guards}
    companions = {"dichotomised-predictor"}
    if guard_id in ("immortal-time", "survivor-only"):
        companions |= {"missing-data"}
    if guard_id == "immortal-change":
        # Who died before the second sample has none.
        companions |= {"unpaired-samples"}
    if guard_id == "model-misfit":
        # Levels that the model did not expect leave the exposure it predicts more uncertain.
        companions |= {"model-exposure"}
    assert guard_id in found
    assert set(found) <= {guard_id} | companions
    entry, one = REGISTRY[guard_id], found[guard_id]
    assert (one.remedy, one.reference) == (entry.remedy, entry.reference)
    assert one.finding.rstrip().endswith(".")
    assert one.finding[0].isupper() or one.finding[0].isdigit()


def test_a_simulated_cohort_has_the_frames_that_reading_it_from_files_gives(tmp_path: Path) -> None:
    """Written as CSV and read by `load_cohort`: same columns, types and cells."""
    import pandas as pd
    from benchmarks.cohorts import reduced_cohort

    from troughline.cohort.load import load_cohort
    from troughline.cohort.studyfile import Study

    made = reduced_cohort(20, np.random.default_rng(5), early_sample=True)
    made.patients.drop(columns="row").to_csv(tmp_path / "patients.csv")
    names = {"day": "time", "amount_mg": "amount"}
    for table in ("doses", "measurements", "events"):
        frame = getattr(made, table).drop(columns="row").rename(columns=names)
        if table == "doses":
            frame["unit"] = "mg"
            frame["steady_state"] = frame["steady_state"].astype(int)
        if table == "measurements":
            frame["below_limit"] = frame["below_limit"].astype(int)
        frame.to_csv(tmp_path / f"{table}.csv", index=False)
    study = Study.model_validate(
        {**made.study.model_dump(mode="json", exclude_none=True), "path": tmp_path / "study.toml"}
    )
    read = load_cohort(study)
    for table in ("patients", "doses", "measurements", "events"):
        ours, theirs = getattr(made, table), getattr(read, table)
        pd.testing.assert_frame_equal(ours, theirs[ours.columns], check_exact=False, rtol=1e-12)
        assert set(theirs.columns) - set(ours.columns) <= {"group", "arm"}
