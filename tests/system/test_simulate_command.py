"""`troughline simulate`, as a user meets it: what it writes, what it refuses, what it leaves."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import troughline
from tests.system.run import troughline as run
from troughline.cohort.nonmem import read_nonmem

ANSWERED, SOME_NOT_ANSWERED, NOTHING_ANSWERED, BAD_CONFIGURATION, UNREADABLE_INPUT = range(5)
LINEAR = "cabozantinib/nguyen-2019"
OCCASIONS = "sorafenib/jain-2011"
DATA = """ID,TIME,EVID,AMT,II,ADDL,OCC,weight,DV
A,0,1,400,12,2,1,80,.
A,3,0,.,.,.,1,80,2.0
A,12,0,.,.,.,1,80,1.5
A,27,0,.,.,.,2,80,6.0
B,0,1,200,12,1,1,62,.
B,5,0,.,.,.,1,62,0.8
B,24,0,.,.,.,1,62,.
"""
OBSERVED_ROWS = [3, 4, 5, 7, 8]


def lines_of(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert "Traceback" not in done.stderr, done.stderr
    return [line for line in done.stderr.splitlines() if line.strip()]


def data_file(folder: Path, text: str = DATA, name: str = "data.csv") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def simulated(
    data: Path, *options: str | Path, model: str | Path = OCCASIONS, out: str = "out.csv"
) -> pd.DataFrame:
    """The table that a run writes; nothing else is left beside the data."""
    before = {p.name for p in data.parent.iterdir()}
    place = data.parent / out
    done = run("simulate", data, "--model", model, "--out", place, *options)
    assert done.returncode == ANSWERED, done.stderr
    lines_of(done)
    assert {p.name for p in data.parent.iterdir()} - before == {out}
    frame = pd.read_parquet(place) if out.endswith(".parquet") else pd.read_csv(place)
    place.unlink()
    return frame


def test_predictions_are_those_of_the_model(tmp_path: Path) -> None:
    """One row for each observation record, to the last digit what `model.predict` gives."""
    data = data_file(tmp_path)
    frame = simulated(data)
    model = troughline.load_model(OCCASIONS)
    records = read_nonmem(data, model.spec).records
    assert list(frame.columns) == ["row", "patient", "time_h", "output", "unit", "population"]
    assert frame["row"].tolist() == OBSERVED_ROWS
    assert frame["patient"].tolist() == ["A", "A", "A", "B", "B"]
    assert frame["time_h"].tolist() == [3, 12, 27, 5, 24]
    assert set(frame["output"]) == {"sorafenib"}
    assert set(frame["unit"]) == {"mg/L"}
    expected = model.predict(records).value[records.observed]
    np.testing.assert_array_equal(frame["population"], expected)


def test_values_are_in_the_unit_of_the_output(tmp_path: Path) -> None:
    """The model counts in mg/L, its output in ng/mL: a thousand times as many (exact to 1e-15)."""
    data = data_file(tmp_path)
    frame = simulated(data, model=LINEAR)
    model = troughline.load_model(LINEAR)
    records = read_nonmem(data, model.spec).records
    assert set(frame["unit"]) == {"ng/mL"}
    expected = 1000 * model.predict(records).value[records.observed]
    np.testing.assert_allclose(frame["population"], expected, rtol=1e-15)


def test_parquet_holds_the_same_as_csv(tmp_path: Path) -> None:
    data = data_file(tmp_path)
    frame = simulated(data, out="out.parquet")
    pd.testing.assert_frame_equal(frame, simulated(data), check_dtype=False)


def test_a_column_may_have_another_name(tmp_path: Path) -> None:
    expected = simulated(data_file(tmp_path / "plain"))
    renamed = data_file(tmp_path / "renamed", DATA.replace("weight", "WT"))
    pd.testing.assert_frame_equal(simulated(renamed, "--column", "weight=WT"), expected)


def test_individuals_are_predicted_with_their_effects(tmp_path: Path) -> None:
    """Between-occasion effects stand as `name@occasion`, the first occasion being 1."""
    data = data_file(tmp_path)
    effects = tmp_path / "individuals.csv"
    effects.write_text(
        "patient,eta_CL,eta_V,eta_ka,kappa_CL@1,kappa_CL@2,objective\n"
        "B,-0.2,0.1,0.3,0.05,,1\nA,0.3,-0.1,0.2,0.4,-0.5,2\n"
    )
    frame = simulated(data, "--individuals", effects)
    model = troughline.load_model(OCCASIONS)
    records = read_nonmem(data, model.spec).records
    given = np.array([[0.3, -0.1, 0.2, 0.4, -0.5], [-0.2, 0.1, 0.3, 0.05, 0.0]])
    expected = model.predict(records, effects=given).value[records.observed]
    np.testing.assert_array_equal(frame["individual"], expected)
    np.testing.assert_array_equal(frame["population"], simulated(data)["population"])


def test_an_occasion_without_a_value_and_a_patient_without_an_estimate_are_said(tmp_path: Path) -> None:
    data = data_file(tmp_path)
    effects = tmp_path / "individuals.csv"
    effects.write_text("patient,eta_CL,eta_V,eta_ka,kappa_CL@1\nA,0.3,-0.1,0.2,0.4\nB,,,,\n")
    out = tmp_path / "out.csv"
    done = run("simulate", data, "--model", OCCASIONS, "--out", out, "--individuals", effects)
    assert done.returncode == ANSWERED, done.stderr
    assert any("no value of kappa_CL@2 for patient A: a new occasion" in line for line in lines_of(done))
    assert any("no effects of patient B" in line for line in lines_of(done))
    frame = pd.read_csv(out)
    assert frame["individual"].isna().tolist() == [False, False, False, True, True]
    assert frame["population"].notna().all()


INDIVIDUALS = {
    "no such column": ("patient,eta_Cl,eta_V,eta_ka\nA,0,0,0\nB,0,0,0\n", "did you mean 'eta_Cl'?"),
    "no patient column": ("name,eta_CL,eta_V,eta_ka\nA,0,0,0\n", "individuals.csv row 1 column patient"),
    "a patient is missing": ("patient,eta_CL,eta_V,eta_ka\nA,0,0,0\n", "has no patient B of the data"),
    "a patient twice": ("patient,eta_CL,eta_V,eta_ka\nA,0,0,0\nB,0,0,0\nA,1,0,0\n", "row 4 column patient"),
    "no number": ("patient,eta_CL,eta_V,eta_ka\nA,much,0,0\nB,0,0,0\n", "row 2 column eta_CL"),
    "one effect is empty": ("patient,eta_CL,eta_V,eta_ka\nA,0,,0\nB,0,0,0\n", "row 2 column eta_V"),
    "an empty file": ("", "individuals.csv: is empty"),
}


@pytest.mark.parametrize("case", INDIVIDUALS)
def test_effects_that_do_not_fit_are_refused(case: str, tmp_path: Path) -> None:
    text, expected = INDIVIDUALS[case]
    data = data_file(tmp_path)
    effects = data_file(tmp_path, text, "individuals.csv")
    assert_refused(data, UNREADABLE_INPUT, expected, "--individuals", effects)


def test_replicates_have_random_effects_and_residual_error(tmp_path: Path) -> None:
    """Against the model's own statement: residuals of the log have variance b² + (a/f)², b = 0.514.

    With 500 draws of 5 records the standard error of their SD is 1.4 % and of their mean 0.02.
    """
    data = data_file(tmp_path)
    frame = simulated(data, "--draws", "500", "--seed", "7")
    assert list(frame.columns) == [
        "replicate", "row", "patient", "time_h", "output", "unit", "prediction", "simulated",
    ]  # fmt: skip
    assert len(frame) == 500 * len(OBSERVED_ROWS)
    residual = np.log(frame["simulated"] / frame["prediction"])
    sd = np.hypot(0.514, 0.0010003 / frame["prediction"])
    assert (residual / sd).std() == pytest.approx(1, abs=0.06)
    assert (residual / sd).mean() == pytest.approx(0, abs=0.08)
    at_12 = np.log(frame.loc[frame["row"] == 4, "prediction"])
    population = simulated(data).set_index("row")["population"]
    assert at_12.std() > 0.3
    assert np.exp(at_12.median()) == pytest.approx(population[4], rel=0.15)


def test_draws_depend_on_the_seed_and_the_patient_alone(tmp_path: Path) -> None:
    """Who else is in the file, and how many replicates follow, changes nothing."""
    both = simulated(data_file(tmp_path / "both"), "--draws", "3", "--seed", "5")
    again = simulated(data_file(tmp_path / "both"), "--draws", "3", "--seed", "5")
    pd.testing.assert_frame_equal(both, again)
    header, *rows = DATA.splitlines(keepends=True)
    only_b = data_file(tmp_path / "b", header + "".join(r for r in rows if r.startswith("B")))
    alone = simulated(only_b, "--draws", "1", "--seed", "5")
    of_b = both[(both["patient"] == "B") & (both["replicate"] == 1)]
    np.testing.assert_array_equal(alone["simulated"], of_b["simulated"])
    other = simulated(data_file(tmp_path / "both"), "--draws", "3", "--seed", "6")
    assert not np.isclose(other["simulated"], both["simulated"]).any()


def test_a_calibrated_model_and_what_was_assumed_are_said(tmp_path: Path) -> None:
    data = data_file(tmp_path)
    done = run("simulate", data, "--model", "sorafenib/hcc", "--out", tmp_path / "out.csv")
    assert done.returncode == ANSWERED, done.stderr
    assert done.stdout.startswith("CALIBRATED TO AGGREGATE DATA")
    assert any("note: data.csv: without a column child_pugh_class" in line for line in lines_of(done))


def assert_refused(data: Path, status: int, expected: str, *options: str | Path) -> None:
    """The command ends with `status` and one line a finding, `expected` among them; nothing is written."""
    out = data.parent / "out.csv"
    out.write_text("mine")
    before = {p: p.read_bytes() for p in data.parent.iterdir()}
    done = run("simulate", data, "--model", OCCASIONS, "--out", out, *options)
    assert done.returncode == status, done.stderr
    assert any(line.startswith("error: ") and expected in line for line in lines_of(done)), done.stderr
    assert {p: p.read_bytes() for p in data.parent.iterdir()} == before


DATA_ERRORS = {
    "a covariate outside its hard range": (
        DATA.replace("B,5,0,.,.,.,1,62", "B,5,0,.,.,.,1,620"),
        "data.csv row 7 column weight: 620 kg lies outside 20 to 250 kg",
    ),
    "a compartment that does not exist": (
        "ID,TIME,EVID,AMT,CMT\nA,0,1,400,99\nA,3,0,.,.\n",
        "data.csv row 2 column CMT",
    ),
    "a time that goes back": (DATA.replace("A,12,", "A,1,"), "data.csv row 4 column TIME"),
    "no ID": (DATA.replace("ID,", "WHO,"), "data.csv row 1 column ID"),
    "text for a number": (DATA.replace("400", "much"), "data.csv row 2 column AMT"),
    "no observation": ("ID,TIME,EVID,AMT\nA,0,1,400\n", "has no observation record"),
    "an empty file": ("", "data.csv: is empty"),
}  # fmt: skip


@pytest.mark.parametrize("case", DATA_ERRORS)
def test_data_that_cannot_be_used_are_refused_with_their_place(case: str, tmp_path: Path) -> None:
    text, expected = DATA_ERRORS[case]
    assert_refused(data_file(tmp_path, text), UNREADABLE_INPUT, expected)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    done = run("simulate", tmp_path / "none.csv", "--model", OCCASIONS, "--out", tmp_path / "out.csv")
    assert done.returncode == UNREADABLE_INPUT
    (line,) = lines_of(done)
    assert "none.csv: there is no such file" in line
    assert list(tmp_path.iterdir()) == []


def test_a_covariate_outside_the_range_studied_is_a_warning(tmp_path: Path) -> None:
    data = data_file(tmp_path, DATA.replace(",62,", ",34,"))
    done = run("simulate", data, "--model", OCCASIONS, "--out", tmp_path / "out.csv")
    assert done.returncode == ANSWERED, done.stderr
    assert any(
        line.startswith("warning: data.csv") and "weight" in line and "35.2 to 132.5 kg" in line
        for line in lines_of(done)
    )
    assert len(pd.read_csv(tmp_path / "out.csv")) == len(OBSERVED_ROWS)


OPTIONS = {
    "a table of another kind": (("--out", "OUT.xlsx"), "tables are written as .csv or .parquet"),
    "a folder in the way": (("--out", "FOLDER.csv"), "it is there and no file"),
    "a file above": (("--out", "FILE/out.csv"), "is not a folder"),
    "the data themselves": (("--out", "DATA"), "it is what would be read"),
    "no draws": (("--out", "OUT.csv", "--draws", "0"), "--draws"),
    "draws of individuals": (("--out", "OUT.csv", "--draws", "2", "--individuals", "DATA"), "not both"),
    "a column without a name": (("--out", "OUT.csv", "--column", "WT"), "--column takes NAME=COLUMN"),
    "a negative seed": (("--out", "OUT.csv", "--draws", "2", "--seed", "-1"), "--seed"),
    "no output": ((), "--out"),
}  # fmt: skip


@pytest.mark.parametrize("case", OPTIONS)
def test_what_cannot_be_done_is_refused_in_one_line(case: str, tmp_path: Path) -> None:
    options, expected = OPTIONS[case]
    data = data_file(tmp_path)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder.csv").mkdir()
    places = {"OUT.xlsx": "out.xlsx", "OUT.csv": "out.csv", "FOLDER.csv": "folder.csv", "DATA": "data.csv"}
    places["FILE/out.csv"] = "file/out.csv"
    given = [str(tmp_path / places[o]) if o in places else o for o in options]
    before = sorted(tmp_path.rglob("*"))
    done = run("simulate", data, "--model", OCCASIONS, *given)
    assert done.returncode == BAD_CONFIGURATION, done.stderr
    (line,) = lines_of(done)
    assert expected in line
    assert sorted(tmp_path.rglob("*")) == before
    assert data.read_text(encoding="utf-8") == DATA


def test_a_locked_folder_is_refused(tmp_path: Path) -> None:
    data = data_file(tmp_path)
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("this user may write everywhere")
    done = run("simulate", data, "--model", OCCASIONS, "--out", folder / "out.csv")
    assert done.returncode == BAD_CONFIGURATION
    assert len(lines_of(done)) == 1


def test_a_new_folder_is_made_and_gone_again_on_failure(tmp_path: Path) -> None:
    data = data_file(tmp_path)
    out = tmp_path / "new" / "deep" / "out.csv"
    assert run("simulate", data, "--model", OCCASIONS, "--out", out).returncode == ANSWERED
    assert [p.name for p in out.parent.iterdir()] == ["out.csv"]
    other = tmp_path / "other" / "out.csv"
    bad = data_file(tmp_path, DATA.replace("400", "much"), "bad.csv")
    assert run("simulate", bad, "--model", OCCASIONS, "--out", other).returncode == UNREADABLE_INPUT
    assert not other.parent.exists()


NO_STEADY_STATE = """
doses = [{ compartment = "central" }]
[model]
id = "example/stuck"
title = "Nothing leaves where the clearance is 0"
drug = "example"
revision = 1
[covariates.clearance]
unit = "L/h"
default = 5
[parameters]
V = { value = 100, unit = "L" }
[compartments]
central = {}
[[flows]]
from = "central"
rate = "clearance / V"
[outputs.plasma]
prediction = "central / V"
unit = "mg/L"
error = { kind = "proportional", proportional = "0.1" }
"""


def test_a_patient_without_a_prediction_has_empty_cells_and_a_reason(tmp_path: Path) -> None:
    """No clearance, no steady state: status 1 where some patients have predictions, 2 where none has."""
    model = data_file(tmp_path, NO_STEADY_STATE, "stuck.toml")
    rows = "{0},0,1,100,12,1,{1}\n{0},6,0,.,.,.,{1}\n"
    head = "ID,TIME,EVID,AMT,II,SS,clearance\n"
    some = data_file(tmp_path, head + rows.format("A", 5) + rows.format("B", 0), "some.csv")
    out = tmp_path / "out.csv"
    done = run("simulate", some, "--model", model, "--out", out)
    assert done.returncode == SOME_NOT_ANSWERED, done.stderr
    assert "error: patient B has no prediction: there is no steady state" in lines_of(done)
    # Closed form at steady state: D/V · exp(−k·6 h)/(1 − exp(−k·12 h)), k = 0.05/h; to 1e-9.
    frame = pd.read_csv(out)
    assert frame["population"][0] == pytest.approx(np.exp(-0.3) / (1 - np.exp(-0.6)), rel=1e-9)
    assert np.isnan(frame["population"][1])
    out.unlink()
    none = data_file(tmp_path, head + rows.format("B", 0), "none.csv")
    done = run("simulate", none, "--model", model, "--out", out)
    assert done.returncode == NOTHING_ANSWERED
    assert any("could not be predicted" in line for line in lines_of(done))
    assert not out.exists()
