"""NONMEM-style files: every column's meaning, every finding, and the published data sets."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.shared_data import shared
from tests.unit.records_sample import (
    DEPOT,
    LOGGED,
    PARENT_AND_METABOLITE,
    PLASMA,
    covariate_model,
    small_model,
)
from troughline.cohort.nonmem import NonmemData, read_nonmem
from troughline.issues import Findings, InputError, Severity
from troughline.model.records import (
    ABOVE_LIMIT,
    ALL_INPUTS,
    BELOW_LIMIT,
    DOSE,
    MISSING,
    OBSERVATION,
    OTHER,
    QUANTIFIED,
    RESET,
    RESET_AND_DOSE,
)
from troughline.model.spec import ModelSpec

BOTH_DOSES = DEPOT + '[[doses]]\ncompartment = "central"\nduration = "D"\n'
LIMITED = PLASMA.replace("error =", "lower_limit = 50\nerror =")


def _read(
    folder: Path, text: str, spec: ModelSpec, *, columns: dict[str, str | None] | None = None
) -> NonmemData:
    """A file given as words and lines (blanks separate cells)."""
    path = folder / "data.csv"
    path.write_text("\n".join(",".join(line.split()) for line in text.strip().splitlines()) + "\n")
    return read_nonmem(path, spec, columns=columns)


def _errors(folder: Path, text: str, spec: ModelSpec) -> list[tuple[str, int | None, str | None]]:
    with pytest.raises(InputError) as raised:
        _read(folder, text, spec)
    return [(f.code, f.row, f.column) for f in raised.value.findings if f.severity is Severity.ERROR]


def _codes(found: Findings, severity: Severity) -> list[str]:
    return [f.code for f in found if f.severity is severity]


def test_every_row_is_one_record_in_the_files_order(tmp_path: Path) -> None:
    """Events 0 to 4; names of columns in any case; '.', NA and nothing are missing."""
    data = _read(
        tmp_path,
        """
        id Time EVID amt CMT ii ADDL ss dv MDV
        A  0    1    100 1   12 3    1  .  1
        A  1    0    .   2   .  .    .  50 0
        A  2    2    0   .   0  0    0  .  1
        A  3    0    0   2   0  0    0  70 1
        A  4    0    0   2   0  0    0  NA 0
        B  0    3    0   2   0  0    0  .  1
        B  0    4    50  2   0  0    0  .  1
        """,
        small_model(),
    )
    records = data.records
    assert records.patients == ("A", "B")
    assert records.first.tolist() == [0, 5, 7]
    assert records.event.tolist() == [
        DOSE,
        OBSERVATION,
        OTHER,
        OBSERVATION,
        OBSERVATION,
        RESET,
        RESET_AND_DOSE,
    ]
    assert records.amount_mg.tolist() == [100, 0, 0, 0, 0, 0, 50]
    assert (records.interval_h[0], records.additional[0], records.steady_state[0]) == (12, 3, 1)
    assert records.compartment[[0, 6]].tolist() == [0, 1]
    np.testing.assert_array_equal(records.value, [np.nan, 0.05] + [np.nan] * 5)
    assert records.censoring[[1, 3, 4]].tolist() == [QUANTIFIED, MISSING, MISSING]
    assert data.record_rows.tolist() == list(range(2, 9))
    assert data.columns["DV"] == "dv"
    assert set(data.input_hashes) == {"data.csv"}


def test_units_of_the_model_file_become_canonical(tmp_path: Path) -> None:
    """µg, minutes and ng/mL: 6,000 µg at 100 µg/min is 6 mg at 6 mg/h; II 720 min is 12 h."""
    model = small_model(units='time = "min"\namount = "ug"')
    data = _read(
        tmp_path,
        """
        ID TIME EVID AMT  RATE II  ADDL DV
        A  0    1    6000 100  720 1    .
        A  90   0    .    .    .   .    3450
        """,
        model,
    )
    assert data.records.time_h.tolist() == [0, 1.5]
    assert data.records.amount_mg[0] == 6
    assert data.records.rate_mg_per_h[0] == pytest.approx(6, rel=1e-15)
    assert data.records.interval_h[0] == 12
    assert data.records.value[1] == 3.45


def test_a_dose_without_a_rate_enters_as_the_model_says(tmp_path: Path) -> None:
    """A declared duration is −2; an explicit 0 stays a bolus; DUR makes a rate; no CMT is every input, 0."""
    data = _read(
        tmp_path,
        """
        ID TIME AMT CMT     RATE DUR
        A  0    10  .       .    .
        A  1    10  1       .    .
        A  2    10  central .    .
        A  3    10  2       0    .
        A  4    10  2       .    4
        A  5    10  2       -2   .
        """,
        small_model(doses=BOTH_DOSES),
    )
    assert data.records.event.tolist() == [DOSE] * 6
    assert data.records.rate_mg_per_h.tolist() == [0, 0, -2, 0, 2.5, -2]
    assert data.records.compartment.tolist() == [ALL_INPUTS, 0, 1, 1, 1, 1]
    assert "rate-from-model" in _codes(data.findings, Severity.NOTE)


def test_clock_times_count_from_the_patients_first_record(tmp_path: Path) -> None:
    """08:30 on one day to 09:00 on the next is 24.5 h, in either way of writing the day."""
    for first, second in (("2024-02-28", "2024-02-29"), ("1", "2")):
        data = _read(
            tmp_path,
            f"""
            ID DATE     TIME  EVID AMT DV
            A  {first}  08:30 1    10  .
            A  {second} 9:00  0    .   50
            B  {second} 23:15 1    10  .
            """,
            small_model(),
        )
        np.testing.assert_allclose(data.records.time_h, [0, 24.5, 0], atol=1e-9)


def test_clock_times_count_from_the_models_clock_where_it_has_one(tmp_path: Path) -> None:
    """With meals at clock hours and the clock's origin at 7, a dose at 08:30 is at 1.5 h."""
    gates = '[gates.meal]\nkind = "clock"\nat = [8]\nlength = "1[h]"\nclock_origin = 7\n'
    model = small_model(gates=gates, terms=" + 0*meal")
    data = _read(
        tmp_path,
        """
        ID DATE       TIME  AMT DV
        A  2024-02-28 08:30 10  .
        A  2024-02-29 07:00 .   50
        """,
        model,
    )
    np.testing.assert_allclose(data.records.time_h, [1.5, 24.0], atol=1e-9)


def test_an_output_is_picked_by_dvid_and_otherwise_by_cmt(tmp_path: Path) -> None:
    """By name, by number, by the output's compartment."""
    model = small_model(outputs=PARENT_AND_METABOLITE)
    data = _read(
        tmp_path,
        """
        ID TIME EVID AMT CMT DVID       DV
        A  0    1    10  1   .          .
        A  1    0    .   .   Metabolite 1
        A  2    0    .   2   1          1
        A  3    0    .   2   .          1
        A  4    0    .   1   .          1
        """,
        model,
    )
    assert data.records.output.tolist() == [0, 1, 0, 1, 0]
    text = "ID TIME EVID AMT CMT DVID DV\nA 0 0 . . 3 1\nA 1 0 . . . 1\nA 2 0 . 7 . 1\n"
    assert _errors(tmp_path, text, model) == [
        ("unknown-output", 2, "DVID"),
        ("unknown-output", 3, "DVID"),
        ("unknown-output", 4, "DVID"),
    ]


def test_the_log_scale_takes_ldv_or_the_logarithm_of_dv(tmp_path: Path) -> None:
    """In ng/mL against mg/L: log(v) − log(1000). A model without logarithms takes exp(LDV)."""
    text = "ID TIME DV LDV\nA 0 50 4.0\nA 1 50 .\nA 2 . 4.0\n"
    logged = _read(tmp_path, text, small_model(outputs=LOGGED))
    expected = np.array([4.0, math.log(50), 4.0]) - math.log(1000)
    np.testing.assert_allclose(logged.records.value, expected, rtol=1e-14)
    assert _codes(logged.findings, Severity.NOTE).count("log-scale") == 1
    plain = _read(tmp_path, text, small_model())
    np.testing.assert_allclose(plain.records.value, [0.05, 0.05, math.exp(4) / 1000], rtol=1e-14)
    assert _errors(tmp_path, "ID TIME DV\nA 0 0\n", small_model(outputs=LOGGED)) == [
        ("value-not-positive", 2, "DV")
    ]


def test_limits_come_from_the_file_the_model_or_dv(tmp_path: Path) -> None:
    """BLQ with LLOQ, then with the model's limit; CENS with DV as the limit; −1 is above."""
    blq = _read(
        tmp_path, "ID TIME DV BLQ LLOQ\nA 0 0 1 20\nA 1 . 1 .\nA 2 60 0 20\n", small_model(outputs=LIMITED)
    )
    assert blq.records.censoring.tolist() == [BELOW_LIMIT, BELOW_LIMIT, QUANTIFIED]
    np.testing.assert_allclose(blq.records.limit[:2], [0.02, 0.05])
    np.testing.assert_array_equal(blq.records.value, [np.nan, np.nan, 0.06])
    cens = _read(tmp_path, "ID TIME DV CENS LIMIT\nA 0 30 1 .\nA 1 900 -1 .\nA 2 0 1 40\n", small_model())
    assert cens.records.censoring.tolist() == [BELOW_LIMIT, ABOVE_LIMIT, BELOW_LIMIT]
    np.testing.assert_allclose(cens.records.limit, [0.03, 0.9, 0.04])
    logged = _read(tmp_path, "ID TIME DV CENS\nA 0 30 1\n", small_model(outputs=LOGGED))
    assert logged.records.limit[0] == pytest.approx(math.log(0.03), rel=1e-14)
    text = "ID TIME DV CENS LIMIT\nA 0 . 1 .\nA 1 60 1 40\nA 2 60 2 .\n"
    assert _errors(tmp_path, text, small_model()) == [
        ("not-a-flag", 4, "CENS"),
        ("limit-missing", 2, "CENS"),
        ("limit-disagrees", 3, "DV"),
    ]


def test_missing_covariates_are_carried_within_the_patient(tmp_path: Path) -> None:
    """`next`: NONMEM's rule; `last`: the other way; a level by its text or its code."""
    text = """
        ID TIME AMT WEIGHT SEX
        A  0    10  .      male
        A  1    .   70     .
        A  2    .   .      1
        A  3    .   60     Female
        A  4    .   .      .
        B  0    10  .      0
        """
    following = _read(tmp_path, text, covariate_model(carry="next"))
    assert following.records.covariates[:, 0].tolist() == [70, 70, 60, 60, 60, 80]
    assert following.records.covariates[:, 1].tolist() == [0, 1, 1, 1, 1, 0]
    before = _read(tmp_path, text, covariate_model(carry="last"))
    assert before.records.covariates[:, 0].tolist() == [70, 70, 70, 60, 60, 80]
    notes = [f.message for f in following.findings if f.code == "covariate-default"]
    assert notes == ["no value of weight for patient B: the model's default, 80 kg"]


def test_a_covariate_without_a_column_is_said_or_refused(tmp_path: Path) -> None:
    """The note names the value that is taken; without a default there is none to take."""
    text = "ID TIME AMT WT\nA 0 10 60\n"
    data = _read(tmp_path, text, covariate_model(), columns={"weight": "WT"})
    assert data.records.covariates.tolist() == [[60, 0]]
    notes = [f.message for f in data.findings if f.code == "covariate-default"]
    assert notes == ["without a column sex all have the model's default, male"]
    assert _errors(tmp_path, text, covariate_model(default="")) == [("covariate-missing", None, None)]


def test_covariates_are_held_against_both_ranges(tmp_path: Path) -> None:
    """Hard 20–250 kg: an error with its row; soft 40–150 kg: one warning for all."""
    text = "ID TIME AMT WEIGHT SEX\nA 0 10 30 0\nA 1 . 160 0\nB 0 10 {last} 0\n"
    data = _read(tmp_path, text.format(last=39), covariate_model())
    warnings = [f.message for f in data.findings if f.severity is Severity.WARNING]
    assert warnings == ["values outside 40 to 150 kg, the range studied, as far as 30 (rows 2, 3, 4)"]
    assert _errors(tmp_path, text.format(last=10), covariate_model()) == [("covariate-range", 4, "WEIGHT")]
    bad = "ID TIME AMT WEIGHT SEX\nA 0 10 heavy 2\n"
    assert _errors(tmp_path, bad, covariate_model()) == [
        ("not-a-number", 2, "WEIGHT"),
        ("unknown-level", 2, "SEX"),
    ]


def test_occasions_are_counted_within_the_patient(tmp_path: Path) -> None:
    """In order of appearance; a record without one belongs to the occasion before."""
    data = _read(
        tmp_path,
        "ID TIME AMT OCC\nA 0 10 3\nA 1 . .\nA 2 . 1\nA 3 . 3\nB 0 10 .\nB 1 . 2\nB 2 . 7\nC 0 1 .\n",
        small_model(),
    )
    assert data.records.occasion.tolist() == [0, 0, 1, 0, 0, 0, 1, 0]


def test_time_may_begin_anew_at_a_reset(tmp_path: Path) -> None:
    """As NONMEM has it at EVID 3 and 4; an observation at the same time after it is no repetition."""
    data = _read(
        tmp_path,
        "ID TIME EVID AMT DV\nA 0 1 10 .\nA 5 0 . 50\nA 0 4 10 .\nA 5 0 . 50\n",
        small_model(),
    )
    assert data.records.time_h.tolist() == [0, 5, 0, 5]
    assert len(data.findings) == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ID TIME AMT\nA 1 10\nA 0 .\n", [("time-order", 3, "TIME")]),
        ("ID TIME AMT\nA 1 10\nA . .\n", [("missing-time", 3, "TIME")]),
        ("ID TIME AMT\nA 0 10\nB 0 10\nA 1 .\n", [("patient-not-contiguous", 4, "ID")]),
        ("ID TIME AMT\nA 0 -10\n", [("negative-value", 2, "AMT")]),
        ("ID TIME AMT\nA 0 ten\n", [("not-a-number", 2, "AMT")]),
        ("ID TIME EVID AMT\nA 0 7 10\n", [("unknown-event", 2, "EVID"), ("amount-without-dose", 2, "AMT")]),
        ("ID TIME EVID AMT\nA 0 1 .\n", [("missing-value", 2, "AMT")]),
        ("ID TIME EVID AMT\nA 0 0 10\n", [("amount-without-dose", 2, "AMT")]),
        ("ID TIME EVID AMT CMT\nA 0 101 10 2\n", [("evid-code", 2, "EVID")]),
        ("ID TIME AMT CMT\nA 0 10 3\n", [("unknown-compartment", 2, "CMT")]),
        ("ID TIME AMT CMT\nA 0 10 liver\n", [("unknown-compartment", 2, "CMT")]),
        ("ID TIME AMT SS\nA 0 10 1\n", [("interval-missing", 2, "SS")]),
        ("ID TIME AMT SS II\nA 0 10 3 12\n", [("out-of-range", 2, "SS")]),
        ("ID TIME AMT ADDL\nA 0 10 2\n", [("interval-missing", 2, "ADDL")]),
        ("ID TIME AMT ADDL II\nA 0 10 1.5 12\n", [("out-of-range", 2, "ADDL")]),
        ("ID TIME AMT II\nA 0 10 -12\n", [("negative-value", 2, "II")]),
        ("ID TIME AMT RATE\nA 0 10 -3\n", [("out-of-range", 2, "RATE")]),
        ("ID TIME AMT RATE\nA 0 10 -2\n", [("rate-not-modelled", 2, "RATE")]),
        ("ID TIME AMT RATE DUR\nA 0 10 5 4\n", [("rate-disagrees", 2, "RATE")]),
        ("ID TIME AMT DUR\nA 0 10 -1\n", [("negative-value", 2, "DUR")]),
        ("ID TIME AMT\nA 08:00 10\n", [("date-missing", None, "TIME")]),
        ("ID DATE TIME AMT\nA 2/3/24 08:00 10\n", [("not-a-date", 2, "DATE"), ("no-such-time", 2, "TIME")]),
        ("ID AMT\nA 10\n", [("missing-column", 1, "TIME")]),
        ("ID TIME DV dv\nA 0 1 1\n", []),
    ],
)
def test_each_mistake_is_an_error_with_its_row(
    tmp_path: Path, text: str, expected: list[tuple[str, int | None, str | None]]
) -> None:
    """One mistake a file; the last one has two columns that differ in case, of which the exact name wins."""
    if expected:
        assert _errors(tmp_path, text, small_model()) == expected
    else:
        assert _read(tmp_path, text, small_model()).columns["DV"] == "DV"


def test_a_dose_to_no_compartment_names_those_there_are(tmp_path: Path) -> None:
    """The message lists number and name."""
    with pytest.raises(InputError) as raised:
        _read(tmp_path, "ID TIME AMT CMT\nA 0 10 3\n", small_model())
    assert "does not exist: the model has 1 depot, 2 central" in str(raised.value)


def test_what_is_remarkable_is_said_and_does_not_stop(tmp_path: Path) -> None:
    """A patient without a dose, one without observations, a repeated observation."""
    data = _read(
        tmp_path,
        "ID TIME EVID AMT DV\nA 0 1 10 .\nA 1 0 . 5\nA 1 0 . 6\nB 1 0 . 5\nC 0 1 10 .\n",
        small_model(),
    )
    assert _codes(data.findings, Severity.WARNING) == ["no-dose"]
    notes = _codes(data.findings, Severity.NOTE)
    assert notes == ["duplicate-observation", "no-observation"]
    prior = _read(tmp_path, "ID TIME AMT\nA 0 10\nA 1 .\n", small_model())
    assert prior.records.censoring.tolist() == [MISSING, MISSING]
    assert "no-observation" in _codes(prior.findings, Severity.NOTE)


def test_many_bad_rows_are_listed_and_counted(tmp_path: Path) -> None:
    """The first twenty by row, the others by their number."""
    text = "ID TIME AMT\n" + "".join(f"{i} 0 -1\n" for i in range(50))
    assert len(_errors(tmp_path, text, small_model())) == 21


def test_other_file_kinds_hold_the_same_records(tmp_path: Path) -> None:
    """TSV, XLSX and Parquet, where numbers are numbers and missing ones are blank."""
    frame = pd.DataFrame({"ID": [1, 1], "TIME": [0.0, 1.5], "AMT": [10.0, np.nan], "DV": [np.nan, 50.0]})
    frame.to_csv(tmp_path / "d.tsv", sep="\t", index=False)
    frame.to_excel(tmp_path / "d.xlsx", index=False, sheet_name="pk")
    frame.to_parquet(tmp_path / "d.parquet")
    for name in ("d.tsv", "d.xlsx", "d.xlsx#pk", "d.parquet"):
        data = read_nonmem(tmp_path / name, small_model())
        assert data.records.patients == ("1",), name
        assert data.records.event.tolist() == [DOSE, OBSERVATION], name
        assert data.records.value[1] == 0.05, name


def _covariates(names: str) -> dict[str, str]:
    listed = names.split()
    return {
        "covariates": "".join(f'[covariates.{n}]\nunit = "1"\n' for n in listed),
        "terms": "".join(f" + 0*{n}" for n in listed),
    }


CABOZANTINIB = {
    "outputs": LOGGED,
    "doses": BOTH_DOSES,
    **_covariates("AOLA AGE SEX WT RCC CRPC MTC GB OTHER HCC"),
}
METABOLITE = {
    "compartments": 'metabolite = {}\n[[flows]]\nfrom = "metabolite"\nrate = "CL/V"',
    "outputs": PARENT_AND_METABOLITE.replace('["central"]', '["metabolite"]').replace(
        '["depot"]', '["central"]'
    ),
}


@pytest.mark.parametrize(
    ("run", "options", "n_records", "n_measured"),
    [
        ("001", {}, 720, 400),
        ("005", {"doses": '[[doses]]\ncompartment = "depot"\nduration = "D"\n'}, 720, 400),
        ("301", _covariates("BW SEX"), 1680, 400),
        ("401", METABOLITE, 1120, 800),
        ("407", {"outputs": LOGGED}, 720, 400),
        ("901", _covariates("bsa"), 480, 360),
        ("931", CABOZANTINIB, 6960, 120),
    ],
)
def test_the_nonmem_runs_are_read_whole(
    run: str, options: dict[str, str], n_records: int, n_measured: int
) -> None:
    """Every time, amount, rate, covariate and value, against the same file read by pandas."""
    path = shared(f"data/pk/nonmem-map/run{run}_data.csv")
    model = small_model(**options)
    data = read_nonmem(path, model)
    records = data.records
    frame = pd.read_csv(path, na_values=".")
    assert len(records) == n_records == len(frame)
    assert not [f for f in data.findings if f.severity is Severity.WARNING]
    np.testing.assert_array_equal(records.time_h, frame["time"])
    np.testing.assert_array_equal(records.amount_mg, frame["amt"])
    if "rate" in frame:
        np.testing.assert_array_equal(records.rate_mg_per_h, np.where(frame["evid"] == 1, frame["rate"], 0))
    measured = ((frame["evid"] == 0) & (frame["mdv"] == 0)).to_numpy()
    assert measured.sum() == n_measured
    np.testing.assert_array_equal(records.censoring == QUANTIFIED, measured)
    factor = float(model.outputs[0].factor)
    values = frame["LDV"] + math.log(factor) if "LDV" in frame else frame["DV"] * factor
    np.testing.assert_allclose(records.value[measured], values[measured], rtol=1e-14)
    for position, covariate in enumerate(model.covariates):
        column = frame[data.columns[covariate.name]]
        np.testing.assert_array_equal(records.covariates[:, position], column)
    if run == "401":
        np.testing.assert_array_equal(records.output[measured], frame["cmt"][measured] - 2)


def test_theophylline_with_its_coded_events_is_read() -> None:
    """EVID 101 is a dose to compartment 1: twelve of them, and a note."""
    data = read_nonmem(shared("data/pk/theo_sd.csv"), small_model())
    doses = data.records.event == DOSE
    assert (len(data.records), data.records.n_patients, int(doses.sum())) == (144, 12, 12)
    assert set(data.records.compartment[doses].tolist()) == {0}
    assert data.records.amount_mg[0] == pytest.approx(319.992, rel=1e-12)
    assert "evid-code" in _codes(data.findings, Severity.NOTE)


def test_warfarin_with_named_outputs_and_levels_is_read() -> None:
    """DVID `cp` and `pca`; sex as text."""
    outputs = PARENT_AND_METABOLITE.replace("outputs.parent", "outputs.cp").replace(
        "outputs.metabolite", "outputs.pca"
    )
    options = _covariates("wt age")
    options["covariates"] += '[covariates.sex]\nlevels = ["male", "female"]\n'
    options["terms"] += " * (1 if sex == 'male' else 2)"
    data = read_nonmem(shared("data/pk/warfarin.csv"), small_model(outputs=outputs, **options))
    frame = pd.read_csv(shared("data/pk/warfarin.csv"))
    observed = data.records.event == OBSERVATION
    np.testing.assert_array_equal(data.records.output[observed], (frame["dvid"] == "pca")[observed])
    np.testing.assert_array_equal(data.records.covariates[:, 2], frame["sex"] == "female")


def test_the_event_edge_cases_are_read() -> None:
    """Modelled durations, infusions, SS 1 and 2, additional doses; the observation is called cp."""
    path = shared("data/pk/nmtest.csv")
    frame = pd.read_csv(path)
    assert set(frame["rate"][frame["rate"] < 0]) == {-2}
    doses = "".join(f'[[doses]]\ncompartment = "{c}"\nduration = "D"\n' for c in ("depot", "central"))
    data = read_nonmem(path, small_model(doses=doses), columns={"dv": "cp"})
    assert len(data.records) == len(frame)
    given = (frame["evid"] == 1).to_numpy()
    for name, column in (
        ("rate_mg_per_h", "rate"),
        ("steady_state", "ss"),
        ("additional", "addl"),
        ("interval_h", "ii"),
    ):
        np.testing.assert_array_equal(getattr(data.records, name)[given], frame[column][given], err_msg=name)


def test_a_hundred_thousand_patients_are_read_in_seconds(tmp_path: Path) -> None:
    """A million rows in under 20 s on a slow machine (2 s where it was written), every patient kept."""
    n = 100_000
    path = tmp_path / "big.csv"
    block = "{0},0,400,.\n" + "".join(f"{{0}},{t},.,{50 + t}\n" for t in range(1, 10))
    path.write_text("ID,TIME,AMT,DV\n" + "".join(block.format(i) for i in range(n)))
    began = time.perf_counter()
    data = read_nonmem(path, small_model())
    assert time.perf_counter() - began < 20
    assert (len(data.records), data.records.n_patients) == (10 * n, n)
    assert int((data.records.censoring == QUANTIFIED).sum()) == 9 * n
