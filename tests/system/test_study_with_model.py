"""A study whose levels were drawn at random times: a model makes troughs of them, end to end and in words."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks import modelled

from tests.small_study import table
from tests.system.run import troughline

N = 40
STUDY = """
[study]
title = "Levels at random times"
drug = "sorafenib"
simulated = true

[tables]
patients = "patients.csv"
doses = "doses.csv"
measurements = "measurements.csv"
events = "events.csv"

[covariates]
albi = { unit = "1" }

[[question]]
id = "toxicity-threshold"
kind = "threshold"
predictor = { analyte = "sorafenib", unit = "mg/L", exposure = "model:my-model.toml" }
outcome = { event = "adverse event", grade = ">=3" }
adjust = ["albi"]
optimise = false
at = [3.5]
bootstrap = 200

[[question]]
id = "toxicity-curve"
kind = "curve"
predictor = { analyte = "sorafenib", metric = "auc", unit = "mg*h/L", exposure = "model:my-model.toml" }
outcome = { event = "adverse event", grade = ">=3" }
adjust = ["albi"]

[[question]]
id = "window"
kind = "window"
predictor = { analyte = "sorafenib", unit = "mg/L", exposure = "model:my-model.toml" }
toxicity = { event = "adverse event", grade = ">=3" }
benefit = { response = ["CR", "PR"] }
limits = { benefit_at_least = 0.4, toxicity_at_most = 0.6 }

[[question]]
id = "death"
kind = "survival"
predictor = { analyte = "sorafenib", unit = "mg/L", bands = "median", exposure = "model:my-model.toml" }
outcome = { event = "death" }
"""


def _tables() -> dict[str, str]:
    rng = np.random.default_rng(12)
    truth = modelled.draw_truth(N, rng)
    rows = modelled.sampled_records(truth, rng, sd=0.2, slope=3.0)
    answered = modelled.toxicity(truth, rng, slope=3.0)
    death = rng.exponential(500.0, N) + 210.0
    names = list(rows.patients)
    levels = [*rows.measurements]
    # A second level, in half of the patients long after the event and of no account.
    for patient in names[::2]:
        levels.append({**levels[0], "patient": patient, "day": 200.0, "value": 77.0})
    return {
        "patients.csv": table("patient,albi", (f"{p},{v['albi']:.3f}" for p, v in rows.patients.items())),
        "doses.csv": table("patient,time,amount,unit,interval_h", (f"{p},0,400,mg,12" for p in names)),
        "measurements.csv": table(
            "patient,time,analyte,value,unit,time_after_dose_h",
            (
                f"{r['patient']},{r['day']:g},sorafenib,{r['value']:.6f},mg/L,{r['time_after_dose_h']:.3f}"
                for r in levels
            ),
        ),
        "events.csv": table(
            "patient,time,event,grade,version,response,criterion",
            [
                line
                for i, r in enumerate(e for e in rows.events if e["event"] == "adverse event")
                for line in (
                    f"{r['patient']},{r['day']:g},adverse event,{r['grade']:.0f},5.0,,",
                    f"{r['patient']},56,response,,,{'PR' if answered[i] else 'SD'},RECIST 1.1",
                    f"{r['patient']},{min(death[i], 900.0):.0f},"
                    f"{'death' if death[i] < 900 else 'last contact'},,,,",
                )
            ],
        ),
    }


def _write(folder: Path, study: str = STUDY, **files: str | None) -> Path:
    """The study in a folder; `files` (name without its ending) replaces a table, None leaves it out."""
    folder.mkdir(parents=True, exist_ok=True)
    contents: dict[str, str | None] = {
        **_tables(),
        "my-model.toml": modelled.PRECISE.read_text(encoding="utf-8"),
        **{
            f"{name.replace('_', '-')}.{'toml' if 'model' in name else 'csv'}": f for name, f in files.items()
        },
    }
    for name, text in contents.items():
        if text is not None:
            (folder / name).write_text(text, encoding="utf-8")
    path = folder / "study.toml"
    path.write_text(study, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one run."""
    folder = tmp_path_factory.mktemp("modelled")
    done = troughline("study", _write(folder), "--out", folder / "out")
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr
    return folder / "out"


def _results(out: Path) -> Mapping[str, Any]:
    return json.loads((out / "results.json").read_text(encoding="utf-8"))


def test_every_question_is_answered_from_predicted_exposure(report: Path) -> None:
    """Each has the table of predictions, one row a patient, and says what was done."""
    for q in _results(report)["questions"]:
        assert q["verdict"] in ("answered", "answered with caution"), (q["id"], q["summary"])
        rows = q["tables"]["predicted-exposure"]
        assert len(rows) == N
        assert {r["status"] for r in rows} == {"predicted"}
        carried = (
            "averaged over 15 equal parts" if q["kind"] in ("curve", "window") else "not carried through"
        )
        assert any("sorafenib/one-compartment-precise" in m and carried in m for m in q["methods"])


def test_provenance_names_the_model_and_the_hash_of_its_file(report: Path) -> None:
    results = _results(report)
    (model,) = results["provenance"]["models"]
    digest = results["provenance"]["inputs"]["my-model.toml"]
    assert model == f"sorafenib/one-compartment-precise (SHA-256 {digest})"
    assert results["exposure"]["model"]["sha256"] == digest
    assert results["exposure"]["model"]["reliability"] > 0.7
    page = (report / "report.html").read_text(encoding="utf-8")
    assert page.count(digest) >= 3
    assert re.search(r"predicts? from them for each patient; reliability ratio 0\.\d\d", page)


def test_the_table_of_samples_holds_the_prediction_beside_the_level(report: Path) -> None:
    """The later samples are there and not used; they have no prediction."""
    with (report / "tables" / "exposure.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    used = [r for r in rows if r["used"] == "used"]
    assert len(rows) == N + N // 2
    assert len(used) == N
    for r in used:
        assert float(r["predicted_low"]) < float(r["predicted"]) < float(r["predicted_high"])
        assert r["status"] == "predicted"
        assert 1 <= float(r["time_after_dose_h"]) <= 11
    assert {r["predicted"] for r in rows if r["used"] != "used"} == {""}


def test_predicted_troughs_are_nearer_the_truth_than_the_levels(report: Path) -> None:
    truth = modelled.draw_truth(N, np.random.default_rng(12)).trough
    rows = _results(report)["questions"][0]["tables"]["predicted-exposure"]
    error = [
        [abs(np.log(r[key] / t)) for r, t in zip(rows, truth, strict=True)]
        for key in ("predicted trough (mg/L)", "level as measured (mg/L)")
    ]
    assert np.mean(error[0]) < 0.8 * np.mean(error[1])


def test_an_area_is_held_against_level_times_interval(report: Path) -> None:
    """As published: C·τ, so that both columns are in mg·h/L."""
    curve = next(q for q in _results(report)["questions"] if q["kind"] == "curve")
    assert curve["series"]["curve"]["unit"] == "mg*h/L"
    middle = np.median(curve["series"]["curve"]["observed"]["exposure"])
    assert 20 < middle < 100


def test_later_levels_change_no_answer(report: Path, tmp_path: Path) -> None:
    """Without them: the same estimates in the guarded column, to the last digit."""
    measured = _tables()["measurements.csv"].splitlines()
    early = "\n".join(line for line in measured if ",200,sorafenib" not in line) + "\n"
    study = STUDY[: STUDY.index('[[question]]\nid = "toxicity-curve"')]
    done = troughline("study", _write(tmp_path, study, measurements=early), "--out", tmp_path / "out")
    assert done.returncode in (0, 1), done.stderr

    def guarded(out: Path) -> Any:
        first = _results(out)["questions"][0]
        return [e for e in first["estimates"] if e["method"].startswith("guarded")], first["tables"][
            "predicted-exposure"
        ]

    assert guarded(report) == guarded(tmp_path / "out")


def _found(path: Path, *, status: int) -> list[str]:
    done = troughline("check", path)
    assert done.returncode == status, done.stdout + done.stderr
    return (done.stdout + done.stderr).splitlines()


def test_check_finds_nothing_wrong_with_the_study(tmp_path: Path) -> None:
    lines = _found(_write(tmp_path), status=0)
    assert not [line for line in lines if line.startswith(("error", "warning"))]


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("model:sorafenib/hc", "no model 'sorafenib/hc' in the library; did you mean 'sorafenib/hcc'?"),
        ("model:other.toml", "other.toml cannot be read: No such file or directory"),
        ("sorafenib/hcc", 'write "model:" and a model\'s id or a model file'),
        ("model:regorafenib/keunecke-2020", "does not predict 'sorafenib'"),
    ],
)
def test_check_names_a_model_that_cannot_be_used(written: str, words: str, tmp_path: Path) -> None:
    lines = _found(_write(tmp_path, STUDY.replace("model:my-model.toml", written)), status=3)
    found = [line for line in lines if words in line]
    assert found, lines
    assert all(line.startswith("error: study.toml column question ") for line in found)


def test_check_asks_for_doses(tmp_path: Path) -> None:
    lines = _found(_write(tmp_path, STUDY.replace('doses = "doses.csv"\n', "")), status=3)
    place = "error: study.toml column question window predictor.exposure: "
    assert (
        f"{place}a model predicts exposure from the doses: give tables.doses, a row at each change" in lines
    )


def test_check_asks_for_a_covariate_that_the_model_needs(tmp_path: Path) -> None:
    """Without a default and without a column; in a single patient it is a warning."""
    needs = modelled.PRECISE.read_text(encoding="utf-8").replace("default = 80\n", "")
    lines = _found(_write(tmp_path / "none", my_model=needs), status=3)
    assert any("needs weight (unit kg) and has no default" in line for line in lines), lines
    patients = _tables()["patients.csv"].splitlines()
    held = [f"{line},{'' if i == 1 else 70}" for i, line in enumerate(patients)]
    held[0] = "patient,albi,weight"
    study = STUDY.replace("[covariates]\n", '[covariates]\nweight = { unit = "kg" }\n')
    path = _write(tmp_path / "one", study, my_model=needs, patients="\n".join(held) + "\n")
    lines = _found(path, status=0)
    assert any(
        line.startswith("warning: patients.csv: no value of weight for patient P0001") for line in lines
    ), lines


def test_check_reports_a_faulty_model_file_with_its_line(tmp_path: Path) -> None:
    faulty = modelled.PRECISE.read_text(encoding="utf-8").replace("CL / V", "CL / W")
    lines = _found(_write(tmp_path, my_model=faulty), status=4)
    assert any(line.startswith("error: my-model.toml row ") for line in lines), lines


@pytest.mark.parametrize(
    ("predictor", "words"),
    [
        ('analyte = "sorafenib", unit = "mg*h/L", metric = "auc"', "metric = 'auc' needs a model"),
        (
            'analyte = "sorafenib", unit = "mg/L", metric = "level", exposure = "model:my-model.toml"',
            "metric = 'level' is what was measured",
        ),
        ('covariate = "albi", exposure = "model:my-model.toml"', "exposure goes with an analyte"),
        (
            'analyte = "sorafenib", unit = "mg/L", metric = "auc", exposure = "model:my-model.toml"',
            "metric = 'auc' is an area, such as mg*h/L; 'mg/L' is not",
        ),
    ],
)
def test_check_refuses_what_does_not_go_together(predictor: str, words: str, tmp_path: Path) -> None:
    first = 'predictor = { analyte = "sorafenib", unit = "mg/L", exposure = "model:my-model.toml" }'
    lines = _found(_write(tmp_path, STUDY.replace(first, f"predictor = {{ {predictor} }}", 1)), status=3)
    assert any(words in line for line in lines), lines
