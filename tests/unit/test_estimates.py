"""`troughline.estimate`: every patient in every table, the same numbers however the file is cut."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import troughline
from tests.unit.estimate_sample import small_model, write_rows
from troughline.cohort.nonmem import read_nonmem
from troughline.pk import estimates as estimates_module
from troughline.pk import work
from troughline.pk.estimate_tables import table_kinds
from troughline.pk.estimates import Estimates
from troughline.pk.individual import estimate_individuals
from troughline.report.estimates import FILES

HEADER = "ID,TIME,EVID,AMT,II,ADDL,DV,BLQ,LLOQ,OCC,weight"
ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "src" / "troughline" / "examples"


def _file(folder: Path, n: int = 6) -> Path:
    """n patients with two visits; every third has one level below 0.2 mg/L; the last has no sample."""
    rows: list[str] = []
    rng = np.random.default_rng(4)
    for i in range(n):
        weight = 50 + 5 * i
        rows.append(f"P{i},0,1,{100 + 20 * i},12,20,.,.,.,1,{weight}")
        if i == n - 1:
            continue
        for time, occasion in ((10, 1), (27, 1), (100, 2)):
            below = i % 3 == 2 and time == 100
            level = "." if below else f"{2.5 * np.exp(rng.normal(0, 0.3)):.3f}"
            rows.append(f"P{i},{time},0,.,.,.,{level},{int(below)},0.2,{occasion},{weight}")
    return write_rows(folder, HEADER, rows)


def _estimate(data: Path, **options: Any) -> Estimates:
    chosen: dict[str, Any] = {"draws": 300, "simulations": 200, "seed": 3, **options}
    model = chosen.pop("model", None) or small_model(occasions=True)
    return troughline.estimate(data, model, **chosen)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Estimates:
    """Estimates of six patients with a model that varies between occasions."""
    return _estimate(_file(tmp_path_factory.mktemp("data")))


def test_tables_have_their_columns_and_every_patient(made: Estimates) -> None:
    """Columns as `table_kinds` lists them; six patients in each table, in the file's order."""
    kinds = table_kinds(("eta_CL", "eta_V", "kappa_CL@1", "kappa_CL@2"))
    for name, columns in kinds.items():
        table: pd.DataFrame = getattr(made, name)
        assert list(table.columns) == list(columns)
        # The last patient has no observation record, so no prediction.
        everyone = [f"P{i}" for i in range(5 if name == "predictions" else 6)]
        assert list(dict.fromkeys(table["patient"])) == everyone


def test_individuals_are_the_estimates(made: Estimates, tmp_path: Path) -> None:
    """Effects, the lower triangle of the covariance and both objectives: to the last bit."""
    model = small_model(occasions=True)
    alone = estimate_individuals(model, read_nonmem(_file(tmp_path), model.spec).records)
    table = made.individuals
    for i, a in enumerate(alone.names):
        effects = alone.effects[:, i].copy()
        effects[alone.n_effects <= i] = np.nan
        assert np.array_equal(table[a], effects, equal_nan=True)
        for j, b in enumerate(alone.names[: i + 1]):
            known = alone.n_effects > i
            assert np.array_equal(table[f"cov_{a}_{b}"][known], alone.covariance[known, i, j])
    assert np.array_equal(table["objective"], alone.objective)
    assert np.array_equal(table["objective_focei"], alone.objective_focei)
    assert table["n_observations"].tolist() == [3, 3, 3, 3, 3, 0]
    assert table["status"].tolist() == ["estimated"] * 5 + ["no observation: the prior"]
    assert table["method"].tolist() == ["importance"] * 5 + ["prior"]
    assert (table["effective_sample_size"] > 100).all()
    assert np.isnan(table["kappa_CL@2"].iloc[5])


def test_predictions_stand_beside_the_samples(made: Estimates, tmp_path: Path) -> None:
    """The level as written, the censored one by its limit; residuals are (log y − log f)/SD to 1e-9."""
    table = made.predictions
    read = pd.read_csv(_file(tmp_path), na_values=".")
    written = read[read["EVID"] == 0]
    assert np.array_equal(table["observed"], written["DV"], equal_nan=True)
    assert table["row"].tolist() == (written.index + 2).tolist()
    below = table["censoring"] == "below"
    assert below.sum() == 1
    assert table["limit"][below].tolist() == [0.2]
    assert table["iwres"][below].isna().all()
    residual = np.log(table["observed"] / table["individual"]) / table["individual_sd"]
    assert np.allclose(residual[~below], table["iwres"][~below], rtol=1e-9)
    assert table["individual_sd"].tolist() == pytest.approx([0.2] * 15)
    assert table["prior_tail_probability"].between(0, 1).all()


def test_exposure_has_the_intervals_of_samples_and_the_last(made: Estimates) -> None:
    """Samples at 10, 27 and 100 h under a dose every 12 h; areas bracket their medians."""
    table = made.exposure
    first = table[table["patient"] == "P0"]
    assert first["start_h"].tolist() == [0, 24, 96]
    assert (first["interval_h"] == 12).all()
    for quantity in ("trough", "cmax", "auc", "average"):
        assert (table[f"{quantity}_low"] < table[f"{quantity}_median"]).all()
        assert (table[f"{quantity}_median"] < table[f"{quantity}_high"]).all()
    assert table["average_median"].to_numpy() == pytest.approx(table["auc_median"].to_numpy() / 12)
    assert (table["trough_median"] <= table["cmax_median"]).all()


def test_parameters_are_those_of_the_last_occasion(made: Estimates) -> None:
    """CL = 4·exp(η + κ of the second occasion), V = 70·weight/70·exp(η): to 1e-12; intervals hold them."""
    table = made.parameters.pivot(index="patient", columns="parameter")
    individuals = made.individuals.set_index("patient")
    cl = 4 * np.exp(individuals["eta_CL"] + individuals["kappa_CL@2"].fillna(individuals["kappa_CL@1"]))
    v = np.array([50, 55, 60, 65, 70, 75]) * np.exp(individuals["eta_V"])
    assert table["estimate", "CL"].to_numpy() == pytest.approx(cl.to_numpy(), rel=1e-12)
    assert table["estimate", "V"].to_numpy() == pytest.approx(v.to_numpy(), rel=1e-12)
    for name in ("CL", "V"):
        assert (table["low", name] < table["median", name]).all()
        assert (table["median", name] < table["high", name]).all()
    # F follows from a covariate alone.
    assert set(table["high", "F"]) == set(table["low", "F"]) == {1.0}
    assert set(made.parameters["unit"]) == {"L/h", "L", "1"}


def test_draws_and_first_order_agree_where_samples_are_many(tmp_path: Path) -> None:
    """Twelve samples: medians within 5 %, bounds within 8 %; without draws there is nothing effective."""
    rows = ["1,0,1,400,12,20,.,.,.,1,70"]
    level = [6.9, 6.0, 5.9, 5.5, 4.8, 8.3, 7.2, 7.0, 6.1, 10.0, 9.3, 8.2]
    times = [0.5, 2, 4, 6, 11, 13, 15, 17, 23, 49, 52, 58]
    rows += [f"1,{t},0,.,.,.,{y},0,.,1,70" for t, y in zip(times, level, strict=True)]
    data = write_rows(tmp_path, HEADER, rows)
    model = small_model()
    drawn, first = (_estimate(data, model=model, draws=n) for n in (2000, 0))
    for bound, tolerance in (("median", 0.05), ("low", 0.08), ("high", 0.08)):
        for table in ("exposure", "parameters"):
            a, b = (
                getattr(one, table).filter(regex=f"{bound}$").to_numpy(dtype=float) for one in (drawn, first)
            )
            assert b == pytest.approx(a, rel=tolerance)
    assert first.individuals["method"].tolist() == ["first order"]
    assert first.individuals["effective_sample_size"].isna().all()
    assert "no draws were asked for" in " ".join(first.contents["notes"])


def test_how_the_file_is_cut_and_threads_change_nothing(
    made: Estimates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two patients at a time, on three threads: every table to the last bit, and the same tests."""
    monkeypatch.setattr(estimates_module, "_MOST_PATIENTS_DRAWN", 2)
    again = _estimate(_file(tmp_path), threads=3)
    for name in ("individuals", "predictions", "exposure", "parameters"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(made, name), check_exact=True)
    assert again.contents["outputs"] == made.contents["outputs"]
    assert again.contents["random_effects"] == made.contents["random_effects"]
    other = _estimate(_file(tmp_path), seed=4)
    assert not np.array_equal(other.exposure["auc_low"], made.exposure["auc_low"])
    assert np.array_equal(other.individuals["eta_CL"], made.individuals["eta_CL"])


def test_shrinkage_and_counts(made: Estimates) -> None:
    """1 − SD(η̂)/ω of the five patients with samples, of ten occasions between them: to 1e-9."""
    effects = {e["name"]: e for e in made.contents["random_effects"]}
    eta = made.individuals["eta_CL"].iloc[:5]
    assert effects["eta_CL"]["shrinkage_sd"] == pytest.approx(1 - eta.std() / 0.3, rel=1e-9)
    assert (effects["eta_CL"]["n"], effects["kappa_CL"]["n"]) == (5, 10)
    counts = made.contents["counts"]
    assert (counts["patients"], counts["samples"], counts["below_limit"]) == (6, 15, 1)
    assert (counts["without_samples"], counts["not_estimated"], counts["diagnosed"]) == (1, 0, 5)
    assert counts["doses"] == 5 * 9 + 1
    assert set(made.contents["provenance"]["inputs"]) == {"data.csv", "model drug/small"}


def test_without_samples_every_estimate_is_the_prior_and_says_so(tmp_path: Path) -> None:
    """Effects 0, the prior's covariance, one line; exposure spreads as the prior does."""
    data = write_rows(tmp_path, HEADER, ["1,0,1,100,12,0,.,.,.,1,70"])
    result = _estimate(data, model=small_model(), draws=4000)
    assert result.individuals[["eta_CL", "eta_V", "objective"]].to_numpy().tolist() == [[0, 0, 0]]
    assert result.individuals["cov_eta_CL_eta_CL"].tolist() == [pytest.approx(0.09)]
    assert len(result.predictions) == 0
    assert result.contents["notes"][0].startswith("No samples: every estimate is the prior")
    clearance = result.parameters.set_index("parameter").loc["CL"]
    factor = np.exp(1.645 * 0.3)
    assert clearance["low"] == pytest.approx(4 / factor, rel=0.05)
    assert clearance["high"] == pytest.approx(4 * factor, rel=0.05)


def test_a_patient_without_an_estimate_is_in_every_table_with_the_reason(tmp_path: Path) -> None:
    """Proportional error has no likelihood where the prediction is 0; without a dose there is no interval."""
    model = small_model(kind="proportional")
    rows = ["A,0,0,.,.,.,1.0,0,.,1,70", "A,1,1,100,12,0,.,.,.,1,70", "B,0,1,100,12,0,.,.,.,1,70",
            "B,5,0,.,.,.,1.0,0,.,1,70", "C,5,0,.,.,.,1.0,0,.,1,70"]  # fmt: skip
    result = _estimate(write_rows(tmp_path, HEADER, rows), model=model)
    for name in ("individuals", "predictions", "exposure", "parameters"):
        table = getattr(result, name).set_index("patient")
        assert list(dict.fromkeys(table.index)) == ["A", "B", "C"]
        assert table.loc[["A"], "status"].str.startswith("no likelihood").all()
    assert result.individuals["eta_CL"].isna().tolist() == [True, False, True]
    assert result.predictions["individual"].isna().tolist() == [True, False, True]
    assert result.exposure.set_index("patient").loc["C", "status"] == "no dose: no dosing interval"
    assert result.contents["counts"]["not_estimated"] == 2
    assert [p["patient"] for p in result.contents["not_estimated"]] == ["A", "C"]
    weighted = _estimate(write_rows(tmp_path, HEADER, rows), model=model, zero_weight=1.0)
    assert weighted.contents["counts"]["not_estimated"] == 0


def test_levels_are_in_the_unit_of_the_output(made: Estimates, tmp_path: Path) -> None:
    """In ng/mL every level, area and limit is a thousand times that in mg/L: to 1e-9."""
    rows = pd.read_csv(_file(tmp_path), dtype=str)
    measured = rows["DV"] != "."
    rows.loc[measured, "DV"] = (rows.loc[measured, "DV"].astype(float) * 1000).map("{:.0f}".format)
    rows["LLOQ"] = rows["LLOQ"].replace("0.2", "200")
    rows.to_csv(tmp_path / "ng.csv", index=False)
    other = _estimate(tmp_path / "ng.csv", model=small_model(occasions=True, unit="ng/mL"))
    assert set(other.exposure["unit"]) == {"ng/mL"}
    for table, columns in (
        ("predictions", ["observed", "limit", "population", "individual"]),
        ("exposure", ["trough_low", "cmax_median", "auc_high", "average_median"]),
    ):
        a, b = (getattr(one, table)[columns].to_numpy() for one in (other, made))
        assert np.allclose(a, 1000 * b, rtol=1e-9, equal_nan=True)
    assert np.array_equal(
        other.predictions["observed"].dropna(), 1000 * made.predictions["observed"].dropna()
    )


def test_an_inflated_prior_lets_samples_weigh_more(made: Estimates, tmp_path: Path) -> None:
    """Four times the covariance: estimates lie further out, and the note says why."""
    wide = _estimate(_file(tmp_path), prior_inflation=4.0)
    assert wide.individuals["eta_CL"].abs().sum() > made.individuals["eta_CL"].abs().sum()
    assert "multiplied by 4" in " ".join(wide.contents["notes"])
    assert np.array_equal(
        wide.predictions["prior_tail_probability"], made.predictions["prior_tail_probability"]
    )


def test_a_large_file_is_worked_on_to_first_order_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More patients than `MOST_DRAWN`: no draws unless they are asked for; figures of some patients."""
    monkeypatch.setattr(work, "MOST_DRAWN", 4)
    monkeypatch.setattr(work, "MOST_DIAGNOSED", 3)
    monkeypatch.setattr(work, "FEWEST_DIAGNOSED", 3)
    large = _estimate(_file(tmp_path), draws=None)
    assert large.contents["options"]["draws"] == 0
    notes = " ".join(large.contents["notes"])
    assert "to first order around the estimate: the file has more than" in notes
    assert "Figures and simulations are of 3 of 5 patients" in notes
    assert large.contents["outputs"][0]["npde"]["n"] == 9
    asked = _estimate(_file(tmp_path), draws=100)
    assert asked.contents["options"]["draws"] == 100


@pytest.mark.parametrize(("clearance", "contradicted"), [(4.0, False), (6.0, True)])
def test_simulations_tell_whether_the_model_made_the_data(
    tmp_path: Path, clearance: float, contradicted: bool
) -> None:
    """NPDE of 150 patients, a third of levels below the limit: p above 0.05, or below 1e-6 at 1.5 · CL."""
    rng = np.random.default_rng(11)
    rows: list[str] = []
    for i in range(150):
        cl, v = clearance * np.exp(rng.normal(0, 0.3)), 70 * np.exp(rng.normal(0, 0.2))
        rows.append(f"{i},0,1,100,12,20,.,.,.,1,70")
        for time in (3, 59, 131):
            given = time - 12.0 * np.arange(time // 12 + 1)
            level = float(np.sum(100 / v * np.exp(-cl / v * given)) * np.exp(rng.normal(0, 0.2)))
            below = level < 1.2
            rows.append(f"{i},{time},0,.,.,.,{'.' if below else f'{level:.4f}'},{int(below)},1.2,1,70")
    data = write_rows(tmp_path, HEADER, rows)
    result = _estimate(data, model=small_model(), draws=0, simulations=1000)
    p = result.contents["outputs"][0]["npde"]["global_p"]
    assert (p < 1e-6) if contradicted else (p > 0.05)


def test_a_study_file_is_read_as_data(tmp_path: Path) -> None:
    """The bundled example: its 26 patients and their samples of sorafenib, marked as simulated."""
    model = small_model(output="sorafenib")
    study = EXAMPLES / "exposure-window" / "study.toml"
    result = _estimate(study, model=model, draws=0, simulations=0)
    assert result.contents["data"]["simulated"]
    assert result.contents["counts"]["patients"] == len(result.individuals) == 26
    measured = pd.read_csv(EXAMPLES / "exposure-window" / "measurements.csv")
    assert len(result.predictions) == (measured["analyte"] == "sorafenib").sum()
    rows = result.predictions["row"].to_numpy() - 2
    assert np.allclose(measured["value"].to_numpy()[rows], result.predictions["observed"])


def test_a_result_is_written_as_the_command_writes_it(
    made: Estimates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`troughline.write`: the six files; tables read back equal."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1790000000")
    troughline.write(made, tmp_path / "out")
    assert sorted(f.name for f in (tmp_path / "out").iterdir()) == sorted(FILES)
    back = pd.read_csv(tmp_path / "out" / "exposure.csv")
    pd.testing.assert_frame_equal(back, made.exposure, check_dtype=False)


@pytest.mark.parametrize(
    "options",
    [{"draws": -1}, {"seed": -1}, {"simulations": -1}, {"interval_h": 0}, {"prior_inflation": 0},
     {"zero_weight": -1.0}],
)  # fmt: skip
def test_an_option_outside_its_range_is_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    """A `ValueError` that names it, before anything is read."""
    with pytest.raises(ValueError, match=next(iter(options)).replace("interval_h", "dosing interval")):
        _estimate(tmp_path / "nothing.csv", **options)


def test_the_documentation_names_every_column_and_option() -> None:
    """docs/estimate.md: each column of each table, each option of the command, each file."""
    text = (ROOT / "docs" / "estimate.md").read_text(encoding="utf-8")
    for columns in table_kinds(()).values():
        for column in columns:
            quantity, _, bound = column.partition("_")
            short = f"`{quantity}_…`" if bound in ("median", "low", "high") else f"`{column}`"
            assert f"`{column}`" in text or short in text, column
    command = (ROOT / "src" / "troughline" / "cli" / "estimate.py").read_text(encoding="utf-8")
    options = set(re.findall(r'"(--[a-z-]+)"', command))
    assert len(options) > 10
    for name in options - {"--model", "--out"}:
        assert f"| `{name}" in text, name
    for file in FILES:
        assert f"`{file}`" in text, file
