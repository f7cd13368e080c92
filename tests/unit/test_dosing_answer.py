"""The answer for a patient: against enumeration, its probabilities, its explanations, over several dates."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.dose_sample import sample_patient, table
from troughline.dosing.belief import Belief, Working, believe, working_models
from troughline.dosing.candidates import drug_regimens
from troughline.dosing.contents import contents_of
from troughline.dosing.dose import dose, dose_file
from troughline.dosing.drift import ALPHA, drift_of
from troughline.dosing.forecast import forecasts, next_dose_h
from troughline.dosing.limits import Limits
from troughline.dosing.many import dose_many
from troughline.dosing.model_choice import choose_models
from troughline.dosing.patient import DosePatient, Level
from troughline.dosing.patient_file import load_patient
from troughline.dosing.patient_schema import TargetEntry
from troughline.dosing.records import patient_records
from troughline.dosing.result import DoseResult
from troughline.dosing.sentence import probability_in_words
from troughline.issues import Findings, InputError
from troughline.model.build import DoseEvent, PatientRecord, Sample, records_from
from troughline.pk.exposure import ExposureQuery, exposure_draws
from troughline.pk.individual import estimate_individuals
from troughline.pk.posterior import PosteriorOptions, draw_posterior, generator_of

EXAMPLES = Path(str(files("troughline") / "examples" / "dose"))
LEVEL = Level(
    number=1, time_h=0.0, value=1.0, limit=None, written=1.0, unit="mg/L", method="", occasion=None, use=True
)  # fmt: skip
FEW = {"regimens": ["400-bid", "400-qd", "200-qd"], "next_sample": False}


@pytest.fixture(scope="module")
def example() -> DoseResult:
    """The answer of the first example."""
    return dose_file(EXAMPLES / "patient.toml")


def belief_of(patient: DosePatient, *, draws: int = 1000, uncertain: bool = True) -> tuple[Belief, Working]:
    """The belief about a patient under his model."""
    working = working_models(choose_models(patient, Findings()), parameter_uncertainty=uncertain)
    return believe(patient, working, draws=draws, seed=1), working[0]


# Against enumeration


@pytest.mark.slow
def test_the_recommendation_is_that_of_an_exhaustive_enumeration() -> None:
    """6,000 draws from 4,000 points, every dose of history and future written out by hand, no shortcut."""
    patient = sample_patient(options=FEW)
    result = dose(patient)
    _, working = belief_of(patient)
    model, spec = working.model, working.model.spec
    n = 6000
    p_in: dict[str, float] = {}
    history = [
        DoseEvent(time_h=12.0 * k, amount_mg=400.0, occasion=0 if 12.0 * k <= 335.52 else 1)
        for k in range(58)
    ]
    levels = [
        Sample(time_h=335.52, value=6.6, occasion=0), Sample(time_h=671.52, value=6.1, occasion=1),
    ]  # fmt: skip
    covariates = {"weight": 70.0, "child_pugh_class": "A", "treated_before": 0.0}

    def records(doses: list[DoseEvent]) -> Any:
        return records_from(
            [PatientRecord(patient="other", doses=doses, samples=levels, covariates=covariates)], spec
        )

    own = records(history)
    options = PosteriorOptions(draws=n, proposals=4000, most_proposals=8000, new_occasions=1, seed=5)
    posterior = draw_posterior(model, own, estimate_individuals(model, own), options=options)
    for identifier, amount, interval in (("400-bid", 400, 12), ("400-qd", 400, 24), ("200-qd", 200, 24)):
        end = 696.0 + 28 * 24
        ahead = [
            DoseEvent(time_h=696.0 + interval * k, amount_mg=amount, occasion=2) for k in range(28 * 24 //
            interval)
        ]  # fmt: skip
        trough = exposure_draws(
            model,
            records([*history, *ahead]),
            0,
            posterior.draws[0],
            [ExposureQuery(quantity="trough", end=end)],
        )[:, 0]
        p_in[identifier] = float(np.mean((trough >= 1.4) & (trough <= 3.45)))
    assert result.recommendation.regimen == max(p_in, key=lambda k: p_in[k])
    effective = float(posterior.effective[0])
    for row in result.regimens:
        p = p_in[row.regimen.id]
        error = np.hypot(row.p_error, np.sqrt(p * (1 - p) / effective))
        assert abs(row.p_in - p) < 4 * error + 1e-3
        assert row.p_below + row.p_in + row.p_above == pytest.approx(1)


def test_many_patients_at_once_decide_as_one_by_one() -> None:
    """To first order and at steady state: P(in) within 0.08 of the whole computation, the same choice."""
    patient = sample_patient(options=FEW)
    result = dose(patient)
    _, working = belief_of(patient)
    regimens = [r for r in drug_regimens("sorafenib") if r.id in FEW["regimens"]]  # type: ignore[operator]
    made = dose_many(
        working.model, [patient], regimens, Limits(metric="trough", low=1.4, high=3.45), draws=2000
    )
    whole = {r.regimen.id: r.p_in for r in result.regimens}
    for k, r in enumerate(regimens):
        assert made.p_in[0, k] == pytest.approx(whole[r.id], abs=0.08)
    assert regimens[int(made.choice[0])].id == result.recommendation.regimen


def simulated(n: int, working: Working, base: DosePatient) -> tuple[list[DosePatient], np.ndarray]:
    """Patients with levels drawn from the model itself, and their true effects (n, q of the subject)."""
    model, spec = working.model, working.model.spec
    records = patient_records(base, working.chosen, model)
    at = np.flatnonzero(records.observed)
    subject, occasion = spec.covariance("subject"), spec.covariance("occasion")
    patients: list[DosePatient] = []
    truth = np.empty((n, len(subject)))
    for i in range(n):
        rng = generator_of(11, f"p{i}", "simulated")
        truth[i] = rng.multivariate_normal(np.zeros(len(subject)), subject)
        kappa = rng.standard_normal(2 * len(occasion)) * np.sqrt(occasion[0, 0])
        f = model.predict(records, effects=np.concatenate([truth[i], kappa])[None, :])
        sd = np.hypot(f.error[at, 1], f.error[at, 0] / f.value[at])
        drawn = f.value[at] * np.exp(sd * rng.standard_normal(len(at)))
        levels = tuple(replace(v, value=float(y)) for v, y in zip(base.levels, drawn, strict=True))
        patients.append(replace(base, id=f"p{i}", levels=levels))
    return patients, truth


def test_stated_probabilities_are_true_as_often_as_they_say() -> None:
    """Among 300 simulated patients, with uncertain typical values and a new occasion at the horizon: the
    mean of
    P(in) − truth of each regimen is 0 within 3.5 SE, and so it is where P(in) is above and below one half."""
    from troughline.dosing.steady import SteadyPatterns

    base = sample_patient()
    _, working = belief_of(base)
    regimens = [r for r in drug_regimens("sorafenib") if r.id in ("400-bid", "400-qd", "200-qd")]
    patients, truth = simulated(300, working, base)
    limits = Limits(metric="trough", low=1.4, high=3.45)
    made = dose_many(working.model, patients, regimens, limits, draws=128)
    patterns = SteadyPatterns(working.model, regimens, areas=False)
    spread = np.sqrt(working.model.spec.covariance("occasion")[0, 0])
    kappa = np.random.default_rng(12).standard_normal(len(patients)) * spread
    covariates = patient_records(base, working.chosen, working.model).covariates[-1]
    trough, _ = patterns.exposure(
        np.column_stack([truth, kappa]), covariates, working.model.spec.theta, base.now_h + 28 * 24.0
    )
    true = ((trough >= 1.4) & (trough <= 3.45)).astype(float)
    off, p = (made.p_in - true).ravel(), made.p_in.ravel()
    for chosen in (p >= 0.5, p < 0.5, p >= 0):
        some = off[chosen]
        assert abs(some.mean()) < 3.5 * some.std() / np.sqrt(len(some) / 2)  # a patient counts three times
    choice = made.choice
    assert true[np.arange(len(choice)), choice].mean() > true.mean(axis=0).max() - 0.02


# Monotone properties


def test_a_higher_dose_never_lowers_the_probability_to_be_above() -> None:
    for level in (1.0, 4.0, 12.0):
        patient = sample_patient(sample=[{"time": 27.98, "value": level, "unit": "ug/mL"}])
        belief, _ = belief_of(patient, draws=200)
        by_id = {r.id: r for r in drug_regimens("sorafenib")}
        for less, more in (
            ("200-bid", "400-bid"),
            ("400-bid", "600-bid"),
            ("200-qd", "400-qd"),
            ("400-qod", "400-qd"),
        ):
            a, b = forecasts(patient, belief, [by_id[less], by_id[more]], horizon_h=672.0)
            assert (b.trough >= a.trough - 1e-9).all()
            assert (b.auc_24h >= a.auc_24h - 1e-9).all()


def test_a_level_at_the_predicted_value_does_not_widen_the_interval() -> None:
    patient = sample_patient()
    belief, _ = belief_of(patient)
    regimen = [next(r for r in drug_regimens("sorafenib") if r.id == "400-qd")]
    before = np.log(forecasts(patient, belief, regimen, horizon_h=672.0)[0].trough)
    from troughline.dosing.level_prediction import predict_levels

    extra = replace(patient.levels[-1], number=3, time_h=28.98 * 24.0)
    for value in (5.0, None):
        further = replace(extra, value=value)
        if value is None:
            asked = replace(patient, levels=(*patient.levels, replace(extra, value=5.0)))
            predicted = predict_levels(asked, believe(asked, working_models(choose_models(asked, Findings()),
                parameter_uncertainty=True), draws=500, seed=1, leave_out={3}), seed=1)  # fmt: skip
            further = replace(extra, value=float(np.median(predicted.level[:, -1])))
        more = replace(patient, levels=(*patient.levels, further))
        after = np.log(forecasts(more, belief_of(more)[0], regimen, horizon_h=672.0)[0].trough)
        width = [float(np.subtract(*np.quantile(x, [0.95, 0.05]))) for x in (before, after)]
        assert width[1] < 1.06 * width[0]


def test_the_same_file_gives_the_same_bytes(monkeypatch: pytest.MonkeyPatch, example: DoseResult) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    again = dose_file(EXAMPLES / "patient.toml")
    a, b = (
        json.dumps({k: v for k, v in contents_of(r).items() if k != "provenance"}) for r in (example, again)
    )
    assert a == b


# Answers


def test_the_result_holds_what_the_files_promise(example: DoseResult) -> None:
    contents = contents_of(example)
    for key in ("sentence", "individual", "regimens", "recommendation", "issues", "provenance"):
        assert contents[key]
    row = contents["regimens"][0]
    for key in ("p_below", "p_in", "p_above", "p_toxicity", "p_benefit", "utility"):
        assert isinstance(row[key], float)
    for name in ("trough", "auc"):
        assert row[name]["low"] < row[name]["median"] < row[name]["high"]
    assert contents["simulated"] is True
    assert json.loads(json.dumps(contents, allow_nan=False)) == contents


def test_no_feasible_regimen_reaches_the_target_is_an_answer() -> None:
    result = dose_file(EXAMPLES / "unreached.toml")
    assert result.recommendation.answer == "target not reached"
    assert result.sentence.startswith("No feasible regimen reaches the target of at least 3.75 mg/L")
    assert max(r.regimen.daily_dose_mg for r in result.regimens) <= 400


def test_what_cannot_be_told_apart_is_said(example: DoseResult) -> None:
    assert example.recommendation.answer == "not distinguished"
    assert len(example.recommendation.among) > 1
    assert example.sentence.startswith("The evidence does not distinguish")
    assert example.recommendation.criterion == "utility"


def test_without_curves_there_is_no_probability_of_an_outcome_and_the_reason_is_said() -> None:
    result = dose(sample_patient(options=FEW))
    assert all(r.p_toxicity is None and r.p_benefit is None and r.utility is None for r in result.regimens)
    assert all(not c.available and "thresholds" in c.reason for c in result.curves)
    assert result.recommendation.criterion == "p_in"


def test_severe_toxicity_at_a_dose_stands_beside_it() -> None:
    result = dose_file(EXAMPLES / "low.toml")
    full = next(r for r in result.regimens if r.regimen.id == "400-bid")
    assert full.notes[0] == "the patient had grade 3 diarrhoea on day 29 at 800 mg a day"
    assert any(f.code == "severe-toxicity" for f in result.findings)
    assert "grade 3 diarrhoea" in result.sentence


def test_other_targets_stand_beside_the_files_own(example: DoseResult) -> None:
    shown = {a.target.id: a for a in example.alternatives}
    assert shown["noda-2020/window"].used
    assert shown["guchelaar-2022/trough-target"].comparable
    assert shown["guchelaar-2022/trough-target"].target.n == 36
    for identifier in ("fukudo-2014/hand-foot-threshold", "fukudo-2014/hypertension-threshold"):
        assert not shown[identifier].comparable
        assert "no troughs" in shown[identifier].reason
    assert shown["labeur-2020"].p_in is None
    assert "found no link" in shown["labeur-2020"].reason
    assert "noda-2020/toxicity-threshold" not in shown  # its window joins both thresholds


def test_without_a_level_the_answer_is_the_populations() -> None:
    result = dose(sample_patient(sample=None, options=FEW))
    assert result.explanation.shrinkage > 0.95
    assert "everything rests on the population model" in " ".join(result.explanation.sentences)
    assert any(f.code == "no-levels" for f in result.findings)
    assert result.recommendation.answer == "no level"
    assert result.recommendation.regimen == "400-bid"
    assert result.sentence.startswith(
        "No level: nothing individual is known, so nothing speaks for leaving 400"
    )


def test_where_no_regimen_reaches_the_nearest_stands_with_its_own_probability() -> None:
    """A narrow target with curves: the sentence names the regimen and the P(in) of its row."""
    patient = load_patient(EXAMPLES / "patient.toml")[0]
    assert patient.file is not None
    narrow = TargetEntry(low=5.2, high=5.6, unit="mg/L", source="made up")
    options = patient.options.model_copy(update={"draws": 300, "next_sample": False})
    file = patient.file.model_copy(update={"target": narrow})
    result = dose(replace(patient, file=file, options=options))
    assert result.recommendation.answer == "target not reached"
    assert result.recommendation.criterion == "utility"
    row = next(r for r in result.regimens if r.regimen.id == result.recommendation.regimen)
    assert f"the nearest, {row.regimen.label}, gives" in result.sentence
    # Limits by hand are exact, so P(in) is that with the limits as printed, and is said once.
    assert row.p_in == row.p_in_as_printed
    assert f"is inside with probability {probability_in_words(row.p_in)}" in result.sentence
    assert "(0." not in result.sentence


def test_a_target_with_one_limit_names_the_smallest_change_and_says_so() -> None:
    """Well above an upper limit the answer is a step down that suffices, not the least dose there is."""
    target = {"high": 4.0, "unit": "ug/mL", "source": "chosen for a test"}
    result = dose(sample_patient(target=target, options={**FEW, "next_sample": True, "draws": 300}))
    assert result.recommendation.regimen == "400-qd"
    assert (
        "the smallest change of dose that reaches the target; the target has no lower limit"
        in result.sentence
    )
    assert any(f.code == "one-sided-target" for f in result.findings)
    assert (result.recommendation.p_best, result.recommendation.margin, result.next_sample) == (None,) * 3


def test_an_impossible_level_stops_the_answer() -> None:
    with pytest.raises(InputError, match="is the unit right"):
        dose(sample_patient(sample=[{"time": 27.98, "value": 6600, "unit": "ug/mL"}]))


def test_models_are_averaged_by_how_well_they_predict_the_levels() -> None:
    """At 2 mg/L jain-2011, whose typical trough is 7.9 mg/L, has less weight than hcc with its 3.9."""
    levels = [{"time": t, "value": 2.0, "unit": "ug/mL"} for t in (13.98, 27.98)]
    models = [{"id": "sorafenib/hcc"}, {"id": "sorafenib/jain-2011"}]
    result = dose(sample_patient(sample=levels, model=models, options=FEW))
    weights = {m.id: m.weight for m in result.models}
    assert sum(weights.values()) == pytest.approx(1)
    assert weights["sorafenib/hcc"] > 0.8
    assert any("falling" in f.code for f in result.findings)


def test_common_causes_are_held_against_the_file() -> None:
    result = dose(
        sample_patient(
            sample=[{"time": 27.98, "value": 0.9, "unit": "ug/mL"}], options=FEW,
            with_drug=[{"name": "Rifampicin 600 mg"}],
            dose=[{"start": 0, "amount": 400, "interval_h": 12, "food": "high-fat meal", "adherence": 0.7}],
        )
    )  # fmt: skip
    status = {c.id: c.status for c in result.explanation.causes}
    assert result.explanation.direction == "low"
    assert {k for k, v in status.items() if v == "present"} == {"adherence", "cyp3a4-inducers", "fat-meals"}
    assert status["bilirubin"] == "not known"
    assert all(c.source for c in result.explanation.causes)


def test_a_level_that_does_not_agree_is_named() -> None:
    levels = [
        {"time": t, "value": v, "unit": "ug/mL"}
        for t, v in ((6.98, 4.2), (13.98, 4.0), (20.98, 0.3), (27.98, 3.8))
    ]
    result = dose(sample_patient(sample=levels, options=FEW))
    odd = result.samples[2]
    assert odd.p_value is not None
    assert odd.p_value < 0.02
    assert odd.influence is not None
    assert odd.influence < -0.1
    assert all(abs(s.influence or 0) < abs(odd.influence) for k, s in enumerate(result.samples) if k != 2)


def test_a_further_level_is_worth_no_more_than_knowing_all(example: DoseResult) -> None:
    assert example.next_sample is not None
    for c in example.next_sample.candidates:
        assert -3 * c.gain_error - 0.01 <= c.gain <= c.loss_before
        assert c.narrower < 1.02
        assert c.loss_after == pytest.approx(c.loss_before - c.gain)


# Over several dates


def with_levels(base: DosePatient, values: list[float], days: list[float]) -> DosePatient:
    """The patient with these levels."""
    made = tuple(
        replace(LEVEL, number=k + 1, time_h=24.0 * d, value=v, written=v)
        for k, (v, d) in enumerate(zip(values, days, strict=True))
    )
    return replace(base, levels=made)


@pytest.mark.slow
def test_the_drift_test_keeps_its_size_and_finds_a_drift() -> None:
    """Of 160 patients without a drift about 5 % (binomial 95 %: 1.9 to 8.8 %) test positive; of those whose
    exposure falls by half every 30 days beyond the model, most."""
    days = [20.98, 41.98, 62.98, 83.98, 104.98]
    base = with_levels(sample_patient(patient={"now": 106.0}, sample=None), [3.0] * 5, days)
    working = working_models(choose_models(base, Findings()), parameter_uncertainty=True)[0]
    model, spec = working.model, working.model.spec
    records = patient_records(base, working.chosen, model)
    at = np.flatnonzero(records.observed)
    positive = {"none": 0, "drift": 0}
    n = 160
    for i in range(n):
        rng = generator_of(21, f"d{i}", "drift")
        subject = rng.multivariate_normal(np.zeros(len(spec.subject_effects)), spec.covariance("subject"))
        kappa = rng.standard_normal(5) * np.sqrt(spec.covariance("occasion")[0, 0])
        f = model.predict(records, effects=np.concatenate([subject, kappa])[None, :])
        noise = np.exp(np.hypot(f.error[at, 1], f.error[at, 0] / f.value[at]) * rng.standard_normal(5))
        for kind in positive:
            if kind == "drift" and i >= 40:
                continue
            fall = 0.5 ** ((np.array(days) - days[0]) / 30.0) if kind == "drift" else 1.0
            own = with_levels(base, (f.value[at] * noise * fall).tolist(), days)
            made = drift_of(own, working, level=0.9)
            assert made.p_value is not None
            positive[kind] += made.p_value < ALPHA
    assert 0.015 <= positive["none"] / n <= 0.09
    assert positive["drift"] / 40 > 0.7


def test_what_an_earlier_result_predicted_is_held_against_what_came(tmp_path: Path) -> None:
    first = table(options=FEW)
    file = tmp_path / "first.json"
    file.write_text(json.dumps(first), encoding="utf-8")
    earlier = contents_of(dose_file(file))
    (tmp_path / "result-1.json").write_text(json.dumps(earlier), encoding="utf-8")
    second = table(
        options=FEW, patient={"now": 58.0}, earlier=["result-1.json"],
        dose=[{"start": 0, "amount": 400, "interval_h": 12}, {"start": 29, "amount": 400, "interval_h": 24}],
        sample=[*first["sample"], {"time": 56.98, "value": 2.5, "unit": "ug/mL", "limit": 0.05}],
    )  # fmt: skip
    file = tmp_path / "second.json"
    file.write_text(json.dumps(second), encoding="utf-8")
    (one,) = dose_file(file).following.earlier
    row = next(r for r in earlier["regimens"] if r["regimen"]["id"] == "400-qd")
    assert one.predicted.median == pytest.approx(row["trough"]["median"], rel=0.1)
    assert one.error_percent == pytest.approx(100 * (2.5 / one.predicted.median - 1))  # type: ignore[operator]
    assert one.inside
    assert one.followed is (earlier["recommendation"]["regimen"] == "400-qd")
    other = table(options=FEW, earlier=["result-1.json"], patient={"id": "someone else"})
    file.write_text(json.dumps(other), encoding="utf-8")
    with pytest.raises(InputError, match="is of patient 'sample-1', not of 'someone else'"):
        dose_file(file)


def test_a_window_and_curves_of_a_study_are_taken_from_its_results(tmp_path: Path) -> None:
    grid = [0.5, 1.0, 2.0, 4.0, 8.0]
    curve = {
        "unit": "ug/mL", "label": "sorafenib trough", "outcome_label": "toxicity", "exposure": grid,
        "mean": [0.05, 0.1, 0.3, 0.6, 0.8], "low": [0.01, 0.03, 0.15, 0.4, 0.6],
        "high": [0.15, 0.25, 0.5, 0.8, 0.95],
    }  # fmt: skip
    bounds = [
        {"name": f"window_{side}", "value": v, "low": a, "high": b, "method": "guarded: joint posterior",
         "unit": "ug/mL", "n": 40, "level": 0.95}
        for side, v, a, b in (("lower", 1.5, 1.0, 2.0), ("upper", 3.0, 2.2, None))
    ]  # fmt: skip
    question = {
        "id": "window", "kind": "window", "verdict": "answered with caution", "estimates": bounds,
        "series": {"label": "sorafenib trough", "toxicity": curve, "benefit": curve},
    }  # fmt: skip
    study = {"study": {"title": "A study", "simulated": True, "level": 0.95}, "questions": [question]}
    (tmp_path / "results.json").write_text(json.dumps(study), encoding="utf-8")
    named = {"study": "results.json", "question": "window"}
    file = tmp_path / "p.json"
    file.write_text(
        json.dumps(table(target=named, curves={"toxicity": named, "benefit": named}, options=FEW)),
        encoding="utf-8",
    )
    result = dose_file(file)
    assert (result.target.low, result.target.low_interval) == (1.5, (1.0, 2.0))
    assert (result.target.high, result.target.high_interval) == (3.0, None)
    assert result.recommendation.criterion == "utility"
    assert {"simulated-target", "simulated-curve"} <= {f.code for f in result.findings}
    assert "results.json" in result.provenance["inputs"]
    question["verdict"] = "refused"
    (tmp_path / "results.json").write_text(json.dumps(study), encoding="utf-8")
    with pytest.raises(InputError, match="was refused: nothing to use"):
        dose_file(file)


def test_the_levels_of_the_examples_are_those_of_their_tool() -> None:
    """The examples' levels come from tools/simulate_dose_examples.py, not from a patient."""
    patient, _ = load_patient(EXAMPLES / "patient.toml")
    assert next_dose_h(patient) == pytest.approx(708.0)
    from tools.simulate_dose_examples import levels

    for name in ("patient", "low", "unreached"):
        own, _ = load_patient(EXAMPLES / f"{name}.toml")
        assert [v.value for v in own.levels] == pytest.approx(levels(name), rel=1e-9)
