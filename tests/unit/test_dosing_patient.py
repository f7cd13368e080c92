"""A patient file is read into hours, mg and mg/L; what is wrong with it is said, with its place."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from tests.unit.dose_sample import sample_patient, table
from troughline.dosing.checks import basis_of, check_dose_file
from troughline.dosing.patient_file import check_patient, load_patient, patient_from
from troughline.issues import Findings, InputError, Severity

EXAMPLES = Path(str(files("troughline") / "examples" / "dose"))


def errors_of(contents: dict[str, Any]) -> list[str]:
    """Every error about a table, from its schema to its models and its target."""
    patient, found = patient_from(contents)
    if patient is not None:
        basis_of(patient, found)
    return [f.line() for f in found.errors]


@pytest.mark.parametrize("name", ["patient", "low", "unreached"])
def test_the_examples_have_no_error(name: str) -> None:
    found = check_dose_file(EXAMPLES / f"{name}.toml")
    assert [f.line() for f in found.errors] == []
    assert load_patient(EXAMPLES / f"{name}.toml")[0].simulated


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no doses": ({"dose": None}, "there is no [[dose]]"),
    "no dose before the decision": ({"dose": [{"start": 0, "amount": 0}]}, "no dose was taken"),
    "a level before the first dose": (
        {"dose": [{"start": 14, "amount": 400}]}, "0.02 days before the first dose",
    ),
    "a level after the decision": ({"patient": {"now": 20}}, "7.98 days after the decision"),
    "a dose after the decision": (
        {"dose": [{"start": 0, "amount": 400}, {"start": 40, "amount": 200}]}, "begins after the decision",
    ),
    "two doses at once": (
        {"dose": [{"start": 0, "amount": 400}, {"start": 0, "amount": 200}]}, "same moment as dose 1",
    ),
    "a dose that ends before it begins": (
        {"dose": [{"start": 3, "until": 2, "amount": 400}]}, "ends before it begins",
    ),
    "overlapping doses": (
        {"dose": [{"start": 0, "until": 9, "amount": 400}, {"start": 7, "amount": 200}]},
        "ends 2.00 days after dose 2 begins",
    ),
    "a missed dose that was not due": (
        {"dose": [{"start": 0, "amount": 400, "missed": [3.2]}]}, "no dose of this entry was due then",
    ),
    "a hold that ends before it begins": (
        {"hold": [{"start": 5, "until": 4}]}, "hold.1.until: ends before it begins",
    ),
    "two levels at once": (
        {"sample": [{"time": 9, "value": 3, "unit": "ug/mL"}, {"time": 9, "value": 4, "unit": "ug/mL"}]},
        "levels 1 and 2 were drawn at the same moment",
    ),
    "a level of 0": ({"sample": [{"time": 9, "value": 0, "unit": "ug/mL"}]}, "below some limit"),
    "a level in hours": ({"sample": [{"time": 9, "value": 3, "unit": "h"}]}, "no unit of a level"),
    "below a limit that is not given": (
        {"sample": [{"time": 9, "unit": "ug/mL", "below_limit": True}]}, "needs the limit",
    ),
    "an unknown drug": ({"patient": {"drug": "sorafenb"}}, "did you mean 'sorafenib'?"),
    "a drug without tablets on file": ({"patient": {"drug": "lenvatinib"}}, "without its tablets"),
    "an unknown target": ({"target": {"published": "noda-2020/windw"}}, "did you mean 'noda-2020/window'?"),
    "levels of a clinic visit as a target": (
        {"target": {"published": "fukudo-2014/hypertension-threshold"}}, "no troughs",
    ),
    "no target": ({"target": None}, "there is no default"),
    "limits the wrong way round": (
        {"target": {"low": 3, "high": 2, "unit": "ug/mL", "source": "x"}}, "is not below",
    ),
    "limits without a source": ({"target": {"low": 1, "unit": "ug/mL"}}, "need their source"),
    "an unknown model": ({"model": [{"id": "sorafenib/hc"}]}, "did you mean 'sorafenib/hcc'?"),
    "a model of another drug": ({"model": [{"id": "lenvatinib/tamai-2017"}]}, "is a model of lenvatinib"),
    "a weight outside the hard range": (
        {"covariate": [{"name": "weight", "value": 7, "unit": "kg"}]}, "hard range of sorafenib/hcc",
    ),
    "a weight in metres": ({"covariate": [{"name": "weight", "value": 70, "unit": "m"}]}, "converted"),
    "a weight without a unit": ({"covariate": [{"name": "weight", "value": 70}]}, "has no unit"),
    "Child-Pugh C": (
        {"covariate": [{"name": "child_pugh_class", "value": "C"}]}, "none of the levels that",
    ),
    "a covariate with two values at once": (
        {"covariate": [{"name": "weight", "value": v, "unit": "kg"} for v in (70, 80)]},
        "two values at one time",
    ),
    "an unknown regimen": ({"options": {"regimens": ["400-bd"]}}, "did you mean '400-bid'?"),
    "a regimen that needs leave": ({"options": {"regimens": ["600-bid"]}}, "options.allow"),
    "nothing left to choose from": ({"tolerance": {"largest_daily_dose_mg": 100}}, "no regimen is left"),
    "an unknown key": ({"tolerance": {"largest_dose": 400}}, "unknown key"),
    "a clock time in a file of days": (
        {"dose": [{"start": "2026-01-01T08:00", "amount": 400}]}, "needs days as numbers",
    ),
    "a date as a number": ({"sample": [{"time": 46000, "value": 3, "unit": "ug/mL"}]}, "too large for a day"),
    "toxicity after the decision": (
        {"toxicity": [{"time": 44, "term": "rash", "grade": 2}]}, "lies after the decision",
    ),
    "other drugs and none": (
        {"with_drug": [{"name": "rifampicin"}], "no_other_drugs": True}, "no_other_drugs = true",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_clear_line_with_its_place(name: str) -> None:
    changes, words = BAD[name]
    lines = errors_of(table(**changes))
    hit = [line for line in lines if words in line]
    assert hit, lines
    assert all(line.startswith("error: patient column ") and "\n" not in line for line in lines)


def test_a_drug_whose_file_holds_no_regimen_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("troughline.dosing.candidates.drug_regimens", lambda drug: ())
    assert any("no regimens on file" in line for line in errors_of(table()))


def test_everything_wrong_is_reported_together() -> None:
    lines = errors_of(
        table(target={"published": "no/such"}, model=[{"id": "none"}], options={"allow": ["7-bid"]})
    )
    assert len(lines) == 3


def test_a_default_that_is_used_is_said() -> None:
    patient, found = patient_from(table(covariate=None, patient={"now": 28.0}))
    assert patient is not None
    basis_of(patient, found)
    notes = [f.message for f in found if f.severity is Severity.NOTE and f.code == "default-used"]
    assert len(notes) == 3
    assert any("weight is not given: sorafenib/hcc takes its default, 80 kg" in n for n in notes)


def test_without_a_decision_time_the_last_record_is_taken_and_said() -> None:
    contents = table()
    del contents["patient"]["now"]
    patient, found = patient_from(contents)
    assert patient is not None
    assert patient.now_h == pytest.approx(27.98 * 24)
    assert any("taken as the last record" in f.message for f in found)


def test_days_hours_and_clock_times_mean_the_same() -> None:
    """Day 13.98 is 335.52 h, and 2026-01-15 07:31:12 where the first dose was on 1 January at 16:00."""
    days = sample_patient()
    levels = [{"time": t, "value": v, "unit": "ug/mL"} for t, v in ((335.52, 6.6), (671.52, 6.1))]
    hours = sample_patient(patient={"time": "hour", "now": 696.0}, sample=levels)
    clock = sample_patient(
        patient={"time": "clock", "timezone": "Europe/Berlin", "now": "2026-01-30T16:00"},
        dose=[{"start": "2026-01-01T16:00", "amount": 400, "interval_h": 12}],
        sample=[
            {"time": "2026-01-15T15:31:12", "value": 6.6, "unit": "ug/mL", "limit": 0.05},
            {"time": "2026-01-29T14:31:12+00:00", "value": 6.1, "unit": "ug/mL", "limit": 0.05},
        ],
    )
    for other in (hours, clock):
        assert other.now_h == pytest.approx(days.now_h)
        assert [d.time_h for d in other.doses] == pytest.approx([d.time_h for d in days.doses])
        assert [v.time_h for v in other.levels] == pytest.approx([v.time_h for v in days.levels])
    assert clock.clock(24.0) == "2026-01-02T16:00+01:00"


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("2026-03-29T02:30", "does not exist, or exists twice"),
        ("2026-10-25T02:30", "does not exist, or exists twice"),
        ("2026-01-05", "has no time of day"),
        ("5 January", "is no ISO time"),
        (3.0, "needs times like"),
    ],
)
def test_a_clock_time_that_says_too_little_is_refused(moment: str | float, words: str) -> None:
    lines = errors_of(
        table(
            patient={"time": "clock", "timezone": "Europe/Berlin", "now": "2026-11-30T16:00"},
            dose=[{"start": moment, "amount": 400}], sample=None,
        )
    )  # fmt: skip
    assert any(words in line for line in lines)


def test_a_clock_time_without_a_zone_is_refused() -> None:
    lines = errors_of(
        table(patient={"time": "clock", "now": None}, dose=[{"start": "2026-01-01T08:00", "amount": 400}],
              sample=None)
    )  # fmt: skip
    assert any("names no timezone" in line for line in lines)


def test_holds_missed_doses_and_a_cycle_shape_the_history() -> None:
    """400 mg twice daily for 2 days without one dose, two days of hold, then 200 and 400 mg in turn."""
    patient = sample_patient(
        patient={"now": 8.0},
        dose=[
            {"start": 0, "amount": 400, "interval_h": 12, "missed": [1.0]},
            {"start": 4, "amounts": [200, 400], "interval_h": 24},
        ],
        hold=[{"start": 2, "until": 4}],
        sample=None,
    )
    given = [(d.time_h / 24, d.amount_mg) for d in patient.doses]
    assert given == [(0, 400), (0.5, 400), (1.5, 400), (4, 200), (5, 400), (6, 200), (7, 400)]
    assert patient.missed_h == (24.0,)
    assert patient.regimen is not None
    assert patient.regimen.amounts_mg == (200.0, 400.0)


def test_a_hold_in_force_leaves_no_regimen() -> None:
    patient = sample_patient(hold=[{"start": 25}])
    assert patient.regimen is None
    assert patient.hold_since_h == 600.0
    assert max(d.time_h for d in patient.doses) < 600.0


def test_levels_are_converted_by_the_molar_mass() -> None:
    """7.57 umol/L of 464.829 g/mol is 3.519 mg/L (evidence/data/drugs/sorafenib.toml)."""
    patient = sample_patient(sample=[{"time": 9, "value": 7.57, "unit": "umol/L"}])
    assert patient.levels[0].value == pytest.approx(7.57 * 464.829 / 1000)


def test_a_level_below_its_limit_is_censored() -> None:
    patient = sample_patient(
        sample=[
            {"time": 9, "unit": "ng/mL", "below_limit": True, "limit": 50},
            {"time": 10, "value": 30, "unit": "ng/mL", "limit": 50},
        ]
    )
    assert [(v.value, v.limit) for v in patient.levels] == [(None, pytest.approx(0.05))] * 2


def test_a_level_far_from_any_patient_suggests_the_unit(tmp_path: Path) -> None:
    """6600 ng/mL written as ug/mL: 1,000 times too high, and ng/mL is named."""
    contents = table()
    contents["sample"][1]["value"] = 6600
    file = tmp_path / "p.json"
    file.write_text(json.dumps(contents), encoding="utf-8")
    (line,) = [f.line() for f in check_dose_file(file).errors]
    assert "sample.2.value" in line
    assert "above the" in line
    assert "ng/mL it would fit: is the unit right?" in line
    contents["sample"][1].update(value=610)
    file.write_text(json.dumps(contents), encoding="utf-8")
    (line,) = [f.line() for f in check_dose_file(file).errors]
    assert " times above the 3.9 mg/L expected" in line
    assert "in ug/dL it would fit" in line


def test_json_and_toml_are_the_same(tmp_path: Path) -> None:
    import tomllib

    text = (EXAMPLES / "low.toml").read_text(encoding="utf-8")
    file = tmp_path / "low.json"
    file.write_text(json.dumps(tomllib.loads(text)), encoding="utf-8")
    a, b = load_patient(file)[0], load_patient(EXAMPLES / "low.toml")[0]
    assert a.doses == b.doses
    assert a.levels == b.levels
    assert a.options == b.options


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.toml", b"[patient", "is not valid TOML"),
        ("a.json", b"{", "is not valid JSON"),
        ("a.json", b"[1]", "must be a table of keys"),
        ("a.json", b'{"patient": {"id": NaN}}', "is no number of JSON"),
        ("a.toml", b"\xff\xfe", "is not UTF-8"),
    ],
)
def test_a_file_that_is_none_says_so(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    patient, found = check_patient(file)
    assert patient is None
    assert words in found.errors[0].message
    with pytest.raises(InputError) as caught:
        load_patient(tmp_path / "missing.toml")
    assert caught.value.configuration


def test_what_a_model_does_not_know_is_said() -> None:
    """jain-2011 has no fall of exposure, is proportional to the dose and gives some intervals."""
    found = Findings()
    assert basis_of(sample_patient(model=[{"id": "sorafenib/jain-2011"}]), found) is not None
    codes = {f.code for f in found}
    assert {"falling-exposure", "proportional"} <= codes
