"""Dosing policies as arms of a trial: what is refused, that the rules act, and that nothing else changes."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pytest

from troughline.dosing.policy.course import Course
from troughline.dosing.policy.doses import course_records
from troughline.dosing.policy.population import covariate_matrix
from troughline.mechanism.heldout import without_limits
from troughline.mechanism.population import draw_patients
from troughline.mechanism.treatment import Arm as MechanismArm
from troughline.mechanism.treatment import DoseLevel
from troughline.trial import dosed
from troughline.trial.cells import Cell, run_cell, the_runner
from troughline.trial.dosed import run_dosed, virtual_patients
from troughline.trial.policies import policy_setup
from troughline.trial.run import cells_of, match_scales
from troughline.trial.setup import Setup, setup_of

DOSING: dict[str, Any] = {
    "visits": {"days": [14, 28, 56, 84]},
    "samples": {"error": "assay", "cv": 0.1, "limit": 0.05},
    "target": {"published": "noda-2020/window"},
    "treatment": {
        "start": "400-bid", "regimens": ["400-qod", "200-qd", "400-qd", "200-bid", "400-200", "400-bid"],
    },
}  # fmt: skip


def trial(*policies: dict[str, Any] | None, n: int = 60, **changes: Any) -> dict[str, Any]:
    """A trial file with an arm for each policy; None is sorafenib by the label without a policy."""
    arms = [
        {"id": f"a{k}", "n": n} | ({} if policy is None else {"policy": policy})
        for k, policy in enumerate(policies)
    ]
    header = {"title": "t", "replicates": 1, "horizon_months": 6, "patients": "same"}
    whole = {"trial": header, "model": {"reading": "Kd", "sets": "best"}, "dosing": DOSING, "arm": arms}
    return {k: v for k, v in {**whole, **changes}.items() if v is not None}


def checked(*policies: dict[str, Any] | None, **changes: Any) -> Setup:
    """The setup of such a file, which has no fault."""
    setup, found = setup_of(trial(*policies, **changes), name="t.toml")
    assert setup is not None, [f.line() for f in found]
    return setup


def cells(setup: Setup) -> list[Cell]:
    """The cells of a trial."""
    return list(cells_of(setup, match_scales(setup, workers=1)))


def _dosing(**changes: Any) -> dict[str, Any]:
    return {**DOSING, **changes}


@pytest.mark.parametrize(
    ("changes", "place", "words"),
    [
        ({"arm": [{"id": "a", "n": 9, "policy": {"kind": "guess"}}]}, "arm.1.policy.kind", "threshold"),
        ({"dosing": None}, "dosing", r"visits, target and regimens in \[dosing\]"),
        ({"dosing": _dosing(target={"metric": "trough"})}, "dosing.target", "give one target"),
        ({"dosing": _dosing(target={"low": 1.4})}, "dosing.target", "unit and their source"),
        ({"dosing": _dosing(target={"published": "noda-2020/nothing"})}, "dosing.target", "no number"),
        ({"dosing": _dosing(visits={"days": [14, 200]})}, "dosing.visits.days", "past the horizon"),
        ({"dosing": _dosing(visits={"days": [28, 14]})}, "dosing.visits", "must rise"),
        ({"dosing": _dosing(samples={"hours_after_dose": 3})}, "dosing.samples", "before the dose"),
        ({"dosing": _dosing(treatment={"start": "900-bid", "regimens": ["400-bid"]})},
         "dosing.treatment.start", "no regimen of sorafenib"),
        ({"dosing": _dosing(assumed={"model": "sorafenib/nobody"})}, "dosing.assumed.model", "no model"),
        ({"arm": [{"id": "a", "n": 9, "sorafenib": "none", "policy": {"kind": "label"}}]}, "arm.1",
         "no dose that a policy could change"),
        ({"arm": [{"id": "a", "n": 9, "sorafenib": {"dose_mg": 200}, "policy": {"kind": "label"}}]},
         "arm.1", "the policy has its own start"),
        ({"arm": [{"id": "a", "n": 9, "toxicity": "stop", "policy": {"kind": "label"}}]}, "arm.1",
         "policy.toxicity"),
        ({"arm": [{"id": "a", "n": 9, "policy": {"kind": "threshold", "first_visit": 9}}]},
         "arm.1.policy.first_visit", "there are 4 visits"),
        ({"sensitivity": {"arm": "a0", "control": "a1"}}, "sensitivity.arm", "has a policy"),
    ],
)  # fmt: skip
def test_what_a_trial_cannot_do_is_said_in_one_line_with_its_key(
    changes: dict[str, Any], place: str, words: str
) -> None:
    setup, found = setup_of(trial({"kind": "threshold"}, **changes), name="t.toml")
    lines = [f for f in found.errors if re.search(words, f.message)]
    assert setup is None
    assert lines, [f.line() for f in found]
    assert (lines[0].column or "").startswith(place)
    assert "\n" not in lines[0].message


def test_a_comparison_with_an_arm_without_occasions_is_warned_of() -> None:
    """Sorafenib without a policy has no variability between occasions: not a fair control."""
    _, found = setup_of(trial(None, {"kind": "threshold"}), name="t.toml")
    assert [f.code for f in found if f.severity.value == "warning"] == ["no-occasions"]
    _, found = setup_of(trial({"kind": "label"}, {"kind": "threshold"}), name="t.toml")
    assert not [f for f in found if f.severity.value == "warning"]
    assert not list(found)
    _, found = setup_of(trial(None), name="t.toml")
    assert [f.code for f in found] == ["dosing-unused"]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"second": [{"drug": "erlotinib"}]},
        {"second_line": {"second": [{"drug": "regorafenib"}]}, "stop_at_progression": 1.0},
    ],
    ids=["alone", "with a second drug", "with a second line"],
)
def test_the_label_as_a_policy_is_the_label_as_an_arm(more: dict[str, Any]) -> None:
    """Without occasions the policy `label` gives the bits of the arm `label` whose steps end on its days.

    But for who had a toxicity at noon (the hold begins the next morning) and who came to 400 mg every other
    day (the first dose after the hold is on its first morning).
    """
    arm = {"id": "a", "n": 200, "policy": {"kind": "label"}, **more}
    setup = checked(dosing=_dosing(between_occasions=0), arm=[arm])
    (cell,) = cells(setup)
    runner = the_runner()
    patients = draw_patients(
        runner.mechanism, runner.kinetics, cell.population, n=200, seed=cell.seed, sd=cell.chosen.sd,
        values=cell.chosen.values,
    )  # fmt: skip
    courses, made = run_dosed(runner, cell, patients)
    pauses = {float(d + k) for d in (14, 28, 56, 84) for k in (0, 1)}
    days = sorted({*cell.marker_days, *pauses})
    plain = runner.run(patients, cell.arm, cell.protocol, values=cell.values, sample_days=days, threads=1)
    whole = np.isnan(plain.limiting_day) | (plain.limiting_day == np.round(plain.limiting_day))
    alike = whole & (plain.reductions < 2)
    assert alike.sum() > (60 if "second" in more else 100)  # erlotinib's toxicity reduces more of them
    assert (plain.reductions[alike] > 0).sum() > 20
    if "second_line" in more:
        assert np.isfinite(plain.next_line_day[alike]).sum() > 20
    for name in ("death_day", "progression_day", "dose_mg", "severe_day", "stop_day", "seen", "reductions",
                 "next_line_day"):  # fmt: skip
        assert np.array_equal(getattr(courses, name)[alike], getattr(plain, name)[alike], equal_nan=True)
    assert made.columns["samples"].sum() == 0
    assert made.columns["raised"].sum() == made.columns["lowered"].sum() == 0
    taken = made.columns["first_line_mg"]
    # The loop counts the doses of the whole step in which a patient dies, at most 3.5 days.
    np.testing.assert_allclose(taken[alike], courses.dose_mg[alike], atol=3.5 * 800.0)


def test_an_arm_without_a_policy_is_untouched_by_one_beside_it() -> None:
    """The plain label arm gives the same bits with and without a policy in the trial."""
    alone = run_cell(cells(checked(None, n=80, dosing=None))[0])
    beside = run_cell(cells(checked(None, {"kind": "threshold"}, n=80))[0])
    for name, values in alone.columns.items():
        assert np.array_equal(values, beside.columns[name], equal_nan=values.dtype.kind == "f")
    assert np.isnan(np.asarray(beside.columns["samples"], dtype=np.float64)).all()
    assert beside.dosing_sums is None


def _run(policy: dict[str, Any], **changes: Any) -> dict[str, np.ndarray[Any, Any]]:
    setup = checked(policy, n=150, **changes)
    return {k: np.asarray(v) for k, v in run_cell(cells(setup)[0]).columns.items()}


def test_a_threshold_policy_brings_more_days_inside_by_changing_doses() -> None:
    """Against the label in the same patients: more days inside, fewer above, samples drawn, doses changed."""
    label, guided = _run({"kind": "label"}), _run({"kind": "threshold"})
    assert guided["lowered"].sum() > 50
    assert guided["raised"].sum() > 0
    assert 0 < guided["samples"].max() <= 4
    for made in (label, guided):
        days = made["inside_days"] + made["below_days"] + made["above_days"]
        assert np.array_equal(days, made["counted_days"])

    def share(made: dict[str, np.ndarray[Any, Any]], name: str) -> float:
        return float(made[name].sum() / made["counted_days"].sum())

    assert share(guided, "inside_days") > share(label, "inside_days") + 0.05
    assert share(guided, "above_days") < share(label, "above_days") - 0.05
    assert guided["first_line_mg"].sum() < 0.9 * label["first_line_mg"].sum()


def test_the_changed_dose_drives_tumour_and_toxicity() -> None:
    """Lowered far (to 200 mg every other day's worth) tumours grow faster and fewer have severe toxicity."""
    low = {"low": 0.05, "high": 0.1, "unit": "ug/mL", "source": "a test"}
    label = _run({"kind": "label"})
    starved = _run({"kind": "threshold"}, dosing=_dosing(target=low))
    assert np.nanmean(starved["growth"]) > np.nanmean(label["growth"]) + 0.01
    assert np.isfinite(starved["limiting_day"]).sum() < np.isfinite(label["limiting_day"]).sum()


def test_a_model_policy_uses_its_own_model() -> None:
    """The true model keeps more days inside than one that is wrong; known parameters at least as many."""
    wrong = {"model": "sorafenib/hcc", "parameters": {"CL_pop": {"times": 0.4}, "fall": {"value": 0.206}}}
    dosing = _dosing(assumed=wrong, samples={"error": "assay", "cv": 0.5, "limit": 0.05})
    made = [
        _run(p, dosing=dosing)
        for p in ({"kind": "model"}, {"kind": "model", "assumes": "truth"}, {"kind": "known"})
    ]
    assumed, true, known = (float(m["inside_days"].sum() / m["counted_days"].sum()) for m in made)
    assert true > assumed
    assert known > true
    assert made[0]["samples"].sum() > 0
    assert made[2]["samples"].sum() == 0


def test_levels_are_those_of_the_kinetics_with_a_new_occasion_after_each_visit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Dose after dose by the engine of `model/`, with the same effects by occasion: mornings to 1e-6."""
    setup = checked({"kind": "fixed", "toxicity": "hold"}, n=30)
    (cell,) = cells(setup)
    runner = the_runner()
    patients = draw_patients(
        runner.mechanism, runner.kinetics, cell.population, n=30, seed=cell.seed, sd=cell.chosen.sd,
        values=cell.chosen.values,
    )  # fmt: skip
    # Without toxicity, progression, death: only the levels are looked at.
    free = without_limits(patients)
    arm = MechanismArm(
        name="fixed", levels=(DoseLevel(dose_mg=400.0),), stop_at_progression=0.0, liver_stop=1e6
    )
    kept: list[Course] = []
    original = dosed._dosed  # pyright: ignore[reportPrivateUsage]

    def keep(course: Course, end: Any) -> Any:
        kept.append(course)
        return original(course, end)

    monkeypatch.setattr(dosed, "_dosed", keep)
    run_dosed(runner, dataclasses.replace(cell, arm=arm), free)
    course, resolved = kept[0], policy_setup(cell.policy or "")
    virtual = virtual_patients(runner, free, resolved)
    assert np.std(virtual.occasion) == pytest.approx(0.0482**0.5, rel=0.25)
    days = np.array([14, 28, 29, 60, 90])
    records, places = course_records(
        virtual.names, course.amounts, 24.0 * 100, np.tile(24.0 * days, (30, 1)),
        visit_days=resolved.file.visits.days,
        covariates=covariate_matrix(virtual, resolved.truth, resolved), output=resolved.truth.output,
    )  # fmt: skip
    effects = np.hstack([virtual.subject, virtual.occasion.reshape(30, -1)])
    exact = resolved.truth.model.predict(records, theta=resolved.truth.theta, effects=effects).value[places]
    on = course.day_regimen[:, 90] >= 0
    assert on.sum() > 20
    np.testing.assert_allclose(course.morning[on][:, days], exact[on], rtol=1e-6)
