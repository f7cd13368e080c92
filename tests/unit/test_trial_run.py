"""Virtual trials: the same numbers however they are run, streaming, and what results hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq  # pyright: ignore[reportMissingTypeStubs]
import pytest

from tests.unit.test_trial_setup import trial
from troughline.issues import InputError
from troughline.trial import cells, run, stream
from troughline.trial.gather import effective, equally, middle, middles, succeeds, wilson
from troughline.trial.run import run_trial
from troughline.trial.setup import Setup, setup_of, with_replicates, with_seed, with_size
from troughline.trial.statistics import numbers_of


def made(**changes: Any) -> Setup:
    """A small trial."""
    setup, found = setup_of(trial(**changes), name="trial.toml", sha256="0")
    assert setup is not None, [f.line() for f in found]
    return setup


def rows(path: Path) -> dict[str, list[Any]]:
    """A file of patients as columns."""
    table: Any = pq.read_table(path)  # pyright: ignore[reportUnknownMemberType]
    return table.to_pydict()


def without_date(contents: dict[str, Any]) -> str:
    """Contents as text, without the moment they were made."""
    return json.dumps({**contents, "provenance": {**contents["provenance"], "created": ""}})


def test_workers_do_not_change_the_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One worker and three, several batches an arm: the same contents and the same patients."""
    monkeypatch.setattr(run, "BATCH", 8)
    setup = made()
    one = run_trial(setup, workers=1, patients=tmp_path / "one.parquet")
    three = run_trial(setup, workers=3, patients=tmp_path / "three.parquet")
    assert without_date(one.contents) == without_date(three.contents)
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "three.parquet").read_bytes()
    assert one.n_patients == 2 * 2 * 20


def test_a_patient_follows_from_seed_and_id(tmp_path: Path) -> None:
    """In a trial twice as large the first patients are the same; with another seed they are not."""
    small, large, other = (tmp_path / f"{k}.parquet" for k in "abc")
    setup = with_replicates(made(), 1)
    run_trial(setup, patients=small)
    run_trial(with_size(setup, 40), patients=large)
    run_trial(with_seed(setup, 5), patients=other)
    a, b, c = rows(small), rows(large), rows(other)
    for arm in ("placebo", "sorafenib"):
        first = [x for x, name in zip(a["os_day"], a["arm"], strict=True) if name == arm]
        again = [x for x, name in zip(b["os_day"], b["arm"], strict=True) if name == arm][:20]
        assert first == again
    assert a["os_day"] != c["os_day"]


def test_the_same_patients_in_every_arm(tmp_path: Path) -> None:
    """`patients = "same"`: ids and covariates agree between arms; randomised ones do not."""
    header = {"title": "t", "replicates": 1, "horizon_months": 6}
    run_trial(made(trial={**header, "patients": "same"}), patients=tmp_path / "same.parquet")
    run_trial(made(trial=header), patients=tmp_path / "other.parquet")
    same, other = rows(tmp_path / "same.parquet"), rows(tmp_path / "other.parquet")
    assert same["patient"][:20] == same["patient"][20:]
    assert same["albumin"][:20] == same["albumin"][20:]
    assert not set(other["patient"][:20]) & set(other["patient"][20:])


def test_patients_are_written_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows leave memory when there are enough of them: the file has several groups, and every patient."""
    monkeypatch.setattr(stream, "ROWS", 40)
    monkeypatch.setattr(run, "BATCH", 10)
    path = tmp_path / "patients.parquet"
    run_trial(made(), patients=path)
    file: Any = pq.ParquetFile(path)  # pyright: ignore[reportUnknownMemberType]
    assert file.metadata.num_rows == 80
    assert file.metadata.num_row_groups == 2
    got = rows(path)
    assert len(set(zip(got["replicate"], got["arm"], got["patient"], strict=True))) == 80


def test_a_failed_run_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in the middle: nothing stands where the patients were to be written."""
    calls: list[int] = []

    def broken(cell: cells.Cell) -> cells.CellResult:
        calls.append(1)
        if len(calls) > 2:
            raise RuntimeError("a disk full")
        return cells.run_cell(cell)

    monkeypatch.setattr("troughline.trial.schedule.run_cell", broken)
    with pytest.raises(RuntimeError, match="a disk full"):
        run_trial(made(), workers=1, patients=tmp_path / "p.parquet")
    assert list(tmp_path.iterdir()) == []


def test_dask_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that names a scheduler, without Dask: a configuration error in one line."""
    import sys

    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match="Dask is not installed") as caught:
        run_trial(made(run={"scheduler": "local"}))
    assert caught.value.configuration


def test_results_agree_with_the_patients(tmp_path: Path) -> None:
    """One replicate, one set: shares of the arm are those counted in the file, and curves start at 1."""
    path = tmp_path / "p.parquet"
    outcome = run_trial(with_size(with_replicates(made(), 1), 60), patients=path)
    got = rows(path)
    treated = [arm == "sorafenib" for arm in got["arm"]]
    arm = outcome.contents["arms"][1]
    estimates = {e["name"]: e for e in arm["estimates"]}
    stable = np.array(got["best"])[treated] == "SD"
    assert estimates["sd"]["value"] == pytest.approx(100 * stable.mean())
    assert estimates["deaths"]["value"] == pytest.approx(100 * np.array(got["died"])[treated].mean())
    assert sum(arm["responses"]["recist"].values()) == pytest.approx(100.0)
    curve = arm["curves"]["os"]
    assert curve["survival"][0] == 1.0
    assert np.all(np.diff(curve["survival"]) <= 0)
    assert curve["at_risk"][0] == 60.0
    escaped = sum(r["share"] for r in arm["routes"])
    assert escaped == pytest.approx(100.0)
    first = next(m for m in arm["markers"] if m["marker"] == "VEGF")
    assert first["ratio"][0] == pytest.approx(1.0)


def test_what_is_not_reached_is_not_made_up() -> None:
    """Nobody dies: the median is without bound, and its estimate has no value."""
    n = 10
    columns: dict[str, Any] = dict.fromkeys(
        ("os_day", "ttp_day", "mttp_day", "stop_day", "severe_day", "growth", "dose_mg"), np.full(n, 50.0)
    )
    columns |= dict.fromkeys(("died", "progressed", "mprogressed"), np.zeros(n, dtype=bool))
    columns |= dict.fromkeys(("best", "mbest", "reductions", "stop_why"), np.full(n, 3))
    numbers = numbers_of(columns)
    assert numbers["os_median"] == np.inf
    assert numbers["ttp_between"] == np.inf
    assert np.isnan(numbers["os_1_year"])


def test_intervals_over_trials() -> None:
    """Medians and central intervals are NumPy's; ∞ sorts last and NaN is left out."""
    x = np.random.default_rng(1).normal(size=101)
    assert middle(x, 0.9) == pytest.approx(tuple(np.quantile(x, [0.5, 0.05, 0.95])))
    value, low, high = middle(np.array([1.0, 2.0, 3.0, np.inf, np.nan]), 0.9)
    assert (value, high) == (2.5, np.inf)
    assert low == pytest.approx(1.15)


def test_success_is_walds_test() -> None:
    """log HR −0.4 with error 0.2: z = −2, won at 0.05 and not at 0.04; nothing is won by harm."""
    assert succeeds(-0.4, 0.2, 0.05)
    assert not succeeds(-0.4, 0.2, 0.04)
    assert not succeeds(0.4, 0.2, 0.05)
    assert not succeeds(float("nan"), float("nan"), 0.05)
    low, high = wilson(7, 10, 0.95)
    assert (low, high) == pytest.approx((0.3968, 0.8922), abs=1e-4)  # Brown 2001, doi 10.1214/ss/1009213286


def test_more_exposure_means_a_higher_level(tmp_path: Path) -> None:
    """Half the clearance about doubles the mean level of those treated."""
    path_a, path_b = tmp_path / "a.parquet", tmp_path / "b.parquet"
    run_trial(made(), patients=path_a)
    run_trial(made(population={"clearance": 0.5}), patients=path_b)

    def level(path: Path) -> float:
        got = rows(path)
        return float(
            np.median([x for x, a in zip(got["mean_level"], got["arm"], strict=True) if a != "placebo"])
        )

    assert 1.5 < level(path_b) / level(path_a) < 2.5


def test_readings_of_potency_weigh_the_same() -> None:
    """100 trials of one reading and 40 of the other: a quarter of the weight is half of either.

    Equal weights give NumPy's quantiles; unweighted, the first reading would hold 5/7 of what is pooled.
    """
    rng = np.random.default_rng(3)
    one, other = rng.uniform(0, 1, 100), rng.uniform(2, 3, 40)
    values, weight = np.concatenate([one, other]), equally(["Kd"] * 100 + ["IC50"] * 40)
    assert weight[:100].sum() == pytest.approx(weight[100:].sum())
    _, low, high = middle(values, 0.5, weight)
    assert low == pytest.approx(np.median(one), abs=0.03)
    assert high == pytest.approx(np.median(other), abs=0.05)
    plain = middle(values, 0.8)
    assert plain == pytest.approx(tuple(np.quantile(values, [0.5, 0.1, 0.9])))
    assert middle(values, 0.8, np.full(140, 7.0)) == pytest.approx(plain)
    assert effective(weight) == pytest.approx(140**2 / (100 * 0.7**2 + 40 * 1.75**2))
    columns = np.column_stack([values, 1 - values])
    for column, triple in zip(columns.T, zip(*middles(columns, 0.9, weight), strict=True), strict=True):
        assert triple == pytest.approx(middle(column, 0.9, weight))


def test_few_trials_have_no_interval() -> None:
    """Four trials, two with each reading: medians without intervals, a finding, success by reading."""
    setup = made(
        trial={"title": "t", "replicates": 2, "horizon_months": 6, "primary": "mttp"}, model={"sets": "best"}
    )
    contents = run_trial(setup, workers=2).contents
    hazard = [e for e in contents["comparisons"][0]["estimates"] if e["name"] == "ttp_hr"]
    assert [e["label"] for e in hazard] == ["", "Kd", "IC50"]
    assert all(e["value"] is not None and e["low"] is None and e["high"] is None for e in hazard)
    assert all("fewer than 40 trials" in e["note"] for e in hazard)
    assert any(f["code"] == "few-trials" for f in contents["issues"])
    assert "% of virtual trials" not in contents["sentence"]
    success = contents["comparisons"][0]["success"]
    assert {s["endpoint"] for s in success} == {"os", "ttp", "mttp"}
    shares = {s["label"]: s["share"] for s in success if s["endpoint"] == "ttp"}
    assert shares[""] == pytest.approx((shares["Kd"] + shares["IC50"]) / 2)


def test_the_sentence_names_every_comparison() -> None:
    """Three arms: both comparisons with their ratios stand in it."""
    arms = [{"id": "placebo", "n": 20, "sorafenib": "none"}, {"id": "sorafenib", "n": 20},
            {"id": "half", "n": 20, "sorafenib": {"dose_mg": 200}}]  # fmt: skip
    sentence = run_trial(made(arm=arms), workers=2).contents["sentence"]
    assert "sorafenib against placebo" in sentence
    assert "half against placebo" in sentence
