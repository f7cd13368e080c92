"""`troughline estimate` as a user meets it: files, statuses, mistakes, nothing by halves."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.system.run import troughline
from tests.unit.estimate_sample import model_text
from troughline.report.estimates import FILES

HEADER = "ID,TIME,EVID,AMT,II,ADDL,DV,WT"
EXAMPLE = Path(__file__).resolve().parents[2] / "src" / "troughline" / "examples" / "estimate" / "data.csv"
GOOD = (
    "1,0,1,100,12,9,.,60", "1,11,0,.,.,.,1.4,60", "1,35,0,.,.,.,3.1,60", "2,0,1,200,12,9,.,80",
    "2,30,0,.,.,.,3.3,80",
)  # fmt: skip
BEFORE_ANY_DOSE = ("3,0,0,.,.,.,1.0,70", "3,1,1,100,12,9,.,70")


def _write(folder: Path, *rows: str, kind: str = "proportional") -> tuple[Path, Path]:
    data, model = folder / "data.csv", folder / "small.toml"
    data.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    model.write_text(model_text(kind=kind), encoding="utf-8")
    return data, model


def _options(model: Path, out: Path, *more: str) -> list[str | Path]:
    few = ["--draws", "200", "--simulations", "150", "--column", "weight=WT"]
    return ["--model", model, "--out", out, *few, *more]


def test_every_file_is_written(tmp_path: Path) -> None:
    """Six files: tables of both patients, what was done in `result.json`, the model's name on the page."""
    data, model = _write(tmp_path, *GOOD)
    out = tmp_path / "new" / "out"
    done = troughline("estimate", data, *_options(model, out, "--simulated"))
    assert done.returncode == 0, done.stderr
    assert sorted(f.name for f in out.iterdir()) == sorted(FILES)
    assert "2 of 2 patients estimated from 3 samples" in done.stdout
    assert "SIMULATED DATA" in done.stdout
    result = json.loads((out / "result.json").read_text(encoding="utf-8"))
    assert result["options"]["draws"] == 200
    assert result["counts"]["by_status"] == {"estimated": 2}
    assert set(result["provenance"]["inputs"]) == {"data.csv", "model drug/small"}
    individuals = pd.read_csv(out / "individuals.csv")
    assert list(individuals.columns)[:6] == [
        "patient", "eta_CL", "eta_V", "cov_eta_CL_eta_CL", "cov_eta_V_eta_CL", "cov_eta_V_eta_V",
    ]  # fmt: skip
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "drug/small" in page
    assert "SIMULATED DATA" in page


def test_what_is_written_can_be_simulated_with(tmp_path: Path) -> None:
    """`simulate --individuals individuals.csv` gives the individual predictions of predictions.csv."""
    data, model = _write(tmp_path, *GOOD)
    out = tmp_path / "out"
    assert troughline("estimate", data, *_options(model, out, "--no-report")).returncode == 0
    again = tmp_path / "again.csv"
    done = troughline(
        "simulate", data, "--model", model, "--out", again, "--column", "weight=WT", "--individuals",
        out / "individuals.csv",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(out / "predictions.csv")
    assert pd.read_csv(again)["individual"].tolist() == pytest.approx(table["individual"].tolist(), rel=1e-9)


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_threads(tmp_path: Path) -> None:
    """Every file, one thread and three; another seed moves the intervals."""
    data, model = _write(tmp_path, *GOOD)
    runs = {"a": ("--threads", "1"), "b": ("--threads", "3"), "c": ("--seed", "8")}
    for name, more in runs.items():
        assert troughline("estimate", data, *_options(model, tmp_path / name, *more)).returncode == 0
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    changed = {n for n in FILES if (tmp_path / "a" / n).read_bytes() != (tmp_path / "c" / n).read_bytes()}
    assert "exposure.csv" in changed


@pytest.mark.parametrize(
    ("rows", "status", "said"),
    [
        ((*GOOD, *BEFORE_ANY_DOSE), 1, "patient 3 has no estimate: no likelihood"),
        (BEFORE_ANY_DOSE, 2, "patient 3 has no estimate: no likelihood"),
    ],
)
def test_patients_without_an_estimate_are_said_and_written(
    tmp_path: Path, rows: tuple[str, ...], status: int, said: str
) -> None:
    """Status 1 where some, 2 where all; they stand in the tables with the reason; W = 1 estimates them."""
    data, model = _write(tmp_path, *rows)
    done = troughline("estimate", data, *_options(model, tmp_path / "out"))
    assert done.returncode == status, done.stderr
    assert said in done.stderr
    for name in ("individuals", "predictions", "exposure", "parameters"):
        table = pd.read_csv(tmp_path / "out" / f"{name}.csv", dtype={"patient": str}).set_index("patient")
        assert table.loc[["3"], "status"].str.startswith("no likelihood").all()
    weighted = troughline("estimate", data, *_options(model, tmp_path / "out", "--zero-weight", "1"))
    assert weighted.returncode == 0, weighted.stderr


def test_without_samples_one_line_says_that_it_is_the_prior(tmp_path: Path) -> None:
    """Status 0: the prior prediction is an answer."""
    data, model = _write(tmp_path, GOOD[0], GOOD[3])
    done = troughline("estimate", data, *_options(model, tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert sum("No samples: every estimate is the prior" in line for line in done.stdout.splitlines()) == 1
    assert len(pd.read_csv(tmp_path / "out" / "exposure.csv")) == 2


def test_without_a_report_an_old_page_goes_and_a_stranger_stays(tmp_path: Path) -> None:
    """`--no-report` leaves no page of an earlier run; a page that is not ours and other files are left."""
    data, model = _write(tmp_path, *GOOD)
    out = tmp_path / "out"
    troughline("estimate", data, *_options(model, out))
    (out / "notes.txt").write_text("mine")
    assert troughline("estimate", data, *_options(model, out, "--no-report")).returncode == 0
    assert not (out / "report.html").exists()
    (out / "report.html").write_text("<p>mine</p>")
    assert troughline("estimate", data, *_options(model, out, "--no-report")).returncode == 0
    assert (out / "report.html").read_text() == "<p>mine</p>"
    assert (out / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["data.csv", "--model", "drug/none", "--out", "out"], 3, "drug/none"),
        (
            ["data.csv", "--model", "small.toml", "--out", "out", "--prior-inflation", "0"],
            3,
            "prior_inflation",
        ),
        (["data.csv", "--model", "small.toml", "--out", "out", "--interval-h", "-1"], 3, "dosing interval"),
        (["data.csv", "--model", "small.toml", "--out", "out", "--draws", "-1"], 3, "--draws"),
        (["data.csv", "--model", "small.toml", "--out", "out", "--column", "weight"], 3, "NAME=COLUMN"),
        (["data.csv", "--model", "small.toml", "--out", "out", "--column", "height=WT"], 4, "height"),
        (["study.toml", "--model", "small.toml", "--out", "out", "--column", "weight=WT"], 3, "study file"),
        (["study.toml", "--model", "small.toml", "--out", "out"], 3, "study.toml"),
        (["data.csv", "--model", "small.toml", "--out", "data.csv"], 3, "not a folder"),
        (["none.csv", "--model", "small.toml", "--out", "out"], 4, "none.csv"),
        (["bad.csv", "--model", "small.toml", "--out", "out"], 4, "bad.csv row 3 column DV"),
        (["data.csv", "--model", "singular.toml", "--out", "out"], 3, "singular"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    tmp_path: Path, arguments: list[str], status: int, said: str
) -> None:
    """Status 3 for what was asked, 4 for the data; no traceback, no folder."""
    _, model = _write(tmp_path, *GOOD)
    (tmp_path / "bad.csv").write_text(f"{HEADER}\n{GOOD[0]}\n1,11,0,.,.,.,high,60\n", encoding="utf-8")
    (tmp_path / "study.toml").write_text("[study]\n", encoding="utf-8")
    singular = model.read_text(encoding="utf-8").replace(
        "[[0.09, 0], [0, 0.04]]", "[[0.04, 0.04], [0.04, 0.04]]"
    )
    (tmp_path / "singular.toml").write_text(singular, encoding="utf-8")
    done = troughline("estimate", *arguments, cwd=tmp_path)
    assert done.returncode == status, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".troughline-*"))


def test_data_are_not_written_over(tmp_path: Path) -> None:
    """DATA that is called as a file of the result stays; so does everything else."""
    data, model = _write(tmp_path, *GOOD)
    renamed = data.rename(tmp_path / "exposure.csv")
    before = renamed.read_bytes()
    done = troughline("estimate", renamed, *_options(model, tmp_path))
    assert done.returncode == 3
    assert "it is what would be read" in done.stderr
    assert renamed.read_bytes() == before
    assert not (tmp_path / "individuals.csv").exists()


@pytest.mark.slow
def test_the_bundled_example_has_what_its_readme_says(tmp_path: Path) -> None:
    """Twelve patients: two levels below the limit, one slipped decimal point, one without samples."""
    done = troughline(
        "estimate", EXAMPLE, "--model", "sorafenib/hcc", "--out", tmp_path / "out", "--draws", "0",
        "--simulations", "0", "--simulated",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    individuals = pd.read_csv(tmp_path / "out" / "individuals.csv").set_index("patient")
    predictions = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert len(individuals) == 12
    assert individuals.loc["SIM-12", "status"] == "no observation: the prior"
    assert (predictions["censoring"] == "below").sum() == 2
    flagged = predictions[predictions["flag"].notna()]
    assert flagged[["patient", "flag"]].to_numpy().tolist() == [
        ["SIM-07", "far outside the prior prediction"]
    ]
    assert "CALIBRATED TO AGGREGATE DATA" in done.stdout
